"""Pretrained weights: every model starts from them, and what does not fit them is refused."""

import pytest
import torch

from unlearning_metric.config import Model
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.nets.user_nets import ModelError


def build(path, classes=4, seed=0, name="digits_cnn", **more):
    return build_model(Model(name=name, width=4, weights=str(path), **more), (8, 8, 1), classes, seed).state_dict()


@pytest.fixture
def weights(tmp_path):
    state = build_model(Model(name="digits_cnn", width=4), (8, 8, 1), 4, 9).state_dict()
    torch.save({"state_dict": state}, tmp_path / "net.pth")
    return tmp_path / "net.pth", state


def test_every_seed_starts_from_the_weights(weights):
    path, state = weights
    for seed in (0, 1):
        assert all(torch.equal(build(path, seed=seed)[name], state[name]) for name in state)


def test_the_last_layer_is_new_and_the_seeds_own_where_classes_differ(weights):
    path, state = weights
    one, two = build(path, 3, 0), build(path, 3, 1)
    heads = {name for name in one if not torch.equal(one[name], two[name])}
    assert heads == {"7.weight", "7.bias"}
    assert all(torch.equal(one[name], state[name]) for name in state.keys() - heads)


def test_weights_of_another_net_no_weights_and_unknown_names_are_refused(weights, tmp_path):
    path, _ = weights
    with pytest.raises(ModelError, match="mlp; the first that differs"):
        build(path, name="mlp", hidden=[5])
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ModelError, match="cannot be read"):
        build(tmp_path / "text.pth")
    with pytest.raises(ModelError, match="torchvision"):
        build("DEFAULT")
    with pytest.raises(ModelError, match=r"resnet18 has no weights BEST\. It has: IMAGENET1K_V1"):
        build_model(Model(name="resnet18", weights="BEST"), (32, 32, 3), 4, 0)
