"""Crafter's maps and pictures, the same to the last bit and several times faster (jarvis.envs.crafter uses both).

Maps: the package asks its noise cell by cell; here each of its fields is made at once, and only the draws of random
numbers go cell by cell, in the package's order. EnvGen's knobs are other thresholds on the same fields.

Pictures: a cell looks the same wherever it is, by day and (but for the noise of the dark) by night. So a cell is drawn
once by the package's own code, kept, and put in place from then on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["Painter", "generate"]

# Each of the package's noise fields: (layer, {size: weight}, stretch of x, stretch of y)
_FIELDS: dict[str, tuple[int, dict[int, float], float, float]] = {
    "start": (8, {3: 1}, 1, 1), "water": (3, {15: 1, 5: 0.15}, 1, 1), "mountain": (0, {15: 1, 5: 0.3}, 1, 1),
    "cave": (6, {7: 1}, 1, 1), "tunnel_x": (7, {3: 1}, 2, 1 / 5), "tunnel_y": (7, {3: 1}, 1 / 5, 2),
    "coal": (1, {8: 1}, 1, 1), "iron": (2, {6: 1}, 1, 1), "lava": (6, {5: 1}, 1, 1), "sand": (4, {9: 1}, 1, 1),
    "tree": (5, {7: 1}, 1, 1),
}  # fmt: skip


@functools.cache
def _kernel() -> Callable[..., np.ndarray]:
    """The noise of a grid of points, compiled when first needed.

    NOTE: opensimplex has one as well. It is parallel, which costs more than it gains here, and aborts the process when
    two threads call it at once.
    """
    import numba
    from opensimplex.internals import _noise3 as noise_at

    @numba.njit(cache=True)
    def noise(x, y, z, perm, gradients):  # noqa: ANN001, ANN202
        values = np.empty((len(x), len(y)))
        for i in range(len(x)):
            for j in range(len(y)):
                values[i, j] = noise_at(x[i], y[j], z, perm, gradients)
        return values

    return noise  # type: ignore[no-any-return]


def _noise(simplex: Any, area: tuple[int, int], name: str, normalized: bool = True) -> np.ndarray:
    """(x, y) float64 of one field."""
    layer, sizes, stretch_x, stretch_y = _FIELDS[name]
    # NOTE: x / 5 is not x * 0.2 to the last bit.
    x, y = (
        np.arange(length, dtype=np.float64) * stretch if stretch >= 1 else np.arange(length) / round(1 / stretch)
        for length, stretch in zip(area, (stretch_x, stretch_y), strict=True)
    )
    value: Any = 0
    for size, weight in sizes.items():
        points = x / size, y / size, float(layer)
        value = value + weight * _kernel()(*points, simplex._perm, simplex._perm_grad_index3)
    return value / sum(sizes.values()) if normalized else value


def generate(worldgen: Any, world: Any, player: Any, start: Any, rarity: Mapping[str, Mapping[str, float]],
             usual: Mapping[str, float]) -> None:  # fmt: skip
    """Fills the world for a start state: the package's map if it sets neither biome nor rarity, else EnvGen's."""
    import opensimplex

    stock = start.biome is None and not start.rarity
    biome = start.biome or "natural"
    above = {thing: rarity[thing][start.rarity[thing]] if thing in start.rarity else usual[thing] for thing in rarity}
    simplex = opensimplex.OpenSimplex(seed=world.random.randint(0, 2**31 - 1))
    area = tuple(world.area)
    noise = {name: _noise(simplex, area, name, name != "water") for name in _FIELDS}
    xs, ys = np.arange(area[0])[:, None], np.arange(area[1])[None, :]
    distance = np.sqrt((xs - player.pos[0]) ** 2 + (ys - player.pos[1]) ** 2)
    near = 4 - distance
    near = near + 2 * noise["start"]
    near = 1 / (1 + np.exp(-near))
    water = noise["water"] + 0.1
    water = water - 2 * near
    mountain = noise["mountain"]
    mountain = mountain - (4 * near + 0.3 * water)
    cleared, ground = 0.5, "grass"
    if biome == "mountain":
        mountain, water, cleared, ground = 2 * np.abs(mountain), 0.1 * water, 0.6, "path"
    elif biome == "beaches":
        mountain, cleared = 0.1 * mountain, 0.8
    elif biome == "grassland":
        mountain, water, cleared = 0.1 * mountain, 0.1 * water, 0.6
    ids = world._mat_ids
    kind = np.full(area, ids["grass"], np.uint8)
    kind[water > 0.3] = ids["water"]
    kind[(water > 0.25) & (water <= 0.35) & (noise["sand"] > -0.2)] = ids["sand"]
    grown = kind == ids["grass"]
    rock, open_ground = mountain > 0.15, near > cleared
    cave = (noise["cave"] > 0.15) & (mountain > 0.3)
    tunnel = (noise["tunnel_x"] > 0.4) | (noise["tunnel_y"] > 0.4)
    kind[rock] = np.where((mountain > 0.3) & (noise["lava"] > 0.35), ids["lava"], ids["stone"])[rock]
    kind[rock & (cave | tunnel)] = ids["path"]
    kind[open_ground] = ids[ground]
    solid = rock & ~cave & ~tunnel & ~open_ground
    deep = mountain > 0.18
    chances = (
        [("coal", noise["coal"] > 0, 0.85), ("iron", noise["iron"] > 0.4, 0.75), ("diamond", deep, 0.994)]
        if stock
        else [(thing, deep, above[thing]) for thing in ("coal", "iron", "diamond")]
    )
    asked = {thing: (solid & where).tolist() for thing, where, _ in chances}
    trees = (grown & ~rock & ~open_ground & (noise["tree"] > 0)).tolist()
    cells = np.argwhere(np.array(trees) | (solid & np.any([where for _, where, _ in chances], axis=0)))
    draws = _Draws(world.random)
    for x, y in cells.tolist():
        if trees[x][y]:
            if draws.next() > above["tree"]:
                kind[x, y] = ids["tree"]
            continue
        for thing, _, bound in chances:
            if asked[thing][x][y] and draws.next() > bound:
                kind[x, y] = ids[thing]
                break
    world._mat_map[:] = kind
    draws.settle()
    tunnels = tunnel & rock & ~cave & ~open_ground
    _populate(worldgen, world, player, distance, kind, tunnels, ids, draws)


def _populate(worldgen: Any, world: Any, player: Any, distance: np.ndarray, kind: np.ndarray, tunnels: np.ndarray,
              ids: Mapping[str, int], draws: _Draws) -> None:  # fmt: skip
    """Cows, zombies and skeletons, by the package's chances and in its order."""
    objects = worldgen.objects
    walkable = (kind == ids["grass"]) | (kind == ids["path"]) | (kind == ids["sand"])
    grass = ((kind == ids["grass"]) & (distance > 3)).tolist()
    far, dark = (distance > 10).tolist(), ((kind == ids["path"]) & tunnels).tolist()
    for x, y in np.argwhere(walkable).tolist():
        if grass[x][y] and draws.next() > 0.985:
            thing = objects.Cow(world, (x, y))
        elif far[x][y] and draws.next() > 0.993:
            thing = objects.Zombie(world, (x, y), player)
        elif dark[x][y] and draws.next() > 0.95:
            thing = objects.Skeleton(world, (x, y), player)
        else:
            continue
        world.add(thing)
    draws.settle()


class _Draws:
    """Uniform numbers of a RandomState, drawn ahead; `settle` leaves it as if only those used had been drawn."""

    def __init__(self, random: np.random.RandomState, block: int = 4096) -> None:
        self.random, self.block = random, block
        self._numbers: list[float] = []
        self._used = 0
        self._before: Any = None

    def next(self) -> float:
        """The next number."""
        if self._before is None:
            self._before = self.random.get_state()
        if self._used == len(self._numbers):
            self._numbers.extend(self.random.random_sample(self.block).tolist())
        self._used += 1
        return self._numbers[self._used - 1]

    def settle(self) -> None:
        """Puts back what was drawn ahead."""
        if self._before is not None:
            self.random.set_state(self._before)
            self.random.random_sample(self._used)
        self._numbers, self._used, self._before = [], 0, None


class Painter:
    """Draws what `crafter.Env.render` draws at one size."""

    def __init__(self, game: Any, engine: Any) -> None:
        self.game, self.engine = game, engine
        self.unit = game._size // game._view
        self.grid = tuple(int(side) for side in game._local_view._grid)
        self._tiles: dict[tuple[int, str | None], int] = {}  # (material, what stands on it): its number
        self._day = np.zeros((0, *self.unit, 3), np.uint8)
        self._night = np.zeros((0, *self.unit, 3))  # without the noise of the dark
        self._bags: dict[tuple[int, ...], np.ndarray] = {}
        self.blank = np.zeros((*game._size, 3), np.uint8)

    def _tile(self, material: int, thing: str | None) -> int:
        number = self._tiles.get((material, thing))
        if number is None:
            number = self._tiles[material, thing] = len(self._tiles)
            engine, textures = self.engine, self.game._textures
            tile = np.zeros((*self.unit, 3), np.uint8) + np.uint8(127)
            if material > 0:  # 0 is outside of the world
                engine._draw(tile, (0, 0), textures.get(self.game._world._mat_names[material], self.unit))
            if thing is not None:
                engine._draw_alpha(tile, np.array((0, 0)), textures.get(thing, self.unit))
            night = self.game._local_view._light(tile, 0.5)  # = (tile + night) / 2
            self._day = np.concatenate([self._day, tile[None]])
            self._night = np.concatenate([self._night, (2 * night - tile)[None]])
        return number

    def view(self) -> tuple[np.ndarray, np.ndarray]:
        """(columns, rows) of materials and of the numbers of objects in view; 0 outside of the world."""
        world = self.game._world
        columns, rows = self.grid
        px, py = self.game._player.pos.tolist()
        x0, y0 = px - columns // 2, py - rows // 2
        inside = np.s_[max(0, x0) : x0 + columns, max(0, y0) : y0 + rows]
        materials, found = world._mat_map[inside], world._obj_map[inside]
        if materials.shape == self.grid:
            return materials, found
        x, y = max(0, -x0), max(0, -y0)
        whole = np.zeros((2, *self.grid), np.uint32)
        whole[0, x : x + materials.shape[0], y : y + materials.shape[1]] = materials
        whole[1, x : x + found.shape[0], y : y + found.shape[1]] = found
        return whole[0], whole[1]

    def paint(self) -> np.ndarray:
        """(height, width, 3) uint8."""
        game, world = self.game, self.game._world
        materials, found = self.view()
        things: dict[tuple[int, int], str] = {}
        for x, y in zip(*(places.tolist() for places in found.nonzero()), strict=True):
            things[x, y] = world._objects[found[x, y]].texture
        numbers = [
            self._tile(material, things.get((x, y)))
            for x, column in enumerate(materials.tolist())
            for y, material in enumerate(column)
        ]
        local = self._assemble(self._day, numbers)
        daylight = world.daylight
        if daylight < 0.5:
            state = world.random.get_state()  # the darkness is drawn with the world's random numbers
            local = game._local_view._light(local, daylight)
            world.random.set_state(state)
        else:
            local = daylight * local + (1 - daylight) * self._assemble(self._night, numbers)
        if game._player.sleeping:
            local = game._local_view._sleep(local)
        picture = np.zeros((*game._size, 3), np.uint8)
        bag = self._bag()
        left, top = (int(side) for side in (game._size - self.unit * game._view) // 2)
        width, height = local.shape[:2]
        picture[left : left + width, top : top + height] = local
        picture[left : left + width, top + height : top + height + bag.shape[1]] = bag
        return picture.transpose((1, 0, 2))

    def _assemble(self, tiles: np.ndarray, numbers: list[int]) -> np.ndarray:
        columns, rows = self.grid
        width, height = (int(side) for side in self.unit)
        chosen = tiles[numbers].reshape(columns, rows, width, height, 3).transpose(0, 2, 1, 3, 4)
        return chosen.reshape(columns * width, rows * height, 3)

    def _bag(self) -> np.ndarray:
        inventory = self.game._player.inventory
        counts = tuple(inventory.values())
        picture = self._bags.get(counts)
        if picture is None:
            picture = self.game._item_view(inventory, self.unit)
            if len(self._bags) < 4096:
                self._bags[counts] = picture
        return picture
