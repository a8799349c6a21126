"""The slots of the screens: where they are, what they take, and what Minecraft 1.16.5 does when one is clicked.

A slot is addressed by its number in the screen, Minecraft's own:

    player           0 result, 1-4 grid, 5-8 armour, 9-35 main, 36-44 hotbar, 45 off hand
    crafting_table   0 result, 1-9 grid, 10-36 main, 37-45 hotbar
    furnace          0 input, 1 fuel, 2 output, 3-29 main, 30-38 hotbar
    chest            0-26 chest, 27-53 main, 54-62 hotbar

``Menu`` holds no mouse: screens.py turns cursor and buttons into its calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from jarvis.world.crafting import MATCHER
from jarvis.world.furnaces import CHEST_SLOTS, FUEL, FURNACE, INPUT, OUTPUT, SMELTING
from jarvis.world.inventory import ARMOUR, ARMOUR_SLOT, MAIN, OFFHAND, empty_slots, give
from jarvis.world.layout import STACK
from jarvis.world.rules import RULES

WIDTH, HEIGHT = 640, 360  # pixels of the picture at GUI scale 1
LEFT, RIGHT = 0, 1
NOWHERE = -1  # no slot

Stack = tuple[int, int, int]  # item, count, damage
EMPTY: Stack = (0, 0, 0)

_STACK_SIZE = tuple(RULES.stack_size.tolist())
_ARMOUR_SLOT = tuple(ARMOUR_SLOT.tolist())
_SMELTS = tuple((SMELTING.result > 0).tolist())
_BURNS = tuple((SMELTING.fuel > 0).tolist())
_BUCKET, _SHIELD = RULES.item("bucket"), RULES.item("shield")


class Happening(NamedTuple):
    """What a screen tells the world: ``crafted``, ``smelted`` (output taken; ``xp`` is earned) or ``dropped``."""

    what: str
    item: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here
    damage: int = 0
    xp: float = 0.0


class Layout:
    """Where the slots of one kind of screen are: top-left corners of their 16 x 16 areas, in pixels of the panel."""

    def __init__(
        self,
        kind: str,
        height: int,
        own: Sequence[tuple[int, int]],
        main_y: int,
        tail: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.kind, self.width, self.height = kind, 176, height
        self.left, self.top = (WIDTH - 176) // 2, (HEIGHT - height) // 2
        inventory = [(8 + 18 * c, main_y + 18 * r) for r in range(3) for c in range(9)]
        inventory += [(8 + 18 * c, main_y + 58) for c in range(9)]
        self.slots: tuple[tuple[int, int], ...] = (*own, *inventory, *tail)
        self.main = len(own)  # number of the first main slot
        self.hotbar = self.main + 27

    @cached_property
    def slot_map(self) -> np.ndarray:
        """(height, width) int16 of the panel: the slot that a cursor there points at, or -1."""
        where = np.full((self.height, self.width), NOWHERE, np.int16)
        for number, (x, y) in enumerate(self.slots):
            where[y - 1 : y + 17, x - 1 : x + 17] = number
        return where

    def centre(self, slot: int) -> tuple[int, int]:
        """The middle (x, y) of a slot, in pixels of the picture."""
        x, y = self.slots[slot]
        return self.left + x + 8, self.top + y + 8

    def from_inventory(self, slot: int) -> int:
        """The number that a main or hotbar slot of the player (9..44) has in this screen."""
        if not MAIN <= slot < OFFHAND:
            raise ValueError(f"inventory slot {slot}: screens share slots {MAIN} to {OFFHAND - 1}")
        return slot - MAIN + self.main


def _layouts() -> dict[str, Layout]:
    def cells(x: int, y: int, columns: int, rows: int) -> list[tuple[int, int]]:
        return [(x + 18 * c, y + 18 * r) for r in range(rows) for c in range(columns)]

    player = [(154, 28), *cells(98, 18, 2, 2), *cells(8, 8, 1, 4)]
    return {
        "player": Layout("player", 166, player, 84, ((77, 62),)),
        "crafting_table": Layout("crafting_table", 166, [(124, 35), *cells(30, 17, 3, 3)], 84),
        "furnace": Layout("furnace", 166, [(56, 17), (56, 53), (116, 35)], 84),
        "chest": Layout("chest", 168, cells(8, 18, 9, 3), 85),
    }


LAYOUTS = _layouts()


class Menu:
    """The slots of the open screen, if any, over one player's. ``slots`` is (46,) STACK, changed in place."""

    def __init__(self, slots: np.ndarray) -> None:
        self.slots = slots
        self.table = empty_slots(10)  # result and grid of a crafting table
        self.kind = ""  # while nothing is open
        self.carried: Stack = EMPTY
        self.box: np.ndarray | None = None  # stacks of the furnace or chest that is open
        self.furnace: np.ndarray | None = None  # (1,) FURNACE that is open
        self._places: list[tuple[np.ndarray, int]] = []  # array and index that each slot lives at
        self._grid = range(0)  # slots of the crafting grid
        self._happenings: list[Happening] = []

    @property
    def layout(self) -> Layout:
        """Where the slots of the open screen are."""
        return LAYOUTS[self.kind]

    def attach(self, container: np.ndarray | None) -> None:
        """Bind the slots to their arrays: (1,) FURNACE for a furnace, (27,) STACK for a chest, else None."""
        wanted = {"furnace": ((1,), FURNACE), "chest": ((CHEST_SLOTS,), STACK)}.get(self.kind)
        got = None if container is None else (container.shape, container.dtype)
        if got != wanted:
            raise ValueError(f"screen {self.kind!r}: container is {got}, expected {wanted}")
        inventory = [(self.slots, i) for i in range(MAIN, OFFHAND)]
        self.furnace = self.box = None
        self._grid = range(0)
        if self.kind == "player":
            self._places = [(self.slots, i) for i in range(len(self.slots))]
            self._grid = range(1, 5)
        elif self.kind == "crafting_table":
            self._places = [(self.table, i) for i in range(10)] + inventory
            self._grid = range(1, 10)
        elif container is not None:
            self.furnace = container if self.kind == "furnace" else None
            self.box = container["stacks"][0] if self.kind == "furnace" else container
            self._places = [(self.box, i) for i in range(len(self.box))] + inventory

    def empty_grid(self) -> None:
        """Put what lies in the crafting grid back into the inventory; what has no room is dropped."""
        if self._grid:
            self._put(0, EMPTY)
        for slot in self._grid:
            item, count, damage = self._get(slot)
            if item:
                self._put(slot, EMPTY)
                self._give((item, count, damage))

    # slots

    def _get(self, slot: int) -> Stack:
        array, index = self._places[slot]
        return array.item(index)

    def _put(self, slot: int, stack: Stack) -> None:
        array, index = self._places[slot]
        if slot == INPUT and self.furnace is not None and array.item(index)[0] != stack[0]:
            self.furnace["cook"] = 0
        array[index] = stack if stack[1] > 0 else EMPTY
        if slot in self._grid:
            self._match()

    def _match(self) -> None:
        match = MATCHER.match([self._get(i)[0] for i in self._grid])
        array, index = self._places[0]
        array[index] = (match.item, match.count, 0)

    def result_slot(self) -> int:
        """The slot that crafts, -1 if there is none; a furnace's output is not one."""
        return 0 if self._grid else NOWHERE

    def _allows(self, slot: int, item: int) -> bool:
        # Whether an item may be put into a slot.
        if self.kind == "player":
            return slot != 0 and (not ARMOUR <= slot < MAIN or _ARMOUR_SLOT[item] == slot)
        if self.kind == "crafting_table":
            return slot != 0
        if self.kind == "furnace":
            return slot != OUTPUT and (slot != FUEL or _BURNS[item] or item == _BUCKET)
        return True

    def _limit(self, slot: int, item: int) -> int:
        worn = self.kind == "player" and ARMOUR <= slot < MAIN
        emptied = self.kind == "furnace" and slot == FUEL and item == _BUCKET
        return 1 if worn or emptied else _STACK_SIZE[item]

    def accepts(self, slot: int) -> bool:
        """Whether a drag of the carried stack may spread over a slot."""
        item, _, damage = self._get(slot)
        like = item == 0 or (item, damage) == (self.carried[0], self.carried[2])
        return like and self._allows(slot, self.carried[0])

    def _take(self, slot: int, count: int) -> Stack:
        # Removes from a slot; a crafting result always comes whole.
        item, there, damage = self._get(slot)
        if slot == self.result_slot():
            count = there
        count = min(count, there)
        self._put(slot, (item, there - count, damage))
        return (item, count, damage) if count else EMPTY

    def _taken(self, slot: int, item: int, count: int) -> None:
        # After a result left its slot: ingredients are used up, experience is paid.
        if slot == self.result_slot():
            self._use_ingredients()
            self._happenings.append(Happening("crafted", item, count))
        elif self.furnace is not None and slot == OUTPUT and count:
            self._happenings.append(Happening("smelted", item, count, xp=float(self.furnace["xp"][0])))
            self.furnace["xp"] = 0

    def _use_ingredients(self) -> None:
        for slot in self._grid:
            array, index = self._places[slot]
            item, count, damage = array.item(index)
            if item:
                array[index] = (item, count - 1, damage) if count > 1 else EMPTY
        self._match()

    def _give(self, stack: Stack) -> None:
        left = int(give(self.slots, RULES.stack_size, *stack))
        if left:
            self._drop((stack[0], left, stack[2]))

    def _drop(self, stack: Stack) -> None:
        self._happenings.append(Happening("dropped", *stack))

    # what clicks do

    def pick_up(self, slot: int, button: int) -> None:
        """Click a slot: take, put down, add or exchange; the right button takes half and puts one."""
        item, count, damage = self._get(slot)
        held, carried, held_damage = self.carried
        if not item:
            if held and self._allows(slot, held):
                moved = min(carried if button == LEFT else 1, self._limit(slot, held))
                self._put(slot, (held, moved, held_damage))
                self._carry(carried - moved)
        elif not held:
            stack = self._take(slot, count if button == LEFT else (count + 1) // 2)
            self.carried = stack
            self._taken(slot, stack[0], stack[1])
        elif self._allows(slot, held):
            if (item, damage) == (held, held_damage):
                moved = min(carried if button == LEFT else 1, min(self._limit(slot, held), _STACK_SIZE[held]) - count)
                if moved > 0:
                    self._put(slot, (item, count + moved, damage))
                    self._carry(carried - moved)
            elif carried <= self._limit(slot, held):
                self._put(slot, self.carried)
                self.carried = (item, count, damage)
        elif (item, damage) == (held, held_damage) and carried + count <= _STACK_SIZE[held]:
            self.carried = (held, carried + count, held_damage)
            self._take(slot, count)
            self._taken(slot, item, count)

    def _carry(self, count: int) -> None:
        item, _, damage = self.carried
        self.carried = (item, count, damage) if count > 0 else EMPTY

    def throw_carried(self, button: int) -> None:
        """Click beside the panel: the carried stack is dropped, with the right button one of it."""
        item, count, damage = self.carried
        thrown = count if button == LEFT else 1
        self._drop((item, thrown, damage))
        self._carry(count - thrown)

    def drag_counts(self, slots: Sequence[int], button: int) -> list[tuple[int, int]]:
        """(slot, its count afterwards) of a drag of the carried stack over ``slots``: equal shares, or one to each."""
        item, carried, _ = self.carried
        if carried < len(slots):
            return []
        share = carried // len(slots) if button == LEFT else 1
        counts = []
        for slot in slots:
            if self.accepts(slot):
                there = self._get(slot)[1]
                counts.append((slot, max(there, min(there + share, self._limit(slot, item)))))
        return counts

    def spread(self, slots: Sequence[int], button: int) -> None:
        """End a drag over ``slots``; what cannot be shared equally stays on the cursor."""
        item, left, damage = self.carried
        for slot, count in self.drag_counts(slots, button):
            left -= count - self._get(slot)[1]
            self._put(slot, (item, count, damage))
        self._carry(left)

    def collect(self, slot: int) -> None:
        """Double click an empty slot: gather what is like the carried stack, first from stacks that are not full."""
        if not self.carried[0] or self._get(slot)[0]:
            return
        item, carried, damage = self.carried
        limit = _STACK_SIZE[item]
        for full_too in (False, True):
            for other in range(len(self._places)):
                if carried >= limit:
                    break
                there, count, worn = self._get(other)
                if (there, worn) == (item, damage) and other != self.result_slot() and (full_too or count < limit):
                    taken = self._take(other, limit - carried)[1]
                    carried += taken
                    self._taken(other, item, taken)
        self.carried = (item, carried, damage)

    def move_all_like(self, slot: int, stack: Stack) -> None:
        """Shift double click: move everything like ``stack`` out of the part of the screen that ``slot`` belongs to."""
        item, _, damage = stack
        if not item:
            return
        part = self._part(slot)
        for other in range(len(self._places)):
            there, _, worn = self._get(other)
            if (there, worn) == (item, damage) and self._part(other) == part:
                self.quick_move(other)

    def _part(self, slot: int) -> int:
        # 0 the player's own slots, 1 a grid or container, 2 a crafting result.
        if self.kind == "player":
            return 2 if slot == 0 else 1 if slot < ARMOUR else 0
        return 0 if slot >= self.layout.main else 2 if slot == self.result_slot() else 1

    def swap(self, slot: int, inventory_slot: int) -> None:
        """A number key over a slot: exchange it with that slot of the hotbar (36..44) or with the off hand (45)."""
        if self.carried[0]:
            return
        hot: Stack = self.slots.item(inventory_slot)
        stack = self._get(slot)
        if not hot[0]:
            if stack[0]:
                self._take(slot, stack[1])
                self._set_inventory(inventory_slot, stack)
                self._taken(slot, stack[0], stack[1])
        elif self._allows(slot, hot[0]):
            limit = self._limit(slot, hot[0])
            if hot[1] > limit:
                self._put(slot, (hot[0], limit, hot[2]))
                self._set_inventory(inventory_slot, (hot[0], hot[1] - limit, hot[2]))
                if stack[0]:
                    self._give(stack)
            else:
                self._put(slot, hot)
                self._set_inventory(inventory_slot, stack)

    def _set_inventory(self, inventory_slot: int, stack: Stack) -> None:
        self.slots[inventory_slot] = stack if stack[1] > 0 else EMPTY

    def throw(self, slot: int, whole: bool) -> None:
        """The drop key over a slot: drop one of its items, or all of them."""
        count = self._get(slot)[1]
        if count and not self.carried[0]:
            stack = self._take(slot, count if whole else 1)
            self._taken(slot, stack[0], stack[1])
            self._drop(stack)

    # shift-click

    def quick_move(self, slot: int) -> None:
        """Shift-click a slot: its stack goes where the screen sends it; a result is crafted until it cannot be."""
        item = self._get(slot)[0]
        while item and self._get(slot)[0] == item and self._move_once(slot):
            pass

    def _move_once(self, slot: int) -> bool:
        # Moves one slot's stack where shift-click sends it; False when nothing moved.
        stack = self._get(slot)
        item, count, damage = stack
        if slot == self.result_slot():
            left = self._merge(stack, self._route(slot, item))
            if left == count:
                return False
            # NOTE: what has no room is thrown, as in the game: the ingredients of the whole result are gone
            self._taken(slot, item, count)
            if left:
                self._drop((item, left, damage))
            return True
        left = self._merge(stack, self._route(slot, item))
        if left == count:
            return False
        self._put(slot, (item, left, damage))
        self._taken(slot, item, count - left)
        return True

    def _route(self, slot: int, item: int) -> Sequence[int]:
        # The slots that a stack is offered to, in order.
        main, hotbar, end = self.layout.main, self.layout.hotbar, self.layout.hotbar + 9
        if slot == self.result_slot() or (self.kind == "furnace" and slot == OUTPUT):
            return range(end - 1, main - 1, -1)
        if self.kind == "chest":
            return range(end - 1, main - 1, -1) if slot < main else range(main)
        if slot < main:
            return range(main, end)
        if self.kind == "player":
            worn = _ARMOUR_SLOT[item]
            if worn >= 0 and not self._get(worn)[0]:
                return (worn,)
            if item == _SHIELD and not self._get(OFFHAND)[0]:
                return (OFFHAND,)
            if slot == OFFHAND:
                return range(main, end)
        elif self.kind == "furnace":
            if _SMELTS[item]:
                return (INPUT,)
            if _BURNS[item]:
                return (FUEL,)
        elif any(not there or (there == item and n < _STACK_SIZE[item]) for there, n, _ in map(self._get, self._grid)):
            return self._grid
        return range(hotbar, end) if slot < hotbar else range(main, hotbar)

    def _merge(self, stack: Stack, slots: Sequence[int]) -> int:
        # Adds to like stacks, then fills one empty slot; how many are left.
        item, left, damage = stack
        limit = _STACK_SIZE[item]
        if limit > 1 and not damage:
            for slot in slots:
                there, count, worn = self._get(slot)
                if left and there == item and not worn and count < limit:
                    moved = min(left, limit - count)
                    self._put(slot, (item, count + moved, 0))
                    left -= moved
        if left:
            for slot in slots:
                if not self._get(slot)[0] and self._allows(slot, item):
                    moved = min(left, self._limit(slot, item))
                    self._put(slot, (item, moved, damage))
                    left -= moved
                    break
        return left
