import numpy as np
import pytest

from jarvis.core.actions import BUTTON_INDEX, BUTTONS
from jarvis.core.errors import UnknownNameError
from jarvis.world.furnaces import FURNACE, SMELTING, Containers
from jarvis.world.inventory import HOTBAR, MAIN, OFFHAND, empty_slots
from jarvis.world.layout import STACK
from jarvis.world.rules import RULES
from jarvis.world.screens import LAYOUTS, PIXELS_PER_DEGREE, Screen


class Player:
    """Plays a screen with nothing but its cursor and buttons."""

    def __init__(self, kind="player", container=None, stacks=None):
        self.slots = empty_slots()
        for slot, stack in (stacks or {}).items():
            self.slots[slot] = as_stack(stack)
        self.screen = Screen(self.slots)
        self.screen.open(kind, container)
        self.happened = []

    def tick(self, *pressed, camera=(0.0, 0.0)):
        buttons = np.zeros(len(BUTTONS), np.uint8)
        for name in pressed:
            buttons[BUTTON_INDEX[name]] = 1
        self.happened += self.screen.tick(buttons, np.array(camera, np.float32))
        assert self.screen.carried[1] >= 0
        return self

    def to(self, slot, *held):
        """Move to the middle of a slot, or to a pixel (x, y), holding buttons."""
        x, y = self.screen.layout.centre(slot) if isinstance(slot, int) else slot
        for _ in range(2):  # the second removes what float32 degrees rounded off
            yaw = (x - self.screen.cursor_x) / PIXELS_PER_DEGREE
            pitch = (y - self.screen.cursor_y) / PIXELS_PER_DEGREE
            self.tick(*held, camera=(pitch, yaw))
        return self

    def click(self, slot, button="attack", *also):
        return self.to(slot, *also).tick(button, *also).tick(*also).rest()

    def rest(self, ticks=5):
        """Wait until the next click is no double click."""
        for _ in range(ticks):
            self.tick()
        return self

    def drag(self, button, *slots):
        self.to(slots[0]).tick(button)
        for slot in slots[1:]:
            self.to(slot, button)
        return self.tick().rest()

    def shift(self, slot):
        return self.click(slot, "attack", "sneak")

    def at(self, slot):
        return named(self.screen.stacks()[slot].tolist())

    @property
    def carried(self):
        return named(self.screen.carried)

    @property
    def events(self):
        return [(h.what, RULES.items[h.item], h.count) for h in self.happened]


def as_stack(stack):
    name, count, *damage = stack
    return (RULES.item(name), count, *(damage or [0]))


def named(stack):
    item, count, damage = stack
    return (RULES.items[item], count, damage) if damage else (RULES.items[item], count) if item else None


OUT = (100, 50)  # a pixel beside every panel


# the cursor


def test_a_degree_is_two_thousand_four_hundred_pixels_in_three_hundred_and_sixty():
    player = Player()
    assert (player.screen.cursor_x, player.screen.cursor_y) == (320, 180)
    player.tick(camera=(-4.5, 9))  # up and right
    assert (player.screen.cursor_x, player.screen.cursor_y) == (380, 150)
    for _ in range(100):
        player.tick(camera=(0.015625, 0))  # a tenth of a pixel, which must not be lost
    assert player.screen.cursor_y == pytest.approx(150 + 100 * 0.015625 * 2400 / 360, abs=1e-9)


def test_the_cursor_stays_in_the_picture():
    player = Player().tick(camera=(-180, -180))
    assert (player.screen.cursor_x, player.screen.cursor_y) == (0, 0)
    player.tick(camera=(180, 180))
    assert (player.screen.cursor_x, player.screen.cursor_y) == (639, 359)


def test_slots_lie_where_minecraft_puts_them():
    assert LAYOUTS["player"].centre(9) == (232 + 16, 97 + 92)
    assert LAYOUTS["player"].centre(44) == (232 + 160, 97 + 150)
    assert LAYOUTS["player"].centre(0) == (232 + 162, 97 + 36)
    assert LAYOUTS["player"].centre(45) == (232 + 85, 97 + 70)
    assert LAYOUTS["crafting_table"].centre(9) == (232 + 74, 97 + 61)
    assert LAYOUTS["furnace"].centre(1) == (232 + 64, 97 + 61)
    assert LAYOUTS["chest"].centre(0) == (232 + 16, 96 + 26)
    assert LAYOUTS["chest"].centre(62) == (232 + 160, 96 + 151)
    assert [len(LAYOUTS[kind].slots) for kind in ("player", "crafting_table", "furnace", "chest")] == [46, 46, 39, 63]


def test_slots_are_eighteen_pixels_wide_for_the_cursor():
    screen = Player().screen
    x, y = 232 + 8, 97 + 84  # the top-left corner of slot 9
    assert screen.slot_at(x - 1, y - 1) == 9 and screen.slot_at(x + 16.9, y + 16.9) == 9
    assert screen.slot_at(x + 17, y) == 10 and screen.slot_at(x - 1.1, y) == -1
    assert screen.slot_at(0, 0) == -1


# crafting


def pile(recipe, choose):
    """The ingredients as stacks in the main slots, and where in a grid each goes: [(cell, inventory slot)]."""
    side = recipe.grid
    cells = {}
    for r, row in enumerate(recipe.shape):
        for c, cell in enumerate(row):
            if cell:
                cells[r * side + c if recipe.shaped else c] = choose(cell)
    kinds = sorted(set(cells.values()))
    stacks = {}
    where = []
    slot = MAIN
    for item in kinds:
        for cell in (cell for cell, needed in cells.items() if needed == item):
            size = int(RULES.stack_size[item])
            if slot not in stacks or stacks[slot][0] != RULES.items[item] or stacks[slot][1] == size:
                slot = MAIN + len(stacks)
                stacks[slot] = (RULES.items[item], 0)
            stacks[slot] = (RULES.items[item], stacks[slot][1] + 1)
            where.append((cell, slot))
    return stacks, where


@pytest.mark.parametrize("index", range(len(RULES.recipes)))
def test_every_recipe_is_crafted_by_moving_the_cursor_and_clicking(index):
    recipe = RULES.recipes[index]
    kind = "player" if recipe.grid == 2 else "crafting_table"
    stacks, where = pile(recipe, max)
    player = Player(kind, stacks=stacks)
    layout = player.screen.layout
    for slot in stacks:
        player.click(layout.from_inventory(slot))
        for cell, source in where:
            if source == slot:
                player.click(1 + cell, "use")
        assert player.screen.carried == (0, 0, 0)
    assert player.at(0) == (RULES.items[recipe.result], recipe.count)
    player.click(0)
    assert player.carried == (RULES.items[recipe.result], recipe.count)
    player.click(layout.hotbar + 4)
    assert player.events == [("crafted", RULES.items[recipe.result], recipe.count)]
    assert named(player.slots[HOTBAR + 4].tolist()) == (RULES.items[recipe.result], recipe.count)
    assert player.slots["count"].sum() == recipe.count  # the ingredients are used up
    assert player.screen.close() == []


def test_taking_a_result_again_and_again_adds_to_the_cursor():
    player = Player(stacks={1: ("oak_log", 3)})
    player.click(1).click(1)  # lifted and put back: the result appears
    for planks in (4, 8, 12):
        assert player.click(0).carried == ("oak_planks", planks)
    assert player.at(0) is None and player.click(0).carried == ("oak_planks", 12)


def test_a_result_is_not_taken_onto_another_item_nor_over_a_full_stack():
    player = Player(stacks={1: ("oak_log", 2), MAIN: ("dirt", 1), MAIN + 1: ("oak_planks", 61)})
    player.click(1).click(1).click(MAIN).click(0)
    assert player.carried == ("dirt", 1) and player.at(0) == ("oak_planks", 4)
    player.click(MAIN).click(MAIN + 1).click(0)
    assert player.carried == ("oak_planks", 61) and player.at(1) == ("oak_log", 2)


def test_shift_click_crafts_until_the_ingredients_run_out_and_fills_the_hotbar_from_the_right():
    player = Player(stacks={MAIN: ("oak_log", 5)})
    player.click(MAIN).click(1).shift(0)
    assert player.events == [("crafted", "oak_planks", 4)] * 5
    assert player.at(HOTBAR + 8) == ("oak_planks", 20) and player.at(1) is None and player.at(0) is None


def test_shift_click_crafts_until_the_room_runs_out_and_throws_the_rest():
    stacks = {slot: ("cobblestone", 64) for slot in range(MAIN, OFFHAND)}
    player = Player(stacks=stacks | {MAIN: ("oak_log", 5), MAIN + 5: ("oak_planks", 58)})
    player.click(MAIN).click(1)
    player.slots[MAIN] = as_stack(("cobblestone", 64))
    player.shift(0)
    # 58 + 4 = 62, then two of four fit
    assert player.at(MAIN + 5) == ("oak_planks", 64) and player.at(1) == ("oak_log", 3)
    assert player.events == [("crafted", "oak_planks", 4)] * 2 + [("dropped", "oak_planks", 2)]


def test_shift_click_sends_items_into_the_crafting_table_first():
    player = Player("crafting_table", stacks={MAIN: ("oak_log", 3), HOTBAR: ("dirt", 2), MAIN + 1: ("oak_log", 2)})
    player.shift(10).shift(11).shift(37)
    assert player.at(1) == ("oak_log", 5) and player.at(2) == ("dirt", 2)
    player.shift(1)
    assert player.at(10) == ("oak_log", 5)


# clicks


def test_left_takes_all_and_right_the_larger_half():
    player = Player(stacks={MAIN: ("dirt", 7)})
    assert player.click(MAIN, "use").carried == ("dirt", 4) and player.at(MAIN) == ("dirt", 3)
    assert player.click(MAIN + 1, "use").carried == ("dirt", 3) and player.at(MAIN + 1) == ("dirt", 1)
    assert player.click(MAIN).carried is None and player.at(MAIN) == ("dirt", 6)
    assert player.click(MAIN).carried == ("dirt", 6)


def test_other_items_are_exchanged_and_full_stacks_take_what_fits():
    player = Player(stacks={MAIN: ("dirt", 60), MAIN + 1: ("dirt", 9), MAIN + 2: ("stick", 2)})
    player.click(MAIN + 1).click(MAIN)
    assert player.at(MAIN) == ("dirt", 64) and player.carried == ("dirt", 5)
    player.click(MAIN + 2)
    assert player.at(MAIN + 2) == ("dirt", 5) and player.carried == ("stick", 2)


def test_worn_tools_do_not_stack():
    player = Player(stacks={MAIN: ("iron_axe", 1, 5), MAIN + 1: ("iron_axe", 1)})
    player.click(MAIN).click(MAIN + 1)
    assert player.carried == ("iron_axe", 1) and player.at(MAIN + 1) == ("iron_axe", 1, 5)


def test_a_click_beside_the_panel_throws_all_or_one():
    player = Player(stacks={MAIN: ("dirt", 7)}).click(MAIN)
    player.click(OUT, "use").click(OUT)
    assert player.events == [("dropped", "dirt", 1), ("dropped", "dirt", 6)] and player.carried is None
    player.click((233, 98))  # on the panel, on no slot: nothing
    assert len(player.events) == 2


def test_a_button_held_while_the_screen_opens_is_not_a_click():
    slots = empty_slots()
    slots[MAIN] = as_stack(("dirt", 7))
    screen = Screen(slots)
    held = np.zeros(len(BUTTONS), np.uint8)
    held[BUTTON_INDEX["attack"]] = 1
    screen.open("player", held=held)
    x, y = screen.layout.centre(MAIN)
    screen.tick(held, ((y - 180) / PIXELS_PER_DEGREE, (x - 320) / PIXELS_PER_DEGREE))
    assert screen.hovered == MAIN and screen.carried == (0, 0, 0)
    screen.tick(held * 0, (0, 0))
    screen.tick(held, (0, 0))
    assert named(screen.carried) == ("dirt", 7)


def test_a_double_click_collects_partial_stacks_first():
    player = Player(stacks={MAIN: ("dirt", 64), MAIN + 1: ("dirt", 5), MAIN + 2: ("dirt", 6), HOTBAR: ("dirt", 1)})
    player.to(HOTBAR).tick("attack").tick().tick("attack").tick()
    # 1 + 5 + 6 = 12, then 52 of the full stack
    assert player.carried == ("dirt", 64)
    assert (player.at(MAIN), player.at(MAIN + 1), player.at(MAIN + 2)) == (("dirt", 12), None, None)


def test_two_slow_clicks_are_no_double_click():
    player = Player(stacks={MAIN: ("dirt", 5), MAIN + 1: ("dirt", 6)})
    player.click(MAIN).click(MAIN)
    assert player.at(MAIN) == ("dirt", 5) and player.carried is None


def test_a_shift_double_click_moves_everything_alike():
    stacks = {MAIN + i: ("dirt", 10 + i) for i in range(3)} | {MAIN + 5: ("stick", 1), HOTBAR: ("coal", 1)}
    player = Player("chest", np.zeros(27, STACK), stacks)
    player.click(54)  # the coal: something must be on the cursor
    player.to(27, "sneak").tick("attack", "sneak").tick("sneak").tick("attack", "sneak").tick("sneak")
    assert player.at(0) == ("dirt", 33) and [player.at(27 + i) for i in range(3)] == [None] * 3
    assert player.at(32) == ("stick", 1)


# drags


@pytest.mark.parametrize(
    ("count", "slots", "each", "left"), [(64, 3, 21, 1), (10, 4, 2, 2), (7, 7, 1, 0), (3, 5, 1, 0), (64, 9, 7, 1)]
)
def test_a_left_drag_shares_evenly_and_keeps_the_remainder(count, slots, each, left):
    player = Player(stacks={HOTBAR: ("dirt", count)}).click(HOTBAR)
    player.drag("attack", *range(MAIN, MAIN + slots))
    placed = [player.at(MAIN + i) for i in range(slots)]
    # no more slots take part than there are items
    assert placed == [("dirt", each)] * min(slots, count) + [None] * max(0, slots - count)
    assert player.carried == (("dirt", left) if left else None)


def test_a_right_drag_puts_one_each():
    player = Player(stacks={HOTBAR: ("dirt", 5)}).click(HOTBAR)
    player.drag("use", 9, 10, 11)
    assert [player.at(i) for i in (9, 10, 11)] == [("dirt", 1)] * 3 and player.carried == ("dirt", 2)
    player.drag("use", 9, 10, 11)
    assert [player.at(i) for i in (9, 10, 11)] == [("dirt", 2), ("dirt", 2), ("dirt", 1)]
    assert player.carried is None  # two items reach two slots


def test_a_drag_passes_over_other_items_and_overflows_back():
    player = Player(stacks={HOTBAR: ("dirt", 40), 9: ("dirt", 60), 10: ("stick", 3), 11: ("dirt", 0)}).click(HOTBAR)
    player.slots[11] = (0, 0, 0)
    player.to(9).tick("attack").to(10, "attack").to(11, "attack")
    # while it goes on, the screen shows how it would end: 20 each, 4 fit into the first
    assert player.at(9) == ("dirt", 64) and player.at(11) == ("dirt", 20)
    assert player.screen.shown_carried()[1] == 16 and player.screen.carried[1] == 40
    player.tick()
    assert player.at(9) == ("dirt", 64) and player.at(10) == ("stick", 3) and player.at(11) == ("dirt", 20)
    assert player.carried == ("dirt", 16)


def test_the_other_button_calls_a_drag_off():
    player = Player(stacks={HOTBAR: ("dirt", 40)}).click(HOTBAR)
    player.to(9).tick("attack").to(10, "attack").tick("attack", "use").tick("attack").tick()
    assert player.carried == ("dirt", 40) and player.at(9) is None


def test_a_drag_over_the_grid_lays_a_recipe():
    player = Player(stacks={HOTBAR: ("oak_planks", 4)}).click(HOTBAR).drag("attack", 1, 2, 3, 4).click(0)
    assert player.carried == ("crafting_table", 1) and player.events == [("crafted", "crafting_table", 1)]


# keys


def test_number_keys_swap_with_the_hotbar():
    player = Player(stacks={MAIN: ("dirt", 5), HOTBAR + 2: ("stick", 3)})
    player.to(MAIN).tick("hotbar.3").tick()
    assert player.at(MAIN) == ("stick", 3) and player.at(HOTBAR + 2) == ("dirt", 5)
    player.tick("hotbar.9").tick()
    assert player.at(MAIN) is None and player.at(HOTBAR + 8) == ("stick", 3)
    player.tick("swapHands").tick()
    assert player.at(OFFHAND) is None
    player.to(HOTBAR + 8).tick("swapHands").tick()
    assert player.at(OFFHAND) == ("stick", 3) and player.at(HOTBAR + 8) is None
    # with something on the cursor they do nothing
    player.click(HOTBAR + 2).to(OFFHAND).tick("hotbar.1").tick()
    assert player.at(OFFHAND) == ("stick", 3) and player.carried == ("dirt", 5)


def test_a_number_key_takes_a_result_into_an_empty_slot_only():
    player = Player(stacks={HOTBAR: ("oak_log", 2), HOTBAR + 1: ("dirt", 1)}).click(HOTBAR).click(1)
    player.to(0).tick("hotbar.2").tick()
    assert player.at(0) == ("oak_planks", 4)
    player.tick("hotbar.4").tick()
    assert player.at(HOTBAR + 3) == ("oak_planks", 4) and player.at(1) == ("oak_log", 1)
    assert player.events == [("crafted", "oak_planks", 4)]


def test_the_drop_key_throws_one_or_with_control_all():
    player = Player(stacks={MAIN: ("dirt", 5)}).to(MAIN)
    player.tick("drop").tick("drop").tick()  # held: once
    assert player.events == [("dropped", "dirt", 1)]
    player.tick("drop", "sprint").tick()
    assert player.events[1:] == [("dropped", "dirt", 4)] and player.at(MAIN) is None
    player.tick("drop").to(OUT).tick().tick("drop")
    assert len(player.events) == 2


# armour


def test_armour_slots_take_only_what_is_worn_there():
    player = Player(stacks={MAIN: ("iron_helmet", 1, 3), MAIN + 1: ("dirt", 5), MAIN + 2: ("diamond_helmet", 1)})
    player.click(MAIN + 1).click(5).click(MAIN + 1)
    assert player.at(5) is None and player.at(MAIN + 1) == ("dirt", 5)
    player.click(MAIN).click(6)
    assert player.at(6) is None
    player.click(5).click(MAIN + 2).click(5)
    assert player.at(5) == ("diamond_helmet", 1) and player.carried == ("iron_helmet", 1, 3)


def test_shift_click_dresses_before_it_moves():
    armour = ("leather_helmet", "leather_chestplate", "leather_leggings", "leather_boots")
    player = Player(stacks={MAIN + i: (name, 1) for i, name in enumerate(armour)} | {HOTBAR: ("iron_boots", 1)})
    player.slots[20] = as_stack(("shield", 1))
    for slot in (*range(MAIN, MAIN + 4), 20, HOTBAR):
        player.shift(slot)
    assert [player.at(5 + i) for i in range(4)] == [(name, 1) for name in armour]
    assert player.at(OFFHAND) == ("shield", 1) and player.at(MAIN) == ("iron_boots", 1)
    player.shift(5)  # undressing goes to the main slots
    assert player.at(5) is None and player.at(MAIN + 1) == ("leather_helmet", 1)


def test_shift_click_goes_between_main_and_hotbar():
    player = Player(stacks={MAIN: ("dirt", 40), HOTBAR + 3: ("dirt", 50), HOTBAR: ("stick", 2)})
    player.shift(MAIN)
    # 14 fit onto the stack, the other 26 open the first empty slot
    assert player.at(HOTBAR + 3) == ("dirt", 64) and player.at(HOTBAR + 1) == ("dirt", 26)
    player.shift(HOTBAR)
    assert player.at(MAIN) == ("stick", 2)


# furnaces and chests


def furnace_player(**stacks):
    containers = Containers()
    furnace = containers.furnace(3, 64, -5)
    slots = {MAIN + i: (name, count) for i, (name, count) in enumerate(stacks.items())}
    return Player("furnace", furnace, slots), containers, furnace


@pytest.mark.parametrize("item", sorted(RULES.smelting))
def test_every_ore_smelts(item):
    name = RULES.items[item]
    result, ticks, xp = RULES.smelting[item]
    player, containers, furnace = furnace_player(**{name: 2, "coal": 1})
    player.shift(3)
    if name == "coal":
        player.slots[MAIN] = as_stack(("coal", 1))
    player.shift(4)
    assert player.at(0) == (name, 2) and player.at(1) == ("coal", 1)
    for _ in range(ticks - 1):
        containers.tick()
    assert player.at(2) is None and player.at(0) == (name, 2) and player.at(1) is None
    containers.tick()
    assert player.at(2) == (RULES.items[result], 1) and player.at(0) == (name, 1)
    for _ in range(ticks):
        containers.tick()
    player.click(2)
    assert player.carried == (RULES.items[result], 2) and player.at(0) is None
    assert player.events == [("smelted", RULES.items[result], 2)]
    assert player.happened[0].xp == pytest.approx(2 * xp) and furnace["xp"][0] == 0


@pytest.mark.parametrize("name", sorted(RULES.data["fuel_ticks"]))
def test_every_fuel_burns_its_time(name):
    containers = Containers()
    furnace = containers.furnace(0, 0, 0)
    furnace["stacks"][0, 0] = as_stack(("iron_ore", 64))
    furnace["stacks"][0, 1] = as_stack((name, 1))
    assert containers.tick() == [(0, 0, 0, True)]
    ticks = 0
    while furnace["burn_left"][0] > 0:
        ticks += 1
        flames = containers.tick()
        if furnace["stacks"]["count"][0, 2] == 64:  # keep it busy
            furnace["stacks"][0, 2] = (0, 0, 0)
            furnace["stacks"][0, 0] = as_stack(("iron_ore", 64))
    assert ticks == RULES.data["fuel_ticks"][name] and flames == [(0, 0, 0, False)]
    assert named(furnace["stacks"][0, 1].tolist()) == (("bucket", 1) if name == "lava_bucket" else None)


def test_shift_click_sends_ore_to_the_top_fuel_to_the_bottom_and_logs_to_the_top():
    player, _, _ = furnace_player(coal=5, iron_ore=3, dirt=7)
    player.shift(3).shift(4).shift(5)
    assert (player.at(0), player.at(1)) == (("iron_ore", 3), ("coal", 5))
    assert player.at(5) is None and player.at(30) == ("dirt", 7)  # neither: to the hotbar
    player.shift(30).shift(0).shift(1)
    assert [player.at(i) for i in (3, 4, 5)] == [("dirt", 7), ("iron_ore", 3), ("coal", 5)]
    player, _, _ = furnace_player(oak_log=5, oak_planks=5)
    player.shift(3).shift(4)
    assert (player.at(0), player.at(1)) == (("oak_log", 5), ("oak_planks", 5))


def test_the_fuel_slot_refuses_what_does_not_burn_and_the_output_everything():
    player, _, _ = furnace_player(dirt=5, coal=3)
    player.click(3).click(1).click(2)
    assert player.carried == ("dirt", 5)
    player.click(0).click(4).click(2).click(1, "use")
    assert (player.at(0), player.at(1), player.at(2)) == (("dirt", 5), ("coal", 1), None)


def test_output_leaves_by_shift_click_to_the_right_end_of_the_hotbar():
    player, _, furnace = furnace_player()
    furnace["stacks"][0, 2] = as_stack(("iron_ingot", 10))
    furnace["xp"] = 7.0
    player.shift(2)
    assert player.at(38) == ("iron_ingot", 10) and player.events == [("smelted", "iron_ingot", 10)]
    assert player.happened[0].xp == 7.0


def test_cooking_restarts_with_another_input_and_goes_back_without_fire():
    containers = Containers()
    furnace = containers.furnace(0, 0, 0)
    furnace["stacks"][0, 0], furnace["stacks"][0, 1] = as_stack(("beef", 1)), as_stack(("stick", 1))
    for _ in range(100):
        containers.tick()
    assert furnace["cook"][0] == 100 and furnace["burn_left"][0] == 1
    containers.tick()  # the fire goes out, 2 ticks of cooking are lost at a time
    assert furnace["cook"][0] == 98
    player = Player("furnace", furnace, {MAIN: ("porkchop", 1)})
    player.click(3).click(0)
    assert player.carried == ("beef", 1) and furnace["cook"][0] == 0


def test_a_full_output_stops_the_furnace():
    containers = Containers()
    furnace = containers.furnace(0, 0, 0)
    for slot, stack in enumerate([("sand", 5), ("coal", 2), ("glass", 64)]):
        furnace["stacks"][0, slot] = as_stack(stack)
    assert containers.tick() == [] and furnace["burn_left"][0] == 0
    furnace["stacks"][0, 2] = as_stack(("stone", 1))
    assert containers.tick() == []


def test_chest_and_inventory_exchange_by_shift_click():
    chest = np.zeros(27, STACK)
    chest[4] = as_stack(("diamond", 3))
    player = Player("chest", chest, {HOTBAR: ("dirt", 9), MAIN: ("stick", 1)})
    player.shift(54).shift(27).shift(4)
    assert named(chest[0].tolist()) == ("dirt", 9) and named(chest[1].tolist()) == ("stick", 1)
    assert named(player.slots[HOTBAR + 8].tolist()) == ("diamond", 3)


def test_containers_give_their_stacks_back_and_survive_a_snapshot():
    containers = Containers()
    for x in range(20):  # more than it starts with room for
        containers.furnace(x, 1, 2)["stacks"][0, 0] = (RULES.item("sand"), x + 1, 0)
    containers.chest(9, 9, 9)[3] = as_stack(("coal", 4))
    state = containers.state()
    last = containers.furnace(19, 1, 2)
    assert containers.remove(4, 1, 2) == [(RULES.item("sand"), 5, 0)]
    last["cook"] = 7  # a screen's view stays true while other furnaces go
    assert containers.furnace(19, 1, 2)["cook"][0] == 7
    assert containers.furnace(19, 1, 2)["stacks"][0, 0]["count"] == 20
    assert containers.remove(9, 9, 9) == [as_stack(("coal", 4))] and containers.remove(9, 9, 9) == []
    containers.restore(state)
    assert containers.furnace(4, 1, 2)["stacks"][0, 0]["count"] == 5
    assert named(containers.chest(9, 9, 9)[3].tolist()) == ("coal", 4)


def test_smelting_tables_hold_every_entry():
    assert {RULES.items[i]: RULES.items[SMELTING.result[i]] for i in np.flatnonzero(SMELTING.result)} == {
        RULES.items[item]: RULES.items[result] for item, (result, _, _) in RULES.smelting.items()
    }


# closing and snapshots


def test_closing_returns_the_grid_and_drops_what_the_cursor_carries():
    player = Player("crafting_table", stacks={MAIN: ("dirt", 9), MAIN + 1: ("stick", 4)})
    player.click(10).click(1, "use").click(2, "use").click(11)
    assert player.carried == ("stick", 4)
    dropped = player.screen.close()
    assert [(h.what, RULES.items[h.item], h.count) for h in dropped] == [("dropped", "stick", 4)]
    assert named(player.slots[MAIN + 1].tolist()) == ("dirt", 9) and player.slots["count"].sum() == 9
    assert not player.screen.is_open and not player.screen.table["item"].any() and player.screen.close() == []


def test_closing_with_a_full_inventory_drops_the_grid():
    player = Player(stacks={slot: ("dirt", 64) for slot in range(MAIN, OFFHAND)})
    player.slots[2] = as_stack(("stick", 3))
    assert [(h.what, RULES.items[h.item], h.count) for h in player.screen.close()] == [("dropped", "stick", 3)]
    assert not player.slots["item"][:5].any()


def test_a_snapshot_in_the_middle_of_a_drag_goes_on_alike():
    player = Player(stacks={HOTBAR: ("dirt", 40)}).click(HOTBAR).to(9).tick("attack").to(10, "attack")
    state, slots = player.screen.state(), player.slots.copy()
    player.to(11, "attack").tick()
    ended = player.slots.copy(), player.screen.carried
    player.slots[:] = slots
    player.screen.restore(state)
    player.to(11, "attack").tick()
    assert np.array_equal(player.slots, ended[0]) and player.screen.carried == ended[1] == (RULES.item("dirt"), 1, 0)


def test_nothing_is_made_or_lost_by_random_clicking():
    rng = np.random.default_rng(5)
    names = ["dirt", "stick", "egg", "iron_axe", "oak_log", "coal", "iron_boots"]
    for kind in LAYOUTS:
        container = {"furnace": np.zeros(1, FURNACE), "chest": np.zeros(27, STACK)}.get(kind)
        stacks = {}
        for slot in range(MAIN, OFFHAND, 2):
            item = names[slot % len(names)]
            stacks[slot] = (item, int(rng.integers(1, RULES.stack_size[RULES.item(item)] + 1)))
        player = Player(kind, container, stacks)

        def total(player=player, kind=kind):
            counts = np.zeros(len(RULES.items), np.int64)
            own = player.slots if kind == "player" else player.slots[5:]
            grid = player.screen.table[1:] if kind == "crafting_table" else player.screen.box
            for array in (own[1:], *(() if grid is None else (grid,))):
                np.add.at(counts, array["item"], array["count"].astype(np.int64))
            counts[player.screen.carried[0]] += player.screen.carried[1]
            for happening in player.happened:
                counts[happening.item] += happening.count * (happening.what == "dropped")
            return counts

        before = total()
        before[0] = 0
        result = 0 if kind in ("player", "crafting_table") else -1
        for _ in range(600):
            slot = int(rng.integers(len(player.screen.layout.slots)))
            if slot == result:
                continue
            pressed = [n for n in ("attack", "use", "sneak", "drop", "hotbar.2", "swapHands") if rng.random() < 0.3]
            player.to(slot, *pressed).tick(*[n for n in pressed if rng.random() < 0.5])
            assert (player.screen.stacks()["count"][:] <= 64).all()
        after = total()
        after[0] = 0
        assert np.array_equal(before, after), kind


def test_unknown_screens_and_wrong_containers_are_refused():
    screen = Screen(empty_slots())
    with pytest.raises(UnknownNameError, match="crafting_table"):
        screen.open("craftingtable")
    with pytest.raises(ValueError, match="'chest'"):
        screen.open("chest")
    with pytest.raises(ValueError, match="'player'"):
        screen.open("player", np.zeros(27, STACK))
    screen.open("player")
    with pytest.raises(ValueError, match="close it first"):
        screen.open("player")
