from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import re
import shutil
import tarfile

import numpy as np
import odd_videos
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_pipelines.contractor import quantise_camera, read_contractor
from data_pipelines.datasets import Dataset
from data_pipelines.exchange import export_to, import_from
from data_pipelines.exchange_lerobot import ACTION_NAMES
from data_pipelines.exchange_minestudio import unpickle
from data_pipelines.labels import ClipFacts, ClipLabels
from data_pipelines.lerobot_checks import lerobot_problems
from data_pipelines.resampling import resample
from data_pipelines.video import open_video
from jarvis.app.cli import main
from jarvis.core.errors import FormatError, UnknownNameError
from jarvis.core.random_streams import generator

SEGMENTS = [{"start": 0, "stop": 50, "skill": "chop", "criterion": "truth", "score": None},
            {"start": 50, "stop": 120, "skill": "craft", "criterion": "truth", "score": None}]  # fmt: skip


def labels_of(path, clip, **changes):
    with open_video(path) as video:
        info = video.info
    plan = resample(info.times)
    random = generator(0, "labels", clip)
    facts = ClipFacts(
        clip, path.stem, str(path), "idm", len(plan), info.num_frames, width=info.width, height=info.height,
        rate=float(info.rate), **changes,
    )  # fmt: skip
    buttons = np.zeros((len(plan), 23), np.uint8)
    buttons[:, :9] = random.integers(0, 2, (len(plan), 9))
    camera = quantise_camera(random.normal(0, 3, (len(plan), 2)))
    return ClipLabels(facts, plan.source, buttons, camera, random.random((len(plan), 22), np.float32))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A clip of 20 frames a second that was segmented, one of 30, and one whose video is gone."""
    folder = tmp_path_factory.mktemp("set")
    dataset = Dataset.make(folder / "set", {"source": "idm"})
    plain = odd_videos.plain(folder / "plain.mp4")
    dataset.write(labels_of(plain, "aa", task="chop a tree", more={"segments": SEGMENTS}))
    dataset.write(labels_of(odd_videos.thirty(folder / "thirty.mp4"), "bb"))
    gone = labels_of(plain, "cc")
    dataset.write(dataclasses.replace(gone, facts=dataclasses.replace(gone.facts, video=str(folder / "gone.mp4"))))
    dataset.write_index()
    return dataset


def exported(dataset, kind, out, **options):
    done = export_to(kind, dataset.folder, out, **options)
    assert done.clips == 2 and list(done.left_out) == ["plain-cc" if kind == "vpt" else "plain"]
    assert "gone.mp4: no such file" in next(iter(done.left_out.values()))
    return out


def brought_back(kind, source, tmp_path):
    done = import_from(kind, source, tmp_path / "back")
    assert done.clips == 2 and not done.left_out
    back = Dataset.open(tmp_path / "back")
    return {facts.name.removesuffix("-aa"): back.read(facts.clip) for facts in back.clips()}, back


def check_actions(dataset, back, kept=()):
    for clip, name in (("aa", "plain"), ("bb", "thirty")):
        mine, yours = dataset.read(clip), back[name]
        assert (mine.buttons == yours.buttons).all() and (mine.camera == yours.camera).all()
        for field in kept:
            assert getattr(mine.facts, field) == getattr(yours.facts, field), field


def check_pictures(dataset, back, opened):
    """What is seen at each tick is what was labelled."""
    with open_video(dataset.video(dataset.facts("aa"))) as one, opened.open_video(back["plain"]) as other:
        assert (one.window(0, 120) == np.stack(list(other.chosen(back["plain"].frames)))).all()
    source = dataset.read("bb").frames
    with open_video(dataset.video(dataset.facts("bb"))) as one, opened.open_video(back["thirty"]) as other:
        errors = [np.abs(mine.astype(int) - yours).mean() for mine, yours in
                  zip(one.chosen(source), other.chosen(back["thirty"].frames), strict=True)]  # fmt: skip
        assert len(errors) == len(source) and max(errors) < 12  # encoded again


def test_contractor_recordings_and_back(dataset, tmp_path):
    out = exported(dataset, "vpt", tmp_path / "vpt")
    assert json.loads((out / "index.json").read_text())["relpaths"] == ["plain-aa.mp4", "thirty.mp4"]
    log = read_contractor(out / "thirty.jsonl")
    assert len(log) == 80 and (log.camera == dataset.read("bb").camera).all()
    back, opened = brought_back("vpt", out, tmp_path)
    check_actions(dataset, back)
    check_pictures(dataset, back, opened)
    assert back["thirty"].facts.source == "recorded" and not back["thirty"].columns["gui_open"].any()


def test_a_broken_recording_is_left_out(dataset, tmp_path):
    out = exported(dataset, "vpt", tmp_path / "vpt")
    (out / "thirty.jsonl").write_text("{}\n")
    done = import_from("vpt", out, tmp_path / "back")
    assert done.clips == 1 and "no 'mouse'" in done.left_out["thirty"]


def test_webdataset_shards_and_back(dataset, tmp_path):
    out = exported(dataset, "webdataset", tmp_path / "web", shard_bytes=1)
    assert sorted(os.listdir(out)) == ["done", "shard-000000.tar", "shard-000001.tar"]
    back, opened = brought_back("webdataset", out, tmp_path)
    check_actions(dataset, back, ("clip", "source", "task", "more"))
    check_pictures(dataset, back, opened)
    assert (back["thirty"].confidence == dataset.read("bb").confidence).all()
    assert back["plain"].facts.video == "videos/aa.mp4"


def test_a_shard_writes_nothing_outside(dataset, tmp_path):
    out = exported(dataset, "webdataset", tmp_path / "web")
    with tarfile.open(out / "shard-000000.tar", "a") as shard:
        for name in ("../../escape.mp4", "/tmp/escape.mp4", "x/../../escape.labels.parquet"):
            member = tarfile.TarInfo(name)
            member.size = 4
            shard.addfile(member, io.BytesIO(b"evil"))
        link = tarfile.TarInfo("dd.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        shard.addfile(link)
    back, opened = brought_back("webdataset", out, tmp_path / "deep" / "er")
    assert len(back) == 2
    assert not list(tmp_path.rglob("escape*")) and sorted(os.listdir(opened.folder / "videos")) == ["aa.mp4", "bb.mp4"]
    (out / "shard-000000.tar").write_bytes((out / "shard-000000.tar").read_bytes()[:3000])
    assert import_from("webdataset", out, tmp_path / "cut").left_out


# MineStudio


def test_minestudio_and_back(dataset, tmp_path):
    pytest.importorskip("lmdb", reason='This needs an optional dependency: pip install "jarvis-agent[minestudio-data]"')
    done = export_to("minestudio", dataset.folder, tmp_path / "studio")
    assert done.clips == 2 and "gone.mp4" in done.left_out["plain-cc"]
    assert done.notes == ["plain-aa: the last 24 ticks fill no chunk and were dropped",
                          "thirty: the last 16 ticks fill no chunk and were dropped"]  # fmt: skip
    back, opened = brought_back("minestudio", tmp_path / "studio", tmp_path)
    for clip, name, count in (("aa", "plain", 96), ("bb", "thirty", 64)):
        mine, yours = dataset.read(clip), back[name]
        assert len(yours) == count and (mine.buttons[:count] == yours.buttons).all()
        assert (mine.camera[:count] == yours.camera).all()
        with dataset.open_video(mine) as one, opened.open_video(yours) as other:
            pairs = zip(one.chosen(mine.frames[:count], size=(224, 224)), other.frames(), strict=True)
            assert max(np.abs(a.astype(int) - b).mean() for a, b in pairs) < 12


class Call:
    def __init__(self, function, *arguments):
        self.told = function, arguments

    def __reduce__(self):
        return self.told


def test_a_hostile_minestudio_file_runs_nothing(dataset, tmp_path):
    lmdb = pytest.importorskip("lmdb")
    canary = tmp_path / "canary"
    out = tmp_path / "studio"
    export_to("minestudio", dataset.folder, out)
    with lmdb.open(str(out / "action" / "part-0")) as base, base.begin(write=True) as transaction:
        transaction.put(b"(0, 32)", pickle.dumps({"camera": Call(os.system, f"touch {canary}")}))
    done = import_from("minestudio", out, tmp_path / "back")
    assert done.clips == 1 and "frame 32: refuses the pickle global 'posix.system'" in done.left_out["plain-aa"]
    with lmdb.open(str(out / "action" / "part-0")) as base, base.begin(write=True) as transaction:
        transaction.put(b"__chunk_infos__", pickle.dumps([Call(eval, f"open({str(canary)!r}, 'w')")]))
    done = import_from("minestudio", out, tmp_path / "back2")
    assert done.clips == 0 and "'builtins.eval'" in done.left_out["part-0"] and not canary.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol_are_read(protocol):
    value = {"a": np.arange(5), "b": np.float32(2.5), "c": [np.zeros((2, 3), np.float32), "text", None, (1, 2.0)]}
    told = unpickle(pickle.dumps(value, protocol), "x")
    assert (told["a"] == value["a"]).all() and told["b"] == 2.5 and told["c"][0].shape == (2, 3)
    with pytest.raises(FormatError, match="x: damaged pickle"):
        unpickle(pickle.dumps(value, protocol)[:-9], "x")


# LeRobot


def test_lerobot_and_back(dataset, tmp_path):
    out = exported(dataset, "lerobot", tmp_path / "lerobot")
    back, opened = brought_back("lerobot", out, tmp_path)
    check_actions(dataset, back, ("clip", "source", "task", "more"))
    check_pictures(dataset, back, opened)
    assert np.allclose(back["thirty"].confidence, dataset.read("bb").confidence)


@pytest.mark.parametrize("version", ["0.4", "0.6"])
def test_the_layout_of_lerobot(dataset, tmp_path, version):
    out = exported(dataset, "lerobot", tmp_path / "lerobot", lerobot=version)
    info = json.loads((out / "meta" / "info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["total_episodes"], info["total_frames"]) == ("v3.0", 20, 2, 200)
    assert info["features"]["action"] == {"dtype": "float32", "shape": [25], "names": list(ACTION_NAMES)}
    data = pq.read_table(out / info["data_path"].format(chunk_index=0, file_index=0))
    assert set(data.column_names) == {name for name, feature in info["features"].items() if feature["dtype"] != "video"}
    assert data["index"].to_pylist() == list(range(200))
    assert data["timestamp"].to_pylist()[:3] == pytest.approx([0, 0.05, 0.1]) and data["timestamp"][120].as_py() == 0
    assert str(data.schema.field("action").type) == "fixed_size_list<element: float>[25]"
    tasks = pq.read_table(out / "meta" / "tasks.parquet").to_pandas()
    assert tasks.index.tolist() == ["chop a tree", "play Minecraft"] and tasks["task_index"].tolist() == [0, 1]
    skills = pq.read_table(out / "meta" / "subtasks.parquet").to_pandas().index
    assert [skills[number] for number in data["subtask_index"].to_pylist()[48:52]] == ["chop"] * 2 + ["craft"] * 2
    assert skills[data["subtask_index"][150].as_py()] == "unknown"
    rows = pq.read_table(out / "meta" / "episodes" / "chunk-000" / "file-000.parquet").to_pylist()
    assert [(row["dataset_from_index"], row["dataset_to_index"], row["length"]) for row in rows] == [
        (0, 120, 120),
        (120, 200, 80),
    ]
    for row in rows:
        path = out / info["video_path"].format(
            video_key="observation.image", chunk_index=0, file_index=row["videos/observation.image/file_index"]
        )
        with open_video(path) as video:
            assert video.info.num_frames == row["length"]
            assert np.abs(video.info.times - np.arange(row["length"]) / 20).max() < 1e-4
    stats = json.loads((out / "meta" / "stats.json").read_text())
    assert np.shape(stats["observation.image"]["mean"]) == (3, 1, 1) and stats["action"]["count"] == [200]
    assert set(stats) == set(info["features"]) - {"language_persistent"}
    spoken = data["language_persistent"][7].as_py() if version == "0.6" else None
    assert spoken is None or [(one["content"], one["timestamp"]) for one in spoken] == [("chop", 0.0), ("craft", 2.5)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"codebase_version": "v2.1"}, r"v2\.1, expected a LeRobotDataset v3\.0"),
        ({"fps": 30}, "30 frames a second"),
        ({"features": {"action": {"names": ["joint"]}}}, "expected attack"),
        ({"data_path": "../../{chunk_index}.parquet"}, "leads out"),
    ],
)
def test_other_lerobot_datasets_are_refused(dataset, tmp_path, change, words):
    out = exported(dataset, "lerobot", tmp_path / "lerobot")
    path = out / "meta" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    try:
        reasons = import_from("lerobot", out, tmp_path / "back").left_out
    except FormatError as error:
        reasons = {"": str(error)}
    assert reasons and all(re.search(words, reason) for reason in reasons.values())


def changed_table(path, change):
    table = change(pq.read_table(path, partitioning=None))
    pq.write_table(table, path)


def move(table):
    column = "videos/observation.image/from_timestamp"
    values = [value + 0.02 for value in table[column].to_pylist()]
    return table.set_column(table.column_names.index(column), column, pa.array(values))


def late(table):
    values = table["timestamp"].to_numpy() + np.float32(0.01)
    return table.set_column(table.column_names.index("timestamp"), "timestamp", pa.array(values))


DATA, META = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"
MISTAKES = {
    "sentences that are no index": (
        lambda out: changed_table(out / "meta/tasks.parquet", lambda table: table.replace_schema_metadata(None)),
        "not the index"),
    "a column too many": (
        lambda out: changed_table(out / DATA, lambda table: table.append_column("x", table["index"])),
        "column x is not among"),
    "a column missing": (
        lambda out: changed_table(out / DATA, lambda table: table.drop_columns(["action"])), "action is missing"),
    "times that are late": (lambda out: changed_table(out / DATA, late), "timestamp does not count"),
    "videos that begin elsewhere": (lambda out: changed_table(out / META, move), "no frame at"),
    "rows missing": (lambda out: changed_table(out / DATA, lambda table: table.slice(0, 150)), "150 rows"),
    "an episode missing": (lambda out: changed_table(out / META, lambda table: table.slice(0, 1)), "1 rows"),
    "a file cut short": (lambda out: (out / DATA).write_bytes((out / DATA).read_bytes()[:500]), "cannot be read"),
    "an old version": (
        lambda out: (out / "meta/info.json").write_text((out / "meta/info.json").read_text().replace("v3.0", "v2.1")),
        "not of a LeRobotDataset"),
    "a video missing": (
        lambda out: (out / "videos/observation.image/chunk-000/file-001.mp4").unlink(), "no such file"),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(dataset, tmp_path_factory):
    return exported(dataset, "lerobot", tmp_path_factory.mktemp("sound") / "lerobot", lerobot="0.6")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_of_lerobot_datasets_are_told(sound, mistake, tmp_path):
    assert lerobot_problems(sound) == []
    out = tmp_path / "lerobot"
    shutil.copytree(sound, out)
    change, words = MISTAKES[mistake]
    change(out)
    problems = lerobot_problems(out)
    assert any(words in problem for problem in problems), problems
    assert main(["data", "validate", str(out)]) == 1 and main(["data", "validate", str(sound)]) == 0


def test_unknown_formats_are_named(dataset, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean lerobot"):
        export_to("lerobt", dataset.folder, tmp_path / "x")
    with pytest.raises(FormatError, match="no recordings in it"):
        import_from("vpt", tmp_path, tmp_path / "y")
