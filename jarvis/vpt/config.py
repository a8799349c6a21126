"""Shapes of VPT's networks: the released sizes as presets, and a config read from kwargs or from tensor shapes.

foundation_1x() foundation_2x() foundation_3x()   policies, 71 M, 248 M and 533 M parameters
idm_4x()                                          the inverse dynamics model, 482 M
tiny() tiny_idm()                                 for tests, a megabyte or two
"""

from __future__ import annotations

import dataclasses
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jarvis.core.actions import POLICY_BUTTONS, VPT_CAMERA, JointActions
from jarvis.core.errors import JarvisError, nearest_names

__all__ = [
    "IDMConfig",
    "InputError",
    "ModelFileError",
    "NetConfig",
    "PolicyConfig",
    "config_from_dict",
    "config_from_kwargs",
    "config_from_shapes",
    "config_to_dict",
    "foundation_1x",
    "foundation_2x",
    "foundation_3x",
    "idm_4x",
    "tiny",
    "tiny_idm",
]

Shapes = Mapping[str, Sequence[int]]

_JOINT = JointActions(VPT_CAMERA)


class ModelFileError(JarvisError, ValueError):
    """A model file, weights file or checkpoint folder that is missing, damaged, hostile or of another shape."""


class InputError(JarvisError, ValueError):
    """Frames, flags or a state that a network cannot take."""


@dataclass(frozen=True)
class NetConfig:
    """What a policy and an inverse dynamics model have in common.

    Raises ModelFileError for a size that no network can have.
    """

    channels: tuple[int, ...]  # of the CNN's stacks; each stack halves height and width
    hidden: int  # width of the transformer
    heads: int  # attention heads, hidden / heads wide each
    layers: int  # transformer blocks
    temperature: float  # logits are divided by it; it belongs to the weights, so there is no default
    image_size: int = 128  # frames are image_size x image_size pixels
    dense: int = 256  # width between the CNN and the transformer
    mlp_ratio: int = 4  # width of a block's inner layer, in multiples of hidden

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        sizes = {"hidden": self.hidden, "heads": self.heads, "layers": self.layers, "dense": self.dense}
        sizes |= {"mlp_ratio": self.mlp_ratio, "image_size": self.image_size}
        sizes |= {f"channels[{i}]": width for i, width in enumerate(self.channels)}
        for name, size in sizes.items():
            if type(size) is not int or size < 1:
                raise ModelFileError(f"{type(self).__name__}: {name} is {size!r}, expected a positive integer")
        if not self.channels:
            raise ModelFileError(f"{type(self).__name__}: channels is empty, expected one number for each CNN stack")
        if self.hidden % self.heads:
            raise ModelFileError(f"{type(self).__name__}: hidden {self.hidden} is not a multiple of {self.heads} heads")
        if not (isinstance(self.temperature, (int, float)) and 0 < self.temperature < math.inf):
            raise ModelFileError(f"{type(self).__name__}: temperature is {self.temperature!r}, expected above 0")

    @property
    def head_width(self) -> int:
        """Channels of one attention head."""
        return self.hidden // self.heads

    @property
    def grid(self) -> int:
        """Height and width of the CNN's last feature map."""
        size = self.image_size
        for _ in self.channels:
            size = (size - 1) // 2 + 1  # max-pool 3, stride 2, padding 1
        return size


@dataclass(frozen=True)
class PolicyConfig(NetConfig):
    """A policy: frames so far -> distributions of the joint button class and camera class, and a value."""

    memory_ticks: int = 128  # frames that a block attends to, the present one included
    num_buttons: int = _JOINT.num_buttons  # joint button classes
    num_camera: int = _JOINT.num_camera  # joint camera classes

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory_ticks < 1:
            raise ModelFileError(f"PolicyConfig: memory_ticks is {self.memory_ticks}, expected 1 or more")


@dataclass(frozen=True)
class IDMConfig(NetConfig):
    """An inverse dynamics model: a whole clip of frames -> what was pressed at each of them."""

    conv_channels: int = 128  # channels of the temporal convolution
    conv_ticks: int = 5  # frames that it sees, odd, the present one in the middle
    window_ticks: int = 128  # frames of a clip in training; any number can be labelled at once
    num_buttons: int = len(POLICY_BUTTONS)  # independent buttons
    num_bins: int = VPT_CAMERA.num_bins  # bins of each camera axis
    # The public code computes `lastlayer` and throws the result away, and users of the released weights see good
    # labels with that; a public audit of the paper's model applies it.
    apply_lastlayer: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.conv_ticks % 2 == 0:
            raise ModelFileError(f"IDMConfig: conv_ticks is {self.conv_ticks}, expected an odd number")

    @property
    def margin_ticks(self) -> int:
        """Frames on either side that the temporal convolution sees."""
        return self.conv_ticks // 2


def foundation_1x() -> PolicyConfig:
    """The released 1x policy: foundation-model-1x.weights, 70,998,654 parameters."""
    return PolicyConfig(channels=(64, 128, 128), hidden=1024, heads=8, layers=4, temperature=1.0)


def foundation_2x() -> PolicyConfig:
    """The released 2x policies (2x.model, rl-from-*-2x.weights, ...), 248,495,294 parameters."""
    return PolicyConfig(channels=(128, 256, 256), hidden=2048, heads=16, layers=4, temperature=2.0)


def foundation_3x() -> PolicyConfig:
    """The released 3x policies, 532,504,318 parameters.

    NOTE: the temperature is the demo's default. The value in foundation-model-3x.model could not be checked, so read
    that file where you have it.
    """
    return PolicyConfig(channels=(192, 384, 384), hidden=3072, heads=24, layers=4, temperature=2.0)


def idm_4x() -> IDMConfig:
    """The released inverse dynamics model, 4x_idm.weights, 482,330,046 parameters."""
    return IDMConfig(channels=(256, 512, 512), hidden=4096, heads=32, layers=2, temperature=4.0)


def tiny() -> PolicyConfig:
    """A policy of 1.2 M parameters, nearly all in its heads, that remembers four frames."""
    return PolicyConfig(channels=(4, 8, 8), hidden=64, heads=4, layers=2, temperature=2.0, memory_ticks=4)


def tiny_idm() -> IDMConfig:
    """An inverse dynamics model of 0.7 M parameters."""
    return IDMConfig(
        channels=(4, 8, 8), hidden=64, heads=4, layers=2, temperature=4.0, conv_channels=8, window_ticks=16
    )


# What the networks here compute. A file that asks for anything else would run and give wrong numbers.
_FIXED_KWARGS: dict[str, Any] = {
    "diff_mlp_embedding": False,
    "impala_kwargs": {"post_pool_groups": 1},
    "init_norm_kwargs": {"batch_norm": False, "group_norm_groups": 1},
    "only_img_input": True,
    "pointwise_use_activation": False,
    "recurrence_is_residual": True,
    "recurrence_type": "transformer",
    "use_pointwise_layer": True,
    "use_pre_lstm_ln": False,
}


def config_from_kwargs(
    kwargs: Mapping[str, Any], temperature: float, place: str = "kwargs"
) -> PolicyConfig | IDMConfig:
    """The config of VPT's own keyword arguments, as in a `.model` file. Unknown ones have no effect and are ignored.

    Raises ModelFileError, naming `place` and the key, for a network that is not VPT's.
    """
    for key, expected in _FIXED_KWARGS.items():
        if key in kwargs and kwargs[key] != expected:
            raise ModelFileError(f"{place}: {key} is not {expected!r}; this network is not one of VPT's")

    def integer(key: str, default: int | None = None) -> int:
        value = kwargs.get(key, default)
        if type(value) is not int:
            found = "missing" if value is None else f"a {type(value).__name__}"
            raise ModelFileError(f"{place}: {key} is {found}, expected an integer")
        return value

    def integers(key: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        value = kwargs.get(key, default)
        if not isinstance(value, (list, tuple)) or not all(type(item) is int for item in value):
            raise ModelFileError(f"{place}: {key} is missing or no list of integers")
        return tuple(value)

    image_shape = integers("img_shape", (128, 128, 3))
    if len(image_shape) != 3 or image_shape[0] != image_shape[1]:
        raise ModelFileError(f"{place}: img_shape is not (size, size, channels)")
    width = integer("impala_width")
    shared: dict[str, Any] = {
        "channels": tuple(width * stack for stack in integers("impala_chans", (16, 32, 32))),
        "hidden": integer("hidsize"),
        "heads": integer("attention_heads"),
        "layers": integer("n_recurrence_layers"),
        "temperature": temperature,
        "image_size": image_shape[0],
        "mlp_ratio": integer("pointwise_ratio", 4),
    }
    ticks = integer("timesteps")
    memory = integer("attention_memory_size") - ticks
    style = kwargs.get("attention_mask_style", "clipped_causal")
    conv = kwargs.get("conv3d_params")
    if conv is None:
        if style != "clipped_causal":
            raise ModelFileError(f"{place}: a policy's attention_mask_style must be 'clipped_causal'")
        return PolicyConfig(**shared, memory_ticks=memory)

    if not isinstance(conv, Mapping) or style != "none" or memory != 0:
        raise ModelFileError(
            f"{place}: conv3d_params belongs to an inverse dynamics model, which has attention_mask_style 'none' and "
            "attention_memory_size equal to timesteps"
        )
    kernel, padding, outputs = conv.get("kernel_size"), conv.get("padding"), conv.get("outchan")
    if not (isinstance(kernel, (list, tuple)) and isinstance(padding, (list, tuple)) and type(outputs) is int):
        raise ModelFileError(f"{place}: conv3d_params lacks outchan, kernel_size or padding")
    conv_ticks = kernel[0] if kernel else None
    if type(conv_ticks) is not int or list(kernel[1:]) != [1, 1] or list(padding) != [conv_ticks // 2, 0, 0]:
        raise ModelFileError(f"{place}: conv3d_params is not a convolution over time alone that keeps the length")
    return IDMConfig(**shared, conv_channels=outputs, conv_ticks=conv_ticks, window_ticks=ticks)


# The temperatures in the released `.model` files; that of the 3x one is not known.
_RELEASED_TEMPERATURES = {
    dataclasses.replace(config, temperature=1.0): config.temperature
    for config in (foundation_1x(), foundation_2x(), idm_4x())
}
_DEMO_TEMPERATURES = {PolicyConfig: 2.0, IDMConfig: 4.0}


def config_from_shapes(
    shapes: Shapes, temperature: float | None = None, place: str = "weights"
) -> PolicyConfig | IDMConfig:
    """The config of the network that has tensors of these shapes.

    The temperature leaves no trace in the shapes. Without one, a released size gets the temperature of its released
    `.model`, and any other that of VPT's demo, with a warning. Raises ModelFileError where the shapes fit no network.
    """

    def shape(name: str, dimensions: int) -> tuple[int, ...]:
        if name not in shapes:
            near = nearest_names(name, shapes)
            hint = f"; the nearest are {', '.join(near)}" if near else ""
            raise ModelFileError(f"{place}: no tensor {name!r}; this is no VPT policy or IDM{hint}")
        if len(shapes[name]) != dimensions:
            raise ModelFileError(f"{place}: {name} has shape {tuple(shapes[name])}, expected {dimensions} dimensions")
        return tuple(shapes[name])

    def count(pattern: str) -> int:
        indices = {int(match[1]) for name in shapes if (match := re.match(pattern, name))}
        if indices != set(range(len(indices))):
            raise ModelFileError(f"{place}: tensors matching {pattern!r} do not count up from 0")
        return len(indices)

    cnn, block = "net.img_process.cnn", "net.recurrent_layer.blocks.0"
    stacks, layers = count(r"net\.img_process\.cnn\.stacks\.(\d+)\."), count(r"net\.recurrent_layer\.blocks\.(\d+)\.")
    (hidden,) = shape("net.final_ln.weight", 1)
    channels = tuple(shape(f"{cnn}.stacks.{stack}.firstconv.layer.weight", 4)[0] for stack in range(stacks))
    basis, memory = shape(f"{block}.r.orc_block.b_nd", 2)
    dense, flat = shape(f"{cnn}.dense.layer.weight", 2)
    grid = math.isqrt(flat // channels[-1]) if channels else 0
    fields: dict[str, Any] = {
        "channels": channels,
        "hidden": hidden,
        "heads": shape(f"{block}.r.orc_block.r_layer.weight", 2)[0] // max(basis, 1),
        "layers": layers,
        "image_size": grid * 2**stacks,
        "dense": dense,
        "mlp_ratio": shape(f"{block}.mlp0.layer.weight", 2)[0] // hidden,
        "temperature": 1.0,
    }
    buttons = shape("pi_head.buttons.linear_layer.weight", 2)[0]
    camera = shape("pi_head.camera.linear_layer.weight", 2)[0]
    config: PolicyConfig | IDMConfig
    if "net.conv3d_layer.layer.weight" in shapes:
        conv = shape("net.conv3d_layer.layer.weight", 5)
        fields |= {"conv_channels": conv[0], "conv_ticks": conv[2], "num_buttons": buttons // 2}
        config = IDMConfig(**fields, num_bins=camera // 2)
    else:
        config = PolicyConfig(**fields, memory_ticks=memory, num_buttons=buttons, num_camera=camera)
    if temperature is None:
        temperature = _RELEASED_TEMPERATURES.get(config)
    if temperature is None:
        temperature = _DEMO_TEMPERATURES[type(config)]
        warnings.warn(
            f"{place}: the softmax temperature is in the .model file, which was not given; assuming {temperature:g}. "
            "It changes what is sampled: pass the .model file, or temperature=...",
            stacklevel=2,
        )
    return dataclasses.replace(config, temperature=float(temperature))


_KINDS: dict[str, type[PolicyConfig] | type[IDMConfig]] = {"policy": PolicyConfig, "idm": IDMConfig}


def config_to_dict(config: PolicyConfig | IDMConfig) -> dict[str, Any]:
    """The config as JSON values, with its "kind": "policy" or "idm"."""
    kind = next(name for name, cls in _KINDS.items() if type(config) is cls)
    return {"kind": kind, **dataclasses.asdict(config), "channels": list(config.channels)}


def config_from_dict(values: Mapping[str, Any], place: str = "config") -> PolicyConfig | IDMConfig:
    """The inverse of `config_to_dict`. Raises ModelFileError, naming `place`, for unknown or missing fields."""
    cls = _KINDS.get(str(values.get("kind")))
    if cls is None:
        raise ModelFileError(f"{place}: kind is {values.get('kind')!r}, expected one of {', '.join(_KINDS)}")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    given = {name: value for name, value in values.items() if name != "kind"}
    for name in given:
        if name not in fields:
            raise ModelFileError(f"{place}: unknown field {name!r}; the fields are {', '.join(fields)}")
    missing = [n for n, f in fields.items() if f.default is dataclasses.MISSING and n not in given]
    if missing:
        raise ModelFileError(f"{place}: no {', '.join(missing)}")
    if not isinstance(given["channels"], list):
        raise ModelFileError(f"{place}: channels is no list")
    for name, value in given.items():
        expected = {"channels": (list,), "temperature": (int, float), "apply_lastlayer": (bool,)}.get(name, (int,))
        if type(value) not in expected:
            raise ModelFileError(f"{place}: {name} is a {type(value).__name__}")
    return cls(**given)
