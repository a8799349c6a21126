"""What is kept of an episode beside its line: a video, the actions, the events.

    000012.mp4              h264, 20 frames a second: the first picture and one after each tick
    000012.actions.jsonl    one MineRL action a line: `jarvis play --policy replay:FILE` plays it again
    000012.events.jsonl     one event a line (jarvis.core.events)
    000012.traceback.txt    only if an error ended the episode

Every file takes its name when it is whole; a tape that is discarded leaves nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.events import Event, write_events
from jarvis.core.files import atomic_write

__all__ = ["Tape", "VideoWriter"]

FPS = 20
# Small files that any browser plays, at a tenth of a millisecond a frame of 128 x 128.
ENCODER = {"crf": "26", "preset": "veryfast", "threads": "1"}


class VideoWriter:
    """An mp4 that grows under a hidden name. Frames of an odd size get one more row or column, the last one again."""

    def __init__(self, path: Path, fps: int = FPS) -> None:
        self.path, self.fps = path, fps
        self._temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
        self._container: Any = None

    def add(self, pov: np.ndarray) -> None:
        """One more picture, (height, width, 3) uint8; all have the size of the first."""
        import av

        if self._container is None:
            height, width = pov.shape[:2]
            self._pad = ((0, height % 2), (0, width % 2), (0, 0))
            self._container = av.open(str(self._temporary), "w", format="mp4", options={"movflags": "faststart"})
            self._stream = self._container.add_stream("libx264", rate=self.fps, options=ENCODER)
            self._stream.height, self._stream.width = height + height % 2, width + width % 2
            self._stream.pix_fmt = "yuv420p"
        if self._pad[0][1] or self._pad[1][1]:
            pov = np.pad(pov, self._pad, mode="edge")
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(pov, format="rgb24")))

    def finish(self) -> bool:
        """Gives the file its name; False if there never was a picture."""
        if self._container is None:
            return False
        container, self._container = self._container, None
        container.mux(self._stream.encode(None))
        container.close()
        os.replace(self._temporary, self.path)
        return True

    def discard(self) -> None:
        """Removes what is there."""
        if self._container is not None:
            container, self._container = self._container, None
            with suppress(Exception):  # it may be the encoder that failed
                container.close()
        with suppress(FileNotFoundError):
            self._temporary.unlink()


class Tape:
    """Everything that is kept of one episode."""

    def __init__(self, folder: Path, stem: str, video: bool = True) -> None:
        self.folder, self.stem = folder, stem
        self.actions: list[Any] = []
        self.events: list[Event] = []
        self._video = VideoWriter(folder / f"{stem}.mp4") if video else None

    def begin(self, pov: np.ndarray) -> None:
        """The first picture."""
        if self._video is not None:
            self._video.add(pov)

    def tick(self, action: Any, pov: np.ndarray, events: Iterable[Event]) -> None:
        """What was done, what there is to see afterwards, what happened."""
        self.actions.append(action)
        self.events.extend(events)
        if self._video is not None:
            self._video.add(pov)

    def finish(self, traceback: str | None = None) -> dict[str, str | None]:
        """Writes everything; returns the names of the files: video, actions, events."""
        names: dict[str, str | None] = {"video": None, "actions": None, "events": None}
        if self._video is not None and self._video.finish():
            names["video"] = self._video.path.name
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
