"""A task: what to reach, from where, in how many ticks, and what falls on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import index
from typing import Any

from jarvis.core.errors import PredicateError, UnknownNameError, nearest_names
from jarvis.core.goals import Evaluator, Goal, Moment, string_tuple
from jarvis.core.names import Vocabulary
from jarvis.core.predicates import Predicate, canonical, is_predicate, needs, parse, to_json, watched_blocks
from jarvis.core.start_states import StartState

__all__ = ["Progress", "Task"]


@dataclass(frozen=True)
class Task:
    """One thing to do, the same for every environment that can honour its start."""

    name: str
    goal: Goal
    start: StartState = field(default_factory=StartState)
    max_ticks: int = 6000  # our patience: the episode is truncated then; 20 ticks a second
    milestones: Mapping[str, Predicate] = field(default_factory=dict)  # in the order in which they are shown
    instructions: tuple[str, ...] = ()  # wordings for the policy; none means the goal's text

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise PredicateError(f"a task has a name, got {self.name!r}")
        try:
            ticks = 0 if isinstance(self.max_ticks, bool) else index(self.max_ticks)
        except TypeError:
            ticks = 0
        if ticks < 1:
            raise PredicateError(f"task {self.name}: max_ticks is {self.max_ticks!r}, expected an integer from 1")
        for name, predicate in self.milestones.items():
            if not isinstance(name, str) or not is_predicate(predicate):
                raise PredicateError(f"task {self.name}: milestone {name!r} is {predicate!r:.100}; use parse()")
        instructions = string_tuple(f"task {self.name}: instructions", self.instructions)
        milestones = {name: canonical(predicate) for name, predicate in self.milestones.items()}
        object.__setattr__(self, "milestones", milestones)
        object.__setattr__(self, "instructions", instructions or (self.goal.text,))

    def __hash__(self) -> int:
        return hash((self.name, self.goal, self.start, self.max_ticks, tuple(self.milestones.items())))

    @property
    def needs(self) -> frozenset[str]:
        """What an environment must tell each tick: a subset of events, inventory, biome, y, near_blocks."""
        return frozenset[str]().union(*(needs(predicate) for predicate in self._predicates()))

    @property
    def watched_blocks(self) -> dict[str, float]:
        """{block: radius}: whose distances "near_blocks" must tell."""
        radii: dict[str, float] = {}
        for predicate in self._predicates():
            for block, radius in watched_blocks(predicate).items():
                radii[block] = max(radius, radii.get(block, 0.0))
        return radii

    def _predicates(self) -> list[Predicate]:
        goal = [] if self.goal.predicate is None else [self.goal.predicate]
        return [*goal, *self.milestones.values()]

    def to_json(self) -> dict[str, Any]:
        """Every field as JSON values."""
        return {
            "name": self.name,
            "goal": self.goal.to_json(),
            "start": self.start.to_json(),
            "max_ticks": self.max_ticks,
            # A list, because the order of an object's keys is not sacred to every tool.
            "milestones": [[name, to_json(predicate)] for name, predicate in self.milestones.items()],
            "instructions": list(self.instructions),
        }

    @classmethod
    def from_json(cls, value: Any, vocabulary: Vocabulary | None = None) -> Task:
        """The inverse of `to_json`; milestones may also be an object. With a vocabulary every name must exist."""
        known = tuple(cls.__dataclass_fields__)
        if not isinstance(value, Mapping) or not {"name", "goal"} <= set(value):
            raise PredicateError(f"expected a task with a name and a goal, got {value!r:.100}")
        for key in value:
            if key not in known:
                raise UnknownNameError("key", key, nearest_names(key, known), f"task {value['name']}")
        parts = dict(value)
        parts["goal"] = Goal.from_json(parts["goal"], vocabulary)
        start = StartState.from_json(parts.get("start") or {})
        parts["start"] = start if vocabulary is None else start.resolved(vocabulary)
        milestones = parts.get("milestones") or {}
        try:
            pairs = dict(milestones)
        except (TypeError, ValueError):
            raise PredicateError(f"task {value['name']}: milestones are {milestones!r:.100}") from None
        parts["milestones"] = {name: parse(predicate, vocabulary) for name, predicate in pairs.items()}
        return cls(**parts)


class Progress:
    """How far an episode of a task has come. Plain data: it may be copied and pickled with a snapshot."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.milestones: dict[str, int] = {}  # {name: tick}, in the order in which they fell
        self._open = {name: Evaluator(predicate) for name, predicate in task.milestones.items()}
        self._goal = None if task.goal.predicate is None else Evaluator(task.goal.predicate)

    def update(self, moment: Moment) -> tuple[str, ...]:
        """Takes the next tick and returns the milestones that fell in it."""
        if self._goal is not None:
            self._goal.update(moment)
        fallen = tuple(name for name, evaluator in self._open.items() if evaluator.update(moment))
        for name in fallen:
            self.milestones[name] = moment.tick
            del self._open[name]
        return fallen

    @property
    def success(self) -> bool:
        """Whether the goal's condition was reached; never for a goal without one."""
        return self._goal is not None and self._goal.satisfied

    @property
    def success_tick(self) -> int | None:
        """When."""
        return None if self._goal is None else self._goal.tick

    @property
    def failed(self) -> bool:
        """Whether the goal can never be reached any more in this episode."""
        return self._goal is not None and self._goal.failed
