"""EnvGen (arXiv 2403.12014): a language model designs start states from what the agent can and cannot do yet.

Each cycle: environments from the success report -> training there and in the original world in equal parts ->
measurement in the original world alone -> a new report. Without a model, or for what its answer lacks, starts are those
of the tech tree for the weakest goals within reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jarvis.app.curriculum.backends import Backend
from jarvis.app.curriculum.lessons import Lesson
from jarvis.app.curriculum.llm import LLM
from jarvis.app.curriculum.prompts import ask
from jarvis.app.curriculum.proposers import Proposals, View, ask_items
from jarvis.app.curriculum.schemas import check_environment, describe_place, environment_schema
from jarvis.app.curriculum.techtree import start_before
from jarvis.core.random_streams import generator

__all__ = ["EnvGen", "FixedEnvGen", "weakest_lessons"]

ENVIRONMENTS = 4  # a call, as in the paper; 1, 2, 4 and 8 differ there by no more than chance

_RULES = {
    "crafter": (
        "Rules of Crafter. Coal, iron and diamond lie in mountains, trees and cows in grassland; skeletons live in "
        "tunnels in mountains and shoot; zombies come anywhere and chase. Water is drunk, and the biomes grassland and "
        "mountain have none, so life is short there; beaches have no stone. Wood is had by hand, a table costs 2 wood, "
        "a wood pickaxe or sword 1 wood near a table, a stone one 1 wood and 1 stone; stone and coal need a wood "
        "pickaxe, iron a stone pickaxe, diamond an iron pickaxe; a furnace costs 4 stone; an iron tool 1 wood, 1 coal "
        "and 1 iron near a table and a furnace. A sapling is found in grass, planted, and eaten when it is ripe; "
        "sleeping restores energy. Nothing that is given at the start counts as achieved."
    ),
    "": (
        "Rules of the world: those of Minecraft 1.16. Tools decide what drops from a block; crafting in the bag takes "
        "recipes of 2 by 2, anything larger a crafting table; smelting a furnace and fuel. Monsters come in the dark. "
        "Nothing that is given at the start counts as achieved."
    ),
}
_ROLE = (
    "You design the worlds in which an agent practises a game. Your worlds make it likely to meet what it cannot do "
    "yet, without doing it in its place."
)


def _format(place: Backend) -> str:
    if place.name == "crafter":
        return (
            'Answer with JSON alone: {"environments": [{"environment_settings": {"target_biome": ..., "coal_rarity": '
            '..., "iron_rarity": ..., "diamond_rarity": ..., "tree_rarity": ...}, "inventory_settings": {item: count}, '
            '"goals": [the goals that it is for], "purpose": one sentence}]}. Every key may be left out; what is left '
            "out stays as usual. Of a tool at most 1 can be given."
        )
    return (
        'Answer with JSON alone: {"environments": [{"start": {fields of start_fields}, "goals": [the goals that it is '
        'for], "purpose": one sentence}]}. inventory, nearby and mobs are {name: count}. What is left out stays as '
        "usual."
    )


class EnvGen:
    """See the top of the module."""

    def __init__(self, llm: LLM, *, environments: int = ENVIRONMENTS) -> None:
        self.llm, self.environments = llm, environments
        self._earlier: list[dict[str, Any]] = []  # what was proposed before, for the next request

    def messages(self, view: View) -> list[dict[str, str]]:
        """The request of a cycle."""
        place = view.place
        sections = [
            f"Design {self.environments} environments for the goals in DATA.",
            _RULES.get(place.name, _RULES[""]),
        ]
        if view.cycle:
            sections.append(
                "The report says how often each goal is reached in the original world, in percent, with the bounds of "
                "its 95 % interval, and how often in practice. The agent knows some goals already; design for those "
                "that it is about to learn, and say which part of the report you used."
            )
        sections.append(_format(place))
        report = [
            {
                "goal": row.text, "percent": round(100 * row.evaluation), "low": round(100 * row.evaluation_low),
                "high": round(100 * row.evaluation_high), "practice_percent": round(100 * row.rate),
            }
            for row in view.report
        ]  # fmt: skip
        data = {
            "task": "environments", "count": self.environments, "cycle": view.cycle, "report": report,
            "earlier": self._earlier[-self.environments :], "may_set": describe_place(place),
        }  # fmt: skip
        return ask(_ROLE, sections, data)

    def propose(self, view: View) -> Proposals:
        """As many lessons as there are environments a call, whatever the model answers."""
        place = view.place
        answer = ask_items(
            self.llm, self.messages(view), check_environment(place, view.names, "envgen"), purpose="envgen",
            schema=environment_schema(place), draw=view.cycle, wanted=self.environments,
        )  # fmt: skip
        lessons = list(answer.items)
        missing = self.environments - len(lessons)
        lessons += weakest_lessons(view, missing)
        self._earlier = [lesson.to_json() for lesson in lessons]
        record = {"proposer": "envgen", "cycle": view.cycle, "lessons": len(lessons), "made_offline": missing}
        return Proposals([], lessons, record | answer.record())

    def state(self) -> dict[str, Any]:
        """What must be known to go on in a later cycle."""
        return {"earlier": self._earlier}

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        self._earlier = list(state["earlier"])


class FixedEnvGen(EnvGen):
    """Control: the first answer for all cycles."""

    def __init__(self, llm: LLM, *, environments: int = ENVIRONMENTS) -> None:
        super().__init__(llm, environments=environments)
        self._first: Proposals | None = None

    def propose(self, view: View) -> Proposals:
        """Asks in the first cycle alone."""
        if self._first is None:
            first = View(view.place, view.report, view.goals, 0, view.seed)
            self._first = super().propose(first)
            self._first.record["proposer"] = "fixed"
        if view.cycle == 0:
            return self._first
        return Proposals([], list(self._first.lessons), {"proposer": "fixed", "cycle": view.cycle})

    def state(self) -> dict[str, Any]:
        """With the first answer."""
        first = None if self._first is None else [lesson.to_json() for lesson in self._first.lessons]
        return super().state() | {"first": first}

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse; what was asked for it stays in the book."""
        super().restore(state)
        if state["first"] is not None:
            self._first = Proposals([], [Lesson.from_json(lesson) for lesson in state["first"]])


def weakest_lessons(view: View, count: int) -> list[Lesson]:
    """Starts one step before the weakest goals whose parents work sometimes: a designer without a model.

    Three quarters of them by the report, the rest drawn among all goals of the tree.
    """
    rows = {row.id: row for row in view.report}
    tree = view.place.tree
    rate = {name: rows[node.goal.id].evaluation for name, node in tree.items() if node.goal.id in rows}
    within = [
        name for name in rate if all(rate.get(parent, 0.0) >= 0.1 for parent in tree[name].parents) and rate[name] < 0.9
    ]
    within.sort(key=lambda name: (rate[name], name))
    random = generator(view.seed, "curriculum", "weakest", view.cycle)
    lessons: list[Lesson] = []
    for number in range(count):
        names = within if within and number % 4 != 3 else sorted(tree)
        name = names[number % len(names)] if names is within else str(random.choice(names))
        goals = (tree[name].goal.id,) if tree[name].goal.id in rows else ()
        lessons.append(
            Lesson(
                goals, start_before(view.place, tree[name], 0), "techtree", f"one step before {tree[name].goal.text}"
            )
        )
    return lessons
