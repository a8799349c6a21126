from __future__ import annotations

import dataclasses
import json

import pytest
import vpt_reference as reference

from jarvis.core.actions import VPT_CAMERA, JointActions
from jarvis.vpt import (
    IDMConfig,
    ModelFileError,
    PolicyConfig,
    foundation_1x,
    foundation_2x,
    foundation_3x,
    idm_4x,
    tiny,
    tiny_idm,
)
from jarvis.vpt.config import config_from_dict, config_from_kwargs, config_from_shapes, config_to_dict
from jarvis.vpt.initialisation import build_empty

NETWORKS = {
    "vpt_policy_1x": (foundation_1x, 134, 70_998_654),
    "vpt_policy_2x": (foundation_2x, 134, 248_495_294),
    "vpt_policy_3x": (foundation_3x, 134, 532_504_318),
    "vpt_policy_tiny": (tiny, 102, 1_230_094),
    "idm": (idm_4x, 100, 482_330_046),
    "idm_tiny": (tiny_idm, 100, 664_766),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_are_those_of_the_released_weights(name):
    preset, count, elements = NETWORKS[name]
    network = build_empty(preset())  # on the meta device: no memory
    shapes = {key: list(tensor.shape) for key, tensor in network.state_dict().items()}
    assert list(shapes.items()) == list(reference.read_keys(name)["keys"].items())
    assert len(shapes) == count
    assert sum(tensor.numel() for tensor in network.state_dict().values()) == elements


@pytest.mark.parametrize("name", NETWORKS)
def test_presets_equal_their_kwargs(name):
    preset = NETWORKS[name][0]()
    table = reference.read_keys(name)
    config = config_from_kwargs(table["kwargs"], preset.temperature)
    assert config == preset


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_give_the_config(name):
    preset = NETWORKS[name][0]()
    config = config_from_shapes(reference.read_keys(name)["keys"], temperature=preset.temperature)
    # How long clips were in training leaves no trace in an IDM.
    assert config == (dataclasses.replace(preset, window_ticks=128) if isinstance(preset, IDMConfig) else preset)


def test_released_sizes_have_released_temperatures_and_others_a_warning(recwarn):
    for name, temperature in (("vpt_policy_1x", 1.0), ("vpt_policy_2x", 2.0), ("idm", 4.0)):
        assert config_from_shapes(reference.read_keys(name)["keys"]).temperature == temperature
    assert not recwarn
    for name, temperature in (("vpt_policy_3x", 2.0), ("vpt_policy_tiny", 2.0), ("idm_tiny", 4.0)):
        with pytest.warns(UserWarning, match=f"assuming {temperature:g}"):
            assert config_from_shapes(reference.read_keys(name)["keys"]).temperature == temperature


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"net.final_ln.weight": None}, "no tensor 'net.final_ln.weight'.*nearest are net.final_ln.bias"),
        ({"net.final_ln.weight": [64, 1]}, r"\(64, 1\), expected 1 dimensions"),
        ({"net.recurrent_layer.blocks.7.mlp1.layer.bias": [64]}, "do not count up from 0"),
        ({"net.recurrent_layer.blocks.0.r.orc_block.r_layer.weight": [30, 64]}, "64 is not a multiple of 3 heads"),
    ],
)
def test_shapes_of_no_network_are_refused(change, complaint):
    shapes = reference.read_keys("vpt_policy_tiny")["keys"] | change
    shapes = {name: shape for name, shape in shapes.items() if shape is not None}
    with pytest.raises(ModelFileError, match=complaint):
        config_from_shapes(shapes, temperature=1.0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"recurrence_type": "multi_layer_lstm"}, "recurrence_type"),
        ({"init_norm_kwargs": {"batch_norm": True}}, "init_norm_kwargs"),
        ({"hidsize": None}, "hidsize is missing"),
        ({"hidsize": "64"}, "hidsize is a str"),
        ({"hidsize": 0}, "hidden is 0"),
        ({"attention_heads": 5}, "64 is not a multiple of 5"),
        ({"attention_memory_size": 4}, "memory_ticks is 0"),
        ({"attention_mask_style": "none"}, "attention_mask_style"),
        ({"img_shape": [128, 64, 3]}, "img_shape"),
        ({"impala_chans": "abc"}, "impala_chans"),
        ({"conv3d_params": {"outchan": 8}}, "conv3d_params"),
    ],
)
def test_kwargs_of_another_network_are_refused(change, complaint):
    kwargs = reference.read_keys("vpt_policy_tiny")["kwargs"] | change
    with pytest.raises(ModelFileError, match=f"x.model: .*{complaint}|PolicyConfig: .*{complaint}"):
        config_from_kwargs(kwargs, 2.0, "x.model")


def test_unknown_kwargs_have_no_effect():
    kwargs = reference.read_keys("vpt_policy_tiny")["kwargs"] | {"active_reward_monitors": {}, "input_shape": [1]}
    assert config_from_kwargs(kwargs, 2.0) == tiny()


@pytest.mark.parametrize("config", [tiny(), tiny_idm(), foundation_3x(), idm_4x()], ids=str)
def test_a_config_survives_json(config):
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kind": "world"}, "kind is 'world', expected one of policy, idm"),
        ({"hiden": 3}, "unknown field 'hiden'"),
        ({"hidden": "3"}, "hidden is a str"),
        ({"layers": True}, "layers is a bool"),
        ({"temperature": 0}, "temperature is 0, expected above 0"),
        ({"channels": []}, "channels is empty"),
    ],
)
def test_other_json_is_refused(change, complaint):
    with pytest.raises(ModelFileError, match=complaint):
        config_from_dict(config_to_dict(tiny()) | change)


def test_heads_follow_the_action_space():
    joint = JointActions(VPT_CAMERA)
    assert (PolicyConfig((4,), 8, 2, 1, 1.0).num_buttons, tiny().num_camera) == (8641, 121)
    assert (tiny().num_buttons, tiny().num_camera) == (joint.num_buttons, joint.num_camera)
    assert (tiny_idm().num_buttons, tiny_idm().num_bins) == (20, 11)
    assert (foundation_1x().head_width, foundation_1x().grid) == (128, 16)
