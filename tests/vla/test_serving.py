"""A policy over HTTP: the same actions as without, many players, and bad requests."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import numpy as np
import pytest

from jarvis.core.actions import Action
from jarvis.core.environments import Policy
from jarvis.core.errors import JarvisError
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from vla.serving import PolicyServer, ServedPolicy


class Echo:
    """Turns by what it sees and by its seed; a toy whose answers can be told beforehand."""

    def reset(self, goals, *, rows=None, seeds=None):
        if rows is None:
            self.seeds = list(seeds or range(len(goals)))
            return
        for row, seed in zip(rows, seeds, strict=True):
            self.seeds[row] = seed

    def act(self, observations):
        if any(observation.pov.max() == 255 for observation in observations):
            raise RuntimeError("too bright")
        return [Action.of("forward", camera=(seed, float(observation.pov[0, 0, 0])))
                for seed, observation in zip(self.seeds, observations, strict=True)]  # fmt: skip


def observation(value):
    return Observation(np.full((9, 16, 3), value, np.uint8))


@pytest.fixture
def server():
    with PolicyServer(Echo, name="echo") as served:
        yield served


def post(url, value, method="POST"):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    request = urllib.request.Request(url, body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_the_client_is_a_policy_and_acts_as_the_served_one_does(server):
    policy = ServedPolicy(server.url)
    assert isinstance(policy, Policy)
    policy.reset([Goal("walk"), None], seeds=[3, 4])
    assert policy.act([observation(7), observation(8)]) == [
        Action.of("forward", camera=(3, 7)),
        Action.of("forward", camera=(4, 8)),
    ]
    policy.reset([None], rows=[1], seeds=[9])
    assert policy.act([observation(7), observation(8)])[1] == Action.of("forward", camera=(9, 8))


def test_players_do_not_meet(server):
    one, two = ServedPolicy(server.url), ServedPolicy(server.url)
    one.reset([None], seeds=[1])
    two.reset([None], seeds=[2])
    assert one.act([observation(5)])[0].camera[0] == 1
    assert two.act([observation(5)])[0].camera[0] == 2
    with urllib.request.urlopen(f"{server.url}/health", timeout=10) as answer:
        assert json.loads(answer.read()) == {"status": "ok", "policy": "echo", "sessions": 2}


def test_what_the_policy_raises_reaches_the_player(server):
    policy = ServedPolicy(server.url)
    policy.reset([None])
    with pytest.raises(JarvisError, match="HTTP 500: RuntimeError: too bright"):
        policy.act([observation(255)])


@pytest.mark.parametrize(
    ("path", "value", "status", "said"),
    [
        ("/sessions", b"{", 400, "request"),
        ("/sessions", [], 400, "expected an object"),
        ("/sessions", {"goals": "walk"}, 400, "expected a list of goals"),
        ("/sessions", {"goals": [{"words": "walk"}]}, 400, "expected a goal with a text"),
        ("/sessions", {"goals": [None], "seeds": ["x"]}, 400, "expected a list of integers"),
        ("/sessions/none/act", {"frames": []}, 404, "no session 'none'"),
        ("/elsewhere", {}, 404, "nothing at POST /elsewhere"),
        ("{session}/act", {"frames": []}, 400, "frames: 0, expected a list of 1"),
        ("{session}/act", {"frames": ["!"]}, 400, r"frames[0]: expected a PNG or JPEG"),
        ("{session}/act", {"frames": ["aGVsbG8="]}, 400, r"frames[0]: expected a PNG or JPEG"),
    ],
)
def test_bad_requests_are_told_what_is_wrong(server, path, value, status, said):
    session = post(f"{server.url}/sessions", {"goals": [None]})[1]["session"]
    code, answer = post(server.url + path.format(session=f"/sessions/{session}"), value)
    assert code == status
    assert said in answer["error"]
    assert post(f"{server.url}/sessions/{session}", {}, "DELETE")[0] == 200
    assert post(f"{server.url}/sessions/{session}/act", {"frames": []})[0] == 404


def test_nobody_there(server):
    with PolicyServer(Echo) as other:
        url = other.url
    policy = ServedPolicy(url)
    with pytest.raises(JarvisError, match="jarvis serve"):
        policy.reset([None])
    with pytest.raises(ValueError, match="served:URL"):
        ServedPolicy("localhost:3")
