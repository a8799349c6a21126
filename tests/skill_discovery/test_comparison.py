"""The table: tuned on some clips, scored on others, with counts and intervals."""

from __future__ import annotations

import numpy as np
from plays import evidence_of, scores_of

from jarvis.core.segments import Segment
from skill_discovery.comparison import Corpus, Entry, difference, judge, markdown, tune, untuned


def clip(number, boundary):
    losses = np.where(np.arange(200) == boundary, 9.0, 1.0)
    return evidence_of(200, name=f"clip-{number}", scores=scores_of(losses, horizon=12))


def corpus(name, boundaries):
    truths = tuple((Segment(0, boundary, "a"), Segment(boundary, 200, "b")) for boundary in boundaries)
    return Corpus(name, tuple(clip(number, boundary) for number, boundary in enumerate(boundaries)), truths)


def test_what_was_tuned_elsewhere_is_scored_with_its_counts():
    validation, test = corpus("validation", [50, 120]), corpus("test", [70, 90, 150])
    surprise = tune(Entry("surprise", "sbd+nms", "predictor", {"distance": (10, 20)}), validation)
    assert surprise.f1 == 1.0
    row = judge("surprise", surprise, test, draws=50)
    main = row.values["at_10"]
    assert (main["matched"], main["cuts"], main["boundaries"], main["f1"]) == (3, 3, 3, 1.0)
    assert row.values["average_precision"] == 1.0
    assert row.values["purity"] == 1.0
    blind = judge("fixed", tune(Entry("fixed", "fixed", "nothing"), validation), test, draws=50)
    assert blind.values["at_10"]["matched"] == 0
    assert difference(row, blind) == (1.0, 1.0, 1.0)
    text = markdown([row, blind], row)
    assert "| surprise | 3 / 3 / 3 | 1.00 | 1.00 |" in text
    assert "+1.00 (+1.00 to +1.00)" in text
    assert row.to_json()["corpus"] == "test"


def test_a_rule_without_labels_looks_only_at_lengths():
    validation = corpus("validation", [100, 100])
    threshold = untuned(Entry("surprise", "sbd+nms", "predictor"), validation, mean_ticks=100)
    assert threshold.chosen_by == "length"
    assert threshold.mean_ticks == 100
    lengths = tune(Entry("random", "random", "nothing"), validation).options["lengths"]
    assert lengths == [100, 100, 100, 100]
