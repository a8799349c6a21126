"""Goals: a sentence, a condition over what happens, and whoever follows the condition through an episode.

    goal = Goal("mine three oak logs", parse({"count": {"event": "mine_block", "item": "oak_log", "at_least": 3}}))
    evaluator = Evaluator(goal.predicate)
    while not (evaluator.satisfied or evaluator.failed):
        evaluator.update(Moment(tick, events, inventory, status))

The grammar of conditions is in `jarvis.core.predicates`; its names may be taken from here as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jarvis.core.errors import PredicateError, UnknownNameError, nearest_names
from jarvis.core.events import Event
from jarvis.core.names import Vocabulary
from jarvis.core.predicates import (
    AllOf,
    AnyOf,
    At,
    Count,
    Have,
    Predicate,
    Seq,
    Within,
    Without,
    canonical,
    is_predicate,
    needs,
    parse,
    status_key,
    to_json,
    to_text,
    watched_blocks,
)

__all__ = [
    "GOAL_SOURCES", "AllOf", "AnyOf", "At", "Count", "Evaluator", "Goal", "Have", "Moment", "Predicate", "Seq",
    "Within", "Without", "canonical", "evaluate", "needs", "parse", "to_json", "watched_blocks",
]  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """What one tick tells: its events, the inventory after it, and where the player is then.

    status may hold "biome" (a name), "y" (the height of the feet) and "near_blocks" ({block: distance to the nearest
    one}, blocks further away than anyone asked for left out). None means that nobody looked.
    """

    tick: int
    events: tuple[Event, ...] = ()
    inventory: Mapping[str, int] | None = None
    status: Mapping[str, Any] | None = None


class _Run:
    """One part of a predicate under way: whether it holds now, and whether it never can any more."""

    def __init__(self) -> None:
        self.holds = False
        self.failed = False

    def update(self, moment: Moment) -> None:
        raise NotImplementedError


class _CountRun(_Run):
    def __init__(self, predicate: Count) -> None:
        super().__init__()
        self.event, self.items, self.missing = predicate.event, predicate.item.split("|"), predicate.at_least

    def update(self, moment: Moment) -> None:
        for event in moment.events:
            if event.name == self.event and event.item in self.items:
                self.missing -= event.count
        self.holds = self.missing <= 0


class _HaveRun(_Run):
    def __init__(self, predicate: Have) -> None:
        super().__init__()
        self.predicate, self.items = predicate, predicate.item.split("|")

    def update(self, moment: Moment) -> None:
        if moment.inventory is None:
            raise PredicateError(f"tick {moment.tick}: {self.predicate} needs the inventory, which was not told")
        self.holds = sum(moment.inventory.get(item, 0) for item in self.items) >= self.predicate.at_least


class _AtRun(_Run):
    def __init__(self, predicate: At) -> None:
        super().__init__()
        self.predicate, self.key = predicate, status_key(predicate)
        self.names = (predicate.biome or predicate.near_block or "").split("|")

    def update(self, moment: Moment) -> None:
        if moment.status is None or self.key not in moment.status:
            raise PredicateError(f"tick {moment.tick}: {self.predicate} needs status {self.key!r}, which was not told")
        value, place = moment.status[self.key], self.predicate
        if place.biome is not None:
            self.holds = value in self.names
        elif place.y_below is not None:
            self.holds = value < place.y_below
        elif place.y_above is not None:
            self.holds = value > place.y_above
        else:
            assert place.radius is not None
            self.holds = any(value.get(name, float("inf")) <= place.radius for name in self.names)


class _AllRun(_Run):
    def __init__(self, predicate: AllOf) -> None:
        super().__init__()
        self.parts = [_start(part) for part in predicate.parts]

    def update(self, moment: Moment) -> None:
        for part in self.parts:
            part.update(moment)
        self.holds = all(part.holds for part in self.parts)
        self.failed = any(part.failed for part in self.parts)


class _AnyRun(_Run):
    def __init__(self, predicate: AnyOf) -> None:
        super().__init__()
        self.parts = [_start(part) for part in predicate.parts]

    def update(self, moment: Moment) -> None:
        for part in self.parts:
            part.update(moment)
        self.holds = any(part.holds for part in self.parts)
        self.failed = all(part.failed for part in self.parts)


class _SeqRun(_Run):
    def __init__(self, predicate: Seq) -> None:
        super().__init__()
        self.parts, self.stage = predicate.parts, 0
        self.current = _start(self.parts[0])

    def update(self, moment: Moment) -> None:
        if self.holds:
            return
        self.current.update(moment)
        self.failed = self.current.failed
        if self.current.holds:
            self.stage += 1
            self.holds = self.stage == len(self.parts)
            if not self.holds:
                self.current = _start(self.parts[self.stage])


class _WithinRun(_Run):
    def __init__(self, predicate: Within) -> None:
        super().__init__()
        self.part, self.ticks = _start(predicate.predicate), predicate.ticks
        self.last: int | None = None

    def update(self, moment: Moment) -> None:
        if self.holds or self.failed:
            return
        # The clock starts at the first tick that is told, and runs on through ticks that are left out.
        if self.last is None:
            self.last = moment.tick + self.ticks - 1
        if moment.tick <= self.last:
            self.part.update(moment)
            self.holds = self.part.holds
        self.failed = not self.holds and (self.part.failed or moment.tick >= self.last)


class _WithoutRun(_Run):
    def __init__(self, predicate: Without) -> None:
        super().__init__()
        self.part, self.forbidden = _start(predicate.predicate), _start(predicate.forbidden)

    def update(self, moment: Moment) -> None:
        if self.holds or self.failed:
            return
        self.part.update(moment)
        self.holds = self.part.holds
        if not self.holds:
            self.forbidden.update(moment)
            self.failed = self.part.failed or self.forbidden.holds


_RUNS: dict[type, Callable[[Any], _Run]] = {
    Count: _CountRun, Have: _HaveRun, At: _AtRun, AllOf: _AllRun, AnyOf: _AnyRun, Seq: _SeqRun, Within: _WithinRun,
    Without: _WithoutRun,
}  # fmt: skip


def _start(predicate: Predicate) -> _Run:
    return _RUNS[type(predicate)](predicate)


class Evaluator:
    """Follows one predicate through an episode. Plain data: it may be copied and pickled with a snapshot."""

    def __init__(self, predicate: Predicate) -> None:
        self.predicate = predicate
        self.tick: int | None = None  # when it was satisfied
        self._run = _start(predicate)
        self._last: int | None = None

    def update(self, moment: Moment) -> bool:
        """Takes the next tick and returns whether the predicate is satisfied, now or earlier.

        Ticks must rise. Raises PredicateError if the moment lacks what the predicate `needs`.
        """
        if self._last is not None and moment.tick <= self._last:
            raise PredicateError(f"tick {moment.tick} comes after tick {self._last}")
        self._last = moment.tick
        if not (self.satisfied or self.failed):
            self._run.update(moment)
            if self._run.holds:
                self.tick = moment.tick
        return self.satisfied

    @property
    def satisfied(self) -> bool:
        """Whether it held at some tick so far."""
        return self.tick is not None

    @property
    def failed(self) -> bool:
        """Whether it can never be satisfied any more in this episode."""
        return not self.satisfied and self._run.failed


def evaluate(predicate: Predicate, stream: Iterable[Moment]) -> int | None:
    """The first tick of the stream at which the predicate holds, or None."""
    evaluator = Evaluator(predicate)
    for moment in stream:
        if evaluator.update(moment) or evaluator.failed:
            break
    return evaluator.tick


def string_tuple(place: str, values: Any) -> tuple[str, ...]:
    """The strings of a list or tuple. PredicateError, opening with `place`, for anything else, one string included."""
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        raise PredicateError(f"{place}: expected a list of strings, got {values!r:.100}")
    return tuple(values)


GOAL_SOURCES = ("techtree", "llm", "relabel", "human")


@dataclass(frozen=True)
class Goal:
    """A sentence for the policy, and the condition that decides. Without a condition no success is ever claimed."""

    text: str
    predicate: Predicate | None = None
    scope: str = ""  # where it counts, e.g. an environment; part of the identity
    aliases: tuple[str, ...] = ()  # other sentences for the same
    horizon_ticks: int | None = None  # how long it may take
    parents: tuple[str, ...] = ()  # ids of goals that come before
    source: str = "human"  # one of GOAL_SOURCES: who proposed it
    prompt_hash: str | None = None  # of the request that proposed it
    id: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise PredicateError(f"a goal has a sentence, got {self.text!r:.100}")
        if not isinstance(self.scope, str) or not isinstance(self.prompt_hash, (str, type(None))):
            raise PredicateError(f"goal {self.text!r}: scope and prompt_hash are strings")
        if self.source not in GOAL_SOURCES:
            raise UnknownNameError("goal source", self.source, nearest_names(self.source, GOAL_SOURCES))
        if self.horizon_ticks is not None and (not isinstance(self.horizon_ticks, int) or self.horizon_ticks < 1):
            raise PredicateError(f"goal {self.text!r}: horizon_ticks is {self.horizon_ticks!r}, expected at least 1")
        if self.predicate is not None:
            if not is_predicate(self.predicate):
                raise PredicateError(f"goal {self.text!r}: {self.predicate!r:.100} is not a predicate; use parse()")
            object.__setattr__(self, "predicate", canonical(self.predicate))
        for name in ("aliases", "parents"):
            object.__setattr__(self, name, string_tuple(f"goal {self.text!r}: {name}", getattr(self, name)))
        # A goal is what it asks for, however it is worded; one without a condition is its words.
        meaning = to_text(self.predicate) if self.predicate is not None else " ".join(self.text.casefold().split())
        digest = hashlib.blake2b(f"{meaning}\n{self.scope}".encode()).hexdigest()
        object.__setattr__(self, "id", digest[:16])

    def to_json(self) -> dict[str, Any]:
        """Every field, and `id` for whoever reads the file."""
        return {
            "id": self.id,
            "text": self.text,
            "predicate": None if self.predicate is None else to_json(self.predicate),
            "scope": self.scope,
            "aliases": list(self.aliases),
            "horizon_ticks": self.horizon_ticks,
            "parents": list(self.parents),
            "source": self.source,
            "prompt_hash": self.prompt_hash,
        }

    @classmethod
    def from_json(cls, value: Any, vocabulary: Vocabulary | None = None) -> Goal:
        """The inverse of `to_json`. PredicateError if a given id is not that of the condition: it was tampered with."""
        known = tuple(cls.__dataclass_fields__)
        if not isinstance(value, Mapping) or "text" not in value:
            raise PredicateError(f"expected a goal with a text, got {value!r:.100}")
        for key in value:
            if key not in known:
                raise UnknownNameError("key", key, nearest_names(key, known), "goal")
        fields = {key: part for key, part in value.items() if key != "id"}
        if fields.get("predicate") is not None:
            fields["predicate"] = parse(fields["predicate"], vocabulary)
        goal = cls(**fields)
        if value.get("id", goal.id) != goal.id:
            raise PredicateError(f"goal {goal.text!r} has id {value['id']!r}, but its condition has id {goal.id!r}")
        return goal
