"""Every place to play by name, imported on use.

env = make("voxel", width=128, height=128)
gymnasium.make("jarvis/Voxel-v0")            # after `import gymnasium, jarvis` or `import jarvis.envs`
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from jarvis.core.errors import UnknownNameError, nearest_names

__all__ = ["ENVIRONMENTS", "GYMNASIUM_IDS", "environment_class", "make", "register_gymnasium"]

ENVIRONMENTS = {
    "voxel": "jarvis.envs.voxel:VoxelEnv",
    "crafter": "jarvis.envs.crafter:CrafterEnv",
    "minerl": "jarvis.envs.minerl:MineRLEnv",
    "minestudio": "jarvis.envs.minestudio:MineStudioEnv",
    "luanti": "jarvis.envs.luanti:LuantiEnv",
}
GYMNASIUM_IDS = {
    "jarvis/Voxel-v0": "voxel",
    "jarvis/Crafter-v0": "crafter",
    "jarvis/MineRL-v0": "minerl",
    "jarvis/MineStudio-v0": "minestudio",
    "jarvis/Luanti-v0": "luanti",
}


def environment_class(name: str) -> type:
    """The class behind a name. Raises UnknownNameError with the nearest names."""
    if name not in ENVIRONMENTS:
        raise UnknownNameError("environment", name, nearest_names(name, ENVIRONMENTS))
    module, _, attribute = ENVIRONMENTS[name].partition(":")
    return getattr(import_module(module), attribute)


def make(name: str, **options: Any) -> Any:
    """An environment by name; options go to its constructor."""
    return environment_class(name)(**options)


def register_gymnasium() -> None:
    """Make the environments known to `gymnasium.make`. May be called twice."""
    import gymnasium

    for identifier, name in GYMNASIUM_IDS.items():
        if identifier in gymnasium.registry:
            continue
        vector = "jarvis.envs.voxel_vector:VoxelVectorEnv" if name == "voxel" else None
        gymnasium.register(identifier, entry_point=ENVIRONMENTS[name], vector_entry_point=vector)


register_gymnasium()
