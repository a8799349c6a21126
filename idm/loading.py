"""Which model a spec means, its fingerprint, and loading it.

default             the small network that ships, trained on the voxel world
FOLDER              a checkpoint folder, or the folder of a training run (its last checkpoint)
vpt:MODEL[:WEIGHTS] VPT's: a `.model` and a `.weights` file, a `.weights` alone, or a mirror's config.json with its
                    .safetensors
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvis.core.errors import FormatError
from jarvis.core.files import Pathlike, is_done, read_json, write_json

if TYPE_CHECKING:
    from idm.labels import Labeler, Network

__all__ = ["DEFAULT", "PREPROCESSING", "files_of", "fingerprint", "load", "load_network", "write_network"]

DEFAULT = Path(__file__).parent / "data" / "voxel"
PREPROCESSING = 1  # raised when the same frames and weights would give other labels
FORMAT, FORMAT_VERSION = "jarvis-idm", 1
EDGE_BYTES = 1 << 20  # hashed at both ends of a file


def files_of(spec: str = "default") -> list[Path]:
    """The files that make a model. FormatError, naming the spec, if one is missing."""
    if spec.startswith("vpt:"):
        paths = [Path(part) for part in spec[4:].split(":") if part]
        if not 1 <= len(paths) <= 2:
            raise FormatError(f"{spec}: expected vpt:MODEL, vpt:WEIGHTS or vpt:MODEL:WEIGHTS")
    else:
        folder = _folder(spec)
        paths = [folder / "config.json", folder / "model.safetensors"]
    for path in paths:
        if not path.exists():
            raise FormatError(
                f"{spec}: {path}: no such file; a spec is default, a checkpoint folder, or vpt:MODEL:WEIGHTS"
            )
    return paths


def _folder(spec: str) -> Path:
    folder = DEFAULT if spec == "default" else Path(spec)
    if not folder.is_dir():
        raise FormatError(f"{spec}: no such folder; a spec is default, a checkpoint folder, or vpt:MODEL:WEIGHTS")
    if not is_done(folder):  # a run of training
        steps = sorted(path for path in folder.glob("step_*") if is_done(path))
        folder = steps[-1] if steps else folder
    if not is_done(folder):
        raise FormatError(f"{folder}: no `done` file; this checkpoint was not finished")
    return folder


def fingerprint(spec: str = "default") -> str:
    """16 hexadecimal digits of the model's files and of how frames reach it; equal ones give equal labels.

    Of large files the size and the first and last MiB are read. Needs no torch.
    """
    digest = hashlib.sha256(b"%d" % PREPROCESSING)
    for path in files_of(spec):
        for part in [path / "config.json", path / "model.safetensors"] if path.is_dir() else [path]:
            digest.update(f"{part.name} {os.path.getsize(part)} ".encode())
            with open(part, "rb") as file:
                digest.update(file.read(EDGE_BYTES))
                file.seek(max(0, os.path.getsize(part) - EDGE_BYTES))
                digest.update(file.read(EDGE_BYTES))
    return digest.hexdigest()[:16]


def load(
    spec: str = "default",
    device: str | None = None,
    *,
    precision: str = "auto",
    compiled: bool = False,
    exact_edges: bool = True,
    chunk: int | None = None,
) -> Labeler:
    """A model ready to label.

    device: "cpu", "cuda", ...; None takes a GPU if there is one. precision and compiled: see `jarvis.vpt.prepare`; the
    motion network always computes in float32.
    """
    import torch

    from idm.labels import Labeler
    from jarvis.vpt import VPTIDM, prepare

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    network: Any = load_network(spec)
    if isinstance(network, VPTIDM):
        network = prepare(network, device, precision, compiled)
    else:
        network = network.to(device)
    return Labeler(network, device=device, chunk=chunk, exact_edges=exact_edges)


def load_network(spec: str = "default") -> Network:
    """The network of a spec on the CPU in float32, ready to label."""
    from jarvis.vpt import load_idm

    if spec.startswith("vpt:"):
        paths = files_of(spec)
        if len(paths) == 2:
            return load_idm(*paths)
        (path,) = paths
        return load_idm(path) if path.is_dir() else load_idm(None, path)
    folder = _folder(spec)
    content = read_json(folder / "config.json")
    if not isinstance(content, dict):
        raise FormatError(f"{folder}/config.json: expected an object")
    if content.get("format") != FORMAT:
        return load_idm(folder)
    if content.get("format_version") != FORMAT_VERSION:
        raise FormatError(
            f"{folder}/config.json: format_version {content.get('format_version')!r}, expected {FORMAT_VERSION}"
        )
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from idm.networks import MotionIDM, motion_config

    config = motion_config(content["network"], f"{folder}/config.json")
    try:
        tensors = load_file(folder / "model.safetensors")
        model = MotionIDM(config)
        model.load_state_dict({name: tensor.to(torch.float32) for name, tensor in tensors.items()})
    except (SafetensorError, OSError, RuntimeError) as error:
        raise FormatError(f"{folder}/model.safetensors: {str(error).splitlines()[0]}") from None
    return model.trainable(False)


def write_network(
    folder: Pathlike, network: Any, card: str, extra: Mapping[str, Any] | None = None, half: bool = False
) -> None:
    """Puts config.json, model.safetensors and card.md into a folder that a checkpoint writer has opened.

    half: the motion network's weights in float16, half the size; its labels hardly change.
    """
    import torch
    from safetensors.torch import save_file

    from jarvis.vpt import VPTIDM
    from jarvis.vpt.loading import write_network as write_vpt

    if isinstance(network, VPTIDM):
        write_vpt(folder, network, card, extra)
        return
    kind = torch.float16 if half else torch.float32
    tensors = {name: tensor.detach().cpu().to(kind).contiguous() for name, tensor in network.state_dict().items()}
    write_json(
        Path(folder) / "config.json",
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "network": dataclasses.asdict(network.config),
            "extra": dict(extra or {}),
        },
    )
    save_file(tensors, Path(folder) / "model.safetensors")
    (Path(folder) / "card.md").write_text(card.rstrip() + "\n")
