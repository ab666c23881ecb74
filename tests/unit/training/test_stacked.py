"""The stacked engine: the loop's models, or a reason why not."""

import numpy as np
import pytest
import torch
from torch import nn

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.seeds import Streams
from unlearning_metric.training.stacked import STACK, StackingError, _batch_norm, train_stacked
from unlearning_metric.training.train import train_models

DRAW = np.random.default_rng(0)
LABELS = np.arange(75) % 3
IMAGES = (DRAW.integers(60, size=(75, 8, 8, 1)) + 90 * LABELS[:, None, None, None]).astype(np.uint8)
CNN = Model(name="digits_cnn", width=4)
MLP = Model(name="mlp", hidden=[16])


def train(indices, model=CNN, **recipe):
    recipe = Training(**{"lr": 0.1, "epochs": 2, "batch_size": 16, "engine": "stacked", **recipe})
    dataset = ImageDataset(IMAGES, LABELS, np.array([130.0]), np.array([75.0]))
    return train_models(dataset, model, 3, recipe, Streams.of_models(0, "retain", indices))


# 75 examples in batches of 16: the last batch of an epoch holds 11.
def test_batch_norm_in_elementary_operations_is_batch_norm():
    layer, images = nn.BatchNorm2d(4), torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0)) + 2
    spelt_out = nn.BatchNorm2d(4)
    torch.testing.assert_close(_batch_norm(spelt_out, images), layer(images))
    torch.testing.assert_close(spelt_out.state_dict(), layer.state_dict())


@pytest.mark.parametrize(
    ("model", "recipe"),
    [
        (CNN, {}),
        (MLP, {}),
        (CNN, {"optimizer": "adam", "lr": 0.01}),
        (MLP, {"optimizer": "adamw", "lr": 0.01, "schedule": "constant"}),
        (CNN, {"label_smoothing": 0.1, "class_weights": True}),
        (MLP, {"epochs": None, "steps": 7, "schedule": "cosine"}),
        (CNN, {"crop": 1, "flip": True}),
    ],
    ids=str,
)
def test_the_models_are_those_of_the_loop(model, recipe):
    stacked, loop = (train([0, 1, 5], model, engine=engine, **recipe)[0] for engine in ("stacked", "loop"))
    assert stacked.keys() == loop.keys()
    for index, state in loop.items():
        assert list(stacked[index]) == list(state)
        for name, tensor in state.items():
            torch.testing.assert_close(stacked[index][name], tensor, rtol=1e-3, atol=2e-5)


def test_a_model_is_the_same_whatever_models_are_stacked_with_it():
    together = train(range(STACK["cpu"] + 2))[0]
    assert list(together) == list(range(STACK["cpu"] + 2))
    for index in (0, STACK["cpu"] + 1):
        alone = train([index])[0][index]
        for name, tensor in alone.items():
            torch.testing.assert_close(together[index][name], tensor, rtol=1e-4, atol=1e-6)


def test_models_trained_at_once_share_their_time():
    seconds = train([3, 4])[1]
    assert seconds[3] == seconds[4] > 0


def own(tmp_path, build):
    (tmp_path / "net.py").write_text(f"import torch\nfrom torch import nn\n{build}")
    return Model(file=str(tmp_path / "net.py"))


DROPOUT = """
def build(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, num_classes))
"""
RANDOM = """
class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) if self.training else x

def build(num_classes):
    return nn.Sequential(nn.Flatten(), Noisy(), nn.Linear(64, num_classes))
"""
BRANCH = """
class Branch(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x

def build(num_classes):
    return nn.Sequential(nn.Flatten(), Branch(), nn.Linear(64, num_classes))
"""
TIED = """
class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(64, 64), nn.Linear(64, 64)
        self.two.weight = self.one.weight
        self.last = nn.Linear(64, 3)

    def forward(self, x):
        return self.last(self.two(self.one(x.flatten(1))))

def build(num_classes):
    return Tied()
"""


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (DROPOUT, r"its layer 1 \(Dropout\) draws at random"),
        (RANDOM, "random"),
        (BRANCH, "control flow"),
        (TIED, r"its tensor two\.weight is shared between layers"),
    ],
    ids=["dropout", "random", "branch", "tied"],
)
def test_a_net_that_cannot_be_stacked_is_refused_with_a_reason(tmp_path, build, reason):
    with pytest.raises(StackingError, match=f"engine: stacked .*{reason}.*engine: loop"):
        train([0, 1], own(tmp_path, build))


def test_dropout_of_nothing_is_no_reason(tmp_path):
    states = train([0], own(tmp_path, DROPOUT.replace("0.5", "0.0")))[0]
    assert isinstance(states[0]["2.weight"], torch.Tensor)


def test_nets_of_unequal_sizes_are_refused_with_a_reason():
    def initial(settings, shape, num_classes, streams):
        hidden = 4 + streams.index
        return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.Linear(hidden, num_classes))

    recipe = Training(lr=0.1, epochs=2, batch_size=16, engine="stacked")
    dataset = ImageDataset(IMAGES, LABELS, np.array([130.0]), np.array([75.0]))
    streams = [Streams(0, "retain", index) for index in (0, 1)]
    with pytest.raises(StackingError, match=r"tensor 1\.weight .*engine: loop"):
        train_stacked(dataset, CNN, 3, recipe, streams, initial)
