"""A small inverse dynamics model: how the picture moved, and what changed in it, from each frame to the next.

    model = build_motion(small(), seed=0)
    output = model(frames)                       # as jarvis.vpt's: (batch, ticks, 128, 128, 3) uint8 RGB

VPT's network learns to see motion from pixels, with thousands of times the arithmetic. Here motion is measured: the
phase correlation of two frames (Kuglin and Hines 1975) has its peak where the one lies on the other. The maps around
it, for the whole view and for its quarters, and the places of their peaks, go into the network, and so do both frames
at half their size, patch by patch. All of it is small matrix products, which a processor does well. What they find for
a frame is its feature; a few dilated convolutions over time put features into context, 15 frames either way.

The network has the interface of `jarvis.vpt.VPTIDM`: features of frames, latents of a clip's features, heads. The
feature of a frame needs the one after it; the last frame of a clip is compared with itself.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from jarvis.core.actions import POLICY_BUTTONS, CameraBins
from jarvis.core.errors import FormatError, JarvisError
from jarvis.core.random_streams import stream_seed

__all__ = ["Measured", "MotionConfig", "MotionIDM", "build_motion", "measure", "motion_config", "small", "tiny"]

VIEW = slice(8, 104)  # rows in which motion is measured: without the hotbar
REACH = (32, 40)  # rows and columns of displacement seen in the whole view, either way
QUARTER_REACH = 12  # in its quarters
SMOOTHING = 0.12  # standard deviation of the filter on the cross spectrum, in cycles per pixel
HALF = 64  # pixels along a side of the pictures
PATCH = 8  # of a patch


@dataclass(frozen=True)
class MotionConfig:
    """The sizes of a MotionIDM."""

    patch_width: int = 48  # features of a patch of the picture
    patch_out: int = 32  # of which so many go on
    picture_width: int = 192  # what all patches tell together
    motion_width: int = 96  # what the map of the whole view tells
    quarter_width: int = 64  # what the maps of the quarters tell
    hidden: int = 192  # width of a feature
    dilations: tuple[int, ...] = (1, 2, 4, 8)  # of the convolutions over time, three frames each
    dropout: float = 0.1  # of the patches' features
    camera_bins: int = 41  # classes of each camera axis, between which the angle is interpolated
    camera_mu: float = 10.0
    camera_degrees: float = 30.0  # the outermost bins; faster turns are labelled as this
    num_buttons: int = len(POLICY_BUTTONS)
    window_ticks: int = 128  # frames of a window
    image_size: int = 128

    def __post_init__(self) -> None:
        object.__setattr__(self, "dilations", tuple(self.dilations))
        if self.image_size != 2 * HALF:
            raise JarvisError(f"MotionConfig: image_size {self.image_size}, only {2 * HALF} is possible")

    @property
    def margin_ticks(self) -> int:
        """Frames on either side that a feature may depend on: in truth the next one, and none before."""
        return 1

    @property
    def reach_ticks(self) -> int:
        """Frames on either side that a label depends on."""
        return sum(self.dilations) + 1

    @cached_property
    def camera(self) -> CameraBins:
        """The bins of a camera axis."""
        return CameraBins(self.camera_bins, self.camera_mu, self.camera_degrees)


def small() -> MotionConfig:
    """The one that ships."""
    return MotionConfig()


def tiny() -> MotionConfig:
    """For tests."""
    return MotionConfig(8, 4, 16, 8, 8, hidden=16, dilations=(1, 2), camera_bins=11, window_ticks=16)


def motion_config(value: dict[str, Any], place: str) -> MotionConfig:
    """The config that `dataclasses.asdict` wrote. FormatError for an unknown field."""
    known = {field.name for field in dataclasses.fields(MotionConfig)}
    for key in value:
        if key not in known:
            raise FormatError(f"{place}: unknown field {key!r} of a motion network")
    return MotionConfig(**value)


def build_motion(config: MotionConfig, seed: int) -> MotionIDM:
    """A network ready for training. The same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "motion") % 2**63)
        model = MotionIDM(config)
        for block in model.context:  # each begins as the identity
            nn.init.zeros_(block.out.weight)
            nn.init.zeros_(block.out.bias)
    return model


class ContextBlock(nn.Module):
    """x + what a convolution over three frames, so far apart, finds."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, ticks, width) -> the same shape."""
        mixed = self.mix(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.out(functional.gelu(mixed))


@dataclass(frozen=True, eq=False)
class Measured:
    """What the network sees of `ticks + 1` frames."""

    patches: Tensor  # (..., ticks + 1, 64, 192) uint8: 8 x 8 patches of the pictures at half their size
    whole: Tensor  # (..., ticks, 64, 80) map of the whole view: no displacement is in the middle
    quarters: Tensor  # (..., ticks, 4, 24, 24) maps of its quarters

    def rows(self, rows: np.ndarray) -> Measured:
        """Some of a batch."""
        return Measured(self.patches[rows], self.whole[rows], self.quarters[rows])


class MotionIDM(nn.Module):
    """Frames -> what was pressed and how the mouse moved, at each of them."""

    frames_per_chunk = 128  # frames measured at once when no gradient is wanted

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        patches = (HALF // PATCH) ** 2
        self.patch = nn.Linear(3 * PATCH**2, 2 * config.patch_width, bias=False)  # of the picture, of its change
        self.place = nn.Parameter(0.02 * torch.randn(patches, config.patch_width))
        self.patch_out = nn.Linear(config.patch_width, config.patch_out)
        self.drop = nn.Dropout(config.dropout)
        self.picture = nn.Linear(patches * config.patch_out, config.picture_width)
        self.motion = nn.Linear(4 * REACH[0] * REACH[1], config.motion_width)
        self.quarters = nn.Linear(16 * QUARTER_REACH**2, config.quarter_width)
        found = config.picture_width + config.motion_width + config.quarter_width + 5 * 3
        self.join = nn.Linear(found, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)
        self.context = nn.ModuleList(ContextBlock(config.hidden, dilation) for dilation in config.dilations)
        self.last = nn.LayerNorm(config.hidden)
        self.buttons = nn.Linear(config.hidden, config.num_buttons * 2)
        self.camera = nn.Linear(config.hidden, 2 * config.camera_bins)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.join.weight.device

    def trainable(self, on: bool = True) -> MotionIDM:
        """Switches gradients on or off, and returns the model."""
        return self.requires_grad_(on).train(on)

    def forward(self, frames: np.ndarray | Tensor | Measured) -> dict[str, Tensor]:
        """Whole clips (batch, ticks, 128, 128, 3) uint8 RGB -> float32 log-probabilities.

        "buttons_logp" (batch, ticks, 20, 2), released and pressed, and "camera_logp" (batch, ticks, 2, camera_bins),
        pitch and yaw. Clips that were measured already, (batch, ticks) of them, may come in place of frames.
        """
        features = self.encode(frames) if isinstance(frames, Measured) else self.features(frames)
        return self.heads(self.latents(features))

    def features(self, frames: np.ndarray | Tensor, before: int = 0, after: int = 0) -> Tensor:
        """(batch, before + ticks + after, 128, 128, 3) uint8 -> (batch, ticks, hidden), see `VPTIDM.features`."""
        frames = torch.as_tensor(frames)
        if frames.dtype != torch.uint8 or frames.ndim != 5 or tuple(frames.shape[2:]) != (2 * HALF, 2 * HALF, 3):
            raise JarvisError(
                f"frames: {frames.dtype} {tuple(frames.shape)}, expected (batch, ticks, 128, 128, 3) uint8 RGB"
            )
        if not (0 <= before <= 1 and 0 <= after <= 1 and before + after < frames.shape[1]):
            raise JarvisError(f"before {before}, after {after}: expected 0 or 1 context frame, and a frame between")
        frames = frames[:, before:]
        if not after:
            frames = torch.cat([frames, frames[:, -1:]], dim=1)
        ticks = frames.shape[1] - 1
        chunk = ticks if torch.is_grad_enabled() else max(1, self.frames_per_chunk // len(frames))
        parts = []
        for tick in range(0, ticks, chunk):
            seen = frames[:, tick : min(tick + chunk, ticks) + 1]
            parts.append(self.encode(measure(seen.to(self.device, non_blocking=True))))
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def encode(self, measured: Measured) -> Tensor:
        """Measured (batch, ticks + 1) frames -> (batch, ticks, hidden)."""
        now, change = self.patch(measured.patches.to(self.device).float() / 255 - 0.5).chunk(2, dim=-1)
        seen = functional.relu(now[:, :-1] + 2 * (change[:, 1:] - change[:, :-1]) + self.place)
        seen = functional.relu(self.patch_out(seen)).flatten(2)
        maps = [values.to(self.device).float() for values in (measured.whole, measured.quarters)]
        peaks = torch.cat([peaks_of(maps[0][:, :, None]), peaks_of(maps[1])], dim=2).flatten(2)
        found = [
            functional.relu(self.picture(self.drop(seen))),
            functional.relu(self.motion(maps[0].flatten(2))),
            functional.relu(self.quarters(maps[1].flatten(2))),
            peaks,
        ]
        return self.norm(functional.relu(self.join(torch.cat(found, dim=-1)))).float()

    def latents(self, features: Tensor) -> Tensor:
        """(batch, ticks, hidden) features of whole clips -> what the heads read, of the same shape."""
        x = features
        for block in self.context:
            x = block(x)
        return self.last(x)

    def heads(self, latent: Tensor) -> dict[str, Tensor]:
        """(batch, ticks, hidden) latents -> the outputs of `forward`."""
        buttons = self.buttons(latent).float().unflatten(-1, (self.config.num_buttons, 2))
        camera = self.camera(latent).float().unflatten(-1, (2, self.config.camera_bins))
        return {"buttons_logp": buttons.log_softmax(-1), "camera_logp": camera.log_softmax(-1)}


@torch.no_grad()
def measure(frames: Tensor) -> Measured:
    """(batch, ticks + 1, 128, 128, 3) uint8 frames -> what the network sees of them. A perfect match peaks at 4."""
    # NOTE: sums of four whole numbers, so that the halved picture is the same on every machine.
    rows = frames[:, :, 0::2].to(torch.int16) + frames[:, :, 1::2]
    halved = ((rows[..., 0::2, :] + rows[..., 1::2, :] + 2) >> 2).to(torch.uint8)
    side = HALF // PATCH
    patches = halved.unflatten(3, (side, PATCH)).unflatten(2, (side, PATCH)).transpose(3, 4).flatten(2, 3).flatten(3)
    seen = frames[:, :, VIEW].to(torch.int16)
    view = (seen[..., 0] + seen[..., 1] + seen[..., 2]).float() / (3 * 255)
    high, wide = view.shape[-2] // 2, view.shape[-1] // 2
    quarters = view.unflatten(-1, (2, wide)).unflatten(-3, (2, high)).movedim(-2, -3).flatten(2, 3)
    return Measured(
        patches, _phase_correlation(view, *REACH), _phase_correlation(quarters, QUARTER_REACH, QUARTER_REACH)
    )


def _phase_correlation(images: Tensor, rows: int, columns: int) -> Tensor:
    """(batch, ticks + 1, ..., height, width) -> (batch, ticks, ..., 2 * rows, 2 * columns)."""
    height, width = images.shape[-2:]
    options = {"dtype": images.dtype, "device": images.device}
    window = torch.hann_window(height, **options)[:, None] * torch.hann_window(width, **options)
    images = (images - images.mean((-2, -1), keepdim=True)) * window
    spectrum = torch.fft.rfft2(images)
    cross = spectrum[:, :-1].conj() * spectrum[:, 1:]
    frequency = torch.fft.fftfreq(height, **options).square()[:, None] + torch.fft.rfftfreq(width, **options).square()
    passed = torch.exp(-frequency / (2 * SMOOTHING**2)) * (4 / (2 * torch.pi * SMOOTHING**2))
    # NOTE: a little is added to the magnitude, so that the noise of a plain wall does not count as a picture.
    surface = torch.fft.irfft2(cross * (passed / (cross.abs() + 1e-2)), s=(height, width))
    return surface.roll((rows, columns), dims=(-2, -1))[..., : 2 * rows, : 2 * columns]


def peaks_of(maps: Tensor) -> Tensor:
    """(..., rows, columns) maps -> (..., 3): the peak's row and column, -1 to 1 with 0 in the middle, and its height.

    Between pixels: the centre of mass of the three by three around the highest.
    """
    rows, columns = maps.shape[-2:]
    height, place = maps.flatten(-2).max(-1)
    row, column = place // columns, place % columns
    steps = torch.tensor([-1, 0, 1], device=maps.device)
    near_rows = (row[..., None] + steps).clamp(0, rows - 1)
    near_columns = (column[..., None] + steps).clamp(0, columns - 1)
    places = near_rows[..., :, None] * columns + near_columns[..., None, :]
    mass = maps.flatten(-2).gather(-1, places.flatten(-2)).unflatten(-1, (3, 3)).clamp(min=0) + 1e-9
    total = mass.sum((-2, -1))
    fine_row = (mass.sum(-1) * near_rows).sum(-1) / total
    fine_column = (mass.sum(-2) * near_columns).sum(-1) / total
    middle = torch.tensor([rows // 2, columns // 2], device=maps.device)
    return torch.stack([fine_row / middle[0] - 1, fine_column / middle[1] - 1, height], dim=-1)
