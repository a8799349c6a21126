"""Conditions over what happens in an episode, as data. No code is ever generated or evaluated.

A condition is a frozen dataclass, or the same as JSON:

    {"count": {"event": "mine_block", "item": "oak_log", "at_least": 3}}    counted since the condition began to run
    {"have": {"item": "torch", "at_least": 4}}                              in the inventory, at this tick
    {"at": {"biome": "desert"}}    {"at": {"y_below": 16}}    {"at": {"y_above": 90}}
    {"at": {"near_block": "furnace", "radius": 4}}                          at this tick
    {"all": [...]}    {"any": [...]}                                        at this tick
    {"seq": [...]}                                                          each begins at the tick after the previous
    {"within": {"predicate": ..., "ticks": 200}}                            in its first 200 ticks
    {"without": {"predicate": ..., "forbidden": ...}}                       before `forbidden` ever holds

`have` and `at` hold while they are true, so `all` of two of them asks for both at once. `count`, `seq`, `within` and
`without` hold from when they are reached. An item may be several, of which any counts: "birch_log|oak_log".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from operator import index
from typing import Any, TypeAlias

from jarvis.core.errors import PredicateError, UnknownNameError, nearest_names
from jarvis.core.events import EVENT_NAMES
from jarvis.core.files import parse_json
from jarvis.core.names import Vocabulary

__all__ = [
    "AllOf", "AnyOf", "At", "Count", "Have", "Predicate", "Seq", "Within", "Without", "canonical", "is_predicate",
    "needs", "parse", "status_key", "to_json", "to_text", "watched_blocks",
]  # fmt: skip

_NAME = re.compile(r"[a-z0-9_.:]+(\|[a-z0-9_.:]+)*")
_MAX_DEPTH, _MAX_NODES = 16, 256  # conditions also come from language models


# -- the grammar -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """The event happened to the item `at_least` times since this condition began to run."""

    event: str
    item: str
    at_least: int = 1

    def __post_init__(self) -> None:
        if self.event not in EVENT_NAMES:
            raise UnknownNameError("event", self.event, nearest_names(self.event, EVENT_NAMES))
        _set(self, item=_name("count", "item", self.item), at_least=_whole("count", "at_least", self.at_least))

    def __str__(self) -> str:
        return f"count({self.event}, {self.item}, {self.at_least})"


@dataclass(frozen=True)
class Have:
    """The inventory holds `at_least` of the item at one tick."""

    item: str
    at_least: int = 1

    def __post_init__(self) -> None:
        _set(self, item=_name("have", "item", self.item), at_least=_whole("have", "at_least", self.at_least))

    def __str__(self) -> str:
        return f"have({self.item}, {self.at_least})"


@dataclass(frozen=True)
class At:
    """The player is in a biome, below or above a height, or within `radius` blocks of a block: exactly one of these."""

    biome: str | None = None
    y_below: float | None = None
    y_above: float | None = None
    near_block: str | None = None
    radius: float | None = None

    def __post_init__(self) -> None:
        places = [place for place in (self.biome, self.y_below, self.y_above, self.near_block) if place is not None]
        if len(places) != 1 or (self.near_block is None) != (self.radius is None):
            raise PredicateError("at: expected one of biome, y_below, y_above, or near_block with a radius")
        for key in ("biome", "near_block"):
            if getattr(self, key) is not None:
                _set(self, **{key: _name("at", key, getattr(self, key))})
        for key in ("y_below", "y_above", "radius"):
            if getattr(self, key) is not None:
                _set(self, **{key: _number("at", key, getattr(self, key))})
        if self.radius is not None and self.radius <= 0:
            raise PredicateError(f"at: radius is {self.radius}, expected more than 0")

    def __str__(self) -> str:
        return f"at({', '.join(f'{key}={value}' for key, value in _values(self).items())})"


@dataclass(frozen=True)
class AllOf:
    """All hold at the same tick."""

    parts: tuple[Predicate, ...]

    def __post_init__(self) -> None:
        _set(self, parts=_parts("all", self.parts))

    def __str__(self) -> str:
        return f"all({', '.join(map(str, self.parts))})"


@dataclass(frozen=True)
class AnyOf:
    """At least one holds."""

    parts: tuple[Predicate, ...]

    def __post_init__(self) -> None:
        _set(self, parts=_parts("any", self.parts))

    def __str__(self) -> str:
        return f"any({', '.join(map(str, self.parts))})"


@dataclass(frozen=True)
class Seq:
    """One after the other: each begins to run at the tick after the previous one held."""

    parts: tuple[Predicate, ...]

    def __post_init__(self) -> None:
        _set(self, parts=_parts("seq", self.parts))

    def __str__(self) -> str:
        return f"seq({', '.join(map(str, self.parts))})"


@dataclass(frozen=True)
class Within:
    """The predicate holds at one of the first `ticks` ticks of its run."""

    predicate: Predicate
    ticks: int

    def __post_init__(self) -> None:
        _part("within", self.predicate)
        _set(self, ticks=_whole("within", "ticks", self.ticks))

    def __str__(self) -> str:
        return f"within({self.predicate}, {self.ticks})"


@dataclass(frozen=True)
class Without:
    """The predicate holds, and `forbidden` did not hold at any tick before."""

    predicate: Predicate
    forbidden: Predicate

    def __post_init__(self) -> None:
        _part("without", self.predicate)
        _part("without", self.forbidden)

    def __str__(self) -> str:
        return f"without({self.predicate}, {self.forbidden})"


Predicate: TypeAlias = Count | Have | At | AllOf | AnyOf | Seq | Within | Without

_KINDS: dict[str, type] = {
    "count": Count, "have": Have, "at": At, "all": AllOf, "any": AnyOf, "seq": Seq, "within": Within,
    "without": Without,
}  # fmt: skip
_KEYWORDS: dict[type, str] = {kind: keyword for keyword, kind in _KINDS.items()}


def _set(instance: Any, **values: Any) -> None:
    for key, value in values.items():
        object.__setattr__(instance, key, value)


def _values(predicate: Predicate) -> dict[str, Any]:
    return {key: value for key, value in vars(predicate).items() if value is not None}


def _name(keyword: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise PredicateError(f'{keyword}: {key} is {value!r}, expected a name such as "oak_log" or "birch_log|oak_log"')
    return "|".join(sorted(set(value.split("|"))))


def _whole(keyword: str, key: str, value: Any) -> int:
    try:
        number = 0 if isinstance(value, bool) else index(value)
    except TypeError:
        number = 0
    if not 1 <= number < 2**31:
        raise PredicateError(f"{keyword}: {key} is {value!r}, expected an integer from 1")
    return number


def _number(keyword: str, key: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, (bool, str, bytes)) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) < 1e6:
        raise PredicateError(f"{keyword}: {key} is {value!r:.40}, expected a number of blocks")
    return number


def is_predicate(value: Any) -> bool:
    """Whether it is one of the classes above."""
    return type(value) in _KEYWORDS


def _part(keyword: str, value: Any) -> None:
    if not is_predicate(value):
        raise PredicateError(f"{keyword}: expected a predicate, got {value!r:.100}")


def _parts(keyword: str, values: Any) -> tuple[Predicate, ...]:
    parts = tuple(values)
    if not parts:
        raise PredicateError(f"{keyword}: expected at least one predicate")
    for part in parts:
        _part(keyword, part)
    return parts


# -- JSON ------------------------------------------------------------------------------------------------------------


def parse(value: Any, vocabulary: Vocabulary | None = None) -> Predicate:
    """The canonical predicate of a JSON text, of its value, or of another predicate.

    With a vocabulary every name must exist, in any spelling or by an alias. Raises PredicateError that says where the
    grammar is left, or UnknownNameError with the nearest names.
    """
    if isinstance(value, (str, bytes)):
        try:
            value = parse_json(value, "predicate")
        except ValueError as error:
            raise PredicateError(str(error)) from None
    elif is_predicate(value):
        value = to_json(value)
    nodes = [0]
    return canonical(_read(value, "predicate", vocabulary, _MAX_DEPTH, nodes))


def _read(value: Any, place: str, vocabulary: Vocabulary | None, depth: int, nodes: list[int]) -> Predicate:
    nodes[0] += 1
    if depth == 0 or nodes[0] > _MAX_NODES:
        raise PredicateError(f"{place}: more than {_MAX_DEPTH} levels or {_MAX_NODES} parts")
    if not isinstance(value, Mapping) or len(value) != 1:
        raise PredicateError(f"{place}: expected one of {', '.join(_KINDS)} with its value, got {value!r:.100}")
    keyword, body = next(iter(value.items()))
    if keyword not in _KINDS:
        raise UnknownNameError("predicate", keyword, nearest_names(keyword, _KINDS), place)
    kind, place = _KINDS[keyword], f"{place}.{keyword}"

    def inner(part: Any, key: str | int) -> Predicate:
        return _read(part, f"{place}[{key}]", vocabulary, depth - 1, nodes)

    if kind in (AllOf, AnyOf, Seq):
        if not isinstance(body, (list, tuple)):
            raise PredicateError(f"{place}: expected a list of predicates, got {body!r:.100}")
        arguments: dict[str, Any] = {"parts": tuple(inner(part, number) for number, part in enumerate(body))}
    else:
        known = tuple(item.name for item in fields(kind))
        if not isinstance(body, Mapping):
            raise PredicateError(f"{place}: expected an object with {', '.join(known)}, got {body!r:.100}")
        for key in body:
            if key not in known:
                raise UnknownNameError("key", key, nearest_names(key, known), place)
        arguments = {
            key: inner(part, key) if key in ("predicate", "forbidden") else _spelled(kind, key, part, body, vocabulary)
            for key, part in body.items()
        }
    try:
        predicate: Predicate = kind(**arguments)
    except TypeError:
        raise PredicateError(f"{place}: incomplete, got only {', '.join(arguments) or 'nothing'}") from None
    except PredicateError as error:
        raise PredicateError(f"{place}: {error}") from None
    return predicate


def _spelled(kind: type, key: str, part: Any, body: Mapping[str, Any], vocabulary: Vocabulary | None) -> Any:
    if vocabulary is None or key not in ("item", "biome", "near_block") or not isinstance(part, str):
        return part
    if kind is At:
        return vocabulary.resolve("biome" if key == "biome" else "block", part)
    event = body.get("event") if kind is Count else None
    if kind is Count and (event == "custom" or event not in EVENT_NAMES):
        return part  # a statistic such as damage_taken, of which there is no table; or an error that comes later
    return vocabulary.resolve({"mine_block": "block", "kill_entity": "mob"}.get(str(event), "item"), part)


def to_json(predicate: Predicate) -> dict[str, Any]:
    """The predicate as JSON values; `parse` is the inverse for canonical predicates."""
    if isinstance(predicate, (AllOf, AnyOf, Seq)):
        body: Any = [to_json(part) for part in predicate.parts]
    else:
        body = {key: to_json(value) if is_predicate(value) else value for key, value in _values(predicate).items()}
    return {_KEYWORDS[type(predicate)]: body}


def canonical(predicate: Predicate) -> Predicate:
    """The same condition in its one spelling: nested lists of a kind joined, order and repetition of `all` and `any`
    gone, a list of one replaced by its part where that changes nothing."""
    if isinstance(predicate, (AllOf, AnyOf, Seq)):
        kind = type(predicate)
        parts: list[Predicate] = []
        for part in map(canonical, predicate.parts):
            parts.extend(part.parts if type(part) is kind else (part,))
        if kind is not Seq:
            parts = [part for _, part in sorted({to_text(part): part for part in parts}.items())]
        # NOTE: a `seq` of one `have` is more than the `have`: it still holds when the item is gone.
        alone = len(parts) == 1 and (kind is not Seq or _lasts(parts[0]))
        return parts[0] if alone else kind(tuple(parts))
    if isinstance(predicate, Within):
        return Within(canonical(predicate.predicate), predicate.ticks)
    if isinstance(predicate, Without):
        return Without(canonical(predicate.predicate), canonical(predicate.forbidden))
    return predicate


def _lasts(predicate: Predicate) -> bool:
    """Whether it holds for good from when it first holds."""
    if isinstance(predicate, (AllOf, AnyOf)):
        return all(map(_lasts, predicate.parts))
    return not isinstance(predicate, (Have, At))


def to_text(predicate: Predicate) -> str:
    """The JSON of a canonical predicate as its one text, from which a goal's identity is made."""
    return json.dumps(to_json(predicate), sort_keys=True, separators=(",", ":"))


def _walk(predicate: Predicate) -> Iterator[Predicate]:
    yield predicate
    if isinstance(predicate, (AllOf, AnyOf, Seq)):
        for part in predicate.parts:
            yield from _walk(part)
    elif isinstance(predicate, Within):
        yield from _walk(predicate.predicate)
    elif isinstance(predicate, Without):
        yield from _walk(predicate.predicate)
        yield from _walk(predicate.forbidden)


def needs(predicate: Predicate) -> frozenset[str]:
    """What must be told each tick to decide it: a subset of events, inventory, biome, y, near_blocks."""
    found: set[str] = set()
    for part in _walk(predicate):
        if isinstance(part, Count):
            found.add("events")
        elif isinstance(part, Have):
            found.add("inventory")
        elif isinstance(part, At):
            found.add(status_key(part))
    return frozenset(found)


def watched_blocks(predicate: Predicate) -> dict[str, float]:
    """{block: largest radius asked for}: the blocks whose distance the status must tell."""
    radii: dict[str, float] = {}
    for part in _walk(predicate):
        if isinstance(part, At) and part.near_block is not None and part.radius is not None:
            for block in part.near_block.split("|"):
                radii[block] = max(part.radius, radii.get(block, 0.0))
    return radii


def status_key(place: At) -> str:
    """The key of the status that decides it."""
    return "biome" if place.biome is not None else "near_blocks" if place.near_block is not None else "y"
