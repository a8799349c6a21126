"""Stages that train and cut: train-idm, train-foundation, segment, samples, post-train."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from data_pipelines.datasets import Dataset
from data_pipelines.inspection import is_dataset
from jarvis.app.pipelines.looks import dataset_shows
from jarvis.app.pipelines.play import LABELS, link, linked, play_time
from jarvis.app.pipelines.stages import PATH, SPEC, Result, Stage, Work
from jarvis.core.errors import FormatError, UnknownNameError, nearest_names
from jarvis.core.files import is_done, read_json, read_json_lines, write_json

__all__ = ["Cut", "MakeSamples", "PostTrain", "TrainFoundation", "TrainIDM"]

CHECKPOINT = ("**/config.json", "**/*.safetensors", "**/threshold.json")


@dataclass(frozen=True)
class TrainIDM(Stage):
    """An inverse dynamics model from recordings: jarvis train idm."""

    inputs: ClassVar = {"play": PATH, "validation": PATH, "model": SPEC}
    optional: ClassVar = ("validation",)
    made: ClassVar = ("step_*/config.json", "step_*/*.safetensors")

    play: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    recipe: str = "small"
    model: str | None = None  # weights to begin with
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the recipe
    device: str | None = None

    def check(self) -> None:
        """Whether the recipe has these settings."""
        self._config()

    def _config(self) -> Any:
        from idm.training import recipes
        from jarvis.training import change

        known = recipes()
        if self.recipe not in known:
            raise UnknownNameError("recipe", self.recipe, nearest_names(self.recipe, known) or tuple(known))
        return change(known[self.recipe], {"seed": self.seed} | dict(self.settings), f"recipe {self.recipe}")

    def run(self, work: Work) -> Result:
        """`idm.training`."""
        from data_pipelines.recordings import find_recordings
        from idm.training import train

        last = train(
            self._config(), work.folder, self.play, validation=list(self.validation) or None, device=self.device,
            begin=self.model, say=work.say,
        )  # fmt: skip
        lines = _log(work.folder)
        measured = [line["validation"] for line in lines if "validation" in line]
        facts = _ends(lines) | {name: measured[-1][name] for name in ("keypress", "r2") if measured}
        count = sum(len(find_recordings(folder)) for folder in self.play)
        return Result(
            f"{count} recordings", f"a labelling model after {_steps(last)} steps", facts,
            output=last.name, charts=[_losses(lines)],
        )  # fmt: skip


@dataclass(frozen=True)
class TrainFoundation(Stage):
    """A predictor of actions, whose surprise cuts play into skills: jarvis train foundation."""

    inputs: ClassVar = {"play": PATH, "held_back": PATH}
    optional: ClassVar = ("held_back",)
    made: ClassVar = ("config.json", "*.safetensors")

    play: tuple[str, ...] = ()
    held_back: str | None = None
    recipe: str = "small"
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str | None = None

    def check(self) -> None:
        """Whether the recipe has these settings."""
        self._config()

    def _config(self) -> Any:
        from skill_discovery.foundation import recipe

        return recipe(self.recipe, {"seed": self.seed} | dict(self.settings))

    def run(self, work: Work) -> Result:
        """`skill_discovery.foundation`."""
        from skill_discovery.clips import find_clips
        from skill_discovery.foundation import train

        clips: list[Any] = []
        aside: dict[str, str] = {}
        for play in self.play:
            found, refused = find_clips(play)
            clips += found
            aside |= refused
        others = find_clips(self.held_back)[0] if self.held_back else []
        folder = train(self._config(), clips, work.folder, held_back=others, device=self.device, say=work.say)
        lines = _log(work.folder)
        ticks = sum(map(len, clips))
        return Result(
            f"{len(clips)} clips, {play_time(ticks)}", f"a predictor after {self._config().steps} steps",
            {"clips": len(clips), "ticks": ticks} | _ends(lines), aside,
            str(folder.relative_to(work.folder)) if folder != work.folder else "", [_losses(lines)],
        )  # fmt: skip


@dataclass(frozen=True)
class Cut(Stage):
    """Labelled play is cut into skills: jarvis segment."""

    version: ClassVar = 2  # the weights that ship for play without events
    inputs: ClassVar = {"play": PATH, "policy": SPEC}
    grows: ClassVar = "play"
    made: ClassVar = tuple(f"dataset/{pattern}" for pattern in LABELS)

    play: str = ""  # a dataset; recordings become one by `do: import`
    criterion: str = "action-cpd"
    policy: str | None = None  # the predictor, for criteria that need one
    threshold: str = "length"
    mean_ticks: float = 100.0
    min_ticks: int = 10
    max_ticks: int = 1200
    clusters: int = 0
    namer: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # of the criterion

    def check(self) -> None:
        """Whether there is such a criterion with such options."""
        from skill_discovery.criteria import make

        make(self.criterion, **self.options)

    def run(self, work: Work) -> Result:
        """`skill_discovery.run`, on a dataset of its own; what an earlier run saw in the same labels is taken over."""
        from skill_discovery.run import SegmentConfig, segment_folder

        if not is_dataset(self.play):
            raise FormatError(f"{self.play}: no dataset; recordings become one by a stage before, with `do: import`")
        dataset = linked(self.play, work.folder / "dataset")
        skills = work.folder / "skills"
        origin = Dataset.open(self.play)
        seen = {clip: hashlib.sha256(origin.path(clip).read_bytes()).hexdigest() for clip in sorted(origin.done())}
        config = SegmentConfig(
            self.criterion, self.policy, self.threshold, self.mean_ticks, dict(self.options), self.min_ticks,
            self.max_ticks, self.clusters, self.namer, self.seed,
        )  # fmt: skip
        if not skills.exists():
            self._take_over(work, seen, skills, dataset.folder)
        report = segment_folder(dataset.folder, config, skills, work.say)
        write_json(work.folder / "seen.json", seen)
        lengths = [
            segment["stop"] - segment["start"]
            for facts in dataset.clips()
            for segment in facts.more.get("segments") or ()
        ]
        named = sum(
            isinstance(segment["skill"], str)
            for facts in dataset.clips()
            for segment in facts.more.get("segments") or ()
        )
        facts = {
            "clips": report.clips, "segments": report.segments, "named": named,
            "ticks a segment": round(report.ticks / max(1, report.segments), 1),
            "threshold": round(float(report.threshold.value), 5), "put aside": len(report.quarantined),
        }  # fmt: skip
        if report.stability is not None:
            facts["stability of the library"] = round(report.stability, 3)
        return Result(
            f"{report.clips + len(report.quarantined)} clips, {play_time(report.ticks)}",
            f"{report.segments} segments",
            facts,
            dict(report.quarantined),
            "dataset",
            [_lengths(lengths)],
            dataset_shows(dataset.folder),
        )

    def _take_over(self, work: Work, seen: Mapping[str, str], skills: Path, dataset: Path) -> None:
        for older in work.older:
            path = older / "seen.json"
            before = read_json(path) if path.is_file() else {}
            for clip, digest in seen.items():
                evidence = older / "skills" / "evidence" / f"{clip}.safetensors"
                if before.get(clip) == digest and evidence.is_file():
                    link(evidence, skills / "evidence" / evidence.name)
        if skills.exists():
            asked = {"format_version": 1, "folder": str(dataset.resolve()), "policy": self.policy}
            write_json(skills / "segmenting.json", asked)


@dataclass(frozen=True)
class MakeSamples(Stage):
    """What a stage of post-training learns from: jarvis train vla-data."""

    inputs: ClassVar = {"play": PATH, "policy": SPEC}
    optional: ClassVar = ("play",)
    made: ClassVar = ("*.parquet",)

    play: tuple[str, ...] = ()  # datasets whose segments have names, or recordings with truth; else the player plays
    stage: str = "trajectories"  # or language, vision
    task: tuple[str, ...] = ()  # of play, or of the pictures of the vision stage; empty: every atomic task
    episodes: int = 200
    pictures: int = 2000
    policy: str | None = None  # it plays along (DAgger)
    share: float = 0.5
    own: bool = False  # only the policy's own successes
    max_ticks: int | None = None
    width: int = 224
    height: int = 126

    def check(self) -> None:
        """Whether there is such a stage, and whether the tasks exist."""
        from evaluation.tasks import matching

        stages = ("language", "vision", "trajectories")
        if self.stage not in stages:
            raise UnknownNameError("stage of post-training", self.stage, nearest_names(self.stage, stages) or stages)
        for pattern in self.task:
            matching(pattern)

    def run(self, work: Work) -> Result:
        """`jarvis train vla-data`; made anew if it was interrupted."""
        from jarvis.app.commands.train_vla_data import train_vla_data

        if work.folder.exists() and not is_done(work.folder):
            shutil.rmtree(work.folder)
        if not is_done(work.folder):
            with contextlib.redirect_stdout(io.StringIO()) as told:
                train_vla_data(
                    self.stage, work.folder, list(self.task) or None, self.pictures, self.episodes,
                    [Path(path) for path in self.play] or None, self.policy, self.share, self.own, "train",
                    self.max_ticks, self.width, self.height, self.seed,
                )  # fmt: skip
            work.say(told.getvalue().strip())
        made = read_json(work.folder / "provenance.json")
        labels = {name: count for name, count in made.get("labels", {}).items() if ":" in name}
        shown = sorted(
            ((name.partition(":")[2], count) for name, count in labels.items() if name.startswith(("skill:", "task:"))),
            key=lambda pair: -pair[1],
        )
        count = int(made.get("samples") or 0)
        ticks = int(made.get("ticks") or 0)
        return Result(
            f"{made.get('episodes', 0)} clips or episodes" + (f", {play_time(ticks)}" if ticks else ""),
            f"{count:,} samples",
            {"samples": count, "clips or episodes": made.get("episodes"), "ticks": ticks},
            charts=[{"kind": "bars", "title": "Samples by instruction", "items": [[*pair] for pair in shown[:12]]}],
        )


@dataclass(frozen=True)
class PostTrain(Stage):
    """A vision-language-action model learns from samples: jarvis train vla."""

    inputs: ClassVar = {"data": PATH, "model": SPEC}
    made: ClassVar = ("step_*/config.json", "step_*/*.safetensors")

    data: tuple[str, ...] = ()
    recipe: str = "tiny-trajectories"
    model: str | None = None  # where it begins; None: as the recipe says
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the recipe
    device: str | None = None

    def check(self) -> None:
        """Whether the recipe has these settings."""
        self._config()

    def _config(self) -> Any:
        from vla.post_train import recipe

        given = {"seed": self.seed} | dict(self.settings)
        return recipe(self.recipe, given if self.model is None else given | {"model": self.model})

    def run(self, work: Work) -> Result:
        """`vla.post_train`; goes on bit for bit."""
        from vla.post_train import post_train

        config = self._config()
        last = post_train(config, self.data, work.folder, say=work.say, device=self.device)
        lines = _log(work.folder)
        asked = read_json(work.folder / "settings.json")
        facts = {"steps": config.steps, "batch": config.batch, "samples": asked.get("samples")}
        trained = sum(asked.get("trained", {}).values())
        return Result(
            f"{asked.get('samples', 0):,} samples", f"an agent after {config.steps} steps",
            facts | _ends(lines) | {"parameters trained": trained}, output=last.name, charts=[_losses(lines)],
        )  # fmt: skip


# what the charts show


def _log(folder: Path) -> list[dict[str, Any]]:
    path = folder / "log.jsonl"
    return list(read_json_lines(path)) if path.is_file() else []


def _steps(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("_")[2])


def _series(lines: list[dict[str, Any]]) -> dict[str, list[list[float]]]:
    """Every logged loss by step: `loss`, or its parts."""
    return {
        name: [[line["step"], round(line[name], 5)] for line in lines if isinstance(line.get(name), float)]
        for name in ("loss", "buttons", "camera")
        if any(isinstance(line.get(name), float) for line in lines)
    }


def _losses(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": "lines", "title": "Loss by step", "series": _series(lines)}


def _ends(lines: list[dict[str, Any]]) -> dict[str, str]:
    """How each loss began and ended."""
    return {
        name if name == "loss" else f"loss of {name}": f"{points[0][1]:.3g} to {points[-1][1]:.3g}"
        for name, points in _series(lines).items()
    }


def _lengths(lengths: list[int]) -> dict[str, Any]:
    edges = [0, 20, 40, 60, 100, 200, 400, 1 << 30]
    counts = np.histogram(lengths, bins=edges)[0]
    names = [f"{low / 20:g} to {high / 20:g} s" for low, high in pairwise(edges[:-1])]
    items = [[name, int(count)] for name, count in zip([*names, "longer"], counts, strict=True)]
    return {"kind": "bars", "title": "Segments by length", "items": items}
