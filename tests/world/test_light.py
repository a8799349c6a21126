"""Light equals its definition, the largest levels that lose one a cell, whatever changed before or came first."""

import numpy as np
import pytest

from jarvis.world import light
from jarvis.world.chunks import Chunks
from jarvis.world.ids import DIMS
from jarvis.world.layout import HEIGHT, MASK
from jarvis.world.light import emission, sun_brightness
from jarvis.world.rules import RULES
from jarvis.world.terrain import TerrainConfig

B = RULES.block_id


def plain(radius=2):
    chunks = Chunks(TerrainConfig(1, flat=True), load_radius=radius)
    chunks.ensure(0, 0)
    return chunks


def window(chunks):
    """Coordinates of the loaded square of chunks: its side along x and z."""
    cells = sorted({cx for cx, _ in chunks.loaded()})
    return np.arange(cells[0] * 16, cells[-1] * 16 + 16)


def defined(grid, side, low=40):
    """(n, n, HEIGHT - low, 2) sky and block light from the definition, by sweeping until nothing changes.

    side: coordinates of a square of columns. Below ``low`` everything is dark rock on these plains.
    """
    part = np.ix_(side & MASK, side & MASK, np.arange(low, HEIGHT))
    blocks, meta = grid.blocks[part], grid.meta[part]
    dims = DIMS[blocks].astype(int)
    loss = np.maximum(dims, 1)
    sky = np.zeros(blocks.shape, int)
    open_sky = np.cumprod((dims == 0)[:, :, ::-1], 2)[:, :, ::-1].astype(bool)
    sky[open_sky] = 15
    lamp = np.zeros(blocks.shape, int)
    for block in np.unique(blocks):
        for m in np.unique(meta[blocks == block]):
            lamp[(blocks == block) & (meta == m)] = emission(int(block), int(m))
    for levels in (sky, lamp):
        while True:
            before = levels.copy()
            for axis in range(3):
                for step in (1, -1):
                    moved = np.roll(levels, step, axis)
                    edge = [slice(None)] * 3
                    edge[axis] = 0 if step == 1 else -1
                    moved[tuple(edge)] = 0
                    np.maximum(levels, moved - loss, out=levels)
            if np.array_equal(before, levels):
                break
    return np.stack([sky, lamp], -1)


def told(grid, side, low=40):
    part = grid.light[np.ix_(side & MASK, side & MASK, np.arange(low, HEIGHT))]
    return np.stack([part >> 4, part & 15], -1)


def is_right(chunks):
    """Whether all light of a square of chunks is as defined."""
    side = window(chunks)
    return np.array_equal(defined(chunks.grid, side), told(chunks.grid, side))


@pytest.fixture
def square():
    """A square of 3 x 3 chunks of plain."""
    chunks = Chunks(TerrainConfig(1, flat=True), load_radius=2)
    for cx in range(-1, 2):
        for cz in range(-1, 2):
            chunks._load(cx, cz)
    return chunks


def test_a_torch_shines_fourteen_and_loses_one_a_cell(square):
    square.put(0, 64, 0, B["torch"], 0)
    levels = [int(square.grid.light[x & MASK, 0, 64] & 15) for x in range(-16, 17)]
    assert levels == [max(0, 14 - abs(x)) for x in range(-16, 17)]
    assert [int(square.grid.light[x & MASK, x & MASK, 64] & 15) for x in range(8)] == [14, 12, 10, 8, 6, 4, 2, 0]
    square.put(0, 64, 0, 0, 0)
    assert not (square.grid.light[:, :, 64:] & 15).any()


def test_a_roof_darkens_and_light_comes_in_from_its_sides(square):
    for x in range(-5, 6):
        for z in range(-5, 6):
            square.put(x, 67, z, B["stone"], 0)
    levels = [int(square.grid.light[x & MASK, 0, 64] >> 4) for x in range(-7, 8)]
    assert levels == [15, 15, 14, 13, 12, 11, 10, 9, 10, 11, 12, 13, 14, 15, 15]
    square.put(0, 67, 0, 0, 0)
    assert [int(square.grid.light[0, 0, y] >> 4) for y in range(64, 68)] == [15] * 4
    assert is_right(square)


def test_leaves_and_water_take_a_level_and_stop_the_full_light(square):
    for y in (66, 67, 68):
        for x in range(-9, 10):
            for z in range(-9, 10):
                square.put(x, y, z, B["water"], 0)
    assert [int(square.grid.light[0, 0, y] >> 4) for y in range(70, 63, -1)] == [15, 15, 14, 13, 12, 11, 10]
    assert is_right(square)


def test_lit_furnaces_and_ores_shine_and_unlit_ones_do_not():
    level = {name: RULES.data["blocks"][name]["light"] for name in RULES.blocks}
    assert level["torch"] == 14 and level["lava"] == 15
    assert [emission(B["furnace"], meta) for meta in (0, 3, 4, 7)] == [0, 0, 13, 13]
    assert [emission(B["redstone_ore"], meta) for meta in (0, 1)] == [0, 9]
    assert all(emission(B[name], 0) == level[name] for name in RULES.blocks if name not in ("furnace", "redstone_ore"))


def edit(chunks, random, near):
    """One change near a point: torches, lamps, walls, leaves, water, glass and holes."""
    names = ("torch", "lava", "stone", "stone", "oak_leaves", "water", "glass", "air", "air", "furnace", "oak_planks")
    name = names[random.integers(len(names))]
    x, y, z = (int(c + random.integers(-6, 7)) for c in near)
    chunks.put(x, min(max(y, 41), HEIGHT - 1), z, B[name], 4 if name == "furnace" and random.random() < 0.5 else 0)


@pytest.mark.parametrize("seed", range(3))
def test_relighting_after_any_change_equals_lighting_anew(square, seed):
    random = np.random.default_rng(seed)
    for near in ((0, 66, 0), (15, 64, 15), (16, 66, -1), (0, 124, 0)):  # corners of chunks, the ceiling of the world
        for _ in range(60):
            edit(square, random, near)
        assert is_right(square), near


def test_building_and_tearing_down_a_dark_room_leaves_no_trace(square):
    fresh = square.grid.light.copy()
    random = np.random.default_rng(5)
    cells = [(x, y, z) for x in range(12, 21) for y in range(64, 69) for z in range(-4, 5)]
    shell = [c for c in cells if c[0] in (12, 20) or c[1] == 68 or c[2] in (-4, 4)]
    for k in random.permutation(len(shell)):
        square.put(*shell[k], B["cobblestone"], 0)
    assert not any(square.grid.light[x & MASK, z & MASK, y] for x, y, z in cells if (x, y, z) not in shell)
    square.put(16, 65, 0, B["torch"], 0)
    assert is_right(square)
    square.put(16, 65, 0, 0, 0)
    for k in random.permutation(len(shell)):
        square.put(*shell[k], 0, 0)
    assert np.array_equal(square.grid.light, fresh)


def test_light_does_not_depend_on_the_order_in_which_chunks_come():
    places = [(cx, cz) for cx in range(-1, 3) for cz in range(-1, 3)]
    grids = []
    for seed in range(3):
        chunks = Chunks(TerrainConfig(12, biome="forest"), load_radius=2)
        for k in np.random.default_rng(seed).permutation(len(places)):
            chunks._load(*places[k])
        grids.append(chunks.grid)
    part = np.s_[:48, :48]
    for other in grids[1:]:
        assert np.array_equal(grids[0].light[part], other.light[part])
    assert len(np.unique(grids[0].light[part])) > 30


def test_light_of_natural_land_is_as_defined():
    chunks = Chunks(TerrainConfig(12, biome="birch_forest"), load_radius=2)
    for cx in range(3):
        for cz in range(3):
            chunks._load(cx, cz)
    side = np.arange(48)
    assert np.array_equal(defined(chunks.grid, side, low=0), told(chunks.grid, side, low=0))
    random = np.random.default_rng(1)
    for _ in range(60):
        edit(chunks, random, (24, 64, 24))
    assert np.array_equal(defined(chunks.grid, side, low=0), told(chunks.grid, side, low=0))


def test_light_passes_into_chunks_that_come_later_and_out_of_those_that_came_back():
    chunks = Chunks(TerrainConfig(1, flat=True), load_radius=1)
    chunks._load(0, 0)
    for x in range(16):
        for z in range(16):
            chunks.put(x, 66, z, B["stone"], 0)  # a roof, so that only lamps and the sides give light
    chunks.put(15, 64, 8, B["torch"], 0)
    chunks._load(1, 0)
    assert [int(chunks.grid.light[x, 8, 64] & 15) for x in range(15, 22)] == [14, 13, 12, 11, 10, 9, 8]
    assert [int(chunks.grid.light[x, 2, 64] >> 4) for x in range(16, 9, -1)] == [15, 14, 13, 12, 11, 10, 9]
    chunks._evict(0, 0)
    chunks._load(0, 0)
    assert chunks.grid.blocks[15, 8, 64] == B["torch"]
    assert [int(chunks.grid.light[x, 8, 64] & 15) for x in range(15, 22)] == [14, 13, 12, 11, 10, 9, 8]


def test_changes_outside_the_world_change_nothing():
    chunks = plain(1)
    before = chunks.grid.light.copy()
    light.relight(chunks.grid, 0, HEIGHT, 0)
    light.relight(chunks.grid, 0, -1, 0)
    assert np.array_equal(before, chunks.grid.light)


def test_the_sun_is_bright_at_noon_and_dim_at_midnight():
    assert sun_brightness(6000) == 1.0 and sun_brightness(18000) == pytest.approx(0.2)
    assert sun_brightness(30000) == sun_brightness(6000)
    rising = [sun_brightness(time) for time in range(22000, 24001, 100)]
    assert rising == sorted(rising)
