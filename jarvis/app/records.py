"""The folder that `jarvis play` writes, and the sinks that write into it.

    results.jsonl                one line an episode: task, seed, policy, success, ticks, milestones {name: tick}, ...
    config.json                  everything that was asked for; its hash is in each line
    episode_000.mp4              h264, 20 frames a second: the first picture and one after each tick
    episode_000.actions.jsonl    one MineRL action a line: what `--policy replay:FILE` plays again
    episode_000.events.jsonl     one event a line (jarvis.core.events)
    episode_000.traceback.txt    only if a policy's error ended the episode
    done                         empty, written last

Every file takes its name when it is whole. An unfinished folder is carried on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import jarvis
from data_pipelines.video import VideoWriter
from jarvis.app.playing import Beginning, Outcome, Sink, Tick
from jarvis.core.events import Event, write_events
from jarvis.core.files import DONE, append_json_line, atomic_write, is_done, read_json_lines, write_json

__all__ = ["ActionFile", "EventFile", "RunFolder", "VideoFile", "config_hash", "versions"]

FPS = 20
_WAY_OUT = "choose another --out, or add --overwrite"
_OURS = ("results.jsonl", "config.json", DONE, "episode_*.mp4", "episode_*.jsonl", "episode_*.txt", ".episode_*.tmp*")


class _GrowingFile(Sink):
    """A file that grows while playing, under a hidden name until it is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")

    def finish(self, keep: bool) -> None:
        """Gives the file its name, or removes it."""
        if not self.temporary.exists():
            return
        if keep:
            with open(self.temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(self.temporary, self.path)
        else:
            self.temporary.unlink()


class VideoFile(Sink):
    """h264 in mp4, encoded while playing. Frames of an odd size get one more row or column, the last one again."""

    def __init__(self, path: Path, fps: int = FPS) -> None:
        self.path, self.fps = path, fps
        self._video: VideoWriter | None = None

    def begin(self, beginning: Beginning) -> None:
        """Opens the video with the first picture."""
        pov = beginning.observation.pov
        # crf 26: to be looked at, not learnt from; 20 takes twice the room
        self._video = VideoWriter(self.path, pov.shape[1], pov.shape[0], fps=self.fps, crf=26)
        self._video.write(pov)

    def tick(self, tick: Tick) -> None:
        """One more frame."""
        assert self._video is not None
        self._video.write(tick.observation.pov)

    def end(self, outcome: Outcome | None) -> None:
        """Closes the video."""
        video, self._video = self._video, None
        if video is not None and outcome is not None:
            video.finish()
        elif video is not None:
            video.discard()


class ActionFile(_GrowingFile):
    """One MineRL action a line."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: IO[str] | None = None

    def begin(self, beginning: Beginning) -> None:
        """Opens the file."""
        self._file = open(self.temporary, "w", encoding="utf-8")  # closed in `end`

    def tick(self, tick: Tick) -> None:
        """One more line."""
        assert self._file is not None
        mapping = tick.action.to_env()
        mapping["camera"] = mapping["camera"].tolist()  # float32 as float64 digits: read back exactly
        self._file.write(json.dumps(mapping, separators=(",", ":")) + "\n")

    def end(self, outcome: Outcome | None) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self.finish(keep=outcome is not None)


class EventFile(Sink):
    """The events, written at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._events: list[Event] | None = None

    def begin(self, beginning: Beginning) -> None:
        """Starts with none."""
        self._events = []

    def tick(self, tick: Tick) -> None:
        """Keeps those of the tick."""
        assert self._events is not None
        self._events.extend(tick.events)

    def end(self, outcome: Outcome | None) -> None:
        """Writes the file."""
        if outcome is not None and self._events is not None:
            write_events(self.path, self._events)


def config_hash(config: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of what was asked for, whatever the order of its keys."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def versions() -> dict[str, str]:
    """What a result depends on: this package, Python, and the packages that draw and count."""
    found = {"jarvis": jarvis.__version__, "python": platform.python_version()}
    for package in ("numpy", "numba", "av"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


class RunFolder:
    """The folder of one run. Raises FileExistsError if it is finished, or holds another run or anything else.

    run = RunFolder("runs/first", config)
    for number in range(episodes):
        if number in run.lines:
            continue                      # played before the run was cut short
        outcome = play_episode(env, policy, task, seed, run.sinks(number))
        run.record(number, outcome, facts)
    run.finish()
    """

    def __init__(self, path: str | Path, config: Mapping[str, Any], overwrite: bool = False) -> None:
        self.path = Path(path)
        self.config_hash = config_hash(config)
        self.lines: dict[int, dict[str, Any]] = {}  # by episode
        self.path.mkdir(parents=True, exist_ok=True)
        if overwrite:
            self._clear()
        elif is_done(self.path):
            raise FileExistsError(f"{self.path} is already finished; {_WAY_OUT}")
        elif any(self.path.iterdir()):
            self._carry_on()
        write_json(self.path / "config.json", dict(config))

    def _clear(self) -> None:
        """Removes what a run writes, and nothing else; `done` first."""
        for pattern in (DONE, *_OURS):
            for path in self.path.glob(pattern):
                path.unlink()

    def _carry_on(self) -> None:
        results = self.path / "results.jsonl"
        config = self.path / "config.json"
        if not config.is_file():
            raise FileExistsError(f"{self.path} is not empty; {_WAY_OUT}")
        if config_hash(json.loads(config.read_text())) != self.config_hash:
            raise FileExistsError(f"{self.path} holds another, unfinished run; {_WAY_OUT}")
        lines = list(read_json_lines(results)) if results.is_file() else []
        complete = [line for line in lines if line["aborted"] != "interrupted"]
        self.lines = {line["episode"]: line for line in complete}
        atomic_write(results, "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in complete))

    def episode(self, number: int, ending: str) -> Path:
        """The path of a file of an episode: `run.episode(0, "mp4")`."""
        return self.path / f"episode_{number:03d}.{ending}"

    def sinks(self, number: int) -> list[Sink]:
        """Writers of the video, the actions and the events of an episode."""
        return [
            VideoFile(self.episode(number, "mp4")),
            ActionFile(self.episode(number, "actions.jsonl")),
            EventFile(self.episode(number, "events.jsonl")),
        ]

    def record(self, number: int, outcome: Outcome, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Appends the episode's line to results.jsonl and returns it."""
        if outcome.traceback:
            atomic_write(self.episode(number, "traceback.txt"), outcome.traceback)

        def written(ending: str) -> str | None:
            path = self.episode(number, ending)
            return path.name if path.is_file() else None

        line = {
            "episode": number,
            **facts,
            "success": outcome.success,
            "ticks": outcome.ticks,
            "milestones": outcome.milestones,
            "aborted": outcome.aborted,
            "events": written("events.jsonl"),
            "actions": written("actions.jsonl"),
            "video": written("mp4"),
            "seconds": round(outcome.seconds, 3),
            "versions": versions(),
            "config_hash": self.config_hash,
        }
        append_json_line(self.path / "results.jsonl", line)
        self.lines[number] = line
        return line

    def finish(self) -> None:
        """Marks the folder as finished."""
        atomic_write(self.path / DONE, b"")
