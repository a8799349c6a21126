"""The apprentice at play: one model for all worlds, in a process of its own, with weights that follow the learner's.

    publish(backbone, folder, board)                            # the learner's side: new weights
    serve(board, folder, seed, temperature, device, pipe)       # the process: answers whoever asks

Whoever has asked by the time that an answer is given is answered at once: the busier it is, the larger its batches.
"""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.app.learners.apprentice_worlds import NAP, STOP, Board, stops_when_told
from jarvis.core.random_streams import stream_seed

if TYPE_CHECKING:
    from vla.backbone import Backbone
    from vla.sampling import Sampler

__all__ = ["load_weights", "new_pupil", "publish", "serve", "write_weights"]

WEIGHTS = "weights.safetensors"


def new_pupil(backbone: Backbone, seed: int) -> Sampler:
    """What plays: it remembers nothing from tick to tick."""
    from vla.sampling import Sampler

    return Sampler(backbone, stream_seed(seed, "pupil") % 2**63)


def write_weights(backbone: Backbone, path: Path, half: bool) -> None:
    """Every parameter by name, in bfloat16 if `half`. The file is whole at any moment."""
    import torch
    from safetensors.torch import save_file

    kind = torch.bfloat16 if half else torch.float32
    tensors = {
        name: parameter.detach().to("cpu", kind, copy=True).contiguous()
        for name, parameter in backbone.model.named_parameters()
    }
    temporary = path.with_suffix(".new")
    save_file(tensors, temporary)
    os.replace(temporary, path)


def load_weights(backbone: Backbone, path: Path) -> None:
    """Brings a model to what `write_weights` wrote."""
    import torch
    from safetensors.torch import load_file

    tensors = load_file(path)
    with torch.no_grad():
        for name, parameter in backbone.model.named_parameters():
            parameter.copy_(tensors[name])


def publish(backbone: Backbone, folder: Path, board: Board) -> None:
    """Gives the pupil in its own process these weights."""
    write_weights(backbone, folder / WEIGHTS, backbone.device.type == "cuda")
    board.control["published"] += 1


def serve(board: Board, folder: Path, seed: int, temperature: float, device: str, pipe: Any) -> None:
    """The loop of the pupil's process, until `mode` is STOP or its parent is gone.

    folder: of the model, as `Backbone.save` writes it, and of the weights that were published. It sends
    ("broken", False, traceback) if it fails.
    """
    stops_when_told()
    try:
        _serve(board, Path(folder), seed, temperature, device)
    except BaseException:
        pipe.send(("broken", False, traceback.format_exc()))
        raise SystemExit(1) from None
    finally:
        board.control["pupil"] = 0
        pipe.close()


def _serve(board: Board, folder: Path, seed: int, temperature: float, device: str) -> None:
    import torch
    from transformers.utils import logging

    from vla.backbone import Backbone

    logging.disable_progress_bar()
    if device == "cpu":
        torch.set_num_threads(1)
    backbone = Backbone.load(folder, device=device, dtype=torch.bfloat16 if device != "cpu" else torch.float32)
    pupil = new_pupil(backbone, seed)
    control, parent = board.control, os.getppid()
    while control["mode"] != STOP and os.getppid() == parent:
        published = int(control["published"])
        if published != control["loaded"]:
            load_weights(backbone, folder / WEIGHTS)
            control["loaded"] = published
            control["pupil"] = 1
        asking = board.asking() if control["loaded"] else np.zeros(0, np.int64)
        if not len(asking):
            time.sleep(NAP)
            continue
        asked = board.asked[asking].copy()
        texts = [text.decode() for text in board.texts[asking].tolist()]
        board.answer(asking, asked, pupil.sample(board.looks[asking], texts, temperature))
        control["answered"] += len(asking)
        control["batches"] += 1
