import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from treadmill import Player, Treadmill, mining, suite

from evaluation import evaluate
from evaluation.judge import CRITERIA, JudgeConfig, agreement, judge, read_answer, read_frames
from jarvis.core.errors import FormatError
from jarvis.core.files import read_json_lines

GOOD = dict.fromkeys(CRITERIA, 7) | {"completed": True}


class Server(ThreadingHTTPServer):
    """Speaks OpenAI's chat protocol and answers from a list: a number is an HTTP error, a text is a completion."""

    def __init__(self, answers):
        self.answers, self.requests, self.keys = list(answers), [], []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __exit__(self, *error):
        self.shutdown()
        super().__exit__(*error)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, json.loads(body)))
        self.server.keys.append(self.headers.get("Authorization"))
        answer = self.server.answers.pop(0) if self.server.answers else json.dumps(GOOD)
        if isinstance(answer, int):
            status, reply = answer, b"busy"
        else:
            message = {"role": "assistant", "content": answer}
            value = {
                "id": "1", "object": "chat.completion", "model": "m",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960},
            }  # fmt: skip
            status, reply = 200, json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Three successes and one failure, with videos."""
    folder = tmp_path_factory.mktemp("judged")
    tasks = suite(mining("mine_five", 5), each=3), suite(mining("mine_never", 99), each=1)
    both = suite(*(task for part in tasks for task in part.tasks.values()), each=2)
    options = {"policy_name": "player", "split": "validation", "make_env": Treadmill, "report": False}
    evaluate(both, Player(), folder, **options)
    return folder


def judgements(folder):
    return [line for line in read_json_lines(folder / "judgements.jsonl")]


def test_opinions_are_kept_and_compared_with_the_predicates(played, monkeypatch):
    monkeypatch.setenv("JARVIS_JUDGE_KEY", "secret-7")
    no = json.dumps(GOOD | {"completed": False, "efficiency": 2.5})
    with Server(["Sure!\n```json\n" + json.dumps(GOOD) + "\n```", 500, json.dumps(GOOD), no, no]) as server:
        config = JudgeConfig(server.url, "some-vlm", frames=4)
        told = judge(played, config)
        # episodes 0 and 2 are successes, 1 and 3 are none; said: yes, yes (after one error), no, no
        assert told["judged"] == 4 and told["agree"] == 2
        assert (told["false_success"], told["missed_success"]) == (1, 1)
        assert told["agreement"][0] == 0.5 and len(server.requests) == 5
        path, request = server.requests[0]
        assert path == "/v1/chat/completions" and request["model"] == "some-vlm"
        text, *pictures = request["messages"][0]["content"]
        assert '"mine 5 stones"' in text["text"] or '"break 5 stones"' in text["text"]
        assert len(pictures) == 4 and pictures[0]["image_url"]["url"].startswith("data:image/jpeg;base64,")
        assert server.keys[0] == "Bearer secret-7" and "secret-7" not in (played / "judgements.jsonl").read_text()
        assert judgements(played)[0]["usage"] == {"prompt_tokens": 900, "completion_tokens": 60}
        assert judge(played, config) == told and len(server.requests) == 5  # nothing is asked twice
        judge(played, JudgeConfig(server.url, "another", frames=4), limit=1)
        assert len(server.requests) == 6  # but another model is


def test_useless_answers_are_noted_and_asked_for_again(played, tmp_path):
    (played / "judgements.jsonl").unlink(missing_ok=True)
    bad = json.dumps(GOOD | {"efficiency": 11})
    with Server(["I cannot help with that.", bad, json.dumps({"completed": True}), 400]) as server:
        config = JudgeConfig(server.url, "some-vlm", frames=2, tries=2)
        assert judge(played, config) == {
            "judged": 0, "agree": 0, "agreement": None, "false_success": 0, "missed_success": 0,
        }  # fmt: skip
        errors = [line["error"] for line in judgements(played)]
        assert "no JSON object" in errors[0] and "efficiency is 11" in errors[1]
        assert "task_progress is None" in errors[2] and errors[3].endswith("HTTP 400")
        assert len(server.requests) == 4  # a refusal is not tried again
        assert judge(played, config)["judged"] == 4


def test_a_server_that_is_not_there_costs_no_more_than_its_tries(played):
    (played / "judgements.jsonl").unlink(missing_ok=True)
    with Server([]) as server:
        url = server.url
    told = judge(played, JudgeConfig(url, "gone", frames=2, tries=1, timeout_seconds=2))
    assert told["judged"] == 0 and len(judgements(played)) == 4
    with pytest.raises(ValueError, match="expected http"):
        judge(played, JudgeConfig("file:///etc", "x"))


def test_answers_are_read_with_suspicion():
    assert read_answer(json.dumps(GOOD)) == {"scores": dict.fromkeys(CRITERIA, 7), "completed": True}
    for change in ({"completed": "yes"}, {"efficiency": True}, {"efficiency": "9"}, {"efficiency": -1}):
        with pytest.raises(FormatError, match="answer: "):
            read_answer(json.dumps(GOOD | change))
    with pytest.raises(FormatError):
        read_answer('{"efficiency": NaN}')


def test_a_judge_never_decides():
    lines = [{"episode": 0, "success": False, "aborted": None}, {"episode": 1, "success": False, "aborted": "broke"}]
    verdicts = [{"episode": number, "scores": {}, "completed": True} for number in (0, 1, 9)]
    assert agreement(lines, verdicts)["judged"] == 1  # only what was played to its end
    assert not any(line["success"] for line in lines)


def test_frames_are_spread_over_the_video(played):
    (first, *_, last) = frames = read_frames(played / "episodes/000001.mp4", 3)
    # the treadmill's picture is the tick's number, 0 to 20, on black: brighter towards the end
    assert len(frames) == 3 and first.shape == (16, 16, 3)
    assert first.mean() < frames[1].mean() < last.mean()
