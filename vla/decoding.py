"""Replies of many rows at once: constant beginnings are read once, forced ids are never sampled.

    speaker = Speaker(backbone, grammar_of(codec, chunk))
    speaker.begin([prefix, prefix])                          # Rendered, one a row: instruction and all before the frame
    replies = speaker.speak([suffix, suffix], [[seen], [seen]], randoms, temperature=0.8)
    speaker.forget()                                         # no beginnings: from here on whole prompts are read
    replies = speaker.speak([prompt, prompt], backbone.see_stack(frames), randoms)

Every tick reads only what is new, then one token for each choice that the grammar leaves: the begin of an action comes
with the prompt and its end ends it without being read. What a row says depends on nothing in other rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vla.backbone import Backbone, Seen, Stack
from vla.grammar import Grammar, choose
from vla.prompts import Rendered

if TYPE_CHECKING:
    import torch

__all__ = ["Speaker"]


class Speaker:
    """Decodes with a cache over what does not change from tick to tick."""

    def __init__(self, backbone: Backbone, grammar: Grammar) -> None:
        self.backbone, self.grammar = backbone, grammar
        self._cache: Any = None
        self._valid = np.zeros((0, 0), bool)  # (rows, read): what of the cache is no padding
        self._next: np.ndarray = np.zeros(0, np.int64)  # (rows,) the position after what was read
        self._prefix = 0  # read that stays
        self._choices_after: dict[Hashable, bool] = {}

    def forget(self) -> None:
        """What is spoken next begins with nothing, in each row and every time."""
        self._prefix = 0

    def begin(self, prefixes: Sequence[Rendered]) -> None:
        """Reads the constant beginning of each row."""
        import torch

        with torch.inference_mode():
            self._clear(len(prefixes))
            self._feed([(prefix.ids, prefix.positions) for prefix in prefixes])
        self._prefix = self._valid.shape[1]

    def _clear(self, rows: int) -> None:
        from transformers import DynamicCache

        self._cache = DynamicCache(config=self.backbone.language.config)
        self._valid = np.zeros((rows, 0), bool)

    def speak(
        self,
        suffixes: Sequence[Rendered],
        seen: Sequence[Sequence[Seen]] | Stack,
        randoms: Sequence[np.random.Generator],
        temperature: float | Sequence[float] = 1.0,
        drafts: Sequence[Sequence[int]] | None = None,
    ) -> list[list[int]]:
        """A complete reply of the grammar for each row: its ids.

        suffixes: what follows the beginnings, its positions counted from there. seen: the pictures of each suffix, or
        a Stack with one for each. drafts: guesses of the replies, read along with the prompt. They change nothing but
        the time: where the model says the same, its words are there already. Players hold keys for long, so the last
        reply is a good guess.
        """
        import torch

        count = len(suffixes)
        heats = [float(temperature)] * count if isinstance(temperature, (int, float)) else list(temperature)
        self._states: list[Hashable] = [self.grammar.start] * count
        self._replies: list[list[int]] = [[] for _ in range(count)]
        self._next = np.array([suffix.positions.max(initial=-1) + 1 for suffix in suffixes])
        with torch.inference_mode():
            if not self._prefix:
                self._clear(count)
            try:
                new, guesses = [], []
                for row, suffix in enumerate(suffixes):
                    forced, start = self._forced(row), int(self._next[row])
                    guess = self._guess(row, drafts[row] if drafts is not None else ())
                    positions = np.empty((3, len(suffix) + len(forced) + len(guess)), np.int64)
                    positions[:, : len(suffix)] = suffix.positions
                    positions[:, len(suffix) :] = np.arange(start, start + len(forced) + len(guess))
                    new.append((np.concatenate([suffix.ids, np.array(forced + guess, np.int64)]), positions))
                    self._next[row] += len(forced)
                    guesses.append(guess)
                pictures = [suffix.pictures for suffix in suffixes]
                shown = seen if isinstance(seen, Stack) else [picture for row in seen for picture in row]
                hidden = self._feed(new, pictures, shown)
                deepest = 1 + max(map(len, guesses))
                logits = self.backbone.logits(hidden[:, -deepest:]).float().cpu().numpy()
                new = [self._follow(row, logits[row], guesses[row], randoms[row], heats[row]) for row in range(count)]
                while any(map(self._open, self._states)):
                    logits = (
                        self.backbone.logits(self._feed(list(map(self._placed, range(count), new)))[:, -1:])
                        .float()
                        .cpu()
                        .numpy()
                    )
                    new = [self._follow(row, logits[row], (), randoms[row], heats[row]) for row in range(count)]
                return self._replies
            finally:
                if self._prefix:
                    self._cache.crop(self._prefix - self._valid.shape[1])
                    self._valid = self._valid[:, : self._prefix]

    def _guess(self, row: int, draft: Sequence[int]) -> list[int]:
        """What of a draft may be said from here and must be read for what follows it: not its last, forced ids."""
        state, done = self._states[row], len(self._replies[row])
        guess: list[int] = []
        useful = 0
        for token in draft[done:] if list(draft[:done]) == self._replies[row] else ():
            known, after = self.grammar.choices(state)
            place = int(known.searchsorted(token))
            if place == len(known) or known[place] != token:
                break
            state = after[place]
            guess.append(token)
            if self._chooses(state):
                useful = len(guess)
        return guess[:useful]

    def _chooses(self, state: Hashable) -> bool:
        """Whether something is left to choose from here."""
        found = self._choices_after.get(state)
        if found is None:
            known, after = self.grammar.choices(state)
            found = len(known) > 1 or (len(known) == 1 and self._chooses(after[0]))
            self._choices_after[state] = found
        return found

    def _follow(
        self, row: int, logits: np.ndarray, guess: Sequence[int], random: np.random.Generator, heat: float
    ) -> list[int]:
        """Chooses by (positions, vocabulary) logits, of which the last len(guess) + 1 are this row's, as long as the
        guess is what is chosen; returns what must be read next."""
        at = len(logits) - 1 - len(guess)
        for place in range(len(guess) + 1):
            if not self._open(self._states[row]):
                break
            token, self._states[row] = choose(logits[at + place], self.grammar, self._states[row], random, heat)
            self._replies[row].append(token)
            if place == len(guess) or token != guess[place]:
                if wrong := len(guess) - place:
                    self._valid[row, -wrong:] = False  # what was read and not said
                return [token, *self._forced(row)]
            self._next[row] += 1
        return []

    def _open(self, state: Hashable) -> bool:
        return len(self.grammar.choices(state)[0]) > 0

    def _forced(self, row: int) -> list[int]:
        """Follows the grammar as long as it leaves no choice."""
        ids: list[int] = []
        while len(self.grammar.choices(self._states[row])[0]) == 1:
            token, self._states[row] = choose(None, self.grammar, self._states[row], _NO_RANDOM)
            self._replies[row].append(token)
            ids.append(token)
        return ids

    def _placed(self, row: int, ids: list[int]) -> tuple[Sequence[int], np.ndarray]:
        """With their positions; nothing for a row that has said all."""
        start = int(self._next[row])
        if not self._open(self._states[row]):
            ids = []
        self._next[row] += len(ids)
        return ids, np.arange(start, start + len(ids))

    def _feed(
        self,
        new: Sequence[tuple[Sequence[int] | np.ndarray, np.ndarray]],
        pictures: Sequence[np.ndarray] | None = None,
        seen: Sequence[Seen] | Stack = (),
    ) -> torch.Tensor:
        """Reads the new (ids, positions) of each row, padded in front; returns (rows, width, hidden)."""
        import torch

        rows, width = len(new), max(1, *(len(ids) for ids, _ in new))
        ids = np.zeros((rows, width), np.int64)
        positions = np.zeros((3, rows, width), np.int64)
        places = np.full((rows, width), -1, np.int64)
        valid = np.zeros((rows, width), bool)
        for row, (tokens, where) in enumerate(new):
            first = width - len(tokens)
            if first < width:
                ids[row, first:], positions[:, row, first:], valid[row, first:] = tokens, where, True
            if pictures is not None:
                places[row, first : first + len(pictures[row])] = pictures[row]
        read = self._valid.shape[1]
        self._valid = np.concatenate([self._valid, valid], axis=1)
        # NOTE: padding looks at itself, because a softmax over nothing is not a number
        own = np.eye(width, read + width, read, dtype=bool)
        mask = (np.tri(width, read + width, read, dtype=bool) & self._valid[:, None]) | own
        ids, positions, places, mask = (
            torch.from_numpy(part).to(self.backbone.device) for part in (ids, positions, places, mask)
        )
        return self.backbone.read(self.backbone.embed(ids, places, seen), positions, mask, self._cache)


_NO_RANDOM = np.random.Generator(np.random.PCG64(0))  # never drawn from
