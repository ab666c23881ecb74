"""Nets of timm: with the package where it is installed, and with one of the same interface everywhere."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from unlearning_metric import config
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.nets.user_nets import ModelError


class Net(nn.Module):
    """A net whose last layer is not the last that it registers."""

    def __init__(self, num_classes, in_chans):
        super().__init__()
        self.head = nn.Linear(in_chans, num_classes)
        self.body = nn.Conv2d(in_chans, in_chans, 1)

    def get_classifier(self):
        return self.head

    def forward(self, images):
        return self.head(self.body(images).mean((2, 3)))


def create_model(name, pretrained=False, num_classes=7, in_chans=3, **more):
    if name == "conv" and more:
        raise TypeError("an unexpected keyword argument 'img_size'")
    if name == "patches":
        assert more == {"img_size": (8, 8)}, f"images are 224 x 224, not {more}"
    return Net(num_classes, in_chans)


@pytest.fixture
def package(monkeypatch):
    names = ["conv", "patches"]
    found = SimpleNamespace(create_model=create_model, is_model=names.__contains__, list_models=lambda: names)
    monkeypatch.setitem(sys.modules, "timm", found)


def settings(name, **more):
    return config.Model.model_validate({"name": f"timm/{name}", **more})


@pytest.mark.parametrize("name", ["conv", "patches"])
def test_a_net_has_the_data_s_classes_channels_and_size(package, name):
    net = build_model(settings(name), (8, 8, 2), 5, 0)
    assert net(torch.zeros(3, 2, 8, 8)).shape == (3, 5)


def test_the_seed_draws_its_weights(package):
    one, same, other = (build_model(settings("conv"), (8, 8, 1), 5, seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(one["body.weight"], same["body.weight"])
    assert not torch.equal(one["body.weight"], other["body.weight"])


def test_given_weights_replace_all_but_the_layer_that_the_net_calls_its_classifier(package, tmp_path):
    state = Net(7, 1).state_dict()
    torch.save(state, tmp_path / "net.pth")
    nets = [build_model(settings("conv", weights=str(tmp_path / "net.pth")), (8, 8, 1), 5, seed) for seed in (0, 1)]
    one, two = (net.state_dict() for net in nets)
    assert torch.equal(one["body.weight"], state["body.weight"])
    assert not torch.equal(one["head.weight"], two["head.weight"])
    assert one["head.weight"].shape == (5, 1)


def test_timm_s_own_weights_have_one_name(package):
    assert build_model(settings("conv", weights="DEFAULT"), (8, 8, 3), 5, 0)
    with pytest.raises(ModelError, match=r"timm/conv .*BEST\. Set DEFAULT"):
        build_model(settings("conv", weights="BEST"), (8, 8, 3), 5, 0)


def test_an_unknown_net_and_images_of_the_wrong_size_are_refused(package):
    with pytest.raises(ModelError, match=r"patchs\. Did you mean timm/patches\?"):
        build_model(settings("patchs"), (8, 8, 1), 5, 0)
    with pytest.raises(ModelError, match=r"timm/patches .*9 x 9 .*224 x 224"):
        build_model(settings("patches"), (9, 9, 1), 5, 0)


def test_without_the_package_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match=r"need that package.*pip install 'unlearning-metric\[timm\]'"):
        build_model(settings("conv"), (8, 8, 1), 5, 0)


RAW = {
    "data": {"source": "digits"},
    "forget": {"strategy": "random", "count": 9},
    "training": {"lr": 1, "epochs": 2, "batch_size": 8},
}


def test_the_configuration_takes_its_names_and_says_what_else_there_is():
    assert config.parse({**RAW, "model": {"name": "timm/vit_tiny_patch16_224.augreg"}}, ()).model.name
    with pytest.raises(config.ConfigError, match=r"model.name: .resnet19. is not allowed\. .* timm/.*Did you mean"):
        config.parse({**RAW, "model": {"name": "resnet19"}}, ())
    with pytest.raises(config.ConfigError, match=r"model.name: .timm/. is not allowed"):
        config.parse({**RAW, "model": {"name": "timm/"}}, ())


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "mobilenetv3_small_050", "deit_tiny_patch16_224"])
def test_nets_of_the_package_itself_take_small_images_and_weights_of_other_classes(name, tmp_path):
    timm = pytest.importorskip("timm")
    torch.save(timm.create_model(name, num_classes=7, **({"img_size": 32} if "patch" in name else {})).state_dict(),
               tmp_path / "net.pth")  # fmt: skip
    one, two = (
        build_model(settings(name, weights=str(tmp_path / "net.pth")), (32, 32, 3), 4, seed).state_dict()
        for seed in (0, 1)
    )
    moved = {key for key in one if not torch.equal(one[key], two[key])}
    assert len(moved) == 1 or {key.rpartition(".")[0] for key in moved} == {min(moved).rpartition(".")[0]}
    assert all(one[key].shape[0] == 4 for key in moved)
