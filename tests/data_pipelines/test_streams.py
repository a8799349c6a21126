from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import odd_videos
import pytest

from data_pipelines.streams import FrameStreams, StreamLost
from data_pipelines.video import VideoError, open_video


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return str(odd_videos.plain(tmp_path_factory.mktemp("videos") / "plain.mp4"))


@pytest.fixture(scope="module")
def streams():
    with FrameStreams(workers=2, size=(64, 64), chunk=16) as streams:
        yield streams


def children():
    """The processes that live below this one, by what they run."""
    found = set()
    for thread in os.listdir(f"/proc/{os.getpid()}/task"):
        with suppress(FileNotFoundError, ProcessLookupError):  # threads and processes end while we look
            for pid in Path(f"/proc/{os.getpid()}/task/{thread}/children").read_text().split():
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(int(pid))
    return found


def test_every_frame_comes_in_order(streams, plain):
    stream = streams.open(plain)
    head = stream.head()
    assert (head.width, head.height, head.num_frames, head.num_ticks, head.rate) == (160, 96, 120, 120, 20)
    frames = np.concatenate(list(stream.chunks()))
    with open_video(plain) as video:
        assert (frames == video.window(0, 120, size=(64, 64))).all()
    assert stream.status.state == "ok" and stream.damage is None


def test_frames_of_ticks_at_another_rate(streams, tmp_path):
    path = str(odd_videos.thirty(tmp_path / "a.mp4"))
    stream = streams.open(path)
    assert stream.head().source[:5].tolist() == [0, 1, 3, 4, 6] and stream.head().num_ticks == 80
    frames = np.concatenate(list(stream.chunks()))
    with open_video(path) as video:
        assert (frames == list(video.chosen(stream.head().source, size=(64, 64)))).all()


def test_two_at_once_and_the_slow_one_holds_up_nobody(streams, plain):
    slow, quick = streams.open(plain), streams.open(plain)
    assert sum(len(chunk) for chunk in quick.chunks()) == 120
    assert sum(len(chunk) for chunk in slow.chunks()) == 120


def test_damage_ends_the_frames_and_is_told(streams, tmp_path):
    stream = streams.open(str(odd_videos.cut_faststart(tmp_path / "a.mp4")))
    count = sum(len(chunk) for chunk in stream.chunks())
    assert 0 < count < 120 and stream.status.frames == count and stream.status.state == "partial"
    assert stream.damage == stream.status.reason


@pytest.mark.parametrize("kind", ["empty", "audio_only", "html", "playlist"])
def test_no_video_is_told_by_name(streams, tmp_path, kind):
    path = getattr(odd_videos, kind)(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match=r"a\.mp4: ") as error:
        streams.open(str(path)).head()
    assert not isinstance(error.value, StreamLost)


def test_a_decoder_that_dies_or_hangs_is_replaced(plain):
    before = children()
    with FrameStreams(workers=1, chunk=8, deadline=2) as streams:
        for blow, words in ((signal.SIGKILL, "its process died|went away"), (signal.SIGSTOP, "no frame within 2 s")):
            stream = streams.open(plain)
            chunks = stream.chunks()
            next(chunks)
            (victim,) = children() - before
            os.kill(victim, blow)
            with pytest.raises(StreamLost, match=words):
                list(chunks)
        assert sum(len(chunk) for chunk in streams.open(plain).chunks()) == 120


def test_nothing_is_left_behind(plain):
    before, threads = children(), threading.active_count()
    with FrameStreams(workers=2, chunk=8) as streams:
        stream = streams.open(plain)
        next(stream.chunks())
        assert 1 <= len(children() - before) <= 2
        streams.drop(streams.open(plain))
    deadline = time.monotonic() + 10
    while (children() - before or threading.active_count() > threads) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert children() <= before and threading.active_count() <= threads
