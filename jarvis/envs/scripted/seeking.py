"""Looking for what is not in sight: over land, down a staircase, along a tunnel.

Nothing here takes a block because the map says so. The map, as far as it is loaded, only bends the direction of the
search (``Habits.map_sense``), as the luck of a player who knows where to look; what is then seen is taken by mining.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.envs.scripted.memory import SIX
from jarvis.envs.scripted.paths import AT, REACH, cell_class
from jarvis.envs.scripted.steering import walk_to
from jarvis.envs.scripted.surroundings import find_hidden
from jarvis.world.layout import MASK
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.envs.scripted.memory import Cell
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["DEPTHS", "close_by", "glance", "roam", "seek"]

Skill = Generator[tuple[str, ...], None, Any]
# item -> heights between which it is looked for, and the height at which tunnels are dug for it
DEPTHS = {
    "cobblestone": (5, 127, 50), "coal": (5, 110, 40), "iron_ore": (5, 60, 32), "lapis_lazuli": (5, 26, 14),
    "gold_ore": (5, 29, 14), "redstone": (5, 14, 11), "diamond": (5, 14, 11), "granite": (5, 75, 45),
    "flint": (5, 80, 50), "gravel": (5, 80, 50),
    "diorite": (5, 75, 45), "andesite": (5, 75, 45),
}  # fmt: skip


def glance(me: ScriptedPlayer, turns: int = 3) -> Skill:
    """Stand and look about."""
    me.glanced = me.cell()
    yaw = float(me.p["yaw"])
    side = 1 if me.random.random() < 0.5 else -1
    for turn in range(turns):
        me.eyes.face(yaw + side * (turn + 1) * 85.0, float(me.random.uniform(-5, 18)), 0.8)
        for _ in range(14):
            yield ()
            if max(map(abs, me.eyes.error(me.p))) < 3.0:
                break
    return True


def seek(me: ScriptedPlayer, item: str, blocks: tuple[str, ...]) -> Skill:
    """Explore until one of the blocks is in sight; False when this way came to nothing."""

    def seen() -> bool:
        return me.nearest(blocks) is not None

    if item in DEPTHS:
        if not me.covered() and (me.glanced is None or math.dist(me.glanced, me.cell()) > 24):
            yield from glance(me, 4)
        if seen() or (close_by(me, blocks) and (yield from go_near(me, blocks, seen))):
            return True
        return (yield from dig_for(me, item, blocks, seen))
    if me.p["y"] < 56 and me.covered():
        me.fine("climb")
        if not (yield from climb(me, seen)):
            return False
    if seen():
        return True
    me.fine("look around")
    yield from glance(me)
    if seen():
        return True
    me.fine("explore")
    return (yield from roam(me, blocks, seen))


def hidden(me: ScriptedPlayer, blocks: tuple[str, ...], radius: int, low: int, high: int) -> list[list[int]]:
    """What the map knows: x, y, z, cost of wanted blocks, best first."""
    want = np.zeros(len(RULES.blocks), np.uint8)
    want[[RULES.block(name) for name in blocks]] = 1
    out = np.zeros((48, 4), np.int64)
    x, y, z = me.cell()
    count = find_hidden(me.grid, x, y, z, want, radius, low, high, out)
    return [row for row in out[:count].tolist() if me.memory.refused.get(tuple(row[:3]), 0) <= me.world.ticks]


def roam(me: ScriptedPlayer, blocks: tuple[str, ...], seen: Callable[[], bool]) -> Skill:
    """Walk over land towards where something may be."""
    x, y, z = me.cell()
    goal = None
    if me.random.random() < me.habits.map_sense:
        for radius in (24, 48, 90):
            rows = [row for row in hidden(me, blocks, radius, 40, 120) if exposed(me, row)]
            if rows:
                goal = rows[min(len(rows) - 1, int(me.random.integers(3)))]
                break
    if goal is None:
        if me.heading is None or me.random.random() < 0.25:
            me.heading = dry_heading(me, x, z)
        goal = [x + round(40 * math.cos(me.heading)), y, z + round(40 * math.sin(me.heading))]
    for _ in range(5):
        x, y, z = me.cell()
        dx, dz = goal[0] - x, goal[2] - z
        far = math.hypot(dx, dz)
        if far < 3 or seen():
            break
        part = min(1.0, 26.0 / far)
        tx, tz = x + round(dx * part), z + round(dz * part)
        ty = surface(me, tx, tz)
        before = me.cell()
        yield from walk_to(me, (tx, ty, tz), AT, 2, 4, until=seen, most=5000, weight=1.6, tries=1)
        if seen():
            return True
        if me.cell() == before:
            me.heading = None
            me.memory.refuse((goal[0], goal[1], goal[2]), me.world.ticks)
            return False
    if not seen():
        yield from glance(me, 2)
        me.memory.refuse((goal[0], goal[1], goal[2]), me.world.ticks)
    return seen()


def close_by(me: ScriptedPlayer, blocks: tuple[str, ...]) -> Cell | None:
    """Where one of the blocks lies open close by, and will be seen as soon as one walks about here."""
    if me.habits.map_sense < 1 and me.random.random() >= me.habits.map_sense:
        return None
    y = me.cell()[1]
    below, above = (1, 2) if me.covered() else (9, 9)  # a tunnel stays on its level
    for x, cy, z, _ in hidden(me, blocks, 12, y - below, y + above):
        if any(cell_class(me.grid, x + dx, cy + dy, z + dz) == 0 for dx, dy, dz in SIX):
            return x, cy, z
    return None


def go_near(me: ScriptedPlayer, blocks: tuple[str, ...], seen: Callable[[], bool]) -> Skill:
    """Walk about where something lies open, until it is seen."""
    cell = close_by(me, blocks)
    if cell is None:
        return False
    me.fine("explore")
    yield from walk_to(me, cell, REACH, until=seen, most=4000, weight=1.3, tries=2)
    if not seen():
        yield from me.look_for(cell)
    if not seen():
        me.memory.refuse(cell, me.world.ticks)
    return seen()


def exposed(me: ScriptedPlayer, row: list[int]) -> bool:
    """Whether a cell is at the surface (a trunk: under its crown)."""
    x, y, z = row[:3]
    top = int(me.grid.top[x & MASK, z & MASK])
    trunk = RULES.blocks[me.grid.blocks[x & MASK, z & MASK, y]].endswith("_log")
    return top - y <= (12 if trunk else 2)


def dry_heading(me: ScriptedPlayer, x: int, z: int) -> float:
    """A direction, in radians, with as little water ahead as a few looks can find."""
    best, best_wet = 0.0, 99
    for _ in range(6):
        heading = float(me.random.uniform(-math.pi, math.pi))
        wet = 0
        for far in (8, 16, 24, 32, 40):
            tx, tz = x + round(far * math.cos(heading)), z + round(far * math.sin(heading))
            ty = surface(me, tx, tz)
            wet += bool(RULES.table.liquid[me.grid.blocks[tx & MASK, tz & MASK, ty]]) * (2 if far == 40 else 1)
        if wet < best_wet:
            best, best_wet = heading, wet
    return best


def surface(me: ScriptedPlayer, x: int, z: int) -> int:
    """Height at which feet stand on a column, trees not counted."""
    y = int(me.grid.top[x & MASK, z & MASK])
    column = me.grid.blocks[x & MASK, z & MASK]
    while y > 1 and (not RULES.table.solid[column[y - 1]] or RULES.blocks[column[y - 1]].endswith(("leaves", "_log"))):
        if RULES.table.liquid[column[y - 1]]:
            return y - 1
        y -= 1
    return y


def climb(me: ScriptedPlayer, seen: Callable[[], bool]) -> Skill:
    """Back to the light: up where the sky is nearest."""
    for _ in range(6):
        x, y, z = me.cell()
        if not me.covered() or seen():
            return True
        best = (1e9, (x, y, z))
        for radius in (6, 12, 20):
            for turn in range(8):
                tx = x + round(radius * math.cos(turn * math.pi / 4))
                tz = z + round(radius * math.sin(turn * math.pi / 4))
                ty = surface(me, tx, tz)
                cost = abs(ty - y) * 1.0 + radius * 0.5
                if cost < best[0]:
                    best = (cost, (tx, ty, tz))
        goal = best[1]
        if goal[1] - y > 14:
            goal = (goal[0], y + 12, goal[2])
        if not (yield from walk_to(me, goal, AT, 3, 2, most=6000, weight=4.0, until=seen)):
            return False
    return not me.covered()


def dig_for(me: ScriptedPlayer, item: str, blocks: tuple[str, ...], seen: Callable[[], bool]) -> Skill:
    """A staircase to the right depth and a tunnel along it."""
    low, high, level = DEPTHS[item]
    x, y, z = me.cell()
    goal: Cell | None = None
    ore: Cell | None = None
    if me.random.random() < me.habits.map_sense:
        # what a staircase down to the level, or a tunnel on it, will lay open
        rows = hidden(
            me, blocks, 12 if item == "cobblestone" else 44, max(low, min(y, level) - 1), min(high, max(y, level) + 2)
        )
        rows = [row for row in rows if not me.near_lava(row)]
        if rows:
            ore = (rows[0][0], rows[0][1], rows[0][2])
            goal = (ore[0], max(ore[1], min(y, level)), ore[2])
    if goal is None:
        if me.heading is None or me.random.random() < 0.2:
            me.heading = float(me.random.integers(4)) * math.pi / 2
        far = 14
        drop = max(-far, min(far, level - y))
        goal = (x + round(far * math.cos(me.heading)), y + drop, z + round(far * math.sin(me.heading)))
    me.fine("staircase" if y > goal[1] + 3 else "tunnel")
    for _ in range(8):
        x, y, z = me.cell()
        dx, dy, dz = goal[0] - x, goal[1] - y, goal[2] - z
        if seen():
            return True
        if max(abs(dx), abs(dz)) == 0 and -1 <= dy <= 1:
            break
        me.fine("staircase" if dy < -3 else "climb" if dy > 3 else "tunnel")
        stage = next_stage(x, y, z, dx, dy, dz)
        slack = 0 if stage == goal else 1
        ok = yield from walk_to(me, stage, AT, slack, 1, until=seen, most=2500, weight=5.0, tries=2)
        if seen():
            return True
        if not ok:
            me.heading = None
            me.memory.refuse(ore or goal, me.world.ticks)
            return False
    # it must be right here: look for it
    yield from me.look_for(ore or goal)
    if not seen():
        me.memory.refuse(ore or goal, me.world.ticks)
    return seen()


def next_stage(x: int, y: int, z: int, dx: int, dy: int, dz: int) -> Cell:
    """A cell some ten blocks on: along the longer axis first, stairs while there is height to lose."""
    along_x = abs(dx) >= abs(dz)
    length = abs(dx) if along_x else abs(dz)
    other = abs(dz) if along_x else abs(dx)
    reach = 9
    if abs(dy) > length + other:
        # too deep for a straight way: run past and come back
        run = min(reach, abs(dy) - length - other + 2)
        step = run if (dx if along_x else dz) >= 0 else -run
        down = max(-run, min(run, dy))
        return (x + step, y + down, z) if along_x else (x, y + down, z + step)
    run = min(reach, length)
    step = run if (dx if along_x else dz) > 0 else -run
    down = max(-run, min(run, dy))
    if length == 0:
        return x, y + max(-3, min(3, dy)), z
    return (x + step, y + down, z) if along_x else (x, y + down, z + step)
