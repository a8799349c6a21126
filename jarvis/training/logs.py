"""The log of a run, and when to write it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jarvis.core.files import Pathlike, append_json_line, atomic_write, read_json_lines

__all__ = ["Log", "every"]


def every(ticks: int, last: int | None = None) -> Callable[[int], bool]:
    """Whether a step (counted from 0) ends a round of so many; also true of the last of `last` steps."""

    def due(step: int) -> bool:
        return (step + 1) % ticks == 0 or step + 1 == last

    return due


class Log:
    """A jsonl file: {"step", "seconds", ...}. Tensors and numpy scalars become numbers.

    What is no number any more (a loss that is NaN) is written as null, so that the log survives what it must show.
    """

    def __init__(
        self, path: Pathlike, start: int = 0, say: Callable[[str], None] | None = None, writes: bool = True
    ) -> None:
        """start: lines of this step and later ones are forgotten, a resumed run writes them again.

        writes: False for all but one of several processes, whose lines go nowhere.
        """
        self.path, self._say, self._began, self._writes = Path(path), say, time.monotonic(), writes
        if writes and self.path.is_file():
            lines = read_json_lines(self.path)
            kept = [line for line in lines if line["step"] < start]
            if len(kept) != len(lines) or lines.cut:
                import json

                atomic_write(self.path, "".join(json.dumps(line) + "\n" for line in kept))

    def write(self, step: int, **values: Any) -> dict[str, Any]:
        """Appends a line and returns it."""
        line = {"step": step, "seconds": round(time.monotonic() - self._began, 3)}
        line |= {name: _number(value) for name, value in values.items()}
        if not self._writes:
            return line
        append_json_line(self.path, line)
        if self._say:
            self._say(" ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                               for name, value in line.items()))  # fmt: skip
        return line


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _number(item) for name, item in value.items()}
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
