"""The faces of blocks, drawn by our own code: bark, boards, stone, ores, plants, fluids.

``draw_tiles(palette)`` gives every picture by name. Colours keep close to what a player of the game expects (mean colours are
what a policy sees at 128 x 128), the drawings are our own.
"""

from __future__ import annotations

import numpy as np

from jarvis.world.pixels import (
    COLS,
    ROWS,
    Noise,
    blended,
    cells,
    empty,
    letters,
    noise_of,
    outlined,
    painted,
    plain,
    ramp,
    ranked,
    rgba,
    scaled,
)

Picture = np.ndarray  # (16, 16, 4) uint8 RGBA
EDGE = np.maximum(abs(COLS - 7.5), abs(ROWS - 7.5)).astype(int)  # 7 at the rim, 0 in the middle
WOODS = ("oak", "birch", "spruce")


# stone and earth


def stone(noise: Noise, key: int = 0) -> Picture:
    flecks = noise.soft(key, 16, 8) + 0.55 * noise.soft(key + 1, 8, 4) + 0.25 * noise.white(key + 2)
    return ramp(ranked(flecks), "6b6b6b 747474 7a7a7a 7f7f7f 7f7f7f 838383 888888 8f8f8f")


def speckled(noise: Noise, key: int, base: str, grains: str, share: float) -> Picture:
    """Stone of small grains: the ``share`` of texels with the largest noise take the second ramp."""
    ground = ramp(ranked(noise.soft(key, 8, 8) + 0.4 * noise.white(key + 1)), base)
    lumps = ranked(noise.soft(key + 2, 16, 16) + 0.5 * noise.soft(key + 3, 8, 8))
    return np.where((lumps > 1 - share)[..., None], ramp(ranked(noise.white(key + 4)), grains), ground)


def bedrock(noise: Noise) -> Picture:
    lumps = noise.soft(10, 8, 8) + 0.5 * noise.soft(11, 16, 8)
    return ramp(ranked(lumps), "1e1e1e 2f2f2f 454545 555555 6a6a6a 868686 a2a2a2")


COBBLES = [(1, 2), (2, 7.5), (1.5, 13), (6, 0.5), (6.5, 4.8), (6, 10.5), (10.5, 14), (10.5, 7.6), (11, 2.4), (14.6, 5), (14.8, 10.6)]


def cobblestone(noise: Noise) -> Picture:
    owner, margin, slope = cells(COBBLES)
    tone = np.array([0.52, 0.66, 0.44, 0.6, 0.5, 0.7, 0.56, 0.46, 0.68, 0.5, 0.6])[owner]
    light = tone - 0.085 * slope + 0.14 * (noise.white(15) - 0.5)
    out = ramp(light, "5c5c5c 6c6c6c 7b7b7b 8a8a8a 999999 a8a8a8 b6b6b6 c4c4c4")
    return np.where((margin < 1.05)[..., None], ramp(noise.white(16), "4f4f4f 595959 636363"), out)


def mossy(noise: Noise) -> Picture:
    _, margin, slope = cells(COBBLES)
    grown = ranked(noise.soft(18, 4, 4) - 0.07 * margin + 0.25 * noise.white(19)) > 0.58
    moss = ramp(ranked(noise.white(20) - 0.12 * slope), "3f5526 4d662c 5c7833 6d8b3d")
    return np.where(grown[..., None], moss, cobblestone(noise))


def courses(noise: Noise, key: int, height: int, length: int, joints: tuple[int, ...], face: str, mortar: str, bevel: float) -> Picture:
    """Brickwork: rows of ``height`` texels with a joint every ``length`` columns, shifted by ``joints`` row by row."""
    row = ROWS // height
    shift = np.array(joints)[row % len(joints)]
    down, along = ROWS % height, (COLS + shift) % length
    brick = row * 7 + ((COLS + shift) % 16) // length
    tone = noise.white(key).ravel()[brick]
    light = 0.25 + 0.42 * tone + 0.3 * noise.white(key + 1)
    light = light + bevel * ((down == 0) | (along == 0)) - bevel * ((down == height - 2) | (along == length - 2))
    out = ramp(light, face)
    joint = (down == height - 1) | (along == length - 1)
    return np.where(joint[..., None], ramp(noise.white(key + 2), mortar), out)


def dirt(noise: Noise) -> Picture:
    clods = noise.soft(26, 8, 8) + 0.9 * noise.white(27)
    out = ramp(ranked(clods), "5c3f29 6c4b32 79553a 866043 8d6648 977050 a57d5c")
    pebble = noise.white(28) > 0.985
    return np.where(pebble[..., None], rgba("8a8279"), out)


def turf(noise: Noise, colours: str = "415f26 4b6c2a 52762f 587f33 5f8838 67923e 729e47") -> Picture:
    blades = noise.soft(30, 8, 16) + 0.9 * noise.white(31) + 0.35 * noise.soft(32, 4, 4)
    return ramp(ranked(blades), colours)


def fringed(noise: Noise, ground: Picture, cover: Picture, depth: tuple[int, ...]) -> Picture:
    """The side of a covered block: the cover hangs down in an uneven fringe with a shadow below it."""
    hang = np.array(depth)
    below = ROWS - hang[None, :]
    out = scaled(ground, np.where((below >= 0) & (below < 1), 0.72, 1.0))
    light = np.where(ROWS == 0, 1.1, np.where(below == -1, 0.84, 1.0))
    return np.where((below < 0)[..., None], scaled(cover, light), out)


FRINGE = (3, 4, 3, 2, 3, 5, 4, 3, 3, 2, 4, 5, 3, 4, 2, 3)
DRIFT = (4, 4, 3, 4, 5, 5, 4, 3, 4, 4, 5, 4, 3, 3, 4, 5)


def gravel(noise: Noise) -> Picture:
    points = [(r * 4 + 2.6 * noise.white(36)[r, c], c * 4 + (r % 2) * 2 + 2.6 * noise.white(37)[r, c]) for r in range(4) for c in range(4)]
    owner, margin, slope = cells(points)
    stones = "6a6462 7f7a78 8e8684 a09a98 756b66 958f8d b1abab 847f7e".split()
    kind = np.array([int(v * 97) for v in noise.white(38).ravel()[: len(points)]])[owner] % len(stones)
    colours = np.stack([rgba(c) for c in stones])[kind]
    light = 1 - 0.075 * slope + 0.16 * (noise.white(39) - 0.5)
    return scaled(colours, np.where(margin < 0.8, 0.72, light))


def sand(noise: Noise) -> Picture:
    waves = noise.soft(41, 8, 4) + 0.9 * noise.white(42)
    return ramp(ranked(waves), "c8bb87 d2c693 d9ce9c ddd3a2 ded4a4 e3daad eae3bd")


def sandstone(noise: Noise) -> Picture:
    layers = ramp(ranked(noise.soft(44, 16, 2) + 0.35 * noise.white(45)), "c9b985 d2c48f d8cb98 dccfa0 e2d7a9")
    tone = np.where(ROWS < 3, 1.04, np.where(ROWS == 3, 0.86, np.where(ROWS > 12, 0.95, np.where(ROWS == 12, 0.88, 1.0))))
    return scaled(layers, tone)


def clay(noise: Noise) -> Picture:
    return ramp(ranked(noise.soft(47, 8, 4) + 0.3 * noise.white(48)), "959ba8 9ba1ae a0a6b3 a4aab7 aab0bc")


def obsidian(noise: Noise) -> Picture:
    facets = noise.soft(50, 8, 8) + 0.5 * noise.white(51)
    return ramp(ranked(facets), "07050d 0b0813 0f0b19 140e22 1b1330 2a1d47 3d2b61")


def snow(noise: Noise) -> Picture:
    return ramp(ranked(noise.soft(53, 8, 8) + 0.4 * noise.white(54)), "e4eef2 eef5f8 f5fafb fafdfe ffffff")


def ice(noise: Noise) -> Picture:
    crack = (ROWS + COLS + np.round(3 * noise.soft(57, 4, 4)).astype(int)) % 11 == 0
    out = ramp(ranked(noise.soft(56, 4, 8)), "86b0f2 8db6f7 93bbfb 9ac1fd")
    out = np.where(crack[..., None], rgba("c3dcff"), out)
    out[..., 3] = 210
    return out


# fluids and fire


def water(noise: Noise) -> Picture:
    ripples = noise.soft(60, 16, 4) + 0.5 * noise.soft(61, 8, 2) + 0.15 * noise.white(62)
    out = ramp(ranked(ripples), "2c4fa8 3056b2 345cbb 3862c4 3e69cc 4a77d6 638fe2")
    out[..., 3] = 172
    return out


def lava(noise: Noise) -> Picture:
    melt = noise.soft(64, 4, 4) + 0.45 * noise.soft(65, 8, 8) + 0.12 * noise.white(66)
    return ramp(ranked(melt), "a93009 c4440c d4570f e06b14 e87d1b f0952a f8b546 ffd97a")


def fire(noise: Noise) -> Picture:
    height = 5 + 10 * ranked(noise.soft(68, 1, 8))[0]
    rise = (16 - ROWS) / height[None, :] + 0.35 * (noise.soft(69, 8, 16) - 0.5)
    out = ramp(rise, "fff6b0 ffe066 ffc23a ff9a20 f06a10 c8400a")
    out[..., 3] = np.where(rise < 1, 255, 0)
    return out


# wood


def bark(noise: Noise, wood: str) -> Picture:
    if wood == "birch":
        out = ramp(ranked(noise.soft(73, 8, 4) + 0.4 * noise.white(74)), "c9c7bf d3d1c9 dbd9d2 e1dfd9 e8e7e2 eeede9")
        out = scaled(out, np.where((COLS == 0) | (COLS == 15), 0.93, 1.0))
        for row, start, length in ((1, 9, 4), (2, 10, 2), (4, 1, 3), (6, 6, 5), (7, 7, 2), (9, 13, 3), (11, 2, 5), (12, 3, 3), (14, 10, 3)):
            out[row, [(start + i) % 16 for i in range(length)]] = rgba("2e2b27")
            out[row, [(start - 1) % 16, (start + length) % 16]] = rgba("8b877e")
        return out
    key, colours = (70, "3c2b17 4d3821 5f4729 6c5231 765a37 826541") if wood == "oak" else (77, "241708 2e1d0d 372411 402b15 4a331b 573d22")
    ridges = 1.1 * noise.soft(key, 4, 16) + 0.6 * noise.soft(key + 1, 8, 8) + 0.2 * noise.white(key + 2)
    if wood == "spruce":
        ridges = ridges + 0.35 * ((ROWS + 3 * (COLS // 3)) % 6 == 0)
    return ramp(ranked(ridges), colours)


def rings(noise: Noise, wood: str) -> Picture:
    """The cut end of a log: a rim of bark and growth rings."""
    colours = {"oak": "7f6037 94733f b08d55 c19c63", "birch": "8f7d50 ab9661 c8b57c d6c48c", "spruce": "54391d 6b4b28 83603a 94703f"}[wood]
    reach = 0.62 * np.maximum(abs(COLS - 7.5), abs(ROWS - 7.5)) + 0.38 * np.hypot(COLS - 7.5, ROWS - 7.5)
    ring = np.floor(reach + 0.7 * (noise.soft(80, 4, 4) - 0.5)).astype(int)
    out = ramp(np.where(ring % 2 == 0, 0.55, 0.12) + 0.38 * noise.white(81), colours)
    out = np.where((EDGE == 6)[..., None], scaled(out, 0.78), out)
    return np.where((EDGE == 7)[..., None], bark(noise, wood), out)


PLANKS = {
    "oak": "9a7a48 a98852 b5935b be9c63 c9a96f",
    "birch": "b8a873 c7b880 d0c28a d8ca93 e2d6a0",
    "spruce": "64482a 72542f 7d5d35 86653b 927146",
}


def planks(noise: Noise, wood: str) -> Picture:
    board = ROWS // 4
    tone = np.array([0.02, -0.06, 0.07, -0.03])[board]
    grain = ranked(noise.soft(84, 16, 2) + 0.45 * noise.soft(85, 16, 8) + 0.1 * noise.white(86)) * 0.86 + 0.06 + tone
    end = np.array([12, 4, 9, 1])[board]
    light = np.where(ROWS % 4 == 3, 0.62, np.where(COLS == end, 0.7, np.where(COLS == (end + 1) % 16, 1.07, 1.0)))
    light = np.where(ROWS % 4 == 0, light * 1.04, light)
    return scaled(ramp(grain, PLANKS[wood]), light)


LEAVES = {
    "oak": "1f370d 294813 345a1a 406c21 4e7e2a 609138",
    "birch": "34491c 425b24 516e2e 618139 729347 87a758",
    "spruce": "1b3320 254229 2f5033 395f3d 446e48 527e56",
}


def leaves(noise: Noise, wood: str) -> Picture:
    """Clusters of leaves lit from above left, with holes between them."""
    key = {"oak": 90, "birch": 96, "spruce": 102}[wood]
    jitter = noise.white(key)
    step = 4
    points = [(r * step + 3 * jitter[r, c], c * step + (r % 2) * 2 + 3 * jitter[c, r + 4]) for r in range(4) for c in range(4)]
    _, margin, slope = cells(points)
    if wood == "spruce":  # needles: short upright strokes
        light = 1.2 * noise.soft(key + 1, 8, 16) + 0.6 * noise.white(key + 2) - 0.1 * slope
    else:
        light = 0.22 * margin - 0.17 * slope + 0.5 * noise.white(key + 2)
    out = ramp(ranked(light), LEAVES[wood])
    hole = ranked(0.8 * margin + 0.3 * slope * (wood == "oak") + 1.1 * noise.white(key + 3)) < 0.2
    out[..., 3] = np.where(hole, 0, 255)
    return out


# ores and minerals

CLUSTERS = (
    (1, 3, ("_12_", "1123", "_233")),
    (2, 11, ("12", "23")),
    (6, 7, ("_112", "1223", "233_")),
    (6, 14, ("11", "22", "_3")),
    (10, 1, ("_12", "123", "_3_")),
    (11, 10, ("112_", "2223", "_33_")),
    (14, 6, ("12", "23")),
)
ORES = {
    "coal_ore": ("4b4b4b 2b2b2b 171717", False, False),
    "iron_ore": ("efd2b8 d8ab8a a97f62", True, False),
    "gold_ore": ("fff7a0 fbd83f c9920f", False, True),
    "diamond_ore": ("d6fffb 5cecf2 25aab8", True, True),
    "redstone_ore": ("ff6a5c e0100a 8e0000", True, False),
    "lapis_ore": ("6d92f0 2857cc 142f8c", False, True),
}


def ore(noise: Noise, colours: str, mirror: bool, upside_down: bool, key: int = 0) -> Picture:
    out = stone(noise, key)
    inlay = np.zeros((16, 16), int)
    for row, col, lines in CLUSTERS:
        for i, line in enumerate(lines):
            for j, letter in enumerate(line):
                if letter != "_":
                    inlay[(row + i) % 16, (col + j) % 16] = int(letter)
    # NOTE: mirror the places only, so that the light stays at the upper left
    placed = np.roll(inlay[:, ::-1] if mirror else inlay, (5, 0) if upside_down else (0, 0), (0, 1))
    if mirror:
        placed = np.where(placed == 1, 1, placed)
    shadow = (np.roll(placed, (1, 1), (0, 1)) > 0) & (placed == 0)
    out = scaled(out, np.where(shadow, 0.74, 1.0))
    table = np.stack([rgba("00000000"), *(rgba(c) for c in colours.split())])
    return painted(out, table[placed])


def metal_block(noise: Noise, colours: str, key: int) -> Picture:
    """A cast block: bevelled rim, faint horizontal bands."""
    light = 0.5 + 0.1 * ((ROWS // 3) % 2) + 0.25 * (noise.soft(key, 16, 4) - 0.5)
    light = np.where(EDGE == 7, np.where((ROWS == 0) | (COLS == 0), 0.97, 0.05), light)
    return ramp(light, colours)


def gem_block(noise: Noise) -> Picture:
    facet = abs((COLS - ROWS) % 8 - 3.5) / 4
    light = 0.35 + 0.35 * facet + 0.25 * noise.white(110)
    light = np.where(EDGE == 7, np.where((ROWS == 0) | (COLS == 0), 0.98, 0.02), light)
    return ramp(light, "2fa8a6 48c9c6 5fdedb 78ece8 9df6f2 c9fffb")


def coal_block(noise: Noise) -> Picture:
    return ramp(ranked(noise.soft(112, 8, 8) + 0.5 * noise.white(113)), "080808 0f0f0f 141414 1a1a1a 232323 303030")


# plants

GREENS = {"d": "2c5a1c", "g": "3f7a26", "l": "5a9a35", "y": "8fbf4a"}
DANDELION = """






.....oyyo
....oyYYyo
....yYYYYy
....oyYyyo
.....oggo
......gd
...l..gd
...gl.gd.l
....glgdlg
.....ggdg
"""
POPPY = """




.....rrRr
....rRRRRr
....RRrRRm
....rRkkRm
....mRkkrm
.....mrmm
......gd
......gd..l
..l...gd.lg
..gl..gdlg
...gl.gdg
....gggd
"""


def tall_grass(noise: Noise) -> Picture:
    """Blades that rise from the ground and lean apart."""
    out = empty()
    for blade in range(15):
        foot, height, lean, tone = (noise.white(116)[blade, i] for i in range(4))
        x0, top = 1 + blade * 0.95, int(6 + 9 * height)
        for step in range(top):
            x = int(round(x0 + (lean - 0.5) * 7 * (step / 14) ** 1.6 + foot * 0.6))
            if 0 <= x < 16:
                level = min(5, int(tone * 2.2 + 4 * step / top))
                out[15 - step, x] = rgba("36541f 406426 4b742c 578434 65953e 78a850".split()[level])
    return out


def wheat(noise: Noise, age: int) -> Picture:
    """Wheat of age 0..7: more and taller stalks, green turning to gold, ears in the last ages."""
    out = empty()
    stalk = ["2f7a1f 4a9a30", "38822a 559f36", "46862b 68a53a", "548a2c 7cab3d", "6a8c2c 93ac3e", "868f2e ada93f", "a18f31 c3a645", "b08d35 d9b64f"][age]
    dark, light = (rgba(c) for c in stalk.split())
    height = (3, 4, 6, 8, 10, 11, 13, 14)[age]
    for i in range(8):
        lean = noise.white(118)[age, i]
        top = max(2, height - int(3 * noise.white(119)[age, i]))
        x = 2 * i
        for step in range(top):
            at = min(15, x + (1 if lean > 0.5 and step > top // 2 else 0))
            out[15 - step, at] = dark if step < top // 2 else light
        if age >= 3:
            out[15 - top // 2, min(15, x + 1)] = dark
        if age >= 5:  # the ear
            at = min(15, x + (1 if lean > 0.5 else 0))
            for step in range(top - 4, top):
                for dx, colour in ((0, light), (1 if step % 2 else -1, rgba("e8ca6a" if age == 7 else "b9b456"))):
                    if 0 <= at + dx < 16:
                        out[15 - step, at + dx] = colour
    return out


SAPLINGS = {
    "oak": """


......ll
....llgglg
...lggdgglg
..lggllggdg
..ggglggggd
...gdgggddg
....ggddgg
..lg.gdg.lg
..ggl.b.lgd
...dgbbgg
......bb
......bB
......bB
.....bbBb
""",
    "birch": """

......lg
.....lggl
....lgdggg
...lgglggd
...ggdgglg
....lggdgd
...lgglggg
...ggdgdgd
....gwkgd
......wk
.....gwkg
......kw
......wk
.....wwkw
""",
    "spruce": """
.......l
......lg
......ggd
.....lgdg
......gd
....lggggd
.....ggdg
...lgglggdd
.....gdgg
..llggggdgdd
....gggdgd
..lgglgggdgdd
....dggdgd
......bB
......bB
.....bbBb
""",
}


def sapling(wood: str) -> Picture:
    greens = {"oak": ("5d9b36", "457f28", "2f5f1b"), "birch": ("93b95c", "759f45", "557c30"), "spruce": ("4f7f52", "3a6640", "284b2f")}[wood]
    return letters(SAPLINGS[wood], {"l": greens[0], "g": greens[1], "d": greens[2], "b": "6d5130", "B": "4a3520", "w": "d9d7cf", "k": "6f6b63"}, standing=True)


def cactus_side(noise: Noise) -> Picture:
    rib = COLS % 4
    light = 0.62 - 0.2 * (rib == 3) + 0.16 * (rib == 1) + 0.22 * (noise.white(121) - 0.5)
    out = ramp(light, "2f5a1c 3f7026 4e8430 5c963a 6da84a 86ba62")
    spine = (rib == 3) & ((ROWS + 2 * (COLS // 4)) % 5 == 1)
    out = np.where(spine[..., None], rgba("1f3311"), out)
    tip = (rib == 2) & ((ROWS + 2 * (COLS // 4)) % 5 == 1)
    return np.where(tip[..., None], rgba("d9dcae"), out)


def cactus_top(noise: Noise) -> Picture:
    out = ramp(0.35 + 0.09 * EDGE * (EDGE % 2) + 0.2 * noise.white(122), "4e8430 5c963a 6da84a 86ba62 a2cd80")
    return np.where((EDGE >= 6)[..., None], cactus_side(noise), out)


# what people make

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
    out = scaled(planks(noise, "oak"), 0.8)
    post = (COLS < 2) | (COLS > 13)
    out = np.where(post[..., None], scaled(planks(noise, "spruce"), np.where((COLS == 1) | (COLS == 14), 0.7, 1.0)), out)
    rim = ramp(noise.white(128), "4b2d15 56351a 6d4725")
    out = np.where((ROWS < 2)[..., None], rim, np.where((ROWS == 2)[..., None], rgba("37200e"), out))
    tools = letters(tool, {"k": "2b1a0d", "s": "b9bdc2", "S": "7f858c", "h": "8a5f30", "H": "5e3d1b"})
    return painted(out, tools)


def furnace_body(noise: Noise) -> Picture:
    out = courses(noise, 130, 8, 8, (0, 4), "666666 6f6f6f 797979 838383 8c8c8c", "4a4a4a 525252", 0.1)
    return np.where((EDGE == 7)[..., None], ramp(np.where((ROWS == 0) | (COLS == 0), 0.9, 0.1), "565656 9a9a9a"), out)


def furnace_top(noise: Noise) -> Picture:
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
    out = painted(
        furnace_body(noise),
        letters(FURNACE, {"k": "1c1c1c", "o": "303030", ".": "00000000", "L": "a8a8a8", "d": "4a4a4a", "s": "3a3a3a", "S": "2a2a2a"}),
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
        lock = letters("kkkk\nkwsk\nkwsk\nkSSk\n.kk.", {"k": "26262a", "w": "f0f0f0", "s": "c4c8cc", "S": "8d9196"}, 5, 4)
        out[5:10, 6:10] = painted(out[5:10, 6:10], lock)
    return out


def chest_top(noise: Noise) -> Picture:
    out = ramp(ranked(noise.soft(139, 16, 4) + 0.2 * noise.white(140)), CHEST_WOOD)
    return np.where((EDGE >= 6)[..., None], rgba("3a2610"), out)


def torch(noise: Noise) -> Picture:
    """Sticks at columns 2-3, 7-8 and 12-13, so that the standing and the leaning torch both find theirs.

    Rows 6..15 are the standing torch's, rows 3..12 the one's on a wall; see ``torch_wall``.
    """
    return _torch(6)


def _torch(top: int) -> Picture:
    out = empty()
    column = ["ffffff fff2b0", "ffe27a ffc83d", "ffb02e e8861c", "8a6a3c 6a4f2a", "94733f 664b27", "8a6a3c 5d4424"]
    for left in (2, 7, 12):
        for row in range(top, 16):
            pair = column[min(row - top, 5)] if row - top < 3 else column[3 + (row - top) % 3]
            out[row, left], out[row, left + 1] = (rgba(c) for c in pair.split())
    return out


def ladder(noise: Noise) -> Picture:
    out = empty()
    wood = ramp(noise.soft(143, 4, 8) * 0.6 + 0.4 * noise.white(144), "7a5c33 8c6b3d 9c7945 aa8750")
    rail = (COLS == 2) | (COLS == 3) | (COLS == 12) | (COLS == 13)
    rung = (ROWS % 4 == 1) | (ROWS % 4 == 2)
    out = np.where((rail | rung)[..., None], scaled(wood, np.where(ROWS % 4 == 2, 0.75, 1.0)), out)
    out = np.where(rail[..., None], scaled(wood, np.where((COLS == 3) | (COLS == 13), 0.72, 1.05)), out)
    out[:, [0, 15]] = 0
    return out


def door(noise: Noise, upper: bool) -> Picture:
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
    out = empty()
    out = np.where((EDGE == 7)[..., None], ramp(np.where((ROWS == 0) | (COLS == 0), 0.9, 0.2), "a9ccd4 d8f0f4"), out)
    shine = ((ROWS + COLS == 8) & (ROWS > 1) & (COLS > 1)) | ((ROWS + COLS == 10) & (ROWS > 3) & (COLS > 3)) | ((ROWS + COLS == 23) & (EDGE < 5))
    return np.where(shine[..., None], rgba("eefafc"), out)


def wool(noise: Noise) -> Picture:
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


def draw_tiles(palette: int) -> dict[str, Picture]:
    """All pictures of block faces by name, in a fixed order."""
    noise = noise_of(palette)
    tiles: dict[str, Picture] = {
        "missing": np.where((((ROWS // 8) + (COLS // 8)) % 2 == 0)[..., None], rgba("e000e0"), rgba("101010")),
        "bedrock": bedrock(noise),
        "stone": stone(noise),
        "granite": speckled(noise, 160, "86584a 925f4d 9b6954 a3715c", "7a4c3e b58370 c1917f 6f463a", 0.34),
        "diorite": speckled(noise, 165, "b3b3b5 bfbfc1 cacacb d3d3d4", "8d8d90 9a9a9c e8e8e8 f2f2f2 7c7c80", 0.4),
        "andesite": speckled(noise, 170, "7f8080 858686 8a8b8b 909191", "747575 9b9c9c a5a6a5 6d6e6e", 0.3),
        "cobblestone": cobblestone(noise),
        "mossy_cobblestone": mossy(noise),
        "stone_bricks": courses(noise, 22, 8, 16, (0, 8), "6d6d6d 757575 7b7b7b 828282 8c8c8c 989898", "505050 595959", 0.17),
        "dirt": dirt(noise),
        "grass_top": turf(noise),
        "grass_side": fringed(noise, dirt(noise), turf(noise), FRINGE),
        "grass_snowy": fringed(noise, dirt(noise), snow(noise), DRIFT),
        "farmland_dry": farmland(noise, False),
        "farmland_wet": farmland(noise, True),
        "sand": sand(noise),
        "sandstone": sandstone(noise),
        "sandstone_top": ramp(ranked(noise.soft(46, 4, 4) + 0.4 * noise.white(45)), "d6c893 dccf9d e0d4a4 e5daad"),
        "gravel": gravel(noise),
        "clay": clay(noise),
        "bricks": courses(noise, 33, 4, 8, (0, 4), "84422f 904a36 9b533e a65d48 b36b56", "9f9890 aaa39b b3aca5", 0.08),
        "water": water(noise),
        "lava": lava(noise),
        "obsidian": obsidian(noise),
        "ice": ice(noise),
        "snow": snow(noise),
    }
    for wood in WOODS:
        side = bark(noise, wood)
        tiles[f"{wood}_log"] = side
        tiles[f"{wood}_log_lying"] = np.ascontiguousarray(side.swapaxes(0, 1))
        tiles[f"{wood}_log_end"] = rings(noise, wood)
        tiles[f"{wood}_planks"] = planks(noise, wood)
        tiles[f"{wood}_leaves"] = leaves(noise, wood)
        tiles[f"{wood}_sapling"] = sapling(wood)
    tiles |= {
        "table_top": table_top(noise),
        "table_front": table_side(noise, SAW),
        "table_side": table_side(noise, HAMMER),
        "furnace_top": furnace_top(noise),
        "furnace_side": furnace_body(noise),
        "furnace_front": furnace_front(noise, False),
        "furnace_lit": furnace_front(noise, True),
        "chest_top": chest_top(noise),
        "chest_side": chest_face(noise, False),
        "chest_front": chest_face(noise, True),
        "torch": torch(noise),
        "torch_wall": _torch(3),
        "torch_flame": plain("ffe27a"),
        "ladder": ladder(noise),
        "door_lower": door(noise, False),
        "door_upper": door(noise, True),
        "glass": glass(noise),
        "wool": wool(noise),
        "bed_side": bed_side(noise),
        "coal_block": coal_block(noise),
        "iron_block": metal_block(noise, "a8a8a8 c6c6c6 d3d3d3 dcdcdc e4e4e4 f4f4f4", 156),
        "diamond_block": gem_block(noise),
        "tall_grass": tall_grass(noise),
        "dandelion": letters(DANDELION, GREENS | {"o": "d9a900", "y": "f2cf1d", "Y": "fff06a"}, standing=True),
        "poppy": letters(POPPY, GREENS | {"r": "c81e17", "R": "ed302c", "m": "8f0f0f", "k": "241212"}, standing=True),
        "cactus_side": cactus_side(noise),
        "cactus_top": cactus_top(noise),
        "fire": fire(noise),
    }
    for facing in range(4):  # a bed's head lies south, west, north, east of its foot: quarter turns seen from above
        tiles[f"bed_foot_{facing}"] = np.rot90(bed_top(noise, False), -facing)
        tiles[f"bed_head_{facing}"] = np.rot90(bed_top(noise, True), -facing)
    for name, (colours, mirror, upside_down) in ORES.items():
        tiles[name] = ore(noise, colours, mirror, upside_down)
    tiles["redstone_ore_lit"] = scaled(ore(noise, "ff9a8c ff3020 c00000", True, False), 1.12)
    for age in range(8):
        tiles[f"wheat_{age}"] = wheat(noise, age)
    return tiles
