"""Recordings in the format of OpenAI's contractors: one JSON line a frame, written and read.

    lines = ContractorLines()
    text = json.dumps(lines.line(action, seen))             # the action taken on the frame that shows `seen`
    log = read_contractor("10.0/player-20220421-092639.jsonl")
    log.buttons, log.camera, log.null, log.cursor

Line i is the action taken on frame i; position, screen, cursor and inventory are those that frame i shows. The mouse
counts in whole steps of 360 / 2400 = 0.15 degrees, so only such cameras can be recorded: `quantise_camera` gives the
nearest, and `ContractorLines` refuses others. Under that rule OpenAI's published conversion, with a camera array of
floats, gives back the very actions that were written. Two fields are shaped by that conversion:

    newButtons  empty in the first line: [0] there would make readers take `attack` for stuck
    hotbar      the slot after the action, as keys 1 to 9 chose it: a reader takes any other change for a scroll wheel

What the reader repairs is counted in `log.repairs`; what is not JSON, has NaN or lacks the mouse is refused by line.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from jarvis.core.actions import BUTTON_INDEX, BUTTONS, CAMERA_LIMIT, Action
from jarvis.core.errors import ActionError, FormatError
from jarvis.core.files import DOCUMENT_LIMIT, Pathlike, parse_json, read_json_lines

__all__ = [
    "DEGREES_PER_COUNT",
    "WINDOW",
    "ContractorIndex",
    "ContractorLines",
    "ContractorLog",
    "Seen",
    "cursor_pixels",
    "gui_scale",
    "mouse_counts",
    "quantise_camera",
    "read_contractor",
    "read_index",
]

DEGREES_PER_COUNT = 360.0 / 2400.0
WINDOW = (1280, 720)  # pixels in which the mouse's x and y count, whatever the size of the video
TICK_MILLISECONDS = 50
HOTBAR_SLOTS = 9

_KEYBOARD = {
    "forward": "w", "left": "a", "back": "s", "right": "d", "jump": "space", "sneak": "left.shift",
    "sprint": "left.control", "drop": "q", "inventory": "e", "swapHands": "f", "ESC": "escape",
} | {f"hotbar.{slot}": str(slot) for slot in range(1, HOTBAR_SLOTS + 1)}  # fmt: skip
KEY_OF = {button: f"key.keyboard.{key}" for button, key in _KEYBOARD.items()}
BUTTON_OF = {key: BUTTON_INDEX[button] for button, key in KEY_OF.items()}
MOUSE_BUTTONS = tuple(BUTTON_INDEX[name] for name in ("attack", "use", "pickItem"))  # mouse buttons 0, 1, 2
_ATTACK, _PICK, _ESC, _INVENTORY = (BUTTON_INDEX[name] for name in ("attack", "pickItem", "ESC", "inventory"))
_FIRST_SLOT = BUTTON_INDEX["hotbar.1"]
_GUI_SCALES = {"5.7": 0.5, "5.8": 0.5, "6.7": 2.0, "6.8": 2.0, "6.9": 2.0}  # by version of the recorder


# the mouse


def quantise_camera(camera: Any) -> np.ndarray:
    """The nearest (..., 2) float32 cameras in degrees that a mouse can make: whole counts of 0.15 degrees."""
    counts = np.rint(np.asarray(camera, np.float64) / DEGREES_PER_COUNT)
    return (counts * DEGREES_PER_COUNT + 0.0).astype(np.float32)  # NOTE: adding zero turns -0.0 into 0.0


def mouse_counts(camera: Any) -> np.ndarray:
    """(..., 2) int64 counts (down, right) of (..., 2) cameras. ActionError for what is no whole number of them."""
    degrees = np.asarray(camera, np.float32)
    if not np.isfinite(degrees).all():
        raise ActionError("camera: NaN or infinite degrees")
    counts = np.rint(degrees.astype(np.float64) / DEGREES_PER_COUNT)
    wrong = (counts * DEGREES_PER_COUNT).astype(np.float32) != degrees
    if wrong.any():
        index = tuple(np.argwhere(wrong)[0].tolist())
        raise ActionError(
            f"camera: {('pitch', 'yaw')[index[-1]]} of {degrees[index]} degrees is not a whole number of mouse counts "
            f"of {DEGREES_PER_COUNT:g}; pass cameras through data_pipelines.contractor.quantise_camera before playing"
        )
    return counts.astype(np.int64)


def cursor_pixels(cursor: Any, frame_height: int) -> np.ndarray:
    """(..., 2) int64 pixels (x, y) of a frame at which the cursor's tip is drawn, of window positions in 1280 x 720."""
    # NOTE: truncated, and both by the height, as the released models' training data was.
    return np.trunc(np.asarray(cursor, np.float64) * (frame_height / WINDOW[1])).astype(np.int64)


# writing


@dataclass(frozen=True)
class Seen:
    """What a frame shows and what is true of the world in it. Those who learn from it need only the first three."""

    gui_open: bool = False
    gui_inventory: bool = False  # the open screen is the player's own inventory
    cursor: tuple[float, float] = (WINDOW[0] / 2, WINDOW[1] / 2)  # window pixels
    yaw: float = 0.0  # degrees
    pitch: float = 0.0
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)  # metres
    inventory: Sequence[tuple[str, int]] | Mapping[str, int] = ()  # item, quantity
    stats: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # totals by event and item, since reset


class ContractorLines:
    """Makes the lines of one recording, first to last. server_tick: how many ticks the world is old at the first."""

    def __init__(self, server_tick: int = 0) -> None:
        self._ticks, self._server_tick = 0, server_tick
        self._held = np.zeros(len(BUTTONS), np.uint8)
        self._hotbar = 0

    def line(self, action: Action, seen: Seen, slot: int | None = None) -> dict[str, Any]:
        """The next line, as JSON values. slot: 0 to 8, the selected hotbar slot after the action, if known."""
        down, right = mouse_counts(action.camera).tolist()
        new = (action.buttons != 0) & (self._held == 0)
        keys = [(key, BUTTON_INDEX[button]) for button, key in KEY_OF.items() if action[button]]
        pressed = [number for number, index in enumerate(MOUSE_BUTTONS) if action.buttons[index]]
        self._choose(action, seen, slot)
        (x, y), items = seen.cursor, seen.inventory.items() if isinstance(seen.inventory, Mapping) else seen.inventory
        line = {
            "mouse": {
                "x": float(x), "y": float(y), "dx": float(right), "dy": float(down),
                "scaledX": x - WINDOW[0] / 2, "scaledY": y - WINDOW[1] / 2, "dwheel": 0.0,
                "buttons": pressed,
                "newButtons": [number for number in pressed if self._ticks and new[MOUSE_BUTTONS[number]]],
            },
            "keyboard": {
                "keys": [key for key, _ in keys], "newKeys": [key for key, index in keys if new[index]], "chars": "",
            },
            "isGuiOpen": bool(seen.gui_open),
            "isGuiInventory": bool(seen.gui_inventory),
            "hotbar": self._hotbar,
            "yaw": float(seen.yaw), "pitch": float(seen.pitch),
            "xpos": float(seen.position[0]), "ypos": float(seen.position[1]), "zpos": float(seen.position[2]),
            "tick": self._ticks,
            "milli": (self._server_tick + self._ticks) * TICK_MILLISECONDS,
            "inventory": [{"type": item, "quantity": int(quantity)} for item, quantity in items],
            "serverTick": self._server_tick + self._ticks,
            "serverTickDurationMs": float(TICK_MILLISECONDS),
            "stats": {
                f"minecraft.{event}:minecraft.{item}": int(total)
                for event, totals in seen.stats.items() for item, total in totals.items()
            },
        }  # fmt: skip
        self._ticks += 1
        self._held = action.buttons
        return line

    def _choose(self, action: Action, seen: Seen, slot: int | None) -> None:
        chosen = [number for number in range(HOTBAR_SLOTS) if action.buttons[_FIRST_SLOT + number]]
        if slot is not None:
            chosen = [number for number in chosen if number == slot]
        elif seen.gui_open:  # keys swap stacks there
            chosen = []
        if chosen:
            self._hotbar = chosen[-1]


# reading


@dataclass(frozen=True, eq=False)
class ContractorLog:
    """What a jsonl tells of n frames. The actions are what a person did; nothing is dropped.

    repairs: how many lines each repair changed: stuck_attack (attack taken away), scroll (hotbar press added),
    unknown_key and unknown_mouse_button (ignored), camera_jump (a turn of more than 180 degrees in a tick, set to 0),
    gui_scaled (camera corrected for the recorder's version), cut_line (a last line that a crash cut off, left out).
    """

    buttons: np.ndarray  # (n, 23) uint8 in the order of BUTTONS
    camera: np.ndarray  # (n, 2) float32 degrees (pitch, yaw)
    null: np.ndarray  # (n,) bool: nothing was pressed or moved; the original drops these frames
    gui_open: np.ndarray  # (n,) bool
    cursor: np.ndarray  # (n, 2) float32 window pixels of 1280 x 720; NaN where the line has none
    hotbar: np.ndarray  # (n,) int8, 0 to 8; -1 where the line has none
    yaw: np.ndarray  # (n,) float64 degrees; NaN where the line has none, like pitch and position
    pitch: np.ndarray
    position: np.ndarray  # (n, 3) float64 metres
    repairs: dict[str, int]
    unknown: dict[str, int]  # names of unknown keys -> lines
    cut: str | None = None  # the complaint about a cut last line

    def __len__(self) -> int:
        return len(self.buttons)

    def action(self, tick: int) -> Action:
        """The action of one line."""
        return Action(self.buttons[tick], self.camera[tick])


def gui_scale(version: str | None) -> float:
    """By what the mouse of a recorder's version is multiplied while a screen is open: 1 for all but five versions."""
    return _GUI_SCALES.get(version or "", 1.0)


def recorder_version(path: Pathlike) -> str | None:
    """The recorder's version as the folder of a recording names it ("10.0"), or None."""
    parents = PurePosixPath(str(path).replace("\\", "/")).parts[:-1]
    return parents[-1] if parents and re.fullmatch(r"\d+\.\d+", parents[-1]) else None


def read_contractor(
    path: Pathlike,
    *,
    version: str | None = None,
    escape_is_inventory: bool = False,
    legacy_truncation: bool = False,
) -> ContractorLog:
    """Reads a jsonl. FormatError names the file, the line and the field.

    version: of the recorder, by default what the folder is called. escape_is_inventory: ESC with a screen open becomes
    `inventory`, which closes it as well and which policies know. legacy_truncation: cameras in whole degrees as the
    published script has them, for comparison only; every motion below 7 counts is lost.
    """
    lines = read_json_lines(path)
    if not len(lines):
        raise FormatError(f"{path}: no complete line" + (f"; {lines.cut}" if lines.cut else ""))
    scale = gui_scale(version or recorder_version(path))
    count = len(lines)
    buttons = np.zeros((count, len(BUTTONS)), np.uint8)
    counts = np.zeros((count, 2), np.float64)
    gui_open = np.zeros(count, np.bool_)
    cursor = np.full((count, 2), np.nan, np.float32)
    hotbar = np.full(count, -1, np.int8)
    pose = np.full((count, 5), np.nan, np.float64)
    repairs: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    stuck = False
    for i, (number, line) in enumerate(zip(lines.numbers, lines, strict=True)):
        part = _Line(line, f"{path}: line {number}")
        mouse, keyboard = part.section("mouse"), part.section("keyboard", required=False)
        gui_open[i] = part.flag("isGuiOpen")
        hotbar[i] = part.slot("hotbar")
        counts[i] = mouse.number("dy", required=True), mouse.number("dx", required=True)
        cursor[i] = mouse.number("x"), mouse.number("y")
        pose[i] = [part.number(name) for name in ("yaw", "pitch", "xpos", "ypos", "zpos")]

        pressed, newly = mouse.whole_numbers("buttons"), mouse.whole_numbers("newButtons")
        # The recorder can start with a button that it never saw go up again.
        stuck = newly == [0] if i == 0 else stuck and 0 not in newly
        if stuck and 0 in pressed:
            pressed = [button for button in pressed if button != 0]
            repairs["stuck_attack"] += 1
        for button in pressed:
            if 0 <= button < len(MOUSE_BUTTONS):
                buttons[i, MOUSE_BUTTONS[button]] = 1
            else:
                unknown[f"mouse.{button}"] += 1
                repairs["unknown_mouse_button"] += 1
        for key in keyboard.strings("keys"):
            if key in BUTTON_OF:
                buttons[i, BUTTON_OF[key]] = 1
            else:
                unknown[key] += 1
                repairs["unknown_key"] += 1
        if i and _scrolled(hotbar[i - 1], hotbar[i], buttons[i - 1], buttons[i]):
            buttons[i, _FIRST_SLOT + hotbar[i]] = 1
            repairs["scroll"] += 1
    if escape_is_inventory:
        escapes = gui_open & (buttons[:, _ESC] != 0)
        buttons[escapes, _INVENTORY], buttons[escapes, _ESC] = 1, 0
    null = np.logical_not(buttons.any(axis=1) | counts.any(axis=1))
    camera, jumps = _camera(counts, gui_open, scale, legacy_truncation)
    if jumps:
        repairs["camera_jump"] = jumps
    if scale != 1 and (scaled := int(np.count_nonzero(gui_open & counts.any(axis=1)))):
        repairs["gui_scaled"] = scaled
    if lines.cut:
        repairs["cut_line"] = 1
    return ContractorLog(
        buttons, camera, null, gui_open, cursor, hotbar, pose[:, 0], pose[:, 1], pose[:, 2:],
        dict(repairs), dict(unknown), lines.cut,
    )  # fmt: skip


def _camera(counts: np.ndarray, gui_open: np.ndarray, scale: float, truncate: bool) -> tuple[np.ndarray, int]:
    """(n, 2) float32 degrees of (n, 2) counts, and how many lines had a turn that no tick allows."""
    degrees = counts * DEGREES_PER_COUNT
    degrees[gui_open] *= scale
    jumps = np.abs(degrees) > CAMERA_LIMIT
    degrees[jumps] = 0.0
    if truncate:
        degrees = np.trunc(degrees)
    return (degrees + 0.0).astype(np.float32), int(jumps.any(axis=1).sum())


def _scrolled(before: int, now: int, held_before: np.ndarray, held: np.ndarray) -> bool:
    """Whether the hotbar changed without a key: not if its key was just pressed, nor if the wheel was clicked."""
    if now == before or now < 0 or before < 0:
        return False
    key = _FIRST_SLOT + now
    return not (held[key] or held_before[key] or held[_PICK] or held_before[_PICK])


class _Line:
    """A JSON object with its place, whose fields are taken out by kind."""

    def __init__(self, value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise FormatError(f"{place}: {_short(value)}, expected an object")
        self.value, self.place = value, place

    def _refuse(self, name: str, expected: str) -> FormatError:
        return FormatError(f"{self.place}: {name} is {_short(self.value[name])}, expected {expected}")

    def _need(self, name: str) -> FormatError:
        return FormatError(f"{self.place}: no {name!r}; this is not a contractor recording's line")

    def section(self, name: str, required: bool = True) -> _Line:
        """The object `name`; an empty one if it may be missing."""
        if name not in self.value:
            if required:
                raise self._need(name)
            return _Line({}, self.place)
        if not isinstance(self.value[name], dict):
            raise self._refuse(name, "an object")
        return _Line(self.value[name], f"{self.place}: {name}")

    def number(self, name: str, required: bool = False) -> float:
        """A finite number; NaN if missing."""
        value = self.value.get(name)
        if value is None:
            if required:
                raise self._need(name)
            return float("nan")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= 1e15:
            raise self._refuse(name, "a number")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false; false if missing."""
        value = self.value.get(name, False)
        if not isinstance(value, bool):
            raise self._refuse(name, "true or false")
        return value

    def slot(self, name: str) -> int:
        """0 to 8; -1 if missing."""
        value = self.value.get(name, -1)
        if name in self.value and (isinstance(value, bool) or value not in range(HOTBAR_SLOTS)):
            raise self._refuse(name, "0 to 8")
        return int(value)

    def _list(self, name: str, kind: type, expected: str) -> list[Any]:
        value = self.value.get(name, [])
        if not isinstance(value, list) or not all(isinstance(part, kind) for part in value):
            raise self._refuse(name, expected)
        return value

    def whole_numbers(self, name: str) -> list[int]:
        """A list of integers; empty if missing."""
        return self._list(name, int, "a list of mouse buttons 0, 1, 2")

    def strings(self, name: str) -> list[str]:
        """A list of strings; empty if missing."""
        return self._list(name, str, "a list of key names")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# index files


@dataclass(frozen=True)
class ContractorIndex:
    """What a snapshot's index lists: names below `base`, without ending, each once, in the file's order."""

    base: str
    names: tuple[str, ...]

    def video(self, name: str) -> str:
        """Where the video is."""
        return f"{self.base}{name}.mp4"

    def actions(self, name: str) -> str:
        """Where the actions are."""
        return f"{self.base}{name}.jsonl"


def read_index(path: Pathlike) -> ContractorIndex:
    """Reads {"basedir": ..., "relpaths": [...]}. Nothing is fetched.

    Entries with .mp4, .jsonl or no ending are the same; a file that is a Python literal instead of JSON is read too.
    FormatError for entries that lead out of `basedir`.
    """
    with open(path, "rb") as file:
        raw = file.read(DOCUMENT_LIMIT + 1)
    if len(raw) > DOCUMENT_LIMIT:
        raise FormatError(f"{path}: longer than {DOCUMENT_LIMIT} bytes")
    try:
        value = parse_json(raw, str(path))
    except FormatError as error:
        try:
            value = ast.literal_eval(raw.decode())  # literals only: nothing is run
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise error from None
    if not isinstance(value, dict) or not isinstance(value.get("relpaths"), (list, tuple)):
        raise FormatError(f"{path}: expected an object with basedir and relpaths")
    base = value.get("basedir", "")
    if not isinstance(base, str):
        raise FormatError(f"{path}: basedir is {_short(base)}, expected a string")
    names: dict[str, None] = {}
    for entry in value["relpaths"]:
        if not isinstance(entry, str) or not entry:
            raise FormatError(f"{path}: relpaths has {_short(entry)}, expected a path")
        parts = PurePosixPath(entry.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
            raise FormatError(f"{path}: relpaths has {_short(entry)}, which leads out of basedir")
        names[re.sub(r"\.(mp4|jsonl)$", "", str(parts))] = None
    return ContractorIndex(base if not base or base.endswith("/") else f"{base}/", tuple(names))


def local_pairs(index: ContractorIndex, folder: Pathlike) -> tuple[list[str], dict[str, str]]:
    """The names of an index whose two files are below a folder, and for the others what is missing."""
    present: list[str] = []
    missing: dict[str, str] = {}
    for name in index.names:
        absent = [ending for ending in ("mp4", "jsonl") if not Path(folder, f"{name}.{ending}").is_file()]
        if absent:
            missing[name] = f"no {' and no '.join(absent)}"
        else:
            present.append(name)
    return present, missing
