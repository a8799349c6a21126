"""How a world begins: honouring a StartState completely, and places to stand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from jarvis.core.errors import StartStateError, UnknownNameError, nearest_names
from jarvis.core.start_states import StartState
from jarvis.world import ids, mobs, updates
from jarvis.world.bodies import box_free
from jarvis.world.combat import NEVER_DESPAWNS
from jarvis.world.inventory import HOTBAR, give
from jarvis.world.layout import HEIGHT, MASK, Grid, get_block, uniform3
from jarvis.world.rules import RULES
from jarvis.world.shapes import CUBE, SHAPES
from jarvis.world.terrain import BIOMES, RARITIES, TerrainConfig

if TYPE_CHECKING:
    from jarvis.world.chunks import Chunks
    from jarvis.world.world import World

FACTORS = {"rare": 0.35, "common": 1.0, "very common": 3.0}  # of a rarity level, times the rules' density
PLACE_TRIES = 4000


def check(start: StartState) -> None:
    """Raise UnknownNameError or StartStateError for what this world does not have."""
    if start.biome is not None and start.biome not in BIOMES:
        raise UnknownNameError("biome", start.biome, nearest_names(start.biome, BIOMES))
    for thing in start.rarity:
        if thing not in RARITIES:
            raise UnknownNameError("rarity", thing, nearest_names(thing, RARITIES))
    for name in start.nearby:
        if RULES.block(name) in (ids.AIR, ids.BEDROCK):
            raise StartStateError(f"nearby: {name} cannot be asked for")
    for name in start.mobs:
        RULES.mob(name)
    if sum(start.mobs.values()) > mobs.MAX_MOBS:
        raise StartStateError(f"mobs: {sum(start.mobs.values())} asked for, at most {mobs.MAX_MOBS} fit")
    stacks = len(start.slots)
    for name, count in start.inventory.items():
        stacks += math.ceil(count / int(RULES.stack_size[RULES.item(name)]))
    if stacks > 36:
        raise StartStateError(f"inventory: {stacks} stacks asked for, 36 fit")
    for slot, (name, count) in start.slots.items():
        if count > RULES.stack_size[RULES.item(name)]:
            raise StartStateError(f"slots[{slot}]: {count} {name}, at most {RULES.stack_size[RULES.item(name)]} stack")
    height = start.y if start.position is None else start.position[1]
    if height is not None and not 1 <= height <= HEIGHT - 3:
        raise StartStateError(f"y: {height}, expected 1 to {HEIGHT - 3}")


def terrain_config(start: StartState, seed: int, flat: bool) -> TerrainConfig:
    """The terrain that a start asks for."""
    factors = {name: FACTORS[level] for name, level in start.rarity.items()}
    return TerrainConfig(seed=seed, biome=start.biome, rarity=factors, flat=flat)


def spawn_point(chunks: Chunks, start: StartState) -> tuple[float, float, float]:
    """Where the player's feet begin, in metres; a room is dug there if the start names a height inside the ground."""
    if start.position is not None:
        x, y, z = start.position
        chunks.ensure(x, z)
        _make_room(chunks, math.floor(x), math.floor(y), math.floor(z))
        return x, y, z
    x, y, z = chunks.find_spawn()
    if start.y is None:
        return x, y, z
    chunks.ensure(x, z)
    level = math.floor(start.y)
    # the nearest column whose cell at this height can be a room: not in lava, not over a drop
    for distance in range(24):
        for turn in range(8):
            cx = math.floor(x) + round(distance * math.cos(turn * math.pi / 4))
            cz = math.floor(z) + round(distance * math.sin(turn * math.pi / 4))
            around = [
                get_block(chunks.grid, cx + dx, level + dy, cz + dz)
                for dx in (-1, 0, 1) for dz in (-1, 0, 1) for dy in (-1, 0, 1, 2)
            ]  # fmt: skip
            if not any(RULES.table.liquid[block] for block in around):
                _make_room(chunks, cx, level, cz)
                return cx + 0.5, float(start.y), cz + 0.5
    raise StartStateError(f"y: {start.y}, no dry place at this height near ({x:.0f}, {z:.0f}); try another seed")


def _make_room(chunks: Chunks, x: int, y: int, z: int) -> None:
    """Where the ground is higher: a chamber of 5 x 5 x 3 with a floor. Elsewhere: room for a body."""
    grid = chunks.grid
    buried = grid.top[x & MASK, z & MASK] > y + 3
    half, tall = (2, 3) if buried else (0, 2)
    for cx in range(x - half, x + half + 1):
        for cz in range(z - half, z + half + 1):
            for level in range(y, min(y + tall, HEIGHT)):
                here = get_block(grid, cx, level, cz)
                if here not in (ids.AIR, ids.BEDROCK) and (buried or RULES.table.solid[here]):
                    chunks.put(cx, level, cz, ids.AIR, 0)
            below = get_block(grid, cx, y - 1, cz)
            if y > 0 and not RULES.table.solid[below] and (buried or grid.top[cx & MASK, cz & MASK] > y):
                chunks.put(cx, y - 1, cz, ids.STONE, 0)


def free_height(grid: Grid, x: float, y: float, z: float) -> float:
    """The lowest height from y upwards at which a player fits."""
    while y < HEIGHT and not box_free(grid, x - 0.3, y, z - 0.3, x + 0.3, y + 1.8, z + 0.3):
        y = math.floor(y) + 1.0
    return y


def arrange(world: World, start: StartState) -> None:
    """Give the player's kit and put what the start asks for around the player."""
    for slot, (name, count) in start.slots.items():
        world.slots[HOTBAR + slot if slot < 9 else slot] = (RULES.item(name), count, 0)
    for name, count in start.inventory.items():
        left = give(world.slots, RULES.stack_size, RULES.item(name), count, 0)
        if left:
            raise StartStateError(f"inventory: no slot is left for {left} {name}")
    p = world.player[0]
    if start.health is not None:
        p["hp"] = start.health
    if start.food is not None:
        p["food"], p["saturation"] = start.food, min(5.0, float(start.food))
    draw = 0
    for name, count in start.nearby.items():
        draw = _put_nearby(world, RULES.block(name), count, start.nearby_radius, draw)
    for name, count in start.mobs.items():
        draw = _put_mobs(world, RULES.mob(name), count, start.nearby_radius, draw)
    if start.nearby or start.mobs:
        world.settle()


def _offsets(world: World, radius: int, draw: int) -> tuple[int, int, int]:
    """A random cell within a radius of the player, never where it stands."""
    p = world.player[0]
    turn = uniform3(world.seed, draw, 0, 41) * 2 * math.pi
    far = 1.5 + math.sqrt(uniform3(world.seed, draw, 1, 41)) * (radius - 1.5)
    return (
        math.floor(p["x"] + far * math.cos(turn)),
        math.floor(p["y"] + (uniform3(world.seed, draw, 2, 41) * 5 - 2)),
        math.floor(p["z"] + far * math.sin(turn)),
    )


def _ground(grid: Grid, x: int, y: int, z: int, reach: int) -> int | None:
    """The nearest height to y at which an empty cell lies on a full block, if there is one within reach."""
    for step in range(reach + 1):
        for level in (y - step, y + step):
            if 1 <= level < HEIGHT - 1:
                here, below = get_block(grid, x, level, z), get_block(grid, x, level - 1, z)
                if RULES.table.replaceable[here] and not RULES.table.liquid[here] and SHAPES.kind[below] == CUBE:
                    return level
    return None


def _put_nearby(world: World, block: int, count: int, radius: int, draw: int) -> int:
    """Place blocks of a kind on the ground around the player; ores and stone into walls where there are any."""
    grid = world.grid
    soil = {ids.WHEAT: ids.FARMLAND, ids.CACTUS: ids.SAND}.get(block)
    plant = updates.is_plant(block) and block != ids.WHEAT
    mineral = RULES.blocks[block].endswith("_ore")
    left, last = count, draw + PLACE_TRIES * count
    while left and draw < last:
        draw += 1
        x, y, z = _offsets(world, radius, draw)
        if mineral and SHAPES.kind[get_block(grid, x, y, z)] == CUBE and _open_side(grid, x, y, z):
            world.set_block(x, y, z, block, 0)
            left -= 1
            continue
        level = _ground(grid, x, y, z, radius)
        if level is None or world.body_in(x, level, z, x + 1, level + 1, z + 1):
            continue
        if block in (ids.WATER, ids.LAVA):
            if any(RULES.table.solid[get_block(grid, x + dx, level - 1, z + dz)] == 0
                   for dx, dz in ((1, 0), (-1, 0), (0, 1), (0, -1))):  # fmt: skip
                continue
            level -= 1  # a pool, level with the ground
        elif soil is not None:
            world.set_block(x, level - 1, z, soil, 0)
        elif plant and get_block(grid, x, level - 1, z) != ids.GRASS_BLOCK:
            world.set_block(x, level - 1, z, ids.GRASS_BLOCK, 0)
        meta = 7 if block == ids.WHEAT else 0
        if block == ids.OAK_DOOR:
            world.set_block(x, level + 1, z, block, 8)
        elif block == ids.WHITE_BED:
            if not RULES.table.replaceable[get_block(grid, x, level, z + 1)]:
                continue
            world.set_block(x, level, z + 1, block, 4)
        elif block == ids.LADDER or not updates.supported(grid, x, level, z, block, meta):
            walls = [m for m in range(1, 5) if updates.supported(grid, x, level, z, block, m)]
            if not walls:
                continue
            meta = walls[0]
        world.set_block(x, level, z, block, meta)
        left -= 1
    if left:
        raise StartStateError(
            f"nearby: no place for {left} of {count} {RULES.blocks[block]} within {radius} blocks; ask for fewer"
        )
    return draw


def _open_side(grid: Grid, x: int, y: int, z: int) -> bool:
    """Whether a cell can be seen from a neighbouring one."""
    around = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
    return any(get_block(grid, x + dx, y + dy, z + dz) == ids.AIR for dx, dy, dz in around)


def _put_mobs(world: World, kind: int, count: int, radius: int, draw: int) -> int:
    """Let mobs of a kind stand around the player."""
    width, height = (RULES.data["mobs"][RULES.mobs[kind - 1]][side] for side in ("width", "height"))
    last, left = draw + PLACE_TRIES * count, count
    while left and draw < last:
        draw += 1
        x, y, z = _offsets(world, max(radius, 3), draw)
        level = _ground(world.grid, x, y, z, radius)
        half = width / 2
        if level is None or not box_free(
            world.grid,
            x + 0.5 - half,
            level,
            z + 0.5 - half,
            x + 0.5 + half,
            level + height,
            z + 0.5 + half,
        ):
            continue
        index = mobs.spawn(world.mobs, kind, x + 0.5, float(level), z + 0.5, np.uint64(world.seed), draw)
        world.mobs["flags"][index] |= NEVER_DESPAWNS
        left -= 1
    if left:
        raise StartStateError(f"mobs: no room for {left} of {count} {RULES.mobs[kind - 1]} within {radius} blocks")
    return draw
