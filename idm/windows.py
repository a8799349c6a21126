"""Which window labels which frame: 128 frames at a time, every 64, and of each the middle 64.

A prediction is worse at the edges of what the model sees (VPT, arXiv 2206.11795), so those of a window are thrown away,
but at the ends of the video, which have no other window. The last window ends with the video.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Window", "windows"]


@dataclass(frozen=True)
class Window:
    """Frames [start, stop) are seen, and those of [keep_from, keep_to) labelled."""

    start: int
    stop: int
    keep_from: int
    keep_to: int


def windows(num_frames: int, length: int = 128) -> Iterator[Window]:
    """The windows of a video of so many frames; each frame is kept by exactly one."""
    if num_frames <= length:
        if num_frames:
            yield Window(0, num_frames, 0, num_frames)
        return
    margin, stride = length // 4, length // 2
    kept = 0
    for start in range(0, num_frames - length, stride):
        yield Window(start, start + length, kept, start + length - margin)
        kept = start + length - margin
    yield Window(num_frames - length, num_frames, kept, num_frames)
