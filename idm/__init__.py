# ruff: noqa: F401 - the imports below are for type checkers, the table for everybody else
"""Inverse dynamics: from video to the keys and the mouse that were used.

    labeler = idm.load("default")                      # or a checkpoint folder, or vpt:4x_idm.model:4x_idm.weights
    with open_video("clip.mp4") as video:
        for labels in labeler.label(video.frames(size=labeler.size)):
            labels.buttons      # (n, 23) uint8, in the order of jarvis.core.actions.BUTTONS
            labels.camera       # (n, 2) float32 degrees, (pitch, yaw); down and right are positive
            labels.confidence   # (n, 22) float32: of the 20 policy buttons, pitch, yaw

The n of all labels together are the frames of the video, whatever its length. Labels of a frame say what was done after
seeing it. `idm.fingerprint(spec)` names the model behind a spec without loading it.

Training is `jarvis train idm`, or `idm.training`; how good labels are, `idm.metrics`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idm.labels import Labeler, Labels
    from idm.loading import fingerprint, load, load_network

_MODULES = {"labels": "Labeler Labels", "loading": "fingerprint load load_network"}
_HOME = {name: f"idm.{module}" for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
