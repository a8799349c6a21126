"""Labelled clips as WebDataset shards, for training that streams.

    shard-000000.tar    4f2a....mp4             the pictures of the clip's ticks, 20 a second
                        4f2a....labels.parquet  the labels, as in a dataset (labels.py)
                        4f2a....json            what is known of the clip

Members of one clip stand together. The same dataset gives the same bytes. Read back, the pictures are put into the
dataset's own folder; members of other names are passed over, and nothing is written outside it.
"""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

import numpy as np

from data_pipelines.datasets import Dataset
from data_pipelines.exchange import Exchange
from data_pipelines.exchange_vpt import write_video
from data_pipelines.labels import ClipLabels, from_table, to_table
from data_pipelines.video import TICK_RATE, open_video
from jarvis.core.errors import FormatError
from jarvis.core.files import atomic_write

__all__ = ["read", "write"]

SHARD_BYTES = 1 << 30
_LABELS_LIMIT = 1 << 30  # bytes of one clip's labels


def write(dataset: Dataset, out: Path, exchange: Exchange, shard_bytes: int = SHARD_BYTES) -> None:
    """Shards of about `shard_bytes` each; a clip is never cut in two."""
    import pyarrow.parquet as pq

    shard: tarfile.TarFile | None = None
    number = written = 0
    for facts in dataset.clips():
        picture = out / f".{facts.clip}.mp4"
        try:
            labels = dataset.read(facts.clip)
            write_video(dataset, labels, picture)
        except FormatError as error:
            picture.unlink(missing_ok=True)
            exchange.leave(facts.name, str(error))
            continue
        labels = _of_its_own_video(labels, f"{facts.clip}.mp4")
        table = io.BytesIO()
        pq.write_table(to_table(labels), table, compression="zstd")
        members = {
            "json": json.dumps(asdict(labels.facts)).encode(),
            "labels.parquet": table.getvalue(),
            "mp4": picture.read_bytes(),
        }
        picture.unlink()
        if shard is None or written > shard_bytes:
            if shard is not None:
                shard.close()
            shard, number, written = tarfile.open(out / f"shard-{number:06d}.tar", "w"), number + 1, 0
        for ending, data in members.items():
            member = tarfile.TarInfo(f"{facts.clip}.{ending}")
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
            written += len(data)
        exchange.took(facts.name, len(labels))
    if shard is not None:
        shard.close()


def _of_its_own_video(labels: ClipLabels, video: str) -> ClipLabels:
    """The labels of a video that shows one frame a tick."""
    count = len(labels)
    facts = replace(labels.facts, video=video, num_frames=count, first_frame=0, rate=float(TICK_RATE))
    return replace(labels, facts=facts, frames=np.arange(count))


def read(source: Path, dataset: Dataset, exchange: Exchange) -> None:
    """One shard, or a folder of them."""
    shards = sorted(source.glob("*.tar")) if source.is_dir() else [source]
    if not shards:
        raise FormatError(f"{source}: no .tar in it")
    for shard in shards:
        try:
            with tarfile.open(shard) as members:
                _read_shard(shard, members, dataset, exchange)
        except (tarfile.TarError, EOFError) as error:
            exchange.leave(shard.name, f"{shard}: {error}")


def _read_shard(shard: Path, members: tarfile.TarFile, dataset: Dataset, exchange: Exchange) -> None:
    waiting: dict[str, dict[str, tarfile.TarInfo]] = {}
    for member in members:
        clip, _, ending = member.name.partition(".")
        # NOTE: names become paths below, so they must be plain; links and devices are no files.
        if not member.isfile() or not clip.isalnum() or ending not in ("mp4", "labels.parquet"):
            continue
        parts = waiting.setdefault(clip, {})
        parts[ending] = member
        if len(parts) == 2:
            try:
                _take(members, clip, waiting.pop(clip), dataset, exchange)
            except FormatError as error:
                exchange.leave(clip, f"{shard}: {error}")
    for clip, parts in waiting.items():
        exchange.leave(clip, f"{shard}: only {', '.join(parts)} of mp4 and labels.parquet")


def _take(
    members: tarfile.TarFile, clip: str, parts: dict[str, tarfile.TarInfo], dataset: Dataset, exchange: Exchange
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if parts["labels.parquet"].size > _LABELS_LIMIT:
        raise FormatError(f"{clip}: labels of {parts['labels.parquet'].size} bytes")
    try:
        table = pq.read_table(io.BytesIO(_opened(members, parts["labels.parquet"]).read()))
    except pa.ArrowException as error:
        raise FormatError(f"{clip}.labels.parquet: {str(error).splitlines()[0]}") from None
    labels = from_table(table, f"{clip}.labels.parquet")
    if labels.facts.clip != clip:
        raise FormatError(f"{clip}.labels.parquet: the labels of another clip, {labels.facts.clip}")
    path = dataset.folder / "videos" / f"{clip}.mp4"
    if not path.is_file():
        picture = _opened(members, parts["mp4"])
        atomic_write(path, lambda file: _copy(picture, file))
    with open_video(path) as video:
        if video.info.num_frames < labels.facts.first_frame + labels.facts.num_frames:
            raise FormatError(f"{clip}.mp4: {video.info.num_frames} frames for {labels.facts.num_frames} labels")
    facts = replace(labels.facts, video=f"videos/{clip}.mp4")
    dataset.write(replace(labels, facts=facts))
    exchange.took(facts.name, len(labels))


def _opened(members: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = members.extractfile(member)
    assert file is not None  # it is a file
    return file


def _copy(source: IO[bytes], out: IO[bytes]) -> None:
    while part := source.read(1 << 20):
        out.write(part)
