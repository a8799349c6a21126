"""Recordings as training examples: decoded once into arrays on disk, and cut into clips.

    clips = Clips.of("recordings", cache="cache", ticks=64)
    example = clips.batch([0, 5], random)            # frames, buttons, camera, weight

    CACHE/NAME-FINGERPRINT/frames.npy    (n, 128, 128, 3) uint8 RGB, the mouse cursor not drawn
                           buttons.npy   (n, 20) uint8         camera.npy  (n, 2) float32 degrees
                           gui.npy       (n,) bool             cursor.npy  (n, 2) float32 pixels of a 1280 x 720 window
                           done
    CACHE/NAME-FINGERPRINT-measured/     what the motion network sees of it (idm/networks.py), if that is asked for

A changed recording gets another folder. Frames take 49 KB each, 3.5 GB an hour; measured ones 27 KB.

Recordings come without the mouse cursor, which real video has. It is drawn into the frames of open screens as they are
read, in some of the clips.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.contractor import WINDOW
from data_pipelines.recordings import Played, Recording, find_recordings
from idm.augmentation import Augmentation, augment, mirrored_labels, mirrored_maps
from jarvis.core.actions import POLICY_BUTTONS
from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.files import Pathlike, atomic_folder, is_done
from jarvis.vpt.pixels import arrow_cursor, draw_cursor

__all__ = ["Clips", "Example", "Recorded", "cached", "draw_cursors"]

SIZE = 128
FORMAT = 1  # of the cache


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recording in the cache. Its arrays lie on disk and are read where they are used."""

    folder: Path

    @cached_property
    def frames(self) -> np.ndarray:
        """(n, 128, 128, 3) uint8."""
        return self._load("frames")

    @cached_property
    def buttons(self) -> np.ndarray:
        """(n, 20) uint8."""
        return np.array(self._load("buttons"))

    @cached_property
    def camera(self) -> np.ndarray:
        """(n, 2) float32 degrees."""
        return np.array(self._load("camera"))

    @cached_property
    def gui(self) -> np.ndarray:
        """(n,) bool: a screen is open."""
        return np.array(self._load("gui"))

    @cached_property
    def cursor(self) -> np.ndarray:
        """(n, 2) float32 window pixels."""
        return np.array(self._load("cursor"))

    def __len__(self) -> int:
        return len(self.camera)

    def measured(self) -> dict[str, np.ndarray]:
        """What the motion network sees, by the fields of `Measured`: (n, 64, 192) uint8 patches, and float16 maps.

        Measured on the first call. Every other recording has the mouse cursor in it.
        """
        folder = self.folder.with_name(f"{self.folder.name}-measured")
        if not is_done(folder):
            _measure(self, folder, cursor=int(self.folder.name[-1], 16) % 2 == 0)
        return {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _MEASURED}

    def _load(self, name: str) -> np.ndarray:
        return np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    def seen(self, start: int = 0, stop: int | None = None, *, cursor: bool) -> np.ndarray:
        """The frames [start, stop), with or without the mouse cursor in screens; a copy."""
        frames = np.array(self.frames[start:stop])
        return draw_cursors(frames, self.gui[start:stop], self.cursor[start:stop]) if cursor else frames


def cached(recording: Recording, cache: Pathlike) -> Recorded:
    """The recording from the cache, decoded into it first if it is not there. EpisodeError if it cannot be read."""
    digest = hashlib.sha256(b"%d" % FORMAT)
    for path in (recording.video, recording.actions):
        if not path.is_file():
            raise EpisodeError(f"{recording.stem}: no {path.name}")
        status = path.stat()
        digest.update(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
    folder = Path(cache) / f"{recording.name}-{digest.hexdigest()[:12]}"
    if not is_done(folder):
        _decode(recording.read(), folder)
    return Recorded(folder)


def _decode(played: Played, folder: Path) -> None:
    count = played.num_ticks
    try:
        with atomic_folder(folder) as temporary:
            frames = np.lib.format.open_memmap(
                temporary / "frames.npy", mode="w+", dtype=np.uint8, shape=(count, SIZE, SIZE, 3)
            )
            with played.open() as video:
                for number, frame in enumerate(video.frames(stop=count, size=(SIZE, SIZE))):
                    frames[number] = frame
            frames.flush()
            del frames
            log = played.log
            for name, values in (
                ("buttons", log.buttons[:count, : len(POLICY_BUTTONS)]),
                ("camera", log.camera[:count]),
                ("gui", log.gui_open[:count]),
                ("cursor", log.cursor[:count].astype(np.float32)),
            ):
                np.save(temporary / f"{name}.npy", values, allow_pickle=False)
    except FileExistsError:
        if not is_done(folder):  # otherwise another process was faster
            raise


_MEASURED = {"patches": ((64, 192), np.uint8), "whole": ((64, 80), np.float16), "quarters": ((4, 24, 24), np.float16)}


def _measure(one: Recorded, folder: Path, cursor: bool) -> None:
    import torch

    from idm.networks import measure

    count = len(one)
    try:
        with atomic_folder(folder) as temporary:
            arrays = {
                name: np.lib.format.open_memmap(
                    temporary / f"{name}.npy", mode="w+", dtype=kind, shape=(count, *shape)
                )
                for name, (shape, kind) in _MEASURED.items()
            }  # fmt: skip
            for start in range(0, count, 128):
                stop = min(start + 128, count)
                frames = one.seen(start, min(stop + 1, count), cursor=cursor)
                if stop == count:
                    frames = np.concatenate([frames, frames[-1:]])  # the last is compared with itself
                found = measure(torch.from_numpy(frames[None]))
                arrays["patches"][start:stop] = found.patches[0, :-1].numpy()
                arrays["whole"][start:stop] = found.whole[0].numpy()
                arrays["quarters"][start:stop] = found.quarters[0].numpy()
            for array in arrays.values():
                array.flush()
            del arrays, array
    except FileExistsError:
        if not is_done(folder):
            raise


def draw_cursors(frames: np.ndarray, gui: np.ndarray, cursor: np.ndarray) -> np.ndarray:
    """Draws the mouse cursor into (n, 128, 128, 3) frames, in place, wherever a screen is open; returns them.

    As if it had been drawn into 640 x 360 and resized with the frame, but for rounding.
    """
    for number in np.flatnonzero(gui & np.isfinite(cursor).all(axis=1)):
        x, y = (cursor[number] * (360 / WINDOW[1])).astype(int)
        colours, shade = _small_cursor(int(np.clip(x, -16, 656)), int(np.clip(y, -16, 376)))
        frames[number] = (frames[number] * shade + colours).astype(np.uint8)
    return frames


@cache
def _cursor_layers() -> tuple[np.ndarray, np.ndarray]:
    cursor = arrow_cursor()
    shade = np.repeat(cursor[..., 3:], 4, axis=-1)
    shade[..., 3] = 255
    return cursor, shade


def _small_cursor(x: int, y: int) -> tuple[np.ndarray, np.ndarray]:
    """What the cursor adds, (128, 128, 3) float32, and the share of the picture that it leaves, (128, 128, 1)."""
    import cv2

    colour, shade = _cursor_layers()
    dark = np.zeros((360, 640, 3), np.uint8)
    small = (SIZE, SIZE)
    added = cv2.resize(draw_cursor(dark, x, y, colour), small, interpolation=cv2.INTER_LINEAR)
    alpha = cv2.resize(draw_cursor(dark, x, y, shade), small, interpolation=cv2.INTER_LINEAR)
    return added.astype(np.float32), 1 - alpha[..., :1].astype(np.float32) / 255


@dataclass(frozen=True, eq=False)
class Example:
    """A batch of clips."""

    inputs: Any  # (batch, ticks, 128, 128, 3) uint8 frames, or `Measured` ones
    buttons: np.ndarray  # (batch, ticks, 20) int64
    camera: np.ndarray  # (batch, ticks, 2) float32 degrees
    weight: np.ndarray  # (batch, ticks) float32: 0 for frames whose label the clip does not tell

    def pieces(self, count: int) -> Iterator[Example]:
        """The same clips in so many pieces, or as many as there are clips."""
        for rows in np.array_split(np.arange(len(self.weight)), min(count, len(self.weight))):
            whole = self.inputs
            some = whole[rows] if isinstance(whole, np.ndarray) else whole.rows(rows)
            yield Example(some, self.buttons[rows], self.camera[rows], self.weight[rows])


class Clips:
    """Clips of so many ticks, every half clip of every recording."""

    def __init__(self, recorded: Sequence[Recorded], ticks: int, margin: int = 2) -> None:
        """margin: frames at the ends of a clip that count for nothing, but where the recording itself begins."""
        self.recorded, self.ticks, self.margin = list(recorded), ticks, margin
        self._measurements: dict[int, dict[str, np.ndarray]] = {}
        self.places = [
            (number, start)
            for number, one in enumerate(self.recorded)
            for start in range(0, len(one) - ticks + 1, max(1, ticks // 2))
        ]
        if not self.places:
            raise FormatError(f"no recording has {ticks} frames; {len(self.recorded)} were found")

    @classmethod
    def of(
        cls,
        folders: Sequence[Pathlike] | Pathlike,
        cache: Pathlike,
        ticks: int,
        margin: int = 2,
        hours: float | None = None,
        say: Callable[[str], None] | None = None,
    ) -> Clips:
        """The recordings below one or more folders. hours: of play at most, the first ones.

        A recording that cannot be read is said and left out.
        """
        return cls(load_recordings(folders, cache, hours, say), ticks, margin)

    def __len__(self) -> int:
        return len(self.places)

    @property
    def hours(self) -> float:
        """Of play."""
        return sum(len(one) for one in self.recorded) / 72_000

    def batch(
        self,
        indices: Sequence[int],
        randoms: Sequence[np.random.Generator],
        style: Augmentation,
        measured: bool = False,
    ) -> Example:
        """The clips of these numbers, each augmented by its own random stream.

        measured: as the motion network sees them, measured once and for all; then only colours can be augmented.
        """
        buttons = np.empty((len(indices), self.ticks, len(POLICY_BUTTONS)), np.int64)
        camera = np.empty((len(indices), self.ticks, 2), np.float32)
        weight = np.ones((len(indices), self.ticks), np.float32)
        clips = []
        for row, (index, random) in enumerate(zip(indices, randoms, strict=True)):
            number, start = self.places[index]
            one, stop = self.recorded[number], start + self.ticks
            mirror = bool(style.mirror and random.random() < style.mirror)
            if measured:
                clips.append(self._measured(number, start, style, mirror, random))
            else:
                clip = one.seen(start, stop, cursor=bool(random.random() < style.cursor))
                clips.append(augment(clip[:, :, ::-1] if mirror else clip, style, random))
            labels = one.buttons[start:stop], one.camera[start:stop]
            buttons[row], camera[row] = mirrored_labels(*labels) if mirror else labels
            if start > 0:
                weight[row, : self.margin] = 0
            weight[row, self.ticks - self.margin :] = 0
        inputs = _together(clips) if measured else np.stack(clips)
        return Example(inputs, buttons, camera, weight)

    def _measured(
        self, number: int, start: int, style: Augmentation, mirror: bool, random: np.random.Generator
    ) -> dict[str, np.ndarray]:
        if number not in self._measurements:
            self._measurements[number] = self.recorded[number].measured()
        arrays = self._measurements[number]
        stop = start + self.ticks
        patches = np.array(arrays["patches"][start : stop + 1])
        if len(patches) == self.ticks:
            patches = np.concatenate([patches, patches[-1:]])
        colours = replace(style, shaped=0.0)
        patches = augment(patches.reshape(*patches.shape[:2], -1, 3), colours, random).reshape(patches.shape)
        whole, quarters = arrays["whole"][start:stop], arrays["quarters"][start:stop]
        if mirror:
            rows = patches.reshape(-1, 8, 8, 8, 8, 3)  # patch row, patch column, row, column, colour
            patches = np.ascontiguousarray(rows[:, :, ::-1, :, ::-1]).reshape(patches.shape)
            whole, quarters = mirrored_maps(whole), mirrored_maps(quarters[:, [1, 0, 3, 2]])
        return {"patches": patches, "whole": whole, "quarters": quarters}


def _together(clips: Sequence[dict[str, np.ndarray]]) -> Any:
    import torch

    from idm.networks import Measured

    return Measured(**{name: torch.from_numpy(np.stack([clip[name] for clip in clips])) for name in _MEASURED})


def load_recordings(
    folders: Sequence[Pathlike] | Pathlike,
    cache: Pathlike,
    hours: float | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Recorded]:
    """Every recording below the folders that can be read, decoded into the cache. FormatError if there is none."""
    if isinstance(folders, (str, os.PathLike)):
        folders = [folders]
    found: list[Recorded] = []
    left = float("inf") if hours is None else hours * 72_000
    for folder in folders:
        for recording in find_recordings(folder):
            if left <= 0:
                break
            try:
                one = cached(recording, cache)
            except FormatError as error:
                if say:
                    say(f"left out: {error}")
                continue
            found.append(one)
            left -= len(one)
    if not found:
        raise FormatError(f"{', '.join(map(str, folders))}: no recording that can be read; make some: jarvis record")
    return found
