"""A world in MineRL's words: location, life and equipment as its info has them, and distances to blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from jarvis.world.inventory import ARMOUR, HOTBAR, OFFHAND
from jarvis.world.layout import HEIGHT, MASK, SEA_LEVEL, Grid
from jarvis.world.light import sun_brightness
from jarvis.world.rules import RULES
from jarvis.world.terrain import BIOME_NUMBER, RAINFALL, TEMPERATURE

if TYPE_CHECKING:
    from jarvis.world.world import World

_WORN = ("head", "chest", "legs", "feet")
_NOTHING = {"type": "air", "damage": -1, "maxDamage": -1}


def location_stats(world: World) -> dict[str, Any]:
    """The 14 entries of MineRL's location_stats."""
    p = world.player[0]
    x, y, z = float(p["x"]), float(p["y"]), float(p["z"])
    i, k = math.floor(x) & MASK, math.floor(z) & MASK
    level = int(world.grid.light[i, k, min(HEIGHT - 1, max(0, math.floor(y + 1)))]) if y < HEIGHT - 1 else 0xF0
    sun = sun_brightness(world.time)
    biome = world.biome()
    return {
        "biome_id": int(BIOME_NUMBER[biome]),
        "biome_rainfall": float(RAINFALL[biome]),
        "biome_temperature": float(TEMPERATURE[biome]),
        "can_see_sky": int(y + 1.62 >= world.grid.top[i, k]),
        "is_raining": int(world.raining),
        "light_level": max(level & 15, round((level >> 4) * sun)),
        "pitch": float(p["pitch"]),
        "sea_level": SEA_LEVEL,
        "sky_light_level": (level >> 4) / 15.0,
        "sun_brightness": float(sun),
        "xpos": x,
        "yaw": float(p["yaw"]),
        "ypos": y,
        "zpos": z,
    }


def life_stats(world: World) -> dict[str, Any]:
    """The 7 entries of MineRL's life_stats."""
    p = world.player[0]
    return {
        "air": max(0, int(p["air"])),
        "food": math.ceil(p["food"]),
        "is_alive": bool(not p["dead"]),
        "life": float(p["hp"]),
        "saturation": float(p["saturation"]),
        "score": int(p["xp"]),
        "xp": int(p["xp"]),
    }


def equipped_items(world: World) -> dict[str, dict[str, Any]]:
    """What is in the hands and worn: type, damage and maxDamage of each, -1 where nothing is."""
    slots = world.slots
    where = {"mainhand": HOTBAR + int(world.player["selected"][0]), "offhand": OFFHAND}
    where |= {part: ARMOUR + k for k, part in enumerate(_WORN)}
    told = {}
    for part, index in where.items():
        item, _, damage = slots[index].tolist()
        limit = int(RULES.durability[item])
        told[part] = {"type": RULES.items[item], "damage": damage, "maxDamage": limit} if item else dict(_NOTHING)
    return told


@njit(cache=True, nogil=True)
def _nearest(grid: Grid, wanted: np.ndarray, x: float, y: float, z: float, radius: float) -> float:
    """Distance from a point to the middle of the nearest cell whose block is wanted; infinity beyond the radius."""
    best = radius * radius
    found = False
    for cx in range(math.floor(x - radius), math.floor(x + radius) + 1):
        for cz in range(math.floor(z - radius), math.floor(z + radius) + 1):
            for cy in range(max(0, math.floor(y - radius)), min(HEIGHT, math.floor(y + radius) + 1)):
                if wanted[grid.blocks[cx & MASK, cz & MASK, cy]]:
                    square = (cx + 0.5 - x) ** 2 + (cy + 0.5 - y) ** 2 + (cz + 0.5 - z) ** 2
                    if square <= best:
                        best, found = square, True
    return math.sqrt(best) if found else math.inf


def near_blocks(world: World, watched: Mapping[str, float]) -> dict[str, float]:
    """Block -> metres from the player's middle to the nearest one, for those within the radius that is watched."""
    p = world.player[0]
    near = {}
    for name, radius in watched.items():
        wanted = np.zeros(len(RULES.blocks), np.bool_)
        wanted[[RULES.block(part) for part in name.split("|")]] = True
        distance = _nearest(world.grid, wanted, float(p["x"]), float(p["y"] + 0.9), float(p["z"]), float(radius))
        if distance <= radius:
            near[name] = distance
    return near
