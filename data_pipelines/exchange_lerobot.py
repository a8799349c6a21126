"""Labelled clips as a LeRobotDataset v3.0, written without LeRobot and read by it.

    meta/info.json                        features, rate, paths
    meta/stats.json                       of each feature: min, max, mean, std, count, quantiles
    meta/tasks.parquet                    the sentences, as the index of a table of their numbers
    meta/subtasks.parquet                 likewise the names of skills, if clips were segmented
    meta/episodes/chunk-000/file-000.parquet
    data/chunk-000/file-000.parquet       a row for each frame
    videos/observation.image/chunk-000/file-000.mp4      one file an episode; copied where it is even as it should be

An episode is a clip, a frame is a tick, 20 a second. `action` is the 23 buttons, 0 or 1, and the camera's pitch and yaw
in degrees. Segments become `subtask_index`, and for LeRobot from 0.5 on also `language_persistent`, which 0.4 cannot
read. Every column of `episodes` that begins with "jarvis." is ours: with those a dataset comes back as it was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.clips import clip_id
from data_pipelines.datasets import Dataset
from data_pipelines.exchange import Exchange
from data_pipelines.exchange_vpt import write_video
from data_pipelines.labels import CONFIDENCES, ClipFacts, ClipLabels
from data_pipelines.lerobot_checks import VERSION, lerobot_problems
from data_pipelines.video import TICK_RATE, VideoInfo, open_video
from jarvis.core.actions import BUTTONS
from jarvis.core.errors import FormatError
from jarvis.core.files import read_json, write_json
from jarvis.core.segments import Segment

__all__ = ["ACTION_NAMES", "read", "write"]

IMAGE = "observation.image"
ACTION_NAMES = (*BUTTONS, "camera.pitch", "camera.yaw")
NO_TASK = "play Minecraft"
CHUNK_FILES = 1000
STATS_FRAMES = 100  # of all episodes together, from which the pictures' statistics are taken
_INDEXES = ("timestamp", "frame_index", "episode_index", "index", "task_index")
_PATHS = {
    "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}
_QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


# writing


def write(dataset: Dataset, out: Path, exchange: Exchange, lerobot: str = "0.4") -> None:
    """lerobot: 0.4, which every version from there on reads, or 0.6, with skills as language too."""
    if lerobot not in ("0.4", "0.6"):
        raise FormatError(f"lerobot {lerobot!r}: expected 0.4 or 0.6")
    clips = dataset.clips()
    if not clips:
        return
    size = Counter((facts.width, facts.height) for facts in clips).most_common(1)[0][0]
    size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    episodes = _Episodes(out, size, lerobot == "0.6")
    for facts in clips:
        try:
            labels = dataset.read(facts.clip)
            episodes.add(dataset, labels)
        except FormatError as error:
            exchange.leave(facts.name, str(error))
        else:
            exchange.took(facts.name, len(labels))
    if episodes.rows:
        episodes.finish()
        if problems := lerobot_problems(out):
            raise FormatError(f"{dataset.folder}: the export is not sound: {problems[0]}")


class _Episodes:
    """What is gathered over all episodes. Frames go to disk one episode at a time."""

    def __init__(self, out: Path, size: tuple[int, int], with_language: bool) -> None:
        self.out, self.size, self.with_language = out, size, with_language
        self.tasks: dict[str, int] = {}
        self.subtasks: dict[str, int] = {}
        self.rows: list[dict[str, Any]] = []
        self.frames = 0
        self.info: VideoInfo | None = None
        self.tables: list[Any] = []
        self.columns: dict[str, list[np.ndarray]] = {}
        self.pictures: list[np.ndarray] = []

    def add(self, dataset: Dataset, labels: ClipLabels) -> None:
        """One more episode."""
        number, count, facts = len(self.rows), len(labels), labels.facts
        chunk, file = divmod(number, CHUNK_FILES)
        place = {"chunk_index": chunk, "file_index": file}
        video = self.out / _PATHS["video_path"].format(video_key=IMAGE, **place)
        video.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_video(dataset, labels, video, self.size)
            with open_video(video) as written:
                if written.info.num_frames != count:
                    raise FormatError(f"{facts.name}: {written.info.num_frames} frames for {count} ticks")
                self.info = self.info or written.info
                self.pictures.append(written.window(count // 2, 1)[0])
        except FormatError:
            video.unlink(missing_ok=True)
            raise
        task = facts.task or NO_TASK
        segments = [Segment.from_json(value) for value in facts.more.get("segments") or ()]
        values = {
            "action": np.concatenate([labels.buttons, labels.camera], axis=1).astype(np.float32),
            "timestamp": (np.arange(count) / TICK_RATE).astype(np.float32),
            "frame_index": np.arange(count),
            "episode_index": np.full(count, number),
            "index": np.arange(self.frames, self.frames + count),
            "task_index": np.full(count, self.tasks.setdefault(task, len(self.tasks))),
            "subtask_index": self._subtasks(segments, count),
        }
        if labels.confidence is not None:
            values["action.confidence"] = np.asarray(labels.confidence, np.float32)
        stats = {f"stats/{name}/{stat}": value for name, part in values.items() for stat, value in _stats(part).items()}
        self.rows.append({
            "episode_index": number, "tasks": [task], "length": count,
            "data/chunk_index": 0, "data/file_index": 0,
            "dataset_from_index": self.frames, "dataset_to_index": self.frames + count,
            f"videos/{IMAGE}/chunk_index": chunk, f"videos/{IMAGE}/file_index": file,
            f"videos/{IMAGE}/from_timestamp": 0.0, f"videos/{IMAGE}/to_timestamp": count / TICK_RATE,
            "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0,
            "jarvis.clip": facts.clip, "jarvis.name": facts.name, "jarvis.source": facts.source,
            "jarvis.task": facts.task, "jarvis.more": json.dumps(facts.more),
            **stats,
        })  # fmt: skip
        self.tables.append((values, _language(segments) if self.with_language else None))
        self.frames += count

    def _subtasks(self, segments: Sequence[Segment], count: int) -> np.ndarray:
        numbers = np.full(count, -1)
        for segment in segments:
            name = str(segment.skill) if segment.skill is not None else "unknown"
            numbers[segment.start : segment.stop] = self.subtasks.setdefault(name, len(self.subtasks))
        if segments and (numbers < 0).any():
            numbers[numbers < 0] = self.subtasks.setdefault("unknown", len(self.subtasks))
        return numbers

    def finish(self) -> None:
        """Writes everything but the videos."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sure = all("action.confidence" in values for values, _ in self.tables)
        named = bool(self.subtasks)
        if named:  # clips that were not segmented are one stretch of an unknown skill
            for values, _ in self.tables:
                numbers = values["subtask_index"]
                if (numbers < 0).any():
                    numbers[numbers < 0] = self.subtasks.setdefault("unknown", len(self.subtasks))
        left_out = {name for name, kept in (("action.confidence", sure), ("subtask_index", named)) if not kept}
        path = self.out / _PATHS["data_path"].format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True)
        writer = None
        columns: dict[str, list[np.ndarray]] = {}
        for values, language in self.tables:
            kept = {name: part for name, part in values.items() if name not in left_out}
            table = pa.table({name: _column(part) for name, part in kept.items()})
            if self.with_language:
                table = table.append_column("language_persistent", _repeated(language or [], len(table)))
            writer = writer or pq.ParquetWriter(path, table.schema, compression="snappy")
            writer.write_table(table)
            for name, part in kept.items():
                columns.setdefault(name, []).append(part)
        assert writer is not None and self.info is not None
        writer.close()
        stats = {name: _stats(np.concatenate(parts)) for name, parts in columns.items()}
        stats[IMAGE] = _picture_stats(self.pictures)
        meta = self.out / "meta"
        write_json(meta / "stats.json", stats)
        write_json(meta / "info.json", self._info(columns))
        _write_index(meta / "tasks.parquet", "task", "task_index", list(self.tasks))
        if named:
            _write_index(meta / "subtasks.parquet", "subtask", "subtask_index", list(self.subtasks))
        rows = [
            {n: v for n, v in row.items() if not any(n.startswith(f"stats/{x}/") for x in left_out)}
            for row in self.rows
        ]
        episodes = meta / "episodes" / "chunk-000" / "file-000.parquet"
        episodes.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), episodes)

    def _info(self, columns: dict[str, list[np.ndarray]]) -> dict[str, Any]:
        assert self.info is not None
        width, height = self.size
        features: dict[str, Any] = {
            IMAGE: {
                "dtype": "video", "shape": [height, width, 3], "names": ["height", "width", "channels"],
                "info": {
                    "video.height": height, "video.width": width, "video.codec": self.info.codec,
                    "video.pix_fmt": self.info.pixels, "video.is_depth_map": False, "video.fps": TICK_RATE,
                    "video.channels": 3, "has_audio": False,
                },
            },
        }  # fmt: skip
        names = {"action": list(ACTION_NAMES), "action.confidence": list(CONFIDENCES)}
        for name, parts in columns.items():
            part = parts[0]
            shape = [part.shape[1]] if part.ndim == 2 else [1]
            features[name] = {"dtype": str(part.dtype), "shape": shape, "names": names.get(name)}
        if self.with_language:
            features["language_persistent"] = {"dtype": "language", "shape": [1], "names": None}
        return {
            "codebase_version": VERSION, "robot_type": "minecraft", "total_episodes": len(self.rows),
            "total_frames": self.frames, "total_tasks": len(self.tasks), "chunks_size": CHUNK_FILES,
            "data_files_size_in_mb": 100, "video_files_size_in_mb": 200, "fps": TICK_RATE,
            "splits": {"train": f"0:{len(self.rows)}"}, **_PATHS, "features": features,
        }  # fmt: skip


def _column(values: np.ndarray) -> Any:
    import pyarrow as pa

    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).reshape(-1)), values.shape[1])


def _stats(values: np.ndarray) -> dict[str, list[float]]:
    rows = values.reshape(len(values), -1).astype(np.float64)
    told = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    told |= dict(zip(_QUANTILES, np.quantile(rows, list(_QUANTILES.values()), axis=0), strict=True))
    return {name: part.tolist() for name, part in told.items()} | {"count": [len(rows)]}


def _picture_stats(pictures: list[np.ndarray]) -> dict[str, Any]:
    step = max(1, len(pictures) // STATS_FRAMES)
    colours = np.concatenate([picture[::4, ::4].reshape(-1, 3) for picture in pictures[::step]]) / 255
    told = _stats(colours)
    return {
        name: [[[one]] for one in part] if name != "count" else [len(pictures[::step])] for name, part in told.items()
    }


def _write_index(path: Path, name: str, column: str, values: list[str]) -> None:
    """A table as pandas writes one whose index is the text: readers take the index for the sentence."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({column: pa.array(range(len(values)), pa.int64()), name: pa.array(values, pa.string())})
    described = [
        {"name": column, "field_name": column, "pandas_type": "int64", "numpy_type": "int64", "metadata": None},
        {"name": name, "field_name": name, "pandas_type": "unicode", "numpy_type": "object", "metadata": None},
    ]
    told = {"index_columns": [name], "column_indexes": [], "columns": described, "pandas_version": "2.2.0"}
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(told)}), path)


def _language(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    return [
        {
            "role": "assistant", "content": str(segment.skill), "style": "subtask",
            "timestamp": segment.start / TICK_RATE, "camera": None, "tool_calls": None,
        }
        for segment in segments if segment.skill is not None
    ]  # fmt: skip


def _repeated(rows: list[dict[str, Any]], count: int) -> Any:
    import pyarrow as pa

    kind = pa.list_(pa.struct([
        ("role", pa.string()), ("content", pa.string()), ("style", pa.string()), ("timestamp", pa.float32()),
        ("camera", pa.string()), ("tool_calls", pa.list_(pa.string())),
    ]))  # fmt: skip
    return pa.array([rows] * count, kind)


# reading


def read(source: Path, dataset: Dataset, exchange: Exchange) -> None:
    """A LeRobotDataset v3.0 whose `action` is a keyboard and a mouse; the videos stay where they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    info = read_json(source / "meta" / "info.json") if (source / "meta" / "info.json").is_file() else None
    if not isinstance(info, dict) or info.get("codebase_version") != VERSION:
        found = info.get("codebase_version") if isinstance(info, dict) else "no meta/info.json"
        raise FormatError(f"{source}: {found}, expected a LeRobotDataset {VERSION}")
    features = info.get("features", {})
    names = features.get("action", {}).get("names")
    if names != list(ACTION_NAMES):
        raise FormatError(
            f"{source}: action is {str(names)[:80]}, expected {', '.join(ACTION_NAMES[:3])}, ... camera.yaw"
        )
    key = next((name for name, feature in features.items() if feature.get("dtype") == "video"), None)
    if key is None:
        raise FormatError(f"{source}: no feature is a video")
    if info.get("fps") != TICK_RATE:
        raise FormatError(f"{source}: {info.get('fps')} frames a second, expected {TICK_RATE}")
    try:
        episodes = [row for path in sorted((source / "meta" / "episodes").glob("*/*.parquet"))
                    for row in pq.read_table(path, partitioning=None).to_pylist()]  # fmt: skip
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"{source}: meta/episodes cannot be read: {str(error).splitlines()[0]}") from None
    files: dict[str, Any] = {}
    for row in episodes:
        name = str(row.get("jarvis.name") or f"episode_{row['episode_index']:06d}")
        try:
            labels = _labels(source, info, key, row, name, files)
            dataset.write(labels)
        except (FormatError, OSError, pa.ArrowException, KeyError, ValueError) as error:
            exchange.leave(name, f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error))
            continue
        exchange.took(name, len(labels))


def _labels(
    source: Path, info: dict[str, Any], key: str, row: dict[str, Any], name: str, files: dict[str, Any]
) -> ClipLabels:
    import pyarrow.parquet as pq

    path = _inside(source, info["data_path"], chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])
    if str(path) not in files:
        files.clear()
        files[str(path)] = pq.read_table(path, partitioning=None)
    table = files[str(path)]
    table = table.filter(np.equal(table["episode_index"].to_numpy(), row["episode_index"]))
    count = int(row["length"])
    if len(table) != count:
        raise FormatError(f"{path}: {len(table)} rows of episode {row['episode_index']}, expected {count}")
    action = np.stack(table["action"].to_pylist()).astype(np.float32)
    video = _inside(
        source, info["video_path"], video_key=key, chunk_index=row[f"videos/{key}/chunk_index"],
        file_index=row[f"videos/{key}/file_index"],
    )  # fmt: skip
    start = row[f"videos/{key}/from_timestamp"] * TICK_RATE
    first = round(start)
    with open_video(video) as opened:
        if abs(start - first) > 1e-3 or first + count > opened.info.num_frames:
            raise FormatError(f"{video}: frames [{start:g}, {start + count:g}), it has {opened.info.num_frames}")
        found = opened.info
    tasks = row.get("tasks") or [""]
    facts = ClipFacts(
        row.get("jarvis.clip") or f"{clip_id(video)}-{first}", name, str(video.absolute()),
        row.get("jarvis.source") or "recorded", count, count, first_frame=first,
        width=found.width, height=found.height, task=row.get("jarvis.task", tasks[0]) or "",
        more=json.loads(row.get("jarvis.more") or "{}"),
    )  # fmt: skip
    buttons, camera = action[:, : len(BUTTONS)], action[:, len(BUTTONS) :]
    if not np.isin(buttons, (0, 1)).all():
        raise FormatError(f"{path}: buttons of episode {row['episode_index']} that are neither 0 nor 1")
    sure = np.stack(table["action.confidence"].to_pylist()) if "action.confidence" in table.column_names else None
    confidence = None if sure is None or sure.shape[1] != len(CONFIDENCES) else sure.astype(np.float32)
    return ClipLabels(facts, np.arange(first, first + count), buttons.astype(np.uint8), camera, confidence)


def _inside(source: Path, pattern: str, **values: Any) -> Path:
    path = source / pattern.format(**values)
    if not path.resolve().is_relative_to(source.resolve()):
        raise FormatError(f"{source}: {pattern!r} leads out of the dataset")
    return path
