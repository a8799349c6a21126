"""What comes next, by the rules: recipes, tools, furnaces, and what is carried.

    planner = RulePlanner(task.goal)
    instruction = planner.next({"oak_log": 3})            # craft 12 oak planks, or None: all is there
    planner.missing(instruction, inventory)               # {} or {"#planks": 2}: what it cannot be begun without

The plan is made anew each time from what is carried, so nothing has to be remembered: a broken pickaxe is simply the
next thing to make. Goals that are not about an item (kill, place, eat, ...) become their own words, once what they
need is carried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.atomic import thing
from jarvis.core.goals import Count, Goal, Have, Predicate
from jarvis.envs.scripted.goals import Want, requirements, wants_of
from jarvis.envs.scripted.planner import GROUPS, PICKAXES, Step, gathered_from, ingredients, plan, recipe_for
from jarvis.envs.scripted.planner import tool_tier as tier_of

__all__ = ["Instruction", "RulePlanner", "carried_of"]

PATIENCE = {"mine": 2400, "craft": 400, "smelt": 900, "kill": 1800, "do": 1200}  # ticks for one try


@dataclass(frozen=True)
class Instruction:
    """One thing to do, in words and as a condition."""

    text: str
    kind: str  # mine, craft, smelt, kill, or do: the goal itself
    item: str  # an item, or a #group
    count: int  # more of it than is carried now
    predicate: Predicate  # holds when it is done
    patience: int  # ticks until it is tried again

    @property
    def goal(self) -> Goal:
        """What a policy is given."""
        return Goal(self.text, self.predicate, source="techtree")

    def is_done(self, before: Mapping[str, int], now: Mapping[str, int]) -> bool:
        """Whether so much more of the item is carried than before. Never for kind `do`: its task knows."""
        return self.kind != "do" and carried_of(self.item, now) >= carried_of(self.item, before) + self.count


def carried_of(item: str, inventory: Mapping[str, int]) -> int:
    """How many of an item or of a #group are carried."""
    return sum(inventory.get(name, 0) for name in GROUPS.get(item, (item,)))


class RulePlanner:
    """Steps along the recipe graph to one goal."""

    def __init__(self, goal: Goal) -> None:
        """ValueError for a goal whose items the rules know no way to get."""
        self.goal = goal
        try:
            self.wants: tuple[Want, ...] = wants_of(goal) if goal.predicate is not None else ()
        except ValueError:
            self.wants = ()  # it cannot be taken apart: its own words will do

    def steps(self, inventory: Mapping[str, int], stations: Iterable[str] = ()) -> list[Step]:
        """Everything that is left to do before the goal, or to it, in order."""
        goals = self.goals(inventory)
        return plan(goals, inventory, stations) if goals else []

    def goals(self, inventory: Mapping[str, int]) -> list[tuple[str, int]]:
        """(item, how many are to be carried) of all that is wanted or needed for it."""
        goals: list[tuple[str, int]] = []
        for want in self.wants:
            if want.how in ("have", "make", "gather"):
                # NOTE: what is counted from now on is wanted beside what is carried already
                more = carried_of(want.name, inventory) if want.event else 0
                goals.append((want.name, more + want.count))
            else:
                # NOTE: how often it was done is not known here, so what is left is used up before more is made
                goals += requirements(want, 1 if carried_of(want.name, inventory) else want.count, inventory)
        return goals

    def next(self, inventory: Mapping[str, int], stations: Iterable[str] = ()) -> Instruction | None:
        """The first of these that can be begun, in words. None when nothing is left to do but to wait."""
        for step in self.steps(inventory, stations):
            return self.instruction(step, inventory)
        if any(want.how not in ("have", "make", "gather") for want in self.wants) or not self.wants:
            predicate = self.goal.predicate
            return Instruction(self.goal.text, "do", "", 1, predicate, PATIENCE["do"])  # type: ignore[arg-type]
        return None

    @staticmethod
    def instruction(step: Step, inventory: Mapping[str, int]) -> Instruction:
        """The words and the condition of a step, begun with this inventory."""
        names = "|".join(GROUPS.get(step.item, (step.item,)))
        shown = {"#logs": "log", "#planks": "oak_planks", "#coals": "coal"}.get(step.item, step.item)
        verb = {"mine": "collect", "craft": "craft", "smelt": "smelt", "kill": "collect"}[step.kind]
        text = f"{verb} {_many(shown, step.count)}" if step.count > 1 else f"{verb} {_article(shown)}"
        event = "craft_item" if step.kind in ("craft", "smelt") else ""
        total = carried_of(step.item, inventory) + step.count
        predicate: Predicate = Count(event, names, step.count) if event else Have(names, total)
        return Instruction(text, step.kind, step.item, step.count, predicate, PATIENCE[step.kind])

    @staticmethod
    def missing(instruction: Instruction, inventory: Mapping[str, int], stations: Iterable[str] = ()) -> dict[str, int]:
        """What must be carried before it can be begun, and is not: ingredients, a table or furnace, a tool."""
        needed: dict[str, int] = {}
        item, stands = instruction.item, set(stations)
        if instruction.kind == "craft":
            recipe: Any = recipe_for("oak_planks" if item == "#planks" else item)
            if recipe is None:
                return {}
            times = -(-instruction.count // recipe["count"])
            parts = {"#logs": 1} if item == "#planks" else ingredients(recipe)
            needed = {name: number * times for name, number in parts.items()}
            if recipe["grid"] == 3 and "crafting_table" not in stands:
                needed["crafting_table"] = 1
        elif instruction.kind == "smelt":
            needed = {} if "furnace" in stands else {"furnace": 1}
        elif instruction.kind == "mine":
            _, tier = gathered_from(item)
            if tier is not None and tier_of(inventory) < tier:
                needed[PICKAXES[tier]] = 1
        short = {name: number - carried_of(name, inventory) for name, number in needed.items()}
        return {name: number for name, number in short.items() if number > 0}


def _many(name: str, count: int) -> str:
    return f"{count} {name.replace('_', ' ')}" if name.endswith("s") else thing(name, count)


def _article(name: str) -> str:
    words = name.replace("_", " ")
    if words.endswith(("planks", "ore", "stone", "coal", "cobblestone")):
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
