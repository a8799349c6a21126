"""How far an episode, or a run of many, has come: a moving bar on a terminal, a plain line now and then in a log.

Milestones are lines in both: `tick 412  log`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from jarvis.app.playing import Beginning, Outcome, Sink, Tick

__all__ = ["Meter", "Narrator"]

_LOG_SECONDS = 30.0  # between lines of a log
_BAR_SECONDS = 0.1  # between movements of a bar


class Narrator(Sink):
    """Tells an episode as it goes. The bar is drawn on standard error, and only if that is a terminal."""

    def __init__(self, say: Callable[[str], None], number: int = 0, episodes: int = 1) -> None:
        self.say = say
        self._title = f"episode {number + 1} of {episodes}" if episodes > 1 else "episode"
        self._bar: Any = None
        self._next = 0.0

    def begin(self, beginning: Beginning) -> None:
        """Names the task and the seed."""
        task = beginning.task
        self.say(f"{self._title}: {task.name}, seed {beginning.seed}, at most {task.max_ticks} ticks")
        self._started = time.monotonic()
        self._most = task.max_ticks
        self._next = self._started + _LOG_SECONDS
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            BarColumn(), MofNCompleteColumn(), TextColumn("ticks  {task.fields[rate]:.0f}/s"), TimeRemainingColumn(),
        )  # fmt: skip
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=10)
        self._row = self._bar.add_task("", total=self._most, rate=0.0)
        self._bar.start()
        self._next = self._started

    def tick(self, tick: Tick) -> None:
        """Tells the milestones that fell."""
        for name in tick.milestones:
            self._line(f"tick {tick.number}  {name}")
        now = time.monotonic()
        if now < self._next:
            return
        played = tick.number + 1
        rate = played / max(now - self._started, 1e-9)
        if self._bar is not None:
            self._bar.update(self._row, completed=played, rate=rate)
            self._next = now + _BAR_SECONDS
        else:
            self.say(f"tick {played} of {self._most}, {rate:.0f} ticks/s")
            self._next = now + _LOG_SECONDS

    def _line(self, text: str) -> None:
        if self._bar is not None:
            # Above the bar, which is taken away first: `say` may write to another stream of the same terminal.
            self._bar.stop()
            self.say(text)
            self._bar.start()
        else:
            self.say(text)

    def end(self, outcome: Outcome | None) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Meter:
    """Tells how far a run of many episodes is.

    with Meter(say, 120, "episodes") as meter:
        meter.tell(3, "2 successes")         # as often as one likes
        meter.say("episode 7: aborted")      # a line that does not disturb the bar
    """

    def __init__(self, say: Callable[[str], None], total: int, unit: str) -> None:
        self._say, self._total, self._unit = say, total, unit
        self._bar: Any = None

    def __enter__(self) -> Meter:
        self._started = time.monotonic()
        self._next = self._started + _LOG_SECONDS
        self._first: float | None = None  # ticks that were there when we began
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4)
            self._row = self._bar.add_task(self._unit, total=self._total)
            self._bar.start()
        return self

    def tell(self, done: float, words: str, ticks: float | None = None) -> None:
        """How much is done, in words too. ticks: played in all, from which the speed is told."""
        now = time.monotonic()
        if ticks is not None:
            self._first = ticks if self._first is None else self._first
            if now > self._started and ticks > self._first:
                words += f", {(ticks - self._first) / (now - self._started):.0f} ticks/s"
        if self._bar is not None:
            self._bar.update(self._row, completed=min(done, self._total), description=f"{self._unit}  {words}")
        elif now >= self._next:
            self._say(f"{done:.0f} of {self._total} {self._unit}: {words}")
            self._next = now + _LOG_SECONDS

    def say(self, line: str) -> None:
        """A line of its own."""
        if self._bar is not None:
            self._bar.stop()
            self._say(line)
            self._bar.start()
        else:
            self._say(line)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
