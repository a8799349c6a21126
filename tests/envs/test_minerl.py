import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from jarvis.core.actions import Action
from jarvis.core.environments import Environment
from jarvis.core.errors import (
    ActionError,
    EnvironmentFailure,
    EpisodeError,
    PredicateError,
    StartStateError,
    UnknownNameError,
)
from jarvis.core.events import Event
from jarvis.core.goals import Goal
from jarvis.core.predicates import parse
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.minecraft import minecraft_vocabulary, stack_limit, stacks_of
from jarvis.envs.minerl import MineRLEnv, with_interpreter
from jarvis.envs.remote import RemoteConfig

sys.path.insert(0, str(Path(__file__).resolve().parent))
from stand_in_simulators import write_packages

# MineRL 1.0 HumanSurvival's action space without `chat`, as its Python package lists it.
KEYS = [
    "ESC", "attack", "back", "camera", "drop", "forward", "hotbar.1", "hotbar.2", "hotbar.3", "hotbar.4", "hotbar.5",
    "hotbar.6", "hotbar.7", "hotbar.8", "hotbar.9", "inventory", "jump", "left", "pickItem", "right", "sneak", "sprint",
    "swapHands", "use",
]  # fmt: skip


@pytest.fixture
def make(tmp_path):
    """make(fault, ...): a MineRLEnv over the stand-in, at 64 x 36."""
    folder, made = write_packages(tmp_path / "packages"), []

    def start(fault="none:none:0", once=False, cls=MineRLEnv, environment=(), config=None, **options):
        environment = {"JARVIS_STAND_IN_FAULT": fault, **dict(environment)}
        if once:
            environment["JARVIS_STAND_IN_ONCE"] = str(tmp_path / "once")
        config = RemoteConfig(python_path=(folder,), environment=environment, reset_attempts=1, **(config or {}))
        made.append(cls(config=config, width=64, height=36, **options))
        return made[-1]

    yield start
    for env in made:
        env.close()
        env.close()


def chop(count, **start):
    goal = Goal("chop", parse({"count": {"event": "mine_block", "item": "oak_log", "at_least": count}}))
    milestone = {"first log": parse({"have": {"item": "oak_log", "at_least": 1}})}
    return Task("chop", goal, StartState(**start), max_ticks=20, milestones=milestone)


def test_the_action_space_is_that_of_human_survival(make):
    env = make()
    assert sorted(env.action_space.spaces) == KEYS and len(KEYS) == 24
    camera = env.action_space["camera"]
    assert camera.shape == (2,) and camera.dtype == np.float32
    assert camera.low.tolist() == [-180, -180] and camera.high.tolist() == [180, 180]
    assert all(space.n == 2 for name, space in env.action_space.spaces.items() if name != "camera")
    assert env.observation_space["pov"].shape == (36, 64, 3)
    assert sorted(env.deliver(Action.of("attack", camera=(1.25, -3)))) == KEYS
    assert env.simulator.process is None  # nothing is started before the first reset


def test_it_is_an_environment_of_gymnasium_and_of_ours(make):
    env = make()
    assert isinstance(env, Environment) and isinstance(env, gymnasium.Env)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*symmetric and normalized space")
        check_env(env, skip_render_check=True)


def test_an_episode_with_a_task(make):
    env = make()
    task = chop(2, biome="mountains", inventory={"torch": 70}, slots={0: ("diamond_pickaxe", 1)})
    observation, info = env.reset(task, 3)
    assert observation.pov.shape == (36, 64, 3)
    assert info["inventory"] == {"diamond_pickaxe": 1, "torch": 70}
    assert info["isGuiOpen"] is False and info["tick"] == 0 and info["events"] == []
    assert "mine_block" not in info  # counters are sparse
    for _ in range(5):
        step = env.step(Action.of("attack", "forward", camera=(1.25, 0)))
        assert not step.terminated and step.reward == 0
    assert step.info["milestones"] == {"first log": 2}
    step = env.step(Action.of("attack", "inventory"))
    assert step.reward == 1 and step.terminated and not step.truncated and step.info["success"]
    assert step.info["events"] == [Event(5, "mine_block", "oak_log"), Event(5, "pickup", "oak_log")]
    assert step.info["mine_block"] == {"oak_log": 2} and step.info["inventory"]["oak_log"] == 2
    assert step.info["location_stats"]["xpos"] == pytest.approx(1.0)
    assert step.info["life_stats"]["life"] == 20 and step.info["isGuiOpen"] is True


def test_the_seed_is_set_before_every_reset(make):
    env = make()
    first = [env.reset(chop(2), seed)[0].pov for seed in (3, 3, 4)]
    assert (first[0] == first[1]).all() and (first[0] != first[2]).any()
    # The start's own seed is the world's, whatever the episode's is.
    fixed = [env.reset(chop(2, seed=3), seed)[0].pov for seed in (8, 9)]
    assert (fixed[0] == first[0]).all() and (fixed[1] == first[0]).all()


def test_patience_and_death_end_an_episode_differently(make):
    env = make("death:step:25")
    env.reset(chop(2), 3)
    steps = [env.step(Action.noop()) for _ in range(20)]
    assert [step.truncated for step in steps[-2:]] == [False, True] and not steps[-1].terminated
    env.reset(chop(2), 3)
    steps = [env.step(Action.noop()) for _ in range(5)]
    assert steps[-1].terminated and not steps[-1].truncated and steps[-1].reward == 0
    assert steps[-1].info["life_stats"]["life"] == 0
    with pytest.raises(EpisodeError, match="call reset"):
        env.step(Action.noop())


def test_the_random_picture_after_a_lost_socket_is_an_error(make):
    env = make("error:step:2", once=True)
    env.reset(chop(2), 3)
    good = env.step(Action.noop()).observation.pov
    with pytest.raises(EnvironmentFailure, match="MineRL lost its game: Connection timed out!"):
        env.step(Action.noop())
    with pytest.raises(EpisodeError, match="call reset"):
        env.step(Action.noop())
    # Without a seed the aborted episode is begun again.
    env.reset()
    assert (env.step({"camera": np.zeros(2, np.float32)})[0]["pov"] == good).all()
    assert env.simulator.restarts == 1


def test_counters_that_fall_are_an_error(make):
    env = make("fall:step:4")
    env.reset(chop(9), 3)
    for _ in range(3):
        env.step(Action.of("attack"))
    with pytest.raises(EnvironmentFailure, match="counters fell within an episode: tick 3: mine_block oak_log"):
        env.step(Action.of("attack"))


def test_a_start_that_does_not_arrive_is_an_error(make):
    env = make("fall:reset:1")
    with pytest.raises(EnvironmentFailure, match="the start state was not honoured: 3 torch did not arrive"):
        env.reset(chop(2, inventory={"torch": 3}), 3)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (StartState(mobs={"cow": 2}, time=6000), r"cannot honour mobs = \{'cow': 2\}, time = 6000; it can set biome"),
        (StartState(rarity={"iron": "rare"}), "cannot honour rarity"),
        (StartState(inventory={"oak_lgo": 1}), "unknown item 'oak_lgo'; did you mean oak_log"),
        (StartState(biome="dessert"), "unknown biome 'dessert'; did you mean desert"),
        (StartState(inventory={"stone_pickaxe": 37}), "no slot is left for 1 stone_pickaxe; there are 36"),
        (StartState(slots={0: ("bow", 2)}), r"slots\[0\]: 2 bow, but one slot holds 1"),
        (StartState(seed=-1), "seed: -1, but minerl takes seeds from 0 only"),
    ],
)
def test_what_cannot_be_honoured_is_refused_before_anything_starts(make, start, message):
    env = make()
    with pytest.raises((StartStateError, UnknownNameError), match=message):
        env.reset(Task("play", Goal("play"), start), 3)
    assert env.simulator.process is None


def test_a_task_that_needs_what_is_not_told_is_refused(make):
    near = Goal("find", parse({"at": {"near_block": "furnace", "radius": 4}}))
    with pytest.raises(PredicateError, match="task find: environment 'minerl' cannot tell near_blocks"):
        make(task=Task("find", near))


def test_actions_are_checked_before_they_are_sent(make):
    env = make()
    env.reset(seed=3)
    with pytest.raises(ActionError, match="unknown action key 'chat'"):
        env.step({"chat": "/give"})
    with pytest.raises(ActionError, match="pitch is nan"):
        env.step({"camera": [float("nan"), 0]})
    with pytest.raises(ActionError, match="attack: 2, expected 0 or 1"):
        env.step({"attack": 2})
    assert env.step({"attack": 1})[4]["tick"] == 1  # the episode goes on


def test_the_biome_of_the_game_decides_predicates(make):
    env = make()
    forest = Task("walk", Goal("be in a forest", parse({"at": {"biome": "forest"}})))
    env.reset(forest, 3)
    assert env.step(Action.noop()).info["success"]  # its number is 4


def test_stacks_fill_the_first_free_slots():
    start = StartState(slots={1: ("torch", 5)}, inventory={"oak_log": 70, "water_bucket": 2, "snowball": 17})
    assert stacks_of(start) == {
        0: ("oak_log", 64), 1: ("torch", 5), 2: ("oak_log", 6), 3: ("water_bucket", 1), 4: ("water_bucket", 1),
        5: ("snowball", 16), 6: ("snowball", 1),
    }  # fmt: skip
    limits = {"diamond_axe": 1, "white_bed": 1, "oak_sign": 16, "bucket": 16, "cobblestone": 64, "egg": 16}
    assert {item: stack_limit(item) for item in limits} == limits


def test_the_names_are_those_of_minecraft():
    names = minecraft_vocabulary()
    assert (len(names.items), len(names.blocks), len(names.mobs)) == (975, 763, 108)
    assert names.resolve("biome", "mountains") == "extreme_hills"
    assert names.resolve("item", "minecraft:Oak Log") == "oak_log"


def test_the_interpreter_comes_from_the_argument_then_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("JARVIS_MINERL_PYTHON", "/from/variable")
    monkeypatch.setenv("PATH", "/usr/bin")
    given = with_interpreter(None, "/from/argument/python", "JARVIS_MINERL_PYTHON")
    assert given.python == "/from/argument/python"
    assert given.environment == {"PATH": "/from/argument:/usr/bin"}  # the game finds its own Java first
    assert with_interpreter(RemoteConfig(python="/in/config"), None, "JARVIS_MINERL_PYTHON").python == "/in/config"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch()
    found = with_interpreter(None, str(tmp_path / "bin" / "python"), "JARVIS_MINERL_PYTHON")
    assert found.environment["JAVA_HOME"] == str(tmp_path)
    monkeypatch.delenv("JARVIS_MINERL_PYTHON")
    assert with_interpreter(None, None, "JARVIS_MINERL_PYTHON") == RemoteConfig()


def test_a_simulator_that_is_not_installed_is_told(tmp_path):
    env = MineRLEnv(config=RemoteConfig(reset_attempts=1))
    with pytest.raises(EnvironmentFailure, match="launch: ModuleNotFoundError: No module named 'minerl'"):
        env.reset(seed=1)
