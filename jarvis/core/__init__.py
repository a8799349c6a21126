"""The words that every package shares: actions, observations, goals, tasks. Needs numpy and the standard library.

The names below may be taken from here; each loads its module when first used, so that `jarvis --help` needs no numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES: dict[str, tuple[str, ...]] = {
    "actions": (
        "BUTTONS", "BUTTON_INDEX", "JARVIS_CAMERA", "POLICY_BUTTONS", "VPT_CAMERA", "Action", "CameraBins",
        "JointActions",
    ),
    "environments": ("Environment", "Policy", "Step"),
    "errors": (
        "ActionError", "EnvironmentFailure", "EpisodeError", "FormatError", "JarvisError", "MissingExtraError",
        "PredicateError", "StartStateError", "UnknownNameError",
    ),
    "events": ("EVENT_NAMES", "Event", "EventCounters"),
    "files": ("atomic_folder", "atomic_write"),
    "goals": ("Evaluator", "Goal", "Moment", "Predicate"),
    "names": ("Vocabulary",),
    "observations": ("Observation",),
    "random_streams": ("generator", "stream_seed"),
    "segments": ("Segment", "check_cover"),
    "start_states": ("StartState",),
    "tasks": ("Progress", "Task"),
    "trajectories": ("Trajectory", "VideoReference"),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
