"""Pictures that are laid over a frame: put together at GUI scale 1 (640 x 360), kept at the frame's size, blended fast.

A layer is two arrays of one shape, so that laying it is one multiplication a byte: ``ink``, the colours multiplied by
their alpha, and ``keep``, 255 minus the alpha, three times over:

    frame = ink + frame * keep / 255        (ink + keep <= 255)

A smaller frame shows what a bilinear resize of the 640 x 360 picture (cv2.INTER_LINEAR) would: each of its pixels is a
mean of the same four pixels. A larger one shows the nearest pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

BASE_WIDTH, BASE_HEIGHT = 640, 360
ONE = 2048  # of the weights below


class Layer(NamedTuple):
    """A picture with its top left at (x, y)."""

    x: int
    y: int
    ink: np.ndarray  # (h, w, 3) uint8
    keep: np.ndarray  # (h, w, 3) uint8


class Axis(NamedTuple):
    """Which pixels of the base picture an output pixel is made of: ``first`` and the next one by ``weight`` / 2048."""

    first: np.ndarray  # (n,) int64
    weight: np.ndarray  # (n,) int64, of the pixel after ``first``


def axis(size: int, base: int) -> Axis:
    """How ``size`` output pixels sample ``base`` ones."""
    at = (np.arange(size) + 0.5) * base / size - 0.5
    if size >= base:
        return Axis(np.clip(np.floor(at + 0.5), 0, base - 1).astype(np.int64), np.zeros(size, np.int64))
    first = np.clip(np.floor(at), 0, base - 1)
    weight = np.rint((np.clip(at, 0, base - 1) - first) * ONE)
    return Axis(first.astype(np.int64), weight.astype(np.int64))


def blank(x: int, y: int, width: int, height: int) -> Layer:
    """A transparent layer."""
    return Layer(x, y, np.zeros((height, width, 3), np.uint8), np.full((height, width, 3), 255, np.uint8))


def layer_of(x: int, y: int, picture: np.ndarray) -> Layer:
    """A layer of a (h, w, 4) uint8 RGBA picture."""
    alpha = picture[..., 3:].astype(np.uint16)
    ink = (picture[..., :3] * alpha + 127) // 255
    return Layer(x, y, ink.astype(np.uint8), np.repeat(255 - picture[..., 3:], 3, -1))


def cropped(layer: Layer) -> Layer:
    """Without the transparent rows and columns round it, but for one on each side."""
    used = (layer.keep[..., 0] != 255) | (layer.ink[..., 0] != 0)
    rows, columns = np.flatnonzero(used.any(1)), np.flatnonzero(used.any(0))
    if len(rows) == 0:
        return layer
    top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
    part = slice(top, rows[-1] + 2), slice(left, columns[-1] + 2)
    ink, keep = np.ascontiguousarray(layer.ink[part]), np.ascontiguousarray(layer.keep[part])
    return Layer(layer.x + int(left), layer.y + int(top), ink, keep)


class Sheet:
    """Named pictures packed into one image, for ``paint``."""

    def __init__(self, pictures: dict[str, np.ndarray]) -> None:
        self.number = {name: i for i, name in enumerate(pictures)}
        self.rects = np.zeros((len(pictures), 4), np.int64)  # x, y, width, height in the image
        width = max(256, max(picture.shape[1] for picture in pictures.values()))
        x = y = shelf = 0
        for i, picture in enumerate(pictures.values()):
            rows, columns = picture.shape[:2]
            if x + columns > width:
                x, y, shelf = 0, y + shelf, 0
            self.rects[i] = x, y, columns, rows
            x, shelf = x + columns, max(shelf, rows)
        self.image = np.zeros((y + shelf, width, 4), np.uint8)
        for picture, (x, y, columns, rows) in zip(pictures.values(), self.rects.tolist(), strict=True):
            self.image[y : y + rows, x : x + columns] = picture


@njit(cache=True, nogil=True)
def paint(ink: np.ndarray, keep: np.ndarray, image: np.ndarray, rects: np.ndarray, jobs: np.ndarray) -> None:
    """Draw pictures of a sheet on a layer's arrays, in order.

    jobs: (n, 7) int64: number of the picture, x and y on the layer, then the part of the picture: x, y, width, height;
    a width or height below 0 means up to its end.
    """
    height, width, _ = ink.shape
    for j in range(len(jobs)):
        number, x, y, left, top, columns, rows = jobs[j]
        source_x, source_y, all_columns, all_rows = rects[number]
        columns = all_columns - left if columns < 0 else min(columns, all_columns - left)
        rows = all_rows - top if rows < 0 else min(rows, all_rows - top)
        for r in range(max(0, -y), min(rows, height - y)):
            for c in range(max(0, -x), min(columns, width - x)):
                texel = image[source_y + top + r, source_x + left + c]
                alpha = np.int64(texel[3])
                if alpha == 0:
                    continue
                for channel in range(3):
                    under = np.int64(ink[y + r, x + c, channel])
                    over = np.int64(texel[channel])
                    kept = (np.int64(keep[y + r, x + c, channel]) * (255 - alpha) + 127) // 255
                    mixed = (under * (255 - alpha) + over * alpha + 127) // 255
                    keep[y + r, x + c, channel] = kept
                    ink[y + r, x + c, channel] = min(mixed, 255 - kept)


@njit(cache=True, nogil=True)
def _range(first: np.ndarray, start: int, length: int) -> tuple[int, int]:
    # The output pixels whose base pixels all lie in [start, start + length), half open.
    low = 0
    while low < len(first) and first[low] < start:
        low += 1
    high = low
    while high < len(first) and first[high] < start + length - 1:
        high += 1
    return low, high


@njit(cache=True, nogil=True)
def _mean(plane: np.ndarray, y: int, x: int, channel: int, down: int, across: int) -> int:
    value = np.int64(plane[y, x, channel]) * (ONE - across)
    if across:
        value += np.int64(plane[y, x + 1, channel]) * across
    value *= ONE - down
    if down:
        under = np.int64(plane[y + 1, x, channel]) * (ONE - across)
        if across:
            under += np.int64(plane[y + 1, x + 1, channel]) * across
        value += under * down
    return (value + ONE * ONE // 2) // (ONE * ONE)


@njit(cache=True, nogil=True)
def _sample(
    ink: np.ndarray, keep: np.ndarray, x: int, y: int, columns: Axis, rows: Axis
) -> tuple[int, int, np.ndarray, np.ndarray]:
    height, width, _ = ink.shape
    left, right = _range(columns.first, x, width)
    top, bottom = _range(rows.first, y, height)
    small_ink = np.empty((bottom - top, right - left, 3), np.uint8)
    small_keep = np.empty((bottom - top, right - left, 3), np.uint8)
    for r in range(bottom - top):
        y0, down = rows.first[top + r] - y, rows.weight[top + r]
        for c in range(right - left):
            x0, across = columns.first[left + c] - x, columns.weight[left + c]
            for channel in range(3):
                kept = _mean(keep, y0, x0, channel, down, across)
                small_keep[r, c, channel] = kept
                small_ink[r, c, channel] = min(_mean(ink, y0, x0, channel, down, across), 255 - kept)
    return left, top, small_ink, small_keep


def scaled(layer: Layer, columns: Axis, rows: Axis) -> Layer:
    """A base layer as it looks at the output size; its outermost pixels should be transparent: they may be left out."""
    return Layer(*_sample(layer.ink, layer.keep, layer.x, layer.y, columns, rows))


@njit(cache=True, nogil=True)
def _blend(frame: np.ndarray, ink: np.ndarray, keep: np.ndarray) -> None:
    # NOTE: ink + keep never exceed 255, so no sum overflows; with keep 255 a byte stays and with 0 it is replaced
    for i in range(len(ink)):
        frame[i] = np.uint32(ink[i]) + ((np.uint32(frame[i]) * np.uint32(keep[i]) + np.uint32(255)) >> np.uint32(8))


@njit(cache=True, nogil=True)
def lay(frame: np.ndarray, x: int, y: int, ink: np.ndarray, keep: np.ndarray) -> None:
    """Lay a layer's arrays on a (H, W, 3) uint8 frame with their top left at (x, y), clipped to it."""
    height, width, _ = frame.shape
    rows, columns, _ = ink.shape
    left = max(0, -x)
    bytes_wide = 3 * (min(columns, width - x) - left)
    if bytes_wide <= 0:
        return
    flat, flat_ink, flat_keep = frame.reshape(-1), ink.reshape(-1), keep.reshape(-1)
    for r in range(max(0, -y), min(rows, height - y)):
        at, source = 3 * ((y + r) * width + x + left), 3 * (r * columns + left)
        _blend(
            flat[at : at + bytes_wide],
            flat_ink[source : source + bytes_wide],
            flat_keep[source : source + bytes_wide],
        )


@njit(cache=True, nogil=True)
def lay_scaled(frame: np.ndarray, x: int, y: int, ink: np.ndarray, keep: np.ndarray, columns: Axis, rows: Axis) -> None:
    """``lay`` at the base position (x, y) of a frame of another size."""
    left, top, small_ink, small_keep = _sample(ink, keep, x, y, columns, rows)
    lay(frame, left, top, small_ink, small_keep)


@njit(cache=True, nogil=True)
def lay_display(
    frame: np.ndarray, x: int, y: int, ink: np.ndarray, keep: np.ndarray, cross: np.ndarray, share: np.ndarray
) -> None:
    """``lay``, and the crosshair: pixels (n, 2) of (x, y) turned towards their inverse by ``share`` / 256."""
    lay(frame, x, y, ink, keep)
    for i in range(len(share)):
        pixel = frame[cross[i, 1], cross[i, 0]]
        for channel in range(3):
            value = np.int64(pixel[channel])
            pixel[channel] = (value * (256 - share[i]) + (255 - value) * share[i] + 128) >> 8


@njit(cache=True, nogil=True)
def _shade(row: np.ndarray, ink: int, keep: int) -> None:
    add, share = np.uint32(ink), np.uint32(keep)
    for i in range(len(row)):
        row[i] = add + ((np.uint32(row[i]) * share + np.uint32(255)) >> np.uint32(8))


@njit(cache=True, nogil=True)
def tint(frame: np.ndarray, ink: np.ndarray, keep: np.ndarray, x: int, y: int, width: int, height: int) -> None:
    """Tint a frame row by row with (H, 3) uint8 ``ink`` and ``keep``; a grey tint spares the rectangle at (x, y)."""
    rows, columns, _ = frame.shape
    for r in range(rows):
        row = frame[r].reshape(-1)
        share = keep[r, 0]
        red, green, blue = ink[r, 0], ink[r, 1], ink[r, 2]
        if red == green == blue:
            if y <= r < y + height:
                _shade(row[: 3 * x], red, share)
                _shade(row[3 * (x + width) :], red, share)
            else:
                _shade(row, red, share)
        else:
            _shade(row, 0, share)
            for c in range(columns):
                frame[r, c, 0] += red
                frame[r, c, 1] += green
                frame[r, c, 2] += blue


def gradient(top: tuple[int, int, int, int], bottom: tuple[int, int, int, int], at: np.ndarray) -> np.ndarray:
    """(2, n, 3) uint8 ink and keep of a tint from RGBA ``top`` to ``bottom`` at the base rows ``at`` (0 .. 359)."""
    part = (at[:, None] + 0.5) / BASE_HEIGHT
    colour = np.array(top, np.float64) * (1 - part) + np.array(bottom, np.float64) * part
    alpha = colour[:, 3:]
    keep = np.broadcast_to(255 - alpha, (len(at), 3))
    return np.floor(np.stack([colour[:, :3] * alpha / 255, keep]) + 0.5).astype(np.uint8)
