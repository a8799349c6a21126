"""The two commands, from recordings to segments."""

from __future__ import annotations

import json

import pytest
from plays import record

from jarvis.app.cli import main


@pytest.fixture
def folder(tmp_path):
    record(tmp_path / "play", "clip", 60)
    return tmp_path / "play"


def test_a_predictor_is_trained_and_cuts(folder, tmp_path, capsys):
    out = tmp_path / "foundation"
    settings = ["--recipe", "tiny", "--set", "steps=1", "--set", "network.hidden=32", "--seed", "3"]
    assert main(["train", "foundation", str(folder), "--out", str(out), *settings, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 1
    assert (out / "done").is_file()
    options = ["--criterion", "likelihood-ratio", "--set", "options.window=8", "--mean-ticks", "20", "--json"]
    assert main(["segment", str(folder), "--policy", str(out), *options]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["threshold"]["options"] == {"window": 8}
    assert report["clips"] == 1
    assert report["ticks"] == 60


def test_clips_put_aside_make_it_partial(folder, capsys):
    (folder / "broken.mp4").write_bytes(b"no video")
    (folder / "broken.jsonl").write_text("{}\n")
    assert main(["segment", str(folder), "--threshold", "4.0"]) == 3
    said = capsys.readouterr().out
    assert "broken: put aside: " in said
    assert "2 segments of 30 ticks on average" in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["segment", "{}", "--criterion", "sbt"], "unknown criterion 'sbt'; did you mean sbd"),
        (["segment", "{}", "--set", "options.gab=3"], "criterion action-cpd:"),
        (["segment", "{}/nowhere"], "no such folder"),
        (["segment", "{}", "--policy", "{}/nothing"], "no such"),
        (["train", "foundation", "{}", "--out", "{}/out", "--recipe", "huge"], "unknown recipe 'huge'"),
        (["train", "foundation", "{}", "--out", "{}/out", "--set", "stepz=3"], "did you mean steps?"),
    ],
)
def test_what_a_user_gets_wrong_is_told_in_one_line(folder, capsys, arguments, complaint):
    assert main([argument.format(folder) for argument in arguments]) == 2
    assert complaint in capsys.readouterr().err
