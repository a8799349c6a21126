"""What the player has seen: blocks by kind, which of them proved out of reach, where its table and furnace stand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jarvis.world.layout import Grid, get_block
from jarvis.world.rules import RULES

__all__ = ["SIX", "Cell", "Memory"]

Cell = tuple[int, int, int]
SIX = ((1, 0, 0), (-1, 0, 0), (0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0))  # the neighbours of a cell
MOST = 160  # cells remembered of each block
ALWAYS = (
    "oak_log", "birch_log", "spruce_log", "coal_ore", "iron_ore", "gold_ore", "diamond_ore", "redstone_ore",
    "lapis_ore", "crafting_table", "furnace",
)  # fmt: skip
FORGIVE = 1200  # ticks after which a cell that could not be reached is tried again


class Memory:
    """Seen cells by block id, oldest first."""

    def __init__(self) -> None:
        self.seen: dict[int, dict[Cell, int]] = {}
        self.refused: dict[Cell, int] = {}  # until which tick
        self.want = np.zeros(len(RULES.blocks), np.uint8)
        self.watch(())

    def watch(self, names: Iterable[str]) -> None:
        """Look out for these blocks, too, from now on."""
        self.want[:] = 0
        for name in (*ALWAYS, *names):
            self.want[RULES.block(name)] = 1

    def note(self, rows: list[list[int]], tick: int) -> None:
        """Remember x, y, z, block rows."""
        for x, y, z, block in rows:
            cells = self.seen.setdefault(block, {})
            cells.pop((x, y, z), None)
            cells[x, y, z] = tick
            if len(cells) > MOST:
                del cells[next(iter(cells))]

    def forget(self, cell: Cell) -> None:
        """Drop a cell, whatever it was."""
        for cells in self.seen.values():
            cells.pop(cell, None)

    def refuse(self, cell: Cell, tick: int) -> None:
        """Leave a cell alone for a while."""
        self.refused[cell] = tick + FORGIVE

    def nearest(
        self, grid: Grid, names: Iterable[str], x: float, y: float, z: float, tick: int, radius: float = 80.0
    ) -> Cell | None:
        """The nearest remembered cell of these blocks that is still there and not refused; height counts double."""
        best, best_far = None, radius
        for name in names:
            block = RULES.block(name)
            cells = self.seen.get(block)
            if not cells:
                continue
            gone = []
            for cell in cells:
                cx, cy, cz = cell
                far = abs(cx + 0.5 - x) + abs(cz + 0.5 - z) + 1.5 * abs(cy - y)
                if far >= best_far or self.refused.get(cell, 0) > tick:
                    continue
                if get_block(grid, cx, cy, cz) != block:
                    gone.append(cell)
                    continue
                best, best_far = cell, far
            for cell in gone:
                del cells[cell]
        return best
