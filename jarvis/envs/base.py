"""What every place to play shares: one object that is both our `Environment` and a Gymnasium environment.

    observation, info = env.reset(task, seed)                # jarvis.core.Environment: Observation and Step
    observation, reward, terminated, truncated, info = env.step(Action.of("forward"))

`reset(seed=7)` without a task, then `step` with a dictionary of MineRL's keys, give {"pov": ...} where the above gives
an Observation. The task of such an episode is `reset(options={"task": task})`'s, or the constructor's, or free play.

info, each tick: tick (how many were played), events (of the last one), inventory {item: count}, equipped_items,
location_stats, life_stats, isGuiOpen, milestones {name: tick}, success, and the totals since reset mine_block,
craft_item, pickup, use_item, kill_entity, break_item, drop and custom under MineRL's names, only what is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces

from jarvis.core.actions import BUTTONS, CAMERA_LIMIT, Action
from jarvis.core.environments import Step
from jarvis.core.errors import EpisodeError, PredicateError
from jarvis.core.events import Event, EventCounters
from jarvis.core.goals import Goal, Moment
from jarvis.core.names import Vocabulary
from jarvis.core.observations import Observation
from jarvis.core.start_states import StartState, check_supported
from jarvis.core.tasks import Progress, Task

__all__ = ["FREE_PLAY", "EpisodeEnv", "Told", "human_survival_actions"]

FREE_PLAY = Task("play", Goal("play"), max_ticks=24000)


def human_survival_actions() -> spaces.Dict:
    """MineRL 1.0 HumanSurvival's action space without `chat`: 23 buttons and the camera in degrees."""
    buttons: dict[str, gymnasium.Space[Any]] = {name: spaces.Discrete(2) for name in BUTTONS}
    camera = spaces.Box(-CAMERA_LIMIT, CAMERA_LIMIT, (2,), np.float32)
    return spaces.Dict(dict(sorted((buttons | {"camera": camera}).items())))


class Told(NamedTuple):
    """What a simulator tells after a reset or a tick."""

    pov: np.ndarray  # (height, width, 3) uint8 RGB, never written to again
    events: Sequence[Event]  # of the tick
    info: dict[str, Any]  # inventory, equipped_items, location_stats, life_stats, isGuiOpen, anything else
    status: Mapping[str, Any]  # biome, y, near_blocks, for predicates
    ended: bool = False  # by the simulator itself, for instance because the player died for good
    cut: bool = False  # by the simulator's own patience


class EpisodeEnv(gymnasium.Env[dict[str, np.ndarray], dict[str, Any]]):
    """An episode of a task. Subclasses give `begin` and `play`, and say what they can honour and tell."""

    name = "environment"
    supported_start_fields: frozenset[str] = frozenset()
    tells: frozenset[str] = frozenset({"events", "inventory", "biome", "y"})  # of what tasks may need
    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(
        self, task: Task | None = None, width: int = 640, height: int = 360, render_mode: str | None = None
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode: {render_mode!r}, expected None or 'rgb_array'")
        self.task = task or FREE_PLAY
        self.width, self.height, self.render_mode = width, height, render_mode
        self.action_space = human_survival_actions()
        self.observation_space = spaces.Dict({"pov": spaces.Box(0, 255, (height, width, 3), np.uint8)})
        self._protocol = True
        self._progress: Progress | None = None
        self._pov = np.zeros((height, width, 3), np.uint8)
        self.check(self.task)

    # what the simulators differ in

    def vocabulary(self) -> Vocabulary:
        """The names that exist in this world."""
        raise NotImplementedError

    def begin(self, task: Task, start: StartState, seed: int) -> Told:
        """Set the scene; ``start`` has the world's own names."""
        raise NotImplementedError

    def play(self, action: Action, tick: int) -> Told:
        """Play one tick; its events carry ``tick``."""
        raise NotImplementedError

    # the episode

    def check(self, task: Task) -> StartState:
        """Its start with the world's own names. Raises, before anything is started, for what cannot be done here."""
        missing = sorted(task.needs - self.tells)
        if missing:
            raise PredicateError(f"task {task.name}: environment {self.name!r} cannot tell {', '.join(missing)}")
        check_supported(task.start, self.supported_start_fields, self.name)
        return task.start.resolved(self.vocabulary())

    def seed_of(self, seed: int | None) -> int:
        """The seed an episode is played with; without one, the next of Gymnasium's stream."""
        return int(self.np_random.integers(2**31)) if seed is None else seed

    def reset(  # type: ignore[override]
        self, task: Task | None = None, seed: int | None = None, *, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode. With a task: (Observation, info). Without: ({"pov": ...}, info), as Gymnasium has it."""
        self._protocol = task is not None
        played = task or (options or {}).get("task") or self.task
        start = self.check(played)
        super().reset(seed=seed)
        self._progress = None  # until the scene is set
        told = self.begin(played, start, self.seed_of(seed))
        self._progress, self._tick = Progress(played), 0
        self._totals = EventCounters()
        self._pov = told.pov
        return self._observation(), self._info(told)

    def step(self, action: Any) -> Any:  # type: ignore[override]
        """Plays one tick of an Action or of a MineRL dictionary. Raises EnvironmentFailure if the simulator broke."""
        chosen = action if isinstance(action, Action) else Action.from_env(action)
        if self._progress is None:
            raise EpisodeError(f"environment {self.name!r}: step before reset; call reset first")
        progress, tick = self._progress, self._tick
        told = self.play(chosen, tick)
        self._tick += 1
        self._totals.add(*told.events)
        self._pov = told.pov
        progress.update(Moment(tick, tuple(told.events), told.info["inventory"], told.status))
        terminated = told.ended or progress.success or progress.failed
        truncated = not terminated and (told.cut or self._tick >= progress.task.max_ticks)
        reward = float(progress.success_tick == tick)
        result = Step(self._observation(), reward, terminated, truncated, self._info(told))
        return result if self._protocol else tuple(result)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The last picture, (height, width, 3) uint8."""
        return self._pov.copy() if self.render_mode else None

    def _observation(self) -> Any:
        return Observation(self._pov) if self._protocol else {"pov": self._pov}

    def _info(self, told: Told) -> dict[str, Any]:
        assert self._progress is not None
        return (
            told.info
            | self._totals.to_dict()
            | {
                "tick": self._tick,
                "events": list(told.events),
                "milestones": dict(self._progress.milestones),
                "success": self._progress.success,
            }
        )
