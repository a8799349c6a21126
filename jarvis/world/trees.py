"""Trees: which grow where, and the cells of one."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from jarvis.world.ids import (
    AIR,
    BEDROCK,
    BIRCH_LEAVES,
    BIRCH_LOG,
    BIRCH_SAPLING,
    DANDELION,
    DIRT,
    GRASS,
    OAK_LEAVES,
    OAK_LOG,
    OAK_SAPLING,
    POPPY,
    SNOW,
    SPRUCE_LEAVES,
    SPRUCE_LOG,
    SPRUCE_SAPLING,
)
from jarvis.world.layout import CHUNK, HEIGHT, SEA_LEVEL, Grid, get_block, mix64
from jarvis.world.rules import RULES
from jarvis.world.terrain import (
    BIRCH_FOREST,
    FOREST,
    MOUNTAINS,
    SNOWY_TAIGA,
    SNOWY_TUNDRA,
    TAIGA,
    TREES_A_CHUNK,
    column,
)

OAK, BIRCH, SPRUCE = range(3)
LOG = np.array([OAK_LOG, BIRCH_LOG, SPRUCE_LOG])
LEAVES = np.array([OAK_LEAVES, BIRCH_LEAVES, SPRUCE_LEAVES])
SAPLINGS = {OAK_SAPLING: OAK, BIRCH_SAPLING: BIRCH, SPRUCE_SAPLING: SPRUCE}
MOST_CELLS = 400
CROWDED = 10.0  # trees a chunk where every try succeeds


@njit(cache=True, nogil=True)
def tree_cells(kind: int, bits: np.uint64, cells: np.ndarray) -> int:
    """The cells of a tree over the ground cell (0, 0, 0): rows (dx, dy, dz, block) of ``cells``; how many.

    ``bits`` decides height and ragged corners. Leaves come first, so that the trunk overwrites them.
    """
    height = (4 if kind == OAK else 5 if kind == BIRCH else 6) + int(bits % np.uint64(3))
    n = 0
    if kind == SPRUCE:
        height += int((bits >> np.uint64(7)) % np.uint64(2))
        bare = 1 + int((bits >> np.uint64(9)) % np.uint64(2))
        widest = 2 + int((bits >> np.uint64(11)) % np.uint64(2))
        radius, limit = 0, 1
        for dy in range(height + 1, bare, -1):
            for dx in range(-radius, radius + 1):
                for dz in range(-radius, radius + 1):
                    if radius > 0 and abs(dx) == radius and abs(dz) == radius:
                        continue
                    cells[n, 0], cells[n, 1], cells[n, 2], cells[n, 3] = dx, dy, dz, LEAVES[kind]
                    n += 1
            if radius >= limit:
                radius, limit = (0 if dy > height else 1), min(limit + 1, widest)
            else:
                radius += 1
    else:
        for layer in range(4):
            dy = height - 2 + layer
            radius = 2 if layer < 2 else 1
            for dx in range(-radius, radius + 1):
                for dz in range(-radius, radius + 1):
                    if abs(dx) == radius and abs(dz) == radius:
                        ragged = mix64(bits + np.uint64(layer * 25 + (dx + 2) * 5 + dz + 2)) & np.uint64(1)
                        if layer == 3 or ragged == 0:
                            continue
                    cells[n, 0], cells[n, 1], cells[n, 2], cells[n, 3] = dx, dy, dz, LEAVES[kind]
                    n += 1
    for dy in range(1, height + 1):
        cells[n, 0], cells[n, 1], cells[n, 2], cells[n, 3] = 0, dy, 0, LOG[kind]
        n += 1
    return n


@njit(cache=True, nogil=True)
def kind_of(biome: int, luck: int) -> int:
    """Which tree stands in a biome; ``luck`` 0..15."""
    if biome == TAIGA or biome == SNOWY_TAIGA or biome == SNOWY_TUNDRA:
        return SPRUCE
    if biome == BIRCH_FOREST:
        return BIRCH
    if biome == FOREST:
        return BIRCH if luck < 3 else OAK
    if biome == MOUNTAINS:
        return SPRUCE if luck < 8 else OAK
    return OAK


@njit(cache=True, nogil=True)
def plant_chunk(
    seed: np.uint64, forced: int, density: float, cx: int, cz: int, blocks: np.ndarray, meta: np.ndarray
) -> None:
    """Put the trees of this chunk and its neighbours into (16, 16, 128) blocks, as far as they reach in here."""
    cells = np.empty((MOST_CELLS, 4), np.int64)
    tries = math.ceil(CROWDED * density)
    share = CROWDED * density / tries if tries > 0 else 0.0
    for ox in range(-1, 2):
        for oz in range(-1, 2):
            for k in range(tries):
                bits = mix64(
                    seed + np.uint64(401) + mix64(np.uint64((cx + ox) * 1000003 + (cz + oz)) + np.uint64(k * 7))
                )
                x = (cx + ox) * CHUNK + int(bits & np.uint64(15))
                z = (cz + oz) * CHUNK + int((bits >> np.uint64(4)) & np.uint64(15))
                i, j = x - cx * CHUNK, z - cz * CHUNK
                if i < -3 or i > 18 or j < -3 or j > 18:
                    continue
                top, biome = column(seed, forced, x, z)
                luck = float((bits >> np.uint64(20)) & np.uint64(0xFFFF)) / 65536.0
                if top < SEA_LEVEL or top > 104 or luck >= share * TREES_A_CHUNK[biome] / CROWDED:
                    continue
                kind = kind_of(biome, int((bits >> np.uint64(40)) & np.uint64(15)))
                count = tree_cells(kind, bits >> np.uint64(24), cells)
                for c in range(count):
                    px, py, pz, block = i + cells[c, 0], top + cells[c, 1], j + cells[c, 2], cells[c, 3]
                    if 0 <= px < CHUNK and 0 <= pz < CHUNK and py < HEIGHT:
                        here = blocks[px, pz, py]
                        trunk = block == LOG[kind]
                        if trunk or here == AIR or here == GRASS or here == SNOW or here == DANDELION or here == POPPY:
                            blocks[px, pz, py] = block
                            meta[px, pz, py] = 0
                if 0 <= i < CHUNK and 0 <= j < CHUNK and blocks[i, j, top] != BEDROCK:
                    blocks[i, j, top], meta[i, j, top] = DIRT, 0


@njit(cache=True, nogil=True)
def snow_on_leaves(biome: np.ndarray, blocks: np.ndarray) -> None:
    """Let snow lie on the crowns of trees in snowy biomes."""
    for i in range(CHUNK):
        for k in range(CHUNK):
            if biome[i, k] != SNOWY_TAIGA and biome[i, k] != SNOWY_TUNDRA:
                continue
            y = HEIGHT - 2
            while y > 0 and blocks[i, k, y] == AIR:
                y -= 1
            if blocks[i, k, y] == SPRUCE_LEAVES or blocks[i, k, y] == OAK_LEAVES:
                blocks[i, k, y + 1] = SNOW


def grown(grid: Grid, sapling: int, x: int, y: int, z: int, seed: np.uint64) -> list[tuple[int, int, int, int, int]]:
    """Cells (x, y, z, block, meta) of the tree that a sapling at a cell grows into; none if it has no room."""
    cells = np.empty((MOST_CELLS, 4), np.int64)
    bits = mix64(np.uint64(seed) ^ np.uint64((x * 73856093 ^ y * 19349663 ^ z * 83492791) & 0x7FFFFFFFFFFFFFFF))
    count = tree_cells(SAPLINGS[sapling], bits, cells)
    out = []
    for dx, dy, dz, block in cells[:count].tolist():
        there = get_block(grid, x + dx, y - 1 + dy, z + dz)
        free = RULES.table.replaceable[there] or RULES.blocks[there] in RULES.tags["leaves"] or there == sapling
        trunk = dx == 0 and dz == 0
        if not free and trunk:
            return []
        if free and y - 1 + dy < HEIGHT:
            out.append((x + dx, y - 1 + dy, z + dz, block, 0))
    return out
