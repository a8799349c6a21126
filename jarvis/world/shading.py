"""The colour of a point on a block's face and of the sky, and squares of pixels that lie on one plane.

The light on a face is interpolated between its corners, where it is the mean of the four cells that meet there in
front of the face, darkened by those that are full; each face is worked out once a frame and remembered in a small
table.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from jarvis.world.layout import MASK
from jarvis.world.pointers import Pointer
from jarvis.world.surfaces import AIR, HOLES
from jarvis.world.walk import (
    CLOUD,
    CLOUD_AT,
    CLOUD_COLOUR,
    DENSE,
    EYE,
    FORWARD,
    MIP_SCALE,
    RIGHT,
    SUN_SIDE,
    SUNSET,
    SUNSET_COLOUR,
    UP,
    VIEW_DISTANCE,
    WINDOW_X,
    WINDOW_Z,
)  # fmt: skip

SKY_STEPS = 512
FACES = 2048  # remembered faces
FOG_START = 44.0  # metres
FOG_SLOPE = 1.0 / (VIEW_DISTANCE - 1.0 - FOG_START)
HALF_OPAQUE = 128 << 24
FAR = 1e9  # depth of the sky

# a key says what a pixel shows: bits 0-2 the face (6 none, 7 sky), 3-25 the cell (x << 15 | z << 7 | y in the
# window), then these
PASSED, FILLED, SEEN = 1 << 26, 1 << 27, 1 << 28
SKY_KEY = SEEN | 7


@njit(cache=True, nogil=True)
def sky_colour(
    dx: float, dy: float, dz: float, inverse: float, clear: float, scene: Pointer, sky: Pointer, clouds: Pointer
) -> tuple[float, float, float]:
    """Red, green, blue 0 .. 255 of the sky in a direction of length 1 / ``inverse``; ``clear`` 1: with the clouds in
    it, 0: without.
    """
    rise = dy * inverse
    j = int((rise * 0.5 + 0.5) * (SKY_STEPS - 1)) * 3
    red, green, blue = float(sky[j]), float(sky[j + 1]), float(sky[j + 2])
    strength = scene[SUNSET]
    if strength > 0.0:
        k = dx * scene[SUN_SIDE] * inverse
        if k > -0.3:
            k = (k + 0.3) * (1.0 / 1.3)
            k = strength * k * k * max(0.0, 1.0 - abs(rise - 0.05) * 1.8)
            red += (scene[SUNSET_COLOUR] - red) * k
            green += (scene[SUNSET_COLOUR + 1] - green) * k
            blue += (scene[SUNSET_COLOUR + 2] - blue) * k
    if clear > 0.0 and rise > 0.03 and scene[CLOUD] > 0.0:
        s = (128.6 - scene[EYE + 1]) / dy
        reach = 480.0 - s / inverse
        if reach > 0.0 and s > 0.0:
            qx, qz = (scene[CLOUD_AT] + s * dx) * (1.0 / 12.0), (scene[CLOUD_AT + 1] + s * dz) * (1.0 / 12.0)
            if clouds[(int(qz) & 63) << 6 | (int(qx) & 63)] != 0:
                k = scene[CLOUD] * min(1.0, reach * (1.0 / 200.0))
                red += (scene[CLOUD_COLOUR] - red) * k
                green += (scene[CLOUD_COLOUR + 1] - green) * k
                blue += (scene[CLOUD_COLOUR + 2] - blue) * k
    return red, green, blue


@njit(cache=True, nogil=True)
def in_front(cell: int, side: int) -> int:
    """The cell that a face looks into; the cell itself at the top and bottom of the world."""
    if side == 0:
        return (cell - 0x8000) & 0x7FFFFF
    if side == 1:
        return (cell + 0x8000) & 0x7FFFFF
    if side == 2:
        return cell - 1 if cell & 127 > 0 else cell
    if side == 3:
        return cell + 1 if cell & 127 < 127 else cell
    if side == 4:
        return (cell & 0x7F807F) | ((cell - 128) & 0x7F80)
    return (cell & 0x7F807F) | ((cell + 128) & 0x7F80)


@njit(cache=True, nogil=True)
def learn_face(
    face: int,
    slot: int,
    blocks: Pointer,
    meta: Pointer,
    light: Pointer,
    shades: Pointer,
    faces: Pointer,
    glow: Pointer,
    face_key: Pointer,
    face_tile: Pointer,
    face_light: Pointer,
) -> None:
    """Remember picture and light of a face (cell << 3 | side): per colour the light at its first corner, the change
    along either edge and the change of both together."""
    cell, side = face >> 3, face & 7
    axis = side >> 1
    out = 2 * (side & 1) - 1
    face_key[slot] = face + 1
    face_tile[slot] = faces[(int(blocks[cell]) * 16 + (int(meta[cell]) & 15)) * 6 + side]
    base_shade = 0.6 if axis == 0 else 0.8 if axis == 2 else 1.0 if side == 3 else 0.5
    gx, gy, gz = cell >> 15, cell & 127, (cell >> 7) & MASK
    j = slot * 12
    for corner in range(4):
        ia, ib = (corner & 1) * 2 - 1, (corner >> 1) * 2 - 1
        red, green, blue, lamps = 0.0, 0.0, 0.0, 0.0
        closed = 0
        for n in range(4):
            na, nb = (ia if n & 1 else 0), (ib if n & 2 else 0)
            if axis == 0:
                nx, ny, nz = gx + out, gy + nb, gz + na
            elif axis == 1:
                nx, ny, nz = gx + na, gy + out, gz + nb
            else:
                nx, ny, nz = gx + na, gy + nb, gz + out
            bright, dark = 240, 0
            if ny < 128:
                near = (nx & MASK) << 15 | (nz & MASK) << 7 | max(ny, 0)
                bright, dark = int(light[near]), int(shades[blocks[near]])
            if n == 0:
                dark = 0
            elif n == 3 and closed == 2:
                dark = 1  # cut off by its two neighbours
            closed += dark
            if dark == 0 or bright > 0:
                lamp = bright * 3
                red += glow[lamp]
                green += glow[lamp + 1]
                blue += glow[lamp + 2]
                lamps += 1.0
        k = base_shade * (1.0 - 0.19 * closed) / lamps
        face_light[j + corner] = red * k
        face_light[j + 4 + corner] = green * k
        face_light[j + 8 + corner] = blue * k
    for c in range(3):
        i = j + 4 * c
        first, right, up, both = face_light[i], face_light[i + 1], face_light[i + 2], face_light[i + 3]
        face_light[i + 1] = right - first
        face_light[i + 2] = up - first
        face_light[i + 3] = both - right - up + first


@njit(cache=True, nogil=True)
def picture_size(blur: float, slope: float) -> int:
    """Where in a tile's texels the copy starts that suits a pixel of ``blur`` squared texels seen at ``slope``, and
    how many times it has been halved (start << 4 | halvings)."""
    if blur < 2.0 * slope:
        return 0
    if blur < 8.0 * slope:
        return 256 << 4 | 1
    if blur < 32.0 * slope:
        return 320 << 4 | 2
    if blur < 128.0 * slope:
        return 336 << 4 | 3
    return 340 << 4 | 4


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def fill_plane(
    y0: int,
    x0: int,
    size: int,
    hint: int,
    start: int,
    count: int,
    height: int,
    width: int,
    pitch: int,
    scene: Pointer,
    across: Pointer,
    down: Pointer,
    blocks: Pointer,
    meta: Pointer,
    light: Pointer,
    kinds: Pointer,
    shades: Pointer,
    faces: Pointer,
    texels: Pointer,
    glow: Pointer,
    sky: Pointer,
    clouds: Pointer,
    face_key: Pointer,
    face_tile: Pointer,
    face_light: Pointer,
    frame: Pointer,
    keys: Pointer,
    depth: Pointer,
    clears: Pointer,
    blind: Pointer,
    work: Pointer,
    starts: Pointer,
) -> int:
    """Colour the pixels of a square, but for its first, from the plane of faces that its corners lie on.

    A pixel whose point on the plane is not the front of a block, or is a hole in leaves, is put on the list of pixels
    to trace. Returns the list's new length.
    """
    side = hint & 7
    axis, beyond = side >> 1, side & 1
    known = (hint >> 3) & 0x7FFFFF
    wx, wz = int(scene[WINDOW_X]), int(scene[WINDOW_Z])
    ox, oy, oz = scene[EYE], scene[EYE + 1], scene[EYE + 2]
    cx, cy, cz = ((known >> 15) - wx) & MASK, known & 127, ((known >> 7) - wz) & MASK
    gap = cx + beyond - ox if axis == 0 else cy + beyond - oy if axis == 1 else cz + beyond - oz
    fx, fy, fz = scene[FORWARD], scene[FORWARD + 1], scene[FORWARD + 2]
    rx, rz = scene[RIGHT], scene[RIGHT + 1]
    ux, uy, uz = scene[UP], scene[UP + 1], scene[UP + 2]
    # every pixel of the square takes the same size of picture, that of its middle
    a, b = across[x0 + size // 2], -down[y0 + size // 2]
    dx, dy, dz = fx + a * rx + b * ux, fy + b * uy, fz + a * rz + b * uz
    slope = abs(dx) if axis == 0 else abs(dy) if axis == 1 else abs(dz)
    length2 = 1.0 + a * a + b * b
    t = gap / (dx if axis == 0 else dy if axis == 1 else dz)
    level = picture_size(scene[MIP_SCALE] * t * t * length2 * np.sqrt(length2), slope)
    first, halved = level >> 4, level & 15
    dense = DENSE / (scene[MIP_SCALE] * length2)
    hazy = t * t * length2 > 0.6 * FOG_START * FOG_START
    last = -1
    j, base = 0, 0
    low_a, low_b = 0.0, 0.0
    for y in range(y0, min(y0 + size, height)):
        b = -down[y]
        row_x, row_y, row_z = fx + b * ux, fy + b * uy, fz + b * uz
        for x in range(x0 + (y == y0), min(x0 + size, width)):
            a = across[x]
            dx, dy, dz = row_x + a * rx, row_y, row_z + a * rz
            if axis == 0:
                t = gap / dx
                pa, pb = oz + t * dz, oy + t * dy
                cz, cy = int(pa), int(pb)
                low_a, low_b = float(cz), float(cy)
            elif axis == 1:
                t = gap / dy
                pa, pb = ox + t * dx, oz + t * dz
                cx, cz = int(pa), int(pb)
                low_a, low_b = float(cx), float(cz)
            else:
                t = gap / dz
                pa, pb = ox + t * dx, oy + t * dy
                cx, cy = int(pa), int(pb)
                low_a, low_b = float(cx), float(cy)
            at = y * pitch + x
            cell = ((cx + wx) & MASK) << 15 | ((cz + wz) & MASK) << 7 | (cy & 127)
            if cell != last:
                good = t > 0.0 and pb >= 0.0 and (cell == known or (kinds[blocks[cell]] <= HOLES and cy < 127))
                if good and cell != known:
                    good = kinds[blocks[cell]] != AIR and blocks[in_front(cell, side)] == 0
                if not good:
                    work[count] = y << 16 | x
                    starts[count] = start
                    count += 1
                    continue
                last = cell
                face = side | cell << 3
                slot = ((face * 0x9E3779B1) >> 11) & (FACES - 1)
                if face_key[slot] != face + 1:
                    learn_face(face, slot, blocks, meta, light, shades, faces, glow, face_key, face_tile, face_light)
                j = slot * 12
                base = int(face_tile[slot]) * 344 + first
            fa, fb = pa - low_a, pb - low_b
            if side == 1 or side == 4:
                iu = int(15.9999 - fa * 15.9999)
            else:
                iu = int(fa * 16.0)
            iv = int(fb * 16.0) if axis == 1 else int(15.9999 - fb * 15.9999)
            texel = int(texels[base + (((iv >> halved) << 4 >> halved) + (iu >> halved))])
            keep = 1.0
            if texel < HALF_OPAQUE:  # a hole in leaves: seen through if near, else dark
                if t * t < dense:
                    work[count] = y << 16 | x
                    starts[count] = start
                    count += 1
                    continue
                texel = int(texels[base - first + 320 + (iv >> 2) * 4 + (iu >> 2)])
                keep = 0.6
            both = fa * fb
            red = face_light[j] + fa * face_light[j + 1] + fb * face_light[j + 2] + both * face_light[j + 3]
            green = face_light[j + 4] + fa * face_light[j + 5] + fb * face_light[j + 6] + both * face_light[j + 7]
            blue = face_light[j + 8] + fa * face_light[j + 9] + fb * face_light[j + 10] + both * face_light[j + 11]
            red, green, blue = (
                keep * red * (texel & 255),
                keep * green * (texel >> 8 & 255),
                keep * blue * (texel >> 16 & 255),
            )
            if hazy:
                length = np.sqrt(1.0 + a * a + b * b)
                fog = (t * length - FOG_START) * FOG_SLOPE
                if fog > 0.0:
                    fog = min(fog, 1.0)
                    fog = fog * fog * (3.0 - 2.0 * fog)
                    sky_r, sky_g, sky_b = sky_colour(dx, dy, dz, 1.0 / length, 0.0, scene, sky, clouds)
                    red += (sky_r - red) * fog
                    green += (sky_g - green) * fog
                    blue += (sky_b - blue) * fog
            i = (y * width + x) * 3
            frame[i] = np.uint8(int(red + 0.5))
            frame[i + 1] = np.uint8(int(green + 0.5))
            frame[i + 2] = np.uint8(int(blue + 0.5))
            keys[at] = SEEN | FILLED | side | cell << 3
            depth[at] = t
            clears[at] = t
            # NOTE: the slack spares pixels of a sloping plane the closer look for what was overlooked
            blind[at] = t * 0.93
    return count


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def fill_sky(
    y0: int,
    x0: int,
    size: int,
    height: int,
    width: int,
    pitch: int,
    scene: Pointer,
    across: Pointer,
    down: Pointer,
    sky: Pointer,
    clouds: Pointer,
    frame: Pointer,
    keys: Pointer,
    depth: Pointer,
    clears: Pointer,
    blind: Pointer,
) -> None:
    """Colour the pixels of a square, but for its first, as sky."""
    fx, fy, fz = scene[FORWARD], scene[FORWARD + 1], scene[FORWARD + 2]
    for y in range(y0, min(y0 + size, height)):
        b = -down[y]
        for x in range(x0 + (y == y0), min(x0 + size, width)):
            a = across[x]
            dx, dy = fx + a * scene[RIGHT] + b * scene[UP], fy + b * scene[UP + 1]
            dz = fz + a * scene[RIGHT + 1] + b * scene[UP + 2]
            red, green, blue = sky_colour(dx, dy, dz, 1.0 / np.sqrt(1.0 + a * a + b * b), 1.0, scene, sky, clouds)
            i = (y * width + x) * 3
            frame[i] = np.uint8(int(red + 0.5))
            frame[i + 1] = np.uint8(int(green + 0.5))
            frame[i + 2] = np.uint8(int(blue + 0.5))
            at = y * pitch + x
            keys[at] = SKY_KEY | FILLED
            depth[at] = FAR
            clears[at] = FAR
            blind[at] = 0.93 * FAR
