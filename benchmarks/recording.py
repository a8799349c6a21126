"""How fast play is recorded: python benchmarks/recording.py [--ticks 2000] [--seed 2] [--sizes 640x360 128x128]

Prints JSON: ticks per second of CPU time of the scripted player on its way to a diamond, and what a tick costs:
playing (the world and the player, nothing drawn), drawing, and recording (encoding and writing). The same play three
times: nothing drawn, drawn, recorded; CPU seconds of the process, so that a busy machine counts less than on a clock.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from data_pipelines.recorder import record_episode
from evaluation.tasks import get
from jarvis.app.recording import make_player
from jarvis.core.tasks import Task
from jarvis.envs.voxel import VoxelEnv


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ticks", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--task", default="craft_diamond")
    parser.add_argument("--sizes", nargs="*", default=["640x360", "128x128"])
    given = parser.parse_args()
    task = replace(get(given.task), max_ticks=given.ticks)
    result = {
        "what": f"{given.task}, seed {given.seed}, {given.ticks} ticks of the scripted player",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "sizes": {size: measure(task, given.seed, *map(int, size.split("x"))) for size in given.sizes},
    }
    print(json.dumps(result, indent=2))


def measure(task: Task, seed: int, width: int, height: int) -> dict[str, Any]:
    """What a tick costs at one size of the picture."""
    blind = VoxelEnv(width=width, height=height, show_cursor=False, draw=False)
    env = VoxelEnv(width=width, height=height, show_cursor=False)
    short = replace(task, max_ticks=50)
    record(env, short, seed)  # everything is loaded and compiled by now
    ways: dict[str, Callable[[], int]] = {
        "playing": lambda: play(blind, task, seed),
        "drawing": lambda: play(env, task, seed),
        "recording": lambda: record(env, task, seed),
    }
    costs = {}
    for name, way in ways.items():
        before = time.process_time()
        ticks = way()
        costs[name] = 1000 * (time.process_time() - before) / ticks
    parts = {
        "playing": costs["playing"],
        "drawing": costs["drawing"] - costs["playing"],
        "recording": costs["recording"] - costs["drawing"],
    }
    return {
        "ticks_a_cpu_second": round(1000 / costs["recording"], 1),
        "cpu_ms_a_tick": {name: round(cost, 2) for name, cost in parts.items()},
    }


def play(env: VoxelEnv, task: Task, seed: int) -> int:
    """Plays without keeping anything; returns the ticks."""
    observation, info = env.reset(task, seed)
    player = make_player("scripted", "human", env, task, seed)
    ticks, over = 0, False
    while not over:
        step = env.step(player.act(observation, info))
        observation, info = step.observation, step.info
        ticks += 1
        over = step.terminated or step.truncated or player.done()
    return ticks


def record(env: VoxelEnv, task: Task, seed: int) -> int:
    """Records it; returns the ticks."""
    with tempfile.TemporaryDirectory() as folder:
        made = record_episode(env, make_player("scripted", "human", env, task, seed), task, seed, folder)
        return sum(recording.facts()["frames"] for recording in made)


if __name__ == "__main__":
    main()
