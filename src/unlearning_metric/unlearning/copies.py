"""Runs a method file: loads it, passes arguments by name, guards what it must not touch, times each copy.

A method file is code that runs as the user who runs the workflow.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from unlearning_metric.progress import LOGGER
from unlearning_metric.runtime.cost import spent
from unlearning_metric.runtime.gradients import contiguous_gradients
from unlearning_metric.runtime.guards import as_if_alone, process_state, seed_everything
from unlearning_metric.runtime.limits import OutOfTime, time_limit
from unlearning_metric.runtime.older_torch import older_torch
from unlearning_metric.runtime.pretend_cuda import pretend_cuda
from unlearning_metric.runtime.shared_files import files_of_earlier_copies
from unlearning_metric.training.pace import Pace
from unlearning_metric.unlearning.advice import advice
from unlearning_metric.unlearning.offer import Offer, Start
from unlearning_metric.unlearning.parameters import Parameters
from unlearning_metric.unlearning.without import without
from unlearning_metric.user_code.absent import Showing
from unlearning_metric.user_code.calls import user_code_runs
from unlearning_metric.user_code.contract import ARGUMENTS, MethodError
from unlearning_metric.user_code.failures import own_line
from unlearning_metric.user_code.interface import RUN, Interface
from unlearning_metric.user_code.kind import Kind
from unlearning_metric.user_code.loading import Source, anew, load_function, module_of, source_of
from unlearning_metric.user_code.returned_values import described, returned_state, told_result

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


@dataclass(frozen=True)
class Method:
    """A method to run.

    Attributes
    ----------
    name : what it is called in the configuration
    load : gives its function or class, for each copy anew
    options : its hyper-parameters
    batches : form of its loaders' batches, see `datasets.FORMS`
    interface : how it is called
    source : where it is; None for what is in no file
    """

    name: str
    load: Callable[[], Callable[..., Any]]
    options: Mapping[str, Any] = field(default_factory=dict)
    batches: Any = "tuple"
    interface: Interface = field(default_factory=Interface)
    source: Source | None = None


def method_of_file(
    name: str,
    path: Path | str,
    function: str,
    options: Mapping[str, Any],
    batches: Any = "tuple",
    interface: Mapping[str, Any] | None = None,
) -> Method:
    """The method of a file, which is run anew for each copy: what it keeps in variables reaches no other one.

    Call it once the nets are there: their modules stay as they are.

    Parameters
    ----------
    function, options, batches : as the attributes of `Method`
    interface : what else its entry says, see `Interface.settings`

    Raises
    ------
    MethodError
        As `loading.load_function`.
    """
    told = Interface.of(interface or {})
    source = source_of(path, told.root, told.only_definitions)
    with process_state(), _cuda(told):
        # Parsers of arguments that run when a file is imported would read the job's own.
        sys.argv = [str(source.file)]
        load = anew(source, told.kind or function, METHOD)
    return Method(name, load, options, batches, told, source)


def _cuda(interface: Interface) -> AbstractContextManager[None]:
    pretend = interface.cuda == "pretend" and not torch.cuda.is_available()
    return pretend_cuda() if pretend else nullcontext()


class Copies(NamedTuple):
    """Finished copies of a method.

    Attributes
    ----------
    states : state dict on the CPU, by copy
    seconds : seconds of the device (`cost.spent`) of the method alone, by copy
    retraining : those of a whole retraining, measured after each copy; empty where they cannot be
    examples : examples read, by copy
    passes : ``retain``, ``forget`` and ``validation`` -> examples read / size of the set, by copy
    bound : parameter -> what it got, as text, of the last copy
    shared : files that a copy read and an earlier one of this job wrote
    """

    states: dict[int, dict[str, torch.Tensor]]
    seconds: dict[int, float]
    retraining: dict[int, float]
    examples: dict[int, int]
    passes: dict[str, dict[int, float]]
    bound: dict[str, str]
    shared: set[str]


def run_copies(
    method: Method,
    start: Start,
    indices: Iterable[int],
    done: Callable[[], None] = lambda: None,
    max_seconds: float | None = None,
) -> Copies:
    """Run a method on copies ``indices``; copy i starts from original ``i % len(originals)``.

    Copy i is the same whatever ran before it: what it is handed is its own, its file is run anew, its working folder is
    new, and whatever it does to the process (see `guards.process_state`) ends with it.

    Parameters
    ----------
    done : called after each copy
    max_seconds : time limit of a copy; None for none

    Raises
    ------
    MethodError
        Names the copy, its seed and the line of the method's own file; the method's own exception is its cause.
    """
    title = f"method {method.name}"
    copies = Copies({}, {}, {}, {}, {part: {} for part in start.datasets}, {}, set())
    pace = Pace(start.datasets["retain"], start.model_settings, start.num_classes, start.recipe)
    # Once in vain: what a process loads for its first steps is no part of any cost.
    pace.retraining(0.0)
    for index in indices:
        offer = Offer(start, method.name, index, method.batches, method.interface.loader_batch_size)
        # In this order: the folder that a copy works in is its own.
        with files_of_earlier_copies() as shared, as_if_alone(title), contiguous_gradients(), _cuda(method.interface):
            result, copies.seconds[index], measured = _run(method, offer, copies.bound, max_seconds)
        retraining = pace.retraining(copies.seconds[index])
        if retraining is not None:
            copies.retraining[index] = retraining
        if new := sorted(shared - copies.shared):
            LOGGER.warning(
                "warning: copy %d of %s read what an earlier copy wrote: %s", index, title, ", ".join(new[:5])
            )
        copies.shared.update(shared)
        result = None if isinstance(result, Showing) else result
        # Only tensors are kept: train/eval mode, requires_grad and hooks end with this copy.
        told = told_result(result, offer.original, title, method.interface.returns)
        if told is None and measured and not offer.model_changed():
            # A function that returns what it measured of a model that it keeps to itself.
            told = measured[-1]
            copies.bound["the result"] = "the model given to what the entry does without"
        if told is None:
            _refuse_unchanged(result, offer, title)
        copies.states[index] = returned_state(told, offer.model, offer.original, title)
        for part, passes in offer.passes().items():
            copies.passes[part][index] = passes
        copies.examples[index] = offer.examples_read()
        done()
    return copies


def _run(
    method: Method, offer: Offer, bound: dict[str, str], max_seconds: float | None
) -> tuple[Any, float, list[nn.Module]]:
    """What a copy returned, its seconds, and the models that it gave to what its entry does without."""
    title, device = f"method {method.name}", offer.start.device.type
    place = f"copy {offer.index} (seed {offer.seed})"
    late = (
        f"{title} did not end on {place} within max_seconds_per_copy ({max_seconds} s). "
        "Mend what does not end, or raise max_seconds_per_copy in the configuration"
    )
    if method.source is not None:
        # Their parsers of arguments would read the job's own.
        sys.argv = [str(method.source.file)]
    function, source = method.load(), method.source
    steps = _steps(function, method.interface, title)
    calls = (function, *(_unbound(function, name) for name in steps))
    taken = {name for called in calls for name in inspect.signature(called).parameters}
    modules, names = _variables(function, source), method.interface.without
    measured = without(modules, names, taken, source, f"methods.{method.name}.without")
    parameters = Parameters(offer, method.options, method.interface, source, method.name)
    arguments = parameters.of(*calls)
    if method.interface.globals:
        given_globals = parameters.globals()
        for module in modules:
            module.update(given_globals)
    bound.update(parameters.bound)
    told = partial(advice, network=offer.model, source=source, pretends=method.interface.cuda == "pretend")
    seed_everything(offer.seed)
    begin = spent(device)
    try:
        with (
            older_torch(),
            user_code_runs(f"{title} failed on {place}", function, MethodError, told),
            time_limit(max_seconds, f"{late}."),
        ):
            result = holder = function(**arguments[0])
            for name, given in zip(steps, arguments[1:], strict=True):
                result = getattr(holder, name)(**given)
            end = spent(device)
    except OutOfTime as error:
        raise MethodError(f"{late}; it was here{own_line(function, error)}.") from error
    except MethodError:
        # A wrong binding is seen at a glance.
        LOGGER.info("arguments of %s: %s", title, bound_text(parameters.bound))
        raise
    attribute = method.interface.returns or ""
    if attribute.startswith("."):
        if not hasattr(holder, attribute[1:]):
            raise MethodError(f"methods.{method.name}.returns: what {title} made has no {attribute[1:]}.")
        result = getattr(holder, attribute[1:])
    return result, end - begin, measured


def bound_text(bound: Mapping[str, str]) -> str:
    """What parameters got, to read."""
    return ", ".join(f"{name} <- {text}" for name, text in bound.items()) or "none"


def _variables(function: Callable[..., Any], source: Source | None) -> list[dict[str, Any]]:
    """Variables of the modules that a function reads names of: its own, and its file's where a decorator wraps it."""
    modules = [sys.modules[inspect.unwrap(function).__module__]]
    if source is not None:
        modules.append(module_of(source))
    return [vars(module) for module in modules]


def _steps(function: Callable[..., Any], interface: Interface, title: str) -> tuple[str, ...]:
    """Methods of a class that are called on what it makes."""
    if interface.kind is None:
        return ()
    steps = interface.run or next(((name,) for name in RUN if callable(getattr(function, name, None))), ())
    absent = next((name for name in steps if not callable(getattr(function, name, None))), None)
    if absent is not None:
        there = [name for name in dir(function) if not name.startswith("_") and callable(getattr(function, name))]
        raise MethodError(f"{title}: class {interface.kind} has no method {absent!r}. It has: {', '.join(there)}.")
    return steps


def _unbound(kind: Any, name: str) -> Callable[..., Any]:
    """A method of a class as a function of its parameters but for ``self``."""
    method = inspect.getattr_static(kind, name)
    if isinstance(method, staticmethod | classmethod):
        return getattr(kind, name)
    return partial(getattr(kind, name), None)


def _refuse_unchanged(result: Any, offer: Offer, title: str) -> None:
    """Name the cause where a method returned no model and left the one that it was to change as it was."""
    if offer.model_changed():
        return
    changed = offer.changed_references()
    if changed:
        raise MethodError(
            f"{title} changed {changed[0]} in place and returned no model, and left model as it was. {changed[0]} is "
            f"for reference: have it change model, or return {changed[0]}."
        )
    if result is not None:
        raise MethodError(
            f"{title} returned {described(result)}, which is no model, and left model as it was. It must change model "
            "in place, or return an nn.Module."
        )
