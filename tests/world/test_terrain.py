"""The land is a pure function of seed and chunk, has the ores of the rules, and remembers what was changed."""

import math
from functools import cache

import numpy as np
import pytest

from jarvis.world import terrain
from jarvis.world.chunks import Chunks, generate_chunk
from jarvis.world.layout import HEIGHT, SEA_LEVEL
from jarvis.world.rules import RULES
from jarvis.world.terrain import BIOMES, ORE_TABLE, TerrainConfig

B = RULES.block_id
SEED = 20240607


@cache
def land(biome="plains", size=9):
    """(size * size, 16, 16, 128) blocks of a square of chunks, caves and all."""
    config = TerrainConfig(SEED, biome=biome)
    return np.stack([generate_chunk(config, cx, cz)[0] for cx in range(size) for cz in range(size)])


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_chunk_depends_on_seed_and_place_only():
    places = [(0, 0), (5, -3), (-40, 12), (1000, -1000)]
    config = TerrainConfig(7)
    forward = [generate_chunk(config, *place) for place in places]
    backward = [generate_chunk(TerrainConfig(7), *place) for place in reversed(places)]
    assert all(same(a, b) for a, b in zip(forward, reversed(backward), strict=True))
    assert not same(forward[0], generate_chunk(TerrainConfig(8), 0, 0))
    assert not np.array_equal(forward[0][0], forward[1][0])


def test_the_order_of_arrival_does_not_matter():
    def arrive(steps):
        chunks = Chunks(TerrainConfig(5, biome="forest"), load_radius=2)
        for x, z in steps:
            chunks.ensure(x, z)
        return chunks

    one, other = arrive([(0, 0), (40, 8), (40, 40)]), arrive([(90, -60), (40, 40)])
    for cx in range(1, 4):
        for cz in range(1, 4):
            part = np.s_[cx * 16 : cx * 16 + 16, cz * 16 : cz * 16 + 16]
            assert one.holds(cx, cz) and other.holds(cx, cz)
            for name in ("blocks", "meta", "top", "biome"):
                assert np.array_equal(getattr(one.grid, name)[part], getattr(other.grid, name)[part]), name


def test_bricks_and_tops_of_the_window_are_true():
    chunks = Chunks(TerrainConfig(5), load_radius=2)
    chunks.ensure(0, 0)
    blocks = chunks.grid.blocks
    for cx, cz in chunks.loaded():
        i, k = cx * 16 & 255, cz * 16 & 255
        part = blocks[i : i + 16, k : k + 16]
        tops = np.where(part.any(-1), HEIGHT - np.argmax(part[:, :, ::-1] != 0, -1), 0)
        assert np.array_equal(chunks.grid.top[i : i + 16, k : k + 16], tops)
        full = (part != 0).reshape(2, 8, 2, 8, 16, 8).sum((1, 3, 5))
        assert np.array_equal(chunks.grid.bricks[i // 8 : i // 8 + 2, k // 8 : k // 8 + 2], full)


# ores


@pytest.mark.parametrize(
    ("ore", "least", "most"),
    [
        # blocks a chunk, from 81 chunks; the game has diamond 3.1, redstone 24.8 to 27, gold 8.2 to 9, lapis 3.4
        ("diamond_ore", 2.5, 3.8), ("redstone_ore", 22.0, 29.0), ("gold_ore", 7.2, 10.0), ("lapis_ore", 2.7, 4.1),
        ("iron_ore", 80.0, 110.0), ("coal_ore", 130.0, 190.0),
    ],
)  # fmt: skip
def test_ores_are_as_frequent_as_in_the_game(ore, least, most):
    assert least <= (land() == B[ore]).sum() / len(land()) <= most


@pytest.mark.parametrize("ore", ["coal_ore", "iron_ore", "gold_ore", "redstone_ore", "diamond_ore", "lapis_ore"])
def test_ores_stay_in_their_depths(ore):
    span = RULES.world["ore_distribution"][ore]["y"]
    low, high = (0, 30) if isinstance(span, str) else span
    ys = np.nonzero(land() == B[ore])[3]
    assert ys.min() >= max(1, low - 2) and ys.max() <= high + 2  # a vein's blocks lie around its place
    if ore == "diamond_ore":
        assert ys.max() <= 15
        assert np.bincount(ys, minlength=16)[5:12].min() > 0
    if ore == "lapis_ore":  # a triangle about 15
        assert 12 < ys.mean() < 18 and (abs(ys - 15) <= 6).mean() > 0.55


def test_veins_hang_together():
    # most blocks of coal have another one beside them
    coal = land() == B["coal_ore"]
    beside = np.zeros_like(coal)
    for axis in (1, 2, 3):
        for step in (1, -1):
            beside |= np.roll(coal, step, axis)
    assert (coal & beside).sum() / coal.sum() > 0.85
    assert ORE_TABLE[:, 0].max() == 33


def test_stones_and_pockets_of_dirt_and_gravel_are_there():
    stone = land()[:, :, :, 5:50]
    share = {name: (stone == B[name]).mean() for name in ("stone", "granite", "diorite", "andesite", "dirt", "gravel")}
    assert share["stone"] > 0.55
    assert all(0.005 < share[name] < 0.15 for name in ("granite", "diorite", "andesite", "dirt", "gravel")), share


# depths


def test_the_floor_is_bedrock_and_ragged():
    blocks = land()
    bedrock = (blocks == B["bedrock"]).mean((0, 1, 2))
    assert bedrock[0] == 1
    assert bedrock[1:5] == pytest.approx([0.8, 0.6, 0.4, 0.2], abs=0.03)
    assert bedrock[5:].sum() == 0


def test_caves_are_there_and_the_deep_ones_hold_lava():
    blocks = land()
    deep = blocks[:, :, :, 5:11]
    assert (deep == B["air"]).sum() == 0 and 0.005 < (deep == B["lava"]).mean() < 0.2
    middle = blocks[:, :, :, 11:50]
    assert 0.01 < (middle == B["air"]).mean() < 0.2
    assert (middle == B["lava"]).mean() < 0.002


def test_the_sea_is_full_up_to_its_level():
    blocks = land("ocean", 3)
    assert (blocks[:, :, :, SEA_LEVEL - 1] == B["water"]).mean() > 0.95
    assert not (blocks[:, :, :, SEA_LEVEL:] == B["water"]).any()
    dry = blocks[:, :, :, 55 : SEA_LEVEL - 1] == B["air"]
    assert dry.mean() < 0.001


def test_nothing_floats_and_nothing_pokes_out_of_the_world():
    for biome in BIOMES:
        blocks = generate_chunk(TerrainConfig(3, biome=biome), 2, 2)[0]
        assert not blocks[:, :, HEIGHT - 1].any()
        plants = np.isin(blocks, [B["grass"], B["dandelion"], B["poppy"]])
        below = np.roll(blocks, 1, 2)
        assert np.isin(below[plants], [B["grass_block"], B["dirt"]]).all()
        assert np.isin(below[blocks == B["cactus"]], [B["sand"], B["cactus"]]).all()
        snow = below[blocks == B["snow"]]
        assert not np.isin(snow, [B["air"], B["water"], B["snow"]]).any()


# surfaces


def test_heights_go_up_to_a_hundred_and_twenty_in_mountains_and_not_elsewhere():
    def tops(biome):
        number = BIOMES.index(biome)
        return [terrain.column(np.uint64(SEED), number, x, z)[0] for x in range(0, 800, 16) for z in range(0, 800, 16)]

    assert 95 <= max(tops("mountains")) < HEIGHT - 8
    assert max(tops("plains")) < 85 and min(tops("plains")) > 50
    assert max(tops("ocean")) < SEA_LEVEL


def test_an_open_world_has_many_biomes():
    found = {
        terrain.column(np.uint64(SEED), -1, x, z)[1] for x in range(-3000, 3000, 60) for z in range(-3000, 3000, 60)
    }
    assert {BIOMES[number] for number in found} >= set(BIOMES) - {"snowy_taiga", "snowy_tundra"}
    assert len(found) >= 10


def test_slopes_can_be_walked():
    # neighbouring columns of an open plain differ by one block at most, mostly
    heights = np.array([[terrain.column(np.uint64(SEED), 1, x, z)[0] for x in range(120)] for z in range(120)])
    assert (abs(np.diff(heights)) <= 1).mean() > 0.99


def test_trees_stand_whole_across_the_borders_of_chunks():
    config = TerrainConfig(SEED, biome="forest")
    size = 4
    blocks = np.zeros((size * 16, size * 16, HEIGHT), np.uint8)
    for cx in range(size):
        for cz in range(size):
            blocks[cx * 16 : cx * 16 + 16, cz * 16 : cz * 16 + 16] = generate_chunk(config, cx, cz)[0]
    logs = np.isin(blocks, [B["oak_log"], B["birch_log"]])
    leaves = np.isin(blocks, [B["oak_leaves"], B["birch_leaves"]])
    assert logs.sum() > 100
    # every leaf away from the rim has a log within four steps
    near = logs.copy()
    for axis in (0, 1, 2):
        grown = near.copy()
        for step in range(1, 5):
            grown |= np.roll(near, step, axis) | np.roll(near, -step, axis)
        near = grown
    inner = np.zeros_like(logs)
    inner[6:-6, 6:-6] = True
    assert (leaves & inner & ~near).sum() == 0
    # trunks stand on dirt
    feet = logs & ~np.roll(logs, 1, 2)
    assert (np.roll(blocks, 1, 2)[feet & inner] == B["dirt"]).mean() > 0.95


def test_the_flat_world_is_flat():
    blocks, meta, biome = generate_chunk(TerrainConfig(1, flat=True), 3, -4)
    column = np.array([B["bedrock"]] + [B["stone"]] * 59 + [B["dirt"]] * 3 + [B["grass_block"]] + [0] * 64)
    assert (blocks == column).all() and not meta.any() and (biome == BIOMES.index("plains")).all()


# memory


def test_a_changed_chunk_survives_eviction_and_others_are_made_again():
    chunks = Chunks(TerrainConfig(9, biome="plains"), load_radius=1)
    chunks.ensure(8, 8)
    fresh = chunks.grid.blocks[:16, :16].copy()
    chunks.put(3, 100, 4, B["gold_ore"], 0)
    chunks.put(4, 100, 4, B["oak_log"], 2)
    chunks.ensure(5000, 5000)
    assert not chunks.holds(0, 0) and (chunks.grid.blocks[5:16, :16] != fresh[5:]).any()
    chunks.ensure(8, 8)
    grid = chunks.grid
    assert (grid.blocks[3, 4, 100], grid.blocks[4, 4, 100], grid.meta[4, 4, 100]) == (B["gold_ore"], B["oak_log"], 2)
    assert grid.top[3, 4] == 101
    kept = grid.blocks[:16, :16].copy()
    kept[3:5, 4, 100] = 0
    assert np.array_equal(kept, fresh)
    for _ in range(2):  # twice is no different
        chunks.ensure(-5000, 5000)
        chunks.ensure(8, 8)
        assert grid.blocks[3, 4, 100] == B["gold_ore"]


def test_only_limit_chunks_come_at_a_time_nearest_first():
    chunks = Chunks(TerrainConfig(9), load_radius=3)
    first = chunks.ensure(8, 8, limit=2)
    assert first[0] == (0, 0) and len(first) == 2
    count = 2
    while new := chunks.ensure(8, 8, limit=2):
        count += len(new)
    assert count == len(chunks.loaded()) == 37 and chunks.ensure(8, 8) == []


def test_a_snapshot_of_the_land_is_its_own():
    chunks = Chunks(TerrainConfig(9), load_radius=1)
    chunks.ensure(0, 0)
    chunks.put(1, 90, 1, B["stone"], 0)
    saved = chunks.snapshot()
    chunks.put(1, 90, 1, B["dirt"], 0)
    back, again = Chunks.restore(saved), Chunks.restore(saved)
    assert back.grid.blocks[1, 1, 90] == again.grid.blocks[1, 1, 90] == B["stone"]
    back.put(2, 90, 1, B["dirt"], 0)
    assert again.grid.blocks[2, 1, 90] == 0 and back.loaded() == chunks.loaded()
    back.ensure(3000, 0), back.ensure(0, 0)
    assert back.grid.blocks[1, 1, 90] == B["stone"]


def test_the_place_to_begin_is_open_dry_ground_near_the_origin():
    for seed in range(8):
        chunks = Chunks(TerrainConfig(seed), load_radius=1)
        x, y, z = chunks.find_spawn()
        i, k = math.floor(x) & 255, math.floor(z) & 255
        assert math.hypot(x, z) < 500 and y >= SEA_LEVEL
        assert not RULES.table.solid[chunks.grid.blocks[i, k, int(y)]] or chunks.grid.blocks[i, k, int(y)] == B["snow"]


def test_herds_are_the_same_every_time_and_stand_on_grass():
    one, other = (Chunks(TerrainConfig(4, biome="plains"), load_radius=4) for _ in range(2))
    one.ensure(0, 0), other.ensure(0, 0)
    herds = [one.animals(*at) for at in one.loaded()]
    assert herds == [other.animals(*at) for at in other.loaded()]
    members = [member for herd in herds for member in herd]
    assert 8 <= len(members) and {member[0] for member in members} <= {"cow", "pig", "sheep", "chicken"}
    for _, x, y, z in members:
        assert one.grid.blocks[math.floor(x) & 255, math.floor(z) & 255, int(y) - 1] == B["grass_block"]
