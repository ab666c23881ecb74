"""The pooled ROC curve against scikit-learn's, and its ratios against one fit a model."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from unlearning_metric.metrics.pooled_roc import METRIC, RATES, area_under_curve, log_ratios, true_positive_rates
from unlearning_metric.metrics.record import Given

GENERATOR = np.random.default_rng(0)
RETRAINED, UNLEARNED = GENERATOR.normal(0, 1, (24, 90)), GENERATOR.normal(0.6, 0.7, (30, 90))


def test_each_ratio_is_of_normals_that_did_not_see_the_model():
    negatives, positives = log_ratios(RETRAINED, UNLEARNED)

    def log_density(value, sample):
        return norm.logpdf(value, sample.mean(), sample.std(ddof=1))

    for model, example in ((0, 0), (23, 7), (11, 89)):
        r, u = RETRAINED[:, example], UNLEARNED[:, example]
        value = r[model]
        assert negatives[model, example] == pytest.approx(
            log_density(value, u) - log_density(value, np.delete(r, model)), rel=1e-9
        )
        value = u[model]
        assert positives[model, example] == pytest.approx(
            log_density(value, np.delete(u, model)) - log_density(value, r), rel=1e-9
        )


@pytest.mark.parametrize("digits", [12, 1])
def test_curve_and_area_are_scikit_learns_with_and_without_ties(digits):
    negatives, positives = (np.round(side, digits) for side in log_ratios(RETRAINED, UNLEARNED))
    truth = np.repeat([0, 1], [negatives.size, positives.size])
    values = np.concatenate([negatives.ravel(), positives.ravel()])
    assert area_under_curve(negatives, positives) == pytest.approx(roc_auc_score(truth, values), abs=1e-12)
    fpr, tpr, _ = roc_curve(truth, values, drop_intermediate=False)
    expected = [tpr[fpr <= rate + 1e-12].max() for rate in RATES]
    np.testing.assert_allclose(true_positive_rates(negatives, positives, RATES), expected, atol=1e-12)


def test_of_equal_laws_it_tells_nothing_and_of_a_few_marked_models_it_tells_at_few_false_positives():
    equal = METRIC.summary(METRIC.measure(*GENERATOR.normal(size=(2, 64, 300)), Given()))
    assert equal["auc"] == pytest.approx(0.5, abs=0.02)
    assert equal["tpr_at_1"] == pytest.approx(0.01, abs=0.006)
    marked = GENERATOR.normal(size=(64, 300))
    marked[:6] += 8.0
    found = METRIC.summary(METRIC.measure(GENERATOR.normal(size=(64, 300)), marked, Given()))
    assert found["tpr_at_01"] > 0.05
    assert found["curve"][-1] == 1.0
