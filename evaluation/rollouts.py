"""Episodes played in batches: one policy, several environments, each in its own row.

    for played in play(suite.episodes("validation"), make_env, policy, rows=4):
        print(played.episode.task.name, played.success, played.aborted)

`policy.act` sees all rows at once; the environments are stepped in threads, and a row that begins another episode does
so while the others play on. An episode's outcome is the same whatever the other rows hold.

A policy that plays from inside a world rather than from its picture has a method `follow(row, env)`. It is called after
each reset of the row's environment, and with None when a reset begins: until the next call the world is not to be read.

An episode never ends the run. A broken simulator, a start that cannot be had, a policy that raises or answers with
something else than one action a row: the episode is `aborted`, with the reason, and is never counted as failed. If the
policy fails on a whole batch, the episodes in it are played again, each alone, so that only the guilty one is aborted.
"""

from __future__ import annotations

import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from evaluation.suites import Episode
from evaluation.tapes import Tape
from jarvis.core.actions import Action
from jarvis.core.environments import Environment, Policy
from jarvis.core.errors import ActionError, EnvironmentFailure, JarvisError

__all__ = ["Played", "Usage", "play"]


class _WrongAnswer(Exception):  # noqa: N818 - never leaves this module
    """The policy answered with something else than one action a row."""


@dataclass(frozen=True)
class Usage:
    """What an episode cost. A policy that knows tells it by `usage(row) -> {name: number}`, since the row's reset."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    gpu_seconds: float = 0.0  # as told; else the policy's share of time if it has a `device` that is no CPU
    policy_seconds: float = 0.0  # in `act`, shared equally by the rows that were playing
    environment_seconds: float = 0.0  # in reset and step, as the clock on the wall has it


@dataclass(frozen=True)
class Played:
    """How an episode went."""

    episode: Episode
    success: bool
    ticks: int
    milestones: dict[str, int] = field(default_factory=dict)  # {name: tick}
    aborted: str | None = None  # why it broke off, or None
    traceback: str | None = None
    total_reward: float = 0.0
    best_reward: float = 0.0  # of one tick
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0  # from the beginning of the reset to the end
    files: Mapping[str, str | None] = field(default_factory=dict)  # of the tape


class _Row:
    """One environment and the episode that is under way in it."""

    def __init__(
        self, make_env: Callable[[], Environment], follow: Callable[[Environment | None], None] | None
    ) -> None:
        self._make_env, self._follow = make_env, follow
        self._env: Environment | None = None
        self.episode: Episode | None = None
        self.tape: Tape | None = None
        self.setting: Future[None] | None = None  # the scene is being set in a thread
        self.observation: Any = None

    def take(self, episode: Episode, tape: Tape | None) -> None:
        """This is the row's episode from now on."""
        self.episode, self.tape = episode, tape
        self.ticks, self.success, self.ended = 0, False, False
        self.milestones: dict[str, int] = {}
        self.aborted: str | None = None
        self.trace: str | None = None
        self.total = self.best = 0.0
        self.policy_seconds = self.environment_seconds = 0.0
        if self._follow is not None:
            self._follow(None)
        self.started = time.perf_counter()

    def begin(self) -> None:
        """Sets the scene. What goes wrong is kept in `aborted`."""
        assert self.episode is not None
        before = time.perf_counter()
        try:
            if self._env is None:
                self._env = self._make_env()
            self.observation, _ = self._env.reset(self.episode.task, self.episode.seed)
            if self.tape is not None:
                self.tape.begin(self.observation.pov)
        except Exception as error:
            self._broken("start" if isinstance(error, ValueError) else "environment", error)
        else:
            if self._follow is not None:
                try:
                    self._follow(self._env)
                except Exception as error:
                    self.abort("policy", error)
        self.environment_seconds += time.perf_counter() - before

    def step(self, action: Any) -> None:
        """Plays one tick."""
        assert self._env is not None and self.episode is not None
        before = time.perf_counter()
        try:
            step = self._env.step(action)
            self.environment_seconds += time.perf_counter() - before
            self.observation, reward, terminated, truncated, info = step
            self.ticks += 1
            self.total += float(reward)
            self.best = max(self.best, float(reward))
            self.milestones, self.success = info["milestones"], bool(info["success"])
            self.ended = bool(terminated or truncated) or self.ticks >= self.episode.task.max_ticks
            if self.tape is not None:
                self.tape.tick(action, self.observation.pov, info["events"])
        except ActionError as error:  # the environment is as it was
            self.abort("policy", error)
        except Exception as error:
            self._broken("environment", error)

    def abort(self, whose: str, error: Exception | str) -> None:
        """Ends the episode without a verdict."""
        self.ended, self.success = True, False
        if isinstance(error, str):
            self.aborted = f"{whose}: {error}"
            return
        named = isinstance(error, (JarvisError, _WrongAnswer)) and not isinstance(error, ActionError)
        self.aborted = f"{whose}: {error}" if named else f"{whose}: {type(error).__name__}: {error}"
        if not isinstance(error, (JarvisError, _WrongAnswer)):
            self.trace = "".join(traceback.format_exception(error))

    def _broken(self, whose: str, error: Exception) -> None:
        self.abort(whose, error)
        if not isinstance(error, (EnvironmentFailure, ValueError)):
            self.close()  # after an error of its own it is not to be trusted with the next episode

    def played(self, usage: Mapping[str, Any], on_gpu: bool) -> Played:
        """The finished episode, its files written."""
        assert self.episode is not None
        seconds = time.perf_counter() - self.started
        files = self.tape.finish(self.trace) if self.tape is not None else {}
        cost = Usage(
            int(usage.get("prompt_tokens", 0)),
            int(usage.get("completion_tokens", 0)),
            float(usage.get("gpu_seconds", self.policy_seconds if on_gpu else 0.0)),
            self.policy_seconds,
            self.environment_seconds,
        )
        return Played(
            self.episode, self.success, self.ticks, dict(self.milestones), self.aborted, self.trace, self.total,
            self.best, cost, seconds, files,
        )  # fmt: skip

    def forget(self) -> None:
        """Drops the episode, as if it had not been begun."""
        if self.tape is not None:
            self.tape.discard()
        self.episode = self.tape = None

    def close(self) -> None:
        """Ends the environment; the next episode gets a new one."""
        env, self._env = self._env, None
        if env is not None:
            with suppress(Exception):  # it may be broken
                env.close()


def play(
    episodes: Iterable[Episode],
    make_env: Callable[[], Environment],
    policy: Policy,
    *,
    rows: int = 1,
    threads: int | None = None,
    tape: Callable[[Episode], Tape | None] | None = None,
) -> Iterator[Played]:
    """Plays every episode and yields each when it is over, in the order in which they end.

    make_env: an environment of its own for every row. threads: that step environments; without it, one a core, and none
    for a single row. tape: what is to be kept of an episode. Nothing is left open when the iterator is closed early.
    """
    if rows < 1:
        raise ValueError(f"rows: {rows}, expected at least 1")
    waiting = deque(episodes)
    suspects: deque[Episode] = deque()
    follow = getattr(policy, "follow", None)
    count = min(rows, max(1, len(waiting)))
    table = [_Row(make_env, partial(follow, number) if callable(follow) else None) for number in range(count)]
    workers = threads if threads is not None else min(len(table), os.cpu_count() or 1)
    pool = ThreadPoolExecutor(workers, "environment") if len(table) > 1 and workers > 1 else None
    new_tape = tape or (lambda episode: None)
    try:
        while waiting:
            yield from _play_batch(table, waiting, suspects, policy, new_tape, pool)
        while suspects:
            alone = deque([suspects.popleft()])
            yield from _play_batch(table[:1], alone, None, policy, new_tape, None)
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        for row in table:
            row.forget()
            row.close()


def _play_batch(
    table: Sequence[_Row],
    waiting: deque[Episode],
    suspects: deque[Episode] | None,
    policy: Policy,
    new_tape: Callable[[Episode], Tape | None],
    pool: ThreadPoolExecutor | None,
) -> Iterator[Played]:
    """Plays until nothing is waiting or the policy fails: then whoever was playing becomes a suspect, or, if there is
    only one row to suspect, is aborted."""
    rows = list(table[: len(waiting)])
    first = [waiting.popleft() for _ in rows]
    try:
        policy.reset([episode.goal for episode in first], seeds=[episode.seed for episode in first])
    except Exception as error:
        if suspects is not None and len(rows) > 1:
            suspects.extend(first)
        else:
            rows[0].take(first[0], new_tape(first[0]))
            rows[0].abort("policy", error)
            yield _over(rows[0], 0, policy)
        return
    for row, episode in zip(rows, first, strict=True):
        _set_scene(row, episode, new_tape, pool)
    # NOTE: the policy has been told of all of them, so it must not act before all of them can be seen.
    _await_all(rows)
    fresh: set[int] = set()  # rows whose episode the policy has not been told yet
    blank = None
    while True:
        _await_one([row for row in rows if row.episode is not None], pool)
        ready = [number for number, row in enumerate(rows) if row.episode is not None and row.setting is None]
        for number in list(ready):
            row = rows[number]
            if number in fresh and not row.ended:
                fresh.discard(number)
                assert row.episode is not None
                try:
                    policy.reset([row.episode.goal], rows=[number], seeds=[row.episode.seed])
                except Exception as error:
                    row.abort("policy", error)
            if row.ended:
                yield _over(row, number, policy)
                ready.remove(number)
                fresh.discard(number)
                if waiting:
                    fresh.add(number)
                    _set_scene(row, waiting.popleft(), new_tape, pool)
        if all(row.episode is None for row in rows):
            return
        if not ready:
            continue
        blank = rows[ready[0]].observation if blank is None else blank
        observations = [
            blank if row.observation is None or row.setting is not None else row.observation for row in rows
        ]
        before = time.perf_counter()
        try:
            actions = _checked(policy.act(observations), len(rows))
        except Exception as error:
            _await_all(rows)
            if suspects is not None and len(rows) > 1:
                for number, row in enumerate(rows):
                    if row.episode is not None:
                        if number in fresh:  # the policy never saw it
                            waiting.appendleft(row.episode)
                        else:
                            suspects.append(row.episode)
                        row.forget()
                return
            rows[0].abort("policy", error)
            continue
        share = (time.perf_counter() - before) / len(ready)
        moves = []
        for number in ready:
            row = rows[number]
            row.policy_seconds += share
            if (complaint := _complaint(actions[number], row)) is not None:
                row.abort("policy", complaint)
            else:
                moves.append((row, actions[number]))
        if pool is None or len(moves) < 2:
            for row, action in moves:
                row.step(action)
        else:
            wait([pool.submit(row.step, action) for row, action in moves])


def _set_scene(
    row: _Row, episode: Episode, new_tape: Callable[[Episode], Tape | None], pool: ThreadPoolExecutor | None
) -> None:
    row.take(episode, new_tape(episode))
    if pool is None:
        row.begin()
    else:
        row.setting = pool.submit(row.begin)


def _await_one(rows: Sequence[_Row], pool: ThreadPoolExecutor | None) -> None:
    """Returns when at least one of the rows can play; clears the marks of those that can."""
    if pool is None:
        return
    settings = [row.setting for row in rows if row.setting is not None]
    if settings and len(settings) == len(rows):
        wait(settings, return_when=FIRST_COMPLETED)
    for row in rows:
        if row.setting is not None and row.setting.done():
            row.setting.result()
            row.setting = None


def _await_all(rows: Sequence[_Row]) -> None:
    for row in rows:
        if row.setting is not None:
            row.setting.result()
            row.setting = None


def _over(row: _Row, number: int, policy: Policy) -> Played:
    told = getattr(policy, "usage", None)
    usage: Mapping[str, Any] = {}
    if callable(told):
        with suppress(Exception):  # an account that cannot be had costs no episode
            usage = dict(told(number))
    played = row.played(usage, on_gpu=str(getattr(policy, "device", "cpu")).partition(":")[0] not in ("cpu", "None"))
    row.episode = row.tape = None
    return played


def _checked(actions: Any, count: int) -> Sequence[Any]:
    if isinstance(actions, (str, bytes)) or not hasattr(actions, "__len__") or not hasattr(actions, "__getitem__"):
        raise _WrongAnswer(f"answered with {type(actions).__name__}, expected a sequence of {count} actions")
    if isinstance(actions, Mapping) or len(actions) != count:
        raise _WrongAnswer(
            f"answered with {len(actions)} of {type(actions).__name__}, expected a sequence of {count} actions"
        )
    return actions  # type: ignore[no-any-return]


def _complaint(action: Any, row: _Row) -> str | None:
    if isinstance(action, Action):
        return None
    space = getattr(row._env, "action_space", None)
    if hasattr(space, "n"):  # a game with numbered actions, such as Crafter, which checks them itself
        return None
    return f"answered with {type(action).__name__} {action!r:.60}, expected an Action"
