from __future__ import annotations

import hashlib
import json

import numpy as np
import players
import pytest

from data_pipelines.contractor import quantise_camera, read_index
from data_pipelines.engines import ProcessEngine
from data_pipelines.recorder import RecordingStyle, episode_seed, record, record_episode
from data_pipelines.recordings import Recording, scan
from data_pipelines.variations import OVERLAYS, Retouch, Variation, draw_variation
from data_pipelines.video import open_video
from jarvis.core.errors import EnvironmentFailure, FormatError
from jarvis.core.goals import Goal
from jarvis.core.tasks import Task

TASK = Task("fidget", Goal("fidget"), max_ticks=90)
STYLE = RecordingStyle(segment_ticks=50, prefix="test")


def digests(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name[0] != "."
    }


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two episodes of 90 ticks, each in recordings of 50 and 40, made in this process."""
    folder = tmp_path_factory.mktemp("recorded") / "out"
    said = []
    report = record(players.make_env, players.make_player, [TASK], folder, episodes=2, style=STYLE, say=said.append)
    assert said == ["episode 0: 90 ticks", "episode 1: 90 ticks"]
    return folder, report


def test_what_was_played_is_read_back_exactly(recorded):
    folder, report = recorded
    assert (report.episodes, report.ticks, report.played, report.quarantined) == (2, 180, 2, {})
    assert [r.name for r in report.recordings] == [
        "test-000000-00",
        "test-000000-01",
        "test-000001-00",
        "test-000001-01",
    ]
    screens = 0
    for episode in (0, 1):
        given = players.PLAYED[episode_seed(0, episode)]
        parts = [Recording(str(folder / STYLE.name(episode, part))).read(decode=True) for part in (0, 1)]
        assert [part.num_ticks for part in parts] == [50, 40] and all(part.notes == () for part in parts)
        read = [part.log.action(tick) for part in parts for tick in range(part.num_ticks)]
        assert read == [action for action, _ in given]
        assert all(part.log.repairs == {} for part in parts)
        # the cursor of each frame, by the world's own account, in window pixels
        cursors = np.concatenate([part.log.cursor for part in parts])
        opened = np.concatenate([part.log.gui_open for part in parts])
        assert opened.tolist() == [cursor is not None for _, cursor in given]
        own = np.array([cursor for _, cursor in given if cursor])
        assert np.abs(cursors[opened] - 2 * own).max() < 0.01  # it counts in degrees, and so rounds a little
        screens += int(opened.sum())
    assert screens > 20


def test_the_video_shows_what_the_player_saw(recorded):
    folder, _ = recorded
    env, seed = players.make_env(), episode_seed(0, 0)
    given = list(players.PLAYED[seed])
    observation, _ = env.reset(TASK, seed)
    with open_video(folder / "test-000000-00.mp4") as video:
        for frame, (action, _) in zip(video.frames(), given, strict=False):
            assert np.abs(frame.astype(int) - observation.pov).mean() < 12
            observation = env.step(action).observation


def test_the_truth_stands_beside_it(recorded):
    folder, _ = recorded
    played = Recording(str(folder / "test-000000-01")).read()
    assert played.facts["last"] and not played.facts["success"]
    assert (played.facts["segment"], played.facts["seed"]) == (1, episode_seed(0, 0))
    assert Task.from_json(played.facts["task"]) == TASK
    assert played.truth[0]["point"] == [1.5, 2.0] and played.truth[0]["coarse"] == "dig"
    assert [(s.start, s.stop, s.skill) for s in played.segments()][:3] == [
        (0, 1, "dig"), (1, 9, "look around"), (9, 21, "dig")
    ]  # fmt: skip
    assert json.loads((folder / "test-000000-01.jsonl").read_text().splitlines()[0])["serverTick"] == 50


def test_other_tools_find_everything_through_the_index(recorded):
    folder, report = recorded
    index = read_index(folder / "index.json")
    assert list(index.names) == [recording.name for recording in report.recordings]
    assert len(scan(folder).sound) == 4 and (folder / "done").is_file()


def test_finished_episodes_are_left_alone_and_the_rest_played_again(recorded, tmp_path):
    folder, _ = recorded
    before = digests(folder)
    again = tmp_path / "again"
    again.mkdir()
    for name in before:
        (again / name).write_bytes((folder / name).read_bytes())
    (again / "done").unlink()
    (again / "index.json").unlink()
    for ending in ("mp4", "jsonl", "truth.jsonl"):  # as if it had been killed in the second episode's second half
        (again / f"test-000001-01.{ending}").unlink()
    (again / "test-000001-01-options.json").unlink()
    (again / ".test-000001-01.abc.tmp.mp4").touch()
    report = record(players.make_env, players.make_player, [TASK], again, episodes=2, style=STYLE)
    assert report.played == 1 and digests(again) == before
    assert not list(again.glob(".*"))
    report = record(players.make_env, players.make_player, [TASK], again, episodes=2, style=STYLE)
    assert report.played == 0 and report.ticks == 180


def test_a_folder_is_for_one_request(recorded, tmp_path):
    folder, _ = recorded
    with pytest.raises(FormatError, match="begun with another episodes, seed"):
        record(players.make_env, players.make_player, [TASK], folder, episodes=3, seed=1, style=STYLE)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(FileExistsError, match="something else"):
        record(players.make_env, players.make_player, [TASK], tmp_path, episodes=1)
    with pytest.raises(ValueError, match="either hours or episodes"):
        record(players.make_env, players.make_player, [TASK], tmp_path / "new")


def test_hours_are_reached_with_the_fewest_episodes_and_several_workers_change_nothing(tmp_path):
    """100 ticks need two episodes of 60; two workers may have begun a third."""
    task = Task("fidget", Goal("fidget"), max_ticks=60)
    made = {}
    for workers in (0, 2):
        out = tmp_path / str(workers)
        report = record(
            players.make_slate,
            players.make_player,
            [task],
            out,
            hours=100 / 72000,
            engine=ProcessEngine(workers) if workers else None,
            seed=3,
            style=STYLE,
        )
        assert (report.episodes, report.ticks) == (2, 120) and report.hours == 120 / 72000
        made[workers] = digests(out)
    assert made[0] == made[2] and len(made[0]) == 2 * 2 * 4 + 3


@pytest.mark.parametrize("what", ["die", "hang"])
def test_a_worker_that_dies_or_hangs_is_replaced_and_the_episode_played_again(what, tmp_path, monkeypatch):
    monkeypatch.setenv("JARVIS_TEST_MARK", str(tmp_path / "mark"))
    task = Task(what, Goal("fidget"), max_ticks=8)
    said = []
    report = record(
        players.make_slate, players.make_unlucky_player, [task], tmp_path / "out",
        episodes=1, engine=ProcessEngine(1, 8 if what == "hang" else 100), style=STYLE, say=said.append,
    )  # fmt: skip
    assert (report.episodes, report.ticks, report.quarantined) == (1, 8, {})
    assert len(said) == 2 and ("died" if what == "die" else "deadline") in said[0] and said[0].endswith("once more")


def test_an_episode_that_cannot_be_played_is_put_aside(tmp_path):
    tasks = [Task("good", Goal("fidget"), max_ticks=8), Task("raise", Goal("fidget"), max_ticks=8)]
    report = record(players.make_slate, players.make_raising_player, tasks, tmp_path / "out", episodes=3, style=STYLE)
    assert report.episodes == 2 and report.quarantined == {1: "RuntimeError: lost its way"}
    line = json.loads((tmp_path / "out" / "quarantine.jsonl").read_text())
    assert line == {"episode": 1, "seed": episode_seed(0, 1), "attempts": 2, "reason": "RuntimeError: lost its way"}
    assert [r.name for r in report.recordings] == ["test-000000-00", "test-000002-00"]
    assert not list((tmp_path / "out").glob("*000001*"))
    with pytest.raises(EnvironmentFailure, match="8 episodes in a row could not be played: RuntimeError: lost its way"):
        record(
            players.make_slate,
            players.make_raising_player,
            tasks[1:],
            tmp_path / "bad",
            hours=1,
            style=STYLE,
        )


def test_the_player_decides_when_there_is_nothing_left_to_show(tmp_path):
    fidgeter = players.Fidgeter(1)
    player = players.Player(fidgeter.act, done=lambda: fidgeter.ticks == 7)
    (recording,) = record_episode(players.make_env(), player, TASK, 5, tmp_path, style=STYLE)
    played = recording.read()
    assert played.num_ticks == 7 and played.facts["last"] and "coarse" not in played.truth[0]


# variations


def test_seeds_of_recordings_are_not_those_of_evaluations():
    seeds = [episode_seed(0, episode) for episode in range(200)]
    assert len(set(seeds)) == 200 and max(seeds) < 2**29


def test_variations_are_off_unless_asked_for_and_the_same_for_the_same_seed(tmp_path):
    assert draw_variation(1, "recording", 2) == draw_variation(1, "recording", 2) != draw_variation(1, "recording", 3)
    task = Task("fidget", Goal("fidget"), max_ticks=6)
    varied = RecordingStyle(prefix="test", vary=True)
    for style, name in ((STYLE, "plain"), (varied, "varied")):
        record(players.make_env, players.make_player, [task], tmp_path / name, episodes=2, style=style)
    plain, other = (
        [Recording(str(tmp_path / name / STYLE.name(episode, 0))).read() for episode in (0, 1)]
        for name in ("plain", "varied")
    )
    for before, after in zip(plain, other, strict=True):
        assert before.facts["variation"] == Variation().to_json() != after.facts["variation"]
        assert (before.log.buttons == after.log.buttons).all() and (before.log.camera == after.log.camera).all()


def test_retouching_leaves_the_plain_look_alone():
    frame = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
    assert Retouch(Variation(), 640, 360).apply(frame) is frame
    kept = frame.copy()
    brighter = Retouch(Variation(brightness=1.1), 640, 360).apply(frame)
    assert brighter[frame == 100].tolist() == [110] * int((frame == 100).sum())
    for overlay in OVERLAYS[1:]:
        for seed in range(6):
            for size in ((640, 360), (64, 36), (128, 128)):
                drawn = Retouch(Variation(overlay=overlay, overlay_seed=seed), *size).apply(kept[: size[1], : size[0]])
                changed = (drawn != kept[: size[1], : size[0]]).any(axis=2)
                assert 0.001 < changed.mean() < 0.25, (overlay, seed, size)
    assert (frame == kept).all()


def test_quantised_cameras_are_what_is_played():
    assert quantise_camera([0.2, -0.2]).tolist() == np.float32([0.15, -0.15]).tolist()
