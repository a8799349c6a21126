"""Made-up evidence and recordings whose boundaries are known."""

from __future__ import annotations

import numpy as np

from data_pipelines.contractor import Seen
from data_pipelines.recordings import RecordingWriter
from jarvis.core.actions import BUTTON_INDEX, BUTTONS, Action
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


def record(folder, name, ticks, *, still=False, seed=0):
    """A player who walks, then digs, before a wall that changes colour."""
    random = np.random.default_rng(seed)
    with RecordingWriter(folder, name, 64, 64) as recording:
        for tick in range(ticks):
            digs = tick >= ticks // 2
            frame = np.full((64, 64, 3), 200 if digs else 40, np.uint8)
            frame[tick % 64] = 255
            action = Action.of("attack" if digs else "forward", camera=(0, 1.5 if random.random() < 0.3 else 0))
            truth = {"coarse": "dig" if digs else "walk"}
            if tick == ticks - 2:
                truth["events"] = [{"name": "mine_block", "item": "stone", "count": 1}]
            recording.add(frame, Action.noop() if still else action, Seen(), truth)
