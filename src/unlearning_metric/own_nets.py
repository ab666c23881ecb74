"""Nets of the user's: built by their function, and looked at before hours go into training them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unlearning_metric.contract import NET_ARGUMENTS, UserCodeError
from unlearning_metric.guards import seeded
from unlearning_metric.user_code import Kind, bind, first_line, load_function, own_line, typed_options

#: The user's function that builds a net.
NET = Kind(
    noun="model",
    arguments=NET_ARGUMENTS,
    options="model.options",
    example="def build(num_classes, input_shape): ...",
    renamed="model",
    error=UserCodeError,
)


class ModelError(ValueError):
    """A net that does not fit the data."""


def model_title(settings: dict[str, Any]) -> str:
    """What a model is called: its name, or the file that builds it."""
    return settings["name"] or Path(settings["file"]).name


def input_shape(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of an example as a net gets it."""
    return (image_shape[2], *image_shape[:2]) if len(image_shape) == 3 else tuple(image_shape)


@cache
def _builder(file: Path, function: str) -> Callable[..., nn.Module]:
    return load_function(file, function, NET)


def builder_of(settings: dict[str, Any]) -> Callable[..., nn.Module]:
    return _builder(Path(settings["file"]).resolve(), settings["function"])


def own_net(settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """What the user's function builds."""
    function, shape = builder_of(settings), input_shape(image_shape)
    known = {"num_classes": num_classes, "input_shape": shape, "in_channels": shape[0]}
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


def refuse_shape(title: str, logits: Any, examples: int, num_classes: int, mode: str) -> None:
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


def evaluated(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Output of a model that may draw at random."""
    with seeded(0), torch.no_grad():
        return model(images)


#: Own nets that were looked at in this process, by settings and shapes.
_LOOKED_AT: set[str] = set()


def look_at(model: nn.Module, settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int) -> None:
    """Refuse a net of the user's that could not be trained, stored or scored, before hours go into it."""
    asked = json.dumps([settings, image_shape, num_classes], default=str)
    if asked in _LOOKED_AT:
        return
    title, shape = model_title(settings), input_shape(image_shape)
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
            f"{own_line(builder_of(settings), error)}"
        ) from error
    refuse_shape(title, logits, 2, num_classes, " in train mode")
    if not logits.requires_grad:
        raise ModelError(f"model {title} gives logits without a gradient in train mode: is there a detach or no_grad?")


def _refuse_hidden_values(
    model: nn.Module, settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int
) -> None:
    """What is stored of a model is its state dict: a net built anew that loads it must give the same logits."""
    with seeded(1):
        other = own_net(settings, image_shape, num_classes)
    images = torch.rand(2, *input_shape(image_shape))
    _compare(model, other, images, model_title(settings), "differ from one net that is built to the next")


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
    ours, theirs = (evaluated(one.eval(), images) for one in (model, other))
    if not torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise ModelError(
            f"model {title} uses values that {how} and are not in its state dict, which is all that is stored of a "
            "model. Make them buffers: self.register_buffer(name, tensor), without persistent=False."
        )


def refuse_changed_values(model: nn.Module, other: nn.Module, images: torch.Tensor, title: str) -> None:
    """Check that the state dict of a trained model holds all that its training left in it.

    Parameters
    ----------
    model, other : the trained model, and one built anew; both on the device of ``images``, and put into eval mode
    images : some examples [examples, ...], as a net gets them
    title : what the model is called

    Raises
    ------
    ModelError
        If the other gives other logits with that state dict.
    """
    _compare(model, other, images, title, "change in training")


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
        place = own_line(builder_of(settings), error) if settings["name"] is None else ""
        if not place or isinstance(error, torch.OutOfMemoryError):
            raise
        raise UserCodeError(
            f"model {model_title(settings)} failed: {type(error).__name__}: {first_line(error)}{place}"
        ) from error
