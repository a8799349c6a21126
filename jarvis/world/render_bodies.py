"""Mobs, items on the ground, missiles and the player's hand: boxes with pictures, drawn into a finished frame of
blocks.

Everything becomes rows of one table first (``place_bodies``), then every box is drawn where its screen rectangle
lies, tested against the depth that the blocks left behind (``draw_boxes``). Columns of a row:

    0-2   middle, metres from the eye            3-11  the box's own x, y and z axes in the world, one after another
    12-14 half its size along them               15-20 picture of the faces -x, +x, -y, +y, -z, +z; negative: not
    drawn 21    light byte                             22    share of red (hurt) 23    share of white (about to
    explode)      24    1: a picture pressed out of a thin slab, walked through texel by texel 25    1: seen as it is,
    however it is lit and turned
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from jarvis.world.layout import MASK, hash3
from jarvis.world.models import SHEARED_SHEEP
from jarvis.world.pointers import Pointer, pointer
from jarvis.world.shading import SKY_STEPS
from jarvis.world.surfaces import sample
from jarvis.world.walk import VIEW_DISTANCE

COLUMNS = 26
MAX_BOXES = 1400  # 64 mobs of eleven parts, 192 drops of at most three copies, 64 missiles
SLAB_STEPS = 14
BODY_REACH = 1.7  # metres from the middle of a mob within which all of it is
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
def _light_at(light: np.ndarray, x: float, y: float, z: float) -> int:
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
def _turn(axes: Pointer, angle_x: float, angle_y: float, angle_z: float) -> None:
    """Turn four rows of three numbers about the frame's x, then y, then z."""
    for which in range(3):
        angle = angle_x if which == 0 else angle_y if which == 1 else angle_z
        if angle == 0.0:
            continue
        s, c = math.sin(angle), math.cos(angle)
        i, j = (which + 1) % 3, (which + 2) % 3
        for row in range(0, 12, 3):
            a, b = axes[row + i], axes[row + j]
            axes[row + i], axes[row + j] = a * c - b * s, a * s + b * c


@njit(cache=True, nogil=True)
def _put(boxes: Pointer, at: int, axes: Pointer, half_x: float, half_y: float, half_z: float, bright: float) -> None:
    """Start the row at ``at`` from the axes and the middle (the last row) of ``axes``."""
    for c in range(3):
        boxes[at + c] = axes[9 + c]
    for c in range(9):
        boxes[at + 3 + c] = axes[c]
    boxes[at + 12], boxes[at + 13], boxes[at + 14], boxes[at + 21] = half_x, half_y, half_z, bright
    for c in range(22, 26):
        boxes[at + c] = 0.0


@njit(cache=True, nogil=True)
def _stand(axes: Pointer, x: float, y: float, z: float) -> None:
    """Unturned axes with the middle at (x, y, z)."""
    for c in range(9):
        axes[c] = 1.0 if c % 4 == 0 else 0.0
    axes[9], axes[10], axes[11] = x, y, z


@njit(cache=True, nogil=True)
def _clothe(boxes: Pointer, at: int, tile: int) -> None:
    """One picture for all faces of a row."""
    for face in range(6):
        boxes[at + 15 + face] = tile


@njit(cache=True, nogil=True)
def _hidden(
    eye: Pointer, depth: Pointer, height: int, width: int, pitch: int, x: float, y: float, z: float, radius: float
) -> bool:
    """Whether a ball around a point (metres relative to the eye) is out of the picture or behind what is drawn."""
    half_w, half_h = eye[13], eye[14]
    ahead = x * eye[3] + y * eye[4] + z * eye[5]
    if ahead < -radius:
        return True
    across, up = x * eye[6] + z * eye[7], x * eye[8] + y * eye[9] + z * eye[10]
    if abs(across) > ahead * half_w + radius * math.sqrt(1.0 + half_w * half_w):
        return True
    if abs(up) > ahead * half_h + radius * math.sqrt(1.0 + half_h * half_h):
        return True
    near, far = ahead - radius, ahead + radius
    if near < 0.1:
        return False
    left, right = (
        min((across - radius) / near, (across - radius) / far),
        max((across + radius) / near, (across + radius) / far),
    )
    over, under = max((up + radius) / near, (up + radius) / far), min((up - radius) / near, (up - radius) / far)
    x0, x1 = (
        max(int((left / half_w + 1.0) * 0.5 * width) - 1, 0),
        min(int((right / half_w + 1.0) * 0.5 * width) + 2, width),
    )
    y0, y1 = (
        max(int((1.0 - over / half_h) * 0.5 * height) - 1, 0),
        min(int((1.0 - under / half_h) * 0.5 * height) + 2, height),
    )
    for row in range(y0, y1):
        for column in range(x0, x1):
            if depth[row * pitch + column] > near:
                return False
    return True


@njit(cache=True, nogil=True)
def place_bodies(
    boxes: np.ndarray,
    axes: np.ndarray,
    mobs: np.ndarray,
    drops: np.ndarray,
    missiles: np.ndarray,
    models: BodyModels,
    light: np.ndarray,
    eye: np.ndarray,
    item_block: np.ndarray,
    faces: np.ndarray,
    tiles: np.ndarray,
    skin_base: int,
    icon_base: int,
    tick: int,
    depth: np.ndarray,
    height: int,
    width: int,
    pitch: int,
) -> int:
    """Fill ``boxes`` with all bodies within sight, but for mobs hidden behind blocks; returns how many rows there are.

    ``axes`` (12,) float64 is scratch. ``tiles`` are the pictures of an arrow's shaft and feathers, of a snowball and
    of an egg.
    """
    room = boxes.size - 2 * COLUMNS
    at = mobs.size * 0  # NOTE: not a literal 0, which numba would compile the helpers a second time for
    axes, out = pointer(axes), pointer(boxes)
    sizes, offsets, pivots, rests = (
        pointer(models.size),
        pointer(models.offset),
        pointer(models.pivot),
        pointer(models.rest),
    )
    skins, faces, eye, depth = pointer(models.tiles), pointer(faces), pointer(eye), pointer(depth)
    yaw_eye = math.atan2(-eye[3], eye[5])
    reach = VIEW_DISTANCE * VIEW_DISTANCE
    for index in range(mobs.size):
        m = mobs[index]
        if m.kind == 0:
            continue
        mx, my, mz = m.x - eye[0], m.y - eye[1], m.z - eye[2]
        if mx * mx + my * my + mz * mz > reach or mx * eye[3] + my * eye[4] + mz * eye[5] < -3.0:
            continue
        if _hidden(eye, depth, height, width, pitch, mx, my + 0.7, mz, BODY_REACH):
            continue
        model = int(m.kind)
        if model == 3 and m.flags & 1:
            model = SHEARED_SHEEP
        yaw = TURN * m.yaw
        bright = _light_at(light, m.x, m.y + 0.6, m.z)
        if m.fire_ticks > 0:
            bright |= 15
        speed = min(float(m.walk_speed), 1.0)
        swing = math.sin(m.walk_phase) * speed
        fall = min(m.death_ticks / 14.0, 1.0) * math.pi * 0.5
        head_x, head_y = TURN * m.pitch, -TURN * ((m.head_yaw - m.yaw + 180.0) % 360.0 - 180.0)
        grown = 1.0 + 0.25 * m.fuse / 30.0
        for part in range(models.part_start[model], models.part_start[model + 1]):
            if at > room:
                return at // COLUMNS
            # about the pivot first, which is put back after
            p = part * 3
            px, py, pz = pivots[p], pivots[p + 1], pivots[p + 2]
            _stand(axes, float(offsets[p] - px), float(offsets[p + 1] - py), float(offsets[p + 2] - pz))
            _turn(axes, TURN * rests[p], TURN * rests[p + 1], TURN * rests[p + 2])
            motion = models.motion[part]
            turn_x, turn_y, turn_z = 0.0, 0.0, 0.0
            if motion == 1:
                turn_x, turn_y = head_x, head_y
            elif motion == 2 or motion == 5:
                turn_x = -1.1 * swing
            elif motion == 3 or motion == 4:
                turn_x = 1.1 * swing
            elif motion == 6:
                turn_x = -math.pi * 0.5 + 0.06 * math.sin(tick * 0.09 + index)
            elif motion == 7 or motion == 8:
                flap = 0.0 if m.on_ground else 0.9 + 0.9 * math.sin(tick * 1.6 + index)
                turn_z = flap if motion == 7 else -flap
            elif motion >= 9:
                turn_y = 0.45 * math.sin(m.walk_phase + (motion - 9) * 1.7) * speed
                turn_z = 0.6 * turn_y if motion < 13 else -0.6 * turn_y
            _turn(axes, turn_x, turn_y, turn_z)
            axes[9] += px
            axes[10] += py
            axes[11] += pz
            _turn(axes, 0.0, -yaw, fall)
            axes[9], axes[10], axes[11] = grown * axes[9] + mx, grown * axes[10] + my, grown * axes[11] + mz
            half = 0.5 * grown
            _put(out, at, axes, half * sizes[p], half * sizes[p + 1], half * sizes[p + 2], bright)
            for face in range(6):
                out[at + 15 + face] = skin_base + skins[part * 6 + face]
            if m.hurt_ticks > 0 or m.death_ticks > 0:
                out[at + 22] = 0.45
            if m.fuse > 0 and m.fuse // 3 % 2 == 0:
                out[at + 23] = 0.2 + 0.5 * m.fuse / 30.0
            at += COLUMNS

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
            if at > room:
                return at // COLUMNS
            _stand(axes, 0.0, 0.0, 0.0)
            _turn(axes, 0.0, -(d.age * 0.05 + index) if block > 0 else -yaw_eye, 0.0)
            axes[9], axes[10], axes[11] = dx, dy + rise, dz
            if copy > 0:  # the others of a stack lie beside and behind the first
                bits = hash3(np.uint64(7), index, copy, 0)
                axes[9] += 0.14 * (int(bits & np.uint64(255)) / 127.5 - 1.0)
                axes[10] += 0.06 * copy
                axes[11] += 0.14 * (int(bits >> np.uint64(8) & np.uint64(255)) / 127.5 - 1.0)
            if block > 0:
                _put(out, at, axes, 0.125, 0.125, 0.125, bright)
                for face in range(6):
                    out[at + 15 + face] = faces[block * 96 + face]
            else:
                _put(out, at, axes, 0.22, 0.22, 0.014, bright)
                _clothe(out, at, icon_base + int(d.item))
                out[at + 24], out[at + 25] = 1.0, 1.0
            at += COLUMNS

    for index in range(missiles.size):
        s = missiles[index]
        if s.kind == 0 or at > room:
            continue
        sx, sy, sz = s.x - eye[0], s.y - eye[1], s.z - eye[2]
        if sx * sx + sy * sy + sz * sz > reach or sx * eye[3] + sy * eye[4] + sz * eye[5] < -1.0:
            continue
        bright = _light_at(light, s.x, s.y, s.z)
        _stand(axes, 0.0, 0.0, 0.0)
        if s.kind == 4:
            axes[9], axes[10], axes[11] = sx, sy + 0.49, sz
            _put(out, at, axes, 0.49, 0.49, 0.49, bright)
            for face in range(6):
                out[at + 15 + face] = faces[int(s.block) * 96 + face]
        elif s.kind == 1:
            _turn(axes, TURN * s.pitch, -TURN * s.yaw, 0.0)
            for piece in range(2):  # shaft, then feathers
                back, thick, half = (-0.02, 0.022, 0.3) if piece == 0 else (-0.24, 0.06, 0.06)
                axes[9], axes[10], axes[11] = sx + back * axes[6], sy + back * axes[7], sz + back * axes[8]
                _put(out, at, axes, thick, thick, half, bright)
                _clothe(out, at, tiles[piece])
                at += COLUMNS * (1 - piece)
        else:
            _turn(axes, 0.0, -yaw_eye, 0.0)
            axes[9], axes[10], axes[11] = sx, sy + 0.1, sz
            _put(out, at, axes, 0.14, 0.14, 0.014, bright)
            _clothe(out, at, tiles[int(s.kind)])
            out[at + 24], out[at + 25] = 1.0, 1.0
        at += COLUMNS
    return at // COLUMNS


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def draw_boxes(
    boxes: np.ndarray,
    count: int,
    texels: np.ndarray,
    glow: np.ndarray,
    sky: np.ndarray,
    frame: np.ndarray,
    depth: np.ndarray,
    keys: np.ndarray,
    height: int,
    width: int,
    pitch: int,
    camera: np.ndarray,
    near: float,
) -> None:
    """Draw ``count`` boxes, each where it is nearer than ``depth``. ``near`` 1: the player's own hand, over
    everything.
    """
    texels, glow, sky, frame = pointer(texels), pointer(glow), pointer(sky), pointer(frame)
    depth, keys, rows, camera = pointer(depth), pointer(keys), pointer(boxes), pointer(camera)
    fx, fy, fz, rx, rz, ux, uy, uz = (
        camera[3],
        camera[4],
        camera[5],
        camera[6],
        camera[7],
        camera[8],
        camera[9],
        camera[10],
    )
    half_w, half_h = camera[13], camera[14]
    own = near > 0.0
    blur_scale = (256.0 * camera[11]) * camera[11]
    for n in range(count):
        here = n * COLUMNS
        hx, hy, hz = rows[here + 12], rows[here + 13], rows[here + 14]
        # the rectangle its corners lie in
        low_x, low_y, high_x, high_y = 1e9, 1e9, -1e9, -1e9
        behind = 0
        for corner in range(8):
            sx, sy, sz = (hx if corner & 1 else -hx), (hy if corner & 2 else -hy), (hz if corner & 4 else -hz)
            px = rows[here + 0] + sx * rows[here + 3] + sy * rows[here + 6] + sz * rows[here + 9]
            py = rows[here + 1] + sx * rows[here + 4] + sy * rows[here + 7] + sz * rows[here + 10]
            pz = rows[here + 2] + sx * rows[here + 5] + sy * rows[here + 8] + sz * rows[here + 11]
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
        y0, y1 = (
            max(int((low_y + 1.0) * 0.5 * height - 0.5), 0),
            min(int((high_y + 1.0) * 0.5 * height + 0.5) + 1, height),
        )
        if x0 >= x1 or y0 >= y1:
            continue
        # eye and ray in the box's own axes; a ray is o + t * (f + a * r + b * u)
        o0 = -(rows[here + 0] * rows[here + 3] + rows[here + 1] * rows[here + 4] + rows[here + 2] * rows[here + 5])
        o1 = -(rows[here + 0] * rows[here + 6] + rows[here + 1] * rows[here + 7] + rows[here + 2] * rows[here + 8])
        o2 = -(rows[here + 0] * rows[here + 9] + rows[here + 1] * rows[here + 10] + rows[here + 2] * rows[here + 11])
        f0, r0 = (
            fx * rows[here + 3] + fy * rows[here + 4] + fz * rows[here + 5],
            rx * rows[here + 3] + rz * rows[here + 5],
        )
        f1, r1 = (
            fx * rows[here + 6] + fy * rows[here + 7] + fz * rows[here + 8],
            rx * rows[here + 6] + rz * rows[here + 8],
        )
        f2, r2 = (
            fx * rows[here + 9] + fy * rows[here + 10] + fz * rows[here + 11],
            rx * rows[here + 9] + rz * rows[here + 11],
        )
        u0 = ux * rows[here + 3] + uy * rows[here + 4] + uz * rows[here + 5]
        u1 = ux * rows[here + 6] + uy * rows[here + 7] + uz * rows[here + 8]
        u2 = ux * rows[here + 9] + uy * rows[here + 10] + uz * rows[here + 11]
        lamp = int(rows[here + 21]) * 3
        distance = math.sqrt(
            rows[here + 0] * rows[here + 0] + rows[here + 1] * rows[here + 1] + rows[here + 2] * rows[here + 2]
        )
        fog = min(max((distance - 44.0) / (VIEW_DISTANCE - 45.0), 0.0), 1.0)
        fog = 0.0 if own else fog * fog * (3.0 - 2.0 * fog)
        level = int((rows[here + 1] / max(distance, 1e-6) * 0.5 + 0.5) * (SKY_STEPS - 1)) * 3
        red_share, white_share = rows[here + 22], rows[here + 23]
        blur = blur_scale * distance * distance * 0.25 / max(hx, hy, hz) ** 2
        # what is nearer than any of it need not be asked further
        nearest = o0 * f0 + o1 * f1 + o2 * f2
        nearest = -nearest - abs(hx * f0) - abs(hy * f1) - abs(hz * f2)
        for y in range(y0, y1):
            b = (1.0 - (y + 0.5) / height * 2.0) * half_h
            for x in range(x0, x1):
                if not own and depth[y * pitch + x] <= nearest:
                    continue
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
                if not own and t >= depth[at]:
                    continue
                shade = 1.0
                if rows[here + 24] > 0.0:
                    # a thin slab: the first texel on the way that is there
                    found = False
                    texel = 0
                    step = (far - t) / SLAB_STEPS
                    for k in range(SLAB_STEPS):
                        s = t + (k + 0.02) * step
                        u, v = (o0 + s * d0) / hx * 0.5 + 0.5, 0.5 - (o1 + s * d1) / hy * 0.5
                        texel = sample(texels, int(rows[here + 15]), u, v, 0.0 if own else blur)
                        if texel >> 24 >= 128:
                            found = True
                            if k > 0:
                                shade = 0.7
                            t = s
                            break
                    if not found:
                        continue
                    if not own and t >= depth[at]:
                        continue
                    if rows[here + 25] == 0.0:
                        shade *= 0.92
                else:
                    px, py, pz = (
                        (o0 + t * d0) / hx * 0.5 + 0.5,
                        (o1 + t * d1) / hy * 0.5 + 0.5,
                        (o2 + t * d2) / hz * 0.5 + 0.5,
                    )
                    if t == e0:
                        face, row, side = int(d0 < 0), 3, -1.0 if d0 > 0 else 1.0
                        u, v = (pz if face == 0 else 1.0 - pz), 1.0 - py
                    elif t == e1:
                        face, row, side = 2 + int(d1 < 0), 6, -1.0 if d1 > 0 else 1.0
                        u, v = px, pz
                    else:
                        face, row, side = 4 + int(d2 < 0), 9, -1.0 if d2 > 0 else 1.0
                        u, v = (px if face == 5 else 1.0 - px), 1.0 - py
                    tile = int(rows[here + 15 + face])
                    if tile < 0:
                        continue
                    texel = sample(texels, tile, u, v, 0.0 if own else blur)
                    if texel >> 24 < 100:
                        continue
                    if rows[here + 25] == 0.0:
                        # two lamps above, to the north and to the south
                        up, north = side * rows[here + row + 1], side * rows[here + row + 2]
                        over, under = (
                            side * rows[here + row] * 0.16 + up * 0.81 - north * 0.57,
                            -side * rows[here + row] * 0.16 + up * 0.81 + north * 0.57,
                        )
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
                if not own:
                    depth[at] = t
                    keys[at] = 1 << 28 | 6  # no longer sky, nor the block behind


@njit(cache=True, nogil=True, error_model="numpy")
def mark_cell(
    frame: np.ndarray,
    depth: np.ndarray,
    keys: np.ndarray,
    height: int,
    width: int,
    pitch: int,
    camera: np.ndarray,
    cell: np.ndarray,
    crack: int,
    box: np.ndarray,
    cracks: np.ndarray,
    stage: int,
) -> None:
    """Darken what is seen of a cell by the cracks of ``stage`` (-1: none), and draw the outline of ``box`` (six
    metres relative to the eye; x0 > x1: none). ``crack`` is the cell's number in the window, ``cell`` its corner
    relative to the eye."""
    frame, depth, keys, camera, cell, box = (
        pointer(frame), pointer(depth), pointer(keys), pointer(camera), pointer(cell), pointer(box)
    )  # fmt: skip
    fx, fy, fz, rx, rz, ux, uy, uz = (
        camera[3],
        camera[4],
        camera[5],
        camera[6],
        camera[7],
        camera[8],
        camera[9],
        camera[10],
    )
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
