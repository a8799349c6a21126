"""Work in processes that may hang or die: each item ends done, or with a reason, after two attempts.

    engine = make_engine("process", workers=2, deadline=600)
    for outcome in engine.map(work, items):              # in the order in which they end
        print(outcome.item, outcome.value if outcome.reason is None else outcome.reason)

`work(item)` runs elsewhere and must be importable there; what is dear to make, it makes at the first call and keeps in
its module. An engine only carries work. What is done is decided by files, which the work writes whole or not at all:
after a death nobody knows how far an item came, so work looks first and doing it twice must do no harm.

    inline     here, one item after another, to look for a fault: no deadlines, and a death is ours
    process    worker processes on this machine (pebble), each ended whole at its deadline and replaced when it dies
    ray        actors of a Ray cluster, on this machine or many (ray_engine.py)
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as TooLate
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from jarvis.core.errors import UnknownNameError, nearest_names

__all__ = [
    "ATTEMPTS",
    "ENGINES",
    "Agenda",
    "Engine",
    "InlineEngine",
    "Outcome",
    "ProcessEngine",
    "Worker",
    "die_with_parent",
    "engine_of",
    "loss",
    "make_engine",
]

ENGINES = {
    "inline": "data_pipelines.engines:InlineEngine",
    "process": "data_pipelines.engines:ProcessEngine",
    "ray": "data_pipelines.ray_engine:RayEngine",
}
ATTEMPTS = 2
IDLE_SECONDS = 1.0

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Outcome(Generic[Item, Value]):
    """How one item ended."""

    item: Item
    value: Value | None  # what the work returned
    reason: str | None = None  # why it could not be done
    attempts: int = 1


class Engine(Protocol):
    """with make_engine(name) as engine: for outcome in engine.map(work, items): ..."""

    def map(
        self,
        work: Callable[[Item], Value],
        items: Iterable[Item],
        idle: Callable[[], None] | None = None,
        again: Callable[[Item, str], None] | None = None,
    ) -> Iterator[Outcome[Item, Value]]:
        """Every item once, in the order in which they end. Items are taken when a worker is free.

        idle: called about once a second while there is nothing to do but wait; not by the inline engine. again: told of
        an item that failed and why, when it will be tried once more.
        """
        ...

    def close(self) -> None:
        """Ends all workers. May be called twice."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *_: object) -> None: ...


def make_engine(name: str, **options: Any) -> Engine:
    """The engine of that name. options: workers, deadline (seconds for one item), attempts, and the engine's own."""
    if name not in ENGINES:
        raise UnknownNameError("engine", name, nearest_names(name, ENGINES))
    module, kind = ENGINES[name].split(":")
    engine: Engine = getattr(import_module(module), kind)(**options)
    return engine


def engine_of(
    name: str, workers: int | None, address: str | None = None, gpus: float = 0.0, deadline: float | None = None
) -> Engine:
    """The engine that somebody asked for by options; those of Ray are for Ray alone. workers: None for one a core."""
    options: dict[str, Any] = {"workers": workers or os.cpu_count() or 1, "deadline": deadline}
    return make_engine(name, **options, **({"address": address, "gpus": gpus} if name == "ray" else {}))


class Agenda(Generic[Item]):
    """What is to be done next: items that failed and have an attempt left, then new ones."""

    def __init__(self, items: Iterable[Item], attempts: int, again: Callable[[Item, str], None] | None = None) -> None:
        """again: as of `Engine.map`."""
        self._coming, self._again, self._attempts = iter(items), deque[tuple[Item, int]](), attempts
        self._tell = again

    def next(self) -> tuple[Item, int] | None:
        """An item and the number of this attempt at it, from 1."""
        if self._again:
            return self._again.popleft()
        for item in self._coming:
            return item, 1
        return None

    def failed(self, item: Item, attempt: int, reason: str) -> Iterator[Outcome[Item, Any]]:
        """What came of the item, whose attempt failed: nothing yet if it will be tried once more."""
        if attempt >= self._attempts:
            yield Outcome(item, None, reason, attempt)
            return
        self._again.append((item, attempt + 1))
        if self._tell is not None:
            self._tell(item, reason)


class InlineEngine:
    """Everything in this process."""

    def __init__(self, workers: int = 1, deadline: float | None = None, attempts: int = ATTEMPTS) -> None:
        self.attempts = attempts

    def map(
        self,
        work: Callable[[Item], Value],
        items: Iterable[Item],
        idle: Callable[[], None] | None = None,
        again: Callable[[Item, str], None] | None = None,
    ) -> Iterator[Outcome[Item, Value]]:
        """Every item once, in their order but for those that are tried again."""
        agenda = Agenda(items, self.attempts, again)
        while (found := agenda.next()) is not None:
            item, attempt = found
            try:
                yield Outcome(item, work(item), attempts=attempt)
            except Exception as error:
                yield from agenda.failed(item, attempt, f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Nothing is kept."""

    def __enter__(self) -> InlineEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# processes


def die_with_parent() -> None:
    """Has Linux end this process when its parent ends, whatever ends that. Elsewhere it ends at its next message.

    NOTE: to Linux the parent is the thread that started the process, so that thread must live as long as its process.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # 1 is PR_SET_PDEATHSIG


def _begin() -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts the program ends its workers


_spawner = ThreadPoolExecutor(1, "spawner")  # the thread that starts processes, because it never ends


class Worker:
    """One process that does one thing at a time. Whatever becomes of it, the next thing finds a new one."""

    def __init__(self) -> None:
        self._pool: Any = None

    def submit(self, function: Callable[..., Value], *args: Any, deadline: float | None = None) -> Future[Value]:
        """Starts the function; `result()` raises WorkerLost, or what the function raised.

        deadline: seconds after which the process is ended, and all that it started with it.
        """
        from pebble import ProcessPool

        if self._pool is not None and not self._pool.active:  # its process died while it had nothing to do
            self.end()
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPool(max_workers=1, initializer=_begin, context=context)
        return _spawner.submit(self._pool.schedule, function, args=args, timeout=deadline).result()

    def end(self) -> None:
        """Ends the process now."""
        pool, self._pool = self._pool, None
        if pool is not None:
            with suppress(Exception):
                pool.stop()
                pool.join()


def loss(error: BaseException) -> str | None:
    """What became of a worker, if that is what the error of its future tells; None for errors of the work itself."""
    from pebble import ProcessExpired

    if isinstance(error, TooLate):
        return "the deadline went by and its process was ended"
    if isinstance(error, ProcessExpired):
        return f"its process died ({_exit_words(error.exitcode)})"
    if isinstance(error, BrokenProcessPool):
        return "its process died"
    return None


def _exit_words(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


class ProcessEngine:
    """Worker processes on this machine."""

    def __init__(self, workers: int = 1, deadline: float | None = None, attempts: int = ATTEMPTS) -> None:
        """deadline: seconds for one item; then its process is ended."""
        if workers < 1 or attempts < 1:
            raise ValueError(f"{workers} workers, {attempts} attempts: expected at least one")
        self.deadline, self.attempts = deadline, attempts
        self._workers = [Worker() for _ in range(workers)]

    def map(
        self,
        work: Callable[[Item], Value],
        items: Iterable[Item],
        idle: Callable[[], None] | None = None,
        again: Callable[[Item, str], None] | None = None,
    ) -> Iterator[Outcome[Item, Value]]:
        """Every item once, in the order in which they end."""
        agenda = Agenda(items, self.attempts, again)
        free = list(self._workers)
        running: dict[Future[Value], tuple[Worker, Item, int]] = {}
        while True:
            while free and (found := agenda.next()) is not None:
                item, attempt = found
                worker = free.pop()
                running[worker.submit(work, item, deadline=self.deadline)] = (worker, item, attempt)
            if not running:
                return
            done = wait(running, IDLE_SECONDS, return_when=FIRST_COMPLETED).done
            if idle is not None:
                idle()
            for future in done:
                worker, item, attempt = running.pop(future)
                free.append(worker)
                error = future.exception()
                if error is None:
                    yield Outcome(item, future.result(), attempts=attempt)
                    continue
                lost = loss(error)
                if lost is not None:
                    worker.end()
                yield from agenda.failed(item, attempt, lost or f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Ends all workers."""
        for worker in self._workers:
            worker.end()

    def __enter__(self) -> ProcessEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
