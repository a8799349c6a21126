"""Criteria against each other on the same clips: tuned on some, scored on others, every number with its counts.

    tuned = [tune(entry, validation) for entry in ENTRIES]
    rows = [judge(name, threshold, test) for name, threshold in tuned]
    print(table(rows))

A corpus is clips with their evidence and the player's own log. Options and thresholds are chosen by F1 at half a second
on the validation corpus; `by_length` ones, which need no labels, are kept beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from jarvis.core.segments import Segment
from skill_discovery.criteria import peaks
from skill_discovery.evidence import Evidence
from skill_discovery.metrics import (
    Scored,
    average_precision,
    chance_parts,
    corrected_f1,
    difference_interval,
    f1_interval,
    f1_parts,
    relative_f1,
    score,
    segment_score,
    signed_delay,
)
from skill_discovery.thresholds import Threshold, by_length, by_validation

__all__ = ["ENTRIES", "Corpus", "Entry", "Row", "difference", "judge", "markdown", "tune", "untuned"]

TOLERANCES = (5, 10, 20)  # ticks: a quarter, half and a whole second
MAIN = 10


@dataclass(frozen=True, eq=False)
class Corpus:
    """Clips to tune or to score on."""

    name: str
    evidences: tuple[Evidence, ...]
    truths: tuple[tuple[Segment, ...], ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Ticks of every true segment."""
        return tuple(len(segment) for truth in self.truths for segment in truth)

    def scored(self, cuts: Sequence[np.ndarray]) -> list[Scored]:
        """The clips with these cuts."""
        return [
            Scored.of(truth, found, len(evidence))
            for truth, found, evidence in zip(self.truths, cuts, self.evidences, strict=True)
        ]


@dataclass(frozen=True)
class Entry:
    """A line of the table: a criterion and the options among which validation chooses."""

    name: str
    criterion: str
    kind: str  # what it looks at: predictor, actions, events, picture or nothing
    choices: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def options(self) -> list[dict[str, Any]]:
        """Every combination."""
        return [dict(zip(self.choices, values, strict=True)) for values in product(*self.choices.values())]


_PREDICTOR = (("likelihood-ratio", 1.0), ("hidden-change", 1.0), ("sbd+nms", 1.0))
_HIDDEN = (("likelihood-ratio", 0.5), ("hidden-change", 2.0), ("sbd+nms", 0.5))
_ACTIONS, _PICTURE = ("action-change", 1.0), ("frame-difference", 1.0)
_HEADS = ("both", "buttons")
_SUM = {"distance": (10, 20), "reach": (2, 4)}
_WITH_EVENTS = {"event_bonus": (2.0, 6.0), "event_offset": (8,)}

ENTRIES: tuple[Entry, ...] = (
    Entry("sbd-published", "sbd-published", "predictor"),
    Entry("sbd, mended", "sbd", "predictor", {"min_ticks": (10, 20), "heads": _HEADS}),
    Entry("sbd, mended, + events", "sbd", "predictor",
          {"heads": _HEADS, "use_events": (True,), "event_offset": (1, 8)}),
    Entry("sbd+nms", "sbd+nms", "predictor", {"distance": (10, 20), "heads": _HEADS, "entropy": (False, True)}),
    Entry("likelihood-ratio", "likelihood-ratio", "predictor",
          {"distance": (10, 20), "window": (6, 12), "heads": _HEADS}),
    Entry("hidden-change", "hidden-change", "predictor", {"distance": (10, 20), "window": (5, 10, 20, 30)}),
    Entry("event+loss", "event+loss", "predictor",
          {"other": ("sbd+nms", "likelihood-ratio", "hidden-change"), "merge": (10, 20), "offset": (1, 8)}),
    Entry("sum: losses and states", "evidence-sum", "predictor", _SUM | {"parts": (_PREDICTOR, _HIDDEN)}),
    Entry("sum: and actions", "evidence-sum", "predictor",
          _SUM | {"parts": ((*_PREDICTOR, _ACTIONS), (*_HIDDEN, _ACTIONS))}),
    Entry("sum: and pictures, events", "evidence-sum", "predictor",
          _SUM | _WITH_EVENTS | {"parts": ((*_PREDICTOR, _ACTIONS, _PICTURE), (*_HIDDEN, _ACTIONS, _PICTURE))}),
    Entry("sum: without the predictor", "evidence-sum", "actions",
          _SUM | _WITH_EVENTS | {"parts": ((_ACTIONS, _PICTURE),)}),
    Entry("action-cpd", "action-cpd", "actions", {"smooth": (1, 5, 11), "min_ticks": (10, 20)}),
    Entry("action-change", "action-change", "actions", {"distance": (10, 20), "window": (10, 20, 30)}),
    Entry("events", "events", "events", {"distance": (10, 20), "offset": (1, 4, 8, 12)}),
    Entry("colour-cpd", "colour-cpd", "picture", {"smooth": (1, 5), "min_ticks": (10, 20)}),
    Entry("frame-difference", "frame-difference", "picture", {"distance": (10, 20)}),
    Entry("fixed 128", "fixed", "nothing"),
    Entry("uniform, true mean", "uniform", "nothing"),
    Entry("random, true lengths", "random", "nothing"),
)  # fmt: skip


def tune(entry: Entry, corpus: Corpus, tolerance: int = MAIN) -> Threshold:
    """The options and the threshold with the best F1 on the corpus. Blind baselines get its lengths instead."""
    if entry.criterion == "uniform":
        return by_validation(
            "uniform", {}, corpus.evidences, corpus.truths, tolerance, [float(np.mean(corpus.lengths))]
        )
    if entry.criterion == "random":
        options = {"lengths": list(corpus.lengths)}
        return by_validation("random", options, corpus.evidences, corpus.truths, tolerance)
    found = [
        by_validation(entry.criterion, options, corpus.evidences, corpus.truths, tolerance)
        for options in entry.options()
    ]
    return max(found, key=lambda threshold: threshold.f1 or 0.0)


def untuned(entry: Entry, corpus: Corpus, mean_ticks: float) -> Threshold:
    """The first of the options and the threshold that makes segments of this mean length: no label is looked at."""
    if entry.criterion == "random":
        return tune(entry, corpus)
    return by_length(entry.criterion, entry.options()[0], corpus.evidences, mean_ticks)


@dataclass(frozen=True, eq=False)
class Row:
    """A criterion on a corpus."""

    name: str
    corpus: str
    threshold: Threshold
    values: dict[str, Any]  # JSON values
    parts: np.ndarray  # (clips, 2): twice the matched at half a second, and cuts and boundaries

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        told = {"criterion": self.threshold.criterion, "options": dict(self.threshold.options)}
        if "lengths" in told["options"]:
            told["options"] = {"lengths": len(told["options"]["lengths"])}
        return {"name": self.name, "corpus": self.corpus, "threshold": self.threshold.value, **told, **self.values}


def judge(name: str, threshold: Threshold, corpus: Corpus, draws: int = 2000) -> Row:
    """Scores a criterion with its threshold."""
    criterion = threshold.make()
    cuts = [criterion.cuts(evidence, threshold.value) for evidence in corpus.evidences]
    clips = corpus.scored(cuts)
    values: dict[str, Any] = {"clips": len(clips)}
    for tolerance in TOLERANCES:
        found = score(clips, tolerance)
        random = chance_parts(clips, tolerance)
        chance = float(random[:, 0].sum() / max(random[:, 1].sum(), 1))
        value, low, high = f1_interval(clips, tolerance, draws)
        above = difference_interval(f1_parts(clips, tolerance), random, draws)
        values[f"at_{tolerance}"] = {
            "matched": found.matched, "cuts": found.cuts, "boundaries": found.boundaries,
            "precision": found.precision, "recall": found.recall, "f1": value, "f1_interval": [low, high],
            "chance_f1": chance, "corrected_f1": corrected_f1(value, chance), "above_chance": list(above),
        }  # fmt: skip
    segments = segment_score(clips)
    delay = signed_delay(clips, TOLERANCES[-1])
    values |= {
        "relative_f1": relative_f1(clips),
        "purity": segments.purity, "coverage": segments.coverage, "harmonic": segments.harmonic,
        "mean_ticks": segments.mean_ticks, "true_mean_ticks": segments.true_mean_ticks,
        "lengths_10_50_90": list(segments.quantiles), "outside_15_200": segments.outside,
        "segments": segments.segments, "ticks": segments.ticks,
        "over_segmentation": score(clips, MAIN).over_segmentation,
        "delay": None if np.isnan(delay) else delay,
    }  # fmt: skip
    curves = [criterion.curve(evidence) for evidence in corpus.evidences]
    if all(curve is not None for curve in curves) and threshold.criterion != "events":
        candidates = [(ticks := peaks(curve, -np.inf, MAIN), curve[ticks]) for curve in curves if curve is not None]
        values["average_precision"] = average_precision([clip.truth for clip in clips], candidates, MAIN)
    return Row(name, corpus.name, threshold, values, f1_parts(clips, MAIN))


def difference(ours: Row, theirs: Row, draws: int = 2000) -> tuple[float, float, float]:
    """F1 at half a second of ours minus theirs, and its 95 % interval over the clips that both were scored on."""
    assert ours.corpus == theirs.corpus
    return difference_interval(ours.parts, theirs.parts, draws)


def markdown(rows: Sequence[Row], best: Row | None = None) -> str:
    """A table of the rows, in Markdown. best: each row's difference to it is the last column."""
    lines = [
        "| criterion | matched / cuts / boundaries | P | R | F1 at 0.25 / **0.5** / 1 s | 95 % | above chance | "
        "purity | coverage | mean ticks | delay | AP |" + (" best minus this |" if best else ""),
        "|---|---|---|---|---|---|---|---|---|---|---|---|" + ("---|" if best else ""),
    ]
    for row in rows:
        v, main = row.values, row.values[f"at_{MAIN}"]
        f1 = [v[f"at_{tolerance}"]["f1"] for tolerance in TOLERANCES]
        low, high = main["f1_interval"]
        ap, delay = v.get("average_precision"), v["delay"]
        cells = [
            row.name,
            f"{main['matched']} / {main['cuts']} / {main['boundaries']}",
            f"{main['precision']:.2f}",
            f"{main['recall']:.2f}",
            f"{f1[0]:.2f} / **{f1[1]:.2f}** / {f1[2]:.2f}",
            f"{low:.2f} to {high:.2f}",
            "{:+.2f} ({:+.2f} to {:+.2f})".format(*main["above_chance"]),
            f"{v['purity']:.2f}",
            f"{v['coverage']:.2f}",
            f"{v['mean_ticks']:.0f} of {v['true_mean_ticks']:.0f}",
            "" if delay is None else f"{delay:+.0f}",
            "" if ap is None else f"{ap:.2f}",
        ]
        if best is not None:
            cells.append("" if row is best else "{:+.2f} ({:+.2f} to {:+.2f})".format(*difference(best, row)))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
