"""Nets of the user's: built by their function, and looked at before hours go into training them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
from torch import nn

from unlearning_metric.config import Model
from unlearning_metric.errors import UserCodeError, UserError
from unlearning_metric.runtime.guards import seeded
from unlearning_metric.runtime.working_folder import project_path
from unlearning_metric.store.models import TENSOR_TYPES
from unlearning_metric.user_code.binding import bind, typed_options
from unlearning_metric.user_code.calls import user_code_runs
from unlearning_metric.user_code.contract import NET_ARGUMENTS
from unlearning_metric.user_code.failures import first_line, own_line
from unlearning_metric.user_code.kind import Kind
from unlearning_metric.user_code.loading import load_function

#: The user's function that builds a net.
NET = Kind(
    noun="model",
    arguments=NET_ARGUMENTS,
    options="model.options",
    example="def build(num_classes, input_shape): ...",
    renamed="model",
    error=UserCodeError,
)


class ModelError(UserError, ValueError):
    """A net that does not fit the data."""


def model_title(settings: Model) -> str:
    """What a model is called: its name, or the file that builds it."""
    return settings.name or Path(settings.file).name


def input_shape(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of an example as a net gets it."""
    return (image_shape[2], *image_shape[:2]) if len(image_shape) == 3 else tuple(image_shape)


@cache
def _builder(file: Path, function: str) -> Callable[..., nn.Module]:
    # Whatever the file draws or seeds when it is imported must not reach the model that happens to be the first.
    with seeded(0):
        return load_function(file, function, NET)


def builder_of(settings: Model) -> Callable[..., nn.Module]:
    """The user's function that builds the net."""
    return _builder(project_path(settings.file), settings.function)


def own_net(settings: Model, image_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """What the user's function builds."""
    function, shape = builder_of(settings), input_shape(image_shape)
    known = {"num_classes": num_classes, "input_shape": shape, "in_channels": shape[0]}
    needed = bind(function, settings.options, NET)
    options = typed_options(function, settings.options, NET)
    dtype = torch.get_default_dtype()
    try:
        with user_code_runs(
            f"model file {Path(settings.file).name}: {settings.function} failed", function, UserCodeError
        ):
            net = function(**{name: known[name] for name in needed}, **options)
    finally:
        torch.set_default_dtype(dtype)
    if not isinstance(net, nn.Module):
        raise UserCodeError(
            f"model file {Path(settings.file).name}: {settings.function} returned {type(net).__name__}; it must "
            "return an nn.Module."
        )
    # Compiled nets have other names of tensors; what is compiled is said by the recipe.
    net = net._orig_mod if type(net).__name__ == "OptimizedModule" else net
    if net.train(net.training) is not net:
        raise ModelError(
            f"model {model_title(settings)}: its method train does not return it. End it with: return self"
        )
    _refuse_tensors(net, model_title(settings))
    return net


def _refuse_tensors(net: nn.Module, title: str) -> None:
    """Refuse what cannot be stored, or computed with, in a state dict."""
    parameters = dict(net.named_parameters(remove_duplicate=False))
    for name, tensor in net.state_dict().items():
        wrong = None
        if not isinstance(tensor, torch.Tensor):
            wrong = f"{type(tensor).__name__} and no tensor; only tensors are stored. Leave get_extra_state out"
        elif tensor.layout != torch.strided:
            wrong = "sparse; only dense tensors are stored. Register it dense"
        elif name in parameters and tensor.dtype != torch.float32:
            wrong = (
                f"{tensor.dtype}; the workflow trains and evaluates in float32. Return the net as .float(), and leave "
                "torch.set_default_dtype alone"
            )
        elif not _is_storable(tensor.dtype):
            wrong = f"{tensor.dtype}, which cannot be stored and checked. Register it in another type"
        if wrong is not None:
            raise ModelError(f"model {title}: {name} of its state dict is {wrong}.")


@cache
def _is_storable(dtype: torch.dtype) -> bool:
    """Whether a file of models gives the type back, and PyTorch finds values in it that are not finite."""
    if str(dtype) not in TENSOR_TYPES.values():
        return False
    try:
        torch.isfinite(torch.zeros(1, dtype=torch.uint8).to(dtype))
    except RuntimeError:
        return False
    return True


@contextmanager
def own_line_of(settings: Model) -> Iterator[None]:
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
        place = own_line(builder_of(settings), error) if settings.name is None else ""
        if not place or isinstance(error, torch.OutOfMemoryError):
            raise
        raise UserCodeError(
            f"model {model_title(settings)} failed: {type(error).__name__}: {first_line(error)}{place}"
        ) from error
