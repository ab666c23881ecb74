"""Classifiers by name, and the user's own."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearning_metric.contract import NET_ARGUMENTS, UserCodeError
from unlearning_metric.torchvision_names import TORCHVISION_NETS
from unlearning_metric.torchvision_nets import resnet18_cifar, torchvision_net
from unlearning_metric.user_code import Kind, bind, first_line, load_function, own_line, typed_options


class ModelError(ValueError):
    """A net that does not fit the data."""


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


class FlattenChannelsLast(nn.Module):
    """Flattens features in the order in which they lie in memory.

    `nn.Flatten` hands a gradient of the other memory format back through everything before it: 15 % of a step.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """[batch, channels, height, width] -> [batch, height * width * channels]."""
        return features.permute(0, 2, 3, 1).flatten(1)


def cnn_small(settings: dict[str, Any], image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
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


def mlp(settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Fully connected layers with ReLU on the flattened image."""
    sizes = [math.prod(image_shape), *settings["hidden"]]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))


#: model name -> function(settings, (height, width, channels), num_classes) -> module
MODELS: dict[str, Callable[[dict[str, Any], tuple[int, ...], int], nn.Module]] = {
    "digits_cnn": digits_cnn,
    "cnn_small": cnn_small,
    "resnet18_cifar": resnet18_cifar,
    "mlp": mlp,
}
#: Models that take examples of any shape.
FOR_VECTORS = ("mlp",)

#: The user's function that builds a net.
NET = Kind(
    noun="model",
    arguments=NET_ARGUMENTS,
    options="model.options",
    example="def build(num_classes, input_shape): ...",
    renamed="model",
    error=UserCodeError,
)


@cache
def _builder(file: Path, function: str) -> Callable[..., nn.Module]:
    return load_function(file, function, NET)


def _own_net(settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """What the user's function builds."""
    function = _builder(Path(settings["file"]).resolve(), settings["function"])
    input_shape = (image_shape[2], *image_shape[:2]) if len(image_shape) == 3 else tuple(image_shape)
    known = {"num_classes": num_classes, "input_shape": input_shape, "in_channels": input_shape[0]}
    needed = bind(function, settings["options"], NET)
    options = typed_options(function, settings["options"], NET)
    try:
        net = function(**{name: known[name] for name in needed}, **options)
    except (Exception, SystemExit) as error:
        raise UserCodeError(
            f"model file {Path(settings['file']).name}: {settings['function']} failed: {type(error).__name__}: "
            f"{first_line(error)}{own_line(function, error)}"
        ) from error
    if not isinstance(net, nn.Module):
        raise UserCodeError(
            f"model file {Path(settings['file']).name}: {settings['function']} returned {type(net).__name__}; it must "
            "return an nn.Module."
        )
    return net


def model_title(settings: dict[str, Any]) -> str:
    """What a model is called: its name, or the file that builds it."""
    return settings["name"] or Path(settings["file"]).name


def build_model(settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int, seed: int) -> nn.Module:
    """A freshly initialised model in channels-last memory; the global random states are left as they were.

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
    if len(image_shape) != 3 and settings["name"] is not None and settings["name"] not in FOR_VECTORS:
        raise ModelError(
            f"model.name {settings['name']} needs images [height, width, channels]; the examples are "
            f"{list(image_shape)}. Set model.name to {' or '.join(FOR_VECTORS)}."
        )
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if settings["name"] is None:
                random.seed(seed)
                np.random.seed(seed % 2**32)
                model = _own_net(settings, image_shape, num_classes)
            elif settings["name"] in MODELS:
                model = MODELS[settings["name"]](settings, image_shape, num_classes)
            else:
                model = _torchvision(settings["name"], image_shape, num_classes)
            _try_out(model, settings, image_shape, num_classes)
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    return model.to(memory_format=torch.channels_last)


def _torchvision(name: str, image_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    assert name in TORCHVISION_NETS
    try:
        return torchvision_net(name, image_shape, num_classes)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ModelError(_does_not_take(name, image_shape, error)) from error


def _try_out(model: nn.Module, settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int) -> None:
    """Hand two examples to a model, so that one that does not fit the data says so before it is trained."""
    shape = (image_shape[2], *image_shape[:2]) if len(image_shape) == 3 else tuple(image_shape)
    title = model_title(settings)
    try:
        with torch.no_grad():
            logits = model.eval()(torch.zeros(2, *shape))
    except Exception as error:
        raise ModelError(_does_not_take(title, image_shape, error)) from error
    finally:
        model.train()
    found = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if found != [2, num_classes]:
        raise ModelError(
            f"model {title} gives {found} for two examples; needed is [2, {num_classes}], a number for each of the "
            f"{num_classes} classes."
        )


def _does_not_take(title: str, image_shape: tuple[int, ...], error: Exception) -> str:
    return (
        f"model {title} does not take examples of {list(image_shape)}: {type(error).__name__}: {first_line(error)}. "
        "Choose another model, or bring the images to another size (data.image_size, or in the file of the data)."
    )
