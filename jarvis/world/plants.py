"""Pictures of plants: tall grass, flowers, saplings, wheat by age, cactus."""

from __future__ import annotations

import numpy as np

from jarvis.world.pixels import COLS, EDGE, ROWS, Noise, empty, letters, ramp, rgba

Picture = np.ndarray  # (16, 16, 4) uint8 RGBA

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
            x = round(x0 + (lean - 0.5) * 7 * (step / 14) ** 1.6 + foot * 0.6)
            if 0 <= x < 16:
                level = min(5, int(tone * 2.2 + 4 * step / top))
                out[15 - step, x] = rgba("35501f 3d5e25 476c2b 527933 60893c 749b4c".split()[level])
    return out


def wheat(noise: Noise, age: int) -> Picture:
    """Wheat of age 0..7: more and taller stalks, green turning to gold, ears in the last ages."""
    out = empty()
    stalk = [
        "2f7a1f 4a9a30",
        "38822a 559f36",
        "46862b 68a53a",
        "548a2c 7cab3d",
        "6a8c2c 93ac3e",
        "868f2e ada93f",
        "a18f31 c3a645",
        "b08d35 d9b64f",
    ][age]
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
    """A young tree, standing."""
    greens = {
        "oak": ("5d9b36", "457f28", "2f5f1b"),
        "birch": ("93b95c", "759f45", "557c30"),
        "spruce": ("4f7f52", "3a6640", "284b2f"),
    }[wood]
    return letters(
        SAPLINGS[wood],
        {"l": greens[0], "g": greens[1], "d": greens[2], "b": "6d5130", "B": "4a3520", "w": "d9d7cf", "k": "6f6b63"},
        standing=True,
    )


def cactus_side(noise: Noise) -> Picture:
    """Ribs with pale spines."""
    rib = COLS % 4
    light = 0.62 - 0.2 * (rib == 3) + 0.16 * (rib == 1) + 0.22 * (noise.white(121) - 0.5)
    out = ramp(light, "2f5a1c 3f7026 4e8430 5c963a 6da84a 86ba62")
    spine = (rib == 3) & ((ROWS + 2 * (COLS // 4)) % 5 == 1)
    out = np.where(spine[..., None], rgba("1f3311"), out)
    tip = (rib == 2) & ((ROWS + 2 * (COLS // 4)) % 5 == 1)
    return np.where(tip[..., None], rgba("d9dcae"), out)


def cactus_top(noise: Noise) -> Picture:
    """The cut surface of a cactus."""
    out = ramp(0.35 + 0.09 * EDGE * (EDGE % 2) + 0.2 * noise.white(122), "4e8430 5c963a 6da84a 86ba62 a2cd80")
    return np.where((EDGE >= 6)[..., None], cactus_side(noise), out)
