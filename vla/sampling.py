"""Actions for many rows at once, chosen where the model computes: nothing is done row by row.

    sampler = Sampler(backbone, seed=0)
    actions = sampler.sample(frames, ["left-click slot 37", "go forward"], temperature=0.8)

For play in bulk, as a learner needs it: no memory from tick to tick, any rows in any order, the grammar as a table on
the device. The random numbers are one stream for all; `VlaPolicy` plays rows that depend on nothing but their own seed.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from jarvis.core.actions import BUTTONS, JARVIS_CAMERA, Action
from jarvis.core.errors import ActionError
from vla.action_codecs import WIDTH, GroupCodec
from vla.backbone import Backbone
from vla.grammar import grammar_of
from vla.prompts import Rendered

if TYPE_CHECKING:
    import torch

__all__ = ["Sampler"]

CHOICES = WIDTH - 2  # of an action at most: its begin and its end are none


class Sampler:
    """Replies of one action to one picture and a few words."""

    def __init__(self, backbone: Backbone, seed: int = 0) -> None:
        """Raises ValueError for an agent that looks back, says several actions at once or spells them otherwise."""
        import torch

        agent, codec = backbone.agent, backbone.codec()
        if agent.history or agent.chunk != 1 or not isinstance(codec, GroupCodec):
            raise ValueError(
                f"an agent of history {agent.history}, chunk {agent.chunk} and codec {agent.codec}: expected history "
                "0, chunk 1 and a jarvisvla codec; VlaPolicy plays others"
            )
        self.backbone, self.codec = backbone, codec
        self._random = torch.Generator(backbone.device).manual_seed(seed)
        allowed, after = _table(codec, backbone.model.lm_head.out_features)
        self._allowed = torch.from_numpy(allowed).to(backbone.device)
        self._after = torch.from_numpy(after).to(backbone.device)
        self._prompt = lru_cache(maxsize=4096)(self._render)

    def sample(
        self, frames: np.ndarray | torch.Tensor, instructions: Sequence[str], temperature: float = 1.0
    ) -> list[Action]:
        """One action a row. frames: (n, height, width, 3) uint8 of the agent's size, an array or on the device.

        Temperature 0 takes the likeliest at each choice. Raises ActionError for a model whose numbers are not finite.
        """
        import torch

        if len(frames) != len(instructions):
            raise ValueError(f"{len(frames)} frames for {len(instructions)} instructions, expected as many")
        with torch.inference_mode():
            stack = self.backbone.see_stack(frames)
            prompts = [self._prompt(instruction, stack.grid) for instruction in instructions]
            ids, finite = self._speak(prompts, stack, temperature)
            replies = ids.cpu().numpy()
        if not finite.item():
            raise ActionError("the model's logits are not finite")
        buttons, bins = self.codec.joint.decode(*self.codec.decode_classes(replies))
        buttons = np.pad(buttons, ((0, 0), (0, len(BUTTONS) - buttons.shape[1])))
        return [Action(*one) for one in zip(buttons, JARVIS_CAMERA.to_degrees(bins), strict=True)]

    def _speak(
        self, prompts: Sequence[Rendered], stack: object, temperature: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, CHOICES) ids, -1 behind each reply's last, and whether all numbers were finite."""
        import torch

        backbone, device = self.backbone, self.backbone.device
        lengths = np.array([len(prompt) for prompt in prompts])
        count, width = len(prompts), int(lengths.max())
        # NOTE: padded behind, so that nothing needs a mask but the few tokens of the reply
        ids, positions = np.zeros((count, width), np.int64), np.zeros((3, count, width), np.int64)
        pictures = np.full((count, width), -1, np.int64)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)], pictures[row, : len(prompt)] = prompt.ids, prompt.pictures
            positions[:, row, : len(prompt)] = prompt.positions
        last = positions[0, np.arange(count), lengths - 1]
        there = np.arange(width + CHOICES) < lengths[:, None]
        there[:, width:] = True
        ids, positions, pictures, lengths, last, there = (
            torch.from_numpy(part).to(device, non_blocking=True)
            for part in (ids, positions, pictures, lengths, last, there)
        )
        cache = backbone.cache(width + CHOICES)
        hidden = backbone.read(backbone.embed(ids, pictures, stack), positions, None, cache)
        hidden = hidden[torch.arange(count, device=device), lengths - 1]
        state = torch.zeros(count, dtype=torch.long, device=device)
        replies = torch.full((count, CHOICES), -1, dtype=torch.long, device=device)
        finite = torch.ones((), dtype=torch.bool, device=device)
        for choice in range(CHOICES):
            logits = backbone.logits(hidden).float()
            finite &= torch.isfinite(logits.sum())
            if temperature > 0:
                # an exponential's negative logarithm is Gumbel's: the argmax is a sample of the softmax
                noise = torch.empty_like(logits).exponential_(generator=self._random)
                logits = logits / temperature - noise.log()
            token = logits.masked_fill(~self._allowed[state], -torch.inf).argmax(1)
            replies[:, choice] = torch.where(state >= 0, token, -1)
            state = torch.where(state >= 0, self._after[state, token], -1)
            if choice == CHOICES - 1 or not (state >= 0).any():
                break
            where = (last + 1 + choice).expand(3, -1)[..., None]
            said = backbone.embed(token[:, None], torch.full_like(token[:, None], -1), ())
            hidden = backbone.read(said, where, there[:, None, : width + choice + 1], cache)[:, 0]
        return replies, finite

    def _render(self, instruction: str, grid: tuple[int, int]) -> Rendered:
        """All before the first choice: the words, the picture, and the begin of an action."""
        style = self.backbone.style
        prompt = style.render([style.first(instruction)], self.backbone.tokenizer, [grid], reply=True)
        last = prompt.positions[:, -1:]
        return Rendered(
            np.append(prompt.ids, self.codec.begin),
            np.append(prompt.learnt, False),
            np.append(prompt.pictures, -1),
            np.concatenate([prompt.positions, last + 1], axis=1),
        )


def _table(codec: GroupCodec, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """(states, vocabulary): which ids may come, and the state after each, -1 where only the end is left.

    State 0 is after the begin.
    """
    grammar = grammar_of(codec, 1)
    [start] = grammar.choices(grammar.start)[1]
    states: list[Hashable] = [start]
    rows = []
    for state in states:  # which grows
        ids, after = grammar.choices(state)
        numbers = []
        for other in after:
            left = grammar.choices(other)[0]
            if left.tolist() == [codec.end]:
                numbers.append(-1)
                continue
            if other not in states:
                states.append(other)
            numbers.append(states.index(other))
        rows.append((ids, numbers))
    allowed = np.zeros((len(rows), vocabulary), bool)
    following = np.full((len(rows), vocabulary), -1, np.int64)
    for row, (ids, numbers) in enumerate(rows):
        allowed[row, ids], following[row, ids] = True, numbers
    return allowed, following
