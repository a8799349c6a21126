"""The kernel that sees blocks: a ray per pixel through the block window, thinned out where neighbours agree.

How a frame is made:

1. ``gather_bricks`` copies which 8 x 8 x 8 bricks hold blocks into a small map around the eye, closed in by bricks marked
   OUTSIDE beyond the view distance, so that a ray needs no other test to end.
2. ``draw_blocks`` traces every fourth pixel of every fourth row. Where the four corners of a 4 x 4 tile lie on one plane of
   block faces (a wall, the ground, the sky), near enough that no block could hide between them, the pixels within take their
   point on that plane without a walk; else the tile is halved, and what still disagrees is traced pixel by pixel.
3. Pixels filled that way next to something nearer are traced after all, and so on outwards while they change.

Positions are local: x and z relative to a corner of the brick map, so that they are positive and small; y as in the world.
A key says what a pixel shows: bits 0-2 face (6 none, 7 sky), bits 3-25 cell (x << 15 | z << 7 | y in the window), then flags.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from jarvis.world.layout import MASK
from jarvis.world.pointers import pointer
from jarvis.world.surfaces import (
    BLUE, BLUR, DRIFT, FIRM_LAVA, GONE, GREEN, HIT, HOLES, LENGTH, LIT, MURK, RED, SOLID, TEXEL, WATER, WET, pass_block, sink,
)  # fmt: skip

VIEW_DISTANCE = 88.0  # metres; further than this there is only sky
REACH = 12  # bricks on each side of the eye's
SPAN = 2 * REACH + 1
LAYERS = 18  # 16 bricks up, one below and one above
MAP_X, MAP_Z = 1024, 32  # strides of the brick map
OUTSIDE, OCCUPIED, LAYERED = 2, 1, 3
SKY_STEPS = 512
FACES = 2048  # remembered faces

IN_BRICK = 0x38387  # bits of a cell that tell where in its brick it lies
SEEN, MIXED, FILLED = 1 << 28, 1 << 26, 1 << 27
CELL_BITS = ((1 << 23) - 1) << 3
SKY_KEY = SEEN | 7
FAR = 1e9
HALF_OPAQUE = 128 << 24


class Look(NamedTuple):
    """What blocks look like; made once per renderer."""

    texels: np.ndarray  # (tiles * 344,) uint32 RGBA little end first: 16x16, 8x8, 4x4, 2x2, 1x1 and padding
    faces: np.ndarray  # (blocks * 16 * 6,) int32 tile
    kind: np.ndarray  # (256,) uint8 AIR .. LAVA
    shades: np.ndarray  # (256,) uint8, 1: darkens the corners of its neighbours (a full cube)
    emits: np.ndarray  # (256,) uint8
    boxes: np.ndarray  # (blocks * 16 * SHAPE_FLOATS,) float32, see surfaces.py
    clouds: np.ndarray  # (64 * 64,) uint8


class Canvas(NamedTuple):
    """Buffers of one renderer. A row of ``keys`` and ``depth`` is ``pitch`` pixels, a few more than the picture has."""

    across: np.ndarray  # (pitch,) float64 tangent to the right at a pixel's middle
    down: np.ndarray  # (rows,) float64 tangent downwards
    keys: np.ndarray  # (rows * pitch,) uint32
    depth: np.ndarray  # (rows * pitch,) float32 metres along the middle of the view
    clear: np.ndarray  # (rows * pitch,) float32 how far the ray met nothing at all
    blind: np.ndarray  # (rows * pitch,) float32 how far the ray was not followed
    marks: np.ndarray  # (rows * pitch,) uint8
    work: np.ndarray  # (2 * rows * pitch,) uint32 row << 16 | column
    hint: np.ndarray  # (2 * rows * pitch,) uint32
    bricks: np.ndarray  # (SPAN * MAP_X,) uint8 at x * MAP_X + z * MAP_Z + y + 1: 0 empty, OUTSIDE, OCCUPIED, LAYERED
    layers: np.ndarray  # (SPAN * MAP_X,) uint8, occupied layers of bricks that are LAYERED
    face_key: np.ndarray  # (FACES,) uint32
    face_tile: np.ndarray  # (FACES,) int32
    face_light: np.ndarray  # (FACES * 12,) float32 red green blue at four corners
    ray: np.ndarray  # (RAY_FIELDS,) float64, see surfaces.py


@njit(cache=True, nogil=True)
def gather_bricks(bricks, chunk_at, out, eye):
    """Fill the brick map around the eye. Returns the height in metres above which nothing is."""
    bx0, bz0 = int(np.floor(eye[0])) // 8 - REACH, int(np.floor(eye[2])) // 8 - REACH
    highest = 0
    limit = VIEW_DISTANCE * VIEW_DISTANCE
    for i in range(SPAN):
        wx = ((bx0 + i) & 31)
        cx = (bx0 + i) >> 1
        gap_x = max(0.0, (bx0 + i) * 8.0 - eye[0], eye[0] - (bx0 + i) * 8.0 - 8.0)
        for k in range(SPAN):
            cz = (bz0 + k) >> 1
            at = i * MAP_X + k * MAP_Z
            gap_z = max(0.0, (bz0 + k) * 8.0 - eye[2], eye[2] - (bz0 + k) * 8.0 - 8.0)
            if i == 0 or k == 0 or i == SPAN - 1 or k == SPAN - 1 or gap_x * gap_x + gap_z * gap_z > limit:
                out[at : at + LAYERS] = OUTSIDE
                continue
            slot_x, slot_z = (cx & 15), (cz & 15)
            out[at] = OUTSIDE
            out[at + LAYERS - 1] = OUTSIDE
            if chunk_at[slot_x, slot_z, 0] != cx or chunk_at[slot_x, slot_z, 1] != cz:
                out[at + 1 : at + LAYERS - 1] = 0
                continue
            wz = ((bz0 + k) & 31)
            for j in range(16):
                full = bricks[wx, wz, j] != 0
                out[at + 1 + j] = OCCUPIED if full else 0
                if full and j >= highest:
                    highest = j + 1
    for i in range(SPAN):
        for k in range(SPAN):
            at = i * MAP_X + k * MAP_Z
            out[at + highest + 1 : at + LAYERS] = OUTSIDE
    return highest * 8


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def draw_blocks(blocks, eights, meta, light, look, canvas, glow, sky, frame, height, width, camera, weather):
    """Draw the world into ``frame`` (height * width * 3,) uint8 and say per pixel what is seen (``canvas.keys``, ``.depth``).

    ``blocks``, ``meta`` and ``light`` are the window's arrays, flat; ``eights`` is ``blocks`` seen as uint64. ``glow`` (256 * 3,) float32 is the colour of each light
    byte, ``sky`` (SKY_STEPS * 3,) float32 the sky's colour 0..255 from straight down to straight up. ``camera``: eye x y z,
    forward x y z, right x z, up x y z, pixel size (tangent), height above which nothing is. ``weather``: sunset strength,
    sunset red green blue, side of the sun (+1 east), cloud opacity, cloud x, cloud z, cloud brightness r g b, tick,
    eye in lava.
    """
    pitch, rows = canvas.across.size, canvas.down.size
    canvas.keys[:] = 0
    canvas.face_key[:] = 0
    blocks, meta, light, glow, sky, frame = pointer(blocks), pointer(meta), pointer(light), pointer(glow), pointer(sky), pointer(frame)
    texels, faces, kinds, shades = pointer(look.texels), pointer(look.faces), pointer(look.kind), pointer(look.shades)
    emits, boxes, clouds, ray = pointer(look.emits), pointer(look.boxes), pointer(look.clouds), pointer(canvas.ray)
    keys, depth, work, hints = pointer(canvas.keys), pointer(canvas.depth), pointer(canvas.work), pointer(canvas.hint)
    clears, blind, marks, columns = pointer(canvas.clear), pointer(canvas.blind), pointer(canvas.marks), pointer(eights)
    layers = pointer(canvas.layers)
    bricks, across, down = pointer(canvas.bricks), pointer(canvas.across), pointer(canvas.down)
    face_key, face_tile, face_light = pointer(canvas.face_key), pointer(canvas.face_tile), pointer(canvas.face_light)
    bx0, bz0 = int(np.floor(camera[0])) // 8 - REACH, int(np.floor(camera[2])) // 8 - REACH
    wx, wz = (bx0 * 8) & MASK, (bz0 * 8) & MASK
    ox, oy, oz = camera[0] - bx0 * 8, camera[1], camera[2] - bz0 * 8
    fx, fy, fz, rx, rz, ux, uy, uz = camera[3], camera[4], camera[5], camera[6], camera[7], camera[8], camera[9], camera[10]
    pixel, ceiling = camera[11], camera[12]
    sunset, sunset_r, sunset_g, sunset_b, sun_side = weather[0], weather[1], weather[2], weather[3], weather[4]
    cloud, cloud_x, cloud_z = weather[5], weather[6], weather[7]
    cloud_r, cloud_g, cloud_b = weather[8], weather[9], weather[10]
    ray[DRIFT], ray[FIRM_LAVA] = weather[11], 1.0 - weather[12]
    mip_scale = 256.0 * pixel * pixel
    wide = max(across[1] - across[0], down[1] - down[0])
    near4, near2 = 0.2 / wide, 0.4 / wide  # metres at which a block is about as wide as a tile
    smooth = max(20.0, 0.25 / pixel)  # metres to which light is interpolated between corners

    # the eye's own cell
    eye_y = min(max(int(np.floor(oy)), 0), 127)
    eye_cell = ((int(ox) + wx) & MASK) << 15 | ((int(oz) + wz) & MASK) << 7 | eye_y
    eye_wet = False
    if oy < 128 and kinds[blocks[eye_cell]] == WATER:
        above = eye_y < 127 and kinds[blocks[eye_cell + 1]] == WATER
        eye_wet = above or oy - eye_y < 0.88

    count = 0
    for y in range(0, rows, 4):
        for x in range(0, pitch, 4):
            work[count] = y << 16 | x
            hints[count] = 0
            count += 1

    stage = 0
    while True:
        for entry in range(count):
            place = int(work[entry])
            hint = int(hints[entry])
            py, px = place >> 16, place & 0xFFFF
            at = py * pitch + px
            a, b = across[px], -down[py]
            dx, dy, dz = fx + a * rx + b * ux, fy + b * uy, fz + a * rz + b * uz
            length2 = 1.0 + a * a + b * b
            length = np.sqrt(length2)
            if abs(dx) < 1e-7:
                dx = 1e-7
            if abs(dy) < 1e-7:
                dy = 1e-7
            if abs(dz) < 1e-7:
                dz = 1e-7
            # what the walk finds: 0 sky, 1 a face of a cube, 2 something already coloured
            found = 0
            t = 0.0
            axis = 1
            cell = 0
            cx, cy, cz = 0, 0, 0
            mixed = False
            filled = 0
            texel = 0
            lit_r, lit_g, lit_b = 0.0, 0.0, 0.0
            walk = True
            start = 0.0
            if hint != 0 and hint < SEEN:
                start = hint * (1.0 / 1024.0)
            elif hint != 0:
                face = hint & 7
                if face == 7:
                    walk = False
                    filled = FILLED
                else:
                    axis = face >> 1
                    beyond = face & 1
                    cell = (hint >> 3) & 0x7FFFFF
                    cx, cy, cz = ((cell >> 15) - wx) & MASK, cell & 127, ((cell >> 7) - wz) & MASK
                    if axis == 0:
                        t = (cx + beyond - ox) / dx
                        cy, cz = int(oy + t * dy), int(oz + t * dz)
                    elif axis == 1:
                        t = (cy + beyond - oy) / dy
                        cx, cz = int(ox + t * dx), int(oz + t * dz)
                    else:
                        t = (cz + beyond - oz) / dz
                        cx, cy = int(ox + t * dx), int(oy + t * dy)
                    other = ((cx + wx) & MASK) << 15 | ((cz + wz) & MASK) << 7 | (cy & 127)
                    if other == cell:
                        walk = False
                    elif 0 <= cy < 127 and t > 0:
                        cell = other
                        if kinds[blocks[cell]] == SOLID:
                            if axis == 0:
                                front = ((cx + 2 * beyond - 1 + wx) & MASK) << 15 | (cell & 0x7FFF)
                            elif axis == 1:
                                front = max(cell + 2 * beyond - 1, 0)
                            else:
                                front = (cell & 0x7F807F) | ((cz + 2 * beyond - 1 + wz) & MASK) << 7
                            walk = blocks[front] != 0
                    if not walk:
                        found = 1
                        filled = FILLED
            clear = -1.0  # where the ray first met something
            if walk:
                found = 0
                idx, idy, idz = 1.0 / dx, 1.0 / dy, 1.0 / dz
                up_x, up_y, up_z = int(dx > 0), int(dy > 0), int(dz > 0)
                step_x, step_y, step_z = 2 * up_x - 1, 2 * up_y - 1, 2 * up_z - 1
                cell_x, cell_y, cell_z = step_x << 15, step_y, step_z << 7
                brick_x, brick_y, brick_z = step_x * MAP_X, step_y, step_z * MAP_Z
                adx, ady, adz = abs(idx), abs(idy), abs(idz)
                far_dx, far_dy, far_dz = 8.0 * adx, 8.0 * ady, 8.0 * adz
                t = start
                axis = -1
                bx, by, bz = REACH, int(np.floor(oy)) >> 3, REACH
                alive = True
                if start > 0.0:
                    cx, cy, cz = int(ox + t * dx), int(oy + t * dy), int(oz + t * dz)
                    bx, by, bz = cx >> 3, cy >> 3, cz >> 3
                    if cy < ceiling and cy < 128 and bricks[bx * MAP_X + bz * MAP_Z + by + 1] & OCCUPIED:
                        cell = ((cx + wx) & MASK) << 15 | ((cz + wz) & MASK) << 7 | cy
                        if blocks[cell] != 0:
                            start = 0.0
                            t = 0.0
                            bx, by, bz = REACH, int(np.floor(oy)) >> 3, REACH
                if start == 0.0 and oy >= ceiling:
                    if dy >= 0:
                        alive = False
                    else:
                        t = (ceiling - oy) * idy
                        qx, qz = ox + t * dx, oz + t * dz
                        if qx < 0 or qz < 0 or qx >= SPAN * 8 or qz >= SPAN * 8:
                            alive = False
                        else:
                            bx, bz, by = int(qx) >> 3, int(qz) >> 3, (int(ceiling) >> 3) - 1
                            axis = 1
                elif start == 0.0 and oy < 0:
                    alive = False
                brick = bx * MAP_X + bz * MAP_Z + by + 1
                far_x = ((bx + up_x) * 8 - ox) * idx
                far_y = ((by + up_y) * 8 - oy) * idy
                far_z = ((bz + up_z) * 8 - oz) * idz
                ray[WET] = -1.0
                ray[LENGTH], ray[BLUR] = length, mip_scale * length2
                ray[RED], ray[GREEN], ray[BLUE], ray[GONE] = 0.0, 0.0, 0.0, 1.0
                before = 0
                enter = True
                if eye_wet:
                    ray[WET] = 0.0
                    ray[MURK] = light[eye_cell]
                    before = int(blocks[eye_cell])
                    mixed = True
                    clear = 0.0
                while alive:
                    state = bricks[brick]
                    if state == 0:
                        # the loop most steps are spent in: empty bricks
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
                            state = bricks[brick]
                            if state != 0:
                                break
                        before = 0
                        enter = True
                        if mixed and ray[WET] >= 0.0:
                            sink(ray, glow, t * length)
                    if state == OUTSIDE:
                        break
                    if state == OCCUPIED:
                        bricks[brick] = LAYERED
                        low = ((brick >> 10 << 3) + wx & MASK) << 15 | ((brick >> 5 & 31) * 8 + wz & MASK) << 7 | (brick & 31) - 1 << 3
                        layers[brick] = _layers(columns, low)
                    # only the layers of the brick that the ray comes through matter
                    low_y = oy - (((brick & 31) - 1) << 3)
                    first, last = int(low_y + t * dy), int(low_y + min(far_x, far_y, far_z) * dy)
                    if dy < 0:
                        first, last = last, first
                    through = (2 << min(max(last, 0), 7)) - (1 << min(max(first, 0), 7))
                    if layers[brick] & through == 0:
                        if mixed and ray[WET] >= 0.0:
                            sink(ray, glow, t * length)
                        before = 0
                        enter = True
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
                        continue
                    if enter:  # a brick with something in it: find the cell
                        low_x, low_y, low_z = brick >> 10 << 3, ((brick & 31) - 1) << 3, (brick >> 5 & 31) << 3
                        cx = min(max(int(ox + t * dx), low_x), low_x + 7)
                        cy = min(max(int(oy + t * dy), low_y), low_y + 7)
                        cz = min(max(int(oz + t * dz), low_z), low_z + 7)
                        tx = (cx + up_x - ox) * idx
                        ty = (cy + up_y - oy) * idy
                        tz = (cz + up_z - oz) * idz
                        cell = ((cx + wx) & MASK) << 15 | ((cz + wz) & MASK) << 7 | cy
                    home = cell | IN_BRICK  # stays the same within the brick
                    while True:
                        block = blocks[cell]
                        if block == 0 and before == 0:
                            # and the other one: air beside blocks
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
                        if kind == SOLID and not mixed:
                            found = 1
                            break
                        # something that can be seen through
                        if kind == HOLES and axis >= 0 and ray[WET] < 0.0:
                            # leaves behind leaves are dense, and so are distant ones
                            if before == block or mip_scale * t * t * length2 > 8.0:
                                found = 1
                                break
                        mixed = True
                        if clear < 0.0:
                            clear = t
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
                        cx, cy, cz = ((cell >> 15) - wx) & MASK, cell & 127, ((cell >> 7) - wz) & MASK
                        break
                    # on to the next brick; its cells go on from here if it is not empty
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
                    enter = False
                if mixed:
                    if ray[WET] >= 0.0:
                        sink(ray, glow, t * length)
                    if found == 2:
                        texel = int(ray[TEXEL])
                        lit_r, lit_g, lit_b = ray[LIT], ray[LIT + 1], ray[LIT + 2]

            key = SEEN | filled
            if mixed:
                key |= MIXED
            red, green, blue = 0.0, 0.0, 0.0
            fog = 1.0
            if found == 0:
                key |= 7
                t = FAR
            else:
                distance = t * length
                fog = (distance - 44.0) * (1.0 / (VIEW_DISTANCE - 1.0 - 44.0))
                if axis == 3:
                    side = 6
                elif axis == 0:
                    side = int(dx < 0)
                elif axis == 1:
                    side = 2 + int(dy < 0)
                elif axis == 2:
                    side = 4 + int(dz < 0)
                else:
                    side = 6
                key |= side | cell << 3
                base = 0
                if found == 1 and side == 6:  # the eye is inside a block
                    key |= MIXED
                    lit_r, lit_g, lit_b = 0.0, 0.0, 0.0
                    texel = HALF_OPAQUE
                elif found == 1:
                    if axis == 0:
                        fa, fb = oz + t * dz - cz, oy + t * dy - cy
                        slope = abs(dx)
                    elif axis == 1:
                        fa, fb = ox + t * dx - cx, oz + t * dz - cz
                        slope = abs(dy)
                    else:
                        fa, fb = ox + t * dx - cx, oy + t * dy - cy
                        slope = abs(dz)
                    fa, fb = min(max(fa, 0.0), 0.99999), min(max(fb, 0.0), 0.99999)
                    u, v = fa, 1.0 - fb
                    if side == 1 or side == 4:
                        u = 0.99999 - fa
                    if axis == 1:
                        v = fb
                    iu, iv = int(u * 16.0), min(int(v * 16.0), 15)
                    face_id = side | cell << 3
                    k = 0.6 if axis == 0 else 0.8 if axis == 2 else 1.0 if side == 3 else 0.5
                    if distance < smooth:
                        slot = ((face_id * 0x9E3779B1) >> 11) & (FACES - 1)
                        j = (slot * 12)
                        if face_key[slot] != (face_id + 1):
                            face_key[slot] = face_id + 1
                            block = int(blocks[cell])
                            face_tile[slot] = faces[(block * 16 + (int(meta[cell]) & 15)) * 6 + side]
                            # light and shade of the nine cells before the face
                            gx, gy, gz = cell >> 15, cy, (cell >> 7) & MASK
                            for corner in range(4):
                                ia, ib = (corner & 1) * 2 - 1, (corner >> 1) * 2 - 1
                                shade, sum_r, sum_g, sum_b, lamps = 0.0, 0.0, 0.0, 0.0, 0.0
                                closed = 0
                                for n in range(4):
                                    na, nb = (ia if n & 1 else 0), (ib if n & 2 else 0)
                                    if axis == 0:
                                        nx, ny, nz = gx + 2 * side - 1, gy + nb, gz + na
                                    elif axis == 1:
                                        nx, ny, nz = gx + na, gy + 2 * side - 5, gz + nb
                                    else:
                                        nx, ny, nz = gx + na, gy + nb, gz + 2 * side - 9
                                    bright, dark = 240, 0
                                    if ny < 128:
                                        near = ((nx & MASK) << 15 | (nz & MASK) << 7 | max(ny, 0))
                                        bright, dark = int(light[near]), int(shades[blocks[near]])
                                    if n == 0:
                                        dark = 0
                                    elif n == 3 and closed == 2:
                                        dark = 1
                                    closed += dark
                                    if dark == 0 or bright > 0:
                                        lamp = (bright * 3)
                                        sum_r += glow[lamp]
                                        sum_g += glow[lamp + 1]
                                        sum_b += glow[lamp + 2]
                                        lamps += 1.0
                                shade = k * (1.0 - 0.19 * closed) / lamps
                                c = j + (corner * 3)
                                face_light[c] = sum_r * shade
                                face_light[c + 1] = sum_g * shade
                                face_light[c + 2] = sum_b * shade
                        tile = int(face_tile[slot])
                        w3 = fa * fb
                        w1, w2 = fa - w3, fb - w3
                        w0 = 1.0 - fa - w2
                        lit_r = w0 * face_light[j] + w1 * face_light[j + 3]
                        lit_r += w2 * face_light[j + 6] + w3 * face_light[j + 9]
                        lit_g = w0 * face_light[j + 1] + w1 * face_light[j + 4]
                        lit_g += w2 * face_light[j + 7] + w3 * face_light[j + 10]
                        lit_b = w0 * face_light[j + 2] + w1 * face_light[j + 5]
                        lit_b += w2 * face_light[j + 8] + w3 * face_light[j + 11]
                    else:
                        block = int(blocks[cell])
                        tile = int(faces[(block * 16 + (int(meta[cell]) & 15)) * 6 + side])
                        if side == 0:
                            front = (cell - 0x8000) & 0x7FFFFF
                        elif side == 1:
                            front = (cell + 0x8000) & 0x7FFFFF
                        elif side == 2:
                            front = cell - 1 if cy > 0 else cell
                        elif side == 3:
                            front = cell + 1 if cy < 127 else cell
                        elif side == 4:
                            front = (cell & 0x7F807F) | ((cell - 128) & 0x7F80)
                        else:
                            front = (cell & 0x7F807F) | ((cell + 128) & 0x7F80)
                        lamp = (int(light[front]) * 3)
                        k *= 0.95  # about what the corners of a face lose to their neighbours
                        lit_r, lit_g, lit_b = k * glow[lamp], k * glow[lamp + 1], k * glow[lamp + 2]
                    # the size of a pixel on the face, in texels, squared
                    blur = mip_scale * t * t * length2 * length
                    base = tile * 344
                    if blur < 2.0 * slope:
                        texel = int(texels[base + iv * 16 + iu])
                    elif blur < 8.0 * slope:
                        texel = int(texels[base + 256 + (iv >> 1) * 8 + (iu >> 1)])
                    elif blur < 32.0 * slope:
                        texel = int(texels[base + 320 + (iv >> 2) * 4 + (iu >> 2)])
                    elif blur < 128.0 * slope:
                        texel = int(texels[base + 336 + (iv >> 3) * 2 + (iu >> 3)])
                    else:
                        texel = int(texels[base + 340])
                if texel < HALF_OPAQUE and found == 1:  # a hole in leaves that cannot be seen through
                    texel = int(texels[base + 320 + (iv >> 2) * 4 + (iu >> 2)])
                    lit_r, lit_g, lit_b = 0.6 * lit_r, 0.6 * lit_g, 0.6 * lit_b
                red = lit_r * (texel & 255)
                green = lit_g * (texel >> 8 & 255)
                blue = lit_b * (texel >> 16 & 255)

            if px < width and py < height:
                if fog > 0.0:
                    fog = min(fog, 1.0)
                    rise = dy / length
                    j = (int((rise * 0.5 + 0.5) * (SKY_STEPS - 1)) * 3)
                    sky_r, sky_g, sky_b = float(sky[j]), float(sky[j + 1]), float(sky[j + 2])
                    if sunset > 0.0:
                        k = dx * sun_side / length
                        if k > -0.3:
                            k = (k + 0.3) * (1.0 / 1.3)
                            k = sunset * k * k * max(0.0, 1.0 - abs(rise - 0.05) * 1.8)
                            sky_r += (sunset_r - sky_r) * k
                            sky_g += (sunset_g - sky_g) * k
                            sky_b += (sunset_b - sky_b) * k
                    if found == 0 and rise > 0.03 and cloud > 0.0 and oy < 127.0:
                        s = (128.6 - oy) / dy
                        k = s * length
                        if k < 480.0:
                            qx, qz = (cloud_x + s * dx) * (1.0 / 12.0), (cloud_z + s * dz) * (1.0 / 12.0)
                            if clouds[(int(qz) & 63) << 6 | (int(qx) & 63)] != 0:
                                k = cloud * min(1.0, (480.0 - k) * (1.0 / 200.0))
                                sky_r += (cloud_r - sky_r) * k
                                sky_g += (cloud_g - sky_g) * k
                                sky_b += (cloud_b - sky_b) * k
                    fog = fog * fog * (3.0 - 2.0 * fog)
                    red += (sky_r - red) * fog
                    green += (sky_g - green) * fog
                    blue += (sky_b - blue) * fog
                if mixed:
                    red = red * ray[GONE] + ray[RED]
                    green = green * ray[GONE] + ray[GREEN]
                    blue = blue * ray[GONE] + ray[BLUE]
                j = ((py * width + px) * 3)
                frame[j] = np.uint8(min(int(red + 0.5), 255))
                frame[j + 1] = np.uint8(min(int(green + 0.5), 255))
                frame[j + 2] = np.uint8(min(int(blue + 0.5), 255))
            keys[at] = key
            depth[at] = t
            clears[at] = t if clear < 0.0 else clear
            # NOTE: the slack spares pixels of a sloping plane the closer look that stage 3 takes
            blind[at] = start if filled == 0 else t * 0.93

        # which pixels come next
        stage += 1
        done, count = count, 0
        if stage == 1 or stage == 2:
            for ty4 in range(0, rows - 1, 4):
                for tx4 in range(0, pitch - 1, 4):
                    corner = ty4 * pitch + tx4
                    agree = _agree(keys, depth, corner, 4, pitch, near4)
                    if stage == 1 and agree != 0:
                        for y in range(ty4, min(ty4 + 4, height)):
                            for x in range(tx4, min(tx4 + 4, width)):
                                if y != ty4 or x != tx4:
                                    work[count] = y << 16 | x
                                    hints[count] = agree
                                    count += 1
                    elif stage == 1:
                        agree = _start(clears, corner, 4, pitch, near4)
                        for n in range(1, 4):
                            y, x = ty4 + (n & 2), tx4 + (n & 1) * 2
                            work[count] = y << 16 | x
                            hints[count] = agree
                            count += 1
                    elif agree == 0:
                        for n in range(4):
                            y2, x2 = ty4 + (n & 2), tx4 + (n & 1) * 2
                            agree = _agree(keys, depth, y2 * pitch + x2, 2, pitch, near2)
                            if agree == 0:
                                agree = _start(clears, y2 * pitch + x2, 2, pitch, near2)
                            for m in range(1, 4):
                                y, x = y2 + (m >> 1), x2 + (m & 1)
                                if y < height and x < width:
                                    work[count] = y << 16 | x
                                    hints[count] = agree
                                    count += 1
        elif stage == 3:
            # filled pixels beside something nearer may hide more of it
            _suspect(clears, blind, marks, pitch, width, height)
            for y in range(height):
                for x in range(width):
                    at = y * pitch + x
                    if marks[at] != 0 and _overlooked(keys, clears, blind, at, x, y, pitch, width, height):
                        work[count] = y << 16 | x
                        hints[count] = 0
                        blind[at] = 0.0
                        count += 1
        else:
            # neighbours of pixels that changed; the list grows behind what is read
            for entry in range(done):
                place = int(work[entry])
                y, x = place >> 16, place & 0xFFFF
                for n in range(4):
                    y2, x2 = y + (n == 0) - (n == 1), x + (n == 2) - (n == 3)
                    if 0 <= y2 < height and 0 <= x2 < width:
                        at = y2 * pitch + x2
                        if blind[at] > 0.0 and _overlooked(keys, clears, blind, at, x2, y2, pitch, width, height):
                            blind[at] = 0.0
                            work[done + count] = y2 << 16 | x2
                            count += 1
            for entry in range(count):
                work[entry] = work[done + entry]
                hints[entry] = 0
        if count == 0 and stage >= 3:
            break


@njit(cache=True, nogil=True)
def _agree(keys, depth, corner, size, pitch, near):
    """The key of a square's first corner if all four lie on its plane and nearer than ``near``, or are sky; else 0."""
    right, below = (corner + size), (corner + size * pitch)
    corner = corner
    opposite = (below + size)
    a, b, c, d = int(keys[corner]), int(keys[right]), int(keys[below]), int(keys[opposite])
    face = a & 7
    if face == 6 or a & b & c & d & SEEN == 0 or (a | b | c | d) & MIXED:
        return 0
    same = 7
    if face < 2:
        same |= 0xFF << 18
    elif face < 4:
        same |= 0x7F << 3
    elif face < 6:
        same |= 0xFF << 10
    if ((a ^ b) | (a ^ c) | (a ^ d)) & same:
        return 0
    if face < 6 and max(depth[corner], depth[right], depth[below], depth[opposite]) > near:
        return 0
    return a & ~FILLED


@njit(cache=True, nogil=True)
def _start(clears, corner, size, pitch, near):
    """How far rays within a square may be assumed to meet nothing, given those at its corners; in 1/1024 m."""
    below = corner + size * pitch
    free = min(clears[corner], clears[corner + size], clears[below], clears[below + size], near) - 1.0
    return int(max(free, 0.0) * 1024.0)


@njit(cache=True, nogil=True)
def _suspect(clears, blind, marks, pitch, width, height):
    """Mark the pixels that may be _overlooked: simple enough to be done eight at a time."""
    for y in range(height):
        row, above, below = y * pitch, max(y - 1, 0) * pitch, min(y + 1, height - 1) * pitch
        for x in range(1, width - 1):
            near = min(min(clears[row + x - 1], clears[row + x + 1]), min(clears[above + x], clears[below + x]))
            marks[row + x] = near < blind[row + x]
        for x in (0, width - 1):
            near = min(min(clears[row + 1], clears[row + width - 2]), min(clears[above + x], clears[below + x]))
            marks[row + x] = near < blind[row + x]


@njit(cache=True, nogil=True)
def _layers(blocks, brick_cell):
    """Which of the eight layers of a brick hold anything, as bits. ``brick_cell`` is its lowest cell."""
    found = np.uint64(0)
    for i in range(8):
        for k in range(8):
            found |= blocks[(brick_cell + (i << 15) + (k << 7)) >> 3]
    bits = 0
    for j in range(8):
        if (found >> np.uint64(8 * j)) & np.uint64(255) != 0:
            bits |= 1 << j
    return bits


@njit(cache=True, nogil=True)
def _overlooked(keys, clears, blind, at, x, y, pitch, width, height):
    """Whether a neighbour of a pixel met something where the pixel's ray was not followed, other than the pixel's own plane."""
    limit = blind[at]
    for n in range(4):
        y2, x2 = y + (n == 0) - (n == 1), x + (n == 2) - (n == 3)
        if 0 <= y2 < height and 0 <= x2 < width:
            other = y2 * pitch + x2
            if clears[other] < limit:
                key = int(keys[at])
                if key & FILLED == 0:
                    return True
                face = key & 7
                same = 7 | MIXED
                if face < 2:
                    same |= 0xFF << 18
                elif face < 4:
                    same |= 0x7F << 3
                elif face < 6:
                    same |= 0xFF << 10
                if (key ^ int(keys[other])) & same:
                    return True
    return False
