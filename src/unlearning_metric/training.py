"""Training from scratch: the recipe, and the plain loop over one model after another."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearning_metric.loaders import ImageDataset, ImageLoader
from unlearning_metric.models import build_model
from unlearning_metric.seeds import Streams


def learning_rate(recipe: dict[str, Any], step: int, steps: int) -> float:
    """Learning rate of step ``step`` of ``steps`` (0-based), from ``schedule``, ``lr`` and ``warmup``.

    ``one_cycle`` rises by a half cosine from lr/25 to lr over the first ``warmup`` share of the steps and falls
    by a half cosine to nearly 0 (Smith and Topin, arXiv 1708.07120, in its common cosine form).
    """
    peak, schedule = recipe["lr"], recipe["schedule"]
    if schedule == "constant":
        return peak
    if schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * step / steps))
    rise = max(1, round(recipe["warmup"] * steps))
    if step < rise:
        low = peak / 25
        return low + (peak - low) * 0.5 * (1 - math.cos(math.pi * step / rise))
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def make_optimizer(parameters: Iterable[nn.Parameter], recipe: dict[str, Any]) -> torch.optim.Optimizer:
    """The recipe's optimizer in its fused form."""
    common = {"lr": recipe["lr"], "weight_decay": recipe["weight_decay"], "fused": True}
    if recipe["optimizer"] == "sgd":
        return torch.optim.SGD(parameters, momentum=recipe["momentum"], **common)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe["optimizer"]]
    return kind(parameters, **common)


def initial_model(
    model_settings: dict[str, Any], image_shape: tuple[int, ...], num_classes: int, streams: Streams
) -> nn.Module:
    """The model that training starts from, on the CPU; ``init`` of the model's own random streams is used."""
    return build_model(model_settings, image_shape, num_classes, streams.integer("init"))


def train_model(
    dataset: ImageDataset,
    model_settings: dict[str, Any],
    num_classes: int,
    recipe: dict[str, Any],
    streams: Streams,
) -> nn.Module:
    """Train one model from fresh weights on all of ``dataset``; its last state, in eval mode.

    Parameters
    ----------
    dataset : the training examples, on the device to train on
    model_settings : the ``model`` part of the configuration
    recipe : the ``training`` part of the configuration
    streams : the model's own random streams; ``init`` and ``order`` are used
    """
    device = dataset.images.device
    image_shape = tuple(dataset.images.shape[1:])
    model = initial_model(model_settings, image_shape, num_classes, streams).to(device)
    loader = ImageLoader(dataset, recipe["batch_size"], shuffle=True, generator=streams.torch("order"))
    optimizer = make_optimizer(model.parameters(), recipe)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe["label_smoothing"])
    steps, step = recipe["epochs"] * len(loader), 0
    half = recipe["precision"] == "bf16"
    model.train()
    for _ in range(recipe["epochs"]):
        for images, labels in loader:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step, steps)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                logits = model(images)
            criterion(logits.float(), labels).backward()
            optimizer.step()
            step += 1
    return model.eval()


def synchronize(device: str) -> None:
    """Wait for the GPU, so that a clock read next to it means something."""
    if device == "cuda":
        torch.cuda.synchronize()


def _warm_up(dataset: ImageDataset, model_settings: dict[str, Any], num_classes: int, recipe: dict[str, Any]) -> None:
    """Train a model on one batch and drop it, so that no model's time holds what a process loads once."""
    batch = copy.copy(dataset)
    batch.images, batch.labels = (tensor[: recipe["batch_size"]] for tensor in (dataset.images, dataset.labels))
    train_model(batch, model_settings, num_classes, {**recipe, "epochs": 1}, Streams(0, "warm_up"))


def train_models(
    dataset: ImageDataset,
    model_settings: dict[str, Any],
    num_classes: int,
    recipe: dict[str, Any],
    experiment_seed: int,
    role: str,
    indices: Iterable[int],
    done: Callable[[], None] = lambda: None,
) -> tuple[dict[int, dict[str, torch.Tensor]], dict[int, float]]:
    """Train the models ``indices`` of a role, one after another.

    Model i is the same, bit by bit, whatever other models share its call.

    Returns
    -------
    states : state dict by model index
    seconds : wall-clock seconds by model index
    """
    device = dataset.images.device.type
    states, seconds = {}, {}
    _warm_up(dataset, model_settings, num_classes, recipe)
    for index in indices:
        start = time.perf_counter()
        streams = Streams(experiment_seed, role, index)
        model = train_model(dataset, model_settings, num_classes, recipe, streams)
        synchronize(device)
        seconds[index] = time.perf_counter() - start
        states[index] = model.state_dict()
        done()
    return states, seconds


def make_dataset(data: dict[str, np.ndarray], part: str, indices: np.ndarray, device: str) -> ImageDataset:
    """The examples ``indices`` of pool ``part`` ("train" or "test") of a stored data set, on ``device``."""
    return ImageDataset(data[f"x_{part}"][indices], data[f"y_{part}"][indices], data["mean"], data["std"], device)
