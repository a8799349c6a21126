"""Order in the inventory: throwing junk away when there is no room left."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from jarvis.envs.scripted.screens import OUTSIDE, click, close, move_to, open_inventory, point_at, press, stack_in
from jarvis.world.rules import RULES

if TYPE_CHECKING:
    from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["JUNK", "throw_junk"]

Skill = Generator[tuple[str, ...], None, Any]
# thrown away first; of those further down a stack is kept
JUNK = (
    "oak_sapling", "birch_sapling", "spruce_sapling", "wheat_seeds", "dandelion", "poppy", "rotten_flesh", "bone",
    "egg", "feather", "granite", "diorite", "andesite", "gravel", "sand", "flint", "gunpowder", "string",
    "clay_ball", "sandstone", "snowball", "leather", "white_wool", "oak_leaves", "redstone", "lapis_lazuli", "arrow",
    "dirt", "cobblestone",
)  # fmt: skip


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
