"""A vision tower over many pictures of one size at once: one attention for all of them, no loop over pictures.

    tower = tower_of(model.model.visual)             # None for towers whose attention has windows
    patches = pixels.patches(frames)                 # (n, rows * columns, values) of (n, h, w, 3) uint8, on the device
    tokens, deep = tower(patches, (rows, columns))   # (n, tokens, hidden), and as many for layers that take them

transformers cuts what its towers read into pictures again in every layer, and waits for the GPU to learn where.
Pictures of one size need neither: they are a batch. The modules and weights are the tower's own, and so are the
numbers, but for rounding; tests compare.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

from vla.images import kept

if TYPE_CHECKING:
    import torch

__all__ = ["Tower", "tower_of"]

THETA = 10_000.0  # of the rotations, where a config does not say


class Tower:
    """Reads batches with a transformers tower of Qwen2-VL or Qwen3-VL."""

    def __init__(self, visual: Any) -> None:
        self.visual = visual
        for block in visual.blocks:
            block.attn.forward = MethodType(_attend, block.attn)

    def __call__(self, patches: torch.Tensor, grid: tuple[int, int]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Image tokens (n, tokens, hidden), and as many for each deep layer, of (n, patches, values).

        patches: each once, though the tower takes two of a moving picture. grid: rows and columns of patches.
        """
        visual, merge = self.visual, self.visual.spatial_merge_size
        rows, columns = grid
        hidden = self._embedded(patches)
        if hasattr(visual, "pos_embed"):
            side = round(visual.pos_embed.num_embeddings**0.5)
            places, weights = _between(rows, columns, merge, side, patches.device)
            table = visual.pos_embed.weight
            hidden = hidden + (table[places] * weights[..., None].to(table.dtype)).sum(1)
        heads = visual.blocks[0].attn.num_heads
        theta = (getattr(visual.config, "rope_parameters", None) or {}).get("rope_theta", THETA)
        turns = _turns(rows, columns, merge, hidden.shape[-1] // heads, theta, patches.device)
        deep_layers = list(getattr(visual, "deepstack_visual_indexes", ()))
        deep = []
        for number, block in enumerate(visual.blocks):
            hidden = block(hidden, cu_seqlens=None, position_embeddings=turns)
            if number in deep_layers:
                merger = visual.deepstack_merger_list[deep_layers.index(number)]
                deep.append(_merged(merger, hidden))
        return _merged(visual.merger, hidden), tuple(deep)

    def _embedded(self, patches: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import linear

        # a still picture is shown several times over: the sum of the weights over time does it in one
        proj = self.visual.patch_embed.proj
        matrix = proj.weight.sum(2).flatten(1)
        return linear(patches.to(matrix.dtype), matrix, proj.bias)


def tower_of(visual: Any) -> Tower | None:
    """The tower in batches, or None where its attention is not over whole pictures or its parts are other ones."""
    if hasattr(visual, "fullatt_block_indexes") or visual.patch_embed.proj.weight.ndim != 5:
        return None
    if not all(hasattr(block.attn, name) for block in visual.blocks for name in ("qkv", "proj", "num_heads")):
        return None
    return Tower(visual)


def _merged(merger: Callable[[Any], Any], hidden: torch.Tensor) -> torch.Tensor:
    count = len(hidden)
    tokens = merger(hidden.flatten(0, 1))
    return tokens.view(count, -1, tokens.shape[-1])


def _attend(
    self: Any,
    hidden_states: torch.Tensor,
    cu_seqlens: torch.Tensor | None = None,
    position_embeddings: tuple[torch.Tensor, torch.Tensor] | None = None,
    **more: Any,
) -> torch.Tensor:
    """A tower's attention over (n, patches, width), each picture in itself; (patches, width) is transformers' own."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    if hidden_states.ndim == 2:
        more |= {"cu_seqlens": cu_seqlens, "position_embeddings": position_embeddings}
        return type(self).forward(self, hidden_states, **more)
    assert position_embeddings is not None
    count, length, width = hidden_states.shape
    mixed = self.qkv(hidden_states).view(count, length, 3, self.num_heads, -1)
    cos, sin = (part.to(mixed.dtype) for part in position_embeddings)
    both = mixed[:, :, :2]
    turned = torch.addcmul(both * cos, both.roll(both.shape[-1] // 2, -1), sin)
    query, key = (part.transpose(1, 2) for part in turned.unbind(2))
    seen = scaled_dot_product_attention(query, key, mixed[:, :, 2].transpose(1, 2))
    return self.proj(seen.transpose(1, 2).reshape(count, length, width))


# -- what depends on the size alone ----------------------------------------------------------------------------------


def _places(rows: int, columns: int, merge: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and column of each patch, in the order of the tower: the patches of one token side by side."""
    import torch

    shape = (rows // merge, merge, columns // merge, merge)
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return row.reshape(shape).transpose(1, 2).flatten(), column.reshape(shape).transpose(1, 2).flatten()


@kept
def _turns(
    rows: int, columns: int, merge: int, size: int, theta: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """(patches, 1, 1, size) cosines, and sines with the sign that the half they multiply takes."""
    import torch

    speeds = theta ** -(torch.arange(0, size // 2, 2, dtype=torch.float32) / (size // 2))
    angles = torch.cat([place[:, None] * speeds for place in _places(rows, columns, merge)], dim=1)
    cos, sin = angles.cos(), angles.sin()
    both = torch.cat([cos, cos], dim=1), torch.cat([-sin, sin], dim=1)
    return both[0][:, None, None].to(device), both[1][:, None, None].to(device)


@kept
def _between(rows: int, columns: int, merge: int, side: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Four places (patches, 4) in a table of side x side positions and what each counts: corners meet corners."""
    import torch

    found = []
    for place, count in zip(_places(rows, columns, merge), (rows, columns), strict=True):
        exact = place * (side - 1) / max(count - 1, 1)
        low = exact.floor().long()
        found.append(((low, 1 - (exact - low)), ((low + 1).clamp(max=side - 1), exact - low)))
    pairs = [(row, column) for row in found[0] for column in found[1]]
    places = torch.stack([row * side + column for (row, _), (column, _) in pairs], dim=1)
    weights = torch.stack([one * other for (_, one), (_, other) in pairs], dim=1)
    return places.to(device), weights.to(device)
