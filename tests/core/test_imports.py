from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jarvis.core

ROOT = Path(__file__).parents[2]


def loaded_after(statement: str) -> set[str]:
    """The top-level modules that a fresh process has loaded after the statement."""
    script = f"import sys\n{statement}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_jarvis_is_cheap():
    loaded = loaded_after("import jarvis, jarvis.core, jarvis.core.errors; jarvis.__version__; dir(jarvis.core)")
    assert loaded.isdisjoint({"numpy", "torch", "numba", "gymnasium", "cv2"})


def test_gymnasium_knows_the_environments_of_jarvis():
    script = "import gymnasium, jarvis; print(*sorted(name for name in gymnasium.registry if name[:7] == 'jarvis/'))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [
        "jarvis/Crafter-v0",
        "jarvis/Luanti-v0",
        "jarvis/MineRL-v0",
        "jarvis/MineStudio-v0",
        "jarvis/Voxel-v0",
    ]


def test_core_needs_only_numpy():
    loaded = loaded_after("from jarvis.core import *")
    assert "numpy" in loaded and loaded.isdisjoint({"torch", "numba", "gymnasium", "cv2", "av", "pydantic"})


def test_every_shared_word_can_be_taken_from_the_package():
    assert {"Action", "Goal", "Task", "generator", "atomic_write"} <= set(jarvis.core.__all__)
    assert all(hasattr(jarvis.core, name) for name in jarvis.core.__all__)
