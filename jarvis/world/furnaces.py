"""Furnaces and chests: what they hold, and the tick in which furnaces burn.

A furnace is one ``FURNACE`` record whose stacks are 0 input, 1 fuel, 2 output, as in its screen; a chest is 27 stacks.
Both belong to the cell of their block. ``Containers`` owns them:

    furnace = containers.furnace(x, y, z)       # (1,) FURNACE, made empty the first time
    flames = containers.tick()                  # [(x, y, z, lit)] of furnaces that caught fire or went out
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from jarvis.world.layout import STACK, WINDOW_CHUNKS
from jarvis.world.rules import RULES

INPUT, FUEL, OUTPUT = range(3)
CHEST_SLOTS = 27
EVERYWHERE = np.zeros((0, WINDOW_CHUNKS, 2), np.int32)

FURNACE = np.dtype(
    [
        ("x", "i4"), ("y", "i4"), ("z", "i4"),
        ("stacks", STACK, (3,)),
        ("burn_left", "i4"), ("burn_total", "i4"),  # ticks, of the fuel that burns now
        ("cook", "i4"),  # ticks that the input has been cooking
        ("xp", "f4"),  # experience waiting for who takes the output
    ]
)  # fmt: skip


class Smelting(NamedTuple):
    """Facts by item id, for the kernel. All arrays are (items,)."""

    result: np.ndarray  # int64, 0 for what does not smelt
    ticks: np.ndarray  # int64
    xp: np.ndarray  # float32
    fuel: np.ndarray  # int64, ticks that one item burns
    leaves: np.ndarray  # int64, what remains of the fuel (a lava bucket leaves the bucket)
    stack: np.ndarray  # int64


def _smelting() -> Smelting:
    result, ticks = np.zeros((2, len(RULES.items)), np.int64)
    xp, leaves = np.zeros(len(RULES.items), np.float32), np.zeros(len(RULES.items), np.int64)
    for item, (made, time, gained) in RULES.smelting.items():
        result[item], ticks[item], xp[item] = made, time, gained
    leaves[RULES.item("lava_bucket")] = RULES.item("bucket")
    return Smelting(result, ticks, xp, RULES.fuel_ticks, leaves, RULES.stack_size)


SMELTING = _smelting()


@njit(cache=True, nogil=True)
def tick_furnaces(furnaces: np.ndarray, count: int, facts: Smelting, chunk_at: np.ndarray, changed: np.ndarray) -> int:
    """One tick of ``furnaces[:count]``. Indices of those that caught fire or went out go into ``changed``; how many."""
    changes = 0
    for k in range(count):
        furnace = furnaces[k]
        if len(chunk_at):
            cx, cz = furnace.x >> 4, furnace.z >> 4
            slot = chunk_at[cx & (WINDOW_CHUNKS - 1), cz & (WINDOW_CHUNKS - 1)]
            if slot[0] != cx or slot[1] != cz:
                continue
        was_lit = furnace.burn_left > 0
        if was_lit:
            furnace.burn_left -= 1
        source = furnace.stacks[0]
        fuel = furnace.stacks[1]
        out = furnace.stacks[2]
        item = source.item
        made = facts.result[item]
        can_cook = made > 0 and (out.item == 0 or (out.item == made and out.count < facts.stack[made]))
        if furnace.burn_left == 0 and can_cook and facts.fuel[fuel.item] > 0:
            furnace.burn_left = facts.fuel[fuel.item]
            furnace.burn_total = furnace.burn_left
            fuel.count -= 1
            if fuel.count == 0:
                fuel.item = facts.leaves[fuel.item]
                fuel.count = 1 if fuel.item > 0 else 0
                fuel.damage = 0
        if furnace.burn_left > 0:
            if can_cook:
                furnace.cook += 1
                if furnace.cook >= facts.ticks[item]:
                    furnace.cook = 0
                    furnace.xp += facts.xp[item]
                    out.item = made
                    out.count += 1
                    source.count -= 1
                    if source.count == 0:
                        source.item = 0
                        source.damage = 0
            else:
                furnace.cook = 0
        elif furnace.cook > 0:
            # NOTE: with input and fuel both in place, but the output blocked, progress is lost at once
            furnace.cook = max(0, furnace.cook - 2) if item == 0 or fuel.item == 0 else 0
        if was_lit != (furnace.burn_left > 0):
            changed[changes] = k
            changes += 1
    return changes


class Containers:
    """The furnaces and chests of a world by cell."""

    def __init__(self) -> None:
        self._furnaces = np.zeros(16, FURNACE)
        self._rows: dict[tuple[int, int, int], int] = {}  # cell -> row; rows in no cell are empty and do nothing
        self._changed = np.zeros(16, np.int64)
        self.chests: dict[tuple[int, int, int], np.ndarray] = {}  # cell -> (27,) STACK

    def furnace(self, x: int, y: int, z: int) -> np.ndarray:
        """(1,) FURNACE of a cell, a view: it stays valid until the furnace is removed or many more are made."""
        row = self._rows.get((x, y, z))
        if row is None:
            taken = set(self._rows.values())
            row = next(i for i in range(len(taken) + 1) if i not in taken)
            if row == len(self._furnaces):
                self._furnaces = np.concatenate([self._furnaces, np.zeros(row, FURNACE)])
                self._changed = np.zeros(2 * row, np.int64)
            self._furnaces["x"][row], self._furnaces["y"][row], self._furnaces["z"][row] = x, y, z
            self._rows[x, y, z] = row
        return self._furnaces[row : row + 1]

    def chest(self, x: int, y: int, z: int) -> np.ndarray:
        """(27,) STACK of a cell."""
        return self.chests.setdefault((x, y, z), np.zeros(CHEST_SLOTS, STACK))

    def remove(self, x: int, y: int, z: int) -> list[tuple[int, int, int]]:
        """Forget what belongs to a cell; its (item, count, damage) stacks, to be dropped there."""
        stacks = self.chests.pop((x, y, z), np.zeros(0, STACK)).tolist()
        row = self._rows.pop((x, y, z), None)
        if row is not None:
            stacks += self._furnaces["stacks"][row].tolist()
            self._furnaces[row : row + 1] = np.zeros(1, FURNACE)
        return [stack for stack in stacks if stack[0]]

    def tick(self, chunk_at: np.ndarray = EVERYWHERE) -> list[tuple[int, int, int, bool]]:
        """Burn furnaces for a tick; (x, y, z, lit) of those that caught fire or went out.

        chunk_at: Grid.chunk_at, outside of which furnaces wait as in the game; without it, all burn.
        """
        if not self._rows:
            return []
        changes = tick_furnaces(self._furnaces, len(self._furnaces), SMELTING, chunk_at, self._changed)
        if not changes:
            return []
        rows = self._furnaces[self._changed[:changes]]
        return [(int(f["x"]), int(f["y"]), int(f["z"]), bool(f["burn_left"] > 0)) for f in rows]

    def state(self) -> dict[str, Any]:
        """A copy of everything, for a snapshot: arrays only."""
        cells = list(self.chests)
        return {
            "furnaces": self._furnaces.copy(),
            "furnace_rows": np.array(list(self._rows.values()), np.int64),
            "chest_cells": np.array(cells, np.int64).reshape(-1, 3),
            "chests": np.array([self.chests[cell] for cell in cells], STACK).reshape(-1, CHEST_SLOTS),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a ``state()``. Views handed out before no longer belong to this world."""
        self._furnaces = state["furnaces"].copy()
        self._changed = np.zeros(len(self._furnaces), np.int64)
        rows = state["furnace_rows"].tolist()
        cells = self._furnaces[["x", "y", "z"]].tolist()
        self._rows = {cells[row]: row for row in rows}
        pairs = zip(state["chest_cells"].tolist(), state["chests"], strict=True)
        self.chests = {(x, y, z): stacks.copy() for (x, y, z), stacks in pairs}
