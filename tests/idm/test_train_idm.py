from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import idm
from data_pipelines.contractor import Seen, quantise_camera
from data_pipelines.recordings import RecordingWriter
from idm.augmentation import PLAIN, Augmentation, augment, mirrored_labels
from idm.clips import Clips, draw_cursors, load_recordings
from idm.labels import Labeler, Labels
from idm.metrics import calibration_error, r_squared, report
from idm.networks import build_motion, measure, peaks_of, tiny
from idm.training import camera_targets, evaluate, recipes, train
from jarvis import training
from jarvis.app.cli import main
from jarvis.core.actions import POLICY_BUTTONS, VPT_CAMERA, Action
from jarvis.core.errors import FormatError
from jarvis.core.files import is_done, read_json, read_json_lines
from jarvis.core.random_streams import generator
from jarvis.vpt import tiny_idm
from jarvis.vpt.pixels import draw_cursor, resize


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def slide(folder, name, seed, ticks):
    """A picture that slides under the view as the mouse moves, with a light that is on while attack is held."""
    random = generator(seed, "slide")
    picture = random.integers(0, 256, (40, 40, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    place = np.array([96, 96])
    with RecordingWriter(folder, name, 128, 128, crf=12) as recording:
        for tick in range(ticks):
            down, right = (int(step) for step in random.integers(-3, 4, 2))
            down, right = (int(np.clip(at + step, 0, 192) - at) for at, step in zip(place, (down, right), strict=True))
            held = tick // 5 % 2 == 0
            frame = picture[place[0] : place[0] + 128, place[1] : place[1] + 128].copy()
            frame[100:120, 100:120] = 255 * held
            action = Action.of(*["attack"] * held, camera=quantise_camera((0.9 * down, 0.9 * right)))
            recording.add(frame, action, Seen(gui_open=tick % 7 == 0, cursor=(640.0, 360.0)), {})
            place += (down, right)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for number in range(3):
        slide(folder, f"slide-{number}", number, 70)
    (folder / "broken.jsonl").write_text("{}\n")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def quick(**changes):
    config = dataclasses.replace(
        recipes()["tiny"], clip_ticks=16, steps=4, save_every=2, validate_every=4, log_every=1, measured=True
    )
    return dataclasses.replace(config, **changes)


def test_recordings_are_decoded_once(recordings, tmp_path):
    said = []
    first = load_recordings(recordings, tmp_path, say=said.append)
    assert [len(one) for one in first] == [70] * 3 and len(said) == 1 and "broken" in said[0]
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/frames.npy")}
    assert len(stamps) == 3
    second = load_recordings(recordings, tmp_path, hours=100 / 72_000)
    assert [len(one) for one in second] == [70, 70]
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/frames.npy")}
    assert (first[0].buttons[:12, 0] == [1] * 5 + [0] * 5 + [1] * 2).all()
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="no recording that can be read"):
        load_recordings(empty, tmp_path)


def test_a_clip_holds_its_frames_and_labels(recordings, cache):
    clips = Clips.of(recordings, cache, ticks=16)
    assert len(clips) == 3 * 7 and clips.places[:3] == [(0, 0), (0, 8), (0, 16)]
    one = clips.recorded[0]
    randoms = [generator(0, number) for number in range(2)]
    example = clips.batch([0, 2], randoms, PLAIN)
    np.testing.assert_array_equal(example.inputs[1], one.frames[16:32])
    np.testing.assert_array_equal(example.camera[1], one.camera[16:32])
    assert example.weight.tolist() == [[1.0] * 14 + [0.0] * 2, [0.0] * 2 + [1.0] * 12 + [0.0] * 2]


def test_clips_measured_once_are_clips_measured_now(recordings, cache):
    clips = Clips.of(recordings, cache, ticks=16)
    model = build_motion(tiny(), seed=0).trainable(False)
    for number in range(3):
        one = clips.recorded[number]
        example = clips.batch([7 * number + 2], [generator(0)], PLAIN, measured=True)
        cursor = int(one.folder.name[-1], 16) % 2 == 0
        with torch.no_grad():
            now = model.features(one.seen(16, 33, cursor=cursor)[None], after=1)
            torch.testing.assert_close(model.encode(example.inputs), now, atol=2e-3, rtol=0)  # float16 maps


def test_a_mirrored_clip_is_measured_as_the_mirror_shows_it(recordings, cache):
    clips = Clips.of(recordings, cache, ticks=16)
    one, mirror = clips.recorded[0], dataclasses.replace(PLAIN, mirror=1.0)
    example = clips.batch([2], [generator(0)], mirror, measured=True)
    frames = one.seen(16, 33, cursor=int(one.folder.name[-1], 16) % 2 == 0)[None, :, :, ::-1]
    found = measure(torch.from_numpy(frames.copy()))
    assert torch.equal(example.inputs.patches, found.patches)
    for ours, theirs in ((example.inputs.whole, found.whole), (example.inputs.quarters, found.quarters)):
        same = peaks_of(theirs)[..., 2] > 2  # where there is a peak
        assert same.any()
        # a window of an even width is not its own mirror image to the last bit
        torch.testing.assert_close(peaks_of(ours.float())[same], peaks_of(theirs)[same], atol=0.1, rtol=0.1)
    np.testing.assert_array_equal(example.camera[0], one.camera[16:32] * [1, -1])
    assert mirrored_labels(np.eye(20, dtype=np.uint8), np.zeros((20, 2), np.float32))[0].argmax(1).tolist() == [
        0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 19, 18, 17, 16, 15, 14, 13, 12, 11]  # fmt: skip


def test_displacements_are_measured():
    picture = generator(0, "picture").integers(0, 256, (1, 1, 128, 128, 3), np.uint8)
    moved = np.roll(picture, (3, -5), axis=(2, 3))
    found = measure(torch.from_numpy(np.concatenate([picture, moved, moved], axis=1)))
    peaks = peaks_of(found.whole)[0] * torch.tensor([32, 40, 1])
    np.testing.assert_allclose(peaks, [[3, -5, 4], [0, 0, 4]], atol=0.3)
    for quarter in peaks_of(found.quarters)[0, 0] * torch.tensor([12, 12, 1]):
        np.testing.assert_allclose(quarter[:2], [3, -5], atol=0.05)


def test_the_cursor_is_drawn_as_in_a_large_frame():
    large = generator(0, "large").integers(0, 256, (1, 360, 640, 3), np.uint8)
    expected = resize(draw_cursor(large[0], 300, 200)[None])
    drawn = draw_cursors(resize(large), np.array([True]), np.array([[600.0, 400.0]]))
    assert np.abs(drawn.astype(int) - expected).max() <= 40 and np.abs(drawn.astype(int) - expected).mean() < 0.01
    assert (resize(large) != drawn).any()
    np.testing.assert_array_equal(draw_cursors(resize(large), np.array([False]), np.zeros((1, 2))), resize(large))


def test_a_clip_is_augmented_as_one():
    frames = np.repeat(generator(0, "still").integers(0, 256, (1, 128, 128, 3), np.uint8), 4, axis=0)
    augmented = augment(frames, Augmentation(), generator(1))
    assert (augmented != frames).any() and (augmented == augmented[0]).all()
    np.testing.assert_array_equal(augment(frames, Augmentation(), generator(1)), augmented)
    np.testing.assert_array_equal(augment(frames, PLAIN, generator(1)), frames)


def test_an_angle_between_two_bins_belongs_to_both():
    degrees = torch.tensor([[0.0, 20.0], [-0.3, 10.0]])
    targets = camera_targets(degrees, VPT_CAMERA, interpolate=True)
    centres = torch.tensor(VPT_CAMERA.centres, dtype=torch.float32)
    torch.testing.assert_close((targets * centres).sum(-1), degrees.clamp(-10, 10))
    torch.testing.assert_close(targets.sum(-1), torch.ones(2, 2))
    assert camera_targets(degrees, VPT_CAMERA, interpolate=False).argmax(-1).tolist() == [[5, 10], [4, 10]]


@pytest.mark.parametrize("kind", ["motion", "vpt"])
def test_two_steps_a_stop_and_two_more_are_four_steps(kind, recordings, cache, tmp_path):
    config = quick(steps=4)
    if kind == "vpt":
        config = dataclasses.replace(config, network=tiny_idm(), measured=False, batch=1, clip_ticks=8, parts=1)
    folders = {}
    for run, stops in (("whole", [4]), ("cut", [2, 4])):
        for stop in stops:
            folders[run] = train(config, tmp_path / run, recordings, cache=cache, device="cpu", stop=stop)
    for name in ("model.safetensors", "training_state/weights.safetensors", "training_state/state.safetensors"):
        assert (folders["whole"] / name).read_bytes() == (folders["cut"] / name).read_bytes(), name
    assert is_done(folders["cut"]) and folders["cut"].name == "step_00000004"
    lines = [
        [(line["step"], line["buttons"], line["camera"]) for line in read_json_lines(tmp_path / run / "log.jsonl")]
        for run in folders
    ]
    assert lines[0] == lines[1] and len(lines[0]) == 4


def test_what_was_trained_labels(recordings, cache, tmp_path):
    folder = train(quick(), tmp_path / "run", recordings, validation=recordings, cache=cache, device="cpu")
    assert read_json_lines(tmp_path / "run/log.jsonl").values[-1]["validation"]["frames"] == 210
    labeler = idm.load(str(tmp_path / "run"), "cpu")  # the run stands for its last checkpoint
    one = load_recordings(recordings, cache)[0]
    found = Labels.join(list(labeler.label(iter(one.frames))))
    again = Labels.join(list(idm.load(str(folder), "cpu").label(iter(one.frames))))
    np.testing.assert_array_equal(found.camera, again.camera)
    assert idm.fingerprint(str(folder)) == idm.fingerprint(str(tmp_path / "run"))
    with pytest.raises(training.ConfigError, match="begun with another seed"):
        train(quick(seed=1), tmp_path / "run", recordings, cache=cache, device="cpu")


@pytest.mark.slow
def test_motion_and_a_light_are_learnt(recordings, tmp_path):
    for number in range(10, 30):
        slide(tmp_path / "more", f"slide-{number}", number, 120)
    config = quick(steps=300, batch=8, save_every=300, average=0.98, log_every=50)
    config = dataclasses.replace(config, optimizer=training.OptimizerConfig(rate=5e-3, warmup=20), augmentation=PLAIN)
    train(config, tmp_path / "run", tmp_path / "more", cache=tmp_path / "cache", device="cpu")
    network = idm.load_network(str(tmp_path / "run"))
    found = evaluate(network, load_recordings(recordings, tmp_path / "cache"))
    assert found.scores["all"]["model"].keypress > 0.95 > 0.6 > found.scores["all"]["released"].keypress
    assert found.scores["all"]["model"].r2 > 0.8  # it was 0.85


# metrics


def labels_of(buttons, camera, confidence=1.0):
    count = len(buttons)
    padded = np.zeros((count, 23), np.uint8)
    padded[:, :20] = buttons
    return Labels(padded, camera.astype(np.float32), np.full((count, 22), confidence, np.float32))


def test_metrics_of_a_case_counted_by_hand():
    truth = np.zeros((6, 20), np.uint8)
    truth[1:4, 0] = 1  # attack in frames 1 to 3
    camera = np.array([[0, 0], [0, 2], [0, -2], [0, 0], [0, 20], [0, 0]], np.float32)
    guess, turned = truth.copy(), camera.copy()
    guess[3, 0], guess[4, 0] = 0, 1
    turned[4, 1] = 15
    screen = np.array([0, 0, 0, 0, 1, 1], bool)
    found = report([labels_of(guess, turned, 0.9)], [truth], [camera], [screen])
    score = found.scores["all"]["model"]
    assert score.keypress == pytest.approx(4 / 6) and score.single == pytest.approx(1 - 2 / 120)
    attack = found.buttons["attack"]
    assert attack == pytest.approx({"pressed": 1 / 2, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3})
    assert found.buttons["jump"]["recall"] is None
    assert found.scores["screen"]["model"].keypress == 0.5 and found.scores["screen"]["model"].frames == 2
    assert found.scores["all"]["released"].keypress == 0.5
    assert found.scores["all"]["previous"].keypress == pytest.approx(4 / 6)  # wrong where attack begins and ends
    yaw = camera[:, 1].astype(float)
    assert score.r2_yaw == pytest.approx(1 - 25 / ((yaw - yaw.mean()) ** 2).sum()) and score.r2_pitch is None
    assert score.r2_clipped == 1.0 and score.error == pytest.approx(5 / 12)
    # 118 of 120 buttons are right, at a confidence of 0.9
    assert found.calibration["buttons"] == pytest.approx(118 / 120 - 0.9, abs=1e-6)
    assert (
        set(found.summary()) >= {"keypress", "r2", "ece"} and found.to_json()["scores"]["play"]["model"]["frames"] == 4
    )


def test_calibration_and_r2_at_their_limits():
    assert calibration_error(np.array([0.8] * 5), np.array([1, 1, 1, 1, 0])) == pytest.approx(0)
    assert calibration_error(np.array([1.0]), np.array([0])) == 1.0
    assert calibration_error(np.zeros(0), np.zeros(0)) is None
    assert r_squared(np.zeros((3, 2)), np.zeros((3, 2))) is None
    truth = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert r_squared(truth, truth) == 1.0 and r_squared(np.full((2, 2), [2.0, 3.0]), truth) == 0.0
    with pytest.raises(ValueError, match="1 labels of 2 frames"):
        report([labels_of(np.zeros((1, 20)), np.zeros((1, 2)))], [np.zeros((2, 20))], [np.zeros((2, 2))], [np.zeros(2)])


# the command


def test_the_command_trains_and_goes_on(recordings, cache, tmp_path, capsys):
    command = ["train", "idm", "--recipe", "tiny", "--data", str(recordings), "--out", str(tmp_path / "run"),
               "--cache", str(cache), "--device", "cpu", "--json", "--set", "clip_ticks=16", "--set", "save_every=2",
               "--set", "network.hidden=8"]  # fmt: skip
    assert main([*command, "--set", "steps=2"]) == 0
    assert '"steps": 2' in capsys.readouterr().out
    config = read_json(tmp_path / "run/config.json")
    assert config["network"]["hidden"] == 8 and config["steps"] == 2
    assert main([*command, "--set", "steps=2"]) == 0
    assert "goes on from" in capsys.readouterr().err
    assert main([*command, "--set", "steps=4"]) == 2
    assert "another steps" in capsys.readouterr().err
    assert main([*command[:3], "tinny", *command[4:]]) == 2
    assert "did you mean tiny" in capsys.readouterr().err


# what ships and what a spec means


def test_specs_that_cannot_be_are_named(tmp_path):
    for spec, complaint in [
        (str(tmp_path / "no"), "no such folder"),
        ("vpt:a:b:c", "expected vpt:MODEL"),
        (f"vpt:{tmp_path}/a.model", "no such file"),
        (str(tmp_path), "no `done` file"),
    ]:
        with pytest.raises(FormatError, match=complaint):
            idm.load(spec, "cpu")
        with pytest.raises(FormatError, match=complaint):
            idm.fingerprint(spec)


def test_the_names_of_the_heads():
    assert Labeler(build_motion(tiny(), 0)).heads == (*POLICY_BUTTONS, "pitch", "yaw")
