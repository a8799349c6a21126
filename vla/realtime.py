"""Play against the clock: the world keeps its 20 ticks a second while the model thinks.

    policy = RealtimePolicy(VlaPolicy("runs/agent"))          # `jarvis play --realtime`
    policy.act([observation])                                 # returns when the tick is due, never later

The model is asked, in a thread of its own, about the newest picture whenever it is free. The actions of its reply
belong to the tick of that picture and those after it: each is played in its tick, those whose tick is over are dropped
and counted as late, and a newer reply takes the place of what an older one still had to say. A reply that is late as a
whole plays its last action at once, because a slow player should be slow and not asleep.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from jarvis.core.actions import Action
from jarvis.core.environments import Policy
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation

__all__ = ["RealtimePolicy"]


class RealtimePolicy:
    """One row in real time over any policy."""

    def __init__(
        self,
        policy: Policy,
        *,
        rate: float = 20.0,  # ticks a second
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """policy: with `reply(observations)`, the actions of a whole reply for each row, or `act` for one at a time."""
        self.policy, self.rate = policy, rate
        for name in ("looks", "picture_size"):
            if hasattr(policy, name):
                setattr(self, name, getattr(policy, name))
        self._clock, self._sleep = clock, sleep
        self._pool = ThreadPoolExecutor(1)
        self._thinking: Future[list[Action]] | None = None
        self.counts: Counter[str] = Counter()  # ticks, played, late, stale, replaced, waited, overrun
        self._latencies: list[float] = []
        self._begin()

    def _begin(self) -> None:
        self._tick = 0  # of the next action
        self._asked_at = 0  # tick of the picture that the model looks at
        self._due: dict[int, Action] = {}
        self._start: float | None = None

    def reset(
        self,
        goals: Sequence[Goal | None],
        *,
        rows: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """As in the Policy protocol, of one row. ValueError for more: one clock cannot wait for two worlds."""
        if len(goals) != 1:
            raise ValueError(f"{len(goals)} rows: in real time one world is played at a time")
        self._drop_thought()
        self.policy.reset(goals, rows=rows, seeds=seeds)
        self._begin()

    def follow(self, row: int, env: Any) -> None:
        """For policies that play from inside a world."""
        if follow := getattr(self.policy, "follow", None):
            self._drop_thought()
            follow(row, env)

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """The action of this tick, when it is due. Raises what the model raised."""
        self._keep_time()
        if self._thinking is not None and self._thinking.done():
            self._take()
        if self._thinking is None:
            self._asked_at, asked = self._tick, list(observations)
            self._thinking = self._pool.submit(self._think, asked)
        action = self._due.pop(self._tick, None)
        self.counts["ticks"] += 1
        self.counts["waited" if action is None else "played"] += 1
        self._tick += 1
        return [Action.noop() if action is None else action]

    def report(self) -> dict[str, Any]:
        """Counts since the beginning, the model's latency p50 and p95 in ms, and what the policy beneath reports."""
        inner = getattr(self.policy, "report", None)
        told: dict[str, Any] = {**(inner() if inner else {}), **self.counts}
        if self._latencies:
            ordered = sorted(self._latencies)
            for share in (50, 95):
                place = min(len(ordered) - 1, math.ceil(len(ordered) * share / 100) - 1)
                told[f"latency_p{share}_ms"] = round(1000 * ordered[place], 2)
        return told

    def _keep_time(self) -> None:
        now = self._clock()
        if self._start is None:
            self._start = now
        ahead = self._start + self._tick / self.rate - now
        if ahead > 0:
            self._sleep(ahead)
        elif ahead < -1 / self.rate:
            # the world itself was too slow: it does not hurry to catch up
            self.counts["overrun"] += 1
            self._start = now - self._tick / self.rate

    def _think(self, observations: list[Observation]) -> list[Action]:
        began = self._clock()
        reply = getattr(self.policy, "reply", None)
        actions = list(reply(observations)[0] if reply else self.policy.act(observations))
        self._latencies.append(self._clock() - began)
        return actions

    def _take(self) -> None:
        assert self._thinking is not None
        actions, self._thinking = self._thinking.result(), None
        late = min(len(actions), max(0, self._tick - self._asked_at))
        self.counts["replies_taken"] += 1
        self.counts["replaced"] += len(self._due)
        self._due = {self._asked_at + place: action for place, action in enumerate(actions) if place >= late}
        if late == len(actions):
            self._due[self._tick] = actions[-1]
            self.counts["stale"] += 1
            late -= 1
        self.counts["late"] += late

    def _drop_thought(self) -> None:
        if self._thinking is not None:
            if not self._thinking.cancel():
                self._thinking.exception()  # the model cannot be interrupted; what it says is of another episode
            self._thinking = None

    def close(self) -> None:
        """Waits for the model and ends its thread."""
        self._drop_thought()
        self._pool.shutdown()
