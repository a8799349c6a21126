"""Models behind a server: what is asked, what is understood, and every way in which a server can fail."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from jarvis.core.actions import Action
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from vla.action_codecs import END, get
from vla.remote import OpenAIPolicy, ServerError, data_url

pytest.importorskip("openai", reason='openai:URL#MODEL needs an optional dependency: pip install "jarvis-agent[llm]"')

FRAME = Observation(np.full((360, 640, 3), 90, np.uint8))
CODEC = get("jarvisvla-v1")


def spelled(*actions):
    ids = [token for action in actions for token in CODEC.encode(action)]
    return "".join(f"<|reserved_special_token_{token - 151657}|>" for token in ids)


CUT = spelled({"forward": 1, "attack": 1}).removesuffix(END)


class ScriptedServer:
    """Answers chat completions with what is next in its script: text, a status, "hang", or "nonsense"."""

    def __init__(self, *script, keep_stop=True):
        self.script, self.asked = list(script), []
        self.keep_stop, self.lock = keep_stop, threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.asked.append(body)
                    answer = outer.script.pop(0) if len(outer.script) > 1 else outer.script[0]
                if answer == "hang":
                    time.sleep(1.0)
                    answer = 500
                if isinstance(answer, int):
                    self.reply(answer, {"error": {"message": "so it was scripted"}})
                elif answer == "nonsense":
                    self.reply(200, {"object": "chat.completion", "choices": []})
                else:
                    self.reply(200, outer.completion(answer))

            def reply(self, status, value):
                data = json.dumps(value).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass  # the client went away

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}/v1#model"

    def completion(self, text):
        if not self.keep_stop:
            text = text.removesuffix(END)
        message = {"role": "assistant", "content": text}
        finish = "length" if text == CUT else "stop"
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return {"id": "1", "object": "chat.completion", "created": 0, "model": "model", "choices": [choice]}

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def asking(server, **options):
    policy = OpenAIPolicy(server.address, **{"pause": 0.01, "timeout": 5.0} | options)
    policy.reset([Goal("mine 3 oak logs")], seeds=[1])
    return policy


def test_the_request_is_jarvis_vlas():
    with ScriptedServer(spelled({"forward": 1}), spelled({"attack": 1, "camera": (0, 10)})) as server:
        policy = asking(server)
        assert policy.act([FRAME]) == [Action.of("forward")]
        assert policy.act([FRAME]) == [Action.of("attack", camera=(0, 10))]
    first, second = server.asked
    [turn] = first["messages"]
    assert turn["content"][0] == {"type": "text", "text": "mine 3 oak logs\nobservation: \n"}
    url = turn["content"][1]["image_url"]["url"]
    with Image.open(BytesIO(base64.b64decode(url.removeprefix("data:image/jpeg;base64,")))) as picture:
        assert picture.size == (640, 360)
    assert first["stop"] == END
    assert first["max_tokens"] == 16
    assert first["skip_special_tokens"] is False
    assert first["seed"] != second["seed"]
    assert first["messages"] == second["messages"], "the wording stays, so that the server may keep the beginning"


@pytest.mark.parametrize("keep_stop", [True, False])
def test_a_server_may_leave_the_end_out(keep_stop):
    with ScriptedServer(spelled({"jump": 1}), keep_stop=keep_stop) as server:
        assert asking(server).act([FRAME]) == [Action.of("jump")]


def test_chunks_and_history():
    chunk = [{"forward": 1}, {"jump": 1}]
    with ScriptedServer(spelled(*chunk), spelled({"use": 1}, {"drop": 1})) as server:
        policy = asking(server, chunk=2, history=1)
        assert [policy.act([FRAME])[0] for _ in range(3)] == [Action.of(key) for key in ("forward", "jump", "use")]
    assert len(server.asked) == 2
    past = server.asked[1]["messages"]
    assert [turn["role"] for turn in past] == ["user", "assistant", "user"]
    assert past[1]["content"] == spelled(*chunk) + "\n"
    assert past[2]["content"][0]["text"] == "\nobservation: \n"
    null = server.asked[0]["messages"][1]["content"]
    assert null == spelled({}) + "\n"


def test_words_instead_of_tokens():
    with ScriptedServer("press(forward) move(2, 0)\n") as server:
        assert asking(server, codec="text").act([FRAME]) == [Action.of("forward", camera=(0, 0.3))]


def test_many_rows_are_asked_at_once():
    with ScriptedServer(spelled({"forward": 1})) as server:
        policy = OpenAIPolicy(server.address)
        policy.reset([Goal("a"), Goal("b"), None], seeds=[1, 2, 3])
        assert policy.act([FRAME] * 3) == [Action.of("forward")] * 3
        texts = sorted(body["messages"][0]["content"][0]["text"].partition("\n")[0] for body in server.asked)
    assert texts == ["a", "b", "play"]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(500, "status 500"), (429, "status 429"), ("", "no action"), ("I mine a log.", "no action"),
     (CUT, "no action"), ("nonsense", "no action"), ("hang", "timeout")],
)  # fmt: skip
def test_trouble_is_tried_again_and_counted(trouble, reason):
    with ScriptedServer(trouble, spelled({"forward": 1})) as server:
        policy = asking(server, timeout=0.3 if trouble == "hang" else 5.0)
        assert policy.act([FRAME]) == [Action.of("forward")]
    assert policy.report()["retries"] == 1
    assert policy.report()[reason] == 1
    assert policy.report()["replies"] == 1


@pytest.mark.parametrize(
    ("trouble", "said"), [(500, "in 2 tries, at last: HTTP 500"), ("", "no whole action"), (404, "asked for model")]
)
def test_lasting_trouble_ends_the_episode(trouble, said):
    with ScriptedServer(trouble) as server, pytest.raises(ServerError, match=said):
        asking(server, tries=2).act([FRAME])


def test_nobody_there():
    with ScriptedServer("") as server:
        address = server.address
    policy = OpenAIPolicy(address, tries=2, pause=0.01)
    policy.reset([None])
    with pytest.raises(ServerError, match="no usable reply in 2 tries, at last: APIConnectionError"):
        policy.act([FRAME])
    for wrong in ("http://localhost:1/v1", "localhost#model", "#model"):
        with pytest.raises(ValueError, match="URL#MODEL"):
            OpenAIPolicy(wrong)


def test_pictures_are_jpeg():
    assert data_url(FRAME.pov).startswith("data:image/jpeg;base64,/9j/")
