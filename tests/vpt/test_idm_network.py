from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import vpt_reference as reference
from vpt_reference import assert_close

from jarvis.core.actions import VPT_CAMERA
from jarvis.vpt import IDMConfig, InputError, build, load_idm, tiny_idm

GOLDEN = reference.golden("idm_tiny")


@pytest.mark.parametrize(("prefix", "seed", "batch", "ticks"), [("b2", 2, 2, 24), ("b1", 5, 1, 7)])
def test_labels_equal_the_reference(idm, prefix, seed, batch, ticks):
    clip = reference.frames(seed, batch * ticks).reshape(batch, ticks, 128, 128, 3)
    output = idm(clip)
    assert_close(idm.latents(idm.features(clip)), GOLDEN[f"{prefix}_latent"])
    assert_close(output["buttons_logp"], GOLDEN[f"{prefix}_buttons_logp"])
    assert_close(output["camera_logp"], GOLDEN[f"{prefix}_camera_logp"])
    assert (output["buttons_logp"].argmax(-1).numpy() == GOLDEN[f"{prefix}_buttons"]).all()
    bins = output["camera_logp"].argmax(-1).numpy()
    assert (bins == GOLDEN[f"{prefix}_camera_bins"]).all()
    np.testing.assert_allclose(VPT_CAMERA.to_degrees(bins), GOLDEN[f"{prefix}_camera_deg"], atol=1e-5)


def test_overlapping_windows_share_features_but_for_two_frames_at_each_end(idm, clip):
    whole = idm.features(clip)
    window = idm.features(clip[:, 4:12])
    assert_close(window[:, 2:-2], whole[:, 6:10])
    assert not torch.allclose(window[:, :2], whole[:, 4:6], atol=1e-3)
    # The ends need only two more frames each.
    assert_close(idm.features(clip[:, 4:8], after=2), window[:, :2])
    assert_close(idm.features(clip[:, 8:12], before=2), window[:, -2:])


def test_features_of_a_stream_in_pieces_equal_those_of_the_whole(idm, clip):
    pieces = [
        idm.features(clip[:, :7], after=2),
        idm.features(clip[:, 3:13], before=2, after=2),
        idm.features(clip[:, 9:], before=2),
    ]
    assert [piece.shape[1] for piece in pieces] == [5, 6, 5]
    assert_close(torch.cat(pieces, dim=1), idm.features(clip))


@pytest.mark.parametrize("chunk", [1, 3, 16, 100])
def test_chunks_of_the_cnn_do_not_change_the_result(idm, clip, chunk):
    chunked = copy.copy(idm)
    chunked.frames_per_chunk = chunk
    assert_close(chunked.features(clip), idm.features(clip))


def test_one_frame_is_a_clip(idm, clip):
    assert idm(clip[:, :1])["buttons_logp"].shape == (2, 1, 20, 2)


def test_attention_has_no_order_of_its_own(idm, clip):
    features = idm.features(clip)
    assert_close(idm.latents(features.flip(1)).flip(1), idm.latents(features))


def test_lastlayer_is_an_option(idm, weights, clip):
    applied = load_idm(None, weights / "idm_tiny.weights", temperature=4.0, apply_lastlayer=True)
    features = idm.features(clip)
    x = torch.relu(idm.net.recurrent_layer(features))
    assert_close(applied.latents(features), idm.net.final_ln(idm.net.lastlayer(x)))
    assert not torch.allclose(applied.latents(features), idm.latents(features), atol=0.1)


def test_parameters_that_nothing_depends_on_get_no_gradient(clip):
    model = build(tiny_idm(), seed=1)
    sum(logp[..., 0].sum() for logp in model(clip[:, :3]).values()).backward()
    for name, parameter in model.named_parameters():
        dead = any(part in name for part in ("b_nd", "r_layer", "lastlayer"))
        assert parameter.requires_grad != dead, name
        assert (parameter.grad is None) == dead, name


def test_other_sizes_of_frames_and_bins():
    config = IDMConfig((4, 8), 32, 2, 1, temperature=1.0, image_size=64, conv_channels=4, conv_ticks=3, num_bins=21)
    model = build(config, seed=0).trainable(False)
    output = model(np.zeros((1, 2, 64, 64, 3), np.uint8))
    assert output["camera_logp"].shape == (1, 2, 2, 21)
    assert config.margin_ticks == 1 and config.grid == 16


@pytest.mark.parametrize(("before", "after"), [(3, 0), (0, -1), (2, 2)])
def test_wrong_context_is_refused(idm, clip, before, after):
    with pytest.raises(InputError, match=f"before {before}, after {after}"):
        idm.features(clip[:, :4], before=before, after=after)
