"""A step of training as a function of fixed buffers, and what fills them: the same for every engine."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from unlearning_metric.batches.augmentation import make_augmentation
from unlearning_metric.batches.loaders import ImageDataset
from unlearning_metric.config import Training
from unlearning_metric.seeds import Streams
from unlearning_metric.training.precision import autocast
from unlearning_metric.training.recipe import learning_rate, loss_function, make_optimizer, total_steps


class Epochs:
    """What the epochs of one model draw; ``order`` and ``augment`` of its own random streams are used.

    Drawn on the CPU, so it is the same on every device and whatever engine trains.
    """

    def __init__(self, examples: int, recipe: Training, streams: Streams) -> None:
        self.examples, self.size = examples, recipe.batch_size
        self.order = streams.torch("order")
        self.augmentation = make_augmentation(recipe.crop, recipe.flip, streams.torch("augment"))

    def draw(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The next epoch: int64 [examples], their order; int32 [3, examples], crops and flips in that order."""
        order = torch.randperm(self.examples, generator=self.order)
        if self.augmentation is None:
            return order, None
        counts = [min(self.size, self.examples - start) for start in range(0, self.examples, self.size)]
        return order, torch.cat([self.augmentation.draw(count) for count in counts], dim=1).int()


class Trainer:
    """A model on its device, and the step that changes it.

    Attributes
    ----------
    rate : float32 [1] on a GPU, the learning rate, which a step reads there; None on a CPU, which is given numbers
    """

    def __init__(self, dataset: ImageDataset, model: nn.Module, num_classes: int, recipe: Training) -> None:
        self.dataset, self.model, self.recipe = dataset, model, recipe
        self.device = dataset.images.device
        self.rate = torch.zeros(1, device=self.device) if self.device.type == "cuda" else None
        self.optimizer = make_optimizer(model.parameters(), recipe, None if self.rate is None else self.rate[0])
        self.criterion = loss_function(recipe, dataset.labels, num_classes)
        self.augmentation = make_augmentation(recipe.crop, recipe.flip, torch.Generator())
        # An epoch has batches of two sizes at most: code for each is faster than code for any.
        self.forward = torch.compile(model, dynamic=False) if recipe.compile else model

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next step."""
        if self.rate is not None:
            self.rate.fill_(rate)
            return
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def step(self, chosen: torch.Tensor, drawn: torch.Tensor | None) -> None:
        """One step of the optimizer.

        Parameters
        ----------
        chosen : int [batch], the examples, on the device
        drawn : int [3, batch], their crops and flips; None without augmentation
        """
        augmented = None if drawn is None else partial(self.augmentation.apply, drawn=drawn)
        images, labels = self.dataset.batch(chosen, augmented)
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.recipe, self.device.type):
            logits = self.forward(images)
        self.criterion(logits.float(), labels).backward()
        self.optimizer.step()


class Steps:
    """The steps of one training in their order, taken one by one.

    Parameters
    ----------
    trainer, epochs : the model and what its epochs draw

    Attributes
    ----------
    total, left : steps of the training, and those that are left of it
    """

    def __init__(self, trainer: Trainer, epochs: Epochs) -> None:
        self.trainer, self.epochs, self.recipe = trainer, epochs, trainer.recipe
        self.batches = -(-epochs.examples // epochs.size)
        self.total = self.left = total_steps(self.recipe, self.batches)
        self.order, self.drawn = torch.empty(0), None

    def take(self) -> None:
        """The next step."""
        step, size = self.total - self.left, self.epochs.size
        batch = step % self.batches
        if batch == 0:
            device = self.trainer.device
            self.order, self.drawn = (
                part if part is None else part.to(device, non_blocking=True) for part in self.epochs.draw()
            )
        taken = slice(batch * size, (batch + 1) * size)
        self.trainer.set_rate(learning_rate(self.recipe, step, self.total, self.batches))
        self.trainer.step(self.order[taken], None if self.drawn is None else self.drawn[:, taken])
        self.left -= 1
