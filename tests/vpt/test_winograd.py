from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from jarvis.vpt import IDMConfig, build, fast_convolutions
from jarvis.vpt.winograd import convolve, transform_weight

CONFIG = IDMConfig((64, 64), 32, 2, 1, temperature=1.0, image_size=32, conv_channels=64)


def test_small_whole_numbers_give_the_exact_sums():
    # One input of 1 in the corner of a tile: the output is the kernel turned around.
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 3, 3] = 1
    kernel = torch.arange(9.0).reshape(1, 1, 3, 3)
    found = convolve(x, transform_weight(kernel))[0, 0]
    torch.testing.assert_close(found[2:5, 2:5], torch.tensor([[8.0, 7, 6], [5, 4, 3], [2, 1, 0]]), atol=1e-5, rtol=0)
    assert found.sum().item() == pytest.approx(36, abs=1e-4)


@pytest.mark.parametrize("shape", [(1, 3, 4, 4), (3, 5, 8, 12), (2, 64, 128, 128)], ids=str)
def test_any_shape_is_as_exact_as_the_direct_convolution(shape):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).to(memory_format=torch.channels_last)
    kernel = torch.randn(16, shape[1], 3, 3, generator=generator) / (9 * shape[1]) ** 0.5
    exact = functional.conv2d(x.double(), kernel.double(), padding=1)
    found = convolve(x, transform_weight(kernel))
    assert found.shape == exact.shape
    assert (found - exact).abs().max() < 2e-5
    assert (found - exact).abs().mean() < 1e-6


def test_a_prepared_model_gives_the_same_labels_until_it_is_trained():
    model = build(CONFIG, seed=0).trainable(False)
    frames = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 32, 3), np.uint8)
    direct = model.features(frames)
    fast_convolutions(model)
    prepared = [module for module in model.modules() if getattr(module, "fast", None)]
    assert len(prepared) == 10
    fast = model.features(frames)
    torch.testing.assert_close(fast, direct, atol=1e-5, rtol=1e-5)
    assert not torch.equal(fast, direct)
    model.trainable()
    assert not any(getattr(module, "fast", None) for module in model.modules())
