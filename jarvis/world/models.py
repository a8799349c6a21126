"""Animals, monsters and the player's body as boxes with a picture on each face.

A model stands with its feet at the origin and looks along +z (yaw 0); y is up, +x is its left. Every face shows a whole
16 x 16 picture, stretched: seen from outside, row 0 is the top and columns run to the right on the sides (face -x:
column grows with z; +x: with -z; -z: with -x; +z: with x); on top and bottom columns grow with x and rows with z. The
face is face 5 (+z) of a head.

Turns are right-handed: about x, y to z; about y, z to x; about z, x to y. So lifting an arm forward is a negative turn
about x.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jarvis.world.pixels import Noise, letters, noise_of, ramp, ranked, rgba
from jarvis.world.rules import RULES
from jarvis.world.textures import varied

STILL, HEAD, LEG_A, LEG_B, ARM_A, ARM_B, RAISED_ARM, WING_LEFT, WING_RIGHT, SPIDER_LEG = range(10)
SHEARED_SHEEP, PLAYER_MODEL = len(RULES.mobs) + 1, len(RULES.mobs) + 2  # kinds after those of RULES.mob_id
METRE = 1 / 16


class Models(NamedTuple):
    """Boxes of all models.

    Model ``k`` (a mob kind, SHEARED_SHEEP or PLAYER_MODEL) owns ``part_start[k] : part_start[k + 1]``. ``motion``
    says how a box moves: 0 not at all, 1 with the head, 2/3 a leg that swings forward/backward first, 4/5 an arm
    likewise, 6 an arm held out (given hanging: lift it forward by 90 degrees), 7/8 the left/right wing, 9..16 a
    spider's legs, front to back, left then right. ``rest`` turns a box about its pivot, x first, before any motion;
    most are 0.
    """

    part_start: np.ndarray  # (kinds + 2,) int32; kind 0 is empty
    size: np.ndarray  # (parts, 3) float32, metres along x, y, z
    offset: np.ndarray  # (parts, 3) float32, metres, middle of the box from the feet
    pivot: np.ndarray  # (parts, 3) float32, metres, the point it turns about
    rest: np.ndarray  # (parts, 3) float32, degrees about x, y, z
    motion: np.ndarray  # (parts,) uint8
    tiles: np.ndarray  # (parts, 6) uint16 picture of the faces -x, +x, -y, +y, -z, +z
    skins: np.ndarray  # (skins, 16, 16, 4) uint8 RGBA
    arm_tile: int  # picture of the player's own arm: sleeve in rows 0..4, skin below, knuckles in the last rows


@dataclass
class _Part:
    size: tuple[float, float, float]  # sixteenths of a metre, as all lengths here
    at: tuple[float, float, float]
    coat: str  # picture of all faces
    motion: int = STILL
    pivot: tuple[float, float, float] | None = None  # the middle if it does not turn
    rest: tuple[float, float, float] = (0, 0, 0)
    faces: dict[int, str] = field(default_factory=dict)  # other pictures by face


def fitted(picture: np.ndarray) -> np.ndarray:
    """A (rows, columns, 4) drawing stretched to 16 x 16 by nearest texels."""
    rows, cols = np.arange(16) * picture.shape[0] // 16, np.arange(16) * picture.shape[1] // 16
    return picture[rows][:, cols]


def coat(
    noise: Noise, key: int, colours: str, rows: int = 16, cols: int = 16, patches: str = "", share: float = 0.0
) -> np.ndarray:
    """Fur or cloth of ``rows`` x ``cols`` texels, with a ``share`` of large patches in other colours."""
    grain = ramp(ranked(noise.white(key) + 0.6 * noise.soft(key + 1, 8, 8)), colours)
    if patches:
        spot = ranked(noise.soft(key + 2, 4, 4) + 0.1 * noise.white(key + 3)) < share
        grain = np.where(spot[..., None], ramp(noise.white(key + 4), patches), grain)
    return fitted(grain[:rows, :cols])


COW = ("bbbwwbbb", "bbbwwbbb", "kWbwwbWk", "bbbwwbbb", "bbwwwwbb", "gggggggg", "gkggggkg", "gggmmggg")
PIG = ("pppppppp", "pppppppp", "pppppppp", "kWppppWk", "pppppppp", "pppppppp", "pppppppp", "pppppppp")
SHEEP = ("wwwwww", "wwwwww", "kWssWk", "ssssss", "sspps.", "ssmmss")
CHICKEN = ("wwww", "kwwk", "wwww", "wwww")
ZOMBIE = ("dgdddgdd", "gggggggg", "gggggggg", "gggggggg", "gkKggKkg", "ggggdggg", "ggdmmmgg", "gggggdgg")
SKELETON = ("wwwwwwww", "wwwwwgww", "wwwwwwww", "gkkwwkkg", "wkkwwkkw", "wwwkkwww", "gkgkgkgk", "wwwwwwww")
CREEPER = ("glgglglg", "gkkglkkg", "lkkggkkl", "gkkllkkg", "lggkkggl", "ggkkkkgg", "gkkggkkg", "gkgllgkg")
SPIDER = ("dddddddd", "drddddrd", "ddrrrrdd", "drRrrRrd", "drrddrrd", "dddddddd", "dfdddfdd", "dfddddfd")
FACE = ("hhhhhhhh", "hhhhhhhh", "hsssssdh", "ssssssss", "sWbssbWs", "sssddsss", "ssdmmdss", "ssssssss")


SKULL = """
wwwwwwww
wwwwwwww
wwwwwwww
wwwwwwww
wwwwwwww
gwwwwwwg
wgwwwwgw
wwwwwwww
"""
RIBS = """
wwwwwwww
wkkwwkkw
wwwwwwww
wkkwwkkw
wwwwwwww
wkkwwkkw
wwwwwwww
kkkwwkkk
kkkwwkkk
kkkwwkkk
wwwwwwww
kwwwwwwk
"""


def draw_skins(noise: Noise) -> dict[str, np.ndarray]:
    """The pictures of bodies by name."""

    def face(rows: tuple[str, ...], colours: dict[str, str]) -> np.ndarray:
        return fitted(letters("\n" + "\n".join(rows), colours, len(rows), len(rows[0])))

    green = "3f6b35 487a3d 518746 5c9450"
    dark = "231d1a 2c2521 352d28 3f3630"
    bone = "a9a9a6 b8b8b5 c6c6c3 d2d2cf"
    moss = "3f8a37 4fa145 62b456 7dca72 9edb95"
    skin = "b07d5e b98667 c28f6e c99877"
    shirt, trousers = "8e5a22 9c6528 a8702f b47b38", "363a80 3d428e 464b9b 4e54a8"
    tattered, worn = "247478 2a8286 31908f 1f6266", "33356f 3a3d7c 434788 2c2e60"
    skull = letters(SKULL, {"w": "c6c6c3", "g": "9a9a97"}, 8, 8)
    ribs = letters(RIBS, {"w": "c2c2bf", "k": "4a4a48"}, 12, 8)
    arm = coat(noise, 30, skin)
    sleeve = coat(noise, 34, shirt)
    arm = np.where((np.arange(16) < 5)[:, None, None], sleeve, arm)
    arm[5] = (arm[5] * 0.82).astype(np.uint8)
    arm[14:, [3, 7, 11]] = rgba("9a6b4f")
    arm[..., 3] = 255
    legs = {
        name: np.where((np.arange(16) < cut)[:, None, None], coat(noise, key, upper), coat(noise, key, lower))
        for name, key, cut, upper, lower in (
            ("cow_leg", 40, 12, "4a3223 543a29 5e4230", "2e2722 3a322c"),
            ("pig_leg", 44, 11, "e39a97 eca5a2 f2b0ac", "b86f6d a86361"),
            ("sheep_leg", 48, 12, "b8977c c4a287 cdae93", "57483c 4a3d33"),
            ("zombie_leg", 52, 13, worn, "3a3a3a 444444"),
            ("player_leg", 56, 13, trousers, "4a4a4a 555555"),
            ("zombie_arm", 60, 6, tattered, green),
            ("player_arm", 64, 6, shirt, skin),
            ("creeper_leg", 68, 11, moss, "2c5a28 1d3d1b 5b8f55"),
        )
    }
    return legs | {
        "cow": coat(noise, 70, "452e20 4e3526 573c2b 604431", patches="c9c4bc d6d2cb b9b3aa", share=0.3),
        "cow_head": coat(noise, 75, "452e20 4e3526 573c2b 604431", 8, 8),
        "cow_face": face(
            COW, {"b": "543a29", "w": "d8d4cd", "k": "120d0a", "W": "f4f4f4", "g": "a89a94", "m": "6b5a57"}
        ),
        "horn": coat(noise, 78, "cfc8b4 b9b19b"),
        "udder": coat(noise, 79, "e8b3a8 dda195"),
        "pig": coat(noise, 80, "e59c99 eca5a2 f0aca9 f5b7b3"),
        "pig_face": face(PIG, {"p": "efa9a6", "k": "17100f", "W": "ffffff"}),
        "snout": face(("pppp", "kPPk", "pppp"), {"p": "d88683", "P": "cb7674", "k": "6f3533"}),
        "fleece": coat(noise, 84, "cfcfcb dbdbd7 e5e5e2 eeeeec f6f6f5"),
        "sheep_skin": coat(noise, 87, "c9a98d d2b398 dabda3", patches="e6d6c6 efe4d8", share=0.3),
        "sheep_face": face(
            SHEEP,
            {"w": "ecece9", "s": "cbab90", "k": "15110e", "W": "ffffff", "p": "e0a8a0", "m": "8f6b5c", ".": "cbab90"},
        ),
        "sheared_face": face(
            SHEEP,
            {"w": "d2b398", "s": "cbab90", "k": "15110e", "W": "ffffff", "p": "e0a8a0", "m": "8f6b5c", ".": "cbab90"},
        ),
        "feathers": coat(noise, 92, "dcdcdc e8e8e8 f2f2f2 fbfbfb"),
        "chicken_face": face(CHICKEN, {"w": "f2f2f2", "k": "141414"}),
        "beak": coat(noise, 95, "d99a26 e6aa34 c98a1c"),
        "wattle": coat(noise, 96, "c7201a d93028 b01510"),
        "shank": coat(noise, 97, "d99a26 c98a1c"),
        "zombie_skin": coat(noise, 98, green, 8, 8),
        "zombie_face": face(ZOMBIE, {"g": "518746", "d": "3f6b35", "k": "0a0f0a", "K": "1f2f1c", "m": "22361d"}),
        "zombie_shirt": coat(noise, 101, tattered),
        "bone": coat(noise, 104, bone, 16, 4),
        "skull": fitted(skull),
        "skull_face": face(SKELETON, {"w": "c9c9c6", "g": "9d9d9a", "k": "222222"}),
        "ribs": fitted(ribs),
        "bow_wood": coat(noise, 107, "5b4022 6d4d2a 7d5a33"),
        "creeper": coat(noise, 109, moss, patches="d4e9d0 b7dab1", share=0.12),
        "creeper_face": face(CREEPER, {"g": "58ab4d", "l": "8fd184", "k": "0c140b"}),
        "spider": coat(noise, 114, dark),
        "spider_face": face(SPIDER, {"d": "2c2521", "r": "c4130c", "R": "ff5a4a", "f": "8d7f76"}),
        "spider_leg": coat(noise, 117, "241e1b 2c2521 453a33", 4, 16),
        "skin": coat(noise, 119, skin, 8, 8),
        "hair": coat(noise, 122, "2f1f10 3a2716 45301c", 8, 8),
        "face": face(FACE, {"h": "3a2716", "s": "c28f6e", "d": "a87355", "W": "f6f6f6", "b": "3b5fb0", "m": "7d4436"}),
        "shirt": coat(noise, 125, shirt),
        "arm": arm,
    }


def _legs(coat_name: str, size: tuple[float, float, float], x: float, front: float, back: float) -> list[_Part]:
    """Four legs; those across from each other swing together."""
    parts = []
    for side, z, motion in ((x, front, LEG_A), (-x, front, LEG_B), (x, back, LEG_B), (-x, back, LEG_A)):
        parts.append(_Part(size, (side, size[1] / 2, z), coat_name, motion, (side, size[1], z)))
    return parts


def _biped(head: str, face: str, body: str, arm: str, leg: str, thick: float, arms: tuple[int, int]) -> list[_Part]:
    neck, reach = (0, 24, 0), 4 + thick / 2
    parts = [
        _Part((8, 8, 8), (0, 28, 0), head, HEAD, neck, faces={5: face}),
        _Part((8, 12, 4), (0, 18, 0), body),
        _Part((thick, 12, thick), (2, 6, 0), leg, LEG_A, (2, 12, 0)),
        _Part((thick, 12, thick), (-2, 6, 0), leg, LEG_B, (-2, 12, 0)),
        _Part((thick, 12, thick), (reach, 18, 0), arm, arms[0], (reach, 22, 0)),
        _Part((thick, 12, thick), (-reach, 18, 0), arm, arms[1], (-reach, 22, 0)),
    ]
    return parts


def _spider() -> list[_Part]:
    parts = [
        _Part((8, 8, 8), (0, 9, 7), "spider", HEAD, (0, 9, 3), faces={5: "spider_face"}),
        _Part((6, 6, 6), (0, 9, 0), "spider"),
        _Part((10, 8, 12), (0, 9.5, -9), "spider"),
    ]
    for side in (1, -1):
        for i, (fan, droop) in enumerate(((42, 40), (16, 34), (-16, 34), (-42, 40))):
            z = 2.4 - 1.6 * i
            parts.append(
                _Part(
                    (15, 2, 2),
                    (side * 10.5, 9, z),
                    "spider_leg",
                    SPIDER_LEG + i + (0 if side > 0 else 4),
                    (side * 3, 9, z),
                    rest=(0, -side * fan, -side * droop),
                )
            )
    return parts


def mob_parts() -> dict[str, list[_Part]]:
    """The boxes of each model by name."""
    sheep_head = _Part((6, 6, 8), (0, 19, 11), "sheep_skin", HEAD, (0, 18, 8), faces={5: "sheep_face"})
    cow_neck, pig_neck, sheep_neck = (0, 20, 8), (0, 12, 6), (0, 18, 8)
    fleece = [
        _Part((12, 10, 19), (0, 16, 0), "fleece"),
        _Part((7.4, 7.4, 6.4), (0, 19.4, 9.8), "fleece", HEAD, sheep_neck),
    ]
    for leg in _legs("fleece", (5, 7, 5), 3, 5, -7):
        leg.at = (leg.at[0], 9, leg.at[2])
        leg.pivot = (leg.at[0], 12, leg.at[2])
        fleece.append(leg)
    bow = _Part((1, 1.5, 15), (-5, 12.5, 0), "bow_wood", RAISED_ARM, (-5, 22, 0))
    return {
        "cow": [
            _Part((12, 10, 18), (0, 17, 0), "cow"),
            _Part((8, 8, 6), (0, 20, 11), "cow_head", HEAD, cow_neck, faces={5: "cow_face"}),
            _Part((1, 3, 1), (4.5, 24, 10), "horn", HEAD, cow_neck),
            _Part((1, 3, 1), (-4.5, 24, 10), "horn", HEAD, cow_neck),
            _Part((4, 1, 5), (0, 11.5, -5), "udder"),
            *_legs("cow_leg", (4, 12, 4), 4, 6.5, -6.5),
        ],
        "pig": [
            _Part((10, 8, 16), (0, 10, 0), "pig"),
            _Part((8, 8, 8), (0, 12, 10), "pig", HEAD, pig_neck, faces={5: "pig_face"}),
            _Part((4, 3, 1), (0, 10.5, 14.5), "snout", HEAD, pig_neck),
            *_legs("pig_leg", (4, 6, 4), 3, 5, -6),
        ],
        "sheep": [*fleece, sheep_head, *_legs("sheep_leg", (4, 12, 4), 3, 5, -7)],
        "chicken": [
            _Part((6, 6, 8), (0, 8, 0), "feathers"),
            _Part((4, 6, 3), (0, 12, 4.5), "feathers", HEAD, (0, 9, 4), faces={5: "chicken_face"}),
            _Part((4, 2, 2), (0, 12, 7), "beak", HEAD, (0, 9, 4)),
            _Part((2, 2, 1), (0, 10, 6.5), "wattle", HEAD, (0, 9, 4)),
            _Part((1, 4, 6), (3.5, 9, 0), "feathers", WING_LEFT, (3, 11, 0)),
            _Part((1, 4, 6), (-3.5, 9, 0), "feathers", WING_RIGHT, (-3, 11, 0)),
            _Part((1, 5, 1), (1.5, 2.5, 0.5), "shank", LEG_A, (1.5, 5, 0.5)),
            _Part((1, 5, 1), (-1.5, 2.5, 0.5), "shank", LEG_B, (-1.5, 5, 0.5)),
            _Part((3, 0.4, 3), (1.5, 0.2, 1.5), "shank", LEG_A, (1.5, 5, 0.5)),
            _Part((3, 0.4, 3), (-1.5, 0.2, 1.5), "shank", LEG_B, (-1.5, 5, 0.5)),
        ],
        "zombie": _biped(
            "zombie_skin", "zombie_face", "zombie_shirt", "zombie_arm", "zombie_leg", 4, (RAISED_ARM, RAISED_ARM)
        ),
        "skeleton": [*_biped("skull", "skull_face", "ribs", "bone", "bone", 2, (RAISED_ARM, RAISED_ARM)), bow],
        "creeper": [
            _Part((8, 8, 8), (0, 22, 0), "creeper", HEAD, (0, 18, 0), faces={5: "creeper_face"}),
            _Part((8, 12, 4), (0, 12, 0), "creeper"),
            *_legs("creeper_leg", (4, 6, 4), 2, 4, -4),
        ],
        "spider": _spider(),
        "sheared_sheep": [
            _Part((8, 6, 16), (0, 15, 0), "sheep_skin"),
            _Part(sheep_head.size, sheep_head.at, "sheep_skin", HEAD, sheep_head.pivot, faces={5: "sheared_face"}),
            *_legs("sheep_leg", (4, 12, 4), 3, 5, -7),
        ],
        "player": _biped("hair", "face", "shirt", "player_arm", "player_leg", 4, (ARM_A, ARM_B)),
    }


@lru_cache(maxsize=8)
def build_models(palette: int = 0) -> Models:
    """The models of a palette, drawn once per process. The arrays are shared: do not write to them."""
    skins = draw_skins(noise_of(palette + 1_000_003))
    index = {name: i for i, name in enumerate(skins)}
    pictures = np.ascontiguousarray(np.stack(list(skins.values())))
    models = mob_parts()
    start, parts = [0, 0], []
    for name in (*RULES.mobs, "sheared_sheep", "player"):
        parts += models[name]
        start.append(len(parts))
    return Models(
        part_start=np.array(start, np.int32),
        size=np.array([p.size for p in parts], np.float32) * np.float32(METRE),
        offset=np.array([p.at for p in parts], np.float32) * np.float32(METRE),
        pivot=np.array([p.pivot or p.at for p in parts], np.float32) * np.float32(METRE),
        rest=np.array([p.rest for p in parts], np.float32),
        motion=np.array([p.motion for p in parts], np.uint8),
        tiles=np.array([[index[p.faces.get(face, p.coat)] for face in range(6)] for p in parts], np.uint16),
        skins=varied(pictures, palette) if palette else pictures,
        arm_tile=index["arm"],
    )
