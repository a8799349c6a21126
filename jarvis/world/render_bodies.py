"""Mobs, items on the ground, missiles and the player's hand: boxes with pictures, drawn into a finished frame of blocks.

Everything becomes rows of one table first (``place_bodies``), then every box is drawn where its screen rectangle lies, tested
against the depth that the blocks left behind (``draw_boxes``). Columns of a row:

    0-2   middle, metres from the eye            3-11  the box's own x, y and z axes in the world, one after another
    12-14 half its size along them               15-20 picture of the faces -x, +x, -y, +y, -z, +z; negative: not drawn
    21    light byte                             22    share of red (hurt)
    23    share of white (about to explode)      24    1: a picture pressed out of a thin slab, walked through texel by texel
    25    1: seen as it is, however it is lit and turned
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from jarvis.world.layout import MASK, hash3
from jarvis.world.models import SHEARED_SHEEP
from jarvis.world.pointers import pointer
from jarvis.world.shading import SKY_STEPS
from jarvis.world.surfaces import sample
from jarvis.world.walk import VIEW_DISTANCE

COLUMNS = 26
MAX_BOXES = 1400  # 64 mobs of eleven parts, 192 drops of at most three copies, 64 missiles
SLAB_STEPS = 14
TURN = math.pi / 180.0


class BodyModels(NamedTuple):
    """The arrays of models.Models that place boxes."""

    part_start: np.ndarray
    size: np.ndarray
    offset: np.ndarray
    pivot: np.ndarray
    rest: np.ndarray
    motion: np.ndarray
    tiles: np.ndarray


@njit(cache=True, nogil=True)
def _light_at(light, x, y, z):
    """Light byte at a place, or just above it if that is inside a block."""
    cy = int(np.floor(y))
    for up in range(3):
        if cy + up > 127:
            return 240
        if cy + up >= 0:
            found = int(light[int(np.floor(x)) & MASK, int(np.floor(z)) & MASK, cy + up])
            if found > 0:
                return found
    return 0


@njit(cache=True, nogil=True)
def _turn(axes, angle_x, angle_y, angle_z):
    """Turn three axes (rows) about the frame's x, then y, then z."""
    for which in range(3):
        angle = angle_x if which == 0 else angle_y if which == 1 else angle_z
        if angle == 0.0:
            continue
        s, c = math.sin(angle), math.cos(angle)
        i, j = (which + 1) % 3, (which + 2) % 3
        for row in range(axes.shape[0]):
            a, b = axes[row, i], axes[row, j]
            axes[row, i], axes[row, j] = a * c - b * s, a * s + b * c


@njit(cache=True, nogil=True)
def _put(boxes, n, axes, half_x, half_y, half_z, bright):
    """Start row ``n`` from rows 0-2 (axes) and 3 (middle) of ``axes``."""
    for c in range(3):
        boxes[n, c] = axes[3, c]
        for row in range(3):
            boxes[n, 3 + 3 * row + c] = axes[row, c]
    boxes[n, 12], boxes[n, 13], boxes[n, 14], boxes[n, 21] = half_x, half_y, half_z, bright
    for column in range(22, 26):
        boxes[n, column] = 0.0


@njit(cache=True, nogil=True)
def _stand(axes, x, y, z):
    """Unturned axes with the middle at (x, y, z)."""
    for row in range(3):
        for c in range(3):
            axes[row, c] = 1.0 if row == c else 0.0
    axes[3, 0], axes[3, 1], axes[3, 2] = x, y, z


@njit(cache=True, nogil=True)
def _clothe(boxes, n, tile):
    """One picture for all faces of row ``n``."""
    for face in range(6):
        boxes[n, 15 + face] = tile


@njit(cache=True, nogil=True)
def place_bodies(boxes, mobs, drops, missiles, models, light, eye, item_block, faces, tiles, skin_base, icon_base, tick):
    """Fill ``boxes`` with all bodies within sight; returns how many rows there are.

    ``tiles`` are the pictures of an arrow's shaft and feathers, of a snowball and of an egg.
    """
    n = 0
    axes = np.zeros((4, 3))
    yaw_eye = math.atan2(-eye[3], eye[5])
    reach = VIEW_DISTANCE * VIEW_DISTANCE
    for index in range(mobs.size):
        m = mobs[index]
        if m.kind == 0:
            continue
        mx, my, mz = m.x - eye[0], m.y - eye[1], m.z - eye[2]
        if mx * mx + my * my + mz * mz > reach or mx * eye[3] + my * eye[4] + mz * eye[5] < -3.0:
            continue
        model = int(m.kind)
        if model == 3 and m.flags & 1:
            model = SHEARED_SHEEP
        yaw = TURN * m.yaw
        bright = _light_at(light, m.x, m.y + 0.6, m.z)
        if m.fire_ticks > 0:
            bright |= 15
        swing = math.sin(m.walk_phase) * min(float(m.walk_speed), 1.0)
        fall = min(m.death_ticks / 14.0, 1.0) * math.pi * 0.5
        swell = 0.0
        if m.fuse > 0:
            swell = m.fuse / 30.0
        for part in range(models.part_start[model], models.part_start[model + 1]):
            if n >= boxes.shape[0]:
                return n
            # rows: the three axes, then the way from pivot to middle; pivot is added after
            offset, pivot = models.offset[part], models.pivot[part]
            _stand(axes, float(offset[0] - pivot[0]), float(offset[1] - pivot[1]), float(offset[2] - pivot[2]))
            rest = models.rest[part]
            _turn(axes, TURN * rest[0], TURN * rest[1], TURN * rest[2])
            motion = models.motion[part]
            if motion == 1:
                _turn(axes, TURN * m.pitch, -TURN * ((m.head_yaw - m.yaw + 180.0) % 360.0 - 180.0), 0.0)
            elif motion == 2 or motion == 5:
                _turn(axes, -1.1 * swing, 0.0, 0.0)
            elif motion == 3 or motion == 4:
                _turn(axes, 1.1 * swing, 0.0, 0.0)
            elif motion == 6:
                _turn(axes, -math.pi * 0.5 + 0.06 * math.sin(tick * 0.09 + index), 0.0, 0.0)
            elif motion == 7 or motion == 8:
                flap = 0.0 if m.on_ground else 0.9 + 0.9 * math.sin(tick * 1.6 + index)
                _turn(axes, 0.0, 0.0, flap if motion == 7 else -flap)
            elif motion >= 9:
                step = 0.45 * math.sin(m.walk_phase + (motion - 9) * 1.7) * min(float(m.walk_speed), 1.0)
                _turn(axes, 0.0, step, 0.6 * step if motion < 13 else -0.6 * step)
            for c in range(3):
                axes[3, c] += pivot[c]
            _turn(axes, 0.0, 0.0, fall)
            _turn(axes, 0.0, -yaw, 0.0)
            size = 1.0 + 0.25 * swell
            axes[3, 0] = size * axes[3, 0] + mx
            axes[3, 1] = size * axes[3, 1] + my
            axes[3, 2] = size * axes[3, 2] + mz
            half = 0.5 * size
            _put(boxes, n, axes, half * models.size[part, 0], half * models.size[part, 1], half * models.size[part, 2], bright)
            for face in range(6):
                boxes[n, 15 + face] = skin_base + models.tiles[part, face]
            if m.hurt_ticks > 0 or m.death_ticks > 0:
                boxes[n, 22] = 0.45
            if m.fuse > 0 and m.fuse // 3 % 2 == 0:
                boxes[n, 23] = 0.2 + 0.5 * swell
            n += 1

    for index in range(drops.size):
        d = drops[index]
        if d.item == 0:
            continue
        dx, dy, dz = d.x - eye[0], d.y - eye[1], d.z - eye[2]
        if dx * dx + dy * dy + dz * dz > 2400.0 or dx * eye[3] + dy * eye[4] + dz * eye[5] < -0.5:
            continue
        bright = _light_at(light, d.x, d.y + 0.2, d.z)
        block = item_block[d.item]
        rise = 0.24 + 0.06 * math.sin(d.age * 0.1 + index)
        copies = 1 if d.count < 2 else 2 if d.count < 17 else 3
        for copy in range(copies):
            if n >= boxes.shape[0]:
                return n
            _stand(axes, 0.0, 0.0, 0.0)
            turn = d.age * 0.05 + index
            if block > 0:
                _turn(axes, 0.0, -turn, 0.0)
            else:
                _turn(axes, 0.0, -yaw_eye, 0.0)
            axes[3, 0], axes[3, 1], axes[3, 2] = dx, dy + rise, dz
            if copy > 0:  # the others of a stack lie beside and behind the first
                bits = hash3(np.uint64(7), index, copy, 0)
                axes[3, 0] += 0.14 * (int(bits & np.uint64(255)) / 127.5 - 1.0)
                axes[3, 1] += 0.06 * copy
                axes[3, 2] += 0.14 * (int(bits >> np.uint64(8) & np.uint64(255)) / 127.5 - 1.0)
            if block > 0:
                _put(boxes, n, axes, 0.125, 0.125, 0.125, bright)
                for face in range(6):
                    boxes[n, 15 + face] = faces[block * 96 + face]
            else:
                _put(boxes, n, axes, 0.22, 0.22, 0.014, bright)
                _clothe(boxes, n, icon_base + d.item)
                boxes[n, 24], boxes[n, 25] = 1.0, 1.0
            n += 1

    for index in range(missiles.size):
        s = missiles[index]
        if s.kind == 0 or n + 2 > boxes.shape[0]:
            continue
        sx, sy, sz = s.x - eye[0], s.y - eye[1], s.z - eye[2]
        if sx * sx + sy * sy + sz * sz > reach or sx * eye[3] + sy * eye[4] + sz * eye[5] < -1.0:
            continue
        bright = _light_at(light, s.x, s.y, s.z)
        _stand(axes, sx, sy, sz)
        if s.kind == 4:
            axes[3, 1] += 0.49
            _put(boxes, n, axes, 0.49, 0.49, 0.49, bright)
            for face in range(6):
                boxes[n, 15 + face] = faces[int(s.block) * 96 + face]
            n += 1
        elif s.kind == 1:
            _stand(axes, 0.0, 0.0, 0.0)
            _turn(axes, TURN * s.pitch, -TURN * s.yaw, 0.0)
            for piece in range(2):  # shaft, then feathers
                back = -0.02 if piece == 0 else -0.24
                axes[3, 0], axes[3, 1], axes[3, 2] = sx + back * axes[2, 0], sy + back * axes[2, 1], sz + back * axes[2, 2]
                thick = 0.022 if piece == 0 else 0.06
                _put(boxes, n, axes, thick, thick, 0.3 if piece == 0 else 0.06, bright)
                _clothe(boxes, n, tiles[piece])
                n += 1
        else:
            _turn(axes, 0.0, -yaw_eye, 0.0)
            axes[3, 0], axes[3, 1], axes[3, 2] = sx, sy + 0.1, sz
            _put(boxes, n, axes, 0.14, 0.14, 0.014, bright)
            _clothe(boxes, n, tiles[s.kind])
            boxes[n, 24], boxes[n, 25] = 1.0, 1.0
            n += 1
    return n


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def draw_boxes(boxes, count, texels, glow, sky, frame, depth, keys, height, width, pitch, camera, near):
    """Draw ``count`` boxes, each where it is nearer than ``depth``. ``near`` True: the player's own hand, over everything."""
    texels, glow, sky = pointer(texels), pointer(glow), pointer(sky)
    fx, fy, fz, rx, rz, ux, uy, uz = camera[3], camera[4], camera[5], camera[6], camera[7], camera[8], camera[9], camera[10]
    half_w, half_h = camera[13], camera[14]
    blur_scale = (256.0 * camera[11]) * camera[11]
    for n in range(count):
        box = boxes[n]
        hx, hy, hz = box[12], box[13], box[14]
        # the rectangle its corners lie in
        low_x, low_y, high_x, high_y = 1e9, 1e9, -1e9, -1e9
        behind = 0
        for corner in range(8):
            sx, sy, sz = (hx if corner & 1 else -hx), (hy if corner & 2 else -hy), (hz if corner & 4 else -hz)
            px = box[0] + sx * box[3] + sy * box[6] + sz * box[9]
            py = box[1] + sx * box[4] + sy * box[7] + sz * box[10]
            pz = box[2] + sx * box[5] + sy * box[8] + sz * box[11]
            ahead = px * fx + py * fy + pz * fz
            if ahead < 0.02:
                behind += 1
                continue
            across = (px * rx + pz * rz) / ahead / half_w
            up = (px * ux + py * uy + pz * uz) / ahead / half_h
            low_x, high_x = min(low_x, across), max(high_x, across)
            low_y, high_y = min(low_y, -up), max(high_y, -up)
        if behind == 8:
            continue
        if behind > 0:
            low_x, low_y, high_x, high_y = -1.0, -1.0, 1.0, 1.0
        x0, x1 = max(int((low_x + 1.0) * 0.5 * width - 0.5), 0), min(int((high_x + 1.0) * 0.5 * width + 0.5) + 1, width)
        y0, y1 = max(int((low_y + 1.0) * 0.5 * height - 0.5), 0), min(int((high_y + 1.0) * 0.5 * height + 0.5) + 1, height)
        if x0 >= x1 or y0 >= y1:
            continue
        # eye and ray in the box's own axes; a ray is o + t * (f + a * r + b * u)
        o0 = -(box[0] * box[3] + box[1] * box[4] + box[2] * box[5])
        o1 = -(box[0] * box[6] + box[1] * box[7] + box[2] * box[8])
        o2 = -(box[0] * box[9] + box[1] * box[10] + box[2] * box[11])
        f0, r0 = fx * box[3] + fy * box[4] + fz * box[5], rx * box[3] + rz * box[5]
        f1, r1 = fx * box[6] + fy * box[7] + fz * box[8], rx * box[6] + rz * box[8]
        f2, r2 = fx * box[9] + fy * box[10] + fz * box[11], rx * box[9] + rz * box[11]
        u0 = ux * box[3] + uy * box[4] + uz * box[5]
        u1 = ux * box[6] + uy * box[7] + uz * box[8]
        u2 = ux * box[9] + uy * box[10] + uz * box[11]
        lamp = int(box[21]) * 3
        distance = math.sqrt(box[0] * box[0] + box[1] * box[1] + box[2] * box[2])
        fog = min(max((distance - 44.0) / (VIEW_DISTANCE - 45.0), 0.0), 1.0)
        fog = 0.0 if near else fog * fog * (3.0 - 2.0 * fog)
        level = int((box[1] / max(distance, 1e-6) * 0.5 + 0.5) * (SKY_STEPS - 1)) * 3
        red_share, white_share = box[22], box[23]
        blur = blur_scale * distance * distance * 0.25 / max(hx, hy, hz) ** 2
        for y in range(y0, y1):
            b = (1.0 - (y + 0.5) / height * 2.0) * half_h
            for x in range(x0, x1):
                a = ((x + 0.5) / width * 2.0 - 1.0) * half_w
                d0, d1, d2 = f0 + a * r0 + b * u0, f1 + a * r1 + b * u1, f2 + a * r2 + b * u2
                i0, i1, i2 = 1.0 / d0, 1.0 / d1, 1.0 / d2
                # enters at t, leaves at far
                e0, e1, e2 = -abs(hx * i0) - o0 * i0, -abs(hy * i1) - o1 * i1, -abs(hz * i2) - o2 * i2
                far = min(abs(hx * i0) - o0 * i0, abs(hy * i1) - o1 * i1, abs(hz * i2) - o2 * i2)
                t = max(e0, e1, e2)
                if t >= far or t <= 0.0:
                    continue
                at = y * pitch + x
                if not near and t >= depth[at]:
                    continue
                shade = 1.0
                if box[24] > 0.0:
                    # a thin slab: the first texel on the way that is there
                    found = False
                    texel = 0
                    step = (far - t) / SLAB_STEPS
                    for k in range(SLAB_STEPS):
                        s = t + (k + 0.02) * step
                        u, v = (o0 + s * d0) / hx * 0.5 + 0.5, 0.5 - (o1 + s * d1) / hy * 0.5
                        texel = sample(texels, int(box[15]), u, v, 0.0 if near else blur)
                        if texel >> 24 >= 128:
                            found = True
                            if k > 0:
                                shade = 0.7
                            t = s
                            break
                    if not found:
                        continue
                    if not near and t >= depth[at]:
                        continue
                    if box[25] == 0.0:
                        shade *= 0.92
                else:
                    px, py, pz = (o0 + t * d0) / hx * 0.5 + 0.5, (o1 + t * d1) / hy * 0.5 + 0.5, (o2 + t * d2) / hz * 0.5 + 0.5
                    if t == e0:
                        face, row, side = int(d0 < 0), 3, -1.0 if d0 > 0 else 1.0
                        u, v = (pz if face == 0 else 1.0 - pz), 1.0 - py
                    elif t == e1:
                        face, row, side = 2 + int(d1 < 0), 6, -1.0 if d1 > 0 else 1.0
                        u, v = px, pz
                    else:
                        face, row, side = 4 + int(d2 < 0), 9, -1.0 if d2 > 0 else 1.0
                        u, v = (px if face == 5 else 1.0 - px), 1.0 - py
                    tile = int(box[15 + face])
                    if tile < 0:
                        continue
                    texel = sample(texels, tile, u, v, 0.0 if near else blur)
                    if texel >> 24 < 100:
                        continue
                    if box[25] == 0.0:
                        # two lamps above, to the north and to the south
                        up, north = side * box[row + 1], side * box[row + 2]
                        over, under = side * box[row] * 0.16 + up * 0.81 - north * 0.57, -side * box[row] * 0.16 + up * 0.81 + north * 0.57
                        shade = min(1.0, 0.45 + 0.6 * (max(over, 0.0) + max(under, 0.0)))
                red = shade * glow[lamp] * (texel & 255)
                green = shade * glow[lamp + 1] * (texel >> 8 & 255)
                blue = shade * glow[lamp + 2] * (texel >> 16 & 255)
                red += (255.0 * glow[lamp] - red) * red_share
                green -= green * red_share
                blue -= blue * red_share
                if white_share > 0.0:
                    red += (255.0 - red) * white_share
                    green += (255.0 - green) * white_share
                    blue += (255.0 - blue) * white_share
                if fog > 0.0:
                    red += (sky[level] - red) * fog
                    green += (sky[level + 1] - green) * fog
                    blue += (sky[level + 2] - blue) * fog
                j = (y * width + x) * 3
                frame[j] = int(red + 0.5)
                frame[j + 1] = int(green + 0.5)
                frame[j + 2] = int(blue + 0.5)
                if not near:
                    depth[at] = t
                    keys[at] = 1 << 28 | 6  # no longer sky, nor the block behind


@njit(cache=True, nogil=True, error_model="numpy")
def mark_cell(frame, depth, keys, height, width, pitch, camera, cell, crack, box, cracks, stage):
    """Darken what is seen of a cell by the cracks of ``stage`` (-1: none), and draw the outline of ``box`` (six metres relative to
    the eye; x0 > x1: none). ``crack`` is the cell's number in the window, ``cell`` its corner relative to the eye."""
    fx, fy, fz, rx, rz, ux, uy, uz = camera[3], camera[4], camera[5], camera[6], camera[7], camera[8], camera[9], camera[10]
    half_w, half_h = camera[13], camera[14]
    if stage >= 0:
        for y in range(height):
            b = (1.0 - (y + 0.5) / height * 2.0) * half_h
            for x in range(width):
                key = int(keys[y * pitch + x])
                if key >> 3 & 0x7FFFFF != crack or key & 7 == 7:
                    continue
                a = ((x + 0.5) / width * 2.0 - 1.0) * half_w
                t = depth[y * pitch + x]
                px = t * (fx + a * rx + b * ux) - cell[0]
                py = t * (fy + b * uy) - cell[1]
                pz = t * (fz + a * rz + b * uz) - cell[2]
                if key & 7 == 6 and (px < -0.01 or px > 1.01 or py < -0.01 or py > 1.01 or pz < -0.01 or pz > 1.01):
                    continue
                face = key & 7
                if face == 6:  # part of a cell: the side it is nearest to
                    ex, ey, ez = abs(px - 0.5), abs(py - 0.5), abs(pz - 0.5)
                    face = 0 if ex >= ey and ex >= ez else 2 if ey >= ez else 4
                u, v = (pz, 1.0 - py) if face < 2 else (px, pz) if face < 4 else (px, 1.0 - py)
                keep = cracks[stage, min(max(int(v * 16.0), 0), 15), min(max(int(u * 16.0), 0), 15)]
                at = (y * width + x) * 3
                for c in range(3):
                    frame[at + c] = frame[at + c] * keep // 255
    if box[0] > box[3]:
        return
    ink = min(0.6, 0.25 + 0.3 * width / 640.0)
    for edge in range(12):
        axis, rest = edge >> 2, edge & 3
        p0, p1 = np.empty(3), np.empty(3)
        for c in range(3):
            if c == axis:
                p0[c], p1[c] = box[c], box[c + 3]
            else:
                bit = rest & 1 if c == (axis + 1) % 3 else rest >> 1
                p0[c] = box[c + 3] if bit else box[c]
                p1[c] = p0[c]
        t0 = p0[0] * fx + p0[1] * fy + p0[2] * fz
        t1 = p1[0] * fx + p1[1] * fy + p1[2] * fz
        if t0 < 0.05 and t1 < 0.05:
            continue
        if t0 < 0.05 or t1 < 0.05:  # cut off what lies behind the eye
            part = (0.05 - t0) / (t1 - t0)
            for c in range(3):
                if t0 < 0.05:
                    p0[c] += part * (p1[c] - p0[c])
                else:
                    p1[c] = p0[c] + part * (p1[c] - p0[c])
            t0, t1 = max(t0, 0.05), max(t1, 0.05)
        ax = ((p0[0] * rx + p0[2] * rz) / t0 / half_w + 1.0) * 0.5 * width
        ay = (1.0 - (p0[0] * ux + p0[1] * uy + p0[2] * uz) / t0 / half_h) * 0.5 * height
        bx = ((p1[0] * rx + p1[2] * rz) / t1 / half_w + 1.0) * 0.5 * width
        by = (1.0 - (p1[0] * ux + p1[1] * uy + p1[2] * uz) / t1 / half_h) * 0.5 * height
        steps = int(min(max(abs(bx - ax), abs(by - ay)) + 1.0, 4.0 * (width + height)))
        last = -1
        for k in range(steps + 1):
            part = k / steps
            xf, yf = ax + part * (bx - ax), ay + part * (by - ay)
            if xf < 0.0 or yf < 0.0 or xf >= width or yf >= height:
                continue
            x, y = int(xf), int(yf)
            t = 1.0 / (1.0 / t0 + part * (1.0 / t1 - 1.0 / t0))
            if t > depth[y * pitch + x] * 1.01 + 0.01 or y * width + x == last:
                continue
            last = y * width + x
            for c in range(3):
                frame[last * 3 + c] = int(frame[last * 3 + c] * (1.0 - ink))
