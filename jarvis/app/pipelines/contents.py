"""What files hold, as digests: equal ones need not be worked on again.

    held = contents(["runs/a/labels"], ("labels/**/*.parquet",))
    held.digest, held.files, held.bytes

Pictures and weights are known by their length and their first and last MiB, everything else by every byte.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_pipelines.clips import ENDINGS, clip_id
from jarvis.core.files import Pathlike

__all__ = ["Contents", "contents", "digest_of"]

LARGE = (*ENDINGS, ".safetensors", ".weights", ".model")


@dataclass(frozen=True)
class Contents:
    """What some files hold."""

    digest: str  # 16 hexadecimal digits
    files: int
    bytes: int


def digest_of(value: Any) -> str:
    """16 hexadecimal digits of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def contents(paths: Iterable[Pathlike], patterns: Sequence[str] = ("**/*",)) -> Contents:
    """Of files, and of those below folders that fit a pattern; hidden ones are passed over. Folders may move.

    FileNotFoundError if a path does not exist.
    """
    told, files, size = [], 0, 0
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(2, "No such file or directory", str(path))
        for name, file in sorted(_files(path, patterns)):
            told.append((name, _digest(file)))
            files, size = files + 1, size + file.stat().st_size
    return Contents(digest_of(told), files, size)


def _files(path: Path, patterns: Sequence[str]) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
        return
    found = {file for pattern in patterns for file in path.glob(pattern)}
    for file in found:
        below = file.relative_to(path)
        if file.is_file() and not any(part.startswith(".") for part in below.parts):
            yield below.as_posix(), file


def _digest(path: Path) -> str:
    if path.suffix.lower() in LARGE:
        return clip_id(path)
    told = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            told.update(chunk)
    return f"{os.path.getsize(path)} {told.hexdigest()[:24]}"
