"""NVIDIA's multi-process service, by which jobs compute on one GPU at the same time."""

from __future__ import annotations

import os
from pathlib import Path


def mps_runs() -> bool:
    """Whether the service runs on this host, where CUDA looks for it too."""
    return Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"), "control").exists()
