"""The two players that every suite must be safe from, for games whose actions are numbers or names.

    policy = NumberedRandom(17)         # Crafter: any of its actions, each as likely
    policy = NumberedNoop()

For keyboard and mouse they are `jarvis play --policy random` and `noop`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.random_streams import generator

__all__ = ["NumberedNoop", "NumberedRandom"]


class NumberedRandom:
    """Any of `count` actions, each as likely, from each row's own seed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._rows: list[np.random.Generator] = []

    def reset(
        self,
        goals: Sequence[Goal | None],
        *,
        rows: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """As in the Policy protocol."""
        if rows is None:
            rows = range(len(goals))
            self._rows = [generator(row, "policy", "numbered") for row in rows]
        for row, seed in zip(rows, rows if seeds is None else seeds, strict=True):
            self._rows[row] = generator(seed, "policy", "numbered")

    def act(self, observations: Sequence[Observation]) -> list[int]:
        """One number a row, whatever is seen."""
        return [int(random.integers(self.count)) for random in self._rows]


class NumberedNoop(NumberedRandom):
    """Action 0, which does nothing."""

    def __init__(self) -> None:
        super().__init__(1)
