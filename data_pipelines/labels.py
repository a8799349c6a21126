"""The labels of one clip: what was pressed and turned at every tick, and the table that a file holds of it.

    labels = ClipLabels(facts, frames, buttons, camera, confidence)
    table = to_table(labels)                           # a pyarrow.Table; from_table(table, "x.parquet") gives it back

A table has a row for every tick, and one for every frame between two ticks where the video has more than 20 frames a
second, so that each frame has a label. Columns:

    tick        int32                 the tick, or for a frame between two the earlier one
    frame       int32                 number of the frame in the video that shows it
    between     bool                  a frame that no tick shows: keys are still held, the turn was told with the tick
    buttons     uint8 [23]            in the order of jarvis.core.actions.BUTTONS
    camera      float32 [2]           degrees (pitch, yaw)
    confidence  float32 [22]          probability of what was chosen: 20 policy buttons, pitch, yaw; only of predictions
    source      string                one of jarvis.core.trajectories.SOURCES
    ...         float, int or bool    more by tick: losses, segment numbers

The facts of the clip are JSON under the key "jarvis" of the table's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from jarvis.core.actions import BUTTONS, POLICY_BUTTONS, Action, validate_arrays
from jarvis.core.errors import EpisodeError, FormatError, UnknownNameError, nearest_names
from jarvis.core.files import parse_json
from jarvis.core.trajectories import SOURCES

__all__ = [
    "CONFIDENCES",
    "FORMAT_VERSION",
    "ClipFacts",
    "ClipLabels",
    "facts_of",
    "from_table",
    "label_rows",
    "to_table",
]

FORMAT_VERSION = 1
CONFIDENCES = (*POLICY_BUTTONS, "pitch", "yaw")
_KEY = b"jarvis"  # in the metadata
_OWN = ("tick", "frame", "between", "buttons", "camera", "confidence", "source")


@dataclass(frozen=True)
class ClipFacts:
    """What is known of one clip besides its labels."""

    clip: str  # identity: lower-case letters, digits, `-` and `_`
    name: str  # for people
    video: str  # path: absolute, or relative to the dataset's folder for videos that lie in it
    source: str  # who says that these were the actions
    num_ticks: int
    num_frames: int  # of the video that belong to the clip
    first_frame: int = 0  # of the clip in the video
    width: int = 0  # of the video
    height: int = 0
    rate: float = 20.0  # frames a second, by the file
    status: str = "ok"  # of the video: ok, damaged (all frames are there, `corrupt` of them doubtful), partial
    corrupt: int = 0
    task: str = ""  # what the player was asked to do, if that is known
    notes: tuple[str, ...] = ()  # what is odd about the files
    more: Mapping[str, Any] = field(default_factory=dict)  # JSON values: segments, where it was imported from, ...

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise UnknownNameError("source", self.source, nearest_names(self.source, SOURCES))
        if not self.clip or not set(self.clip) <= _PLAIN or self.num_ticks < 1 or self.num_frames < 1:
            raise EpisodeError(
                f"clip {self.clip!r} of {self.num_ticks} ticks and {self.num_frames} frames: expected an identity of "
                "a-z, 0-9, - and _, and at least one tick"
            )
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "more", dict(self.more))

    @classmethod
    def from_json(cls, value: Any, place: str) -> ClipFacts:
        """The inverse of `asdict`; facts that a later version added are left out."""
        known = {one.name for one in fields(cls)}
        try:
            return cls(**{name: part for name, part in value.items() if name in known})
        except (TypeError, AttributeError) as error:
            raise FormatError(f"{place}: these are not a clip's facts: {error}") from None


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(frozen=True, eq=False)
class ClipLabels:
    """The labels of n ticks: buttons[t] and camera[t] are what the player did after seeing frame frames[t]."""

    facts: ClipFacts
    frames: np.ndarray  # (n,) int64 numbers of frames in the video, never falling
    buttons: np.ndarray  # (n, 23) uint8
    camera: np.ndarray  # (n, 2) float32 degrees (pitch, yaw)
    confidence: np.ndarray | None = None  # (n, 22) float32, see CONFIDENCES
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)  # (n,) each: what `annotate` added

    def __post_init__(self) -> None:
        buttons, camera = validate_arrays(self.buttons, self.camera)
        frames = np.asarray(self.frames, np.int64)
        object.__setattr__(self, "buttons", buttons)
        object.__setattr__(self, "camera", camera)
        object.__setattr__(self, "frames", frames)
        count, facts = self.facts.num_ticks, self.facts
        first, last = facts.first_frame, facts.first_frame + facts.num_frames
        if buttons.shape != (count, len(BUTTONS)) or frames.shape != (count,):
            raise EpisodeError(f"{facts.name}: {buttons.shape} buttons and {frames.shape} frames for {count} ticks")
        if (np.diff(frames) < 0).any() or frames[0] < first or frames[-1] >= last:
            raise EpisodeError(f"{facts.name}: frame numbers must not fall and lie in [{first}, {last})")
        shape = (count, len(CONFIDENCES))
        if self.confidence is not None and np.shape(self.confidence) != shape:
            raise EpisodeError(f"{facts.name}: confidence {np.shape(self.confidence)}, expected {shape}")
        for name, values in self.columns.items():
            if name in _OWN or np.shape(values) != (count,):
                raise EpisodeError(f"{facts.name}: column {name!r} of shape {np.shape(values)}, expected ({count},)")

    def __len__(self) -> int:
        return self.facts.num_ticks

    def action(self, tick: int) -> Action:
        """The action of one tick."""
        return Action(self.buttons[tick], self.camera[tick])

    def by_frame(self) -> tuple[np.ndarray, np.ndarray]:
        """(frames, 23) buttons and (frames, 2) camera: exactly one label for each frame of the clip.

        Ticks that show the same frame are joined: what was pressed in any of them, and the sum of their turns.
        """
        row_tick, row_frame, between = label_rows(self.frames, self.facts.first_frame, self.facts.num_frames)
        place = row_frame - self.facts.first_frame
        buttons = np.zeros((self.facts.num_frames, len(BUTTONS)), np.uint8)
        camera = np.zeros((self.facts.num_frames, 2), np.float32)
        np.maximum.at(buttons, place, self.buttons[row_tick])
        np.add.at(camera, place[~between], self.camera[row_tick[~between]])
        return buttons, camera


def label_rows(frames: np.ndarray, first: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of a labels file: (rows,) int64 ticks, (rows,) int64 frames, (rows,) bool between.

    frames: (ticks,) numbers of the frames that the ticks show, among `count` frames from `first`.
    """
    ticks = np.arange(len(frames))
    unseen = np.setdiff1d(np.arange(first, first + count), frames)
    held = np.clip(np.searchsorted(frames, unseen, side="right") - 1, 0, None)
    row_tick, row_frame = np.concatenate([ticks, held]), np.concatenate([frames, unseen])
    between = np.arange(len(row_tick)) >= len(ticks)
    order = np.lexsort((row_tick, row_frame))
    return row_tick[order], row_frame[order], between[order]


def to_table(labels: ClipLabels) -> Any:
    """The pyarrow.Table of the labels."""
    import pyarrow as pa

    facts = labels.facts
    tick, frame, between = label_rows(labels.frames, facts.first_frame, facts.num_frames)
    rows = tick if between.any() else slice(None)  # long videos are not copied for nothing
    camera = labels.camera[rows]
    if between.any():
        camera[between] = 0
    columns: dict[str, Any] = {
        "tick": pa.array(tick.astype(np.int32)),
        "frame": pa.array(frame.astype(np.int32)),
        "between": pa.array(between),
        "buttons": _vectors(labels.buttons[rows]),
        "camera": _vectors(camera),
    }
    if labels.confidence is not None:
        columns["confidence"] = _vectors(np.asarray(labels.confidence, np.float32)[rows])
    columns["source"] = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(tick), np.int32)), [facts.source])
    columns |= {name: pa.array(np.asarray(values)[rows]) for name, values in labels.columns.items()}
    told = {"format_version": FORMAT_VERSION, "buttons": BUTTONS, "confidence": CONFIDENCES, "facts": asdict(facts)}
    text = json.dumps(told, allow_nan=False, separators=(",", ":"))
    return pa.table(columns).replace_schema_metadata({_KEY: text.encode()})


def from_table(table: Any, place: str) -> ClipLabels:
    """The labels in a pyarrow.Table. FormatError or EpisodeError, opening with `place`, says what is wrong with it."""
    import pyarrow.compute as pc

    facts = facts_of(table.schema.metadata, place)
    missing = {"tick", "frame", "between", "buttons", "camera"} - set(table.column_names)
    if missing:
        raise FormatError(f"{place}: no column {', '.join(sorted(missing))}")
    rows, shown = len(table), table["frame"].to_numpy()
    table = table.filter(pc.invert(table["between"]))
    frames = table["frame"].to_numpy().astype(np.int64)
    expected = label_rows(frames, facts.first_frame, facts.num_frames)[1]
    if len(frames) != facts.num_ticks or rows != len(expected) or (shown != expected).any():
        raise EpisodeError(
            f"{place}: {rows} rows with {len(frames)} ticks, expected {facts.num_ticks} ticks and every one of "
            f"{facts.num_frames} frames"
        )
    confidence = _matrix(table, "confidence", np.float32) if "confidence" in table.column_names else None
    columns = {name: table[name].to_numpy() for name in table.column_names if name not in _OWN}
    buttons, camera = _matrix(table, "buttons", np.uint8), _matrix(table, "camera", np.float32)
    try:
        return ClipLabels(facts, frames, buttons, camera, confidence, columns)
    except ValueError as error:
        raise EpisodeError(f"{place}: {error}") from None


def facts_of(metadata: Mapping[bytes, bytes] | None, place: str) -> ClipFacts:
    """The facts in a table's metadata."""
    told = parse_json((metadata or {}).get(_KEY, b"null"), place)
    if not isinstance(told, dict):
        raise FormatError(f"{place}: no labels of a clip: nothing under {_KEY.decode()!r} in its metadata")
    if told.get("format_version") != FORMAT_VERSION:
        raise FormatError(f"{place}: format_version {told.get('format_version')!r}, this jarvis reads {FORMAT_VERSION}")
    if tuple(told.get("buttons", ())) != BUTTONS:
        raise FormatError(f"{place}: its buttons are others, or in another order, than this jarvis has")
    return ClipFacts.from_json(told.get("facts"), place)


def _vectors(values: np.ndarray) -> Any:
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).reshape(-1)), values.shape[1])


def _matrix(table: Any, name: str, kind: type) -> np.ndarray:
    column = table[name].combine_chunks()
    flat: np.ndarray = column.flatten().to_numpy(zero_copy_only=False).astype(kind)
    return flat.reshape(len(column), -1)
