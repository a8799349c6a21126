"""Post-training: what is learnt, what is refused, and runs that go on bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from jarvis.core.actions import Action
from jarvis.core.errors import FormatError, UnknownNameError
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.training.optimizers import OptimizerConfig
from vla.backbone import Backbone, tiny
from vla.packing import Examples, TooLongError, pack
from vla.policy import VlaPolicy
from vla.post_train import PostTraining, begin_with, group_of, post_train, recipe
from vla.prompts import IMAGE, Turn
from vla.samples import Sample, Samples, SampleWriter, encoded

torch = pytest.importorskip("torch")
LEFT, RIGHT = {"left": 1, "camera": [0.0, 0.0]}, {"attack": 1, "camera": [0.0, 10.0]}
FAST = OptimizerConfig(rate=3e-3, warmup=3, schedule="constant", decay=0.0)
SMALL = {"width": 112, "height": 56}


def picture(bright):
    frame = np.full((126, 224, 3), 30, np.uint8)
    frame[:, 112:] = 220 if bright else 30
    return frame


def step(number, bright, episode="e"):
    action = RIGHT if bright else LEFT
    turns = (Turn("user", ("look\nobservation: \n", IMAGE)), Turn("assistant", ("",)))
    return Sample(f"{episode}_{number}", turns, (encoded(picture(bright)),), ("stage:trajectories",), action)


def steps(folder, count=24):
    with SampleWriter(folder, {"seed": 0}) as writer:
        for number in range(count):
            writer.add(step(number % 12, number % 3 == 0, episode=f"e{number // 12}"))
    return folder


def pairs(folder, count=20):
    with SampleWriter(folder, {}) as writer:
        for number in range(count):
            turns = (Turn("user", (f"How much is {number}?\n",)), Turn("assistant", (f"{number}.\n",)))
            writer.add(Sample(f"qa-{number:03d}", turns, labels=("topic:number",)))
    return folder


def config(**changes):
    small = PostTraining(steps=4, batch=4, optimizer=FAST, log_every=1, save_every=2, max_tokens=128, **SMALL)
    return replace(small, **changes)


def test_samples_come_back(tmp_path):
    steps(tmp_path / "a")
    pairs(tmp_path / "b")
    samples = Samples([tmp_path / "a", tmp_path / "b"])
    assert len(samples) == 44
    assert samples[3].action == RIGHT
    assert np.abs(samples[3].frames()[0].astype(int) - picture(True)).max() < 12
    assert samples[24].turns[0] == Turn("user", ("How much is 0?\n",))
    assert [sample.id for sample in samples][11:13] == ["e0_11", "e1_0"]
    assert samples.same_episode(3, 2).id == "e0_5"
    assert samples.same_episode(11, 1) is None
    facts = json.loads((tmp_path / "a" / "provenance.json").read_text())
    assert facts == {"seed": 0, "samples": 24, "labels": {"stage:trajectories": 24}}
    assert (tmp_path / "a" / "done").is_file()


def test_public_rows_are_read_as_they_are(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    null = "".join(f"<|reserved_special_token_{number}|>" for number in (178, 219, 240, 179))
    row = {
        "id": "mine_block-oak_log-12-140_33",
        "label": ["trajectory", "RT2", "mine_block:oak_log", "h=0", "c=1"],
        "image": ["x.jpg"],
        "image_bytes": [encoded(picture(True))],
        "conversations": [
            {"role": "user", "content": [{"type": "text", "text": "mine an oak log\nobservation: \n"},
                                         {"type": "image", "text": None}]},
            {"role": "assistant", "content": [{"type": "text", "text": f"{null}\n"}]},
        ],
        "action": {"buttons": 0, "camera_bins": 220},
    }  # fmt: skip
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "train-00000.parquet")
    samples = Samples([tmp_path])
    assert samples[0].frame == 33
    backbone = begin_with(config(codec="jarvisvla-v1"))
    example = Examples(samples, backbone)[0]
    learnt = example.rendered.ids[example.rendered.learnt]
    assert learnt.tolist() == [*VlaPolicy(backbone).codec.null_ids, backbone.tokenizer.eos_token_id]
    assert "mine an oak log" in backbone.tokenizer.decode(example.rendered.ids)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"conversations": [{"role": "robot", "content": []}]}, "role 'robot'"),
        ({"conversations": [{"role": "user"}]}, "conversations: KeyError"),
        ({"conversations": [{"role": "user", "content": [{"type": "sound"}]}]}, "type 'sound'"),
        ({"image_bytes": ["text"]}, r"image_bytes\[0\] is str"),
    ],
)
def test_bad_rows_are_named(tmp_path, damage, said):
    import pyarrow as pa
    import pyarrow.parquet as pq

    good = {"id": "a", "conversations": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}
    pq.write_table(pa.Table.from_pylist([good | damage]), tmp_path / "x.parquet")
    with pytest.raises(FormatError, match=rf"x\.parquet: row group 0, row 0.*{said}"):
        Samples([tmp_path])[0]


def test_other_files_are_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pytest.raises(FormatError, match="no parquet file there"):
        Samples([tmp_path])
    (tmp_path / "a.parquet").write_bytes(b"not a table")
    with pytest.raises(FormatError, match=r"a\.parquet: not a parquet file"):
        Samples([tmp_path])
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(FormatError, match="no column conversations, id"):
        Samples([tmp_path])
    broken = Sample("broken_0", step(0, True).turns, (b"jpeg",), action=LEFT)
    with pytest.raises(FormatError, match="sample broken_0: picture 0"):
        broken.frames()
    with pytest.raises(FormatError, match="0 pictures for 1 places"), SampleWriter(tmp_path / "w", {}) as writer:
        writer.add(Sample("x", (Turn("user", (IMAGE,)),)))
    assert not (tmp_path / "w").exists()


def test_history_shows_what_was_done_and_only_the_present_is_learnt(tmp_path):
    samples = Samples([steps(tmp_path / "a")])
    backbone = tiny().with_agent(history=2, chunk=2)
    examples = Examples(samples, backbone)
    codec = VlaPolicy(backbone).codec
    left, right = codec.encode(LEFT), codec.encode(RIGHT)
    example = examples[6]  # bright are 0, 3, 6, 9
    assert len(example.frames) == 3
    assert [frame[0, -1, 0] > 128 for frame in example.frames] == [False, False, True]  # ticks 2, 4, 6
    end = backbone.tokenizer.eos_token_id
    assert example.rendered.ids[example.rendered.learnt].tolist() == [*right, *left, end]
    text = example.rendered.ids.tolist()
    assert any(text[at : at + len(left + right)] == left + right for at in range(len(text)))  # ticks 2 and 3
    first = examples[0]
    null = codec.null_ids
    assert first.rendered.ids[first.rendered.learnt].tolist() == [*right, *left, end]
    assert sum(first.rendered.ids == null[1]) >= 4
    last = examples[11]
    assert last.rendered.ids[last.rendered.learnt].tolist() == [*left, *null, end]


@pytest.mark.parametrize("codec", ["jarvisvla-fixed", "text"])
def test_what_a_policy_reads_is_what_was_learnt(tmp_path, codec):
    # the prompt of play, id for id and position for position, is the beginning of the example
    samples = Samples([steps(tmp_path / "a")])
    backbone = tiny().with_agent(history=1, chunk=1, codec=codec)
    example = Examples(samples, backbone)[0]
    policy = VlaPolicy(backbone)
    policy.reset([Goal("look")], seeds=[0])
    read = []
    feed = policy.speaker._feed
    policy.speaker._feed = lambda new, *more: read.append(new[0]) or feed(new, *more)
    policy.act([Observation(samples[0].frames()[0])])
    ids = np.concatenate([part[0] for part in read[:2]])
    positions = np.concatenate([part[1] for part in read[:2]], axis=1)
    assert ids.tolist() == example.rendered.ids[: len(ids)].tolist()
    assert (positions == example.rendered.positions[:, : len(ids)]).all()


def test_packed_examples_do_not_see_each_other(tmp_path):
    from vla.post_train import _learner

    samples = Samples([steps(tmp_path / "a"), pairs(tmp_path / "b")])
    backbone = tiny()
    examples = Examples(samples, backbone)
    some = [examples[number] for number in (0, 30, 1, 31, 40)]
    learner = _learner(backbone)
    with torch.no_grad():
        together = pack(some, max_tokens=120)
        alone = [pack([example], max_tokens=120) for example in some]
        losses = [learner(packed).item() * packed.learnt for packed in alone]
        assert together.ids.shape[0] < len(some)
        assert together.learnt == sum(packed.learnt for packed in alone)
        assert learner(together).item() * together.learnt == pytest.approx(sum(losses), rel=1e-4)
    with pytest.raises(TooLongError, match=r"sample e0_0: \d+ tokens, at most 20 fit"):
        pack(some, max_tokens=20)


def bits(folder):
    from safetensors.torch import load_file

    return load_file(folder / "training_state" / "weights.safetensors")


def test_rows_may_go_one_by_one(tmp_path):
    data = [steps(tmp_path / "a"), pairs(tmp_path / "b")]
    asked = config(steps=1, batch=8, max_tokens=64, save_every=1)
    at_once, one_by_one = (
        bits(post_train(replace(asked, rows=rows), data, tmp_path / f"run{rows}", device="cpu")) for rows in (0, 1)
    )
    told = [json.loads((tmp_path / f"run{rows}" / "log.jsonl").read_text()) for rows in (0, 1)]
    assert told[0]["loss"] == pytest.approx(told[1]["loss"], rel=1e-5)
    assert told[0]["norm"] == pytest.approx(told[1]["norm"], rel=1e-4)
    close = [torch.isclose(at_once[name], one_by_one[name], atol=1e-4).float().mean().item() for name in at_once]
    assert min(close) > 0.99  # where a gradient is next to nothing, Adam's first step follows its sign


def test_a_killed_run_goes_on_bit_for_bit(tmp_path):
    data = [steps(tmp_path / "a"), pairs(tmp_path / "b")]
    asked = config(augment=True)
    whole = post_train(asked, data, tmp_path / "whole", device="cpu")
    post_train(asked, data, tmp_path / "cut", device="cpu", stop_after=3)  # the last checkpoint is of step 2
    settings = json.loads((tmp_path / "cut" / "settings.json").read_text())
    del settings["config"]["rows"]  # as an earlier version wrote it, which knew no such setting
    (tmp_path / "cut" / "settings.json").write_text(json.dumps(settings))
    rest = post_train(asked, data, tmp_path / "cut", device="cpu")
    assert whole.name == rest.name == "step_00000004"
    one, two = bits(whole), bits(rest)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    lines = [[json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
             for name in ("whole", "cut")]  # fmt: skip
    assert [line["loss"] for line in lines[0]] == [line["loss"] for line in lines[1]]
    with pytest.raises(FormatError, match=r"other settings \(batch\)"):
        post_train(config(augment=True, batch=5), data, tmp_path / "cut", device="cpu")


def test_it_learns_to_act_by_what_it_sees(tmp_path):
    data = steps(tmp_path / "a")
    asked = config(steps=30, batch=6, save_every=30)
    folder = post_train(asked, [data], tmp_path / "run", device="cpu")
    policy = VlaPolicy(folder, temperature=0)
    policy.reset([Goal("look")] * 2, seeds=[0, 1])
    frames = [Samples([data])[number].frames()[0] for number in (0, 1)]
    expected = [Action.from_env(policy.codec.decode(policy.codec.encode(action))[0]) for action in (RIGHT, LEFT)]
    assert policy.act([Observation(frame) for frame in frames]) == expected
    assert "Stage trajectories, 30 of 30 steps" in (folder / "card.md").read_text()


def test_parts_of_a_model_can_rest(tmp_path):
    before = {name: value.clone() for name, value in tiny().model.state_dict().items()}
    asked = config(trains=("vision",), steps=2)
    folder = post_train(asked, [steps(tmp_path / "a")], tmp_path / "run", device="cpu")
    after = Backbone.load(folder).model.state_dict()
    changed = {group_of(name) for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"vision"}
    trained = json.loads((tmp_path / "run" / "settings.json").read_text())["trained"]
    assert trained == {"vision": sum(p.numel() for n, p in tiny().model.named_parameters() if group_of(n) == "vision")}


def test_adapters_are_trained_and_written_as_a_plain_model(tmp_path):
    pytest.importorskip("peft")
    data = [steps(tmp_path / "a")]
    asked = config(lora=4, steps=4, save_every=2)
    whole = post_train(asked, data, tmp_path / "whole", device="cpu")
    post_train(asked, data, tmp_path / "cut", device="cpu", stop_after=3)
    rest = post_train(asked, data, tmp_path / "cut", device="cpu")
    one, two = bits(whole), bits(rest)
    assert all(torch.equal(one[name], two[name]) for name in one)
    before, after = tiny().model.state_dict(), Backbone.load(whole).model.state_dict()
    assert before.keys() == after.keys()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed
    assert all(name.endswith("_proj.weight") and "language_model" in name for name in changed)
    assert len(changed) == 6 * 7


def test_recipes_can_be_changed_and_bad_ones_are_named():
    assert recipe("tiny-language", {"steps": 3, "optimizer": {"rate": 0.1}}).optimizer.rate == 0.1
    assert recipe("7b-trajectories").trains == ("language",)
    with pytest.raises(UnknownNameError, match="tiny-language"):
        recipe("tiny-langauge")
    with pytest.raises(FormatError, match="hf download CraftJarvis/Nothing"):
        begin_with(config(model="CraftJarvis/Nothing"))
    with pytest.raises(UnknownNameError, match="part of the model"):
        config(trains=("eyes",))


def test_the_parts_of_the_released_model_are_found_by_name():
    from transformers import AutoConfig, AutoModelForImageTextToText

    from vla.post_train import freeze

    text = {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
            "num_key_value_heads": 4, "vocab_size": 152064, "tie_word_embeddings": False}  # fmt: skip
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
    config = AutoConfig.for_model("qwen2_vl", text_config=text | {"rope_parameters": rope}, tie_word_embeddings=False)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    counts = freeze(model, ("vision", "adapter", "language"))
    assert sum(counts.values()) == 8_291_375_616  # 8.29 B, as the model card says
    assert counts["language"] == 7_615_616_512  # Qwen2-7B
    assert freeze(model, ("language",)) == {"language": counts["language"]}
    assert not any(p.requires_grad for n, p in model.named_parameters() if "visual" in n)


def test_a_part_that_is_not_there_is_refused():
    from vla.post_train import freeze

    class Deaf(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lm_head = torch.nn.Linear(2, 2)

    with pytest.raises(FormatError, match="no parameter of the model belongs to 'vision'"):
        freeze(Deaf(), ("vision", "language"))


def test_a_plain_tokenizer_gets_jarvis_vlas_tokens_in_their_order():
    from tokenizers import Tokenizer, models

    from vla.action_codecs import get
    from vla.post_train import add_action_tokens

    backbone = tiny()
    base = {f"w{number}": number for number in range(100)}
    plain = Tokenizer(models.WordLevel(base, unk_token="w0"))
    import transformers

    backbone.tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=plain)
    assert add_action_tokens(backbone) == 251
    codec = get("jarvisvla-v1", backbone.tokenizer)
    assert codec.begin == 100 + 178
    assert codec.null_ids == [100 + number for number in (178, 219, 240, 179)]
    assert add_action_tokens(backbone) == 0


def test_half_precision_trains_and_full_precision_is_written(tmp_path):
    data = [steps(tmp_path / "a")]
    post_train(
        config(steps=1, save_every=1), data, tmp_path / "before", device="cpu"
    )  # another precision, same process
    folder = post_train(config(precision="bf16", steps=2), data, tmp_path / "run", device="cpu")
    weights = Backbone.load(folder).model.state_dict()
    assert {value.dtype for value in weights.values()} == {torch.float32}
    assert not torch.equal(weights["lm_head.weight"], tiny().model.lm_head.weight)
