"""What work on a device costs: the seconds that it keeps the device busy, whatever else the machine does.

Wall-clock seconds of a job that shares its processor with others say how many others there are. On a CPU the seconds
count that processors worked for this process; on a GPU those between two moments at which it has nothing left to do.
"""

from __future__ import annotations

import torch

from unlearning_metric.runtime.compiler_import import LOADING, READ

#: Kind of device -> name of its clock, as results state it.
CLOCKS = {"cpu": "CPU", "cuda": "device"}


def synchronize(device: str) -> None:
    """Wait for the GPU, so that a clock read next to it means something."""
    if device == "cuda":
        torch.cuda.synchronize()


def spent(device: str) -> float:
    """Seconds of a device, from a beginning of its own: CPU seconds on a CPU, device seconds on a GPU.

    The clock stands still while PyTorch's compiler is loaded.
    """
    synchronize(device)
    name = "processor" if device == "cpu" else "wall"
    return READ[name]() - LOADING[name]
