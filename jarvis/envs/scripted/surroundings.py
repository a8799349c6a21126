"""What can be seen from where the player stands: rays into the picture, points to aim at, and light.

A block counts as seen when a ray of the picture ends on it and there is light enough before it (or it is close). Rays
are spread evenly over the 16:9 picture and shift from scan to scan, so that small things are found after a while.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.ids import BIRCH_LEAVES, BIRCH_LOG, OAK_LEAVES, OAK_LOG, OPAQUE, SPRUCE_LEAVES, SPRUCE_LOG, WATER
from jarvis.world.layout import HEIGHT, MASK, Grid, uniform3
from jarvis.world.rules import RULES
from jarvis.world.shapes import CROSS, SHAPES

__all__ = ["FOUND", "RANGE", "aim_point", "brightness", "find_hidden", "look_around", "sees_point"]

COLUMNS, ROWS = 36, 20  # rays of a scan
RANGE = 56.0  # metres that a scan reaches
FOUND = 256  # blocks that a scan can report
NEAR = 3.5  # metres within which things are seen in the dark
DIM = 3  # light level from which things are seen further away
KIND, SEE_START, SEE_COUNT, SEE_BOXES = SHAPES.kind, SHAPES.see_start, SHAPES.see_count, SHAPES.see_boxes
CLEAR = np.zeros(len(RULES.blocks), np.uint8)  # looked through
for _name in ("air", "glass", "glass_pane", "water", "torch", "ladder", "oak_fence", "oak_fence_gate", "snow"):
    CLEAR[RULES.block(_name)] = 1
THIN = (KIND == CROSS).astype(np.uint8)


@njit(cache=True, nogil=True)
def brightness(grid: Grid, x: int, y: int, z: int, dark: int) -> int:
    """Light level 0..15 that falls on a cell; ``dark`` is taken off the sky's part."""
    if y >= HEIGHT or y < 0:
        return 15 - dark
    value = np.int64(grid.light[x & MASK, z & MASK, y])
    return max((value >> 4) - dark, value & 15)


@njit(cache=True, nogil=True)
def look_around(
    grid: Grid,
    eye: np.ndarray,
    yaw: float,
    pitch: float,
    dark: int,
    want: np.ndarray,
    mobs: np.ndarray,
    shift: int,
    tan_up: float,
    found: np.ndarray,
    mob_seen: np.ndarray,
) -> int:
    """Scan the picture: fills ``found`` (FOUND, 4) int32 rows x, y, z, block of wanted blocks, returns how many.

    want: (blocks,) uint8. tan_up: half the picture's height at distance 1. A crown of leaves gives its trunk away.
    mob_seen: (MAX_MOBS,) uint8, set for those in view.
    """
    sin_yaw, cos_yaw = math.sin(math.radians(yaw)), math.cos(math.radians(yaw))
    sin_pitch, cos_pitch = math.sin(math.radians(pitch)), math.cos(math.radians(pitch))
    fx, fy, fz = -sin_yaw * cos_pitch, -sin_pitch, cos_yaw * cos_pitch
    rx, rz = -cos_yaw, -sin_yaw  # to the right
    ux, uy, uz = -sin_yaw * sin_pitch, cos_pitch, cos_yaw * sin_pitch  # up
    seed = np.uint64(12345)
    jx, jy = uniform3(seed, shift, 1, 0), uniform3(seed, shift, 2, 0)
    tan_side = tan_up * 16.0 / 9.0
    count = 0
    for row in range(ROWS):
        v = (1.0 - 2.0 * (row + jy) / ROWS) * tan_up
        for column in range(COLUMNS):
            u = (2.0 * (column + jx) / COLUMNS - 1.0) * tan_side
            dx, dy, dz = fx + rx * u + ux * v, fy + uy * v, fz + rz * u + uz * v
            length = math.sqrt(dx * dx + dy * dy + dz * dz)
            x, y, z, block, px, py, pz, far = _march(
                grid, eye[0], eye[1], eye[2], dx / length, dy / length, dz / length, RANGE, want
            )
            if block == 0 or (far > NEAR and brightness(grid, px, py, pz, dark) < DIM):
                continue
            if block == OAK_LEAVES or block == BIRCH_LEAVES or block == SPRUCE_LEAVES:
                x, y, z, block = _trunk(grid, x, y, z, block)
            known = False
            for k in range(max(0, count - 40), count):
                known = known or (found[k, 0] == x and found[k, 1] == y and found[k, 2] == z)
            if want[block] and count < FOUND and not known:
                found[count, 0], found[count, 1], found[count, 2], found[count, 3] = x, y, z, block
                count += 1
    for i in range(mobs.shape[0]):
        mob_seen[i] = 0
        m = mobs[i]
        if m.kind == 0:
            continue
        dx, dy, dz = m.x - eye[0], m.y + 0.8 - eye[1], m.z - eye[2]
        ahead = dx * fx + dy * fy + dz * fz
        far = math.sqrt(dx * dx + dy * dy + dz * dz)
        if ahead <= 0.2 or far > 40.0:
            continue
        side, up = dx * rx + dz * rz, dx * ux + dy * uy + dz * uz
        if abs(side) > ahead * tan_side + 0.3 or abs(up) > ahead * tan_up + 0.9:
            continue
        if far > 8.0 and brightness(grid, math.floor(m.x), math.floor(m.y + 0.8), math.floor(m.z), dark) < 2:
            continue
        if sees_point(grid, eye[0], eye[1], eye[2], m.x, m.y + 0.8, m.z) or sees_point(
            grid, eye[0], eye[1], eye[2], m.x, m.y + 1.5, m.z
        ):
            mob_seen[i] = 1
    return count


@njit(cache=True, nogil=True)
def _march(
    grid: Grid, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, reach: float, want: np.ndarray
) -> tuple[int, int, int, int, int, int, int, float]:
    # The first cell that stops a look: x, y, z, block, the cell before it, distance. Block 0: nothing.
    tiny = 1e-9
    dx = tiny if abs(dx) < tiny else dx
    dy = tiny if abs(dy) < tiny else dy
    dz = tiny if abs(dz) < tiny else dz
    ix, iy, iz = 1.0 / dx, 1.0 / dy, 1.0 / dz
    x, y, z = math.floor(ox), math.floor(oy), math.floor(oz)
    sx, sy, sz = (1 if dx > 0 else -1), (1 if dy > 0 else -1), (1 if dz > 0 else -1)
    tx, ty, tz = (x + (dx > 0) - ox) * ix, (y + (dy > 0) - oy) * iy, (z + (dz > 0) - oz) * iz
    ax, ay, az = abs(ix), abs(iy), abs(iz)
    px, py, pz, t, wet = x, y, z, 0.0, 0
    while t <= reach:
        if y < 0 or (y >= HEIGHT and dy > 0):
            break
        if y < HEIGHT:
            block = np.int64(grid.blocks[x & MASK, z & MASK, y])
            if block != 0:
                if block == WATER:
                    wet += 1
                    if want[block] or wet > 8:
                        return x, y, z, block, px, py, pz, t
                elif want[block] or not (CLEAR[block] or THIN[block]):
                    return x, y, z, block, px, py, pz, t
        px, py, pz = x, y, z
        if tx <= ty and tx <= tz:
            t, tx, x = tx, tx + ax, x + sx
        elif ty <= tz:
            t, ty, y = ty, ty + ay, y + sy
        else:
            t, tz, z = tz, tz + az, z + sz
    return 0, 0, 0, 0, 0, 0, 0, 0.0


@njit(cache=True, nogil=True)
def _trunk(grid: Grid, x: int, y: int, z: int, leaves: int) -> tuple[int, int, int, int]:
    # The lowest log of the trunk under some leaves; the leaves themselves if there is none.
    for ring in range(3):
        for dx in range(-ring, ring + 1):
            for dz in range(-ring, ring + 1):
                if max(abs(dx), abs(dz)) != ring:
                    continue
                for dy in range(2, -4, -1):
                    ty = y + dy
                    if ty < 1 or ty >= HEIGHT:
                        continue
                    block = grid.blocks[(x + dx) & MASK, (z + dz) & MASK, ty]
                    if block == OAK_LOG or block == BIRCH_LOG or block == SPRUCE_LOG:
                        while ty > 1 and grid.blocks[(x + dx) & MASK, (z + dz) & MASK, ty - 1] == block:
                            ty -= 1
                        return x + dx, ty, z + dz, np.int64(block)
    return x, y, z, leaves


@njit(cache=True, nogil=True)
def sees_point(grid: Grid, ox: float, oy: float, oz: float, x: float, y: float, z: float) -> bool:
    """Whether nothing that blocks a look lies between an eye and a point, metres."""
    dx, dy, dz = x - ox, y - oy, z - oz
    steps = int(math.sqrt(dx * dx + dy * dy + dz * dz) * 5.0) + 1
    for k in range(1, steps):
        t = k / steps
        cy = math.floor(oy + dy * t)
        if 0 <= cy < HEIGHT:
            if OPAQUE[grid.blocks[math.floor(ox + dx * t) & MASK, math.floor(oz + dz * t) & MASK, cy]]:
                return False
    return True


@njit(cache=True, nogil=True)
def _stops(
    grid: Grid, ox: float, oy: float, oz: float, px: float, py: float, pz: float, cx: int, cy: int, cz: int
) -> bool:
    # Whether a look from the eye to a point on cell (cx, cy, cz) reaches that cell before any other box.
    dx, dy, dz = px - ox, py - oy, pz - oz
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    if length < 1e-6:
        return True
    steps = int(length * 24.0) + 2
    x, y, z = math.floor(ox), math.floor(oy), math.floor(oz)
    for k in range(steps + 2):
        t = k / steps
        qx, qy, qz = ox + dx * t, oy + dy * t, oz + dz * t
        x, y, z = math.floor(qx), math.floor(qy), math.floor(qz)
        if x == cx and y == cy and z == cz:
            return True
        if 0 <= y < HEIGHT:
            i, j = x & MASK, z & MASK
            shape = 16 * np.int64(grid.blocks[i, j, y]) + (grid.meta[i, j, y] & 15)
            for b in range(SEE_START[shape], SEE_START[shape] + SEE_COUNT[shape]):
                if (
                    SEE_BOXES[b, 0] <= qx - x <= SEE_BOXES[b, 3]
                    and SEE_BOXES[b, 1] <= qy - y <= SEE_BOXES[b, 4]
                    and SEE_BOXES[b, 2] <= qz - z <= SEE_BOXES[b, 5]
                ):
                    return False
    return False


@njit(cache=True, nogil=True)
def aim_point(
    grid: Grid, ox: float, oy: float, oz: float, x: int, y: int, z: int, reach: float, side: int, out: np.ndarray
) -> bool:
    """A point of block (x, y, z) that can be pointed at from an eye: fills ``out`` (3,), near a face's middle.

    side: only this face (0 -x, 1 +x, 2 -y, 3 +y, 4 -z, 5 +z), or -1 for any.
    """
    i, j = x & MASK, z & MASK
    if y < 0 or y >= HEIGHT:
        return False
    shape = 16 * np.int64(grid.blocks[i, j, y]) + (grid.meta[i, j, y] & 15)
    best = 1e9
    for b in range(SEE_START[shape], SEE_START[shape] + SEE_COUNT[shape]):
        x0, y0, z0 = x + SEE_BOXES[b, 0], y + SEE_BOXES[b, 1], z + SEE_BOXES[b, 2]
        x1, y1, z1 = x + SEE_BOXES[b, 3], y + SEE_BOXES[b, 4], z + SEE_BOXES[b, 5]
        for face in range(6):
            if side >= 0 and face != side:
                continue
            if (
                (face == 0 and ox >= x0) or (face == 1 and ox <= x1) or (face == 2 and oy >= y0)
                or (face == 3 and oy <= y1) or (face == 4 and oz >= z0) or (face == 5 and oz <= z1)
            ):  # fmt: skip
                continue
            for k in range(25):
                # a spiral would be nicer; 5 x 5 points, cost grows with the distance from the middle
                a, c = (k % 5) * 0.2 + 0.1, (k // 5) * 0.2 + 0.1
                if face < 2:
                    px, py, pz = (x0 + 1e-4 if face == 0 else x1 - 1e-4), y0 + a * (y1 - y0), z0 + c * (z1 - z0)
                elif face < 4:
                    px, py, pz = x0 + a * (x1 - x0), (y0 + 1e-4 if face == 2 else y1 - 1e-4), z0 + c * (z1 - z0)
                else:
                    px, py, pz = x0 + a * (x1 - x0), y0 + c * (y1 - y0), (z0 + 1e-4 if face == 4 else z1 - 1e-4)
                dx, dy, dz = px - ox, py - oy, pz - oz
                far = math.sqrt(dx * dx + dy * dy + dz * dz)
                cost = far + 1.5 * (abs(a - 0.5) + abs(c - 0.5))
                if far <= reach and cost < best and _stops(grid, ox, oy, oz, px, py, pz, x, y, z):
                    best = cost
                    out[0], out[1], out[2] = px, py, pz
    return best < 1e8


@njit(cache=True, nogil=True)
def find_hidden(
    grid: Grid, x: int, y: int, z: int, want: np.ndarray, radius: int, low: int, high: int, out: np.ndarray
) -> int:
    """Cells of wanted blocks within ``radius`` columns and y in low..high, nearest first: fills ``out`` (n, 4).

    Rows are x, y, z and the distance in blocks dug (horizontal metres count once, height half).
    """
    count, most = 0, out.shape[0]
    for dx in range(-radius, radius + 1):
        for dz in range(-radius, radius + 1):
            i, j = (x + dx) & MASK, (z + dz) & MASK
            top = min(high, np.int64(grid.top[i, j]))
            for cy in range(max(low, 0), top + 1):
                if cy >= HEIGHT or not want[grid.blocks[i, j, cy]]:
                    continue
                far = abs(dx) + abs(dz) + (abs(cy - y) + 1) // 2
                if count < most:
                    at = count
                    count += 1
                elif far < out[count - 1, 3]:
                    at = count - 1
                else:
                    continue
                while at > 0 and out[at - 1, 3] > far:
                    for c in range(4):
                        out[at, c] = out[at - 1, c]
                    at -= 1
                out[at, 0], out[at, 1], out[at, 2], out[at, 3] = x + dx, cy, z + dz, far
    return count
