from __future__ import annotations

import json

import numpy as np
import pytest

from jarvis.app.people import Hands, HumanPolicy
from jarvis.app.policies import EndOfPlay, load_policy
from jarvis.core import Action, EpisodeError, Observation, UnknownNameError

SEEN = Observation(np.zeros((4, 4, 3), np.uint8))


def play(policy, rows: int, ticks: int, seeds: list[int]) -> list[list[Action]]:
    """What each row does."""
    policy.reset([None] * rows, seeds=seeds)
    every = [policy.act([SEEN] * rows) for _ in range(ticks)]
    return [[actions[row] for actions in every] for row in range(rows)]


def longest_run(values: list[bool]) -> int:
    best = run = 0
    for value in values:
        run = run + 1 if value else 0
        best = max(best, run)
    return best


@pytest.mark.parametrize("spec", ["nobody", "steve:2x", "runs/checkpoint"])
def test_players_that_do_not_exist_are_refused_with_those_that_do(spec):
    with pytest.raises(UnknownNameError, match=r"this release plays default, random, noop, replay:FILE, human"):
        load_policy(spec)


def test_a_mistyped_player_is_told_the_nearest():
    with pytest.raises(UnknownNameError, match=r"did you mean random\?"):
        load_policy("randon")


@pytest.mark.parametrize("spec", ["replay", "replay:", "random:3", "human:me"])
def test_what_stands_behind_the_colon_is_checked(spec):
    with pytest.raises(ValueError, match=r"expected (replay:FILE|random|human)"):
        load_policy(spec)


def test_noop_does_nothing():
    assert play(load_policy("noop"), 2, 3, [0, 1]) == [[Action.noop()] * 3] * 2


def test_a_random_row_follows_from_its_own_seed():
    three = play(load_policy("random"), 3, 200, [7, 8, 9])
    assert three[1] == play(load_policy("random"), 1, 200, [8])[0]
    assert three[0] != three[1]


def test_a_row_can_begin_again_while_others_go_on():
    policy = load_policy("random")
    whole = play(load_policy("random"), 2, 20, [1, 2])
    first = play(policy, 2, 10, [1, 2])
    policy.reset([None], rows=[1], seeds=[1])
    second = [policy.act([SEEN, SEEN]) for _ in range(10)]
    assert [actions[0] for actions in second] == whole[0][10:]
    assert [actions[1] for actions in second] == first[0]


def test_a_random_player_holds_keys_and_turns_smoothly():
    (actions,) = play(load_policy("random"), 1, 4000, [3])
    for key in ("forward", "attack"):
        held = [action[key] for action in actions]
        assert longest_run(held) >= 40 and 0.2 < np.mean(held) < 0.8
    yaw = np.array([action.camera[1] for action in actions], np.float64)
    assert np.corrcoef(yaw[:-1], yaw[1:])[0, 1] > 0.5  # the head does not shake
    screens = [tick for tick, action in enumerate(actions) if action["inventory"]]
    spans = list(zip(screens[::2], screens[1::2], strict=False))
    assert spans and all(closed - opened <= 60 for opened, closed in spans)
    in_screen = {tick for opened, closed in spans for tick in range(opened, closed)}
    pitch = np.cumsum([0 if tick in in_screen else float(action.camera[0]) for tick, action in enumerate(actions)])
    assert -90.01 <= pitch.min() and pitch.max() <= 90.01 and abs(pitch.mean()) < 45


def test_a_policy_wants_one_observation_a_row():
    policy = load_policy("random")
    policy.reset([None, None])
    with pytest.raises(ValueError, match="1 observations for 2 rows"):
        policy.act([SEEN])


def test_a_replay_plays_the_file_and_then_ends(tmp_path):
    path = tmp_path / "episode_000.actions.jsonl"
    path.write_text('{"forward": 1, "camera": [0.1, -2.5]}\n{"jump": 1}\n')
    policy = load_policy(f"replay:{path}")
    policy.reset([None])
    assert policy.act([SEEN]) == [Action.of("forward", camera=(0.1, -2.5))]
    assert policy.act([SEEN]) == [Action.of("jump")]
    with pytest.raises(EndOfPlay):
        policy.act([SEEN])
    policy.reset([None])
    assert policy.act([SEEN])[0]["forward"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"forwards": 1}', "unknown action key 'forwards'"),
        ('{"forward": 2}', "forward: 2, expected 0 or 1"),
        ('{"camera": [1]}', "camera: shape"),
        ("[1]", "an action is"),
    ],
)
def test_a_bad_line_of_a_replay_is_named(tmp_path, line, complaint):
    path = tmp_path / "actions.jsonl"
    path.write_text(f'{{"forward": 1}}\n{line}\n')
    with pytest.raises(EpisodeError, match=f"actions.jsonl: line 2: {complaint}"):
        load_policy(f"replay:{path}")


def test_an_empty_or_cut_replay_is_refused(tmp_path):
    path = tmp_path / "actions.jsonl"
    path.write_text("")
    with pytest.raises(EpisodeError, match="no actions"):
        load_policy(f"replay:{path}")
    path.write_text('{"forward": 1}\n{"forw')
    with pytest.raises(EpisodeError, match="line 2"):
        load_policy(f"replay:{path}")


# -- a person's hands


def taken(hands: Hands, ticks: int) -> list[tuple[str, ...]]:
    return [hands.take().pressed for _ in range(ticks)]


def test_a_tap_between_two_ticks_is_played_for_one():
    hands = Hands()
    hands.hear([["down", "inventory"], ["up", "inventory"]])
    assert taken(hands, 3) == [("inventory",), (), ()]


def test_two_clicks_within_a_tick_stay_two():
    hands = Hands()
    hands.hear([["down", "attack"], ["up", "attack"], ["down", "attack"], ["up", "attack"]])
    assert taken(hands, 5) == [("attack",), (), ("attack",), (), ()]


def test_keys_stay_down_until_they_are_released():
    hands = Hands()
    hands.hear([["down", "forward"], ["down", "forward"], ["down", "sprint"]])
    assert taken(hands, 2) == [("forward", "sprint")] * 2
    hands.hear([["release"]])
    assert taken(hands, 1) == [()]


def test_mouse_counts_are_summed_exactly():
    hands = Hands()
    for _ in range(10):
        hands.hear([["turn", 3, -1]])
    assert hands.take() == Action.of(camera=(-10 * 0.15, 30 * 0.15))
    assert hands.take() == Action.noop()


def test_a_turn_beyond_180_degrees_goes_on_in_the_next_tick():
    hands = Hands()
    hands.hear([["turn", 2000, 0]])  # 300 degrees
    assert [float(hands.take().camera[1]) for _ in range(3)] == [180.0, 120.0, 0.0]


def test_the_wheel_chooses_slots_around_the_hotbar_but_not_in_a_screen():
    hands = Hands()
    hands.hear([["wheel", -1]])
    assert taken(hands, 2) == [("hotbar.9",), ()]
    hands.hear([["down", "hotbar.3"], ["up", "hotbar.3"], ["wheel", 2]])
    assert taken(hands, 2) == [("hotbar.3", "hotbar.5"), ()]
    hands.in_screen = True
    hands.hear([["wheel", 1]])
    assert taken(hands, 1) == [()]


@pytest.mark.parametrize(
    "event",
    [
        "down",
        [],
        ["down"],
        ["down", "fly"],
        ["down", 3],
        ["turn", 1],
        ["turn", "1", 2],
        ["turn", float("nan"), 0],
        ["turn", 1e9, 0],
        ["wheel", 0.5],
        ["release", 1],
        ["jump"],
    ],
)
def test_events_that_no_hand_makes_are_refused_whole(event):
    hands = Hands()
    with pytest.raises(ValueError):
        hands.hear([["down", "jump"], event])
    assert taken(hands, 1) == [()]


def test_a_person_needs_a_page():
    with pytest.raises(ValueError, match="jarvis play --policy human"):
        load_policy("human")
    policy = load_policy("human", hands=Hands())
    assert isinstance(policy, HumanPolicy)
    with pytest.raises(ValueError, match="one row"):
        policy.reset([None, None])


def test_actions_survive_the_file_bit_for_bit():
    (actions,) = play(load_policy("random"), 1, 50, [5])
    for action in actions:
        mapping = action.to_env()
        mapping["camera"] = mapping["camera"].tolist()
        assert Action.from_env(json.loads(json.dumps(mapping))) == action
