"""What the mod told: one JSON line a server step, with everything that evaluation may know.

    {"serial": 1, "step": 161, "dtime": 0.05, "position": [-192, 17.5, 0], "velocity": [0, 0, 0], "pitch": 0, "yaw": 0,
     "hp": 20, "breath": 10, "control": 0, "time": 0.27, "biome": "grassland", "wielded": "default:pick_wood",
     "inventory": {"default:tree": 3}, "totals": {"mine_block": {"default:tree": 3}}, "unsure": false}

serial: of the command that set the scene. Angles are degrees, pitch positive when looking down, yaw counter-clockwise
from north (+z). control: Luanti's bits of what is pressed. totals: since the scene was set. unsure: whether something
changed, or may have, that the mod cannot take back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jarvis.core.errors import EpisodeError
from jarvis.core.events import EVENT_NAMES
from jarvis.envs.luanti.names import from_luanti

__all__ = ["LogReader", "told_info"]

_FIELDS = frozenset({"serial", "step", "dtime", "position", "pitch", "yaw", "hp", "time", "unsure"})


class LogReader:
    """The new lines of a log that another process writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """The steps told since the last call. A line that is still being written waits for the next one."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            whole, end, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(end)
        return [_step(line, self.path) for line in whole.splitlines() if line]


def _step(line: bytes, path: Path) -> dict[str, Any]:
    try:
        step = json.loads(line)
    except ValueError:
        step = None
    if not isinstance(step, dict) or not step.keys() >= _FIELDS:
        raise EpisodeError(f"{path}: {line[:200]!r}, expected one step of the game with {', '.join(sorted(_FIELDS))}")
    return step


def told_info(step: Mapping[str, Any], screen_open: bool) -> dict[str, Any]:
    """A step under MineRL's names: inventory, equipped_items, location_stats, life_stats, isGuiOpen and the counters.

    Yaw is clockwise from north (+z), so that turning right adds to it, as in Minecraft; x grows to the east.
    """
    x, y, z = step["position"]
    totals = {name: _ours(items) for name, items in (step.get("totals") or {}).items() if name in EVENT_NAMES}
    return {
        "inventory": _ours(step.get("inventory") or {}),
        "equipped_items": {"mainhand": {"type": from_luanti(step["wielded"]) if step.get("wielded") else "air"}},
        "location_stats": {
            "xpos": x,
            "ypos": y,
            "zpos": z,
            "pitch": step["pitch"],
            "yaw": -step["yaw"] % 360,
            "biome": step.get("biome") or "unknown",
        },
        "life_stats": {"life": step["hp"], "air": step.get("breath", 10), "is_alive": step["hp"] > 0},
        "isGuiOpen": screen_open,
        **totals,
    }


def _ours(counts: Mapping[str, float]) -> dict[str, int]:
    named: dict[str, int] = {}
    for name, number in counts.items():
        ours = name if ":" not in name else from_luanti(name)
        named[ours] = named.get(ours, 0) + int(number)
    return {name: number for name, number in sorted(named.items()) if number}
