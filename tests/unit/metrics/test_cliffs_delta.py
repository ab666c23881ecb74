"""Cliff's delta: the direction in which two sets of models differ."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from unlearning_metric.metrics.cliffs_delta import cliffs_delta

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
