"""A place where one model after another is trained: memory, and recordings of the steps that work on it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import nn

from unlearning_metric.batches.loaders import ImageDataset
from unlearning_metric.config import Training
from unlearning_metric.errors import UserError
from unlearning_metric.training.recipe import learning_rate, total_steps
from unlearning_metric.training.recording import Recorder
from unlearning_metric.training.step import Epochs, Trainer


class GraphError(UserError, ValueError):
    """A net, a recipe or a host of which no training can be recorded."""


class Beginning(NamedTuple):
    """What a model's training begins with: the model on the CPU, its epochs, and what the first of them drew."""

    model: nn.Module
    epochs: Epochs
    drawn: tuple[torch.Tensor, torch.Tensor | None]


class GraphTrainer:
    """Trains one model after another in the same memory, by replaying what was recorded there."""

    def __init__(
        self,
        dataset: ImageDataset,
        model: nn.Module,
        num_classes: int,
        recipe: Training,
        recorder: type[Recorder] = Recorder,
    ) -> None:
        self.recorder, self.recipe, self.examples = recorder(), recipe, len(dataset)
        self.batches = -(-self.examples // recipe.batch_size)
        self.steps = total_steps(recipe, self.batches)
        device = dataset.images.device
        rates = [learning_rate(recipe, step, self.steps, self.batches) for step in range(self.steps)]
        # Read on a GPU as its kernels take it; where there is none, as the loop is given it.
        kind = torch.float32 if device.type == "cuda" else torch.float64
        self.rates = torch.tensor(rates, dtype=kind, device=device)
        self.order = torch.zeros(self.examples, dtype=torch.int64, device=device)
        augmented = bool(recipe.crop or recipe.flip)
        self.drawn = torch.zeros((3, self.examples), dtype=torch.int32, device=device) if augmented else None
        # The place in the epoch and the step, which the recorded step itself moves on.
        self.cursor = torch.zeros(2, dtype=torch.int64, device=device)
        self.trainer = Trainer(dataset, model.to(device).train(), num_classes, recipe)
        self.replays = {size: self._recorded(size) for size in self._sizes()}
        self.draws: Future[tuple[torch.Tensor, torch.Tensor | None]] | None = None

    def _sizes(self) -> list[int]:
        """Sizes of an epoch's batches: the last one may be smaller."""
        size = self.recipe.batch_size
        sizes = [min(size, self.examples)]
        if self.examples > size and self.examples % size and self.steps >= self.batches:
            sizes.append(self.examples % size)
        return sizes

    def size_of(self, batch: int) -> int:
        """Examples of a batch of an epoch."""
        return min(self.recipe.batch_size, self.examples - batch * self.recipe.batch_size)

    def _recorded(self, size: int) -> Callable[[], None]:
        places, moved = (torch.tensor(value, device=self.cursor.device) for value in (list(range(size)), [size, 1]))
        trainer = self.trainer

        def step() -> None:
            if trainer.rate is None:
                trainer.set_rate(float(self.rates[self.cursor[1]]))
            else:
                torch.index_select(self.rates, 0, self.cursor[1:], out=trainer.rate)
            taken = places + self.cursor[:1]
            drawn = None if self.drawn is None else self.drawn.index_select(1, taken)
            trainer.step(self.order.index_select(0, taken), drawn)
            self.cursor.add_(moved)

        random = self.recorder.random_state()
        self.rewind()
        with self.recorder.here():
            step()
        if not torch.equal(random, self.recorder.random_state()):
            raise GraphError("the net draws at random (dropout, say), which cannot be each model's own draw")
        return self.recorder.record(step, self.rewind)

    def rewind(self) -> None:
        """Back to the first step, for a trial: what was trained so far stays."""
        with self.recorder.here():
            self.cursor.zero_()

    def take(self, beginning: Beginning, drawing: ThreadPoolExecutor) -> None:
        """Begin with another model: weights, buffers and the optimizer's memory are overwritten in place."""
        self.epochs, self.drawing = beginning.epochs, drawing
        self.draws = drawing.submit(lambda: beginning.drawn)
        with self.recorder.here():
            self.trainer.model.load_state_dict(beginning.model.state_dict())
            for state in self.trainer.optimizer.state.values():
                for value in state.values():
                    if isinstance(value, torch.Tensor):
                        value.zero_()
            self.cursor.zero_()

    def begin_epoch(self, last: bool) -> None:
        """Bring this epoch's draws to the device, and have those of the next one made meanwhile."""
        order, drawn = self.draws.result()
        if not last:
            self.draws = self.drawing.submit(self.epochs.draw)
        with self.recorder.here():
            self.order.copy_(self.recorder.stage(order), non_blocking=True)
            if drawn is not None:
                self.drawn.copy_(self.recorder.stage(drawn), non_blocking=True)
            self.cursor[:1].zero_()

    def replay(self, size: int) -> None:
        """The next step."""
        with self.recorder.here():
            self.replays[size]()

    def state(self) -> dict[str, torch.Tensor]:
        """The model as it is, on the CPU."""
        with self.recorder.here():
            return {
                name: tensor.detach().to("cpu", copy=True) for name, tensor in self.trainer.model.state_dict().items()
            }
