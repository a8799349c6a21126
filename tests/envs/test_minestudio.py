import sys
import warnings
from pathlib import Path

import pytest
from gymnasium.utils.env_checker import check_env

from jarvis.core.actions import Action
from jarvis.core.environments import Environment
from jarvis.core.errors import EnvironmentFailure, StartStateError
from jarvis.core.events import Event
from jarvis.core.goals import Goal
from jarvis.core.predicates import parse
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.minestudio import MineStudioEnv, start_commands

sys.path.insert(0, str(Path(__file__).resolve().parent))
from stand_in_simulators import MineStudioInner
from test_minerl import KEYS, chop, make  # noqa: F401

# The declared action space of MinecraftSim(action_type="env"), as its Python package lists it.
DECLARED = [
    "attack", "back", "camera", "forward", "hotbar.1", "hotbar.2", "hotbar.3", "hotbar.4", "hotbar.5", "hotbar.6",
    "hotbar.7", "hotbar.8", "hotbar.9", "inventory", "jump", "left", "right", "sneak", "sprint", "use",
]  # fmt: skip


@pytest.fixture
def studio(make):  # noqa: F811
    return lambda *words, **options: make(*words, cls=MineStudioEnv, **options)


def test_actions_are_ours_and_arrive_as_its_own(studio):
    env = studio()
    assert sorted(env.action_space.spaces) == KEYS
    assert sorted(env.deliver(Action.of("attack", camera=(1, 2)))) == DECLARED and len(DECLARED) == 20
    assert sorted(env.deliver(Action.of("pickItem"))) == sorted([*DECLARED, "pickItem"])
    assert set(DECLARED) | {"pickItem"} == MineStudioInner.keys - {"chat", "voxels", "mobs"}


def test_it_is_an_environment_of_gymnasium_and_of_ours(studio):
    env = studio()
    assert isinstance(env, Environment)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*symmetric and normalized space")
        warnings.filterwarnings("ignore", message=".*does not deliver")
        check_env(env, skip_render_check=True)


def test_its_info_gets_the_shape_of_ours(studio):
    env = studio()
    observation, info = env.reset(chop(2, inventory={"torch": 70}, slots={9: ("stone_pickaxe", 1)}), 3)
    assert observation.pov.shape == (36, 64, 3)  # the full picture, not the small one
    assert info["inventory"] == {"stone_pickaxe": 1, "torch": 70}  # 36 numbered slots there
    assert info["life_stats"] == {"life": 20, "food": 20} and info["isGuiOpen"] is False
    assert info["location_stats"]["xpos"] == 0 and info["location_stats"]["ypos"] == 64
    steps = [env.step(Action.of("attack", "forward")) for _ in range(3)]
    assert steps[2].info["events"] == [Event(2, "mine_block", "oak_log"), Event(2, "pickup", "oak_log")]
    assert steps[2].info["inventory"]["oak_log"] == 1 and steps[2].info["milestones"] == {"first log": 2}
    assert steps[2].info["location_stats"]["xpos"] == pytest.approx(0.6)
    for unwanted in ("player_pos", "is_gui_open", "health", "food_level", "pov"):
        assert unwanted not in steps[2].info


def test_counters_of_an_earlier_episode_do_not_come_back(studio):
    env = studio()
    env.reset(chop(2), 3)
    for _ in range(3):
        step = env.step(Action.of("attack"))
    assert step.info["mine_block"] == {"oak_log": 1}
    _, info = env.reset(chop(2), 3)
    assert "mine_block" not in info and "oak_log" not in info["inventory"]
    assert env.step(Action.noop()).info["events"] == []


def test_keys_that_never_arrive_are_reported_once_and_counted(studio):
    env = studio()
    env.reset(chop(2), 3)
    with pytest.warns(UserWarning, match="does not deliver drop, ESC, swapHands: this press of drop does nothing"):
        step = env.step(Action.of("drop", "attack"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step = env.step(Action.of("drop", "ESC"))
    assert step.info["undelivered"] == {"drop": 2, "ESC": 1}
    assert "drop" not in step.info  # no event
    assert env.reset(chop(2), 3)[1]["undelivered"] == {}


def test_a_new_biome_starts_a_new_game(studio):
    env = studio()
    plain = Task("play", Goal("play"))
    env.reset(plain, 3)
    first = env.simulator.process.pid
    env.reset(plain, 4)
    assert env.simulator.process.pid == first
    env.reset(Task("play", Goal("play"), StartState(biome="mountains")), 4)
    assert env.simulator.process.pid != first
    assert env.simulator.options == {"resolution": [64, 36], "biome": "extreme_hills"}


def test_the_scene_is_set_by_commands():
    start = StartState(
        time=18000,
        weather="rain",
        slots={0: ("bow", 1)},
        inventory={"arrow": 65},
        nearby={"diamond_ore": 2},
        mobs={"zombie": 1},
        nearby_radius=3,
    )
    commands = start_commands(start, 7)
    assert commands[:5] == [
        "/time set 18000",
        "/weather rain",
        "/replaceitem entity @p hotbar.0 minecraft:bow 1",
        "/replaceitem entity @p hotbar.1 minecraft:arrow 64",
        "/replaceitem entity @p hotbar.2 minecraft:arrow 1",
    ]
    blocks, mobs = commands[5:7], commands[7:]
    assert [command.rsplit(" ", 1)[1] for command in blocks] == ["minecraft:diamond_ore"] * 2
    assert len(set(blocks)) == 2 and len(mobs) == 1 and "run summon minecraft:zombie ~" in mobs[0]
    assert start_commands(start, 7) == commands and start_commands(start, 8) != commands
    back = start_commands(StartState(slots={35: ("torch", 2)}), 0)
    assert back == ["/replaceitem entity @p inventory.26 minecraft:torch 2"]


def test_too_much_nearby_is_refused_before_the_run(studio):
    env = studio()
    # Four cells are exactly two blocks away; nearer ones would touch the player.
    with pytest.raises(StartStateError, match="30 blocks and mobs nearby, but 4 places within 2 blocks"):
        env.reset(Task("play", Goal("play"), StartState(nearby={"stone": 30}, nearby_radius=2)), 3)
    with pytest.raises(StartStateError, match="cannot honour health = 5"):
        env.reset(Task("play", Goal("play"), StartState(health=5.0)), 3)
    assert env.simulator.process is None


def test_a_missing_engine_is_an_error_and_not_a_question(studio):
    env = studio(environment={"JARVIS_STAND_IN_ENGINE": "missing"})
    with pytest.raises(EnvironmentFailure, match=r"engine is not installed: python -m minestudio.simulator.entry -y"):
        env.reset(seed=3)


@pytest.mark.parametrize("kind", ["error", "hang"])
def test_a_lost_game_aborts_and_the_next_reset_is_sound(studio, kind):
    # Twenty empty ticks after the reset count too.
    env = studio(f"{kind}:step:22", once=True, config={"step_seconds": 0.7})
    observation, _ = env.reset(chop(2), 3)
    env.step(Action.noop())
    with pytest.raises(EnvironmentFailure, match=r"MineStudio lost its game|no answer within 0.7 s"):
        env.step(Action.noop())
    again, _ = env.reset(chop(2), 3)
    assert (again.pov == observation.pov).all() and env.simulator.restarts == 1


def test_a_death_ends_the_episode(studio):
    env = studio("death:step:22")
    env.reset(Task("dig", Goal("dig", parse({"at": {"y_below": 10}}))), 3)
    env.step(Action.noop())
    step = env.step(Action.noop())
    assert step.terminated and step.info["life_stats"]["life"] == 0 and not step.info["success"]
