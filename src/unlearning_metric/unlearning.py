"""Runs a method file: loads it, passes arguments by name, guards what it must not touch, times each copy.

A method file is code that runs as the user who runs the workflow.
"""

from __future__ import annotations

import copy
import difflib
import importlib.util
import inspect
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearning_metric.loaders import ImageDataset, ImageLoader
from unlearning_metric.seeds import Streams
from unlearning_metric.training import synchronize, train_model

#: What a method's function may ask for by parameter name.
ARGUMENTS = {
    "model": "the original model, a copy to change in place",
    "net": "the same as model",
    "original_model": "a second copy of the original model, for reference",
    "retain_loader": "batches (images, labels) of the retain set, shuffled anew in each pass",
    "forget_loader": "batches (images, labels) of the forget set, shuffled anew in each pass",
    "val_loader": "batches (images, labels) of validation examples that no model trained on",
    "seed": "an integer of this copy's own; torch, numpy and random are seeded with it already",
    "generator": "a torch.Generator (CPU) of this copy's own",
    "device": 'a torch.device: "cpu" or "cuda"',
    "num_classes": "number of classes",
    "train_config": "the training part of the configuration, as a dictionary",
    "class_weights": "float tensor [classes]: 1 / (percent of the training set in the class)",
    "train_from_scratch": "function(seed) -> a model newly trained on the retain set with the configured recipe",
}


class MethodError(RuntimeError):
    """A method file does not fit the contract, or failed on a copy."""


def load_method(path: Path | str, function: str = "unlearn") -> Callable[..., Any]:
    """Import a method file and return its function.

    Raises
    ------
    MethodError
        If the file cannot be imported or has no such function.
    """
    path = Path(path).resolve()
    spec = importlib.util.spec_from_file_location(f"unlearning_method_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    # A method may import the `_*.py` files beside it.
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise MethodError(
            f"method file {path.name} cannot be imported: {type(error).__name__}: {error}. Mend it and run again."
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    found = getattr(module, function, None)
    if not callable(found):
        functions = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        raise MethodError(
            f"method file {path.name} has no function {function!r}. It defines: {', '.join(functions) or 'none'}. "
            f"Name the function {function!r}."
        )
    return found


def bind(function: Callable[..., Any], options: Mapping[str, Any], name: str) -> list[str]:
    """Check that every parameter of a method can be filled; the names the harness has to fill.

    Parameters
    ----------
    function : the method
    options : hyper-parameters from the configuration (``methods.<name>``)
    name : method name, for messages

    Raises
    ------
    MethodError
        For a parameter nobody can fill, or an option the function does not take.
    """
    parameters = inspect.signature(function).parameters
    kinds = inspect.Parameter
    named = {n: p for n, p in parameters.items() if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)}
    positional_only = [n for n, p in named.items() if p.kind is kinds.POSITIONAL_ONLY]
    if positional_only:
        raise MethodError(f"method {name}: parameter {positional_only[0]!r} is positional-only; name it plainly.")
    tunable = [n for n in named if n not in ARGUMENTS]
    open_ended = any(p.kind is kinds.VAR_KEYWORD for p in parameters.values())
    for option in options:
        if option in ARGUMENTS:
            raise MethodError(f"methods.{name}.{option}: {option!r} is filled by the harness and cannot be set.")
        if option not in tunable and not open_ended:
            close = difflib.get_close_matches(option, tunable, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise MethodError(
                f"methods.{name}.{option}: the method takes no such hyper-parameter.{hint} "
                f"It takes: {', '.join(tunable) or 'none'}."
            )
    for parameter in tunable:
        if named[parameter].default is kinds.empty and parameter not in options:
            raise MethodError(
                f"method {name}: nobody can fill its parameter {parameter!r}. Give it a default, set "
                f"methods.{name}.{parameter} in the configuration, or use one of: {', '.join(ARGUMENTS)}."
            )
    return [n for n in named if n in ARGUMENTS]


def class_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Weights of the challenge's recipe: 1 / (percent of the training set in the class); absent classes 0."""
    counts = np.bincount(labels, minlength=num_classes)
    with np.errstate(divide="ignore"):
        return np.where(counts > 0, counts.sum() / (100.0 * counts), 0.0).astype(np.float32)


def _own_line(method: Callable[..., Any], error: Exception) -> str:
    """The last line of the user's own files that an exception passed, as text; helpers beside the file count."""
    try:
        own = Path(inspect.getsourcefile(method)).parent
    except TypeError:
        return ""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == own]
    if not frames:
        return ""
    last = frames[-1]
    return f" ({own.name}/{Path(last.filename).name}, line {last.lineno}: {last.line})"


def _finish(model: nn.Module, result: Any, base: nn.Module, name: str) -> dict[str, torch.Tensor]:
    """The state dict a method leaves behind, checked against the original's tensors."""
    if result is None:
        result = model
    if not isinstance(result, nn.Module):
        raise MethodError(
            f"method {name} returned {type(result).__name__}; it must return an nn.Module, or nothing after "
            "changing the model in place."
        )
    state, wanted = result.state_dict(), base.state_dict()
    wrong = [key for key in wanted if key not in state or state[key].shape != wanted[key].shape]
    extra = [key for key in state if key not in wanted]
    if wrong or extra:
        raise MethodError(
            f"method {name} returned a model of another form (first difference: {(wrong + extra)[0]}). "
            "It must have the original's tensors, since it is scored as that network."
        )
    # A copy: a method may hold on to its module and change it in the next call.
    return {key: state[key].detach().to("cpu", wanted[key].dtype, copy=True) for key in wanted}


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
) -> tuple[dict[int, dict[str, torch.Tensor]], dict[int, float]]:
    """Run a method on copies ``indices``; copy i starts from original ``i % len(originals)``.

    Parameters
    ----------
    originals : trained models on the device, never altered
    datasets : ``retain``, ``forget`` and ``validation``, on the device
    weights : class weights [classes] of the training set

    Returns
    -------
    states : state dict on the CPU, by copy
    seconds : wall-clock seconds of the method alone, by copy

    Raises
    ------
    MethodError
        Names the copy, its seed and the line of the method's own file; the method's own exception is its cause.
    """
    needed = bind(method, options, name)
    device = datasets["retain"].images.device
    batch_size = recipe["batch_size"]
    states, seconds = {}, {}
    for index in indices:
        streams = Streams(experiment_seed, f"unlearn/{name}", index)
        seed = streams.integer("seed") % 2**31
        original = originals[index % len(originals)]
        model = copy.deepcopy(original)
        # A method may relabel or blend its examples: each copy gets examples of its own.
        own = {part: copy.deepcopy(dataset) for part, dataset in datasets.items()}

        def shuffled(part: str, streams: Streams = streams, own: Mapping[str, ImageDataset] = own) -> ImageLoader:
            order = streams.torch(f"order/{part}")
            return ImageLoader(own[part], batch_size, shuffle=True, generator=order)

        def train_from_scratch(seed: int) -> nn.Module:
            return train_model(
                datasets["retain"], model_settings, num_classes, recipe, Streams(int(seed), "from_scratch")
            )

        makers: dict[str, Callable[[], Any]] = {
            "model": lambda model=model: model,
            "net": lambda model=model: model,
            "original_model": lambda original=original: copy.deepcopy(original),
            "retain_loader": lambda shuffled=shuffled: shuffled("retain"),
            "forget_loader": lambda shuffled=shuffled: shuffled("forget"),
            "val_loader": lambda own=own: ImageLoader(own["validation"], batch_size),
            "seed": lambda seed=seed: seed,
            "generator": lambda streams=streams: streams.torch("generator"),
            "device": lambda: device,
            "num_classes": lambda: num_classes,
            "train_config": lambda: copy.deepcopy(recipe),
            "class_weights": lambda: torch.as_tensor(weights, device=device),
            "train_from_scratch": lambda make=train_from_scratch: make,
        }
        arguments = {argument: makers[argument]() for argument in needed}
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        synchronize(device.type)
        start = time.perf_counter()
        try:
            result = method(**arguments, **copy.deepcopy(dict(options)))
        except Exception as error:
            raise MethodError(
                f"method {name} failed on copy {index} (seed {seed}): {type(error).__name__}: {error}"
                f"{_own_line(method, error)}"
            ) from error
        synchronize(device.type)
        seconds[index] = time.perf_counter() - start
        # Only tensors are kept: train/eval mode, requires_grad and hooks end with this copy.
        states[index] = _finish(model, result, original, name)
        done()
    return states, seconds
