"""All that a criterion may look at, of one clip, in one file: criteria run again without the video and without a model.

    evidence = gather(recording_clip(recording.read()), scorer)
    write_evidence("evidence/clip.safetensors", evidence)
    evidence = read_evidence("evidence/clip.safetensors")

Every array counts raw frames of the video. Ticks in which nothing was pressed are marked in `null`, not left out.

    NAME.safetensors    arrays by name; losses only if there was a predictor. In its metadata, as JSON: format_version,
                        name, fps, source, events [[tick, name, item, count], ...], predictor
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.core.actions import POLICY_BUTTONS, VPT_CAMERA, JointActions
from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.events import Event
from jarvis.core.files import Pathlike, atomic_write, parse_json
from jarvis.core.surprise import ActionScorer, TickScores
from jarvis.core.trajectories import SOURCES

if TYPE_CHECKING:
    from skill_discovery.clips import PlayClip

__all__ = ["Evidence", "gather", "read_evidence", "write_evidence"]

FORMAT_VERSION = 1
COLOUR_BINS = 8  # of each colour channel
LOOK_SIZE = 64  # pixels along a side of the pictures whose colours are counted, without a scorer


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of a clip of n ticks."""

    name: str
    buttons: np.ndarray  # (n, 23) uint8
    camera: np.ndarray  # (n, 2) float32 degrees
    gui_open: np.ndarray  # (n,) bool; False where it is not known
    source: str = "recorded"  # of the actions, one of SOURCES
    events: tuple[Event, ...] = ()
    colours: np.ndarray | None = None  # (n, 24) float32: histogram of each colour channel, each adding up to 1
    motion: np.ndarray | None = None  # (n,) float32: mean absolute difference to the frame before; 0 at first
    scores: TickScores | None = None
    fps: float = 20.0

    def __post_init__(self) -> None:
        if not len(self.buttons):
            raise EpisodeError(f"{self.name}: no ticks")
        if self.source not in SOURCES:
            raise EpisodeError(f"{self.name}: source {self.source!r}, expected one of {', '.join(SOURCES)}")
        for field in ("camera", "gui_open", "colours", "motion", "scores"):
            value = getattr(self, field)
            if value is not None and len(value) != len(self):
                raise EpisodeError(f"{self.name}: {field} of {len(value)} ticks, buttons of {len(self)}")

    def __len__(self) -> int:
        return len(self.buttons)

    @property
    def null(self) -> np.ndarray:
        """(n,) bool: nothing that a policy could express was pressed and the camera's bins are at rest."""
        rest = (VPT_CAMERA.to_bins(self.camera) == VPT_CAMERA.null_bin).all(axis=1)
        nothing: np.ndarray = rest & ~self.buttons[:, : len(POLICY_BUTTONS)].any(axis=1)
        return nothing

    @property
    def raw_null(self) -> np.ndarray:
        """(n,) bool: as `null`, but the smallest motion of the mouse counts as something."""
        nothing: np.ndarray = ~self.buttons[:, : len(POLICY_BUTTONS)].any(axis=1) & ~self.camera.any(axis=1)
        return nothing

    def need(self, what: str) -> Any:
        """One of the optional fields, or EpisodeError that says how to get it."""
        value = getattr(self, what)
        if value is None:
            wanted = {"scores": "score it with --policy", "colours": "gather it from the video", "motion": "likewise"}
            raise EpisodeError(f"{self.name}: no {what}; {wanted.get(what, 'gather it again')}")
        return value


# from clips


def gather(clip: PlayClip, scorer: ActionScorer | None = None, *, whole_degrees: bool = False) -> Evidence:
    """One pass over a clip's video: colours, motion, and what the scorer makes of it.

    whole_degrees: cut cameras to whole degrees first, as the published code does; for comparison only.
    """
    camera = np.trunc(clip.camera) if whole_degrees else clip.camera
    look = _Look()
    frames = look.watch(clip.frames(scorer.image_size if scorer else LOOK_SIZE))
    scores = None
    if scorer is not None:
        joint = JointActions(scorer.bins)
        classes = joint.encode(clip.buttons[:, : len(POLICY_BUTTONS)], scorer.bins.to_bins(camera))
        scores = scorer.score(frames, *classes)
    else:
        for _ in frames:
            pass
    colours, motion = look.arrays()
    return Evidence(
        clip.name, clip.buttons, camera, clip.gui_open, clip.source, clip.events, colours, motion, scores, clip.fps
    )


class _Look:
    """Takes down what passes by, so that a video is decoded only once."""

    def __init__(self) -> None:
        self._colours: list[np.ndarray] = []
        self._motion: list[np.ndarray] = []
        self._last: np.ndarray | None = None

    def watch(self, chunks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for chunk in chunks:
            self._colours.append(histograms(chunk))
            before = np.concatenate([chunk[:1] if self._last is None else self._last, chunk[:-1]])
            difference = np.abs(chunk.astype(np.int16) - before)
            self._motion.append(difference.mean(axis=(1, 2, 3), dtype=np.float32))
            self._last = chunk[-1:].copy()
            yield chunk

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate(self._colours), np.concatenate(self._motion)


def histograms(frames: np.ndarray) -> np.ndarray:
    """(ticks, 3 * COLOUR_BINS) float32: how often each level of red, green and blue is there."""
    count, width = len(frames), 3 * COLOUR_BINS
    place = (np.arange(count) * width)[:, None, None, None] + np.arange(3) * COLOUR_BINS
    table = np.bincount((frames // (256 // COLOUR_BINS) + place).ravel(), minlength=count * width)
    return (table.reshape(count, width) / frames[0, ..., 0].size).astype(np.float32)


# files

_OWN = ("buttons", "camera", "gui_open", "colours", "motion")
_SCORES = tuple(field.name for field in fields(TickScores) if field.name != "predictor")


def write_evidence(path: Pathlike, evidence: Evidence) -> Path:
    """Writes the file, all of it or nothing."""
    from safetensors.numpy import save

    arrays = {name: getattr(evidence, name) for name in _OWN if getattr(evidence, name) is not None}
    if evidence.scores is not None:
        arrays |= {f"scores.{name}": getattr(evidence.scores, name) for name in _SCORES}
    told = {
        "format_version": FORMAT_VERSION,
        "name": evidence.name,
        "fps": evidence.fps,
        "source": evidence.source,
        "events": [[event.tick, event.name, event.item, event.count] for event in evidence.events],
        "predictor": None if evidence.scores is None else evidence.scores.predictor,
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return atomic_write(path, save(arrays, {"evidence": json.dumps(told)}))


def read_evidence(path: Pathlike) -> Evidence:
    """The evidence in a file. FormatError names the file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            told = parse_json((file.metadata() or {}).get("evidence", "null"), f"{path}: metadata")
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise FormatError(f"{path}: {error}") from None
    if not isinstance(told, dict) or told.get("format_version") != FORMAT_VERSION:
        raise FormatError(f"{path}: no evidence of format_version {FORMAT_VERSION}; gather it again")
    missing = [name for name in ("buttons", "camera", "gui_open") if name not in arrays]
    missing += [name for name in _SCORES if told["predictor"] is not None and f"scores.{name}" not in arrays]
    if missing:
        raise FormatError(f"{path}: no {', '.join(missing)}; gather it again")
    scores = None
    if told["predictor"] is not None:
        scores = TickScores(**{name: arrays[f"scores.{name}"] for name in _SCORES}, predictor=told["predictor"])
    return Evidence(
        told["name"], arrays["buttons"], arrays["camera"], arrays["gui_open"], told["source"],
        tuple(Event(*event) for event in told["events"]), arrays.get("colours"), arrays.get("motion"), scores,
        float(told["fps"]),
    )  # fmt: skip
