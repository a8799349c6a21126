"""One inverse dynamics model and the decoders that feed it, in one process.

    bench = Bench(LabelRequest("labelled", idm="default"))
    for ended in bench.label(clips): print(ended.clip, ended.reason)

Clips take turns at the model: whoever waits for frames lets the next one compute, so that a slow video holds up nobody
and short ones follow each other without a gap. Every clip's labels are written whole, or not at all.
"""

from __future__ import annotations

import errno
import io
import json
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.util import Finalize
from typing import Any

import numpy as np

from data_pipelines.clips import Clip
from data_pipelines.datasets import Dataset
from data_pipelines.labels import CONFIDENCES, ClipFacts, ClipLabels
from data_pipelines.streams import FrameStream, FrameStreams
from data_pipelines.video import VideoDamage, VideoError
from jarvis.core.actions import BUTTONS
from jarvis.core.errors import JarvisError

__all__ = ["Bench", "Ended", "LabelBatch", "LabelRequest", "printable"]

STALL_SECONDS = 900.0  # without a frame labelled: then the model hangs, and its process ends itself
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class LabelRequest:
    """How clips are labelled. Every worker gets it."""

    out: str  # the dataset
    idm: str = "default"  # see idm.load
    device: str | None = None  # cpu, cuda, cuda:1, ...; None takes the best
    decoders: int = 2  # processes that feed one labeller
    decoder: str = "av"  # or decord
    assumed_rate: float | None = None  # true frames a second of files whose time stamps are wrong
    keep_partial: bool = False  # label what comes before damage, instead of putting the clip aside
    deadline: float = 60.0  # seconds in which a decoder must give the next frames
    log: str = "events.jsonl"  # in the dataset: what was begun and done when


@dataclass(frozen=True)
class Ended:
    """How a clip ended on a bench."""

    clip: str
    facts: ClipFacts | None  # of the labels
    reason: str | None = None  # why there are none
    blame: str = "video"  # video, model, worker (it died), bench (the model cannot be loaded) or disk


class _Turn:
    """A lock that knows for how long it was held: as long as the model had something to do."""

    def __init__(self) -> None:
        self.busy = 0.0  # seconds
        self._lock = threading.Lock()
        self._since = 0.0

    def __enter__(self) -> None:
        self._lock.acquire()
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.busy += time.monotonic() - self._since
        self._lock.release()


class Bench:
    """One model and the decoders that feed it. Clips take turns: whoever waits for frames lets the next one compute."""

    def __init__(self, request: LabelRequest) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        import idm

        # What the first writing loads (pandas too, if it is there) shall not look like growing memory.
        pq.write_table(pa.table({"x": pa.array(np.zeros(1))}), io.BytesIO(), compression="zstd")

        self.request = request
        self.dataset = Dataset.open(request.out)
        self.streams = FrameStreams(
            request.decoders, None, request.decoder, request.assumed_rate, request.deadline
        )  # their processes start while the model is read
        self.labeller = idm.load(request.idm, device=request.device)
        self.streams.size = self.labeller.size
        self._turn = _Turn()
        self._progress = time.monotonic()
        self._working = False
        threading.Thread(target=self._watch, daemon=True).start()

    def label(self, clips: Sequence[Clip]) -> list[Ended]:
        """Labels clips and writes their files. What a clip raises is its reason; only a full disk ends the others."""
        waiting: queue.SimpleQueue[Clip] = queue.SimpleQueue()
        for clip in clips:
            waiting.put(clip)
        ended: list[Ended] = []
        full = threading.Event()

        def work() -> None:
            while not full.is_set():
                try:
                    clip = waiting.get_nowait()
                except queue.Empty:
                    return
                ended.append(one := self._label_one(clip))
                if one.blame == "disk":
                    full.set()

        began, busy = time.monotonic(), self._turn.busy
        self._working, self._progress = True, began
        threads = [threading.Thread(target=work, daemon=True) for _ in range(self.request.decoders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._working = False
        seconds, busy = time.monotonic() - began, self._turn.busy - busy
        self._note("batch", clips=len(ended), seconds=round(seconds, 3), busy=round(busy, 3))
        return ended

    def _label_one(self, clip: Clip) -> Ended:
        if self.dataset.is_whole(clip.id):  # done, by whoever had it before
            return Ended(clip.id, self.dataset.facts(clip.id))
        if (shown := printable(clip.video)) != clip.video:
            return Ended(clip.id, None, f"{shown}: a name that is not UTF-8; rename the file")
        blame = "video"
        try:
            stream = self.streams.open(clip.video)
            try:
                head = stream.head()
                with self._turn:
                    self._note("begun", clip=clip.id)
                    blame = "model"
                    labels = self._labels(clip, stream)
            except VideoError:
                blame = "video"
                raise
            finally:
                self.streams.drop(stream)
            self.dataset.write(labels)
            self._note("done", clip=clip.id, ticks=len(labels), frames=head.num_frames)
            return Ended(clip.id, labels.facts)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _DISK_FULL:
                blame = "disk"
            told = str(error) if isinstance(error, (JarvisError, OSError)) else f"{type(error).__name__}: {error}"
            return Ended(clip.id, None, told, blame)
        finally:
            self._progress = time.monotonic()

    def _labels(self, clip: Clip, stream: FrameStream) -> ClipLabels:
        head = stream.head()
        count = head.num_ticks
        buttons = np.zeros((count, len(BUTTONS)), np.uint8)
        camera = np.zeros((count, 2), np.float32)
        confidence = np.zeros((count, len(CONFIDENCES)), np.float32)
        ticks = 0
        for part in self.labeller.label(self._fed(stream)):
            rows = slice(ticks, ticks + len(part.buttons))
            buttons[rows], camera[rows], confidence[rows] = part.buttons, part.camera, part.confidence
            ticks = rows.stop
            self._progress = time.monotonic()
        status = stream.status
        assert status is not None
        frames = head.num_frames
        if stream.damage is not None:
            frames = status.frames
            if not (self.request.keep_partial and ticks):
                raise VideoDamage(clip.video, frames, stream.damage)
        elif ticks != count:
            raise RuntimeError(f"{clip.video}: {ticks} labels for {count} frames")
        notes = list(head.notes)
        if status.resized is not None:
            notes.append(f"from frame {status.resized} on the pictures had another size and were stretched")
        facts = ClipFacts(
            clip.id, clip.name, clip.video, "idm", ticks, frames,
            width=head.width, height=head.height, rate=round(head.rate, 4), status=status.state,
            corrupt=len(status.corrupt), notes=tuple(notes),
        )  # fmt: skip
        return ClipLabels(facts, head.source[:ticks], buttons[:ticks], camera[:ticks], confidence[:ticks])

    def _fed(self, stream: FrameStream) -> Iterator[np.ndarray]:
        """The stacks of frames; the turn is others' while this waits for one."""
        chunks = stream.chunks()
        while True:
            if stream.is_waiting():
                chunk = next(chunks, None)
            else:
                self._turn.__exit__()
                try:
                    chunk = next(chunks, None)
                finally:
                    self._turn.__enter__()
            if chunk is None:
                return
            yield chunk

    def _note(self, what: str, **more: Any) -> None:
        line = json.dumps({"time": round(time.time(), 3), "event": what, **more}) + "\n"
        # NOTE: a log and not the truth, so that it is not worth waiting for the disk, nor ending for a full one.
        with suppress(OSError), open(self.dataset.folder / self.request.log, "a", encoding="utf-8") as file:
            file.write(line)

    def _watch(self) -> None:
        while True:
            time.sleep(5)
            if self._working and time.monotonic() - self._progress > STALL_SECONDS:
                os._exit(75)  # the engine tries the clips again, one by one

    def close(self) -> None:
        """Ends the decoders."""
        self.streams.close()


def printable(path: str) -> str:
    """A path that can be printed and stored, whatever its bytes are."""
    return path.encode(errors="backslashreplace").decode()


_benches: dict[LabelRequest, Bench] = {}  # in a worker: the model of the last batch, which is that of the next


@dataclass(frozen=True)
class LabelBatch:
    """The work of an engine: a batch of clips, on the bench of the process."""

    request: LabelRequest

    def __call__(self, clips: Sequence[Clip]) -> list[Ended]:
        if self.request not in _benches:
            for other in _benches.values():
                other.close()
            _benches.clear()
            try:
                bench = Bench(self.request)
            except Exception as error:  # the next one would fail likewise
                told = str(error) if isinstance(error, (JarvisError, OSError)) else f"{type(error).__name__}: {error}"
                return [Ended(clips[0].id, None, told, "bench")]
            _benches[self.request] = bench
            Finalize(None, bench.close, exitpriority=10)  # before this process waits for its own
        return _benches[self.request].label(clips)
