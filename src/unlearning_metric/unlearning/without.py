"""What a method's entry does without: functions of its file that measure, loggers that its main part makes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from unlearning_metric.user_code.absent import Showing
from unlearning_metric.user_code.contract import MethodError
from unlearning_metric.user_code.namespaces import names_read


class _Without(Showing):
    """Does nothing, and keeps the models that it is given."""

    def __init__(self, name: str, models: list[nn.Module]) -> None:
        super().__init__(name)
        self._models = models

    def __call__(self, *given: Any, **named: Any) -> Any:
        self._models += (value for value in (*given, *named.values()) if isinstance(value, nn.Module))
        return Showing(self.__name__)


def without(function: Callable[..., Any], names: Sequence[str], file: Path | None, where: str) -> list[nn.Module]:
    """Have names of a function's module, functions and objects, do nothing.

    Parameters
    ----------
    file : that of the function; None if it has none
    where : key of the configuration that has the names, for messages

    Returns
    -------
    the models that they are given, once they are called

    Raises
    ------
    MethodError
        For a name that the module has not and its file does not read.
    """
    measured: list[nn.Module] = []
    if not names:
        return measured
    module = vars(sys.modules[function.__module__])
    read = names_read(file) if file is not None else ()
    for name in names:
        if name not in module and name not in read:
            raise MethodError(
                f"{where}: {name} is no function of the file, none that it imports, and no name that it reads."
            )
        module[name] = _Without(name, measured)
    return measured
