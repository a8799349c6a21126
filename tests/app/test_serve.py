"""`jarvis serve`, and policies behind servers in `jarvis play`: played, aborted with the reason, never a crash."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data_pipelines.video import open_video
from jarvis.app import cli
from jarvis.app.policies import load_policy
from jarvis.core.errors import FormatError
from vla.serving import PolicyServer


def play(tmp_path, policy, *more):
    code = cli.main(["play", "--task", "play", "--policy", policy, "--max-ticks", "5", "--width", "64", "--height",
                     "36", "--out", str(tmp_path / "run"), "--json", *more])  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text().splitlines()]
    return code, lines


def test_a_served_policy_plays_as_the_policy_itself(tmp_path, capsys):
    with PolicyServer(lambda: load_policy("random")) as server:
        code, [line] = play(tmp_path / "served", f"served:{server.url}", "--seed", "4")
    assert (code, line["aborted"], line["ticks"]) == (0, None, 5)
    play(tmp_path / "own", "random", "--seed", "4")
    actions = [(tmp_path / name / "run" / "episode_000.actions.jsonl").read_text() for name in ("served", "own")]
    assert actions[0] == actions[1]


def test_a_server_that_is_not_there_aborts_the_episode_with_the_reason(tmp_path, capsys):
    with PolicyServer(lambda: load_policy("random")) as server:
        url = server.url
    code, [line] = play(tmp_path, f"served:{url}")
    assert code == 1
    assert "jarvis serve" in line["aborted"]


def test_a_model_server_that_breaks_aborts_the_episode_with_the_reason(tmp_path, capsys):
    pytest.importorskip("openai")

    class Broken(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    code, [line] = play(tmp_path, f"openai:http://127.0.0.1:{http.server_address[1]}/v1#model")
    http.shutdown()
    http.server_close()
    assert code == 1
    assert line["aborted"].startswith("policy: ")
    assert "no usable reply in 3 tries, at last: HTTP 500" in line["aborted"]


def test_an_agents_folder_is_a_policy(tmp_path, capsys):
    from vla.backbone import tiny

    tiny().save(tmp_path / "agent")
    code = cli.main(["play", "--task", "play", "--policy", str(tmp_path / "agent"), "--max-ticks", "5", "--out",
                     str(tmp_path / "run"), "--json"])  # fmt: skip
    assert code == 0
    assert json.loads(capsys.readouterr().out)["ticks"] == 5
    with open_video(tmp_path / "run" / "episode_000.mp4") as video:
        assert (video.info.width, video.info.height) == (224, 126), "drawn at the size that it was trained on"
    with pytest.raises(FormatError, match="hf download"):
        load_policy("hf:nobody/nothing")
    assert cli.main(["play", "--task", "play", "--policy", f"vla:{tmp_path}"]) == 2
    assert "no config.json in it" in capsys.readouterr().err


def test_in_real_time_the_world_does_not_wait(tmp_path, capsys):
    began = time.perf_counter()
    code, [line] = play(tmp_path, "random", "--realtime")
    assert time.perf_counter() - began >= 4 / 20
    assert (code, line["ticks"]) == (0, 5)
    assert "ticks 5" in capsys.readouterr().err


def test_the_command_serves_until_it_is_interrupted(tmp_path):
    process = subprocess.Popen([sys.executable, "-m", "jarvis", "serve", "--policy", "random", "--port", "0", "--json"],
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        told = json.loads(process.stdout.readline())
        assert told["policy"] == "random"
        code, [line] = play(tmp_path, f"served:{told['url']}")
        assert (code, line["ticks"]) == (0, 5)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.stdout.close()


def test_usage(capsys):
    assert cli.main(["serve", "--policy", "nobody"]) == 2
    with PolicyServer(lambda: load_policy("noop")) as server:
        port = server.url.rpartition(":")[2]
        assert cli.main(["serve", "--policy", "noop", "--port", port]) == 2
        assert "in use" in capsys.readouterr().err
