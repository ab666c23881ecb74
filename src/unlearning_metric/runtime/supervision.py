"""A job that runs code of the user's has a process of its own, and another one that sees it to its end.

A method may end its process, hang it within a library, or leave threads, children and exit handlers behind. None of
that can be mended from within. So the job runs in a child of the process that Snakemake started. The parent

- says how the child ended where that could not say it itself, and on which copy;
- kills it where it is late, where it does not end although its work is done, and at the second Ctrl-C;
- kills what the job leaves running, and removes what it leaves in the temporary folder.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import os
import re
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unlearning_metric.progress import forget_failure, report_failure
from unlearning_metric.runtime.processes import end_descendants, ended, how, leave, pipe, prctl

#: Seconds that a child has to end once it is told to, or is done: for clean-up, and for exit handlers.
GRACE = 20.0
#: Seconds that processes which outlive the job have to end by themselves.
PATIENCE = 1.0

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# From linux/prctl.h.
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36


class _Shared(ctypes.Structure):
    """What parent and child know of each other; times are of ``time.monotonic``, 0 for none."""

    _fields_ = (
        ("done", ctypes.c_double),
        ("deadline", ctypes.c_double),
        ("status", ctypes.c_int),
        ("interrupted", ctypes.c_bool),
        ("doing", ctypes.c_char * 1000),
        ("folder", ctypes.c_char * 4100),
        ("late", ctypes.c_char * 1000),
    )


def _shared_memory() -> _Shared:
    return _Shared.from_buffer(mmap.mmap(-1, ctypes.sizeof(_Shared)))


#: Of this process alone until `supervised` has a parent look at it.
_shared = _Shared()
_scratch: str | None = None
#: Whether this process got SIGINT.
_heard = False


def _text(value: str, field: str) -> bytes:
    # One byte is the end of the text.
    return value.encode(errors="replace")[: getattr(_Shared, field).size - 1]


@contextmanager
def under_way(doing: str, folder: Path | str = "") -> Iterator[None]:
    """Say what fails if the process ends within the block.

    Parameters
    ----------
    doing : beginning of the message, such as ``method mine failed on copy 3 (seed 7)``
    folder : of the user's files, whose line is named where a crash tells it
    """
    before = _shared.doing, _shared.folder
    _shared.doing, _shared.folder = _text(doing, "doing"), _text(str(folder), "folder")
    try:
        yield
    finally:
        _shared.doing, _shared.folder = before


@contextmanager
def deadline(seconds: float, late: str) -> Iterator[None]:
    """Have the process killed `GRACE` seconds after a time, if the block goes on for so long; ``late`` says why."""
    _shared.late = _text(late, "late")
    _shared.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        _shared.deadline = 0.0


def is_interrupted() -> bool:
    """Whether somebody told this job to end (Ctrl-C), whatever its code made of it; a signal of its own is no order."""
    until = time.monotonic() + 0.5
    # On a terminal the parent has the signal too, and may hear of it a moment later.
    while _heard and not _shared.interrupted and time.monotonic() < until:
        time.sleep(0.01)
    return _shared.interrupted


def is_order(error: BaseException) -> bool:
    """Whether an exception comes from somebody who told this job to end."""
    return isinstance(error, KeyboardInterrupt) and (_scratch is None or is_interrupted())


def _hear(signum: int, frame: object) -> None:
    global _heard
    _heard = True
    signal.default_int_handler(signum, frame)


def scratch_folder() -> str:
    """A new temporary folder, which goes with the job at the latest."""
    return tempfile.mkdtemp(prefix="unlearning-metric-", dir=_scratch)


@contextmanager
def supervised(log: Path | str, key: str = "") -> Iterator[None]:
    """Run the block in a child process, which ends with it; the parent leaves the program with the child's exit status.

    Enter it before a library starts a thread. How a child ended that could not say so itself stands in the log and in
    the job's record of failures, see `progress.failure`.

    Parameters
    ----------
    log, key : as for `progress.job_log`
    """
    global _shared, _scratch
    _shared, _scratch = _shared_memory(), None
    _scratch = scratch_folder()
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    prctl(_SET_CHILD_SUBREAPER, 1)
    sys.stdout.flush()
    sys.stderr.flush()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    parent, child = os.getpid(), os.fork()
    if child:
        try:
            status = _Watch(child, _shared, log, key).to_the_end(blocked)
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            shutil.rmtree(_scratch, ignore_errors=True)
        sys.stderr.flush()
        os._exit(status)
    child = os.getpid()
    prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _hear)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    faulthandler.enable(open(log, "a", encoding="utf-8"))  # noqa: SIM115 (open as long as the process lives)
    status = 1
    try:
        yield
        status = 0
    except KeyboardInterrupt as error:
        if is_order(error):
            # Whoever pressed the keys knows.
            sys.excepthook = lambda *_: None
        raise
    finally:
        end_twin(child)
        _shared.status, _shared.done = status, time.monotonic()
    leave()


def end_twin(pid: int) -> None:
    """End a process that a user's function made of this one by ``os.fork`` and let go on; ``pid`` was this one's."""
    if os.getpid() != pid:
        os._exit(0)


class _Watch:
    """The parent's side: waits for a child, and for reasons to kill it."""

    def __init__(self, child: int, shared: _Shared, log: Path | str, key: str) -> None:
        self.child, self.shared, self.log, self.key = child, shared, log, key
        self.told: list[int] = []
        self.told_by, self.told_at, self.stop_at = 0, 0.0, 0.0
        self.killed_for = ""

    def to_the_end(self, blocked: set[int]) -> int:
        """Exit status of the job, whose processes have all ended; signals ``blocked`` stay so."""
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else pipe()
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for signum in _ENDING:
            # A program started by nohup ignores some.
            if signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, lambda number, _: self.told.append(number))
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        while (status := ended(self.child)) is None:
            self._listen()
            self._kill_if_due(time.monotonic())
            select.select([woken], [], [], 0.2 if self.shared.deadline or self.shared.done else 1.0)
            with suppress(BlockingIOError):
                os.read(woken, 4096)
        self._listen()
        end_descendants(PATIENCE, GRACE)
        return self._verdict(status)

    def _listen(self) -> None:
        """Take note of signals that tell the job to end."""
        while self.told:
            signum, now = self.told.pop(0), time.monotonic()
            self.shared.interrupted = True
            if signum == signal.SIGINT:
                # On a terminal the child got it too, and may end what it is at; at the second one it must.
                self.stop_at = now if self.told_at else now + GRACE
            else:
                with suppress(ProcessLookupError):
                    os.kill(self.child, signum)
                self.stop_at = now + min(GRACE, 5.0)
            self.told_by, self.told_at = self.told_by or signum, self.told_at or now

    def _kill_if_due(self, now: float) -> None:
        shared = self.shared
        reasons = {
            "told": self.stop_at and now >= self.stop_at,
            "done": shared.done and now > shared.done + GRACE,
            "late": shared.deadline and not shared.done and now > shared.deadline + GRACE,
        }
        self.killed_for = self.killed_for or next((name for name, due in reasons.items() if due), "")
        if self.killed_for:
            with suppress(ProcessLookupError):
                os.kill(self.child, signal.SIGKILL)

    def _verdict(self, status: int) -> int:
        """Exit status of the job, whose child ended with ``status``; says what the child did not."""
        shared = self.shared
        if shared.done and shared.status == 0:
            if self.killed_for == "done":
                self._note(
                    "warning: a thread or an exit handler that code of yours left had not ended "
                    f"{GRACE:.0f} s after the job's work was done, and was ended. The results are whole"
                )
            return 0
        if self.told_at and not 0 < shared.done < self.told_at:
            forget_failure(self.log)
            return 128 + self.told_by
        if shared.done:
            return status if status > 0 else 1
        if self.killed_for == "late":
            report_failure(self.log, self.key, shared.late.decode(errors="replace"))
            return 1
        doing = shared.doing.decode(errors="replace") or "the job failed"
        report_failure(self.log, self.key, f"{doing}: {how(status)}{self._place(status)}.")
        return 1

    def _note(self, text: str) -> None:
        print(text, file=sys.stderr)
        with open(self.log, "a", encoding="utf-8") as log:
            print(text, file=log)

    def _place(self, status: int) -> str:
        """The user's line that a crash came from, where Python could tell it, as text."""
        folder = self.shared.folder.decode(errors="replace")
        if status >= 0 or not folder:
            return ""
        told = Path(self.log).read_text(encoding="utf-8", errors="replace")
        for file, number in re.findall(r'^  File "(.+)", line (\d+) in ', told, re.MULTILINE):
            if Path(file).is_relative_to(folder):
                return f" ({Path(folder).name}/{Path(file).relative_to(folder)}, line {number})"
        return ""
