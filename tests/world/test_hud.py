import cv2
import numpy as np
import pytest

from jarvis.world.furnaces import FURNACE
from jarvis.world.hud import Hud, level_of, title, tooltip
from jarvis.world.inventory import HOTBAR, MAIN, OFFHAND, empty_slots
from jarvis.world.layers import axis, blank, gradient, lay, layer_of, paint, scaled, tint
from jarvis.world.layout import PLAYER, STACK
from jarvis.world.rules import RULES
from jarvis.world.screens import LAYOUTS, HudView, Screen
from jarvis.world.sprites import build_sprites

HUD = Hud(640, 360)
GREY = 90


def player(**fields):
    record = np.zeros(1, PLAYER)
    values = {"hp": 20, "food": 20, "saturation": 5, "air": 300, "attack_ticks": 100} | fields
    for name, value in values.items():
        record[name] = value
    return record


def stocked():
    slots = empty_slots()
    for i in range(MAIN, OFFHAND):
        item = 1 + i
        slots[i] = (item, min(int(RULES.stack_size[item]), i), 0)
    return slots


def drawn(view, hud=HUD, show_cursor=True, value=GREY):
    frame = np.full((hud.height, hud.width, 3), value, np.uint8)
    hud.draw(frame, view, show_cursor)
    return frame


def changed(before, after):
    """The box (left, top, right, bottom) of the pixels that differ."""
    rows, columns = np.nonzero((before != after).any(-1))
    return (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


# layers


def test_laying_is_exact_at_both_ends_of_alpha():
    picture = np.zeros((2, 256, 4), np.uint8)
    picture[1] = 255
    frame = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 2, 0).repeat(3, -1)
    before = frame.copy()
    layer = layer_of(0, 0, picture)
    lay(frame, 0, 0, layer.ink, layer.keep)
    assert np.array_equal(frame[0], before[0]) and (frame[1] == 255).all()


def test_layers_are_clipped_to_the_frame():
    frame = np.zeros((4, 5, 3), np.uint8)
    ink = np.full((3, 3, 3), 7, np.uint8)
    for x, y in ((-2, -2), (4, 3), (-3, 0), (9, 9)):
        lay(frame, x, y, ink, np.zeros_like(ink))
    assert np.argwhere(frame[..., 0]).tolist() == [[0, 0], [3, 4]]


def test_a_smaller_axis_takes_the_pixels_that_opencv_takes():
    assert (axis(128, 640).first[:3].tolist(), axis(128, 640).weight[:3].tolist()) == ([2, 7, 12], [0, 0, 0])
    assert (axis(320, 640).first[:2].tolist(), axis(320, 640).weight[:2].tolist()) == ([0, 2], [1024, 1024])
    assert axis(128, 360).weight[0] == round(0.90625 * 2048)
    assert axis(1280, 640).first[:4].tolist() == [0, 0, 1, 1]


def test_painting_over_half_transparent_pictures():
    layer = blank(0, 0, 2, 1)
    image = np.array([[[200, 100, 0, 128], [255, 255, 255, 0]]], np.uint8)
    paint(layer.ink, layer.keep, image, np.array([[0, 0, 2, 1]]), np.array([[0, 0, 0, 0, 0, -1, -1]]))
    assert layer.ink[0].tolist() == [[100, 50, 0], [0, 0, 0]] and layer.keep[0, :, 0].tolist() == [127, 255]


def test_a_tint_leaves_its_hole_alone():
    frame = np.full((4, 6, 3), 100, np.uint8)
    ink, keep = gradient((16, 16, 16, 192), (16, 16, 16, 192), np.arange(4))
    tint(frame, ink, keep, 1, 1, 3, 2)
    # 16 * 192 / 255 = 12.05, 100 * 63 / 256 = 25.6
    assert frame[0, 0, 0] == 37 and (frame[1:3, 1:4] == 100).all() and (frame != 100).any(-1).sum() == 24 - 6


# the display


def test_everything_lies_in_its_place():
    bare = drawn(HudView(player(), empty_slots()))
    assert changed(np.full_like(bare, GREY), bare) == (228, 172 + 3, 411, 360)  # crosshair to hotbar, selector included
    slots = empty_slots()
    slots[HOTBAR + 8] = (RULES.item("stone"), 1, 0)
    left, top, right, bottom = changed(bare, drawn(HudView(player(), slots)))
    assert 392 <= left < right <= 408 and 341 <= top < bottom <= 357
    slots[HOTBAR + 8] = 0
    slots[OFFHAND] = (RULES.item("shield"), 1, 0)
    left, top, right, bottom = changed(bare, drawn(HudView(player(), slots)))
    assert (left, right) == (200, 222) and top == 338


def test_hearts_food_armour_bubbles_and_experience():
    full = drawn(HudView(player(), empty_slots()))
    assert changed(full, drawn(HudView(player(hp=19), empty_slots())))[:2] >= (229 + 72, 321)
    red = (full.astype(int)[321:330, 229:310] @ [1, -1, 0] > 100).sum()
    half = drawn(HudView(player(hp=10), empty_slots()))
    assert (half.astype(int)[321:330, 229:310] @ [1, -1, 0] > 100).sum() == red // 2
    left, _, right, _ = changed(full, drawn(HudView(player(food=18), empty_slots())))
    assert 411 - 81 <= left < right <= 411 - 72  # eaten from the left
    slots = empty_slots()
    slots[6] = (RULES.item("iron_chestplate"), 1, 0)
    assert changed(full, drawn(HudView(player(), slots)))[1:] == (311, 310, 320)
    left, top, right, bottom = changed(full, drawn(HudView(player(air=150, head_in_water=1), empty_slots())))
    assert 330 < left and right <= 411 and (top, bottom) == (311, 320)
    left, top, right, bottom = changed(full, drawn(HudView(player(xp=7 + 9 + 11 + 6), empty_slots())))
    assert (left, bottom) == (230, 335) and top == 324 and right >= 229 + 84  # level 3 and six thirteenths


def test_levels_need_what_minecraft_asks_for():
    assert [level_of(xp)[0] for xp in (0, 6, 7, 15, 16, 351, 352, 1506, 1507)] == [0, 0, 1, 1, 2, 15, 16, 30, 31]
    assert level_of(7)[1] == 0 and level_of(11)[1] == pytest.approx(4 / 9)


def test_the_crosshair_inverts():
    for value in (0, 200):
        frame = drawn(HudView(player(), empty_slots()), value=value)
        assert frame[179, 315:324, 0].tolist() == [255 - value] * 9 and frame[179, 314, 0] == value


def test_few_hearts_tremble_and_blink_when_hurt():
    frames = [drawn(HudView(player(hp=4), empty_slots(), None, tick)) for tick in (1, 2, 1)]
    assert not np.array_equal(frames[0], frames[1]) and np.array_equal(frames[0], frames[2])
    still = [drawn(HudView(player(hp=5), empty_slots(), None, tick)) for tick in (1, 2)]
    assert np.array_equal(*still)
    assert not np.array_equal(still[0], drawn(HudView(player(hp=5, hurt_ticks=10), empty_slots())))


def test_an_attack_that_recharges_shows_below_the_crosshair():
    slots = empty_slots()
    slots[HOTBAR] = (RULES.item("iron_sword"), 1, 0)  # 1.6 a second: 12.5 ticks
    ready = drawn(HudView(player(attack_ticks=13), slots))
    assert changed(ready, drawn(HudView(player(attack_ticks=3), slots))) == (312, 189, 328, 193)


def test_wear_is_a_bar_that_shortens_and_reddens():
    slots = empty_slots()
    x, y = 232 + 2, 341 + 13
    for damage, length in ((0, 0), (1, 13), (125, 7), (249, 0)):
        slots[HOTBAR] = (RULES.item("iron_axe"), 1, damage)
        row = drawn(HudView(player(), slots))[y, x : x + 13].astype(int)
        coloured = (row.max(-1) > 150).sum() if damage else 0
        assert coloured == length
    slots[HOTBAR] = (RULES.item("iron_axe"), 1, 1)
    green = drawn(HudView(player(), slots))[y, x]
    slots[HOTBAR] = (RULES.item("iron_axe"), 1, 220)
    assert green[1] > green[0] and drawn(HudView(player(), slots))[y, x, 0] == 255


def test_an_unchanged_display_is_composed_once(monkeypatch):
    hud = Hud(128, 128)
    view = HudView(player(), stocked())
    first = drawn(view, hud)
    monkeypatch.setattr(hud, "_paint", None)
    assert np.array_equal(drawn(view, hud), first)


# screens


def opened(kind, slots=None):
    screen = Screen(stocked() if slots is None else slots)
    container = {"furnace": np.zeros(1, FURNACE), "chest": np.zeros(27, STACK)}.get(kind)
    screen.open(kind, container)
    return screen


def put_cursor(screen, slot):
    screen.cursor_x, screen.cursor_y = screen.layout.centre(slot)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_slot_of_a_screen_shows_what_it_holds(kind):
    screen = opened(kind, empty_slots())
    screen.cursor_x = screen.cursor_y = 0.0
    item = RULES.item("diamond_block")
    before = drawn(HudView(player(), screen.slots, screen), show_cursor=False)
    for slot, (x, y) in enumerate(screen.layout.slots):
        array, index = screen._places[slot]
        array[index] = (item, 1, 0)
        after = drawn(HudView(player(), screen.slots, screen), show_cursor=False)
        left, top = screen.layout.left + x, screen.layout.top + y
        box = changed(before[:300], after[:300])  # the dimmed hotbar changes too
        assert left <= box[0] < box[2] <= left + 16 and top <= box[1] < box[3] <= top + 16
        array[index] = (0, 0, 0)


def test_behind_a_screen_the_world_is_dimmed():
    screen = opened("player")
    frame = drawn(HudView(player(), screen.slots, screen), show_cursor=False, value=200)
    # alpha goes from 192 to 208: 200 becomes 62 at the top and 50 at the bottom
    assert frame[0, 0].tolist() == [62] * 3 and frame[359, 0].tolist() == [50] * 3
    panel = build_sprites().inventory
    assert np.array_equal(frame[97 + 5, 232 + 90], panel[5, 90, :3])


def test_the_slot_under_the_cursor_lights_up_and_names_its_item():
    screen = opened("crafting_table")
    put_cursor(screen, 5)  # empty
    away = opened("crafting_table")
    away.cursor_x = 0.0
    dark = drawn(HudView(player(), screen.slots, away), show_cursor=False)
    lit = drawn(HudView(player(), screen.slots, screen), show_cursor=False)
    x, y = screen.layout.slots[5]
    assert changed(dark, lit) == (232 + x, 97 + y, 232 + x + 16, 97 + y + 16)
    put_cursor(screen, 37)
    named = drawn(HudView(player(), screen.slots, screen), show_cursor=False)
    box = changed(dark, named)
    centre = screen.layout.centre(37)
    assert box[2] == centre[0] + 12 - 5 + tooltip(title(int(screen.stacks()["item"][37]))).ink.shape[1] - 1
    screen.carried = (RULES.item("dirt"), 1, 0)
    assert changed(dark, drawn(HudView(player(), screen.slots, screen), show_cursor=False))[2] < box[2]


def test_the_carried_stack_and_the_pointer_follow_the_cursor():
    slots = empty_slots()
    screen = opened("player", slots)
    screen.cursor_x, screen.cursor_y = 100.7, 40.2
    without = drawn(HudView(player(), slots, screen), show_cursor=False)
    pointer = changed(without, drawn(HudView(player(), slots, screen)))
    assert pointer[:2] == (100, 40) and pointer[2] <= 116 and pointer[3] <= 56
    screen.carried = (RULES.item("diamond_block"), 1, 0)
    box = changed(without, drawn(HudView(player(), slots, screen), show_cursor=False))
    assert 92 <= box[0] < box[2] <= 108 and 32 <= box[1] < box[3] <= 48
    for corner in ((0.0, 0.0), (639.0, 359.0)):
        screen.cursor_x, screen.cursor_y = corner
        drawn(HudView(player(), slots, screen))


def test_flame_and_arrow_grow_with_the_furnace():
    furnace = np.zeros(1, FURNACE)
    furnace["stacks"][0, 0] = (RULES.item("iron_ore"), 4, 0)
    screen = Screen(empty_slots())
    screen.open("furnace", furnace)
    screen.cursor_x = screen.cursor_y = 0.0

    def box(**fields):
        for name, value in fields.items():
            furnace[name] = value
        return changed(cold, drawn(HudView(player(), screen.slots, screen)))

    cold = drawn(HudView(player(), screen.slots, screen))
    full = box(burn_left=1600, burn_total=1600)
    low = box(burn_left=200)
    assert 232 + 56 <= full[0] and full[1] == 97 + 36 and low[1] == 97 + 36 + 12 and low[3] == full[3] <= 97 + 50
    furnace["burn_left"] = 0
    assert [box(cook=cook)[2] for cook in (100, 199)] == [232 + 79 + 12, 232 + 79 + 23]


def test_the_death_screen_and_sleep():
    slots = empty_slots()
    alive, dead = drawn(HudView(player(), slots)), drawn(HudView(player(dead=1, xp=5), slots))
    assert (dead[:, :, 0].mean() > alive[:, :, 0].mean()) and (dead[60:76, 280:360] == 255).all(-1).sum() > 100
    means = [drawn(HudView(player(sleeping=t), slots)).mean() for t in (0, 30, 60, 100)]
    assert means == sorted(means, reverse=True) and means[-1] < 40


# other sizes


@pytest.mark.parametrize("size", [(320, 180), (128, 128), (64, 64)])
@pytest.mark.parametrize("kind", ["", *LAYOUTS])
def test_small_frames_show_what_a_resized_picture_would(size, kind):
    world = np.zeros((360, 640, 3), np.uint8)
    world[:] = np.linspace(20, 220, 640)[None, :, None]
    small = cv2.resize(world, size, interpolation=cv2.INTER_LINEAR)
    screen = opened(kind) if kind else None
    if screen:
        put_cursor(screen, 20)
        screen.carried = (RULES.item("oak_log"), 40, 0)
    view = HudView(player(hp=13, food=7, xp=300), stocked(), screen)
    before = small.astype(int).copy()
    HUD.draw(world, view)
    Hud(*size).draw(small, view)
    expected = cv2.resize(world, size, interpolation=cv2.INTER_LINEAR).astype(int)
    touched = (expected != before).any(-1)
    difference = abs(small - expected)
    assert difference[touched].mean() < 1.0 and difference.max() <= (3 if not kind else 60)


def test_larger_frames_show_whole_pixels():
    view = HudView(player(), stocked())
    assert np.array_equal(drawn(view, Hud(1280, 720)), drawn(view).repeat(2, 0).repeat(2, 1))


def test_scaling_leaves_a_layer_of_native_size_as_it_is():
    layer = layer_of(10, 20, np.full((5, 6, 4), 77, np.uint8))
    same = scaled(layer, axis(640, 640), axis(360, 360))
    assert (same.x, same.y) == (10, 20) and np.array_equal(same.ink, layer.ink[:-1, :-1])


def test_frames_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"\(360, 640, 3\)"):
        HUD.draw(np.zeros((64, 64, 3), np.uint8), HudView(player(), empty_slots()))


def test_titles():
    assert title(RULES.item("flint_and_steel")) == "Flint and Steel" and title(RULES.item("oak_log")) == "Oak Log"
