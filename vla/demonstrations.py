"""Stage III: trajectories. What a demonstrator does, tick by tick, and what it would have done where a policy went.

    for sample in demonstrations(tasks, episodes=200, seed=0): writer.add(sample)
    for sample in demonstrations(tasks, 200, seed=1, policy=policy, share=0.5): ...      # DAgger
    for sample in expert_iteration(policy, tasks, 200, seed=2): ...                      # its own successes
    for sample in recorded("recordings/diamond"): ...                                    # recordings with truth

The demonstrator is the scripted player of the voxel world. What is played is what the codec can spell, so that it sees
and mends what the spelling loses, and a policy can do all that it is shown. Episodes that fail are left out, unless a
policy plays along: then what the demonstrator would have done is the lesson.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.environments import Policy
from jarvis.core.random_streams import generator, stream_seed
from jarvis.core.segments import Segment
from vla.action_codecs import get
from vla.policy import fitted
from vla.prompts import CHATML, IMAGE, Turn
from vla.samples import Sample, encoded

if TYPE_CHECKING:
    from jarvis.core.tasks import Task

__all__ = ["Counted", "demonstrations", "expert_iteration", "labelled", "recorded", "step_sample"]

TRAIN_SEEDS = 1 << 29
CODEC = "jarvisvla-fixed"


@dataclass
class Counted:
    """How it went, filled while samples are taken."""

    episodes: int = 0
    successes: int = 0
    ticks: int = 0  # of all episodes
    kept: int = 0  # samples


def step_sample(
    episode: str, tick: int, instruction: str, picture: bytes, action: Action, labels: Sequence[str] = ()
) -> Sample:
    """One tick of play as JARVIS-VLA's data has it: instruction and picture, then the action."""
    spelled = "".join(_string(token) for token in _CODEC.encode(action))
    turns = (Turn("user", (f"{instruction}{CHATML.observation}", IMAGE)), Turn("assistant", (f"{spelled}\n",)))
    done: dict[str, Any] = {name: 1 for name in action.pressed}
    done["camera"] = [round(float(degrees), 6) for degrees in action.camera]
    return Sample(f"{episode}_{tick}", turns, (picture,), ("stage:trajectories", *labels), done)


_CODEC = get(CODEC)


def _string(token: int) -> str:
    return f"<|reserved_special_token_{token - _CODEC.begin + 178}|>"


def demonstrations(
    tasks: Sequence[Task],
    episodes: int,
    seed: int,
    *,
    width: int = 224,
    height: int = 126,
    policy: Policy | None = None,
    share: float = 0.0,
    max_ticks: int | None = None,
    stride: int = 1,
    counted: Counted | None = None,
) -> Iterator[Sample]:
    """The ticks of so many episodes, tasks in turn, on worlds of the training seeds.

    policy, share: DAgger: who plays is drawn anew every 10 ticks, the policy with this chance. stride: keep every so
    many ticks. counted: told how it went. The same arguments (and policy) give the same samples.
    """
    from jarvis.envs.scripted import Habits, ScriptedPlayer
    from jarvis.envs.voxel import VoxelEnv

    counted = counted if counted is not None else Counted()
    habits = replace(Habits.clean(), max_turn=10.0)  # what a codec can turn in a tick
    env = VoxelEnv(width=width, height=height)
    try:
        for episode in range(episodes):
            task = tasks[episode % len(tasks)]
            world = stream_seed(seed, "demonstration", episode) % TRAIN_SEEDS
            random = generator(seed, "demonstration", episode)
            words = task.instructions[int(random.integers(len(task.instructions)))]
            observation, info = env.reset(task, world)
            player = ScriptedPlayer(task, world, habits)
            if policy is not None:
                policy.reset([replace(task.goal, text=words)], seeds=[world])
            name, limit = f"demo-{seed}-{episode:06d}", min(task.max_ticks, max_ticks or task.max_ticks)
            labels = (f"task:{task.name}", "source:scripted")
            lessons: list[Sample] = []
            policys_turn = False
            for tick in range(limit):
                shown = Action.from_env(_CODEC.decode(_CODEC.encode(player.act(env.world)))[0])
                if tick % stride == 0:
                    lessons.append(step_sample(name, tick, words, encoded(observation.pov), shown, labels))
                if policy is not None:
                    if tick % 10 == 0:
                        policys_turn = bool(random.random() < share)
                    own = policy.act([observation])[0]
                    shown = own if policys_turn else shown
                observation, _, terminated, truncated, info = env.step(shown)
                counted.ticks += 1
                if terminated or truncated:
                    break
            counted.episodes += 1
            counted.successes += bool(info["success"])
            if info["success"] or policy is not None:
                counted.kept += len(lessons)
                yield from lessons
    finally:
        env.close()


def expert_iteration(
    policy: Policy,
    tasks: Sequence[Task],
    episodes: int,
    seed: int,
    *,
    width: int = 224,
    height: int = 126,
    max_ticks: int | None = None,
    counted: Counted | None = None,
) -> Iterator[Sample]:
    """The policy's own episodes that reached their goal: what it can do, to do it more often."""
    from jarvis.envs.voxel import VoxelEnv

    counted = counted if counted is not None else Counted()
    env = VoxelEnv(width=width, height=height)
    try:
        for episode in range(episodes):
            task = tasks[episode % len(tasks)]
            world = stream_seed(seed, "expert iteration", episode) % TRAIN_SEEDS
            random = generator(seed, "expert iteration", episode)
            words = task.instructions[int(random.integers(len(task.instructions)))]
            observation, info = env.reset(task, world)
            policy.reset([replace(task.goal, text=words)], seeds=[world])
            labels = (f"task:{task.name}", "source:policy")
            own: list[Sample] = []
            for tick in range(min(task.max_ticks, max_ticks or task.max_ticks)):
                [action] = policy.act([observation])
                picture = encoded(observation.pov)
                own.append(step_sample(f"own-{seed}-{episode:06d}", tick, words, picture, action, labels))
                observation, _, terminated, truncated, info = env.step(action)
                counted.ticks += 1
                if terminated or truncated:
                    break
            counted.episodes += 1
            counted.successes += bool(info["success"])
            if info["success"]:
                counted.kept += len(own)
                yield from own
    finally:
        env.close()


def recorded(
    folder: str | Path,
    *,
    width: int = 640,
    height: int = 360,
    instruction: Callable[[str], str] | None = None,
    drop_idle: int = 3,
    counted: Counted | None = None,
) -> Iterator[Sample]:
    """The ticks of recordings with truth, each under the skill that it belongs to; the cursor is drawn in.

    instruction: the words for a skill's name, None: the name with spaces. drop_idle: of a pause, ticks beyond so many
    are left out. Recordings without truth have no instruction and are passed over.
    """
    from data_pipelines.recordings import find_recordings
    from jarvis.vpt.pixels import cursor_position, draw_cursor

    counted = counted if counted is not None else Counted()
    for recording in find_recordings(folder):
        played = recording.read()
        if not played.truth:
            continue

        def shown(tick: int, frame: np.ndarray, log: Any = played.log) -> np.ndarray:
            x, y = log.cursor[tick].tolist()
            if not log.gui_open[tick] or x != x:
                return frame
            return draw_cursor(frame, *cursor_position(x, y, frame.shape[0]))

        counted.episodes += 1
        with played.open() as video:
            yield from _segments(
                recording.name, played.segments("coarse"), video.frames(), played.log.action, "recorded", shown,
                (width, height), instruction or _skill_in_words, drop_idle, counted,
            )  # fmt: skip


def labelled(
    folder: str | Path,
    *,
    width: int = 640,
    height: int = 360,
    instruction: Callable[[str], str] | None = None,
    drop_idle: int = 3,
    counted: Counted | None = None,
) -> Iterator[Sample]:
    """The ticks of a dataset's clips, as an IDM labelled them, whose segments have names; options as of `recorded`.

    A clip without segments counts as one if it is known what the player was asked to do.
    """
    from data_pipelines.datasets import Dataset

    counted = counted if counted is not None else Counted()
    dataset = Dataset.open(folder)
    for facts in dataset.clips():
        labels = dataset.read(facts.clip)
        segments = [Segment.from_json(value) for value in labels.facts.more.get("segments") or ()]
        if not segments and facts.task:
            segments = [Segment(0, len(labels), facts.task)]
        if not any(isinstance(segment.skill, str) for segment in segments):
            continue
        counted.episodes += 1
        with dataset.open_video(labels) as video:
            yield from _segments(
                facts.clip[:16], segments, video.chosen(labels.frames), _actions(labels), facts.source, None,
                (width, height), instruction or _skill_in_words, drop_idle, counted,
            )  # fmt: skip


def _actions(labels: Any) -> Callable[[int], Action]:
    return lambda tick: Action(labels.buttons[tick], labels.camera[tick])


def _skill_in_words(skill: str) -> str:
    return skill.replace("_", " ").replace("#", "")


def _segments(
    name: str,
    segments: Sequence[Segment],
    frames: Iterator[np.ndarray],
    action_of: Callable[[int], Action],
    source: str,
    shown: Callable[[int, np.ndarray], np.ndarray] | None,
    size: tuple[int, int],
    say: Callable[[str], str],
    drop_idle: int,
    counted: Counted,
) -> Iterator[Sample]:
    """The ticks of named segments of one video, whose frames come in order."""
    tick = -1
    for number, segment in enumerate(segments):
        idle = 0
        while tick + 1 < segment.stop:
            frame = next(frames, None)
            if frame is None:
                return
            tick += 1
            if tick < segment.start or not isinstance(segment.skill, str):
                continue
            counted.ticks += 1
            action = action_of(tick)
            idle = 0 if action.pressed or action.camera.any() else idle + 1
            if idle > drop_idle:
                continue
            picture = encoded(fitted(frame if shown is None else shown(tick, frame), *size))
            counted.kept += 1
            labels = (f"skill:{segment.skill}", f"source:{source}")
            yield step_sample(f"{name}-{number:04d}", tick, say(segment.skill), picture, action, labels)
