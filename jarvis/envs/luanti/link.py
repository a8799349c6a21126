"""Our end of `data/framelock.c`: a game that waits in every frame until it is told to go on.

with FrameLink(memory_bytes) as link:
    game = subprocess.Popen(command, env={**os.environ, **link.variables(library)}, pass_fds=link.theirs)
    link.begun()                       # the descriptors of the game's end are closed here
    link.wait(30.0)                    # the first picture is there
    link.go(); link.wait(10.0)         # one tick more
    picture = link.picture()           # (height, width, 3) uint8
"""

from __future__ import annotations

import mmap
import os
import select
import struct
from typing import Any

import numpy as np

__all__ = ["TICK_NANOSECONDS", "FrameLink", "GameLostError"]

TICK_NANOSECONDS = 50_000_000  # of the game's clock, between two pictures
HEADER = struct.Struct("=4q4i")  # framelock.c's struct header
PIXELS_AT = 4096


class GameLostError(RuntimeError):
    """The game ended, or does not come to the end of a frame."""


class FrameLink:
    """Memory and pipes that are shared with one game."""

    def __init__(self, most_pixels: int, patience_seconds: float = 20.0) -> None:
        """patience_seconds: how long the game's other threads may take in each frame before it goes on all the same."""
        self._memory_fd = os.memfd_create("jarvis-luanti")
        os.ftruncate(self._memory_fd, PIXELS_AT + 3 * most_pixels)
        self._memory = mmap.mmap(self._memory_fd, PIXELS_AT + 3 * most_pixels)
        self._ready, self._give_ready = os.pipe()
        self._take_go, self._go = os.pipe()
        struct.pack_into("=q", self._memory, 8, int(patience_seconds * 1e6))
        self._waiting = False  # the game waits for us
        self._open = True

    @property
    def theirs(self) -> tuple[int, ...]:
        """The descriptors that the game inherits."""
        return self._memory_fd, self._give_ready, self._take_go

    def variables(self, library: str | os.PathLike[str]) -> dict[str, str]:
        """The environment variables that the game is started with."""
        told = ":".join(str(number) for number in (*self.theirs, TICK_NANOSECONDS))
        return {"JARVIS_FRAMELOCK": told, "LD_PRELOAD": os.fspath(library)}

    def begun(self) -> None:
        """Lets go of the game's ends, so that its death is seen."""
        for descriptor in (self._give_ready, self._take_go):
            os.close(descriptor)

    def go(self) -> None:
        """Lets the game play one frame."""
        if not self._waiting:
            raise GameLostError("the game is not waiting at the end of a frame")
        self._waiting = False
        try:
            os.write(self._go, b"g")
        except BrokenPipeError:
            raise GameLostError("the game ended") from None

    def wait(self, seconds: float) -> None:
        """Waits for the end of the frame. Raises GameLostError if the game ended or took longer."""
        if self._waiting:
            return
        poll = select.poll()
        poll.register(self._ready, select.POLLIN)
        if not poll.poll(seconds * 1000):
            raise GameLostError(f"the game drew no picture for {seconds:g} s")
        if not os.read(self._ready, 1):
            raise GameLostError("the game ended")
        self._waiting = True

    def facts(self) -> dict[str, int]:
        """frames so far, the last one's waited_us, how many were restless, width, height, cursor_shown."""
        frames, _, waited, restless, width, height, cursor, server = HEADER.unpack_from(self._memory)
        return {
            "frames": frames,
            "waited_us": waited,
            "restless": restless,
            "width": width,
            "height": height,
            "cursor_shown": cursor,
            "server_seen": server,
        }

    def picture(self) -> np.ndarray:
        """(height, width, 3) uint8 RGB: a copy of what the frame drew."""
        facts = self.facts()
        height, width = facts["height"], facts["width"]
        if not height or not width:
            raise GameLostError("the game has drawn nothing that fits")
        pixels = np.frombuffer(self._memory, np.uint8, height * width * 3, PIXELS_AT)
        return pixels.reshape(height, width, 3)[::-1].copy()

    def close(self) -> None:
        """Ends the game, which sees its pipe closed. May be called twice."""
        if self._open:
            self._open = False
            for descriptor in (self._ready, self._go, self._memory_fd):
                os.close(descriptor)
            self._memory.close()

    def __enter__(self) -> FrameLink:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
