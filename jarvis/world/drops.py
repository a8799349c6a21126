"""Items lying in the world: they fall, drift together, and are picked up.

Facts of the game: gravity 0.04 m per tick squared, drag 0.98, items of a kind within half a metre join, a drop can be
taken by a player whose box reaches within 1 m to the sides and 0.5 m up or down once its delay is over, and is gone
after 6000 ticks.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.bodies import SLIP, Cells, cell_shape, sweep
from jarvis.world.ids import CACTUS, LIQUID, OPAQUE
from jarvis.world.inventory import give
from jarvis.world.layout import NOTE_PICKUP, Notes, note
from jarvis.world.rules import RULES

HALF, HEIGHT_OF_DROP = 0.125, 0.25
LIFE = 6000  # ticks
STACK_SIZE = RULES.stack_size


@njit(cache=True, nogil=True)
def add_drop(
    drops: np.ndarray,
    item: int,
    count: int,
    damage: int,
    x: float,
    y: float,
    z: float,
    vx: float,
    vy: float,
    vz: float,
    delay: int,
) -> int:
    """Put an item into the world (metres, metres per tick); returns its index. With all taken the oldest drop goes."""
    index, oldest = 0, -1
    for i in range(len(drops)):
        if drops[i].item == 0:
            index = i
            break
        if drops[i].age > oldest:
            index, oldest = i, drops[i].age
    drop = drops[index]
    drop.item, drop.count, drop.damage = item, count, damage
    drop.x, drop.y, drop.z = x, y, z
    drop.vx, drop.vy, drop.vz = vx, vy, vz
    drop.age, drop.delay, drop.on_ground = 0, delay, 0
    return index


@njit(cache=True, nogil=True)
def _free_cell(blocks: Cells, meta: Cells, x: int, y: int, z: int) -> bool:
    return OPAQUE[cell_shape(blocks, meta, x, y, z) >> 4] == 0


@njit(cache=True, nogil=True)
def _push_out(blocks: Cells, meta: Cells, drop: np.void) -> None:
    """Drive a drop that is inside a full block towards its nearest open side."""
    ix, iy, iz = math.floor(drop.x), math.floor(drop.y + HALF), math.floor(drop.z)
    fx, fz = drop.x - ix, drop.z - iz
    best, side = 9.0, 4
    for s in range(4):
        ox = -1 if s == 0 else 1 if s == 1 else 0
        oz = -1 if s == 2 else 1 if s == 3 else 0
        away = fx if s == 0 else 1.0 - fx if s == 1 else fz if s == 2 else 1.0 - fz
        if away < best and _free_cell(blocks, meta, ix + ox, iy, iz + oz):
            best, side = away, s
    if side == 4:
        drop.vy = 0.2
    elif side < 2:
        drop.vx = -0.2 if side == 0 else 0.2
    else:
        drop.vz = -0.2 if side == 2 else 0.2


@njit(cache=True, nogil=True)
def tick_drops(
    blocks: Cells,
    meta: Cells,
    chunk_at: np.ndarray,
    room: np.ndarray,
    player: np.void,
    drops: np.ndarray,
    slots: np.ndarray,
    notes: Notes,
    tick: int,
) -> None:
    """Move, join and hand out all drops. Picking up adds NOTE_PICKUP (item, count)."""
    last = 0
    for i in range(len(drops)):
        drop = drops[i]
        if drop.item == 0:
            continue
        last = i + 1
        ix, iz = math.floor(drop.x), math.floor(drop.z)
        slot = chunk_at[(ix >> 4) & 15, (iz >> 4) & 15]
        if slot[0] != ix >> 4 or slot[1] != iz >> 4:
            continue
        drop.age += 1
        if drop.delay > 0:
            drop.delay -= 1
        if drop.age >= LIFE:
            drop.item = 0
            continue
        moves = drop.vx * drop.vx + drop.vz * drop.vz > 1e-5
        # a resting drop looks for its footing every fourth tick only
        if drop.on_ground == 0 or moves or (tick + i) & 3 == 0:
            here = cell_shape(blocks, meta, ix, math.floor(drop.y + 0.1), iz)
            liquid = LIQUID[here >> 4]
            if liquid == 2 or here >> 4 == CACTUS:
                drop.item = 0
                continue
            if liquid == 1:
                drop.vx, drop.vz = drop.vx * 0.99, drop.vz * 0.99
                drop.vy += 5e-4 if drop.vy < 0.06 else 0.0
            else:
                drop.vy -= 0.04
            if OPAQUE[cell_shape(blocks, meta, ix, math.floor(drop.y + HALF), iz) >> 4]:
                _push_out(blocks, meta, drop)
                drop.x, drop.y, drop.z = drop.x + drop.vx, drop.y + max(drop.vy, 0.0), drop.z + drop.vz
                drop.vy = 0.0
                drop.on_ground = 0
            else:
                dx, dy, dz = sweep(
                    blocks,
                    meta,
                    room,
                    (drop.x, drop.y, drop.z),
                    HALF,
                    HEIGHT_OF_DROP,
                    (drop.vx, drop.vy, drop.vz),
                    drop.on_ground != 0,
                    0.0,
                )
                drop.x, drop.y, drop.z = drop.x + dx, drop.y + dy, drop.z + dz
                drop.on_ground = dy != drop.vy and drop.vy < 0.0
                drag = 0.98
                if drop.on_ground:
                    drag *= SLIP[
                        cell_shape(blocks, meta, math.floor(drop.x), math.floor(drop.y - 0.5), math.floor(drop.z)) >> 4
                    ]
                drop.vx = 0.0 if dx != drop.vx else drop.vx * drag
                drop.vz = 0.0 if dz != drop.vz else drop.vz * drag
                drop.vy = 0.0 if dy != drop.vy else drop.vy * 0.98
        if (
            drop.delay == 0
            and player.dead == 0
            and abs(drop.x - player.x) < 0.3 + 1.0 + HALF
            and abs(drop.z - player.z) < 0.3 + 1.0 + HALF
            and drop.y + HEIGHT_OF_DROP > player.y - 0.5
            and drop.y < player.y + player.height + 0.5
        ):
            left = give(
                slots,
                STACK_SIZE,
                np.int64(drop.item),
                np.int64(drop.count),
                np.int64(drop.damage),
                np.int64(player.selected),
            )
            if left < drop.count:
                note(
                    notes,
                    NOTE_PICKUP,
                    np.int64(drop.item),
                    np.int64(drop.count - left),
                    np.int64(0),
                    drop.x,
                    drop.y,
                    drop.z,
                )
            drop.count = left
            if left == 0:
                drop.item = 0
    # joining: each drop looks every 40th tick, on different ticks
    for i in range(last):
        a = drops[i]
        if a.item == 0 or (tick + i) % (40 if a.on_ground else 10) != 0:
            continue
        limit = STACK_SIZE[a.item]
        if a.count >= limit or a.damage != 0:
            continue
        for k in range(last):
            b = drops[k]
            if (
                k != i
                and b.item == a.item
                and b.damage == 0
                and b.count + a.count <= limit
                and abs(a.x - b.x) < 0.75
                and abs(a.z - b.z) < 0.75
                and abs(a.y - b.y) < 0.25
            ):
                into, gone = (a, b) if a.count >= b.count else (b, a)
                into.count += gone.count
                into.delay = max(into.delay, gone.delay)
                into.age = min(into.age, gone.age)
                gone.item = 0
                break
