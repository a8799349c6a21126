"""Low-rank adapters on the language model's matrices (LoRA), by peft: a few percent of the weights are trained.

add_lora(model, rank=16)                 # in place; returns how many parameters are trained
with merged(model):                      # for as long as a checkpoint is written: the model as if it had been trained
    model.save_pretrained(folder)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jarvis.core.errors import FormatError, MissingExtraError

__all__ = ["add_lora", "merged"]

TARGETS = r".*(language_model|text_model).*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


def add_lora(model: Any, rank: int, seed: int = 0) -> int:
    """Adds adapters to the language model and leaves only them to be trained; returns their parameters."""
    import torch

    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise MissingExtraError("train", "LoRA") from None

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=TARGETS), model)
    count = 0
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)
        count += parameter.numel() if "lora_" in name else 0
    if not count:
        raise FormatError("lora: no matrix of the language model has the name of one")
    return count


@contextmanager
def merged(model: Any) -> Iterator[None]:
    """Within the block the adapters are part of the matrices, and the model looks as if it never had any.

    NOTE: the weights come back as they were, bit for bit, because a run goes on with them.
    """
    import torch
    from peft.tuners.lora import Linear

    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, Linear)]
    for name, layer in layers:
        plain = layer.get_base_layer()
        layer.__dict__["_plain_weight"] = plain.weight.data
        with torch.no_grad():
            change = sum(layer.get_delta_weight(adapter) for adapter in layer.active_adapters)
        plain.weight.data = plain.weight.data + change
        _put(model, name, plain)
    try:
        yield
    finally:
        for name, layer in layers:
            layer.get_base_layer().weight.data = layer.__dict__.pop("_plain_weight")
            _put(model, name, layer)


def _put(model: Any, name: str, layer: Any) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, layer)
