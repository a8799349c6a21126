"""How an episode begins: the kit, the place, and what is near. Each environment says which of it it can honour."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from operator import index
from typing import Any

from jarvis.core.errors import StartStateError, UnknownNameError, nearest_names
from jarvis.core.names import Vocabulary

__all__ = ["RARITY_LEVELS", "WEATHERS", "StartState", "check_supported"]

RARITY_LEVELS = ("rare", "common", "very common")
WEATHERS = ("clear", "rain")
NUM_SLOTS = 36  # 0 to 8 the hotbar, 9 to 35 the rest
DAY_TICKS = 24000


@dataclass(frozen=True)
class StartState:
    """What differs from a new world and a new player; everything that is left out stays as the environment has it.

    Raises StartStateError, naming the field, for values that no world could have.
    """

    biome: str | None = None
    inventory: Mapping[str, int] = field(default_factory=dict)  # {item: count}, put into the first free slots
    slots: Mapping[int, tuple[str, int]] = field(default_factory=dict)  # {0 to 35: (item, count)}, 0 to 8 the hotbar
    nearby: Mapping[str, int] = field(default_factory=dict)  # {block: how many}
    nearby_radius: int = 8  # blocks from the player within which `nearby` and `mobs` are placed
    mobs: Mapping[str, int] = field(default_factory=dict)  # {mob: how many}
    rarity: Mapping[str, str] = field(default_factory=dict)  # {"trees", "iron", ...: one of RARITY_LEVELS}
    time: int | None = None  # ticks of the day, 0 to 23999; 0 is sunrise, 6000 noon, 18000 midnight
    weather: str | None = None  # one of WEATHERS
    seed: int | None = None  # of the world; None means that it follows from the episode's
    y: float | None = None  # height of the feet, e.g. underground; a free spot is made there
    position: tuple[float, float, float] | None = None  # x, y, z of the feet, instead of `y`
    health: float | None = None  # half hearts, up to 20
    food: int | None = None  # half drumsticks, 0 to 20

    def __post_init__(self) -> None:
        for name in ("inventory", "nearby", "mobs"):
            self._keep(name, _counts(name, getattr(self, name)))
        self._keep("slots", _slots(self.slots))
        if not isinstance(self.rarity, Mapping) or not all(isinstance(thing, str) for thing in self.rarity):
            raise StartStateError(f"rarity: {self.rarity!r}, expected {{name: level}}")
        for thing, level in self.rarity.items():
            _one_of(f"rarity of {thing}", level, RARITY_LEVELS)
        self._keep("rarity", dict(sorted(self.rarity.items())))
        if self.biome is not None and (not isinstance(self.biome, str) or not self.biome):
            raise StartStateError(f"biome: {self.biome!r}, expected a name")
        if self.weather is not None:
            _one_of("weather", self.weather, WEATHERS)
        self._keep("nearby_radius", _whole("nearby_radius", self.nearby_radius, 1, 64))
        for name, least, most in (("time", 0, DAY_TICKS - 1), ("food", 0, 20), ("seed", -(2**63), 2**63 - 1)):
            if getattr(self, name) is not None:
                self._keep(name, _whole(name, getattr(self, name), least, most))
        if self.health is not None:
            self._keep("health", _number("health", self.health))
            if not 0 < self.health <= 20:
                raise StartStateError(f"health: {self.health}, expected more than 0 and at most 20")
        if self.position is not None:
            if self.y is not None:
                raise StartStateError("y and position both say how high to start; give one")
            if not isinstance(self.position, (tuple, list)) or len(self.position) != 3:
                raise StartStateError(f"position: {self.position!r}, expected (x, y, z)")
            self._keep("position", tuple(_number("position", part) for part in self.position))
        if self.y is not None:
            self._keep("y", _number("y", self.y))

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_json(), sort_keys=True))

    def fields_set(self) -> tuple[str, ...]:
        """The fields that ask for something, in the order of their definition."""
        return tuple(item.name for item in fields(self) if getattr(self, item.name) != getattr(_DEFAULT, item.name))

    def resolved(self, vocabulary: Vocabulary) -> StartState:
        """The same with every name in the registry's spelling. Raises UnknownNameError with the nearest names."""

        def named(kind: str, name: str) -> str:
            # A name or alias that stands for several leaves a choice, which a start cannot: it gets the first.
            return vocabulary.resolve(kind, name).split("|")[0]

        def counts(field_name: str, kind: str) -> dict[str, int]:
            resolved: dict[str, int] = {}
            for name, count in getattr(self, field_name).items():
                if (known := named(kind, name)) in resolved:
                    raise StartStateError(f"{field_name}: {name!r} is {known} again")
                resolved[known] = count
            return resolved

        return replace(
            self,
            biome=None if self.biome is None else named("biome", self.biome),
            inventory=counts("inventory", "item"),
            slots={slot: (named("item", item), count) for slot, (item, count) in self.slots.items()},
            nearby=counts("nearby", "block"),
            mobs=counts("mobs", "mob"),
        )

    def to_json(self) -> dict[str, Any]:
        """The fields that are set, as JSON values."""
        value = {name: getattr(self, name) for name in self.fields_set()}
        if "slots" in value:
            value["slots"] = {str(slot): list(stack) for slot, stack in self.slots.items()}
        if "position" in value:
            value["position"] = list(value["position"])
        return value

    @classmethod
    def from_json(cls, value: Any) -> StartState:
        """The inverse of `to_json`. Unknown fields are refused with the nearest names."""
        if not isinstance(value, Mapping):
            raise StartStateError(f"expected a start state as {{field: value}}, got {value!r:.100}")
        known = tuple(item.name for item in fields(cls))
        for name in value:
            if name not in known:
                raise UnknownNameError("start field", name, nearest_names(name, known))
        return cls(**value)


def check_supported(state: StartState, supported_fields: Collection[str], env_name: str) -> None:
    """Raises StartStateError, listing every field, if the state asks for what the environment cannot honour."""
    refused = [f"{name} = {getattr(state, name)!r}" for name in state.fields_set() if name not in supported_fields]
    if refused:
        able = [item.name for item in fields(StartState) if item.name in supported_fields]
        raise StartStateError(
            f"environment {env_name!r} cannot honour {', '.join(refused)}; it can set {', '.join(able) or 'nothing'}"
        )


def _counts(name: str, counts: Any) -> dict[str, int]:
    if not isinstance(counts, Mapping) or not all(isinstance(key, str) and key for key in counts):
        raise StartStateError(f"{name}: {counts!r}, expected {{name: count}}")
    return {key: _whole(f"{name}[{key}]", count, 1, 64 * NUM_SLOTS) for key, count in counts.items()}


def _slots(slots: Any) -> dict[int, tuple[str, int]]:
    if not isinstance(slots, Mapping):
        raise StartStateError(f"slots: {slots!r}, expected {{slot: (item, count)}}")
    kept = {}
    for slot, stack in slots.items():
        number = int(slot) if isinstance(slot, str) and slot.isdecimal() else slot  # JSON keys are strings
        number = _whole("slots", number, 0, NUM_SLOTS - 1)
        if not isinstance(stack, (tuple, list)) or len(stack) != 2 or not isinstance(stack[0], str):
            raise StartStateError(f"slots[{number}]: {stack!r}, expected (item, count)")
        kept[number] = (stack[0], _whole(f"slots[{number}]", stack[1], 1, 64))
    return dict(sorted(kept.items()))


def _whole(name: str, value: Any, least: int, most: int) -> int:
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        raise StartStateError(f"{name}: {value!r}, expected an integer from {least} to {most}")
    return number


def _number(name: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, (bool, str, bytes)) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) < 3.2e7:
        raise StartStateError(f"{name}: {value!r:.40}, expected a number inside the world")
    return number


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise StartStateError(f"{name}: {value!r}, expected one of {', '.join(known)}")


_DEFAULT = StartState()
