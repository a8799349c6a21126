"""Pictures of the head-up display and of the inventory screens, at GUI scale 1 (a 640 x 360 picture).

All are (rows, columns, 4) uint8 RGBA. Slots lie where Minecraft's are: coordinates below are (x, y) of the top left of
the 16 x 16 area of an item, from the top left of its panel.
"""

from __future__ import annotations

import colorsys
from functools import cache
from typing import NamedTuple

import numpy as np

from jarvis.world.font import FONT, WIDTHS, draw_glyphs, glyph_codes
from jarvis.world.icons import build_icons
from jarvis.world.models import PLAYER_MODEL, build_models
from jarvis.world.pixels import letters, rgba
from jarvis.world.rules import RULES

Picture = np.ndarray

MAIN_SLOTS = tuple((8 + 18 * c, 84 + 18 * r) for r in range(3) for c in range(9))
HOTBAR_SLOTS = tuple((8 + 18 * c, 142) for c in range(9))
ARMOUR_SLOTS = tuple((8, 8 + 18 * r) for r in range(4))
OFFHAND_SLOT = (77, 62)
SMALL_GRID = tuple((98 + 18 * c, 18 + 18 * r) for r in range(2) for c in range(2))
SMALL_RESULT = (154, 28)
LARGE_GRID = tuple((30 + 18 * c, 17 + 18 * r) for r in range(3) for c in range(3))
LARGE_RESULT = (124, 35)
FURNACE_INPUT, FURNACE_FUEL, FURNACE_OUTPUT = (56, 17), (56, 53), (116, 35)
FURNACE_FLAME, FURNACE_ARROW = (56, 36), (79, 34)  # where the overlays below go
CHEST_SLOTS = tuple((8 + 18 * c, 18 + 18 * r) for r in range(3) for c in range(9))
CHEST_MAIN_SLOTS = tuple((8 + 18 * c, 85 + 18 * r) for r in range(3) for c in range(9))
CHEST_HOTBAR_SLOTS = tuple((8 + 18 * c, 143) for c in range(9))


class Sprites(NamedTuple):
    """Pictures for the display."""

    hotbar: Picture  # (22, 182, 4); item i at (3 + 20 i, 3)
    selector: Picture  # (24, 24, 4) at (20 i - 1, -1) of the hotbar
    heart_empty: Picture  # (9, 9, 4), as all little ones; draw the empty one first, full or half above it
    heart_flash: Picture  # empty, just hurt
    heart_full: Picture
    heart_half: Picture
    food_empty: Picture
    food_full: Picture
    food_half: Picture
    food_full_sick: Picture  # while the hunger effect lasts
    food_half_sick: Picture
    armour_empty: Picture
    armour_full: Picture
    armour_half: Picture
    bubble: Picture
    bubble_popping: Picture
    crosshair: np.ndarray  # (15, 15) uint8: 255 where the frame is inverted
    xp_empty: Picture  # (5, 182, 4)
    xp_full: Picture  # (5, 182, 4); show its left part
    recharge_empty: Picture  # (4, 16, 4), below the crosshair while the attack recharges
    recharge_full: Picture
    inventory: Picture  # (166, 176, 4)
    crafting_table: Picture  # (166, 176, 4)
    furnace: Picture  # (166, 176, 4)
    chest: Picture  # (168, 176, 4)
    flame: Picture  # (14, 14, 4); show its lower part as the fuel burns down
    arrow: Picture  # (17, 24, 4); show its left part as smelting goes on
    cursor: Picture  # (16, 16, 4) mouse pointer, its tip at the top left
    hover: Picture  # (16, 16, 4) laid over the slot under the pointer
    durability: (
        np.ndarray
    )  # (14, 3) uint8 colour of the bar by its length 0..13; drawn at (2, 13) of a slot, 13 x 2 on black, 1 high
    font: np.ndarray  # (95, 8) uint8 rows of the glyphs from the space on, see font.py
    font_widths: np.ndarray  # (95,) int64


HEART = """
..kk.kk..
.kRRkRRk.
kRWRRRRRk
kRRRRRRRk
kRRRRRRrk
.kRRRRrk.
..kRRrk..
...krk...
....k....
"""
DRUMSTICK = """
.....kkk.
....kBBbk
...kBBBbk
..kBLBBbk
..kBBBbbk
..kBbbbk.
.kwkkkk..
kwwk.....
.kk......
"""
CUIRASS = """
.kk...kk.
kLsk.ksSk
kLsskssSk
kksssssSk
.kLsssSk.
.kLsssSk.
.kLsssSk.
.kksSSkk.
...kkk...
"""
BUBBLE = """
..bbbbb..
.bccccab.
bcWWccaab
bcWccccab
bcccccccb
bcccccclb
bacccclWb
.baacccb.
..bbbbb..
"""
POPPED = """
...b..b..
.b......b
...W.....
b......b.
.........
b.......b
...b..W..
.b.....b.
...b.b...
"""
FLAME = """
.......r......
..r....r..r...
..r...rr..rr..
..rr..ror.ror.
.ror.roor.ror.
.roorrooorroor
rrooroooooroor
roooroyyooooor
rooyoyyyyoyoor
royyyywwyyyyor
royywwwwwyyyor
roywwwwwwwyyor
.royywwwwyyor.
..rroooooorr..
"""
POINTER = """
k
kk
kwk
kwwk
kwwwk
kwwwwk
kwwwwwk
kwwwwwwk
kwwwwwwwk
kwwwwwwwwk
kwwwwwkkkkk
kwwkwwk
kwk.kwwk
kk..kwwk
.....kwwk
.....kkk
"""


def halved(picture: Picture, right: bool = False) -> Picture:
    """Only the left five columns of nine, or the right four."""
    out = picture.copy()
    if right:
        out[:, :5] = 0
    else:
        out[:, 5:] = 0
    return out


def inner(rows: str, colours: dict[str, str]) -> Picture:
    """A 9 x 9 picture without its outline, which the empty one has."""
    return letters(rows, {k: v for k, v in colours.items() if k != "k"}, 9, 9)


def filled(rows: str, inside: str, line: str) -> Picture:
    """The empty shape of a 9 x 9 picture: outline and hollow."""
    return letters(rows, {c: inside for c in "RWrBbLsSw"} | {"k": line}, 9, 9)


def bevel(picture: Picture, x: int, y: int, width: int, height: int, light: str, dark: str, fill: str) -> None:
    """A filled rectangle with a one-pixel edge, ``light`` above and left, ``dark`` below and right."""
    picture[y : y + height, x : x + width] = rgba(fill)
    picture[y, x : x + width - 1] = rgba(light)
    picture[y : y + height - 1, x] = rgba(light)
    picture[y + height - 1, x + 1 : x + width] = rgba(dark)
    picture[y + 1 : y + height, x + width - 1] = rgba(dark)


PANEL, PANEL_LIGHT, PANEL_DARK = "c9cacd", "fbfbfc", "5a5c62"
SLOT, SLOT_DARK, SLOT_LIGHT = "8f9096", "3d3f45", "f6f6f8"
INK = 0x3F4147


def put_slot(picture: Picture, at: tuple[int, int], border: int = 1) -> None:
    """A sunk slot whose item area starts at ``at``; results have a wider border."""
    bevel(picture, at[0] - border, at[1] - border, 16 + 2 * border, 16 + 2 * border, SLOT_DARK, SLOT_LIGHT, SLOT)


def panel(
    height: int = 166,
    main: tuple[tuple[int, int], ...] = MAIN_SLOTS,
    hotbar: tuple[tuple[int, int], ...] = HOTBAR_SLOTS,
) -> Picture:
    """A panel 176 wide with rounded corners and the player's 36 slots."""
    out = np.zeros((height, 176, 4), np.uint8)
    out[:] = rgba("101114")
    bevel(out, 1, 1, 174, height - 2, PANEL_LIGHT, PANEL_DARK, PANEL)
    bevel(out, 2, 2, 172, height - 4, PANEL_LIGHT, "8b8d93", PANEL)
    for rows, cols in ((slice(0, 2), slice(0, 1)), (slice(0, 1), slice(0, 2))):
        for up in (1, -1):
            for left in (1, -1):
                out[::up, ::left][rows, cols] = 0
                out[::up, ::left][1, 1] = rgba("101114")
    for at in (*main, *hotbar):
        put_slot(out, at)
    return out


def thick_arrow(length: int, height: int, colour: str) -> Picture:
    """An arrow to the right that fills ``length`` x ``height`` pixels."""
    rows, cols = np.mgrid[0:height, 0:length]
    middle = (height - 1) / 2
    head = height // 2 + 1
    shaft = (cols < length - head) & (abs(rows - middle) <= max(1, height // 8))
    tip = (cols >= length - head) & (abs(rows - middle) <= length - 1 - cols)
    return np.where((shaft | tip)[..., None], rgba(colour), np.uint8(0)).astype(np.uint8)


def paste(picture: Picture, at: tuple[int, int], patch: Picture) -> None:
    """Lay opaque texels of ``patch`` on ``picture`` with the top left at (x, y)."""
    area = picture[at[1] : at[1] + patch.shape[0], at[0] : at[0] + patch.shape[1]]
    area[:] = np.where(patch[..., 3:] > 0, patch, area)


def ghost(item: str) -> Picture:
    """A faint outline of what belongs into an empty slot."""
    icon = build_icons()[RULES.item(item)]
    shade = icon[..., :3].mean(-1, keepdims=True) * 0.22 + 92
    return np.concatenate([np.repeat(shade, 3, -1), icon[..., 3:]], -1).astype(np.uint8)


def portrait() -> Picture:
    """The player seen from the front, (64, 32, 4), two pixels a sixteenth of a metre."""
    models = build_models()
    out = np.zeros((64, 32, 4), np.uint8)
    for part in range(models.part_start[PLAYER_MODEL], models.part_start[PLAYER_MODEL + 1]):
        width, height = np.round(models.size[part, :2] * 32).astype(int)
        skin = models.skins[models.tiles[part, 5]]
        patch = skin[np.arange(height) * 16 // height][:, np.arange(width) * 16 // width]
        left = round(16 + models.offset[part, 0] * 32 - width / 2)
        top = round(64 - models.offset[part, 1] * 32 - height / 2)
        out[top : top + height, left : left + width] = patch
        edge = out[top : top + height, left + width - 2 : left + width]
        edge[..., :3] = (edge[..., :3] * 0.8).astype(np.uint8)
    return out


def put_title(picture: Picture, x: int, y: int, text: str) -> None:
    """Dark text without a shadow."""
    # NOTE: the plain Python function, so that drawing the panels does not wait for numba
    draw_glyphs.py_func(picture, x, y, glyph_codes(text), INK, False, FONT, WIDTHS)


def inventory_panel() -> Picture:
    """The player's own screen: armour, portrait, offhand, 2 x 2 grid, result."""
    out = panel()
    bevel(out, 25, 7, 51, 72, SLOT_DARK, SLOT_LIGHT, "17181c")
    paste(out, (35, 11), portrait())
    for at, item in zip(ARMOUR_SLOTS, ("iron_helmet", "iron_chestplate", "iron_leggings", "iron_boots"), strict=True):
        put_slot(out, at)
        paste(out, at, ghost(item))
    put_slot(out, OFFHAND_SLOT)
    paste(out, OFFHAND_SLOT, ghost("shield"))
    for at in SMALL_GRID:
        put_slot(out, at)
    put_slot(out, SMALL_RESULT)
    paste(out, (135, 30), thick_arrow(16, 13, SLOT))
    put_title(out, 97, 7, "Crafting")
    return out


def crafting_panel() -> Picture:
    """The screen of a crafting table."""
    out = panel()
    for at in LARGE_GRID:
        put_slot(out, at)
    put_slot(out, LARGE_RESULT, 5)
    paste(out, (90, 35), thick_arrow(22, 15, SLOT))
    put_title(out, 29, 6, "Crafting")
    put_title(out, 8, 72, "Inventory")
    return out


def furnace_panel() -> Picture:
    """The screen of a furnace, its flame and arrow empty."""
    out = panel()
    put_slot(out, FURNACE_INPUT)
    put_slot(out, FURNACE_FUEL)
    put_slot(out, FURNACE_OUTPUT, 5)
    paste(out, FURNACE_ARROW, thick_arrow(24, 17, SLOT))
    hollow = letters(FLAME, dict.fromkeys("royw", SLOT), 14, 14)
    paste(out, FURNACE_FLAME, hollow)
    put_title(out, 68, 6, "Furnace")
    put_title(out, 8, 72, "Inventory")
    return out


def chest_panel() -> Picture:
    """The screen of a chest of 27 slots."""
    out = panel(168, CHEST_MAIN_SLOTS, CHEST_HOTBAR_SLOTS)
    for at in CHEST_SLOTS:
        put_slot(out, at)
    put_title(out, 8, 6, "Chest")
    put_title(out, 8, 74, "Inventory")
    return out


def hotbar() -> Picture:
    """Nine see-through slots in a frame, (22, 182, 4)."""
    out = np.zeros((22, 182, 4), np.uint8)
    out[:] = rgba("000000ff")
    out[1:21, 1:181] = rgba("86878cff")
    for i in range(9):
        x = 1 + 20 * i
        out[1:21, x : x + 20] = rgba("9c9da2ff")
        out[20, x : x + 20] = out[1:21, x + 19] = rgba("66676cff")
        out[2:20, x + 1 : x + 19] = rgba("3a3b40ff")
        out[3:20, x + 2 : x + 19] = rgba("26272bb0")
        out[3:19, x + 2 : x + 18] = rgba("1a1b1e96")
    out[[0, 0, 21, 21], [0, 181, 0, 181], 3] = 0
    return out


def selector() -> Picture:
    """The bright frame of the selected slot, (24, 24, 4)."""
    out = np.zeros((24, 24, 4), np.uint8)
    reach = np.maximum(abs(np.mgrid[0:24, 0:24][0] - 11.5), abs(np.mgrid[0:24, 0:24][1] - 11.5))
    out[reach > 8] = rgba("9fa0a6")
    out[reach > 9] = rgba("ffffff")
    out[reach > 10] = rgba("dcdde2")
    out[reach > 11] = rgba("1b1c20")
    return out


def experience(full: bool) -> Picture:
    """The bar of experience, (5, 182, 4)."""
    out = np.zeros((5, 182, 4), np.uint8)
    out[:] = rgba("101510")
    rows = ("6fd23a", "8cf04c", "4ca524") if full else ("2a3a2a", "3a4f38", "1c281c")
    for y, colour in enumerate(rows, 1):
        out[y, 1:181] = rgba(colour)
    out[1:4, 10:181:10] = rgba("2d6a16" if full else "111811")
    return out


def recharge(full: bool) -> Picture:
    """The bar of the attack, (4, 16, 4)."""
    out = np.zeros((4, 16, 4), np.uint8)
    out[:] = rgba("2a2a2a")
    out[1:3, 1:15] = rgba("f0f0f0" if full else "6a6a6a")
    return out


@cache
def build_sprites() -> Sprites:
    """All pictures, drawn once per process. The arrays are shared: do not write to them."""
    red = {"R": "e3201b", "r": "a80f10", "W": "ffb3a8"}
    meat = {"B": "a9692f", "b": "7d4719", "L": "d49a5e", "w": "efe6d2"}
    sick = {"B": "7f8a3a", "b": "59611f", "L": "aab55e", "w": "dfe3c6"}
    steel = {"L": "f4f6f8", "s": "c3c8ce", "S": "8e959d"}
    air = {"b": "2f6fe0", "c": "7fb4ffb4", "a": "5a93f0c0", "W": "ffffff", "l": "c4deff"}
    cross = np.zeros((15, 15), np.uint8)
    cross[7, 3:12] = cross[3:12, 7] = 255
    bars = np.array([colorsys.hsv_to_rgb(length / 13 / 3, 1, 1) for length in range(14)])
    return Sprites(
        hotbar=hotbar(),
        selector=selector(),
        heart_empty=filled(HEART, "3b3236", "0a0608"),
        heart_flash=filled(HEART, "8c7f80", "ffffff"),
        heart_full=inner(HEART, red),
        heart_half=halved(inner(HEART, red)),
        food_empty=filled(DRUMSTICK, "322a24", "0a0705"),
        food_full=inner(DRUMSTICK, meat),
        food_half=halved(inner(DRUMSTICK, meat), right=True),
        food_full_sick=inner(DRUMSTICK, sick),
        food_half_sick=halved(inner(DRUMSTICK, sick), right=True),
        armour_empty=filled(CUIRASS, "37383c", "0a0a0c"),
        armour_full=inner(CUIRASS, steel),
        armour_half=halved(inner(CUIRASS, steel)),
        bubble=letters(BUBBLE, air, 9, 9),
        bubble_popping=letters(POPPED, air, 9, 9),
        crosshair=cross,
        xp_empty=experience(False),
        xp_full=experience(True),
        recharge_empty=recharge(False),
        recharge_full=recharge(True),
        inventory=inventory_panel(),
        crafting_table=crafting_panel(),
        furnace=furnace_panel(),
        chest=chest_panel(),
        flame=letters(FLAME, {"r": "c93a0a", "o": "f08a1c", "y": "ffcf3a", "w": "fff6c0"}, 14, 14),
        arrow=thick_arrow(24, 17, "ffffff"),
        cursor=letters(POINTER, {"k": "000000", "w": "ffffff"}),
        hover=np.broadcast_to(rgba("ffffff80"), (16, 16, 4)).copy(),
        durability=np.clip(bars * 255 + 0.5, 0, 255).astype(np.uint8),
        font=FONT,
        font_widths=WIDTHS,
    )
