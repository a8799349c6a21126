"""Which videos to work on: from files, folders and lists to clips that keep their identity.

    for clip in identify(find_videos(["videos/", "more/a.mp4", "list.txt"])):
        print(clip.id, clip.video)
    mine = share(clips, rank=3, world=16)                       # this machine's part, the same in every run

A clip is known by its file's name, its length and what stands at its beginning and end, so that a folder may move. Of
two copies with the same name one is enough. Nothing is fetched: addresses are refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_pipelines.video import VideoError, local_file
from jarvis.core.files import Pathlike

__all__ = ["ENDINGS", "Clip", "Print", "clip_id", "find_videos", "identify", "share"]

ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts")
PROBE = 1 << 20  # bytes at the beginning and at the end of a file by which it is known
_LIST_LIMIT = 1 << 28  # bytes of a list of paths

Print = tuple[str, int, int]  # path, bytes, nanoseconds of the last change: what a file looks like without reading it


@dataclass(frozen=True)
class Clip:
    """One video to work on."""

    id: str  # 24 hexadecimal digits
    video: str  # absolute path
    print: Print

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        return Path(self.video).stem


def find_videos(sources: Iterable[Pathlike]) -> list[str]:
    """Absolute paths, each once, sorted: of files, of all videos below folders, and of the lines of `.txt` lists.

    VideoError names an address, a path that does not exist, or the line of a list with one. What a file holds is not
    looked at. Hidden files are passed over.
    """
    found: dict[str, None] = {}
    for source in sources:
        text = os.fspath(source)
        if os.path.isdir(text):
            for folder, folders, names in os.walk(text):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                videos = (name for name in names if name.lower().endswith(ENDINGS) and not name.startswith("."))
                found.update(dict.fromkeys(os.path.abspath(os.path.join(folder, name)) for name in videos))
        elif text.endswith(".txt") and os.path.isfile(text):
            found.update(dict.fromkeys(_listed(Path(text))))
        else:
            found[local_file(text)] = None
    return sorted(found)


def _listed(path: Path) -> list[str]:
    if path.stat().st_size > _LIST_LIMIT:
        raise VideoError(f"{path}: more than {_LIST_LIMIT} bytes, expected one path a line")
    videos = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if entry := line.strip():
            try:
                videos.append(local_file(path.parent / entry if "://" not in entry else entry))
            except VideoError as error:
                raise VideoError(f"{path}: line {number}: {error}") from None
    return videos


def clip_id(path: Pathlike) -> str:
    """The identity of a file: of its name, its length, its first and its last MiB."""
    size = os.path.getsize(path)
    told = hashlib.sha256(f"{os.path.basename(path)}\0{size}\0".encode(errors="surrogateescape"))
    with open(path, "rb") as file:
        told.update(file.read(PROBE))
        if size > PROBE:
            file.seek(max(PROBE, size - PROBE))
            told.update(file.read(PROBE))
    return told.hexdigest()[:24]


def identify(videos: Iterable[str], known: Mapping[Print, str] | None = None) -> tuple[list[Clip], dict[str, str]]:
    """The clips in the order of the videos, and the videos left out because they are copies: {copy: video}.

    known: identities by what the files looked like; those are not read again. OSError if a file cannot be read.
    """
    known = known or {}
    clips: dict[str, Clip] = {}
    copies: dict[str, str] = {}
    for video in videos:
        status = os.stat(video)
        looks = (video, status.st_size, status.st_mtime_ns)
        clip = Clip(known.get(looks) or clip_id(video), video, looks)
        if clip.id in clips:
            copies[video] = clips[clip.id].video
        else:
            clips[clip.id] = clip
    return list(clips.values()), copies


def share(clips: Sequence[Clip], rank: int, world: int) -> list[Clip]:
    """The clips that are worker `rank`'s of `world`. Every clip has one owner, whatever other clips there are."""
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}: expected 0 <= rank < world")
    return [clip for clip in clips if int(clip.id[:12], 16) % world == rank]
