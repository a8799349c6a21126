"""How well the scripted player plays: python benchmarks/demonstrator.py [--suite craft_diamond] [--seeds 0:16]

Prints JSON: success with Wilson's 95 % interval, ticks to success and of each milestone (quartiles), by task and group;
deaths; the share of time that each skill took; ticks a second of one core's CPU time. Nothing is drawn.

    --suite atomic --tasks 'smelt*' --seeds 0:3       three worlds for each task whose name or group fits
    --suite atomic --split validation                 the suite's own validation episodes
    --episodes FILE                                   one JSON line an episode; those already in it are not played again
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pebble import ProcessExpired, ProcessPool

from evaluation.statistics import quartiles, wilson
from evaluation.suites import Suite, get_suite
from jarvis.core.tasks import Task
from jarvis.envs.scripted import Habits, ScriptedPlayer
from jarvis.envs.voxel import VoxelEnv

LEVELS = ("coarse", "fine")  # of the player's log
HABITS = {"human": Habits.human, "clean": Habits.clean}
COMPILING = 900.0  # seconds that the first episode may take more
SLOWEST = 20.0  # ticks a second below which an episode counts as hung
_envs: list[VoxelEnv] = []  # in a worker: the one that all its episodes are played in


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", default="craft_diamond")
    parser.add_argument("--tasks", nargs="*", default=[], help="names or groups, with * at the end")
    parser.add_argument("--seeds", default="0:16", help="FIRST:COUNT worlds for each task")
    parser.add_argument("--split", choices=("train", "validation"), help="the suite's own episodes instead of --seeds")
    parser.add_argument("--each", type=int, help="episodes of a task with --split")
    parser.add_argument("--habits", choices=sorted(HABITS), default="human")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--episodes", type=Path)
    given = parser.parse_args()
    suite = get_suite(given.suite)
    if given.tasks:
        suite = suite.part(tuple(given.tasks))
    if given.split:
        jobs = [(episode.task, episode.seed) for episode in suite.episodes(given.split, given.each)]
    else:
        first, count = map(int, given.seeds.split(":"))
        jobs = [(task, seed) for seed in range(first, first + count) for task in suite.tasks.values()]
    lines = list(played(jobs, given.habits, given.workers, given.episodes))
    result = {
        "what": f"suite {suite.name}, {len(jobs)} episodes, habits {given.habits}, seeds {given.split or given.seeds}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        **summary(suite, lines),
    }
    print(json.dumps(result, indent=2))


def played(jobs: list[tuple[Task, int]], habits: str, workers: int, path: Path | None) -> Iterable[dict[str, Any]]:
    """One line an episode, those of the file first."""
    known = {}
    if path is not None and path.exists():
        for text in path.read_text().splitlines():
            line = json.loads(text)
            known[line["task"], line["seed"]] = line
    missing = [(task, seed) for task, seed in jobs if (task.name, seed) not in known]
    yield from (known[task.name, seed] for task, seed in jobs if (task.name, seed) in known)
    with ProcessPool(max_workers=workers) as pool:
        futures = [
            pool.schedule(episode, args=(task, seed, habits), timeout=COMPILING + task.max_ticks / SLOWEST)
            for task, seed in missing
        ]
        for (task, seed), future in zip(missing, futures, strict=True):
            try:
                line = future.result()
            except (Exception, ProcessExpired) as error:
                line = {"task": task.name, "seed": seed, "aborted": f"{type(error).__name__}: {error}"}
            if path is not None and "aborted" not in line:
                with path.open("a") as file:
                    file.write(json.dumps(line) + "\n")
            yield line


def episode(task: Task, seed: int, habits: str) -> dict[str, Any]:
    """Play one task in one world."""
    if not _envs:
        _envs.append(VoxelEnv(width=16, height=16, hud=False, draw=False))
    env = _envs[0]
    _, info = env.reset(task, seed)
    player = ScriptedPlayer(task, seed, HABITS[habits]())
    skills: Counter[str] = Counter()
    lengths: dict[str, list[int]] = {"coarse": [], "fine": []}
    before_it: dict[str, Any] = {"coarse": None, "fine": None}
    ticks, over, idle = 0, False, 0
    before = time.process_time()
    while not over:
        action = player.act(env.world)
        truth = player.truth
        skills[truth.coarse] += 1
        idle += not action.buttons.any() and not action.camera.any()
        for level, segment in (("coarse", truth.coarse), ("fine", (truth.coarse, truth.fine, truth.cell, truth.mob))):
            if segment != before_it[level]:
                lengths[level].append(0)
                before_it[level] = segment
            lengths[level][-1] += 1
        _, _, terminated, truncated, info = env.step(action)
        ticks += 1
        over = terminated or truncated
    return {
        "task": task.name,
        "seed": seed,
        "success": bool(info["success"]),
        "ticks": ticks,
        "milestones": info["milestones"],
        "deaths": player.deaths,
        "skills": dict(skills.most_common()),
        "last": player.truth.coarse,
        "idle": idle,
        "lengths": lengths,
        "failures": dict(player.failures),
        "seconds": round(time.process_time() - before, 2),
    }


def summary(suite: Suite, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What the lines say together."""
    finished = [line for line in lines if "aborted" not in line]
    groups: dict[str, list[dict[str, Any]]] = {}
    for line in finished:
        groups.setdefault(suite.group(line["task"]), []).append(line)
    skills: Counter[str] = Counter()
    for line in finished:
        skills.update(line["skills"])
    ticks = sum(skills.values())
    tasks = {name: [line for line in finished if line["task"] == name] for name in suite.tasks}
    return {
        "all": rate(finished),
        "groups": {name: rate(part) for name, part in groups.items()} if len(groups) > 1 else {},
        "below 90 %": {
            name: f"{sum(line['success'] for line in part)}/{len(part)}"
            for name, part in tasks.items()
            if part and sum(line["success"] for line in part) < 0.9 * len(part)
        },
        "milestones": {
            name: reached([line["milestones"].get(name) for line in finished])
            for task in suite.tasks.values()
            for name in task.milestones
        },
        "deaths": sum(line["deaths"] for line in finished),
        "ticks_a_cpu_second": round(ticks / max(1e-9, sum(line["seconds"] for line in finished))),
        "idle_share": round(sum(line["idle"] for line in finished) / max(1, ticks), 3),
        "segment_seconds": {
            level: spread([n for line in finished for n in line["lengths"][level]]) for level in LEVELS
        },
        "skill_shares": {name: round(count / ticks, 3) for name, count in skills.most_common(16)},
        "failed": [
            {key: line[key] for key in ("task", "seed", "ticks", "deaths", "last", "failures")}
            for line in finished
            if not line["success"]
        ],
        "aborted": dict(Counter(line["aborted"] for line in lines if "aborted" in line)),
    }


def spread(ticks: list[int]) -> dict[str, float]:
    """How long segments are, seconds, and the standard deviation of the logarithm."""
    if not ticks:
        return {}
    shown = dict(zip(("p10", "p50", "p90", "p99"), np.percentile(ticks, (10, 50, 90, 99)) / 20, strict=True))
    shown |= {"longest": max(ticks) / 20, "sd_of_log": float(np.std(np.log(ticks)))}
    return {name: round(float(value), 2) for name, value in shown.items()} | {"count": len(ticks)}


def rate(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Success and the ticks it took."""
    good = [line["ticks"] for line in lines if line["success"]]
    return {"success": len(good), "of": len(lines), "rate": wilson(len(good), len(lines)).to_json()} | reached(good)


def reached(ticks: list[int | None]) -> dict[str, Any]:
    """How many got there, and the quartiles of when."""
    there = [tick for tick in ticks if tick is not None]
    return {"reached": len(there), "ticks_quartiles": None if not there else list(map(round, quartiles(there) or ()))}


if __name__ == "__main__":
    main()
