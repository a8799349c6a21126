"""The land around the player: chunks are made when they come near, remembered if they were changed, forgotten if not.

chunks = Chunks(TerrainConfig(seed=7))
x, y, z = chunks.find_spawn()
chunks.ensure(x, z)                 # every chunk within six, nearest first, lit
chunks.ensure(x, z, limit=2)        # each tick of play
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from jarvis.world import light, terrain, trees
from jarvis.world.ids import BEDROCK, GRASS_BLOCK, SAND, SNOW, SNOW_BLOCK
from jarvis.world.layout import (
    BRICK,
    CHUNK,
    HEIGHT,
    LIVELY,
    MASK,
    SEA_LEVEL,
    UNLOADED,
    WINDOW_CHUNKS,
    Grid,
    chunk_loaded,
    empty_grid,
    put_block,
    uniform3,
)
from jarvis.world.rules import RULES
from jarvis.world.terrain import TerrainConfig

LOAD_RADIUS = 6  # chunks
SLOT = WINDOW_CHUNKS - 1
ANIMALS = ("cow", "pig", "sheep", "chicken")


@njit(cache=True, nogil=True)
def install(grid: Grid, cx: int, cz: int, blocks: np.ndarray, meta: np.ndarray, biome: np.ndarray) -> None:
    """Put a made chunk into its slot of the window and light it."""
    i0, k0 = (cx * CHUNK) & MASK, (cz * CHUNK) & MASK
    for bi in range(i0 >> 3, (i0 + CHUNK) >> 3):
        for bk in range(k0 >> 3, (k0 + CHUNK) >> 3):
            grid.bricks[bi, bk] = 0
    lively = 0
    for i in range(CHUNK):
        for k in range(CHUNK):
            top = 0
            for y in range(HEIGHT):
                block = blocks[i, k, y]
                grid.blocks[i0 + i, k0 + k, y] = block
                grid.meta[i0 + i, k0 + k, y] = meta[i, k, y]
                if LIVELY[block]:
                    lively |= 1 << (y >> 4)
                if block != 0:
                    top = y + 1
                    grid.bricks[(i0 + i) // BRICK, (k0 + k) // BRICK, y // BRICK] += 1
            grid.top[i0 + i, k0 + k] = top
            grid.biome[i0 + i, k0 + k] = biome[i, k]
    grid.lively[cx & SLOT, cz & SLOT] = lively
    slot = grid.chunk_at[cx & SLOT, cz & SLOT]
    slot[0], slot[1] = cx, cz
    light.relight_chunk(grid, cx, cz)


@njit(cache=True, nogil=True)
def evict(grid: Grid, sx: int, sz: int) -> None:
    """Empty a slot. What is not loaded is dark bedrock that no picture shows: neither light nor bodies enter."""
    i0, k0 = sx * CHUNK, sz * CHUNK
    grid.blocks[i0 : i0 + CHUNK, k0 : k0 + CHUNK] = BEDROCK
    grid.meta[i0 : i0 + CHUNK, k0 : k0 + CHUNK] = 0
    grid.light[i0 : i0 + CHUNK, k0 : k0 + CHUNK] = 0
    grid.bricks[i0 >> 3 : (i0 + CHUNK) >> 3, k0 >> 3 : (k0 + CHUNK) >> 3] = 0
    grid.top[i0 : i0 + CHUNK, k0 : k0 + CHUNK] = 0
    grid.chunk_at[sx, sz] = UNLOADED


def generate_chunk(config: TerrainConfig, cx: int, cz: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A new chunk: (16, 16, 128) uint8 blocks and meta by [x, z, y], (16, 16) uint8 biome. The same every time."""
    seed, forced, factors, flat = config.numbers()
    blocks = np.empty((CHUNK, CHUNK, HEIGHT), np.uint8)
    meta = np.empty_like(blocks)
    biome = np.empty((CHUNK, CHUNK), np.uint8)
    tops = np.empty((CHUNK, CHUNK), np.int64)
    terrain.ground_chunk(seed, forced, factors, flat, *terrain.GROUND_TABLES, cx, cz, blocks, meta, biome, tops)
    if not flat:
        trees.plant_chunk(seed, forced, float(factors[0]), cx, cz, blocks, meta)
        trees.snow_on_leaves(biome, blocks)
    return blocks, meta, biome


class Chunks:
    """The loaded land of one world and the memory of what was changed in the rest."""

    def __init__(self, config: TerrainConfig, load_radius: int = LOAD_RADIUS) -> None:
        self.config = config
        self.load_radius = load_radius
        self.grid = empty_grid()
        self.grid.blocks[:] = BEDROCK
        self._kept: dict[tuple[int, int], tuple[bytes, bytes]] = {}  # changed chunks that are not loaded
        self._changed: set[tuple[int, int]] = set()  # loaded ones; only ever asked whether it holds one
        self._centre: tuple[int, int] | None = None  # around which everything is loaded
        span = range(-load_radius, load_radius + 1)
        round_one = [(dx, dz) for dx in span for dz in span if dx * dx + dz * dz <= (load_radius + 0.5) ** 2]
        self._offsets = sorted(round_one, key=lambda offset: (offset[0] ** 2 + offset[1] ** 2, offset))

    # loading

    def ensure(self, x: float, z: float, limit: int | None = None) -> list[tuple[int, int]]:
        """Load chunks around a position in metres, nearest first, at most ``limit``; the new ones (cx, cz)."""
        centre = (math.floor(x) // CHUNK, math.floor(z) // CHUNK)
        if centre == self._centre:
            return []
        new: list[tuple[int, int]] = []
        for dx, dz in self._offsets:
            cx, cz = centre[0] + dx, centre[1] + dz
            if not self.holds(cx, cz):
                if limit is not None and len(new) >= limit:
                    return new
                if not new:
                    self._forget_far(centre)
                self._load(cx, cz)
                new.append((cx, cz))
        self._centre = centre
        return new

    def holds(self, cx: int, cz: int) -> bool:
        """Whether a chunk is loaded."""
        slot = self.grid.chunk_at[cx & SLOT, cz & SLOT]
        return bool(slot[0] == cx and slot[1] == cz)

    def loaded(self) -> list[tuple[int, int]]:
        """All loaded chunks, in the order of their coordinates."""
        held = self.grid.chunk_at.reshape(-1, 2).tolist()
        return sorted((cx, cz) for cx, cz in held if cx != UNLOADED)

    def _load(self, cx: int, cz: int) -> None:
        if self.grid.chunk_at[cx & SLOT, cz & SLOT, 0] != UNLOADED:
            self._evict(cx & SLOT, cz & SLOT)
        blocks, meta, biome = generate_chunk(self.config, cx, cz)
        if (cx, cz) in self._kept:
            old_blocks, old_meta = self._kept.pop((cx, cz))
            blocks = np.frombuffer(old_blocks, np.uint8).reshape(blocks.shape)
            meta = np.frombuffer(old_meta, np.uint8).reshape(blocks.shape)
            self._changed.add((cx, cz))
        install(self.grid, cx, cz, np.array(blocks), np.array(meta), biome)

    def _forget_far(self, centre: tuple[int, int]) -> None:
        # NOTE: a free ring must stay between the two ends of the window, or light would pass from one to the other
        far = WINDOW_CHUNKS // 2 - 1
        for cx, cz in self.loaded():
            if max(abs(cx - centre[0]), abs(cz - centre[1])) > far:
                self._evict(cx & SLOT, cz & SLOT)

    def _evict(self, sx: int, sz: int) -> None:
        cx, cz = self.grid.chunk_at[sx, sz].tolist()
        if (cx, cz) in self._changed:
            self._changed.discard((cx, cz))
            part = np.s_[sx * CHUNK : (sx + 1) * CHUNK, sz * CHUNK : (sz + 1) * CHUNK]
            self._kept[cx, cz] = self.grid.blocks[part].tobytes(), self.grid.meta[part].tobytes()
        evict(self.grid, sx, sz)
        self._centre = None

    # changes

    def touch(self, x: int, z: int) -> None:
        """Remember that the chunk of a column was changed."""
        self._changed.add((x // CHUNK, z // CHUNK))

    def put(self, x: int, y: int, z: int, block: int, meta: int) -> None:
        """Write a cell of the loaded land and light it anew; nothing flows or falls because of it."""
        put_block(self.grid, x, y, z, block, meta)
        self.touch(x, z)
        light.relight(self.grid, x, y, z)

    # places

    def find_spawn(self) -> tuple[float, float, float]:
        """A place to begin near the origin, in metres: open, dry ground of grass or sand if there is any."""
        seed, forced, _, flat = self.config.numbers()
        if flat:
            self._load(0, 0)
            return 0.5, 64.0, 0.5
        wet: tuple[float, float, float] | None = None
        for ring in range(0, 60):
            for turn in range(max(1, 6 * ring)):
                angle = 2 * math.pi * turn / max(1, 6 * ring)
                x, z = round(8 * ring * math.cos(angle)), round(8 * ring * math.sin(angle))
                top, biome = terrain.column(seed, forced, x, z)
                rocky = forced < 0 and biome in (terrain.MOUNTAINS, terrain.BEACH)
                if top < SEA_LEVEL or rocky:
                    wet = wet or (x + 0.5, float(max(top + 1, SEA_LEVEL)), z + 0.5)
                    continue
                if not self.holds(x // CHUNK, z // CHUNK):
                    self._load(x // CHUNK, z // CHUNK)
                i, k = x & MASK, z & MASK
                above = self.grid.blocks[i, k, top + 1 : top + 4]
                ground = self.grid.blocks[i, k, top]
                covered = RULES.table.solid[above].any() and above[0] != SNOW
                if ground in (GRASS_BLOCK, SAND, SNOW_BLOCK) and not covered and self.grid.top[i, k] <= top + 2:
                    return x + 0.5, top + 1.0, z + 0.5
        if wet is None:
            raise RuntimeError(f"seed {self.config.seed}: no place to begin within 480 blocks of the origin")
        return wet

    def animals(self, cx: int, cz: int) -> list[tuple[str, float, float, float]]:
        """(mob, x, y, z) of the herd that lives in a new chunk, if one does; the same every time."""
        seed, _, factors, flat = self.config.numbers()
        i0, k0 = (cx * CHUNK) & MASK, (cz * CHUNK) & MASK
        biome = int(self.grid.biome[i0 + 8, k0 + 8])
        often = terrain.HERDS_A_CHUNK[biome] * factors[terrain.RARITIES.index("animals")]
        if flat or (cx, cz) in self._changed or uniform3(seed, cx, 501, cz) >= often:
            return []
        mob = ANIMALS[int(uniform3(seed, cx, 503, cz) * len(ANIMALS))]
        size = 2 + int(uniform3(seed, cx, 505, cz) * 3)
        herd = []
        for member in range(size):
            i = min(15, int(4 + uniform3(seed, cx, 507 + 2 * member, cz) * 9))
            k = min(15, int(4 + uniform3(seed, cx, 508 + 2 * member, cz) * 9))
            y = int(self.grid.top[i0 + i, k0 + k])
            while y > 1 and not RULES.table.solid[self.grid.blocks[i0 + i, k0 + k, y - 1]]:
                y -= 1
            if self.grid.blocks[i0 + i, k0 + k, y - 1] == GRASS_BLOCK:
                herd.append((mob, cx * CHUNK + i + 0.5, float(y), cz * CHUNK + k + 0.5))
        return herd

    # snapshots

    def snapshot(self) -> dict[str, Any]:
        """A copy of the land: what ``restore`` takes."""
        return {
            "config": self.config,
            "load_radius": self.load_radius,
            "grid": Grid(*(array.copy() for array in self.grid)),
            "kept": dict(self._kept),
            "changed": set(self._changed),
            "centre": self._centre,
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Chunks:
        """The land of a snapshot, which stays as it is."""
        chunks = cls(snapshot["config"], snapshot["load_radius"])
        for array, saved in zip(chunks.grid, snapshot["grid"], strict=True):
            array[:] = saved
        chunks._kept, chunks._changed = dict(snapshot["kept"]), set(snapshot["changed"])
        chunks._centre = snapshot["centre"]
        return chunks


__all__ = ["LOAD_RADIUS", "Chunks", "chunk_loaded", "generate_chunk"]
