from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.actions import Action
from jarvis.core.errors import ActionError, EpisodeError, UnknownNameError
from jarvis.core.events import Event
from jarvis.core.observations import Observation
from jarvis.core.segments import Segment, check_cover
from jarvis.core.trajectories import Trajectory, VideoReference

FRAMES = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 8, 3), np.uint8)
ACTIONS = [Action.of("forward", camera=(0, tick)) for tick in range(5)]
EVENTS = (Event(1, "pickup", "stone"), Event(3, "drop", "stone"))


def test_a_trajectory_has_one_more_frame_than_actions():
    trajectory = Trajectory.of(FRAMES, ACTIONS, "scripted", EVENTS)
    assert len(trajectory) == 5 and trajectory.num_frames == 6
    assert trajectory.action(3) == ACTIONS[3] and trajectory.camera.dtype == np.float32
    for frames in (FRAMES[:5], np.concatenate([FRAMES, FRAMES])):
        with pytest.raises(EpisodeError, match="frames for 5 actions, expected 6"):
            Trajectory.of(frames, ACTIONS, "scripted")


def test_a_part_keeps_frames_actions_and_events_together():
    part = Trajectory.of(FRAMES, ACTIONS, "policy", EVENTS).part(2, 4)
    assert part.frames[:, 0, 0, 0].tolist() == [2, 3, 4] and part.camera[:, 1].tolist() == [2, 3]
    assert part.events == (Event(1, "drop", "stone"),) and part.source == "policy"

    whole = Trajectory.of(FRAMES, ACTIONS, "idm")
    video = Trajectory(whole.buttons, whole.camera, "idm", video=VideoReference("a.mp4", num_frames=6, start=100))
    assert video.part(2, 4).video == VideoReference("a.mp4", num_frames=3, start=102)
    with pytest.raises(EpisodeError, match=r"part \[2, 6\)"):
        video.part(2, 6)


def test_what_contradicts_itself_is_refused():
    whole = Trajectory.of(FRAMES, ACTIONS, "recorded")
    buttons, camera = whole.buttons, whole.camera
    with pytest.raises(UnknownNameError, match="did you mean recorded"):
        Trajectory(buttons, camera, "record", frames=FRAMES)
    with pytest.raises(EpisodeError, match="not both"):
        Trajectory(buttons, camera, "idm")
    with pytest.raises(EpisodeError, match="not both"):
        Trajectory(buttons, camera, "idm", frames=FRAMES, video=VideoReference("a.mp4", 6))
    with pytest.raises(EpisodeError, match="float32"):
        Trajectory(buttons, camera, "idm", frames=FRAMES.astype(np.float32))
    with pytest.raises(EpisodeError, match="before tick 5"):
        Trajectory.of(FRAMES, ACTIONS, "idm", [Event(5, "drop", "stone")])
    with pytest.raises(EpisodeError, match="in order"):
        Trajectory.of(FRAMES, ACTIONS, "idm", EVENTS[::-1])
    with pytest.raises(ActionError, match="yaw is nan at 2"):
        Trajectory(buttons, np.where(np.arange(5)[:, None] == [9, 2], np.nan, camera), "idm", frames=FRAMES)
    with pytest.raises(EpisodeError, match="expected at least one"):
        VideoReference("a.mp4", 0)


def test_an_observation_is_a_picture():
    observation = Observation(np.zeros((360, 640, 3), np.uint8))
    assert (observation.height, observation.width) == (360, 640)
    for pov in (np.zeros((360, 640), np.uint8), np.zeros((3, 4, 3)), np.zeros((0, 4, 3), np.uint8), [[[0, 0, 0]]]):
        with pytest.raises(EpisodeError, match="expected uint8"):
            Observation(pov)


def test_segments_cover_without_gap_or_overlap():
    check_cover([Segment(0, 4), Segment(4, 5)], 5)
    check_cover([], 0)
    for segments, words in (
        ([Segment(0, 4), Segment(5, 6)], "segment 1 starts at 5, expected 4: gap"),
        ([Segment(0, 4), Segment(3, 6)], "segment 1 starts at 3, expected 4: overlap"),
        ([Segment(1, 6)], "segment 0 starts at 1, expected 0"),
        ([Segment(0, 4)], "end at 4, expected 6"),
        ([Segment(0, 9)], "end at 9, expected 6"),
    ):
        with pytest.raises(EpisodeError, match=words):
            check_cover(segments, 6)


@given(st.sets(st.integers(1, 49), max_size=20))
def test_any_cuts_make_a_cover(cuts):
    edges = [0, *sorted(cuts), 50]
    segments = [Segment(start, stop, skill=start) for start, stop in pairwise(edges)]
    check_cover(segments, 50)
    assert sum(map(len, segments)) == 50
    assert [Segment.from_json(segment.to_json()) for segment in segments] == segments
    if cuts:
        with pytest.raises(EpisodeError):
            check_cover(segments[::-1], 50)


def test_impossible_segments_are_refused():
    for bad in (lambda: Segment(3, 3), lambda: Segment(-1, 3), lambda: Segment(0.5, 3),
                lambda: Segment(0, 3, score=float("nan")), lambda: Segment.from_json({"start": 1})):  # fmt: skip
        with pytest.raises(EpisodeError):
            bad()
