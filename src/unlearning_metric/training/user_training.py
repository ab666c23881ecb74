"""Training by a function of the user's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.batches.loaders import ImageLoader
from unlearning_metric.config import Training
from unlearning_metric.errors import UserCodeError
from unlearning_metric.nets.trial import refuse_changed_values
from unlearning_metric.nets.user_nets import ModelError
from unlearning_metric.runtime.guards import as_if_alone, seed_everything
from unlearning_metric.runtime.working_folder import project_path
from unlearning_metric.seeds import Streams
from unlearning_metric.training.recipe import class_weights
from unlearning_metric.training.trainable import first_images
from unlearning_metric.user_code.binding import bind, typed_options
from unlearning_metric.user_code.calls import user_code_runs
from unlearning_metric.user_code.contract import NO_VALIDATION, TRAINING_ARGUMENTS
from unlearning_metric.user_code.kind import Kind
from unlearning_metric.user_code.loading import anew
from unlearning_metric.user_code.returned_values import returned_state

TRAINING = Kind(
    noun="training",
    arguments=TRAINING_ARGUMENTS,
    options="training.options",
    example="def train(model, train_loader): ...",
    renamed="training",
    error=UserCodeError,
)


@cache
def _trainer(file: Path, function: str) -> Callable[[], Callable[..., Any]]:
    # What the file keeps in variables (a best accuracy, say) starts afresh with each model.
    return anew(file, function, TRAINING)


def train_by_function(
    model: nn.Module,
    loader: ImageLoader,
    validation: ImageDataset | None,
    num_classes: int,
    recipe: Training,
    streams: Streams,
) -> nn.Module:
    """Have the user's function train a model; the model, in eval mode, with what the function left or returned.

    Whatever the function does to the process ends with it. What it is handed is its own to change.

    Parameters
    ----------
    model : with fresh weights, on the device, in train mode
    loader : of the examples to train on, for this model alone
    validation : examples that no model trains on, for this model alone; None or empty where there are none
    recipe : the ``training`` part of the configuration
    streams : the model's own random streams

    Raises
    ------
    UserCodeError
        Names the model's seed and the line of the user's file; the function's own exception is its cause.
    """
    device, seed = loader.dataset.images.device, streams.integer("seed") % 2**31
    untouched = copy.deepcopy(model)
    makers: dict[str, Callable[[], Any]] = {
        "model": lambda: model,
        "net": lambda: model,
        "train_loader": lambda: loader,
        "val_loader": lambda: ImageLoader(validation, recipe.batch_size),
        "seed": lambda: seed,
        "generator": lambda: streams.torch("generator"),
        "device": lambda: device,
        "num_classes": lambda: num_classes,
        "train_config": lambda: recipe.model_dump(),
        "class_weights": lambda: torch.as_tensor(
            class_weights(loader.dataset.labels.cpu().numpy(), num_classes), device=device
        ),
    }
    unavailable = {} if validation is not None and len(validation) else {"val_loader": NO_VALIDATION}
    title = f"training file {Path(recipe.file).name}"
    failed = f"{title}: {recipe.function} failed on {streams.role} model {streams.index} (seed {seed})"
    with as_if_alone(title):
        function = _trainer(project_path(recipe.file), recipe.function)()
        arguments = {name: makers[name]() for name in bind(function, recipe.options, TRAINING, "", unavailable)}
        options = typed_options(function, recipe.options, TRAINING)
        seed_everything(seed)
        with user_code_runs(failed, function, UserCodeError):
            result = function(**arguments, **options)
    # Read as tensors: hooks, wrappers and a mode that the function left end with it.
    state = returned_state(result, model, untouched, title, UserCodeError)
    if all(torch.equal(state[name], parameter.cpu()) for name, parameter in untouched.named_parameters()):
        raise UserCodeError(
            f"{title}: {recipe.function} changed no parameter of {streams.role} model "
            f"{streams.index}. Train model in place, or return the trained model."
        )
    untouched.load_state_dict(state)
    _refuse_lost_values(model if result is None else result, untouched, loader.dataset, title)
    return untouched.eval()


def _refuse_lost_values(trained: nn.Module, stored: nn.Module, dataset: ImageDataset, title: str) -> None:
    """Refuse a training that leaves what a state dict does not hold, which is all that is stored of a model."""
    if not _is_comparable(trained, stored):
        return
    images = first_images(dataset)
    try:
        refuse_changed_values(trained, copy.deepcopy(stored), images, title)
    except ModelError as error:
        raise UserCodeError(
            f"{title}: its models give other logits than their state dicts do in a net built anew: it changed values "
            "or layers that no state dict holds. Make such values buffers of the net (register_buffer), and leave its "
            "layers as they are."
        ) from error
    except Exception:
        # It left a model that cannot be run as it is, wrapped for other arithmetic, say: its tensors are what counts.
        return


def _is_comparable(model: nn.Module, other: nn.Module) -> bool:
    """Whether two models are of one class, type and device, without hooks and wrappers, which end with the function."""
    kinds = [[(one.device, one.dtype) for one in each.state_dict().values()] for each in (model, other)]
    wrapped = any(
        module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module) for module in model.modules()
    )
    return type(model) is type(other) and kinds[0] == kinds[1] and not wrapped
