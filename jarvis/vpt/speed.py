"""A network in the form in which a device computes it fastest: `prepare(load_policy(...), "cuda")`, for inference."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from jarvis.vpt.config import InputError
from jarvis.vpt.layers import cast_products
from jarvis.vpt.networks import FrameNetwork
from jarvis.vpt.winograd import fast_convolutions

__all__ = ["multiplies_bfloat16", "prepare"]

PRECISIONS = ("auto", "float32", "bfloat16")
GPU_FRAMES = 64  # in the CNN at once

SomeNetwork = TypeVar("SomeNetwork", bound=FrameNetwork)


def prepare(
    network: SomeNetwork, device: str | torch.device = "cpu", precision: str = "auto", compiled: bool = False
) -> SomeNetwork:
    """Moves a network to a device, changes it in place for inference there, and returns it.

    precision: "float32" (on a CPU with Winograd's convolutions), "bfloat16" (convolutions and matrix products; sums,
    norms, softmax and heads stay float32), or "auto": bfloat16 where the device multiplies it natively. compiled: the
    CNN through torch.compile, which takes a minute once. Do not train it afterwards.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r}, expected {', '.join(PRECISIONS)}")
    kind = torch.device(device).type
    if precision == "auto":
        precision = "bfloat16" if multiplies_bfloat16(kind) else "float32"
    network.trainable(False)
    if precision == "bfloat16":
        cast_products(network, torch.bfloat16)
    elif kind == "cpu":
        fast_convolutions(network)
        network.frames_per_chunk = max(1, network.frames_per_chunk // 2)  # its tiles take memory of their own
    network = network.to(device)
    if precision == "bfloat16" or kind == "cuda":
        for module in network.modules():
            if isinstance(module, nn.Conv2d):  # not the network: the temporal convolution has five axes
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if kind == "cuda":
        network.frames_per_chunk = GPU_FRAMES
    if compiled:
        network.net.img_process.compile(dynamic=True)
    return network


def multiplies_bfloat16(kind: str) -> bool:
    """Whether a device of this type ("cpu", "cuda") has instructions for it; without, it is slower than float32."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return kind == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
