"""Hostile files: nothing of them runs, and the error names what was refused."""

from __future__ import annotations

import builtins
import collections
import io
import os
import pickle
import pickletools
import socket
import struct
import sys
import types
import zipfile

import pytest
import torch
import vpt_reference as reference

from jarvis.vpt import ModelFileError, load_policy
from jarvis.vpt.model_file import read_model_file, read_pickle_data
from jarvis.vpt.weights import read_tensors

# What loading a file must never do. (Opening files and compiling are part of ordinary work.)
FORBIDDEN = (
    "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.", "exec", "import",
    "pickle.find_class", "os.remove", "shutil.", "ctypes.",
)  # fmt: skip


class Watch:
    """Records forbidden audit events while it is on. An audit hook cannot be removed, so there is one for all tests."""

    def __init__(self):
        self.on, self.events = False, []
        sys.addaudithook(self.hook)

    def hook(self, event, args):
        if self.on and event.startswith(FORBIDDEN):
            self.events.append((event, args[:1]))


WATCH = Watch()


@pytest.fixture
def canary(tmp_path):
    """A file that a successful attack would create, and no forbidden event while the test runs."""
    read_tensors_once()
    path = tmp_path / "canary"
    WATCH.events, WATCH.on = [], True
    yield path
    WATCH.on = False
    assert not path.exists(), "code from the file ran"
    assert WATCH.events == []


def read_tensors_once():
    """Modules that torch imports when it first reads a file are not the file's doing."""
    buffer = io.BytesIO()
    torch.save({"x": torch.zeros(1)}, buffer)
    buffer.seek(0)
    torch.load(buffer, weights_only=True)


class Call:
    """Pickles as a call of the function."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


class CallInState(Call):
    """Pickles as an ordinary dict whose items come from a call's result."""

    def __reduce__(self):
        return collections.OrderedDict, (), None, None, iter([("key", Call(self.function, *self.args))])


def nested(payload):
    """A plausible `.model` with the payload deep in the network's arguments."""
    net = {"function": "x:MinecraftPolicy", "args": {"hidsize": 64, "impala_kwargs": {"post_pool_groups": [payload]}}}
    return {"version": 1361, "model": {"function": "y", "args": {"net": net, "pi_head_opts": {"temperature": 2}}}}


def inert_class_with_state(path):
    """gym3's class, whose state pickle would set as attributes, with a call among it."""
    module, gym3 = types.ModuleType("gym3.types"), types.ModuleType("gym3")
    module.DictType = type("DictType", (), {"__module__": "gym3.types"})
    gym3.types = module
    sys.modules.update({"gym3": gym3, "gym3.types": module})
    try:
        value = module.DictType()
        value.__dict__["__class__"] = Call(os.system, f"touch {path}")
        return pickle.dumps(nested(value), 4)
    finally:
        del sys.modules["gym3"], sys.modules["gym3.types"]


def stack_global(path, module, name):
    """Hand-written: the global's name is put together on the stack and called."""
    command = f"touch {path}".encode()
    strings = [b"\x8c" + bytes([len(part)]) + part for part in (module, name, command)]
    return b"\x80\x04" + strings[0] + strings[1] + b"\x93" + strings[2] + b"\x85R."


HOSTILE = {
    "system": (lambda path: pickle.dumps(Call(os.system, f"touch {path}"), 4), "posix.system"),
    "nested deeply": (lambda path: pickle.dumps(nested(Call(os.system, f"touch {path}")), 4), "posix.system"),
    "eval": (lambda path: pickle.dumps(nested(Call(eval, f"open({str(path)!r}, 'w')")), 4), "builtins.eval"),
    "exec, text protocol": (
        lambda path: pickle.dumps(Call(exec, f"open({str(path)!r}, 'w')"), 0), "__builtin__.exec"),
    "chain of getattr": (
        lambda path: pickle.dumps(Call(getattr, Call(__import__, "os"), "system"), 2), "__builtin__.getattr"),
    "allowed by others": (
        lambda path: pickle.dumps(CallInState(os.system, f"touch {path}"), 4), "collections.OrderedDict"),
    "torch's own helper": (
        lambda path: pickle.dumps(Call(torch._utils._rebuild_tensor_v2, 0), 2), "torch._utils._rebuild_tensor_v2"),
    "state of an inert class": (inert_class_with_state, "posix.system"),
    "dotted name": (lambda path: stack_global(path, b"gym3.types", b"DictType.__init__.__globals__"), "__globals__"),
    "instance": (lambda path: b"(S'touch " + str(path).encode() + b"'\nios\nsystem\n.", "os.system"),
    "open": (lambda path: pickle.dumps(nested(Call(builtins.open, str(path), "w")), 5), "io.open"),
    "persistent id": (lambda path: b"Pposix.system\n.", "PERSID"),
    "extension code": (lambda path: b"\x80\x02\x82\x01.", "EXT1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_model_file_runs_nothing_and_its_global_is_named(kind, canary):
    make, refused = HOSTILE[kind]
    path = canary.with_suffix(".model")
    path.write_bytes(make(canary))
    with pytest.raises(ModelFileError) as error:
        read_model_file(path)
    assert str(path) in str(error.value) and refused in str(error.value)


def test_the_payloads_are_real(tmp_path):
    # The same bytes under pickle do create the file.
    path = tmp_path / "canary"
    pickle.loads(HOSTILE["system"][0](path))
    assert path.exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_hostile_weights_run_nothing_and_their_global_is_named(canary, legacy):
    path = canary.with_suffix(".weights")
    torch.save({"x": Call(os.system, f"touch {canary}")}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelFileError, match=r"canary\.weights: refuses the pickle global 'posix\.system'"):
        read_tensors(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_bare_pickle_is_no_weights_file(canary):
    path = canary.with_suffix(".weights")
    path.write_bytes(HOSTILE["system"][0](canary))
    with pytest.raises(ModelFileError, match=r"canary\.weights"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "damaged pickle"),
        (b"\x80\x04", "damaged pickle"),
        (b"\x80\x04}.}.", "no model"),
        (b"\x8e" + struct.pack("<Q", 1 << 40) + b"x.", "damaged pickle"),  # claims a string of a terabyte
        (b"]r\xff\xff\xff\x7f.", "no model"),  # a memo index for which pickle would allocate gigabytes
        (b"\x80\x04}" + b")" + b"\x85" * 200_000 + b"K\x01s.", "a tuple as the key"),  # hashing it exhausts the stack
        (b"(((.", "damaged pickle"),
        (b"ccgym3.types\nDictType\n.", "refuses"),
        (b"cgym3.types\nDictType\n)R}b.", "no model"),
        (b"a.", "damaged pickle"),
        (b"K\x01)R.", "damaged pickle"),
        (b"h\x05.", "damaged pickle"),
        (b"PK\x03\x04rest of an archive", "pickle"),
        (b"\x00" * (1 << 20) + b"\x00", "more than 1,048,576 bytes"),
    ],
)
def test_damaged_and_oversized_files_end_in_an_error(tmp_path, data, complaint):
    path = tmp_path / "x.model"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=complaint) as error:
        read_model_file(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 600


def test_every_cut_of_a_good_file_ends_in_an_error(tmp_path):
    data = (reference.GOLDENS / "policy_tiny.model").read_bytes()
    for length in range(len(data)):
        with pytest.raises(ModelFileError):
            read_pickle_data(data[:length], "cut.model")


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_of_every_protocol_is_read_as_pickle_reads_it(protocol):
    value = {
        "numbers": [0, 1, -1, 255, 256, 70_000, -(2**40), 2**100, 1.5, float("inf"), True, False, None],
        "text": ["", "plain", "h\u00e4", "\U0001f600", "line\nbreak", "x" * 300],
        "nested": {"tuple": (), "one": (1,), "many": (1, 2, 3, 4), 5: [[], [[]], {}]},
    }
    value["shared"] = value["nested"]
    data = pickletools.optimize(pickle.dumps(value, protocol))
    assert read_pickle_data(data, "test") == value == read_pickle_data(pickle.dumps(value, protocol), "test")


def test_the_golden_file_gives_its_arguments():
    model = read_model_file(reference.GOLDENS / "policy_tiny.model")
    assert (model.version, model.temperature) == (1361, 2.0)
    assert model.net_function == "ypt.model.policy:MinecraftPolicy"
    assert model.kwargs == reference.read_keys("vpt_policy_tiny")["kwargs"]
    assert "gym3" not in sys.modules


def test_contents_of_another_kind_are_refused(tmp_path):
    for value, complaint in [
        ({"model": {"args": {"net": {"args": 3}, "pi_head_opts": {"temperature": 2}}}}, "int, expected the network's"),
        ({"model": {"args": {"net": {"args": {}}, "pi_head_opts": {"temperature": "2"}}}}, "temperature is a str"),
        ({"model": {"args": {"net": {"args": {}}}}}, "no model.args.pi_head_opts"),
        (["model"], "no model"),
    ]:
        path = tmp_path / "x.model"
        path.write_bytes(pickle.dumps(value))
        with pytest.raises(ModelFileError, match=complaint):
            read_model_file(path)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/2x.model", "https://example.org/2x.model", "file:///etc/passwd", "ftp://x/y", "s3://bucket/x",
     "data:,x", "HTTP://x/y", "http:/x/y"],
)  # fmt: skip
def test_urls_are_refused_without_a_connection(url, canary, policy, weights, monkeypatch):
    def no_socket(*args, **kwargs):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "socket", no_socket)
    with pytest.raises(ModelFileError, match="is a URL, expected a local file"):
        load_policy(url, weights / "vpt_policy_tiny.weights")
    with pytest.raises(ModelFileError, match="is a URL, expected a local file"):
        load_policy(reference.GOLDENS / "policy_tiny.model", url)


def test_a_missing_file_names_its_neighbours(tmp_path, weights):
    with pytest.raises(ModelFileError, match=r"vpt_policy_tinny\.weights: no such file; beside it are vpt_policy_tiny"):
        read_tensors(weights / "vpt_policy_tinny.weights")
    with pytest.raises(ModelFileError, match="no ordinary file"):
        read_tensors(tmp_path)


def test_damaged_weights_end_in_an_error(tmp_path, weights):
    good = (weights / "vpt_policy_tiny.weights").read_bytes()
    safe = (weights / "vpt_policy_tiny.safetensors").read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("hello.txt", "no weights")
    cases = {
        "empty": b"", "cut": good[: len(good) // 2], "text": b"not found\n", "cut safetensors": safe[: len(safe) // 2],
        "length": struct.pack("<Q", 1 << 60) + b"{}", "zip": archive.getvalue(),
    }  # fmt: skip
    for name, data in cases.items():
        path = tmp_path / f"{name}.weights"
        path.write_bytes(data)
        with pytest.raises(ModelFileError) as error:
            read_tensors(path)
        assert str(path) in str(error.value), name
    for content in ([torch.zeros(1)], {"x": 1}, {1: torch.zeros(1)}):
        torch.save(content, tmp_path / "other.weights")
        with pytest.raises(ModelFileError, match="expected"):
            read_tensors(tmp_path / "other.weights")
