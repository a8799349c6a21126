"""Order in the inventory: throwing junk away when there is no room left, fetching back what a death scattered."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from jarvis.envs.scripted.mining import collect
from jarvis.envs.scripted.paths import AT
from jarvis.envs.scripted.screens import OUTSIDE, click, close, move_to, open_inventory, point_at, press, stack_in
from jarvis.envs.scripted.steering import walk_to
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.envs.scripted.memory import Cell
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["JUNK", "recover", "throw_junk"]

Skill = Generator[tuple[str, ...], None, Any]
# thrown away first; of those further down a stack is kept
JUNK = (
    "oak_sapling", "birch_sapling", "spruce_sapling", "wheat_seeds", "dandelion", "poppy", "rotten_flesh", "bone",
    "egg", "feather", "granite", "diorite", "andesite", "gravel", "sand", "flint", "gunpowder", "string",
    "clay_ball", "sandstone", "snowball", "leather", "white_wool", "oak_leaves", "redstone", "lapis_lazuli", "arrow",
    "dirt", "cobblestone",
)  # fmt: skip


def recover(me: ScriptedPlayer, fell: Cell) -> Skill:
    """Go back to where one died and pick up what lies there."""
    me.do("recover things", "walk")
    for _ in range(4):
        x, y, z = me.cell()
        dx, dy, dz = fell[0] - x, fell[1] - y, fell[2] - z
        part = min(1.0, 26.0 / max(1.0, math.hypot(dx, dz)))
        stage = fell if part == 1.0 else (x + round(dx * part), y + round(dy * part), z + round(dz * part))
        if not (yield from walk_to(me, stage, AT, 2, 3 if part == 1.0 else 8, most=6000, weight=1.6)) or part == 1.0:
            break
    for _ in range(4):
        yield from collect(me, near=fell, radius=7.0)
    me.lost = frozenset()
    return True


def throw_junk(me: ScriptedPlayer) -> Skill:
    """Open the inventory and throw junk until six slots are free."""
    me.do("tidy", "open")
    if not (yield from open_inventory(me)):
        return False
    me.fine("throw")
    for name in JUNK:
        if name in me.reserved or me.free_slots() >= 8:
            continue
        item = RULES.item(name)
        slots = [slot for slot in range(9, 45) if stack_in(me, slot)[0] == item]
        keep = {"cobblestone": 1, "dirt": 1}.get(name, 0)
        slots.sort(key=lambda slot: -stack_in(me, slot)[1])
        for slot in slots[keep:]:
            if me.random.random() < 0.5:
                yield from move_to(me, slot)
                yield ("sprint",)
                yield ("sprint", "drop")
                yield ()
            else:
                yield from click(me, slot)
                yield from point_at(me, *OUTSIDE)
                yield from press(me, "attack")
    yield from close(me)
    return True
