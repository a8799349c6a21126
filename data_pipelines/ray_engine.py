"""Work on a Ray cluster: actors that Ray never restarts, so that an item which kills them is not tried for ever.

    engine = make_engine("ray", workers=8, gpus=1, address="auto")    # engines.py; pip install "jarvis-agent[ray]"

Ray would retry what killed its worker without end and drop what raised without a word; so attempts and deadlines are
counted here, and what is done is decided by files. The folders that the work reads and writes must be the same on all
machines.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from data_pipelines.engines import ATTEMPTS, Agenda, Item, Outcome, Value
from jarvis.core.errors import MissingExtraError

__all__ = ["RayEngine"]


class _Actor:
    """Lives in a process of the cluster."""

    def begin(self) -> None:
        """Answers once the process is there."""

    def do(self, work: Callable[[Any], Any], item: Any) -> tuple[Any, str | None]:
        """What the work returned, or the words of its error: other machines may not have its class."""
        try:
            return work(item), None
        except Exception as error:
            return None, f"{type(error).__name__}: {error}"


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
        self._free: list[Any] = []

    def map(self, work: Callable[[Item], Value], items: Iterable[Item]) -> Iterator[Outcome[Item, Value]]:
        """Every item once, in the order in which they end."""
        import ray

        agenda = Agenda(items, self.attempts)
        running: dict[Any, tuple[Any, Item, int]] = {}
        waiting: dict[Any, Any] = {}  # for room in the cluster: reference of the beginning -> of the work
        started: dict[Any, float] = {}  # by the reference of the work: when its actor could begin
        while True:
            while len(running) < self.workers and (found := agenda.next()) is not None:
                item, attempt = found
                actor = self._free.pop() if self._free else self._kind.remote()
                beginning, ref = actor.begin.remote(), actor.do.remote(work, item)
                running[ref], waiting[beginning] = (actor, item, attempt), ref
            if not running:
                return
            ready, _ = ray.wait(list(running), num_returns=1, timeout=1.0)
            now = time.monotonic()
            begun, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=0) if waiting else ([], [])
            started |= {ref: now for begin in begun if (ref := waiting.pop(begin)) in running}
            late = [ref for ref, since in started.items() if self.deadline and now - since > self.deadline]
            for ref in dict.fromkeys([*ready, *late]):
                actor, item, attempt = running.pop(ref)
                started.pop(ref, None)
                value, reason = None, "the deadline went by and its process was ended"
                if ref in ready:
                    try:
                        value, reason = ray.get(ref)
                        self._free.append(actor)
                    except ray.exceptions.RayError as error:
                        reason = f"its process died ({_first_words(error)})"
                        ray.kill(actor)
                else:
                    ray.kill(actor)
                if reason is None:
                    yield Outcome(item, value, attempts=attempt)
                elif not agenda.again(item, attempt):
                    yield Outcome(item, None, reason, attempt)

    def close(self) -> None:
        """Ends all actors, and the cluster if it was started for this run."""
        import ray

        for actor in self._free:
            ray.kill(actor)
        self._free.clear()
        if self._own and ray.is_initialized():
            ray.shutdown()

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _first_words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:200]
