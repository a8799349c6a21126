"""How an action predictor is surprised by what a player did: what a scorer gives, and what it promises."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from jarvis.core.actions import CameraBins
from jarvis.core.errors import EpisodeError

__all__ = ["ActionScorer", "TickScores"]


@dataclass(frozen=True, eq=False)
class TickScores:
    """What a predictor makes of one clip of n ticks. Losses are nats, -log p of the class that was taken.

    Tick t is scored after frame t and all frames before it. The fresh losses are those of the same predictor with no
    memory: [t, k] is the loss at tick t + k of one that saw only the frames t to t + k; NaN beyond the clip's end.
    EpisodeError names the first tick with a loss that is no number.
    """

    buttons: np.ndarray  # (n,) float32: loss of the joint button class
    camera: np.ndarray  # (n,) float32: loss of the joint camera class
    entropy: np.ndarray  # (n, 2) float32: of what was expected, buttons and camera
    fresh_buttons: np.ndarray  # (n, horizon) float32
    fresh_camera: np.ndarray  # (n, horizon) float32
    hidden: np.ndarray  # (n, width) float16: what the heads read
    predictor: str  # the digest of its weights

    def __post_init__(self) -> None:
        count = len(self.buttons)
        if not count:
            raise EpisodeError("scores of no ticks")
        for name in ("buttons", "camera", "entropy", "fresh_buttons", "fresh_camera", "hidden"):
            array = getattr(self, name)
            if len(array) != count:
                raise EpisodeError(f"{name}: {len(array)} ticks, expected {count} as in buttons")
            finite = np.isfinite(array)
            if name.startswith("fresh"):  # beyond the end there is nothing to score
                finite |= np.arange(count)[:, None] + np.arange(array.shape[1]) >= count
            if not finite.all():
                tick = int(np.argwhere(~finite)[0][0])
                raise EpisodeError(
                    f"{name}: {array[tick]!r:.80} at tick {tick}, expected finite numbers; the predictor "
                    f"{self.predictor[:12]} diverged or the action is impossible for it: choose another checkpoint"
                )

    def __len__(self) -> int:
        return len(self.buttons)

    @property
    def horizon(self) -> int:
        """Ticks that each fresh predictor is followed."""
        return int(self.fresh_buttons.shape[1])


@runtime_checkable
class ActionScorer(Protocol):
    """An unconditional action predictor, asked how likely what was done is.

        classes = JointActions(scorer.bins).encode(buttons[:, :20], scorer.bins.to_bins(camera))
        scores = scorer.score(clip.frames(scorer.image_size), *classes)

    One causal pass over a video, however it is cut into chunks.
    """

    digest: str  # of the weights: the same for the same predictor
    bins: CameraBins  # in which it thinks of the camera
    image_size: int  # frames are image_size x image_size

    def score(self, frames: Iterable[np.ndarray], button_classes: np.ndarray, camera_classes: np.ndarray) -> TickScores:
        """Scores one clip. frames: consecutive chunks (ticks, size, size, 3) uint8 RGB; classes: (n,) int64."""
        ...
