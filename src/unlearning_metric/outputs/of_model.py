"""What is recorded of one model for each example (metric page, section 1)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.batches.loaders import ImageLoader
from unlearning_metric.outputs.on_device import device_outputs
from unlearning_metric.outputs.signals import DIVERGED_CONFIDENCE, signals

#: Examples at once on a CPU. Where a batch's activations leave the cache, a processor slows down by a fifth.
EVALUATION_BATCH = 128


@torch.no_grad()
def predict(model: nn.Module, dataset: ImageDataset) -> np.ndarray:
    """Logits [examples, classes], float32, in the data set's order; eval mode, no augmentation."""
    model.eval()
    batches = [model(images).float() for images, _ in ImageLoader(dataset, EVALUATION_BATCH)]
    return torch.cat(batches).cpu().numpy() if batches else np.empty((0, 0), dtype=np.float32)


def is_finite(state: Mapping[str, torch.Tensor]) -> bool:
    """Whether every parameter and buffer of a state dict is finite."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in state.values() if tensor.is_floating_point())


def model_outputs(model: nn.Module, datasets: dict[str, ImageDataset]) -> tuple[dict[str, dict[str, np.ndarray]], bool]:
    """Signals of one model on several named sets of examples, and whether the model diverged.

    A model with a non-finite parameter, buffer or output counts as wrong everywhere, with
    ``DIVERGED_CONFIDENCE``: it stays in the ensemble and is counted.
    """
    if all(dataset.images.device.type == "cpu" for dataset in datasets.values()):
        found = _computed_here(model, datasets)
    else:
        found = device_outputs(model.eval(), datasets)
    if found is not None:
        return found, False
    return {name: _diverged(len(dataset)) for name, dataset in datasets.items()}, True


def _computed_here(model: nn.Module, datasets: dict[str, ImageDataset]) -> dict[str, dict[str, np.ndarray]] | None:
    """Signals of a model on a CPU; None of one that diverged."""
    logits = {name: predict(model, dataset) for name, dataset in datasets.items()}
    if not (all(np.isfinite(values).all() for values in logits.values()) and is_finite(model.state_dict())):
        return None
    return {
        name: signals(logits[name] if len(dataset) else np.empty((0, 2)), dataset.labels.numpy())
        for name, dataset in datasets.items()
    }


def _diverged(count: int) -> dict[str, np.ndarray]:
    return {
        "loss": np.full(count, -DIVERGED_CONFIDENCE),
        "confidence": np.full(count, DIVERGED_CONFIDENCE),
        "logit": np.full(count, DIVERGED_CONFIDENCE),
        "prediction": np.full(count, -1, dtype=np.int32),
        "correct": np.zeros(count, dtype=bool),
    }
