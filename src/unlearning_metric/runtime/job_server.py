"""Jobs of a run on this computer load PyTorch once: each runs in a fork of a process that has loaded the libraries.

Loading them is most of a small job. Snakemake runs a script as ``<Python> <script>``, and `start` says what takes
Python's place there:

    python job_server.py ask SOCKET SCRIPT ...   has the script run by the server, and ends as it ended
    python job_server.py serve SOCKET            loads the libraries, then runs what it is asked for, each in a fork

Where no server answers, not yet or no more, ``ask`` runs the script as Python does, so none is waited for and none is
missed. The server ends with the run; jobs that still run then go on, as they do without it. A job of whose ``ask``
nothing is left is killed.

Beforehand is loaded what most jobs need: libraries and this package, which no run changes under its jobs (a job whose
package was edited since the run began stops). Linux alone has what this needs.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping

#: Names the socket of a server that is to be used, in place of one of the run's own.
SERVER = "UNLEARNING_METRIC_JOB_SERVER"
#: What jobs on models and scores import.
LIBRARIES = (
    "torch",
    "safetensors.torch",
    "pyarrow.parquet",
    "pandas",
    "pydantic.json_schema",
    "pydantic.type_adapter",
    "yaml",
    "numba",
    "scipy.special",
    "snakemake.script",
    "unlearning_metric.upkeep.handover",
    "unlearning_metric.jobs.train",
    "unlearning_metric.jobs.unlearn",
    "unlearning_metric.jobs.dump_losses",
    "unlearning_metric.jobs.score",
)
#: What later jobs need, some of it one alone, when it keeps everybody waiting: loaded while nobody asks for anything.
#: What stands behind a colon is called.
LATER = (
    "unlearning_metric.metrics.compile_kernels:compile_kernels",
    "matplotlib.pyplot",
    "seaborn",
    "fontTools.subset",
    "jinja2",
)
#: Seconds without a request after which the next of those is loaded.
IDLE = 1.0
#: Jobs from which on a server costs less than it saves.
ENOUGH = 8
#: Seconds in which a process that has connected says what it wants.
PATIENCE = 10.0
#: Seconds for which a run that has ended waits until its server has.
CLOSING = 2.0
#: Bytes of a folder that a socket's name has room for, with what is added to it.
_LONGEST_FOLDER = 55
_FORWARDED = (signal.SIGTERM, signal.SIGHUP)


def start(python: str, jobs: int) -> str:
    """Start a server that ends with this process, where that is worth it.

    Parameters
    ----------
    python : the interpreter of the jobs
    jobs : how many there are to run

    Returns
    -------
    command : what runs a script as that interpreter does, as a shell reads it
    """
    import shlex

    place = os.environ.get(SERVER) or (in_background(python) if jobs >= ENOUGH else None)
    return shlex.join([python, "-I", "-S", __file__, "ask", place] if place else [python])


def in_background(python: str) -> str | None:
    """Start a server that ends with this process; its socket, or None where there can be none."""
    import atexit
    import subprocess
    import tempfile
    from contextlib import suppress

    if sys.platform != "linux" or len(os.fsencode(tempfile.gettempdir())) > _LONGEST_FOLDER:
        return None
    place = os.path.join(tempfile.mkdtemp(prefix="unlearning-metric-jobs-"), "socket")
    # The pipe is never written to: it closes with this process, however that ends.
    server = subprocess.Popen([python, __file__, "serve", place], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def close() -> None:
        # One that is loading something ends once it has.
        with suppress(subprocess.TimeoutExpired):
            server.communicate(timeout=CLOSING)

    atexit.register(close)
    return place


def ask(place: str, script: list[str]) -> None:
    """Have a script run with this process's streams, folder and environment, and end as it ended."""
    import json

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(place)
            socket.send_fds(connection, [b"."], [0, 1, 2])
            request = {"script": script, "folder": os.getcwd(), "environment": dict(os.environ), "umask": _umask()}
            connection.sendall(json.dumps(request).encode() + b"\n")
            answers = connection.makefile("r")
            child = int(answers.readline())
        except (OSError, ValueError):
            os.execv(sys.executable, [sys.executable, *script])
        # The job is of the same process group and hears a Ctrl-C by itself; twice would mean: at once.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for signum in _FORWARDED:
            # A program started by nohup ignores some.
            if signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, lambda number, _: os.kill(child, number))
        status = int(answers.readline() or -signal.SIGKILL)
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def serve(place: str) -> list[str]:
    """Answer until the process that started this one is gone. Returns, in a fork that is to run one, a script."""
    # The folder of this file, where modules of this package would be taken for libraries.
    del sys.path[0]
    _load()
    heard = {signum: signal.signal(signum, signal.SIG_IGN) for signum in (signal.SIGINT, *_FORWARDED)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        # Whoever finds it may ask at once.
        listener.bind(f"{place}.new")
        listener.listen(64)
        os.rename(f"{place}.new", place)
        request = _Server(listener, place).next_job()
    _become(request)
    for signum, handler in heard.items():
        signal.signal(signum, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, heard)
    return request["script"]


def _load() -> None:
    import gc

    # A thread more than one would not outlive the fork; a job sets its own number.
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    # Arrow's allocator would start a thread as it is loaded; Python 3.12 and later warn of every fork beside one.
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
    gc.disable()
    for name in LIBRARIES:
        _import(name)
    gc.collect()
    gc.freeze()


def _import(name: str) -> None:
    import importlib
    from contextlib import suppress

    module, _, function = name.partition(":")
    # Where it is missing, the job that needs it says so.
    with suppress(Exception):
        found = importlib.import_module(module)
        if function:
            getattr(found, function)()


class _Server:
    """Starts a fork for each request, tells how it ended, and kills those whose asker is gone."""

    def __init__(self, listener: socket.socket, place: str) -> None:
        import selectors

        self.place = place
        self.pids: dict[socket.socket, int] = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ, self._accept)
        self.selector.register(0, selectors.EVENT_READ, self._close)
        self.open = True

    def next_job(self) -> dict:
        """In a fork: what it is to run. This process itself ends here, once it is closed and its jobs have ended."""
        later = list(LATER)
        while self.open or self.pids:
            events = self.selector.select(IDLE if later and self.open else None)
            if not events:
                _import(later.pop(0))
            for key, _ in events:
                # What came before in this turn may have ended it.
                if self.selector.get_map().get(key.fd) is key and (request := key.data(key.fileobj)) is not None:
                    self.selector.close()
                    return request
        os._exit(0)

    def _accept(self, listener: socket.socket) -> dict | None:
        import json

        connection, _ = listener.accept()
        connection.settimeout(PATIENCE)
        try:
            _, streams, _, _ = socket.recv_fds(connection, 1, 3)
            request = json.loads(connection.makefile("r").readline())
        except (OSError, ValueError):
            connection.close()
            return None
        request["streams"] = streams
        if _read_by_python(request["environment"]) != _read_by_python(os.environ):
            # Python would not become another one by what it reads as it starts.
            for stream in (*streams, connection.detach()):
                os.close(stream)
            return None
        # What a job is told between its start and its own handlers waits for these.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *_FORWARDED})
        pid = os.fork()
        if pid == 0:
            _be_a_job(request["script"][0])
            for other in (*self.pids, connection, listener):
                other.close()
            return request
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for stream in streams:
            os.close(stream)
        self.pids[connection] = pid
        self.selector.register(connection, 1, self._hang_up)
        self.selector.register(os.pidfd_open(pid), 1, lambda ended: self._tell(ended, connection))
        self._send(connection, pid)

    def _tell(self, ended: int, connection: socket.socket) -> None:
        """A job has ended."""
        _, status = os.waitpid(self.pids.pop(connection), 0)
        self.selector.unregister(ended)
        os.close(ended)
        self._send(connection, os.waitstatus_to_exitcode(status))
        if connection in self.selector.get_map():
            self.selector.unregister(connection)
        connection.close()

    def _hang_up(self, connection: socket.socket) -> None:
        """An asker is gone, killed: nobody would know how its job ends."""
        self.selector.unregister(connection)
        os.kill(self.pids[connection], signal.SIGKILL)

    def _close(self, _: object) -> None:
        """The process that started this one is gone, or done."""
        self.open = False
        self.selector.unregister(0)
        import shutil

        shutil.rmtree(os.path.dirname(self.place), ignore_errors=True)

    @staticmethod
    def _send(connection: socket.socket, number: int) -> None:
        from contextlib import suppress

        with suppress(OSError):
            connection.sendall(f"{number}\n".encode())


def _read_by_python(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("PYTHON")}


def _be_a_job(script: str) -> None:
    """Be killed if the server is: who asked would take the job for failed while it goes on. Have the script's name."""
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    # Snakemake's copies of scripts are called tmp<letters>.train.py.
    prctl(15, ".".join(os.path.basename(script).split(".")[-2:]).encode())  # PR_SET_NAME


def _become(request: dict) -> None:
    """Make this process what the one that asked is: its streams, folder, environment and arguments."""
    import gc
    import tempfile

    for number, stream in enumerate(request["streams"]):
        os.dup2(stream, number)
        os.close(stream)
    # As Python opens them: what those of this process knew of their files is not so of these.
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(request["folder"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    sys.argv = request["script"]
    sys.path.insert(0, os.path.dirname(sys.argv[0]))
    gc.enable()


if __name__ == "__main__":
    command, place, *script = sys.argv[1:]
    if command == "ask" and script[0].startswith("-"):
        # A module or a command, no script of a job.
        os.execv(sys.executable, [sys.executable, *script])
    if command == "ask":
        ask(place, script)
    script = serve(place)
    # As Python runs a script, and ends as it does.
    import runpy

    from unlearning_metric.runtime.processes import leave

    try:
        runpy.run_path(script[0], run_name="__main__")
    except Exception as error:
        trace = error.__traceback__
        while trace.tb_next and trace.tb_frame.f_code.co_filename != script[0]:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        leave(1)
    leave()
