"""A scripted player of the voxel world: the demonstrator. See player.py."""

from jarvis.envs.scripted.habits import Habits
from jarvis.envs.scripted.player import ScriptedPlayer

__all__ = ["Habits", "ScriptedPlayer"]
