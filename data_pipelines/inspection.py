"""What a folder of play holds, and what is wrong with it: recordings (recordings.py) or labelled clips (datasets.py).

    for item in examine("recordings/diamond", decode=True): print(item.name, item.ticks, item.reason)
    summary = summarise("recordings/diamond")        # hours, keys, mouse, skills, sources, in JSON values

An item whose `reason` is set is put aside: its video and its actions do not fit, or one of them is damaged.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.datasets import Dataset
from data_pipelines.recorder import TICKS_PER_HOUR
from data_pipelines.recordings import Recording, find_recordings
from data_pipelines.video import check_video
from jarvis.core.actions import BUTTONS
from jarvis.core.errors import FormatError
from jarvis.core.files import Pathlike, read_json_lines

__all__ = ["Examined", "examine", "is_dataset", "summarise"]


@dataclass(frozen=True, eq=False)
class Examined:
    """One recording or clip."""

    name: str
    ticks: int = 0
    reason: str | None = None  # why it cannot be used
    notes: tuple[str, ...] = ()  # what is odd but no reason to refuse it
    repairs: dict[str, int] = field(default_factory=dict)  # lines that reading mended, by kind
    size: tuple[int, int] = (0, 0)  # width and height of the video
    source: str = ""  # who says that these were the actions
    task: str = ""
    buttons: np.ndarray | None = None  # (n, 23) uint8
    camera: np.ndarray | None = None  # (n, 2) float32 degrees
    gui_open: int | None = None  # ticks with a screen open, if that is known
    skills: dict[str, int] = field(default_factory=dict)  # ticks by skill, if they are known


def is_dataset(path: Pathlike) -> bool:
    """Whether a folder holds labelled clips."""
    return Path(path, "dataset.json").is_file()


def examine(path: Pathlike, *, decode: bool = False) -> Iterator[Examined]:
    """Every recording below a folder, the one that a file belongs to, or every clip of a dataset, one after another.

    decode: also decode every video whole, which finds damage that its list of frames does not show. FormatError if
    there is nothing there.
    """
    if is_dataset(path):
        yield from _clips(Dataset.open(path), decode)
        return
    if Path(path).is_dir():
        found, above = find_recordings(path), path
    else:
        recording = Recording.of(path)
        found = [recording] if recording.video.exists() or recording.actions.exists() else []
        above = Path(recording.stem).parent
    if not found:
        raise FormatError(f"{path}: no recordings there, and no dataset; make some with: jarvis record")
    for recording in found:
        yield _recording(recording, os.path.relpath(recording.stem, above), decode)
    for line in _set_aside(Path(path)):
        yield Examined(f"episode {line.get('episode')}", reason=str(line.get("reason")))


def _set_aside(folder: Path) -> list[dict[str, Any]]:
    """The episodes that the recorder could not play."""
    path = folder / "quarantine.jsonl"
    return [line for line in read_json_lines(path) if isinstance(line, dict)] if path.is_file() else []


def _recording(recording: Recording, name: str, decode: bool) -> Examined:
    try:
        played = recording.read(decode=decode)
    except (FormatError, OSError) as error:
        return Examined(name, reason=str(error).removeprefix(f"{recording.stem}: "))
    count, log, facts = played.num_ticks, played.log, played.facts or {}
    skills: Counter[str] = Counter()
    for line in (played.truth or [])[:count]:
        if line.get("coarse"):
            skills[str(line["coarse"])] += 1
    task = facts.get("task")
    return Examined(
        name, count, None, played.notes, log.repairs, (played.info.width, played.info.height),
        str(facts.get("source") or facts.get("player") or "recorded"),
        str(task.get("name", "")) if isinstance(task, dict) else "",
        log.buttons[:count], log.camera[:count], int(log.gui_open[:count].sum()), dict(skills),
    )  # fmt: skip


def _clips(dataset: Dataset, decode: bool) -> Iterator[Examined]:
    for facts in dataset.clips():
        try:
            labels = dataset.read(facts.clip)
            video = dataset.video(facts)
            if not video.is_file():
                raise FormatError(f"its video is gone: {video}")
            if decode and (status := check_video(video)).state == "partial" and status.frames <= labels.frames[-1]:
                raise FormatError(f"{video}: {status.state} after {status.frames} frames: {status.reason}")
        except (FormatError, OSError) as error:
            yield Examined(facts.name, reason=str(error))
            continue
        skills: Counter[str] = Counter()
        for segment in facts.more.get("segments") or ():
            skills[str(segment.get("skill"))] += int(segment["stop"]) - int(segment["start"])
        yield Examined(
            facts.name, len(labels), None, facts.notes, {}, (facts.width, facts.height), facts.source, facts.task,
            labels.buttons, labels.camera, None, dict(skills),
        )  # fmt: skip
    for entry in dataset.quarantined().values():
        yield Examined(entry.clip, reason=entry.reason)


def summarise(items: Iterator[Examined]) -> dict[str, Any]:
    """JSON values: how much there is, who played what, the share of ticks in which each key was down, and turns."""
    ticks = sound = still = opened = 0
    pressed, presses = np.zeros(len(BUTTONS), np.int64), np.zeros(len(BUTTONS), np.int64)
    turned, known = np.zeros(2), 0
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("source", "task", "size", "skill", "repairs")}
    aside: dict[str, str] = {}
    for item in items:
        if item.reason is not None or item.buttons is None or item.camera is None:
            aside[item.name] = item.reason or "no actions"
            continue
        sound += 1
        ticks += item.ticks
        down = item.buttons != 0
        pressed += down.sum(0)
        presses += (down & ~np.vstack([np.zeros((1, len(BUTTONS)), np.bool_), down[:-1]])).sum(0)
        turned += np.abs(item.camera).sum(0)
        still += int((~down.any(1) & ~item.camera.any(1)).sum())
        if item.gui_open is not None:
            opened, known = opened + item.gui_open, known + item.ticks
        counts["source"][item.source] += item.ticks
        counts["size"]["{} x {}".format(*item.size)] += item.ticks
        if item.task:
            counts["task"][item.task] += item.ticks
        counts["skill"].update(item.skills)
        counts["repairs"].update(item.repairs)
    share = max(1, ticks)
    return {
        "items": sound,
        "quarantined": aside,
        "ticks": ticks,
        "hours": round(ticks / TICKS_PER_HOUR, 4),
        "keys": {name: round(int(pressed[k]) / share, 5) for k, name in enumerate(BUTTONS) if pressed[k]},
        "presses": {name: int(presses[k]) for k, name in enumerate(BUTTONS) if presses[k]},
        "turn": {axis: round(float(turned[k]) / share, 4) for k, axis in enumerate(("pitch", "yaw"))},
        "null": round(still / share, 5),
        "gui_open": round(opened / known, 5) if known else None,
        "ticks_by": {name: dict(counts[name].most_common()) for name in ("source", "task", "size", "skill")},
        "repairs": dict(counts["repairs"]),
    }
