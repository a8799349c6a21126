"""The folder that one game runs in: its settings, a world without a past, and our mod.

home/minetest.conf   home/world/world.mt   home/world/worldmods/jarvis/{mod.conf,init.lua}
home/world/log_0.jsonl ... (the mod writes)      home/world/command.json (the mod reads)
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jarvis.core.files import atomic_write
from jarvis.envs.luanti.keys import DEGREES_PER_PIXEL

__all__ = ["game_settings", "lay_out", "log_path", "map_seed", "send_command"]

DATA = Path(__file__).parent / "data"

# The map stays in memory: nothing of an episode is on the disk.
WORLD = {
    "gameid": "minetest",
    "world_name": "jarvis",
    "backend": "dummy",
    "player_backend": "dummy",
    "mod_storage_backend": "dummy",
    "auth_backend": "sqlite3",
}


def map_seed(seed: int) -> int:
    """The map's seed, unsigned 64 bits, of a start state's."""
    return seed % 2**64


def game_settings(width: int, height: int, seed: int, time_of_day: float = 0.3, view_range: int = 48) -> dict[str, Any]:
    """minetest.conf of a window of that size and a map of that seed.

    time_of_day: when the world begins, in days since midnight. view_range: blocks that are drawn ahead.
    """
    return {
        "screen_w": width,
        "screen_h": height,
        "fullscreen": False,
        "vsync": False,
        "fps_max": 60,  # NOTE: below 20 it would wait for a clock that only we move
        "fps_max_unfocused": 60,
        "pause_fps_max": 60,
        "viewing_range": view_range,
        "leaves_style": "simple",  # fancy ones look alike and cost a third of the time in a forest
        "fov": 72,
        "hud_scaling": 0.5 * height / 360,
        "enable_sound": False,
        "enable_clouds": False,
        "enable_weather": False,  # clouds of minetest_game's own
        "enable_minimap": False,
        "enable_particles": False,  # they fly at random, and in each run otherwise
        "show_debug": False,
        "view_bobbing_amount": 0,
        "fall_bobbing_amount": 0,
        "arm_inertia": False,
        "cinematic": False,
        "camera_smoothing": 0,
        "doubletap_jump": False,
        "autojump": False,
        "safe_dig_and_place": False,
        "mouse_sensitivity": DEGREES_PER_PIXEL,
        "invert_mouse": False,
        "tooltip_show_delay": 100,
        "bind_address": "127.0.0.1",
        "enable_ipv6": False,
        "server_announce": False,
        "enable_local_map_saving": False,
        "contentdb_flag_blacklist": "",
        "fixed_map_seed": map_seed(seed),
        "mg_name": "v7",
        "num_emerge_threads": 1,  # two make the same map in another order, with other trees at the seams
        "mesh_generation_interval": 0,
        "creative_mode": False,
        "enable_damage": True,
        "disable_anticheat": True,  # it measures digging by the wall clock
        "give_initial_stuff": False,
        "dedicated_server_step": 0.04,  # how often the player tells where it is: in every frame
        "time_speed": 72,
        "world_start_time": round(24000 * time_of_day),
        "abm_time_budget": 10.0,  # of wall clock
        "keymap_forward": "KEY_KEY_W",
        "keymap_backward": "KEY_KEY_S",
        "keymap_left": "KEY_KEY_A",
        "keymap_right": "KEY_KEY_D",
        "keymap_jump": "KEY_SPACE",
        "keymap_sneak": "KEY_LSHIFT",
        "keymap_aux1": "KEY_KEY_E",
        "keymap_drop": "KEY_KEY_Q",
        "keymap_inventory": "KEY_KEY_I",
        "keymap_dig": "KEY_LBUTTON",
        "keymap_place": "KEY_RBUTTON",
        **{f"keymap_slot{slot}": f"KEY_KEY_{slot}" for slot in range(1, 9)},
    }


def lay_out(home: Path, settings: Mapping[str, Any]) -> list[str]:
    """Makes the folder anew; the arguments that the game is started with."""
    shutil.rmtree(home, ignore_errors=True)
    world = home / "world"
    shutil.copytree(DATA / "mod", world / "worldmods" / "jarvis")
    (world / "world.mt").write_text(_lines(WORLD))
    (home / "minetest.conf").write_text(_lines(settings))
    return ["--go", "--world", str(world), "--gameid", WORLD["gameid"], "--config", str(home / "minetest.conf")]


def _lines(values: Mapping[str, Any]) -> str:
    def text(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return "".join(f"{name} = {text(value)}\n" for name, value in values.items())


def log_path(home: Path, serial: int) -> Path:
    """Where the mod tells what happens since the scene with that number was set; 0 is before the first."""
    return home / "world" / f"log_{serial}.jsonl"


def send_command(home: Path, command: Mapping[str, Any]) -> None:
    """Leaves a command for the mod, which reads it in its next step."""
    atomic_write(home / "world" / "command.json", json.dumps(command))
