"""Stage I: questions and answers about the rules of the game, made from the rules themselves.

    pairs = question_answers()          # 137 items, 72 recipes, ...: a few thousand, the same in every process
    held = [pair for pair in pairs if pair.split == "validation"]

    python -m vla.questions             # one JSON object a line

Answers are facts of the rule file, in words; what comes next on the tech tree is asked of the planner. A wording is
held out for validation by a hash of what it asks, so that no fact is both learnt and examined in the same words.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from vla.prompts import Turn
from vla.samples import Sample

if TYPE_CHECKING:
    from jarvis.envs.scripted.planner import Step

__all__ = ["Pair", "language_samples", "question_answers", "rules", "step_in_words", "words"]

VALIDATION_SHARE = 20  # one in so many pairs is held out
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TIERS = {"wood": "a wooden", "stone": "a stone", "iron": "an iron", "diamond": "a diamond"}


@dataclass(frozen=True)
class Pair:
    """One question and its answer."""

    question: str
    answer: str
    topic: str  # recipe, ingredients, station, tool, smelting, fuel, food, mob, drops, next

    @property
    def split(self) -> str:
        """train or validation, by a hash of the question."""
        digest = hashlib.sha256(self.question.encode()).digest()
        return "validation" if digest[0] * 256 + digest[1] < 65536 // VALIDATION_SHARE else "train"


@cache
def rules() -> dict[str, Any]:
    """The rules of the game as the voxel world has them."""
    # NOTE: read as the data file that it is; the world's own code is none of our business
    return json.loads(files("jarvis").joinpath("world", "data", "rules.json").read_text(encoding="utf-8"))


def language_samples(split: str = "train") -> Iterator[Sample]:
    """The pairs of one split (train or validation) as samples of stage I."""
    for number, pair in enumerate(question_answers()):
        if pair.split == split:
            turns = (Turn("user", (f"{pair.question}\n",)), Turn("assistant", (f"{pair.answer}\n",)))
            yield Sample(f"rules-{number:05d}", turns, labels=("stage:language", f"topic:{pair.topic}"))


def words(name: str) -> str:
    """oak_log is "oak log", #planks is "planks of any wood"."""
    if name.startswith("#"):
        return f"{name[1:].replace('_', ' ')} of any kind"
    return name.replace("_", " ")


def a(name: str) -> str:
    """With its article."""
    text = words(name)
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def question_answers() -> list[Pair]:
    """Every pair, each question once, in the order of the rule file."""
    found = [
        *_recipes(), *_smelting(), *_fuels(), *_tools(), *_foods(), *_mobs(), *_next_steps(),
    ]  # fmt: skip
    unique: dict[str, Pair] = {}
    for pair in found:
        unique.setdefault(pair.question, pair)
    return list(unique.values())


def _recipes() -> Iterator[Pair]:
    makers: dict[str, list[str]] = {}
    for recipe in rules()["recipes"]:
        rows = recipe["shape"] if recipe["type"] == "shaped" else [recipe["ingredients"]]
        needed = Counter(cell for row in rows for cell in row if cell)
        result, count = recipe["result"], recipe["count"]
        parts = _listed([f"{number} {words(item)}" for item, number in needed.items()])
        for question in (
            f"How do you craft {a(result)}?",
            f"What do you need to make {a(result)}?",
            f"What is the recipe of {a(result)}?",
        ):
            yield Pair(question, f"{parts}.", "recipe")
        table = recipe["grid"] == 3
        where = "At a crafting table." if table else "In the inventory, no crafting table is needed."
        yield Pair(f"Where is {a(result)} crafted?", where, "station")
        yield Pair(f"Do you need a crafting table for {a(result)}?", "Yes." if table else "No.", "station")
        yield Pair(f"How many {words(result)} does one crafting give?", f"{count}.", "recipe")
        for item, number in needed.items():
            makers.setdefault(item, []).append(result)
            question = f"How many {words(item)} go into {a(result)}?"
            yield Pair(question, f"{number}.", "ingredients")
        if recipe["type"] == "shaped":
            grid = " / ".join(" ".join(words(cell) if cell else "empty" for cell in row) for row in recipe["shape"])
            yield Pair(f"How are the ingredients of {a(result)} laid out?", f"{grid}.", "recipe")
    for item, results in makers.items():
        yield Pair(f"What can be made of {words(item)}?", f"{_listed([words(r) for r in results])}.", "recipe")


def _smelting() -> Iterator[Pair]:
    for entry in rules()["smelting"]:
        source, result = entry["input"], entry["result"]
        yield Pair(f"What does {words(source)} become in a furnace?", f"{words(result)}.", "smelting")
        yield Pair(f"What is smelted to get {words(result)}?", f"{words(source)}.", "smelting")
        yield Pair(
            f"How long does a furnace take to smelt {words(source)}?", f"{entry['ticks'] // 20} seconds.", "smelting"
        )


def _fuels() -> Iterator[Pair]:
    for item, ticks in rules()["fuel_ticks"].items():
        yield Pair(f"Does {words(item)} burn in a furnace?", "Yes.", "fuel")
        yield Pair(f"How many items does one {words(item)} smelt?", f"{ticks / 200:g}.", "fuel")


def _tools() -> Iterator[Pair]:
    for block, facts in rules()["blocks"].items():
        if facts["hardness"] < 0 or not facts["solid"]:
            continue
        tool, tier = facts["tool"], facts["harvest_tier"]
        if tier:
            need = f"{_TIERS.get(tier, tier)} {tool} or better."
            yield Pair(f"Which tool do you need to mine {words(block)}?", need.capitalize(), "tool")
            yield Pair(f"Can you harvest {words(block)} by hand?", "No.", "tool")
        else:
            yield Pair(f"Can you harvest {words(block)} by hand?", "Yes.", "tool")
            if tool:
                yield Pair(f"Which tool breaks {words(block)} fastest?", f"{a(tool).capitalize()}.", "tool")
        drops = [drop["item"] for drop in facts["drops"] if isinstance(drop, dict) and "item" in drop]
        if drops:
            yield Pair(f"What does {words(block)} drop?", f"{_listed([words(item) for item in drops])}.", "drops")


def _foods() -> Iterator[Pair]:
    for item, facts in rules()["foods"].items():
        yield Pair(f"Can you eat {words(item)}?", "Yes.", "food")
        yield Pair(f"How much hunger does {words(item)} restore?", f"{facts['food']} points.", "food")


def _mobs() -> Iterator[Pair]:
    for mob, facts in rules()["mobs"].items():
        yield Pair(f"Is a {words(mob)} dangerous?", "Yes." if facts["kind"] == "hostile" else "No.", "mob")
        yield Pair(f"How much health does a {words(mob)} have?", f"{facts['hp']:g} points.", "mob")
        loot = [drop["item"] for drop in facts["loot"]]
        if loot:
            yield Pair(f"What does a {words(mob)} drop?", f"{_listed([words(item) for item in loot])}.", "mob")


_LADDER: tuple[dict[str, int], ...] = (
    {},
    {"oak_log": 3},
    {"oak_planks": 12},
    {"oak_planks": 8, "stick": 4},
    {"crafting_table": 1, "oak_planks": 4, "stick": 4},
    {"crafting_table": 1, "wooden_pickaxe": 1, "stick": 2},
    {"crafting_table": 1, "wooden_pickaxe": 1, "stick": 2, "cobblestone": 3},
    {"crafting_table": 1, "stone_pickaxe": 1},
    {"crafting_table": 1, "stone_pickaxe": 1, "cobblestone": 8},
    {"crafting_table": 1, "stone_pickaxe": 1, "furnace": 1},
    {"crafting_table": 1, "stone_pickaxe": 1, "furnace": 1, "iron_ore": 3},
    {"crafting_table": 1, "stone_pickaxe": 1, "furnace": 1, "iron_ore": 3, "coal": 2},
    {"crafting_table": 1, "stone_pickaxe": 1, "iron_ingot": 3, "stick": 2},
    {"crafting_table": 1, "iron_pickaxe": 1, "stick": 2},
    {"crafting_table": 1, "iron_pickaxe": 1, "stick": 2, "diamond": 3},
)
_GOALS = (
    "wooden_pickaxe", "stone_pickaxe", "furnace", "iron_ingot", "iron_pickaxe", "diamond", "diamond_pickaxe", "torch",
    "chest", "iron_sword", "bread", "white_bed", "bucket", "bow", "shield", "cooked_beef",
)  # fmt: skip


def step_in_words(step: Step) -> str:
    """An instruction for one step of a plan."""
    name = words(step.item).removesuffix(" of any kind")
    verbs = {"mine": "get", "craft": "craft", "smelt": "smelt", "kill": "hunt for"}
    return f"{verbs[step.kind]} {step.count} {name}"


def _next_steps() -> Iterator[Pair]:
    from jarvis.envs.scripted.planner import plan  # the world comes with it

    for goal in _GOALS:
        for carried in _LADDER:
            try:
                steps = plan([(goal, 1)], carried)
            except ValueError:
                continue
            have = _listed([f"{count} {words(item)}" for item, count in carried.items()]) if carried else "nothing"
            question = f"You have {have} and want {a(goal)}. What next?"
            answer = f"{step_in_words(steps[0]).capitalize()}." if steps else "Nothing, it is there."
            yield Pair(question, answer, "next")


if __name__ == "__main__":
    for one in question_answers():
        print(json.dumps(asdict(one) | {"split": one.split}))
