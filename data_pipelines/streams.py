"""Frames of several videos at once, decoded ahead in processes that can be killed, in memory that has a bound.

    with FrameStreams(workers=2, size=(128, 128)) as streams:
        stream = streams.open("clip.mp4")                  # at most `workers` at a time
        print(stream.head().num_ticks)
        for chunk in stream.chunks(): ...                  # (n, 128, 128, 3) uint8: the frames of the ticks
        print(stream.status)

A worker decodes the whole file, so that damage between the frames that are wanted is found too. When nobody takes its
frames it waits; when it has nothing to say for `deadline` seconds although its frames are taken, it is ended.
"""

from __future__ import annotations

import json
import multiprocessing.connection as connection
import queue
import secrets
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

import numpy as np

from data_pipelines.engines import Worker, loss
from data_pipelines.resampling import resample
from data_pipelines.video import TICK_RATE, VideoDamage, VideoError, VideoStatus, open_video

__all__ = ["FrameStream", "FrameStreams", "StreamHead", "StreamLost"]

CHUNK = 64  # frames that travel together
AHEAD = 4  # chunks that wait for whoever takes them
_POLL_SECONDS = 0.2


class StreamLost(VideoError):  # noqa: N818 - what became of a worker
    """The worker that decoded a video died or said nothing for too long."""


@dataclass(frozen=True)
class StreamHead:
    """What is known of a video before its frames."""

    width: int  # of the video; the frames that come have the size that was asked for
    height: int
    rate: float
    num_frames: int  # of the video
    source: np.ndarray  # (ticks,) int64: the frame that stands for each tick
    notes: tuple[str, ...]

    @property
    def num_ticks(self) -> int:
        """As many frames will come."""
        return len(self.source)


@dataclass(frozen=True)
class _Asked:
    """What a worker needs to know."""

    address: Any
    key: bytes
    token: bytes
    video: str
    size: tuple[int, int] | None
    decoder: str
    assumed: float | None
    chunk: int


def _decode(asked: _Asked) -> None:
    """In a worker: opens a video and sends what is in it."""
    with connection.Client(asked.address, authkey=asked.key) as out:
        out.send_bytes(asked.token)
        try:
            with open_video(asked.video, asked.decoder) as video:
                info = video.info
                plan = resample(info.times, TICK_RATE, asked.assumed)
                head = {
                    "width": info.width,
                    "height": info.height,
                    "rate": float(info.rate),
                    "num_frames": info.num_frames,
                    "notes": info.notes,
                }
                out.send_bytes(b"h" + json.dumps(head).encode())
                out.send_bytes(plan.source.astype(np.int64).tobytes())
                damage = None
                try:
                    _send_frames(out, video, plan.source, asked)
                except VideoDamage as error:
                    damage = error.reason
                out.send_bytes(b"e" + json.dumps({"status": asdict(video.status), "damage": damage}).encode())
        except VideoError as error:
            out.send_bytes(b"x" + str(error).encode(errors="replace"))


def _send_frames(out: Any, video: Any, source: np.ndarray, asked: _Asked) -> None:
    width, height = asked.size or (video.info.width, video.info.height)
    chunk = np.empty((asked.chunk, height, width, 3), np.uint8)
    filled = tick = 0
    try:
        for number, frame in enumerate(video.frames(size=asked.size)):
            while tick < len(source) and source[tick] == number:
                chunk[filled] = frame
                filled, tick = filled + 1, tick + 1
                if filled == len(chunk):
                    out.send_bytes(b"f")
                    out.send_bytes(chunk.reshape(-1))
                    filled = 0
    finally:
        if filled:  # also those before damage
            out.send_bytes(b"f")
            out.send_bytes(chunk[:filled].reshape(-1))


class FrameStream:
    """One video being decoded. Its methods are called by one thread."""

    def __init__(self, video: str, size: tuple[int, int] | None, deadline: float) -> None:
        self.video = video
        self.status: VideoStatus | None = None  # once all frames have come
        self.damage: str | None = None  # why not all of them came
        self._size, self._deadline = size, deadline
        self._messages: queue.Queue[Any] = queue.Queue(AHEAD)
        self._connected = threading.Event()
        self._stopped = threading.Event()
        self._connection: Any = None
        self._head: StreamHead | None = None

    def head(self) -> StreamHead:
        """What is known before the first frame. VideoError if the file holds no picture."""
        if self._head is None:
            self._head = self._next()
            assert isinstance(self._head, StreamHead)
        return self._head

    def is_waiting(self) -> bool:
        """Whether something has come that nobody took."""
        return not self._messages.empty()

    def chunks(self) -> Iterator[np.ndarray]:
        """(n, height, width, 3) uint8 frames. Ends early at damage, which `damage` tells then."""
        self.head()
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> Any:
        message = self._messages.get()
        if isinstance(message, Exception):
            raise message
        return message

    # in a thread of its own

    def _receive(self, future: Future[None]) -> bool:
        """Takes what the worker sends. Whether it said all that it had to say, and will rest now."""
        try:
            return self._pump(future)
        except StreamLost as error:
            self._put(error)
        except (OSError, EOFError):
            self._put(StreamLost(f"{self.video}: {_fate(future)}"))
        finally:
            if self._connection is not None:
                self._connection.close()
        return False

    def _pump(self, future: Future[None]) -> bool:
        waited = 0.0
        while not self._connected.wait(_POLL_SECONDS):
            waited += _POLL_SECONDS
            if self._stopped.is_set():
                return False
            if future.done():
                raise StreamLost(f"{self.video}: {_fate(future)}")
            if waited > self._deadline:
                raise StreamLost(f"{self.video}: its decoder did not start within {self._deadline:g} s")
        while not self._stopped.is_set():
            if not self._connection.poll(self._deadline):
                raise StreamLost(f"{self.video}: no frame within {self._deadline:g} s, its decoder was ended")
            message = self._connection.recv_bytes()
            kind, rest = message[:1], message[1:]
            if kind == b"f":
                self._put(self._shaped(self._connection.recv_bytes()))
            elif kind == b"h":
                told = json.loads(rest)
                source = np.frombuffer(self._connection.recv_bytes(), np.int64)
                self._frame = (told["height"], told["width"])
                self._put(StreamHead(**(told | {"source": source, "notes": tuple(told["notes"])})))
            elif kind == b"e":
                told = json.loads(rest)
                status = told["status"] | {"corrupt": tuple(told["status"]["corrupt"])}
                self.status, self.damage = VideoStatus(**status), told["damage"]
                self._put(None)
                return True
            else:
                self._put(VideoError(rest.decode()))
                return True
        return False

    def _shaped(self, data: bytes) -> np.ndarray:
        height, width = self._size[::-1] if self._size else self._frame
        return np.frombuffer(data, np.uint8).reshape(-1, height, width, 3)

    def _put(self, message: Any) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._messages.put(message, timeout=_POLL_SECONDS)
                return


def _fate(future: Future[None]) -> str:
    with suppress(Exception):
        error = future.exception(timeout=5)
        if error is not None:
            return f"its decoder failed: {loss(error) or f'{type(error).__name__}: {error}'}"
    return "its decoder went away"


class FrameStreams:
    """The workers, and the door at which they knock."""

    def __init__(
        self,
        workers: int = 1,
        size: tuple[int, int] | None = None,
        decoder: str = "av",
        assumed: float | None = None,
        deadline: float = 60.0,
        chunk: int = CHUNK,
    ) -> None:
        """size: (width, height) of the frames that come. assumed: see `resample`. deadline: seconds for one chunk."""
        self.size, self.decoder, self.assumed, self.deadline, self.chunk = size, decoder, assumed, deadline, chunk
        self._key = secrets.token_bytes(16)
        address = f"\0jarvis-{secrets.token_hex(8)}" if sys.platform == "linux" else None  # leaves no file behind
        self._door = connection.Listener(address, authkey=self._key)
        self._workers: queue.Queue[Worker] = queue.Queue()
        self._all = [Worker() for _ in range(workers)]
        for worker in self._all:
            worker.submit(import_module, "data_pipelines.video")  # processes start while there is nothing to do yet
            self._workers.put(worker)
        self._expected: dict[bytes, FrameStream] = {}
        self._open = True
        self._porter = threading.Thread(target=self._admit, daemon=True)
        self._porter.start()

    def open(self, video: str) -> FrameStream:
        """Begins to decode. Waits while all workers have something to do."""
        worker = self._workers.get()
        stream, token = FrameStream(video, self.size, self.deadline), secrets.token_bytes(16)
        self._expected[token] = stream
        asked = _Asked(self._door.address, self._key, token, video, self.size, self.decoder, self.assumed, self.chunk)
        future = worker.submit(_decode, asked)
        threading.Thread(target=self._serve, args=(stream, worker, future, token), daemon=True).start()
        return stream

    def _serve(self, stream: FrameStream, worker: Worker, future: Future[None], token: bytes) -> None:
        told_all = stream._receive(future)
        self._expected.pop(token, None)
        if not told_all:
            worker.end()
        self._workers.put(worker)

    def _admit(self) -> None:
        while self._open:
            try:
                caller = self._door.accept()
                stream = self._expected.get(caller.recv_bytes(64))
            except (OSError, EOFError, connection.AuthenticationError):
                continue
            if stream is None:
                caller.close()
                continue
            stream._connection = caller
            stream._connected.set()

    def drop(self, stream: FrameStream) -> None:
        """Nobody wants the rest."""
        stream._stopped.set()

    def close(self) -> None:
        """Ends all workers. May be called twice."""
        if not self._open:
            return
        self._open = False
        for stream in list(self._expected.values()):
            stream._stopped.set()
        for worker in self._all:
            worker.end()
        # NOTE: from a thread of its own, for if nobody waits at the door any more, nobody answers either
        threading.Thread(target=self._knock, daemon=True).start()
        self._porter.join(timeout=5)
        with suppress(OSError):
            self._door.close()

    def _knock(self) -> None:
        """Wakes whoever waits at the door."""
        with suppress(OSError, EOFError), connection.Client(self._door.address, authkey=self._key) as last:
            last.send_bytes(b"closed")

    def __enter__(self) -> FrameStreams:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
