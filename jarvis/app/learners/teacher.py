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

from jarvis.app.planner.slots import Directive
from jarvis.core.actions import BUTTON_INDEX, BUTTONS, Action
from jarvis.envs.scripted import Habits, ScriptedPlayer
from jarvis.envs.scripted.crafting import open_station, put_down
from jarvis.envs.scripted.deeds import look_away, perform
from jarvis.envs.scripted.digging import TOOL_IDS
from jarvis.envs.scripted.fighting import hunt, prey
from jarvis.envs.scripted.looking import wrap
from jarvis.envs.scripted.memory import Cell
from jarvis.envs.scripted.mining import take_block
from jarvis.envs.scripted.paths import AT
from jarvis.envs.scripted.seeking import climb, surface
from jarvis.envs.scripted.steering import walk_to
from jarvis.world.layout import MASK
from jarvis.world.menus import LAYOUTS
from jarvis.world.rules import RULES
from jarvis.world.screens import PIXELS_PER_DEGREE
from jarvis.world.world import World

__all__ = ["Teacher"]

Skill = Generator[tuple[str, ...], None, Any]
MAX_TURN = 10.0  # degrees a tick: what the action codec can say
TURN = 7.24  # degrees a tick when looking about
VIEW = 52.0  # degrees to either side: what a picture shows
NEAR = 5.0  # metres within which things are known though out of view
BESIDE = (560.0, 180.0)  # pixels of a 640 x 360 picture, outside every panel
STEADY = 6.0  # pixels from the middle of a slot at which a button is pressed


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
        held = int(self.world.slots["item"][36 + int(self.p["selected"])])
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
            yield from self._ahead(4)
        return True

    def _know_station(self, name: str) -> None:
        x, y, z = self.cell()
        block = RULES.block(name)
        near = np.argwhere(
            np.stack([
                [[self.grid.blocks[(x + dx) & MASK, (z + dz) & MASK, min(127, max(0, y + dy))] for dy in range(-4, 5)]
                 for dz in range(-5, 6)] for dx in range(-5, 6)
            ]) == block
        )  # fmt: skip
        self.memory.note([[x + a - 5, y + c - 4, z + b - 5, block] for a, b, c in near.tolist()], self.world.ticks)

    # looking for things

    @property
    def _phase(self) -> str:
        return self.directive.text.partition(", ")[2]

    def _in_view(self, cell: Cell) -> bool:
        x, _, z = self.position
        yaw = math.degrees(math.atan2(-(cell[0] + 0.5 - x), cell[2] + 0.5 - z))
        return self.reach_of(cell) < NEAR or abs(wrap(yaw - float(self.p["yaw"]))) < VIEW

    def _seen(self, blocks: tuple[str, ...]) -> Cell | None:
        """The nearest block in view or close by; what is remembered elsewhere is forgotten."""
        for _ in range(12):
            cell = self.nearest(blocks)
            if cell is None or self._in_view(cell):
                return cell
            self.memory.forget(cell)
        return None

    def _gather(self, item: str, blocks: tuple[str, ...]) -> Skill:
        self.memory.watch(blocks)
        cell = self._seen(blocks)
        if cell is not None:
            if not (yield from take_block(self, cell)):
                self.memory.refuse(cell, self.world.ticks)
            return True
        return (yield from self._search(lambda: self._seen(blocks) is not None))

    def _kill(self, mob: str) -> Skill:
        kind = RULES.mob(mob)
        index = prey(self, (kind,), 40.0)
        if index >= 0:
            return (yield from hunt(self, index))
        return (yield from self._search(lambda: prey(self, (kind,), 40.0) >= 0))

    def _deed(self, want: Any) -> Skill:
        if want.how in ("open", "sleep", "fill") and self._phase == "look around":
            names = {"open": ("chest", "furnace", "crafting_table"), "sleep": ("white_bed",), "fill": ("water", "lava")}
            self.memory.watch(names[want.how])
            if not any(self.nearest((name,)) for name in names[want.how]):
                return (yield from self._turn(lambda: False, 8))
        if want.how in ("milk", "shear"):
            kind = RULES.mob("cow" if want.how == "milk" else "sheep")
            if prey(self, (kind,), 40.0) < 0:
                return (yield from self._search(lambda: prey(self, (kind,), 40.0) >= 0))
        return (yield from self._or_free(perform(self, want)))

    def _search(self, seen: Callable[[], bool]) -> Skill:
        phase = self._phase
        if phase == "look around":
            return (yield from self._turn(seen, 8))
        if phase == "climb":
            if self.covered() and not (yield from climb(self, seen)):
                yield from self._turn(seen, 9)
            elif not self.covered():
                yield from self._ahead(8, seen)
            return True
        if phase in ("dig down", "tunnel"):
            return (yield from self._dig(-4 if phase == "dig down" else 0, seen))
        return (yield from self._ahead(12, seen))

    def _turn(self, seen: Callable[[], bool], ticks: int) -> Skill:
        """Turn right, the eyes a little down."""
        for _ in range(ticks):
            if seen():
                return True
            self.mouse = (min(3.0, max(-3.0, (8.0 - float(self.p["pitch"])) * 0.3)), TURN)
            yield self.afloat()
        return True

    def _ahead(self, far: int, seen: Callable[[], bool] = lambda: False) -> Skill:
        """Over land, the way the player faces; to the right where that does not go on."""
        x, y, z = self.cell()
        yaw = math.radians(float(self.p["yaw"]))
        for part in (1.0, 0.5):
            tx, tz = round(x - math.sin(yaw) * far * part), round(z + math.cos(yaw) * far * part)
            ty = y if self.covered() else surface(self, tx, tz)
            if RULES.table.liquid[self.grid.blocks[tx & MASK, tz & MASK, ty]]:
                continue
            before = self.cell()
            yield from walk_to(self, (tx, ty, tz), AT, 2, 4, until=seen, most=2500, weight=1.6, tries=1)
            if self.cell() != before:
                return True
        return (yield from self._turn(seen, 9))

    def _dig(self, down: int, seen: Callable[[], bool]) -> Skill:
        """Stairs or a tunnel, the way the player faces, along an axis of the world."""
        x, y, z = self.cell()
        quarter = round(float(self.p["yaw"]) / 90.0) % 4
        dx, dz = ((0, 1), (-1, 0), (0, -1), (1, 0))[quarter]
        run = max(4, -down)
        goal = (x + dx * run, y + down, z + dz * run)
        before = self.cell()
        yield from walk_to(self, goal, AT, 0, 0, until=seen, most=1500, weight=4.0, tries=1)
        if self.cell() == before and not seen():
            return (yield from self._turn(seen, 9))
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
    if math.dist((screen.cursor_x, screen.cursor_y), BESIDE) < 40.0:
        return _action(("attack",))
    return _towards(world, *BESIDE)


_ON_SCREEN: dict[str, Callable[[World, Directive], Action]] = {
    "wait": lambda world, directive: _action(()),
    "open": lambda world, directive: _action(("inventory",)),
    "close": lambda world, directive: _action(("inventory",)),
    "hold": lambda world, directive: _action((f"hotbar.{directive.args[0] + 1}",)),
    "click": _click,
    "swap": _swap,
    "drop": _drop,
}
