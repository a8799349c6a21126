"""The policy: what is cached and batched changes nothing, rows are their own, and a frozen player is asked again."""

from __future__ import annotations

import numpy as np
import pytest

from jarvis.core.actions import Action
from jarvis.core.environments import Policy
from jarvis.core.errors import FormatError
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from vla.action_codecs import is_null
from vla.backbone import tiny
from vla.decoding import Speaker
from vla.grammar import accepts, choose, grammar_of
from vla.policy import VlaPolicy

torch = pytest.importorskip("torch")
GOALS = [Goal("mine 3 oak logs"), Goal("craft a wooden pickaxe with what you have"), None]


def observation(seed, height=126, width=224):
    return Observation(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def played(policy, goals, seeds, ticks=4, first=0):
    policy.reset(goals, seeds=seeds)
    # what a row sees depends on its seed alone
    return [policy.act([observation(1000 * seed + tick + first) for seed in seeds]) for tick in range(ticks)]


@pytest.mark.parametrize(
    ("family", "history", "chunk"), [("qwen2_vl", 0, 1), ("qwen2_vl", 2, 3), ("qwen3_vl", 1, 1), ("smolvlm", 1, 2)]
)
def test_rows_play_alone_as_together(family, history, chunk):
    policy = VlaPolicy(tiny(family).with_agent(history=history, chunk=chunk))
    assert isinstance(policy, Policy)
    together = played(policy, GOALS, [3, 4, 5])
    for row, seed in enumerate((3, 4, 5)):
        assert [actions[row] for actions in together] == [
            actions[0] for actions in played(policy, [GOALS[row]], [seed])
        ]
    assert len({repr(action) for actions in together for action in actions}) > 6


@pytest.mark.parametrize("chunk", [1, 3])
def test_some_rows_act_while_no_time_passes_for_the_others(chunk):
    policy = VlaPolicy(tiny().with_agent(chunk=chunk))
    together = played(policy, GOALS, [3, 4, 5], ticks=8)
    policy.reset(GOALS, seeds=[3, 4, 5])
    ticks = [0, 0, 0]
    alone = [[], [], []]
    for rows in ([0, 2], [1], [0, 1, 2], [2], [2, 1], [0, 1]):
        seen = [observation(1000 * (3 + row) + ticks[row]) for row in rows]
        for row, action in zip(rows, policy.act(seen, rows=rows), strict=True):
            alone[row].append(action)
            ticks[row] += 1
    for row in range(3):
        assert alone[row] == [actions[row] for actions in together[: ticks[row]]]


def test_a_cached_reply_is_what_reading_everything_anew_gives():
    backbone = tiny().with_agent(chunk=2)
    policy = VlaPolicy(backbone, temperature=0)
    policy.reset([GOALS[0]], seeds=[0])
    grammar = grammar_of(policy.codec, 2)
    for tick in range(2):
        seen = observation(tick)
        actions = policy.act([seen])
        policy._rows[0].pending.clear()
        with torch.inference_mode():
            [picture] = backbone.see([seen.pov])
            turn = backbone.style.first(GOALS[0].text)
            prompt = backbone.style.render([turn], backbone.tokenizer, [picture.grid], reply=True)
            ids, state = list(prompt.ids), grammar.start
            while grammar.choices(state)[0].size:
                count, last = len(ids), int(prompt.positions.max())
                more = np.broadcast_to(np.arange(last + 1, last + 1 + count - len(prompt)), (3, count - len(prompt)))
                positions = torch.from_numpy(np.concatenate([prompt.positions, more], 1))[:, None]
                pictures = np.concatenate([prompt.pictures, np.full(count - len(prompt), -1)])
                embedded = backbone.embed(torch.tensor(ids)[None], torch.from_numpy(pictures)[None], [picture])
                mask = torch.ones(1, count, count, dtype=torch.bool).tril()
                logits = backbone.logits(backbone.read(embedded, positions, mask)[0, -1]).numpy()
                token, state = choose(logits, grammar, state, np.random.default_rng(0), 0)
                ids.append(token)
        reply = ids[len(prompt) :]
        assert accepts(grammar, reply)
        assert actions[0] == Action.from_env(policy.codec.decode(reply)[0])


def test_a_row_may_begin_anew_while_others_go_on():
    policy = VlaPolicy(tiny())
    alone = played(policy, [GOALS[0]], [3], ticks=6)
    policy.reset(GOALS[:2], seeds=[3, 4])
    seen = []
    for tick in range(6):
        if tick == 3:
            policy.reset([GOALS[2]], rows=[1], seeds=[9])
        seen.append(policy.act([observation(3000 + tick), observation(tick)])[0])
    assert seen == [actions[0] for actions in alone]
    assert policy.report()["actions"] == 6 + 12
    for bad in (lambda: policy.reset([None], rows=[5]), lambda: policy.act([observation(0)])):
        with pytest.raises(ValueError, match=r"2 rows|row 5"):
            bad()


@pytest.mark.parametrize(("family", "history"), [("qwen2_vl", 0), ("qwen3_vl", 0), ("qwen2_vl", 1), ("smolvlm", 0)])
def test_a_row_that_is_told_something_plays_as_if_it_had_begun_with_it(family, history):
    backbone = tiny(family).with_agent(history=history)
    words = ["mine 3 oak logs", "left-click slot 37", "left-click slot 37", "close the window", "jump"]

    def told(rows, temperature=0.8):
        policy = VlaPolicy(backbone, temperature=temperature)
        policy.reset([Goal(words[0])] * rows, seeds=list(range(rows)))
        calls, begin = [], policy.speaker.begin
        policy.speaker.begin = lambda prefixes: calls.append(tick) or begin(prefixes)
        actions = []
        for tick in range(10):
            for row in range(rows):
                policy.tell(row, words[min(tick, 3) + row])
            actions.append(policy.act([observation(100 * tick + row) for row in range(rows)]))
        return policy, actions, calls

    policy, alone, calls = told(1)
    assert calls == [0, 7]  # what is told at 1 and 3 is read with the picture, until it stays
    _, together, _ = told(2)
    assert [actions[0] for actions in together] == [actions[0] for actions in alone]
    assert len({repr(actions) for actions in together}) > 5
    if not history:
        _, surely, _ = told(1, temperature=0)
        for tick in range(10):
            other = VlaPolicy(backbone, temperature=0)
            other.reset([Goal(words[min(tick, 3)])], seeds=[0])
            assert other.act([observation(100 * tick)]) == surely[tick]
    for bad in (1, -1):
        with pytest.raises(ValueError, match=f"row {bad}: there are 1"):
            policy.tell(bad, "jump")


def test_chunks_are_played_one_a_tick():
    backbone = tiny().with_agent(chunk=3)
    policy = VlaPolicy(backbone)
    played(policy, [None], [0], ticks=7)
    assert policy.report()["replies"] == 3


def test_a_frozen_player_is_asked_again_hotter():
    backbone = tiny()
    codec = VlaPolicy(backbone).codec
    with torch.no_grad():  # a model in love with doing nothing: only the ids of rest stand out
        bias = torch.zeros(backbone.model.lm_head.out_features)
        bias[codec.null_ids] = 30.0
        backbone.model.lm_head.bias = torch.nn.Parameter(bias)
    policy = VlaPolicy(backbone, temperature=0.8, freeze_limit=3)
    actions = [row[0] for row in played(policy, [None], [0], ticks=6)]
    assert all(map(is_null, actions[:2]))
    report = policy.report()
    assert report["resampled"] > 0
    assert report["frozen"] == 1
    assert report["null"] == sum(map(is_null, actions))


def test_actions_may_be_words_and_may_not_be_vpts_classes():
    policy = VlaPolicy(tiny().with_agent(codec="text", history=1))
    actions = [row[0] for row in played(policy, [None], [0], ticks=3)]
    assert len(actions) == 3
    with pytest.raises(FormatError, match="not tokens"):
        VlaPolicy(tiny().with_agent(codec="vpt-21"))


def test_pictures_of_any_size_are_brought_to_the_models():
    policy = VlaPolicy(tiny())
    policy.reset([None], seeds=[0])
    assert len(policy.act([observation(0, 360, 640)])) == 1


def test_forced_ids_cost_nothing():
    backbone = tiny()
    policy = VlaPolicy(backbone, temperature=0)
    calls = []
    read = backbone.read
    backbone.read = lambda *arguments: calls.append(arguments[0][0].shape[1]) or read(*arguments)
    assert isinstance(policy.speaker, Speaker)
    policy.reset([Goal("jump")], seeds=[0])
    policy.act([observation(1)])
    policy.act([observation(2)])
    # the words once; then each tick the picture with the begin of an action and a guess of the rest, and after that one
    # token for each choice that was guessed wrong
    assert calls[0] < 8
    picture = 32 + 3
    assert calls[1] == picture
    assert sum(width >= picture for width in calls) == 2
    assert all(width == 1 or picture <= width < picture + 12 for width in calls[1:])


@pytest.mark.parametrize(("history", "chunk", "temperature"), [(0, 1, 0.0), (0, 3, 0.2), (1, 2, 0.5)])
def test_guesses_change_nothing_but_the_time(history, chunk, temperature):
    backbone = tiny().with_agent(history=history, chunk=chunk)
    with torch.no_grad():  # surer of itself than random weights are, so that guesses come true now and then
        bias = torch.zeros(backbone.model.lm_head.out_features)
        codec = VlaPolicy(backbone).codec
        bias[codec.null_ids] = 4.0
        bias[codec.group_ids[6][1]] = 4.0
        backbone.model.lm_head.bias = torch.nn.Parameter(bias)
    results, reads = [], []
    for guessing in (True, False):
        policy = VlaPolicy(backbone, temperature=temperature, freeze_limit=1000)
        speak, read = policy.speaker.speak, backbone.read
        if not guessing:
            policy.speaker.speak = lambda *given, speak=speak: speak(*given[:4])
        count = []
        backbone.read = lambda *given, read=read, count=count: count.append(1) or read(*given)
        results.append(played(policy, GOALS, [3, 4, 5], ticks=9))
        backbone.read = read
        reads.append(len(count))
    assert results[0] == results[1]
    assert len({repr(action) for actions in results[0] for action in actions}) > 1
    assert reads[0] < reads[1]
