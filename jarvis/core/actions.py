"""One tick of keyboard and mouse, the camera's bins, and the joint action space of VPT-like policies.

Three forms, each with one exact way to the next:

    Action           23 buttons and a camera in degrees: what an environment takes, MineRL key for key
    factored         20 policy buttons and two camera bins: what an inverse dynamics model predicts
    joint            one button class and one camera class: what a policy head predicts
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from math import prod
from typing import Any

import numpy as np

from jarvis.core.errors import ActionError, nearest_names

__all__ = [
    "BUTTONS",
    "BUTTON_INDEX",
    "CAMERA_LIMIT",
    "JARVIS_CAMERA",
    "POLICY_BUTTONS",
    "VPT_CAMERA",
    "Action",
    "CameraBins",
    "JointActions",
    "validate_arrays",
]

HOTBAR = tuple(f"hotbar.{slot}" for slot in range(1, 10))
POLICY_BUTTONS: tuple[str, ...] = (
    "attack", "back", "forward", "jump", "left", "right", "sneak", "sprint", "use", "drop", "inventory", *HOTBAR,
)  # fmt: skip
BUTTONS: tuple[str, ...] = (*POLICY_BUTTONS, "ESC", "swapHands", "pickItem")
BUTTON_INDEX: dict[str, int] = {name: index for index, name in enumerate(BUTTONS)}
CAMERA_LIMIT = 180.0  # degrees in one tick, MineRL's bound in both directions

_KEYS = frozenset((*BUTTONS, "camera"))


@dataclass(frozen=True, eq=False)
class Action:
    """What the player does in one tick.

    buttons: (23,) uint8, 0 or 1, in the order of BUTTONS.
    camera: (2,) float32 degrees, (pitch, yaw); down and right are positive.

    Both arrays are private read-only copies. Raises ActionError, naming the key, for anything else.
    """

    buttons: np.ndarray
    camera: np.ndarray

    def __post_init__(self) -> None:
        if np.ndim(self.buttons) != 1 or np.ndim(self.camera) != 1:
            raise ActionError(
                f"one action has buttons ({len(BUTTONS)},) and camera (2,), "
                f"got {np.shape(self.buttons)} and {np.shape(self.camera)}"
            )
        buttons, camera = validate_arrays(self.buttons, self.camera)
        self._keep(buttons.copy(), camera.copy())

    def _keep(self, buttons: np.ndarray, camera: np.ndarray) -> None:
        buttons.flags.writeable = camera.flags.writeable = False
        object.__setattr__(self, "buttons", buttons)
        object.__setattr__(self, "camera", camera)

    @classmethod
    def _checked(cls, buttons: np.ndarray, camera: np.ndarray) -> Action:
        # Skips the array checks of the constructor: an environment makes an action every tick.
        action = object.__new__(cls)
        action._keep(buttons, camera)
        return action

    @classmethod
    def noop(cls) -> Action:
        """Nothing pressed, the mouse at rest."""
        return _NOOP

    @classmethod
    def of(cls, *pressed: str, camera: Any = (0.0, 0.0)) -> Action:
        """The named buttons pressed: `Action.of("forward", "jump", camera=(0, 2.5))`."""
        buttons = np.zeros(len(BUTTONS), np.uint8)
        for name in pressed:
            if name not in BUTTON_INDEX:
                raise ActionError(_unknown_key(name))
            buttons[BUTTON_INDEX[name]] = 1
        return cls._checked(buttons, _camera_of(camera))

    @classmethod
    def from_env(cls, mapping: Mapping[str, Any]) -> Action:
        """From a MineRL action: {button: 0 or 1} and "camera": (pitch, yaw). A missing key is released or at rest."""
        if not isinstance(mapping, Mapping):
            raise ActionError(f"an action is {{key: value}}, got {type(mapping).__name__}")
        unknown = [key for key in mapping if key not in _KEYS]
        if unknown:
            raise ActionError(_unknown_key(unknown[0]))
        buttons = np.zeros(len(BUTTONS), np.uint8)
        for key, value in mapping.items():
            if key != "camera":
                buttons[BUTTON_INDEX[key]] = _pressed(key, value)
        return cls._checked(buttons, _camera_of(mapping.get("camera", (0.0, 0.0))))

    def to_env(self) -> dict[str, Any]:
        """The same action as a new MineRL dict: 23 ints and "camera", a (2,) float32 array of degrees."""
        mapping: dict[str, Any] = dict(zip(BUTTONS, self.buttons.tolist(), strict=True))
        mapping["camera"] = self.camera.copy()
        return mapping

    @property
    def pressed(self) -> tuple[str, ...]:
        """The names of the pressed buttons, in the order of BUTTONS."""
        return tuple(name for name, down in zip(BUTTONS, self.buttons.tolist(), strict=True) if down)

    def __getitem__(self, button: str) -> bool:
        if button not in BUTTON_INDEX:
            raise ActionError(_unknown_key(button))
        return bool(self.buttons[BUTTON_INDEX[button]])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Action):
            return NotImplemented
        return np.array_equal(self.buttons, other.buttons) and np.array_equal(self.camera, other.camera)

    def __reduce__(self) -> tuple[Any, ...]:
        return Action, (self.buttons, self.camera)  # through the constructor, so that a copy is read-only too

    def __hash__(self) -> int:
        # NOTE: adding zero turns -0.0 into 0.0, which are equal and so must hash alike.
        return hash((self.buttons.tobytes(), (self.camera + np.float32(0)).tobytes()))

    def __repr__(self) -> str:
        pitch, yaw = self.camera.tolist()
        names = "".join(f"{name!r}, " for name in self.pressed)
        return f"Action.of({names}camera=({pitch:g}, {yaw:g}))"


def validate_arrays(buttons: Any, camera: Any) -> tuple[np.ndarray, np.ndarray]:
    """The same actions as (..., 23) uint8 and (..., 2) float32, without a copy where they already are.

    Raises ActionError naming the key and the first index of a value that is not a 0 or 1, not finite, or turns more
    than 180 degrees in a tick, and of shapes that do not belong together.
    """
    buttons, camera = np.asarray(buttons), np.asarray(camera)
    if buttons.ndim < 1 or buttons.shape[-1] != len(BUTTONS):
        raise ActionError(f"buttons: shape {buttons.shape}, expected (..., {len(BUTTONS)})")
    if camera.ndim < 1 or camera.shape[-1] != 2:
        raise ActionError(f"camera: shape {camera.shape}, expected (..., 2), (pitch, yaw) in degrees")
    if buttons.shape[:-1] != camera.shape[:-1]:
        raise ActionError(f"{buttons.shape[:-1]} buttons but {camera.shape[:-1]} cameras")
    if buttons.dtype.kind not in "biu":
        raise ActionError(f"buttons: {buttons.dtype} values, expected integers 0 or 1")
    if camera.dtype.kind not in "fiu":
        raise ActionError(f"camera: {camera.dtype} values, expected degrees")
    possible = (camera >= -CAMERA_LIMIT) & (camera <= CAMERA_LIMIT)  # false for NaN
    if not possible.all():
        index = tuple(np.argwhere(~possible)[0].tolist())
        axis = ("pitch", "yaw")[index[-1]]
        raise ActionError(
            f"camera: {axis} is {camera[index]}{_place(index)}, expected -{CAMERA_LIMIT:g} to {CAMERA_LIMIT:g} degrees"
        )
    possible = (buttons == 0) | (buttons == 1)
    if not possible.all():
        index = tuple(np.argwhere(~possible)[0].tolist())
        raise ActionError(f"{BUTTONS[index[-1]]}: {buttons[index]}{_place(index)}, expected 0 or 1")
    return buttons.astype(np.uint8, copy=False), camera.astype(np.float32, copy=False)


def _place(index: tuple[int, ...]) -> str:
    leading = index[:-1]
    return f" at {leading[0] if len(leading) == 1 else leading}" if leading else ""


def _unknown_key(key: object) -> str:
    nearest = nearest_names(key, (*BUTTONS, "camera"))
    hint = f"; did you mean {' or '.join(nearest)}?" if nearest else f"; the keys are {', '.join((*BUTTONS, 'camera'))}"
    return f"unknown action key {key!r}{hint}"


def _pressed(key: str, value: Any) -> int:
    if not isinstance(value, (int, np.integer, np.bool_)):
        array = np.asarray(value)
        if array.shape != ():
            raise ActionError(f"{key}: shape {array.shape}, expected one number, 0 or 1")
        if array.dtype.kind not in "biu":
            raise ActionError(f"{key}: {value!r}, expected the integer 0 or 1")
        value = array[()]
    if value not in (0, 1):
        raise ActionError(f"{key}: {value}, expected 0 or 1")
    return int(value)


def _camera_of(value: Any) -> np.ndarray:
    try:
        degrees = np.asarray(value)
    except ValueError:  # ragged
        raise ActionError(f"camera: {value!r}, expected two numbers, (pitch, yaw) in degrees") from None
    if degrees.shape != (2,):
        raise ActionError(f"camera: shape {degrees.shape}, expected (2,), (pitch, yaw) in degrees")
    if degrees.dtype.kind not in "fiu":
        raise ActionError(f"camera: {degrees.dtype} values, expected degrees")
    for axis, turn in zip(("pitch", "yaw"), degrees.tolist(), strict=True):
        if not -CAMERA_LIMIT <= turn <= CAMERA_LIMIT:  # true for NaN
            raise ActionError(
                f"camera: {axis} is {turn}, expected -{CAMERA_LIMIT:g} to {CAMERA_LIMIT:g} degrees in a tick"
            )
    return degrees.astype(np.float32)


@dataclass(frozen=True)
class CameraBins:
    """Camera turns as bins that are fine near rest and coarse far from it (mu-law).

    The middle bin is rest, so the number of bins is odd. Turns beyond `max_degrees` a tick fall into the outer bins.
    """

    num_bins: int
    mu: float  # curvature; 0 is not allowed, larger is finer near rest
    max_degrees: float  # the centre of the outermost bins

    def __post_init__(self) -> None:
        if self.num_bins < 3 or self.num_bins % 2 == 0 or self.mu <= 0 or self.max_degrees <= 0:
            raise ActionError(f"{self}: expected an odd number of bins from 3, and mu and max_degrees above 0")

    @property
    def null_bin(self) -> int:
        """The bin of a camera at rest."""
        return self.num_bins // 2

    @cached_property
    def centres(self) -> np.ndarray:
        """(num_bins,) float64 degrees: what each bin stands for, ascending, exactly 0 in the middle."""
        step = np.arange(self.num_bins, dtype=np.float64) - self.null_bin
        bent = step / self.null_bin
        centres = np.sign(bent) * self.max_degrees * ((1 + self.mu) ** np.abs(bent) - 1) / self.mu
        centres.flags.writeable = False
        return centres

    def to_bins(self, degrees: Any) -> np.ndarray:
        """(...) int64 bins of (...) degrees. Raises ActionError for NaN and infinity."""
        degrees = np.asarray(degrees, np.float64)
        if not np.isfinite(degrees).all():
            raise ActionError("camera: NaN or infinite degrees have no bin")
        # NOTE: the order of operations is VPT's, so that angles on the edge of two bins fall into the same one.
        straight = np.clip(degrees, -self.max_degrees, self.max_degrees) / self.max_degrees
        bent = np.sign(straight) * (np.log(1.0 + self.mu * np.abs(straight)) / np.log(1.0 + self.mu))
        width = self.max_degrees / self.null_bin
        bins: np.ndarray = np.rint((bent * self.max_degrees + self.max_degrees) / width).astype(np.int64)
        return bins

    def to_degrees(self, bins: Any) -> np.ndarray:
        """(...) float32 degrees at the centres of (...) integer bins. Raises ActionError for other bins."""
        bins = _classes("camera bin", bins, self.num_bins)
        degrees: np.ndarray = self.centres.astype(np.float32)[bins]
        return degrees


VPT_CAMERA = CameraBins(11, mu=10, max_degrees=10)  # VPT, STEVE-1, GROOT, MineStudio
JARVIS_CAMERA = CameraBins(21, mu=20, max_degrees=10)  # JARVIS-VLA

# Groups of buttons of which a policy holds one at most, slowest digit first. Within a group a later option wins,
# but for opposite directions, which cancel out.
_GROUPS: tuple[tuple[str, ...], ...] = (
    HOTBAR, ("forward", "back"), ("left", "right"), ("sprint", "sneak"), ("use",), ("drop",), ("attack",), ("jump",),
)  # fmt: skip
_OPPOSITES = {("forward", "back"), ("left", "right")}
_NUM_GROUPED = prod(len(group) + 1 for group in _GROUPS) * 2  # the last digit: does the camera move
_INVENTORY = BUTTON_INDEX["inventory"]


@cache
def _button_table() -> np.ndarray:
    """(8641, 20) uint8: the buttons that each joint class holds. The last class is `inventory` alone."""
    table = np.zeros((_NUM_GROUPED + 1, len(POLICY_BUTTONS)), np.uint8)
    rest = np.arange(_NUM_GROUPED) // 2
    for group in reversed(_GROUPS):
        rest, option = np.divmod(rest, len(group) + 1)
        for number, name in enumerate(group, start=1):
            table[:-1, BUTTON_INDEX[name]] = option == number
    table[-1, _INVENTORY] = 1
    table.flags.writeable = False
    return table


@dataclass(frozen=True)
class JointActions:
    """The two-headed action space of VPT: every allowed combination of buttons is one class, every camera another.

        joint = JointActions(VPT_CAMERA)
        button_class, camera_class = joint.encode(buttons[:, :20], VPT_CAMERA.to_bins(camera))
        buttons, bins = joint.decode(button_class, camera_class)

    Encoding loses what a policy cannot express: opposite keys cancel out, the later key of a group wins, and
    `inventory` drops everything else. Decoding and encoding again gives the same classes for every button class,
    provided that its last digit and the camera agree.
    """

    bins: CameraBins

    @property
    def num_buttons(self) -> int:
        """Button classes: 8640 combinations and `inventory`."""
        return _NUM_GROUPED + 1

    @property
    def num_camera(self) -> int:
        """Camera classes: pitch bin times yaw bin."""
        return self.bins.num_bins**2

    @property
    def null_buttons(self) -> int:
        """The class of nothing pressed and a camera at rest."""
        return 0

    @property
    def null_camera(self) -> int:
        """The class of a camera at rest."""
        return self.num_camera // 2

    @property
    def inventory_class(self) -> int:
        """The class of `inventory`, which excludes every other button."""
        return _NUM_GROUPED

    def encode(self, buttons: Any, camera_bins: Any) -> tuple[np.ndarray, np.ndarray]:
        """Joint classes, two (...) int64 arrays, of (..., 20) buttons and (..., 2) camera bins (pitch, yaw)."""
        pressed = np.asarray(buttons)
        if pressed.ndim < 1 or pressed.shape[-1] != len(POLICY_BUTTONS):
            raise ActionError(f"buttons: shape {pressed.shape}, expected (..., {len(POLICY_BUTTONS)})")
        pressed = pressed != 0
        camera = _classes("camera bin", camera_bins, self.bins.num_bins)
        if camera.shape != (*pressed.shape[:-1], 2):
            raise ActionError(f"camera bins: shape {camera.shape}, expected {(*pressed.shape[:-1], 2)}")

        button_class = np.zeros(pressed.shape[:-1], np.int64)
        for group in _GROUPS:
            option = np.zeros_like(button_class)
            for number, name in enumerate(group, start=1):
                option = np.where(pressed[..., BUTTON_INDEX[name]], number, option)
            if group in _OPPOSITES:
                both = pressed[..., BUTTON_INDEX[group[0]]] & pressed[..., BUTTON_INDEX[group[1]]]
                option = np.where(both, 0, option)
            button_class = button_class * (len(group) + 1) + option
        camera_class = camera[..., 0] * self.bins.num_bins + camera[..., 1]
        button_class = button_class * 2 + (camera_class != self.null_camera)

        inventory = pressed[..., _INVENTORY]
        button_class = np.where(inventory, self.inventory_class, button_class)
        camera_class = np.where(inventory, self.null_camera, camera_class)
        return button_class, camera_class

    def decode(self, button_class: Any, camera_class: Any) -> tuple[np.ndarray, np.ndarray]:
        """(..., 20) uint8 buttons and (..., 2) int64 camera bins (pitch, yaw) of two (...) class arrays."""
        button_class = _classes("button class", button_class, self.num_buttons)
        camera_class = _classes("camera class", camera_class, self.num_camera)
        if button_class.shape != camera_class.shape:
            raise ActionError(f"button classes {button_class.shape} but camera classes {camera_class.shape}")
        # NOTE: the inventory class lets the camera through: released policies were trained and sampled that way.
        moves = (button_class % 2 == 1) | (button_class == self.inventory_class)
        camera_class = np.where(moves, camera_class, self.null_camera)
        camera = np.stack(np.divmod(camera_class, self.bins.num_bins), axis=-1)
        return _button_table()[button_class], camera


def _classes(kind: str, values: Any, count: int) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise ActionError(f"{kind}: {array.dtype} values, expected integers")
    if array.size and (array.min() < 0 or array.max() >= count):
        wrong = array.min() if array.min() < 0 else array.max()
        raise ActionError(f"{kind}: {wrong} is outside 0 to {count - 1}")
    return array.astype(np.int64, copy=False)


_NOOP = Action(np.zeros(len(BUTTONS), np.uint8), np.zeros(2, np.float32))
