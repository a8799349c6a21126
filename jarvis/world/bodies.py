"""How bodies move: boxes swept through the blocks, liquids, and one tick of the player's legs.

The numbers are public facts of Minecraft Java 1.16.5 (player constants in data/rules.json, the rest as documented by
its community): every tick a body gains speed from its input, moves along y and then along the larger of x and z, is
stopped by boxes, climbs steps of up to 0.6 m, and then loses speed to gravity and drag. Speeds are metres per tick.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.combat import BY_FALL, hurt_player
from jarvis.world.ids import CACTUS, ICE, LADDER, LIQUID, WHITE_BED
from jarvis.world.layout import HEIGHT, MASK, NOTE_LAND, Grid, Notes, note
from jarvis.world.rules import RULES
from jarvis.world.shapes import SHAPES

GRAVITY = 0.08
DRAG_Y = 0.98
INERTIA = 0.91  # times the slipperiness underfoot when on ground
SLIPPERINESS = 0.6
STEP = 0.6
EPSILON = 1e-7
STILL = 0.003  # slower than this is standing still
SOURCE_HEIGHT = 8.0 / 9.0
PLAYER_HALF = 0.3  # half the player's width
MAX_BOXES = 512
ALONG_Y = np.int64(1)  # NOTE: not a literal, see combat.py

Cells = np.ndarray  # (256, 256, 128) uint8, Grid.blocks or Grid.meta
Vector = tuple[float, float, float]
Box = tuple[float, float, float, float, float, float]  # x0, y0, z0, x1, y1, z1

# NOTE: tables are baked into the compiled kernels, see ids.py
HIT_START, HIT_COUNT, HIT_BOXES = SHAPES.hit_start, SHAPES.hit_count, SHAPES.hit_boxes
SLIP = np.full(len(RULES.blocks), SLIPPERINESS)
SLIP[ICE] = 0.98
TOUCH_NOTHING, TOUCH_CLIMB, TOUCH_CACTUS, TOUCH_BED = range(4)
TOUCH = np.zeros(len(RULES.blocks), np.uint8)
TOUCH[LADDER], TOUCH[CACTUS], TOUCH[WHITE_BED] = TOUCH_CLIMB, TOUCH_CACTUS, TOUCH_BED


@njit(cache=True, nogil=True)
def cell_shape(blocks: Cells, meta: Cells, x: int, y: int, z: int) -> int:
    """``16 * block + (meta & 15)`` of a cell: air above the world, bedrock below it."""
    if y >= HEIGHT:
        return 0
    if y < 0:
        return 16
    return np.int64(blocks[x & MASK, z & MASK, y]) * 16 + (np.int64(meta[x & MASK, z & MASK, y]) & 15)


@njit(cache=True, nogil=True)
def gather(blocks: Cells, meta: Cells, box: Box, found: np.ndarray) -> int:
    """Write the collision boxes that overlap or touch ``box`` to ``found`` (MAX_BOXES, 6); returns how many."""
    x0, y0, z0, x1, y1, z1 = box
    count = 0
    bottom = math.floor(y0 - 0.5 - EPSILON)  # fences reach half a metre into the cell above them
    top = math.floor(y1 + EPSILON)
    for ix in range(math.floor(x0 - EPSILON), math.floor(x1 + EPSILON) + 1):
        for iz in range(math.floor(z0 - EPSILON), math.floor(z1 + EPSILON) + 1):
            for iy in range(bottom, top + 1):
                shape = cell_shape(blocks, meta, ix, iy, iz)
                start = HIT_START[shape]
                for b in range(start, start + HIT_COUNT[shape]):
                    if count == MAX_BOXES:
                        return count
                    found[count, 0] = ix + HIT_BOXES[b, 0]
                    found[count, 1] = iy + HIT_BOXES[b, 1]
                    found[count, 2] = iz + HIT_BOXES[b, 2]
                    found[count, 3] = ix + HIT_BOXES[b, 3]
                    found[count, 4] = iy + HIT_BOXES[b, 4]
                    found[count, 5] = iz + HIT_BOXES[b, 5]
                    count += 1
    return count


@njit(cache=True, nogil=True)
def clip(boxes: np.ndarray, count: int, low: np.ndarray, high: np.ndarray, axis: int, d: float) -> float:
    """How far of ``d`` the box ``low`` to ``high`` can go along an axis (0 x, 1 y, 2 z) before it touches another."""
    if d == 0.0:
        return 0.0
    second, third = (axis + 1) % 3, (axis + 2) % 3
    for b in range(count):
        if (
            high[second] - EPSILON > boxes[b, second]
            and low[second] + EPSILON < boxes[b, second + 3]
            and high[third] - EPSILON > boxes[b, third]
            and low[third] + EPSILON < boxes[b, third + 3]
        ):
            if d > 0.0 and boxes[b, axis] >= high[axis] - EPSILON:
                d = min(d, boxes[b, axis] - high[axis])
            elif d < 0.0 and boxes[b, axis + 3] <= low[axis] + EPSILON:
                d = max(d, boxes[b, axis + 3] - low[axis])
    return 0.0 if abs(d) < EPSILON else d


@njit(cache=True, nogil=True)
def is_free(blocks: Cells, meta: Cells, box: Box) -> bool:
    """Whether no collision box overlaps the box."""
    x0, y0, z0, x1, y1, z1 = box
    for ix in range(math.floor(x0), math.floor(x1) + 1):
        for iz in range(math.floor(z0), math.floor(z1) + 1):
            for iy in range(math.floor(y0 - 0.5), math.floor(y1) + 1):
                shape = cell_shape(blocks, meta, ix, iy, iz)
                start = HIT_START[shape]
                for b in range(start, start + HIT_COUNT[shape]):
                    if (
                        ix + HIT_BOXES[b, 0] < x1 - EPSILON
                        and ix + HIT_BOXES[b, 3] > x0 + EPSILON
                        and iy + HIT_BOXES[b, 1] < y1 - EPSILON
                        and iy + HIT_BOXES[b, 4] > y0 + EPSILON
                        and iz + HIT_BOXES[b, 2] < z1 - EPSILON
                        and iz + HIT_BOXES[b, 5] > z0 + EPSILON
                    ):
                        return False
    return True


@njit(cache=True, nogil=True)
def box_free(grid: Grid, x0: float, y0: float, z0: float, x1: float, y1: float, z1: float) -> bool:
    """Whether no collision box overlaps the box from (x0, y0, z0) to (x1, y1, z1)."""
    return is_free(grid.blocks, grid.meta, (x0, y0, z0, x1, y1, z1))


@njit(cache=True, nogil=True)
def sweep_room() -> np.ndarray:
    """Working space for ``sweep``, made once per kernel call."""
    return np.empty((8 + MAX_BOXES, 6))


@njit(cache=True, nogil=True)
def slide(boxes: np.ndarray, count: int, low: np.ndarray, high: np.ndarray, motion: np.ndarray) -> None:
    """Cut ``motion`` (3,) to what the box can do: along y, the larger of x and z, then the other. Moves the box."""
    first = 2 if abs(motion[0]) < abs(motion[2]) else 0
    for turn in range(3):
        axis = 1 if turn == 0 else first if turn == 1 else 2 - first
        d = clip(boxes, count, low, high, axis, motion[axis])
        motion[axis] = d
        low[axis] += d
        high[axis] += d


@njit(cache=True, nogil=True)
def sweep(
    blocks: Cells,
    meta: Cells,
    room: np.ndarray,
    at: Vector,
    half: float,
    height: float,
    wish: Vector,
    grounded: bool,
    step: float,
) -> Vector:
    """The part of the motion ``wish`` that a body with feet at ``at`` can make, climbing steps up to ``step`` metres.

    ``room`` is working space from ``sweep_room()``.
    """
    x, y, z = at
    dx, dy, dz = wish
    boxes, low, high, motion = room[8:], room[0, :3], room[1, :3], room[2, :3]
    reach = (
        x - half + min(dx, 0.0), y + min(dy, 0.0), z - half + min(dz, 0.0),
        x + half + max(dx, 0.0), y + height + max(dy, step), z + half + max(dz, 0.0),
    )  # fmt: skip
    count = gather(blocks, meta, reach, boxes)
    if count == 0:
        return wish
    best_x, best_y, best_z = 0.0, 0.0, 0.0
    # three tries, as in the game: straight on; rising a step while moving; rising first and then moving
    for turn in range(3):
        low[0], low[1], low[2] = x - half, y, z - half
        high[0], high[1], high[2] = x + half, y + height, z + half
        rise = 0.0
        if turn == 2:
            low[0], low[2] = low[0] + min(dx, 0.0), low[2] + min(dz, 0.0)
            high[0], high[2] = high[0] + max(dx, 0.0), high[2] + max(dz, 0.0)
            rise = clip(boxes, count, low, high, ALONG_Y, step)
            if rise >= step:
                break
            low[0], low[1], low[2] = x - half, y + rise, z - half
            high[0], high[1], high[2] = x + half, y + height + rise, z + half
        motion[0], motion[1], motion[2] = dx, dy if turn == 0 else step if turn == 1 else 0.0, dz
        slide(boxes, count, low, high, motion)
        if turn == 0:
            best_x, best_y, best_z = motion[0], motion[1], motion[2]
            if step <= 0.0 or (best_x == dx and best_z == dz) or not (grounded or (best_y != dy and dy < 0.0)):
                break
        elif motion[0] * motion[0] + motion[2] * motion[2] > best_x * best_x + best_z * best_z:
            rise += motion[1]
            best_x, best_z = motion[0], motion[2]
            best_y = rise + clip(boxes, count, low, high, ALONG_Y, dy - rise)
    return best_x, best_y, best_z


# liquids


@njit(cache=True, nogil=True)
def liquid_height(blocks: Cells, meta: Cells, x: int, y: int, z: int, which: int) -> float:
    """How high liquid ``which`` (1 water, 2 lava) stands in a cell, 0.0 where there is none."""
    shape = cell_shape(blocks, meta, x, y, z)
    if LIQUID[shape >> 4] != which:
        return 0.0
    if LIQUID[cell_shape(blocks, meta, x, y + 1, z) >> 4] == which:
        return 1.0
    level = shape & 15
    return SOURCE_HEIGHT if level == 0 or level >= 8 else (8 - level) / 9.0


@njit(cache=True, nogil=True)
def own_height(shape: int, which: int) -> float:
    """How high the liquid of one cell stands by its level alone."""
    if LIQUID[shape >> 4] != which:
        return 0.0
    level = shape & 15
    return SOURCE_HEIGHT if level == 0 or level >= 8 else (8 - level) / 9.0


@njit(cache=True, nogil=True)
def flow(blocks: Cells, meta: Cells, x: int, y: int, z: int, which: int) -> Vector:
    """Unit vector (x, y, z) of a liquid cell's current; zero in still water."""
    here = cell_shape(blocks, meta, x, y, z)
    own = own_height(here, which)
    fx, fy, fz = 0.0, 0.0, 0.0
    walled = False
    for side in range(4):
        ox = 1 if side == 0 else -1 if side == 1 else 0
        oz = 1 if side == 2 else -1 if side == 3 else 0
        beside = cell_shape(blocks, meta, x + ox, y, z + oz)
        there = own_height(beside, which)
        fall = 0.0
        if there > 0.0:
            fall = own - there
        elif LIQUID[beside >> 4] == 0:
            if HIT_COUNT[beside] == 0:
                below = own_height(cell_shape(blocks, meta, x + ox, y - 1, z + oz), which)
                if below > 0.0:
                    fall = own - (below - SOURCE_HEIGHT)
            else:
                walled = True
        fx += ox * fall
        fz += oz * fall
    if here & 15 >= 8 and walled:
        length = math.sqrt(fx * fx + fz * fz)
        if length > 0.0:
            fx, fz = fx / length, fz / length
        fy = -6.0
    length = math.sqrt(fx * fx + fy * fy + fz * fz)
    if length < 1e-4:
        return 0.0, 0.0, 0.0
    return fx / length, fy / length, fz / length


@njit(cache=True, nogil=True)
def immersion(
    blocks: Cells, meta: Cells, x: float, y: float, z: float, half: float, height: float
) -> tuple[float, float, float, float, float]:
    """How deep a body stands in water and in lava (metres above its feet) and the water's mean current (x, y, z)."""
    water, lava, fx, fy, fz = 0.0, 0.0, 0.0, 0.0, 0.0
    cells = 0
    y0 = y + 0.001
    for ix in range(math.floor(x - half + 0.001), math.floor(x + half - 0.001) + 1):
        for iz in range(math.floor(z - half + 0.001), math.floor(z + half - 0.001) + 1):
            for iy in range(math.floor(y0), math.floor(y + height - 0.001) + 1):
                which = LIQUID[cell_shape(blocks, meta, ix, iy, iz) >> 4]
                if which == 0:
                    continue
                depth = iy + liquid_height(blocks, meta, ix, iy, iz, which) - y0
                if depth < 0.0:
                    continue
                if which == 2:
                    lava = max(lava, depth)
                    continue
                water = max(water, depth)
                ax, ay, az = flow(blocks, meta, ix, iy, iz, 1)
                if water < 0.4:
                    ax, ay, az = ax * water, ay * water, az * water
                fx, fy, fz = fx + ax, fy + ay, fz + az
                cells += 1
    if cells > 0:
        fx, fy, fz = fx / cells, fy / cells, fz / cells
    return water, lava, fx, fy, fz


@njit(cache=True, nogil=True)
def eyes_under(blocks: Cells, meta: Cells, x: float, y: float, z: float, which: int) -> bool:
    """Whether a point (an eye) is under the surface of a liquid, with the game's allowance of a ninth of a metre."""
    y -= 1.0 / 9.0
    ix, iy, iz = math.floor(x), math.floor(y), math.floor(z)
    depth = liquid_height(blocks, meta, ix, iy, iz, which)
    return depth > 0.0 and iy + depth > y


@njit(cache=True, nogil=True)
def leaves_liquid(blocks: Cells, meta: Cells, box: Box) -> bool:
    """Whether a box is free of blocks and of liquid: a body that swims against a bank and has such room hops out."""
    if not is_free(blocks, meta, box):
        return False
    x0, y0, z0, x1, y1, z1 = box
    for ix in range(math.floor(x0), math.floor(x1) + 1):
        for iz in range(math.floor(z0), math.floor(z1) + 1):
            for iy in range(math.floor(y0), math.floor(y1) + 1):
                if LIQUID[cell_shape(blocks, meta, ix, iy, iz) >> 4] != 0:
                    return False
    return True


@njit(cache=True, nogil=True)
def water_gravity(vy: float, falls: bool) -> float:
    """Sinking: a sixteenth of gravity, with the game's slow settling."""
    if falls and abs(vy - 0.005) >= STILL and abs(vy - GRAVITY / 16.0) < STILL:
        return -STILL
    return vy - GRAVITY / 16.0


# the player

Player = np.void  # a PLAYER record


@njit(cache=True, nogil=True)
def stands_over(blocks: Cells, meta: Cells, p: Player, dx: float, drop: float, dz: float) -> bool:
    """Whether something lies under the player's box when moved by (dx, -drop, dz)."""
    x, y, z = p.x + dx, p.y - drop, p.z + dz
    box = (x - PLAYER_HALF, y, z - PLAYER_HALF, x + PLAYER_HALF, y + p.height, z + PLAYER_HALF)
    return not is_free(blocks, meta, box)


@njit(cache=True, nogil=True)
def keep_on_edge(blocks: Cells, meta: Cells, p: Player, dx: float, dz: float) -> tuple[float, float]:
    """Shorten a sneaker's motion so that something within a step's height stays below it."""
    # x alone, z alone, then both, in steps of 0.05 m
    for turn in range(3):
        while (
            (turn == 1 or dx != 0.0)
            and (turn == 0 or dz != 0.0)
            and not stands_over(blocks, meta, p, 0.0 if turn == 1 else dx, STEP, 0.0 if turn == 0 else dz)
        ):
            if turn != 1:
                dx = 0.0 if abs(dx) < 0.05 else dx - 0.05 if dx > 0.0 else dx + 0.05
            if turn != 0:
                dz = 0.0 if abs(dz) < 0.05 else dz - 0.05 if dz > 0.0 else dz + 0.05
    return dx, dz


@njit(cache=True, nogil=True)
def take_pose(blocks: Cells, meta: Cells, p: Player, sneak: bool) -> None:
    """Stand, crouch or lie (swimming, crawling), whatever is wanted and has room."""
    p.head_in_water = p.in_water and eyes_under(blocks, meta, p.x, p.y + p.eye_height, p.z, 1)
    swims = p.sprinting and p.in_water and (p.head_in_water or p.height < 1.0)
    # growing from a lower pose needs room
    stands = p.height > 1.7
    crouches = p.height > 1.4
    for turn in range(2):
        if not stands:
            tall = 1.5 if turn == 0 else 1.8
            box = (
                p.x - PLAYER_HALF, p.y, p.z - PLAYER_HALF, p.x + PLAYER_HALF, p.y + tall, p.z + PLAYER_HALF,
            )  # fmt: skip
            free = is_free(blocks, meta, box)
            crouches = crouches or free
            stands = turn == 1 and free
    p.sneaking = 0
    if swims or not crouches:
        p.height, p.eye_height = 0.6, 0.4
    elif sneak or not stands:
        p.height, p.eye_height = 1.5, 1.27
        p.sneaking = 1
    else:
        p.height, p.eye_height = 1.8, 1.62


@njit(cache=True, nogil=True)
def land(p: Player, block: int, notes: Notes) -> None:
    """The end of a fall: note it and hurt the player."""
    distance = float(p.fall_distance)
    p.fall_distance = 0.0
    note(notes, NOTE_LAND, block, round(distance * 100.0), np.int64(0), p.x, p.y, p.z)
    damage = math.ceil(distance * (0.5 if TOUCH[block] == TOUCH_BED else 1.0) - 3.0)
    if damage > 0:
        hurt_player(p, 0.0, damage, notes, BY_FALL)


@njit(cache=True, nogil=True)
def steer(p: Player, forward: float, strafe: float, speed: float) -> None:
    """Add an input (forward and left positive) of a given strength along the player's yaw."""
    size = forward * forward + strafe * strafe
    if size < EPSILON:
        return
    if size > 1.0:
        speed /= math.sqrt(size)
    angle = math.radians(p.yaw)
    sin, cos = math.sin(angle), math.cos(angle)
    p.vx += (strafe * cos - forward * sin) * speed
    p.vz += (forward * cos + strafe * sin) * speed


@njit(cache=True, nogil=True)
def move_player(
    grid: Grid,
    players: np.ndarray,
    forward: float,
    strafe: float,
    jump: bool,
    sneak: bool,
    sprint: bool,
    using: bool,
    notes: Notes,
) -> None:
    """One tick of the player's movement.

    ``players`` is the (1,) PLAYER array; forward and strafe (left positive) are -1.0, 0.0 or 1.0; ``using`` is true
    while the held item is being used (eating, drawing a bow). Yaw, pitch and everything else are the record's. Updates
    position, speed, pose, flags, fall distance, exhaustion and walk phase; landing adds NOTE_LAND (block, hundredths of
    a metre fallen) and does the damage of the fall.
    """
    p = players[0]
    blocks, meta = grid.blocks, grid.meta
    water, lava, fx, fy, fz = immersion(blocks, meta, p.x, p.y, p.z, PLAYER_HALF, p.height)
    p.in_water, p.in_lava = water > 0.0, lava > 0.0
    if p.in_water:
        p.fall_distance = 0.0
        p.vx, p.vy, p.vz = p.vx + fx * 0.014, p.vy + fy * 0.014, p.vz + fz * 0.014
    if p.in_lava:
        p.fall_distance *= 0.5
    take_pose(blocks, meta, p, sneak)
    slow = p.sneaking or (p.height < 1.0 and not p.in_water)
    if slow:
        forward, strafe = forward * 0.3, strafe * 0.3
    if using:
        forward, strafe = forward * 0.2, strafe * 0.2

    fed = p.food > 6.0
    if not p.sprinting and sprint and forward >= 0.8 and fed and (not p.in_water or p.head_in_water):
        p.sprinting = 1
    if p.sprinting:
        stops = forward <= 1e-5 or not fed or p.sneaking or using
        if p.height < 1.0 and p.in_water:
            if stops and not p.on_ground:
                p.sprinting = 0
        elif stops or p.collided or (p.in_water and not p.head_in_water):
            p.sprinting = 0
    p.vx = 0.0 if abs(p.vx) < STILL else p.vx
    p.vy = 0.0 if abs(p.vy) < STILL else p.vy
    p.vz = 0.0 if abs(p.vz) < STILL else p.vz

    if p.jump_cooldown > 0:
        p.jump_cooldown -= 1
    if jump:
        deep = lava if p.in_lava else water
        if (p.in_water or p.in_lava) and (not p.on_ground or deep > 0.4):
            p.vy += 0.04
        elif p.on_ground and p.jump_cooldown == 0:
            p.vy = 0.42
            if p.sprinting:
                angle = math.radians(p.yaw)
                p.vx -= math.sin(angle) * 0.2
                p.vz += math.cos(angle) * 0.2
            p.exhaustion += 0.2 if p.sprinting else 0.05
            p.jump_cooldown = 10
    else:
        p.jump_cooldown = 0
    forward *= 0.98
    strafe *= 0.98

    swimming = p.height < 1.0 and p.in_water
    if swimming:
        look = -math.sin(math.radians(p.pitch))
        above = cell_shape(blocks, meta, math.floor(p.x), math.floor(p.y + 0.9), math.floor(p.z)) >> 4
        if look <= 0.0 or jump or LIQUID[above] != 0:
            p.vy += (look - p.vy) * (0.085 if look < -0.2 else 0.06)

    in_water, in_lava = p.in_water, p.in_lava and not p.in_water
    slip = SLIPPERINESS
    if in_water or in_lava:
        steer(p, forward, strafe, 0.02)
    else:
        below = cell_shape(blocks, meta, math.floor(p.x), math.floor(p.y - 0.5000001), math.floor(p.z)) >> 4
        slip = SLIP[below]
        if p.on_ground:
            steer(p, forward, strafe, (0.13 if p.sprinting else 0.1) * (0.216 / (slip * slip * slip)))
        else:
            steer(p, forward, strafe, 0.026 if p.sprinting else 0.02)
        slip = slip if p.on_ground else 1.0
    feet = cell_shape(blocks, meta, math.floor(p.x), math.floor(p.y), math.floor(p.z)) >> 4
    climbing = TOUCH[feet] == TOUCH_CLIMB
    if climbing and not in_water and not in_lava:
        p.fall_distance = 0.0
        p.vx, p.vz = min(max(p.vx, -0.15), 0.15), min(max(p.vz, -0.15), 0.15)
        p.vy = max(p.vy, -0.15)
        if p.vy < 0.0 and sneak:
            p.vy = 0.0

    # the move itself
    dx, dy, dz = p.vx, p.vy, p.vz
    if p.sneaking and sneak and dy <= 0.0 and (dx != 0.0 or dz != 0.0):
        fallen = float(p.fall_distance)
        if p.on_ground or (fallen < STEP and stands_over(blocks, meta, p, 0.0, STEP - fallen, 0.0)):
            dx, dz = keep_on_edge(blocks, meta, p, dx, dz)
    mx, my, mz = sweep(
        blocks, meta, sweep_room(), (p.x, p.y, p.z), PLAYER_HALF, float(p.height), (dx, dy, dz), p.on_ground != 0, STEP
    )
    old_y = p.y
    p.x, p.y, p.z = p.x + mx, p.y + my, p.z + mz
    # NOTE: stopping at an edge is not a collision, it keeps the speed
    p.collided = mx != dx or mz != dz
    p.on_ground = my != dy and dy < 0.0
    if p.on_ground:
        under = cell_shape(blocks, meta, math.floor(p.x), math.floor(p.y - 0.2), math.floor(p.z)) >> 4
        if under == 0:  # fences and the like reach into the cell above them
            under = cell_shape(blocks, meta, math.floor(p.x), math.floor(p.y - 1.2), math.floor(p.z)) >> 4
        if p.fall_distance > 0.0:
            land(p, under, notes)
        p.vy = -p.vy * 0.66 if TOUCH[under] == TOUCH_BED and not sneak else 0.0
    else:
        if my < 0.0:
            p.fall_distance = p.fall_distance - my
        if my != dy:
            p.vy = 0.0
    if mx != dx:
        p.vx = 0.0
    if mz != dz:
        p.vz = 0.0

    feet = cell_shape(blocks, meta, math.floor(p.x), math.floor(p.y), math.floor(p.z)) >> 4
    p.climbing = TOUCH[feet] == TOUCH_CLIMB
    if in_water or in_lava:
        if p.collided and p.climbing:
            p.vy = 0.2
        if in_water:
            drag = 0.9 if p.sprinting else 0.8
            falls = dy <= 0.0
            p.vx, p.vy, p.vz = p.vx * drag, p.vy * 0.8, p.vz * drag
            if not p.sprinting:
                p.vy = water_gravity(p.vy, falls)
        else:
            p.vx, p.vz = p.vx * 0.5, p.vz * 0.5
            p.vy = water_gravity(p.vy * 0.8, dy <= 0.0) if lava <= 0.4 else p.vy * 0.5
            p.vy -= GRAVITY / 4.0
        x, y, z = p.x + p.vx, old_y + p.vy + 0.6, p.z + p.vz
        if p.collided and leaves_liquid(
            blocks, meta, (x - PLAYER_HALF, y, z - PLAYER_HALF, x + PLAYER_HALF, y + p.height, z + PLAYER_HALF)
        ):
            p.vy = 0.3
    else:
        if (p.collided or jump) and p.climbing:
            p.vy = 0.2
        p.vx, p.vy, p.vz = p.vx * slip * INERTIA, (p.vy - GRAVITY) * DRAG_Y, p.vz * slip * INERTIA

    # what it cost and how the legs look
    far = math.sqrt(mx * mx + mz * mz)
    if in_water:
        p.exhaustion += 0.01 * math.sqrt(mx * mx + my * my + mz * mz)
    elif p.on_ground and p.sprinting:
        p.exhaustion += 0.1 * far
    p.walk_speed += (min(1.0, far * 4.0) - p.walk_speed) * 0.4
    p.walk_phase = (p.walk_phase + p.walk_speed * 0.6662) % (2.0 * math.pi)
