"""A network of VPT's as a Policy: pixels in, keys and mouse out, whatever the goal says.

    policy = VptPolicy("foundation-model-2x.model:foundation-model-2x.weights")     # --policy vpt:MODEL:WEIGHTS
    policy.reset([goal], seeds=[7])
    actions = policy.act([observation])

The weights were trained on frames that were stretched to 128x128 without antialiasing, with the mouse cursor drawn in,
and with actions sampled from both heads; so are these. Each row has a memory and random numbers of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from jarvis.core.actions import BUTTONS, POLICY_BUTTONS, VPT_CAMERA, Action, JointActions
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.random_streams import generator
from jarvis.core.rows import Rows
from jarvis.vpt.loading import load_spec
from jarvis.vpt.networks import VPTPolicy
from jarvis.vpt.pixels import resize
from jarvis.vpt.sampling import sample
from jarvis.vpt.speed import prepare
from jarvis.vpt.transformer import PolicyState

__all__ = ["VptPolicy"]

JOINT = JointActions(VPT_CAMERA)


@dataclass
class _Row:
    random: torch.Generator
    state: PolicyState


class VptPolicy(Rows):
    """Plays many episodes at once, one a row, with one network."""

    def __init__(
        self,
        source: str | Path | VPTPolicy,
        *,
        temperature: float | None = None,
        deterministic: bool = False,
        device: str | None = None,
    ) -> None:
        """source: MODEL[:WEIGHTS], a checkpoint folder, or a network, which is played as it is. temperature: in place
        of the file's. device: "cuda" where there is one.

        deterministic: the most probable action always, with which VPT's policies are known to get stuck. Raises
        ModelFileError for files that are missing, damaged, or no policy.
        """
        super().__init__()
        if not isinstance(source, VPTPolicy):
            device = device or ("cuda" if torch.cuda.is_available() else "cpu")
            source = prepare(load_spec(f"vpt:{source}", temperature), device, "float32")
        self.network = source
        self.deterministic = deterministic

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of what the network sees: best drawn at that size, not brought to it."""
        return self.network.config.image_size, self.network.config.image_size

    def begin(self, goal: Goal | None, seed: int) -> _Row:
        """An empty memory."""
        number = int(generator(seed, "policy", "vpt").integers(1 << 62))
        return _Row(torch.Generator().manual_seed(number), self.network.initial_state(1))

    @torch.no_grad()
    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One action a row."""
        self.check(observations)
        size = self.network.config.image_size
        frames = np.stack([resize(observation.pov, size) for observation in observations])[:, None]
        first = np.zeros(frames.shape[:2], np.bool_)  # a row that begins has a state that has seen nothing
        output, state = self.network(frames, first, PolicyState.cat([row.state for row in self._rows]))
        actions = []
        for number, row in enumerate(self._rows):
            row.state = state[number : number + 1]
            logp = {name: values[number, 0].cpu() for name, values in output.items() if name != "value"}
            chosen = sample(logp, row.random, self.deterministic)
            pressed, bins = JOINT.decode(int(chosen["buttons"]), int(chosen["camera"]))
            buttons = np.zeros(len(BUTTONS), np.uint8)
            buttons[: len(POLICY_BUTTONS)] = pressed
            actions.append(Action(buttons, VPT_CAMERA.to_degrees(bins)))
        return actions
