"""Hands: choosing what to hold, breaking a block, putting one down, using one."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from jarvis.envs.scripted.surroundings import aim_point
from jarvis.world.inventory import HOTBAR
from jarvis.world.layout import get_block
from jarvis.world.loot import HARVESTS, MINING_PROGRESS
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.envs.scripted.body import Body
    from jarvis.envs.scripted.memory import Cell

__all__ = ["best_tool", "break_block", "look_at_block", "place_block", "use_block"]

Skill = Generator[tuple[str, ...], None, Any]
REACH = 4.4
FACES = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))
TOOLS = [
    i for i, name in enumerate(RULES.items) if RULES.data["items"].get(name, {}).get("tool") not in (None, "sword")
]
TIER = {"wooden": 0, "stone": 1, "iron": 2, "diamond": 3}
TIER_OF = np.array([TIER.get(name.split("_")[0], -1) for name in RULES.items])
TOOL_IDS = frozenset(TOOLS)


def best_tool(me: Body, block: int) -> int | None:
    """Item id to break a block with: the cheapest tool that harvests it and helps; None if any hand will do."""
    best, best_cost = None, 0.0
    bare = float(MINING_PROGRESS[block, 0])
    if math.isinf(bare):
        return None
    for item in me.carried_ids:
        if item not in TOOL_IDS:
            continue
        progress = float(MINING_PROGRESS[block, item])
        if progress <= bare * 1.01:
            continue
        # ticks saved against the worth of the tool
        cost = min(60.0, 1.0 / progress) + 14.0 * max(0, int(TIER_OF[item]) - 1) + (0 if HARVESTS[block, item] else 400)
        if best is None or cost < best_cost:
            best, best_cost = item, cost
    return best


def hold_for(me: Body, block: int) -> Skill:
    """Take the right tool for a block in hand, or something that does not wear."""
    tool = best_tool(me, block)
    if tool is not None:
        return (yield from me.hold(tool))
    held = int(me.world.slots["item"][HOTBAR + int(me.p["selected"])])
    if RULES.durability[held] and MINING_PROGRESS[block, 0] < 1e9:
        slots = me.world.slots["item"][HOTBAR : HOTBAR + 9].tolist()
        for index in sorted(range(9), key=lambda i: abs(i - int(me.p["selected"]))):
            if not RULES.durability[slots[index]]:
                yield from me.press_hotbar(index)
                break
    return True


def look_at_block(me: Body, cell: Cell, side: int = -1, reach: float = REACH, patience: int = 26) -> Skill:
    """Bring a block under the crosshair; False if no point of it can be seen from here."""
    out = np.empty(3)
    aimed = False
    for tick in range(patience):
        if me.world.screen.is_open:
            return False
        hit = me.world.pointed
        if hit is not None and (hit.x, hit.y, hit.z) == tuple(cell) and (side < 0 or hit.face == side):
            yaw, pitch = me.eyes.error(me.p)
            if side < 0 or abs(yaw) + abs(pitch) < 4.0 or tick > 12:
                return True
        if not aimed or tick % 9 == 8:
            if not aim_point(me.grid, *me.eye, *cell, reach, side, out):
                return False
            spread = 0.12 if side < 0 and me.habits.aim_error else 0.0
            jitter = me.random.normal(size=3) * spread if spread else (0.0, 0.0, 0.0)
            px, py, pz = (float(out[k]) + min(0.2, max(-0.2, float(jitter[k]))) for k in range(3))
            # stay on the block
            px, py, pz = (min(c + 0.97, max(c + 0.03, v)) for c, v in zip(cell, (px, py, pz), strict=True))
            if tick >= 9:
                px, py, pz = float(out[0]), float(out[1]), float(out[2])
            aimed = True
        me.eyes.at(px, py, pz)
        yield me.afloat()
    return False


def break_block(me: Body, cell: Cell, clear: bool = True) -> Skill:
    """Mine one block from here; True once the cell holds something else. ``clear``: break what hides it, too."""
    block = get_block(me.grid, *cell)
    if me.digging_price[block] >= 1e8:
        return False
    me.aim_for(RULES.blocks[block], cell)
    if not (yield from hold_for(me, block)):
        return False
    for attempt in range(4):
        if get_block(me.grid, *cell) != block:
            return True
        if not (yield from look_at_block(me, cell)):
            hider = me.hiding(cell)
            if not clear or hider is None or hider == tuple(cell):
                return False
            if me.opens_danger(hider) or not (yield from break_block(me, hider, clear=attempt < 2)):
                return False
            me.aim_for(RULES.blocks[block], cell)
            if not (yield from hold_for(me, block)):
                return False
            continue
        progress = float(MINING_PROGRESS[block, int(me.world.slots["item"][HOTBAR + int(me.p["selected"])])])
        if progress <= 0:
            return False
        limit = 30 + int(1.3 / min(1.0, progress)) * (1 if me.p["on_ground"] and not me.p["head_in_water"] else 6)
        lost = 0
        for _ in range(limit):
            if get_block(me.grid, *cell) != block:
                yield from me.react()
                return True
            if me.world.screen.is_open:
                return False
            hit = me.world.pointed
            lost = 0 if hit is not None and (hit.x, hit.y, hit.z) == tuple(cell) else lost + 1
            if lost > 3:
                break
            if lost == 0 and not me.p["in_water"]:
                me.eyes.rest()
            tool = best_tool(me, block)
            held = int(me.world.slots["item"][HOTBAR + int(me.p["selected"])])
            if tool is not None and held != tool and held not in TOOL_IDS:
                break  # the tool broke
            yield ("attack", *me.afloat())
        else:
            return False
        if not (yield from hold_for(me, block)):
            return False
    return get_block(me.grid, *cell) != block


def place_block(me: Body, item: int, cell: Cell, skip: tuple[int, ...] = ()) -> Skill:
    """Put the block of an item into a free cell, against a neighbour that can be seen."""
    out = np.empty(3)
    if not (yield from me.hold(item)):
        return False
    block = int(RULES.places[item])
    for face, (dx, dy, dz) in enumerate(FACES):
        support = (cell[0] - dx, cell[1] - dy, cell[2] - dz)
        there = get_block(me.grid, *support)
        if (
            face in skip
            or not RULES.table.solid[there]
            or RULES.blocks[there] in ("crafting_table", "furnace", "chest")
        ):
            continue
        if not aim_point(me.grid, *me.eye, *support, REACH, face, out):
            continue
        me.aim_for(RULES.items[item], cell)
        if not (yield from look_at_block(me, support, face)):
            continue
        for tick in range(8):
            hit = me.world.pointed
            aimed = hit is not None and (hit.x, hit.y, hit.z, hit.face) == (*support, face)
            yield ("use",) if tick % 4 < 2 and aimed else ()
            if get_block(me.grid, *cell) == block:
                yield from me.react()
                return True
            if me.world.screen.is_open:
                yield ("inventory",)
                yield ()
                break
    return False


def use_block(me: Body, cell: Cell) -> Skill:
    """Open what a block opens."""
    me.aim_for(RULES.blocks[get_block(me.grid, *cell)], cell)
    for _ in range(4):
        if not (yield from look_at_block(me, cell)):
            weed = me.hiding(cell)
            if weed is None or RULES.table.solid[get_block(me.grid, *weed)] or not (yield from break_block(me, weed)):
                return False
            continue
        me.eyes.rest()
        yield from me.react()
        for tick in range(5):
            yield ("use",) if tick < 2 else ()
            if me.world.screen.is_open:
                yield ()
                yield ()
                return True
    return False
