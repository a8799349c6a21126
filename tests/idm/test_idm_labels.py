from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

import idm
from idm.labels import Labeler, Labels, decode
from idm.networks import build_motion, tiny
from idm.windows import windows
from jarvis.core.actions import VPT_CAMERA
from jarvis.core.errors import FormatError
from jarvis.core.random_streams import generator
from jarvis.vpt import build, tiny_idm


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def vpt():
    """Windows of 16 frames, so that 40 frames have several."""
    return build(tiny_idm(), seed=0).trainable(False)


@pytest.fixture(scope="module")
def motion():
    return build_motion(tiny(), seed=0).trainable(False)


def video(seed, count):
    return generator(seed, "video").integers(0, 256, (count, 128, 128, 3), np.uint8)


def straightforward(network, frames, length=16):
    """One window at a time, each by itself."""
    parts = []
    for window in windows(len(frames), length):
        with torch.no_grad():
            output = network(frames[None, window.start : window.stop])
        kept = slice(window.keep_from - window.start, window.keep_to - window.start)
        labeler = Labeler(network)
        parts.append(
            decode({name: logp[0, kept] for name, logp in output.items()}, labeler.camera, labeler.interpolates)
        )
    return Labels.join(parts)


def owners(num_frames, length):
    owner = np.full(num_frames, -1)
    for number, window in enumerate(windows(num_frames, length)):
        assert window.start <= window.keep_from < window.keep_to <= window.stop <= num_frames
        assert (owner[window.keep_from : window.keep_to] == -1).all()
        owner[window.keep_from : window.keep_to] = number
    return owner.tolist()


def test_each_frame_is_labelled_once_from_the_middle():
    # windows of eight, every four, of which the middle four are kept; the outer windows also own their outer edge
    assert owners(16, 8) == [0] * 6 + [1] * 4 + [2] * 6
    assert owners(13, 8) == [0] * 6 + [1] * 4 + [2] * 3  # the last window ends with the video: frames 5 to 12
    assert owners(8, 8) == [0] * 8 and owners(1, 8) == [0] and owners(0, 8) == []
    assert [(w.start, w.keep_from, w.keep_to) for w in windows(300)] == [
        (0, 0, 96), (64, 96, 160), (128, 160, 224), (172, 224, 300)]  # fmt: skip


@pytest.mark.parametrize("length", [1, 2, 3, 5, 127, 128, 129, 191, 192, 193, 1000])
def test_every_length_has_one_owner_a_frame(length):
    assert -1 not in owners(length, 128)


@pytest.mark.parametrize("kind", ["vpt", "motion"])
@pytest.mark.parametrize("count", [1, 2, 3, 15, 16, 17, 24, 25, 40, 53])
def test_labels_are_those_of_one_window_at_a_time(kind, count, request):
    network, frames = request.getfixturevalue(kind), video(1, count)
    expected = straightforward(network, frames)
    found = Labels.join(list(Labeler(network, chunk=7).label(frames)))
    assert len(found) == count
    np.testing.assert_array_equal(found.buttons, expected.buttons)
    np.testing.assert_allclose(found.camera, expected.camera, atol=1e-4)
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-4)
    assert (found.buttons.dtype, found.camera.dtype, found.confidence.dtype) == (np.uint8, np.float32, np.float32)
    assert found.buttons.shape == (count, 23) and found.confidence.shape == (count, 22)


def test_true_context_at_the_edges_changes_little(vpt):
    frames = video(2, 40)
    exact = Labels.join(list(Labeler(vpt).label(frames)))
    shared = Labels.join(list(Labeler(vpt, exact_edges=False).label(frames)))
    assert 0 < np.abs(exact.confidence - shared.confidence).max() < 0.2


def test_videos_together_have_the_labels_they_have_alone(motion):
    videos = [video(seed, count) for seed, count in ((3, 40), (4, 1), (5, 23), (6, 0))]
    labeler = Labeler(motion, chunk=8)
    together = [[] for _ in videos]
    for number, labels in labeler.label_many(videos):
        together[number].append(labels)
    for frames, parts in zip(videos, together, strict=True):
        alone = Labels.join(list(labeler.label(iter(frames))))
        np.testing.assert_allclose(Labels.join(parts).confidence, alone.confidence, atol=1e-5)
        assert len(alone) == len(frames)


def test_stacks_of_frames_are_frames(motion):
    frames = video(7, 30)
    one_by_one = Labels.join(list(Labeler(motion).label(iter(frames))))
    stacked = Labels.join(list(Labeler(motion).label([frames[:4], frames[4:5], frames[5:]])))
    np.testing.assert_array_equal(one_by_one.confidence, stacked.confidence)


def test_frames_are_taken_only_as_needed_and_soon_forgotten(motion):
    labeler, taken = Labeler(motion, chunk=4), 0

    def frames():
        nonlocal taken
        for frame in video(8, 200):
            taken += 1
            yield frame

    labelled = 0
    for labels in labeler.label(frames()):
        labelled += len(labels)
        # a window of 16 keeps all but its last 4 frames; a chunk of 4, the margin of 1 and one more frame are ahead
        assert taken <= labelled + 4 + 2 * 4 + 2
    assert labelled == taken == 200


def test_several_threads_may_label(motion):
    labeler, clips, found = Labeler(motion), [video(seed, 20) for seed in range(4)], {}

    def work(number):
        found[number] = Labels.join(list(labeler.label(clips[number])))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for number, frames in enumerate(clips):
        np.testing.assert_array_equal(found[number].camera, Labels.join(list(labeler.label(frames))).camera)


def test_frames_of_another_size_are_refused(motion):
    with pytest.raises(FormatError, match=r"frame 2: uint8 \(64, 64, 3\), expected uint8 \(128, 128, 3\)"):
        list(Labeler(motion).label([*video(0, 2), np.zeros((64, 64, 3), np.uint8)]))


def test_angles_between_bins_are_interpolated():
    logp = torch.full((1, 2, 11), 1e-6)
    logp[0, :, 5], logp[0, 0, 6], logp[0, 1, 9] = 0.5, 0.25, 0.2  # pitch: half at rest, a quarter one bin down
    output = {"buttons_logp": torch.log(torch.tensor([[[0.25, 0.75]] * 20])), "camera_logp": torch.log(logp)}
    rough, fine = (decode(output, VPT_CAMERA, interpolate) for interpolate in (False, True))
    np.testing.assert_allclose(rough.camera, [[0, 0]], atol=1e-5)
    np.testing.assert_allclose(rough.confidence[0, -2:], [0.5, 0.5], atol=1e-5)
    # pitch: a quarter of the first bin down from rest; the bins 4 to 6 are around it
    np.testing.assert_allclose(fine.camera, [[VPT_CAMERA.centres[6] / 4, VPT_CAMERA.centres[9] / 5]], atol=1e-4)
    np.testing.assert_allclose(fine.confidence[0, -2:], [0.75, 0.0], atol=1e-4)  # yaw: between two turns
    assert rough.buttons[0].tolist() == [1] * 20 + [0] * 3 and rough.confidence[0, 0] == pytest.approx(0.75)


def test_the_model_that_ships_sees_the_view_turn():
    labeler = idm.load("default", "cpu")
    assert labeler.size == (128, 128) and len(idm.fingerprint("default")) == 16
    picture = generator(0, "picture").integers(0, 256, (60, 60, 3), np.uint8).repeat(8, 0).repeat(8, 1)

    def turns(down, right):
        corners = [(176 + down * tick, 176 + right * tick) for tick in range(20)]
        frames = np.stack([picture[row : row + 128, column : column + 128] for row, column in corners])
        return Labels.join(list(labeler.label(frames))).camera[4:16].mean(axis=0)

    assert turns(0, 8)[1] > 2 > -2 > turns(0, -8)[1]  # the picture goes left: a turn to the right
    assert turns(4, 0)[0] > 1 > -1 > turns(-4, 0)[0]
    np.testing.assert_allclose(turns(0, 0), [0, 0], atol=0.1)


def test_importing_needs_no_torch():
    import subprocess
    import sys

    code = "import sys, idm, idm.loading; assert 'torch' not in sys.modules; assert 'Labeler' in dir(idm)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert idm.Labeler is Labeler
