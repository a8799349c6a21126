from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from jarvis import training
from jarvis.core.errors import JarvisError
from jarvis.core.files import is_done, read_json_lines, write_json
from jarvis.core.random_streams import generator
from jarvis.training import checkpoints


class Toy(nn.Module):
    """A line with noise, dropout and a norm."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.LayerNorm(16), nn.Dropout(0.2), nn.Linear(16, 1))

    def loss(self, indices):
        x = torch.from_numpy(generator(1, "x").normal(size=(32, 4)).astype(np.float32))[indices]
        return (self.layers(x)[:, 0] - x.sum(1)).square().mean()


def write_toy(folder, model):
    write_json(folder / "config.json", {"format": "toy"})
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "card.md").write_text("A toy.\n")


def train(folder, stop, steps=4, saves=2, halves=False):
    """The loop of the docstring; `stop` steps of a run of `steps`."""
    accelerator = training.accelerator("no", "cpu")
    model = accelerator.prepare(Toy())
    config = training.OptimizerConfig(rate=0.01, warmup=1)
    optimizer = training.Optimizer(model, config, steps, accelerator)
    batches = training.Batches(32, 12, seed=3)
    average = training.Average(model, 0.9)
    parts = {"optimizer": optimizer, "batches": batches, "average": average}
    start = training.resume(folder, model, parts)
    log = training.Log(folder / "log.jsonl", start)
    for step, indices in zip(range(start, stop), batches, strict=False):
        training.seed_step(3, step)
        with accelerator.autocast():
            loss = (model.loss(part) for part in np.split(indices, 2)) if halves else model.loss(indices)
        facts = optimizer.step(loss)
        average.update(model)
        log.write(step, **facts)
        if training.every(saves)(step):
            training.save(folder, step + 1, lambda to: write_toy(to, model), model, parts)
    return model, average


def test_two_steps_a_stop_and_two_more_are_four_steps_bit_for_bit(tmp_path):
    whole, average = train(tmp_path / "whole", stop=4)
    train(tmp_path / "cut", stop=3)  # the third step comes after the checkpoint and is taken again
    resumed, resumed_average = train(tmp_path / "cut", stop=4)
    for (name, ours), (_, theirs) in zip(resumed.named_parameters(), whole.named_parameters(), strict=True):
        assert torch.equal(ours, theirs), name
        assert torch.equal(resumed_average.values[name], average.values[name]), name
    lines = [[(line["step"], line["rate"], line["norm"]) for line in read_json_lines(tmp_path / run / "log.jsonl")]
             for run in ("whole", "cut")]  # fmt: skip
    assert lines[0] == lines[1] and [line[0] for line in lines[0]] == [0, 1, 2, 3]
    files = {
        path.relative_to(tmp_path / "cut/step_00000004"): path for path in tmp_path.glob("cut/step_00000004/**/*.*")
    }
    assert len(files) == 6
    for name, path in files.items():
        assert path.read_bytes() == (tmp_path / "whole/step_00000004" / name).read_bytes(), name


def test_a_checkpoint_is_a_folder_that_others_can_load(tmp_path):
    train(tmp_path, stop=2)
    folder = training.latest(tmp_path)
    assert folder == tmp_path / "step_00000002" and is_done(folder)
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "card.md",
        "training_state",
        "done",
    }
    assert set(load_file(folder / "model.safetensors")) == set(Toy().state_dict())


def test_only_the_last_checkpoints_are_kept(tmp_path):
    train(tmp_path, stop=4, saves=1)
    assert [step for step, _ in training.saved(tmp_path)] == [3, 4]


def test_parts_of_a_batch_give_the_gradient_of_the_whole(tmp_path):
    class Still(Toy):
        def __init__(self):
            super().__init__()
            self.layers[2].p = 0.0

    accelerator, ends = training.accelerator("no", "cpu"), []
    for halves in (False, True):
        model = Still()
        optimizer = training.Optimizer(model, training.OptimizerConfig(warmup=0), 4, accelerator)
        indices = np.arange(12)
        optimizer.step((model.loss(part) for part in np.split(indices, 2)) if halves else model.loss(indices))
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    torch.testing.assert_close(ends[0], ends[1])


def _save_for_ever(folder):
    torch.set_num_threads(1)
    model = nn.Linear(700, 700)
    for step in range(training.resume(folder, model, {}) + 1, 10**6):
        training.save(folder, step, lambda to: write_toy(to, model), model, {})


def test_a_killed_process_leaves_a_whole_checkpoint(tmp_path):
    context = multiprocessing.get_context("fork")
    random = generator(0, "kills")
    model, steps = nn.Linear(700, 700), []
    for _ in range(8):
        process = context.Process(target=_save_for_ever, args=(tmp_path,))
        process.start()
        while training.latest(tmp_path) is None:
            time.sleep(0.002)
        time.sleep(float(random.uniform(0, 0.06)))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        steps.append(training.resume(tmp_path, model, {}))
        assert steps[-1] > 0
    training.prune(tmp_path, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == [training.latest(tmp_path).name]


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    model = nn.Linear(8, 8)
    training.save(tmp_path, 1, lambda to: write_toy(to, model), model, {})
    before = model.weight.detach().clone()

    def full(*arguments):
        raise checkpoints.SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with torch.no_grad():
        model.weight.zero_()
    with pytest.raises(OSError, match=r"step_00000002: .*No space left.*free some space"):
        training.save(tmp_path, 2, lambda to: write_toy(to, model), model, {})
    assert training.resume(tmp_path, model, {}) == 1 and torch.equal(model.weight, before)
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000001"]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda folder: (folder / "training_state/weights.safetensors").write_bytes(b"\0" * 40), "weights|Error"),
        (lambda folder: (folder / "training_state/state.json").write_text("{"), "state.json"),
    ],
)
def test_damage_is_named_with_the_way_out(tmp_path, spoil, complaint):
    model = nn.Linear(2, 2)
    training.save(tmp_path, 1, lambda to: write_toy(to, model), model, {})
    spoil(tmp_path / "step_00000001")
    with pytest.raises(training.CheckpointError, match=f"(?s){complaint}.*remove .*step_00000001"):
        training.resume(tmp_path, model, {})


def test_another_model_or_other_data_are_refused(tmp_path):
    model, batches = nn.Linear(2, 2), training.Batches(5, 2, seed=0)
    training.save(tmp_path, 1, lambda to: write_toy(to, model), model, {"batches": batches})
    with pytest.raises(training.CheckpointError, match=r"another model: .*weight"):
        training.resume(tmp_path, nn.Linear(3, 2), {"batches": batches})
    with pytest.raises(training.CheckpointError, match="count 5, this run has 6"):
        training.resume(tmp_path, model, {"batches": training.Batches(6, 2, seed=0)})
    with pytest.raises(training.CheckpointError, match=r"\['batches'\], expected \['optimizer'\]"):
        training.resume(tmp_path, model, {"optimizer": batches})


def test_every_example_comes_once_an_epoch_whatever_the_number_of_processes():
    batches = training.Batches(10, 4, seed=1)
    seen = np.concatenate([next(batches) for _ in range(5)])
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert not np.array_equal(seen[:10], seen[10:])
    shares = [training.Batches(10, 4, seed=1, rank=rank, world=2) for rank in (0, 1)]
    np.testing.assert_array_equal(np.concatenate([np.concatenate([next(s) for s in shares]) for _ in range(5)]), seen)


def test_the_rate_rises_and_falls():
    config = training.OptimizerConfig(rate=1.0, warmup=2, schedule="cosine", final=0.1)
    rates = [training.rate_at(config, step, 6) for step in (0, 1, 2, 4, 6)]
    np.testing.assert_allclose(rates, [0.5, 1.0, 1.0, 0.55, 0.1])
    assert training.rate_at(training.OptimizerConfig(rate=1.0, warmup=0, schedule="constant"), 5, 6) == 1.0


def test_a_gradient_that_is_not_finite_changes_nothing():
    model = nn.Linear(2, 1)
    optimizer = training.Optimizer(model, training.OptimizerConfig(), 2, training.accelerator("no", "cpu"))
    before = model.weight.detach().clone()
    facts = optimizer.step(model(torch.full((1, 2), float("inf"))).sum())
    assert not np.isfinite(facts["norm"]) and torch.equal(model.weight, before)


def test_an_average_changes_places_with_the_weights():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    average = training.Average(model, decay=0.5)
    nn.init.constant_(model.weight, 1.0)
    average.update(model)  # the first update: 1 of 10 is kept
    average.swap(model)
    assert model.weight.item() == pytest.approx(0.9)
    average.swap(model)
    assert model.weight.item() == 1.0


def test_a_log_survives_a_loss_that_is_no_number(tmp_path):
    training.Log(tmp_path / "log.jsonl").write(0, loss=torch.tensor(float("nan")), rate=np.float32(0.5))
    (line,) = read_json_lines(tmp_path / "log.jsonl")
    assert line["loss"] is None and line["rate"] == 0.5


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    widths: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Outer:
    steps: int = 10
    name: str | None = None
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError("steps from 1")


def test_settings_are_changed_by_name():
    changed = training.change(Outer(), {"steps": 3, "name": "x", "inner": {"rate": 2, "widths": [4]}})
    assert changed == Outer(3, "x", Inner(2.0, (4,))) and isinstance(changed.inner.rate, float)
    assert training.change(Outer(), {"inner": {"rate": "1e-4"}}).inner.rate == 1e-4
    assert training.to_json(changed) == {"steps": 3, "name": "x", "inner": {"rate": 2.0, "widths": [4]}}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"step": 3}, "unknown setting 'step'; did you mean steps"),
        ({"steps": 2.5}, "settings.steps: 2.5, expected int"),
        ({"steps": True}, "settings.steps: True, expected int"),
        ({"inner": {"widths": [1, "a"]}}, "settings.inner.widths: 'a', expected int"),
        ({"steps": 0}, "settings: steps from 1"),
    ],
)
def test_wrong_settings_are_named(settings, complaint):
    with pytest.raises(training.ConfigError, match=complaint):
        training.change(Outer(), settings)


def test_impossible_optimizers_and_precisions_are_refused():
    with pytest.raises(ValueError, match="schedule 'step'"):
        training.OptimizerConfig(schedule="step")
    with pytest.raises(JarvisError, match="precision 'fp8'"):
        training.accelerator("fp8")
