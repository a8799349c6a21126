"""Frames as VPT's networks expect them: the mouse cursor drawn in, then resized to 128x128 without antialiasing."""

from __future__ import annotations

import cv2
import numpy as np

from jarvis.vpt.config import InputError

__all__ = ["CURSOR_SIZE", "arrow_cursor", "cursor_position", "draw_cursor", "resize"]

CURSOR_SIZE = 16  # pixels in a 640x360 frame
MOUSE_HEIGHT = 720  # height of the window in which recordings count the mouse's position


def resize(frames: np.ndarray, size: int = 128) -> np.ndarray:
    """(..., height, width, 3) uint8 frames -> (..., size, size, 3), the picture stretched to a square.

    Exactly OpenCV's bilinear resize in fixed point, which is what the released weights were trained on. Other
    libraries differ by a level or, with antialiasing, by very much.
    """
    if frames.dtype != np.uint8 or frames.ndim < 3 or frames.shape[-1] != 3 or 0 in frames.shape[-3:]:
        raise InputError(f"frames: {frames.dtype} {frames.shape}, expected (..., height, width, 3) uint8")
    flat = frames.reshape(-1, *frames.shape[-3:])
    resized = np.empty((len(flat), size, size, 3), np.uint8)
    for frame, target in zip(flat, resized, strict=True):
        cv2.resize(frame, (size, size), dst=target, interpolation=cv2.INTER_LINEAR)
    return resized.reshape(*frames.shape[:-3], size, size, 3)


def cursor_position(mouse_x: float, mouse_y: float, frame_height: int) -> tuple[int, int]:
    """The cursor's pixel (x, y) in a frame, of a recording's mouse position, which is in a window 720 high."""
    scale = frame_height / MOUSE_HEIGHT
    return int(mouse_x * scale), int(mouse_y * scale)


def draw_cursor(frame: np.ndarray, x: int, y: int, cursor: np.ndarray | None = None) -> np.ndarray:
    """A copy of a (height, width, 3) uint8 frame with the cursor's top left corner at pixel (x, y).

    cursor: (rows, columns, 4) uint8 with alpha last, its colours in the order of the frame's; `arrow_cursor()` if None.
    What lies outside of the frame is cut off.
    """
    cursor = arrow_cursor() if cursor is None else cursor
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[-1] != 3:
        raise InputError(f"frame: {frame.dtype} {frame.shape}, expected (height, width, 3) uint8")
    if cursor.dtype != np.uint8 or cursor.ndim != 3 or cursor.shape[-1] != 4:
        raise InputError(f"cursor: {cursor.dtype} {cursor.shape}, expected (rows, columns, 4) uint8")
    drawn = frame.copy()
    top, left = max(y, 0), max(x, 0)
    below = drawn[top : max(y + cursor.shape[0], 0), left : max(x + cursor.shape[1], 0)]
    visible = cursor[top - y :, left - x :][: below.shape[0], : below.shape[1]]
    alpha = visible[..., 3:] / 255.0
    # NOTE: truncated, not rounded, as the released weights' training data was.
    below[:] = (below * (1 - alpha) + visible[..., :3] * alpha).astype(np.uint8)
    return drawn


_ARROW = """
#
##
#o#
#oo#
#ooo#
#oooo#
#ooooo#
#oooooo#
#ooooooo#
#oooooooo#
#ooooo####
#oo#oo#
#o# #oo#
##  #oo#
     #oo#
      ##
"""


def arrow_cursor() -> np.ndarray:
    """(16, 16, 4) uint8: our own white arrow with a black edge, for frames whose recorder left the cursor out."""
    colours = {" ": (0, 0, 0, 0), "#": (0, 0, 0, 255), "o": (255, 255, 255, 255)}
    rows = [row.ljust(CURSOR_SIZE) for row in _ARROW.strip("\n").split("\n")]
    return np.array([[colours[pixel] for pixel in row] for row in rows], np.uint8)
