"""Stops what does not end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from unlearning_metric.runtime.supervision import deadline


class OutOfTime(BaseException):
    """The time is over. No ``Exception``: code that catches every exception must not go on for ever."""


@contextmanager
def time_limit(seconds: float | None, message: str) -> Iterator[None]:
    """Raise `OutOfTime` in a block that takes longer than ``seconds``.

    An alarm raises it in the main thread between two steps of Python, and again every second where it is caught. Where
    that cannot be, inside one long call of a library, a supervised process is killed (`supervision.deadline`).

    Parameters
    ----------
    seconds : None for no limit; with a limit, call it in the main thread
    message : why the process was killed
    """
    if seconds is None:
        yield
        return
    running = True

    def stop(signum: int, frame: object) -> None:
        if running:
            raise OutOfTime(message)

    previous = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
        try:
            with deadline(seconds, message):
                yield
        finally:
            # An alarm that comes from here on must not interrupt the cleaning up.
            running = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
