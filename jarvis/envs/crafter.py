"""Crafter, the two-dimensional cousin (PyPI, 1.8.3), in process: fast, and the ground of EnvGen's published results.

    env = CrafterEnv()                                    # pip install "jarvis-agent[crafter]"
    obs, info = env.reset(seed=7)                         # {"pov": (64, 64, 3) uint8}
    obs, reward, terminated, truncated, info = env.step(CRAFTER_ACTIONS.index("do"))

Its actions are its own, 17 of them (CRAFTER_ACTIONS), not a keyboard and a mouse; a keyboard player's Action has no
meaning here and is refused. The observation is the picture; inventory, achievements, position and events are in info.

What PyPI's package gets wrong is repaired in a subclass: chunks keep the order in which objects came (they are sets by
memory address there, so no two processes played the same game), and drawing a picture leaves the random numbers alone.
With that, equal seeds and actions give equal frames everywhere; maps and pictures are otherwise those of the package.

EnvGen's knobs are the start state: `biome` (natural, grassland, mountain, beaches), `rarity` of coal, iron, diamond and
tree, and `inventory` of tools and materials up to 9 each (`env_gen_start` reads their JSON). Any knob but the inventory
also removes the two noise masks that keep coal and iron scarce in Crafter itself, as EnvGen's fork does. Mountain and
grassland hold no water at all, so such a lesson is short.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from jarvis.core.environments import Step
from jarvis.core.errors import (
    ActionError,
    EpisodeError,
    MissingExtraError,
    PredicateError,
    StartStateError,
    nearest_names,
)
from jarvis.core.events import Event, EventCounters
from jarvis.core.goals import Goal, Moment
from jarvis.core.names import Vocabulary
from jarvis.core.observations import Observation
from jarvis.core.random_streams import stream_seed
from jarvis.core.start_states import StartState, check_supported
from jarvis.core.tasks import Progress, Task
from jarvis.envs.crafter_speed import Painter, generate

__all__ = ["ACHIEVEMENTS", "CRAFTER_ACTIONS", "CrafterEnv", "env_gen_start"]

CRAFTER_ACTIONS = (
    "noop", "move_left", "move_right", "move_up", "move_down", "do", "sleep", "place_stone", "place_table",
    "place_furnace", "place_plant", "make_wood_pickaxe", "make_stone_pickaxe", "make_iron_pickaxe", "make_wood_sword",
    "make_stone_sword", "make_iron_sword",
)  # fmt: skip
ACHIEVEMENTS = (
    "collect_coal", "collect_diamond", "collect_drink", "collect_iron", "collect_sapling", "collect_stone",
    "collect_wood", "defeat_skeleton", "defeat_zombie", "eat_cow", "eat_plant", "make_iron_pickaxe", "make_iron_sword",
    "make_stone_pickaxe", "make_stone_sword", "make_wood_pickaxe", "make_wood_sword", "place_furnace", "place_plant",
    "place_stone", "place_table", "wake_up",
)  # fmt: skip
BIOMES = ("natural", "grassland", "mountain", "beaches")
MATERIALS = ("sapling", "wood", "stone", "coal", "iron", "diamond")
TOOLS = ("wood_pickaxe", "stone_pickaxe", "iron_pickaxe", "wood_sword", "stone_sword", "iron_sword")
THINGS = (  # that stand on a cell, as Crafter's pictures have them
    "player-left", "player-right", "player-up", "player-down", "player-sleep", "cow", "zombie", "skeleton",
    "arrow-left", "arrow-right", "arrow-up", "arrow-down", "plant-ripe", "plant",
)  # fmt: skip
MOST = 9  # of anything that is carried

# A cell becomes the thing where a uniform draw lies above this.
RARITY = {
    "coal": {"rare": 0.95, "common": 0.85, "very common": 0.75},
    "iron": {"rare": 0.85, "common": 0.75, "very common": 0.65},
    "diamond": {"rare": 0.994, "common": 0.9, "very common": 0.85},
    "tree": {"rare": 0.9, "common": 0.8, "very common": 0.7},
}
USUAL = {"coal": 0.85, "iron": 0.75, "diamond": 0.994, "tree": 0.8}

# An achievement is an event under Minecraft's names; the rest of its name is the item.
_EVENTS = {
    "collect_": "pickup", "defeat_": "kill_entity", "make_": "craft_item", "place_": "use_item", "eat_": "use_item",
}  # fmt: skip
_ITEMS = {"eat_plant": "ripe_plant"}  # but for place_plant, which is not to be taken for it


def env_gen_start(config: Mapping[str, Any]) -> StartState:
    """The start state of one of EnvGen's JSON environments: `environment_settings` and `inventory_settings`.

    Whoever carries stone, iron or diamond things also gets the pickaxe that they need, one step down, as EnvGen's own
    loader does. Raises StartStateError, with the nearest names, for whatever its schema does not have.
    """
    _known("part", config, ("environment_settings", "inventory_settings"))
    settings = dict(config.get("environment_settings", {}))
    _known("setting", settings, ("target_biome", *(f"{thing}_rarity" for thing in RARITY)))
    biome = settings.pop("target_biome", None)
    rarity = {name.removesuffix("_rarity"): level for name, level in settings.items()}
    items = dict(config.get("inventory_settings", {}))
    for item, count in items.items():
        most = 1 if item in TOOLS else MOST
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= most:
            raise StartStateError(f"inventory_settings: {item} is {count!r}, expected a whole number from 0 to {most}")
    for thing, tool in (("stone", "wood_pickaxe"), ("iron", "stone_pickaxe"), ("diamond", "iron_pickaxe")):
        if any(count and item.startswith(thing) for item, count in list(items.items())):
            items[tool] = 1
    start = StartState(biome=biome, rarity=rarity, inventory={item: count for item, count in items.items() if count})
    return _checked_start(start)


def _known(kind: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            near = nearest_names(name, known)
            hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(known)}"
            raise StartStateError(f"crafter: unknown {kind} {name!r}{hint}")


def _checked_start(start: StartState) -> StartState:
    check_supported(start, CrafterEnv.supported_start_fields, "crafter")
    start = start.resolved(_VOCABULARY)
    _known("rarity", start.rarity, tuple(RARITY))
    for item, count in start.inventory.items():
        if count > MOST:
            raise StartStateError(f"inventory: {count} {item}, but nobody carries more than {MOST} in crafter")
    return start


_VOCABULARY = Vocabulary.of(items=(*MATERIALS, *TOOLS), biomes=BIOMES)


# -- the repaired game -----------------------------------------------------------------------------------------------


class _OrderedSet:
    """A set that is gone through in the order in which its members came."""

    def __init__(self) -> None:
        self._members: dict[Any, None] = {}

    def add(self, member: Any) -> None:
        self._members[member] = None

    def remove(self, member: Any) -> None:
        del self._members[member]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


@functools.cache
def _crafter() -> SimpleNamespace:
    """The package's modules and our subclass of its environment; made when first needed."""
    try:
        import crafter
        from crafter import constants, engine, objects, worldgen
    except ImportError as error:
        raise MissingExtraError("crafter", "The Crafter environment") from error
    names = ["_draw", "_draw_alpha", "LocalView", "ItemView"]
    if tuple(constants.actions) != CRAFTER_ACTIONS or not all(hasattr(engine, name) for name in names):
        raise MissingExtraError("crafter", "The Crafter environment is written for crafter 1.8.3 and")

    textures = engine.Textures(constants.root / "assets")

    class World(engine.World):  # type: ignore[misc]
        def reset(self, seed: int | None = None) -> None:
            super().reset(seed)
            self._chunks: dict[Any, _OrderedSet] = defaultdict(_OrderedSet)

    class Game(crafter.Env):  # type: ignore[misc]
        """One map: `begin` where the package has `reset`."""

        def __init__(self, size: int, length: int) -> None:
            # The package's own __init__, but for our world and for pictures that are read once: 0.4 s less.
            self._area, self._view, self._size = (64, 64), np.array((9, 9)), np.array((size, size))
            self._reward, self._length, self._seed, self._episode = True, length, 0, 0
            self._world = world = World(self._area, constants.materials, (12, 12))
            self._textures = textures
            rows = int(np.ceil(len(constants.items) / self._view[0]))
            self._local_view = engine.LocalView(world, textures, [self._view[0], self._view[1] - rows])
            self._item_view = engine.ItemView(textures, [self._view[0], rows])
            kinds = ("Player", "Cow", "Zombie", "Skeleton", "Arrow", "Plant")
            self._sem_view = engine.SemanticView(world, [getattr(objects, kind) for kind in kinds])
            self._step = self._player = self._last_health = self._unlocked = None
            self._painter = Painter(self, engine)

            self.drawn = True  # False: pictures stay black, and steps take a third of the time

        def begin(self, seed: int, start: StartState) -> np.ndarray:
            centre = (self._world.area[0] // 2, self._world.area[1] // 2)
            self._episode, self._step = 1, 0
            self._world.reset(seed=seed)
            self._update_time()
            self._player = objects.Player(self._world, centre)
            self._last_health = self._player.health
            self._world.add(self._player)
            self._unlocked: set[str] = set()
            generate(worldgen, self._world, self._player, start, RARITY, USUAL)
            self._player.inventory.update(start.inventory)
            return self._obs()

        def render(self, size: Any = None) -> np.ndarray:
            if size is None:
                return self._painter.paint() if self.drawn else self._painter.blank
            # The darkness of the night is drawn with the world's random numbers.
            state = self._world.random.get_state()
            picture = super().render(tuple(size))
            self._world.random.set_state(state)
            return picture

        def step(self, action: int) -> tuple[np.ndarray, float, bool, dict[str, Any]]:
            """The package's step without its map of the whole world, which cost more than the game itself."""
            self._step += 1
            self._update_time()
            player, world, reach = self._player, self._world, 2 * max(self._view)
            player.action = CRAFTER_ACTIONS[action]
            others = iter(world.objects)
            assert next(others) is player  # the first to come, and nobody else moves it
            player.update()
            here_x, here_y = player.pos.tolist()
            for thing in others:
                x, y = thing.pos.tolist()
                if abs(x - here_x) + abs(y - here_y) < reach:
                    thing.update()
            if self._step % 10 == 0:
                for chunk, things in world.chunks.items():
                    self._balance_chunk(chunk, things)
            picture = self.render()
            reward = (player.health - self._last_health) / 10
            self._last_health = player.health
            unlocked = {name for name, count in player.achievements.items() if count > 0} - self._unlocked
            if unlocked:
                self._unlocked |= unlocked
                reward += 1.0
            return picture, reward, player.health <= 0 or self._step >= self._length, {}

    return SimpleNamespace(Game=Game, objects=objects, constants=constants, worldgen=worldgen)


# -- the environment -------------------------------------------------------------------------------------------------


class CrafterEnv(gymnasium.Env[dict[str, np.ndarray], int]):
    """Crafter with Gymnasium's interface; with `reset(task, seed)` also the loop of jarvis.core.Environment.

    The reward is Crafter's: 1 when something is achieved for the first time, and 0.1 for each health gained or lost.
    """

    name = "crafter"
    supported_start_fields = frozenset({"seed", "biome", "rarity", "inventory"})
    tells = frozenset({"events", "inventory"})  # of what tasks may need
    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 5}

    def __init__(
        self, task: Task | None = None, *, size: int = 64, length: int = 10000, render_mode: str | None = None,
        drawn: bool = True,
    ) -> None:  # fmt: skip
        """drawn: False leaves pictures black, for whoever looks at `cells()`; steps take a third of the time."""
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode: {render_mode!r}, expected None or 'rgb_array'")
        self.task = task or Task("play", Goal("play"), max_ticks=length)
        self.size, self.length, self.render_mode = size, length, render_mode
        self.action_space = spaces.Discrete(len(CRAFTER_ACTIONS))
        self.observation_space = spaces.Dict({"pov": spaces.Box(0, 255, (size, size, 3), np.uint8)})
        self._game = _crafter().Game(size, length)
        self._game.drawn = drawn
        self._protocol, self._over = False, True
        self.check(self.task)

    def check(self, task: Task) -> StartState:
        """Its start with Crafter's own names. Raises for what cannot be told or honoured here."""
        missing = sorted(task.needs - self.tells)
        if missing:
            raise PredicateError(f"task {task.name}: environment {self.name!r} cannot tell {', '.join(missing)}")
        return _checked_start(task.start)

    def reset(  # type: ignore[override]
        self, task: Task | None = None, seed: int | None = None, *, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """A new map. The same seed and start give the same map in every process."""
        self._protocol = task is not None
        played = task or (options or {}).get("task") or self.task
        start = self.check(played)
        super().reset(seed=seed)
        chosen = int(self.np_random.integers(2**31)) if seed is None else seed
        world = chosen if start.seed is None else start.seed
        self._pov = np.ascontiguousarray(self._game.begin(stream_seed(world, "crafter") % 2**31, start))
        self._progress, self._tick, self._over = Progress(played), 0, False
        self._totals, self._achieved = EventCounters(), dict.fromkeys(ACHIEVEMENTS, 0)
        return self._observation(), self._info([])

    def step(self, action: Any) -> Any:  # type: ignore[override]
        """One step of an action's number or name. Raises ActionError for anything else."""
        if self._over:
            raise EpisodeError("step without an episode: it has ended, or none was begun; call reset")
        picture, reward, _, _ = self._game.step(_action_number(action))
        self._pov = np.ascontiguousarray(picture)
        events = self._events()
        self._totals.add(*events)
        progress, tick = self._progress, self._tick
        progress.update(Moment(tick, tuple(events), self._inventory()))
        self._tick += 1
        terminated = self._game._player.health <= 0
        if progress.task.goal.predicate is not None:
            terminated = terminated or progress.success or progress.failed
        self._over = terminated or self._tick >= min(progress.task.max_ticks, self.length)
        truncated = self._over and not terminated
        result = Step(self._observation(), float(reward), bool(terminated), bool(truncated), self._info(events))
        return result if self._protocol else tuple(result)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The last picture, (size, size, 3) uint8."""
        return self._pov.copy() if self.render_mode else None

    def cells(self) -> np.ndarray:
        """(144,) uint8: what the picture shows, as numbers.

        63 materials and 63 things of the 9 x 7 cells in view, column by column (0 is none; see THINGS), then the 16
        counts of the bag's two rows, the daylight from 0 to 255, and whether the player sleeps.
        """
        player, world = self._game._player, self._game._world
        materials, found = self._game._painter.view()
        seen = np.zeros(2 * materials.size + 18, np.uint8)
        seen[: materials.size] = materials.ravel()
        for place in found.ravel().nonzero()[0].tolist():
            thing = world._objects[found.ravel()[place]]
            seen[materials.size + place] = 1 + THINGS.index(thing.texture)
        seen[-18:-2] = list(player.inventory.values())
        seen[-2], seen[-1] = int(255 * world.daylight), player.sleeping
        return seen

    def _observation(self) -> Any:
        return Observation(self._pov) if self._protocol else {"pov": self._pov}

    def _inventory(self) -> dict[str, int]:
        items = self._game._player.inventory.items()
        return {item: int(count) for item, count in items if count and item in (*MATERIALS, *TOOLS)}

    def _events(self) -> list[Event]:
        events = []
        for name, count in self._game._player.achievements.items():
            gained = count - self._achieved[name]
            if gained:
                self._achieved[name] = count
                kind, item = next(
                    ((kind, name.removeprefix(prefix)) for prefix, kind in _EVENTS.items() if name.startswith(prefix)),
                    ("custom", name),
                )
                events.append(Event(self._tick, kind, _ITEMS.get(name, item), gained))
        return events

    def _info(self, events: list[Event]) -> dict[str, Any]:
        player = self._game._player
        return {
            "inventory": self._inventory(),
            "life_stats": {
                "life": int(player.health),
                "food": int(player.inventory["food"]),
                "drink": int(player.inventory["drink"]),
                "energy": int(player.inventory["energy"]),
                "is_alive": player.health > 0,
            },
            "location_stats": {"xpos": float(player.pos[0]), "zpos": float(player.pos[1])},
            "isGuiOpen": False,
            "achievements": {name: count for name, count in self._achieved.items() if count},
            **self._totals.to_dict(),
            "tick": self._tick,
            "events": events,
            "milestones": dict(self._progress.milestones),
            "success": self._progress.success,
        }


def _action_number(action: Any) -> int:
    if isinstance(action, str):
        if action not in CRAFTER_ACTIONS:
            near = nearest_names(action, CRAFTER_ACTIONS)
            raise ActionError(
                f"unknown crafter action {action!r}" + (f"; did you mean {' or '.join(near)}?" if near else "")
            )
        return CRAFTER_ACTIONS.index(action)
    array = np.asarray(action)
    if array.shape != () or array.dtype.kind not in "iu" or not 0 <= array < len(CRAFTER_ACTIONS):
        raise ActionError(
            f"crafter action {action!r:.80}, expected a number from 0 to {len(CRAFTER_ACTIONS) - 1} or one of "
            f"{', '.join(CRAFTER_ACTIONS)}; a keyboard and a mouse have no meaning there"
        )
    return int(array)
