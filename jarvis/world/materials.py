"""Pictures of what the world is made of: stone, earth, fluids, wood, leaves, ores."""

from __future__ import annotations

import numpy as np

from jarvis.world.pixels import COLS, EDGE, ROWS, Noise, cells, painted, ramp, ranked, rgba, scaled

Picture = np.ndarray  # (16, 16, 4) uint8 RGBA
WOODS = ("oak", "birch", "spruce")


# stone and earth


def stone(noise: Noise, key: int = 0) -> Picture:
    """Smooth stone: flat, slightly darker and lighter flecks."""
    flecks = noise.soft(key, 16, 8) + 0.55 * noise.soft(key + 1, 8, 4) + 0.25 * noise.white(key + 2)
    return ramp(ranked(flecks), "6b6b6b 747474 7a7a7a 7f7f7f 7f7f7f 838383 888888 8f8f8f")


def speckled(noise: Noise, key: int, base: str, grains: str, share: float) -> Picture:
    """Stone of small grains: the ``share`` of texels with the largest noise take the second ramp."""
    ground = ramp(ranked(noise.soft(key, 8, 8) + 0.4 * noise.white(key + 1)), base)
    lumps = ranked(noise.soft(key + 2, 16, 16) + 0.5 * noise.soft(key + 3, 8, 8))
    return np.where((lumps > 1 - share)[..., None], ramp(ranked(noise.white(key + 4)), grains), ground)


def bedrock(noise: Noise) -> Picture:
    """Rough black and grey lumps."""
    lumps = noise.soft(10, 8, 8) + 0.5 * noise.soft(11, 16, 8)
    return ramp(ranked(lumps), "1e1e1e 2f2f2f 454545 555555 6a6a6a 868686 a2a2a2")


COBBLES = [
    (1, 2),
    (2, 7.5),
    (1.5, 13),
    (6, 0.5),
    (6.5, 4.8),
    (6, 10.5),
    (10.5, 14),
    (10.5, 7.6),
    (11, 2.4),
    (14.6, 5),
    (14.8, 10.6),
]


def cobblestone(noise: Noise) -> Picture:
    """Rounded stones in mortar, lit from the upper left."""
    owner, margin, slope = cells(COBBLES)
    tone = np.array([0.52, 0.66, 0.44, 0.6, 0.5, 0.7, 0.56, 0.46, 0.68, 0.5, 0.6])[owner]
    light = tone - 0.085 * slope + 0.14 * (noise.white(15) - 0.5)
    out = ramp(light, "5c5c5c 6c6c6c 7b7b7b 8a8a8a 999999 a8a8a8 b6b6b6 c4c4c4")
    return np.where((margin < 1.05)[..., None], ramp(noise.white(16), "4f4f4f 595959 636363"), out)


def mossy(noise: Noise) -> Picture:
    """Cobblestone grown over with moss, the joints first."""
    _, margin, slope = cells(COBBLES)
    grown = ranked(noise.soft(18, 4, 4) - 0.07 * margin + 0.25 * noise.white(19)) > 0.58
    moss = ramp(ranked(noise.white(20) - 0.12 * slope), "3f5526 4d662c 5c7833 6d8b3d")
    return np.where(grown[..., None], moss, cobblestone(noise))


def courses(
    noise: Noise, key: int, height: int, length: int, joints: tuple[int, ...], face: str, mortar: str, bevel: float
) -> Picture:
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
    """Brown clods with a pebble here and there."""
    clods = noise.soft(26, 8, 8) + 0.9 * noise.white(27)
    out = ramp(ranked(clods), "5c3f29 6c4b32 79553a 866043 8d6648 977050 a57d5c")
    pebble = noise.white(28) > 0.985
    return np.where(pebble[..., None], rgba("8a8279"), out)


def turf(noise: Noise, colours: str = "435d28 4a652b 4f6b2e 547033 597636 607e3b 6b8b43") -> Picture:
    """Grass seen from above."""
    blades = 0.7 * noise.soft(30, 16, 8) + 1.1 * noise.white(31)
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
    """Small stones of several greys."""
    points = [
        (r * 4 + 2.6 * noise.white(36)[r, c], c * 4 + (r % 2) * 2 + 2.6 * noise.white(37)[r, c])
        for r in range(4)
        for c in range(4)
    ]
    owner, margin, slope = cells(points)
    stones = "6a6462 7f7a78 8e8684 a09a98 756b66 958f8d b1abab 847f7e".split()
    kind = np.array([int(v * 97) for v in noise.white(38).ravel()[: len(points)]])[owner] % len(stones)
    colours = np.stack([rgba(c) for c in stones])[kind]
    light = 1 - 0.075 * slope + 0.16 * (noise.white(39) - 0.5)
    return scaled(colours, np.where(margin < 0.8, 0.72, light))


def sand(noise: Noise) -> Picture:
    """Fine grains in faint waves."""
    waves = noise.soft(41, 8, 4) + 0.9 * noise.white(42)
    return ramp(ranked(waves), "c8bb87 d2c693 d9ce9c ddd3a2 ded4a4 e3daad eae3bd")


def sandstone(noise: Noise) -> Picture:
    """Layers of sand under a harder edge."""
    layers = ramp(ranked(noise.soft(44, 16, 2) + 0.35 * noise.white(45)), "c9b985 d2c48f d8cb98 dccfa0 e2d7a9")
    tone = np.where(
        ROWS < 3, 1.04, np.where(ROWS == 3, 0.86, np.where(ROWS > 12, 0.95, np.where(ROWS == 12, 0.88, 1.0)))
    )
    return scaled(layers, tone)


def clay(noise: Noise) -> Picture:
    """Smooth blue-grey."""
    return ramp(ranked(noise.soft(47, 8, 4) + 0.3 * noise.white(48)), "959ba8 9ba1ae a0a6b3 a4aab7 aab0bc")


def obsidian(noise: Noise) -> Picture:
    """Black glass with violet facets."""
    facets = noise.soft(50, 8, 8) + 0.5 * noise.white(51)
    return ramp(ranked(facets), "07050d 0b0813 0f0b19 140e22 1b1330 2a1d47 3d2b61")


def snow(noise: Noise) -> Picture:
    """White with faint blue hollows."""
    return ramp(ranked(noise.soft(53, 8, 8) + 0.4 * noise.white(54)), "e4eef2 eef5f8 f5fafb fafdfe ffffff")


def ice(noise: Noise) -> Picture:
    """Pale blue crossed by cracks; alpha 210."""
    crack = (ROWS + COLS + np.round(3 * noise.soft(57, 4, 4)).astype(int)) % 11 == 0
    out = ramp(ranked(noise.soft(56, 4, 8)), "86b0f2 8db6f7 93bbfb 9ac1fd")
    out = np.where(crack[..., None], rgba("c3dcff"), out)
    out[..., 3] = 210
    return out


# fluids and fire


def water(noise: Noise) -> Picture:
    """Long ripples; alpha 172."""
    ripples = noise.soft(60, 16, 4) + 0.5 * noise.soft(61, 8, 2) + 0.15 * noise.white(62)
    out = ramp(ranked(ripples), "2c4fa8 3056b2 345cbb 3862c4 3e69cc 4a77d6 638fe2")
    out[..., 3] = 172
    return out


def lava(noise: Noise) -> Picture:
    """Bright streams between darker crusts."""
    melt = noise.soft(64, 4, 4) + 0.45 * noise.soft(65, 8, 8) + 0.12 * noise.white(66)
    return ramp(ranked(melt), "a93009 c4440c d4570f e06b14 e87d1b f0952a f8b546 ffd97a")


def fire(noise: Noise) -> Picture:
    """Flames that rise from the lower edge."""
    height = 5 + 10 * ranked(noise.soft(68, 1, 8))[0]
    rise = (16 - ROWS) / height[None, :] + 0.35 * (noise.soft(69, 8, 16) - 0.5)
    out = ramp(rise, "fff6b0 ffe066 ffc23a ff9a20 f06a10 c8400a")
    out[..., 3] = np.where(rise < 1, 255, 0)
    return out


# wood


def bark(noise: Noise, wood: str) -> Picture:
    """The side of an upright log: oak in ridges, spruce in dark scales, birch white with black marks."""
    if wood == "birch":
        out = ramp(ranked(noise.soft(73, 8, 4) + 0.4 * noise.white(74)), "c9c7bf d3d1c9 dbd9d2 e1dfd9 e8e7e2 eeede9")
        out = scaled(out, np.where((COLS == 0) | (COLS == 15), 0.93, 1.0))
        for row, start, length in (
            (1, 9, 4),
            (2, 10, 2),
            (4, 1, 3),
            (6, 6, 5),
            (7, 7, 2),
            (9, 13, 3),
            (11, 2, 5),
            (12, 3, 3),
            (14, 10, 3),
        ):
            out[row, [(start + i) % 16 for i in range(length)]] = rgba("2e2b27")
            out[row, [(start - 1) % 16, (start + length) % 16]] = rgba("8b877e")
        return out
    key, colours = (
        (70, "3c2b17 4d3821 5f4729 6c5231 765a37 826541")
        if wood == "oak"
        else (77, "241708 2e1d0d 372411 402b15 4a331b 573d22")
    )
    ridges = 1.1 * noise.soft(key, 4, 16) + 0.6 * noise.soft(key + 1, 8, 8) + 0.2 * noise.white(key + 2)
    if wood == "spruce":
        ridges = ridges + 0.35 * ((ROWS + 3 * (COLS // 3)) % 6 == 0)
    return ramp(ranked(ridges), colours)


def rings(noise: Noise, wood: str) -> Picture:
    """The cut end of a log: a rim of bark and growth rings."""
    colours = {
        "oak": "7f6037 94733f b08d55 c19c63",
        "birch": "8f7d50 ab9661 c8b57c d6c48c",
        "spruce": "54391d 6b4b28 83603a 94703f",
    }[wood]
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
    """Four boards across, with joints and grain."""
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
    points = [
        (r * step + 3 * jitter[r, c], c * step + (r % 2) * 2 + 3 * jitter[c, r + 4]) for r in range(4) for c in range(4)
    ]
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
    """Stone with seven clusters of inclusions, ``colours`` from light to dark."""
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
    """Cut facets in a bevelled rim."""
    facet = abs((COLS - ROWS) % 8 - 3.5) / 4
    light = 0.35 + 0.35 * facet + 0.25 * noise.white(110)
    light = np.where(EDGE == 7, np.where((ROWS == 0) | (COLS == 0), 0.98, 0.02), light)
    return ramp(light, "2fa8a6 48c9c6 5fdedb 78ece8 9df6f2 c9fffb")


def coal_block(noise: Noise) -> Picture:
    """Black, faintly shiny lumps."""
    return ramp(ranked(noise.soft(112, 8, 8) + 0.5 * noise.white(113)), "080808 0f0f0f 141414 1a1a1a 232323 303030")
