"""What mobs want: where to walk, how fast, whom to hit. Steering is direct, with detours round what is in the way.

Facts of the game used here: animals stroll about every 120 ticks, flee for a while when hurt, and follow a player
within 10 m who holds their food; monsters see a player within 16 m (zombies 35) that no block hides; a creeper lights
its fuse within 3 m and gives up beyond 7; a skeleton shoots from within 15 m; in bright light spiders mind nobody.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.bodies import HIT_BOXES, HIT_COUNT, HIT_START, TOUCH, TOUCH_CACTUS, Cells, cell_shape
from jarvis.world.combat import (
    BY_COW,
    GOAL_CHASE,
    GOAL_IDLE,
    GOAL_LURED,
    GOAL_PANIC,
    GOAL_WANDER,
    HOSTILE,
    MOB_HALF,
    MOB_HEIGHT,
    hurt_player,
    knock,
    sees,
)
from jarvis.world.ids import LIQUID
from jarvis.world.layout import Notes, uniform3
from jarvis.world.missiles import ARROW, BY_A_MOB, add_missile
from jarvis.world.rules import RULES

MOBS = RULES.data["mobs"]
COW, PIG, SHEEP, CHICKEN, ZOMBIE, SKELETON, CREEPER, SPIDER = (
    RULES.mob(name) for name in ("cow", "pig", "sheep", "chicken", "zombie", "skeleton", "creeper", "spider")
)


def _by_kind(**values: float) -> np.ndarray:
    table = np.zeros(len(RULES.mobs) + 1)
    for name, value in values.items():
        table[RULES.mob(name)] = value
    return table


# speed attributes and what fleeing and following multiply them by, as in the game
SPEED = _by_kind(cow=0.2, pig=0.25, sheep=0.23, chicken=0.25, zombie=0.23, skeleton=0.25, creeper=0.25, spider=0.3)
PANIC = _by_kind(cow=2.0, pig=1.25, sheep=1.25, chicken=1.4)
FOLLOW = _by_kind(cow=1.25, pig=1.2, sheep=1.1, chicken=1.0)
SIGHT = _by_kind(zombie=35.0, skeleton=16.0, creeper=16.0, spider=16.0)
DAMAGE = _by_kind(zombie=MOBS["zombie"]["damage"]["normal"], spider=MOBS["spider"]["damage"]["normal"])
EYE = MOB_HEIGHT * 0.85
FUSE = int(MOBS["creeper"]["fuse_ticks"])
SALT = np.int64(0)  # NOTE: keeps literals out of calls, see combat.py
SHOT_CYCLE = 60  # ticks between a skeleton's arrows: 20 to draw, 40 of rest
LURES = np.zeros((len(RULES.mobs) + 1, len(RULES.items)), np.uint8)
for _mob, _foods in {
    "cow": ["wheat"],
    "sheep": ["wheat"],
    "pig": ["carrot", "potato"],
    "chicken": ["wheat_seeds"],
}.items():
    for _food in _foods:
        LURES[RULES.mob(_mob), RULES.item(_food)] = 1


@njit(cache=True, nogil=True)
def turned(angle: float, towards: float, most: float) -> float:
    """An angle (degrees) turned towards another by at most ``most``; within -180 .. 180."""
    d = (towards - angle + 180.0) % 360.0 - 180.0
    angle += min(most, max(-most, d))
    return (angle + 180.0) % 360.0 - 180.0


@njit(cache=True, nogil=True)
def safe_ahead(blocks: Cells, meta: Cells, m: np.void, dx: float, dz: float) -> bool:
    """Whether a step along (dx, dz) leads neither 3 m down nor into lava, cactus or (when not chasing) water."""
    far = MOB_HALF[m.kind] + 0.5
    ix, iz, top = math.floor(m.x + dx * far), math.floor(m.z + dz * far), math.floor(m.y + 0.5)
    for k in range(5):
        shape = cell_shape(blocks, meta, ix, top - k, iz)
        if LIQUID[shape >> 4] == 2 or TOUCH[shape >> 4] == TOUCH_CACTUS:
            return False
        if LIQUID[shape >> 4] == 1:
            return m.in_water != 0 or m.goal == GOAL_CHASE
        if HIT_COUNT[shape] > 0:
            return True
    return False


@njit(cache=True, nogil=True)
def can_hop(blocks: Cells, meta: Cells, m: np.void, dx: float, dz: float) -> bool:
    """Whether what blocks the way along (dx, dz) is at most a block high and has room on it."""
    far = MOB_HALF[m.kind] + 0.4
    ix, iz, iy = math.floor(m.x + dx * far), math.floor(m.z + dz * far), math.floor(m.y + 0.01)
    shape = cell_shape(blocks, meta, ix, iy, iz)
    start = HIT_START[shape]
    for b in range(start, start + HIT_COUNT[shape]):
        if HIT_BOXES[b, 4] > 1.0:
            return False
    tall = math.ceil(MOB_HEIGHT[m.kind])
    for k in range(1, tall + 1):
        if HIT_COUNT[cell_shape(blocks, meta, ix, iy + k, iz)] > 0:
            return False
    return (
        HIT_COUNT[
            cell_shape(blocks, meta, math.floor(m.x), math.floor(m.y + MOB_HEIGHT[m.kind] + 0.9), math.floor(m.z))
        ]
        == 0
    )


@njit(cache=True, nogil=True)
def head_for(
    blocks: Cells, meta: Cells, m: np.void, dx: float, dz: float, seed: np.uint64, tick: int
) -> tuple[float, float]:
    """Turn a wished direction (unit vector) into one that can be walked; (0, 0) to stay.

    A detour round what is in the way is kept in ``timer``: ticks to go, its sign the side.
    """
    detour = m.timer
    if detour != 0:
        # a quarter turn to one side while the detour lasts
        side = 1.0 if detour > 0 else -1.0
        cos, sin = 0.17, 0.98 * side
        dx, dz = dx * cos - dz * sin, dx * sin + dz * cos
        detour -= 1 if detour > 0 else -1
    blocked = m.collided != 0 and m.on_ground != 0 and not can_hop(blocks, meta, m, dx, dz)
    if blocked or not safe_ahead(blocks, meta, m, dx, dz):
        if detour == 0 or uniform3(seed, tick, np.int64(m.uid), SALT + 41) < 0.1:
            detour = 15 if uniform3(seed, tick, np.int64(m.uid), SALT + 42) < 0.5 else -15
        if not blocked:
            dx, dz = 0.0, 0.0
    m.timer = detour
    return dx, dz


@njit(cache=True, nogil=True)
def notices(
    blocks: Cells, light: np.ndarray, m: np.void, p: np.void, distance: float, bright: bool, seed: np.uint64, tick: int
) -> None:
    """Keep a monster's mind about the player: begin the chase, refresh it while the player is seen, give it up."""
    sight = SIGHT[m.kind] * (0.8 if p.sneaking else 1.0)
    if m.goal == GOAL_CHASE and p.dead:
        m.goal, m.goal_ticks = GOAL_IDLE, 0
    if p.dead or (tick + m.uid) % 5 != 0:
        if m.goal == GOAL_CHASE and m.goal_ticks > 0:
            m.goal_ticks -= 1
            if m.goal_ticks == 0:
                m.goal = GOAL_IDLE
        return
    calm = m.kind == SPIDER and bright and m.flags & 2 == 0
    if calm and (m.goal != GOAL_CHASE or uniform3(seed, tick, np.int64(m.uid), SALT + 43) < 0.05):
        m.goal = GOAL_IDLE if m.goal == GOAL_CHASE else m.goal
        return
    if distance < sight and sees(blocks, m.x, m.y + EYE[m.kind], m.z, p.x, p.y + p.eye_height, p.z):
        m.goal, m.goal_ticks = GOAL_CHASE, 60  # remembered for 3 s out of sight
    elif m.goal == GOAL_CHASE:
        m.goal_ticks -= 1
        if m.goal_ticks <= 0 or distance > SIGHT[m.kind] * 1.5:
            m.goal, m.goal_ticks = GOAL_IDLE, 0


@njit(cache=True, nogil=True)
def shoot_at(m: np.void, p: np.void, missiles: np.ndarray, seed: np.uint64, tick: int) -> None:
    """A skeleton's arrow: 1.6 m per tick, lifted for the distance, spread a little."""
    x, y, z = m.x, m.y + EYE[m.kind] - 0.1, m.z
    dx, dz = p.x - x, p.z - z
    flat = math.sqrt(dx * dx + dz * dz)
    dy = p.y + p.height / 3.0 - y + flat * 0.2
    length = max(1e-6, math.sqrt(flat * flat + dy * dy))
    spread = 0.0075 * 6.0
    # the sum of three uniform numbers stands in for a normal one
    sx = 2.0 * (
        uniform3(seed, tick, np.int64(m.uid), SALT + 51)
        + uniform3(seed, tick, np.int64(m.uid), SALT + 52)
        + uniform3(seed, tick, np.int64(m.uid), SALT + 53)
        - 1.5
    )
    sy = 2.0 * (
        uniform3(seed, tick, np.int64(m.uid), SALT + 54)
        + uniform3(seed, tick, np.int64(m.uid), SALT + 55)
        + uniform3(seed, tick, np.int64(m.uid), SALT + 56)
        - 1.5
    )
    sz = 2.0 * (
        uniform3(seed, tick, np.int64(m.uid), SALT + 57)
        + uniform3(seed, tick, np.int64(m.uid), SALT + 58)
        + uniform3(seed, tick, np.int64(m.uid), SALT + 59)
        - 1.5
    )
    vx, vy, vz = dx / length + sx * spread, dy / length + sy * spread, dz / length + sz * spread
    add_missile(missiles, ARROW, 0, BY_A_MOB, x, y, z, vx * 1.6, vy * 1.6, vz * 1.6)


@njit(cache=True, nogil=True)
def think(
    blocks: Cells,
    meta: Cells,
    light: np.ndarray,
    m: np.void,
    p: np.void,
    missiles: np.ndarray,
    held: int,
    offhand: int,
    bright: bool,
    armour: float,
    notes: Notes,
    seed: np.uint64,
    tick: int,
) -> tuple[float, float, float]:
    """Decide a mob's tick: (dx, dz, pace), a unit vector or zero and a factor of its speed. It hits and shoots here."""
    tx, tz = p.x - m.x, p.z - m.z
    flat = math.sqrt(tx * tx + tz * tz)
    high = p.y - m.y
    distance = math.sqrt(flat * flat + high * high)
    ux, uz = (tx / flat, tz / flat) if flat > 1e-3 else (0.0, 0.0)
    if m.cooldown > 0:
        m.cooldown -= 1
    if m.goal == GOAL_PANIC:
        m.goal_ticks -= 1
        if m.goal_ticks <= 0:
            m.goal = GOAL_IDLE
        # a new way to run every 20 ticks, mostly away from the player
        if m.goal_ticks % 20 == 19 or m.collided:
            angle = math.atan2(-uz, -ux) + (uniform3(seed, tick, np.int64(m.uid), SALT + 44) - 0.5) * 3.0
            m.goal_x, m.goal_z = m.x + math.cos(angle) * 8.0, m.z + math.sin(angle) * 8.0
    elif HOSTILE[m.kind]:
        notices(blocks, light, m, p, distance, bright, seed, tick)
    elif not p.dead and distance < 10.0 and (LURES[m.kind, held] or LURES[m.kind, offhand]):
        m.goal, m.goal_ticks = GOAL_LURED, 2
    elif m.goal == GOAL_LURED:
        m.goal = GOAL_IDLE

    if m.goal == GOAL_LURED:
        m.head_yaw = math.degrees(math.atan2(-tx, tz))
        if distance < 2.5:
            return 0.0, 0.0, 0.0
        dx, dz = head_for(blocks, meta, m, ux, uz, seed, tick)
        return dx, dz, FOLLOW[m.kind]

    if m.goal == GOAL_CHASE:
        m.head_yaw = math.degrees(math.atan2(-tx, tz))
        m.pitch = math.degrees(math.atan2(m.y + EYE[m.kind] - p.y - p.eye_height, max(flat, 0.01)))
        if m.kind == CREEPER:
            seen = m.goal_ticks > 50
            if seen and distance < (3.0 if m.fuse == 0 else 7.0):
                m.fuse += 1
                return 0.0, 0.0, 0.0
            if m.fuse > 0:
                m.fuse -= 1
        elif m.kind == SKELETON:
            seen = m.goal_ticks > 50
            if seen and distance < 15.0:
                if m.cooldown == 0:
                    shoot_at(m, p, missiles, seed, tick)
                    m.cooldown = SHOT_CYCLE
                # it keeps its distance and steps sideways, changing its mind every second or so
                side = 1.0 if uniform3(seed, tick // 20, np.int64(m.uid), SALT + 45) < 0.5 else -1.0
                ahead = 1.0 if distance > 13.0 else -1.0 if distance < 7.5 else 0.0
                dx, dz = ux * ahead - uz * side, uz * ahead + ux * side
                length = max(
                    1e-6, math.sqrt(dx * dx + dz * dz)
                )  # they may stand in the same place, wedged into a corner
                dx, dz = dx / length, dz / length
                if not safe_ahead(blocks, meta, m, dx, dz):
                    return 0.0, 0.0, 0.0
                return dx, dz, 0.75
        else:
            reach = MOB_HALF[m.kind] * 4.0
            reach = reach * reach + 0.6 if m.kind == ZOMBIE else 4.6
            if m.cooldown == 0 and distance * distance < reach:
                if sees(blocks, m.x, m.y + EYE[m.kind], m.z, p.x, p.y + p.eye_height, p.z):
                    m.cooldown = 20
                    if hurt_player(p, armour, DAMAGE[m.kind], notes, BY_COW - 1 + np.int64(m.kind)) > 0.0:
                        knock(p, 0.4, tx, tz)
            if (
                m.kind == SPIDER
                and m.on_ground
                and 2.0 < distance < 4.0
                and uniform3(seed, tick, np.int64(m.uid), SALT + 46) < 0.2
            ):
                m.vx, m.vz = ux * 0.4 + m.vx * 0.2, uz * 0.4 + m.vz * 0.2
                m.vy = 0.4
        if flat < 0.4:
            return 0.0, 0.0, 0.0
        dx, dz = head_for(blocks, meta, m, ux, uz, seed, tick)
        return dx, dz, 1.0

    if m.kind == CREEPER and m.fuse > 0:
        m.fuse -= 1
    pace = 1.0
    if m.goal == GOAL_PANIC:
        pace = PANIC[m.kind]
    elif m.goal == GOAL_IDLE:
        # mobs far from the player do not stroll
        if distance < 40.0 and uniform3(seed, tick, np.int64(m.uid), SALT + 47) < 1.0 / 120.0:
            angle, far = (
                uniform3(seed, tick, np.int64(m.uid), SALT + 48) * 2.0 * math.pi,
                3.0 + uniform3(seed, tick, np.int64(m.uid), SALT + 49) * 7.0,
            )
            m.goal, m.goal_ticks = GOAL_WANDER, 200
            m.goal_x, m.goal_z = m.x + math.cos(angle) * far, m.z + math.sin(angle) * far
        elif distance < 6.0 and uniform3(seed, tick // 40, np.int64(m.uid), SALT + 50) < 0.4:
            m.head_yaw = turned(float(m.head_yaw), math.degrees(math.atan2(-tx, tz)), 10.0)
            return 0.0, 0.0, 0.0
        elif uniform3(seed, tick, np.int64(m.uid), SALT + 60) < 0.02:
            m.head_yaw = turned(
                float(m.yaw), float(m.yaw) + (uniform3(seed, tick, np.int64(m.uid), SALT + 61) - 0.5) * 150.0, 75.0
            )
            return 0.0, 0.0, 0.0
        else:
            return 0.0, 0.0, 0.0
    gx, gz = m.goal_x - m.x, m.goal_z - m.z
    far = math.sqrt(gx * gx + gz * gz)
    if m.goal == GOAL_WANDER:
        m.goal_ticks -= 1
        if far < 0.7 or m.goal_ticks <= 0:
            m.goal = GOAL_IDLE
            return 0.0, 0.0, 0.0
    elif far < 0.7:
        return 0.0, 0.0, 0.0
    dx, dz = head_for(blocks, meta, m, gx / far, gz / far, seed, tick)
    if m.goal == GOAL_WANDER and dx == 0.0 and dz == 0.0 and uniform3(seed, tick, np.int64(m.uid), SALT + 62) < 0.1:
        m.goal = GOAL_IDLE
    return dx, dz, pace
