"""Runs functions of the user's: loads their file, passes arguments by name, says which line of it failed.

The file is code that runs as the user who runs the workflow. Python knows one module of a name, and the files of two
folders may each import a ``utils`` beside it: so the modules of a folder are loaded under a package of its own, and
their import statements name that package where they mean what lies in the folder (`local_imports.is_own`).
"""

from __future__ import annotations

import ast
import copy
import hashlib
import importlib.util
import inspect
import linecache
import os
import re
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from unlearning_metric.errors import UserCodeError
from unlearning_metric.keys.local_imports import find_in, imported_files, own_module, own_names
from unlearning_metric.keys.origin import file_fingerprint
from unlearning_metric.keys.python_source import imports
from unlearning_metric.runtime.limits import OutOfTime
from unlearning_metric.runtime.supervision import end_twin, is_order, under_way
from unlearning_metric.user_code.contract import (
    REQUIRED,
    EditedError,
    converted,
    unfillable,
    unknown_option,
)


@dataclass(frozen=True)
class Kind:
    """A kind of user's function.

    Attributes
    ----------
    noun : what it is called in messages, such as ``method``
    arguments : what it may ask for by parameter name -> what that is
    options : where the configuration sets its options, with ``{name}``, such as ``methods.{name}``
    example : first line of such a function
    renamed : where the configuration may give the function another name
    error : what is raised
    """

    noun: str
    arguments: Mapping[str, str]
    options: str
    example: str
    renamed: str
    error: type[UserCodeError]


#: How the package begins that holds the modules of a folder of the user's.
_PREFIX = "unlearning_own_"


#: File -> fingerprint that it had when it was held against the key of what this job makes.
_CHECKED: dict[str, str] = {}
#: File -> what it was compiled to when it was imported first; `anew` runs that again, whatever the file holds then.
_COMPILED: dict[str, CodeType] = {}


def expect_as_now(path: Path) -> None:
    """Refuse later imports of a file, and of those beside it that it imports, should they be edited until then."""
    _CHECKED.update((str(file), file_fingerprint(file)) for file in (path.resolve(), *imported_files(path)))


class _OwnImports(ast.NodeTransformer):
    """Import statements that mean modules of a folder name the package that those are loaded under."""

    def __init__(self, package: str, own: Collection[str]) -> None:
        self.package, self.own = package, own

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        statements = []
        for alias in node.names:
            top, dot, _ = alias.name.partition(".")
            if top not in self.own:
                statements.append(ast.Import([alias]))
            elif dot and alias.asname is None:
                # `import a.b` imports a.b and binds a.
                statements.append(self._import(alias.name, f"_{self.package}"))
                statements.append(self._import(top, top))
            else:
                statements.append(self._import(alias.name, alias.asname or top))
        return [ast.fix_missing_locations(ast.copy_location(one, node)) for one in statements]

    def _import(self, name: str, bound: str) -> ast.Import:
        return ast.Import([ast.alias(f"{self.package}.{name}", bound)])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if not node.level and node.module.partition(".")[0] in self.own:
            node.module = f"{self.package}.{node.module}"
        return node


class _OwnLoader(SourceFileLoader):
    """Loads a module of the user's, whose import statements find the modules of its own folder first.

    No byte code is kept: that of a file edited twice within a second would be taken for current.
    """

    def get_code(self, fullname: str) -> CodeType:
        if self.path in _COMPILED:
            return _COMPILED[self.path]
        tree = ast.parse(self.get_data(self.path), self.path)
        package = fullname.partition(".")[0]
        (folder,) = sys.modules[package].__path__
        tree = _OwnImports(package, own_names(imports(tree), folder)).visit(tree)
        return _COMPILED.setdefault(self.path, compile(tree, self.path, "exec", dont_inherit=True))

    def exec_module(self, module: ModuleType) -> None:
        known = self.path in _COMPILED
        if not known and _CHECKED.get(self.path, found := file_fingerprint(self.path)) != found:
            raise EditedError(
                f"{Path(self.path).name} was edited since this job began, before it was imported. Run again."
            )
        module.__dict__["__own_stamp__"] = _stamp(self.path)
        super().exec_module(module)


class _OwnFinder:
    """Finds the modules within the packages that stand for the user's folders."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(_PREFIX) or path is None:
            return None
        return next(filter(None, (find_in(folder, name, _OwnLoader) for folder in path)), None)


sys.meta_path.insert(0, _OwnFinder)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        stat = Path(path).stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _package_name(folder: Path) -> str:
    return _PREFIX + hashlib.sha256(str(folder).encode()).hexdigest()[:12]


def _drop_edited(folder: Path) -> None:
    """Have a folder's modules imported anew where one of them was edited since."""
    name = _package_name(folder)
    held = {one: module for one, module in sys.modules.items() if one.partition(".")[0] == name}
    stamps = ((getattr(module, "__own_stamp__", None), module) for module in held.values())
    if any(stamp is not None and stamp != _stamp(module.__file__) for stamp, module in stamps):
        for one in held:
            _COMPILED.pop(getattr(sys.modules.pop(one), "__file__", None), None)


def _package(folder: Path) -> str:
    """Name of the package that holds a folder's modules."""
    name = _package_name(folder)
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name


def _load(path: Path) -> ModuleType:
    """The module of a file, run unless it is loaded already."""
    stem = path.stem.replace(".", "_")
    found = find_in(path.parent, stem)
    # A package beside the file may have its name, and is what importing the name means.
    name = f"{_package(path.parent)}.{stem}{'' if found and found.origin == str(path) else '_file'}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path, loader=_OwnLoader(name, str(path)))
        module = importlib.util.module_from_spec(spec)
        # Where dataclasses and pickle look for the module of a class.
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


#: File -> the user's modules that were imported before it, and stay when it is run anew.
_BEFORE: dict[Path, frozenset[str]] = {}


def _imported() -> frozenset[str]:
    return frozenset(name for name in sys.modules if name.startswith(_PREFIX))


def anew(path: Path | str, function: str, kind: Kind) -> Callable[[], Callable[..., Any]]:
    """Import a file as `load_function` does, and return what gives its function once more, as if imported then.

    The file and those that it imports are run again as they were. So what they keep in variables, defaults and caches
    starts afresh. Modules that were there before stay, such as a net's, whose classes must remain what they are.

    Raises
    ------
    UserCodeError
        As `load_function`.
    """
    path = Path(path).resolve()
    kept = _BEFORE.setdefault(path, _imported())
    load_function(path, function, kind)
    return partial(_run_anew, path, function, kept)


def _run_anew(path: Path, function: str, kept: frozenset[str]) -> Callable[..., Any]:
    for name in _imported() - kept:
        del sys.modules[name]
        package, _, module = name.rpartition(".")
        # Where `from . import module` looks first.
        vars(sys.modules.get(package, ModuleType(name))).pop(module, None)
    return getattr(_load(path), function)


def load_function(path: Path | str, function: str, kind: Kind) -> Callable[..., Any]:
    """Import a file and return one of its functions.

    Raises
    ------
    UserCodeError
        If the file is empty, cannot be imported or has no such function.
    """
    path = Path(path).resolve()
    if _is_empty(path):
        raise kind.error(f"{kind.noun} file {path.name} is empty. Write a function into it, such as: {kind.example}")
    _drop_edited(path.parent)
    title = f"{kind.noun} file {path.name} cannot be imported"
    pid = os.getpid()
    try:
        with under_way(title, path.parent):
            module = _load(path)
        end_twin(pid)
    except BaseException as error:
        end_twin(pid)
        if not is_of_the_code(error):
            raise
        raise kind.error(
            f"{title}: {type(error).__name__}: {first_line(error)}"
            f"{_place(path.parent, error)}. {_import_advice(path, error)}"
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


def is_of_the_code(error: BaseException) -> bool:
    """Whether an exception is a failure of the code that raised it, and no order to end from outside."""
    return not isinstance(error, OutOfTime) and not is_order(error)


def _is_empty(path: Path) -> bool:
    """Whether a file holds nothing but comments and a docstring."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError):
        return False
    return all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in body)


def _import_advice(path: Path, error: BaseException) -> str:
    name = _plain(getattr(error, "name", None) or "") if isinstance(error, ImportError) else ""
    asked = getattr(getattr(error, "obj", None), "__name__", name)
    if asked in sys.stdlib_module_names and find_in(path.parent, asked) is not None:
        return f"The standard library has a module {asked}, which comes before the one beside the file: rename that."
    if not isinstance(error, ModuleNotFoundError) or not name:
        return "Mend it and run again."
    if (path.parent / name).is_dir():
        return f"The folder {name} beside it is a package once it holds a file __init__.py, which may be empty."
    if (own := own_module(path.parent, name)) is not None:
        return (
            f"{own.relative_to(path.parent)} lies beside it: import it by an import statement (import {name}), so that "
            "the workflow sees what its results are made from."
        )
    return (
        f"If {name} is a package, install it into the workflow's environment ({sys.executable} -m pip "
        f"install ...); if it is a file of yours, put it beside {path.name}."
    )


def _plain(text: str) -> str:
    """Text with the names that the user's modules have in their own files."""
    return re.sub(rf"{_PREFIX}[0-9a-f]+\.", "", text)


def first_line(error: BaseException) -> str:
    """What an exception says, without the lists that some libraries add; the log has all of it."""
    return _plain(next(iter(str(error).strip().splitlines()), ""))


def _place(folder: Path, error: BaseException) -> str:
    """The last line of the user's own files that an exception passed, as text; what lies beside the file counts."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(folder):
        return _line(folder, error.filename, error.lineno, (error.text or "").strip())
    package, last = f"{_package_name(folder)}.", None
    for frame, number in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        # Code that was made at run time, as that of a dataclass, has no file.
        own = str(frame.f_globals.get("__name__")).startswith(package) and Path(file).is_relative_to(folder)
        if own or Path(file).parent == folder:
            last = file, number
    if last is None:
        return ""
    return _line(folder, *last, linecache.getline(*last).strip())


def _line(folder: Path, file: str, number: int | None, text: str) -> str:
    shown = Path(folder.name) / Path(file).relative_to(folder)
    return f" ({shown}, line {number}: {text})"


def folder_of(function: Callable[..., Any]) -> Path | None:
    """Folder of a function's own files; None for one of no file, such as one made by functools.partial."""
    try:
        function = inspect.unwrap(function)
        package = sys.modules.get(function.__module__.partition(".")[0])
        if package is not None and package.__name__.startswith(_PREFIX):
            return Path(package.__path__[0])
        return Path(inspect.getsourcefile(function)).parent
    except (TypeError, AttributeError):
        return None


def own_line(function: Callable[..., Any], error: BaseException) -> str:
    """The last line of a function's own files that an exception passed, as text; empty where it passed none."""
    folder = folder_of(function)
    return "" if folder is None else _place(folder, error)


def bind(
    function: Callable[..., Any],
    options: Mapping[str, Any],
    kind: Kind,
    name: str = "",
    unavailable: Mapping[str, str] | None = None,
) -> list[str]:
    """Check that every parameter of a function can be filled; the names the harness has to fill.

    Parameters
    ----------
    function : the user's function
    options : what the configuration sets
    name : name of the method, for messages
    unavailable : argument that cannot be filled in this run -> why, and what to do; its default, if any, is left to it

    Raises
    ------
    UserCodeError
        For a parameter nobody can fill, or an option the function does not take.
    """
    unavailable, title, where = unavailable or {}, f"{kind.noun} {name}".strip(), kind.options.format(name=name)
    parameters = inspect.signature(function).parameters
    kinds = inspect.Parameter
    named = {n: p for n, p in parameters.items() if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)}
    positional_only = [n for n, p in named.items() if p.kind is kinds.POSITIONAL_ONLY]
    if positional_only:
        raise kind.error(f"{title}: parameter {positional_only[0]!r} is positional-only; name it plainly.")
    tunable = [n for n in named if n not in kind.arguments]
    open_ended = any(p.kind is kinds.VAR_KEYWORD for p in parameters.values())
    for option in options:
        if option in kind.arguments:
            raise kind.error(f"{where}.{option}: {option!r} is filled by the harness and cannot be set.")
        if option not in tunable and not open_ended:
            raise kind.error(f"{where}.{option}: {unknown_option(option, named, kind.noun, kind.arguments)}")
    for parameter in tunable:
        if named[parameter].default is kinds.empty and parameter not in options:
            raise kind.error(unfillable(parameter, title, where, kind.arguments))
    asked = [n for n in named if n in kind.arguments]
    for argument in asked:
        if argument in unavailable and named[argument].default is kinds.empty:
            raise kind.error(f"{title} asks for {argument}: {unavailable[argument]}")
    return [n for n in asked if n not in unavailable]


def typed_options(
    function: Callable[..., Any], options: Mapping[str, Any], kind: Kind, name: str = ""
) -> dict[str, Any]:
    """Options with those given as text in the type of their parameter's default.

    Raises
    ------
    UserCodeError
        If the text is none of that type.
    """
    parameters = inspect.signature(function).parameters
    typed = {}
    for option, value in copy.deepcopy(dict(options)).items():
        default = parameters[option].default if option in parameters else None
        default = REQUIRED if default is inspect.Parameter.empty else default
        try:
            typed[option] = converted(value, default, f"{kind.options.format(name=name)}.{option}", kind.noun)
        except ValueError as error:
            raise kind.error(str(error)) from None
    return typed
