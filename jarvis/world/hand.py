"""The player's own hand and what it holds, in the lower right of the picture, and what lies over the whole picture.

Positions are metres in the eye's own axes: x to the right, y up, z ahead, the frame in which the arm swings and sways.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.pointers import Pointer, pointer
from jarvis.world.rules import RULES
from jarvis.world.shapes import BOXES, CROSS, SHAPES

FLAT_BLOCKS = ("torch", "ladder", "glass_pane", "oak_door")  # held and dropped as their picture, not as a cube
CUBE_AT = (0.60, -0.56, 0.82)
CUBE_HALF = 0.2
PICTURE_AT = (0.62, -0.36, 0.80)
PICTURE_HALF = 0.34
ARM_AT = (0.52, -0.56, 0.86)
ARM_HALF = (0.09, 0.40, 0.09)


def item_blocks() -> np.ndarray:
    """(items,) int64: the block an item looks like, 0 if it is shown as a flat picture."""
    out = np.zeros(len(RULES.items), np.int64)
    for item in range(1, len(RULES.items)):
        block = int(RULES.places[item])
        if block and RULES.items[item] not in FLAT_BLOCKS and SHAPES.kind[block] != CROSS:
            out[item] = block
    return out


def block_box(block: int, meta: int = 0) -> tuple[float, float, float, float, float, float]:
    """The box around all of a block's visible boxes of one meta value, metres in its cell."""
    form = block * 16 + (meta & 15)
    first, count = SHAPES.see_start[form], SHAPES.see_count[form]
    if SHAPES.kind[block] not in (BOXES, CROSS) or count == 0:
        return (0, 0, 0, 1, 1, 1)
    boxes = SHAPES.see_boxes[first : first + count]
    return (*boxes[:, :3].min(0).tolist(), *boxes[:, 3:].max(0).tolist())


def held_boxes() -> np.ndarray:
    """(blocks, 6) float64: half sizes of each block's box as it is held, and where its middle lies in the cube's,
    metres.
    """
    out = np.zeros((len(RULES.blocks), 6))
    for block in range(len(RULES.blocks)):
        box = np.array(block_box(block))
        out[block, :3], out[block, 3:] = (box[3:] - box[:3]) * CUBE_HALF, (box[3:] + box[:3] - 1.0) * CUBE_HALF
    return out


@njit(cache=True, nogil=True)
def _turn(axes: Pointer, which: int, degrees: float) -> None:
    """Turn three columns about x, y or z (0 .. 2)."""
    angle = degrees * (math.pi / 180.0)
    s, c = math.sin(angle), math.cos(angle)
    i, j = (which + 1) % 3, (which + 2) % 3
    for column in range(3):
        a, b = axes[i * 3 + column], axes[j * 3 + column]
        axes[i * 3 + column], axes[j * 3 + column] = a * c - b * s, a * s + b * c


@njit(cache=True, nogil=True)
def place_hand(
    row: np.ndarray,
    axes: np.ndarray,
    camera: np.ndarray,
    held: int,
    block: int,
    held_box: np.ndarray,
    faces: np.ndarray,
    icon: int,
    arm: int,
    bright: int,
    swing: float,
    raised: float,
    using: float,
    phase: float,
    speed: float,
) -> None:
    """Fill ``row`` (COLUMNS,) with the box the hand shows (render_bodies.py says what the columns are).

    ``axes`` (9 or more,) float64 is scratch. ``block`` is the block that ``held`` looks like or 0, ``held_box`` its row
    of held_boxes; ``icon`` and ``arm`` are pictures.
    """
    root = math.sin(math.sqrt(swing) * math.pi)
    speed = min(speed, 1.0)
    x = -0.35 * root + 0.035 * speed * math.sin(phase)
    y = 0.18 * math.sin(math.sqrt(swing) * 2.0 * math.pi) - 0.6 * (1.0 - raised) - 0.03 * speed * abs(math.cos(phase))
    z = 0.18 * math.sin(swing * math.pi)
    axes, row, camera, faces = pointer(axes), pointer(row), pointer(camera), pointer(faces)
    for n in range(9):
        axes[n] = 1.0 if n % 4 == 0 else 0.0
    row[24] = 0.0
    for face in range(6):
        row[15 + face] = arm if held == 0 else faces[block * 96 + face] if block > 0 else icon
    if held == 0:
        # shoulder below and to the right, knuckles ahead; the swing throws it across the picture
        _turn(axes, 1, 40.0)
        _turn(axes, 2, 32.0 + 20.0 * root)
        _turn(axes, 0, 40.0 - 55.0 * root)
        _turn(axes, 1, 20.0 * root)
        for c in range(3):
            axes[c * 3 + 1] = -axes[c * 3 + 1]  # the top of the picture is the sleeve
        x, y, z = ARM_AT[0] + 1.4 * x, ARM_AT[1] + y, ARM_AT[2] + z
        row[12], row[13], row[14] = ARM_HALF
    elif block > 0:
        _turn(axes, 1, -45.0 - 20.0 * root)
        _turn(axes, 0, 60.0 * root)
        ox, oy, oz = held_box[3], held_box[4], held_box[5]
        x += CUBE_AT[0] + axes[0] * ox + axes[1] * oy + axes[2] * oz
        y += CUBE_AT[1] + axes[3] * ox + axes[4] * oy + axes[5] * oz
        z += CUBE_AT[2] + axes[6] * ox + axes[7] * oy + axes[8] * oz
        row[12], row[13], row[14] = held_box[0], held_box[1], held_box[2]
    else:
        # the picture stands upright and looks to the left, its right side ahead; food and bows come before the face
        use = min(using / 12.0, 1.0)
        _turn(axes, 2, 25.0 - 15.0 * use)
        _turn(axes, 1, -78.0 + 60.0 * use)
        _turn(axes, 0, 55.0 * root)
        x += PICTURE_AT[0] - 0.35 * use
        y += PICTURE_AT[1] + use * (0.05 + 0.03 * math.sin(using * 1.6))
        z += PICTURE_AT[2] - 0.1 * use
        row[12], row[13], row[14] = PICTURE_HALF, PICTURE_HALF, PICTURE_HALF / 16.0
        row[24] = 1.0
    # from the eye's axes to the world's
    for c in range(3):
        right = camera[6] if c == 0 else 0.0 if c == 1 else camera[7]
        up, ahead = camera[8 + c], camera[3 + c]
        row[c] = x * right + y * up + z * ahead
        for n in range(3):
            row[3 + 3 * n + c] = axes[n] * right + axes[3 + n] * up + axes[6 + n] * ahead
    row[21], row[22], row[23], row[25] = bright, 0.0, 0.0, 0.0


@njit(cache=True, nogil=True)
def tint(frame: np.ndarray, red: float, green: float, blue: float, share: float) -> None:
    """Blend the whole frame towards a colour."""
    keep = int(256 * (1.0 - share))
    frame_bytes = frame.size
    frame = pointer(frame)
    add = (int(256 * red * share), int(256 * green * share), int(256 * blue * share))
    for at in range(0, frame_bytes, 3):
        for c in range(3):
            frame[at + c] = (frame[at + c] * keep + add[c]) >> 8


@njit(cache=True, nogil=True)
def draw_flames(frame: np.ndarray, texels: np.ndarray, tile: int, height: int, width: int, tick: int) -> None:
    """Flames licking up from the lower edge, for a player on fire. ``texels`` as in rays.Look; a tile is 344 of
    them.
    """
    frame, texels = pointer(frame), pointer(texels)
    size = 0.52 * height
    for y in range(int(height - size), height):
        v = (y - (height - size)) / size
        for x in range(width):
            u = (x + 0.5) / width * 3.0
            row, column = int(v * 16.0), int((u - int(u)) * 16.0)
            shown = int(texels[tile * 344 + ((row + tick * 2) & 15) * 16 + ((column + (tick >> 1) * 5) & 15)])
            if shown >> 24 < 128:
                continue
            share = 0.75 * v * v
            at = (y * width + x) * 3
            for c in range(3):
                frame[at + c] = int(frame[at + c] * (1.0 - share) + (shown >> (8 * c) & 255) * share)
