from __future__ import annotations

import json
import logging
import os

import numpy as np
import pytest
import torch
import vpt_reference as reference
from safetensors.torch import load_file, save_file

from jarvis.vpt import (
    ModelFileError,
    build,
    load_idm,
    load_policy,
    read_checkpoint,
    read_config,
    tiny,
    tiny_idm,
    write_checkpoint,
)

MODEL = reference.GOLDENS / "policy_tiny.model"


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_every_kind_of_file_gives_the_same_policy(policy, weights, tmp_path):
    table = reference.read_keys("vpt_policy_tiny")
    mirror = {"policy_kwargs": table["kwargs"], "pi_head_kwargs": table["pi_head_kwargs"]}
    (tmp_path / "config.json").write_text(json.dumps(mirror))
    save_file(reference.tensors("vpt_policy_tiny"), tmp_path / "model.safetensors")
    with pytest.warns(UserWarning, match="temperature"):
        guessed = load_policy(None, weights / "vpt_policy_tiny.weights")
    for other in (
        guessed,
        load_policy(MODEL, weights / "vpt_policy_tiny.safetensors"),
        load_policy(str(tmp_path / "config.json"), weights / "vpt_policy_tiny.weights"),
        load_policy(tmp_path),
    ):
        assert other.config == policy.config == tiny()
        assert same(other.state_dict(), policy.state_dict())
        assert not other.training and not any(parameter.requires_grad for parameter in other.parameters())


def test_the_temperature_divides_the_logits(weights, clip):
    first = np.zeros((2, 1), bool)
    outputs = []
    for temperature in (2.0, 1.0):
        policy = load_policy(MODEL, weights / "vpt_policy_tiny.weights", temperature=temperature)
        outputs.append(policy(clip[:, :1], first, policy.initial_state(2))[0]["camera_logp"])
    torch.testing.assert_close((2 * outputs[0]).log_softmax(-1), outputs[1])


def test_half_precision_files_become_float32(tmp_path):
    tensors = {name: tensor.half() for name, tensor in reference.tensors("vpt_policy_tiny").items()}
    torch.save(tensors, tmp_path / "half.weights")
    policy = load_policy(MODEL, tmp_path / "half.weights")
    assert {tensor.dtype for tensor in policy.state_dict().values()} == {torch.float32}


def test_extra_tensors_are_reported_and_left_out(tmp_path, caplog):
    torch.save(reference.tensors("vpt_policy_tiny") | {"aux_head.weight": torch.zeros(3)}, tmp_path / "x.weights")
    with caplog.at_level(logging.INFO, logger="jarvis.vpt"):
        policy = load_policy(MODEL, tmp_path / "x.weights")
    assert "1 tensors have no place in the network, such as aux_head.weight" in caplog.text
    assert "aux_head.weight" not in policy.state_dict()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"net.lastlayer.norm.bias": None}, r"no tensor 'net\.lastlayer\.norm\.bias', \(64,\); the nearest are net"),
        ({"pi_head.camera.linear_layer.bias": torch.zeros(3)}, r"linear_layer\.bias is \(3,\), expected \(121,\)"),
        ({"pi_head.camera.linear_layer.bias": torch.zeros(121, dtype=torch.int64)}, "torch.int64 tensor"),
    ],
)
def test_missing_and_misshapen_tensors_are_refused(tmp_path, change, complaint):
    tensors = reference.tensors("vpt_policy_tiny") | change
    torch.save({name: tensor for name, tensor in tensors.items() if tensor is not None}, tmp_path / "x.weights")
    with pytest.raises(ModelFileError, match=rf"x\.weights: .*{complaint}"):
        load_policy(MODEL, tmp_path / "x.weights")


def test_the_wrong_kind_of_network_is_refused(weights):
    with pytest.raises(ModelFileError, match="is an IDM; load it with"):
        load_policy(None, weights / "idm_tiny.weights", temperature=1.0)
    with pytest.raises(ModelFileError, match="is a policy; load it with"):
        load_idm(MODEL, weights / "vpt_policy_tiny.weights")
    with pytest.raises(ModelFileError, match="the weights are missing"):
        load_policy(MODEL)


@pytest.mark.parametrize("config", [tiny(), tiny_idm()], ids=["policy", "idm"])
def test_a_checkpoint_folder_comes_back(tmp_path, config):
    model = build(config, seed=3)
    folder = write_checkpoint(tmp_path / "step", model, "# A network\n", extra={"hours": 2})
    assert sorted(path.name for path in folder.iterdir()) == ["card.md", "config.json", "done", "model.safetensors"]
    assert json.loads((folder / "config.json").read_text())["extra"] == {"hours": 2}
    loaded = read_checkpoint(folder)
    assert type(loaded) is type(model) and loaded.config == config == read_config(folder / "config.json")
    assert same(loaded.state_dict(), model.state_dict())
    with pytest.raises(FileExistsError, match="step"):
        write_checkpoint(folder, model, "again")


def test_an_unfinished_or_foreign_checkpoint_is_refused(tmp_path):
    folder = write_checkpoint(tmp_path / "step", build(tiny_idm(), seed=0), "card")
    (folder / "done").unlink()
    with pytest.raises(ModelFileError, match="no `done` file"):
        read_checkpoint(folder)
    (folder / "done").touch()
    config = json.loads((folder / "config.json").read_text())
    for change, complaint in (({"format_version": 2}, "format_version 2"), ({"format": "other"}, "no policy_kwargs")):
        (folder / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ModelFileError, match=complaint):
            read_checkpoint(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelFileError, match="config"):
        read_checkpoint(folder)
    (folder / "config.json").unlink()
    with pytest.raises(ModelFileError, match="no such file"):
        read_checkpoint(folder)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(tmp_path / "step", build(tiny_idm(), seed=0), "card")
    assert list(tmp_path.iterdir()) == []


def test_initial_weights_have_the_scales_of_the_original():
    model = build(tiny(), seed=0)
    tensors = model.state_dict()
    block = "net.recurrent_layer.blocks.1"
    depth = 0.5  # (2 * 2 blocks) ** -0.5
    for name, norm in {
        "net.img_process.cnn.stacks.1.firstconv": 1.0,
        "net.img_process.cnn.stacks.2.blocks.1.conv0": 1.5**0.25,
        "net.img_process.cnn.dense": 1.4,
        "net.img_process.linear": 1.0,
        "net.lastlayer": 1.0,
        f"{block}.mlp0": 1.0,
        f"{block}.mlp1": depth,
        f"{block}.r.orc_block.q": 0.1,
        f"{block}.r.orc_block.k": 0.2,
        f"{block}.r.orc_block.v": depth**0.5,
        f"{block}.r.orc_block.proj": depth**0.5,
        f"{block}.r.orc_block.r": 0.1,
    }.items():
        weight = tensors.get(f"{name}.layer.weight", tensors.get(f"{name}_layer.weight"))
        torch.testing.assert_close(weight.flatten(1).norm(dim=1), torch.full((len(weight),), norm))
    assert tensors[f"{block}.r.orc_block.b_nd"].std() == pytest.approx(0.2, rel=0.4)
    assert (tensors[f"{block}.pre_r_ln.weight"] == 1).all() and (tensors[f"{block}.mlp1.layer.bias"] == 0).all()
    assert tensors["pi_head.buttons.linear_layer.weight"].abs().max() <= 64**-0.5
    assert tensors["value_head.normalizer.debiasing_term"] == 0
    assert same(tensors, build(tiny(), seed=0).state_dict())
    assert not torch.equal(
        tensors[f"{block}.mlp0.layer.weight"], build(tiny(), 1).state_dict()[f"{block}.mlp0.layer.weight"]
    )


def test_a_few_steps_of_training_lower_the_loss(clip):
    model = build(tiny_idm(), seed=0).train()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    losses = []
    for _ in range(4):
        output = model(clip[:, :6])
        loss = -(output["buttons_logp"][..., 1].mean() + output["camera_logp"][..., 5].mean())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)


def test_safetensors_of_a_checkpoint_have_the_released_names(tmp_path):
    folder = write_checkpoint(tmp_path / "idm", build(tiny_idm(), seed=0), "card")
    assert set(load_file(folder / "model.safetensors")) == set(reference.read_keys("idm_tiny")["keys"])
