"""Everything that moves by itself, one kernel call a tick: mobs, drops, missiles, the player's needs, and new mobs.

``tick_bodies(world)`` is the entry. What mobs want is in minds.py, what blows do in combat.py.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from jarvis.world import updates
from jarvis.world.bodies import (
    DRAG_Y,
    GRAVITY,
    INERTIA,
    SLIP,
    STEP,
    Cells,
    cell_shape,
    immersion,
    leaves_liquid,
    sweep,
    sweep_room,
)
from jarvis.world.combat import HIT_BY_PLAYER, HOSTILE, MOB_HALF, MOB_HEIGHT, attack_mob, explode
from jarvis.world.drops import add_drop, tick_drops
from jarvis.world.ids import GRASS_BLOCK, OPAQUE, REPLACEABLE
from jarvis.world.inventory import ARMOUR, ARMOUR_POINTS, HOTBAR, OFFHAND
from jarvis.world.layout import (
    HEIGHT,
    MASK,
    MAX_MOBS,
    NOTE_EXPLODE,
    NOTE_KILL,
    NOTE_LAND,
    NOTE_MOB_DROP,
    Grid,
    Notes,
    get_block,
    note,
    uniform3,
)
from jarvis.world.minds import CHICKEN, CREEPER, FUSE, SALT, SHEEP, SPEED, SPIDER, can_hop, think, turned
from jarvis.world.missiles import ONE, enters, tick_missiles
from jarvis.world.rules import RULES
from jarvis.world.spawning import loaded, populate, sky_darkening, spawn
from jarvis.world.survival import endure

if TYPE_CHECKING:
    from jarvis.world.world import World

__all__ = ["HOSTILE", "MAX_MOBS", "attack_mob", "mob_in", "pick_mob", "spawn", "tick_bodies"]

DELAY = np.int64(10)  # ticks before loot can be picked up
DEATH_TICKS = 20  # of falling over
FIRE_FROM_SUN = 160  # ticks
EXPLOSION_POWER = float(RULES.data["mobs"]["creeper"]["explosion_power"])
EGG = np.int64(RULES.item("egg"))
EGG_CHANCE = 1.0 / 9000.0  # a tick; in the game every 6000 to 12000 ticks
WOOL_CHANCE = 1.0 / 1000.0  # a tick on grass
SHEARED = 1  # MOB.flags


def _loot_table() -> np.ndarray:
    rows = []
    for name in RULES.mobs:
        for entry in RULES.data["mobs"][name]["loot"]:
            low, high = entry["count"] if isinstance(entry["count"], list) else (entry["count"], entry["count"])
            item = RULES.item(entry["item"])
            cooked = RULES.item_id.get("cooked_" + entry["item"], item)
            rows.append((RULES.mob(name), item, low, high, cooked))
    return np.array(rows, np.int64)


LOOT = _loot_table()  # (rows, 5): kind, item, fewest, most, item if the mob burned
WOOL = RULES.item("white_wool")
BURNS = np.array([0] + [facts.get("burns_in_daylight", False) for facts in RULES.data["mobs"].values()], np.uint8)


@njit(cache=True, nogil=True)
def die(m: np.void, p: np.void, drops: np.ndarray, notes: Notes, seed: np.uint64, tick: int) -> None:
    """A mob's death: NOTE_KILL (kind, 1, by the player), loot, and the player's experience."""
    m.death_ticks = 1
    by_player = 1 if m.flags & HIT_BY_PLAYER else 0
    note(notes, NOTE_KILL, np.int64(m.kind), ONE, np.int64(by_player), m.x, m.y, m.z)
    if by_player:
        p.xp += 5 if HOSTILE[m.kind] else 1 + math.floor(uniform3(seed, tick, np.int64(m.uid), SALT + 80) * 3.0)
    for row in range(len(LOOT)):
        if LOOT[row, 0] != m.kind or (LOOT[row, 1] == WOOL and m.flags & SHEARED):
            continue
        low, high = LOOT[row, 2], LOOT[row, 3]
        count = low + math.floor(uniform3(seed, tick, np.int64(m.uid), SALT + 81 + row) * (high - low + 1))
        if count > 0:
            item = LOOT[row, 4] if m.fire_ticks > 0 else LOOT[row, 1]
            angle = uniform3(seed, tick, np.int64(m.uid), SALT + 110 + row) * 2.0 * math.pi
            vx, vz = math.cos(angle) * 0.08, math.sin(angle) * 0.08
            add_drop(drops, item, count, np.int64(0), m.x, m.y + 0.3, m.z, vx, 0.2, vz, DELAY)
            note(notes, NOTE_MOB_DROP, item, count, np.int64(m.kind), m.x, m.y, m.z)


@njit(cache=True, nogil=True)
def move_mob(blocks: Cells, meta: Cells, room: np.ndarray, m: np.void, dx: float, dz: float, pace: float) -> None:
    """One tick of a mob's body: it walks along (dx, dz), hops over blocks, swims, and falls."""
    half, tall = MOB_HALF[m.kind], MOB_HEIGHT[m.kind]
    water, lava, fx, fy, fz = immersion(blocks, meta, m.x, m.y, m.z, half, tall)
    m.in_water = water > 0.0
    speed = SPEED[m.kind] * pace
    push = speed * speed * 0.98  # the game multiplies a mob's input by its speed twice
    if water > 0.0 or lava > 0.0:
        m.fall_distance = 0.0
        m.vx, m.vz = m.vx + fx * 0.014 + dx * 0.0196 * speed, m.vz + fz * 0.014 + dz * 0.0196 * speed
        m.vy += fy * 0.014
        if m.death_ticks == 0 and max(water, lava) > 0.4:
            m.vy += 0.032  # 0.04 in four ticks of five
    slip = 1.0
    if m.on_ground:
        slip = SLIP[cell_shape(blocks, meta, math.floor(m.x), math.floor(m.y - 0.5), math.floor(m.z)) >> 4]
    if water == 0.0 and lava == 0.0:
        push = push * (0.216 / (slip * slip * slip)) if m.on_ground else speed * 0.02
        m.vx, m.vz = m.vx + dx * push, m.vz + dz * push
    if m.on_ground and m.collided and pace > 0.0 and can_hop(blocks, meta, m, dx, dz):
        m.vy = 0.42
    if m.kind == SPIDER and m.collided and pace > 0.0:
        m.vy = 0.2
        m.fall_distance = 0.0
    wx, wy, wz = m.vx, m.vy, m.vz
    mx, my, mz = wx, wy, wz
    if wx != 0.0 or wz != 0.0 or not (m.on_ground and wy == -GRAVITY * DRAG_Y and stands(blocks, meta, m)):
        mx, my, mz = sweep(blocks, meta, room, (m.x, m.y, m.z), half, tall, (wx, wy, wz), m.on_ground != 0, STEP)
    else:
        mx, my, mz = 0.0, 0.0, 0.0
    m.x, m.y, m.z = m.x + mx, m.y + my, m.z + mz
    m.collided = abs(mx - wx) > 1e-7 or abs(mz - wz) > 1e-7
    m.on_ground = my != wy and wy < 0.0
    if m.on_ground:
        if m.fall_distance > 3.0 and m.kind != CHICKEN:
            m.hp -= math.ceil(m.fall_distance - 3.0)
            m.hurt_ticks = 10
        m.fall_distance = 0.0
    elif my < 0.0:
        m.fall_distance -= my
    m.vx, m.vz = 0.0 if mx != wx else wx, 0.0 if mz != wz else wz
    m.vy = 0.0 if my != wy else wy
    if water > 0.0:
        m.vx, m.vy, m.vz = m.vx * 0.8, m.vy * 0.8 - GRAVITY / 16.0, m.vz * 0.8
    elif lava > 0.0:
        m.vx, m.vy, m.vz = m.vx * 0.5, m.vy * 0.5 - GRAVITY / 4.0, m.vz * 0.5
        m.fire_ticks = 300
        if m.hurt_ticks == 0:
            m.hp -= 4.0
            m.hurt_ticks = 10
    else:
        m.vx, m.vy, m.vz = m.vx * slip * INERTIA, (m.vy - GRAVITY) * DRAG_Y, m.vz * slip * INERTIA
        if m.kind == CHICKEN and m.vy < 0.0 and not m.on_ground:
            m.vy *= 0.6
    if (water > 0.0 or lava > 0.0) and m.collided:
        x, y, z = m.x + m.vx, m.y + m.vy + 0.6, m.z + m.vz
        if leaves_liquid(blocks, meta, (x - half, y, z - half, x + half, y + tall, z + half)):
            m.vy = 0.3
    if abs(m.vx) < 0.003:
        m.vx = 0.0
    if abs(m.vz) < 0.003:
        m.vz = 0.0
    far = math.sqrt(mx * mx + mz * mz)
    m.walk_speed += (min(1.0, far * 4.0) - m.walk_speed) * 0.4
    m.walk_phase = (m.walk_phase + m.walk_speed * 0.6662) % (2.0 * math.pi)


@njit(cache=True, nogil=True)
def stands(blocks: Cells, meta: Cells, m: np.void) -> bool:
    """Whether a mob at rest on whole blocks still has one under its middle: then it need not be swept."""
    iy = math.floor(m.y)
    if m.y != iy:
        return False
    shape = cell_shape(blocks, meta, math.floor(m.x), iy - 1, math.floor(m.z))
    return OPAQUE[shape >> 4] == 1


@njit(cache=True, nogil=True)
def push_apart(p: np.void, mobs: np.ndarray, count: int) -> None:
    """Bodies that overlap drift apart by 0.05 m per tick."""
    for i in range(count):
        a = mobs[i]
        if a.kind == 0 or a.death_ticks > 0:
            continue
        half, tall = MOB_HALF[a.kind], MOB_HEIGHT[a.kind]
        for k in range(i + 1, count + 1):
            if k < count:
                b = mobs[k]
                if b.kind == 0 or b.death_ticks > 0:
                    continue
                reach, other = half + MOB_HALF[b.kind], MOB_HEIGHT[b.kind]
                bx, by, bz = b.x, b.y, b.z
            else:
                if p.dead:
                    continue
                b = a
                reach, other = half + 0.3, float(p.height)
                bx, by, bz = p.x, p.y, p.z
            dx, dz = a.x - bx, a.z - bz
            if abs(dx) >= reach or abs(dz) >= reach or a.y + tall <= by or by + other <= a.y:
                continue
            size = max(abs(dx), abs(dz))
            if size < 0.01:
                continue
            root = math.sqrt(size)
            scale = min(1.0, 1.0 / root) / root * 0.05
            a.vx, a.vz = a.vx + dx * scale, a.vz + dz * scale
            if k < count:
                b.vx, b.vz = b.vx - dx * scale, b.vz - dz * scale
            else:
                p.vx, p.vz = p.vx - dx * scale, p.vz - dz * scale


@njit(cache=True, nogil=True)
def tick_mob(
    blocks: Cells,
    meta: Cells,
    light: np.ndarray,
    room: np.ndarray,
    m: np.void,
    p: np.void,
    drops: np.ndarray,
    missiles: np.ndarray,
    held: int,
    offhand: int,
    darkness: int,
    raining: bool,
    armour: float,
    notes: Notes,
    seed: np.uint64,
    tick: int,
) -> int:
    """One tick of one mob; 1 if it exploded."""
    m.age += 1
    if m.hurt_ticks > 0:
        m.hurt_ticks -= 1
    if m.death_ticks > 0:
        m.death_ticks += 1
        if m.death_ticks > DEATH_TICKS:
            m.kind = 0
            return 0
        move_mob(blocks, meta, room, m, 0.0, 0.0, 0.0)
        return 0
    ix, iy, iz = math.floor(m.x), math.floor(m.y + MOB_HEIGHT[m.kind] * 0.85), math.floor(m.z)
    level = light[ix & MASK, iz & MASK, iy] if 0 <= iy < HEIGHT else 0xF0
    sky = np.int64(level >> 4)
    if m.fire_ticks > 0:
        if m.in_water or (raining and sky == 15):
            m.fire_ticks = 0
        else:
            if m.fire_ticks % 20 == 0 and m.hurt_ticks == 0:
                m.hp -= 1.0
                m.hurt_ticks = 10
            m.fire_ticks -= 1
    if BURNS[m.kind] and sky == 15 and darkness < 4 and not m.in_water and not raining:
        if uniform3(seed, tick, np.int64(m.uid), SALT + 90) < 0.04:
            m.fire_ticks = max(m.fire_ticks, FIRE_FROM_SUN)
    if m.hp <= 0.0:
        die(m, p, drops, notes, seed, tick)
        return 0
    if m.kind == CHICKEN and uniform3(seed, tick, np.int64(m.uid), SALT + 91) < EGG_CHANCE:
        add_drop(drops, EGG, ONE, np.int64(0), m.x, m.y + 0.2, m.z, 0.0, 0.2, 0.0, DELAY)
    elif m.kind == SHEEP and m.flags & SHEARED and uniform3(seed, tick, np.int64(m.uid), SALT + 92) < WOOL_CHANCE:
        if cell_shape(blocks, meta, ix, math.floor(m.y - 0.5), iz) >> 4 == GRASS_BLOCK:
            m.flags &= ~SHEARED
    if m.age % 200 == 0:
        m.flags &= ~HIT_BY_PLAYER  # a death long after the last blow is not the player's
    bright = max(np.int64(level & 15), sky - darkness) >= 12
    dx, dz, pace = think(blocks, meta, light, m, p, missiles, held, offhand, bright, armour, notes, seed, tick)
    if m.kind == CREEPER and m.fuse >= FUSE:
        note(notes, NOTE_EXPLODE, np.int64(m.kind), round(EXPLOSION_POWER * 100.0), np.int64(m.uid), m.x, m.y, m.z)
        m.kind = 0
        return 1
    if pace > 0.0 and (dx != 0.0 or dz != 0.0):
        way = math.degrees(math.atan2(-dx, dz))
        m.yaw = turned(float(m.yaw), way, 30.0)
        if m.goal < 3:  # nobody to look at
            m.head_yaw = turned(float(m.head_yaw), float(m.yaw), 20.0)
            m.pitch = 0.0
    else:
        pace = 0.0
    # the body follows the head when it looks too far round
    away = (m.head_yaw - m.yaw + 180.0) % 360.0 - 180.0
    if abs(away) > 75.0:
        m.yaw = turned(float(m.yaw), float(m.head_yaw), 10.0)
    move_mob(blocks, meta, room, m, dx, dz, pace)
    return 0


@njit(cache=True, nogil=True)
def tick_kernel(
    grid: Grid,
    players: np.ndarray,
    mobs: np.ndarray,
    drops: np.ndarray,
    missiles: np.ndarray,
    slots: np.ndarray,
    notes: Notes,
    seed: np.uint64,
    tick: int,
    darkness: int,
    raining: bool,
) -> int:
    """What of ``tick_bodies`` needs no World. Returns how many NOTE_EXPLODE and falling blocks' NOTE_LAND it left."""
    blocks, meta, light, chunk_at = grid.blocks, grid.meta, grid.light, grid.chunk_at
    p = players[0]
    room = sweep_room()
    armour = 0.0
    for k in range(4):
        armour += ARMOUR_POINTS[slots[ARMOUR + k].item]
    held, offhand = slots[HOTBAR + p.selected].item, slots[OFFHAND].item
    before = notes.count[0]
    endure(blocks, meta, light, p, armour, raining, notes)
    count = np.int64(0)
    for i in range(len(mobs)):
        if mobs[i].kind:
            count = i + 1
            m = mobs[i]
            if loaded(chunk_at, math.floor(m.x), math.floor(m.z)):
                tick_mob(
                    blocks, meta, light, room, m, p, drops, missiles, held, offhand, darkness, raining, armour, notes,
                    seed, tick,
                )  # fmt: skip
    push_apart(p, mobs, count)
    tick_drops(blocks, meta, chunk_at, room, p, drops, slots, notes, tick)
    tick_missiles(blocks, meta, chunk_at, room, p, mobs, missiles, slots, armour, notes, seed, tick)
    populate(blocks, meta, light, grid.top, chunk_at, p, mobs, darkness, seed, tick)
    left = 0
    for n in range(before, notes.count[0]):
        if notes.rows[n, 0] == NOTE_EXPLODE or (notes.rows[n, 0] == NOTE_LAND and notes.rows[n, 3] == 1):
            left += 1
    return left


def tick_bodies(world: World) -> None:
    """One tick of all mobs, drops, missiles and of the player's needs (survival.endure), of spawning and of explosions.

    Adds to ``world.notes``; cells that explosions and fallen blocks change are listed in ``world.schedule``.
    """
    notes = world.notes
    before = int(notes.count[0])
    darkness = sky_darkening(world.time, world.raining)
    left = tick_kernel(
        world.grid, world.player, world.mobs, world.drops, world.missiles, world.slots, notes, world.seed, world.ticks,
        darkness, world.raining,
    )  # fmt: skip
    if not left:
        return
    for n in range(before, int(notes.count[0])):
        what, block, amount, extra = notes.rows[n].tolist()
        x, y, z = notes.where[n].tolist()
        if what == NOTE_EXPLODE:
            armour = float(ARMOUR_POINTS[world.slots["item"][ARMOUR : ARMOUR + 4]].sum())
            explode(
                world.grid, world.schedule, world.player, world.mobs, world.drops, notes, armour, world.seed,
                world.ticks, x, y, z, amount / 100.0,
            )  # fmt: skip
        elif what == NOTE_LAND and extra == 1:
            cell = math.floor(x), math.floor(y), math.floor(z)
            if REPLACEABLE[get_block(world.grid, *cell)]:
                updates.change(world.grid, world.schedule, world.ticks, *cell, block, 0)
            else:
                world.drop_loot(block, 0, 0, x, y, z)


# looking for mobs


@njit(cache=True, nogil=True)
def pick_mob(mobs: np.ndarray, x: float, y: float, z: float, dx: float, dy: float, dz: float, reach: float) -> int:
    """Index of the nearest mob that a ray along the unit (dx, dy, dz) meets within ``reach`` metres; -1: none."""
    best, index = 1.0, -1
    for i in range(len(mobs)):
        m = mobs[i]
        if m.kind == 0 or m.death_ticks > 0:
            continue
        half, tall = MOB_HALF[m.kind], MOB_HEIGHT[m.kind]
        box = (m.x - half, m.y, m.z - half, m.x + half, m.y + tall, m.z + half)
        at = enters(box, x, y, z, dx * reach, dy * reach, dz * reach)
        if at <= best:
            best, index = at, i
    return index


@njit(cache=True, nogil=True)
def mob_in(mobs: np.ndarray, x0: float, y0: float, z0: float, x1: float, y1: float, z1: float) -> bool:
    """Whether a living mob overlaps a box."""
    for i in range(len(mobs)):
        m = mobs[i]
        if m.kind == 0 or m.death_ticks > 0:
            continue
        half, tall = MOB_HALF[m.kind], MOB_HEIGHT[m.kind]
        if m.x - half < x1 and m.x + half > x0 and m.y < y1 and m.y + tall > y0 and m.z - half < z1 and m.z + half > z0:
            return True
    return False
