"""Signals computed where a model is: the numbers of a processor, without a GPU at hand."""

import numpy as np
import pytest
import torch

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.outputs import on_device
from unlearning_metric.outputs.of_model import model_outputs
from unlearning_metric.outputs.on_device import device_outputs, device_signals
from unlearning_metric.outputs.signals import signals

DRAW = np.random.default_rng(0)
NAMES = ("loss", "confidence", "logit", "prediction", "correct")


def dataset(count):
    images = DRAW.integers(256, size=(count, 8, 8, 1), dtype=np.uint8)
    return ImageDataset(images, DRAW.integers(3, size=count), np.array([127.0]), np.array([70.0]))


@pytest.fixture
def model():
    return build_model(Model(name="digits_cnn", width=4), (8, 8, 1), 3, seed=0).eval()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
def test_signals_are_those_of_a_processor(scale):
    logits = (scale * DRAW.normal(size=(200, 10))).astype(np.float32)
    # Equal logits: the first of them is the prediction.
    logits[:20, 7] = logits[:20, 3] = logits[:20].max(1) + 1
    labels = DRAW.integers(10, size=200)
    wanted = signals(logits, labels)
    found = device_signals(torch.as_tensor(logits), torch.as_tensor(labels)).numpy()
    for name, values in zip(NAMES, found, strict=False):
        np.testing.assert_allclose(values, wanted[name], rtol=1e-12, atol=1e-12 * scale)
    assert found[5].all()


def test_a_models_sets_come_back_in_their_order_and_types(model, monkeypatch):
    monkeypatch.setattr(on_device, "_LEAST", 16)
    monkeypatch.setattr(on_device, "_PIXELS", 16 * 64)
    sets = {"forget": dataset(40), "empty": dataset(0), "test": dataset(17)}
    found, (wanted, _) = device_outputs(model, sets), model_outputs(model, sets)
    assert list(found) == list(sets)
    for name, of_set in found.items():
        for signal, values in of_set.items():
            assert values.dtype == wanted[name][signal].dtype
            np.testing.assert_allclose(values, wanted[name][signal], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("where", ["0.weight", "1.running_var", "7.bias"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_model_has_none(model, where, value):
    model.state_dict()[where].view(-1)[0] = value
    assert device_outputs(model, {"forget": dataset(9)}) is None


def test_fewer_examples_at_once_where_memory_does_not_suffice(model, monkeypatch, caplog):
    sizes = []
    forward = model.forward

    def small(images):
        sizes.append(len(images))
        if len(images) > 40:
            raise torch.OutOfMemoryError("full")
        return forward(images)

    monkeypatch.setattr(model, "forward", small)
    monkeypatch.setitem(on_device._LIMIT, "examples", 128)
    sets = {"test": dataset(100)}
    wanted = model_outputs(build_model(Model(name="digits_cnn", width=4), (8, 8, 1), 3, seed=0), sets)[0]
    with caplog.at_level("INFO", logger="unlearning_metric"):
        found = device_outputs(model, sets)
    assert sizes == [100, 64, 32, 32, 32, 4]
    np.testing.assert_allclose(found["test"]["loss"], wanted["test"]["loss"], rtol=1e-6)
    assert "at most 32 examples at once" in caplog.text
    # A model later the size is known.
    device_outputs(model, sets)
    assert sizes[6:] == [32, 32, 32, 4]


def test_memory_for_nothing_is_said(model, monkeypatch):
    def full(images):
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(model, "forward", full)
    monkeypatch.setitem(on_device._LIMIT, "examples", 128)
    with pytest.raises(torch.OutOfMemoryError):
        device_outputs(model, {"test": dataset(100)})
