"""A person as a policy: keys and mouse that arrive from a page become one action a tick.

    hands = Hands()
    hands.hear([["down", "forward"], ["turn", 12, -3]])     # any thread, whenever something happens
    action = hands.take()                                   # once a tick

Nothing is lost and nothing is invented: every press shows in at least one tick and so does every release, and mouse
counts are summed exactly, 0.15 degrees each as in Minecraft at default sensitivity.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from jarvis.core.actions import BUTTON_INDEX, BUTTONS, CAMERA_LIMIT, HOTBAR, Action
from jarvis.core.errors import ActionError, UnknownNameError, nearest_names
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation

__all__ = ["DEGREES_PER_COUNT", "Hands", "HumanPolicy"]

DEGREES_PER_COUNT = 0.15  # Minecraft's default sensitivity
_MOST_COUNTS = 1e6  # of one message; a mouse never sends as many
_MOST_WAITING = 8  # presses and releases of one key that have not been played yet


class Hands:
    """What a person holds down, and how far the mouse went since the last tick. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = [False] * len(BUTTONS)
        self._coming: list[deque[bool]] = [deque() for _ in BUTTONS]  # presses and releases, one is played each tick
        self._right = self._down = 0.0  # mouse counts
        self.selected = 0  # hotbar slot 0 to 8, as far as keys tell
        self.in_screen = False  # the wheel does nothing there, and hotbar keys move items

    def hear(self, events: Iterable[Any]) -> None:
        """Takes what happened, in order. Raises ActionError for an event that is not one of these, and keeps none:

        ["down", button], ["up", button], ["turn", right, down] in mouse counts, ["wheel", notches] (down is positive),
        ["release"]: everything.
        """
        events = [_checked(event) for event in events]
        with self._lock:
            for kind, *values in events:
                if kind == "turn":
                    self._right += values[0]
                    self._down += values[1]
                elif kind == "wheel":
                    if not self.in_screen:
                        self._select((self.selected + values[0]) % len(HOTBAR))
                elif kind == "release":
                    self._release()
                else:
                    if kind == "down" and values[0] in HOTBAR and not self.in_screen:
                        self.selected = HOTBAR.index(values[0])
                    self._move(BUTTON_INDEX[values[0]], kind == "down")

    def _move(self, button: int, down: bool) -> None:
        coming = self._coming[button]
        if (coming[-1] if coming else self._held[button]) != down and (len(coming) < _MOST_WAITING or not down):
            coming.append(down)

    def _select(self, slot: int) -> None:
        self.selected = slot
        button = BUTTON_INDEX[HOTBAR[slot]]
        self._move(button, True)
        self._move(button, False)

    def _release(self) -> None:
        for button in range(len(BUTTONS)):
            self._move(button, False)
        self._right = self._down = 0.0

    def forget(self) -> None:
        """Everything, as at the beginning of an episode."""
        with self._lock:
            self._held = [False] * len(BUTTONS)
            for coming in self._coming:
                coming.clear()
            self._right = self._down = 0.0
            self.selected = 0

    def take(self) -> Action:
        """The action of this tick. Turns beyond 180 degrees wait for the next one."""
        with self._lock:
            for button, coming in enumerate(self._coming):
                if coming:
                    self._held[button] = coming.popleft()
            most = CAMERA_LIMIT / DEGREES_PER_COUNT
            right, down = max(-most, min(most, self._right)), max(-most, min(most, self._down))
            self._right -= right
            self._down -= down
            pressed = [name for name, held in zip(BUTTONS, self._held, strict=True) if held]
        return Action.of(*pressed, camera=(down * DEGREES_PER_COUNT, right * DEGREES_PER_COUNT))


def _checked(event: Any) -> list[Any]:
    """The event as it is meant, or ActionError."""
    if not isinstance(event, list) or not event:
        raise ActionError(f"expected an event such as ['down', 'forward'], got {event!r:.100}")
    kind, *values = event
    if kind in ("down", "up") and len(values) == 1 and isinstance(values[0], str):
        if values[0] not in BUTTON_INDEX:
            raise UnknownNameError("button", values[0], nearest_names(values[0], BUTTONS))
    elif kind in ("turn", "wheel"):
        if len(values) != (2 if kind == "turn" else 1) or not all(_is_count(value, kind) for value in values):
            raise ActionError(f"{kind}: {values!r:.100}, expected {'two' if kind == 'turn' else 'whole'} mouse counts")
    elif kind != "release" or values:
        raise ActionError(f"expected down, up, turn, wheel or release, got {event!r:.100}")
    return event


def _is_count(value: Any, kind: str) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and abs(value) <= _MOST_COUNTS and (kind == "turn" or value == int(value))


class HumanPolicy:
    """One person, one row. The page that shows the game fills `hands`; act() never waits."""

    def __init__(self, hands: Hands | None = None) -> None:
        if hands is None:
            raise ValueError("policy 'human' plays through a page: jarvis play --policy human")
        self.hands = hands

    def reset(
        self,
        goals: Sequence[Goal | None],
        *,
        rows: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """As in the Policy protocol, for the one row there is."""
        if len(goals) != 1 or (rows is not None and list(rows) != [0]):
            raise ValueError(f"policy 'human' plays one row, got {len(goals)} goals for rows {rows}")
        self.hands.forget()

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """What the person does in this tick."""
        if len(observations) != 1:
            raise ValueError(f"policy 'human' plays one row, got {len(observations)} observations")
        return [self.hands.take()]
