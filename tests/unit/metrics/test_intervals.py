"""Intervals: the design of the deletions, and the algebra where the answer is known.

Coverage, which is what they are for, is measured by benchmarks/interval_coverage.py.
"""

import dataclasses
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import t

from unlearning_metric.metrics.challenge import challenge
from unlearning_metric.metrics.intervals import difference_interval, relative_interval, score_interval
from unlearning_metric.metrics.replicates import (
    FREEDOM,
    Replicates,
    deletions,
    freedom,
    lines,
    most_freedom,
    replicates,
)


def of_means(values, seed=0):
    """Replicates of plain means over models."""
    return replicates(lambda kept: values[kept].mean(axis=0), len(values), seed)


def half_width(interval):
    return (interval[1] - interval[0]) / 2


def test_every_pair_of_blocks_is_on_exactly_one_line():
    found = [pair for line in lines() for pair in combinations(sorted(line), 2)]
    assert lines().shape == (20, 4)
    assert sorted(found) == list(combinations(range(16), 2))


@pytest.mark.parametrize("models", [16, 31, 32, 40, 64, 100, 256])
def test_each_deletion_takes_four_blocks_and_every_model_of_a_block_goes_five_times(models):
    kept, factor = deletions(models, 3)
    size = models // 16
    assert kept.shape == (2, 20, models - 4 * size)
    for partition in kept:
        times = [sum(model not in line for line in partition.tolist()) for model in range(models)]
        assert sorted(times) == [0] * (models - 16 * size) + [5] * (16 * size)
    assert not np.array_equal(kept[0], kept[1])
    if models % 16 == 0:
        assert factor == pytest.approx(3.0)


def test_equal_seeds_give_equal_deletions():
    assert np.array_equal(deletions(40, 1)[0], deletions(40, 1)[0])
    assert not np.array_equal(deletions(40, 1)[0], deletions(40, 2)[0])


def test_too_few_models_are_refused():
    with pytest.raises(ValueError, match=r"15 models.*16"):
        deletions(15, 0)


@pytest.mark.parametrize("models", [16, 23, 32, 40, 64])
def test_of_a_mean_over_models_the_variance_is_right(models):
    # Two hundred examples move together, so next to nothing is capped.
    # The squared half-width is then q^2 times the variance of a mean.
    generator = np.random.default_rng(0)
    squares = []
    for seed in range(400):
        values = 100 + np.repeat(generator.normal(size=(models, 1)), 200, axis=1)
        squares.append(half_width(score_interval(of_means(values, seed))) ** 2)
    assert np.mean(squares) == pytest.approx(t.ppf(0.975, most_freedom(models)) ** 2 / models, rel=0.06)


def test_steps_of_single_examples_are_capped_by_the_variance_between_examples():
    # Every example jumps by itself under every deletion, yet on all models none differs from another.
    generator = np.random.default_rng(1)
    wild = Replicates(np.full(50, 0.5), generator.normal(0.5, 1, (2, 20, 50)), 3.0)
    raw = 3.0 * wild.deleted.mean(axis=2).var(axis=1).mean()
    assert half_width(score_interval(wild)) < 0.9 * t.ppf(0.975, FREEDOM) * np.sqrt(raw)


def test_models_that_stand_out_cost_degrees_of_freedom():
    generator = np.random.default_rng(8)
    plain = generator.uniform(-1, 1, (64, 1)) + 0.1 * generator.normal(size=(64, 20))
    assert freedom(plain) == freedom(plain, 3 * plain + 7) == FREEDOM
    odd = plain.copy()
    odd[0] += 8
    level = ((odd - odd.mean(axis=0)) / odd.std(axis=0)).mean(axis=1)
    kurtosis = (level**4).mean() / (level**2).mean() ** 2
    assert freedom(plain, odd) == freedom(odd) == pytest.approx(max(2 * FREEDOM / (kurtosis - 1), 4))
    assert freedom(odd) < 10
    # A whole side of constants, such as one original repeated, tells nothing.
    assert freedom(np.zeros((64, 20)), np.repeat(plain[:1], 64, axis=0)) == FREEDOM


def test_of_few_models_what_is_common_to_the_examples_counts_as_less_known():
    # Of 16 to 24 models and 300 examples they covered 88 to 90 %, and 92 to 95 % so: benchmarks/interval_coverage.py.
    together = np.repeat(np.random.default_rng(9).uniform(-1, 1, (48, 1)), 300, axis=1)
    assert [freedom(together[:models]) for models in (16, 28, 47, 48)] == [4.0, 10.0, 19.5, FREEDOM]
    assert of_means(together[:28]).freedom == 10.0
    few = of_means(10 + together[:16])
    as_before = dataclasses.replace(few, freedom=FREEDOM)
    wider = half_width(score_interval(few)) / half_width(score_interval(as_before))
    assert wider == pytest.approx(t.ppf(0.975, 4) / t.ppf(0.975, 20), rel=0.01)


def test_fewer_degrees_of_freedom_widen_what_is_common_to_the_examples():
    together = Replicates(np.full(50, 0.5), np.repeat(np.linspace(0.4, 0.6, 40).reshape(2, 20, 1), 50, axis=2), 3.0)
    low, high = (half_width(score_interval(dataclasses.replace(together, freedom=f))) for f in (4.0, FREEDOM))
    assert low / high == pytest.approx(t.ppf(0.975, 4) / t.ppf(0.975, FREEDOM), rel=0.05)


def test_random_examples_widen_it_by_the_variance_between_them():
    points = np.linspace(0, 1, 20)
    still = Replicates(points, np.broadcast_to(points, (2, 20, 20)), 3.0)
    assert score_interval(still) == pytest.approx((0.5, 0.5))
    low, high = score_interval(still, random_examples=True)
    assert np.log(high / 0.5) == pytest.approx(t.ppf(0.975, 19) * np.sqrt(points.var(ddof=1) / 20) / 0.5, rel=1e-4)
    assert low == pytest.approx(0.25 / high)


def test_a_method_less_itself_is_nothing_and_what_methods_share_cancels():
    generator = np.random.default_rng(2)
    values, other = generator.uniform(size=(2, 32, 10))
    shared = np.repeat(generator.normal(size=(32, 1)), 10, axis=1)
    assert difference_interval(of_means(values), of_means(values)) == (0.0, 0.0, 0.0)
    with_it = difference_interval(of_means(values + 9 * shared), of_means(other + 9 * shared))
    assert with_it == pytest.approx(difference_interval(of_means(values), of_means(other)))
    difference, low, high = with_it
    assert difference == pytest.approx(values.mean() - other.mean())
    assert low < difference < high


def test_relative_to_itself_is_one_and_the_splits_of_a_ceiling_add_theirs():
    one = of_means(np.random.default_rng(3).uniform(size=(32, 10)))
    assert relative_interval(one, one, from_splits=False) == pytest.approx((1.0, 1.0))
    low, high = relative_interval(one, one, from_splits=True)
    assert np.log(high) == pytest.approx(t.ppf(0.975, 9) * 0.03, rel=1e-4)
    assert low == pytest.approx(1 / high)


def test_a_score_of_nothing_has_an_interval_from_nothing():
    none = Replicates(np.zeros(4), np.zeros((2, 20, 4)), 3.0)
    top = of_means(np.random.default_rng(4).uniform(size=(32, 4)))
    assert score_interval(none) == (0.0, 0.0)
    assert relative_interval(none, top, from_splits=True) == (0.0, 0.0)
    with pytest.raises(ValueError, match="ceiling is 0"):
        relative_interval(top, none, from_splits=True)


def test_methods_of_other_models_are_not_compared():
    values = np.random.default_rng(5).uniform(size=(48, 4))
    with pytest.raises(ValueError, match="same retrained models"):
        difference_interval(of_means(values), of_means(values[:40]))


def test_a_final_score_moves_with_its_accuracies():
    one = of_means(np.full((32, 4), 0.5))
    ratios = np.linspace(0.9, 1.1, 40).reshape(2, 20)
    final = one.scaled(0.8, ratios)
    assert final.score == pytest.approx(0.4)
    low, high = score_interval(final)
    assert low < 0.4 < high


def test_of_the_challenge_score_holds_the_score_and_is_reproducible():
    generator = np.random.default_rng(6)
    retrained, unlearned = generator.normal(3, 1.5, (2, 40, 12))

    def points(kept):
        return challenge(retrained[kept], unlearned[kept]).points

    one = replicates(points, 40, 7)
    low, high = score_interval(one)
    assert one.score == challenge(retrained, unlearned).forgetting_score
    assert 0 < low < one.score < high < 1
    assert score_interval(replicates(points, 40, 7)) == (low, high)
