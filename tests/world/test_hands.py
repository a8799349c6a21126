"""What the player's hands do: placing, tools that are used, buckets, animals, the bow, things that open."""

import numpy as np
import pytest
from stage import FLOOR, Stage

from jarvis.core.actions import BUTTON_INDEX
from jarvis.world.inventory import HOTBAR, MAIN, OFFHAND
from jarvis.world.missiles import ARROW
from jarvis.world.rules import RULES
from jarvis.world.shapes import SHAPES

SOUTH, WEST, NORTH, EAST = range(4)
PLACED = [RULES.items[i] for i in np.flatnonzero(RULES.places)]
SOIL = {"wheat_seeds": "farmland", "cactus": "sand"}  # what the others need not have


@pytest.fixture(scope="module")
def plain():
    return Stage()


@pytest.fixture
def stage(plain):
    return plain.begin()


def on_top(stage, item, x=0, z=3, *also):
    """Use an item on the top of the ground cell (x, 63, z); the events."""
    return stage.hold(item, 2).use(x + 0.5, 64.0, z + 0.5, *also)


# placing


@pytest.mark.parametrize("item", PLACED)
def test_every_block_is_placed_on_the_ground(stage, item):
    block = RULES.blocks[RULES.places[RULES.item(item)]]
    stage.put(0, 63, 3, SOIL.get(item, "grass_block"))
    if item == "ladder":
        stage.put(0, 64, 4, "stone")
    events = on_top(stage, item)
    assert stage.at(0, 64, 3) == block and stage.held() == (item, 1, 0)
    assert ("use_item", item, 1) in events
    if item not in ("sand", "gravel"):
        stage.tick(ticks=10)
        assert stage.at(0, 64, 3) == block  # it stays


@pytest.mark.parametrize("item", PLACED)
def test_every_placed_block_can_be_broken_again(stage, item):
    stage.put(0, 63, 3, SOIL.get(item, "grass_block"))
    if item == "ladder":
        stage.put(0, 64, 4, "stone")
    on_top(stage, item)
    block = stage.at(0, 64, 3)
    stage.hold("shears" if "leaves" in item else "diamond_pickaxe")
    if block == "bedrock":
        return
    shape = 16 * RULES.block(block) + stage.meta(0, 64, 3)
    x0, y0, z0, x1, y1, z1 = SHAPES.see_boxes[SHAPES.see_start[shape]].tolist()
    stage.look_at((x0 + x1) / 2, 64 + (y0 + y1) / 2, 3 + (z0 + z1) / 2)
    for _ in range(300):
        stage.tick("attack")
        if stage.at(0, 64, 3) != block:
            break
    stage.tick(ticks=5)
    assert stage.at(0, 64, 3) in ("air", "water") and ("mine_block", block) in {(e.name, e.item) for e in stage.events}
    assert stage.count(block, range(-2, 3), range(64, 67), range(1, 6)) == 0


def test_a_block_goes_to_the_side_that_is_pointed_at(stage):
    stage.put(0, 65, 3, "stone").hold("dirt", 9)
    for point, cell in (((0.5, 65.5, 3.0), (0, 65, 2)), ((0.5, 66.0, 3.3), (0, 66, 3)), ((1.0, 65.5, 3.1), (1, 65, 3))):
        stage.stand(x=1.8 if cell == (1, 65, 3) else 0.5, y=65.0 if cell == (0, 66, 3) else FLOOR)
        stage.use(*point)
        assert stage.at(*cell) == "dirt", cell
        stage.put(*cell, "air")


def test_logs_lie_along_the_axis_of_the_face(stage):
    stage.put(0, 65, 3, "stone")
    stage.hold("oak_log", 9).use(0.5, 65.5, 3.0)
    assert (stage.at(0, 65, 2), stage.meta(0, 65, 2)) == ("oak_log", 2)
    stage.put(0, 65, 2, "air").stand(x=3.5, z=3.5).use(1.0, 65.5, 3.5)
    assert (stage.at(1, 65, 3), stage.meta(1, 65, 3)) == ("oak_log", 1)
    stage.use(2.5, 64.0, 1.5)
    assert (stage.at(2, 64, 1), stage.meta(2, 64, 1)) == ("oak_log", 0)


@pytest.mark.parametrize("item", ["furnace", "chest"])
@pytest.mark.parametrize(("yaw", "front"), [(0, NORTH), (90, EAST), (180, SOUTH), (-90, WEST)])
def test_furnaces_and_chests_face_the_player(stage, item, yaw, front):
    dx, dz = {0: (0, 1), 90: (-1, 0), 180: (0, -1), -90: (1, 0)}[yaw]
    on_top(stage, item, 3 * dx, 3 * dz)
    assert (stage.at(3 * dx, 64, 3 * dz), stage.meta(3 * dx, 64, 3 * dz)) == (item, front)


@pytest.mark.parametrize(
    ("wall", "meta"), [((0, 1), SOUTH + 1), ((-1, 0), WEST + 1), ((0, -1), NORTH + 1), ((1, 0), EAST + 1)]
)
@pytest.mark.parametrize("item", ["torch", "ladder"])
def test_torches_and_ladders_hang_on_the_wall_that_is_used(stage, item, wall, meta):
    dx, dz = wall
    stage.put(2 * dx, 65, 2 * dz, "stone").hold(item, 2)
    stage.use(0.5 + 1.5 * dx, 65.5, 0.5 + 1.5 * dz)
    assert (stage.at(dx, 65, dz), stage.meta(dx, 65, dz)) == (item, meta)
    stage.tick(ticks=5)
    assert stage.at(dx, 65, dz) == item


def test_torches_stand_on_fences_but_not_on_glass_leaves_or_water(stage):
    for under, stands in (
        ("oak_fence", True),
        ("glass", False),
        ("oak_leaves", False),
        ("stone", True),
        ("chest", False),
    ):
        stage.put(0, 64, 3, under).stand(y=65.0).p["on_ground"] = 1
        stage.put(0, 64, 0, "stone")
        stage.hold("torch", 2).use(0.5, 65.0 if under != "chest" else 64.87, 3.5, "sneak")
        assert (stage.at(0, 65, 3) == "torch") == stands, under
        stage.put(0, 65, 3, "air")


def test_nothing_is_placed_where_its_soil_is_missing(stage):
    for item, soil in (
        ("oak_sapling", "stone"),
        ("poppy", "sand"),
        ("wheat_seeds", "dirt"),
        ("cactus", "dirt"),
        ("ladder", "dirt"),
        ("snow", "glass"),
    ):
        stage.put(0, 63, 3, soil)
        on_top(stage, item)
        assert stage.at(0, 64, 3) == "air" and stage.held() == (item, 2, 0), item
    stage.put(0, 63, 3, "sand").put(1, 64, 3, "stone")
    on_top(stage, "cactus")
    assert stage.at(0, 64, 3) == "air"  # cactus has no neighbours


@pytest.mark.parametrize(("x", "z", "facing"), [(0, 3, NORTH), (-3, 0, EAST), (0, -3, SOUTH), (3, 0, WEST)])
def test_a_door_has_two_halves_opens_and_breaks_as_one(stage, x, z, facing):
    on_top(stage, "oak_door", x, z)
    assert [(stage.at(x, y, z), stage.meta(x, y, z)) for y in (64, 65)] == [
        ("oak_door", facing),
        ("oak_door", facing | 8),
    ]
    stage.hold(None)
    edge = {NORTH: (0.5, 0.1), SOUTH: (0.5, 0.9), EAST: (0.9, 0.5), WEST: (0.1, 0.5)}[facing]
    stage.use(x + edge[0], 64.5, z + edge[1])
    assert stage.meta(x, 64, z) == facing | 4 and stage.meta(x, 65, z) == facing | 12
    stage.world.change(x, 65, z, 0, 0)
    stage.tick(ticks=3)
    assert stage.at(x, 64, z) == "air" and stage.drops == {"oak_door": 1}


def test_doors_stop_bodies_when_closed_and_let_them_through_when_open(stage):
    stage.fill(range(-3, 4), (64, 65), [3], "stone").put(0, 64, 3, "oak_door", NORTH).put(
        0, 65, 3, "oak_door", NORTH | 8
    )
    stage.tick("forward", ticks=30)
    assert stage.p["z"] < 3
    stage.put(0, 64, 3, "oak_door", NORTH | 4).put(0, 65, 3, "oak_door", NORTH | 12).tick("forward", ticks=30)
    assert stage.p["z"] > 4


def test_a_door_needs_two_free_cells_and_a_floor(stage):
    stage.put(0, 65, 3, "stone")
    on_top(stage, "oak_door")
    assert stage.at(0, 64, 3) == "air" and stage.held() == ("oak_door", 2, 0)
    stage.put(0, 65, 3, "air").put(0, 63, 3, "glass")
    on_top(stage, "oak_door")
    assert stage.at(0, 64, 3) == "air"


@pytest.mark.parametrize(("x", "z", "facing"), [(0, 3, SOUTH), (-3, 0, WEST), (0, -3, NORTH), (3, 0, EAST)])
def test_a_bed_lies_away_from_the_player_and_breaks_as_one(stage, x, z, facing):
    hx, hz = x + (x > 0) - (x < 0), z + (z > 0) - (z < 0)
    on_top(stage, "white_bed", x, z)
    assert (stage.at(x, 64, z), stage.meta(x, 64, z)) == ("white_bed", facing)
    assert (stage.at(hx, 64, hz), stage.meta(hx, 64, hz)) == ("white_bed", facing | 4)
    stage.hold("diamond_pickaxe").look_at(x + 0.5, 64.3, z + 0.5).tick("attack", ticks=8)
    stage.tick(ticks=4)
    assert stage.at(x, 64, z) == stage.at(hx, 64, hz) == "air" and stage.drops == {"white_bed": 1}


def test_a_bed_needs_room_for_its_head(stage):
    stage.put(0, 64, 4, "stone")
    on_top(stage, "white_bed")
    assert stage.at(0, 64, 3) == "air" and stage.held() == ("white_bed", 2, 0)


def test_slabs_are_low_high_or_both(stage):
    stage.put(0, 65, 3, "stone").hold("oak_slab", 9)
    stage.use(0.5, 65.2, 3.0)
    assert (stage.at(0, 65, 2), stage.meta(0, 65, 2)) == ("oak_slab", 0)
    stage.put(0, 65, 2, "air").use(0.5, 65.8, 3.0)
    assert (stage.at(0, 65, 2), stage.meta(0, 65, 2)) == ("oak_slab", 1)
    on_top(stage, "oak_slab", 0, 2)
    assert stage.meta(0, 64, 2) == 0
    stage.use(0.5, 64.5, 2.5)
    assert (stage.at(0, 64, 2), stage.meta(0, 64, 2)) == ("oak_slab", 2) and stage.held() is None
    stage.hold("wooden_axe").look_at(0.5, 64.5, 2.2).tick("attack", ticks=30)
    assert stage.drops == {"oak_slab": 2}


def test_stairs_rise_away_from_the_player_and_hang_upside_down_from_above(stage):
    on_top(stage, "cobblestone_stairs")
    assert (stage.at(0, 64, 3), stage.meta(0, 64, 3)) == ("cobblestone_stairs", SOUTH)
    stage.fill(range(-1, 2), [64], (4, 5, 6, 7, 8), "stone").tick("forward", ticks=25)
    assert stage.p["y"] == FLOOR + 1 and stage.p["z"] > 4  # walked up without a jump
    stage.begin().put(0, 66, 3, "stone").hold("oak_stairs", 3)
    stage.use(0.5, 66.7, 3.0)
    assert (stage.at(0, 66, 2), stage.meta(0, 66, 2)) == ("oak_stairs", SOUTH | 4)


def test_fences_and_panes_join_their_neighbours_and_let_go(stage):
    for item in ("oak_fence", "glass_pane"):
        stage.begin()
        for x in (-1, 0, 1):
            on_top(stage, item, x, 3)
        assert [stage.meta(x, 64, 3) for x in (-1, 0, 1)] == [2, 3, 1]  # bit 0 -x, bit 1 +x
        stage.put(0, 64, 4, "stone").wake(0, 64, 4).tick(ticks=3)
        assert stage.meta(0, 64, 3) == 3 | 8
        stage.world.change(1, 64, 3, 0, 0)
        stage.tick(ticks=3)
        assert stage.meta(0, 64, 3) == 1 | 8


def test_a_fence_cannot_be_jumped_and_its_gate_opens(stage):
    stage.fill(range(-2, 3), [64], [2], "oak_fence").tick("forward", "jump", ticks=40)
    assert stage.p["z"] < 2.1  # the posts are a quarter of a metre thick
    stage.stand().put(0, 64, 2, "air")
    on_top(stage, "oak_fence_gate", 0, 2)
    assert (stage.at(0, 64, 2), stage.meta(0, 64, 2)) == ("oak_fence_gate", SOUTH)
    stage.hold(None).tick("forward", ticks=20)
    assert stage.p["z"] < 2.2
    stage.stand().use(0.5, 64.6, 2.5)
    assert stage.meta(0, 64, 2) == SOUTH | 4
    stage.tick("forward", ticks=20)
    assert stage.p["z"] > 3


def test_ladders_are_climbed(stage):
    stage.fill([0], range(64, 70), [3], "stone").fill([0], range(64, 70), [2], "ladder", SOUTH + 1)
    stage.tick("forward", ticks=70)
    assert stage.p["y"] == 70 and stage.p["z"] > 2.7
    stage.stand(y=67.0, z=2.5).tick("sneak", ticks=20)
    assert stage.p["y"] == 67  # holding on
    stage.tick(ticks=40)
    assert stage.p["y"] == FLOOR and stage.p["hp"] == 20


# where nothing is placed


def test_nothing_is_placed_into_a_body(stage):
    stage.hold("stone", 3).p["pitch"] = 90
    stage.press("use")
    assert stage.held() == ("stone", 3, 0)
    stage.put(0, 64, 3, "glass").mob("pig", 0.5, FLOOR, 2.5)
    stage.stand(z=-0.5).use(0.5, 64.95, 3.0)  # over its back
    assert stage.at(0, 64, 2) == "air" and stage.held() == ("stone", 3, 0)
    stage.world.mobs["kind"] = 0
    stage.use(0.5, 64.95, 3.0)
    assert stage.at(0, 64, 2) == "stone"
    stage.hold("torch", 3).stand(pitch=90.0).press("use")
    assert stage.at(0, 64, 0) == "torch"  # nobody collides with a torch


def test_jumping_and_placing_below_builds_a_pillar(stage):
    stage.hold("dirt", 64).p["pitch"] = 90
    for _ in range(60):
        stage.tick("jump", "use")
    assert stage.p["y"] >= FLOOR + 3
    assert all(stage.at(0, y, 0) == "dirt" for y in range(64, int(stage.p["y"])))


def test_a_block_behind_a_mob_is_not_used(stage):
    stage.put(0, 64, 3, "crafting_table").hold(None).mob("pig", 0.5, FLOOR, 2.4)
    stage.use(0.5, 64.5, 2.5)
    assert not stage.world.screen.is_open
    stage.hold("stone").use(0.5, 64.5, 2.5)
    assert stage.held() == ("stone", 1, 0)


def test_holding_use_places_every_fourth_tick(stage):
    stage.hold("stone", 64).look_at(0.5, 64.0, 4.2)
    placed = [sum(event[0] == "use_item" for event in stage.tick("use")) for _ in range(9)]
    assert placed[0] == 1 and placed[1:4] == [0, 0, 0] and placed[4] == 1


def test_nothing_is_placed_beyond_reach_or_above_the_world(stage):
    stage.hold("stone", 3).use(0.5, 64.0, 6.5)
    assert stage.held() == ("stone", 3, 0)
    stage.put(0, 127, 2, "stone").put(0, 126, 0, "stone").stand(y=127.0).use(0.5, 128.0, 2.5)
    assert stage.held() == ("stone", 3, 0)


def test_grass_snow_and_liquids_give_way_to_what_is_placed(stage):
    for cover in ("grass", "snow", "water", "lava"):
        stage.begin().put(0, 64, 3, cover)
        stage.hold("stone").use(0.5, 64.0 if cover in ("water", "lava") else 64.05, 3.5)
        assert stage.at(0, 64, 3) == "stone", cover


# opening


@pytest.mark.parametrize(
    ("block", "statistic"),
    [
        ("crafting_table", "interact_with_crafting_table"),
        ("furnace", "interact_with_furnace"),
        ("chest", "open_chest"),
    ],
)
def test_use_opens_and_sneaking_places_instead(stage, block, statistic):
    stage.put(0, 64, 2, block).hold("dirt", 3)
    assert ("custom", statistic, 1) in stage.use(0.5, 64.8, 2.1) and stage.world.screen.kind == block
    assert stage.held() == ("dirt", 3, 0)
    stage.press("inventory")
    stage.use(0.5, 64.5, 2.0, "sneak")
    assert not stage.world.screen.is_open and stage.at(0, 64, 1) == "dirt"
    stage.put(0, 64, 1, "air").hold(None).use(0.5, 64.5, 2.1, "sneak")
    assert stage.world.screen.kind == block  # the empty hand has nothing to place


def test_a_chest_keeps_what_is_put_into_it_and_opens_only_with_air_above(stage):
    stage.put(0, 64, 2, "chest").hold(None)
    stage.world.slots[MAIN] = (RULES.item("diamond"), 5, 0)
    stage.use(0.5, 64.5, 2.5)
    stage.click(27, "attack", "sneak")  # the first main slot
    stage.press("ESC")
    assert stage.inventory == {} and stage.world.containers.chest(0, 64, 2)[0].tolist() == (RULES.item("diamond"), 5, 0)
    stage.put(0, 65, 2, "stone").use(0.5, 64.5, 2.1)
    assert not stage.world.screen.is_open
    stage.put(0, 65, 2, "glass").use(0.5, 64.5, 2.1)
    assert stage.world.screen.is_open


# tools that are used


@pytest.mark.parametrize("soil", ["dirt", "grass_block"])
def test_a_hoe_makes_farmland_for_seeds_that_ripen_into_wheat(stage, soil):
    stage.put(0, 63, 3, soil).hold("stone_hoe")
    assert ("use_item", "stone_hoe", 1) in stage.use(0.5, 64.0, 3.5)
    assert stage.at(0, 63, 3) == "farmland" and stage.held() == ("stone_hoe", 1, 1)
    stage.hold("wheat_seeds", 2).use(0.5, 63.93, 3.5)
    assert (stage.at(0, 64, 3), stage.meta(0, 64, 3)) == ("wheat", 0) and stage.held() == ("wheat_seeds", 1, 0)
    stage.hold(None).look_at(0.5, 64.05, 3.5).tick("attack")
    assert stage.drops == {"wheat_seeds": 1}
    stage.clear_drops()
    stage.put(0, 64, 3, "wheat", 7).tick()
    stage.look_at(0.5, 64.4, 3.5).tick("attack")
    assert stage.drops["wheat"] == 1 and 1 <= stage.drops["wheat_seeds"] <= 4


def test_a_hoe_does_nothing_under_a_block_or_to_stone(stage):
    stage.put(0, 64, 3, "torch").hold("stone_hoe").use(0.9, 64.0, 3.1)
    assert stage.at(0, 63, 3) == "grass_block"
    stage.put(0, 64, 3, "air").put(0, 63, 3, "stone").use(0.5, 64.0, 3.5)
    assert stage.at(0, 63, 3) == "stone" and stage.held() == ("stone_hoe", 1, 0)


def test_who_jumps_on_farmland_tramples_it(stage):
    stage.put(0, 63, 0, "farmland").stand(y=63.9375).tick(ticks=2)
    assert stage.at(0, 63, 0) == "farmland"
    stage.tick("jump")
    stage.tick(ticks=15)
    assert stage.at(0, 63, 0) == "dirt"


def test_shears_take_wool_once_and_leaves_whole(stage):
    sheep = stage.mob("sheep", 0.5, FLOOR, 2.5)
    stage.hold("shears").look_at(0.5, 64.8, 2.5)
    assert ("use_item", "shears", 1) in stage.tick("use")
    assert set(stage.drops) == {"white_wool"} and 1 <= stage.drops["white_wool"] <= 3 and stage.held()[2] == 1
    stage.tick(ticks=6)
    wool = dict(stage.drops)
    m = stage.world.mobs[sheep]
    stage.look_at(float(m["x"]), float(m["y"]) + 0.8, float(m["z"])).tick("use")
    assert stage.drops == wool and stage.held()[2] == 1


def test_cows_are_milked_and_milk_is_drunk(stage):
    stage.mob("cow", 0.5, FLOOR, 2.5)
    stage.hold("bucket", 2).look_at(0.5, 65, 2.5).press("use")
    assert stage.inventory == {"bucket": 1, "milk_bucket": 1}
    stage.world.mobs["kind"] = 0
    stage.world.slots[HOTBAR : HOTBAR + 2] = 0, 0, 0
    stage.hold("milk_bucket").stand(pitch=-60.0)
    stage.p["hunger_effect"] = 500
    stage.tick("use", ticks=32)
    assert stage.held() == ("bucket", 1, 0) and stage.p["hunger_effect"] == 0


def test_buckets_scoop_up_sources_and_pour_them_out(stage):
    for liquid in ("water", "lava"):
        stage.begin().put(0, 63, 3, liquid).hold("bucket", 2)
        assert ("use_item", "bucket", 1) in stage.use(0.5, 64.0, 3.5)
        assert stage.at(0, 63, 3) == "air" and stage.inventory == {"bucket": 1, f"{liquid}_bucket": 1}
        stage.stand(z=2.5).hold(f"{liquid}_bucket").use(0.5, 63.0, 3.5)
        assert (stage.at(0, 63, 3), stage.meta(0, 63, 3)) == (liquid, 0) and stage.held() == ("bucket", 1, 0)
        stage.put(0, 63, 3, liquid, 3).use(0.5, 63.5, 3.5)
        assert stage.held() == ("bucket", 1, 0)  # only sources fill it


def test_eggs_and_snowballs_are_thrown(stage):
    for item in ("egg", "snowball"):
        stage.hold(item, 3).p["pitch"] = -20
        assert ("use_item", item, 1) in stage.press("use")
        assert stage.held() == (item, 2, 0) and np.count_nonzero(stage.world.missiles["kind"]) == 1
        stage.tick(ticks=100)
        assert not stage.world.missiles["kind"].any()


def test_a_bow_shoots_as_far_as_it_was_drawn(stage):
    stage.hold("bow").hold("arrow", 3, slot=1).p["pitch"] = -30
    speeds = []
    for drawn in (2, 10, 20, 60):
        stage.tick("use", ticks=drawn)
        events = stage.tick()
        arrows = stage.world.missiles[stage.world.missiles["kind"] == ARROW]
        if drawn == 2:
            assert len(arrows) == 0 and stage.inventory["arrow"] == 3
            continue
        assert ("use_item", "bow", 1) in events
        arrow = arrows[-1]
        speeds.append(float(np.sqrt(arrow["vx"] ** 2 + arrow["vy"] ** 2 + arrow["vz"] ** 2)))
        stage.world.missiles["kind"] = 0
        stage.tick(ticks=5)
    assert 0.7 < speeds[0] < 2 and speeds[1:] == pytest.approx([2.97, 2.97], abs=0.06)
    assert "arrow" not in stage.inventory and stage.held() == ("bow", 1, 3)
    stage.tick("use", ticks=25)
    stage.tick()
    assert not stage.world.missiles["kind"].any()  # nothing to shoot with


def test_an_arrow_kills_and_its_shooter_gets_the_credit(stage):
    pig = stage.mob("pig", 0.5, FLOOR, 8.5)
    stage.world.mobs["hp"][pig] = 1
    stage.hold("bow").hold("arrow", slot=1).look_at(0.5, 64.7, 8.5)
    stage.tick("use", ticks=20)
    stage.tick(ticks=10)
    names = {(event.name, event.item) for event in stage.events}
    assert ("kill_entity", "pig") in names and stage.drops.get("porkchop", 0) >= 1


def test_armour_is_put_on_by_use(stage):
    for slot, item in enumerate(("iron_helmet", "diamond_chestplate", "leather_leggings", "iron_boots"), start=5):
        stage.hold(item, damage=3).stand(pitch=-60.0).press("use")
        assert stage.world.slots[slot].tolist() == (RULES.item(item), 1, 3) and stage.held() is None
    stage.hold("diamond_helmet").press("use")
    assert stage.held() == ("diamond_helmet", 1, 0)  # there is one on already


def test_the_off_hand_places_what_the_main_hand_cannot(stage):
    stage.world.slots[OFFHAND] = (RULES.item("torch"), 4, 0)
    stage.hold("stone_pickaxe").use(0.5, 64.0, 2.5)
    assert stage.at(0, 64, 2) == "torch" and stage.world.slots[OFFHAND]["count"] == 3


# blows


def test_a_blow_does_the_weapons_damage_once_it_has_recharged(stage):
    for tool, damage in ((None, 1), ("stone_sword", 5), ("diamond_sword", 7), ("iron_axe", 9)):
        stage.begin()
        cow = stage.mob("cow", 0.5, FLOOR, 2.5)
        stage.hold(tool).look_at(0.5, 65, 2.5).tick("attack")
        assert 10 - stage.world.mobs["hp"][cow] == pytest.approx(damage), tool
        assert RULES.data["items"].get(tool, {}).get("attack_damage", 1) == damage


def test_nobody_is_hit_through_a_wall_or_beyond_three_metres(stage):
    cow = stage.mob("cow", 0.5, FLOOR, 4.6)
    stage.look_at(0.5, 65, 4.5).press("attack")
    assert stage.world.mobs["hp"][cow] == 10
    cow = stage.mob("pig", 0.5, FLOOR, 2.5)
    stage.fill([0], (64, 65), [1], "glass").look_at(0.5, 64.5, 2.5).press("attack")
    assert stage.world.mobs["hp"][cow] == 10


def test_holding_attack_hits_once(stage):
    cow = stage.mob("cow", 0.5, FLOOR, 2.0)
    stage.look_at(0.5, 65, 2.5)
    stage.tick("attack", ticks=15)
    assert stage.world.mobs["hp"][cow] == 9
    assert stage.world.previous[BUTTON_INDEX["attack"]] == 1


def test_what_a_bucket_is_poured_over_is_left_lying(stage):
    stage.put(0, 64, 3, "poppy").put(0, 64, 4, "stone").hold("water_bucket").stand(y=65.0)
    stage.put(0, 64, 0, "stone").use(0.5, 64.9, 4.0)
    assert stage.at(0, 64, 3) == "water" and stage.drops == {"poppy": 1}
