"""The goal book: what there is to be learnt, what was tried, and what is known from it.

    book = Book("runs/learn", backend("crafter"))
    book.admit(goal)                        # or a Refusal, which is kept as well
    book.practise(episode)                  # evidence; the book judges by the goal's frozen condition
    book.evaluate(episode)                  # the same for fixed seeds in the original world
    book.stats[goal.id].mastered            # Wilson's bound of evaluation attempts, and of nothing else
    book.hash                               # of everything so far

log.jsonl has one line for each thing that happened, each with the hash of all lines up to it, so that a changed or
missing line is found. What is known is a fold over the lines: nothing else is stored. No line holds a verdict: a
success is what `judge` finds in the line's evidence, on writing and on every reading.

A run that was killed is begun again from its last checkpoint and writes the same lines once more: as long as there are
lines ahead, the book compares instead of writing, and raises BookError at the first difference.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluation.statistics import Interval, wilson
from jarvis.app.curriculum.admission import Refusal, check_goal, check_lesson
from jarvis.app.curriculum.backends import Backend
from jarvis.app.curriculum.evidence import evidence, judge
from jarvis.app.curriculum.lessons import Episode, Lesson, plain_text
from jarvis.core.errors import JarvisError
from jarvis.core.files import read_json_lines
from jarvis.core.goals import Goal, Moment

__all__ = ["Book", "BookError", "GoalStats", "Row"]

FORMAT = 1
WINDOW = 96  # train attempts that are remembered of each goal
MASTERY, MASTERY_COUNT = 0.5, 20  # Wilson's lower bound, of at least as many evaluation attempts
DORMANT, DORMANT_COUNT = 0.02, 64  # looks impossible now
QUOTA = {"llm": 200, "relabel": 400, "techtree": 400, "human": 400}


class BookError(JarvisError, RuntimeError):
    """The log contradicts itself, or a run that was begun again does not write what it wrote before."""


@dataclass
class GoalStats:
    """What is known about one goal."""

    goal: Goal
    number: int  # in the order of admission
    train: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    tried: int = 0  # train attempts in all
    reached: int = 0
    relabelled: int = 0  # times it was reached while something else was asked
    last_tried: int = -1  # line
    evaluated: dict[str, dict[int, bool]] = field(default_factory=dict)  # {policy: {seed: success}}, newest last

    @property
    def rate(self) -> Interval:
        """The share of the remembered train attempts that reached it."""
        return wilson(sum(self.train), len(self.train))

    @property
    def evaluation(self) -> Interval:
        """The share of the newest policy's evaluation attempts that reached it."""
        newest = list(self.evaluated.values())[-1] if self.evaluated else {}
        return wilson(sum(newest.values()), len(newest))

    @property
    def evaluations(self) -> int:
        """How many attempts that is."""
        return len(list(self.evaluated.values())[-1]) if self.evaluated else 0

    @property
    def mastered(self) -> bool:
        """Certified: enough evaluation attempts of the newest policy, and the lower bound of their share is enough."""
        return self.evaluations >= MASTERY_COUNT and self.evaluation.low >= MASTERY

    @property
    def status(self) -> str:
        """mastered, dormant, active, or admitted if it was never tried."""
        if self.mastered:
            return "mastered"
        if self.tried >= DORMANT_COUNT and self.rate.value < DORMANT:
            return "dormant"
        return "active" if self.tried or self.evaluated else "admitted"


@dataclass(frozen=True)
class Row:
    """What a proposer is told about a goal: rates, and nothing that could be changed."""

    id: str
    text: str
    source: str
    parents: tuple[str, ...]
    status: str
    tried: int
    rate: float  # of train attempts, 0 to 1
    rate_low: float
    rate_high: float
    evaluations: int
    evaluation: float
    evaluation_low: float
    evaluation_high: float


class Book:
    """See the top of the module. A folder of its own; one program at a time."""

    def __init__(self, folder: str | Path, place: Backend, *, name: str = "log.jsonl", quota: Mapping[str, int] = QUOTA
                 ) -> None:  # fmt: skip
        self.path = Path(folder) / name
        self.place, self.quota = place, dict(quota)
        self._waiting: list[dict[str, Any]] = []  # lines of an earlier run that are still ahead
        self._file: Any = None
        self.listener: Callable[[str, bool], None] | None = None  # told of each train attempt: goal, success
        self.rewind()
        if self.path.exists():
            # NOTE: a line that only lacks its end is dropped as well: it will be written again.
            os.truncate(self.path, sum(len(line) for line in _whole_lines(self.path)))
            lines = read_json_lines(self.path)
            self._check_chain(lines.values)
            self._waiting = list(lines.values)

    def rewind(self) -> None:
        """Forgets everything; lines of the file that are read or written from here on count."""
        self.hash = hashlib.blake2b(f"{FORMAT} {self.place.name}".encode()).hexdigest()[:32]
        self.length = 0
        self.stats: dict[str, GoalStats] = {}
        self.refused: list[dict[str, Any]] = []
        self.lessons: dict[str, Lesson] = {}
        self.segments: list[dict[str, Any]] = []
        self.proposals: list[dict[str, Any]] = []
        self.trained: list[dict[str, Any]] = []
        self.history: list[dict[str, Any]] = []  # one entry for each evaluation round
        self.counts: Counter[str] = Counter()

    def _check_chain(self, lines: Sequence[dict[str, Any]]) -> None:
        chain = self.hash
        for number, line in enumerate(lines, 1):
            if not isinstance(line, dict) or line.get("v") != FORMAT or "hash" not in line:
                raise BookError(f"{self.path}: line {number}: expected a line of format {FORMAT} with a hash")
            chain = _chained(chain, line)
            if line["hash"] != chain:
                raise BookError(f"{self.path}: line {number} was changed, or one before it is missing")

    def replay(self, length: int | None = None) -> Book:
        """Takes up to `length` of the lines ahead (all of them if None) as they are. Returns the book."""
        count = len(self._waiting) if length is None else length - self.length
        if not 0 <= count <= len(self._waiting):
            raise BookError(f"{self.path}: line {length} is asked for, but the log has {self.ahead + self.length}")
        for line in self._waiting[:count]:
            self._take(line)
        del self._waiting[:count]
        return self

    @property
    def ahead(self) -> int:
        """Lines of an earlier run that were not written again yet."""
        return len(self._waiting)

    # what happens

    def admit(self, goal: Goal) -> Refusal | None:
        """Takes the goal into the book, its condition frozen from now on; or says why not, which is kept too."""
        refusal = check_goal(goal, self.place, self.goals, self.counts, self.quota)
        goal = replace(goal, text=plain_text(goal.text), aliases=tuple(map(plain_text, goal.aliases)))
        if refusal is None:
            self._write({"kind": "admit", "goal": goal.to_json()})
        else:
            self._write(
                {
                    "kind": "reject",
                    "what": "goal",
                    "why": refusal.kind,
                    "reason": refusal.reason,
                    "goal": goal.to_json(),
                }
            )
        return refusal

    def admit_lesson(self, lesson: Lesson) -> Refusal | None:
        """The same for a lesson. One that is known already is taken as it is."""
        if lesson.id in self.lessons:
            return None
        refusal = check_lesson(lesson, self.place, self.goals)
        if refusal is None:
            self._write({"kind": "lesson", "lesson": lesson.to_json()})
        else:
            self._write({
                "kind": "reject", "what": "lesson", "why": refusal.kind, "reason": refusal.reason,
                "lesson": lesson.to_json(),
            })  # fmt: skip
        return refusal

    def reject(self, what: str, why: str, reason: str, text: str, source: str) -> None:
        """Keeps something that was not even a goal or a lesson, shortened to what can be shown."""
        self._write({
            "kind": "reject", "what": what, "why": why, "reason": plain_text(reason, 300),
            "text": plain_text(text, 300), "source": source,
        })  # fmt: skip

    def practise(self, episode: Episode) -> dict[str, bool]:
        """A train attempt at each of the episode's goals. Returns what the book found: {goal: success}."""
        return self._attempt("attempt", episode)

    def evaluate(self, episode: Episode) -> dict[str, bool]:
        """An evaluation attempt: in the original world, with a seed that this policy was not evaluated with before."""
        if episode.lesson is not None:
            raise BookError(f"evaluation of {episode.policy}: a lesson's world is not the original one")
        for goal in episode.goals:
            if episode.seed in self._stats(goal).evaluated.get(episode.policy, {}):
                raise BookError(f"policy {episode.policy} was evaluated with seed {episode.seed} before")
        return self._attempt("eval", episode)

    def _attempt(self, kind: str, episode: Episode) -> dict[str, bool]:
        for goal in episode.goals:
            self._stats(goal)
        line = {
            "kind": kind, "goals": list(episode.goals), "lesson": None if episode.lesson is None else episode.lesson.id,
            "seed": episode.seed, "policy": episode.policy, "ticks": episode.ticks,
            "reward": round(float(episode.reward), 6), "evidence": list(episode.evidence),
        }  # fmt: skip
        self._write(line)
        return self._verdicts(line)

    def relabel(self, goal: str, episode: Episode, start: int, stop: int, moments: Sequence[Moment]) -> bool:
        """The goal was reached in ticks [start, stop) of an episode in which something else was asked.

        Returns whether the moments show it; if not, nothing but the mistake is kept.
        """
        predicate = self._stats(goal).goal.predicate
        assert predicate is not None
        inside = [moment for moment in moments if start <= moment.tick < stop]
        kept = evidence([predicate], inside)
        line = {
            "kind": "segment", "goal": goal, "seed": episode.seed, "policy": episode.policy,
            "lesson": None if episode.lesson is None else episode.lesson.id, "start": start, "stop": stop,
            "evidence": kept,
        }  # fmt: skip
        if judge(predicate, kept) is None:
            self.reject("relabel", "hallucination", "it did not happen in these ticks", self._stats(goal).goal.text, "")
            return False
        self._write(line)
        return True

    def propose(self, record: Mapping[str, Any]) -> None:
        """What a proposer was asked and what came of it."""
        self._write({"kind": "propose", **record})

    def train(self, record: Mapping[str, Any]) -> None:
        """What a training phase did: steps, policy, whatever numbers are the same on every machine."""
        self._write({"kind": "train", **record})

    # what is known

    @property
    def goals(self) -> dict[str, Goal]:
        """Every goal by id, in the order of admission."""
        return {key: stats.goal for key, stats in self.stats.items()}

    @property
    def mastered(self) -> list[str]:
        """Ids of what is certified now."""
        return [key for key, stats in self.stats.items() if stats.mastered]

    def report(self) -> list[Row]:
        """What proposers may know."""
        rows = []
        for key, stats in self.stats.items():
            rate, told = stats.rate, stats.evaluation
            number = [0.0 if part != part else round(part, 4) for part in (*rate, *told)]  # NaN: nothing counted
            rows.append(
                Row(key, stats.goal.text, stats.goal.source, stats.goal.parents, stats.status, stats.tried, number[0],
                    number[1], number[2], stats.evaluations, number[3], number[4], number[5])
            )  # fmt: skip
        return rows

    def _stats(self, goal: str) -> GoalStats:
        if goal not in self.stats:
            raise BookError(f"goal {goal!r} is not in the book")
        return self.stats[goal]

    # lines

    def _write(self, line: dict[str, Any]) -> None:
        line = {"v": FORMAT, **json.loads(json.dumps(line, allow_nan=False))}
        line["hash"] = _chained(self.hash, line)
        if self._waiting:
            if self._waiting[0] != line:
                raise BookError(
                    f"{self.path}: line {self.length + 1} would be written anew as something else; "
                    f"it was {json.dumps(self._waiting[0])[:300]}, it is {json.dumps(line)[:300]}. "
                    "Another version, another machine or other settings? Begin in a new folder"
                )
            self._take(self._waiting.pop(0))
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "ab")
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        self._take(line)

    def flush(self) -> None:
        """What was written is on disk when this returns."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Ends writing. The book can still be read."""
        if self._file is not None:
            self.flush()
            self._file.close()
            self._file = None

    def _verdicts(self, line: Mapping[str, Any]) -> dict[str, bool]:
        verdicts = {}
        for key in line["goals"]:
            predicate = self._stats(key).goal.predicate
            assert predicate is not None
            verdicts[key] = judge(predicate, line["evidence"]) is not None
        return verdicts

    def _take(self, line: dict[str, Any]) -> None:
        """The fold: one line more."""
        try:
            self._fold(line)
        except BookError:
            raise
        except (KeyError, TypeError, JarvisError) as error:
            raise BookError(f"{self.path}: line {self.length + 1}: {type(error).__name__}: {error}") from None
        self.hash, self.length = line["hash"], self.length + 1

    def _fold(self, line: dict[str, Any]) -> None:
        kind = line["kind"]
        if kind == "admit":
            goal = Goal.from_json(line["goal"])
            self.stats[goal.id] = GoalStats(goal, len(self.stats))
            self.counts[goal.source] += 1
        elif kind == "lesson":
            lesson = Lesson.from_json(line["lesson"])
            self.lessons[lesson.id] = lesson
        elif kind == "reject":
            self.refused.append(line)
        elif kind in ("attempt", "eval"):
            for key, success in self._verdicts(line).items():
                stats = self.stats[key]
                if kind == "attempt":
                    stats.train.append(success)
                    stats.tried += 1
                    stats.reached += success
                    stats.last_tried = self.length
                    if self.listener is not None:
                        self.listener(key, success)
                else:
                    if line["policy"] not in stats.evaluated:
                        stats.evaluated[line["policy"]] = {}
                    stats.evaluated[line["policy"]][line["seed"]] = success
        elif kind == "segment":
            self.stats[line["goal"]].relabelled += 1
            self.segments.append(line)
        elif kind == "propose":
            self.proposals.append(line)
        elif kind == "train":
            self.trained.append(line)
            if line.get("evaluated"):
                told = {key: list(stats.evaluation.to_json()) for key, stats in self.stats.items() if stats.evaluations}
                self.history.append({"steps": line.get("steps", 0), "goals": len(self.stats), "rates": told,
                                     "mastered": self.mastered})  # fmt: skip
        else:
            raise BookError(f"{self.path}: line {self.length + 1}: unknown kind {kind!r}")


def _chained(chain: str, line: Mapping[str, Any]) -> str:
    text = json.dumps({key: value for key, value in line.items() if key != "hash"}, sort_keys=True)
    return hashlib.blake2b(f"{chain}\n{text}".encode()).hexdigest()[:32]


def _whole_lines(path: Path) -> list[bytes]:
    with open(path, "rb") as file:
        return [line for line in file if line.endswith(b"\n")]
