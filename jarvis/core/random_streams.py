"""Named streams of random numbers: the same seed and names give the same numbers in every process.

terrain = generator(seed, "terrain", episode)
mobs = generator(seed, "mobs", episode)      # drawing more terrain never moves a mob
"""

from __future__ import annotations

import hashlib
from operator import index

import numpy as np

__all__ = ["generator", "stream_seed"]


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """The random stream of this seed and these names, at its beginning."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(int.from_bytes(_digest(seed, names), "little"))))


def stream_seed(seed: int, *names: str | int) -> int:
    """A 64-bit number for whoever keeps random state of their own: 0 <= number < 2**64."""
    return int.from_bytes(_digest(seed, names)[:8], "little")


def _digest(seed: int, names: tuple[str | int, ...]) -> bytes:
    # NOTE: type and length stand before each part, so that ("a", "b") and ("ab",), or 1 and "1", stay apart.
    digest = hashlib.sha256()
    for part in (seed, *names):
        if isinstance(part, str):
            body, mark = part.encode(), "s"
        else:
            try:
                body, mark = b"%d" % index(part), "i"
            except TypeError:
                raise ValueError(f"a random stream is named by strings and integers, got {part!r}") from None
        digest.update(f"{mark}{len(body)}:".encode() + body)
    return digest.digest()
