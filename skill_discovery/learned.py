"""A criterion with weights of its own, learnt where the player's log is known: what all evidence together is worth.

    options = fit(evidences, truths, curves=("likelihood-ratio", "hidden-change", "frame-difference"))
    criterion = make("learned", **options)

Logistic regression of "a skill begins within three ticks of here" on the other criteria's curves, on which events were
how long ago, on screens that open and close and on idle time, in the ticks around. It needs true segments to learn
from, which only simulated worlds have; the other criteria do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jarvis.core.errors import EpisodeError, FormatError, MissingExtraError
from jarvis.core.segments import Segment
from skill_discovery.criteria import Peaks, make, spread, standard
from skill_discovery.evidence import Evidence

__all__ = ["Learned", "features", "fit"]

NEAR = 3  # ticks from a boundary that count as one
EVENT_KINDS = ("craft_item", "mine_block", "use_item", "kill_entity", "pickup")
AGES = ((0, 4), (4, 10), (10, 20), (20, 40))  # ticks since the last event of a kind
AROUND = ((-20, -3), (-3, 4), (4, 21))  # ticks over which a curve is averaged


def features(evidence: Evidence, curves: Sequence[str], events: bool = True) -> np.ndarray:
    """(n, width) float64: see the module."""
    count = len(evidence)
    columns: list[np.ndarray] = []
    for name in curves:
        curve = standard(make(name).curve(evidence))
        columns += [spread(curve, NEAR), *(_mean_around(curve, first, last) for first, last in AROUND)]
    gui = evidence.gui_open.astype(np.float64)
    turned = np.diff(gui, prepend=gui[:1])
    columns += [gui, spread(turned, NEAR), spread(-turned, NEAR)]
    columns += [_mean_around(evidence.null.astype(np.float64), first, last) for first, last in AROUND]
    if events:
        for kind in EVENT_KINDS:
            age = np.full(count, 10**6)
            for event in evidence.events:
                if event.name == kind:
                    age[event.tick :] = np.arange(count - event.tick)
            columns += [((age >= low) & (age < high)).astype(np.float64) for low, high in AGES]
    return np.stack(columns, axis=1)


def _mean_around(values: np.ndarray, first: int, last: int) -> np.ndarray:
    """The mean over the ticks [t + first, t + last), as far as the clip goes."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    ticks = np.arange(len(values))
    low, high = np.clip(ticks + first, 0, len(values)), np.clip(ticks + last, 0, len(values))
    mean: np.ndarray = (total[high] - total[low]) / np.maximum(high - low, 1)
    return mean


@dataclass(frozen=True)
class Learned(Peaks):
    """The log odds of a boundary."""

    curves: tuple[str, ...] = ()
    events: bool = True
    weights: tuple[float, ...] = ()  # of the standardised features
    bias: float = 0.0
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    def curve(self, evidence: Evidence) -> np.ndarray:
        """(n,) log odds."""
        table = features(evidence, self.curves, self.events)
        if table.shape[1] != len(self.weights):
            raise FormatError(
                f"learned: {len(self.weights)} weights for {table.shape[1]} features; fit it: skill_discovery.learned"
            )
        odds: np.ndarray = (table - np.array(self.mean)) / np.array(self.scale) @ np.array(self.weights) + self.bias
        odds[0] = -np.inf
        return odds


def fit(
    evidences: Sequence[Evidence], truths: Sequence[Sequence[Segment]], curves: Sequence[str], events: bool = True
) -> dict[str, Any]:
    """The options of a `learned` criterion, from clips with true segments. EpisodeError if they have no boundary."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise MissingExtraError("segment", "learning a criterion") from None
    tables, targets = [], []
    for evidence, truth in zip(evidences, truths, strict=True):
        near = np.zeros(len(evidence), np.bool_)
        for segment in truth[1:]:
            near[max(0, segment.start - NEAR) : segment.start + NEAR + 1] = True
        tables.append(features(evidence, curves, events))
        targets.append(near)
    if not any(near.any() for near in targets):
        raise EpisodeError(f"no boundary in {len(evidences)} clips: there is nothing to learn from")
    table, target = np.concatenate(tables), np.concatenate(targets)
    mean, scale = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-6)
    found = LogisticRegression(C=0.05, class_weight="balanced", max_iter=500).fit((table - mean) / scale, target)
    return {
        "curves": list(curves), "events": events,
        "weights": found.coef_[0].tolist(), "bias": float(found.intercept_[0]),
        "mean": mean.tolist(), "scale": scale.tolist(),
    }  # fmt: skip
