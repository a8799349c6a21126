"""The default agent: a small vision-language-action model that a guide tells what to do, tick by tick.

    policy = default_agent()                          # --policy default: the checkpoint that ships with the package
    policy = guided("runs/agent")                     # --policy guided:FOLDER
    policy.reset([task.goal], seeds=[3]); policy.follow(0, env)
    actions = policy.act([observation])

Where the folder has a hand (vla/hand.py), that one plays while a screen is open, and the model in the open. Both see
pixels and the guide's few words, nothing else. The guide (guide.py) sees what a player reads off the screens and never
where in the world anything is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.app.planner.guide import Guide
from jarvis.core.actions import Action
from jarvis.core.errors import JarvisError
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.random_streams import generator

if TYPE_CHECKING:
    from vla.hand import Hand

__all__ = ["AGENT", "HAND", "GuidedPolicy", "default_agent", "guided"]

AGENT = Path(__file__).parents[2] / "data" / "agent"  # the checkpoint that ships
HAND = "hand.safetensors"  # in a checkpoint's folder
TEMPERATURE = 0.5
NEVER = 10**9  # a guide says to wait, so doing nothing for long is no sign of a freeze


class GuidedPolicy:
    """The rows of a policy with `tell(row, text)`, each with a guide of its own."""

    def __init__(self, policy: Any, hand: Hand | None = None, *, temperature: float = TEMPERATURE) -> None:
        """hand: plays while a screen is open, at this temperature; None: the policy does that too."""
        self.policy, self.hand, self.temperature = policy, hand, temperature
        self.picture_size = policy.picture_size
        self.counts: Counter[str] = Counter()
        self._guides: list[Guide | None] = []
        self._envs: list[Any] = []
        self._last: list[Action | None] = []
        self._told: list[str] = []
        self._trails: list[list[str]] = []
        self._randoms: list[np.random.Generator] = []

    def reset(
        self,
        goals: Sequence[Goal | None],
        *,
        rows: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """As in the Policy protocol."""
        if rows is None:
            count = len(goals)
            self._guides, self._envs, self._last = [None] * count, [None] * count, [None] * count
            self._told, self._trails = [""] * count, [[] for _ in range(count)]
            self._randoms = [generator(0, "policy", "hand")] * count
        numbers = range(len(goals)) if rows is None else rows
        for row, goal, seed in zip(numbers, goals, numbers if seeds is None else seeds, strict=True):
            self._randoms[row] = generator(seed, "policy", "hand")
            self._guides[row] = None if goal is None else Guide(goal)
            self._last[row], self._told[row], self._trails[row] = None, "", []
        self.policy.reset(goals, rows=rows, seeds=seeds)

    def follow(self, row: int, env: Any) -> None:
        """The environment of a row, whose screens the guide reads. None: its world is not ready."""
        if env is not None and not hasattr(env, "world"):
            name = getattr(env, "name", env)
            raise JarvisError(f"guided: the screens of {name!r} cannot be read, only those of voxel worlds; choose "
                              "another --policy there")  # fmt: skip
        self._envs[row] = env

    def act(self, observations: Sequence[Observation]) -> Sequence[Action]:
        """One action a row, of the policy beneath or of the hand."""
        for row, (guide, env) in enumerate(zip(self._guides, self._envs, strict=True)):
            if guide is None or env is None:
                continue
            text = guide.look(env.world, self._last[row]).text
            if text != self._told[row]:
                self.policy.tell(row, text)
                self.counts["told"] += 1
                self._told[row] = text
                self._trails[row].append(text)
        actions = self._acted(observations)
        self._last = list(actions)
        return actions

    def _acted(self, observations: Sequence[Observation]) -> Sequence[Action]:
        """The actions, by the hand where a screen is open."""
        hand, rows = self.hand, range(len(self._envs))
        guided = [row for row in rows if self._guides[row] is not None and self._envs[row] is not None]
        screens = [row for row in guided if self._envs[row].world.screen.is_open]
        if hand is None or not screens:
            return self.policy.act(observations)
        from vla.policy import fitted

        self.counts["on screens"] += len(screens)
        frames = np.stack([fitted(observations[row].pov, *hand.picture_size) for row in screens])
        texts, randoms = [self._told[row] for row in screens], [self._randoms[row] for row in screens]
        played = dict(zip(screens, hand.act(frames, texts, randoms, self.temperature), strict=True))
        if others := [row for row in rows if row not in played]:
            acted = self.policy.act([observations[row] for row in others], rows=others)
            played |= dict(zip(others, acted, strict=True))
        return [played[row] for row in rows]

    def report(self) -> dict[str, int]:
        """Counts since the beginning: how often something new was told, and those of the policy beneath."""
        return {**self.policy.report(), **self.counts}

    def trail(self, row: int = 0) -> list[str]:
        """What a row was told in this episode, in order."""
        return list(self._trails[row])


def guided(folder: str | Path, **options: Any) -> GuidedPolicy:
    """A guide over the model in a checkpoint folder; options as of `vla.policy.VlaPolicy`."""
    from vla.hand import Hand
    from vla.policy import VlaPolicy

    options = {"temperature": TEMPERATURE, "freeze_limit": NEVER} | options
    path = Path(folder) / HAND
    hand = Hand.load(path) if path.is_file() else None
    return GuidedPolicy(VlaPolicy(folder, **options), hand, temperature=options["temperature"])


def default_agent(**options: Any) -> GuidedPolicy:
    """The agent that ships with the package."""
    if not (AGENT / "config.json").is_file():
        raise JarvisError(f"{AGENT}: no agent ships with this version; make one with: jarvis train agent")
    return guided(AGENT, **options)
