"""The rows of a batched policy: what every policy keeps for each episode it plays side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jarvis.core.goals import Goal
from jarvis.core.observations import Observation

__all__ = ["Rows"]


class Rows:
    """One state a row, made anew by `reset`. Subclasses give `begin`, and `act` of the Policy protocol."""

    def __init__(self) -> None:
        self._rows: list[Any] = []

    def begin(self, goal: Goal | None, seed: int) -> Any:
        """The state of a row at the beginning of an episode."""
        raise NotImplementedError

    def end(self, state: Any) -> None:
        """A row's state is about to be forgotten."""

    def reset(
        self,
        goals: Sequence[Goal | None],
        *,
        rows: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """As in the Policy protocol. Without seeds, a row's seed is its number."""
        if rows is None:
            self._end(self._rows)
            self._rows = [None] * len(goals)
            rows = range(len(goals))
        seeds = list(rows) if seeds is None else seeds
        if not len(rows) == len(goals) == len(seeds):
            raise ValueError(f"{len(goals)} goals, {len(rows)} rows and {len(seeds)} seeds, expected as many of each")
        for row, goal, seed in zip(rows, goals, seeds, strict=True):
            if not 0 <= row < len(self._rows):
                raise ValueError(f"row {row}: there are {len(self._rows)}")
            self._end(self._rows[row : row + 1])
            self._rows[row] = self.begin(goal, seed)

    def _end(self, states: Sequence[Any]) -> None:
        for state in states:
            if state is not None:
                self.end(state)

    def check(self, observations: Sequence[Observation]) -> None:
        """Raises ValueError unless there is one observation a row."""
        if len(observations) != len(self._rows):
            raise ValueError(f"{len(observations)} observations for {len(self._rows)} rows")
