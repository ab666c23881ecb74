"""The per-example table: its columns from their definitions, and the page that lists them."""

from pathlib import Path

import numpy as np
import pytest
from drawn import EXAMPLES, RETRAINED, ensemble, score

from unlearning_metric import challenge_epsilons, gaussian_mu, heldout, klom, ks_p_values, told_apart, ulira
from unlearning_metric.scoring.examples import page

DOCS = Path(__file__).resolve().parents[3] / "docs"
UNLEARNED = ensemble(1, shift=1.0)
DOCUMENT, SAMPLES = score(UNLEARNED)


def test_each_metrics_column_is_that_metric():
    sides = RETRAINED.forget.confidence, UNLEARNED.forget.confidence
    held, attack, p_values = heldout(*sides), ulira(*sides), ks_p_values(*sides)
    for name, expected in {
        "epsilon": challenge_epsilons(*sides),
        "heldout_epsilon": held.epsilons,
        "heldout_bound": held.bounds,
        "rule_low": held.lows,
        "rule_high": held.highs,
        "ks_p": p_values,
        "told_apart": told_apart(p_values),
        "mu": gaussian_mu(*sides),
        "klom": klom(*sides),
        "ulira_accuracy": attack.accuracies,
        "ulira_auc": attack.aucs,
    }.items():
        np.testing.assert_array_equal(SAMPLES[name], expected, name)
    assert SAMPLES["rule"].tolist() == held.kinds.tolist()


def test_medians_and_ranges_are_of_the_confidence_and_losses_of_the_loss():
    for name, side in (("retrained", RETRAINED.forget), ("unlearned", UNLEARNED.forget)):
        np.testing.assert_array_equal(SAMPLES[f"{name}_median"], np.median(side.confidence, axis=0))
        np.testing.assert_array_equal(SAMPLES[f"{name}_min"], side.confidence.min(axis=0))
        np.testing.assert_array_equal(SAMPLES[f"{name}_max"], side.confidence.max(axis=0))
        np.testing.assert_array_equal(SAMPLES[f"{name}_loss"], np.median(side.loss, axis=0))


def test_undefined_seed_scores_are_nan_and_counted_as_dropped():
    document, samples = score(ensemble(1, shift=-90.0))
    assert np.isnan(samples["seed_score"]).sum() == EXAMPLES
    assert document["seed"]["method"]["dropped_share"] == 1.0


def test_the_headline_number_is_the_mean_of_the_points():
    assert SAMPLES["points"].mean() == pytest.approx(DOCUMENT["challenge"]["forgetting_score"])


def test_the_page_lists_the_columns():
    text = (DOCS / "results.md").read_text(encoding="utf-8")
    assert text == page(text), "run: python -m unlearning_metric.scoring.examples docs/results.md"
