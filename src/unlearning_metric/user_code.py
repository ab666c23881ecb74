"""Runs functions of the user's: loads their file, passes arguments by name, says which line of it failed.

The file is code that runs as the user who runs the workflow.
"""

from __future__ import annotations

import ast
import copy
import difflib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_metric.contract import REQUIRED, UserCodeError, converted, unknown_option


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
    spec = importlib.util.spec_from_file_location(f"unlearning_{kind.noun}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    # Where dataclasses and pickle look for the module of a class.
    sys.modules[spec.name] = module
    # It may import the files beside it: here, and later in its function, when they come after everything else.
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise kind.error(
            f"{kind.noun} file {path.name} cannot be imported: {type(error).__name__}: {first_line(error)}"
            f"{_place(path.parent, error)}. {_import_advice(path, error)}"
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    found = getattr(module, function, None)
    if not callable(found):
        functions = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        raise kind.error(
            f"{kind.noun} file {path.name} has no function {function!r}. It defines: {', '.join(functions) or 'none'}. "
            f"Name the function {function!r}, or say in the configuration, under {kind.renamed}, what it is called: "
            "function: ..."
        )
    return found


def _is_empty(path: Path) -> bool:
    """Whether a file holds nothing but comments and a docstring."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError):
        return False
    return all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in body)


def _import_advice(path: Path, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"If {error.name} is a package, install it into the workflow's environment ({sys.executable} -m pip "
            f"install ...); if it is a file of yours, put it beside {path.name}."
        )
    return "Mend it and run again."


def first_line(error: BaseException) -> str:
    """What an exception says, without the lists that some libraries add; the log has all of it."""
    return next(iter(str(error).splitlines()), "")


def _place(folder: Path, error: BaseException) -> str:
    """The last line of the user's own files that an exception passed, as text; helpers beside the file count."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).parent == folder:
        return f" ({folder.name}/{Path(error.filename).name}, line {error.lineno}: {(error.text or '').strip()})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == folder]
    if not frames:
        return ""
    last = frames[-1]
    return f" ({folder.name}/{Path(last.filename).name}, line {last.lineno}: {last.line})"


def own_line(function: Callable[..., Any], error: BaseException) -> str:
    """The last line of a function's own files that an exception passed, as text; empty where it passed none."""
    try:
        return _place(Path(inspect.getsourcefile(inspect.unwrap(function))).parent, error)
    except TypeError:
        return ""


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
            close = difflib.get_close_matches(parameter, kind.arguments, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise kind.error(
                f"{title}: nobody can fill its parameter {parameter!r}.{hint} Give it a default, set "
                f"{where}.{parameter} in the configuration, or use one of: {', '.join(kind.arguments)}."
            )
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
            typed[option] = converted(value, default, f"{kind.options.format(name=name)}.{option}")
        except ValueError as error:
            raise kind.error(str(error)) from None
    return typed
