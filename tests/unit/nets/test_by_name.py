"""Models: sizes, shapes and seeds."""

import pytest
import torch
import torchvision

from unlearning_metric.config import MODELS as CONFIGURABLE
from unlearning_metric.config import Model
from unlearning_metric.config.torchvision_names import TORCHVISION_NETS
from unlearning_metric.nets.by_name import MODELS, FlattenChannelsLast, build_model
from unlearning_metric.nets.user_nets import ModelError

CNN = Model(name="digits_cnn", width=32)
MLP = Model(name="mlp", hidden=[16, 8])


def equal(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_every_configurable_model_exists():
    assert sorted([*MODELS, *TORCHVISION_NETS]) == sorted(CONFIGURABLE)


def test_the_list_of_torchvisions_classifiers_is_torchvisions():
    assert list(TORCHVISION_NETS) == torchvision.models.list_models(module=torchvision.models)


# One of each family: all 80 would take minutes.
@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("alexnet", 64), ("convnext_tiny", 32), ("densenet121", 32), ("efficientnet_b0", 32), ("googlenet", 32),
        ("inception_v3", 96), ("mnasnet0_5", 32), ("mobilenet_v2", 32), ("mobilenet_v3_small", 32),
        ("regnet_y_400mf", 32), ("resnet18", 32), ("shufflenet_v2_x0_5", 32), ("squeezenet1_1", 32), ("swin_t", 32),
        ("vgg11_bn", 32), ("vit_b_16", 32), ("maxvit_t", 224),
    ],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_a_classifier_of_torchvision_takes_grey_and_coloured_images(name, side, channels):
    model = build_model(Model(name=name), (side, side, channels), 7, seed=0)
    assert model.training
    assert model.eval()(torch.zeros(1, channels, side, side)).shape == (1, 7)


def test_a_grey_net_has_the_first_layer_of_a_coloured_one_but_for_the_channels():
    grey, coloured = (build_model(Model(name="resnet18"), (32, 32, channels), 7, seed=0).conv1 for channels in (1, 3))
    assert (grey.stride, grey.padding, grey.bias) == (coloured.stride, coloured.padding, None)
    assert grey.weight.shape == (64, 1, 7, 7)
    # Sums over the channels are as large.
    assert float(grey.weight.detach().std()) == pytest.approx(3**0.5 * float(coloured.weight.detach().std()), rel=0.05)


def test_cnn_small_has_99_thousand_parameters_and_resnet18_cifar_those_of_the_seed():
    count = lambda name: sum(p.numel() for p in build_model(Model(name=name), (32, 32, 3), 10, 0).parameters())  # noqa: E731
    assert count("cnn_small") == 99274
    # He et al.'s ResNet-18 with a 3x3 stem: 11.17 M.
    assert count("resnet18_cifar") == 11173962


def test_flattening_in_memory_order_only_permutes_the_features():
    features = torch.randn(2, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    flat = FlattenChannelsLast()(features)
    assert flat.data_ptr() == features.data_ptr()
    assert torch.equal(flat.view(2, 4, 3).transpose(1, 2).flatten(1), features.flatten(1))


def test_resnet18_cifar_keeps_the_size_of_small_images():
    model = build_model(Model(name="resnet18_cifar"), (32, 32, 3), 10, 0)
    assert model.maxpool(model.conv1(torch.zeros(1, 3, 32, 32))).shape == (1, 64, 32, 32)


def test_a_net_that_does_not_take_such_images_says_so():
    with pytest.raises(ModelError, match=r"alexnet .*\[8, 8, 1\]: RuntimeError: .*image_size"):
        build_model(Model(name="alexnet"), (8, 8, 1), 10, seed=0)


def test_digits_cnn_has_eleven_thousand_parameters():
    model = build_model(CNN, (8, 8, 1), 10, seed=0)
    assert sum(p.numel() for p in model.parameters()) == 11146


@pytest.mark.parametrize(
    "settings",
    [CNN, MLP, Model(name="mlp", hidden=[]), Model(name="cnn_small"), Model(name="resnet18_cifar")],
    ids=["cnn", "mlp", "linear", "cnn_small", "resnet18_cifar"],
)
@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3), (9, 14, 2), (5, 6, 1), (28, 28, 1)])
def test_any_image_shape_gives_one_logit_a_class(settings, shape):
    height, width, channels = shape
    model = build_model(settings, shape, 7, seed=0).eval()
    assert model(torch.zeros(3, channels, height, width)).shape == (3, 7)


def test_vectors_fit_the_mlp_and_no_net_for_images():
    assert build_model(MLP, (6,), 4, seed=0)(torch.zeros(3, 6)).shape == (3, 4)
    with pytest.raises(ModelError, match=r"digits_cnn needs images .*; the examples are \[6\]\. Set model.name to mlp"):
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
