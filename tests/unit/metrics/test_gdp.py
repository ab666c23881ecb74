"""Gaussian differential privacy: mu from two error rates, and epsilon from mu."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import beta, norm

from unlearning_metric.metrics.gdp import gdp_bound, gdp_epsilon


def test_mu_is_what_the_best_test_between_two_normals_shows():
    mus = np.array([0.2, 1.0, 3.0])
    for threshold in (-0.5, 0.4, 1.5):
        np.testing.assert_allclose(gdp_bound(norm.sf(threshold), norm.cdf(threshold - mus)), mus, rtol=1e-9)


def test_guessing_and_worse_than_guessing_show_nothing():
    assert gdp_bound([0.5, 0.3, 0.8, 1.0, 0.0], [0.5, 0.7, 0.9, 0.0, 1.0]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("delta", [1e-5, 1e-2])
def test_epsilon_solves_the_papers_equation(delta):
    for mu in (0.05, 0.5, 1.0, 2.5, 5.0):

        def spent(epsilon, mu=mu):
            return norm.cdf(mu / 2 - epsilon / mu) - np.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu) - delta

        expected = 0.0 if spent(0.0) <= 0 else brentq(spent, 0.0, 60.0)
        assert float(gdp_epsilon(mu, delta)) == pytest.approx(expected, abs=1e-6)
    assert float(gdp_epsilon(0.0, delta)) == 0.0


def test_bound_and_epsilon_are_the_papers_formulas_worked_by_hand():
    """From a table of the normal law: Phi(0.5) = 0.691462, Phi(1) = 0.841345, Phi(1.5) = 0.933193.

    [D] definition 2.6 with both rates Phi(-0.5): mu = 0.5 + 0.5 = 1. Corollary 2.13 at mu = 1 and epsilon = 1: delta =
    Phi(-0.5) - e Phi(-1.5) = 0.308538 - 2.718282 * 0.066807 = 0.126937. At mu = 1 and epsilon = 0.5 (e^0.5 = 1.648721):
    0.5 - 1.648721 * Phi(-1) = 0.238422.
    """
    assert float(gdp_bound(1 - 0.691462, 1 - 0.691462)) == pytest.approx(1.0, abs=1e-5)
    assert float(gdp_epsilon(1.0, 0.126937)) == pytest.approx(1.0, abs=1e-5)
    assert float(gdp_epsilon(1.0, 0.238422)) == pytest.approx(0.5, abs=1e-5)


def test_epsilon_is_dp_accountings_for_a_gaussian_mechanism():
    """Noise of 1 / mu on a sum that one person moves by 1 is mu-GDP. Not among the tests' packages: run where it is."""
    dp_accounting = pytest.importorskip("dp_accounting", exc_type=ImportError)
    for mu in (0.05, 0.5, 1.0, 2.5, 5.0):
        for delta in (1e-5, 1e-2):
            expected = dp_accounting.get_epsilon_gaussian(1 / mu, delta)
            assert float(gdp_epsilon(mu, delta)) == pytest.approx(expected, abs=1e-6), (mu, delta)


def test_counted_errors_give_jax_privacys_epsilon_from_gdp():
    """`CanaryScoreAuditor.epsilon_from_gdp` on attacks of one threshold, whose scores are 0 and 1.

    It allows for as many thresholds as there are values, and one more: three, two of which accuse all or nobody. It
    looks in both directions, so only attacks better than guessing compare. Not among the tests' packages: run where it
    is; version 2.0.0 agrees to 1e-6, the tolerance of its root finder.
    """
    auditing = pytest.importorskip("jax_privacy.auditing", exc_type=ImportError)
    generator, compared = np.random.default_rng(0), 0
    for _ in range(100):
        models, delta = int(generator.integers(20, 200)), float(generator.choice([1e-5, 1e-2]))
        false, true = generator.integers(0, models // 2), generator.integers(models // 2, models + 1)
        scores = [np.repeat([0.0, 1.0], [models - count, count]) for count in (true, false)]
        upper = [beta.ppf(0.975, wrong + 1, models - wrong) for wrong in (false, models - true)]
        mu = float(gdp_bound(*upper))
        if mu > 0:
            found = auditing.CanaryScoreAuditor(*scores).epsilon_from_gdp(significance=3 * 0.05, delta=delta)
            assert float(gdp_epsilon(mu, delta)) == pytest.approx(found, abs=2e-6), (models, false, true, delta)
            compared += 1
    assert compared > 50
