"""Devices: which one is used, and that two jobs never share a GPU. No GPU is needed."""

import os
import subprocess
import sys
import time

import pytest
import torch

from unlearning_metric.runtime import devices

CLAIM = """
import os, sys
from unlearning_metric.runtime.devices import claim_gpu
lock = claim_gpu(wait_seconds=float(sys.argv[1]))
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("visible", ["", "-1", " ", "NoDevFiles", "void", "-1,0"])
def test_auto_is_the_cpu_where_no_gpu_may_be_seen(monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.resolve("auto") == "cpu"
    assert devices.gpu_ids() == []


def test_auto_is_cuda_where_a_gpu_is_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-8f2a")
    assert devices.resolve("auto") == "cuda"
    assert devices.gpu_ids() == ["3", "GPU-8f2a"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_named_device_is_taken_at_its_word(monkeypatch, device):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "" if device == "cuda" else "0")
    assert devices.resolve(device) == device


@pytest.mark.parametrize("module", ["runtime.devices", "plan.plan", "config", "keys.origin", "seeds"])
def test_what_the_snakefile_imports_does_not_import_torch(module):
    code = f"import sys, unlearning_metric.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_scoring_waits_for_no_import_that_it_can_do_without():
    code = (
        "import sys, numpy as np, unlearning_metric.jobs.score, unlearning_metric.leaderboard.board\n"
        "from unlearning_metric import ks_p_values, seed_notebook, simple_mia\n"
        "sides = np.random.default_rng(0).normal(size=(2, 12, 12))\n"
        "ks_p_values(*sides), seed_notebook(*sides), simple_mia(*sides, 0)\n"
        "print({'torch', 'scipy.stats', 'sklearn'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout == "set()\n"


def test_asking_for_a_gpu_where_there_is_none_says_so(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(devices.DeviceError, match="no NVIDIA GPU"):
        devices.claim_gpu(0)


def test_a_gpu_that_torch_cannot_use_is_told_with_what_to_set(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(devices, "lock_folder", lambda: tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(devices.DeviceError, match=r"CUDA_VISIBLE_DEVICES is 0\).*cannot use it.*Set device: cpu"):
        devices.prepare("cuda", 1)


def test_limit_threads_binds_every_library(monkeypatch):
    names = [f"{name}_NUM_THREADS" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")]
    for name in names:
        monkeypatch.setenv(name, "9")
    devices.limit_threads(2)
    assert [os.environ[name] for name in names] == ["2"] * 5


def test_jobs_get_different_gpus_and_a_finished_job_frees_its_own(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0,1"}
    started = []

    def start(wait: float) -> subprocess.Popen:
        command = [sys.executable, "-c", CLAIM, str(wait)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment))
        return started[-1]

    try:
        jobs = [start(30), start(30)]
        claimed = [job.stdout.readline().strip() for job in jobs]
        assert sorted(claimed) == ["0", "1"]
        _, errors = start(0).communicate(timeout=60)
        assert started[-1].returncode != 0
        assert "no GPU became free" in errors
        # Killed, not ended: the kernel drops the lock.
        jobs[0].kill()
        jobs[0].wait()
        assert start(30).stdout.readline().strip() == claimed[0]
    finally:
        for job in started:
            job.kill()
            job.communicate()


# What 40 jobs on fake GPUs do: take a place, note when and where, keep it for a moment and until so many had one: on a
# busy machine the first would otherwise be gone before the last had started.
BUSY = """
import os, random, sys, time
from unlearning_metric.runtime.devices import claim_gpu
lock = claim_gpu(wait_seconds=240, jobs_per_gpu=int(sys.argv[1]))
device = os.environ["CUDA_VISIBLE_DEVICES"]
out = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(out, f"take {device} {os.getpid()}\\n".encode())
time.sleep(random.uniform(0, 0.03))
limit = time.monotonic() + 600
while open(sys.argv[2]).read().count("take") < int(sys.argv[3]) and time.monotonic() < limit:
    time.sleep(0.005)
os.write(out, f"free {device} {os.getpid()}\\n".encode())
"""


STAY = 1_000_000


class FakeServer:
    """A host with four GPUs that nobody has, and what its jobs noted, in the order in which it happened."""

    def __init__(self, folder, **environment):
        self.notes = folder / "notes"
        self.environment = {**os.environ, "TMPDIR": str(folder), "CUDA_VISIBLE_DEVICES": "0,1,2,3", **environment}

    def start(self, jobs_per_gpu=1, until=0):
        """Start a job that keeps its place until so many jobs had one."""
        command = [sys.executable, "-c", BUSY, str(jobs_per_gpu), str(self.notes), str(until)]
        return subprocess.Popen(command, env=self.environment)

    def run(self, jobs, at_once, jobs_per_gpu=1, until=0):
        """Run jobs, at most some at once, as Snakemake does with --resources gpu=; all must end well."""
        running = []
        for _ in range(jobs):
            while len(running) >= at_once:
                ended = [job for job in running if job.poll() is not None]
                assert not any(job.returncode for job in ended)
                running = [job for job in running if job not in ended]
                time.sleep(0.002)
            running.append(self.start(jobs_per_gpu, until))
        assert [job.wait() for job in running] == [0] * len(running)

    def taken(self):
        return [line.split() for line in self.notes.read_text().splitlines()] if self.notes.exists() else []

    def most_at_once(self, killed=()):
        """GPU -> the largest number of jobs that held it at once."""
        holders, most = {}, {}
        for what, device, pid in self.taken():
            on_device = holders.setdefault(device, set())
            if what == "take":
                # A killed job notes nothing: who takes its place shows that it is free.
                on_device -= set(killed)
                on_device.add(pid)
                most[device] = max(most.get(device, 0), len(on_device))
            else:
                on_device.remove(pid)
        return most


@pytest.mark.parametrize("jobs_per_gpu", [1, 3])
def test_40_jobs_four_at_once_never_share_one_of_four_gpus(tmp_path, jobs_per_gpu):
    server = FakeServer(tmp_path)

    server.run(40, 4, jobs_per_gpu, until=4)

    assert len(server.taken()) == 80
    assert server.most_at_once() == dict.fromkeys("0123", 1)


def test_a_killed_job_frees_its_gpu_and_no_other(tmp_path):
    server = FakeServer(tmp_path)
    holders = [server.start(1, STAY) for _ in range(4)]
    while len(server.taken()) < 4:
        assert all(job.poll() is None for job in holders)
        time.sleep(0.01)
    assert server.most_at_once() == dict.fromkeys("0123", 1)
    try:
        for job in holders[:2]:
            job.kill()
            job.wait()
        killed = {str(job.pid) for job in holders[:2]}
        freed = {device for _, device, pid in server.taken() if pid in killed}

        server.run(20, at_once=4)

        assert {device for _, device, pid in server.taken()[4:]} == freed
        assert server.most_at_once(killed) == dict.fromkeys("0123", 1)
    finally:
        for job in holders:
            job.kill()
            job.wait()


def test_three_jobs_share_a_gpu_and_no_fourth_and_every_gpu_is_used_first(tmp_path):
    server = FakeServer(tmp_path)
    holders = []
    try:
        for number in range(12):
            holders.append(server.start(3, STAY))
            while len(server.taken()) <= number:
                assert holders[-1].poll() is None
                time.sleep(0.01)
        devices_in_order = [device for _, device, _ in server.taken()]
        assert devices_in_order == list("0123") * 3
        late = subprocess.Popen(
            [sys.executable, "-c", CLAIM.replace("wait_seconds=float(sys.argv[1])", "0, 3"), "0"],
            env=server.environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        _, errors = late.communicate(timeout=60)
        assert late.returncode != 0
        assert "3 at once on each" in errors
    finally:
        for job in holders:
            job.kill()
            job.wait()


def test_40_jobs_of_three_on_a_gpu_never_are_four(tmp_path):
    server = FakeServer(tmp_path)

    server.run(40, at_once=12, jobs_per_gpu=3)

    assert len(server.taken()) == 80
    assert max(server.most_at_once().values()) <= 3


def test_jobs_of_different_allocations_that_hide_the_others_gpus_do_not_wait(tmp_path, monkeypatch):
    # SLURM with ConstrainDevices calls the GPU of each job 0.
    claims = []
    for allocation in ("71", "72"):
        server = FakeServer(tmp_path, CUDA_VISIBLE_DEVICES="0", SLURM_JOB_ID=allocation)
        pipe = subprocess.PIPE
        claims.append(subprocess.Popen([sys.executable, "-c", CLAIM, "0"], stdin=pipe, stdout=pipe, text=True,
                                       env=server.environment))  # fmt: skip
    try:
        assert [job.stdout.readline().strip() for job in claims] == ["0", "0"]
        # Within an allocation of one GPU the second job waits, as anywhere.
        answer = subprocess.run([sys.executable, "-c", CLAIM, "0"], stdin=subprocess.DEVNULL, stderr=pipe, text=True,
                                env=server.environment)  # fmt: skip
        assert answer.returncode != 0
        assert "no GPU became free" in answer.stderr
    finally:
        for job in claims:
            job.kill()
            job.communicate()


def test_an_allocation_has_locks_of_its_own_only_where_gpus_are_named(monkeypatch):
    monkeypatch.setenv("PBS_JOBID", "71")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    of_the_allocation = devices.lock_folder()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert devices.lock_folder() != of_the_allocation
    monkeypatch.setenv("PBS_JOBID", "72")
    of_the_host = devices.lock_folder()
    monkeypatch.delenv("PBS_JOBID")
    assert devices.lock_folder() == of_the_host


def test_only_the_gpus_that_a_scheduler_names_are_taken(tmp_path):
    server = FakeServer(tmp_path, CUDA_VISIBLE_DEVICES="2,GPU-8f2a", SLURM_JOB_ID="7")

    server.run(12, at_once=2, until=2)

    assert {device for _, device, _ in server.taken()} == {"2", "GPU-8f2a"}


def test_jobs_per_gpu_reaches_a_job_by_its_environment(monkeypatch):
    asked = []
    monkeypatch.setenv(devices.JOBS_PER_GPU, "3")
    monkeypatch.setattr(devices, "claim_gpu", lambda jobs_per_gpu: asked.append(jobs_per_gpu))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    devices.prepare("cuda", 1)
    devices.prepare("cpu", 1)
    assert asked == [3]


def test_a_job_computes_in_fp32_unless_told_otherwise():
    settings = (torch.backends.cuda.matmul, torch.backends.cudnn)
    for setting in settings:
        setting.allow_tf32 = True
    devices.prepare("cpu", 1)
    assert [setting.allow_tf32 for setting in settings] == [False, False]


def test_snakemake_told_of_four_gpus_never_puts_two_of_40_jobs_on_one(tmp_path):
    server = FakeServer(tmp_path)
    (tmp_path / "busy.py").write_text(BUSY)
    (tmp_path / "Snakefile").write_text(
        "rule all:\n    input: expand('{job}.done', job=range(40))\n\n\nrule busy:\n    output: touch('{job}.done')\n"
        f"    resources: gpu=1\n    shell: '{sys.executable} busy.py 1 {server.notes} 4'\n"
    )
    command = [sys.executable, "-m", "snakemake", "--quiet", "all", "--cores", "8", "--resources", "gpu=4"]

    answer = subprocess.run(command, cwd=tmp_path, env=server.environment, capture_output=True, text=True)

    assert answer.returncode == 0, answer.stderr
    assert len(server.taken()) == 80
    assert server.most_at_once() == dict.fromkeys("0123", 1)
