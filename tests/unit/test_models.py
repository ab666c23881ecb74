"""Models: sizes, shapes and seeds."""

import pytest
import torch

from unlearning_metric.config import MODELS as CONFIGURABLE
from unlearning_metric.models import MODELS, build_model

CNN = {"name": "digits_cnn", "width": 32}
MLP = {"name": "mlp", "hidden": [16, 8]}


def equal(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_every_configurable_model_exists():
    assert sorted(MODELS) == sorted(CONFIGURABLE)


def test_digits_cnn_has_eleven_thousand_parameters():
    model = build_model(CNN, (8, 8, 1), 10, seed=0)
    assert sum(p.numel() for p in model.parameters()) == 11146


@pytest.mark.parametrize("settings", [CNN, MLP, {"name": "mlp", "hidden": []}], ids=["cnn", "mlp", "linear"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3), (9, 14, 2), (5, 6, 1), (28, 28, 1)])
def test_any_image_shape_gives_one_logit_a_class(settings, shape):
    height, width, channels = shape
    model = build_model(settings, shape, 7, seed=0).eval()
    assert model(torch.zeros(3, channels, height, width)).shape == (3, 7)


def test_vectors_fit_the_mlp_and_no_net_for_images():
    assert build_model(MLP, (6,), 4, seed=0)(torch.zeros(3, 6)).shape == (3, 4)
    with pytest.raises(ValueError, match=r"digits_cnn needs images .*; the examples are \[6\]\. Set model.name to mlp"):
        build_model(CNN, (6,), 4, seed=0)


def test_mlp_has_the_hidden_layers_asked_for():
    layers = [m for m in build_model(MLP, (2, 3, 1), 4, 0).modules() if isinstance(m, torch.nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in layers] == [(6, 16), (16, 8), (8, 4)]


def test_the_seed_alone_decides_the_weights():
    torch.manual_seed(1)
    one = build_model(CNN, (8, 8, 1), 10, seed=5)
    torch.manual_seed(2)
    assert equal(one, build_model(CNN, (8, 8, 1), 10, seed=5))
    assert not equal(one, build_model(CNN, (8, 8, 1), 10, seed=6))


def test_building_leaves_the_global_random_state_untouched():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    build_model(CNN, (8, 8, 1), 10, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
