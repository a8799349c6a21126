"""How fast the voxel world is: python benchmarks/world.py [--seconds 6] [--no-cold]

Prints JSON. Full ticks (keys and mouse, physics, mining, 20 mobs, light, picture, display, info) per second of one
core's CPU time, outdoors and underground, at four sizes, in turn with PyPI's Crafter in the same run; one worker a core
at once; memory of a world; time of a reset; from import to the first frame with a warm and with an empty cache of
compiled kernels.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.goals import Goal
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.voxel import VoxelEnv

SIZES = ((64, 64), (128, 128), (320, 180), (640, 360))
MOBS = {"cow": 4, "pig": 4, "sheep": 4, "chicken": 4, "zombie": 2, "skeleton": 2}
SCENES = {
    "outdoors": StartState(biome="forest", mobs=MOBS, nearby_radius=24, time=2000, weather="clear"),
    "underground": StartState(
        y=30, mobs={"cow": 20}, nearby_radius=12, nearby={"torch": 3}, inventory={"iron_pickaxe": 1}, time=2000
    ),
}
PUBLISHED = {  # steps per second of one environment, on other machines, as their authors state them
    "MineRL 1.0 with the VPT policy": "21-26",
    "MineStudio": "38-45",
    "MineRL and MineStudio, per environment": "21-56",
    "prototype of this world, outdoors": {"64x64": 2309, "128x128": 673, "320x180": 203, "640x360": 55},
    "prototype of this world, underground": {"64x64": 5858, "128x128": 1882, "320x180": 584, "640x360": 150},
}
CHUNK_TICKS = 40  # timed at once, so that the contenders take turns


def play_actions(seed: int, count: int) -> list[Action]:
    """Walking, jumping, looking about and mining, as play has them."""
    rng = np.random.default_rng(seed)
    actions = []
    for k in range(count):
        keys = ["forward"] if k % 50 < 35 else ["attack"]
        if rng.random() < 0.1:
            keys.append("jump")
        actions.append(Action.of(*keys, camera=(rng.normal(0, 1.5), rng.normal(0, 4.0))))
    return actions


class Contender:
    """Something with a name that plays ticks; its CPU seconds and ticks add up."""

    def __init__(self, name: str) -> None:
        self.name, self.ticks, self.cpu = name, 0, 0.0
        self.rates: list[float] = []

    def run(self, count: int) -> None:
        start = time.process_time()
        self.play(count)
        spent = time.process_time() - start
        self.ticks, self.cpu = self.ticks + count, self.cpu + spent
        self.rates.append(count / spent)

    def play(self, count: int) -> None:
        raise NotImplementedError

    def result(self) -> dict[str, float]:
        return {"ticks_per_cpu_second": round(statistics.median(self.rates), 1), "ticks": self.ticks}


class Voxel(Contender):
    """Our world with a scene of 20 mobs."""

    def __init__(self, scene: str, size: tuple[int, int], seed: int) -> None:
        super().__init__(f"{scene} {size[0]}x{size[1]}")
        self.env = VoxelEnv(width=size[0], height=size[1])
        self.task = Task("benchmark", Goal("benchmark"), SCENES[scene], max_ticks=10**9)
        self.env.reset(self.task, seed)
        self.actions = play_actions(seed, 1000)
        self.at = 0
        self.play(20)

    def play(self, count: int) -> None:
        for _ in range(count):
            self.env.step(self.actions[self.at % 1000])
            self.at += 1


class Crafter(Contender):
    """PyPI's Crafter as it is, random actions."""

    def __init__(self) -> None:
        super().__init__("crafter 64x64")
        import crafter

        self.env = crafter.Env(seed=1, length=10**9)
        self.env.reset()
        self.rng = np.random.default_rng(0)

    def play(self, count: int) -> None:
        for _ in range(count):
            done = self.env.step(int(self.rng.integers(17)))[2]
            if done:  # its reset is not part of a step, and is not counted
                start = time.process_time()
                self.env.reset()
                self.cpu -= time.process_time() - start


def side_by_side(seconds: float) -> dict[str, Any]:
    """Every contender in turn, until each has had about ``seconds`` of CPU."""
    contenders: list[Contender] = [Voxel(scene, size, 7) for scene in SCENES for size in SIZES]
    try:
        contenders.append(Crafter())
    except ImportError:
        print('crafter is not installed: pip install "jarvis-agent[crafter]"', file=sys.stderr)
    while any(contender.cpu < seconds for contender in contenders):
        for contender in contenders:
            if contender.cpu < seconds:
                contender.run(CHUNK_TICKS)
    return {contender.name: contender.result() for contender in contenders}


def _worker(size: tuple[int, int], seconds: float, seed: int, queue: Any) -> None:
    contender = Voxel("outdoors", size, seed)
    queue.put("ready")
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        contender.run(CHUNK_TICKS)
    queue.put((contender.ticks / (time.perf_counter() - start), contender.ticks / contender.cpu))


def one_per_core(seconds: float) -> dict[str, Any]:
    """As many processes as cores, each with a world of its own, at once."""
    context = multiprocessing.get_context("spawn")
    cores = os.cpu_count() or 1
    results = {}
    for size in SIZES:
        queue = context.Queue()
        workers = [context.Process(target=_worker, args=(size, seconds, 7 + k, queue)) for k in range(cores)]
        for worker in workers:
            worker.start()
        told = [queue.get() for _ in range(2 * cores)]
        for worker in workers:
            worker.join()
        rates = [entry for entry in told if entry != "ready"]
        results[f"{size[0]}x{size[1]}"] = {
            "ticks_per_wall_second_all_workers": round(sum(rate[0] for rate in rates), 1),
            "ticks_per_cpu_second_each": [round(rate[1], 1) for rate in rates],
        }
    return {"workers": cores, **results}


def memory() -> dict[str, float]:
    """Megabytes that each further world adds to the process, after 200 ticks."""

    def resident() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
        return pages * resource.getpagesize() / 2**20

    kept = [Voxel("outdoors", (128, 128), 1)]
    kept[0].play(200)
    before = resident()
    for seed in range(2, 6):
        kept.append(Voxel("outdoors", (128, 128), seed))
        kept[-1].play(200)
    return {"megabytes_per_world": round((resident() - before) / 4, 1)}


def resets(count: int = 12) -> dict[str, float]:
    """Seconds of CPU from reset to the first observation, over fresh seeds."""
    env = VoxelEnv(width=128, height=128)
    spent = []
    for seed in range(100, 100 + count):
        start = time.process_time()
        env.reset(seed=seed)
        spent.append(time.process_time() - start)
    return {"median_seconds": round(statistics.median(spent), 3), "most_seconds": round(max(spent), 3)}


FIRST_FRAME = (
    "import time; start = time.perf_counter()\n"
    "from jarvis.envs.voxel import VoxelEnv\n"
    "env = VoxelEnv(width=128, height=128); env.reset(seed=1)\n"
    "first = time.perf_counter() - start\n"
    "env.step({}); print(first, time.perf_counter() - start)"
)


def first_frame(cold: bool) -> dict[str, float]:
    """Wall seconds in a fresh process from import to the first frame, and to the end of the first tick."""

    def run(environment: dict[str, str]) -> list[float]:
        told = subprocess.run(
            [sys.executable, "-c", FIRST_FRAME],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return [float(value) for value in told.stdout.split()]

    run({})
    warm = sorted(run({}) for _ in range(3))[1]
    result = {"warm_first_frame_seconds": round(warm[0], 2), "warm_first_tick_seconds": round(warm[1], 2)}
    if cold:
        with tempfile.TemporaryDirectory() as folder:
            told = run({"NUMBA_CACHE_DIR": folder})
        result |= {"cold_first_frame_seconds": round(told[0], 1), "cold_first_tick_seconds": round(told[1], 1)}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="CPU seconds for each contender")
    parser.add_argument("--no-cold", action="store_true", help="leave out the run with an empty kernel cache")
    options = parser.parse_args()
    result = {
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "first_frame": first_frame(not options.no_cold),
        "reset": resets(),
        "memory": memory(),
        "one_core": side_by_side(options.seconds),
        "one_worker_per_core": one_per_core(options.seconds),
        "published": PUBLISHED,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
