"""Tasks, suites, rollouts and statistics: how good a policy is, with an interval.

from evaluation import compare, evaluate

evaluate("tech_tree", policy, "runs/tech_tree", policy_name="mine", split="validation")
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "compare": "runs", "evaluate": "runs", "get_suite": "suites", "get_task": "tasks", "play": "rollouts",
}  # fmt: skip
_NAMES = {"get_task": "get"}

__all__ = ["compare", "evaluate", "get_suite", "get_task", "play"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), _NAMES.get(name, name))
    globals()[name] = value
    return value
