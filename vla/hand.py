"""The hand on an open screen: one picture and a few words in, one key or a movement of the mouse out.

    hand = Hand.load("jarvis/data/agent/hand.safetensors")
    actions = hand.act(frames, ["left-click hotbar 7"], [random], temperature=0.5)

A small convolutional network beside an agent's large one. In a picture of 252 x 140 pixels a slot is 7 pixels wide and
a token of the agent's 28, so its tower, trained on whole scenes, does not tell one slot from the next. This one keeps
where things are: coordinates are the expectations of softmaxes over the picture (spatial softmax, Levine et al. 2016,
arXiv 1504.00702), and the first of these is taught to be the cursor's.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from jarvis.core.actions import HOTBAR, JARVIS_CAMERA, Action
from jarvis.core.errors import FormatError

__all__ = ["KEYS", "Hand", "classes"]

# What a hand may press: what clicks, and what opens and closes.
KEYS: tuple[tuple[str, ...], ...] = (
    (), ("attack",), ("use",), ("sneak", "attack"), ("inventory",), *((key,) for key in HOTBAR)
)  # fmt: skip
ENTRIES = 8192  # of the table of words, each at its place
CHANNELS, WORDS, HIDDEN = 32, 128, 256
_BINS = JARVIS_CAMERA.num_bins


class Hand(nn.Module):
    """Sees one screen at a time and remembers nothing."""

    def __init__(self, width: int, height: int, *, channels: int = CHANNELS, hidden: int = HIDDEN) -> None:
        """width, height: of the pictures it learns from, in pixels."""
        super().__init__()
        self.picture_size = width, height
        half = channels // 2
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(3, half, 5, stride=2, padding=2),
                nn.Conv2d(half, channels, 3, stride=2, padding=1),
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.Conv2d(channels, channels, 3, padding=1),
            ]
        )
        self.points = nn.Conv2d(channels, channels, 1)
        self.words = nn.EmbeddingBag(ENTRIES, WORDS, mode="sum")
        self.mind = nn.Sequential(
            nn.Linear(3 * channels + WORDS, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU(),
        )  # fmt: skip
        self.heads = nn.Linear(hidden, len(KEYS) + 2 * _BINS)

    def forward(self, frames: Tensor, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """frames (B, H, W, 3) uint8. Logits of KEYS (B, 14), of pitch and of yaw (B, 21), of the cursor (B, h, w).

        The last are over a grid of cells of 4 pixels whose outermost lie at the picture's edges.
        """
        seen = frames.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        for layer in self.layers:
            seen = relu(layer(seen))
        maps = self.points(seen)
        rows, columns = maps.shape[2:]
        shares = maps.flatten(2).softmax(-1).view_as(maps)
        x = (shares.sum(2) * torch.linspace(-1.0, 1.0, columns, device=maps.device)).sum(-1)
        y = (shares.sum(3) * torch.linspace(-1.0, 1.0, rows, device=maps.device)).sum(-1)
        ids, starts = _spelled(texts)
        told = self.words(ids.to(maps.device), starts.to(maps.device))
        made = self.heads(self.mind(torch.cat([8.0 * x, 8.0 * y, maps.amax((2, 3)), told], 1)))
        keys, pitch, yaw = made.split((len(KEYS), _BINS, _BINS), 1)
        return keys, pitch, yaw, maps[:, 0]

    @torch.inference_mode()
    def act(
        self,
        frames: np.ndarray,
        texts: Sequence[str],
        randoms: Sequence[np.random.Generator],
        temperature: float = 0.5,
    ) -> list[Action]:
        """One action for each of frames (B, H, W, 3) uint8, drawn by its own random numbers."""
        keys, pitch, yaw, _ = self(torch.from_numpy(np.ascontiguousarray(frames)), texts)
        parts = [part.double().numpy() for part in (keys, pitch, yaw)]
        return [
            _action(*(_drawn(part[row], temperature, random) for part in parts)) for row, random in enumerate(randoms)
        ]

    def save(self, path: str | Path) -> None:
        """Write the weights, in half precision."""
        from safetensors.torch import save_file

        size = {name: str(pixels) for name, pixels in zip(("width", "height"), self.picture_size, strict=True)}
        save_file({name: value.half().contiguous() for name, value in self.state_dict().items()}, path, size)

    @classmethod
    def load(cls, path: str | Path) -> Hand:
        """Read weights; FormatError for a file that holds no hand."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                size = file.metadata() or {}
                weights = {name: file.get_tensor(name).float() for name in file.keys()}
            channels, hidden = len(weights["points.weight"]), weights["heads.weight"].shape[1]
            hand = cls(int(size["width"]), int(size["height"]), channels=channels, hidden=hidden)
            hand.load_state_dict(weights)
        except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
            raise FormatError(f"{path}: holds no hand ({error})") from error
        return hand.eval()


def classes(action: Action) -> tuple[int, int, int]:
    """Numbers in KEYS and of the bins of pitch and yaw. ValueError for what is pressed together otherwise."""
    pressed = set(action.pressed)
    key = next((number for number, keys in enumerate(KEYS) if set(keys) == pressed), None)
    if key is None:
        raise ValueError(f"no hand presses {sorted(pressed)}")
    pitch, yaw = JARVIS_CAMERA.to_bins(action.camera)
    return key, int(pitch), int(yaw)


def _action(key: int, pitch: int, yaw: int) -> Action:
    return Action.of(*KEYS[key], camera=JARVIS_CAMERA.to_degrees(np.array([pitch, yaw])))


def _drawn(logits: np.ndarray, temperature: float, random: np.random.Generator) -> int:
    if not temperature:
        return int(logits.argmax())
    shares = np.exp((logits - logits.max()) / temperature)
    return int(random.choice(len(shares), p=shares / shares.sum()))


def _spelled(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Entries of the words, each at its place in the text, and where each text begins among them."""
    ids: list[int] = []
    starts: list[int] = []
    for text in texts:
        starts.append(len(ids))
        ids += [zlib.crc32(f"{place} {word}".encode()) % ENTRIES for place, word in enumerate(text.split())]
    return torch.tensor(ids), torch.tensor(starts)
