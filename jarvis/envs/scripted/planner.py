"""From a goal and what is carried to what to do next, by the recipes, furnaces and tools of the rules.

    steps = plan(goals, carried, stations)   # [Step("mine", "#logs", 4), Step("craft", "#planks", 3), ...]

Plans are made anew after every step, so nothing has to be remembered: losing a tool changes the next plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jarvis.world.rules import RULES

__all__ = ["GROUPS", "PICKAXES", "Step", "gathered_from", "group_of", "plan", "recipe_for", "tool_tier"]

GROUPS = {
    "#logs": tuple(RULES.tags["logs"]),
    "#planks": tuple(RULES.tags["planks"]),
    "#coals": tuple(RULES.tags["coals"]),
}
PICKAXES = ("wooden_pickaxe", "stone_pickaxe", "iron_pickaxe", "diamond_pickaxe")
WOODEN, STONE, IRON = range(3)
# blocks that give an item, and the least pickaxe they want (None: the hand will do)
_MINED: dict[str, tuple[tuple[str, ...], int | None]] = {
    "#logs": (GROUPS["#logs"], None),
    "cobblestone": (("stone", "cobblestone"), WOODEN),
    "coal": (("coal_ore",), WOODEN),
    "iron_ore": (("iron_ore",), STONE),
    "lapis_lazuli": (("lapis_ore",), STONE),
    "gold_ore": (("gold_ore",), IRON),
    "redstone": (("redstone_ore",), IRON),
    "diamond": (("diamond_ore",), IRON),
    "dirt": (("dirt", "grass_block"), None),
    "sand": (("sand",), None),
    "flint": (("gravel",), None),
    "gravel": (("gravel",), None),
    "clay_ball": (("clay",), None),
    "wheat_seeds": (("grass",), None),
    "wheat": (("wheat",), None),
    "dandelion": (("dandelion",), None),
    "poppy": (("poppy",), None),
    "cactus": (("cactus",), None),
    "apple": (("oak_leaves",), None),
    "snowball": (("snow_block", "snow"), None),
    **{name: ((name,), None) for name in (*GROUPS["#logs"],)},
    **{name: ((name,), WOODEN) for name in ("granite", "diorite", "andesite", "sandstone")},
}
_KILLED = {
    "beef": "cow", "leather": "cow", "porkchop": "pig", "mutton": "sheep", "white_wool": "sheep", "chicken": "chicken",
    "feather": "chicken", "rotten_flesh": "zombie", "bone": "skeleton", "string": "spider", "gunpowder": "creeper",
}  # fmt: skip
_SMELTED = {
    "iron_ingot": "iron_ore", "gold_ingot": "gold_ore", "glass": "sand", "brick": "clay_ball", "charcoal": "#logs",
    "stone": "cobblestone", "cooked_beef": "beef", "cooked_porkchop": "porkchop", "cooked_chicken": "chicken",
    "cooked_mutton": "mutton", "baked_potato": "potato",
}  # fmt: skip
# results that are not made by their recipe when they are wanted
_NOT_CRAFTED = {"coal", "iron_ingot", "diamond", "andesite", "clay", "sandstone", "white_wool", "snow"}
# made or gathered for all later uses in one go
_AT_ONCE = {("mine", "#logs"), ("mine", "cobblestone"), ("craft", "#planks"), ("craft", "stick")}
_ITEM_GROUP = {name: group for group, names in GROUPS.items() for name in names}


@dataclass(frozen=True)
class Step:
    """One thing to do: ``mine``, ``craft``, ``smelt``, ``kill`` until ``count`` more of ``item`` are there."""

    kind: str
    item: str  # or a #group
    count: int
    source: str = ""  # what is smelted or killed


def group_of(item: str) -> str:
    """The group an item belongs to, or the item."""
    return _ITEM_GROUP.get(item, item)


def gathered_from(item: str) -> tuple[tuple[str, ...], int | None]:
    """Blocks that give an item and the least pickaxe (0 wooden, 1 stone, 2 iron, None: none)."""
    return _MINED[item]


def source_of(item: str) -> str | None:
    """What an item is smelted from, if it is."""
    return _SMELTED.get(item)


_RECIPES: dict[str, dict[str, Any]] = {}
for _entry in RULES.data["recipes"]:
    if _entry["result"] not in _NOT_CRAFTED:
        _RECIPES.setdefault(_entry["result"], _entry)
for _result in ("oak_planks", "birch_planks", "spruce_planks"):
    _RECIPES[_result] = next(entry for entry in RULES.data["recipes"] if entry["result"] == _result)


def recipe_for(item: str) -> dict | None:
    """The rule file's recipe of an item that is made by crafting, else None."""
    return _RECIPES.get(item)


def ingredients(recipe: Mapping) -> Counter[str]:
    """Ingredient or #group -> how many for one go."""
    rows = recipe["shape"] if recipe["type"] == "shaped" else [recipe["ingredients"]]
    return Counter(cell for row in rows for cell in row if cell)


def tool_tier(carried: Mapping[str, int]) -> int:
    """The best pickaxe carried: 0 wooden to 3 diamond, -1 none."""
    return max((tier for tier, name in enumerate(PICKAXES) if carried.get(name)), default=-1)


class _Plan:
    def __init__(self, carried: Mapping[str, int], stations: Iterable[str]) -> None:
        self.have: Counter[str] = Counter()
        for item, count in carried.items():
            self.have[item] += count
        self.stations = set(stations)  # placed and known, need not be carried
        self.steps: list[Step] = []
        self._making: list[str] = []

    def _available(self, item: str) -> int:
        return sum(self.have[name] for name in GROUPS[item]) if item in GROUPS else self.have[item]

    def _consume(self, item: str, count: int) -> None:
        for name in (*GROUPS.get(item, ()), item):
            taken = min(count, self.have[name])
            self.have[name] -= taken
            count -= taken

    def need(self, item: str, count: int) -> None:
        """Make sure of ``count`` and use them up."""
        short = count - self._available(item)
        if short > 0:
            self._obtain(item, short)
        self._consume(item, count)

    def keep(self, item: str, count: int = 1) -> None:
        """Make sure of ``count`` without using them up: tools, tables."""
        short = count - self._available(item)
        if short > 0:
            self._obtain(item, short)

    def station(self, name: str) -> None:
        if name not in self.stations:
            self.keep(name)
            self.stations.add(name)

    def pickaxe(self, tier: int) -> None:
        if tool_tier(self.have) >= tier:
            return
        name = PICKAXES[tier]
        if tier == WOODEN and self.have["cobblestone"] >= 3:
            name = PICKAXES[STONE]
        self.keep(name)

    def _obtain(self, item: str, short: int) -> None:
        if item in self._making or len(self._making) > 24:
            raise ValueError(f"item {item!r}: needs itself ({' -> '.join(self._making)})")
        self._making.append(item)
        recipe = recipe_for(item)
        if item == "#planks":
            self.need("#logs", -(-short // 4))
            self.steps.append(Step("craft", "#planks", -(-short // 4) * 4))
            self.have["#planks"] += -(-short // 4) * 4
        elif item in _MINED or item == "#coals":
            _, tier = _MINED["coal" if item == "#coals" else item]
            if tier is not None:
                self.pickaxe(tier)
            self.steps.append(Step("mine", "coal" if item == "#coals" else item, short))
            self.have[item] += short
        elif item in _SMELTED:
            source = _SMELTED[item]
            self.need(source, short)
            self.station("furnace")
            self._fuel(short)
            self.steps.append(Step("smelt", item, short, source))
            self.have[item] += short
        elif recipe is not None:
            times = -(-short // recipe["count"])
            if recipe["grid"] == 3:
                self.station("crafting_table")
            for ingredient, each in ingredients(recipe).items():
                self.need(ingredient, each * times)
            self.steps.append(Step("craft", item, times * recipe["count"]))
            self.have[item] += times * recipe["count"]
        elif item in _KILLED:
            self.steps.append(Step("kill", item, short, _KILLED[item]))
            self.have[item] += short
        else:
            raise ValueError(f"item {item!r}: the scripted player knows no way to get it")
        self._making.pop()

    def _fuel(self, smelts: int) -> None:
        if self._available("#coals") * 8 >= smelts:
            self._consume("#coals", -(-smelts // 8))
        elif self._available("#planks") * 3 >= smelts * 2 and "#coals" not in self._making:
            self._consume("#planks", -(-smelts * 2 // 3))
        elif self._available("#logs") * 3 >= smelts * 2:
            self._consume("#logs", -(-smelts * 2 // 3))
        elif smelts > 6:
            self.need("#coals", -(-smelts // 8))
        else:
            self.need("#planks", -(-smelts * 2 // 3))


def plan(goals: Iterable[tuple[str, int]], carried: Mapping[str, int], stations: Iterable[str] = ()) -> list[Step]:
    """Steps, in order, that lead from what is carried to all ``goals``: (item, how many are to be carried at the end).

    carried: item -> count of usable things. stations: blocks placed nearby that need not be made or carried.
    What is gathered is gathered at once: the first step of a kind asks for the sum of all later ones.
    """
    work = _Plan(carried, stations)
    for item, count in goals:
        work.keep(item, count)
    totals: Counter[tuple[str, str]] = Counter()
    for step in work.steps:
        totals[step.kind, step.item] += step.count
    steps, seen = [], set()
    for step in work.steps:
        if (step.kind, step.item) in _AT_ONCE:
            if step.item in seen:
                continue
            seen.add(step.item)
            step = Step(step.kind, step.item, totals[step.kind, step.item])
        steps.append(step)
    return steps
