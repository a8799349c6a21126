"""What is wrong with a LeRobotDataset v3.0, told without LeRobot; its own loader lets some of it pass.

    for problem in lerobot_problems("lerobot_set"): print(problem)

Times of frames are held to LeRobot's tolerance of 0.1 ms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.video import VideoError, open_video
from jarvis.core.errors import FormatError
from jarvis.core.files import Pathlike, read_json

__all__ = ["VERSION", "lerobot_problems"]

VERSION = "v3.0"
TOLERANCE = 1e-4  # seconds


def lerobot_problems(folder: Pathlike) -> list[str]:
    """One line for each problem; none for a sound dataset."""
    root = Path(folder)
    try:
        info = read_json(root / "meta" / "info.json")
        if not isinstance(info, dict) or info.get("codebase_version") != VERSION:
            return [f"meta/info.json: not of a LeRobotDataset {VERSION}"]
        episodes = [row for path in sorted((root / "meta" / "episodes").glob("*/*.parquet"))
                    for row in _table(path).to_pylist()]  # fmt: skip
        data = {path: _table(path) for path in sorted((root / "data").glob("*/*.parquet"))}
        return [
            *_tasks(root, info, episodes),
            *_data(root, info, data),
            *_episodes(root, info, episodes, data),
            *_videos(root, info, episodes),
        ]
    except (FormatError, OSError) as error:
        return [str(error)]
    except (KeyError, TypeError, ValueError) as error:
        return [f"{root}: {type(error).__name__}: {error}"]


def _table(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None


def _tasks(root: Path, info: dict[str, Any], episodes: list[dict[str, Any]]) -> Iterator[str]:
    path = root / "meta" / "tasks.parquet"
    table = _table(path)
    told = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    index = told.get("index_columns") or []
    if not index or not isinstance(index[0], str) or str(table.schema.field(index[0]).type) != "string":
        yield f"{path}: the sentences are not the index, so that readers would take numbers for them"
        return
    sentences = table[index[0]].to_pylist()
    if len(sentences) != info["total_tasks"] or table["task_index"].to_pylist() != list(range(len(sentences))):
        yield f"{path}: {len(sentences)} tasks, info.json has {info['total_tasks']}"
    for row in episodes:
        if not set(row["tasks"]) <= set(sentences):
            yield f"{path}: no task {row['tasks']} of episode {row['episode_index']}"


def _data(root: Path, info: dict[str, Any], data: dict[Path, Any]) -> Iterator[str]:
    expected = {name for name, feature in info["features"].items() if feature["dtype"] != "video"}
    for path, table in data.items():
        for name in sorted(expected ^ set(table.column_names)):
            side = "not among the features" if name not in expected else "missing"
            yield f"{path}: column {name} is {side}"
    rows = sum(len(table) for table in data.values())
    if rows != info["total_frames"]:
        yield f"{root}/data: {rows} rows, info.json has {info['total_frames']}"


def _episodes(root: Path, info: dict[str, Any], episodes: list[dict[str, Any]], data: dict[Path, Any]) -> Iterator[str]:
    if len(episodes) != info["total_episodes"]:
        yield f"{root}/meta/episodes: {len(episodes)} rows, info.json has {info['total_episodes']}"
    reached = 0
    for row in episodes:
        name, count = f"episode {row['episode_index']}", row["length"]
        if (row["dataset_from_index"], row["dataset_to_index"]) != (reached, reached + count):
            yield f"{name}: frames [{row['dataset_from_index']}, {row['dataset_to_index']}), expected from {reached}"
        path = root / info["data_path"].format(
            chunk_index=row["data/chunk_index"], file_index=row["data/file_index"]
        )  # fmt: skip
        if path not in data:
            yield f"{name}: no {path}"
        else:
            table = data[path].filter(np.equal(data[path]["episode_index"].to_numpy(), row["episode_index"]))
            ticks = np.arange(count)
            for column, expected, tolerance in (
                ("frame_index", ticks, 0), ("index", reached + ticks, 0), ("timestamp", ticks / info["fps"], TOLERANCE),
            ):  # fmt: skip
                found = table[column].to_numpy()
                if len(found) != count or np.abs(found - expected).max(initial=0) > tolerance:
                    yield f"{name}: {column} does not count its {count} frames"
        reached += count


def _videos(root: Path, info: dict[str, Any], episodes: list[dict[str, Any]]) -> Iterator[str]:
    keys = [name for name, feature in info["features"].items() if feature["dtype"] == "video"]
    for row in episodes:
        for key in keys:
            path = root / info["video_path"].format(
                video_key=key, chunk_index=row[f"videos/{key}/chunk_index"], file_index=row[f"videos/{key}/file_index"]
            )
            try:
                with open_video(path) as video:
                    times, size = video.info.times, [video.info.height, video.info.width, 3]
            except VideoError as error:
                yield str(error)
                continue
            wanted = row[f"videos/{key}/from_timestamp"] + np.arange(row["length"]) / info["fps"]
            nearest = times[np.searchsorted(times, wanted - TOLERANCE).clip(0, len(times) - 1)]
            late = np.abs(nearest - wanted)
            if late.max(initial=0) > TOLERANCE:
                tick = int(late.argmax())
                yield f"{path}: no frame at {wanted[tick]:.4f} s, for frame {tick} of episode {row['episode_index']}"
            if size != info["features"][key]["shape"]:
                yield f"{path}: {size}, info.json has {info['features'][key]['shape']}"
