"""Files that are whole or absent, and JSON that is read with suspicion.

Nothing is ever written under its final name: a killed program leaves the old file or the new one, never half of it.

    atomic_write("labels/ab/clip.parquet", lambda file: table.write(file))
    with atomic_folder("checkpoints/step_000100") as folder:     # the folder appears when the block ends,
        (folder / "config.json").write_text(config)             # with an empty `done` file in it
"""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from jarvis.core.errors import FormatError

try:
    import fcntl
except ImportError:  # Windows: one program at a time appends to a file
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "DONE",
    "JsonLines",
    "append_json_line",
    "atomic_folder",
    "atomic_write",
    "is_done",
    "parse_json",
    "read_json",
    "read_json_lines",
    "write_json",
]

DONE = "done"  # the empty file that is written last into a finished folder
LINE_LIMIT = 1 << 20  # bytes of one JSON line
DOCUMENT_LIMIT = 1 << 26  # bytes of one JSON file

Pathlike = str | os.PathLike[str]


def atomic_write(path: Pathlike, content: str | bytes | Callable[[BinaryIO], object]) -> Path:
    """Writes text (as UTF-8), bytes, or whatever the callable writes, and returns the path.

    The callable gets a file open for binary writing; a writer that wants a path may use its `name`, which ends like
    `path`. On any failure the temporary file is removed and the old file stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with open(temporary, "xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
        _sync(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(path)  # a full disk does not say which file it did not take
        raise
    _sync(path.parent)
    return path


@contextmanager
def atomic_folder(path: Pathlike) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its name, with a `done` file in it, if the block does not raise.

    Raises FileExistsError, before the block runs, if there is anything but an empty folder at `path`.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        state = "is already finished" if is_done(path) else "exists and is not empty"
        raise FileExistsError(f"{path} {state}; remove it or choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        for folder, _, names in os.walk(temporary):
            for name in names:
                _sync(Path(folder, name))
            _sync(Path(folder))
        (temporary / DONE).touch()
        _sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync(path.parent)


def is_done(folder: Pathlike) -> bool:
    """Whether the folder was finished by `atomic_folder`."""
    return Path(folder, DONE).is_file()


def _temporary(path: Path) -> Path:
    # Hidden, in the same file system, and with the same ending: some writers choose the format by it.
    return path.with_name(f".{path.stem}.{secrets.token_hex(6)}.tmp{path.suffix}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parse_json(text: str | bytes, place: str = "JSON") -> Any:
    """The value of a JSON text. FormatError, opening with `place`, for anything doubtful.

    Doubtful are also what Python's own reader lets pass: NaN and infinities, numbers too large for a float, a key
    given twice, and nesting deep enough to exhaust the stack.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)
    except RecursionError:
        raise FormatError(f"{place}: nested too deeply") from None
    except ValueError as error:  # includes undecodable bytes
        raise FormatError(f"{place}: {error}") from None


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is too large")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return table


def write_json(path: Pathlike, value: Any) -> Path:
    """Writes one indented JSON document atomically. ValueError for NaN and infinities."""
    return atomic_write(path, json.dumps(value, allow_nan=False, indent=2) + "\n")


def read_json(path: Pathlike) -> Any:
    """The value of a JSON file. FormatError names the file."""
    with open(path, "rb") as file:
        text = file.read(DOCUMENT_LIMIT + 1)
    if len(text) > DOCUMENT_LIMIT:
        raise FormatError(f"{path}: longer than {DOCUMENT_LIMIT} bytes")
    return parse_json(text, str(path))


def append_json_line(path: Pathlike, value: Any) -> None:
    """Appends one line, on disk when this returns. ValueError for NaN and infinities, and beyond 1 MiB.

    A last line that a crash cut off is removed first; a whole one that only lacks its line break gets it. Several
    programs may append to one file.
    """
    line = json.dumps(value, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    if len(line) > LINE_LIMIT:
        raise ValueError(f"{path}: a line of {len(line)} bytes, at most {LINE_LIMIT} are allowed")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        if fcntl is not None:  # released with the descriptor
            # NOTE: without the lock, one program would take the line that another is just writing for a cut one.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        _mend_tail(descriptor, str(path))
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mend_tail(descriptor: int, place: str) -> None:
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if size == 0:
        return
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    if os.read(descriptor, 1) == b"\n":
        return
    start = max(0, size - LINE_LIMIT)
    os.lseek(descriptor, start, os.SEEK_SET)
    tail = os.read(descriptor, size - start)
    tail = tail[tail.rfind(b"\n") + 1 :]
    try:
        parse_json(tail)
    except FormatError:
        if len(tail) == LINE_LIMIT:
            raise FormatError(f"{place}: ends in more than {LINE_LIMIT} bytes without a line break") from None
        os.ftruncate(descriptor, size - len(tail))
    else:
        os.write(descriptor, b"\n")


@dataclass(frozen=True)
class JsonLines:
    """The lines of a file: `values` with their 1-based `numbers`, and the complaint about a cut last line, if any."""

    values: list[Any]
    numbers: list[int]
    cut: str | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)


def read_json_lines(path: Pathlike) -> JsonLines:
    """Every line of a JSON Lines file; blank lines are passed over.

    The last line may be cut off, as a crash leaves it: it is left out and reported in `cut`. Any other bad line is a
    FormatError that names the file and the line.
    """
    values: list[Any] = []
    numbers: list[int] = []
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(LINE_LIMIT + 1):
            number += 1
            place = f"{path}: line {number}"
            if len(line) > LINE_LIMIT:
                raise FormatError(f"{place}: longer than {LINE_LIMIT} bytes")
            if not line.strip():
                continue
            try:
                values.append(parse_json(line, place))
            except FormatError as error:
                if line.endswith(b"\n"):
                    raise
                return JsonLines(values, numbers, cut=str(error))
            numbers.append(number)
    return JsonLines(values, numbers)
