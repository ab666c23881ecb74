"""Training on a GPU that is not there: PyTorch's fake tensors know their device and refuse to mix two of them.

What is computed stays unknown, but every operation must have its operands on one device, and the results on the GPU.
The backward pass and what comes after it are left out.
"""

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from unlearning_metric import loaders, training
from unlearning_metric.config import Training
from unlearning_metric.loaders import ImageDataset
from unlearning_metric.models import digits_cnn
from unlearning_metric.seeds import Streams
from unlearning_metric.training_stacked import train_stacked

MODEL = {"name": "digits_cnn", "width": 4}
IMAGES = np.zeros((40, 8, 8, 1), np.uint8)
LABELS = np.arange(40) % 3


def recipe(**changes):
    return Training(**{"lr": 0.1, "epochs": 1, "batch_size": 16, **changes}).model_dump()


@pytest.fixture
def gpu(monkeypatch):
    """A data set on a GPU that is not there, for the length of a test."""

    class NoReads:
        def add(self, examples):
            """Counting takes shared memory, which fake tensors have not."""

    monkeypatch.setattr(loaders, "Reads", NoReads)

    def on_the_gpu(settings, image_shape, num_classes, streams):
        with torch.device("cuda"):
            return digits_cnn(settings, image_shape, num_classes)

    def backward(loss):
        assert loss.device.type == "cuda"

    # The backward pass asks the driver for its device, and there is no driver.
    monkeypatch.setattr(torch.Tensor, "backward", backward)
    # A module of fake tensors can be made on a device, and not be moved to one.
    monkeypatch.setattr(training, "initial_model", on_the_gpu)
    monkeypatch.setattr(nn.Module, "to", lambda self, *args, **kwargs: self)
    with FakeTensorMode():
        yield ImageDataset(IMAGES, LABELS, np.zeros(1, np.float32), np.ones(1, np.float32), "cuda")


@pytest.mark.parametrize(
    "changes", [{}, {"crop": 2, "flip": True}, {"precision": "bf16"}, {"optimizer": "adamw"}], ids=str
)
def test_the_loop_keeps_everything_on_the_gpu(gpu, changes):
    model = training.train_model(gpu, MODEL, 3, recipe(**changes), Streams(0, "retain"))
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"cuda"}


@pytest.mark.parametrize("changes", [{}, {"crop": 2, "flip": True}], ids=str)
def test_the_stacked_engine_keeps_everything_on_the_gpu(gpu, changes):
    streams = [Streams(0, "retain", index) for index in range(3)]
    states = train_stacked(gpu, MODEL, 3, recipe(**changes), streams, training.initial_model)
    assert {tensor.device.type for state in states for tensor in state.values()} == {"cuda"}


def test_an_operand_on_another_device_is_seen(gpu):
    with pytest.raises(RuntimeError, match="device"):
        gpu.images.float() + torch.zeros(40, 8, 8, 1)
