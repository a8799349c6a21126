from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from jarvis.core.actions import (
    BUTTON_INDEX,
    BUTTONS,
    JARVIS_CAMERA,
    POLICY_BUTTONS,
    VPT_CAMERA,
    Action,
    CameraBins,
    JointActions,
    validate_arrays,
)
from jarvis.core.errors import ActionError

GOLDEN = Path(__file__).parents[1] / "goldens" / "actions.npz"


@pytest.fixture(scope="module")
def golden():
    """Actions, classes and angles of VPT's own mapping, computed independently of this project."""
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def buttons(*pressed: str) -> np.ndarray:
    return Action.of(*pressed).buttons[: len(POLICY_BUTTONS)]


# -- one action ------------------------------------------------------------------------------------------------------


def test_buttons_are_minerls_in_vpt_order():
    assert len(POLICY_BUTTONS) == 20 and len(BUTTONS) == 23
    assert POLICY_BUTTONS[:4] == ("attack", "back", "forward", "jump")
    assert BUTTONS[10] == "inventory" and BUTTONS[19] == "hotbar.9" and BUTTONS[20:] == ("ESC", "swapHands", "pickItem")


def test_an_action_goes_to_the_environment_and_back():
    action = Action.of("forward", "jump", "ESC", camera=(-3.25, 0.15))
    mapping = action.to_env()
    assert sorted(mapping) == sorted((*BUTTONS, "camera"))
    assert mapping["forward"] == 1 and mapping["back"] == 0 and mapping["camera"].dtype == np.float32
    assert Action.from_env(mapping) == action
    assert action["jump"] and not action["attack"] and action.pressed == ("forward", "jump", "ESC")


def test_missing_keys_are_released():
    assert Action.from_env({}) == Action.noop()
    assert Action.from_env({"attack": np.array(1), "use": True}).pressed == ("attack", "use")


def test_a_camera_keeps_turns_smaller_than_a_degree():
    assert Action.from_env({"camera": np.array([0.15, -0.3])}).camera.tolist() == pytest.approx([0.15, -0.3])
    assert Action.from_env({"camera": [1, 2]}).camera.dtype == np.float32


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"atack": 1}, "'atack'; did you mean attack"),
        ({"hotbar_1": 1}, "hotbar.1"),
        ({"chat": "hello"}, "'chat'"),
        ({7: 1}, "7"),
        (None, "an action is {key: value}, got NoneType"),
        ({"jump": 2}, "jump: 2"),
        ({"jump": -1}, "jump: -1"),
        ({"jump": 1.0}, "jump: 1.0"),
        ({"jump": float("nan")}, "jump: nan"),
        ({"jump": [1]}, r"jump: shape \(1,\)"),
        ({"jump": None}, "jump: None"),
        ({"jump": "1"}, "jump: '1'"),
        ({"camera": 3.0}, r"camera: shape \(\)"),
        ({"camera": [1.0, 2.0, 3.0]}, r"camera: shape \(3,\)"),
        ({"camera": [[1.0], [2.0, 3.0]]}, "camera"),
        ({"camera": [float("nan"), 0.0]}, "camera: pitch is nan"),
        ({"camera": [0.0, float("inf")]}, "camera: yaw is inf"),
        ({"camera": [0.0, -180.5]}, "camera: yaw is -180.5"),
        ({"camera": np.array([-(2**63), 0])}, "camera: pitch is -9223372036854775808"),
        ({"camera": ["a", "b"]}, "camera"),
        ({"camera": [1j, 0]}, "camera"),
    ],
)
def test_what_no_keyboard_could_send_is_refused_with_the_key_named(mapping, words):
    with pytest.raises(ActionError, match=words):
        Action.from_env(mapping)
    with pytest.raises(ValueError, match=words):
        Action.from_env(mapping)


def test_an_action_cannot_change_after_its_making():
    pressed = np.zeros(23, np.uint8)
    action = Action(pressed, np.zeros(2))
    pressed[0] = 1
    assert action == Action.noop() and hash(action) == hash(Action.noop())
    with pytest.raises(ValueError, match="read-only"):
        action.buttons[0] = 1
    with pytest.raises(ActionError, match="one action"):
        Action(np.zeros((4, 23), np.uint8), np.zeros((4, 2)))
    twin = pickle.loads(pickle.dumps(action))
    assert twin == action and not twin.buttons.flags.writeable


def test_its_text_says_what_is_pressed():
    action = Action.of("attack", "hotbar.3", camera=(1.5, -2.25))
    assert repr(action) == "Action.of('attack', 'hotbar.3', camera=(1.5, -2.25))"
    assert repr(Action.noop()) == "Action.of(camera=(0, 0))"


def test_arrays_are_checked_together_and_the_place_is_named():
    pressed, camera = np.zeros((5, 23), np.uint8), np.zeros((5, 2), np.float32)
    same, _ = validate_arrays(pressed, camera)
    assert same is pressed
    pressed[3, BUTTON_INDEX["use"]] = 2
    with pytest.raises(ActionError, match="use: 2 at 3"):
        validate_arrays(pressed, camera)
    camera[4, 1] = np.nan
    with pytest.raises(ActionError, match="yaw is nan at 4"):
        validate_arrays(np.zeros((5, 23), bool), camera)
    with pytest.raises(ActionError, match=r"\(4,\) cameras"):
        validate_arrays(np.zeros((5, 23), np.uint8), np.zeros((4, 2)))
    with pytest.raises(ActionError, match="expected integers"):
        validate_arrays(np.zeros((5, 23)), np.zeros((5, 2)))


# -- camera bins -----------------------------------------------------------------------------------------------------


def test_vpt_bins_are_the_published_ones(golden):
    assert VPT_CAMERA.null_bin == 5
    np.testing.assert_allclose(VPT_CAMERA.centres, golden["bin_centres"], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(VPT_CAMERA.to_bins(golden["deg"]), golden["deg_bins"])
    np.testing.assert_array_equal(VPT_CAMERA.to_bins(golden["deg"].astype(np.float32)), golden["deg_bins"])


def test_jarvis_bins_are_the_published_ones():
    right = [0, 0.17794, 0.41921, 0.74634, 1.18989, 1.79129, 2.60672, 3.71234, 5.21144, 7.24404, 10]
    edges = [0.08221, 0.28941, 0.57035, 0.95127, 1.46774, 2.16803, 3.11753, 4.40495, 6.15053, 8.51734]
    np.testing.assert_allclose(JARVIS_CAMERA.centres[10:], right, atol=6e-6)
    np.testing.assert_allclose(JARVIS_CAMERA.centres[:11], -np.array(right)[::-1], atol=6e-6)
    for number, edge in enumerate(edges):
        assert JARVIS_CAMERA.to_bins([edge - 1e-4, edge + 1e-4]).tolist() == [10 + number, 11 + number]


@pytest.mark.parametrize("bins", [VPT_CAMERA, JARVIS_CAMERA, CameraBins(5, mu=3, max_degrees=20)])
def test_every_bin_is_its_own_centre(bins):
    every = np.arange(bins.num_bins)
    assert bins.to_bins(bins.to_degrees(every)).tolist() == every.tolist()
    assert bins.to_degrees(every).dtype == np.float32 and bins.to_degrees(bins.null_bin) == 0
    assert bins.to_bins([-1e3, 1e3]).tolist() == [0, bins.num_bins - 1]


def test_bad_bins_and_angles_are_refused():
    for bad in (lambda: CameraBins(10, 10, 10), lambda: CameraBins(11, 0, 10), lambda: VPT_CAMERA.to_bins(np.nan),
                lambda: VPT_CAMERA.to_degrees(11), lambda: VPT_CAMERA.to_degrees(-1),
                lambda: VPT_CAMERA.to_degrees(2.0)):  # fmt: skip
        with pytest.raises(ActionError):
            bad()


# -- joint classes ---------------------------------------------------------------------------------------------------


def test_joint_classes_equal_vpts(golden):
    joint = JointActions(VPT_CAMERA)
    button_class, camera_class = joint.encode(golden["factored_buttons"], golden["camera_bins"])
    np.testing.assert_array_equal(button_class, golden["joint_buttons"])
    np.testing.assert_array_equal(camera_class, golden["joint_camera"])

    for source, target, degrees in (
        (("joint_buttons", "joint_camera"), ("back_buttons", "back_camera_bins"), "back_camera_deg"),
        (
            ("sample_joint_buttons", "sample_joint_camera"),
            ("sample_buttons", "sample_camera_bins"),
            "sample_camera_deg",
        ),
    ):
        decoded, bins = joint.decode(golden[source[0]], golden[source[1]])
        np.testing.assert_array_equal(decoded, golden[target[0]])
        np.testing.assert_array_equal(bins, golden[target[1]])
        np.testing.assert_allclose(VPT_CAMERA.to_degrees(bins), golden[degrees], rtol=1e-6)


@pytest.mark.parametrize(("bins", "num_camera"), [(VPT_CAMERA, 121), (JARVIS_CAMERA, 441)])
def test_every_pair_of_classes_survives_the_round_trip(bins, num_camera):
    joint = JointActions(bins)
    assert (joint.num_buttons, joint.num_camera, joint.inventory_class) == (8641, num_camera, 8640)
    assert (joint.null_buttons, joint.null_camera) == (0, num_camera // 2)
    every = np.arange(joint.num_buttons)
    moves = every % 2 == 1
    for camera in range(num_camera):
        decoded, camera_bins = joint.decode(every, np.full_like(every, camera))
        button_class, camera_class = joint.encode(decoded, camera_bins)
        if camera == joint.null_camera:  # a class that says "the camera moves" with a camera that does not
            expected_buttons = np.where(moves & (every != 8640), every - 1, every)
        else:
            expected_buttons = every
        np.testing.assert_array_equal(button_class, expected_buttons)
        np.testing.assert_array_equal(camera_class, np.where(moves, camera, joint.null_camera))
        # The inventory class alone lets the camera through without owning it.
        assert camera_bins[-1].tolist() == list(divmod(camera, bins.num_bins))
    assert len(np.unique(joint.decode(every, np.zeros_like(every))[0], axis=0)) == 8640 // 2 + 1


@pytest.mark.parametrize(
    ("pressed", "kept"),
    [
        (("forward", "back", "jump"), ("jump",)),
        (("left", "right"), ()),
        (("sprint", "sneak"), ("sneak",)),
        (("hotbar.2", "hotbar.7"), ("hotbar.7",)),
        (("inventory", "attack", "forward"), ("inventory",)),
        (("attack", "use", "drop", "jump"), ("attack", "jump", "use", "drop")),
    ],
)
def test_conflicting_keys_are_settled_as_vpt_does(pressed, kept):
    joint = JointActions(VPT_CAMERA)
    decoded, _ = joint.decode(*joint.encode(buttons(*pressed), [5, 5]))
    assert [name for name, down in zip(POLICY_BUTTONS, decoded, strict=True) if down] == sorted(
        kept, key=POLICY_BUTTONS.index
    )


def test_a_class_number_can_be_worked_out_by_hand():
    # hotbar 3, forward, right, sneak, use, no drop, attack, no jump, camera moves: mixed radix 10 3 3 3 2 2 2 2 2
    joint = JointActions(VPT_CAMERA)
    pressed = buttons("hotbar.3", "forward", "right", "sneak", "use", "attack")
    button_class, camera_class = joint.encode(pressed, [5, 7])
    assert button_class == 3 * 864 + 1 * 288 + 2 * 96 + 2 * 32 + 16 + 4 + 1
    assert camera_class == 5 * 11 + 7


def test_bad_classes_are_refused():
    joint = JointActions(VPT_CAMERA)
    with pytest.raises(ActionError, match="8641 is outside 0 to 8640"):
        joint.decode(8641, 0)
    with pytest.raises(ActionError, match="-1 is outside"):
        joint.decode(0, -1)
    with pytest.raises(ActionError, match="buttons: shape"):
        joint.encode(np.zeros(23), [5, 5])
    with pytest.raises(ActionError, match="camera bins: shape"):
        joint.encode(np.zeros((4, 20)), [5, 5])
