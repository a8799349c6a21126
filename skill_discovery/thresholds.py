"""Which threshold: by the length that segments should have, or by cuts that are known. The number belongs to the model.

    threshold = by_length("sbd", {}, evidences, mean_ticks=100)               # no labels
    threshold = by_validation("sbd", {}, evidences, truths, tolerance=10)     # best F1 on clips with known boundaries
    threshold.save("checkpoints/foundation/sbd.json"); Threshold.load(...).check(evidence)

A published gap of 18 nats never fires with a small, calibrated predictor: uniform guessing costs 13.9. So a threshold
is kept with the predictor it was chosen for, and using it with another one is an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.files import Pathlike, read_json, write_json
from jarvis.core.segments import Segment
from skill_discovery.criteria import Criterion, make
from skill_discovery.evidence import Evidence
from skill_discovery.metrics import Scored, score

__all__ = ["Threshold", "by_length", "by_validation", "predictor_of"]


@dataclass(frozen=True)
class Threshold:
    """A threshold and all that it depends on."""

    criterion: str
    value: float  # G, in the criterion's unit
    chosen_by: str  # "length", "validation" or "given"
    predictor: str | None  # digest of the checkpoint whose losses it is for; None: needs no losses
    fps: float
    options: Mapping[str, Any] = field(default_factory=dict)
    clips: int = 0  # on which it was chosen
    mean_ticks: float | None = None  # of the segments there
    f1: float | None = None  # there, at `tolerance`; only by validation
    tolerance: int | None = None

    def make(self) -> Criterion:
        """The criterion with its options."""
        return make(self.criterion, **self.options)

    def check(self, evidence: Evidence) -> None:
        """Raises EpisodeError if the evidence is of another predictor or another rate."""
        if self.predictor is not None and evidence.need("scores").predictor != self.predictor:
            raise EpisodeError(
                f"{evidence.name}: losses of predictor {evidence.scores.predictor[:12]}, but this threshold of "
                f"{self.criterion} was chosen for {self.predictor[:12]}; choose it again with --threshold length"
            )
        if abs(evidence.fps - self.fps) > 0.5:
            raise EpisodeError(
                f"{evidence.name}: {evidence.fps:g} frames a second, but this threshold is for {self.fps:g}"
            )

    def save(self, path: Pathlike) -> None:
        """Writes it as JSON."""
        write_json(path, dataclasses.asdict(self) | {"options": dict(self.options), "format_version": 1})

    @classmethod
    def load(cls, path: Pathlike) -> Threshold:
        """The inverse of `save`. FormatError names the file."""
        content = read_json(path)
        if not isinstance(content, dict) or content.pop("format_version", None) != 1:
            raise FormatError(f"{path}: no threshold of format_version 1")
        try:
            return cls(**content)
        except TypeError as error:
            raise FormatError(f"{path}: {error}") from None


def predictor_of(evidences: Sequence[Evidence]) -> str | None:
    """The digest that all scores share; None if there are none. EpisodeError if they are of several predictors."""
    found = {evidence.scores.predictor if evidence.scores else None for evidence in evidences}
    if len(found) != 1:
        raise EpisodeError(f"losses of {len(found)} predictors: {sorted(str(one)[:12] for one in found)}")
    return found.pop()


def _sweep(
    criterion: Criterion, evidences: Sequence[Evidence], candidates: Sequence[float] | None
) -> list[tuple[float, list[np.ndarray]]]:
    values = list(candidates) if candidates is not None else criterion.thresholds(evidences)
    swept = [criterion.sweep(evidence, values) for evidence in evidences]
    return [(value, [cuts[number] for cuts in swept]) for number, value in enumerate(values)]


def by_length(
    name: str,
    options: Mapping[str, Any],
    evidences: Sequence[Evidence],
    mean_ticks: float,
    candidates: Sequence[float] | None = None,
) -> Threshold:
    """The threshold whose segments' mean length is nearest, as a ratio, to the one asked for. Needs no labels."""
    if not evidences:
        raise EpisodeError("no clips to choose a threshold on")
    criterion = make(name, **options)
    ticks = sum(len(evidence) for evidence in evidences)
    best: tuple[float, float, float] | None = None
    for value, cuts in _sweep(criterion, evidences, candidates):
        mean = ticks / (sum(map(len, cuts)) + len(evidences))
        distance = abs(np.log(mean / mean_ticks))
        if best is None or distance < best[0]:
            best = (distance, value, mean)
    assert best is not None
    return Threshold(
        name, best[1], "length", predictor_of(evidences), evidences[0].fps, dict(options), len(evidences), best[2]
    )


def by_validation(
    name: str,
    options: Mapping[str, Any],
    evidences: Sequence[Evidence],
    truths: Sequence[Sequence[Segment]],
    tolerance: int = 10,
    candidates: Sequence[float] | None = None,
) -> Threshold:
    """The threshold with the best F1 at `tolerance` ticks on clips whose true segments are known."""
    if not evidences or len(evidences) != len(truths):
        raise EpisodeError(f"{len(evidences)} clips with {len(truths)} truths: expected as many, and at least one")
    criterion = make(name, **options)
    ticks = sum(len(evidence) for evidence in evidences)
    best: tuple[float, float, float] | None = None
    for value, cuts in _sweep(criterion, evidences, candidates):
        clips = [
            Scored.of(truth, found, len(evidence))
            for truth, found, evidence in zip(truths, cuts, evidences, strict=True)
        ]
        f1 = score(clips, tolerance).f1
        if best is None or f1 > best[0]:
            best = (f1, value, ticks / (sum(map(len, cuts)) + len(evidences)))
    assert best is not None
    return Threshold(
        name, best[1], "validation", predictor_of(evidences), evidences[0].fps, dict(options), len(evidences),
        best[2], best[0], tolerance,
    )  # fmt: skip
