"""Parameters of a function, read from its source: nothing of the file is run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unlearning_metric.keys.local_imports import own_module
from unlearning_metric.keys.notebooks import source_bytes

#: What may bind any name of a module.
_DYNAMIC = ("exec", "eval", "globals", "locals", "vars", "setattr", "delattr")


class _Mark:
    """A value that stands for the absence of one."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


#: The parameter has no default.
REQUIRED = _Mark("REQUIRED")
#: There is a default, but only running the file would tell its value.
COMPUTED = _Mark("COMPUTED")


@dataclass(frozen=True)
class Signature:
    """Parameters of a function, read from its source.

    Attributes
    ----------
    defaults : parameter name -> its default, `REQUIRED` or `COMPUTED`
    open_ended : whether it takes any further keyword (``**options``)
    certain : whether nothing can change the signature when the file is run; a decorator can, and a second binding
    """

    defaults: dict[str, Any]
    open_ended: bool
    certain: bool


def read_signature(path: Path | str, function: str, root: Path | str | None = None) -> Signature | None:
    """Signature of a function of a method file, without running the file.

    A function that is another name for one of the same file, or is imported from a file beside it, is followed.

    Parameters
    ----------
    root : folder that imports start from; the file's own if None

    Returns
    -------
    None where the file does not parse or the function is made in some other way, such as ``functools.partial``.
    """
    path = Path(path)
    return _read_signature(path, function, path.parent if root is None else Path(root), frozenset())


def _read_signature(path: Path, function: str, folder: Path, seen: frozenset[tuple[Path, str]]) -> Signature | None:
    if (path, function) in seen:
        return None
    seen |= {(path, function)}
    try:
        tree = ast.parse(source_bytes(path))
    except (OSError, SyntaxError, ValueError):
        return None
    found = None
    # The last binding of a name is the one that counts.
    for statement in _top_level(tree.body):
        if isinstance(statement, ast.FunctionDef) and statement.name == function:
            found = _signature(statement)
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and any(
            isinstance(target, ast.Name) and target.id == function
            for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        ):
            other = statement.value
            found = _read_signature(path, other.id, folder, seen) if isinstance(other, ast.Name) else None
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            for alias in statement.names:
                if (alias.asname or alias.name) == function:
                    file = own_module(folder, statement.module)
                    found = _read_signature(file, alias.name, folder, seen) if file else None
    bound = bindings(tree)
    if found is not None and (bound.count(function) != 1 or "*" in bound):
        found = replace(found, certain=False)
    return found


def bindings(tree: ast.Module) -> list[str]:
    """Names that a source binds or unbinds when it is run, once for each time, as far as it tells.

    ``*`` for what may bind any name: a star import, ``exec``, ``globals``.
    """
    names: list[str] = []

    def look(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
            # What is bound in its body is its own, but for what it says is not.
            names.extend(name for one in ast.walk(node) if isinstance(one, ast.Global) for name in one.names)
            return
        if isinstance(node, ast.Lambda):
            return
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.append(node.id)
            elif node.id in _DYNAMIC:
                names.append("*")
        elif isinstance(node, ast.alias):
            names.append(node.asname or node.name)
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            names.append(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            # Such as its __defaults__.
            names.append(node.value.id)
        for child in ast.iter_child_nodes(node):
            look(child)

    look(tree)
    return names


def _top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when a file is imported, those inside ``if``, ``try`` and ``with`` included."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _top_level(statement.body)
            yield from _top_level(getattr(statement, "orelse", []))
            for handler in getattr(statement, "handlers", []):
                yield from _top_level(handler.body)


def _signature(function: ast.FunctionDef) -> Signature:
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    required = len(positional) - len(given.defaults)
    defaults = [REQUIRED] * required + [_literal(node) for node in given.defaults]
    named = dict(zip((one.arg for one in positional), defaults, strict=True))
    for one, node in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        named[one.arg] = REQUIRED if node is None else _literal(node)
    return Signature(named, given.kwarg is not None, not function.decorator_list)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        # No literal, or one that Python itself refuses, such as {[1]: 2}.
        return COMPUTED
