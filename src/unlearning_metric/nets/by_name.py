"""Classifiers by name, and the user's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from unlearning_metric.config import Model
from unlearning_metric.config.torchvision_names import TORCHVISION_NETS
from unlearning_metric.nets.airbench import airbench
from unlearning_metric.nets.narrow import guard_narrow
from unlearning_metric.nets.pretrained import start_from_weights
from unlearning_metric.nets.timm_nets import PREFIX, timm_net
from unlearning_metric.nets.torchvision_nets import resnet18_cifar, torchvision_net
from unlearning_metric.nets.trial import does_not_take, look_at, try_out
from unlearning_metric.nets.user_nets import ModelError, own_net
from unlearning_metric.runtime.guards import seeded


def digits_cnn(settings: Model, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Two strided convolutions with batch norm and a linear head: 11 k parameters on 8x8 grey images."""
    height, width, channels = image_shape
    features = settings.width
    sides = [((side - 2) // 2 + 1 + 1) // 2 for side in (height, width)]
    return nn.Sequential(
        nn.Conv2d(channels, features, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(features),
        nn.ReLU(),
        nn.Conv2d(features, features, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(features),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(features * sides[0] * sides[1], num_classes),
    )


class FlattenChannelsLast(nn.Module):
    """Flattens features in the order in which they lie in memory.

    `nn.Flatten` hands a gradient of the other memory format back through everything before it: 15 % of a step.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """[batch, channels, height, width] -> [batch, height * width * channels]."""
        return features.permute(0, 2, 3, 1).flatten(1)


def cnn_small(settings: Model, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Three convolutions with batch norm, the first two strided, and a linear head: 99 k parameters on CIFAR-10.

    Few wide steps: on a CPU it reaches 60 % of the peak of matrix multiplication, where narrow deep nets reach 20 %.
    """
    layers: list[nn.Module] = []
    channels = image_shape[2]
    for features, kernel, stride in ((32, 4, 2), (64, 3, 2), (128, 3, 1)):
        convolution = nn.Conv2d(channels, features, kernel, stride=stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(features), nn.ReLU()]
        channels = features
    # On images of 32x32 the same as an average over 4x4.
    head = nn.Linear(4 * channels, num_classes)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), FlattenChannelsLast(), head)


def mlp(settings: Model, image_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Fully connected layers with ReLU on the flattened image."""
    sizes = [math.prod(image_shape), *settings.hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))


#: model name -> function(settings, (height, width, channels), num_classes) -> module
MODELS: dict[str, Callable[[Model, tuple[int, ...], int], nn.Module]] = {
    "digits_cnn": digits_cnn,
    "cnn_small": cnn_small,
    "airbench": airbench,
    "resnet18_cifar": resnet18_cifar,
    "mlp": mlp,
}
#: Models that take examples of any shape.
FOR_VECTORS = ("mlp",)


def build_model(settings: Model, image_shape: tuple[int, ...], num_classes: int, seed: int) -> nn.Module:
    """A freshly initialised model, contiguous in memory; the global random states are left as they were.

    Parameters
    ----------
    settings : the ``model`` part of the configuration
    image_shape : (height, width, channels); of examples that are no images, their shape
    seed : seed of the initial weights

    Raises
    ------
    ModelError
        If the model cannot take such examples, or does not give one number for each class.
    UserCodeError
        If the user's own function fails.
    """
    if len(image_shape) != 3 and settings.name is not None and settings.name not in FOR_VECTORS:
        raise ModelError(
            f"model.name {settings.name} needs images [height, width, channels]; the examples are "
            f"{list(image_shape)}. Set model.name to {' or '.join(FOR_VECTORS)}."
        )
    with seeded(seed):
        if settings.name is None:
            model = own_net(settings, image_shape, num_classes)
        elif settings.name in MODELS:
            model = MODELS[settings.name](settings, image_shape, num_classes)
        elif settings.name.startswith(PREFIX):
            model = timm_net(settings.name, image_shape, num_classes)
        else:
            model = _torchvision(settings.name, image_shape, num_classes)
        guard_narrow(model)
        try_out(model, settings, image_shape, num_classes)
        if settings.weights is not None:
            start_from_weights(model, settings)
        if settings.name is None:
            look_at(model, settings, image_shape, num_classes)
    return model


def _torchvision(name: str, image_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    assert name in TORCHVISION_NETS
    try:
        return torchvision_net(name, image_shape, num_classes)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ModelError(does_not_take(name, image_shape, error)) from error
