"""Cloning, scoring, files and the whole way from recordings to segments, with a tiny network on real play."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from plays import record

from jarvis.core.actions import JARVIS_CAMERA, VPT_CAMERA, JointActions
from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.surprise import ActionScorer
from jarvis.vpt.config import tiny
from jarvis.vpt.initialisation import build
from skill_discovery.clips import find_clips, joined
from skill_discovery.evidence import gather, read_evidence, write_evidence
from skill_discovery.foundation import Windows, recipe, train
from skill_discovery.scorers import PolicyScorer, ScoringConfig, load_scorer

SMALL = replace(tiny(), image_size=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for number in range(2):
        record(folder, f"clip-{number}", 40, seed=number)
    return folder


@pytest.fixture(scope="module")
def scorer():
    return PolicyScorer(build(SMALL, seed=0), ScoringConfig(horizon=8))


def classes_of(clip):
    return JointActions(VPT_CAMERA).encode(clip.buttons[:, :20], VPT_CAMERA.to_bins(clip.camera))


# scoring


def test_one_pass_equals_one_frame_at_a_time(folder, scorer):
    clip = find_clips(folder)[0][0]
    whole = scorer.score(clip.frames(32), *classes_of(clip))
    slow = PolicyScorer(scorer.policy, ScoringConfig(chunk_ticks=1, horizon=8))
    single = slow.score(clip.frames(32), *classes_of(clip))
    assert isinstance(scorer, ActionScorer)
    for name in ("buttons", "camera", "entropy", "fresh_buttons", "fresh_camera"):
        np.testing.assert_allclose(getattr(whole, name), getattr(single, name), atol=2e-4)
    assert whole.predictor == single.predictor == scorer.digest


def test_the_first_fresh_predictor_is_the_one_that_remembers(folder, scorer):
    clip = find_clips(folder)[0][0]
    scores = scorer.score(clip.frames(32), *classes_of(clip))
    np.testing.assert_allclose(scores.fresh_buttons[0], scores.buttons[:8], atol=2e-4)
    assert np.isnan(scores.fresh_camera[-1, 1:]).all()
    assert np.isfinite(scores.fresh_camera[-1, 0])


def test_fresh_losses_are_those_after_a_reset(folder, scorer):
    clip = find_clips(folder)[0][0]
    first = np.zeros(40, bool)
    first[20] = True
    reset = scorer.score(clip.frames(32), *classes_of(clip), first=first)
    scores = scorer.score(clip.frames(32), *classes_of(clip))
    np.testing.assert_allclose(scores.fresh_buttons[20], reset.buttons[20:28], atol=2e-4)
    # two layers that remember four ticks see seven: from then on nothing is left of what was forgotten
    np.testing.assert_allclose(scores.buttons[27:], reset.buttons[27:], atol=2e-4)
    assert np.abs(scores.buttons[20:27] - reset.buttons[20:27]).max() > 1e-3


def test_a_predictor_with_other_bins_is_refused():
    with pytest.raises(FormatError, match=r"camera head has 121 classes, but labels in 21 camera bins have 441"):
        PolicyScorer(build(SMALL, seed=0), bins=JARVIS_CAMERA)
    with pytest.raises(FormatError, match=r"camera head has 25 classes"):
        PolicyScorer(build(replace(SMALL, num_camera=25), seed=0))


def test_a_predictor_whose_losses_are_no_numbers_is_refused(folder):
    policy = build(SMALL, seed=0)
    with torch.no_grad():
        policy.pi_head["buttons"].linear_layer.bias[3] = torch.nan
    clip = find_clips(folder)[0][0]
    with pytest.raises(EpisodeError, match="at tick 0, expected finite numbers"):
        gather(clip, PolicyScorer(policy))


def test_frames_that_do_not_fit_the_actions_are_refused(folder, scorer):
    clip = find_clips(folder)[0][0]
    buttons, camera = classes_of(clip)
    with pytest.raises(EpisodeError, match="more than 39 frames"):
        scorer.score(clip.frames(32), buttons[:39], camera[:39])
    with pytest.raises(EpisodeError, match="20 frames for 40 actions"):
        scorer.score(clip.frames(32, 0, 20), buttons, camera)


@pytest.mark.parametrize("ticks", [1, 3])
def test_clips_shorter_than_the_memory_are_scored(tmp_path, scorer, ticks):
    record(tmp_path, "short", ticks)
    clips, aside = find_clips(tmp_path)
    evidence = gather(clips[0], scorer)
    assert not aside
    assert len(evidence) == ticks
    assert np.isfinite(evidence.scores.buttons).all()


# evidence


def test_evidence_comes_back_as_it_was(folder, scorer, tmp_path):
    evidence = gather(find_clips(folder)[0][0], scorer)
    write_evidence(tmp_path / "clip.safetensors", evidence)
    again = read_evidence(tmp_path / "clip.safetensors")
    assert (again.name, again.fps, again.source, again.events) == ("clip-0", 20.0, "recorded", evidence.events)
    for name in ("buttons", "camera", "gui_open", "colours", "motion"):
        np.testing.assert_array_equal(getattr(again, name), getattr(evidence, name))
    np.testing.assert_array_equal(again.scores.fresh_camera, evidence.scores.fresh_camera)
    assert again.scores.predictor == scorer.digest
    assert again.colours.sum(axis=1) == pytest.approx(3.0)
    assert np.argmax(again.motion) == 20  # where the wall changes its colour


def test_damaged_evidence_is_refused(folder, tmp_path):
    path = write_evidence(tmp_path / "clip.safetensors", gather(find_clips(folder)[0][0]))
    assert read_evidence(path).scores is None
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FormatError, match=r"clip\.safetensors"):
        read_evidence(path)


def test_truth_is_joined_where_it_flickers(folder):
    clip = find_clips(folder)[0][0]
    assert [(segment.start, segment.stop, segment.skill) for segment in clip.truth] == [
        (0, 20, "walk"),
        (20, 40, "dig"),
    ]
    flicker = [clip.truth[0], replace(clip.truth[1], stop=21, skill="rest"), replace(clip.truth[1], start=21)]
    assert [(segment.start, segment.stop) for segment in joined(flicker, 5)] == [(0, 20), (20, 40)]


# cloning


def test_two_steps_a_stop_and_two_more_are_four_steps(folder, tmp_path):
    clips = find_clips(folder)[0]
    config = recipe("tiny")
    whole = train(config, clips, tmp_path / "whole", held_back=clips[:1])
    halves = tmp_path / "halves"
    train(config, clips, halves)
    shutil.rmtree(halves / "step_00000004")
    (halves / "model.safetensors").unlink()
    train(config, clips, halves)
    assert (halves / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    loaded = load_scorer(whole)
    assert loaded.digest == load_scorer(f"vpt:{whole}/config.json:{whole}/model.safetensors").digest
    assert "40 ticks" not in (whole / "card.md").read_text()
    assert "80 ticks" in (whole / "card.md").read_text()


def test_windows_mask_idle_ticks_and_fill_up_short_clips(tmp_path):
    record(tmp_path, "a", 10)
    clips = find_clips(tmp_path)[0]
    data = Windows(clips, recipe("tiny"))
    frames, _, counts = data.batch(np.array([0]))
    assert frames.shape == (1, 16, 32, 32, 3)
    assert counts[0].tolist() == [True] * 10 + [False] * 6
    assert (frames[0, 10:] == 0).all()


def test_clips_in_which_nobody_acts_teach_nothing(tmp_path):
    record(tmp_path, "still", 20, still=True)
    with pytest.raises(EpisodeError, match="nothing to learn from in 1 clips"):
        train(recipe("tiny"), find_clips(tmp_path)[0], tmp_path / "out")
