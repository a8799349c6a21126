"""Which recipe lies in a crafting grid.

    matcher = Matcher(RULES.recipes)
    match = matcher.match((planks, planks, planks, planks))     # a 2x2 grid of item ids, row by row
    match.item, match.count                                     # one crafting_table

Shaped recipes match anywhere in the grid and mirrored left to right; shapeless ones in any arrangement. Every recipe
uses one item of each filled cell and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

from jarvis.world.rules import RULES, Recipe

GRID_SIDES = {4: 2, 9: 3}


@dataclass(frozen=True, slots=True)
class Match:
    """What a grid makes: item id and count, and the recipe's index; item 0 and recipe -1 for nothing."""

    item: int
    count: int
    recipe: int


NO_MATCH = Match(0, 0, -1)
Cells = tuple[frozenset[int], ...]
Outline = tuple[int, int, tuple[bool, ...]]  # width, height, which cells of the box are filled


class Matcher:
    """Looks recipes up by the outline of what lies in the grid; answers are remembered."""

    def __init__(self, recipes: Sequence[Recipe]) -> None:
        self.recipes = tuple(recipes)
        self._shaped: dict[Outline, list[tuple[int, Cells]]] = {}
        self._shapeless: dict[int, list[int]] = {}  # by number of ingredients
        for index, recipe in enumerate(self.recipes):
            if not recipe.shaped:
                self._shapeless.setdefault(len(recipe.shape[0]), []).append(index)
                continue
            mirrored = tuple(row[::-1] for row in recipe.shape)
            for shape in (recipe.shape, mirrored) if mirrored != recipe.shape else (recipe.shape,):
                cells = tuple(cell for row in shape for cell in row)
                outline = (len(shape[0]), len(shape), tuple(bool(cell) for cell in cells))
                self._shaped.setdefault(outline, []).append((index, cells))
        self._match = lru_cache(maxsize=4096)(self._look_up)

    def match(self, grid: Sequence[int]) -> Match:
        """The recipe in a 2x2 or 3x3 grid of item ids given row by row, 0 for an empty cell."""
        grid = tuple(grid)
        if len(grid) not in GRID_SIDES:
            raise ValueError(f"crafting grid has {len(grid)} cells, expected 4 (2x2) or 9 (3x3)")
        return self._match(grid)

    def _look_up(self, grid: tuple[int, ...]) -> Match:
        side = GRID_SIDES[len(grid)]
        filled = [(i // side, i % side) for i, item in enumerate(grid) if item]
        if not filled:
            return NO_MATCH
        top, bottom = filled[0][0], filled[-1][0]
        left, right = min(c for _, c in filled), max(c for _, c in filled)
        box = tuple(grid[r * side + c] for r in range(top, bottom + 1) for c in range(left, right + 1))
        outline = (right - left + 1, bottom - top + 1, tuple(bool(item) for item in box))
        for index, cells in self._shaped.get(outline, ()):
            if all(item in cell for item, cell in zip(box, cells, strict=True) if item):
                return self._found(index)
        items = tuple(item for item in grid if item)
        for index in self._shapeless.get(len(items), ()):
            wanted = self.recipes[index].shape[0]
            if any(all(i in w for i, w in zip(order, wanted, strict=True)) for order in permutations(items)):
                return self._found(index)
        return NO_MATCH

    def _found(self, index: int) -> Match:
        recipe = self.recipes[index]
        return Match(recipe.result, recipe.count, index)


MATCHER = Matcher(RULES.recipes)
