"""The rules of the game as data: blocks, items, recipes, smelting, tools, food, mobs, player and world constants.

``RULES`` is made from ``data/rules.json`` (facts of Minecraft Java 1.16.5, a subset). Names are Minecraft's. Block ids
are the file's; item ids start at 1 in the file's order, 0 is an empty slot.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from jarvis.core.errors import UnknownNameError, nearest_names


class BlockTable(NamedTuple):
    """Facts of blocks by id, for kernels. All arrays are (65,)."""

    solid: np.ndarray  # uint8, bodies collide with it (shapes.py says with which part)
    opaque: np.ndarray  # uint8, a full cube that stops light and hides its neighbours' faces
    emits: np.ndarray  # uint8, light level; a lit furnace or redstone ore is looked up with its meta (light.py)
    dims: np.ndarray  # uint8, levels of light lost in passing, beyond the usual one (leaves, water, ice: 1; opaque: 15)
    hardness: np.ndarray  # float32, -1 cannot be broken
    liquid: np.ndarray  # uint8, 1 water, 2 lava
    replaceable: np.ndarray  # uint8, placing a block here overwrites it (air, liquids, grass, snow layer)


@dataclass(frozen=True)
class Recipe:
    """A recipe. ``shape`` holds rows of sets of allowed item ids (empty: nothing there); shapeless: one row of them."""

    result: int
    count: int
    shaped: bool
    shape: tuple[tuple[frozenset[int], ...], ...]
    grid: int  # 2 fits the inventory's grid, 3 needs a crafting table


class Rules:
    """Everything the rule file says, by name and by id."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.blocks: tuple[str, ...] = tuple(sorted(data["blocks"], key=lambda name: data["blocks"][name]["id"]))
        self.block_id = {name: data["blocks"][name]["id"] for name in self.blocks}
        self.items: tuple[str, ...] = ("air", *data["items"])
        self.item_id = {name: i for i, name in enumerate(self.items)}
        self.mobs: tuple[str, ...] = tuple(data["mobs"])
        self.mob_id = {name: i + 1 for i, name in enumerate(self.mobs)}
        self.tags = data["tags"]
        self.player = data["player"]
        self.world = data["world"]
        count = len(self.items)
        self.stack_size = np.array([0] + [data["items"][n]["stack"] for n in self.items[1:]], np.int64)
        self.durability = np.array([0] + [data["items"][n].get("durability", 0) for n in self.items[1:]], np.int64)
        self.places = np.full(count, 0, np.int64)  # block id an item places, 0 none
        for name, facts in data["items"].items():
            if "places" in facts:
                self.places[self.item_id[name]] = self.block_id[facts["places"]]
        self.fuel_ticks = np.zeros(count, np.int64)
        for name, ticks in data["fuel_ticks"].items():
            self.fuel_ticks[self.item_id[name]] = ticks
        self.smelting: dict[int, tuple[int, int, float]] = {}  # input item -> (result item, ticks, experience)
        for entry in data["smelting"]:
            for item in self.items_of(entry["input"]):
                self.smelting[item] = (self.item_id[entry["result"]], entry["ticks"], entry["xp"])
        self.recipes = tuple(self._recipe(entry) for entry in data["recipes"])

    # names

    def block(self, name: str) -> int:
        """Id of a block; an unknown name is refused with the nearest ones."""
        return self._lookup("block", name, self.block_id)

    def item(self, name: str) -> int:
        """Id of an item; an unknown name is refused with the nearest ones."""
        return self._lookup("item", name, self.item_id)

    def mob(self, name: str) -> int:
        """Kind of a mob (1 + its index); an unknown name is refused with the nearest ones."""
        return self._lookup("mob", name, self.mob_id)

    @staticmethod
    def _lookup(what: str, name: str, table: dict[str, int]) -> int:
        if name not in table:
            raise UnknownNameError(what, name, nearest_names(name, table))
        return table[name]

    def items_of(self, name: str) -> frozenset[int]:
        """Item ids meant by an item name or by a ``#tag``."""
        if name.startswith("#"):
            return frozenset(self.item(n) for n in self.tags[name[1:]])
        return frozenset({self.item(name)})

    def _recipe(self, entry: dict[str, Any]) -> Recipe:
        rows = entry["shape"] if entry["type"] == "shaped" else [entry["ingredients"]]
        shape = tuple(tuple(self.items_of(c) if c else frozenset() for c in row) for row in rows)
        return Recipe(self.item(entry["result"]), entry["count"], entry["type"] == "shaped", shape, entry["grid"])

    # mining

    def can_harvest(self, block: int, item: int) -> bool:
        """Whether breaking ``block`` with ``item`` in hand yields its drops."""
        facts = self.data["blocks"][self.blocks[block]]
        if facts["harvest_tier"] is None:
            return True
        tool = self.data["items"].get(self.items[item], {})
        tiers = self.data["mining"]["tiers"]
        return (
            tool.get("tool") == facts["tool"] and tiers[tool["tier"]]["level"] >= tiers[facts["harvest_tier"]]["level"]
        )

    def mining_speed(self, block: int, item: int) -> float:
        """Speed factor of ``item`` on ``block``, before water and footing."""
        name = self.blocks[block]
        facts, held = self.data["blocks"][name], self.items[item]
        tool = self.data["items"].get(held, {})
        special = self.data["mining"]["special_speeds"]
        if held == "shears":
            return (
                special["shears_on_leaves"]
                if name in self.tags["leaves"]
                else special["shears_on_wool"]
                if name == "white_wool"
                else 1.0
            )
        if tool.get("tool") == "sword":
            plant = name in self.tags["leaves"] or (facts["hardness"] == 0 and facts["tool"] is None)
            return special["sword_on_leaves_or_plants"] if plant else 1.0
        if tool.get("tool") and tool["tool"] == facts["tool"]:
            return float(self.data["mining"]["tiers"][tool["tier"]]["speed"])
        return 1.0

    def mining_progress(self, block: int, item: int, grounded: bool = True, head_in_water: bool = False) -> float:
        """Share of the block broken by one tick of mining; 0 if it cannot be broken, infinity if it breaks at once."""
        hardness = self.data["blocks"][self.blocks[block]]["hardness"]
        if hardness < 0:
            return 0.0
        if hardness == 0:
            return math.inf
        speed = self.mining_speed(block, item) / (5 if head_in_water else 1) / (1 if grounded else 5)
        return speed / hardness / (30 if self.can_harvest(block, item) else 100)

    def mining_ticks(self, block: int, item: int) -> int:
        """Ticks of holding attack that break ``block``, standing on ground; -1 if it cannot be broken."""
        progress = self.mining_progress(block, item)
        if progress <= 0:
            return -1
        # NOTE: the slack keeps 1 / progress from rounding up past a whole number of ticks
        return max(1, math.ceil(1 / progress - 1e-9)) if progress < 1 else 1

    # tables for kernels

    @cached_property
    def table(self) -> BlockTable:
        facts = [self.data["blocks"][name] for name in self.blocks]
        dims = np.array([0 if f["transparent"] or not f["solid"] else 15 for f in facts], np.uint8)
        for name in (*self.tags["leaves"], "water", "ice"):
            dims[self.block_id[name]] = 1
        replaceable = np.zeros(len(facts), np.uint8)
        replaceable[[self.block_id[n] for n in ("air", "water", "lava", "grass", "snow")]] = 1
        liquid = np.zeros(len(facts), np.uint8)
        liquid[self.block_id["water"]], liquid[self.block_id["lava"]] = 1, 2
        return BlockTable(
            solid=np.array([f["solid"] for f in facts], np.uint8),
            opaque=(dims == 15).astype(np.uint8),
            emits=np.array([f["light"] for f in facts], np.uint8),
            dims=dims,
            hardness=np.array([f["hardness"] for f in facts], np.float32),
            liquid=liquid,
            replaceable=replaceable,
        )


def load_rules() -> Rules:
    """The rules that ship with the package."""
    return Rules(json.loads(files("jarvis.world").joinpath("data/rules.json").read_text("utf-8")))


RULES = load_rules()
