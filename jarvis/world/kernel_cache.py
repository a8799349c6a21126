"""Keep numba's cache of compiled kernels true to the sources.

numba compiles a kernel anew when the file that it stands in changes, but not when one does that holds a kernel it
calls: an edited world would be drawn by old code with new arrays. So whatever was compiled from other sources is
thrown away, before any kernel is loaded (layout.py, which every module with kernels builds on, calls ``settle``).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numba
from numba import njit


@njit(cache=True)
def _probe() -> None:
    """Never called: numba says where it would keep it."""


def mark(name: str) -> Path | None:
    """A file in the cache whose name changes with sources, numba and processor. None if nothing can be cached."""
    folder = getattr(_probe.stats, "cache_path", None)
    if folder is None:
        return None
    digest = hashlib.sha256(f"{numba.__version__} {sys.version} {numba.config.CPU_NAME}".encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        state = file.stat()
        digest.update(f"{file.name} {state.st_size} {state.st_mtime_ns}".encode())
    digest.update((Path(__file__).parent / "data/rules.json").read_bytes())
    return Path(folder) / f"{name}-{digest.hexdigest()[:16]}"


def settle() -> None:
    """Throw away the world's kernels if they were compiled from other sources."""
    current = mark("sources")
    if current is None or current.exists():
        return
    current.parent.mkdir(parents=True, exist_ok=True)
    for kind in ("*.nbi", "*.nbc", "sources-*", "warm-*"):
        for file in current.parent.glob(kind):
            file.unlink(missing_ok=True)
    current.touch()
