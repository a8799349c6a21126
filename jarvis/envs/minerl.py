"""MineRL 1.0, the real game, in an interpreter of its own: `jarvis doctor --setup minerl` says how to make one.

    env = MineRLEnv(python="/opt/minerl/bin/python")     # or set JARVIS_MINERL_PYTHON

MineRL needs gym below 0.24, numpy below 1.24, Python up to 3.10 and JDK 8, so it never shares our process. Actions are
HumanSurvival's 24 keys as they are. The seed is set before every reset, because the simulator forgets it; the random
picture that it returns after losing its game becomes EnvironmentFailure.

Of a start state it honours the seed, the biome (a category, as for the BASALT tasks) and the inventory, by slots.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.minecraft import MinecraftEnv, stacks_of
from jarvis.envs.remote import RemoteConfig

__all__ = ["MineRLEnv"]


class MineRLEnv(MinecraftEnv):
    """HumanSurvival of MineRL 1.0 as an Environment and a Gymnasium environment (see `jarvis.envs.base`)."""

    name = "minerl"
    supported_start_fields = frozenset({"seed", "biome", "inventory", "slots"})

    def __init__(
        self,
        task: Task | None = None,
        *,
        python: str | None = None,  # interpreter with MineRL; else JARVIS_MINERL_PYTHON, else this one
        config: RemoteConfig | None = None,
        width: int = 640,
        height: int = 360,
        render_mode: str | None = None,
    ) -> None:
        config = with_interpreter(config, python, "JARVIS_MINERL_PYTHON")
        if not os.environ.get("DISPLAY"):
            # The game's launcher then brings its own display: it runs xvfb-run.
            config = replace(config, environment={"MINERL_HEADLESS": "1", **config.environment})
        super().__init__("minerl", config, task, width, height, render_mode)

    def start_request(self, start: StartState, seed: int) -> dict[str, Any]:
        slots = {str(slot): {"type": item, "quantity": count} for slot, (item, count) in stacks_of(start).items()}
        return {"biome": start.biome, "slots": slots}

    def understand(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        # Its "air" counts the empty slots.
        inventory = {item: int(count) for item, count in raw.get("inventory", {}).items() if item != "air"}
        return {
            "inventory": {item: count for item, count in sorted(inventory.items()) if count},
            "equipped_items": raw.get("equipped_items", {}),
            "location_stats": raw.get("location_stats", {}),
            "life_stats": raw.get("life_stats", {}),
            # A monitor, which the first observation of an episode lacks.
            "isGuiOpen": bool(raw.get("isGuiOpen", False)),
        }


def with_interpreter(config: RemoteConfig | None, python: str | None, variable: str) -> RemoteConfig:
    """The config with the worker's interpreter from the argument, the config, or the environment variable.

    The game finds the programs beside that interpreter, its Java above all, before those of the PATH.
    """
    config = config or RemoteConfig()
    python = python or config.python or os.environ.get(variable) or None
    if python is None:
        return config
    folder = Path(python).parent
    beside = {"PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    if (folder / "java").exists():
        beside["JAVA_HOME"] = str(folder.parent)
    return replace(config, python=python, environment={**beside, **config.environment})
