"""Skill boundary detection as published (arXiv 2503.10684, "Open-World Skill Discovery from Unsegmented
Demonstration Videos"), and with its defects mended. Every mend is one option; `published()` has none of them.

    cuts = sbd_cuts(evidence, gap=18.0, options=SBDOptions())       # mended
    cuts = sbd_cuts(evidence, gap=18.0, options=published())        # as released

Walk over the ticks; cut where the loss of the action taken exceeds the mean loss of the segment so far, itself
included, by more than `gap`. The released code, by number, and what we do about each:

     1 the frame that opens a segment goes to the old memory, its loss nowhere    keep_opening_loss
     2 overdue events force a chain of shortest segments                          take_all_due_events, merge_ticks
     3 events are a tick early                                                    event_offset
     4 segments of 2 steps, and of 12,800                                         min_ticks, max_ticks
     5 lengths count steps, files count frames; idle time at the end is lost      count_idle, keep_ends
     6 what is idle is decided before the action is encoded                       idle_by_class
     7 cameras in whole degrees                                                   gather(..., whole_degrees=True)
     8 labels from an IDM that sees 32 frames at a time                           the labelling's windows and margins
     9 one frame a call, with gradients                                           ScoringConfig.chunk_ticks
    10 the camera is charged where the buttons say that it rests                  charge_resting_camera
    11 losses in screens are scaled by 0.75 and go into the same mean             gui_factor
    12 which videos are left is drawn anew at each start                          by name: segment_folder
    13 nothing is ever compared with a true boundary                              metrics.py

What is not reproduced: the released code also keeps idle frames from the model. Here it sees every frame, and idle
ticks are masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from jarvis.core.actions import POLICY_BUTTONS, VPT_CAMERA, JointActions
from jarvis.core.events import Event
from skill_discovery.evidence import Evidence

__all__ = ["SBDOptions", "charged_losses", "event_ticks", "published", "sbd_boundaries", "sbd_cuts", "sbd_excess"]

SKILL_EVENTS = ("craft_item", "mine_block", "kill_entity", "use_item")


@dataclass(frozen=True)
class SBDOptions:
    """The defaults are the mended rule."""

    heads: str = "both"  # whose losses: both, buttons or camera
    reset: bool = False  # forget at each cut; measured to make no difference, and it costs a pass of its own
    keep_opening_loss: bool = True  # the loss at the cut is the new segment's first
    sticky: bool = False  # a flag raised before the minimum length waits for it
    min_ticks: int = 10  # no cut before that
    max_ticks: int = 1200  # a cut at the latest then
    count_idle: bool = True  # lengths count raw ticks; else only those with an action
    keep_ends: bool = True  # idle ticks at both ends belong to segments, see `sbd_boundaries`; else to none
    idle_by_class: bool = True  # idle is what the encoding makes nothing of; else what the raw action is
    gui_factor: float = 1.0  # by which losses in open screens are scaled
    charge_resting_camera: bool = False  # charge the camera's loss where the button class says that it rests
    use_events: bool = False  # cut at events too
    take_all_due_events: bool = True  # a cut answers all events up to it; else only the first
    merge_ticks: int = 10  # an event this soon after a cut is answered by it too; the least is 0
    event_offset: int = 1  # ticks from an event to the first tick after it
    kill_offset: int = 16  # ticks more for kills, whose animation goes on

    def __post_init__(self) -> None:
        if self.heads not in ("both", "buttons", "camera"):
            raise ValueError(f"heads: {self.heads!r}, expected both, buttons or camera")
        if not 1 <= self.min_ticks <= self.max_ticks:
            raise ValueError(f"min_ticks {self.min_ticks}, max_ticks {self.max_ticks}: expected 1 <= min <= max")


def published() -> SBDOptions:
    """The rule as released, with every defect that is a matter of the rule."""
    return SBDOptions(
        reset=True,
        keep_opening_loss=False,
        sticky=True,
        min_ticks=2,
        max_ticks=12_800,
        count_idle=False,
        keep_ends=False,
        idle_by_class=False,
        gui_factor=0.75,
        charge_resting_camera=True,
        take_all_due_events=False,
        merge_ticks=0,
        event_offset=0,
    )


def idle(evidence: Evidence, options: SBDOptions) -> np.ndarray:
    """(n,) bool: ticks that are masked."""
    return evidence.null if options.idle_by_class else evidence.raw_null


def charged_losses(evidence: Evidence, options: SBDOptions, fresh_from: int | None = None) -> np.ndarray:
    """(n,) float64 nats charged at each tick, 0 where it is idle.

    fresh_from: the tick before which everything was forgotten. NOTE: for the horizon that the evidence holds the losses
    are then exact, beyond it those of the predictor that remembers, which by then differ little.
    """
    scores = evidence.need("scores")
    buttons, camera = scores.buttons, scores.camera
    if fresh_from is not None and fresh_from < len(evidence):
        stop = min(fresh_from + scores.horizon, len(evidence))
        buttons, camera = buttons.copy(), camera.copy()
        buttons[fresh_from:stop] = scores.fresh_buttons[fresh_from, : stop - fresh_from]
        camera[fresh_from:stop] = scores.fresh_camera[fresh_from, : stop - fresh_from]
    return _combined(evidence, buttons, camera, options)


def _combined(evidence: Evidence, buttons: np.ndarray, camera: np.ndarray, options: SBDOptions) -> np.ndarray:
    loss = np.zeros(len(evidence))
    if options.heads != "camera":
        loss += buttons
    if options.heads != "buttons":
        loss += np.where(options.charge_resting_camera | moving(evidence), camera, 0.0)
    loss[evidence.gui_open] *= options.gui_factor
    loss[idle(evidence, options)] = 0.0
    return loss


def moving(evidence: Evidence) -> np.ndarray:
    """(n,) bool: the button class says that the camera moves, so that its class means something."""
    classes, _ = JointActions(VPT_CAMERA).encode(
        evidence.buttons[:, : len(POLICY_BUTTONS)], VPT_CAMERA.to_bins(evidence.camera)
    )
    moves: np.ndarray = classes % 2 == 1
    return moves


def sbd_excess(evidence: Evidence, options: SBDOptions, window: int = 128) -> np.ndarray:
    """(n,) nats by which each charged loss exceeds the mean of the `window` charged ones before it; -inf where idle.

    The rule's own test without its segments, so that every tick has a score whatever was cut before it.
    """
    loss = charged_losses(evidence, options)
    ticks = np.flatnonzero(~idle(evidence, options))
    excess = np.full(len(evidence), -np.inf)
    if len(ticks) < 2:
        return excess
    total = np.concatenate([[0.0], np.cumsum(loss[ticks])])
    index = np.arange(1, len(ticks))
    before = np.maximum(index - window, 0)
    excess[ticks[1:]] = loss[ticks[1:]] - (total[index] - total[before]) / (index - before)
    return excess


def event_ticks(events: Sequence[Event], num_ticks: int, options: SBDOptions) -> np.ndarray:
    """The ticks at which a skill's event is over, rising: of a run of equal events only the last counts.

    Events that matter are crafts, mined blocks, kills and uses. Those at one tick are one set; a set that equals the
    next one is a step on the same way.
    """
    sets: dict[int, set[tuple[str, str]]] = {}
    for event in events:
        if event.name in SKILL_EVENTS:
            tick = event.tick + (options.kill_offset if event.name == "kill_entity" else 0)
            sets.setdefault(min(tick, num_ticks - 1), set()).add((event.name, event.item))
    kept: list[int] = []
    later: set[tuple[str, str]] = set()
    for tick in sorted(sets, reverse=True):
        if sets[tick] != later:
            kept.append(tick + options.event_offset)
        later = sets[tick]
    return np.array(sorted(tick for tick in set(kept) if 0 < tick < num_ticks), np.int64)


def sbd_cuts(evidence: Evidence, gap: float, options: SBDOptions | None = None) -> np.ndarray:
    """The ticks at which a new segment begins, rising, by the rule."""
    options = options or SBDOptions()
    masked = idle(evidence, options)
    loss = charged_losses(evidence, options, 0 if options.reset else None)
    due = event_ticks(evidence.events, len(evidence), options).tolist() if options.use_events else []
    cuts: list[int] = []
    start, steps, total, count, flagged = 0, 0, 0.0, 0, False
    for tick in np.flatnonzero(~masked).tolist():
        total, count, steps = total + loss[tick], count + 1, steps + 1
        over = count > 1 and loss[tick] - total / count > gap
        flagged = over or (flagged and options.sticky)
        length = tick - start if options.count_idle else steps - 1
        event = bool(due) and tick >= due[0]
        if event and cuts and options.merge_ticks and due[0] - cuts[-1] < options.merge_ticks:
            due = [other for other in due if other > tick]
            event = False
        if length < options.min_ticks or not (flagged or event or length >= options.max_ticks):
            continue
        cuts.append(tick)
        if options.take_all_due_events:
            due = [other for other in due if other > tick]
        elif event:
            due = due[1:]
        if options.reset:
            loss = charged_losses(evidence, options, tick if options.keep_opening_loss else tick + 1)
        kept = options.keep_opening_loss
        start, steps, flagged = tick, 1, False
        total, count = (loss[tick], 1) if kept else (0.0, 0)
    return np.array(cuts, np.int64)


def sbd_boundaries(evidence: Evidence, gap: float, options: SBDOptions | None = None) -> list[list[int]]:
    """The rule's segments in the published code's form: [[first, last], ...], raw frames, both included.

    Without `keep_ends` what is idle at either end of the clip is in none of them, and there may be no segment at all.
    """
    options = options or SBDOptions()
    active = np.flatnonzero(~idle(evidence, options))
    if not options.keep_ends and not len(active):
        return []
    first, last = (0, len(evidence) - 1) if options.keep_ends else (int(active[0]), int(active[-1]))
    starts = [first, *sbd_cuts(evidence, gap, options).tolist()]
    return [[start, stop - 1] for start, stop in pairwise([*starts, last + 1])]


def without_one(options: SBDOptions) -> dict[str, SBDOptions]:
    """The mended rule with each defect put back, by the option's name: what each mend is worth."""
    original = published()
    changed = {}
    for name in original.__dataclass_fields__:
        if getattr(original, name) != getattr(options, name):
            changed[name] = replace(options, **{name: getattr(original, name)})
    return changed
