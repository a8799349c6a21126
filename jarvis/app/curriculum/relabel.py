"""What was achieved in an episode, whatever was asked: by rules, always; by a model, if one is set (lma3.py).

Rules name the first time of each event, round numbers of it, and pairs in their order. All of them are goals of the
closed grammar, and whether the episode reached one is found by evaluating it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from jarvis.app.curriculum.backends import Backend
from jarvis.core.goals import Goal, Moment, evaluate
from jarvis.core.predicates import Count, Seq, canonical

__all__ = ["achieved", "event_counts", "rule_goals"]

NUMBERS = (1, 2, 4, 8, 16)
MOST_PAIRS = 6  # of an episode
_VERBS = {
    "mine_block": "mine", "craft_item": "craft", "pickup": "pick up", "use_item": "use", "kill_entity": "kill",
    "break_item": "wear out", "drop": "drop", "custom": "do",
}  # fmt: skip


def event_counts(moments: Sequence[Moment]) -> dict[str, dict[str, int]]:
    """{event: {item: how often}}, in the order in which they first happened."""
    counts: dict[str, dict[str, int]] = {}
    for moment in moments:
        for event in moment.events:
            items = counts.setdefault(event.name, {})
            items[event.item] = items.get(event.item, 0) + event.count
    return counts


def rule_goals(moments: Sequence[Moment], place: Backend) -> list[Goal]:
    """Goals that this episode reached, by rule, simplest first. Names that the place does not have make none."""
    scope = "crafter" if place.name == "crafter" else ""
    goals: list[Goal] = []
    firsts: list[Count] = []
    for event, items in event_counts(moments).items():
        for item, count in items.items():
            if not place.obtainable(event, item):
                continue
            firsts.append(Count(event, item))
            for number in NUMBERS:
                if number <= count:
                    words = f"{_VERBS[event]} {'' if number == 1 else f'{number} '}{item.replace('_', ' ')}"
                    goals.append(Goal(words, Count(event, item, number), scope, source="relabel"))
    order = {(c.event, c.item): evaluate(c, moments) for c in firsts}
    ordered = sorted(firsts, key=lambda c: (order[c.event, c.item], c.event, c.item))
    pairs = 0
    for earlier, later in pairwise(ordered):
        if pairs < MOST_PAIRS and order[earlier.event, earlier.item] != order[later.event, later.item]:
            words = " then ".join(f"{_VERBS[c.event]} {c.item.replace('_', ' ')}" for c in (earlier, later))
            goals.append(Goal(words, canonical(Seq((earlier, later))), scope, source="relabel"))
            pairs += 1
    return goals


def achieved(goals: Mapping[str, Goal], moments: Sequence[Moment], asked: Sequence[str] = ()) -> list[tuple[str, int]]:
    """(goal, tick) for each known goal beside those asked that the episode reached."""
    found = []
    for key, goal in goals.items():
        if key in asked or goal.predicate is None:
            continue
        tick = evaluate(goal.predicate, moments)
        if tick is not None:
            found.append((key, tick))
    return found
