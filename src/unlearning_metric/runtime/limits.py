"""Stops what does not end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class OutOfTime(BaseException):
    """The time is over. No ``Exception``: code that catches every exception must not go on for ever."""


def end_process(message: str) -> None:
    """Print a message and end this process at once."""
    print(message, file=sys.stderr, flush=True)
    os._exit(1)


@contextmanager
def time_limit(
    seconds: float | None, message: str, give_up: Callable[[str], None] = end_process, grace: float = 20.0
) -> Iterator[None]:
    """Raise `OutOfTime` in a block that takes longer than ``seconds``.

    An alarm raises it in the main thread between two steps of Python, and again every second where it is caught. Where
    that cannot be, inside one long call of a library, a second thread calls ``give_up`` after ``grace`` more seconds.

    Parameters
    ----------
    seconds : None for no limit; with a limit, call it in the main thread
    message : what ``give_up`` is told
    give_up : must end the process
    """
    if seconds is None:
        yield
        return
    running = True

    def stop(signum: int, frame: object) -> None:
        if running:
            raise OutOfTime(message)

    watchdog = threading.Timer(seconds + grace, give_up, [message])
    watchdog.daemon = True
    previous = signal.signal(signal.SIGALRM, stop)
    try:
        watchdog.start()
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
        try:
            yield
        finally:
            # An alarm that comes from here on must not interrupt the cleaning up.
            running = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        watchdog.cancel()
