"""The head-up display and the screens over the world's picture: hotbar, hearts, food, crosshair, slots, cursor.

    hud = Hud(640, 360)
    hud.draw(frame, HudView(player, slots, screen, tick))

Everything lies where Minecraft 1.16.5 puts it at GUI scale 1 in a 640 x 360 picture. What does not change from frame to
frame is put together once and kept (layers.py); frames of other sizes show what a resized 640 x 360 picture would.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from jarvis.world.font import draw_text, text_width
from jarvis.world.furnaces import SMELTING
from jarvis.world.icons import build_icons
from jarvis.world.inventory import ARMOUR, HOTBAR, MAIN, OFFHAND, armour_points
from jarvis.world.layers import (
    BASE_HEIGHT,
    BASE_WIDTH,
    Layer,
    Sheet,
    axis,
    blank,
    cropped,
    gradient,
    lay,
    lay_display,
    lay_scaled,
    layer_of,
    paint,
    scaled,
    tint,
)
from jarvis.world.layout import PLAYER, hash3
from jarvis.world.rules import RULES
from jarvis.world.screens import HudView, Screen
from jarvis.world.sprites import FURNACE_ARROW, FURNACE_FLAME, Sprites, build_sprites

Job = tuple[int, int, int, int, int, int, int]

MIDDLE = BASE_WIDTH // 2
BAR = MIDDLE - 91  # left edge of the hotbar, the hearts and the experience bar
DISPLAY = (BAR - 31, BASE_HEIGHT - 52, 246, 53)  # x, y, width, height of the layer, one transparent pixel on each side
CROSS_AT = ((BASE_WIDTH - 15) // 2, (BASE_HEIGHT - 15) // 2)
RECHARGE_AT = (MIDDLE - 8, BASE_HEIGHT // 2 + 9)
DIM = ((16, 16, 16, 192), (16, 16, 16, 208))  # behind a screen, top and bottom
DEATH = ((80, 0, 0, 96), (128, 48, 48, 160))
NIGHT = (16, 16, 32)
WHITE, YELLOW, GREEN, BLACK = 0xFFFFFF, 0xFFFF55, 0x80FF20, 0x000000
TOOLTIP_AT = (12, -12)  # of its text, from the cursor
HEARTS, MEALS = np.uint64(1), np.uint64(2)  # seeds of their trembling

_FIELD = {name: i for i, name in enumerate(PLAYER.fields or ())}
_DURABILITY = RULES.durability.tolist()
_RECHARGE = [20 / RULES.data["items"].get(name, {}).get("attack_speed", 4) for name in RULES.items]  # ticks


@lru_cache(maxsize=256)
def level_of(xp: int) -> tuple[int, float]:
    """Experience level and the share 0..1 of the next one that ``xp`` points are."""
    level = 0
    while True:
        needed = 2 * level + 7 if level < 15 else 5 * level - 38 if level < 30 else 9 * level - 158
        if xp < needed:
            return level, xp / needed
        xp -= needed
        level += 1


@lru_cache(maxsize=128)
def night(ticks: int, height: int) -> np.ndarray:
    """(2, height, 3) uint8 ink and keep of eyes that have been shut for 0..100 ticks."""
    colour = (*NIGHT, 220 * ticks // 100)
    return gradient(colour, colour, np.arange(height))


def title(item: int) -> str:
    """An item's name as a tooltip shows it."""
    return RULES.items[item].replace("_", " ").title().replace(" And ", " and ").replace(" Of ", " of ")


def text_picture(text: str, colour: int, shadow: bool = True, scale: int = 1) -> np.ndarray:
    """(h, w, 4) RGBA of a line of text."""
    picture = np.zeros((9, text_width(text) + 1, 4), np.uint8)
    draw_text(picture, 0, 0, text, colour, shadow)
    return picture.repeat(scale, 0).repeat(scale, 1)


def solid(width: int, height: int, rgb: np.ndarray | tuple[int, ...]) -> np.ndarray:
    """(height, width, 4) RGBA of one opaque colour."""
    picture = np.full((height, width, 4), 255, np.uint8)
    picture[..., :3] = rgb
    return picture


def build_sheet(sprites: Sprites, icons: np.ndarray) -> Sheet:
    """Everything that the display and the screens are painted from."""
    pictures = {f"icon {i}": icon for i, icon in enumerate(icons)}
    for name in Sprites._fields:
        picture = getattr(sprites, name)
        if picture.ndim == 3 and picture.shape[-1] == 4:
            pictures[name] = picture
    for digit in "0123456789":
        pictures[f"white {digit}"] = text_picture(digit, WHITE)
        pictures[f"yellow {digit}"] = text_picture(digit, YELLOW)
        pictures[f"green {digit}"] = text_picture(digit, GREEN, False)
        pictures[f"black {digit}"] = text_picture(digit, BLACK, False)
    pictures["worn"] = solid(13, 2, (0, 0, 0))
    for length, colour in enumerate(sprites.durability):
        pictures[f"wear {length}"] = solid(13, 1, colour)
    pictures["slot"] = sprites.inventory[84:100, 8:24].copy()  # bare, to hide the ghost of a piece of armour
    pictures["offhand"] = np.concatenate([sprites.hotbar[:, :11], sprites.hotbar[:, -11:]], 1)
    return Sheet(pictures)


class Hud:
    """Draws the display and the open screen on frames of one size.

    width, height: of the frames. palette: which look the icons have, as for the textures of the world.
    """

    def __init__(self, width: int, height: int, palette: int = 0) -> None:
        self.width, self.height = width, height
        self._native = (width, height) == (BASE_WIDTH, BASE_HEIGHT)
        self._columns, self._rows = axis(width, BASE_WIDTH), axis(height, BASE_HEIGHT)
        self._sprites = build_sprites()
        self._sheet = build_sheet(self._sprites, build_icons(palette))
        self._digit_width = {d: text_width(d) + 1 for d in "0123456789"}
        self._cross, self._cross_share = self._crosshair()
        middle = (np.arange(height) + 0.5) * BASE_HEIGHT / height - 0.5
        self._dim = gradient(*DIM, middle)
        self._death = gradient(*DEATH, middle)
        self._display_key: tuple | None = None
        self._display = self._placed(blank(*DISPLAY))
        self._recharge: Layer | None = None
        self._panel_key: tuple | None = None
        self._panel = self._display
        self._pointer_key: tuple | None = None
        self._pointer = self._tooltip = blank(0, 0, 1, 1)
        self._tooltip_item = -1
        self._gameover_key = -1
        self._gameover = self._display

    def draw(self, frame: np.ndarray, view: HudView, show_cursor: bool = True) -> None:
        """Draw on a (height, width, 3) uint8 RGB frame of the world. show_cursor: with the mouse cursor in screens."""
        if frame.shape != (self.height, self.width, 3) or frame.dtype != np.uint8:
            raise ValueError(f"frame: {frame.shape} {frame.dtype}, expected ({self.height}, {self.width}, 3) uint8")
        player = view.player.item(0)
        self._compose_display(player, view.slots, view.tick)
        x, y, ink, keep = self._display
        lay_display(frame, x, y, ink, keep, self._cross, self._cross_share)
        if self._recharge is not None:
            x, y, ink, keep = self._recharge
            lay(frame, x, y, ink, keep)
        if player[_FIELD["dead"]]:
            self._draw_death(frame, player[_FIELD["xp"]])
            return
        asleep = player[_FIELD["sleeping"]]
        if asleep > 0:
            ink, keep = night(min(asleep, 100), self.height)
            tint(frame, ink, keep, 0, 0, 0, 0)
        if view.screen is not None and view.screen.is_open:
            self._draw_screen(frame, view.screen, show_cursor)

    def _placed(self, layer: Layer) -> Layer:
        return layer if self._native else scaled(layer, self._columns, self._rows)

    def _paint(self, layer: Layer, jobs: list[Job]) -> None:
        paint(layer.ink, layer.keep, self._sheet.image, self._sheet.rects, np.array(jobs, np.int64).reshape(-1, 7))

    def _job(self, name: str, x: int, y: int, left: int = 0, top: int = 0, width: int = -1, height: int = -1) -> Job:
        return (self._sheet.number[name], x, y, left, top, width, height)

    def _crosshair(self) -> tuple[np.ndarray, np.ndarray]:
        mask = blank(CROSS_AT[0] - 1, CROSS_AT[1] - 1, 17, 17)
        mask.ink[1:-1, 1:-1] = self._sprites.crosshair[..., None]
        mask.keep[:] = 255 - mask.ink
        mask = self._placed(mask)
        rows, columns = np.nonzero(mask.ink[..., 0])
        share = mask.ink[rows, columns, 0].astype(np.int64) * 256 // 255
        return np.stack([columns + mask.x, rows + mask.y], 1), share

    # items

    def _number(self, jobs: list[Job], text: str, x: int, y: int, colour: str) -> int:
        for digit in text:
            jobs.append(self._job(f"{colour} {digit}", x, y))
            x += self._digit_width[digit]
        return x

    def _item(self, jobs: list[Job], x: int, y: int, stack: tuple[int, int, int], bare: bool = False) -> None:
        item, count, damage = stack
        jobs.append((item, x, y, 0, 0, -1, -1))  # icons come first in the sheet
        if damage and _DURABILITY[item]:
            length = int(13 - 13 * damage / _DURABILITY[item] + 0.5)
            jobs.append(self._job("worn", x + 2, y + 13))
            jobs.append(self._job(f"wear {length}", x + 2, y + 13, 0, 0, length))
        if count != 1:
            text = str(count)
            width = sum(self._digit_width[digit] for digit in text)
            self._number(jobs, text, x + 17 - width, y + 9, "white" if count else "yellow")

    # the display

    def _compose_display(self, player: tuple, slots: np.ndarray, tick: int) -> None:
        hp, food, saturation, air, xp, hurt, sick, selected, wet, attack = (
            player[_FIELD[name]]
            for name in (
                "hp", "food", "saturation", "air", "xp", "hurt_ticks", "hunger_effect", "selected", "head_in_water",
                "attack_ticks",
            )
        )  # fmt: skip
        hp, food = -int(-hp // 1), int(food)
        hungry = saturation <= 0 and tick % (food * 3 + 1) == 0
        shaken = tick if hp <= 4 or hungry else 0
        flash = hurt // 3 % 2
        bubbles = (-((2 - air) * 10 // 300), -(-air * 10 // 300)) if wet or air < 300 else (0, 0)
        charge = int(17 * (attack + 0.5) / _RECHARGE[int(slots["item"][HOTBAR + selected])])
        held = slots[ARMOUR:].tobytes()
        key = (hp, food, hungry, shaken, flash, sick > 0, bubbles, xp, selected, min(charge, 16), held)
        if key == self._display_key:
            return
        self._display_key = key
        left, top, _, _ = DISPLAY
        jobs: list[Job] = []
        self._bars(jobs, hp, food, armour_points(slots), bubbles, flash, sick > 0, hungry, shaken)
        level, part = level_of(xp)
        jobs.append(self._job("xp_empty", BAR, 331))
        jobs.append(self._job("xp_full", BAR, 331, 0, 0, int(part * 183)))
        stacks = slots[HOTBAR : OFFHAND + 1].tolist()
        jobs.append(self._job("hotbar", BAR, 338))
        jobs.append(self._job("selector", BAR - 1 + 20 * selected, 337))
        if stacks[9][0]:
            jobs.append(self._job("offhand", BAR - 29, 338))
            self._item(jobs, BAR - 26, 341, stacks[9])
        for i, stack in enumerate(stacks[:9]):
            if stack[0]:
                self._item(jobs, BAR + 3 + 20 * i, 341, stack)
        if level:
            text = str(level)
            x = (BASE_WIDTH - sum(self._digit_width[d] for d in text)) // 2
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                self._number(jobs, text, x + dx, 325 + dy, "black")
            self._number(jobs, text, x, 325, "green")
        layer = blank(*DISPLAY)
        self._paint(layer, [(n, x - left, y - top, a, b, w, h) for n, x, y, a, b, w, h in jobs])
        self._display = self._placed(cropped(layer))
        self._recharge = None
        if charge < 16:
            layer = blank(RECHARGE_AT[0] - 1, RECHARGE_AT[1] - 1, 18, 6)
            self._paint(layer, [self._job("recharge_empty", 1, 1), self._job("recharge_full", 1, 1, 0, 0, charge)])
            self._recharge = self._placed(layer)

    def _bars(
        self,
        jobs: list[Job],
        hp: int,
        food: int,
        armour: int,
        bubbles: tuple[int, int],
        flash: int,
        sick: bool,
        hungry: bool,
        shaken: int,
    ) -> None:
        suffix = "_sick" if sick else ""
        for i in range(10):
            x, y = BAR + 8 * i, 321
            if hp <= 4:
                y += int(hash3(HEARTS, shaken, i, 0) % 2)
            jobs.append(self._job("heart_flash" if flash else "heart_empty", x, y))
            if 2 * i + 1 <= hp:
                jobs.append(self._job("heart_full" if 2 * i + 1 < hp else "heart_half", x, y))
            if armour:
                kind = "full" if 2 * i + 1 < armour else "half" if 2 * i + 1 == armour else "empty"
                jobs.append(self._job("armour_empty", x, 311))
                jobs.append(self._job(f"armour_{kind}", x, 311))
            x, y = BAR + 182 - 8 * i - 9, 321
            if hungry:
                y += int(hash3(MEALS, shaken, i, 0) % 3) - 1
            jobs.append(self._job("food_empty", x, y))
            if 2 * i + 1 <= food:
                jobs.append(self._job(("food_full" if 2 * i + 1 < food else "food_half") + suffix, x, y))
            if i < bubbles[1]:
                jobs.append(self._job("bubble" if i < bubbles[0] else "bubble_popping", x, 311))

    # screens

    def _draw_screen(self, frame: np.ndarray, screen: Screen, show_cursor: bool) -> None:
        hovered = screen.hovered
        stacks = screen.stacks()
        lit, cooked = self._progress(screen)
        key = (screen.kind, hovered, screen.dragged, lit, cooked, stacks.tobytes())
        if key != self._panel_key:
            self._panel_key = key
            self._panel = self._compose_panel(screen, stacks.tolist(), lit, cooked)
        x, y, ink, keep = self._panel
        tint(frame, self._dim[0], self._dim[1], x, y, ink.shape[1], ink.shape[0])
        lay(frame, x, y, ink, keep)
        cursor_x, cursor_y = int(screen.cursor_x), int(screen.cursor_y)
        carried = screen.shown_carried()
        if hovered >= 0 and not carried[0] and stacks["item"][hovered]:
            self._draw_tooltip(frame, int(stacks["item"][hovered]), cursor_x, cursor_y)
        if (carried, show_cursor) != self._pointer_key:
            self._pointer_key = (carried, show_cursor)
            self._pointer = blank(0, 0, 27, 27)
            jobs: list[Job] = []
            if carried[0]:
                self._item(jobs, 1, 1, carried)
            if show_cursor:
                jobs.append(self._job("cursor", 9, 9))
            self._paint(self._pointer, jobs)
        if carried[0] or show_cursor:
            self._lay_at(frame, self._pointer, cursor_x - 9, cursor_y - 9)

    def _lay_at(self, frame: np.ndarray, layer: Layer, x: int, y: int) -> None:
        if self._native:
            lay(frame, x, y, layer.ink, layer.keep)
        else:
            lay_scaled(frame, x, y, layer.ink, layer.keep, self._columns, self._rows)

    @staticmethod
    def _progress(screen: Screen) -> tuple[int, int]:
        # How many rows of the flame above its lowest, and columns of the arrow, are filled; -1 for no flame.
        if screen.furnace is None:
            return -1, 0
        furnace = screen.furnace[0]
        left, total, cook = int(furnace["burn_left"]), int(furnace["burn_total"]), int(furnace["cook"])
        ticks = int(SMELTING.ticks[furnace["stacks"][0]["item"]]) or 200
        return left * 13 // max(total, 1) if left else -1, cook * 24 // ticks

    def _compose_panel(self, screen: Screen, stacks: list[tuple[int, int, int]], lit: int, cooked: int) -> Layer:
        layout = screen.layout
        layer = blank(layout.left - 1, layout.top - 1, layout.width + 2, layout.height + 2)
        behind = gradient(*DIM, np.arange(layer.y, layer.y + layer.ink.shape[0]))
        layer.ink[:], layer.keep[:] = behind[0][:, None], behind[1][:, None]
        jobs = [self._job("inventory" if screen.kind == "player" else screen.kind, 1, 1)]
        if lit >= 0:
            x, y = FURNACE_FLAME
            jobs.append(self._job("flame", x + 1, y + 14 - lit, 0, 13 - lit))
        if cooked:
            x, y = FURNACE_ARROW
            jobs.append(self._job("arrow", x + 1, y + 1, 0, 0, cooked))
        for slot, ((x, y), stack) in enumerate(zip(layout.slots, stacks, strict=True)):
            if stack[0]:
                if screen.kind == "player" and (ARMOUR <= slot < MAIN or slot == OFFHAND):
                    jobs.append(self._job("slot", x + 1, y + 1))
                self._item(jobs, x + 1, y + 1, stack)
            if slot == screen.hovered or (len(screen.dragged) > 1 and slot in screen.dragged):
                jobs.append(self._job("hover", x + 1, y + 1))
        self._paint(layer, jobs)
        return self._placed(layer)

    def _draw_tooltip(self, frame: np.ndarray, item: int, cursor_x: int, cursor_y: int) -> None:
        if item != self._tooltip_item:
            self._tooltip_item = item
            self._tooltip = tooltip(title(item))
        inner = self._tooltip.ink.shape[1] - 10
        x, y = cursor_x + TOOLTIP_AT[0], cursor_y + TOOLTIP_AT[1]
        if x + inner > BASE_WIDTH:
            x -= 28 + inner
        y = max(min(y, BASE_HEIGHT - 14), 5)
        self._lay_at(frame, self._tooltip, x - 5, y - 5)

    def _draw_death(self, frame: np.ndarray, xp: int) -> None:
        tint(frame, self._death[0], self._death[1], 0, 0, 0, 0)
        if xp != self._gameover_key:
            self._gameover_key = xp
            self._gameover = self._placed(gameover(xp))
        x, y, ink, keep = self._gameover
        lay(frame, x, y, ink, keep)


def tooltip(text: str) -> Layer:
    """The box that names an item; its text starts 5 pixels in and down."""
    words = text_picture(text, WHITE)
    width = text_width(text) + 10
    picture = np.zeros((18, width, 4), np.uint8)
    picture[1:17, 2 : width - 2] = picture[2:16, 1 : width - 1] = (16, 0, 16, 240)
    edge = np.linspace((37, 0, 121, 245), (28, 0, 84, 245), 14).astype(np.uint8)
    picture[2:16, 2] = picture[2:16, width - 3] = edge
    picture[2, 2 : width - 2], picture[15, 2 : width - 2] = edge[0], edge[-1]
    area = picture[5 : 5 + words.shape[0], 5 : 5 + words.shape[1]]
    area[:] = np.where(words[..., 3:] > 0, words, area)
    return layer_of(0, 0, picture)


def gameover(xp: int) -> Layer:
    """The writing on the death screen."""
    picture = np.zeros((160, 204, 4), np.uint8)

    def write(text: str, y: int, colour: int, scale: int = 1, at: int | None = None) -> None:
        words = text_picture(text, colour, True, scale)
        x = (picture.shape[1] - words.shape[1]) // 2 if at is None else at
        area = picture[y : y + words.shape[0], x : x + words.shape[1]]
        area[:] = np.where(words[..., 3:] > 0, words, area)

    write("You died!", 2, WHITE, 2)
    label, score = "Score: ", str(xp)
    left = (picture.shape[1] - text_width(label + score)) // 2
    write(label, 42, WHITE, 1, left)
    write(score, 42, YELLOW, 1, left + text_width(label) + 1)
    for y, text in ((104, "Respawn"), (128, "Title Screen")):
        button = picture[y : y + 20, 2:202]
        button[:] = (0, 0, 0, 255)
        button[1:19, 1:199] = (110, 110, 112, 255)
        button[1, 1:198] = button[1:18, 1] = (170, 170, 173, 255)
        button[17:19, 2:199] = (86, 86, 88, 255)
        write(text, y + 6, 0xE0E0E0)
    return layer_of((BASE_WIDTH - 204) // 2, 58, picture)
