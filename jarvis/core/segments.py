"""Stretches of play that are one skill each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from operator import index
from typing import Any

from jarvis.core.errors import EpisodeError

__all__ = ["Segment", "check_cover"]


@dataclass(frozen=True)
class Segment:
    """The ticks [start, stop) of a trajectory: actions start to stop - 1, frames start to stop."""

    start: int
    stop: int
    skill: str | int | None = None  # a name, a cluster's number, or not yet known
    criterion: str = ""  # what made the cut at `start`: "surprise", "event", "truth", ...
    score: float | None = None  # how sure that criterion was, in its own unit

    def __post_init__(self) -> None:
        try:
            start, stop = index(self.start), index(self.stop)
        except TypeError:
            raise EpisodeError(f"segment [{self.start!r}, {self.stop!r}): expected integer ticks") from None
        if not 0 <= start < stop:
            raise EpisodeError(f"segment [{start}, {stop}): expected 0 <= start < stop")
        if not isinstance(self.skill, (str, int, type(None))) or not isinstance(self.criterion, str):
            raise EpisodeError(f"segment [{start}, {stop}): skill {self.skill!r}, criterion {self.criterion!r}")
        if self.score is not None:
            if not isinstance(self.score, Real) or not abs(self.score) <= sys.float_info.max:
                raise EpisodeError(f"segment [{start}, {stop}): score is {self.score!r:.40}")
            object.__setattr__(self, "score", float(self.score))
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "stop", stop)

    def __len__(self) -> int:
        return self.stop - self.start

    def to_json(self) -> dict[str, Any]:
        """{"start", "stop", "skill", "criterion", "score"}."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Segment:
        """The inverse of `to_json`."""
        try:
            return cls(**value)
        except TypeError as error:
            raise EpisodeError(f"not a segment: {value!r:.200}: {error}") from None


def check_cover(segments: Sequence[Segment], num_ticks: int) -> None:
    """Raises EpisodeError unless the segments, in this order, cover [0, num_ticks) with no gap and no overlap."""
    reached = 0
    for number, segment in enumerate(segments):
        if segment.start != reached:
            problem = "gap" if segment.start > reached else "overlap"
            raise EpisodeError(f"segment {number} starts at {segment.start}, expected {reached}: {problem}")
        reached = segment.stop
    if reached != num_ticks:
        raise EpisodeError(f"the segments end at {reached}, expected {num_ticks}")
