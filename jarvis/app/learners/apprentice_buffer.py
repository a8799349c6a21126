"""What an apprentice was taught, kept on the device that learns: pictures, words, and what was to be done.

    memory = Memory(backbone, capacity=400_000, point_share=0.2)
    memory.add(records, frames)                       # (n,) RECORD and (n, height, width, 3) uint8, of a worker
    batch = memory.sample(512)                        # all on the device: a gather, nothing for each example

A picture may teach twice: what to do, and where in it the thing is that the words are about ("point: " before them).
Words are drawn first by their kind, each kind by its count to the power of `balance`, then evenly within it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.core.actions import JARVIS_CAMERA, POLICY_BUTTONS, JointActions
from jarvis.core.errors import FormatError
from jarvis.core.random_streams import generator, stream_seed

if TYPE_CHECKING:
    import torch

    from vla.backbone import Backbone
    from vla.prompts import Rendered

__all__ = ["Batch", "Memory", "Words", "coloured"]

REPLY = 16  # ids of a reply, at most
REFRESH = 16  # batches between two looks at which kinds there are
POINTS = "point: "  # what is asked stands behind it


@dataclass(frozen=True, eq=False)
class Batch:
    """Conversations of one picture each, on the device. Each row ends in padding, of which nothing is learnt."""

    frames: torch.Tensor  # (batch, height, width, 3) uint8
    ids: torch.Tensor  # (batch, n) int64
    positions: torch.Tensor  # (3, batch, n) int64
    pictures: torch.Tensor  # (batch, n) int64: 0 for image tokens, -1 for words
    targets: torch.Tensor  # (batch, n) int64: the id that comes next, -100 where it is not learnt


class Memory:
    """A ring of lessons. When it is full the oldest are overwritten."""

    def __init__(
        self,
        backbone: Backbone,
        capacity: int,
        *,
        point_share: float = 0.0,
        balance: float = 0.5,
        seed: int = 0,
    ) -> None:
        """capacity: in pictures. point_share: of those with a point, how many are asked for it too."""
        import torch

        agent = backbone.agent
        if agent.history or agent.chunk != 1:
            raise FormatError(f"history {agent.history}, chunk {agent.chunk}: an apprentice learns one action of one "
                              "picture; expected history 0 and chunk 1")  # fmt: skip
        self.backbone, self.codec, self.device = backbone, backbone.codec(), backbone.device
        self.capacity, self.point_share, self.balance = capacity, point_share, balance
        self.added = 0
        self.kinds: dict[str, int] = {}  # their numbers
        self._stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        self._random = generator(seed, "points")
        self._draws = torch.Generator(self.device).manual_seed(stream_seed(seed, "draws") % 2**63)
        self._known: dict[tuple[bytes, bytes], tuple[int, int]] = {}  # text's and kind's numbers by their bytes
        self._points: dict[tuple[int, int], list[int]] = {}
        self._words = Words(backbone)
        self._counted = 0  # batches that were drawn
        self._longest = 1  # reply so far

        def empty(*shape: int, dtype: Any) -> torch.Tensor:
            return torch.empty(shape, dtype=dtype, device=self.device)

        self._frames = empty(capacity, agent.height, agent.width, 3, dtype=torch.uint8)
        # of each picture two examples: what to do, where it is
        self._text = empty(capacity, 2, dtype=torch.int32)
        self._reply = empty(capacity, 2, REPLY, dtype=torch.int32)
        self._kind = torch.full((capacity, 2), -1, dtype=torch.int16, device=self.device)  # -1: there is no example
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self.device))

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, records: np.ndarray, frames: np.ndarray) -> None:
        """(n,) RECORD and (n, height, width, 3) uint8. What it was given may be overwritten when this returns."""
        import torch

        texts, kinds, replies = self._read(records)
        # NOTE: on a stream of its own a copy waits for no step of the training. A picture that is overwritten while it
        # is drawn may be torn for once.
        with torch.cuda.stream(self._stream) if self._stream is not None else nullcontext():
            first = 0
            while first < len(records):
                slot = self.added % self.capacity
                count = min(len(records) - first, self.capacity - slot)
                part, into = slice(first, first + count), slice(slot, slot + count)
                self._frames[into].copy_(torch.from_numpy(frames[part]))
                self._text[into].copy_(torch.from_numpy(texts[part]))
                self._reply[into].copy_(torch.from_numpy(replies[part]))
                self._kind[into].copy_(torch.from_numpy(kinds[part]))
                self.added += count
                first += count

    def _read(self, records: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n, 2) texts' numbers, (n, 2) kinds, -1 for no example, and (n, 2, REPLY) ids padded with -1."""
        count = len(records)
        texts, kinds = np.zeros((count, 2), np.int32), np.full((count, 2), -1, np.int16)
        replies = np.full((count, 2, REPLY), -1, np.int32)
        replies[:, 0] = self._actions(records)
        asked = ((records["point"] >= 0) & (records["point"] <= 990)).all(1) & (
            self._random.random(count) < self.point_share
        )
        for number, (text, kind) in enumerate(zip(records["text"].tolist(), records["kind"].tolist(), strict=True)):
            known = self._known.get((text, kind))
            if known is None:
                kind_number = self.kinds.setdefault(kind.decode(), len(self.kinds))
                known = self._known[text, kind] = self._words.number(text.decode()), kind_number
            texts[number, 0], kinds[number, 0] = known
        for number in np.flatnonzero(asked):
            x, y = records["point"][number].tolist()
            ids = self._points.get((x, y))
            if ids is None:
                ids = self._points[x, y] = self._words.point(x, y)
            replies[number, 1, : len(ids)] = ids
            texts[number, 1] = self._words.number(POINTS + records["text"][number].decode())
            kinds[number, 1] = self.kinds.setdefault("point", len(self.kinds))
        self._longest = max(self._longest, int((replies >= 0).sum(2).max(initial=0)))
        return texts, kinds, replies

    def _actions(self, records: np.ndarray) -> np.ndarray:
        """(n, REPLY) ids of the lessons' actions and what ends a reply, padded with -1."""
        joint = JointActions(JARVIS_CAMERA)
        bins = JARVIS_CAMERA.to_bins(records["camera"])
        ids, lengths = self.codec.encode_classes(*joint.encode(records["buttons"][:, : len(POLICY_BUTTONS)], bins))
        spelled = np.full((len(records), REPLY), -1, np.int32)
        spelled[:, : ids.shape[1]] = ids
        rows = np.arange(len(records))
        for place, token in enumerate(self._words.closing):
            spelled[rows, lengths + place] = token
        return spelled

    # drawing

    def sample(self, count: int) -> Batch:
        """So many examples, drawn with replacement. No part of it waits for the device."""
        import torch

        if self._counted % REFRESH == 0:
            self._count()
        self._counted += 1
        random = self._draws
        kinds = torch.multinomial(self._weights, count, replacement=True, generator=random)
        places = torch.rand(count, device=self.device, generator=random, dtype=torch.float64) * self._sizes[kinds]
        numbers = self._order[self._starts[kinds] + places.long()]
        text = self._text.view(-1)[numbers].long()
        reply = self._reply.view(-1, REPLY)[numbers].long()
        ids, positions, pictures, is_reply = self._words.on(self.device).written(text, reply[:, : self._longest])
        targets = torch.full_like(ids, -100)
        targets[:, :-1] = torch.where(is_reply[:, 1:], ids[:, 1:], targets[:, 1:])
        return Batch(self._frames[numbers // 2], ids, positions, pictures, targets)

    def _count(self) -> None:
        """Sorts the examples by kind."""
        import torch

        if self._stream is not None:
            torch.cuda.current_stream(self.device).wait_stream(self._stream)
        kinds = self._kind[: len(self)].view(-1).long()
        sizes = torch.bincount(kinds + 1, minlength=len(self.kinds) + 1)
        self._order = torch.argsort(kinds, stable=True)
        self._starts = sizes.cumsum(0)[:-1]  # those without an example come first
        self._sizes = sizes[1:]
        self._weights = self._sizes.double() ** self.balance * (self._sizes > 0)

    def counts(self) -> dict[str, int]:
        """Examples of each kind, as they were counted last."""
        sizes = self._sizes.tolist() if self._counted else [0] * len(self.kinds)
        return dict(zip(self.kinds, sizes, strict=False))


class Words:
    """What stands before replies, as ids, for each text once."""

    def __init__(self, backbone: Backbone) -> None:
        agent, style, tokenizer = backbone.agent, backbone.style, backbone.tokenizer
        self._backbone, self._grid = backbone, backbone.pixels.grid(agent.height, agent.width)
        turns, grids = [style.first(""), style.reply(())], [self._grid]
        whole, before = style.render(turns, tokenizer, grids), style.render(turns[:1], tokenizer, grids, reply=True)
        rest = slice(len(before), None)
        self.closing = whole.ids[rest][whole.learnt[rest]].tolist()  # what ends a reply
        self._numbers: dict[str, int] = {}
        self._rendered: list[Rendered] = []
        self._there: _Table | None = None

    def number(self, text: str) -> int:
        """By which it is called from now on."""
        number = self._numbers.setdefault(text, len(self._numbers))
        if number == len(self._rendered):
            turns = [self._backbone.style.first(text)]
            rendered = self._backbone.style.render(turns, self._backbone.tokenizer, [self._grid], reply=True)
            self._rendered.append(rendered)
            self._there = None
        return number

    def point(self, x: int, y: int) -> list[int]:
        """The ids of a place in the picture, 0 to 990 each way, as vla.grounding spells it, and of a reply's end."""
        words = f"<|point_start|>({x},{y})<|point_end|>"
        ids = [*self._backbone.tokenizer.encode(words, add_special_tokens=False), *self.closing]
        if len(ids) > REPLY:
            raise FormatError(f"{words}: {len(ids)} ids, at most {REPLY} fit into a reply")
        return ids

    def on(self, device: Any) -> _Table:
        """All of them, side by side."""
        if self._there is None:
            self._there = _Table(self._rendered, device)
        return self._there


class _Table:
    """Beginnings of conversations as tensors, in rows as wide as the longest."""

    def __init__(self, rendered: Sequence[Rendered], device: Any) -> None:
        import torch

        count, width = len(rendered), max(map(len, rendered))
        ids, pictures = np.zeros((count, width), np.int64), np.full((count, width), -1, np.int64)
        positions = np.zeros((3, count, width), np.int64)
        for row, one in enumerate(rendered):
            ids[row, : len(one)], positions[:, row, : len(one)] = one.ids, one.positions
            pictures[row, : len(one)] = one.pictures
        self.ids, self.positions = torch.from_numpy(ids).to(device), torch.from_numpy(positions).to(device)
        self.pictures = torch.from_numpy(pictures).to(device)
        self.lengths = torch.tensor([len(one) for one in rendered], device=device)
        self.next = torch.tensor([int(one.positions.max()) + 1 for one in rendered], device=device)

    def written(
        self, text: torch.Tensor, reply: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Words and what follows them, in rows that end in padding.

        text: (n,) numbers. reply: (n, m) ids padded with -1. Returns ids (n, width + m), positions (3, n, width + m),
        pictures (n, width + m), and whether each place is one of the reply.
        """
        import torch
        from torch.nn.functional import pad

        room = reply.shape[1]
        columns = torch.arange(self.ids.shape[1] + room, device=text.device) - self.lengths[text][:, None]
        within = reply.gather(1, columns.clamp(0, room - 1))  # column 0 is where a row's reply begins
        is_reply = (columns >= 0) & (columns < room) & (within >= 0)
        ids = torch.where(is_reply, within, pad(self.ids[text], (0, room)))
        after, before = self.next[text][:, None] + columns, pad(self.positions[:, text], (0, room))
        positions = torch.where(columns >= 0, after, before)
        return ids, positions, pad(self.pictures[text], (0, room), value=-1), is_reply


def coloured(frames: torch.Tensor, reach: float, random: torch.Generator) -> torch.Tensor:
    """(batch, height, width, 3) uint8 with brightness, contrast and saturation of each changed by up to `reach`."""
    import torch

    draws = torch.rand((3, len(frames), 1, 1, 1), device=frames.device, generator=random)
    brightness, contrast, saturation = 1 + reach * (2 * draws - 1)
    pixels = frames.float() * brightness
    grey = pixels.mean(3, keepdim=True)
    pixels = torch.lerp(grey, pixels, saturation)
    middle = grey.mean((1, 2), keepdim=True)
    return torch.lerp(middle, pixels, contrast).clamp_(0, 255).to(torch.uint8)
