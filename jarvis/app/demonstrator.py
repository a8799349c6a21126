"""The scripted player of the voxel world as a policy.

    policy = ScriptedPolicy()
    policy.reset([task.goal], seeds=[3])
    observation, info = env.reset(task, 3)
    policy.follow(0, env)                        # it plays from the world, not from the picture
    actions = policy.act([observation])

Whoever steps environments for a policy that has `follow` calls it after each reset: `jarvis play` and
`evaluation.rollouts` do. It never writes to the world; all it does is press keys and move the mouse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jarvis.app.policies import Rows
from jarvis.core.actions import Action
from jarvis.core.errors import JarvisError, UnknownNameError, nearest_names
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.tasks import Task
from jarvis.envs.scripted import Habits, ScriptedPlayer

__all__ = ["HABITS", "CannotPlayError", "ScriptedPolicy", "new_player"]

HABITS = {"human": Habits.human, "clean": Habits.clean}


class CannotPlayError(JarvisError, ValueError):
    """A world or a goal that the scripted player does not know how to play."""


def new_player(goal: Goal | Task | None, seed: int, habits: str = "human", fov: float = 70.0) -> ScriptedPlayer:
    """A scripted player. fov: vertical degrees of the pictures, in which it tells where things are.

    CannotPlayError for a goal that it cannot go for.
    """
    if habits not in HABITS:
        raise UnknownNameError("habits", habits, nearest_names(habits, HABITS))
    named = f"task {goal.name!r}" if isinstance(goal, Task) else f"goal {goal.text!r}" if goal else "no goal"
    try:
        if goal is None:
            raise ValueError("it wants one")
        return ScriptedPlayer(goal, seed, HABITS[habits](), fov)
    except ValueError as error:
        raise CannotPlayError(f"player 'scripted', {named}: {error}") from error


class ScriptedPolicy(Rows):
    """Plays any goal that the scripted player knows, in voxel worlds only.

    habits: `human` pauses, slips and looks round; `clean` does not.
    """

    def __init__(self, habits: str = "human") -> None:
        super().__init__()
        if habits not in HABITS:
            raise UnknownNameError("habits", habits, nearest_names(habits, HABITS))
        self.habits = habits
        self._envs: dict[int, Any] = {}

    def begin(self, goal: Goal | None, seed: int) -> ScriptedPlayer:
        """A player for the row's goal. CannotPlayError if it cannot go for that."""
        return new_player(goal, seed, self.habits)

    def follow(self, row: int, env: Any) -> None:
        """The environment that the row plays in from now on. None: its world is not ready to be read."""
        if env is not None and not hasattr(env, "world"):
            raise CannotPlayError(f"player 'scripted' plays voxel worlds only, not {getattr(env, 'name', env)!r}")
        self._envs[row] = env

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One action a row. The pictures are not looked at."""
        self.check(observations)
        missing = [row for row in range(len(self._rows)) if row not in self._envs]
        if missing:
            raise CannotPlayError(f"player 'scripted': rows {missing} have no world; call follow(row, env) after reset")
        worlds = [self._envs[row] for row in range(len(self._rows))]
        return [
            Action.noop() if env is None else player.act(env.world)
            for player, env in zip(self._rows, worlds, strict=True)
        ]
