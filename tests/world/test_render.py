"""What a picture of the voxel world must show, on small made-up worlds."""

import numpy as np
import pytest

from jarvis.world import sky
from jarvis.world.layout import DROP, MOB, empty_grid, put_block
from jarvis.world.rays import FILLED
from jarvis.world.render import Renderer
from jarvis.world.rules import RULES
from jarvis.world.view import View

STONE, GRASS, LEAVES = RULES.block("stone"), RULES.block("grass_block"), RULES.block("oak_leaves")
EYE = View(x=128.5, y=66.62, z=128.5, hand=False, clouds=False)  # noon, looking south


def meadow():
    """Grass up to y = 65 under an open sky."""
    grid = empty_grid()
    grid.chunk_at[:] = np.stack(np.meshgrid(np.arange(16), np.arange(16), indexing="ij"), -1)
    grid.blocks[:, :, :64], grid.blocks[:, :, 64] = STONE, GRASS
    grid.light[:, :, 65:] = 240
    grid.bricks[:] = (grid.blocks != 0).reshape(32, 8, 32, 8, 16, 8).sum((1, 3, 5))
    grid.top[:] = 65
    return grid


@pytest.fixture(scope="module")
def renderer():
    return Renderer(128, 128)


@pytest.fixture(scope="module")
def plain():
    return meadow()


def keys(renderer):
    canvas = renderer.canvas
    return canvas.keys.reshape(canvas.down.size, -1)[: renderer.height, : renderer.width]


def depth(renderer):
    canvas = renderer.canvas
    return canvas.depth.reshape(canvas.down.size, -1)[: renderer.height, : renderer.width]


def shows(renderer, x, y, z):
    return keys(renderer) >> 3 & 0x7FFFFF == (x & 255) << 15 | (z & 255) << 7 | y


def test_the_horizon_is_in_the_middle_and_grass_is_green(renderer, plain):
    frame = renderer.render(plain, EYE)
    assert frame.shape == (128, 128, 3) and frame.dtype == np.uint8
    assert (keys(renderer)[:63] & 7 == 7).all()  # sky
    assert (keys(renderer)[70:] & 7 == 3).all()  # tops of blocks
    red, green, blue = frame[100:].reshape(-1, 3).mean(0)
    assert green > 1.2 * red > 1.2 * blue
    assert frame[5].mean(0)[2] > frame[5].mean(0)[0]


def test_depth_is_the_distance_along_the_middle_of_the_view(renderer, plain):
    renderer.render(plain, EYE)
    # eye 1.62 m above the ground, the lowest row looks tan = 0.7002 * 127/128 down
    assert depth(renderer)[127, 64] == pytest.approx(1.62 / (np.tan(np.radians(35)) * 127 / 128), rel=1e-5)


def test_a_picture_has_the_shape_of_a_wide_window_whatever_its_pixels(plain):
    grid = meadow()
    put_block(grid, 128, 66, 135, STONE, 0)
    for width, height in ((320, 180), (90, 90), (64, 120)):
        renderer = Renderer(width, height)
        renderer.render(grid, EYE._replace(y=66.5))
        rows, columns = np.nonzero(shows(renderer, 128, 66, 135))
        # one metre, six and a half metres away: 1 / 6.5 of 2 * 0.7002 high and 16/9 of that wide
        assert np.ptp(rows) + 1 == pytest.approx(height / 6.5 / 1.4004, abs=1.01)
        assert np.ptp(columns) + 1 == pytest.approx(width / 6.5 / 2.4896, abs=1.01)


def test_filled_pixels_show_what_tracing_each_would(renderer):
    grid = meadow()
    bits = np.random.default_rng(5)
    for _ in range(400):
        x, z, high = bits.integers(96, 160), bits.integers(96, 160), bits.integers(1, 5)
        for y in range(65, 65 + high):
            put_block(grid, int(x), y, int(z), STONE if high > 2 else LEAVES, 0)
    grid.blocks[126:131, 126:131, 65:72] = 0  # room for the eye; bricks that count too many blocks do no harm
    wrong = 0
    for yaw in range(0, 360, 40):
        view = EYE._replace(yaw=yaw, pitch=5)
        quick = renderer.render(grid, view).copy()
        assert (keys(renderer) & FILLED > 0).mean() > 0.4
        slow = exact(renderer, grid, view)
        wrong += (abs(quick.astype(int) - slow).max(-1) > 8).mean()
    assert wrong / 9 < 0.01


def exact(renderer, grid, view):
    """The picture from rays that are all walked: the first pixel of every 4 x 4 tile is, so it is drawn 16 times,
    shifted.
    """
    out = np.zeros((renderer.height, renderer.width, 3), int)
    canvas = renderer.canvas
    across, down = canvas.across.copy(), canvas.down.copy()
    for dy in range(4):
        for dx in range(4):
            canvas.across[:] = across + dx * (across[1] - across[0])
            canvas.down[:] = down + dy * (down[1] - down[0])
            out[dy::4, dx::4] = renderer.render(grid, view)[::4, ::4]
    canvas.across[:], canvas.down[:] = across, down
    return out


def test_a_block_between_the_eye_and_the_sky_is_seen_and_gone_when_broken(renderer):
    grid = meadow()
    put_block(grid, 128, 67, 132, STONE, 0)
    renderer.render(grid, EYE)
    assert shows(renderer, 128, 67, 132).sum() > 100
    put_block(grid, 128, 67, 132, 0, 0)
    renderer.render(grid, EYE)
    assert shows(renderer, 128, 67, 132).sum() == 0


def test_unloaded_chunks_are_not_seen(renderer):
    grid = meadow()
    grid.chunk_at[8, 9] = np.iinfo(np.int32).min
    renderer.render(grid, EYE)
    # the chunk from z = 144 to 160, straight ahead, is a pit with an open bottom: its far wall is in sight
    assert (keys(renderer)[69:74, 64] & 7 == 4).all()
    assert depth(renderer)[70, 64] == pytest.approx(160 - 128.5)


def test_the_same_view_gives_the_same_bytes(plain):
    view = EYE._replace(yaw=33, pitch=12, time=13000, tick=77, rain=0.5)
    assert (Renderer(96, 64).render(plain, view) == Renderer(96, 64).render(plain, view)).all()


def test_far_from_the_origin_looks_like_at_it(renderer, plain):
    far = meadow()
    far.chunk_at[:] -= np.array([160_000, -160_000], np.int32)  # a whole number of windows
    here, there = EYE._replace(yaw=20), EYE._replace(yaw=20, x=EYE.x - 2_560_000, z=EYE.z + 2_560_000)
    assert (renderer.render(plain, here) == renderer.render(far, there)).all()


def test_night_is_darker_than_day_and_a_torch_lights_it(renderer):
    grid = meadow()
    noon, night = (renderer.render(grid, EYE._replace(time=t, gamma=0))[80:].mean() for t in (6000, 18000))
    assert night < 0.3 * noon
    assert renderer.render(grid, EYE._replace(time=18000))[80:].mean() > 2 * night  # gamma 2
    grid.light[..., 65] |= 10
    lit = renderer.render(grid, EYE._replace(time=18000, gamma=0))[80:].reshape(-1, 3).mean(0)
    assert lit.mean() > 1.5 * night and lit[0] > lit[2]


def test_light_levels_rise_and_gamma_lifts_the_dark():
    colours = np.zeros(768, np.float32)
    sky.light_colours(colours, 1.0, 2.0)
    lamps = colours.reshape(16, 16, 3)
    assert (np.diff(lamps[0, :, 0]) >= 0).all() and (np.diff(lamps[:, 0, 0]) >= 0).all()
    assert lamps[15, 0].min() == pytest.approx(0.99) and 0.15 < lamps[0, 0, 0] < 0.3
    sky.light_colours(colours, 1.0, 0.0)
    assert lamps[0, 4, 0] < 0.25


def test_the_sun_rises_in_the_east_and_stands_highest_at_noon():
    assert sky.sun_angle(6000) == pytest.approx(0.0, abs=1e-9)
    assert sky.sun_angle(18000) == pytest.approx(0.5)
    assert sky.sun_angle(0) > 0.75  # a little above the eastern horizon
    assert sky.daylight(6000) == 1.0 and sky.daylight(18000) == pytest.approx(0.2)


def test_water_tints_what_lies_under_it(renderer):
    grid = meadow()
    dry = renderer.render(grid, EYE._replace(pitch=60))[64, 64].astype(int)
    grid.blocks[:, :, 64], grid.blocks[:, :, 60:64] = RULES.block("water"), RULES.block("sand")
    grid.blocks[:, :, 62:65] = RULES.block("water")
    wet = renderer.render(grid, EYE._replace(pitch=60))[64, 64].astype(int)
    assert wet[2] > wet[0] and wet[2] - wet[0] > dry[2] - dry[0] + 40
    under = renderer.render(grid, EYE._replace(y=63.5, pitch=0))[64, 64].astype(int)
    assert under[2] > 2 * under[0]


def test_a_mob_hides_the_ground_and_a_wall_hides_the_mob(renderer):
    grid = meadow()
    bare = renderer.render(grid, EYE).copy()
    mobs = np.zeros(3, MOB)
    mobs[0]["kind"], mobs[0]["x"], mobs[0]["y"], mobs[0]["z"] = RULES.mob("cow"), 128.5, 65, 133.5
    seen = renderer.render(grid, EYE._replace(mobs=mobs)).copy()
    changed = (seen != bare).any(-1)
    assert changed.sum() > 150 and changed[:, :30].sum() == 0
    for x in range(126, 132):
        for y in range(65, 69):
            put_block(grid, x, y, 131, STONE, 0)
    walled = renderer.render(grid, EYE).copy()
    assert (renderer.render(grid, EYE._replace(mobs=mobs)) == walled).all()


def test_a_drop_lies_where_it_is(renderer, plain):
    drops = np.zeros(1, DROP)
    drops[0]["item"], drops[0]["count"] = RULES.item("diamond"), 1
    drops[0]["x"], drops[0]["y"], drops[0]["z"] = 128.5, 65, 131.5
    changed = (renderer.render(plain, EYE).copy() != renderer.render(plain, EYE._replace(drops=drops))).any(-1)
    rows, columns = np.nonzero(changed)
    # 1.4 m below the eye, 3 m ahead: 0.46 / 0.70 of the lower half
    assert abs(rows.mean() - (64 + 64 * 0.46 / 0.70)) < 5 and abs(columns.mean() - 63.5) < 2


def test_cracks_darken_only_the_block_being_mined(renderer, plain):
    view = EYE._replace(pitch=40)
    whole = renderer.render(plain, view).copy()
    cell = (128, 64, 130)
    broken = renderer.render(plain, view._replace(cracked=cell, crack_stage=7)).copy()
    changed = (whole != broken).any(-1)
    assert changed.sum() > 40
    renderer.render(plain, view)
    assert shows(renderer, *cell)[changed].all()
    assert broken[changed].astype(int).sum() < whole[changed].astype(int).sum()


def test_the_outline_runs_along_the_pointed_block(renderer, plain):
    view = EYE._replace(pitch=40)
    whole = renderer.render(plain, view).copy()
    lined = renderer.render(plain, view._replace(pointed=(128, 64, 130)))
    changed = (whole != lined).any(-1)
    inside = shows(renderer, 128, 64, 130)
    assert 30 < changed.sum() < 200
    assert changed.sum() < 0.5 * inside.sum() or inside.sum() < 100


def test_the_hand_is_at_the_lower_right(renderer, plain):
    bare = renderer.render(plain, EYE).copy()
    for held in (0, RULES.item("stone"), RULES.item("iron_pickaxe")):
        shown = renderer.render(plain, EYE._replace(hand=True, held=held))
        rows, columns = np.nonzero((shown != bare).any(-1))
        assert rows.size > 300 and rows.min() > 50 and columns.min() > 55


def test_sizes_out_of_range_are_refused():
    with pytest.raises(ValueError, match="pixels, expected 16"):
        Renderer(8, 8)
    with pytest.raises(ValueError, match="fov is 0"):
        Renderer(64, 64, fov=0)
