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

from jarvis.app.learners.apprentice_buffer import Words
from jarvis.app.learners.apprentice_worlds import NAP, STOP, Board, stops_when_told
from jarvis.core.actions import BUTTONS, JARVIS_CAMERA, Action, JointActions
from jarvis.core.errors import FormatError
from jarvis.core.random_streams import stream_seed
from vla.grammar import Grammar, grammar_of

if TYPE_CHECKING:
    from vla.backbone import Backbone

__all__ = ["Pupil", "load_weights", "publish", "serve", "write_weights"]

WEIGHTS = "weights.safetensors"
MOST_STATES = 64  # of a grammar


class Pupil:
    """Plays any rows of any worlds. It remembers nothing from tick to tick.

    vla.decoding keeps what a row was told before and chooses row by row; where a hundred worlds ask, each with other
    words than before, it is faster to read all of it again and to choose on the device.
    """

    def __init__(self, backbone: Backbone, temperature: float, seed: int) -> None:
        import torch

        self.backbone, self.temperature = backbone, temperature
        self.codec = backbone.codec()
        self._words = Words(backbone)
        self._choices = _Choices(grammar_of(self.codec, 1), backbone)
        self._random = torch.Generator(backbone.device).manual_seed(stream_seed(seed, "pupil") % 2**63)

    def act(self, frames: np.ndarray, texts: Sequence[str]) -> list[Action]:
        """One action for each of (n, height, width, 3) uint8 frames, of the size that the model takes."""
        joint = JointActions(JARVIS_CAMERA)
        buttons, bins = joint.decode(*self.codec.decode_classes(self._replies(frames, texts)))
        padded = np.zeros((len(texts), len(BUTTONS)), np.uint8)
        padded[:, : buttons.shape[1]] = buttons
        return [Action(*one) for one in zip(padded, JARVIS_CAMERA.to_degrees(bins), strict=True)]

    def _replies(self, frames: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """(n, m) ids, padded with -1; what the grammar forces is left out at the end."""
        import torch
        from transformers import DynamicCache

        backbone, choices, count = self.backbone, self._choices, len(texts)
        device = backbone.device
        numbers = torch.tensor([self._words.number(text) for text in texts], device=device)
        table = self._words.on(device)
        opening = choices.opening.expand(count, -1)
        with torch.inference_mode():
            ids, positions, pictures, _ = table.written(numbers, opening)
            cache = DynamicCache(config=backbone.language.config)
            embedded = backbone.embed(ids, pictures, backbone.see_stack(torch.from_numpy(frames).to(device)))
            hidden = backbone.read(embedded, positions, None, cache)
            length, place = table.lengths[numbers] + opening.shape[1], table.next[numbers] + opening.shape[1]
            hidden = hidden[torch.arange(count, device=device), length - 1]
            # NOTE: the padding behind short words was read too; it is never looked at
            mask = torch.arange(ids.shape[1], device=device) < length[:, None]
            state = torch.full((count,), choices.start, device=device)
            said = [opening]
            while True:
                token, state = choices.draw(backbone.logits(hidden).float(), state, self.temperature, self._random)
                said.append(token[:, None])
                if choices.over[state].all():
                    return torch.cat(said, 1).cpu().numpy()
                mask = torch.cat([mask, torch.ones_like(mask[:, :1])], 1)
                embedded = backbone.embed(token.clamp(0)[:, None], torch.full_like(token[:, None], -1), ())
                hidden = backbone.read(embedded, place.expand(3, -1)[..., None], mask[:, None], cache)[:, -1]
                place = place + 1


class _Choices:
    """A grammar with few states as tables on the device."""

    def __init__(self, grammar: Grammar, backbone: Backbone) -> None:
        import torch

        opening, state = [], grammar.start
        while len(grammar.choices(state)[0]) == 1:
            ids, after = grammar.choices(state)
            opening.append(int(ids[0]))
            state = after[0]
        states, found = {state: 0}, [state]
        for known in found:  # which grows meanwhile
            for after in grammar.choices(known)[1]:
                if after not in states:
                    states[after] = len(states)
                    found.append(after)
            if len(states) > MOST_STATES:
                raise FormatError(f"codec {backbone.agent.codec!r}: its grammar has more than {MOST_STATES} states; "
                                  "an apprentice speaks jarvisvla-v1 or jarvisvla-fixed")  # fmt: skip
        width = backbone.model.lm_head.out_features
        allowed = torch.full((len(states), width), -torch.inf)
        after_of = torch.zeros((len(states), width), dtype=torch.int64)
        over = torch.zeros(len(states), dtype=torch.bool)
        for known, number in states.items():
            ids, after = grammar.choices(known)
            over[number] = len(ids) < 2
            allowed[number, ids] = 0.0
            after_of[number, ids] = torch.tensor([states[one] for one in after], dtype=torch.int64)
        allowed[over] = 0.0  # what is drawn there counts for nothing
        device = backbone.device
        self.start, self.opening = 0, torch.tensor([opening], device=device)
        self.over = over.to(device)  # nothing is left to choose
        self._allowed, self._after = allowed.to(device), after_of.to(device)

    def draw(self, logits: Any, state: Any, temperature: float, random: Any) -> tuple[Any, Any]:
        """(n,) ids, -1 for rows that are over, and (n,) the states after them, of (n, vocabulary) logits."""
        import torch

        heated = logits / temperature if temperature > 0 else logits
        if temperature > 0:  # Gumbel's trick: the argmax of noisy logits is a sample of their softmax
            heated = heated - torch.empty_like(logits).exponential_(generator=random).log()
        token = (heated + self._allowed[state]).argmax(1)
        over = self.over[state]
        return torch.where(over, -1, token), torch.where(over, state, self._after[state, token])


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
    pupil = Pupil(backbone, temperature, seed)
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
        board.answer(asking, asked, pupil.act(board.looks[asking], texts))
        control["answered"] += len(asking)
        control["batches"] += 1
