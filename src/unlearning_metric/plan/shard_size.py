"""How many models a job should hold: enough that its start-up is small beside its work, few enough for its time limit.

`python -m unlearning_metric shard-size` answers for a configuration, from the original model that was trained for it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unlearning_metric.store.files import read_header

#: Largest share of a job's time that may go into starting it.
LARGEST_SHARE = 0.05
#: A job is planned for this share of its time limit: models differ, and so do the hosts of a cluster.
USED = 0.5


@dataclass(frozen=True)
class Advice:
    """How many models a job should hold.

    Attributes
    ----------
    size : models; divides the number of copies
    share : share of a job's time that goes into starting it
    minutes : what a job of that size takes
    least : models from which start-up is under 5 %, whatever divides the number of copies
    fits : whether both conditions hold: start-up under 5 %, and at most half of the time limit
    """

    size: int
    share: float
    minutes: float
    least: int
    fits: bool


def advise(
    copies: int, model_seconds: float, start_seconds: float, runtime: float, *, side_by_side: bool = False
) -> Advice:
    """The smallest divisor of ``copies`` whose jobs spend less than 5 % on starting and half of ``runtime`` at most.

    Smaller jobs lose less when one is killed and spread better. Where no divisor meets both conditions, the largest
    one within half of ``runtime``, or 1; so also where the models of a job train side by side, as on a GPU: jobs of
    few models leave it idle, and each records its steps anew.

    Parameters
    ----------
    copies : models a side
    model_seconds : what one model takes
    start_seconds : what a job takes before its first model
    runtime : the time limit of a job, minutes
    side_by_side : whether a job trains many models at once

    Raises
    ------
    ValueError
        If a time is not positive.
    """
    for name, value in (("model_seconds", model_seconds), ("start_seconds", start_seconds), ("runtime", runtime)):
        if not value > 0:
            raise ValueError(f"{name} is {value}: it must be above 0")

    def seconds(size: int) -> float:
        return start_seconds + size * model_seconds

    # start / (start + size * model) < share
    bound = start_seconds * (1 / LARGEST_SHARE - 1) / model_seconds
    least = int(bound) + 1
    sizes = [size for size in range(1, copies + 1) if copies % size == 0]
    short = [size for size in sizes if seconds(size) <= USED * runtime * 60] or [1]
    size = short[-1] if side_by_side else next((size for size in short if size >= least), short[-1])
    fits = size >= least and seconds(size) <= USED * runtime * 60
    return Advice(size, start_seconds / seconds(size), seconds(size) / 60, least, fits)


def measured_model_seconds(results: Path | str, keys: Mapping[str, str]) -> float | None:
    """Median seconds of the models of the first group in a results folder that tells; None where none does.

    Parameters
    ----------
    keys : group, ``full`` or ``retain`` -> key of its models; those of another configuration do not count

    Raises
    ------
    StoreError
        If a file is damaged.
    """
    for group, key in keys.items():
        headers = (read_header(path) for path in sorted(Path(results).glob(f"models/{group}/*.safetensors")))
        found = [value for header in headers if header["key"] == key for value in header["run"].get("seconds", ())]
        if found:
            return statistics.median(found)
    return None


def asked_minutes(models: int) -> int:
    """Time limit that the rules ask for a job of models: generous, since a cluster kills a job that passes it."""
    return 30 + 10 * models


def measured_start_seconds(device: str = "cpu") -> float:
    """Seconds that a job of training takes on this host before its first model: its imports, in a new process.

    On a GPU the device's own start is among them; recordings of steps are not, which depend on the net. On a cluster
    another 3 to 5 s are added: each job starts Snakemake twice.
    """
    begin = time.perf_counter()
    code = (
        "import snakemake.script\nfrom unlearning_metric.runtime.devices import prepare\n"
        "from unlearning_metric.runtime.imports import importing\n"
        f"with importing():\n    lock = prepare('{device}', 1)\n    import torch, unlearning_metric.jobs.train\n"
        f"torch.optim.SGD([torch.zeros(1, device='{device}')], 0.1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin
