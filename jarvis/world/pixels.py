"""The tools our 16 x 16 pictures are drawn with: hash noise that wraps round, colour ramps, cells and letter bitmaps.

Everything is a function of (palette, key), so a picture is the same in any process and in any order of drawing.
Pictures are (16, 16, 4) uint8 RGBA, row 0 at the top; what the rows and columns of a block's face mean is in
textures.py.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

SIDE = 16
ROWS, COLS = np.mgrid[0:SIDE, 0:SIDE]
EDGE = np.maximum(abs(COLS - 7.5), abs(ROWS - 7.5)).astype(int)  # 7 at the rim, 0 in the middle
KEYS = 192  # noise fields per palette
DOMAIN = np.uint64(0x6C6F6F6B)  # keeps these hashes apart from the world's


def mixed(value: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64, for whole uint64 arrays."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def uniform(palette: int, stream: int, count: int) -> np.ndarray:
    """(count,) float64 in [0, 1) that depend on their three integers only."""
    start = mixed(np.array([palette, stream], np.uint64) * np.uint64(0x9E3779B97F4A7C15) + DOMAIN)
    bits = mixed(
        np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + (start[0] ^ (start[1] << np.uint64(1)))
    )
    return (bits >> np.uint64(11)).astype(np.float64) / 2.0**53


@cache
def _lattice(cells: int) -> np.ndarray:
    """(16, cells) weights of a smooth interpolation on a ring of ``cells`` points."""
    at = (np.arange(SIDE) + 0.5) * cells / SIDE - 0.5
    low = np.floor(at).astype(int)
    part = at - low
    part = part * part * (3 - 2 * part)
    weights = np.zeros((SIDE, cells))
    weights[np.arange(SIDE), low % cells] += 1 - part
    weights[np.arange(SIDE), (low + 1) % cells] += part
    return weights


class Noise:
    """Noise fields of one palette: ``white`` per texel, ``soft`` interpolated between a few points, both wrap round."""

    def __init__(self, palette: int) -> None:
        self.palette = palette
        self.bank = uniform(palette, 1, KEYS * SIDE * SIDE).reshape(KEYS, SIDE, SIDE)

    def white(self, key: int) -> np.ndarray:
        """(16, 16) independent values in [0, 1)."""
        return self.bank[key]

    def soft(self, key: int, down: int, across: int) -> np.ndarray:
        """(16, 16) values in [0, 1) from a lattice of ``down`` x ``across`` points: few points make long streaks."""
        return _lattice(down) @ self.bank[key][:down, :across] @ _lattice(across).T


@lru_cache(maxsize=8)
def noise_of(palette: int) -> Noise:
    """The noise fields of a palette."""
    return Noise(palette)


def ranked(values: np.ndarray) -> np.ndarray:
    """Values replaced by their rank in [0, 1): a ramp then shows each of its colours equally often."""
    order = np.empty(values.size)
    order[np.argsort(values, axis=None, kind="stable")] = np.arange(values.size)
    return (order / values.size).reshape(values.shape)


@cache
def rgba(colour: str) -> np.ndarray:
    """(4,) uint8 of ``rrggbb`` or ``rrggbbaa``."""
    return np.frombuffer(bytes.fromhex(colour if len(colour) == 8 else colour + "ff"), np.uint8)


@cache
def _table(colours: str) -> np.ndarray:
    return np.stack([rgba(colour) for colour in colours.split()])


def ramp(values: np.ndarray, colours: str) -> np.ndarray:
    """A picture whose texels take one of the space-separated ``colours``, first at 0, last just below 1."""
    table = _table(colours)
    return table[np.clip((values * len(table)).astype(int), 0, len(table) - 1)]


def plain(colour: str) -> np.ndarray:
    """A picture of one colour."""
    return np.broadcast_to(rgba(colour), (SIDE, SIDE, 4)).copy()


def empty() -> np.ndarray:
    """A fully transparent picture."""
    return np.zeros((SIDE, SIDE, 4), np.uint8)


def scaled(picture: np.ndarray, factor: np.ndarray | float) -> np.ndarray:
    """The picture with its colours multiplied by ``factor`` (a number or (16, 16)); alpha stays."""
    out = picture.copy()
    gain = factor[..., None] if isinstance(factor, np.ndarray) else factor
    out[..., :3] = np.clip(picture[..., :3] * gain + 0.5, 0, 255).astype(np.uint8)
    return out


def blended(under: np.ndarray, over: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Colours of ``under`` moved towards ``over`` by ``share`` (0..1)."""
    out = under.copy()
    part = share[..., None] if isinstance(share, np.ndarray) else share
    out[..., :3] = (under[..., :3] * (1 - part) + over[..., :3] * part + 0.5).astype(np.uint8)
    return out


def painted(under: np.ndarray, over: np.ndarray) -> np.ndarray:
    """``over`` laid on ``under`` where it is not transparent."""
    return np.where(over[..., 3:] > 0, over, under)


def letters(
    rows: str, colours: dict[str, str], height: int = SIDE, width: int = SIDE, standing: bool = False
) -> np.ndarray:
    """A bitmap from lines of letters, one texel each.

    Letters without a colour, and what lines leave out, are transparent. The first line is the one after the opening
    quotes; ``standing`` puts the last line at the bottom of the picture instead.
    """
    out = np.zeros((height, width, 4), np.uint8)
    lines = rows.removeprefix("\n").rstrip("\n").split("\n")
    assert len(lines) <= height and max(map(len, lines)) <= width, (
        f"{len(lines)} lines of {max(map(len, lines))} letters"
    )
    for y, line in enumerate(lines, height - len(lines) if standing else 0):
        for x, letter in enumerate(line[:width]):
            if letter in colours:
                out[y, x] = rgba(colours[letter])
    return out


def cells(points: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voronoi cells of (row, column) points on the torus.

    Returns the owner's index, the margin of distance to the next cell, and how far a texel lies towards the lower right
    of its cell (negative: the lit upper left).
    """
    at = np.array(points, float)
    down = (ROWS[None] - at[:, 0, None, None] + SIDE / 2) % SIDE - SIDE / 2
    across = (COLS[None] - at[:, 1, None, None] + SIDE / 2) % SIDE - SIDE / 2
    distance = np.hypot(down, across)
    owner = distance.argmin(0)
    nearest = np.sort(distance, axis=0)
    take = owner[None]
    slope = np.take_along_axis(down + across, take, 0)[0] / 2
    return owner, nearest[1] - nearest[0], slope


def outlined(picture: np.ndarray, colour: str) -> np.ndarray:
    """The picture with a line of ``colour`` round its opaque texels (4-neighbours), where there is room."""
    solid = np.pad(picture[..., 3] > 0, 1)
    near = solid[:-2, 1:-1] | solid[2:, 1:-1] | solid[1:-1, :-2] | solid[1:-1, 2:]
    out = picture.copy()
    out[near & ~solid[1:-1, 1:-1]] = rgba(colour)
    return out
