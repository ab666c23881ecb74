"""Whether another load on the machine turns the verdict on a method's cost: two runs, one beside busy processes.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/costs.py                  # one core, and the load
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/costs.py --load 0 0       # two runs as the machine is

Copies of methods of the default run in jobs of their own. Beside the cost as it is recorded (seconds of the processor
over those of steps of a retraining between the copies) stands what a clock on the wall makes of the same copies and of
retrained models of another job of the same run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearning_metric import config
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan
from unlearning_metric.runtime.devices import prepare
from unlearning_metric.scoring.efficiency import seconds_ratio, verdict
from unlearning_metric.store.files import read_header

if TYPE_CHECKING:
    from unlearning_metric.jobs.unlearn import BenchFiles

ROOT = Path(__file__).resolve().parents[1]
METHODS = ("finetune", "scrub", "kookmin", "noisy_finetune", "salun", "retrain")


def busy() -> None:
    """Multiply matrices until killed."""
    factors = np.random.default_rng(0).normal(size=(2, 400, 400))
    while True:
        factors[0] @ factors[1]


class Marks:
    """`cost.spent`, which also notes the time on the wall."""

    def __init__(self, spent: Any) -> None:
        self.spent, self.walls = spent, []

    def __call__(self, device: str) -> float:
        self.walls.append(time.perf_counter())
        return self.spent(device)

    def pairs(self) -> np.ndarray:
        """Seconds on the wall between each two calls that belong together."""
        return np.diff(np.array(self.walls[: len(self.walls) // 2 * 2]).reshape(-1, 2), axis=1)[:, 0]


def measured(plan: Plan, files: BenchFiles, folder: Path, copies: int) -> dict[str, tuple[float, Any, Any]]:
    """Ratio on the wall, and ratio of costs with its interval, by method."""
    from unlearning_metric.jobs.train import train_shard
    from unlearning_metric.jobs.unlearn import unlearn_shard
    from unlearning_metric.runtime.cost import spent
    from unlearning_metric.training import train
    from unlearning_metric.unlearning import copies as running

    indices = list(range(copies))
    train.spent = marks = Marks(spent)
    header = plan.training_origin("retain").header()
    train_shard(files.dataset, files.split, out=folder / "retain.safetensors", role="retain", models=indices,
                settings=plan.training_settings, device="cpu", provenance=header)  # fmt: skip
    wall = np.median(marks.pairs()[:copies])
    train.spent = spent
    found = {}
    for method in METHODS:
        running.spent = marks = Marks(spent)
        out = folder / f"{method}.safetensors"
        unlearn_shard(files, plan.method_file(method), {"method": method, "models": indices}, out=out,
                      settings=plan.unlearning_settings(method), device="cpu",
                      provenance=plan.unlearning_origin(method).header())  # fmt: skip
        run = read_header(out)["run"]
        ratio, interval = seconds_ratio(np.array(run["seconds"]), np.array(run["retraining"]["seconds"]), np.empty(0))
        found[method] = float(np.median(marks.pairs()) / wall), ratio, interval
    return found


def make_inputs(plan: Plan, folder: Path) -> BenchFiles:
    """Data, split and an original."""
    from unlearning_metric.jobs.prepare_data import prepare_data
    from unlearning_metric.jobs.split_data import split_data
    from unlearning_metric.jobs.train import train_shard
    from unlearning_metric.jobs.unlearn import BenchFiles
    from unlearning_metric.store.stored import Stored, StoredFiles

    seed, full, original = plan.config.experiment_seed, plan.training_origin("full"), folder / "full.safetensors"
    dataset = Stored(folder / "dataset.npz", plan.data_origin.key)
    split = Stored(folder / "split.npz", plan.split_origin.key)
    prepare_data(dataset.path, plan.config.data.model_dump(mode="json"), seed, plan.data_origin.header())
    split_data(dataset, split.path, plan.split_settings, seed, plan.split_origin.header())
    train_shard(dataset, split, original, "full", [0], plan.training_settings, "cpu", full.header())
    return BenchFiles(dataset, split, StoredFiles([str(original)], full.key))


def main() -> None:
    """Run both and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--load", type=int, nargs=2, default=(0, 2 * (os.cpu_count() or 1)), help="busy processes")
    arguments = parser.parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    prepare("cpu", 1)
    methods = find_methods(ROOT / "methods")
    plan = Plan(config.load([], {}, methods, ROOT / "config" / "config.yaml"), methods)
    limit = plan.config.efficiency.limit
    with tempfile.TemporaryDirectory() as name:
        inputs = make_inputs(plan, Path(name))
        runs = []
        for processes in arguments.load:
            load = [multiprocessing.get_context("spawn").Process(target=busy, daemon=True) for _ in range(processes)]
            for process in load:
                process.start()
            # Until they compute.
            time.sleep(3.0 if load else 0.0)
            runs.append(measured(plan, inputs, Path(name), arguments.copies))
            for process in load:
                process.kill()
    print(
        f"{arguments.copies} copies; limit {limit:.0%}; busy processes: {arguments.load[0]}, then {arguments.load[1]}"
    )
    for method in METHODS:
        lines = []
        for wall, ratio, (low, high) in (run[method] for run in runs):
            of_wall = "within" if wall <= limit else "over"
            lines.append(f"wall {wall:.3f} {of_wall}; cost {ratio:.3f} [{low:.3f}, {high:.3f}] "
                         f"{verdict((low, high), limit)}")  # fmt: skip
        print(f"  {method:15} {lines[0]:55} | {lines[1]}")


if __name__ == "__main__":
    main()
