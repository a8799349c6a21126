from __future__ import annotations

import copy
import json
import pickle

import pytest

from jarvis.core.environments import Environment, Policy, Step
from jarvis.core.errors import PredicateError, StartStateError, UnknownNameError
from jarvis.core.events import Event
from jarvis.core.goals import Goal, Moment, parse
from jarvis.core.names import Vocabulary
from jarvis.core.start_states import StartState, check_supported
from jarvis.core.tasks import Progress, Task

START = StartState(
    biome="forest",
    inventory={"torch": 8, "stone_pickaxe": 1},
    slots={0: ("iron_pickaxe", 1), 9: ("cobblestone", 64)},
    nearby={"diamond_ore": 3},
    nearby_radius=6,
    mobs={"cow": 2},
    rarity={"trees": "very common", "iron": "rare"},
    time=6000,
    weather="rain",
    seed=-5,
    y=12,
    health=7.5,
    food=0,
)


def counted(event: str, item: str, at_least: int = 1):
    return parse({"count": {"event": event, "item": item, "at_least": at_least}})


TASK = Task(
    name="craft_table",
    goal=Goal("craft a crafting table", counted("craft_item", "crafting_table")),
    start=START,
    max_ticks=1200,
    milestones={
        "log": counted("mine_block", "oak_log"),
        "planks": counted("craft_item", "oak_planks", 4),
        "deep": parse({"at": {"y_below": 16}}),
        "warm": parse({"at": {"near_block": "furnace", "radius": 4}}),
    },
    instructions=("craft a table", "make a workbench"),
)


# -- start states ----------------------------------------------------------------------------------------------------


def test_a_start_state_survives_json():
    assert StartState.from_json(json.loads(json.dumps(START.to_json()))) == START
    assert StartState.from_json({}) == StartState() and StartState().to_json() == {}
    assert START.to_json()["slots"] == {"0": ["iron_pickaxe", 1], "9": ["cobblestone", 64]}
    twin = pickle.loads(pickle.dumps(START))
    assert twin == START and hash(twin) == hash(START) != hash(StartState())
    assert StartState(position=(1, 64, -3)).to_json() == {"position": [1.0, 64.0, -3.0]}


def test_only_what_is_asked_for_is_set():
    assert StartState().fields_set() == ()
    assert StartState(inventory={}, food=0, seed=0).fields_set() == ("seed", "food")


def test_an_environment_refuses_what_it_cannot_honour_before_the_run():
    check_supported(START, START.fields_set(), "voxel")
    check_supported(StartState(), (), "any")
    with pytest.raises(StartStateError) as caught:
        check_supported(START, {"biome", "inventory", "slots", "time", "weather", "seed", "y", "health"}, "minerl")
    assert str(caught.value) == (
        "environment 'minerl' cannot honour nearby = {'diamond_ore': 3}, nearby_radius = 6, mobs = {'cow': 2}, "
        "rarity = {'iron': 'rare', 'trees': 'very common'}, food = 0; "
        "it can set biome, inventory, slots, time, weather, seed, y, health"
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"inventory": {"torch": 0}}, r"inventory\[torch\]: 0"),
        ({"inventory": {"torch": 1.5}}, r"inventory\[torch\]: 1.5"),
        ({"inventory": ["torch"]}, "inventory: "),
        ({"slots": {36: ("torch", 1)}}, "slots: 36"),
        ({"slots": {"first": ("torch", 1)}}, "slots: 'first'"),
        ({"slots": {0: "torch"}}, r"slots\[0\]: 'torch'"),
        ({"slots": {0: ("torch", 65)}}, r"slots\[0\]: 65"),
        ({"rarity": {"iron": "plenty"}}, "rarity of iron: 'plenty', expected one of rare, common, very common"),
        ({"time": 24000}, "time: 24000, expected an integer from 0 to 23999"),
        ({"time": True}, "time: True"),
        ({"weather": "snow"}, "weather: 'snow', expected one of clear, rain"),
        ({"health": 0}, "health: 0"),
        ({"health": float("nan")}, "health: nan"),
        ({"food": 21}, "food: 21"),
        ({"y": float("inf")}, "y: inf"),
        ({"y": 3, "position": (0, 3, 0)}, "give one"),
        ({"position": (0, 3)}, "position: "),
        ({"nearby_radius": 0}, "nearby_radius: 0"),
        ({"mobs": {"": 1}}, "mobs: "),
        ({"biome": 3}, "biome: 3"),
        ({"inventry": {}}, "unknown start field 'inventry'; did you mean inventory"),
    ],
)
def test_impossible_starts_are_refused_with_the_field_named(fields, words):
    with pytest.raises(ValueError, match=words):
        StartState.from_json(fields)


def test_names_of_a_start_are_checked_against_a_world():
    world = Vocabulary.of(
        items=["torch", "oak_log", "birch_log"], blocks=["stone"], mobs=["cow"], biomes=["forest"],
        aliases={"#logs": "birch_log|oak_log"},
    )  # fmt: skip
    start = StartState(biome="Forest", inventory={"Torch": 2, "#logs": 3}, mobs={"minecraft:cow": 1})
    assert start.resolved(world) == StartState(biome="forest", inventory={"torch": 2, "birch_log": 3}, mobs={"cow": 1})
    with pytest.raises(UnknownNameError, match="unknown block 'ston'; did you mean stone"):
        StartState(nearby={"ston": 1}).resolved(world)
    with pytest.raises(StartStateError, match="torch"):
        StartState(inventory={"torch": 2, "Torch": 3}).resolved(world)


# -- tasks -----------------------------------------------------------------------------------------------------------


def test_a_task_survives_json():
    twin = Task.from_json(json.loads(json.dumps(TASK.to_json())))
    assert twin == TASK and hash(twin) == hash(TASK) and list(twin.milestones) == ["log", "planks", "deep", "warm"]
    small = Task.from_json({"name": "a", "goal": {"text": "dance"}, "milestones": {"t": {"have": {"item": "torch"}}}})
    assert small.instructions == ("dance",) and small.max_ticks == 6000 and small.start == StartState()


def test_a_task_says_what_must_be_told_each_tick():
    assert TASK.needs == {"events", "y", "near_blocks"} and TASK.watched_blocks == {"furnace": 4}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_ticks": 0}, "task craft_table: max_ticks is 0"),
        ({"max_tick": 5}, "task craft_table: unknown key 'max_tick'; did you mean max_ticks"),
        ({"start": {"biom": "x"}}, "unknown start field 'biom'"),
        ({"milestones": {"a": {"hav": {}}}}, "unknown predicate 'hav'"),
        ({"goal": {"text": ""}}, "a goal has a sentence"),
        ({"goal": "dance"}, "expected a goal"),
        ({"name": ""}, "a task has a name"),
    ],
)
def test_bad_tasks_are_refused(change, words):
    with pytest.raises((PredicateError, UnknownNameError), match=words):
        Task.from_json({**TASK.to_json(), **change})


def test_milestones_fall_in_their_own_order_and_once():
    progress = Progress(TASK)
    far = {"y": 70.0, "near_blocks": {}}
    assert progress.update(Moment(0, status=far)) == ()
    assert progress.update(Moment(1, (Event(1, "mine_block", "oak_log"),), status={**far, "y": 15.0})) == (
        "log",
        "deep",
    )
    later = copy.deepcopy(progress)
    assert progress.update(Moment(2, (Event(2, "craft_item", "oak_planks", 4),), status=far)) == ("planks",)
    assert not progress.success and progress.success_tick is None
    progress.update(Moment(3, (Event(3, "craft_item", "crafting_table"),), status=far))
    assert progress.success and progress.success_tick == 3 and not progress.failed
    assert progress.milestones == {"log": 1, "deep": 1, "planks": 2}
    assert later.milestones == {"log": 1, "deep": 1} and not later.success


def test_a_goal_without_a_condition_is_never_claimed():
    progress = Progress(Task("free", Goal("build a house")))
    assert progress.update(Moment(0)) == () and not progress.success and not progress.failed


# -- protocols -------------------------------------------------------------------------------------------------------


def test_the_protocols_can_be_asked_for():
    class Nothing:
        pass

    assert not isinstance(Nothing(), Environment) and not isinstance(Nothing(), Policy)
    step = Step(None, 0.0, terminated=False, truncated=True, info={})
    assert step[2:4] == (False, True)  # Gymnasium's order
