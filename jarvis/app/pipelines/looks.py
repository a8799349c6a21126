"""Sample videos for the run page: short, small, with what was pressed beside them.

    shows = dataset_shows("runs/a/stages/labels/data")          # which pieces are worth a look
    told = film(shows[0], "runs/a/stages/labels/sample-0.mp4")  # JSON for the page; the video is written

Of labelled clips these are the one the model is least sure of and a middling one.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.datasets import Dataset
from data_pipelines.labels import ClipLabels
from data_pipelines.video import VideoWriter, open_video
from jarvis.app.pipelines.stages import Show
from jarvis.core.errors import FormatError
from jarvis.core.segments import Segment

__all__ = ["dataset_shows", "episode_shows", "film", "recording_shows"]

TICKS = 200  # of a sample: ten seconds
WIDTH = 384  # pixels of a sample
MOST_READ = 200  # clips that are looked at in the search for samples


def recording_shows(folder: str | Path, count: int = 1) -> list[Show]:
    """The first recordings of a folder that can be read."""
    from data_pipelines.recordings import find_recordings

    shows: list[Show] = []
    for recording in find_recordings(folder)[:MOST_READ]:
        if len(shows) == count:
            break
        try:
            played = recording.read()
        except (FormatError, OSError):
            continue
        stop = min(TICKS, played.num_ticks)
        facts = played.facts or {}
        shows.append(
            Show(
                played.recording.name, recording.video, np.arange(stop), played.log.buttons[:stop],
                played.log.camera[:stop], _piece(played.segments() if played.truth else [], 0, stop),
                f"played by {facts.get('player', 'somebody')}: {facts.get('instruction', 'no instruction')}",
            )
        )  # fmt: skip
    return shows


def dataset_shows(folder: str | Path, count: int = 2) -> list[Show]:
    """The clip of a dataset that its model is least sure of, and a middling one; the first ones of recorded play."""
    dataset = Dataset.open(folder)
    read = []
    for facts in dataset.clips()[:MOST_READ]:
        if dataset.video(facts).is_file():
            labels = dataset.read(facts.clip)
            sure = 1.0 if labels.confidence is None else float(labels.confidence.min(1).mean())
            read.append((sure, facts.clip, labels))
    read.sort(key=lambda entry: entry[:2])
    chosen = {0: "least sure", len(read) // 2: "middling"} if count > 1 else {len(read) // 2: "middling"}
    return [_show(dataset, read[place], word) for place, word in list(chosen.items())[:count] if place < len(read)]


def _show(dataset: Dataset, entry: tuple[float, str, ClipLabels], word: str) -> Show:
    sure, _, labels = entry
    start = max(0, len(labels) // 2 - TICKS // 2)
    stop = min(len(labels), start + TICKS)
    facts = labels.facts
    segments = [Segment.from_json(value) for value in facts.more.get("segments") or ()]
    told = f"labels by {facts.source}"
    told += "" if labels.confidence is None else f", {100 * sure:.0f} % sure on average ({word})"
    return Show(
        facts.name, dataset.video(facts), labels.frames[start:stop], labels.buttons[start:stop],
        labels.camera[start:stop], _piece(segments, start, stop), told,
    )  # fmt: skip


def episode_shows(folder: str | Path, lines: list[dict[str, Any]]) -> list[Show]:
    """A failure and a success of an evaluation, if there are videos of them."""
    from jarvis.app.policies import read_actions

    shows = []
    for wanted in (False, True):
        line = next((one for one in lines if bool(one["success"]) is wanted and one["video"] and one["actions"]), None)
        if line is None:
            continue
        actions = read_actions(Path(folder, line["actions"]))[:TICKS]
        buttons = np.stack([action.buttons for action in actions])
        camera = np.stack([action.camera for action in actions])
        verdict = "success" if wanted else "no success"
        shows.append(
            Show(
                f"{line['task']}, seed {line['seed']}", Path(folder, line["video"]), np.arange(len(actions)), buttons,
                camera, note=f"{verdict} after {line['ticks']} ticks: \u201c{line['instruction']}\u201d",
            )
        )  # fmt: skip
    return shows


def _piece(segments: list[Segment], start: int, stop: int) -> tuple[Segment, ...]:
    return tuple(
        Segment(max(one.start, start) - start, min(one.stop, stop) - start, one.skill, one.criterion)
        for one in segments
        if one.start < stop and one.stop > start
    )


def film(show: Show, path: Path) -> dict[str, Any]:
    """Writes the pictures, at most 384 wide, and returns what the page needs besides."""
    with open_video(show.video) as video:
        count = min(len(show.frames), video.info.num_frames)
        width = min(WIDTH, video.info.width)
        height = max(2, round(video.info.height * width / video.info.width / 2) * 2)
        with VideoWriter(path, width, height, crf=30) as out:
            for frame in video.chosen(show.frames[:count].tolist(), size=(width, height)):
                out.write(frame)
    packed = np.zeros(count, [("keys", "u1", 3), ("turn", "<i2", 2)])  # as the reports of evaluations have it
    bits = (show.buttons[:count] != 0) @ (1 << np.arange(show.buttons.shape[1]))
    packed["keys"] = bits[:, None] >> np.array([0, 8, 16]) & 255
    packed["turn"] = np.clip(np.rint(100 * show.camera[:count]), -32768, 32767)
    return {
        "title": show.title, "note": show.note, "video": path.name, "ticks": count,
        "actions": base64.b64encode(packed.tobytes()).decode(),
        "track": [[one.start, one.stop, one.skill] for one in show.segments],
    }  # fmt: skip
