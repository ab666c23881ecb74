"""A copy of the workflow in a temporary folder, and how to run and read it. Shared by tests/dag and tests/e2e."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import yaml

from unlearning_metric.runtime import job_server

REPOSITORY = Path(__file__).resolve().parents[1]
WORKFLOW_FILES = ("Snakefile", "workflow", "config", "methods", "profiles", "envs")
#: The methods that copies of the workflow keep: tests must not change when the project gains a method.
METHODS = ("finetune", "identity", "reset_head", "retrain")

SMALL = {
    "copies": 8,
    "shard_size": 4,
    "device": "cpu",
    "data": {"source": "digits", "train_size": 200, "validation_size": 50},
    "forget": {"strategy": "random", "count": 40},
    "probe_size": 20,
    "model": {"name": "digits_cnn", "width": 8},
    "training": {"lr": 0.1, "epochs": 2, "batch_size": 32},
    "methods": {"finetune": {"lr": 0.1, "epochs": 1}},
}


@dataclass
class Job:
    """A job of a dry run."""

    rule: str
    fields: dict[str, str] = field(default_factory=dict)

    def files(self, name: str) -> list[str]:
        """Paths of ``input`` or ``output``."""
        return [path for path in self.fields.get(name, "").split(", ") if path]

    def pairs(self, name: str) -> dict[str, str]:
        """``wildcards`` or ``resources``, by name."""
        parts = self.fields.get(name, "").split(", ")
        return dict(part.split("=", 1) for part in parts if "=" in part)


def read_jobs(text: str) -> list[Job]:
    """Jobs that a dry run announces."""
    jobs: list[Job] = []
    inside = False
    for line in text.splitlines():
        start = re.fullmatch(r"(?:local)?(?:rule|checkpoint) (\w+):", line)
        if start:
            jobs.append(Job(start[1]))
            inside = True
        elif inside and (entry := re.fullmatch(r"    (\w+): (.*)", line)):
            jobs[-1].fields[entry[1]] = entry[2]
        else:
            inside = False
    return jobs


@cache
def server() -> subprocess.Popen[str]:
    """What starts Snakemake for the tests of this process and ends with it."""
    return subprocess.Popen(
        [sys.executable, Path(__file__).with_name("snakemake_server.py")],
        env={name: v for name, v in os.environ.items() if not name.startswith("SNAKEMAKE_")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@cache
def jobs_of_all() -> dict[str, str]:
    """What has the jobs of all Snakemakes of this process run by one server, so that it alone loads the libraries."""
    place = job_server.in_background(sys.executable)
    while place and not Path(place).exists():
        time.sleep(0.1)
    return {job_server.SERVER: place} if place else {}


def run_in_server(args: Sequence[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder, as `subprocess.run` would."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as output:
        request = {"arguments": [str(arg) for arg in args], "folder": str(folder), "environment": environment}
        process = server()
        process.stdin.write(json.dumps({**request, "output": output.name}) + "\n")
        process.stdin.flush()
        status = int(process.stdout.readline())
        return subprocess.CompletedProcess(args, status, output.read())


@pytest.fixture
def run_code(tmp_path):
    """``run_code(text)``: run Python in a process of its own that has PyTorch and this package loaded already."""

    def run(text: str, **environment: str) -> subprocess.CompletedProcess[str]:
        script = tmp_path / f"script{len(list(tmp_path.iterdir()))}.py"
        script.write_text(text, encoding="utf-8")
        served = {**os.environ, **environment, **jobs_of_all()}
        place = served.get(job_server.SERVER)
        ask = ["-I", "-S", job_server.__file__, "ask", place] if place else []
        return subprocess.run([sys.executable, *ask, script], env=served, capture_output=True, text=True)

    return run


class Workflow:
    """A copy of the workflow in ``folder``: the one that is there, or a new one without results."""

    small = SMALL

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in () if self.path("Snakefile").exists() else WORKFLOW_FILES:
            source = REPOSITORY / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / name, ignore=ignored)
            else:
                shutil.copy2(source, folder / name)

    def copied_to(self, folder: Path) -> "Workflow":
        """The same in another folder, results and all."""
        return Workflow(Path(shutil.copytree(self.folder, folder)))

    def only(self, *methods: str) -> "Workflow":
        """Delete every method file but these (and the helpers)."""
        for path in self.path("methods").glob("[!_]*.py"):
            if path.stem not in methods:
                path.unlink()
        return self

    def path(self, name: str) -> Path:
        """A file or folder of the copy."""
        return self.folder / name

    def write(self, name: str, text: str) -> Path:
        """Write a text file of the copy."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def configure(self, name: str = "config/config.yaml", **changes: object) -> Path:
        """Write the small configuration, with top-level keys replaced."""
        return self.write(name, yaml.safe_dump({**SMALL, **changes}, sort_keys=False))

    @property
    def environment(self) -> dict[str, str]:
        """What a Snakemake of the tests is started with."""
        given = {name: v for name, v in os.environ.items() if not name.startswith("SNAKEMAKE_")}
        return {**given, "CUDA_VISIBLE_DEVICES": "", **jobs_of_all()}

    def run(self, *args: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake; its two streams come back as one text in ``stdout``. Nothing is expected of it."""
        environment = {**self.environment, **env}
        folder = Path(cwd or self.folder)
        if not env:
            return run_in_server(args, folder, environment)
        # Another environment may name another package: a process of its own.
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *args],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )

    def jobs(self, *args: str, **options: object) -> list[Job]:
        """Jobs of a dry run, which must succeed."""
        answer = self.run("-n", *args, **options)
        assert answer.returncode == 0, answer.stdout
        jobs = read_jobs(answer.stdout)
        assert jobs or "Nothing to be done" in answer.stdout, answer.stdout
        return jobs

    def counts(self, *args: str, **options: object) -> dict[str, int]:
        """Number of jobs of each rule in a dry run, which must succeed."""
        return dict(Counter(job.rule for job in self.jobs(*args, **options)))


@pytest.fixture(scope="session")
def new_workflow():
    """``new_workflow(folder)``: a fresh copy, for fixtures that serve several tests."""
    return Workflow


@pytest.fixture
def workflow(tmp_path):
    """A fresh copy with four methods and the small configuration."""
    made = Workflow(tmp_path / "workflow").only(*METHODS)
    made.configure()
    return made


@pytest.fixture
def untouched(tmp_path):
    """A fresh copy exactly as it is in the repository."""
    return Workflow(tmp_path / "workflow")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The workflow after a whole run with two methods, in a copy of this process's own.

    The run is made once for all processes of a pytest, and for all that have one UNLEARNING_METRIC_FINISHED, a folder.
    """
    base = tmp_path_factory.getbasetemp()
    among_workers = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    shared = Path(os.environ.get("UNLEARNING_METRIC_FINISHED", among_workers))
    said = shared / "said.txt"
    with open(shared / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            shutil.rmtree(shared / "run", ignore_errors=True)
            made = Workflow(shared / "run").only("finetune", "identity")
            made.configure()
            # A clock that goes wrong, an unpacked archive: times of files say nothing.
            os.utime(made.path("methods/finetune.py"), (time.time() + 86400,) * 2)
            answer = made.run("--cores", "2")
            assert answer.returncode == 0, answer.stdout
            said.write_text(answer.stdout, encoding="utf-8")
    run = Workflow(shared / "run").copied_to(tmp_path_factory.mktemp("finished") / "workflow")
    files = [path for path in run.path("results").rglob("*") if path.is_file()]
    run.first_size = sum(path.stat().st_size for path in files)
    run.first_output = said.read_text(encoding="utf-8")
    return run


@pytest.fixture
def editable(finished):
    """The same, with configuration, methods and scripts put back after the test."""
    saved = {name: finished.path(name).with_name(f"{name}.saved") for name in ("config", "methods", "workflow")}
    for name, backup in saved.items():
        shutil.copytree(finished.path(name), backup)
    yield finished
    for name, backup in saved.items():
        shutil.rmtree(finished.path(name))
        backup.rename(finished.path(name))
