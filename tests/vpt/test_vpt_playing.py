import numpy as np
import pytest
import torch
import vpt_reference as reference

import jarvis
from jarvis.core.actions import POLICY_BUTTONS, VPT_CAMERA, JointActions
from jarvis.core.goals import Goal
from jarvis.core.observations import Observation
from jarvis.vpt import ModelFileError, VptPolicy, load_spec, resize, sample, write_checkpoint

GOAL = Goal("whatever")


@pytest.fixture
def spec(weights):
    return f"vpt:{reference.GOLDENS / 'policy_tiny.model'}:{weights / 'vpt_policy_tiny.weights'}"


def wide_frames(ticks, seed=0):
    random = np.random.default_rng(seed)
    return [Observation(random.integers(0, 256, (360, 640, 3), dtype=np.uint8)) for _ in range(ticks)]


def play(policy, rows):
    """rows: a list of observations for each row -> a list of actions for each."""
    return list(zip(*(policy.act(now) for now in zip(*rows, strict=True)), strict=True))


def test_the_released_format_plays_in_a_world(spec):
    policy = jarvis.load_policy(spec)
    env = jarvis.make("voxel", task="mine_dandelion", width=128, height=128)
    observation, _ = env.reset(seed=3)
    policy.reset([GOAL], seeds=[1])
    pressed = set()
    for _ in range(12):
        (action,) = policy.act([Observation(observation["pov"])])
        pressed.update(action.pressed)
        observation, *_ = env.step(action.to_env())
    env.close()
    assert pressed <= set(POLICY_BUTTONS) and len(pressed) > 3


def test_actions_are_samples_of_both_heads_of_stretched_frames(spec):
    policy, frames = jarvis.load_policy(spec), wide_frames(7)
    policy.reset([GOAL], seeds=[5])
    (played,) = play(policy, [frames])

    network = load_spec(spec)
    small = resize(np.stack([frame.pov for frame in frames]))[None]
    first = np.arange(7)[None] == 0
    policy.reset([GOAL], seeds=[5])
    random, joint = policy._rows[0].random, JointActions(VPT_CAMERA)
    with torch.no_grad():
        output, _ = network(small, first, network.initial_state(1))
    for tick, action in enumerate(played):  # the same numbers to the last few bits: convolutions differ
        chosen = sample({name: output[name][0, tick] for name in ("buttons_logp", "camera_logp")}, random)
        buttons, bins = joint.decode(int(chosen["buttons"]), int(chosen["camera"]))
        assert action.buttons[: len(POLICY_BUTTONS)].tolist() == buttons.tolist()
        assert not action.buttons[len(POLICY_BUTTONS) :].any()
        np.testing.assert_allclose(action.camera, VPT_CAMERA.to_degrees(bins), rtol=1e-6)


def test_a_row_plays_the_same_alone_and_beside_another(spec):
    policy, ours, theirs = jarvis.load_policy(spec), wide_frames(6, 1), wide_frames(6, 2)
    policy.reset([GOAL, GOAL], seeds=[8, 9])
    beside, _ = play(policy, [ours, theirs])
    policy.reset([GOAL], seeds=[8])
    (alone,) = play(policy, [ours])
    assert beside == alone


def test_a_row_that_begins_again_has_forgotten_everything(spec):
    policy, ours, theirs = jarvis.load_policy(spec), wide_frames(6, 1), wide_frames(6, 2)
    policy.reset([GOAL, GOAL], seeds=[8, 9])
    first, other = play(policy, [ours, theirs])
    policy.reset([GOAL, GOAL], seeds=[1, 9])
    play(policy, [theirs[:3], theirs[:3]])
    policy.reset([GOAL], rows=[0], seeds=[8])
    again, went_on = play(policy, [ours[:3], theirs[3:]])
    assert again == first[:3] and went_on == other[3:]


def test_without_chance_the_most_probable_action_is_played(spec):
    policy, frames = VptPolicy(spec.removeprefix("vpt:"), deterministic=True), wide_frames(5)
    policy.reset([GOAL, GOAL], seeds=[1, 2])
    one, other = play(policy, [frames, frames])
    assert one == other


def test_a_checkpoint_folder_is_a_player(tmp_path, policy):
    write_checkpoint(tmp_path / "mine", policy, "card")
    player = jarvis.load_policy(str(tmp_path / "mine"))
    assert isinstance(player, VptPolicy) and player.picture_size == (128, 128)
    player.reset([GOAL])
    assert len(player.act(wide_frames(1))) == 1


@pytest.mark.parametrize("name", ["nothing.weights", "idm_tiny.weights"])
def test_what_is_no_policy_is_refused_by_name(weights, name):
    with pytest.raises(ModelFileError, match=name):
        jarvis.load_policy(f"vpt:{weights / name}")


def test_the_spec_needs_a_file():
    with pytest.raises(ValueError, match="vpt:MODEL"):
        jarvis.load_policy("vpt")
