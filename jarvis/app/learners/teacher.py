"""The scripted player as a teacher: the right action of a tick for what a guide says, wherever a pupil has gone.

    teacher = Teacher(seed=3)
    action = teacher.show(world, directive)           # of jarvis.app.planner.guide

A pupil that sees one picture and a few words can learn only what follows from these. So the teacher goes for what is in
view or within reach, turns right to look about, digs and walks on the way it faces, and starts anew whenever it is told
to (`restart`), instead of following plans and a map that nobody can see.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np

from jarvis.app.learners.reflexes import MAX_TURN, advance, approach, gather_drops, go, look_down, sink, turn
from jarvis.app.planner.guide import UNDERFOOT
from jarvis.app.planner.slots import Directive
from jarvis.core.actions import BUTTON_INDEX, BUTTONS, Action
from jarvis.envs.scripted import Habits, ScriptedPlayer
from jarvis.envs.scripted.crafting import open_station, put_down
from jarvis.envs.scripted.deeds import look_away, perform
from jarvis.envs.scripted.digging import TOOL_IDS
from jarvis.envs.scripted.fighting import hunt, prey
from jarvis.envs.scripted.looking import angles_to, wrap
from jarvis.envs.scripted.memory import Cell
from jarvis.envs.scripted.screens import OUTSIDE
from jarvis.world.inventory import HOTBAR
from jarvis.world.layout import HEIGHT, MASK, Grid, get_block
from jarvis.world.menus import LAYOUTS
from jarvis.world.rules import RULES
from jarvis.world.screens import PIXELS_PER_DEGREE
from jarvis.world.world import World

__all__ = ["Teacher"]

Skill = Generator[tuple[str, ...], None, Any]
VIEW = 52.0  # degrees to either side: what a picture shows
BESIDE_FEET = 0.75  # metres to the side within which a lower block is underfoot
NEAR = 5.0  # metres within which things are known though out of view
STEADY = 6.0  # pixels from the middle of a slot at which a button is pressed


def cells_around(grid: Grid, cell: Cell, block: int) -> list[Cell]:
    """Where a block stands within five blocks to the sides and four up or down."""
    x, y, z = cell
    aside, above = np.arange(-5, 6), np.clip(y + np.arange(-4, 5), 0, HEIGHT - 1)
    around = grid.blocks[np.ix_((x + aside) & MASK, (z + aside) & MASK, above)]
    return [(x + a - 5, y + c - 4, z + b - 5) for a, b, c in np.argwhere(around == block).tolist()]


class Teacher(ScriptedPlayer):
    """Shows what to do for one directive after another, in one world after another."""

    def __init__(self, seed: int) -> None:
        super().__init__("stick", seed, replace(Habits.clean(), max_turn=MAX_TURN, torches=False, hunts=False))
        self.wants = ()  # what is wanted is told tick by tick
        self.directive = Directive("wait", "wait")

    def show(self, world: World, directive: Directive) -> Action:
        """The action of this tick."""
        if directive.kind in _ON_SCREEN:
            if world is not self.world:
                self.bind(world)
            if world.screen.is_open:
                self.restart()
            return _ON_SCREEN[directive.kind](world, directive)
        if directive != self.directive:
            self.directive = directive
            self.restart()
        return self.act(world)

    def restart(self) -> None:
        """Think anew from where the player is: somebody else has acted."""
        self._life = self._reflex = None

    def bind(self, world: World) -> None:
        """A new world, of which nothing is known."""
        super().bind(world)
        self.restart()

    # what a pupil cannot follow is left out

    def hold(self, item: int) -> Skill:
        """The guide says what to take in hand; only what two things are needed for is changed here."""
        if self.directive.kind == "do" and self.directive.args[0].how == "sow":
            return (yield from super().hold(item))
        held = int(self.world.slots["item"][HOTBAR + int(self.p["selected"])])
        return item == held or item in TOOL_IDS or item not in self.carried_ids or RULES.durability[item] > 0

    def press_hotbar(self, index: int) -> Skill:
        """As `hold`."""
        if self.directive.kind == "do" and self.directive.args[0].how == "sow":
            return (yield from super().press_hotbar(index))
        return True

    def filler(self) -> int | None:
        """No blocks are put down on the way."""
        return None

    def _live(self) -> Skill:
        directive = self.directive
        if directive.kind == "gather":
            return (yield from self._gather(*directive.args))
        if directive.kind == "kill":
            return (yield from self._kill(directive.args[0]))
        if directive.kind == "use":
            self._know_station(directive.args[0])
            return (yield from self._or_free(open_station(self, directive.args[0])))
        if directive.kind == "place":
            return (yield from self._or_free(put_down(self, directive.args[0])))
        if directive.kind == "do":
            return (yield from self._deed(directive.args[0]))
        if directive.kind == "eat":
            yield from look_away(self)
            for _ in range(45):
                yield ("use",)
            return True
        yield ()  # defend: the reflexes come first, and there is nothing else to do
        return True

    def _or_free(self, skill: Skill) -> Skill:
        """A skill, and a few steps to somewhere else if it comes to nothing."""
        if not (yield from skill):
            yield from self._ahead(15)
        return True

    def _know_station(self, name: str) -> None:
        block = RULES.block(name)
        self.memory.note([[*cell, block] for cell in cells_around(self.grid, self.cell(), block)], self.world.ticks)

    # looking for things

    @property
    def _phase(self) -> str:
        return self.directive.text.partition(", ")[2]

    def _seen(self, blocks: tuple[str, ...]) -> Cell | None:
        """The block to go for: close to the player and to the crosshair, so that turning to it settles on it."""
        best: tuple[float, Cell] | None = None
        tick = self.world.ticks
        for name in blocks:
            block = RULES.block(name)
            for cell in list(self.memory.seen.get(block, ())):
                if get_block(self.grid, *cell) != block:
                    del self.memory.seen[block][cell]
                    continue
                far = self.reach_of(cell)
                yaw, pitch = angles_to(*self.eye, cell[0] + 0.5, cell[1] + 0.5, cell[2] + 0.5)
                off = abs(wrap(yaw - float(self.p["yaw"])))
                beside = math.hypot(cell[0] + 0.5 - self.position[0], cell[2] + 0.5 - self.position[2])
                # NOTE: looking straight down nobody can tell where they face
                if beside < BESIDE_FEET and cell[1] < self.position[1]:
                    continue
                if self.memory.refused.get(cell, 0) > tick or (off > VIEW and far > NEAR):
                    continue
                # NOTE: what is under the crosshair stays it
                cost = far + 0.06 * max(off, abs(pitch - float(self.p["pitch"])))
                if best is None or cost < best[0]:
                    if self.opens_danger(cell) or self.drowned(cell):
                        self.memory.refuse(cell, tick)
                    else:
                        best = (cost, cell)
        return None if best is None else best[1]

    def _gather(self, item: str, blocks: tuple[str, ...]) -> Skill:
        """One tick of it: what is under the crosshair, what lies about, the block in view, the search for one."""
        self.memory.watch(blocks)
        hit = self.world.pointed
        if self._phase == "dig" and hit is not None and not self.opens_danger((hit.x, hit.y, hit.z)):
            self.mouse = (0.0, 0.0)
            yield ("attack", *self.afloat())
            return True
        if UNDERFOOT in blocks:
            yield self._search()
            return True
        keys, cell = gather_drops(self), self._seen(blocks)
        if keys is None and cell is not None:
            keys = approach(self, cell)
            if keys is None:
                self.memory.refuse(cell, self.world.ticks)
        yield keys if keys is not None else self._search()
        return True

    def _kill(self, mob: str) -> Skill:
        kind = RULES.mob(mob)
        index = prey(self, (kind,), 40.0)
        if index >= 0:
            return (yield from hunt(self, index))
        yield self._search()
        return True

    def _deed(self, want: Any) -> Skill:
        if want.how in ("open", "sleep", "fill") and self._phase == "look around":
            names = {"open": ("chest", "furnace", "crafting_table"), "sleep": ("white_bed",), "fill": ("water", "lava")}
            self.memory.watch(names[want.how])
            if not any(self.nearest((name,)) for name in names[want.how]):
                yield turn(self)
                return True
        if want.how in ("milk", "shear"):
            kind = RULES.mob("cow" if want.how == "milk" else "sheep")
            if prey(self, (kind,), 40.0) < 0:
                yield self._search()
                return True
        return (yield from self._or_free(perform(self, want)))

    def _search(self) -> tuple[str, ...]:
        """One tick of looking for what is not in view, in the way that the directive says."""
        phase, yaw = self._phase, float(self.p["yaw"])
        axis = round(yaw / 90.0) % 4
        keys: tuple[str, ...] | None = None
        if phase == "look down":
            keys = look_down(self)
        elif phase == "straight down":
            keys = sink(self)
            if keys is None:
                keys = advance(self, axis, -1)
        elif phase == "tunnel":
            keys = advance(self, axis, 0)
        elif phase == "climb":
            keys = advance(self, axis, 1) if self.covered() else go(self, yaw)
        elif phase != "look around":
            keys = go(self, yaw)
        return turn(self) if keys is None else keys

    def _ahead(self, ticks: int) -> Skill:
        """So many ticks over land, the way the player faces."""
        for _ in range(ticks):
            keys = go(self, float(self.p["yaw"]))
            yield turn(self) if keys is None else keys
        return True


# -- screens: the same hand for everybody ----------------------------------------------------------------------------


def _action(keys: tuple[str, ...], camera: tuple[float, float] = (0.0, 0.0)) -> Action:
    buttons = np.zeros(len(BUTTONS), np.uint8)
    for key in keys:
        buttons[BUTTON_INDEX[key]] = 1
    return Action._checked(buttons, np.array(camera, np.float32))


def _towards(world: World, x: float, y: float) -> Action:
    """The mouse on its way to a pixel: fast while far, exact when near."""
    screen = world.screen
    turn = [(y - screen.cursor_y) / PIXELS_PER_DEGREE, (x - screen.cursor_x) / PIXELS_PER_DEGREE]
    far = max(map(abs, turn))
    if far > MAX_TURN:
        turn = [part * MAX_TURN / far for part in turn]
    return _action((), (turn[0], turn[1]))


def _at_slot(world: World, directive: Directive, keys: tuple[str, ...]) -> Action:
    screen = world.screen
    x, y = LAYOUTS[screen.kind].centre(directive.slot)
    if screen.hovered == directive.slot and max(abs(x - screen.cursor_x), abs(y - screen.cursor_y)) < STEADY:
        return _action(keys)
    return _towards(world, x, y)


def _click(world: World, directive: Directive) -> Action:
    keys = {"left": ("attack",), "right": ("use",), "shift": ("sneak", "attack")}[directive.args[1]]
    return _at_slot(world, directive, keys)


def _swap(world: World, directive: Directive) -> Action:
    return _at_slot(world, directive, (f"hotbar.{directive.args[1] + 1}",))


def _drop(world: World, directive: Directive) -> Action:
    screen = world.screen
    if math.dist((screen.cursor_x, screen.cursor_y), OUTSIDE) < 40.0:
        return _action(("attack",))
    return _towards(world, *OUTSIDE)


_ON_SCREEN: dict[str, Callable[[World, Directive], Action]] = {
    "wait": lambda world, directive: _action(()),
    "open": lambda world, directive: _action(("inventory",)),
    "close": lambda world, directive: _action(("inventory",)),
    "hold": lambda world, directive: _action((f"hotbar.{directive.args[0] + 1}",)),
    "click": _click,
    "swap": _swap,
    "drop": _drop,
}
