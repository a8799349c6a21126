"""What is kept of an episode beside its line: a video, the actions, the events.

    000012.mp4              h264, 20 frames a second: the first picture and one after each tick
    000012.actions.jsonl    one MineRL action a line: `jarvis play --policy replay:FILE` plays it again
    000012.events.jsonl     one event a line (jarvis.core.events)
    000012.traceback.txt    only if an error ended the episode

Every file takes its name when it is whole; a tape that is discarded leaves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.video import VideoWriter
from jarvis.core.actions import Action
from jarvis.core.events import Event, write_events
from jarvis.core.files import atomic_write

__all__ = ["Tape"]

# Small files that any browser plays. Slower presets halve them, and double what a video costs beside a tick of play.
CRF, PRESET = 26, "superfast"


class Tape:
    """Everything that is kept of one episode."""

    def __init__(self, folder: Path, stem: str, video: bool = True) -> None:
        self.folder, self.stem = folder, stem
        self.actions: list[Any] = []
        self.events: list[Event] = []
        self._filmed = video
        self._video: VideoWriter | None = None

    def begin(self, pov: np.ndarray) -> None:
        """The first picture."""
        if self._filmed:
            height, width = pov.shape[:2]
            self._video = VideoWriter(self.folder / f"{self.stem}.mp4", width, height, crf=CRF, preset=PRESET)
            self._video.write(pov)

    def tick(self, action: Any, pov: np.ndarray, events: Iterable[Event]) -> None:
        """What was done, what there is to see afterwards, what happened."""
        self.actions.append(action)
        self.events.extend(events)
        if self._video is not None:
            self._video.write(pov)

    def finish(self, traceback: str | None = None) -> dict[str, str | None]:
        """Writes everything; returns the names of the files: video, actions, events."""
        names: dict[str, str | None] = {"video": None, "actions": None, "events": None}
        if self._video is not None:
            names["video"] = self._video.finish().name
        if self.actions:
            names["actions"], names["events"] = f"{self.stem}.actions.jsonl", f"{self.stem}.events.jsonl"
            lines = [json.dumps(action_json(action), separators=(",", ":")) for action in self.actions]
            atomic_write(self.folder / f"{self.stem}.actions.jsonl", "\n".join(lines) + "\n")
            write_events(self.folder / f"{self.stem}.events.jsonl", self.events)
        if traceback:
            atomic_write(self.folder / f"{self.stem}.traceback.txt", traceback)
        return names

    def discard(self) -> None:
        """Forgets everything."""
        self.actions, self.events = [], []
        if self._video is not None:
            self._video.discard()


def action_json(action: Any) -> Any:
    """An action as JSON values: MineRL's dictionary, or the name or number that another game has."""
    if not isinstance(action, Action):
        return action if isinstance(action, str) else int(action)
    mapping = action.to_env()
    mapping["camera"] = mapping["camera"].tolist()  # float32 as float64 digits: read back exactly
    return mapping
