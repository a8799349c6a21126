from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import odd_videos
import pyarrow.parquet as pq
import pytest

from data_pipelines.clips import find_videos, identify, share
from data_pipelines.datasets import Dataset, Quarantined
from data_pipelines.labels import ClipFacts, ClipLabels, from_table, label_rows, to_table
from data_pipelines.resampling import resample
from data_pipelines.video import VideoError
from jarvis.core.errors import EpisodeError, FormatError, UnknownNameError
from jarvis.core.random_streams import generator

MAKER = {"source": "idm", "idm": "0123", "rate": 20}


def labels(clip="c0ffee", rate=20, frames=60, video="/videos/a.mp4", **changes):
    plan = resample(np.arange(frames) / rate)
    random = generator(0, "labels", clip)
    facts = ClipFacts(clip, "a", video, "idm", len(plan), frames, rate=rate, **changes)
    buttons = random.integers(0, 2, (len(plan), 23)).astype(np.uint8)
    camera = random.normal(0, 3, (len(plan), 2)).astype(np.float32)
    return ClipLabels(facts, plan.source, buttons, camera, random.random((len(plan), 22), np.float32))


def same(one, other):
    assert one.facts == other.facts
    for name in ("frames", "buttons", "camera", "confidence"):
        mine, yours = getattr(one, name), getattr(other, name)
        assert mine.dtype == yours.dtype and (mine == yours).all(), name
    assert set(one.columns) == set(other.columns)
    assert all((one.columns[name] == other.columns[name]).all() for name in one.columns)
    return True


# tables


@pytest.mark.parametrize(("rate", "ticks", "rows"), [(20, 60, 60), (30, 40, 60), (60, 20, 60), (10, 120, 120)])
def test_every_frame_has_a_row_and_every_tick_comes_back(rate, ticks, rows):
    written = labels(rate=rate)
    table = to_table(written)
    assert len(written) == ticks and len(table) == rows
    assert set(table["frame"].to_pylist()) == set(range(60))
    assert same(from_table(table, "x"), written)


def test_frames_between_two_ticks_hold_the_keys_and_do_not_turn_again():
    written = labels(rate=30)
    table = to_table(written).to_pylist()
    assert [row["tick"] for row in table[:6]] == [0, 1, 1, 2, 3, 3]
    assert [row["between"] for row in table[:6]] == [False, False, True, False, False, True]
    assert table[2]["buttons"] == written.buttons[1].tolist() and table[2]["camera"] == [0, 0]
    buttons, camera = written.by_frame()
    assert buttons.shape == (60, 23) and (buttons[2] == written.buttons[1]).all()
    assert np.allclose(camera.sum(0), written.camera.sum(0), atol=1e-4)


def test_ticks_that_show_one_frame_are_joined_in_its_label():
    written = labels(rate=10, frames=5)
    buttons, camera = written.by_frame()
    assert buttons.shape == (5, 23) and (buttons[1] == written.buttons[2] | written.buttons[3]).all()
    assert np.allclose(camera[1], written.camera[2] + written.camera[3])


def test_rows_count_from_the_clips_first_frame():
    tick, frame, between = label_rows(np.array([7, 9]), first=6, count=5)
    assert (frame.tolist(), tick.tolist()) == ([6, 7, 8, 9, 10], [0, 0, 0, 1, 1])
    assert between.tolist() == [True, False, True, False, True]


def test_what_contradicts_itself_is_refused():
    good = labels()
    with pytest.raises(EpisodeError, match="frame numbers must not fall"):
        dataclasses.replace(good, frames=good.frames[::-1])
    with pytest.raises(EpisodeError, match=r"\(59, 23\) buttons"):
        dataclasses.replace(good, buttons=good.buttons[:-1], camera=good.camera[:-1])
    with pytest.raises(EpisodeError, match="column 'loss'"):
        dataclasses.replace(good, columns={"loss": np.zeros(3)})
    with pytest.raises(EpisodeError, match=r"clip '\.\./up'"):
        dataclasses.replace(good.facts, clip="../up")
    with pytest.raises(UnknownNameError, match="did you mean idm"):
        dataclasses.replace(good.facts, source="idn")
    table = to_table(good)
    with pytest.raises(EpisodeError, match="x: 59 rows"):
        from_table(table.slice(0, 59), "x")
    with pytest.raises(FormatError, match="x: no column camera"):
        from_table(table.drop_columns(["camera"]), "x")
    with pytest.raises(FormatError, match="no labels of a clip"):
        from_table(table.replace_schema_metadata(None), "x")


# the folder


@pytest.fixture
def dataset(tmp_path):
    return Dataset.make(tmp_path / "set", MAKER)


def test_what_is_written_is_read(dataset):
    written = labels()
    path = dataset.write(written)
    assert path == dataset.folder / "labels" / "c0" / "c0ffee.parquet"
    assert same(dataset.read("c0ffee"), written) and dataset.facts("c0ffee") == written.facts
    first = path.read_bytes()
    dataset.write(written)
    assert path.read_bytes() == first
    assert dataset.is_whole("c0ffee") and not dataset.is_whole("ffffff")
    path.write_bytes(first[:-20])
    assert not dataset.is_whole("c0ffee")
    with pytest.raises(FormatError, match=r"c0ffee\.parquet: no labels can be read"):
        dataset.read("c0ffee")


def test_others_read_the_files_without_us(dataset):
    table = pq.read_table(dataset.write(labels()))
    assert table.column_names == ["tick", "frame", "between", "buttons", "camera", "confidence", "source"]
    assert str(table.schema.field("camera").type) == "fixed_size_list<element: float>[2]"
    assert json.loads(table.schema.metadata[b"jarvis"])["buttons"][:3] == ["attack", "back", "forward"]


def test_losses_and_segments_are_added_by_tick(dataset):
    dataset.write(labels(rate=30))
    losses = np.linspace(0, 1, 40, dtype=np.float32)
    cuts = [{"start": 0, "stop": 40, "skill": "log"}]
    dataset.annotate("c0ffee", {"loss.buttons": losses, "segment": np.zeros(40, np.int32)}, segments=cuts)
    played = dataset.read("c0ffee")
    assert (played.columns["loss.buttons"] == losses).all() and played.facts.more == {"segments": cuts}
    assert same(dataset.annotate("c0ffee", {"loss.buttons": None, "segment": None}, segments=None), labels(rate=30))


def test_the_list_of_clips_follows_the_files(dataset):
    for clip in ("bb", "aa"):
        dataset.write(labels(clip))
    assert [facts.clip for facts in dataset.clips()] == ["aa", "bb"]
    listed = (dataset.folder / "clips.parquet").read_bytes()
    dataset.write(labels("cc", task="dig", notes=("odd",), more={"x": [1]}))
    assert dataset.clips()[2] == labels("cc", task="dig", notes=("odd",), more={"x": [1]}).facts
    dataset.path("cc").unlink()
    dataset.clips()
    assert (dataset.folder / "clips.parquet").read_bytes() == listed
    (dataset.folder / "clips.parquet").write_bytes(b"rubbish")
    assert len(dataset.clips()) == 2


def test_a_folder_is_only_continued_alike(dataset, tmp_path):
    assert Dataset.make(dataset.folder, MAKER).maker == MAKER
    with pytest.raises(FormatError, match="made with another idm; choose another --out"):
        Dataset.make(dataset.folder, MAKER | {"idm": "4567"})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="something else"):
        Dataset.make(tmp_path / "full", MAKER)
    with pytest.raises(FormatError, match=r"no dataset\.json.*jarvis label"):
        Dataset.open(tmp_path / "full")


def test_a_trajectory_needs_a_frame_for_every_tick(dataset):
    played = labels()
    trajectory = dataset.trajectory(played)
    assert len(trajectory) == 59 and trajectory.num_frames == 60 and trajectory.source == "idm"
    with pytest.raises(EpisodeError, match="jarvis data export"):
        dataset.trajectory(labels(rate=30))


def test_quarantine_is_kept_and_can_be_left(dataset):
    entry = Quarantined("aa", "/videos/a.mp4", 2, "no video can be read")
    dataset.quarantine(entry)
    dataset.quarantine(dataclasses.replace(entry, clip="bb"))
    assert dataset.quarantined()["aa"] == entry
    dataset.release(["aa"])
    assert list(dataset.quarantined()) == ["bb"]


HOLDER = """
import os, sys
from data_pipelines.datasets import Dataset
with Dataset.open(sys.argv[1]).claim():
    os.kill(os.getpid(), 9)
"""


def test_one_at_a_time(dataset):
    with dataset.claim():
        with dataset.claim(1, 2):
            pass
        with pytest.raises(FileExistsError, match=f"process {os.getpid()}"), dataset.claim():
            pass
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", HOLDER, dataset.folder], cwd=root).returncode == -9
    with dataset.claim():  # the dead hold nothing
        pass


def test_only_our_own_leftovers_are_swept(dataset):
    folder = dataset.write(labels("aa1")).parent
    for name in (".aa2.0123.tmp.parquet", ".aa3.0123.tmp.parquet"):
        (folder / name).touch()
    dataset.sweep(["aa1", "aa2"])
    assert sorted(os.listdir(folder)) == [".aa3.0123.tmp.parquet", "aa1.parquet"]


# clips


def test_videos_are_found_once(tmp_path):
    for name in ("a.mp4", "b/c.mkv", "b/notes.md", ".hidden/d.mp4", "b/.e.mp4", "f.MP4"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "list.txt").write_text("a.mp4\n\nb/c.mkv\n")
    every = [str(tmp_path / name) for name in ("a.mp4", "b/c.mkv", "f.MP4")]
    assert find_videos([tmp_path]) == every
    assert find_videos([tmp_path / "list.txt", tmp_path / "a.mp4"]) == every[:2]
    (tmp_path / "list.txt").write_text("a.mp4\nhttp://127.0.0.1:1/b.mp4\n")
    with pytest.raises(VideoError, match=r"list\.txt: line 2: http://127\.0\.0\.1:1/b\.mp4: an address"):
        find_videos([tmp_path / "list.txt"])
    with pytest.raises(VideoError, match=r"none\.mp4: no such file"):
        find_videos([tmp_path / "none.mp4"])


def test_a_clip_keeps_its_identity_when_it_moves(tmp_path):
    big = np.arange(700_000, dtype=np.uint32).tobytes()
    for name, data in (("x/a.mp4", big), ("y/a.mp4", big), ("x/b.mp4", big), ("x/c.mp4", big[:-1] + b"!")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    clips, copies = identify(find_videos([tmp_path]))
    assert [clip.name for clip in clips] == ["a", "b", "c"] and len({clip.id for clip in clips}) == 3
    assert copies == {str(tmp_path / "y/a.mp4"): str(tmp_path / "x/a.mp4")}
    known = {clip.print: "0" * 24 for clip in clips}
    assert {clip.id for clip in identify([clips[0].video], known)[0]} == {"0" * 24}
    (tmp_path / "x/a.mp4").write_bytes(big + b"more")
    assert identify([clips[0].video], known)[0][0].id not in {"0" * 24, clips[0].id}


def test_what_files_looked_like_is_remembered(dataset, tmp_path):
    odd_videos.html(tmp_path / "a.mp4")
    clips, _ = identify([str(tmp_path / "a.mp4")])
    dataset.remember({clip.print: clip.id for clip in clips})
    assert dataset.known() == {clips[0].print: clips[0].id}
    (dataset.folder / "index.jsonl").write_text('{"clip": 3}\n')
    assert dataset.known() == {}


def test_every_clip_has_one_owner(tmp_path):
    for number in range(40):
        (tmp_path / f"{number}.mp4").write_bytes(b"x")
    clips, _ = identify(find_videos([tmp_path]))
    parts = [share(clips, rank, 3) for rank in range(3)]
    assert sorted(clip.id for part in parts for clip in part) == sorted(clip.id for clip in clips)
    assert share(clips[:10], 1, 3) == [clip for clip in parts[1] if clip in clips[:10]]
    with pytest.raises(ValueError, match="rank 3 of 3"):
        share(clips, 3, 3)
