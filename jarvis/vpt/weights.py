"""Tensors by name from `.weights` files (`torch.save` archives) and safetensors, never by running what is in them."""

from __future__ import annotations

import os
import pickle
import re
import struct
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from jarvis.core.errors import nearest_names
from jarvis.vpt.config import ModelFileError
from jarvis.vpt.model_file import local_path, open_file
from jarvis.vpt.networks import VPTIDM, VPTPolicy

__all__ = ["load_tensors", "read_tensors"]


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Every tensor of a `.weights` or `.safetensors` file, on the CPU. The content decides, not the ending.

    Raises ModelFileError, naming the file, if it is damaged, holds anything but tensors by name, or needs a pickle
    global that plain tensors do not need; the global is named and not imported.
    """
    path = local_path(path)
    with open_file(path) as file:
        head = file.read(9)
    if head[8:] == b"{":  # the header's length, then its JSON
        try:
            return load_file(path, device="cpu")
        except (SafetensorError, OSError, ValueError, struct.error) as error:
            raise ModelFileError(f"{path}: damaged safetensors file: {error}") from None
    _require_safe_torch(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused:
            raise ModelFileError(
                f"{path}: refuses the pickle global {refused[1]!r}; weights need none but tensors'. "
                "Nothing of it was imported or run."
            ) from None
        raise ModelFileError(f"{path}: no weights file: {str(error).splitlines()[0]}") from None
    except Exception as error:  # a damaged archive raises whatever its reader runs into
        raise ModelFileError(f"{path}: damaged weights file: {type(error).__name__}: {error}") from None
    if not isinstance(content, Mapping):
        raise ModelFileError(f"{path}: holds a {type(content).__name__}, expected tensors by name")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ModelFileError(f"{path}: {str(name)[:80]!r} is a {type(value).__name__}, expected a tensor")
    return dict(content)


def _require_safe_torch(path: object) -> None:
    major, minor = (int(part) for part in torch.__version__.split(".")[:2])
    if (major, minor) < (2, 6):
        raise ModelFileError(
            f"{path}: torch {torch.__version__} can be made to run code by a .weights file; "
            'it takes 2.6 or later: pip install "torch>=2.6"'
        )


def load_tensors(model: VPTPolicy | VPTIDM, tensors: Mapping[str, Tensor], place: str = "weights") -> list[str]:
    """Puts the tensors into the model, without a copy where they fit, and names those that it has no place for.

    A policy trained by reinforcement learning brings more heads than the network has. Raises ModelFileError for a
    missing tensor, another shape, or values that are no floating-point numbers.
    """
    wanted = model.state_dict()
    taken = {}
    for name, parameter in wanted.items():
        if name not in tensors:
            near = nearest_names(name, tensors)
            hint = f"; the nearest are {', '.join(near)}" if near else ""
            raise ModelFileError(f"{place}: no tensor {name!r}, {tuple(parameter.shape)}{hint}")
        tensor = tensors[name]
        if tensor.shape != parameter.shape:
            raise ModelFileError(f"{place}: {name} is {tuple(tensor.shape)}, expected {tuple(parameter.shape)}")
        if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.device.type == "meta":
            raise ModelFileError(f"{place}: {name} is a {tensor.dtype} tensor, expected float32 values")
        taken[name] = tensor.float()
    model.load_state_dict(taken, strict=True, assign=True)
    return [name for name in tensors if name not in wanted]
