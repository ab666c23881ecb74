"""The half-split ceiling's correction: it takes most of the bias away where confidences spread little."""

import numpy as np
import pytest

from unlearning_metric.metrics.ceiling import split_correction
from unlearning_metric.metrics.challenge import challenge, split_ceiling


@pytest.mark.parametrize(("models", "sd", "bias"), [(20, 0.5, 0.2), (128, 0.5, -0.15), (32, 2.0, 0.0)])
def test_it_leaves_less_than_six_percent(models, sd, bias):
    generator = np.random.default_rng(models)
    truth = np.mean([challenge(*(sd * generator.normal(size=(2, models, 200)))).forgetting_score for _ in range(12)])
    retrained = [sd * generator.normal(size=(models, 200)) for _ in range(4)]
    plain = [split_ceiling(one, 0) / truth for one in retrained]
    corrected = [value * split_correction(one, 0) for value, one in zip(plain, retrained, strict=True)]
    assert abs(np.mean(corrected) - 1) < 0.06
    if bias:
        assert (np.mean(plain) - 1) / bias > 1


def test_it_does_not_depend_on_where_the_confidences_lie():
    retrained = np.random.default_rng(0).normal(size=(16, 30))
    assert split_correction(retrained, 1) == pytest.approx(split_correction(retrained + 5.0, 1), rel=0.01)
