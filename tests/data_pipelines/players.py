"""Worlds and players for recordings, importable by worker processes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from data_pipelines.recorder import Player
from jarvis.core.actions import BUTTONS, Action
from jarvis.core.environments import Step
from jarvis.core.observations import Observation
from jarvis.core.random_streams import generator

PLAYED = {}  # seed -> what was really given to the environment, and the cursor of each frame


def make_env(**options):
    """The voxel world, remembering every action it was given."""
    from jarvis.envs.voxel import VoxelEnv  # only here: worker processes of other tests start in half the time

    class Watched(VoxelEnv):
        def begin(self, task, start, seed):
            self.given = PLAYED[seed] = []
            return super().begin(task, start, seed)

        def play(self, action, tick):
            screen = self.world.screen
            self.given.append((action, (screen.cursor_x, screen.cursor_y) if screen.is_open else None))
            return super().play(action, tick)

    return Watched(width=64, height=36, show_cursor=False, **options)


class Slate:
    """A world that only counts, for what is about processes and not about worlds."""

    name, supported_start_fields = "slate", frozenset()

    def reset(self, task, seed):
        self.ticks, self.limit, self.seed, self.open = 0, task.max_ticks, seed, False
        return self._seen(), {"isGuiOpen": False}

    def _seen(self):
        return Observation(generator(self.seed, self.ticks).integers(0, 256, (36, 64, 3), np.uint8))

    def step(self, action):
        self.ticks += 1
        self.open ^= action["inventory"]
        return Step(self._seen(), 0.0, False, self.ticks >= self.limit, {"isGuiOpen": self.open})

    def close(self):
        pass


def make_slate(**options):
    return Slate()


class Fidgeter:
    """Presses everything, opens its inventory now and then, and turns by angles that no mouse can make."""

    def __init__(self, seed):
        self.random = generator(seed, "fidgeter")
        self.ticks = 0

    def act(self, observation, info):
        buttons = (self.random.random(len(BUTTONS)) < 0.1).astype(np.uint8)
        buttons[BUTTONS.index("inventory")] = self.random.random() < 0.08
        self.ticks += 1
        return Action(buttons, self.random.normal(0, 6, 2).astype(np.float32))

    def truth(self):
        skill = "dig" if self.ticks % 20 < 12 else "look around"
        return {"coarse": skill, "fine": f"{skill} {self.ticks // 5}", "point": np.float32([1.5, 2.0])}


def make_player(env, task, seed):
    fidgeter = Fidgeter(seed)
    return Player(fidgeter.act, fidgeter.truth)


def trouble(what):
    """A player that goes wrong in its 5th tick, until the file that JARVIS_TEST_MARK names exists."""
    mark = Path(os.environ["JARVIS_TEST_MARK"])
    if mark.exists():
        return
    mark.touch()
    if what == "die":
        os._exit(1)
    if what == "hang":
        time.sleep(600)


def make_unlucky_player(env, task, seed):
    fidgeter = Fidgeter(seed)

    def act(observation, info):
        if fidgeter.ticks == 5:
            trouble(task.name)
        return fidgeter.act(observation, info)

    return Player(act, fidgeter.truth)


def make_raising_player(env, task, seed):
    fidgeter = Fidgeter(seed)

    def act(observation, info):
        if fidgeter.ticks == 5 and task.name == "raise":
            raise RuntimeError("lost its way")
        return fidgeter.act(observation, info)

    return Player(act, fidgeter.truth)
