"""What is used many times leaves nothing behind: files, threads, processes, shared memory."""

from __future__ import annotations

import gc
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.recordings import Recording
from data_pipelines.streams import FrameStreams
from data_pipelines.video import VideoWriter, open_video
from jarvis.core.files import write_json
from jarvis.envs.voxel import VoxelEnv

ROUNDS = 200


def resources() -> dict[str, object]:
    """Of this process, a moment after everything was let go."""
    gc.collect()
    return {
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "children": Path(f"/proc/self/task/{os.getpid()}/children").read_text().split(),
        "shared memory": sorted(os.listdir("/dev/shm")),
    }


def settled(before: dict[str, object], seconds: float = 10.0) -> dict[str, object]:
    """What is held now, once it is as before or the time is over: processes take a moment to end."""
    deadline = time.monotonic() + seconds
    while (now := resources()) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    return now


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 32, 32) as video:
        for number in range(6):
            video.write(np.full((32, 32, 3), 40 * number, np.uint8))
    return path


def read(path):
    with open_video(path) as video:
        assert len(video.window(0, 6)) == 6


def write(path):
    write_json(path.with_suffix(".json"), {"a": 1})
    with pytest.raises(TypeError):
        write_json(path.with_suffix(".txt"), {"a": object()})
    assert not Recording(str(path.with_name("nothing"))).is_finished()


def cut_short(path):
    with pytest.raises(KeyError), VideoWriter(path.with_name("short.mp4"), 32, 32) as video:
        video.write(np.zeros((32, 32, 3), np.uint8))
        raise KeyError


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux's /proc")
class TestNothingIsLeft:
    @pytest.mark.parametrize("use", [read, write, cut_short])
    def test_in_this_process(self, use, clip):
        use(clip)  # what is made once and kept
        before = resources()
        for _ in range(ROUNDS):
            use(clip)
        assert settled(before) == before

    def test_by_decoders_in_other_processes(self, clip):
        before = resources()
        for _ in range(2):
            with FrameStreams(workers=2, chunk=2) as streams:
                for _ in range(ROUNDS // 8):
                    assert sum(len(chunk) for chunk in streams.open(str(clip)).chunks()) == 6
        now = settled(before)
        assert now["children"] == before["children"] and now["shared memory"] == before["shared memory"]
        assert now["threads"] <= before["threads"] + 1  # the one that starts decoders stays
        assert now["files"] <= before["files"] + 8

    def test_by_worlds(self):
        with VoxelEnv(width=32, height=18, draw=False) as env:
            env.reset(seed=0)
        before = resources()
        for seed in range(8):
            with VoxelEnv(width=32, height=18, draw=False) as env:
                env.reset(seed=seed)
        assert settled(before) == before
