"""KLOM: the histogram it is made of, and how it falls with the number of models."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning_metric import klom


def by_hand(retrained, unlearned):
    retrained, unlearned = np.clip(retrained, -100, 100), np.clip(unlearned, -100, 100)
    edges = np.linspace(min(retrained.min(), unlearned.min()), max(retrained.max(), unlearned.max()), 21)
    q = np.maximum(np.histogram(retrained, edges)[0] / len(retrained), 1e-5)
    p = np.histogram(unlearned, edges)[0] / len(unlearned)
    return sum(a * np.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


@given(st.integers(2, 60), st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_is_the_divergence_of_two_histograms(n, m, seed):
    generator = np.random.default_rng(seed)
    retrained, unlearned = generator.normal(0, 60, (n, 4)), generator.normal(20, 30, (m, 4))
    expected = [by_hand(r, u) for r, u in zip(retrained.T, unlearned.T, strict=True)]
    np.testing.assert_allclose(klom(retrained, unlearned), expected, atol=1e-12)


def test_the_maximum_counts():
    # Ten models at 0, ten at 1: dropping the last bin would leave half of the law.
    retrained = np.repeat([0.0, 1.0], 10)[:, None]
    assert klom(retrained, np.zeros((5, 1))) == pytest.approx(np.log(2))
    assert klom(retrained, np.ones((5, 1))) == pytest.approx(np.log(2))


def test_worst_is_two_laws_without_a_common_bin_and_constants_are_equal():
    assert klom(np.zeros((9, 1)), np.ones((9, 1))) == pytest.approx(-np.log(1e-5))
    assert klom(np.full((9, 1), 0.1), np.full((7, 1), 0.1)) == pytest.approx(0.0, abs=1e-12)


def test_of_equal_laws_falls_about_as_one_over_the_models():
    generator = np.random.default_rng(0)
    few, many = (klom(*generator.normal(size=(2, n, 400))).mean() for n in (128, 2048))
    assert 10 < few / many < 25


def test_values_beyond_a_hundred_are_clipped():
    retrained = np.array([[-1e9], [0.0], [1e9]])
    assert klom(retrained, np.clip(retrained, -100, 100)) == pytest.approx(0.0, abs=1e-12)


def test_the_authors_bins_leave_out_what_equals_the_maximum():
    """Their rule, written out: a value is in the bin whose lower edge it reaches and whose upper it does not."""
    retrained, unlearned = np.random.default_rng(3).normal([[[0.0]], [[1.0]]], 1.0, (2, 100, 40))
    unlearned[3, 0] = 250.0
    expected = []
    for first, second in zip(np.clip(retrained, -100, 100).T, np.clip(unlearned, -100, 100).T, strict=True):
        edges = np.linspace(min(first.min(), second.min()), max(first.max(), second.max()), 21)
        counts = [[((low <= side) & (side < high)).sum() for low, high in pairwise(edges)] for side in (first, second)]
        q, p = (np.array(of_side) / sum(of_side) for of_side in counts)
        expected.append(sum(y * np.log(y / max(x, 1e-5)) for x, y in zip(q, p, strict=True) if y > 0))
    found = klom(retrained, unlearned, authors_bins=True)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.abs(found - klom(retrained, unlearned)).max() > 0.01
    assert klom(np.ones((9, 1)), np.ones((9, 1)), authors_bins=True) == pytest.approx(0.0, abs=1e-12)
