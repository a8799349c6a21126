"""What lies over a skill without ending it: pauses, slips of keys, steps the wrong way, glances, hops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["Overlays"]

MINUTE = 1200.0  # ticks
PAUSE_MEDIAN, PAUSE_SPREAD, PAUSE_MOST = 24.0, 0.9, 400  # ticks of a pause: log-normal


class Overlays:
    """At most one of them at a time; ``now`` is its name, empty for none."""

    def __init__(self, me: ScriptedPlayer) -> None:
        self.me, self.now, self._left, self._keys = me, "", 0, ()
        self._turn = 0.0

    def stop(self) -> None:
        """End what is under way: something is more important."""
        self.now, self._left = "", 0

    def step(self) -> tuple[str, ...] | None:
        """The keys of this tick, or None to let the skill go on."""
        me = self.me
        if self._left > 0:
            self._left -= 1
            if self.now == "idle" and self._turn and me.random.random() < 0.2:
                me.eyes.face(float(me.p["yaw"]) + self._turn, float(me.p["pitch"]) + 0.3 * self._turn, 0.5)
            return self._keys
        if self.now:
            self.now = ""
        habits = me.habits
        if me.world.screen.is_open:
            if me.random.random() < self._pause_rate() * 0.5 and not me.world.screen.carried[0]:
                return self._begin("idle", self._pause(), ())
            return None
        if not me.p["on_ground"] or me.p["in_water"]:
            return None
        draw = float(me.random.random()) * MINUTE
        if draw < self._pause_rate() * MINUTE:
            me.eyes.rest()
            self._turn = float(me.random.normal()) * 4.0 if me.random.random() < 0.4 else 0.0
            return self._begin("idle", self._pause(), ())
        draw -= self._pause_rate() * MINUTE
        if draw < habits.key_slips:
            return self._begin("key_slip", int(me.random.integers(1, 4)), ())
        draw -= habits.key_slips
        if draw < habits.missteps:
            if me.safe_to_stray():
                keys = (("left",), ("right",), ("back",))[int(me.random.integers(3))]
                return self._begin("misstep", int(me.random.integers(3, 7)), keys)
            return None
        draw -= habits.missteps
        if draw < habits.glances and me.safe_to_stray():
            side = 1 if me.random.random() < 0.5 else -1
            yaw = float(me.p["yaw"]) + side * float(me.random.uniform(40, 170))
            me.eyes.face(yaw, float(me.random.uniform(-10, 15)))
            return self._begin("glance", int(me.random.integers(7, 16)), ())
        draw -= habits.glances
        if draw < habits.hops and me.safe_to_stray():
            return self._begin("hop", 2, ("jump",))
        return None

    def _pause_rate(self) -> float:
        # chance to begin a pause in a tick, from the share of time that pauses shall fill
        mean = PAUSE_MEDIAN * math.exp(PAUSE_SPREAD**2 / 2)
        share = min(0.9, self.me.habits.idle_share)
        return share / (1.0 - share) / mean

    def _pause(self) -> int:
        drawn = PAUSE_MEDIAN * math.exp(PAUSE_SPREAD * float(self.me.random.normal()))
        return int(min(PAUSE_MOST, max(3.0, drawn)))

    def _begin(self, name: str, ticks: int, keys: tuple[str, ...]) -> tuple[str, ...]:
        self.now, self._left, self._keys = name, ticks - 1, keys
        return keys
