"""Many episodes at once, in worker processes. What an episode is, the caller says; what came of it, the evidence tells.

    with Rows(controls, count=16, workers=2) as rows:
        rows.begin(3, task, seed, goals)                  # row 3 plays this now
        seen = rows.seen(group)                           # (rows of the group, *controls.shape) uint8
        rows.send(group, choices)                         # returns at once
        for row, outcome in rows.receive(group): ...      # after the step; ended rows must `begin` again

Rows are in as many groups as there are workers, so that one group plays while the policy looks at another. An episode
is a task, a seed and the choices so far: that is also how a row is saved, and it is played again when it is restored.
"""

from __future__ import annotations

import json
import multiprocessing
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jarvis.app.curriculum.evidence import Recorder
from jarvis.app.learners.controls import Controls
from jarvis.core.errors import EnvironmentFailure
from jarvis.core.goals import Goal, Moment
from jarvis.core.tasks import Task

__all__ = ["Ended", "Rows"]

MOST_EVENTS = 400  # moments with events that are kept of an episode for relabelling


@dataclass
class Ended:
    """An episode that is over."""

    ticks: int
    evidence: list[Any]
    events: list[Any]  # [[tick, [[event, item, count], ...]], ...]
    reward: float  # the game's own


class _Episode:
    """One row, where it is played."""

    def __init__(self, controls: Controls) -> None:
        self.controls, self.env = controls, controls.make()

    def begin(self, task: Task, seed: int, goals: Sequence[Goal]) -> np.ndarray:
        self.task = task
        self.recorder = Recorder([goal.predicate for goal in goals if goal.predicate is not None])
        self.events: list[Any] = []
        self.total = 0.0
        self.tick = 0
        observation, _ = self.env.reset(task, seed)
        return self.controls.see(self.env, observation)

    def step(self, choice: int) -> tuple[np.ndarray, float, bool, bool]:
        """What is seen, reward, terminated, truncated."""
        action, reward = self.controls.action(choice), 0.0
        for _ in range(self.controls.repeat):
            step = self.env.step(action)
            reward += step.reward
            self._tell(step.info)
            if step.terminated or step.truncated:
                break
        self.total += reward
        return self.controls.see(self.env, step.observation), reward, step.terminated, step.truncated

    def _tell(self, info: Mapping[str, Any]) -> None:
        events = info["events"]
        place = info.get("location_stats", {})
        status = {"biome": place.get("biome"), "y": place.get("ypos", 64.0), "near_blocks": {}}
        self.recorder.update(Moment(self.tick, tuple(events), info["inventory"], status))
        if events and len(self.events) < MOST_EVENTS:
            self.events.append([self.tick, [[event.name, event.item, event.count] for event in events]])
        self.tick += 1

    def ended(self) -> Ended:
        return Ended(self.tick, self.recorder.evidence, self.events, round(self.total, 6))


class _Group:
    """The rows of one worker."""

    def __init__(self, controls: Controls, count: int) -> None:
        self.rows = [_Episode(controls) for _ in range(count)]
        self.seen = np.zeros((count, *controls.shape), np.uint8)

    def begin(self, row: int, task: str, seed: int, goals: list[str], choices: bytes) -> np.ndarray:
        known = [Goal.from_json(json.loads(goal)) for goal in goals]
        self.seen[row] = self.rows[row].begin(Task.from_json(json.loads(task)), seed, known)
        for choice in choices:
            self.seen[row] = self.rows[row].step(choice)[0]
        return self.seen[row]

    def step(self, choices: bytes) -> tuple[np.ndarray, list[tuple[float, bool, bool]], dict[int, Ended]]:
        told, ended = [], {}
        for number, (row, choice) in enumerate(zip(self.rows, choices, strict=True)):
            self.seen[number], reward, terminated, truncated = row.step(choice)
            told.append((reward, bool(terminated), bool(truncated)))
            if terminated or truncated:
                ended[number] = row.ended()
        return self.seen, told, ended

    def close(self) -> None:
        for row in self.rows:
            row.env.close()


def _work(pipe: Any, controls: Controls, count: int) -> None:
    """The loop of a worker process."""
    import os

    os.environ["OMP_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"
    try:
        group = _Group(controls, count)
        while (message := pipe.recv()) is not None:
            name, arguments = message
            pipe.send(("done", getattr(group, name)(*arguments)))
        group.close()
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        pass
    except BaseException:
        pipe.send(("broken", traceback.format_exc()))


class _Here:
    """A group in this process, with the manners of a worker."""

    def __init__(self, controls: Controls, count: int) -> None:
        self._group = _Group(controls, count)
        self._answers: list[Any] = []

    def ask(self, name: str, *arguments: Any) -> None:
        self._answers.append(getattr(self._group, name)(*arguments))

    def answer(self) -> Any:
        return self._answers.pop(0)

    def close(self) -> None:
        self._group.close()


class _Elsewhere:
    """A group in a worker process."""

    def __init__(self, controls: Controls, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, controls, count), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, name: str, *arguments: Any) -> None:
        try:
            self._pipe.send((name, arguments))
        except OSError as error:
            raise EnvironmentFailure(f"a worker with environments is gone: {error}") from None

    def answer(self) -> Any:
        try:
            kind, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise EnvironmentFailure(f"a worker with environments died: {error!r}") from None
        if kind == "broken":
            raise EnvironmentFailure(f"a worker with environments failed:\n{value}")
        return value

    def close(self) -> None:
        try:
            self._pipe.send(None)
            self._process.join(5)
        except OSError:
            pass
        if self._process.is_alive():
            self._process.terminate()
        self._pipe.close()


@dataclass
class _Playing:
    """What a row plays, as far as it must be known to play it again."""

    task: str = ""
    seed: int = 0
    goals: list[str] = field(default_factory=list)
    choices: bytearray = field(default_factory=bytearray)
    note: Any = None  # the caller's own, JSON values


class Rows:
    """See the top of the module. workers = 0 plays in this process."""

    def __init__(self, controls: Controls, count: int, workers: int = 0) -> None:
        groups = max(1, workers)
        if count % groups:
            raise ValueError(f"{count} rows for {groups} workers, expected as many for each")
        self.controls, self.count, self.each = controls, count, count // groups
        kind = _Elsewhere if workers else _Here
        self._groups = [kind(controls, self.each) for _ in range(groups)]
        self.playing = [_Playing() for _ in range(count)]
        self._seen = [np.zeros((self.each, *controls.shape), np.uint8) for _ in range(groups)]

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self._groups)

    def begin(self, row: int, task: Task, seed: int, goals: Sequence[Goal], note: Any = None) -> None:
        """The row plays this from now on. Raises what the environment raises for a start that cannot be had."""
        texts = [json.dumps(goal.to_json()) for goal in goals]
        self._begin(row, _Playing(json.dumps(task.to_json()), seed, texts, bytearray(), note))

    def _begin(self, row: int, playing: _Playing) -> None:
        group, place = divmod(row, self.each)
        self._groups[group].ask("begin", place, playing.task, playing.seed, playing.goals, bytes(playing.choices))
        self._seen[group][place] = self._groups[group].answer()
        self.playing[row] = playing

    def seen(self, group: int) -> np.ndarray:
        """(rows of the group, *controls.shape) uint8: what they see now. Changes with the next step."""
        return self._seen[group]

    def send(self, group: int, choices: np.ndarray) -> None:
        """Every row of the group makes its choice. `receive` tells what came of it."""
        for row, choice in enumerate(choices.tolist(), group * self.each):
            self.playing[row].choices.append(choice)
        self._groups[group].ask("step", bytes(choices.tolist()))

    def receive(self, group: int) -> tuple[list[tuple[float, bool, bool]], dict[int, Ended]]:
        """(reward, terminated, truncated) of each row of the group, and {row: Ended} of those that are over."""
        seen, told, ended = self._groups[group].answer()
        self._seen[group][:] = seen
        return told, {group * self.each + place: outcome for place, outcome in ended.items()}

    def close(self) -> None:
        """Ends every environment and process."""
        for group in self._groups:
            group.close()

    # a Part of a checkpoint (jarvis.training)

    def state(self) -> dict[str, Any]:
        """Tasks, seeds, notes and choices."""
        import torch

        rows = [[row.task, row.seed, row.goals, row.note] for row in self.playing]
        choices = {
            f"choices_{number}": torch.tensor(list(row.choices), dtype=torch.uint8)
            for number, row in enumerate(self.playing)
        }
        return {"rows": rows, **choices}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Plays every row up to where it was."""
        for number, (task, seed, goals, note) in enumerate(state["rows"]):
            if not task:  # nothing was begun yet
                continue
            choices = bytearray(state[f"choices_{number}"].tolist())
            self._begin(number, _Playing(task, seed, list(goals), choices, note))
