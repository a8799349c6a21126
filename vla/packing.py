"""From samples to tensors: conversations in a model's style, several in one row, none looking at another.

    example = Examples(samples, backbone)[17]               # a Rendered conversation and its frames
    packed = pack([example, ...], max_tokens=2048)          # rows of at most so many tokens
    loss = learner(packed)

A step of a trajectory gets `history` earlier frames with what was done, and the actions of the `chunk` ticks from now;
only these are learnt. What is too long is refused, never cut: a cut answer teaches to stop early.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jarvis.core.errors import FormatError
from vla.action_codecs import BEGIN
from vla.backbone import Backbone
from vla.policy import fitted
from vla.prompts import CHATML, IMAGE, Rendered, Turn
from vla.samples import Sample, Samples

__all__ = ["Example", "Examples", "Packed", "TooLongError", "pack"]


class TooLongError(FormatError):
    """A sample with more tokens than a row may have."""


@dataclass(frozen=True, eq=False)
class Example:
    """One conversation as a model reads it."""

    id: str
    rendered: Rendered
    frames: tuple[np.ndarray, ...]  # (height, width, 3) uint8, in the order of its pictures


class Examples:
    """Samples by number, as one model reads them."""

    def __init__(self, samples: Samples, backbone: Backbone) -> None:
        self.samples, self.backbone = samples, backbone
        self.codec = backbone.codec()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Example:
        return self.augmented(number, None)

    def augmented(self, number: int, random: np.random.Generator | None) -> Example:
        """With colours and place of its pictures changed, all in the same way, as the random numbers say."""
        sample = self.samples[number]
        if is_step(sample):
            turns, pictures = self._step(number, sample)
            learnt_from = len(turns) - 1
        else:
            turns, pictures, learnt_from = self._styled(sample.turns), sample.frames(), 0
        agent, style = self.backbone.agent, self.backbone.style
        frames = [fitted(frame, agent.width, agent.height) for frame in pictures]
        if random is not None and frames:
            frames = _retouched(frames, random)
        grids = [self.backbone.pixels.grid(*frame.shape[:2]) for frame in frames]
        rendered = style.render(turns, self.backbone.tokenizer, grids)
        if learnt_from:
            # what was done before is there to be seen, not to be learnt again
            before = style.render(turns[:learnt_from], self.backbone.tokenizer, grids)
            rendered.learnt[: len(before)] = False
        if not rendered.learnt.any():
            raise FormatError(f"sample {sample.id}: nothing in it to learn; the assistant says nothing")
        return Example(sample.id, rendered, tuple(frames))

    def _step(self, number: int, sample: Sample) -> tuple[list[Turn], list[np.ndarray]]:
        agent, style = self.backbone.agent, self.backbone.style
        null = list(self.codec.null_ids) * agent.chunk
        [frame] = sample.frames()
        pictures, replies = [], []
        for back in range(agent.history, 0, -1):
            # as in play, where a reply is asked for every `chunk` ticks
            other = self.samples.same_episode(number, -back * agent.chunk)
            pictures.append(frame if other is None else other.frames()[0])
            replies.append(null if other is None else self._reply(number - back * agent.chunk, other))
        present = self._reply(number, sample)
        words = sample.turns[0].parts[0]
        instruction = words.removesuffix(CHATML.observation).removesuffix("\n") if isinstance(words, str) else ""
        turns = [style.first(instruction)]
        for reply in replies:
            turns += [style.reply(reply), style.later()]
        return [*turns, style.reply(present)], [*pictures, frame]

    def _reply(self, number: int, sample: Sample) -> list[int]:
        """The ids of the actions of `chunk` ticks from this sample's; doing nothing when the episode is over."""
        chunk = self.backbone.agent.chunk
        later = [self.samples.same_episode(number, ahead) for ahead in range(1, chunk)]
        null = list(self.codec.null_ids)
        return sum((null if other is None else self._action(other) for other in later), self._action(sample))

    def _action(self, sample: Sample) -> list[int]:
        """The ids of what was done: by our codec where the action is known, else the words as they are."""
        if sample.action is not None:
            return list(self.codec.encode(sample.action))
        text = sample.turns[-1].parts[0]
        assert isinstance(text, str)
        return list(self.backbone.tokenizer.encode(text.rstrip("\n"), add_special_tokens=False))

    def _styled(self, turns: Sequence[Turn]) -> list[Turn]:
        """Without the line break that JARVIS-VLA's data has behind every text, where the style has none."""
        if self.backbone.style.tail:
            return list(turns)
        return [
            Turn(turn.role, tuple(part.rstrip("\n") if isinstance(part, str) else part for part in turn.parts))
            for turn in turns
        ]


def is_step(sample: Sample) -> bool:
    """Whether it is one tick of a trajectory: one picture, one action."""
    last = sample.turns[-1].parts[0] if sample.turns and sample.turns[-1].parts else ""
    acts = sample.action is not None or (isinstance(last, str) and last.startswith(BEGIN))
    return acts and len(sample.images) == 1 and sample.turns[0].parts[-1] is IMAGE


def _retouched(frames: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
    """Brightness, contrast and saturation by 0.8 to 1.2, and a shift by up to a 64th, one draw for all frames."""
    brightness, contrast, saturation = random.uniform(0.8, 1.2, 3)
    reach = max(1, frames[0].shape[1] // 64)
    dy, dx = random.integers(-reach, reach + 1, 2)
    changed = []
    for frame in frames:
        pixels = frame.astype(np.float32) * brightness
        grey = pixels.mean(axis=2, keepdims=True)
        pixels = grey + (pixels - grey) * saturation
        middle = grey.mean()
        pixels = middle + (pixels - middle) * contrast
        pixels = np.roll(pixels, (dy, dx), (0, 1))
        changed.append(np.clip(pixels, 0, 255).astype(np.uint8))
    return changed


@dataclass(frozen=True, eq=False)
class Packed:
    """Examples side by side, in rows."""

    ids: np.ndarray  # (rows, width) int64
    positions: np.ndarray  # (3, rows, width) int64
    pictures: np.ndarray  # (rows, width) int64, -1 for words
    segments: np.ndarray  # (rows, width) int64: which example of the row, -1 for padding
    targets: np.ndarray  # (rows, width) int64: the id that comes next, -100 where it is not learnt
    frames: list[np.ndarray]  # in the order in which the rows show them
    frames_of: list[int]  # how many of them each row shows

    @property
    def tokens(self) -> int:
        """Without the padding."""
        return int((self.segments >= 0).sum())

    @property
    def learnt(self) -> int:
        """Tokens that count."""
        return int((self.targets != -100).sum())

    def parts(self, rows: int) -> Iterator[Packed]:
        """So many rows at a time."""
        for first in range(0, len(self.ids), rows):
            rest = slice(first, first + rows)
            before, count = sum(self.frames_of[:first]), sum(self.frames_of[rest])
            yield Packed(
                self.ids[rest], self.positions[:, rest], self.pictures[rest], self.segments[rest], self.targets[rest],
                self.frames[before : before + count], self.frames_of[rest],
            )  # fmt: skip


def pack(examples: Sequence[Example], max_tokens: int) -> Packed:
    """Fills rows in the order of the examples; a row begins when the next does not fit into any.

    Raises TooLongError, naming the sample, for one longer than a row.
    """
    rows: list[list[Example]] = []
    room: list[int] = []
    for example in examples:
        need = len(example.rendered)
        if need > max_tokens:
            raise TooLongError(f"sample {example.id}: {need} tokens, at most {max_tokens} fit: raise max_tokens, or "
                               "lower history, chunk or the size of the picture")  # fmt: skip
        place = next((row for row, free in enumerate(room) if free >= need), None)
        if place is None:
            rows.append([])
            room.append(max_tokens)
            place = len(rows) - 1
        rows[place].append(example)
        room[place] -= need
    width = max_tokens - min(room)
    shape = (len(rows), width)
    ids, positions = np.zeros(shape, np.int64), np.zeros((3, *shape), np.int64)
    pictures, segments = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64)
    targets = np.full(shape, -100, np.int64)
    for row, members in enumerate(rows):
        start = 0
        for number, example in enumerate(members):
            rendered, stop = example.rendered, start + len(example.rendered)
            ids[row, start:stop], positions[:, row, start:stop] = rendered.ids, rendered.positions
            pictures[row, start:stop], segments[row, start:stop] = rendered.pictures, number
            after = np.where(rendered.learnt, rendered.ids, -100)[1:]
            targets[row, start : stop - 1] = after
            start = stop
    frames = [frame for members in rows for example in members for frame in example.frames]
    frames_of = [sum(len(example.frames) for example in members) for members in rows]
    return Packed(ids, positions, pictures, segments, targets, frames, frames_of)


def attention(segments: Any) -> Any:
    """(rows, width, width) bool of (rows, width) segments: each token looks back within its own example."""
    import torch

    width = segments.shape[1]
    same = (segments[:, :, None] == segments[:, None, :]) & (segments[:, None, :] >= 0)
    causal = torch.ones((width, width), dtype=torch.bool, device=segments.device).tril()
    return (same & causal) | torch.eye(width, dtype=torch.bool, device=segments.device)
