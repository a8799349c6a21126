"""The atlas of block faces: one picture per kind of face, its smaller copies, and which face of which block shows it.

How a picture lies on a face, seen from outside: on the four sides row 0 is the top and columns run to the right (face
-x: column grows with z; +x: with -z; -z: with -x; +z: with x); on top and bottom columns grow with x and rows with z.
Coordinates are those of the cell, so a box that fills part of its cell shows that part of the picture. Texels with
alpha below 128 are holes, except in ``water`` and ``ice``, whose alpha is what they blend with.

``palette`` 0 is the standard look; other numbers redraw everything with other noise and shift hue, contrast and
brightness, so that a policy can be trained on many looks.
"""

from __future__ import annotations

import colorsys
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jarvis.world.materials import WOODS
from jarvis.world.pixels import noise_of, uniform
from jarvis.world.rules import RULES
from jarvis.world.tiles import draw_tiles

WEST_FACE, EAST_FACE, DOWN_FACE, UP_FACE, NORTH_FACE, SOUTH_FACE = range(6)  # -x +x -y +y -z +z
FRONT_OF = (SOUTH_FACE, WEST_FACE, NORTH_FACE, EAST_FACE)  # by facing, see layout.py
MIP_TEXELS = 85  # 8x8, 4x4, 2x2, 1x1
MIP_START = (0, 64, 80, 84)
CRACK_STAGES = 10


class Textures(NamedTuple):
    """Pictures for kernels."""

    tiles: np.ndarray  # (tiles, 16, 16, 4) uint8 RGBA
    mips: np.ndarray  # (tiles, 85, 4) uint8 RGBA: 8x8, 4x4, 2x2, 1x1 row by row, from MIP_START
    faces: np.ndarray  # (blocks * 16, 6) uint16 tile by 16 * block + (meta & 15) and face -x +x -y +y -z +z
    cracks: np.ndarray  # (10, 16, 16) uint8, how much of the light a texel keeps at each stage of breaking (255: all)
    sun: np.ndarray  # (32, 32, 4) uint8 RGBA
    moon: np.ndarray  # (32, 32, 4) uint8 RGBA
    clouds: np.ndarray  # (64, 64) uint8, 255 where a cell of the cloud layer is filled; wraps round


def face_names(block: str, meta: int) -> tuple[str, ...]:
    """Names of the pictures on the faces -x, +x, -y, +y, -z, +z of a block."""
    facing = meta & 3

    def sides(side: str, top: str, bottom: str) -> list[str]:
        return [side, side, bottom, top, side, side]

    if block == "grass_block":
        return tuple(sides("grass_snowy", "snow", "dirt") if meta & 1 else sides("grass_side", "grass_top", "dirt"))
    if block == "farmland":
        return tuple(sides("dirt", "farmland_wet" if meta & 1 else "farmland_dry", "dirt"))
    if block == "sandstone":
        return tuple(sides("sandstone", "sandstone_top", "sandstone_top"))
    if block.endswith("_log"):
        end, up, lying = f"{block}_end", block, f"{block}_lying"
        return ((up, up, end, end, up, up), (end, end, lying, lying, lying, lying), (lying, lying, up, up, end, end))[
            meta & 3 if meta & 3 < 3 else 0
        ]
    if block == "crafting_table":
        return ("table_side", "table_side", "oak_planks", "table_top", "table_front", "table_front")
    if block == "furnace":
        faces = sides("furnace_side", "furnace_top", "furnace_top")
        faces[FRONT_OF[facing]] = "furnace_lit" if meta & 4 else "furnace_front"
        return tuple(faces)
    if block == "chest":
        faces = sides("chest_side", "chest_top", "chest_top")
        faces[FRONT_OF[facing]] = "chest_front"
        return tuple(faces)
    if block == "torch":
        side = "torch_wall" if 1 <= meta <= 4 else "torch"
        return tuple(sides(side, "torch_flame", "oak_log"))
    if block == "oak_door":
        return ("door_upper" if meta & 8 else "door_lower",) * 6
    if block in ("oak_fence", "oak_fence_gate", "oak_slab", "oak_stairs"):
        return ("oak_planks",) * 6
    if block in ("cobblestone_slab", "cobblestone_stairs"):
        return ("cobblestone",) * 6
    if block == "glass_pane":
        return ("glass",) * 6
    if block == "white_wool":
        return ("wool",) * 6
    if block == "white_bed":
        return tuple(sides("bed_side", f"bed_{'head' if meta & 4 else 'foot'}_{facing}", "oak_planks"))
    if block == "snow_block":
        return ("snow",) * 6
    if block == "redstone_ore":
        return ("redstone_ore_lit" if meta & 1 else "redstone_ore",) * 6
    if block == "grass":
        return ("tall_grass",) * 6
    if block == "wheat":
        return (f"wheat_{min(meta, 7)}",) * 6
    if block == "cactus":
        return tuple(sides("cactus_side", "cactus_top", "cactus_top"))
    return ("missing" if block == "air" else block,) * 6


def varied(tiles: np.ndarray, palette: int) -> np.ndarray:
    """The tiles in another look.

    Hue turns by up to 12 degrees; saturation, contrast and brightness change by up to a fifth, each picture a little
    more.
    """
    whole = uniform(palette, 2, 4) * 2 - 1
    turn, rich, hard, bright = np.radians(12) * whole[0], 1 + 0.2 * whole[1], 1 + 0.15 * whole[2], 1 + 0.12 * whole[3]
    own = 1 + 0.08 * (uniform(palette, 3, len(tiles) * 3).reshape(-1, 1, 1, 3) * 2 - 1)
    # rotation about the grey axis in the YIQ basis of colorsys
    basis = np.array([colorsys.rgb_to_yiq(*unit) for unit in np.eye(3)])
    middle = np.array(
        [[1, 0, 0], [0, np.cos(turn) * rich, np.sin(turn) * rich], [0, -np.sin(turn) * rich, np.cos(turn) * rich]]
    )
    colours = (tiles[..., :3] @ (basis @ middle @ np.linalg.inv(basis)) - 110) * hard + 110
    out = tiles.copy()
    out[..., :3] = np.clip(colours * bright * own + 0.5, 0, 255).astype(np.uint8)
    return out


def shrunk(tiles: np.ndarray, foliage: np.ndarray) -> np.ndarray:
    """(tiles, 85, 4) smaller copies: colours weighted by alpha, so that what is cut out does not darken the rest.

    ``foliage`` tiles close their holes with distance, the holes counting as leaves in shade: a far tree is solid.
    """
    levels = []
    weight = tiles[..., 3].astype(np.float64) / 255
    colour = tiles[..., :3] * weight[..., None]
    for level, side in enumerate((8, 4, 2, 1)):
        weight = weight.reshape(-1, side, 2, side, 2).mean((2, 4))
        colour = colour.reshape(-1, side, 2, side, 2, 3).mean((2, 4))
        seen = colour / np.maximum(weight, 1e-9)[..., None]
        alpha = weight.copy()
        shade = 1 - 0.45 * (1 - weight[foliage])  # what is behind a hole is leaf too, but darker
        seen[foliage] *= shade[..., None]
        alpha[foliage] = np.where((level == 0) & (weight[foliage] < 0.3), 0.0, 1.0)
        picture = np.concatenate([seen, alpha[..., None] * 255], -1)
        levels.append(np.clip(picture + 0.5, 0, 255).astype(np.uint8).reshape(len(tiles), -1, 4))
    return np.concatenate(levels, 1)


def crack_masks() -> np.ndarray:
    """(10, 16, 16) uint8: cracks that branch out from the middle and darken as a block gives way."""
    grow = np.full((16, 16), 99.0)  # stage at which a texel cracks
    draw = uniform(0, 5, 400)
    at = 0
    for arm in range(8):
        row, col = 7.5 + 2 * (draw[at] - 0.5), 7.5 + 2 * (draw[at + 1] - 0.5)
        heading = angle = 2 * np.pi * (arm + 0.6 * (draw[at + 2] - 0.5)) / 8 + 0.2
        at += 3
        for step in range(11):
            angle = heading + 1.5 * (draw[at] - 0.5)
            row, col = row + np.sin(angle), col + np.cos(angle)
            at += 1
            if not (0 <= row < 16 and 0 <= col < 16):
                break
            stage = 0.3 + 0.8 * step + 0.7 * (arm * 3 % 8 % 3)
            grow[int(row), int(col)] = min(grow[int(row), int(col)], stage)
            if step == 3 + arm % 3:  # a side branch
                side = heading + (1.0 if arm % 2 else -1.0)
                for reach in range(1, 5):
                    r, c = int(row + reach * np.sin(side)), int(col + reach * np.cos(side))
                    if 0 <= r < 16 and 0 <= c < 16:
                        grow[r, c] = min(grow[r, c], stage + 1.0 + 0.9 * reach)
    out = np.full((CRACK_STAGES, 16, 16), 255, np.uint8)
    light_below = np.roll(grow, (-1, -1), (0, 1))
    for stage in range(CRACK_STAGES):
        cracked = grow <= stage + 0.5
        out[stage][(light_below <= stage + 0.5) & ~cracked] = 222
        out[stage][cracked] = 125 - 5 * stage
    return out


def sky_pictures() -> tuple[np.ndarray, np.ndarray]:
    """Sun and moon, (32, 32, 4) uint8: square, bright, with a soft rim."""
    rows, cols = np.mgrid[0:32, 0:32]
    reach = np.maximum(abs(rows - 15.5), abs(cols - 15.5))
    sun = np.zeros((32, 32, 4), np.uint8)
    sun[..., :3] = (255, 236, 150)
    sun[reach < 8] = (255, 253, 232, 255)
    glow = (reach >= 8) & (reach < 16)
    sun[..., 3] = np.where(reach < 8, 255, np.where(glow, np.clip(150 - 18 * (reach - 8), 0, 255), 0))
    moon = np.zeros((32, 32, 4), np.uint8)
    dark = noise_of(0).soft(180, 8, 8).repeat(2, 0).repeat(2, 1)
    face = reach < 6
    tone = np.where(dark > 0.62, 196, np.where(dark > 0.45, 218, 236))
    moon[..., 0], moon[..., 1], moon[..., 2] = tone, tone, np.minimum(tone + 12, 255)
    moon[..., 3] = np.where(face, 255, np.where(reach < 8, 40, 0))
    return sun, moon


def cloud_cells() -> np.ndarray:
    """(64, 64) uint8: long drifting patches that cover more than a quarter of the sky."""
    rows, cols = np.mgrid[0:64, 0:64]
    total = np.zeros((64, 64))
    for size, share, key in ((8, 1.0, 181), (16, 0.55, 182), (32, 0.15, 183)):
        lattice = uniform(0, key, size * size).reshape(size, size)
        r, c = rows * size / 64, cols * size / 64
        r0, c0 = r.astype(int), c.astype(int)
        fr, fc = r - r0, c - c0
        r1, c1 = (r0 + 1) % size, (c0 + 1) % size
        top = lattice[r0, c0] * (1 - fc) + lattice[r0, c1] * fc
        total += share * (top * (1 - fr) + (lattice[r1, c0] * (1 - fc) + lattice[r1, c1] * fc) * fr)
    return np.where(total > np.quantile(total, 0.72), 255, 0).astype(np.uint8)


@lru_cache(maxsize=8)
def _named(palette: int) -> tuple[dict[str, int], np.ndarray]:
    drawn = draw_tiles(palette)
    tiles = np.ascontiguousarray(np.stack(list(drawn.values())))
    return {name: index for index, name in enumerate(drawn)}, varied(tiles, palette) if palette else tiles


def tile_index(name: str) -> int:
    """Where a picture lies in ``Textures.tiles``, in every palette; names are those of tiles.py (``fire`` ...)."""
    return _named(0)[0][name]


@lru_cache(maxsize=8)
def build_textures(palette: int = 0) -> Textures:
    """The atlas of a palette, drawn once per process. The arrays are shared: do not write to them."""
    index, tiles = _named(palette)
    foliage = np.zeros(len(tiles), bool)
    foliage[[index[f"{wood}_leaves"] for wood in WOODS]] = True
    faces = np.array(
        [[index[name] for name in face_names(block, meta)] for block in RULES.blocks for meta in range(16)], np.uint16
    )
    sun, moon = sky_pictures()
    return Textures(tiles, shrunk(tiles, foliage), faces, crack_masks(), sun, moon, cloud_cells())
