"""Every error that a user can cause or meet, under one base class.

A message names the thing, the place, what was expected and the next step. All of them survive pickling, because
workers send them through pipes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ActionError",
    "EnvironmentFailure",
    "EpisodeError",
    "FormatError",
    "JarvisError",
    "MissingExtraError",
    "PredicateError",
    "StartStateError",
    "UnknownNameError",
    "nearest_names",
]


def nearest_names(name: object, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Up to `count` of the known names that look most like `name`, best first; empty when none is close.

    Case, spaces and hyphens do not count as differences: "Oak Log" is next to "oak_log".
    """
    by_spelling: dict[str, str] = {}
    for candidate in known:
        by_spelling.setdefault(_plain(candidate), candidate)
    close = difflib.get_close_matches(_plain(str(name)), list(by_spelling), n=count, cutoff=0.5)
    return tuple(by_spelling[spelling] for spelling in close)


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


class JarvisError(Exception):
    """The base of every error that this project raises on purpose."""


class ActionError(JarvisError, ValueError):
    """An action with an unknown key, a wrong shape, or a value that no keyboard and mouse could produce."""


class PredicateError(JarvisError, ValueError):
    """A goal's condition that does not follow the grammar of `jarvis.core.goals`."""


class FormatError(JarvisError, ValueError):
    """A file or a record that does not follow its format."""


class EpisodeError(FormatError):
    """Recorded data (frames, actions, events, segments) that contradicts its format or itself."""


class EnvironmentFailure(JarvisError, RuntimeError):  # noqa: N818 - nobody's error but the simulator's
    """The environment broke: it hung, died or returned nonsense. The episode is `aborted`, never counted as failed."""


class UnknownNameError(JarvisError, ValueError):
    """A name that is not in its table."""

    def __init__(self, kind: str, name: object, nearest: Iterable[str] = (), place: str = "") -> None:
        super().__init__(kind, name, tuple(nearest), place)
        self.kind, self.name, self.nearest, self.place = self.args

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        hint = f"; did you mean {' or '.join(self.nearest)}?" if self.nearest else ""
        return f"{place}unknown {self.kind} {self.name!r}{hint}"


class StartStateError(JarvisError, ValueError):
    """A start state that is malformed, or that the chosen environment cannot honour."""


class MissingExtraError(JarvisError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, reason: str = "") -> None:
        super().__init__(extra, reason)
        self.extra, self.reason = extra, reason

    def __str__(self) -> str:
        reason = f"{self.reason} needs" if self.reason else "This needs"
        return f'{reason} an optional dependency: pip install "jarvis-agent[{self.extra}]"'
