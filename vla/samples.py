"""What a model is post-trained on: conversations with pictures, in the layout of JARVIS-VLA's public data.

    with SampleWriter("data/language", provenance={"command": ..., "seed": 0}) as writer:
        writer.add(Sample("qa-000001", (Turn("user", ("...",)), Turn("assistant", ("...",)))))
    samples = Samples(["data/language"])                    # or files and folders of minecraft-vla-sft, as they are
    samples[17].turns, samples[17].frames()

    FOLDER/data-00000.parquet   id, label [str], image [str], image_bytes [bytes], action (JSON),
                                conversations [{role, content: [{type: text | image, text}]}]
    FOLDER/provenance.json      what made it, from what, how many of each label
    FOLDER/done                 empty, written last

One row is one frame and one action, or one question and answer. Rows of an episode stand in their order: the id is
EPISODE_FRAME, so that frames before and actions after can be found.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from jarvis.core.errors import FormatError
from jarvis.core.files import atomic_folder, parse_json, write_json
from vla.prompts import IMAGE, Turn

__all__ = ["Sample", "SampleWriter", "Samples", "encoded"]

ROWS_A_GROUP = 256  # read and kept together
ROWS_A_FILE = 65_536
GROUPS_KEPT = 256  # in memory
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Sample:
    """One conversation, and where it comes from."""

    id: str
    turns: tuple[Turn, ...]
    images: tuple[bytes, ...] = ()  # encoded pictures, one for each IMAGE of the turns
    labels: tuple[str, ...] = ()  # "stage:trajectories", "task:mine_oak_log", "source:scripted", ...
    action: Mapping[str, Any] | None = None  # of a trajectory's row: what was done, MineRL's keys

    @property
    def episode(self) -> str:
        """What the rows of one episode share."""
        return self.id.rpartition("_")[0]

    @property
    def frame(self) -> int:
        """The number of the row in its episode, -1 if the id does not tell."""
        number = self.id.rpartition("_")[2]
        return int(number) if number.isdecimal() else -1

    def frames(self) -> list[np.ndarray]:
        """(height, width, 3) uint8 of each picture. FormatError, naming the sample, for one that is damaged."""
        from PIL import Image, UnidentifiedImageError

        pictures = []
        for number, data in enumerate(self.images):
            try:
                with Image.open(BytesIO(data)) as picture:
                    pictures.append(np.asarray(picture.convert("RGB")))
            except (OSError, UnidentifiedImageError, ValueError) as error:
                raise FormatError(f"sample {self.id}: picture {number}: {error}") from None
        return pictures


def encoded(frame: np.ndarray, quality: int = 92) -> bytes:
    """A frame as JPEG, without thinning out its colours: slots and cursors are small."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _schema() -> Any:
    import pyarrow as pa

    content = pa.list_(pa.struct([("type", pa.string()), ("text", pa.string())]))
    return pa.schema(
        [
            ("id", pa.string()),
            ("label", pa.list_(pa.string())),
            ("image", pa.list_(pa.string())),
            ("image_bytes", pa.list_(pa.binary())),
            ("conversations", pa.list_(pa.struct([("role", pa.string()), ("content", content)]))),
            ("action", pa.string()),
        ]
    )


class SampleWriter(AbstractContextManager["SampleWriter"]):
    """Writes a folder of samples that appears, whole, when the block ends."""

    def __init__(self, folder: str | Path, provenance: Mapping[str, Any]) -> None:
        """provenance: what will be asked of this data one day: the command, seeds, sources. FileExistsError."""
        self.folder, self.provenance = Path(folder), dict(provenance)
        self.count, self.labels = 0, Counter[str]()
        self._rows: list[dict[str, Any]] = []
        self._file: Any = None
        self._in_file = 0
        self._atomic = atomic_folder(self.folder)

    def __enter__(self) -> SampleWriter:
        self._at = self._atomic.__enter__()
        return self

    def add(self, sample: Sample) -> None:
        """Appends one."""
        asked = sum(part is IMAGE for turn in sample.turns for part in turn.parts)
        if asked != len(sample.images):
            raise FormatError(f"sample {sample.id}: {len(sample.images)} pictures for {asked} places")
        conversations = [
            {
                "role": turn.role,
                "content": [
                    {"type": "image", "text": None} if part is IMAGE else {"type": "text", "text": part}
                    for part in turn.parts
                ],
            }
            for turn in sample.turns
        ]
        self._rows.append(
            {
                "id": sample.id,
                "label": list(sample.labels),
                "image": [f"{sample.id}_{number}.jpg" for number in range(len(sample.images))],
                "image_bytes": list(sample.images),
                "conversations": conversations,
                "action": None if sample.action is None else json.dumps(sample.action),
            }
        )
        self.count += 1
        self.labels.update(sample.labels)
        if len(self._rows) == ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._rows:
            return
        if self._file is None or self._in_file >= ROWS_A_FILE:
            self._close()
            number = (self.count - len(self._rows)) // ROWS_A_FILE
            self._file = pq.ParquetWriter(self._at / f"data-{number:05d}.parquet", _schema(), compression="zstd")
            self._in_file = 0
        self._file.write_table(pa.Table.from_pylist(self._rows, schema=_schema()))
        self._in_file += len(self._rows)
        self._rows = []

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if error is None:
            try:
                self._flush()
                self._close()
                facts = {"samples": self.count, "labels": dict(sorted(self.labels.items()))}
                write_json(self._at / "provenance.json", self.provenance | facts)
            except BaseException as own:
                self._atomic.__exit__(type(own), own, own.__traceback__)
                raise
        self._close()
        return self._atomic.__exit__(kind, error, trace)


class Samples:
    """Every sample of some folders or parquet files, by number. Groups of rows are read when they are asked for."""

    def __init__(self, sources: Sequence[str | Path], kept: int = GROUPS_KEPT) -> None:
        """FormatError, naming the file, for what is not in this layout."""
        import pyarrow.parquet as pq

        self._files: list[Any] = []
        self._groups: list[tuple[int, int]] = []  # (file, group)
        self._starts: list[int] = [0]  # first number of each group, and the number of all
        self._kept, self._cache = kept, OrderedDict[int, list[Sample]]()
        self.paths: list[Path] = []
        for path in _parquet_files(sources):
            try:
                file = pq.ParquetFile(path, memory_map=True)
            except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
                raise FormatError(f"{path}: not a parquet file: {error}") from None
            missing = {"id", "conversations"} - set(file.schema_arrow.names)
            if missing:
                raise FormatError(f"{path}: no column {', '.join(sorted(missing))}; expected the layout of "
                                  f"minecraft-vla-sft, it has {', '.join(file.schema_arrow.names)}")  # fmt: skip
            self.paths.append(path)
            self._files.append(file)
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if rows:
                    self._groups.append((len(self._files) - 1, group))
                    self._starts.append(self._starts[-1] + rows)

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, number: int) -> Sample:
        if not 0 <= number < len(self):
            raise IndexError(number)
        group = bisect_right(self._starts, number) - 1
        return self._group(group)[number - self._starts[group]]

    def __iter__(self) -> Iterator[Sample]:
        for group in range(len(self._groups)):
            yield from self._group(group)

    def _group(self, group: int) -> list[Sample]:
        if group in self._cache:
            self._cache.move_to_end(group)
            return self._cache[group]
        file, number = self._groups[group]
        place = f"{self.paths[file]}: row group {number}"
        rows = self._files[file].read_row_group(number).to_pylist()
        samples = [_sample(row, f"{place}, row {index}") for index, row in enumerate(rows)]
        self._cache[group] = samples
        while len(self._cache) > self._kept:
            self._cache.popitem(last=False)
        return samples

    def same_episode(self, number: int, offset: int) -> Sample | None:
        """The sample so many frames later or earlier in the same episode, or None."""
        other = number + offset
        if not 0 <= other < len(self):
            return None
        here, there = self[number], self[other]
        near = here.frame >= 0 and there.episode == here.episode and there.frame == here.frame + offset
        return there if near else None


def _parquet_files(sources: Sequence[str | Path]) -> list[Path]:
    found: list[Path] = []
    for source in map(Path, sources):
        here = sorted(source.rglob("*.parquet")) if source.is_dir() else [source] if source.is_file() else []
        if not here:
            raise FormatError(f"{source}: no parquet file there; make one with: jarvis train vla-data")
        found += here
    return found


def _sample(row: Mapping[str, Any], place: str) -> Sample:
    conversation = row["conversations"]
    if isinstance(conversation, str):  # some shards keep it as JSON
        conversation = parse_json(conversation, f"{place}: conversations")
    turns = []
    try:
        for turn in conversation:
            content = turn["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            turns.append(Turn(turn["role"], tuple(_part(part, place) for part in parts)))
            if turn["role"] not in ROLES:
                raise FormatError(f"{place}: role {turn['role']!r}, expected one of {', '.join(ROLES)}")
    except (TypeError, KeyError) as error:
        raise FormatError(f"{place}: conversations: {type(error).__name__} {error}, expected turns of role and "
                          "content") from None  # fmt: skip
    pictures = []
    for number, value in enumerate(row.get("image_bytes") or ()):
        data = value.get("bytes") if isinstance(value, Mapping) else value
        if not isinstance(data, bytes):
            raise FormatError(f"{place}: image_bytes[{number}] is {type(data).__name__}, expected an encoded picture")
        pictures.append(data)
    action = row.get("action")
    if isinstance(action, str):
        try:
            action = parse_json(action, place)
        except FormatError:
            action = None  # some other record of it; the text of the turn says what was done
    if not (isinstance(action, Mapping) and "camera" in action):
        action = None
    labels = row.get("label") or ()
    return Sample(str(row["id"]), tuple(turns), tuple(pictures), tuple(map(str, labels)), action)


def _part(part: Mapping[str, Any], place: str) -> Any:
    if part["type"] == "image":
        return IMAGE
    if part["type"] == "text":
        return part.get("text") or ""
    if part["type"] == "point":
        points = [f"<|point_start|>({_grid(x)},{_grid(y)})<|point_end|>" for x, y in part["point"]]
        return f"<|object_ref_start|>{part.get('label') or ''}<|object_ref_end|>{''.join(points)}"
    raise FormatError(f"{place}: content of type {part['type']!r}, expected text, image or point")


def _grid(percent: float) -> int:
    """JARVIS-VLA's grid of 0 to 990, of a coordinate in percent."""
    return int(10 * (99 if percent >= 100 else percent))
