"""What is true of a picture of the voxel world: what is seen where, what is carried, how the player is.

    sight = look(env)                            # of the last picture of a VoxelEnv
    sight.crosshair                              # "oak_log", or None
    [(spot.name, spot.x, spot.y) for spot in sight.spots]

Seen is what a ray from the eye meets first: blocks on a grid of rays, animals and monsters at their middles. Points are
shares of the picture, 0 to 1, to the right and down. It only reads the world. For questions and tests, never for play.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from jarvis.world import ids
from jarvis.world.inventory import HOTBAR
from jarvis.world.layout import get_block
from jarvis.world.picking import look_vector, pick_block
from jarvis.world.render import ASPECT
from jarvis.world.rules import RULES

__all__ = ["Sight", "Spot", "look"]

FAR = 24.0  # metres; what is further away is too small to be asked for
COLUMNS, ROWS = 16, 9  # of rays
REACH = float(RULES.player["reach_block"])


@dataclass(frozen=True)
class Spot:
    """One thing in the picture."""

    name: str
    kind: str  # block or mob
    x: float  # share of the width
    y: float  # share of the height
    distance: float  # metres from the eye


@dataclass(frozen=True)
class Sight:
    """What there is to be known about one picture."""

    crosshair: str | None  # the block in reach under the crosshair
    spots: tuple[Spot, ...]  # the nearest of each kind of block, and every mob that is not hidden
    hotbar: tuple[tuple[str, int], ...]  # nine of (item, count); ("", 0) is empty
    selected: int  # 1 to 9
    health: float  # 0 to 20
    food: int  # 0 to 20
    biome: str
    is_day: bool
    screen: bool  # whether one is open


def look(env: Any) -> Sight:
    """The truth about what a VoxelEnv shows now."""
    from jarvis.world.terrain import BIOMES

    world = env.world
    player = world.player[0]
    slots = world.slots[HOTBAR : HOTBAR + 9].tolist()
    pointed = None if world.screen.is_open else world.view().pointed
    return Sight(
        crosshair=None if pointed is None else RULES.blocks[get_block(world.grid, *pointed)],
        spots=() if world.screen.is_open else tuple(_spots(world, env.renderer.half_height)),
        hotbar=tuple((RULES.items[item], count) if item else ("", 0) for item, count, _ in slots),
        selected=int(player["selected"]) + 1,
        health=float(player["hp"]),
        food=math.ceil(player["food"]),
        biome=BIOMES[world.biome()],
        is_day=world.time % 24000 < 12500,
        screen=bool(world.screen.is_open),
    )


def _spots(world: Any, half: float) -> list[Spot]:
    """half: the tangent of half the view's height."""
    player, eye = world.player[0], world.eye()
    ahead = np.array(look_vector(float(player["yaw"]), float(player["pitch"])))
    right = np.array(look_vector(float(player["yaw"]) + 90.0, 0.0))
    up = np.cross(right, ahead)
    up = up if up[1] >= 0 else -up
    nearest: dict[str, Spot] = {}
    for row in range(ROWS):
        for column in range(COLUMNS):
            x, y = (column + 0.5) / COLUMNS, (row + 0.5) / ROWS
            ray = ahead + right * ((2 * x - 1) * half * ASPECT) + up * ((1 - 2 * y) * half)
            ray /= np.linalg.norm(ray)
            hit = pick_block(world.grid, eye, tuple(ray.tolist()), FAR)
            if hit is None:
                continue
            block = get_block(world.grid, hit.x, hit.y, hit.z)
            name = RULES.blocks[block]
            if block != ids.AIR and (name not in nearest or hit.distance < nearest[name].distance):
                nearest[name] = Spot(name, "block", round(x, 4), round(y, 4), round(hit.distance, 2))
    spots = list(nearest.values())
    for mob in world.mobs[world.mobs["kind"] > 0]:
        name = RULES.mobs[int(mob["kind"]) - 1]
        height = float(RULES.data["mobs"][name]["height"])
        to = np.array([float(mob["x"]), float(mob["y"]) + height / 2, float(mob["z"])]) - np.array(eye)
        depth, distance = float(to @ ahead), float(np.linalg.norm(to))
        if depth < 0.3 or distance > FAR or mob["death_ticks"]:
            continue
        x = 0.5 + float(to @ right) / depth / (2 * half * ASPECT)
        y = 0.5 - float(to @ up) / depth / (2 * half)
        hidden = pick_block(world.grid, eye, tuple((to / distance).tolist()), distance)
        if 0.02 < x < 0.98 and 0.02 < y < 0.98 and hidden is None:
            spots.append(Spot(name, "mob", round(x, 4), round(y, 4), round(distance, 2)))
    return spots
