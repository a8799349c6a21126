from __future__ import annotations

import importlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jarvis
from evaluation import tasks
from jarvis.app import cli, runs
from jarvis.app.settings import SettingsError, merge, parse_assignment, read_config
from jarvis.core import EnvironmentFailure, UnknownNameError

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "numpy", "gymnasium", "numba", "cv2", "av", "yaml"}


def run_fresh(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "jarvis", *arguments],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | environment,
    )  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """What `jarvis play` would play."""
    configs: list[runs.PlayConfig] = []

    def keep(config, say, tell):
        configs.append(config)
        return 0

    monkeypatch.setattr(runs, "play", keep)
    return configs


# -- quick to start


@pytest.mark.parametrize("arguments", [["--help"], ["play", "--help"], ["--version"], ["play"]])
def test_help_loads_nothing_heavy(arguments):
    script = (
        "import sys\nfrom jarvis.app.cli import main\nmain(sys.argv[1:])\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert HEAVY.isdisjoint(done.stderr.split()), HEAVY & set(done.stderr.split())


def test_the_version_is_the_package_s(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"jarvis {jarvis.__version__}\n"


def every_command(table, *above):
    for name, (target, words) in table.items():
        if isinstance(target, dict):
            yield from every_command(target, *above, name)
        else:
            yield (*above, name), target, words


@pytest.mark.parametrize(("path", "module", "words"), list(every_command(cli.COMMANDS)))
def test_every_command_of_the_table_is_there_and_takes_what_all_take(capsys, path, module, words):
    function = getattr(importlib.import_module(f"jarvis.app.commands.{module}"), module)
    assert function.__doc__.splitlines()[0] == words and len(words) <= 64  # not cut in 80 columns
    assert {"seed", "as_json", "config", "assignments"} <= set(inspect.signature(function).parameters)
    assert cli.main([*path, "--help"]) == 0
    shown = capsys.readouterr().out
    assert words in " ".join(shown.split()) and "--json" in shown and "--set" in shown


def test_every_module_of_commands_is_in_the_table():
    here = {path.stem for path in (ROOT / "jarvis/app/commands").glob("*.py")} - {"__init__", "options"}
    assert here == {module for _, module, _ in every_command(cli.COMMANDS)}


def test_without_a_command_it_shows_help(capsys):
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in ("play", "tasks", "doctor"))


def test_the_shell_can_complete_names():
    done = run_fresh(_JARVIS_COMPLETE="complete_bash", COMP_WORDS="jarvis play --task craft_dia", COMP_CWORD="3")
    assert "craft_diamond" in done.stdout.split()
    assert "--show-completion" in run_fresh("--help").stdout


# -- exit codes and errors


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["plai"], 2, "No such command 'plai'"),
        (["play"], 2, "Missing option '--task'"),
        (["play", "--task", "play", "--episodes", "0"], 2, "episodes"),
        (["play", "--task", "craft_dimond"], 2, "did you mean craft_diamond"),
        (["play", "--task", "play", "--env", "voxl"], 2, "unknown environment 'voxl'; did you mean voxel"),
        (["play", "--task", "play", "--policy", "nobody"], 2, "this release plays default, random, noop, replay:FILE"),
        (["play", "--task", "play", "--policy", "replay:absent.jsonl"], 2, "absent.jsonl"),
        (["play", "--task", "play", "--set", "tsk=1"], 2, "unknown setting 'tsk'; did you mean task"),
        (["play", "--task", "play", "--set", "seed"], 2, "expected name=value"),
        (["play", "--task", "play", "--set", "env_options=3"], 2, "expected a mapping"),
        (["play", "--task", "play", "--config", "absent.yaml"], 2, "absent.yaml: No such file"),
        (["doctor", "--run"], 2, "jarvis doctor --setup minerl --run"),
        (["doctor", "--setup", "minerli"], 2, "minerl"),
    ],
)
def test_what_a_user_mistypes_is_one_clear_line(capsys, tmp_path, monkeypatch, arguments, code, complaint):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == code
    told = capsys.readouterr()
    assert complaint in told.err and told.err.startswith("jarvis: ") and "Traceback" not in told.err
    assert told.out == "" and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownNameError("task", "x"), 2),
        (EnvironmentFailure("no Java"), 1),
        (FileNotFoundError(2, "No such file", "x"), 2),
        (OSError(28, "No space left"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_have_their_exit_codes(monkeypatch, capsys, error, code):
    def fail(*_):
        raise error

    monkeypatch.setattr(runs, "play", fail)
    assert cli.main(["play", "--task", "play"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(runs, "play", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["play", "--task", "play"])


# -- settings


def test_typed_options_win_over_set_and_set_over_the_file(asked, tmp_path):
    file = tmp_path / "play.yaml"
    lines = [
        "task: play",
        "episodes: 2",
        "max-ticks: 100",
        "seed: 1",
        "watch: true",
        "env_options: {fov: 90, hud: false}",
    ]
    file.write_text("\n".join(lines))
    settings = ["--set", "max_ticks=200", "--set", "seed=2", "--set", "env_options.fov=80", "--config", str(file)]
    assert cli.main(["play", *settings, "--seed", "3"]) == 0
    (config,) = asked
    assert (config.task, config.episodes, config.max_ticks, config.seed, config.watch) == ("play", 2, 200, 3, True)
    assert config.env_options == {"fov": 80, "hud": False}


def test_defaults_of_play(asked):
    assert cli.main(["play", "--task", "craft_diamond"]) == 0
    assert asked == [runs.PlayConfig("craft_diamond", policy="default")]


def test_a_setting_has_its_option_s_type(capsys, asked):
    assert cli.main(["play", "--task", "play", "--set", "episodes=many"]) == 2
    assert "--episodes" in capsys.readouterr().err and not asked


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "3", "a: [", "1: 2"])
def test_a_config_is_a_mapping_of_names(tmp_path, text):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"bad\.yaml"):
        read_config(file)


def test_assignments_nest():
    assert parse_assignment("train.lr=1.5e-5") == {"train": {"lr": 1.5e-5}}
    assert parse_assignment("a=[1, 2]") == {"a": [1, 2]}
    assert parse_assignment("a=") == {"a": ""}
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}}) == {"a": {"b": 4, "c": 2}, "d": 3}


# -- commands


def test_play_answers_with_json_alone_on_standard_output(tmp_path):
    out = tmp_path / "run"
    asked = ["--max-ticks", "3", "--episodes", "2", "--width", "64", "--height", "36", "--out", str(out), "--json"]
    done = run_fresh("play", "--task", "play", "--policy", "random", "--seed", "4", *asked)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["seed"], line["ticks"]) for line in lines] == [(4, 3), (5, 3)]
    assert "episode 1 of 2: play, seed 4" in done.stderr and "video " in done.stderr


def test_tasks_are_listed_with_goal_time_and_start(capsys):
    assert cli.main(["tasks", "--json"]) == 0
    listed = {task["name"]: task for task in map(json.loads, capsys.readouterr().out.splitlines())}
    assert list(listed) == list(tasks.names())
    assert listed["craft_diamond"]["max_ticks"] == 24000 and len(listed["craft_diamond"]["milestones"]) == 13
    assert cli.main(["tasks"]) == 0
    assert "craft_diamond\tcraft a diamond pickaxe\t24000\tnew world" in capsys.readouterr().out


def test_doctor_lists_what_is_there(capsys):
    code = cli.main(["doctor", "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == (1 if any(row["status"] == "missing" for row in rows) else 0)
    assert {"python", "numpy"} <= {row["name"] for row in rows}


def test_doctor_shows_the_steps_of_a_set_up(capsys):
    assert cli.main(["doctor", "--setup", "minerl", "--json"]) == 0
    steps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any("minerl" in " ".join(step["command"]) for step in steps)
    assert cli.main(["doctor", "--setup", "minestudio"]) == 0
    assert capsys.readouterr().out.startswith("# ")
