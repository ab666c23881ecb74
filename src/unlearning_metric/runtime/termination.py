"""A run that is told to end (SIGTERM) ends."""

from __future__ import annotations

import _thread
import signal
import threading


def handle_apart(signum: int) -> None:
    """Have the handler of a signal, where it is a function, called in a thread of its own.

    Snakemake's handler of SIGTERM (9.27) takes the scheduler's lock. Python calls handlers in the main thread, between
    two of its steps; a signal that arrives while that thread holds the lock, as it does when jobs end and are chosen,
    stopped the run for ever. From another thread the handler waits until the lock is free.

    Call it once the handler is installed. Outside the main thread, where none can be, nothing happens.
    """
    handler = signal.getsignal(signum)
    if callable(handler) and threading.current_thread() is threading.main_thread():
        # Starting a threading.Thread takes locks that the interrupted step may hold as well.
        signal.signal(signum, lambda *args: _thread.start_new_thread(handler, args))
