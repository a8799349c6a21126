"""Files come from crashes, other programs and language models: whatever they hold, the answer is a ValueError."""

from __future__ import annotations

import copy
import random

import pytest

from jarvis.core.actions import Action
from jarvis.core.events import Event
from jarvis.core.goals import Goal, parse
from jarvis.core.segments import Segment
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task

LOG = {"count": {"event": "mine_block", "item": "oak_log", "at_least": 2}}
DEEP = {"at": {"near_block": "stone", "radius": 3}}
CONDITION = {"without": {"predicate": {"seq": [LOG, {"within": {"predicate": DEEP, "ticks": 9}}]}, "forbidden": DEEP}}
GOAL = {"text": "dig", "predicate": CONDITION, "scope": "", "aliases": ["mine"], "horizon_ticks": 9, "parents": ["a"],
        "source": "llm", "prompt_hash": None}  # fmt: skip
START = {"biome": "forest", "inventory": {"torch": 8}, "slots": {"0": ["torch", 1]}, "nearby": {"stone": 3},
         "mobs": {"cow": 2}, "rarity": {"iron": "rare"}, "time": 6, "weather": "rain", "position": [1, 2, 3],
         "health": 7.5}  # fmt: skip
TASK = {"name": "dig", "goal": GOAL, "start": START, "max_ticks": 9, "milestones": [["log", LOG]],
        "instructions": ["dig"]}  # fmt: skip
READERS = {
    "predicate": (parse, CONDITION),
    "goal": (Goal.from_json, GOAL),
    "start": (StartState.from_json, START),
    "task": (Task.from_json, TASK),
    "event": (Event.from_json, {"tick": 1, "name": "drop", "item": "torch", "count": 2}),
    "segment": (Segment.from_json, {"start": 0, "stop": 3, "skill": "dig", "criterion": "event", "score": 0.5}),
    "action": (Action.from_env, {"attack": 1, "jump": 0, "camera": [1.0, 2.0]}),
}
JUNK = [None, True, -1, 0, 1.5, float("nan"), float("inf"), 10**400, "", "x", "a|b|", [], [1], {}, {"a": 1}, [["a"]],
        [[1, 2, 3]], "\ud800", b"x"]  # fmt: skip


def spoiled(value, rng):
    """The value with parts replaced, lost or added."""
    if rng.random() < 0.03:
        return copy.deepcopy(rng.choice(JUNK))
    if isinstance(value, dict):
        kept = {key: spoiled(part, rng) for key, part in value.items() if rng.random() > 0.03}
        return {**kept, rng.choice(["x", 3, ""]): rng.choice(JUNK)} if rng.random() < 0.05 else kept
    return [spoiled(part, rng) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", READERS)
def test_spoiled_input_is_taken_whole_or_refused(kind):
    read, good = READERS[kind]
    read(good)
    rng, taken, refused = random.Random(kind), 0, 0
    for _ in range(1000):
        try:
            hash(read(spoiled(good, rng)))
            taken += 1
        except ValueError as error:
            assert str(error)
            refused += 1
    assert taken > 20 and refused > 20
