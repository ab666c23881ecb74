"""Which parameters of a user's function are filled by whom."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from unlearning_metric.user_code.contract import unfillable, unknown_option
from unlearning_metric.user_code.kind import Kind
from unlearning_metric.user_code.option_values import converted
from unlearning_metric.user_code.signature import REQUIRED


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
