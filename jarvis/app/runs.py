"""What `jarvis play` does: some episodes of one task, told to the terminal, the files and the page.

python -m jarvis play --task craft_diamond --policy random --episodes 2 --out runs/first
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jarvis.app.playing import Interruption, Outcome, Sink, play_episode
from jarvis.app.policies import load_policy
from jarvis.app.progress import Narrator
from jarvis.app.records import RunFolder
from jarvis.app.settings import SettingsError
from jarvis.core.environments import Environment
from jarvis.core.errors import JarvisError
from jarvis.core.files import read_json_lines
from jarvis.core.tasks import Task
from jarvis.envs.registry import make as make_environment

__all__ = ["DONE", "FAILED", "INTERRUPTED", "PARTIAL", "PlayConfig", "compile_kernels", "make_checked", "play"]

DONE, FAILED, PARTIAL, INTERRUPTED = 0, 1, 3, 130  # exit codes


@dataclass(frozen=True)
class PlayConfig:
    """Everything that can be asked of `jarvis play`."""

    task: str
    env: str = "voxel"
    policy: str = "random"
    episodes: int = 1
    seed: int | None = None  # of the first episode, the next has one more; None: of the replayed episode, else 0
    max_ticks: int | None = None  # None: the task's own
    out: Path | None = None  # None: the next free runs/TASK_000
    overwrite: bool = False
    watch: bool = False
    port: int = 0  # of the page; 0 takes a free one
    width: int | None = None  # of the picture; None: the environment's own
    height: int | None = None
    env_options: Mapping[str, Any] = field(default_factory=dict)  # more for the environment's constructor
    realtime: bool = False  # 20 ticks a second while the policy thinks, whatever it takes


def play(
    config: PlayConfig, say: Callable[[str], None] = print, tell: Callable[[dict[str, Any]], None] | None = None
) -> int:
    """Plays the episodes and returns the exit code: 0 all were played, 3 some were aborted, 1 all were, 130 Ctrl-C.

    say: gets plain lines for a person. tell: gets each episode's result. Raises JarvisError before anything is played
    for what cannot be; an episode that is not successful is no failure of the command.
    """
    from evaluation.tasks import get

    task = get(config.task)
    if config.max_ticks is not None:
        task = replace(task, max_ticks=config.max_ticks)
    seed = _first_seed(config)
    human = config.policy == "human"
    options = {"width": config.width, "height": config.height, **config.env_options}
    options = {name: value for name, value in options.items() if value is not None}
    with ExitStack() as stack:
        interruption = stack.enter_context(Interruption())
        page = None
        if config.watch or human:
            from jarvis.app.watch import Page

            about = {"policy": config.policy, "environment": config.env, "episodes": config.episodes}
            page = Page(human=human, about=about, port=config.port)
        try:
            policy = load_policy(config.policy, **({"hands": page.hands} if human and page else {}))
            if config.realtime:
                from vla.realtime import RealtimePolicy

                policy = stack.enter_context(closing(RealtimePolicy(policy)))
            if config.env == "voxel":
                size = getattr(policy, "picture_size", None)
                if size is not None and config.width is None and config.height is None:
                    options = {"width": size[0], "height": size[1], **options}  # as it was trained, not brought to it
                compile_kernels(say)
            env = make_checked(config.env, options, [task])
        except KeyboardInterrupt:
            return INTERRUPTED
        stack.callback(env.close)
        if page is not None:
            try:
                stack.enter_context(page.open())
            except OSError as error:
                raise SettingsError(f"--port {config.port}: {error.strerror}; leave it out for a free one") from None
        asked = {
            "task": task.to_json(),
            "env": config.env,
            "env_options": options,
            "policy": config.policy,
            **({"realtime": True} if config.realtime else {}),
            "episodes": config.episodes,
            "seed": seed,
        }
        try:
            run = RunFolder(config.out or _free_folder(task.name), asked, config.overwrite)
        except FileExistsError as error:
            raise SettingsError(str(error)) from None
        if page is not None:
            say(f"watch at {page.url}")
        if run.lines:
            say(f"{run.path} goes on: {len(run.lines)} of {config.episodes} episodes are there")
        lines = []
        for number in range(config.episodes):
            if number in run.lines:
                lines.append(run.lines[number])
                continue
            narrator = Narrator(say, number, config.episodes)
            sinks: list[Sink] = [*run.sinks(number), narrator, *([page] if page else [])]
            outcome = play_episode(
                env, policy, task, seed + number, sinks, pace=page.pace if page else None, interruption=interruption
            )
            with_facts = {"task": task.name, "env": config.env, "seed": seed + number, "policy": config.policy}
            line = run.record(number, outcome, with_facts)
            lines.append(line)
            if tell:
                tell(line)
            say(_summary(outcome))
            if report := getattr(policy, "report", None):
                say(" ".join(f"{name} {count}" for name, count in report().items()))
            if line["video"]:
                say(f"video  {run.path / line['video']}")
            if line["aborted"] and outcome.traceback:
                say(f"details in {run.episode(number, 'traceback.txt')}")
            if outcome.interrupted or interruption.stopped:
                return INTERRUPTED
        run.finish()
    aborted = sum(line["aborted"] is not None for line in lines)
    return DONE if not aborted else FAILED if aborted == len(lines) else PARTIAL


def compile_kernels(say: Callable[[str], None]) -> None:
    """Compiles what the voxel world needs, unless an earlier run has; says so, because it takes a while."""
    from jarvis.world import warm

    if not warm.is_warm():
        say("compiling the world's kernels, once: a minute or two")
        warm.prepare()


def make_checked(name: str, options: Mapping[str, Any], tasks: Iterable[Task]) -> Environment:
    """The environment, after it has agreed to the tasks. What its constructor refuses is the user's to mend."""
    try:
        env = make_environment(name, **options)
    except JarvisError:
        raise
    except (TypeError, ValueError) as error:
        raise SettingsError(f"environment {name!r}: {error}") from None
    try:
        for task in tasks:
            env.check(task)
    except BaseException:
        env.close()
        raise
    return env


def _first_seed(config: PlayConfig) -> int:
    """The seed asked for; for a replay without one, that of the episode that is replayed, from beside its actions."""
    kind, _, path = config.policy.partition(":")
    if config.seed is not None or kind != "replay":
        return config.seed or 0
    results = Path(path).with_name("results.jsonl")
    if not results.is_file():
        return 0
    lines = [line for line in read_json_lines(results) if line.get("actions") == Path(path).name]
    return int(lines[-1]["seed"]) if lines else 0


def _free_folder(task: str) -> Path:
    names = (Path("runs") / f"{task}_{number:03d}" for number in itertools.count())
    return next(path for path in names if not path.exists())


def _summary(outcome: Outcome) -> str:
    rate = outcome.ticks / outcome.seconds if outcome.seconds else 0.0
    verdict = "success" if outcome.success else "no success"
    if outcome.aborted:
        verdict = f"aborted: {outcome.aborted}"
    return f"{verdict}, {outcome.ticks} ticks, {rate:.0f} ticks/s"
