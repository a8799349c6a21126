"""Luanti (Minetest), a windowed game that nobody here wrote, played by keyboard, mouse and screen: docs/LUANTI.md.

    env = LuantiEnv()                      # Linux: jarvis doctor --setup luanti
    observation, info = env.reset(task, seed=3)
    observation, reward, terminated, truncated, info = env.step(Action.of("forward", camera=(0, 5)))

The program is the unmodified one of the distribution, on a virtual X display. `data/framelock.c` makes it play one
frame a tick, `data/mod` tells what happened and sets the scene, `game.py` presses keys and reads pictures.
"""

from jarvis.envs.luanti.environment import LuantiEnv

__all__ = ["LuantiEnv"]
