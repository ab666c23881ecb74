"""How processes ended, and those that they leave behind."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn


def how(status: int) -> str:
    """How a process ended, from its exit status; negative for a signal."""
    if status >= 0:
        return f"it ended its process (exit status {status}), as os._exit does"
    name = signal.Signals(-status).name
    if -status == signal.SIGKILL:
        return f"its process was killed ({name}), by the system where memory is short, or by hand"
    return f"its process crashed ({name}); the log tells where"


def ended(child: int) -> int | None:
    """Exit status of a child; None while it runs. Processes of its own that it left are taken off the list."""
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return None
            if pid == child:
                return os.waitstatus_to_exitcode(status)
    return None


def end_descendants(patience: float, grace: float) -> None:
    """Wait for all processes below this one, and kill those that go on; Linux alone tells which those are.

    Parameters
    ----------
    patience : seconds until they are killed
    grace : seconds that they are waited for then
    """
    start = time.monotonic()
    while _reap() and time.monotonic() < start + patience + grace:
        if time.monotonic() > start + patience:
            for pid in _descendants(os.getpid()):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _reap() -> bool:
    """Take ended children off the list; whether others go on."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in brackets may hold anything.
            parents.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found[1:]


def pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def prctl(option: int, value: int) -> None:
    """Ask the kernel for something of this process; nothing happens on another one than Linux."""
    call: Callable[..., int] | None = getattr(ctypes.CDLL(None), "prctl", None)
    if call is not None:
        call(option, value, 0, 0, 0)


def leave(status: int = 0) -> NoReturn:
    """End this process with an exit status, as Python does, but for what no one would notice.

    Threads are waited for, exit handlers run, and what was printed is written. Python would then take apart all that
    was imported, object by object: a second for PyTorch, and most of what a small job costs in a fork of a process that
    holds it, since each object that is touched is first copied. The system frees the memory at once.
    """
    # What the interpreter itself calls first and second when it ends.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # What libraries in C have printed.
    ctypes.CDLL(None).fflush(None)
    os._exit(status)
