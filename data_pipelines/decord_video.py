"""Frames by decord, which can hang in native code and so lives in a process that can be killed.

with open_video("clip.mp4", decoder="decord") as video:      # data_pipelines.video
    for frame in video.frames(): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from data_pipelines.video import AvReader, VideoDamage, VideoError, VideoStatus, chosen_frames, resize, stacked
from jarvis.core.files import Pathlike

__all__ = ["DecordReader"]


class DecordReader:
    """decord in a process of its own, with a deadline for every batch.

    It cannot tell damaged frames from good ones, and would give hidden frames of edit lists as if they were shown: such
    files are refused, as are those whose list of frames is not its own.
    """

    BATCH = 32
    DEADLINE = 60.0  # seconds for one batch

    def __init__(self, path: Pathlike, deadline: float = DEADLINE) -> None:
        with AvReader(path) as own:
            self.info, self._missing = own.info, own._missing
        self.path = self.info.path
        self.status = VideoStatus()
        self.deadline = deadline
        self._pool: Any = None
        if self.info.hidden:
            raise VideoError(
                f"{self.path}: an edit list hides {self.info.hidden} frames, which decord would show; use decoder 'av'"
            )
        count = self._ask(_decord_count, self.path)
        if count != self.info.num_frames or self._missing:
            raise VideoError(
                f"{self.path}: decord counts {count} frames, the file has {self.info.num_frames}"
                f"{f' of {self._missing + self.info.num_frames}' if self._missing else ''}; use decoder 'av'"
            )

    def __enter__(self) -> DecordReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
            pool.join()

    def _ask(self, function: Callable[..., Any], *args: Any) -> Any:
        import multiprocessing
        from concurrent.futures import TimeoutError as TooLate

        from pebble import ProcessExpired, ProcessPool

        if self._pool is None:
            self._pool = ProcessPool(max_workers=1, context=multiprocessing.get_context("spawn"))
        try:
            return self._pool.schedule(function, args=args, timeout=self.deadline).result()
        except TooLate:
            reason = f"decord did not answer within {self.deadline:g} s and was ended"
        except ProcessExpired as error:
            reason = f"decord died: {error}"
        except ImportError as error:
            raise VideoError(f"decoder 'decord' is not installed here ({error}); use decoder 'av'") from None
        except Exception as error:  # decord raises what it likes, through a pipe
            reason = f"decord: {str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__}"
        self.close()
        raise VideoError(f"{self.path}: {reason}")

    def frames(
        self, start: int = 0, stop: int | None = None, *, size: tuple[int, int] | None = None
    ) -> Iterator[np.ndarray]:
        """The frames [start, stop). Raises VideoDamage after the good ones."""
        count = self.info.num_frames
        stop = count if stop is None else stop
        if not 0 <= start <= stop <= count:
            raise VideoError(f"{self.path}: frames [{start}, {stop}), it has {count}")
        for begin in range(start, stop, self.BATCH):
            end = min(begin + self.BATCH, stop)
            try:
                batch = self._ask(_decord_batch, self.path, begin, end, size)
            except VideoDamage:
                raise
            except VideoError as error:
                reason = str(error).removeprefix(f"{self.path}: ")
                self.status = replace(self.status, state="partial", frames=begin, reason=reason)
                raise VideoDamage(self.path, begin, reason) from None
            self.status = replace(self.status, frames=max(end, self.status.frames))
            yield from batch
        if start == 0 and stop == count:
            self.status = replace(self.status, state="ok")

    def window(self, start: int, count: int, *, size: tuple[int, int] | None = None) -> np.ndarray:
        """(count, height, width, 3) uint8: all of them, or VideoDamage."""
        return stacked(self, start, count, size)

    def chosen(self, numbers: Sequence[int], *, size: tuple[int, int] | None = None) -> Iterator[np.ndarray]:
        """The frames of the given numbers, which never fall and may repeat: one pass through the file."""
        yield from chosen_frames(self, numbers, size)


_held: dict[str, Any] = {}  # in the child process: the one reader it keeps


def _decord_reader(path: str) -> Any:
    import decord  # type: ignore[import-untyped]

    if path not in _held:
        _held.clear()
        _held[path] = decord.VideoReader(path, num_threads=1)
    return _held[path]


def _decord_count(path: str) -> int:
    return len(_decord_reader(path))


def _decord_batch(path: str, start: int, stop: int, size: tuple[int, int] | None) -> np.ndarray:
    batch: np.ndarray = _decord_reader(path).get_batch(range(start, stop)).asnumpy()
    return batch if size is None else np.stack([resize(frame, size) for frame in batch])
