"""Ways through the blocks: A* over places to stand, with jumps, drops, swimming, digging and stepping up on blocks.

A place is the cell of the feet. The price is ticks. Cells beside lava are never opened, nor the ground under the feet;
water costs. The search sees the window around the player only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from jarvis.envs.scripted.surroundings import aim_point
from jarvis.world.ids import CACTUS, GRAVEL, LIQUID, SAND
from jarvis.world.layout import HEIGHT, MASK, Grid
from jarvis.world.rules import RULES
from jarvis.world.shapes import SHAPES

__all__ = ["AT", "REACH", "Finder", "clear_price", "is_floor", "is_free"]

SIDE = 96  # columns of the searched window
MOST = 1 << 17  # entries of the heap
AT, REACH = 0, 1  # kinds of goal: be within a box, or be where a block can be reached
WALK, JUMP, DROP, SWIM, PILLAR = 4.7, 2.5, 2.0, 9.0, 26.0
HIT_COUNT = SHAPES.hit_count
HIT_START, HIT_BOXES = SHAPES.hit_start, SHAPES.hit_boxes
FOREVER = 1e9
# 0 free, 1 can be stood on, 2 water, 3 lava, 4 solid but not to be stood on (fences, cactus)
CLASS = np.zeros(len(RULES.blocks) * 16, np.uint8)
for _shape in range(len(CLASS)):
    _boxes = HIT_BOXES[HIT_START[_shape] : HIT_START[_shape] + HIT_COUNT[_shape]]
    _block = _shape >> 4
    if LIQUID[_block]:
        CLASS[_shape] = 1 + LIQUID[_block]
    elif len(_boxes):
        CLASS[_shape] = 4 if _boxes[:, 4].max() > 1 or _block == CACTUS else 1
SIDES_X = np.array([1, -1, 0, 0], np.int64)
SIDES_Z = np.array([0, 0, 1, -1], np.int64)


@njit(cache=True, nogil=True)
def cell_class(grid: Grid, x: int, y: int, z: int) -> int:
    """What a cell is to a walker: 0 free, 1 floor or wall, 2 water, 3 lava, 4 wall that is no floor."""
    if y >= HEIGHT:
        return 0
    if y < 0:
        return 1
    i, j = x & MASK, z & MASK
    return CLASS[16 * np.int64(grid.blocks[i, j, y]) + (grid.meta[i, j, y] & 15)]


@njit(cache=True, nogil=True)
def is_free(grid: Grid, x: int, y: int, z: int) -> bool:
    """Whether a body can be in a cell."""
    kind = cell_class(grid, x, y, z)
    return kind == 0 or kind == 2


@njit(cache=True, nogil=True)
def is_floor(grid: Grid, x: int, y: int, z: int) -> bool:
    """Whether a cell can be stood on."""
    return cell_class(grid, x, y, z) == 1


@njit(cache=True, nogil=True)
def clear_price(grid: Grid, x: int, y: int, z: int, dig: np.ndarray) -> float:
    """Ticks to make a cell free: 0 if it is, FOREVER if it must not or cannot be opened. dig: (blocks,) ticks."""
    kind = cell_class(grid, x, y, z)
    if kind == 0 or kind == 2:
        return 0.0
    if kind == 3 or y <= 0 or y >= HEIGHT:
        return FOREVER
    price = np.float64(dig[grid.blocks[x & MASK, z & MASK, y]])
    if price >= FOREVER:
        return FOREVER
    for side in range(4):
        liquid = cell_class(grid, x + SIDES_X[side], y, z + SIDES_Z[side])
        if liquid == 3:
            return FOREVER
        if liquid == 2:
            price += 60.0
    above = cell_class(grid, x, y + 1, z)
    if above == 3 or cell_class(grid, x, y - 1, z) == 3:
        return FOREVER
    if above == 2:
        price += 120.0
    # what falls has to be dug too
    up = y + 1
    while up < HEIGHT and up < y + 6:
        block = grid.blocks[x & MASK, z & MASK, up]
        if block != SAND and block != GRAVEL:
            if up > y + 1 and LIQUID[block] != 0:
                return FOREVER
            break
        price += dig[block] + 8.0
        up += 1
    return price


@njit(cache=True, nogil=True)
def danger(grid: Grid, x: int, y: int, z: int) -> float:
    """What standing in a place costs beyond the way: lava and cactus close by, no air."""
    price = 25.0 if cell_class(grid, x, y + 1, z) == 2 else 0.0  # no air
    for side in range(4):
        sx, sz = x + SIDES_X[side], z + SIDES_Z[side]
        for dy in range(-1, 2):
            if cell_class(grid, sx, y + dy, sz) == 3:
                price += 60.0 if dy <= 0 else 200.0
        if grid.blocks[sx & MASK, sz & MASK, min(max(y, 0), HEIGHT - 1)] == CACTUS:
            price += 15.0
    return price


@njit(cache=True, nogil=True)
def _push(heap_f: np.ndarray, heap_n: np.ndarray, count: int, f: float, node: int) -> int:
    if count >= heap_f.shape[0]:
        return count
    at = count
    while at > 0:
        up = (at - 1) >> 1
        if heap_f[up] <= f:
            break
        heap_f[at], heap_n[at] = heap_f[up], heap_n[up]
        at = up
    heap_f[at], heap_n[at] = f, node
    return count + 1


@njit(cache=True, nogil=True)
def _pop(heap_f: np.ndarray, heap_n: np.ndarray, count: int) -> int:
    # Moves the last entry into the root and sinks it; the caller has read the root.
    count -= 1
    f, node = heap_f[count], heap_n[count]
    at = 0
    while True:
        down = 2 * at + 1
        if down >= count:
            break
        if down + 1 < count and heap_f[down + 1] < heap_f[down]:
            down += 1
        if heap_f[down] >= f:
            break
        heap_f[at], heap_n[at] = heap_f[down], heap_n[down]
        at = down
    heap_f[at], heap_n[at] = f, node
    return count


@njit(cache=True, nogil=True)
def _estimate(x: int, y: int, z: int, gx: int, gy: int, gz: int, slack: int) -> float:
    dx, dz, dy = abs(x - gx), abs(z - gz), abs(y - gy)
    flat = max(dx, dz) + 0.41 * min(dx, dz)
    return max(0.0, WALK * (max(flat, 0.9 * dy) - slack))


@njit(cache=True, nogil=True)
def _moves(grid: Grid, x: int, y: int, z: int, dig: np.ndarray, blocks_left: int, moves: np.ndarray) -> int:
    """Where one can go from a place: fills ``moves`` (32, 4) with x, y, z and ticks, returns how many."""
    n = 0
    wet = cell_class(grid, x, y, z) == 2
    above = clear_price(grid, x, y + 2, z, dig)
    grounded = cell_class(grid, x, y - 1, z) == 1
    slow = SWIM if wet else 0.0
    # digging afloat takes five times as long, five times more with the head under water
    effort = 15.0 if wet else 1.0
    above *= effort
    for side in range(4):
        nx, nz = x + SIDES_X[side], z + SIDES_Z[side]
        here, floor, below = (
            cell_class(grid, nx, y, nz),
            cell_class(grid, nx, y - 1, nz),
            cell_class(grid, nx, y - 2, nz),
        )
        head, feet = clear_price(grid, nx, y + 1, nz, dig), clear_price(grid, nx, y, nz, dig)
        head, feet = head * effort, feet * effort
        if head >= FOREVER:
            continue
        # level
        if feet < FOREVER and (floor == 1 or here == 2):
            n = _put(moves, n, nx, y, nz, WALK + head + feet + max(slow, SWIM if here == 2 else 0.0))
        # up: a jump onto what is ahead
        if y + 3 < HEIGHT and above < FOREVER and here == 1 and (grounded or wet):
            high = clear_price(grid, nx, y + 2, nz, dig) * effort
            if high < FOREVER:
                n = _put(moves, n, nx, y + 1, nz, WALK + JUMP + head + high + above + slow)
        # down: stairs of one, or a fall of up to three
        if feet < FOREVER and y > 2:
            low = clear_price(grid, nx, y - 1, nz, dig) * effort
            if low < FOREVER and (below == 1 or floor == 2):
                n = _put(moves, n, nx, y - 1, nz, WALK + DROP + head + feet + low)
            elif low == 0.0 and below != 3:
                for fall in range(2, 4):
                    landing = cell_class(grid, nx, y - fall, nz)
                    if landing != 0 and landing != 2:
                        break
                    if landing == 2 or cell_class(grid, nx, y - fall - 1, nz) == 1:
                        n = _put(moves, n, nx, y - fall, nz, WALK + DROP * (fall + 1) + head + feet)
                        break
    # across a corner, only over open ground
    for corner in range(0 if wet else 4):
        nx, nz = x + (1 if corner & 1 else -1), z + (1 if corner & 2 else -1)
        open_ground = cell_class(grid, nx, y - 1, nz) == 1
        for level in range(y, y + 2):
            for cell in range(3):
                cx, cz = (nx if cell != 1 else x), (nz if cell != 2 else z)
                open_ground = open_ground and cell_class(grid, cx, level, cz) == 0
        if open_ground and cell_class(grid, nx, y - 1, z) != 3 and cell_class(grid, x, y - 1, nz) != 3:
            n = _put(moves, n, nx, y, nz, 1.41 * WALK)
    if wet:
        for dy in range(-1, 2, 2):
            if cell_class(grid, x, y + dy, z) == 2 and is_free(grid, x, y + dy + 1, z):
                n = _put(moves, n, x, y + dy, z, SWIM)
    elif blocks_left > 0 and y + 3 < HEIGHT and above < FOREVER and grounded:
        n = _put(moves, n, x, y + 1, z, PILLAR + above)
    return n


@njit(cache=True, nogil=True)
def _put(moves: np.ndarray, n: int, x: int, y: int, z: int, ticks: float) -> int:
    moves[n, 0], moves[n, 1], moves[n, 2], moves[n, 3] = x, y, z, ticks
    return n + 1


@njit(cache=True, nogil=True)
def search(
    grid: Grid,
    start: np.ndarray,
    goal: np.ndarray,
    kind: int,
    slack: int,
    slack_y: int,
    dig: np.ndarray,
    blocks_left: int,
    most: int,
    weight: float,
    price: np.ndarray,
    parent: np.ndarray,
    stamp: np.ndarray,
    turn: int,
    heap_f: np.ndarray,
    heap_n: np.ndarray,
    path: np.ndarray,
) -> tuple[int, float]:
    """A way from ``start`` to ``goal`` (3,) int64 cells: fills ``path`` (n, 3), returns (places, ticks).

    kind AT: within ``slack`` columns and ``slack_y`` cells of the goal; REACH: where its block can be pointed at.
    Places < 0: no whole way was found among ``most`` places; the path (-places long) leads to the nearest of them.
    """
    ox, oz = (start[0] + goal[0]) // 2 - SIDE // 2, (start[2] + goal[2]) // 2 - SIDE // 2
    gx, gy, gz = goal[0], goal[1], goal[2]
    out = np.empty(3)
    here = ((start[0] - ox) * SIDE + start[2] - oz) * HEIGHT + start[1]
    if not (0 <= start[0] - ox < SIDE and 0 <= start[2] - oz < SIDE and 0 <= start[1] < HEIGHT):
        return 0, 0.0
    price[here], parent[here], stamp[here] = 0.0, -1, turn
    reach_slack = 3 if kind == REACH else slack
    count = _push(heap_f, heap_n, 0, 0.0, here)
    best, best_far, end = here, 1e18, -1
    # afloat is no place to dig from: only what goes at once, or lies under water itself
    swim = (
        dig[grid.blocks[gx & MASK, gz & MASK, min(max(gy, 0), HEIGHT - 1)]] < 10.0
        or cell_class(grid, gx, gy + 1, gz) == 2
    )
    for side in range(4):
        swim = swim or cell_class(grid, gx + SIDES_X[side], gy, gz + SIDES_Z[side]) == 2
    opened = 0
    moves = np.empty((32, 4))
    while count > 0 and opened < most:
        f, node = heap_f[0], heap_n[0]
        count = _pop(heap_f, heap_n, count)
        y = node % HEIGHT
        z = node // HEIGHT % SIDE + oz
        x = node // HEIGHT // SIDE + ox
        g = np.float64(price[node])
        far = _estimate(x, y, z, gx, gy, gz, reach_slack)
        if f > g + weight * far + 1e-3:
            continue
        opened += 1
        if kind == AT:
            if abs(x - gx) <= slack and abs(z - gz) <= slack and abs(y - gy) <= slack_y:
                end = node
                break
        elif swim or cell_class(grid, x, y, z) != 2:
            fx, fy, fz = gx - x, gy - y, gz - z
            side = abs(fx) + abs(fz)
            if (side == 1 and -1 <= fy <= 2) or (side == 0 and fy == 2):
                end = node
                break
            if fx * fx + (fy - 1.1) ** 2 + fz * fz < 17.0 and side > 0:
                if aim_point(grid, x + 0.5, y + 1.62, z + 0.5, gx, gy, gz, 4.2, -1, out):
                    end = node
                    break
        if far < best_far:
            best, best_far = node, far
        for k in range(_moves(grid, x, y, z, dig, blocks_left, moves)):
            nx, ny, nz = int(moves[k, 0]), int(moves[k, 1]), int(moves[k, 2])
            if not (1 <= nx - ox < SIDE - 1 and 1 <= nz - oz < SIDE - 1):
                continue
            cost = np.float32(g + moves[k, 3] + danger(grid, nx, ny, nz))
            there = ((nx - ox) * SIDE + nz - oz) * HEIGHT + ny
            if stamp[there] == turn and price[there] <= cost + 1e-4:
                continue
            stamp[there], price[there], parent[there] = turn, cost, node
            count = _push(
                heap_f, heap_n, count, np.float64(cost) + weight * _estimate(nx, ny, nz, gx, gy, gz, reach_slack), there
            )
    whole = end >= 0
    if not whole:
        end = best
    total, node = 0, end
    while node >= 0:
        total += 1
        node = np.int64(parent[node])
    at, node = total - 1, end
    while node >= 0:
        if at < path.shape[0]:
            path[at, 0] = node // HEIGHT // SIDE + ox
            path[at, 1] = node % HEIGHT
            path[at, 2] = node // HEIGHT % SIDE + oz
        at -= 1
        node = np.int64(parent[node])
    length = min(total, path.shape[0])
    return (length if whole else -length), np.float64(price[end])


class Finder:
    """The search with its working space."""

    def __init__(self) -> None:
        cells = SIDE * SIDE * HEIGHT
        self._price = np.zeros(cells, np.float32)
        self._parent = np.zeros(cells, np.int32)
        self._stamp = np.zeros(cells, np.int32)
        self._heap = np.zeros(MOST), np.zeros(MOST, np.int64)
        self._path = np.zeros((400, 3), np.int64)
        self._turn = 0

    def find(
        self,
        grid: Grid,
        start: tuple[int, int, int],
        goal: tuple[int, int, int],
        kind: int,
        dig: np.ndarray,
        slack: int = 0,
        slack_y: int = 0,
        blocks_left: int = 0,
        most: int = 12000,
        weight: float = 1.15,
    ) -> tuple[list[tuple[int, int, int]], bool, float]:
        """(places from start to goal, whether it gets there, ticks). See ``search``."""
        self._turn += 1
        count, ticks = search(
            grid, np.array(start, np.int64), np.array(goal, np.int64), kind, slack, slack_y, dig, blocks_left, most,
            weight, self._price, self._parent, self._stamp, self._turn, *self._heap, self._path,
        )  # fmt: skip
        return [tuple(place) for place in self._path[: abs(count)].tolist()], count > 0, float(ticks)
