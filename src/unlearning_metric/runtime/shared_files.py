"""Files that a copy of a method reads although an earlier one wrote them.

Each copy has a working folder of its own, so what goes by a relative path stays apart. What goes by an absolute one, or
into a folder that the project has, is seen by all: a mask that copy 0 computes and keeps is then everybody's.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: When this job began, seconds.
_BEGAN = time.time()
#: File systems stamp a file with a clock that may be this far behind, seconds.
_CLOCK = 0.02
#: Places of caches and of the system, which hold nothing of a method's.
_NOT_ITS = (f"{os.sep}__pycache__{os.sep}", f"{os.sep}.cache{os.sep}", "/proc/", "/dev/", "/sys/")

#: Files of earlier copies that the one that runs opened, and when it began; None while none runs.
_found: tuple[set[str], float] | None = None
_installed = False


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or _found is None:
        return
    path, mode, flags = arguments
    if not isinstance(path, str | bytes | os.PathLike) or not _only_reads(mode, flags):
        return
    found, began = _found
    try:
        file = os.path.realpath(os.fsdecode(path))
        told = os.stat(file)
    except (OSError, ValueError):
        return
    of_earlier_copy = stat.S_ISREG(told.st_mode) and _BEGAN < told.st_mtime < began - _CLOCK
    if of_earlier_copy and not any(place in file for place in _NOT_ITS):
        found.add(file)


def _only_reads(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return not set(mode) & set("wax+")
    return isinstance(flags, int) and flags & os.O_ACCMODE == os.O_RDONLY


@contextmanager
def files_of_earlier_copies() -> Iterator[set[str]]:
    """Gather the files that the block opens for reading and that were written between the job's begin and the block's.

    Those that a process of its own reads are not seen.
    """
    global _found, _installed
    if not _installed:
        # There is no way to take one out again.
        sys.addaudithook(_on_event)
        _installed = True
    outer, found = _found, set[str]()
    _found = found, time.time()
    try:
        yield found
    finally:
        _found = outer
