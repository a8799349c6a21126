"""Pointers have no bounds and no owner: what kernels do with them is checked here instead."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jarvis.world

WORLD = Path(jarvis.world.__file__).parent

# Runs the kernels of a picture, or of another group of warm.py, on arrays whose every index is checked, without
# numba's own reading of negative ones from the end.
CHECKED = """
import sys
import numba
from numba import types
from numba.np import arrayobj

arrayobj.fix_integer_index = lambda context, builder, kind, index, size: context.cast(builder, index, kind, types.intp)

from jarvis.world import pointers


@numba.njit
def pointer(array):
    return array.reshape(-1)


pointers.pointer = pointer
from jarvis.world import warm

warm.GROUPS[sys.argv[1]]()
"""


def owners_missing(source):
    """Lines that take a pointer of anything but an argument of their function, or a field of one."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        arguments = {argument.arg for argument in function.args.args}
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pointer":
                owner = node.args[0].value if isinstance(node.args[0], ast.Attribute) else node.args[0]
                if not isinstance(owner, ast.Name) or owner.id not in arguments:
                    found.append(node.lineno)
    return found


def test_pointers_are_taken_of_arguments_only():
    # an array made in a kernel is freed after its last use: pointer(store) would leave the address of freed memory
    assert owners_missing("def kernel(a):\n    store = np.zeros(9)\n    p, q = pointer(a.b), pointer(store)\n") == [3]
    for file in sorted(WORLD.glob("*.py")):
        assert owners_missing(file.read_text()) == [], file.name


@pytest.mark.slow
def test_no_kernel_of_a_picture_leaves_its_arrays(tmp_path):
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", CHECKED, "picture"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
