"""What differs between videos of the same game: textures, view, brightness, compression, and things laid over it.

    variation = draw_variation(seed, episode)
    env = make_env(**variation.env_options())
    frame = Retouch(variation, 640, 360).apply(frame)

Off by default: recordings made without are as plain as the contractors'. Labels never change, since the mouse, the keys
and the world are the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.random_streams import generator

__all__ = ["OVERLAYS", "PLAIN", "Retouch", "Variation", "draw_variation"]

OVERLAYS = ("none", "face", "title", "logo")
PALETTES = 24  # looks of the world's textures to draw from
_TITLES = ("EPISODE 1", "LIVE", "SUBSCRIBE!", "hardcore day 3", "Let's play #12", "no commentary")


@dataclass(frozen=True)
class Variation:
    """One look. The defaults are the plain one."""

    palette: int = 0  # of the world's textures
    fov: float = 70.0  # vertical degrees
    brightness: float = 1.0  # factor of all colours
    gamma: float = 1.0  # below 1 lifts the dark parts
    crf: int | None = None  # of the video; None: the recorder's own
    overlay: str = "none"  # one of OVERLAYS
    overlay_seed: int = 0  # its colours, size and corner

    def __post_init__(self) -> None:
        if self.overlay not in OVERLAYS:
            raise UnknownNameError("overlay", self.overlay, nearest_names(self.overlay, OVERLAYS))

    def env_options(self) -> dict[str, Any]:
        """What the environment must be made with."""
        return {"palette": self.palette, "fov": self.fov}

    def to_json(self) -> dict[str, Any]:
        """Every field."""
        return asdict(self)


PLAIN = Variation()


def draw_variation(seed: int, *names: str | int) -> Variation:
    """One of the looks that web video has, the same for the same seed and names."""
    random = generator(seed, "variation", *names)
    return Variation(
        palette=int(random.integers(PALETTES)),
        fov=float(random.choice([60.0, 70.0, 70.0, 80.0, 90.0])),
        brightness=round(float(random.uniform(0.8, 1.2)), 3),
        gamma=round(float(random.uniform(0.75, 1.15)), 3),
        crf=int(random.integers(18, 33)),
        overlay=str(random.choice(OVERLAYS, p=[0.55, 0.15, 0.15, 0.15])),
        overlay_seed=int(random.integers(1 << 30)),
    )


class Retouch:
    """Applies the part of a variation that is not the environment's to (height, width, 3) uint8 frames."""

    def __init__(self, variation: Variation, width: int, height: int) -> None:
        levels = np.arange(256) / 255.0
        table = np.clip(levels**variation.gamma * variation.brightness, 0, 1) * 255
        self._table = np.rint(table).astype(np.uint8)
        self._is_identity = bool((self._table == np.arange(256)).all())
        self._overlay = _overlay(variation, width, height)

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """The frame as it is recorded; a new array if anything changes."""
        if not self._is_identity:
            import cv2

            frame = cv2.LUT(frame, self._table)
        if self._overlay is not None:
            top, left, colour, alpha = self._overlay
            frame = frame.copy() if self._is_identity else frame
            below = frame[top : top + colour.shape[0], left : left + colour.shape[1]]
            below[:] = (below * (1 - alpha) + colour * alpha).astype(np.uint8)
        return frame


def _overlay(variation: Variation, width: int, height: int) -> tuple[int, int, np.ndarray, np.ndarray] | None:
    """Row, column, colours (h, w, 3) and opacity (h, w, 1) of what lies over the picture."""
    if variation.overlay == "none":
        return None
    import cv2

    random = np.random.Generator(np.random.PCG64(variation.overlay_seed))
    ink, ground = (
        tuple(int(level) for level in random.integers(low, high, 3)) for low, high in ((190, 256), (10, 110))
    )
    unit = height / 360
    if variation.overlay == "face":  # a player's camera in a corner
        h, w = round(unit * random.integers(64, 104)), round(unit * random.integers(84, 132))
        colour, alpha = np.empty((h, w, 3), np.uint8), np.ones((h, w, 1))
        colour[:] = np.linspace(0.6, 1.0, h)[:, None, None] * np.array(ground)
        skin, shirt = (tuple(int(level) for level in random.integers(90, 230, 3)) for _ in range(2))
        cv2.ellipse(colour, (w // 2, h), (round(w * 0.34), round(h * 0.42)), 0, 0, 360, shirt, -1, cv2.LINE_AA)
        cv2.ellipse(
            colour, (w // 2, round(h * 0.4)), (round(h * 0.19), round(h * 0.25)), 0, 0, 360, skin, -1, cv2.LINE_AA
        )
        cv2.rectangle(colour, (0, 0), (w - 1, h - 1), ink, max(1, round(2 * unit)))
    elif variation.overlay == "title":  # a line of text along the upper edge
        text = str(random.choice(_TITLES))
        size, thick = 0.55 * unit, max(1, round(unit))
        (w, h), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size, thick)
        pad = round(6 * unit)
        colour = np.full((h + 2 * pad, w + 2 * pad, 3), ground, np.uint8)
        alpha = np.full((*colour.shape[:2], 1), 0.65)
        mask = np.zeros(colour.shape[:2], np.uint8)
        cv2.putText(mask, text, (pad, pad + h), cv2.FONT_HERSHEY_DUPLEX, size, 255, thick, cv2.LINE_AA)
        colour[mask > 60] = ink
        alpha[mask > 60] = 1.0
    else:  # a half transparent sign
        h = w = round(unit * random.integers(28, 52))
        colour = np.full((h, w, 3), ink, np.uint8)
        mask = np.zeros((h, w), np.uint8)
        cv2.circle(mask, (w // 2, h // 2), w // 2 - 1, 255, max(2, round(3 * unit)), cv2.LINE_AA)
        points = np.array([[w * 0.38, h * 0.28], [w * 0.38, h * 0.72], [w * 0.74, h * 0.5]], np.int32)
        cv2.fillPoly(mask, [points], 255, cv2.LINE_AA)
        alpha = mask[..., None] / 255 * 0.5
    h, w = min(h if variation.overlay == "face" else colour.shape[0], height), min(colour.shape[1], width)
    margin = round(8 * unit)
    # The lower edge has the hotbar in its middle only; faces may sit in any corner, the rest stays above.
    lower = variation.overlay == "face" and random.random() < 0.5
    top = max(0, height - h - margin) if lower else min(margin, height - h)
    left = min(margin, width - w) if random.random() < 0.5 else max(0, width - w - margin)
    return top, left, colour[:h, :w].astype(np.float32), alpha[:h, :w].astype(np.float32)
