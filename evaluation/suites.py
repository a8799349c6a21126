"""Suites: which tasks, how many episodes of each, and whose worlds.

    suite = get_suite("atomic")
    suite.tasks["mine_coal_ore-easy"], suite.group("mine_coal_ore-easy"), suite.digest
    for episode in suite.episodes("validation"): print(episode.number, episode.task.name, episode.seed)

    smoke           5 tasks, seconds: does it play at all
    atomic          124 skills from three starts each
    tech_tree       the 13 rungs to the diamond pickaxe, each from the rung below
    craft_diamond   the whole way, from nothing
    crafter         Crafter's 22 achievements and its score, in Crafter

The digest is over every task, start, limit, wording and seed: results of different digests are not compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from evaluation.atomic import DIFFICULTIES, FAMILIES, catalogue, family_of
from evaluation.seeds import SEEDS_VERSION, episode_seeds
from evaluation.tasks import DIAMOND_MILESTONES, get
from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.goals import Goal
from jarvis.core.random_streams import generator
from jarvis.core.tasks import Task

__all__ = ["SUITES", "Episode", "Suite", "get_suite"]

SUITES = ("smoke", "atomic", "tech_tree", "craft_diamond", "crafter")


@dataclass(frozen=True)
class Episode:
    """One episode of a suite, fixed before anything is played."""

    number: int  # its place in the suite
    task: Task
    seed: int
    instruction: str  # the wording that the policy gets

    @property
    def goal(self) -> Goal:
        """The task's goal in this episode's words."""
        return replace(self.task.goal, text=self.instruction)


@dataclass(frozen=True)
class Suite:
    """Tasks to be judged by."""

    name: str
    tasks: Mapping[str, Task]  # by name, in the order of the report
    episodes_each: int
    env: str = "voxel"
    groups: Mapping[str, str] = field(default_factory=dict)  # {task: group}; a task that is not here is its own

    def group(self, task: str) -> str:
        """The group that a task is counted with."""
        return self.groups.get(task, task)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of everything that a result depends on, but the number of episodes."""
        value: dict[str, Any] = {
            "env": self.env,
            "seeds": SEEDS_VERSION,
            "tasks": [task.to_json() for task in self.tasks.values()],
        }
        return _digest(value)

    def task_digest(self, name: str) -> str:
        """16 hexadecimal digits of one task: equal digests are the same task, whatever the suite."""
        return _digest(self.tasks[name].to_json())

    def part(self, patterns: tuple[str, ...]) -> Suite:
        """The tasks whose name or group is one of these, or begins with one that ends in *."""

        def wanted(task: str) -> bool:
            names = (task, self.group(task))
            return any(
                name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
                for pattern in patterns
                for name in names
            )

        kept = {name: task for name, task in self.tasks.items() if wanted(name)}
        for pattern in patterns:
            known = [*self.tasks, *self.groups.values()]
            if not pattern.endswith("*") and pattern not in known:
                raise UnknownNameError("task", pattern, nearest_names(pattern, known), f"suite {self.name}")
        if not kept:
            raise UnknownNameError("task", ", ".join(patterns), (), f"suite {self.name}")
        return replace(self, tasks=kept)

    def episodes(self, split: str = "validation", each: int | None = None) -> list[Episode]:
        """Every episode in order: first each task once, then each a second time, so that a part of a run covers all."""
        each = self.episodes_each if each is None else each
        seeds = {name: episode_seeds(split, name, each) for name in self.tasks}
        episodes: list[Episode] = []
        for take in range(each):
            for name, task in self.tasks.items():
                seed = seeds[name][take]
                words = task.instructions[int(generator(seed, "instruction").integers(len(task.instructions)))]
                episodes.append(Episode(len(episodes), task, seed, words))
        return episodes


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _atomic() -> Suite:
    tasks, groups = {}, {}
    for family in FAMILIES:
        for name in catalogue():
            if family_of(name) == family:
                for level in DIFFICULTIES:
                    task = get(name if level == "normal" else f"{name}-{level}")
                    tasks[task.name], groups[task.name] = task, family
    return Suite("atomic", tasks, 1, groups=groups)


def _smoke() -> Suite:
    names = ("mine_oak_log-easy", "craft_oak_planks-easy", "kill_chicken-easy", "place_torch-easy", "eat_bread-easy")
    tasks = {name: replace(get(name), max_ticks=240) for name in names}
    return Suite("smoke", tasks, 1, groups={name: family_of(name) for name in names})


def _tech_tree() -> Suite:
    return Suite("tech_tree", {f"rung_{rung}": get(f"rung_{rung}") for rung in DIAMOND_MILESTONES}, 10)


@cache
def get_suite(name: str) -> Suite:
    """The suite of that name. UnknownNameError with the nearest names."""
    if name == "smoke":
        return _smoke()
    if name == "atomic":
        return _atomic()
    if name == "tech_tree":
        return _tech_tree()
    if name == "craft_diamond":
        return Suite("craft_diamond", {"craft_diamond": get("craft_diamond")}, 30)
    if name == "crafter":
        return Suite("crafter", {"crafter": get("crafter")}, 100, env="crafter")
    raise UnknownNameError("suite", name, nearest_names(name, SUITES))
