from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from jarvis.app import policies, runs
from jarvis.app.playing import Beginning, Interruption, Outcome, Sink, Tick, play_episode
from jarvis.app.policies import load_policy
from jarvis.app.records import RunFolder, VideoFile, config_hash
from jarvis.app.runs import PlayConfig, play
from jarvis.app.settings import SettingsError
from jarvis.app.watch import Page
from jarvis.core import Action, EnvironmentFailure, Goal, Observation, StartState, Task, UnknownNameError
from jarvis.core.events import read_events
from jarvis.core.predicates import parse
from jarvis.envs.base import Told
from jarvis.envs.registry import ENVIRONMENTS
from jarvis.envs.voxel import VoxelEnv

ROOT = Path(__file__).parents[2]
SMALL = {"width": 64, "height": 36}
JUMP = parse({"count": {"event": "custom", "item": "jump", "at_least": 1}})
HOP = Task("hop", Goal("jump", JUMP), max_ticks=30, milestones={"jump": JUMP})
WANDER = Task("wander", Goal("wander about"), max_ticks=12)


class Fingerprints(Sink):
    """A hash of every frame, and what was told."""

    def __init__(self) -> None:
        self.frames: list[str] = []
        self.ticks: list[Tick] = []
        self.outcomes: list[Outcome | None] = []

    def begin(self, beginning: Beginning) -> None:
        self.frames.append(hashlib.sha256(beginning.observation.pov).hexdigest())

    def tick(self, tick: Tick) -> None:
        self.ticks.append(tick)
        self.frames.append(hashlib.sha256(tick.observation.pov).hexdigest())

    def end(self, outcome: Outcome | None) -> None:
        self.outcomes.append(outcome)


class Script(policies.NoopPolicy):
    """Calls a function of the tick, which may return anything or raise."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer, self.tick = answer, 0

    def reset(self, goals, *, rows=None, seeds=None) -> None:
        super().reset(goals, rows=rows, seeds=seeds)
        self.tick = 0

    def act(self, observations):
        self.tick += 1
        return self.answer(self.tick - 1)


class FragileEnv(VoxelEnv):
    """Breaks in its first episode, at tick 4."""

    def begin(self, task: Task, start: StartState, seed: int) -> Told:
        self.episodes = getattr(self, "episodes", 0) + 1
        return super().begin(task, start, seed)

    def play(self, action: Action, tick: int) -> Told:
        if self.episodes == 1 and tick == 4:
            raise EnvironmentFailure("the simulator fell silent for 60 s")
        return super().play(action, tick)


@pytest.fixture(scope="module")
def env():
    env = VoxelEnv(**SMALL)
    yield env
    env.close()


def results(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def quietly(config: PlayConfig) -> tuple[int, list[str]]:
    """The exit code, and what was said."""
    said: list[str] = []
    return play(config, said.append), said


# -- one episode


def test_sinks_are_told_every_tick_and_one_more_frame(env):
    told = Fingerprints()
    outcome = play_episode(env, load_policy("noop"), WANDER, 3, [told])
    assert (outcome.ticks, outcome.success, outcome.aborted) == (12, False, None)
    assert [tick.number for tick in told.ticks] == list(range(12))
    assert len(told.frames) == 13
    assert told.outcomes == [outcome]


def test_an_episode_ends_with_its_goal_and_names_the_tick(env):
    told = Fingerprints()
    policy = Script(lambda tick: [Action.of("jump")] if tick == 5 else [Action.noop()])
    outcome = play_episode(env, policy, HOP, 3, [told])
    assert outcome.success and outcome.milestones == {"jump": 5} and outcome.ticks == 6
    assert [tick.milestones for tick in told.ticks] == [()] * 5 + [("jump",)]


def test_a_policy_that_raises_aborts_its_episode(env):
    told = Fingerprints()

    def answer(tick: int):
        if tick == 2:
            raise ZeroDivisionError("a bad day")
        return [Action.noop()]

    outcome = play_episode(env, Script(answer), WANDER, 3, [told])
    assert outcome.aborted == "policy: ZeroDivisionError: a bad day" and outcome.ticks == 2
    assert outcome.traceback is not None and "a bad day" in outcome.traceback and "test_play" in outcome.traceback
    assert told.outcomes == [outcome]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ([], "returned 0 list for one observation"),
        ([Action.noop()] * 2, "returned 2 list of Action"),
        (np.zeros((1, 23)), "returned 1 ndarray"),
        ([{"forward": 1}], "returned 1 list of dict"),
        (None, "returned NoneType"),
    ],
)
def test_anything_but_one_action_aborts_the_episode(env, answer, complaint):
    outcome = play_episode(env, Script(lambda tick: answer), WANDER, 3)
    assert outcome.aborted is not None and complaint in outcome.aborted and outcome.ticks == 0


def test_our_own_errors_are_raised_after_the_sinks_were_told(env):
    class Full(Sink):
        def tick(self, tick: Tick) -> None:
            raise OSError("no space left")

    told = Fingerprints()
    with pytest.raises(OSError, match="no space"):
        play_episode(env, load_policy("noop"), WANDER, 3, [Full(), told])
    assert told.outcomes == [None]


def test_an_interruption_waits_until_a_tick_is_written(env):
    class Interrupted(Sink):
        def tick(self, tick: Tick) -> None:
            if tick.number == 3:
                os.kill(os.getpid(), signal.SIGINT)

    told = Fingerprints()
    with Interruption() as interruption:
        outcome = play_episode(env, load_policy("noop"), WANDER, 3, [Interrupted(), told], interruption=interruption)
    assert outcome.interrupted and outcome.ticks == 4 and len(told.ticks) == 4


# -- files


def test_a_run_leaves_results_video_actions_and_events(tmp_path):
    out = tmp_path / "run"
    config = PlayConfig("craft_diamond", episodes=2, seed=11, max_ticks=25, out=out, **SMALL)
    code, said = quietly(config)
    assert code == 0
    names = {f"episode_00{k}.{end}" for k in (0, 1) for end in ("mp4", "events.jsonl", "actions.jsonl")}
    assert {path.name for path in out.iterdir()} == names | {"results.jsonl", "config.json", "done"}
    first, second = results(out)
    assert (first["task"], first["seed"], second["seed"], first["policy"]) == ("craft_diamond", 11, 12, "random")
    assert (first["ticks"], first["success"], first["aborted"]) == (25, False, None)
    assert first["config_hash"] == config_hash(json.loads((out / "config.json").read_text()))
    assert first["versions"]["jarvis"] and first["video"] == "episode_000.mp4"
    assert len((out / first["actions"]).read_text().splitlines()) == 25
    assert all(0 <= event.tick < 25 for event in read_events(out / first["events"]))
    assert f"video  {out / 'episode_001.mp4'}" in said
    with av.open(str(out / "episode_000.mp4")) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.average_rate, stream.pix_fmt) == ("h264", 20, "yuv420p")
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(stream)]
    assert len(frames) == 26 and frames[0].shape == (36, 64, 3)


def test_the_video_shows_the_frames(tmp_path):
    path = tmp_path / "odd.mp4"
    video = VideoFile(path)
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    frames = [np.full((33, 65, 3), colour, np.uint8) for colour in colours]  # odd sides: one more row and column
    video.begin(Beginning(WANDER, 0, Observation(frames[0]), {}))
    for number, frame in enumerate(frames[1:]):
        assert not path.exists()
        video.tick(Tick(number, Action.noop(), Observation(frame), {}, (), ()))
    video.end(Outcome(False, 2))
    with av.open(str(path)) as decoded:
        shown = [frame.to_ndarray(format="rgb24") for frame in decoded.decode(video=0)]
    assert [frame.shape for frame in shown] == [(34, 66, 3)] * 3
    for frame, colour in zip(shown, colours, strict=True):
        assert np.abs(frame.reshape(-1, 3).mean(0) - colour).max() < 12


def test_a_failing_program_leaves_no_half_video(tmp_path):
    video = VideoFile(tmp_path / "half.mp4")
    video.begin(Beginning(WANDER, 0, Observation(np.zeros((32, 32, 3), np.uint8)), {}))
    video.end(None)
    assert list(tmp_path.iterdir()) == []


def test_a_replay_shows_the_identical_episode(tmp_path, env):
    out = tmp_path / "run"
    task = replace(WANDER, max_ticks=60)
    original, again = Fingerprints(), Fingerprints()
    run = RunFolder(out, {})
    play_episode(env, load_policy("random"), task, 21, [*run.sinks(0), original])
    policy = load_policy(f"replay:{run.episode(0, 'actions.jsonl')}")
    outcome = play_episode(VoxelEnv(**SMALL), policy, task, 21, [again])
    assert outcome.ticks == 60 and len(set(original.frames)) > 30
    assert again.frames == original.frames
    longer = play_episode(env, policy, replace(task, max_ticks=99), 21)
    assert (longer.ticks, longer.aborted) == (60, None)  # it ends with its actions


def test_a_replay_takes_the_seed_from_beside_its_actions(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert quietly(PlayConfig("play", seed=5, episodes=2, max_ticks=6, out=first, **SMALL))[0] == 0
    again = PlayConfig("play", policy=f"replay:{first / 'episode_001.actions.jsonl'}", max_ticks=6, out=second, **SMALL)
    assert quietly(again)[0] == 0
    assert results(second)[0]["seed"] == 6
    assert (first / "episode_001.actions.jsonl").read_text() == (second / "episode_000.actions.jsonl").read_text()


def test_a_broken_simulator_aborts_one_episode_and_the_next_goes_on(tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRONMENTS, "fragile", f"{__name__}:FragileEnv")
    out = tmp_path / "run"
    code, said = quietly(PlayConfig("play", env="fragile", episodes=2, max_ticks=8, out=out, **SMALL))
    assert code == 3
    first, second = results(out)
    assert first["aborted"] == "environment: the simulator fell silent for 60 s" and first["ticks"] == 4
    assert (second["aborted"], second["ticks"]) == (None, 8)
    assert (out / "done").exists() and (out / "episode_000.mp4").exists()
    assert any("fell silent" in line for line in said)


def test_a_finished_folder_is_refused_and_overwritten_only_on_request(tmp_path):
    out = tmp_path / "run"
    config = PlayConfig("play", policy="noop", max_ticks=3, out=out, **SMALL)
    assert quietly(config)[0] == 0
    (out / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match=r"already finished.*--overwrite"):
        play(config)
    assert quietly(replace(config, overwrite=True, max_ticks=2))[0] == 0
    assert [line["ticks"] for line in results(out)] == [2]
    assert (out / "notes.txt").read_text() == "mine"


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(SettingsError, match="is not empty"):
        play(PlayConfig("play", max_ticks=3, out=tmp_path, **SMALL))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_interrupted_run_goes_on_with_what_is_missing(tmp_path, monkeypatch):
    out = tmp_path / "run"
    config = PlayConfig("play", policy="noop", episodes=3, max_ticks=5, out=out, **SMALL)

    def answer(tick: int) -> list[Action]:
        if tick == 2 and (out / "results.jsonl").exists():  # in the second episode
            os.kill(os.getpid(), signal.SIGTERM)
        return [Action.noop()]

    with monkeypatch.context() as patch:
        patch.setattr(runs, "load_policy", lambda spec: Script(answer))
        assert quietly(config)[0] == 130
    assert [(line["ticks"], line["aborted"]) for line in results(out)] == [(5, None), (2, "interrupted")]
    assert (out / "episode_001.mp4").exists() and not (out / "done").exists()
    with pytest.raises(SettingsError, match="another, unfinished run"):
        play(replace(config, seed=4))
    code, said = quietly(config)
    assert code == 0 and any("1 of 3 episodes are there" in line for line in said)
    assert [(line["episode"], line["ticks"], line["aborted"]) for line in results(out)] == [
        (0, 5, None), (1, 5, None), (2, 5, None)
    ]  # fmt: skip
    assert (out / "done").exists()


def test_ctrl_c_finishes_the_files_and_exits_130(tmp_path):
    out = tmp_path / "run"
    asked = ["--task", "play", "--policy", "random", "--width", "64", "--height", "36", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "jarvis", "play", *asked], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        while not (out / ".episode_000.actions.tmp.jsonl").exists():
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    (line,) = results(out)
    assert line["aborted"] == "interrupted" and line["ticks"] > 0 and "aborted: interrupted" in said
    with av.open(str(out / "episode_000.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == line["ticks"] + 1
    assert not (out / "done").exists() and not list(out.glob(".*"))


# -- refused before anything is played


@pytest.mark.parametrize(
    ("change", "error", "complaint"),
    [
        ({"task": "craft_dimond"}, UnknownNameError, "did you mean craft_diamond"),
        ({"env": "voxels"}, UnknownNameError, "did you mean voxel"),
        ({"policy": "nobody"}, UnknownNameError, "this release plays"),
        ({"width": 1}, SettingsError, "width: 1, expected"),
        ({"env_options": {"fovv": 3}}, SettingsError, "fovv"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_folder(tmp_path, change, error, complaint):
    out = tmp_path / "run"
    with pytest.raises(error, match=complaint):
        play(PlayConfig(**({"task": "play", "out": out} | SMALL | change)))
    assert not out.exists()


def test_a_taken_port_is_told_and_leaves_no_folder(tmp_path):
    out = tmp_path / "run"
    with Page().open() as other, pytest.raises(SettingsError, match=f"--port {other.port}: Address already in use"):
        play(PlayConfig("play", watch=True, port=other.port, out=out, **SMALL))
    assert not out.exists()
