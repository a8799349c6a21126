"""The world against the numbers of its rules, through World.tick: mining, crafting, smelting, moving, harm, eating."""

import math

import numpy as np
import pytest
from stage import FLOOR, Stage

from jarvis.core.actions import BUTTON_INDEX
from jarvis.world.inventory import HOTBAR, MAIN
from jarvis.world.rules import RULES
from jarvis.world.screens import LAYOUTS
from jarvis.world.shapes import visual_boxes

TOOLS = ["air", *(name for name, facts in RULES.data["items"].items() if facts.get("tool") or name == "shears")]
MINED = [name for name in RULES.blocks if name not in ("air", "water", "lava")]
TARGET = (0, 65, 2)  # the cell that is mined, two steps ahead


@pytest.fixture(scope="module")
def plain():
    return Stage()


@pytest.fixture
def stage(plain):
    return plain.begin()


# mining


def seconds_to_mine(block, tool):
    """The formula of the rules, written out anew: seconds, infinity for what cannot be broken, 0 for at once."""
    facts, item = RULES.data["blocks"][block], RULES.data["items"].get(tool, {})
    kind, tiers = item.get("tool"), RULES.data["mining"]["tiers"]
    if facts["hardness"] <= 0:
        return math.inf if facts["hardness"] < 0 else 0.0
    speed = tiers[item["tier"]]["speed"] if kind is not None and kind == facts["tool"] else 1
    if tool == "shears":
        speed = 15 if block.endswith("_leaves") else 5 if block == "white_wool" else 1
    elif kind == "sword" and block.endswith("_leaves"):
        speed = 1.5
    return math.ceil(round(20 * facts["hardness"] * (1.5 if harvests(block, tool) else 5) / speed, 6)) / 20


def harvests(block, tool):
    facts, item = RULES.data["blocks"][block], RULES.data["items"].get(tool, {})
    tiers = RULES.data["mining"]["tiers"]
    if facts["harvest_tier"] is None:
        return True
    return item.get("tool") == facts["tool"] and tiers[item["tier"]]["level"] >= tiers[facts["harvest_tier"]]["level"]


def prepare(stage, block, tool):
    """The block ahead, the tool in hand, the look on the block, the arm at rest."""
    stage.put(*TARGET, block)
    stage.hold(tool if tool != "air" else None)
    stage.p["mine_cooldown"] = stage.p["mine_progress"] = stage.p["mining"] = 0
    x0, y0, z0, x1, y1, z1 = visual_boxes(block, 0)[0]
    stage.look_at(TARGET[0] + (x0 + x1) / 2, TARGET[1] + (y0 + y1) / 2, TARGET[2] + (z0 + z1) / 2)
    stage.world.previous[BUTTON_INDEX["attack"]] = 0
    stage.world.mining_tool = 0


def mined(events):
    return [event for event in events if event[0] == "mine_block"]


@pytest.mark.parametrize(
    ("block", "tool", "seconds"),
    [
        ("stone", "air", 7.5), ("stone", "wooden_pickaxe", 1.15), ("stone", "iron_pickaxe", 0.4),
        ("oak_log", "air", 3.0), ("oak_log", "stone_axe", 0.75), ("dirt", "air", 0.75), ("dirt", "diamond_shovel", 0.1),
        ("diamond_ore", "iron_pickaxe", 0.75), ("diamond_ore", "stone_pickaxe", 3.75), ("oak_leaves", "shears", 0.05),
        ("obsidian", "air", 250.0), ("obsidian", "diamond_pickaxe", 9.4), ("furnace", "air", 17.5),
        ("crafting_table", "air", 3.75), ("torch", "air", 0.0), ("bedrock", "diamond_pickaxe", math.inf),
    ],
)  # fmt: skip
def test_the_formula_gives_the_times_of_the_wiki(block, tool, seconds):
    assert seconds_to_mine(block, tool) == seconds


@pytest.mark.parametrize("block", MINED)
def test_every_tool_mines_every_block_in_the_ticks_of_the_formula(stage, block):
    done = set()
    for tool in TOOLS:
        seconds = seconds_to_mine(block, tool)
        ticks = 1 if seconds == 0 else seconds * 20
        item = RULES.item_id[tool]
        assert RULES.mining_ticks(RULES.block(block), item) == (-1 if math.isinf(ticks) else ticks)
        prepare(stage, block, tool)
        if math.isinf(ticks):
            assert mined(stage.tick("attack", ticks=20)) == [] and stage.p["mine_progress"] == 0
            continue
        ticks = round(ticks)
        # the same ticks with the same result for another tool need not be waited for in full, nor do minutes of boredom
        whole = (ticks, harvests(block, tool)) not in done and ticks <= 400
        done.add((ticks, harvests(block, tool)))
        left = ticks
        if not whole and ticks > 3:
            assert mined(stage.tick("attack")) == []
            step = float(stage.p["mine_progress"])
            assert ticks - 1 < 1 / step <= ticks + 1e-6
            stage.p["mine_progress"] = step * (ticks - 2)
            left = 2
        assert mined(stage.tick("attack", ticks=left - 1)) == [], tool
        assert mined(stage.tick("attack")) == [("mine_block", block, 1)], tool
        assert stage.at(*TARGET) == ("water" if block == "ice" and stage.at(0, 64, 2) != "air" else "air")
        stage.clear_drops()


def expected_drops(block, tool):
    """{item: (fewest, most)} of what may fall; only items listed here may."""
    if tool == "shears" and (block.endswith("_leaves") or block == "grass"):
        return {block: (1, 1)}
    if not harvests(block, tool):
        return {}
    fall = {}
    for entry in RULES.data["blocks"][block]["drops"]:
        if entry.get("when") == "age=7":
            continue
        count = entry["count"]
        low, high = count if isinstance(count, list) else (count, count)
        fall[entry["item"]] = (0 if "chance" in entry else low, high)
        if "else" in entry:
            fall[entry["else"]] = (0, 1)
    return fall


@pytest.mark.parametrize(
    "tool", ["air", "wooden_pickaxe", "stone_pickaxe", "iron_pickaxe", "diamond_pickaxe", "shears", "stone_shovel"]
)
def test_blocks_drop_what_the_rules_say(stage, tool):
    for block in MINED:
        if block == "bedrock":
            continue
        prepare(stage, block, tool)
        stage.p["mine_progress"] = 0.999999
        stage.p["mining"], stage.world.mining_tool = 1, RULES.item_id[tool]
        stage.p["mine_x"], stage.p["mine_y"], stage.p["mine_z"] = TARGET
        stage.p["x"] = 0.5
        assert mined(stage.tick("attack", ticks=2)), (block, tool)
        fallen = stage.drops
        allowed = expected_drops(block, tool)
        assert set(fallen) <= set(allowed), (block, tool)
        for item, (low, high) in allowed.items():
            assert low <= fallen.get(item, 0) <= high, (block, tool, item)
        stage.put(*TARGET, "air").clear_drops()


def test_chances_of_drops_are_those_of_the_rules():
    from jarvis.world.loot import block_loot

    def mean(block, item, draws=4000, meta=0):
        falls = [dict(block_loot(RULES.block(block), meta, 0, np.uint64(7), draw)) for draw in range(draws)]
        return sum(fall.get(RULES.item(item), 0) for fall in falls) / draws

    assert mean("gravel", "flint") == pytest.approx(0.1, abs=0.015)
    assert mean("gravel", "gravel") == pytest.approx(0.9, abs=0.015)
    assert mean("oak_leaves", "oak_sapling") == pytest.approx(0.05, abs=0.01)
    assert mean("oak_leaves", "apple") == pytest.approx(0.005, abs=0.003)
    assert mean("oak_leaves", "stick") == pytest.approx(0.02 * 1.5, abs=0.012)
    assert mean("grass", "wheat_seeds") == pytest.approx(0.125, abs=0.015)
    assert mean("redstone_ore", "redstone") == pytest.approx(4.5, abs=0.05)
    assert mean("lapis_ore", "lapis_lazuli") == pytest.approx(6.5, abs=0.15)
    assert mean("wheat", "wheat", meta=7) == 1 and mean("wheat", "wheat", meta=6) == 0


def test_ores_give_experience_only_to_who_can_harvest_them(stage):
    for tool, least, most in (("stone_pickaxe", 0, 0), ("iron_pickaxe", 3, 7)):
        stage.p["xp"] = 0
        prepare(stage, "diamond_ore", tool)
        stage.tick("attack", ticks=RULES.mining_ticks(RULES.block("diamond_ore"), RULES.item(tool)))
        assert stage.at(*TARGET) == "air" and least <= stage.p["xp"] <= most


def test_six_ticks_pass_between_two_blocks_but_none_after_what_breaks_at_once(stage):
    stage.put(0, 65, 3, "dirt")
    prepare(stage, "dirt", "stone_shovel")  # 4 ticks each
    broke = [k for k in range(20) if mined(stage.tick("attack"))]
    assert broke == [3, 3 + 6 + 4]
    for z in (2, 3):
        stage.put(0, 64, z, "stone")  # or the second torch falls when the first goes
        stage.put(0, 65, z, "torch")
    prepare(stage, "torch", "air")
    stage.look_at(0.5, 65.3, 2.5)
    assert [k for k in range(4) if mined(stage.tick("attack"))] == [0, 1]


def test_mining_in_the_air_takes_five_times_as_long(stage):
    stage.put(0, 101, 2, "dirt")
    ticks = 0
    while stage.at(0, 101, 2) == "dirt" and ticks < 200:
        stage.stand(y=100.0).look_at(0.5, 101.5, 2.5)
        stage.p["on_ground"] = 0
        stage.tick("attack")
        ticks += 1
    assert ticks == 5 * 15


def test_mining_with_the_head_under_water_takes_five_times_as_long(stage):
    stage.fill(range(-1, 2), range(64, 67), range(-1, 2), "glass").fill([0], (64, 65, 66), [0], "water")
    stage.fill([0], [67], [0], "glass")
    stage.tick(ticks=3)
    assert stage.p["head_in_water"] and stage.p["on_ground"]
    stage.put(0, 65, 1, "dirt").look_at(0.5, 65.5, 1.5)
    stage.p["air"] = 30000
    ticks = 0
    while stage.at(0, 65, 1) == "dirt" and ticks < 200:
        stage.tick("attack")
        ticks += 1
    assert ticks == 75


def test_letting_go_or_changing_the_tool_begins_again(stage):
    prepare(stage, "oak_log", "air")  # 60 ticks
    stage.tick("attack", ticks=59)
    stage.tick()
    assert mined(stage.tick("attack", ticks=59)) == []
    stage.hold("stick", slot=1).tick("attack", "hotbar.2")
    assert mined(stage.tick("attack", ticks=58)) == []
    assert mined(stage.tick("attack")) == [("mine_block", "oak_log", 1)]


# wear


@pytest.mark.parametrize("tool", [name for name in TOOLS if name != "air"])
def test_tools_wear_by_the_rules_and_break_at_their_end(stage, tool):
    durability = int(RULES.durability[RULES.item(tool)])
    tier = RULES.data["items"][tool].get("tier")
    assert durability == {"wooden": 59, "stone": 131, "iron": 250, "diamond": 1561, None: 238}[tier]
    cost = 2 if tool.endswith("sword") else 1
    stage.put(*TARGET, "dirt")
    prepare(stage, "dirt", tool)
    stage.p["mine_progress"] = 0
    ticks = RULES.mining_ticks(RULES.block("dirt"), RULES.item(tool))
    events = stage.tick("attack", ticks=ticks)
    assert stage.held() == (tool, 1, cost) and ("use_item", tool, 1) in events
    prepare(stage, "torch", tool)
    stage.tick("attack")
    assert stage.held()[2] == (1 if tool == "shears" else 0)  # what breaks at once costs nothing
    stage.hold(tool, damage=durability - 1)
    stage.put(*TARGET, "dirt")
    stage.look_at(0.5, 65.5, 2.5)
    stage.p["mine_cooldown"] = stage.p["mining"] = 0
    events = stage.tick("attack", ticks=ticks)
    assert stage.held() is None and ("break_item", tool, 1) in events and ("mine_block", "dirt", 1) in events


@pytest.mark.parametrize(
    ("tool", "cost"), [("stone_sword", 1), ("stone_pickaxe", 2), ("stone_axe", 2), ("stone_hoe", 1), ("stick", 0)]
)
def test_weapons_wear_when_they_hit(stage, tool, cost):
    cow = stage.mob("cow", 0.5, FLOOR, 2.5)
    stage.hold(tool).look_at(0.5, 65, 2.5)
    events = stage.tick("attack")
    assert stage.world.mobs["hp"][cow] < 10
    assert stage.held()[2] == cost and (("use_item", tool, 1) in events) == (cost > 0)


# crafting


def ingredients(recipe):
    """{grid cell: item id} of one way to make a recipe."""
    if not recipe.shaped:
        return dict(enumerate(min(cell) for cell in recipe.shape[0]))
    return {r * recipe.grid + c: min(cell) for r, row in enumerate(recipe.shape) for c, cell in enumerate(row) if cell}


def open_grid(stage, grid):
    """Open a crafting grid of a side: the inventory's by its key, the table's by use."""
    if grid == 2:
        stage.press("inventory")
        return "player"
    stage.put(0, 64, 2, "crafting_table").hold(None).use(0.5, 64.5, 2.5)
    return "crafting_table"


@pytest.mark.parametrize("index", range(len(RULES.recipes)))
def test_every_recipe_is_crafted_by_the_cursor(stage, index):
    recipe = RULES.recipes[index]
    cells = ingredients(recipe)
    where = {}
    for k, item in enumerate(sorted(set(cells.values()))):
        where[item] = MAIN + k
        stage.world.slots[MAIN + k] = (item, min(64, list(cells.values()).count(item)), 0)
        if RULES.stack_size[item] == 1:
            assert list(cells.values()).count(item) == 1
    kind = open_grid(stage, recipe.grid)
    assert stage.world.screen.kind == kind
    layout = LAYOUTS[kind]
    for item, slot in where.items():
        stage.click(layout.from_inventory(slot))
        for cell in (cell for cell, needed in cells.items() if needed == item):
            stage.click(1 + cell, "use")
    events = stage.click(0)
    assert [event for event in events if event[0] == "craft_item"] == [
        ("craft_item", RULES.items[recipe.result], recipe.count)
    ]
    stage.click(layout.from_inventory(HOTBAR))
    stage.press("inventory")
    assert not stage.world.screen.is_open
    assert stage.inventory == {RULES.items[recipe.result]: recipe.count}


# smelting


def smelts():
    return [(RULES.items[item], *made) for item, made in RULES.smelting.items()]


@pytest.mark.parametrize(("item", "result", "ticks", "xp"), smelts())
def test_everything_smelts_in_a_placed_furnace(stage, item, result, ticks, xp):
    stage.put(0, 64, 2, "furnace")
    stage.world.slots[MAIN], stage.world.slots[MAIN + 1] = (RULES.item(item), 2, 0), (RULES.item("coal"), 1, 0)
    events = stage.use(0.5, 64.5, 2.5)
    assert ("custom", "interact_with_furnace", 1) in events and stage.world.screen.kind == "furnace"
    layout = LAYOUTS["furnace"]
    stage.click(layout.from_inventory(MAIN), "attack", "sneak")  # into the input
    stage.click(layout.from_inventory(MAIN + 1))
    assert stage.at(0, 64, 2) == "furnace" and not stage.meta(0, 64, 2) & 4
    stage.click(1)  # the fuel
    furnace = stage.world.containers.furnace(0, 64, 2)[0]
    assert stage.meta(0, 64, 2) & 4 and 1590 <= furnace["burn_left"] <= 1600
    cooked = 0
    while not furnace["stacks"][2]["item"]:
        before = int(furnace["cook"])
        stage.tick()
        cooked += 1
        assert cooked <= ticks
    assert before + 1 == ticks == 200
    stage.tick(ticks=ticks)
    assert furnace["stacks"].tolist()[2] == (result, 2, 0) and not furnace["stacks"][0]["item"]
    events = stage.click(2, "attack", "sneak")
    assert ("craft_item", RULES.items[result], 2) in events
    assert math.floor(2 * xp) <= stage.p["xp"] <= math.ceil(2 * xp)
    assert stage.inventory == {RULES.items[result]: 2}


@pytest.mark.parametrize("fuel", [RULES.items[i] for i in np.flatnonzero(RULES.fuel_ticks)])
def test_every_fuel_burns_as_long_as_the_rules_say(stage, fuel):
    stage.put(0, 64, 2, "furnace")
    furnace = stage.world.containers.furnace(0, 64, 2)[0]
    furnace["stacks"][0] = (RULES.item("cobblestone"), 64, 0)
    furnace["stacks"][1] = (RULES.item(fuel), 1, 0)
    stage.tick()
    assert furnace["burn_left"] == RULES.data["fuel_ticks"][fuel] and stage.meta(0, 64, 2) & 4
    assert furnace["stacks"].tolist()[1] == ((RULES.item("bucket"), 1, 0) if fuel == "lava_bucket" else (0, 0, 0))
    furnace["burn_left"] = 1  # the waiting itself is the same for all
    stage.tick(ticks=2)
    assert furnace["burn_left"] == 0 and not stage.meta(0, 64, 2) & 4


# moving


def speed(stage, *keys):
    """Metres a second along z once the speed is steady."""
    stage.tick(*keys, ticks=40)
    z = float(stage.p["z"])
    stage.tick(*keys, ticks=40)
    return (float(stage.p["z"]) - z) / 2


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        (("forward",), "walk_speed_mps"),
        (("forward", "sprint"), "sprint_speed_mps"),
        (("forward", "sneak"), "sneak_speed_mps"),
    ],
)
def test_speeds_are_the_rules(stage, keys, rule):
    assert speed(stage, *keys) == pytest.approx(RULES.player[rule], rel=0.02)


def test_back_left_and_right_are_as_fast_as_forward(stage):
    for key, axis, sign in (("back", "z", -1), ("left", "x", 1), ("right", "x", -1)):
        stage.stand()
        stage.tick(key, ticks=20)
        start = float(stage.p[axis])
        stage.tick(key, ticks=20)
        assert sign * (float(stage.p[axis]) - start) == pytest.approx(4.317, rel=0.02)


def test_sprint_jumping_covers_7_1_metres_a_second(stage):
    assert speed(stage, "forward", "sprint", "jump") == pytest.approx(7.127, rel=0.02)


def test_jumps_rise_1_25_metres_in_twelve_ticks(stage):
    stage.tick()
    heights = []
    assert ("custom", "jump", 1) in stage.tick("jump")
    while not stage.p["on_ground"]:
        heights.append(float(stage.p["y"]) - FLOOR)
        stage.tick()
    assert max(heights) == pytest.approx(1.2522, rel=0.02) and len(heights) + 1 == 12


def test_one_block_can_be_jumped_on_and_two_cannot(stage):
    for height, reached in ((1, True), (2, False)):
        stage.fill(range(-1, 2), range(64, 64 + height), (2, 3, 4), "stone").stand()
        stage.tick("forward", "jump", ticks=25)
        assert (stage.p["y"] >= FLOOR + height) == reached


@pytest.mark.parametrize(("blocks", "damage"), [(3, 0), (4, 1), (10, 7), (15, 12), (22, 19)])
def test_falls_hurt_by_their_height(stage, blocks, damage):
    stage.stand(y=FLOOR + blocks)
    stage.p["vy"] = ticks = 0
    while ticks == 0 or not stage.p["on_ground"]:
        stage.tick()
        ticks += 1
    # seconds of a fall with gravity 0.08 and drag 0.98 a tick
    assert ticks == next(t for t in range(200) if 3.92 * t - 196 * (1 - 0.98**t) >= blocks)
    taken = 20 - float(stage.p["hp"])
    assert abs(taken - damage) <= 1  # the tick of landing adds nothing, as in the game
    assert (("custom", "damage_taken.fall") in {(e.name, e.item) for e in stage.events}) == (taken > 0)


def test_water_breaks_a_fall(stage):
    stage.fill(range(-1, 2), (62, 63), range(-1, 2), "water").stand(y=FLOOR + 25)
    stage.tick(ticks=60)
    assert stage.p["hp"] == 20 and stage.p["in_water"]


# suffering


def pool(stage, liquid):
    """Two cells of a liquid, closed all around, and the player in them."""
    stage.fill(range(-1, 2), range(64, 67), range(-1, 2), "glass").fill([0], (64, 65, 66), [0], liquid)
    stage.p["food"] = 17  # too little to heal meanwhile
    return stage.fill([0], [67], [0], "glass").stand()


def test_breath_lasts_15_seconds_and_then_two_points_a_second_go(stage):
    pool(stage, "water").tick()
    ticks = 0
    while stage.p["hp"] == 20:
        stage.tick()
        ticks += 1
    assert ticks == pytest.approx(300 + 20, abs=2) and stage.p["hp"] == 18
    stage.tick(ticks=100)
    assert stage.p["hp"] == 8
    for y in (64, 65, 66):
        stage.put(0, y, 0, "air")
    stage.tick(ticks=80)
    assert stage.p["air"] == 300


def test_lava_hurts_by_four_every_half_second_and_burns_on(stage):
    pool(stage, "lava").tick()
    assert stage.p["hp"] == 16 and stage.p["fire_ticks"] > 0
    stage.tick(ticks=10)
    assert stage.p["hp"] == 12
    for y in (64, 65, 66):
        stage.put(0, y, 0, "air")
    stage.p["hp"], stage.p["food"] = 20, 10
    stage.tick(ticks=400)
    assert stage.p["fire_ticks"] == 0 and 20 - stage.p["hp"] == pytest.approx(15, abs=1)  # a point a second for 15 s
    names = {event.item for event in stage.events}
    assert {"damage_taken.lava", "damage_taken.fire"} <= names


def test_water_puts_a_fire_out(stage):
    stage.p["fire_ticks"] = 200
    pool(stage, "water").tick(ticks=2)
    assert stage.p["fire_ticks"] == 0


def test_a_cactus_pricks_and_a_wall_suffocates(stage):
    stage.put(1, 63, 0, "sand").put(1, 64, 0, "cactus")
    stage.stand(x=0.74, yaw=-90.0).tick("forward", ticks=3)
    assert stage.p["hp"] < 20 and ("custom", "damage_taken.cactus") in {(e.name, e.item) for e in stage.events}
    stage.begin().p["food"] = 17
    stage.put(0, 65, 0, "stone").tick(ticks=11)
    assert stage.p["hp"] == 18


def test_exhaustion_takes_saturation_then_food_and_food_heals_or_starves(stage):
    p = stage.p
    p["food"], p["saturation"], p["exhaustion"] = 20, 1, 4.001
    stage.tick()
    assert (p["food"], p["saturation"]) == (20, 0)
    p["exhaustion"] = 4.001
    stage.tick()
    assert p["food"] == 19
    p["hp"], p["food_timer"] = 10, 0
    stage.tick(ticks=80)
    assert p["hp"] == 11  # 18 food and more heal a point every four seconds
    p["hp"], p["food"], p["saturation"], p["food_timer"], p["exhaustion"] = 10, 20, 6, 0, 0
    stage.tick(ticks=10)
    assert p["hp"] == 11  # a full stomach heals every half second
    p["hp"], p["food"], p["saturation"], p["food_timer"] = 10, 17, 0, 0
    stage.tick(ticks=100)
    assert p["hp"] == 10
    p["hp"], p["food"], p["food_timer"] = 2, 0, 0
    stage.tick(ticks=80)
    assert p["hp"] == 1
    stage.tick(ticks=160)
    assert p["hp"] == 1 and not p["dead"]  # hunger alone does not kill


def test_sprinting_costs_a_tenth_a_metre_and_jumping_a_twentieth(stage):
    stage.tick("forward", "sprint", ticks=20)
    stage.p["exhaustion"] = 0
    z = float(stage.p["z"])
    stage.tick("forward", "sprint", ticks=10)
    assert stage.p["exhaustion"] == pytest.approx(0.1 * (float(stage.p["z"]) - z), rel=0.02)
    stage.stand().tick(ticks=5)
    stage.p["exhaustion"] = 0
    stage.tick("jump")
    assert stage.p["exhaustion"] == pytest.approx(0.05)


def test_the_hungry_cannot_sprint(stage):
    stage.p["food"] = 6
    assert speed(stage, "forward", "sprint") == pytest.approx(4.317, rel=0.02)


# eating


@pytest.mark.parametrize("food", RULES.data["foods"])
def test_every_food_is_eaten_in_32_ticks(stage, food):
    facts = RULES.data["foods"][food]
    p = stage.p
    p["food"], p["saturation"], p["pitch"] = 5, 0, -60
    stage.hold(food, 2)
    assert stage.tick("use", ticks=31) == [] and p["food"] == 5
    assert stage.tick("use") == [("use_item", food, 1)]
    assert p["food"] == 5 + facts["food"]
    assert p["saturation"] == pytest.approx(min(facts["saturation"], 5 + facts["food"]))
    assert stage.held() == (food, 1, 0)
    if food == "rotten_flesh":
        assert p["hunger_effect"] in (0, 599)  # 30 s, less this tick


def test_letting_go_stops_a_meal_and_the_full_eat_only_golden_apples(stage):
    stage.p["food"], stage.p["pitch"] = 10, -60
    stage.hold("bread").tick("use", ticks=20)
    stage.tick()
    stage.tick("use", ticks=20)
    assert stage.held() == ("bread", 1, 0) and stage.p["food"] == 10
    stage.tick()
    stage.p["food"] = 20
    stage.tick("use", ticks=40)
    assert stage.held() == ("bread", 1, 0)
    stage.hold("golden_apple").tick("use", ticks=40)
    assert stage.held() is None


def test_food_never_passes_20(stage):
    stage.p["food"], stage.p["saturation"], stage.p["pitch"] = 19, 0, -60
    stage.hold("cooked_beef").tick("use", ticks=40)
    assert stage.p["food"] == 20 and stage.p["saturation"] == pytest.approx(12.8)


def test_eating_slows_to_a_fifth(stage):
    stage.p["food"] = 10
    stage.hold("bread", 64).stand(pitch=-60)
    stage.tick("forward", "use", ticks=10)
    z = float(stage.p["z"])
    stage.tick("forward", "use", ticks=10)
    assert float(stage.p["z"]) - z == pytest.approx(0.2 * 4.317 / 2, rel=0.05)
