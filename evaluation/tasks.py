"""Every task by name: what to reach, from where, and what falls on the way.

    task = get("craft_diamond")
    for name in names(): print(name, get(name).goal.text)

Tasks of one item follow from the rules: `mine_X`, `craft_X`, `smelt_X`, `kill_X` exist for every block, recipe, furnace
result and mob there is. Success is decided from events, never from pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.goals import Count, Goal, Have, Predicate
from jarvis.core.tasks import Task

__all__ = ["DIAMOND_MILESTONES", "get", "names"]

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
    goal = Goal("craft a diamond pickaxe", Count("craft_item", "diamond_pickaxe", 1))
    wordings = ("craft a diamond pickaxe", "make yourself a pickaxe of diamond", "get a diamond pickaxe from nothing")
    return Task("craft_diamond", goal, max_ticks=24000, milestones=DIAMOND_MILESTONES, instructions=wordings)


def _play() -> Task:
    """Free play: no goal, twenty minutes."""
    return Task("play", Goal("play"), max_ticks=24000)


_NAMED: dict[str, Callable[[], Task]] = {"craft_diamond": _craft_diamond, "play": _play}


@cache
def get(name: str) -> Task:
    """The task of that name. UnknownNameError with the nearest names."""
    if name not in _NAMED:
        raise UnknownNameError("task", name, nearest_names(name, names()))
    return _NAMED[name]()


def names() -> tuple[str, ...]:
    """Every task's name."""
    return tuple(_NAMED)
