"""A shard of models -> per-example outputs in parquet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model
from unlearning_metric.forget.split_file import read_split
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.nets.user_nets import own_line_of
from unlearning_metric.outputs.dumps import groups_of_roles, labels_of_roles, rows
from unlearning_metric.outputs.ensemble import ACCURACIES, ROLES, refuse_diverged
from unlearning_metric.outputs.of_model import model_outputs
from unlearning_metric.progress import LOGGER, Progress
from unlearning_metric.store.files import StoreError, read_models, read_npz, rebuild_hint, write_parquet
from unlearning_metric.store.shards import shard_models
from unlearning_metric.store.stored import Stored
from unlearning_metric.training.train import make_dataset
from unlearning_metric.user_code.unchanged_files import refuse_edited


def dump_losses(
    dataset: Stored,
    split: Stored,
    shard: Stored,
    model_settings: Model | Mapping[str, Any],
    out: Path | str,
    device: str,
    on_diverged: str,
    provenance: dict[str, Any],
) -> None:
    """Evaluate every model of a shard, in fp32 and eval mode, on forget, probe, validation and test examples.

    Accuracies are counted over all retain and all test examples and kept for each model in the header, which
    ``provenance`` (key and origin) begins.
    """
    model_settings = Model.model_validate(model_settings)
    refuse_edited(provenance, {"model.file": model_settings.file})
    data, header = read_npz(*dataset)
    indices, split_header = read_split(*split)
    states, shard_header = read_models(*shard)
    models = shard_models(Path(shard.path).stem)
    if list(states) != models:
        raise StoreError(
            f"{shard.path} holds models {list(states)}, its name says {models[0]}..{models[-1]}. "
            f"{rebuild_hint(shard.path)}"
        )
    by_role = indices.arrays()
    datasets = {
        name: make_dataset(data, "test" if name == "test" else "train", by_role[name], device)
        for name in ("retain", "forget", "validation", "test")
    }
    model = build_model(model_settings, data["x_train"].shape[1:], header["num_classes"], seed=0).to(device)
    with own_line_of(model_settings):
        said = _evaluated(model, states, datasets, np.searchsorted(indices.retain, indices.probe))
    refuse_diverged(on_diverged, shard_header["role"], said.diverged)
    if said.diverged:
        LOGGER.warning("%d of %d models diverged: %s", len(said.diverged), len(states), said.diverged)
    labels, groups = labels_of_roles(data, by_role, ROLES), groups_of_roles(data, by_role, ROLES)
    write_parquet(
        out,
        rows(said.outputs, by_role, labels, groups),
        {
            **provenance,
            "role": shard_header["role"],
            "models": models,
            "order": split_header["order"],
            "duplicates": split_header.get("duplicates"),
            "classes": header["classes"],
            "data_warnings": split_header.get("warnings", []),
            "accuracy": said.accuracy,
            "diverged": said.diverged,
            "run": shard_header["run"],
        },
    )


class _Said(NamedTuple):
    """What the models of a shard say: outputs by model and role, accuracies by set, and which models diverged."""

    outputs: dict[int, dict[str, dict[str, np.ndarray]]]
    accuracy: dict[str, list[float]]
    diverged: list[int]


def _evaluated(
    model: nn.Module, states: Mapping[int, Any], datasets: dict[str, ImageDataset], probe: np.ndarray
) -> _Said:
    """Evaluate the net with each state; ``probe`` are places in the retain set, whose rows are taken from there."""
    said = _Said({}, {name: [] for name in ACCURACIES}, [])
    progress = Progress("evaluated", len(states))
    for index, state in states.items():
        model.load_state_dict(state)
        signals, bad = model_outputs(model, datasets)
        if bad:
            said.diverged.append(index)
        for name in ACCURACIES:
            correct = signals[name]["correct"]
            # Without validation examples there is no such accuracy; 0 stands for none in the header.
            said.accuracy[name].append(float(correct.mean()) if len(correct) else 0.0)
        signals["probe"] = {name: values[probe] for name, values in signals["retain"].items()}
        said.outputs[index] = signals
        progress.step()
    return said
