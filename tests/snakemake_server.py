"""Runs Snakemake again and again without importing it again and again, which is two thirds of a dry run.

Snakemake and what the Snakefile imports are loaded once; each request, a line of JSON on standard input, runs in a
forked child, as in a process of its own. The answer is a line with its exit status. The jobs' scripts are run by
`job_server`, which loads PyTorch once: the first line of the output is the program that stands for Python there, with a
`snakemake` beside it.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import snakemake.cli

#: Seconds after which a run is ended, so that none holds up the tests for ever.
LIMIT = 600


def run(arguments: list[str], folder: str, environment: dict[str, str], output: str) -> int:
    """Exit status of Snakemake in a child, whose two streams go to a file."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        signal.alarm(LIMIT)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        empty = os.open(os.devnull, os.O_RDONLY)
        for number, target in enumerate((empty, stream, stream)):
            os.dup2(target, number)
        # As in a process that was started in the folder.
        sys.path[0] = folder
        sys.executable = PYTHON
        sys.argv = ["snakemake", *arguments]
        snakemake.cli.main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def python_with_libraries(folder: Path) -> str:
    """What runs a script as Python does, in a fork of a process that has loaded what jobs import."""
    server, place, program = Path(__file__).with_name("job_server.py"), folder / "jobs", folder / "python"
    command = shlex.join([sys.executable, "-I", "-S", str(server), str(place)])
    # A Snakemake that a script starts, as of a sweep, has its jobs run here too; any other module, and a command, is no
    # script of a job.
    plain = shlex.quote(sys.executable)
    snakemake = f'{plain} -c "import sys, snakemake.cli as cli; sys.executable = sys.argv.pop(1); cli.main()" "$0"'
    program.write_text(
        f'#!/bin/sh\ncase "$1 $2" in "-m snakemake") shift 2; exec {snakemake} "$@";; -*) exec {plain} "$@";; esac\n'
        f'exec {command} "$@"\n'
    )
    program.chmod(0o755)
    command_line = folder / "snakemake"
    command_line.write_text(f'#!/bin/sh\nexec {shlex.quote(str(program))} -m snakemake "$@"\n')
    command_line.chmod(0o755)
    # A thread more than one would not outlive the fork.
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = subprocess.Popen([sys.executable, server, place], stdout=subprocess.PIPE, env=surroundings)
    started.stdout.readline()
    return str(program)


with tempfile.TemporaryDirectory(prefix="jobs-") as kept:
    PYTHON = python_with_libraries(Path(kept))
    print(PYTHON, flush=True)
    for line in sys.stdin:
        print(run(**json.loads(line)), flush=True)
