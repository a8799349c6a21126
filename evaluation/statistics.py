"""How sure we can be: intervals, paired comparisons, curves, Crafter's score.

    wilson(18, 20)                       # Interval(0.9, 0.699, 0.972)
    compare_pairs([1, 1, 0], [0, 1, 0])  # difference, its interval, and McNemar's exact p

All intervals hold 95 %. The bootstrap draws from a named stream, so that the same results give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from jarvis.core.random_streams import generator

__all__ = [
    "Comparison", "Curve", "Interval", "compare_pairs", "crafter_score", "mcnemar", "milestone_curve", "quartiles",
    "student", "wilson",
]  # fmt: skip

Z = 1.959963984540054  # of the normal distribution, between -Z and Z lie 95 %
DRAWS = 10_000  # of the bootstrap


class Interval(NamedTuple):
    """A number and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def to_json(self) -> list[float]:
        """[value, low, high], rounded to what can be meant."""
        return [round(part, 6) for part in self]


def wilson(successes: int, count: int) -> Interval:
    """Wilson's score interval of a share. Nothing counted: anything between 0 and 1, and no number (NaN)."""
    if not 0 <= successes <= count:
        raise ValueError(f"{successes} successes of {count}")
    if count == 0:
        return Interval(math.nan, 0.0, 1.0)
    share, square = successes / count, Z * Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    # NOTE: at the ends the formula is exact, but for the last digits
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == count else min(1.0, middle + half)
    return Interval(share, low, high)


def student(values: Sequence[float]) -> Interval:
    """The mean of independent values, such as of training seeds, with Student's t interval. Needs SciPy.

    One value says nothing of the spread: anything.
    """
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, -math.inf, math.inf)
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of McNemar's test, which is a sign test over the pairs that differ: a fair coin or not.

    mcnemar(5, 0) is 2 / 2**5 = 0.0625.
    """
    differing = only_first + only_second
    if differing == 0:
        return 1.0
    tail = sum(math.comb(differing, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**differing)


@dataclass(frozen=True)
class Comparison:
    """Two policies on the same episodes."""

    pairs: int  # episodes that both finished
    first: int  # successes
    second: int
    only_first: int  # pairs in which only the first had success
    only_second: int
    difference: Interval  # of the rates, second minus first
    p: float  # McNemar's, exact, two-sided

    def to_json(self) -> dict[str, Any]:
        """Every field."""
        return asdict(self) | {"difference": self.difference.to_json()}


def compare_pairs(first: Sequence[bool], second: Sequence[bool]) -> Comparison:
    """Successes of two policies on equal tasks and seeds, in the same order.

    The interval of the difference is Newcombe's (1998, method 10): it joins the two Wilson intervals by the correlation
    of the pairs, so that a single pair, or pairs that all agree, leave doubt where a bootstrap would leave none.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} results cannot be paired")
    one, two = np.asarray(first, bool), np.asarray(second, bool)
    both, neither = int((one & two).sum()), int((~one & ~two).sum())
    only_first, only_second = int((one & ~two).sum()), int((two & ~one).sum())
    return Comparison(
        len(one), both + only_first, both + only_second, only_first, only_second,
        _paired_difference(both, only_first, only_second, neither), mcnemar(only_first, only_second),
    )  # fmt: skip


def _paired_difference(both: int, only_first: int, only_second: int, neither: int) -> Interval:
    count = both + only_first + only_second + neither
    if count == 0:
        return Interval(math.nan, -1.0, 1.0)
    a, b = wilson(both + only_first, count), wilson(both + only_second, count)
    cross = both * neither - only_first * only_second
    if cross > 0:
        cross = max(cross - count / 2, 0)  # type: ignore[assignment] # the continuity correction
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    correlation = cross / math.sqrt(margins) if margins else 0.0

    def reach(ours: float, theirs: float) -> float:
        return math.sqrt(max(0.0, ours * ours - 2 * correlation * ours * theirs + theirs * theirs))

    value = b.value - a.value
    low = value - reach(b.value - b.low, a.high - a.value)
    high = value + reach(b.high - b.value, a.value - a.low)
    return Interval(value, max(-1.0, low), min(1.0, high))


class Curve(NamedTuple):
    """The share of episodes that had reached a milestone by each tick at which it fell for one of them."""

    ticks: tuple[int, ...]
    shares: tuple[Interval, ...]


def milestone_curve(ticks: Sequence[int | None]) -> Curve:
    """From the tick at which each episode reached the milestone, None where it never did.

    Every finished episode counts: it was played until its end, so that not having reached it is known.
    """
    count, reached = len(ticks), sorted(tick for tick in ticks if tick is not None)
    steps = sorted(set(reached))
    return Curve(tuple(steps), tuple(wilson(int(np.searchsorted(reached, step, "right")), count) for step in steps))


def quartiles(values: Sequence[float]) -> tuple[float, float, float] | None:
    """First quartile, median and third quartile, or None of nothing."""
    if not len(values):
        return None
    low, middle, high = np.percentile(np.asarray(values, float), (25, 50, 75))
    return float(low), float(middle), float(high)


def crafter_score(unlocked: Sequence[Mapping[str, Any]], achievements: Sequence[str]) -> Interval:
    """Crafter's score in percent: exp(mean(log(1 + success percent))) - 1 over the achievements.

    unlocked: for each episode what it achieved (keys). The interval is a percentile bootstrap over whole episodes:
    achievements of one life hang together.
    """
    table = np.array([[name in episode for name in achievements] for episode in unlocked], float)
    if not table.size:
        return Interval(math.nan, 0.0, 100.0)

    def score(percent: np.ndarray) -> np.ndarray:
        return np.exp(np.log1p(percent).mean(-1)) - 1

    random = generator(0, "evaluation", "crafter")
    draws = random.multinomial(len(table), np.full(len(table), 1 / len(table)), size=DRAWS)
    low, high = np.percentile(score(100 * draws @ table / len(table)), (2.5, 97.5))
    value = float(score(100 * table.mean(0)))
    return Interval(*(min(100.0, max(0.0, part)) for part in (value, float(low), float(high))))
