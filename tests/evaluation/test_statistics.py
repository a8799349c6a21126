import math

import numpy as np
import pytest

from evaluation.statistics import compare_pairs, crafter_score, mcnemar, milestone_curve, quartiles, student, wilson


def test_wilson_intervals_are_those_of_the_textbooks():
    # 0 of 10: the upper end is z^2 / (n + z^2); 10 of 10 is its mirror image
    square = 1.959963984540054**2
    assert wilson(0, 10) == (0.0, 0.0, pytest.approx(square / (10 + square)))
    assert wilson(10, 10) == (1.0, pytest.approx(10 / (10 + square)), 1.0)
    # Newcombe (1998), table I, method 3
    for successes, count, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)):
        assert wilson(successes, count)[1:] == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_the_interval_of_a_few_seeds_is_students():
    # the table's 4.3027 for two degrees of freedom; these have a standard error of 1 / sqrt(3)
    half = 4.3027 / math.sqrt(3)
    assert student([1.0, 2.0, 3.0]) == pytest.approx((2.0, 2.0 - half, 2.0 + half), abs=1e-4)
    assert student([0.5]) == (0.5, -math.inf, math.inf)


def test_nothing_played_is_nothing_known():
    value, low, high = wilson(0, 0)
    assert math.isnan(value) and (low, high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)


def test_mcnemar_is_a_coin_thrown_for_the_pairs_that_differ():
    assert mcnemar(5, 0) == 2 / 32  # all heads or all tails in five throws
    assert mcnemar(1, 8) == 2 * (1 + 9) / 2**9
    assert mcnemar(3, 3) == 1.0 and mcnemar(0, 0) == 1.0


def test_a_comparison_counts_the_pairs_that_differ():
    first, second = [1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 1, 0]
    result = compare_pairs(first, second)
    assert (result.pairs, result.first, result.second, result.only_first, result.only_second) == (6, 2, 4, 1, 3)
    assert result.difference.value == pytest.approx(2 / 6) and result.p == 2 * (1 + 4) / 16
    assert compare_pairs(second, first).difference.value == pytest.approx(-2 / 6)


def test_the_interval_of_a_difference_has_the_width_that_theory_gives():
    # 400 pairs, 100 up and 60 down: the standard error is sqrt((p_up + p_down - d^2) / n)
    first, second = [0] * 100 + [1] * 60 + [0] * 240, [1] * 100 + [0] * 60 + [0] * 240
    value, low, high = compare_pairs(first, second).difference
    error = math.sqrt((0.25 + 0.15 - 0.1**2) / 400)
    assert value == pytest.approx(0.1)
    assert (low, high) == (pytest.approx(0.1 - 1.96 * error, abs=0.006), pytest.approx(0.1 + 1.96 * error, abs=0.006))
    # Newcombe (1998), table II, method 10: of 50 pairs 36 both, 12 up, 2 down
    value, low, high = compare_pairs([1] * 36 + [0] * 12 + [1] * 2, [1] * 48 + [0] * 2).difference
    assert (round(value, 4), round(low, 4), round(high, 4)) == (0.2, 0.0569, 0.3404)
    mirrored = compare_pairs(second, first).difference
    straight = compare_pairs(first, second).difference
    assert (mirrored.low, mirrored.high) == (pytest.approx(-straight.high), pytest.approx(-straight.low))


def test_few_pairs_leave_doubt_even_if_all_agree():
    # one pair, won by the second: the two Wilson intervals are (0, 0.793) and (0.207, 1)
    assert compare_pairs([0], [1]).difference == (1.0, pytest.approx(1 - math.hypot(0.7934507, 0.7934507)), 1.0)
    value, low, high = compare_pairs([0, 1, 0, 1], [0, 1, 0, 1]).difference
    assert value == 0 and low < -0.2 and high > 0.2
    with pytest.raises(ValueError, match="cannot be paired"):
        compare_pairs([1], [1, 0])


def test_the_interval_of_a_difference_holds_what_it_says():
    # pairs of a rate of 0.5 against 0.7 that hang together: 30 of them, drawn two thousand times
    random, held = np.random.default_rng(0), 0
    for _ in range(2000):
        luck = random.random(30)
        first, second = luck < 0.5, (luck * 0.8 + random.random(30) * 0.2) < 0.66
        low, high = compare_pairs(first, second).difference[1:]
        held += low <= 0.2 <= high
    assert 0.93 < held / 2000 < 0.985


def test_a_curve_rises_where_a_milestone_falls():
    curve = milestone_curve([5, None, 9, 5])
    assert curve.ticks == (5, 9) and [share.value for share in curve.shares] == [0.5, 0.75]
    assert milestone_curve([None, None]) == ((), ())


def test_quartiles():
    assert quartiles([1, 2, 3, 4, 5]) == (2.0, 3.0, 4.0) and quartiles([]) is None


def test_crafters_score_is_a_geometric_mean():
    # one of two always, the other never: exp((ln 101 + ln 1) / 2) - 1
    value, low, high = crafter_score([{"wood": 3}, {"wood": 9}], ("wood", "stone"))
    assert value == low == high == pytest.approx(math.sqrt(101) - 1)
    assert crafter_score([{"wood": 1, "stone": 2}], ("wood", "stone")).value == pytest.approx(100)
    assert crafter_score([{}], ("wood", "stone")).value == 0
    # half the lives: 50 % of each
    value, low, high = crafter_score([{"wood": 1}, {}] * 50, ("wood",))
    assert value == pytest.approx(50) and 38 < low < 42 and 58 < high < 62


def test_the_score_of_crafters_own_random_player():
    # rates of 300 episodes of random play in percent, as published with the score 1.48
    percent = {
        "collect_sapling": 50.7, "place_plant": 45.3, "collect_wood": 24.0, "collect_drink": 6.3, "place_table": 2.3,
        "eat_cow": 1.0, "defeat_zombie": 0.3, "make_wood_pickaxe": 0.3, "wake_up": 93.3,
    }  # fmt: skip
    lives = [{name for name, share in percent.items() if life < 10 * share} for life in range(1000)]
    names = (*percent, *(f"never_{number}" for number in range(13)))
    assert crafter_score([dict.fromkeys(life) for life in lives], names).value == pytest.approx(1.48, abs=0.02)
