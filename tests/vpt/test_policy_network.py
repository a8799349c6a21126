from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import vpt_reference as reference
from vpt_reference import assert_close

from jarvis.vpt import InputError, PolicyState, build, cast_products, tiny

GOLDEN = reference.golden("policy_tiny")


def flags(ticks, *beginnings):
    """(2, ticks) bool, true at the (stream, tick) pairs."""
    first = np.zeros((2, ticks), bool)
    for stream, tick in beginnings:
        first[stream, tick] = True
    return first


def run(policy, clip, first, lengths, state=None):
    """Latents and outputs of consecutive calls of these lengths, joined, and the last state."""
    state = policy.initial_state(2) if state is None else state
    latents, outputs, start = [], [], 0
    for length in lengths:
        part = slice(start, start + length)
        latent, state = policy.latents(policy.features(clip[:, part]), first[:, part], state)
        latents.append(latent)
        outputs.append(policy.heads(latent))
        start += length
    joined = {name: torch.cat([output[name] for output in outputs], dim=1) for name in outputs[0]}
    return torch.cat(latents, dim=1), joined, state


def assert_golden(prefix, policy, latent, output, state):
    logp = output["buttons_logp"]
    assert logp.shape == (*latent.shape[:2], 8641) and output["camera_logp"].shape == (*latent.shape[:2], 121)
    assert_close(latent, GOLDEN[f"{prefix}_latent"])
    assert_close(logp[..., reference.BUTTON_COLUMNS], GOLDEN[f"{prefix}_buttons_logp"])
    assert_close(-(logp.exp() * logp).sum(-1), GOLDEN[f"{prefix}_buttons_entropy"])
    assert (logp.argmax(-1).numpy() == GOLDEN[f"{prefix}_buttons_argmax"]).all()
    assert_close(output["camera_logp"], GOLDEN[f"{prefix}_camera_logp"])
    assert_close(output["value"], GOLDEN[f"{prefix}_value"][..., 0])
    assert_close(policy.denormalise_value(output["value"]), GOLDEN[f"{prefix}_value_denorm"][..., 0])
    for block in range(2):
        assert (state.valid.numpy() == GOLDEN[f"{prefix}_state{block}_mask"][:, 0]).all()
        # Sums of 64 numbers, whose errors add up to eight times that of one.
        assert_close(state.keys[block].sum((1, 3)) / 8, GOLDEN[f"{prefix}_state{block}_k_sum"] / 8)
        assert_close(state.values[block].sum((1, 3)) / 8, GOLDEN[f"{prefix}_state{block}_v_sum"] / 8)


def test_features_and_first_stack_equal_the_reference(policy, clip):
    assert_close(policy.features(clip[:, :8]), GOLDEN["img_a"])
    pixels = torch.from_numpy(clip[:, :2]).flatten(0, 1).permute(0, 3, 1, 2)
    stack = policy.net.img_process.cnn.stacks[0](pixels)
    assert_close(stack.mean((2, 3)).view(2, 2, -1).transpose(0, 1), GOLDEN["stack0_mean"])  # stored by tick, stream


def test_two_chunks_with_a_reset_between_equal_the_reference(policy, clip):
    first = flags(16, (0, 0), (1, 0), (1, 8))
    latent, output, state = run(policy, clip[:, :8], first[:, :8], [8])
    assert_golden("a", policy, latent, output, state)
    latent, output, state = run(policy, clip[:, 8:], first[:, 8:], [8], state)
    assert_golden("b", policy, latent, output, state)


@pytest.mark.parametrize("lengths", [[1] * 16, [16], [3, 1, 7, 5], [6, 10]], ids=str)
def test_episodes_may_begin_at_any_tick_of_any_call(policy, clip, lengths):
    # The reference ran frame by frame, with the flag of stream 1 set at ticks 5 and 8.
    first = flags(16, (0, 0), (1, 0), (1, 5), (1, 8))
    assert_golden("step", policy, *run(policy, clip, first, lengths))


def test_what_comes_before_a_first_tick_has_no_effect(policy, clip):
    first = flags(16, (0, 11))
    changed = clip.copy()
    changed[:, :11] = 255 - changed[:, :11]
    latent, _, _ = run(policy, clip, first, [16])
    other, _, _ = run(policy, changed, first, [16])
    assert torch.equal(latent[0, 11:], other[0, 11:])
    assert not torch.allclose(latent[1, 11:13], other[1, 11:13])
    alone, _, _ = run(policy, clip[:, 11:], first[:, 11:], [5])
    assert_close(latent[0, 11:], alone[0])


def test_memory_is_four_ticks_a_block_the_present_one_included(policy, clip):
    # Two blocks of four ticks: tick 8 depends on ticks 2 to 8.
    for changed_tick, matters in ((1, False), (2, True), (8, True), (9, False)):
        changed = clip.copy()
        changed[:, changed_tick] = 0
        latent, _, _ = run(policy, clip, flags(16), [16])
        other, _, _ = run(policy, changed, flags(16), [16])
        assert torch.allclose(latent[:, 8], other[:, 8], atol=1e-6) != matters


def test_a_fresh_state_is_the_same_with_and_without_the_flag(policy, clip):
    plain, _, _ = run(policy, clip[:, :6], flags(6), [6])
    flagged, _, state = run(policy, clip[:, :6], flags(6, (0, 0), (1, 0)), [6])
    assert torch.equal(plain, flagged)
    assert state.valid.all()


def test_an_input_longer_than_the_memory_goes_in_pieces(policy, clip):
    long = np.concatenate([clip, clip[:, ::-1], clip], axis=1)  # 48 ticks, twelve times the memory
    first = flags(48, (0, 13), (1, 40))
    latent, _, state = run(policy, long, first, [48])
    steps, _, last = run(policy, long, first, [5] * 9 + [3])
    assert_close(latent, steps)
    assert_close(state.keys[1], last.keys[1])


def test_states_are_values_that_can_be_split_joined_and_branched_from(policy, clip):
    _, _, state = run(policy, clip[:, :6], flags(6), [6])
    kept = copy.deepcopy(state)
    swapped = PolicyState.cat([state[[1]], state[:1]])
    first = flags(3)
    latent, _, _ = run(policy, clip[:, 6:9], first, [3], state)
    other, _, _ = run(policy, clip[::-1, 6:9].copy(), first, [3], swapped)
    assert_close(latent.flip(0), other)
    again, _, _ = run(policy, clip[:, 6:9], first, [3], kept)
    assert torch.equal(latent, again)


def test_chunks_of_the_cnn_do_not_change_the_result(policy, clip):
    small = copy.copy(policy)
    small.frames_per_chunk = 3
    assert_close(small.features(clip), policy.features(clip))


def test_a_loaded_policy_keeps_no_graph_and_a_trained_one_does(policy, clip):
    output, state = policy(clip[:, :1], flags(1), policy.initial_state(2))
    assert not output["value"].requires_grad and not state.keys[0].requires_grad
    trained = copy.deepcopy(policy).trainable()
    output, state = trained(clip[:, :1], flags(1), trained.initial_state(2))
    (output["buttons_logp"][..., 0].sum() + output["camera_logp"][..., 0].sum() + output["value"].sum()).backward()
    without = {name for name, parameter in trained.named_parameters() if parameter.grad is None}
    assert without == {f"value_head.normalizer.{n}" for n in ("running_mean", "running_mean_sq", "debiasing_term")}
    assert not state.detach().keys[0].requires_grad


def test_recomputing_features_gives_the_same_gradients(policy, clip):
    gradients = []
    for recompute in (False, True):
        model = copy.deepcopy(policy).trainable()
        model.recompute_features, model.frames_per_chunk = recompute, 2
        model.features(clip[:, :2]).square().sum().backward()
        gradients.append(model.net.img_process.cnn.stacks[0].firstconv.layer.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-4)


def test_half_precision_products_keep_the_probabilities_close(policy, clip):
    half = cast_products(copy.deepcopy(policy), torch.bfloat16)
    assert half.net.lastlayer.layer.weight.dtype == torch.bfloat16
    assert half.pi_head["camera"].linear_layer.weight.dtype == torch.float32
    _, output, state = run(half, clip[:, :4], flags(4), [4])
    _, exact, _ = run(policy, clip[:, :4], flags(4), [4])
    assert output["camera_logp"].dtype == torch.float32 and state.keys[0].dtype == torch.float32
    assert (output["camera_logp"] - exact["camera_logp"]).abs().mean() < 0.1


def test_value_normaliser():
    head = build(tiny(), seed=0).value_head
    mean, variance = head.normalizer.mean_and_variance()
    assert (mean.item(), variance.item()) == (0.0, pytest.approx(0.01))
    for _ in range(100):
        head.normalizer.update(torch.tensor([1.0, 3.0]))
    mean, variance = head.normalizer.mean_and_variance()
    assert (mean.item(), variance.item()) == (pytest.approx(2.0, rel=1e-4), pytest.approx(1.0, rel=1e-3))
    assert head.normalizer.denormalise(head.normalizer.normalise(torch.tensor(5.0))).item() == pytest.approx(5.0)
    assert head.loss(torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 3.0])).item() == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize(
    ("frames", "first", "batch", "complaint"),
    [
        (np.zeros((2, 1, 128, 128, 3), np.float32), flags(1), 2, "float32"),
        (np.zeros((2, 128, 128, 3), np.uint8), flags(1), 2, r"\(2, 128, 128, 3\)"),
        (np.zeros((2, 1, 64, 64, 3), np.uint8), flags(1), 2, r"\(2, 1, 64, 64, 3\)"),
        (np.zeros((2, 0, 128, 128, 3), np.uint8), flags(0), 2, "at least one"),
        (np.zeros((2, 1, 128, 128, 3), np.uint8), flags(2), 2, r"first: .*\(2, 2\)"),
        (np.zeros((2, 1, 128, 128, 3), np.uint8), flags(1).astype(np.uint8), 2, "first: .*uint8"),
        (np.zeros((2, 1, 128, 128, 3), np.uint8), flags(1), 3, "3 streams"),
    ],
)
def test_wrong_inputs_are_refused(policy, frames, first, batch, complaint):
    with pytest.raises(InputError, match=complaint):
        policy(frames, first, policy.initial_state(batch))
