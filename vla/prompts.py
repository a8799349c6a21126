"""Conversations as token ids: who says what, where pictures stand, and which ids are learnt.

    turns = [CHATML.first("mine 3 oak logs"), Turn("assistant", (ids,))]
    rendered = CHATML.render(turns, tokenizer, [(8, 4)])       # one (rows, columns) of image tokens for each picture
    rendered.ids, rendered.learnt, rendered.positions          # (n,), (n,), (3, n)

JARVIS-VLA's form: no system message of its own, a user turn of instruction and picture, an assistant turn of action
tokens and a line break; `history` of both stand before the present picture, and only the first carries the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np

from jarvis.core.errors import FormatError

__all__ = ["CHATML", "IMAGE", "SHORT", "SMOLVLM", "STYLES", "ChatStyle", "Rendered", "Turn"]


class _Picture(Enum):
    IMAGE = "a picture"


IMAGE = _Picture.IMAGE
Part = str | tuple[int, ...] | _Picture


@dataclass(frozen=True)
class Turn:
    """What one side says: words, ids that are words already, and pictures."""

    role: str  # system, user or assistant
    parts: tuple[Part, ...]


@dataclass(frozen=True, eq=False)
class Rendered:
    """A conversation as a model reads it."""

    ids: np.ndarray  # (n,) int64; image tokens stand for themselves
    learnt: np.ndarray  # (n,) bool: what the assistant says, its end included
    pictures: np.ndarray  # (n,) int64: which picture the token is of, -1 for words
    positions: np.ndarray  # (3, n) int64: time, row and column; the same three for words

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class ChatStyle:
    """How a family of models writes conversations down."""

    name: str
    opening: str  # of every conversation without a system turn
    roles: tuple[tuple[str, str], ...]  # (role, what stands before its words)
    end: str  # of a turn
    after: str  # between turns
    before_image: str
    image: str  # the token that stands for a piece of a picture
    after_image: str
    spatial: bool  # image tokens have rows and columns in their positions
    observation: str = "\nobservation: \n"  # what stands before a picture of play
    tail: str = "\n"  # what stands behind an action

    def first(self, instruction: str) -> Turn:
        """The first turn of an episode: what to do, then what is seen."""
        return Turn("user", (f"{instruction}{self.observation}", IMAGE))

    def later(self) -> Turn:
        """A later one: what is seen."""
        return Turn("user", (self.observation, IMAGE))

    def reply(self, ids: Sequence[int]) -> Turn:
        """What the assistant did, as ids of a codec."""
        return Turn("assistant", (tuple(ids), self.tail))

    def render(
        self,
        turns: Sequence[Turn],
        tokenizer: Any,
        grids: Sequence[tuple[int, int]] = (),
        *,
        reply: bool = False,
        unfinished: bool = False,
        continues: bool = False,
        start: int = 0,
    ) -> Rendered:
        """The conversation as ids.

        grids: rows and columns of image tokens of each picture, in order; FormatError unless there are as many.
        reply: ends with what stands before the assistant's words. unfinished: the last turn goes on. continues: the
        first turn has begun already, in what the model has read up to position `start`.
        """
        pieces: list[tuple[list[int], bool, int]] = []  # ids, learnt, picture
        seen = 0
        if not continues and self.opening and not (turns and turns[0].role == "system"):
            pieces.append((self._ids(self.opening, tokenizer), False, -1))
        heads = dict(self.roles)
        for number, turn in enumerate(turns):
            if turn.role not in heads:
                raise FormatError(f"turn {number}: role {turn.role!r}, expected one of {', '.join(heads)}")
            learnt = turn.role == "assistant"
            if number or not continues:
                pieces.append((self._ids(heads[turn.role], tokenizer), False, -1))
            for part in turn.parts:
                if part is IMAGE:
                    if seen == len(grids):
                        raise FormatError(f"turn {number}: picture {seen}, but {len(grids)} are given")
                    rows, columns = grids[seen]
                    pieces.append((self._ids(self.before_image, tokenizer), False, -1))
                    pieces.append((self._ids(self.image, tokenizer) * (rows * columns), False, seen))
                    pieces.append((self._ids(self.after_image, tokenizer), False, -1))
                    seen += 1
                else:
                    ids = self._ids(part, tokenizer) if isinstance(part, str) else list(part)
                    pieces.append((ids, learnt, -1))
            if not (unfinished and number == len(turns) - 1):
                pieces.append((self._ids(self.end, tokenizer), learnt, -1))
                pieces.append((self._ids(self.after, tokenizer), False, -1))
        if reply:
            pieces.append((self._ids(heads["assistant"], tokenizer), False, -1))
        if seen != len(grids):
            raise FormatError(f"{len(grids)} pictures are given, but the turns have {seen}")
        ids = np.array([token for piece, _, _ in pieces for token in piece], np.int64)
        learnt_mask = np.array([learnt for piece, learnt, _ in pieces for _ in piece], bool)
        pictures = np.array([picture for piece, _, picture in pieces for _ in piece], np.int64)
        return Rendered(ids, learnt_mask, pictures, self._positions(pictures, grids, start))

    def _positions(self, pictures: np.ndarray, grids: Sequence[tuple[int, int]], start: int) -> np.ndarray:
        """Words count on in all three; a picture's tokens share a time, and the words behind it begin after its side.

        As transformers' `get_rope_index` has it for Qwen2-VL.
        """
        count = len(pictures)
        if not self.spatial:
            return np.broadcast_to(np.arange(start, start + count), (3, count)).copy()
        positions = np.zeros((3, count), np.int64)
        here, place = 0, start
        while here < count:
            picture = pictures[here]
            if picture < 0:
                later = np.flatnonzero(pictures[here:] >= 0)
                stop = here + int(later[0]) if later.size else count
                positions[:, here:stop] = np.arange(place, place + stop - here)
                place += stop - here
            else:
                rows, columns = grids[picture]
                stop = here + rows * columns
                row, column = np.divmod(np.arange(rows * columns), columns)
                positions[:, here:stop] = place + np.stack([np.zeros_like(row), row, column])
                place += max(rows, columns)
            here = stop
        return positions

    def _ids(self, text: str, tokenizer: Any) -> list[int]:
        return list(_encoded(tokenizer, text)) if text else []


@lru_cache(maxsize=4096)
def _encoded(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer.encode(text, add_special_tokens=False))


CHATML = ChatStyle(
    name="chatml",
    opening="<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n",
    roles=(
        ("system", "<|im_start|>system\n"),
        ("user", "<|im_start|>user\n"),
        ("assistant", "<|im_start|>assistant\n"),
    ),
    end="<|im_end|>",
    after="\n",
    before_image="<|vision_start|>",
    image="<|image_pad|>",
    after_image="<|vision_end|>",
    spatial=True,
)
SHORT = ChatStyle(  # what `tiny` models read: the same, without a word that says nothing
    name="short",
    opening="",
    roles=(("system", ""), ("user", "<|im_start|>"), ("assistant", "<|vision_pad|>")),
    end="<|im_end|>",
    after="",
    before_image="",
    image="<|image_pad|>",
    after_image="",
    spatial=True,
    observation="",
    tail="",
)
SMOLVLM = ChatStyle(
    name="smolvlm",
    opening="<|im_start|>",
    roles=(("system", ""), ("user", "User: "), ("assistant", "Assistant: ")),
    end="<end_of_utterance>",
    after="\n",
    before_image="<fake_token_around_image><global-img>",
    image="<image>",
    after_image="<fake_token_around_image>",
    spatial=False,
)
STYLES = {style.name: style for style in (CHATML, SHORT, SMOLVLM)}
