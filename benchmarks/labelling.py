"""What labelling at scale costs and survives. Prints JSON.

    python benchmarks/labelling.py kill --folder /tmp/kill         # 1,000 clips, 50 kills of the whole process group
    python benchmarks/labelling.py resume --folder /tmp/resume     # 10,000 labelled clips: seconds to the first new one
    python benchmarks/labelling.py memory --folder /tmp/memory     # two hours of video: growth of the resident memory

The model is a tiny one with random weights, so that what is measured is everything around it. A benchmark that was cut
short goes on where it stopped when it is started again with the same folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.clips import find_videos, identify
from data_pipelines.datasets import Dataset
from data_pipelines.engines import die_with_parent
from data_pipelines.labels import ClipFacts, ClipLabels
from data_pipelines.video import VideoWriter
from jarvis.core.files import append_json_line, read_json_lines
from jarvis.core.random_streams import generator

ROOT = Path(__file__).parents[1]


def tiny_model(folder: Path) -> Path:
    """A checkpoint folder of random weights."""
    if not (folder / "model").is_dir():
        from jarvis.vpt import build, tiny_idm, write_checkpoint

        config = replace(tiny_idm(), channels=(2, 4, 4), image_size=32, hidden=32, dense=32)
        write_checkpoint(folder / "model", build(config, 0), "random weights")
    return folder / "model"


def make_video(path: Path, frames: int, random: np.random.Generator, size: tuple[int, int] = (64, 48)) -> None:
    if path.is_file():
        return
    ground = random.integers(0, 200, (size[1], size[0], 3), np.uint8)
    with VideoWriter(path, *size, crf=30, preset="ultrafast") as out:
        for number in range(frames):
            frame = ground.copy()
            place = number * 3 % (size[0] - 8)
            frame[10:18, place : place + 8] = 255
            out.write(frame)


def start(videos: Path, model: Path, out: Path) -> subprocess.Popen[bytes]:
    command = ["label", videos, "--idm", model, "--out", out, "--device", "cpu"]
    return subprocess.Popen(
        [sys.executable, "-m", "jarvis", *map(str, command)], cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent,
    )  # fmt: skip


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in [*out.rglob("labels/*/*"), out / "clips.parquet"]}


def begun(out: Path) -> Counter[str]:
    log = out / "events.jsonl"
    lines = list(read_json_lines(log)) if log.is_file() else []
    return Counter(line["clip"] for line in lines if line["event"] == "begun")


def kill(folder: Path, clips: int = 1000, kills: int = 50, seed: int = 0) -> dict[str, Any]:
    """Kills of the whole group, half at any moment of the start and half while labelling, and what is left."""
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    for number in range(clips):
        make_video(folder / "clips" / f"{number:05d}.mp4", 6 + number % 30, generator(seed, "clip", number))
    model, whole, out, log = tiny_model(folder), folder / "whole", folder / "killed", folder / "kills.jsonl"
    if not (whole / "clips.parquet").is_file():
        assert start(folder / "clips", model, whole).wait() == 0
    stamps = [json.loads(line) for line in (whole / "events.jsonl").read_text().splitlines()]
    rate = clips / max(1e-3, stamps[-1]["time"] - stamps[0]["time"])  # clips a second, undisturbed
    done = [*read_json_lines(log)] if log.is_file() else []
    while True:
        number = len(done)
        random = generator(seed, "kill", number)
        before = Dataset.open(out).done() if out.is_dir() and (out / "dataset.json").is_file() else set()
        begins = sum(begun(out).values())
        since = time.monotonic()
        run = start(folder / "clips", model, out)
        if number < kills:
            if number % 2:
                time.sleep(random.uniform(0, 1) * done[-1]["first"] if done else 1.0)
                first = done[-1]["first"]
            else:
                while run.poll() is None and sum(begun(out).values()) == begins:
                    time.sleep(0.02)
                first = time.monotonic() - since
                time.sleep(random.uniform(0, 4) * (clips - len(before)) / max(1, kills - number) / rate)
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
        code = run.wait()
        if code != -signal.SIGKILL:
            break
        entry = {"kill": number, "first": round(first, 2), "after": round(time.monotonic() - since, 2)}
        append_json_line(
            log, entry | {"labelled": len(Dataset.open(out).done()) if (out / "dataset.json").is_file() else 0}
        )
        done.append(entry)
    again = sum(count - 1 for count in begun(out).values())
    dataset = Dataset.open(out)
    return {
        "clips": clips,
        "kills": len(done),
        "exit_code": code,
        "labelled": len(dataset.done()),
        "readable": sum(dataset.read(facts.clip).facts == facts for facts in dataset.clips()),
        "equal_bytes": contents(out) == contents(whole),
        "begun_again": again,
        "begun_again_share": again / clips,
    }


def resume(folder: Path, clips: int = 10_000, seed: int = 0) -> dict[str, Any]:
    """Seconds from the start of the program to its first new label, with so many clips labelled before."""
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    model, out = tiny_model(folder), folder / "out"
    make_video(folder / "clips" / "new.mp4", 20, generator(seed, "new"))
    if not out.is_dir():
        assert start(folder / "clips" / "new.mp4", model, out).wait() == 0
    dataset = Dataset.open(out)
    content = (folder / "clips" / "new.mp4").read_bytes()
    for number in range(clips):
        path = folder / "clips" / f"{number:05d}.mp4"
        if not path.is_file():
            path.write_bytes(content + b"%d" % number)
    every, _ = identify(find_videos([folder / "clips"]))
    facts = ClipFacts("0", "x", "x", "idm", 20, 20)
    labels = ClipLabels(facts, np.arange(20), np.zeros((20, 23), np.uint8), np.zeros((20, 2), np.float32))
    template = dataset.write(labels)
    (new,) = (clip for clip in every if clip.name == "new")
    for clip in every:
        path = dataset.path(clip.id)
        path.parent.mkdir(exist_ok=True)
        if clip is not new and not path.is_file():
            shutil.copyfile(template, path)
    template.unlink()
    dataset.remember({clip.print: clip.id for clip in every})
    from jarvis.app import labelling

    wall, cpu = [], []

    class Reached(Exception):  # noqa: N818
        """The first new clip would be handed to a worker now."""

    def reached(*_: Any, **__: Any) -> None:
        wall.append(round(time.perf_counter() - began, 2))
        cpu.append(round(time.process_time() - used, 2))
        raise Reached

    labelling.make_engine = reached
    for _ in range(5):
        dataset.path(new.id).unlink(missing_ok=True)
        began, used = time.perf_counter(), time.process_time()
        with suppress(Reached):
            labelling.label([folder / "clips"], labelling.LabelRequest(str(out), str(model)))
    return {"clips": clips, "seconds_to_the_first_new_clip": wall, "cpu_seconds": cpu}


def tree_bytes(pid: int) -> dict[int, int]:
    """Resident bytes of a process and all below it, by process."""
    sizes: dict[int, int] = {}
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            status = Path(f"/proc/{one}/status").read_text()
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
            sizes[one] = int(status.split("VmRSS:")[1].split()[0]) << 10
        except (OSError, IndexError):
            continue
    return sizes


def memory(folder: Path, hours: float = 2.0, seed: int = 0) -> dict[str, Any]:
    """Resident memory of all processes while one long video is labelled."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = int(hours * 72_000)
    make_video(folder / "long.mp4", frames, generator(seed, "long"))
    model, out = tiny_model(folder), folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    samples: list[int] = []
    run = start(folder / "long.mp4", model, out)
    began = time.monotonic()
    while run.poll() is None:
        time.sleep(1.0)
        if begun(out):
            samples.append(sum(tree_bytes(run.pid).values()))
    first = min(len(samples) // 20 + 5, len(samples) - 1)  # by then everything is loaded
    peak = max(samples[first:])
    return {
        "frames": frames,
        "exit_code": run.returncode,
        "seconds": round(time.monotonic() - began, 1),
        "settled_mb": round(samples[first] / 1e6, 1),
        "peak_mb": round(peak / 1e6, 1),
        "growth_mb": round((peak - samples[first]) / 1e6, 1),
        "peak_at": round(samples.index(peak) / len(samples), 3),
        "peak_before_mb": round(max(samples[:first]) / 1e6, 1),
        "every_tenth_mb": [round(samples[len(samples) * part // 10] / 1e6, 1) for part in range(10)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kill", "resume", "memory"))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--clips", type=int)
    parser.add_argument("--kills", type=int)
    parser.add_argument("--hours", type=float)
    options = vars(parser.parse_args())
    what, folder = options.pop("what"), options.pop("folder")
    asked = {name: value for name, value in options.items() if value is not None}
    print(json.dumps(globals()[what](folder, **asked)))


if __name__ == "__main__":
    main()
