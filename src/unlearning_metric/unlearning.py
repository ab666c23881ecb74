"""Runs a method file: loads it, passes arguments by name, guards what it must not touch, times each copy.

A method file is code that runs as the user who runs the workflow.
"""

from __future__ import annotations

import ast
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
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from unlearning_metric.contract import ARGUMENTS, REQUIRED, MethodError, converted, unknown_option
from unlearning_metric.guards import process_state
from unlearning_metric.limits import OutOfTime, end_process, time_limit
from unlearning_metric.loaders import FORMS, ImageDataset, ImageLoader
from unlearning_metric.models import build_model
from unlearning_metric.returned import returned_state
from unlearning_metric.seeds import Streams
from unlearning_metric.training import initial_model, synchronize, train_model

_EXAMPLE = "def unlearn(model, retain_loader, forget_loader): ..."


def load_method(path: Path | str, function: str = "unlearn") -> Callable[..., Any]:
    """Import a method file and return its function.

    Raises
    ------
    MethodError
        If the file is empty, cannot be imported or has no such function.
    """
    path = Path(path).resolve()
    if _is_empty(path):
        raise MethodError(f"method file {path.name} is empty. Write a function into it, such as: {_EXAMPLE}")
    spec = importlib.util.spec_from_file_location(f"unlearning_method_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    # Where dataclasses and pickle look for the module of a class.
    sys.modules[spec.name] = module
    # A method may import the files beside it: here, and later in its function, when they come after everything else.
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise MethodError(
            f"method file {path.name} cannot be imported: {type(error).__name__}: {_first_line(error)}"
            f"{_place(path.parent, error)}. {_import_advice(path, error)}"
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    found = getattr(module, function, None)
    if not callable(found):
        functions = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        raise MethodError(
            f"method file {path.name} has no function {function!r}. It defines: {', '.join(functions) or 'none'}. "
            f"Name the function {function!r}, or say in the configuration, under methods, what it is called: "
            "function: ..."
        )
    return found


def _is_empty(path: Path) -> bool:
    """Whether a file holds nothing but comments and a docstring."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError):
        return False
    return all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in body)


def _import_advice(path: Path, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"If {error.name} is a package, install it into the workflow's environment ({sys.executable} -m pip "
            f"install ...); if it is a file of yours, put it beside {path.name}."
        )
    return "Mend it and run again."


def _first_line(error: BaseException) -> str:
    """What an exception says, without the lists that some libraries add; the log has all of it."""
    return next(iter(str(error).splitlines()), "")


def _place(folder: Path, error: BaseException) -> str:
    """The last line of the user's own files that an exception passed, as text; helpers beside the file count."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).parent == folder:
        return f" ({folder.name}/{Path(error.filename).name}, line {error.lineno}: {(error.text or '').strip()})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == folder]
    if not frames:
        return ""
    last = frames[-1]
    return f" ({folder.name}/{Path(last.filename).name}, line {last.lineno}: {last.line})"


def _own_line(method: Callable[..., Any], error: BaseException) -> str:
    try:
        return _place(Path(inspect.getsourcefile(inspect.unwrap(method))).parent, error)
    except TypeError:
        return ""


def bind(
    function: Callable[..., Any],
    options: Mapping[str, Any],
    name: str,
    unavailable: Mapping[str, str] | None = None,
) -> list[str]:
    """Check that every parameter of a method can be filled; the names the harness has to fill.

    Parameters
    ----------
    function : the method
    options : hyper-parameters from the configuration (``methods.<name>``)
    name : method name, for messages
    unavailable : argument that cannot be filled in this run -> why, and what to do; its default, if any, is left to it

    Raises
    ------
    MethodError
        For a parameter nobody can fill, or an option the function does not take.
    """
    unavailable = unavailable or {}
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
            raise MethodError(f"methods.{name}.{option}: {unknown_option(option, named)}")
    for parameter in tunable:
        if named[parameter].default is kinds.empty and parameter not in options:
            close = difflib.get_close_matches(parameter, ARGUMENTS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise MethodError(
                f"method {name}: nobody can fill its parameter {parameter!r}.{hint} Give it a default, set "
                f"methods.{name}.{parameter} in the configuration, or use one of: {', '.join(ARGUMENTS)}."
            )
    asked = [n for n in named if n in ARGUMENTS]
    for argument in asked:
        if argument in unavailable and named[argument].default is kinds.empty:
            raise MethodError(f"method {name} asks for {argument}: {unavailable[argument]}")
    return [n for n in asked if n not in unavailable]


def typed_options(function: Callable[..., Any], options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Options with those given as text in the type of their parameter's default.

    Raises
    ------
    MethodError
        If the text is none of that type.
    """
    parameters = inspect.signature(function).parameters
    typed = {}
    for option, value in copy.deepcopy(dict(options)).items():
        default = parameters[option].default if option in parameters else None
        default = REQUIRED if default is inspect.Parameter.empty else default
        try:
            typed[option] = converted(value, default, f"methods.{name}.{option}")
        except ValueError as error:
            raise MethodError(str(error)) from None
    return typed


def class_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Weights of the challenge's recipe: 1 / (percent of the training set in the class); absent classes 0."""
    counts = np.bincount(labels, minlength=num_classes)
    with np.errstate(divide="ignore"):
        return np.where(counts > 0, counts.sum() / (100.0 * counts), 0.0).astype(np.float32)


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
    max_seconds : time limit of a copy; None for none
    give_up : ends this process with a message, where a copy that is out of time cannot be interrupted

    Raises
    ------
    MethodError
        Names the copy, its seed and the line of the method's own file; the method's own exception is its cause.
    """
    needed = bind(method, options, name, _unavailable(datasets, oracles))
    options = typed_options(method, options, name)
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
            return ImageLoader(own[part], batch_size, shuffle=True, generator=order)

        def from_scratch(seed: int, own: Mapping[str, ImageDataset] = own) -> nn.Module:
            # What the method did to its own examples is no part of the recipe; what is read still counts.
            retain = copy.copy(datasets["retain"])
            retain.reads = own["retain"].reads
            return train_model(retain, model_settings, num_classes, recipe, Streams(int(seed), "from_scratch"))

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
            start = time.perf_counter()
            try:
                with time_limit(max_seconds, f"{late}.", give_up):
                    result = method(**arguments, **copy.deepcopy(options))
                    synchronize(device.type)
            except OutOfTime as error:
                raise MethodError(f"{late}; it was here{_own_line(method, error)}.") from error
            except (Exception, SystemExit) as error:
                raise MethodError(
                    f"method {name} failed on copy {index} (seed {seed}): {type(error).__name__}: "
                    f"{_first_line(error)}{_own_line(method, error)}"
                ) from error
            copies.seconds[index] = time.perf_counter() - start
        # Only tensors are kept: train/eval mode, requires_grad and hooks end with this copy.
        copies.states[index] = returned_state(result, model, original, name)
        for part, dataset in own.items():
            copies.passes[part][index] = dataset.reads.total() / len(dataset) if len(dataset) else 0.0
        done()
    return copies


def _unavailable(datasets: Mapping[str, ImageDataset], oracles: Mapping[int, Any] | None) -> dict[str, str]:
    """Arguments that cannot be filled in this run -> why, and what to do."""
    missing = {}
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
