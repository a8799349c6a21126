from __future__ import annotations

import numpy as np
import pytest

from jarvis.app.curriculum.selectors import (
    SELECTORS,
    LearningProgress,
    SelfEvolving,
    Uniform,
    choose,
    make_selector,
    probabilities,
)
from jarvis.app.curriculum.toy import ToyStudent, study
from jarvis.core.errors import UnknownNameError
from jarvis.core.random_streams import generator


def test_learning_progress_finds_what_can_be_learnt_among_sixty_goals_that_teach_nothing():
    mastered = []
    for seed in range(2):
        student = ToyStudent(generator(seed, "toy"), useless=20)
        mastered.append(study(LearningProgress(student.parents), student, seed)["mastered"])
    assert np.mean(mastered) >= 18  # of 22; twelve seeds give 20.3, from 19.5 to 20.9


@pytest.mark.parametrize("selector, most", [(Uniform(), 9), (SelfEvolving(), 2)])
def test_the_others_are_lost_there(selector, most):
    student = ToyStudent(generator(0, "toy"), useless=20)
    assert study(selector, student, 0)["mastered"] <= most


def test_with_real_goals_alone_everything_is_learnt():
    student = ToyStudent(generator(0, "toy"), useless=0)
    result = study(LearningProgress(student.parents), student, 0, attempts=8000)
    assert result["mastered"] == 22 and result["all_mastered_at"] < 7000 and result["useless_share"] == 0


def test_progress_is_what_chance_does_not_explain():
    selector = LearningProgress({})
    selector.update("coin", [bool(i % 2) for i in range(96)])
    selector.update("grows", [False] * 48 + [True] * 48)
    selector.update("few", [False, True] * 7)
    assert selector.progress("coin") == 0 and selector.progress("few") == 0
    # 0 -> 1 in halves of 48: the middle is 1/2, its error sqrt(1/4 * 2 / 48) = 0.102
    assert selector.progress("grows") == pytest.approx(1 - 0.102, abs=1e-3)


def test_rest_and_gate():
    selector = LearningProgress({"child": ("parent",), "free": ()})
    for goal in ("hopeless", "done", "child", "parent", "free"):
        selector.update(goal, [goal == "done"] * 64)
    hopeless, done, child, free = selector.weights(["hopeless", "done", "child", "free"])
    bonus = 0.08 * np.sqrt(np.log(5 * 64 + 2) / 65)
    assert hopeless == pytest.approx(0.1 * bonus) == done == free
    assert child == pytest.approx(0.05 * 0.1 * bonus)  # its parent never works
    selector.update("parent", [True] * 48)
    assert selector.weights(["child"])[0] > 15 * child


@pytest.mark.parametrize("name", SELECTORS)
def test_every_goal_keeps_a_chance_and_equal_seeds_choose_alike(name):
    goals = [f"g{i}" for i in range(5)]
    selector = make_selector(name, {})
    selector.update("g1", [False] * 50 + [True] * 50)
    chances = probabilities(selector, goals)
    assert chances.sum() == pytest.approx(1) and (chances >= 0.1 / 5 - 1e-12).all()
    one, two = ([choose(selector, goals, generator(3, "x")) for _ in range(5)] for _ in range(2))
    assert one == two
    with pytest.raises(ValueError, match="no goal"):
        choose(selector, [], generator(0))


def test_an_unknown_selector_is_named():
    with pytest.raises(UnknownNameError, match="did you mean learning_progress"):
        make_selector("learning-progres", {})
