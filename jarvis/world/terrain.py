"""The shape of the land: biomes, heights, caves and ores, as pure functions of a seed and a chunk's coordinates.

Densities are the rules' (``RULES.world["ore_distribution"]``): so many veins a chunk, of such a size, at such heights,
in the shape that the game gives them. Nothing depends on the order in which chunks are made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from jarvis.world.ids import (
    AIR,
    ANDESITE,
    BEDROCK,
    CACTUS,
    CLAY,
    COAL_ORE,
    DANDELION,
    DIAMOND_ORE,
    DIORITE,
    DIRT,
    GOLD_ORE,
    GRANITE,
    GRASS,
    GRASS_BLOCK,
    GRAVEL,
    ICE,
    IRON_ORE,
    LAPIS_ORE,
    LAVA,
    OPAQUE,
    POPPY,
    REDSTONE_ORE,
    SAND,
    SANDSTONE,
    SNOW,
    STONE,
    WATER,
)
from jarvis.world.layout import CHUNK, HEIGHT, SEA_LEVEL, hash3, mix64, uniform3
from jarvis.world.rules import RULES

BIOMES = (
    "ocean", "plains", "desert", "mountains", "forest", "taiga", "swamp", "river", "snowy_tundra", "beach",
    "birch_forest", "snowy_taiga",
)  # fmt: skip
(
    OCEAN, PLAINS, DESERT, MOUNTAINS, FOREST, TAIGA, SWAMP, RIVER, SNOWY_TUNDRA, BEACH, BIRCH_FOREST, SNOWY_TAIGA,
) = range(len(BIOMES))  # fmt: skip
BIOME_NUMBER = np.array([0, 1, 2, 3, 4, 5, 6, 7, 12, 16, 27, 30])  # the game's own numbers
TEMPERATURE = np.array([0.5, 0.8, 2.0, 0.2, 0.7, 0.25, 0.8, 0.5, 0.0, 0.8, 0.6, -0.5], np.float32)
RAINFALL = np.array([0.5, 0.4, 0.0, 0.3, 0.8, 0.8, 0.9, 0.5, 0.5, 0.4, 0.6, 0.4], np.float32)
TREES_A_CHUNK = np.array([0.0, 0.15, 0.0, 0.6, 10.0, 9.0, 2.0, 0.0, 0.3, 0.0, 9.0, 8.0])
GRASS_SHARE = np.array([0, 0.30, 0, 0.05, 0.12, 0.12, 0.15, 0, 0, 0, 0.12, 0])  # of columns with tall grass
FLOWER_SHARE = np.array([0, 0.02, 0, 0.002, 0.01, 0.004, 0.008, 0, 0, 0, 0.012, 0])
HERDS_A_CHUNK = np.array([0, 0.14, 0, 0.06, 0.1, 0.1, 0.06, 0, 0.05, 0, 0.1, 0.06])

# Half of a ball's width; a little under 1/2, so that size 8 gives the known 3.1 diamonds and 24.8 redstone a chunk.
VEIN_RADIUS = 0.475
LAVA_LEVEL = RULES.world["lava_fills_caves_below_y"]
ORE_BLOCKS = (
    DIRT, GRAVEL, GRANITE, DIORITE, ANDESITE, COAL_ORE, IRON_ORE, GOLD_ORE, REDSTONE_ORE, DIAMOND_ORE, LAPIS_ORE,
)  # fmt: skip
ORES = np.array(ORE_BLOCKS, np.int64)
_ORE_NAMES = tuple(RULES.blocks[block] for block in ORE_BLOCKS)
# What a rarity can be set for: one factor each, in this order.
RARITIES = ("trees", "animals", "coal", "iron", "gold", "redstone", "diamond", "lapis", "gravel", "dirt", "grass")
_RARITY_OF_ORE = np.array(
    [RARITIES.index(n.removesuffix("_ore")) if n.removesuffix("_ore") in RARITIES else -1 for n in _ORE_NAMES]
)


def _ore_table() -> np.ndarray:
    rows = []
    for name in _ORE_NAMES:
        facts = RULES.world["ore_distribution"][name]
        span = facts["y"]
        # a triangle has its peak in the middle of its range
        triangle = isinstance(span, str)
        low, high = (0, 30) if triangle else span
        rows.append((facts["vein"], facts["per_chunk"], low, high, triangle))
    return np.array(rows, np.float64)


ORE_TABLE = _ore_table()  # (ores, 5): blocks of a vein, veins a chunk, lowest and highest y, triangular or not


@dataclass(frozen=True)
class TerrainConfig:
    """What a world's land follows from."""

    seed: int
    biome: str | None = None  # the land is all of this kind
    rarity: Mapping[str, float] = field(default_factory=dict)  # factor on the rules' density by name (RARITIES)
    flat: bool = False  # stone to y 60, dirt, grass at y 63, nothing else

    def numbers(self) -> tuple[np.uint64, int, np.ndarray, bool]:
        """What the kernels take: seed, biome or -1, (RARITIES,) float64 factors, flat."""
        factors = np.array([self.rarity.get(name, 1.0) for name in RARITIES])
        return np.uint64(self.seed), -1 if self.biome is None else BIOMES.index(self.biome), factors, self.flat


# noise


@njit(cache=True, nogil=True)
def _corner(seed: np.uint64, x: int, z: int) -> np.uint64:
    return mix64(seed ^ (np.uint64(x) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(z) * np.uint64(0xC2B2AE3D27D4EB4F)))


@njit(cache=True, nogil=True)
def _slope(bits: np.uint64, x: float, z: float) -> float:
    side = int(bits & np.uint64(7))
    u, v = (x, z) if side < 4 else (z, x)
    return (u if side & 1 else -u) + (0.5 * v if side & 2 else -0.5 * v)


@njit(cache=True, nogil=True)
def noise2(seed: np.uint64, x: float, z: float) -> float:
    """Gradient noise in about [-1, 1] with features one unit wide."""
    ix, iz = math.floor(x), math.floor(z)
    fx, fz = x - ix, z - iz
    u, v = fx * fx * fx * (fx * (fx * 6 - 15) + 10), fz * fz * fz * (fz * (fz * 6 - 15) + 10)
    a = _slope(_corner(seed, ix, iz), fx, fz)
    b = _slope(_corner(seed, ix + 1, iz), fx - 1, fz)
    c = _slope(_corner(seed, ix, iz + 1), fx, fz - 1)
    d = _slope(_corner(seed, ix + 1, iz + 1), fx - 1, fz - 1)
    return 1.25 * (a + u * (b - a) + v * (c - a + u * (a - b - c + d)))


@njit(cache=True, nogil=True)
def noise3(seed: np.uint64, x: float, y: float, z: float) -> float:
    """Gradient noise in about [-1, 1] in three dimensions."""
    ix, iy, iz = math.floor(x), math.floor(y), math.floor(z)
    fx, fy, fz = x - ix, y - iy, z - iz
    u, v, w = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
    total = 0.0
    for corner in range(8):
        ox, oy, oz = corner & 1, corner >> 1 & 1, corner >> 2
        bits = int(mix64(_corner(seed, ix + ox, iz + oz) + np.uint64(iy + oy)) & np.uint64(15))
        gx, gy, gz = fx - ox, fy - oy, fz - oz
        p = gx if bits < 8 else gy
        q = gy if bits < 4 else (gx if bits in (12, 14) else gz)
        slope = (p if bits & 1 == 0 else -p) + (q if bits & 2 == 0 else -q)
        total += slope * (u if ox else 1 - u) * (v if oy else 1 - v) * (w if oz else 1 - w)
    return total


# What the surface is made from, a row each: octaves of noise, width of the widest in blocks, weight.
HEAT, WET, LAND, RIDGE, STREAM, HILLS, DETAIL, CREST = range(8)
_FIELDS = np.array(
    [
        (2, 420, 1.6),
        (2, 360, 1.6),
        (3, 520, 1.7),
        (2, 380, 1.7),
        (2, 460, 1.0),
        (4, 130, 1.0),
        (2, 34, 1.0),
        (4, 150, 1.0),
    ]
)


@njit(cache=True, nogil=True)
def _fields(seed: np.uint64, x: float, z: float, out: np.ndarray) -> None:
    """The (8,) noises of a column."""
    for row in range(8):
        total, weight, size = 0.0, 1.0, 0.0
        step = _FIELDS[row, 1]
        for octave in range(int(_FIELDS[row, 0])):
            total += weight * noise2(seed + np.uint64(row * 1009 + octave * 77 + 1), x / step, z / step)
            size += weight
            weight *= 0.5
            step *= 0.5
        out[row] = _FIELDS[row, 2] * total / size


@njit(cache=True, nogil=True)
def _smooth(value: float, low: float, high: float) -> float:
    t = min(1.0, max(0.0, (value - low) / (high - low)))
    return t * t * (3 - 2 * t)


# the surface


@njit(cache=True, nogil=True)
def column(seed: np.uint64, forced: int, x: int, z: int) -> tuple[int, int]:
    """Height of the ground (its highest cell, before caves and water) and biome of a column."""
    field = np.empty(8)
    _fields(seed, x, z, field)
    heat, wet, land, ridge = field[HEAT], field[WET], field[LAND] + 0.35, field[RIDGE]
    stream, hills, detail = abs(field[STREAM]), field[HILLS], field[DETAIL]
    if forced >= 0:
        land, stream, ridge = 0.5 + 0.1 * land, 1.0, -1.0
        if forced == OCEAN:
            land = -0.6 + 0.25 * wet
        elif forced == BEACH:
            land = -0.035 + 0.03 * wet
        elif forced == RIVER:
            stream = abs(math.sin(x * 0.05 + 2.0 * heat)) * 0.12
        elif forced == MOUNTAINS:
            ridge = 0.55 + 0.3 * field[RIDGE]
    mountain = _smooth(ridge, 0.18, 0.62) * _smooth(land, 0.05, 0.3)
    marsh = forced == SWAMP or (forced < 0 and wet > 0.42 and heat > -0.1 and mountain < 0.05)
    dune = forced == DESERT or (forced < 0 and heat > 0.4 and wet < 0.15)
    height = 66.5 + 9.0 * hills + 2.2 * detail
    if marsh:
        height = 62.3 + 2.0 * hills + 1.6 * detail
    elif dune:
        height = 66.0 + 5.0 * hills + 1.5 * detail
    if mountain > 0.0:
        crest = 1.0 - abs(field[CREST]) * 1.9
        height += mountain * (8.0 + 44.0 * max(0.0, crest) + 4.0 * detail)
    sea = _smooth(land, -0.12, 0.1)
    height = (46.0 + 6.0 * hills) * (1.0 - sea) + height * sea
    bank = _smooth(stream, 0.02, 0.085)
    wet_bed = 58.5 + 1.5 * detail
    if bank < 1.0 and height > wet_bed:
        height = wet_bed + (height - wet_bed) * (bank if mountain < 0.3 else max(bank, 0.25))
    top = math.floor(min(max(height, 30.0), HEIGHT - 9.0))

    if forced >= 0:
        biome = forced
    elif top < SEA_LEVEL - 1 and sea < 0.55:
        biome = OCEAN
    elif top < SEA_LEVEL - 1 and bank < 0.6:
        biome = RIVER
    elif top <= SEA_LEVEL + 1 and sea < 0.95 and not marsh:
        biome = BEACH
    elif mountain > 0.35:
        biome = MOUNTAINS
    elif marsh:
        biome = SWAMP
    elif dune:
        biome = DESERT
    elif heat < -0.62:
        biome = SNOWY_TAIGA if wet > 0.0 else SNOWY_TUNDRA
    elif heat < -0.28:
        biome = TAIGA
    elif wet > 0.22:
        biome = BIRCH_FOREST
    elif wet > -0.16:
        biome = FOREST
    else:
        biome = PLAINS
    return top, biome


@njit(cache=True, nogil=True)
def is_cold(biome: int, y: int) -> bool:
    """Whether snow lies and water freezes."""
    return biome in (SNOWY_TUNDRA, SNOWY_TAIGA) or (biome == MOUNTAINS and y > 94)


# caves


@njit(cache=True, nogil=True)
def _cave_lattice(seed: np.uint64, cx: int, cz: int) -> np.ndarray:
    """(3, 5, 5, 33) noise at every fourth cell: two that make tunnels where both are small, one that makes caverns."""
    lattice = np.empty((3, 5, 5, HEIGHT // 4 + 1))
    for i in range(5):
        for k in range(5):
            x, z = float(cx * CHUNK + 4 * i), float(cz * CHUNK + 4 * k)
            for j in range(HEIGHT // 4 + 1):
                y = 4.0 * j
                for n in range(3):
                    wide, tall = (44.0, 30.0) if n < 2 else (62.0, 34.0)
                    lattice[n, i, k, j] = noise3(seed + np.uint64(101 + 2 * n), x / wide, y / tall, z / wide)
    return lattice


@njit(cache=True, nogil=True)
def _carve(seed: np.uint64, cx: int, cz: int, blocks: np.ndarray, tops: np.ndarray) -> None:
    """Dig caves into a chunk of stone; their floors below the lava level fill with lava."""
    lattice = _cave_lattice(seed, cx, cz)
    for i in range(CHUNK):
        for k in range(CHUNK):
            a, b = i >> 2, k >> 2
            u, v = (i & 3) / 4.0, (k & 3) / 4.0
            limit = min(int(tops[i, k]) + 1, HEIGHT - 1)
            flooded = tops[i, k] < SEA_LEVEL + 1
            for j in range(1, limit // 4 + 1):
                low0 = low1 = low2 = high0 = high1 = high2 = 0.0
                for corner in range(4):
                    da, db = corner & 1, corner >> 1
                    weight = (u if da else 1 - u) * (v if db else 1 - v)
                    low0 += weight * lattice[0, a + da, b + db, j]
                    low1 += weight * lattice[1, a + da, b + db, j]
                    low2 += weight * lattice[2, a + da, b + db, j]
                    high0 += weight * lattice[0, a + da, b + db, j + 1]
                    high1 += weight * lattice[1, a + da, b + db, j + 1]
                    high2 += weight * lattice[2, a + da, b + db, j + 1]
                for step in range(4):
                    y = 4 * j + step
                    if y > limit or (flooded and y > tops[i, k] - 5):
                        break
                    w = step / 4.0
                    p, q = low0 + w * (high0 - low0), low1 + w * (high1 - low1)
                    r = low2 + w * (high2 - low2)
                    # tunnels thin out towards the surface, caverns lie deep
                    depth = tops[i, k] - y
                    width = 0.0085 if depth > 12 else 0.0048 + 0.0003 * depth
                    cavern = 0.52 + 0.004 * max(0, y - 30)
                    if (p * p + q * q < width or r > cavern) and blocks[i, k, y] != BEDROCK:
                        blocks[i, k, y] = LAVA if y < LAVA_LEVEL else AIR


# ores


@njit(cache=True, nogil=True)
def _vein(
    seed: np.uint64, cx: int, cz: int, vx: int, vy: int, vz: int, size: int, ore: int, draw: int, blocks: np.ndarray
) -> None:
    """The part of a vein that lies in a chunk: balls along a slanting line, thickest in the middle."""
    turn = uniform3(seed, draw, 1, ore) * math.pi
    reach = size / 8.0
    x0, x1 = vx + math.sin(turn) * reach, vx - math.sin(turn) * reach
    z0, z1 = vz + math.cos(turn) * reach, vz - math.cos(turn) * reach
    y0 = vy + math.floor(uniform3(seed, draw, 2, ore) * 3) - 2
    y1 = vy + math.floor(uniform3(seed, draw, 3, ore) * 3) - 2
    for ball in range(size):
        t = ball / size
        radius = ((math.sin(math.pi * t) + 1.0) * uniform3(seed, draw, 4 + ball, ore) * size / 16.0 + 1.0) * VEIN_RADIUS
        x, y, z = x0 + (x1 - x0) * t, y0 + (y1 - y0) * t, z0 + (z1 - z0) * t
        for px in range(max(math.floor(x - radius), cx * CHUNK), min(math.floor(x + radius), cx * CHUNK + 15) + 1):
            for pz in range(max(math.floor(z - radius), cz * CHUNK), min(math.floor(z + radius), cz * CHUNK + 15) + 1):
                for py in range(max(math.floor(y - radius), 1), min(math.floor(y + radius), HEIGHT - 1) + 1):
                    dx, dy, dz = (px + 0.5 - x) / radius, (py + 0.5 - y) / radius, (pz + 0.5 - z) / radius
                    if dx * dx + dy * dy + dz * dz < 1.0:
                        here = blocks[px - cx * CHUNK, pz - cz * CHUNK, py]
                        if here == STONE or here == GRANITE or here == DIORITE or here == ANDESITE:
                            blocks[px - cx * CHUNK, pz - cz * CHUNK, py] = ore


@njit(cache=True, nogil=True)
def _ores(
    seed: np.uint64, cx: int, cz: int, table: np.ndarray, ores: np.ndarray, rarity: np.ndarray, factors: np.ndarray,
    blocks: np.ndarray,
) -> None:  # fmt: skip
    """Every vein of this chunk and of its eight neighbours, as far as it reaches in here."""
    for kind in range(len(ores)):
        size, often = int(table[kind, 0]), table[kind, 1]
        if rarity[kind] >= 0:
            often *= factors[rarity[kind]]
        reach = size / 8.0 + size / 16.0 + 1.0
        for ox in range(-1, 2):
            for oz in range(-1, 2):
                nx, nz = cx + ox, cz + oz
                key = hash3(seed + np.uint64(211), nx, nz, kind)
                # a broken density is met on average
                count = int(often) + (uniform3(key, 0, 0, 0) < often - int(often))
                for vein in range(count):
                    bits = mix64(key + np.uint64(vein + 1))
                    x = nx * CHUNK + int(bits & np.uint64(15))
                    z = nz * CHUNK + int((bits >> np.uint64(4)) & np.uint64(15))
                    if x + reach < cx * CHUNK or x - reach > cx * CHUNK + 15:
                        continue
                    if z + reach < cz * CHUNK or z - reach > cz * CHUNK + 15:
                        continue
                    low, high = table[kind, 2], table[kind, 3]
                    share = float((bits >> np.uint64(11)) & np.uint64(0xFFFFF)) / 0x100000
                    if table[kind, 4]:
                        share = 0.5 * (share + float((bits >> np.uint64(31)) & np.uint64(0xFFFFF)) / 0x100000)
                    y = int(low + share * (high - low + 1))
                    if y < HEIGHT + 4:
                        _vein(key, cx, cz, x, y, z, size, ores[kind], vein, blocks)


# a whole chunk


@njit(cache=True, nogil=True)
def _flat(blocks: np.ndarray, biome: np.ndarray) -> None:
    biome[:] = PLAINS
    blocks[:, :, 0] = BEDROCK
    blocks[:, :, 1:60] = STONE
    blocks[:, :, 60:63] = DIRT
    blocks[:, :, 63] = GRASS_BLOCK


@njit(cache=True, nogil=True)
def _soil(blocks: np.ndarray, i: int, k: int, top: int, biome: int, rough: float) -> None:
    """Cover a column of stone with what its biome has on top."""
    depth = 3 + int(rough * 2.0)
    sandy = biome == DESERT or biome == BEACH or ((biome == OCEAN or biome == RIVER) and rough < 0.5)
    bare = biome == MOUNTAINS and (top > 92 + int(rough * 8) or (top > 80 and rough > 0.75))
    for y in range(max(1, top - depth), top + 1):
        if blocks[i, k, y] != STONE:
            continue
        if bare:
            continue
        if sandy:
            blocks[i, k, y] = SAND
        elif biome == OCEAN or biome == RIVER or top < SEA_LEVEL - 1:
            blocks[i, k, y] = GRAVEL if rough > 0.8 else (CLAY if rough > 0.68 and y == top else DIRT)
        else:
            blocks[i, k, y] = GRASS_BLOCK if y == top else DIRT
    if sandy and biome != RIVER:
        for y in range(max(1, top - depth - 3), top - depth):
            if blocks[i, k, y] == STONE:
                blocks[i, k, y] = SANDSTONE


@njit(cache=True, nogil=True)
def ground_chunk(
    seed: np.uint64,
    forced: int,
    factors: np.ndarray,
    flat: bool,
    table: np.ndarray,
    ores: np.ndarray,
    rarity: np.ndarray,
    cx: int,
    cz: int,
    blocks: np.ndarray,
    meta: np.ndarray,
    biome: np.ndarray,
    tops: np.ndarray,
) -> None:
    """Make the ground of a chunk, all but trees: (16, 16, 128) blocks and meta, (16, 16) biome and tops."""
    blocks[:] = AIR
    meta[:] = 0
    if flat:
        _flat(blocks, biome)
        tops[:] = 63
        return
    for i in range(CHUNK):
        for k in range(CHUNK):
            top, kind = column(seed, forced, cx * CHUNK + i, cz * CHUNK + k)
            tops[i, k], biome[i, k] = top, kind
            for y in range(top + 1):
                blocks[i, k, y] = STONE
            blocks[i, k, 0] = BEDROCK
            for y in range(1, 5):
                if uniform3(seed, cx * CHUNK + i, y, cz * CHUNK + k) < (5 - y) / 5.0:
                    blocks[i, k, y] = BEDROCK
    for i in range(CHUNK):
        for k in range(CHUNK):
            x, z = cx * CHUNK + i, cz * CHUNK + k
            rough = 0.5 + 0.5 * noise2(seed + np.uint64(151), x / 23.0, z / 23.0)
            rough = min(0.999, max(0.0, rough + 0.1 * (uniform3(seed, x, 7, z) - 0.5)))
            _soil(blocks, i, k, int(tops[i, k]), int(biome[i, k]), rough)
    _ores(seed, cx, cz, table, ores, rarity, factors, blocks)
    _carve(seed, cx, cz, blocks, tops)
    for i in range(CHUNK):
        for k in range(CHUNK):
            x, z = cx * CHUNK + i, cz * CHUNK + k
            top, kind = int(tops[i, k]), int(biome[i, k])
            for y in range(top + 1, SEA_LEVEL):
                blocks[i, k, y] = WATER
            if top < SEA_LEVEL - 1:
                if is_cold(kind, SEA_LEVEL):
                    blocks[i, k, SEA_LEVEL - 1] = ICE
                continue
            ground, luck = blocks[i, k, top], uniform3(seed, x, 11, z)
            if blocks[i, k, top + 1] != AIR:
                continue
            if ground == AIR or ground == WATER or ground == LAVA:
                continue
            if is_cold(kind, top) and OPAQUE[ground]:
                blocks[i, k, top + 1] = SNOW
                if ground == GRASS_BLOCK:
                    meta[i, k, top] = 1
            elif ground == GRASS_BLOCK:
                # meadows lie in patches
                patch = 0.4 + 1.2 * max(0.0, 0.5 + 0.5 * noise2(seed + np.uint64(157), x / 19.0, z / 19.0))
                if luck < FLOWER_SHARE[kind] * patch:
                    blocks[i, k, top + 1] = DANDELION if uniform3(seed, x, 13, z) < 0.6 else POPPY
                elif luck < (FLOWER_SHARE[kind] + GRASS_SHARE[kind]) * patch * factors[10]:
                    blocks[i, k, top + 1] = GRASS
            elif ground == SAND and kind == DESERT and luck < 0.006 and 0 < i < 15 and 0 < k < 15:
                tall = 1 + int(uniform3(seed, x, 17, z) * 3)
                clear = True
                for y in range(top + 1, top + 1 + tall):
                    for side in range(4):
                        ni = i + (1 if side == 0 else -1 if side == 1 else 0)
                        nk = k + (1 if side == 2 else -1 if side == 3 else 0)
                        clear = clear and blocks[ni, nk, y] == AIR and tops[ni, nk] < y
                if clear:
                    for y in range(top + 1, top + 1 + tall):
                        blocks[i, k, y] = CACTUS


GROUND_TABLES = (ORE_TABLE, ORES, _RARITY_OF_ORE)
