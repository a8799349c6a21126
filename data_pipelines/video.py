"""Video files, read frame by frame without silent loss, and written.

    with open_video("clip.mp4") as video:
        print(video.info.num_frames, video.info.rate)
        for frame in video.frames(size=(128, 128)):        # (128, 128, 3) uint8 RGB, resized as OpenCV does
            ...
        plan = resample(video.info.times, rate=20)          # resampling.py: which frame stands for which tick
        for frame in video.chosen(plan.source): ...

    with VideoWriter("out.mp4", width=640, height=360) as out:
        out.write(frame)

A frame's number is its place in the order of presentation among those that a player would show: what an edit list
hides has no number. Each decoded frame is matched by its time stamp to the file's own list of packets, so a frame that
does not come out is noticed. Reading ends with VideoDamage at the first one; all frames before it were good. Files that
hold no picture are refused by `open_video` with VideoError. Only local files are opened, of the formats in FORMATS.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from jarvis.core.errors import FormatError, UnknownNameError, nearest_names
from jarvis.core.files import Pathlike

__all__ = [
    "DECODERS",
    "AvReader",
    "VideoDamage",
    "VideoError",
    "VideoInfo",
    "VideoReader",
    "VideoStatus",
    "VideoWriter",
    "check_video",
    "local_file",
    "open_video",
    "resize",
]

FORMATS = "mov,matroska,webm,avi,mpegts"  # playlists, which could name other files or addresses, are none of them
DECODERS = {"av": "data_pipelines.video:AvReader", "decord": "data_pipelines.decord_video:DecordReader"}
TICK_RATE = 20
_HIDDEN_FRAMES_OF_THEIR_OWN = {"vp8"}  # codecs with packets that are never shown


class VideoError(FormatError):
    """A file from which no picture can be read, or a reader that cannot do what is asked of it."""


class VideoDamage(VideoError):  # noqa: N818 - what is wrong with a file, not with a program
    """The file is damaged at a frame. All frames before it are good, and none after it is given."""

    def __init__(self, path: str, frame: int, reason: str) -> None:
        super().__init__(path, frame, reason)
        self.path, self.frame, self.reason = path, frame, reason

    def __str__(self) -> str:
        return f"{self.path}: damaged at frame {self.frame}: {self.reason}"


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """What a file says of its pictures, and what the time stamps of its packets say."""

    path: str
    width: int  # of the first frame
    height: int
    num_frames: int  # that are shown
    rate: Fraction  # frames a second, by the usual distance of two
    times: np.ndarray = field(repr=False)  # (num_frames,) float64 seconds from the first frame
    codec: str
    pixels: str  # format of the pixels: yuv420p, ...
    variable: bool  # distances between frames differ by more than a tenth of the usual one
    hidden: int = 0  # frames that an edit list hides
    rotation: int = 0  # degrees by which a player would turn the pictures; they are given as they are stored
    notes: tuple[str, ...] = ()  # whatever else is odd


@dataclass(frozen=True)
class VideoStatus:
    """How sound a file is, as far as it has been read.

    state: unread, ok, damaged (all frames are there, but the decoder flagged `corrupt` ones), or partial (only the
    first `frames` could be had). Frames after a corrupt one are drawn from it until the next key frame.
    """

    state: str = "unread"
    frames: int = 0  # read so far
    reason: str | None = None
    corrupt: tuple[int, ...] = ()  # numbers of frames whose data were damaged
    resized: int | None = None  # the first frame of another size, stretched to the first one's


class VideoReader(Protocol):
    """What every decoder offers. Frames are (height, width, 3) uint8 RGB, of `size` (width, height) if that is given.

    with open_video(path) as video:
        for frame in video.frames(start=100):
            ...
    """

    info: VideoInfo
    status: VideoStatus

    def frames(
        self, start: int = 0, stop: int | None = None, *, size: tuple[int, int] | None = None
    ) -> Iterator[np.ndarray]:
        """The frames [start, stop). Raises VideoDamage after the good ones."""
        ...

    def window(self, start: int, count: int, *, size: tuple[int, int] | None = None) -> np.ndarray:
        """(count, height, width, 3) uint8: all of them, or VideoDamage."""
        ...

    def chosen(self, numbers: Sequence[int], *, size: tuple[int, int] | None = None) -> Iterator[np.ndarray]:
        """The frames of the given numbers, which never fall and may repeat: one pass through the file."""
        ...

    def close(self) -> None:
        """Frees everything. May be called twice."""
        ...

    def __enter__(self) -> VideoReader: ...

    def __exit__(self, *_: object) -> None: ...


def resize(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A (height, width, 3) uint8 frame as (size[1], size[0], 3): exactly OpenCV's bilinear resize in fixed point.

    NOTE: never let a decoder do this. Its scalers differ by up to 160 levels, and released models were trained on this.
    """
    if (frame.shape[1], frame.shape[0]) == tuple(size):
        return frame
    import cv2

    return cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)


def open_video(path: Pathlike, decoder: str = "av") -> VideoReader:
    """Opens a file with one of DECODERS. VideoError if it holds no picture that can be read."""
    if decoder not in DECODERS:
        raise UnknownNameError("decoder", decoder, nearest_names(decoder, DECODERS))
    module, name = DECODERS[decoder].split(":")
    reader: VideoReader = getattr(import_module(module), name)(path)
    return reader


def check_video(path: Pathlike) -> VideoStatus:
    """Decodes the whole file and says how sound it is. VideoError if it holds no picture at all."""
    with AvReader(path) as video:
        with suppress(VideoDamage):
            for _ in video.decoded():
                pass
        return video.status


# PyAV


def _open_container(path: str) -> Any:
    import av

    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    return av.open(f"file:{path}", options=options, metadata_errors="replace")


def local_file(path: Pathlike) -> str:
    """The absolute path of a file that is there, whatever it holds. VideoError for addresses, folders and nothing."""
    text = os.fspath(path)
    if not os.path.isfile(text):
        if "://" in text or text.partition(":")[0] in {"http", "https", "rtmp", "rtsp", "concat", "data", "pipe"}:
            raise VideoError(f"{text}: an address; only local files are read, so download it first")
        raise VideoError(f"{text}: " + ("a folder, expected a video file" if os.path.isdir(text) else "no such file"))
    return os.path.abspath(text)


def _told(error: Exception) -> str:
    import av

    return error.strerror if isinstance(error, av.error.FFmpegError) and error.strerror else str(error)


class AvReader:
    """PyAV on one thread: with more, a corrupt file decodes differently each time."""

    def __init__(self, path: Pathlike) -> None:
        self.path = local_file(path)
        if not os.path.getsize(self.path):
            raise VideoError(f"{self.path}: empty")
        self.status = VideoStatus()
        self.info = self._probe()

    def __enter__(self) -> AvReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is kept open between two readings."""

    def _stream(self, container: Any) -> Any:
        if not container.streams.video:
            kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
            raise VideoError(f"{self.path}: no video in it, only {kinds}")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise VideoError(f"{self.path}: no decoder for its video")
        stream.thread_type = "NONE"
        return stream

    def _probe(self) -> VideoInfo:
        import av

        try:
            with _open_container(self.path) as container:
                stream = self._stream(container)
                first = next(iter(container.decode(stream)), None)
                if first is None:
                    raise VideoError(f"{self.path}: no frame in it")
                width, height, rotation = first.width, first.height, int(getattr(first, "rotation", 0))
                start, pixels = first.pts, first.format.name
            with _open_container(self.path) as container:
                return self._index(container, width, height, rotation, start, pixels)
        except (av.error.FFmpegError, OSError, EOFError) as error:
            raise VideoError(f"{self.path}: no video can be read from it: {_told(error)}") from None

    def _index(
        self, container: Any, width: int, height: int, rotation: int, start: int | None, pixels: str
    ) -> VideoInfo:
        import av

        stream = self._stream(container)
        shown: list[int | None] = []
        hidden, broken = 0, ""
        try:
            for packet in container.demux(stream):
                if packet.size == 0 and packet.pts is None:
                    continue
                if packet.is_discard:
                    hidden += 1
                else:
                    shown.append(packet.pts)
        except (av.error.FFmpegError, EOFError) as error:
            broken = f"the packets end after {len(shown)}: {_told(error)}"
        notes = [broken] if broken else []
        claimed, found = stream.frames, len(shown)
        # NOTE: an edit list makes the demuxer leave packets out, so that the file's own count says nothing then.
        self._missing = 0 if hidden else max(0, claimed - found)
        if self._missing:
            notes.append(f"the file claims {claimed} frames and has {found}")
        codec = stream.codec_context.name
        stamps = sorted(stamp for stamp in shown if stamp is not None)
        self._stamps: list[int] | None = stamps
        if len(stamps) < len(shown) or start is None:  # a format without time stamps: frames are counted
            self._stamps = None
            rate = stream.average_rate or stream.guessed_rate or Fraction(TICK_RATE)
            times = np.arange(len(shown)) / float(rate)
        else:
            undecodable = int(np.searchsorted(stamps, start))
            if undecodable:
                notes.append(f"{undecodable} frames before the first key frame cannot be decoded")
            stamps[:] = stamps[undecodable:]
            base = float(stream.time_base)
            times = np.array([(stamp - start) * base for stamp in stamps], np.float64)
            rate = _rate(times, stream.average_rate)
        end = float(container.duration or 0) / 1e6
        if len(times) and end > times[-1] + 2 / rate + 1 and not hidden:
            notes.append(f"the file claims {end:.1f} s, its frames end at {times[-1] + 1 / rate:.1f} s")
        steps = np.diff(times)
        usual = 1 / float(rate)
        variable = bool(steps.size and np.abs(steps - usual).max() > 0.1 * usual)
        return VideoInfo(
            self.path, width, height, len(times), rate, times, codec, pixels, variable, hidden, rotation, tuple(notes)
        )

    def decoded(self, start: int = 0, stop: int | None = None) -> Iterator[Any]:
        """The av.VideoFrames [start, stop) as they are stored, and the bookkeeping of `status`."""
        import av

        stop = self._range(start, stop)
        number = start
        try:
            with _open_container(self.path) as container:
                for frame in self._decode_from(container, start):
                    if number >= stop:
                        break
                    self._match(frame, number)
                    self._note(frame, number)
                    yield frame
                    number += 1
        except (av.error.FFmpegError, EOFError) as error:
            raise self._damage(number, _told(error)) from None
        if number < stop:
            raise self._damage(number, f"{stop - number} frames that the file lists did not come out")
        if stop == self.info.num_frames and self._missing:
            raise self._damage(number, f"the file claims {self._missing} frames more than it has")
        if start == 0 and stop == self.info.num_frames and self.status.state == "unread":
            self.status = replace(self.status, state="ok")

    def _range(self, start: int, stop: int | None) -> int:
        count = self.info.num_frames
        stop = count if stop is None else stop
        if not 0 <= start <= stop <= count:
            raise VideoError(f"{self.path}: frames [{start}, {stop}), it has {count}")
        return stop

    def _decode_from(self, container: Any, start: int) -> Iterator[Any]:
        stream = self._stream(container)
        stamps = self._stamps
        if start and stamps is not None:
            container.seek(stamps[min(start, len(stamps) - 1)], stream=stream, backward=True)
            for frame in container.decode(stream):
                if frame.pts is None or frame.pts >= stamps[start]:
                    yield frame
            return
        frames = container.decode(stream)
        for _ in range(start):
            next(frames, None)
        yield from frames

    def _match(self, frame: Any, number: int) -> None:
        stamps = self._stamps
        if stamps is None or frame.pts == stamps[number] or self.info.codec in _HIDDEN_FRAMES_OF_THEIR_OWN:
            return
        place = "nowhere in its list" if frame.pts not in stamps else f"that of frame {stamps.index(frame.pts)}"
        raise self._damage(number, f"the decoder gave a frame whose time stamp is {place}")

    def _note(self, frame: Any, number: int) -> None:
        status = self.status
        if frame.is_corrupt and number not in status.corrupt:
            corrupt = tuple(sorted((*status.corrupt, number)))
            status = replace(
                status, state="damaged", corrupt=corrupt, reason=f"{len(corrupt)} frames with damaged data"
            )
        if status.resized is None and (frame.width, frame.height) != (self.info.width, self.info.height):
            status = replace(status, resized=number)
        if number >= status.frames:
            status = replace(status, frames=number + 1)
        self.status = status

    def _damage(self, number: int, reason: str) -> VideoDamage:
        self.status = replace(self.status, state="partial", frames=number, reason=reason)
        return VideoDamage(self.path, number, reason)

    def frames(
        self, start: int = 0, stop: int | None = None, *, size: tuple[int, int] | None = None
    ) -> Iterator[np.ndarray]:
        """The frames [start, stop). Raises VideoDamage after the good ones."""
        from av.video.reformatter import VideoReformatter

        converter, own_size = VideoReformatter(), (self.info.width, self.info.height)
        for frame in self.decoded(start, stop):
            picture = converter.reformat(frame, format="rgb24").to_ndarray()
            yield resize(resize(picture, own_size), size or own_size)

    def window(self, start: int, count: int, *, size: tuple[int, int] | None = None) -> np.ndarray:
        """(count, height, width, 3) uint8: all of them, or VideoDamage."""
        return stacked(self, start, count, size)

    def chosen(self, numbers: Sequence[int], *, size: tuple[int, int] | None = None) -> Iterator[np.ndarray]:
        """The frames of the given numbers, which never fall and may repeat: one pass through the file."""
        yield from chosen_frames(self, numbers, size)


def stacked(reader: VideoReader, start: int, count: int, size: tuple[int, int] | None) -> np.ndarray:
    width, height = size or (reader.info.width, reader.info.height)
    stacked = np.empty((count, height, width, 3), np.uint8)
    for place, frame in zip(stacked, reader.frames(start, start + count, size=size), strict=True):
        place[:] = frame
    return stacked


def chosen_frames(reader: VideoReader, numbers: Sequence[int], size: tuple[int, int] | None) -> Iterator[np.ndarray]:
    wanted = np.asarray(numbers, np.int64)
    if not len(wanted):
        return
    if (np.diff(wanted) < 0).any():
        raise VideoError(f"{reader.info.path}: frame numbers must not fall")
    place = 0
    for number, frame in enumerate(reader.frames(int(wanted[0]), int(wanted[-1]) + 1, size=size), int(wanted[0])):
        while place < len(wanted) and wanted[place] == number:
            yield frame
            place += 1


def _rate(times: np.ndarray, average: Fraction | None) -> Fraction:
    steps = np.diff(times)
    usual = float(np.median(steps)) if steps.size else 0.0
    if usual > 0:  # pauses left out, jitter evened out
        usual = float(steps[np.abs(steps - usual) < usual / 2].mean())
    if average and (usual <= 0 or abs(float(average) * usual - 1) < 0.01):
        return Fraction(average)
    return Fraction(round(1000 / usual), 1000) if usual > 0 else Fraction(TICK_RATE)


# writing


class VideoWriter:
    """h264 in mp4, encoded while frames come; the file takes its name when it is whole.

    with VideoWriter("play.mp4", 640, 360) as video:
        video.write(frame)                                # (360, 640, 3) uint8 RGB

    Frames of an odd size get one more row or column, the last one again. If the block raises, or `discard` is called,
    no file appears. The same frames and settings give the same bytes on the same machine.
    """

    def __init__(
        self,
        path: Pathlike,
        width: int,
        height: int,
        *,
        fps: int = TICK_RATE,
        crf: int = 20,
        preset: str = "veryfast",
        keyframes: int = 250,
    ) -> None:
        """crf: 0 (lossless) to 51. preset: x264's, ultrafast to placebo. keyframes: frames from one to the next, at
        most. OSError if the file cannot be made."""
        import av

        if width < 1 or height < 1:
            raise VideoError(f"{path}: {width} x {height} pixels")
        self.path = Path(path)
        self.frames = 0
        self._shape = (height, width)
        self._padding = ((0, height % 2), (0, width % 2), (0, 0))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = self.path.with_name(f".{self.path.stem}.{secrets.token_hex(6)}.tmp.mp4")
        self._container = av.open(
            f"file:{self._temporary.absolute()}", "w", format="mp4", options={"movflags": "faststart"}
        )
        options = {"crf": str(crf), "preset": preset, "threads": "1", "g": str(keyframes)}
        self._stream: Any = self._container.add_stream("libx264", rate=fps, options=options)
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"

    def write(self, frame: np.ndarray) -> None:
        """Encodes one (height, width, 3) uint8 RGB frame. OSError if the disk is full."""
        import av

        if frame.dtype != np.uint8 or frame.shape != (*self._shape, 3):
            raise VideoError(f"{self.path}: a frame of {frame.dtype} {frame.shape}, expected uint8 {(*self._shape, 3)}")
        if any(after for _, after in self._padding):
            frame = np.pad(frame, self._padding, mode="edge")
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        self.frames += 1

    def finish(self) -> Path:
        """Ends the file and gives it its name. VideoError, and no file, if there was no frame."""
        if not self.frames:
            self.discard()
            raise VideoError(f"{self.path}: no frame was written")
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            with open(self._temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(self._temporary, self.path)
        except BaseException:
            self.discard()
            raise
        return self.path

    def discard(self) -> None:
        """Removes what was written."""
        with suppress(Exception):  # closing writes, and the disk may be the reason why we are here
            self._container.close()
        with suppress(OSError):
            self._temporary.unlink()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()
