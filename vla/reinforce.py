"""Policy gradient on predicates: episodes of one start are compared with each other, and the better ones are repeated.

    run = reinforce(Reinforcement(model="runs/agent/step_00004000"), tasks, "runs/better")
    jarvis train vla-reinforce --model runs/agent/step_00004000 --task mine_oak_log-easy --out runs/better

As in GRPO (arXiv 2402.03300): an episode's advantage is how much better it did than the others of its group, in
standard deviations; a group in which all did alike teaches nothing and is passed over. Reward is what the task's own
predicates say: 1 for the goal, and the share of its milestones for an episode that missed it. There is one update for
each round of episodes, so the policy that is changed is the one that played.

    RUN/round_0000/            the ticks that were learnt from, as samples, with their advantages as labels
    RUN/step_00000001/         a checkpoint for each round
    RUN/log.jsonl              reward, successes, episodes that taught, loss
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis import training
from jarvis.core.files import is_done
from jarvis.core.random_streams import generator, stream_seed
from jarvis.training.optimizers import OptimizerConfig
from vla.backbone import Backbone
from vla.demonstrations import step_sample
from vla.packing import Examples, pack
from vla.policy import VlaPolicy
from vla.post_train import PostTraining, _learner, begin_with, freeze
from vla.samples import Sample, Samples, SampleWriter, encoded

if TYPE_CHECKING:
    from jarvis.core.tasks import Task

__all__ = ["Reinforcement", "advantages_of", "reinforce", "reward_of"]

TRAIN_SEEDS = 1 << 29


@dataclass(frozen=True)
class Reinforcement:
    """Rounds of play and one update each."""

    model: str = "tiny"  # where it begins, as in PostTraining
    trains: tuple[str, ...] = ("language",)
    rounds: int = 50
    groups: int = 4  # starts of a round: a task and a world
    group: int = 8  # episodes of each start, which differ in the policy's own random numbers alone
    keep: int = 24  # ticks of each episode that are learnt from
    max_ticks: int = 200  # of an episode
    temperature: float = 1.0
    max_tokens: int = 1024  # of a packed row
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(rate=2e-5, warmup=0, schedule="constant", decay=0.0)
    )
    seed: int = 0

    def __post_init__(self) -> None:
        if self.group < 2 or min(self.rounds, self.groups, self.keep, self.max_ticks) < 1:
            raise ValueError("a group has two episodes or more; rounds, groups, keep and max_ticks begin at 1")


@dataclass(eq=False)
class _Played:
    reward: float
    success: bool
    samples: list[Sample]


def reward_of(info: dict[str, Any], task: Task) -> float:
    """1 for the goal, else the share of the milestones that fell, below 1."""
    if info["success"]:
        return 1.0
    return len(info["milestones"]) / (len(task.milestones) + 1)


def advantages_of(rewards: Sequence[float]) -> np.ndarray:
    """(episodes,) float64: how much better each did than its group, in standard deviations; zeros if all did alike."""
    values = np.asarray(rewards, np.float64)
    spread = float(values.std())
    return np.zeros(len(values)) if spread < 1e-9 else (values - values.mean()) / spread


def _play(policy: VlaPolicy, task: Task, config: Reinforcement, round_number: int, group: int) -> list[_Played]:
    """The episodes of one group, side by side."""
    from jarvis.envs.voxel import VoxelEnv

    world = stream_seed(config.seed, "reinforce", round_number, group) % TRAIN_SEEDS
    random = generator(config.seed, "reinforce", round_number, group)
    words = task.instructions[int(random.integers(len(task.instructions)))]
    agent, count = policy.backbone.agent, config.group
    seeds = [stream_seed(world, "episode", number) % 2**31 for number in range(count)]
    policy.reset([replace(task.goal, text=words)] * count, seeds=seeds)
    envs = [VoxelEnv(width=agent.width, height=agent.height) for _ in range(count)]
    try:
        observations, infos = map(list, zip(*(env.reset(task, world) for env in envs), strict=True))
        steps: list[list[Sample]] = [[] for _ in range(count)]
        running = [True] * count
        for tick in range(min(task.max_ticks, config.max_ticks)):
            actions = policy.act(observations)
            for row in (row for row in range(count) if running[row]):
                name = f"round-{round_number:04d}-{group:02d}-{row:02d}"
                steps[row].append(
                    step_sample(name, tick, words, encoded(observations[row].pov), actions[row], (f"task:{task.name}",))
                )
                observations[row], _, ended, cut, infos[row] = envs[row].step(actions[row])
                running[row] = not (ended or cut)
            if not any(running):
                break
    finally:
        for env in envs:
            env.close()
    return [
        _Played(reward_of(info, task), bool(info["success"]), samples)
        for info, samples in zip(infos, steps, strict=True)
    ]


def _chosen(played: _Played, keep: int, random: np.random.Generator) -> list[Sample]:
    """Some ticks of an episode, in their order."""
    numbers = np.sort(random.permutation(len(played.samples))[:keep])
    return [played.samples[number] for number in numbers]


def _round(policy: VlaPolicy, tasks: Sequence[Task], config: Reinforcement, number: int) -> Iterator[tuple[Any, ...]]:
    """(advantage, samples, reward, success) of every episode of a round."""
    for group in range(config.groups):
        task = tasks[(number * config.groups + group) % len(tasks)]
        episodes = _play(policy, task, config, number, group)
        advantages = advantages_of([episode.reward for episode in episodes])
        random = generator(config.seed, "ticks", number, group)
        for advantage, episode in zip(advantages.tolist(), episodes, strict=True):
            yield advantage, _chosen(episode, config.keep, random), episode.reward, episode.success


def reinforce(
    config: Reinforcement,
    tasks: Sequence[Task],
    out: str | Path,
    *,
    say: Callable[[str], None] | None = None,
    device: str | None = None,
) -> Path:
    """Plays and learns, or goes on with a run; returns the folder of its last checkpoint."""
    from accelerate.state import AcceleratorState

    out = Path(out)
    backbone = _agent(config)
    policy = VlaPolicy(backbone, temperature=config.temperature)
    freeze(backbone.model, config.trains)
    AcceleratorState._reset_state()  # NOTE: it remembers the precision of an earlier run in this process
    accelerator = training.accelerator("no", device)
    learner = accelerator.prepare(_learner(backbone))
    optimizer = training.Optimizer(learner, config.optimizer, config.rounds, accelerator)
    parts = {"optimizer": optimizer}
    start = training.resume(out, learner, parts)
    log = training.Log(out / "log.jsonl", start, say)
    for number in range(start, config.rounds):
        training.seed_step(config.seed, number)
        backbone.model.eval()
        folder = out / f"round_{number:04d}"
        if folder.exists():  # of a round that was not finished
            shutil.rmtree(folder)
        rewards, successes, lengths = [], 0, []
        with SampleWriter(folder, {"config": asdict(config), "round": number}) as writer:
            for advantage, samples, reward, success in _round(policy, tasks, config, number):
                rewards.append(reward)
                successes += success
                if abs(advantage) > 1e-9:
                    lengths.append(len(samples))
                    for sample in samples:
                        writer.add(replace(sample, labels=(*sample.labels, f"advantage:{advantage:.6f}")))
        assert is_done(folder)
        facts: dict[str, Any] = {}
        if lengths:
            backbone.model.train()
            facts = optimizer.step(_losses(learner, backbone, folder, lengths, config))
        log.write(
            number, reward=float(np.mean(rewards)), successes=successes, episodes=len(rewards), taught=len(lengths),
            **facts,
        )  # fmt: skip
        if accelerator.is_main_process:
            training.save(out, number + 1, lambda to, told=number: _write(to, backbone, config, told), learner, parts)
    backbone.model.eval()
    return training.latest(out) or out


def _losses(
    learner: Any, backbone: Backbone, folder: Path, lengths: Sequence[int], config: Reinforcement
) -> Iterator[Any]:
    """For each episode: its advantage times the cross-entropy of what was done, which is less the likelier that is."""
    samples = Samples([folder])
    examples = Examples(samples, backbone)
    first = 0
    for length in lengths:
        label = next(label for label in samples[first].labels if label.startswith("advantage:"))
        packed = pack([examples[number] for number in range(first, first + length)], config.max_tokens)
        yield float(label.partition(":")[2]) * learner(packed)
        first += length


def _agent(config: Reinforcement) -> Backbone:
    folder = Path(config.model)
    if folder.is_dir():
        return Backbone.load(folder)
    return begin_with(PostTraining(model=config.model, seed=config.seed))


def _write(folder: Path, backbone: Backbone, config: Reinforcement, number: int) -> None:
    backbone.save(folder)
    (folder / "card.md").write_text(
        f"# A vision-language-action model\n\nPolicy gradient on predicates, {number + 1} of {config.rounds} rounds of "
        f"{config.groups} groups of {config.group} episodes, from {config.model}, seed {config.seed}.\n",
        encoding="utf-8",
    )
