"""The net that training starts from, and whether it can be trained by a recipe: asked before hours go into it."""

from __future__ import annotations

import copy

import torch
from torch import nn

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.batches.reads import Reads
from unlearning_metric.config import Model, Training
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.nets.trial import refuse_without_gradient
from unlearning_metric.nets.user_nets import ModelError, model_title
from unlearning_metric.runtime.guards import seeded
from unlearning_metric.seeds import Streams
from unlearning_metric.training.precision import refuse_unsupported
from unlearning_metric.training.recipe import total_steps
from unlearning_metric.user_code.failures import first_line


def initial_model(model_settings: Model, image_shape: tuple[int, ...], num_classes: int, streams: Streams) -> nn.Module:
    """The model that training starts from, on the CPU; ``init`` of the model's own random streams is used."""
    return build_model(model_settings, image_shape, num_classes, streams.integer("init"))


def last_batch(examples: int, recipe: Training) -> int:
    """Examples of the smaller batch that ends an epoch; 0 where there is none, or training ends before it."""
    batches = -(-examples // recipe.batch_size)
    return examples % recipe.batch_size if total_steps(recipe, batches) >= batches else 0


def first_images(dataset: ImageDataset) -> torch.Tensor:
    """Two examples as a net gets them, to look at it with; nobody's reading them is counted."""
    looked_at = copy.copy(dataset)
    looked_at.reads = Reads()
    return looked_at.batch(torch.arange(min(2, len(dataset)), device=dataset.images.device))[0]


def refuse_untrainable(dataset: ImageDataset, model_settings: Model, num_classes: int, recipe: Training) -> None:
    """Check that models can be trained as the recipe says on this host and on so many examples.

    Raises
    ------
    PrecisionError
        If this host has not the recipe's arithmetic.
    ModelError
        If there is nothing to train, or an epoch ends with a batch of one example that the model cannot be trained on.
    """
    refuse_unsupported(recipe, dataset.images.device.type)
    if recipe.file is not None:
        return
    examples, size, device = len(dataset), recipe.batch_size, dataset.images.device
    own, single = model_settings.name is None, 1 in (size, last_batch(examples, recipe))
    if not (own or single):
        return
    model = initial_model(model_settings, tuple(dataset.images.shape[1:]), num_classes, Streams(0, "warm_up")).to(
        device
    )
    images, _ = dataset.batch(torch.zeros(2, dtype=torch.int64, device=device))
    if own:
        with seeded(0):
            refuse_without_gradient(model, model_settings, images, num_classes)
    if not single:
        return
    try:
        with seeded(0), torch.no_grad():
            model.train()(images[:1])
    except ValueError as error:
        better = next((other for other in range(size + 1, examples + 1) if examples % other != 1), None)
        advice = "larger number, and train on more examples"
        if better is not None:
            advice = f"number that leaves no single example, such as {better}"
        raise ModelError(
            f"an epoch of {examples} examples in batches of {size} ends with a batch of one example, on which model "
            f"{model_title(model_settings)} cannot be trained ({first_line(error)}). Set training.batch_size to a "
            f"{advice}."
        ) from error
