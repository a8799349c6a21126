"""Weights and frames that are the same on any machine, and the calls whose results are stored in tests/goldens.

Every number is a splitmix64 word of a SHA-256 of its name, so no random generator of any library is involved. The
stored results were computed by VPT's published code from these same weights and frames.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

GOLDENS = Path(__file__).parents[1] / "goldens"
# Another order of float32 sums moves log-probabilities by up to 3e-5, a wrong epsilon in a norm by 4e-4.
MAX_DIFFERENCE, MEAN_DIFFERENCE = 2e-4, 1.5e-5
BUTTON_COLUMNS = np.concatenate([np.arange(0, 8641, 17), np.arange(8637, 8641)])  # classes that the goldens keep

_NORMS = ("norm", "n", "pre_r_ln", "final_ln")
_GAINS = {"q_layer": 3.0, "k_layer": 3.0, "r_layer": 2.0}  # so that attention is peaked
_STATISTICS = {"running_mean": 0.24, "running_mean_sq": 3.272, "debiasing_term": 0.8}  # mean 0.3, deviation 2


def words(name: str, count: int) -> np.ndarray:
    """(count,) uint64: the stream of that name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    with np.errstate(over="ignore"):
        word = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return word ^ (word >> np.uint64(31))


def read_keys(name: str) -> dict:
    """The table of a network's tensors: "keys" {name: shape}, "kwargs", "pi_head_kwargs", counts."""
    return json.loads((GOLDENS / f"{name}_keys.json").read_text())


def tensor(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The float32 weights under that name."""
    parent, leaf = key.split(".")[-2:]
    if leaf in _STATISTICS:
        return torch.full(shape, _STATISTICS[leaf])
    values = (words(key, int(np.prod(shape))) >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - np.float32(1)
    if parent in _NORMS:
        values = np.float32(0.2) * values + np.float32(leaf == "weight")
    elif leaf == "b_nd":
        values = np.float32(0.5) * values
    elif leaf == "bias":
        values = np.float32(0.1) * values
    else:
        gain = 3.0 if key.startswith("pi_head.") else _GAINS.get(parent, 1.4)
        values = np.float32(gain * (3 / np.prod(shape[1:])) ** 0.5) * values
    return torch.from_numpy(values.reshape(shape))


def tensors(name: str) -> dict[str, torch.Tensor]:
    """All tensors of a network."""
    return {key: tensor(key, tuple(shape)) for key, shape in read_keys(name)["keys"].items()}


def frames(seed: int, count: int, height: int = 128, width: int = 128) -> np.ndarray:
    """(count, height, width, 3) uint8: a coloured grid that drifts, a bright block that jumps, and noise."""
    cell = max(1, height // 8)
    rows, columns = -(-height // cell) + 1, -(-width // cell) + 1
    result = np.empty((count, height, width, 3), np.uint8)
    for t in range(count):
        grid = _levels(f"frames/{seed}/scene/{t // 5}", (rows, columns, 3)).repeat(cell, 0).repeat(cell, 1)
        down, right = 2 * t % cell, 3 * t % cell
        noise = _levels(f"frames/{seed}/noise/{t}", (height, width, 3))
        frame = (3 * grid[down : down + height, right : right + width] + noise) // 4
        block = words(f"frames/{seed}/block/{t}", 4)
        y, x, level = int(block[0] % height), int(block[1] % width), int(block[2] % 256)
        frame[y : y + height // 4, x : x + width // 4] = level
        result[t] = frame
    return result


def _levels(name: str, shape: tuple[int, ...]) -> np.ndarray:
    return (words(name, int(np.prod(shape))) >> np.uint64(56)).astype(np.int64).reshape(shape)


def policy_frames() -> np.ndarray:
    """(2, 16, 128, 128, 3) uint8: two streams of sixteen frames."""
    return frames(1, 32).reshape(2, 16, 128, 128, 3)


def golden(name: str) -> dict[str, np.ndarray]:
    """The stored arrays of tests/goldens/NAME.npz."""
    with np.load(GOLDENS / f"{name}.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def assert_close(found: object, expected: object) -> None:
    """Asserts that two arrays agree as well as two float32 implementations can."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    difference = np.abs(found - expected)
    assert difference.max() <= MAX_DIFFERENCE, f"largest difference {difference.max():.1e}"
    assert difference.mean() <= MEAN_DIFFERENCE, f"mean difference {difference.mean():.1e}"
