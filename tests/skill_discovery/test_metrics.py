"""The scorer is scored: what is perfect, empty, shifted or doubled has numbers that a person can check."""

from __future__ import annotations

import numpy as np
import pytest

from jarvis.core.errors import EpisodeError
from jarvis.core.segments import Segment
from skill_discovery.metrics import (
    Scored,
    average_precision,
    bootstrap,
    bootstrap_difference,
    chance_f1,
    corrected_f1,
    f1_interval,
    match,
    relative_f1,
    score,
    segment_score,
    signed_delay,
)

TRUTH = [Segment(0, 100, "a"), Segment(100, 160, "b"), Segment(160, 300, "a"), Segment(300, 400, "c")]


def clip(cuts, truth=TRUTH, ticks=400):
    return Scored.of(truth, cuts, ticks)


def test_perfect_cuts_score_one():
    perfect = [clip([100, 160, 300])]
    assert score(perfect, 0).f1 == score(perfect, 0).precision == score(perfect, 0).recall == 1.0
    segments = segment_score(perfect)
    assert segments.purity == segments.coverage == segments.harmonic == 1.0
    assert score(perfect, 0).over_segmentation == 1.0
    assert signed_delay(perfect, 20) == 0.0
    assert relative_f1(perfect) == 1.0


def test_no_cuts_score_zero():
    empty = [clip([])]
    result = score(empty, 10)
    assert (result.precision, result.recall, result.f1) == (0.0, 0.0, 0.0)
    assert (result.matched, result.cuts, result.boundaries) == (0, 0, 3)
    assert np.isnan(signed_delay(empty, 10))
    # one segment of 400 ticks, 240 of which are skill "a"
    assert segment_score(empty).purity == 240 / 400
    assert segment_score(empty).coverage == 1.0


@pytest.mark.parametrize(("shift", "f1"), [(10, 1.0), (11, 0.0), (-10, 1.0), (-11, 0.0)])
def test_cuts_beyond_the_tolerance_score_zero(shift, f1):
    assert score([clip(np.array([100, 160, 300]) + shift)], 10).f1 == f1


def test_a_second_cut_at_one_boundary_lowers_precision_only():
    doubled = score([clip([98, 102, 160, 300])], 10)
    assert doubled.recall == 1.0
    assert doubled.precision == 3 / 4
    assert doubled.f1 == 6 / 7


def test_matching_takes_the_most_pairs_and_then_the_nearest():
    # the nearest pair first (12 with 10) would leave 0 without a partner
    rows, columns = match(np.array([0, 12]), np.array([10, 21]), 10)
    assert list(zip(rows, columns, strict=True)) == [(0, 0), (1, 1)]
    # two ways with one pair each: the nearer cut
    rows, columns = match(np.array([50]), np.array([44, 52]), 10)
    assert columns.tolist() == [1]


def test_a_clip_without_boundaries_counts_its_cuts():
    nothing = [Segment(0, 50, "a")]
    assert score([clip([], nothing, 50)], 10).f1 == 1.0
    assert score([clip([20], nothing, 50)], 10).f1 == 0.0


@pytest.mark.parametrize("cuts", [[0], [400], [5, 5], [9, 3]])
def test_cuts_that_cannot_be_are_refused(cuts):
    with pytest.raises(EpisodeError, match="rising ticks from 1 to 399"):
        clip(cuts)


def test_late_cuts_have_positive_delay():
    assert signed_delay([clip([103, 164, 305])], 10) == 4.0


def test_purity_falls_with_missing_cuts_and_coverage_with_extra_ones():
    # [0, 160) holds 100 ticks of a and 60 of b
    merged = segment_score([clip([160, 300])])
    assert merged.purity == (400 - 60) / 400
    assert merged.coverage == 1.0
    # [300, 400) is in halves of 40 and 60
    split = segment_score([clip([100, 160, 300, 340])])
    assert split.purity == 1.0
    assert split.coverage == (400 - 40) / 400
    assert split.mean_ticks == 80
    assert split.true_mean_ticks == 100
    assert split.outside == 0.0


def test_chance_is_what_the_number_of_cuts_alone_is_worth():
    # every tick is cut: recall 1, precision 3 / 399
    everywhere = [clip(np.arange(1, 400))]
    assert chance_f1(everywhere, 0, draws=3) == pytest.approx(6 / 402)
    few = chance_f1([clip([10, 20, 30])], 10, draws=200)
    assert 0.08 < few < 0.22  # some 61 of 399 places are near a boundary
    assert corrected_f1(1.0, few) == 1.0
    assert corrected_f1(few, few) == 0.0


def test_average_precision_orders_by_score():
    truth = [np.array([100, 200])]
    right_first = [(np.array([100, 200, 300]), np.array([0.9, 0.8, 0.1]))]
    assert average_precision(truth, right_first, 5) == 1.0
    wrong_first = [(np.array([100, 200, 300]), np.array([0.9, 0.2, 0.5]))]
    assert average_precision(truth, wrong_first, 5) == pytest.approx((1 + 2 / 3) / 2)
    # a second candidate at a boundary is wrong
    doubled = [(np.array([99, 101]), np.array([0.9, 0.8]))]
    assert average_precision(truth, doubled, 5) == pytest.approx(0.5)
    assert average_precision(truth, [(np.zeros(0, np.int64), np.zeros(0))], 5) == 0.0


def test_intervals_are_over_clips():
    good, bad = clip([100, 160, 300]), clip([50, 200, 350])
    value, low, high = f1_interval([good, bad], 10)
    assert (value, low, high) == (0.5, 0.0, 1.0)
    assert bootstrap(lambda clips: score(clips, 10).f1, [good, bad], draws=200)[0] == 0.5
    value, low, high = bootstrap_difference([good, good], [bad, bad], 10)
    assert (value, low, high) == (1.0, 1.0, 1.0)
