"""What evaluating costs beside playing: python benchmarks/rollouts.py [--rounds 6] [--ticks 300] [--size 128x128]

Prints JSON. The same episodes of random play in turn by a bare loop (reset, act, step and nothing else) and by
evaluation.play: alone, with the files of actions and events, and with the video too. CPU seconds of the process, so
that a busy machine does not count; the overhead is the median over the rounds, each of which compares neighbours in
time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.rollouts import play
from evaluation.suites import Episode, get_suite
from evaluation.tapes import Tape
from jarvis.app.policies import RandomPolicy
from jarvis.envs.voxel import VoxelEnv

TASKS = ("mine_coal_ore", "kill_cow", "place_torch", "craft_bread")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--ticks", type=int, default=300)
    parser.add_argument("--size", default="128x128")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    suite = get_suite("atomic").part(TASKS)
    tasks = {name: replace(task, max_ticks=given.ticks) for name, task in suite.tasks.items()}
    episodes = replace(suite, tasks=tasks).episodes("train", 1)
    env, policy = VoxelEnv(width=width, height=height), RandomPolicy()
    with tempfile.TemporaryDirectory() as folder:

        def tape(video: bool) -> Tape:
            return Tape(Path(folder), "episode", video)

        ways: dict[str, Callable[[Episode], int]] = {
            "bare": lambda episode: bare(env, policy, episode),
            "harness": lambda episode: evaluated(env, policy, episode, None),
            "harness, actions and events": lambda episode: evaluated(env, policy, episode, tape(False)),
            "harness, actions, events and video": lambda episode: evaluated(env, policy, episode, tape(True)),
        }
        measured = measure(ways, episodes, given.rounds)
    result = {
        "what": f"{given.ticks} ticks of random play at {given.size}, resets included, one row",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "ways": measured,
    }
    print(json.dumps(result, indent=2))


def bare(env: VoxelEnv, policy: RandomPolicy, episode: Episode) -> int:
    policy.reset([episode.goal], seeds=[episode.seed])
    observation, _ = env.reset(episode.task, episode.seed)
    ticks = 0
    while True:
        observation, _, terminated, truncated, _ = env.step(policy.act([observation])[0])
        ticks += 1
        if terminated or truncated:
            return ticks


def evaluated(env: VoxelEnv, policy: RandomPolicy, episode: Episode, tape: Tape | None) -> int:
    (played,) = play([episode], lambda: env, policy, tape=lambda _: tape)
    assert played.aborted is None, played.aborted
    return played.ticks


def measure(ways: dict[str, Callable[[Episode], int]], episodes: list[Episode], rounds: int) -> dict[str, Any]:
    """CPU milliseconds a tick of each way, and how much more than the bare loop of the same episode and round."""
    costs: dict[str, list[float]] = {name: [] for name in ways}
    more: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for episode in episodes:
            order = list(ways) if turn % 2 else list(ways)[::-1]  # nobody is always the first
            spent = {}
            for name in order:
                before = time.process_time()
                ticks = ways[name](episode)
                spent[name] = (time.process_time() - before) / ticks
            if turn:  # the first round warms up
                for name, seconds in spent.items():
                    costs[name].append(1000 * seconds)
                    more[name].append(seconds / spent["bare"] - 1)
    return {
        name: {
            "cpu_ms_a_tick": round(statistics.median(costs[name]), 4),
            "more_than_bare_percent": round(100 * statistics.median(more[name]), 2),
            "pairs": len(more[name]),
        }
        for name in ways
    }


if __name__ == "__main__":
    main()
