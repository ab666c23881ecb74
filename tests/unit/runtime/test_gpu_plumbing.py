"""Training on a GPU that is not there: PyTorch's fake tensors know their device and refuse to mix two of them.

What is computed stays unknown, but every operation must have its operands on one device, and the results on the GPU.
The backward pass and what comes after it are left out: they ask the driver for the device, and there is no driver. Each
case has a process of its own, since fake tensors leave traces in the one that made them: forks of one that has loaded
PyTorch.
"""

import json
import re
import subprocess
import sys

PROGRAM = """
import json, os, sys
import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from unlearning_metric.batches import datasets
from unlearning_metric.training import train as training
from unlearning_metric.config import Model, Training
from unlearning_metric.nets.by_name import digits_cnn
from unlearning_metric.seeds import Streams
from unlearning_metric.training.stacked import train_stacked

for number, changes in enumerate(json.loads(sys.argv[1])):
    if os.fork() == 0:
        break
    print("case", number, "of status", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
else:
    sys.exit()


class NoReads:
    def add(self, examples):
        "Counting takes shared memory, which fake tensors have not."


def initial(settings, image_shape, num_classes, streams):
    # A module of fake tensors can be made on a device, and not be moved to one.
    with torch.device("cuda"):
        return digits_cnn(settings, image_shape, num_classes)


def backward(loss):
    assert loss.device.type == "cuda", loss.device


datasets.Reads, training.initial_model = NoReads, initial
torch.Tensor.backward, nn.Module.to = backward, lambda self, *args, **kwargs: self
recipe = Training(**{"lr": 0.1, "epochs": 1, "batch_size": 16, **changes})
model = Model(name="digits_cnn", width=4)
with FakeTensorMode():
    images, labels = np.zeros((40, 8, 8, 1), np.uint8), np.arange(40) % 3
    dataset = datasets.ImageDataset(images, labels, np.zeros(1, np.float32), np.ones(1, np.float32), "cuda")
    if recipe.engine == "stacked":
        streams = [Streams(0, "retain", index) for index in range(3)]
        states = train_stacked(dataset, model, 3, recipe, streams, initial)
    else:
        states = [training.train_model(dataset, model, 3, recipe, Streams(0, "retain")).state_dict()]
    assert {tensor.device.type for state in states for tensor in state.values()} == {"cuda"}
# Fake tensors were told of a device that is not there: what their end does to memory says nothing of training.
os._exit(0)
"""
CASES = [
    {}, {"crop": 2, "flip": True}, {"precision": "bf16"}, {"optimizer": "adamw", "label_smoothing": 0.1},
    {"engine": "stacked"}, {"engine": "stacked", "crop": 2, "flip": True},
]  # fmt: skip


def run(program, cases):
    """Exit status of each case, and what was said."""
    command = [sys.executable, "-c", program, json.dumps(cases)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(status) for status in re.findall(r"of status (-?\d+)", answer.stdout)], answer.stderr


def test_everything_stays_on_the_gpu():
    statuses, said = run(PROGRAM, CASES)
    assert statuses == [0] * len(CASES), said


def test_an_operand_that_stays_behind_is_seen():
    behind = PROGRAM.replace("states = [training", "dataset._scale = torch.ones(1)\n        states = [training")
    statuses, said = run(behind, [{}])
    assert statuses == [1]
    assert "device" in said.splitlines()[-1]
