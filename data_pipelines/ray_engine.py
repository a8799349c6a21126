"""Work on a Ray cluster: actors that Ray never restarts, so that an item which kills them is not tried for ever.

    engine = make_engine("ray", workers=8, gpus=1, address="auto")    # engines.py; pip install "jarvis-agent[ray]"

Ray would retry what killed its worker without end and drop what raised without a word; so attempts and deadlines are
counted here, and what is done is decided by files. What was under way on a machine that is lost is begun again
elsewhere, which does not count as an attempt. The folders that the work reads and writes must be the same on all
machines.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from data_pipelines.engines import ATTEMPTS, IDLE_SECONDS, Agenda, Item, Outcome, Value
from jarvis.core.errors import MissingExtraError

__all__ = ["RayEngine"]

LOSSES = 8  # machines that may be lost under one item before it is held to be the cause


class _Actor:
    """Lives in a process of the cluster."""

    def begin(self) -> str:
        """Answers once the process is there, with its machine."""
        import ray

        node: str = ray.get_runtime_context().get_node_id()
        return node

    def do(self, work: Callable[[Any], Any], item: Any) -> tuple[Any, str | None]:
        """What the work returned, or the words of its error: other machines may not have its class."""
        try:
            return work(item), None
        except Exception as error:
            return None, f"{type(error).__name__}: {error}"


@dataclass(eq=False)
class _Errand:
    """An attempt at an item."""

    item: Any
    attempt: int
    losses: int = 0  # of machines under it
    actor: Any = None
    node: str | None = None  # its machine, once it has begun
    since: float | None = None


class RayEngine:
    """Actors, one item at a time each."""

    def __init__(
        self,
        workers: int = 1,
        deadline: float | None = None,
        attempts: int = ATTEMPTS,
        cpus: float = 1,
        gpus: float = 0,
        address: str | None = None,
    ) -> None:
        """cpus, gpus: of one worker. address: of a running cluster; None starts one on this machine, for this run."""
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # actors without GPUs keep what they see
        try:
            import ray
        except ImportError:
            raise MissingExtraError("ray", "The engine 'ray'") from None
        self.workers, self.deadline, self.attempts = workers, deadline, attempts
        self._own = not ray.is_initialized()
        if self._own:
            ray.init(
                address=address,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
                **({} if address else {"num_cpus": max(workers, os.cpu_count() or 1)}),
            )
        self._kind = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)(_Actor)
        self._free: list[tuple[Any, str | None]] = []  # actors and their machines

    def map(
        self,
        work: Callable[[Item], Value],
        items: Iterable[Item],
        idle: Callable[[], None] | None = None,
        again: Callable[[Item, str], None] | None = None,
    ) -> Iterator[Outcome[Item, Value]]:
        """Every item once, in the order in which they end."""
        import ray

        agenda = Agenda(items, self.attempts, again)
        orphans: deque[_Errand] = deque()  # whose machine was lost
        running: dict[Any, _Errand] = {}  # by the reference of the work
        waiting: dict[Any, _Errand] = {}  # for room in the cluster: by the reference of the beginning
        while True:
            while len(running) < self.workers:
                if orphans:
                    errand = orphans.popleft()
                elif (found := agenda.next()) is not None:
                    errand = _Errand(*found)
                else:
                    break
                errand.actor, errand.node = self._free.pop() if self._free else (self._kind.remote(), None)
                waiting[errand.actor.begin.remote()] = errand
                running[errand.actor.do.remote(work, errand.item)] = errand
            if not running:
                return
            # NOTE: who rests holds room that another would wait for without end
            stuck = [errand for errand in waiting.values() if errand.node is None][: len(self._free)]
            for errand in stuck:
                waiting = {ref: one for ref, one in waiting.items() if one is not errand}
                running = {ref: one for ref, one in running.items() if one is not errand}
                ray.kill(errand.actor)
                orphans.append(_Errand(errand.item, errand.attempt, errand.losses))
            if stuck:
                continue
            ready, _ = ray.wait(list(running), num_returns=1, timeout=IDLE_SECONDS)
            if idle is not None:
                idle()
            now = time.monotonic()
            begun, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=0) if waiting else ([], [])
            for beginning in begun:
                errand = waiting.pop(beginning)
                errand.since = now
                with suppress(ray.exceptions.RayError):  # whatever it is, the work will tell
                    errand.node = ray.get(beginning)
            late = [ref for ref, errand in running.items()
                    if self.deadline and errand.since and now - errand.since > self.deadline]  # fmt: skip
            for ref in dict.fromkeys([*ready, *late]):
                errand = running.pop(ref)
                value, reason = None, "the deadline went by and its process was ended"
                if ref in ready:
                    try:
                        value, reason = ray.get(ref)
                        self._free.append((errand.actor, errand.node))
                    except ray.exceptions.RayError as error:
                        ray.kill(errand.actor)
                        if _is_lost(errand.node) and errand.losses < LOSSES:
                            orphans.append(_Errand(errand.item, errand.attempt, errand.losses + 1))
                            continue
                        reason = f"its process died ({_first_words(error)})"
                else:
                    ray.kill(errand.actor)
                if reason is None:
                    yield Outcome(errand.item, value, attempts=errand.attempt)
                else:
                    yield from agenda.failed(errand.item, errand.attempt, reason)

    def close(self) -> None:
        """Ends all actors, and the cluster if it was started for this run."""
        import ray

        for actor, _ in self._free:
            ray.kill(actor)
        self._free.clear()
        if self._own and ray.is_initialized():
            ray.shutdown()

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_lost(node: str | None) -> bool:
    """Whether a machine is no longer in the cluster."""
    import ray

    return node is not None and not any(one["NodeID"] == node and one["Alive"] for one in ray.nodes())


def _first_words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:200]
