"""Retain and test examples told apart: of the oracle at the nominal rate, of a method that moves them far more."""

import numpy as np

from unlearning_metric.metrics.collateral import METRIC
from unlearning_metric.metrics.record import Given

GENERATOR = np.random.default_rng(0)


def found(reference, other):
    return METRIC.summary(METRIC.complete(METRIC.measure(reference, other, Given())))


def test_the_oracle_stays_at_the_nominal_rate():
    summary = found(*GENERATOR.normal(size=(2, 64, 400)))
    assert summary["told_apart"] < 0.02
    assert summary["share_shown"] < 0.05
    assert abs(summary["ulira_accuracy"] - 0.5) < 0.02


def test_a_method_that_moves_half_of_them_is_seen():
    moved = GENERATOR.normal(size=(64, 400))
    moved[:, :200] += 2.0
    summary = found(GENERATOR.normal(size=(64, 400)), moved)
    assert 0.49 <= summary["told_apart"] < 0.55
    assert summary["share_shown"] > 0.45
