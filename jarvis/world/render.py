"""Pictures of the voxel world: ``Renderer(width, height).render(grid, view, out)``.

Whatever its size in pixels, a picture shows what a 16:9 window with a vertical field of view of 70 degrees shows, so 128 x 128
is what 640 x 360 becomes when resized to a policy's input. A renderer keeps its buffers and must not be used by two threads at
once; the kernels release the interpreter lock, so renderers of several worlds run side by side.
"""

from __future__ import annotations

import math

import numpy as np

from jarvis.world import rays, sky, walk
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
from jarvis.world.walk import MAP_X, SCENE_FIELDS, SPAN

ASPECT = 16 / 9
LAVA_BLOCK = RULES.block("lava")
NO_BOX = np.array([1.0, 0, 0, -1.0, 0, 0])
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
    """Pack textures and shapes the way the kernels read them. ``others`` are pictures (n, 16, 16, 4) that follow the tiles."""
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
        bricks=np.zeros(SPAN * MAP_X, np.uint8),
        layers=np.zeros(SPAN * MAP_X, np.uint8),
        face_key=np.zeros(FACES, np.uint32),
        face_tile=np.zeros(FACES, np.int32),
        face_light=np.zeros(FACES * 12, np.float32),
        ray=np.zeros(RAY_FIELDS),
        scene=np.zeros(SCENE_FIELDS),
    )


class Renderer:
    """Draws what a player sees."""

    def __init__(self, width: int, height: int, fov: float = 70.0, palette: int = 0):
        """``width`` and ``height`` in pixels, 16 .. 4096; ``fov`` the vertical field of view in degrees; ``palette`` as in textures.py."""
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
        self.boxes, self.hand = np.zeros((MAX_BOXES, COLUMNS)), np.zeros((1, COLUMNS))
        self.held_boxes = held_boxes()
        self.canvas = build_canvas(width, height, self.half_width, self.half_height)
        self.glow = np.zeros(256 * 3, np.float32)
        self.sky = np.zeros(SKY_STEPS * 3, np.float32)
        self.camera = np.zeros(15)
        self._grid: Grid | None = None
        self._flat: tuple[np.ndarray, ...] = ()
        self._hour: tuple[float, ...] = ()

    def render(self, grid: Grid, view: View, out: np.ndarray | None = None) -> np.ndarray:
        """The picture of ``view``, (height, width, 3) uint8 RGB, written into ``out`` if given (C-contiguous)."""
        if out is None:
            out = np.empty((self.height, self.width, 3), np.uint8)
        if grid is not self._grid:
            blocks = grid.blocks.reshape(-1)
            self._flat = (blocks, blocks.view(np.uint64), grid.meta.reshape(-1), grid.light.reshape(-1))
            self._grid = grid
        self._aim(view)
        self._hour_of(view)
        x, y, z = math.floor(view.x), math.floor(view.y), math.floor(view.z)
        inside = grid.blocks[x & MASK, z & MASK, y] if 0 <= y < HEIGHT else 0
        scene = self.canvas.scene
        scene[walk.IN_LAVA] = inside == LAVA_BLOCK
        scene[walk.CEILING] = walk.gather_bricks(grid.bricks, grid.chunk_at, self.canvas.bricks, view.x, view.z)
        frame = out.reshape(-1)
        rays.draw_blocks(*self._flat, self.look, self.canvas, self.glow, self.sky, frame, self.height, self.width)
        self._draw_sky(view, frame)
        shape = (self.height, self.width, self.canvas.across.size)
        if view.cracked is not None or view.pointed is not None:
            self._mark(grid, view, frame, shape)
        self._draw_bodies(grid, view, frame, shape)
        self._draw_overlays(view, frame)
        return out

    def _draw_bodies(self, grid: Grid, view: View, frame: np.ndarray, shape: tuple[int, int, int]) -> None:
        over = (self.look.texels, self.glow, self.sky, frame, self.canvas.depth, self.canvas.keys, *shape, self.camera)
        count = place_bodies(
            self.boxes, view.mobs, view.drops, view.missiles, self.bodies, grid.light, self.camera, self.item_block,
            self.look.faces, self.missile_tiles, self.skin_base, self.icon_base, view.tick,
        )  # fmt: skip
        if count:
            draw_boxes(self.boxes, count, *over, False)
        if view.hand:
            x, y, z = math.floor(view.x), math.floor(view.y), math.floor(view.z)
            bright = int(grid.light[x & MASK, z & MASK, y]) if 0 <= y < HEIGHT else 240
            block = int(self.item_block[view.held])
            place_hand(
                self.hand, self.camera, view.held, block, self.held_boxes[block], self.look.faces, self.icon_base + view.held,
                self.skin_base + self.models.arm_tile, bright, float(view.swing), float(view.raised), float(view.using),
                float(view.walk_phase), float(view.walk_speed),
            )  # fmt: skip
            draw_boxes(self.hand, 1, *over, True)

    def _mark(self, grid: Grid, view: View, frame: np.ndarray, shape: tuple[int, int, int]) -> None:
        box, corner, crack, stage = NO_BOX, np.zeros(3), 0, -1
        if view.pointed is not None:
            x, y, z = view.pointed
            block, meta = int(grid.blocks[x & MASK, z & MASK, y]), int(grid.meta[x & MASK, z & MASK, y])
            low = np.array([x - view.x, y - view.y, z - view.z] * 2)
            # a hair's breadth outside, so that the block does not hide its own outline
            box = low + block_box(block, meta) + (-0.002, -0.002, -0.002, 0.002, 0.002, 0.002)
        if view.cracked is not None and view.crack_stage >= 0:
            x, y, z = view.cracked
            corner = np.array([x - view.x, y - view.y, z - view.z])
            crack, stage = (x & MASK) << 15 | (z & MASK) << 7 | y, min(view.crack_stage, 9)
        mark_cell(frame, self.canvas.depth, self.canvas.keys, *shape, self.camera, corner, crack, box, self.textures.cracks, stage)

    def _draw_overlays(self, view: View, frame: np.ndarray) -> None:
        if view.burning:
            draw_flames(frame, self.look.texels, tile_index("fire"), self.height, self.width, view.tick)
        if self.canvas.scene[walk.IN_LAVA]:
            tint(frame, 180.0, 62.0, 8.0, 0.85)
        if view.hurt > 0:
            tint(frame, 200.0, 0.0, 0.0, 0.35 * min(view.hurt, 1.0))

    def _aim(self, view: View) -> None:
        yaw, pitch = math.radians(view.yaw), math.radians(view.pitch)
        sy, cy, sp, cp = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
        self.camera[:12] = (
            view.x, view.y, view.z,
            -sy * cp, -sp, cy * cp,  # forward
            -cy, -sy,  # right
            -sy * sp, cp, cy * sp,  # up
            2 * math.sqrt(self.half_width * self.half_height / (self.width * self.height)),
        )  # fmt: skip
        self.camera[13], self.camera[14] = self.half_width, self.half_height
        corner_x, corner_z = (math.floor(view.x) // 8 - walk.REACH) * 8, (math.floor(view.z) // 8 - walk.REACH) * 8
        scene = self.canvas.scene
        scene[:15] = self.camera
        scene[walk.EYE], scene[walk.EYE + 2] = view.x - corner_x, view.z - corner_z
        scene[walk.WINDOW_X], scene[walk.WINDOW_Z] = corner_x & MASK, corner_z & MASK

    def _hour_of(self, view: View) -> None:
        angle = sky.sun_angle(view.time) * 2 * math.pi
        # NOTE: light changes with the hour in steps of 1/256, so that most ticks find the tables as they are
        height = round(math.cos(angle) * 256) / 256
        day = round(sky.daylight(view.time, view.rain) * 256) / 256
        hour = (height, day, view.rain, view.gamma)
        if hour != self._hour:
            sky.light_colours(self.glow, day, view.gamma, 0.0)
            sky.sky_colours(self.sky, height, view.rain)
            self._hour = hour
        strength, red, green, blue = sky.sunset(view.time)
        bright = min(max(height * 2 + 0.5, 0.0), 1.0)
        white = 255 * (bright * 0.9 + 0.1) * (1 - 0.45 * view.rain)
        drift = (view.tick * sky.CLOUD_SPEED) % 768.0
        # NOTE: whole bricks are wrapped apart from the rest, so that clouds stay precise far from the origin
        cell_x, cell_z = math.floor(view.x) // 8 * 8, math.floor(view.z) // 8 * 8
        scene = self.canvas.scene
        scene[walk.SUNSET : walk.IN_LAVA] = (
            strength * (1 - view.rain), red, green, blue, 1.0 if math.sin(angle) < 0 else -1.0,
            0.8 if view.clouds and view.y < 127 else 0.0,
            (cell_x + drift) % 768.0 + 768.0 + view.x - cell_x, cell_z % 768.0 + 768.0 + view.z - cell_z,
            white, white, min(255.0, 255 * (bright * 0.85 + 0.15) * (1 - 0.45 * view.rain)),
            view.tick,
        )  # fmt: skip
        self.angle = angle

    def _draw_sky(self, view: View, frame: np.ndarray) -> None:
        night = min(max(0.75 - (math.cos(self.angle) * 2 + 0.25), 0.0), 1.0) ** 2 * 0.9
        sky.draw_lights(
            frame, self.canvas.keys, self.height, self.width, self.canvas.across.size, self.camera, self.textures.sun, self.textures.moon,
            math.sin(self.angle), math.cos(self.angle), night * (1 - view.rain), 1 - view.rain, view.time // sky.DAY % 8,
        )  # fmt: skip
        if view.rain > 0:
            sky.draw_weather(
                frame, self.canvas.keys, self.canvas.depth, self.height, self.width, self.canvas.across.size,
                self.camera, float(view.rain), bool(view.cold), view.tick,
            )  # fmt: skip
