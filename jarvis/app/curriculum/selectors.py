"""What to practise next, from numbers alone. No model decides here, so that runs can be compared.

    selector = LearningProgress(parents)
    while running:
        goal = choose(selector, candidates, random)
        selector.update(goal, [attempt() for _ in range(8)])

`learning_progress` looks for goals whose success rate moves by more than chance would have it: a coin never looks like
progress, nor does the impossible. It tries the untried a little, rests what is mastered or hopeless, and waits with a
goal until what it builds on works. `uniform` is the control. `sec` follows the mean absolute advantage, as
self-evolving curricula do: useful where advantages come free, captured by every coin (benchmarks/curriculum_toy.py).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from jarvis.core.errors import UnknownNameError, nearest_names

__all__ = ["SELECTORS", "LearningProgress", "Selector", "SelfEvolving", "Uniform", "choose", "make_selector"]

SELECTORS = ("learning_progress", "uniform", "sec")


class Selector(Protocol):
    """See the top of the module. State follows from the updates alone, so that a log can rebuild it."""

    def weights(self, goals: Sequence[str]) -> np.ndarray:
        """(goals,) float64, not negative: how much each is worth practising."""
        ...

    def update(self, goal: str, successes: Sequence[bool]) -> None:
        """These attempts at the goal were made, one after the other."""
        ...


EPSILON = 0.1  # of all choices are made at random


def choose(selector: Selector, goals: Sequence[str], random: np.random.Generator) -> str:
    """One of the goals, in proportion to their weights; every one of them has a chance."""
    return goals[int(random.choice(len(goals), p=probabilities(selector, goals)))]


def probabilities(selector: Selector, goals: Sequence[str]) -> np.ndarray:
    """(goals,) float64: the chance of each, none of them zero."""
    if not goals:
        raise ValueError("there is no goal to choose from")
    weights = selector.weights(goals)
    total = weights.sum()
    share = weights / total if total > 0 else np.full(len(goals), 1 / len(goals))
    mixed = (1 - EPSILON) * share + EPSILON / len(goals)
    return mixed / mixed.sum()


class Uniform:
    """Every goal alike."""

    def weights(self, goals: Sequence[str]) -> np.ndarray:
        """Ones."""
        return np.ones(len(goals))

    def update(self, goal: str, successes: Sequence[bool]) -> None:
        """Learns nothing."""


class LearningProgress:
    """Progress beyond what chance explains, a bonus for the little tried, a gate before what builds on the unlearnt."""

    def __init__(
        self,
        parents: Mapping[str, Sequence[str]],
        *,
        window: int = 48,  # attempts of each of two halves
        margin: float = 1.0,  # standard errors that are not progress yet
        bonus: float = 0.08,
        rest: float = 0.1,  # of its weight, for what looks impossible or mastered
        gate: float = 0.3,  # rate of its parents from which on a goal is open
    ) -> None:
        self.parents = parents
        self.window, self.margin, self.bonus, self.rest, self.gate = window, margin, bonus, rest, gate
        self._recent: dict[str, deque[bool]] = {}
        self._count: dict[str, int] = {}
        self._rate: dict[str, float] = {}
        self._progress: dict[str, float] = {}
        self._total = 0

    def update(self, goal: str, successes: Sequence[bool]) -> None:
        """Remembers the attempts."""
        recent = self._recent.setdefault(goal, deque(maxlen=2 * self.window))
        recent.extend(successes)
        self._count[goal] = self._count.get(goal, 0) + len(successes)
        self._total += len(successes)
        newest = list(recent)[-self.window :]
        self._rate[goal] = sum(newest) / len(newest) if newest else 0.0
        self._progress[goal] = self._moved(list(recent))

    def rate(self, goal: str) -> float:
        """Of the newest attempts, at most `window` of them; 0 if there are none."""
        return self._rate.get(goal, 0.0)

    def progress(self, goal: str) -> float:
        """How far the rate of the newer half is from that of the older, less what chance may do."""
        return self._progress.get(goal, 0.0)

    def _moved(self, attempts: Sequence[bool]) -> float:
        half = len(attempts) // 2
        if half < 8:
            return 0.0
        older, newer = sum(attempts[:half]) / half, sum(attempts[-half:]) / half
        middle = (older + newer) / 2
        error = math.sqrt(max(middle * (1 - middle), 0.01) * 2 / half)
        return max(0.0, abs(newer - older) - self.margin * error)

    def weights(self, goals: Sequence[str]) -> np.ndarray:
        """Progress and bonus, scaled down for the resting and the not yet open."""
        weights = np.zeros(len(goals))
        for index, goal in enumerate(goals):
            count, rate = self._count.get(goal, 0), self.rate(goal)
            weight = self.progress(goal) + self.bonus * math.sqrt(math.log(self._total + 2) / (count + 1))
            if (count >= 64 and rate < 0.02) or (count >= self.window and rate > 0.95):
                weight *= self.rest
            needed = self.parents.get(goal, ())
            if needed:
                weight *= 0.05 + min(1.0, min(self.rate(parent) for parent in needed) / self.gate)
            weights[index] = weight
        return weights


GROUP = 8  # attempts whose advantages are taken together


class SelfEvolving:
    """SEC: a softmax over how far attempts at a goal fall apart. Its Q forgets by half at each update."""

    def __init__(self, *, temperature: float = 0.05, rate: float = 0.5) -> None:
        self.temperature, self.rate = temperature, rate
        self._value: dict[str, float] = {}
        self._open: dict[str, list[bool]] = {}  # groups that are not full yet

    def update(self, goal: str, successes: Sequence[bool]) -> None:
        """Advantages are those of groups of eight: success less the group's mean."""
        group = self._open.setdefault(goal, [])
        for success in successes:
            group.append(success)
            if len(group) == GROUP:
                mean = sum(group) / GROUP
                spread = sum(abs(one - mean) for one in group) / GROUP
                old = self._value.get(goal, 0.0)
                self._value[goal] = old + self.rate * (spread - old)
                group.clear()

    def weights(self, goals: Sequence[str]) -> np.ndarray:
        """exp(Q / temperature), the largest being 1."""
        values = np.array([self._value.get(goal, 0.0) for goal in goals]) / self.temperature
        return np.exp(values - values.max())


def make_selector(name: str, parents: Mapping[str, Sequence[str]]) -> Selector:
    """The selector of that name. UnknownNameError with the nearest names."""
    if name not in SELECTORS:
        raise UnknownNameError("selector", name, nearest_names(name, SELECTORS))
    if name == "learning_progress":
        return LearningProgress(parents)
    return Uniform() if name == "uniform" else SelfEvolving()
