"""Networks from files: VPT's own, safetensors mirrors of them, and our checkpoint folders.

    policy = load_policy("2x.model", "rl-from-early-game-2x.weights")
    policy = load_policy(None, "foundation-model-1x.weights")            # the shapes say which network it is
    policy = load_policy("config.json", "model.safetensors")             # a mirror
    model = load_idm("checkpoints/idm")                                  # a folder written by write_checkpoint

A checkpoint folder

    config.json         {"format": "jarvis-vpt", "format_version": 1, "network": {"kind": "policy", ...}, "extra": {}}
    model.safetensors   the tensors, under VPT's names
    card.md             what it is, what it was trained on, how well it does
    done                empty, written last
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import save_file

from jarvis.core.errors import JarvisError
from jarvis.core.files import atomic_folder, is_done, read_json, write_json
from jarvis.vpt.config import (
    IDMConfig,
    ModelFileError,
    PolicyConfig,
    config_from_dict,
    config_from_kwargs,
    config_from_shapes,
    config_to_dict,
)
from jarvis.vpt.initialisation import build_empty
from jarvis.vpt.model_file import local_path, read_model_file
from jarvis.vpt.networks import VPTIDM, VPTPolicy
from jarvis.vpt.weights import load_tensors, read_tensors

__all__ = ["load_idm", "load_policy", "load_spec", "read_checkpoint", "read_config", "write_checkpoint",
           "write_network"]  # fmt: skip

FORMAT, FORMAT_VERSION = "jarvis-vpt", 1

Pathlike = str | os.PathLike[str]
Network = TypeVar("Network", VPTPolicy, VPTIDM)

log = logging.getLogger(__name__)


def load_policy(
    model_path: Pathlike | None, weights_path: Pathlike | None = None, temperature: float | None = None
) -> VPTPolicy:
    """A policy on the CPU, ready to play: no gradients, evaluation mode (`.trainable()` undoes both).

    model_path: a `.model` file, a `config.json`, or a folder with `config.json` and `model.safetensors`, for which no
    weights_path is needed. None: the shapes of the weights say what it is. `temperature` overrules the file's.
    Raises ModelFileError, naming the file, for anything missing, damaged, refused or not a policy.
    """
    return _load(VPTPolicy, model_path, weights_path, temperature)


def load_spec(spec: str | Path, temperature: float | None = None) -> VPTPolicy:
    """The policy that a checkpoint folder or `vpt:MODEL[:WEIGHTS]` names; MODEL may be the weights alone.

    Raises ModelFileError as `load_policy` does.
    """
    model, _, weights = str(spec).removeprefix("vpt:").partition(":")
    if not weights and model.endswith((".weights", ".safetensors")):
        return load_policy(None, model, temperature)
    return load_policy(model, weights or None, temperature)


def load_idm(
    model_path: Pathlike | None,
    weights_path: Pathlike | None = None,
    temperature: float | None = None,
    apply_lastlayer: bool | None = None,
) -> VPTIDM:
    """An inverse dynamics model on the CPU, ready to label; the arguments are those of `load_policy`.

    apply_lastlayer: whether the tensors `net.lastlayer` take part, see IDMConfig. None: as the config says, which
    is no for VPT's files.
    """
    return _load(VPTIDM, model_path, weights_path, temperature, apply_lastlayer=apply_lastlayer)


def _load(
    kind: type[Network],
    model_path: Pathlike | None,
    weights_path: Pathlike | None,
    temperature: float | None,
    **overrides: Any,
) -> Network:
    overrides = {name: value for name, value in overrides.items() if value is not None}
    model_path = None if model_path is None else local_path(model_path)
    if model_path is not None and model_path.is_dir():
        weights_path = weights_path or model_path / "model.safetensors"
        model_path = model_path / "config.json"
        if read_config_format(model_path) == FORMAT and not is_done(model_path.parent):
            raise ModelFileError(f"{model_path.parent}: no `done` file; this checkpoint was not finished")
    if weights_path is None:
        raise ModelFileError(f"{model_path}: the weights are missing; pass the .weights or .safetensors file too")
    config = None if model_path is None else read_config(model_path, temperature)
    tensors = read_tensors(weights_path)
    if config is None:
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        config = config_from_shapes(shapes, temperature, str(weights_path))
    wanted = PolicyConfig if kind is VPTPolicy else IDMConfig
    if not isinstance(config, wanted):
        found, other = ("an IDM", "load_idm") if wanted is PolicyConfig else ("a policy", "load_policy")
        raise ModelFileError(f"{model_path or weights_path}: is {found}; load it with jarvis.vpt.{other}")
    model = build_empty(dataclasses.replace(config, **overrides))
    assert isinstance(model, kind)
    unused = load_tensors(model, tensors, str(weights_path))
    if unused:
        log.info("%s: %d tensors have no place in the network, such as %s", weights_path, len(unused), unused[0])
    return model.trainable(False)


def read_config_format(path: Pathlike) -> str | None:
    """The "format" of a JSON file, or None."""
    content = read_json(path) if Path(path).is_file() else None
    return content.get("format") if isinstance(content, dict) else None


def read_config(path: Pathlike, temperature: float | None = None) -> PolicyConfig | IDMConfig:
    """The config in a `.model` file, in the `config.json` of a checkpoint folder, or in that of a mirror.

    A mirror's has VPT's arguments under "policy_kwargs", "net_kwargs" or "kwargs", and "pi_head_kwargs".
    """
    path = local_path(path)
    if path.suffix != ".json":
        model = read_model_file(path)
        return config_from_kwargs(model.kwargs, model.temperature if temperature is None else temperature, str(path))
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file")
    try:
        content = read_json(path)
    except JarvisError as error:
        raise ModelFileError(str(error)) from None
    if not isinstance(content, dict):
        raise ModelFileError(f"{path}: is a {type(content).__name__}, expected an object")
    if content.get("format") == FORMAT:
        if content.get("format_version") != FORMAT_VERSION:
            raise ModelFileError(
                f"{path}: format_version {content.get('format_version')!r}, this jarvis reads {FORMAT_VERSION}"
            )
        if not isinstance(content.get("network"), dict):
            raise ModelFileError(f"{path}: no network")
        network = dict(content["network"])
        if temperature is not None:
            network["temperature"] = temperature
        return config_from_dict(network, str(path))
    head = content.get("pi_head_kwargs")
    for key in ("policy_kwargs", "net_kwargs", "kwargs"):
        if isinstance(content.get(key), dict):
            found = head.get("temperature") if isinstance(head, dict) else None
            found = found if temperature is None else temperature
            if not isinstance(found, (int, float)):
                raise ModelFileError(f"{path}: no pi_head_kwargs.temperature; pass temperature=...")
            return config_from_kwargs(content[key], float(found), str(path))
    raise ModelFileError(f"{path}: no policy_kwargs; this is no config of a VPT network")


def write_checkpoint(
    folder: Pathlike, model: VPTPolicy | VPTIDM, card: str, extra: Mapping[str, Any] | None = None
) -> Path:
    """Writes a checkpoint folder, all of it or nothing, and returns its path.

    card: the text of `card.md`. extra: JSON values to keep beside the config. Raises FileExistsError if the folder
    has anything in it.
    """
    with atomic_folder(folder) as temporary:
        write_network(temporary, model, card, extra)
    return Path(folder)


def write_network(
    folder: Pathlike, model: VPTPolicy | VPTIDM, card: str, extra: Mapping[str, Any] | None = None
) -> None:
    """The files of `write_checkpoint` without `done`, into a folder that somebody else finishes."""
    folder = Path(folder)
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "network": config_to_dict(model.config),
        "extra": dict(extra or {}),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_json(folder / "config.json", content)
    save_file(tensors, folder / "model.safetensors")
    (folder / "card.md").write_text(card.rstrip() + "\n")


def read_checkpoint(folder: Pathlike) -> VPTPolicy | VPTIDM:
    """The network in a checkpoint folder, whichever of the two it is, in the state of `load_policy`'s."""
    config = read_config(local_path(folder) / "config.json")
    return load_policy(folder) if isinstance(config, PolicyConfig) else load_idm(folder)
