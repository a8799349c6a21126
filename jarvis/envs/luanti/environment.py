"""Luanti as an Environment and a Gymnasium environment (see `jarvis.envs.base`).

    env = LuantiEnv(width=640, height=360)

Of a start state it honours the seed, the inventory, blocks nearby, time, clear weather (there is no other), position
and health. Names are Minecraft's where a thing has the same role (`names.py`).
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from jarvis.core.errors import StartStateError
from jarvis.core.names import Vocabulary
from jarvis.core.random_streams import generator
from jarvis.core.start_states import DAY_TICKS, StartState
from jarvis.core.tasks import Task
from jarvis.envs.luanti.names import to_luanti, vocabulary
from jarvis.envs.minecraft import MinecraftEnv, stacks_of
from jarvis.envs.minestudio import ring
from jarvis.envs.remote import RemoteConfig

__all__ = ["LuantiEnv", "own_folder", "start_command"]

NUM_SLOTS = 32  # eight of them the hotbar
_locks: list[BinaryIO] = []  # of this process's folders, held until it ends


class LuantiEnv(MinecraftEnv):
    """One game on one virtual display. Linux only; everything runs in a process of its own that may hang or die."""

    name = "luanti"
    supported_start_fields = frozenset(
        {"seed", "inventory", "slots", "nearby", "nearby_radius", "time", "weather", "position", "health"}
    )

    def __init__(
        self,
        task: Task | None = None,
        *,
        config: RemoteConfig | None = None,
        width: int = 640,
        height: int = 360,
        render_mode: str | None = None,
        view_range: int = 48,
        show_cursor: bool = True,
    ) -> None:
        """view_range: blocks that are drawn ahead, 20 to 240. show_cursor: False leaves the mouse cursor undrawn."""
        if not sys.platform.startswith("linux"):
            raise ValueError(f"environment 'luanti' needs Linux, this is {sys.platform}")
        if not 20 <= view_range <= 240:
            raise ValueError(f"view_range: {view_range}, expected 20 to 240")
        self._view_range, self._show_cursor = view_range, show_cursor
        self._folder = own_folder(Path(tempfile.gettempdir()))
        # New land takes 5 to 15 seconds of processor time, and a busy machine gives little of it.
        config = config or RemoteConfig(reset_seconds=300, step_seconds=60)
        # The worker is our interpreter; from a checkout it finds this package as we do.
        config = replace(config, python_path=(*config.python_path, str(Path(__file__).resolve().parents[3])))
        super().__init__("gymnasium", config, task, width, height, render_mode)

    def launch_options(self, start: StartState) -> dict[str, Any]:
        game = {
            "home": str(self._folder / "game"),
            "width": self.width,
            "height": self.height,
            "view_range": self._view_range,
            "show_cursor": self._show_cursor,
        }
        return {"factory": "jarvis.envs.luanti.game:LuantiGame", "arguments": game}

    def vocabulary(self) -> Vocabulary:
        """minetest_game's."""
        return vocabulary()

    def check(self, task: Task) -> StartState:
        start = super().check(task)
        start_command(start, 0)
        return start

    def start_request(self, start: StartState, seed: int) -> dict[str, Any]:
        return start_command(start, seed)

    def understand(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        names = (
            "inventory", "equipped_items", "location_stats", "life_stats", "isGuiOpen", "undelivered", "restless",
        )  # fmt: skip
        return {name: raw[name] for name in names}

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._folder / "game", ignore_errors=True)


def own_folder(place: Path) -> Path:
    """A folder for this process's games. Those of processes that are gone, whatever they died of, are removed."""
    import fcntl

    for left in place.glob("jarvis-luanti-*"):
        try:
            with (left / "owner").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
        except OSError:  # still owned, or somebody else's
            continue
    folder = Path(tempfile.mkdtemp(prefix="jarvis-luanti-", dir=place))
    lock = (folder / "owner").open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    _locks.append(lock)
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # and not a fork of it
        shutil.rmtree(folder, ignore_errors=True)


def start_command(start: StartState, seed: int) -> dict[str, Any]:
    """What the mod is told of a start with the world's own names; the same for the same seed.

    Raises StartStateError for rain, for more than 32 slots, and if there is no room for what should lie nearby.
    """
    if start.weather not in (None, "clear"):
        raise StartStateError(f"weather: {start.weather!r}, but it never rains in luanti")
    stacks = stacks_of(start)
    if stacks and max(stacks) >= NUM_SLOTS:
        raise StartStateError(f"slots: {max(stacks)} is taken, but luanti has slots 0 to {NUM_SLOTS - 1}")
    command: dict[str, Any] = {
        "slots": {str(slot + 1): f"{to_luanti(item)} {count}" for slot, (item, count) in stacks.items()}
    }
    blocks = [to_luanti(block) for block, count in start.nearby.items() for _ in range(count)]
    places = ring(len(blocks), start.nearby_radius, generator(seed, "nearby"))
    command["nearby"] = [[x, z, block] for (x, z), block in zip(places, blocks, strict=True)]
    if start.time is not None:
        # Minecraft's day begins at sunrise, Luanti's at midnight.
        command["time"] = (start.time / DAY_TICKS + 0.25) % 1
    if start.position is not None:
        command["position"] = list(start.position)
    if start.health is not None:
        command["hp"] = round(start.health)
    return command
