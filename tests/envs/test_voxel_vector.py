import gymnasium
import numpy as np
import pytest

import jarvis.envs.registry  # noqa: F401  registers the environments with Gymnasium
from jarvis.core.actions import BUTTON_INDEX, BUTTONS, Action
from jarvis.core.errors import ActionError
from jarvis.core.goals import Goal
from jarvis.core.tasks import Task
from jarvis.envs.voxel import VoxelEnv
from jarvis.envs.voxel_vector import VoxelVectorEnv

SIZE = {"width": 32, "height": 32}


@pytest.fixture(scope="module")
def envs():
    made = VoxelVectorEnv(2, **SIZE)
    yield made
    made.close()


def test_each_world_plays_what_a_single_one_plays(envs):
    first, _ = envs.reset(seed=5)
    buttons = np.zeros((2, len(BUTTONS)), np.uint8)
    buttons[:, BUTTON_INDEX["forward"]] = 1
    camera = np.array([[0, 9], [3, -4]], np.float32)
    for _ in range(5):
        together, rewards, terminated, truncated, infos = envs.step_arrays(buttons, camera)
    assert rewards.tolist() == [0, 0] and not terminated.any() and not truncated.any()

    alone = VoxelEnv(**SIZE)
    for i, seed in enumerate((5, 6)):
        observation, _ = alone.reset(seed=seed)
        assert np.array_equal(observation["pov"], first["pov"][i])
        for _ in range(5):
            observation, *_, info = alone.step(Action(buttons[i], camera[i]))
        assert np.array_equal(observation["pov"], together["pov"][i])
        assert info == infos["worlds"][i]


def test_dictionaries_and_arrays_are_the_same_action(envs):
    envs.reset(seed=1)
    by_name, *_ = envs.step({"jump": np.array([1, 0]), "camera": np.array([[0, 5], [0, 0]], np.float32)})
    envs.reset(seed=1)
    buttons = np.zeros((2, len(BUTTONS)), np.uint8)
    buttons[0, BUTTON_INDEX["jump"]] = 1
    by_index, *_ = envs.step_arrays(buttons, np.array([[0, 5], [0, 0]], np.float32))
    assert np.array_equal(by_name["pov"], by_index["pov"])


def test_an_episode_that_ended_begins_anew_at_the_next_step():
    envs = VoxelVectorEnv(2, Task("short", Goal("wait"), max_ticks=2), **SIZE)
    envs.reset(seed=3)
    nothing = np.zeros((2, len(BUTTONS)), np.uint8), np.zeros((2, 2), np.float32)
    assert not envs.step_arrays(*nothing)[3].any()
    assert envs.step_arrays(*nothing)[3].all()
    *_, truncated, infos = envs.step_arrays(*nothing)
    assert not truncated.any() and [info["tick"] for info in infos["worlds"]] == [0, 0]
    envs.close()


def test_gymnasium_makes_it_and_its_spaces_hold_what_it_gives():
    envs = gymnasium.make_vec("jarvis/Voxel-v0", 2, **SIZE)
    observations, _ = envs.reset(seed=0)
    assert observations in envs.observation_space
    observations, *_ = envs.step(envs.action_space.sample())
    assert observations in envs.observation_space
    envs.close()


def test_bad_batches_are_refused_by_key(envs):
    envs.reset(seed=0)
    with pytest.raises(ActionError, match="attakc"):
        envs.step({"attakc": np.zeros(2)})
    with pytest.raises(ActionError, match="jump"):
        envs.step({"jump": np.zeros(3)})
    with pytest.raises(ActionError, match="camera"):
        envs.step({"camera": np.full((2, 2), np.nan)})
    with pytest.raises(ValueError, match="3 seeds for 2"):
        envs.reset(seed=[1, 2, 3])
