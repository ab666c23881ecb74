"""Classifiers by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import nn


def digits_cnn(settings: dict[str, Any], image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Two strided convolutions with batch norm and a linear head: 11 k parameters on 8x8 grey images."""
    height, width, channels = image_shape
    features = settings["width"]
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


def mlp(settings: dict[str, Any], image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Fully connected layers with ReLU on the flattened image."""
    sizes = [math.prod(image_shape), *settings["hidden"]]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))


#: model name -> function(settings, (height, width, channels), num_classes) -> module
MODELS: dict[str, Callable[[dict[str, Any], tuple[int, int, int], int], nn.Module]] = {
    "digits_cnn": digits_cnn,
    "mlp": mlp,
}
#: Models that take examples of any shape.
FOR_VECTORS = ("mlp",)


def build_model(settings: dict[str, Any], image_shape: tuple[int, int, int], num_classes: int, seed: int) -> nn.Module:
    """A freshly initialised model in channels-last memory; the global random state is left as it was.

    Parameters
    ----------
    settings : the ``model`` part of the configuration
    image_shape : (height, width, channels); of examples that are no images, their shape
    seed : seed of the initial weights

    Raises
    ------
    ValueError
        If the examples are no images and the model needs some.
    """
    if len(image_shape) != 3 and settings["name"] not in FOR_VECTORS:
        raise ValueError(
            f"model.name {settings['name']} needs images [height, width, channels]; the examples are "
            f"{list(image_shape)}. Set model.name to {' or '.join(FOR_VECTORS)}."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MODELS[settings["name"]](settings, image_shape, num_classes)
    return model.to(memory_format=torch.channels_last)
