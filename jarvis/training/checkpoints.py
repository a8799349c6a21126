"""Checkpoints of training: folders that are whole or absent, from which a run goes on bit for bit.

    RUN/step_00000500/
        config.json *.safetensors card.md    what the package's `write` puts there: the model, ready to be loaded
        training_state/
            weights.safetensors              every parameter and buffer as it was trained
            state.safetensors                the tensors of the other parts, "PART:NAME"
            state.json                       {"format_version", "step", "parts": {PART: numbers}}
        done                                 empty, written last

A process may be killed, or the disk fill up, at any moment: `latest` is then the checkpoint before.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from jarvis.core.errors import FormatError, JarvisError
from jarvis.core.files import Pathlike, atomic_folder, is_done, read_json, write_json

__all__ = ["CheckpointError", "Part", "latest", "name", "prune", "resume", "save", "saved"]

FORMAT_VERSION = 1
STATE = "training_state"


class CheckpointError(JarvisError, ValueError):
    """A checkpoint that is unfinished, damaged, or of another run."""


class Part(Protocol):
    """Anything with a state: numbers, texts and tensors by name."""

    def state(self) -> dict[str, Any]:
        """What `restore` takes."""

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from there."""


def name(step: int) -> str:
    """Of the folder after so many steps."""
    return f"step_{step:08d}"


def saved(run: Pathlike) -> list[tuple[int, Path]]:
    """The finished checkpoints of a run, (step, folder), the oldest first."""
    found = [
        (int(match[1]), path) for path in Path(run).glob("step_*") if (match := re.fullmatch(r"step_(\d+)", path.name))
    ]
    return sorted((step, path) for step, path in found if is_done(path))


def latest(run: Pathlike) -> Path | None:
    """The last finished checkpoint of a run."""
    return max(saved(run), default=(0, None))[1]


def save(
    run: Pathlike,
    step: int,
    write: Callable[[Path], object],
    model: nn.Module,
    parts: Mapping[str, Part],
    keep: int = 2,
) -> Path:
    """Writes the checkpoint after `step` steps and removes all but the last `keep`. Returns its folder.

    write: puts config.json, the model's safetensors and card.md into a folder. The folder of an equal step is replaced.
    OSError, with nothing left behind, if the disk is full; the checkpoint before stays as it was.
    """
    run = Path(run)
    folder = run / name(step)
    shutil.rmtree(folder, ignore_errors=True)  # of a step that is being repeated
    plain = getattr(model, "module", model)  # as accelerate wraps it
    states = {part: thing.state() for part, thing in parts.items()}
    tensors = {f"{part}:{key}": _kept(value) for part, state in states.items()
               for key, value in state.items() if isinstance(value, Tensor)}  # fmt: skip
    numbers = {part: {key: value for key, value in state.items() if not isinstance(value, Tensor)}
               for part, state in states.items()}  # fmt: skip
    try:
        with atomic_folder(folder) as temporary:
            write(temporary)
            (temporary / STATE).mkdir()
            save_file({key: _kept(value) for key, value in plain.state_dict().items()},
                      temporary / STATE / "weights.safetensors")  # fmt: skip
            save_file(tensors, temporary / STATE / "state.safetensors")
            write_json(temporary / STATE / "state.json",
                       {"format_version": FORMAT_VERSION, "step": step, "parts": numbers})  # fmt: skip
    except SafetensorError as error:  # how safetensors tells of a full disk
        raise OSError(f"{folder}: {error}; free some space and resume, the checkpoint before is whole") from None
    prune(run, keep)
    return folder


def _kept(tensor: Tensor) -> Tensor:
    # NOTE: a copy, because safetensors refuses tensors that share memory, as tied weights do.
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def prune(run: Pathlike, keep: int) -> None:
    """Removes all but the last `keep` checkpoints, and what killed processes left behind."""
    for _, path in saved(run)[: -keep or None]:
        (path / "done").unlink()  # first: half a folder must not look finished
        shutil.rmtree(path)
    halves = [path for path in Path(run).glob("step_*") if not is_done(path)]
    for leftover in (*Path(run).glob(".step_*.tmp"), *halves):
        shutil.rmtree(leftover, ignore_errors=True)


def resume(run: Pathlike, model: nn.Module, parts: Mapping[str, Part]) -> int:
    """Brings model and parts to the last checkpoint of a run and returns its step, or 0 if there is none.

    CheckpointError, naming the file, if it is damaged or of another model or other data.
    """
    folder = latest(run)
    if folder is None:
        return 0
    path = folder / STATE
    try:
        content = read_json(path / "state.json")
        weights, tensors = load_file(path / "weights.safetensors"), load_file(path / "state.safetensors")
    except (OSError, FormatError, SafetensorError) as error:
        raise CheckpointError(f"{path}: {error}; remove {folder} to go on from the checkpoint before") from None
    if content.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(f"{path}: format_version {content.get('format_version')!r}, expected {FORMAT_VERSION}")
    if set(content["parts"]) != set(parts):
        raise CheckpointError(f"{path}: holds the state of {sorted(content['parts'])}, expected {sorted(parts)}")
    try:
        getattr(model, "module", model).load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: is of another model: {str(error).splitlines()[1].strip()}") from None
    for part, thing in parts.items():
        prefix = f"{part}:"
        state = dict(content["parts"][part])
        state |= {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        try:
            thing.restore(state)
        except (JarvisError, KeyError) as error:
            raise CheckpointError(f"{path}: {part}: {error}") from None
    return int(content["step"])
