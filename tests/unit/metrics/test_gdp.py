"""Gaussian differential privacy: mu from two error rates, and epsilon from mu."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

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
