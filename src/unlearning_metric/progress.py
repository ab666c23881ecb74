"""What a job tells the person who waits for it, and what it records about itself."""

from __future__ import annotations

import json
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from unlearning_metric import __version__
from unlearning_metric.errors import UserCodeError, UserError, plain
from unlearning_metric.host.mps import mps_runs
from unlearning_metric.keys.origin import code_fingerprint

LOGGER = logging.getLogger("unlearning_metric")
#: Set where the terminal shows a summary of all jobs: of a job it gets warnings and failures alone, the log file all.
QUIET = "UNLEARNING_METRIC_QUIET"


class Recipe(Protocol):
    """The ``training`` part of the configuration, as far as a record of a run tells it."""

    @property
    def engine(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def tf32(self) -> bool: ...
    @property
    def compile(self) -> bool: ...
    @property
    def file(self) -> str | None: ...


class GpuMemoryError(UserError, RuntimeError):
    """A GPU has too little memory for a job."""


def _with_advice(error: BaseException) -> BaseException:
    """An exception; one that comes from a GPU's memory as one message that says what to lower."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    # By name: most jobs never load torch.
    if not any(type(cause).__name__ == "OutOfMemoryError" for cause in causes):
        return error
    said = next(iter(str(error).splitlines()), "").split(" GPU 0 has")[0]
    advised = GpuMemoryError(
        f"the GPU is out of memory ({said}). Lower jobs_per_gpu, so that fewer jobs share a GPU; or "
        "training.batch_size or a method's own; or, with training.engine: stacked, shard_size; or take a GPU with more "
        "memory. Finished jobs are kept."
    )
    advised.__cause__ = error
    return advised


def _message_alone(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What the interpreter prints of an exception that ends a job and says itself what is wrong and what to do."""
    print(f"{kind.__name__}: {plain(str(error))}", file=sys.stderr)


class _PlainFormatter(logging.Formatter):
    """Shows what would steer a terminal as text, wherever it comes from."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


def print_anyway() -> None:
    """Have what this process prints never fail for letters that the terminal's encoding lacks: they are escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def job_log(path: Path | str, key: str = "") -> Iterator[logging.Logger]:
    """Send this job's log lines to its log file and to the terminal; an exception is written to both.

    An exception is also kept beside the log, with the job's ``key``, for `failure`. One of this package's own is a
    message for the user: of it the terminal gets the message alone, and the log also what a user's code raised.

    Raises
    ------
    GpuMemoryError
        In place of an exception from a GPU's memory.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    forget_failure(path)
    print_anyway()
    in_file = logging.FileHandler(path, mode="w", encoding="utf-8", errors="backslashreplace")
    handlers: list[logging.Handler] = [in_file, logging.StreamHandler(sys.stderr)]
    for handler in handlers:
        handler.setFormatter(_PlainFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
        LOGGER.addHandler(handler)
    if os.environ.get(QUIET):
        handlers[1].setLevel(logging.WARNING)
    LOGGER.setLevel(logging.INFO)
    try:
        yield LOGGER
    except Exception as raised:
        error = _with_advice(raised)
        _record_failure(path, key, str(error) or type(error).__name__)
        # The terminal gets its part from the interpreter.
        LOGGER.removeHandler(handlers[1])
        if isinstance(error, UserError):
            cause = error.__cause__ if isinstance(error, (UserCodeError, GpuMemoryError)) else None
            LOGGER.error("failed: %s", error, exc_info=cause)
            sys.excepthook = _message_alone
        else:
            LOGGER.error("failed", exc_info=error)
        if error is raised:
            raise
        raise error from raised
    finally:
        for handler in handlers:
            LOGGER.removeHandler(handler)
            if handler is handlers[0]:
                handler.close()


def _failure_record(log: Path | str) -> Path:
    return Path(log).with_suffix(".failed.json")


def _record_failure(log: Path | str, key: str, message: str) -> None:
    _failure_record(log).write_text(json.dumps({"key": key, "message": message}), encoding="utf-8")


def report_failure(log: Path | str, key: str, message: str) -> None:
    """Say in log, terminal and the record for `failure` why a job failed that could not say it itself."""
    _record_failure(log, key, message)
    said = f"failed: {plain(message)}"
    print(said, file=sys.stderr, flush=True)
    with open(log, "a", encoding="utf-8", errors="backslashreplace") as lines:
        print(time.strftime("%H:%M:%S"), said, file=lines)


def forget_failure(log: Path | str) -> None:
    """Drop the record of a failure, such as that of a job that was told to end."""
    _failure_record(log).unlink(missing_ok=True)


def failure(log: Path | str, key: str) -> str | None:
    """Why the job of a log failed when it last ran with this key; None if it did not."""
    record_file = _failure_record(log)
    try:
        # A pipe in its place would be waited for.
        record = json.loads(record_file.read_text(encoding="utf-8")) if record_file.is_file() else {}
        return plain(record["message"]) if record.get("key") == key else None
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return None


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


class Progress:
    """Logs ``model i of n``, seconds a model and time left, at most every ``interval`` seconds."""

    def __init__(self, what: str, total: int, interval: float = 5.0) -> None:
        self.what, self.total, self.interval = what, total, interval
        self._start = self._last = time.monotonic()
        self._done = 0

    def step(self) -> None:
        """One model is finished."""
        self._done += 1
        now = time.monotonic()
        if self._done in (1, self.total) or now - self._last >= self.interval:
            self._last = now
            each = (now - self._start) / self._done
            left = clock(each * (self.total - self._done))
            LOGGER.info("%s: model %d of %d, %.2f s a model, %s left", self.what, self._done, self.total, each, left)


def installed_version(package: str) -> str:
    """Version of a package; this one knows its own, also where it is used from its source tree."""
    if package == "unlearning-metric":
        return __version__
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def run_record(device: str, recipe: Recipe | None = None) -> dict[str, Any]:
    """Where and with what a job ran: never part of a key or of a canonical document.

    Parameters
    ----------
    recipe : the ``training`` part of the configuration, for a job with models
    """
    packages = ("unlearning-metric", "torch", "torchvision", "numpy", "scikit-learn", "numba")
    versions = {"python": platform.python_version(), **{name: installed_version(name) for name in packages}}
    record: dict[str, Any] = {
        "host": platform.node(),
        "system": platform.platform(),
        "device": device,
        "code": code_fingerprint(),
        "versions": versions,
        "threads": int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    if recipe is not None:
        record |= {name: getattr(recipe, name) for name in ("engine", "precision", "tf32", "compile")}
        if recipe.file is not None:
            record |= {"engine": Path(recipe.file).name}
    if device == "cuda":
        import torch

        record["gpu"] = torch.cuda.get_device_name(0)
        record["gpu_id"] = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        record["mps"] = mps_runs()
    return record


def commit() -> str | None:
    """The commit of the checkout this package is installed from, if it is one."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
