from __future__ import annotations

import pickle

import pytest

from jarvis.core import errors
from jarvis.core.errors import ActionError, JarvisError, MissingExtraError, UnknownNameError, nearest_names

ITEMS = ["oak_log", "oak_planks", "birch_log", "diamond_pickaxe", "iron_pickaxe", "stone", "HotBar"]


def test_nearest_names_look_past_case_spaces_and_hyphens():
    assert nearest_names("Oak Log", ITEMS)[0] == "oak_log"
    assert nearest_names("dimond-pickaxe", ITEMS)[:2] == ("diamond_pickaxe", "iron_pickaxe")
    assert nearest_names("hotbar", ITEMS) == ("HotBar",)
    assert nearest_names("zzz", ITEMS) == () and len(nearest_names("log", ITEMS, count=1)) <= 1


def test_messages_name_the_thing_and_the_way_out():
    error = UnknownNameError("block", "ston", nearest_names("ston", ITEMS))
    assert str(error) == "unknown block 'ston'; did you mean stone?"
    assert str(UnknownNameError("task", "x", place="tasks.json")) == "tasks.json: unknown task 'x'"
    assert (error.kind, error.name, error.nearest) == ("block", "ston", ("stone",))
    extra = MissingExtraError("minerl", "Playing the real game")
    assert str(extra) == 'Playing the real game needs an optional dependency: pip install "jarvis-agent[minerl]"'
    assert isinstance(extra, ImportError) and isinstance(error, ValueError) and isinstance(ActionError(), ValueError)


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name[0].isupper()])
def test_errors_travel_through_pipes(name):
    kind = getattr(errors, name)
    arguments = {"UnknownNameError": ("block", "ston", ("stone",), "here"), "MissingExtraError": ("ray",)}
    error = kind(*arguments.get(name, ("what went wrong",)))
    twin = pickle.loads(pickle.dumps(error))
    assert isinstance(error, JarvisError) and type(twin) is kind and str(twin) == str(error)
