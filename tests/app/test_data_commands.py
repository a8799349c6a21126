from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from data_pipelines.contractor import Seen
from data_pipelines.datasets import Dataset
from data_pipelines.labels import ClipFacts, ClipLabels
from data_pipelines.recordings import RecordingWriter
from jarvis.app import cli
from jarvis.core.actions import Action
from jarvis.core.random_streams import generator


def write(folder, name, ticks=20):
    """A recording: forward all the time, attack in the second half, a turn of 0.3 degrees each tick."""
    with RecordingWriter(folder, name, 64, 36, facts={"player": "scripted", "task": {"name": "dig"}}) as writer:
        for tick in range(ticks):
            keys = ["forward", *(["attack"] if tick >= ticks // 2 else [])]
            frame = generator(tick).integers(0, 256, (36, 64, 3), np.uint8)
            truth = {"coarse": "walk" if tick < ticks // 2 else "dig"}
            writer.add(frame, Action.of(*keys, camera=(0, 0.3)), Seen(gui_open=tick >= ticks - 5), truth)
    return writer.recording


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "in", "one")
    write(tmp_path / "in", "two")
    return tmp_path / "in"


def run(capsys, *arguments):
    code = cli.main(["data", *map(str, arguments)])
    return code, capsys.readouterr()


def test_inspect_counts_what_is_there(folder, capsys):
    code, told = run(capsys, "inspect", folder, "--json")
    found = json.loads(told.out)
    assert code == 0 and (found["items"], found["ticks"], found["quarantined"]) == (2, 40, {})
    assert found["keys"] == {"attack": 0.5, "forward": 1.0} and found["presses"] == {"attack": 2, "forward": 2}
    assert found["turn"] == {"pitch": 0.0, "yaw": 0.3} and found["gui_open"] == 0.25 and found["null"] == 0
    assert found["ticks_by"] == {
        "source": {"scripted": 40}, "task": {"dig": 40}, "size": {"64 x 36": 40}, "skill": {"walk": 20, "dig": 20},
    }  # fmt: skip
    code, told = run(capsys, "inspect", folder)
    assert code == 0 and "key forward\t100.0 %, 2 presses" in told.out.splitlines()


def test_what_is_damaged_is_put_aside_with_its_reason_and_counted(folder, capsys):
    three = write(folder, "three")
    three.video.write_bytes(three.video.read_bytes()[:200])  # cut off
    four = write(folder, "four", 30)
    shutil.copy(folder / "one.mp4", four.video)  # of another recording
    five = write(folder, "five")
    five.video.unlink()
    six = write(folder, "six")
    whole = six.actions.read_text().splitlines()
    six.actions.write_text("\n".join([*whole[:7], '{"mouse": {"dx": NaN', *whole[8:]]))
    seven = write(folder, "seven")
    seven.actions.write_text(seven.actions.read_text()[:-100])  # a crash cut off the last line: that is mended
    code, told = run(capsys, "validate", folder, "--json")
    lines = {line["name"]: line for line in map(json.loads, told.out.splitlines())}
    assert code == 3 and {name for name, line in lines.items() if line["ok"]} == {"one", "two", "seven"}
    assert "20 frames, 30 lines" in lines["four"]["reason"] and lines["five"]["reason"] == "no five.mp4"
    assert "six.jsonl: line 8" in lines["six"]["reason"] and lines["three"]["reason"]
    assert lines["seven"]["ticks"] == 19 and lines["seven"]["repairs"] == {"cut_line": 1}
    assert "3 sound, 59 ticks; 4 to be put aside" in told.err
    code, told = run(capsys, "inspect", folder, "--json")
    assert code == 3 and set(json.loads(told.out)["quarantined"]) == {"three", "four", "five", "six"}
    for name in ("one", "two", "seven"):
        (folder / f"{name}.mp4").unlink()
    assert run(capsys, "validate", folder)[0] == 1


def test_damage_inside_a_video_is_found_by_decoding(folder, capsys):
    video = folder / "one.mp4"
    data = bytearray(video.read_bytes())
    middle = (data.index(b"mdat") + len(data)) // 2
    data[middle : middle + 4000] = bytes(4000)
    video.write_bytes(data)
    code, told = run(capsys, "validate", folder)
    assert code == 3 and "one: " in told.out
    assert run(capsys, "validate", folder, "--no-decode")[0] == 0  # the list of its frames is sound


def test_a_folder_without_anything_is_told(tmp_path, capsys):
    code, told = run(capsys, "inspect", tmp_path)
    assert code == 2 and "no recordings there, and no dataset; make some with: jarvis record" in told.err


def test_view_makes_a_page_of_one_recording(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, told = run(capsys, "view", folder / "one.jsonl")
    assert code == 0 and told.out == "page one.html\n" and "<video" in (tmp_path / "one.html").read_text()
    code, told = run(capsys, "view", folder)
    assert code == 2 and "which of 2? Take one with --clip NAME, such as one, two" in told.err
    code, told = run(capsys, "view", folder, "--clip", "twoo")
    assert code == 2 and "did you mean two" in told.err
    code, told = run(capsys, "view", folder, "--clip", "two", "--out", "pages/two.html", "--link", "--json")
    assert code == 0 and json.loads(told.out) == {"page": "pages/two.html"}
    assert 'data-link="../in/two.mp4"' in (tmp_path / "pages/two.html").read_text()


def test_view_shows_labelled_clips_with_how_sure_they_are(folder, tmp_path, capsys):
    dataset = Dataset.make(tmp_path / "labelled", {"who": "test"})
    facts = ClipFacts("c1", "one", str(folder / "one.mp4"), "idm", 10, 20, width=64, height=36, task="dig")
    buttons, camera = np.zeros((10, 23), np.uint8), np.zeros((10, 2), np.float32)
    confidence = np.full((10, 22), 0.9, np.float32)
    confidence[3, 5], confidence[4, 21] = 0.5, 0.25
    dataset.write(ClipLabels(facts, np.arange(0, 20, 2), buttons, camera, confidence))  # every second frame is a tick
    dataset.annotate(
        "c1", {"loss": np.arange(10, dtype=np.float32)}, segments=[{"start": 0, "stop": 10, "skill": "dig"}]
    )
    code, _ = run(capsys, "view", tmp_path / "labelled", "--out", tmp_path / "clip.html")
    assert code == 0
    page = (tmp_path / "clip.html").read_text()
    data = json.loads(page.split('id="data">', 1)[1].split("</script>", 1)[0])
    assert data["times"] == pytest.approx([0.1 * tick for tick in range(10)]) and data["source"] == "idm"
    curves = dict(data["curves"])
    assert curves["sure of keys"][3] == 0.5 and curves["sure of mouse"][4] == 0.25 and curves["loss"][9] == 9
    assert data["tracks"] == [["skill", [[0, 10, "dig", None]]]]
    code, told = run(capsys, "inspect", tmp_path / "labelled", "--json")
    found = json.loads(told.out)
    assert code == 0 and found["ticks"] == 10 and found["ticks_by"]["skill"] == {"dig": 10} and found["null"] == 1
    assert run(capsys, "validate", tmp_path / "labelled")[0] == 0
    (folder / "one.mp4").unlink()
    code, told = run(capsys, "validate", tmp_path / "labelled")
    assert code == 1 and "its video is gone" in told.out
