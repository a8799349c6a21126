"""A vision-language-action model as a Policy: pixels and an instruction in, keys and mouse out.

    policy = VlaPolicy("runs/vla/final")                    # or a Backbone
    policy.reset([goal], seeds=[7])
    actions = policy.act([observation])
    policy.report()                                         # replies, null actions, freezes

    policy.tell(0, "left-click slot 37")                    # from here on, in the same episode

Whoever plays by a plan tells a row what to do next whenever that changes; else the wording of the goal stays. A reply
has `chunk` actions, played one a tick. A row that does nothing for `freeze_limit` ticks is asked again, hotter:
JARVIS-VLA is known to freeze.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.random_streams import generator
from jarvis.core.rows import Rows
from vla.action_codecs import is_null
from vla.backbone import Backbone, Seen, Stack
from vla.decoding import Speaker
from vla.grammar import NullStreak, grammar_of
from vla.prompts import IMAGE, Rendered, Turn

__all__ = ["VlaPolicy", "fitted", "hub_policy"]

RESAMPLES = 2  # of a frozen row, each at a higher temperature
STEADY = 4  # replies to the same words before it pays to keep what was read of them


def fitted(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    """The frame at the size a model was trained on. Other shapes are squeezed, as VPT's are."""
    if frame.shape[:2] == (height, width):
        return frame
    import cv2

    shrinks = frame.shape[0] > height
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


@dataclass
class _Row:
    instruction: str
    random: np.random.Generator
    begun: int  # a number of its own for each episode, and for all that is told within
    heard: int  # replies since it was last told something, or STEADY
    last: list[int] = field(default_factory=list)  # what was said last, a guess of what comes next
    earlier: deque[tuple[Seen, tuple[int, ...]]] = field(default_factory=deque)
    pending: deque[Action] = field(default_factory=deque)
    streak: NullStreak = field(default_factory=NullStreak)


class VlaPolicy(Rows):
    """Plays many episodes at once, one a row, with one model."""

    def __init__(
        self,
        source: str | Path | Backbone,
        *,
        temperature: float = 0.8,
        freeze_limit: int = 40,
        chunk: int | None = None,
        device: str | None = None,
    ) -> None:
        """source: a checkpoint folder or a model. chunk: actions to play of each reply, None as it was trained.

        Raises MissingTokensError for a tokenizer without the tokens of the agent's codec.
        """
        self.backbone = source if isinstance(source, Backbone) else Backbone.load(source, device=device)
        super().__init__()
        self.temperature, self.freeze_limit = temperature, freeze_limit
        self.chunk = chunk or self.backbone.agent.chunk
        self.codec = self.backbone.codec()
        self.speaker = Speaker(self.backbone, grammar_of(self.codec, self.chunk))
        self._prompt = lru_cache(maxsize=4096)(self._render)
        self._actions = lru_cache(maxsize=4096)(self._decode)  # much is done again and again
        self._episodes = 0
        self._spoken_to: tuple[int, ...] = ()  # the episodes whose beginnings the speaker holds
        self.replies = self.resampled = 0
        self._past: list[dict[str, int]] = []

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of the pictures it was trained on: best drawn at that size, not brought to it."""
        return self.backbone.agent.width, self.backbone.agent.height

    def begin(self, goal: Goal | None, seed: int) -> _Row:
        """What is remembered of an episode."""
        self._episodes += 1
        text = "play" if goal is None else goal.text
        random, streak = generator(seed, "policy", "vla"), NullStreak(self.freeze_limit)
        return _Row(text, random, self._episodes, STEADY, streak=streak)

    def tell(self, row: int, instruction: str) -> None:
        """Gives a row another instruction, from its next reply on; all else goes on as it was.

        The same words again change nothing. Raises ValueError for a row that there is not.
        """
        if not 0 <= row < len(self._rows):
            raise ValueError(f"row {row}: there are {len(self._rows)}")
        state = self._rows[row]
        if instruction != state.instruction:
            self._episodes += 1
            state.instruction, state.begun, state.heard = instruction, self._episodes, 0

    def end(self, state: _Row) -> None:
        """Keep what is counted."""
        self._past.append(state.streak.report())

    def act(self, observations: Sequence[Observation], *, rows: Sequence[int] | None = None) -> list[Action]:
        """One action a row. rows: of these alone, an observation each; for the others no time passes."""
        if rows is None:
            self.check(observations)
            rows = range(len(self._rows))
        seen = dict(zip(rows, observations, strict=True))
        asked = [row for row in rows if not self._rows[row].pending]
        if asked:
            self._ask(asked, [seen[row] for row in asked])
        actions = []
        for state in (self._rows[row] for row in rows):
            action = state.pending.popleft()
            state.streak.update(is_null(action))
            actions.append(action)
        return actions

    def reply(self, observations: Sequence[Observation]) -> list[list[Action]]:
        """All actions of a new reply for each row, what was left of an earlier one forgotten: for play in real time."""
        self.check(observations)
        states = [state for state in self._rows if state is not None]
        for state in states:
            state.pending.clear()
        self._ask(list(range(len(states))), observations)
        replies = []
        for state in states:
            replies.append(list(state.pending))
            state.pending.clear()
            for action in replies[-1]:
                state.streak.update(is_null(action))
        return replies

    def report(self) -> dict[str, int]:
        """Counts since the beginning: replies, actions, null ones, the longest streak of them, freezes, resamples."""
        parts = [*self._past, *(row.streak.report() for row in self._rows if row)]
        total = {key: sum(part[key] for part in parts) for key in ("actions", "null", "frozen")}
        longest = max((part["longest_null_streak"] for part in parts), default=0)
        return {"replies": self.replies, **total, "longest_null_streak": longest, "resampled": self.resampled}

    def _ask(self, asked: list[int], observations: Sequence[Observation]) -> None:
        import torch

        agent, states = self.backbone.agent, [self._rows[row] for row in asked]
        frames = [fitted(observation.pov, agent.width, agent.height) for observation in observations]
        with torch.inference_mode():
            stack = self.backbone.see_stack(np.stack(frames))
        prompts, seen = self._hear(states, stack)
        randoms = [state.random for state in states]
        replies = self.speaker.speak(prompts, seen, randoms, self.temperature, [state.last for state in states])
        self.replies += len(replies)
        actions = [self._actions(tuple(reply)) for reply in replies]
        for attempt in range(1, RESAMPLES + 1):
            stuck = [
                state.streak.length + len(chunk) >= state.streak.limit and all(map(is_null, chunk))
                for state, chunk in zip(states, actions, strict=True)
            ]
            if not any(stuck):
                break
            heats = [(self.temperature or 0.5) * 2.0**attempt if is_stuck else 0.0 for is_stuck in stuck]
            again = self.speaker.speak(prompts, seen, randoms, heats)
            for number in np.flatnonzero(stuck):
                self.resampled += 1
                replies[number] = again[number]
                actions[number] = self._actions(tuple(again[number]))
        for state, reply, chunk in zip(states, replies, actions, strict=True):
            state.pending.extend(chunk)
            state.last = reply
            state.heard += 1
        if agent.history:
            for state, shown, reply in zip(states, seen, replies, strict=True):
                state.earlier.append((shown[-1], tuple(reply)))

    def _hear(self, states: Sequence[Any], stack: Stack) -> tuple[list[Rendered], Stack | list[list[Seen]]]:
        """What each row's speaker must read now, and the pictures in it.

        That is what follows the words, which were read before, or all of it while the words are still new.
        """
        begun = tuple(state.begun for state in states)
        if begun == self._spoken_to:
            whole = False
        elif all(state.heard >= STEADY for state in states):
            self.speaker.begin([self._words(state.instruction) for state in states])
            self._spoken_to, whole = begun, False
        else:
            self.speaker.forget()
            self._spoken_to, whole = (), True
        history = self.backbone.agent.history
        if not history:
            return [self._prompt(state.instruction, whole, (), (stack.grid,)) for state in states], stack
        prompts, seen = [], []
        for state, picture in zip(states, stack.each(), strict=True):
            if not state.earlier:
                # as JARVIS-VLA begins: the first picture, doing nothing
                null = tuple(self.codec.null_ids) * self.chunk
                state.earlier = deque([(picture, null)] * history, maxlen=history)
            shown = [earlier for earlier, _ in state.earlier] + [picture]
            said = tuple(ids for _, ids in state.earlier)
            prompts.append(self._prompt(state.instruction, whole, said, tuple(one.grid for one in shown)))
            seen.append(shown)
        return prompts, seen

    def _render(
        self, instruction: str, whole: bool, said: tuple[tuple[int, ...], ...], grids: tuple[tuple[int, int], ...]
    ) -> Rendered:
        """The pictures and what was said to them; before that the words, if it is to be whole."""
        style, tokenizer = self.backbone.style, self.backbone.tokenizer
        turns = [style.first(instruction) if whole else Turn("user", (IMAGE,))]
        for ids in said:
            turns += [style.reply(ids), style.later()]
        start = 0 if whole else int(self._words(instruction).positions.max()) + 1
        return style.render(turns, tokenizer, grids, reply=True, continues=not whole, start=start)

    def _decode(self, reply: tuple[int, ...]) -> tuple[Action, ...]:
        return tuple(Action.from_env(action) for action in self.codec.decode(reply))

    def _words(self, instruction: str) -> Rendered:
        """All before the first picture."""
        words, _ = self.backbone.style.first(instruction).parts
        return self.backbone.style.render([Turn("user", (words,))], self.backbone.tokenizer, unfinished=True)


def hub_policy(name: str, **options: Any) -> VlaPolicy:
    """The policy of ORG/NAME in the Hugging Face Hub's cache. FormatError with the command that downloads it."""
    from vla.hub import local_folder

    return VlaPolicy(local_folder(name), **options)
