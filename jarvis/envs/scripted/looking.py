"""The camera of a person: quick jumps of the eye at a smooth speed, small corrections, slow pursuit, a mouse's counts.

    eyes.at(x, y, z)                  # or eyes.face(yaw, pitch); again every tick while the target moves
    pitch, yaw = eyes.step(player)    # degrees of this tick

A jump follows the minimum-jerk profile 10 t^3 - 15 t^4 + 6 t^5, lasts longer the longer it is, ends a little beside its
target and is corrected. Turns are whole counts of a mouse, 0.15 degrees each, as recordings of people have.
"""

from __future__ import annotations

import math

import numpy as np

from jarvis.envs.scripted.habits import Habits

__all__ = ["COUNT", "Eyes", "angles_to", "wrap"]

COUNT = 0.15  # degrees of one count of the mouse
PURSUIT = 7.0  # degrees below which the eye follows instead of jumping


def wrap(angle: float) -> float:
    """An angle in degrees within -180 .. 180."""
    return (angle + 180.0) % 360.0 - 180.0


def angles_to(ex: float, ey: float, ez: float, x: float, y: float, z: float) -> tuple[float, float]:
    """(yaw, pitch) in degrees of the look from an eye to a point, metres."""
    dx, dy, dz = x - ex, y - ey, z - ez
    return math.degrees(math.atan2(-dx, dz)), -math.degrees(math.atan2(dy, math.hypot(dx, dz)))


def smooth(t: float) -> float:
    """Share of a minimum-jerk movement that is done at share t of its time."""
    return t * t * t * (10.0 - 15.0 * t + 6.0 * t * t)


class Eyes:
    """Where the player looks and how it gets there."""

    def __init__(self, habits: Habits, random: np.random.Generator) -> None:
        self.habits, self.random = habits, random
        self._point: tuple[float, float, float] | None = None
        self._angles: tuple[float, float] | None = None
        self._length = self._done = 0  # ticks of the jump under way
        self._left = 0.0  # degrees that the jump under way should still have to go
        self._miss = (0.0, 0.0)  # yaw, pitch by which it will end beside the target
        self._rest = [0.0, 0.0]  # yaw, pitch not yet turned, less than a count
        self.speed = 1.0  # below 1: leisurely

    def at(self, x: float, y: float, z: float, speed: float = 1.0) -> None:
        """Look at a point in metres."""
        self._point, self._angles, self.speed = (x, y, z), None, speed

    def face(self, yaw: float, pitch: float, speed: float = 1.0) -> None:
        """Look in a direction, degrees."""
        self._point, self._angles, self.speed = None, (yaw, min(90.0, max(-90.0, pitch))), speed

    def rest(self) -> None:
        """Leave the view where it is."""
        self._point = self._angles = None
        self._length = 0

    def error(self, player: np.void) -> tuple[float, float]:
        """(yaw, pitch) in degrees still to turn."""
        if self._point is not None:
            eye = float(player["x"]), float(player["y"] + player["eye_height"]), float(player["z"])
            yaw, pitch = angles_to(*eye, *self._point)
        elif self._angles is not None:
            yaw, pitch = self._angles
        else:
            return 0.0, 0.0
        return wrap(yaw - float(player["yaw"])), pitch - float(player["pitch"])

    def step(self, player: np.void) -> tuple[float, float]:
        """(pitch, yaw) degrees to turn in this tick."""
        yaw, pitch = self.error(player)
        size = math.hypot(yaw, pitch)
        if size == 0.0:
            return 0.0, 0.0
        if size > PURSUIT and (self._length == 0 or size > self._left + PURSUIT):
            self._begin(yaw, pitch, size)  # anew, if the target is another one
        if self._length:
            before, now = smooth(self._done / self._length), smooth((self._done + 1) / self._length)
            share = (now - before) / max(1e-6, 1.0 - before)
            turn_yaw, turn_pitch = (yaw + self._miss[0]) * share, (pitch + self._miss[1]) * share
            self._left = size * (1.0 - share)
            self._done += 1
            if self._done >= self._length:
                self._length = 0
        else:
            gain = 0.6 * self.speed if size > 0.5 else 1.0
            turn_yaw, turn_pitch = yaw * gain, pitch * gain
        if self.habits.tremor and size > 0.4:
            turn_yaw += self.random.normal() * self.habits.tremor
            turn_pitch += self.random.normal() * self.habits.tremor
        turn = math.hypot(turn_yaw, turn_pitch)
        if turn > self.habits.max_turn:
            turn_yaw, turn_pitch = (part * self.habits.max_turn / turn for part in (turn_yaw, turn_pitch))
        return self._count(1, turn_pitch), self._count(0, turn_yaw)

    def _begin(self, yaw: float, pitch: float, size: float) -> None:
        # Fitts: two ticks and one more for every 14 degrees, never above the fastest turn
        ticks = max(2.0 + size / 14.0, 1.9 * size / self.habits.max_turn) / self.speed
        if self.habits.aim_error:
            ticks *= math.exp(0.15 * self.random.normal())
            along, across = self.random.normal(size=2) * self.habits.aim_error * size
            ux, uy = yaw / size, pitch / size
            self._miss = (ux * along - uy * across * 0.5, uy * along + ux * across * 0.5)
        else:
            self._miss = (0.0, 0.0)
        self._length, self._done = max(2, round(ticks)), 0

    def _count(self, axis: int, degrees: float) -> float:
        degrees += self._rest[axis]
        whole = round(degrees / COUNT) * COUNT
        self._rest[axis] = 0.0 if abs(degrees - whole) > COUNT else degrees - whole
        return whole
