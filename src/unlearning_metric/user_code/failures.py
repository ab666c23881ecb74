"""What a failure of the user's code says, and on which line of theirs."""

from __future__ import annotations

import inspect
import linecache
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unlearning_metric.runtime.limits import OutOfTime
from unlearning_metric.runtime.supervision import is_order
from unlearning_metric.user_code.own_modules import PREFIX


def is_of_the_code(error: BaseException) -> bool:
    """Whether an exception is a failure of the code that raised it, and no order to end from outside."""
    return not isinstance(error, OutOfTime) and not is_order(error)


def plain(text: str) -> str:
    """Text with the names that the user's modules have in their own files."""
    return re.sub(rf"{PREFIX}[0-9a-f]+\.", "", text)


def first_line(error: BaseException) -> str:
    """What an exception says, without the lists that some libraries add; the log has all of it."""
    return plain(next(iter(str(error).strip().splitlines()), ""))


def place_in(folder: Path, error: BaseException) -> str:
    """The last line of the user's own files that an exception passed, as text; what lies beside the file counts."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(folder):
        return _line(folder, error.filename, error.lineno, (error.text or "").strip())
    last = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        # Code that was made at run time, as that of a dataclass, has no file.
        own = str(frame.f_globals.get("__name__")).startswith(PREFIX) and Path(file).is_relative_to(folder)
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
        if package is not None and package.__name__.startswith(PREFIX):
            return Path(package.__path__[0])
        return Path(inspect.getsourcefile(function)).parent
    except (TypeError, AttributeError):
        return None


def own_line(function: Callable[..., Any], error: BaseException) -> str:
    """The last line of a function's own files that an exception passed, as text; empty where it passed none."""
    folder = folder_of(function)
    return "" if folder is None else place_in(folder, error)
