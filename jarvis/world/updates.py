"""What blocks do by themselves: liquids flow, sand falls, torches need walls, crops grow, leaves decay.

A change to a cell puts it and its six neighbours on the schedule (``wake``); ``tick_updates`` runs what is due, and a
few random cells near the player besides, as the game does. Cells that changed are listed for the caller to relight and
to remember.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import boolean, int64, njit, typeof, uint64, void

from jarvis.world.ids import (
    AIR,
    BIRCH_LEAVES,
    BIRCH_LOG,
    BIRCH_SAPLING,
    CACTUS,
    COBBLESTONE,
    DANDELION,
    DIRT,
    FARMLAND,
    GLASS_PANE,
    GRASS,
    GRASS_BLOCK,
    GRAVEL,
    ICE,
    LADDER,
    LAVA,
    LIQUID,
    OAK_DOOR,
    OAK_FENCE,
    OAK_FENCE_GATE,
    OAK_LEAVES,
    OAK_LOG,
    OAK_SAPLING,
    OBSIDIAN,
    OPAQUE,
    POPPY,
    REDSTONE_ORE,
    REPLACEABLE,
    SAND,
    SNOW,
    SOLID,
    SPRUCE_LEAVES,
    SPRUCE_LOG,
    SPRUCE_SAPLING,
    STONE,
    TORCH,
    WATER,
    WHEAT,
    WHITE_BED,
)
from jarvis.world.layout import (
    FACING_DX,
    FACING_DZ,
    GRID,
    HEIGHT,
    LIVELY,
    MASK,
    NOTE_BREAK,
    NOTE_FALL,
    NOTE_GROW,
    WINDOW_CHUNKS,
    Grid,
    Notes,
    chunk_loaded,
    get_block,
    hash3,
    note,
    put_block,
)

MAX_PENDING = 4096
MAX_CHANGES = 4096
WATER_DELAY, LAVA_DELAY, FALL_DELAY = 5, 30, 2  # ticks
RANDOM_CHUNKS = 3  # random ticks reach this many chunks around the player
RANDOM_TICKS = 3  # cells per 16 x 16 x 16 section and tick
LEAF_REACH = 6  # leaves further than this from a log decay


class Schedule(NamedTuple):
    """Updates to come and changes made."""

    pending: np.ndarray  # (MAX_PENDING, 4) int64: due tick, x, y, z; the first count[0] rows
    count: np.ndarray  # (2,) int64: pending rows, change rows
    changes: np.ndarray  # (MAX_CHANGES, 3) int64 cells changed since the caller last cleared count[1]


def empty_schedule() -> Schedule:
    """Nothing to do."""
    return Schedule(np.zeros((MAX_PENDING, 4), np.int64), np.zeros(2, np.int64), np.zeros((MAX_CHANGES, 3), np.int64))


@njit(boolean(int64), cache=True, nogil=True)
def is_log(block: int) -> bool:
    """Oak, birch or spruce log."""
    return block == OAK_LOG or block == BIRCH_LOG or block == SPRUCE_LOG


@njit(boolean(int64), cache=True, nogil=True)
def is_leaves(block: int) -> bool:
    """Oak, birch or spruce leaves."""
    return block == OAK_LEAVES or block == BIRCH_LEAVES or block == SPRUCE_LEAVES


@njit(boolean(int64), cache=True, nogil=True)
def is_sapling(block: int) -> bool:
    """Oak, birch or spruce sapling."""
    return block == OAK_SAPLING or block == BIRCH_SAPLING or block == SPRUCE_SAPLING


@njit(boolean(int64), cache=True, nogil=True)
def is_plant(block: int) -> bool:
    """Something that grows on soil and gives way to liquids."""
    return block == GRASS or block == DANDELION or block == POPPY or block == WHEAT or is_sapling(block)


@njit(cache=True, nogil=True)
def schedule_cell(schedule: Schedule, due: int, x: int, y: int, z: int) -> None:
    """Ask for an update of a cell; a cell that already waits keeps its earlier turn."""
    n = schedule.count[0]
    for i in range(n):
        row = schedule.pending[i]
        if row[1] == x and row[2] == y and row[3] == z:
            if due < row[0]:
                row[0] = due
            return
    if n < MAX_PENDING:
        schedule.pending[n, 0] = due
        schedule.pending[n, 1] = x
        schedule.pending[n, 2] = y
        schedule.pending[n, 3] = z
        schedule.count[0] = n + 1


@njit(cache=True, nogil=True)
def delay_of(block: int) -> int:
    """Ticks between a neighbour's change and a block's answer; -1 for blocks that never answer."""
    if block == WATER:
        return WATER_DELAY
    if block == LAVA:
        return LAVA_DELAY
    if block == SAND or block == GRAVEL:
        return FALL_DELAY
    if (
        block == TORCH
        or block == LADDER
        or block == OAK_DOOR
        or block == OAK_FENCE
        or block == GLASS_PANE
        or block == WHITE_BED
        or block == SNOW
        or block == CACTUS
        or block == FARMLAND
        or is_plant(block)
    ):
        return 0
    return -1


@njit(cache=True, nogil=True)
def wake(grid: Grid, schedule: Schedule, tick: int, x: int, y: int, z: int) -> None:
    """Schedule a changed cell and its neighbours, each after its own delay."""
    for side in range(7):
        nx = x + (1 if side == 1 else -1 if side == 2 else 0)
        ny = y + (1 if side == 3 else -1 if side == 4 else 0)
        nz = z + (1 if side == 5 else -1 if side == 6 else 0)
        if 0 <= ny < HEIGHT:
            delay = delay_of(get_block(grid, nx, ny, nz))
            if delay >= 0:
                schedule_cell(schedule, tick + delay, nx, ny, nz)


@njit(cache=True, nogil=True)
def _list_change(schedule: Schedule, x: int, y: int, z: int) -> None:
    n = schedule.count[1]
    if n < MAX_CHANGES:
        schedule.changes[n, 0] = x
        schedule.changes[n, 1] = y
        schedule.changes[n, 2] = z
        schedule.count[1] = n + 1


@njit(cache=True, nogil=True)
def supported(grid: Grid, x: int, y: int, z: int, block: int, meta: int) -> bool:
    """Whether a block of this kind can stay (or be placed) at a cell."""
    below = get_block(grid, x, y - 1, z)
    if is_sapling(block) or block == GRASS or block == DANDELION or block == POPPY:
        return below == GRASS_BLOCK or below == DIRT or below == FARMLAND
    if block == WHEAT:
        return below == FARMLAND
    if block == TORCH or block == LADDER:
        if meta == 0:
            return block == TORCH and (OPAQUE[below] == 1 or below == OAK_FENCE or below == FARMLAND)
        side = (meta - 1) & 3
        return OPAQUE[get_block(grid, x + FACING_DX[side], y, z + FACING_DZ[side])] == 1
    if block == SNOW:
        return OPAQUE[below] == 1 or is_leaves(below)
    if block == OAK_DOOR:
        if meta & 8:
            return below == OAK_DOOR
        return SOLID[below] == 1 and get_block(grid, x, y + 1, z) == OAK_DOOR
    if block == WHITE_BED:
        side = meta & 3
        step = -1 if meta & 4 else 1
        return get_block(grid, x + step * FACING_DX[side], y, z + step * FACING_DZ[side]) == WHITE_BED
    if block == CACTUS:
        for side in range(4):
            beside = get_block(grid, x + FACING_DX[side], y, z + FACING_DZ[side])
            if SOLID[beside] == 1 or beside == LAVA:
                return False
        return below == SAND or below == CACTUS
    return True


@njit(cache=True, nogil=True)
def joins(grid: Grid, x: int, y: int, z: int, block: int) -> int:
    """The meta of a fence or pane: which of its four neighbours it is joined to."""
    meta = 0
    for bit in range(4):
        nx = x + (-1 if bit == 0 else 1 if bit == 1 else 0)
        nz = z + (-1 if bit == 2 else 1 if bit == 3 else 0)
        beside = get_block(grid, nx, y, nz)
        gate = block == OAK_FENCE and beside == OAK_FENCE_GATE
        if beside == block or gate or OPAQUE[beside] == 1:
            meta |= 1 << bit
    return meta


@njit(cache=True, nogil=True)
def _doubt_leaves(grid: Grid, x: int, y: int, z: int) -> None:
    """Mark leaves that may have lost their log; random ticks decide (bit 1 of the meta)."""
    for nx in range(x - LEAF_REACH, x + LEAF_REACH + 1):
        for nz in range(z - LEAF_REACH, z + LEAF_REACH + 1):
            for ny in range(max(0, y - LEAF_REACH), min(HEIGHT, y + LEAF_REACH + 1)):
                if is_leaves(grid.blocks[nx & MASK, nz & MASK, ny]):
                    grid.meta[nx & MASK, nz & MASK, ny] |= 2
                    grid.lively[(nx & MASK) >> 4, (nz & MASK) >> 4] |= 1 << (ny >> 4)


@njit(void(GRID, typeof(empty_schedule()), int64, int64, int64, int64, int64, int64), cache=True, nogil=True)
def change(grid: Grid, schedule: Schedule, tick: int, x: int, y: int, z: int, block: int, meta: int) -> None:
    """Write a cell, list it as changed and wake its surroundings."""
    old = get_block(grid, x, y, z)
    put_block(grid, x, y, z, block, meta)
    _list_change(schedule, x, y, z)
    wake(grid, schedule, tick, x, y, z)
    if is_log(old) and not is_log(block):
        _doubt_leaves(grid, x, y, z)


@njit(cache=True, nogil=True)
def _leaf_holds(grid: Grid, x: int, y: int, z: int) -> bool:
    """Whether a log can be reached from a leaf through at most LEAF_REACH leaves."""
    size = 2 * LEAF_REACH + 1
    seen = np.zeros((size, size, size), np.uint8)
    queue = np.zeros((size * size * size, 3), np.int8)
    head, tail = 0, 1
    seen[LEAF_REACH, LEAF_REACH, LEAF_REACH] = 1
    while head < tail:
        qx, qy, qz = queue[head, 0], queue[head, 1], queue[head, 2]
        depth = seen[qx + LEAF_REACH, qy + LEAF_REACH, qz + LEAF_REACH]
        head += 1
        for side in range(6):
            nx = qx + (1 if side == 0 else -1 if side == 1 else 0)
            ny = qy + (1 if side == 2 else -1 if side == 3 else 0)
            nz = qz + (1 if side == 4 else -1 if side == 5 else 0)
            block = get_block(grid, x + nx, y + ny, z + nz)
            if is_log(block):
                return True
            if depth <= LEAF_REACH - 1 and is_leaves(block):
                i, j, k = nx + LEAF_REACH, ny + LEAF_REACH, nz + LEAF_REACH
                if seen[i, j, k] == 0:
                    seen[i, j, k] = depth + 1
                    queue[tail, 0], queue[tail, 1], queue[tail, 2] = nx, ny, nz
                    tail += 1
    return False


# Liquids


@njit(cache=True, nogil=True)
def _gives_way(grid: Grid, x: int, y: int, z: int, liquid: int) -> bool:
    """Whether a liquid can flow into a cell: air, plants, torches, snow, the other liquid."""
    if y < 0:
        return False
    block = get_block(grid, x, y, z)
    if block == liquid:
        return False
    return SOLID[block] == 0 or block == SNOW


@njit(cache=True, nogil=True)
def _flow_into(
    grid: Grid, schedule: Schedule, notes: Notes, tick: int, x: int, y: int, z: int, liquid: int, level: int
) -> None:
    """Fill a cell with flowing liquid, washing away what stood there; lava on water turns to stone."""
    block = get_block(grid, x, y, z)
    became = liquid
    if liquid == LAVA and block == WATER:
        became, level = STONE, 0
    elif liquid == WATER and block == LAVA:
        became, level = (OBSIDIAN if grid.meta[x & MASK, z & MASK, y] == 0 else COBBLESTONE), 0
    elif block != AIR:
        note(notes, NOTE_BREAK, block, grid.meta[x & MASK, z & MASK, y], 0, x + 0.5, y + 0.5, z + 0.5)
    change(grid, schedule, tick, x, y, z, became, level)


@njit(cache=True, nogil=True)
def _hole_distance(grid: Grid, x: int, y: int, z: int, liquid: int, came: int) -> int:
    """Steps (up to 4) from a cell to one that the liquid can fall from; 1000 when there is none near."""
    queue = np.zeros((64, 3), np.int64)
    seen = np.zeros((11, 11), np.uint8)
    queue[0, 0], queue[0, 1], queue[0, 2] = x, z, 0
    seen[5, 5] = 1
    back = came ^ 2  # the facing opposite to the one flowed towards
    seen[5 + FACING_DX[back], 5 + FACING_DZ[back]] = 1
    head, tail = 0, 1
    while head < tail:
        cx, cz, depth = queue[head, 0], queue[head, 1], queue[head, 2]
        head += 1
        below = get_block(grid, cx, y - 1, cz)
        if below == liquid or _gives_way(grid, cx, y - 1, cz, liquid):
            return depth
        if depth >= 3:
            continue
        for side in range(4):
            nx, nz = cx + FACING_DX[side], cz + FACING_DZ[side]
            i, k = nx - x + 5, nz - z + 5
            if seen[i, k] == 0 and tail < 64:
                seen[i, k] = 1
                if _gives_way(grid, nx, y, nz, liquid) or get_block(grid, nx, y, nz) == liquid:
                    queue[tail, 0], queue[tail, 1], queue[tail, 2] = nx, nz, depth + 1
                    tail += 1
    return 1000


@njit(cache=True, nogil=True)
def _settled(grid: Grid, x: int, y: int, z: int, liquid: int, level: int) -> int:
    """The level a cell of liquid takes from its neighbours; -1 when it runs dry."""
    if level == 0:
        return 0
    if get_block(grid, x, y + 1, z) == liquid:
        return 8
    best, sources = 1000, 0
    for side in range(4):
        nx, nz = x + FACING_DX[side], z + FACING_DZ[side]
        if get_block(grid, nx, y, nz) == liquid:
            beside = int(grid.meta[nx & MASK, nz & MASK, y])
            sources += beside == 0
            best = min(best, 0 if beside >= 8 else beside)
    if liquid == WATER and sources >= 2:
        below = get_block(grid, x, y - 1, z)
        if SOLID[below] == 1 or (below == liquid and grid.meta[x & MASK, z & MASK, y - 1] == 0):
            return 0
    settled = best + (1 if liquid == WATER else 2)
    return settled if settled <= 7 else -1


@njit(cache=True, nogil=True)
def _update_liquid(grid: Grid, schedule: Schedule, notes: Notes, tick: int, x: int, y: int, z: int) -> None:
    """One turn of a cell of water or lava: harden, settle its own level, then spread."""
    liquid = get_block(grid, x, y, z)
    level = int(grid.meta[x & MASK, z & MASK, y])
    became, settled = liquid, _settled(grid, x, y, z, liquid, level)
    if liquid == LAVA:
        wet = get_block(grid, x, y + 1, z) == WATER
        for side in range(4):
            wet = wet or get_block(grid, x + FACING_DX[side], y, z + FACING_DZ[side]) == WATER
        if wet:
            became, settled = (OBSIDIAN if level == 0 else COBBLESTONE), 0
    if settled < 0:
        became, settled = AIR, 0
    if became != liquid or settled != level:
        change(grid, schedule, tick, x, y, z, became, settled)
    if became != liquid:
        return
    # where to: down if it can, else to the sides that lead soonest to a hole; side 4 is down
    out = (0 if settled >= 8 else settled) + (1 if liquid == WATER else 2)
    distance = np.full(5, 2000, np.int64)
    if _gives_way(grid, x, y - 1, z, liquid):
        distance[4] = 0
        out = 8
    elif out <= 7 and (settled == 0 or get_block(grid, x, y - 1, z) != liquid):
        for side in range(4):
            nx, nz = x + FACING_DX[side], z + FACING_DZ[side]
            stream = get_block(grid, nx, y, nz) == liquid and grid.meta[nx & MASK, nz & MASK, y] != 0
            if stream or _gives_way(grid, nx, y, nz, liquid):
                distance[side] = _hole_distance(grid, nx, y, nz, liquid, side)
    nearest = distance.min()
    for side in range(5):
        if distance[side] == nearest and nearest < 2000:
            nx = x + (FACING_DX[side] if side < 4 else 0)
            nz = z + (FACING_DZ[side] if side < 4 else 0)
            if _gives_way(grid, nx, y - (side == 4), nz, liquid):
                _flow_into(grid, schedule, notes, tick, nx, y - (side == 4), nz, liquid, out)


# Ticks


@njit(cache=True, nogil=True)
def _update_cell(grid: Grid, schedule: Schedule, notes: Notes, tick: int, x: int, y: int, z: int) -> None:
    """A scheduled turn of a cell that is no liquid: fall, lose its hold, join its neighbours."""
    block = get_block(grid, x, y, z)
    meta = int(grid.meta[x & MASK, z & MASK, y])
    became, what = block, 0
    if block == SAND or block == GRAVEL:
        below = get_block(grid, x, y - 1, z)
        if REPLACEABLE[below] == 1 or is_plant(below) or below == TORCH:
            became, what = AIR, NOTE_FALL
    elif block == OAK_FENCE or block == GLASS_PANE:
        joined = joins(grid, x, y, z, block)
        if joined != meta:
            grid.meta[x & MASK, z & MASK, y] = joined
            _list_change(schedule, x, y, z)
    elif block == FARMLAND:
        if OPAQUE[get_block(grid, x, y + 1, z)] == 1:
            became = DIRT
    elif not supported(grid, x, y, z, block, meta):
        became, what = AIR, NOTE_BREAK
    if became != block:
        change(grid, schedule, tick, x, y, z, became, 0)
        if what != 0:
            note(notes, what, block, meta, 0, x + 0.5, y + (0.0 if what == NOTE_FALL else 0.5), z + 0.5)


@njit(cache=True, nogil=True)
def _random_cell(grid: Grid, schedule: Schedule, notes: Notes, tick: int, x: int, y: int, z: int, luck: int) -> None:
    """A random tick of one cell; ``luck`` is 0..65535."""
    block = get_block(grid, x, y, z)
    i, k = x & MASK, z & MASK
    meta = int(grid.meta[i, k, y])
    above = get_block(grid, x, y + 1, z)
    over = int(grid.light[i, k, y + 1]) if y + 1 < HEIGHT else 0xF0
    here = int(grid.light[i, k, y])
    bright = max(over >> 4, over & 15)
    became, what = -1, 0  # at most one cell changes: (x, y, z) becomes this
    if block == GRASS_BLOCK:
        if OPAQUE[above] == 1 or LIQUID[above] != 0:
            became = DIRT
        elif bright >= 9:
            x, y, z = x + luck % 3 - 1, y + luck // 3 % 5 - 3, z + luck // 15 % 3 - 1
            cover = get_block(grid, x, y + 1, z)
            if 0 < y < HEIGHT and get_block(grid, x, y, z) == DIRT and OPAQUE[cover] == 0 and LIQUID[cover] == 0:
                became = GRASS_BLOCK
    elif is_leaves(block):
        if meta & 3 == 2:
            if _leaf_holds(grid, x, y, z):
                grid.meta[i, k, y] = meta & ~2
            else:
                became, what = AIR, NOTE_BREAK
    elif is_sapling(block):
        if bright >= 9 and luck % 7 == 0:
            grid.meta[i, k, y] = meta | 1
            what = NOTE_GROW if meta & 1 else 0
    elif block == WHEAT:
        wet = get_block(grid, x, y - 1, z) == FARMLAND and grid.meta[i, k, y - 1] == 1
        if meta < 7 and max(here >> 4, here & 15) >= 9 and luck % (7 if wet else 14) == 0:
            grid.meta[i, k, y] = meta + 1
    elif block == FARMLAND:
        wet = False
        for nx in range(x - 4, x + 5):
            for nz in range(z - 4, z + 5):
                wet = wet or get_block(grid, nx, y, nz) == WATER or get_block(grid, nx, y + 1, nz) == WATER
        if not wet and meta == 0 and above != WHEAT:
            became = DIRT
        grid.meta[i, k, y] = 1 if wet else 0
    elif block == REDSTONE_ORE:
        grid.meta[i, k, y] = 0
    elif block == ICE:
        if (over & 15) > 11:
            became = WATER
    elif block == CACTUS and above == AIR and luck % 16 == 0:
        if get_block(grid, x, y - 1, z) != CACTUS or get_block(grid, x, y - 2, z) != CACTUS:
            y, became = y + 1, CACTUS
    if became >= 0:
        change(grid, schedule, tick, x, y, z, became, 0)
    if what != 0:
        note(notes, what, block, meta, 0, x + 0.5, y + 0.5, z + 0.5)


@njit(cache=True, nogil=True)
def tick_updates(
    grid: Grid,
    schedule: Schedule,
    notes: Notes,
    seed: np.uint64,
    tick: int,
    px: float,
    pz: float,
) -> None:
    """Run what is due at ``tick``, then random ticks around the player at (px, pz) metres."""
    n = schedule.count[0]
    kept = 0
    due = 0
    waiting = np.empty((n, 3), np.int64)
    for i in range(n):
        if schedule.pending[i, 0] <= tick:
            waiting[due] = schedule.pending[i, 1:]
            due += 1
        else:
            schedule.pending[kept] = schedule.pending[i]
            kept += 1
    schedule.count[0] = kept
    for i in range(due):
        x, y, z = waiting[i, 0], waiting[i, 1], waiting[i, 2]
        if chunk_loaded(grid, x >> 4, z >> 4):
            if LIQUID[get_block(grid, x, y, z)] != 0:
                _update_liquid(grid, schedule, notes, tick, x, y, z)
            else:
                _update_cell(grid, schedule, notes, tick, x, y, z)
    pcx, pcz = int(np.floor(px)) >> 4, int(np.floor(pz)) >> 4
    for cx in range(pcx - RANDOM_CHUNKS, pcx + RANDOM_CHUNKS + 1):
        for cz in range(pcz - RANDOM_CHUNKS, pcz + RANDOM_CHUNKS + 1):
            if not chunk_loaded(grid, cx, cz):
                continue
            lively = int(grid.lively[cx & (WINDOW_CHUNKS - 1), cz & (WINDOW_CHUNKS - 1)])
            section = 0
            while lively >> section:
                if (lively >> section) & 1:
                    # one hash gives three cells of 12 bits each
                    bits = hash3(seed, tick, cx * 8 + section, cz)
                    for draw in range(RANDOM_TICKS):
                        cell = int((bits >> uint64(20 * draw)) & uint64(0xFFF))
                        x, z, y = cx * 16 + (cell & 15), cz * 16 + (cell >> 4 & 15), section * 16 + (cell >> 8)
                        block = grid.blocks[x & MASK, z & MASK, y]
                        if LIVELY[block] or is_leaves(block):
                            luck = int(hash3(seed, tick, cell, cx * 31 + cz + section) & uint64(0xFFFF))
                            _random_cell(grid, schedule, notes, tick, x, y, z, luck)
                section += 1
