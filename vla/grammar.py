"""Which id may come next: with a grammar, every sample is an action, and most of a reply needs no sampling at all.

    grammar = grammar_of(codec, actions=1)
    state, ids = grammar.start, []
    while grammar.choices(state)[0].size:                  # nothing may come: the reply is complete
        token, state = choose(logits, grammar, state, random, temperature=0.8)
        ids.append(token)

A grammar accepts exactly what its codec emits, `actions` times in a row.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from jarvis.core.actions import BUTTONS
from jarvis.core.errors import ActionError
from vla.action_codecs import CAMERA_FLAG, INVENTORY, PITCH, REST, YAW, GroupCodec, JointCodec, TextCodec

__all__ = ["Grammar", "GroupGrammar", "JointGrammar", "NullStreak", "TextGrammar", "accepts", "choose", "grammar_of"]

Choices = tuple[np.ndarray, Sequence[Hashable]]  # (m,) int64 ids in ascending order, and the state after each
_NO_CHOICE: Choices = (np.zeros(0, np.int64), ())


class Grammar(Protocol):
    """A finite automaton over ids. States are hashable and mean nothing to others."""

    start: Hashable

    def choices(self, state: Any) -> Choices:
        """The ids that may come next, and the states that they lead to. No ids: the reply is complete."""
        ...


def grammar_of(codec: Any, actions: int = 1) -> Grammar:
    """The grammar of `actions` actions in a row, spelled by a codec."""
    if actions < 1:
        raise ValueError(f"actions: {actions}, expected at least 1")
    if isinstance(codec, GroupCodec):
        return GroupGrammar(codec, actions)
    if isinstance(codec, JointCodec):
        return JointGrammar(codec, actions)
    return TextGrammar(codec, actions)


def accepts(grammar: Grammar, ids: Sequence[int]) -> bool:
    """Whether the ids are a complete reply."""
    state = grammar.start
    for token in ids:
        known, after = grammar.choices(state)
        place = int(np.searchsorted(known, token))
        if place == len(known) or known[place] != token:
            return False
        state = after[place]
    return not grammar.choices(state)[0].size


def choose(
    logits: np.ndarray | None,
    grammar: Grammar,
    state: Hashable,
    random: np.random.Generator,
    temperature: float = 1.0,
) -> tuple[int, Hashable]:
    """One of the allowed ids by (vocabulary,) logits, and the state after it. Temperature 0 takes the likeliest.

    logits may be None where only one id is allowed; no random number is drawn then.
    """
    ids, after = grammar.choices(state)
    if not len(ids):
        raise ActionError("the reply is complete: nothing may come next")
    place = 0
    if len(ids) > 1:
        assert logits is not None
        allowed = logits[ids].astype(np.float64)
        if not math.isfinite(allowed.sum()):
            raise ActionError("the model's logits are not finite")
        if temperature > 0:
            # Gumbel's trick: the argmax of noisy logits is a sample of their softmax
            allowed = allowed / temperature + random.gumbel(size=len(ids))
        place = int(allowed.argmax())
    return int(ids[place]), after[place]


class _Table:
    """Choices by state, worked out once each."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Choices] = {}

    def choices(self, state: Any) -> Choices:
        """As in Grammar."""
        found = self._known.get(state)
        if found is None:
            pairs = sorted(self._next(state).items())
            found = self._known[state] = (
                (np.array([token for token, _ in pairs], np.int64), tuple(after for _, after in pairs))
                if pairs
                else _NO_CHOICE
            )
        return found

    def _next(self, state: Any) -> dict[int, Hashable]:
        raise NotImplementedError


class GroupGrammar(_Table):
    """begin, at most one pressed key of each group in their order, pitch, yaw, end.

    A state is (actions done, stage).
    """

    def __init__(self, codec: GroupCodec, actions: int) -> None:
        super().__init__()
        self.codec, self.actions = codec, actions
        self.start = (0, -1)  # before begin; stage n: before group n; YAW + 1: before end

    def _next(self, state: tuple[int, int]) -> dict[int, Hashable]:
        done, stage = state
        if done == self.actions:
            return {}
        if stage == -1:
            return {self.codec.begin: (done, 0)}
        if stage == YAW:
            return dict.fromkeys(self.codec.group_ids[YAW], (done, YAW + 1))
        if stage > YAW:
            return {self.codec.end: (done + 1, -1)}
        allowed: dict[int, Hashable] = dict.fromkeys(self.codec.group_ids[PITCH], (done, YAW))
        for number in range(stage, CAMERA_FLAG):
            allowed |= dict.fromkeys(self.codec.group_ids[number][1:], (done, number + 1))
        if stage == 0 and self.codec.emits_inventory:
            allowed[self.codec.group_ids[INVENTORY][1]] = (done, PITCH)
        return allowed


class JointGrammar(_Table):
    """A button class, a camera class. A state is the number of ids so far."""

    def __init__(self, codec: JointCodec, actions: int) -> None:
        super().__init__()
        self.codec, self.actions, self.start = codec, actions, 0

    def _next(self, state: int) -> dict[int, Hashable]:
        joint = self.codec.joint
        if state == 2 * self.actions:
            return {}
        first, count = (joint.num_buttons, joint.num_camera) if state % 2 else (0, joint.num_buttons)
        return dict.fromkeys(range(first, first + count), state + 1)


class TextGrammar(_Table):
    """Lines of the text codec, for any tokenizer: an id may come if every character of it may.

    A state is (lines done, what of the line stands so far, as far as it matters).
    """

    MOST_DIGITS = 4  # of a mouse motion

    def __init__(self, codec: TextCodec, actions: int) -> None:
        super().__init__()
        self.actions, self.start = actions, (0, "")
        tokenizer = codec.tokenizer
        special = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
        self._pieces = {
            token: text
            for token in range(len(tokenizer))
            if token not in special and (text := tokenizer.decode([token])) and "\N{REPLACEMENT CHARACTER}" not in text
        }
        self._first: dict[str, list[int]] = {}
        for token, text in self._pieces.items():
            self._first.setdefault(text[0], []).append(token)

    def _next(self, state: tuple[int, str]) -> dict[int, Hashable]:
        allowed: dict[int, Hashable] = {}
        for first, tokens in self._first.items():
            if self._step(state, first) is None:
                continue
            for token in tokens:
                after: tuple[int, str] | None = state
                for character in self._pieces[token]:
                    after = self._step(after, character)
                    if after is None:
                        break
                if after is not None:
                    allowed[token] = after
        return allowed

    def _step(self, state: tuple[int, str] | None, character: str) -> tuple[int, str] | None:
        if state is None or state[0] == self.actions:
            return None
        done, line = state
        line += character
        if line.endswith("\n"):
            return (done + 1, "") if self._whole(line[:-1]) else None
        return (done, _kernel(line)) if self._begins(line) else None

    def _whole(self, line: str) -> bool:
        return line == REST or (line.endswith(")") and self._begins(line))

    def _begins(self, line: str) -> bool:
        """Whether a line of the codec may begin like this."""
        if REST.startswith(line):
            return True
        if line.startswith("press("):
            keys, closed, rest = line[len("press(") :].partition(")")
            names = keys.split(", ")
            order = [BUTTONS.index(name) for name in names[:-1] if name in BUTTONS]
            if len(order) != len(names) - 1 or any(a >= b for a, b in pairwise(order)):
                return False
            later = BUTTONS[order[-1] + 1 if order else 0 :]
            if not closed:
                last = names[-1]
                whole_and_more = last.endswith(",") and last[:-1] in later[:-1]
                return whole_and_more or any(name.startswith(last) for name in later)
            return names[-1] in later and (not rest or (rest[0] == " " and self._moves(rest[1:])))
        return "press(".startswith(line) or self._moves(line)

    def _moves(self, text: str) -> bool:
        """Whether `move(dx, dy)` may begin like this. Zeros in front, and no motion at all, are not the codec's."""
        if "move(".startswith(text):
            return True
        if not text.startswith("move("):
            return False
        numbers, closed, rest = text[len("move(") :].partition(")")
        parts = numbers.split(", ")
        if rest or len(parts) > 2 or (closed and len(parts) != 2):
            return False
        whole = parts if closed else parts[:-1]
        if not all(_number(part, self.MOST_DIGITS) for part in whole) or (closed and parts == ["0", "0"]):
            return False
        if closed:
            return True
        last = parts[-1]
        if len(parts) == 1 and last.endswith(","):
            return _number(last[:-1], self.MOST_DIGITS)
        return last in ("", "-") or _number(last, self.MOST_DIGITS)


def _kernel(line: str) -> str:
    """The shortest line that may go on in the same ways: of the keys only the last counts, of dx whether it is zero."""
    if line.startswith("press("):
        keys, closed, rest = line[len("press(") :].partition(")")
        if closed:
            return f"press({BUTTONS[0]}){_kernel(rest) if not rest.startswith(' ') else ' ' + _kernel(rest[1:])}"
        return f"press({', '.join(keys.split(', ')[-2:])}"
    if line.startswith("move(") and ", " in line:
        dx, _, rest = line[len("move(") :].partition(", ")
        return f"move({'0' if dx == '0' else '1'}, {rest}"
    return line


def _number(text: str, digits: int) -> bool:
    bare = text.removeprefix("-")
    return text == "0" or (bare.isdecimal() and bare[0] != "0" and len(bare) <= digits and int(bare) <= 1200)


class NullStreak:
    """Notices a player that has frozen: `limit` actions of doing nothing in a row.

    if streak.update(action):
        action = sample_again(hotter)
    """

    def __init__(self, limit: int = 40) -> None:
        if limit < 1:
            raise ValueError(f"limit: {limit}, expected at least 1")
        self.limit = limit
        self.length = 0  # of the present streak
        self.longest = 0
        self.nulls = self.total = 0
        self.frozen = 0  # how often a streak reached the limit

    def update(self, null: bool) -> bool:
        """Counts one action and returns whether the player is frozen now."""
        self.total += 1
        self.nulls += null
        self.length = self.length + 1 if null else 0
        self.longest = max(self.longest, self.length)
        self.frozen += self.length == self.limit
        return self.length >= self.limit

    def report(self) -> dict[str, int]:
        """Counts since the beginning."""
        return {"actions": self.total, "null": self.nulls, "longest_null_streak": self.longest, "frozen": self.frozen}
