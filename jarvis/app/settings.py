"""What every command shares: `--config FILE`, `--set a.b=value`, and one clear line for an error.

A configuration is YAML whose keys are the command's own options. What is typed on the command line wins over `--set`,
and `--set` over the file:

    # play.yaml
    task: craft_diamond
    max_ticks: 2000
    env_options: {fov: 90}

    jarvis play --config play.yaml --set env_options.palette=1 --episodes 3
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from jarvis.core.errors import JarvisError, UnknownNameError, nearest_names

__all__ = ["SettingsError", "merge", "parse_assignment", "read_config", "settle"]


class SettingsError(JarvisError, ValueError):
    """A setting that cannot be: the user's to mend."""


def read_config(path: str | Path) -> dict[str, Any]:
    """The mapping of a YAML file. Raises SettingsError, naming the file, for anything else."""
    import yaml  # type: ignore[import-untyped]

    try:
        value = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SettingsError(f"{path}: expected `option: value` lines, got {type(value).__name__}")
    return value


def parse_assignment(text: str) -> dict[str, Any]:
    """`a.b=3` as {"a": {"b": 3}}; the value is read as YAML."""
    import yaml

    name, equals, value = text.partition("=")
    parts = name.strip().split(".")
    if not equals or not all(parts):
        raise SettingsError(f"--set {text}: expected name=value, for instance --set max_ticks=2000")
    try:
        nested: Any = yaml.safe_load(value) if value.strip() else ""
    except yaml.YAMLError as error:
        raise SettingsError(f"--set {text}: not YAML: {' '.join(str(error).split())}") from None
    for part in reversed(parts):
        nested = {part.replace("-", "_"): nested}
    return dict(nested)


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `change` laid over it, mapping by mapping."""
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def settle(
    config: str | Path | None, assignments: Iterable[str], known: Collection[str] | None = None
) -> dict[str, Any]:
    """The settings of a file and of `--set`, checked against the names that a command knows; None: any name will do."""
    settings: dict[str, Any] = {}
    if config is not None:
        settings = {key.replace("-", "_"): value for key, value in read_config(config).items()}
    for text in assignments:
        settings = merge(settings, parse_assignment(text))
    for key in settings:
        if known is not None and key not in known:
            raise UnknownNameError("setting", key, nearest_names(key, known), str(config or "--set"))
    return settings
