from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import odd_videos
import pytest

from data_pipelines.resampling import resample
from data_pipelines.video import (
    VideoDamage,
    VideoError,
    VideoWriter,
    check_video,
    open_video,
    resize,
)
from jarvis.core.errors import UnknownNameError


@cache
def clean_pictures():
    """(160, 48, 80, 3): what pictures 0 to 159 show, without their grain."""
    return np.stack([resize(odd_videos.picture(number), (80, 48)) for number in range(160)]).astype(np.float32)


def numbers(frames):
    """Which pictures these frames show."""
    shown = []
    for frame in frames:
        errors = np.abs(clean_pictures() - resize(frame, (80, 48)).astype(np.float32)).mean((1, 2, 3))
        shown.append(int(errors.argmin()))
    return shown


def read(path):
    """The numbers of the pictures that come out, the status, and the complaint."""
    with open_video(path) as video:
        frames, complaint = [], None
        try:
            for frame in video.frames():
                frames.append(frame)
        except VideoDamage as damage:
            assert damage.frame == len(frames)
            complaint = str(damage)
        return numbers(frames), video, complaint


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return odd_videos.plain(tmp_path_factory.mktemp("videos") / "plain.mp4")


def test_every_frame_comes_once_in_its_order(plain):
    shown, video, complaint = read(plain)
    assert shown == list(range(120)) and complaint is None
    info = video.info
    assert (info.num_frames, info.width, info.height, info.rate) == (120, 160, 96, 20)
    assert np.allclose(info.times, np.arange(120) / 20)
    assert (info.codec, info.pixels, info.variable, info.hidden, info.notes) == ("h264", "yuv420p", False, 0, ())
    assert (video.status.state, video.status.frames) == ("ok", 120)


def test_any_part_is_the_same_as_in_one_go(plain):
    with open_video(plain) as video:
        every = video.window(0, 120)
        for start, count in ((0, 1), (29, 3), (30, 1), (47, 40), (119, 1), (50, 0)):
            assert (video.window(start, count) == every[start : start + count]).all()
        small = video.window(10, 4, size=(128, 128))
        assert (
            small == [cv2.resize(frame, (128, 128), interpolation=cv2.INTER_LINEAR) for frame in every[10:14]]
        ).all()
        assert numbers(video.chosen([3, 3, 7, 60])) == [3, 3, 7, 60]
        with pytest.raises(VideoError, match="must not fall"):
            list(video.chosen([4, 3]))
        with pytest.raises(VideoError, match=r"frames \[100, 121\), it has 120"):
            video.window(100, 21)


@pytest.mark.parametrize("codec", ["av1", "vp9", "hevc", "deep_colour"])
def test_other_codecs(codec, tmp_path):
    shown, video, complaint = read(getattr(odd_videos, codec)(tmp_path / "a.mp4"))
    assert shown == list(range(120)) and complaint is None and video.status.state == "ok"


@pytest.mark.parametrize("kind", ["cut_faststart", "zeroed", "many_flips"])
def test_what_follows_damage_is_not_given(kind, tmp_path):
    path = getattr(odd_videos, kind)(tmp_path / "a.mp4")
    shown, video, complaint = read(path)
    assert 0 < len(shown) < 120
    if kind == "many_flips":
        assert video.status.corrupt  # what is drawn from a damaged frame cannot be recognised either
    else:
        assert shown == list(range(len(shown)))
    assert video.status.state == "partial" and video.status.frames == len(shown)
    assert str(path) in complaint and f"damaged at frame {len(shown)}" in complaint
    again = check_video(path)  # the same bytes are read the same way each time
    assert again == video.status


def test_a_cut_file_says_what_it_claimed(tmp_path):
    with open_video(odd_videos.cut_faststart(tmp_path / "a.mp4")) as video:
        assert video.info.num_frames < 120
        assert video.info.notes[0] == f"the file claims 120 frames and has {video.info.num_frames}"
        with pytest.raises(VideoDamage):
            list(video.frames())


def test_a_cut_between_two_frames_is_noticed_too(tmp_path):
    """Every packet that is there is whole, so that nothing but the count tells."""
    path = odd_videos.faststart(tmp_path / "a.mp4")
    import av

    with av.open(str(path)) as container:
        place = sorted(packet.pos for packet in container.demux(video=0) if packet.pos is not None and packet.size)[60]
    path.write_bytes(path.read_bytes()[:place])
    status = check_video(path)
    assert status.state == "partial" and 55 <= status.frames <= 60


def test_frames_of_damaged_data_are_kept_and_flagged(tmp_path):
    path = odd_videos.few_flips(tmp_path / "a.mp4")
    shown, video, complaint = read(path)
    assert len(shown) == 120 and complaint is None
    assert video.status.state == "damaged" and 1 <= len(video.status.corrupt) <= 8
    assert video.status.reason == f"{len(video.status.corrupt)} frames with damaged data"
    assert check_video(path) == video.status


def test_what_an_edit_list_hides_is_not_counted(tmp_path):
    shown, video, complaint = read(odd_videos.edit_list(tmp_path / "a.mp4"))
    assert shown == list(range(17, 120)) and complaint is None
    assert video.info.num_frames == 103 and video.info.hidden > 0 and video.info.times[0] == 0
    assert video.status.state == "ok"


def test_a_change_of_size_stretches_the_rest_and_is_told(tmp_path):
    shown, video, complaint = read(odd_videos.resized_on_the_way(tmp_path / "a.ts"))
    assert shown == list(range(120)) and complaint is None
    assert video.status.resized == 60 and (video.info.width, video.info.height) == (160, 96)


REFUSED = {
    "empty": "empty",
    "html": "no video can be read",
    "noise": "no video can be read",
    "moov_missing": "no video can be read",
    "audio_only": "no video in it, only audio",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_files_without_pictures_are_refused_by_name(kind, tmp_path):
    path = getattr(odd_videos, kind)(tmp_path / f"{kind}.mp4")
    with pytest.raises(VideoError, match=rf"{kind}\.mp4: {REFUSED[kind]}"):
        open_video(path)
    with pytest.raises(VideoError):
        check_video(path)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        open_video(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match="a folder"):
        open_video(tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean decord"):
        open_video(tmp_path / "a.mp4", decoder="decorb")


@pytest.mark.parametrize("kind", ["address", "playlist", "concatenation", "session"])
@pytest.mark.parametrize("ending", ["mp4", "m3u8"])
def test_nobody_is_called(kind, ending, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        if kind == "address":
            path = f"http://127.0.0.1:{port}/a.{ending}"
            expected = "only local files"
        else:
            path = getattr(odd_videos, kind)(tmp_path / f"a.{ending}")
            path.write_bytes(path.read_bytes().replace(b"%d", str(port).encode()))
            expected = "no video can be read"
        with pytest.raises(VideoError, match=expected):
            open_video(path)
        with pytest.raises(BlockingIOError):
            server.accept()


# decord


@pytest.fixture(scope="module")
def decord(plain):
    pytest.importorskip("decord", reason="decord has no wheel for this machine")
    with open_video(plain, decoder="decord") as video:
        yield video


def test_decord_gives_the_same_bytes(plain, decord):
    def digest(video):
        told = hashlib.md5()
        for frame in video.frames():
            told.update(frame)
        return told.hexdigest()

    with open_video(plain) as video:
        assert digest(video) == digest(decord)
        assert (video.window(33, 2, size=(64, 64)) == decord.window(33, 2, size=(64, 64))).all()
        assert (video.info.num_frames, video.info.rate) == (decord.info.num_frames, decord.info.rate)
    assert decord.status.state == "ok"


def test_a_decoder_that_hangs_is_ended(decord):
    decord.deadline, before = 1.0, decord.deadline
    started = time.monotonic()
    with pytest.raises(VideoError, match="did not answer within 1 s"):
        decord._ask(time.sleep, 60)
    assert time.monotonic() - started < 30
    decord.deadline = before
    assert decord.window(0, 1).shape == (1, 96, 160, 3)  # with a new process


def test_a_decoder_that_dies_is_replaced(decord):
    with pytest.raises(VideoError, match="decord died"):
        decord._ask(os._exit, 3)
    assert decord.window(0, 1).shape == (1, 96, 160, 3)


def test_decord_is_not_given_what_it_would_get_wrong(tmp_path):
    pytest.importorskip("decord", reason="decord has no wheel for this machine")
    with pytest.raises(VideoError, match=r"an edit list hides \d+ frames.*use decoder 'av'"):
        open_video(odd_videos.edit_list(tmp_path / "a.mp4"), decoder="decord")


# rates


def test_twenty_a_second_is_left_alone():
    plan = resample(np.arange(50) / 20)
    assert plan.is_identity and plan.repeated == plan.skipped == 0


def test_frames_a_little_early_or_late_are_still_one_tick_each(tmp_path):
    _, video, _ = read(odd_videos.jittered(tmp_path / "a.mp4"))
    assert video.info.variable and abs(float(video.info.rate) - 20) < 0.2
    plan = resample(video.info.times)
    assert plan.is_identity and np.abs(plan.offset).max() <= 0.0151


def test_thirty_a_second_loses_every_third(tmp_path):
    _, video, _ = read(odd_videos.thirty(tmp_path / "a.mp4"))
    plan = resample(video.info.times)
    assert plan.source[:7].tolist() == [0, 1, 3, 4, 6, 7, 9]  # 50 ms lies between frames 1 and 2: the earlier one
    assert len(plan) == 80 and plan.skipped == 40 and plan.repeated == 0
    assert numbers(video.chosen(plan.source[:4])) == [0, 1, 3, 4]


def test_ten_a_second_repeats_every_frame():
    plan = resample(np.arange(5) / 10)
    assert plan.source.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4] and plan.repeated == 5


def test_a_game_saved_at_the_wrong_rate_is_taken_frame_by_frame():
    assert resample(np.arange(600) / 30, assumed=20).is_identity


def test_a_pause_is_filled_with_what_stood_on_the_screen(tmp_path):
    shown, video, complaint = read(odd_videos.variable_rate(tmp_path / "a.mp4"))
    assert shown == list(range(100)) and complaint is None
    assert video.info.variable and video.info.rate == 20
    plan = resample(video.info.times)
    assert len(plan) == 200 and plan.skipped == 0 and plan.repeated == 100
    assert plan.source[:40].tolist() == list(range(40)) and plan.source[140:].tolist() == list(range(40, 100))
    assert set(plan.source[40:140].tolist()) == {39, 40} and np.abs(plan.offset).max() == pytest.approx(2.5, abs=0.05)


@pytest.mark.parametrize("times", [[], [0, 2, 1], [0, np.nan], [[0]]])
def test_times_that_cannot_be(times):
    with pytest.raises(VideoError, match="times"):
        resample(np.array(times))


def test_one_frame_is_one_tick():
    assert resample(np.zeros(1)).source.tolist() == [0]


# writing


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "new" / "a.mp4"
    with VideoWriter(path, 160, 96, keyframes=20) as video:
        for number in range(50):
            video.write(odd_videos.picture(number))
        assert not path.exists()
    shown, video, complaint = read(path)
    assert shown == list(range(50)) and complaint is None
    assert (video.info.rate, video.info.pixels, video.info.variable) == (20, "yuv420p", False)
    assert os.listdir(path.parent) == ["a.mp4"]


def test_the_same_frames_give_the_same_file(tmp_path):
    for name in ("a", "b"):
        with VideoWriter(tmp_path / f"{name}.mp4", 160, 96) as video:
            for number in range(30):
                video.write(odd_videos.picture(number))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_an_odd_size_gains_a_row_and_a_column(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 63, 35) as video:
        video.write(np.full((35, 63, 3), 90, np.uint8))
    with open_video(tmp_path / "a.mp4") as video:
        assert (video.info.width, video.info.height) == (64, 36)
        assert np.abs(video.window(0, 1).astype(int) - 90).max() < 4


def test_a_video_that_is_not_finished_does_not_appear(tmp_path):
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "a.mp4", 160, 96) as video:
        video.write(odd_videos.picture(0))
        raise RuntimeError
    with pytest.raises(VideoError, match="no frame was written"), VideoWriter(tmp_path / "a.mp4", 160, 96):
        pass
    with pytest.raises(VideoError, match="expected uint8"), VideoWriter(tmp_path / "a.mp4", 160, 96) as video:
        video.write(np.zeros((96, 160, 3)))
    assert os.listdir(tmp_path) == []


FULL_DISK = """
import resource, signal, sys
import numpy as np
from data_pipelines.video import VideoWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)          # writing beyond the limit is an error then
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
grain = np.random.default_rng(0)
try:
    with VideoWriter(sys.argv[1], 320, 180, crf=5) as video:
        for _ in range(100):
            video.write(grain.integers(0, 256, (180, 320, 3), np.uint8))
except OSError as error:
    print(type(error).__name__)
"""


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    if sys.platform == "win32":
        pytest.skip("no file size limits here")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.mp4")]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0 and "Error" in told.stdout, told.stderr
    assert os.listdir(tmp_path) == []


# real clips


CLIPS = os.environ.get("JARVIS_CLIPS")


@pytest.mark.skipif(not CLIPS, reason="set JARVIS_CLIPS to a folder of real clips")
def test_real_clips_are_sound():
    for path in sorted(Path(CLIPS or "").glob("*.mp4")):
        status = check_video(path)
        with open_video(path) as video:
            assert (status.state, status.frames) == ("ok", video.info.num_frames), path
            middle = video.info.num_frames // 2
            forward = [frame for number, frame in enumerate(video.frames(0, middle + 3)) if number >= middle]
            assert (video.window(middle, 3) == forward).all(), path
