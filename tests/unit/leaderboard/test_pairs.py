"""Which methods are told apart: all pairs, corrected for their number, and the ranks that this leaves."""

import numpy as np
import pytest

from unlearning_metric.leaderboard.pairs import compare_pairs, holm, rank_ranges
from unlearning_metric.metrics.challenge import challenge
from unlearning_metric.metrics.intervals import difference_interval, difference_p_value
from unlearning_metric.metrics.replicates import Replicates, freedom, replicates
from unlearning_metric.metrics.subsets import Sorted, subset_points


def moving(score, spread, seed):
    """Replicates of a mean of ten examples that moves by ``spread``."""
    moves = np.random.default_rng(seed).normal(0, spread, (2, 20, 1))
    return Replicates(np.full(10, score), np.repeat(score + moves, 10, axis=2), 3.0)


def told(methods, pairs):
    return {(pair.first, pair.second) for pair in pairs if pair.told_apart}


def test_holm_corrects_as_worked_by_hand():
    # 4 x 0.005, 3 x 0.011 and 2 x 0.02, which may not fall below the one before it, then 1 x 0.9.
    assert holm([0.011, 0.02, 0.005, 0.9]).tolist() == pytest.approx([0.033, 0.04, 0.02, 0.9])
    assert holm([0.03, 0.02, 0.4]).tolist() == pytest.approx([0.06, 0.06, 0.4])
    assert holm([0.6, 0.9]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_pairs_that_are_no_neighbours_are_compared_too():
    paired = {
        "a": moving(0.5, 0.01, 0),
        "b": moving(0.49, 0.2, 1),
        "c": moving(0.48, 0.01, 2),
        "d": moving(0.1, 0.01, 3),
    }
    methods = list(paired)
    pairs = compare_pairs(methods, paired)
    assert len(pairs) == 6
    assert told(methods, pairs) == {("a", "d"), ("c", "d")}
    assert rank_ranges(methods, pairs) == {"a": (1, 3), "b": (1, 4), "c": (1, 3), "d": (3, 4)}


def test_what_two_methods_share_is_left_out_of_their_difference():
    # Both move by much with the models that are deleted, and by the same.
    first = moving(0.5, 0.2, 0)
    second = Replicates(first.points - 0.01, first.deleted - 0.01, 3.0)
    assert compare_pairs(["a", "b"], {"a": first, "b": second})[0].told_apart


def test_a_method_without_replicates_is_compared_with_none_and_may_have_any_rank():
    methods = ["a", "b", "c"]
    pairs = compare_pairs(methods, {"a": moving(0.5, 0.01, 0), "b": None, "c": moving(0.1, 0.01, 1)})
    assert [(pair.first, pair.second) for pair in pairs] == [("a", "c")]
    assert rank_ranges(methods, pairs) == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}


def test_a_p_value_says_what_the_interval_of_the_pair_says():
    first = moving(0.5, 0.02, 0)
    for score in np.linspace(0.35, 0.65, 13):
        second = moving(score, 0.02, 1)
        _, low, high = difference_interval(first, second)
        assert (difference_p_value(first, second) > 0.05) == (low <= 0 <= high)


def test_equal_methods_without_any_spread_are_not_told_apart():
    constant = Replicates(np.zeros(10), np.zeros((2, 20, 10)), 3.0)
    (pair,) = compare_pairs(["a", "b"], {"a": constant, "b": constant})
    assert (pair.p, pair.told_apart) == (1.0, False)


def test_of_many_boards_of_equal_methods_hardly_any_tells_two_apart():
    """A small form of benchmarks/ties.py: without the correction about half of these boards would."""
    wrong = alone = 0
    for number in range(25):
        generator = np.random.default_rng(number)
        retrained, found = generator.normal(size=(32, 30)), {}
        for name in "abcdefghij":
            copies = generator.normal(0.5, 1, size=(32, 30))
            sides = Sorted.of(retrained, copies)
            found[name] = replicates(
                lambda kept, sides=sides: subset_points(sides, kept[None], 32 + kept[None], 1e-5),
                32, number, challenge(retrained, copies).points, freedom(retrained, copies),
            )  # fmt: skip
        pairs = compare_pairs(sorted(found, key=lambda name, found=found: -found[name].score), found)
        wrong += any(pair.told_apart for pair in pairs)
        alone += any(pair.p <= 0.05 for pair in pairs)
    assert wrong <= 3
    assert alone >= 10
