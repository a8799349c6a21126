"""What a picture is made from: the camera, the hour and everything that moves, gathered by the world once a tick."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jarvis.world.layout import DROP, MISSILE, MOB

FLYING_BLOCK = 4  # MISSILE.kind of a falling block


class View(NamedTuple):
    """One moment as seen by the player. Angles in degrees, positions in metres, times in ticks."""

    x: float = 0.0
    y: float = 80.0  # of the eye
    z: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    time: int = 6000  # of the world: 0 sunrise, 6000 noon, 18000 midnight; days count on (the moon, the clouds)
    tick: int = 0  # moves water, lava, fire and rain
    rain: float = 0.0  # 0 .. 1
    cold: bool = False  # it snows instead
    gamma: float = 2.0  # brightness setting; MineRL plays at 2
    clouds: bool = True
    mobs: np.ndarray = np.zeros(0, MOB)
    drops: np.ndarray = np.zeros(0, DROP)
    missiles: np.ndarray = np.zeros(0, MISSILE)
    pointed: tuple[int, int, int] | None = None  # cell in reach under the crosshair: outlined
    cracked: tuple[int, int, int] | None = None  # cell being mined
    crack_stage: int = -1  # 0 .. 9 of that cell, -1 none
    hand: bool = True  # draw the hand or what it holds
    held: int = 0  # item id, 0 the bare hand
    swing: float = 0.0  # 0 .. 1 through a swing of the arm
    raised: float = 1.0  # 1 in place, towards 0 while changing to another item
    using: float = 0.0  # ticks the held item has been used (eating, drawing a bow)
    walk_phase: float = 0.0
    walk_speed: float = 0.0  # 0 .. 1: how far the hand sways
    hurt: float = 0.0  # 0 .. 1 red tint
    burning: bool = False
