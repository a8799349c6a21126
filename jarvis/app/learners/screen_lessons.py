"""Screens full of odds and ends, and one click after another: the hands learn every slot, not only those of recipes.

    lesson = ScreenLesson(seed=0, number=3, width=252, height=140)        # as jarvis.app.learners.lessons.Lesson

In play, what is crafted goes to the right end of the hotbar and what is found to its left, so a pupil that is only
shown the beginnings of recipes learns the left. Here each slot of each screen is asked for alike, with the cursor
wherever the last click left it, whatever lies there and whatever hangs on the cursor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jarvis.app.learners.lessons import Lesson
from jarvis.app.learners.teacher import cells_around
from jarvis.app.planner.guide import pressed_anything
from jarvis.app.planner.slots import CLOSE, DROP, OUTPUT, WAIT, Directive, click, swap
from jarvis.core.actions import Action
from jarvis.core.goals import Goal
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.world.inventory import HOTBAR
from jarvis.world.menus import EMPTY, LAYOUTS
from jarvis.world.rules import RULES
from jarvis.world.world import World

__all__ = ["RESULT", "TASK", "ScreenLesson", "lay_out", "random_stack", "stations"]

RESULT = 0  # slot of an inventory or a table in which lies what was made
STATIONS = ("crafting_table", "furnace")
TASK = Task("screens", Goal("click"), StartState(nearby=dict.fromkeys(STATIONS, 1), nearby_radius=3, weather="clear"))
LONGEST = 300  # ticks in one world
CLICKS = (2, 7)  # on one screen, before another is laid out
PATIENCE = 20  # ticks for one click
# What lies about: what goes through the hands on the way to a diamond pickaxe.
THINGS = (
    "oak_log", "birch_log", "spruce_log", "oak_planks", "birch_planks", "spruce_planks", "stick", "crafting_table",
    "furnace", "cobblestone", "dirt", "gravel", "coal", "iron_ore", "iron_ingot", "diamond", "torch", "wheat_seeds",
    "oak_sapling", "granite", "diorite", "andesite", "wooden_pickaxe", "stone_pickaxe", "iron_pickaxe",
)  # fmt: skip


class ScreenLesson(Lesson):
    """One screen after another, in worlds that lie behind them."""

    def __init__(self, seed: int, number: int, *, width: int, height: int) -> None:
        super().__init__((TASK,), seed, number, width=width, height=height, longest=LONGEST)

    def _begin(self) -> None:
        super()._begin()
        self.guide: Any = _Clicker(self.env.world, self._random)


class _Clicker:
    """In the place of a guide: lays out screens and says what to click."""

    def __init__(self, world: World, random: np.random.Generator) -> None:
        self.random = random
        self.cells = stations(world)
        self.directive = WAIT
        self.clicks = self.left = 0
        self.before: tuple[bytes, Any] = (b"", None)

    def look(self, world: World, last: Action | None = None) -> Directive:
        """What to do in this tick."""
        if world.dead_ticks or world.player[0]["sleeping"]:
            return WAIT
        if last is not None and pressed_anything(last, world.screen.is_open):
            return WAIT
        self.left -= 1
        done = world.screen.is_open and self.before != _state(world)
        if not world.screen.is_open or (self.clicks <= 0 and done) or self.left <= 0:
            self._lay_out(world)
            done = True
        if done:
            self.clicks -= 1
            self.left, self.before, self.directive = PATIENCE, _state(world), self._next(world)
        return self.directive

    def _lay_out(self, world: World) -> None:
        random, screen = self.random, world.screen
        lay_out(world, self.cells, random)
        if random.random() < 0.5:  # else where it is when a screen opens: in the middle
            layout = LAYOUTS[screen.kind]
            screen.cursor_x = layout.left + random.uniform(-0.1, 1.1) * layout.width
            screen.cursor_y = layout.top + random.uniform(-0.1, 1.1) * layout.height
        self.clicks = int(random.integers(*CLICKS))

    def _next(self, world: World) -> Directive:
        """A click that changes something, on the hotbar, in the bag, in the grid or on what was made, as often each."""
        random, screen = self.random, world.screen
        layout, stacks = LAYOUTS[screen.kind], screen.stacks()
        made = OUTPUT if screen.kind == "furnace" else RESULT
        hotbar, bag = range(layout.hotbar, layout.hotbar + 9), range(layout.main, layout.hotbar)
        own = {"player": range(5), "crafting_table": range(10), "furnace": range(3)}[screen.kind]
        groups = [hotbar, bag, own, (made,)]
        hand = bool(screen.carried[0])
        chance = random.random()
        if chance < 0.08:
            return DROP if hand else CLOSE
        slots = [
            [slot for slot in group if (slot != made if hand else stacks[slot]["item"])] for group in groups
        ]  # NOTE: with an empty hand only what lies there can be taken, and nothing is put where what was made lies
        filled = [group for group in slots if group]
        if not filled:
            screen.carried = random_stack(random)
            return self._next(world)
        group = filled[int(random.integers(len(filled)))]
        slot = int(group[int(random.integers(len(group)))])
        if hand:
            return click(world, slot, "left" if random.random() < 0.5 else "right")
        if chance < 0.3 and slot in bag:
            return swap(world, slot, int(random.integers(9)))
        return click(world, slot, "shift" if chance > 0.6 and slot in own else "left")


def _state(world: World) -> tuple[bytes, Any]:
    """What a click changes."""
    return world.screen.stacks().tobytes(), tuple(world.screen.carried)


def lay_out(world: World, cells: Mapping[str, tuple[int, int, int]], random: np.random.Generator) -> None:
    """Another screen, with odds and ends on it. cells: where a table and a furnace stand, of those that there are."""
    screen = world.screen
    if screen.is_open:
        screen.carried = EMPTY
        world.close_screen()
    kinds = ["player", *cells]
    kind = kinds[int(random.integers(len(kinds)))]
    world.player[0]["yaw"], world.player[0]["pitch"] = random.uniform(0.0, 360.0), random.uniform(-60.0, 90.0)
    world.open_screen(kind, cells.get(kind, (0, 0, 0)))
    own: Any = {"player": world.slots[:5], "crafting_table": screen.table, "furnace": screen.box}[kind]
    for slots, most in ((world.slots[9 : HOTBAR + 9], 0.8), (own, 0.6)):
        full = random.uniform(0.0, most)
        for slot in range(len(slots)):
            slots[slot] = random_stack(random) if random.random() < full else EMPTY
    screen.carried = random_stack(random) if random.random() < 0.4 else EMPTY


def random_stack(random: np.random.Generator) -> tuple[int, int, int]:
    """(item, count, damage) of a thing that passes through the hands on the way to a diamond pickaxe."""
    item = RULES.item(THINGS[int(random.integers(len(THINGS)))])
    return item, int(random.integers(1, int(RULES.stack_size[item]) + 1)), 0


def stations(world: World) -> dict[str, tuple[int, int, int]]:
    """Where a table and a furnace stand, of those that there are."""
    x, y, z = (math.floor(world.player[0][axis]) for axis in "xyz")
    cells = {name: cells_around(world.grid, (x, y, z), RULES.block(name)) for name in STATIONS}
    return {name: found[0] for name, found in cells.items() if found}
