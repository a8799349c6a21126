"""Plans: what comes next, what it needs, and a policy that reaches a goal by one instruction after the other."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evaluation.tasks import get
from jarvis.app.curriculum.llm import LLM, LLMConfig
from jarvis.app.demonstrator import ScriptedPolicy
from jarvis.app.planner import PlannedPolicy, RulePlanner, planned
from jarvis.app.planner.llm import LLMPlanner
from jarvis.core.actions import Action
from jarvis.core.goals import Count, Goal, Have
from jarvis.envs.voxel import VoxelEnv

PICKAXE = Goal("get a wooden pickaxe", Have("wooden_pickaxe", 1))


@pytest.mark.parametrize(
    ("carried", "text"),
    [
        ({}, "collect 3 logs"),
        ({"oak_log": 3}, "craft 12 oak planks"),
        ({"oak_planks": 12}, "craft a crafting table"),
        ({"oak_planks": 8, "crafting_table": 1}, "craft 4 sticks"),
        ({"oak_planks": 6, "crafting_table": 1, "stick": 4}, "craft a wooden pickaxe"),
    ],
)
def test_what_comes_next_follows_from_what_is_carried(carried, text):
    planner = RulePlanner(PICKAXE)
    instruction = planner.next(carried)
    assert instruction.text == text
    assert planner.missing(instruction, carried) == {}
    assert not instruction.is_done(carried, carried)


def test_a_lost_pickaxe_is_made_again_and_needs_are_told():
    planner = RulePlanner(Goal("iron", Have("iron_ore", 3)))
    stone = {"stone_pickaxe": 1, "crafting_table": 1, "stick": 2, "cobblestone": 3}
    mining = planner.next(stone)
    assert (mining.kind, mining.item, mining.count) == ("mine", "iron_ore", 3)
    lost = {name: count for name, count in stone.items() if name != "stone_pickaxe"}
    assert planner.missing(mining, lost) == {"stone_pickaxe": 1}
    assert planner.next(lost).text == "craft a stone pickaxe"
    assert planner.next({"iron_ore": 3, "stone_pickaxe": 1}) is None
    assert mining.is_done(stone, stone | {"iron_ore": 3})
    assert not mining.is_done(stone, stone | {"iron_ore": 2})


def test_goals_that_are_no_item_are_their_own_words_once_ready():
    eat = get("eat_bread").goal
    assert RulePlanner(eat).next({"bread": 2}).text == eat.text
    assert RulePlanner(Goal("be happy")).next({}).kind == "do"


class Watcher:
    """The scripted player, and what it was told."""

    def __init__(self):
        self.inner, self.told = ScriptedPolicy(habits="clean"), []
        self.follow = self.inner.follow

    def reset(self, goals, *, rows=None, seeds=None):
        self.told += [goal.text for goal in goals]
        self.inner.reset(goals, rows=rows, seeds=seeds)

    def act(self, observations):
        return self.inner.act(observations)


def test_one_instruction_after_the_other_leads_to_the_goal():
    task = replace(get("craft_stone_pickaxe-hard"), max_ticks=600)
    watcher = Watcher()
    policy = PlannedPolicy(watcher)
    env = VoxelEnv(width=64, height=36)
    policy.reset([task.goal], seeds=[3])
    observation, info = env.reset(task, 3)
    policy.follow(0, env)
    while True:
        observation, _, terminated, truncated, info = env.step(policy.act([observation])[0])
        if terminated or truncated:
            break
    env.close()
    assert info["success"], (info["tick"], policy.trail(), info["inventory"])
    assert policy.trail()[-1] == "craft a stone pickaxe"
    assert len(policy.trail()) >= 3
    assert watcher.told[1:] == policy.trail()
    assert policy.report()["done"] == len(policy.trail()) - 1


class Idle:
    """Does nothing, whatever it is told."""

    def __init__(self):
        self.told = []

    def reset(self, goals, *, rows=None, seeds=None):
        self.told += [(goal.text, seed) for goal, seed in zip(goals, seeds, strict=True)]

    def act(self, observations):
        return [Action.noop() for _ in observations]


def test_what_is_not_done_in_time_is_tried_again_then_left_for_a_while(monkeypatch):
    from jarvis.app.planner import rules

    monkeypatch.setitem(rules.PATIENCE, "mine", 20)
    policy = PlannedPolicy(idle := Idle(), tries=2)
    env = VoxelEnv(width=64, height=36)
    task = replace(get("craft_diamond"), max_ticks=300)
    policy.reset([task.goal], seeds=[1])
    observation, _ = env.reset(task, 1)
    policy.follow(0, env)
    for _ in range(200):
        observation = env.step(policy.act([observation])[0]).observation
    env.close()
    words, seeds = zip(*idle.told[1:], strict=True)
    first = words[0]
    assert first.startswith("collect ")
    assert words == (first, first, first, "walk to another place", first, first)
    assert len(set(seeds)) == len(seeds), "each try has other random numbers"
    assert policy.report() == {"instructions": 2, "retries": 3, "given_up": 1}


def test_a_language_model_may_choose_among_what_can_be_done(tmp_path):
    carried = {"oak_planks": 6, "crafting_table": 1}
    silent = LLMPlanner(PICKAXE, LLM(LLMConfig()))
    assert silent.next(carried).text == "craft 4 sticks"
    assert silent.counts == {"refused": 1}
    answers = {
        '{"kind": "craft", "item": "stick", "count": 8}': ("craft 8 sticks", "taken"),
        '{"kind": "craft", "item": "wooden_pickaxe", "count": 1}': ("craft 4 sticks", "invalid"),  # no sticks yet
        '{"kind": "craft", "item": "cake", "count": 1}': ("craft 4 sticks", "invalid"),
        '{"kind": "craft", "item": "stick", "count": 1000}': ("craft 4 sticks", "invalid"),
        "make sticks": ("craft 4 sticks", "invalid"),
    }
    for number, (text, (expected, counted)) in enumerate(answers.items()):
        transcript = tmp_path / f"{number}.jsonl"
        asker = LLM(LLMConfig(mode="replay", transcript=str(_transcript(transcript, carried, text)), model="m"))
        planner = LLMPlanner(PICKAXE, asker)
        assert planner.next(carried).text == expected
        assert planner.counts == {counted: 1}


def _transcript(path, carried, text):
    """A transcript with one answer, under the key that the planner's question has."""
    keys = []

    class Listening(LLM):
        def complete(self, messages, *, purpose, schema=None, draw=0):
            keys.append(self.key(messages, purpose, schema, draw))
            return super().complete(messages, purpose=purpose, schema=schema, draw=draw)

    listening = Listening(LLMConfig(model="m"))
    LLMPlanner(PICKAXE, listening).next(carried)
    line = {"key": keys[0], "purpose": "plan", "text": text, "usage": {}, "request": {"model": "m"}}
    path.write_text(json.dumps(line) + "\n")
    return path


def test_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert planned("noop@none").planner(PICKAXE).llm.config.mode == "none"
    policy = planned("scripted")
    policy.reset([Goal("x", Count("craft_item", "stick", 1))], seeds=[0])
    with pytest.raises(Exception, match="cannot be looked at"):
        policy.follow(0, object())
