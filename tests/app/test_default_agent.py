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


def test_the_hand_plays_on_screens_and_the_model_in_the_open():
    """Two rows, one of which opens a screen at once; that the other goes on as if it were alone."""
    agent, counts = default_agent(), []
    width, height = agent.picture_size
    envs = [VoxelEnv(width=width, height=height) for _ in range(2)]
    tasks = [get("rung_stick"), get("rung_log")]
    seen = [env.reset(task, 3)[0] for env, task in zip(envs, tasks, strict=True)]
    agent.reset([task.goal for task in tasks], seeds=[3, 4])
    for row, env in enumerate(envs):
        agent.follow(row, env)
    for _ in range(12):
        opened = sum(env.world.screen.is_open for env in envs)
        before = agent.report()
        seen = [env.step(action).observation for env, action in zip(envs, agent.act(seen), strict=True)]
        after = agent.report()
        assert after["replies"] - before["replies"] == 2 - opened
        assert after.get("on screens", 0) - before.get("on screens", 0) == opened
        counts.append(opened)
    assert 0 in counts
    assert 1 in counts


def test_worlds_whose_screens_cannot_be_read_are_refused(agent):
    agent.reset([Goal("play")])
    with pytest.raises(JarvisError, match="screens of 'elsewhere' cannot be read"):
        agent.follow(0, type("Env", (), {"name": "elsewhere"})())


def test_equal_seeds_are_played_equally(agent):
    task = get("rung_stick")
    assert played(agent, task, 11) == played(agent, task, 11)


def test_it_is_called_by_name(agent):
    assert type(load_policy("default")) is type(agent)
