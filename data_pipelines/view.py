"""One page for one recording: the video with keys, mouse and cursor over it, events, and skills on a timeline.

    write_page("runs/out/voxel-000000-00", "page.html")               # a recording by the name of any of its files
    page = timeline_page(Timeline("clip", "clip.mp4", buttons, camera, tracks={"found": segments}))
    write_page(clip_timeline(dataset, "4f2a..."), "page.html")         # a labelled clip, with how sure the labels are

The page is one HTML file that needs nothing else and calls nobody: the video is inside, unless it is linked.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.contractor import WINDOW
from data_pipelines.datasets import Dataset
from data_pipelines.recordings import Played, Recording
from data_pipelines.video import open_video
from jarvis.core.actions import BUTTONS
from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.events import Event
from jarvis.core.files import Pathlike, atomic_write, read_json_lines
from jarvis.core.segments import Segment

__all__ = ["LARGEST_EMBEDDED", "Timeline", "clip_timeline", "recording_timeline", "timeline_page", "write_page"]

LARGEST_EMBEDDED = 256 << 20  # bytes of a video inside a page; larger ones must be linked


@dataclass(frozen=True, eq=False)
class Timeline:
    """What a page shows of n ticks. Only the first four are needed."""

    title: str
    video: Pathlike
    buttons: np.ndarray  # (n, 23) 0 or 1
    camera: np.ndarray  # (n, 2) degrees (pitch, yaw)
    source: str = "recorded"  # who says that these were the actions
    frames: np.ndarray | None = None  # (n,) numbers of the frames that show the ticks; by default 0 to n - 1
    gui_open: np.ndarray | None = None  # (n,) bool
    cursor: np.ndarray | None = None  # (n, 2) window pixels of 1280 x 720; drawn while a screen is open
    points: Sequence[tuple[float, float] | None] | None = None  # per tick, in pixels of a 640 x 360 picture
    targets: Sequence[str] | None = None  # per tick, what the point is
    events: Sequence[Event] = ()
    tracks: Mapping[str, Sequence[Segment]] = field(default_factory=dict)  # by name: stretches of one skill each
    curves: Mapping[str, Any] = field(default_factory=dict)  # by name: (n,) numbers, NaN where there is none
    inventory: Sequence[Mapping[str, int]] | None = None  # per tick
    facts: Mapping[str, Any] = field(default_factory=dict)  # shown as they are
    notes: Sequence[str] = ()  # what is odd about the files


def recording_timeline(
    played: Played, *, tracks: Mapping[str, Sequence[Segment]] | None = None, curves: Mapping[str, Any] | None = None
) -> Timeline:
    """The timeline of a recording, its truth included. tracks, curves: more of them, for instance found segments."""
    count, log, truth = played.num_ticks, played.log, (played.truth or [])[: played.num_ticks]
    own: dict[str, Sequence[Segment]] = {}
    if any("coarse" in line for line in truth):
        own["skill"] = played.segments("coarse")
    if any("fine" in line for line in truth):
        own["part"] = played.segments("fine", "coarse", "target", "cell", "mob")
    facts = played.facts or {}
    repairs = [f"{number} lines repaired: {what.replace('_', ' ')}" for what, number in log.repairs.items()]
    shown: dict[str, Any] = {}
    if isinstance(facts.get("task"), dict):
        shown["task"] = facts["task"].get("name")
    shown |= {name: facts[name] for name in ("instruction", "player", "seed", "episode") if facts.get(name) is not None}
    return Timeline(
        played.recording.name,
        played.recording.video,
        log.buttons[:count],
        log.camera[:count],
        str(facts.get("source") or "recorded"),
        gui_open=log.gui_open[:count],
        cursor=log.cursor[:count],
        points=[line.get("point") for line in truth] or None,
        targets=[str(line.get("target") or "") for line in truth] or None,
        events=played.events,
        tracks=own | dict(tracks or {}),
        curves=dict(curves or {}),
        inventory=_inventories(played.recording.actions, count),
        facts=shown,
        notes=(*played.notes, *repairs),
    )


def _inventories(path: Path, count: int) -> list[dict[str, int]]:
    inventories = []
    for line in list(read_json_lines(path))[:count]:
        held: dict[str, int] = {}
        for stack in line.get("inventory") or ():
            if isinstance(stack, dict) and isinstance(stack.get("quantity"), int):
                held[str(stack.get("type"))] = held.get(str(stack.get("type")), 0) + stack["quantity"]
        inventories.append(held)
    return inventories


def timeline_page(timeline: Timeline, *, link: str | None = None) -> str:
    """The page as HTML. link: the address of the video, relative to the page, instead of putting the video inside."""
    with open_video(timeline.video) as video:
        info = video.info
    count = len(timeline.buttons)
    frames = np.arange(count) if timeline.frames is None else np.asarray(timeline.frames)
    fits = 0 <= info.num_frames - count <= 1 if timeline.frames is None else count and frames.max() < info.num_frames
    if not count or len(timeline.camera) != count or len(frames) != count or not fits:
        raise EpisodeError(
            f"{timeline.title}: {info.num_frames} frames, {count} rows of buttons, {len(timeline.camera)} of camera; "
            "expected a row of both for every frame, or one frame more"
        )
    even = not info.variable and np.array_equal(frames, np.arange(count))
    data = {
        "title": timeline.title,
        "source": timeline.source,
        "ticks": count,
        "size": [info.width, info.height],
        "rate": float(info.rate),
        # Seconds at which the video shows each tick; null where it is as even as it should be.
        "times": None if even else [round(float(second), 4) for second in info.times[frames]],
        "keys": {name: _runs(timeline.buttons[:, k] != 0) for k, name in enumerate(BUTTONS)},
        "camera": np.round(np.asarray(timeline.camera, np.float64), 2).tolist(),
        "gui": [] if timeline.gui_open is None else _runs(timeline.gui_open),
        "cursor": _cursor(timeline),
        "points": _points(timeline),
        "events": [[event.tick, event.name, event.item, event.count] for event in timeline.events],
        "tracks": [
            [name, [[segment.start, segment.stop, segment.skill, segment.score] for segment in segments]]
            for name, segments in timeline.tracks.items()
        ],
        "curves": [[name, _numbers(name, values, count)] for name, values in timeline.curves.items()],
        "inventory": _changes(timeline.inventory or ()),
        "facts": {name: value for name, value in timeline.facts.items() if value is not None},
        "notes": list(timeline.notes),
    }
    parts = {name: files("data_pipelines").joinpath(f"view.{name}").read_text() for name in ("html", "css", "js")}
    page = parts["html"]
    for mark, text in (
        ("/*STYLE*/", parts["css"]),
        ("/*SCRIPT*/", parts["js"]),
        ("TITLE", escape(timeline.title)),
        ("LINK", escape(link or "", quote=True)),
        # NOTE: a name from a file could hold a closing tag.
        ("DATA", json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")),
        ("VIDEO", "" if link else _embedded(Path(timeline.video))),
    ):
        head, tail = page.split(f"<!--{mark}-->" if not mark.startswith("/*") else mark, 1)
        page = head + text + tail
    return page


def _embedded(path: Path) -> str:
    if (size := path.stat().st_size) > LARGEST_EMBEDDED:
        raise FormatError(f"{path}: {size} bytes are too many for a page; link the video instead")
    return base64.b64encode(path.read_bytes()).decode()


def _runs(held: np.ndarray) -> list[list[int]]:
    """[[start, stop], ...] of the stretches where (n,) is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], np.asarray(held, np.bool_), [False]])))
    runs: list[list[int]] = edges.reshape(-1, 2).tolist()
    return runs


def _cursor(timeline: Timeline) -> dict[int, list[float]]:
    if timeline.cursor is None or timeline.gui_open is None:
        return {}
    places = np.asarray(timeline.cursor, np.float64) / np.array(WINDOW)
    return {
        int(tick): [round(float(part), 5) for part in places[tick]]
        for tick in np.flatnonzero(timeline.gui_open)
        if np.isfinite(places[tick]).all()
    }


def _points(timeline: Timeline) -> dict[int, list[Any]]:
    points = {}
    for tick, point in enumerate(timeline.points or ()):
        if point is not None:
            target = timeline.targets[tick] if timeline.targets else ""
            points[tick] = [round(point[0] / (WINDOW[0] / 2), 4), round(point[1] / (WINDOW[1] / 2), 4), target]
    return points


def _numbers(name: str, values: Any, count: int) -> list[float | None]:
    array = np.asarray(values, np.float64)
    if array.shape != (count,):
        raise EpisodeError(f"curve {name}: shape {array.shape}, expected ({count},)")
    return [round(value, 4) if np.isfinite(value) else None for value in array.tolist()]


def _changes(inventories: Sequence[Mapping[str, int]]) -> list[list[Any]]:
    """[[tick, {item: count}], ...] where the inventory differs from the tick before."""
    changes: list[list[Any]] = []
    for tick, held in enumerate(inventories):
        if not changes or changes[-1][1] != dict(held):
            changes.append([tick, dict(held)])
    return changes


def clip_timeline(dataset: Dataset, clip: str) -> Timeline:
    """The timeline of a labelled clip: how sure its labels are, what was found in it, and every column by tick."""
    labels = dataset.read(clip)
    facts = labels.facts
    curves: dict[str, Any] = {}
    if labels.confidence is not None:
        curves["sure of keys"] = labels.confidence[:, :-2].min(axis=1)
        curves["sure of mouse"] = labels.confidence[:, -2:].min(axis=1)
    curves |= {name: values for name, values in labels.columns.items() if np.asarray(values).dtype.kind == "f"}
    found = [Segment.from_json(value) for value in facts.more.get("segments") or ()]
    told = {"task": facts.task or None, "labels by": facts.source, "video": facts.status}
    return Timeline(
        facts.name,
        dataset.video(facts),
        labels.buttons,
        labels.camera,
        facts.source,
        labels.frames,
        tracks={"skill": found} if found else {},
        curves=curves,
        facts=told,
        notes=facts.notes,
    )


def write_page(recording: Pathlike | Played | Timeline, out: Pathlike, *, link: bool = False, **more: Any) -> Path:
    """Writes the page of a recording and returns its path. link: refer to the video where it lies instead of putting
    it inside. more: `tracks` and `curves` of `recording_timeline`."""
    if isinstance(recording, Timeline):
        timeline = recording
    else:
        played = recording if isinstance(recording, Played) else Recording.of(recording).read()
        timeline = recording_timeline(played, **more)
    address = Path(os.path.relpath(timeline.video, Path(out).parent)).as_posix() if link else None
    return atomic_write(out, timeline_page(timeline, link=address))
