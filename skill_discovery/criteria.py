"""Every way to cut play into skills, behind one interface and by name.

    criterion = make("likelihood-ratio", window=12)
    cuts = criterion.cuts(evidence, threshold)           # rising ticks at which a new segment begins
    curve = criterion.curve(evidence)                    # (n,) scores, higher where a cut is likelier; some have none
    candidates = criterion.thresholds(evidences)         # to choose from, from many cuts to few

A larger threshold never means more cuts, whatever its unit: nats, cosine, penalty of a change point, ticks.

    sbd               the published rule, mended (sbd.py)
    sbd-published     the same with all its defects
    sbd+nms           its test at every tick, best ones first
    likelihood-ratio  is the past of any use for the next half second?
    hidden-change     does the predictor's state turn?
    action-cpd        change points of what is pressed; action-change is the same as a curve
    events            where crafts, kills, mined blocks and uses end
    event+loss        those, and between them the peaks of another curve
    evidence-sum      several curves, added up as standard scores
    learned           all evidence, weighed by what was learnt from clips with true segments (learned.py)
    fixed             every 128 ticks
    uniform           every `threshold` ticks
    random            lengths drawn from a given distribution
    colour-cpd        change points of the colours
    frame-difference  where the picture jumps

Criteria need no model but for the losses and states that the evidence holds.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from jarvis.core.actions import POLICY_BUTTONS, VPT_CAMERA
from jarvis.core.errors import FormatError, MissingExtraError, UnknownNameError, nearest_names
from jarvis.core.random_streams import generator
from skill_discovery.evidence import Evidence
from skill_discovery.sbd import SBDOptions, charged_losses, event_ticks, published, sbd_cuts, sbd_excess

__all__ = ["CRITERIA", "Criterion", "make", "peaks"]

FIXED_TICKS = 128  # the windows of GROOT and STEVE-1, which the paper compares with


class Criterion(Protocol):
    """One way to cut. See the module's example."""

    def curve(self, evidence: Evidence) -> np.ndarray | None:
        """(n,) float64, -inf where no cut can be; None if the cuts come from no such curve."""
        ...

    def cuts(self, evidence: Evidence, threshold: float) -> np.ndarray:
        """(cuts,) int64 rising ticks, between 1 and n - 1."""
        ...

    def sweep(self, evidence: Evidence, thresholds: Sequence[float]) -> list[np.ndarray]:
        """The cuts at each of several thresholds, sooner than one after the other."""
        ...

    def thresholds(self, evidences: Sequence[Evidence]) -> list[float]:
        """Rising thresholds worth trying on such clips; one if there is nothing to choose."""
        ...


class _OneByOne:
    """A sweep without a short cut."""

    def sweep(self: Any, evidence: Evidence, thresholds: Sequence[float]) -> list[np.ndarray]:
        """The cuts at each of several thresholds."""
        return [self.cuts(evidence, threshold) for threshold in thresholds]


def make(name: str, **options: Any) -> Criterion:
    """The criterion of a name. UnknownNameError with the nearest; FormatError for options that it does not have."""
    if name not in CRITERIA:
        raise UnknownNameError("criterion", name, nearest_names(name, CRITERIA))
    try:
        return CRITERIA[name](**options)
    except (TypeError, ValueError) as error:
        raise FormatError(f"criterion {name}: {error}") from None


def peaks(curve: np.ndarray, threshold: float, distance: int) -> np.ndarray:
    """Rising ticks above the threshold, the highest first, none nearer than `distance` to a higher one or the ends."""
    taken = np.zeros(len(curve), np.bool_)
    chosen: list[int] = []
    over = np.flatnonzero(curve > threshold)
    for tick in over[np.argsort(-curve[over], kind="stable")].tolist():
        if distance <= tick <= len(curve) - distance and not taken[tick]:
            chosen.append(tick)
            taken[max(0, tick - distance + 1) : tick + distance] = True
    return np.array(sorted(chosen), np.int64)


def _levels(values: np.ndarray, low: float, count: int = 48) -> list[float]:
    """Thresholds between the quantile `low` and the maximum, closer together near the top."""
    values = values[np.isfinite(values)]
    if not len(values):
        return [0.0]
    shares = 1 - (1 - low) * np.geomspace(1, 2e-4, count)
    return sorted(set(np.quantile(values, shares).tolist()))


@dataclass(frozen=True)
class Peaks:
    """Local maxima of a curve, thinned out so that none are closer than `distance` ticks."""

    distance: int = 10  # half a second

    def curve(self, evidence: Evidence) -> np.ndarray:
        """(n,) float64."""
        raise NotImplementedError

    def cuts(self, evidence: Evidence, threshold: float) -> np.ndarray:
        """The peaks above the threshold."""
        return self.sweep(evidence, [threshold])[0]

    def sweep(self, evidence: Evidence, thresholds: Sequence[float]) -> list[np.ndarray]:
        """The cuts at each of several thresholds."""
        curve = self.curve(evidence)
        return [peaks(curve, threshold, self.distance) for threshold in thresholds]

    def thresholds(self, evidences: Sequence[Evidence]) -> list[float]:
        """Quantiles of the curve."""
        return _levels(np.concatenate([self.curve(evidence) for evidence in evidences]), 0.5)


# losses and states of the predictor


@dataclass(frozen=True)
class SBD(_OneByOne):
    """The published rule; the threshold is its gap in nats."""

    options: SBDOptions = field(default_factory=SBDOptions)

    def curve(self, evidence: Evidence) -> np.ndarray:
        """The excess over the mean of the last 128 losses; the rule itself uses that of the segment."""
        return sbd_excess(evidence, self.options)

    def cuts(self, evidence: Evidence, threshold: float) -> np.ndarray:
        """Segments one after the other."""
        return sbd_cuts(evidence, threshold, self.options)

    def thresholds(self, evidences: Sequence[Evidence]) -> list[float]:
        """Quantiles of the excess."""
        return _levels(np.concatenate([self.curve(evidence) for evidence in evidences]), 0.5)


@dataclass(frozen=True)
class SBDPeaks(Peaks):
    """The rule's test at every tick, with non-maximum suppression for its segments."""

    heads: str = "both"  # whose losses
    window: int = 128  # ticks whose mean loss is usual
    entropy: bool = False  # take off what the predictor expected the loss to be

    def curve(self, evidence: Evidence) -> np.ndarray:
        """(n,) nats."""
        if not self.entropy:
            return sbd_excess(evidence, SBDOptions(heads=self.heads), self.window)
        scores = evidence.need("scores")
        unexpected = replace(
            scores, buttons=scores.buttons - scores.entropy[:, 0], camera=scores.camera - scores.entropy[:, 1]
        )
        return sbd_excess(replace(evidence, scores=unexpected), SBDOptions(heads=self.heads), self.window)


@dataclass(frozen=True)
class LikelihoodRatio(Peaks):
    """Is the past any use for predicting the next half second? Nats by which forgetting it helps."""

    heads: str = "both"
    window: int = 12  # ticks that are predicted, no more than the evidence's horizon
    skip: int = 0  # first ones that do not count: a predictor that has seen one frame knows no motion

    def curve(self, evidence: Evidence) -> np.ndarray:
        """(n,) nats: losses with memory minus losses without, over the window."""
        scores = evidence.need("scores")
        if not self.skip < self.window <= scores.horizon:
            raise FormatError(
                f"{evidence.name}: window {self.window}, skip {self.skip}, but losses of fresh predictors over "
                f"{scores.horizon} ticks: score again with a larger horizon"
            )
        options = SBDOptions(heads=self.heads)
        remembering = charged_losses(evidence, options)
        gain = np.zeros(len(evidence))
        for ahead in range(self.skip, self.window):
            # as a clip whose losses at t are those of the predictor that began at t - ahead
            shifted = replace(
                scores,
                buttons=_shifted(scores.fresh_buttons[:, ahead], ahead),
                camera=_shifted(scores.fresh_camera[:, ahead], ahead),
            )
            fresh = charged_losses(replace(evidence, scores=shifted), options)
            count = len(evidence) - ahead
            if count > 0:
                gain[:count] += remembering[ahead:] - fresh[ahead:]
        gain[0] = -np.inf
        return gain


def _shifted(values: np.ndarray, ahead: int) -> np.ndarray:
    """values[t] at t + ahead; the first `ahead` are 0."""
    return np.concatenate([np.zeros(min(ahead, len(values)), values.dtype), values[: max(0, len(values) - ahead)]])


@dataclass(frozen=True)
class HiddenChange(Peaks):
    """1 - cosine between what the heads read in the next and in the last `window` ticks, on average."""

    window: int = 10

    def curve(self, evidence: Evidence) -> np.ndarray:
        """(n,), 0 to 2."""
        hidden = evidence.need("scores").hidden.astype(np.float64)
        return _turn(hidden - hidden.mean(axis=0), self.window)


def _turn(states: np.ndarray, window: int) -> np.ndarray:
    """(n,): 1 - cosine between the means of the `window` states from each tick on and before it."""
    count = len(states)
    total = np.concatenate([np.zeros((1, states.shape[1])), np.cumsum(states, axis=0)])
    ticks = np.arange(1, count)
    before, after = np.maximum(ticks - window, 0), np.minimum(ticks + window, count)
    past = (total[ticks] - total[before]) / (ticks - before)[:, None]
    future = (total[after] - total[ticks]) / (after - ticks)[:, None]
    norms = np.linalg.norm(past, axis=1) * np.linalg.norm(future, axis=1)
    curve = np.full(count, -np.inf)
    curve[1:] = 1 - (past * future).sum(axis=1) / np.maximum(norms, 1e-9)
    return curve


# actions and events


@dataclass(frozen=True)
class ChangePoints:
    """Change points of a feature (PELT, by ruptures); the threshold is the penalty of one more."""

    kernel: str = "linear"  # linear: of the mean; rbf: of the distribution
    min_ticks: int = 10
    smooth: int = 1  # ticks that are averaged first

    def features(self, evidence: Evidence) -> np.ndarray:
        """(n, width) float64."""
        raise NotImplementedError

    def curve(self, evidence: Evidence) -> None:
        """None: how far a change point is from being dropped depends on all others."""
        return None

    def cuts(self, evidence: Evidence, threshold: float) -> np.ndarray:
        """The change points at this penalty."""
        return self.sweep(evidence, [threshold])[0]

    def sweep(self, evidence: Evidence, thresholds: Sequence[float]) -> list[np.ndarray]:
        """The cuts at each of several thresholds."""
        features = self.features(evidence)
        if len(evidence) < 2 * self.min_ticks or not np.ptp(features, axis=0).any():
            return [np.zeros(0, np.int64) for _ in thresholds]
        fitted = _kernel_cpd(self.kernel, self.min_ticks).fit(features)
        return [np.array(fitted.predict(pen=threshold)[:-1], np.int64) for threshold in thresholds]

    def thresholds(self, evidences: Sequence[Evidence]) -> list[float]:
        """Penalties over three orders of magnitude, in units of the mean change from one tick to the next."""
        features = [self.features(evidence) for evidence in evidences]
        if self.kernel == "rbf":
            return np.geomspace(0.3, 100, 32).tolist()
        unit = np.mean([(np.diff(one, axis=0) ** 2).sum(axis=1).mean() for one in features if len(one) > 1] or [1.0])
        return (max(unit, 1e-9) * np.geomspace(0.5, 1000, 40)).tolist()


def _kernel_cpd(kernel: str, min_ticks: int) -> Any:
    try:
        import ruptures
    except ImportError:
        raise MissingExtraError("segment", "change point detection") from None
    return ruptures.KernelCPD(kernel=kernel, min_size=min_ticks)


@dataclass(frozen=True)
class ActionChange(ChangePoints):
    """Change points of what is pressed: no model, no picture."""

    smooth: int = 5

    def features(self, evidence: Evidence) -> np.ndarray:
        """(n, 26): buttons, how fast the camera turns along each axis, open screens, idle."""
        bins = np.abs(VPT_CAMERA.to_bins(evidence.camera) - VPT_CAMERA.null_bin) / VPT_CAMERA.null_bin
        columns = [
            evidence.buttons[:, : len(POLICY_BUTTONS)],
            bins,
            evidence.null[:, None],
        ]
        return _smoothed(np.concatenate(columns, axis=1).astype(np.float64), self.smooth)


def _smoothed(features: np.ndarray, ticks: int) -> np.ndarray:
    if ticks <= 1:
        return features
    window = min(ticks, len(features))
    padded = np.concatenate([np.repeat(features[:1], window // 2, 0), features, np.repeat(features[-1:], window, 0)])
    total = np.concatenate([np.zeros((1, features.shape[1])), np.cumsum(padded, axis=0)])
    return (total[window:] - total[:-window])[: len(features)] / window


@dataclass(frozen=True)
class Events(_OneByOne):
    """Where a craft, a kill, a mined block or a use is over and something else comes next. No threshold."""

    distance: int = 10  # events this close are one
    offset: int = 1  # ticks from an event to the first tick of what comes next

    def curve(self, evidence: Evidence) -> np.ndarray:
        """1 at the cuts, -inf elsewhere."""
        curve = np.full(len(evidence), -np.inf)
        curve[self.cuts(evidence, 0.0)] = 1.0
        return curve

    def cuts(self, evidence: Evidence, threshold: float) -> np.ndarray:
        """The last of those that are close together, since a skill's end is its last event."""
        kept: list[int] = []
        for tick in event_ticks(evidence.events, len(evidence), SBDOptions(event_offset=self.offset)).tolist():
            if kept and tick - kept[-1] < self.distance:
                kept[-1] = tick
            else:
                kept.append(tick)
        return np.array(kept, np.int64)

    def thresholds(self, evidences: Sequence[Evidence]) -> list[float]:
        """There is nothing to choose."""
        return [0.0]


@dataclass(frozen=True)
class EventsAndPeaks(Peaks):
    """Events, and between them the peaks of another curve that are not within `merge` ticks of one."""

    other: str = "sbd+nms"
    merge: int = 20
    offset: int = 1  # see `Events`

    def curve(self, evidence: Evidence) -> np.ndarray:
        """The other curve with its values around events taken away, and the events on top."""
        curve = np.array(make(self.other, distance=self.distance).curve(evidence), np.float64)
        top = curve[np.isfinite(curve)].max(initial=0.0) + 1.0
        for tick in Events(offset=self.offset).cuts(evidence, 0.0).tolist():
            curve[max(0, tick - self.merge) : tick + self.merge + 1] = -np.inf
        curve[Events(offset=self.offset).cuts(evidence, 0.0)] = top
        return curve

    def sweep(self, evidence: Evidence, thresholds: Sequence[float]) -> list[np.ndarray]:
        """All events, and the peaks above each threshold."""
        events = Events(offset=self.offset).cuts(evidence, 0.0)
        curve = self.curve(evidence)
        curve[events] = -np.inf
        return [np.union1d(events, peaks(curve, one, self.distance)).astype(np.int64) for one in thresholds]

    def thresholds(self, evidences: Sequence[Evidence]) -> list[float]:
        """Those of the other curve."""
        return _levels(np.concatenate([make(self.other).curve(evidence) for evidence in evidences]), 0.5)


@dataclass(frozen=True)
class EvidenceSum(Peaks):
    """Several curves, each as standard scores of its clip and as its maximum within `reach` ticks, with weights.

    A boundary that three weak witnesses place within a few ticks of each other is a likelier one than any of them says.
    """

    parts: tuple[tuple[str, float], ...] = (
        ("likelihood-ratio", 1.0), ("hidden-change", 1.0), ("sbd+nms", 0.5), ("action-change", 1.0),
    )  # fmt: skip
    reach: int = 3
    event_bonus: float = 0.0  # standard scores that an event adds at the ticks within `reach`
    event_offset: int = 1  # see `Events`

    def curve(self, evidence: Evidence) -> np.ndarray:
        """(n,) weighted standard scores."""
        total = np.zeros(len(evidence))
        for name, weight in self.parts:
            total += weight * spread(standard(make(name).curve(evidence)), self.reach)
        if self.event_bonus:
            bonus = np.zeros(len(evidence))
            bonus[Events(offset=self.event_offset).cuts(evidence, 0.0)] = self.event_bonus
            total += spread(bonus, self.reach)
        # Between two equal tops of the spread curves, the middle is meant.
        return _smoothed(total[:, None], 3)[:, 0]


def standard(curve: np.ndarray | None) -> np.ndarray:
    """The curve as standard scores of its clip; where it is -inf, 0."""
    assert curve is not None
    finite = np.isfinite(curve)
    if not finite.any():
        return np.zeros(len(curve))
    mean, deviation = float(curve[finite].mean()), max(float(curve[finite].std()), 1e-9)
    scores: np.ndarray = np.where(finite, (np.where(finite, curve, 0.0) - mean) / deviation, 0.0)
    return scores


def spread(curve: np.ndarray, reach: int) -> np.ndarray:
    """The largest value within `reach` ticks."""
    padded = np.pad(curve, reach, mode="edge")
    largest: np.ndarray = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    return largest


@dataclass(frozen=True)
class ActionTurn(Peaks):
    """1 - cosine between what is pressed in the next and in the last `window` ticks: action-cpd as a curve."""

    window: int = 20

    def curve(self, evidence: Evidence) -> np.ndarray:
        """(n,), 0 to 2."""
        return _turn(ActionChange(smooth=1).features(evidence), self.window)


# baselines


@dataclass(frozen=True)
class Fixed(_OneByOne):
    """Every so many ticks, whatever happens."""

    ticks: int = FIXED_TICKS

    def curve(self, evidence: Evidence) -> None:
        """None."""
        return None

    def cuts(self, evidence: Evidence, threshold: float) -> np.ndarray:
        """The threshold has no effect."""
        return np.arange(self.ticks, len(evidence), self.ticks, dtype=np.int64)

    def thresholds(self, evidences: Sequence[Evidence]) -> list[float]:
        """There is nothing to choose."""
        return [0.0]


@dataclass(frozen=True)
class Uniform(_OneByOne):
    """Every `threshold` ticks, the first cut half of that in."""

    def curve(self, evidence: Evidence) -> None:
        """None."""
        return None

    def cuts(self, evidence: Evidence, threshold: float) -> np.ndarray:
        """At least one tick apart."""
        step = max(1.0, threshold)
        ticks = np.unique(np.arange(step / 2, len(evidence), step).astype(np.int64))
        return ticks[ticks > 0]

    def thresholds(self, evidences: Sequence[Evidence]) -> list[float]:
        """From half a second to a minute."""
        return np.geomspace(10, 1200, 40).tolist()


@dataclass(frozen=True)
class RandomLengths(_OneByOne):
    """Segments with lengths drawn from those given: the control that keeps everything but the places.

    The draw depends on the seed and the clip's name alone. The threshold scales the lengths; 1 keeps them.
    """

    lengths: tuple[int, ...] = (FIXED_TICKS,)
    seed: int = 0

    def curve(self, evidence: Evidence) -> None:
        """None."""
        return None

    def cuts(self, evidence: Evidence, threshold: float) -> np.ndarray:
        """One length after the other until the clip is full; the first one is entered in its middle."""
        random = generator(self.seed, "random lengths", zlib.crc32(evidence.name.encode()))
        scale = threshold or 1.0
        reached, cuts = -float(random.random()) * float(random.choice(self.lengths)) * scale, []
        while True:
            reached += max(1.0, float(random.choice(self.lengths)) * scale)
            if reached >= len(evidence):
                return np.unique(np.array([tick for tick in cuts if tick > 0], np.int64))
            cuts.append(int(reached))

    def thresholds(self, evidences: Sequence[Evidence]) -> list[float]:
        """The lengths as they are."""
        return [1.0]


@dataclass(frozen=True)
class ColourChange(ChangePoints):
    """Change points of the colours' distribution."""

    kernel: str = "rbf"

    def features(self, evidence: Evidence) -> np.ndarray:
        """(n, 24) histograms."""
        colours: np.ndarray = evidence.need("colours").astype(np.float64)
        return _smoothed(colours, self.smooth)


@dataclass(frozen=True)
class FrameDifference(Peaks):
    """Where the picture changes most from one frame to the next."""

    def curve(self, evidence: Evidence) -> np.ndarray:
        """(n,) levels of 255."""
        curve = np.array(evidence.need("motion"), np.float64)
        curve[0] = -np.inf
        return curve


def _learned(**options: Any) -> Criterion:
    from skill_discovery.learned import Learned

    return Learned(**options)


CRITERIA: dict[str, Callable[..., Criterion]] = {
    "sbd": lambda **options: SBD(SBDOptions(**options)),
    "sbd-published": lambda **options: SBD(replace(published(), **options)),
    "sbd+nms": SBDPeaks,
    "likelihood-ratio": LikelihoodRatio,
    "hidden-change": HiddenChange,
    "action-cpd": ActionChange,
    "action-change": ActionTurn,
    "events": Events,
    "event+loss": EventsAndPeaks,
    "evidence-sum": EvidenceSum,
    "learned": lambda **options: _learned(**options),
    "fixed": Fixed,
    "uniform": Uniform,
    "random": RandomLengths,
    "colour-cpd": ColourChange,
    "frame-difference": FrameDifference,
}
