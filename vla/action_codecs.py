"""Actions as token ids and back: every way that a policy may spell a tick of keyboard and mouse.

    codec = get("jarvisvla-fixed")                          # Qwen2-VL's ids; get(name, tokenizer) takes a tokenizer's
    ids = codec.encode({"forward": 1, "camera": (0, 2.5)})  # begin, forward, pitch, yaw, end
    [action] = codec.decode(ids)                            # MineRL dictionaries, one for each action of a chunk

    jarvisvla-v1      JARVIS-VLA's 51 tokens as released: pressing `inventory` is spelled as doing nothing
    jarvisvla-fixed   the same tokens, `inventory` included; a reply without an action is an error, not a rest
    vpt-11, vpt-21    two ids, button class and camera class, of VPT's joint space with 11 or 21 bins an axis
    text              `press(forward, attack) move(12, -3)`: all 23 buttons, and counts of the mouse (0.15 degrees)

What a codec cannot spell is lost as `JointActions` says: opposite keys cancel out, one key of a group is kept, and
`inventory` stands alone. JARVIS-VLA's facts: CraftJarvis/JarvisVLA @ 0367191, action_mapping.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from jarvis.core.actions import (
    BUTTONS,
    CAMERA_LIMIT,
    HOTBAR,
    JARVIS_CAMERA,
    POLICY_BUTTONS,
    VPT_CAMERA,
    Action,
    JointActions,
)
from jarvis.core.errors import ActionError, FormatError, UnknownNameError, nearest_names

__all__ = [
    "CODECS", "ActionCodec", "GroupCodec", "JointCodec", "MissingTokensError", "TextCodec", "TokenGroup",
    "action_token_strings", "get",
]  # fmt: skip

CODECS = ("jarvisvla-v1", "jarvisvla-fixed", "vpt-11", "vpt-21", "text")
COUNT_DEGREES = 360 / 2400  # one count of the mouse
QWEN2_VL_BASE = 151_657  # entries of Qwen2-VL's tokenizer; JARVIS-VLA's reserved token N is appended at BASE + N


class MissingTokensError(FormatError):
    """A tokenizer without the tokens that a codec spells actions with."""

    def __init__(self, codec: str, missing: Sequence[str]) -> None:
        super().__init__(codec, tuple(missing))
        self.codec, self.missing = codec, tuple(missing)

    def __str__(self) -> str:
        return (
            f"the tokenizer lacks {len(self.missing)} tokens of the codec {self.codec!r}: {', '.join(self.missing)}. "
            "This is no checkpoint of an agent, or one of another codec: see `codec` in its config.json"
        )


class ActionCodec(Protocol):
    """One way to spell actions.

    for action in codec.decode(model(codec.encode(previous))):
        environment.step(action)
    """

    name: str

    def encode(self, action: Mapping[str, Any] | Action) -> list[int]:
        """The ids of one action. ActionError for keys and values that no keyboard and mouse have."""
        ...

    def decode(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """The actions of a reply, one or several, as MineRL dictionaries: 23 ints, camera (2,) float32 degrees."""
        ...


def _read(action: Mapping[str, Any] | Action) -> tuple[np.ndarray, np.ndarray]:
    """(23,) uint8 buttons and (2,) float64 degrees. ActionError for what an environment would not take.

    NOTE: degrees keep their precision, because an angle on the edge of two bins must fall into the same as ever.
    """
    checked = action if isinstance(action, Action) else Action.from_env(action)
    camera = checked.camera if isinstance(action, Action) else action.get("camera", (0.0, 0.0))
    return checked.buttons, np.asarray(camera, np.float64)


def _written(buttons: np.ndarray, degrees: np.ndarray) -> dict[str, Any]:
    """A MineRL dictionary of (20,) policy buttons and (2,) degrees."""
    padded = np.zeros(len(BUTTONS), np.uint8)
    padded[: len(buttons)] = buttons
    return Action(padded, degrees).to_env()


def _integers(ids: Sequence[int]) -> np.ndarray:
    array = np.asarray(ids)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ActionError(f"ids: {array.dtype} {array.shape}, expected a list of integers")
    return array.astype(np.int64)


# -- two ids an action: VPT's joint classes -------------------------------------------------------------------------


@dataclass(frozen=True)
class JointCodec:
    """[button class, number of button classes + camera class], in VPT's joint space."""

    name: str
    joint: JointActions

    @property
    def vocabulary_size(self) -> int:
        """Ids are 0 to this, exclusive."""
        return self.joint.num_buttons + self.joint.num_camera

    def encode(self, action: Mapping[str, Any] | Action) -> list[int]:
        """Two ids."""
        buttons, camera = _read(action)
        button, turn = self.joint.encode(buttons[: len(POLICY_BUTTONS)], self.joint.bins.to_bins(camera))
        return [int(button), self.joint.num_buttons + int(turn)]

    def decode(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """One action for each two ids. ActionError for anything but pairs of a button class and a camera class."""
        classes = _integers(ids)
        if not classes.size or classes.size % 2:
            raise ActionError(f"{self.name}: {classes.size} ids, expected a button and a camera class for each action")
        buttons, bins = self.joint.decode(classes[::2], classes[1::2] - self.joint.num_buttons)
        return [_written(*one) for one in zip(buttons, self.joint.bins.to_degrees(bins), strict=True)]


# -- one id for each thing that is done: JARVIS-VLA ------------------------------------------------------------------


@dataclass(frozen=True)
class TokenGroup:
    """Things of which one at most happens in a tick; the first value stands for none, or is the first bin."""

    name: str
    values: tuple[str, ...]  # what each means: a button, or nothing, or a bin's number
    first: int  # number of the reserved token of the first value

    @property
    def tokens(self) -> tuple[str, ...]:
        """The token of each value."""
        return tuple(map(reserved_token, range(self.first, self.first + len(self.values))))


def reserved_token(number: int) -> str:
    """How JARVIS-VLA's tokenizer calls it."""
    return f"<|reserved_special_token_{number}|>"


_BINS = tuple(map(str, range(JARVIS_CAMERA.num_bins)))
GROUPS = (
    TokenGroup("hotbar", ("", *HOTBAR), 180),
    TokenGroup("fore_back", ("", "forward", "back"), 190),
    TokenGroup("left_right", ("", "left", "right"), 193),
    TokenGroup("sprint_sneak", ("", "sprint", "sneak"), 196),
    TokenGroup("use", ("", "use"), 199),
    TokenGroup("drop", ("", "drop"), 201),
    TokenGroup("attack", ("", "attack"), 203),
    TokenGroup("jump", ("", "jump"), 205),
    TokenGroup("camera_flag", ("", "moves"), 207),
    TokenGroup("inventory", ("", "inventory"), 176),
    TokenGroup("pitch", _BINS, 209),
    TokenGroup("yaw", _BINS, 209 + JARVIS_CAMERA.num_bins),
)
BEGIN, END = reserved_token(178), reserved_token(179)
_NUMBER = {group.name: number for number, group in enumerate(GROUPS)}
CAMERA_FLAG, INVENTORY, PITCH, YAW = (_NUMBER[name] for name in ("camera_flag", "inventory", "pitch", "yaw"))
WIDTH = PITCH - 2 + 4  # the longest action: begin, the groups before the flag, pitch, yaw, end


def action_token_strings() -> tuple[str, ...]:
    """Every token of JARVIS-VLA's action codec, those that only its decoder knows included."""
    return (BEGIN, END, *(token for group in GROUPS for token in group.tokens))


def _ids_of(codec: str, tokens: Sequence[str], tokenizer: Any) -> dict[str, int]:
    if tokenizer is None:
        return {token: QWEN2_VL_BASE + int(re.findall(r"\d+", token)[0]) for token in tokens}
    vocabulary = tokenizer if isinstance(tokenizer, Mapping) else tokenizer.get_vocab()
    if missing := [token for token in tokens if token not in vocabulary]:
        raise MissingTokensError(codec, missing)
    return {token: int(vocabulary[token]) for token in tokens}


class GroupCodec:
    """begin, a token for each button group that is not at rest, pitch, yaw, end: 4 to 12 ids an action."""

    def __init__(self, name: str, tokenizer: Any = None, *, emits_inventory: bool, strict: bool) -> None:
        """tokenizer: anything with `get_vocab()`, or {token: id}; None means Qwen2-VL's with JARVIS-VLA's tokens.

        Raises MissingTokensError, listing them, for a tokenizer without the action tokens.
        """
        self.name, self.emits_inventory, self.strict = name, emits_inventory, strict
        ids = _ids_of(name, action_token_strings(), tokenizer)
        self.begin, self.end = ids[BEGIN], ids[END]
        self.group_ids = tuple(tuple(ids[token] for token in group.tokens) for group in GROUPS)
        self.joint = JointActions(JARVIS_CAMERA)
        self._meaning = {
            token: (number, value) for number, group in enumerate(self.group_ids) for value, token in enumerate(group)
        }

    @property
    def null_ids(self) -> list[int]:
        """The spelling of doing nothing."""
        rest = JARVIS_CAMERA.null_bin
        return [self.begin, self.group_ids[PITCH][rest], self.group_ids[YAW][rest], self.end]

    def encode(self, action: Mapping[str, Any] | Action) -> list[int]:
        """4 to 12 ids."""
        if not self.strict and isinstance(action, Mapping):
            # as released, which passes over `chat` and takes turns that no mouse could make, into the outer bins
            action = {key: value for key, value in action.items() if key != "chat"}
            if np.shape(action.get("camera")) == (2,):
                turn = np.clip(np.asarray(action["camera"], np.float64), -CAMERA_LIMIT, CAMERA_LIMIT)
                action["camera"] = turn
        buttons, camera = _read(action)
        classes = self.joint.encode(buttons[: len(POLICY_BUTTONS)], JARVIS_CAMERA.to_bins(camera))
        ids, lengths = self.encode_classes(*(np.atleast_1d(part) for part in classes))
        return ids[0, : lengths[0]].tolist()

    def decode(self, ids: Sequence[int], *, strict: bool | None = None) -> list[dict[str, Any]]:
        """Each span from a begin to the next end is an action; the order within is free, and the last of a group wins.

        Ids that mean nothing here are passed over. strict: ActionError when there is no whole action at all; otherwise
        that is one action of doing nothing. None means as the codec does: v1 forgives, fixed does not.
        """
        digits = [self._digits(span) for span in self._spans(_integers(ids).tolist())]
        if not digits:
            if self.strict if strict is None else strict:
                raise ActionError(f"{self.name}: no whole action in {len(ids)} ids, expected begin ({self.begin}) "
                                  f"to end ({self.end})")  # fmt: skip
            digits = [self._digits([])]
        buttons, bins = self.joint.decode(*_classes_of_digits(np.array(digits, np.int64)))
        return [_written(*one) for one in zip(buttons, JARVIS_CAMERA.to_degrees(bins), strict=True)]

    def _spans(self, ids: list[int]) -> list[list[int]]:
        spans: list[list[int]] = []
        open_span: list[int] | None = None
        for token in ids:
            if open_span is None:
                open_span = [] if token == self.begin else None
            elif token == self.end:
                spans.append(open_span)
                open_span = None
            else:
                open_span.append(token)
        return spans

    def _digits(self, span: Sequence[int]) -> list[int]:
        digits = [0] * len(GROUPS)
        digits[PITCH] = digits[YAW] = JARVIS_CAMERA.null_bin
        for token in span:
            if token in self._meaning:
                group, value = self._meaning[token]
                digits[group] = value
        return digits

    # all at once: what data sets are written and read with

    @cached_property
    def _button_spelling(self) -> tuple[np.ndarray, np.ndarray]:
        """Ids that spell each button class, (classes, 8) padded with -1, and how many they are."""
        rest = np.arange(self.joint.num_buttons) // 2
        rest[-1] = 0  # the class of inventory has no digits
        columns = []
        for number in reversed(range(CAMERA_FLAG)):
            rest, value = np.divmod(rest, len(GROUPS[number].values))
            columns.append(np.where(value > 0, np.array(self.group_ids[number])[value], -1))
        spelled = np.stack(columns[::-1], axis=1)
        if self.emits_inventory:
            spelled[-1, 0] = self.group_ids[INVENTORY][1]
        order = np.argsort(spelled < 0, axis=1, kind="stable")  # the silent groups last
        return np.take_along_axis(spelled, order, axis=1), (spelled >= 0).sum(axis=1)

    def encode_classes(self, button_class: np.ndarray, camera_class: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, 12) ids padded with -1, and (n,) lengths, of two (n,) arrays of classes of VPT's joint space."""
        table, counts = self._button_spelling
        pitch, yaw = np.divmod(camera_class, JARVIS_CAMERA.num_bins)
        count = counts[button_class]
        ids = np.full((len(button_class), WIDTH), -1, np.int64)
        ids[:, 0] = self.begin
        ids[:, 1 : 1 + table.shape[1]] = table[button_class]
        row = np.arange(len(ids))
        ids[row, count + 1] = np.array(self.group_ids[PITCH])[pitch]
        ids[row, count + 2] = np.array(self.group_ids[YAW])[yaw]
        ids[row, count + 3] = self.end
        return ids, count + 4

    @cached_property
    def _lookup(self) -> tuple[np.ndarray, np.ndarray]:
        """Group and value by id, up to the largest id and one more; the last entry, and so -1, means nothing."""
        group = np.full(max(self._meaning) + 2, len(GROUPS), np.int8)
        value = np.zeros(len(group), np.int8)
        for token, (number, option) in self._meaning.items():
            group[token], value[token] = number, option
        return group, value

    def decode_classes(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The two (n,) arrays of classes of (n, m) ids, one action a row, padded with anything that means nothing."""
        group, value = self._lookup
        places = np.where((ids < -1) | (ids >= len(group)), -1, ids)
        groups, values = group[places], value[places]
        digits = np.zeros((len(ids), len(GROUPS) + 1), np.int64)  # what means nothing goes into the last column
        digits[:, [PITCH, YAW]] = JARVIS_CAMERA.null_bin
        row = np.arange(len(ids))
        for column in range(ids.shape[1]):
            digits[row, groups[:, column]] = values[:, column]
        return _classes_of_digits(digits)


def _classes_of_digits(digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Button and camera classes of (n, 12) digits, one for each group."""
    camera = digits[:, PITCH] * JARVIS_CAMERA.num_bins + digits[:, YAW]
    moves = (digits[:, CAMERA_FLAG] == 1) | (camera != JointActions(JARVIS_CAMERA).null_camera)
    buttons = np.zeros(len(digits), np.int64)
    for number in range(CAMERA_FLAG):
        buttons = buttons * len(GROUPS[number].values) + digits[:, number]
    buttons = buttons * 2 + moves
    return np.where(digits[:, INVENTORY] == 1, JointActions(JARVIS_CAMERA).inventory_class, buttons), camera


# -- words -----------------------------------------------------------------------------------------------------------

REST = "wait"
_LINE = re.compile(r"(?:press\((?P<keys>[^()]*)\))? ?(?:move\((?P<dx>-?\d{1,4}), ?(?P<dy>-?\d{1,4})\))?")


class TextCodec:
    """`press(forward, attack) move(12, -3)` and a line break: buttons by name, mouse counts to the right and down.

    Doing nothing is `wait`. Nothing is lost but turns finer than a count.
    """

    name = "text"

    def __init__(self, tokenizer: Any = None) -> None:
        """tokenizer: with `encode(text, add_special_tokens=False)` and `decode(ids)`; None means the one that ships."""
        if tokenizer is None:
            from vla.tokenizer import small_tokenizer

            tokenizer = small_tokenizer()
        self.tokenizer = tokenizer

    @property
    def null_ids(self) -> list[int]:
        """The spelling of doing nothing."""
        return self.encode({})

    def encode(self, action: Mapping[str, Any] | Action) -> list[int]:
        """The ids of the line."""
        return list(self.tokenizer.encode(self.write(action), add_special_tokens=False))

    def decode(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """One action a line. ActionError, quoting the line, for anything else."""
        return self.read(self.tokenizer.decode(_integers(ids).tolist(), skip_special_tokens=True))

    def write(self, action: Mapping[str, Any] | Action) -> str:
        """The line of one action, with its line break."""
        buttons, camera = _read(action)
        pitch, yaw = np.rint(camera / COUNT_DEGREES).astype(int).tolist()
        pressed = [name for name, down in zip(BUTTONS, buttons.tolist(), strict=True) if down]
        parts = [f"press({', '.join(pressed)})"] if pressed else []
        parts += [f"move({yaw}, {pitch})"] if yaw or pitch else []
        return f"{' '.join(parts) or REST}\n"

    def read(self, text: str) -> list[dict[str, Any]]:
        """The inverse of `write`, for any number of lines."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if not lines:
            raise ActionError(f"text: no action in {text!r:.80}, expected lines such as 'press(forward) move(12, -3)'")
        return [self._line(line) for line in lines]

    @staticmethod
    def _line(line: str) -> dict[str, Any]:
        if line == REST:
            return Action.noop().to_env()
        match = _LINE.fullmatch(line)
        if match is None:
            raise ActionError(f"text: {line!r:.80}, expected a line such as 'press(forward) move(12, -3)'")
        keys = [key.strip() for key in (match["keys"] or "").split(",") if key.strip()]
        counts = (int(match["dy"] or 0), int(match["dx"] or 0))
        return Action.of(*keys, camera=[count * COUNT_DEGREES for count in counts]).to_env()


def get(name: str, tokenizer: Any = None) -> Any:
    """The codec of that name, with the tokenizer's ids. UnknownNameError with the nearest names.

    tokenizer: None means Qwen2-VL's ids with JARVIS-VLA's tokens, and for `text` the small tokenizer that ships. VPT's
    classes are ids of their own and take none.
    """
    if name == "jarvisvla-v1":
        return GroupCodec(name, tokenizer, emits_inventory=False, strict=False)
    if name == "jarvisvla-fixed":
        return GroupCodec(name, tokenizer, emits_inventory=True, strict=True)
    if name in ("vpt-11", "vpt-21"):
        return JointCodec(name, JointActions(VPT_CAMERA if name == "vpt-11" else JARVIS_CAMERA))
    if name == "text":
        return TextCodec(tokenizer)
    raise UnknownNameError("action codec", name, nearest_names(name, CODECS))


def is_null(action: Mapping[str, Any] | Action) -> bool:
    """Whether nothing is pressed and the mouse rests."""
    buttons, camera = _read(action)
    return not buttons.any() and not camera.any()
