"""Labelled play to learn from and to cut: clips of a folder of recordings, or of a dataset of labelled videos.

    clips, aside = find_clips("recordings/")            # or a dataset; aside: {name: why it cannot be used}
    for chunk in clips[0].frames(128):                  # (ticks, 128, 128, 3) uint8, as a policy sees them
        ...

Ticks are the frames of the video; in a dataset of a faster video, those that are shown at 20 a second.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jarvis.core.errors import FormatError
from jarvis.core.events import Event
from jarvis.core.files import Pathlike
from jarvis.core.segments import Segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_pipelines.datasets import Dataset
    from data_pipelines.labels import ClipLabels
    from data_pipelines.recordings import Played
    from data_pipelines.video import VideoReader

__all__ = ["PlayClip", "dataset_clip", "find_clips", "recording_clip"]

CHUNK = 256  # frames in memory at once
TICKS_PER_SECOND = 20.0


@dataclass(frozen=True, eq=False)
class PlayClip:
    """n ticks of play: the actions, what is known of the screen, and where the pictures are."""

    name: str
    buttons: np.ndarray  # (n, 23) uint8
    camera: np.ndarray  # (n, 2) float32 degrees
    gui_open: np.ndarray  # (n,) bool; False where it is not known
    cursor: np.ndarray | None  # (n, 2) float32 pixels of a 1280 x 720 window; None: it is drawn already, or not known
    source: str  # of the actions
    events: tuple[Event, ...]
    numbers: np.ndarray  # (n,) int64: the video's frame of each tick
    open_video: Callable[[], AbstractContextManager[VideoReader]]
    truth: tuple[Segment, ...] = ()  # the player's own log, if there is one
    fps: float = TICKS_PER_SECOND

    def __len__(self) -> int:
        return len(self.buttons)

    def frames(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Chunks (ticks, size, size, 3) uint8 of the ticks [start, stop), with the cursor drawn into open screens."""
        from jarvis.vpt.pixels import resize

        stop = len(self) if stop is None else stop
        batch: list[np.ndarray] = []
        with self.open_video() as video:
            shown = video.chosen(self.numbers[start:stop].tolist())
            for tick, frame in zip(range(start, stop), shown, strict=True):
                if self.cursor is not None and self.gui_open[tick] and np.isfinite(self.cursor[tick]).all():
                    frame = _with_cursor(frame, *self.cursor[tick].tolist())
                batch.append(resize(frame, size))
                if len(batch) == CHUNK:
                    yield np.stack(batch)
                    batch = []
        if batch:
            yield np.stack(batch)


def _with_cursor(frame: np.ndarray, x: float, y: float) -> np.ndarray:
    """The frame with the arrow as large a part of it as 16 pixels are of 640 x 360. x, y: in a 1280 x 720 window.

    Pictures that are not 16:9 show the same view squeezed, so each axis has a scale of its own.
    """
    import cv2

    from jarvis.vpt.pixels import CURSOR_SIZE, arrow_cursor, draw_cursor

    height, width = frame.shape[:2]
    arrow = arrow_cursor()
    if (width, height) != (640, 360):
        shape = max(1, round(CURSOR_SIZE * width / 640)), max(1, round(CURSOR_SIZE * height / 360))
        arrow = cv2.resize(arrow, shape, interpolation=cv2.INTER_AREA)
    return draw_cursor(frame, int(x * width / 1280), int(y * height / 720), arrow)


def recording_clip(played: Played, source: str = "recorded", *, shortest_truth: int = 5) -> PlayClip:
    """A recording. True segments shorter than `shortest_truth` ticks belong to what follows them."""
    count = played.num_ticks
    truth = joined(played.segments(), shortest_truth) if played.truth else []
    return PlayClip(
        played.recording.name, played.log.buttons[:count], played.log.camera[:count], played.log.gui_open[:count],
        played.log.cursor[:count], source, played.events, np.arange(count), played.open, tuple(truth),
        float(played.info.rate),
    )  # fmt: skip


def joined(segments: Iterable[Segment], shortest: int) -> list[Segment]:
    """The segments without those shorter than `shortest`, whose ticks go to the next, or at the end to the last."""
    kept: list[Segment] = []
    begun: int | None = None
    for segment in segments:
        start = segment.start if begun is None else begun
        if len(segment) < shortest:
            begun = start
            continue
        begun = None
        if kept and kept[-1].skill == segment.skill and start == kept[-1].stop and start != segment.start:
            kept[-1] = Segment(kept[-1].start, segment.stop, segment.skill, segment.criterion)
        else:
            kept.append(Segment(start, segment.stop, segment.skill, segment.criterion))
    if begun is not None:
        stop = segment.stop
        last = kept.pop() if kept else Segment(begun, stop, segment.skill, segment.criterion)
        kept.append(Segment(last.start, stop, last.skill, last.criterion))
    return kept


def dataset_clip(dataset: Dataset, labels: ClipLabels) -> PlayClip:
    """A clip of a dataset. Whether screens were open is not known there."""
    count = len(labels)
    events = tuple(Event.from_json(event) for event in labels.facts.more.get("events", ()))
    return PlayClip(
        labels.facts.clip, labels.buttons, labels.camera, np.zeros(count, np.bool_), None, labels.facts.source, events,
        labels.frames, partial(dataset.open_video, labels),
    )  # fmt: skip


def find_clips(folder: Pathlike) -> tuple[list[PlayClip], dict[str, str]]:
    """The clips of a dataset or of a folder of recordings, by name, and what cannot be used with the reason why not."""
    if Path(folder, "dataset.json").is_file():
        from data_pipelines.datasets import Dataset

        dataset = Dataset.open(folder)
        clips, aside = [], {}
        for clip in sorted(dataset.done()):
            try:
                clips.append(dataset_clip(dataset, dataset.read(clip)))
            except (FormatError, OSError) as error:
                aside[clip] = str(error)
        return clips, aside
    from data_pipelines.recordings import find_recordings

    clips, aside = [], {}
    for recording in find_recordings(folder):
        if any(Path(parent, "segmenting.json").is_file() for parent in Path(recording.stem).parents[:2]):
            continue  # segments of these very recordings
        try:
            clips.append(recording_clip(recording.read()))
        except (FormatError, OSError) as error:
            aside[os.path.relpath(recording.stem, folder)] = str(error).removeprefix(f"{recording.stem}: ")
    if not clips and not aside:
        raise FormatError(f"{folder}: no recordings and no dataset in it; make some with: jarvis record --out {folder}")
    return clips, aside
