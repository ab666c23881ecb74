"""Outputs: of a model in eval mode, in the order of the data set."""

import numpy as np
import pytest
import torch
from torch import nn

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.outputs.of_model import EVALUATION_BATCH, model_outputs, predict
from unlearning_metric.outputs.signals import signals


def dataset(count: int, seed: int = 0) -> ImageDataset:
    rng = np.random.default_rng(seed)
    images = rng.integers(256, size=(count, 8, 8, 1), dtype=np.uint8)
    return ImageDataset(images, rng.integers(3, size=count), np.array([127.0]), np.array([70.0]))


@pytest.fixture
def model() -> nn.Module:
    """A network with batch norm whose running statistics are not those of any batch."""
    net = build_model(Model(name="digits_cnn", width=4), (8, 8, 1), 3, seed=0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.fill_(0.3)
            module.running_var.fill_(2.0)
    return net.train()


def test_evaluation_ignores_training_mode_other_examples_and_order(model):
    data = dataset(40)
    reference = predict(model, data)
    assert not model.training
    flipped = ImageDataset(data.images.numpy()[::-1], data.labels.numpy()[::-1], np.array([127.0]), np.array([70.0]))
    part = ImageDataset(data.images.numpy()[:7], data.labels.numpy()[:7], np.array([127.0]), np.array([70.0]))
    np.testing.assert_allclose(predict(model.train(), flipped)[::-1], reference, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(predict(model.train(), part), reference[:7], rtol=1e-5, atol=1e-6)


def test_evaluation_changes_no_parameter_and_no_running_statistic(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    predict(model, dataset(20))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_outputs_are_in_the_data_sets_order_across_batches(model):
    batch = EVALUATION_BATCH
    data = dataset(batch + 5)
    logits = predict(model, data)
    assert logits.shape == (batch + 5, 3)
    with torch.no_grad():
        last = model(data[batch + 4][0][None])[0]
    np.testing.assert_allclose(logits[-1], last.numpy(), rtol=1e-5, atol=1e-6)


def test_a_sound_model_is_judged_by_its_logits(model):
    data = dataset(30)
    outputs, diverged = model_outputs(model, {"forget": data, "empty": dataset(0)})
    assert not diverged
    wanted = signals(predict(model, data), data.labels.numpy())
    for name, values in wanted.items():
        assert np.array_equal(outputs["forget"][name], values)
    assert all(len(values) == 0 for values in outputs["empty"].values())


@pytest.mark.parametrize("where", ["0.weight", "1.running_var", "7.bias"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_model_is_wrong_everywhere_with_the_least_confidence(model, where, value):
    # An infinite running variance makes every logit finite: the parameters have to be looked at.
    model.state_dict()[where].view(-1)[0] = value
    outputs, diverged = model_outputs(model, {"forget": dataset(9), "test": dataset(4), "validation": dataset(0)})
    assert diverged
    assert [len(outputs[name]["confidence"]) for name in ("forget", "test", "validation")] == [9, 4, 0]
    for name in ("forget", "test"):
        assert (outputs[name]["confidence"] == -103.6).all()
        assert (outputs[name]["loss"] == 103.6).all()
        assert not outputs[name]["correct"].any()
        assert (outputs[name]["prediction"] == -1).all()
