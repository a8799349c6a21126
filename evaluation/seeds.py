"""Which worlds are for what: three ranges of seeds that never overlap, and a lock on the third.

    episode_seeds("validation", "mine_coal_ore", 8)     # the same eight numbers for everybody, for ever
    episode_seeds("test", "mine_coal_ore", 8)           # HeldOutError: only evaluate() opens the test seeds

    train        0          ... 2**29 - 1     everything that is typed by hand lies here: --seed 0, 1, 2
    validation   2**29      ... 2**30 - 1     to choose recipes and checkpoints by
    test         2**30      ... 2**31 - 1     for the number that is published

Whoever makes data or trains calls `check_trainable(seed)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jarvis.core.errors import JarvisError, UnknownNameError, nearest_names
from jarvis.core.random_streams import stream_seed

__all__ = ["SEEDS_VERSION", "SPLITS", "HeldOutError", "check_trainable", "episode_seeds", "split_of"]

SEEDS_VERSION = 1  # another one would give every split other worlds
# Half-open ranges. NOTE: below 2**31, because some simulators keep no more of a seed.
SPLITS = {"train": (0, 1 << 29), "validation": (1 << 29, 1 << 30), "test": (1 << 30, 1 << 31)}

_open = ContextVar("test_seeds_are_open", default=False)


class HeldOutError(JarvisError, PermissionError):
    """Somebody other than `evaluate` reached for the test seeds."""


def episode_seeds(split: str, task: str, count: int) -> tuple[int, ...]:
    """The seeds of a task's first `count` episodes, all different. More of them begin with fewer of them."""
    if split not in SPLITS:
        raise UnknownNameError("split", split, nearest_names(split, SPLITS))
    if split == "test" and not _open.get():
        raise HeldOutError("the test seeds are for evaluate() alone; use the train or validation seeds here")
    first, end = SPLITS[split]
    seeds: dict[int, None] = {}
    draw = 0
    while len(seeds) < count:
        seeds[first + stream_seed(SEEDS_VERSION, "evaluation", split, task, draw) % (end - first)] = None
        draw += 1
    return tuple(seeds)


def split_of(seed: int) -> str | None:
    """The split that a seed belongs to; None for one that no split has."""
    return next((name for name, (first, end) in SPLITS.items() if first <= seed < end), None)


def check_trainable(seed: int) -> int:
    """The seed, if data may be made with it. Raises HeldOutError for those of validation and test."""
    split = split_of(seed)
    if split in ("validation", "test"):
        first, end = SPLITS[split]
        raise HeldOutError(
            f"seed {seed} is one of the {split} seeds, {first} to {end - 1}; take one below {SPLITS['train'][1]}"
        )
    return seed


@contextmanager
def held_out() -> Iterator[None]:
    """Opens the test seeds for the block. Only `evaluation.evaluate` does."""
    token = _open.set(True)
    try:
        yield
    finally:
        _open.reset(token)
