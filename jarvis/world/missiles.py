"""What flies: arrows, snowballs, eggs and falling blocks.

Facts of the game: arrows lose 1 % of their speed and gain 0.05 downwards each tick (0.03 for thrown things), do
``ceil(2 * speed)`` damage, and stay stuck for 1200 ticks; a falling block gains 0.04 and loses 2 %.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.bodies import HIT_BOXES, HIT_COUNT, HIT_START, Cells, cell_shape, sweep
from jarvis.world.combat import BY_ARROW, GOAL_CHASE, HOSTILE, MOB_HALF, MOB_HEIGHT, hurt_mob, hurt_player, knock
from jarvis.world.drops import STACK_SIZE
from jarvis.world.ids import LIQUID
from jarvis.world.inventory import give
from jarvis.world.layout import NOTE_LAND, NOTE_PICKUP, Notes, note, uniform3
from jarvis.world.rules import RULES

ARROW, SNOWBALL, EGG, FALLING = 1, 2, 3, 4
KINDS = {"arrow": ARROW, "snowball": SNOWBALL, "egg": EGG, "falling_block": FALLING}
BY_THE_PLAYER, BY_A_MOB = 1, 2
ARROW_ITEM = np.int64(RULES.item("arrow"))
ONE = np.int64(1)  # NOTE: not a literal, see combat.py
ARROW_DAMAGE = 2.0  # times its speed
STUCK_LIFE, FLIGHT_LIFE = 1200, 1200  # ticks
FALL_LIFE = 600


@njit(cache=True, nogil=True)
def add_missile(
    missiles: np.ndarray,
    kind: int,
    block: int,
    owner: int,
    x: float,
    y: float,
    z: float,
    vx: float,
    vy: float,
    vz: float,
) -> int:
    """Let something fly from a point (metres, metres per tick); returns its index. With all taken the oldest goes.

    ``block`` is what a FALLING block is made of, its (x, y, z) the middle of its bottom; owner: 0 nobody, 1 the player,
    2 a mob.
    """
    index, oldest = 0, -1
    for i in range(len(missiles)):
        if missiles[i].kind == 0:
            index = i
            break
        if missiles[i].kind != FALLING and missiles[i].age > oldest:
            index, oldest = i, missiles[i].age
    m = missiles[index]
    m.kind, m.block, m.owner = kind, block, owner
    m.x, m.y, m.z = x, y, z
    m.vx, m.vy, m.vz = vx, vy, vz
    m.yaw = math.degrees(math.atan2(-vx, vz))
    m.pitch = math.degrees(math.atan2(-vy, math.sqrt(vx * vx + vz * vz)))
    m.age, m.stuck, m.damage = 0, 0, ARROW_DAMAGE
    return index


@njit(cache=True, nogil=True)
def enters(box: tuple, x: float, y: float, z: float, dx: float, dy: float, dz: float) -> float:
    """Where along a motion (0 .. 1) a point enters a box; 2.0 if it does not."""
    near, far = 0.0, 1.0
    for axis in range(3):
        p = x if axis == 0 else y if axis == 1 else z
        d = dx if axis == 0 else dy if axis == 1 else dz
        low, high = box[axis], box[axis + 3]
        if abs(d) < 1e-12:
            if p < low or p > high:
                return 2.0
        else:
            a, b = (low - p) / d, (high - p) / d
            near, far = max(near, min(a, b)), min(far, max(a, b))
    return near if near <= far else 2.0


@njit(cache=True, nogil=True)
def block_hit(blocks: Cells, meta: Cells, x: float, y: float, z: float, dx: float, dy: float, dz: float) -> float:
    """Where along a motion (0 .. 1) a point enters a collision box of a block; 2.0 if it does not."""
    best = 2.0
    for ix in range(math.floor(min(x, x + dx)), math.floor(max(x, x + dx)) + 1):
        for iz in range(math.floor(min(z, z + dz)), math.floor(max(z, z + dz)) + 1):
            for iy in range(math.floor(min(y, y + dy) - 0.5), math.floor(max(y, y + dy)) + 1):
                shape = cell_shape(blocks, meta, ix, iy, iz)
                start = HIT_START[shape]
                for b in range(start, start + HIT_COUNT[shape]):
                    box = (
                        ix + HIT_BOXES[b, 0],
                        iy + HIT_BOXES[b, 1],
                        iz + HIT_BOXES[b, 2],
                        ix + HIT_BOXES[b, 3],
                        iy + HIT_BOXES[b, 4],
                        iz + HIT_BOXES[b, 5],
                    )
                    best = min(best, enters(box, x, y, z, dx, dy, dz))
    return best


@njit(cache=True, nogil=True)
def _fall(blocks: Cells, meta: Cells, room: np.ndarray, m: np.void, notes: Notes) -> None:
    """A falling block: lands with NOTE_LAND (block, 0, extra 1) in the cell of its position."""
    m.vy -= 0.04
    dx, dy, dz = sweep(blocks, meta, room, (m.x, m.y, m.z), 0.49, 0.98, (m.vx, m.vy, m.vz), m.stuck != 0, 0.0)
    m.x, m.y, m.z = m.x + dx, m.y + dy, m.z + dz
    if (dy != m.vy and m.vy < 0.0) or m.age > FALL_LIFE:
        note(notes, NOTE_LAND, np.int64(m.block), np.int64(0), np.int64(1), m.x, m.y + 0.01, m.z)
        m.kind = 0
    m.vx, m.vy, m.vz = m.vx * 0.98, m.vy * 0.98, m.vz * 0.98


@njit(cache=True, nogil=True)
def _strike(
    m: np.void, player: np.void, mobs: np.ndarray, target: int, armour: float, notes: Notes, seed: np.uint64, tick: int
) -> None:
    """A missile hits: mob ``target``, or the player at -1."""
    speed = math.sqrt(m.vx * m.vx + m.vy * m.vy + m.vz * m.vz)
    amount = 0.0
    if m.kind == ARROW:
        amount = math.ceil(speed * m.damage - 1e-6)
        if m.owner == BY_THE_PLAYER and speed > 2.9:  # a fully drawn bow is always critical
            amount += math.floor(uniform3(seed, tick, np.int64(target), target + 31) * (amount / 2.0 + 2.0))
        elif m.owner == BY_A_MOB:
            amount = min(4.0, max(1.0, amount))
    if target < 0:
        if hurt_player(player, armour, max(amount, 1e-6), notes, BY_ARROW) > 0.0:
            knock(player, 0.4, m.vx, m.vz)
    else:
        mob = mobs[target]
        if hurt_mob(mob, amount, m.owner == BY_THE_PLAYER, notes) > 0.0 or amount == 0.0:
            knock(mob, 0.4, m.vx, m.vz)
            if m.owner == BY_THE_PLAYER and HOSTILE[mob.kind]:
                mob.goal, mob.goal_ticks = GOAL_CHASE, 200


@njit(cache=True, nogil=True)
def tick_missiles(
    blocks: Cells,
    meta: Cells,
    chunk_at: np.ndarray,
    room: np.ndarray,
    player: np.void,
    mobs: np.ndarray,
    missiles: np.ndarray,
    slots: np.ndarray,
    armour: float,
    notes: Notes,
    seed: np.uint64,
    tick: int,
) -> None:
    """Move everything that flies; arrows that are stuck are picked up by the player who shot them."""
    for i in range(len(missiles)):
        m = missiles[i]
        if m.kind == 0:
            continue
        ix, iz = math.floor(m.x), math.floor(m.z)
        slot = chunk_at[(ix >> 4) & 15, (iz >> 4) & 15]
        if slot[0] != ix >> 4 or slot[1] != iz >> 4:
            if m.kind != FALLING:
                m.kind = 0
            continue
        m.age += 1
        if m.kind == FALLING:
            _fall(blocks, meta, room, m, notes)
            continue
        if m.stuck:
            holds = block_hit(blocks, meta, m.x, m.y, m.z, m.vx, m.vy, m.vz) <= 1.0
            if m.age > STUCK_LIFE:
                m.kind = 0
            elif not holds:
                m.stuck = 0
                m.vx, m.vy, m.vz = 0.0, 0.0, 0.0
            elif (
                m.owner == BY_THE_PLAYER
                and player.dead == 0
                and abs(m.x - player.x) < 1.55
                and abs(m.z - player.z) < 1.55
                and player.y - 1.0 < m.y < player.y + player.height + 0.5
                and give(slots, STACK_SIZE, ARROW_ITEM, ONE, np.int64(0), np.int64(player.selected)) == 0
            ):
                note(notes, NOTE_PICKUP, ARROW_ITEM, ONE, np.int64(0), m.x, m.y, m.z)
                m.kind = 0
            continue
        if m.age > FLIGHT_LIFE or m.y < -64.0:
            m.kind = 0
            continue
        wall = block_hit(blocks, meta, m.x, m.y, m.z, m.vx, m.vy, m.vz)
        first, target = wall, -2
        for k in range(len(mobs)):
            mob = mobs[k]
            if mob.kind == 0 or mob.death_ticks > 0 or (m.owner == BY_A_MOB and m.age < 5):
                continue
            half, tall = MOB_HALF[mob.kind] + 0.3, MOB_HEIGHT[mob.kind] + 0.3
            if abs(mob.x - m.x) > 6.0 or abs(mob.z - m.z) > 6.0:
                continue
            box = (mob.x - half, mob.y - 0.3, mob.z - half, mob.x + half, mob.y + tall, mob.z + half)
            at = enters(box, m.x, m.y, m.z, m.vx, m.vy, m.vz)
            if at < first and at <= 1.0:
                first, target = at, k
        if player.dead == 0 and (m.owner != BY_THE_PLAYER or m.age > 5):
            box = (
                player.x - 0.6,
                player.y - 0.3,
                player.z - 0.6,
                player.x + 0.6,
                player.y + player.height + 0.3,
                player.z + 0.6,
            )
            at = enters(box, m.x, m.y, m.z, m.vx, m.vy, m.vz)
            if at < first and at <= 1.0:
                first, target = at, -1
        if target > -2:
            _strike(m, player, mobs, target, armour, notes, seed, tick)
            m.kind = 0
            continue
        if wall <= 1.0:
            if m.kind != ARROW:
                m.kind = 0
                continue
            # stop a little before the surface and keep the direction as the memory of what it is stuck in
            speed = max(1e-6, math.sqrt(m.vx * m.vx + m.vy * m.vy + m.vz * m.vz))
            back = max(0.0, wall - 0.05 / speed)
            m.x, m.y, m.z = m.x + m.vx * back, m.y + m.vy * back, m.z + m.vz * back
            m.vx, m.vy, m.vz = m.vx / speed * 0.1, m.vy / speed * 0.1, m.vz / speed * 0.1
            m.stuck, m.age = 1, 0
            continue
        m.x, m.y, m.z = m.x + m.vx, m.y + m.vy, m.z + m.vz
        m.yaw = math.degrees(math.atan2(-m.vx, m.vz))
        m.pitch = math.degrees(math.atan2(-m.vy, math.sqrt(m.vx * m.vx + m.vz * m.vz)))
        wet = LIQUID[cell_shape(blocks, meta, math.floor(m.x), math.floor(m.y), math.floor(m.z)) >> 4] == 1
        drag = (0.6 if m.kind == ARROW else 0.8) if wet else 0.99
        m.vx, m.vy, m.vz = m.vx * drag, m.vy * drag - (0.05 if m.kind == ARROW else 0.03), m.vz * drag
