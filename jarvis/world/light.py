"""Light: how far sky and lamps shine, exactly, after any change of blocks, whatever the order in which chunks arrive.

Both kinds of light lose one level a cell, more in leaves, water and ice, everything in opaque blocks; the sky's full
light falls straight down without loss. The levels of a set of loaded chunks are the largest that satisfy this, which is
unique, so floods may run in any order. Bytes are ``sky << 4 | block``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import int32, int64, njit, void

from jarvis.world.ids import DIMS, EMITS, FURNACE, REDSTONE_ORE
from jarvis.world.layout import CHUNK, GRID, HEIGHT, MASK, Grid, chunk_loaded
from jarvis.world.rules import RULES

QUEUE = 1 << 16  # cells waiting at once; a flood from one lamp holds fewer than a thousand
SKY, LAMP = 4, 0  # how far each kind's level is shifted in the byte
LIT_FURNACE = RULES.data["blocks"]["furnace"]["light_lit"]
LIT_REDSTONE = 9


@njit(int64(int64, int64), cache=True, nogil=True)
def emission(block: int, meta: int) -> int:
    """Level of light that a block gives."""
    if block == FURNACE:
        return LIT_FURNACE if meta & 4 else 0
    if block == REDSTONE_ORE:
        return LIT_REDSTONE if meta & 1 else 0
    return EMITS[block]


@njit(void(GRID, int32[::1], int64, int64, int64), cache=True, nogil=True)
def _flood(grid: Grid, queue: np.ndarray, head: int, tail: int, shift: int) -> None:
    """Spread one kind of light from the queued cells (i << 15 | k << 7 | y) to where it is brighter than before."""
    light, blocks = grid.light, grid.blocks
    keep = 0x0F if shift == SKY else 0xF0
    while head != tail:
        cell = queue[head & (QUEUE - 1)]
        head += 1
        i, k, y = cell >> 15, (cell >> 7) & 255, cell & 127
        level = (light[i, k, y] >> shift) & 15
        for side in range(6):
            ni = (i + (1 if side == 0 else -1 if side == 1 else 0)) & MASK
            nk = (k + (1 if side == 2 else -1 if side == 3 else 0)) & MASK
            ny = y + (1 if side == 4 else -1 if side == 5 else 0)
            if ny < 0 or ny >= HEIGHT:
                continue
            dim = DIMS[blocks[ni, nk, ny]]
            if shift == SKY and side == 5 and level == 15 and dim == 0:
                there = 15
            else:
                there = level - max(1, int(dim))
            old = light[ni, nk, ny]
            if there > (old >> shift) & 15:
                light[ni, nk, ny] = (old & keep) | (there << shift)
                if there > 1:
                    queue[tail & (QUEUE - 1)] = ni << 15 | nk << 7 | ny
                    tail += 1


@njit(cache=True, nogil=True)
def _darken(
    grid: Grid, removals: np.ndarray, levels: np.ndarray, queue: np.ndarray, i: int, k: int, y: int, shift: int
) -> int:
    """Take one kind of light from a cell and all that it lit; cells that still shine are queued. Returns how many."""
    light = grid.light
    keep = 0x0F if shift == SKY else 0xF0
    head, tail, found = 0, 1, 0
    removals[0] = i << 15 | k << 7 | y
    levels[0] = (light[i, k, y] >> shift) & 15
    light[i, k, y] &= keep
    while head != tail:
        cell, level = removals[head & (QUEUE - 1)], levels[head & (QUEUE - 1)]
        head += 1
        i, k, y = cell >> 15, (cell >> 7) & 255, cell & 127
        if shift == LAMP:
            own = emission(grid.blocks[i, k, y], grid.meta[i, k, y])
            if own > 0:
                light[i, k, y] = (light[i, k, y] & keep) | own
                queue[found & (QUEUE - 1)] = cell
                found += 1
        for side in range(6):
            ni = (i + (1 if side == 0 else -1 if side == 1 else 0)) & MASK
            nk = (k + (1 if side == 2 else -1 if side == 3 else 0)) & MASK
            ny = y + (1 if side == 4 else -1 if side == 5 else 0)
            if ny < 0 or ny >= HEIGHT:
                continue
            there = (light[ni, nk, ny] >> shift) & 15
            if there == 0:
                continue
            if there < level or (shift == SKY and side == 5 and level == 15 and there == 15):
                light[ni, nk, ny] &= keep
                removals[tail & (QUEUE - 1)] = ni << 15 | nk << 7 | ny
                levels[tail & (QUEUE - 1)] = there
                tail += 1
            else:
                queue[found & (QUEUE - 1)] = ni << 15 | nk << 7 | ny
                found += 1
    return found


@njit(cache=True, nogil=True)
def relight(grid: Grid, x: int, y: int, z: int) -> None:
    """Make the light right again after the block at cell (x, y, z) changed."""
    if y < 0 or y >= HEIGHT:
        return
    i, k = x & MASK, z & MASK
    removals = np.empty(QUEUE, np.int32)
    levels = np.empty(QUEUE, np.int8)
    queue = np.empty(QUEUE, np.int32)
    for turn in range(2):
        shift = SKY if turn == 0 else LAMP
        found = _darken(grid, removals, levels, queue, i, k, y, shift)
        if turn == 0 and y == HEIGHT - 1 and DIMS[grid.blocks[i, k, y]] == 0:
            grid.light[i, k, y] |= 0xF0
            queue[found & (QUEUE - 1)] = i << 15 | k << 7 | y
            found += 1
        _flood(grid, queue, 0, found, shift)


@njit(cache=True, nogil=True)
def relight_chunk(grid: Grid, cx: int, cz: int) -> None:
    """Light a chunk that has just been put into the window, and let light pass between it and its loaded neighbours."""
    light, blocks = grid.light, grid.blocks
    i0, k0 = (cx * CHUNK) & MASK, (cz * CHUNK) & MASK
    queue = np.empty(QUEUE, np.int32)
    ceiling = np.zeros((CHUNK, CHUNK), np.int64)  # the lowest cell of each column under open sky
    light[i0 : i0 + CHUNK, k0 : k0 + CHUNK] = 0
    for i in range(CHUNK):
        for k in range(CHUNK):
            y = HEIGHT
            while y > 0 and DIMS[blocks[i0 + i, k0 + k, y - 1]] == 0:
                y -= 1
                light[i0 + i, k0 + k, y] = 0xF0
            ceiling[i, k] = y
    tail = 0
    for i in range(CHUNK):
        for k in range(CHUNK):
            low = ceiling[i, k]
            # light goes sideways from here below the ceilings of the columns around
            high = low + 1
            for side in range(4):
                ni = i + (1 if side == 0 else -1 if side == 1 else 0)
                nk = k + (1 if side == 2 else -1 if side == 3 else 0)
                if 0 <= ni < CHUNK and 0 <= nk < CHUNK:
                    high = max(high, ceiling[ni, nk])
                else:
                    y = low  # the neighbouring chunk's column: as far up as it is not under open sky
                    while y < HEIGHT and light[(i0 + ni) & MASK, (k0 + nk) & MASK, y] < 0xE0:
                        y += 1
                    high = max(high, y)
            for y in range(low, min(high, HEIGHT)):
                queue[tail & (QUEUE - 1)] = (i0 + i) << 15 | (k0 + k) << 7 | y
                tail += 1
        if tail > QUEUE // 2:
            _flood(grid, queue, 0, tail, SKY)
            tail = 0
    tail = _pull(grid, queue, tail, cx, cz, SKY)
    _flood(grid, queue, 0, tail, SKY)
    tail = _pull(grid, queue, 0, cx, cz, LAMP)
    for i in range(i0, i0 + CHUNK):
        for k in range(k0, k0 + CHUNK):
            for y in range(grid.top[i, k]):
                own = emission(blocks[i, k, y], grid.meta[i, k, y])
                if own > 0:
                    light[i, k, y] = (light[i, k, y] & 0xF0) | own
                    queue[tail & (QUEUE - 1)] = i << 15 | k << 7 | y
                    tail += 1
    _flood(grid, queue, 0, tail, LAMP)


@njit(int64(GRID, int32[::1], int64, int64, int64, int64), cache=True, nogil=True)
def _pull(grid: Grid, queue: np.ndarray, tail: int, cx: int, cz: int, shift: int) -> int:
    """Queue the cells of loaded neighbours that touch a chunk and could light it."""
    i0, k0 = (cx * CHUNK) & MASK, (cz * CHUNK) & MASK
    for side in range(4):
        dx = 1 if side == 0 else -1 if side == 1 else 0
        dz = 1 if side == 2 else -1 if side == 3 else 0
        if not chunk_loaded(grid, cx + dx, cz + dz):
            continue
        for along in range(CHUNK):
            i = i0 + (CHUNK if dx == 1 else -1 if dx == -1 else along)
            k = k0 + (CHUNK if dz == 1 else -1 if dz == -1 else along)
            inside_i, inside_k = i - dx, k - dz
            i, k = i & MASK, k & MASK
            for y in range(HEIGHT):
                there = (grid.light[i, k, y] >> shift) & 15
                if there > 1 and (grid.light[inside_i, inside_k, y] >> shift) & 15 < there - 1:
                    queue[tail & (QUEUE - 1)] = i << 15 | k << 7 | y
                    tail += 1
    return tail


# The sun


def sun_brightness(time: int) -> float:
    """How bright daylight is, 0.2 at night to 1.0 by day, from the world's time in ticks (0 sunrise, 6000 noon)."""
    turn = ((time % 24000) / 24000.0 - 0.25) % 1.0
    angle = turn + ((1.0 - (math.cos(turn * math.pi) + 1.0) / 2.0) - turn) / 3.0
    return 0.2 + 0.8 * min(1.0, max(0.0, math.cos(angle * 2 * math.pi) * 2.0 + 0.2))
