"""Every family through our own path: the numbers of transformers, the pictures of its processors, and files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from jarvis.core.errors import FormatError, UnknownNameError
from jarvis.core.observations import Observation
from vla.action_codecs import MissingTokensError
from vla.backbone import FAMILIES, SIZES, AgentConfig, Backbone, tiny
from vla.images import HALF, PatchPixels, SquarePixels
from vla.packing import Example, attention, pack
from vla.policy import VlaPolicy
from vla.prompts import CHATML, SHORT, Turn

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def frame(seed=0, height=126, width=224):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def conversation(backbone, frames):
    seen = backbone.see(frames)
    turns = [backbone.style.first("mine 3 oak logs")]
    for _ in frames[1:]:
        turns += [backbone.style.reply([300, 301]), backbone.style.later()]
    return backbone.style.render(turns, backbone.tokenizer, [one.grid for one in seen], reply=True), seen


@pytest.mark.parametrize("family", FAMILIES)
def test_a_conversation_gives_the_logits_of_transformers(family):
    backbone = tiny(family)
    frames = [frame(0), frame(1)]
    with torch.inference_mode():
        rendered, seen = conversation(backbone, frames)
        ids, pictures = (torch.from_numpy(part)[None] for part in (rendered.ids, rendered.pictures))
        count = len(rendered)
        mask = torch.ones(1, count, count, dtype=torch.bool).tril()
        positions = torch.from_numpy(rendered.positions)[:, None]
        ours = backbone.logits(backbone.read(backbone.embed(ids, pictures, seen), positions, mask))
        inputs = backbone.pixels.prepare(frames)
        more = {}
        if family == "smolvlm":
            inputs = {"pixel_values": inputs["pixel_values"].transpose(0, 1)}  # two pictures of one row
        else:
            more["mm_token_type_ids"] = (pictures >= 0).int()
            theirs_positions, _ = backbone.model.model.get_rope_index(
                ids, more["mm_token_type_ids"], image_grid_thw=inputs["image_grid_thw"]
            )
            assert torch.equal(theirs_positions, positions)
        theirs = backbone.model(input_ids=ids, attention_mask=torch.ones_like(ids), **inputs, **more).logits
    assert ours.abs().max() > 0.1
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_at_once_look_as_they_do_alone(family):
    backbone = tiny(family)
    frames = [frame(seed, 140, 252) if family == "smolvlm" else frame(seed, 112, 224) for seed in range(3)]
    with torch.inference_mode():
        stack = backbone.see_stack(torch.from_numpy(np.stack(frames)))
        inputs = backbone.pixels.prepare(frames)
        theirs = backbone.model.get_image_features(**inputs, return_dict=True)
        one_by_one = [backbone.see([one])[0] for one in frames]
    assert (backbone._tower is None) == (family in ("qwen2_5_vl", "smolvlm"))
    for number, (seen, alone) in enumerate(zip(stack.each(), one_by_one, strict=True)):
        assert seen.grid == alone.grid == backbone.pixels.grid(*frames[0].shape[:2])
        torch.testing.assert_close(seen.tokens, theirs.pooler_output[number], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(alone.tokens, seen.tokens, atol=1e-5, rtol=1e-5)
    for layer, deep in zip(getattr(theirs, "deepstack_features", []), stack.deep, strict=True):
        whole = layer if isinstance(layer, torch.Tensor) else torch.cat(tuple(layer))
        torch.testing.assert_close(deep.flatten(0, 1), whole, atol=1e-5, rtol=1e-5)
    if backbone._tower is not None:
        with pytest.raises(ValueError, match="takes 224 x 112"):
            backbone.see_stack(torch.zeros(1, 126, 224, 3, dtype=torch.uint8))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_examples_has_the_losses_of_the_same_examples_packed(family):
    backbone = tiny(family)
    codec, style, tokenizer = backbone.codec(), backbone.style, backbone.tokenizer
    examples = []
    for number, words in enumerate(("jump", "mine 3 oak logs", "left-click slot 37")):
        picture = frame(number, 112, 224)
        reply = codec.encode({"attack": number % 2, "camera": (1.0, 3.0 * number)})
        turns = [style.first(words), style.reply(reply)]
        rendered = style.render(turns, tokenizer, [backbone.pixels.grid(*picture.shape[:2])])
        examples.append(Example(str(number), rendered, (picture,)))
    width = max(len(example.rendered) for example in examples)
    packed = pack(examples, width)  # one a row, padded behind
    assert (packed.segments < 0).any()
    ids, positions, pictures, segments, targets = (
        torch.from_numpy(part)
        for part in (packed.ids, packed.positions, packed.pictures, packed.segments, packed.targets)
    )
    frames = torch.from_numpy(np.stack(packed.frames))
    hidden = backbone.read(backbone.embed(ids, pictures, backbone.see(packed.frames)), positions, attention(segments))
    logits = backbone.logits(hidden[targets != -100])
    theirs = torch.nn.functional.cross_entropy(logits, targets[targets != -100])
    weight = backbone.model.lm_head.weight
    [their_slope] = torch.autograd.grad(theirs, weight)
    losses = backbone.losses(ids, positions, pictures, frames, targets)
    ours = losses.sum() / (targets != -100).sum()
    assert not losses[targets == -100].any()
    assert theirs > 1
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.autograd.grad(ours, weight)[0], their_slope, atol=1e-5, rtol=1e-4)
    padding = segments < 0
    assert padding.any()
    other = backbone.losses(ids.masked_fill(padding, 7), positions, pictures, frames, targets)
    torch.testing.assert_close(other, losses, atol=1e-6, rtol=0)


def test_the_agents_size_takes_the_pictures_that_are_drawn_for_it():
    backbone = tiny(size="agent")
    assert backbone.family == "qwen3_vl"
    assert (backbone.agent.width, backbone.agent.height) == (252, 140)
    assert backbone.pixels.size(140, 252) == (140, 252)
    assert backbone.pixels.tokens(140, 252) == 45
    assert backbone.num_parameters < 12.5e6
    with pytest.raises(UnknownNameError, match=r"size of model 'agant'.*agent"):
        tiny(size="agant")
    assert set(SIZES) == {"tiny", "agent", "small"}


@pytest.mark.parametrize(("height", "width"), [(360, 640), (126, 224), (720, 1280), (50, 30)])
def test_patches_are_those_of_the_qwen_processor(height, width):
    processor = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    pixels = PatchPixels(max_pixels=1024 * 28 * 28, min_pixels=4 * 28 * 28)
    theirs = processor.Qwen2VLImageProcessorPil(
        size={"shortest_edge": pixels.min_pixels, "longest_edge": pixels.max_pixels}
    )(frame(2, height, width), return_tensors="pt")
    ours = pixels.prepare([frame(2, height, width)])
    assert torch.equal(ours["image_grid_thw"], theirs["image_grid_thw"])
    torch.testing.assert_close(ours["pixel_values"], theirs["pixel_values"], atol=1e-5, rtol=0)


def test_a_frame_of_the_game_becomes_as_many_tokens_as_in_jarvis_vla():
    pixels = PatchPixels(max_pixels=1024 * 28 * 28, min_pixels=4 * 28 * 28)
    assert pixels.size(360, 640) == (364, 644)
    assert pixels.tokens(360, 640) == 299
    with pytest.raises(FormatError, match="200 times"):
        pixels.size(1, 300)


def test_squares_are_those_of_the_smolvlm_processor():
    processor = pytest.importorskip("transformers.models.smolvlm.image_processing_pil_smolvlm")
    theirs = processor.SmolVLMImageProcessorPil(
        size={"longest_edge": 512}, max_image_size={"longest_edge": 128}, do_image_splitting=False,
        image_mean=HALF, image_std=HALF,
    )(frame(3, 360, 640), return_tensors="pt")  # fmt: skip
    ours = SquarePixels(side=128, longest=512).prepare([frame(3, 360, 640)])
    torch.testing.assert_close(ours["pixel_values"], theirs["pixel_values"], atol=1e-5, rtol=0)


def test_only_the_assistants_words_are_learnt():
    backbone = tiny()
    tokenizer = backbone.tokenizer
    rendered = CHATML.render([Turn("user", ("jump",)), Turn("assistant", ("yes",))], tokenizer)
    assert tokenizer.decode(rendered.ids) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\njump<|im_end|>\n"
        "<|im_start|>assistant\nyes<|im_end|>\n"
    )
    assert tokenizer.decode(rendered.ids[rendered.learnt]) == "yes<|im_end|>"
    with pytest.raises(FormatError, match="picture 0, but 0 are given"):
        SHORT.render([SHORT.first("jump")], tokenizer)
    with pytest.raises(FormatError, match="1 pictures are given"):
        SHORT.render([Turn("user", ("jump",))], tokenizer, [(1, 1)])


@pytest.mark.parametrize("family", ["qwen2_vl", "smolvlm"])
def test_a_saved_model_is_the_same_and_others_can_load_it(family, tmp_path):
    backbone = tiny(family).with_agent(history=1, chunk=2)
    backbone.save(tmp_path)
    again = Backbone.load(tmp_path)
    assert again.agent == backbone.agent
    assert again.pixels == backbone.pixels
    assert again.num_parameters == backbone.num_parameters
    for name, value in backbone.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name])
    other = transformers.AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert type(other) is type(backbone.model)


def test_weights_in_half_precision_come_back_whole_and_play(tmp_path):
    backbone = tiny("qwen3_vl")
    backbone.save(tmp_path, dtype=torch.bfloat16, max_shard_size="3MB")
    files = list(tmp_path.glob("*.safetensors"))
    assert len(files) > 1
    assert all(path.stat().st_size < 3.1e6 for path in files)
    assert sum(path.stat().st_size for path in files) < 2.1 * backbone.num_parameters
    again = Backbone.load(tmp_path)
    assert again.model.lm_head.weight is again.language.get_input_embeddings().weight
    for name, value in backbone.model.state_dict().items():
        back = again.model.state_dict()[name]
        assert back.dtype == torch.float32
        assert torch.equal(back, value.to(torch.bfloat16).float())
    policy = VlaPolicy(tmp_path)
    policy.reset([None], seeds=[0])
    assert len(policy.act([Observation(frame())])) == 1
    half = Backbone.load(tmp_path, dtype=torch.bfloat16)
    assert half.model.dtype == torch.bfloat16
    assert torch.isfinite(half.see([frame()])[0].tokens).all()


def test_what_is_no_agent_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"no config\.json"):
        Backbone.load(tmp_path)
    backbone = tiny()
    backbone.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    with pytest.raises(UnknownNameError, match="model family 'gpt2'"):
        Backbone.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"jarvis": {"codecs": "text"}}))
    with pytest.raises(UnknownNameError, match="codec"):
        Backbone.load(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(FormatError, match=r"no \*\.safetensors in it, but pytorch_model\.bin"):
        Backbone.load(tmp_path)


def test_a_tokenizer_without_action_tokens_is_refused_with_the_list(tmp_path):
    from tokenizers import Tokenizer, models

    backbone = tiny()
    backbone.save(tmp_path)
    bare = transformers.PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), unk_token="<|unk|>")
    bare.save_pretrained(tmp_path)
    with pytest.raises(MissingTokensError, match=r"reserved_special_token_178.*reserved_special_token_250") as caught:
        VlaPolicy(tmp_path)
    assert len(caught.value.missing) == 75


def test_the_same_seed_gives_the_same_model():
    one, two, other = tiny(seed=1), tiny(seed=1), tiny(seed=2)
    weight = one.model.lm_head.weight
    assert torch.equal(weight, two.model.lm_head.weight)
    assert not torch.equal(weight, other.model.lm_head.weight)
    assert 3e6 < one.num_parameters < 5e6
    assert one.agent == AgentConfig("jarvisvla-fixed", "short", width=224, height=126)
