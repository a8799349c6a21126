"""Videos in, labelled clips out, at any scale: what `jarvis label` does.

    report = label(["videos/"], LabelRequest("labelled", idm="default"), engine="process", workers=2)
    print(report.done, report.quarantined)

    videos -> decoders (processes, ahead by a bounded number of frames) -> one labeller a device -> one file a clip

Work travels in batches of clips through an engine (data_pipelines.engines); a batch is labelled by a Bench (bench.py),
which lives in a worker process and keeps the model. The files are the truth: a clip is done when its labels are there,
so a run that was killed goes on where it stopped, and any number of machines may share the work. A clip that could not
be done is tried once more, alone, and then put aside with the reason.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_pipelines.clips import ENDINGS, Clip, find_videos, identify, share
from data_pipelines.datasets import Dataset, Quarantined
from data_pipelines.engines import make_engine
from data_pipelines.exchange_vpt import contractor_text, file_names
from data_pipelines.labels import ClipFacts
from data_pipelines.video import DECODERS, TICK_RATE, VideoError
from jarvis.app.bench import Ended, LabelBatch, LabelRequest, printable
from jarvis.app.progress import Meter
from jarvis.core.errors import JarvisError, UnknownNameError, nearest_names
from jarvis.core.files import atomic_write

__all__ = ["LabelReport", "LabelRequest", "LabellingError", "label", "write_jsonl"]

BATCH_CLIPS, BATCH_BYTES = 64, 512 << 20  # what one worker gets at a time, at most
LABELS_SHARE = 0.03  # bytes of labels for a byte of video, for the look at the free disk


class LabellingError(JarvisError, RuntimeError):
    """The run cannot go on, and it is not a clip's fault."""


@dataclass
class LabelReport:
    """What is in the dataset now, of the videos that were asked for."""

    videos: int = 0
    done: int = 0
    before: int = 0  # of them: by earlier runs
    ticks: int = 0  # labelled by this run
    seconds: float = 0.0  # of this run
    quarantined: dict[str, Quarantined] = field(default_factory=dict)  # by clip
    copies: dict[str, str] = field(default_factory=dict)  # videos left out -> the one they are copies of


# the run


def label(
    sources: Iterable[str | os.PathLike[str]],
    request: LabelRequest,
    *,
    engine: str = "process",
    workers: int = 1,
    rank: int = 0,
    world: int = 1,
    retry: bool = False,
    jsonl: bool = False,
    say: Callable[[str], None] = lambda line: None,
    ended: Callable[[Ended], None] = lambda one: None,
    **engine_options: Any,
) -> LabelReport:
    """Labels what is not labelled yet and returns what there is then.

    workers: labellers at once. rank, world: this run does its share of the clips; the others are other runs'. retry:
    clips that were put aside are tried again. jsonl: see `write_jsonl`. ended: called for every clip that this run
    labelled or put aside. Raises LabellingError when the model fails on everything and OSError when the disk is full;
    what was done is kept.
    """
    import idm

    started = time.monotonic()
    if request.decoder not in DECODERS:
        raise UnknownNameError("decoder", request.decoder, nearest_names(request.decoder, DECODERS))
    sources = list(sources)
    videos = find_videos(sources)
    if not videos:
        raise VideoError(f"{', '.join(map(str, sources))}: no video in it; videos end in {', '.join(ENDINGS)}")
    maker = {
        "source": "idm",
        "idm": idm.fingerprint(request.idm),
        "rate": TICK_RATE,
        "assumed_rate": request.assumed_rate,
        "keep_partial": request.keep_partial,
    }
    dataset = Dataset.make(request.out, maker)
    with dataset.claim(rank, world):
        known = dataset.known()
        every, copies = identify(videos, known)
        clips = share(every, rank, world)
        dataset.remember({clip.print: clip.id for clip in clips if known.get(clip.print) != clip.id})
        dataset.sweep([clip.id for clip in clips])
        if retry and (again := set(dataset.quarantined()) & {clip.id for clip in clips}):
            dataset.release(again)
        aside = dataset.quarantined()
        done = dataset.done()
        before = {clip.id for clip in clips if clip.id in done and dataset.is_whole(clip.id)}
        todo = [clip for clip in clips if clip.id not in before and clip.id not in aside]
        report = LabelReport(len(clips), len(before), len(before), copies=copies)
        say(_plan(report, len(todo), sum(clip.id in aside for clip in clips), request.out))
        meter = Meter(say, len(clips), "videos")
        run = _Run(dataset, request, report, meter.say, ended)
        if todo:
            _check_disk(dataset.folder, todo)
            with (
                meter,
                _follow(dataset.folder / request.log, len(before), meter),
                make_engine(engine, workers=workers, attempts=1, **engine_options) as hands,
            ):
                run.all(hands, todo, workers)
        if jsonl:
            write_jsonl(dataset, [clip.id for clip in clips])
        facts = (
            dataset.listed() | run.facts
        )  # whoever is stopped before this leaves a list that is made anew when needed
        if run.facts or set(facts) != dataset.done():
            dataset.write_index(facts)
        report.seconds = time.monotonic() - started
        aside = dataset.quarantined()
        report.quarantined = {clip.id: aside[clip.id] for clip in clips if clip.id in aside}
    return report


def _plan(report: LabelReport, todo: int, aside: int, out: str) -> str:
    parts = [f"{report.videos} videos", f"{report.before} labelled before", f"{todo} to do"]
    if aside:
        parts.append(f"{aside} put aside before, see {Path(out, 'quarantine.jsonl')}")
    if report.copies:
        parts.append(f"{len(report.copies)} copies left out")
    return ", ".join(parts)


def _check_disk(folder: Path, clips: Sequence[Clip]) -> None:
    needed = int(LABELS_SHARE * sum(clip.print[1] for clip in clips))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise LabellingError(
            f"{folder}: the labels of {len(clips)} videos need about {needed >> 10} KiB, {free >> 10} KiB are free"
        )


@contextmanager
def _follow(log: Path, before: int, meter: Meter) -> Iterator[None]:
    """Tells what the workers write into the log, while they work: batches end rarely."""
    over = threading.Event()
    place = log.stat().st_size if log.is_file() else 0

    def follow(place: int, done: int = before, ticks: int = 0) -> None:
        import pyarrow.parquet  # noqa: F401 - for the list of clips, while there is nothing else to do

        started = time.monotonic()
        while not over.wait(1.0):
            if not log.is_file():
                continue
            with open(log, "rb") as file:
                file.seek(place)
                lines = file.read()
            whole = lines[: lines.rfind(b"\n") + 1]
            place += len(whole)
            told = [json.loads(line) for line in whole.splitlines() if b'"done"' in line]
            done, ticks = done + len(told), ticks + sum(line["ticks"] for line in told)
            meter.tell(done, f"{ticks} ticks, {ticks / (time.monotonic() - started):.0f}/s")

    thread = threading.Thread(target=follow, args=(place,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def write_jsonl(dataset: Dataset, clips: Iterable[str]) -> None:
    """Writes DATASET/jsonl/NAME.jsonl for those clips that have labels and no such file: one line for each frame.

    Clips that share their name get their identity behind it.
    """
    names = file_names(dataset)
    for clip in clips:
        if clip in names and not (path := dataset.folder / "jsonl" / f"{names[clip]}.jsonl").is_file():
            atomic_write(path, contractor_text(dataset.read(clip)))


def _batches(clips: Sequence[Clip], workers: int) -> Iterator[list[Clip]]:
    most = max(1, min(BATCH_CLIPS, -(-len(clips) // (2 * workers))))
    batch: list[Clip] = []
    for clip in clips:
        if batch and (len(batch) == most or sum(one.print[1] for one in batch) + clip.print[1] > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(clip)
    yield batch


class _Run:
    """Two rounds: everything in batches, then what failed, one by one."""

    def __init__(
        self,
        dataset: Dataset,
        request: LabelRequest,
        report: LabelReport,
        say: Callable[[str], None],
        ended: Callable[[Ended], None],
    ) -> None:
        self.dataset, self.request, self.report, self.say, self.ended = dataset, request, report, say, ended
        self.facts: dict[str, ClipFacts] = {}

    def all(self, engine: Any, clips: Sequence[Clip], workers: int) -> None:
        """Every clip ends with labels or put aside."""
        failed = self.round(engine, _batches(clips, workers), last=False)
        again = [clip for clip in clips if clip.id in failed]
        for clip in again:
            self.say(f"{failed[clip.id].reason or printable(clip.video)}; once more")
        failed = self.round(engine, ([clip] for clip in again), last=True)
        if failed and not self.report.done and all(one.blame in ("model", "worker") for one in failed.values()):
            reason = next(iter(failed.values())).reason
            raise LabellingError(f"{self.request.idm}: the labeller fails on all {len(failed)} videos: {reason}")
        for clip in again:
            if clip.id in failed:
                reason, shown = failed[clip.id].reason or "", printable(clip.video)
                self.dataset.quarantine(Quarantined(clip.id, clip.video, 2, reason))
                self.say(f"{shown}: put aside: {reason.removeprefix(f'{shown}: ')}")
                self.ended(failed[clip.id])

    def round(self, engine: Any, batches: Iterable[list[Clip]], last: bool) -> dict[str, Ended]:
        """The clips that failed."""
        failed: dict[str, Ended] = {}
        for outcome in engine.map(LabelBatch(self.request), batches):
            told = {one.clip: one for one in outcome.value or ()}
            for clip in outcome.item:
                one = told.get(clip.id)
                if one is None:  # the worker is gone, but files stay
                    with suppress(JarvisError):
                        one = Ended(clip.id, self.dataset.facts(clip.id))
                    one = one or Ended(clip.id, None, outcome.reason or "not begun", "worker")
                if one.facts is not None:
                    self.facts[clip.id] = one.facts
                    self.report.done += 1
                    self.report.ticks += one.facts.num_ticks
                    self.ended(one)
                else:
                    failed[clip.id] = one
            for one in told.values():
                if one.blame == "disk":
                    raise LabellingError(f"{one.reason}; free some space and start again: what is done is kept")
                if one.blame == "bench":
                    raise LabellingError(f"{self.request.idm}: no labeller: {one.reason}")
        return failed
