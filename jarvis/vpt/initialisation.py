"""Networks from scratch, with the scales of the original: `build(config, seed)`."""

from __future__ import annotations

import math
from typing import overload

import torch
from torch import Tensor, nn

from jarvis.core.random_streams import stream_seed
from jarvis.vpt.config import IDMConfig, PolicyConfig
from jarvis.vpt.networks import VPTIDM, ValueNormalizer, VPTPolicy
from jarvis.vpt.transformer import Attention

Layer = nn.Linear | nn.Conv2d | nn.Conv3d

__all__ = ["build", "build_empty", "initialise"]


@overload
def build(config: PolicyConfig, seed: int) -> VPTPolicy: ...
@overload
def build(config: IDMConfig, seed: int) -> VPTIDM: ...
def build(config: PolicyConfig | IDMConfig, seed: int) -> VPTPolicy | VPTIDM:
    """A network ready for training. The same seed gives the same weights."""
    return initialise(build_empty(config).to_empty(device="cpu"), seed)


def build_empty(config: PolicyConfig | IDMConfig) -> VPTPolicy | VPTIDM:
    """A network on the meta device: all shapes, no memory."""
    with torch.device("meta"):
        return VPTPolicy(config) if isinstance(config, PolicyConfig) else VPTIDM(config)


@torch.no_grad()
def initialise(model: VPTPolicy | VPTIDM, seed: int) -> VPTPolicy | VPTIDM:
    """Draws all weights anew, in place, and returns the model.

    Each output of a fan-in layer gets weights of one norm, so that it has that standard deviation whatever comes in.
    """
    depth = (2 * model.config.layers) ** -0.5  # so that the sum of all residual branches has variance 1
    row_norms = {
        "conv0.layer": math.sqrt(math.sqrt(3) / math.sqrt(2)),
        "conv1.layer": math.sqrt(math.sqrt(3) / math.sqrt(2)),
        "dense.layer": 1.4,
        "q_layer": 0.1,
        "k_layer": 0.2,
        "v_layer": math.sqrt(depth),
        "proj_layer": math.sqrt(depth),
        "r_layer": 0.1,
        "mlp1.layer": depth,
    }
    for name, module in model.named_modules():
        # One stream for each module, so that a change of one leaves the others as they were.
        generator = torch.Generator().manual_seed(stream_seed(seed, "vpt", name))
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.Conv3d)):
            if name.startswith(("pi_head.", "value_head.")):
                _default(module, generator)
            else:
                row_norm = next((norm for end, norm in row_norms.items() if name.endswith(end)), 1.0)
                _fan_in(module, row_norm, generator)
        elif isinstance(module, (nn.LayerNorm, nn.GroupNorm)):
            module.weight.fill_(1)
            module.bias.zero_()
        elif isinstance(module, Attention):
            _copy(module.b_nd, 0.2 * torch.randn(module.b_nd.shape, generator=generator))
        elif isinstance(module, ValueNormalizer):
            for statistic in module.parameters():
                statistic.zero_()
    return model


def _fan_in(layer: Layer, row_norm: float, generator: torch.Generator) -> None:
    weight = torch.randn(layer.weight.shape, generator=generator)
    norms = weight.flatten(1).norm(dim=1).view(-1, *[1] * (weight.ndim - 1))
    _copy(layer.weight, weight.mul_(row_norm / norms))
    if layer.bias is not None:
        layer.bias.zero_()


def _default(layer: Layer, generator: torch.Generator) -> None:
    bound = layer.weight[0].numel() ** -0.5
    for parameter in layer.parameters():
        _copy(parameter, (2 * torch.rand(parameter.shape, generator=generator) - 1) * bound)


def _copy(parameter: Tensor, values: Tensor) -> None:
    parameter.copy_(values)  # drawn on the CPU, so that every device gets the same
