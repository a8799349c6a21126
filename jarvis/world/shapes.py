"""Which part of its cell a block fills: boxes to see and point at, boxes to collide with, by block id and meta.

A shape is a list of boxes (x0, y0, z0, x1, y1, z1) in metres inside the cell; collision boxes of fences reach 1.5 m
high. ``kind`` tells a renderer how to draw the block: CUBE (opaque), CUTOUT (a full cube with holes in its texture),
CROSS (two diagonal planes), BOXES (the visual boxes), LIQUID, NOTHING.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jarvis.world.rules import RULES

NOTHING, CUBE, CUTOUT, CROSS, BOXES, LIQUID = range(6)
METAS = 16  # shapes are tabled for the low four bits of the meta byte
Box = tuple[float, float, float, float, float, float]

FULL: Box = (0, 0, 0, 1, 1, 1)
CROSSES = ("oak_sapling", "birch_sapling", "spruce_sapling", "grass", "dandelion", "poppy", "wheat")
CUTOUTS = ("oak_leaves", "birch_leaves", "spruce_leaves", "glass", "ice")


class Shapes(NamedTuple):
    """Shapes by ``16 * block + (meta & 15)``: boxes ``start[i] : start[i] + count[i]``."""

    kind: np.ndarray  # (blocks,) uint8
    see_start: np.ndarray  # (blocks * 16,) int32
    see_count: np.ndarray  # (blocks * 16,) int32
    see_boxes: np.ndarray  # (n, 6) float32, visible and pointed at
    hit_start: np.ndarray  # (blocks * 16,) int32
    hit_count: np.ndarray  # (blocks * 16,) int32
    hit_boxes: np.ndarray  # (m, 6) float32, collided with


def turned(box: Box, facing: int) -> Box:
    """A box drawn for facing south (+z), turned about the cell's middle to face west, north or east."""
    x0, y0, z0, x1, y1, z1 = box
    for _ in range(facing):  # a quarter turn: south to west to north to east
        x0, z0, x1, z1 = 1 - z1, x0, 1 - z0, x1
    return (x0, y0, z0, x1, y1, z1)


def _joined(meta: int, half: float, height: float) -> list[Box]:
    """A post with arms towards the neighbours named by the bits of ``meta``."""
    low, high = 0.5 - half, 0.5 + half
    boxes: list[Box] = [(low, 0, low, high, height, high)]
    arms = ((0, low, low, high), (high, low, 1, high), (low, 0, high, low), (low, high, high, 1))
    boxes += [(x0, 0, z0, x1, height, z1) for bit, (x0, z0, x1, z1) in enumerate(arms) if meta >> bit & 1]
    return boxes


def visual_boxes(name: str, meta: int) -> list[Box]:
    """The boxes of a block as seen and pointed at; empty for air and liquids."""
    p = 1 / 16
    facing = meta & 3
    if name in ("air", "water", "lava"):
        return []
    if name.endswith("_slab"):
        return [[(0, 0, 0, 1, 0.5, 1)], [(0, 0.5, 0, 1, 1, 1)], [FULL]][meta & 3 if meta & 3 < 3 else 2]
    if name.endswith("_stairs"):
        low, high = (0.0, 0.5) if not meta & 4 else (0.5, 0.0)
        return [(0, low, 0, 1, low + 0.5, 1), turned((0, high, 0.5, 1, high + 0.5, 1), facing)]
    if name == "torch":
        if not 1 <= meta <= 4:
            return [(7 * p, 0, 7 * p, 9 * p, 10 * p, 9 * p)]
        return [turned((7 * p, 3 * p, 12 * p, 9 * p, 13 * p, 14 * p), meta - 1)]
    if name == "ladder":
        return [turned((0, 0, 15 * p, 1, 1, 1), (meta - 1) & 3)]
    if name == "oak_door":
        # facing is the side of the cell the closed panel lies on; open turns it to the side on its left
        return [turned((0, 0, 13 * p, 1, 1, 1), (facing + (1 if meta & 4 else 0)) & 3)]
    if name == "oak_fence":
        return _joined(meta, 2 * p, 1.0)
    if name == "glass_pane":
        return _joined(meta, p, 1.0)
    if name == "oak_fence_gate":
        if meta & 4:
            return [turned((0, 5 * p, 7 * p, 2 * p, 1, 1), facing), turned((14 * p, 5 * p, 7 * p, 1, 1, 1), facing)]
        return [turned((0, 5 * p, 7 * p, 1, 1, 9 * p), facing)]
    if name == "white_bed":
        return [(0, 0, 0, 1, 9 * p, 1)]
    if name == "snow":
        return [(0, 0, 0, 1, 2 * p, 1)]
    if name == "farmland":
        return [(0, 0, 0, 1, 15 * p, 1)]
    if name == "chest":
        return [(p, 0, p, 15 * p, 14 * p, 15 * p)]
    if name == "cactus":
        return [(p, 0, p, 15 * p, 1, 15 * p)]
    if name == "wheat":
        return [(0, 0, 0, 1, (2 + 2 * min(meta, 7)) * p, 1)]
    if name in CROSSES:
        return [(2 * p, 0, 2 * p, 14 * p, 13 * p, 14 * p)]
    return [FULL]


def collision_boxes(name: str, meta: int) -> list[Box]:
    """The boxes of a block that bodies collide with."""
    if not RULES.data["blocks"][name]["solid"] or name == "snow":
        return []
    if name == "oak_fence_gate" and meta & 4:
        return []
    boxes = visual_boxes(name, meta)
    if name in ("oak_fence", "oak_fence_gate"):
        return [(x0, 0, z0, x1, 1.5, z1) for x0, _, z0, x1, _, z1 in boxes]
    if name == "white_bed":
        return [(0, 0, 0, 1, 9 / 16, 1)]
    return boxes


def shape_kind(name: str) -> int:
    """How a block is drawn."""
    if name == "air":
        return NOTHING
    if name in ("water", "lava"):
        return LIQUID
    if name in CROSSES:
        return CROSS
    if name in CUTOUTS:
        return CUTOUT
    return CUBE if all(visual_boxes(name, meta) == [FULL] for meta in range(METAS)) else BOXES


def build_shapes() -> Shapes:
    """Tables of all shapes."""

    def tabled(boxes_of: Callable[[str, int], list[Box]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        start, count, boxes = [], [], []
        for name in RULES.blocks:
            for meta in range(METAS):
                found = boxes_of(name, meta)
                start.append(len(boxes))
                count.append(len(found))
                boxes += found
        return np.array(start, np.int32), np.array(count, np.int32), np.array(boxes, np.float32)

    kind = np.array([shape_kind(name) for name in RULES.blocks], np.uint8)
    return Shapes(kind, *tabled(visual_boxes), *tabled(collision_boxes))


SHAPES = build_shapes()
