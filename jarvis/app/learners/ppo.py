"""PPO (arXiv 1707.06347) over rows of environments, resumable bit for bit.

    learner = PPO(controls, PPOConfig(), "runs/learn/policy")
    while learner.steps < budget:
        learner.improve(assign, ended)          # one rollout and one update
        if should_save: learner.save()

`assign(row)` says what a row plays next; `ended(note, seed, outcome)` is told what came of it. Defaults are those of
the agent in EnvGen's experiments. What is random is drawn from streams named by the update, so that none is saved.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from jarvis import training
from jarvis.app.learners.controls import Controls
from jarvis.app.learners.networks import GOALS, ActorCritic, NetworkConfig, write_network
from jarvis.app.learners.rows import Ended, Rows
from jarvis.core.goals import Goal
from jarvis.core.random_streams import generator, stream_seed
from jarvis.core.tasks import Task

__all__ = ["PPO", "PPOConfig", "Turn"]


@dataclass(frozen=True)
class PPOConfig:
    """Everything about learning."""

    rows: int = 16  # episodes at once
    length: int = 256  # choices of each row in a rollout
    workers: int = 2  # processes that step environments; 0 steps them here
    epochs: int = 3  # times that a rollout is gone through
    batches: int = 8  # of an epoch
    rate: float = 3e-4
    discount: float = 0.95  # of a choice
    trace: float = 0.65  # lambda of the generalised advantage
    clip: float = 0.2
    entropy: float = 0.01
    value: float = 0.5
    clip_gradient: float = 0.5
    seed: int = 0
    threads: int = 1  # of torch
    network: NetworkConfig = field(default_factory=NetworkConfig)


class Turn(NamedTuple):
    """What a row plays next."""

    task: Task
    seed: int
    goals: Sequence[Goal]  # for which evidence is kept; the task's own is what the policy is told
    note: Any = None  # handed back with the outcome; JSON values


Assign = Callable[[int], Turn]
Over = Callable[[Any, int, Ended], None]  # (note, seed, outcome)


class PPO:
    """See the top of the module."""

    def __init__(self, controls: Controls, config: PPOConfig, folder: str | Path) -> None:
        self.controls, self.config, self.folder = controls, config, Path(folder)
        torch.set_num_threads(config.threads)
        torch.manual_seed(stream_seed(config.seed, "ppo", "weights") % 2**63)
        self.model = ActorCritic(controls, config.network)
        rates = training.OptimizerConfig(config.rate, "constant", 0, decay=0.0, clip=config.clip_gradient, epsilon=1e-5)
        self.optimizer = training.Optimizer(self.model, rates, 1, training.accelerator("no", "cpu"))
        self.updates = self.steps = 0  # steps: ticks of environments in training
        self.goals: list[str] = []  # ids; the network's number of a goal is its place here, from 1
        self.rows = Rows(controls, config.rows, config.workers)
        self.seconds = {"rollout": 0.0, "update": 0.0}  # of this process
        self._begun = False

    # learning

    def number(self, goal: Goal) -> int:
        """The network's number for a goal; 0 if there is nothing to be told apart."""
        if goal.predicate is None:
            return 0
        if goal.id not in self.goals:
            self.goals.append(goal.id)
        return 1 + self.goals.index(goal.id) % (GOALS - 1)

    def improve(self, assign: Assign, over: Over) -> dict[str, float]:
        """One rollout and one update. Returns numbers that are the same on every run."""
        began = time.perf_counter()
        if not self._begun:
            for row in range(self.config.rows):
                self._begin(row, assign)
            self._begun = True
        rollout = self._collect(assign, over)
        between = time.perf_counter()
        facts = self._update(rollout)
        self.updates += 1
        self.seconds["rollout"] += between - began
        self.seconds["update"] += time.perf_counter() - between
        return facts

    def restart(self) -> None:
        """Every row begins anew with the next rollout: another phase of a curriculum."""
        self._begun = False

    def _begin(self, row: int, assign: Assign) -> None:
        turn = assign(row)
        self.rows.begin(row, turn.task, turn.seed, turn.goals, [self.number(turn.task.goal), turn.note])

    def _told(self, group: int) -> np.ndarray:
        each = self.rows.each
        return np.array([row.note[0] for row in self.rows.playing[group * each : (group + 1) * each]], np.int64)

    def _collect(self, assign: Assign, over: Over) -> dict[str, Tensor]:
        config, rows = self.config, self.rows
        length, count, each = config.length, config.rows, rows.each
        shape = (length, count)
        sights = np.zeros((*shape, *self.controls.shape), np.uint8)
        goals, choices = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        logs, values, rewards = np.zeros(shape, np.float32), np.zeros((length + 1, count), np.float32), np.zeros(shape)
        ends, bootstraps = np.zeros(shape, bool), np.zeros(shape, np.float32)
        random = generator(config.seed, "ppo", "choices", self.updates).random((length, count))
        # Each group is one choice ahead of the others' answers, so that workers play while this process looks.
        for step in range(length + 1):
            for group in range(rows.groups):
                part = np.s_[group * each : (group + 1) * each]
                if step > 0:
                    self._take(group, step - 1, rewards, ends, bootstraps, assign, over)
                seen, told = rows.seen(group), self._told(group)
                chances, value = self._look(seen, told)
                values[step, part] = value
                if step == length:
                    continue
                sights[step, part], goals[step, part] = seen, told
                chosen = (chances.cumsum(1) < random[step, part, None]).sum(1).clip(max=self.controls.choices - 1)
                choices[step, part] = chosen
                logs[step, part] = np.log(np.take_along_axis(chances, chosen[:, None], 1)[:, 0] + 1e-12)
                rows.send(group, chosen)
        advantages = np.zeros(shape, np.float32)
        trace = np.zeros(count, np.float32)
        for step in reversed(range(length)):
            going = ~ends[step]
            following = np.where(going, values[step + 1], bootstraps[step])
            delta = rewards[step] + config.discount * following - values[step]
            trace = delta + config.discount * config.trace * going * trace
            advantages[step] = trace
        returns = advantages + values[:-1]
        arrays = {
            "seen": sights, "goals": goals, "choices": choices, "logs": logs, "advantages": advantages,
            "returns": returns.astype(np.float32),
        }  # fmt: skip
        return {
            name: torch.from_numpy(array.reshape(length * count, *array.shape[2:])) for name, array in arrays.items()
        }

    def _take(
        self, group: int, step: int, rewards: np.ndarray, ends: np.ndarray, bootstraps: np.ndarray, assign: Assign,
        over: Over,
    ) -> None:  # fmt: skip
        """What came of the group's choices of a step; rows that are over begin something else."""
        told, ended = self.rows.receive(group)
        first = group * self.rows.each
        cut = [first + place for place, (_, _, truncated) in enumerate(told) if truncated]
        if cut:  # an episode that ran out of patience would have gone on
            seen, numbers = self.rows.seen(group), self._told(group)
            _, value = self._look(seen, numbers)
            for row in cut:
                bootstraps[step, row] = value[row - first]
        for place, (reward, terminated, truncated) in enumerate(told):
            rewards[step, first + place] = reward
            ends[step, first + place] = terminated or truncated
        self.steps += self.rows.each * self.controls.repeat
        for row, outcome in ended.items():
            playing = self.rows.playing[row]
            over(playing.note[1], playing.seed, outcome)
            self._begin(row, assign)

    @torch.no_grad()
    def _look(self, seen: np.ndarray, goals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores, value = self.model(torch.from_numpy(seen), torch.from_numpy(goals))
        return torch.softmax(scores.double(), 1).numpy(), value.numpy()

    def _update(self, rollout: Mapping[str, Tensor]) -> dict[str, float]:
        config = self.config
        size = len(rollout["logs"])
        totals: dict[str, float] = {"policy": 0.0, "value": 0.0, "entropy": 0.0}
        for epoch in range(config.epochs):
            order = generator(config.seed, "ppo", "order", self.updates, epoch).permutation(size)
            for indices in np.array_split(order, config.batches):
                batch = {name: tensor[torch.from_numpy(indices)] for name, tensor in rollout.items()}
                losses = self._losses(batch)
                loss = losses["policy"] + config.value * losses["value"] - config.entropy * losses["entropy"]
                self.optimizer.step(loss)
                for name in totals:
                    totals[name] += losses[name].item() / (config.epochs * config.batches)
        return totals

    def _losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        scores, value = self.model(batch["seen"], batch["goals"])
        logs = torch.log_softmax(scores, 1)
        ratio = (logs.gather(1, batch["choices"][:, None]).squeeze(1) - batch["logs"]).exp()
        advantage = batch["advantages"]
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        clipped = ratio.clamp(1 - self.config.clip, 1 + self.config.clip)
        return {
            "policy": -torch.min(ratio * advantage, clipped * advantage).mean(),
            "value": nn.functional.mse_loss(value, batch["returns"]),
            "entropy": -(logs.exp() * logs).sum(1).mean(),
        }

    # playing without learning

    def policy_hash(self) -> str:
        """16 hexadecimal digits of the weights."""
        digest = hashlib.blake2b()
        for name, value in sorted(self.model.state_dict().items()):
            digest.update(name.encode() + value.numpy().tobytes())
        return digest.hexdigest()[:16]

    def play(self, turns: Sequence[Turn]) -> Iterator[tuple[Any, int, Ended]]:
        """Plays each turn once, by chance as in training, and yields (note, seed, outcome) in the order of the turns.

        A turn's choices follow from its seed and place, whatever the other rows play.
        """
        if turns:
            with Rows(self.controls, min(self.config.rows, len(turns))) as rows:
                yield from self._play(turns, rows)

    def _play(self, turns: Sequence[Turn], rows: Rows) -> Iterator[tuple[Any, int, Ended]]:
        waiting = list(enumerate(turns))[::-1]
        done: dict[int, tuple[Any, int, Ended]] = {}
        told = 0
        streams: list[np.random.Generator | None] = [None] * rows.count  # None: an idle row, that is not listened to
        numbers = [0] * rows.count

        def begin(row: int) -> None:
            number, turn = waiting.pop() if waiting else (-1, turns[0])
            rows.begin(row, turn.task, turn.seed, turn.goals, [self.number(turn.task.goal), turn.note])
            numbers[row] = number
            streams[row] = None if number < 0 else generator(self.config.seed, "ppo", "play", turn.seed, number)

        for row in range(rows.count):
            begin(row)
        while told < len(turns):
            told_goals = np.array([row.note[0] for row in rows.playing], np.int64)
            chances, _ = self._look(rows.seen(0), told_goals)
            draws = np.array([0.5 if stream is None else stream.random() for stream in streams])
            rows.send(0, (chances.cumsum(1) < draws[:, None]).sum(1).clip(max=self.controls.choices - 1))
            for row, outcome in rows.receive(0)[1].items():
                if streams[row] is not None:
                    done[numbers[row]] = (rows.playing[row].note[1], rows.playing[row].seed, outcome)
                begin(row)
            while told in done:
                yield done.pop(told)
                told += 1

    # on disk

    def save(self, parts: Mapping[str, Any] | None = None) -> Path:
        """A checkpoint from which learning goes on as if nothing had happened; `parts` as in jarvis.training."""
        note = {"steps": self.steps, "updates": self.updates, "ppo": asdict(self.config)}
        return training.save(
            self.folder, self.updates, lambda to: write_network(to, self.model, self.goals, note), self.model,
            {"optimizer": self.optimizer, "learner": self, "rows": self.rows, **(parts or {})},
        )  # fmt: skip

    def resume(self, parts: Mapping[str, Any] | None = None) -> bool:
        """Goes on from the last checkpoint, if there is one."""
        if training.latest(self.folder) is None:
            return False
        every = {"optimizer": self.optimizer, "learner": self, "rows": self.rows, **(parts or {})}
        training.resume(self.folder, self.model, every)
        return True

    def state(self) -> dict[str, Any]:
        """Counters, as a Part of a checkpoint."""
        return {"steps": self.steps, "updates": self.updates, "goals": list(self.goals), "begun": self._begun}

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        self.steps, self.updates = int(state["steps"]), int(state["updates"])
        self.goals, self._begun = list(state["goals"]), bool(state["begun"])

    def close(self) -> None:
        """Ends the environments."""
        self.rows.close()
