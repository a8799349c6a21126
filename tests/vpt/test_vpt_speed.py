from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from jarvis.vpt import InputError, build, foundation_1x, idm_4x, prepare
from jarvis.vpt.networks import VPTIDM
from jarvis.vpt.winograd import LEAST_CHANNELS


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_prepared_networks_give_the_same_labels(idm, clip, precision):
    clip = clip[:1, :6]
    expected = idm(clip)
    found = prepare(copy.deepcopy(idm), "cpu", precision)(clip)
    same = np.mean([(found[name].argmax(-1) == expected[name].argmax(-1)).float().mean().item() for name in expected])
    # These random weights are nearly undecided at many a frame; bfloat16 has three digits.
    assert same >= (0.999 if precision == "float32" else 0.9)


def test_a_policy_keeps_its_memory_in_float32(policy, clip):
    prepared = prepare(copy.deepcopy(policy), "cpu", "bfloat16")
    output, state = prepared(clip[:, :2], np.zeros((2, 2), bool), prepared.initial_state(2))
    assert output["buttons_logp"].dtype == torch.float32 and {keys.dtype for keys in state.keys} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in prepared.parameters())


def test_wide_networks_get_fast_convolutions_in_float32_only():
    config = foundation_1x()
    assert min(config.channels) >= LEAST_CHANNELS and min(idm_4x().channels) >= LEAST_CHANNELS
    sizes = {"temperature": 1.0, "num_buttons": 4, "num_camera": 4, "image_size": 16}
    small = build(type(config)((64, 64), 16, 1, 1, **sizes), seed=0)
    fast = prepare(small, "cpu", "float32").net.img_process.cnn.stacks[1].firstconv
    assert fast.fast is not None
    assert prepare(small, "cpu", "bfloat16").net.img_process.cnn.stacks[1].firstconv.fast is None


def test_precisions_that_are_not_offered_are_named(idm):
    assert isinstance(idm, VPTIDM)
    with pytest.raises(InputError, match="precision 'int8', expected auto, float32, bfloat16"):
        prepare(idm, "cpu", "int8")
