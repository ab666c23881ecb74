"""Which device a run uses, and how a job prepares its process for it."""

from __future__ import annotations

import ctypes
import os
import re
import time
from itertools import takewhile
from pathlib import Path
from typing import IO

from unlearning_metric.errors import UserError
from unlearning_metric.host.private_folder import PrivateFolderError, private_folder

#: Where schedulers tell a job its allocation: SLURM, PBS, LSF, Grid Engine.
ALLOCATIONS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")
#: The Snakefile tells its jobs ``jobs_per_gpu`` by this variable: it is the process's own affair and no job's argument.
JOBS_PER_GPU = "UNLEARNING_METRIC_JOBS_PER_GPU"

_GPU_ID = re.compile(r"\d+|(GPU|MIG)-.+")


class DeviceError(UserError, RuntimeError):
    """The device that was asked for is not there."""


def resolve(device: str) -> str:
    """``"cpu"`` or ``"cuda"`` for ``auto | cpu | cuda``, without importing torch (it costs seconds)."""
    if device != "auto":
        return device
    return "cuda" if gpu_ids() else "cpu"


def gpu_ids() -> list[str]:
    """Identifiers of the NVIDIA GPUs this process may use, from the environment or the driver's files."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        # As CUDA reads it: what is no GPU ends the list. SLURM writes NoDevFiles for a job without one.
        return list(takewhile(_GPU_ID.fullmatch, (part.strip() for part in visible.split(","))))
    numbers = sorted(int(path.name[6:]) for path in Path("/dev").glob("nvidia[0-9]*") if path.name[6:].isdigit())
    return [str(position) for position, _ in enumerate(numbers)]


def lock_folder() -> Path:
    """Folder of this user's GPU locks on this host.

    Within an allocation of a scheduler that names its GPUs it is the allocation's own: a scheduler that hides other
    jobs' GPUs calls the one it gives each job ``0``, and jobs of one host that hold different GPUs must not wait for
    each other. Where nobody names GPUs all jobs of the host share them, whatever allocation they are of.

    Raises
    ------
    DeviceError
        If there can be no such folder, or another user could write to it.
    """
    named = "CUDA_VISIBLE_DEVICES" in os.environ
    given = [os.environ[variable] for variable in ALLOCATIONS if named and os.environ.get(variable)]
    try:
        return private_folder("-".join(["unlearning-metric-gpu", *given[:1]]).replace("/", "_"))
    except (OSError, PrivateFolderError) as error:
        raise DeviceError(f"there is no place for the locks of GPUs: {error}") from error


def claim_gpu(wait_seconds: float = 600.0, jobs_per_gpu: int = 1) -> IO[str]:
    """Take a place on one GPU for this process and show it no other; keep the returned file open to keep the place.

    Snakemake counts GPUs but hands out no identifiers, so jobs agree among themselves by file locks on the
    host's own disk; the kernel drops a lock with its process. A second job goes to a GPU only once every GPU
    has one. What ``CUDA_VISIBLE_DEVICES`` names is all there is. Call it before torch is imported.

    Parameters
    ----------
    wait_seconds : how long to wait for a place
    jobs_per_gpu : jobs that may share a GPU; all jobs of a host must say the same

    Raises
    ------
    DeviceError
        If no GPU is found, or none becomes free in time.
    """
    ids = gpu_ids()
    if not ids:
        raise DeviceError(
            "device is cuda, but this host shows no NVIDIA GPU. Set device: cpu (or auto), or run where there is one."
        )
    folder = lock_folder()
    deadline = time.monotonic() + wait_seconds
    while True:
        lock = _free_place(folder, ids, jobs_per_gpu)
        if lock is not None:
            return lock
        if time.monotonic() > deadline:
            raise DeviceError(
                f"no GPU became free in {wait_seconds:.0f} s (GPUs {', '.join(ids)}, {jobs_per_gpu} at once on each; "
                f"locks in {folder}). More jobs run at once than there are places: start Snakemake with "
                "--resources gpu=<number of GPUs x jobs_per_gpu>."
            )
        time.sleep(0.2)


def _free_place(folder: Path, ids: list[str], jobs_per_gpu: int) -> IO[str] | None:
    """The lock of the first free place, which ``CUDA_VISIBLE_DEVICES`` then names; None where all are taken."""
    import fcntl

    # One job looks at a time: two that look at once may each see the other's GPU as taken and share a third.
    with _lock_file(folder / "looking.lock") as looking:
        fcntl.flock(looking, fcntl.LOCK_EX)
        for place in range(jobs_per_gpu):
            for identifier in ids:
                name = f"{identifier.replace('/', '_')}.{place}.lock"
                lock = _lock_file(folder / name)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    lock.close()
                    continue
                os.environ["CUDA_VISIBLE_DEVICES"] = identifier
                return lock
    return None


def _lock_file(path: Path) -> IO[str]:
    # No link is followed, and what is there is left as it is.
    return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")


def limit_threads(threads: int) -> None:
    """Bind every numeric library to ``threads`` threads; call it before the first of them is imported.

    Default thread counts collapse as soon as another job is busy: spinning workers cost a factor of 5 to 100.
    """
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = str(threads)


def prepare(device: str, threads: int) -> IO[str] | None:
    """Set threads, allocator and GPU of a job that uses torch; returns the GPU's lock, if any, to be held.

    Raises
    ------
    DeviceError
        As `claim_gpu`, and where torch cannot use the GPU that the environment names.
    """
    limit_threads(threads)
    lock = claim_gpu(jobs_per_gpu=int(os.environ.get(JOBS_PER_GPU, "1"))) if device == "cuda" else None
    _keep_freed_memory()
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            f"this host names a GPU (CUDA_VISIBLE_DEVICES is {os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')}), and "
            f"torch {torch.__version__} cannot use it: there is no driver, or this torch is a build for CPUs. Set "
            "device: cpu, or mend the driver or the installation."
        )
    from unlearning_metric.runtime.compiler_import import defer_compiler

    defer_compiler()
    torch.set_num_threads(threads)
    # The same choice of kernels every time: results must repeat bit by bit on one machine.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    # cuDNN's own choice is TF32: methods and evaluation compute in fp32, and training as its recipe says.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return lock


def _keep_freed_memory() -> None:
    """Tell glibc to keep freed blocks: it otherwise returns and re-faults the activations at every step."""
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 2**31 - 1)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
        libc.mallopt(-2, 256 << 20)  # M_TOP_PAD
    except (OSError, AttributeError):
        # Another C library: slower, not wrong.
        return
