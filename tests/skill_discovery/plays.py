"""Made-up evidence whose boundaries are known."""

from __future__ import annotations

import numpy as np

from jarvis.core.actions import BUTTON_INDEX, BUTTONS
from jarvis.core.surprise import TickScores
from skill_discovery.evidence import Evidence


def scores_of(buttons, camera=None, *, fresh=None, hidden=None, horizon=4, predictor="p" * 64):
    """TickScores with these (n,) losses; fresh predictors lose 1 nat everywhere unless told otherwise."""
    buttons = np.asarray(buttons, np.float32)
    count = len(buttons)
    camera = np.zeros(count, np.float32) if camera is None else np.asarray(camera, np.float32)
    if fresh is None:
        fresh = np.ones((count, horizon), np.float32)
    fresh = np.array(fresh, np.float32)
    beyond = np.arange(count)[:, None] + np.arange(fresh.shape[1]) >= count
    fresh[beyond] = np.nan
    still = np.where(beyond, np.nan, 0).astype(np.float32)
    hidden = np.ones((count, 2)) if hidden is None else hidden
    return TickScores(
        buttons, camera, np.zeros((count, 2), np.float32), fresh, still, np.asarray(hidden, np.float16), predictor
    )


def evidence_of(count, *, pressed="forward", idle=(), events=(), camera=None, name="clip", **fields):
    """n ticks with one key held but for the idle ones; `pressed` may be a list of n keys."""
    buttons = np.zeros((count, len(BUTTONS)), np.uint8)
    keys = [pressed] * count if isinstance(pressed, str) else pressed
    for tick, key in enumerate(keys):
        if tick not in set(idle):
            buttons[tick, BUTTON_INDEX[key]] = 1
    camera = np.zeros((count, 2), np.float32) if camera is None else camera
    return Evidence(name, buttons, camera, np.zeros(count, np.bool_), events=tuple(events), **fields)
