"""Labelled clips as OpenAI's contractors recorded theirs, for the tools that read those: VPT, STEVE-1, MineStudio.

    NAME.mp4      20 frames a second; copied if the clip's own file is like that, else encoded again
    NAME.jsonl    one line a frame: contractor_text(labels)
    index.json    {"basedir": "", "relpaths": ["NAME.mp4", ...]}

What only the game knows (open screens, position, inventory) is not known from labels and stands at its default. Turns
are rounded to whole mouse counts of 0.15 degrees.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np

from data_pipelines.clips import clip_id
from data_pipelines.contractor import ContractorLines, Seen, quantise_camera
from data_pipelines.datasets import Dataset
from data_pipelines.exchange import Exchange
from data_pipelines.labels import ClipFacts, ClipLabels
from data_pipelines.recordings import Played, find_recordings
from data_pipelines.video import TICK_RATE, VideoInfo, VideoWriter
from jarvis.core.actions import CAMERA_LIMIT, Action
from jarvis.core.errors import FormatError
from jarvis.core.files import write_json

__all__ = ["contractor_text", "file_names", "is_even", "read", "write", "write_video"]


def contractor_text(labels: ClipLabels, by_frame: bool = True) -> str:
    """The lines of a clip, one for each of its frames, or else one for each tick."""
    buttons, camera = labels.by_frame() if by_frame else (labels.buttons, labels.camera)
    camera = quantise_camera(np.clip(camera, -CAMERA_LIMIT, CAMERA_LIMIT))
    lines, seen = ContractorLines(), Seen()
    told = (lines.line(Action(pressed, turned), seen) for pressed, turned in zip(buttons, camera, strict=True))
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in told)


def file_names(dataset: Dataset) -> dict[str, str]:
    """A name for the files of each clip: its own, with its identity behind it where several have the same."""
    plain = {
        facts.clip: "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in facts.name) or "clip"
        for facts in dataset.clips()
    }
    shared = Counter(plain.values())
    return {clip: name if shared[name] == 1 else f"{name}-{clip}" for clip, name in plain.items()}


def is_even(info: VideoInfo) -> bool:
    """Whether the frames of a video are 1 / 20 s apart, to a tenth of a millisecond."""
    return bool(np.abs(info.times - np.arange(info.num_frames) / TICK_RATE).max() < 1e-4)


def write_video(dataset: Dataset, labels: ClipLabels, path: Path, size: tuple[int, int] | None = None) -> VideoInfo:
    """Writes the pictures of a clip's ticks, 20 a second, as h264 in mp4, and returns what the clip's own file is like.

    The file is copied as it is where nothing is to be changed, so that its frames stay exactly what they were. size:
    (width, height) of the pictures, by default the file's own.
    """
    with dataset.open_video(labels) as video:
        info = video.info
        size = size or (info.width, info.height)
        every = len(labels) == info.num_frames and (labels.frames == np.arange(info.num_frames)).all()
        alike = info.codec == "h264" and not info.hidden and size == (info.width, info.height) and is_even(info)
        if every and alike and Path(info.path).suffix.lower() == ".mp4" and not info.rotation:
            shutil.copyfile(info.path, path)
            return info
        with VideoWriter(path, *size, crf=18) as out:
            for frame in video.chosen(labels.frames, size=size):
                out.write(frame)
        return info


def write(dataset: Dataset, out: Path, exchange: Exchange) -> None:
    """A folder of recordings."""
    names = file_names(dataset)
    kept = []
    for clip, name in names.items():
        try:
            labels = dataset.read(clip)
            write_video(dataset, labels, out / f"{name}.mp4")
        except FormatError as error:
            (out / f"{name}.mp4").unlink(missing_ok=True)
            exchange.leave(name, str(error))
            continue
        (out / f"{name}.jsonl").write_text(contractor_text(labels, by_frame=False))
        kept.append(f"{name}.mp4")
        exchange.took(name, len(labels))
    write_json(out / "index.json", {"basedir": "", "relpaths": kept})


def read(source: Path, dataset: Dataset, exchange: Exchange) -> None:
    """A folder of recordings; the videos stay where they are."""
    found = find_recordings(source)
    if not found:
        raise FormatError(f"{source}: no recordings in it, expected NAME.mp4 and NAME.jsonl")
    for recording in found:
        try:
            played = recording.read()
            labels = _labels(played)
            dataset.write(labels)
        except FormatError as error:
            exchange.leave(recording.name, str(error))
            continue
        exchange.notes += [f"{recording.name}: {note}" for note in played.notes]
        exchange.took(recording.name, len(labels))


def _labels(played: Played) -> ClipLabels:
    count, log, info = played.num_ticks, played.log, played.info
    facts = played.facts or {}
    task = facts.get("task")
    player = facts.get("player")
    told = ClipFacts(
        clip_id(played.recording.video), played.recording.name, str(played.recording.video.absolute()),
        player if player in ("scripted", "human") else "recorded", count, count,
        width=info.width, height=info.height, rate=round(float(info.rate), 4), notes=played.notes,
        task=str(task.get("name", "")) if isinstance(task, dict) else "", more={"repairs": dict(log.repairs)},
    )  # fmt: skip
    columns = {
        "gui_open": log.gui_open[:count],
        "cursor.x": log.cursor[:count, 0],
        "cursor.y": log.cursor[:count, 1],
        "hotbar": log.hotbar[:count],
    }
    return ClipLabels(told, np.arange(count), log.buttons[:count], log.camera[:count], columns=columns)
