"""The apprentice at play: one model for all worlds, in a process of its own, with weights that follow the learner's.

pupil = Pupil(backbone, rows=120, temperature=0.7, seed=0)
actions = pupil.act([3, 17], frames, ["open the inventory", "go forward"])
publish(backbone, folder / "weights.safetensors", board)            # the learner's side
serve(board, folder, seed, temperature, device, pipe)               # the process: answers whoever asks
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.app.learners.apprentice_worlds import NAP, STOP, Board
from jarvis.core.actions import Action
from jarvis.core.random_streams import generator

if TYPE_CHECKING:
    from vla.backbone import Backbone

__all__ = ["Pupil", "load_weights", "publish", "serve", "write_weights"]

WEIGHTS = "weights.safetensors"


class Pupil:
    """Plays any rows at any time. It remembers nothing from tick to tick but where each row's random numbers are."""

    def __init__(self, backbone: Backbone, rows: int, temperature: float, seed: int) -> None:
        from vla.decoding import Speaker
        from vla.grammar import grammar_of

        self.backbone, self.temperature = backbone, temperature
        self.codec = backbone.codec()
        self._speaker = Speaker(backbone, grammar_of(self.codec, 1))
        self._randoms = [generator(seed, "pupil", row) for row in range(rows)]

    def act(self, rows: Sequence[int], frames: np.ndarray, texts: Sequence[str]) -> list[Action]:
        """One action for each of (n,) rows. frames: (n, height, width, 3) uint8 of the size that the model takes."""
        import torch

        from vla.prompts import IMAGE, Turn

        backbone, style, tokenizer = self.backbone, self.backbone.style, self.backbone.tokenizer
        with torch.inference_mode():
            pictures = backbone.see(list(frames))
        prefixes, suffixes = [], []
        for text, picture in zip(texts, pictures, strict=True):
            words, _ = style.first(text).parts
            prefix = style.render([Turn("user", (words,))], tokenizer, unfinished=True)
            start = int(prefix.positions.max()) + 1
            prefixes.append(prefix)
            suffixes.append(style.render([Turn("user", (IMAGE,))], tokenizer, [picture.grid], reply=True,
                                         continues=True, start=start))  # fmt: skip
        self._speaker.begin(prefixes)
        randoms = [self._randoms[row] for row in rows]
        replies = self._speaker.speak(suffixes, [[picture] for picture in pictures], randoms, self.temperature)
        return [Action.from_env(self.codec.decode(reply)[0]) for reply in replies]


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


def serve(board: Board, folder: Path, rows: int, seed: int, temperature: float, device: str, pipe: Any) -> None:
    """The loop of the pupil's process, until `mode` is STOP or its parent is gone.

    folder: of the model, as `Backbone.save` writes it, and of the weights that were published. It sends
    ("broken", False, traceback) if it fails.
    """
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the trainer says when to stop
    try:
        _serve(board, Path(folder), rows, seed, temperature, device)
    except BaseException:
        pipe.send(("broken", False, traceback.format_exc()))
        raise SystemExit(1) from None
    finally:
        board.control["pupil"] = 0
        pipe.close()


def _serve(board: Board, folder: Path, rows: int, seed: int, temperature: float, device: str) -> None:
    import torch

    from vla.backbone import Backbone

    if device == "cpu":
        torch.set_num_threads(1)
    backbone = Backbone.load(folder, device=device, dtype=torch.bfloat16 if device != "cpu" else torch.float32)
    pupil = Pupil(backbone, rows, temperature, seed)
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
        board.answer(asking, asked, pupil.act(asking.tolist(), board.looks[asking], texts))
        control["answered"] += len(asking)
        control["batches"] += 1
