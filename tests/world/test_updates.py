"""What blocks do by themselves, tick by tick, on a plain: liquids, falling, holding on, growing."""

import numpy as np
import pytest
from stage import Stage

from jarvis.world import updates
from jarvis.world.rules import RULES

SOUTH, WEST, NORTH, EAST = range(4)
WATER_TICKS, LAVA_TICKS = 5, 30


@pytest.fixture(scope="module")
def plain():
    return Stage()


@pytest.fixture
def stage(plain):
    return plain.begin()


def pour(stage, x, y, z, liquid):
    stage.world.change(x, y, z, RULES.block(liquid), 0)
    return stage


def force(stage, x, y, z, times=1, want=lambda: False):
    """Give one cell random ticks until ``want()`` comes true, at most so many times; whether it did."""
    world = stage.world
    for number in range(times):
        if want():
            break
        luck = number * 40503 % 65536
        updates._random_cell(world.grid, world.schedule, world.notes, world.ticks, x, y, z, luck)
        world.settle()
        world._drain()
    return want()


# liquids


def test_water_spreads_seven_cells_on_flat_ground_a_cell_every_five_ticks(stage):
    pour(stage, 0, 64, 20, "water")
    stage.tick(ticks=WATER_TICKS + 1)
    assert [stage.meta(x, 64, 20) for x in (-1, 1)] == [1, 1] and stage.at(2, 64, 20) == "air"
    stage.tick(ticks=7 * WATER_TICKS + 2)
    for x in range(-9, 10):
        for z in range(-9, 10):
            away = abs(x) + abs(z)
            there = (stage.at(x, 64, 20 + z), stage.meta(x, 64, 20 + z))
            assert there == (("water", away) if away <= 7 else ("air", 0)), (x, z)


def test_lava_spreads_three_cells_and_six_times_as_slowly(stage):
    pour(stage, 0, 64, 20, "lava")
    stage.tick(ticks=LAVA_TICKS - 2)
    assert stage.at(1, 64, 20) == "air"
    stage.tick(ticks=5 * LAVA_TICKS)
    assert [stage.at(x, 64, 20) for x in range(5)] == ["lava"] * 4 + ["air"]
    assert [stage.meta(x, 64, 20) for x in range(4)] == [0, 2, 4, 6]


def test_a_stream_dries_up_when_its_source_is_taken(stage):
    pour(stage, 0, 64, 20, "water").tick(ticks=60)
    assert stage.at(5, 64, 20) == "water"
    stage.world.change(0, 64, 20, 0, 0)
    stage.tick(ticks=120)
    assert stage.count("water", range(-9, 10), [64], range(11, 30)) == 0


def test_two_sources_make_a_third_between_them_and_lava_does_not(stage):
    stage.fill((-1, 0, 1), [63], [20], "stone").fill(range(-2, 3), [64], range(19, 22), "stone")
    stage.fill((-1, 0, 1), [64], [20], "air")
    pour(stage, -1, 64, 20, "water"), pour(stage, 1, 64, 20, "water")
    stage.tick(ticks=20)
    assert (stage.at(0, 64, 20), stage.meta(0, 64, 20)) == ("water", 0)
    stage.begin().fill(range(-2, 3), [64], range(19, 22), "stone").fill((-1, 0, 1), [64], [20], "air")
    pour(stage, -1, 64, 20, "lava"), pour(stage, 1, 64, 20, "lava")
    stage.tick(ticks=100)
    assert (stage.at(0, 64, 20), stage.meta(0, 64, 20)) == ("lava", 2)


def test_water_falls_first_and_runs_towards_the_next_hole(stage):
    stage.put(2, 63, 20, "air")
    pour(stage, 0, 64, 20, "water").tick(ticks=40)
    assert stage.at(1, 64, 20) == "water" and stage.at(2, 63, 20) == "water"
    assert stage.at(-1, 64, 20) == "air"  # there is a hole two steps east, so it does not go west
    stage.begin().put(0, 70, 20, "stone")
    pour(stage, 1, 70, 20, "water").tick(ticks=60)
    assert all(stage.at(1, y, 20) == "water" and stage.meta(1, y, 20) >= 8 for y in range(64, 70))
    assert stage.at(1, 64, 23) == "water" and stage.at(1, 66, 22) == "air"


def test_water_does_not_pass_glass_or_slabs_and_washes_plants_and_torches_away(stage):
    stage.put(1, 64, 20, "glass").put(-1, 64, 20, "oak_slab").put(0, 64, 21, "torch").put(0, 64, 19, "poppy")
    pour(stage, 0, 64, 20, "water").tick(ticks=20)
    assert (stage.at(1, 64, 20), stage.at(-1, 64, 20)) == ("glass", "oak_slab")
    assert stage.at(0, 64, 21) == stage.at(0, 64, 19) == "water" and stage.drops == {"torch": 1, "poppy": 1}


def test_lava_meets_water(stage):
    # water beside a source of lava: obsidian; beside flowing lava: cobblestone; lava falling into water: stone
    stage.put(0, 64, 20, "lava").put(3, 64, 20, "lava", 4).put(4, 64, 20, "stone")
    stage.put(0, 64, 21, "water").put(3, 64, 21, "water")
    stage.wake(0, 64, 20).wake(3, 64, 20).tick(ticks=LAVA_TICKS + 3)
    assert stage.at(0, 64, 20) == "obsidian" and stage.at(3, 64, 20) == "cobblestone"
    stage.begin().put(0, 63, 20, "water").put(0, 66, 20, "stone")
    stage.fill((-1, 1), (64, 65), [20], "glass").fill([0], (64, 65), (19, 21), "glass")
    pour(stage, 0, 65, 20, "lava").tick(ticks=4 * LAVA_TICKS)
    assert stage.at(0, 63, 20) == "stone" and stage.at(0, 64, 20) == "lava"


def test_flowing_water_turns_a_lava_pool_into_obsidian(stage):
    stage.fill(range(3), [63], [20], "lava")
    pour(stage, 0, 64, 20, "water").tick(ticks=80)
    assert [stage.at(x, 63, 20) for x in range(3)] == ["obsidian"] * 3


def test_liquids_stay_still_until_something_changes_beside_them(stage):
    stage.put(0, 64, 20, "water").tick(ticks=30)
    assert stage.at(1, 64, 20) == "air"
    stage.world.change(0, 65, 20, RULES.block("stone"), 0)
    stage.tick(ticks=10)
    assert stage.at(1, 64, 20) == "water"


def test_streams_carry_bodies_along(stage):
    stage.fill(range(-1, 2), (64, 65), range(-3, 12), "glass").fill([0], (64, 65), range(-2, 11), "air")
    pour(stage, 0, 64, -2, "water").tick(ticks=60)
    stage.stand().tick(ticks=60)
    assert stage.p["z"] > 1.5


# falling


@pytest.mark.parametrize("block", ["sand", "gravel"])
def test_sand_and_gravel_fall_and_lie_where_they_land(stage, block):
    stage.put(0, 70, 20, block).wake(0, 70, 20)
    stage.tick(ticks=5)
    assert stage.at(0, 70, 20) == "air" and stage.world.missiles["kind"].any()
    stage.tick(ticks=30)
    assert stage.at(0, 64, 20) == block and not stage.world.missiles["kind"].any()


def test_a_pile_of_sand_falls_when_its_foot_is_taken_and_breaks_on_a_torch(stage):
    stage.put(0, 64, 20, "stone").fill([0], range(65, 69), [20], "sand")
    stage.world.change(0, 64, 20, 0, 0)
    stage.tick(ticks=40)
    assert [stage.at(0, y, 20) for y in range(64, 69)] == ["sand"] * 4 + ["air"]
    stage.begin().put(0, 64, 20, "torch").put(0, 68, 20, "sand").wake(0, 68, 20).tick(ticks=40)
    assert stage.at(0, 64, 20) == "torch" and stage.drops == {"sand": 1}


def test_sand_sinks_through_water(stage):
    stage.fill([0], (61, 62, 63), [20], "water").put(0, 66, 20, "sand").wake(0, 66, 20).tick(ticks=60)
    assert [stage.at(0, y, 20) for y in (61, 62, 63)] == ["sand", "water", "water"]


# holding on


def test_torches_and_ladders_pop_off_with_their_wall_and_plants_with_their_soil(stage):
    stage.put(0, 65, 20, "stone").put(1, 65, 20, "torch", WEST + 1).put(-1, 65, 20, "ladder", EAST + 1)
    stage.put(4, 64, 20, "oak_sapling").put(6, 64, 20, "torch")
    for x, y in ((0, 65), (4, 63), (6, 63)):
        stage.world.change(x, y, 20, 0, 0)
    stage.tick(ticks=4)
    assert stage.count("air", range(-1, 7), (64, 65), [20]) == 16
    assert stage.drops == {"torch": 2, "ladder": 1, "oak_sapling": 1}


def test_a_whole_cactus_falls_from_its_foot(stage):
    stage.put(0, 63, 20, "sand").fill([0], (64, 65, 66), [20], "cactus")
    stage.world.change(0, 63, 20, RULES.block("dirt"), 0)
    stage.tick(ticks=10)
    assert stage.count("cactus", [0], range(64, 67), [20]) == 0 and stage.drops.get("cactus", 0) >= 1


def test_snow_goes_with_the_block_below(stage):
    stage.put(0, 64, 20, "stone").put(0, 65, 20, "snow")
    stage.world.change(0, 64, 20, 0, 0)
    stage.tick(ticks=4)
    assert stage.at(0, 65, 20) == "air"


def test_leaves_decay_when_their_tree_is_felled_and_placed_ones_never(stage):
    stage.fill([0], range(64, 68), [8], "oak_log")
    stage.fill(range(-2, 3), (67, 68), range(6, 11), "oak_leaves").put(0, 67, 8, "oak_log")
    stage.put(5, 64, 8, "oak_leaves", 1)
    stage.tick(ticks=200)
    assert stage.count("oak_leaves", range(-2, 3), (67, 68), range(6, 11)) == 49
    for y in range(64, 68):
        stage.world.change(0, y, 8, 0, 0)
    for x in range(-2, 6):
        for y in (64, 67, 68):
            for z in range(6, 11):
                force(stage, x, y, z)
    assert stage.count("oak_leaves", range(-2, 3), (67, 68), range(6, 11)) == 0
    assert stage.at(5, 64, 8) == "oak_leaves"


def test_leaves_hold_to_another_log_within_six_steps(stage):
    stage.put(0, 66, 8, "oak_log").fill(range(1, 12), [66], [8], "oak_leaves").put(-1, 66, 8, "oak_leaves")
    stage.put(-2, 66, 8, "birch_log")
    stage.world.change(0, 66, 8, 0, 0)
    stage.put(7, 66, 8, "oak_log")
    for x in range(-1, 12):
        force(stage, x, 66, 8)
    assert stage.count("oak_leaves", range(1, 12), [66], [8]) == 10 and stage.at(-1, 66, 8) == "oak_leaves"
    stage.world.change(7, 66, 8, 0, 0)
    for x in range(11, -2, -1):
        force(stage, x, 66, 8)
    assert stage.count("oak_leaves", range(1, 12), [66], [8]) == 0 and stage.at(-1, 66, 8) == "oak_leaves"


# growing


def test_random_ticks_reach_every_cell_near_the_player(stage):
    # farmland without water turns to dirt at its first random tick
    stage.fill(range(-8, 8), [63], range(-8, 8), "farmland")
    stage.stand(x=20.5)
    stage.tick(ticks=683)  # half of the mean wait for a cell
    share = stage.count("dirt", range(-8, 8), [63], range(-8, 8)) / 256
    assert share == pytest.approx(1 - np.exp(-683 * 3 / 4096), abs=0.1)


def test_grass_spreads_to_lit_dirt_and_dies_under_a_block(stage):
    stage.put(0, 63, 20, "dirt")
    assert force(stage, 1, 63, 20, 400, lambda: stage.at(0, 63, 20) == "grass_block")
    stage.put(0, 64, 20, "stone")
    assert force(stage, 0, 63, 20, 2, lambda: stage.at(0, 63, 20) == "dirt")
    stage.fill((-1, 0, 1), [64], (19, 20, 21), "stone").put(5, 63, 20, "dirt").put(5, 64, 20, "stone")
    assert not force(stage, 6, 63, 20, 400, lambda: stage.at(5, 63, 20) == "grass_block")


def test_wheat_ripens_in_the_light_and_faster_on_wet_soil(stage):
    turns = {0: [], 1: []}
    for wet in (0, 1):
        stage.begin().put(0, 63, 20, "farmland", wet).put(0, 64, 20, "wheat")
        assert force(stage, 0, 64, 20, 1000, lambda wet=wet: turns[wet].append(0) or stage.meta(0, 64, 20) == 7)
    assert 20 < len(turns[1]) < 0.75 * len(turns[0]) < 200
    stage.put(0, 64, 20, "wheat").fill((-1, 0, 1), range(64, 67), (19, 20, 21), "stone").put(0, 64, 20, "wheat")
    assert not force(stage, 0, 64, 20, 200, lambda: stage.meta(0, 64, 20) > 0)


def test_farmland_is_wet_within_four_cells_of_water_and_dries_to_dirt_without(stage):
    stage.put(0, 63, 20, "water").put(4, 63, 20, "farmland").put(5, 63, 20, "farmland", 1)
    for x in (4, 5):
        force(stage, x, 63, 20, 1, lambda: False)
    assert (stage.at(4, 63, 20), stage.meta(4, 63, 20)) == ("farmland", 1)
    assert (stage.at(5, 63, 20), stage.meta(5, 63, 20)) == ("farmland", 0)
    force(stage, 5, 63, 20, 1, lambda: False)
    assert stage.at(5, 63, 20) == "dirt"


@pytest.mark.parametrize("wood", ["oak", "birch", "spruce"])
def test_a_sapling_becomes_a_tree_where_there_is_room(stage, wood):
    stage.put(0, 64, 20, f"{wood}_sapling")
    assert force(stage, 0, 64, 20, 400, lambda: stage.at(0, 64, 20) == f"{wood}_log")
    assert stage.at(0, 67, 20) == f"{wood}_log"
    assert stage.count(f"{wood}_leaves", range(-3, 4), range(64, 76), range(17, 24)) > 20
    assert stage.drops == {}
    stage.begin().put(0, 64, 20, f"{wood}_sapling").put(0, 66, 20, "stone")
    assert not force(stage, 0, 64, 20, 400, lambda: stage.at(0, 64, 20) != f"{wood}_sapling")


def test_cactus_grows_three_high_and_ice_melts_by_lamplight(stage):
    stage.put(0, 63, 20, "sand").put(0, 64, 20, "cactus")
    assert force(stage, 0, 64, 20, 200, lambda: stage.at(0, 65, 20) == "cactus")
    assert force(stage, 0, 65, 20, 200, lambda: stage.at(0, 66, 20) == "cactus")
    assert not force(stage, 0, 66, 20, 200, lambda: stage.at(0, 67, 20) != "air")
    stage.put(8, 63, 20, "ice")
    assert not force(stage, 8, 63, 20, 20, lambda: stage.at(8, 63, 20) != "ice")
    stage.put(8, 64, 21, "torch")
    assert force(stage, 8, 63, 20, 2, lambda: stage.at(8, 63, 20) == "water")


def test_mining_a_log_starts_the_decay_of_its_leaves(stage):
    stage.put(0, 65, 2, "oak_log").fill((-1, 0, 1), [66], (1, 2, 3), "oak_leaves")
    stage.hold("diamond_axe").look_at(0.5, 65.5, 2.1).tick("attack", ticks=10)
    assert stage.at(0, 65, 2) == "air"
    stage.tick(ticks=2000)  # a leaf waits for 1365 ticks on average
    assert stage.count("oak_leaves", (-1, 0, 1), [66], (1, 2, 3)) < 6
