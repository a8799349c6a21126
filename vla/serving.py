"""A policy over HTTP, for players in other processes, languages and machines; and the policy that asks it.

    with PolicyServer(make_policy, port=8765) as server:        # `jarvis serve --policy SPEC`
        print(server.url)
    policy = ServedPolicy("http://127.0.0.1:8765")              # `--policy served:http://127.0.0.1:8765`

    GET  /health                    {"status": "ok", "policy": SPEC, "sessions": 2}
    POST /sessions                  {"goals": [...], "seeds": [...]}           -> {"session": "..."}
    POST /sessions/ID/reset         {"goals": [...], "rows": [...], "seeds": [...]}
    POST /sessions/ID/act           {"frames": [base64 PNG or JPEG, ...]}      -> {"actions": [{MineRL keys}, ...]}
    DELETE /sessions/ID

A goal is {"text": ...} or null. An error is {"error": "..."}, with status 400 for what the client can mend, 404 for a
session that is gone, 500 for the policy's own. Sessions unused the longest make room for new ones.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from types import TracebackType
from typing import Any

import numpy as np

from jarvis.core.actions import Action
from jarvis.core.environments import Policy
from jarvis.core.errors import FormatError, JarvisError
from jarvis.core.files import parse_json
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation

__all__ = ["PolicyServer", "ServedPolicy"]

MOST_SESSIONS = 64
MOST_BYTES = 1 << 26  # of a request
MOST_PIXELS = 1 << 23  # of a frame


def _frame(text: Any, place: str) -> np.ndarray:
    """(height, width, 3) uint8 of a picture in base64. FormatError names the place."""
    from PIL import Image, UnidentifiedImageError

    try:
        data = base64.b64decode(text, validate=True)
        with Image.open(BytesIO(data), formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise FormatError(f"{place}: {picture.width} x {picture.height} pixels, at most {MOST_PIXELS}")
            return np.asarray(picture.convert("RGB"))
    except (TypeError, ValueError, OSError, UnidentifiedImageError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{place}: expected a PNG or JPEG in base64, {error}") from None


def _goals(value: Any) -> list[Goal | None]:
    if not isinstance(value, list) or not value:
        raise FormatError(f"goals: {value!r:.80}, expected a list of goals")
    return [None if goal is None else Goal.from_json(goal) for goal in value]


def _whole_numbers(name: str, value: Any) -> list[int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(number) is int for number in value):
        raise FormatError(f"{name}: {value!r:.80}, expected a list of integers")
    return value


class _Session:
    def __init__(self, policy: Policy, rows: int) -> None:
        self.policy, self.rows, self.lock = policy, rows, threading.Lock()


class PolicyServer:
    """Serves until it is left. Every session has a policy of its own, made by `make`."""

    def __init__(
        self, make: Callable[[], Policy], *, host: str = "127.0.0.1", port: int = 0, name: str = "policy", seed: int = 0
    ) -> None:
        """port: 0 takes a free one. seed: of the first row of players that name none. OSError if the port is taken."""
        self.make, self.name, self.seed = make, name, seed
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def do_GET(self) -> None:
                server._answer(self, "GET")

            def do_POST(self) -> None:
                server._answer(self, "POST")

            def do_DELETE(self) -> None:
                server._answer(self, "DELETE")

            def log_message(self, *_: Any) -> None:
                """Silent: progress is the command's business."""

        self._http = ThreadingHTTPServer((host, port), Handler)
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> PolicyServer:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def serve(self) -> None:
        """Serves in this thread, until it is interrupted."""
        try:
            self._http.serve_forever()
        finally:
            self._http.server_close()

    def _answer(self, request: BaseHTTPRequestHandler, method: str) -> None:
        try:
            status, value = self._handle(method, request)
        except _GoneError as error:
            status, value = 404, {"error": str(error)}
        except ValueError as error:  # ours are ValueErrors where the client can mend them
            status, value = 400, {"error": str(error)}
        except Exception as error:
            status, value = 500, {"error": f"{type(error).__name__}: {error}"}
        body = json.dumps(value).encode()
        try:
            request.send_response(status)
            request.send_header("Content-Type", "application/json")
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)
        except OSError:
            request.close_connection = True  # the client went away

    def _handle(self, method: str, request: BaseHTTPRequestHandler) -> tuple[int, dict[str, Any]]:
        parts = [part for part in request.path.partition("?")[0].split("/") if part]
        content = self._body(request) if method == "POST" else {}
        if method == "GET" and parts == ["health"]:
            return 200, {"status": "ok", "policy": self.name, "sessions": len(self._sessions)}
        if method == "POST" and parts == ["sessions"]:
            goals = _goals(content.get("goals"))
            session = _Session(self.make(), len(goals))
            seeds = _whole_numbers("seeds", content.get("seeds"))
            seeds = [self.seed + row for row in range(len(goals))] if seeds is None else seeds
            session.policy.reset(goals, seeds=seeds)
            identifier = secrets.token_hex(8)
            with self._lock:
                self._sessions[identifier] = session
                while len(self._sessions) > MOST_SESSIONS:
                    self._sessions.popitem(last=False)
            return 200, {"session": identifier}
        if len(parts) >= 2 and parts[0] == "sessions":
            with self._lock:
                if parts[1] not in self._sessions:
                    raise _GoneError(f"no session {parts[1]!r}; begin one with POST /sessions")
                session = self._sessions[parts[1]]
                self._sessions.move_to_end(parts[1])
                if method == "DELETE" and len(parts) == 2:
                    del self._sessions[parts[1]]
                    return 200, {}
            if method == "POST" and parts[2:] == ["reset"]:
                return self._reset(session, content)
            if method == "POST" and parts[2:] == ["act"]:
                return self._act(session, content)
        raise _GoneError(f"nothing at {method} {request.path}")

    @staticmethod
    def _body(request: BaseHTTPRequestHandler) -> dict[str, Any]:
        length = request.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            request.close_connection = True
            raise FormatError(f"Content-Length {length!r}: expected at most {MOST_BYTES} bytes")
        content = parse_json(request.rfile.read(int(length)), "request")
        if not isinstance(content, dict):
            raise FormatError(f"request: {type(content).__name__}, expected an object")
        return content

    @staticmethod
    def _reset(session: _Session, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        goals = _goals(content.get("goals"))
        rows = _whole_numbers("rows", content.get("rows"))
        with session.lock:
            session.policy.reset(goals, rows=rows, seeds=_whole_numbers("seeds", content.get("seeds")))
            session.rows = len(goals) if rows is None else session.rows
        return 200, {}

    @staticmethod
    def _act(session: _Session, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        frames = content.get("frames")
        if not isinstance(frames, list) or len(frames) != session.rows:
            got = len(frames) if isinstance(frames, list) else type(frames).__name__
            raise FormatError(f"frames: {got}, expected a list of {session.rows}, one a row")
        observations = [Observation(_frame(text, f"frames[{number}]")) for number, text in enumerate(frames)]
        with session.lock:
            actions = session.policy.act(observations)
        return 200, {"actions": [_plain(action) for action in actions]}


class _GoneError(Exception):
    pass


def _plain(action: Action) -> dict[str, Any]:
    return action.to_env() | {"camera": action.camera.tolist()}


class ServedPolicy:
    """The client of a PolicyServer, itself a Policy. Frames travel as PNG, so nothing is lost."""

    def __init__(self, url: str, *, timeout: float = 60.0, tries: int = 3) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"served:{url}: expected served:URL, as served:http://127.0.0.1:8765")
        self.url, self.timeout, self.tries = url.rstrip("/"), timeout, max(1, tries)
        self._session = ""

    def reset(
        self,
        goals: Sequence[Goal | None],
        *,
        rows: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """As in the Policy protocol."""
        content: dict[str, Any] = {"goals": [goal and {"text": goal.text} for goal in goals]}
        if seeds is not None:
            content["seeds"] = [int(seed) for seed in seeds]
        if rows is None:
            self._session = self._ask("/sessions", content)["session"]
        else:
            self._ask(f"/sessions/{self._session}/reset", content | {"rows": [int(row) for row in rows]})

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One action a row. JarvisError with what the server said."""
        from PIL import Image

        frames = []
        for observation in observations:
            buffer = BytesIO()
            Image.fromarray(observation.pov).save(buffer, "PNG", compress_level=1)
            frames.append(base64.b64encode(buffer.getvalue()).decode())
        # NOTE: acting is not repeated after a broken connection: the server may have acted already
        answer = self._ask(f"/sessions/{self._session}/act", {"frames": frames}, tries=1)
        actions = answer.get("actions")
        if not isinstance(actions, list) or len(actions) != len(observations):
            raise FormatError(f"{self.url}: expected {len(observations)} actions, got {actions!r:.80}")
        return [Action.from_env(action) for action in actions]

    def _ask(self, path: str, content: dict[str, Any], tries: int | None = None) -> dict[str, Any]:
        body = json.dumps(content).encode()
        problem = ""
        for _ in range(tries or self.tries):
            request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                    value = parse_json(answer.read(MOST_BYTES), self.url)
                    if isinstance(value, dict):
                        return value
                    raise FormatError(f"{self.url}: answered {type(value).__name__}, expected an object")
            except urllib.error.HTTPError as error:
                raise JarvisError(f"{self.url}: HTTP {error.code}: {_reason(error)}") from None
            except OSError as error:
                problem = str(getattr(error, "reason", error))
        raise JarvisError(f"{self.url}: {problem}. Start it with: jarvis serve --policy SPEC")


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(1 << 16))["error"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)
