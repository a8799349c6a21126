import numpy as np

from jarvis.world.inventory import (
    HOTBAR,
    MAIN,
    OFFHAND,
    armour_points,
    count_item,
    empty_slots,
    give,
    item_counts,
    remove,
    take,
    wear,
)
from jarvis.world.rules import RULES

DIRT, EGG, PICKAXE = RULES.item("dirt"), RULES.item("egg"), RULES.item("wooden_pickaxe")


def put(slots, index, name, count=1, damage=0):
    slots[index] = (RULES.item(name), count, damage)


def test_give_fills_the_hotbar_before_the_main_slots():
    slots = empty_slots()
    assert give(slots, RULES.stack_size, DIRT, 10 * 64 + 5, 0) == 0
    assert slots["count"][HOTBAR : HOTBAR + 9].tolist() == [64] * 9
    assert slots["count"][MAIN : MAIN + 3].tolist() == [64, 5, 0]


def test_give_tops_up_stacks_before_it_opens_new_ones():
    slots = empty_slots()
    put(slots, 20, "dirt", 60)
    put(slots, HOTBAR + 3, "dirt", 63)
    put(slots, OFFHAND, "dirt", 62)
    put(slots, HOTBAR + 7, "dirt", 61)
    # selected 61 + 3, off hand 62 + 2, hotbar 63 + 1, main 60 + 1
    assert give(slots, RULES.stack_size, DIRT, 7, 0, 7) == 0
    assert [int(slots["count"][i]) for i in (HOTBAR + 7, OFFHAND, HOTBAR + 3, 20)] == [64, 64, 64, 61]
    assert give(slots, RULES.stack_size, DIRT, 4, 0) == 0
    assert slots[20]["count"] == 64 and slots[HOTBAR]["count"] == 1


def test_give_returns_what_has_no_room_and_respects_stack_sizes():
    slots = empty_slots()
    assert give(slots, RULES.stack_size, EGG, 36 * 16 + 3, 0) == 3
    assert set(slots["count"][MAIN:OFFHAND].tolist()) == {16}
    assert give(slots, RULES.stack_size, PICKAXE, 1, 7) == 1
    take(slots, 12, 16)
    assert give(slots, RULES.stack_size, PICKAXE, 1, 7) == 0
    assert slots[12].tolist() == (PICKAXE, 1, 7)
    assert not slots[:MAIN]["item"].any() and slots[OFFHAND]["item"] == 0


def test_take_and_remove_empty_slots_when_they_run_out():
    slots = empty_slots()
    put(slots, 10, "dirt", 5)
    put(slots, HOTBAR, "dirt", 2)
    assert remove(slots, DIRT, 4) == 4
    assert slots[HOTBAR].tolist() == (0, 0, 0) and slots[10].tolist() == (DIRT, 3, 0)
    assert take(slots, 10, 9) == 3 and slots[10].tolist() == (0, 0, 0)
    assert remove(slots, DIRT, 1) == 0


def test_a_tool_breaks_after_as_many_uses_as_its_durability():
    slots = empty_slots()
    put(slots, HOTBAR, "wooden_pickaxe")
    uses = 0
    while True:
        uses += 1
        if wear(slots, HOTBAR, 1, RULES.durability):
            break
    assert uses == 59 and slots[HOTBAR].tolist() == (0, 0, 0)
    put(slots, HOTBAR, "dirt", 3)
    assert wear(slots, HOTBAR, 1, RULES.durability) == 0 and slots[HOTBAR]["count"] == 3


def test_counts_leave_the_crafting_result_out():
    slots = empty_slots()
    put(slots, 0, "stick", 4)
    put(slots, 1, "oak_planks", 1)
    put(slots, 36, "oak_planks", 8)
    assert item_counts(slots) == {"oak_planks": 9}
    assert count_item(slots, RULES.item("oak_planks")) == 9 and count_item(slots, RULES.item("stick")) == 0


def test_full_diamond_armour_is_twenty_points():
    slots = empty_slots()
    for i, piece in enumerate(("helmet", "chestplate", "leggings", "boots")):
        put(slots, 5 + i, f"diamond_{piece}")
    assert armour_points(slots) == 20
    slots[6] = np.zeros(1, slots.dtype)[0]
    assert armour_points(slots) == 12
