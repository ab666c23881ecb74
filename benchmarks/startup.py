"""What a job takes besides its work: processes that do next to nothing, started as the rules' scripts are, and plainly.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/startup.py

CPU time of whole processes, their ends included.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from training import children_seconds, in_turns

from unlearning_metric.runtime import job_server

ROUNDS = 7
#: Jobs over which what a server of jobs takes is a mean.
FORKS = 20
STEP = """
parameter = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.SGD([parameter], lr=0.1)
parameter.sum().backward()
optimizer.step()
"""
OURS = """
import sys
from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
with importing():
    prepare("cpu", 1)
    import numpy as np, torch, pyarrow.parquet
"""
PLAIN = """
import sys
import numpy as np, torch, pyarrow as pa, pyarrow.parquet
torch.set_num_threads(1)
"""
COLUMNS = 'columns = {"loss": np.zeros(9, np.float32), "correct": np.zeros(9, bool)}\n'
#: Work -> the same in the two ways.
JOBS = {
    "one step of SGD": (PLAIN + STEP, OURS + STEP),
    "outputs of a model to parquet": (
        PLAIN + COLUMNS + "pyarrow.parquet.write_table(pa.table(columns), sys.argv[1])\n",
        OURS
        + COLUMNS
        + "from unlearning_metric.store.files import write_parquet\nwrite_parquet(sys.argv[1], columns, {})\n",
    ),
}


def main() -> None:
    """Print a line for each kind of work."""
    print(f"CPU seconds of a process, median of {ROUNDS} rounds in turns:")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "x.parquet")
        for work, programs in JOBS.items():
            plain, ours = in_turns(ROUNDS, *(partial(_seconds, program, out) for program in programs))
            print(f"  {work}: plain {plain:.2f}, ours {ours:.2f} (x{plain / ours:.1f})", flush=True)
            script = Path(folder, "job.py")
            script.write_text(programs[1], encoding="utf-8")
            loading, all_jobs = _forked_seconds(script, out, 0), _forked_seconds(script, out, FORKS)
            print(
                f"    in a fork of a process that has loaded the libraries, which takes {loading:.2f} once: "
                f"{(all_jobs - loading) / FORKS:.2f}", flush=True,
            )  # fmt: skip


def _seconds(program: str, out: Path) -> float:
    return children_seconds(program, out)[0]


def _forked_seconds(script: Path, out: Path, jobs: int) -> float:
    """CPU time of a server of jobs, of so many jobs, and of who asked for them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    place = Path(tempfile.mkdtemp(), "socket")
    python = [sys.executable, job_server.__file__]
    server = subprocess.Popen([*python, "serve", place], stdin=subprocess.PIPE)
    while not place.exists():
        time.sleep(0.05)
    for _ in range(jobs):
        subprocess.run([python[0], "-I", "-S", python[1], "ask", place, script, out], check=True)
    server.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
