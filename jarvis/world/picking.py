"""What the crosshair points at: the first box of a block along a ray, and where it was hit."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from jarvis.world.layout import HEIGHT, MASK, Grid
from jarvis.world.shapes import SHAPES

FACE_DX = (-1, 1, 0, 0, 0, 0)  # faces 0 -x, 1 +x, 2 -y, 3 +y, 4 -z, 5 +z
FACE_DY = (0, 0, -1, 1, 0, 0)
FACE_DZ = (0, 0, 0, 0, -1, 1)
START, COUNT, SEE = SHAPES.see_start, SHAPES.see_count, SHAPES.see_boxes
FULL = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], np.float32)


class Hit(NamedTuple):
    """Where a look ends on a block."""

    x: int  # the cell
    y: int
    z: int
    face: int  # which side of the box was hit
    distance: float  # metres
    px: float  # the point, metres in the world
    py: float
    pz: float


def look_vector(yaw: float, pitch: float) -> tuple[float, float, float]:
    """Unit vector (x, y, z) of a look, angles in degrees."""
    yaw, pitch = math.radians(yaw), math.radians(pitch)
    return -math.sin(yaw) * math.cos(pitch), -math.sin(pitch), math.cos(yaw) * math.cos(pitch)


@njit(cache=True, nogil=True)
def _box_entry(
    ox: float, oy: float, oz: float, ix: float, iy: float, iz: float, box: np.ndarray, x: int, y: int, z: int
) -> tuple[float, int]:
    """Where a ray enters a box of cell (x, y, z), and the face; 1e30 for a miss. (ix, iy, iz) is 1 / direction."""
    near, far, face = 0.0, 1e30, -1
    for axis in range(3):
        if axis == 0:
            a, b = (x + box[0] - ox) * ix, (x + box[3] - ox) * ix
        elif axis == 1:
            a, b = (y + box[1] - oy) * iy, (y + box[4] - oy) * iy
        else:
            a, b = (z + box[2] - oz) * iz, (z + box[5] - oz) * iz
        side = 2 * axis
        if a > b:
            a, b = b, a
            side += 1
        if a > near:
            near, face = a, side
        far = min(far, b)
    if near > far or face < 0:
        return 1e30, -1
    return near, face


@njit(cache=True, nogil=True)
def _pick(
    blocks: np.ndarray,
    metas: np.ndarray,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    reach: float,
    liquid: int,
) -> tuple[int, int, int, int, float]:
    """First block within ``reach`` along a unit ray; sources of block id ``liquid``, unless 0, count as full cubes."""
    tiny = 1e-12
    dx = tiny if abs(dx) < tiny else dx
    dy = tiny if abs(dy) < tiny else dy
    dz = tiny if abs(dz) < tiny else dz
    ix, iy, iz = 1.0 / dx, 1.0 / dy, 1.0 / dz
    x, y, z = math.floor(ox), math.floor(oy), math.floor(oz)
    sx, sy, sz = (1 if dx > 0 else -1), (1 if dy > 0 else -1), (1 if dz > 0 else -1)
    tx = (x + (dx > 0) - ox) * ix
    ty = (y + (dy > 0) - oy) * iy
    tz = (z + (dz > 0) - oz) * iz
    t = 0.0
    while t <= reach:
        if 0 <= y < HEIGHT:
            block = blocks[x & MASK, z & MASK, y]
            if block != 0:
                meta = metas[x & MASK, z & MASK, y]
                best, face = 1e30, -1
                if block == liquid and meta == 0:
                    best, face = _box_entry(ox, oy, oz, ix, iy, iz, FULL, x, y, z)
                shape = 16 * np.int64(block) + (meta & 15)
                for k in range(START[shape], START[shape] + COUNT[shape]):
                    entry, side = _box_entry(ox, oy, oz, ix, iy, iz, SEE[k], x, y, z)
                    if entry < best:
                        best, face = entry, side
                if best <= reach:
                    return x, y, z, face, best
        if tx <= ty and tx <= tz:
            t, tx, x = tx, tx + abs(ix), x + sx
        elif ty <= tz:
            t, ty, y = ty, ty + abs(iy), y + sy
        else:
            t, tz, z = tz, tz + abs(iz), z + sz
    return 0, 0, 0, -1, 1e30


def pick_block(
    grid: Grid, eye: tuple[float, float, float], look: tuple[float, float, float], reach: float, liquid: int = 0
) -> Hit | None:
    """The block that a look from ``eye`` (metres) along the unit vector ``look`` meets within ``reach`` metres.

    Liquids are looked through, but for the sources of block id ``liquid``. A box that contains the eye is not seen.
    """
    x, y, z, face, distance = _pick(grid.blocks, grid.meta, *eye, *look, reach, liquid)
    if face < 0:
        return None
    point = [eye[axis] + look[axis] * distance for axis in range(3)]
    return Hit(x, y, z, face, distance, *point)
