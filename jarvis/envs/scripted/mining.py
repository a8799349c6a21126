"""Getting blocks: going to one that was seen, breaking it, picking up its drops; looking for more of it."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.envs.scripted.digging import break_block
from jarvis.envs.scripted.paths import AT, REACH
from jarvis.envs.scripted.seeking import seek
from jarvis.envs.scripted.steering import walk_to
from jarvis.world.layout import get_block
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.envs.scripted.memory import Cell
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["collect", "mine", "take_block"]

Skill = Generator[tuple[str, ...], None, Any]
WORTH = {"diamond_ore": 40.0, "iron_ore": 12.0, "coal_ore": 7.0, "gold_ore": 10.0}


def mine(me: ScriptedPlayer, item: str, blocks: tuple[str, ...], count: int) -> Skill:
    """Gather ``count`` more of an item (or #group) from blocks; True when it is there."""
    goal = me.count(item) + count
    me.memory.watch(blocks)
    failed = 0
    while me.count(item) < goal and failed < 6:
        if not me.room_for(item):
            return False
        cell = me.nearest(blocks)
        me.do("mine " + (blocks[0] if len(blocks) == 1 else item.lstrip("#")), "search")
        if cell is None:
            if not (yield from seek(me, item, blocks)):
                failed += 1
            continue
        if me.habits.pass_by and me.random.random() < me.habits.pass_by:
            yield from me.pass_by(blocks, cell)
            me.do("mine " + (blocks[0] if len(blocks) == 1 else item.lstrip("#")), "walk")
        before = me.count(item)
        if not (yield from take_block(me, cell)):
            me.memory.refuse(cell, me.world.ticks)
            failed += 1
            continue
        if me.count(item) > before:
            failed = 0
        if item != "coal" and me.short_of_light():
            coal = me.nearest(("coal_ore",))
            if coal is not None and me.reach_of(coal) < 7:
                yield from take_block(me, coal)
        if me.wears_out(item):
            return False  # plan anew: the tool is gone
    return me.count(item) >= goal


def take_block(me: ScriptedPlayer, cell: Cell) -> Skill:
    """Go where a block can be reached, break it and pick up what falls."""
    block = get_block(me.grid, *cell)
    me.fine("walk")
    me.aim_for(RULES.blocks[block], cell)
    weight = 1.3 if me.p["y"] > 58 else 4.0
    if not (yield from walk_to(me, cell, REACH, weight=weight, most=5000)):
        return False
    if get_block(me.grid, *cell) != block:
        me.memory.forget(cell)
        return True
    me.fine("dig")
    if me.opens_danger(cell) and not (yield from me.stop_liquid(cell)):
        return False
    if not (yield from break_block(me, cell)):
        return False
    me.memory.forget(cell)
    above = (cell[0], cell[1] + 1, cell[2])
    if get_block(me.grid, *above) == block and RULES.blocks[block].endswith("_log") and me.reach_of(above) < 5.5:
        me.memory.note([[*above, block]], me.world.ticks)  # the trunk goes on over the hole, in plain view
    yield from collect(me, near=cell)
    return True


def lying(me: ScriptedPlayer, wanted: Iterable[int], at: tuple[float, float, float], radius: float) -> list[int]:
    """Indices of drops of these items within a radius of a point, nearest first."""
    d = me.world.drops
    index = np.flatnonzero(d["item"])
    if not len(index):
        return []
    d = d[index]
    ok = np.isin(d["item"], list(wanted)) & (np.abs(d["x"] - at[0]) < radius) & (np.abs(d["z"] - at[2]) < radius)
    ok &= np.abs(d["y"] - at[1]) < radius
    far = np.abs(d["x"] - at[0]) + np.abs(d["z"] - at[2]) + np.abs(d["y"] - at[1])
    order = np.argsort(far[ok], kind="stable")
    return index[ok][order].tolist()


def collect(me: ScriptedPlayer, near: Cell, radius: float = 3.5) -> Skill:
    """Walk over the drops around a cell that are worth having."""
    me.fine("collect")
    for _ in range(4):
        found = lying(me, me.worth_having(), (near[0] + 0.5, near[1] + 0.5, near[2] + 0.5), radius)
        found = [i for i in found if me.drop_tries.get(i, 0) < 2]
        if not found:
            return True
        i = found[0]
        drop = me.world.drops[i]
        item, count = int(drop["item"]), int(drop["count"])
        # let it fall first
        for _ in range(12):
            if drop["on_ground"] or not drop["item"]:
                break
            yield ()
        if not drop["item"] or int(drop["item"]) != item:
            continue
        me.aim_for(RULES.items[item], None, (float(drop["x"]), float(drop["y"]), float(drop["z"])))
        cell = (math.floor(drop["x"]), math.floor(drop["y"] + 0.1), math.floor(drop["z"]))

        def gone(i: int = i, item: int = item, count: int = count) -> bool:
            return int(me.world.drops["item"][i]) != item or int(me.world.drops["count"][i]) < count

        me.drop_tries[i] = me.drop_tries.get(i, 0) + 1
        yield from walk_to(me, cell, AT, 0, 1, until=gone, most=1500, tries=1, weight=1.5)
        for _ in range(6):
            if gone():
                break
            yield ()
    return True
