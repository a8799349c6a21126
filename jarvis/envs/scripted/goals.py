"""What a goal asks of the player: a list of wants, each one thing to bring about, counted as the predicate counts it.

wants_of("diamond_pickaxe")                  # (Want("have", ("diamond_pickaxe",), 1),)
wants_of(Count("kill_entity", "cow", 2))     # (Want("kill", ("cow",), 2, "kill_entity"),)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jarvis.core.errors import UnknownNameError, nearest_names
from jarvis.core.goals import Goal
from jarvis.core.predicates import AllOf, AnyOf, Count, Have, Predicate, Seq, Within, Without, to_json
from jarvis.core.tasks import Task
from jarvis.envs.scripted.planner import GROUPS, PICKAXES
from jarvis.world.loot import HARVESTS
from jarvis.world.rules import RULES

__all__ = ["Want", "forbidden_uses", "requirements", "wants_of"]

ITEMS = ("have", "make", "gather")  # wants that the planner answers
OPENED = {"open_chest": "chest", "interact_with_furnace": "furnace", "interact_with_crafting_table": "crafting_table"}
FILLED = {"water_bucket": "water", "lava_bucket": "lava", "milk_bucket": "cow"}
HOES = ("diamond_hoe", "iron_hoe", "stone_hoe", "wooden_hoe")


@dataclass(frozen=True)
class Want:
    """One thing to bring about, ``count`` times."""

    # one of ITEMS, or mine, kill, shear, fill, milk, place, eat, drink, pour, shoot, throw, sow, open, sleep
    how: str
    names: tuple[str, ...]  # items, blocks or mobs of which any will do; an item may be a #group
    count: int
    event: str = ""  # whose items are counted from the beginning of the want; empty: what is carried counts

    @property
    def name(self) -> str:
        """The first of the names."""
        return self.names[0]


def wants_of(goal: str | Task | Goal | Predicate) -> tuple[Want, ...]:
    """The wants of an item's name, of a task's or goal's predicate, in the order in which they are gone about.

    Raises UnknownNameError for names that the world does not have, ValueError for what the player cannot do whatever
    it carries.
    """
    if isinstance(goal, str):
        wants = [_item_want("have", goal, 1, "")]
    else:
        wants = _wants(_predicate(goal))
    return tuple(wants)


def _predicate(goal: Task | Goal | Predicate) -> Predicate:
    goal = goal.goal if isinstance(goal, Task) else goal
    predicate = goal.predicate if isinstance(goal, Goal) else goal
    if predicate is None:
        raise ValueError("the scripted player wants a goal with a predicate")
    return predicate


def _wants(predicate: Predicate) -> list[Want]:
    if isinstance(predicate, (AllOf, Seq)):
        return [want for part in predicate.parts for want in _wants(part)]
    if isinstance(predicate, AnyOf):
        return _wants(predicate.parts[0])
    if isinstance(predicate, Within):
        return _wants(predicate.predicate)
    if isinstance(predicate, Without):
        wants = _wants(predicate.predicate)
        unharmed = predicate.forbidden
        if isinstance(unharmed, Count) and unharmed.event == "kill_entity" and "sheep" in unharmed.item.split("|"):
            wants = [
                Want("shear", want.names, want.count, want.event) if want.names == ("white_wool",) else want
                for want in wants
            ]
        return wants
    if isinstance(predicate, Have):
        if predicate.item in FILLED:
            how = "milk" if predicate.item == "milk_bucket" else "fill"
            return [Want(how, (predicate.item,), predicate.at_least)]
        return [_item_want("have", predicate.item, predicate.at_least, "")]
    if isinstance(predicate, Count):
        return [_counted(predicate)]
    raise ValueError(f"the scripted player cannot go for {to_json(predicate)}")


def _counted(predicate: Count) -> Want:
    names, count, event = tuple(predicate.item.split("|")), predicate.at_least, predicate.event
    if event == "craft_item":
        return _item_want("make", predicate.item, count, event)
    if event == "pickup":
        return _item_want("gather", predicate.item, count, event)
    if event == "mine_block":
        return Want("mine", _known("block", names, RULES.block_id), count, event)
    if event == "kill_entity":
        return Want("kill", _known("mob", names, RULES.mob_id), count, event)
    if event == "custom" and names[0] in OPENED:
        return Want("open", names, count, event)
    if event == "custom" and names[0] == "sleep_in_bed":
        return Want("sleep", names, count, event)
    if event == "use_item":
        return Want(_use_of(_known("item", names, RULES.item_id)[0]), names, count, event)
    raise ValueError(f"the scripted player cannot go for {to_json(predicate)}")


def _use_of(item: str) -> str:
    if item in RULES.data["foods"]:
        return "eat"
    known = {
        "milk_bucket": "drink", "water_bucket": "pour", "lava_bucket": "pour", "bow": "shoot", "snowball": "throw",
        "egg": "throw", "wheat_seeds": "sow",
    }  # fmt: skip
    if item in known:
        return known[item]
    if RULES.places[RULES.item(item)]:
        return "place"
    raise ValueError(f"the scripted player does not know what to use {item!r} for")


def _item_want(how: str, item: str, count: int, event: str) -> Want:
    names = tuple(item.split("|"))
    for group, members in GROUPS.items():
        if item in (group, group[1:]) or set(names) == set(members):
            return Want(how, (group,), count, event)
    return Want(how, _known("item", names, RULES.item_id), count, event)


def _known(kind: str, names: tuple[str, ...], table: dict[str, int]) -> tuple[str, ...]:
    for name in names:
        if name not in table:
            raise UnknownNameError(kind, name, nearest_names(name, table))
    return names


def requirements(want: Want, left: int, carried: Mapping[str, int]) -> list[tuple[str, int]]:
    """(item, how many) that must be carried to go ``left`` times about a want that is not about an item itself."""
    how = want.how
    if how in ("place", "eat", "throw", "drink", "pour"):
        return [(want.name, left if how in ("place", "eat", "throw") else 1)]
    if how == "sow":
        hoe = next((name for name in HOES if carried.get(name)), "wooden_hoe")
        return [(hoe, 1), (want.name, left)]
    if how == "shoot":
        return [("bow", 1), ("arrow", left)]
    if how in ("fill", "milk"):
        return [("bucket", 1)]
    if how == "shear":
        return [("shears", 1)]
    if how == "mine":
        block = RULES.block(want.name)
        able = [name for name in PICKAXES if HARVESTS[block, RULES.item(name)]]
        if able and not HARVESTS[block, 0] and not any(carried.get(name) for name in able):
            return [(able[0], 1)]
    return []


def forbidden_uses(goal: str | Task | Goal | Predicate) -> frozenset[str]:
    """Items whose use would spoil a goal."""
    if isinstance(goal, str):
        return frozenset()
    predicate = _predicate(goal)
    if isinstance(predicate, Without):
        inner = forbidden_uses(predicate.predicate)
        unwanted = predicate.forbidden
        if isinstance(unwanted, Count) and unwanted.event == "use_item":
            return inner | frozenset(unwanted.item.split("|"))
        return inner
    parts = predicate.parts if isinstance(predicate, (AllOf, AnyOf, Seq)) else ()
    return frozenset().union(*(forbidden_uses(part) for part in parts))
