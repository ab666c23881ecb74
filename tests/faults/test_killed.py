"""Killed at any moment: the README's recovery, nothing else, gives the scores of an undisturbed run."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from unlearning_metric.scoring.score import canonical
from unlearning_metric.store.files import read_document, verify

pytestmark = pytest.mark.slow

METHOD = "finetune"


def start(workflow, *args):
    """Start a run in a process group of its own, as a terminal does."""
    surroundings = {name: v for name, v in os.environ.items() if not name.startswith("SNAKEMAKE_")}
    with open(workflow.path("run.log"), "a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", *args],
            cwd=workflow.folder,
            env={**surroundings, "CUDA_VISIBLE_DEVICES": ""},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A shell starts what runs in its background with Ctrl-C ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def alive(group):
    """Processes of a group that still run."""
    answer = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in answer.splitlines()]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == group and not state.startswith("Z")]


def wait_for_end(group, seconds=60):
    limit = time.monotonic() + seconds
    while alive(group):
        assert time.monotonic() < limit, f"still running: {alive(group)}"
        time.sleep(0.1)


def score(workflow, results="results"):
    return canonical(read_document(workflow.path(f"{results}/score_{METHOD}.json")))


def recovered(workflow):
    """Score after the README's recovery line."""
    for arguments in (("--unlock",), (f"results/score_{METHOD}.json",)):
        answer = workflow.run(*arguments)
        assert answer.returncode == 0, answer.stdout
    assert not list(workflow.path("results").rglob("*.tmp"))
    return score(workflow)


@pytest.fixture(scope="module")
def undisturbed(finished):
    """Score of a run that nothing disturbed."""
    return score(finished)


@pytest.fixture
def small(workflow):
    return workflow.only(METHOD)


def files_made(workflow):
    """Finished files of the results, in no order; logs and what is still being written left out."""
    kinds = (".npz", ".safetensors", ".parquet", ".json")
    files = workflow.path("results").rglob("*")
    return [
        file for file in files if file.suffix in kinds and not file.name.startswith(".") and "logs" not in file.parts
    ]


def test_the_whole_group_killed_while_one_file_after_the_other_is_made(small, undisturbed):
    chance = random.Random(seed := time.time_ns())
    print(f"moments drawn with {seed}")
    count = 0
    while True:
        run = start(small)
        while run.poll() is None and len(files_made(small)) < count:
            time.sleep(0.05)
        # Within the time that Snakemake starts or a job takes.
        time.sleep(chance.uniform(0.0, 6.0 if count == 0 else 3.0))
        if run.poll() is not None:
            assert run.returncode == 0, small.path("run.log").read_text()
            break
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        wait_for_end(run.pid)
        for file in files_made(small):
            verify(file)
        assert small.run("--unlock").returncode == 0
        count = max(count + 1, len(files_made(small)) + 1)

    assert count > 10
    assert recovered(small) == undisturbed


def when_models_are_made(workflow, run):
    """Wait until jobs are running and something is there to lose."""
    while not list(workflow.path("results").glob("models/retain/*.safetensors")):
        assert run.poll() is None, workflow.path("run.log").read_text()
        time.sleep(0.05)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_as_by_a_scheduler_or_on_a_terminal(small, undisturbed, sent):
    run = start(small)
    when_models_are_made(small, run)
    # SIGTERM reaches the driver, Ctrl-C the whole group.
    os.kill(run.pid, sent) if sent == signal.SIGTERM else os.killpg(run.pid, sent)

    assert run.wait(timeout=120) != 0
    wait_for_end(run.pid)
    assert recovered(small) == undisturbed


def test_told_to_end_while_the_scheduler_holds_its_lock(small, undisturbed):
    """Snakemake's own handler then waited for its own thread."""
    snakefile = small.path("Snakefile")
    own = snakefile.read_text()
    snakefile.write_text(
        own
        + """
import os
from snakemake.scheduling.job_scheduler import JobScheduler


def finish_jobs(scheduler, own=JobScheduler._finish_jobs):
    if scheduler._tofinish:
        assert scheduler._lock.locked()
        os.kill(os.getpid(), signal.SIGTERM)
    own(scheduler)


JobScheduler._finish_jobs = finish_jobs
"""
    )
    run = start(small)
    try:
        assert run.wait(timeout=120) != 0
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
    assert "Will exit after finishing currently running jobs" in small.path("run.log").read_text()

    snakefile.write_text(own)
    assert recovered(small) == undisturbed


def test_only_the_driver_died(small, undisturbed):
    run = start(small)
    when_models_are_made(small, run)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    # The README: first end its jobs.
    assert subprocess.run(["pkill", "-f", f"{small.folder}/.snakemake/scripts/"]).returncode == 0
    wait_for_end(run.pid)

    assert recovered(small) == undisturbed


def test_a_job_killed_for_memory(small):
    marker = small.path("memory_is_short")
    # What the kernel sends when memory is short, once the second copy is under way.
    method = small.path(f"methods/{METHOD}.py")
    own = method.read_text()
    method.write_text(
        "import os, signal\nfrom _own import unlearn as own\n\n\n"
        "def unlearn(model, retain_loader, lr=0.1, epochs=1):\n"
        f"    if os.path.exists({str(marker)!r}):\n        if os.path.getsize({str(marker)!r}):\n"
        f"            os.kill(os.getpid(), signal.SIGKILL)\n        open({str(marker)!r}, 'w').write('one copy')\n"
        "    return own(model, retain_loader, lr=lr, epochs=epochs)\n"
    )
    small.write("methods/_own.py", own)
    marker.touch()
    killed = small.run("--cores", "2", f"results/score_{METHOD}.json")
    assert killed.returncode != 0
    assert f"method {METHOD} failed on copy " in killed.stdout
    assert "its process was killed (SIGKILL), by the system where memory is short" in killed.stdout
    assert not list(small.path("results/models/unlearn").glob("*/*"))
    assert list(small.path("results/models/retain").glob("*.safetensors"))

    marker.unlink()
    again = small.run("--cores", "2", f"results/score_{METHOD}.json")
    assert again.returncode == 0, again.stdout
    assert "train_retain" not in again.stdout
    whole = small.run("--cores", "2", f"whole/score_{METHOD}.json", "--config", "results=whole")
    assert whole.returncode == 0, whole.stdout
    assert score(small) == score(small, "whole")


def test_a_full_disk(small, undisturbed):
    results = small.path("results")
    results.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", results], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no tiny file system can be mounted here: {mounted.stderr.strip()}")
    try:
        full = small.run("--cores", "2", f"results/score_{METHOD}.json")
        assert full.returncode != 0
        assert "the disk that holds" in full.stdout
        assert "is full" in full.stdout
        made = sorted(path.relative_to(results) for path in results.rglob("*.npz"))
        subprocess.run(["mount", "-o", "remount,size=50m", results], check=True)

        assert recovered(small) == undisturbed
        assert made
    finally:
        subprocess.run(["umount", "-l", results], check=True)
