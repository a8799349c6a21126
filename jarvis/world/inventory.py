"""What the player carries: 46 slots in the order of Minecraft's player screen, and the kernels that fill them.

    0 crafting result   1-4 crafting grid   5-8 armour, head to feet   9-35 main   36-44 hotbar   45 off hand

An array of slots is ``STACK`` records; item 0 is an empty slot. Every function here changes the array in place.
"""

from __future__ import annotations

import numpy as np
from numba import int64, njit

from jarvis.world.layout import STACK
from jarvis.world.rules import RULES

SLOTS = 46
RESULT = 0
CRAFT = 1
ARMOUR = 5
MAIN = 9
HOTBAR = 36
OFFHAND = 45
ARMOUR_KINDS = ("helmet", "chestplate", "leggings", "boots")  # slots 5, 6, 7, 8


def _armour_slots() -> np.ndarray:
    slots = np.full(len(RULES.items), -1, np.int64)
    for name, facts in RULES.data["items"].items():
        if "slot" in facts:
            slots[RULES.item_id[name]] = ARMOUR + ARMOUR_KINDS.index(facts["slot"])
    return slots


def _armour_points() -> np.ndarray:
    return np.array([0] + [facts.get("armor", 0) for facts in RULES.data["items"].values()], np.int64)


ARMOUR_SLOT = _armour_slots()  # (items,) the slot that an item is worn in, -1 for what is not worn
ARMOUR_POINTS = _armour_points()  # (items,)


def empty_slots(count: int = SLOTS) -> np.ndarray:
    """(count,) STACK with nothing in it."""
    return np.zeros(count, STACK)


@njit(cache=True, nogil=True)
def _fill(slots: np.ndarray, index: int, limit: int, item: int, count: int) -> int:
    # Tops a stack of the same undamaged item up; what did not fit comes back.
    slot = slots[index]
    if slot.item == item and slot.damage == 0 and slot.count < limit:
        moved = min(count, limit - slot.count)
        slot.count += moved
        count -= moved
    return count


@njit(cache=True, nogil=True)
def give(slots: np.ndarray, stack_sizes: np.ndarray, item: int, count: int, damage: int, selected: int = -1) -> int:
    """Put items into a player's slots as picking them up does; how many did not fit.

    Stacks of the same item are filled first: the selected hotbar slot (0..8, -1 for none), the off hand, then from the
    hotbar through the main slots. What is left goes into the first empty slot, hotbar before main.
    """
    limit = stack_sizes[item]
    if limit > 1 and damage == 0:
        if 0 <= selected < 9:
            count = _fill(slots, HOTBAR + selected, limit, item, count)
        count = _fill(slots, int64(OFFHAND), limit, item, count)
        for i in range(36):
            if count == 0:
                break
            count = _fill(slots, HOTBAR + i if i < 9 else i, limit, item, count)
    for i in range(36):
        if count == 0:
            break
        slot = slots[HOTBAR + i if i < 9 else i]
        if slot.item == 0:
            moved = min(count, limit)
            slot.item = item
            slot.count = moved
            slot.damage = damage
            count -= moved
    return count


@njit(cache=True, nogil=True)
def take(slots: np.ndarray, index: int, count: int) -> int:
    """Remove up to ``count`` items from one slot; how many there were to remove."""
    slot = slots[index]
    taken = min(count, slot.count)
    slot.count -= taken
    if slot.count == 0:
        slot.item = 0
        slot.damage = 0
    return taken


@njit(cache=True, nogil=True)
def remove(slots: np.ndarray, item: int, count: int) -> int:
    """Remove up to ``count`` of an item from wherever it is kept, hotbar first; how many were removed."""
    left = count
    for i in range(37):
        if left == 0:
            break
        index = HOTBAR + i if i < 9 else i if i < 36 else OFFHAND
        if slots[index].item == item:
            left -= take(slots, index, left)
    return count - left


@njit(cache=True, nogil=True)
def wear(slots: np.ndarray, index: int, amount: int, durability: np.ndarray) -> int:
    """Use up a tool or a piece of armour by ``amount`` points; the item id if that broke it, else 0."""
    slot = slots[index]
    limit = durability[slot.item]
    if limit == 0 or amount <= 0:
        return 0
    worn = slot.damage + amount
    if worn < limit:
        slot.damage = worn
        return 0
    broken = int(slot.item)
    slot.item = 0
    slot.count = 0
    slot.damage = 0
    return broken


def count_item(slots: np.ndarray, item: int) -> int:
    """How many of an item the player holds, the crafting result not counted."""
    held = slots[1:]
    return int(held["count"][held["item"] == item].sum())


def item_counts(slots: np.ndarray) -> dict[str, int]:
    """Item name -> how many are held, the crafting result not counted; only what is there, in slot order."""
    counts: dict[str, int] = {}
    for item, count, _ in slots[1:].tolist():
        if item:
            name = RULES.items[item]
            counts[name] = counts.get(name, 0) + count
    return counts


def armour_points(slots: np.ndarray) -> int:
    """0..20 points of the armour worn; each takes 4 % off a hit."""
    return int(ARMOUR_POINTS[slots["item"][ARMOUR : ARMOUR + 4]].sum())
