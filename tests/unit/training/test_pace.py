"""What a retraining costs, from a few of its steps."""

import numpy as np
import torch

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.seeds import Streams
from unlearning_metric.training.pace import Pace
from unlearning_metric.training.recipe import examples_read
from unlearning_metric.training.train import train_models

MODEL = Model(name="digits_cnn", width=16)
RECIPE = Training(lr=0.1, epochs=4, batch_size=16)
RNG = np.random.default_rng(0)


def dataset():
    images, labels = RNG.integers(255, size=(120, 8, 8, 1)).astype(np.uint8), np.arange(120) % 3
    return ImageDataset(images, labels, np.array([130.0], np.float32), np.array([75.0], np.float32))


def test_it_is_about_what_a_whole_training_takes():
    """Within a factor of two: this is no benchmark."""
    examples = dataset()
    pace = Pace(examples, MODEL, 3, RECIPE)
    pace.retraining(0.0)
    _, seconds = train_models(examples, MODEL, 3, RECIPE, Streams.of_models(0, "retain", range(5)))
    found = [pace.retraining(each) for each in seconds.values()]
    assert 0.5 < np.median(found) / np.median(list(seconds.values())) < 2.0


def test_it_leaves_nothing_behind():
    examples = dataset()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    pace = Pace(examples, MODEL, 3, RECIPE.model_copy(update={"crop": 1, "flip": True, "compile": True}))
    # More steps than one training has.
    for _ in range(20):
        assert pace.retraining(0.1) > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert examples.reads.total() == 0


def test_a_host_that_cannot_take_its_steps_says_so_and_measures_nothing(monkeypatch, caplog):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert Pace(dataset(), MODEL, 3, RECIPE.model_copy(update={"precision": "bf16"})).retraining(1.0) is None
    assert "what a retraining costs on this host is not measured (training.precision is bf16" in caplog.text


def test_memory_that_does_not_suffice_ends_the_measuring_and_not_the_job(monkeypatch, caplog):
    def full(*_):
        raise torch.OutOfMemoryError("full")

    pace = Pace(dataset(), MODEL, 3, RECIPE)
    monkeypatch.setattr(torch.Tensor, "backward", full)
    assert pace.retraining(1.0) is None
    assert pace.retraining(1.0) is None
    assert caplog.text.count("is not measured") == 1


def test_a_function_of_the_users_is_not_run_for_it():
    assert Pace(dataset(), MODEL, 3, RECIPE.model_copy(update={"file": "mine.py"})).retraining(1.0) is None


def test_the_examples_that_a_training_reads():
    assert examples_read(RECIPE, 120) == 480
    assert examples_read(RECIPE.model_copy(update={"epochs": None, "steps": 9}), 120) == 120 + 16
    assert examples_read(RECIPE.model_copy(update={"epochs": None, "steps": 8}), 120) == 120
    assert examples_read(RECIPE.model_copy(update={"epochs": 2}), 10) == 20
