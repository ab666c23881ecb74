"""The work of a score in parts: in threads where the job has several, and with a line in the log now and then."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from unlearning_metric.progress import LOGGER, clock

Item = TypeVar("Item")
Result = TypeVar("Result")
#: Seconds between two lines.
INTERVAL = 5.0


def threads() -> int:
    """Threads of this process: what the job was given, else the cores it may use."""
    return int(os.environ.get("OMP_NUM_THREADS", 0)) or len(os.sched_getaffinity(0))


def in_parts(what: str, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """``function`` of every item, in order; the log says how far ``what`` is.

    Compiled functions and numpy's release the interpreter, so that threads work side by side. Every part is computed
    by itself: the number of threads changes no number.
    """
    items = list(items)
    if threads() == 1 or len(items) < 2:
        return list(_logged(what, map(function, items), len(items)))
    with ThreadPoolExecutor(threads()) as pool:
        return list(_logged(what, pool.map(function, items), len(items)))


def _logged(what: str, results: Iterator[Result], total: int) -> Iterator[Result]:
    start = last = time.monotonic()
    for done, result in enumerate(results, 1):
        yield result
        now = time.monotonic()
        if now - last >= INTERVAL and done < total:
            last = now
            left = (now - start) / done * (total - done)
            LOGGER.info("%s: part %d of %d, %s left", what, done, total, clock(left))
