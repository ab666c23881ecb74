"""Runs the scripts of jobs without importing PyTorch again and again, which is most of a small job.

    python job_server.py SOCKET     # loads libraries once, then runs each script that it is asked for in a fork
    python job_server.py SOCKET SCRIPT ...     # asks for that: what stands for Python in a Snakemake of the tests

Only libraries are loaded beforehand: what a job imports of this project it imports itself, as in a process of its own.
"""

import json
import os
import signal
import socket
import sys

LIBRARIES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy.stats",
    "pandas",
    "pyarrow.parquet",
    "safetensors.torch",
    "pydantic",
    "yaml",
    "numba",
    "jinja2",
    "matplotlib.pyplot",
    "seaborn",
    "fontTools.subset",
)


def ask(place: str, script: list[str]) -> None:
    """Have a script run with this process's streams, folder and environment, and end as it ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(place)
        socket.send_fds(connection, [b"."], [0, 1, 2])
        request = {"script": script, "folder": os.getcwd(), "environment": dict(os.environ)}
        connection.sendall(json.dumps(request).encode() + b"\n")
        answers = connection.makefile("r")
        child = int(answers.readline())
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda number, _: os.kill(child, number))
        status = int(answers.readline())
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def serve(place: str) -> None:
    """Answer requests until the process that started this one is gone. Returns in a child that is to run a script."""
    import importlib

    for name in LIBRARIES:
        importlib.import_module(name)
    # Nobody waits for the children that answer.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(place)
        listener.listen(64)
        print("ready", flush=True)
        parent = os.getppid()
        listener.settimeout(5)
        while os.getppid() == parent:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listener.close()
                return answer(connection)
            connection.close()
        sys.exit()


def answer(connection: socket.socket) -> None:
    """Run one script in a child of this process, and say how it ended. Returns in the child."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(connection.makefile("r").readline())
    child = os.fork()
    if child:
        for stream in streams:
            os.close(stream)
        connection.sendall(f"{child}\n".encode())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(f"{status}\n".encode())
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # As Python opens them: what those of this process knew of their files is not so of these.
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["script"]
    named = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:1] = [os.path.dirname(sys.argv[0]), *named]


if __name__ == "__main__":
    if len(sys.argv) > 2:
        ask(sys.argv[1], sys.argv[2:])
    serve(sys.argv[1])
    # As Python runs a script, and ends as it does.
    import runpy

    runpy.run_path(sys.argv[0], run_name="__main__")
