from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import odd_videos
import pytest

from data_pipelines.contractor import Seen
from data_pipelines.recordings import Recording, RecordingWriter, find_recordings, scan, segments_of
from jarvis.core.actions import Action
from jarvis.core.errors import ActionError, EpisodeError
from jarvis.core.events import Event
from jarvis.core.segments import Segment


def play(folder, name="a", ticks=12):
    with RecordingWriter(folder, name, 160, 96, facts={"seed": 7}) as recording:
        for tick in range(ticks):
            truth = {"coarse": "dig" if tick < 5 else "walk", "target": f"block {tick // 3}"}
            if tick == 4:
                truth["events"] = [{"name": "mine_block", "item": "dirt", "count": 1}]
            action = Action.of("forward", camera=(0.15 * tick, -0.3))
            recording.add(odd_videos.picture(tick), action, Seen(yaw=tick, inventory={"dirt": tick}), truth)
    return Recording(str(folder / name))


def test_what_is_written_is_read(tmp_path):
    recording = play(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-options.json", "a.jsonl", "a.mp4", "a.truth.jsonl"]
    played = recording.read(decode=True)
    assert played.num_ticks == 12 and played.notes == ()
    assert [played.log.action(tick) for tick in (0, 3)] == [
        Action.of("forward", camera=(0, -0.3)),
        Action.of("forward", camera=(0.45, -0.3)),
    ]
    assert played.log.yaw.tolist() == list(range(12))
    assert played.truth[4]["target"] == "block 1" and played.facts["seed"] == 7
    assert played.events == (Event(4, "mine_block", "dirt"),)
    assert played.segments() == [Segment(0, 5, "dig", "truth"), Segment(5, 12, "walk", "truth")]
    fine = played.segments("coarse", "target")
    assert [(s.start, s.stop, s.skill) for s in fine] == [
        (0, 3, "dig"), (3, 5, "dig"), (5, 6, "walk"), (6, 9, "walk"), (9, 12, "walk")
    ]  # fmt: skip


def test_a_trajectory_has_one_frame_more_than_actions(tmp_path):
    trajectory = play(tmp_path).read().trajectory("scripted")
    assert (len(trajectory), trajectory.num_frames, trajectory.source) == (11, 12, "scripted")
    assert trajectory.video.path == str(tmp_path / "a.mp4") and trajectory.events == (Event(4, "mine_block", "dirt"),)


def test_any_of_its_files_names_a_recording():
    for name in ("x/a", "x/a.mp4", "x/a.jsonl", "x/a.truth.jsonl", "x/a-options.json"):
        assert Recording.of(name) == Recording("x/a")


def test_finished_means_that_nothing_was_touched_since(tmp_path):
    recording = play(tmp_path)
    assert recording.is_finished()
    for path in (recording.truth, recording.actions, recording.video):
        data = path.read_bytes()
        path.write_bytes(data[:-5])
        assert not recording.is_finished()
        path.unlink()
        assert not recording.is_finished()
        path.write_bytes(data)
        assert recording.is_finished()
    recording.options.write_text("{")
    assert not recording.is_finished()
    recording.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_breaks_off_does_not_appear(tmp_path):
    with pytest.raises(ActionError, match="quantise_camera"), RecordingWriter(tmp_path, "a", 160, 96) as recording:
        recording.add(odd_videos.picture(0), Action.noop(), Seen())
        recording.add(odd_videos.picture(1), Action.of(camera=(0.1, 0)), Seen())
    assert list(tmp_path.iterdir()) == []


def lines_of(path):
    return path.read_text().splitlines(keepends=True)


def test_one_frame_or_line_more_is_left_out_and_told(tmp_path):
    recording = play(tmp_path)
    recording.truth.unlink()
    every = lines_of(recording.actions)
    recording.actions.write_text("".join(every[:-1]))
    played = recording.read()
    assert played.num_ticks == 11 and played.notes == ("12 frames, 11 lines: what goes beyond 11 is left out",)
    recording.actions.write_text("".join([*every, every[-1]]))
    played = recording.read()
    assert played.num_ticks == 12 and "12 frames, 13 lines" in played.notes[0]
    assert len(played.trajectory()) == 11


def test_a_line_that_a_crash_cut_off_counts_as_missing(tmp_path):
    recording = play(tmp_path)
    recording.actions.write_text("".join(lines_of(recording.actions))[:-40])
    played = recording.read()
    assert played.num_ticks == 11 and len(played.notes) == 2
    assert "cut off" in played.notes[0] and "11 lines" in played.notes[1]


def damage(recording, how):
    lines = lines_of(recording.actions)
    match how:
        case "two lines missing":
            recording.actions.write_text("".join(lines[:-2]))
        case "no actions":
            recording.actions.unlink()
        case "no video":
            recording.video.unlink()
        case "empty video":
            recording.video.write_bytes(b"")
        case "broken line":
            recording.actions.write_text("".join([lines[0], "{oops}\n", *lines[2:]]))
        case "infinite mouse":
            recording.actions.write_text("".join(lines).replace('"dx":-2.0', '"dx":Infinity', 1))
        case "cut video":
            data = recording.video.read_bytes()
            recording.video.write_bytes(data[: len(data) * 2 // 3])
        case "truth of another":
            recording.truth.write_text("".join(lines_of(recording.truth)[:6]))
        case "truth out of order":
            recording.truth.write_text("".join(reversed(lines_of(recording.truth))))


REASONS = {
    "two lines missing": "12 frames, 10 lines, 12 lines of truth, expected as many or one more or less",
    "no actions": "no .*jsonl",
    "no video": r"no .*\.mp4",
    "empty video": r"\.mp4: empty",
    "broken line": "line 2",
    "infinite mouse": "line 1: Infinity is not a JSON number",
    "cut video": r"\.mp4",
    "truth of another": "6 lines of truth",
    "truth out of order": r"line 1: expected an object with tick 0",
}


def test_what_does_not_fit_is_put_aside_with_its_reason(tmp_path):
    for how in REASONS:
        damage(play(tmp_path / "in", how.replace(" ", "_")), how)
    good = play(tmp_path / "in" / "deeper", "good")
    (tmp_path / "in" / ".hidden.tmp.mp4").touch()
    found = scan(tmp_path / "in", decode=True)
    assert [played.recording for played in found.sound] == [good] and found.ticks == 12
    assert sorted(found.quarantined) == sorted(how.replace(" ", "_") for how in REASONS)
    for how, reason in REASONS.items():
        name = how.replace(" ", "_")
        with pytest.raises(EpisodeError, match=reason):
            Recording(str(tmp_path / "in" / name)).read(decode=True)
        assert found.quarantined[name]
    assert len(find_recordings(tmp_path / "in")) == len(REASONS) + 1


def test_foreign_recordings_need_only_video_and_actions(tmp_path):
    recording = play(tmp_path / "6.9")
    recording.truth.unlink()
    recording.options.unlink()
    lines = [json.loads(line) | {"isGuiOpen": True} for line in lines_of(recording.actions)]
    recording.actions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    played = recording.read()
    assert played.truth is None and played.facts is None and played.events == () and played.segments() == []
    assert (
        played.log.camera[0].tolist() == np.float32([0, -0.6]).tolist()
    )  # that recorder's mouse counted half on screens


def test_segments_of_nothing_and_of_lines_that_say_nothing():
    assert segments_of([], "coarse") == []
    assert segments_of([{}, {}, {"coarse": "dig"}], "coarse") == [
        replace(Segment(0, 2), criterion="truth"), Segment(2, 3, "dig", "truth")
    ]  # fmt: skip
