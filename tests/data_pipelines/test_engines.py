from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from data_pipelines.engines import make_engine
from jarvis.core.errors import UnknownNameError


def behave(item):
    """What an item does to whoever works on it. Items are (name, folder)."""
    name, folder = item
    with open(Path(folder, name), "a") as file:
        file.write("x")
    if name.startswith("poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("sleep"):
        time.sleep(600)
    if name.startswith("raise"):
        raise ValueError(f"{name} is not to be done")
    if name.startswith("once") and Path(folder, name).stat().st_size == 1:
        os._exit(3)
    return name.upper()


NAMES = ("a", "poison", "b", "raise", "once", "c", "sleep", "d")


@pytest.mark.parametrize(
    "engine",
    ["process", pytest.param("ray", marks=pytest.mark.slow)],
)
def test_every_item_ends_done_or_with_a_reason(engine, tmp_path):
    if engine == "ray":
        pytest.importorskip("ray", reason='This needs an optional dependency: pip install "jarvis-agent[ray]"')
        from ray import cloudpickle

        cloudpickle.register_pickle_by_value(sys.modules[__name__])  # tests are no package that actors could import
    with make_engine(engine, workers=2, deadline=3) as workers:
        outcomes = {outcome.item[0]: outcome for outcome in workers.map(behave, [(n, str(tmp_path)) for n in NAMES])}
    assert set(outcomes) == set(NAMES)
    assert {name for name, outcome in outcomes.items() if outcome.reason is None} == {"a", "b", "c", "d", "once"}
    assert all(outcomes[name].value == name.upper() for name in "abcd")
    tries = {name: (tmp_path / name).stat().st_size for name in NAMES}
    assert tries == {"a": 1, "b": 1, "c": 1, "d": 1, "once": 2, "poison": 2, "raise": 2, "sleep": 2}
    assert all(outcomes[name].attempts == tries[name] for name in NAMES)
    assert "died" in outcomes["poison"].reason and "deadline" in outcomes["sleep"].reason
    assert outcomes["raise"].reason == "ValueError: raise is not to be done"


def pid(_):
    return os.getpid()


def test_a_worker_that_dies_at_rest_is_replaced():
    with make_engine("process") as workers:
        (first,) = workers.map(pid, [0])
        os.kill(first.value, signal.SIGKILL)
        time.sleep(0.5)
        (second,) = workers.map(pid, [0])
    assert second.reason is None and second.value != first.value


def test_items_are_taken_when_a_worker_is_free():
    taken = []

    def items():
        for number in range(5):
            taken.append(number)
            yield number

    with make_engine("process") as workers:
        ended = workers.map(pid, items())
        next(ended)
        assert len(taken) <= 2


def test_unknown_engines_are_named():
    with pytest.raises(UnknownNameError, match="did you mean process"):
        make_engine("proces")
