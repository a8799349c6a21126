"""The player's own hand and what it holds, in the lower right of the picture, and what lies over the whole picture.

Positions are metres in the eye's own axes: x to the right, y up, z ahead, the frame in which the arm swings and sways.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.render_bodies import COLUMNS
from jarvis.world.rules import RULES
from jarvis.world.shapes import BOXES, CROSS, SHAPES
from jarvis.world.view import View

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


def turned(about: str, degrees: float) -> np.ndarray:
    """(3, 3) matrix of a right-handed turn about an axis."""
    s, c = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    i = "xyz".index(about)
    j, k = (i + 1) % 3, (i + 2) % 3
    out = np.eye(3)
    out[j, j], out[k, k], out[k, j], out[j, k] = c, c, s, -s
    return out


def place_hand(view: View, camera: np.ndarray, item_block: np.ndarray, faces: np.ndarray, icon_base: int, arm: int, bright: int) -> np.ndarray:
    """The boxes (1, COLUMNS) of what the hand shows; see render_bodies.py for the columns."""
    row = np.zeros((1, COLUMNS))
    swing, root = view.swing, math.sin(math.sqrt(view.swing) * math.pi)
    shift = np.array([-0.35 * root, 0.18 * math.sin(math.sqrt(swing) * 2 * math.pi), 0.18 * math.sin(swing * math.pi)])
    shift[1] -= 0.6 * (1.0 - view.raised)
    sway = min(view.walk_speed, 1.0)
    shift += (0.035 * sway * math.sin(view.walk_phase), -0.03 * sway * abs(math.cos(view.walk_phase)), 0.0)
    block = int(item_block[view.held])
    if view.held == 0:
        at, half = np.array(ARM_AT), np.array(ARM_HALF)
        # shoulder below and to the right, knuckles ahead; the swing throws it across the picture
        axes = turned("y", 20 * root) @ turned("x", 40 - 55 * root) @ turned("z", 32 + 20 * root) @ turned("y", 40)
        axes = axes * (1, -1, 1)  # row 0 of the picture is the sleeve
        row[0, 15:21] = arm
        at = at + shift * (1.4, 1.0, 1.0)
    elif block:
        box = np.array(block_box(block))
        axes = turned("x", 60 * root) @ turned("y", -45 - 20 * root)
        half = (box[3:] - box[:3]) * CUBE_HALF
        at = np.array(CUBE_AT) + shift + axes @ ((box[3:] + box[:3] - 1.0) * CUBE_HALF)
        row[0, 15:21] = faces[block * 96 : block * 96 + 6]
    else:
        # the picture stands upright and looks to the left, its right side ahead
        use = min(view.using / 12.0, 1.0)
        axes = turned("x", 55 * root) @ turned("y", -90 + 12 + 60 * use) @ turned("z", 25 - 15 * use)
        half = np.array([PICTURE_HALF, PICTURE_HALF, PICTURE_HALF / 16])
        at = np.array(PICTURE_AT) + shift + use * np.array([-0.35, 0.05 + 0.03 * math.sin(view.using * 1.6), -0.1])
        row[0, 15:21] = icon_base + view.held
        row[0, 24] = 1.0
    eye = np.array([[camera[6], 0.0, camera[7]], [camera[8], camera[9], camera[10]], [camera[3], camera[4], camera[5]]])
    row[0, 0:3] = at @ eye
    row[0, 3:12] = (axes.T @ eye).reshape(-1)
    row[0, 12:15] = half
    row[0, 21] = bright
    return row


@njit(cache=True, nogil=True)
def tint(frame, red, green, blue, share):
    """Blend the whole frame towards a colour."""
    keep = int(256 * (1.0 - share))
    add = (int(256 * red * share), int(256 * green * share), int(256 * blue * share))
    for at in range(0, frame.size, 3):
        for c in range(3):
            frame[at + c] = (frame[at + c] * keep + add[c]) >> 8


@njit(cache=True, nogil=True)
def draw_flames(frame, texels, tile, height, width, tick):
    """Flames licking up from the lower edge, for a player on fire. ``texels`` as in rays.Look; a tile is 344 of them."""
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
