"""KLOM: the histogram it is made of, and how it falls with the number of models."""

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
