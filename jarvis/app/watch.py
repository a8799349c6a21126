"""A local page that shows an episode live, and through which a person can play it.

    page = Page(human=True)
    with page.open():
        print(page.url)                                       # http://127.0.0.1:PORT/TOKEN/
        play_episode(env, HumanPolicy(page.hands), task, seed, [page], pace=page.pace)

Standard library only: one long answer carries pictures and state to the browser, small POSTs carry keys and mouse back.
It listens on 127.0.0.1 alone, wants the random token of its address, and refuses foreign Host and Origin headers, so
that no web page can reach it by rebinding a name.
"""

from __future__ import annotations

import hmac
import json
import secrets
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

import numpy as np

from jarvis.app.people import Hands
from jarvis.app.playing import Beginning, Outcome, Sink, Tick
from jarvis.app.policies import EndOfPlay
from jarvis.core.actions import Action
from jarvis.core.errors import JarvisError
from jarvis.core.files import parse_json

__all__ = ["SPEEDS", "Page"]

TICK_SECONDS = 0.05
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 0.0)  # 0 is as fast as possible
_PATIENCE = 0.25  # seconds between looks at whether Ctrl-C or the end has come
_HEARTBEAT = 1.0  # seconds after which a viewer is sent the same again, to notice that it has gone
_LONGEST_POST = 1 << 16  # bytes
_LATE = 0.25  # seconds behind the clock from which it starts anew instead of catching up
_FACTS = ("inventory", "life_stats", "location_stats", "isGuiOpen")
_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'"


class Page(Sink):
    """The page's side of the program: a sink for what happens, a clock, and a person's hands."""

    def __init__(
        self,
        *,
        human: bool = False,
        about: Mapping[str, Any] | None = None,
        port: int = 0,
    ) -> None:
        """human: a person plays; each episode stands still until they have taken the mouse. about: shown as it is
        (policy, environment, episodes). port: 0 takes a free one."""
        self.hands = Hands()
        self.human = human
        self.port = port
        self.token = secrets.token_urlsafe(16)
        self._about = {"human": human, **(about or {})}
        self._changed = threading.Condition()
        self._paused = human
        self._speed = 1.0
        self._steps = 0  # to play although paused
        self._ending = False  # the viewer wants this episode to end
        self._closed = False
        self._viewers = 0
        self._due = 0.0
        self._version = 0
        self._frame: np.ndarray | None = None
        self._state: dict[str, Any] = {"status": "loading", "tick": 0}
        self._picture: tuple[int, bytes] = (-1, b"")
        self._frames = 0  # counts pictures, so that each is encoded once
        self._server: ThreadingHTTPServer | None = None

    # the server

    @contextmanager
    def open(self) -> Iterator[Page]:
        """Serves the page until the block ends. Raises OSError if the port is taken."""
        server = _Server(("127.0.0.1", self.port), partial(_Handler, self))
        self._server, self.port = server, server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="watch page", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
                # The last state is on its way to whoever looks.
                self._changed.wait_for(lambda: self._viewers == 0, timeout=1.0)
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        """Where the page is, with the token that opens it."""
        return f"http://127.0.0.1:{self.port}/{self.token}/"

    # what happens

    def begin(self, beginning: Beginning) -> None:
        """Shows the first picture."""
        task = beginning.task
        state = {
            "status": "playing",
            "task": task.name,
            "goal": task.goal.text,
            "seed": beginning.seed,
            "max_ticks": task.max_ticks,
            "milestones": [[name, None] for name in task.milestones],
            "success": False,
            "aborted": None,
            "episode": self._state.get("episode", -1) + 1,
        }
        with self._changed:
            self._ending = False
            self._due = 0.0
            self._paused = self._paused or self.human  # until they take the mouse
        self._tell(beginning.observation.pov, state | _facts(0, Action.noop(), beginning.info))

    def tick(self, tick: Tick) -> None:
        """Shows the picture after a tick."""
        fallen = dict.fromkeys(tick.milestones, tick.number)
        milestones = [[name, fallen.get(name, at)] for name, at in self._state["milestones"]]
        self.hands.in_screen = bool(tick.info.get("isGuiOpen"))
        change = _facts(tick.number + 1, tick.action, tick.info)
        change |= {"milestones": milestones, "success": tick.info["success"]}
        self._tell(tick.observation.pov, change)

    def end(self, outcome: Outcome | None) -> None:
        """Says how it went; the picture stays."""
        if outcome is not None:
            self.hands.forget()
            self._tell(None, {"status": "over", "success": outcome.success, "aborted": outcome.aborted})

    def _tell(self, frame: np.ndarray | None, change: dict[str, Any]) -> None:
        with self._changed:
            self._state = self._state | change
            if frame is not None:
                self._frame = frame
                self._frames += 1
            self._version += 1
            self._changed.notify_all()

    # the clock

    def pace(self) -> None:
        """Returns when the next tick may begin. Raises EndOfPlay if the viewer ended the episode."""
        with self._changed:
            while True:
                if self._ending:
                    raise EndOfPlay
                if self._paused:
                    self._due = 0.0
                    if self._steps:
                        self._steps -= 1
                        return
                    # In slices, because a wait without end cannot be interrupted everywhere.
                    self._changed.wait(_PATIENCE)
                    continue
                if not self._speed:
                    self._due = 0.0
                    return
                now = time.monotonic()
                if self._due == 0.0 or now - self._due > _LATE:
                    self._due = now
                if now >= self._due:
                    self._due += TICK_SECONDS / self._speed
                    return
                self._changed.wait(min(_PATIENCE, self._due - now))

    def control(self, wish: Any) -> None:
        """{"pause": bool}, {"step": true}, {"speed": one of SPEEDS} or {"end": true}. ValueError for anything else."""
        if not isinstance(wish, dict) or len(wish) != 1:
            raise ValueError(f"expected one wish, got {wish!r:.100}")
        (what, value), *_ = wish.items()
        with self._changed:
            if what == "pause" and isinstance(value, bool):
                self._paused = value
                self._steps = 0
            elif what == "step" and value is True:
                self._paused = True
                self._steps += 1
            elif what == "speed" and not isinstance(value, bool) and value in SPEEDS:
                self._speed = float(value)
                self._due = 0.0
            elif what == "end" and value is True:
                self._ending = True
            else:
                raise ValueError(f"expected pause, step, speed or end, got {wish!r:.100}")
            self._version += 1
            self._changed.notify_all()

    # for the handlers, each in a thread of its own

    def messages(self) -> Iterator[bytes]:
        """What a viewer is sent: lengths of state and picture (two big-endian uint32), JSON, and JPEG or nothing."""
        seen, shown = -1, -1
        with self._changed:
            self._viewers += 1
        try:
            while True:
                with self._changed:
                    if self._version == seen and not self._closed:
                        self._changed.wait(_HEARTBEAT)
                    closed, seen = self._closed, self._version
                    number, frame = self._frames, self._frame
                    state = self._about | self._state | {"paused": self._paused, "speed": self._speed, "closed": closed}
                picture = b"" if frame is None or number == shown else self._encoded(number, frame)
                shown = number
                text = json.dumps(state, separators=(",", ":")).encode()
                yield struct.pack(">II", len(text), len(picture)) + text + picture
                if closed:
                    return
        finally:
            with self._changed:
                self._viewers -= 1
                if self.human and not self._viewers:  # nobody is at the keys
                    self._paused = True
                    self.hands.hear([["release"]])
                self._changed.notify_all()

    def _encoded(self, number: int, frame: np.ndarray) -> bytes:
        kept, picture = self._picture
        if kept == number:
            return picture
        import cv2

        # 4:4:4, because coloured pixels of 16 x 16 pictures smear otherwise.
        how = [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        picture = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), how)[1].tobytes()
        self._picture = (number, picture)
        return picture


def _facts(ticks: int, action: Action, info: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows of a tick, as JSON values."""
    told = {name: info[name] for name in _FACTS if name in info}
    camera = [round(float(turn), 3) for turn in action.camera]
    return {"tick": ticks, "pressed": list(action.pressed), "camera": camera, "facts": _plain(told)}


def _plain(value: Any) -> Any:
    """The value without numpy's types, so that it can be written as JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


@cache
def _icons() -> tuple[bytes, bytes]:
    """A PNG with one 16 x 16 icon under another, and the JSON list of the items they are of."""
    import cv2

    from jarvis.world.icons import build_icons
    from jarvis.world.rules import RULES

    sheet = build_icons().reshape(-1, 16, 4)
    picture = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGBA2BGRA))[1].tobytes()
    return picture, json.dumps(list(RULES.items)).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no news; anything else is."""
        import sys

        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection of a browser."""

    protocol_version = "HTTP/1.1"
    server_version = "jarvis"
    sys_version = ""
    disable_nagle_algorithm = True  # small answers are not to wait for more

    def __init__(self, page: Page, *args: Any) -> None:
        self.page = page
        super().__init__(*args)

    def log_message(self, *_: Any) -> None:
        """Says nothing: the terminal belongs to the episode."""

    def do_GET(self) -> None:
        """The page, its parts, and the stream."""
        name = self._named()
        if name is None:
            return
        if name == "stream":
            self._stream()
        elif name in ("", "watch.css", "watch.js"):
            file = name or "watch.html"
            content = files("jarvis.app").joinpath("static", file).read_bytes()
            self._answer(HTTPStatus.OK, content, _TYPES[file.rpartition(".")[2]])
        elif name == "icons.png":
            self._answer(HTTPStatus.OK, _icons()[0], "image/png")
        elif name == "icons.json":
            self._answer(HTTPStatus.OK, _icons()[1], "application/json")
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Keys and mouse, and the controls."""
        name = self._named()
        if name is None:
            return
        listeners = {"input": self.page.hands.hear, "control": self.page.control}
        if name not in listeners or (name == "input" and not self.page.human):
            self._answer(HTTPStatus.NOT_FOUND)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LONGEST_POST:
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        try:
            said = parse_json(self.rfile.read(int(length)))
            if name == "input" and not isinstance(said, list):
                raise ValueError("expected a list of events")
            listeners[name](said)
        except (JarvisError, ValueError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, str(error).encode(), "text/plain; charset=utf-8")
        else:
            self._answer(HTTPStatus.NO_CONTENT)

    def _named(self) -> str | None:
        """The part of the address behind the token, or None after an answer that refuses."""
        homes = {f"{host}:{self.page.port}" for host in ("127.0.0.1", "localhost")}
        origin = self.headers.get("Origin")
        site = self.headers.get("Sec-Fetch-Site", "none")
        parts = self.path.partition("?")[0].split("/")
        refused = (
            self.headers.get("Host") not in homes
            or (origin is not None and origin not in {f"http://{home}" for home in homes})
            or (self.command == "POST" and site not in ("same-origin", "none"))
            or len(parts) != 3
            or not hmac.compare_digest(parts[1].encode(), self.page.token.encode())
        )
        if not refused:
            return parts[2]
        self.close_connection = True  # whatever the request carries is not read
        self._answer(HTTPStatus.FORBIDDEN)
        return None

    def _answer(self, status: HTTPStatus, content: bytes = b"", kind: str = "text/plain; charset=utf-8") -> None:
        if not content and status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            content = f"{status.phrase}\n".encode()
        self.send_response(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
        self._guard()
        self.end_headers()
        self.wfile.write(content)

    def _guard(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        if self.close_connection:
            self.send_header("Connection", "close")

    def _stream(self) -> None:
        self.close_connection = True  # the answer's end is the connection's end
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self._guard()
        self.end_headers()
        messages = self.page.messages()
        with suppress(ConnectionError, TimeoutError):
            for message in messages:
                self.wfile.write(message)
        messages.close()  # type: ignore[attr-defined]
