"""Plain C pointers to the data of arrays, for the innermost kernels.

An array costs a kernel seven words per call, a test for a negative index per access and, between functions, two
atomic reference counts; a pointer costs one word and nothing else. Nothing checks its bounds, and it must not outlive
its array.

NOTE: an array made inside a kernel is freed after its last use, and taking its pointer may well be that. So pointers
are taken of a kernel's arguments only, which its caller keeps; tests/world/test_pointers.py holds the kernels to it,
and runs them on arrays with every index checked.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

Pointer = Any  # what pointer() returns: a C pointer, known only inside kernels


@intrinsic
def pointer(typingctx: Any, array: Any) -> tuple[Any, Any]:
    """The address of the first element of a C-contiguous array, indexed like a flat one."""
    if not isinstance(array, types.Array) or array.layout != "C":
        raise TypeError(f"pointer() takes a C-contiguous array, not {array}")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen
