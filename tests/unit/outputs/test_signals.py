"""The signals of each example, exact and finite."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax
from torch import nn

from unlearning_metric.outputs.signals import confidence_of_loss, loss_of_confidence, signals


def random_logits(scale: float, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(scale=scale, size=(200, classes)), rng.integers(classes, size=200)


@pytest.mark.parametrize("classes", [2, 5, 100])
def test_confidence_is_log_p_minus_log_one_minus_p(classes):
    z, y = random_logits(2.0, classes)
    p = np.exp(log_softmax(z, axis=1))
    rows = np.arange(200)
    rest = p.copy()
    rest[rows, y] = 0
    found = signals(z, y)["confidence"]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.log(p[rows, y]) - np.log(rest.sum(axis=1)), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(expit(found), p[rows, y], rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_loss_is_the_cross_entropy(scale):
    z, y = random_logits(scale)
    wanted = nn.functional.cross_entropy(torch.tensor(z), torch.tensor(y), reduction="none")
    np.testing.assert_allclose(signals(z, y)["loss"], wanted.numpy(), rtol=1e-9, atol=1e-12)


def test_loss_stays_exact_where_the_probability_rounds_to_one():
    found = signals(np.array([[60.0, 0.0], [0.0, 60.0]]), np.array([0, 0]))
    np.testing.assert_allclose(found["loss"], [np.exp(-60.0), 60.0], rtol=1e-12)
    np.testing.assert_allclose(found["confidence"], [60.0, -60.0])


def test_huge_logits_stay_finite():
    z = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [3e38, -3e38, 0.0]], dtype=np.float32)
    found = signals(z, np.array([0, 0, 1]))
    assert all(np.isfinite(values).all() for values in found.values())
    np.testing.assert_allclose(found["confidence"][:2], [1e4, -2e4])
    np.testing.assert_allclose(found["loss"][1], 2e4)


def test_prediction_correct_and_logit_follow_the_label():
    found = signals(np.array([[0.0, 2.0, 1.0], [5.0, 2.0, 1.0]]), np.array([1, 2]))
    assert found["prediction"].tolist() == [1, 0]
    assert found["correct"].tolist() == [True, False]
    assert found["logit"].tolist() == [2.0, 1.0]


def test_signals_leave_the_logits_alone():
    z, y = random_logits(1.0)
    before = z.copy()
    signals(z, y)
    assert np.array_equal(z, before)


def test_loss_and_confidence_give_each_other():
    confidence = np.array([-103.0, -40.0, -1.0, 0.0, 0.7, 20.0, 36.0, 80.0])
    np.testing.assert_allclose(confidence_of_loss(loss_of_confidence(confidence)), confidence, rtol=1e-12, atol=1e-12)


def test_a_loss_of_nothing_is_as_confident_as_the_published_logarithms_can_tell():
    assert confidence_of_loss(np.array([0.0, 1e-60])).tolist() == [103.6, 103.6]
