"""A SLURM cluster of one node with four fake GPUs, in a scratch folder; nothing of the host's own SLURM is touched.

Its daemons are children of the tests and are ended by their process ids.
"""

import os
import platform
import secrets
import shutil
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "srun")
CPUS = 4

CONFIGURATION = """\
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
JobRequeue=0
SlurmdTimeout=6
KillWait=2
SchedulerParameters=sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=8000 Gres=gpu:4 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=1-00:00:00 State=UP
"""


def why_not() -> str | None:
    """Why no cluster can be started here; None where it can."""
    if os.geteuid() != 0:
        return "SLURM's daemons are started as root, and this is another user"
    missing = [name for name in PROGRAMS if _program(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: apt-get install slurm-wlm munge)"
    return None


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Cluster:
    """One controller and one node; ``environment`` is what a process needs to talk to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
        }
        self._running: dict[str, subprocess.Popen] = {}
        self._configure()

    def _configure(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        host = platform.node().partition(".")[0]
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=host, folder=self.folder, cpus=CPUS, controller_port=_free_port(), node_port=_free_port()
            )
        )
        for number in range(4):
            # As /dev/null: SLURM hands out devices, and not plain files.
            os.mknod(self.folder / f"gpu{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (self.folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File={self.folder}/gpu[0-3]\n")
        # Within its jobs Snakemake's plugin drops SLURM_CONF before it calls srun.
        srun = self.folder / "bin" / "srun"
        srun.parent.mkdir()
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {_program("srun")} "$@"\n')
        srun.chmod(0o755)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)

    def _start(self, name: str, *arguments: object) -> None:
        with open(self.folder / f"{name}.log", "a") as log:
            self._running[name] = subprocess.Popen(
                [_program(name), *map(str, arguments)], env={**os.environ, **self.environment}, stdout=log, stderr=log
            )

    def start(self) -> None:
        """Start everything and wait until the node takes jobs."""
        files = {name: self.folder / f"munge.{name}" for name in ("socket", "key", "pid", "log", "seed")}
        self._start(
            "munged", "--foreground", "--force", f"--socket={files['socket']}", f"--key-file={files['key']}",
            f"--pid-file={files['pid']}", f"--log-file={files['log']}", f"--seed-file={files['seed']}",
        )  # fmt: skip
        self._wait(files["socket"].exists, "munged to answer")
        self._start("slurmctld", "-D", "-f", self.environment["SLURM_CONF"])
        self.start_node()

    def start_node(self) -> None:
        """Start the node's daemon and wait until the controller would give it jobs."""
        self._start("slurmd", "-D", "-f", self.environment["SLURM_CONF"])
        self._wait(lambda: self.node_state() in {"IDLE", "MIXED", "ALLOCATED"}, "the node to be idle")

    def kill_node(self) -> None:
        """SIGKILL to the node's daemon."""
        node = self._running.pop("slurmd")
        node.kill()
        node.wait()

    def stop(self) -> None:
        """End jobs and daemons: these processes and no others."""
        if "slurmd" in self._running:
            self.command("scancel", "--user", "root")
            self._wait(lambda: not self.jobs(), "the jobs to end", fail=False)
        for name in reversed(list(self._running)):
            process = self._running.pop(name)
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self, condition, what: str, seconds: float = 60, fail: bool = True) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            ended = [name for name, process in self._running.items() if process.poll() is not None]
            if ended or time.monotonic() > limit:
                if fail:
                    logs = "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in self.folder.glob("*.log"))
                    pytest.fail(f"waited for {what}; ended meanwhile: {ended or 'nothing'}\n{logs}")
                return
            time.sleep(0.2)

    def command(self, *arguments: str) -> str:
        """Output of one of SLURM's commands."""
        return subprocess.run(
            arguments, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=60
        ).stdout

    def node_state(self) -> str:
        """IDLE, DOWN and the like."""
        words = self.command("scontrol", "--oneliner", "show", "nodes").split()
        return next((word.partition("=")[2] for word in words if word.startswith("State=")), "")

    def jobs(self) -> list[str]:
        """Ids of jobs that are not finished."""
        return self.command("squeue", "--noheader", "--format=%i").split()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A running cluster; skips where there can be none."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no cluster can be started here: {reason}")
    made = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        made.start()
        yield made
    finally:
        made.stop()
