"""The pieces of VPT's networks up to the transformer: fan-in layers and the IMPALA CNN.

A fan-in layer is `relu(layer(norm(x)))`: the norm comes first, and takes the place of the layer's bias.

Matrix products and convolutions run in the type of their weights; norms and everything that is summed up along the
network stay in float32. So casting the weights (`cast_products`) is all that reduced precision takes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from jarvis.vpt.config import NetConfig

__all__ = [
    "BareLinear",
    "FanInConv",
    "FanInLinear",
    "ImageEncoder",
    "ImageNorm",
    "LayerNorm",
    "cast_products",
    "pixel_convolution",
    "product",
]

FastConvolution = tuple[Tensor, Callable[[Tensor, Tensor], Tensor]]  # transformed weights, and what to do with them


class LayerNorm(nn.LayerNorm):
    """Layer norm in float32."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())


class ImageNorm(nn.GroupNorm):
    """Group norm with one group, in float32: one mean and one variance for each image."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(images, channels, height, width) -> the same in float32."""
        x = x.float()
        if not x.is_cuda:
            # NOTE: for channels-last images torch sums squares in one pass, so the result is off by up to 1e-4. VPT's
            # own numbers have the same error; a better norm here moves a policy's outputs by 5e-4 away from them.
            return super().forward(x)
        # NOTE: torch's CUDA kernel would turn channels-last images into channels-first ones.
        variance, mean = torch.var_mean(x, dim=(1, 2, 3), correction=0, keepdim=True)
        scale = torch.rsqrt(variance + self.eps) * self.weight[:, None, None]
        return torch.addcmul(self.bias[:, None, None] - mean * scale, x, scale)


class FanInLinear(nn.Module):
    """Norm, linear, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = LayerNorm(inputs)
        self.layer = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return functional.relu_(product(self.layer, self.norm(x)))


class BareLinear(nn.Module):
    """A linear layer alone, named as if it were a fan-in layer."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return product(self.layer, x)


class FanInConv(nn.Module):
    """Norm, convolution 3x3, ReLU; or, as the first layer on raw pixels, no norm but a bias."""

    def __init__(self, inputs: int, outputs: int, normed: bool = True) -> None:
        super().__init__()
        if normed:
            self.norm = ImageNorm(inputs)
        self.layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=not normed)
        self.normed = normed
        self.fast: FastConvolution | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(images, inputs, height, width) -> (images, outputs, height, width). Without a norm x is uint8 pixels."""
        if self.normed:
            x = self.norm(x)
            if self.fast is not None and _fast_applies(x):
                weights, convolve = self.fast
                return functional.relu_(convolve(x, weights))
            return functional.relu_(product(self.layer, x))
        return functional.relu_(pixel_convolution(x, self.layer.weight, self.layer.bias, padding=1))


def product(layer: nn.Linear | nn.Conv2d, x: Tensor) -> Tensor:
    """`layer(x)` in the type of the layer's weights."""
    return layer(x.to(layer.weight.dtype))


def _fast_applies(x: Tensor) -> bool:
    return x.device.type == "cpu" and not x.requires_grad and x.shape[-1] % 4 == 0 and x.shape[-2] % 4 == 0


def pixel_convolution(pixels: Tensor, weight: Tensor, bias: Tensor | None, padding: int = 0) -> Tensor:
    """The convolution of uint8 pixels / 255."""
    if weight.dtype == torch.float32:
        return functional.conv2d(pixels.float() / 255, weight, bias, padding=padding)
    # NOTE: 0 to 255 are exact in half precision, divided by 255 few of them are; the weights are rounded anyway.
    return functional.conv2d(pixels.to(weight.dtype), weight / 255, bias, padding=padding)


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv0 = FanInConv(channels, channels)
        self.conv1 = FanInConv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv1(self.conv0(x))


class DownStack(nn.Module):
    """Convolution, pooling to half the size, norm, two residual blocks."""

    def __init__(self, inputs: int, outputs: int, normed: bool) -> None:
        super().__init__()
        self.firstconv = FanInConv(inputs, outputs, normed)
        self.n = ImageNorm(outputs)
        self.blocks = nn.ModuleList(ResidualBlock(outputs) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """(images, inputs, size, size) -> (images, outputs, size / 2, size / 2)."""
        x = self.n(functional.max_pool2d(self.firstconv(x), kernel_size=3, stride=2, padding=1))
        for block in self.blocks:
            x = block(x)
        return x


class ImpalaCNN(nn.Module):
    def __init__(self, config: NetConfig, inputs: int, normed: bool) -> None:
        super().__init__()
        widths = (inputs, *config.channels)
        self.stacks = nn.ModuleList(
            DownStack(before, after, normed=normed or stack > 0)
            for stack, (before, after) in enumerate(pairwise(widths))
        )
        self.dense = FanInLinear(widths[-1] * config.grid**2, config.dense)

    def forward(self, x: Tensor) -> Tensor:
        for stack in self.stacks:
            x = stack(x)
        return self.dense(x.flatten(1))  # channel, row, column, whatever the order in memory


class ImageEncoder(nn.Module):
    """Images one by one -> the transformer's inputs.

    `normed` says whether the first convolution sees features (with a norm) or raw pixels (without).
    """

    def __init__(self, config: NetConfig, inputs: int, normed: bool) -> None:
        super().__init__()
        self.cnn = ImpalaCNN(config, inputs, normed)
        self.linear = FanInLinear(config.dense, config.hidden)

    def forward(self, x: Tensor) -> Tensor:
        """(images, inputs, size, size) -> (images, hidden) float32."""
        return self.linear(self.cnn(x)).float()


def cast_products(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Casts the weights of convolutions and matrix products in place, and returns the model.

    Norms, the relative position bias and the heads keep float32, as do residual sums, the softmax and cached keys and
    values, which makes bfloat16 far closer to float32 than casting everything. For inference: small updates of the
    weights would be lost.
    """
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.Conv3d)) and not _keeps_float32(name):
            module.to(dtype)
        elif isinstance(module, FanInConv):
            module.fast = None
    return model


def _keeps_float32(name: str) -> bool:
    return name.startswith(("pi_head.", "value_head.")) or name.endswith(".r_layer")


def autocast_off(x: Tensor) -> AbstractContextManager[object]:
    """A context in which products of float32 stay float32, also inside `torch.autocast`."""
    device = x.device.type
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()
