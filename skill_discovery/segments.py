"""From cuts to segments: a cover of the clip, in raw frames, none shorter or longer than asked.

segments = build_segments(cuts, evidence, LengthLimits(), criterion="sbd+nms", scores=curve)
check_cover(segments, len(evidence))
write_segments("segments/clip.jsonl", segments)       # one Segment a line
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.files import Pathlike, atomic_write, read_json_lines
from jarvis.core.segments import Segment, check_cover

__all__ = [
    "LengthLimits",
    "build_segments",
    "published_line",
    "read_segments",
    "write_segments",
]


@dataclass(frozen=True)
class LengthLimits:
    """How long a segment may be, in raw ticks."""

    min_ticks: int = 10
    max_ticks: int = 1200  # a minute: longer ones are cut where the criterion comes nearest to a cut, else in halves

    def __post_init__(self) -> None:
        if not 1 <= self.min_ticks or self.max_ticks < 2 * self.min_ticks:
            raise ValueError(f"{self}: expected min_ticks from 1 and max_ticks of at least twice that")


def build_segments(
    cuts: Any,
    num_ticks: int,
    limits: LengthLimits | None = None,
    *,
    criterion: str = "",
    curve: np.ndarray | None = None,
) -> list[Segment]:
    """Segments that cover [0, num_ticks), each carrying its opening cut's score if there is a curve.

    Of two cuts closer than min_ticks the one with the lower score goes, the later one without scores; so does a cut
    closer than that to an end. Only a clip shorter than min_ticks is a shorter segment. EpisodeError for cuts out of
    order.
    """
    limits = limits or LengthLimits()
    cuts = np.asarray(cuts, np.int64).reshape(-1)
    if num_ticks < 1:
        raise EpisodeError(f"{num_ticks} ticks, expected at least one")
    if len(cuts) and (cuts[0] < 1 or cuts[-1] >= num_ticks or (np.diff(cuts) <= 0).any()):
        raise EpisodeError(f"cuts: expected rising ticks from 1 to {num_ticks - 1}, got {cuts[:8].tolist()}")
    kept = _spaced(cuts.tolist(), num_ticks, limits.min_ticks, curve)
    kept = _split(kept, num_ticks, limits, curve)
    bounds = [0, *kept, num_ticks]
    segments = [Segment(start, stop, None, criterion, _score(curve, start)) for start, stop in pairwise(bounds)]
    check_cover(segments, num_ticks)
    return segments


def _score(curve: np.ndarray | None, tick: int) -> float | None:
    return None if curve is None or not np.isfinite(curve[tick]) else float(curve[tick])


def _spaced(cuts: list[int], num_ticks: int, least: int, curve: np.ndarray | None) -> list[int]:
    best_first = sorted(cuts, key=lambda tick: (0.0 if curve is None else -float(curve[tick]), tick))
    kept: list[int] = []
    for tick in best_first:
        if least <= tick <= num_ticks - least and all(abs(tick - other) >= least for other in kept):
            kept.append(tick)
    return sorted(kept)


def _split(cuts: list[int], num_ticks: int, limits: LengthLimits, curve: np.ndarray | None) -> list[int]:
    """Adds cuts until no segment is too long."""
    bounds = [0, *cuts, num_ticks]
    done: list[int] = []
    stack = list(pairwise(bounds))[::-1]
    while stack:
        start, stop = stack.pop()
        if stop - start <= limits.max_ticks:
            done.append(start)
            continue
        low, high = start + limits.min_ticks, stop - limits.min_ticks
        middle = (start + stop) // 2
        if curve is not None and np.isfinite(curve[low : high + 1]).any():
            middle = low + int(np.argmax(curve[low : high + 1]))
        stack += [(middle, stop), (start, middle)]
    return [tick for tick in done if tick]


# files


def write_segments(path: Pathlike, segments: Sequence[Segment]) -> None:
    """One JSON line a segment, atomically."""
    atomic_write(path, "".join(json.dumps(segment.to_json(), allow_nan=False) + "\n" for segment in segments))


def read_segments(path: Pathlike) -> list[Segment]:
    """The segments of a file, a gap-free cover. FormatError names the file."""
    lines = read_json_lines(path)
    if lines.cut:
        raise FormatError(f"{path}: the last line was cut off: {lines.cut}")
    segments = [Segment.from_json(value) for value in lines]
    if not segments:
        raise FormatError(f"{path}: no segments")
    check_cover(segments, segments[-1].stop)
    return segments


def published_line(name: str, segments: Sequence[Segment]) -> dict[str, Any]:
    """A line of the published code's file: {"file", "boundaries": [[first, last], ...]}, raw frames, both included."""
    return {"file": name, "boundaries": [[segment.start, segment.stop - 1] for segment in segments]}
