"""Frames as a vision tower takes them, without a processor of transformers: those do not import everywhere.

    pixels = PatchPixels(max_pixels=1024 * 28 * 28)                 # Qwen2-VL, Qwen2.5-VL, Qwen3-VL
    inputs = pixels.prepare([frame])                                # {"pixel_values", "image_grid_thw"}
    pixels.tokens(360, 640)                                         # how many image tokens such a frame becomes

The numbers equal those of the processors of transformers, which tests compare wherever these import.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.core.errors import FormatError

if TYPE_CHECKING:
    import torch

__all__ = ["PatchPixels", "SquarePixels", "kept", "pixels_of"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)


def _resized(frame: np.ndarray, height: int, width: int, resample: int) -> np.ndarray:
    if frame.shape[:2] == (height, width):
        return frame
    from PIL import Image

    return np.asarray(Image.fromarray(frame).resize((width, height), resample))


class _Normal:
    """Byte values to normalised floats, by table."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @cached_property
    def _table(self) -> np.ndarray:
        # NOTE: float32 throughout, in the order of the processors: rescale, then normalise
        rescaled = np.arange(256, dtype=np.float32) * np.float32(1 / 255)
        mean, std = (np.asarray(values, np.float32)[:, None] for values in (self.mean, self.std))
        return (rescaled[None] - mean) / std

    def _normalised(self, frame: np.ndarray) -> np.ndarray:
        """(3, height, width) float32 of (height, width, 3) uint8."""
        return np.stack([self._table[channel][frame[..., channel]] for channel in range(3)])


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """Computed once each; also within `torch.inference_mode`, whose tensors would be of no use to learning."""

    @lru_cache(maxsize=16)
    @wraps(function)
    def outside(*given: Any) -> Any:
        import torch

        with torch.inference_mode(False):
            return function(*given)

    return outside


@kept
def _scale_and_shift(mean: tuple[float, ...], std: tuple[float, ...], device: Any) -> tuple[Any, Any]:
    """(3, 1) float32 tensors: a byte times the one plus the other is normalised."""
    import torch

    means, stds = torch.tensor(mean)[:, None], torch.tensor(std)[:, None]
    return (1 / (255 * stds)).to(device), (-means / stds).to(device)


@dataclass(frozen=True)
class PatchPixels(_Normal):
    """Qwen's way: both sides a multiple of a patch times a merge, the picture cut into patches."""

    patch: int = 14
    merge: int = 2  # patches along a side that become one token
    temporal: int = 2  # a still picture is shown that many times
    min_pixels: int = 56 * 56
    max_pixels: int = 28 * 28 * 1280
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size a frame is brought to. FormatError for one more than 200 times as wide as high, or the reverse."""
        factor = self.patch * self.merge
        if max(height, width) > 200 * min(height, width):
            raise FormatError(f"a frame of {width} x {height}: longer than 200 times its other side")
        high, wide = round(height / factor) * factor, round(width / factor) * factor  # halves to even
        if high * wide > self.max_pixels:
            scale = math.sqrt(height * width / self.max_pixels)
            high, wide = (max(factor, math.floor(side / scale / factor) * factor) for side in (height, width))
        elif high * wide < self.min_pixels:
            scale = math.sqrt(self.min_pixels / (height * width))
            high, wide = (math.ceil(side * scale / factor) * factor for side in (height, width))
        return high, wide

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of image tokens."""
        high, wide = self.size(height, width)
        return high // (self.patch * self.merge), wide // (self.patch * self.merge)

    def tokens(self, height: int, width: int) -> int:
        """Image tokens of a frame of that size."""
        return math.prod(self.grid(height, width))

    def resized(self, frame: np.ndarray) -> np.ndarray:
        """A frame at its `size`, bicubic."""
        return _resized(frame, *self.size(*frame.shape[:2]), 3)

    def patches(self, frames: torch.Tensor) -> torch.Tensor:
        """(n, patches, 3 * patch * patch) float32 of (n, height, width, 3) uint8 frames of a size of `size`.

        As `prepare` has them, each once instead of `temporal` times; computed where the frames are, and waiting for
        nothing.
        """
        count, height, width = frames.shape[:3]
        side, merge = self.patch, self.merge
        cut = frames.view(count, height // side // merge, merge, side, width // side // merge, merge, side, 3)
        cut = cut.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(count, -1, 3, side * side)
        scale, shift = _scale_and_shift(self.mean, self.std, frames.device)
        return (cut * scale + shift).flatten(2)

    def prepare(self, frames: Sequence[np.ndarray]) -> dict[str, Any]:
        """pixel_values (patches, 3 * temporal * patch * patch) float32 and image_grid_thw (frames, 3) int64 tensors."""
        import torch

        patches, grids = [], []
        for frame in frames:
            high, wide = self.size(*frame.shape[:2])
            pixels = self._normalised(self.resized(frame))
            rows, columns, side, merge = high // self.patch, wide // self.patch, self.patch, self.merge
            cut = pixels.reshape(3, rows // merge, merge, side, columns // merge, merge, side)
            cut = cut.transpose(1, 4, 2, 5, 0, 3, 6)[:, :, :, :, :, None]
            cut = np.broadcast_to(cut, (*cut.shape[:5], self.temporal, side, side))
            patches.append(cut.reshape(rows * columns, -1))
            grids.append((1, rows, columns))
        return {
            "pixel_values": torch.from_numpy(np.concatenate(patches)),
            "image_grid_thw": torch.tensor(grids, dtype=torch.long),
        }


@dataclass(frozen=True)
class SquarePixels(_Normal):
    """SmolVLM's way for one whole picture: to its longest edge, then to a square; never split into tiles."""

    side: int = 512
    longest: int = 2048
    num_tokens: int = 64
    mean: tuple[float, ...] = HALF
    std: tuple[float, ...] = HALF

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """One row of all tokens: the model counts them in one dimension."""
        return 1, self.num_tokens

    def tokens(self, height: int, width: int) -> int:
        """Image tokens of a frame of any size."""
        return self.num_tokens

    def prepare(self, frames: Sequence[np.ndarray]) -> dict[str, Any]:
        """pixel_values (frames, 1, 3, side, side) float32 tensor."""
        import torch

        pictures = []
        for frame in frames:
            height, width = frame.shape[:2]
            if width >= height:
                wide, high = self.longest, int(self.longest / (width / height))
                high += high % 2
            else:
                high, wide = self.longest, int(self.longest * (width / height))
                wide += wide % 2
            larger = _resized(frame, max(1, high), max(1, wide), 1)  # Lanczos, twice, as the processor does
            pictures.append(self._normalised(_resized(larger, self.side, self.side, 1)))
        return {"pixel_values": torch.from_numpy(np.stack(pictures)[:, None])}


def pixels_of(
    model_type: str, config: Any, preprocessor: Mapping[str, Any] | None = None
) -> PatchPixels | SquarePixels:
    """How frames are prepared for a model, by its config and its preprocessor_config.json, if there is one."""
    given = dict(preprocessor or {})
    size = given.get("size") or {}
    common = {name: tuple(given[f"image_{name}"]) for name in ("mean", "std") if f"image_{name}" in given}
    if model_type == "smolvlm":
        vision = config.vision_config
        tokens = (vision.image_size // vision.patch_size) ** 2 // config.scale_factor**2
        longest = size.get("longest_edge", 4 * vision.image_size)
        return SquarePixels(vision.image_size, longest, tokens, **common)
    vision = config.vision_config
    limits = {
        "min_pixels": given.get("min_pixels") or size.get("shortest_edge"),
        "max_pixels": given.get("max_pixels") or size.get("longest_edge"),
    }
    if model_type == "qwen3_vl":
        common = {"mean": HALF, "std": HALF} | common
    return PatchPixels(
        patch=vision.patch_size,
        merge=vision.spatial_merge_size,
        temporal=vision.temporal_patch_size,
        **{name: limit for name, limit in limits.items() if limit},
        **common,
    )
