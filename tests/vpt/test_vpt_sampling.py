from __future__ import annotations

import math

import pytest
import torch

from jarvis.vpt import entropy, kl_divergence, log_probability, sample

HALVES = {"buttons_logp": torch.tensor([0.5, 0.5, 0.0]).log(), "camera_logp": torch.tensor([0.25] * 4).log()}


def test_the_most_probable_classes():
    output = {"buttons_logp": torch.tensor([[0.1, 0.9]]).log(), "camera_logp": torch.tensor([[0.6, 0.3, 0.1]]).log()}
    chosen = sample(output, deterministic=True)
    assert (chosen["buttons"].tolist(), chosen["camera"].tolist()) == ([1], [0])
    masks = {"camera": torch.tensor([[False, True, True]])}
    assert sample(output, deterministic=True, masks=masks)["camera"].tolist() == [1]
    assert log_probability(output, chosen).item() == pytest.approx(math.log(0.9 * 0.6))


def test_samples_follow_the_probabilities_and_the_seed():
    output = {"buttons_logp": torch.tensor([0.2, 0.8]).log().expand(4000, 2), "camera_logp": torch.zeros(4000, 1)}
    chosen = sample(output, torch.Generator().manual_seed(0))
    assert chosen["buttons"].float().mean().item() == pytest.approx(0.8, abs=0.03)
    again = sample(output, torch.Generator().manual_seed(0))
    assert torch.equal(chosen["buttons"], again["buttons"])


def test_entropy_and_divergence_are_sums_over_the_heads():
    output = {name: logp.clamp(min=-100) for name, logp in HALVES.items()}
    assert entropy(output).item() == pytest.approx(math.log(2) + math.log(4))
    assert kl_divergence(output, output).item() == 0
    sharp = {"buttons_logp": torch.tensor([0.0, -100.0, -100.0]), "camera_logp": output["camera_logp"]}
    assert kl_divergence(sharp, output).item() == pytest.approx(math.log(2))
