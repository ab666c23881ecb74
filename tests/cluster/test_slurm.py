"""The profiles on a real SLURM: the scores of a local run, also after a job, a node or the driver was killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from unlearning_metric.scoring.score import canonical
from unlearning_metric.store.files import read_document

pytestmark = pytest.mark.slow

# What every run is told besides its profile: this cluster's partition, and not to wait as long as for real jobs. The
# slurm executor looks first when most of these have ended; where none has, its next look is 10 s later than the last.
ARGUMENTS = {
    "slurm": (
        "--default-resources", "slurm_partition=main", "slurm_account=none",
        "--slurm-init-seconds-before-status-checks", "8", "--seconds-between-status-checks", "2",
    ),
    "cluster-generic": (
        "--default-resources", "slurm_partition=main", "mem_mb=100", "runtime=10", "gpu=0",
        "--seconds-between-status-checks", "1",
    ),
}  # fmt: skip

BOARD = "results/leaderboard.md"
# What the runs that are disturbed make on the cluster; the rest of the way to the score they then go on this host.
MODELS = "results/models/unlearn/held/0000-0007.safetensors"

# A method that says which GPU it was given and then waits as long as there is a file "hold".
HELD = """
import os
import time
from pathlib import Path

import torch

# Each copy has a working folder of its own.
PROJECT = Path(__file__).resolve().parents[1]


def unlearn(model, generator):
    PROJECT.joinpath("started").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
    while PROJECT.joinpath("hold").exists():
        time.sleep(0.1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
"""


def scores(workflow):
    """Canonical bytes of every score document, by name."""
    paths = sorted(workflow.path("results").glob("score_*.json"))
    return {path.name: canonical(read_document(path)) for path in paths}


def start(workflow, cluster, profile, *arguments):
    """Start a run through a profile; its output goes to a file."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("SNAKEMAKE_")}
    with open(workflow.path("run.log"), "a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--workflow-profile", f"profiles/{profile}", *ARGUMENTS[profile],
             *arguments],
            cwd=workflow.folder,
            env={**surroundings, "CUDA_VISIBLE_DEVICES": "", **cluster.environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip


def ended(workflow, run):
    """Exit status and output of a started run."""
    return run.wait(timeout=300), workflow.path("run.log").read_text()


def run(workflow, cluster, profile, *arguments):
    """A run through a profile, from start to end, which must succeed."""
    status, output = ended(workflow, start(workflow, cluster, profile, *arguments))
    assert status == 0, output
    return output


# The same scores --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole_runs(cluster, new_workflow, tmp_path_factory):
    """Profile -> a copy of the small experiment, and the output of a run of it on the cluster; both ran at once."""
    copies = {}
    for profile in ARGUMENTS:
        copies[profile] = new_workflow(tmp_path_factory.mktemp(profile) / "w").only("finetune")
        copies[profile].configure(shard_size=8)
    runs = {profile: start(copy, cluster, profile, BOARD) for profile, copy in copies.items()}
    return {profile: (copies[profile], *ended(copies[profile], running)) for profile, running in runs.items()}


@pytest.mark.parametrize("profile", ARGUMENTS)
def test_scores_are_those_of_a_local_run(whole_runs, finished, profile):
    copy, status, output = whole_runs[profile]

    assert status == 0, output
    assert scores(copy) == {"score_finetune.json": scores(finished)["score_finetune.json"]}
    # Data, split, original, retrained, unlearned, the outputs of all three, score; the leaderboard is made here.
    assert output.count("Submitted job ") + output.count("has been submitted with SLURM jobid") == 9
    assert "10 of 10 steps (100%) done" in output


@pytest.mark.parametrize("profile", ARGUMENTS)
def test_nothing_is_left_to_do_for_this_host_and_for_the_cluster(whole_runs, profile):
    copy, _, _ = whole_runs[profile]

    assert copy.counts(BOARD) == {}
    assert copy.counts(BOARD, "--workflow-profile", f"profiles/{profile}") == {}


# Killed -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(cluster, new_workflow, tmp_path_factory):
    """An experiment of which all but the method is made, and the method's score from a local run."""
    workflow = new_workflow(tmp_path_factory.mktemp("held") / "w").only()
    workflow.write("methods/held.py", HELD)
    workflow.configure(methods={}, shard_size=8)
    local = workflow.run("--cores", "2", "results/score_held.json")
    assert local.returncode == 0, local.stdout
    expected = scores(workflow)
    for path in (*workflow.path("results").glob("*_held.*"), workflow.path("started")):
        path.unlink()
    for folder in ("models", "losses"):
        shutil.rmtree(workflow.path(f"results/{folder}/unlearn"))
    return workflow, expected


class Held:
    """A run on the cluster whose method has started and waits."""

    def __init__(self, trained, cluster, profile, tmp_path):
        source, self.expected = trained
        self.cluster, self.profile = cluster, profile
        self.workflow = source.copied_to(tmp_path / "w")
        self.workflow.write("hold", "")
        before = set(cluster.jobs())
        self.run = start(self.workflow, cluster, profile, MODELS)
        limit = time.monotonic() + 120
        started = self.workflow.path("started")
        while not (started.exists() and started.read_text()):
            if self.run.poll() is not None or time.monotonic() > limit:
                pytest.fail(self.workflow.path("run.log").read_text())
            time.sleep(0.2)
        (self.job,) = set(cluster.jobs()) - before

    def release(self):
        self.workflow.path("hold").unlink()

    def failed(self):
        """The run ends, and not well."""
        status, output = ended(self.workflow, self.run)
        assert status != 0, output
        assert not self.workflow.path(MODELS).exists()
        return output

    def recovered(self):
        """Scores after running again, and what the cluster's part of that said."""
        output = run(self.workflow, self.cluster, self.profile, MODELS)
        return self.scored(), output

    def scored(self):
        """Scores, made on this host from the models of the cluster."""
        made = self.workflow.path(MODELS).stat().st_mtime_ns
        answer = self.workflow.run("--cores", "2", "results/score_held.json")
        assert answer.returncode == 0, answer.stdout
        assert self.workflow.path(MODELS).stat().st_mtime_ns == made
        assert not list(self.workflow.path("results").rglob("*.tmp"))
        return scores(self.workflow)


@pytest.fixture
def held(trained, cluster, tmp_path):
    """``held(profile)``: a run to be disturbed."""
    runs = []

    def begin(profile):
        runs.append(Held(trained, cluster, profile, tmp_path))
        return runs[-1]

    yield begin
    for each in runs:
        each.run.kill()
        each.run.wait()
        each.workflow.path("hold").unlink(missing_ok=True)


@pytest.mark.parametrize("profile", ARGUMENTS)
def test_a_cancelled_job(held, cluster, profile):
    running = held(profile)
    # The profile asked for one of four GPUs, and the job sees that one.
    assert running.workflow.path("started").read_text() in set("0123")

    cluster.command("scancel", running.job)

    assert "unlearn" in running.failed()
    running.release()
    assert running.recovered()[0] == running.expected


def test_a_killed_node_daemon(held, cluster):
    running = held("slurm")

    cluster.kill_node()
    try:
        # The controller gives the node up, and its job with it.
        assert "NODE_FAIL" in running.failed()
        running.release()
    finally:
        cluster.start_node()
    assert running.recovered()[0] == running.expected


def test_a_killed_driver_whose_job_goes_on(held, cluster):
    running = held("slurm")
    running.run.send_signal(signal.SIGKILL)
    running.run.wait()

    # As profiles/README.md says: wait until the jobs are gone, unlock, run again.
    assert running.job in cluster.jobs()
    refused, output = ended(running.workflow, start(running.workflow, cluster, "slurm", MODELS))
    assert refused != 0
    assert "cannot be locked" in output
    running.release()
    while running.job in cluster.jobs():
        time.sleep(0.2)
    assert running.workflow.run("--unlock").returncode == 0
    found, output = running.recovered()
    assert found == running.expected
    # The job had made its models although nobody waited for them.
    assert "Nothing to be done" in output


def test_a_killed_driver_whose_job_goes_on_beside_the_new_run(held, cluster):
    running = held("cluster-generic")
    running.run.send_signal(signal.SIGKILL)
    running.run.wait()
    unlocked = running.workflow.run("--unlock")
    assert unlocked.returncode == 0, unlocked.stdout

    again = start(running.workflow, cluster, "cluster-generic", MODELS)
    while len(cluster.jobs()) < 2:
        assert again.poll() is None, running.workflow.path("run.log").read_text()
        time.sleep(0.2)
    running.release()

    status, output = ended(running.workflow, again)
    assert status == 0, output
    # Both make the same models, and each renames a whole file.
    while cluster.jobs():
        time.sleep(0.2)
    assert running.scored() == running.expected


def test_the_scores_that_all_this_is_held_against_are_no_empty_ones(trained):
    _, expected = trained
    (document,) = [json.loads(text) for text in expected.values()]
    assert 0 < document["challenge"]["forgetting_score"] < 1
