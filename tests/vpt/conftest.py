from __future__ import annotations

import pytest
import torch
import vpt_reference as reference
from safetensors.torch import save_file

from jarvis.vpt import load_idm, load_policy


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A folder with the tiny networks' weights, both as `torch.save` archives and as safetensors."""
    folder = tmp_path_factory.mktemp("weights")
    for name in ("vpt_policy_tiny", "idm_tiny"):
        torch.save(reference.tensors(name), folder / f"{name}.weights")
        save_file(reference.tensors(name), folder / f"{name}.safetensors")
    return folder


@pytest.fixture(scope="session")
def policy(weights):
    return load_policy(reference.GOLDENS / "policy_tiny.model", weights / "vpt_policy_tiny.weights")


@pytest.fixture(scope="session")
def idm(weights):
    return load_idm(None, weights / "idm_tiny.weights", temperature=4.0)


@pytest.fixture(scope="session")
def clip():
    """(2, 16, 128, 128, 3) uint8."""
    return reference.policy_frames()
