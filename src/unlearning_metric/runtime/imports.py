"""How a job imports what it needs: without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Collect no garbage while modules are imported, nor ever what was imported.

    PyTorch makes hundreds of thousands of objects that live as long as the process. The collector would walk them again
    and again, and once more at the process's end: a third of a small job's time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
