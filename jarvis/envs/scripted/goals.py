"""Which item a goal is about."""

from __future__ import annotations

from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.predicates import Count, Have, Seq, to_json
from jarvis.core.tasks import Task
from jarvis.envs.scripted.planner import GROUPS, plan
from jarvis.world.rules import RULES

__all__ = ["goal_item_of"]


def goal_item_of(goal: str | Task) -> tuple[str, int]:
    """(item or #group, how many) to have. Raises ValueError for goals that are not about one thing it can get."""
    if isinstance(goal, str):
        name, count = goal, 1
    else:
        name, count = _wanted(goal)
    for group, names in GROUPS.items():
        if name in (group, group[1:]) or set(name.split("|")) == set(names):
            return group, count
    name = name.split("|")[0]
    if name not in RULES.item_id:
        raise UnknownNameError("item", name, nearest_names(name, RULES.item_id))
    try:
        plan([(name, count)], {})
    except ValueError as error:
        raise ValueError(f"goal {name!r}: {error}") from error
    return name, count


def _wanted(task: Task) -> tuple[str, int]:
    predicate = task.goal.predicate
    if isinstance(predicate, Seq) and predicate.parts:
        predicate = predicate.parts[-1]
    if isinstance(predicate, Have):
        return predicate.item, predicate.at_least
    if isinstance(predicate, Count) and predicate.event in ("craft_item", "pickup", "mine_block"):
        return predicate.item, predicate.at_least
    shown = None if predicate is None else to_json(predicate)
    raise ValueError(f"task {task.name!r}: the scripted player wants a goal about one item, got {shown}")
