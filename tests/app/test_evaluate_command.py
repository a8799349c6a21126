from __future__ import annotations

import json

import pytest

from evaluation.results import load_results
from evaluation.rollouts import play
from evaluation.suites import get_suite
from jarvis.app import cli, evaluating, policies
from jarvis.app.demonstrator import CannotPlayError, ScriptedPolicy
from jarvis.core.actions import Action
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.envs.voxel import VoxelEnv

TASKS = ["--task", "craft_oak_planks-easy", "--task", "place"]  # a task and a group of the smoke suite

BLIND = ["--set", "env_options.draw=false"]


class Breaks(policies.Rows):
    """Plays nothing; in the episode whose goal has a word in it, it raises, or answers with too little."""

    def __init__(self, word="planks", how="raise"):
        super().__init__()
        self.word, self.how = word, how

    def begin(self, goal, seed):
        return goal is not None and self.word in goal.text

    def act(self, observations):
        bad = any(self._rows)
        if bad and self.how == "raise":
            raise RuntimeError("no memory left")
        return [Action.noop()] * (len(observations) - (1 if bad else 0))


def evaluate(*arguments):
    return cli.main(["evaluate", "--suite", "smoke", "--split", "validation", *arguments])


@pytest.fixture(scope="module")
def scripted(tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluate") / "scripted"
    code = evaluate(*TASKS, "--policy", "scripted", "--out", str(out), "--width", "64", "--height", "36", "--json")
    assert code == 0
    return out


def test_the_scripted_player_is_judged_like_any_other(scripted):
    config, lines = load_results(scripted)
    assert [(line["task"], line["success"], line["aborted"]) for line in lines] == [
        ("craft_oak_planks-easy", True, None), ("place_torch-easy", True, None),
    ]  # fmt: skip
    assert config["env_options"] == {"width": 64, "height": 36} and config["policy"] == "scripted"
    assert all((scripted / line["video"]).is_file() for line in lines)
    assert {"report.html", "summary.json", "eval_info.json", "done"} <= {path.name for path in scripted.iterdir()}


def test_json_is_a_line_an_episode_and_then_the_summary(tmp_path, capsys):
    out = tmp_path / "noop"
    assert evaluate(*TASKS, "--policy", "noop", "--out", str(out), "--no-videos", "--json", "--rows", "1") == 0
    *lines, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [line["task"] for line in lines] == ["craft_oak_planks-easy", "place_torch-easy"]
    assert summary["overall"] == summary["overall"] | {"episodes": 2, "success": 0, "failed": 2, "aborted": 0}
    config, _ = load_results(out)
    assert config["env_options"] == {"width": 128, "height": 128, "draw": False}  # nobody looks


def test_two_evaluations_are_compared(scripted, tmp_path, capsys):
    other = tmp_path / "noop"
    assert evaluate(*TASKS, "--policy", "noop", "--out", str(other), "--no-videos", "--rows", "1") == 0
    assert "all\t2\t0\t0\t0 % (0 to 66)\t-" in capsys.readouterr().out.splitlines()
    assert cli.main(["compare", str(other), str(scripted), "--tasks"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0] == f"A  noop  {other}" and table[-1].startswith("all\t2\t0\t2\t+100 (")
    assert any(row.startswith("place_torch-easy\t1\t0\t1\t+100") for row in table)
    assert cli.main(["compare", str(other), str(scripted), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["p"] == 0.5  # two throws, both heads
    assert cli.main(["compare", str(other), str(tmp_path / "absent")]) == 2
    assert "jarvis evaluate --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("how", "reason"),
    [("raise", "policy: RuntimeError: no memory left"), ("short", "policy: answered with 0 of list")],
)
def test_a_policy_that_fails_costs_its_episode_and_the_exit_code_tells(tmp_path, monkeypatch, capsys, how, reason):
    monkeypatch.setattr(evaluating, "load_policy", lambda spec: Breaks(how=how))
    out = tmp_path / "out"
    assert evaluate(*TASKS, "--policy", "breaks", "--out", str(out), "--no-videos", *BLIND) == 3
    _, lines = load_results(out)
    by_task = {line["task"]: line["aborted"] for line in lines}
    assert by_task["place_torch-easy"] is None and by_task["craft_oak_planks-easy"].startswith(reason)
    assert "craft_oak_planks-easy, seed" in capsys.readouterr().out
    monkeypatch.setattr(evaluating, "load_policy", lambda spec: Breaks("", how))
    out = tmp_path / "all"
    assert evaluate(*TASKS, "--policy", "breaks", "--out", str(out), "--no-videos", *BLIND) == 1


def test_ctrl_c_leaves_a_report_and_the_same_command_goes_on(tmp_path, monkeypatch):
    out = tmp_path / "out"
    asked = [*TASKS, "--policy", "noop", "--out", str(out), "--no-videos", "--rows", "1"]

    class Stops(policies.NoopPolicy):
        def begin(self, goal, seed):
            if goal is not None and "torch" in goal.text:
                raise KeyboardInterrupt

    monkeypatch.setattr(evaluating, "load_policy", lambda spec: Stops())
    assert evaluate(*asked) == 130
    assert (out / "report.html").is_file() and not (out / "done").exists()
    with open(out / "results.jsonl", "ab") as file:
        file.write(b'{"episode": 1, "task": "pla')  # and the disk lost the rest
    monkeypatch.setattr(evaluating, "load_policy", policies.load_policy)
    assert evaluate(*asked) == 0
    _, lines = load_results(out)
    assert [line["episode"] for line in lines] == [0, 1]
    assert evaluate(*asked) == 2  # it is finished


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--policy", "noop", "--task", "mine_oak_lgo"], "suite smoke: unknown task"),
        (["--policy", "noop", "--split", "trian"], "did you mean train"),
        (["--policy", "human"], "jarvis play --policy human"),
        (["--policy", "scripted", "--env", "crafter"], "'crafter' cannot"),
        (["--policy", "noop", "--judge", "http://127.0.0.1:1/v1"], "expected URL#MODEL"),
        (["--policy", "noop", "--judge", "http://127.0.0.1:1/v1#m", "--no-videos"], "leave --no-videos out"),
    ],
)
def test_what_cannot_be_evaluated_is_told_before_anything_is(tmp_path, capsys, arguments, complaint):
    assert evaluate(*arguments, "--out", str(tmp_path / "out")) == 2
    told = capsys.readouterr()
    assert complaint in told.err and not (tmp_path / "out").exists()


# -- the scripted player as a policy


def test_rows_of_the_scripted_player_know_nothing_of_each_other():
    suite = get_suite("smoke").part(("craft_oak_planks-easy", "place_torch-easy", "eat_bread-easy"))

    def outcomes(rows, threads):
        env = lambda: VoxelEnv(width=16, height=16, draw=False)  # noqa: E731
        played = play(suite.episodes("validation"), env, ScriptedPolicy(), rows=rows, threads=threads)
        return sorted((one.episode.task.name, one.success, one.ticks, one.aborted) for one in played)

    assert outcomes(1, None) == outcomes(2, 2)


def test_the_scripted_player_says_what_it_cannot_do():
    policy = ScriptedPolicy()
    with pytest.raises(CannotPlayError, match="goal 'play': "):
        policy.reset([Goal("play")])
    with pytest.raises(CannotPlayError, match="voxel worlds only, not 'crafter'"):
        policy.follow(0, type("Env", (), {"name": "crafter"})())
    task = get_suite("smoke").tasks["place_torch-easy"]
    policy.reset([task.goal], seeds=[1])
    with pytest.raises(CannotPlayError, match=r"call follow\(row, env\) after reset"):
        policy.act([Observation(VoxelEnv(width=16, height=16, draw=False).picture())])
