"""Ticks of another rate than the video's frames, chosen by time stamps, with the mapping kept.

plan = resample(video.info.times, rate=20)
for frame in video.chosen(plan.source): ...
print(plan.repeated, plan.skipped)
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from data_pipelines.video import TICK_RATE, VideoError

__all__ = ["Resampling", "resample"]


@dataclass(frozen=True, eq=False)
class Resampling:
    """Which frame stands for which tick. Ticks are 1 / rate apart and begin with the first frame."""

    rate: Fraction  # ticks a second
    source: np.ndarray  # (ticks,) int64 numbers of frames, never falling
    offset: np.ndarray  # (ticks,) float64 seconds by which the frame is later than the tick
    num_frames: int  # of the video

    def __len__(self) -> int:
        return len(self.source)

    @property
    def repeated(self) -> int:
        """Ticks that show the same frame as the tick before."""
        return int(np.count_nonzero(np.diff(self.source) == 0))

    @property
    def skipped(self) -> int:
        """Frames that no tick shows."""
        return self.num_frames - len(np.unique(self.source))

    @property
    def is_identity(self) -> bool:
        """Whether every frame is one tick."""
        return len(self.source) == self.num_frames and bool((self.source == np.arange(self.num_frames)).all())


def resample(
    times: np.ndarray, rate: float | Fraction = TICK_RATE, assumed: float | Fraction | None = None
) -> Resampling:
    """The frame nearest to each tick, the earlier of two equally near ones.

    times: (frames,) seconds, never falling. assumed: the true frames a second of a file whose time stamps are wrong,
    for instance a game of 20 ticks a second that was saved at 30 (assumed=20 makes every frame a tick).
    """
    times = np.asarray(times, np.float64)
    if times.ndim != 1 or not len(times) or (np.diff(times) < 0).any() or not np.isfinite(times).all():
        raise VideoError(f"times: {times.shape}, expected (frames,) seconds that never fall")
    for name, value in (("rate", rate), ("assumed", assumed)):
        if value is not None and not 0 < value < 1000:
            raise VideoError(f"{name}: {value} a second, expected more than 0 and less than 1000")
    rate = Fraction(rate).limit_denominator(1001)
    times = np.arange(len(times)) / float(assumed) if assumed is not None else times - times[0]
    steps = np.diff(times)
    last = float(np.median(steps)) if steps.size else 1 / float(rate)
    ticks = np.arange(max(1, round((times[-1] + last) * float(rate)))) / float(rate)
    later = np.clip(np.searchsorted(times, ticks), 0, len(times) - 1)
    earlier = np.clip(later - 1, 0, None)
    # NOTE: a hair in favour of the earlier frame, so that rounding does not decide between equally near ones.
    nearer = np.abs(times[earlier] - ticks) <= np.abs(times[later] - ticks) + 1e-9
    source = np.where(nearer, earlier, later)
    return Resampling(rate, source, times[source] - ticks, len(times))
