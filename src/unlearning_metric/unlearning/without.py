"""What a method's entry does without: functions of its file that measure, loggers that it is given or makes."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any

from torch import nn

from unlearning_metric.user_code.absent import Missing, Showing
from unlearning_metric.user_code.contract import MethodError
from unlearning_metric.user_code.loading import Source
from unlearning_metric.user_code.namespaces import names_read


class _Without(Showing):
    """Does nothing, and keeps the models that it is given."""

    def __init__(self, name: str, models: list[nn.Module]) -> None:
        super().__init__(name)
        self._models = models

    def __call__(self, *given: Any, **named: Any) -> Any:
        self._models += (value for value in (*given, *named.values()) if isinstance(value, nn.Module))
        return Showing(self.__name__)


def without(
    modules: Sequence[dict[str, Any]],
    names: Sequence[str],
    parameters: Collection[str],
    source: Source | None,
    where: str,
) -> list[nn.Module]:
    """Have names of a function's modules, functions and objects, do nothing.

    A module that is imported and not there does nothing in the other files of the code's either.

    Parameters
    ----------
    modules : variables of the function's module, and of that of its file where a decorator is of another one
    parameters : of the function, which get what does nothing from elsewhere
    source : where the function is; None if it is in no file
    where : key of the configuration that has the names, for messages

    Returns
    -------
    the models that they are given, once they are called

    Raises
    ------
    MethodError
        For a name that the modules have not and the file does not read.
    """
    measured: list[nn.Module] = []
    if not names:
        return measured
    read = names_read(source.file) if source is not None else ()
    beside = [vars(sys.modules[name]) for name in list(sys.modules) if source and name.startswith(f"{source.package}.")]
    for name in names:
        if name in parameters:
            continue
        if name not in read and not any(name in module for module in modules):
            raise MethodError(
                f"{where}: {name} is no function of the file, none that it imports, no name that it reads, and no "
                "parameter."
            )
        for module in (*modules, *(one for one in beside if isinstance(one.get(name), Missing))):
            module[name] = _Without(name, measured)
    return measured
