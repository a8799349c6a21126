"""Datasets: labelled clips, one file each, and the videos where they lie.

    dataset = Dataset.open("labelled")
    for facts in dataset.clips():
        played = dataset.read(facts.clip)
        played.buttons, played.camera, played.frames        # by tick; see ClipLabels
        dataset.trajectory(played), dataset.open_video(played)

    labelled/dataset.json                {"format": "jarvis-dataset", "format_version": 1, "maker": {...}}
    labelled/labels/4f/4f...e1.parquet   the labels of one clip: the truth, written whole or not at all
    labelled/clips.parquet               one row a clip, made from the labels and made again when it is missing
    labelled/quarantine.jsonl            clips that could not be done: {"clip", "video", "attempts", "reason"}
    labelled/index.jsonl                 which file is which clip, so that resuming reads no video; may be deleted
    labelled/videos/                     pictures of imported clips that had no file of their own

The columns of a labels file are told in labels.py. The same labels give the same bytes, and nothing is pickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from data_pipelines.clips import Print
from data_pipelines.labels import FORMAT_VERSION, ClipFacts, ClipLabels, facts_of, from_table, to_table
from data_pipelines.video import VideoReader, open_video
from jarvis.core.errors import EpisodeError, FormatError
from jarvis.core.files import (
    Pathlike,
    append_json_line,
    atomic_write,
    read_json,
    read_json_lines,
    write_json,
)
from jarvis.core.trajectories import Trajectory, VideoReference

try:
    import fcntl
except ImportError:  # Windows: nobody stops two programs from labelling into one folder
    fcntl = None  # type: ignore[assignment]

__all__ = ["ClipFacts", "ClipLabels", "Dataset", "Quarantined"]

FORMAT = "jarvis-dataset"
# NOTE: few rows are encoded at once, and numbers get no dictionaries: writing the labels of two hours takes 17 MB of
# memory so, and 60 otherwise; the files are smaller too.
ENCODING: dict[str, Any] = {"compression": "zstd", "row_group_size": 1 << 13, "use_dictionary": ["source"]}
_MAGIC = b"PAR1"  # with which every parquet file ends


@dataclass(frozen=True)
class Quarantined:
    """A clip that could not be done."""

    clip: str
    video: str
    attempts: int
    reason: str


class Dataset:
    """One folder of labelled clips. Several programs may read it, and several write different clips into it."""

    def __init__(self, folder: Pathlike, maker: Mapping[str, Any]) -> None:
        self.folder, self.maker = Path(folder), dict(maker)

    @classmethod
    def open(cls, folder: Pathlike) -> Dataset:
        """An existing one. FormatError if the folder is none."""
        path = Path(folder, "dataset.json")
        if not path.is_file():
            raise FormatError(
                f"{folder}: no dataset.json in it; make a dataset with: jarvis label VIDEO --out {folder}"
            )
        value = read_json(path)
        if not isinstance(value, dict) or value.get("format") != FORMAT or not isinstance(value.get("maker"), dict):
            raise FormatError(f"{path}: not of a dataset of labelled clips")
        if value.get("format_version") != FORMAT_VERSION:
            raise FormatError(
                f"{path}: format_version {value.get('format_version')!r}, this jarvis reads {FORMAT_VERSION}"
            )
        return cls(folder, value["maker"])

    @classmethod
    def make(cls, folder: Pathlike, maker: Mapping[str, Any]) -> Dataset:
        """A new one, or the existing one if it was made alike: by the same model in the same way.

        maker: JSON values. FormatError says what differs; FileExistsError if the folder holds something else.
        """
        folder = Path(folder)
        wanted = json.loads(json.dumps(dict(maker), allow_nan=False))
        if Path(folder, "dataset.json").is_file():
            dataset = cls.open(folder)
            if dataset.maker != wanted:
                differs = sorted(k for k in wanted | dataset.maker if wanted.get(k) != dataset.maker.get(k))
                raise FormatError(
                    f"{folder}: its labels were made with another {', '.join(differs)}; choose another --out"
                )
            return dataset
        if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise FileExistsError(f"{folder} holds something else already; choose another --out")
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "dataset.json", {"format": FORMAT, "format_version": FORMAT_VERSION, "maker": wanted})
        return cls(folder, wanted)

    # labels

    def path(self, clip: str) -> Path:
        """Where the labels of a clip are."""
        return self.folder / "labels" / clip[:2] / f"{clip}.parquet"

    def video(self, facts: ClipFacts) -> Path:
        """Where the pictures of a clip are."""
        return self.folder / facts.video  # an absolute path stays what it is

    def done(self) -> set[str]:
        """The clips that have labels, by the names of the files."""
        found: set[str] = set()
        root = self.folder / "labels"
        for shard in sorted(os.listdir(root)) if root.is_dir() else ():
            with os.scandir(root / shard) as entries:
                names = [entry.name for entry in entries]
            found.update(name[:-8] for name in names if name.endswith(".parquet") and not name.startswith("."))
        return found

    def is_whole(self, clip: str) -> bool:
        """Whether a labels file is there and ends as it should: what a broken disk leaves does not."""
        try:
            with open(f"{self.folder}/labels/{clip[:2]}/{clip}.parquet", "rb", buffering=0) as file:
                file.seek(-len(_MAGIC), os.SEEK_END)
                return file.read() == _MAGIC
        except OSError:
            return False

    def write(self, labels: ClipLabels) -> Path:
        """Writes the labels of one clip: all of them or, on any error, none. OSError if the disk is full."""
        import pyarrow.parquet as pq

        def put(file: BinaryIO) -> None:
            pq.write_table(to_table(labels), file, **ENCODING)

        return atomic_write(self.path(labels.facts.clip), put)

    def facts(self, clip: str) -> ClipFacts:
        """The facts in one labels file."""
        import pyarrow.parquet as pq

        path = self.path(clip)
        with _reading(path):
            metadata = pq.read_schema(path).metadata
        return facts_of(metadata, str(path))

    def read(self, clip: str) -> ClipLabels:
        """The labels of one clip, by tick. FormatError or EpisodeError names the file and what is wrong with it."""
        import pyarrow.parquet as pq

        path = self.path(clip)
        if not path.is_file():
            raise FormatError(f"{path}: no such clip in {self.folder}")
        with _reading(path):
            table = pq.read_table(path, partitioning=None)
        return from_table(table, str(path))

    def open_video(self, labels: ClipLabels, decoder: str = "av") -> VideoReader:
        """The pictures of a clip; `video.chosen(labels.frames)` are those of its ticks."""
        return open_video(self.video(labels.facts), decoder)

    def trajectory(self, labels: ClipLabels) -> Trajectory:
        """All actions but the last, whose outcome no frame shows. EpisodeError unless every frame is a tick."""
        count, facts = len(labels), labels.facts
        if count < 2 or (np.diff(labels.frames) != 1).any():
            raise EpisodeError(
                f"{facts.name}: {count} ticks of {facts.num_frames} frames; a trajectory needs two or more, of a video "
                "with 20 frames a second, which this makes: jarvis data export --to vpt"
            )
        video = VideoReference(str(self.video(facts)), count, int(labels.frames[0]))
        return Trajectory(labels.buttons[:-1], labels.camera[:-1], facts.source, video=video)

    def annotate(self, clip: str, columns: Mapping[str, np.ndarray | None] | None = None, **more: Any) -> ClipLabels:
        """Adds (n,) columns by tick to a clip's labels, and JSON values to `facts.more`; None takes one away.

        dataset.annotate(clip, {"loss.buttons": losses, "segment": numbers}, segments=[s.to_json() for s in segments])
        """
        labels = self.read(clip)
        joined = {**labels.columns, **(columns or {})}
        told = {**labels.facts.more, **more}
        facts = replace(labels.facts, more={name: value for name, value in told.items() if value is not None})
        kept = {name: values for name, values in joined.items() if values is not None}
        labels = replace(labels, facts=facts, columns=kept)
        self.write(labels)
        return labels

    # all clips

    def clips(self) -> list[ClipFacts]:
        """The facts of every clip with labels, by identity. `clips.parquet` is made anew where it lacks some."""
        listed = self.listed()
        done = self.done()
        if set(listed) != done:
            listed = self.write_index()
        return [listed[clip] for clip in sorted(listed)]

    def write_index(self, known: Mapping[str, ClipFacts] | None = None) -> dict[str, ClipFacts]:
        """Writes `clips.parquet` from the labels; returns the facts by clip. known: facts that need not be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        facts = {clip: (known or {}).get(clip) or self.facts(clip) for clip in sorted(self.done())}
        rows = [vars(one) | {"more": json.dumps(one.more), "notes": list(one.notes)} for one in facts.values()]
        types = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "tuple[str, ...]": pa.list_(pa.string())}
        schema = pa.schema([(one.name, types.get(str(one.type), pa.string())) for one in fields(ClipFacts)])
        table = pa.Table.from_pylist(rows, schema)
        atomic_write(self.folder / "clips.parquet", lambda file: pq.write_table(table, file, compression="zstd"))
        return facts

    def listed(self) -> dict[str, ClipFacts]:
        """What `clips.parquet` says, which may be less than there is."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / "clips.parquet"
        try:
            rows = pq.read_table(path, partitioning=None).to_pylist()
            listed = (ClipFacts.from_json(row | {"more": json.loads(row["more"])}, str(path)) for row in rows)
            return {facts.clip: facts for facts in listed}
        except (OSError, pa.ArrowException, FormatError, KeyError, ValueError):
            return {}  # it is only made from the labels

    def known(self) -> dict[Print, str]:
        """Clips by what their files looked like, so that they need not be read again."""
        known: dict[Print, str] = {}
        path = self.folder / "index.jsonl"
        try:
            for line in read_json_lines(path) if path.is_file() else ():
                known[line["video"], line["bytes"], line["changed"]] = line["clip"]
        except (FormatError, KeyError, TypeError):
            known.clear()
            path.unlink(missing_ok=True)
        return known

    def remember(self, prints: Mapping[Print, str]) -> None:
        """Writes down what the files of clips looked like."""
        if not prints:
            return
        known = self.known() | dict(prints)
        lines = (
            json.dumps({"clip": clip, "video": video, "bytes": size, "changed": changed}, separators=(",", ":")) + "\n"
            for (video, size, changed), clip in known.items()
        )
        atomic_write(self.folder / "index.jsonl", "".join(lines))

    # what could not be done

    def quarantined(self) -> dict[str, Quarantined]:
        """By clip."""
        path = self.folder / "quarantine.jsonl"
        names = [one.name for one in fields(Quarantined)]
        aside: dict[str, Quarantined] = {}
        for line in read_json_lines(path) if path.is_file() else ():
            if not isinstance(line, dict) or not set(names) <= set(line):
                raise FormatError(f"{path}: {str(line)[:60]}: expected {', '.join(names)}")
            aside[line["clip"]] = Quarantined(**{name: line[name] for name in names})
        return aside

    def quarantine(self, entry: Quarantined) -> None:
        """Puts a clip aside."""
        append_json_line(self.folder / "quarantine.jsonl", asdict(entry))

    def release(self, clips: Iterable[str]) -> None:
        """Takes clips back from quarantine, so that they are tried again."""
        kept = [asdict(entry) for clip, entry in self.quarantined().items() if clip not in set(clips)]
        atomic_write(self.folder / "quarantine.jsonl", "".join(json.dumps(entry) + "\n" for entry in kept))

    # writing by several

    @contextmanager
    def claim(self, rank: int = 0, world: int = 1) -> Iterator[None]:
        """Keeps others from doing the same clips. FileExistsError says who does them.

        The claim ends with the program, however it ends.
        """
        path = self.folder / f".claim-{rank}-of-{world}"
        with open(path, "a+", encoding="utf-8") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    file.seek(0)
                    holder = file.read(200).strip() or "another program"
                    raise FileExistsError(f"{self.folder}: {holder} is working on it; wait, or end it") from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {os.uname().nodename if hasattr(os, 'uname') else 'this machine'}\n")
            file.flush()
            yield

    def sweep(self, clips: Iterable[str]) -> None:
        """Removes what killed programs left half written for these clips."""
        owned = {clip[:2] for clip in clips}
        wanted = set(clips) if not isinstance(clips, set) else clips
        for shard in sorted(owned):
            folder = self.folder / "labels" / shard
            if folder.is_dir():
                for path in folder.glob(".*.tmp*"):
                    if path.name[1:].split(".")[0] in wanted:
                        path.unlink(missing_ok=True)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FormatError(f"{path}: no labels can be read from it: {reason}; delete it and label again") from None
