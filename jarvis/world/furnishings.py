"""Pictures of what people make: crafting table, furnace, chest, torch, ladder, door, glass, bed, farmland."""

from __future__ import annotations

import numpy as np

from jarvis.world.materials import Picture, courses, planks, stone
from jarvis.world.pixels import COLS, EDGE, ROWS, Noise, empty, letters, painted, plain, ramp, ranked, rgba, scaled

SAW = """



.....kkkkkk
....khhhhhhk
....khkkkkhk
....khk.kHHk
....kssssssk
....kSssssk
.....kSsssk
.....kSssk
......kSsk
......ksk
.......k
"""
HAMMER = """



....kkkkkkk
...kssssssSk
...kssssssSk
....kkkhkkk
......khk
......khk
......kHk
......khk
......khk
......kHk
.......k
"""


def table_top(noise: Noise) -> Picture:
    """A working surface: dark frame, light wood, a 3 x 3 grid cut into it."""
    wood = scaled(ramp(0.2 + 0.6 * noise.soft(125, 16, 4) + 0.2 * noise.white(126), "a5793f b58749 c39553 cfa25f"), 1.0)
    grid = ((COLS - 2) % 4 == 3) | ((ROWS - 2) % 4 == 3)
    out = np.where(grid[..., None], rgba("6d4522"), wood)
    frame = ramp(0.8 * noise.white(127) + 0.2 * (EDGE == 6), "4b2d15 56351a 613d1f 6d4725")
    corner = (abs(COLS - 7.5) > 5) & (abs(ROWS - 7.5) > 5)
    return np.where(((EDGE >= 6) | corner)[..., None], frame, out)


def table_side(noise: Noise, tool: str) -> Picture:
    """Boards between posts with a tool hung on them."""
    out = scaled(planks(noise, "oak"), 0.8)
    post = (COLS < 2) | (COLS > 13)
    out = np.where(
        post[..., None], scaled(planks(noise, "spruce"), np.where((COLS == 1) | (COLS == 14), 0.7, 1.0)), out
    )
    rim = ramp(noise.white(128), "4b2d15 56351a 6d4725")
    out = np.where((ROWS < 2)[..., None], rim, np.where((ROWS == 2)[..., None], rgba("37200e"), out))
    tools = letters(tool, {"k": "2b1a0d", "s": "b9bdc2", "S": "7f858c", "h": "8a5f30", "H": "5e3d1b"})
    return painted(out, tools)


def furnace_body(noise: Noise) -> Picture:
    """Large dressed stones."""
    out = courses(noise, 130, 8, 8, (0, 4), "666666 6f6f6f 797979 838383 8c8c8c", "4a4a4a 525252", 0.1)
    return np.where((EDGE == 7)[..., None], ramp(np.where((ROWS == 0) | (COLS == 0), 0.9, 0.1), "565656 9a9a9a"), out)


def furnace_top(noise: Noise) -> Picture:
    """A smooth slab with a worn rim."""
    out = scaled(stone(noise, 133), 0.92)
    return scaled(out, np.where(EDGE == 7, 0.68, np.where(EDGE == 6, 1.12, 1.0)))


FURNACE = """


...kkkkkkkkkk
..kooooooooook
..ko.k.kk.k.ok
..kkkkkkkkkkkk



..LLLLLLLLLLLL
..Lkkkkkkkkkkd
..kkkkkkkkkkkk
..kkkkkkkkkkkk
..kkskkskkskkk
..ksSsksSsksSk
..dddddddddddd
"""


def furnace_front(noise: Noise, lit: bool) -> Picture:
    """An air slit above, the mouth below; when lit a fire burns in it."""
    out = painted(
        furnace_body(noise),
        letters(
            FURNACE,
            {"k": "1c1c1c", "o": "303030", ".": "00000000", "L": "a8a8a8", "d": "4a4a4a", "s": "3a3a3a", "S": "2a2a2a"},
        ),
    )
    if lit:
        mouth = (ROWS >= 10) & (ROWS <= 14) & (COLS >= 3) & (COLS <= 12)
        tongue = np.array([0, 0, 0, 2, 4, 3, 5, 4, 5, 3, 5, 4, 2, 0, 0, 0])[None, :]
        rise = (15 - ROWS) / np.maximum(tongue, 1)
        out = np.where((mouth & (rise <= 1))[..., None], ramp(rise * 0.99, "fff3a0 ffd24a ffb02a f5821a d9530e"), out)
        vent = (ROWS == 4) & (COLS >= 4) & (COLS <= 11) & (COLS % 3 != 0)
        out = np.where(vent[..., None], rgba("c8501a"), out)
    return out


CHEST_WOOD = "7d5523 8c6128 9a6d2f a67737 b28443"


def chest_face(noise: Noise, front: bool) -> Picture:
    """The box of a chest from its side: it fills rows 2..15 and columns 1..14 of the cell."""
    out = ramp(ranked(noise.soft(136, 16, 4) + 0.2 * noise.white(137)), CHEST_WOOD)
    edge = (COLS <= 1) | (COLS >= 14) | (ROWS <= 2) | (ROWS == 15) | (ROWS == 7)
    out = np.where(edge[..., None], rgba("3a2610"), out)
    out = np.where(((ROWS == 3) | (ROWS == 8))[..., None] & ~edge[..., None], scaled(out, 1.14), out)
    if front:
        lock = letters(
            "kkkk\nkwsk\nkwsk\nkSSk\n.kk.", {"k": "26262a", "w": "f0f0f0", "s": "c4c8cc", "S": "8d9196"}, 5, 4
        )
        out[5:10, 6:10] = painted(out[5:10, 6:10], lock)
    return out


def chest_top(noise: Noise) -> Picture:
    """Boards in a dark frame."""
    out = ramp(ranked(noise.soft(139, 16, 4) + 0.2 * noise.white(140)), CHEST_WOOD)
    return np.where((EDGE >= 6)[..., None], rgba("3a2610"), out)


def torch(top: int) -> Picture:
    """Sticks at columns 2-3, 7-8 and 12-13 from row ``top`` down, so that each side of a torch's box finds one.

    The box of a standing torch fills rows 6..15, that of one on a wall rows 3..12.
    """
    out = empty()
    column = ["ffffff fff2b0", "ffe27a ffc83d", "ffb02e e8861c", "8a6a3c 6a4f2a", "94733f 664b27", "8a6a3c 5d4424"]
    for left in (2, 7, 12):
        for row in range(top, 16):
            pair = column[min(row - top, 5)] if row - top < 3 else column[3 + (row - top) % 3]
            out[row, left], out[row, left + 1] = (rgba(c) for c in pair.split())
    return out


def ladder(noise: Noise) -> Picture:
    """Two rails and four rungs, with gaps between them."""
    out = empty()
    wood = ramp(noise.soft(143, 4, 8) * 0.6 + 0.4 * noise.white(144), "7a5c33 8c6b3d 9c7945 aa8750")
    rail = (COLS == 2) | (COLS == 3) | (COLS == 12) | (COLS == 13)
    rung = (ROWS % 4 == 1) | (ROWS % 4 == 2)
    out = np.where((rail | rung)[..., None], scaled(wood, np.where(ROWS % 4 == 2, 0.75, 1.0)), out)
    out = np.where(rail[..., None], scaled(wood, np.where((COLS == 3) | (COLS == 13), 0.72, 1.05)), out)
    out[:, [0, 15]] = 0
    return out


def door(noise: Noise, upper: bool) -> Picture:
    """Half a door: windows above, panels and a handle below."""
    wood = ramp(ranked(noise.soft(146, 4, 16) + 0.2 * noise.white(147)), "7d6038 8a6b40 957547 a08050 ac8c5b")
    out = wood
    frame = (COLS < 2) | (COLS > 13) | ((ROWS < 2) if upper else (ROWS > 13))
    panels = ((3, 7), (9, 13)) if upper else ((2, 6), (8, 12))
    for first, last in panels:
        inside = (ROWS >= first) & (ROWS <= last) & (COLS >= 3) & (COLS <= 12)
        if upper:  # two rows of small windows
            pane = inside & (COLS != 7) & (COLS != 8)
            out = np.where(pane[..., None], rgba("00000000"), out)
            rim = pane & ((ROWS == first) | (COLS == 3) | (COLS == 9))
            out = np.where(rim[..., None], rgba("5f4727"), out)
        else:
            sunk = np.where((ROWS == first) | (COLS == 3), 0.62, np.where((ROWS == last) | (COLS == 12), 1.15, 0.86))
            out = np.where(inside[..., None], scaled(out, sunk), out)
    out = np.where(frame[..., None], scaled(wood, 0.84), out)
    if not upper:
        out[0:2, 12] = rgba("3b3b3b")
        out[0:2, 13] = rgba("8c8c8c")
    return out


def glass(noise: Noise) -> Picture:
    """A bright frame with two streaks of light; the rest is a hole."""
    out = empty()
    out = np.where((EDGE == 7)[..., None], ramp(np.where((ROWS == 0) | (COLS == 0), 0.9, 0.2), "a9ccd4 d8f0f4"), out)
    shine = (
        ((ROWS + COLS == 8) & (ROWS > 1) & (COLS > 1))
        | ((ROWS + COLS == 10) & (ROWS > 3) & (COLS > 3))
        | ((ROWS + COLS == 23) & (EDGE < 5))
    )
    return np.where(shine[..., None], rgba("eefafc"), out)


def wool(noise: Noise) -> Picture:
    """A coarse white weave."""
    weave = noise.soft(150, 8, 8) + 0.25 * ((ROWS + COLS) % 2) + 0.35 * noise.white(151)
    return ramp(ranked(weave), "d3d6d6 dde0e0 e5e8e8 ebeeee f2f4f4 fafbfb")


def bed_top(noise: Noise, head: bool) -> Picture:
    """Half a bed from above, its head towards the lower rows."""
    out = scaled(wool(noise), 0.97)
    if head:
        pillow = (ROWS >= 8) & (ROWS <= 14) & (COLS >= 2) & (COLS <= 13)
        out = scaled(out, np.where(ROWS == 5, 0.72, np.where(ROWS > 5, 0.8, 1.0)))
        puff = np.where((ROWS == 14) | (COLS == 13), 0.86, 1.0)
        out = np.where(pillow[..., None], scaled(plain("ffffff"), puff), out)
    rim = (COLS == 0) | (COLS == 15) | ((ROWS == 15) if head else (ROWS == 0))
    return np.where(rim[..., None], scaled(out, 0.86), out)


def bed_side(noise: Noise) -> Picture:
    """Blanket in rows 7..10, frame and feet below it."""
    out = scaled(wool(noise), np.where(ROWS == 10, 0.7, 0.9))
    return np.where((ROWS >= 11)[..., None], scaled(planks(noise, "oak"), np.where(ROWS == 11, 1.05, 0.8)), out)


def farmland(noise: Noise, wet: bool) -> Picture:
    """Furrows along the rows."""
    light = 0.35 + 0.4 * (COLS % 4 < 2) + 0.3 * (noise.white(154) - 0.5) + 0.2 * (noise.soft(155, 8, 8) - 0.5)
    return ramp(light, "2c190d 3a2212 452a17 50321c 5c3b23" if wet else "5f4029 6f4c32 7f5a3d 8e6848 9c7654")
