import threading

import pytest
from treadmill import Player, Treadmill, mining, suite

from evaluation.rollouts import play
from jarvis.core.actions import Action

FIVE, TEN, NEVER = mining("mine_five", 5), mining("mine_ten", 10, milestones=(3, 6)), mining("mine_never", 99)


def outcomes(played):
    """{episode: what is the same on every machine}"""
    return {
        one.episode.number: (one.episode.task.name, one.success, one.ticks, one.milestones, one.aborted)
        for one in played
    }


def test_an_episode_ends_at_success_or_when_patience_does():
    played = outcomes(play(suite(FIVE, TEN, NEVER, each=1).episodes(), Treadmill, Player()))
    assert played == {
        0: ("mine_five", True, 5, {}, None),
        1: ("mine_ten", True, 10, {"3 stones": 2, "6 stones": 5}, None),
        2: ("mine_never", False, 20, {}, None),
    }


@pytest.mark.parametrize(("rows", "threads"), [(2, 1), (3, 2), (8, 3)])
def test_outcomes_do_not_depend_on_how_many_play_at_once(rows, threads):
    episodes = suite(FIVE, TEN, NEVER, each=3).episodes()
    alone = outcomes(play(episodes, Treadmill, Player(pause=3)))
    assert alone[0][2] == 7  # two of the first seven ticks were pauses
    assert outcomes(play(episodes, Treadmill, Player(pause=3), rows=rows, threads=threads)) == alone


class Moody(Player):
    """Goes wrong in the fourth tick of the episode with one seed."""

    def __init__(self, seed, how):
        super().__init__()
        self.bad, self.how = seed, how

    def act(self, observations):
        actions = super().act(observations)
        for row, seed in enumerate(self.seeds):
            if seed == self.bad and self.ticks[row] == 4:
                return self.how(actions, row)
        return actions


def raises(actions, row):
    raise RuntimeError("out of memory")


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (raises, "policy: RuntimeError: out of memory"),
        (lambda actions, row: actions[:-1], "policy: answered with 0 of list, expected a sequence of 1 actions"),
        (lambda actions, row: None, "policy: answered with NoneType, expected a sequence of 1 actions"),
        (lambda actions, row: {"camera": 0}, "policy: answered with 1 of dict, expected a sequence of 1 actions"),
    ],
)
def test_a_policy_that_fails_aborts_its_episode_and_no_other(how, reason, rows):
    episodes = suite(FIVE, TEN, each=3).episodes()
    bad = episodes[2]
    played = outcomes(play(episodes, Treadmill, Moody(bad.seed, how), rows=rows))
    assert played.pop(2) == ("mine_five", False, 3, {}, reason)
    good = outcomes(play(episodes, Treadmill, Player()))
    del good[2]
    assert played == good


def test_one_wrong_action_among_right_ones_is_its_own_episodes_fault():
    episodes = suite(FIVE, each=3).episodes()

    def wrong(actions, row):
        actions[row] = "jump"
        return actions

    player = Moody(episodes[1].seed, wrong)
    played = outcomes(play(episodes, Treadmill, player, rows=3))
    assert played[1] == ("mine_five", False, 3, {}, "policy: answered with str 'jump', expected an Action")
    assert played[0][1] and played[2][1]
    assert player.calls == 5  # nothing was played twice


def test_a_policy_that_cannot_begin_aborts_every_episode_and_the_run_goes_on():
    class Broken(Player):
        def reset(self, goals, *, rows=None, seeds=None):
            raise KeyError("weights")

    played = outcomes(play(suite(FIVE, TEN).episodes(), Treadmill, Broken(), rows=3))
    assert [one[4] for one in played.values()] == ["policy: KeyError: 'weights'"] * 4


def test_troubles_of_the_simulator_are_told_apart_from_failures():
    episodes = suite(FIVE, each=5).episodes()
    seeds = [episode.seed for episode in episodes]
    trouble = {seeds[0]: "failure", seeds[1]: "start", seeds[2]: "bug"}
    before = Treadmill.made
    played = list(play(episodes, lambda: Treadmill(trouble), Player(), rows=1))
    assert [one.aborted for one in played] == [
        "environment: the simulator did not answer within 30 s",
        "start: no place for 3 cows",
        "environment: ZeroDivisionError: division by zero",
        None,
        None,
    ]
    assert "ZeroDivisionError" in played[2].traceback and played[0].traceback is None
    assert [one.success for one in played] == [False, False, False, True, True]
    assert Treadmill.made - before == 2  # a new one only after an error that nobody foresaw


def test_what_an_episode_costs_is_booked_on_it():
    class Paid(Player):
        def usage(self, row):
            return {"prompt_tokens": 100 * self.ticks[row], "completion_tokens": self.ticks[row], "gpu_seconds": 0.5}

    five, ten = play(suite(FIVE, TEN, each=1).episodes(), Treadmill, Paid())
    assert (five.usage.prompt_tokens, five.usage.completion_tokens) == (500, 5)
    assert (ten.usage.prompt_tokens, ten.usage.gpu_seconds) == (1000, 0.5)
    assert 0 < five.usage.policy_seconds + five.usage.environment_seconds <= five.seconds


def test_nothing_is_left_open_when_somebody_stops():
    made = []

    def make():
        made.append(Treadmill())
        return made[-1]

    run = play(suite(NEVER, each=9).episodes(), make, Player(), rows=3, threads=2)
    next(run)
    run.close()
    assert len(made) == 3 and all(env.closed for env in made)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("environment")]


def test_the_policy_gets_the_goal_in_the_episodes_words():
    heard = []

    class Listener(Player):
        def reset(self, goals, *, rows=None, seeds=None):
            heard.extend(goal.text for goal in goals)
            super().reset(goals, rows=rows, seeds=seeds)

    episodes = suite(FIVE, each=6).episodes()
    list(play(episodes, Treadmill, Listener(), rows=2))
    assert sorted(heard) == sorted(episode.instruction for episode in episodes)
    assert set(heard) == {"mine 5 stones", "break 5 stones"}


def test_an_action_that_no_keyboard_could_make_is_the_policys_fault():
    class Nan(Player):
        def act(self, observations):
            return [Action.of("attack", camera=(float("nan"), 0)) for _ in observations]

    (played,) = play(suite(FIVE, each=1).episodes(), Treadmill, Nan())
    assert played.aborted.startswith("policy: ActionError: camera")
