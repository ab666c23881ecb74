"""dataset.npz, split.npz, original models, a method file -> a shard of unlearned models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.models import build_model
from unlearning_metric.progress import Progress, run_record
from unlearning_metric.splits import read_split
from unlearning_metric.store import read_models, read_npz, write_models
from unlearning_metric.training import make_dataset
from unlearning_metric.unlearning import class_weights, load_method, run_copies


def unlearn_shard(
    dataset: Path | str,
    dataset_key: str,
    split: Path | str,
    split_key: str,
    originals: list[str],
    originals_key: str,
    method_file: Path | str,
    out: Path | str,
    method: str,
    models: list[int],
    settings: dict[str, Any],
    device: str,
    provenance: dict[str, Any],
) -> None:
    """Run the copies of one shard of a method.

    Parameters
    ----------
    originals : files of all original models, in order
    models : indices of the shard's copies
    settings : ``experiment_seed``, ``model``, ``training`` and ``options`` (hyper-parameters of the method)
    provenance : ``key`` and ``origin`` for the header
    """
    function = load_method(method_file)
    data, header = read_npz(dataset, dataset_key)
    indices = read_split(split, split_key)[0].arrays()
    num_classes = header["num_classes"]
    states: dict[int, Any] = {}
    for path in originals:
        states.update(read_models(path, originals_key)[0])
    bases = []
    for _, state in sorted(states.items()):
        base = build_model(settings["model"], data["x_train"].shape[1:], num_classes, seed=0)
        base.load_state_dict(state)
        bases.append(base.to(device).eval())
    sets = {name: make_dataset(data, "train", indices[name], device) for name in ("retain", "forget", "validation")}
    trained_on = np.concatenate([indices["retain"], indices["forget"]])
    progress = Progress(method, len(models))
    unlearned, seconds = run_copies(
        function,
        method,
        settings["options"],
        bases,
        sets,
        num_classes,
        settings["model"],
        settings["training"],
        class_weights(data["y_train"][trained_on], num_classes),
        settings["experiment_seed"],
        models,
        progress.step,
    )
    record = {**run_record(device), "seconds": [seconds[index] for index in models]}
    write_models(out, unlearned, {**provenance, "role": f"unlearn/{method}", "models": models, "run": record})
