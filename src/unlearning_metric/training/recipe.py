"""The training recipe: from the configuration's words to rates, optimizers and losses."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from unlearning_metric.config import Training


def one_by_one(recipe: Training) -> Training:
    """The recipe, for the record of a job that handles models one after another whatever the recipe says."""
    return recipe.model_copy(update={"engine": "loop", "compile": False})


def total_steps(recipe: Training, batches: int) -> int:
    """Steps of a training whose epoch has so many batches."""
    return recipe.steps if recipe.steps is not None else recipe.epochs * batches


def examples_read(recipe: Training, examples: int) -> int:
    """Examples that a training by the recipe on so many of them reads, each time that it does."""
    batches = -(-examples // recipe.batch_size)
    epochs, rest = divmod(total_steps(recipe, batches), batches)
    return epochs * examples + rest * recipe.batch_size


def learning_rate(recipe: Training, step: int, steps: int, batches: int) -> float:
    """Learning rate of step ``step`` of ``steps`` (0-based), from ``schedule``, ``lr`` and ``warmup``.

    ``cosine`` falls at each step, ``cosine_by_epoch`` at the end of each epoch of ``batches`` steps.
    ``one_cycle`` rises by a half cosine from lr/25 to lr over the first ``warmup`` share of the steps, at least one of
    them unless the share is 0, and falls by a half cosine to nearly 0 (Smith and Topin, arXiv 1708.07120, in its common
    cosine form).
    """
    peak, schedule = recipe.lr, recipe.schedule
    if schedule == "constant":
        return peak
    if schedule == "cosine_by_epoch":
        return peak * 0.5 * (1 + math.cos(math.pi * (step // batches) / math.ceil(steps / batches)))
    if schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * step / steps))
    rise = max(1, round(recipe.warmup * steps)) if recipe.warmup else 0
    if step < rise:
        low = peak / 25
        return low + (peak - low) * 0.5 * (1 - math.cos(math.pi * step / rise))
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def make_optimizer(
    parameters: Iterable[nn.Parameter], recipe: Training, rate: torch.Tensor | None = None
) -> torch.optim.Optimizer:
    """The recipe's optimizer in its fused form.

    Parameters
    ----------
    rate : the learning rate as a number on the device, which may change there without a word to the optimizer
    """
    common = {"lr": recipe.lr, "weight_decay": recipe.weight_decay, "fused": True}
    optimizer: torch.optim.Optimizer
    if recipe.optimizer == "sgd":
        optimizer = torch.optim.SGD(parameters, momentum=recipe.momentum, **common)
        if recipe.momentum:
            # The first step makes of zeros what it makes of nothing. PyTorch fails where a parameter has its first
            # gradient in a later step, as in a net that skips layers at random.
            for parameter in optimizer.param_groups[0]["params"]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    else:
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
        optimizer = kind(parameters, capturable=rate is not None, **common)
    if rate is not None:
        # Afterwards: a constructor compares a rate with 0, for which the device would have to be waited for.
        for group in optimizer.param_groups:
            group["lr"] = rate
    return optimizer


def class_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Weights of the challenge's recipe: 1 / (percent of the training set in the class); absent classes 0."""
    counts = np.bincount(labels, minlength=num_classes)
    with np.errstate(divide="ignore"):
        return np.where(counts > 0, counts.sum() / (100.0 * counts), 0.0).astype(np.float32)


def loss_function(recipe: Training, labels: torch.Tensor, num_classes: int) -> nn.CrossEntropyLoss:
    """The recipe's cross-entropy, for models that are trained on examples of these labels.

    Its class weights are of those examples alone: a model that is retrained knows nothing of the others.
    """
    weight = None
    if recipe.class_weights:
        weight = torch.as_tensor(class_weights(labels.cpu().numpy(), num_classes), device=labels.device)
    return nn.CrossEntropyLoss(weight, label_smoothing=recipe.label_smoothing)
