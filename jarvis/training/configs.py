"""Frozen dataclasses as settings: changed by name, checked, and written as JSON."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from jarvis.core.errors import JarvisError, nearest_names

__all__ = ["ConfigError", "change", "to_json"]

Config = TypeVar("Config")


class ConfigError(JarvisError, ValueError):
    """A setting that does not exist, or a value that it cannot have."""


def to_json(config: Any) -> dict[str, Any]:
    """Every field of a dataclass, nested ones too, as JSON values."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def change(config: Config, settings: Mapping[str, Any], place: str = "settings") -> Config:
    """The config with other values: {"steps": 100, "optimizer": {"rate": 1e-4}}.

    Values are checked against the fields' types; an integer serves for a float, a list for a tuple. Raises ConfigError,
    naming the setting and the nearest ones that exist.
    """
    assert dataclasses.is_dataclass(config)
    hints = typing.get_type_hints(type(config))
    known = {field.name for field in dataclasses.fields(config)}
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in known:
            near = nearest_names(name, known)
            hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(sorted(known))}"
            raise ConfigError(f"{place}: unknown setting {name!r}{hint}")
        old = getattr(config, name)
        if dataclasses.is_dataclass(old) and isinstance(value, Mapping):
            values[name] = change(old, value, f"{place}.{name}")
        else:
            values[name] = _fitting(value, hints[name], f"{place}.{name}")
    try:
        return dataclasses.replace(config, **values)  # type: ignore[type-var]
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{place}: {error}") from None


def _fitting(value: Any, hint: Any, place: str) -> Any:
    """The value in the type of the field, or ConfigError."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        for option in inner:
            try:
                return _fitting(value, option, place)
            except ConfigError:
                continue
    elif origin is tuple and isinstance(value, (list, tuple)):
        kinds = inner[:1] * len(value) if inner[1:] == (...,) else inner
        if len(kinds) == len(value):
            return tuple(_fitting(item, kind, place) for item, kind in zip(value, kinds, strict=True))
    elif origin is not None:
        if isinstance(value, origin):
            return value
    elif hint is float and type(value) in (int, float):
        return float(value)
    elif hint is float and isinstance(value, str):  # YAML reads 1e-4 as a text
        try:
            return float(value)
        except ValueError:
            pass
    elif hint in (None, type(None)):
        if value is None:
            return None
    elif isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    expected = getattr(hint, "__name__", None) if origin is None else str(hint)
    raise ConfigError(f"{place}: {value!r}, expected {expected}")
