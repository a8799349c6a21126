"""A place to play that is over in milliseconds: every tick with attack down mines a stone. And players for it."""

import numpy as np

from evaluation.suites import Suite
from jarvis.core.actions import Action
from jarvis.core.errors import EnvironmentFailure, StartStateError
from jarvis.core.events import Event
from jarvis.core.goals import Count, Goal
from jarvis.core.names import Vocabulary
from jarvis.core.start_states import StartState
from jarvis.core.tasks import Task
from jarvis.envs.base import EpisodeEnv, Told


class Treadmill(EpisodeEnv):
    """The picture is the tick's number; `breaks_on` maps a seed to what goes wrong there, and when."""

    name = "treadmill"
    supported_start_fields = frozenset({"inventory"})
    made = 0

    def __init__(self, breaks_on=()):
        self.breaks_on = dict(breaks_on)
        self.closed = False
        Treadmill.made += 1
        super().__init__(width=16, height=16)

    def vocabulary(self):
        return Vocabulary()

    def begin(self, task, start, seed):
        self.seed, self.mined = seed, start.inventory.get("stone", 0)
        if self.breaks_on.get(seed) == "start":
            raise StartStateError("no place for 3 cows")
        return self._told(0, [])

    def play(self, action, tick):
        trouble = self.breaks_on.get(self.seed)
        if trouble == "failure" and tick == 2:
            raise EnvironmentFailure("the simulator did not answer within 30 s")
        if trouble == "bug" and tick == 2:
            raise ZeroDivisionError("division by zero")
        self.mined += int(action["attack"])
        return self._told(tick + 1, [Event(tick, "mine_block", "stone")] if action["attack"] else [])

    def _told(self, shade, events):
        return Told(np.full((16, 16, 3), shade, np.uint8), events, {"inventory": {"stone": self.mined}}, {"y": 1.0})

    def close(self):
        self.closed = True


class Player:
    """Holds attack, and lets go every `pause`-th tick of a row; counts what it was asked."""

    def __init__(self, pause=0):
        self.pause, self.ticks, self.seeds, self.calls = pause, [], [], 0

    def reset(self, goals, *, rows=None, seeds=None):
        if rows is None:
            self.ticks, self.seeds, rows = [0] * len(goals), [0] * len(goals), range(len(goals))
        for row, seed in zip(rows, seeds, strict=True):
            self.ticks[row], self.seeds[row] = 0, seed

    def act(self, observations):
        self.calls += 1
        self.ticks = [tick + 1 for tick in self.ticks]
        return [Action.noop() if self.pause and tick % self.pause == 0 else Action.of("attack") for tick in self.ticks]


def mining(name, stones, ticks=20, milestones=()):
    """A task of the treadmill."""
    goal = Goal(f"mine {stones} stones", Count("mine_block", "stone", stones))
    steps = {f"{count} stones": Count("mine_block", "stone", count) for count in milestones}
    return Task(name, goal, StartState(), ticks, steps, (f"mine {stones} stones", f"break {stones} stones"))


def suite(*tasks, each=2):
    """Tasks as a suite; "mine_five" belongs to the group "mine"."""
    groups = {task.name: task.name.partition("_")[0] for task in tasks}
    return Suite("treadmill", {task.name: task for task in tasks}, each, env="treadmill", groups=groups)
