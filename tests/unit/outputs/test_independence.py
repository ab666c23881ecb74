"""Whether models are separate models: what is one model twice, and what only comes near."""

import dataclasses

import numpy as np
import pytest

from unlearning_metric.outputs.ensemble import Ensemble, Outputs
from unlearning_metric.outputs.independence import refuse_mixed, repeated_models, same_models
from unlearning_metric.store.files import StoreError


def side(forget, test=None, diverged=()):
    def outputs(values):
        return Outputs(np.arange(values.shape[1]), np.zeros(values.shape[1], int), values, None)

    roles = {"forget": outputs(forget)} | ({} if test is None else {"test": outputs(test)})
    return Ensemble("o", np.arange(len(forget)), roles, {}, list(diverged))


def drawn(seed, models=16, examples=20, sd=1.5):
    return np.random.default_rng(seed).normal(2, sd, (models, examples))


def evaluated_again(values, how, seed=9):
    noise = np.random.default_rng(seed).uniform(-1, 1, values.shape)
    return {
        "float32": values.astype(np.float32),
        "float16": values.astype(np.float16),
        "bfloat16": values * (1 + noise * 2**-8),
        "another order": values + noise * 1e-5,
    }[how].astype(np.float64)


@pytest.mark.parametrize("how", ["float32", "float16", "bfloat16", "another order"])
@pytest.mark.parametrize(("models", "examples"), [(4, 20), (16, 3), (64, 100)])
def test_the_same_models_evaluated_again_are_found_in_any_order(how, models, examples):
    retrained = drawn(0, models, examples)
    again = evaluated_again(retrained, how)[::-1]
    first, second, distance = same_models(side(retrained), side(again))
    assert first + second == models - 1
    assert 0 < distance < 0.2
    with pytest.raises(StoreError, match="precision, order or device"):
        refuse_mixed({"retrained": side(retrained), "unlearned": side(again)})


def test_one_shared_model_among_separate_ones_is_found():
    retrained, unlearned = drawn(0), drawn(1)
    unlearned[5] = evaluated_again(retrained, "float16")[11]
    assert same_models(side(retrained), side(unlearned))[:2] == (11, 5)


def test_a_loss_that_rounding_made_0_hides_no_shared_model():
    retrained = drawn(0)
    retrained[:, 7] += 15
    again = np.where(retrained > 14, 103.6, retrained.astype(np.float32))
    assert same_models(side(retrained), side(again)) is not None


@pytest.mark.parametrize("examples", [1, 2, 20])
@pytest.mark.parametrize("models", [4, 64])
@pytest.mark.parametrize("tail", [2, 30])
def test_separate_models_of_one_law_are_separate(models, examples, tail):
    generator = np.random.default_rng(3)
    for _ in range(20):
        common = generator.normal(0, 2, (2, models, 1))
        retrained, unlearned = generator.standard_t(tail, (2, models, examples)) * 3 + common
        assert same_models(side(retrained), side(unlearned)) is None
        assert repeated_models(side(retrained)) == []


def test_copies_that_are_all_equal_are_not_near_a_model_for_being_many():
    generator = np.random.default_rng(4)
    for _ in range(50):
        retrained = side(generator.normal(size=(64, 1)))
        assert same_models(retrained, side(np.repeat(generator.normal(size=(1, 1)), 64, axis=0))) is None


def test_confidences_at_saturation_make_no_two_models_one():
    saturated = np.full((8, 3), 103.6)
    assert same_models(side(saturated), side(saturated)) is None
    assert repeated_models(side(saturated)) == []
    # Other examples tell the models apart, or that they are one.
    assert same_models(side(saturated, drawn(0, 8)), side(saturated, drawn(1, 8))) is None
    assert same_models(side(saturated, drawn(0, 8)), side(saturated, drawn(0, 8)))[2] == 0.0


def test_equal_and_nearly_equal_models_are_grouped():
    values = drawn(0)
    assert repeated_models(side(values)) == []
    pair = np.r_[values[:15], values[:1]]
    assert repeated_models(side(pair)) == [[0, 15]]
    assert repeated_models(side(np.repeat(values[:4], 4, axis=0))) == [[4 * k + i for i in range(4)] for k in range(4)]
    # One seed on a GPU that rounds otherwise each time.
    everywhere = values[:1] + np.random.default_rng(1).normal(0, 1e-4, (16, 20))
    assert repeated_models(side(everywhere)) == [list(range(16))]
    most = values.copy()
    most[:12] = values[:1] + np.random.default_rng(1).normal(0, 2e-4, (12, 20))
    assert repeated_models(side(most)) == [list(range(12))]
    assert repeated_models(dataclasses.replace(side(pair), diverged=[0])) == []


def test_models_that_spread_little_are_separate_all_the_same():
    assert repeated_models(side(drawn(0, sd=0.05))) == []
