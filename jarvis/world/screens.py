"""The screens in which a mouse moves items: inventory, crafting table, furnace and chest, as in Minecraft 1.16.5.

    screen = Screen(player_slots)
    screen.open("crafting_table", held=buttons_of_this_tick)
    for happening in screen.tick(buttons, camera):      # every tick while it is open
        world.handle(happening)
    for happening in screen.close():                    # what lay on the cursor, or has no room, is dropped
        world.handle(happening)

The picture is 640 x 360 pixels at GUI scale 1, whatever size it is drawn at. The cursor starts in its middle and moves
by 2400 / 360 pixels a degree. `attack` is the left button, `use` the right one, `sneak` is shift, `sprint` is control.
In a tick the cursor moves first, then buttons are released, then pressed, then keys act on the slot under the cursor.
Slots are numbered as menus.py says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jarvis.core.actions import BUTTON_INDEX, BUTTONS
from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.world.inventory import HOTBAR, MAIN, OFFHAND
from jarvis.world.layout import STACK
from jarvis.world.menus import EMPTY, HEIGHT, LAYOUTS, LEFT, NOWHERE, RIGHT, WIDTH, Happening, Layout, Menu, Stack

__all__ = ["HEIGHT", "LAYOUTS", "PIXELS_PER_DEGREE", "WIDTH", "Happening", "HudView", "Layout", "Screen"]

PIXELS_PER_DEGREE = 2400 / 360
DOUBLE_CLICK_TICKS = 5  # a second click sooner than this (250 ms) makes a double click
OUTSIDE = -999  # beside the panel

_ATTACK, _USE, _SNEAK, _SPRINT, _DROP, _SWAP = (
    BUTTON_INDEX[name] for name in ("attack", "use", "sneak", "sprint", "drop", "swapHands")
)
_MOUSE = ((_ATTACK, LEFT), (_USE, RIGHT))
_FIRST_HOTBAR = BUTTON_INDEX["hotbar.1"]
_NO_CLICK = (-1000, NOWHERE, LEFT)


class Screen(Menu):
    """The open screen, if any, and the mouse on it."""

    def __init__(self, slots: np.ndarray) -> None:
        super().__init__(slots)
        self._reset("")

    def _reset(self, kind: str) -> None:
        self.kind = kind
        self.cursor_x, self.cursor_y = WIDTH / 2, HEIGHT / 2  # pixels of the picture
        self.carried = EMPTY
        self._held = np.zeros(len(BUTTONS), np.uint8)
        self._down = -1  # mouse button that is down
        self._dragging = False  # it went down with something on the cursor
        self._drag_button = LEFT
        self._drag_slots: list[int] = []
        self._skip_release = False  # the press has done what there was to do
        self._double = False
        self._ticks = 0
        self._last_click = _NO_CLICK  # tick, slot, button
        self._last_moved: Stack = EMPTY  # what the last shift-click was on

    @property
    def is_open(self) -> bool:
        """Whether there is a screen."""
        return self.kind != ""

    def open(self, kind: str, container: np.ndarray | None = None, held: np.ndarray | None = None) -> None:
        """Open a screen with the cursor in the middle of the picture.

        kind: player, crafting_table, furnace or chest. container: (1,) FURNACE or (27,) STACK for the last two, changed
        in place. held: (23,) buttons that are down now, which count as pressed again only after a release.
        """
        if kind not in LAYOUTS:
            raise UnknownNameError("screen", kind, nearest_names(kind, LAYOUTS))
        if self.kind:
            raise ValueError(f"screen {kind!r}: {self.kind!r} is open, close it first")
        self._reset(kind)
        try:
            self.attach(container)
        except ValueError:
            self.kind = ""
            raise
        if held is not None:
            self._held = np.array(held, np.uint8)

    def close(self) -> list[Happening]:
        """Close the screen: the carried stack is dropped, a crafting grid returns to the inventory if it fits."""
        if not self.kind:
            return []
        happenings = self._happenings = []
        if self.carried[0]:
            self._drop(self.carried)
        self.empty_grid()
        self.box = self.furnace = None
        self._reset("")
        return happenings

    # what can be seen

    def slot_at(self, x: float, y: float) -> int:
        """The slot that a cursor at pixel (x, y) of the picture points at, -1 for none."""
        layout = self.layout
        column, row = int(x // 1) - layout.left, int(y // 1) - layout.top
        if not (0 <= column < layout.width and 0 <= row < layout.height):
            return NOWHERE
        return int(layout.slot_map[row, column])

    @property
    def hovered(self) -> int:
        """The slot under the cursor, -1 for none."""
        return self.slot_at(self.cursor_x, self.cursor_y)

    def stacks(self) -> np.ndarray:
        """(slots of the screen,) STACK as drawn: during a drag, as releasing the button now would leave them."""
        if self.kind == "player":
            shown = self.slots.copy()
        else:
            own = self.table if self.kind == "crafting_table" else self.box
            shown = np.empty(len(self._places), STACK)  # NOTE: concatenating records takes ten times as long
            shown[: self.layout.main] = own
            shown[self.layout.main :] = self.slots[MAIN:OFFHAND]
        if len(self._drag_slots) > 1:
            for slot, count in self.drag_counts(self._drag_slots, self._drag_button):
                shown[slot] = (self.carried[0], count, self.carried[2])
        return shown

    def shown_carried(self) -> Stack:
        """The stack drawn at the cursor: during a drag, what releasing the button now would leave."""
        item, count, damage = self.carried
        if len(self._drag_slots) > 1:
            counts = self.drag_counts(self._drag_slots, self._drag_button)
            count -= sum(after - self._get(slot)[1] for slot, after in counts)
        return (item, count, damage)

    @property
    def dragged(self) -> tuple[int, ...]:
        """The slots that a drag has gone over so far."""
        return tuple(self._drag_slots)

    # a tick

    def tick(self, buttons: np.ndarray, camera: Sequence[float]) -> list[Happening]:
        """One tick of the (23,) BUTTONS and the camera (pitch, yaw) in degrees. Does nothing while closed."""
        if not self.kind:
            return []
        happenings = self._happenings = []
        self._ticks += 1
        pitch, yaw = float(camera[0]), float(camera[1])
        if pitch or yaw:
            self._drag_over()
            self.cursor_x = min(max(self.cursor_x + yaw * PIXELS_PER_DEGREE, 0.0), WIDTH - 1.0)
            self.cursor_y = min(max(self.cursor_y + pitch * PIXELS_PER_DEGREE, 0.0), HEIGHT - 1.0)
            self._drag_over()
        held = self._held
        if (buttons != held).any():
            shift = bool(buttons[_SNEAK])
            for index, button in _MOUSE:
                if held[index] and not buttons[index]:
                    self._release(button, shift)
            for index, button in _MOUSE:
                if buttons[index] and not held[index]:
                    self._press(button, shift)
            self._keys(buttons, held)
            self._held = np.array(buttons, np.uint8)
        return happenings

    def _keys(self, buttons: np.ndarray, held: np.ndarray) -> None:
        slot = self.hovered
        if slot == NOWHERE:
            return
        for number in range(9):
            if buttons[_FIRST_HOTBAR + number] and not held[_FIRST_HOTBAR + number]:
                self.swap(slot, HOTBAR + number)
        if buttons[_SWAP] and not held[_SWAP]:
            self.swap(slot, OFFHAND)
        if buttons[_DROP] and not held[_DROP]:
            self.throw(slot, bool(buttons[_SPRINT]))

    def _target(self) -> int:
        layout = self.layout
        column, row = self.cursor_x - layout.left, self.cursor_y - layout.top
        inside = 0 <= column < layout.width and 0 <= row < layout.height
        return self.hovered if inside else OUTSIDE

    def _press(self, button: int, shift: bool) -> None:
        target = self._target()
        self._down = button
        tick, slot, last_button = self._last_click
        self._double = slot == target >= 0 and self._ticks - tick < DOUBLE_CLICK_TICKS and last_button == button
        self._last_click = (self._ticks, target, button)
        self._skip_release = False
        if target == NOWHERE or self._dragging:
            return
        if self.carried[0]:  # put down on release: until then it may become a drag
            self._dragging, self._drag_button, self._drag_slots = True, button, []
            return
        self._skip_release = True
        if target != OUTSIDE:
            self._click(target, button, shift)

    def _click(self, slot: int, button: int, shift: bool) -> None:
        if shift:
            self._last_moved = self._get(slot)
            self.quick_move(slot)
        else:
            self.pick_up(slot, button)

    def _drag_over(self) -> None:
        if not self._dragging or self._down < 0:
            return
        slot, slots = self.hovered, self._drag_slots
        if slot >= 0 and slot not in slots and self.carried[1] > len(slots) and self.accepts(slot):
            slots.append(slot)

    def _release(self, button: int, shift: bool) -> None:
        target = self._target()
        self._down = -1
        dragging, slots = self._dragging, self._drag_slots
        if self._double and target >= 0 and button == LEFT and target != self.result_slot():
            if shift:
                self.move_all_like(target, self._last_moved)
            else:
                self.collect(target)
            self._double = False
            self._last_click = _NO_CLICK
        elif dragging and self._drag_button != button:
            self._dragging, self._drag_slots = False, []  # the other button calls a drag off
            self._skip_release = True
            return
        elif self._skip_release:
            self._skip_release = False
            return
        elif dragging and slots:
            self.spread(slots, self._drag_button)
        elif self.carried[0]:
            if target == OUTSIDE:
                self.throw_carried(button)
            elif target >= 0:
                self._click(target, button, shift)
        if not self.carried[0]:
            self._last_click = _NO_CLICK
        self._dragging, self._drag_slots = False, []

    # snapshots

    def state(self) -> dict[str, Any]:
        """Everything but the player's slots and the open container, which belong to the world: numbers and an array."""
        return {
            "kind": self.kind,
            "cursor": (self.cursor_x, self.cursor_y),
            "carried": self.carried,
            "table": self.table.copy(),
            "held": self._held.copy(),
            "drag": (self._down, self._dragging, self._drag_button, tuple(self._drag_slots)),
            "click": (self._skip_release, self._double, self._ticks, self._last_click),
            "last_moved": self._last_moved,
        }

    def restore(self, state: dict[str, Any], container: np.ndarray | None = None) -> None:
        """Go back to a ``state()``; ``container`` is the world's furnace or chest if one of those was open."""
        self._reset(state["kind"])
        self.cursor_x, self.cursor_y = state["cursor"]
        self.carried = state["carried"]
        self.table[:] = state["table"]
        self._held = state["held"].copy()
        self._down, self._dragging, self._drag_button, slots = state["drag"]
        self._drag_slots = list(slots)
        self._skip_release, self._double, self._ticks, self._last_click = state["click"]
        self._last_moved = state["last_moved"]
        self.box = self.furnace = None
        if self.kind:
            self.attach(container)


class HudView(NamedTuple):
    """What the display over the picture is drawn from (hud.py)."""

    player: np.ndarray  # (1,) PLAYER
    slots: np.ndarray  # (46,) STACK
    screen: Screen | None = None
    tick: int = 0  # moves what trembles: hearts when few are left, food when it is used up
