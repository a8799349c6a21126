"""Every criterion finds what it looks for, and gives sane results where there is nothing to find."""

from __future__ import annotations

import numpy as np
import pytest
from plays import evidence_of, scores_of

from jarvis.core.errors import EpisodeError, FormatError, UnknownNameError
from jarvis.core.events import Event
from jarvis.core.segments import Segment
from skill_discovery.criteria import CRITERIA, make, peaks
from skill_discovery.learned import fit

KEYS = ["forward"] * 100 + ["attack"] * 80 + ["left"] * 120  # boundaries at 100 and 180
BOUNDARIES = np.array([100, 180])


def play(count=300, **fields):
    """Three skills that differ in keys, states, colours, losses and events."""
    skill = np.digitize(np.arange(count), BOUNDARIES)
    losses = np.ones(count)
    losses[BOUNDARIES[BOUNDARIES < count]] = 8.0
    fresh = np.full((count, 12), 3.0)
    for boundary in BOUNDARIES[BOUNDARIES < count]:
        fresh[boundary] = 0.2  # only there is the past of no use
    jitter = np.random.default_rng(0).normal(0, 0.01, (count, 3))
    colours = np.eye(24, dtype=np.float32)[skill] + np.abs(np.random.default_rng(1).normal(0, 0.01, (count, 24)))
    motion = np.where(np.isin(np.arange(count), BOUNDARIES), 9.0, 1.0).astype(np.float32)
    events = [Event(99, "mine_block", "oak_log"), Event(179, "craft_item", "stick")]
    return evidence_of(
        count,
        pressed=KEYS[:count],
        events=[event for event in events if event.tick < count],
        scores=scores_of(losses, fresh=fresh, hidden=np.eye(3)[skill] + jitter),
        colours=colours.astype(np.float32),
        motion=motion,
        **fields,
    )


UNLEARNED = [name for name in CRITERIA if name != "learned"]  # which has to be fitted first
FINDERS = [
    ("sbd", {}, 5.0),
    ("sbd-published", {}, 3.0),
    ("sbd+nms", {}, 5.0),
    ("sbd+nms", {"entropy": True}, 5.0),
    ("likelihood-ratio", {}, 0.0),
    ("hidden-change", {}, 1.0),
    ("action-cpd", {}, 4.0),
    ("action-change", {}, 0.5),
    ("events", {}, 0.0),
    ("event+loss", {}, 5.0),
    ("evidence-sum", {}, 12.0),
    ("colour-cpd", {}, 2.0),
    ("frame-difference", {}, 5.0),
]


@pytest.mark.parametrize(("name", "options", "threshold"), FINDERS)
def test_a_criterion_finds_clear_boundaries(name, options, threshold):
    cuts = make(name, **options).cuts(play(), threshold)
    assert cuts.dtype == np.int64
    assert len(cuts) == 2
    assert np.abs(cuts - BOUNDARIES).max() <= 3


@pytest.mark.parametrize("name", UNLEARNED)
@pytest.mark.parametrize("count", [1, 2, 5, 21])
def test_clips_shorter_than_any_context_are_cut_sanely(name, count):
    evidence = play(count)
    criterion = make(name)
    for threshold in (criterion.thresholds([evidence])[0], 0.5):
        cuts = criterion.cuts(evidence, threshold)
        assert (np.diff(cuts) > 0).all()
        assert not len(cuts) or (cuts[0] > 0 and cuts[-1] < count)


@pytest.mark.parametrize("name", UNLEARNED)
def test_clips_in_which_nothing_happens_are_cut_sanely(name):
    still = evidence_of(
        60, idle=range(60), scores=scores_of(np.ones(60), horizon=16), colours=np.ones((60, 24), np.float32),
        motion=np.zeros(60, np.float32),
    )  # fmt: skip
    criterion = make(name)
    cuts = criterion.cuts(still, criterion.thresholds([still])[-1])
    if name not in ("uniform", "random"):  # whose cuts do not depend on what happens
        assert cuts.tolist() == []


@pytest.mark.parametrize("name", [name for name in UNLEARNED if name not in ("fixed", "events", "random")])
def test_a_larger_threshold_means_no_more_cuts(name):
    evidence = play()
    criterion = make(name)
    counts = [len(criterion.cuts(evidence, threshold)) for threshold in criterion.thresholds([evidence])]
    assert counts == sorted(counts, reverse=True) or name.startswith("sbd")  # whose segments depend on each other
    assert counts[0] >= counts[-1]


def test_peaks_keep_the_highest_and_their_distance():
    curve = np.full(100, -1.0)
    curve[[30, 35, 60, 97, 3]] = [2.0, 3.0, 1.0, 9.0, 9.0]
    assert peaks(curve, 0.0, 10).tolist() == [35, 60]  # 30 is too near to 35, 3 and 97 to the ends
    assert peaks(curve, 2.5, 10).tolist() == [35]


def test_fixed_and_uniform_cuts():
    evidence = play()
    assert make("fixed").cuts(evidence, 0.0).tolist() == [128, 256]
    assert make("uniform").cuts(evidence, 100.0).tolist() == [50, 150, 250]


def test_random_lengths_come_from_the_given_ones_and_depend_on_the_name_alone():
    criterion = make("random", lengths=(20, 30))
    cuts = criterion.cuts(play(), 1.0)
    assert set(np.diff(cuts).tolist()) <= {20, 30}
    assert cuts.tolist() == make("random", lengths=(20, 30)).cuts(play(), 1.0).tolist()
    assert cuts.tolist() != criterion.cuts(play(name="another"), 1.0).tolist()


def test_missing_evidence_is_named():
    bare = evidence_of(60)
    with pytest.raises(EpisodeError, match=r"clip: no scores; score it with --policy"):
        make("sbd").cuts(bare, 1.0)
    with pytest.raises(EpisodeError, match="clip: no colours"):
        make("colour-cpd").cuts(bare, 1.0)
    with pytest.raises(ValueError, match="score again with a larger horizon"):
        make("likelihood-ratio", window=40).cuts(play(), 1.0)


def test_unknown_names_and_options_are_refused():
    with pytest.raises(UnknownNameError, match="likelihood-ratio"):
        make("likelihood_ratios")
    with pytest.raises(ValueError, match=r"criterion sbd: .*gab"):
        make("sbd", gab=3)


def test_losses_that_are_no_numbers_are_refused():
    losses = np.ones(30)
    losses[17] = np.nan
    with pytest.raises(EpisodeError, match=r"buttons: .* at tick 17, expected finite numbers; the predictor pppp"):
        scores_of(losses)
    losses[17] = np.inf
    with pytest.raises(EpisodeError, match="tick 17"):
        scores_of(losses)


def test_a_learnt_criterion_finds_what_it_was_shown_elsewhere():
    truth = [Segment(0, 100, "a"), Segment(100, 180, "b"), Segment(180, 300, "c")]
    options = fit([play()], [truth], curves=("hidden-change", "action-change", "frame-difference"))
    cuts = make("learned", **options).cuts(play(name="another"), 0.0)
    assert len(cuts) == 2
    assert np.abs(cuts - BOUNDARIES).max() <= 3
    with pytest.raises(EpisodeError, match="no boundary in 1 clips"):
        fit([play()], [[Segment(0, 300, "a")]], curves=("hidden-change",))
    with pytest.raises(FormatError, match="0 weights for"):
        make("learned").cuts(play(), 0.0)
