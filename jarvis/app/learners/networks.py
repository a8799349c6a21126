"""A small network: what is seen and a goal in, the chances of each choice and a value out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from jarvis.app.learners.controls import Controls
from jarvis.core.files import write_json

__all__ = ["ActorCritic", "NetworkConfig", "write_network"]

GOALS = 256  # that a network tells apart; number 0 is no goal


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes."""

    channels: tuple[int, int] = (16, 32)  # of the two layers that look at pixels: 8 x 8 by 4, 4 x 4 by 2
    width: int = 256


class _Pixels(nn.Module):
    """(batch, height, width, 3) uint8 -> (batch, width)."""

    def __init__(self, shape: tuple[int, ...], config: NetworkConfig) -> None:
        super().__init__()
        first, second = config.channels
        self.layers = nn.Sequential(
            nn.Conv2d(3, first, 8, 4), nn.ReLU(), nn.Conv2d(first, second, 4, 2), nn.ReLU(), nn.Flatten()
        )
        height, width = (((side - 8) // 4 + 1 - 4) // 2 + 1 for side in shape[:2])
        self.join = nn.Linear(second * height * width, config.width)

    def forward(self, seen: Tensor) -> Tensor:
        """See the class."""
        pixels = rearrange(seen, "batch height width channel -> batch channel height width")
        return self.join(self.layers(pixels.float() / 255 - 0.5))


class _Cells(nn.Module):
    """(batch, 144) uint8 of Crafter's cells -> (batch, width): a number of its own for each thing at each place."""

    KINDS = 16  # materials, and things, that are told apart

    def __init__(self, shape: tuple[int, ...], config: NetworkConfig) -> None:
        super().__init__()
        self.cells = shape[0] - 18
        self.table = nn.EmbeddingBag(self.cells * self.KINDS, config.width, mode="sum")
        nn.init.normal_(self.table.weight, std=0.1)
        self.bag = nn.Linear(18, config.width)
        self.register_buffer("places", torch.arange(self.cells) * self.KINDS, persistent=False)
        self.register_buffer("scale", torch.tensor([9.0] * 16 + [255.0, 1.0]), persistent=False)

    def forward(self, seen: Tensor) -> Tensor:
        """See the class."""
        return self.table(seen[:, : self.cells].long() + self.places) + self.bag(seen[:, self.cells :] / self.scale)


class ActorCritic(nn.Module):
    """What is seen -> features -> goal added -> choices and value."""

    def __init__(self, controls: Controls, config: NetworkConfig) -> None:
        super().__init__()
        self.controls, self.config = controls, config
        self.eyes = (_Pixels if len(controls.shape) == 3 else _Cells)(controls.shape, config)
        self.norm = nn.LayerNorm(config.width)
        self.goal = nn.Embedding(GOALS, config.width)
        self.decide = nn.Sequential(nn.ReLU(), nn.Linear(config.width, config.width), nn.ReLU())
        self.choice, self.value = nn.Linear(config.width, controls.choices), nn.Linear(config.width, 1)
        for layer in self.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                nn.init.orthogonal_(layer.weight, 2**0.5)
                nn.init.zeros_(layer.bias)
        nn.init.orthogonal_(self.choice.weight, 0.01)
        nn.init.orthogonal_(self.value.weight, 1.0)
        nn.init.normal_(self.goal.weight, std=0.5)
        with torch.no_grad():
            self.goal.weight[0] = 0

    def forward(self, seen: Tensor, goals: Tensor) -> tuple[Tensor, Tensor]:
        """seen: (batch, *controls.shape) uint8; goals: (batch,) int64. Returns (batch, choices), (batch,)."""
        features = self.decide(self.norm(self.eyes(seen)) + self.goal(goals))
        return self.choice(features), self.value(features).squeeze(-1)


def write_network(folder: Path, model: ActorCritic, goals: list[str], note: dict[str, Any]) -> None:
    """config.json, model.safetensors and card.md of a checkpoint."""
    from safetensors.torch import save_file

    config = {"controls": asdict(model.controls), "network": asdict(model.config), "goals": goals, **note}
    write_json(folder / "config.json", config)
    save_file({name: value.detach().clone() for name, value in model.state_dict().items()},
              folder / "model.safetensors")  # fmt: skip
    (folder / "card.md").write_text(
        f"# A small policy for {model.controls.env}\n\nLearnt by PPO from a curriculum (`jarvis learn`). It sees "
        f"{model.controls.shape} numbers and chooses among {model.controls.choices} actions.\n"
    )
