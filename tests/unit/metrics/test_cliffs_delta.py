"""Cliff's delta: the direction in which two sets of models differ."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from unlearning_metric.metrics.cliffs_delta import METRIC, cliffs_delta
from unlearning_metric.metrics.record import Given

GENERATOR = np.random.default_rng(0)


def test_it_is_what_all_pairs_say():
    retrained, unlearned = GENERATOR.integers(0, 6, (7, 20)), GENERATOR.integers(1, 7, (9, 20))
    pairs = np.sign(unlearned[:, None] - retrained[None]).mean(axis=(0, 1))
    np.testing.assert_allclose(cliffs_delta(retrained, unlearned), pairs, atol=1e-12)


def test_it_is_scipys_mann_whitney_statistic():
    retrained, unlearned = GENERATOR.normal(0, 1, (30, 12)), GENERATOR.normal(0.5, 2, (25, 12))
    statistic = mannwhitneyu(unlearned, retrained).statistic
    np.testing.assert_allclose(cliffs_delta(retrained, unlearned), 2 * statistic / (30 * 25) - 1, atol=1e-12)


@pytest.mark.parametrize(("shift", "expected"), [(100.0, 1.0), (-100.0, -1.0), (0.0, 0.0)])
def test_its_sign_says_whether_too_little_or_too_much_was_forgotten(shift, expected):
    retrained = GENERATOR.normal(size=(8, 3))
    np.testing.assert_allclose(cliffs_delta(retrained, retrained + shift), expected, atol=1e-12)


def test_chance_is_as_large_as_it_says():
    deltas = cliffs_delta(*GENERATOR.normal(size=(2, 40, 4000)))
    assert abs(deltas.mean()) < 0.01
    assert deltas.std() == pytest.approx(np.sqrt(81 / (3 * 40 * 40)), rel=0.05)


def test_examples_told_apart_say_in_which_direction():
    retrained, unlearned = GENERATOR.normal(size=(2, 64, 30))
    unlearned[:, :10] += 5.0
    unlearned[:, 10:15] -= 5.0
    columns = METRIC.complete(METRIC.measure(retrained, unlearned, Given()))
    assert columns["direction"].tolist()[:15] == ["under"] * 10 + ["over"] * 5
    summary = METRIC.summary(columns)
    # A false discovery or two are allowed.
    assert 1 / 3 <= summary["under_forgotten"] + 1e-9 < 0.45
    assert 1 / 6 <= summary["over_forgotten"] + 1e-9 < 0.25
