"""Kinds of functions of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unlearning_metric.errors import UserCodeError


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
