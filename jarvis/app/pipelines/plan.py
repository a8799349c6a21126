"""Pipelines as YAML, and everything that can be wrong with one said before anything is done.

    plan = read_plan("quickstart", {"episodes": 4, "agent": {"settings": {"steps": 20}}})
    for step in plan.steps: print(step.name, step.kind, step.stage)

    name: tiny                             # a name for people
    about: Labels videos and cuts them.    # what it is for
    parameters: {videos: clips, idm: default}
    stages:
      - do: label                          # one of jarvis.app.pipelines.stages.KINDS
        name: labels                       # how later stages call it; else what it does
        videos: $videos                    # a parameter; else a value, a path, or the name of an earlier stage
        idm: $idm
      - do: segment
        play: labels
        when: true                         # false leaves the stage out

Changes are laid over it: a parameter by its name, a stage's setting by the stage's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from jarvis.app.pipelines.stages import PATH, Stage, kind_of
from jarvis.app.settings import merge, read_config
from jarvis.core.errors import JarvisError, UnknownNameError, nearest_names
from jarvis.training import change

__all__ = ["SHIPPED", "Plan", "PlanError", "Step", "read_plan"]

SHIPPED = ("quickstart", "youtube", "contractor")
_KEYS = ("name", "about", "parameters", "stages")
_OWN = ("do", "name", "when")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class PlanError(JarvisError, ValueError):
    """A pipeline that cannot be."""


@dataclass(frozen=True)
class Step:
    """One stage of a plan."""

    name: str
    kind: str
    stage: Stage
    sources: Mapping[str, tuple[str, ...]]  # field -> the earlier stages that its values name


@dataclass(frozen=True)
class Plan:
    """A pipeline, ready to run."""

    name: str
    about: str
    parameters: Mapping[str, Any]
    steps: tuple[Step, ...]


def read_plan(source: str | Path, changes: Mapping[str, Any] | None = None) -> Plan:
    """The plan of a file, or of a pipeline that ships, by its name.

    changes: parameters, and settings of stages as mappings. Raises JarvisErrors that name the file, the stage and the
    key, with the nearest names that exist. Every kind looks at its settings too; nothing is done.
    """
    text = str(source)
    path = Path(str(files("jarvis.app.pipelines") / f"{text}.yaml")) if text in SHIPPED else Path(text)
    if not path.is_file():
        near = nearest_names(text, SHIPPED)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; a YAML file, or one of {', '.join(SHIPPED)}"
        raise PlanError(f"{text}: no such pipeline{hint}")
    value = read_config(path)
    place = text if text in SHIPPED else str(path)
    for key in value:
        _known(key, _KEYS, "key", place)
    parameters = _mapping(value.get("parameters") or {}, f"{place}: parameters")
    stages = value.get("stages")
    if not isinstance(stages, list) or not stages:
        raise PlanError(f"{place}: stages: expected a list of stages, each with `do: KIND`")
    named = [_named(entry, number, place) for number, entry in enumerate(stages, 1)]
    parameters, named = _laid_over(parameters, named, changes or {}, place)
    steps: list[Step] = []
    every = [name for name, _ in named]
    for name, entry in named:
        if any(step.name == name for step in steps):
            raise PlanError(f"{place}: two stages are called {name!r}; give one of them another `name:`")
        where = f"{place}: stage {name}"
        filled = _filled(entry, parameters, where)
        if _switch(filled.pop("when", True), f"{where}: when"):
            steps.append(_step(name, filled, entry, steps, every, parameters, where))
    if not steps:
        raise PlanError(f"{place}: every stage is left out by its `when:`")
    return Plan(str(value.get("name") or path.stem), str(value.get("about") or ""), parameters, tuple(steps))


def _known(key: str, known: tuple[str, ...], what: str, place: str) -> None:
    if key not in known:
        raise UnknownNameError(what, key, nearest_names(key, known) or known, place)


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise PlanError(f"{place}: {value!r:.60}, expected `name: value` lines")
    return dict(value)


def _named(entry: Any, number: int, place: str) -> tuple[str, dict[str, Any]]:
    entry = _mapping(entry, f"{place}: stage {number}")
    if "do" not in entry:
        raise PlanError(f"{place}: stage {number}: no `do:`; it says what the stage does, such as `do: label`")
    kind_of(entry["do"], f"{place}: stage {number}: do")
    name = str(entry.pop("name", entry["do"]))
    if not _NAME.fullmatch(name):
        raise PlanError(f"{place}: stage {number}: name {name!r}: expected small letters, digits, - and _")
    return name, entry


def _laid_over(
    parameters: dict[str, Any], named: list[tuple[str, dict[str, Any]]], changes: Mapping[str, Any], place: str
) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    names = [name for name, _ in named]
    parameters = {"seed": 0} | parameters
    for key, value in changes.items():
        if key in parameters:
            parameters[key] = value
        elif key in names and isinstance(value, Mapping):
            named = [(name, merge(entry, value) if name == key else entry) for name, entry in named]
        else:
            known = [*parameters, *(f"{name}.SETTING" for name in names)]
            near = nearest_names(key, [*parameters, *names])
            raise UnknownNameError("parameter", key, near or known, place)
    return parameters, named


def _filled(value: Any, parameters: Mapping[str, Any], place: str) -> Any:
    """The value with `$name` replaced by parameters."""
    if isinstance(value, Mapping):
        return {key: _filled(part, parameters, f"{place}: {key}") for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, parameters, place) for part in value]
    if isinstance(value, str) and value.startswith("$"):
        name = value[1:]
        _known(name, tuple(parameters), "parameter", place)
        return parameters[name]
    return value


def _switch(value: Any, place: str) -> bool:
    if not isinstance(value, (bool, int)):
        raise PlanError(f"{place}: {value!r:.60}, expected true or false")
    return bool(value)


def _step(
    name: str,
    entry: dict[str, Any],
    raw: Mapping[str, Any],
    before: list[Step],
    every: list[str],
    parameters: Mapping[str, Any],
    place: str,
) -> Step:
    kind = kind_of(entry["do"], place)
    settings = {key.replace("-", "_"): value for key, value in entry.items() if key not in _OWN}
    plain = kind(seed=parameters["seed"])
    lists = {one.name for one in fields(kind) if isinstance(getattr(plain, one.name), tuple)}
    for key, value in settings.items():
        if key in lists and not isinstance(value, list):
            settings[key] = [] if value is None else [value]  # one of something is a list of one
    stage = change(plain, settings, place)
    sources: dict[str, tuple[str, ...]] = {}
    known = [step.name for step in before]
    for key, sort in kind.inputs.items():
        value = getattr(stage, key)
        values = value if isinstance(value, tuple) else (value,)
        sources[key] = tuple(one for one in values if one in known)
        for one in values:
            if one and one not in known:
                _outside(one, sort, known, every, f"{place}: {key}")
        if sort == PATH and not any(values) and key not in kind.optional:
            raise PlanError(f"{place}: {key}: nothing is given, expected a path{_how(raw.get(key))}")
    try:
        stage.check()
    except JarvisError as error:
        raise PlanError(f"{place}: {error}") from None
    return Step(name, entry["do"], stage, sources)


def _how(raw: Any) -> str:
    """How a value is given that the pipeline leaves to a parameter."""
    return f"; give it with --set {raw[1:]}=PATH" if isinstance(raw, str) and raw.startswith("$") else ""


def _outside(value: str, sort: str, known: list[str], every: list[str], place: str) -> None:
    """What is no earlier stage must be there already."""
    if value in every:
        raise PlanError(f"{place}: stage {value!r} comes later or is left out; earlier ones are {', '.join(known)}")
    if sort == PATH and not Path(value).exists():
        near = nearest_names(value, known)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise PlanError(f"{place}: {value!r} is no earlier stage, and there is no such file or folder{hint}")


def resolved(step: Step, outputs: Mapping[str, Path]) -> Stage:
    """The stage with the names of earlier ones replaced by what those made."""
    values: dict[str, Any] = {}
    for key, names in step.sources.items():
        if names:
            value = getattr(step.stage, key)
            if isinstance(value, tuple):
                values[key] = tuple(str(outputs[one]) if one in outputs else one for one in value)
            else:
                values[key] = str(outputs[value])
    return replace(step.stage, **values)
