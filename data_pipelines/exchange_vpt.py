"""Labelled clips as OpenAI's contractors recorded theirs, for the tools that read those: VPT, STEVE-1, MineStudio.

text = contractor_text(labels)               # the .jsonl: one line for each frame of the video
"""

from __future__ import annotations

import json

import numpy as np

from data_pipelines.contractor import ContractorLines, Seen, quantise_camera
from data_pipelines.labels import ClipLabels
from jarvis.core.actions import CAMERA_LIMIT, Action

__all__ = ["contractor_text"]


def contractor_text(labels: ClipLabels) -> str:
    """The lines of a clip, one for each of its frames. Turns are rounded to whole mouse counts of 0.15 degrees.

    What only the game knows (open screens, position, inventory) is not known from labels and stands at its default.
    """
    buttons, camera = labels.by_frame()
    camera = quantise_camera(np.clip(camera, -CAMERA_LIMIT, CAMERA_LIMIT))
    lines, seen = ContractorLines(), Seen()
    told = (lines.line(Action(pressed, turned), seen) for pressed, turned in zip(buttons, camera, strict=True))
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in told)
