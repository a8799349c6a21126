"""Pictures of the voxel world: ``Renderer(width, height).render(grid, view, out)``.

Whatever its size in pixels, a picture shows what a 16:9 window with a vertical field of view of 70 degrees shows, so
128 x 128 is what 640 x 360 becomes when resized to a policy's input. A renderer keeps its buffers and must not be
used by two threads at once; the kernels release the interpreter lock, so renderers of several worlds run side by
side.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world import rays, sky
from jarvis.world.hand import block_box, draw_flames, held_boxes, item_blocks, place_hand, tint
from jarvis.world.icons import build_icons
from jarvis.world.layout import HEIGHT, MASK, Grid
from jarvis.world.models import build_models
from jarvis.world.rays import Canvas, Look
from jarvis.world.render_bodies import COLUMNS, MAX_BOXES, BodyModels, draw_boxes, mark_cell, place_bodies
from jarvis.world.rules import RULES
from jarvis.world.shading import FACES, SKY_STEPS
from jarvis.world.shapes import BOXES, CROSS, CUBE, CUTOUT, SHAPES
from jarvis.world.surfaces import AIR, HOLES, LAVA, PANE, PARTS, PLANT, RAY_FIELDS, SHAPE_FLOATS, SOLID, TINTED, WATER
from jarvis.world.textures import Textures, build_textures, tile_index
from jarvis.world.view import View
from jarvis.world.walk import MAP_X, OUTSIDE, SCENE_FIELDS, SPAN

ASPECT = 16 / 9
LAVA_BLOCK = RULES.block("lava")
TEXELS = 344  # of one tile with its smaller copies, padded


def packed(pictures: np.ndarray, mips: np.ndarray | None = None) -> np.ndarray:
    """(n * 344,) uint32 texels of (n, 16, 16, 4) pictures, each followed by its copies of half the size and so on."""
    count = pictures.shape[0]
    out = np.zeros((count, TEXELS, 4), np.uint8)
    out[:, :256] = pictures.reshape(count, 256, 4)
    if mips is None:
        weight = pictures[..., 3:].astype(np.float64)
        colour = pictures[..., :3] * weight
        at = 256
        for side in (8, 4, 2, 1):
            weight = weight.reshape(count, side, 2, side, 2, 1).mean((2, 4))
            colour = colour.reshape(count, side, 2, side, 2, 3).mean((2, 4))
            level = np.concatenate([colour / np.maximum(weight, 1e-9), weight], -1) + 0.5
            out[:, at : at + side * side] = level.astype(np.uint8).reshape(count, -1, 4)
            at += side * side
    else:
        out[:, 256:341] = mips
    return out.reshape(-1).view(np.uint32)


def build_look(textures: Textures, others: tuple[np.ndarray, ...] = ()) -> Look:
    """Pack textures and shapes the way the kernels read them. ``others`` are pictures (n, 16, 16, 4) that follow the
    tiles.
    """
    kind = np.zeros(256, np.uint8)
    shades = np.zeros(256, np.uint8)
    emits = np.zeros(256, np.uint8)
    for block, name in enumerate(RULES.blocks):
        shape = SHAPES.kind[block]
        kind[block] = {CUBE: SOLID, CUTOUT: HOLES, CROSS: PLANT, BOXES: PARTS}.get(int(shape), AIR)
        if name in ("glass", "ice"):
            kind[block] = PANE if name == "glass" else TINTED
        if name in ("water", "lava"):
            kind[block] = WATER if name == "water" else LAVA
        shades[block] = kind[block] in (SOLID, HOLES)
        emits[block] = RULES.table.emits[block]
    boxes = np.zeros((len(SHAPES.see_start), SHAPE_FLOATS), np.float32)
    for form, (start, count) in enumerate(zip(SHAPES.see_start, SHAPES.see_count, strict=True)):
        boxes[form, 0] = count
        boxes[form, 1 : 1 + 6 * count] = SHAPES.see_boxes[start : start + count].reshape(-1)
    return Look(
        texels=np.concatenate([packed(textures.tiles, textures.mips), *map(packed, others)]),
        faces=np.ascontiguousarray(textures.faces.reshape(-1)).astype(np.int32),
        kind=kind,
        shades=shades,
        emits=emits,
        boxes=boxes.reshape(-1),
        clouds=np.ascontiguousarray(textures.clouds.reshape(-1)),
    )


def build_canvas(width: int, height: int, half_width: float, half_height: float) -> Canvas:
    """Buffers for pictures of one size. Pixels beyond the right and lower edge complete the 4 x 4 tiles."""
    pitch, rows = (width + 3) // 4 * 4 + 1, (height + 3) // 4 * 4 + 1
    return Canvas(
        across=((np.arange(pitch) + 0.5) / width * 2 - 1) * half_width,
        down=((np.arange(rows) + 0.5) / height * 2 - 1) * half_height,
        keys=np.zeros(rows * pitch, np.uint32),
        depth=np.zeros(rows * pitch, np.float32),
        clear=np.zeros(rows * pitch, np.float32),
        blind=np.zeros(rows * pitch, np.float32),
        marks=np.zeros(rows * pitch, np.uint8),
        work=np.zeros(2 * rows * pitch, np.uint32),
        starts=np.zeros(2 * rows * pitch, np.uint32),
        # NOTE: what was never looked at must stop a ray too, or one that grazes the edge of sight runs out of the map
        bricks=np.full(SPAN * MAP_X, OUTSIDE, np.uint8),
        layers=np.zeros(SPAN * MAP_X, np.uint8),
        face_key=np.zeros(FACES, np.uint32),
        face_tile=np.zeros(FACES, np.int32),
        face_light=np.zeros(FACES * 12, np.float32),
        ray=np.zeros(RAY_FIELDS),
        scene=np.zeros(SCENE_FIELDS),
    )


class Renderer:
    """Draws what a player sees."""

    def __init__(self, width: int, height: int, fov: float = 70.0, palette: int = 0) -> None:
        """``width`` and ``height`` in pixels, 16 .. 4096; ``fov`` the vertical field of view in degrees; ``palette``
        as in textures.py.
        """
        if not (16 <= width <= 4096 and 16 <= height <= 4096):
            raise ValueError(f"Renderer: a picture of {width} x {height} pixels, expected 16 .. 4096 each way")
        if not 10 <= fov <= 150:
            raise ValueError(f"Renderer: fov is {fov}, expected 10 .. 150 degrees")
        self.width, self.height = width, height
        self.half_height = math.tan(math.radians(fov) / 2)
        self.half_width = self.half_height * ASPECT
        self.textures = build_textures(palette)
        self.models = build_models(palette)
        icons = build_icons(palette)
        self.look = build_look(self.textures, (self.models.skins, icons))
        self.skin_base = len(self.textures.tiles)
        self.icon_base = self.skin_base + len(self.models.skins)
        self.item_block = item_blocks()
        self.missile_tiles = np.array(
            [
                tile_index("oak_planks"),
                tile_index("wool"),
                self.icon_base + RULES.item("snowball"),
                self.icon_base + RULES.item("egg"),
            ]
        )
        self.bodies = BodyModels(*(getattr(self.models, name) for name in BodyModels._fields))
        self.boxes, self.axes = np.zeros((MAX_BOXES, COLUMNS)), np.zeros(12)
        self.held_boxes = held_boxes()
        self.canvas = build_canvas(width, height, self.half_width, self.half_height)
        self.glow = np.zeros(256 * 3, np.float32)
        self.sky = np.zeros(SKY_STEPS * 3, np.float32)
        self.camera = np.zeros(15)
        self._grid: Grid | None = None
        self._flat: tuple[np.ndarray, ...] = ()
        self.pixel = 2 * math.sqrt(self.half_width * self.half_height / (width * height))
        self.hour = np.full(4, -1.0)  # what glow and sky were made for
        self.outlines = np.array([block_box(form // 16, form % 16) for form in range(len(RULES.blocks) * 16)])
        self.outlines += (-0.002, -0.002, -0.002, 0.002, 0.002, 0.002)
        self._box, self._corner = np.zeros(6), np.zeros(3)

    def render(self, grid: Grid, view: View, out: np.ndarray | None = None) -> np.ndarray:
        """The picture of ``view``, (height, width, 3) uint8 RGB, written into ``out`` if given (C-contiguous)."""
        if out is None:
            out = np.empty((self.height, self.width, 3), np.uint8)
        if grid is not self._grid:
            blocks = grid.blocks.reshape(-1)
            self._flat = (
                blocks,
                blocks.view(np.uint64),
                grid.meta.reshape(-1),
                grid.light.reshape(-1),
                grid.bricks,
                grid.chunk_at,
            )
            self._grid = grid
        frame, rain, tick = out.reshape(-1), float(view.rain), int(view.tick)
        x, y, z = math.floor(view.x), math.floor(view.y), math.floor(view.z)
        block, bright = 0, 240  # around the eye
        if 0 <= y < HEIGHT:
            block, bright = int(grid.blocks[x & MASK, z & MASK, y]), int(grid.light[x & MASK, z & MASK, y])
        # NOTE: plain numbers, as another type of number would compile the kernels again
        draw_world(
            *self._flat, self.look, self.canvas, self.camera, self.glow, self.sky, self.hour, self.textures.sun,
            self.textures.moon, frame, self.height, self.width, float(view.x), float(view.y), float(view.z),
            float(view.yaw), float(view.pitch), int(view.time), tick, rain, float(view.gamma), float(view.clouds),
            self.half_width, self.half_height, self.pixel, float(block == LAVA_BLOCK),
        )  # fmt: skip
        shape = (self.height, self.width, self.canvas.across.size)
        if rain > 0:
            sky.draw_weather(frame, self.canvas.depth, *shape, self.camera, rain, bool(view.cold), tick)
        if view.pointed is not None or view.crack_stage >= 0:
            self._mark(grid, view, frame, shape)
        held = int(self.item_block[view.held])
        draw_bodies(
            self.boxes, self.axes, view.mobs, view.drops, view.missiles, self.bodies, grid.light, self.camera,
            self.item_block, self.look.faces, self.missile_tiles, self.skin_base, self.icon_base, tick,
            self.look.texels, self.glow, self.sky, frame, self.canvas.depth, self.canvas.keys, *shape, bool(view.hand),
            int(view.held), held, self.held_boxes[held], self.skin_base + self.models.arm_tile, bright,
            float(view.swing), float(view.raised), float(view.using), float(view.walk_phase), float(view.walk_speed),
        )  # fmt: skip
        if view.burning:
            draw_flames(frame, self.look.texels, tile_index("fire"), self.height, self.width, tick)
        if block == LAVA_BLOCK:
            tint(frame, 180.0, 62.0, 8.0, 0.85)
        if view.hurt > 0:
            tint(frame, 200.0, 0.0, 0.0, 0.35 * min(float(view.hurt), 1.0))
        return out

    def _mark(self, grid: Grid, view: View, frame: np.ndarray, shape: tuple[int, int, int]) -> None:
        self._box[0], self._box[3] = 1.0, -1.0
        crack, stage = 0, -1
        if view.pointed is not None:
            x, y, z = view.pointed
            form = int(grid.blocks[x & MASK, z & MASK, y]) * 16 + (int(grid.meta[x & MASK, z & MASK, y]) & 15)
            # a hair's breadth outside, so that the block does not hide its own outline
            np.add(self.outlines[form], (x - view.x, y - view.y, z - view.z) * 2, out=self._box)
        if view.cracked is not None and view.crack_stage >= 0:
            x, y, z = view.cracked
            self._corner[:] = x - view.x, y - view.y, z - view.z
            crack, stage = (x & MASK) << 15 | (z & MASK) << 7 | y, min(view.crack_stage, 9)
        mark_cell(
            frame,
            self.canvas.depth,
            self.canvas.keys,
            *shape,
            self.camera,
            self._corner,
            crack,
            self._box,
            self.textures.cracks,
            stage,
        )


@njit(cache=True, nogil=True)
def draw_world(
    blocks: np.ndarray,
    eights: np.ndarray,
    meta: np.ndarray,
    light: np.ndarray,
    bricks: np.ndarray,
    chunk_at: np.ndarray,
    look: Look,
    canvas: Canvas,
    camera: np.ndarray,
    glow: np.ndarray,
    sky_table: np.ndarray,
    hour: np.ndarray,
    sun: np.ndarray,
    moon: np.ndarray,
    frame: np.ndarray,
    height: int,
    width: int,
    x: float,
    y: float,
    z: float,
    yaw: float,
    pitch: float,
    time: int,
    tick: int,
    rain: float,
    gamma: float,
    clouds: float,
    half_w: float,
    half_h: float,
    pixel: float,
    lava: float,
) -> None:
    """Blocks and sky in one call: unpacking so many arrays from Python costs microseconds."""
    sky.set_scene(
        canvas.scene,
        camera,
        glow,
        sky_table,
        hour,
        x,
        y,
        z,
        yaw,
        pitch,
        time,
        tick,
        rain,
        gamma,
        clouds,
        half_w,
        half_h,
        pixel,
        lava,
    )
    rays.draw_blocks(
        blocks, eights, meta, light, bricks, chunk_at, look, canvas, camera, glow, sky_table, frame, height, width
    )
    sky.draw_lights(frame, canvas.keys, height, width, canvas.across.size, camera, sun, moon, time, rain)


@njit(cache=True, nogil=True)
def draw_bodies(
    boxes: np.ndarray,
    axes: np.ndarray,
    mobs: np.ndarray,
    drops: np.ndarray,
    missiles: np.ndarray,
    models: BodyModels,
    light: np.ndarray,
    camera: np.ndarray,
    item_block: np.ndarray,
    faces: np.ndarray,
    missile_tiles: np.ndarray,
    skin_base: int,
    icon_base: int,
    tick: int,
    texels: np.ndarray,
    glow: np.ndarray,
    sky_table: np.ndarray,
    frame: np.ndarray,
    depth: np.ndarray,
    keys: np.ndarray,
    height: int,
    width: int,
    pitch: int,
    hand: bool,
    held: int,
    block: int,
    held_box: np.ndarray,
    arm: int,
    bright: int,
    swing: float,
    raised: float,
    using: float,
    phase: float,
    speed: float,
) -> None:
    """Bodies and the hand in one call."""
    count = place_bodies(
        boxes,
        axes,
        mobs,
        drops,
        missiles,
        models,
        light,
        camera,
        item_block,
        faces,
        missile_tiles,
        skin_base,
        icon_base,
        tick,
        depth,
        height,
        width,
        pitch,
    )
    draw_boxes(boxes, count, texels, glow, sky_table, frame, depth, keys, height, width, pitch, camera, 0.0)
    if hand:
        place_hand(
            boxes[0],
            axes,
            camera,
            held,
            block,
            held_box,
            faces,
            icon_base + held,
            arm,
            bright,
            swing,
            raised,
            using,
            phase,
            speed,
        )
        draw_boxes(boxes, tick * 0 + 1, texels, glow, sky_table, frame, depth, keys, height, width, pitch, camera, 1.0)
