"""How good cuts are: boundaries against boundaries, and segments against skills. Ratios never come without counts.

    clip = Scored.of(truth, cuts, num_ticks)              # truth: Segments that cover the clip; cuts: ticks
    score([clip, ...], tolerance=10).f1                   # over the corpus, one-to-one matching
    bootstrap(lambda clips: score(clips, 10).f1, clips)   # (0.61, 0.55, 0.66): value and 95 % interval, over clips

The ends of a video are no boundaries. A cut matches a boundary at most `tolerance` ticks away, each at most one; of all
such matchings it is one with the most pairs, and of those the nearest. Without any cut, precision and F1 are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from jarvis.core.errors import EpisodeError
from jarvis.core.random_streams import generator
from jarvis.core.segments import Segment, check_cover

__all__ = [
    "BoundaryScore",
    "Scored",
    "SegmentScore",
    "average_precision",
    "bootstrap",
    "bootstrap_difference",
    "chance_f1",
    "chance_parts",
    "corrected_f1",
    "coverage",
    "difference_interval",
    "f1_interval",
    "f1_parts",
    "match",
    "relative_f1",
    "score",
    "segment_score",
    "signed_delay",
]

SHORTEST, LONGEST = 15, 200  # ticks: what the published recipe keeps for training


@dataclass(frozen=True, eq=False)
class Scored:
    """The boundaries and cuts of one clip."""

    truth: np.ndarray  # (boundaries,) int64 ticks, rising; the first tick of each skill but the first
    cuts: np.ndarray  # (cuts,) int64 ticks, rising, each once
    num_ticks: int
    skills: tuple[Any, ...] = ()  # of the true segments, one more than boundaries; empty: not known

    @classmethod
    def of(cls, truth: Sequence[Segment], cuts: Any, num_ticks: int) -> Scored:
        """From true segments that cover the clip. EpisodeError for cuts outside of it or not in order."""
        check_cover(truth, num_ticks)
        cuts = np.asarray(cuts, np.int64).reshape(-1)
        if len(cuts) and (cuts[0] < 1 or cuts[-1] >= num_ticks or (np.diff(cuts) <= 0).any()):
            raise EpisodeError(f"cuts: expected rising ticks from 1 to {num_ticks - 1}, got {cuts[:8].tolist()}...")
        starts = np.array([segment.start for segment in truth[1:]], np.int64)
        return cls(starts, cuts, num_ticks, tuple(segment.skill for segment in truth))


def match(truth: np.ndarray, cuts: np.ndarray, tolerance: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (into truth, into cuts) of the matched pairs: the most pairs there can be, and then the nearest."""
    truth, cuts = np.asarray(truth), np.asarray(cuts)
    if not len(truth) or not len(cuts):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    from scipy.optimize import linear_sum_assignment

    distance = np.abs(truth[:, None] - cuts[None, :]).astype(np.float64)
    too_far = float((tolerance + 1) * (min(distance.shape) + 1))  # worse than any number of allowed pairs
    rows, columns = linear_sum_assignment(np.where(distance <= tolerance, distance, too_far))
    near = distance[rows, columns] <= tolerance
    return rows[near], columns[near]


@dataclass(frozen=True)
class BoundaryScore:
    """Over a corpus of clips."""

    matched: int
    cuts: int
    boundaries: int

    @property
    def precision(self) -> float:
        """Share of the cuts that are boundaries."""
        return self.matched / self.cuts if self.cuts else 0.0

    @property
    def recall(self) -> float:
        """Share of the boundaries that were cut."""
        return self.matched / self.boundaries if self.boundaries else 0.0

    @property
    def f1(self) -> float:
        """Of precision and recall; 1 if there was nothing to find and nothing was found."""
        total = self.cuts + self.boundaries
        return 2 * self.matched / total if total else 1.0

    @property
    def over_segmentation(self) -> float:
        """Cuts for each boundary."""
        return self.cuts / self.boundaries if self.boundaries else float(self.cuts > 0)


def score(clips: Sequence[Scored], tolerance: int) -> BoundaryScore:
    """Boundary score at a tolerance in ticks, counts added over the clips."""
    matched = sum(len(match(clip.truth, clip.cuts, tolerance)[0]) for clip in clips)
    return BoundaryScore(matched, sum(len(clip.cuts) for clip in clips), sum(len(clip.truth) for clip in clips))


def relative_f1(clips: Sequence[Scored], shares: Sequence[float] = tuple(np.arange(1, 11) / 20)) -> float:
    """Mean F1 at tolerances that are shares of each clip's mean true segment, as event boundary benchmarks have it."""
    values = []
    for share in shares:
        matched = 0
        for clip in clips:
            tolerance = int(share * clip.num_ticks / (len(clip.truth) + 1))
            matched += len(match(clip.truth, clip.cuts, tolerance)[0])
        total = sum(len(clip.cuts) + len(clip.truth) for clip in clips)
        values.append(2 * matched / total if total else 1.0)
    return float(np.mean(values))


def random_cuts(count: int, num_ticks: int, random: np.random.Generator) -> np.ndarray:
    """(count,) distinct ticks of 1 to num_ticks - 1, rising."""
    return np.sort(random.choice(np.arange(1, num_ticks), min(count, num_ticks - 1), replace=False))


def chance_f1(clips: Sequence[Scored], tolerance: int, draws: int = 50, seed: int = 0) -> float:
    """F1 of cuts at random ticks, as many in each clip as it has now; the mean over the draws."""
    random = generator(seed, "chance")
    values = []
    for _ in range(draws):
        drawn = [
            Scored(clip.truth, random_cuts(len(clip.cuts), clip.num_ticks, random), clip.num_ticks) for clip in clips
        ]
        values.append(score(drawn, tolerance).f1)
    return float(np.mean(values))


def corrected_f1(f1: float, chance: float) -> float:
    """F1 with chance at 0 and perfection at 1."""
    return (f1 - chance) / (1 - chance) if chance < 1 else 0.0


def signed_delay(clips: Sequence[Scored], tolerance: int) -> float:
    """Median of cut minus boundary in ticks over the matched pairs; NaN if there are none."""
    delays: list[int] = []
    for clip in clips:
        rows, columns = match(clip.truth, clip.cuts, tolerance)
        delays += (clip.cuts[columns] - clip.truth[rows]).tolist()
    return float(np.median(delays)) if delays else float("nan")


def average_precision(
    truths: Sequence[np.ndarray], peaks: Sequence[tuple[np.ndarray, np.ndarray]], tolerance: int
) -> float:
    """Area under precision over recall, of candidate cuts taken from the best on, all clips together.

    peaks: for each clip its candidates' ticks and scores. A candidate is right if a boundary that no better one took
    is within the tolerance; it takes the nearest.
    """
    total = sum(len(truth) for truth in truths)
    if not total:
        return 0.0
    clip_of = np.concatenate([np.full(len(ticks), number) for number, (ticks, _) in enumerate(peaks)])
    ticks = np.concatenate([ticks for ticks, _ in peaks])
    values = np.concatenate([scores for _, scores in peaks])
    free = [np.ones(len(truth), np.bool_) for truth in truths]
    hits = np.zeros(len(ticks), np.bool_)
    order = np.lexsort((ticks, clip_of, -values))  # ties in order of time, whatever the sort
    for rank, candidate in enumerate(order):
        number = clip_of[candidate]
        distance = np.abs(np.asarray(truths[number]) - ticks[candidate]).astype(np.float64)
        distance[~free[number]] = np.inf
        if len(distance) and distance.min() <= tolerance:
            free[number][int(distance.argmin())] = False
            hits[rank] = True
    # The precision at a recall is the best at this or a higher one.
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[hits].sum() / total)


# segments


@dataclass(frozen=True)
class SegmentScore:
    """Over a corpus, in ticks."""

    purity: float  # share of ticks whose cut-out segment has their skill as its most frequent one
    coverage: float  # share of ticks whose true segment has their cut-out segment as its largest part
    mean_ticks: float  # of a cut-out segment
    true_mean_ticks: float
    quantiles: tuple[float, float, float]  # lengths that 10, 50 and 90 % of the segments do not exceed
    outside: float  # share of segments shorter than 15 or longer than 200 ticks
    segments: int
    ticks: int

    @property
    def harmonic(self) -> float:
        """Mean of purity and coverage that is near the smaller one."""
        return 2 * self.purity * self.coverage / max(self.purity + self.coverage, 1e-12)


def _bounds(cuts: np.ndarray, num_ticks: int) -> np.ndarray:
    return np.concatenate([[0], cuts, [num_ticks]]).astype(np.int64)


def _largest_parts(numbers: np.ndarray, bounds: np.ndarray) -> int:
    """Ticks in the most frequent number of each stretch, added up."""
    return sum(int(np.bincount(numbers[start:stop]).max()) for start, stop in pairwise(bounds.tolist()))


def purity_ticks(clip: Scored) -> int:
    """Ticks that have their cut-out segment's most frequent skill."""
    bounds = _bounds(clip.truth, clip.num_ticks)
    skills = clip.skills or tuple(range(len(bounds) - 1))
    names = {skill: number for number, skill in enumerate(dict.fromkeys(skills))}
    labels = np.repeat([names[skill] for skill in skills], np.diff(bounds))
    return _largest_parts(labels, _bounds(clip.cuts, clip.num_ticks))


def coverage(clip: Scored) -> int:
    """Ticks that are in the largest cut-out part of their true segment."""
    bounds = _bounds(clip.cuts, clip.num_ticks)
    labels = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    return _largest_parts(labels, _bounds(clip.truth, clip.num_ticks))


def segment_score(clips: Sequence[Scored]) -> SegmentScore:
    """Purity, coverage and lengths of the segments between the cuts, over the corpus."""
    ticks = sum(clip.num_ticks for clip in clips)
    lengths = np.concatenate([np.diff(_bounds(clip.cuts, clip.num_ticks)) for clip in clips])
    true_count = sum(len(clip.truth) + 1 for clip in clips)
    low, middle, high = np.quantile(lengths, [0.1, 0.5, 0.9]).tolist()
    return SegmentScore(
        purity=sum(map(purity_ticks, clips)) / ticks,
        coverage=sum(map(coverage, clips)) / ticks,
        mean_ticks=ticks / len(lengths),
        true_mean_ticks=ticks / true_count,
        quantiles=(low, middle, high),
        outside=float(((lengths < SHORTEST) | (lengths > LONGEST)).mean()),
        segments=len(lengths),
        ticks=ticks,
    )


# how sure


def bootstrap(
    statistic: Callable[[Sequence[Scored]], float], clips: Sequence[Scored], draws: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """A statistic and its 95 % interval over clips drawn with replacement: whole episodes, never single boundaries."""
    random = generator(seed, "bootstrap")
    values = [statistic([clips[index] for index in random.integers(len(clips), size=len(clips))]) for _ in range(draws)]
    low, high = np.quantile(values, [0.025, 0.975]).tolist()
    return statistic(clips), low, high


def f1_interval(
    clips: Sequence[Scored], tolerance: int, draws: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """`bootstrap` of F1, matching each clip only once."""
    return _ratio_interval(f1_parts(clips, tolerance), draws, seed)


def bootstrap_difference(
    ours: Sequence[Scored], theirs: Sequence[Scored], tolerance: int, draws: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """F1 of ours minus F1 of theirs and its 95 % interval; the two are cuts of the same clips in the same order."""
    return difference_interval(f1_parts(ours, tolerance), f1_parts(theirs, tolerance), draws, seed)


def f1_parts(clips: Sequence[Scored], tolerance: int) -> np.ndarray:
    """(clips, 2) float64: twice the matched, and the cuts and boundaries."""
    return np.array(
        [(2 * len(match(clip.truth, clip.cuts, tolerance)[0]), len(clip.cuts) + len(clip.truth)) for clip in clips],
        np.float64,
    ).reshape(-1, 2)


def chance_parts(clips: Sequence[Scored], tolerance: int, draws: int = 50, seed: int = 0) -> np.ndarray:
    """As `f1_parts`, of as many random cuts, the mean over the draws."""
    random = generator(seed, "chance")
    total = np.zeros((len(clips), 2))
    for _ in range(draws):
        drawn = [
            Scored(clip.truth, random_cuts(len(clip.cuts), clip.num_ticks, random), clip.num_ticks) for clip in clips
        ]
        total += f1_parts(drawn, tolerance)
    return total / draws


def difference_interval(
    ours: np.ndarray, theirs: np.ndarray, draws: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Of two (clips, 2) tables of numerators and denominators of the same clips."""
    picked = generator(seed, "bootstrap").integers(len(ours), size=(draws, len(ours)))
    values = _ratios(ours[picked].sum(axis=1)) - _ratios(theirs[picked].sum(axis=1))
    low, high = np.quantile(values, [0.025, 0.975]).tolist()
    value = _ratios(ours.sum(axis=0)[None])[0] - _ratios(theirs.sum(axis=0)[None])[0]
    return float(value), low, high


def _ratio_interval(parts: np.ndarray, draws: int, seed: int) -> tuple[float, float, float]:
    picked = generator(seed, "bootstrap").integers(len(parts), size=(draws, len(parts)))
    low, high = np.quantile(_ratios(parts[picked].sum(axis=1)), [0.025, 0.975]).tolist()
    return float(_ratios(parts.sum(axis=0)[None])[0]), low, high


def _ratios(parts: np.ndarray) -> np.ndarray:
    return np.where(parts[:, 1] > 0, parts[:, 0] / np.maximum(parts[:, 1], 1), 1.0)
