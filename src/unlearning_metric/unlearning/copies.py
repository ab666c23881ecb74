"""Runs a method file: loads it, passes arguments by name, guards what it must not touch, times each copy.

A method file is code that runs as the user who runs the workflow.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from unlearning_metric.batches.augmentation import make_augmentation
from unlearning_metric.batches.loaders import FORMS, ImageDataset, ImageLoader
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.runtime.compiler_import import clock
from unlearning_metric.runtime.guards import process_state
from unlearning_metric.runtime.limits import OutOfTime, end_process, time_limit
from unlearning_metric.seeds import Streams
from unlearning_metric.training.train import initial_model, synchronize, train_model
from unlearning_metric.user_code.contract import ARGUMENTS, MethodError
from unlearning_metric.user_code.loading import Kind, bind, first_line, load_function, own_line, typed_options
from unlearning_metric.user_code.returned_values import returned_state

#: The user's function that forgets.
METHOD = Kind(
    "method",
    ARGUMENTS,
    "methods.{name}",
    "def unlearn(model, retain_loader, forget_loader): ...",
    "methods",
    MethodError,
)


def load_method(path: Path | str, function: str = "unlearn") -> Callable[..., Any]:
    """Import a method file and return its function. Raises MethodError as `loading.load_function` does."""
    return load_function(path, function, METHOD)


class Copies(NamedTuple):
    """Finished copies of a method.

    Attributes
    ----------
    states : state dict on the CPU, by copy
    seconds : wall-clock seconds of the method alone, by copy
    passes : ``retain``, ``forget`` and ``validation`` -> examples read / size of the set, by copy
    """

    states: dict[int, dict[str, torch.Tensor]]
    seconds: dict[int, float]
    passes: dict[str, dict[int, float]]


def run_copies(
    method: Callable[..., Any],
    name: str,
    options: Mapping[str, Any],
    originals: list[nn.Module],
    datasets: Mapping[str, ImageDataset],
    num_classes: int,
    model_settings: dict[str, Any],
    recipe: dict[str, Any],
    weights: np.ndarray,
    experiment_seed: int,
    indices: Iterable[int],
    done: Callable[[], None] = lambda: None,
    *,
    batches: str = "tuple",
    oracles: Mapping[int, Mapping[str, torch.Tensor]] | None = None,
    trained_here: bool = True,
    max_seconds: float | None = None,
    give_up: Callable[[str], None] = end_process,
) -> Copies:
    """Run a method on copies ``indices``; copy i starts from original ``i % len(originals)``.

    Whatever a copy does to the process (see `guards.process_state`) ends with it.

    Parameters
    ----------
    originals : trained models on the device, never altered
    datasets : ``retain``, ``forget`` and ``validation``, on the device
    weights : class weights [classes] of the training set
    batches : form of the loaders' batches, a key of `loaders.FORMS`
    oracles : state dict by copy, for a method that asks for ``oracle_model``
    trained_here : whether the originals were trained by this workflow, so that their initial weights are known
    max_seconds : time limit of a copy; None for none
    give_up : ends this process with a message, where a copy that is out of time cannot be interrupted

    Raises
    ------
    MethodError
        Names the copy, its seed and the line of the method's own file; the method's own exception is its cause.
    """
    needed = bind(method, options, METHOD, name, _unavailable(datasets, oracles, trained_here))
    options = typed_options(method, options, METHOD, name)
    device = datasets["retain"].images.device
    image_shape = tuple(datasets["retain"].images.shape[1:])
    batch_size = recipe["batch_size"]
    copies = Copies({}, {}, {part: {} for part in datasets})
    for index in indices:
        streams = Streams(experiment_seed, f"unlearn/{name}", index)
        seed = streams.integer("seed") % 2**31
        original = originals[index % len(originals)]
        model = copy.deepcopy(original)
        # A method may relabel or blend its examples: each copy gets examples of its own.
        own = {part: dataset.duplicate(FORMS[batches]) for part, dataset in datasets.items()}

        def shuffled(part: str, streams: Streams = streams, own: Mapping[str, ImageDataset] = own) -> ImageLoader:
            order = streams.torch(f"order/{part}")
            # As in training: what a method is compared with saw these versions of the examples.
            augmentation = make_augmentation(recipe, streams.torch(f"augment/{part}"))
            return ImageLoader(own[part], batch_size, shuffle=True, generator=order, augmentation=augmentation)

        def from_scratch(seed: int, own: Mapping[str, ImageDataset] = own) -> nn.Module:
            # What the method did to its own examples is no part of the recipe; what is read still counts.
            retain = copy.copy(datasets["retain"])
            retain.reads = own["retain"].reads
            streams = Streams(int(seed), "from_scratch")
            return train_model(retain, model_settings, num_classes, recipe, streams, own["validation"])

        def initial(index: int = index) -> nn.Module:
            of_original = Streams(experiment_seed, "full", index % len(originals))
            return initial_model(model_settings, image_shape, num_classes, of_original).to(device).eval()

        def oracle(index: int = index) -> nn.Module:
            retrained = build_model(model_settings, image_shape, num_classes, seed=0)
            retrained.load_state_dict(oracles[index])
            return retrained.to(device).eval()

        makers: dict[str, Callable[[], Any]] = {
            "model": lambda model=model: model,
            "net": lambda model=model: model,
            "original_model": lambda original=original: copy.deepcopy(original),
            "initial_model": initial,
            "oracle_model": oracle,
            "retain_loader": lambda shuffled=shuffled: shuffled("retain"),
            "forget_loader": lambda shuffled=shuffled: shuffled("forget"),
            "val_loader": lambda own=own: ImageLoader(own["validation"], batch_size),
            "seed": lambda seed=seed: seed,
            "generator": lambda streams=streams: streams.torch("generator"),
            "device": lambda: device,
            "num_classes": lambda: num_classes,
            "train_config": lambda: copy.deepcopy(recipe),
            "class_weights": lambda: torch.as_tensor(weights, device=device),
            "train_from_scratch": lambda make=from_scratch: make,
        }
        arguments = {argument: makers[argument]() for argument in needed}
        late = (
            f"method {name} did not end on copy {index} (seed {seed}) within max_seconds_per_copy ({max_seconds} s). "
            "Mend what does not end, or raise max_seconds_per_copy in the configuration"
        )
        with process_state():
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
            synchronize(device.type)
            start = clock()
            try:
                with time_limit(max_seconds, f"{late}.", give_up):
                    result = method(**arguments, **copy.deepcopy(options))
                    synchronize(device.type)
            except OutOfTime as error:
                raise MethodError(f"{late}; it was here{own_line(method, error)}.") from error
            except (Exception, SystemExit) as error:
                raise MethodError(
                    f"method {name} failed on copy {index} (seed {seed}): {type(error).__name__}: "
                    f"{first_line(error)}{own_line(method, error)}"
                ) from error
            copies.seconds[index] = clock() - start
        # Only tensors are kept: train/eval mode, requires_grad and hooks end with this copy.
        copies.states[index] = returned_state(result, model, original, f"method {name}")
        for part, dataset in own.items():
            copies.passes[part][index] = dataset.reads.total() / len(dataset) if len(dataset) else 0.0
        done()
    return copies


def _unavailable(
    datasets: Mapping[str, ImageDataset], oracles: Mapping[int, Any] | None, trained_here: bool
) -> dict[str, str]:
    """Arguments that cannot be filled in this run -> why, and what to do."""
    missing = {}
    if not trained_here:
        missing["initial_model"] = (
            "the original model was trained elsewhere (original), so nobody here knows its initial weights. Remove "
            "the parameter, or give it a default."
        )
    if not len(datasets["validation"]):
        missing["val_loader"] = (
            "there are no validation examples, since data.validation_size is 0. Set data.validation_size in the "
            "configuration (the split and all models are made anew), or give the parameter a default."
        )
    if oracles is None:
        missing["oracle_model"] = (
            "the workflow did not see it in the source of the method's file, so the models of the method retrain were "
            "not made first. Write the function with `def` in the file itself, with oracle_model among its parameters."
        )
    return missing
