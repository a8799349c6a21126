"""What a player could see, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jarvis.core.errors import EpisodeError

__all__ = ["Observation"]


@dataclass(frozen=True, eq=False)
class Observation:
    """One frame as the player sees it, hotbar and open screens included.

    pov: (height, width, 3) uint8 RGB. Kept as it is, not copied. Inventory, position and counters are never here:
    an environment tells those in `info`, which no policy gets.
    """

    pov: np.ndarray

    def __post_init__(self) -> None:
        pov = self.pov
        if (
            not isinstance(pov, np.ndarray)
            or pov.dtype != np.uint8
            or pov.ndim != 3
            or pov.shape[2] != 3
            or not pov.size
        ):
            got = f"{pov.dtype} {pov.shape}" if isinstance(pov, np.ndarray) else type(pov).__name__
            raise EpisodeError(f"pov: {got}, expected uint8 (height, width, 3), RGB")

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return int(self.pov.shape[0])

    @property
    def width(self) -> int:
        """Columns of the picture."""
        return int(self.pov.shape[1])
