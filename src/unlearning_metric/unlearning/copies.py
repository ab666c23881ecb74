"""Runs a method file: loads it, passes arguments by name, guards what it must not touch, times each copy.

A method file is code that runs as the user who runs the workflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch

from unlearning_metric.runtime.compiler_import import clock
from unlearning_metric.runtime.guards import as_if_alone, process_state, seed_everything
from unlearning_metric.runtime.limits import OutOfTime, time_limit
from unlearning_metric.training.train import synchronize
from unlearning_metric.unlearning.offer import Offer, Start
from unlearning_metric.user_code.calls import user_code_runs
from unlearning_metric.user_code.contract import ARGUMENTS, MethodError
from unlearning_metric.user_code.loading import (
    Kind,
    anew,
    bind,
    load_function,
    own_line,
    typed_options,
)
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


@dataclass(frozen=True)
class Method:
    """A method to run.

    Attributes
    ----------
    name : what it is called in the configuration
    load : gives its function, for each copy anew
    options : its hyper-parameters
    batches : form of its loaders' batches, see `datasets.FORMS`
    """

    name: str
    load: Callable[[], Callable[..., Any]]
    options: Mapping[str, Any] = field(default_factory=dict)
    batches: str = "tuple"


def method_of_file(
    name: str, path: Path | str, function: str, options: Mapping[str, Any], batches: str = "tuple"
) -> Method:
    """The method of a file, which is run anew for each copy: what it keeps in variables reaches no other one.

    Call it once the nets are there: their modules stay as they are.

    Raises
    ------
    MethodError
        As `loading.load_function`.
    """
    with process_state():
        load = anew(path, function, METHOD)
    return Method(name, load, options, batches)


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
    title, device = f"method {method.name}", start.device.type
    copies = Copies({}, {}, {part: {} for part in start.datasets})
    for index in indices:
        offer = Offer(start, method.name, index, method.batches)
        late = (
            f"{title} did not end on copy {index} (seed {offer.seed}) within max_seconds_per_copy ({max_seconds} s). "
            "Mend what does not end, or raise max_seconds_per_copy in the configuration"
        )
        failed = f"{title} failed on copy {index} (seed {offer.seed})"
        with as_if_alone(title):
            function = method.load()
            needed = bind(function, method.options, METHOD, method.name, start.unavailable())
            options = typed_options(function, method.options, METHOD, method.name)
            arguments = {name: offer.argument(name) for name in needed}
            seed_everything(offer.seed)
            synchronize(device)
            begin = clock()
            try:
                with user_code_runs(failed, function, MethodError), time_limit(max_seconds, f"{late}."):
                    result = function(**arguments, **options)
                    synchronize(device)
            except OutOfTime as error:
                raise MethodError(f"{late}; it was here{own_line(function, error)}.") from error
            copies.seconds[index] = clock() - begin
        # Only tensors are kept: train/eval mode, requires_grad and hooks end with this copy.
        copies.states[index] = returned_state(result, offer.model, offer.original, title)
        for part, passes in offer.passes().items():
            copies.passes[part][index] = passes
        done()
    return copies
