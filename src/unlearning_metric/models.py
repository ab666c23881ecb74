"""Classifiers by name, and the user's own."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unlearning_metric.contract import NET_ARGUMENTS, UserCodeError
from unlearning_metric.guards import seeded
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


def _builder_of(settings: dict[str, Any]) -> Callable[..., nn.Module]:
    return _builder(Path(settings["file"]).resolve(), settings["function"])


def _input_shape(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of an example as a net gets it."""
    return (image_shape[2], *image_shape[:2]) if len(image_shape) == 3 else tuple(image_shape)


def _own_net(settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """What the user's function builds."""
    function, input_shape = _builder_of(settings), _input_shape(image_shape)
    known = {"num_classes": num_classes, "input_shape": input_shape, "in_channels": input_shape[0]}
    needed = bind(function, settings["options"], NET)
    options = typed_options(function, settings["options"], NET)
    dtype = torch.get_default_dtype()
    try:
        net = function(**{name: known[name] for name in needed}, **options)
    except (Exception, SystemExit) as error:
        raise UserCodeError(
            f"model file {Path(settings['file']).name}: {settings['function']} failed: {type(error).__name__}: "
            f"{first_line(error)}{own_line(function, error)}"
        ) from error
    finally:
        torch.set_default_dtype(dtype)
    if not isinstance(net, nn.Module):
        raise UserCodeError(
            f"model file {Path(settings['file']).name}: {settings['function']} returned {type(net).__name__}; it must "
            "return an nn.Module."
        )
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise ModelError(
                f"model {model_title(settings)}: its tensor {name} is {tensor.dtype}; the workflow trains and "
                "evaluates in float32. Return the net as .float(), and leave torch.set_default_dtype alone."
            )
    return net


#: Own nets that were looked at in this process, by settings and shapes.
_LOOKED_AT: set[str] = set()


def _look_at(model: nn.Module, settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int) -> None:
    """Refuse a net of the user's that could not be trained, stored or scored, before hours go into it."""
    asked = json.dumps([settings, image_shape, num_classes], default=str)
    if asked in _LOOKED_AT:
        return
    title, shape = model_title(settings), _input_shape(image_shape)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ModelError(f"model {title} has no parameter that can be trained.")
    _refuse_untrainable(copy.deepcopy(model), settings, shape, num_classes)
    _refuse_hidden_values(model, settings, image_shape, num_classes)
    _LOOKED_AT.add(asked)
    model.train()


def _refuse_untrainable(model: nn.Module, settings: dict[str, Any], shape: tuple[int, ...], num_classes: int) -> None:
    title = model_title(settings)
    try:
        logits = model.train()(torch.rand(2, *shape))
    except Exception as error:
        raise UserCodeError(
            f"model {title} fails in train mode on two examples: {type(error).__name__}: {first_line(error)}"
            f"{own_line(_builder_of(settings), error)}"
        ) from error
    _refuse_shape(title, logits, 2, num_classes, " in train mode")
    if not logits.requires_grad:
        raise ModelError(f"model {title} gives logits without a gradient in train mode: is there a detach or no_grad?")


def _logits(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Output of a model that may draw at random."""
    with seeded(0), torch.no_grad():
        return model(images)


def _refuse_hidden_values(
    model: nn.Module, settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int
) -> None:
    """What is stored of a model is its state dict: a net built anew that loads it must give the same logits."""
    with seeded(1):
        other = _own_net(settings, image_shape, num_classes)
    images = torch.rand(2, *_input_shape(image_shape))
    _compare(model, other, images, model_title(settings), "differ from one net that is built to the next")


def refuse_changed_values(model: nn.Module, settings: dict[str, Any], images: torch.Tensor, num_classes: int) -> None:
    """Check that the state dict of a trained model holds all that its training left in it.

    Parameters
    ----------
    model : on the device of ``images``; it is put into eval mode
    settings : the ``model`` part of the configuration
    images : some examples [examples, ...], as a net gets them

    Raises
    ------
    ModelError
        If a model built anew gives other logits with that state dict.
    """
    shape = tuple(images.shape[1:])
    image_shape = (*shape[1:], shape[0]) if len(shape) == 3 else shape
    other = build_model(settings, image_shape, num_classes, seed=1).to(images.device)
    _compare(model, other, images, model_title(settings), "change in training")


def _compare(model: nn.Module, other: nn.Module, images: torch.Tensor, title: str, how: str) -> None:
    """Refuse a model that gives other logits than ``other`` with its state dict."""
    try:
        other.load_state_dict(model.state_dict())
    except RuntimeError as error:
        said = str(error).splitlines()[-1].strip()
        raise ModelError(
            f"model {title} has other tensors each time it is built ({said}). Models are stored as state dicts: what "
            "decides about sizes must be an option of its function."
        ) from error
    ours, theirs = (_logits(one.eval(), images) for one in (model, other))
    if not torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise ModelError(
            f"model {title} uses values that {how} and are not in its state dict, which is all that is stored of a "
            "model. Make them buffers: self.register_buffer(name, tensor), without persistent=False."
        )


@contextmanager
def own_line_of(settings: dict[str, Any]) -> Iterator[None]:
    """Turn an exception that a net of the user's own raises into a message with its line.

    Raises
    ------
    UserCodeError
        The net's own exception is its cause.
    """
    try:
        yield
    except UserCodeError:
        raise
    except Exception as error:
        place = own_line(_builder_of(settings), error) if settings["name"] is None else ""
        if not place or isinstance(error, torch.OutOfMemoryError):
            raise
        raise UserCodeError(
            f"model {model_title(settings)} failed: {type(error).__name__}: {first_line(error)}{place}"
        ) from error


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
    with seeded(seed):
        if settings["name"] is None:
            model = _own_net(settings, image_shape, num_classes)
        elif settings["name"] in MODELS:
            model = MODELS[settings["name"]](settings, image_shape, num_classes)
        else:
            model = _torchvision(settings["name"], image_shape, num_classes)
        _try_out(model, settings, image_shape, num_classes)
        if settings["name"] is None:
            _look_at(model, settings, image_shape, num_classes)
    return model.to(memory_format=torch.channels_last)


def _torchvision(name: str, image_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    assert name in TORCHVISION_NETS
    try:
        return torchvision_net(name, image_shape, num_classes)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ModelError(_does_not_take(name, image_shape, 2, error)) from error


def _try_out(model: nn.Module, settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int) -> None:
    """Hand examples to a model, so that one that does not fit the data says so before it is trained."""
    title, own = model_title(settings), settings["name"] is None
    # One example too: a net of the user's may drop the axis of a batch of one, which the last batch can be.
    for examples in (2, 1) if own else (2,):
        try:
            logits = _logits(model.eval(), torch.zeros(examples, *_input_shape(image_shape), dtype=torch.float32))
        except Exception as error:
            place = own_line(_builder_of(settings), error) if own else ""
            raise ModelError(_does_not_take(title, image_shape, examples, error, place)) from error
        finally:
            model.train()
        _refuse_shape(title, logits, examples, num_classes, "")


def _refuse_shape(title: str, logits: Any, examples: int, num_classes: int, mode: str) -> None:
    found = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if found == [examples, num_classes]:
        return
    count = {1: "one example", 2: "two examples"}[examples]
    more = " Return the logits alone, without auxiliary outputs." if isinstance(logits, tuple | list | dict) else ""
    if examples == 1 and found == [num_classes]:
        more = " Drop no axis of length 1: flatten(1) in place of squeeze()."
    raise ModelError(
        f"model {title} gives {found} for {count}{mode}; needed is [{examples}, {num_classes}], a number for each of "
        f"the {num_classes} classes.{more}"
    )


def _does_not_take(title: str, image_shape: tuple[int, ...], examples: int, error: Exception, place: str = "") -> str:
    batch = "a single example" if examples == 1 else "examples"
    return (
        f"model {title} does not take {batch} of {list(image_shape)}: {type(error).__name__}: {first_line(error)}"
        f"{place}. "
        "Choose another model, or bring the images to another size (data.image_size, or in the file of the data)."
    )
