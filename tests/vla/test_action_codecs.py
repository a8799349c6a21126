"""Codecs: what JARVIS-VLA's own code said, every action there and back, and what may not be."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from jarvis.core.actions import POLICY_BUTTONS, Action
from jarvis.core.errors import ActionError, UnknownNameError
from vla.action_codecs import CODECS, QWEN2_VL_BASE, MissingTokensError, action_token_strings, get, reserved_token

GOLDEN = json.loads((Path(__file__).parents[1] / "goldens" / "jarvis_vla_actions.json").read_text())
BUTTON_CLASSES, CAMERA_CLASSES = 8641, 441
SWEEPS = {
    "buttons_sweep_null_camera": (range(BUTTON_CLASSES), 220),
    "buttons_sweep_camera_63": (range(0, BUTTON_CLASSES, 7), 63),
    "camera_sweep_buttons_1": (1, range(CAMERA_CLASSES)),
    "camera_sweep_buttons_0": (0, range(CAMERA_CLASSES)),
    "camera_sweep_inventory": (8640, range(CAMERA_CLASSES)),
}


def same(action, env):
    pressed = {key for key, value in action.items() if key != "camera" and value}
    return pressed == env.keys() - {"camera"} and np.allclose(action["camera"], env["camera"], atol=1e-6)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['cat']}-{case['i']}")
def test_the_released_codec_says_the_same(case):
    codec = get("jarvisvla-v1")
    assert codec.encode(case["action"]) == case["ids"]
    [action] = codec.decode(case["ids"])
    assert same(action, case["decoded"]["env"])


@pytest.mark.parametrize("case", GOLDEN["decode_only"], ids=lambda case: case["name"])
def test_the_released_codec_reads_the_same(case):
    actions = get("jarvisvla-v1").decode(case["ids"])
    assert len(actions) == len(case["actions"])
    assert all(same(action, golden["env"]) for action, golden in zip(actions, case["actions"], strict=True))


def test_ids_follow_the_tokenizer():
    # LLaVA-NeXT's Llama-3 tokenizer has the same tokens at 128005 + N
    llama = {reserved_token(number): 128005 + number for number in range(251)}
    codec = get("jarvisvla-v1", llama)
    for case in GOLDEN["cases"]:
        assert codec.encode(case["action"]) == case["ids_llama3"]


@pytest.mark.parametrize("name", SWEEPS)
def test_sweeps_have_the_digests_of_the_released_code(name):
    codec = get("jarvisvla-v1")
    buttons, camera = map(np.ravel, np.broadcast_arrays(*(np.asarray(part) for part in SWEEPS[name])))
    ids, lengths = codec.encode_classes(buttons, camera)
    encoded, decoded = hashlib.sha256(), hashlib.sha256()
    for row, length in zip(ids, lengths, strict=True):
        encoded.update(("".join(reserved_token(i - QWEN2_VL_BASE) for i in row[:length]) + "\n").encode())
    for pair in zip(*codec.decode_classes(ids), strict=True):
        decoded.update("{},{}\n".format(*pair).encode())
    golden = GOLDEN["meta"]["sweep_digests"]["digests"][name]
    assert len(ids) == golden["n"]
    assert encoded.hexdigest() == golden["encode_sha256"]
    assert decoded.hexdigest() == golden["decode_sha256"]


@pytest.mark.parametrize(("name", "step"), [("jarvisvla-v1", 20), ("jarvisvla-fixed", 1)])
def test_every_action_comes_back(name, step):
    codec = get(name)
    buttons = np.arange(BUTTON_CLASSES)
    for camera in range(0, CAMERA_CLASSES, step):
        ids, lengths = codec.encode_classes(buttons, np.full(BUTTON_CLASSES, camera))
        assert 4 <= lengths.min() and lengths.max() == 12 and (ids[np.arange(len(ids)), lengths - 1] == codec.end).all()
        back, turned = codec.decode_classes(ids)
        expected = buttons - buttons % 2 + (camera != 220)  # the last digit says whether the camera moves
        expected[-1] = 8640 if codec.emits_inventory else camera != 220
        assert (back == expected).all()
        assert (turned == camera).all()


@pytest.mark.parametrize(("name", "size"), [("vpt-11", 8641 + 121), ("vpt-21", 8641 + 441)])
def test_every_joint_class_comes_back(name, size):
    codec = get(name)
    assert codec.vocabulary_size == size
    for button in range(0, BUTTON_CLASSES, 131):
        for camera in range(0, size - 8641, 29):
            consistent = button - button % 2 + (camera != codec.joint.null_camera)
            [action] = codec.decode([consistent, 8641 + camera])
            assert codec.encode(action) == [consistent, 8641 + camera]
    assert codec.decode([8640, 8641 + codec.joint.null_camera])[0]["inventory"] == 1


def test_inventory_is_lost_by_the_released_codec_and_kept_by_the_fixed_one():
    press = {"inventory": 1, "attack": 1, "camera": (5.0, 5.0)}
    assert get("jarvisvla-v1").encode(press) == [151835, 151876, 151897, 151836]
    fixed = get("jarvisvla-fixed")
    assert fixed.encode(press) == [151835, 151834, 151876, 151897, 151836]
    assert Action.from_env(fixed.decode(fixed.encode(press))[0]) == Action.of("inventory")


def test_the_released_codec_passes_over_what_it_does_not_know():
    assert get("jarvisvla-v1").encode({"chat": "hello", "ESC": 1, "jump": 1}) == get("jarvisvla-v1").encode({"jump": 1})
    with pytest.raises(ActionError, match="chat"):
        get("jarvisvla-fixed").encode({"chat": "hello"})


def test_chunks_come_back_in_order():
    codec = get("jarvisvla-fixed")
    actions = [Action.of("forward"), Action.of("attack"), Action.noop()]
    ids = [token for action in actions for token in codec.encode(action)]
    assert [Action.from_env(action) for action in codec.decode(ids)] == actions


def test_a_reply_without_an_action_is_an_error_unless_one_forgives():
    fixed = get("jarvisvla-fixed")
    with pytest.raises(ActionError, match="no whole action in 2 ids"):
        fixed.decode([fixed.begin, fixed.group_ids[10][3]])
    assert len(fixed.decode([], strict=False)) == 1
    with pytest.raises(ActionError, match="no whole action"):
        get("jarvisvla-v1").decode([], strict=True)
    for ids in ([], [3], [9000, 3], [3, 3]):
        with pytest.raises(ActionError):
            get("vpt-21").decode(ids)
    with pytest.raises(ActionError, match="expected a list of integers"):
        fixed.decode(["a"])


def test_a_tokenizer_without_action_tokens_is_refused_with_the_missing_ones():
    vocabulary = {token: number for number, token in enumerate(action_token_strings())}
    del vocabulary[reserved_token(178)], vocabulary[reserved_token(240)]
    with pytest.raises(MissingTokensError, match="lacks 2 tokens") as caught:
        get("jarvisvla-v1", vocabulary)
    assert caught.value.missing == (reserved_token(178), reserved_token(240))
    assert reserved_token(240) in str(caught.value)


def test_words_can_be_read_and_come_back():
    codec = get("text")
    action = {"forward": 1, "attack": 1, "camera": (-0.45, 1.8)}
    assert codec.write(action) == "press(attack, forward) move(12, -3)\n"
    assert codec.write({}) == "wait\n"
    assert codec.write({"ESC": 1}) == "press(ESC)\n"
    random = np.random.default_rng(0)
    for _ in range(200):
        keys = [name for name in (*POLICY_BUTTONS, "ESC", "swapHands", "pickItem") if random.random() < 0.2]
        counts = random.integers(-1200, 1201, 2)
        action = Action.of(*keys, camera=counts * 0.15)
        [back] = codec.decode(codec.encode(action))
        assert Action.from_env(back) == action
    for text in ("", "jump\n", "press(fly)\n", "move(1)\n", "move(99999, 0)\n"):
        with pytest.raises(ActionError):
            codec.read(text)
    assert len(codec.read("wait\npress(use)\n")) == 2


@pytest.mark.parametrize("name", CODECS)
def test_bad_actions_are_refused(name):
    codec = get(name)
    beyond = () if name == "jarvisvla-v1" else ({"camera": (200, 0)},)  # the released code takes any turn
    for action in ({"fly": 1}, {"forward": 2}, {"camera": (0, float("nan"))}, {"camera": 3}, *beyond):
        with pytest.raises(ActionError):
            codec.encode(action)


def test_an_unknown_codec_is_named():
    with pytest.raises(UnknownNameError, match="jarvisvla-v1"):
        get("jarvis-vla-v1")
