"""How fast Luanti is played, and whether the same actions give the same pictures.

python benchmarks/luanti.py                      # some worlds, from above and below
python benchmarks/luanti.py --seeds 7 3 --ticks 300 --width 128 --height 128
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.goals import Goal
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.luanti import LuantiEnv
from jarvis.envs.remote_worker import descendants


def cpu_seconds(env: LuantiEnv) -> dict[str, float]:
    """Of every process of the game, by its program."""
    process = env.simulator.process
    assert process is not None
    seconds: dict[str, float] = {}
    for pid in descendants(process.pid):
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
        user, system = rest.split()[11:13]
        seconds[name] = seconds.get(name, 0.0) + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return seconds


def actions(count: int) -> list[Action]:
    """A walk that looks around, jumps, digs and places; the same every time."""
    random, held, chosen = np.random.RandomState(0), [], []
    for tick in range(count):
        if tick % 20 == 0:
            held = [name for name in ("forward", "jump", "attack", "left", "use") if random.rand() < 0.4]
        chosen.append(Action.of(*held, camera=random.normal(0, (2, 6))))
    return chosen


def play(env: LuantiEnv, seed: int, ticks: int) -> tuple[np.ndarray, list, str]:
    """(ticks + 1) pictures, what was told with each, and a line about the time that it took."""
    task = Task("bench", Goal("play"), StartState(seed=seed, inventory={"oak_log": 3, "stone_pickaxe": 1}))
    began = time.perf_counter()
    observation, info = env.reset(task, 0)
    ready, before = time.perf_counter(), cpu_seconds(env)
    pictures, told = [observation.pov], [(info["location_stats"], info["inventory"])]
    for action in actions(ticks):
        step = env.step(action)
        pictures.append(step.observation.pov)
        told.append((step.info["location_stats"], step.info["inventory"]))
    wall, after = time.perf_counter() - ready, cpu_seconds(env)
    used = {name: after[name] - before.get(name, 0.0) for name in after}
    parts = ", ".join(f"{name} {1000 * value / ticks:.1f}" for name, value in sorted(used.items()) if value)
    line = (
        f"reset {ready - began:5.1f} s, {ticks / wall:5.1f} ticks/s wall, {ticks / sum(used.values()):5.1f} per CPU-s"
    )
    line += f" (ms a tick: {parts}), {info['location_stats']['biome']}, restless {step.info['restless']}"
    return np.stack(pictures), told, line


def compared(name: str, one: tuple, other: tuple) -> str:
    """How far two plays of the same actions differ."""
    differ = np.stack([(a != b).any(-1).mean() for a, b in zip(one[0], other[0], strict=True)])
    states = sum(a == b for a, b in zip(one[1], other[1], strict=True))
    same = int((differ == 0).sum())
    return f"{name}: {same} of {len(differ)} pictures equal, at worst {differ.max():.3%} of the pixels differ; " + (
        f"{states} of {len(differ)} states equal"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 3, 77])
    parser.add_argument("--ticks", type=int, default=300)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    options = parser.parse_args()
    for seed in options.seeds:
        plays = []
        for again in (False, True):
            env = LuantiEnv(width=options.width, height=options.height)
            plays.append(play(env, seed, options.ticks))
            print(f"map {seed}, {'another' if again else 'a new'} process: {plays[-1][2]}", flush=True)
            if not again:
                plays.append(play(env, seed, options.ticks))
                print(f"map {seed}, soft reset:      {plays[-1][2]}", flush=True)
            env.close()
        print(f"    {compared('two processes', plays[0], plays[2])}")
        print(f"    {compared('after a soft reset', plays[0], plays[1])}", flush=True)


if __name__ == "__main__":
    main()
