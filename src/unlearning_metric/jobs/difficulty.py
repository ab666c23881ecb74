"""dataset.npz -> difficulty.npz: how hard each training example is for models that did not train on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.config import DifficultySettings
from unlearning_metric.forget.split import training_set
from unlearning_metric.outputs.of_model import model_outputs
from unlearning_metric.progress import LOGGER, Progress, run_record
from unlearning_metric.seeds import Streams
from unlearning_metric.store.files import read_npz, write_npz
from unlearning_metric.store.stored import Stored
from unlearning_metric.training.recipe import one_by_one
from unlearning_metric.training.train import make_dataset, train_model
from unlearning_metric.training.trainable import refuse_untrainable
from unlearning_metric.user_code.unchanged_files import refuse_edited, user_files

#: Role of the models; none of their random streams is any other model's.
ROLE = "difficulty"


def halves(examples: int, pair: int, experiment_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two random halves of the positions 0..examples-1, ascending: what models ``2 pair`` and ``2 pair + 1`` train on.

    They exclude one another, so that every example is held out from exactly one model of a pair.
    """
    order = Streams(experiment_seed, ROLE, pair).numpy("halves").permutation(examples)
    return np.sort(order[: examples // 2]), np.sort(order[examples // 2 :])


def measure_difficulty(
    dataset: Stored,
    out: Path | str,
    settings: DifficultySettings | Mapping[str, Any],
    device: str,
    provenance: dict[str, Any],
) -> None:
    """Train models on random halves of the training set, and store each example's mean loss over the others.

    Parameters
    ----------
    settings : ``experiment_seed``, ``model``, ``training`` of the configuration, ``train_size`` and
        ``validation_size`` of its data, and ``models``, an even number
    provenance : ``key`` and ``origin`` for the header
    """
    settings = DifficultySettings.model_validate(settings)
    refuse_edited(provenance, user_files(settings.model.file, settings.training.file))
    data, header = read_npz(*dataset)
    seed = settings.experiment_seed
    train, validation = training_set(data["y_train"], settings, seed, data.get("validation"))
    held = make_dataset(data, "train", validation, device)
    progress = Progress(ROLE, settings.models)
    losses = np.zeros(len(train))
    diverged = 0
    for pair in range(settings.models // 2):
        parts = halves(len(train), pair, seed)
        for number, (own, other) in enumerate((parts, parts[::-1])):
            trained_on = make_dataset(data, "train", train[own], device)
            what = trained_on, settings.model, header["num_classes"], settings.training
            refuse_untrainable(*what)
            model = train_model(*what, Streams(seed, ROLE, 2 * pair + number), held)
            outputs, bad = model_outputs(model, {"held": make_dataset(data, "train", train[other], device)})
            losses[other] += outputs["held"]["loss"]
            diverged += bad
            progress.step()
    losses /= settings.models // 2
    record = run_record(device, one_by_one(settings.training))
    write_npz(out, {"examples": train, "loss": losses}, {**provenance, "diverged": diverged, "run": record})
    LOGGER.info("held-out loss: median %.3f, largest %.3f", np.median(losses), losses.max())
    if diverged:
        LOGGER.warning("%d of %d models diverged, and count as wrong everywhere", diverged, settings.models)
