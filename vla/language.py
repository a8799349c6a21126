"""A language model's layers over embeddings, without what transformers looks up and checks on the way to each.

    layers = layers_of(model.model.language_model)           # None for models with other parts than these
    hidden = layers(embeds, positions, mask=None)            # (batch, n, hidden), after the last norm
    hidden = layers(embeds, positions, mask, cache)          # a transformers Cache, or Room

A small model reads a token in less time than Python takes to find out how it should. Modules and weights are the
model's own, and so are the numbers, but for rounding; tests compare. Qwen2-VL, Qwen2.5-VL, Qwen3-VL and Llama.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vla.images import kept

if TYPE_CHECKING:
    import torch

__all__ = ["Layers", "Room", "layers_of"]

_PARTS = ("self_attn", "mlp", "input_layernorm", "post_attention_layernorm")
_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")


class Room:
    """Keys and values of so many tokens a row, made once: nothing is copied when more is read."""

    def __init__(self, size: int) -> None:
        self.size, self.read = size, 0
        self._kept: list[tuple[torch.Tensor, torch.Tensor]] = []

    def update(self, key: torch.Tensor, value: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """All that a layer has read, with these behind: (batch, heads, read, size) each."""
        if layer == len(self._kept):
            shape = (*key.shape[:2], self.size, key.shape[3])
            self._kept.append((key.new_empty(shape), value.new_empty(shape)))
        start, stop = self.read, self.read + key.shape[2]
        keys, values = self._kept[layer]
        keys[:, :, start:stop], values[:, :, start:stop] = key, value
        return keys[:, :, :stop], values[:, :, :stop]


class Layers:
    """Reads with the layers of a transformers language model."""

    def __init__(self, language: Any, axes: Sequence[int], theta: float) -> None:
        """axes: for each pair of a head's numbers, which of time, row and column turns it."""
        self.language, self.axes, self.theta = language, tuple(axes), theta

    def __call__(
        self,
        embeds: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor | None,
        cache: Any = None,
        deep: Sequence[torch.Tensor] = (),
    ) -> torch.Tensor:
        """(batch, n, hidden).

        positions: (3, batch, n). mask: (batch, n, earlier + n) bool; None: all before. deep: (batch, n, hidden) for
        each of the first layers, added to what they say.
        """
        turns = self._turns(positions, embeds.dtype)
        allowed = None if mask is None else mask[:, None]
        hidden = embeds
        for number, layer in enumerate(self.language.layers):
            hidden = hidden + _attend(
                layer.self_attn, _norm(layer.input_layernorm, hidden), turns, allowed, cache, number
            )
            hidden = hidden + layer.mlp(_norm(layer.post_attention_layernorm, hidden))
            if number < len(deep):
                hidden = hidden + deep[number].to(hidden.dtype)
        if isinstance(cache, Room):
            cache.read += embeds.shape[1]
        return _norm(self.language.norm, hidden)

    def _turns(self, positions: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, 1, n, size) cosines, and sines with the sign that the half they multiply takes."""
        import torch

        axes, speeds = _speeds(self.axes, self.theta, positions.device)
        angles = positions[axes].permute(1, 2, 0) * speeds
        cos, sin = angles.cos(), angles.sin()
        return torch.cat([cos, cos], -1)[:, None].to(dtype), torch.cat([-sin, sin], -1)[:, None].to(dtype)


def layers_of(language: Any) -> Layers | None:
    """The layers, or None for a model that has other parts, turns or attention than these know."""
    config = language.config
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") != "default" or "rope_theta" not in rope:
        return None
    if set(getattr(config, "layer_types", None) or ()) - {"full_attention"}:
        return None
    for layer in language.layers:
        if not all(hasattr(layer, name) for name in _PARTS):
            return None
        if not all(hasattr(layer.self_attn, name) for name in (*_PROJECTIONS, "head_dim")):
            return None
    half = language.layers[0].self_attn.head_dim // 2
    sections = rope.get("mrope_section")
    if sections is None:
        return Layers(language, [0] * half, rope["rope_theta"])
    if sum(sections) != half:
        return None
    if hasattr(language.layers[0].self_attn, "q_norm"):  # Qwen3-VL mixes them
        axes = [0] * half
        for axis in (1, 2):
            places = range(axis, sections[axis] * 3, 3)
            axes[axis : sections[axis] * 3 : 3] = [axis] * len(places)
        return Layers(language, axes, rope["rope_theta"])
    return Layers(language, [axis for axis, count in enumerate(sections) for _ in range(count)], rope["rope_theta"])


def _attend(
    self: Any,
    hidden: torch.Tensor,
    turns: tuple[torch.Tensor, torch.Tensor],
    allowed: torch.Tensor | None,
    cache: Any,
    number: int,
) -> torch.Tensor:
    from torch.nn.functional import scaled_dot_product_attention

    batch, count = hidden.shape[:2]
    query, key, value = (
        part(hidden).view(batch, count, -1, self.head_dim) for part in (self.q_proj, self.k_proj, self.v_proj)
    )
    if hasattr(self, "q_norm"):
        query, key = _norm(self.q_norm, query), _norm(self.k_norm, key)
    query, key = _turned(query.transpose(1, 2), turns), _turned(key.transpose(1, 2), turns)
    value = value.transpose(1, 2)
    if cache is not None:
        key, value = cache.update(key, value, number)
    groups = query.shape[1] // key.shape[1]
    if allowed is not None and query.is_cuda and groups > 1:
        # NOTE: on a GPU no fast kernel takes both a mask and fewer keys than queries
        key, value, groups = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1), 1
    seen = scaled_dot_product_attention(
        query, key, value, attn_mask=allowed, is_causal=allowed is None and count > 1, enable_gqa=groups > 1
    )
    return self.o_proj(seen.transpose(1, 2).reshape(batch, count, -1))


def _turned(heads: torch.Tensor, turns: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    import torch

    cos, sin = turns
    return torch.addcmul(heads * cos, heads.roll(heads.shape[-1] // 2, -1), sin).to(heads.dtype)


def _norm(norm: Any, hidden: torch.Tensor) -> torch.Tensor:
    """A root mean square norm, in one kernel where there is one. It computes in float32, whatever comes in."""
    from torch.nn.functional import rms_norm

    weight = norm.weight
    if hidden.dtype == weight.dtype:
        return rms_norm(hidden, weight.shape, weight, norm.variance_epsilon)
    return rms_norm(hidden.float(), weight.shape, weight.float(), norm.variance_epsilon).to(hidden.dtype)


@kept
def _speeds(axes: tuple[int, ...], theta: float, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Which axis turns each pair of numbers, and how fast a position does."""
    import torch

    half = len(axes)
    speeds = theta ** -(torch.arange(half, dtype=torch.float32) / half)
    return torch.tensor(axes, device=device), speeds.to(device)
