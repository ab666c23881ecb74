"""Calls of a user's function, with a message that says what failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from unlearning_metric.errors import UserCodeError
from unlearning_metric.runtime.supervision import end_twin, is_interrupted, under_way
from unlearning_metric.user_code.failures import first_line, folder_of, is_of_the_code, own_line


@contextmanager
def user_code_runs(
    what: str,
    function: Callable[..., Any],
    error: type[UserCodeError],
    advice: Callable[[BaseException], str] = lambda raised: "",
) -> Iterator[None]:
    """Run a user's function in the block, and turn whatever it raises into a message.

    Parameters
    ----------
    what : beginning of the message, such as ``method mine failed on copy 3 (seed 7)``
    function : the user's function
    error : what is raised
    advice : what else to say of an exception

    Raises
    ------
    UserCodeError
        Names the line of the user's file; the function's own exception is its cause.
    KeyboardInterrupt
        If somebody told the job to end, whatever the function made of that: it may have cut its work short.
    """
    pid = os.getpid()
    try:
        with under_way(what, folder_of(function) or ""):
            yield
    except BaseException as raised:
        end_twin(pid)
        if not is_of_the_code(raised):
            raise
        said = ": ".join(filter(None, (type(raised).__name__, first_line(raised))))
        raise error(f"{what}: {said}{_ended(own_line(function, raised), advice(raised))}") from raised
    end_twin(pid)
    if is_interrupted():
        raise KeyboardInterrupt


def _ended(line: str, advice: str) -> str:
    """A line of the user's code and advice, with a full stop between them."""
    return f"{line}.{advice}" if line and advice else f"{line}{advice}"
