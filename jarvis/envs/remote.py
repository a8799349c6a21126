"""An environment in its own process, and where needed its own Python, that can hang, die or flood without harm.

    simulator = RemoteSimulator("minerl", {"resolution": [640, 360]}, RemoteConfig(python="/opt/minerl/bin/python"))
    frame, info = simulator.reset(seed=7)
    frame, reward, terminated, truncated, info = simulator.step(action)
    simulator.close()

`remote_worker.py` is the other end. Requests and replies are JSON on two pipes, pictures go through memory that both
ends map and that has no name, so nothing can be left behind; nothing is pickled. No thread is used: what the simulator
prints is read whenever an answer is awaited, and its last 64 KiB are kept for the error message.

Every request has a deadline. When it passes, or the worker dies or talks nonsense, the whole tree of processes below
it is killed, also those that made a session of their own, and EnvironmentFailure is raised: the episode is aborted.
The next reset starts a new process, as often as the hourly budget allows.
"""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
import uuid
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jarvis.core.errors import EnvironmentFailure, EpisodeError
from jarvis.envs.remote_worker import HEADER, MAX_MESSAGE, descendants, encode_message, kill_all

__all__ = ["RemoteConfig", "RemoteFailure", "RemoteProcess", "RemoteSimulator"]

WORKER_FILE = Path(__file__).with_name("remote_worker.py")
LOG_BYTES = 64 << 10
_TAG = "JARVIS_REMOTE_ID"  # an environment variable that every descendant inherits


@dataclass(frozen=True)
class RemoteConfig:
    """How one simulator is run. Seconds are wall clock."""

    python: str | None = None  # the worker's interpreter; None means the one that runs this
    launch_seconds: float = 300.0  # import, construction, and the first reset of a game that starts only then
    reset_seconds: float = 120.0
    step_seconds: float = 30.0
    close_seconds: float = 10.0  # of good-bye; what still runs afterwards is killed
    reset_attempts: int = 2  # a reset that fails is tried again with the same seed, in a new process
    restarts_per_hour: int = 20  # after failures; then EnvironmentFailure without another try
    episodes_per_process: int = 50  # a new process after so many, because games leak; 0 means never
    environment: Mapping[str, str] = field(default_factory=dict)  # variables for the worker, beside ours
    python_path: tuple[str, ...] = ()  # folders before the worker's own sys.path

    def __post_init__(self) -> None:
        for name in ("launch_seconds", "reset_seconds", "step_seconds", "close_seconds"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)!r}, expected more than 0")
        for name, least in (("reset_attempts", 1), ("restarts_per_hour", 0), ("episodes_per_process", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: {getattr(self, name)!r}, expected at least {least}")


class RemoteFailure(EnvironmentFailure):
    """A simulator that hung, died or failed, by the request during which it did.

    stage: launch, reset, step or close. reason: what happened. log: the end of what the simulator printed.
    """

    def __init__(self, stage: str, reason: str, log: str = "") -> None:
        super().__init__(stage, reason, log)
        self.stage, self.reason, self.log = stage, reason, log

    def __str__(self) -> str:
        lines = [line for line in self.log.splitlines() if line.strip()][-12:]
        printed = "\nThe simulator's last words:\n  " + "\n  ".join(line[:400] for line in lines) if lines else ""
        return f"{self.stage}: {self.reason}{printed}"


class _DeadlineError(Exception):
    """The deadline passed."""


class _DeathError(Exception):
    """The worker closed its pipe."""


class RemoteProcess:
    """One worker and everything below it. Raises RemoteFailure, and is closed afterwards, whatever goes wrong."""

    def __init__(self, simulator: str, options: Mapping[str, Any], config: RemoteConfig) -> None:
        self.config = config
        self.log = bytearray()
        self.episodes = 0
        self._handles = _Handles.start(config)
        self._finalizer = weakref.finalize(self, self._handles.end)
        launch = {
            "op": "launch",
            "simulator": simulator,
            "options": dict(options),
            "python_path": list(config.python_path),
        }
        self.facts = self.request(launch, config.launch_seconds)

    @property
    def alive(self) -> bool:
        """Whether it can be asked anything."""
        return self._finalizer.alive

    @property
    def pid(self) -> int:
        """The guard's process id; the worker and its children are its descendants."""
        return self._handles.guard.pid

    @property
    def log_tail(self) -> str:
        """The end of what the simulator printed, up to 64 KiB."""
        return self.log.decode(errors="replace")

    def request(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The reply to one message. Raises RemoteFailure if there is none within `seconds`, or it is an error."""
        stage = message["op"]
        if not self.alive:
            raise RemoteFailure(stage, "the simulator's process is closed")
        try:
            body = self._exchange(encode_message(message), time.monotonic() + seconds)
            reply = json.loads(body)
            if not isinstance(reply, dict):
                raise ValueError(f"a reply is an object, got {body[:80]!r}")
        except _DeadlineError:
            reason = f"no answer within {seconds:g} s"
        except _DeathError:
            reason = f"the simulator's process died ({self._handles.last_words()})"
        except ValueError as error:
            reason = f"the simulator's process talks nonsense: {error}"
        except BaseException:
            # NOTE: an interrupted exchange leaves half a message on the pipe.
            self.kill()
            raise
        else:
            if "error" not in reply:
                return reply
            reason = f"{reply['error']['type']}: {reply['error']['message']}"
        self.kill()
        raise RemoteFailure(stage, reason, self.log_tail)

    def frame(self, shape: list[int]) -> np.ndarray:
        """A copy of the picture of the last reply: `shape` (height, width, 3) uint8."""
        return self._handles.picture(shape)

    def close(self) -> None:
        """Lets the simulator say good-bye, then ends every process. May be called twice."""
        if self.alive:
            try:
                self.request({"op": "close"}, self.config.close_seconds)
            except RemoteFailure:
                pass
            self.kill()

    def kill(self) -> None:
        """Ends every process at once. May be called twice."""
        if self.alive:
            self._read_log()
            self._finalizer()

    def _exchange(self, request: bytes, deadline: float) -> bytes:
        handles, unsent, received = self._handles, memoryview(request), bytearray()
        length: int | None = None
        while True:
            wanted = deadline - time.monotonic()
            if wanted <= 0:
                raise _DeadlineError
            ready = handles.wait(wanted, writing=bool(unsent))
            if handles.log in ready:
                self._read_log()
            if handles.commands in ready and unsent:
                try:
                    unsent = unsent[os.write(handles.commands, unsent[: 1 << 16]) :]
                except BlockingIOError:
                    pass
                except BrokenPipeError:
                    raise _DeathError from None
            if handles.replies in ready:
                part = os.read(handles.replies, 1 << 20)
                if not part:
                    raise _DeathError
                received += part
            if length is None and len(received) >= HEADER.size:
                (length,) = HEADER.unpack_from(received)
                if length > MAX_MESSAGE:
                    raise ValueError(f"a reply of {length} bytes")
            if length is not None and len(received) >= HEADER.size + length:
                if len(received) > HEADER.size + length:
                    raise ValueError("more than one reply")
                return bytes(received[HEADER.size :])

    def _read_log(self) -> None:
        # At most twice the pipe's size at a time: a flood must not keep us from looking at the clock.
        for _ in range(2):
            try:
                part = os.read(self._handles.log, 1 << 16)
            except BlockingIOError:
                return
            if not part:
                self._handles.log_open = False
                return
            self.log += part
            del self.log[:-LOG_BYTES]


class _Handles:
    """The processes and descriptors of one worker, apart from RemoteProcess so that its finalizer can hold them."""

    def __init__(self, guard: subprocess.Popen[bytes], tag: str, ours: tuple[int, ...]) -> None:
        self.guard, self.tag, self.owner = guard, tag, os.getpid()
        self.commands, self.replies, self.frames, self.lifeline, self.log = ours
        self.log_open = True
        self.memory: mmap.mmap | None = None
        for descriptor in (self.commands, self.replies, self.log):
            os.set_blocking(descriptor, False)

    @classmethod
    def start(cls, config: RemoteConfig) -> _Handles:
        if os.name != "posix":
            raise RemoteFailure("launch", "simulators in their own process need Linux or macOS; on Windows use WSL")
        python = config.python or sys.executable
        tag = uuid.uuid4().hex
        opened: list[int] = []

        def pipe() -> tuple[int, int]:
            ends = os.pipe()
            opened.extend(ends)
            return ends

        try:
            (take_commands, commands), (replies, give_replies) = pipe(), pipe()
            (take_lifeline, lifeline), (log, give_log) = pipe(), pipe()
            frames = _nameless_file()
            opened.append(frames)
            theirs = (take_commands, give_replies, frames, take_lifeline)
            guard = subprocess.Popen(
                [python, "-u", str(WORKER_FILE), *(str(descriptor) for descriptor in theirs)],
                stdin=subprocess.DEVNULL,
                stdout=give_log,
                stderr=give_log,
                pass_fds=theirs,
                start_new_session=True,
                env={**os.environ, **config.environment, _TAG: tag},
            )
        except OSError as error:
            for descriptor in opened:
                os.close(descriptor)
            raise RemoteFailure("launch", f"cannot run {python}: {error.strerror or error}") from error
        for descriptor in (take_commands, give_replies, take_lifeline, give_log):
            os.close(descriptor)
        return cls(guard, tag, (commands, replies, frames, lifeline, log))

    def wait(self, seconds: float, writing: bool) -> set[int]:
        import select  # select.poll does not exist on Windows

        poll = select.poll()
        poll.register(self.replies, select.POLLIN)
        if self.log_open:
            poll.register(self.log, select.POLLIN)
        if writing:
            poll.register(self.commands, select.POLLOUT)
        return {descriptor for descriptor, _ in poll.poll(max(1.0, seconds * 1000))}

    def picture(self, shape: list[int]) -> np.ndarray:
        height, width, channels = shape
        count = height * width * channels
        if self.memory is None or len(self.memory) < count:
            if self.memory is not None:
                self.memory.close()
            self.memory = mmap.mmap(self.frames, count)
        return np.frombuffer(self.memory, np.uint8, count).reshape(height, width, channels).copy()

    def last_words(self) -> str:
        try:
            code = self.guard.wait(1.0)
        except subprocess.TimeoutExpired:
            return "its guard is still there"
        return f"signal {code - 128}" if code > 128 else f"signal {-code}" if code < 0 else f"exit code {code}"

    def end(self) -> None:
        if os.getpid() == self.owner:  # a fork of the player only lets go of its copies
            os.close(self.lifeline)
            try:
                self.guard.wait(2.0)
            except subprocess.TimeoutExpired:
                kill_all([*descendants(self.guard.pid), self.guard.pid])
                self.guard.wait()
            # Only needed when somebody killed the guard.
            kill_all(_tagged(self.tag))
        else:
            os.close(self.lifeline)
        if self.memory is not None:
            self.memory.close()
        for descriptor in (self.commands, self.replies, self.frames, self.log):
            os.close(descriptor)


def _nameless_file() -> int:
    """A file in memory that disappears with the last process that has it open."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("jarvis-frames")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _tagged(tag: str) -> list[int]:
    wanted = f"{_TAG}={tag}".encode()
    found = []
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if name.isdigit():
            try:
                if wanted in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                    found.append(int(name))
            except OSError:
                continue
    return found


class RemoteSimulator:
    """Episodes on a RemoteProcess that is started when needed and replaced when it fails or grows old."""

    def __init__(self, simulator: str, options: Mapping[str, Any], config: RemoteConfig | None = None) -> None:
        self.simulator, self.options, self.config = simulator, dict(options), config or RemoteConfig()
        self.process: RemoteProcess | None = None
        self.restarts = 0  # processes that replaced a failed one
        self._failures: deque[float] = deque()
        self._failed = False
        self._playing = False

    def reset(
        self, seed: int | None, start: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode: the first picture (height, width, 3) uint8 and the simulator's info.

        start: what the worker's simulator understands. options: other launch options from here on; a change starts a
        new process.
        """
        if options is not None and dict(options) != self.options:
            self.close()
            self.options = dict(options)
        self._playing = False
        message = {"op": "reset", "seed": seed, "start": dict(start or {})}
        for attempt in range(1, self.config.reset_attempts + 1):
            try:
                process = self._ready()
                slow = process.facts["lazy"] and not process.episodes
                reply = process.request(message, self.config.launch_seconds if slow else self.config.reset_seconds)
            except RemoteFailure:
                self._fail()
                if attempt == self.config.reset_attempts or self._spent():
                    raise
            except BaseException:
                self._fail()
                raise
            else:
                break
        process.episodes += 1
        self._playing = True
        return process.frame(reply["frame"]), reply["info"]

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Plays one tick: picture, reward, terminated, truncated, info. `action` must be JSON.

        Raises EpisodeError without asking the simulator if no episode is under way.
        """
        if not self._playing or self.process is None:
            raise EpisodeError("step without an episode: it has ended or failed, or none was begun; call reset")
        try:
            reply = self.process.request({"op": "step", "action": action}, self.config.step_seconds)
        except BaseException:
            self._fail()
            raise
        self._playing = not (reply["terminated"] or reply["truncated"])
        return (
            self.process.frame(reply["frame"]),
            reply["reward"],
            reply["terminated"],
            reply["truncated"],
            reply["info"],
        )

    def abort(self, reason: str) -> RemoteFailure:
        """Kills the game whose answers cannot be believed, and gives the failure to raise."""
        log = self.process.log_tail if self.process is not None else ""
        self._fail()
        return RemoteFailure("step", reason, log)

    def close(self) -> None:
        """Ends the game and every process of it. May be called twice, and the simulator used again afterwards."""
        if self.process is not None:
            self.process.close()
        self.process, self._playing = None, False

    def _fail(self) -> None:
        if self.process is not None:
            self.process.kill()
        self.process, self._failed, self._playing = None, True, False

    def _spent(self) -> bool:
        now = time.monotonic()
        while self._failures and now - self._failures[0] > 3600:
            self._failures.popleft()
        return len(self._failures) >= self.config.restarts_per_hour

    def _ready(self) -> RemoteProcess:
        limit = self.config.episodes_per_process
        if self.process is not None and limit and self.process.episodes >= limit:
            self.close()
        if self.process is None:
            if self._failed:
                if self._spent():
                    raise RemoteFailure(
                        "launch",
                        f"{self.simulator} failed more than {self.config.restarts_per_hour} times within an hour; "
                        "not started again (restarts_per_hour)",
                    )
                self._failures.append(time.monotonic())
                self.restarts += 1
            self.process = RemoteProcess(self.simulator, self.options, self.config)
            self._failed = False
        return self.process
