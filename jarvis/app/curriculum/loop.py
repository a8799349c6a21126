"""The circle: propose, play, verify, relabel, train, evaluate. Killed anywhere, it goes on to the same book.

    outcome = learn(LearnConfig(env="crafter", curriculum="envgen", steps=500_000), "runs/learn", say=print)

    runs/learn/
        config.json      everything that was asked for, and what it ran on
        log.jsonl        the goal book
        llm/             transcript of the language model, if there is one
        policy/          checkpoints of the learner
        page.html        the book to look at
        done             empty, written last

A run is a list of phases that follows from the settings alone: in each cycle propose, practise in generated worlds,
practise in the original one, evaluate there; at the end the original world once more. A checkpoint holds where in this
list the run is, how long the book was, and the learner with its unfinished episodes. What came after it is played again
and must come out the same, line by line.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.seeds import episode_seeds
from evaluation.statistics import crafter_score
from jarvis.app.curriculum.backends import Backend, backend
from jarvis.app.curriculum.book import Book, BookError
from jarvis.app.curriculum.evidence import read_moments
from jarvis.app.curriculum.lessons import Episode, Lesson
from jarvis.app.curriculum.llm import LLM, Budget, LLMConfig
from jarvis.app.curriculum.lma3 import ask_relabels, episode_facts
from jarvis.app.curriculum.proposers import View, make_proposer
from jarvis.app.curriculum.relabel import achieved, event_counts, rule_goals
from jarvis.app.curriculum.selectors import choose, make_selector
from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.files import DONE, atomic_write, read_json, write_json
from jarvis.core.goals import Goal
from jarvis.core.predicates import needs
from jarvis.core.random_streams import generator, stream_seed
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task

if TYPE_CHECKING:
    from jarvis.app.learners.ppo import Turn
    from jarvis.app.learners.rows import Ended

__all__ = ["CURRICULA", "LearnConfig", "learn"]

CURRICULA = ("techtree", "envgen", "lma3", "webrl", "random", "fixed", "uniform", "none")
_BY_GOAL = ("techtree", "lma3", "webrl", "uniform")  # a selector chooses among goals; else lessons are shared equally
_SELECTORS = {"uniform": "uniform"}
CHECKPOINT_EVERY = 8  # updates
LOCK = ".lock"  # held while a program is at work in the folder
NOVEL = 5  # new kinds of episodes that a model names at once


@dataclass(frozen=True)
class LearnConfig:
    """A whole run."""

    env: str = "voxel"
    curriculum: str = "techtree"
    selector: str = ""  # empty: learning_progress; uniform for the curriculum of that name
    seed: int = 0
    steps: int = 200_000  # ticks of environments in training, all phases together
    cycles: int = 4
    generated: float = 0.5  # share of a cycle's steps in generated worlds
    last: float = 0.5  # share of all steps in the original world after the last cycle
    evaluations: int = 20  # episodes of each evaluation of a goal; a mastered goal needs 20
    candidates: int = 12  # goals that are evaluated each time, where each is a task of its own
    relabel: bool = True  # look for what was achieved beside what was asked
    ppo: Mapping[str, Any] = field(default_factory=dict)  # of jarvis.app.learners.ppo.PPOConfig
    policy: str = ""  # SPEC of a policy that is improved by expert iteration; empty: a new small one, by PPO
    expert: Mapping[str, Any] = field(default_factory=dict)  # of jarvis.app.learners.expert.ExpertConfig
    llm: LLMConfig = field(default_factory=LLMConfig)
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        if self.curriculum not in CURRICULA:
            raise UnknownNameError("curriculum", self.curriculum, nearest_names(self.curriculum, CURRICULA))
        if self.cycles < 1 or self.steps < 1 or not 0 <= self.generated <= 1 or not 0 <= self.last < 1:
            raise ValueError(f"{self}: expected at least one cycle and step, and shares from 0 to 1")

    def to_json(self) -> dict[str, Any]:
        """Every field as JSON values; no limit is null."""
        value = asdict(self)
        value["budget"] = {key: None if part == float("inf") else part for key, part in value["budget"].items()}
        return value


@dataclass(frozen=True)
class Phase:
    """A part of a run. until: steps of training at which it is over."""

    kind: str  # propose, generated, original or evaluate
    cycle: int
    until: int


def phases(config: LearnConfig) -> list[Phase]:
    """What a run consists of."""
    steps = int(min(config.steps, config.budget.steps))
    cycle_steps = steps * (1 - config.last) / config.cycles
    listed: list[Phase] = []
    for cycle in range(config.cycles):
        first = cycle * cycle_steps
        if config.curriculum != "none":
            listed.append(Phase("propose", cycle, int(first)))
            listed.append(Phase("generated", cycle, int(first + cycle_steps * config.generated)))
        listed.append(Phase("original", cycle, int(first + cycle_steps)))
        listed.append(Phase("evaluate", cycle, int(first + cycle_steps)))
    if config.last:
        listed += [Phase("original", config.cycles, steps), Phase("evaluate", config.cycles, steps)]
    return listed


class _Run:
    """The state of a run beside its book: a Part of the learner's checkpoints."""

    def __init__(self, config: LearnConfig, folder: Path, say: Callable[[str], None]) -> None:
        from jarvis.app.learners.controls import controls_of
        from jarvis.app.learners.expert import ExpertConfig, ExpertIteration
        from jarvis.app.learners.networks import NetworkConfig
        from jarvis.app.learners.ppo import PPO, PPOConfig

        self.config, self.folder, self.say = config, folder, say
        self.place: Backend = backend(config.env)
        self.parents: dict[str, Sequence[str]] = {}
        chosen = config.selector or _SELECTORS.get(config.curriculum, "learning_progress")
        self.selector = make_selector(chosen, self.parents)
        self.book = Book(folder, self.place)
        self.book.listener = self._heard
        self.llm = LLM(config.llm, folder / "llm", config.budget)
        self.proposer: Any = None if config.curriculum == "none" else make_proposer(config.curriculum, self.llm)
        options = dict(config.ppo)
        if "network" in options:
            options["network"] = NetworkConfig(**options["network"])
        self.controls = controls_of(config.env)
        self.learner: Any
        if config.policy:
            self.learner = ExpertIteration(config.env, config.policy, ExpertConfig(**config.expert), folder / "policy")
        else:
            self.learner = PPO(self.controls, PPOConfig(seed=config.seed, **options), folder / "policy")
        self.phase = self.episodes = 0
        self.lessons: list[Lesson] = []  # of this cycle
        self.kinds: list[str] = []  # of episodes, by what happened in them
        self.happened: list[dict[str, Any]] = []  # counts of the newest kinds
        self.novel: list[dict[str, Any]] = []  # the newest kinds in full, until a model was asked about them
        self.asked = 0  # times that it was
        self.unlocked: list[list[str]] = []  # original world, last phase: what each episode of training achieved

    def _heard(self, goal: str, success: bool) -> None:
        self.parents.setdefault(goal, self.book.stats[goal].goal.parents)
        self.selector.update(goal, [success])

    # a Part of a checkpoint

    def state(self) -> dict[str, Any]:
        """Everything that the book does not tell."""
        return {
            "phase": self.phase, "episodes": self.episodes, "length": self.book.length, "kinds": self.kinds,
            "lessons": [lesson.to_json() for lesson in self.lessons], "happened": self.happened, "novel": self.novel,
            "asked": self.asked, "unlocked": self.unlocked,
            "proposer": self.proposer.state() if hasattr(self.proposer, "state") else None,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from there; the book is read up to where it was."""
        self.phase, self.episodes, self.asked = state["phase"], state["episodes"], state["asked"]
        self.lessons = [Lesson.from_json(lesson) for lesson in state["lessons"]]
        self.happened, self.novel = list(state["happened"]), list(state["novel"])
        self.kinds, self.unlocked = list(state["kinds"]), list(state["unlocked"])
        self.book.replay(state["length"])
        if state["proposer"] is not None:
            self.proposer.restore(state["proposer"])

    def begin(self) -> None:
        """Goals that are there from the beginning: Crafter's, which are one game, and those that nobody proposes."""
        if self.config.env == "crafter" or self.config.curriculum not in _BY_GOAL:
            for node in self.place.tree.values():
                self.book.admit(node.goal)

    # phases

    def propose(self, phase: Phase) -> None:
        """New goals and lessons into the book."""
        assert self.proposer is not None
        view = View(
            self.place, self.book.report(), self.book.goals, phase.cycle, self.config.seed, tuple(self.happened[-8:])
        )
        proposals = self.proposer.propose(view)
        self.book.propose(proposals.record)
        refused = [self.book.admit(goal) for goal in proposals.goals]
        kept = []
        for lesson in proposals.lessons:
            if all(goal in self.book.stats for goal in lesson.goals):
                refusal = self.book.admit_lesson(lesson)
                refused.append(refusal)
                if refusal is None:
                    kept.append(lesson)
        self.lessons = kept
        count = sum(refusal is not None for refusal in refused)
        self.say(f"cycle {phase.cycle}: {len(self.book.stats)} goals, {len(kept)} lessons, {count} refused")
        self.learner.restart()

    def assign(self, phase: Phase, row: int) -> Turn:
        """What a row plays next."""
        from jarvis.app.learners.ppo import Turn

        number = self.episodes
        self.episodes += 1
        random = generator(self.config.seed, "curriculum", "lesson", number)
        seed = stream_seed(self.config.seed, "curriculum", "world", number) % (1 << 29)
        lesson: Lesson | None = None
        if phase.kind == "generated" and self.lessons:
            if self.config.curriculum in _BY_GOAL:
                able = {one.goals[0]: one for one in self.lessons if self._can_tell(one.goals[0])}
                if able:
                    lesson = able[choose(self.selector, list(able), random)]
            else:
                lesson = self.lessons[row % len(self.lessons)]
        start = self.place.original if lesson is None else lesson.start
        asked = [] if lesson is None else list(lesson.goals)
        if self.controls.rewarded_by_goal:
            if not asked:
                able = [goal for goal in self.book.stats if self._can_tell(goal)]
                asked = [choose(self.selector, able, random)] if able else []
            if asked:
                goal = self.book.goals[asked[0]]
                return Turn(self.place.task(goal, start), seed, [goal], [lesson and lesson.id, asked[:1]])
        elif lesson is None:
            asked = list(self.book.stats)
        goals = [self.book.goals[goal] for goal in asked]
        return Turn(self._free(start), seed, goals, [lesson and lesson.id, asked])

    def _free(self, start: StartState) -> Task:
        return Task("play", Goal("play"), start, self.place.usual)

    def _can_tell(self, goal: str) -> bool:
        """Whether the learner's rows tell what the goal needs."""
        predicate = self.book.stats[goal].goal.predicate
        return predicate is not None and needs(predicate) <= {"events", "inventory", "y"}

    def over(self, phase: Phase, note: Any, seed: int, outcome: Ended) -> None:
        """An episode of training is over."""
        lesson_id, goals = note
        lesson = None if lesson_id is None else self.book.lessons[lesson_id]
        episode = Episode(
            lesson, tuple(goals), seed, f"update {self.learner.updates}", outcome.ticks, outcome.evidence,
            reward=outcome.reward,
        )  # fmt: skip
        verdicts = self.book.practise(episode)
        if lesson is None and phase.cycle == self.config.cycles and not self.controls.rewarded_by_goal:
            self.unlocked.append([goal for goal, success in verdicts.items() if success])
        if self.config.relabel and self.controls.rewarded_by_goal:
            self._relabel(episode, outcome.events)

    def _relabel(self, episode: Episode, events: list[Any]) -> None:
        """What an episode unlike those before achieved beside what was asked."""
        moments = read_moments(events)
        counts = event_counts(moments)
        kind = ",".join(sorted(f"{e}.{i}.{n.bit_length()}" for e, items in counts.items() for i, n in items.items()))
        if not moments or kind in self.kinds:
            return
        self.kinds.append(kind)
        self.happened = [*self.happened[-7:], counts]
        if self.config.curriculum == "lma3":
            for goal in rule_goals(moments, self.place):
                if goal.id not in self.book.stats:
                    self.book.admit(goal)
        by_events = {key: goal for key, goal in self.book.goals.items()
                     if goal.predicate is not None and needs(goal.predicate) <= {"events"}}  # fmt: skip
        for key, tick in achieved(by_events, moments, episode.goals):
            self.book.relabel(key, episode, 0, tick + 1, moments)
        if self.config.curriculum == "lma3" and self.llm.config.mode != "none":
            lesson = None if episode.lesson is None else episode.lesson.id
            self.novel.append({"events": events, "seed": episode.seed, "policy": episode.policy, "lesson": lesson,
                               "ticks": episode.ticks})  # fmt: skip
            if len(self.novel) == NOVEL:
                self._ask_relabels()

    def _ask_relabels(self) -> None:
        """A model names what was achieved in the newest kinds of episodes. What did not happen is kept as such."""
        moments = [read_moments(one["events"]) for one in self.novel]
        facts = [episode_facts(event_counts(of), one["ticks"], self.place)
                 for of, one in zip(moments, self.novel, strict=True)]  # fmt: skip
        answer = ask_relabels(self.llm, self.place, facts, draw=self.asked)
        self.asked += 1
        false = 0
        for goal, number in answer.items:
            if goal.id in self.book.stats or self.book.admit(goal) is None:
                one = self.novel[number]
                lesson = None if one["lesson"] is None else self.book.lessons[one["lesson"]]
                episode = Episode(lesson, (), one["seed"], one["policy"], one["ticks"], ())
                false += not self.book.relabel(goal.id, episode, 0, one["ticks"], moments[number])
        said = {"proposer": "lma3 relabeler", "said": len(answer.items), "false": false}
        self.book.propose(said | answer.record())
        self.novel = []

    def evaluate(self, phase: Phase) -> None:
        """Fixed seeds in the original world, without learning."""
        from jarvis.app.learners.ppo import Turn

        policy = f"{self.learner.policy_hash()}-{phase.cycle}"
        book, count = self.book, self.config.evaluations
        turns: list[Any] = []
        if self.controls.rewarded_by_goal:
            ranked = [stats for key, stats in book.stats.items() if self._can_tell(key) and stats.tried]
            ranked.sort(key=lambda stats: (-stats.mastered, -stats.rate.low, stats.number))
            for stats in ranked[: self.config.candidates]:
                seeds = episode_seeds("validation", f"curriculum {stats.goal.id}", count)
                turns += [Turn(self.place.task(stats.goal), seed, [stats.goal], [stats.goal.id]) for seed in seeds]
        else:
            goals = list(book.goals.values())
            seeds = episode_seeds("validation", "crafter", count)
            turns = [Turn(self._free(self.place.original), seed, goals, list(book.goals)) for seed in seeds]
        for goals_tried, seed, outcome in self.learner.play(turns):
            book.evaluate(Episode(None, tuple(goals_tried), seed, policy, outcome.ticks, outcome.evidence,
                                  reward=outcome.reward))  # fmt: skip
        book.train({"steps": self.learner.steps, "updates": self.learner.updates, "policy": policy,
                    "cycle": phase.cycle, "evaluated": True})  # fmt: skip
        self.say(f"{self.learner.steps} steps: {len(book.mastered)} of {len(book.stats)} goals mastered")

    def train(self, phase: Phase) -> None:
        """PPO until the phase's steps are over."""
        while self.learner.steps < phase.until:
            self.learner.improve(lambda row: self.assign(phase, row), lambda *told: self.over(phase, *told))
            if self.learner.updates % CHECKPOINT_EVERY == 0:
                self.save()

    def save(self) -> None:
        """A checkpoint, and the book on disk up to it."""
        self.book.flush()
        self.learner.save({"run": self})

    def outcome(self) -> dict[str, Any]:
        """What came of it."""
        book = self.book
        told = {
            "steps": self.learner.steps, "goals": len(book.stats), "mastered": len(book.mastered),
            "refused": len(book.refused), "book": book.hash, "lines": book.length, "llm": self.llm.costs(),
        }  # fmt: skip
        if self.unlocked:
            score = crafter_score([dict.fromkeys(names, 1) for names in self.unlocked], list(book.stats))
            told["score"] = [round(part, 3) for part in score]  # of training episodes in the last phase, in percent
            told["episodes"] = len(self.unlocked)
        return told


def learn(config: LearnConfig, folder: str | Path, say: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Runs, or goes on with, a whole run in the folder. Returns what came of it.

    FileExistsError if the folder is finished or holds another run. EnvironmentFailure if a worker breaks.
    """
    folder = Path(folder)
    with _alone(folder):
        _claim(folder, config)
        return _learn(config, folder, say)


def _learn(config: LearnConfig, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    from jarvis.app.curriculum.page import write_page

    run = _Run(config, folder, say)
    try:
        if run.learner.resume({"run": run}):
            say(f"going on at {run.learner.steps} steps")
        else:
            run.begin()
        listed = phases(config)
        while run.phase < len(listed):
            phase = listed[run.phase]
            if phase.kind == "propose":
                run.propose(phase)
            elif phase.kind == "evaluate":
                run.evaluate(phase)
            else:
                run.train(phase)
            run.phase += 1
            run.save()
        if run.book.ahead:
            raise BookError(f"{run.book.path}: {run.book.ahead} lines more than this run has written")
        outcome = run.outcome()
    finally:
        run.learner.close()
        run.book.close()
    write_json(folder / "outcome.json", outcome)
    write_page(folder)
    atomic_write(folder / DONE, b"")
    return outcome


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No two programs in one folder: the second is refused, and one that was killed locks nothing."""
    try:
        import fcntl
    except ImportError:  # Windows: look after it yourself
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FileExistsError(f"{folder}: another program is at work in it; choose another --out") from None
        yield


def _claim(folder: Path, config: LearnConfig) -> None:
    way_out = "choose another --out"
    if (folder / DONE).exists():
        raise FileExistsError(f"{folder} is already finished; {way_out}")
    asked = config.to_json()
    known = folder / "config.json"
    if known.exists():
        if read_json(known)["asked"] != json.loads(json.dumps(asked)):
            raise FileExistsError(f"{folder} holds another, unfinished run; {way_out}")
        return
    if any(path.name != LOCK for path in folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; {way_out}")
    write_json(known, {"asked": asked, "versions": _versions()})


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("jarvis-agent", "numpy", "torch", "crafter", "openai"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
