"""The published rule, each of its defects, and each mend, on losses of a dozen ticks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from plays import evidence_of, scores_of

from jarvis.core.events import Event
from skill_discovery.sbd import (
    SBDOptions,
    event_ticks,
    published,
    sbd_boundaries,
    sbd_cuts,
    sbd_excess,
    without_one,
)

SHORT = SBDOptions(min_ticks=2)


def spiky(count, *spikes, height=20.0, **fields):
    losses = np.ones(count)
    losses[list(spikes)] = height
    return evidence_of(count, scores=scores_of(losses, **fields))


def test_a_loss_far_above_the_segments_mean_cuts():
    evidence = spiky(40, 15)
    # at 15 the mean of sixteen losses is (15 + 20) / 16 = 2.19, so the excess is 17.8
    assert sbd_cuts(evidence, 17.7, SHORT).tolist() == [15]
    assert sbd_cuts(evidence, 17.9, SHORT).tolist() == []


def test_the_mean_holds_the_loss_itself():
    # n losses: (n - 1) / n times the jump of 19 has to exceed the gap
    assert sbd_cuts(spiky(10, 2), 12.6, SHORT).tolist() == [2]  # 2/3 * 19 = 12.67
    assert sbd_cuts(spiky(10, 2), 12.7, SHORT).tolist() == []


def test_defect_1_the_opening_loss_belongs_to_the_new_segment():
    evidence = spiky(40, 15, 30)
    # with the 20 of tick 15 in its mean the second segment is harder to leave: at 30, (20 + 14 + 20) / 16 = 3.4
    assert sbd_cuts(evidence, 16.7, SHORT).tolist() == [15]
    assert sbd_cuts(evidence, 16.7, replace(SHORT, keep_opening_loss=False)).tolist() == [15, 30]


def test_defect_2_overdue_events_do_not_chain():
    events = [Event(tick, "mine_block", f"block_{tick}") for tick in (3, 4, 5, 6)]
    evidence = evidence_of(40, events=events, scores=scores_of(np.ones(40)))
    eventful = replace(SBDOptions(min_ticks=10), use_events=True)
    assert sbd_cuts(evidence, 99.0, eventful).tolist() == [10]
    chained = replace(published(), use_events=True)
    assert sbd_cuts(evidence, 99.0, chained).tolist() == [3, 5, 7, 9]


def test_defect_2_an_event_just_after_a_cut_is_answered_by_it():
    losses = np.ones(40)
    losses[20] = 30.0
    evidence = evidence_of(40, events=[Event(22, "craft_item", "stick")], scores=scores_of(losses))
    merged = SBDOptions(min_ticks=2, use_events=True, merge_ticks=10)
    assert sbd_cuts(evidence, 20.0, merged).tolist() == [20]
    assert sbd_cuts(evidence, 20.0, replace(merged, merge_ticks=0)).tolist() == [20, 23]


def test_defect_3_a_skill_ends_after_its_event():
    events = [Event(7, "craft_item", "stick"), Event(9, "kill_entity", "cow")]
    assert event_ticks(events, 40, SBDOptions()).tolist() == [8, 26]
    assert event_ticks(events, 40, published()).tolist() == [7, 25]


def test_of_equal_events_in_a_row_the_last_counts():
    events = [Event(tick, "mine_block", "oak_log") for tick in (3, 9, 14)] + [Event(20, "craft_item", "stick")]
    assert event_ticks(events, 40, SBDOptions()).tolist() == [15, 21]
    assert event_ticks([Event(3, "pickup", "oak_log")], 40, SBDOptions()).tolist() == []  # no skill's end


def test_defect_4_lengths_have_limits():
    evidence = spiky(40, 15, 18)
    assert sbd_cuts(evidence, 10.0, SBDOptions(min_ticks=10)).tolist() == [15]
    assert sbd_cuts(evidence, 10.0, replace(SHORT, keep_opening_loss=False)).tolist() == [15, 18]
    assert sbd_cuts(spiky(40), 10.0, SBDOptions(min_ticks=2, max_ticks=15)).tolist() == [15, 30]


def test_defect_5_lengths_count_raw_ticks():
    evidence = evidence_of(40, idle=range(2, 12), scores=scores_of(np.where(np.arange(40) == 12, 20.0, 1.0)))
    assert sbd_cuts(evidence, 10.0, SBDOptions(min_ticks=10)).tolist() == [12]
    assert sbd_cuts(evidence, 10.0, SBDOptions(min_ticks=10, count_idle=False)).tolist() == []


def test_defect_5_idle_ends_belong_to_segments():
    evidence = evidence_of(40, idle=[0, 1, 38, 39], scores=scores_of(np.where(np.arange(40) == 15, 20.0, 1.0)))
    assert sbd_boundaries(evidence, 10.0, SHORT) == [[0, 14], [15, 39]]
    assert sbd_boundaries(evidence, 10.0, replace(SHORT, keep_ends=False)) == [[2, 14], [15, 37]]
    nothing = evidence_of(5, idle=range(5), scores=scores_of(np.ones(5)))
    assert sbd_boundaries(nothing, 10.0, SHORT) == [[0, 4]]
    assert sbd_boundaries(nothing, 10.0, published()) == []


def test_defect_6_idle_is_what_the_encoding_makes_nothing_of():
    camera = np.zeros((40, 2), np.float32)
    camera[15] = 0.15  # one count of the mouse: the middle bin
    losses = np.where(np.arange(40) == 15, 20.0, 1.0)
    evidence = evidence_of(40, idle=[15], camera=camera, scores=scores_of(losses))
    assert sbd_cuts(evidence, 10.0, SHORT).tolist() == []
    assert sbd_cuts(evidence, 10.0, replace(SHORT, idle_by_class=False)).tolist() == [15]


def test_defect_10_a_resting_camera_costs_nothing():
    camera_loss = np.where(np.arange(40) == 15, 20.0, 0.0)
    evidence = evidence_of(40, scores=scores_of(np.ones(40), camera_loss))
    assert sbd_cuts(evidence, 10.0, SHORT).tolist() == []
    assert sbd_cuts(evidence, 10.0, replace(SHORT, charge_resting_camera=True)).tolist() == [15]


def test_defect_11_screens_count_in_full():
    evidence = spiky(40, 15)
    evidence.gui_open[10:20] = True
    assert sbd_cuts(evidence, 15.0, SHORT).tolist() == [15]
    # 0.75 * 20 = 15, which is less than 15 above its mean
    assert sbd_cuts(evidence, 15.0, replace(SHORT, gui_factor=0.75)).tolist() == []


def test_after_a_reset_the_losses_are_those_of_a_fresh_predictor():
    fresh = np.ones((40, 4), np.float32)
    fresh[15] = [30.0, 1.0, 25.0, 1.0]  # forgetting at 15 makes tick 17 a surprise
    losses = np.where(np.arange(40) == 15, 20.0, 1.0)
    evidence = evidence_of(40, scores=scores_of(losses, fresh=fresh))
    assert sbd_cuts(evidence, 6.0, SHORT).tolist() == [15]
    assert sbd_cuts(evidence, 6.0, replace(SHORT, reset=True)).tolist() == [15, 17]


def test_heads_are_told_apart():
    camera = np.full((40, 2), 5.0, np.float32)
    losses, camera_loss = np.ones(40), np.ones(40)
    losses[12], camera_loss[25] = 20.0, 20.0
    evidence = evidence_of(40, camera=camera, scores=scores_of(losses, camera_loss))
    cuts = {heads: sbd_cuts(evidence, 10.0, replace(SHORT, heads=heads)).tolist() for heads in ("buttons", "camera")}
    assert cuts == {"buttons": [12], "camera": [25]}


def test_every_mend_can_be_taken_back_alone():
    changed = without_one(SBDOptions())
    assert set(changed) == {
        "reset", "keep_opening_loss", "sticky", "min_ticks", "max_ticks", "count_idle", "keep_ends", "idle_by_class",
        "gui_factor", "charge_resting_camera", "take_all_due_events", "merge_ticks", "event_offset",
    }  # fmt: skip
    assert changed["min_ticks"] == replace(SBDOptions(), min_ticks=2)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tiny_clips_have_sane_results(count):
    evidence = spiky(count)
    for options in (SBDOptions(), published(), replace(published(), use_events=True)):
        assert sbd_cuts(evidence, 1.0, options).tolist() == []
    assert len(sbd_excess(evidence, SBDOptions())) == count


def test_idle_clips_have_no_cuts():
    evidence = evidence_of(50, idle=range(50), scores=scores_of(np.full(50, 9.0)))
    assert sbd_cuts(evidence, 0.1, SHORT).tolist() == []
    assert np.isneginf(sbd_excess(evidence, SHORT)).all()
