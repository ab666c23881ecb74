"""What N = 512 costs: seconds and memory of the plan, and of scoring outputs of 60,000 examples a model.

    python benchmarks/scale.py plan                  dry runs: 25 methods, 3 forget sets
    python benchmarks/scale.py write FOLDER          outputs of 512 + 512 models, 1.6 GB
    python benchmarks/scale.py score FOLDER          scores them; call it under /usr/bin/time -v

The probe is the whole retain set: 1,000 forget, 49,000 probe and 10,000 test examples. Nothing is trained.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"forget": 1_000, "probe": 49_000, "validation": 0, "test": 10_000}
MODELS, SHARD, CLASSES = 512, 32, 10
KEYS = {"retrained": "r", "unlearned": "u", "originals": "o"}

EXPERIMENT = {
    "copies": MODELS,
    "device": "cpu",
    "data": {"source": "digits", "train_size": 500, "validation_size": 200},
    "model": {"name": "digits_cnn"},
    "training": {"lr": 0.1, "epochs": 20, "batch_size": 32},
    "skip": ["mixture", "oracle_matching"],
}
FORGET_SETS = (
    {"strategy": "random", "count": 72},
    {"strategy": "random", "fraction": 0.02},
    {"strategy": "class", "label": 3},
)


def peak_mb(who: int) -> float:
    """Largest resident set so far, MB, of this process or of any child that ended."""
    return resource.getrusage(who).ru_maxrss / 1000


def plan() -> None:
    """Dry runs of three experiments, one after another."""
    for shard_size in (32, 8):
        begin, jobs = time.perf_counter(), 0
        with tempfile.TemporaryDirectory() as folder:
            for number, forget in enumerate(FORGET_SETS):
                file = Path(folder, f"{number}.yaml")
                results = str(Path(folder, str(number)))
                settings = {**EXPERIMENT, "shard_size": shard_size, "forget": forget, "results": results}
                file.write_text(yaml.safe_dump(settings))
                answer = subprocess.run(
                    [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", "--configfile", str(file)],
                    cwd=ROOT, capture_output=True, text=True, check=True,
                )  # fmt: skip
                jobs += int(answer.stdout.split("\ntotal")[1].split()[0])
        print(
            f"N = {MODELS}, 25 methods, 3 forget sets, shard_size {shard_size}: {jobs} jobs planned in "
            f"{time.perf_counter() - begin:.1f} s, peak RSS {peak_mb(resource.RUSAGE_CHILDREN):.0f} MB"
        )


def write(folder: Path) -> None:
    """Outputs of both sides and of one original, as the rule dump_losses writes them, shard by shard."""
    from unlearning_metric.outputs.dumps import rows
    from unlearning_metric.outputs.signals import signals
    from unlearning_metric.store.files import write_parquet

    rng = np.random.default_rng(0)
    starts = np.cumsum([0, *SIZES.values()])
    indices = {role: np.arange(start, start + SIZES[role]) for role, start in zip(SIZES, starts, strict=False)}
    labels = {role: rng.integers(CLASSES, size=size) for role, size in SIZES.items()}
    base = {role: rng.normal(0, 2, (size, CLASSES)).astype(np.float32) for role, size in SIZES.items()}
    for side, models in (("retrained", MODELS), ("unlearned", MODELS), ("originals", 1)):
        for first in range(0, models, SHARD):
            ids = list(range(first, min(first + SHARD, models)))
            outputs = {
                model: {
                    role: signals(base[role] + rng.normal(0, 1.5, base[role].shape).astype(np.float32), labels[role])
                    for role in SIZES
                }
                for model in ids
            }
            accuracy = {name: [0.9] * len(ids) for name in ("retain", "forget", "validation", "test")}
            header = {"key": KEYS[side], "origin": {}, "role": side, "models": ids, "order": "o", "accuracy": accuracy,
                      "diverged": [], "run": {"seconds": [1.0] * len(ids)}}  # fmt: skip
            path = folder / side / f"{ids[0]:04d}-{ids[-1]:04d}.parquet"
            write_parquet(path, rows(outputs, indices, labels), header)
    files = sorted(folder.rglob("*.parquet"))
    size, written = sum(path.stat().st_size for path in files), sum(SIZES.values()) * (2 * MODELS + 1)
    print(
        f"{len(files)} files, {size / 1e9:.2f} GB, {size / written:.1f} bytes a row, "
        f"peak RSS {peak_mb(resource.RUSAGE_SELF):.0f} MB"
    )


def score(folder: Path) -> None:
    """One job of the rule score."""
    from unlearning_metric.jobs.score import ScoreFiles, score_dumps
    from unlearning_metric.store.stored import StoredFiles

    begin = time.perf_counter()
    dumps = {
        side: StoredFiles([str(path) for path in sorted((folder / side).glob("*.parquet"))], key)
        for side, key in KEYS.items()
    }
    out = ScoreFiles(*(folder / name for name in ("score.json", "samples.parquet", "replicates.npz")))
    settings = {
        "experiment_seed": 0, "copies": MODELS, "originals": 1, "ceiling": "split", "data": {"source": "npz"},
        "forget": {"strategy": "random"}, "model": {"name": "resnet18"}, "training": {"precision": "fp32"},
        "delta": 1e-5, "efficiency": {"limit": 0.2}, "options": {},
    }  # fmt: skip
    score_dumps(dumps, out, "synthetic", settings, "keep", {"key": "s", "origin": {}})
    examples = sum(SIZES.values())
    print(
        f"{MODELS} + {MODELS} models x {examples} examples scored in {time.perf_counter() - begin:.0f} s, "
        f"peak RSS {peak_mb(resource.RUSAGE_SELF):.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["plan", "write", "score"])
    parser.add_argument("folder", nargs="?", type=Path, help="where the outputs lie, for write and score")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if arguments.what == "plan":
        plan()
    elif arguments.folder is None:
        parser.error(f"{arguments.what} needs a FOLDER")
    else:
        {"write": write, "score": score}[arguments.what](arguments.folder)


if __name__ == "__main__":
    main()
