"""Cuts a folder of play into skills, and goes on where it was interrupted.

    python -m skill_discovery.run recordings/ --policy runs/foundation        # or: jarvis segment recordings/ ...
    jarvis segment recordings/ --criterion learned --threshold shipped        # needs no predictor
    report = segment_folder("recordings/", SegmentConfig(criterion="sbd+nms", policy="runs/foundation"))

    OUT/segmenting.json              what was asked for; another request for the same folder is refused
    OUT/evidence/NAME.safetensors    losses and all else that criteria look at (evidence.py): kept for other criteria
    OUT/segments/NAME.jsonl          one Segment a line, a gap-free cover of the clip's frames
    OUT/threshold.json               G, with the checkpoint's digest and the frames a second (thresholds.py)
    OUT/boundaries.jsonl             the published code's format: {"file", "boundaries": [[first, last], ...]}
    OUT/quarantine.jsonl             clips that could not be cut, with the reason
    OUT/skills/                      the skill library, if clusters were asked for (library.py)
    OUT/done                         empty, written last

Clips are taken by name. In a dataset, labels get the columns `loss.buttons`, `loss.camera` and `segment`, and the
facts `segments`. OUT is FOLDER-skills if it is not given.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.engines import Engine, InlineEngine
from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.files import DONE, Pathlike, append_json_line, atomic_write, read_json, write_json
from jarvis.core.segments import Segment
from skill_discovery.clips import PlayClip, find_clips
from skill_discovery.criteria import make
from skill_discovery.evidence import ActionScorer, Evidence, gather, read_evidence, write_evidence
from skill_discovery.library import Example, build_library, embed
from skill_discovery.naming import VisionNamer, name_by_events, name_by_vision
from skill_discovery.segments import LengthLimits, build_segments, published_line, write_segments
from skill_discovery.thresholds import Threshold, by_length, by_validation, predictor_of

__all__ = ["SegmentConfig", "SegmentReport", "segment_folder"]

# Learnt from scripted play in the voxel world, with what its log says, and without; what they are worth:
# docs/EXPERIMENTS.md.
SHIPPED = Path(__file__).parent / "data" / "learned.json"
SHIPPED_FOR_VIDEO = SHIPPED.with_name("learned_without_events.json")


@dataclass(frozen=True)
class SegmentConfig:
    """How to cut."""

    criterion: str = "action-cpd"  # one of skill_discovery.criteria.CRITERIA
    policy: str | None = None  # the action predictor: a checkpoint folder or vpt:MODEL[:WEIGHTS]; some need none
    # a number; "length": the segments' mean length; "validation": best F1 against the clips' own truth; a file; or
    # "shipped": one of the two in skill_discovery/data, for `learned` and without a predictor: for play with events,
    # or for play most of whose clips have none, as labelled video
    threshold: str = "length"
    mean_ticks: float = 100.0  # of the segments, for "length": five seconds
    options: dict[str, Any] = field(default_factory=dict)  # of the criterion
    min_ticks: int = 10
    max_ticks: int = 1200
    clusters: int = 0  # of the skill library; 0 makes none
    namer: str | None = None  # openai:URL#MODEL: names what events leave nameless
    seed: int = 0


@dataclass(frozen=True)
class SegmentReport:
    """What was done."""

    out: Path
    clips: int
    segments: int
    ticks: int
    threshold: Threshold
    quarantined: dict[str, str]
    stability: float | None = None  # of the skill library

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "out": str(self.out),
            "clips": self.clips,
            "segments": self.segments,
            "ticks": self.ticks,
            "mean_ticks": self.ticks / max(1, self.segments),
            "threshold": dataclasses.asdict(self.threshold),
            "quarantined": self.quarantined,
            "stability": self.stability,
        }


def segment_folder(
    folder: Pathlike,
    config: SegmentConfig | None = None,
    out: Pathlike | None = None,
    say: Callable[[str], None] = lambda line: None,
    engine: Engine | None = None,
) -> SegmentReport:
    """Cuts every clip of a dataset or of a folder of recordings.

    engine: who looks at the videos, see `data_pipelines.engines`; None: this process. All else is done here.

    What cannot be used is put aside with its reason and does not stop the others. FormatError if nothing is left, or if
    OUT was begun with another request.
    """
    config = config or SegmentConfig()
    limits = LengthLimits(config.min_ticks, config.max_ticks)
    make(config.criterion, **config.options)  # refuses unknown names before any work
    folder = Path(folder)
    clips, aside = find_clips(folder)
    # NOTE: beside the folder, because what lies in a folder of recordings is taken for one.
    target = Path(out) if out is not None else folder.resolve().with_name(f"{folder.resolve().name}-skills")
    _same_request(target, folder, config)
    (target / DONE).unlink(missing_ok=True)
    (target / "quarantine.jsonl").unlink(missing_ok=True)
    for name, reason in aside.items():
        _put_aside(target, aside, name, reason, say)

    evidences = _all_evidence(clips, config, target, aside, say, engine or InlineEngine())
    if not evidences:
        raise FormatError(f"{folder}: none of {len(aside)} clips can be cut; see {target / 'quarantine.jsonl'}")
    by_name = {clip.name: clip for clip in clips}
    threshold = _threshold(config, evidences, by_name)
    threshold.save(target / "threshold.json")

    criterion = threshold.make()
    namer = _namer(config, target)
    every: list[tuple[Evidence, list[Segment]]] = []
    for evidence in evidences:
        try:
            threshold.check(evidence)
            cuts = criterion.cuts(evidence, threshold.value)
            curve = criterion.curve(evidence)
        except EpisodeError as error:
            _put_aside(target, aside, evidence.name, str(error), say)
            continue
        segments = build_segments(cuts, len(evidence), limits, criterion=config.criterion, curve=curve)
        segments = name_by_events(segments, evidence.events)
        if namer is not None:
            segments = name_by_vision(segments, by_name[evidence.name], namer)
        every.append((evidence, segments))
    stability = _number_skills(every, config, target)
    for evidence, segments in every:
        write_segments(target / "segments" / f"{evidence.name}.jsonl", segments)
    lines = (json.dumps(published_line(evidence.name, segments)) + "\n" for evidence, segments in every)
    atomic_write(target / "boundaries.jsonl", "".join(lines))
    _annotate(folder, every)
    atomic_write(target / DONE, "")
    count = sum(len(segments) for _, segments in every)
    ticks = sum(len(evidence) for evidence, _ in every)
    return SegmentReport(target, len(every), count, ticks, threshold, aside, stability)


def _same_request(target: Path, folder: Path, config: SegmentConfig) -> None:
    """Evidence may be kept only if it is of the same predictor and the same clips."""
    path = target / "segmenting.json"
    asked = {"format_version": 1, "folder": str(folder.resolve()), "policy": config.policy}
    if path.is_file():
        before = read_json(path)
        changed = sorted(name for name in asked if before.get(name) != asked[name])
        if changed:
            raise FormatError(f"{path}: {target} was begun with another {', '.join(changed)}; choose another --out")
    elif target.is_dir() and any(target.iterdir()):
        raise FileExistsError(f"{target} holds something else already; choose another --out")
    else:
        write_json(path, asked)


@dataclass(frozen=True)
class _Errand:
    """What a worker needs to know of one clip."""

    clip: PlayClip
    policy: str | None
    path: str  # of the evidence


@cache
def _scorer(policy: str | None) -> ActionScorer | None:
    """The predictor, loaded once in each process."""
    if policy is None:
        return None
    from skill_discovery.scorers import load_scorer

    return load_scorer(policy)


def _kept(path: Pathlike, clip: PlayClip) -> Evidence | None:
    """The evidence of a clip if it was gathered before."""
    if not Path(path).is_file():
        return None
    evidence = read_evidence(path)
    return evidence if len(evidence) == len(clip) else None


def _gather(errand: _Errand) -> str | None:
    """Writes the evidence of a clip. Why it cannot be gathered, or None."""
    scorer = _scorer(errand.policy)
    try:
        if _kept(errand.path, errand.clip) is None:
            write_evidence(errand.path, gather(errand.clip, scorer))
    except (EpisodeError, FormatError) as error:
        return str(error)
    return None


def _all_evidence(
    clips: Sequence[PlayClip], config: SegmentConfig, target: Path, aside: dict[str, str], say: Callable[[str], None],
    engine: Engine,
) -> list[Evidence]:  # fmt: skip
    """Reads what is there, gathers the rest; in the order of the clips."""
    found: dict[str, Evidence] = {}
    errands: dict[str, tuple[int, _Errand]] = {}
    for number, clip in enumerate(clips, 1):
        path = target / "evidence" / f"{clip.name}.safetensors"
        try:
            evidence = _kept(path, clip)
        except (EpisodeError, FormatError) as error:
            _put_aside(target, aside, clip.name, str(error), say)
            continue
        if evidence is None:
            errands[clip.name] = number, _Errand(clip, config.policy, str(path.absolute()))
        else:
            found[clip.name] = evidence
    if errands:
        _scorer.cache_clear()  # the folder may hold another one than in an earlier call
        _scorer(config.policy)  # a predictor that does not fit is no clip's fault
    for outcome in engine.map(_gather, (errand for _, errand in errands.values())):
        clip = outcome.item.clip
        if (reason := outcome.reason or outcome.value) is not None:
            _put_aside(target, aside, clip.name, reason, say)
            continue
        found[clip.name] = read_evidence(outcome.item.path)
        say(f"{errands[clip.name][0]} of {len(clips)}: {clip.name}: {len(clip)} ticks")
    return [found[clip.name] for clip in clips if clip.name in found]


def _put_aside(target: Path, aside: dict[str, str], name: str, reason: str, say: Callable[[str], None]) -> None:
    aside[name] = reason
    append_json_line(target / "quarantine.jsonl", {"clip": name, "reason": reason})
    say(f"{name}: put aside: {reason}")


def _threshold(config: SegmentConfig, evidences: Sequence[Evidence], clips: dict[str, PlayClip]) -> Threshold:
    """By the config's rule, from all clips."""
    name, options = config.criterion, config.options
    if config.threshold == "length":
        return by_length(name, options, evidences, config.mean_ticks)
    if config.threshold == "validation":
        known = [evidence for evidence in evidences if clips[evidence.name].truth]
        if not known:
            raise EpisodeError("no clip has a truth to choose a threshold by; use --threshold length")
        return by_validation(name, options, known, [clips[evidence.name].truth for evidence in known])
    try:
        value = float(config.threshold)
    except ValueError:
        path = Path(config.threshold)
        if config.threshold == "shipped":
            logged = sum(bool(evidence.events) for evidence in evidences)
            path = SHIPPED if 2 * logged >= len(evidences) else SHIPPED_FOR_VIDEO
        loaded = Threshold.load(path)
        if loaded.criterion != name:
            raise FormatError(f"{path}: is for criterion {loaded.criterion}, not {name}") from None
        return loaded
    return Threshold(name, value, "given", predictor_of(evidences), evidences[0].fps, dict(options), len(evidences))


def _namer(config: SegmentConfig, target: Path) -> VisionNamer | None:
    if config.namer is None:
        return None
    kind, _, rest = config.namer.partition(":")
    url, _, model = rest.partition("#")
    if kind != "openai" or not url or not model:
        raise FormatError(f"namer {config.namer!r}: expected openai:URL#MODEL")
    return VisionNamer(url, model, target / "names")


def _number_skills(every: list[tuple[Evidence, list[Segment]]], config: SegmentConfig, target: Path) -> float | None:
    """Makes the library, and gives segments without a name the number of their skill."""
    if not config.clusters:
        return None
    examples = [
        Example(evidence.name, segment, embed(evidence, segment))
        for evidence, segments in every
        for segment in segments
    ]
    library = build_library(examples, min(config.clusters, len(examples)), config.seed, config_predictor(every))
    shutil.rmtree(target / "skills", ignore_errors=True)
    library.write(target / "skills")
    labels = iter(library.labels.tolist())
    for number, (evidence, segments) in enumerate(every):
        numbered = []
        for segment in segments:
            label = next(labels)
            numbered.append(dataclasses.replace(segment, skill=label) if segment.skill is None else segment)
        every[number] = evidence, numbered
    return library.stability


def config_predictor(every: Sequence[tuple[Evidence, list[Segment]]]) -> str | None:
    """The digest that all evidence shares."""
    return predictor_of([evidence for evidence, _ in every])


def _annotate(folder: Path, every: Sequence[tuple[Evidence, list[Segment]]]) -> None:
    """Writes losses and segments into the labels of a dataset."""
    if not (folder / "dataset.json").is_file():
        return
    from data_pipelines.datasets import Dataset

    dataset = Dataset.open(folder)
    for evidence, segments in every:
        numbers = np.repeat(np.arange(len(segments)), [len(segment) for segment in segments]).astype(np.int32)
        columns: dict[str, np.ndarray | None] = {"segment": numbers}
        if evidence.scores is not None:
            columns |= {"loss.buttons": evidence.scores.buttons, "loss.camera": evidence.scores.camera}
        dataset.annotate(evidence.name, columns, segments=[segment.to_json() for segment in segments])


def main() -> None:
    """The command line of this module."""
    import argparse

    parser = argparse.ArgumentParser(description="Cut play into skills.")
    parser.add_argument("folder")
    parser.add_argument("--criterion", default=SegmentConfig.criterion)
    parser.add_argument("--policy")
    parser.add_argument("--threshold", default="length")
    parser.add_argument("--out")
    given = parser.parse_args()
    config = SegmentConfig(given.criterion, given.policy, given.threshold)
    print(json.dumps(segment_folder(given.folder, config, given.out, print).to_json(), indent=2))


if __name__ == "__main__":
    main()
