"""Python files as text: their fingerprint and what they import. Each is parsed once a process, and none is run."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any

from unlearning_metric.keys.notebooks import source_bytes

#: Fields of syntax trees that say nothing about what the code does.
_IGNORED = {"ctx", "type_comment", "kind", "type_ignores"}
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Import:
    """An import statement.

    Attributes
    ----------
    level : its leading dots, 0 for ``import`` and for an absolute ``from``
    module : dotted name, "" in ``from . import names``
    names : what ``from module import names`` names; none in ``import module``
    """

    level: int
    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """What is asked of a Python file.

    Attributes
    ----------
    fingerprint : 16 hexadecimal digits, blind to comments, docstrings and formatting
    imports : its import statements, wherever they stand; none where the file does not parse
    """

    fingerprint: str
    imports: tuple[Import, ...]


def read_source(path: Path | str) -> Source:
    """Fingerprint and imports of a Python file; of one that does not parse, the fingerprint of its bytes and none."""
    path = Path(path).resolve()
    stat = path.stat()
    return _read_source(path, (stat.st_mtime_ns, stat.st_size))


@cache
def _read_source(path: Path, stamp: tuple[int, int]) -> Source:
    try:
        data = source_bytes(path)
    except ValueError:
        data = path.read_bytes()
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        # A broken method file must stop the job that runs it, with its own message, not every other rule.
        return Source(_digest(data), ())
    try:
        fingerprint = tree_fingerprint(tree)
    except (ValueError, RecursionError):
        # An integer beyond Python's limit of digits, which only a hexadecimal one can be, or a very deep expression.
        fingerprint = _digest(data)
    return Source(fingerprint, tuple(imports(tree)))


def tree_fingerprint(tree: ast.Module) -> str:
    """Fingerprint of a parsed file, the same in every Python version that parses it alike."""
    text: list[str] = []
    _write(tree, text.append)
    return _digest("".join(text).encode())


def imports(tree: ast.AST) -> Iterator[Import]:
    """Import statements anywhere in a syntax tree."""
    # They are statements: expressions, which are most of a tree, need no look.
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (Import(0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield Import(node.level, node.module or "", tuple(alias.name for alias in node.names))
        else:
            for name in node._fields:
                value = getattr(node, name, None)
                if type(value) is list:
                    todo.extend(one for one in value if isinstance(one, _HOLDERS))


#: What can hold a statement.
_HOLDERS = (ast.stmt, ast.excepthandler, ast.match_case)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


@cache
def _told_fields(kind: type[ast.AST]) -> tuple[tuple[str, str], ...]:
    return tuple((name, f',["{name}",') for name in kind._fields if name not in _IGNORED)


def _write(node: Any, write: Any) -> None:
    """Write a syntax tree as nested lists in JSON. Empty fields are left out, since Python versions differ in them."""
    if isinstance(node, ast.AST):
        kind = type(node)
        write(f'["{kind.__name__}"')
        for name, opening in _told_fields(kind):  # type: ignore[arg-type]
            value = getattr(node, name, None)
            if name == "body" and isinstance(node, _WITH_DOCSTRING):
                value = [one for one in value or () if not _is_docstring(one)]
            # A constant's None is a value, not an absent field.
            if (value is None and kind is not ast.Constant) or value == []:
                continue
            write(opening)
            _write(value, write)
            write("]")
        write("]")
    elif isinstance(node, list):
        write("[")
        for place, item in enumerate(node):
            if place:
                write(",")
            _write(item, write)
        write("]")
    else:
        write(encode_basestring_ascii(f"{type(node).__name__}:{node!r}"))


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
