"""What a ray does in a cell that it may see through: water, lava, glass, ice, plants and blocks that fill a part of
their cell.

Kernels here are called by the ray walk of ``rays.py``, which keeps what a ray gathers on its way in ``ray``, a small
float64 array with the fields named below. Arrays come as pointers (pointers.py).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from jarvis.world.pointers import Pointer

# how a block is drawn
AIR, SOLID, HOLES, PANE, TINTED, PLANT, PARTS, WATER, LAVA = range(9)

RED, GREEN, BLUE = 0, 1, 2  # light gathered before the surface that ends the ray, 0 .. 255
GONE = 3  # share of light that still comes from further on
WET = 4  # metres along the ray at which it entered water, -1 outside
MURK = 5  # light byte of that water
LIT = 6  # three: light on the surface that ends the ray
HIT = 9  # where that surface lies, in units of the ray's direction
TEXEL = 10  # its colour
LENGTH = 11  # metres per unit of the ray's direction
BLUR = 12  # squared size of a pixel in texels, one unit away
DRIFT = 13  # ticks, moves water and lava
FIRM_LAVA = 14  # 0 if the eye is in lava, which is then looked through
CELL = 15  # cell of the surface that ends the ray, or the last one it was in
AXIS = 16  # along which it was met: 0 x, 1 y, 2 z, -1 the eye is inside, 3 within the cell
CLEAR = 17  # how far the ray met nothing at all, in units of its direction; -1: up to its end
MIXED = 18  # 1 if it passed through anything
RAY_FIELDS = 20

SHAPE_FLOATS = 32  # of one shape: number of boxes, then six for each
MURKINESS = 0.09  # share of light lost per metre of water


@njit(cache=True, nogil=True)
def sink(ray: Pointer, glow: Pointer, until: float) -> None:
    """Leave water ``until`` metres along the ray: what was gathered in it is added, what is beyond is dimmed."""
    part = ray[GONE] * (1.0 - np.exp(-MURKINESS * max(until - ray[WET], 0.0)))
    lamp = int(ray[MURK]) * 3
    ray[RED] += part * 18.0 * glow[lamp]
    ray[GREEN] += part * 50.0 * glow[lamp + 1]
    ray[BLUE] += part * 124.0 * glow[lamp + 2]
    ray[GONE] -= part
    ray[WET] = -1.0


@njit(cache=True, nogil=True)
def _blend(ray: Pointer, glow: Pointer, texel: int, bright: int, opacity: float) -> None:
    """Lay a coloured film over everything that comes after."""
    part = ray[GONE] * opacity
    lamp = bright * 3
    ray[RED] += part * (texel & 255) * glow[lamp]
    ray[GREEN] += part * (texel >> 8 & 255) * glow[lamp + 1]
    ray[BLUE] += part * (texel >> 16 & 255) * glow[lamp + 2]
    ray[GONE] -= part


@njit(cache=True, nogil=True)
def _end(ray: Pointer, glow: Pointer, t: float, texel: int, bright: int, shade: float) -> int:
    """Note the surface that ends the ray."""
    ray[HIT], ray[TEXEL] = t, texel
    lamp = bright * 3
    for c in range(3):
        ray[LIT + c] = shade * glow[lamp + c]
    return 2


@njit(cache=True, nogil=True)
def sample(texels: Pointer, tile: int, u: float, v: float, blur: float) -> int:
    """RGBA of a tile at (u, v) in 0 .. 1, smaller copies for larger squared pixel sizes ``blur`` (in texels)."""
    iu, iv = min(max(int(u * 16.0), 0), 15), min(max(int(v * 16.0), 0), 15)
    at = np.int64(tile) * 344  # NOTE: int() would keep 32 bits, and a kernel be compiled for each width
    if blur < 3.0:
        at += iv * 16 + iu
    elif blur < 12.0:
        at += 256 + (iv >> 1) * 8 + (iu >> 1)
    elif blur < 48.0:
        at += 320 + (iv >> 2) * 4 + (iu >> 2)
    else:
        at += 340
    return np.int64(texels[at])


@njit(cache=True, nogil=True)
def _face_point(axis: int, dx: float, dz: float, x: float, y: float, z: float) -> tuple[float, float]:
    """Where on the picture of a face the point (x, y, z) of a cell lies, for a ray that met it along ``axis``."""
    if axis == 0:
        return (z if dx > 0 else 1.0 - z), 1.0 - y
    if axis == 1:
        return x, z
    return (1.0 - x if dz > 0 else x), 1.0 - y


@njit(cache=True, nogil=True)
def _lit_neighbour(light: Pointer, cell: int, side: int) -> int:
    """Light in front of a side; the cell's own light if it has any."""
    own = np.int64(light[cell])
    if own > 0:
        return own
    if side == 0:
        cell = (cell - 0x8000) & 0x7FFFFF
    elif side == 1:
        cell = (cell + 0x8000) & 0x7FFFFF
    elif side == 4:
        cell = (cell & 0x7F807F) | ((cell - 128) & 0x7F80)
    elif side == 5:
        cell = (cell & 0x7F807F) | ((cell + 128) & 0x7F80)
    elif cell & 127 < 127:
        cell += 1
    return np.int64(light[cell])


@njit(cache=True, nogil=True, error_model="numpy")
def pass_block(
    blocks: Pointer,
    meta: Pointer,
    light: Pointer,
    texels: Pointer,
    faces: Pointer,
    kinds: Pointer,
    emits: Pointer,
    boxes: Pointer,
    glow: Pointer,
    ray: Pointer,
    cell: int,
    before: int,
    axis: int,
    t: float,
    leave: float,
    dx: float,
    dy: float,
    dz: float,
    ox: float,
    oy: float,
    oz: float,
) -> int:
    """Follow a ray through a cell. ``before`` is the block it comes from, ``t`` and ``leave`` where it enters and
    leaves, (ox, oy, oz) the eye relative to the cell's corner. Returns 0 to go on, 1 at an opaque face of the cell, 2
    at a surface noted in ``ray``.
    """
    block = int(blocks[cell])
    kind = kinds[block]
    if ray[WET] >= 0.0 and kind != WATER:
        sink(ray, glow, t * ray[LENGTH])
    if kind == SOLID:
        return 1
    if kind == AIR:
        return 0
    x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
    blur = ray[BLUR] * t * t
    form = block * 16 + (int(meta[cell]) & 15)
    if kind <= TINTED:  # a full cube that shows what is behind it
        if axis < 0 or (kind != HOLES and before == block):
            return 0
        side = 2 * axis + int((dx if axis == 0 else dy if axis == 1 else dz) < 0)
        u, v = _face_point(axis, dx, dz, x, y, z)
        texel = sample(texels, np.int64(faces[form * 6 + side]), u, v, blur)
        if kind == TINTED:
            _blend(ray, glow, texel, _lit_neighbour(light, cell, side), (texel >> 24) / 255.0)
            return 0
        return int(texel >> 24 >= 128)
    if kind == PLANT:
        # its planes are the diagonals x = z and x + z = 1
        first = (z - x) / (dx - dz) if abs(dx - dz) > 1e-6 else -1.0
        second = (1.0 - x - z) / (dx + dz) if abs(dx + dz) > 1e-6 else -1.0
        tile = np.int64(faces[form * 6])
        for turn in range(2):
            s = min(first, second) if turn == 0 else max(first, second)
            u, v = x + s * dx, 1.0 - (y + s * dy)
            if s >= 0.0 and t + s <= leave and 0.03 < u < 0.97 and 0.0 <= v < 1.0:
                texel = sample(texels, tile, u, v, blur)
                if texel >> 24 >= 100:
                    return _end(ray, glow, t + s, texel, np.int64(light[cell]), 1.0)
        return 0
    if kind == PARTS:
        best, best_axis = leave - t + 1e-9, -1
        row = form * SHAPE_FLOATS
        for part in range(int(boxes[row])):
            j = row + 1 + part * 6
            # enters at s0, leaves at s1
            s0, s1, s_axis = -1e9, 1e9, 0
            for n in range(3):
                at, d = (x, dx) if n == 0 else (y, dy) if n == 1 else (z, dz)
                low, high = (boxes[j + n] - at) / d, (boxes[j + n + 3] - at) / d
                if d < 0:
                    low, high = high, low
                if low > s0:
                    s0, s_axis = low, n
                s1 = min(s1, high)
            if s0 < s1 and s0 > -1e-6 and s0 < best:
                best, best_axis = s0, s_axis
        if best_axis < 0:
            return 0
        u, v = _face_point(best_axis, dx, dz, x + best * dx, y + best * dy, z + best * dz)
        side = 2 * best_axis + int((dx if best_axis == 0 else dy if best_axis == 1 else dz) < 0)
        texel = sample(texels, np.int64(faces[form * 6 + side]), u, v, blur)
        if texel >> 24 < 100:
            return 0
        if emits[block] > 0:
            return _end(ray, glow, t + best, texel, np.int64(light[cell]) | 15, 1.0)
        shade = 0.6 if side < 2 else 0.8 if side > 3 else 1.0 if side == 3 else 0.5
        return _end(ray, glow, t + best, texel, _lit_neighbour(light, cell, side), shade)
    if kind == LAVA and ray[FIRM_LAVA] == 0.0:
        return 0

    # a liquid, whose top is lower than its cell unless there is more of it above
    tall = 1.0
    if cell & 127 == 127 or kinds[blocks[cell + 1]] != kind:
        amount = form & 15
        tall = 0.875 if amount == 0 or amount >= 8 else (8 - amount) * 0.109375
    surface = (tall - oy) / dy  # where the ray meets the plane of its top
    if ray[WET] < 0.0:
        s, side = -1.0, 2 * max(axis, 0)
        if y > tall:
            if dy < 0 and surface < leave:
                s, side = surface, 2
        elif before != block:
            s = t
        else:
            ray[WET] = t * ray[LENGTH]
        if s >= 0.0:
            x, y, z = ox + s * dx, oy + s * dy, oz + s * dz
            slow = 8.0 if kind == LAVA else 2.0
            u, v = (z, 1.0 - y) if side == 0 else (x, z) if side == 2 else (x, 1.0 - y)
            v += (
                1.0 + (int(ray[DRIFT] / slow) & 15) / 16.0
                if side == 2
                else 2.0 - (int(ray[DRIFT] * 2.0 / slow) & 15) / 16.0
            )
            texel = sample(texels, np.int64(faces[block * 96 + 3]), u, v - int(v), ray[BLUR] * s * s)
            if kind == LAVA:
                return _end(ray, glow, s, texel, np.int64(light[cell]) | 15, 1.0)
            bright = np.int64(light[cell])
            if side == 2 and cell & 127 < 127:
                bright = max(bright, np.int64(light[cell + 1]))
            # a glance along the surface sees less of what is under it
            flat = 1.0 - abs(dy) / ray[LENGTH]
            _blend(ray, glow, texel, bright, min(0.92, (texel >> 24) / 255.0 + 0.3 * flat * flat * flat))
            ray[WET], ray[MURK] = s * ray[LENGTH], bright
    if ray[WET] >= 0.0 and dy > 0 and tall < 1.0 and surface < leave:
        # out through the surface from below
        sink(ray, glow, surface * ray[LENGTH])
        _blend(ray, glow, 0x8C3A18, int(ray[MURK]), 0.35)
    return 0
