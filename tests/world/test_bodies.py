"""The player's movement on small worlds of stone, against figures of the game that anyone can look up."""

import math

import numpy as np
import pytest

from jarvis.world import ids
from jarvis.world.bodies import box_free, move_player
from jarvis.world.combat import BY_DROWNING, BY_FALL, BY_FIRE, BY_LAVA, BY_ZOMBIE, hurt_player
from jarvis.world.layout import NOTE_HURT_PLAYER, NOTE_LAND, PLAYER, empty_grid, empty_notes, put_block
from jarvis.world.survival import tick_survival

FLOOR = 64.0  # height of the ground


class Walker:
    """A player on an endless floor of stone, moved by move_player alone."""

    def __init__(self, floor=ids.STONE):
        self.grid = empty_grid()
        chunks = np.arange(-8, 8)
        self.grid.chunk_at[chunks & 15, :, 0] = chunks[:, None]
        self.grid.chunk_at[:, chunks & 15, 1] = chunks[None, :]
        self.grid.blocks[:, :, :64] = floor
        self.grid.top[:] = 64
        self.players = np.zeros(1, PLAYER)
        self.notes = empty_notes()
        self.p = self.players[0]
        self.stand(0.5, FLOOR, 0.5)

    def stand(self, x, y, z, grounded=True):
        self.players[:] = np.zeros(1, PLAYER)
        p = self.p
        p["x"], p["y"], p["z"], p["on_ground"] = x, y, z, grounded
        p["hp"], p["food"], p["air"], p["height"], p["eye_height"] = 20, 20, 300, 1.8, 1.62
        self.notes.count[0] = 0

    def put(self, x, y, z, block, meta=0):
        put_block(self.grid, x, y, z, block, meta)

    def go(self, ticks=1, forward=0.0, strafe=0.0, jump=False, sneak=False, sprint=False, using=False):
        for _ in range(ticks):
            move_player(self.grid, self.players, forward, strafe, jump, sneak, sprint, using, self.notes)

    def speed(self, **keys):
        """Metres per second forward once the speed is steady."""
        self.go(60, 1.0, **keys)
        start = float(self.p["z"])
        self.go(20, 1.0, **keys)
        return float(self.p["z"]) - start

    def said(self, what):
        rows = self.notes.rows[: self.notes.count[0]]
        return rows[rows[:, 0] == what][:, 1:].tolist()


@pytest.fixture(scope="module")
def stage():
    return Walker()


@pytest.fixture
def walker(stage):
    stage.grid.blocks[:, :, :64], stage.grid.blocks[:, :, 64:], stage.grid.meta[:] = ids.STONE, ids.AIR, 0
    stage.stand(0.5, FLOOR, 0.5)
    return stage


@pytest.mark.parametrize(
    ("keys", "metres_per_second"), [({}, 4.317), ({"sprint": True}, 5.612), ({"sneak": True}, 1.295)]
)
def test_walking_sprinting_and_sneaking_speeds(walker, keys, metres_per_second):
    assert walker.speed(**keys) == pytest.approx(metres_per_second, rel=0.002)


def test_walking_diagonally_is_hardly_faster(walker):
    # the input's length is cut to 1, and only then lost 2 %
    walker.go(60, 1.0, 1.0)
    x, z = float(walker.p["x"]), float(walker.p["z"])
    walker.go(20, 1.0, 1.0)
    assert math.hypot(walker.p["x"] - x, walker.p["z"] - z) == pytest.approx(4.317 / 0.98, rel=0.002)


def test_yaw_turns_the_walk(walker):
    walker.p["yaw"] = 90.0  # west
    walker.go(20, 1.0)
    assert walker.p["x"] < -2.0 and walker.p["z"] == pytest.approx(0.5)


def test_a_jump_rises_1_2522_m_and_lasts_12_ticks(walker):
    heights = []
    walker.go(jump=True)
    while not walker.p["on_ground"]:
        heights.append(float(walker.p["y"]) - FLOOR)
        walker.go()
    assert max(heights) == pytest.approx(1.2522, abs=1e-4)
    assert len(heights) + 1 == 12
    assert walker.said(NOTE_LAND) == [[ids.STONE, pytest.approx(113, abs=1), 0]]  # the last tick's fall does not count


def fallen(ticks):
    """Metres fallen from rest: speed is gained after the move, 2 % of it is lost, so it tends to 3.92."""
    return 3.92 * ticks - 196 * (1 - 0.98**ticks)


@pytest.mark.parametrize(("blocks", "ticks", "damage"), [(3, 10, 0), (4, 11, 1), (10, 18, 7), (24, 28, 21)])
def test_falls_take_the_games_ticks_and_damage(walker, blocks, ticks, damage):
    assert fallen(ticks - 1) < blocks <= fallen(ticks)
    assert damage == max(0, math.ceil(fallen(ticks - 1) - 3))  # as in the game, the tick of landing adds nothing
    walker.stand(0.5, FLOOR + blocks, 0.5, grounded=False)
    walker.go(ticks - 1)
    assert not walker.p["on_ground"]
    walker.go()
    assert walker.p["on_ground"] and walker.p["y"] == FLOOR
    assert walker.said(NOTE_LAND) == [[ids.STONE, round(fallen(ticks - 1) * 100), 0]]
    assert walker.p["hp"] == max(0, 20 - damage) and bool(walker.p["dead"]) == (damage >= 20)
    assert [row[0] for row in walker.said(NOTE_HURT_PLAYER)] == ([BY_FALL] if damage else [])


def test_nothing_is_fast_enough_to_fall_through_the_ground(walker):
    walker.grid.blocks[:, :, :63] = ids.AIR  # one layer of stone
    walker.stand(0.5, 120.0, 0.5, grounded=False)
    walker.p["vy"] = -3.92  # the terminal speed
    walker.go(40)
    assert walker.p["y"] == FLOOR


def test_walls_stop_and_corners_slide(walker):
    for y in (64, 65):
        for x in range(-3, 30):
            walker.put(x, y, 3, ids.STONE)
    walker.p["yaw"] = -45.0  # south east
    walker.go(40, 1.0)
    assert walker.p["z"] == pytest.approx(3 - 0.3) and walker.p["x"] > 4.0 and walker.p["collided"]


@pytest.mark.parametrize(
    ("block", "meta", "rise"),
    [("OAK_SLAB", 0, 0.5), ("OAK_STAIRS", 0, 1.0), ("WHITE_BED", 0, 9 / 16), ("STONE", 0, 0.0)],
)
def test_steps_up_to_0_6_m_are_climbed_without_a_jump(walker, block, meta, rise):
    for x in (-1, 0, 1):
        walker.put(x, 64, 2, getattr(ids, block), meta)
    walker.go(12, 1.0)
    assert walker.p["y"] - FLOOR == pytest.approx(rise)
    assert bool(walker.p["collided"]) == (rise == 0.0)


def test_a_block_can_be_jumped_and_a_fence_cannot(walker):
    for x in range(-2, 3):
        walker.put(x, 64, 2, ids.STONE)
        walker.put(x, 64, 5, ids.OAK_FENCE, 0b0011)
    walker.go(60, 1.0, jump=True)
    assert 2.0 < walker.p["z"] < 5.0 + 6 / 16 - 0.3 + 1e-6


def test_sneaking_stops_at_the_edge(walker):
    walker.grid.blocks[:, 2:20, :64] = ids.AIR  # a drop from z = 2
    walker.go(200, 1.0, sneak=True)
    assert walker.p["y"] == FLOOR and 2.0 < walker.p["z"] < 2.3 and walker.p["sneaking"]
    assert walker.p["height"] == 1.5 and walker.p["eye_height"] == pytest.approx(1.27)
    walker.go(40, 1.0)
    assert walker.p["y"] < FLOOR


def test_ladders_are_climbed_at_2_35_m_a_second_and_held_by_sneaking(walker):
    for y in range(64, 90):
        walker.put(0, y, 2, ids.STONE)
        walker.put(0, y, 1, ids.LADDER, 1)  # on the wall to the south
    walker.stand(0.5, FLOOR, 1.5)
    walker.go(20, 1.0)
    y = float(walker.p["y"])
    walker.go(20, 1.0)
    assert walker.p["y"] - y == pytest.approx(20 * 0.1176, rel=0.01) and walker.p["climbing"]
    walker.go(10)
    y = float(walker.p["y"])
    walker.go(10)
    assert walker.p["y"] - y == pytest.approx(-10 * 0.15)
    walker.go(1, sneak=True)
    y = float(walker.p["y"])
    walker.go(10, sneak=True)
    assert walker.p["y"] == y and walker.p["fall_distance"] == 0


def test_water_lets_one_sink_slowly_swim_up_and_forget_the_fall(walker):
    walker.grid.blocks[:, :, 54:64] = ids.WATER  # ten deep
    walker.stand(0.5, 75.0, 0.5, grounded=False)
    walker.go(400)
    assert walker.p["y"] == 54.0 and walker.p["hp"] == 20 and walker.p["in_water"] and walker.p["head_in_water"]
    walker.stand(0.5, 60.0, 0.5, grounded=False)
    walker.go(40)
    y = float(walker.p["y"])
    walker.go(4)
    assert (y - walker.p["y"]) / 4 == pytest.approx(0.025, abs=0.001)  # 0.005 / (1 - 0.8) m per tick
    walker.stand(0.5, 54.0, 0.5)
    walker.go(200, jump=True)
    assert 63.0 < walker.p["y"] < 64.2 and not walker.p["head_in_water"]


def test_flowing_water_carries_away(walker):
    for z in range(0, 8):
        walker.put(0, 64, z, ids.WATER, z)
    walker.go(60)
    assert walker.p["z"] > 3.0


@pytest.mark.parametrize(("floor", "keeps"), [("STONE", 0.546), ("ICE", 0.8918)])
def test_ice_lets_one_slide_on(walker, floor, keeps):
    walker.grid.blocks[:, :, 63] = getattr(ids, floor)
    walker.go(100, 1.0)
    z = float(walker.p["z"])
    walker.go(60)
    # a geometric series of what each tick keeps of the last step (slipperiness * 0.91), cut off below 0.003 m
    step = 0.098 * (0.216 / (keeps / 0.91) ** 3) / (1 - keeps)
    assert walker.p["z"] - z == pytest.approx(step * keeps / (1 - keeps), abs=0.03)


def test_sprinting_needs_food_and_ends_at_walls(walker):
    walker.p["food"] = 6
    walker.go(5, 1.0, sprint=True)
    assert not walker.p["sprinting"]
    walker.p["food"] = 7
    walker.go(5, 1.0, sprint=True)
    assert walker.p["sprinting"]
    walker.put(0, 64, 6, ids.STONE)
    walker.put(0, 65, 6, ids.STONE)
    walker.go(30, 1.0)
    assert not walker.p["sprinting"]


def test_exhaustion_of_sprinting_and_jumping(walker):
    walker.go(100, 1.0, sprint=True)
    assert walker.p["exhaustion"] == pytest.approx(0.1 * (walker.p["z"] - 0.5), rel=0.01)
    before = float(walker.p["exhaustion"])
    walker.go(1, 1.0, sprint=True, jump=True)
    assert walker.p["exhaustion"] == pytest.approx(before + 0.2, abs=1e-3)


def test_boxes_of_fences_reach_into_the_cell_above(walker):
    walker.put(0, 64, 0, ids.OAK_FENCE)
    assert not box_free(walker.grid, 0.2, 65.2, 0.2, 0.8, 67.0, 0.8)
    assert box_free(walker.grid, 0.2, 65.5, 0.2, 0.8, 67.0, 0.8)


# harm and needs


def test_armour_and_ten_ticks_without_harm(walker):
    assert hurt_player(walker.p, 10.0, 5.0, walker.notes, BY_ZOMBIE) == pytest.approx(3.0)  # 40 % less
    assert hurt_player(walker.p, 10.0, 5.0, walker.notes, BY_ZOMBIE) == 0.0
    assert hurt_player(walker.p, 0.0, 7.0, walker.notes, BY_ZOMBIE) == pytest.approx(2.0)  # the difference
    for _ in range(10):
        tick_survival(walker.grid, walker.players, 0.0, False, walker.notes)
    assert hurt_player(walker.p, 20.0, 5.0, walker.notes, BY_ZOMBIE) == pytest.approx(1.0)
    assert walker.p["hp"] == pytest.approx(14.0) and walker.p["exhaustion"] == pytest.approx(0.3)
    assert walker.said(NOTE_HURT_PLAYER) == [[BY_ZOMBIE, 300, 0], [BY_ZOMBIE, 200, 0], [BY_ZOMBIE, 100, 0]]


def live(walker, ticks):
    for _ in range(ticks):
        tick_survival(walker.grid, walker.players, 0.0, False, walker.notes)


def test_food_heals_and_its_want_kills_down_to_half_a_heart(walker):
    p = walker.p
    p["hp"], p["food"], p["saturation"] = 10, 20, 0
    live(walker, 81)
    assert p["hp"] == 11 and p["exhaustion"] == pytest.approx(2.0)  # 6 for half a heart, 4 of them paid with food
    assert p["food"] == 19
    p["saturation"], p["food"], p["exhaustion"], p["food_timer"] = 6, 20, 0, 0
    live(walker, 10)
    assert p["hp"] == 12
    p["hp"], p["food"], p["saturation"], p["exhaustion"], p["food_timer"] = 2, 0, 0, 0, 0
    live(walker, 400)
    assert p["hp"] == 1 and not p["dead"]


def test_breath_lasts_15_seconds(walker):
    walker.p["head_in_water"] = 1
    live(walker, 319)
    assert walker.p["hp"] == 20
    live(walker, 1)
    assert walker.p["hp"] == 18 and walker.said(NOTE_HURT_PLAYER)[0][0] == BY_DROWNING
    live(walker, 20)
    assert walker.p["hp"] == 16


def test_lava_burns_and_fire_lasts_on(walker):
    walker.p["in_lava"] = 1
    live(walker, 10)
    assert walker.p["hp"] == 16 and walker.said(NOTE_HURT_PLAYER) == [[BY_LAVA, 400, 0]]
    walker.p["in_lava"], walker.p["fire_ticks"], walker.p["hurt_ticks"], walker.p["food"] = 0, 100, 0, 10
    live(walker, 100)
    assert walker.p["hp"] == 11 and walker.said(NOTE_HURT_PLAYER)[-1] == [BY_FIRE, 100, 0]


def test_cactus_pricks_and_walls_suffocate(walker):
    walker.put(1, 64, 0, ids.CACTUS)
    walker.stand(1.0 + 1 / 16 - 0.3, FLOOR, 0.5)  # touching it
    live(walker, 1)
    assert walker.p["hp"] == 19
    walker.put(4, 65, 0, ids.STONE)
    walker.stand(4.5, FLOOR, 0.5)
    live(walker, 1)
    assert walker.p["hp"] == 19
