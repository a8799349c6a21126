"""Which examples come next: every one once an epoch, in an order that only the seed and the position decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from jarvis.core.errors import JarvisError
from jarvis.core.random_streams import generator

__all__ = ["Batches"]


class Batches:
    """Endless (batch,) int64 arrays of example numbers.

    Each epoch is a new shuffle of all `count` examples; a batch may span two. With several processes each gets its own
    slice of every batch, so that the run does not depend on their number. The state is one number.
    """

    def __init__(self, count: int, batch: int, seed: int, *, rank: int = 0, world: int = 1) -> None:
        if count < 1:
            raise JarvisError("there is not a single example to train on")
        if batch < 1 or batch % world or not 0 <= rank < world:
            raise JarvisError(f"batches of {batch} cannot be shared by {world} processes, of which this is {rank}")
        self.count, self.batch, self.seed, self.rank, self.world = count, batch, seed, rank, world
        self.position = 0  # examples given out
        self._order: tuple[int, np.ndarray] | None = None  # of one epoch

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        places = np.arange(self.position, self.position + self.batch)
        self.position += self.batch
        chosen = np.array([self._shuffled(int(place // self.count))[place % self.count] for place in places], np.int64)
        return chosen[self.rank * self.batch // self.world : (self.rank + 1) * self.batch // self.world]

    @property
    def epoch(self) -> float:
        """How often everything was seen."""
        return self.position / self.count

    def _shuffled(self, epoch: int) -> np.ndarray:
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, generator(self.seed, "epoch", epoch).permutation(self.count)
        return self._order[1]

    def state(self) -> dict[str, Any]:
        """What `restore` takes."""
        return {"position": self.position, "count": self.count, "batch": self.batch, "seed": self.seed}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on after the examples that were given out. JarvisError if they were others."""
        for key in ("count", "batch", "seed"):
            if state[key] != getattr(self, key):
                raise JarvisError(
                    f"the checkpoint was trained with {key} {state[key]}, this run has {getattr(self, key)}; "
                    "resume with the same data and settings, or begin another run"
                )
        self.position = int(state["position"])
