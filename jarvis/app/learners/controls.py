"""What a small policy sees of a place, and which actions it chooses from.

Crafter has 17 actions of its own, and is seen as the numbers of its cells, which saves the drawing. In block worlds a
choice is a combination of keys and a turn of the head, held for a few ticks: enough to walk, look, dig and fight, not
to work in screens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.observations import Observation

__all__ = ["Controls", "controls_of"]


@dataclass(frozen=True)
class Controls:
    """A place as seen by a small policy."""

    env: str
    shape: tuple[int, ...]  # of what it sees, uint8: (height, width, 3) pixels, or Crafter's (144,) cells
    choices: int
    repeat: int  # ticks that a choice is held
    rewarded_by_goal: bool  # else by the game itself

    def make(self) -> Any:
        """A new environment. Starts nothing that an episode does not need."""
        from jarvis.envs.registry import make

        if self.env == "crafter":
            return make("crafter", drawn=False)
        options: dict[str, Any] = {"height": self.shape[0], "width": self.shape[1]}
        return make(self.env, **options, **({"hud": False} if self.env == "voxel" else {}))

    def see(self, env: Any, observation: Observation) -> np.ndarray:
        """What the policy sees now."""
        return env.cells() if self.env == "crafter" else observation.pov

    def action(self, choice: int) -> Any:
        """What the environment's `step` takes."""
        return choice if self.env == "crafter" else _MOVES[choice]


def controls_of(env: str) -> Controls:
    """Crafter's own, or those of the block worlds."""
    if env == "crafter":
        return Controls("crafter", (144,), 17, 1, False)
    return Controls(env, (48, 64, 3), len(_MOVES), 4, True)


def _moves() -> tuple[Action, ...]:
    turn, tilt = 7.5, 7.5  # degrees a tick, so 30 in a choice
    plain: list[tuple[tuple[str, ...], tuple[float, float]]] = [
        ((), (0, 0)), (("forward",), (0, 0)), (("forward", "jump"), (0, 0)), (("forward", "sprint", "jump"), (0, 0)),
        (("attack",), (0, 0)), (("attack", "forward"), (0, 0)), (("use",), (0, 0)), (("back",), (0, 0)),
        (("left",), (0, 0)), (("right",), (0, 0)),
        ((), (0, turn)), ((), (0, -turn)), ((), (0, turn / 4)), ((), (0, -turn / 4)),
        ((), (tilt, 0)), ((), (-tilt, 0)), (("attack",), (tilt, 0)), (("attack",), (-tilt, 0)),
        (("attack",), (0, turn / 4)), (("attack",), (0, -turn / 4)),
    ]  # fmt: skip
    return tuple(Action.of(*keys, camera=camera) for keys, camera in plain)


_MOVES = _moves()
