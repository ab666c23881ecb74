"""Where between original and retrained models an example stands."""

import numpy as np
import pytest
from scipy.stats import norm

from unlearning_metric.metrics.completeness import completeness

GENERATOR = np.random.default_rng(0)
RETRAINED = GENERATOR.normal(0, 1, (40, 30))
ORIGINAL = np.full((1, 30), 5.0)


def test_it_is_the_published_rule_written_out():
    copies = GENERATOR.normal(2, 1, (3, 30))
    places = np.linspace(0, 1, 100)
    expected = np.zeros(30)
    for copy in copies:
        between = [RETRAINED + (ORIGINAL - RETRAINED) * place for place in places[:-1]]
        fitted = [norm.cdf(copy, laws.mean(axis=0), laws.std(axis=0)) for laws in between]
        expected += (1 - np.average(fitted, axis=0, weights=places[1:])) / 3
    np.testing.assert_allclose(completeness(RETRAINED, copies, ORIGINAL, steps=100), expected, atol=1e-9)


def test_it_rises_from_the_original_to_retrained_models():
    means = [
        completeness(RETRAINED, GENERATOR.normal(middle, 1, (40, 30)), ORIGINAL).mean()
        for middle in (5.0, 3.0, 1.0, 0.0)
    ]
    assert means == sorted(means)
    assert completeness(RETRAINED, np.repeat(ORIGINAL, 40, axis=0), ORIGINAL).max() < 0.01
    assert completeness(RETRAINED, RETRAINED - 50, ORIGINAL) == pytest.approx(1.0)


def test_where_the_original_is_not_surer_there_is_nothing_to_forget():
    assert np.isnan(completeness(RETRAINED, RETRAINED, ORIGINAL - 20)).all()


def test_a_quarter_of_the_steps_moves_no_example_by_more_than_it_says():
    copies = GENERATOR.normal(1, 1, (40, 30))
    few, many = (completeness(RETRAINED, copies, ORIGINAL, steps) for steps in (25, 100))
    assert np.abs(few - many).max() < 0.03
