"""Every task by name: what to reach, from where, in how many ticks, and what falls on the way.

    task = get("craft_diamond")
    get("mine_coal_ore-hard").start            # an atomic task's other starts: -easy and -hard, see evaluation.atomic
    for name in names(): print(name, get(name).goal.text)

    craft_diamond    a new world, empty hands, twenty minutes: a diamond pickaxe
    rung_log ...     the thirteen rungs of that ladder, each from the things of the rung below
    mine_..., craft_..., smelt_..., kill_..., pickup_..., use_..., place_..., eat_...    the atomic tasks
    crafter          the 22 achievements of Crafter, in Crafter
    play             nothing in particular

Success is decided from events and the inventory, never from pixels. A change to any task raises VERSION, because
results of different versions are not comparable.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from evaluation.atomic import DIFFICULTIES, atomic, catalogue
from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.goals import Count, Goal, Have, Predicate
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task

__all__ = ["CRAFTER_ACHIEVEMENTS", "DIAMOND_MILESTONES", "VERSION", "get", "matching", "names"]

VERSION = 2  # of every task's meaning

LOGS = "birch_log|oak_log|spruce_log"
PLANKS = "birch_planks|oak_planks|spruce_planks"
# The thirteen items of VPT's diamond pickaxe curve (arXiv 2206.11795, figure 8), in the order of the tech tree.
DIAMOND_MILESTONES: dict[str, Predicate] = {
    "log": Have(LOGS, 1),
    "planks": Count("craft_item", PLANKS, 1),
    "stick": Count("craft_item", "stick", 1),
    "crafting_table": Count("craft_item", "crafting_table", 1),
    "wooden_pickaxe": Count("craft_item", "wooden_pickaxe", 1),
    "cobblestone": Have("cobblestone", 1),
    "stone_pickaxe": Count("craft_item", "stone_pickaxe", 1),
    "furnace": Count("craft_item", "furnace", 1),
    "iron_ore": Have("iron_ore", 1),
    "iron_ingot": Count("craft_item", "iron_ingot", 1),
    "iron_pickaxe": Count("craft_item", "iron_pickaxe", 1),
    "diamond": Have("diamond", 1),
    "diamond_pickaxe": Count("craft_item", "diamond_pickaxe", 1),
}


def _craft_diamond() -> Task:
    """From nothing to a diamond pickaxe in a new world: twenty minutes of play."""
    wordings = (
        "craft a diamond pickaxe", "make yourself a pickaxe of diamond", "get a diamond pickaxe from nothing",
        "start with empty hands and end with a diamond pickaxe",
    )  # fmt: skip
    goal = Goal(wordings[0], DIAMOND_MILESTONES["diamond_pickaxe"], aliases=wordings[1:], source="techtree")
    return Task("craft_diamond", goal, max_ticks=24000, milestones=DIAMOND_MILESTONES, instructions=wordings)


def _play() -> Task:
    """Free play: no goal, twenty minutes."""
    return Task("play", Goal("play"), max_ticks=24000)


# -- the ladder: what the rung below leaves in the hands, where to stand, what is asked, how long --------------------

_RUNGS: dict[str, tuple[StartState, Predicate, int, str]] = {
    "log": (StartState(biome="forest", rarity={"trees": "very common"}), Have(LOGS, 3), 1200, "get 3 logs"),
    "planks": (StartState(inventory={"oak_log": 3}), Count("craft_item", PLANKS, 4), 600, "make planks of your logs"),
    "stick": (StartState(inventory={"oak_planks": 8}), Count("craft_item", "stick", 4), 600, "make sticks"),
    "crafting_table": (
        StartState(inventory={"oak_planks": 8, "stick": 4}), Count("craft_item", "crafting_table", 1), 600,
        "make a crafting table",
    ),
    "wooden_pickaxe": (
        StartState(inventory={"crafting_table": 1, "oak_planks": 6, "stick": 4}),
        Count("craft_item", "wooden_pickaxe", 1), 900, "make a wooden pickaxe",
    ),
    "cobblestone": (
        StartState(slots={1: ("wooden_pickaxe", 1), 4: ("crafting_table", 1), 5: ("oak_planks", 3)}),
        Have("cobblestone", 11), 2400, "dig down to stone and bring 11 cobblestone",
    ),
    "stone_pickaxe": (
        StartState(inventory={"wooden_pickaxe": 1, "crafting_table": 1, "stick": 4, "cobblestone": 11}),
        Count("craft_item", "stone_pickaxe", 1), 900, "make a stone pickaxe",
    ),
    "furnace": (
        StartState(inventory={"stone_pickaxe": 1, "crafting_table": 1, "cobblestone": 9}),
        Count("craft_item", "furnace", 1), 900, "make a furnace",
    ),
    "iron_ore": (
        StartState(slots={2: ("stone_pickaxe", 1), 5: ("torch", 16), 6: ("furnace", 1), 7: ("cobblestone", 16)}, y=40.0,
                   rarity={"iron": "very common"}),
        Have("iron_ore", 3), 4800, "find and mine 3 iron ore",
    ),
    "iron_ingot": (
        StartState(inventory={"stone_pickaxe": 1, "furnace": 1, "iron_ore": 3, "coal": 2, "cobblestone": 8}),
        Count("craft_item", "iron_ingot", 1), 1200, "smelt an iron ingot",
    ),
    "iron_pickaxe": (
        StartState(inventory={"stone_pickaxe": 1, "crafting_table": 1, "iron_ingot": 3, "stick": 2}),
        Count("craft_item", "iron_pickaxe", 1), 900, "make an iron pickaxe",
    ),
    "diamond": (
        StartState(slots={3: ("iron_pickaxe", 1), 5: ("torch", 32), 7: ("cobblestone", 32)}, y=12.0,
                   rarity={"diamond": "very common"}),
        Have("diamond", 3), 9600, "find and mine 3 diamonds",
    ),
    "diamond_pickaxe": (
        StartState(inventory={"iron_pickaxe": 1, "crafting_table": 1, "diamond": 3, "stick": 2}),
        Count("craft_item", "diamond_pickaxe", 1), 900, "make a diamond pickaxe",
    ),
}  # fmt: skip


def _rung(name: str) -> Task:
    start, predicate, ticks, words = _RUNGS[name]
    wordings = (words, f"now {words}", f"the next step: {words}", f"{words} with what you have")
    goal = Goal(words, predicate, aliases=wordings[1:], source="techtree")
    return Task(f"rung_{name}", goal, start, ticks, instructions=wordings)


# -- Crafter ---------------------------------------------------------------------------------------------------------

# Its achievements as the events that jarvis.envs.crafter makes of them, in the order of Crafter's paper.
CRAFTER_ACHIEVEMENTS: dict[str, Predicate] = {
    "collect_coal": Count("pickup", "coal"),
    "collect_diamond": Count("pickup", "diamond"),
    "collect_drink": Count("pickup", "drink"),
    "collect_iron": Count("pickup", "iron"),
    "collect_sapling": Count("pickup", "sapling"),
    "collect_stone": Count("pickup", "stone"),
    "collect_wood": Count("pickup", "wood"),
    "defeat_skeleton": Count("kill_entity", "skeleton"),
    "defeat_zombie": Count("kill_entity", "zombie"),
    "eat_cow": Count("use_item", "cow"),
    "eat_plant": Count("use_item", "ripe_plant"),
    "make_iron_pickaxe": Count("craft_item", "iron_pickaxe"),
    "make_iron_sword": Count("craft_item", "iron_sword"),
    "make_stone_pickaxe": Count("craft_item", "stone_pickaxe"),
    "make_stone_sword": Count("craft_item", "stone_sword"),
    "make_wood_pickaxe": Count("craft_item", "wood_pickaxe"),
    "make_wood_sword": Count("craft_item", "wood_sword"),
    "place_furnace": Count("use_item", "furnace"),
    "place_plant": Count("use_item", "plant"),
    "place_stone": Count("use_item", "stone"),
    "place_table": Count("use_item", "table"),
    "wake_up": Count("custom", "wake_up"),
}


def _crafter() -> Task:
    """Crafter as its paper plays it: no goal but to live and to achieve, 10,000 steps at most."""
    wordings = ("stay alive and achieve as much as you can", "survive, gather, build and explore")
    return Task("crafter", Goal(wordings[0]), max_ticks=10000, milestones=CRAFTER_ACHIEVEMENTS, instructions=wordings)


# -- by name ---------------------------------------------------------------------------------------------------------

_NAMED: dict[str, Callable[[], Task]] = {"craft_diamond": _craft_diamond, "play": _play, "crafter": _crafter}


@cache
def _known() -> dict[str, None]:
    """Every name that `get` takes."""
    named = [*_NAMED, *(f"rung_{name}" for name in _RUNGS)]
    named += [name if level == "normal" else f"{name}-{level}" for name in catalogue() for level in DIFFICULTIES]
    return dict.fromkeys(named)


@cache
def get(name: str) -> Task:
    """The task of that name. UnknownNameError with the nearest names."""
    if name not in _known():
        raise UnknownNameError("task", name, nearest_names(name, _known()))
    if name in _NAMED:
        return _NAMED[name]()
    if name.startswith("rung_"):
        return _rung(name.removeprefix("rung_"))
    base, _, level = name.partition("-")
    return atomic(base, level or "normal")


def names() -> tuple[str, ...]:
    """Every task's name, atomic tasks at normal difficulty."""
    return tuple(name for name in _known() if "-" not in name)


def matching(pattern: str) -> tuple[str, ...]:
    """The name itself, or every name that begins with what stands before a `*`, easy and hard starts included."""
    if not pattern.endswith("*"):
        return (get(pattern).name,)
    found = tuple(name for name in _known() if name.startswith(pattern[:-1]))
    if not found:
        raise UnknownNameError("task", pattern, nearest_names(pattern[:-1], _known()))
    return found
