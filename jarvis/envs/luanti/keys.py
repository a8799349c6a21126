"""From an Action to what a keyboard and a mouse do, as the X server is told it.

The mouse moves 6.667 pixels a degree at 640 pixels of width, in the world and in screens, as in MineRL. What is left
over from rounding goes to the next tick, so that no turn is lost.
"""

from __future__ import annotations

from typing import NamedTuple

from jarvis.core.actions import Action

__all__ = ["DEGREES_PER_PIXEL", "KEYS", "UNDELIVERED", "Hands", "Input"]

DEGREES_PER_PIXEL = 360 / 2400
REFERENCE_WIDTH = 640  # of the window in which screens have that many degrees a pixel

# Names of X keysyms; `settings.py` binds them to what they do.
KEYS = {
    "forward": "w", "back": "s", "left": "a", "right": "d", "jump": "space", "sneak": "Shift_L", "sprint": "e",
    "drop": "q", "inventory": "i", "ESC": "Escape", **{f"hotbar.{slot}": str(slot) for slot in range(1, 9)},
}  # fmt: skip
MOUSE = {"attack": 1, "use": 3}  # X's numbers of the buttons
UNDELIVERED = ("hotbar.9", "swapHands", "pickItem")  # there is nothing like it: the hotbar has eight slots


class Input(NamedTuple):
    """One event: ("key", keysym, down), ("button", number, down) or ("move", (x, y), True) in the window's pixels."""

    kind: str
    what: str | int | tuple[int, int]
    down: bool


class Hands:
    """What is held, and where the cursor is, from tick to tick."""

    def __init__(self, width: int, height: int) -> None:
        """Of the window, in pixels."""
        self.width, self.height = width, height
        self.centre = (width // 2, height // 2)
        self.cursor = self.centre  # in a screen
        self.undelivered: dict[str, int] = {}  # presses that mean nothing there, since `begin`
        self._held: dict[tuple[str, str | int], bool] = {}
        self._rest = [0.0, 0.0]  # x, y pixels not yet moved
        self._pressed: frozenset[str] = frozenset()

    def begin(self) -> None:
        """Forgets the last episode; keys that are held stay so until the next action."""
        self.undelivered, self._rest, self._pressed = {}, [0.0, 0.0], frozenset()

    def play(self, action: Action, screen_open: bool) -> list[Input]:
        """The events of one tick, in their order: keys, then the mouse, then its buttons.

        screen_open: whether the game shows an inventory or the like, as the last picture did.
        """
        pressed = set(action.pressed)
        ignored = set(UNDELIVERED)
        if not screen_open:
            ignored.add("ESC")  # it would open the menu by which one leaves the game
        elif "ESC" in pressed:
            pressed.discard("inventory")  # either closes the screen; both would open that menu
        for name in sorted(pressed & ignored - self._pressed):
            self.undelivered[name] = self.undelivered.get(name, 0) + 1
        self._pressed = frozenset(action.pressed)
        pressed -= ignored

        events = self._change("key", {key: name in pressed for name, key in KEYS.items()})
        events += self._move(action.camera.tolist(), screen_open)
        return events + self._change("button", {number: name in pressed for name, number in MOUSE.items()})

    def _change(self, kind: str, wanted: dict[str, bool] | dict[int, bool]) -> list[Input]:
        events = []
        for what, down in wanted.items():
            if self._held.get((kind, what), False) != down:
                self._held[kind, what] = down
                events.append(Input(kind, what, down))
        return sorted(events, key=lambda event: event.down)  # what is let go comes first

    def _move(self, camera: list[float], screen_open: bool) -> list[Input]:
        pitch, yaw = camera
        scale = self.width / REFERENCE_WIDTH if screen_open else 1.0
        whole = []
        for axis, degrees in enumerate((yaw, pitch)):
            wanted = degrees / DEGREES_PER_PIXEL * scale + self._rest[axis]
            whole.append(round(wanted))
            self._rest[axis] = wanted - whole[axis]
        if not screen_open:
            self.cursor = self.centre  # where a screen will find it
            if whole == [0, 0]:
                return []
            return [Input("move", (self.centre[0] + whole[0], self.centre[1] + whole[1]), True)]
        was = self.cursor
        x, y = was[0] + whole[0], was[1] + whole[1]
        self.cursor = (min(max(x, 0), self.width - 1), min(max(y, 0), self.height - 1))
        return [] if self.cursor == was else [Input("move", self.cursor, True)]
