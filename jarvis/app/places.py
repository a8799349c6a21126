"""Environments for Python users, with tasks by name."""

from __future__ import annotations

from typing import Any

from jarvis.core.tasks import Task
from jarvis.envs.registry import make as make_environment

__all__ = ["make"]


def make(env_name: str, task: Task | str | None = None, **options: Any) -> Any:
    """The environment registered as `env_name`, for a Task or for the task of that name (see `jarvis tasks`)."""
    if isinstance(task, str):
        from evaluation.tasks import get

        task = get(task)
    return make_environment(env_name, task=task, **options)
