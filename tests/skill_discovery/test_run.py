"""Whole folders: cut, interrupted, cut again with another criterion, and put aside what cannot be used."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from plays import record

from jarvis.core.errors import FormatError, UnknownNameError
from jarvis.core.files import read_json, read_json_lines
from jarvis.core.segments import check_cover
from jarvis.vpt.config import tiny
from jarvis.vpt.initialisation import build
from jarvis.vpt.loading import write_checkpoint
from skill_discovery.clips import find_clips
from skill_discovery.library import Library
from skill_discovery.run import SegmentConfig, segment_folder
from skill_discovery.segments import read_segments

BY_ACTIONS = SegmentConfig(criterion="action-cpd", threshold="4.0")


def out_of(folder):
    return folder.with_name(f"{folder.name}-skills")


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        record(tmp_path / "play", f"clip-{number}", 60, seed=number)
    return tmp_path / "play"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    policy = build(replace(tiny(), image_size=32), seed=0)
    return str(write_checkpoint(tmp_path_factory.mktemp("predictor") / "checkpoint", policy, "a tiny one"))


def test_clips_are_cut_where_the_player_changes_what_it_does(folder):
    report = segment_folder(folder, BY_ACTIONS)
    assert (report.clips, report.ticks, report.quarantined) == (3, 180, {})
    for number in range(3):
        segments = read_segments(out_of(folder) / "segments" / f"clip-{number}.jsonl")
        check_cover(segments, 60)
        assert [(segment.start, segment.skill) for segment in segments] == [(0, None), (30, "mine stone")]
    lines = read_json_lines(out_of(folder) / "boundaries.jsonl").values
    assert lines[0] == {"file": "clip-0", "boundaries": [[0, 29], [30, 59]]}
    assert read_json(out_of(folder) / "threshold.json")["value"] == 4.0


def test_another_criterion_needs_neither_the_video_nor_the_model(folder, checkpoint):
    surprised = SegmentConfig(criterion="sbd", policy=checkpoint, mean_ticks=20)
    first = segment_folder(folder, surprised)
    assert first.threshold.predictor is not None
    written = {path.name: path.stat().st_mtime_ns for path in (out_of(folder) / "evidence").iterdir()}
    again = segment_folder(folder, replace(surprised, criterion="likelihood-ratio"))
    assert again.threshold.criterion == "likelihood-ratio"
    assert again.threshold.predictor == first.threshold.predictor
    assert {path.name: path.stat().st_mtime_ns for path in (out_of(folder) / "evidence").iterdir()} == written


def test_an_interrupted_run_goes_on(folder, checkpoint):
    config = SegmentConfig(criterion="hidden-change", policy=checkpoint, mean_ticks=20)

    def stop(line):
        if line.startswith("2 of 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_folder(folder, config, say=stop)
    said = []
    resumed = segment_folder(folder, config, say=said.append)
    assert [line.split(":")[0] for line in said] == ["3 of 3"]
    whole = segment_folder(folder, config, folder.parent / "whole")
    for number in range(3):
        name = f"clip-{number}.jsonl"
        assert (resumed.out / "segments" / name).read_text() == (whole.out / "segments" / name).read_text()
    with pytest.raises(FormatError, match="begun with another policy"):
        segment_folder(folder, replace(config, policy=None))


def test_what_cannot_be_used_is_put_aside(folder):
    (folder / "clip-1.jsonl").write_text("{\n{}\n")
    (folder / "clip-2.mp4").write_bytes((folder / "clip-2.mp4").read_bytes()[:300])
    report = segment_folder(folder, BY_ACTIONS)
    assert report.clips == 1
    assert set(report.quarantined) == {"clip-1", "clip-2"}
    aside = read_json_lines(out_of(folder) / "quarantine.jsonl").values
    assert "line 1" in aside[0]["reason"]
    for number in (0,):
        (folder / f"clip-{number}.jsonl").unlink()
    with pytest.raises(FormatError, match="none of 3 clips can be cut"):
        segment_folder(folder, BY_ACTIONS, folder.parent / "other")


def test_one_tick_and_idle_clips_are_cut_with_the_others(tmp_path, checkpoint):
    record(tmp_path, "one", 1)
    record(tmp_path, "still", 50, still=True)
    record(tmp_path, "usual", 60)
    for criterion in ("sbd", "likelihood-ratio", "hidden-change", "action-cpd", "evidence-sum"):
        config = SegmentConfig(criterion=criterion, policy=checkpoint, mean_ticks=30)
        report = segment_folder(tmp_path, config, tmp_path / "out")
        assert (report.clips, report.quarantined) == (3, {})
        assert len(read_segments(tmp_path / "out" / "segments" / "one.jsonl")) == 1
        if criterion in ("sbd", "action-cpd"):
            assert len(read_segments(tmp_path / "out" / "segments" / "still.jsonl")) == 1


def test_a_predictor_with_other_bins_stops_everything(folder, tmp_path):
    other = write_checkpoint(tmp_path / "other", build(replace(tiny(), num_camera=25), seed=0), "other bins")
    with pytest.raises(FormatError, match="camera head has 25 classes, but labels in 11 camera bins have 121"):
        segment_folder(folder, SegmentConfig(policy=str(other)))


def test_thresholds_can_be_validated_and_used_elsewhere(folder, tmp_path):
    config = SegmentConfig(criterion="action-cpd", threshold="validation")
    report = segment_folder(folder, config)
    assert report.threshold.f1 == 1.0
    saved = str(report.out / "threshold.json")
    again = segment_folder(folder, replace(config, threshold=saved), tmp_path / "again")
    assert again.threshold == report.threshold
    with pytest.raises(FormatError, match="is for criterion action-cpd, not events"):
        segment_folder(folder, SegmentConfig(criterion="events", threshold=saved), tmp_path / "wrong")


def test_the_shipped_weights_need_no_predictor(folder):
    report = segment_folder(folder, SegmentConfig(criterion="learned", threshold="shipped"))
    assert report.clips == 3
    assert report.threshold.predictor is None
    assert report.threshold.options["events"]
    with pytest.raises(FormatError, match="is for criterion learned, not sbd"):
        segment_folder(folder, SegmentConfig(criterion="sbd", threshold="shipped"))


def test_play_without_a_log_has_shipped_weights_of_its_own(folder):
    """As labelled video is: weights that count on events find next to nothing there."""
    for clip in folder.glob("*.jsonl"):
        lines = [json.loads(line) for line in clip.read_text().splitlines()]
        clip.write_text("".join(json.dumps(line | {"stats": {}}) + "\n" for line in lines))
    for truth in folder.glob("*.truth.jsonl"):
        truth.unlink()
    assert not any(clip.events for clip in find_clips(folder)[0])
    report = segment_folder(folder, SegmentConfig(criterion="learned", threshold="shipped"))
    assert not report.threshold.options["events"]


def test_unknown_criteria_are_refused_before_any_work(folder):
    with pytest.raises(UnknownNameError, match="hidden-change"):
        segment_folder(folder, SegmentConfig(criterion="hidden-changes"))
    assert not (out_of(folder)).exists()


def test_nameless_segments_get_the_number_of_their_skill(folder):
    report = segment_folder(folder, replace(BY_ACTIONS, clusters=2))
    library = Library.read(report.out / "skills")
    assert sorted(skill.count for skill in library.skills) == [3, 3]
    segments = read_segments(report.out / "segments" / "clip-0.jsonl")
    walk = next(skill for skill in library.skills if skill.name is None)
    assert [segment.skill for segment in segments] == [walk.number, "mine stone"]


def test_datasets_get_columns_and_segments(folder, checkpoint, tmp_path):
    import pyarrow.parquet as pq

    from data_pipelines.datasets import ClipFacts, ClipLabels, Dataset
    from data_pipelines.exchange import export_to

    dataset = Dataset.make(tmp_path / "dataset", {"made": "by hand"})
    for clip in find_clips(folder)[0]:
        facts = ClipFacts(
            clip.name, clip.name, str(folder / f"{clip.name}.mp4"), "idm", len(clip), len(clip), 0, 64, 64,
            more={"events": [event.to_json() for event in clip.events]},
        )  # fmt: skip
        dataset.write(ClipLabels(facts, np.arange(len(clip)), clip.buttons, clip.camera))
    config = SegmentConfig(criterion="action-cpd", policy=checkpoint, threshold="4.0")
    report = segment_folder(tmp_path / "dataset", config, tmp_path / "out")
    assert report.clips == 3
    labels = dataset.read("clip-0")
    assert labels.columns["segment"].tolist() == [0] * 30 + [1] * 30
    assert np.isfinite(labels.columns["loss.buttons"]).all()
    assert [segment["start"] for segment in labels.facts.more["segments"]] == [0, 30]
    # and their export has them as LeRobot's subtasks
    export_to("lerobot", tmp_path / "dataset", tmp_path / "lerobot", lerobot="0.6")
    table = pq.read_table(tmp_path / "lerobot" / "data" / "chunk-000" / "file-000.parquet")
    names = pq.read_table(tmp_path / "lerobot" / "meta" / "subtasks.parquet").to_pandas().index.tolist()
    told = [names[number] for number in table["subtask_index"].to_pylist()[:60]]
    assert told == ["unknown"] * 30 + ["mine stone"] * 30
    assert {row["content"] for row in table["language_persistent"][0].as_py()} == {"mine stone"}


@pytest.mark.slow
def test_a_thousand_clips_are_cut_resumed_and_exported(tmp_path):
    import shutil

    record(tmp_path / "play", "clip-0000", 60)
    for number in range(1, 1000):
        for ending in (".mp4", ".jsonl", ".truth.jsonl"):
            shutil.copy(tmp_path / "play" / f"clip-0000{ending}", tmp_path / "play" / f"clip-{number:04d}{ending}")

    def stop(line):
        if line.startswith("500 of"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_folder(tmp_path / "play", BY_ACTIONS, say=stop)
    report = segment_folder(tmp_path / "play", BY_ACTIONS)
    assert (report.clips, report.ticks, report.segments) == (1000, 60_000, 2000)
    lines = [json.loads(line) for line in (report.out / "boundaries.jsonl").read_text().splitlines()]
    assert {tuple(map(tuple, line["boundaries"])) for line in lines} == {((0, 29), (30, 59))}
    assert len({line["file"] for line in lines}) == 1000
