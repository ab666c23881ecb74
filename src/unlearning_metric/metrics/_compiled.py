"""How the metrics' kernels are compiled, and where the machine code is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numba

from unlearning_metric.host.private_folder import PrivateFolderError, private_folder


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``numba.njit`` for threads, with the machine code kept for the next process wherever this one may write.

    numba keeps it beside the source or in the user's home, and refuses to compile where neither can be written, as in a
    container that runs under a user id of its own. Then it is kept with the temporary files, or, where that cannot be
    either, not at all: each process compiles again, which takes some seconds.
    """
    with suppress(RuntimeError):
        return numba.njit(cache=True, nogil=True)(function)
    with suppress(RuntimeError, OSError, PrivateFolderError):
        numba.config.CACHE_DIR = str(private_folder("unlearning-metric-numba"))
        return numba.njit(cache=True, nogil=True)(function)
    return numba.njit(nogil=True)(function)
