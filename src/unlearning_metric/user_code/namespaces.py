"""Settings that code reads as attributes, as keys, or with ``vars``."""

from __future__ import annotations

import argparse
import ast
import copy
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from unlearning_metric.keys.notebooks import source_bytes


class Namespace(dict, argparse.Namespace):
    """A dictionary whose keys are attributes as well; a name that it has not is told with all that the code reads.

    It is what code takes for settings that asks what they are: ``argparse.Namespace``, and omegaconf's ``DictConfig``.

    Parameters
    ----------
    where : key of the configuration that sets it, for messages
    reads : gives the names that the code reads of it
    """

    def __init__(self, values: dict[str, Any], where: str, reads: Callable[[], Iterable[str]] = tuple) -> None:
        dict.__init__(self, values)
        settings = getattr(sys.modules.get("omegaconf"), "DictConfig", None)
        if settings is not None:
            settings.register(Namespace)
        object.__setattr__(self, "_where", where)
        object.__setattr__(self, "_reads", reads)

    def _absent(self, name: str) -> str:
        missing = sorted({*self._reads(), name} - self.keys())
        return f"{name} is read and not set. Set it in {self._where}; what its files read and it has not: " + ", ".join(
            missing
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self:
            raise AttributeError(self._absent(name))
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __missing__(self, name: str) -> Any:
        raise KeyError(self._absent(name))

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """What ``vars`` gives."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Namespace:
        twin = Namespace({}, self._where, self._reads)
        memo[id(self)] = twin
        twin.update({name: copy.deepcopy(value, memo) for name, value in self.items()})
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def names_read(file: Path) -> set[str]:
    """Names that a file reads anywhere."""
    try:
        nodes = ast.walk(ast.parse(source_bytes(file)))
    except (OSError, SyntaxError, ValueError):
        return set()
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def read_of(name: str, files: Iterable[Path]) -> set[str]:
    """Names that files read of a variable as attributes or keys: ``args.lr``, ``args["lr"]``."""
    found: set[str] = set()
    for file in files:
        try:
            tree = ast.parse(source_bytes(file))
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            of = getattr(node, "value", None)
            of = of.attr if isinstance(of, ast.Attribute) else getattr(of, "id", None)
            if of != name:
                continue
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Subscript) and isinstance(getattr(node.slice, "value", None), str):
                found.add(node.slice.value)
    return found - set(dir(dict))
