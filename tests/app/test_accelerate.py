"""`accelerate launch` on two processes makes what one makes: they speak over gloo, on this machine's CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from jarvis.app.cli import main
from vla.prompts import IMAGE, Turn
from vla.samples import Sample, SampleWriter, encoded

pytest.importorskip("torch")


def launch(*arguments: object) -> None:
    """Two processes with a core's worth of threads each."""
    # NOTE: `--cpu --num_processes 2` starts one process; `--multi_gpu` is torchrun, `--device cpu` keeps it off a GPU
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
               "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
               "--num_cpu_threads_per_process", "1", "--main_process_port", "0",
               "-m", "jarvis", *map(str, arguments)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def farthest(one: Path, other: Path) -> float:
    """The largest difference between two weights."""
    ours, theirs = load_file(one), load_file(other)
    assert ours.keys() == theirs.keys()
    return max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)


def moved(run: Path, first: str, last: str) -> float:
    """The largest change of a weight between two checkpoints."""
    weights = "training_state/weights.safetensors"
    return farthest(run / first / weights, run / last / weights)


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> Path:
    """Questions with no picture, a short or a long answer, and pictures: no two processes have the same of them."""
    folder = tmp_path_factory.mktemp("samples") / "data"
    random = np.random.default_rng(0)
    with SampleWriter(folder, {}) as writer:
        for number in range(30):
            if number % 3:
                turns = (
                    Turn("user", (f"How much is {number}?\n",)),
                    Turn("assistant", ("so much " * (number % 7 + 1),)),
                )
                writer.add(Sample(f"qa-{number:03d}", turns))
            else:
                picture = random.integers(0, 255, (56, 112, 3)).astype(np.uint8)
                turns = (Turn("user", ("What is it?\n", IMAGE)), Turn("assistant", (f"It is {number}.\n",)))
                writer.add(Sample(f"seen-{number:03d}", turns, (encoded(picture),)))
    return folder


def log_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def compare(tmp_path: Path, *asked: object, same: tuple[str, ...]) -> None:
    """Six steps by one process, and by two; what the logs say and the weights must agree."""
    steps = ("--device", "cpu", "--set", "steps=6", "--set", "save_every=3", "--set", "log_every=1")
    one, two = tmp_path / "one", tmp_path / "two"
    assert main([*map(str, asked), *steps, "--out", str(one)]) == 0
    launch(*asked, *steps, "--out", two)
    weights = "training_state/weights.safetensors"
    moved = farthest(one / "step_00000003" / weights, one / "step_00000006" / weights)
    assert farthest(one / "step_00000006" / weights, two / "step_00000006" / weights) < 0.02 * moved
    here, there = log_of(one), log_of(two)
    assert [line["step"] for line in there] == [line["step"] for line in here] == list(range(6))
    for name in same:
        np.testing.assert_allclose([line[name] for line in there], [line[name] for line in here], rtol=2e-3)


def test_a_vision_language_model(samples, tmp_path):
    settings = {"batch": 6, "rows": 1, "width": 112, "height": 56, "max_tokens": 96, "optimizer.warmup": 1}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    given = ["--recipe", "tiny-vision", "--data", samples, *given]
    compare(tmp_path, "train", "vla", *given, same=("loss", "norm", "rate"))
    tokens = [sum(line["tokens"] for line in log_of(tmp_path / name)) for name in ("one", "two")]
    assert 0 < tokens[1] < 0.8 * tokens[0]  # of the first process alone: the work was shared


def test_a_share_that_does_not_come_out_even_is_refused(samples, tmp_path):
    with pytest.raises(AssertionError, match="batches of 5 cannot be shared by 2 processes"):
        launch("train", "vla", "--data", samples, "--set", "batch=5", "--device", "cpu", "--out", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("network", ["idm", "foundation"])
def test_networks_of_vpt(network, tmp_path):
    play = ["record", "--player", "random", "--task", "play", "--max-ticks", "90", "--width", "128", "--height", "128"]
    assert main([*play, "--episodes", "3", "--out", str(tmp_path / "play")]) == 0
    data = ["--data", tmp_path / "play"] if network == "idm" else [tmp_path / "play"]
    settings = ["--recipe", "tiny", "--set", "batch=4", "--set", "optimizer.warmup=1"]
    settings += ["--set", "network.dropout=0"] if network == "idm" else []  # each process drops others
    compare(tmp_path, "train", network, *data, *settings, same=("norm", "rate"))
