from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jarvis.core.random_streams import generator, stream_seed

SCRIPT = """
from jarvis.core.random_streams import generator, stream_seed
print(stream_seed(7, "terrain", 3), generator(7, "terrain", 3).integers(2**32, size=3).tolist())
"""


def test_the_same_names_give_the_same_numbers_in_every_process():
    root = Path(__file__).parents[2]
    outputs = {
        subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, env={**os.environ, "PYTHONHASHSEED": hash_seed},
                       check=True, capture_output=True, text=True).stdout
        for hash_seed in ("0", "1")
    }  # fmt: skip
    here = f"{stream_seed(7, 'terrain', 3)} {generator(7, 'terrain', 3).integers(2**32, size=3).tolist()}\n"
    assert outputs == {here}


def test_a_seed_is_the_start_of_a_digest():
    # hashlib.sha256(b"i1:7s7:terraini1:3").digest()[:8], little endian
    assert stream_seed(7, "terrain", 3) == 8119652100679853580


def test_every_name_has_its_own_stream():
    keys = [(0,), (0, 0), (0, "0"), (0, "a", "b"), (0, "ab"), (0, "b", "a"), (0, ""), (1,), (-1,), (0, "a", 1),
            (0, "a1"), (2**70,)]  # fmt: skip
    assert len({stream_seed(*key) for key in keys}) == len(keys)
    assert len({tuple(generator(*key).integers(2**32, size=4)) for key in keys}) == len(keys)
    assert all(0 <= stream_seed(*key) < 2**64 for key in keys)


def test_numpy_integers_name_the_same_stream():
    assert stream_seed(np.int64(5), "mobs", np.uint8(2)) == stream_seed(5, "mobs", 2)


def test_other_names_are_refused():
    for name in (1.0, None, b"a", ("a",)):
        with pytest.raises(ValueError, match="strings and integers"):
            generator(0, name)
