"""Where mobs come from and when they go.

Facts of the game: monsters appear in the dark (light 7 or less) on solid ground, at 24 m or more from the
player, in groups of up to four; they are forgotten beyond 96 m at once and beyond 32 m at random. Animals come with the
land; a few more appear on grass in the light.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.bodies import HIT_COUNT, Cells, cell_shape, is_free
from jarvis.world.combat import HOSTILE, MOB_HALF, MOB_HEIGHT, NEVER_DESPAWNS
from jarvis.world.ids import GRASS_BLOCK, LIQUID, OPAQUE
from jarvis.world.layout import HEIGHT, MASK, hash3, uniform3
from jarvis.world.rules import RULES

HP = np.array([0.0] + [facts["hp"] for facts in RULES.data["mobs"].values()])
MONSTERS = np.flatnonzero(HOSTILE)  # kinds that come in the dark, all equally often
ANIMALS = np.array([kind for kind in range(1, len(RULES.mobs) + 1) if not HOSTILE[kind]], np.int64)
SALT = np.int64(0)  # NOTE: keeps literals out of calls, see combat.py
MAX_MONSTERS, MAX_ANIMALS = 24, 12
TRIES = 4  # places looked at per tick, every second one on the surface
NEAREST, FARTHEST = 24.0, 80.0  # metres from the player
FORGOTTEN, MAY_BE_FORGOTTEN = 96.0, 32.0
ANIMAL_PERIOD = 400  # ticks


def sky_darkening(time: int, raining: bool) -> int:
    """Levels 0..11 by which the sky's light is dimmed at a time of day, for what lives in it."""
    part = (time / 24000.0 - 0.25) % 1.0
    angle = (2.0 * part + 0.5 - math.cos(math.pi * part) / 2.0) / 3.0
    bright = 0.5 + 2.0 * min(0.25, max(-0.25, math.cos(2.0 * math.pi * angle)))
    return int((1.0 - bright * (1.0 - (5.0 / 16.0 if raining else 0.0))) * 11.0)


@njit(cache=True, nogil=True)
def spawn(mobs: np.ndarray, kind: int, x: float, y: float, z: float, seed: np.uint64, draw: int) -> int:
    """Put a mob into a free slot, feet at (x, y, z); its index, -1 if all are taken. ``draw`` becomes its ``uid``."""
    for i in range(len(mobs)):
        m = mobs[i]
        if m.kind == 0:
            m.kind, m.uid = kind, draw
            m.x, m.y, m.z = x, y, z
            m.vx, m.vy, m.vz = 0.0, 0.0, 0.0
            m.yaw = uniform3(seed, draw, kind, SALT + 1) * 360.0 - 180.0
            m.head_yaw, m.pitch = m.yaw, 0.0
            m.on_ground, m.in_water, m.collided, m.fall_distance = 0, 0, 0, 0.0
            m.hp = HP[kind]
            m.hurt_ticks, m.fire_ticks, m.death_ticks, m.cooldown, m.fuse = 0, 0, 0, 0, 0
            m.goal, m.goal_ticks, m.goal_x, m.goal_z = 0, 0, x, z
            m.walk_phase, m.walk_speed = 0.0, 0.0
            m.age, m.flags, m.timer = 0, 0, 0
            return i
    return -1


@njit(cache=True, nogil=True)
def loaded(chunk_at: np.ndarray, x: int, z: int) -> bool:
    """Whether the column (x, z) is in the window."""
    slot = chunk_at[(x >> 4) & 15, (z >> 4) & 15]
    return slot[0] == x >> 4 and slot[1] == z >> 4


@njit(cache=True, nogil=True)
def room_for(blocks: Cells, meta: Cells, kind: int, x: float, y: float, z: float) -> bool:
    """Whether a mob of a kind fits at (x, y, z), on a full block and out of liquids."""
    ix, iy, iz = math.floor(x), math.floor(y), math.floor(z)
    if OPAQUE[cell_shape(blocks, meta, ix, iy - 1, iz) >> 4] == 0:
        return False
    feet, head = cell_shape(blocks, meta, ix, iy, iz), cell_shape(blocks, meta, ix, iy + 1, iz)
    if HIT_COUNT[feet] or LIQUID[feet >> 4] or LIQUID[head >> 4]:
        return False
    half, tall = MOB_HALF[kind], MOB_HEIGHT[kind]
    return is_free(blocks, meta, (x - half, y, z - half, x + half, y + tall, z + half))


@njit(cache=True, nogil=True)
def populate(
    blocks: Cells,
    meta: Cells,
    light: np.ndarray,
    top: np.ndarray,
    chunk_at: np.ndarray,
    p: np.void,
    mobs: np.ndarray,
    darkness: int,
    seed: np.uint64,
    tick: int,
) -> None:
    """Let the far ones go and new ones appear."""
    monsters, animals = 0, 0
    for i in range(len(mobs)):
        m = mobs[i]
        if m.kind == 0:
            continue
        if not HOSTILE[m.kind]:
            animals += 1
            continue
        monsters += 1
        if m.flags & NEVER_DESPAWNS:
            continue
        dx, dy, dz = m.x - p.x, m.y - p.y, m.z - p.z
        far = dx * dx + dy * dy + dz * dz
        if far > FORGOTTEN * FORGOTTEN or (
            far > MAY_BE_FORGOTTEN * MAY_BE_FORGOTTEN
            and m.age > 600
            and uniform3(seed, tick, np.int64(m.uid), SALT + 70) < 1.0 / 800.0
        ):
            m.kind = 0
    if monsters < MAX_MONSTERS:
        for t in range(TRIES):
            bits = hash3(seed, tick, t, SALT + 71)
            x = math.floor(p.x) + np.int64(bits & np.uint64(0xFFFF)) % 161 - 80
            z = math.floor(p.z) + np.int64(bits >> np.uint64(16) & np.uint64(0xFFFF)) % 161 - 80
            if not loaded(chunk_at, x, z):
                continue
            y = np.int64(top[x & MASK, z & MASK])
            if t & 1:
                y = 1 + np.int64(bits >> np.uint64(32) & np.uint64(0xFFFF)) % (y + 1)
            if y == 0 or y >= HEIGHT or blocks[x & MASK, z & MASK, y] != 0 or blocks[x & MASK, z & MASK, y - 1] == 0:
                continue
            kind = MONSTERS[np.int64(bits >> np.uint64(48) & np.uint64(0xFF)) % len(MONSTERS)]
            for k in range(4):  # the group: each further one a few steps off
                more = hash3(seed, tick, t * 8 + k, SALT + 72)
                if k > 0:
                    x += np.int64(more & np.uint64(0xFF)) % 11 - 5
                    z += np.int64(more >> np.uint64(8) & np.uint64(0xFF)) % 11 - 5
                    if not loaded(chunk_at, x, z):
                        continue
                level = light[x & MASK, z & MASK, y]
                sky = np.int64(level >> 4)
                # NOTE: the darker the likelier, as in the game: open sky by night mostly passes, a lit cave rarely
                if sky > np.int64(more >> np.uint64(16) & np.uint64(0xFF)) % 32:
                    continue
                if max(np.int64(level & 15), sky - darkness) > np.int64(more >> np.uint64(24) & np.uint64(0xFF)) % 8:
                    continue
                dx, dy, dz = x + 0.5 - p.x, y - p.y, z + 0.5 - p.z
                far = math.sqrt(dx * dx + dy * dy + dz * dz)
                if far < NEAREST or far > FARTHEST or monsters >= MAX_MONSTERS:
                    continue
                if room_for(blocks, meta, kind, x + 0.5, float(y), z + 0.5):
                    uid = np.int64(more >> np.uint64(33))
                    if spawn(mobs, kind, x + 0.5, float(y), z + 0.5, seed, uid) >= 0:
                        monsters += 1
    if tick % ANIMAL_PERIOD == 0 and animals < MAX_ANIMALS:
        bits = hash3(seed, tick, SALT, SALT + 73)
        x = math.floor(p.x) + np.int64(bits & np.uint64(0xFFFF)) % 161 - 80
        z = math.floor(p.z) + np.int64(bits >> np.uint64(16) & np.uint64(0xFFFF)) % 161 - 80
        y = np.int64(top[x & MASK, z & MASK])
        if loaded(chunk_at, x, z) and 0 < y < HEIGHT and blocks[x & MASK, z & MASK, y - 1] == GRASS_BLOCK:
            level = light[x & MASK, z & MASK, y]
            kind = ANIMALS[np.int64(bits >> np.uint64(32) & np.uint64(0xFF)) % len(ANIMALS)]
            dx, dz = x + 0.5 - p.x, z + 0.5 - p.z
            if (
                max(np.int64(level & 15), np.int64(level >> 4) - darkness) >= 9
                and dx * dx + dz * dz > NEAREST * NEAREST
            ):
                if room_for(blocks, meta, kind, x + 0.5, float(y), z + 0.5):
                    spawn(mobs, kind, x + 0.5, float(y), z + 0.5, seed, np.int64(bits >> np.uint64(33)))
