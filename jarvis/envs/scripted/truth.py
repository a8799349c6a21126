"""The player's own log: what it was doing in each tick, at what, and where that was in the picture.

Coarse names change when the purpose changes (``mine oak_log`` to ``craft stick``); fine names also change with a new
target or a new part of the work (``walk``, ``dig``, ``collect``). A second tree is a fine boundary, not a coarse one.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

__all__ = ["Truth", "project"]

WIDTH, HEIGHT = 640, 360


@dataclass(frozen=True)
class Truth:
    """One tick of the log. ``point`` is (x, y) in pixels of a 640 x 360 picture, None when outside."""

    tick: int
    coarse: str
    fine: str
    target: str = ""  # a block, mob or slot by name
    cell: tuple[int, int, int] | None = None  # of a block
    mob: int | None = None  # uid
    point: tuple[float, float] | None = None
    habit: str = ""  # the pause, slip or glance that overlays the skill, if any

    def to_json(self) -> dict[str, Any]:
        """The fields that say something."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


def project(player: np.void, x: float, y: float, z: float, fov: float = 70.0) -> tuple[float, float] | None:
    """Where a point in metres is in the 640 x 360 picture of a player's view (fov degrees high); None if outside."""
    yaw, pitch = math.radians(float(player["yaw"])), math.radians(float(player["pitch"]))
    dx, dy, dz = x - float(player["x"]), y - float(player["y"] + player["eye_height"]), z - float(player["z"])
    sin_yaw, cos_yaw, sin_pitch, cos_pitch = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
    ahead = -sin_yaw * cos_pitch * dx - sin_pitch * dy + cos_yaw * cos_pitch * dz
    if ahead < 0.05:
        return None
    right = -cos_yaw * dx - sin_yaw * dz
    up = -sin_yaw * sin_pitch * dx + cos_pitch * dy + cos_yaw * sin_pitch * dz
    focal = HEIGHT / 2 / math.tan(math.radians(fov / 2))  # pixels
    px, py = WIDTH / 2 + focal * right / ahead, HEIGHT / 2 - focal * up / ahead
    if not (0 <= px < WIDTH and 0 <= py < HEIGHT):
        return None
    return round(px, 1), round(py, 1)
