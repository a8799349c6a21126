"""The agent that ships: what it is, and that it does what it is told."""

from __future__ import annotations

import pytest

from evaluation.tasks import get
from jarvis.app.planner.guided import AGENT, default_agent
from jarvis.app.policies import load_policy
from jarvis.core.errors import JarvisError
from jarvis.core.goals import Goal
from jarvis.envs.voxel import VoxelEnv


@pytest.fixture(scope="module")
def agent():
    return default_agent()


def played(agent, task, seed: int) -> tuple[bool, int]:
    """Whether it reached its goal, and in how many ticks."""
    width, height = agent.picture_size
    env = VoxelEnv(width=width, height=height)
    observation, _ = env.reset(task, seed)
    agent.reset([task.goal], seeds=[seed])
    agent.follow(0, env)
    for tick in range(task.max_ticks):
        step = env.step(agent.act([observation])[0])
        observation = step.observation
        if step.terminated or step.truncated:
            return bool(step.info["success"]), tick + 1
    return False, task.max_ticks


@pytest.mark.parametrize("task", ["rung_planks", "rung_wooden_pickaxe"])
def test_it_crafts_by_cursor(agent, task):
    """Worlds of the validation split; what it can do at length is in docs/EXPERIMENTS.md."""
    won, ticks = played(agent, get(task), (1 << 29) + 7)
    assert won, agent.trail()
    assert ticks < 200


def test_it_is_small_and_ships_whole():
    there = {path.name for path in AGENT.iterdir()}
    assert there >= {"config.json", "tokenizer.json", "card.md", "model.safetensors.index.json"}
    assert sum(path.stat().st_size for path in AGENT.iterdir()) < 60e6


def test_it_sees_pixels_and_words_only(agent):
    """The model beneath is never shown the environment."""
    assert not hasattr(agent.policy, "follow")


def test_worlds_whose_screens_cannot_be_read_are_refused(agent):
    agent.reset([Goal("play")])
    with pytest.raises(JarvisError, match="screens of 'elsewhere' cannot be read"):
        agent.follow(0, type("Env", (), {"name": "elsewhere"})())


def test_equal_seeds_are_played_equally(agent):
    task = get("rung_stick")
    assert played(agent, task, 11) == played(agent, task, 11)


def test_it_is_called_by_name(agent):
    assert type(load_policy("default")) is type(agent)
