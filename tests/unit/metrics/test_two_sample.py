"""Two-sample tests: calibrated for equal laws, sure of different ones."""

import warnings

import numpy as np
import pytest
from scipy.stats import false_discovery_control, ks_2samp

from unlearning_metric import gaussian_mu, ks_p_values, told_apart


def test_p_values_of_equal_laws_are_as_rare_as_they_say():
    generator = np.random.default_rng(0)
    p = ks_p_values(*generator.normal(size=(2, 200, 2000)))
    for level in (0.01, 0.05, 0.2):
        # At most `level` (the statistic is discrete), but for four standard errors of 2,000 draws.
        assert level * 0.6 < (p <= level).mean() < level + 4 * np.sqrt(level / 2000)


def test_exact_p_value_of_a_full_separation():
    # Of the C(8, 4) = 70 orders two separate the sides.
    assert ks_p_values(np.arange(4.0)[:, None], np.arange(4.0)[:, None] + 9) == pytest.approx(2 / 70)


def test_false_discoveries_are_bounded_and_true_ones_made():
    generator = np.random.default_rng(1)
    shares = []
    for _ in range(60):
        retrained, unlearned = generator.normal(size=(2, 60, 40))
        unlearned[:, :20] += 1.2
        found = told_apart(ks_p_values(retrained, unlearned))
        assert found[:20].mean() > 0.7
        shares.append(found[20:].sum() / max(1, found.sum()))
    # Half of the examples differ, so the procedure's bound is 0.05 * 20 / 40.
    assert np.mean(shares) < 0.035


def test_benjamini_hochberg_steps_up():
    # 0.04 lies above its own line 0.05 * 3 / 4 but 0.045 lies below 0.05 * 4 / 4, which takes all with it.
    assert told_apart([0.001, 0.02, 0.04, 0.045]).all()
    assert told_apart([0.001, 0.02, 0.04, 0.06]).tolist() == [True, True, False, False]


@pytest.mark.parametrize("examples", [1, 2, 500])
def test_examples_told_apart_are_scipys(examples):
    p_values = np.random.default_rng(examples).uniform(0, 1, examples) ** 3
    p_values[: examples // 3] = p_values[0]
    for rate in (0.05, 0.3):
        np.testing.assert_array_equal(told_apart(p_values, rate), false_discovery_control(p_values) <= rate)


def test_p_values_outside_their_range_are_refused():
    with pytest.raises(ValueError, match=r"p_values holds a number outside \[0, 1\]"):
        told_apart([0.5, 1.5])


@pytest.mark.parametrize("models", [2, 3, 16, 100])
def test_p_values_of_equally_many_models_are_scipys_for_every_gap(models):
    gaps = np.arange(models + 1)
    sides = np.arange(models)[:, None] * np.ones(models + 1), np.arange(models)[:, None] + gaps
    expected = [ks_2samp(*pair).pvalue for pair in zip(sides[0].T, sides[1].T, strict=True)]
    np.testing.assert_array_equal(ks_p_values(*sides), expected)


def test_mu_of_a_known_shift():
    generator = np.random.default_rng(2)
    found = gaussian_mu(generator.normal(3, 2, (4000, 30)), generator.normal(6, 2, (3000, 30)))
    assert found.mean() == pytest.approx(1.5, abs=0.02)


def test_mu_of_equal_laws_is_as_small_as_chance_allows():
    generator = np.random.default_rng(3)
    found = gaussian_mu(*generator.normal(size=(2, 100, 3000)))
    assert found.mean() == pytest.approx(np.sqrt(4 / (np.pi * 100)), rel=0.05)


def test_mu_of_constants():
    found = gaussian_mu(np.full((7, 2), 0.1), np.full((10, 2), [0.1, 0.3]))
    assert found.tolist() == [0.0, np.inf]


def test_where_the_exact_test_rounds_past_1_nothing_is_warned_of():
    values = np.arange(14.0)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ks_p_values(values, values + 1)[0] > 0.99


def test_every_example_has_scipys_p_value():
    generator = np.random.default_rng(5)
    retrained, unlearned = generator.normal(size=(12, 40)), generator.normal(0.6, 1, size=(9, 40))
    # Ties within the sides and between them.
    retrained[:, :20], unlearned[:, :20] = np.round(retrained[:, :20]), np.round(unlearned[:, :20])
    expected = [ks_2samp(*sides).pvalue for sides in zip(retrained.T, unlearned.T, strict=True)]
    np.testing.assert_array_equal(ks_p_values(retrained, unlearned), expected)
