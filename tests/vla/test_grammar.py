"""Grammars: all that a codec says may be said, and nothing else can be sampled."""

from __future__ import annotations

import numpy as np
import pytest

from jarvis.core.actions import BUTTONS, Action
from jarvis.core.errors import ActionError
from vla.action_codecs import CODECS, get
from vla.grammar import NullStreak, accepts, choose, grammar_of


def some_actions(count, seed=0):
    random = np.random.default_rng(seed)
    for _ in range(count):
        keys = [name for name in BUTTONS if random.random() < 0.15]
        yield Action.of(*keys, camera=random.integers(-60, 61, 2) * 0.15 * (random.random() < 0.7))


def sample(grammar, random, logits=None, temperature=1.0):
    state, ids = grammar.start, []
    while grammar.choices(state)[0].size:
        token, state = choose(logits, grammar, state, random, temperature)
        ids.append(token)
    return ids


def size_of(codec):
    return {"vpt-11": 8762, "vpt-21": 9082, "text": 1024}.get(codec.name, 152064)


@pytest.mark.parametrize("name", CODECS)
def test_everything_a_codec_says_is_accepted(name):
    codec = get(name)
    grammar = grammar_of(codec)
    for action in some_actions(60):
        assert accepts(grammar, codec.encode(action))
    assert accepts(grammar, codec.encode({}))


@pytest.mark.parametrize("name", CODECS)
def test_every_sample_is_what_the_codec_would_say(name):
    codec = get(name)
    random = np.random.default_rng(1)
    grammar = grammar_of(codec, actions=2)
    for _ in range(20):
        ids = sample(grammar, random, logits=random.normal(size=size_of(codec)) * 3)
        actions = codec.decode(ids)
        assert len(actions) == 2
        if name == "text":  # several ways to cut the same words
            assert codec.tokenizer.decode(ids) == "".join(map(codec.write, actions))
        elif name.startswith("jarvis") and not any(action["inventory"] for action in actions):
            assert [token for action in actions for token in codec.encode(action)] == ids


def test_broken_replies_are_not_accepted():
    codec = get("jarvisvla-fixed")
    grammar = grammar_of(codec)
    good = codec.encode({"forward": 1, "attack": 1})
    swapped = [good[0], good[2], good[1], *good[3:]]
    for ids in ([], good[:-1], good + good, swapped, good[1:], [*good[:1], *good[-3:], 5]):
        assert not accepts(grammar, ids)
    assert accepts(grammar_of(codec, actions=2), good + good)


def test_the_released_grammar_never_presses_inventory_and_the_fixed_one_can():
    for name, can in (("jarvisvla-v1", False), ("jarvisvla-fixed", True)):
        codec = get(name)
        _, opened = choose(None, grammar_of(codec), grammar_of(codec).start, np.random.default_rng(0))
        ids, _ = grammar_of(codec).choices(opened)
        assert (codec.group_ids[9][1] in ids) == can


def test_the_likeliest_is_taken_at_temperature_zero_and_bad_logits_are_refused():
    codec = get("jarvisvla-fixed")
    grammar = grammar_of(codec)
    logits = np.zeros(152064)
    for token in codec.encode({"jump": 1, "camera": (10.0, -10.0)}):
        logits[token] = 5.0
    ids = sample(grammar, np.random.default_rng(0), logits, temperature=0)
    assert ids == codec.encode({"jump": 1, "camera": (10.0, -10.0)})
    logits[codec.group_ids[10][0]] = np.nan
    with pytest.raises(ActionError, match="finite"):
        sample(grammar, np.random.default_rng(0), logits)


def test_samples_follow_the_probabilities():
    codec = get("vpt-21")
    grammar = grammar_of(codec)
    logits = np.full(9082, -1e9)
    logits[[7, 9]] = np.log([0.8, 0.2])
    random = np.random.default_rng(2)
    first = [choose(logits, grammar, grammar.start, random)[0] for _ in range(1000)]
    assert set(first) == {7, 9}
    assert first.count(7) / 1000 == pytest.approx(0.8, abs=0.04)


def test_a_frozen_player_is_noticed():
    streak = NullStreak(limit=3)
    told = [streak.update(null) for null in (True, True, False, True, True, True, True, False)]
    assert told == [False, False, False, False, False, True, True, False]
    assert streak.report() == {"actions": 8, "null": 6, "longest_null_streak": 4, "frozen": 1}
