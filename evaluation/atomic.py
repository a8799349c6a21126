"""The atomic tasks: one skill each, 124 of them in eight families, each from three starts.

    atomic("mine_coal_ore", "easy").start    # StartState(slots={0: ("wooden_pickaxe", 1)}, nearby={"coal_ore": 8}, ...)

easy    what is needed is at hand: the tool in hand, the block or animal a few steps away, the table beside the player
normal  it must be picked out: the tool is elsewhere in the hotbar among other things, the table must be put down first
hard    it must be got ready: everything is in the bag among other things, or must be made from what comes before it

Two rules hold for every task. It is possible: the start holds, or the place has, all that is needed. And it cannot
be had by luck: where one press of a key could be enough, the right thing is one of many in the hotbar and using
another one fails, or several are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jarvis.core.goals import Count, Goal, Have, Predicate, Without
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task

__all__ = ["DIFFICULTIES", "FAMILIES", "atomic", "catalogue", "family_of", "thing"]

DIFFICULTIES = ("easy", "normal", "hard")
FAMILIES = ("mine", "craft", "smelt", "kill", "pickup", "use", "place", "eat")
NIGHT = 14000  # ticks of the day; monsters would burn before
HOTBAR = 9
# What fills the other slots. None of it is a tool, a fuel, or an ingredient or subject of any task.
JUNK = (
    "dirt", "gravel", "mossy_cobblestone", "sandstone", "oak_leaves", "grass_block", "birch_leaves", "cobblestone_slab",
    "spruce_leaves",
)  # fmt: skip
BAD_FOOD = "rotten_flesh"

_MASS = (  # words without a plural
    "andesite", "beef", "bread", "bricks", "cactus", "clay", "coal", "cobblestone", "diorite", "dirt", "flesh", "glass",
    "granite", "grass", "gravel", "gunpowder", "ice", "lazuli", "leather", "mutton", "obsidian", "ore", "redstone",
    "sand", "sandstone", "seeds", "sheep", "stone", "string", "wheat", "wool",
)  # fmt: skip


def thing(name: str, count: int = 1) -> str:
    """How people say it: thing("iron_ore", 3) is "3 iron ore", thing("oak_log", 4) is "4 oak logs"."""
    words = name.replace("_", " ")
    if count == 1:
        return words
    if words.split()[-1] in _MASS or words.endswith("s"):
        return f"{count} {words}"
    return f"{count} {words[:-1] + 'ies' if words.endswith('y') else words + 's'}"


def _a(name: str) -> str:
    words = name.replace("_", " ")
    if (words.split()[-1] in _MASS and words != "cow") or words.endswith("s"):
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


_WORDINGS: dict[str, tuple[str, ...]] = {
    "mine": ("mine {them}", "break {them}", "find and dig out {them}", "get your tool out and break {them}"),
    "craft": ("craft {one}", "make {one}", "use what you carry to craft {one}", "put together {one}"),
    "smelt": (
        "smelt {one}", "use a furnace to get {one}", "make {one} in a furnace", "heat what you have until it is {one}",
    ),
    "kill": ("kill {them}", "hunt down {them}", "fight {them} and win", "slay {them}"),
    "pickup": ("collect {them}", "get hold of {them}", "pick up {them}", "gather {them}"),
    "place": (
        "place {one}", "put {one} down", "set {one} on the ground and nothing else",
        "find {one} in your things and place it",
    ),
    "eat": (
        "eat {one}", "have {one} for dinner", "fill your stomach with {one}", "find {one} in your things and eat it",
    ),
}  # fmt: skip


class Kit(NamedTuple):
    """What a task needs at hand, in the order of its importance, and around the player."""

    items: tuple[tuple[str, int], ...] = ()
    nearby: Mapping[str, int] = {}
    mobs: Mapping[str, int] = {}
    time: int | None = None
    biome: str | None = None
    food: int | None = None


def _spot(name: str) -> int:
    """A hotbar slot from 2 to 8 that differs from task to task, the same on every machine."""
    return 2 + sum(name.encode()) % 7


def _bag(items: tuple[tuple[str, int], ...], first: int = 13) -> dict[int, tuple[str, int]]:
    """The items spread over the bag, never in a row."""
    return {
        first + 2 * number if number < 11 else first + 1 + 2 * (number - 11): item for number, item in enumerate(items)
    }


def _at_hand(name: str, kit: Kit, difficulty: str, radius: tuple[int, int, int]) -> StartState:
    """A start for tasks in which a tool is held: in hand, elsewhere in the hotbar, in the bag."""
    level = DIFFICULTIES.index(difficulty)
    slots: dict[int, tuple[str, int]] = {}
    if level == 0:
        slots = dict(enumerate(kit.items))
    elif level == 1:
        spot = _spot(name)
        slots = {(spot + number) % HOTBAR: item for number, item in enumerate(kit.items)}
        slots |= {slot: (JUNK[slot], 1) for slot in range(0, HOTBAR, 2) if slot not in slots}
    elif kit.items:
        slots = _bag(kit.items) | {slot: (JUNK[slot], 2) for slot in range(HOTBAR)}
    return StartState(
        slots=slots, nearby=kit.nearby, mobs=kit.mobs, nearby_radius=radius[level], time=kit.time, biome=kit.biome,
        food=kit.food, weather="clear",
    )  # fmt: skip


def _one_of_many(name: str, kit: Kit, difficulty: str) -> StartState:
    """A start for tasks that one press could solve: among junk in the hotbar, in the bag, there under a full hotbar."""
    level = DIFFICULTIES.index(difficulty)
    spot = _spot(name)
    if level == 0:
        slots = {slot: (JUNK[slot], 1) for slot in range(HOTBAR)}
        slots |= {(spot + number) % HOTBAR: item for number, item in enumerate(kit.items)}
    else:
        slots = _bag(kit.items)
        if level == 2:
            slots |= {slot: (JUNK[slot], 2) for slot in range(HOTBAR)} | {10: (BAD_FOOD, 2)}
    return StartState(
        slots=slots, nearby=kit.nearby, mobs=kit.mobs, nearby_radius=(4, 5, 8)[level], time=kit.time, biome=kit.biome,
        food=kit.food, weather="clear",
    )  # fmt: skip


# -- mine: block, how many, with what --------------------------------------------------------------------------------

_MINE: dict[str, tuple[int, str]] = {
    "oak_log": (4, "stone_axe"), "birch_log": (4, "stone_axe"), "spruce_log": (4, "stone_axe"),
    "cobblestone": (4, "wooden_pickaxe"), "granite": (3, "stone_pickaxe"), "diorite": (3, "stone_pickaxe"),
    "andesite": (3, "stone_pickaxe"), "stone_bricks": (3, "stone_pickaxe"), "bricks": (3, "stone_pickaxe"),
    "clay": (4, "stone_shovel"), "snow_block": (4, "stone_shovel"), "coal_ore": (3, "wooden_pickaxe"),
    "iron_ore": (3, "stone_pickaxe"), "gold_ore": (2, "iron_pickaxe"), "redstone_ore": (3, "iron_pickaxe"),
    "lapis_ore": (3, "stone_pickaxe"), "diamond_ore": (2, "iron_pickaxe"), "obsidian": (1, "diamond_pickaxe"),
    "white_wool": (4, "shears"), "cactus": (3, "wooden_sword"), "dandelion": (3, "wooden_hoe"),
    "poppy": (3, "wooden_hoe"),
}  # fmt: skip


def _mine(block: str, difficulty: str) -> Task:
    count, tool = _MINE[block]
    there = (2 * count + 2, 2 * count, count + 1)[DIFFICULTIES.index(difficulty)]
    biome = "desert" if block == "cactus" else None
    kit = Kit(((tool, 1),), nearby={block: there}, biome=biome)
    start = _at_hand(f"mine_{block}", kit, difficulty, (4, 6, 10))
    return _task("mine", block, difficulty, Count("mine_block", block, count), start, count, (600, 900, 1500))


# -- craft: from what, whether a table is needed ---------------------------------------------------------------------

_CRAFT: dict[str, tuple[dict[str, int], bool]] = {
    "oak_planks": ({"oak_log": 1}, False), "birch_planks": ({"birch_log": 1}, False),
    "stick": ({"oak_planks": 2}, False), "crafting_table": ({"oak_planks": 4}, False),
    "torch": ({"coal": 1, "stick": 1}, False), "flint_and_steel": ({"flint": 1, "iron_ingot": 1}, False),
    "shears": ({"iron_ingot": 2}, False), "stone_bricks": ({"stone": 4}, False), "snow_block": ({"snowball": 4}, False),
    "furnace": ({"cobblestone": 8}, True), "chest": ({"oak_planks": 8}, True), "ladder": ({"stick": 7}, True),
    "oak_door": ({"oak_planks": 6}, True), "oak_fence": ({"oak_planks": 4, "stick": 2}, True),
    "oak_slab": ({"oak_planks": 3}, True), "oak_stairs": ({"oak_planks": 6}, True),
    "cobblestone_stairs": ({"cobblestone": 6}, True), "glass_pane": ({"glass": 6}, True),
    "white_bed": ({"white_wool": 3, "oak_planks": 3}, True), "bread": ({"wheat": 3}, True),
    "golden_apple": ({"gold_ingot": 8, "apple": 1}, True), "bucket": ({"iron_ingot": 3}, True),
    "bow": ({"stick": 3, "string": 3}, True), "arrow": ({"flint": 1, "stick": 1, "feather": 1}, True),
    "shield": ({"iron_ingot": 1, "oak_planks": 6}, True), "wooden_pickaxe": ({"oak_planks": 3, "stick": 2}, True),
    "wooden_sword": ({"oak_planks": 2, "stick": 1}, True), "stone_pickaxe": ({"cobblestone": 3, "stick": 2}, True),
    "stone_axe": ({"cobblestone": 3, "stick": 2}, True), "stone_sword": ({"cobblestone": 2, "stick": 1}, True),
    "iron_pickaxe": ({"iron_ingot": 3, "stick": 2}, True), "iron_sword": ({"iron_ingot": 2, "stick": 1}, True),
    "iron_helmet": ({"iron_ingot": 5}, True), "leather_boots": ({"leather": 4}, True),
    "diamond_pickaxe": ({"diamond": 3, "stick": 2}, True), "diamond_sword": ({"diamond": 2, "stick": 1}, True),
    "iron_block": ({"iron_ingot": 9}, True),
}  # fmt: skip


def _step_before(needed: Mapping[str, int], table: bool) -> dict[str, int]:
    """The same a step earlier: planks and sticks as logs, and logs for a table."""
    kept = {item: count for item, count in needed.items() if item not in ("oak_planks", "stick")}
    planks = needed.get("oak_planks", 0) + 2 * math.ceil(needed.get("stick", 0) / 4) + (4 if table else 0)
    if planks:
        kept["oak_log"] = kept.get("oak_log", 0) + math.ceil(planks / 4)
    return kept


def _craft(item: str, difficulty: str) -> Task:
    needed, table = _CRAFT[item]
    if difficulty == "easy":
        nearby = {"crafting_table": 1} if table else {}
        start = StartState(inventory=needed, nearby=nearby, nearby_radius=3, weather="clear")
    elif difficulty == "normal":
        carried = dict(needed) | ({"crafting_table": 1} if table else {})
        start = StartState(slots=_mixed(tuple(carried.items())), weather="clear")
    else:
        start = StartState(slots=_mixed(tuple(_step_before(needed, table).items()), junk=9), weather="clear")
    return _task("craft", item, difficulty, Count("craft_item", item, 1), start, 1, (600, 900, 1500))


def _mixed(items: tuple[tuple[str, int], ...], junk: int = 4) -> dict[int, tuple[str, int]]:
    """The items in the bag, junk in the hotbar."""
    return _bag(items) | {slot: (JUNK[slot], 1) for slot in range(HOTBAR - junk, HOTBAR)}


# -- smelt: from what ------------------------------------------------------------------------------------------------

_SMELT = {
    "iron_ingot": "iron_ore", "gold_ingot": "gold_ore", "charcoal": "spruce_log", "stone": "cobblestone",
    "glass": "sand", "brick": "clay_ball", "cooked_beef": "beef", "cooked_porkchop": "porkchop",
    "cooked_chicken": "chicken", "cooked_mutton": "mutton", "baked_potato": "potato",
}  # fmt: skip


def _smelt(item: str, difficulty: str) -> Task:
    raw = _SMELT[item]
    if difficulty == "easy":
        start = StartState(inventory={raw: 2, "coal": 2}, nearby={"furnace": 1}, nearby_radius=3, weather="clear")
    elif difficulty == "normal":
        start = StartState(slots=_mixed(((raw, 2), ("furnace", 1), ("coal", 2))), weather="clear")
    else:  # the furnace must be made first, and planks are all there is to burn
        more = 8 + 2 * (raw == "cobblestone")
        parts = (
            {"crafting_table": 1, "oak_planks": 4} | ({raw: 2} if raw != "cobblestone" else {}) | {"cobblestone": more}
        )
        start = StartState(slots=_mixed(tuple(parts.items()), junk=9), weather="clear")
    return _task("smelt", item, difficulty, Count("craft_item", item, 1), start, 1, (800, 1200, 1800))


# -- kill: how many, where monsters are also the danger --------------------------------------------------------------

_KILL = {"cow": 2, "pig": 2, "sheep": 2, "chicken": 3, "zombie": 2, "skeleton": 1, "spider": 1, "creeper": 1}
_MONSTERS = ("zombie", "skeleton", "spider", "creeper")


def _kill(mob: str, difficulty: str) -> Task:
    count = _KILL[mob]
    monster = mob in _MONSTERS
    there = 2 if monster else count + 2
    # a creeper must be down before its fuse has burnt
    sword = "diamond_sword" if mob == "creeper" else "iron_sword" if monster else "stone_sword"
    start = _at_hand(
        f"kill_{mob}", Kit(((sword, 1),), mobs={mob: there}, time=NIGHT if monster else None), difficulty, (6, 8, 12)
    )
    return _task("kill", mob, difficulty, Count("kill_entity", mob, count), start, count, (600, 900, 1500))


# -- pickup: how many, from which blocks or animals, with what -------------------------------------------------------

_PICKUP: dict[str, tuple[int, dict[str, int], dict[str, int], str]] = {
    "beef": (3, {}, {"cow": 5}, "stone_sword"), "porkchop": (3, {}, {"pig": 5}, "stone_sword"),
    "mutton": (3, {}, {"sheep": 5}, "stone_sword"), "feather": (2, {}, {"chicken": 7}, "wooden_sword"),
    "leather": (2, {}, {"cow": 6}, "stone_sword"), "white_wool": (3, {}, {"sheep": 4}, "shears"),
    "wheat": (3, {"wheat": 8}, {}, "wooden_hoe"), "coal": (4, {"coal_ore": 8}, {}, "wooden_pickaxe"),
    "redstone": (12, {"redstone_ore": 6}, {}, "iron_pickaxe"),
    "lapis_lazuli": (8, {"lapis_ore": 5}, {}, "stone_pickaxe"),
    "diamond": (2, {"diamond_ore": 4}, {}, "iron_pickaxe"), "clay_ball": (12, {"clay": 7}, {}, "wooden_shovel"),
    "snowball": (12, {"snow_block": 7}, {}, "wooden_shovel"), "flint": (1, {"gravel": 32}, {}, "stone_shovel"),
}  # fmt: skip


def _pickup(item: str, difficulty: str) -> Task:
    count, blocks, mobs, tool = _PICKUP[item]
    start = _at_hand(f"pickup_{item}", Kit(((tool, 1),), nearby=blocks, mobs=mobs), difficulty, (6, 8, 12))
    return _task("pickup", item, difficulty, Count("pickup", item, count), start, count, (900, 1200, 1800))


# -- use: what one does with things, in words of its own -------------------------------------------------------------


class Use(NamedTuple):
    """One way to use things."""

    wordings: tuple[str, ...]
    predicate: Predicate
    kit: Kit


_FURNITURE = {"white_bed": 1, "chest": 1, "furnace": 1, "crafting_table": 1}
_TOUCHED = ("sleep_in_bed", "open_chest", "interact_with_furnace", "interact_with_crafting_table")


def _first_of_all(event: str) -> Predicate:
    """This piece of furniture before any other: the one that stands alone is sometimes hit by luck."""
    others = "|".join(other for other in _TOUCHED if other != event)
    return Without(Count("custom", event, 1), Count("custom", others, 1))


_USE: dict[str, Use] = {
    "fill_bucket": Use(
        ("fill your bucket with water", "scoop up water", "get a bucket of water"),
        Have("water_bucket", 1), Kit((("bucket", 1),), nearby={"water": 3}),
    ),
    "scoop_lava": Use(
        ("fill your bucket with lava", "scoop up lava", "get a bucket of lava"),
        Have("lava_bucket", 1), Kit((("bucket", 1),), nearby={"lava": 2}),
    ),
    "pour_water": Use(
        ("empty the water bucket", "pour out the water that you carry", "put water on the ground"),
        Count("use_item", "water_bucket", 1), Kit((("water_bucket", 1),)),
    ),
    "milk_cow": Use(
        ("milk a cow", "get a bucket of milk", "fill your bucket with milk from a cow"),
        Have("milk_bucket", 1), Kit((("bucket", 1),), mobs={"cow": 3}),
    ),
    "drink_milk": Use(
        ("drink the milk", "drink up the bucket of milk", "empty the milk bucket in one draught"),
        Count("use_item", "milk_bucket", 1), Kit((("milk_bucket", 1),)),
    ),
    "shear_sheep": Use(
        ("shear a sheep and keep it alive", "get wool with the shears, not with force", "cut a sheep's wool, take it"),
        Without(Count("pickup", "white_wool", 1), Count("kill_entity", "sheep", 1)),
        Kit((("shears", 1),), mobs={"sheep": 4}),
    ),
    "shoot_arrows": Use(
        ("shoot 4 arrows", "draw the bow and shoot, 4 times", "send 4 arrows flying"),
        Count("use_item", "bow", 4), Kit((("bow", 1), ("arrow", 16))),
    ),
    "throw_snowballs": Use(
        ("throw 8 snowballs", "throw a snowball 8 times", "get rid of 8 snowballs by throwing them"),
        Count("use_item", "snowball", 8), Kit((("snowball", 12),)),
    ),
    "plant_seeds": Use(
        ("plant wheat seeds", "till the soil and sow seeds", "make a field and plant seeds in it"),
        Count("use_item", "wheat_seeds", 1), Kit((("iron_hoe", 1), ("wheat_seeds", 4)), biome="plains"),
    ),
    "open_chest": Use(
        ("open the chest", "look into the chest", "find the chest and open it"),
        _first_of_all("open_chest"), Kit(nearby=_FURNITURE, biome="plains"),
    ),
    "use_furnace": Use(
        ("open the furnace", "look into the furnace", "go to the furnace and use it"),
        _first_of_all("interact_with_furnace"), Kit(nearby=_FURNITURE, biome="plains"),
    ),
    "sleep": Use(
        ("go to bed", "sleep in the bed", "find the bed and sleep through the night"),
        _first_of_all("sleep_in_bed"), Kit(nearby=_FURNITURE, time=NIGHT, biome="plains"),
    ),
}  # fmt: skip


def _use(name: str, difficulty: str) -> Task:
    use = _USE[name]
    start = _one_of_many(f"use_{name}", use.kit, difficulty)
    predicate = _without_junk(use.predicate) if difficulty == "easy" and use.kit.items else use.predicate
    return _finish(f"use_{name}", difficulty, predicate, start, use.wordings, (600, 900, 1500))


# -- place and eat ---------------------------------------------------------------------------------------------------

_PLACE = (
    "crafting_table", "furnace", "chest", "torch", "cobblestone", "oak_planks", "oak_fence", "oak_stairs", "oak_door",
    "white_bed", "glass", "iron_block",
)  # fmt: skip
_EAT = ("bread", "apple", "cooked_beef", "cooked_porkchop", "cooked_chicken", "carrot", "baked_potato", "golden_apple")


def _without_junk(predicate: Predicate) -> Predicate:
    """The right thing before any of the others."""
    return Without(predicate, Count("use_item", "|".join((*JUNK, BAD_FOOD)), 1))


def _place(item: str, difficulty: str) -> Task:
    start = _one_of_many(f"place_{item}", Kit(((item, 1),)), difficulty)
    predicate = _without_junk(Count("use_item", item, 1))
    return _task("place", item, difficulty, predicate, start, 1, (400, 600, 900))


def _eat(item: str, difficulty: str) -> Task:
    start = _one_of_many(f"eat_{item}", Kit(((item, 2),), food=8), difficulty)
    predicate = _without_junk(Count("use_item", item, 1))
    return _task("eat", item, difficulty, predicate, start, 1, (400, 600, 900))


# -- all of them -----------------------------------------------------------------------------------------------------

_TABLES: dict[str, tuple[tuple[str, ...], Callable[[str, str], Task]]] = {
    "mine": (tuple(_MINE), _mine), "craft": (tuple(_CRAFT), _craft), "smelt": (tuple(_SMELT), _smelt),
    "kill": (tuple(_KILL), _kill), "pickup": (tuple(_PICKUP), _pickup), "use": (tuple(_USE), _use),
    "place": (_PLACE, _place), "eat": (_EAT, _eat),
}  # fmt: skip
_CATALOGUE = {f"{family}_{name}": (family, name) for family, (names, _) in _TABLES.items() for name in names}


def _task(
    family: str,
    name: str,
    difficulty: str,
    predicate: Predicate,
    start: StartState,
    count: int,
    limits: tuple[int, int, int],
) -> Task:
    words = {"one": _a(name), "them": thing(name, count) if count > 1 else _a(name)}
    wordings = tuple(wording.format(**words) for wording in _WORDINGS[family])
    return _finish(f"{family}_{name}", difficulty, predicate, start, wordings, limits)


def _finish(
    name: str, difficulty: str, predicate: Predicate, start: StartState, wordings: tuple[str, ...],
    limits: tuple[int, int, int],
) -> Task:  # fmt: skip
    goal = Goal(wordings[0], predicate, aliases=wordings[1:], source="techtree")
    full = name if difficulty == "normal" else f"{name}-{difficulty}"
    ticks = limits[DIFFICULTIES.index(difficulty)]
    return Task(full, goal, start, ticks, instructions=wordings)


def catalogue() -> tuple[str, ...]:
    """The names without difficulty, family by family."""
    return tuple(_CATALOGUE)


def family_of(name: str) -> str:
    """The family of a name from the catalogue, with or without its difficulty."""
    return _CATALOGUE[name.partition("-")[0]][0]


def atomic(name: str, difficulty: str = "normal") -> Task:
    """A task of the catalogue from one of its three starts. KeyError for what is not there; `tasks.get` is kinder."""
    family, subject = _CATALOGUE[name]
    return _TABLES[family][1](subject, difficulty)
