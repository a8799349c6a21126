"""Agents that learn Minecraft from video and from play, by keyboard and mouse.

    import jarvis

    env = jarvis.make("voxel", task="craft_diamond")
    policy = jarvis.load_policy("default")

Importing this package loads neither numpy nor torch; the two functions above import what they need when called. Where
Gymnasium is loaded already, its environments are made known to it: `import gymnasium, jarvis`, then
`gymnasium.make("jarvis/Voxel-v0")`.
"""

from __future__ import annotations

import sys
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "load_policy", "make"]


def make(env_name: str, task: Any = None, **kwargs: Any) -> Any:
    """The environment registered as `env_name`, ready to be reset. `task` is a Task or the name of one."""
    from jarvis.app.places import make as make_environment

    return make_environment(env_name, task=task, **kwargs)


def load_policy(spec: str = "default", **kwargs: Any) -> Any:
    """The policy a SPEC names: `default`, `random`, a checkpoint folder. See `jarvis.app.policies.load_policy`."""
    from jarvis.app.policies import load_policy as load

    return load(spec, **kwargs)


if "gymnasium" in sys.modules:
    import jarvis.envs.registry  # noqa: F401 - makes the environments known
