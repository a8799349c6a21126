"""LMA3 (arXiv 2305.12487) and WebRL's proposer (arXiv 2411.02337) on the goal book.

LMA3 uses a language model three ways. Two are kept: it says what was achieved in what was played, and it chains goals
that are mastered to new ones. The third, judging success, is a condition that is evaluated over events; what a model
says was achieved and was not is counted as a hallucination.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jarvis.app.curriculum.backends import Backend
from jarvis.app.curriculum.book import Row
from jarvis.app.curriculum.lessons import Lesson
from jarvis.app.curriculum.llm import LLM
from jarvis.app.curriculum.prompts import ask
from jarvis.app.curriculum.proposers import Answer, Proposals, View, ask_items
from jarvis.app.curriculum.schemas import check_goal_item, check_relabel, describe_place, goal_schema
from jarvis.app.curriculum.techtree import TechTree, start_before
from jarvis.core.goals import Goal
from jarvis.core.predicates import Count, Seq, canonical, to_json
from jarvis.core.random_streams import generator
from jarvis.core.start_states import StartState

__all__ = ["FailureBreeder", "GoalGenerator", "ask_relabels", "chain", "episode_facts"]

GRAMMAR = (
    'A condition is JSON: {"count": {"event": ..., "item": ..., "at_least": n}} for events since the start, {"have": '
    '{"item": ..., "at_least": n}} for the bag, {"at": {"biome": ...}}, {"at": {"y_below": n}}, {"all": [...]}, '
    '{"any": [...]}, {"seq": [...]} for one after the other, {"within": {"predicate": ..., "ticks": n}}, {"without": '
    '{"predicate": ..., "forbidden": ...}}. An item may be several: "birch_log|oak_log". There is nothing else.'
)
_GOALS = (
    'Answer with JSON alone: {"goals": [{"text": a sentence in the imperative, "predicate": its condition, "steps": '
    '[known goals that lead to it], "horizon_ticks": how long it may take}]}.'
)
_ADVICE = (
    "Good goals differ in kind: a category in place of one thing, a number of things, an order, two things at once, a "
    "place, something to be done without something else."
)
LOW, HIGH = 0.05, 0.75  # WebRL's band: what should succeed sometimes


def chain(first: Goal, second: Goal, source: str = "techtree", scope: str = "") -> Goal:
    """First one, then the other."""
    assert first.predicate is not None and second.predicate is not None
    predicate = canonical(Seq((first.predicate, second.predicate)))
    return Goal(f"{first.text}, then {second.text}", predicate, scope, parents=(first.id, second.id), source=source)


def _facts(row: Row, goals: Mapping[str, Goal]) -> dict[str, Any]:
    predicate = goals[row.id].predicate
    return {
        "id": row.id, "text": row.text, "predicate": None if predicate is None else to_json(predicate),
        "percent": round(100 * max(row.rate, row.evaluation)), "tried": row.tried, "status": row.status,
    }  # fmt: skip


def lessons_for_goals(view: View, goals: Sequence[Goal], source: str) -> list[Lesson]:
    """A start for each: the kit of the hardest of its steps that the tech tree knows."""
    kits = view.place.kits
    lessons = []
    for goal in goals:
        nodes = [kits[parent] for parent in goal.parents if parent in kits]
        start = start_before(view.place, max(nodes, key=lambda node: node.depth), 0) if nodes else StartState()
        lessons.append(Lesson((goal.id,), start, source))
    return lessons


def _outside_the_tree(view: View, made: Sequence[Goal]) -> list[Goal]:
    """Goals of the book that no tree gives lessons for and that are not mastered, and the new ones."""
    kits, rows = view.place.kits, {row.id for row in view.report}
    others = [view.goals[row.id] for row in view.report if row.id not in kits and row.status != "mastered"]
    return [*others, *(goal for goal in made if goal.id not in rows)]


class GoalGenerator:
    """New goals from mastered ones. Without a model: chains of two, drawn at random, beside the tree's frontier."""

    def __init__(self, llm: LLM, *, goals: int = 6, known: int = 40) -> None:
        self.llm, self.count, self.known = llm, goals, known
        self.tree = TechTree(new_goals=8)

    def propose(self, view: View) -> Proposals:
        """The tree's frontier, and up to `goals` goals that are made of known ones."""
        base = self.tree.propose(view)
        able = [row for row in view.report if row.status == "mastered" or max(row.rate_low, row.evaluation_low) >= 0.3]
        random = generator(view.seed, "curriculum", "lma3", view.cycle)
        shown = [able[i] for i in sorted(random.permutation(len(able))[: self.known].tolist())]
        names = {row.text: row.id for row in shown} | {row.id: row.id for row in shown}
        made: list[Goal] = []
        answer = Answer([], refused="nothing is mastered yet")
        if shown:
            sections = [
                f"Propose {self.count} new goals for the agent. Each is made of goals that it can reach already, named "
                "as its steps, and asks for more than any of them.",
                _ADVICE, GRAMMAR, _GOALS,
            ]  # fmt: skip
            data = {
                "task": "goals", "count": self.count, "cycle": view.cycle,
                "known": [_facts(row, view.goals) for row in shown], "happened": list(view.happened)[-4:],
                "names": describe_place(view.place),
            }  # fmt: skip
            answer = ask_items(
                self.llm, ask("You set goals for an agent that learns a game.", sections, data),
                check_goal_item(view.place, names, ""),
                purpose="lma3_generator", schema=goal_schema(), draw=view.cycle, wanted=self.count,
            )  # fmt: skip
            made = list(answer.items)
        missing = self.count - len(made) if len(shown) >= 2 else 0
        for _ in range(missing):
            one, two = random.choice(len(shown), 2, replace=False).tolist()
            first, second = view.goals[shown[one].id], view.goals[shown[two].id]
            if not isinstance(first.predicate, Seq) and not isinstance(second.predicate, Seq):
                made.append(chain(first, second, scope=first.scope))
        lessons = base.lessons + lessons_for_goals(view, _outside_the_tree(view, made), "lma3")
        record = {"proposer": "lma3", "cycle": view.cycle, "goals": len(made), "made_offline": missing}
        return Proposals([*base.goals, *made], lessons, record | answer.record())


class FailureBreeder:
    """Variants of what failed, kept if they should succeed sometimes. Without a model: the tree's frontier alone."""

    def __init__(self, llm: LLM, *, goals: int = 6, failures: int = 10) -> None:
        self.llm, self.count, self.failures = llm, goals, failures
        self.tree = TechTree(new_goals=8)

    def propose(self, view: View) -> Proposals:
        """The tree's frontier, and up to `goals` variants of failures."""
        base = self.tree.propose(view)
        failed = [row for row in view.report if row.tried >= 8 and row.rate < HIGH]
        failed.sort(key=lambda row: (abs(row.rate - 0.2), row.id))
        shown = failed[: self.failures]
        made: list[Goal] = []
        answer = Answer([], refused="nothing failed yet")
        outside = 0
        if shown:
            sections = [
                f"The agent failed at the goals in DATA. Propose {self.count} others of similar difficulty, most of "
                "them somewhat easier, that would bring it closer to these.",
                _ADVICE, GRAMMAR, _GOALS,
            ]  # fmt: skip
            data = {
                "task": "variants", "count": self.count, "cycle": view.cycle,
                "known": [_facts(row, view.goals) for row in shown], "names": describe_place(view.place),
            }  # fmt: skip
            answer = ask_items(
                self.llm, ask("You set goals for an agent that learns a game.", sections, data),
                check_goal_item(view.place, view.names, ""), purpose="webrl", schema=goal_schema(), draw=view.cycle,
                wanted=self.count,
            )  # fmt: skip
            for goal in answer.items:
                if estimate(goal, view) is None or LOW <= (estimate(goal, view) or 0.0) <= HIGH:
                    made.append(goal)
                else:
                    outside += 1
        lessons = base.lessons + lessons_for_goals(view, _outside_the_tree(view, made), "webrl")
        record = {"proposer": "webrl", "cycle": view.cycle, "goals": len(made), "outside_the_band": outside}
        return Proposals([*base.goals, *made], lessons, record | answer.record())


def estimate(goal: Goal, view: View) -> float | None:
    """The rate to expect of a new goal: of its steps together, or of known goals about the same things; else None."""
    rates = {row.id: max(row.rate, row.evaluation) for row in view.report if row.tried >= 8 or row.evaluations}
    steps = [rates[parent] for parent in goal.parents if parent in rates]
    if steps and len(steps) == len(goal.parents):
        product = 1.0
        for rate in steps:
            product *= rate
        return product
    things = _things(goal)
    same = [rate for key, rate in rates.items() if things & _things(view.goals[key])]
    return sum(same) / len(same) if same else None


def _things(goal: Goal) -> set[str]:
    from jarvis.app.curriculum.evidence import parts

    if goal.predicate is None:
        return set()
    return {name for part in parts(goal.predicate) for name in (getattr(part, "item", None) or "").split("|") if name}


# -- the relabeler -----------------------------------------------------------------------------------------------------


def episode_facts(counts: Mapping[str, Mapping[str, int]], ticks: int, place: Backend) -> dict[str, Any]:
    """What a model is told about an episode: counts of events, names that the registry does not have left out."""
    names = place.vocabulary
    known = names.items | names.blocks | names.mobs | place.statistics
    if place.name == "crafter":
        known |= {p.item for node in place.tree.values() if isinstance(p := node.goal.predicate, Count)}
    told = {event: {item: n for item, n in items.items() if item in known} for event, items in counts.items()}
    return {"ticks": ticks, "events": {event: items for event, items in told.items() if items}}


def ask_relabels(
    llm: LLM, place: Backend, episodes: Sequence[Mapping[str, Any]], draw: int, wanted: int = 16
) -> Answer:
    """(goal, number of the episode) for what a model says was achieved in these episodes. It may be wrong."""
    sections = [
        "Say what the agent achieved in each of the episodes in DATA, as goals that it could be asked for again.",
        _ADVICE, GRAMMAR,
        'Answer with JSON alone: {"goals": [{"text": a sentence in the imperative, "predicate": its condition, '
        '"episode": the number of the episode}]}.',
    ]  # fmt: skip
    data = {
        "task": "relabel", "count": wanted, "names": describe_place(place),
        "episodes": [{"episode": number, **facts} for number, facts in enumerate(episodes)],
    }  # fmt: skip
    return ask_items(
        llm, ask("You watch an agent play and name what it achieved.", sections, data),
        check_relabel(place, len(episodes), ""), purpose="lma3_relabeler", schema=goal_schema(relabel=True), draw=draw,
        wanted=wanted,
    )  # fmt: skip
