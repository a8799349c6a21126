"""The three stages from the command line: data, training, play, and going on after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from jarvis.app import cli
from vla.samples import Samples

pytest.importorskip("torch")
QUICK = ["--set", "steps=2", "--set", "batch=2", "--set", "save_every=1", "--set", "width=112", "--set", "height=56"]


def run(capsys, *arguments):
    code = cli.main([*map(str, arguments), "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out.splitlines()[-1]) if told.out else told.err


def test_all_stages_one_after_the_other(tmp_path, capsys):
    task = ["--task", "place_torch-easy"]
    code, told = run(capsys, "train", "vla-data", "language", "--out", tmp_path / "language")
    assert (code, told["samples"]) == (0, len(Samples([tmp_path / "language"])))
    code, told = run(capsys, "train", "vla-data", "vision", *task, "--pictures", "1", "--out", tmp_path / "vision")
    assert (code, told["samples"]) == (0, 3)
    code, told = run(capsys, "train", "vla-data", "trajectories", *task, "--episodes", "1", "--out", tmp_path / "steps")
    assert (code, told["successes"]) == (0, 1)
    assert told["samples"] < 60
    assert json.loads((tmp_path / "steps" / "provenance.json").read_text())["labels"]["task:place_torch-easy"]

    model = "tiny"
    for stage, data in (("language", "language"), ("vision", "vision"), ("trajectories", "steps")):
        code, told = run(
            capsys, "train", "vla", "--recipe", f"tiny-{stage}", "--data", tmp_path / data, "--model", model,
            "--out", tmp_path / f"run_{stage}", "--device", "cpu", *QUICK,
        )  # fmt: skip
        assert (code, told["stage"]) == (0, stage)
        model = told["checkpoint"]
    code, told = run(capsys, "train", "vla-data", "trajectories", *task, "--episodes", "1", "--policy", model,
                     "--share", "1", "--max-ticks", "4", "--out", tmp_path / "dagger")  # fmt: skip
    assert (code, told["samples"]) == (0, 4)
    code, told = run(capsys, "play", *task, "--policy", model, "--max-ticks", "3", "--width", "112", "--height", "63",
                     "--out", tmp_path / "play")  # fmt: skip
    assert (code, told["ticks"], told["aborted"]) == (0, 3, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "vla-data", "sounds", "--out", "{}/x"], "stage 'sounds'"),
        (["train", "vla-data", "trajectories", "--own", "--out", "{}/x"], "--own needs --policy"),
        (["train", "vla-data", "trajectories", "--from", "{}", "--out", "{}/x"], "not a single sample"),
        (["train", "vla", "--data", "{}", "--out", "{}/x"], "no parquet file there"),
        (["train", "vla", "--recipe", "huge", "--data", "{}", "--out", "{}/x"], "recipe 'huge'"),
        (["train", "vla", "--data", "{}", "--out", "{}/x", "--set", "step=3"], "unknown setting 'step'"),
        (["train", "vla", "--data", "{}", "--out", "{}/x", "--model", "nobody/nothing"], "hf download nobody/nothing"),
    ],
)
def test_usage(tmp_path, capsys, arguments, said):
    code = cli.main([argument.format(tmp_path) for argument in arguments])
    assert code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_twenty_steps_equal_ten_a_kill_and_ten(tmp_path, capsys):
    from safetensors.torch import load_file

    run(capsys, "train", "vla-data", "trajectories", "--task", "place_torch-easy", "--episodes", "3", "--out",
        tmp_path / "steps")  # fmt: skip
    command = [sys.executable, "-m", "jarvis", "train", "vla", "--data", str(tmp_path / "steps"), "--device", "cpu",
               "--set", "steps=20", "--set", "batch=4", "--set", "save_every=10", "--set", "augment=true"]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "--out", str(tmp_path / "whole")], check=True, env=environment, capture_output=True)
    process = subprocess.Popen([*command, "--out", str(tmp_path / "cut")], env=environment, stdout=subprocess.DEVNULL)
    while not (tmp_path / "cut" / "step_00000010" / "done").is_file():
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cut" / "step_00000020").exists()
    subprocess.run([*command, "--out", str(tmp_path / "cut")], check=True, env=environment, capture_output=True)
    one, two = (
        load_file(tmp_path / name / "step_00000020" / "training_state" / "weights.safetensors")
        for name in ("whole", "cut")
    )
    assert one.keys() == two.keys()
    assert all(value.equal(two[name]) for name, value in one.items())
