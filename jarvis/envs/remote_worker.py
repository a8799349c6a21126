"""The far end of `jarvis.envs.remote`: one simulator in a process, and where needed an interpreter, of its own.

    python remote_worker.py COMMANDS REPLIES FRAMES LIFELINE      (numbers of inherited file descriptors)

Run as a file and never imported by the worker's interpreter as part of `jarvis`: it needs Python 3.8, the standard
library, numpy and the simulator that it serves, on Linux or macOS.

The process that was started stays behind as a guard and forks the worker. The guard holds one end of the lifeline, a
pipe on which nothing is ever written; when the other end closes, because the player closed it or died, or when the
worker dies, the guard kills every descendant and leaves. On Linux it adopts orphans, so that a Java process in a
session of its own, or one that was daemonised, is a descendant still.

A message is four bytes of length, big-endian, and as much UTF-8 JSON. Each request has one reply:

    {"op": "launch", "simulator": ..., "options": {...}, "python_path": [...]}   {"python": ..., "lazy": ...}
    {"op": "reset", "seed": ..., "start": {...}}                        {"frame": [h, w, 3], "info": {...}}
    {"op": "step", "action": ...}     {"frame": ..., "reward": ..., "terminated": ..., "truncated": ..., "info": ...}
    {"op": "close"}                                                     {}

or {"error": {"type", "message", "trace"}}. The frame's bytes, uint8 RGB, lie at the beginning of the FRAMES file.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import select
import signal
import struct
import sys
import time
import traceback
from typing import Any

HEADER = struct.Struct(">I")
MAX_MESSAGE = 64 << 20  # bytes; more than this is noise on the pipe, not a message
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform.startswith("linux")


# -- messages, for both ends -----------------------------------------------------------------------------------------


def encode_message(message: Any) -> bytes:
    """The bytes of one message."""
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > MAX_MESSAGE:
        raise ValueError(f"a message of {len(body)} bytes, at most {MAX_MESSAGE} fit")
    return HEADER.pack(len(body)) + body


def _read_exactly(descriptor: int, count: int) -> bytes:
    parts = []
    while count:
        part = os.read(descriptor, min(count, 1 << 20))
        if not part:
            raise EOFError("the pipe was closed")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


# -- the guard -------------------------------------------------------------------------------------------------------


def descendants(root: int) -> list[int]:
    """Every process below `root`, zombies left out, as /proc tells; nothing where there is no /proc."""
    children: dict[int, list[int]] = {}
    gone = set()
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The name of the program stands in brackets and may hold anything.
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        children.setdefault(int(parent), []).append(int(name))
        if state in (b"Z", b"X"):
            gone.add(int(name))
    found, ahead = [], [root]
    while ahead:
        for child in children.get(ahead.pop(), []):
            ahead.append(child)
            if child not in gone:
                found.append(child)
    return found


def kill_all(pids: Any) -> None:
    """SIGKILL for each process that still exists and may be killed."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def _control_process(option: int, value: int) -> None:
    if not _LINUX:
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _reap(worker: int) -> int | None:
    """Collects the dead; the exit code of the worker if it is one of them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == worker:
            code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def fork_worker(lifeline: int, others: tuple[int, ...]) -> None:
    """Forks. Returns in the worker; the caller's process becomes the guard and never returns."""
    _control_process(_PR_SET_CHILD_SUBREAPER, 1)
    guard = os.getpid()
    worker = os.fork()
    if worker == 0:
        os.setsid()
        os.close(lifeline)
        _control_process(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:  # it died before the line above
            os._exit(1)
        return
    for descriptor in others:
        os.close(descriptor)
    code = 1
    try:
        code = _guard(worker, lifeline)
    finally:
        os._exit(code)


def _guard(worker: int, lifeline: int) -> int:
    bell, rope = os.pipe()
    for descriptor in (bell, rope):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(rope)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = None
    while code is None:
        ready, _, _ = select.select([lifeline, bell], [], [], 60)
        code = _reap(worker)
        if lifeline in ready or (bell in ready and signal.SIGTERM in os.read(bell, 4096)):
            break
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        below = descendants(os.getpid()) if _LINUX else []
        kill_all(below)
        if not _LINUX:
            try:
                os.killpg(worker, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        reaped = _reap(worker)
        code = reaped if reaped is not None else code
        if not below and (_LINUX or code is not None):
            break
        time.sleep(0.002)
    return 0 if code is None else code


# -- the simulators --------------------------------------------------------------------------------------------------


class SimulatorError(RuntimeError):
    """The simulator said that it failed, in whatever way it says so."""


COUNTERS = (
    "mine_block", "craft_item", "pickup", "use_item", "kill_entity", "break_item", "drop", "custom", "damage_dealt",
    "entity_killed_by",
)  # fmt: skip


def plain(value: Any) -> Any:
    """The same as JSON can say it: numpy's numbers and small arrays become Python's."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "to_json"):
        return plain(value.to_json())
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if hasattr(value, "tolist") and getattr(value, "size", 0) <= 4096:
        return plain(value.tolist())
    return str(value)[:200]


def sparse(counts: Any) -> dict[str, Any]:
    """What is not zero. The simulators list a thousand names every tick."""
    return {str(name): plain(count) for name, count in dict(counts).items() if count}


def _minecraft_action(action: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    camera = np.asarray(action["camera"], np.float32)
    return {key: camera if key == "camera" else int(value) for key, value in action.items()}


def _minecraft_info(values: dict[str, Any]) -> dict[str, Any]:
    info = {}
    for key, value in values.items():
        if key in COUNTERS:
            info[key] = sparse(value)
        elif key == "inventory":
            slots = value and all(isinstance(part, dict) for part in value.values())
            info[key] = plain(value) if slots else sparse(value)
        elif key not in ("pov", "full_stats", "voxels", "mobs", "message"):
            info[key] = plain(value)
    return info


class MineRL:
    """MineRL 1.0: `reset() -> observation`, `step() -> observation, reward, done, info`, Java at the first reset."""

    lazy = True

    def __init__(self, resolution: Any = (640, 360)) -> None:
        import minerl  # noqa: F401
        from minerl.herobraine.env_specs.human_survival_specs import HumanSurvival
        from minerl.herobraine.hero import handlers

        class Survival(HumanSurvival):  # type: ignore[misc]
            start: Any = None  # what the present reset asks for

            # The mission is written anew at every reset, so a new start needs no new game.
            def create_agent_start(self) -> Any:
                extra: list[Any] = []
                if self.start and self.start.get("slots"):
                    slots = {int(slot): stack for slot, stack in self.start["slots"].items()}
                    extra.append(handlers.InventoryAgentStart(slots))
                if self.start and self.start.get("biome"):
                    extra.append(handlers.PreferredSpawnBiome(self.start["biome"]))
                # In the order of the BASALT tasks, whose missions the engine is known to read.
                return [*super().create_agent_start(), *extra, handlers.DoneOnDeath()]

        self.spec = Survival(resolution=tuple(resolution))
        self.env = self.spec.make()

    def reset(self, seed: int, start: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        self.spec.start = start
        # NOTE: forgotten by the simulator after each reset.
        self.env.seed(seed)
        observation = self.env.reset()
        return observation["pov"], _minecraft_info(observation)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, done, info = self.env.step(_minecraft_action(action))
        if "error" in info:
            # NOTE: this observation is a random sample of the space.
            raise SimulatorError(f"MineRL lost its game: {info['error']}")
        values = {**observation, **info}
        return observation["pov"], float(reward), bool(done), False, _minecraft_info(values)

    def close(self) -> None:
        self.env.close()


class MineStudio:
    """MineStudio 1.1's MinecraftSim: five values from `step`, everything but a small picture in `info`."""

    lazy = True

    def __init__(self, resolution: Any = (640, 360), biome: Any = None, seed: int = 0) -> None:
        from minestudio.simulator import MinecraftSim
        from minestudio.simulator.callbacks import CommandsCallback

        self.commands = CommandsCallback([])
        try:
            self.sim = MinecraftSim(
                action_type="env",
                render_size=tuple(resolution),
                seed=seed,
                preferred_spawn_biome=biome,
                callbacks=[self.commands],
            )
        except (EOFError, SystemExit) as error:
            # It asks a question on standard input when its engine is missing.
            raise SimulatorError(
                "MineStudio's engine is not installed: python -m minestudio.simulator.entry -y"
            ) from error

    def reset(self, seed: int, start: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        self.commands.commands = list(start.get("commands", ()))
        # NOTE: without a command the callback fails, KeyError: 'pov'.
        self.sim.callbacks = [self.commands] if self.commands.commands else []
        # NOTE: forgotten by the simulator after each reset.
        self.sim.env.seed(seed)
        self._forget()
        _, info = self.sim.reset()
        return self._result(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        _, reward, terminated, _, info = self.sim.step(_minecraft_action(action))
        picture, info = self._result(info)
        # It sets both endings alike; patience is never its reason.
        return picture, float(reward), bool(terminated), False, info

    def _forget(self) -> None:
        # Its info gathers keys over steps and resets.
        if getattr(self.sim, "info", None) is not None:
            self.sim.info = {}

    @staticmethod
    def _result(info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if "error" in info:
            raise SimulatorError(f"MineStudio lost its game: {info['error']}")
        return info["pov"], _minecraft_info(info)

    def close(self) -> None:
        self.sim.close()


class GymnasiumEnvironment:
    """Anything with Gymnasium's reset and step whose observation is a picture or {"pov": picture}."""

    lazy = False

    def __init__(self, factory: str, arguments: Any = None) -> None:
        module, _, name = factory.partition(":")
        self.env = getattr(importlib.import_module(module), name)(**(arguments or {}))

    def reset(self, seed: Any, start: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=start or None)
        return self._picture(observation), plain(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if isinstance(action, dict) and "camera" in action:
            action = _minecraft_action(action)
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._picture(observation), float(reward), bool(terminated), bool(truncated), plain(info)

    @staticmethod
    def _picture(observation: Any) -> Any:
        return observation["pov"] if isinstance(observation, dict) else observation

    def close(self) -> None:
        self.env.close()


SIMULATORS: dict[str, Any] = {"minerl": MineRL, "minestudio": MineStudio, "gymnasium": GymnasiumEnvironment}


# -- the worker ------------------------------------------------------------------------------------------------------


class Frames:
    """The picture's place in memory that both ends see."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.memory: Any = None

    def put(self, picture: Any) -> list[int]:
        """Copies a (height, width, 3) uint8 picture there and returns its shape."""
        import numpy as np

        picture = np.asarray(picture)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise SimulatorError(f"the picture is {picture.dtype} {picture.shape}, expected uint8 (height, width, 3)")
        if self.memory is None or len(self.memory) < picture.nbytes:
            os.ftruncate(self.descriptor, picture.nbytes)
            self.memory = mmap.mmap(self.descriptor, picture.nbytes)
        np.frombuffer(self.memory, np.uint8, picture.size).reshape(picture.shape)[...] = picture
        return list(picture.shape)


def serve(commands: int, replies: int, frames: int) -> None:
    """Answers requests until the pipe closes or `close` was answered."""
    place = Frames(frames)
    simulator: Any = None
    while True:
        try:
            (length,) = HEADER.unpack(_read_exactly(commands, HEADER.size))
            request = json.loads(_read_exactly(commands, length))
        except EOFError:
            return
        operation = request["op"]
        try:
            if operation == "launch":
                sys.path[:0] = request["python_path"]
                simulator = SIMULATORS[request["simulator"]](**request["options"])
                reply = {"python": sys.version.split()[0], "lazy": simulator.lazy}
            elif operation == "reset":
                picture, info = simulator.reset(request["seed"], request["start"])
                reply = {"frame": place.put(picture), "info": info}
            elif operation == "step":
                picture, reward, terminated, truncated, info = simulator.step(request["action"])
                reply = {
                    "frame": place.put(picture),
                    "reward": reward,
                    "terminated": terminated,
                    "truncated": truncated,
                    "info": info,
                }
            else:
                if simulator is not None:
                    simulator.close()
                reply = {}
        except (Exception, SystemExit) as error:
            trace = traceback.format_exc()
            print(trace, file=sys.stderr, flush=True)
            reply = {"error": {"type": type(error).__name__, "message": str(error)[:4000], "trace": trace[-8000:]}}
        _write_all(replies, encode_message(reply))
        if operation == "close":
            return


def main() -> None:
    """Becomes the guard of a forked worker, which serves."""
    commands, replies, frames, lifeline = (int(word) for word in sys.argv[1:5])
    for descriptor in (commands, replies, frames, lifeline):
        os.set_inheritable(descriptor, False)
    fork_worker(lifeline, (commands, replies, frames))
    # The directory of this file is first on the path; from there `crafter` or `minerl` would be our adapters.
    if sys.path and os.path.abspath(sys.path[0] or ".") == os.path.dirname(os.path.abspath(__file__)):
        del sys.path[0]
    serve(commands, replies, frames)


if __name__ == "__main__":
    main()
