"""Policy gradient: advantages within a group, what is repeated, and runs that go on."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from jarvis.core.goals import Count, Goal
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.training.optimizers import OptimizerConfig
from vla.reinforce import Reinforcement, advantages_of, reinforce, reward_of
from vla.samples import Samples

torch = pytest.importorskip("torch")
DROP = Task(
    "drop",
    Goal("drop the dirt", Count("drop", "dirt", 1)),
    StartState(slots={0: ("dirt", 1)}, weather="clear"),
    max_ticks=2,
    milestones={"never": Count("drop", "stone", 1)},
)
FAST = OptimizerConfig(rate=2e-3, warmup=0, schedule="constant", decay=0.0)
TINY = Reinforcement(model="tiny", rounds=2, groups=1, group=6, keep=2, max_ticks=2, optimizer=FAST, max_tokens=128)


def test_advantages_compare_within_the_group():
    assert advantages_of([1, 0, 0, 1]).tolist() == [1, -1, -1, 1]
    assert advantages_of([0.3, 0.3, 0.3]).tolist() == [0, 0, 0]
    three = advantages_of([0.0, 0.5, 1.0])
    assert three.sum() == pytest.approx(0)
    assert three[1] == pytest.approx(0)


def test_reward_is_what_the_predicates_say():
    assert reward_of({"success": True, "milestones": {}}, DROP) == 1
    assert reward_of({"success": False, "milestones": {"never": 3}}, DROP) == 0.5
    assert reward_of({"success": False, "milestones": {}}, DROP) == 0
    with pytest.raises(ValueError, match="two episodes"):
        Reinforcement(group=1)


def test_rounds_teach_and_a_stopped_run_goes_on(tmp_path):
    whole = reinforce(TINY, [DROP], tmp_path / "whole", device="cpu")
    lines = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert [line["episodes"] for line in lines] == [6, 6]
    assert whole.name == "step_00000002"
    taught = sum(line["taught"] for line in lines)
    assert taught, "the random model drops the dirt in some episodes and not in others"
    round_number = next(line["step"] for line in lines if line["taught"])
    samples = Samples([tmp_path / "whole" / f"round_{round_number:04d}"])
    by_episode = {}
    for sample in samples:
        [label] = [label for label in sample.labels if label.startswith("advantage:")]
        by_episode[sample.episode] = float(label.partition(":")[2])
    assert abs(sum(by_episode.values())) < 1e-4
    assert any(value > 0 and any(s.action.get("drop") for s in samples if s.episode == name)
               for name, value in by_episode.items())  # fmt: skip
    reinforce(replace(TINY, rounds=1), [DROP], tmp_path / "cut", device="cpu")
    rest = reinforce(TINY, [DROP], tmp_path / "cut", device="cpu")
    from safetensors.torch import load_file

    one, two = (load_file(folder / "training_state" / "weights.safetensors") for folder in (whole, rest))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert np.isfinite([value.float().abs().max().item() for value in one.values()]).all()
