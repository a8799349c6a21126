"""Who practises for an apprentice: worker processes and a pupil, or, with no workers, all in turn in this process.

    crew = Crew(plan, backbone, temperature=0.7, say=print)    # or Alone(plan, backbone, temperature=0.7)
    crew.share = 0.4                                           # of the ticks that the pupil plays from now on
    taught = crew.gather(memory)                               # lessons that are new; raises when no worker is left
    crew.publish(backbone)                                     # from now on the pupil plays with these weights
    results = crew.exam(seconds=60)                            # {task: [episodes, successes, ticks, unfinished]}
    crew.close()

A lesson that breaks off is counted, and another begins in its place; a worker that dies is counted and missed; a pupil
that dies is begun anew, a few times. Only when the last worker is gone is that an error, which shows what broke first.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.app.learners.apprentice_player import new_pupil, publish, serve
from jarvis.app.learners.apprentice_worlds import (
    EXAM,
    RECORD,
    STOP,
    Board,
    Plan,
    Ring,
    add_results,
    begin_worlds,
    last_results,
    work,
)
from jarvis.core.errors import EnvironmentFailure

if TYPE_CHECKING:
    from jarvis.app.learners.apprentice_buffer import Memory
    from vla.backbone import Backbone

__all__ = ["Alone", "Crew"]

SLOTS = 64  # lessons of a worker that may wait for the trainer
EVERY = 0.05  # seconds between two looks at the rings: fewer and larger copies cost the trainer less
FIRST_TICKS = 40  # of each world of the first worker before the others begin: it compiles what is not compiled yet
PUPILS = 4  # how often a pupil is begun, at most
PATIENCE = 120.0  # seconds for the pupil to take new weights before the exam
_THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)  # fmt: skip

Results = dict[str, list[int]]


class Alone:
    """Every world in turn, in this process: the same settings give the same lessons."""

    def __init__(self, plan: Plan, backbone: Backbone, temperature: float) -> None:
        self.plan, self.share, self.results = plan, 0.0, dict[str, list[int]]()
        self.worlds = begin_worlds(plan, 0)
        self.pupil, self.temperature = new_pupil(backbone, plan.seed), temperature
        picture = (plan.height, plan.width, 3)
        self._ring = Ring(np.zeros(2, np.int64), np.zeros(plan.rows, RECORD), np.zeros((plan.rows, *picture), np.uint8))
        self._counts = {"ticks": 0, "pupil": 0, "kept": 0}

    def gather(self, memory: Memory) -> int:
        """One tick of every world; how many of them were lessons."""
        before = memory.added
        self._round(exam=False)
        for records, frames in self._ring.waiting():
            memory.add(records, frames)
        for world in self.worlds:
            add_results(self.results, world.lesson.results())
        return memory.added - before

    def _round(self, exam: bool) -> None:
        looks = [world.lesson.look() for world in self.worlds]
        asks = [world.asks(self.share, exam) for world in self.worlds]
        rows = np.flatnonzero(asks).tolist()
        actions = dict.fromkeys(range(len(looks)))
        if rows:
            frames, texts = np.stack([looks[row].frame for row in rows]), [looks[row].text for row in rows]
            actions |= zip(rows, self.pupil.sample(frames, texts, self.temperature), strict=True)
        for world, look in zip(self.worlds, looks, strict=True):
            if look.keep and not exam:
                self._ring.put(look)
                self._counts["kept"] += 1
            world.lesson.step(actions[world.row])
        self._counts["ticks"] += len(looks)
        self._counts["pupil"] += len(rows)

    def publish(self, backbone: Backbone) -> None:
        """Nothing to do: the pupil plays with the learner's own weights."""

    def exam(self, seconds: float, stopped: Callable[[], int] = lambda: 0) -> Results:
        """What the pupil alone reaches in so many seconds: of each task [episodes, successes, ticks, unfinished]."""
        for world in self.worlds:
            world.examine()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not stopped():
            self._round(exam=True)
        return last_results(self.worlds)

    def facts(self) -> dict[str, float]:
        """Counts since the beginning."""
        return {**self._counts, "workers": 0, "died": 0}

    def close(self) -> None:
        """Nothing to end."""


class Crew:
    """Worker processes with worlds, and a process in which the pupil plays them all."""

    def __init__(self, plan: Plan, backbone: Backbone, temperature: float, say: Callable[[str], None] = print) -> None:
        self.plan, self.temperature, self.say = plan, temperature, say
        self.device = str(backbone.device)
        self.results: Results = {}
        self.tracebacks: list[str] = []
        self.died = self.pupils = 0
        self._next = 0.0  # when the rings are looked at again
        self._exam: Results = {}
        self._context = multiprocessing.get_context("spawn")
        picture = plan.height * plan.width * 3
        need = int(1.2 * (plan.workers * SLOTS + plan.rows) * picture + 10 * backbone.num_parameters) + (1 << 20)
        self.folder = _folder(need)
        try:
            backbone.save(self.folder / "pupil")
            self.board = Board(self.folder / "board", plan.workers, plan.worlds, SLOTS, plan.width, plan.height)
            publish(backbone, self.folder / "pupil", self.board)
            self._pupil: Any = None
            self._workers: dict[int, tuple[Any, Any]] = {}  # process and pipe of those that live
            self._unborn = list(range(plan.workers))
            self._begin_pupil()
            self._begin_worker()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @property
    def share(self) -> float:
        """Of the ticks that the pupil plays."""
        return float(self.board.control["share"])

    @share.setter
    def share(self, share: float) -> None:
        self.board.control["share"] = share

    def _begin_worker(self) -> None:
        number = self._unborn.pop(0)
        self._workers[number] = self._process(work, self.board, self.plan, number, name=f"worlds {number}")

    def _begin_pupil(self) -> None:
        self.pupils += 1
        arguments = (self.board, self.folder / "pupil", self.plan.seed, self.temperature, self.device)
        self._pupil = self._process(serve, *arguments, name="pupil")

    def _process(self, function: Callable[..., None], *arguments: Any, name: str) -> tuple[Any, Any]:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=function, args=(*arguments, theirs), name=name, daemon=True)
        kept = {key: os.environ.get(key) for key in _THREADS}
        os.environ.update(_THREADS)  # of the processes that are begun now: one world each time
        try:
            process.start()
        finally:
            for key, value in kept.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value
        theirs.close()
        return process, ours

    # lessons

    def gather(self, memory: Memory) -> int:
        """Takes what is waiting now, now and then; how many lessons. EnvironmentFailure when no worker lives."""
        before, now = memory.added, time.monotonic()
        if now < self._next:
            return 0
        self._next = now + EVERY
        for number in list(self._workers):
            for records, frames in self.board.rings[number].waiting():
                memory.add(records, frames)
        self._look_after()
        if not self._workers:
            told = self.tracebacks[0] if self.tracebacks else "without a word"
            raise EnvironmentFailure(f"all {self.plan.workers} workers with worlds are gone; the first ended:\n{told}")
        return memory.added - before

    def publish(self, backbone: Backbone) -> None:
        """Gives the pupil these weights."""
        publish(backbone, self.folder / "pupil", self.board)

    def _look_after(self) -> None:
        """Takes what processes say, begins those that are not there yet, and notices those that are gone."""
        for number, (process, pipe) in list(self._workers.items()):
            self._listen(pipe)
            if not process.is_alive():
                self._listen(pipe)
                self.died += 1
                del self._workers[number]
                self.say(f"{process.name} is gone, exit code {process.exitcode}; {len(self._workers)} go on")
        first_is_warm = self.board.counts["ticks"][0] >= FIRST_TICKS * self.plan.worlds or 0 not in self._workers
        while self._unborn and first_is_warm:
            self._begin_worker()
        process, pipe = self._pupil
        self._listen(pipe)
        if not process.is_alive() and self.pupils < PUPILS and self.board.control["mode"] != STOP:
            self.board.control["pupil"] = 0
            self.board.control["loaded"] = 0
            self.say(f"the pupil is gone, exit code {process.exitcode}; it begins anew")
            self._begin_pupil()

    def _listen(self, pipe: Any) -> None:
        with suppress(EOFError, OSError):
            while pipe.poll():
                kind, exam, value = pipe.recv()
                if kind in ("broken", "failed"):
                    self.tracebacks.append(value)
                    self.say(f"{kind}: {value.strip().splitlines()[-1]}")
                else:
                    add_results(self._exam if exam else self.results, value)

    def exam(self, seconds: float, stopped: Callable[[], int] = lambda: 0) -> Results:
        """What the pupil alone reaches in so many seconds: of each task [episodes, successes, ticks, unfinished].

        It plays with what was published last. Afterwards every process ends.
        """
        control, deadline = self.board.control, time.monotonic() + PATIENCE
        while control["loaded"] != control["published"] and time.monotonic() < deadline:
            self._look_after()
            time.sleep(0.05)
        control["mode"] = EXAM
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._workers and not stopped():
            self._look_after()
            time.sleep(0.05)
        self._end()
        return self._exam

    def facts(self) -> dict[str, float]:
        """Counts since the beginning, of all worlds, and seconds of the mean worker."""
        counts, control = self.board.counts, self.board.control
        batches = max(1, int(control["batches"]))
        return {
            **{name: int(counts[name].sum()) for name in ("ticks", "pupil", "kept", "failed")},
            "idle": round(float(counts["idle"].mean()), 2),
            "full": round(float(counts["full"].mean()), 2),
            "answered": int(control["answered"]),
            "at_once": round(int(control["answered"]) / batches, 1),
            "workers": len(self._workers),
            "died": self.died,
            "pupils": self.pupils,
        }

    def _end(self) -> None:
        """Tells every process to stop, and waits for its last words."""
        self.board.control["mode"] = STOP
        processes = [*self._workers.values(), self._pupil]
        deadline = time.monotonic() + 10
        while any(process.is_alive() for process, _ in processes) and time.monotonic() < deadline:
            for _, pipe in processes:
                self._listen(pipe)
            time.sleep(0.01)
        for process, pipe in processes:
            self._listen(pipe)
            if process.is_alive():
                process.kill()
            process.join(5)

    def close(self) -> None:
        """Ends every process and removes what they shared."""
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)


def _folder(need: int) -> Path:
    """A folder of its own with room for so many bytes, in memory if there is a place."""
    memory = Path("/dev/shm")
    # NOTE: a process that writes where a full memory file system has no page left is killed, so twice the room
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * need
    return Path(tempfile.mkdtemp(prefix="jarvis-apprentice-", dir=memory if roomy else None))
