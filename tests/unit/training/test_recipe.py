"""The recipe: rates, optimizers, steps and losses."""

import numpy as np
import pytest
import torch

from unlearning_metric.config import Training
from unlearning_metric.training.recipe import class_weights, learning_rate, loss_function, make_optimizer, total_steps

RECIPE = Training(lr=0.1, epochs=2, batch_size=16)


def test_an_optimizer_has_the_recipes_settings():
    weight = [torch.nn.Parameter(torch.zeros(2))]
    group = make_optimizer(weight, RECIPE).param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.1, 0.9, 5e-4)
    assert isinstance(make_optimizer(weight, RECIPE.model_copy(update={"optimizer": "adamw"})), torch.optim.AdamW)


def rates(schedule: str, steps: int = 100, warmup: float = 0.25) -> np.ndarray:
    recipe = Training(lr=0.5, schedule=schedule, warmup=warmup, epochs=1, batch_size=1)
    return np.array([learning_rate(recipe, step, steps, 10) for step in range(steps)])


def test_constant_stays_at_the_peak():
    assert (rates("constant") == 0.5).all()


def test_cosine_falls_from_the_peak_to_nearly_nothing():
    course = rates("cosine")
    assert course[0] == 0.5
    assert course[50] == pytest.approx(0.25)
    assert 0 < course[-1] < 0.001
    assert (np.diff(course) < 0).all()


def test_cosine_by_epoch_falls_at_the_end_of_each_epoch():
    course = rates("cosine_by_epoch")
    assert np.unique(course).size == 10
    assert (course[:10] == 0.5).all()
    assert course[10:20] == pytest.approx(0.25 * (1 + np.cos(np.pi / 10)))
    # An epoch that the steps cut short is one.
    assert rates("cosine_by_epoch", 25)[-1] == pytest.approx(0.25 * (1 + np.cos(np.pi * 2 / 3)))


def test_one_cycle_rises_from_a_25th_to_the_peak_and_falls_to_nearly_nothing():
    course = rates("one_cycle")
    assert course[0] == pytest.approx(0.02)
    assert course.argmax() == 25
    assert course[25] == pytest.approx(0.5)
    assert 0 < course[-1] < 0.001
    assert (np.diff(course[:26]) > 0).all()
    assert (np.diff(course[25:]) < 0).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.0, 0.99])
def test_one_cycle_of_very_few_steps_has_positive_rates(steps, warmup):
    course = rates("one_cycle", steps, warmup)
    assert ((course > 0) & (course <= 0.5)).all()


def test_one_cycle_without_a_warmup_begins_at_the_peak():
    course = rates("one_cycle", 10, warmup=0)
    assert course[0] == 0.5
    assert (np.diff(course) < 0).all()
    # The least share takes a whole step.
    assert rates("one_cycle", 10, warmup=0.01)[0] == pytest.approx(0.02)


def test_class_weights_are_one_over_the_percentage():
    np.testing.assert_allclose(class_weights(np.array([0, 0, 0, 2]), 4), [1 / 75, 0, 1 / 25, 0], rtol=1e-6)


def test_steps_count_batches_and_epochs_count_passes():
    assert total_steps(RECIPE, 7) == 14
    assert total_steps(RECIPE.model_copy(update={"epochs": None, "steps": 5}), 7) == 5


def test_the_loss_weights_classes_only_where_the_recipe_says_so():
    labels, logits = torch.tensor([0, 0, 0, 1]), torch.tensor([[1.0, 0.0], [0.5, 0.0], [0.0, 2.0], [1.0, 0.0]])
    plain = loss_function(RECIPE.model_copy(update={"label_smoothing": 0.1}), labels, 3)
    assert plain.weight is None
    assert plain.label_smoothing == 0.1
    weighted = loss_function(RECIPE.model_copy(update={"class_weights": True}), labels, 2)
    each = -torch.log_softmax(logits, 1)[torch.arange(4), labels]
    # 75 % and 25 %: the one example of class 1 weighs as much as the three of class 0.
    assert weighted(logits, labels) == pytest.approx(float((each[:3].mean() + each[3]) / 2))
