"""How fast VPT's networks label and act: `python benchmarks/idm.py` prints JSON, a line a measurement.

    python benchmarks/idm.py                              # the 4x model and the policies, with random weights
    python benchmarks/idm.py --part label --frames 256    # only labelling
    python benchmarks/idm.py --size tiny --frames 200     # a check that everything runs

Labelling is compared, in the same run and on the same frames, with the straightforward way: one disjoint window of 128
frames after the other, float32, eager, the whole window in the CNN at once. Ours are windows every 64 frames, of which
the middle is kept. `agreement` is the share of heads (20 buttons, two camera axes) with the same argmax as ours has in
plain float32 on the same windows. A policy's step is one frame with 128 remembered, for one player, against the same
network eager in float32. Each variant runs in a process of its own, so that its peak memory is its own. Nothing else
should run meanwhile; where it does, compare CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

# NOTE: this file has the name of a package; the folder that Python puts first must not hide it.
sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]

VARIANTS = ("straightforward", "plain", "float32", "bfloat16", "compiled")


def flops_per_frame(config: Any, ticks: int = 128) -> float:
    """Two for each multiplication and addition of convolutions and matrix products."""
    from jarvis.vpt import IDMConfig

    size, total = config.image_size, 0.0
    inputs = 3
    if isinstance(config, IDMConfig):
        total += 2 * size**2 * 3 * config.conv_ticks * config.conv_channels
        inputs = config.conv_channels
    for width in config.channels:
        total += 2 * 9 * inputs * width * size**2
        size = (size - 1) // 2 + 1
        total += 4 * 2 * 9 * width * width * size**2
        inputs = width
    total += 2 * (inputs * size**2 * config.dense + config.dense * config.hidden)
    total += config.layers * (2 * config.hidden**2 * (4 + 2 * config.mlp_ratio) + 4 * ticks * config.hidden)
    heads = config.num_buttons * 2 + 2 * config.num_bins if isinstance(config, IDMConfig) else (
        config.num_buttons + config.num_camera
    )  # fmt: skip
    return total + 2 * config.hidden * heads


def configs(size: str) -> dict[str, Any]:
    from jarvis import vpt

    if size == "tiny":
        return {"idm": vpt.tiny_idm(), "policies": {"tiny": vpt.tiny()}}
    policies = {"1x": vpt.foundation_1x(), "2x": vpt.foundation_2x(), "3x": vpt.foundation_3x()}
    return {"idm": vpt.idm_4x(), "policies": policies}


def clip(frames: int) -> np.ndarray:
    """(frames, 128, 128, 3) uint8: a smooth picture that moves, which compresses to nothing but costs the same."""
    random = np.random.Generator(np.random.PCG64(0))
    coarse = random.integers(0, 256, (40, 40, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    places = np.clip(96 + random.integers(-4, 5, (frames, 2)).cumsum(0), 0, 192)
    return np.stack([coarse[row : row + 128, column : column + 128] for row, column in places])


class Clock:
    """Wall and CPU seconds of a block, with the device's work done."""

    def __init__(self, device: str) -> None:
        self.device = device

    def _now(self) -> tuple[float, float]:
        if self.device != "cpu":
            import torch

            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()

    def __enter__(self) -> Clock:
        self._start = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = (after - before for before, after in zip(self._start, self._now(), strict=True))


def matmul_peak(device: str, dtype: Any) -> float:
    """The best of several large matrix products, FLOP/s."""
    import torch

    size = 8192 if device != "cpu" else 2048
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = 0.0
    for _ in range(6):
        with Clock(device) as clock:
            a @ b
        best = max(best, 2 * size**3 / clock.wall)
    return best


def label(variant: str, size: str, device: str, frames: int, answers: Path) -> dict[str, Any]:
    """One way of labelling, measured in this process."""
    import torch

    from idm.labels import Labeler
    from jarvis.vpt import build, prepare

    config = configs(size)["idm"]
    network = build(config, seed=0).trainable(False)
    video = clip(frames)
    if variant == "straightforward":
        network = network.to(device)
        network.frames_per_chunk = 128
        with torch.inference_mode(), Clock(device) as clock:
            for start in range(0, frames, 128):
                output = network(video[None, start : start + 128])
                [logp.argmax(-1).cpu() for logp in output.values()]
        dtype = torch.float32
    else:
        if variant == "plain":  # ours, without any trick of arithmetic: what the others must agree with
            network = network.to(device)
        else:
            precision = "float32" if variant == "float32" else "bfloat16"
            network = prepare(network, device, precision, compiled=variant == "compiled")
        labeler = Labeler(network, device=device)
        chosen: dict[str, list[Any]] = {"buttons_logp": [], "camera_logp": []}
        heads = network.heads

        def watched(latent: Any) -> Any:
            output = heads(latent)
            for name, logp in output.items():
                chosen[name].append(logp.argmax(-1).flatten(0, 1).cpu().numpy())
            return output

        warm = Labeler(network, device=device).label(video[: 128 if variant == "compiled" else labeler.chunk])
        list(warm)
        network.heads = watched  # type: ignore[method-assign]
        with Clock(device) as clock:
            counted = sum(len(labels) for labels in labeler.label(video))
        assert counted == frames
        joined = np.concatenate([np.concatenate(chosen[name]) for name in chosen], axis=1)
        np.save(answers / f"{variant}.npy", joined, allow_pickle=False)
        dtype = torch.float32 if variant in ("plain", "float32") else torch.bfloat16
    if device == "cpu":
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    else:
        memory = torch.cuda.max_memory_allocated()
    work = flops_per_frame(config)
    peak = matmul_peak(device, dtype)
    return {
        "measure": "label",
        "variant": variant,
        "frames": frames,
        "frames_per_second": round(frames / clock.wall, 3),
        "cpu_seconds_per_frame": round(clock.cpu / frames, 4),
        "peak_gigabytes": round(memory / 1e9, 2),
        "gigaflop_per_frame": round(work / 1e9, 2),
        "matmul_peak_gigaflops": round(peak / 1e9, 1),
        # of the work that each frame needs once, whatever is computed twice
        "share_of_peak": round(work * frames / clock.wall / peak, 3),
    }


def step(name: str, variant: str, size: str, device: str, steps: int) -> dict[str, Any]:
    """One frame at a time through a policy."""
    import torch

    from jarvis.vpt import build, prepare

    config = configs(size)["policies"][name]
    policy = build(config, seed=0).trainable(False)
    policy = policy.to(device) if variant == "eager" else prepare(policy, device, variant)
    video, state, first = clip(steps), policy.initial_state(1), np.zeros((1, 1), bool)
    seconds, cpu = [], []
    with torch.inference_mode():
        for number in range(steps):
            with Clock(device) as clock:
                output, state = policy(video[None, number : number + 1], first, state)
                output["buttons_logp"].argmax(-1).item(), output["camera_logp"].argmax(-1).item()
            seconds.append(clock.wall)
            cpu.append(clock.cpu)
    half = steps // 2
    return {
        "measure": "step",
        "policy": name,
        "variant": variant,
        "milliseconds": round(1e3 * float(np.median(seconds[half:])), 2),
        "milliseconds_best": round(1e3 * min(seconds[half:]), 2),
        "cpu_milliseconds": round(1e3 * float(np.median(cpu[half:])), 2),
        "gigaflop": round(flops_per_frame(config) / 1e9, 2),
    }


def in_own_process(arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True)
    if done.returncode:
        return {"arguments": arguments, "error": done.stderr.strip().splitlines()[-1:]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    parser.add_argument("--device", default=None, help="cpu or cuda; a GPU if there is one")
    parser.add_argument("--frames", type=int, default=None, help="to label: 256 on a CPU, 4096 on a GPU")
    parser.add_argument("--steps", type=int, default=16, help="of each policy")
    parser.add_argument("--part", choices=("label", "step"), action="append", help="by default both")
    parser.add_argument("--variants", default=None, help="of labelling, with commas")
    parser.add_argument("--policies", default=None, help="with commas")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    import torch

    device = asked.device or ("cuda" if torch.cuda.is_available() else "cpu")
    frames = asked.frames or (256 if device == "cpu" else 4096)
    if asked.one:
        what, *rest = asked.one
        if what == "label":
            print(json.dumps(label(rest[0], asked.size, device, frames, Path(rest[1]))))
        else:
            print(json.dumps(step(rest[0], rest[1], asked.size, device, asked.steps)))
        return
    where = {"device": torch.cuda.get_device_name() if device != "cpu" else platform.processor() or platform.machine()}
    print(json.dumps({"machine": where, "threads": torch.get_num_threads(), "cores": os.cpu_count()}), flush=True)
    common = ["--size", asked.size, "--device", device, "--frames", str(frames), "--steps", str(asked.steps)]
    parts = asked.part or ["label", "step"]
    if "label" in parts:
        default = VARIANTS if device != "cpu" else VARIANTS[:-1]
        variants = asked.variants.split(",") if asked.variants else default
        with tempfile.TemporaryDirectory() as answers:
            found = {}
            for variant in variants:
                found[variant] = line = in_own_process([*common, "--one", "label", variant, answers])
                reference, own = Path(answers, "plain.npy"), Path(answers, f"{variant}.npy")
                if reference.exists() and own.exists():
                    line["agreement"] = round(float((np.load(reference) == np.load(own)).mean()), 5)
                base = found.get("straightforward", {}).get("frames_per_second")
                if base and "frames_per_second" in line:
                    line["speedup"] = round(line["frames_per_second"] / base, 2)
                print(json.dumps(line), flush=True)
    if "step" in parts:
        names = asked.policies.split(",") if asked.policies else list(configs(asked.size)["policies"])
        for name in names:
            base = None
            for variant in ("eager", "float32", "bfloat16"):
                line = in_own_process([*common, "--one", "step", name, variant])
                base = base or line.get("milliseconds")
                if base and "milliseconds" in line:
                    line["speedup"] = round(base / line["milliseconds"], 2)
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
