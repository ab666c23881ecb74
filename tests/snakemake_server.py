"""Runs Snakemake again and again without importing it again and again, which is most of a dry run.

Snakemake and what the Snakefile imports are loaded once; each request, a line of JSON on standard input, runs in a
forked child, as in a process of its own. The answer is a line with its exit status.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import traceback

import snakemake.cli

#: What a run imports once it reads a Snakefile of this workflow.
BESIDE = (
    "snakemake.profiles",
    "snakemake.report.html_reporter",
    "snakemake.storage",
    "jsonschema",
    "nbformat",
    "smart_open",
    "yte",
    "unlearning_metric.upkeep.handover",
    "unlearning_metric.upkeep.rebuild",
    "unlearning_metric.upkeep.summary",
    "unlearning_metric.upkeep.terminal",
    "unlearning_metric.upkeep.unfinished",
)
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


for name in BESIDE:
    # Another version may have another name for it.
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
for line in sys.stdin:
    print(run(**json.loads(line)), flush=True)
