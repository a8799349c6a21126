import json

import pytest
from treadmill import Player, Treadmill, mining, suite

from evaluation import compare, evaluate
from evaluation.results import load_results
from evaluation.runs import finish_report
from evaluation.seeds import HeldOutError, check_trainable, episode_seeds, split_of
from jarvis.core.errors import FormatError, StartStateError, UnknownNameError
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task

TASKS = suite(mining("mine_five", 5), mining("dig_ten", 10, milestones=(3, 6)), mining("dig_never", 99), each=3)


def run(out, policy=None, **options):
    settings = {"policy_name": "player", "split": "validation", "make_env": Treadmill, "videos": False, "report": False}
    return evaluate(options.pop("suite", TASKS), policy or Player(), out, **(settings | options))


def untimed(line):
    return {key: value for key, value in line.items() if key not in ("usage", "seconds")}


def test_the_summary_adds_up(tmp_path):
    seeds = episode_seeds("validation", "dig_ten", 3)
    summary = run(tmp_path / "run", make_env=lambda: Treadmill({seeds[1]: "failure"}), rows=2)
    overall = summary["overall"]
    assert (overall["success"], overall["failed"], overall["aborted"]) == (5, 3, 1)
    assert overall["success"] + overall["failed"] + overall["aborted"] == summary["scheduled"] == 9
    assert overall["rate"] == 5 / 8 and overall["interval"] == pytest.approx([0.3057, 0.8632], abs=1e-4)
    assert summary["aborted_because"] == {"environment: the simulator did not answer within 30 s": 1}
    assert summary["per_task"]["dig_ten"]["ticks_to_success"] == (10.0, 10.0, 10.0)
    assert summary["per_group"]["dig"]["episodes"] == 6 and summary["missing"] == 0
    milestone = summary["milestones"]["dig_ten"]["6 stones"]
    assert (milestone["reached"], milestone["episodes"], milestone["ticks"]) == (2, 2, (5.0, 5.0, 5.0))
    assert milestone["curve"][0][:2] == [5, 1.0]
    assert (tmp_path / "run" / "done").is_file()


def test_a_line_says_everything_about_its_episode(tmp_path):
    run(tmp_path, tasks=["dig_ten"], episodes_each=1, videos=True)
    _, (line,) = load_results(tmp_path)
    assert line["milestones"] == {"3 stones": 2, "6 stones": 5}
    assert (line["task"], line["group"], line["policy"], line["split"]) == ("dig_ten", "dig", "player", "validation")
    assert line["seed"] == episode_seeds("validation", "dig_ten", 1)[0] and split_of(line["seed"]) == "validation"
    assert line["total_reward"] == line["best_reward"] == 1.0 and line["aborted"] is None
    assert set(line["versions"]) >= {"jarvis", "python", "numpy"} and len(line["config_hash"]) == 16
    for kind in ("video", "actions", "events"):
        assert (tmp_path / line[kind]).stat().st_size > 100
    assert json.loads((tmp_path / line["events"]).read_text().splitlines()[0]) == {
        "tick": 0, "name": "mine_block", "item": "stone", "count": 1,
    }  # fmt: skip


def test_a_results_file_that_was_cut_in_a_line_goes_on(tmp_path):
    whole = run(tmp_path / "whole")

    class Interrupted(Player):
        def act(self, observations):
            if self.calls == 25:
                raise KeyboardInterrupt
            return super().act(observations)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", Interrupted())
    results = tmp_path / "cut" / "results.jsonl"
    assert 1 < len(results.read_text().splitlines()) < 9 and not (tmp_path / "cut" / "done").exists()
    with open(results, "rb+") as file:
        file.truncate(results.stat().st_size - 30)
    again = run(tmp_path / "cut")
    assert again["overall"] == whole["overall"] and again["milestones"] == whole["milestones"]
    first, second = (load_results(tmp_path / name)[1] for name in ("whole", "cut"))
    assert [untimed(line) for line in first] == [untimed(line) for line in second]


def test_finished_and_foreign_folders_are_left_alone(tmp_path):
    run(tmp_path / "run", episodes_each=1)
    with pytest.raises(FileExistsError, match="already finished"):
        run(tmp_path / "run", episodes_each=1)
    (tmp_path / "run" / "done").unlink()
    with pytest.raises(FileExistsError, match="another, unfinished run"):
        run(tmp_path / "run", episodes_each=2)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("dear")
    with pytest.raises(FileExistsError, match="not empty"):
        run(tmp_path / "mine")
    run(tmp_path / "mine", episodes_each=1, overwrite=True)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "dear"


def test_what_cannot_be_played_is_refused_before_anything_is(tmp_path):
    night = Task("night", mining("x", 1).goal, StartState(time=14000))
    for bad, error, message in (
        ({"suite": "atomik"}, UnknownNameError, "did you mean atomic"),
        ({"tasks": ["mine_fife"]}, UnknownNameError, "did you mean mine_five"),
        ({"split": "tests"}, UnknownNameError, "did you mean test"),
        ({"suite": suite(night)}, StartStateError, "cannot honour time"),
        ({"episodes_each": 0}, ValueError, "expected at least 1"),
    ):
        with pytest.raises(error, match=message):
            run(tmp_path / "never", **bad)
    assert not (tmp_path / "never").exists()


def test_only_evaluate_opens_the_test_seeds(tmp_path):
    with pytest.raises(HeldOutError, match="for evaluate"):
        TASKS.episodes("test")
    run(tmp_path, split="test")
    seeds = [line["seed"] for line in load_results(tmp_path)[1]]
    assert {split_of(seed) for seed in seeds} == {"test"} and len(set(seeds)) == 9
    with pytest.raises(HeldOutError, match="one of the test seeds"):
        check_trainable(seeds[0])
    assert check_trainable(7) == 7
    with pytest.raises(HeldOutError):
        TASKS.episodes("test")


def test_eval_info_has_lerobots_layout(tmp_path):
    run(tmp_path, tasks=["mine", "dig_never"], videos=True)
    info = json.loads((tmp_path / "eval_info.json").read_text())
    assert set(info) >= {"per_task", "per_group", "overall"}
    five, never = info["per_task"]
    assert (five["task_group"], five["task_id"], five["metrics"]["successes"]) == ("mine", 0, [True] * 3)
    assert never["metrics"]["sum_rewards"] == [0.0] * 3 and len(never["metrics"]["video_paths"]) == 3
    assert info["per_group"]["mine"]["pc_success"] == 100.0
    overall = info["overall"]
    assert overall["pc_success"] == 50.0 and overall["avg_sum_reward"] == 0.5 and overall["n_episodes"] == 6
    assert set(overall) == {
        "avg_sum_reward",
        "avg_max_reward",
        "pc_success",
        "n_episodes",
        "eval_s",
        "eval_ep_s",
        "video_paths",
    }


def test_two_policies_are_compared_on_what_both_played(tmp_path):
    twelve = suite(mining("mine_five", 5), mining("dig_ten", 10, ticks=12, milestones=(6,)), each=4)
    seeds = episode_seeds("validation", "dig_ten", 4)
    run(tmp_path / "good", suite=twelve)
    run(
        tmp_path / "slow",
        Player(pause=2),
        suite=twelve,
        make_env=lambda: Treadmill({seeds[0]: "failure"}),
        policy_name="slow",
    )  # every second tick: five stones in nine ticks, ten never in twelve
    told = compare(tmp_path / "good", tmp_path / "slow")
    assert told["first"]["policy"] == "player" and told["second"]["policy"] == "slow"
    overall = told["overall"]
    assert (overall["pairs"], overall["only_first"], overall["only_second"]) == (7, 3, 0)
    assert overall["difference"][0] == pytest.approx(-3 / 7, abs=1e-6) and overall["p"] == 2 / 2**3
    assert told["per_task"]["mine_five"]["difference"] == [0.0, -0.489891, 0.489891]  # three pairs that agree
    assert told["milestones"]["dig_ten"]["6 stones"]["only_first"] == 0  # six stones take eleven ticks
    assert told["left_out"] == {"task differs": 0, "only in one": 0, "aborted": 1}


def test_tasks_that_changed_are_not_compared(tmp_path):
    run(tmp_path / "old", suite=suite(mining("mine_five", 5), mining("dig", 3)))
    run(tmp_path / "new", suite=suite(mining("mine_five", 6), mining("dig", 3)))
    told = compare(tmp_path / "old", tmp_path / "new")
    assert told["overall"]["pairs"] == 2 and told["left_out"]["task differs"] == 2
    run(tmp_path / "other", suite=suite(mining("mine_five", 6)))
    with pytest.raises(FormatError, match="no episode in common"):
        compare(tmp_path / "old", tmp_path / "other")
    with pytest.raises(FileNotFoundError, match=r"no results\.jsonl"):
        compare(tmp_path / "old", tmp_path / "nowhere")


def test_lines_of_another_run_are_not_counted(tmp_path):
    run(tmp_path, episodes_each=1)
    results = tmp_path / "results.jsonl"
    lines = results.read_text().splitlines()
    results.write_text("\n".join([*lines, lines[0].replace('"config_hash":"', '"config_hash":"0')]) + "\n")
    with pytest.raises(FormatError, match="line 4: of another run"):
        finish_report(tmp_path, html=False)
