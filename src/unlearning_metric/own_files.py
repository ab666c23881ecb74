"""The user's own modules: which files beside a file of theirs it imports. Nothing of theirs is run for it.

An import statement that names a file or a package beside the user's file means that one, whatever else is installed;
the standard library's names alone come before it. `user_code` imports by the same rule, so that what enters a key is
what runs.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path


def find_in(folder: Path | str, name: str, loader: type[SourceFileLoader] = SourceFileLoader) -> ModuleSpec | None:
    """Spec of a module or package in a folder; ``name`` may be dotted, and its last part is looked for."""
    finder = FileFinder(str(folder), (ExtensionFileLoader, EXTENSION_SUFFIXES), (loader, SOURCE_SUFFIXES))
    return finder.find_spec(name)


def is_own(folder: Path | str, name: str) -> bool:
    """Whether ``import name`` in a file of the folder means a module that lies there.

    A folder without ``__init__.py`` gives way to an installed package, as everywhere in Python: ``wandb/``, say, may be
    a package's logs.
    """
    if name in sys.stdlib_module_names:
        return False
    spec = find_in(folder, name)
    return spec is not None and (spec.loader is not None or not _is_installed(name))


def _is_installed(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:
        # Loaded, by something that left no spec.
        return True
    return spec is not None and spec.origin is not None


def imported_files(path: Path | str) -> list[Path]:
    """Files beside a Python file that it imports by import statements, directly or through one another, sorted.

    Those of packages beside it count, their ``__init__.py`` too. A file that does not parse imports nothing.
    """
    path = Path(path).resolve()
    todo, seen = [path], set()
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        for parts in _imports(file, path.parent):
            todo.extend(module_files(path.parent, parts))
    return sorted(seen - {path})


def module_files(folder: Path | str, parts: list[str]) -> list[Path]:
    """Files that importing ``parts`` (of a dotted name) runs, as far as they lie in the folder; the last is its own."""
    found, place = [], str(folder)
    for part in parts:
        spec = find_in(place, part)
        if spec is None:
            break
        if spec.loader is not None:
            found.append(Path(spec.origin))
        if not spec.submodule_search_locations:
            break
        place = spec.submodule_search_locations[0]
    return found


def own_module(folder: Path | str, name: str) -> Path | None:
    """File of a module by its dotted name, where an import in a file of the folder means one that lies there."""
    parts = name.split(".")
    files = module_files(folder, parts) if is_own(folder, parts[0]) else []
    return files[-1] if files else None


def _imports(file: Path, folder: Path) -> Iterator[list[str]]:
    """What a file imports of its folder, anywhere in its source, as parts of names; maybe also what is no module."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = list(file.parent.relative_to(folder).parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from (parts for parts in names if is_own(folder, parts[0]))
        elif isinstance(node, ast.ImportFrom):
            base = node.module.split(".") if node.module else []
            if node.level:
                base = package[: max(0, len(package) - node.level + 1)] + base
            elif not is_own(folder, base[0]):
                continue
            yield from ([*base, alias.name] for alias in node.names)
