"""What an episode showed about a goal: the few moments that decide its condition, as JSON.

    kept = evidence([goal.predicate], moments)     # of thousands of ticks usually a handful
    judge(goal.predicate, kept)                    # the tick of success, or None: the same as from all moments

The book keeps evidence and no verdicts. Nobody can write a success into it: one can only be shown to have happened.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jarvis.core.errors import FormatError
from jarvis.core.events import Event
from jarvis.core.goals import Moment, evaluate
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
    needs,
    watched_blocks,
)

__all__ = ["Recorder", "evidence", "idle_start", "judge", "parts", "read_moments"]

NO_BLOCK = 1e6  # a distance that stands for "none near": JSON has no infinity


def parts(predicate: Predicate) -> Iterable[Predicate]:
    """The predicate and every one inside it."""
    yield predicate
    inside: Sequence[Predicate] = ()
    if isinstance(predicate, (AllOf, AnyOf, Seq)):
        inside = predicate.parts
    elif isinstance(predicate, Within):
        inside = (predicate.predicate,)
    elif isinstance(predicate, Without):
        inside = (predicate.predicate, predicate.forbidden)
    for part in inside:
        yield from parts(part)


class _Filter:
    """Which events, items and facts of a moment matter to some predicates."""

    def __init__(self, predicates: Iterable[Predicate]) -> None:
        predicates = list(predicates)
        every = [part for predicate in predicates for part in parts(predicate)]
        self.events = {(p.event, item) for p in every if isinstance(p, Count) for item in p.item.split("|")}
        self.items = sorted({item for p in every if isinstance(p, Have) for item in p.item.split("|")})
        self.places = [part for part in every if isinstance(part, At)]
        wanted = frozenset[str]().union(*(needs(predicate) for predicate in predicates))
        self.facts = sorted(wanted - {"events", "inventory"})
        self.has_inventory = "inventory" in wanted
        # NOTE: a `seq` begins its next part at the next tick that is told, so after each change as many ticks are kept
        # as there are parts that could begin one after the other.
        self.more = len(every) if any(isinstance(part, (Seq, Within, Without)) for part in every) else 0

    def __call__(self, moment: Moment) -> tuple[list[list[Any]], Any]:
        events = [[e.name, e.item, e.count] for e in moment.events if (e.name, e.item) in self.events]
        state: dict[str, Any] = {}
        if self.has_inventory and moment.inventory is not None:
            state["inventory"] = {item: moment.inventory[item] for item in self.items if moment.inventory.get(item)}
        for fact in self.facts:
            value = (moment.status or {}).get(fact)
            if fact == "near_blocks":
                state[fact] = {
                    name: float(value.get(name, NO_BLOCK))
                    for place in self.places
                    if place.near_block
                    for name in place.near_block.split("|")
                }
            else:
                state[fact] = float(value) if isinstance(value, (int, float)) else value
        return events, state


class Recorder:
    """Keeps, tick by tick, what `evidence` would keep of all moments.

    recorder = Recorder(predicates)
    recorder.update(moment)                 # every tick
    recorder.evidence                       # JSON values
    """

    def __init__(self, predicates: Iterable[Predicate]) -> None:
        self._filter = _Filter(predicates)
        self._kept: list[list[Any]] = []
        self._state: Any = None
        self._last: list[Any] | None = None  # the newest moment that was not kept
        self._again = 0  # ticks to be kept whatever they hold

    def update(self, moment: Moment) -> None:
        """Takes the next tick."""
        events, state = self._filter(moment)
        signs = self._signs(state)
        line = [moment.tick, events, state]
        if not self._kept or events or signs != self._state:
            self._again = self._filter.more + 1
        if self._again:
            self._again -= 1
            self._kept.append(line)
            self._state, self._last = signs, None
        else:
            self._last = line

    def _signs(self, state: Mapping[str, Any]) -> Any:
        """What the predicates can tell apart of a state: heights and distances only by the bounds that are asked."""
        signs: list[Any] = [state.get("inventory")]
        for place in self._filter.places:
            if place.biome is not None:
                signs.append(state.get("biome"))
            elif place.y_below is not None:
                signs.append(state["y"] < place.y_below)
            elif place.y_above is not None:
                signs.append(state["y"] > place.y_above)
            else:
                names = (place.near_block or "").split("|")
                signs.append(any(state["near_blocks"][name] <= (place.radius or 0) for name in names))
        return signs

    @property
    def evidence(self) -> list[list[Any]]:
        """[[tick, [[event, item, count], ...], {inventory, biome, y, near_blocks}], ...]; the last tick is there."""
        kept = self._kept if self._last is None else [*self._kept, self._last]
        return [[tick, events, state] if state else [tick, events] for tick, events, state in kept]


def evidence(predicates: Iterable[Predicate], moments: Iterable[Moment]) -> list[list[Any]]:
    """The moments that decide the predicates, each with what matters of it."""
    recorder = Recorder(predicates)
    for moment in moments:
        recorder.update(moment)
    return recorder.evidence


def read_moments(kept: Any, place: str = "evidence") -> list[Moment]:
    """The moments of evidence. FormatError, opening with `place`, for anything else."""
    moments = []
    try:
        for line in kept:
            tick, events, *rest = line
            state = rest[0] if rest else {}
            moments.append(
                Moment(
                    tick,
                    tuple(Event(tick, name, item, count) for name, item, count in events),
                    state.get("inventory"),
                    {key: value for key, value in state.items() if key != "inventory"} or None,
                )
            )
    except (TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{place}: {error}") from None
    return moments


def judge(predicate: Predicate, kept: Any) -> int | None:
    """The tick at which the evidence shows success, or None."""
    return evaluate(predicate, read_moments(kept))


def idle_start(predicate: Predicate, inventory: Mapping[str, int], biome: str | None, nearby: Mapping[str, float]
               ) -> bool:  # fmt: skip
    """Whether the predicate holds for somebody who stands at the start and does nothing, for all we know of it.

    The height is not known before the world is made: what is so both at 62 and at 100 is so.
    """
    distances = {block: nearby.get(block, math.inf) for block in watched_blocks(predicate)}
    ticks = range(1 + sum(1 for _ in parts(predicate)))  # a `seq` begins one part a tick
    for y in (62.0, 100.0):
        status = {"biome": biome, "y": y, "near_blocks": distances}
        if evaluate(predicate, (Moment(tick, (), inventory, status) for tick in ticks)) is None:
            return False
    return True
