"""Other pictures of the same play: one draw for a whole clip, so that nothing moves that did not move.

The ranges of shape are those of VPT's paper (arXiv 2206.11795, appendix D.1); for colours it gives no numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jarvis.core.actions import BUTTON_INDEX, POLICY_BUTTONS

__all__ = ["PLAIN", "Augmentation", "augment", "mirrored_labels", "mirrored_maps"]


@dataclass(frozen=True)
class Augmentation:
    """How far a clip's look may be from what was recorded."""

    hue: float = 0.1  # of the circle, either way
    saturation: float = 0.2  # share, either way; so are the next two
    brightness: float = 0.2
    contrast: float = 0.2
    rotation: float = 2.0  # degrees, either way
    scale: float = 0.02
    shear: float = 2.0  # degrees
    shift: float = 2.0  # pixels
    shaped: float = 1.0  # share of the clips that are turned, scaled, sheared and shifted
    cursor: float = 0.5  # share of the clips in which the mouse cursor is drawn
    mirror: float = 0.0  # share of the clips seen in a mirror: left is right, and slot 1 is slot 9


PLAIN = Augmentation(*[0.0] * 11)


def augment(frames: np.ndarray, style: Augmentation, random: np.random.Generator) -> np.ndarray:
    """(ticks, height, width, 3) uint8 -> the same shape, all frames in the same way."""
    draws = random.uniform(-1, 1, 10)
    shaped = random.random() < style.shaped
    if style.hue or style.saturation or style.brightness or style.contrast:
        import cv2

        matrix = _colours(style, draws[:4])
        shape = frames.shape
        frames = cv2.transform(frames.reshape(shape[0] * shape[1], shape[2], 3), matrix).reshape(shape)
    if shaped and (style.rotation or style.scale or style.shear or style.shift):
        import cv2

        height, width = frames.shape[1:3]
        matrix = _shape(style, draws[4:], height, width)
        moved = np.empty_like(frames)
        for frame, target in zip(frames, moved, strict=True):
            cv2.warpAffine(frame, matrix, (width, height), dst=target, borderMode=cv2.BORDER_REFLECT_101)
        frames = moved
    return frames


def _colours(style: Augmentation, draws: np.ndarray) -> np.ndarray:
    """(3, 4): a matrix for colours and what is added."""
    angle = 2 * np.pi * style.hue * draws[0]
    grey = np.array([0.299, 0.587, 0.114])
    # The hue is a turn around the grey axis.
    axis = np.full((3, 3), 1 / 3)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turn = axis + np.cos(angle) * (np.eye(3) - axis) + np.sin(angle) * cross
    colourful = 1 + style.saturation * draws[1]
    matrix = (colourful * np.eye(3) + (1 - colourful) * grey[None]) @ turn
    matrix *= 1 + style.brightness * draws[2]
    contrast = 1 + style.contrast * draws[3]
    return np.column_stack([contrast * matrix, np.full(3, 128 * (1 - contrast))]).astype(np.float32)


def _shape(style: Augmentation, draws: np.ndarray, height: int, width: int) -> np.ndarray:
    """(2, 3): where each pixel goes."""
    angle, shear = np.deg2rad(style.rotation * draws[0]), np.tan(np.deg2rad(style.shear * draws[1]))
    scale = 1 + style.scale * draws[2]
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.array([[1.0, shear], [0.0, 1.0]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = middle - turn @ middle + style.shift * draws[3:5]
    return np.column_stack([turn, shift])


_SWAPPED = {"left": "right", "right": "left"} | {f"hotbar.{slot}": f"hotbar.{10 - slot}" for slot in range(1, 10)}
_MIRROR = np.array([BUTTON_INDEX[_SWAPPED.get(name, name)] for name in POLICY_BUTTONS])


def mirrored_labels(buttons: np.ndarray, camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(ticks, 20) buttons and (ticks, 2) degrees as they would be in a mirror."""
    return buttons[:, _MIRROR], camera * np.float32([1, -1])


def mirrored_maps(maps: np.ndarray) -> np.ndarray:
    """(..., rows, columns) maps of displacements, none in the middle, as they would be in a mirror."""
    return np.roll(maps[..., ::-1], 1, axis=-1)
