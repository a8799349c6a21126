"""A small inverse dynamics model: how the picture moved, and what changed in it, from each frame to the next.

    model = build_motion(small(), seed=0)
    output = model(frames)                       # as jarvis.vpt's: (batch, ticks, 128, 128, 3) uint8 RGB

VPT's network learns to see motion from pixels, with a thousand times the arithmetic. Here motion is measured: the
phase correlation of two frames (Kuglin and Hines 1975) has its peak where the one lies on the other. The map around it
for the whole view, and for its quarters, goes into a small CNN; another sees the frames at half their size. What they
find for a frame is its feature; a few dilated convolutions over time put them into context, 15 frames either way.

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

__all__ = ["MotionConfig", "MotionIDM", "build_motion", "motion_config", "small", "tiny"]

VIEW = slice(8, 104)  # rows in which motion is measured: without the hotbar
REACH = (32, 40)  # rows and columns of displacement seen in the whole view, either way
QUARTER_REACH = 12  # in its quarters
SMOOTHING = 0.12  # standard deviation of the filter on the cross spectrum, in cycles per pixel


@dataclass(frozen=True)
class MotionConfig:
    """The sizes of a MotionIDM."""

    picture_channels: tuple[int, ...] = (24, 48, 64, 96)  # of the CNN on frames of half size, each halves them
    motion_channels: tuple[int, ...] = (8, 16, 24)  # of the CNN on the map of the whole view
    quarter_channels: tuple[int, ...] = (16, 32)  # of the CNN on the maps of the quarters
    hidden: int = 192  # width of a feature
    dilations: tuple[int, ...] = (1, 2, 4, 8)  # of the convolutions over time, three frames each
    camera_bins: int = 41  # classes of each camera axis, between which the angle is interpolated
    camera_mu: float = 10.0
    camera_degrees: float = 30.0  # the outermost bins; faster turns are labelled as this
    num_buttons: int = len(POLICY_BUTTONS)
    window_ticks: int = 128  # frames of a window
    image_size: int = 128

    def __post_init__(self) -> None:
        for name in ("picture_channels", "motion_channels", "quarter_channels", "dilations"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.image_size != 128:
            raise JarvisError(f"MotionConfig: image_size {self.image_size}, only 128 is possible")

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
    return MotionConfig((4, 6, 8, 8), (2, 4, 4), (2, 4), hidden=16, dilations=(1, 2), camera_bins=11, window_ticks=16)


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
        for module in model.modules():
            if isinstance(module, (nn.Conv1d, nn.Conv2d)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        for block in model.context:
            nn.init.zeros_(block.out.weight)
            nn.init.zeros_(block.out.bias)
    return model


def _convolutions(inputs: int, widths: tuple[int, ...], kernel: int) -> nn.Sequential:
    """Each halves the picture; the first has the larger kernel."""
    layers: list[nn.Module] = []
    for number, width in enumerate(widths):
        size = kernel if number == 0 else 3
        layers += [nn.Conv2d(inputs, width, size, stride=2, padding=(size - 1) // 2), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers, nn.Flatten())


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


class MotionIDM(nn.Module):
    """Frames -> what was pressed and how the mouse moved, at each of them."""

    frames_per_chunk = 128  # frames measured at once when no gradient is wanted

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        self.picture = _convolutions(6, config.picture_channels, 4)
        self.motion = _convolutions(1, config.motion_channels, 5)
        self.quarters = _convolutions(4, config.quarter_channels, 3)
        with torch.no_grad():
            sizes = [
                part(torch.zeros(1, *shape)).shape[1]
                for part, shape in (
                    (self.picture, (6, 64, 64)),
                    (self.motion, (1, 2 * REACH[0], 2 * REACH[1])),
                    (self.quarters, (4, 2 * QUARTER_REACH, 2 * QUARTER_REACH)),
                )
            ]
        self.join = nn.Linear(sum(sizes), config.hidden)
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

    def forward(self, frames: np.ndarray | Tensor) -> dict[str, Tensor]:
        """Whole clips (batch, ticks, 128, 128, 3) uint8 RGB -> float32 log-probabilities.

        "buttons_logp" (batch, ticks, 20, 2), released and pressed, and "camera_logp" (batch, ticks, 2, camera_bins),
        pitch and yaw.
        """
        return self.heads(self.latents(self.features(frames)))

    def features(self, frames: np.ndarray | Tensor, before: int = 0, after: int = 0) -> Tensor:
        """(batch, before + ticks + after, 128, 128, 3) uint8 -> (batch, ticks, hidden), see `VPTIDM.features`."""
        frames = torch.as_tensor(frames)
        if frames.dtype != torch.uint8 or frames.ndim != 5 or tuple(frames.shape[2:]) != (128, 128, 3):
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
        parts = [self._encode(frames[:, tick : tick + chunk + 1]) for tick in range(0, ticks, chunk)]
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def _encode(self, frames: Tensor) -> Tensor:
        """(batch, ticks + 1, 128, 128, 3) -> (batch, ticks, hidden)."""
        with torch.no_grad():
            pixels = frames.to(self.device, non_blocking=True).permute(0, 1, 4, 2, 3).float() / 255
            whole, quarters = displacement_maps(pixels.mean(2))
            halved = functional.avg_pool2d(pixels.flatten(0, 1), 2).unflatten(0, pixels.shape[:2])
            pair = torch.cat([halved[:, :-1] - 0.5, 2 * (halved[:, 1:] - halved[:, :-1])], dim=2).flatten(0, 1)
            pair = pair.contiguous(memory_format=torch.channels_last)
        found = torch.cat([self.picture(pair), self.motion(whole), self.quarters(quarters)], dim=1)
        return self.norm(functional.relu(self.join(found))).float().unflatten(0, (frames.shape[0], -1))

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


def displacement_maps(grey: Tensor) -> tuple[Tensor, Tensor]:
    """(batch, ticks + 1, 128, 128) -> maps of where each frame lies on the one before, flattened over batch and ticks.

    The whole view, (many, 1, 64, 80), and its quarters, (many, 4, 24, 24); no displacement is in the middle. A picture
    correlated with itself has a peak of about 4.
    """
    view = grey[..., VIEW, :]
    high, wide = view.shape[-2] // 2, view.shape[-1] // 2
    quarters = view.unflatten(-1, (2, wide)).unflatten(-3, (2, high)).movedim(-2, -3)  # (b, t, 2, 2, high, wide)
    quarters = quarters.flatten(2, 3)
    whole = _phase_correlation(view, *REACH)
    return whole.flatten(0, 1)[:, None], _phase_correlation(quarters, QUARTER_REACH, QUARTER_REACH).flatten(0, 1)


def _phase_correlation(images: Tensor, rows: int, columns: int) -> Tensor:
    """(batch, ticks + 1, ..., height, width) -> (batch, ticks, ..., 2 * rows, 2 * columns)."""
    height, width = images.shape[-2:]
    options = {"dtype": images.dtype, "device": images.device}
    window = torch.hann_window(height, **options)[:, None] * torch.hann_window(width, **options)
    images = (images - images.mean((-2, -1), keepdim=True)) * window
    spectrum = torch.fft.rfft2(images)
    cross = spectrum[:, :-1].conj() * spectrum[:, 1:]
    frequency = torch.fft.fftfreq(height, **options).square()[:, None] + torch.fft.rfftfreq(width, **options).square()
    # NOTE: a little is added to the magnitude, so that the noise of a plain wall does not count as a picture.
    cross = cross * torch.exp(-frequency / (2 * SMOOTHING**2)) / (cross.abs() + 1e-2)
    surface = torch.fft.irfft2(cross, s=(height, width)) * (4 / (2 * torch.pi * SMOOTHING**2))
    surface = surface.roll((rows, columns), dims=(-2, -1))
    return surface[..., : 2 * rows, : 2 * columns]
