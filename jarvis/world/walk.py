"""The walk of one ray from the eye through bricks and cells to what it shows.

Most of a frame's time is spent in the two inner loops of ``walk``: from empty brick to empty brick, and from air cell
to air cell beside blocks. Positions are local: x and z relative to a corner of the brick map, so that they are
positive and small; y as in the world.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from jarvis.world.layout import MASK
from jarvis.world.pointers import Pointer, pointer
from jarvis.world.surfaces import (
    AIR,
    AXIS,
    BLUE,
    BLUR,
    CELL,
    CLEAR,
    GONE,
    GREEN,
    HIT,
    HOLES,
    LENGTH,
    MIXED,
    MURK,
    PLANT,
    RED,
    SOLID,
    WET,
    pass_block,
    sink,
)  # fmt: skip

VIEW_DISTANCE = 88.0  # metres; further than this there is only sky
REACH = 12  # bricks on each side of the eye's
SPAN = 2 * REACH + 1
MOST_BRICKS = 512  # stretches of bricks that a ray can cross, with room to spare
LAYERS = 18  # 16 bricks up, one below and one above
MAP_X, MAP_Z = 1024, 32  # strides of the brick map
OUTSIDE, OCCUPIED, LAYERED = 2, 1, 3
IN_BRICK = 0x38387  # bits of a cell that tell where in its brick it lies
DENSE = 8.0  # squared texels per pixel from which on leaves have no holes
SPARSE = 30.0  # squared texels per pixel from which on plants are too thin to be seen

# the scene: numbers that stay the same for a frame
EYE, FORWARD, RIGHT, UP = 0, 3, 6, 8  # local x y z; x y z; x z; x y z
PIXEL, CEILING, HALF_WIDTH, HALF_HEIGHT = 11, 12, 13, 14  # tangent of a pixel; metres above which nothing is; tangents
WINDOW_X, WINDOW_Z = 15, 16  # where the map's corner lies in the window
EYE_CELL, EYE_WET = 17, 18
MIP_SCALE, SMOOTH = 19, 20
SUNSET, SUNSET_COLOUR, SUN_SIDE = 21, 22, 25
CLOUD, CLOUD_AT, CLOUD_COLOUR = 26, 27, 29
WATER_DRIFT, IN_LAVA = 32, 33
SCENE_FIELDS = 40


@njit(cache=True, nogil=True)
def gather_bricks(bricks: np.ndarray, chunk_at: np.ndarray, out: np.ndarray, camera: np.ndarray) -> float:
    """Fill the part of the brick map that can be in sight. Returns the height in metres above which nothing is.

    ``camera`` as in sky.set_scene.
    """
    out, bricks, chunk_at, camera = pointer(out), pointer(bricks), pointer(chunk_at), pointer(camera)
    eye_x, eye_y, eye_z = camera[0], camera[1], camera[2]
    fx, fy, fz, rx, rz = camera[3], camera[4], camera[5], camera[6], camera[7]
    # planes through the eye: ahead of it, right of the left edge and left of the right edge of the picture, with a
    # margin
    edge = 1.1 * camera[13]
    bx0, bz0 = int(np.floor(eye_x)) // 8 - REACH, int(np.floor(eye_z)) // 8 - REACH
    highest = 0
    limit = VIEW_DISTANCE * VIEW_DISTANCE
    lowest = fy * -eye_y if fy < 0 else fy * (128.0 - eye_y)  # how far ahead heights alone can bring a cell
    for i in range(SPAN):
        cx = (bx0 + i) >> 1
        mx = (bx0 + i) * 8.0 + 4.0 - eye_x
        gap_x = max(0.0, abs(mx) - 4.0)
        for k in range(SPAN):
            mz = (bz0 + k) * 8.0 + 4.0 - eye_z
            ahead, right = mx * fx + mz * fz + max(lowest, 0.0) + 6.0, mx * rx + mz * rz
            if ahead < 0.0 or ahead * edge + right + 6.0 < 0.0 or ahead * edge - right + 6.0 < 0.0:
                continue
            cz = (bz0 + k) >> 1
            at = i * MAP_X + k * MAP_Z
            gap_z = max(0.0, abs(mz) - 4.0)
            if i == 0 or k == 0 or i == SPAN - 1 or k == SPAN - 1 or gap_x * gap_x + gap_z * gap_z > limit:
                for j in range(LAYERS):
                    out[at + j] = OUTSIDE
                continue
            out[at] = OUTSIDE
            slot = ((cx & 15) * 16 + (cz & 15)) * 2
            if chunk_at[slot] != cx or chunk_at[slot + 1] != cz:
                for j in range(1, LAYERS):
                    out[at + j] = 0
                continue
            source = (((bx0 + i) & 31) * 32 + ((bz0 + k) & 31)) * 16
            for j in range(16):
                out[at + 1 + j] = bricks[source + j] != 0
            tall = 16
            while tall > highest and bricks[source + tall - 1] == 0:
                tall -= 1
            highest = max(highest, tall)
    for i in range(SPAN):
        for k in range(SPAN):
            at = i * MAP_X + k * MAP_Z
            for j in range(highest + 1, LAYERS):
                out[at + j] = OUTSIDE
    return highest * 8.0


@njit(cache=True, nogil=True)
def _layers(columns: Pointer, brick_cell: int) -> int:
    """Which of the eight layers of a brick hold anything, as bits. ``brick_cell`` is its lowest cell."""
    found = np.uint64(0)
    for i in range(8):
        for k in range(8):
            found |= columns[(brick_cell + (i << 15) + (k << 7)) >> 3]
    bits = 0
    for j in range(8):
        if (found >> np.uint64(8 * j)) & np.uint64(255) != 0:
            bits |= 1 << j
    return bits


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def walk(
    a: float,
    b: float,
    start: float,
    scene: Pointer,
    blocks: Pointer,
    columns: Pointer,
    meta: Pointer,
    light: Pointer,
    bricks: Pointer,
    layers: Pointer,
    texels: Pointer,
    faces: Pointer,
    kinds: Pointer,
    emits: Pointer,
    boxes: Pointer,
    glow: Pointer,
    ray: Pointer,
) -> int:
    """Follow the ray at tangents (a, b) right of and above the middle, from ``start`` on (0: the eye).

    Returns 0 for the sky, 1 for a face of a whole block, 2 for a surface with its light and colour in ``ray``, where
    the rest of the answer is too. Arrays are pointers; ``columns`` is ``blocks`` seen as uint64, ``bricks`` and
    ``layers`` are the map.
    """
    ox, oy, oz = scene[EYE], scene[EYE + 1], scene[EYE + 2]
    dx = scene[FORWARD] + a * scene[RIGHT] + b * scene[UP]
    dy = scene[FORWARD + 1] + b * scene[UP + 1]
    dz = scene[FORWARD + 2] + a * scene[RIGHT + 1] + b * scene[UP + 2]
    if abs(dx) < 1e-7:
        dx = 1e-7
    if abs(dy) < 1e-7:
        dy = 1e-7
    if abs(dz) < 1e-7:
        dz = 1e-7
    length2 = 1.0 + a * a + b * b
    wx, wz = int(scene[WINDOW_X]), int(scene[WINDOW_Z])
    ceiling = scene[CEILING]
    idx, idy, idz = 1.0 / dx, 1.0 / dy, 1.0 / dz
    up_x, up_y, up_z = int(dx > 0), int(dy > 0), int(dz > 0)
    step_x, step_y, step_z = 2 * up_x - 1, 2 * up_y - 1, 2 * up_z - 1
    cell_x, cell_y, cell_z = step_x << 15, step_y, step_z << 7
    brick_x, brick_y, brick_z = step_x * MAP_X, step_y, step_z * MAP_Z
    adx, ady, adz = abs(idx), abs(idy), abs(idz)
    far_dx, far_dy, far_dz = 8.0 * adx, 8.0 * ady, 8.0 * adz
    dense, sparse = DENSE / (scene[MIP_SCALE] * length2), SPARSE / (scene[MIP_SCALE] * length2)
    found = 0
    t = start
    axis = -1
    cell = 0
    mixed = False
    ray[CLEAR], ray[MIXED], ray[WET], ray[LENGTH] = -1.0, 0.0, -1.0, 0.0
    ray[RED], ray[GREEN], ray[BLUE], ray[GONE] = 0.0, 0.0, 0.0, 1.0

    bx, by, bz = REACH, int(np.floor(oy)) >> 3, REACH
    if start > 0.0:
        cx, cy, cz = int(np.floor(ox + t * dx)), int(np.floor(oy + t * dy)), int(np.floor(oz + t * dz))
        if cx < 8 or cz < 8 or cx >= SPAN * 8 - 8 or cz >= SPAN * 8 - 8 or cy < 0 or cy >= 128:
            # NOTE: where the neighbours were lucky this ray may already be off the map, and would never come back
            start, t, cx, cy, cz = 0.0, 0.0, REACH << 3, int(np.floor(oy)), REACH << 3
        bx, by, bz = cx >> 3, cy >> 3, cz >> 3
        if start > 0.0 and cy < ceiling and cy < 128 and bricks[bx * MAP_X + bz * MAP_Z + by + 1] & OCCUPIED:
            cell = ((cx + wx) & MASK) << 15 | ((cz + wz) & MASK) << 7 | cy
            if blocks[cell] != 0:  # the rays around it were lucky: from the eye, then
                start = 0.0
                t = 0.0
                bx, by, bz = REACH, int(np.floor(oy)) >> 3, REACH
    if start == 0.0 and oy >= ceiling:
        t = (ceiling - oy) * idy
        qx, qz = ox + t * dx, oz + t * dz
        if dy >= 0 or qx < 0 or qz < 0 or qx >= SPAN * 8 or qz >= SPAN * 8:
            return 0
        bx, bz, by = int(qx) >> 3, int(qz) >> 3, (int(ceiling) >> 3) - 1
        axis = 1
    elif start == 0.0 and oy < 0:
        return 0
    brick = bx * MAP_X + bz * MAP_Z + by + 1
    far_x = ((bx + up_x) * 8 - ox) * idx
    far_y = ((by + up_y) * 8 - oy) * idy
    far_z = ((bz + up_z) * 8 - oz) * idz
    tx, ty, tz = 0.0, 0.0, 0.0
    before = 0
    home = 0
    enter = True  # the cell within the brick must still be found
    wet = scene[EYE_WET] > 0.0
    if wet:
        mixed = True
    for _ in range(MOST_BRICKS):
        state = bricks[brick]
        if state == OCCUPIED:
            bricks[brick] = LAYERED
            low = (
                ((brick >> 10 << 3) + wx & MASK) << 15
                | ((brick >> 5 & 31) * 8 + wz & MASK) << 7
                | (brick & 31) - 1 << 3
            )
            layers[brick] = _layers(columns, low)
            state = LAYERED
        if state == LAYERED and layers[brick] != 255:
            # only the layers of the brick that the ray comes through matter
            low_y = oy - (((brick & 31) - 1) << 3)
            first, last = int(low_y + t * dy), int(low_y + min(far_x, far_y, far_z) * dy)
            if dy < 0:
                first, last = last, first
            if layers[brick] & ((2 << min(max(last, 0), 7)) - (1 << min(max(first, 0), 7))) == 0:
                state = 0
        if state == 0:
            if mixed:
                if ray[WET] >= 0.0:
                    sink(ray, glow, t * ray[LENGTH])
            before = 0
            enter = True
            while True:
                if far_x < far_y and far_x < far_z:
                    t = far_x
                    far_x += far_dx
                    brick += brick_x
                    axis = 0
                elif far_y < far_z:
                    t = far_y
                    far_y += far_dy
                    brick += brick_y
                    axis = 1
                else:
                    t = far_z
                    far_z += far_dz
                    brick += brick_z
                    axis = 2
                if bricks[brick] != 0:
                    break
            continue
        if state == OUTSIDE:
            break
        if enter:
            low_x, low_y, low_z = brick >> 10 << 3, ((brick & 31) - 1) << 3, (brick >> 5 & 31) << 3
            cx = min(max(int(ox + t * dx), low_x), low_x + 7)
            cy = min(max(int(oy + t * dy), low_y), low_y + 7)
            cz = min(max(int(oz + t * dz), low_z), low_z + 7)
            tx = (cx + up_x - ox) * idx
            ty = (cy + up_y - oy) * idy
            tz = (cz + up_z - oz) * idz
            cell = ((cx + wx) & MASK) << 15 | ((cz + wz) & MASK) << 7 | cy
            if wet:
                wet = False
                ray[LENGTH], ray[BLUR], ray[CLEAR] = np.sqrt(length2), scene[MIP_SCALE] * length2, 0.0
                ray[WET], ray[MURK] = 0.0, light[int(scene[EYE_CELL])]
                before = int(blocks[int(scene[EYE_CELL])])
        home = cell | IN_BRICK  # stays the same within the brick
        while True:
            block = blocks[cell]
            if block == 0 and before == 0:
                while True:
                    if tx < ty and tx < tz:
                        t = tx
                        tx += adx
                        cell += cell_x
                        axis = 0
                    elif ty < tz:
                        t = ty
                        ty += ady
                        cell += cell_y
                        axis = 1
                    else:
                        t = tz
                        tz += adz
                        cell += cell_z
                        axis = 2
                    if (cell | IN_BRICK) != home:
                        break
                    block = blocks[cell]
                    if block != 0:
                        break
                if block == 0:
                    break
            kind = kinds[block]
            dry = not mixed or ray[WET] < 0.0
            if dry and kind == SOLID:
                found = 1
                break
            if dry and (kind == AIR or (kind == PLANT and t * t > sparse)):
                block = np.uint8(0)
            elif dry and kind == HOLES and axis >= 0:
                if not mixed:
                    ray[CLEAR] = t
                if before == block or t * t > dense:
                    found = 1  # leaves behind leaves are dense, and so are distant ones
                    break
                qx, qy, qz = ox + t * dx, oy + t * dy, oz + t * dz
                if axis == 1:
                    u, v = qx, qz
                else:
                    u, v = qz if axis == 0 else qx, qy
                iu, iv = int(u * 16.0) & 15, int(v * 16.0) & 15
                if axis != 1:
                    iv = 15 - iv
                    if (axis == 0 and dx < 0) or (axis == 2 and dz > 0):
                        iu = 15 - iu
                if texels[faces[int(block) * 96 + 2 * axis] * 344 + iv * 16 + iu] >> 24 >= 128:
                    found = 1
                    break
                mixed = True
            else:
                if not mixed:
                    ray[CLEAR] = t
                    mixed = True
                if ray[LENGTH] == 0.0:
                    ray[LENGTH], ray[BLUR] = np.sqrt(length2), scene[MIP_SCALE] * length2
                cx, cy, cz = ((cell >> 15) - wx) & MASK, cell & 127, ((cell >> 7) - wz) & MASK
                found = pass_block(
                    blocks, meta, light, texels, faces, kinds, emits, boxes, glow, ray,
                    cell, before, axis, t, min(tx, ty, tz), dx, dy, dz, ox - cx, oy - cy, oz - cz,
                )  # fmt: skip
                if found != 0:
                    if found == 2:
                        t = ray[HIT]
                        axis = 3
                    break
            before = int(block)
            if tx < ty and tx < tz:
                t = tx
                tx += adx
                cell += cell_x
                axis = 0
            elif ty < tz:
                t = ty
                ty += ady
                cell += cell_y
                axis = 1
            else:
                t = tz
                tz += adz
                cell += cell_z
                axis = 2
            if (cell | IN_BRICK) != home:
                break
        if found != 0:
            break
        # on to the next brick; its cells go on from here if it is not empty
        enter = False
        if axis == 0:
            far_x += far_dx
            brick += brick_x
            cell &= 0x7FFFFF
        elif axis == 1:
            far_y += far_dy
            brick += brick_y
        else:
            far_z += far_dz
            brick += brick_z
            cell = ((cell - cell_z) & 0x7F807F) | (cell & 0x7F80)
    if mixed:
        ray[MIXED] = 1.0
        if ray[WET] >= 0.0:
            sink(ray, glow, t * ray[LENGTH])
    ray[HIT], ray[CELL], ray[AXIS] = t, cell, axis
    return found
