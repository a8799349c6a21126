"""What lies over a skill without ending it: pauses, slips of keys, steps the wrong way, glances, hops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jarvis.envs.scripted.steering import heading_keys

if TYPE_CHECKING:
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["Overlays"]

MINUTE = 1200.0  # ticks
PAUSE_MEDIAN, PAUSE_SPREAD, PAUSE_MOST = 24.0, 0.9, 400  # ticks of a pause: log-normal


class Overlays:
    """At most one of them at a time; ``now`` is its name, empty for none."""

    def __init__(self, me: ScriptedPlayer) -> None:
        self.me, self.now, self._left = me, "", 0
        self._keys: tuple[str, ...] = ()
        self._turn = 0.0
        self._way: tuple[float, float] | None = None  # direction of walking during a glance

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
            if self.now == "glance":
                return self._walk_on()
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
        if me.p["mining"] and me.p["mine_progress"] > 0.25:
            return None  # what is half broken would be whole again
        # hands that are busy are seldom taken away
        draw = float(me.random.random()) * MINUTE * (2.5 if me.p["mining"] else 1.0)
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
            vx, vz = float(me.p["vx"]), float(me.p["vz"])
            self._way = (vx, vz) if math.hypot(vx, vz) > 0.06 else None
            self._begin("glance", int(me.random.integers(7, 16)), ())
            return self._walk_on()
        draw -= habits.glances
        if draw < habits.hops and me.safe_to_stray():
            return self._begin("hop", 2, ("jump",))
        return None

    def _walk_on(self) -> tuple[str, ...]:
        # the feet go on where they went while the head turns
        me = self.me
        if self._way is None or not me.clear_ahead(*self._way) or not me.safe_to_stray():
            return ()
        return heading_keys(me, *self._way)

    def changes_mind(self) -> bool:
        """Whether to give up now what is being done; only where that does no harm."""
        me = self.me
        if me.random.random() * MINUTE >= me.habits.abandon or me.world.screen.is_open:
            return False
        return bool(me.p["on_ground"]) and not me.p["in_water"] and me.safe_to_stray() and not me.lava_near(3)

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
