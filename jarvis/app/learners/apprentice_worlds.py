"""Where an apprentice practises: worlds in worker processes, and the memory that they share with who learns and plays.

    board = Board(path, workers=13, worlds=8, slots=64, width=252, height=140)      # one file, mapped by all
    work(board, plan, number, pipe)                         # a worker process: steps its worlds until told to stop
    for records, frames in board.rings[number].waiting():   # the trainer takes what was taught
    rows = board.asking()                                   # the pupil answers who asks

A world that the teacher plays goes on at once; one that the pupil plays asks, and its worker goes on with the others
until the answer is there. Nothing here needs torch: a worker is the voxel world and little more.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.core.actions import BUTTONS, Action
from jarvis.core.random_streams import generator, stream_seed

if TYPE_CHECKING:
    from jarvis.core.tasks import Task

__all__ = [
    "EXAM", "LESSONS", "RECORD", "STOP", "Board", "Plan", "Ring", "World", "add_results", "begin_worlds",
    "last_results", "stops_when_told", "work",
]  # fmt: skip

LESSONS, EXAM, STOP = 0, 1, 2  # what the worlds are for now: `control["mode"]`
TEXT_BYTES, KIND_BYTES = 240, 40
NAP = 0.0005  # seconds, when there is nothing to do
TOLD_EVERY = 2.0  # seconds between a worker's results
FAILURES = 20  # of lessons that break off, until the worker ends

_ACT = [("buttons", "u1", (len(BUTTONS),)), ("camera", "<f4", (2,))]
RECORD = np.dtype([("text", f"S{TEXT_BYTES}"), ("kind", f"S{KIND_BYTES}"), *_ACT, ("point", "<i2", (2,))])
CONTROL = np.dtype([
    ("mode", "<i4"), ("share", "<f8"),  # of the ticks that the pupil plays
    ("published", "<i8"), ("loaded", "<i8"),  # versions of the pupil's weights
    ("pupil", "<i4"), ("answered", "<i8"), ("batches", "<i8"),  # 1: there is a pupil; its answers, in so many goes
])  # fmt: skip
COUNTS = np.dtype(
    [("ticks", "<i8"), ("pupil", "<i8"), ("kept", "<i8"), ("failed", "<i8"), ("full", "<f8"), ("idle", "<f8")]
)


@dataclass(frozen=True)
class Plan:
    """What the worlds of a run are."""

    tasks: tuple[Mapping[str, Any], ...]  # as JSON
    lesson: str = "jarvis.app.learners.lessons:Lesson"  # module:class of what is taught
    workers: int = 0
    worlds: int = 1  # of each worker
    stretch: tuple[int, int] = (10, 40)  # ticks for which the same one plays
    width: int = 252
    height: int = 140
    seed: int = 0

    @property
    def rows(self) -> int:
        """How many worlds there are."""
        return max(1, self.workers) * self.worlds


class World:
    """One lesson, and who plays it now."""

    def __init__(self, lesson: Any, row: int, plan: Plan) -> None:
        self.lesson, self.row, self.stretch = lesson, row, plan.stretch
        self.random = generator(plan.seed, "who plays", row)
        self.left = 0  # ticks until it is drawn again who plays
        self.pupil = False
        self.waits = False  # for the pupil's answer

    def asks(self, share: float, exam: bool) -> bool:
        """Whether the pupil plays this tick."""
        if exam or share <= 0:
            return exam
        if self.left == 0:
            self.left = int(self.random.integers(self.stretch[0], self.stretch[1] + 1))
            self.pupil = bool(self.random.random() < share)
        self.left -= 1
        return self.pupil

    def examine(self) -> None:
        """From now on the pupil plays alone, on other seeds."""
        self.lesson.exam = True
        self.lesson.results()  # what was before is forgotten
        self.waits = False


def begin_worlds(plan: Plan, number: int) -> list[World]:
    """The worlds of a worker."""
    return [_begin_world(plan, row) for row in range(number * plan.worlds, (number + 1) * plan.worlds)]


def _begin_world(plan: Plan, row: int, failures: int = 0) -> World:
    """One of them. failures: of worlds of this worker before; each gives it other worlds."""
    from jarvis.core.tasks import Task

    module, _, name = plan.lesson.partition(":")
    kind = getattr(import_module(module), name)
    tasks: list[Task] = [Task.from_json(task) for task in plan.tasks]
    seed = stream_seed(plan.seed, "lessons", row, failures)
    return World(kind(tasks, seed, row, width=plan.width, height=plan.height), row, plan)


def add_results(total: dict[str, list[int]], more: Mapping[str, Sequence[int]]) -> None:
    """Adds [episodes, successes, ticks, episodes that go on] of each task; what a lesson tells lacks the last."""
    for name, counts in more.items():
        total[name] = [old + new for old, new in zip_longest(total.get(name, [0] * 4), counts, fillvalue=0)]


def last_results(worlds: Sequence[World]) -> dict[str, list[int]]:
    """What was finished since these worlds told last, and what is not."""
    results: dict[str, list[int]] = {}
    for world in worlds:
        add_results(results, world.lesson.results())
        add_results(results, {world.lesson.task.name: (0, 0, 0, 1)})
    return results


# -- the memory that processes share -----------------------------------------------------------------------------------


class Ring:
    """Lessons on their way from one worker to the trainer: whole pictures, and what was to be done."""

    def __init__(self, ends: np.ndarray, records: np.ndarray, frames: np.ndarray) -> None:
        self.ends, self.records, self.frames = ends, records, frames  # ends: lessons put in, lessons taken
        self.slots = len(records)

    @property
    def full(self) -> bool:
        """Whether the trainer must take some first."""
        return int(self.ends[0] - self.ends[1]) >= self.slots

    def put(self, look: Any) -> None:
        """One more. ValueError for words that do not fit."""
        slot = int(self.ends[0]) % self.slots
        point = look.point if look.point is not None else (-1, -1)
        self.records[slot] = (
            _bytes(look.text, TEXT_BYTES), _bytes(look.kind, KIND_BYTES), look.shown.buttons, look.shown.camera, point,
        )  # fmt: skip
        self.frames[slot] = look.frame
        self.ends[0] += 1  # NOTE: last, and the trainer reads it first; x86 and numpy keep the order of these writes

    def waiting(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(n,) records and (n, height, width, 3) frames that are there now, in one or two pieces, as views.

        A piece may be overwritten as soon as the next is asked for.
        """
        first, stop = int(self.ends[1]), int(self.ends[0])
        while first < stop:
            slot = first % self.slots
            count = min(stop - first, self.slots - slot)
            yield self.records[slot : slot + count], self.frames[slot : slot + count]
            first += count
            self.ends[1] = first


class Board:
    """Arrays in one file that every process of a run maps: control, counts, a ring for each worker, a desk for all."""

    def __init__(self, path: str | Path, workers: int, worlds: int, slots: int, width: int, height: int) -> None:
        self.path, self.shape = str(path), (workers, worlds, slots, width, height)
        rows, picture = workers * worlds, (height, width, 3)
        parts: dict[str, tuple[tuple[int, ...], Any]] = {
            "control": ((1,), CONTROL), "counts": ((workers,), COUNTS), "ends": ((workers, 2), np.int64),
            "asked": ((rows,), np.int64), "answered": ((rows,), np.int64), "texts": ((rows,), f"S{TEXT_BYTES}"),
            "actions": ((rows,), np.dtype(_ACT)), "looks": ((rows, *picture), np.uint8),
            "records": ((workers, slots), RECORD), "frames": ((workers, slots, *picture), np.uint8),
        }  # fmt: skip
        places, end = {}, 0
        for name, (shape, kind) in parts.items():
            places[name] = end
            end += -(-int(np.prod(shape)) * np.dtype(kind).itemsize // 64) * 64
        self.bytes = end
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.truncate(end)
        memory = np.memmap(path, np.uint8, "r+", shape=(end,))
        arrays = {name: np.ndarray(shape, kind, memory.data, places[name]) for name, (shape, kind) in parts.items()}
        self.control = arrays["control"][0]
        self.counts, self.looks, self.texts = arrays["counts"], arrays["looks"], arrays["texts"]
        self.asked, self.answered, self.actions = arrays["asked"], arrays["answered"], arrays["actions"]
        self.rings = [
            Ring(arrays["ends"][worker], arrays["records"][worker], arrays["frames"][worker])
            for worker in range(workers)
        ]

    def __reduce__(self) -> tuple[Any, ...]:
        return Board, (self.path, *self.shape)  # another process maps the same file

    # the desk: worlds ask, the pupil answers

    def ask(self, row: int, look: Any) -> None:
        """The pupil is to play this world's next tick."""
        self.looks[row] = look.frame
        self.texts[row] = _bytes(look.text, TEXT_BYTES)
        self.asked[row] += 1

    def asking(self) -> np.ndarray:
        """(n,) rows that wait for an answer."""
        return np.flatnonzero(self.asked != self.answered)

    def answer(self, rows: np.ndarray, asked: np.ndarray, actions: Sequence[Action]) -> None:
        """What to do in these rows; asked: (n,) of `asked` when they were read."""
        for row, action in zip(rows.tolist(), actions, strict=True):
            self.actions[row] = (action.buttons, action.camera)
        self.answered[rows] = asked

    def answer_of(self, row: int) -> Action | None:
        """The pupil's action, if it is there."""
        if self.asked[row] != self.answered[row]:
            return None
        return Action(self.actions[row]["buttons"], self.actions[row]["camera"])


def _bytes(text: str, limit: int) -> bytes:
    encoded = text.encode()
    if len(encoded) > limit:
        raise ValueError(f"{text!r}: {len(encoded)} bytes, at most {limit} fit into a lesson")
    return encoded


def stops_when_told() -> None:
    """Leaves signals to the trainer: those for a whole group of processes reach its helpers, too."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


# -- a worker ----------------------------------------------------------------------------------------------------------


def work(board: Board, plan: Plan, number: int, pipe: Any) -> None:
    """The loop of a worker process: until `mode` is STOP or its parent is gone.

    It sends ("results", whether of the exam, {task: [episodes, successes, ticks, episodes that go on]}) now and then,
    the last when it stops, ("failed", False, traceback) of a lesson that broke off, in whose place another begins, and
    ("broken", False, traceback) if it fails itself.
    """
    stops_when_told()
    if hasattr(os, "nice"):
        os.nice(5)  # the learner and the pupil go first: they feed the device
    try:
        _work(board, plan, number, pipe)
    except BaseException:
        pipe.send(("broken", False, traceback.format_exc()))
        raise SystemExit(1) from None
    finally:
        pipe.close()


def _work(board: Board, plan: Plan, number: int, pipe: Any) -> None:
    worlds = begin_worlds(plan, number)
    control, counts, ring = board.control, board.counts[number], board.rings[number]
    parent, told, exam = os.getppid(), time.monotonic(), False
    while control["mode"] != STOP and os.getppid() == parent:
        if control["mode"] == EXAM and not exam:
            exam = True
            for world in worlds:
                world.examine()
        progress = False
        for place, world in enumerate(worlds):
            try:
                progress |= _advance(world, board, ring, counts, exam)
            except Exception:
                counts["failed"] += 1
                if counts["failed"] > FAILURES:
                    raise
                pipe.send(("failed", False, traceback.format_exc()))
                worlds[place] = _begin_world(plan, world.row, int(counts["failed"]))
                if exam:
                    worlds[place].examine()
        if not progress:
            time.sleep(NAP)
            counts["full" if ring.full else "idle"] += NAP
        if not exam and time.monotonic() - told > TOLD_EVERY:
            told = time.monotonic()
            for world in worlds:
                if results := world.lesson.results():
                    pipe.send(("results", False, results))
    pipe.send(("results", exam, last_results(worlds)))


def _advance(world: World, board: Board, ring: Ring, counts: Any, exam: bool) -> bool:
    """One tick of one world, if it need not wait."""
    control, action = board.control, None
    if world.waits:
        action = board.answer_of(world.row)
        if action is None:
            if exam or control["pupil"]:
                return False
            # the pupil is gone: the teacher plays on
        world.waits = False
        counts["pupil"] += action is not None
        counts["ticks"] += 1
        world.lesson.step(action)
    if ring.full and not exam:
        return False
    look = world.lesson.look()
    if look.keep and not exam:
        ring.put(look)
        counts["kept"] += 1
    if world.asks(float(control["share"]) if control["pupil"] else 0.0, exam):
        board.ask(world.row, look)
        world.waits = True
    else:
        counts["ticks"] += 1
        world.lesson.step(None)
    return True
