"""VPT's transformer: clipped causal attention with a memory (policies), or attention to a whole clip (IDM).

The memory of a policy is a value, never changed in place: keep one to branch from it, index it to drop streams.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from jarvis.vpt.config import NetConfig
from jarvis.vpt.layers import BareLinear, FanInLinear, LayerNorm, autocast_off, product

__all__ = ["Attention", "PolicyState", "Transformer", "TransformerBlock"]

RELATIVE_BASIS = 10  # functions of the distance that a relative position bias is made of


@dataclass(frozen=True)
class PolicyState:
    """What a policy remembers of `batch` streams: the last `memory` ticks, oldest first.

    keys, values: one (batch, heads, memory, head_width) float32 tensor for each block.
    valid: (batch, memory) bool, False where a tick is before the stream's beginning.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    valid: Tensor

    @property
    def batch(self) -> int:
        """Number of streams."""
        return self.valid.shape[0]

    def __getitem__(self, streams: slice | Sequence[int] | Tensor) -> PolicyState:
        """The state of some of the streams: a slice, indices or a mask."""
        index = streams if isinstance(streams, (slice, Tensor)) else torch.as_tensor(streams, device=self.valid.device)
        return PolicyState(
            tuple(keys[index] for keys in self.keys), tuple(values[index] for values in self.values), self.valid[index]
        )

    @classmethod
    def cat(cls, states: Sequence[PolicyState]) -> PolicyState:
        """The streams of several states, one after the other."""
        return cls(
            tuple(torch.cat(keys) for keys in zip(*(state.keys for state in states), strict=True)),
            tuple(torch.cat(values) for values in zip(*(state.values for state in states), strict=True)),
            torch.cat([state.valid for state in states]),
        )

    def detach(self) -> PolicyState:
        """The same values without their history, for training in consecutive chunks."""
        return PolicyState(
            tuple(keys.detach() for keys in self.keys), tuple(values.detach() for values in self.values), self.valid
        )

    def to(self, device: torch.device | str) -> PolicyState:
        """The same state on a device."""
        return PolicyState(
            tuple(keys.to(device) for keys in self.keys),
            tuple(values.to(device) for values in self.values),
            self.valid.to(device),
        )


class KeysValues(NamedTuple):
    keys: Tensor  # (batch, heads, memory, head_width) float32
    values: Tensor  # the same


class Past(NamedTuple):
    keys: Tensor  # (batch, heads, memory, head_width) float32, of the ticks before
    values: Tensor  # the same
    visible: Tensor  # (batch, ticks, memory - 1 + ticks) bool: is the key of the query's episode


class Attention(nn.Module):
    """Multi-head attention with logits q k / width (not its square root) plus a learned bias by distance.

    `memory` is the number of ticks seen, the present one included; 0 is attention to everything, without a bias.
    """

    def __init__(self, config: NetConfig, memory: int) -> None:
        super().__init__()
        hidden = config.hidden
        self.b_nd = nn.Parameter(torch.empty(RELATIVE_BASIS, memory))
        self.q_layer = nn.Linear(hidden, hidden)
        self.k_layer = nn.Linear(hidden, hidden, bias=False)
        self.v_layer = nn.Linear(hidden, hidden, bias=False)
        self.proj_layer = nn.Linear(hidden, hidden)
        self.r_layer = nn.Linear(hidden, RELATIVE_BASIS * config.heads)
        self.heads, self.head_width, self.memory = config.heads, config.head_width, memory

    def forward(self, y: Tensor, past: Past | None = None) -> tuple[Tensor, KeysValues | None]:
        """(batch, ticks, hidden) -> the same shape, and the last `memory` keys and values, if there is a past."""
        queries, keys, values = (
            rearrange(product(layer, y).float(), "batch tick (head e) -> batch head tick e", head=self.heads)
            for layer in (self.q_layer, self.k_layer, self.v_layer)
        )
        bias, present = None, None
        if past is not None:
            # The oldest remembered tick is out of the window of even the first new one.
            keys = torch.cat([past.keys[:, :, 1:], keys], dim=2)
            values = torch.cat([past.values[:, :, 1:], values], dim=2)
            # NOTE: contiguous, so that a state does not keep the keys of a long input alive. One tick copies nothing.
            present = KeysValues(keys[:, :, -self.memory :].contiguous(), values[:, :, -self.memory :].contiguous())
            bias = self.relative_bias(y).masked_fill(~past.visible[:, None], -math.inf)
        with autocast_off(y):
            attended = functional.scaled_dot_product_attention(
                queries, keys, values, attn_mask=bias, scale=1 / self.head_width
            )
        return product(self.proj_layer, rearrange(attended, "batch head tick e -> batch tick (head e)")), present

    def relative_bias(self, y: Tensor) -> Tensor:
        """(batch, heads, ticks, memory - 1 + ticks): the bias at distances 0 to memory - 1, -inf at all others."""
        ticks = y.shape[1]
        with autocast_off(y):
            weights = rearrange(product(self.r_layer, y.float()), "batch tick (head n) -> batch head tick n",
                                head=self.heads)  # fmt: skip
            by_distance = weights @ self.b_nd.flip(-1)  # the farthest first, as the keys are
        # Row i has to move i keys to the right. Padding each row to one more than the wanted width, and reading the
        # same numbers in rows of the wanted width, does that for all rows at once.
        padded = functional.pad(by_distance, (0, ticks), value=-math.inf).flatten(-2)
        return padded[..., :-ticks].unflatten(-1, (ticks, self.memory - 1 + ticks))


class TransformerBlock(nn.Module):
    """y = norm(x); a = y + attention(y); a + mlp(a). The first residual is the normed input."""

    def __init__(self, config: NetConfig, memory: int) -> None:
        super().__init__()
        inner = config.mlp_ratio * config.hidden
        self.mlp0 = FanInLinear(config.hidden, inner)
        self.mlp1 = BareLinear(inner, config.hidden)
        self.pre_r_ln = LayerNorm(config.hidden)
        self.r = nn.ModuleDict({"orc_block": Attention(config, memory)})

    def forward(self, x: Tensor, past: Past | None = None) -> tuple[Tensor, KeysValues | None]:
        y = self.pre_r_ln(x)
        attended, present = self.r["orc_block"](y, past)
        a = y + attended
        return a + self.mlp1(self.mlp0(a)), present


class Transformer(nn.Module):
    """The blocks one after the other, with a memory of so many ticks, or 0 for attention to the whole clip."""

    def __init__(self, config: NetConfig, memory: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TransformerBlock(config, memory) for _ in range(config.layers))
        self.memory = memory

    def forward(self, x: Tensor) -> Tensor:
        """A whole clip without memory, (batch, ticks, hidden) -> the same shape."""
        for block in self.blocks:
            x, _ = block(x)
        return x

    def remember(self, x: Tensor, first: Tensor, state: PolicyState) -> tuple[Tensor, PolicyState]:
        """The next ticks of streams, (batch, ticks, hidden) -> the same shape, and the state after them.

        first: (batch, ticks) bool, true where a tick is the first of its episode: it and what follows see nothing
        from before it, neither in the state nor among these ticks.
        """
        # The scores grow with the square of the ticks but only a band of them counts, so long inputs go in pieces.
        piece = 2 * self.memory if x.shape[1] > 4 * self.memory else x.shape[1]
        outputs = []
        for some, firsts in zip(x.split(piece, dim=1), first.split(piece, dim=1), strict=True):
            some, state = self._remember(some, firsts, state)
            outputs.append(some)
        return torch.cat(outputs, dim=1) if len(outputs) > 1 else outputs[0], state

    def _remember(self, x: Tensor, first: Tensor, state: PolicyState) -> tuple[Tensor, PolicyState]:
        episode = first.cumsum(dim=1)  # (batch, ticks); remembered ticks belong to episode 0
        episodes = torch.cat([torch.where(state.valid, 0, -1), episode], dim=1)
        visible = episodes[:, None, 1:] == episode[:, :, None]
        valid = (episodes == episode[:, -1:])[:, -self.memory :]
        keys, values = [], []
        for block, *cached in zip(self.blocks, state.keys, state.values, strict=True):
            x, present = block(x, Past(cached[0], cached[1], visible))
            keys.append(present.keys)
            values.append(present.values)
        return x, PolicyState(tuple(keys), tuple(values), valid)
