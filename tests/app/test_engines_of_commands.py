"""`--engine` of record, segment and evaluate: other hands, the same files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jarvis.app.cli import main

RECORD = ("record", "--player", "random", "--task", "play", "--max-ticks", "30", "--width", "64", "--height", "36")


def digests(folder: Path, *patterns: str) -> dict[str, str]:
    found = [path for pattern in patterns for path in folder.glob(pattern)]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def told(folder: Path) -> list[tuple]:
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    return sorted((line["task"], line["seed"], line["success"], line["ticks"], line["aborted"]) for line in lines)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("engines") / "inline"
    assert main([*RECORD, "--episodes", "3", "--engine", "inline", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Ray cluster of two machines, as far as Ray can tell; neither is where the command runs."""
    pytest.importorskip("ray", reason='This needs an optional dependency: pip install "jarvis-agent[ray]"')
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 80 << 20}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small})
    try:
        for _ in range(2):
            made.add_node(num_cpus=1, **small)
        made.wait_for_nodes()
        yield made.address
    finally:
        made.shutdown()


@pytest.fixture(params=["process", "ray"])
def engine(request) -> tuple[str, ...]:
    more = ("--address", request.getfixturevalue("cluster")) if request.param == "ray" else ()
    return ("--engine", request.param, "--workers", "2", *more)


def test_recordings_are_the_same(recorded, engine, tmp_path):
    assert main([*RECORD, "--episodes", "3", *engine, "--out", str(tmp_path / "out")]) == 0
    files = ("*.mp4", "*.jsonl", "*-options.json", "index.json")
    assert digests(tmp_path / "out", *files) == digests(recorded, *files)


def test_segments_are_the_same(recorded, engine, tmp_path):
    assert main(["segment", str(recorded), "--out", str(tmp_path / "here")]) == 0
    assert main(["segment", str(recorded), *engine, "--out", str(tmp_path / "there")]) == 0
    files = ("segments/*", "evidence/*", "boundaries.jsonl", "threshold.json")
    here = digests(tmp_path / "here", *files)
    assert len(here) == 8 and digests(tmp_path / "there", *files) == here


def test_episodes_end_the_same(engine, tmp_path):
    tasks = ("--task", "place_torch-easy", "--task", "eat_bread-easy")
    asked = ["evaluate", "--suite", "smoke", "--policy", "random", "--split", "validation", *tasks,
             "--episodes", "2", "--rows", "3", "--width", "32", "--height", "18"]  # fmt: skip
    assert main([*asked, "--out", str(tmp_path / "here")]) == 0
    assert main([*asked, *engine, "--out", str(tmp_path / "there")]) == 0
    assert told(tmp_path / "there") == told(tmp_path / "here") and len(told(tmp_path / "here")) == 4
    videos = digests(tmp_path / "here", "episodes/*.mp4")
    assert len(videos) == 4 and digests(tmp_path / "there", "episodes/*.mp4") == videos
