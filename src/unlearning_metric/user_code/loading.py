"""Runs functions of the user's: imports their file and finds the function.

The file is code that runs as the user who runs the workflow.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from unlearning_metric.keys.local_imports import find_in, module_files, own_module
from unlearning_metric.keys.notebooks import source_bytes
from unlearning_metric.runtime.supervision import end_twin, under_way
from unlearning_metric.user_code.failures import first_line, is_of_the_code, place_in, plain
from unlearning_metric.user_code.kind import Kind
from unlearning_metric.user_code.own_modules import PREFIX, OwnLoader, drop_edited, package_of


class Source(NamedTuple):
    """Where a function of the user's is.

    Attributes
    ----------
    file : Python file or notebook, resolved
    root : folder that its imports start from, resolved
    only_definitions : whether what the file does besides defining is left out
    """

    file: Path
    root: Path
    only_definitions: bool = False

    @property
    def package(self) -> str:
        """Name of the package that its modules are loaded under."""
        return package_of(self.root, self.only_definitions)


def source_of(file: Path | str, root: Path | str | None = None, only_definitions: bool | None = None) -> Source:
    """A source; imports start from the folder of the file, and a notebook gives its definitions, unless told."""
    path = Path(file).resolve()
    if only_definitions is None:
        only_definitions = path.suffix == ".ipynb"
    return Source(path, path.parent if root is None else Path(root).resolve(), only_definitions)


def module_of(source: Source) -> ModuleType:
    """The module of a file, run unless it is loaded already."""
    path, package = source.file, source.package
    inside = path.parent.relative_to(source.root).parts if path.is_relative_to(source.root) else ()
    if inside and module_files(source.root, [*inside, path.stem])[-1:] == [path]:
        # Within a package of theirs: its __init__.py files run before it, as ever.
        return importlib.import_module(".".join([package, *inside, path.stem]))
    stem = path.stem.replace(".", "_")
    found = find_in(source.root, stem)
    # A package beside the file may have its name, and is what importing the name means.
    name = f"{package}.{stem}{'' if found and found.origin == str(path) else '_file'}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path, loader=OwnLoader(name, str(path)))
        module = importlib.util.module_from_spec(spec)
        # Where dataclasses and pickle look for the module of a class.
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


#: Source -> the user's modules that were imported before it, and stay when it is run anew.
_BEFORE: dict[Source, frozenset[str]] = {}


def _imported() -> frozenset[str]:
    return frozenset(name for name in sys.modules if name.startswith(PREFIX))


def anew(source: Source | Path | str, function: str, kind: Kind) -> Callable[[], Callable[..., Any]]:
    """Import a file as `load_function` does, and return what gives its function once more, as if imported then.

    The file and those that it imports are run again as they were. So what they keep in variables, defaults and caches
    starts afresh. Modules that were there before stay, such as a net's, whose classes must remain what they are.

    Raises
    ------
    UserCodeError
        As `load_function`.
    """
    source = source if isinstance(source, Source) else source_of(source)
    kept = _BEFORE.setdefault(source, _imported())
    load_function(source, function, kind)
    return partial(_run_anew, source, function, kept)


def _run_anew(source: Source, function: str, kept: frozenset[str]) -> Callable[..., Any]:
    for name in _imported() - kept:
        del sys.modules[name]
        package, _, module = name.rpartition(".")
        # Where `from . import module` looks first.
        vars(sys.modules.get(package, ModuleType(name))).pop(module, None)
    return getattr(module_of(source), function)


def load_function(source: Source | Path | str, function: str, kind: Kind) -> Callable[..., Any]:
    """Import a file and return one of its functions.

    Raises
    ------
    UserCodeError
        If the file is empty, cannot be imported or has no such function.
    """
    source = source if isinstance(source, Source) else source_of(source)
    path, root = source.file, source.root
    if _is_empty(path):
        raise kind.error(f"{kind.noun} file {path.name} is empty. Write a function into it, such as: {kind.example}")
    drop_edited(root, source.only_definitions)
    title = f"{kind.noun} file {path.name} cannot be imported"
    pid = os.getpid()
    try:
        with under_way(title, root):
            module = module_of(source)
        end_twin(pid)
    except BaseException as error:
        end_twin(pid)
        if not is_of_the_code(error):
            raise
        raise kind.error(
            f"{title}: {type(error).__name__}: {first_line(error)}"
            f"{place_in(root, error)}. {_import_advice(source, kind, error)}"
        ) from error
    finally:
        changed = _reset_default_dtype()
    if changed is not None:
        raise kind.error(
            f"{kind.noun} file {path.name} sets torch's default dtype to {changed} when it is imported, and data and "
            "nets are float32. Remove that, or give the dtype to the tensors that need it."
        )
    found = getattr(module, function, None)
    if not callable(found):
        functions = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        raise kind.error(
            f"{kind.noun} file {path.name} has no function {function!r}. It defines: {', '.join(functions) or 'none'}. "
            f"Name the function {function!r}, or say in the configuration, under {kind.renamed}, what it is called: "
            "function: ..."
        )
    return found


def _reset_default_dtype() -> Any:
    """The default dtype, where it is not float32; it is float32 again afterwards. torch is not imported for it."""
    torch = sys.modules.get("torch")
    dtype = None if torch is None else torch.get_default_dtype()
    if dtype is None or dtype is torch.float32:
        return None
    torch.set_default_dtype(torch.float32)
    return dtype


def _is_empty(path: Path) -> bool:
    """Whether a file holds nothing but comments and a docstring."""
    try:
        body = ast.parse(source_bytes(path)).body
    except (SyntaxError, ValueError):
        return False
    return all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in body)


#: What else helps where an import statement names what is not there.
_LENIENT = "set load: definitions in its entry: what is imported and not there then matters only where it is used."


def _import_advice(source: Source, kind: Kind, error: BaseException) -> str:
    path, root = source.file, source.root
    name = plain(getattr(error, "name", None) or "") if isinstance(error, ImportError) else ""
    asked = getattr(getattr(error, "obj", None), "__name__", name)
    if asked in sys.stdlib_module_names and find_in(root, asked) is not None:
        return f"The standard library has a module {asked}, which comes before the one beside the file: rename that."
    if not isinstance(error, ModuleNotFoundError) or not name:
        lenient = kind.noun == "method" and not source.only_definitions and isinstance(error, ImportError)
        return f"Mend it and run again, or {_LENIENT}" if lenient else "Mend it and run again."
    if (root / name).is_dir():
        return f"The folder {name} beside it is a package once it holds a file __init__.py, which may be empty."
    if (own := own_module(root, name)) is not None:
        return (
            f"{own.relative_to(root)} lies beside it: import it by an import statement (import {name}), so that "
            "the workflow sees what its results are made from."
        )
    if "." in name and find_in(root, name.partition(".")[0]) is not None:
        told = f"There is no file for {name} in {root}: add it"
        return f"{told}, or {_LENIENT}" if kind.noun == "method" and not source.only_definitions else f"{told}."
    above = next((one for one in root.parents[:4] if find_in(one, name.partition(".")[0]) is not None), None)
    if above is not None and kind.noun == "method":
        return f"{name} lies in {above}: if imports start from there, set root: {above} in its entry under methods."
    return (
        f"If {name} is a package, install it into the workflow's environment ({sys.executable} -m pip "
        f"install ...); if it is a file of yours, put it beside {path.name}."
    )
