"""Stages that bring play and labels: download, record, import, label, name, export."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from data_pipelines.datasets import Dataset
from jarvis.app.pipelines.looks import dataset_shows, recording_shows
from jarvis.app.pipelines.stages import PATH, SPEC, Result, Stage, Work
from jarvis.core.actions import BUTTONS
from jarvis.core.errors import FormatError, UnknownNameError, nearest_names
from jarvis.core.events import Event
from jarvis.core.files import atomic_write, is_done, read_json, read_json_lines
from jarvis.core.segments import Segment

__all__ = ["Download", "Export", "Import", "Label", "Name", "Record", "linked", "play_time"]

RECORDINGS = ("**/*.mp4", "**/*.jsonl", "**/*-options.json")
LABELS = ("dataset.json", "labels/**/*.parquet", "videos/**/*")
TICKS_PER_SECOND = 20


def play_time(ticks: float) -> str:
    """Ticks as people say them: "1,234 ticks (1:02 of play)"."""
    seconds = round(ticks / TICKS_PER_SECOND)
    hours, rest = divmod(seconds, 3600)
    clock = f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
    return f"{ticks:,.0f} ticks ({clock} of play)"


@dataclass(frozen=True)
class Download(Stage):
    """Recordings of an index, from allowed hosts."""

    made: ClassVar = RECORDINGS
    free: ClassVar = ("connections", "timeout", "attempts", "backoff")

    index: str = ""  # a name such as 10.x, an address, or a file
    pairs: int | None = None  # how many recordings; None: all
    drawn: bool = True  # by the seed; else in the list's order
    base: str | None = None  # where the files are; None: as the index says
    hosts: tuple[str, ...] = ()  # allowed ones besides OpenAI's
    checksums: str | None = None
    connections: int = 4
    attempts: int = 4
    timeout: float = 30.0
    backoff: float = 1.0

    def check(self) -> None:
        """Whether there is such an index, and whether its host is allowed."""
        from data_pipelines.download import INDEXES, Line

        address = INDEXES.get(self.index, self.index)
        if "://" in address:
            Line(self._config()).check(address)
        elif not Path(address).is_file():
            raise UnknownNameError("index", self.index, nearest_names(self.index, INDEXES) or tuple(INDEXES))

    def _config(self) -> Any:
        from data_pipelines.download import HOSTS, DownloadConfig

        return DownloadConfig(
            self.pairs, self.drawn, self.seed, self.base, (*HOSTS, *self.hosts), self.connections, self.attempts,
            self.timeout, self.backoff, checksums=self.checksums,
        )  # fmt: skip

    def run(self, work: Work) -> Result:
        """`data_pipelines.download`."""
        from data_pipelines.download import download

        _link_older(work, RECORDINGS)
        report = download(self.index, work.folder, self._config(), retry=work.retry, say=work.say)
        asked = len(report.pairs) + len(report.missing) + len(report.failed)
        return Result(
            f"{asked} recordings asked for",
            f"{len(report.pairs)} recordings, {len(report.missing)} do not exist",
            {
                "recordings": len(report.pairs), "missing": len(report.missing), "failed": len(report.failed),
                "missing share": round(len(report.missing) / max(1, asked), 4), "bytes fetched": report.bytes,
            },
            dict(report.failed),
            shows=recording_shows(work.folder),
        )  # fmt: skip


@dataclass(frozen=True)
class Record(Stage):
    """Somebody plays, and video, keys and mouse are kept: jarvis record."""

    made: ClassVar = RECORDINGS

    player: str = "scripted"
    task: tuple[str, ...] = ("craft_diamond",)
    episodes: int | None = None
    hours: float | None = None
    env: str = "voxel"
    habits: str = "human"
    max_ticks: int | None = None
    width: int = 640
    height: int = 360
    vary: bool = False
    workers: int | None = None
    env_options: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Whether the tasks exist, and how much is asked for."""
        from jarvis.app.recording import recorded_tasks
        from jarvis.app.settings import SettingsError

        recorded_tasks(self.task, self.max_ticks)
        if (self.hours is None) == (self.episodes is None):
            raise SettingsError("give either hours or episodes")

    def run(self, work: Work) -> Result:
        """`jarvis.app.recording`."""
        from jarvis.app.recording import RecordConfig, start

        asked = RecordConfig(
            work.folder, self.env, self.player, self.task, self.hours, self.episodes, self.seed, self.workers,
            self.max_ticks, self.width, self.height, self.vary, habits=self.habits, env_options=self.env_options,
        )  # fmt: skip
        report = start(asked, work.say)
        return Result(
            f"{self.player} plays {', '.join(self.task)}",
            f"{report.episodes} episodes, {play_time(report.ticks)}",
            {"episodes": report.episodes, "recordings": len(report.recordings), "ticks": report.ticks},
            {f"episode {episode}": reason for episode, reason in report.quarantined.items()},
            shows=recording_shows(work.folder),
        )


@dataclass(frozen=True)
class Import(Stage):
    """What others recorded or labelled becomes a dataset: jarvis data import."""

    inputs: ClassVar = {"play": PATH}
    made: ClassVar = LABELS
    refers: ClassVar = True

    play: str = ""
    format: str = "vpt"  # or lerobot, minestudio, webdataset
    events: bool = True  # of recordings: what the statistics of their lines tell, so that segments get names

    def check(self) -> None:
        """Whether there is such a format."""
        from data_pipelines.exchange import FORMATS

        if self.format not in FORMATS:
            raise UnknownNameError("format", self.format, nearest_names(self.format, FORMATS))

    def run(self, work: Work) -> Result:
        """`data_pipelines.exchange`."""
        from data_pipelines.exchange import import_from

        done = import_from(self.format, self.play, work.folder, work.say)
        if not done.clips:
            reason = next(iter(done.left_out.values()), "nothing is in it")
            raise FormatError(f"{self.play}: nothing could be imported: {reason}")
        counted = self._events(Dataset.open(work.folder)) if self.events and self.format == "vpt" else 0
        return Result(
            f"{done.clips + len(done.left_out)} recordings",
            f"{done.clips} clips, {play_time(done.ticks)}",
            {"clips": done.clips, "ticks": done.ticks, "left out": len(done.left_out), "events": counted},
            dict(done.left_out),
            charts=[_hands(work.folder)],
            shows=dataset_shows(work.folder),
        )

    def _events(self, dataset: Dataset) -> int:
        counted = 0
        for facts in map(dataset.facts, sorted(dataset.done())):  # the list may be older than the labels
            lines = Path(facts.video).with_suffix(".jsonl")
            events = [event for event in statistics_events(lines) if event.tick < facts.num_ticks]
            counted += len(events)
            if facts.more.get("events") is None:
                dataset.annotate(facts.clip, events=[event.to_json() for event in events])
        dataset.write_index()  # it holds what was annotated, too
        return counted


_STATISTICS = {
    "mined": "mine_block", "crafted": "craft_item", "used": "use_item", "broken": "break_item", "dropped": "drop",
    "picked_up": "pickup", "killed": "kill_entity",
}  # fmt: skip


def statistics_events(path: Path) -> Iterator[Event]:
    """What happened at each tick of a contractor's recording, from the totals in its lines.

    The totals of line i are those that frame i shows: what is more in the next one is the work of tick i. Both the
    game's names (minecraft.mined:minecraft.stone) and MineRL's (mine_block) are known; `custom` counters are no events.
    """
    before: dict[str, int] | None = None
    for tick, line in enumerate(read_json_lines(path)):
        found = line.get("stats") if isinstance(line, dict) else None
        totals = found if isinstance(found, dict) else {}
        if before is not None:
            for name, total in totals.items():
                more = total - before.get(name, 0) if isinstance(total, int) else 0
                kind, _, item = name.partition(":")
                kind = kind.removeprefix("minecraft.")
                kind = _STATISTICS.get(kind, kind)
                if more > 0 and kind in _STATISTICS.values() and item:
                    yield Event(tick - 1, kind, item.removeprefix("minecraft."), more)
        before = totals


@dataclass(frozen=True)
class Label(Stage):
    """Videos become labelled clips by an inverse dynamics model: jarvis label."""

    inputs: ClassVar = {"videos": PATH, "idm": SPEC}
    grows: ClassVar = "videos"
    made: ClassVar = LABELS
    free: ClassVar = ("engine", "workers", "address", "device", "deadline")
    refers: ClassVar = True

    videos: tuple[str, ...] = ()
    idm: str = "default"
    assume_rate: float | None = None  # true frames a second of files whose time stamps are wrong
    keep_partial: bool = False
    decoder: str = "av"
    engine: str = "process"  # or ray, inline
    workers: int = 2  # process: decoders that feed the model; ray: actors
    address: str | None = None  # ray: of a running cluster
    device: str | None = None
    deadline: float = 60.0  # seconds for which a decoder may say nothing

    def check(self) -> None:
        """Whether there is such an engine, and such a decoder."""
        from data_pipelines.engines import ENGINES
        from data_pipelines.video import DECODERS

        for what, name, known in (("engine", self.engine, ENGINES), ("decoder", self.decoder, DECODERS)):
            if name not in known:
                raise UnknownNameError(what, name, nearest_names(name, known) or tuple(known))

    def run(self, work: Work) -> Result:
        """`jarvis.app.labelling`; labels of the same videos by the same model are taken over from earlier runs."""
        from data_pipelines.clips import find_videos, identify
        from jarvis.app.labelling import LabelRequest, label

        clips = {clip.id for clip in identify(find_videos(self.videos))[0]}
        for older in work.older:
            _take_over(older, work.folder, clips)
        ray = self.engine == "ray"
        request = LabelRequest(
            str(work.folder.absolute()), _absolute(self.idm), self.device, 2 if ray else self.workers, self.decoder,
            self.assume_rate, self.keep_partial, self.deadline, "events.jsonl",
        )  # fmt: skip
        options = {"workers": self.workers, "address": self.address} if ray else {"workers": 1}
        report = label(self.videos, request, engine=self.engine, retry=work.retry, say=work.say, **options)
        dataset = Dataset.open(work.folder)
        facts = dataset.clips()
        ticks = sum(one.num_ticks for one in facts)
        sure = [dataset.read(one.clip).confidence for one in facts]
        known = np.concatenate([one for one in sure if one is not None] or [np.ones((1, 22), np.float32)])
        return Result(
            f"{report.videos} videos",
            f"{len(facts)} clips, {play_time(ticks)}",
            {
                "clips": len(facts), "ticks": ticks, "put aside": len(report.quarantined),
                "copies left out": len(report.copies), "labelled in this run": report.done - report.before,
                "ticks a second": round(report.ticks / report.seconds, 1) if report.ticks else None,
                "sure of keys": round(float(known[:, :-2].min(1).mean()), 4),
                "sure of mouse": round(float(known[:, -2:].min(1).mean()), 4),
            },
            {one.video: one.reason for one in report.quarantined.values()},
            charts=[_hands(work.folder), _sureness(known)],
            shows=dataset_shows(work.folder),
        )  # fmt: skip


def _absolute(spec: str) -> str:
    return str(Path(spec).absolute()) if Path(spec).exists() else spec


def _take_over(older: Path, folder: Path, clips: set[str]) -> None:
    """Links labels of these clips from an earlier dataset of the same maker."""
    if not (older / "dataset.json").is_file():
        return
    before = Dataset.open(older)
    dataset = Dataset.make(folder, before.maker)
    for clip in before.done() & clips - dataset.done():
        if before.is_whole(clip) and before.video(before.facts(clip)).is_file():
            link(before.path(clip), dataset.path(clip))


def _link_older(work: Work, patterns: tuple[str, ...]) -> None:
    for older in work.older:
        for pattern in patterns:
            for path in older.glob(pattern):
                link(path, work.folder / path.relative_to(older))


def link(source: Path, target: Path) -> None:
    """The same file under another name, or a copy where the disk cannot do that; what is there already stays.

    Files of datasets are replaced and never changed, so that neither name sees what happens to the other.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        atomic_write(target, source.read_bytes())


def linked(dataset: str | Path, folder: Path) -> Dataset:
    """A dataset in `folder` with the labels of another, to add to. FormatError if the other is none."""
    origin = Dataset.open(dataset)
    made = Dataset.make(folder, origin.maker)
    for clip in origin.done():
        link(origin.path(clip), made.path(clip))
    for path in (origin.folder / "videos").rglob("*"):
        if path.is_file():
            link(path, made.folder / path.relative_to(origin.folder))
    return made


@dataclass(frozen=True)
class Name(Stage):
    """Segments without a name get their video's title.

    The title is that of NAME.info.json (as yt-dlp writes it), the instruction in NAME-options.json, or else the file's
    name in words. It is the same for all segments of a video, and says what the video is about and not what happens.
    """

    inputs: ClassVar = {"play": PATH}
    made: ClassVar = LABELS

    play: str = ""
    by: str = "title"  # or number: `skill 3`, for segments that a skill library has numbered

    def check(self) -> None:
        """Whether there is such a way."""
        if self.by not in ("title", "number"):
            raise UnknownNameError("way to name segments", self.by, ("title", "number"))

    def run(self, work: Work) -> Result:
        """Writes the names into a dataset of its own."""
        dataset = linked(self.play, work.folder)
        named = already = nameless = 0
        names: dict[str, int] = {}
        for facts in map(dataset.facts, sorted(dataset.done())):
            title = title_of(dataset.video(facts)) if self.by == "title" else ""
            segments = []
            for value in facts.more.get("segments") or [{"start": 0, "stop": facts.num_ticks}]:
                segment = Segment.from_json(value)
                already += isinstance(segment.skill, str)
                if not isinstance(segment.skill, str):
                    numbered = f"skill {segment.skill}" if isinstance(segment.skill, int) else None
                    name = title if self.by == "title" else numbered
                    segment = replace(segment, skill=name or None)
                    named, nameless = named + bool(name), nameless + (not name)
                if isinstance(segment.skill, str):
                    names[segment.skill] = names.get(segment.skill, 0) + len(segment)
                segments.append(segment.to_json())
            dataset.annotate(facts.clip, segments=segments)
        dataset.write_index()  # it holds what was annotated, too
        most = sorted(names.items(), key=lambda pair: -pair[1])
        return Result(
            f"{already + named + nameless} segments",
            f"{already + named} segments with {len(names)} names",
            {"named here": named, "named before": already, "without a name": nameless, "names": len(names)},
            charts=[{"kind": "bars", "title": "Ticks by name", "items": [[*pair] for pair in most[:12]]}],
            shows=dataset_shows(work.folder),
        )


def title_of(video: Path) -> str:
    """What a video is about in plain words, at most 80 characters; a stranger's title is text and nothing else."""
    title: Any = None
    for path, keys in ((video.with_suffix(".info.json"), ("title",)), (_options(video), ("instruction", "task"))):
        if title is None and path.is_file():
            try:
                value = read_json(path)
            except FormatError:
                continue
            title = next((value[key] for key in keys if isinstance(value.get(key), str)), None)
    text = title if isinstance(title, str) else re.sub(r"[_\W]+", " ", video.stem)
    return " ".join(re.sub(r"[^\w .,'!?()-]", " ", text).split())[:80].strip()


def _options(video: Path) -> Path:
    return video.with_name(f"{video.stem}-options.json")


@dataclass(frozen=True)
class Export(Stage):
    """A dataset in the format of others: jarvis data export."""

    inputs: ClassVar = {"play": PATH}

    play: str = ""
    format: str = "lerobot"

    def check(self) -> None:
        """Whether there is such a format."""
        Import(format=self.format).check()

    def run(self, work: Work) -> Result:
        """`data_pipelines.exchange`."""
        from data_pipelines.exchange import export_to

        if work.folder.exists() and not is_done(work.folder):
            shutil.rmtree(work.folder)
        if is_done(work.folder):  # it was killed just after
            return Result("a dataset", self.format)
        done = export_to(self.format, self.play, work.folder, work.say)
        return Result(
            f"{done.clips + len(done.left_out)} clips", f"{done.clips} clips as {self.format}",
            {"clips": done.clips, "ticks": done.ticks, "left out": len(done.left_out)}, dict(done.left_out),
        )  # fmt: skip


# charts


def _hands(folder: Path) -> dict[str, Any]:
    """How often each key is down."""
    from data_pipelines.inspection import examine, summarise

    keys = summarise(examine(folder))["keys"]
    shown = sorted(keys.items(), key=lambda pair: (-pair[1], BUTTONS.index(pair[0])))[:12]
    return {"kind": "bars", "title": "Share of ticks with the key down", "items": [[*pair] for pair in shown],
            "percent": True}  # fmt: skip


def _sureness(confidence: np.ndarray) -> dict[str, Any]:
    """How sure the model is of all keys of a tick, by tenths."""
    counts = np.histogram(confidence[:, :-2].min(1), bins=10, range=(0, 1))[0] / len(confidence)
    items = [[f"{tenth * 10} to {tenth * 10 + 10} %", round(float(share), 4)] for tenth, share in enumerate(counts)]
    return {"kind": "bars", "title": "Ticks by how sure the model is of the keys", "items": items, "percent": True}
