"""MineStudio 1.1's MinecraftSim, the real game, in an interpreter of its own (`jarvis doctor --setup minestudio`).

    env = MineStudioEnv(python="/opt/minestudio/bin/python")     # or set JARVIS_MINESTUDIO_PYTHON

Its engine takes 20 of MineRL's 24 keys and, undeclared, pickItem. `drop`, `ESC` and `swapHands` never reach the game:
a warning says so once, and info["undelivered"] counts each press of an episode. Everything but a small picture is in
its info, which we give MineRL's shape: the picture is the full one, 36 numbered slots become counts.

Of a start state it honours the seed, the biome (a new one starts a new process), the inventory, mobs and blocks nearby,
time and weather, by the game's own commands. What then lies nearby is placed on a ring around the player's feet.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.errors import StartStateError
from jarvis.core.random_streams import generator
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.minecraft import MinecraftEnv, stacks_of
from jarvis.envs.minerl import with_interpreter
from jarvis.envs.remote import RemoteConfig

__all__ = ["MineStudioEnv", "ring", "start_commands"]

UNDELIVERED = ("drop", "ESC", "swapHands")  # the simulator has no handler for them


class MineStudioEnv(MinecraftEnv):
    """MinecraftSim as an Environment and a Gymnasium environment (see `jarvis.envs.base`)."""

    name = "minestudio"
    supported_start_fields = frozenset(
        {"seed", "biome", "inventory", "slots", "mobs", "nearby", "nearby_radius", "time", "weather"}
    )

    def __init__(
        self,
        task: Task | None = None,
        *,
        python: str | None = None,  # interpreter with MineStudio; else JARVIS_MINESTUDIO_PYTHON, else this one
        config: RemoteConfig | None = None,
        width: int = 640,
        height: int = 360,
        render_mode: str | None = None,
    ) -> None:
        config = with_interpreter(config, python, "JARVIS_MINESTUDIO_PYTHON")
        super().__init__("minestudio", config, task, width, height, render_mode)
        self._undelivered: dict[str, int] = {}
        self._warned = False

    def launch_options(self, start: StartState) -> dict[str, Any]:
        return super().launch_options(start) | {"biome": start.biome}

    def check(self, task: Task) -> StartState:
        start = super().check(task)
        start_commands(start, 0)
        return start

    def start_request(self, start: StartState, seed: int) -> dict[str, Any]:
        self._undelivered = {}
        return {"commands": start_commands(start, seed)}

    def deliver(self, action: Action) -> dict[str, Any]:
        delivered = super().deliver(action)
        for key in UNDELIVERED:
            if delivered.pop(key):
                self._undelivered[key] = self._undelivered.get(key, 0) + 1
                if not self._warned:
                    self._warned = True
                    warnings.warn(
                        f"MineStudio does not deliver {', '.join(UNDELIVERED)}: this press of {key} does nothing, and "
                        "later ones are only counted in info['undelivered']",
                        stacklevel=3,
                    )
        if not delivered["pickItem"]:
            del delivered["pickItem"]  # delivered, but not a key of the declared action space
        return delivered

    def understand(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        inventory: dict[str, int] = {}
        for slot in raw.get("inventory", {}).values():
            if slot["type"] not in ("none", "air"):
                inventory[slot["type"]] = inventory.get(slot["type"], 0) + int(slot["quantity"])
        position = raw.get("player_pos", {})
        location = {
            {"x": "xpos", "y": "ypos", "z": "zpos"}.get(key, key): value for key, value in position.items()
        } | raw.get("location_stats", {})
        life = {ours: raw[theirs] for ours, theirs in (("life", "health"), ("food", "food_level")) if theirs in raw}
        return {
            "inventory": {item: count for item, count in sorted(inventory.items()) if count},
            "equipped_items": raw.get("equipped_items", {}),
            "location_stats": location,
            "life_stats": life,
            "isGuiOpen": bool(raw.get("is_gui_open", raw.get("isGuiOpen", False))),
            "undelivered": dict(self._undelivered),
        }


def start_commands(start: StartState, seed: int) -> list[str]:
    """The commands that set the scene once the player stands in the world; the same for the same seed.

    Raises StartStateError if there is no room for what should lie nearby.
    """
    commands = []
    if start.time is not None:
        commands.append(f"/time set {start.time}")
    if start.weather is not None:
        commands.append(f"/weather {start.weather}")
    for slot, (item, count) in stacks_of(start).items():
        place = f"hotbar.{slot}" if slot < 9 else f"inventory.{slot - 9}"
        commands.append(f"/replaceitem entity @p {place} minecraft:{item} {count}")
    blocks = [block for block, count in start.nearby.items() for _ in range(count)]
    mobs = [mob for mob, count in start.mobs.items() for _ in range(count)]
    places = ring(len(blocks) + len(mobs), start.nearby_radius, generator(seed, "nearby"))
    for block, (x, z) in zip(blocks, places[: len(blocks)], strict=True):
        commands.append(f"/execute at @p run setblock ~{x} ~ ~{z} minecraft:{block}")
    for mob, (x, z) in zip(mobs, places[len(blocks) :], strict=True):
        commands.append(f"/execute at @p run summon minecraft:{mob} ~{x} ~1 ~{z}")
    return commands


def ring(count: int, radius: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """Up to `count` places (x, z) around the feet: near ones first, and in a random order at each distance.

    Raises StartStateError if there are not so many within the radius.
    """
    far = range(-radius, radius + 1)
    cells = [(x, z) for x in far for z in far if min(radius, 2) <= math.hypot(x, z) <= radius]
    if count > len(cells):
        raise StartStateError(f"{count} blocks and mobs nearby, but {len(cells)} places within {radius} blocks")
    shuffled = [cells[index] for index in random.permutation(len(cells))]
    return sorted(shuffled, key=lambda cell: int(math.hypot(*cell)))[:count]
