"""A vision-language-action model as a Policy: pixels and an instruction in, keys and mouse out.

    policy = VlaPolicy("runs/vla/final")                    # or a Backbone
    policy.reset([goal], seeds=[7])
    actions = policy.act([observation])
    policy.report()                                         # replies, null actions, freezes

The wording of the goal is fixed for an episode. A reply has `chunk` actions, played one a tick. A row that does
nothing for `freeze_limit` ticks is asked again, hotter: JARVIS-VLA is known to freeze.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.random_streams import generator
from jarvis.core.rows import Rows
from vla.action_codecs import is_null
from vla.backbone import Backbone, Seen
from vla.decoding import Speaker
from vla.grammar import NullStreak, grammar_of
from vla.prompts import IMAGE, Turn

__all__ = ["VlaPolicy", "fitted", "hub_policy"]

RESAMPLES = 2  # of a frozen row, each at a higher temperature


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
    begun: int  # a number of its own for each episode
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
        return _Row(text, generator(seed, "policy", "vla"), self._episodes, streak=NullStreak(self.freeze_limit))

    def end(self, state: _Row) -> None:
        """Keep what is counted."""
        self._past.append(state.streak.report())

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One action a row."""
        self.check(observations)
        asked = [row for row, state in enumerate(self._rows) if state is not None and not state.pending]
        if asked:
            self._ask(asked, [observations[row] for row in asked])
        actions = []
        for state in self._rows:
            assert state is not None
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
            pictures = self.backbone.see(frames)
        suffixes, seen = self._hear(states, pictures)
        randoms = [state.random for state in states]
        replies = self.speaker.speak(suffixes, seen, randoms, self.temperature, [state.last for state in states])
        self.replies += len(replies)
        actions = [[Action.from_env(action) for action in self.codec.decode(reply)] for reply in replies]
        for attempt in range(1, RESAMPLES + 1):
            stuck = [
                state.streak.length + len(chunk) >= state.streak.limit and all(map(is_null, chunk))
                for state, chunk in zip(states, actions, strict=True)
            ]
            if not any(stuck):
                break
            heats = [(self.temperature or 0.5) * 2.0**attempt if is_stuck else 0.0 for is_stuck in stuck]
            again = self.speaker.speak(suffixes, seen, randoms, heats)
            for number in np.flatnonzero(stuck):
                self.resampled += 1
                replies[number] = again[number]
                actions[number] = [Action.from_env(action) for action in self.codec.decode(again[number])]
        for state, picture, reply, chunk in zip(states, pictures, replies, actions, strict=True):
            state.pending.extend(chunk)
            state.last = reply
            if agent.history:
                state.earlier.append((picture, tuple(reply)))

    def _hear(self, states: Sequence[Any], pictures: Sequence[Seen]) -> tuple[list[Any], list[list[Seen]]]:
        """What each row's speaker must read now, after its constant beginning."""
        backbone, style = self.backbone, self.backbone.style
        begun = tuple(state.begun for state in states)
        if begun != self._spoken_to:
            self.speaker.begin([self._prefix(state.instruction) for state in states])
            self._spoken_to = begun
        suffixes, seen = [], []
        for state, picture in zip(states, pictures, strict=True):
            if backbone.agent.history and not state.earlier:
                # as JARVIS-VLA begins: the first picture, doing nothing
                null = tuple(self.codec.null_ids) * self.chunk
                state.earlier = deque([(picture, null)] * backbone.agent.history, maxlen=backbone.agent.history)
            shown = [earlier for earlier, _ in state.earlier] + [picture]
            turns = [Turn("user", (IMAGE,))]
            for _, ids in state.earlier:
                turns += [style.reply(ids), style.later()]
            start = int(self._prefix(state.instruction).positions.max()) + 1
            grids = [one.grid for one in shown]
            suffixes.append(style.render(turns, backbone.tokenizer, grids, reply=True, continues=True, start=start))
            seen.append(shown)
        return suffixes, seen

    def _prefix(self, instruction: str) -> Any:
        words, _ = self.backbone.style.first(instruction).parts
        return self.backbone.style.render([Turn("user", (words,))], self.backbone.tokenizer, unfinished=True)


def hub_policy(name: str, **options: Any) -> VlaPolicy:
    """The policy of ORG/NAME in the Hugging Face Hub's cache. FormatError with the command that downloads it."""
    from vla.hub import local_folder

    return VlaPolicy(local_folder(name), **options)
