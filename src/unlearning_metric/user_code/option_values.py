"""Hyper-parameters that were given as text, in the type of their defaults."""

from __future__ import annotations

import math
import re
from typing import Any

from unlearning_metric.user_code.signature import COMPUTED

# What YAML 1.1 reads as text although every other language reads a number.
EXPONENT_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")


def converted(value: Any, default: Any, where: str, noun: str = "method") -> Any:
    """A hyper-parameter as its default's type says, where it was given as text; anything else as it is.

    Values given on the command line are text, and YAML reads ``1e-3`` as text.

    Parameters
    ----------
    value : what the configuration holds
    default : the parameter's default; None, `REQUIRED` and `COMPUTED` tell no type
    where : the key, for the message
    noun : whose file the default is in, for the message

    Raises
    ------
    ValueError
        If the text is none of that type, or looks like a number where no default tells the type.
    """
    if isinstance(value, list) and isinstance(default, list | tuple) and default:
        return [converted(item, default[0], f"{where}[{place}]", noun) for place, item in enumerate(value)]
    if not isinstance(value, str) or isinstance(default, str) or default is COMPUTED:
        return value
    for kind, read, expected in _READERS:
        if isinstance(default, kind):
            try:
                return read(value)
            except (KeyError, ValueError):
                raise ValueError(
                    f'{where}: "{value}" is not allowed. Expected {expected}, like the default {default!r} in the '
                    f"{noun}'s file."
                ) from None
    if default is None and value == "null":
        return None
    if EXPONENT_NUMBER.fullmatch(value):
        raise ValueError(
            f"{where}: YAML reads {value} as text, not as a number, and no default in the {noun}'s file tells the "
            f"type. Write {_with_point(value)}"
        )
    return value


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _not_from_text(text: str) -> Any:
    raise ValueError(text)


# In this order, since True is an int.
_READERS = (
    (bool, _truth, "true or false"),
    (int, int, "an integer"),
    (float, _finite, "a number"),
    ((list, tuple), _not_from_text, "a list"),
    (dict, _not_from_text, "a mapping"),
)


def _with_point(number: str) -> str:
    """Write 1e3 as 1.0e+3, the form which YAML 1.1 reads as a number."""
    mantissa, exponent = re.split("[eE]", number)
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{exponent if exponent[0] in '+-' else f'+{exponent}'}"
