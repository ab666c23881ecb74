"""Every metric where the answer is known: copies that are the original with probability rho, else retrained models.

The same on real models: config/ladder.yaml, docs/ladder.md.
"""

import numpy as np
import pytest
from scipy.stats import beta

from unlearning_metric.metrics.challenge import challenge
from unlearning_metric.metrics.heldout import heldout
from unlearning_metric.metrics.record import Given
from unlearning_metric.metrics.table import METRICS

MODELS, EXAMPLES, RHO = 64, 60, (0.0, 0.1, 0.25, 0.5, 1.0)
#: Falls as an original is handed out more often, then rises or is undefined: told apart without error drops out.
NOT_MONOTONE = {"seed"}


def drawn(models=MODELS, away=5.0):
    """Retrained models, the original, and the copies of each rung [models, examples]; a copy stays what it became."""
    generator = np.random.default_rng(2)
    middle, spread = generator.normal(3, 1, EXAMPLES), generator.uniform(1, 2, EXAMPLES)
    retrained, held_out = middle + spread * generator.normal(size=(2, models, EXAMPLES))
    original, place = middle + away * spread, generator.permutation(models)[:, None] / models
    return retrained, original, {rho: np.where(place < rho, original, held_out) for rho in RHO}


RETRAINED, ORIGINAL, RUNGS = drawn()
GIVEN = Given(models=(MODELS, MODELS), originals=ORIGINAL[None])


def headline(metric, copies):
    if metric.compares == "roles":
        # Losses of forget examples against those of test examples, which no model has seen: those of retrained models.
        loss, of_test = np.logaddexp(0, -copies), np.logaddexp(0, -RETRAINED)
        return metric.summary(metric.complete(metric.measure(loss, of_test, GIVEN)))[metric.headline]
    sides = (RETRAINED, copies) if metric.signal == "confidence" else np.logaddexp(0, [-RETRAINED, -copies])
    return metric.summary(metric.complete(metric.measure(*sides, GIVEN)))[metric.headline]


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_a_metric_worsens_from_rung_to_rung_unless_it_is_known_not_to(metric):
    values = [headline(metric, RUNGS[rho]) for rho in RHO]
    if metric.better == "ceiling":
        worse = [abs(value - values[0]) for value in values]
    else:
        worse = [{"lower": value, "zero": abs(value), "higher": -value}[metric.better] for value in values]
    steady = bool(np.all(np.diff(worse) >= 0)) and worse[-1] > worse[0]
    assert steady == (metric.name not in NOT_MONOTONE), values


def test_the_challenges_score_falls_to_0_from_rung_to_rung():
    scores = [challenge(RETRAINED, RUNGS[rho]).forgetting_score for rho in RHO]
    assert np.all(np.diff(scores) < 0), scores
    assert scores[-1] == 0.0


@pytest.mark.parametrize("rho", RHO)
def test_no_attack_passes_what_the_mixture_allows(rho):
    """Of a mixture every attack has t = (1 - rho) f + rho t': at most rho + (1 - rho) f. Two standard errors on top."""
    slack = 2 * np.sqrt(0.25 / MODELS)
    shown = METRICS["ulira"].summary(METRICS["ulira"].measure(RETRAINED, RUNGS[rho], GIVEN))
    pooled = METRICS["pooled_roc"].summary(METRICS["pooled_roc"].measure(RETRAINED, RUNGS[rho], GIVEN))
    assert shown["accuracy"] <= (1 + rho) / 2 + slack
    assert max(shown["auc"], pooled["auc"]) <= (1 + rho) / 2 + slack
    rates = np.array(METRICS["pooled_roc"].constants(GIVEN)["false_positive_rates"])
    assert np.all(pooled["curve"] <= rho + (1 - rho) * rates + slack)
    assert abs(METRICS["direction"].summary(
        METRICS["direction"].complete(METRICS["direction"].measure(RETRAINED, RUNGS[rho], GIVEN))
    )["delta_mean"]) <= rho + slack  # fmt: skip


@pytest.mark.parametrize("rho", RHO)
def test_confidence_bounds_from_held_out_counts_hold_and_are_near_the_truth_with_many_models(rho):
    """The total variation is rho, and what retrained models are taken for shows an epsilon of ln(1 / (1 - rho))."""
    models = 512
    retrained, _, rungs = drawn(models)
    found = heldout(retrained, rungs[rho])
    upper = [
        beta.ppf(0.975, n + 1, np.maximum(models - n, 1e-9)) for n in (found.false_positives, found.false_negatives)
    ]
    variation = 1 - upper[0] - upper[1]
    assert np.mean(variation > rho) <= 0.05
    assert np.median(variation) > rho - 0.11
    if rho == 0:
        assert np.mean(found.bounds > 0) <= 0.05
        assert np.mean(found.gdp_bounds > 0) <= 0.05
    elif rho < 1:
        # Without false positives the errors left are the copies that are retrained models.
        certain = np.log((1 - 1e-5 - upper[0]) / upper[1])
        assert np.mean(certain > np.log(1 / (1 - rho))) <= 0.05
