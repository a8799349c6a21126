"""Stand-ins with the Python API of MineRL 1.0 and MineStudio 1.1, which can fail in every way that the games fail.

`write_packages(folder)` makes folder/minerl and folder/minestudio, thin packages over the classes below; with the
folder on a worker's path they are imported as the simulators would be. The classes follow the simulators' sources:
what is forgotten at a reset, what gathers in info, what comes back after a lost socket.

JARVIS_STAND_IN_FAULT = "KIND:STAGE:COUNT" makes the COUNT-th launch, reset or step of a process go wrong:

    hang    never answers                     stop    stops itself with SIGSTOP
    die     leaves with exit code 3           flood   prints for ever
    orphans leaves children in sessions of their own and a daemon behind, and hangs (JARVIS_STAND_IN_PIDS: their list)
    error   loses its socket: a random observation     death   the player dies
    fall    its counters fall                 chatter prints a megabyte, and goes on

With JARVIS_STAND_IN_ONCE = FILE only the first process does, which makes the file.
"""

import collections
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np

ITEMS = ["air", "cobblestone", "diamond_pickaxe", "oak_log", "oak_planks", "stone_pickaxe", "torch"]
BUTTONS = ["ESC", "attack", "back", "drop", "forward", "hotbar.1", "hotbar.2", "hotbar.3", "hotbar.4", "hotbar.5",
           "hotbar.6", "hotbar.7", "hotbar.8", "hotbar.9", "inventory", "jump", "left", "pickItem", "right", "sneak",
           "sprint", "swapHands", "use"]  # fmt: skip
STATISTICS = ["use_item", "drop", "pickup", "break_item", "craft_item", "mine_block", "damage_dealt", "kill_entity",
              "entity_killed_by"]  # fmt: skip


def write_packages(folder):
    here = Path(__file__).resolve().parent
    files = {
        "minerl/__init__.py": f"import sys; sys.path.append({str(here)!r})",
        "minerl/herobraine/__init__.py": "",
        "minerl/herobraine/env_specs/__init__.py": "",
        "minerl/herobraine/env_specs/human_survival_specs.py": "from stand_in_simulators import HumanSurvival",
        "minerl/herobraine/hero/__init__.py": "",
        "minerl/herobraine/hero/handlers.py": "from stand_in_simulators import DoneOnDeath, InventoryAgentStart, "
        "PreferredSpawnBiome",
        "minestudio/__init__.py": f"import sys; sys.path.append({str(here)!r})",
        "minestudio/simulator/__init__.py": "from stand_in_simulators import MinecraftSim",
        "minestudio/simulator/callbacks/__init__.py": "from stand_in_simulators import CommandsCallback",
    }
    for name, text in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text) + "\n")
    return str(folder)


# -- faults ----------------------------------------------------------------------------------------------------------

_COUNTS = collections.Counter()


def fault(stage):
    """The kind of a fault that a game has to act out itself, or None; the others happen here."""
    kind, where, count = os.environ.get("JARVIS_STAND_IN_FAULT", "none:none:0").split(":")
    _COUNTS[stage] += 1
    if where != stage or _COUNTS[stage] < int(count):
        return None
    once = os.environ.get("JARVIS_STAND_IN_ONCE")
    if once:
        if os.path.exists(once):
            return None
        Path(once).touch()
    if kind == "hang":
        time.sleep(1e6)
    if kind == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if kind == "die":
        os._exit(3)
    if kind == "flood":
        while True:
            sys.stdout.write("Picked up JAVA_TOOL_OPTIONS\n" * 1000)
    if kind == "chatter":
        sys.stdout.write("Loading for game Minecraft 1.16.5\n" * 30000)
    if kind == "orphans":
        _leave_orphans()
        time.sleep(1e6)
    return kind


def _leave_orphans():
    own_session = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    pids = [own_session.pid]
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        daemon = subprocess.Popen(["sleep", "1000"], start_new_session=True, env={"PATH": os.environ["PATH"]})
        os.write(writing, str(daemon.pid).encode())
        os._exit(0)
    pids.append(int(os.read(reading, 32)))
    with open(os.environ["JARVIS_STAND_IN_PIDS"], "a") as file:
        file.write("".join(f"{pid}\n" for pid in pids))


class Count:
    """A Gymnasium environment whose picture is its seed and its tick."""

    def reset(self, seed=None, options=None):
        self.seed, self.tick = seed, 0
        return self.picture(), {"options": options, "small": np.float32(0.5)}

    def step(self, action):
        if action == "fail":
            raise ValueError("this action is not for me")
        if action == "nonsense":
            for descriptor in range(3, 256):  # whichever of them is the pipe
                try:
                    os.write(descriptor, b"\xff\xff\xff\xffHello!")
                except OSError:
                    pass
            time.sleep(1e6)
        self.tick += 1
        return {"pov": self.picture()}, 0.5, False, self.tick == 3, {"action": action}

    def picture(self):
        return np.full((4, 6, 3), self.seed + self.tick, np.uint8)

    def close(self):
        print("good-bye")


class Game:
    """Ten lines of Minecraft: walking, and a tree whose every third blow gives a log."""

    def __init__(self, seed, resolution, biome, slots):
        # No seed, no repetition.
        self.random = np.random.RandomState(None if seed is None else seed % 2**32)
        self.resolution, self.biome, self.slots = resolution, biome, dict(slots)
        self.x, self.blows, self.health, self.gui, self.ticks = 0.0, 0, 20.0, False, 0
        self.statistics = {name: collections.Counter() for name in STATISTICS}
        self.commands = []

    def tick(self, action, kind=None):
        self.ticks += 1
        self.x += 0.2 * (action.get("forward", 0) - action.get("back", 0))
        self.gui ^= bool(action.get("inventory", 0))
        if action.get("attack", 0):
            self.blows += 1
            if self.blows % 3 == 0:
                self.statistics["mine_block"]["oak_log"] += 1
                self.statistics["pickup"]["oak_log"] += 1
                self.give("oak_log", 1)
        if action.get("drop", 0):
            self.statistics["drop"]["oak_log"] += 1
        if kind == "death":
            self.health = 0.0
        if kind == "fall":
            self.statistics["mine_block"].clear()

    def give(self, item, count, slot=None):
        for number in range(36) if slot is None else [slot]:
            held, quantity = self.slots.get(number, (item, 0))
            if held == item:
                self.slots[number] = (item, quantity + count)
                return

    def picture(self):
        width, height = self.resolution
        return self.random.randint(0, 256, (height, width, 3)).astype(np.uint8)

    def location(self):
        return {"xpos": self.x, "ypos": 64.0, "zpos": 0.0, "yaw": 0.0, "pitch": 0.0, "biome_id": np.array(4)}


# -- MineRL 1.0 ------------------------------------------------------------------------------------------------------


class DoneOnDeath:
    pass


class InventoryAgentStart:
    def __init__(self, inventory):
        assert all(isinstance(slot, int) for slot in inventory)
        self.inventory = inventory


class PreferredSpawnBiome:
    def __init__(self, biome):
        self.biome = biome


class HumanSurvival:
    def __init__(self, *args, resolution=(640, 360), **kwargs):
        self.resolution = resolution
        self.reset()

    def reset(self):
        self.agent_start = [self.create_agent_start()]

    def create_agent_start(self):
        return []

    def make(self):
        fault("launch")
        return MineRLEnvironment(self)


class MineRLEnvironment:
    def __init__(self, task):
        self.task, self._seed, self.done, self.game = task, None, True, None

    def seed(self, seed=None, seed_spaces=True):
        assert isinstance(seed, int) or seed is None, "Seed must be an int!"
        self._seed = seed

    def reset(self):
        kind = fault("reset")
        self.task.reset()
        start = {type(handler).__name__: handler for handler in self.task.agent_start[0]}
        slots = start["InventoryAgentStart"].inventory if "InventoryAgentStart" in start else {}
        if kind == "fall":
            slots = {}
        slots = {slot: (stack["type"], stack["quantity"]) for slot, stack in slots.items()}
        biome = start["PreferredSpawnBiome"].biome if "PreferredSpawnBiome" in start else None
        self.game = Game(self._seed, self.task.resolution, biome, slots)
        self._seed, self.done = None, False
        return self._observation()[0]

    def step(self, action):
        if self.done:
            raise RuntimeError("Attempted to step an environment server with done=True")
        assert sorted(action) == sorted([*BUTTONS, "camera"]), sorted(action)
        assert all(type(action[name]) is int and action[name] in (0, 1) for name in BUTTONS)
        assert action["camera"].dtype == np.float32 and action["camera"].shape == (2,)
        kind = fault("step")
        if kind == "error":
            self.done = True
            random = np.random.RandomState()
            picture = random.randint(0, 256, self.game.picture().shape).astype(np.uint8)
            return {**self._observation()[0], "pov": picture}, 0, True, {"error": "Connection timed out!"}
        self.game.tick(action, kind)
        self.done = self.game.health <= 0
        observation, info = self._observation()
        return observation, 0.0, self.done, info

    def _observation(self):
        game = self.game
        counts = collections.Counter()
        for item, count in game.slots.values():
            counts[item] += count
        counts["air"] = 36 - len(game.slots)
        observation = {
            "pov": game.picture(),
            "inventory": {item: np.array(counts[item], np.int32) for item in ITEMS},
            "equipped_items": {"mainhand": {"type": "air", "damage": np.array(0), "maxDamage": np.array(0)}},
            "life_stats": {"life": game.health, "food": np.array(20), "is_alive": game.health > 0},
            "location_stats": game.location(),
            "full_stats": {f"statistic {number}": np.array(number) for number in range(1233)},
        }
        for name in STATISTICS:
            observation[name] = {item: np.array(game.statistics[name][item], np.int64) for item in ITEMS}
        return observation, {"isGuiOpen": game.gui, "location_stats": game.location()}

    def close(self):
        pass


# -- MineStudio 1.1 --------------------------------------------------------------------------------------------------


class CommandsCallback:
    def __init__(self, commands):
        self.commands = commands

    def after_reset(self, sim, obs, info):
        for command in self.commands:
            obs, _, _, info = sim.env.execute_cmd(command)
        return sim._wrap_obs_info(obs, info)


class MineStudioInner:
    """Its fork of MineRL: commands by chat, numbered slots, and position and screen in the observation."""

    keys = frozenset([*BUTTONS, "camera", "chat", "voxels", "mobs"]) - {"drop", "ESC", "swapHands"}

    def __init__(self, resolution, biome):
        self.resolution, self.biome, self._seed, self.game = resolution, biome, None, None

    def seed(self, seed=None):
        assert isinstance(seed, int) or seed is None, "Seed must be an int!"
        self._seed = seed

    def reset(self):
        fault("reset")
        self.game = Game(self._seed, self.resolution, self.biome, {})
        self._seed = None

    def execute_cmd(self, command):
        self.game.commands.append(command)
        words = command.split()
        if words[0] == "/replaceitem":
            place, number = words[3].split(".")
            slot = int(number) + (9 if place == "inventory" else 0)
            self.game.give(words[4].partition(":")[2], int(words[5]), slot)
        return self.step({"camera": np.zeros(2, np.float32)})

    def step(self, action):
        kind = fault("step")
        game = self.game
        # A command without a handler is not sent, and nobody says so.
        game.tick({key: value for key, value in action.items() if key in self.keys}, kind)
        if kind == "error":
            return {"pov": game.picture()}, 0, True, {"error": "Connection timed out!"}
        inventory = {slot: {"type": "none", "quantity": 0} for slot in range(36)}
        for slot, (item, count) in game.slots.items():
            inventory[slot] = {"type": item, "quantity": float(count)}
        obs = {
            "pov": game.picture(),
            "inventory": inventory,
            "equipped_items": {"mainhand": {"type": "none", "damage": 0, "maxDamage": 0}},
            "player_pos": {"x": game.x, "y": 64.0, "z": 0.0, "pitch": 0.0, "yaw": 0.0},
            "is_gui_open": game.gui,
        }
        for name in ("use_item", "pickup", "break_item", "craft_item", "mine_block", "kill_entity", "damage_dealt"):
            obs[name] = collections.defaultdict(lambda: np.zeros((), dtype=float), game.statistics[name])
        info = {"isGuiOpen": game.gui, "location_stats": game.location(), "health": game.health, "food_level": 20.0}
        return obs, 0.0, game.health <= 0, info


class MinecraftSim:
    def __init__(
        self,
        action_type="agent",
        obs_size=(224, 224),
        render_size=(640, 360),
        seed=0,
        inventory=None,
        preferred_spawn_biome=None,
        num_empty_frames=20,
        callbacks=(),
    ):
        if os.environ.get("JARVIS_STAND_IN_ENGINE") == "missing":
            input("Detecting missing simulator engine, do you want to download it (Y/N)?\n")
        fault("launch")
        self.action_type, self.callbacks, self.num_empty_frames = action_type, list(callbacks), num_empty_frames
        self.env = MineStudioInner(render_size, preferred_spawn_biome)
        self.env.seed(seed)

    def reset(self):
        self.env.reset()
        for _ in range(self.num_empty_frames):
            obs, _, _, info = self.env.step({"camera": np.zeros(2, np.float32)})
        obs, info = self._wrap_obs_info(obs, info)
        for callback in self.callbacks:
            obs, info = callback.after_reset(self, obs, info)
        return obs, info

    def step(self, action):
        received = sorted(action)
        obs, reward, done, info = self.env.step(action.copy())
        action.clear()  # whoever gave it had better not need it again
        obs, info = self._wrap_obs_info(obs, {**info, "received": received, "commands": self.env.game.commands})
        return obs, reward, done, done, info

    def _wrap_obs_info(self, obs, info):
        if getattr(self, "info", None) is None:
            self.info = {}
        self.info.update({**info, **obs})
        return {"image": obs["pov"][:2, :2]}, self.info.copy()

    def close(self):
        pass
