"""VPT's policy and inverse dynamics model, with the tensor names and shapes of the released weights.

    policy = build(tiny(), seed=0)                    # or jarvis.vpt.load_policy(...)
    state = policy.initial_state(batch)
    output, state = policy(frames, first, state)      # frames (batch, ticks, 128, 128, 3) uint8 RGB
    model = build(tiny_idm(), seed=0)                 # or jarvis.vpt.load_idm(...)
    output = model(frames)

Frames may be a numpy array or a tensor on any device; they go to the model's device a few at a time. When no gradient
is wanted the CNN runs over `frames_per_chunk` frames at once, so its memory does not grow with the clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from jarvis.vpt.config import IDMConfig, InputError, NetConfig, PolicyConfig
from jarvis.vpt.layers import FanInConv, FanInLinear, ImageEncoder, LayerNorm, pixel_convolution
from jarvis.vpt.transformer import PolicyState, Transformer

__all__ = ["VPTIDM", "VPTPolicy", "ValueNormalizer"]

CHUNK_CHANNELS = 1024  # full-size feature maps in the CNN at once, 64 KB each; a layer takes a few times that

Frames = np.ndarray | Tensor
SomeNetwork = TypeVar("SomeNetwork", bound="FrameNetwork")


class Net(nn.Module):
    """From frames to the latents that the heads read."""

    def __init__(self, config: NetConfig, inputs: int, normed: bool, memory: int) -> None:
        super().__init__()
        self.img_process = ImageEncoder(config, inputs, normed)
        self.recurrent_layer = Transformer(config, memory)
        self.lastlayer = FanInLinear(config.hidden, config.hidden)
        self.final_ln = LayerNorm(config.hidden)


class TemporalConv(nn.Module):
    """Each pixel's values over the frames around, to features: a convolution over time alone, with a bias, and ReLU."""

    def __init__(self, outputs: int, ticks: int) -> None:
        super().__init__()
        self.layer = nn.Conv3d(3, outputs, (ticks, 1, 1), padding=(ticks // 2, 0, 0))

    def forward(self, windows: Tensor) -> Tensor:
        """(images, height, width, 3 * ticks) uint8, time fastest -> (images, outputs, height, width)."""
        weight = self.layer.weight.flatten(1)[:, :, None, None]  # the same sum as a 1x1 convolution
        return functional.relu_(pixel_convolution(windows.permute(0, 3, 1, 2), weight, self.layer.bias))


class IDMNet(Net):
    def __init__(self, config: IDMConfig) -> None:
        super().__init__(config, inputs=config.conv_channels, normed=True, memory=0)
        self.conv3d_layer = TemporalConv(config.conv_channels, config.conv_ticks)


class Head(nn.Module):
    """Logits over `classes` classes, for `groups` independent choices, divided by the temperature."""

    def __init__(self, config: NetConfig, groups: int, classes: int) -> None:
        super().__init__()
        self.linear_layer = nn.Linear(config.hidden, groups * classes)
        self.groups, self.classes, self.temperature = groups, classes, config.temperature

    def forward(self, latent: Tensor) -> Tensor:
        """(..., hidden) -> (..., groups, classes) float32 log-probabilities."""
        logits = self.linear_layer(latent).float() / self.temperature
        return functional.log_softmax(logits.unflatten(-1, (self.groups, self.classes)), dim=-1)


class ValueNormalizer(nn.Module):
    """Running mean and variance of the value targets, in which the value head thinks."""

    BETA = 0.99999  # of the exponential average, a step
    EPSILON = 1e-5  # least weight of the average
    LEAST_VARIANCE = 1e-2

    def __init__(self) -> None:
        super().__init__()
        self.running_mean = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.running_mean_sq = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.debiasing_term = nn.Parameter(torch.zeros(()), requires_grad=False)

    def mean_and_variance(self) -> tuple[Tensor, Tensor]:
        """Two (1,) tensors; 0 and 0.01 before the first update."""
        weight = self.debiasing_term.clamp(min=self.EPSILON)
        mean = self.running_mean / weight
        return mean, (self.running_mean_sq / weight - mean**2).clamp(min=self.LEAST_VARIANCE)

    def normalise(self, value: Tensor) -> Tensor:
        """Reward units -> the value head's units."""
        mean, variance = self.mean_and_variance()
        return (value - mean) / variance.sqrt()

    def denormalise(self, value: Tensor) -> Tensor:
        """The value head's units -> reward units."""
        mean, variance = self.mean_and_variance()
        return value * variance.sqrt() + mean

    @torch.no_grad()
    def update(self, targets: Tensor) -> None:
        """Takes a batch of value targets into the running averages."""
        self.running_mean.lerp_(targets.float().mean()[None], 1 - self.BETA)
        self.running_mean_sq.lerp_(targets.float().square().mean()[None], 1 - self.BETA)
        self.debiasing_term.lerp_(torch.ones_like(self.debiasing_term), 1 - self.BETA)


class ValueHead(nn.Module):
    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.hidden, 1)
        self.normalizer = ValueNormalizer()

    def forward(self, latent: Tensor) -> Tensor:
        """(..., hidden) -> (...) normalised values."""
        return self.linear(latent).float().squeeze(-1)

    def loss(self, value: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of normalised values against targets in reward units, once the averages know them."""
        self.normalizer.update(targets)
        return functional.mse_loss(value, self.normalizer.normalise(targets))


class FrameNetwork(nn.Module):
    """What both networks do with frames: check them, take them to the device, run the CNN in chunks."""

    net: Net
    frames_per_chunk: int  # frames in the CNN at once when no gradient is wanted; more may be faster on a GPU
    recompute_features: bool = False  # in training, trade a second CNN pass for the memory of its activations
    frozen_names: tuple[str, ...] = ()  # ends of the names of parameters that nothing depends on

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        self.frames_per_chunk = max(1, CHUNK_CHANNELS // config.channels[0])

    @property
    def device(self) -> torch.device:
        """Where the model is, and where its outputs are."""
        return self.net.final_ln.weight.device

    def trainable(self: SomeNetwork, on: bool = True) -> SomeNetwork:
        """Switches gradients on or off, but for parameters that no output depends on, and returns the model."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(on and not name.endswith(self.frozen_names))
        for module in self.modules():
            if on and isinstance(module, FanInConv):
                module.fast = None  # prepared from weights that are about to change
        return self.train(on)

    def extra_repr(self) -> str:
        return repr(self.config)

    def _checked(self, frames: Frames) -> Tensor:
        size = self.config.image_size
        expected = f"(batch, ticks, {size}, {size}, 3) uint8 RGB"
        if isinstance(frames, np.ndarray):
            if frames.dtype != np.uint8:
                raise InputError(f"frames: {frames.dtype}, expected {expected}, 0 to 255")
            # NOTE: a read-only array would make torch warn about writes that never happen here.
            frames = torch.from_numpy(frames if frames.flags.writeable else frames.copy())
        if frames.dtype != torch.uint8:
            raise InputError(f"frames: {frames.dtype}, expected {expected}, 0 to 255")
        if frames.ndim != 5 or tuple(frames.shape[2:]) != (size, size, 3) or 0 in frames.shape:
            raise InputError(f"frames: shape {tuple(frames.shape)}, expected {expected}, at least one of each")
        return frames

    def _chunks(self, batch: int, ticks: int) -> Iterator[tuple[slice, slice]]:
        """Rectangles of streams and ticks that the CNN sees at once; all of them when gradients are wanted."""
        chunk = self.frames_per_chunk
        if not self.recompute_features and self._wants_gradient():
            chunk = batch * ticks
        rows, width = max(1, chunk // ticks), min(ticks, chunk)
        for row in range(0, batch, rows):
            for tick in range(0, ticks, width):
                yield slice(row, min(row + rows, batch)), slice(tick, min(tick + width, ticks))

    def _wants_gradient(self) -> bool:
        return torch.is_grad_enabled() and any(p.requires_grad for p in self.net.img_process.parameters())

    def _encode(self, images: Any, batch: int, ticks: int) -> Tensor:
        """(batch, ticks, hidden) features of `images(rows, ticks)`, which gives a chunk's (rows, ticks, ...) frames."""
        recompute = self.recompute_features and self._wants_gradient()
        encode = self._encode_chunk
        columns: dict[int, list[Tensor]] = {}
        for rows, some in self._chunks(batch, ticks):
            part = images(rows, some).to(self.device, non_blocking=True)
            shape = part.shape[:2]
            part = part.flatten(0, 1)
            encoded = checkpoint(encode, part, use_reentrant=False) if recompute else encode(part)
            columns.setdefault(rows.start, []).append(encoded.unflatten(0, shape))
        strips = [torch.cat(parts, dim=1) if len(parts) > 1 else parts[0] for parts in columns.values()]
        return torch.cat(strips) if len(strips) > 1 else strips[0]

    def _encode_chunk(self, frames: Tensor) -> Tensor:
        raise NotImplementedError


class VPTPolicy(FrameNetwork):
    """A policy over the joint action space, with a memory."""

    frozen_names: tuple[str, ...] = ("running_mean", "running_mean_sq", "debiasing_term")
    config: PolicyConfig

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__(config)
        self.net = Net(config, inputs=3, normed=False, memory=config.memory_ticks)
        self.value_head = ValueHead(config)
        self.pi_head = nn.ModuleDict(
            {"camera": Head(config, 1, config.num_camera), "buttons": Head(config, 1, config.num_buttons)}
        )
        self.trainable()

    def initial_state(self, batch: int) -> PolicyState:
        """The state of `batch` streams that have seen nothing."""
        config = self.config
        shape = (batch, config.heads, config.memory_ticks, config.head_width)
        zeros = tuple(torch.zeros(shape, device=self.device) for _ in range(config.layers))
        return PolicyState(zeros, zeros, torch.zeros(shape[0], shape[2], dtype=torch.bool, device=self.device))

    def forward(
        self, frames: Frames, first: np.ndarray | Tensor, state: PolicyState
    ) -> tuple[dict[str, Tensor], PolicyState]:
        """The next ticks of some streams.

        frames: (batch, ticks, size, size, 3) uint8 RGB. first: (batch, ticks) bool, true where a tick begins an
        episode; it may be at any tick. Returns log-probabilities "buttons_logp" (batch, ticks, 8641) and "camera_logp"
        (batch, ticks, 121), "value" (batch, ticks) in normalised units, all float32, and the state after the last tick.
        However the ticks are cut into calls, the results agree.
        """
        latent, state = self.latents(self.features(frames), first, state)
        return self.heads(latent), state

    def features(self, frames: Frames) -> Tensor:
        """(batch, ticks, size, size, 3) uint8 -> (batch, ticks, hidden): each frame by itself."""
        frames = self._checked(frames)
        return self._encode(lambda rows, ticks: frames[rows, ticks], *frames.shape[:2])

    def latents(self, features: Tensor, first: np.ndarray | Tensor, state: PolicyState) -> tuple[Tensor, PolicyState]:
        """(batch, ticks, hidden) features -> what the heads read, of the same shape, and the state."""
        first = torch.as_tensor(first, device=features.device)
        if first.dtype != torch.bool or first.shape != features.shape[:2]:
            raise InputError(
                f"first: {first.dtype} {tuple(first.shape)}, expected bool {tuple(features.shape[:2])}, (batch, ticks)"
            )
        if state.batch != features.shape[0]:
            raise InputError(f"state: {state.batch} streams, but frames of {features.shape[0]}")
        x, state = self.net.recurrent_layer.remember(features, first, state)
        return self.net.final_ln(self.net.lastlayer(functional.relu(x))), state

    def heads(self, latent: Tensor) -> dict[str, Tensor]:
        """(batch, ticks, hidden) latents -> the outputs of `forward`."""
        return {
            "buttons_logp": self.pi_head["buttons"](latent).squeeze(-2),
            "camera_logp": self.pi_head["camera"](latent).squeeze(-2),
            "value": self.value_head(latent),
        }

    def denormalise_value(self, value: Tensor) -> Tensor:
        """The outputs' "value" -> reward units."""
        return self.value_head.normalizer.denormalise(value)

    def _encode_chunk(self, frames: Tensor) -> Tensor:
        return self.net.img_process(frames.permute(0, 3, 1, 2))


class VPTIDM(FrameNetwork):
    """The inverse dynamics model: what was pressed at each frame of a clip, from the frames before and after."""

    frozen_names: tuple[str, ...] = ("b_nd", "r_layer.weight", "r_layer.bias")
    config: IDMConfig

    def __init__(self, config: IDMConfig) -> None:
        super().__init__(config)
        if not config.apply_lastlayer:
            self.frozen_names += ("lastlayer.norm.weight", "lastlayer.norm.bias", "lastlayer.layer.weight")
        self.net: IDMNet = IDMNet(config)
        self.pi_head = nn.ModuleDict(
            {"buttons": Head(config, config.num_buttons, 2), "camera": Head(config, 2, config.num_bins)}
        )
        self.trainable()

    def forward(self, frames: Frames) -> dict[str, Tensor]:
        """Labels of whole clips, whose first and last frames have nothing beyond them.

        frames: (batch, ticks, size, size, 3) uint8 RGB. Returns float32 log-probabilities "buttons_logp"
        (batch, ticks, 20, 2), released and pressed, and "camera_logp" (batch, ticks, 2, 11), pitch and yaw.
        """
        return self.heads(self.latents(self.features(frames)))

    def features(self, frames: Frames, before: int = 0, after: int = 0) -> Tensor:
        """Features of the frames without the `before` first and `after` last ones, which are context only.

        (batch, before + ticks + after, size, size, 3) uint8 -> (batch, ticks, hidden). The temporal convolution sees
        `config.margin_ticks` frames on either side; those not given are black, as at the ends of a clip. So
        overlapping clips can share features, but for the `margin_ticks` frames at each of their ends.
        """
        frames = self._checked(frames)
        margin = self.config.margin_ticks
        if not (0 <= before <= margin and 0 <= after <= margin and before + after < frames.shape[1]):
            raise InputError(
                f"before {before}, after {after}: expected 0 to {margin} context frames each, and a frame between"
            )

        def windows(rows: slice, ticks: slice) -> Tensor:
            start, stop = ticks.start + before - margin, ticks.stop + before + margin
            near = frames[rows, max(start, 0) : stop]
            black = (0, 0) * 3 + (max(-start, 0), max(stop - frames.shape[1], 0))
            padded = functional.pad(near.to(self.device, non_blocking=True), black)
            return padded.unfold(1, 2 * margin + 1, 1).flatten(4)

        return self._encode(windows, frames.shape[0], frames.shape[1] - before - after)

    def latents(self, features: Tensor) -> Tensor:
        """(batch, ticks, hidden) features of whole clips -> what the heads read, of the same shape."""
        x = functional.relu(self.net.recurrent_layer(features))
        return self.net.final_ln(self.net.lastlayer(x) if self.config.apply_lastlayer else x)

    def heads(self, latent: Tensor) -> dict[str, Tensor]:
        """(batch, ticks, hidden) latents -> the outputs of `forward`."""
        return {f"{name}_logp": head(latent) for name, head in self.pi_head.items()}

    def _encode_chunk(self, windows: Tensor) -> Tensor:
        return self.net.img_process(self.net.conv3d_layer(windows))
