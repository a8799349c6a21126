"""The kernel that draws the blocks of a frame: rays through the block window, thinned out where neighbours agree.

1. ``gather_bricks`` (walk.py) copies which 8 x 8 x 8 bricks hold blocks into a small map around the eye, closed in by
   bricks marked OUTSIDE beyond the view distance, so that a ray needs no other test to end.
2. ``draw_blocks`` traces every fourth pixel of every fourth row. Where the four corners of a 4 x 4 tile lie on one
   plane of block faces (a wall, the ground) or in the sky, near enough that no block could hide between them, the
   pixels within take their point on that plane without a walk; else the tile is halved, and what still disagrees is
   traced pixel by pixel, beginning where the corners' rays first met anything.
3. Pixels beside one that met something where they did not look are traced after all, and so on outwards while that
   happens.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from jarvis.world.layout import MASK
from jarvis.world.pointers import Pointer, pointer
from jarvis.world.shading import (
    FACES,
    FAR,
    FILLED,
    FOG_SLOPE,
    FOG_START,
    HALF_OPAQUE,
    PASSED,
    SEEN,
    fill_plane,
    fill_sky,
    in_front,
    learn_face,
    picture_size,
    sky_colour,
)  # fmt: skip
from jarvis.world.surfaces import (
    AXIS,
    BLUE,
    CELL,
    CLEAR,
    DRIFT,
    FIRM_LAVA,
    GONE,
    GREEN,
    HIT,
    LIT,
    MIXED,
    RED,
    TEXEL,
    WATER,
)  # fmt: skip
from jarvis.world.walk import (
    CEILING,
    EYE,
    EYE_CELL,
    EYE_WET,
    FORWARD,
    IN_LAVA,
    MIP_SCALE,
    PIXEL,
    RIGHT,
    SMOOTH,
    UP,
    WATER_DRIFT,
    WINDOW_X,
    WINDOW_Z,
    gather_bricks,
    walk,
)  # fmt: skip

START_STEPS = 1024.0  # per metre, of the distance at which a ray may begin


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
    keys: np.ndarray  # (rows * pitch,) uint32, see shading.py
    depth: np.ndarray  # (rows * pitch,) float32 metres along the middle of the view
    clear: np.ndarray  # (rows * pitch,) float32 how far the ray met nothing at all
    blind: np.ndarray  # (rows * pitch,) float32 how far the ray was not followed
    marks: np.ndarray  # (rows * pitch,) uint8
    work: np.ndarray  # (2 * rows * pitch,) uint32 pixels to trace, row << 16 | column
    starts: np.ndarray  # (2 * rows * pitch,) uint32 how far their rays may be taken to meet nothing, 1/1024 m
    bricks: np.ndarray  # (SPAN * MAP_X,) uint8 at x * MAP_X + z * MAP_Z + y + 1: 0 empty, OUTSIDE, OCCUPIED, LAYERED
    layers: np.ndarray  # (SPAN * MAP_X,) uint8, occupied layers of bricks that are LAYERED
    face_key: np.ndarray  # (FACES,) uint32
    face_tile: np.ndarray  # (FACES,) int32
    face_light: np.ndarray  # (FACES * 12,) float32, see shading.learn_face
    ray: np.ndarray  # (RAY_FIELDS,) float64, see surfaces.py
    scene: np.ndarray  # (SCENE_FIELDS,) float64, see walk.py


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def draw_blocks(
    blocks: np.ndarray,
    eights: np.ndarray,
    meta: np.ndarray,
    light: np.ndarray,
    chunk_bricks: np.ndarray,
    chunk_at: np.ndarray,
    look: Look,
    canvas: Canvas,
    camera: np.ndarray,
    glow: np.ndarray,
    sky: np.ndarray,
    frame: np.ndarray,
    height: int,
    width: int,
) -> None:
    """Draw the world into ``frame`` (height * width * 3,) uint8 and note per pixel what is seen (``canvas.keys``,
    ``.depth``).

    ``blocks``, ``meta`` and ``light`` are the window's arrays, flat; ``eights`` is ``blocks`` seen as uint64,
    ``chunk_bricks`` and ``chunk_at`` are Grid's. ``camera`` and ``canvas.scene`` come from sky.set_scene. ``glow``
    (256 * 3,) float32 is the colour of each light byte, ``sky`` (SKY_STEPS * 3,) float32 the sky's, 0 .. 255, from
    straight down to straight up.
    """
    pitch, rows = canvas.across.size, canvas.down.size
    canvas.scene[CEILING] = gather_bricks(chunk_bricks, chunk_at, canvas.bricks, camera)
    canvas.keys[:] = 0
    canvas.face_key[:] = 0
    canvas.clear[:] = FAR
    blocks, meta, light, glow, sky, frame = (
        pointer(blocks),
        pointer(meta),
        pointer(light),
        pointer(glow),
        pointer(sky),
        pointer(frame),
    )
    texels, faces, kinds, shades = pointer(look.texels), pointer(look.faces), pointer(look.kind), pointer(look.shades)
    emits, boxes, clouds, ray = pointer(look.emits), pointer(look.boxes), pointer(look.clouds), pointer(canvas.ray)
    keys, depth, work, starts = (
        pointer(canvas.keys),
        pointer(canvas.depth),
        pointer(canvas.work),
        pointer(canvas.starts),
    )
    clears, blind, marks, columns = pointer(canvas.clear), pointer(canvas.blind), pointer(canvas.marks), pointer(eights)
    layers, bricks, across, down = (
        pointer(canvas.layers),
        pointer(canvas.bricks),
        pointer(canvas.across),
        pointer(canvas.down),
    )
    face_key, face_tile, face_light = pointer(canvas.face_key), pointer(canvas.face_tile), pointer(canvas.face_light)
    scene = pointer(canvas.scene)
    wide = max(across[1] - across[0], down[1] - down[0])
    near4, near2 = 0.22 / wide, 0.44 / wide  # metres at which a block is about as wide as a tile
    smooth = max(20.0, 0.25 / scene[PIXEL])  # metres to which light is interpolated between corners
    scene[MIP_SCALE], scene[SMOOTH] = 256.0 * scene[PIXEL] * scene[PIXEL], smooth
    ray[DRIFT], ray[FIRM_LAVA] = scene[WATER_DRIFT], 1.0 - scene[IN_LAVA]
    wx, wz = int(scene[WINDOW_X]), int(scene[WINDOW_Z])
    ox, oy, oz = scene[EYE], scene[EYE + 1], scene[EYE + 2]

    # the eye's own cell
    eye_y = min(max(int(np.floor(oy)), 0), 127)
    eye_cell = ((int(ox) + wx) & MASK) << 15 | ((int(oz) + wz) & MASK) << 7 | eye_y
    scene[EYE_CELL], scene[EYE_WET] = eye_cell, 0.0
    if 0 <= oy < 128 and kinds[blocks[eye_cell]] == WATER:
        if oy - eye_y < 0.88 or (eye_y < 127 and kinds[blocks[eye_cell + 1]] == WATER):
            scene[EYE_WET] = 1.0

    count = 0
    for y in range(0, rows, 4):
        for x in range(0, pitch, 4):
            work[count] = y << 16 | x
            starts[count] = 0
            count += 1
    stage = 0
    while True:
        for entry in range(count):
            place = int(work[entry])
            py, px = place >> 16, place & 0xFFFF
            at = py * pitch + px
            a, b = across[px], -down[py]
            start = starts[entry] * (1.0 / START_STEPS)
            found = walk(
                a,
                b,
                start,
                scene,
                blocks,
                columns,
                meta,
                light,
                bricks,
                layers,
                texels,
                faces,
                kinds,
                emits,
                boxes,
                glow,
                ray,
            )
            blind[at] = start
            dx = scene[FORWARD] + a * scene[RIGHT] + b * scene[UP]
            dy = scene[FORWARD + 1] + b * scene[UP + 1]
            dz = scene[FORWARD + 2] + a * scene[RIGHT + 1] + b * scene[UP + 2]
            length2 = 1.0 + a * a + b * b
            length = np.sqrt(length2)
            passed = ray[MIXED] > 0.0
            key = SEEN | PASSED if passed else SEEN
            red, green, blue = 0.0, 0.0, 0.0
            fog = 1.0
            t = FAR
            if found == 0:
                key |= 7
            else:
                t = ray[HIT]
                cell, axis = int(ray[CELL]), int(ray[AXIS])
                distance = t * length
                fog = (distance - FOG_START) * FOG_SLOPE
                if axis < 0 or axis > 2:
                    side = 6
                else:
                    side = 2 * axis + int((dx if axis == 0 else dy if axis == 1 else dz) < 0)
                key |= side | cell << 3
                if found == 2:
                    texel = int(ray[TEXEL])
                    red, green, blue = (
                        ray[LIT] * (texel & 255),
                        ray[LIT + 1] * (texel >> 8 & 255),
                        ray[LIT + 2] * (texel >> 16 & 255),
                    )
                elif side == 6:  # the eye is inside a block: all is black
                    key |= PASSED
                else:
                    cx, cy, cz = ((cell >> 15) - wx) & MASK, cell & 127, ((cell >> 7) - wz) & MASK
                    if axis == 0:
                        fa, fb, slope = oz + t * dz - cz, oy + t * dy - cy, abs(dx)
                    elif axis == 1:
                        fa, fb, slope = ox + t * dx - cx, oz + t * dz - cz, abs(dy)
                    else:
                        fa, fb, slope = ox + t * dx - cx, oy + t * dy - cy, abs(dz)
                    fa, fb = min(max(fa, 0.0), 0.99999), min(max(fb, 0.0), 0.99999)
                    iu = int(15.9999 - fa * 15.9999) if side == 1 or side == 4 else int(fa * 16.0)
                    iv = int(fb * 16.0) if axis == 1 else int(15.9999 - fb * 15.9999)
                    if distance < smooth:
                        face = side | cell << 3
                        slot = ((face * 0x9E3779B1) >> 11) & (FACES - 1)
                        if face_key[slot] != face + 1:
                            learn_face(
                                face, slot, blocks, meta, light, shades, faces, glow, face_key, face_tile, face_light
                            )
                        j = slot * 12
                        base = int(face_tile[slot]) * 344
                        both = fa * fb
                        red = face_light[j] + fa * face_light[j + 1] + fb * face_light[j + 2] + both * face_light[j + 3]
                        green = (
                            face_light[j + 4]
                            + fa * face_light[j + 5]
                            + fb * face_light[j + 6]
                            + both * face_light[j + 7]
                        )
                        blue = (
                            face_light[j + 8]
                            + fa * face_light[j + 9]
                            + fb * face_light[j + 10]
                            + both * face_light[j + 11]
                        )
                    else:
                        base = int(faces[(int(blocks[cell]) * 16 + (int(meta[cell]) & 15)) * 6 + side]) * 344
                        lamp = int(light[in_front(cell, side)]) * 3
                        k = 0.57 if axis == 0 else 0.76 if axis == 2 else 0.95 if side == 3 else 0.475
                        red, green, blue = k * glow[lamp], k * glow[lamp + 1], k * glow[lamp + 2]
                    level = picture_size(scene[MIP_SCALE] * t * t * length2 * length, slope)
                    halved = level & 15
                    texel = int(texels[base + (level >> 4) + (((iv >> halved) << 4 >> halved) + (iu >> halved))])
                    if texel < HALF_OPAQUE:  # a hole in leaves that cannot be seen through
                        texel = int(texels[base + 320 + (iv >> 2) * 4 + (iu >> 2)])
                        red, green, blue = 0.6 * red, 0.6 * green, 0.6 * blue
                    red, green, blue = red * (texel & 255), green * (texel >> 8 & 255), blue * (texel >> 16 & 255)
            if px < width and py < height:
                if fog > 0.0:
                    fog = min(fog, 1.0)
                    fog = fog * fog * (3.0 - 2.0 * fog)
                    sky_r, sky_g, sky_b = sky_colour(
                        dx, dy, dz, 1.0 / length, 1.0 if found == 0 else 0.0, scene, sky, clouds
                    )
                    red += (sky_r - red) * fog
                    green += (sky_g - green) * fog
                    blue += (sky_b - blue) * fog
                if passed:
                    red = red * ray[GONE] + ray[RED]
                    green = green * ray[GONE] + ray[GREEN]
                    blue = blue * ray[GONE] + ray[BLUE]
                i = (py * width + px) * 3
                frame[i] = np.uint8(min(int(red + 0.5), 255))
                frame[i + 1] = np.uint8(min(int(green + 0.5), 255))
                frame[i + 2] = np.uint8(min(int(blue + 0.5), 255))
            keys[at] = key
            depth[at] = t
            clears[at] = ray[CLEAR] if ray[CLEAR] >= 0.0 else t

        # which pixels come next
        stage += 1
        done = count
        count -= done  # NOTE: not a literal 0, which numba would compile fill_plane a second time for
        if stage <= 2:
            size, near = (4, near4) if stage == 1 else (2, near2)
            for y0 in range(0, rows - 1, size):
                for x0 in range(0, pitch - 1, size):
                    corner = y0 * pitch + x0
                    if stage == 2 and marks[(y0 & ~3) * pitch + (x0 & ~3)] != 0:
                        continue  # the whole tile is done
                    agree = _agree(keys, depth, corner, size, pitch, near)
                    if stage == 1:
                        marks[corner] = agree != 0
                    if agree & 7 == 7:
                        fill_sky(
                            y0,
                            x0,
                            size,
                            height,
                            width,
                            pitch,
                            scene,
                            across,
                            down,
                            sky,
                            clouds,
                            frame,
                            keys,
                            depth,
                            clears,
                            blind,
                        )
                        continue
                    start_at = _start(clears, corner, size, pitch, near)
                    if agree != 0:
                        count = fill_plane(
                            y0, x0, size, agree, start_at, count, height, width, pitch, scene, across, down, blocks,
                            meta, light, kinds, shades, faces, texels, glow, sky, clouds, face_key, face_tile,
                            face_light, frame, keys, depth, clears, blind, work, starts,
                        )  # fmt: skip
                        continue
                    step = size // 2
                    for n in range(1, 4):
                        y, x = y0 + (n >> 1) * step, x0 + (n & 1) * step
                        if step == 2 or (y < height and x < width):
                            work[count] = y << 16 | x
                            starts[count] = start_at
                            count += 1
        elif stage == 3:
            _suspect(clears, blind, marks, pitch, width, height)
            for y in range(height):
                for x in range(width):
                    at = y * pitch + x
                    if marks[at] != 0 and _overlooked(keys, clears, blind, at, x, y, pitch, width, height):
                        work[count] = y << 16 | x
                        starts[count] = 0
                        blind[at] = 0.0
                        count += 1
        else:
            # neighbours of pixels just traced; the list grows behind what is read
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
                starts[entry] = 0
        if count == 0 and stage >= 3:
            break


@njit(cache=True, nogil=True)
def _plane_bits(face: int) -> int:
    """The bits of a key that pixels on one plane of faces share."""
    if face < 2:
        return 7 | PASSED | 0xFF << 18
    if face < 4:
        return 7 | PASSED | 0x7F << 3
    return 7 | PASSED | 0xFF << 10 if face < 6 else 7 | PASSED


@njit(cache=True, nogil=True)
def _agree(keys: Pointer, depth: Pointer, corner: int, size: int, pitch: int, near: float) -> int:
    """The key of a square's first corner if all four lie on its plane and nearer than ``near``, or are sky; else 0."""
    right, below = corner + size, corner + size * pitch
    opposite = below + size
    a, b, c, d = int(keys[corner]), int(keys[right]), int(keys[below]), int(keys[opposite])
    face = a & 7
    if face == 6 or a & b & c & d & SEEN == 0 or (a | b | c | d) & PASSED:
        return 0
    if ((a ^ b) | (a ^ c) | (a ^ d)) & _plane_bits(face):
        return 0
    if face < 6 and max(depth[corner], depth[right], depth[below], depth[opposite]) > near:
        return 0
    return a & ~FILLED


@njit(cache=True, nogil=True)
def _start(clears: Pointer, corner: int, size: int, pitch: int, near: float) -> int:
    """How far rays within a square may be taken to meet nothing, given those at its corners; in 1/1024 m."""
    below = corner + size * pitch
    free = min(clears[corner], clears[corner + size], clears[below], clears[below + size], near) - 1.0
    return int(max(free, 0.0) * START_STEPS)


@njit(cache=True, nogil=True)
def _suspect(clears: Pointer, blind: Pointer, marks: Pointer, pitch: int, width: int, height: int) -> None:
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
def _overlooked(
    keys: Pointer, clears: Pointer, blind: Pointer, at: int, x: int, y: int, pitch: int, width: int, height: int
) -> bool:
    """Whether a neighbour of a pixel met something where the pixel's ray was not followed, other than the pixel's own
    plane.
    """
    limit = blind[at]
    for n in range(4):
        y2, x2 = y + (n == 0) - (n == 1), x + (n == 2) - (n == 3)
        if 0 <= y2 < height and 0 <= x2 < width:
            other = y2 * pitch + x2
            if clears[other] < limit:
                key = int(keys[at])
                if key & FILLED == 0 or (key ^ int(keys[other])) & _plane_bits(key & 7):
                    return True
    return False
