"""Icons of items, 16 x 16: blocks as small cubes seen from a corner, plants flat, everything else from bitmaps.py."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from jarvis.world import shapes
from jarvis.world.bitmaps import HANDLE, ITEMS
from jarvis.world.pixels import empty, letters, rgba
from jarvis.world.rules import RULES
from jarvis.world.textures import EAST_FACE, SOUTH_FACE, UP_FACE, build_textures, tile_index, varied

FINE = 3  # samples along each side of a texel
SHADES = {UP_FACE: 1.0, SOUTH_FACE: 0.8, EAST_FACE: 0.62}
FLAT = {"ladder": "ladder", "glass_pane": "glass", "grass": "tall_grass"}  # items shown as the picture of their block
CONTRAST = 1.3
SCALE = 10.0  # texels per metre: the cube fills the icon

# The view of a corner: +x goes right, +z left, both down the picture; 45 degrees round, 30 degrees from above.
_RIGHT = np.array([1, 0, -1]) / np.sqrt(2)
_TOWARDS = np.array([np.cos(np.pi / 6) / np.sqrt(2), np.sin(np.pi / 6), np.cos(np.pi / 6) / np.sqrt(2)])
_UP = np.cross(_TOWARDS, _RIGHT)


def cube_samples(boxes: list[shapes.Box]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where the sight lines of an icon meet boxes, four (48, 48) arrays.

    They are the face (-1: none), the row and the column of its picture, and the shade.
    """
    at = (np.arange(16 * FINE) + 0.5) / FINE - 8
    down, across = np.meshgrid(at, at, indexing="ij")
    origin = (
        0.5 + (across[..., None] * _RIGHT - down[..., None] * _UP) / SCALE
    )  # in the plane through the cell's middle
    face = np.full(down.shape, -1)
    best = np.full(down.shape, -np.inf)
    hit = np.zeros((*down.shape, 3))
    for box in boxes:
        low, high = np.array(box[:3]), np.array(box[3:])
        # sight lines come from +x +y +z, so each box shows its three high faces, whichever is met last on the way in
        reach = (high - origin) / _TOWARDS
        leave = ((low - origin) / _TOWARDS).max(-1)
        axis = reach.argmin(-1)
        enter = reach.min(-1)
        seen = (enter > leave) & (enter > best)
        best = np.where(seen, enter, best)
        face = np.where(seen, 2 * axis + 1, face)
        hit = np.where(seen[..., None], origin + enter[..., None] * _TOWARDS, hit)
    x, y, z = (np.clip((hit[..., i] * 16).astype(int), 0, 15) for i in range(3))
    rows = np.where(face == UP_FACE, z, 15 - y)
    cols = np.where(face == EAST_FACE, 15 - z, x)
    shade = np.select([face == f for f in SHADES], list(SHADES.values()), 0.0)
    return face, rows, cols, shade


def cube_icons(tiles: np.ndarray, samples: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """(n, 16, 16, 4) icons from (n, 6, 16, 16, 4) pictures of faces."""
    face, rows, cols, shade = samples
    texels = tiles[:, np.maximum(face, 0), rows, cols].astype(np.float32)
    weight = texels[..., 3] * (face >= 0)
    colour = texels[..., :3] * shade[..., None] * weight[..., None]
    blocks = (len(tiles), 16, FINE, 16, FINE)
    total = weight.reshape(blocks).sum((2, 4))
    mean = colour.reshape(*blocks, 3).sum((2, 4)) / np.maximum(total, 1)[..., None]
    out = np.zeros((len(tiles), 16, 16, 4), np.uint8)
    solid = total > 0.45 * 255 * FINE * FINE
    # averaging washes out what tells blocks apart (the specks of an ore), so exaggerate it
    middle = (mean * solid[..., None]).sum((1, 2), keepdims=True) / np.maximum(solid.sum((1, 2)), 1)[
        :, None, None, None
    ]
    out[solid, :3] = np.clip(middle + CONTRAST * (mean - middle) + 6, 0, 255)[solid]
    out[solid, 3] = 255
    return out


def bow() -> np.ndarray:
    """A bow bent towards the upper left, its string from corner to corner."""
    out = empty()
    for t in np.linspace(0, 1, 40):
        out[round(14 - 12 * t), round(2 + 12 * t)] = rgba("d8d8d8")
    for offset, colour in ((0.9, HANDLE["j"]), (-0.9, HANDLE["j"]), (0.0, HANDLE["h"])):
        for t in np.linspace(0, 1, 60):
            bulge = 4 * t * (1 - t) * 5.0 + offset * (0.4 + 1.2 * t * (1 - t))
            row, col = round(14 - 12 * t - bulge * 0.707), round(2 + 12 * t - bulge * 0.707)
            if 0 <= row < 16 and 0 <= col < 16:
                out[row, col] = rgba("a3a3a3" if abs(t - 0.5) < 0.07 and offset == 0 else colour)
    return out


def drawn(name: str) -> np.ndarray:
    """The icon of a thing in bitmaps.py."""
    drawing, colours, others = ITEMS[name]
    return letters(drawing, dict(zip("k1234", colours.split(), strict=True)) | others)


@lru_cache(maxsize=8)
def build_icons(palette: int = 0) -> np.ndarray:
    """(items, 16, 16, 4) uint8 RGBA by item id, index 0 empty. Drawn once per process: do not write to it."""
    textures = build_textures(palette)
    out = np.zeros((len(RULES.items), 16, 16, 4), np.uint8)
    from_bitmaps = []
    cubes: dict[tuple[shapes.Box, ...], list[tuple[int, np.ndarray]]] = {}
    for item, name in enumerate(RULES.items[1:], 1):
        block = int(RULES.places[item])
        if name in ITEMS or name == "bow":
            out[item] = bow() if name == "bow" else drawn(name)
            from_bitmaps.append(item)
        elif name == "oak_door":
            tall = np.concatenate([textures.tiles[tile_index("door_upper")], textures.tiles[tile_index("door_lower")]])
            out[item, :, 4:12] = tall[1::2, ::2]
        elif name in FLAT or shapes.SHAPES.kind[block] == shapes.CROSS:
            out[item] = textures.tiles[tile_index(FLAT[name]) if name in FLAT else textures.faces[16 * block, 0]]
            if name in FLAT and name == "glass_pane":
                out[item][out[item][..., 3] == 0] = rgba("cfe6ee50")
        else:
            pictures = textures.tiles[textures.faces[16 * block]].copy()
            if name.endswith("_leaves"):  # what shows through a hole is leaf in shade
                holes = pictures[..., 3] == 0
                pictures[holes] = np.append(pictures[~holes][:, :3].mean(0) * 0.45, 255).astype(np.uint8)
            elif name == "glass":
                pictures[pictures[..., 3] == 0] = rgba("cfe6ee9c")
            elif name == "ice":
                pictures[..., 3] = 255
            boxes = tuple(shapes.visual_boxes(RULES.blocks[block], 0))
            cubes.setdefault(boxes, []).append((item, pictures))
    for boxes, members in cubes.items():
        made = cube_icons(np.stack([pictures for _, pictures in members]), cube_samples(list(boxes)))
        out[[item for item, _ in members]] = made
    if palette:
        out[from_bitmaps] = varied(out[from_bitmaps], palette)
    return out
