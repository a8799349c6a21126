"""What `jarvis record` does: somebody plays, and every frame, key and mouse motion is kept.

python -m jarvis record --player scripted --task craft_diamond --hours 2 --out recordings/diamond

The recordings are contractor data (data_pipelines.recorder says what lies in the folder). Worker processes make the
environments and the players, each from what stands here, so everything is known by name.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from data_pipelines.engines import engine_of
from data_pipelines.recorder import TICKS_PER_HOUR, Player, RecordingStyle, RecordReport, patience_for, record
from jarvis.app.playing import Beginning, Tick
from jarvis.app.policies import EndOfPlay, load_policy
from jarvis.app.progress import Meter
from jarvis.app.runs import compile_kernels, make_checked
from jarvis.app.settings import SettingsError
from jarvis.app.watch import Page
from jarvis.core.actions import Action
from jarvis.core.environments import Environment
from jarvis.core.observations import Observation
from jarvis.core.random_streams import generator
from jarvis.core.tasks import Task
from jarvis.envs.registry import make as make_environment

__all__ = ["RecordConfig", "make_player", "recorded_tasks", "start"]


@dataclass(frozen=True)
class RecordConfig:
    """Everything that can be asked of `jarvis record`."""

    out: Path
    env: str = "voxel"
    player: str = "scripted"  # scripted, human, or the SPEC of a policy
    tasks: tuple[str, ...] = ("craft_diamond",)  # played in turn; a name may end in *
    hours: float | None = None  # of play; or
    episodes: int | None = None
    seed: int = 0  # episode k plays a world of the train seeds that follows from this and k
    workers: int | None = None  # of the engine; None: one a core
    max_ticks: int | None = None  # of an episode; None: the task's own
    width: int = 640
    height: int = 360
    vary: bool = False  # draw textures, view, brightness, compression and overlays for each episode
    style: RecordingStyle = field(default_factory=RecordingStyle)
    habits: str = "human"  # of the scripted player: `clean` makes no mistakes
    port: int = 0  # of the page on which a person plays
    env_options: Mapping[str, Any] = field(default_factory=dict)
    engine: str = "process"  # who plays, see data_pipelines.engines; a person plays in this process
    address: str | None = None  # of a Ray cluster


def recorded_tasks(names: tuple[str, ...], max_ticks: int | None = None) -> list[Task]:
    """The tasks of these names; one that ends in * stands for all that begin so, easy and hard ones too."""
    from evaluation.tasks import get, matching

    tasks = {name: get(name) for pattern in names for name in matching(pattern)}
    return [replace(task, max_ticks=max_ticks or task.max_ticks) for task in tasks.values()]


def start(config: RecordConfig, say: Callable[[str], None] = print) -> RecordReport:
    """Records what was asked for, and goes on with what is there already.

    Raises JarvisError before anything is played for what cannot be. Ctrl-C leaves the folder so that the same request
    goes on; a person's Ctrl-C ends the episode as it is.
    """
    human = config.player == "human"
    hours, episodes = config.hours, config.episodes
    if hours is None and episodes is None:
        if not human:
            raise SettingsError("how much? give --hours or --episodes")
        episodes = 1
    if hours is not None and episodes is not None:
        raise SettingsError("give either --hours or --episodes, not both")
    if hours is not None and not 0 < hours < float("inf"):
        raise SettingsError(f"--hours {hours:g}: expected more than 0")
    tasks = recorded_tasks(config.tasks, config.max_ticks)
    options = {"width": config.width, "height": config.height, **config.env_options}
    if config.env == "voxel" or (config.env == "luanti" and not human):
        options.setdefault("show_cursor", False)
    if config.vary and config.env != "voxel":
        raise SettingsError(f"--vary changes the voxel world's looks; environment {config.env!r} has only its own")
    with ExitStack() as stack:
        page = (
            Page(human=True, about={"policy": "human", "environment": config.env}, port=config.port) if human else None
        )
        _try_out(config, options, tasks, say)
        if page is not None:
            try:
                stack.enter_context(page.open())
            except OSError as error:
                raise SettingsError(f"--port {config.port}: {error.strerror}; leave it out for a free one") from None
            say(f"play at {page.url}")
            person = stack.enter_context(_Person(page).listening())
            make_env, player, engine = partial(_shown, page, config.env, options), person.take, "inline"
        else:
            make_env = partial(make_environment, config.env, **options)
            player = partial(make_player, config.player, config.habits)
            engine = config.engine
        facts = {"env": config.env, "env_options": options, "player": config.player, "source": _source(config.player)}
        if config.player == "scripted":
            facts["habits"] = config.habits
        total = episodes if hours is None else round(hours * TICKS_PER_HOUR)
        meter = stack.enter_context(Meter(say, total or 0, "ticks" if hours is not None else "episodes"))

        def watch(ticks: int, finished: int) -> None:
            meter.tell(ticks if hours is not None else finished, f"{finished} episodes, {ticks} ticks", ticks)

        patience = patience_for(tasks)
        hands = stack.enter_context(engine_of(engine, config.workers, config.address, deadline=patience))
        return record(
            make_env, player, tasks, config.out, hours=hours, episodes=episodes, engine=hands, seed=config.seed,
            style=replace(config.style, vary=config.vary, prefix=config.env), facts=facts, say=meter.say, watch=watch,
        )  # fmt: skip


def _source(player: str) -> str:
    return player if player in ("scripted", "human") else "policy"


def _try_out(config: RecordConfig, options: dict[str, Any], tasks: list[Task], say: Callable[[str], None]) -> None:
    """Raises for a player, a world or a task that cannot be, before any process is started."""
    if config.player not in ("scripted", "human"):
        load_policy(config.player)
    if config.player == "scripted":
        from jarvis.app.demonstrator import CannotPlayError, new_player

        if config.env != "voxel":
            raise CannotPlayError(f"player 'scripted' plays voxel worlds only, not {config.env!r}")
        for task in tasks:
            new_player(task, 0, config.habits)
    if config.env == "voxel":
        compile_kernels(say)
    make_checked(config.env, options, tasks).close()


# -- players, made in worker processes


def make_player(spec: str, habits: str, env: Any, task: Task, seed: int) -> Player:
    """The player of one episode: the demonstrator, or a policy in a row of its own."""
    instruction = task.instructions[int(generator(seed, "instruction").integers(len(task.instructions)))]
    facts = {"instruction": instruction}
    if spec == "scripted":
        from jarvis.app.demonstrator import new_player

        fov = round(math.degrees(2 * math.atan(env.renderer.half_height)), 6)
        player = new_player(task, seed, habits, fov)
        return Player(
            lambda observation, info: player.act(env.world), lambda: player.truth.to_json(), lambda: player.done, facts
        )
    policy = _policy(spec)
    policy.reset([replace(task.goal, text=instruction)], seeds=[seed])
    if follow := getattr(policy, "follow", None):
        follow(0, env)
    over = threading.Event()

    def act(observation: Observation, info: dict[str, Any]) -> Action:
        try:
            (action,) = policy.act([observation])
        except EndOfPlay:
            over.set()
            return Action.noop()
        return action

    return Player(act, done=over.is_set, facts=facts)


@cache
def _policy(spec: str) -> Any:
    return load_policy(spec)


# -- a person


class _Person:
    """The player at the page. Ctrl-C ends the episode, keeps it, and lets no other begin."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._stopped = False

    @contextmanager
    def listening(self) -> Iterator[_Person]:
        """Takes Ctrl-C for the end of play."""
        before = signal.signal(signal.SIGINT, self._stop)
        try:
            yield self
        finally:
            signal.signal(signal.SIGINT, before)

    def _stop(self, *_: object) -> None:
        if self._stopped:
            raise KeyboardInterrupt
        self._stopped = True
        self.page.control({"end": True})

    def take(self, env: Any, task: Task, seed: int) -> Player:
        """The next episode, if they still want to play."""
        if self._stopped:
            raise KeyboardInterrupt
        over = threading.Event()

        def act(observation: Observation, info: dict[str, Any]) -> Action:
            try:
                if self._stopped:  # before there was a page to tell
                    raise EndOfPlay
                self.page.pace()
            except EndOfPlay:
                over.set()
                return Action.noop()
            return self.page.hands.take()

        return Player(act, done=over.is_set, facts={"instruction": task.goal.text})


class _Shown:
    """An environment that shows a page what happens in it, with the mouse cursor that recordings leave out."""

    def __init__(self, page: Page, env: Any) -> None:
        self._page, self._env = page, env

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def reset(self, task: Task, seed: int) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode."""
        observation, info = self._env.reset(task, seed)
        self._told: dict[str, int] = {}
        self._number = 0
        self._page.begin(Beginning(task, seed, self._with_cursor(observation, info), info))
        return observation, info

    def step(self, action: Action) -> Any:
        """Plays one tick."""
        step = self._env.step(action)
        info = step.info
        fallen = tuple(name for name in info["milestones"] if name not in self._told)
        self._told = dict(info["milestones"])
        seen = self._with_cursor(step.observation, info)
        self._page.tick(Tick(self._number, action, seen, info, tuple(info["events"]), fallen))
        self._number += 1
        return step

    def _with_cursor(self, observation: Observation, info: Mapping[str, Any]) -> Observation:
        if not info.get("isGuiOpen") or getattr(self._env, "show_cursor", True):
            return observation
        self._env.show_cursor = True
        try:
            return Observation(self._env.picture())
        finally:
            self._env.show_cursor = False


def _shown(page: Page, name: str, options: Mapping[str, Any], **more: Any) -> Environment:
    return _Shown(page, make_environment(name, **(dict(options) | more)))
