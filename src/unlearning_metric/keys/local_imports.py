"""The user's own modules: which files beside a file of theirs it imports. Nothing of theirs is run for it.

An import statement that names a file or a package beside the user's file means that one, whatever else is installed;
the standard library's names alone come before it. `user_code` imports by the same rule, and the rule asks nothing but
the folder: what enters a key is what runs, in every process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path

from unlearning_metric.keys.python_source import Import, read_source


def find_in(folder: Path | str, name: str, loader: type[SourceFileLoader] = SourceFileLoader) -> ModuleSpec | None:
    """Spec of a module or package in a folder; ``name`` may be dotted, and its last part is looked for."""
    finder = FileFinder(str(folder), (ExtensionFileLoader, EXTENSION_SUFFIXES), (loader, SOURCE_SUFFIXES))
    return finder.find_spec(name)


def is_own(folder: Path | str, module: str, names: Sequence[str] = ()) -> bool:
    """Whether ``import module``, or ``from module import names``, in a file of the folder means what lies there.

    Of a folder without ``__init__.py`` only the files count that the statement reaches: ``wandb/``, say, may be the
    logs of an installed package of that name.
    """
    parts = module.split(".")
    if parts[0] in sys.stdlib_module_names:
        return False
    spec = find_in(folder, parts[0])
    if spec is None or spec.loader is not None:
        return spec is not None
    return any(module_files(folder, one) for one in _reached(folder, parts, names))


def _reached(folder: Path | str, parts: list[str], names: Sequence[str]) -> Iterator[list[str]]:
    """Modules that importing ``names`` from a module may run, as parts of their names, that module first."""
    yield parts
    for name in names:
        if name != "*":
            yield [*parts, name]
            continue
        # What a package's __all__ names is imported: maybe any of its modules.
        place = Path(folder, *parts)
        files = sorted(place.iterdir()) if place.is_dir() else []
        yield from (
            [*parts, one.name.partition(".")[0]] for one in files if one.is_dir() or one.suffix in (".py", ".so")
        )


def own_names(statements: Iterable[Import], folder: Path | str) -> frozenset[str]:
    """Names, up to the first dot, by which import statements import what lies in the folder.

    All of a source count: after ``import helpers.acts`` a bare ``import helpers`` means the same folder.
    """
    absolute = (one for one in statements if not one.level)
    return frozenset(one.module.partition(".")[0] for one in absolute if is_own(folder, one.module, one.names))


def imported_files(path: Path | str, root: Path | str | None = None, modules: Sequence[str] = ()) -> list[Path]:
    """Files beside a Python file that it imports by import statements, directly or through one another, sorted.

    Those of packages beside it count, their ``__init__.py`` too. A file that does not parse imports nothing.

    Parameters
    ----------
    root : the folder that imports start from; the file's own if None
    modules : dotted names of further modules of the folder that are imported
    """
    path = Path(path).resolve()
    folder = Path(root).resolve() if root is not None else path.parent
    todo, seen = [path], set()
    if path.is_relative_to(folder):
        # The packages that a file lies in run before it.
        todo.extend(module_files(folder, list(path.relative_to(folder).parts[:-1])))
    for module in modules:
        todo.extend(module_files(folder, module.split(".")))
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        for parts in _imports(file, folder):
            todo.extend(module_files(folder, parts))
    return sorted(seen - {path})


def module_files(folder: Path | str, parts: list[str]) -> list[Path]:
    """Files that importing ``parts`` (of a dotted name) runs, as far as they lie in the folder; the last is its own."""
    found, place = [], str(folder)
    for part in parts:
        spec = find_in(place, part)
        if spec is None:
            break
        if spec.loader is not None and spec.origin is not None:
            found.append(Path(spec.origin))
        if not spec.submodule_search_locations:
            break
        place = spec.submodule_search_locations[0]
    return found


def own_module(folder: Path | str, module: str) -> Path | None:
    """File of a module by its dotted name, where an import in a file of the folder means one that lies there."""
    parts = module.split(".")
    files = module_files(folder, parts) if is_own(folder, module) else []
    reached = files and parts[-1] in (files[-1].name.partition(".")[0], files[-1].parent.name)
    return files[-1] if reached else None


def _imports(file: Path, folder: Path) -> Iterator[list[str]]:
    """What a file imports of its folder, anywhere in its source, as parts of names; maybe also what is no module."""
    statements = read_source(file).imports
    inside = file.is_relative_to(folder)
    package = list(file.parent.relative_to(folder).parts) if inside else []
    own = own_names(statements, folder)
    for one in statements:
        parts = one.module.split(".") if one.module else []
        if one.level:
            parts = package[: max(0, len(package) - one.level + 1)] + parts
        elif parts[0] not in own:
            continue
        yield from _reached(folder, parts, one.names)
