"""Real time: what is due is played, what is late is dropped and counted, and the world never waits."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from jarvis.core.actions import Action
from jarvis.core.environments import Policy
from jarvis.core.observations import Observation
from vla.realtime import RealtimePolicy

NOOP = Action.noop()


def seen(tick):
    return [Observation(np.full((2, 2, 3), tick, np.uint8))]


def turn(asked, place):
    """The action that was thought of for a tick, by the picture and its place in the reply."""
    return Action.of(camera=(asked, place))


class Slow:
    """Thinks until it is told to stop; a reply has `chunk` actions that tell which picture they are of."""

    def __init__(self, chunk):
        self.chunk, self.may, self.asked = chunk, threading.Semaphore(0), []

    def reset(self, goals, *, rows=None, seeds=None):
        pass

    def reply(self, observations):
        tick = int(observations[0].pov[0, 0, 0])
        self.asked.append(tick)
        assert self.may.acquire(timeout=10)
        if tick == 99:
            raise RuntimeError("out of memory")
        return [[turn(tick, place) for place in range(self.chunk)]]


class Clock:
    """Time that passes only while one sleeps, or when it is moved."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def playing(chunk):
    model, clock = Slow(chunk), Clock()
    policy = RealtimePolicy(model, clock=clock, sleep=clock.sleep)
    policy.reset([None], seeds=[0])

    def think():
        model.may.release()
        policy._thinking.exception()

    return policy, model, clock, think


def test_chunks_overlap_and_late_actions_are_dropped():
    policy, model, _, think = playing(chunk=4)
    assert isinstance(policy, Policy)
    assert policy.act(seen(0)) == [NOOP]  # nothing is known yet
    assert policy.act(seen(1)) == [NOOP]
    think()  # the reply to picture 0 comes in time for tick 2: its first two actions are late
    assert policy.act(seen(2)) == [turn(0, 2)]
    assert policy.act(seen(3)) == [turn(0, 3)]
    think()  # the reply to picture 2, asked in tick 2
    assert policy.act(seen(4)) == [turn(2, 2)]
    think()  # the reply to picture 4 replaces what was left of the one before
    assert policy.act(seen(5)) == [turn(4, 1)]
    assert model.asked == [0, 2, 4, 5][: len(model.asked)]
    report = policy.report()
    assert (report["ticks"], report["played"], report["waited"], report["late"]) == (6, 4, 2, 2 + 2 + 1)
    assert report["replaced"] == 1
    model.may.release()
    policy.close()


def test_a_reply_that_is_late_as_a_whole_plays_its_last_action():
    policy, model, _, think = playing(chunk=1)
    actions = [policy.act(seen(0))[0], policy.act(seen(1))[0]]
    think()
    actions += [policy.act(seen(2))[0], policy.act(seen(3))[0]]
    assert actions == [NOOP, NOOP, turn(0, 0), NOOP]
    assert policy.report()["stale"] == 1
    assert policy.report()["late"] == 0
    model.may.release()
    policy.close()


def test_the_world_keeps_its_rate_whatever_the_model_does():
    policy, model, clock, _ = playing(chunk=1)
    for tick in range(5):
        policy.act(seen(tick))
        clock.now += 0.01  # what the world itself takes
    assert clock.slept == pytest.approx([0.04] * 4)
    clock.now += 0.5  # the world is held up: it goes on from here and does not hurry
    policy.act(seen(5))
    clock.now += 0.01
    policy.act(seen(6))
    assert policy.report()["overrun"] == 1
    assert clock.slept[-1] == pytest.approx(0.04)
    assert model.asked == [0], "one thought at a time"
    model.may.release()
    policy.close()


def test_what_the_model_raises_reaches_the_player_and_a_new_episode_begins_afresh():
    policy, model, _, think = playing(chunk=2)
    policy.act(seen(99))
    think()
    with pytest.raises(RuntimeError, match="out of memory"):
        policy.act(seen(1))
    policy.reset([None], seeds=[1])
    policy.act(seen(7))
    model.may.release()
    policy.reset([None], seeds=[2])
    assert policy.act(seen(8)) == [NOOP], "a thought of the last episode is not played"
    with pytest.raises(ValueError, match="one world"):
        policy.reset([None, None])
    model.may.release()
    policy.close()


def test_a_real_agent_in_real_time():
    from vla.backbone import tiny
    from vla.policy import VlaPolicy

    policy = RealtimePolicy(VlaPolicy(tiny().with_agent(chunk=8)), rate=200.0)
    policy.reset([None], seeds=[0])
    for tick in range(200):
        policy.act(seen(tick % 256))
    policy.close()
    report = policy.report()
    assert report["ticks"] == 200 == report["played"] + report["waited"]
    assert report["played"] > 0
    assert report["latency_p50_ms"] <= report["latency_p95_ms"]
