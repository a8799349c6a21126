"""Every player by name: `load_policy("random")`, imported on use.

    random        keys held for a while, a camera that turns smoothly; the same play for the same seed
    noop          nothing, ever
    replay:FILE   the actions of an earlier episode, one MineRL dictionary a line (`episode_000.actions.jsonl`)
    human         a person at the page that `jarvis play --watch` serves
    scripted      the demonstrator: plays voxel worlds from the inside, through keyboard and mouse only
    vla:FOLDER    a vision-language-action model of `jarvis train vla`; the folder alone will do
    vpt:MODEL[:WEIGHTS]    a network of VPT's, such as the released ones, or a folder of `jarvis train foundation`
    hf:ORG/NAME   a vision-language-action model from the Hugging Face Hub's cache, for instance JARVIS-VLA's
    openai:URL#MODEL    a model behind an OpenAI-compatible server such as vLLM
    served:URL    any policy that `jarvis serve` serves
    planned:SPEC  another policy, told one atomic instruction of a plan after the other (SPEC@LLM asks a model)

A policy that has nothing more to do raises EndOfPlay from `act`; the episode then ends as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from jarvis.core import rows as core_rows
from jarvis.core.actions import HOTBAR, Action
from jarvis.core.environments import Policy
from jarvis.core.errors import EpisodeError, UnknownNameError, nearest_names
from jarvis.core.files import read_json, read_json_lines
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.core.random_streams import generator

__all__ = [
    "POLICIES",
    "EndOfPlay",
    "NoopPolicy",
    "RandomPolicy",
    "ReplayPolicy",
    "Rows",
    "load_policy",
    "read_actions",
    "written",
]

# name: (module:class, what stands behind the colon of `name:...`, or nothing)
POLICIES: dict[str, tuple[str, str]] = {
    "default": ("jarvis.app.planner.guided:default_agent", ""),
    "random": ("jarvis.app.policies:RandomPolicy", ""),
    "noop": ("jarvis.app.policies:NoopPolicy", ""),
    "replay": ("jarvis.app.policies:ReplayPolicy", "FILE"),
    "human": ("jarvis.app.people:HumanPolicy", ""),
    "scripted": ("jarvis.app.demonstrator:ScriptedPolicy", ""),
    "vla": ("vla.policy:VlaPolicy", "FOLDER"),
    "vpt": ("jarvis.vpt.playing:VptPolicy", "MODEL[:WEIGHTS]"),
    "hf": ("vla.policy:hub_policy", "ORG/NAME"),
    "openai": ("vla.remote:OpenAIPolicy", "URL#MODEL"),
    "served": ("vla.serving:ServedPolicy", "URL"),
    "guided": ("jarvis.app.planner.guided:guided", "FOLDER"),
    "planned": ("jarvis.app.planner:planned", "SPEC[@LLM]"),
}


class EndOfPlay(Exception):  # noqa: N818 - not an error
    """Raised by a policy's `act`: the player has nothing more to do in any row."""


def load_policy(spec: str = "default", **options: Any) -> Policy:
    """The player that a SPEC names; options go to its constructor.

    Raises UnknownNameError with what there is, and ValueError for a SPEC that lacks its part behind the colon.
    """
    if kind := _kind_of_folder(spec):
        spec = f"{kind}:{spec}"
    name, colon, argument = spec.partition(":")
    if name not in POLICIES:
        raise UnknownPolicyError("policy", spec, nearest_names(name, POLICIES))
    target, wanted = POLICIES[name]
    if bool(wanted) != bool(argument) or (colon and not wanted):
        raise ValueError(f"policy {spec!r}: expected {written(name)}")
    module, _, attribute = target.partition(":")
    make = getattr(import_module(module), attribute)
    return make(argument, **options) if wanted else make(**options)


def _kind_of_folder(spec: str) -> str | None:
    """vla or vpt for the folder of such a model, None for anything else."""
    config = Path(spec) / "config.json"
    if not config.is_file():
        return None
    if "jarvis" in read_json(config):
        return "vla"
    from jarvis.vpt.loading import FORMAT, read_config_format

    return "vpt" if read_config_format(config) == FORMAT else None


def written(name: str) -> str:
    """How a policy of the table is written as a SPEC."""
    wanted = POLICIES[name][1]
    return f"{name}:{wanted}" if wanted else name


class UnknownPolicyError(UnknownNameError):
    """A policy SPEC that is not in the table."""

    def __str__(self) -> str:
        return f"{super().__str__()}; this release plays {', '.join(written(name) for name in POLICIES)}"


class Rows(core_rows.Rows):
    """Rows of a policy that does not use the picture."""

    looks = False  # so that it need not be drawn


class NoopPolicy(Rows):
    """Presses nothing."""

    def begin(self, goal: Goal | None, seed: int) -> None:
        """Nothing to remember."""

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One empty action a row."""
        self.check(observations)
        return [Action.noop() for _ in observations]


# What a random player does for a while: (weight, shortest, longest in ticks, chance of each key to be held)
_ACTIVITIES: tuple[tuple[float, int, int, dict[str, float]], ...] = (
    (5.0, 20, 100, {"forward": 1.0, "sprint": 0.4, "jump": 0.35, "left": 0.1, "right": 0.1}),  # walk
    (5.0, 30, 120, {"attack": 1.0}),  # dig or fell what is in front
    (3.0, 20, 80, {"attack": 1.0, "forward": 1.0, "jump": 0.3}),  # dig ahead
    (1.0, 10, 40, {}),  # look round
    (0.7, 10, 30, {"left": 0.5, "right": 0.5, "back": 0.4, "jump": 0.2}),  # step aside
    (0.5, 2, 12, {"use": 1.0}),  # place, eat, open
    (0.3, 10, 30, {"sneak": 1.0, "forward": 0.5}),
)
_WEIGHTS = np.array([activity[0] for activity in _ACTIVITIES])
_WEIGHTS /= _WEIGHTS.sum()
_HOTBAR_CHANCE = 0.008  # a tick
_INVENTORY_CHANCE = 0.0008
_DROP_CHANCE = 0.0003
_GAZE = 12.0  # degrees of pitch that the eyes return to: a little below the horizon


class _Player:
    """One random player: what it is doing, and how its head turns."""

    def __init__(self, seed: int) -> None:
        self.random = generator(seed, "policy", "random")
        self.keys: tuple[str, ...] = ()
        self.left = 0  # ticks of the present activity
        self.speed = np.zeros(2)  # degrees a tick, (pitch, yaw)
        self.pitch = 0.0  # as far as the player can know: its own turns, summed
        self.screen = 0  # ticks until the inventory, opened by it, is closed again

    def act(self) -> Action:
        random = self.random
        if self.screen:
            return self._in_screen()
        if self.left == 0:
            self._choose()
        self.left -= 1
        keys = list(self.keys)
        # The speed of the head wanders and dies away; a hand on the attack key keeps it calmer.
        calm = 0.35 if "attack" in keys else 1.0
        self.speed = 0.85 * self.speed + calm * random.normal(0.0, (0.6, 1.3))
        pull = 0.02 * (_GAZE - self.pitch)
        turn = np.clip(self.speed + np.array([pull, 0.0]), -20.0, 20.0)
        turn[0] = np.clip(self.pitch + turn[0], -90.0, 90.0) - self.pitch
        self.pitch += float(turn[0])
        if random.random() < _HOTBAR_CHANCE:
            keys.append(HOTBAR[int(random.integers(len(HOTBAR)))])
        if random.random() < _DROP_CHANCE:
            keys.append("drop")
        if random.random() < _INVENTORY_CHANCE:
            self.screen, self.left = int(random.integers(20, 60)), 0
            return Action.of("inventory")
        return Action.of(*keys, camera=turn)

    def _choose(self) -> None:
        _, shortest, longest, chances = _ACTIVITIES[int(self.random.choice(len(_ACTIVITIES), p=_WEIGHTS))]
        self.left = int(self.random.integers(shortest, longest + 1))
        self.keys = tuple(key for key, chance in chances.items() if self.random.random() < chance)

    def _in_screen(self) -> Action:
        """Moves the cursor and clicks, then closes the screen."""
        self.screen -= 1
        if self.screen == 0:
            return Action.of("inventory")
        self.speed = 0.7 * self.speed + self.random.normal(0.0, 3.0, 2)
        clicked = self.random.random() < 0.15
        return Action.of(*(("attack",) if clicked else ()), camera=np.clip(self.speed, -20.0, 20.0))


class RandomPolicy(Rows):
    """A random player with the habits of a person: keys stay down for a while and the camera turns smoothly.

    It walks, digs and looks round, now and then changes its tool, and opens and closes the inventory.
    """

    def begin(self, goal: Goal | None, seed: int) -> _Player:
        """A player with a stream of its own."""
        return _Player(seed)

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One action a row, whatever is seen."""
        self.check(observations)
        return [player.act() for player in self._rows]


def read_actions(path: str | Path) -> list[Action]:
    """The actions of a file with one MineRL dictionary a line. EpisodeError names the line."""
    lines = read_json_lines(path)
    if lines.cut is not None:
        raise EpisodeError(lines.cut)
    actions = []
    for number, value in zip(lines.numbers, lines, strict=True):
        try:
            actions.append(Action.from_env(value))
        except ValueError as error:
            raise EpisodeError(f"{path}: line {number}: {error}") from None
    if not actions:
        raise EpisodeError(f"{path}: no actions in it")
    return actions


class ReplayPolicy(Rows):
    """Plays the actions of a file from their beginning, in every row, and then ends the play."""

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.actions = read_actions(path)

    def begin(self, goal: Goal | None, seed: int) -> int:
        """The next action's number."""
        return 0

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """The next action of each row; nothing in rows that have played all of theirs while others go on."""
        self.check(observations)
        if all(position >= len(self.actions) for position in self._rows):
            raise EndOfPlay
        chosen = [self.actions[at] if at < len(self.actions) else Action.noop() for at in self._rows]
        self._rows = [position + 1 for position in self._rows]
        return chosen
