"""Recordings: what was played, as a video, the keys and the mouse of every frame, and what is known to be true.

    with RecordingWriter("out", "voxel-000000-00", 640, 360) as recording:
        recording.add(frame, action, seen, truth)           # the action taken on this frame
    played = Recording("out/voxel-000000-00").read()
    played.log.action(0), played.video.frames(), played.truth[0]

    NAME.mp4             h264, 20 frames a second; the mouse cursor is not drawn
    NAME.jsonl           one line a frame, in the contractors' format (contractor.py)
    NAME.truth.jsonl     one line a frame: {"tick", "events": [{"name", "item", "count"}], ...}, and the player's own
    NAME-options.json    what the recording is and how it was made, with the sizes of the three files; written last

Only the first two are needed: recordings of others have no truth. Frames and lines may differ in number by one, which
is told. More, damage, or a line that cannot be, and the recording is refused with the reason.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from data_pipelines.contractor import ContractorLines, ContractorLog, Seen, read_contractor
from data_pipelines.video import VideoInfo, VideoReader, VideoWriter, check_video, open_video
from jarvis.core.actions import Action
from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.events import Event
from jarvis.core.files import Pathlike, read_json, read_json_lines, write_json
from jarvis.core.segments import Segment
from jarvis.core.trajectories import Trajectory, VideoReference

__all__ = ["FORMAT_VERSION", "Played", "Recording", "RecordingWriter", "Scan", "find_recordings", "scan", "segments_of"]

FORMAT_VERSION = 1  # of the options file and the truth


@dataclass(frozen=True)
class Recording:
    """The files of one recording, by their common beginning: a path without ending."""

    stem: str

    @classmethod
    def of(cls, path: Pathlike) -> Recording:
        """From the path of any of its files, or the common beginning."""
        text = os.fspath(path)
        for ending in (".truth.jsonl", ".jsonl", ".mp4", "-options.json"):
            text = text.removesuffix(ending)
        return cls(text)

    def __fspath__(self) -> str:
        return self.stem

    @property
    def name(self) -> str:
        """The common beginning of the files' names."""
        return Path(self.stem).name

    @property
    def video(self) -> Path:
        """The pictures."""
        return Path(f"{self.stem}.mp4")

    @property
    def actions(self) -> Path:
        """The keys and the mouse."""
        return Path(f"{self.stem}.jsonl")

    @property
    def truth(self) -> Path:
        """What is known to be true. Only recordings of simulated worlds have it."""
        return Path(f"{self.stem}.truth.jsonl")

    @property
    def options(self) -> Path:
        """What the recording is."""
        return Path(f"{self.stem}-options.json")

    def facts(self) -> dict[str, Any] | None:
        """The options file, if there is a readable one."""
        try:
            facts = read_json(self.options)
        except (OSError, FormatError):
            return None
        return facts if isinstance(facts, dict) else None

    def is_finished(self) -> bool:
        """Whether the writer finished it and its files are still as long as they were."""
        facts = self.facts()
        if facts is None or facts.get("format_version") != FORMAT_VERSION:
            return False
        sizes = facts.get("bytes")
        try:
            return isinstance(sizes, dict) and sizes == {name: os.path.getsize(path) for name, path in self._parts()}
        except OSError:
            return False

    def _parts(self) -> list[tuple[str, Path]]:
        return [("mp4", self.video), ("jsonl", self.actions), ("truth", self.truth)]

    def remove(self) -> None:
        """Deletes its files, the one that says that it is finished first."""
        for path in (self.options, *(path for _, path in self._parts())):
            path.unlink(missing_ok=True)

    def read(self, *, decode: bool = False, **reading: Any) -> Played:
        """Reads everything but the pictures, and compares. EpisodeError with the reason if the files do not fit.

        decode: also decode the whole video, to find damage that the list of its frames does not show. reading: options
        of `read_contractor`.
        """
        missing = [path.name for path in (self.video, self.actions) if not path.is_file()]
        if missing:
            raise EpisodeError(f"{self.stem}: no {' and no '.join(missing)}")
        notes: list[str] = []
        try:
            with open_video(self.video) as video:
                info = video.info
            log = read_contractor(self.actions, **reading)
            if decode:
                status = check_video(self.video)
                if status.state != "ok":
                    raise EpisodeError(f"{self.video}: {status.state} after {status.frames} frames: {status.reason}")
            truth = _read_truth(self.truth) if self.truth.is_file() else None
        except EpisodeError:
            raise
        except FormatError as error:
            raise EpisodeError(str(error)) from None
        if log.cut:
            notes.append(f"the last line was cut off: {log.cut}")
        notes += info.notes
        counts = {"frames": info.num_frames, "lines": len(log)} | (
            {} if truth is None else {"lines of truth": len(truth)}
        )
        told = ", ".join(f"{count} {what}" for what, count in counts.items())
        least, most = min(counts.values()), max(counts.values())
        if most - least > 1:
            raise EpisodeError(f"{self.stem}: {told}, expected as many or one more or less")
        if most != least:
            notes.append(f"{told}: what goes beyond {least} is left out")
        return Played(self, info, log, least, truth, self.facts(), tuple(notes))


def _read_truth(path: Path) -> list[dict[str, Any]]:
    lines = read_json_lines(path)
    if lines.cut:
        raise EpisodeError(f"{path}: the last line was cut off: {lines.cut}")
    for number, line in zip(lines.numbers, lines, strict=True):
        if not isinstance(line, dict) or line.get("tick") != number - 1:
            raise EpisodeError(f"{path}: line {number}: expected an object with tick {number - 1}")
    return lines.values


@dataclass(frozen=True, eq=False)
class Played:
    """A recording that was read: `num_ticks` frames, and the action taken on each."""

    recording: Recording
    info: VideoInfo
    log: ContractorLog
    num_ticks: int
    truth: list[dict[str, Any]] | None  # one a line, if there is any
    facts: dict[str, Any] | None  # the options file
    notes: tuple[str, ...] = ()  # what was odd but is no reason to refuse it

    def open(self, decoder: str = "av") -> VideoReader:
        """The pictures."""
        return open_video(self.recording.video, decoder)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """What happened, by tick. Empty without truth."""
        return tuple(
            Event(line["tick"], event["name"], event["item"], event.get("count", 1))
            for line in (self.truth or [])[: self.num_ticks]
            for event in line.get("events", ())
        )

    def segments(self, *fields: str) -> list[Segment]:
        """The stretches in which the player's truth was the same in these fields; see `segments_of`."""
        return segments_of((self.truth or [])[: self.num_ticks], *(fields or ("coarse",)))

    def trajectory(self, source: str = "recorded") -> Trajectory:
        """All frames, and all actions but the last, whose outcome no frame shows. The frames stay in the file."""
        count = self.num_ticks
        if count < 2:
            raise EpisodeError(f"{self.recording.stem}: {count} frames, a trajectory needs two")
        return Trajectory(
            self.log.buttons[: count - 1],
            self.log.camera[: count - 1],
            source,
            video=VideoReference(str(self.recording.video), count),
            events=tuple(event for event in self.events if event.tick < count - 1),
        )


def segments_of(truth: Sequence[Mapping[str, Any]], *fields: str) -> list[Segment]:
    """Where the given fields of consecutive lines change: segments that cover all lines, criterion "truth".

    The skill is the first field's value; lines without it are segments without a skill.
    """
    segments: list[Segment] = []
    start = 0
    for values, lines in groupby(truth, key=lambda line: tuple(json.dumps(line.get(name)) for name in fields)):
        stop = start + sum(1 for _ in lines)
        skill = json.loads(values[0])
        segments.append(Segment(start, stop, skill if isinstance(skill, (str, int)) else None, "truth"))
        start = stop
    return segments


# writing


class RecordingWriter:
    """Writes one recording while it is played. Files take their names when all of them are whole, options last.

    If the block raises, or `discard` is called, no file appears. OSError if the disk is full.
    """

    def __init__(
        self,
        folder: Pathlike,
        name: str,
        width: int,
        height: int,
        *,
        crf: int = 20,
        preset: str = "superfast",
        server_tick: int = 0,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """server_tick: how old the world is at the first frame. facts: JSON values for the options file."""
        self.recording = Recording(str(Path(folder, name)))
        self.facts = dict(facts or {})
        self.ticks = 0
        self._lines = ContractorLines(server_tick)
        self._video = VideoWriter(self.recording.video, width, height, crf=crf, preset=preset)
        self._shape = {"width": width, "height": height, "crf": crf, "preset": preset, "server_tick": server_tick}
        self._temporary: dict[Path, Path] = {}
        self._files: list[IO[str]] = []
        try:
            self._actions = self._open(self.recording.actions)
            self._truth = self._open(self.recording.truth)
        except BaseException:
            self.discard()
            raise

    def _open(self, path: Path) -> IO[str]:
        self._temporary[path] = path.with_name(f".{self.recording.name}.{secrets.token_hex(6)}.tmp{path.suffix}")
        file = open(self._temporary[path], "x", encoding="utf-8")
        self._files.append(file)
        return file

    def add(
        self,
        frame: np.ndarray,
        action: Action,
        seen: Seen,
        truth: Mapping[str, Any] | None = None,
        slot: int | None = None,
    ) -> None:
        """One (height, width, 3) uint8 frame, the action taken on it, what it shows, and what is true.

        The camera must be whole mouse counts (contractor.quantise_camera). slot: of the hotbar after the action.
        """
        line = self._lines.line(action, seen, slot)  # refuses before anything is written
        self._video.write(frame)
        self._actions.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
        told = {"tick": self.ticks} | {name: value for name, value in (truth or {}).items() if name != "tick"}
        self._truth.write(json.dumps(told, separators=(",", ":"), allow_nan=False, default=_plain) + "\n")
        self.ticks += 1

    def finish(self) -> Recording:
        """Ends all files and gives them their names."""
        recording = self.recording
        try:
            for file in self._files:
                file.flush()
                os.fsync(file.fileno())
                file.close()
            self._video.finish()
            for path, temporary in self._temporary.items():
                os.replace(temporary, path)
            sizes = {name: os.path.getsize(path) for name, path in recording._parts()}
            options = {"format_version": FORMAT_VERSION, "name": recording.name, "frames": self.ticks, "fps": 20}
            write_json(recording.options, options | self._shape | self.facts | {"bytes": sizes})
        except BaseException:
            self.discard()
            raise
        return recording

    def discard(self) -> None:
        """Removes what was written."""
        self._video.discard()
        for file in self._files:
            with suppress(OSError):
                file.close()
        for temporary in self._temporary.values():
            temporary.unlink(missing_ok=True)

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"truth: {type(value).__name__} {value!r:.60}, expected JSON values")


# folders


@dataclass(frozen=True)
class Scan:
    """What a folder holds: recordings that can be used, and the others with the reason why not."""

    sound: list[Played] = field(default_factory=list)
    quarantined: dict[str, str] = field(default_factory=dict)  # name -> reason

    @property
    def ticks(self) -> int:
        """Of the sound ones."""
        return sum(played.num_ticks for played in self.sound)


def find_recordings(folder: Pathlike) -> list[Recording]:
    """Everything below a folder that has a video or actions, by name. Hidden files are passed over."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FormatError(f"{folder}: no such folder")
    stems = {
        Recording.of(path).stem
        for pattern in ("*.mp4", "*.jsonl")
        for path in folder.rglob(pattern)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts) and path.name not in _OTHER_FILES
    }
    return [Recording(stem) for stem in sorted(stems)]


_OTHER_FILES = {"quarantine.jsonl", "errors.jsonl", "results.jsonl", "metrics.jsonl"}


def scan(folder: Pathlike, *, decode: bool = False, **reading: Any) -> Scan:
    """Reads every recording below a folder (`Recording.read`); what is corrupt or does not fit is put aside."""
    found = Scan()
    for recording in find_recordings(folder):
        try:
            found.sound.append(recording.read(decode=decode, **reading))
        except (FormatError, OSError) as error:
            name = os.path.relpath(recording.stem, folder)
            found.quarantined[name] = str(error).removeprefix(f"{recording.stem}: ")
    return found
