"""What a person does between purposes: walks past something, looks into the bag, scratches at a block, goes for a look.

These are skills of their own in the truth log. They begin like others (a walk to a tree) and end without an event.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from jarvis.envs.scripted.digging import best_tool, break_block, look_at_block, place_block
from jarvis.envs.scripted.paths import AT, cell_class
from jarvis.envs.scripted.screens import close, move_to, open_inventory
from jarvis.envs.scripted.seeking import glance, surface
from jarvis.envs.scripted.steering import walk_to
from jarvis.world.layout import get_block
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.envs.scripted.memory import Cell
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["detour", "pass_by", "put_back"]

Skill = Generator[tuple[str, ...], None, Any]


def detour(me: ScriptedPlayer) -> Skill:
    """Leave what was being done for something else, for a few seconds."""
    open_to_it = [name for name in DETOURS if name not in me.habits.left_out and (name != "wander" or not me.covered())]
    if open_to_it:
        yield from DETOURS[open_to_it[int(me.random.integers(len(open_to_it)))]](me)
    yield from me.react(3.0)


def look_about(me: ScriptedPlayer) -> Skill:
    """Stand and turn the head."""
    me.do("look around", "look")
    return (yield from glance(me, int(me.random.integers(2, 5))))


def check_bag(me: ScriptedPlayer) -> Skill:
    """Open the inventory, move the mouse about, close it."""
    me.do("check inventory", "open")
    if not (yield from open_inventory(me)):
        return False
    me.fine("look")
    for _ in range(int(me.random.integers(1, 5))):
        yield from move_to(me, int(me.random.integers(9, 45)))
        for _ in range(int(me.random.integers(4, 20))):
            yield ()
    yield from close(me)
    return True


def scratch(me: ScriptedPlayer) -> Skill:
    """Begin to break what is in view and stop before it breaks."""
    hit = me.world.pointed
    if hit is None:
        return False
    cell = (hit.x, hit.y, hit.z)
    block = get_block(me.grid, *cell)
    if cell in me.own or me.digging_price[block] < 12 or me.digging_price[block] > 1e6 or best_tool(me, block) is None:
        return False
    me.do(f"dig {RULES.blocks[block]}", "dig")
    me.aim_for(RULES.blocks[block], cell)
    for _ in range(max(2, int((me.digging_price[block] - 7) * 0.6))):
        hit = me.world.pointed
        if hit is None or (hit.x, hit.y, hit.z) != cell:
            break
        yield ("attack",)
    yield ()
    return True


def stroll(me: ScriptedPlayer) -> Skill:
    """Walk a few metres somewhere."""
    me.do("wander", "walk")
    x, _, z = me.cell()
    angle = float(me.random.uniform(-math.pi, math.pi))
    far = float(me.random.uniform(5, 12))
    tx, tz = x + round(far * math.cos(angle)), z + round(far * math.sin(angle))
    ty = surface(me, tx, tz)
    if cell_class(me.grid, tx, ty, tz) == 2:
        return (yield from look_about(me))
    return (yield from walk_to(me, (tx, ty, tz), AT, 2, 3, most=1200, tries=1))


DETOURS = {"check inventory": check_bag, "scratch": scratch, "wander": stroll, "look around": look_about}


def pass_by(me: ScriptedPlayer, blocks: tuple[str, ...], target: Cell) -> Skill:
    """Walk up to another one of what is wanted, look at it, and leave it."""
    x, y, z = me.position
    others = [
        cell
        for name in blocks
        for cell in me.memory.seen.get(RULES.block(name), ())
        if 3 < abs(cell[0] - x) + abs(cell[2] - z) < 14 and abs(cell[1] - y) < 3
        and abs(cell[0] - target[0]) + abs(cell[2] - target[2]) > 3
    ]  # fmt: skip
    if not others:
        return False
    cell = others[int(me.random.integers(len(others)))]
    me.do("walk past", "walk")
    me.aim_for(RULES.blocks[get_block(me.grid, *cell)], cell)
    return (yield from walk_to(me, cell, AT, 2, 3, most=1500, tries=1))


def put_back(me: ScriptedPlayer, cell: Cell) -> Skill:
    """Fill the hole that was just dug and dig it again: two changes of skill without a change of view."""
    filler = me.filler()
    if filler is None or not me.p["on_ground"]:
        return False
    before = me.label()
    me.do(f"place {RULES.items[filler]}", "place")
    if (yield from place_block(me, filler, cell)):
        me.do(f"dig {RULES.items[filler]}", "dig")
        if (yield from look_at_block(me, cell)):
            yield from break_block(me, cell)
    me.relabel(before)
    return True
