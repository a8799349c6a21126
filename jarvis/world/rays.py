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

VIEW_DISTANCE = 88.0  # metres; further than this there is only sky
REACH = 12  # bricks on each side of the eye's
SPAN = 2 * REACH + 1
LAYERS = 18  # 16 bricks up, one below and one above
OUTSIDE = 2
SKY_STEPS = 512
FACES = 2048  # remembered faces

# how a block is drawn; the first two must stay: 0 is passed through, 1 is a plain opaque cube
AIR, SOLID, HOLES, PANE, TINTED, PLANT, PARTS, WATER, LAVA = range(9)

SEEN, MIXED, FILLED = 1 << 28, 1 << 26, 1 << 27
CELL_BITS = ((1 << 23) - 1) << 3
SKY_KEY = SEEN | 7
FAR = 1e9


class Look(NamedTuple):
    """What blocks look like; made once per renderer."""

    texels: np.ndarray  # (tiles * 344,) uint32 RGBA little end first: 16x16, 8x8, 4x4, 2x2, 1x1 and padding
    faces: np.ndarray  # (blocks * 16 * 6,) int32 tile
    kind: np.ndarray  # (256,) uint8 AIR .. LAVA
    shades: np.ndarray  # (256,) uint8, 1: darkens the corners of its neighbours (a full cube)
    emits: np.ndarray  # (256,) uint8
    see_start: np.ndarray  # (blocks * 16,) int32
    see_count: np.ndarray
    see_boxes: np.ndarray  # (n * 6,) float32
    clouds: np.ndarray  # (64 * 64,) uint8


class Canvas(NamedTuple):
    """Buffers of one renderer. A row of ``keys`` and ``depth`` is ``pitch`` pixels, a few more than the picture has."""

    across: np.ndarray  # (pitch,) float64 tangent to the right at a pixel's middle
    down: np.ndarray  # (rows,) float64 tangent downwards
    keys: np.ndarray  # (rows * pitch,) uint32
    depth: np.ndarray  # (rows * pitch,) float32 metres along the middle of the view
    work: np.ndarray  # (2 * rows * pitch,) uint32 row << 16 | column
    hint: np.ndarray  # (2 * rows * pitch,) uint32
    bricks: np.ndarray  # (SPAN * SPAN * LAYERS,) uint8 0 empty, 1 occupied, OUTSIDE
    face_key: np.ndarray  # (FACES,) uint32
    face_tile: np.ndarray  # (FACES,) int32
    face_light: np.ndarray  # (FACES * 12,) float32 red green blue at four corners


@njit(cache=True, nogil=True)
def gather_bricks(bricks, chunk_at, out, eye):
    """Fill the brick map around the eye. Returns the height in metres above which nothing is."""
    bx0, bz0 = int(np.floor(eye[0])) // 8 - REACH, int(np.floor(eye[2])) // 8 - REACH
    highest = 0
    limit = VIEW_DISTANCE * VIEW_DISTANCE
    for i in range(SPAN):
        wx = np.uint32((bx0 + i) & 31)
        cx = (bx0 + i) >> 1
        gap_x = max(0.0, (bx0 + i) * 8.0 - eye[0], eye[0] - (bx0 + i) * 8.0 - 8.0)
        for k in range(SPAN):
            cz = (bz0 + k) >> 1
            at = (i * SPAN + k) * LAYERS
            gap_z = max(0.0, (bz0 + k) * 8.0 - eye[2], eye[2] - (bz0 + k) * 8.0 - 8.0)
            if i == 0 or k == 0 or i == SPAN - 1 or k == SPAN - 1 or gap_x * gap_x + gap_z * gap_z > limit:
                out[at : at + LAYERS] = OUTSIDE
                continue
            slot_x, slot_z = np.uint32(cx & 15), np.uint32(cz & 15)
            out[at] = OUTSIDE
            out[at + LAYERS - 1] = OUTSIDE
            if chunk_at[slot_x, slot_z, 0] != cx or chunk_at[slot_x, slot_z, 1] != cz:
                out[at + 1 : at + LAYERS - 1] = 0
                continue
            wz = np.uint32((bz0 + k) & 31)
            for j in range(16):
                full = bricks[wx, wz, np.uint32(j)] != 0
                out[np.uint32(at + 1 + j)] = full
                if full and j >= highest:
                    highest = j + 1
    for column in range(SPAN * SPAN):
        for j in range(highest + 1, LAYERS):
            out[np.uint32(column * LAYERS + j)] = OUTSIDE
    return highest * 8


@njit(cache=True, nogil=True, fastmath={"contract", "arcp", "nsz"})
def draw_blocks(blocks, meta, light, look, canvas, glow, sky, frame, height, width, camera, weather):
    """Draw the world into ``frame`` (height * width * 3,) uint8 and say per pixel what is seen (``canvas.keys``, ``.depth``).

    ``blocks``, ``meta`` and ``light`` are the window's arrays, flat. ``glow`` (256 * 3,) float32 is the colour of each light
    byte, ``sky`` (SKY_STEPS * 3,) float32 the sky's colour 0..255 from straight down to straight up. ``camera``: eye x y z,
    forward x y z, right x z, up x y z, pixel size (tangent), height above which nothing is. ``weather``: sunset strength,
    sunset red green blue, side of the sun (+1 east), cloud opacity, cloud x, cloud z, cloud brightness r g b, tick,
    eye in lava.
    """
    texels, faces, kinds, shades = look.texels, look.faces, look.kind, look.shades
    keys, depth, work, hints, bricks = canvas.keys, canvas.depth, canvas.work, canvas.hint, canvas.bricks
    face_key, face_tile, face_light = canvas.face_key, canvas.face_tile, canvas.face_light
    across, down = canvas.across, canvas.down
    pitch, rows = across.size, down.size
    bx0, bz0 = int(np.floor(camera[0])) // 8 - REACH, int(np.floor(camera[2])) // 8 - REACH
    wx, wz = (bx0 * 8) & MASK, (bz0 * 8) & MASK
    ox, oy, oz = camera[0] - bx0 * 8, camera[1], camera[2] - bz0 * 8
    fx, fy, fz, rx, rz, ux, uy, uz = camera[3], camera[4], camera[5], camera[6], camera[7], camera[8], camera[9], camera[10]
    pixel, ceiling = camera[11], camera[12]
    sunset, sunset_r, sunset_g, sunset_b, sun_side = weather[0], weather[1], weather[2], weather[3], weather[4]
    cloud, cloud_x, cloud_z = weather[5], weather[6], weather[7]
    cloud_r, cloud_g, cloud_b = weather[8], weather[9], weather[10]
    drift, in_lava = int(weather[11]), weather[12] > 0
    mip_scale = 256.0 * pixel * pixel
    near4, near2 = 0.2 / pixel, 0.4 / pixel  # metres at which a block is about as wide as a tile
    smooth = max(20.0, 0.25 / pixel)  # metres to which light is interpolated between corners

    keys[:] = 0
    face_key[:] = 0

    # the eye's own cell
    eye_y = min(max(int(np.floor(oy)), 0), 127)
    eye_cell = ((int(ox) + wx) & MASK) << 15 | ((int(oz) + wz) & MASK) << 7 | eye_y
    eye_wet = False
    if oy < 128 and kinds[blocks[np.uint32(eye_cell)]] == WATER:
        above = eye_y < 127 and kinds[blocks[np.uint32(eye_cell + 1)]] == WATER
        eye_wet = above or oy - eye_y < 0.88

    count = 0
    for y in range(0, rows, 4):
        for x in range(0, pitch, 4):
            work[np.uint32(count)] = y << 16 | x
            hints[np.uint32(count)] = 0
            count += 1

    stage = 0
    while True:
        for entry in range(count):
            place = int(work[np.uint32(entry)])
            hint = int(hints[np.uint32(entry)])
            py, px = place >> 16, place & 0xFFFF
            at = py * pitch + px
            a, b = across[np.uint32(px)], -down[np.uint32(py)]
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
            gone = 1.0  # the share of light that still comes from further on
            acc_r, acc_g, acc_b = 0.0, 0.0, 0.0
            texel = 0
            lit_r, lit_g, lit_b = 1.0, 1.0, 1.0
            walk = True
            if hint != 0:
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
                        if kinds[blocks[np.uint32(cell)]] == SOLID:
                            if axis == 0:
                                front = ((cx + 2 * beyond - 1 + wx) & MASK) << 15 | (cell & 0x7FFF)
                            elif axis == 1:
                                front = max(cell + 2 * beyond - 1, 0)
                            else:
                                front = (cell & 0x7F807F) | ((cz + 2 * beyond - 1 + wz) & MASK) << 7
                            walk = blocks[np.uint32(front)] != 0
                    if not walk:
                        found = 1
                        filled = FILLED
            if walk:
                found = 0
                idx, idy, idz = 1.0 / dx, 1.0 / dy, 1.0 / dz
                px_up, py_up, pz_up = int(dx > 0), int(dy > 0), int(dz > 0)
                step_x, step_y, step_z = 2 * px_up - 1, 2 * py_up - 1, 2 * pz_up - 1
                adx, ady, adz = abs(idx), abs(idy), abs(idz)
                t = 0.0
                axis = -1
                bx, by, bz = REACH, int(np.floor(oy)) >> 3, REACH
                alive = True
                if oy >= ceiling:
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
                elif oy < 0:
                    alive = False
                brick = (bx * SPAN + bz) * LAYERS + by + 1
                far_x = ((bx + px_up) * 8 - ox) * idx
                far_y = ((by + py_up) * 8 - oy) * idy
                far_z = ((bz + pz_up) * 8 - oz) * idz
                wet = -1.0
                water_light = 240
                if eye_wet:
                    wet = 0.0
                    water_light = int(light[np.uint32(eye_cell)])
                    mixed = True
                before = 0
                while alive:
                    state = bricks[np.uint32(brick)]
                    if state == 0:
                        if wet >= 0.0:
                            k = 1.0 - np.exp(-0.09 * (t - wet) * length)
                            lamp = np.uint32(water_light * 3)
                            acc_r += gone * k * 18.0 * glow[lamp]
                            acc_g += gone * k * 46.0 * glow[lamp + np.uint32(1)]
                            acc_b += gone * k * 120.0 * glow[lamp + np.uint32(2)]
                            gone *= 1.0 - k
                            wet = -1.0
                        before = 0
                        if far_x < far_y:
                            if far_x < far_z:
                                t = far_x
                                far_x += 8.0 * adx
                                bx += step_x
                                brick += step_x * (SPAN * LAYERS)
                                axis = 0
                            else:
                                t = far_z
                                far_z += 8.0 * adz
                                bz += step_z
                                brick += step_z * LAYERS
                                axis = 2
                        elif far_y < far_z:
                            t = far_y
                            far_y += 8.0 * ady
                            by += step_y
                            brick += step_y
                            axis = 1
                        else:
                            t = far_z
                            far_z += 8.0 * adz
                            bz += step_z
                            brick += step_z * LAYERS
                            axis = 2
                        continue
                    if state == 2:
                        break
                    # a brick with something in it: cell by cell
                    cx, cy, cz = int(ox + t * dx), int(oy + t * dy), int(oz + t * dz)
                    cx = min(max(cx, bx * 8), bx * 8 + 7)
                    cy = min(max(cy, by * 8), by * 8 + 7)
                    cz = min(max(cz, bz * 8), bz * 8 + 7)
                    tx = (cx + px_up - ox) * idx
                    ty = (cy + py_up - oy) * idy
                    tz = (cz + pz_up - oz) * idz
                    cell = ((cx + wx) & MASK) << 15 | ((cz + wz) & MASK) << 7 | cy
                    home = cell | 0x038387  # stays the same within the brick
                    while True:
                        block = int(blocks[np.uint32(cell)])
                        if block != before or block != 0:
                            kind = int(kinds[block])
                            if wet >= 0.0 and kind != WATER:
                                k = 1.0 - np.exp(-0.09 * (t - wet) * length)
                                lamp = np.uint32(water_light * 3)
                                acc_r += gone * k * 18.0 * glow[lamp]
                                acc_g += gone * k * 46.0 * glow[lamp + np.uint32(1)]
                                acc_b += gone * k * 120.0 * glow[lamp + np.uint32(2)]
                                gone *= 1.0 - k
                                wet = -1.0
                            if kind == SOLID:
                                found = 1
                                break
                            if kind != AIR:
                                leave = min(tx, ty, tz)
                                qx, qy, qz = ox + t * dx - cx, oy + t * dy - cy, oz + t * dz - cz
                                far2 = mip_scale * t * t * length2
                                if kind <= TINTED:  # a full cube that shows what is behind
                                    if axis >= 0 and not (kind >= PANE and before == block):
                                        if kind == HOLES and far2 > 14.0:
                                            found = 1
                                            break
                                        if axis == 0:
                                            u, v = (qz if dx > 0 else 1.0 - qz), 1.0 - qy
                                        elif axis == 1:
                                            u, v = qx, qz
                                        else:
                                            u, v = (1.0 - qx if dz > 0 else qx), 1.0 - qy
                                        iu, iv = min(max(int(u * 16.0), 0), 15), min(max(int(v * 16.0), 0), 15)
                                        side = 2 * axis + (0 if (px_up, py_up, pz_up)[axis] else 1)
                                        tile = faces[np.uint32((block * 16 + (int(meta[np.uint32(cell)]) & 15)) * 6 + side)]
                                        base = int(tile) * 344
                                        if kind == HOLES and far2 > 3.0:
                                            texel = int(texels[np.uint32(base + 256 + (iv >> 1) * 8 + (iu >> 1))])
                                        else:
                                            texel = int(texels[np.uint32(base + iv * 16 + iu)])
                                        opacity = texel >> 24
                                        if kind == TINTED and opacity < 250:
                                            k = gone * opacity * (1.0 / 255.0)
                                            lamp = np.uint32(int(light[np.uint32(cell)]) * 3)
                                            acc_r += k * (texel & 255) * glow[lamp]
                                            acc_g += k * (texel >> 8 & 255) * glow[lamp + np.uint32(1)]
                                            acc_b += k * (texel >> 16 & 255) * glow[lamp + np.uint32(2)]
                                            gone -= k
                                        elif opacity >= 128:
                                            found = 1
                                            break
                                    mixed = True
                                elif kind == PLANT:
                                    mixed = True
                                    side_a, side_b = dx - dz, dx + dz
                                    t_a = (qz - qx) / side_a if abs(side_a) > 1e-6 else -1.0
                                    t_b = (1.0 - qx - qz) / side_b if abs(side_b) > 1e-6 else -1.0
                                    tile = faces[np.uint32((block * 16 + (int(meta[np.uint32(cell)]) & 15)) * 6)]
                                    for turn in range(2):
                                        # the nearer plane first
                                        s = min(t_a, t_b) if turn == 0 else max(t_a, t_b)
                                        if s < 0.0 or t + s > leave:
                                            continue
                                        u, v = qx + s * dx, 1.0 - (qy + s * dy)
                                        if u < 0.03 or u > 0.97 or v < 0.0 or v >= 1.0:
                                            continue
                                        iu, iv = int(u * 16.0), int(v * 16.0)
                                        base = int(tile) * 344
                                        if far2 < 4.0:
                                            texel = int(texels[np.uint32(base + iv * 16 + iu)])
                                        elif far2 < 16.0:
                                            texel = int(texels[np.uint32(base + 256 + (iv >> 1) * 8 + (iu >> 1))])
                                        else:
                                            texel = int(texels[np.uint32(base + 320 + (iv >> 2) * 4 + (iu >> 2))])
                                        if texel >> 24 >= 100:
                                            found = 2
                                            t = t + s
                                            lamp = np.uint32(int(light[np.uint32(cell)]) * 3)
                                            lit_r, lit_g, lit_b = glow[lamp], glow[lamp + np.uint32(1)], glow[lamp + np.uint32(2)]
                                            axis = 3
                                            break
                                    if found != 0:
                                        break
                                elif kind == PARTS:
                                    mixed = True
                                    shape = block * 16 + (int(meta[np.uint32(cell)]) & 15)
                                    best = leave - t + 1e-9
                                    best_axis = -1
                                    first = int(look.see_start[np.uint32(shape)])
                                    for part in range(first, first + int(look.see_count[np.uint32(shape)])):
                                        j = np.uint32(part * 6)
                                        x0, x1 = look.see_boxes[j], look.see_boxes[j + np.uint32(3)]
                                        y0, y1 = look.see_boxes[j + np.uint32(1)], look.see_boxes[j + np.uint32(4)]
                                        z0, z1 = look.see_boxes[j + np.uint32(2)], look.see_boxes[j + np.uint32(5)]
                                        s0, s1 = ((x0 if px_up else x1) - qx) * idx, ((x1 if px_up else x0) - qx) * idx
                                        s_axis = 0
                                        s = ((y0 if py_up else y1) - qy) * idy
                                        if s > s0:
                                            s0, s_axis = s, 1
                                        s1 = min(s1, ((y1 if py_up else y0) - qy) * idy)
                                        s = ((z0 if pz_up else z1) - qz) * idz
                                        if s > s0:
                                            s0, s_axis = s, 2
                                        s1 = min(s1, ((z1 if pz_up else z0) - qz) * idz)
                                        if s0 < s1 and s0 > -1e-6 and s0 < best:
                                            best, best_axis = s0, s_axis
                                    if best_axis >= 0:
                                        s = best
                                        qx, qy, qz = qx + s * dx, qy + s * dy, qz + s * dz
                                        if best_axis == 0:
                                            u, v = (qz if dx > 0 else 1.0 - qz), 1.0 - qy
                                            side = 1 - px_up
                                        elif best_axis == 1:
                                            u, v = qx, qz
                                            side = 3 - py_up
                                        else:
                                            u, v = (1.0 - qx if dz > 0 else qx), 1.0 - qy
                                            side = 5 - pz_up
                                        iu, iv = min(max(int(u * 16.0), 0), 15), min(max(int(v * 16.0), 0), 15)
                                        base = int(faces[np.uint32(shape * 6 + side)]) * 344
                                        if far2 < 4.0:
                                            texel = int(texels[np.uint32(base + iv * 16 + iu)])
                                        elif far2 < 16.0:
                                            texel = int(texels[np.uint32(base + 256 + (iv >> 1) * 8 + (iu >> 1))])
                                        else:
                                            texel = int(texels[np.uint32(base + 320 + (iv >> 2) * 4 + (iu >> 2))])
                                        if texel >> 24 >= 100:
                                            found = 2
                                            t = t + s
                                            axis = best_axis
                                            lamp_cell = cell
                                            if light[np.uint32(cell)] == 0:
                                                if side == 0:
                                                    lamp_cell = (cell - 0x8000) & 0x7FFFFF
                                                elif side == 1:
                                                    lamp_cell = (cell + 0x8000) & 0x7FFFFF
                                                elif side == 4:
                                                    lamp_cell = (cell & 0x7F807F) | ((cell - 128) & 0x7F80)
                                                elif side == 5:
                                                    lamp_cell = (cell & 0x7F807F) | ((cell + 128) & 0x7F80)
                                                elif cy < 127:
                                                    lamp_cell = cell + 1
                                            bright = int(light[np.uint32(lamp_cell)])
                                            if look.emits[block] > 0:
                                                bright |= 15
                                            lamp = np.uint32(bright * 3)
                                            k = 0.6 if side < 2 else 0.8 if side > 3 else 1.0 if side == 3 else 0.5
                                            if look.emits[block] > 0:
                                                k = 1.0
                                            lit_r, lit_g, lit_b = k * glow[lamp], k * glow[lamp + np.uint32(1)], k * glow[lamp + np.uint32(2)]
                                            break
                                elif not (kind == LAVA and in_lava):  # a liquid, whose top is lower than its cell
                                    mixed = True
                                    tall = 1.0
                                    if cy >= 127 or int(kinds[blocks[np.uint32(cell + 1)]]) != kind:
                                        amount = int(meta[np.uint32(cell)]) & 15
                                        tall = 0.875 if amount == 0 or amount >= 8 else (8 - amount) * 0.109375
                                    surface = (cy + tall - oy) * idy  # where the ray meets the plane of the top
                                    if wet < 0.0:
                                        s = -1.0
                                        side = 2 * axis + (0 if (px_up, py_up, pz_up)[max(axis, 0)] else 1)
                                        if qy > tall:
                                            if dy < 0 and surface < leave:
                                                s = surface
                                                side = 3
                                        elif before != block:
                                            s = t
                                        else:
                                            wet = t
                                        if s >= 0.0:
                                            qx, qy, qz = ox + s * dx - cx, oy + s * dy - cy, oz + s * dz - cz
                                            if side < 2:
                                                u, v = qz, 1.0 - qy
                                            elif side < 4:
                                                u, v = qx, qz
                                            else:
                                                u, v = qx, 1.0 - qy
                                            slow = 4 if kind == LAVA else 1
                                            tile = int(faces[np.uint32(block * 96 + 3)]) * 344
                                            fall = drift // (2 * slow)
                                            if side < 2 or side > 3:
                                                fall = -drift // slow
                                            iu, iv = int(u * 16.0) & 15, (int(v * 16.0 + 16.0) + fall) & 15
                                            far2 = mip_scale * s * s * length2
                                            if far2 < 3.0:
                                                texel = int(texels[np.uint32(tile + iv * 16 + iu)])
                                            elif far2 < 12.0:
                                                texel = int(texels[np.uint32(tile + 256 + (iv >> 1) * 8 + (iu >> 1))])
                                            elif far2 < 64.0:
                                                texel = int(texels[np.uint32(tile + 320 + (iv >> 2) * 4 + (iu >> 2))])
                                            else:
                                                texel = int(texels[np.uint32(tile + 340)])
                                            if kind == LAVA:
                                                found = 2
                                                t = s
                                                axis = 1
                                                break
                                            water_light = int(light[np.uint32(cell)])
                                            if cy < 127 and side == 3:
                                                water_light = max(water_light, int(light[np.uint32(cell + 1)]))
                                            lamp = np.uint32(water_light * 3)
                                            # a glance along the surface sees less of what is under it
                                            slope = abs(dy) / length
                                            k = gone * min(0.92, (texel >> 24) * (1.0 / 255.0) + 0.3 * (1.0 - slope) ** 3)
                                            acc_r += k * (texel & 255) * glow[lamp]
                                            acc_g += k * (texel >> 8 & 255) * glow[lamp + np.uint32(1)]
                                            acc_b += k * (texel >> 16 & 255) * glow[lamp + np.uint32(2)]
                                            gone -= k
                                            wet = s
                                    if wet >= 0.0 and dy > 0 and tall < 1.0 and surface < leave:
                                        # out through the surface from below
                                        surface = max(surface, t)
                                        k = 1.0 - np.exp(-0.09 * (surface - wet) * length)
                                        lamp = np.uint32(water_light * 3)
                                        k = gone * (k + 0.35 * (1.0 - k))
                                        acc_r += k * 24.0 * glow[lamp]
                                        acc_g += k * 58.0 * glow[lamp + np.uint32(1)]
                                        acc_b += k * 140.0 * glow[lamp + np.uint32(2)]
                                        gone -= k
                                        wet = -1.0
                            before = block
                        if tx < ty:
                            if tx < tz:
                                t = tx
                                tx += adx
                                cx += step_x
                                cell += step_x << 15
                                axis = 0
                            else:
                                t = tz
                                tz += adz
                                cz += step_z
                                cell += step_z << 7
                                axis = 2
                        elif ty < tz:
                            t = ty
                            ty += ady
                            cy += step_y
                            cell += step_y
                            axis = 1
                        else:
                            t = tz
                            tz += adz
                            cz += step_z
                            cell += step_z << 7
                            axis = 2
                        if (cell | 0x038387) != home:
                            break
                    if found != 0:
                        break
                    if axis == 0:
                        far_x += 8.0 * adx
                        bx += step_x
                        brick += step_x * (SPAN * LAYERS)
                    elif axis == 1:
                        far_y += 8.0 * ady
                        by += step_y
                        brick += step_y
                    else:
                        far_z += 8.0 * adz
                        bz += step_z
                        brick += step_z * LAYERS
                if found == 0 and wet >= 0.0:  # water up to the edge of sight
                    k = gone * (1.0 - np.exp(-0.09 * (t - wet) * length))
                    lamp = np.uint32(water_light * 3)
                    acc_r += k * 18.0 * glow[lamp]
                    acc_g += k * 46.0 * glow[lamp + np.uint32(1)]
                    acc_b += k * 120.0 * glow[lamp + np.uint32(2)]
                    gone -= k

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
                if found == 1 and side == 6:  # the eye is inside a block
                    key |= MIXED
                    lit_r, lit_g, lit_b = 0.0, 0.0, 0.0
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
                        j = np.uint32(slot * 12)
                        if face_key[np.uint32(slot)] != np.uint32(face_id + 1):
                            face_key[np.uint32(slot)] = face_id + 1
                            block = int(blocks[np.uint32(cell)])
                            face_tile[np.uint32(slot)] = faces[np.uint32((block * 16 + (int(meta[np.uint32(cell)]) & 15)) * 6 + side)]
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
                                        near = np.uint32((nx & MASK) << 15 | (nz & MASK) << 7 | max(ny, 0))
                                        bright, dark = int(light[near]), int(shades[blocks[near]])
                                    if n == 0:
                                        dark = 0
                                    elif n == 3 and closed == 2:
                                        dark = 1
                                    closed += dark
                                    if dark == 0 or bright > 0:
                                        lamp = np.uint32(bright * 3)
                                        sum_r += glow[lamp]
                                        sum_g += glow[lamp + np.uint32(1)]
                                        sum_b += glow[lamp + np.uint32(2)]
                                        lamps += 1.0
                                shade = k * (1.0 - 0.19 * closed) / lamps
                                c = j + np.uint32(corner * 3)
                                face_light[c] = sum_r * shade
                                face_light[c + np.uint32(1)] = sum_g * shade
                                face_light[c + np.uint32(2)] = sum_b * shade
                        tile = int(face_tile[np.uint32(slot)])
                        w3 = fa * fb
                        w1, w2 = fa - w3, fb - w3
                        w0 = 1.0 - fa - w2
                        lit_r = w0 * face_light[j] + w1 * face_light[j + np.uint32(3)]
                        lit_r += w2 * face_light[j + np.uint32(6)] + w3 * face_light[j + np.uint32(9)]
                        lit_g = w0 * face_light[j + np.uint32(1)] + w1 * face_light[j + np.uint32(4)]
                        lit_g += w2 * face_light[j + np.uint32(7)] + w3 * face_light[j + np.uint32(10)]
                        lit_b = w0 * face_light[j + np.uint32(2)] + w1 * face_light[j + np.uint32(5)]
                        lit_b += w2 * face_light[j + np.uint32(8)] + w3 * face_light[j + np.uint32(11)]
                    else:
                        block = int(blocks[np.uint32(cell)])
                        tile = int(faces[np.uint32((block * 16 + (int(meta[np.uint32(cell)]) & 15)) * 6 + side)])
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
                        lamp = np.uint32(int(light[np.uint32(front)]) * 3)
                        k *= 0.95  # about what the corners of a face lose to their neighbours
                        lit_r, lit_g, lit_b = k * glow[lamp], k * glow[lamp + np.uint32(1)], k * glow[lamp + np.uint32(2)]
                    # the size of a pixel on the face, in texels, squared
                    blur = mip_scale * t * t * length2 * length
                    base = tile * 344
                    if blur < 2.0 * slope:
                        texel = int(texels[np.uint32(base + iv * 16 + iu)])
                    elif blur < 8.0 * slope:
                        texel = int(texels[np.uint32(base + 256 + (iv >> 1) * 8 + (iu >> 1))])
                    elif blur < 32.0 * slope:
                        texel = int(texels[np.uint32(base + 320 + (iv >> 2) * 4 + (iu >> 2))])
                    elif blur < 128.0 * slope:
                        texel = int(texels[np.uint32(base + 336 + (iv >> 3) * 2 + (iu >> 3))])
                    else:
                        texel = int(texels[np.uint32(base + 340)])
                red = lit_r * (texel & 255)
                green = lit_g * (texel >> 8 & 255)
                blue = lit_b * (texel >> 16 & 255)

            if px < width and py < height:
                if fog > 0.0:
                    fog = min(fog, 1.0)
                    rise = dy / length
                    j = np.uint32(int((rise * 0.5 + 0.5) * (SKY_STEPS - 1)) * 3)
                    sky_r, sky_g, sky_b = float(sky[j]), float(sky[j + np.uint32(1)]), float(sky[j + np.uint32(2)])
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
                            if look.clouds[np.uint32((int(qz) & 63) << 6 | (int(qx) & 63))] != 0:
                                k = cloud * min(1.0, (480.0 - k) * (1.0 / 200.0))
                                sky_r += (cloud_r - sky_r) * k
                                sky_g += (cloud_g - sky_g) * k
                                sky_b += (cloud_b - sky_b) * k
                    fog = fog * fog * (3.0 - 2.0 * fog)
                    red += (sky_r - red) * fog
                    green += (sky_g - green) * fog
                    blue += (sky_b - blue) * fog
                if mixed:
                    red, green, blue = red * gone + acc_r, green * gone + acc_g, blue * gone + acc_b
                j = np.uint32((py * width + px) * 3)
                frame[j] = np.uint8(min(int(red + 0.5), 255))
                frame[j + np.uint32(1)] = np.uint8(min(int(green + 0.5), 255))
                frame[j + np.uint32(2)] = np.uint8(min(int(blue + 0.5), 255))
            keys[np.uint32(at)] = key
            depth[np.uint32(at)] = t

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
                                    work[np.uint32(count)] = y << 16 | x
                                    hints[np.uint32(count)] = agree
                                    count += 1
                    elif stage == 1:
                        for n in range(1, 4):
                            y, x = ty4 + (n & 2), tx4 + (n & 1) * 2
                            work[np.uint32(count)] = y << 16 | x
                            hints[np.uint32(count)] = 0
                            count += 1
                    elif agree == 0:
                        for n in range(4):
                            y2, x2 = ty4 + (n & 2), tx4 + (n & 1) * 2
                            agree = _agree(keys, depth, y2 * pitch + x2, 2, pitch, near2)
                            for m in range(1, 4):
                                y, x = y2 + (m >> 1), x2 + (m & 1)
                                if y < height and x < width:
                                    work[np.uint32(count)] = y << 16 | x
                                    hints[np.uint32(count)] = agree
                                    count += 1
        elif stage == 3:
            # filled pixels beside something nearer may hide more of it
            for y in range(height):
                for x in range(width):
                    at = y * pitch + x
                    if keys[np.uint32(at)] & FILLED and _overlooked(keys, depth, at, x, y, pitch, width, height):
                        work[np.uint32(count)] = y << 16 | x
                        hints[np.uint32(count)] = 0
                        count += 1
        else:
            # neighbours of pixels that changed; the list grows behind what is read
            for entry in range(done):
                place = int(work[np.uint32(entry)])
                y, x = place >> 16, place & 0xFFFF
                for n in range(4):
                    y2, x2 = y + (n == 0) - (n == 1), x + (n == 2) - (n == 3)
                    if 0 <= y2 < height and 0 <= x2 < width:
                        at = y2 * pitch + x2
                        if keys[np.uint32(at)] & FILLED and _overlooked(keys, depth, at, x2, y2, pitch, width, height):
                            keys[np.uint32(at)] &= ~np.uint32(FILLED)
                            work[np.uint32(done + count)] = y2 << 16 | x2
                            count += 1
            for entry in range(count):
                work[np.uint32(entry)] = work[np.uint32(done + entry)]
                hints[np.uint32(entry)] = 0
        if count == 0 and stage >= 3:
            break


@njit(cache=True, nogil=True)
def _agree(keys, depth, corner, size, pitch, near):
    """The key of a square's first corner if all four lie on its plane and nearer than ``near``, or are sky; else 0."""
    right, below = np.uint32(corner + size), np.uint32(corner + size * pitch)
    corner = np.uint32(corner)
    opposite = np.uint32(below + np.uint32(size))
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
def _overlooked(keys, depth, at, x, y, pitch, width, height):
    """Whether a neighbour of a pixel shows something nearer that is not on the pixel's plane."""
    a = int(keys[np.uint32(at)])
    face = a & 7
    same = 7
    if face < 2:
        same |= 0xFF << 18
    elif face < 4:
        same |= 0x7F << 3
    elif face < 6:
        same |= 0xFF << 10
    same |= MIXED
    limit = depth[np.uint32(at)] * 0.999
    for n in range(4):
        y2, x2 = y + (n == 0) - (n == 1), x + (n == 2) - (n == 3)
        if 0 <= y2 < height and 0 <= x2 < width:
            other = np.uint32(y2 * pitch + x2)
            if (a ^ int(keys[other])) & same and depth[other] < limit:
                return True
    return False
