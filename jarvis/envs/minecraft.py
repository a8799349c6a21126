"""What the two ways into the real game share: its names, and the episode around a simulator in its own process.

    env = MineRLEnv()                                            # or MineStudioEnv()
    observation, info = env.reset(task, seed)
    observation, reward, terminated, truncated, info = env.step(Action.of("forward"))

Loop, actions, observations and info are those of `jarvis.envs.base`. A simulator that hangs, dies or answers nonsense
raises EnvironmentFailure, the episode is aborted, and the next reset starts a sound one: with the same seed if it is
given none. Events are the rises of the simulator's own counters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.errors import EnvironmentFailure, EpisodeError, StartStateError
from jarvis.core.events import EVENT_NAMES, Event, EventCounters
from jarvis.core.names import Vocabulary
from jarvis.core.random_streams import stream_seed
from jarvis.core.start_states import NUM_SLOTS, StartState
from jarvis.core.tasks import Task
from jarvis.envs.base import EpisodeEnv, Told
from jarvis.envs.remote import RemoteConfig, RemoteSimulator

__all__ = ["MinecraftEnv", "biome_name", "minecraft_vocabulary", "stack_limit", "stacks_of"]

_SETTLE_TICKS = 20  # without input, within which the start's inventory must have arrived


@cache
def _names() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("minecraft_names.json").read_text())


@cache
def minecraft_vocabulary() -> Vocabulary:
    """The names of Minecraft 1.16.5. A start's biome is a category there: "mountains" are `extreme_hills`."""
    names = _names()
    aliases = {
        "mountains": "extreme_hills",
        "badlands": "mesa",
        "snowy_tundra": "icy",
        "mushroom_fields": "mushroom",
    }
    return Vocabulary.of(names["items"], names["blocks"], names["entities"], names["biome_categories"], aliases)


def biome_name(location: Mapping[str, Any]) -> str | None:
    """The biome of MineRL's location_stats, which have its number only; None where they have none."""
    if "biome_id" not in location:
        return location.get("biome")
    return _names()["biomes"].get(str(int(location["biome_id"])), f"biome_{int(location['biome_id'])}")


_SINGLE = (
    "_pickaxe", "_axe", "_sword", "_shovel", "_hoe", "_helmet", "_chestplate", "_leggings", "_boots", "_boat", "_bed",
    "minecart", "_horse_armor", "_stew", "_soup", "potion", "_banner_pattern",
)  # fmt: skip
_SINGLES = {
    "bow", "crossbow", "trident", "shield", "shears", "fishing_rod", "flint_and_steel", "elytra", "saddle", "cake",
    "totem_of_undying", "enchanted_book", "writable_book", "carrot_on_a_stick", "warped_fungus_on_a_stick",
    "debug_stick", "knowledge_book",
}  # fmt: skip
_SIXTEENS = {"snowball", "egg", "ender_pearl", "bucket", "honey_bottle", "armor_stand", "written_book"}


def stack_limit(item: str) -> int:
    """How many of an item one slot holds."""
    if item in _SINGLES or item.endswith((*_SINGLE, "_bucket")) or item.startswith("music_disc_"):
        return 1
    return 16 if item in _SIXTEENS or item.endswith(("_sign", "_banner")) else 64


def stacks_of(start: StartState) -> dict[int, tuple[str, int]]:
    """{slot: (item, count)} of a start's `slots` and `inventory`, which fills the first free slots.

    Raises StartStateError if 36 slots are too few, or a slot holds more than the game allows.
    """
    taken = dict(start.slots)
    for slot, (item, count) in taken.items():
        if count > stack_limit(item):
            raise StartStateError(f"slots[{slot}]: {count} {item}, but one slot holds {stack_limit(item)}")
    free = iter([slot for slot in range(NUM_SLOTS) if slot not in taken])
    for item, count in start.inventory.items():
        while count:
            slot = next(free, -1)
            if slot < 0:
                raise StartStateError(f"inventory: no slot is left for {count} {item}; there are {NUM_SLOTS}")
            taken[slot] = (item, min(count, stack_limit(item)))
            count -= taken[slot][1]
    return dict(sorted(taken.items()))


class MinecraftEnv(EpisodeEnv):
    """An episode in a simulator of the real game. MineRLEnv and MineStudioEnv say what they differ in."""

    name = "minecraft"

    def __init__(
        self,
        simulator: str,
        config: RemoteConfig,
        task: Task | None = None,
        width: int = 640,
        height: int = 360,
        render_mode: str | None = None,
    ) -> None:
        self._seed: int | None = None
        self._aborted = False
        super().__init__(task, width, height, render_mode)
        self.simulator = RemoteSimulator(simulator, self.launch_options(StartState()), config)

    # what the simulators differ in

    def launch_options(self, start: StartState) -> dict[str, Any]:
        """What the worker's simulator is constructed with; a change of it starts another process."""
        return {"resolution": [self.width, self.height]}

    def start_request(self, start: StartState, seed: int) -> dict[str, Any]:
        """How the worker is told to set the scene."""
        raise NotImplementedError

    def deliver(self, action: Action) -> dict[str, Any]:
        """The action as this simulator takes it, as JSON values."""
        mapping = action.to_env()
        mapping["camera"] = mapping["camera"].tolist()
        return dict(sorted(mapping.items()))

    def understand(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The simulator's info under MineRL's names: inventory as counts, life_stats, location_stats, isGuiOpen."""
        raise NotImplementedError

    # the episode

    def vocabulary(self) -> Vocabulary:
        """Minecraft 1.16.5's."""
        return minecraft_vocabulary()

    def check(self, task: Task) -> StartState:
        """As in EpisodeEnv, and that the kit fits into 36 slots and the seed into Java's."""
        start = super().check(task)
        if start.seed is not None and start.seed < 0:
            raise StartStateError(f"seed: {start.seed}, but {self.name} takes seeds from 0 only")
        stacks_of(start)
        return start

    def seed_of(self, seed: int | None) -> int:
        """As in EpisodeEnv, but an episode that was aborted is begun again where no other seed is asked for."""
        if seed is None and self._aborted and self._seed is not None:
            return self._seed
        return super().seed_of(seed)

    def begin(self, task: Task, start: StartState, seed: int) -> Told:
        """Sets the scene, in a new process where the old one failed or was made for something else."""
        self._seed, self._aborted = seed, True
        world = seed if start.seed is None else start.seed
        # Java's seeds have 63 bits without the sign; larger ones are mixed down.
        world = world if 0 <= world < 2**63 else stream_seed(world, "world") >> 1
        request = self.start_request(start, world)
        frame, raw = self.simulator.reset(world, request, self.launch_options(start))
        frame, raw = self._settle(start, frame, raw)
        self._aborted = False
        self._counted = _counters(raw)
        return self._told(frame, raw, [])

    def play(self, action: Action, tick: int) -> Told:
        """Plays one tick of the game."""
        try:
            frame, _, terminated, truncated, raw = self.simulator.step(self.deliver(action))
            events = self._events(raw, tick)
        except EnvironmentFailure:
            self._aborted = True
            raise
        told = self._told(frame, raw, events)
        life = told.info["life_stats"]
        dead = life.get("life", 1) <= 0 or not life.get("is_alive", True)
        return told._replace(ended=terminated or dead, cut=truncated)

    def close(self) -> None:
        """Ends the game and all of its processes. May be called twice, and the environment reset again afterwards."""
        self.simulator.close()

    def _events(self, raw: Mapping[str, Any], tick: int) -> list[Event]:
        counted = _counters(raw)
        try:
            events = counted.events_since(self._counted, tick)
        except EpisodeError as error:
            raise self.simulator.abort(f"its counters fell within an episode: {error}") from error
        self._counted = counted
        return events

    def _settle(self, start: StartState, frame: np.ndarray, raw: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
        # Waits for the inventory that was asked for, and believes no simulator that does not show it.
        wanted: dict[str, int] = {}
        for item, count in stacks_of(start).values():
            wanted[item] = wanted.get(item, 0) + count
        for _ in range(_SETTLE_TICKS + 1):
            held = self.understand(raw)["inventory"]
            missing = [f"{count} {item}" for item, count in wanted.items() if held.get(item, 0) < count]
            if not missing:
                return frame, raw
            frame, _, terminated, truncated, raw = self.simulator.step(self.deliver(Action.noop()))
            if terminated or truncated:
                break
        raise self.simulator.abort(f"the start state was not honoured: {', '.join(missing)} did not arrive")

    def _told(self, frame: np.ndarray, raw: Mapping[str, Any], events: list[Event]) -> Told:
        info = self.understand(raw)
        # More counters, which are not events of ours.
        info |= {name: raw[name] for name in ("damage_dealt", "entity_killed_by") if raw.get(name)}
        location = info["location_stats"]
        status = {"biome": biome_name(location), "y": location.get("ypos")}
        return Told(frame, events, info, {key: value for key, value in status.items() if value is not None})


def _counters(raw: Mapping[str, Any]) -> EventCounters:
    totals = {name: {item: int(count) for item, count in raw.get(name, {}).items()} for name in EVENT_NAMES}
    return EventCounters(totals)
