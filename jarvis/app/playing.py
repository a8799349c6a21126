"""One episode: a policy plays a task, and sinks are told what happens.

    sinks = [VideoFile("episode.mp4"), EventFile("episode.events.jsonl")]
    outcome = play_episode(env, policy, task, seed=3, sinks=sinks)
    print(outcome.success, outcome.milestones)

A simulator that breaks, or a policy that raises or returns something else than one action, aborts the episode: it is
over, `outcome.aborted` says why, and the sinks finish what they have. Ctrl-C does the same.
"""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from jarvis.app.policies import EndOfPlay
from jarvis.core.actions import Action
from jarvis.core.environments import Environment, Policy
from jarvis.core.errors import ActionError, EnvironmentFailure
from jarvis.core.events import Event
from jarvis.core.observations import Observation
from jarvis.core.tasks import Task

__all__ = ["INTERRUPTED", "Beginning", "Interruption", "Outcome", "Sink", "Tick", "play_episode"]

INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Beginning:
    """What is known when an episode begins."""

    task: Task
    seed: int
    observation: Observation
    info: dict[str, Any]


@dataclass(frozen=True)
class Tick:
    """One tick that was played: what was done, and what there is to see afterwards."""

    number: int  # from 0
    action: Action
    observation: Observation
    info: dict[str, Any]
    events: tuple[Event, ...]
    milestones: tuple[str, ...]  # those that fell in this tick


@dataclass(frozen=True)
class Outcome:
    """How an episode went."""

    success: bool
    ticks: int
    milestones: dict[str, int] = field(default_factory=dict)  # {name: tick}
    aborted: str | None = None  # why it broke off, or None
    seconds: float = 0.0  # of play, without the reset
    traceback: str | None = None  # of the policy's error, if that aborted it

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it."""
        return self.aborted == INTERRUPTED


class Sink:
    """Whoever is told about an episode. Each method may do nothing."""

    def begin(self, beginning: Beginning) -> None:
        """The scene is set. Not called if the environment could not set it."""

    def tick(self, tick: Tick) -> None:
        """A tick was played."""

    def end(self, outcome: Outcome | None) -> None:
        """The episode is over. None: the program itself is failing, so remove what is half done."""


class Interruption:
    """Ctrl-C (and a polite kill) as KeyboardInterrupt, but never in the middle of writing.

    with Interruption() as interruption:
        ...
        with interruption.held_back():
            write()                      # Ctrl-C is raised after this block; a second one at once
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.stopped = False  # an interruption came when an episode was already over
        self._depth, self._waiting = 0, False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # handlers can be set nowhere else
            self._before = {number: signal.signal(number, self._heard) for number in self._SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self._depth and not self._waiting:
            self._waiting = True
            return
        raise KeyboardInterrupt

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Delays the first interruption to the end of the block."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._waiting and not self._depth:
                self._waiting = False
                raise KeyboardInterrupt


class _PolicyFailure(Exception):  # noqa: N818 - never leaves this module
    pass


def play_episode(
    env: Environment,
    policy: Policy,
    task: Task,
    seed: int,
    sinks: Sequence[Sink] = (),
    *,
    pace: Callable[[], None] | None = None,
    interruption: Interruption | None = None,
) -> Outcome:
    """Plays one episode to its end and returns how it went.

    pace: called before each tick, and returns when it may begin. Errors other than those named at the top of this
    module are not the episode's: they are raised, after the sinks were told.
    """
    interruption = interruption or Interruption()
    ticks, aborted, trace, success = 0, None, None, False
    milestones: dict[str, int] = {}
    started: float | None = None
    outcome: Outcome | None = None
    try:
        try:
            _ask(policy.reset, [task.goal], seeds=[seed])
            observation, info = env.reset(task, seed)
            if follow := getattr(policy, "follow", None):
                _ask(follow, 0, env)
            with interruption.held_back():
                for sink in sinks:
                    sink.begin(Beginning(task, seed, observation, info))
            started = time.perf_counter()
            while True:
                if pace is not None:
                    pace()
                action = _one_action(_ask(policy.act, [observation]))
                try:
                    observation, _, terminated, truncated, info = env.step(action)
                except ActionError as error:
                    raise _PolicyFailure(f"ActionError: {error}") from error
                with interruption.held_back():
                    fallen = tuple(name for name in info["milestones"] if name not in milestones)
                    milestones, success = dict(info["milestones"]), bool(info["success"])
                    tick = Tick(ticks, action, observation, info, tuple(info["events"]), fallen)
                    ticks += 1
                    for sink in sinks:
                        sink.tick(tick)
                if terminated or truncated:
                    break
        except EndOfPlay:
            pass
        except EnvironmentFailure as error:
            aborted = f"environment: {error}"
        except _PolicyFailure as error:
            aborted = f"policy: {error}"
            trace = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ else None
        except KeyboardInterrupt:
            aborted = INTERRUPTED
        seconds = 0.0 if started is None else time.perf_counter() - started
        outcome = Outcome(success, ticks, milestones, aborted, seconds, trace)
    finally:
        try:
            with interruption.held_back():
                for sink in sinks:
                    sink.end(outcome)
        except KeyboardInterrupt:
            interruption.stopped = True  # the episode is complete and stays so; whoever plays more must not
    assert outcome is not None
    return outcome


def _ask(ask: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the policy answers. Its errors are its own, so that the episode and not the run fails."""
    try:
        return ask(*args, **kwargs)
    except (EndOfPlay, EnvironmentFailure):
        raise
    except Exception as error:
        raise _PolicyFailure(f"{type(error).__name__}: {error}") from error


def _one_action(actions: Any) -> Action:
    if not isinstance(actions, Sequence) or len(actions) != 1 or not isinstance(actions[0], Action):
        got = f"{len(actions)} {type(actions).__name__}" if hasattr(actions, "__len__") else type(actions).__name__
        first = f" of {type(actions[0]).__name__}" if isinstance(actions, Sequence) and len(actions) else ""
        raise _PolicyFailure(f"returned {got}{first} for one observation, expected a sequence of one Action")
    return actions[0]
