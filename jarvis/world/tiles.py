"""The faces of blocks by name, drawn by our own code.

Colours keep close to what a player of the game expects (mean colours are what a policy sees at 128 x 128), the drawings
are our own.
"""

from __future__ import annotations

import numpy as np

from jarvis.world.furnishings import (
    HAMMER,
    SAW,
    bed_side,
    bed_top,
    chest_face,
    chest_top,
    door,
    farmland,
    furnace_body,
    furnace_front,
    furnace_top,
    glass,
    ladder,
    table_side,
    table_top,
    torch,
    wool,
)
from jarvis.world.materials import (
    DRIFT,
    FRINGE,
    ORES,
    WOODS,
    Picture,
    bark,
    bedrock,
    clay,
    coal_block,
    cobblestone,
    courses,
    dirt,
    fire,
    fringed,
    gem_block,
    gravel,
    ice,
    lava,
    leaves,
    metal_block,
    mossy,
    obsidian,
    ore,
    planks,
    rings,
    sand,
    sandstone,
    snow,
    speckled,
    stone,
    turf,
    water,
)
from jarvis.world.pixels import COLS, ROWS, letters, noise_of, plain, ramp, ranked, rgba, scaled
from jarvis.world.plants import DANDELION, GREENS, POPPY, cactus_side, cactus_top, sapling, tall_grass, wheat


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
        "stone_bricks": courses(
            noise, 22, 8, 16, (0, 8), "6d6d6d 757575 7b7b7b 828282 8c8c8c 989898", "505050 595959", 0.17
        ),
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
        "torch": torch(6),
        "torch_wall": torch(3),
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
