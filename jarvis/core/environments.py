"""The two sides of play. The docstring of each protocol is the loop that uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jarvis.core.actions import Action
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.tasks import Task

__all__ = ["Environment", "Policy", "Step"]


class Step(NamedTuple):
    """What one tick brings, in Gymnasium's order."""

    observation: Observation
    reward: float
    terminated: bool  # the task's ending: its goal is reached or out of reach, or the player died for good
    truncated: bool  # our patience: max_ticks went by
    info: dict[str, Any]  # for evaluation, never for a policy: inventory, events of the tick, location, ...


@runtime_checkable
class Environment(Protocol):
    """A place to play.

        check_supported(task.start, environment.supported_start_fields, environment.name)
        observation, info = environment.reset(task, seed)
        while True:
            observation, reward, terminated, truncated, info = environment.step(choose(observation))
            if terminated or truncated:
                break
        environment.close()

    The same task, seed and actions give the same frames. A broken simulator raises EnvironmentFailure; the episode
    counts as aborted, and the next reset starts a sound one.
    """

    name: str
    supported_start_fields: frozenset[str]  # of StartState; others are refused before the run

    def reset(self, task: Task, seed: int) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode: the first observation, and its info."""
        ...

    def step(self, action: Action) -> Step:
        """Plays one tick."""
        ...

    def close(self) -> None:
        """Frees everything. May be called twice."""
        ...


@runtime_checkable
class Policy(Protocol):
    """A player of many episodes at once, one a row.

        policy.reset(goals, seeds=seeds)                      # as many rows as goals
        while running:
            actions = policy.act(observations)                # one observation and one action a row
            ...
            policy.reset([goal], rows=[3], seeds=[seed])      # row 3 begins another episode, the others go on

    A row's actions follow from its own seed, goal and observations, whatever the other rows hold.
    """

    def reset(
        self,
        goals: Sequence[Goal | None],
        *,
        rows: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """Forgets the given rows (all of them, and sets their number, if `rows` is None) and gives them new goals."""
        ...

    def act(self, observations: Sequence[Observation]) -> Sequence[Action]:
        """One action for each row."""
        ...
