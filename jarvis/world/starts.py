"""How a world begins: honouring a StartState completely, and places to stand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from jarvis.core.errors import StartStateError, UnknownNameError, nearest_names
from jarvis.core.start_states import StartState
from jarvis.world import ids, mobs, updates
from jarvis.world.bodies import box_free
from jarvis.world.combat import NEVER_DESPAWNS
from jarvis.world.inventory import HOTBAR, give
from jarvis.world.layout import EAST, HEIGHT, MASK, NORTH, SOUTH, WEST, Grid, get_block, uniform3
from jarvis.world.rules import RULES
from jarvis.world.shapes import CUBE, SHAPES, collision_boxes
from jarvis.world.terrain import BIOMES, RARITIES, TerrainConfig

if TYPE_CHECKING:
    from jarvis.world.chunks import Chunks
    from jarvis.world.world import World

FACTORS = {"rare": 0.35, "common": 1.0, "very common": 3.0}  # of a rarity level, times the rules' density
PLACE_TRIES = 2000  # for each block and mob
BODY_HALF = RULES.player["width"] / 2
Cell = tuple[int, int, int, int, int]  # x, y, z, block, meta
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))
_AROUND = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
_ROCK = frozenset(
    RULES.block(name)
    for name in ("stone", "granite", "diorite", "andesite", "dirt", "grass_block", "gravel", "sand", "sandstone")
)


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
    half = _room_half(start)
    if start.position is not None:
        x, y, z = start.position
        chunks.ensure(x, z)
        _make_room(chunks, x, y, z, half)
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
                _make_room(chunks, cx + 0.5, start.y, cz + 0.5, half)
                return cx + 0.5, float(start.y), cz + 0.5
    raise StartStateError(f"y: {start.y}, no dry place at this height near ({x:.0f}, {z:.0f}); try another seed")


def _room_half(start: StartState) -> int:
    """How far a room in the ground reaches from its middle: two cells, more if more is to lie and stand in it."""
    lying = sum(count for name, count in start.nearby.items() if not _in_walls(name)) + sum(start.mobs.values())
    return max(2, min(math.ceil(math.sqrt(9 + 3 * lying) / 2 - 0.5), start.nearby_radius - 1))


def _make_room(chunks: Chunks, x: float, y: float, z: float, half: int) -> None:
    """Where the ground is higher: a chamber 3 cells high with a floor and dry walls. Elsewhere: room for a body."""
    grid, solid = chunks.grid, RULES.table.solid
    low = math.floor(y)
    buried = grid.top[math.floor(x) & MASK, math.floor(z) & MASK] > low + 3
    xs = (math.floor(x - BODY_HALF), math.floor(x + BODY_HALF))
    zs = (math.floor(z - BODY_HALF), math.floor(z + BODY_HALF))
    if buried:
        xs = min(xs[0], math.floor(x) - half), max(xs[1], math.floor(x) + half)
        zs = min(zs[0], math.floor(z) - half), max(zs[1], math.floor(z) + half)
    high = low + 2 if buried else math.ceil(y + RULES.player["height"]) - 1
    for cx in range(xs[0] - 1, xs[1] + 2):
        for cz in range(zs[0] - 1, zs[1] + 2):
            outside = not (xs[0] <= cx <= xs[1] and zs[0] <= cz <= zs[1])
            for level in range(max(low - 1, 0), min(high + 2, HEIGHT)):
                here = get_block(grid, cx, level, cz)
                if outside or level > high:
                    if buried and RULES.table.liquid[here]:
                        chunks.put(cx, level, cz, ids.STONE, 0)
                elif level < low:
                    if not solid[here] and (buried or grid.top[cx & MASK, cz & MASK] > low):
                        chunks.put(cx, level, cz, ids.STONE, 0)
                elif here not in (ids.AIR, ids.BEDROCK) and (buried or solid[here]):
                    chunks.put(cx, level, cz, ids.AIR, 0)


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
    site = _Site(world, start.nearby_radius)
    for name, count in start.nearby.items():
        site.fill("nearby", name, count, site.put_block, RULES.block(name))
    for name, count in start.mobs.items():
        site.fill("mobs", name, count, site.put_mob, RULES.mob(name))


def _in_walls(name: str) -> bool:
    return name.endswith("_ore")


class _Site:
    """The surroundings of the player while they are arranged: what has been put there is not put away again."""

    def __init__(self, world: World, radius: int) -> None:
        self.world, self.grid, self.radius = world, world.grid, radius
        p = world.player[0]
        self.at = float(p["x"]), float(p["y"]), float(p["z"])
        self.taken: set[tuple[int, int, int]] = set()  # only ever asked whether it holds one
        self.draw = 0

    def fill(self, field: str, name: str, count: int, put: Callable[[int, int, int, int], bool], ident: int) -> None:
        """Try random places until ``put(x, y, z, ident)`` has taken ``count`` of them."""
        for number in range(count):
            for _ in range(PLACE_TRIES):
                self.draw += 1
                if put(*self._place(), ident):
                    break
            else:
                raise StartStateError(
                    f"{field}: no room for {count - number} of {count} {name} within {self.radius} blocks; "
                    "ask for fewer or a larger nearby_radius"
                )

    def _place(self) -> tuple[int, int, int]:
        """A random cell within the radius of the player, all columns equally often, mostly near its height."""
        x, y, z = self.at
        seed, draw = self.world.seed, self.draw
        turn = uniform3(seed, draw, 0, 41) * 2 * math.pi
        far = math.sqrt(uniform3(seed, draw, 1, 41)) * (self.radius + 0.5)
        return (
            math.floor(x + far * math.cos(turn)),
            math.floor(y + uniform3(seed, draw, 2, 41) * 5 - 2),
            math.floor(z + far * math.sin(turn)),
        )

    def _near(self, x: int, y: int, z: int) -> bool:
        """Whether the middle of a cell is within the radius, sideways and in height, and 1 m away at least."""
        away = math.hypot(x + 0.5 - self.at[0], z + 0.5 - self.at[2])
        return 1.0 <= away <= max(self.radius, 1.5) and abs(y - self.at[1]) <= max(self.radius, 2)

    def _ground(self, x: int, y: int, z: int) -> int | None:
        """The height nearest to y at which an empty cell lies on a full block, if there is one within reach."""
        for step in range(self.radius + 3):
            for level in (y - step, y + step):
                if 1 <= level < HEIGHT - 1 and self._near(x, level, z):
                    here, below = get_block(self.grid, x, level, z), get_block(self.grid, x, level - 1, z)
                    dry = RULES.table.replaceable[here] and not RULES.table.liquid[here]
                    if dry and SHAPES.kind[below] == CUBE and (x, level, z) not in self.taken:
                        return level
        return None

    def put_block(self, x: int, y: int, z: int, block: int) -> bool:
        """Put a block on the ground at a column, or into the wall at a cell if it is an ore; whether that went."""
        cells = self._wall_cell(x, y, z, block) if _in_walls(RULES.blocks[block]) else []
        level = None if cells else self._ground(x, y, z)
        if level is not None:
            cells = self._ground_cells(x, level, z, block)
        for cx, cy, cz, what, meta in cells:
            bodies = collision_boxes(RULES.blocks[what], meta & 15)
            if (cx, cy, cz) in self.taken or not 0 < cy < HEIGHT or not self._near(cx, cy, cz):
                return False
            if bodies and self.world.body_in(cx, cy, cz, cx + 1, cy + 1, cz + 1):
                return False
        for cx, cy, cz, what, meta in cells:
            self.world.set_block(cx, cy, cz, what, meta)
            self.taken.add((cx, cy, cz))
        if block == ids.CACTUS and cells:  # which nothing may touch
            self.taken.update((x + dx, cells[0][1], z + dz) for dx, dz in _SIDES)
        return bool(cells)

    def _wall_cell(self, x: int, y: int, z: int, block: int) -> list[Cell]:
        """An ore takes the place of rock that can be seen, or after many tries of rock that cannot."""
        here = get_block(self.grid, x, y, z)
        rock = here in _ROCK and here != block
        seen = any(get_block(self.grid, x + dx, y + dy, z + dz) == ids.AIR for dx, dy, dz in _AROUND)
        return [(x, y, z, block, 0)] if rock and (seen or self.draw % 64 == 0) else []

    def _ground_cells(self, x: int, y: int, z: int, block: int) -> list[Cell]:
        """The cells that a block on the ground at (x, y, z) takes, with the soil it needs; none where it cannot be."""
        grid, solid = self.grid, RULES.table.solid
        below = get_block(grid, x, y - 1, z)
        if block in (ids.WATER, ids.LAVA):  # a pool, level with the ground
            walls = [get_block(grid, x + dx, y - 1, z + dz) for dx, dz in _SIDES]
            closed = all(solid[wall] or wall == block for wall in (*walls, get_block(grid, x, y - 2, z)))
            return [(x, y - 1, z, block, 0), (x, y, z, ids.AIR, 0)] if closed else []  # no plant floats on it
        if (x, y - 1, z) in self.taken and below != block:
            return []  # nothing is buried
        soil = {ids.WHEAT: ids.FARMLAND, ids.CACTUS: ids.SAND}.get(block, 0)
        if updates.is_plant(block) and not soil:
            soil = ids.GRASS_BLOCK
        ground = [(x, y - 1, z, soil, 0)] if soil and below != soil else []
        if block == ids.CACTUS:
            beside = [(x + dx, y, z + dz) for dx, dz in _SIDES]
            if any(solid[get_block(grid, *cell)] or cell in self.taken for cell in beside):
                return []
        if block == ids.OAK_DOOR:
            free = get_block(grid, x, y + 1, z) == ids.AIR
            return [(x, y, z, block, 0), (x, y + 1, z, block, 8)] if free else []
        if block == ids.WHITE_BED:
            head = get_block(grid, x, y, z + 1)
            free = RULES.table.replaceable[head] and not RULES.table.liquid[head]
            return [(x, y, z, block, 0), (x, y, z + 1, block, 4)] if free else []
        meta = 0
        if block == ids.LADDER:
            meta = next((m for m in range(1, 5) if updates.supported(grid, x, y, z, block, m)), 0)
            if not meta:  # it brings its own wall
                free = get_block(grid, x, y, z + 1) == ids.AIR
                return [(x, y, z + 1, ids.COBBLESTONE, 0), (x, y, z, block, SOUTH + 1)] if free else []
        elif block in (ids.FURNACE, ids.CHEST):
            meta = _facing(self.at[0] - x - 0.5, self.at[2] - z - 0.5)
        elif block == ids.WHEAT:
            meta = 7
        elif block in (ids.OAK_FENCE, ids.GLASS_PANE):
            meta = int(updates.joins(grid, x, y, z, block))
        elif updates.is_leaves(block):
            meta = 1  # as if placed, or they would decay
        elif not ground and not updates.supported(grid, x, y, z, block, 0):
            return []
        return [*ground, (x, y, z, block, meta)]

    def put_mob(self, x: int, y: int, z: int, kind: int) -> bool:
        """Let a mob stand on the ground of a column; whether there was room."""
        level = self._ground(x, y, z)
        if level is None:
            return False
        facts = RULES.data["mobs"][RULES.mobs[kind - 1]]
        half, mx, mz = facts["width"] / 2, x + 0.5, z + 0.5
        box = (mx - half, level, mz - half, mx + half, level + facts["height"], mz + half)
        world = self.world
        if not box_free(self.grid, *box) or world.body_in(*box):
            return False
        index = mobs.spawn(world.mobs, kind, mx, float(level), mz, np.uint64(world.seed), world.next_draw())
        world.mobs["flags"][index] |= NEVER_DESPAWNS
        return True


def _facing(dx: float, dz: float) -> int:
    """The side that looks most along (dx, dz)."""
    return (EAST if dx > 0 else WEST) if abs(dx) > abs(dz) else (SOUTH if dz > 0 else NORTH)
