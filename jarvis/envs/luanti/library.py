"""Compiles `data/framelock.c` for this machine, once: python -m jarvis.envs.luanti.library

The library lies in the user's cache folder under a name that changes with its source.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from jarvis.core.errors import EnvironmentFailure

__all__ = ["SOURCE", "library_path", "make_library"]

SOURCE = Path(__file__).parent / "data" / "framelock.c"


def library_path() -> Path:
    """Where the library of this source is, or will be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(SOURCE.read_bytes() + platform.machine().encode()).hexdigest()[:16]
    return cache / "jarvis" / f"framelock-{digest}.so"


def make_library() -> Path:
    """The library's path, compiled if it is not there. Raises EnvironmentFailure if there is no C compiler."""
    path = library_path()
    if path.exists():
        return path
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise EnvironmentFailure(f"no C compiler for {SOURCE.name}: jarvis doctor --setup luanti")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl", "-lpthread"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise EnvironmentFailure(f"{' '.join(command)}: {done.stdout.decode(errors='replace')[-2000:]}")
        made.replace(path)  # whole or not at all
    return path


if __name__ == "__main__":
    print(make_library())
    sys.exit(0)
