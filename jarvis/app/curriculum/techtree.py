"""Proposers that need no model: the tech tree's frontier, the whole tree, and starts drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jarvis.app.curriculum.backends import Backend, Node
from jarvis.app.curriculum.lessons import Lesson
from jarvis.app.curriculum.llm import LLM
from jarvis.app.curriculum.proposers import Proposals, View
from jarvis.core.random_streams import generator
from jarvis.core.start_states import RARITY_LEVELS, StartState

__all__ = ["RandomStarts", "TechTree", "WholeTree", "random_start", "start_before"]

OPEN = 0.3  # lower bound of a parent's rate from which on a goal is on the frontier
STEPS = (0.5, 0.8)  # rates from which a lesson begins one step, two steps earlier


def start_before(place: Backend, node: Node, steps: int) -> StartState:
    """A start that leaves the last `steps` + 1 steps of a node: its kit, its parents' kits, ..., nothing at all."""
    nodes = [node]
    for _ in range(steps):
        nodes = [place.tree[parent] for one in nodes for parent in one.parents]
        if not nodes:
            return place.original
    kit: dict[str, int] = {}
    for one in nodes:
        for item, count in one.kit.items():
            kit[item] = min(place.most, max(count, kit.get(item, 0)))
    start: dict[str, Any] = {"inventory": kit} if kit else {}
    if steps == 0:
        start |= {name: value for name, value in node.start.to_json().items() if name in place.start_fields}
    return StartState(**start)


def lesson_for(place: Backend, node: Node, rate: float, source: str) -> Lesson:
    """The lesson for a node at a success rate: the more often it succeeds, the earlier it begins."""
    steps = sum(rate >= bound for bound in STEPS)
    start = place.original if steps == len(STEPS) else start_before(place, node, steps)
    return Lesson((node.goal.id,), start, source, f"the last {steps + 1} steps")


class TechTree:
    """The frontier: what builds on what works. Lessons begin one step before the end and go back from there."""

    source = "techtree"
    whole = False

    def __init__(self, llm: LLM | None = None, *, new_goals: int = 16) -> None:
        self.new_goals = new_goals

    def propose(self, view: View) -> Proposals:
        """Goals whose parents work, and a lesson for each goal of the tree that the book has."""
        rows = {row.id: row for row in view.report}
        goals = []
        open_now = {row.id for row in view.report if max(row.rate_low, row.evaluation_low) >= OPEN}
        for node in view.place.tree.values():
            known = set(node.goal.parents) <= ({*rows} if not self.whole else {*rows, *(goal.id for goal in goals)})
            ready = self.whole or set(node.goal.parents) <= open_now
            if node.goal.id not in rows and known and ready and (self.whole or len(goals) < self.new_goals):
                goals.append(node.goal)
        practised = [*rows, *(goal.id for goal in goals)]
        kits = view.place.kits
        lessons = [
            lesson_for(view.place, kits[goal], rows[goal].rate if goal in rows else 0.0, self.source)
            for goal in practised
            if goal in kits
        ]
        return Proposals(goals, lessons, {"proposer": self.source, "goals": len(goals), "lessons": len(lessons)})


class WholeTree(TechTree):
    """Control: every goal of the tree from the beginning."""

    source = "techtree"
    whole = True


class RandomStarts:
    """Control: as many start states as EnvGen designs, drawn from the same schema."""

    def __init__(self, llm: LLM | None = None, *, environments: int = 4) -> None:
        self.environments = environments

    def propose(self, view: View) -> Proposals:
        """Other draws each cycle."""
        random = generator(view.seed, "curriculum", "random starts", view.cycle)
        lessons = [Lesson((), random_start(view.place, random), "random") for _ in range(self.environments)]
        return Proposals([], lessons, {"proposer": "random", "lessons": len(lessons)})


def random_start(place: Backend, random: np.random.Generator) -> StartState:
    """A start drawn from what a model could have proposed: each knob left alone as often as not."""
    start: dict[str, Any] = {}

    def some(names: Any, most: Mapping[str, int] | int, share: float) -> dict[str, int]:
        chosen = [name for name in sorted(names) if random.random() < share]
        return {
            name: int(random.integers(1, 1 + (most if isinstance(most, int) else most.get(name, 1)))) for name in chosen
        }

    names = place.vocabulary
    if names.biomes and random.random() < 0.5:
        start["biome"] = str(random.choice(sorted(names.biomes)))
    rarity = {thing: str(random.choice(RARITY_LEVELS)) for thing in place.rarities if random.random() < 0.5}
    if rarity:
        start["rarity"] = rarity
    if place.name == "crafter":
        from jarvis.envs.crafter import MATERIALS, TOOLS

        start["inventory"] = some((*MATERIALS, *TOOLS), dict.fromkeys(MATERIALS, place.most), 0.5)
    else:
        share = 4 / max(1, len(names.items))
        start["inventory"] = some(names.items, 1, share)
        for field, values, most in (("nearby", names.blocks - {"air", "bedrock", "lava"}, 6), ("mobs", names.mobs, 3)):
            if field in place.start_fields:
                start[field] = some(values, most, 2 / max(1, len(values)))
    return StartState(**{name: value for name, value in start.items() if name in place.start_fields and value})
