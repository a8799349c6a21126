"""Labels of videos of any length, as the frames come in.

    labeler = Labeler(network, device="cuda")
    for labels in labeler.label(frames): ...                   # one video
    for number, labels in labeler.label_many([frames, ...]):   # several, in shared batches

Each frame goes through the CNN once, in chunks, and only its feature is kept. Windows (idm/windows.py) share features,
so neither memory nor work grows with their overlap. Features of the `margin_ticks` frames at a window's edges depend on
what lies beyond: within the video that is true context, where a network that sees one window at a time has black
pictures. With `exact_edges` these few are computed as it would, and the labels are its labels; without, 6 % is saved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from idm.windows import Window, windows
from jarvis.core.actions import BUTTONS, POLICY_BUTTONS, VPT_CAMERA, CameraBins
from jarvis.core.errors import FormatError

__all__ = ["HEADS", "Labeler", "Labels", "Network", "decode"]

HEADS = (*POLICY_BUTTONS, "pitch", "yaw")  # of `confidence`, in its order

Frames = Iterable[np.ndarray]


@dataclass(frozen=True, eq=False)
class Labels:
    """What was done after each of n consecutive frames was seen."""

    buttons: np.ndarray  # (n, 23) uint8 in the order of BUTTONS; those that the model does not know (the last 3) are 0
    camera: np.ndarray  # (n, 2) float32 degrees (pitch, yaw); down and right are positive
    confidence: np.ndarray  # (n, 22) float32, 0 to 1, in the order of HEADS: the probability of the label given

    def __len__(self) -> int:
        return len(self.buttons)

    @classmethod
    def join(cls, parts: Sequence[Labels]) -> Labels:
        """One after the other; of none, no labels."""
        if not parts:
            return cls(
                np.zeros((0, len(BUTTONS)), np.uint8),
                np.zeros((0, 2), np.float32),
                np.zeros((0, len(HEADS)), np.float32),
            )
        return cls(*(np.concatenate([getattr(part, name) for part in parts])
                     for name in ("buttons", "camera", "confidence")))  # fmt: skip


class Network(Protocol):
    """What both kinds of networks offer: see `jarvis.vpt.VPTIDM` and `idm.networks.MotionIDM`."""

    config: Any  # window_ticks, margin_ticks, image_size

    def features(self, frames: Any, before: int = 0, after: int = 0) -> Tensor: ...

    def latents(self, features: Tensor) -> Tensor: ...

    def heads(self, latent: Tensor) -> dict[str, Tensor]: ...


def camera_of(config: Any) -> CameraBins:
    """The bins in which a network's camera is."""
    bins = getattr(config, "camera", None)
    if isinstance(bins, CameraBins):
        return bins
    if config.num_bins != VPT_CAMERA.num_bins:
        raise FormatError(f"a network with {config.num_bins} camera bins, expected VPT's {VPT_CAMERA.num_bins}")
    return VPT_CAMERA


def decode(output: dict[str, Tensor], camera: CameraBins, interpolate: bool) -> Labels:
    """Log-probabilities (n, 20, 2) and (n, 2, bins) as labels.

    The more probable class of each button. The camera is the centre of the most probable bin; with `interpolate`, for
    networks trained to give angles between two bins a share of both, it is the mean of the whole distribution, which
    has the least squared error where the network hesitates between two turns. Its confidence is then the probability of
    the three bins around that.
    """
    buttons = output["buttons_logp"].exp()
    chosen = buttons.argmax(-1)
    sure = buttons.gather(-1, chosen[..., None])[..., 0]
    axes = output["camera_logp"].exp()
    best = axes.argmax(-1)
    centres = torch.tensor(camera.centres, dtype=torch.float32, device=axes.device)
    if interpolate:
        degrees = (axes * centres).sum(-1)
        nearest = (degrees[..., None] - centres).abs().argmin(-1)
        near = (torch.arange(camera.num_bins, device=axes.device) - nearest[..., None]).abs() <= 1
        certain = (axes * near).sum(-1)
    else:
        certain, degrees = axes.gather(-1, best[..., None])[..., 0], centres[best]
    all_buttons = np.zeros((len(chosen), len(BUTTONS)), np.uint8)
    all_buttons[:, : chosen.shape[1]] = chosen.cpu().numpy()
    confidence = torch.cat([sure, certain], dim=-1).clamp(max=1).cpu().numpy()
    return Labels(all_buttons, degrees.cpu().numpy().astype(np.float32), confidence.astype(np.float32))


# a video is a generator of what it wants computed, and is sent the results: so several can share batches


@dataclass(frozen=True, eq=False)
class _Encode:
    frames: np.ndarray  # (before + ticks + after, height, width, 3) uint8
    before: int
    after: int

    @property
    def key(self) -> tuple[Any, ...]:
        return "encode", len(self.frames), self.before, self.after


@dataclass(frozen=True, eq=False)
class _Judge:
    features: Tensor  # (ticks, hidden) of a window

    @property
    def key(self) -> tuple[Any, ...]:
        return "judge", len(self.features)


_Job = _Encode | _Judge
_Video = Generator[_Job, Any, None]


class Labeler:
    """A network, where it runs, and how. Safe to be used by several threads, one call at a time in the network."""

    def __init__(
        self,
        network: Network,
        *,
        device: str | torch.device = "cpu",
        chunk: int | None = None,
        exact_edges: bool = True,
        batch_windows: int = 8,
    ) -> None:
        """chunk: frames of a video in the CNN at once. batch_windows: windows of several videos judged at once."""
        self.network, self.device = network, torch.device(device)
        config = network.config
        self.length, self.margin = int(config.window_ticks), int(config.margin_ticks)
        self.size = (int(config.image_size), int(config.image_size))  # width, height of the frames
        self.chunk = chunk or (64 if self.device.type == "cuda" else 16)
        # A network that does not look as far as the frames that are thrown away labels alike whatever is at the edges.
        reach = getattr(config, "reach_ticks", self.length)
        self.exact_edges, self.batch_windows = exact_edges and reach > self.length // 4, batch_windows
        self.camera = camera_of(config)
        self.interpolates = getattr(config, "camera", None) is self.camera
        self.heads = HEADS

    def label(self, frames: Frames) -> Iterator[Labels]:
        """The labels of one video, in its order.

        frames: (height, width, 3) uint8 RGB of `size`, one by one, or stacks of them (n, height, width, 3). They are
        taken only as they are needed. FormatError for frames of another size.
        """
        for _, labels in self.label_many([frames]):
            yield labels

    def label_many(self, videos: Sequence[Frames]) -> Iterator[tuple[int, Labels]]:
        """(number of the video, its next labels), the CNN and the windows of all of them in shared batches."""
        ready: list[deque[Labels]] = [deque() for _ in videos]
        running: dict[int, tuple[_Video, _Job]] = {}
        for number, frames in enumerate(videos):
            self._advance(running, number, self._video(iter(frames), ready[number]), None)
        while running:
            groups: dict[tuple[Any, ...], list[int]] = {}
            for number, (_, job) in running.items():
                groups.setdefault(job.key, []).append(number)
            for numbers in groups.values():
                for first in range(0, len(numbers), self.batch_windows):
                    some = numbers[first : first + self.batch_windows]
                    results = self._compute([running[number][1] for number in some])
                    for number, result in zip(some, results, strict=True):
                        self._advance(running, number, running.pop(number)[0], result)
            for number, queue in enumerate(ready):
                while queue:
                    yield number, queue.popleft()
        for number, queue in enumerate(ready):
            while queue:
                yield number, queue.popleft()

    def _advance(self, running: dict[int, tuple[_Video, _Job]], number: int, video: _Video, result: Any) -> None:
        try:
            running[number] = video, video.send(result)
        except StopIteration:
            running.pop(number, None)

    @torch.inference_mode()
    def _compute(self, jobs: Sequence[_Job]) -> list[Any]:
        first = jobs[0]
        if isinstance(first, _Encode):
            stack = np.stack([job.frames for job in jobs])  # type: ignore[union-attr]
            frames = torch.from_numpy(stack)
            if self.device.type == "cuda":
                frames = frames.pin_memory().to(self.device, non_blocking=True)
            return list(self.network.features(frames, first.before, first.after))
        latent = self.network.latents(torch.stack([job.features for job in jobs]))  # type: ignore[union-attr]
        output = self.network.heads(latent)
        return [{name: logp[row] for name, logp in output.items()} for row in range(len(jobs))]

    def _video(self, frames: Iterator[np.ndarray], ready: deque[Labels]) -> _Video:
        """One video's work, a job at a time."""
        source = _Source(frames, self.size)
        features: deque[Tensor] = deque()  # of frames [done - len, done)
        done = 0  # frames with a feature
        planned = _plan(self.length)
        window = next(planned)
        while True:
            # One frame more than the window holds tells whether it is the last.
            wanted = window.stop + 1
            while done < wanted and not (source.ended and done == source.count):
                source.pull(done + self.chunk + self.margin)
                stop = min(done + self.chunk, source.count)
                if done == stop:
                    break
                before, after = min(self.margin, done), min(self.margin, source.count - stop)
                encoded = yield _Encode(source.between(done - before, stop + after), before, after)
                features.extend(encoded)
                done = stop
                source.forget(done - self.length - self.chunk - self.margin - 1)
            if not source.count:
                return
            last = source.ended and source.count <= window.stop
            if last:
                window = Window(max(0, source.count - self.length), source.count, window.keep_from, source.count)
            while len(features) > done - window.start:
                features.popleft()
            seen = torch.stack([features[tick] for tick in range(window.stop - window.start)])
            if self.exact_edges:
                seen = yield from self._with_edges(seen, window, source)
            output = yield _Judge(seen)
            kept = slice(window.keep_from - window.start, window.keep_to - window.start)
            ready.append(decode({name: logp[kept] for name, logp in output.items()}, self.camera, self.interpolates))
            if last:
                return
            window = next(planned)

    def _with_edges(self, seen: Tensor, window: Window, source: _Source) -> Generator[_Job, Any, Tensor]:
        """The window's features with those at its inner edges as if the video were cut there."""
        length, margin = window.stop - window.start, self.margin
        if window.start > 0 and length > 2 * margin:
            edge = yield _Encode(source.between(window.start, window.start + 2 * margin), 0, margin)
            seen = torch.cat([edge, seen[margin:]])
        if window.stop < source.count and length > 2 * margin:
            edge = yield _Encode(source.between(window.stop - 2 * margin, window.stop), margin, 0)
            seen = torch.cat([seen[:-margin], edge])
        return seen


def _plan(length: int) -> Iterator[Window]:
    """The windows of a video that never ends."""
    yield from windows(1 << 62, length)


class _Source:
    """The frames of a video that are still needed."""

    def __init__(self, frames: Iterator[np.ndarray], size: tuple[int, int]) -> None:
        self._frames, self._shape = frames, (size[1], size[0], 3)
        self._held: deque[np.ndarray] = deque()
        self._first = 0  # number of the first held
        self.count = 0  # pulled so far
        self.ended = False

    def pull(self, count: int) -> None:
        """Takes frames until there were so many in all, or no more come."""
        while self.count < count and not self.ended:
            item = next(self._frames, None)
            if item is None:
                self.ended = True
                return
            for frame in item if item.ndim == 4 else item[None]:
                if frame.shape != self._shape or frame.dtype != np.uint8:
                    raise FormatError(
                        f"frame {self.count}: {frame.dtype} {frame.shape}, expected uint8 {self._shape}; "
                        "resize with data_pipelines.video.resize"
                    )
                self._held.append(frame)
                self.count += 1

    def between(self, start: int, stop: int) -> np.ndarray:
        """(stop - start, height, width, 3) uint8, a copy."""
        return np.stack([self._held[number - self._first] for number in range(start, stop)])

    def forget(self, number: int) -> None:
        """Drops the frames before this one."""
        while self._first < number and self._held:
            self._held.popleft()
            self._first += 1
