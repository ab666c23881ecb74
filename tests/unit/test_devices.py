"""Devices: which one is used, and that two jobs never share a GPU. No GPU is needed."""

import os
import subprocess
import sys

import pytest

from unlearning_metric import devices

CLAIM = """
import os, sys
from unlearning_metric.devices import claim_gpu
lock = claim_gpu(wait_seconds=float(sys.argv[1]))
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("visible", ["", "-1", " "])
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


@pytest.mark.parametrize("module", ["devices", "plan", "config", "keys", "seeds"])
def test_what_the_snakefile_imports_does_not_import_torch(module):
    code = f"import sys, unlearning_metric.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_asking_for_a_gpu_where_there_is_none_says_so(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(devices.DeviceError, match="no NVIDIA GPU"):
        devices.claim_gpu(0)


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
