"""Which goals and lessons may enter the book. Every refusal has a kind and a sentence, and both are kept.

The checks of a goal, in this order: a condition that decides, names that exist, reachable in the tech tree, not known
already and under no other goal's name, possible in its time, decidable here, not true of somebody who just stands
there, within its source's share.
The grammar itself was checked by whoever made the Goal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jarvis.app.curriculum.backends import Backend
from jarvis.app.curriculum.evidence import idle_start, parts
from jarvis.app.curriculum.lessons import Lesson
from jarvis.core.errors import JarvisError
from jarvis.core.goals import Count, Goal, Have, Within, canonical, needs, parse, to_json
from jarvis.core.predicates import AllOf, At, Predicate
from jarvis.core.start_states import StartState, check_supported

__all__ = ["Refusal", "check_goal", "check_lesson"]

LARGEST_COUNT = 2304  # of anything, in any goal: what 36 slots hold


class Refusal(NamedTuple):
    """Why something is not admitted."""

    kind: str
    reason: str


def check_goal(
    goal: Goal, place: Backend, known: Mapping[str, Goal], counts: Mapping[str, int], quota: Mapping[str, int]
) -> Refusal | None:
    """None if the goal may enter. known: what the book holds, by id. counts and quota: goals by source."""
    predicate = goal.predicate
    if predicate is None:
        return Refusal("unverifiable", "no condition decides it")
    try:
        spelled = parse(to_json(predicate), place.vocabulary)
    except JarvisError as error:
        return Refusal("names", str(error))
    if canonical(spelled) != predicate:
        return Refusal("names", "a name is not in the registry's spelling")
    if (reason := _unreachable(predicate, place)) is not None:
        return Refusal("impossible", reason)
    if goal.id in known:
        return Refusal("duplicate", f"the same as {known[goal.id].text!r}")
    words = goal.text.casefold()
    for other in (*known.values(), *(node.goal for node in place.tree.values())):
        if other.text.casefold() == words and other.id != goal.id:
            return Refusal("alias", "its sentence is that of another goal, with another condition")
    if any(parent not in known for parent in goal.parents):
        return Refusal("parents", "a step of it is not in the book")
    horizon = goal.horizon_ticks or place.usual
    if not 1 <= horizon <= place.longest:
        return Refusal("horizon", f"{horizon} ticks, but an episode here has at most {place.longest}")
    if (reason := _too_much(predicate, horizon, place)) is not None:
        return Refusal("impossible", reason)
    missing = sorted(needs(predicate) - place.tells)
    if missing:
        return Refusal("capability", f"{place.name} cannot tell {', '.join(missing)}")
    if idle_start(predicate, {}, None, {}):
        return Refusal("satisfied", "it holds before anything is done")
    if counts.get(goal.source, 0) >= quota.get(goal.source, 1 << 30):
        return Refusal("quota", f"source {goal.source!r} has its {quota[goal.source]} goals")
    return None


def check_lesson(lesson: Lesson, place: Backend, known: Mapping[str, Goal]) -> Refusal | None:
    """None if the lesson may be played here."""
    try:
        check_supported(lesson.start, place.start_fields, place.name)
        start = lesson.start.resolved(place.vocabulary)
    except JarvisError as error:
        return Refusal("start", str(error))
    if start != lesson.start:
        return Refusal("start", "a name is not in the registry's spelling")
    for thing in start.rarity:
        if thing not in place.rarities:
            return Refusal("start", f"there is no rarity of {thing!r}; there is {', '.join(place.rarities) or 'none'}")
    for item, count in start.inventory.items():
        if count > place.most:
            return Refusal("start", f"{count} {item}, but nobody carries more than {place.most}")
    if sum(start.nearby.values()) > 512 or sum(start.mobs.values()) > 64:
        return Refusal("start", "more than 512 blocks or 64 mobs around the player")
    for goal_id in lesson.goals:
        if goal_id not in known:
            return Refusal("goals", f"goal {goal_id!r} is not in the book")
        predicate = known[goal_id].predicate
        if predicate is not None and idle_start(predicate, start.inventory, start.biome, _near(start)):
            return Refusal("satisfied", f"{known[goal_id].text!r} holds at the start")
    return None


def _near(start: StartState) -> dict[str, float]:
    return {block: float(start.nearby_radius) for block in start.nearby}


def _unreachable(predicate: Predicate, place: Backend) -> str | None:
    for part in parts(predicate):
        event = part.event if isinstance(part, Count) else "have" if isinstance(part, Have) else None
        if event is not None and not place.obtainable(event, part.item):  # type: ignore[union-attr]
            return f"{event} {part.item}: there is no way to it in the tech tree"  # type: ignore[union-attr]
    return None


def _too_much(predicate: Predicate, horizon: int, place: Backend) -> str | None:
    for part in parts(predicate):
        if isinstance(part, (Count, Have)) and part.at_least > min(horizon, LARGEST_COUNT):
            return f"{part.at_least} {part.item} in {horizon} ticks"
        if isinstance(part, Have) and part.at_least > place.most:
            return f"{part.at_least} {part.item}, but nobody carries more than {place.most}"
        if isinstance(part, Within) and part.ticks > horizon:
            return f"within {part.ticks} ticks, but an episode has {horizon}"
        if isinstance(part, AllOf):
            places = [p for p in part.parts if isinstance(p, At)]
            below = min((p.y_below for p in places if p.y_below is not None), default=1e9)
            above = max((p.y_above for p in places if p.y_above is not None), default=-1e9)
            biomes = [set(p.biome.split("|")) for p in places if p.biome is not None]
            if below <= above or (biomes and not set.intersection(*biomes)):
                return f"nobody can be at two places at once: {part}"
        if isinstance(part, At) and ((part.y_below or 1) <= 0 or (part.y_above or 0) >= 256):
            return f"{part} is outside the world"
    return None
