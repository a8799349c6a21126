# ruff: noqa: F401 - the imports below are for type checkers, the table for everybody else
"""VPT's networks and file formats, shared by labelling, scoring and playing.

    policy = jarvis.vpt.load_policy("2x.model", "rl-from-early-game-2x.weights")
    state = policy.initial_state(batch)
    output, state = policy(frames, first, state)     # frames (batch, ticks, 128, 128, 3) uint8 RGB
    model = jarvis.vpt.load_idm("4x_idm.model", "4x_idm.weights")
    output = model(frames)

Names are imported on use: resizing frames needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jarvis.vpt.config import (
        IDMConfig,
        InputError,
        ModelFileError,
        PolicyConfig,
        foundation_1x,
        foundation_2x,
        foundation_3x,
        idm_4x,
        tiny,
        tiny_idm,
    )
    from jarvis.vpt.initialisation import build
    from jarvis.vpt.layers import cast_products
    from jarvis.vpt.loading import (
        load_idm,
        load_policy,
        load_spec,
        read_checkpoint,
        read_config,
        write_checkpoint,
        write_network,
    )
    from jarvis.vpt.networks import VPTIDM, VPTPolicy
    from jarvis.vpt.pixels import cursor_position, draw_cursor, resize
    from jarvis.vpt.playing import VptPolicy
    from jarvis.vpt.sampling import entropy, kl_divergence, log_probability, sample
    from jarvis.vpt.speed import prepare
    from jarvis.vpt.transformer import PolicyState
    from jarvis.vpt.winograd import fast_convolutions

_MODULES = {
    "config": "IDMConfig InputError ModelFileError PolicyConfig foundation_1x foundation_2x foundation_3x idm_4x tiny "
    "tiny_idm",
    "initialisation": "build",
    "layers": "cast_products",
    "loading": "load_idm load_policy load_spec read_checkpoint read_config write_checkpoint write_network",
    "networks": "VPTIDM VPTPolicy",
    "playing": "VptPolicy",
    "pixels": "cursor_position draw_cursor resize",
    "sampling": "entropy kl_divergence log_probability sample",
    "speed": "prepare",
    "transformer": "PolicyState",
    "winograd": "fast_convolutions",
}
_HOME = {name: f"jarvis.vpt.{module}" for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
