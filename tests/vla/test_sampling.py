"""Actions in bulk: the same as row by row where nothing is drawn, and drawn as the model says where it is."""

from __future__ import annotations

import numpy as np
import pytest

from jarvis.core.errors import ActionError
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from vla.backbone import tiny
from vla.grammar import grammar_of
from vla.policy import VlaPolicy
from vla.sampling import Sampler

torch = pytest.importorskip("torch")
WORDS = ("mine 3 oak logs", "left-click slot 37", "jump")


def frames(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 112, 224, 3), dtype=np.uint8)


def sized(family):
    return tiny(family).with_agent(height=112)


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen3_vl", "smolvlm"])
def test_the_likeliest_actions_are_the_policys(family):
    backbone = sized(family)
    looks, words = frames(12), [WORDS[row % 3] for row in range(12)]
    policy = VlaPolicy(backbone, temperature=0)
    policy.reset([Goal(text) for text in words], seeds=range(12))
    expected = policy.act([Observation(look) for look in looks])
    sampler = Sampler(backbone)
    assert sampler.sample(looks, words, temperature=0) == expected
    assert sampler.sample(torch.from_numpy(looks[5:]), words[5:], temperature=0) == expected[5:]
    assert len(set(map(repr, expected))) > 1


def test_what_is_drawn_is_drawn_as_the_model_says():
    backbone = sized("qwen2_vl")
    with torch.no_grad():
        backbone.model.lm_head.weight *= 4  # of an opinion
    looks, count, heat = frames(1), 200, 1.5
    sampler = Sampler(backbone, seed=1)
    with torch.inference_mode():
        stack = backbone.see_stack(looks)
        prompt = sampler._prompt("jump", stack.grid)
        ids, pictures = (torch.from_numpy(part)[None] for part in (prompt.ids, prompt.pictures))
        embedded = backbone.embed(ids, pictures, stack)
        hidden = backbone.read(embedded, torch.from_numpy(prompt.positions)[:, None], None)[0, -1]
        grammar = grammar_of(sampler.codec)
        allowed = grammar.choices((0, 0))[0]
        chances = torch.softmax(backbone.logits(hidden)[allowed] / heat, 0).numpy()
    actions = sampler.sample(np.repeat(looks, count, 0), ["jump"] * count, heat)
    first = np.array([sampler.codec.encode(action)[1] for action in actions])
    likeliest = np.argsort(-chances)[:5]
    assert chances[likeliest[0]] > 0.05
    for place in likeliest:
        chance, share = chances[place], (first == allowed[place]).mean()
        assert abs(share - chance) < 4 * np.sqrt(chance * (1 - chance) / count)
    one, same, other = (Sampler(backbone, seed).sample(frames(8), ["jump"] * 8, heat) for seed in (1, 1, 2))
    assert one == same != other


def test_what_cannot_be_sampled_is_refused():
    backbone = sized("qwen2_vl")
    for changes in ({"history": 1}, {"chunk": 2}, {"codec": "text"}):
        with pytest.raises(ValueError, match="VlaPolicy plays others"):
            Sampler(backbone.with_agent(**changes))
    sampler = Sampler(backbone)
    with pytest.raises(ValueError, match="2 frames for 1 instructions"):
        sampler.sample(frames(2), ["jump"])
    with torch.no_grad():
        backbone.model.lm_head.weight[0] = torch.nan
    with pytest.raises(ActionError, match="not finite"):
        sampler.sample(frames(1), ["jump"])
