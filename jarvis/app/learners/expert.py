"""Expert iteration: a policy plays, what reached its goal is kept, the policy is trained on it by a command, and so on.

    jarvis learn --env voxel --policy vla:runs/agent/step_00000500 --steps 50000 --out runs/better \\
        --set expert.train="jarvis train vla --recipe small-trajectories {data} --model {model} --out {out}"

For whatever has the Policy protocol. {data} becomes `--data FOLDER` for the samples of this round and of those before
it, so that nothing is forgotten; {model} where training begins; {out} where it goes. The last checkpoint in {out} is
the next policy. Samples are those of `vla.samples`: a picture, the goal's sentence, the action that was played.

    DIR/policy/rounds/000003/data    samples of the successes of round 3
    DIR/policy/rounds/000003/model   what the command made of them
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jarvis.app.curriculum.evidence import Recorder
from jarvis.app.learners.rows import MOST_EVENTS, Ended
from jarvis.core.errors import EnvironmentFailure, JarvisError
from jarvis.core.files import read_json, write_json
from jarvis.core.goals import Goal, Moment

__all__ = ["ExpertConfig", "ExpertIteration", "TrainingFailed"]

TRAIN = "jarvis train vla --recipe tiny-trajectories {data} --model {model} --out {out}"


class TrainingFailed(JarvisError, RuntimeError):  # noqa: N818 - named as it is said
    """The command that trains the policy did not end well."""


@dataclass(frozen=True)
class ExpertConfig:
    """How a policy is improved."""

    episodes: int = 16  # of a round
    train: str = TRAIN  # the command; a round without success trains nothing
    spec: str = "vla:{checkpoint}"  # of the policy that the command made
    rounds_kept: int = 4  # whose samples are learnt from again
    width: int = 640
    height: int = 360
    rows: int = 1  # of the loop's bookkeeping; episodes are played one after the other


class ExpertIteration:
    """The learner of a run, in place of PPO: the same methods."""

    def __init__(self, env: str, policy: str, config: ExpertConfig, folder: str | Path) -> None:
        from jarvis.envs.registry import make

        self.config, self.folder, self.spec = config, Path(folder), policy
        self.steps = self.updates = 0
        self._env = make(env, width=config.width, height=config.height)
        self._policy: Any = None

    def improve(self, assign: Callable[[int], Any], over: Callable[[Any, int, Ended], None]) -> dict[str, float]:
        """One round: episodes, samples of the successes, training."""
        from vla.samples import SampleWriter

        folder = self.folder / "rounds" / f"{self.updates:06d}"
        shutil.rmtree(folder, ignore_errors=True)  # of a round that is played again
        kept = 0
        with (
            suppress(_NothingKept),
            SampleWriter(folder / "data", {"made_by": "jarvis learn", "policy": self.spec}) as to,
        ):
            for _ in range(self.config.episodes):
                turn = assign(0)
                outcome, samples, success = self._play(turn, keep=True)
                self.steps += outcome.ticks
                over(turn.note, turn.seed, outcome)
                if success:
                    for sample in samples:
                        to.add(sample)
                    kept += 1
            if not kept:
                raise _NothingKept
        if kept:
            self._train(folder)
        self.updates += 1
        return {"kept": float(kept)}

    def _train(self, folder: Path) -> None:
        from jarvis import training

        rounds = sorted(path for path in (self.folder / "rounds").glob("*/data") if path.is_dir())
        data = " ".join(f"--data {shlex.quote(str(path))}" for path in rounds[-self.config.rounds_kept :])
        model, out = self.spec.partition(":")[2] or self.spec, folder / "model"
        command = self.config.train.format(data=data, model=shlex.quote(model), out=shlex.quote(str(out)))
        ended = subprocess.run(shlex.split(command), capture_output=True, text=True)
        if ended.returncode:
            raise TrainingFailed(f"{command}: ended with {ended.returncode}: {ended.stderr.strip()[-500:]}")
        found = training.latest(out)
        self.spec, self._policy = self.config.spec.format(checkpoint=found or out, out=out), None

    def _play(self, turn: Any, keep: bool = False) -> tuple[Ended, list[Any], bool]:
        """Outcome, samples, success of one episode."""
        from jarvis.app.policies import EndOfPlay, load_policy

        if self._policy is None:
            self._policy = load_policy(self.spec)
        recorder = Recorder([goal.predicate for goal in turn.goals if goal.predicate is not None])
        events: list[Any] = []
        samples: list[Any] = []
        self._policy.reset([turn.task.goal], seeds=[turn.seed])
        observation, info = self._env.reset(turn.task, turn.seed)
        tick, reward = 0, 0.0
        while True:
            try:
                (action,) = self._policy.act([observation])
            except EndOfPlay:
                break
            if keep:
                samples.append(self._sample(turn, tick, observation, action))
            observation, gained, terminated, truncated, info = self._env.step(action)
            reward += gained
            status = {"biome": None, "y": info.get("location_stats", {}).get("ypos", 64.0), "near_blocks": {}}
            recorder.update(Moment(tick, tuple(info["events"]), info["inventory"], status))
            if info["events"] and len(events) < MOST_EVENTS:
                events.append([tick, [[event.name, event.item, event.count] for event in info["events"]]])
            tick += 1
            if terminated or truncated:
                break
        return Ended(tick, recorder.evidence, events, round(reward, 6)), samples, bool(info["success"])

    def _sample(self, turn: Any, tick: int, observation: Any, action: Any) -> Any:
        from vla.demonstrations import step_sample
        from vla.policy import fitted
        from vla.samples import encoded

        picture = encoded(fitted(observation.pov, self.config.width, self.config.height))
        return step_sample(f"learn_{turn.seed}", tick, turn.task.goal.text, picture, action)

    # what the loop asks of any learner

    def number(self, goal: Goal) -> int:
        """Goals are told by their sentences."""
        return 0

    def restart(self) -> None:
        """Episodes never run on from one phase to the next."""

    def play(self, turns: Sequence[Any]) -> Iterator[tuple[Any, int, Ended]]:
        """Plays each turn without learning."""
        for turn in turns:
            yield turn.note, turn.seed, self._play(turn)[0]

    def policy_hash(self) -> str:
        """16 hexadecimal digits of its name and, if it is a folder, of its weights."""
        digest = hashlib.blake2b(self.spec.partition(":")[0].encode())
        folder = Path(self.spec.partition(":")[2] or self.spec)
        for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def save(self, parts: Mapping[str, Any]) -> None:
        """Which policy it is, and the parts, in one file that is whole or the one before."""
        state = {"steps": self.steps, "updates": self.updates, "spec": self.spec}
        write_json(self.folder / "state.json", {"learner": state, **{name: p.state() for name, p in parts.items()}})

    def resume(self, parts: Mapping[str, Any]) -> bool:
        """Goes on from there, if it is there."""
        path = self.folder / "state.json"
        if not path.exists():
            return False
        state = read_json(path)
        self.steps, self.updates = state["learner"]["steps"], state["learner"]["updates"]
        self.spec = state["learner"]["spec"]
        for name, part in parts.items():
            part.restore(state[name])
        return True

    def close(self) -> None:
        """Ends the environment."""
        with suppress(EnvironmentFailure):
            self._env.close()


class _NothingKept(Exception):  # noqa: N818 - never leaves this module
    pass
