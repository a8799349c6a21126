"""The voxel world as an environment: `make("voxel")`, or `gymnasium.make("jarvis/Voxel-v0")`.

    env = VoxelEnv(width=128, height=128)
    observation, info = env.reset(task, seed=3)
    observation, reward, terminated, truncated, info = env.step(Action.of("forward", camera=(0, 5)))
    saved = env.snapshot()                       # any number of ticks later: env.restore(saved)

Actions, observations and info are those of `jarvis.envs.base`. At any size the picture shows what a 640 x 360 one does.
The same task, seed and actions give the same frames in every process on one machine.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.names import Vocabulary
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.base import EpisodeEnv, Told
from jarvis.world.describe import equipped_items, life_stats, location_stats, near_blocks
from jarvis.world.hud import Hud
from jarvis.world.render import Renderer
from jarvis.world.rules import RULES
from jarvis.world.terrain import BIOMES
from jarvis.world.world import World

__all__ = ["VoxelEnv", "vocabulary"]

SMALLEST, LARGEST = 16, 2048  # pixels along a side


@cache
def vocabulary() -> Vocabulary:
    """The names of the voxel world, with tags and common ways to say them as aliases."""
    aliases = {f"#{tag}": "|".join(sorted(names)) for tag, names in RULES.tags.items()}
    aliases |= {
        "log": aliases["#logs"],
        "wood": aliases["#logs"],
        "wood_log": aliases["#logs"],
        "trees": aliases["#logs"],
    }
    aliases |= {"planks": aliases["#planks"], "leaves": aliases["#leaves"], "workbench": "crafting_table"}
    aliases |= {"seeds": "wheat_seeds", "wool": "white_wool", "bed": "white_bed", "lapis": "lapis_lazuli"}
    return Vocabulary.of(RULES.items[1:], RULES.blocks, RULES.mobs, BIOMES, aliases)


class VoxelEnv(EpisodeEnv):
    """One voxel world, one player, one task at a time."""

    name = "voxel"
    supported_start_fields = frozenset(StartState.__dataclass_fields__)
    tells = frozenset({"events", "inventory", "biome", "y", "near_blocks"})

    def __init__(
        self,
        task: Task | None = None,
        width: int = 640,
        height: int = 360,
        render_mode: str | None = None,
        fov: float = 70.0,
        palette: int = 0,
        show_cursor: bool = True,
        hud: bool = True,
        draw: bool = True,
    ) -> None:
        """fov: vertical degrees. palette: 0 is the standard look. show_cursor: False leaves the mouse cursor undrawn,
        as in recordings. hud: False leaves hotbar, hearts and screens undrawn too. draw: False gives black pictures,
        for players that do not look at them; the play is the same, and many times faster."""
        for side, value in (("width", width), ("height", height)):
            if not SMALLEST <= value <= LARGEST:
                raise ValueError(f"{side}: {value}, expected {SMALLEST} to {LARGEST} pixels")
        self.world = World()
        self.renderer = Renderer(width, height, fov=fov, palette=palette)
        self.hud = Hud(width, height, palette=palette) if hud else None
        self.show_cursor, self.draw = show_cursor, draw
        self._inventory_bytes, self._inventory = b"", {}
        super().__init__(task, width, height, render_mode)

    def vocabulary(self) -> Vocabulary:
        """Blocks, items, mobs and biomes of the rules."""
        return vocabulary()

    def begin(self, task: Task, start: StartState, seed: int) -> Told:
        """Make the world of ``seed`` and ``start``."""
        self.world.reset(seed, start)
        self._watched = task.watched_blocks
        return self._told([])

    def play(self, action: Action, tick: int) -> Told:
        """One tick of the world."""
        return self._told(self.world.tick(action.buttons, action.camera))

    def picture(self, out: np.ndarray | None = None) -> np.ndarray:
        """(height, width, 3) uint8: the world as the player sees it now, drawn into ``out`` if given."""
        if not self.draw:
            if out is None:
                return np.zeros((self.height, self.width, 3), np.uint8)
            out[:] = 0
            return out
        frame = np.empty((self.height, self.width, 3), np.uint8) if out is None else out
        self.renderer.render(self.world.grid, self.world.view(), frame)
        if self.hud is not None:
            self.hud.draw(frame, self.world.hud_view(), show_cursor=self.show_cursor)
        return frame

    def _told(self, events: list[Any], pov: np.ndarray | None = None) -> Told:
        world = self.world
        held = world.slots.tobytes()
        if held != self._inventory_bytes:
            self._inventory_bytes, self._inventory = held, world.inventory()
        location = location_stats(world)
        status: dict[str, Any] = {"biome": BIOMES[world.biome()], "y": location["ypos"]}
        if self._watched:
            status["near_blocks"] = near_blocks(world, self._watched)
        info = {
            "inventory": dict(self._inventory),
            "equipped_items": equipped_items(world),
            "location_stats": location,
            "life_stats": life_stats(world),
            "isGuiOpen": world.screen.is_open,
        }
        return Told(self.picture() if pov is None else pov, events, info, status)

    # snapshots

    def snapshot(self) -> dict[str, Any]:
        """The whole state of the episode, independent of this object."""
        episode = {name: copy.deepcopy(getattr(self, name)) for name in ("_progress", "_tick", "_totals", "_watched")}
        return {
            "world": self.world.snapshot(),
            "episode": episode,
            "protocol": self._protocol,
            "random": self.np_random.bit_generator.state,
        }

    def restore(self, snapshot: dict[str, Any]) -> np.ndarray:
        """Go back to a ``snapshot()`` of this or another VoxelEnv; returns the (height, width, 3) picture there."""
        self.world.restore(snapshot["world"])
        for name, value in copy.deepcopy(snapshot["episode"]).items():
            setattr(self, name, value)
        self._protocol = snapshot["protocol"]
        self.np_random.bit_generator.state = snapshot["random"]
        self._pov = self.picture()
        return self._pov
