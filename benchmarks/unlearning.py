"""Unlearning 64 copies of the digits net with finetune: one job of this workflow against one process per copy.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/unlearning.py

CPU time of whole processes, imports included. Of the reference a few copies are measured and scaled up to all.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from unlearning_metric import config
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan
from unlearning_metric.runtime.devices import prepare

ROOT = Path(__file__).resolve().parents[1]

#: What the workflow's script of the rule does, with its arguments as JSON.
JOB = """
import json, sys
from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
arguments = json.loads(sys.argv[1])
with importing():
    prepare("cpu", 1)
    from unlearning_metric.jobs.unlearn import BenchFiles, unlearn_shard
    from unlearning_metric.store.stored import Stored, StoredFiles
files = arguments.pop("files")
originals = StoredFiles(*files.pop("originals"))
files = BenchFiles(**{name: Stored(*file) for name, file in files.items()}, originals=originals)
unlearn_shard(files, **arguments)
"""

#: One copy in a process of its own, written plainly: data, checkpoint, DataLoader, loop, checkpoint.
ONE_COPY = """
import sys
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

folder, seed, lr, epochs, batch_size, momentum, weight_decay = sys.argv[1], *map(float, sys.argv[2:])
torch.set_num_threads(1)
torch.manual_seed(int(seed))
data = np.load(f"{folder}/retain.npz")
images = (torch.from_numpy(data["images"]).float() - float(data["mean"])) / float(data["std"])
dataset = TensorDataset(images.permute(0, 3, 1, 2), torch.from_numpy(data["labels"]))
loader = DataLoader(dataset, batch_size=int(batch_size), shuffle=True)
model = nn.Sequential(
    nn.Conv2d(1, 32, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Conv2d(32, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Flatten(), nn.Linear(128, 10),
)
model.load_state_dict(torch.load(f"{folder}/original.pt", weights_only=True))
optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, weight_decay=weight_decay)
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=lr, total_steps=int(epochs) * len(loader), pct_start=0.25, cycle_momentum=False
)
criterion = nn.CrossEntropyLoss()
model.train()
for _ in range(int(epochs)):
    for inputs, targets in loader:
        optimizer.zero_grad()
        criterion(model(inputs), targets).backward()
        optimizer.step()
        scheduler.step()
torch.save(model.state_dict(), f"{folder}/copy_{int(seed)}.pt")
"""


def cpu_seconds(program: str, *arguments: str) -> float:
    """CPU time, user and system, of a Python process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def make_inputs(plan: Plan, folder: Path) -> dict[str, object]:
    """Data, split and original of the default experiment; arguments of its unlearn job for all copies."""
    import numpy as np
    import torch

    from unlearning_metric.jobs.prepare_data import prepare_data
    from unlearning_metric.jobs.split_data import split_data
    from unlearning_metric.jobs.train import train_shard
    from unlearning_metric.store.files import read_models, read_npz
    from unlearning_metric.store.stored import Stored

    seed, full = plan.config.experiment_seed, plan.training_origin("full")
    data, split, original = (str(folder / name) for name in ("dataset.npz", "split.npz", "original.safetensors"))
    keys = plan.data_origin.key, plan.split_origin.key
    prepare_data(data, plan.config.data.model_dump(mode="json"), seed, plan.data_origin.header())
    dataset, of_split = Stored(data, keys[0]), Stored(split, keys[1])
    split_data(dataset, split, plan.split_settings, seed, plan.split_origin.header())
    train_shard(dataset, of_split, original, "full", [0], plan.training_settings, "cpu", full.header())

    arrays, retain = read_npz(data)[0], read_npz(split)[0]["retain"]
    np.savez(
        folder / "retain.npz",
        images=arrays["x_train"][retain],
        labels=arrays["y_train"][retain],
        mean=arrays["mean"][0],
        std=arrays["std"][0],
    )
    torch.save(read_models(original)[0][0], folder / "original.pt")
    return {
        "files": {"dataset": dataset, "split": of_split, "originals": ([original], full.key)},
        "method_file": str(plan.method_file("finetune")), "out": str(folder / "copies.safetensors"),
        "copies": {"method": "finetune", "models": list(range(plan.config.copies))},
        "settings": plan.unlearning_settings("finetune"), "device": "cpu",
        "provenance": plan.unlearning_origin("finetune").header(),
    }  # fmt: skip


def main() -> None:
    """Measure both sides in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", type=int, default=6, help="copies of the reference that are run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of the job")
    arguments = parser.parse_args()
    prepare("cpu", 1)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

    methods = find_methods(ROOT / "methods")
    settings = config.load([], {}, methods, ROOT / "config" / "config.yaml")
    plan = Plan(settings, methods)
    options = {"momentum": 0.9, "weight_decay": 5e-4, **plan.method("finetune").options}
    names = ("lr", "epochs", "batch_size", "momentum", "weight_decay")
    options["batch_size"] = settings.training.batch_size
    copies = settings.copies
    with tempfile.TemporaryDirectory() as name:
        inputs = json.dumps(make_inputs(plan, Path(name)))
        jobs, singles = [], []
        for round_ in range(arguments.rounds):
            jobs.append(cpu_seconds(JOB, inputs))
            for seed in range(round_, arguments.measured, arguments.rounds):
                singles.append(cpu_seconds(ONE_COPY, name, str(seed), *(str(options[one]) for one in names)))
    job, single = sorted(jobs)[len(jobs) // 2], sum(singles) / len(singles)
    print(
        f"finetune, {options['epochs']} epochs, {copies} copies of the digits net, CPU seconds: "
        f"one process per copy {single:.2f} each ({len(singles)} measured), {single * copies:.1f} for all (scaled); "
        f"one job {job:.2f} (median of {len(jobs)}: {', '.join(f'{one:.2f}' for one in jobs)}); "
        f"ratio x{single * copies / job:.1f}"
    )


if __name__ == "__main__":
    main()
