"""What happened, as Minecraft's own statistics count it. Success is decided from these and never from pixels.

An events file holds one JSON line an event, by tick:

    {"tick": 412, "name": "mine_block", "item": "oak_log", "count": 1}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from operator import index
from typing import Any

from jarvis.core.errors import EpisodeError, UnknownNameError, nearest_names
from jarvis.core.files import Pathlike, atomic_write, read_json_lines

__all__ = ["EVENT_NAMES", "Event", "EventCounters", "read_events", "write_events"]

EVENT_NAMES = ("mine_block", "craft_item", "pickup", "use_item", "kill_entity", "break_item", "drop", "custom")


@dataclass(frozen=True, slots=True)
class Event:
    """`count` times the event `name` with `item`, during one tick."""

    tick: int  # the action of this tick caused it; ticks count from 0 at reset
    name: str  # one of EVENT_NAMES
    item: str  # a block for mine_block, a mob for kill_entity, a statistic for custom, else an item
    count: int = 1

    def __post_init__(self) -> None:
        if self.name not in EVENT_NAMES:
            raise UnknownNameError("event", self.name, nearest_names(self.name, EVENT_NAMES))
        if not isinstance(self.item, str) or not self.item:
            raise EpisodeError(f"{self.name}: item is {self.item!r}, expected a name")
        for field, least in (("tick", 0), ("count", 1)):
            value = getattr(self, field)
            try:
                number = index(value)
            except TypeError:
                number = least - 1
            if number < least or isinstance(value, bool):
                raise EpisodeError(f"{self.name} {self.item}: {field} is {value!r}, expected an integer from {least}")
            object.__setattr__(self, field, number)

    def to_json(self) -> dict[str, Any]:
        """{"tick", "name", "item", "count"}."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Event:
        """The inverse of `to_json`; `count` may be missing."""
        if not isinstance(value, Mapping) or not {"tick", "name", "item"} <= set(value) <= _FIELDS:
            raise EpisodeError(f"expected an event with tick, name, item and count, got {value!r:.200}")
        return cls(**value)


_FIELDS = {"tick", "name", "item", "count"}


def write_events(path: Pathlike, events: Iterable[Event]) -> None:
    """Writes an events file atomically. The events must be in the order of their ticks."""
    events = list(events)
    for earlier, later in pairwise(events):
        if later.tick < earlier.tick:
            raise EpisodeError(f"{path}: {later} comes after {earlier}")
    atomic_write(path, "".join(json.dumps(event.to_json()) + "\n" for event in events))


def read_events(path: Pathlike) -> list[Event]:
    """The events of a file. EpisodeError names the line; a line that a crash cut off is left out."""
    lines = read_json_lines(path)
    events: list[Event] = []
    for number, value in zip(lines.numbers, lines, strict=True):
        try:
            event = Event.from_json(value)
        except ValueError as error:
            raise EpisodeError(f"{path}: line {number}: {error}") from None
        if events and event.tick < events[-1].tick:
            raise EpisodeError(f"{path}: line {number}: tick {event.tick} comes after tick {events[-1].tick}")
        events.append(event)
    return events


class EventCounters:
    """Running totals by event and item, since reset. Sparse: only what is not zero is there.

    counters = EventCounters()
    counters.add(Event(3, "pickup", "oak_log"))
    counters["pickup", "oak_log"]     # 1
    counters.to_dict()                # {"pickup": {"oak_log": 1}}, as MineRL's info has it
    """

    def __init__(self, totals: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._totals: dict[str, dict[str, int]] = {}
        for name, items in (totals or {}).items():
            if name not in EVENT_NAMES:
                raise UnknownNameError("event", name, nearest_names(name, EVENT_NAMES))
            kept = {item: index(count) for item, count in items.items() if count}
            if any(count < 0 for count in kept.values()):
                raise EpisodeError(f"{name}: counters are never negative, got {kept}")
            if kept:
                self._totals[name] = kept

    def add(self, *events: Event) -> None:
        """Counts the events."""
        for event in events:
            items = self._totals.setdefault(event.name, {})
            items[event.item] = items.get(event.item, 0) + event.count

    def __getitem__(self, key: tuple[str, str]) -> int:
        name, item = key
        return self._totals.get(name, {}).get(item, 0)

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        for name in EVENT_NAMES:
            for item, count in sorted(self._totals.get(name, {}).items()):
                yield name, item, count

    def __eq__(self, other: object) -> bool:
        return self._totals == other._totals if isinstance(other, EventCounters) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, dict[str, int]]:
        """{event: {item: total}}, a copy, in the order of EVENT_NAMES and then of items."""
        totals: dict[str, dict[str, int]] = {}
        for name, item, count in self:
            totals.setdefault(name, {})[item] = count
        return totals

    def events_since(self, earlier: EventCounters, tick: int) -> list[Event]:
        """The events that lead from `earlier` to here, all at `tick`: for simulators that only give totals.

        Raises EpisodeError if a total went down, which means that the two belong to different episodes.
        """
        for name, item, count in earlier:
            if self[name, item] < count:
                raise EpisodeError(f"tick {tick}: {name} {item} fell from {count} to {self[name, item]}")
        rises = ((name, item, count - earlier[name, item]) for name, item, count in self)
        return [Event(tick, name, item, rise) for name, item, rise in rises if rise]
