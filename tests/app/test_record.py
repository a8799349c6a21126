from __future__ import annotations

import http.client
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.recorder import episode_seed
from data_pipelines.recordings import find_recordings, scan
from data_pipelines.video import open_video
from evaluation.tasks import get, matching
from jarvis.app import cli
from jarvis.app.recording import RecordConfig, make_player, recorded_tasks, start
from jarvis.core.actions import BUTTON_INDEX
from jarvis.envs.voxel import VoxelEnv

SMALL = ["--width", "64", "--height", "36", "--seed", "5"]


def record(*arguments: str) -> int:
    return cli.main(["record", *SMALL, *arguments])


@pytest.fixture(scope="module")
def craft(tmp_path_factory):
    """One episode of the scripted player, made by a worker process."""
    out = tmp_path_factory.mktemp("record") / "craft"
    assert record("--task", "craft_oak_planks-easy", "--episodes", "1", "--workers", "1", "--out", str(out)) == 0
    return out


def test_a_recording_holds_what_the_scripted_player_did(craft):
    (played,) = scan(craft, decode=True).sound
    task, seed = get("craft_oak_planks-easy"), episode_seed(5, 0)
    env = VoxelEnv(width=64, height=36, show_cursor=False)
    observation, info = env.reset(task, seed)
    player = make_player("scripted", "human", env, task, seed)
    with played.open() as video:
        frames = list(video.frames())
    for tick in range(played.num_ticks):
        action = player.act(observation, info)
        assert action == played.log.action(tick)  # the very same, camera and all
        assert np.abs(frames[tick].astype(int) - observation.pov).mean() < 10
        assert played.truth[tick]["coarse"] == player.truth()["coarse"]
        observation, _, _, _, info = env.step(action)
    assert info["success"] and played.facts["success"] and played.facts["last"]
    assert played.facts["instruction"] in task.instructions and played.facts["source"] == "scripted"
    assert any(event.name == "craft_item" and event.item == "oak_planks" for event in played.events)
    assert (played.info.width, played.info.height, played.info.rate) == (64, 36, 20)


def test_what_is_there_is_left_alone_and_another_request_is_refused(craft, capsys):
    before = {path: path.stat().st_mtime_ns for path in craft.glob("voxel-*")}
    same = ["--task", "craft_oak_planks-easy", "--episodes", "1", "--out", str(craft)]
    assert record(*same, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["episodes"], told["played"], told["recordings"], told["quarantined"]) == (1, 0, 1, {})
    assert {path: path.stat().st_mtime_ns for path in craft.glob("voxel-*")} == before
    assert record(*same, "--crf", "30") == 2
    assert "begun with another style; choose another --out" in capsys.readouterr().err


def test_policies_record_at_the_size_they_see_and_end_when_they_are_done(tmp_path):
    actions = tmp_path / "three.actions.jsonl"
    actions.write_text('{"forward": 1, "camera": [0, 0.3]}\n' * 3)
    config = RecordConfig(
        tmp_path / "out",
        player=f"replay:{actions}",
        tasks=("play",),
        episodes=1,
        engine="inline",
        width=128,
        height=128,
    )
    report = start(config, lambda line: None)
    (played,) = scan(tmp_path / "out").sound
    assert report.ticks == played.num_ticks == 4  # the last one is the tick in which the player had nothing more
    assert played.log.buttons[:, BUTTON_INDEX["forward"]].tolist() == [1, 1, 1, 0]
    assert np.allclose(played.log.camera, [[0, 0.3]] * 3 + [[0, 0]]) and played.facts["source"] == "policy"
    with open_video(played.recording.video) as video:
        assert (video.info.width, video.info.height) == (128, 128)


def test_the_looks_vary_and_the_play_does_not(tmp_path):
    for name, vary in (("plain", False), ("varied", True)):
        config = RecordConfig(
            tmp_path / name, player="random", tasks=("play",), episodes=2, engine="inline", max_ticks=8, width=64,
            height=36, vary=vary,
        )  # fmt: skip
        start(config, lambda line: None)
    plain, varied = scan(tmp_path / "plain").sound, scan(tmp_path / "varied").sound
    for one, other in zip(plain, varied, strict=True):
        assert np.array_equal(one.log.buttons, other.log.buttons) and np.array_equal(one.log.camera, other.log.camera)
        assert one.facts["variation"]["overlay"] == "none" and one.facts["variation"]["crf"] is None
    looks = {json.dumps(played.facts["variation"]) for played in varied}
    assert len(looks) == 2
    first = [next(iter(played.open().frames())).astype(int) for played in (plain[0], varied[0])]
    assert np.abs(first[0] - first[1]).mean() > 3


def test_the_log_points_into_the_picture_that_was_recorded():
    task = get("mine_oak_log-easy")
    points = {}
    for fov in (70.0, 100.0):
        env = VoxelEnv(width=64, height=36, fov=fov, draw=False)
        observation, info = env.reset(task, 3)
        player = make_player("scripted", "clean", env, task, 3)
        for _ in range(12):
            step = env.step(player.act(observation, info))
            observation, info = step.observation, step.info
            points.setdefault(fov, []).append(player.truth().get("point"))
    # the same play; a wider view draws the same thing nearer to the middle
    narrow, wide = next((a, b) for a, b in zip(points[70.0], points[100.0], strict=True) if a and b)
    scale = np.tan(np.radians(35)) / np.tan(np.radians(50))
    assert np.subtract(wide, (320, 180)) == pytest.approx(scale * np.subtract(narrow, (320, 180)), abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "how much? give --hours or --episodes"),
        (["--episodes", "1", "--hours", "1"], "not both"),
        (["--hours", "-1"], "more than 0"),
        (["--episodes", "1", "--task", "mine_oak_lgo"], "did you mean mine_oak_log"),
        (["--episodes", "1", "--task", "minne_*"], "unknown task 'minne_*'"),
        (["--episodes", "1", "--task", "play"], "player 'scripted', task 'play'"),
        (["--episodes", "1", "--task", "crafter", "--env", "crafter"], "plays voxel worlds only"),
        (["--episodes", "1", "--player", "scriptd"], "did you mean scripted"),
        (["--episodes", "1", "--habits", "tidy"], "unknown habits 'tidy'"),
        (["--episodes", "1", "--set", "env_options.fogs=3"], "environment 'voxel'"),
        (
            ["--episodes", "1", "--player", "random", "--env", "minerl", "--vary"],
            "--vary changes the voxel world's looks",
        ),
    ],
)
def test_what_cannot_be_recorded_is_told_before_anything_is(tmp_path, capsys, arguments, complaint):
    assert record(*arguments, "--out", str(tmp_path / "out")) == 2
    told = capsys.readouterr()
    assert complaint in told.err and "Traceback" not in told.err and not (tmp_path / "out").exists()


def test_names_with_a_star_are_many_tasks():
    tasks = [task.name for task in recorded_tasks(("eat_bread*", "craft_stick"), 50)]
    assert tasks == ["eat_bread-easy", "eat_bread", "eat_bread-hard", "craft_stick"]
    assert {task.max_ticks for task in recorded_tasks(("eat_*",), 50)} == {50}
    assert matching("craft_stick") == ("craft_stick",)


def test_an_episode_that_cannot_be_played_is_put_aside_and_the_exit_code_tells(tmp_path, capsys, monkeypatch):
    import jarvis.app.recording as recording

    real = recording.make_player

    def unlucky(spec, habits, env, task, seed):
        if seed == episode_seed(5, 1):
            raise RuntimeError("lost its way")
        return real(spec, habits, env, task, seed)

    monkeypatch.setattr(recording, "make_player", unlucky)
    config = RecordConfig(
        tmp_path / "out",
        player="random",
        tasks=("play",),
        episodes=3,
        seed=5,
        engine="inline",
        max_ticks=4,
        width=64,
        height=36,
    )
    report = start(config, lambda line: None)
    assert (report.episodes, report.ticks) == (2, 8)
    assert report.quarantined == {1: "RuntimeError: lost its way"}
    monkeypatch.setattr(recording, "start", lambda asked, say: report)
    assert record("--player", "random", "--episodes", "3", "--out", str(tmp_path / "out")) == 3
    assert "1 put aside" in capsys.readouterr().out


@pytest.mark.slow
def test_ctrl_c_leaves_what_goes_on_and_gives_the_same_files(tmp_path):
    asked = ["record", *SMALL, "--task", "mine_dandelion", "--player", "random", "--episodes", "6", "--max-ticks", "60"]

    def run(out: Path, *more: str) -> list[str]:
        return [sys.executable, "-m", "jarvis", *asked, "--out", str(out), *more]

    cut, whole = tmp_path / "cut", tmp_path / "whole"
    process = subprocess.Popen(
        run(cut, "--workers", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while process.poll() is None and not list(cut.glob("*-options.json")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers hear it too
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in complaints, complaints
    done = len(list(cut.glob("*-options.json")))
    assert 0 < done < 6 and not (cut / "done").exists() and not list(cut.glob(".*.tmp*"))
    assert subprocess.run(run(cut, "--workers", "1"), timeout=120).returncode == 0
    assert subprocess.run(run(whole, "--workers", "2"), timeout=120).returncode == 0
    files = [path.name for path in sorted(whole.iterdir())]
    assert len(find_recordings(whole)) == 6
    assert [(cut / name).read_bytes() for name in files] == [(whole / name).read_bytes() for name in files]


def test_a_person_is_recorded_until_they_end_it(tmp_path):
    said: list[str] = []

    def ask(what: str, body=None) -> http.client.HTTPResponse:
        address = urllib.parse.urlsplit(said[-1].split()[-1])
        connection = http.client.HTTPConnection(address.netloc, timeout=20)
        connection.request("GET" if body is None else "POST", address.path + what, json.dumps(body))
        answer = connection.getresponse()
        assert answer.status == (200 if body is None else 204)
        return answer

    def person() -> None:
        try:
            while not any("http" in line for line in said):
                time.sleep(0.01)
            keys = [["down", "forward"], ["down", "inventory"], ["up", "forward"], ["up", "inventory"]]
            ask("input", [*keys, ["turn", 10, 4]])
            for _ in range(4):
                ask("control", {"step": True})
            stream, tick = ask("stream"), 0
            while tick < 4:
                lengths = struct.unpack(">II", stream.read(8))
                tick = json.loads(stream.read(lengths[0]))["tick"]
                stream.read(lengths[1])
        finally:
            os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C: what was played is kept

    thread = threading.Thread(target=person)
    thread.start()
    config = RecordConfig(tmp_path / "out", player="human", tasks=("play",), width=64, height=36, episodes=2)
    with pytest.raises(KeyboardInterrupt):
        start(config, said.append)
    thread.join()
    (played,) = scan(tmp_path / "out").sound
    log = played.log
    # every key went down in the first tick and up in the second; the last tick is the one in which play ended
    assert played.num_ticks == 5 and played.facts["source"] == "human"
    assert log.buttons[:, [BUTTON_INDEX["forward"], BUTTON_INDEX["inventory"]]].tolist() == [[1, 1]] + [[0, 0]] * 4
    assert np.allclose(log.camera[:2], [(0.6, 1.5), (0, 0)]) and log.gui_open.tolist() == [False] + [True] * 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
