from __future__ import annotations

import io
import json
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import redirect_stdout, suppress
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import idm
from data_pipelines.clips import find_videos, identify
from data_pipelines.contractor import quantise_camera, read_contractor
from data_pipelines.datasets import Dataset
from data_pipelines.video import VideoWriter, open_video
from jarvis.app.bench import Bench, LabelRequest
from jarvis.app.cli import main
from jarvis.core.random_streams import generator

ROOT = Path(__file__).parents[2]


def video(path, frames, *, size=(64, 48), fps=20):
    """A clip like no other: a square wanders over noise."""
    random = generator(0, "clip", str(path.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    ground = random.integers(0, 200, (size[1], size[0], 3), np.uint8)
    with VideoWriter(path, *size, fps=fps) as out:
        for number in range(frames):
            frame = ground.copy()
            place = (number * int(random.integers(1, 4))) % (size[0] - 8)
            frame[10:18, place : place + 8] = 255
            out.write(frame)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A checkpoint folder of a tiny inverse dynamics model with random weights."""
    from jarvis.vpt import build, tiny_idm, write_checkpoint

    return str(write_checkpoint(tmp_path_factory.mktemp("idm") / "tiny", build(tiny_idm(), 0), "random weights"))


def audio(path):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder of videos, and of files that only look like videos, some of which name a server on this machine."""
    folder = tmp_path_factory.mktemp("clips")
    for frames in (1, 2, 15, 16, 17, 40):
        video(folder / f"of_{frames:02d}.mp4", frames)
    video(folder / "thirty.mp4", 30, fps=30)
    whole = (folder / "of_40.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mp4").touch()
    (folder / os.fsdecode(b"byte\xff.mp4")).write_bytes(whole)
    (folder / "page.mp4").write_text("<html>no video</html>")
    audio(folder / "audio.mp4")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        (folder / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:10,\n{address}/a.ts\n#EXT-X-ENDLIST\n")
        (folder / "concat.mp4").write_text(f"ffconcat version 1.0\nfile {address}/a.mp4\n")
        yield folder
        with pytest.raises(BlockingIOError):
            server.accept()  # nobody called


BAD = {os.fsdecode(b"byte\xff"), "audio", "concat", "cut", "empty", "list", "page"}


def run(*arguments, **more):
    """`jarvis label` in a process of its own, with worker processes."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | more.pop("env", {})
    command = [sys.executable, "-m", "jarvis", "label", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environment, **more)


@pytest.fixture(scope="module")
def labelled(clips, tiny, tmp_path_factory):
    """The folder of clips, labelled in this process, and what was said."""
    out = tmp_path_factory.mktemp("out") / "set"
    arguments = [
        "label",
        clips,
        "--out",
        out,
        "--idm",
        tiny,
        "--jsonl",
        "--json",
        "--device",
        "cpu",
        "--engine",
        "inline",
    ]
    with redirect_stdout(io.StringIO()) as said:
        assert main([str(argument) for argument in arguments]) == 3  # some of the files are no videos
    return out, said.getvalue()


def test_every_frame_gets_one_label(labelled, clips):
    dataset = Dataset.open(labelled[0])
    every = {facts.name: facts for facts in dataset.clips()}
    assert set(every) == {path.stem for path in clips.iterdir()} - BAD
    for facts in every.values():
        with open_video(facts.video) as played:
            assert facts.num_frames == played.info.num_frames
        labels = dataset.read(facts.clip)
        buttons, camera = labels.by_frame()
        assert len(buttons) == len(camera) == facts.num_frames
        assert labels.facts.source == "idm" and ((labels.confidence > 0) & (labels.confidence <= 1)).all()
    assert (every["of_17"].num_ticks, every["thirty"].num_ticks, every["thirty"].num_frames) == (17, 20, 30)


def test_labels_are_those_of_the_model(labelled, tiny):
    dataset = Dataset.open(labelled[0])
    (facts,) = (facts for facts in dataset.clips() if facts.name == "of_40")
    stored = dataset.read(facts.clip)
    labeler = idm.load(tiny, device="cpu")
    with open_video(facts.video) as played:
        parts = list(labeler.label(played.frames(size=labeler.size)))
    assert (np.concatenate([part.buttons for part in parts]) == stored.buttons).all()
    assert (np.concatenate([part.camera for part in parts]) == stored.camera).all()
    assert np.allclose(np.concatenate([part.confidence for part in parts]), stored.confidence, atol=1e-6)


def test_contractor_lines_tell_the_same(labelled):
    dataset = Dataset.open(labelled[0])
    for facts in dataset.clips():
        buttons, camera = dataset.read(facts.clip).by_frame()
        log = read_contractor(labelled[0] / "jsonl" / f"{facts.name}.jsonl")
        assert len(log) == facts.num_frames and (log.camera == quantise_camera(camera)).all()
        assert (log.buttons[:, :9] == buttons[:, :9]).all()


def test_results_are_told_as_json(labelled):
    *clips, summary = [json.loads(line) for line in labelled[1].splitlines()]
    assert {name: summary[name] for name in ("videos", "done", "before", "quarantined", "copies")} == {
        "videos": 14, "done": 7, "before": 0, "quarantined": 7, "copies": 0,
    }  # fmt: skip
    assert sorted(one["status"] for one in clips) == ["done"] * 7 + ["quarantined"] * 7


def test_what_cannot_be_done_is_put_aside_with_its_reason(labelled, clips):
    aside = Dataset.open(labelled[0]).quarantined().values()
    reasons = {Path(entry.video).stem: entry.reason for entry in aside}
    assert set(reasons) == BAD
    byte = reasons.pop(os.fsdecode(b"byte\xff"))
    assert byte == f"{clips}/byte\\udcff.mp4: a name that is not UTF-8; rename the file"
    assert all(reason.startswith(f"{clips / name}.mp4: ") for name, reason in reasons.items())
    assert reasons["empty"].endswith(": empty") and reasons["audio"].endswith("no video in it, only audio")
    assert all(entry.attempts == 2 for entry in aside)


def test_nothing_is_done_twice(labelled, clips, tiny, capsys):
    out = labelled[0]
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert main(["label", str(clips), "--out", str(out), "--idm", tiny, "--json"]) == 3
    summary = json.loads(capsys.readouterr().out)
    assert (summary["done"], summary["before"], summary["ticks"]) == (7, 7, 0)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == files


def test_two_shares_make_the_same_whole(labelled, clips, tiny, tmp_path, capsys):
    for rank in range(2):
        share = ["--rank", str(rank), "--world", "2", "--engine", "inline", "--device", "cpu", "--json"]
        assert main(["label", str(clips), "--out", str(tmp_path / "out"), "--idm", tiny, *share]) in (0, 3)
    videos = [json.loads(line)["videos"] for line in capsys.readouterr().out.splitlines() if '"videos"' in line]
    assert sum(videos) == 14 and 0 < videos[0] < 14
    assert contents(tmp_path / "out") == contents(labelled[0])


def test_another_model_does_not_mix_its_labels_in(labelled, clips, tmp_path, capsys):
    from jarvis.vpt import build, tiny_idm, write_checkpoint

    other = write_checkpoint(tmp_path / "other", build(tiny_idm(), 1), "other random weights")
    assert main(["label", str(clips), "--out", str(labelled[0]), "--idm", str(other)]) == 2
    assert "made with another idm; choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["http://127.0.0.1:1/a.mp4"], "http://127.0.0.1:1/a.mp4: an address"),
        (["none.mp4"], "none.mp4: no such file"),
        (["CLIPS", "--engine", "spark"], "unknown engine 'spark'"),
        (["CLIPS", "--decoder", "decorb"], "did you mean decord"),
        (["CLIPS", "--rank", "2", "--world", "2"], "ranks are 0 to 1"),
        (["CLIPS", "--idm", "none"], "none: no such folder"),
        (["NOTHING"], "no video in it"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_done(arguments, words, clips, tiny, tmp_path, capsys):
    (tmp_path / "nothing").mkdir()
    places = {"CLIPS": str(clips), "NOTHING": str(tmp_path / "nothing")}
    arguments = [places.get(argument, argument) for argument in arguments]
    model = [] if "--idm" in arguments else ["--idm", tiny]
    assert main(["label", *arguments, *model, "--out", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out" / "labels").exists()


def limited(size):
    """For a process that may not write files longer than that: to it the disk is full."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_full_disk_stops_the_run_and_loses_nothing(tiny, tmp_path):
    for frames in (3, 4, 400):
        video(tmp_path / "clips" / f"{frames:03d}.mp4", frames)
    out = tmp_path / "out"
    arguments = tmp_path / "clips", "--out", out, "--idm", tiny, "--device", "cpu", "--workers", 1
    told = run(*arguments, preexec_fn=limited(9000))
    assert told.returncode == 1
    assert "File too large" in told.stderr and ".parquet" in told.stderr and "what is done is kept" in told.stderr
    dataset = Dataset.open(out)
    assert {facts.num_frames for facts in dataset.clips()} == {3, 4} and not dataset.quarantined()
    assert not list(out.rglob(".*.tmp*"))
    assert main(["label", *map(str, arguments), "--engine", "inline"]) == 0
    assert {facts.num_frames for facts in dataset.clips()} == {3, 4, 400}


class Call:
    """Pickles as a call of the function."""

    def __init__(self, function, *arguments):
        self.told = function, arguments

    def __reduce__(self):
        return self.told


def test_hostile_files_are_told_by_name_and_run_nothing(clips, tmp_path, capsys):
    canary = tmp_path / "canary"
    model = tmp_path / "model.model"
    model.write_bytes(pickle.dumps({"model": {"args": {"net": {"args": Call(os.system, f"touch {canary}")}}}}))
    (tmp_path / "x.weights").write_bytes(b"none")
    idm_, out = f"vpt:{model}:{tmp_path / 'x.weights'}", tmp_path / "out"
    assert main(["label", str(clips), "--out", str(out), "--idm", idm_, "--engine", "inline"]) == 1
    assert f"{model}: refuses the pickle global 'posix.system'" in capsys.readouterr().err
    assert not canary.exists() and not Dataset.open(tmp_path / "out").quarantined()


CLIPS = os.environ.get("JARVIS_CLIPS")


@pytest.mark.skipif(not CLIPS, reason="set JARVIS_CLIPS to a folder of real clips")
def test_real_clips_are_labelled_frame_by_frame(tiny, tmp_path):
    told = run(CLIPS, "--out", tmp_path / "out", "--idm", tiny, "--device", "cpu", "--jsonl")
    assert told.returncode == 0, told.stderr
    dataset = Dataset.open(tmp_path / "out")
    assert len(dataset.clips()) == len(list(Path(CLIPS).glob("*.mp4")))
    for facts in dataset.clips():
        buttons, camera = dataset.read(facts.clip).by_frame()
        with open_video(facts.video) as played:
            assert len(buttons) == len(camera) == played.info.num_frames == facts.num_frames
        lines = (tmp_path / "out" / "jsonl" / f"{facts.name}.jsonl").read_text().splitlines()
        assert len(lines) == facts.num_frames
        page = tmp_path / f"{facts.name}.html"
        assert main(["data", "view", str(tmp_path / "out"), "--clip", facts.name, "--out", str(page)]) == 0
        assert page.stat().st_size > Path(facts.video).stat().st_size


def group_of(arguments):
    """`jarvis label` as the leader of a process group."""
    return subprocess.Popen(
        [sys.executable, "-m", "jarvis", "label", *map(str, arguments)], cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def left_of(group):
    """The processes that still belong to a group a few seconds after it was killed."""
    for _ in range(100):
        stats = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                stats.append(path.read_text().rpartition(")")[2].split()[:3])
        alive = [state for state, _, leader in stats if int(leader) == group and state != "Z"]
        if not alive:
            break
        time.sleep(0.1)
    return alive


def contents(out):
    return {path.relative_to(out): path.read_bytes() for path in [*out.rglob("labels/*/*"), out / "clips.parquet"]}


def label_here(folder, tiny, out):
    """The same labels without engines and processes of their own."""
    maker = {"source": "idm", "idm": idm.fingerprint(tiny), "rate": 20, "assumed_rate": None, "keep_partial": False}
    dataset = Dataset.make(out, maker)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the runs have: sums over other numbers of threads differ in their last bits
    bench = Bench(LabelRequest(str(out), tiny, "cpu"))
    ended = bench.label(identify(find_videos([folder]))[0])
    bench.close()
    torch.set_num_threads(threads)
    assert all(one.reason is None for one in ended)
    dataset.write_index()


@pytest.mark.parametrize(
    ("count", "kills", "work_seconds"), [(40, 2, 0.1), pytest.param(300, 10, 1.0, marks=pytest.mark.slow)]
)
def test_killed_and_terminated_runs_lose_and_repeat_nothing(count, kills, work_seconds, tiny, tmp_path):
    for number in range(count):
        video(tmp_path / "clips" / f"{number:04d}.mp4", 6)
    label_here(tmp_path / "clips", tiny, tmp_path / "whole")
    random = generator(0, "kills")
    out, killed, code = tmp_path / "broken", 0, None
    while code != 0:
        before = {path: path.stat().st_mtime_ns for path in out.rglob("labels/*/[!.]*.parquet")}
        runs = group_of([tmp_path / "clips", "--idm", tiny, "--device", "cpu", "--out", out])
        if killed < kills:
            while runs.poll() is None and len(list(out.rglob("labels/*/[!.]*.parquet"))) == len(before):
                time.sleep(0.02)  # until it has begun to work
            time.sleep(random.uniform(0, work_seconds))
            if killed % 2:
                runs.terminate()
            else:
                os.killpg(runs.pid, signal.SIGKILL)
        code = runs.wait(timeout=300)
        assert code in (0, -signal.SIGKILL if killed % 2 == 0 else 130)
        assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
        assert not left_of(runs.pid)
        killed += code != 0
    assert killed and contents(out) == contents(tmp_path / "whole")
    assert len(Dataset.open(out).clips()) == count


def below(pid):
    """The processes that a process started, and theirs."""
    children = [
        int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()
    ]
    return [one for child in children for one in (child, *below(child))]


def test_a_machine_of_a_cluster_is_lost(tiny, tmp_path):
    """Three machines of a Ray cluster (as far as Ray can tell), one of which goes away while all of them label."""
    pytest.importorskip("ray", reason='This needs an optional dependency: pip install "jarvis-agent[ray]"')
    from ray.cluster_utils import Cluster

    for number in range(60):
        video(tmp_path / "clips" / f"{number:04d}.mp4", 6 + number % 5)
    label_here(tmp_path / "clips", tiny, tmp_path / "whole")
    out, small = tmp_path / "set", {"object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small})
    try:
        nodes = [cluster.add_node(num_cpus=1, **small) for _ in range(3)]
        cluster.wait_for_nodes()
        arguments = [tmp_path / "clips", "--idm", tiny, "--device", "cpu", "--out", out, "--engine", "ray"]
        runs = group_of([*arguments, "--address", cluster.address, "--workers", 3])
        while runs.poll() is None and len(list(out.rglob("labels/*/[!.]*.parquet"))) < 8:
            time.sleep(0.02)
        raylet = nodes[0].all_processes["raylet"][0].process.pid
        for pid in (raylet, *below(raylet)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        done_then = len(list(out.rglob("labels/*/[!.]*.parquet")))
        assert runs.wait(timeout=200) == 0
    finally:
        cluster.shutdown()
    assert done_then < 60, "it was over before the machine was lost"
    assert contents(out) == contents(tmp_path / "whole")
    assert len(Dataset.open(out).clips()) == 60 and not (out / "quarantine.jsonl").exists()
    labelled = [
        json.loads(line)["clip"] for line in (out / "events.jsonl").read_text().splitlines() if '"done"' in line
    ]
    assert set(labelled) == {clip.clip for clip in Dataset.open(out).clips()}
    assert len(labelled) - len(set(labelled)) <= 3  # at most what was under way there
