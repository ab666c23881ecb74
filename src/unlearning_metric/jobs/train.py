"""dataset.npz, split.npz -> a shard of models trained from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.config import TrainingSettings
from unlearning_metric.forget.split_file import read_split
from unlearning_metric.nets.trial import start_is_fixed
from unlearning_metric.nets.user_nets import model_title
from unlearning_metric.outputs.of_model import is_finite
from unlearning_metric.progress import LOGGER, Progress, run_record
from unlearning_metric.runtime.cost import CLOCKS
from unlearning_metric.seeds import Streams
from unlearning_metric.store.files import read_npz, write_models
from unlearning_metric.store.stored import Stored
from unlearning_metric.training.recipe import examples_read
from unlearning_metric.training.train import make_dataset, train_models, with_engine
from unlearning_metric.user_code.unchanged_files import refuse_edited, user_files

#: role -> the index sets its models are trained on
TRAINING_SETS = {"full": ("retain", "forget"), "retain": ("retain",)}


def train_shard(
    dataset: Stored,
    split: Stored,
    out: Path | str,
    role: str,
    models: list[int],
    settings: TrainingSettings | Mapping[str, Any],
    device: str,
    provenance: dict[str, Any],
) -> None:
    """Train the models of one shard of a role: ``full`` on retain and forget set, ``retain`` without the latter.

    Parameters
    ----------
    models : model indices of the shard
    settings : ``experiment_seed``, ``model`` and ``training`` of the configuration
    provenance : ``key`` and ``origin`` for the header
    """
    settings = TrainingSettings.model_validate(settings)
    refuse_edited(provenance, user_files(settings.model.file, settings.training.file))
    data, header = read_npz(*dataset)
    indices = read_split(*split)[0].arrays()
    chosen = np.sort(np.concatenate([indices[name] for name in TRAINING_SETS[role]]))
    named = header.get("classes", ())
    examples = make_dataset(data, "train", chosen, device, named)
    validation = make_dataset(data, "train", indices["validation"], device, named)
    model, shape = settings.model, tuple(examples.images.shape[1:])
    if model.name is None and start_is_fixed(model, shape, header["num_classes"]):
        LOGGER.warning(
            "warning: model %s starts from the same weights whatever the seed. Right for a pretrained net; any other "
            "must set no seed in its function, or retrained models differ by the order of their batches alone",
            model_title(model),
        )
    recipe, place = with_engine(examples, model, header["num_classes"], settings.training)
    progress = Progress(role, len(models))
    states, seconds = train_models(
        examples,
        model,
        header["num_classes"],
        recipe,
        Streams.of_models(settings.experiment_seed, role, models),
        progress.step,
        validation,
        place=place,
    )
    # A function of the user's reads what it likes, and is counted.
    read = examples.reads.total() / len(models) if recipe.file else examples_read(recipe, len(examples))
    record = {
        **run_record(device, recipe),
        "clock": CLOCKS[device],
        "seconds": [seconds[index] for index in models],
        "examples": [read] * len(models),
    }
    diverged = [index for index, state in states.items() if not is_finite(state)]
    if diverged:
        LOGGER.warning(
            "warning: %d of %d models diverged (%s): they are not finite. A lower training.lr may help",
            len(diverged), len(states), ", ".join(map(str, diverged)),
        )  # fmt: skip
    write_models(out, states, {**provenance, "role": role, "models": models, "run": record})
