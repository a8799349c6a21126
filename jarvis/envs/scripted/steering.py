"""Legs: following a way cell by cell with the keys, digging what is in it, and getting free when nothing moves.

Skills are generators: each ``yield`` is one tick and gives the keys held in it. They return whether they succeeded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from jarvis.envs.scripted.digging import break_block
from jarvis.envs.scripted.looking import wrap
from jarvis.envs.scripted.memory import Cell
from jarvis.envs.scripted.paths import AT, REACH, cell_class, is_floor, is_free

if TYPE_CHECKING:
    from jarvis.envs.scripted.player import ScriptedPlayer

Keys = tuple[str, ...]
Skill = Generator[Keys, None, Any]
NEVER: Callable[[], bool] = lambda: False  # noqa: E731


def heading_keys(me: ScriptedPlayer, dx: float, dz: float) -> Keys:
    """The movement keys that come nearest to a direction (metres), given where the player looks."""
    turn = wrap(math.degrees(math.atan2(-dx, dz)) - float(me.p["yaw"]))
    keys: list[str] = []
    if abs(turn) < 67.5:
        keys.append("forward")
    elif abs(turn) > 112.5:
        keys.append("back")
    if 22.5 < abs(turn) < 157.5:
        keys.append("right" if turn > 0 else "left")
    return tuple(keys)


def in_the_way(me: ScriptedPlayer, a: Cell, b: Cell) -> list[Cell]:
    """Cells that must be free to go from place a to place b, in the order in which they are dug."""
    (ax, ay, az), (bx, by, bz) = a, b
    if (bx, bz) == (ax, az):
        cells = [(ax, ay + 2, az)] if by > ay else [(ax, by, az)]
    elif by > ay:
        cells = [(ax, ay + 2, az), (bx, by + 1, bz), (bx, by, bz)]
    elif by < ay:
        cells = [(bx, level, bz) for level in range(ay + 1, by - 1, -1)]
    else:
        cells = [(bx, by + 1, bz), (bx, by, bz)]
    return [cell for cell in cells if not is_free(me.grid, *cell)]


def follow(me: ScriptedPlayer, path: list[Cell], until: Callable[[], bool] = NEVER) -> Skill:
    """Go along a path; False when it cannot be followed. Stops early, and well, when ``until`` says so at a place."""
    at = 1
    while at < len(path):
        if until():
            return True
        a, b = path[at - 1], path[at]
        # NOTE: bodies are pushed about, so the place is checked rather than assumed
        here = me.cell()
        if here != a and max(abs(here[0] - a[0]), abs(here[2] - a[2])) > 1:
            return False
        if me.needs_torch(b):
            yield from me.place_torch()
        for _ in range(12):
            blocked = in_the_way(me, a, b)
            if not blocked:
                break
            if me.opens_danger(blocked[0]):
                return False
            if not (yield from settle(me, a)):
                return False
            if not (yield from break_block(me, blocked[0])):
                return False
            if me.habits.put_back and me.random.random() < me.habits.put_back:
                yield from me.put_back(blocked[0])
        else:
            return False
        if (b[0], b[2]) == (a[0], a[2]) and b[1] > a[1] and cell_class(me.grid, *a) != 2:
            if not (yield from pillar(me, a)):
                return False
        elif not (yield from step_to(me, b, path[at + 1 : at + 5])):
            return False
        at += 1
    return True


def settle(me: ScriptedPlayer, place: Cell) -> Skill:
    """Come to rest on a place, so that what is dug next to it is in reach and nothing is stepped on by chance."""
    for _ in range(14):
        p = me.p
        dx, dz = place[0] + 0.5 - float(p["x"]), place[2] + 0.5 - float(p["z"])
        if p["in_water"]:
            if math.hypot(dx, dz) < 0.7 and not p["head_in_water"]:
                return True
            yield (*heading_keys(me, dx, dz), "jump")
            continue
        speed = math.hypot(float(p["vx"]), float(p["vz"]))
        if math.hypot(dx, dz) < 0.42 and speed < 0.05:
            return True
        # where it will slide to
        sx, sz = dx - 2.0 * float(p["vx"]), dz - 2.0 * float(p["vz"])
        yield heading_keys(me, sx, sz) if math.hypot(sx, sz) > 0.25 else ()
    return math.hypot(place[0] + 0.5 - float(me.p["x"]), place[2] + 0.5 - float(me.p["z"])) < 1.1


def step_to(me: ScriptedPlayer, b: Cell, ahead: list[Cell]) -> Skill:
    """Walk, jump, drop or swim to the next place."""
    bx, by, bz = b[0] + 0.5, b[1], b[2] + 0.5
    straight = [c for c in ahead if abs(c[1] - by) <= 1]
    best, stuck = 1e9, 0
    for tick in range(90):
        p = me.p
        x, y, z = float(p["x"]), float(p["y"]), float(p["z"])
        dx, dz = bx - x, bz - z
        far = math.hypot(dx, dz)
        high = by - y
        wet = bool(p["in_water"])
        if far < (0.38 if not ahead or high < -0.6 else 0.5) and -0.6 < high < (0.2 if not wet else 0.9):
            return True
        if far < 0.3 and high < -0.6 and not p["on_ground"]:
            yield ("jump",) if wet and high > 0 else ()
            continue
        progress = far + abs(high)
        if progress < best - 0.03:
            best, stuck = progress, 0
        else:
            stuck += 1
        if stuck > 25:
            return False
        # the eyes run ahead of the feet
        look = straight[min(2, len(straight) - 1)] if straight and tick > 0 else b
        lx, lz = look[0] + 0.5 - x, look[2] + 0.5 - z
        if math.hypot(lx, lz) < 0.8:
            lx, lz = (dx, dz) if far > 0.3 else (lx, lz)
        slope = math.degrees(math.atan2(y - look[1], max(1.0, math.hypot(lx, lz))))
        if math.hypot(lx, lz) > 0.15:
            me.eyes.face(math.degrees(math.atan2(-lx, lz)), 12.0 + 0.8 * slope + me.gaze)
        turn = abs(wrap(math.degrees(math.atan2(-dx, dz)) - float(p["yaw"])))
        if turn > 75.0 and far > 0.4 and p["on_ground"] and tick < 8 and not wet:
            yield ()
            continue
        keys = list(heading_keys(me, dx, dz)) if far > 0.12 else []
        if wet:
            if high > -0.4:
                keys.append("jump")
        elif p["on_ground"] and (high > 0.6) and far < 1.35 and turn < 60.0:
            keys.append("jump")
        elif p["on_ground"] and stuck > 6 and p["collided"]:
            keys.append("jump")
        if me.may_sprint and len(ahead) >= 3 and keys[:1] == ["forward"] and abs(high) < 0.3 and turn < 25.0:
            if all(c[1] == b[1] for c in ahead[:3]):
                keys.append("sprint")
        yield tuple(keys)
    return False


def pillar(me: ScriptedPlayer, a: Cell) -> Skill:
    """Jump and put a block under the feet."""
    item = me.filler()
    if item is None or not (yield from settle(me, a)) or not (yield from me.hold(item)):
        return False
    for _ in range(3):
        for _ in range(12):
            me.eyes.face(float(me.p["yaw"]), 90.0)
            if abs(90.0 - float(me.p["pitch"])) < 3.0 and me.p["on_ground"]:
                break
            yield ()
        for tick in range(16):
            high = float(me.p["y"]) - a[1]
            keys = ["jump"] if tick < 3 else []
            if high > 1.02:
                keys.append("use")
            yield tuple(keys)
            if me.p["on_ground"] and tick > 4:
                break
        if is_floor(me.grid, a[0], a[1], a[2]) and me.p["y"] > a[1] + 0.9:
            return True
    return False


def walk_to(
    me: ScriptedPlayer,
    goal: Cell,
    kind: int = AT,
    slack: int = 0,
    slack_y: int = 0,
    until: Callable[[], bool] = NEVER,
    weight: float = 1.15,
    most: int = 6000,
    tries: int = 3,
) -> Skill:
    """Find a way to a goal (paths.AT or REACH) and go it; True at its end or when ``until`` says so."""
    for attempt in range(tries):
        if until():
            return True
        path, whole, _ = me.find(goal, kind, slack, slack_y, weight, most)
        if not path or (not whole and len(path) < 4):
            return False
        if whole and len(path) == 1:
            return True
        gone = yield from follow(me, path, until)
        if until():
            return True
        if gone and whole:
            if kind == REACH and not me.can_point_at(goal):
                yield from settle(me, path[-1])  # feet stop short of the middle, from where the way was planned
            return True
        if not gone:
            yield from free(me, attempt)
    return False


def free(me: ScriptedPlayer, attempt: int = 0) -> Skill:
    """Get out of what holds the player: a step back or aside, a jump."""
    options: tuple[Keys, ...] = (("back",), ("jump", "left"), ("jump", "right"), ("jump", "back"))
    keys = options[(attempt + int(me.random.integers(2))) % len(options)]
    if not me.safe_to_stray():
        keys = ("jump",) if me.p["in_water"] or me.p["in_lava"] else ()
    for _ in range(5):
        yield keys
    yield ()
    return True


def ashore(me: ScriptedPlayer) -> Skill:
    """Out of the water onto the nearest dry place that can be reached."""
    x, y, z = me.cell()
    places = []
    for dx in range(-20, 21):
        for dz in range(-20, 21):
            for dy in (0, 1, 2, -1):
                place = (x + dx, y + dy, z + dz)
                if is_floor(me.grid, place[0], place[1] - 1, place[2]) and cell_class(me.grid, *place) == 0:
                    places.append((abs(dx) + abs(dz) + abs(dy), place))
    for _, place in sorted(places)[:40:8]:
        if (yield from walk_to(me, place, AT, 0, 0, most=4000, weight=1.5)):
            return True
    return False


__all__ = [
    "NEVER",
    "Keys",
    "Skill",
    "ashore",
    "follow",
    "free",
    "heading_keys",
    "pillar",
    "settle",
    "step_to",
    "walk_to",
]
