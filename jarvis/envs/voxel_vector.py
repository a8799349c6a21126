"""Many voxel worlds in one process, stepped together: threads draw them at once, because kernels run without the GIL.

    envs = VoxelVectorEnv(num_envs=8, width=128, height=128)      # or gymnasium.make_vec("jarvis/Voxel-v0", 8)
    observations, infos = envs.reset(seed=7)                       # {"pov": (8, 128, 128, 3) uint8}
    observations, rewards, terminated, truncated, infos = envs.step(actions)

Actions are a batch of MineRL's dictionaries ({"attack": (8,), ..., "camera": (8, 2)}), or, without any conversion,
`envs.step_arrays(buttons (8, 23), camera (8, 2))`. An episode that has ended begins anew at the next step, whose action
is not played (Gymnasium's NEXT_STEP). World i plays the same episode as a single VoxelEnv with its task and seed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.vector.utils import batch_space

from jarvis.core.actions import BUTTONS, Action, validate_arrays
from jarvis.core.errors import ActionError
from jarvis.core.random_streams import stream_seed
from jarvis.core.tasks import Task
from jarvis.envs.voxel import VoxelEnv

__all__ = ["VoxelVectorEnv"]


class VoxelVectorEnv(gymnasium.vector.VectorEnv[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]):
    """N voxel worlds. Options beside these go to every VoxelEnv."""

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "render_fps": 20,
        "autoreset_mode": gymnasium.vector.AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        task: Task | Sequence[Task] | None = None,
        threads: int | None = None,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """task: one for all, or one for each. threads: how many step at once; None means one for each core."""
        if num_envs < 1:
            raise ValueError(f"num_envs: {num_envs}, expected at least 1")
        tasks = list(task) if isinstance(task, Sequence) else [task] * num_envs
        if len(tasks) != num_envs:
            raise ValueError(f"task: {len(tasks)} tasks for {num_envs} environments")
        self.num_envs, self.render_mode = num_envs, render_mode
        self.envs = [VoxelEnv(task, render_mode=render_mode, **options) for task in tasks]
        first = self.envs[0]
        self.single_action_space, self.single_observation_space = first.action_space, first.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._pool = ThreadPoolExecutor(min(num_envs, threads or os.cpu_count() or 1))
        self._ended = np.ones(num_envs, np.bool_)
        self._seeds = np.zeros(num_envs, object)
        self._episodes = np.zeros(num_envs, np.int64)

    def reset(  # type: ignore[override]
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin an episode in every world. An integer seed gives seed, seed + 1, ... to the worlds."""
        if seed is None:
            seeds = [int(value) for value in self.np_random.integers(2**31, size=self.num_envs)]
        else:
            seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed: {len(seeds)} seeds for {self.num_envs} environments")
        self._seeds[:], self._episodes[:], self._ended[:] = seeds, 0, False
        results = list(
            self._pool.map(lambda i: self.envs[i].reset(seed=seeds[i], options=options), range(self.num_envs))
        )
        return self._gather([result[0] for result in results]), self._infos([result[1] for result in results])

    def step(  # type: ignore[override]
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play one tick in every world from a batch of dictionaries."""
        known = {"camera", *BUTTONS}
        for key in actions:
            if key not in known:
                raise ActionError(f"action: unknown key {key!r}, expected MineRL's {', '.join(sorted(known))}")
        buttons = np.zeros((self.num_envs, len(BUTTONS)), np.int64)
        for index, name in enumerate(BUTTONS):
            values = np.asarray(actions.get(name, 0))
            if values.shape not in ((), (self.num_envs,)):
                raise ActionError(f"{name}: shape {values.shape}, expected ({self.num_envs},)")
            if values.dtype.kind not in "bui":
                raise ActionError(f"{name}: {values.dtype} values, expected integers 0 or 1")
            buttons[:, index] = values
        return self.step_arrays(buttons, actions.get("camera", np.zeros((self.num_envs, 2), np.float32)))

    def step_arrays(
        self, buttons: np.ndarray, camera: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """The same from (num_envs, 23) buttons of 0 and 1 and (num_envs, 2) degrees of (pitch, yaw)."""
        buttons, camera = validate_arrays(buttons, camera)
        if buttons.shape != (self.num_envs, len(BUTTONS)):
            raise ActionError(f"buttons: shape {buttons.shape}, expected ({self.num_envs}, {len(BUTTONS)})")
        results = list(self._pool.map(lambda i: self._step(i, buttons[i], camera[i]), range(self.num_envs)))
        observations, rewards, terminated, truncated, infos = zip(*results, strict=True)
        ended = np.array(terminated, np.bool_), np.array(truncated, np.bool_)
        self._ended = ended[0] | ended[1]
        return self._gather(observations), np.array(rewards, np.float64), *ended, self._infos(infos)

    def _step(self, i: int, buttons: np.ndarray, camera: np.ndarray) -> tuple[Any, ...]:
        if not self._ended[i]:
            return self.envs[i].step(Action(buttons, camera))
        self._episodes[i] += 1
        again = stream_seed(self._seeds[i], "episode", int(self._episodes[i])) >> 33
        observation, info = self.envs[i].reset(seed=again)
        return observation, 0.0, False, False, info

    def _gather(self, observations: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return {"pov": np.stack([observation["pov"] for observation in observations])}

    def _infos(self, infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Gymnasium's batch of infos would sum up counters; a list under one key keeps each world's own."""
        return {"worlds": list(infos)}

    def render(self) -> tuple[np.ndarray, ...] | None:
        """The last picture of every world."""
        return tuple(env.render() for env in self.envs) if self.render_mode else None  # type: ignore[misc]

    def close_extras(self, **kwargs: Any) -> None:
        """Stop the threads."""
        self._pool.shutdown()
        for env in self.envs:
            env.close()
