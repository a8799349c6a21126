"""Stages that judge and go on: measure, evaluate, compare, learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from data_pipelines.datasets import Dataset
from data_pipelines.recordings import Recording
from jarvis.app.pipelines.looks import episode_shows
from jarvis.app.pipelines.play import play_time
from jarvis.app.pipelines.stages import PATH, SPEC, Result, Stage, Work
from jarvis.core.actions import POLICY_BUTTONS
from jarvis.core.errors import FormatError, UnknownNameError, nearest_names
from jarvis.core.files import is_done, read_json, write_json
from jarvis.core.segments import Segment

__all__ = ["Compare", "Evaluate", "Learn", "Measure"]

TOLERANCE = 10  # ticks by which a cut may miss a boundary: half a second


@dataclass(frozen=True)
class Measure(Stage):
    """Labels and segments against what was recorded: possible where the videos are recordings with their lines."""

    inputs: ClassVar = {"play": PATH, "truth": PATH}
    made: ClassVar = ("measured.json",)

    play: str = ""  # a dataset
    truth: tuple[str, ...] = ()  # the recordings whose videos it labels

    def run(self, work: Work) -> Result:
        """`idm.metrics` and `skill_discovery.metrics`."""
        from idm.labels import Labels
        from idm.metrics import report
        from skill_discovery.clips import recording_clip
        from skill_discovery.metrics import Scored, chance_f1, score

        dataset = Dataset.open(self.play)
        folders = [Path(folder).resolve() for folder in self.truth]
        labels, buttons, camera, screens, scored = [], [], [], [], []
        aside: dict[str, str] = {}
        for facts in dataset.clips():
            video = dataset.video(facts).resolve()
            if not any(video.is_relative_to(folder) for folder in folders):
                continue
            try:
                truth = recording_clip(Recording.of(video).read())
            except FormatError as error:
                aside[facts.name] = str(error)
                continue
            told = dataset.read(facts.clip)
            frames = told.frames[told.frames < len(truth)]
            count = len(frames)
            sure = told.confidence
            sure = np.ones((count, len(POLICY_BUTTONS) + 2), np.float32) if sure is None else sure[:count]
            labels.append(Labels(told.buttons[:count], told.camera[:count], sure))
            buttons.append(truth.buttons[frames])
            camera.append(truth.camera[frames])
            screens.append(truth.gui_open[frames])
            found = [Segment.from_json(value) for value in facts.more.get("segments") or ()]
            if found and truth.truth and len(told) == len(truth):
                scored.append(Scored.of(truth.truth, [segment.start for segment in found[1:]], len(truth)))
        if not labels:
            where = ", ".join(self.truth)
            raise FormatError(f"{self.play}: none of its videos lies in {where}: there is no truth to measure by")
        accuracy = report(labels, buttons, camera, screens)
        measured: dict[str, Any] = {"labels": accuracy.to_json()}
        summary = accuracy.summary()
        facts_told: dict[str, Any] = {
            "ticks": summary["frames"], "every key right": summary["keypress"],
            "in play": summary["keypress_play"], "with a screen open": summary["keypress_screen"],
            "mouse, R2": summary["r2"], "mouse, mean error in degrees": summary["error"],
            "calibration error of keys": summary["ece"],
        }  # fmt: skip
        if sum(len(clip.truth) + len(clip.cuts) for clip in scored):
            cuts = score(scored, TOLERANCE)
            chance = chance_f1(scored, TOLERANCE)
            measured["segments"] = {
                "matched": cuts.matched, "cuts": cuts.cuts, "boundaries": cuts.boundaries, "f1": cuts.f1,
                "chance": chance,
            }  # fmt: skip
            facts_told |= {
                "boundaries found": f"{cuts.matched} of {cuts.boundaries}, {cuts.cuts} cuts",
                "F1 at half a second": round(cuts.f1, 4),
                "F1 of as many random cuts": round(chance, 4),
            }
        write_json(work.folder / "measured.json", measured)
        keys = sorted(accuracy.buttons.items(), key=lambda pair: -(pair[1]["pressed"] or 0))
        shown = [[name, round(one["f1"], 4)] for name, one in keys if one["f1"] is not None][:12]
        rates = [
            ["model", summary["keypress"]], ["nothing is ever pressed", summary["keypress_released"]],
            ["as in the tick before", summary["keypress_previous"]],
        ]  # fmt: skip
        return Result(
            f"{len(labels)} clips with their recordings",
            f"keys right in {100 * (summary['keypress'] or 0):.1f} % of ticks",
            facts_told,
            aside,
            charts=[
                {"kind": "bars", "title": "Ticks with every key right", "items": rates, "percent": True},
                {"kind": "bars", "title": "F1 by key, the most pressed first", "items": shown, "most": 1},
            ],
        )


@dataclass(frozen=True)
class Evaluate(Stage):
    """A policy plays a suite: jarvis evaluate."""

    inputs: ClassVar = {"policy": SPEC}
    made: ClassVar = ("results.jsonl",)

    policy: str = "random"
    suite: str = "smoke"
    task: tuple[str, ...] = ()
    episodes: int | None = None
    split: str = "validation"
    env: str | None = None
    rows: int = 4
    width: int | None = None
    height: int | None = None
    videos: bool = True
    env_options: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Whether there is such a suite with such tasks."""
        from evaluation.seeds import SPLITS
        from evaluation.suites import get_suite

        suite = get_suite(self.suite)
        if self.task:
            suite.part(self.task)
        if self.split not in SPLITS:
            raise UnknownNameError("split", self.split, nearest_names(self.split, SPLITS) or tuple(SPLITS))

    def run(self, work: Work) -> Result:
        """`jarvis.app.evaluating`."""
        from evaluation.results import load_results
        from jarvis.app.evaluating import EvaluateConfig, start

        if is_done(work.folder) and not work.retry:  # it was killed just after
            summary = read_json(work.folder / "summary.json")
        else:
            asked = EvaluateConfig(
                self.suite, self.policy, work.folder, self.split, self.task, self.episodes, self.env, self.rows,
                self.width, self.height, self.videos, overwrite=is_done(work.folder), env_options=self.env_options,
            )  # fmt: skip
            _, summary = start(asked, work.say)
        _, lines = load_results(work.folder)
        overall = summary["overall"]
        who = work.names.get(self.policy, self.policy)
        rates = [[task, *_rate(counts)] for task, counts in [*summary["per_task"].items(), ("all", overall)]]
        return Result(
            f"{who} plays {', '.join(summary['per_task'])}",
            f"{overall['success']} of {overall['success'] + overall['failed']} episodes reach their goal",
            {
                "episodes": overall["episodes"], "successes": overall["success"], "aborted": overall["aborted"],
                "played": play_time(summary["ticks"]),
                "seconds of the policy": round(summary["usage"]["policy_seconds"], 1),
            },
            {f"{line['task']}, seed {line['seed']}": line["aborted"] for line in lines if line["aborted"]},
            charts=[{"kind": "intervals", "title": "Success, with 95 % intervals (Wilson)", "items": rates}],
            shows=episode_shows(work.folder, [dict(line) for line in lines]),
            links={"report with all episodes": "report.html"},
        )  # fmt: skip


def _rate(counts: Mapping[str, Any]) -> list[Any]:
    played = counts["success"] + counts["failed"]
    return [counts["rate"], *counts["interval"], f"{counts['success']} of {played}"]


@dataclass(frozen=True)
class Compare(Stage):
    """Two evaluations on their equal episodes: jarvis compare."""

    inputs: ClassVar = {"first": PATH, "second": PATH}
    made: ClassVar = ("compared.json",)

    first: str = ""
    second: str = ""

    def run(self, work: Work) -> Result:
        """`evaluation.runs.compare`."""
        from evaluation.runs import compare

        found = compare(self.first, self.second)
        write_json(work.folder / "compared.json", found)
        overall = found["overall"]
        value, low, high = overall["difference"]
        words = f"{100 * value:+.0f} points ({100 * low:+.0f} to {100 * high:+.0f})"
        return Result(
            f"{overall['pairs']} pairs of episodes",
            f"second less first: {words}",
            {
                "pairs": overall["pairs"], "first": overall["first"], "second": overall["second"],
                "second less first": words, "p (McNemar)": round(overall["p"], 5),
            },
        )  # fmt: skip


@dataclass(frozen=True)
class Learn(Stage):
    """What can be learnt next is proposed, practised, verified and kept in a book: jarvis learn."""

    inputs: ClassVar = {"policy": SPEC}
    made: ClassVar = ("log.jsonl", "policy/**/*.safetensors")

    policy: str = ""  # it is improved by expert iteration; empty: a new one, by PPO
    curriculum: str = "techtree"
    env: str = "voxel"
    llm: str = "none"
    budget: str = ""
    steps: int = 200_000
    cycles: int = 4
    evaluations: int = 20
    selector: str = ""
    ppo: Mapping[str, Any] = field(default_factory=dict)
    expert: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Whether there is such a curriculum, and whether the budget can be read."""
        self._config()

    def _config(self) -> Any:
        from jarvis.app.curriculum.llm import parse_budget, parse_llm
        from jarvis.app.curriculum.loop import LearnConfig

        return LearnConfig(
            env=self.env, curriculum=self.curriculum, selector=self.selector, seed=self.seed, steps=self.steps,
            cycles=self.cycles, evaluations=self.evaluations, ppo=self.ppo, budget=parse_budget(self.budget),
            llm=parse_llm(self.llm), policy=self.policy, expert=self.expert,
        )  # fmt: skip

    def run(self, work: Work) -> Result:
        """`jarvis.app.curriculum.loop`; killed anywhere, it goes on to the same book."""
        from jarvis.app.curriculum.backends import backend
        from jarvis.app.curriculum.book import Book
        from jarvis.app.curriculum.loop import learn

        if not is_done(work.folder):
            learn(self._config(), work.folder, work.say)
        book = Book(work.folder, backend(self.env)).replay()
        history = [[entry["steps"], entry["goals"], len(entry["mastered"])] for entry in book.history]
        series = {"goals": [entry[:2] for entry in history], "mastered": [[entry[0], entry[2]] for entry in history]}
        return Result(
            f"{self.steps:,} ticks of practice, {self.curriculum}",
            f"{len(book.mastered)} of {len(book.stats)} goals mastered",
            {"goals": len(book.stats), "mastered": len(book.mastered), "lessons": len(book.lessons)},
            charts=[{"kind": "lines", "title": "Goals by ticks of practice", "series": series}],
            links={"the book": "page.html"},
        )
