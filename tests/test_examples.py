"""Every example runs, is short, and does what it says."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_short_and_run_below():
    tests = Path(__file__).read_text()
    for file in sorted(EXAMPLES.glob("*.py")):
        assert len(file.read_text().splitlines()) < 60, file.name
        assert f'example("{file.stem}")' in tests, file.name


def test_a_gymnasium_loop_walks():
    info = example("gymnasium_loop").main(ticks=40)
    assert info["tick"] == 40 and info["custom"]["jump"] == 2


def test_a_task_of_ones_own_is_played():
    info = example("own_task").main()
    assert info["success"] and list(info["milestones"]) == ["planks"]


def test_a_policy_of_ones_own_is_judged(tmp_path):
    summary = example("own_policy").main(str(tmp_path / "run"), episodes_each=1)
    assert summary["overall"]["episodes"] == 5 and (tmp_path / "run" / "report.html").is_file()


@pytest.mark.slow
def test_play_is_recorded_and_read(tmp_path):
    assert example("record_and_read").main(str(tmp_path)) > 50
