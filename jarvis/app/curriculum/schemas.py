"""What a language model may propose: closed schemas, as text for its prompt, as JSON schema for its server, as checks.

    environment   a start state, which goals it is for, and what it is good for; for Crafter also EnvGen's own format
    goal          a sentence, a condition of the closed grammar, the known goals that it is made of, a time
    relabel       a sentence, a condition, and the number of the episode in which it is said to have come true

A key that is not in the schema refuses its item. Nothing is clamped. What passes here still has to be admitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from jarvis.app.curriculum.backends import Backend
from jarvis.app.curriculum.lessons import Lesson, plain_text
from jarvis.core.errors import FormatError, UnknownNameError, nearest_names
from jarvis.core.events import EVENT_NAMES
from jarvis.core.goals import Goal, parse
from jarvis.core.start_states import RARITY_LEVELS, WEATHERS, StartState

__all__ = ["check_environment", "check_goal_item", "check_relabel", "describe_place", "environment_schema",
           "goal_schema"]  # fmt: skip

# Start fields that a proposer may set: never the seed, a slot or a position, which would be one world and no lesson.
PROPOSABLE = (
    "biome",
    "inventory",
    "nearby",
    "nearby_radius",
    "mobs",
    "rarity",
    "time",
    "weather",
    "y",
    "health",
    "food",
)


def _closed(item: Mapping[str, Any], known: tuple[str, ...], needed: tuple[str, ...], what: str) -> None:
    for key in item:
        if key not in known:
            raise UnknownNameError("key", plain_text(str(key), 60), nearest_names(key, known), what)
    for key in needed:
        if key not in item:
            raise FormatError(f"{what}: {key} is missing")


def _text(item: Mapping[str, Any], key: str, what: str) -> str:
    value = item.get(key, "")
    if not isinstance(value, str):
        raise FormatError(f"{what}: {key} is {type(value).__name__}, expected text")
    return plain_text(value)


def _names(item: Mapping[str, Any], key: str, known: Mapping[str, str], what: str) -> tuple[str, ...]:
    """Ids of goals that are given by id or by text."""
    values = item.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise FormatError(f"{what}: {key} is {values!r:.80}, expected a list of goals")
    found: dict[str, None] = {}
    for value in values:
        name = plain_text(value)
        if name not in known:
            raise UnknownNameError("goal", name, nearest_names(name, known), f"{what}: {key}")
        found[known[name]] = None
    return tuple(found)


def check_environment(place: Backend, known: Mapping[str, str], source: str) -> Callable[[Any], Lesson]:
    """known: {id or text: id} of the goals that may be named."""

    def check(item: Mapping[str, Any]) -> Lesson:
        if place.name == "crafter" and ("environment_settings" in item or "inventory_settings" in item):
            from jarvis.envs.crafter import env_gen_start

            own = ("environment_settings", "inventory_settings")
            _closed(item, (*own, "goals", "purpose"), (), "environment")
            for part in own:
                if not isinstance(item.get(part, {}), dict):
                    raise FormatError(f"environment: {part} is {item[part]!r:.60}, expected an object")
            start = env_gen_start({part: item[part] for part in own if part in item})
        else:
            _closed(item, ("start", "goals", "purpose"), ("start",), "environment")
            if not isinstance(item["start"], dict):
                raise FormatError(f"environment: start is {item['start']!r:.60}, expected an object")
            able = tuple(name for name in PROPOSABLE if name in place.start_fields)
            _closed(item["start"], able, (), "environment: start")
            start = StartState.from_json(item["start"]).resolved(place.vocabulary)
        return Lesson(_names(item, "goals", known, "environment"), start, source, _text(item, "purpose", "environment"))

    return check


def check_goal_item(place: Backend, known: Mapping[str, str], prompt_hash: str) -> Callable[[Any], Goal]:
    """known: {id or text: id} of the goals that may be steps."""

    def check(item: Mapping[str, Any]) -> Goal:
        _closed(item, ("text", "predicate", "steps", "horizon_ticks"), ("text", "predicate"), "goal")
        horizon = item.get("horizon_ticks")
        if horizon is not None and (isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1):
            raise FormatError(f"goal: horizon_ticks is {horizon!r:.40}, expected a whole number from 1")
        if not isinstance(item["predicate"], dict):
            raise FormatError(f"goal: predicate is {type(item['predicate']).__name__}, expected an object")
        text = _text(item, "text", "goal")
        if not text:
            raise FormatError("goal: text is empty")
        predicate = parse(item["predicate"], place.vocabulary)
        steps = _names(item, "steps", known, "goal")
        goal = Goal(text, predicate, _scope(place), (), horizon, steps, "llm", prompt_hash)
        if goal.id in steps:
            raise FormatError(f"goal {text!r}: it is a step of itself")
        return goal

    return check


def _scope(place: Backend) -> str:
    """Crafter's goals are Crafter's alone; those of Minecraft's rules count wherever these hold."""
    return "crafter" if place.name == "crafter" else ""


def check_relabel(place: Backend, episodes: int, prompt_hash: str) -> Callable[[Any], tuple[Goal, int]]:
    """(goal, number of the episode). Whether it is true is not checked here."""
    check_goal = check_goal_item(place, {}, prompt_hash)

    def check(item: Mapping[str, Any]) -> tuple[Goal, int]:
        _closed(item, ("text", "predicate", "episode"), ("text", "predicate", "episode"), "relabel")
        number = item["episode"]
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < episodes:
            raise FormatError(f"relabel: episode is {number!r:.40}, expected 0 to {episodes - 1}")
        goal = check_goal({"text": item["text"], "predicate": item["predicate"]})
        return Goal(goal.text, goal.predicate, goal.scope, source="relabel", prompt_hash=prompt_hash), number

    return check


# -- the same for prompts and servers ----------------------------------------------------------------------------------


def describe_place(place: Backend) -> dict[str, Any]:
    """What may be set and named in a place, for the DATA of a prompt."""
    able = {name for name in PROPOSABLE if name in place.start_fields}
    told: dict[str, Any] = {"place": place.name, "start_fields": sorted(able), "most_of_an_item": place.most}
    names = place.vocabulary
    for kind, values in (("items", names.items), ("blocks", names.blocks), ("mobs", names.mobs)):
        if values:
            told[kind] = sorted(values)
    if names.biomes:
        told["biomes"] = sorted(names.biomes)
    if place.rarities:
        told["rarity"] = {"of": list(place.rarities), "levels": list(RARITY_LEVELS)}
    if "weather" in able:
        told["weather"] = list(WEATHERS)
    told["events"] = list(EVENT_NAMES)
    return told


def environment_schema(place: Backend) -> dict[str, Any]:
    """JSON schema of a list of environments, for servers that hold answers to one."""
    able = [field.name for field in fields(StartState) if field.name in PROPOSABLE and field.name in place.start_fields]
    counts = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}
    kinds: dict[str, Any] = {
        "biome": {"enum": sorted(place.vocabulary.biomes)},
        "weather": {"enum": list(WEATHERS)},
        "rarity": {"type": "object", "additionalProperties": {"enum": list(RARITY_LEVELS)}},
        **{name: counts for name in ("inventory", "nearby", "mobs")},
    }
    start = {name: kinds.get(name, {"type": "number"}) for name in able}
    item = _object({"start": _object(start, ()), "goals": _list({"type": "string"}), "purpose": {"type": "string"}},
                   ("start",))  # fmt: skip
    return _object({"environments": _list(item)}, ("environments",))


def goal_schema(*, relabel: bool = False) -> dict[str, Any]:
    """JSON schema of a list of goals; the predicate is any object here and checked by the grammar."""
    item = {"text": {"type": "string"}, "predicate": {"type": "object"}}
    if relabel:
        more: dict[str, Any] = {"episode": {"type": "integer", "minimum": 0}}
    else:
        more = {"steps": _list({"type": "string"}), "horizon_ticks": {"type": "integer", "minimum": 1}}
    needed = ("text", "predicate", "episode") if relabel else ("text", "predicate")
    return _object({"goals": _list(_object(item | more, needed))}, ("goals",))


def _object(properties: Mapping[str, Any], needed: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object", "properties": dict(properties), "required": list(needed), "additionalProperties": False,
    }  # fmt: skip


def _list(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(item)}
