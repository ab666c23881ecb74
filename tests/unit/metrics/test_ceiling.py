"""The half-split ceiling's correction: it takes most of the bias away where confidences spread little."""

import numpy as np
import pytest

from unlearning_metric.metrics.ceiling import split_correction
from unlearning_metric.metrics.challenge import challenge, split_ceiling


def normal(generator, shape):
    return generator.normal(size=shape)


def student(generator, shape):
    return generator.standard_t(3, shape) / np.sqrt(3)


def two_modes(generator, shape):
    return (generator.choice([-1.0, 1.0], shape) + 0.5 * generator.normal(size=shape)) / np.sqrt(1.25)


@pytest.mark.parametrize(
    ("law", "models", "sd", "bias"),
    [(normal, 20, 0.5, 0.2), (normal, 128, 0.5, -0.15), (normal, 32, 2.0, 0.0), (student, 64, 0.5, -0.1),
     (two_modes, 32, 1.0, -0.08)],
)  # fmt: skip
def test_it_leaves_less_than_six_percent(law, models, sd, bias):
    generator = np.random.default_rng(models)
    shape = models, 200
    truth = np.mean(
        [challenge(sd * law(generator, shape), sd * law(generator, shape)).forgetting_score for _ in range(8)]
    )
    retrained = [sd * law(generator, shape) for _ in range(2)]
    plain = [split_ceiling(one, 0) / truth for one in retrained]
    corrected = [value * split_correction(one, 0) for value, one in zip(plain, retrained, strict=True)]
    assert abs(np.mean(corrected) - 1) < 0.06
    if bias:
        assert (np.mean(plain) - 1) / bias > 1


def test_examples_that_do_not_vary_change_nothing_of_it():
    retrained = np.random.default_rng(0).normal(0.0, 0.5, (20, 30))
    constant = np.full((20, 30), 0.1)
    both = split_correction(np.hstack([retrained, constant]), 0)
    assert both == pytest.approx(split_correction(retrained, 0), rel=0.03)
    assert split_correction(constant, 0) == 1.0


def test_it_does_not_depend_on_where_the_confidences_lie():
    retrained = np.random.default_rng(0).normal(size=(16, 30))
    assert split_correction(retrained, 1) == pytest.approx(split_correction(retrained + 5.0, 1), rel=0.01)
