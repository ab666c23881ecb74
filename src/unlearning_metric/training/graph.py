"""Several models of a shard trained side by side on a GPU, each step replayed from a recording.

A step of a small net is hundreds of kernels of a few microseconds, and starting one takes a processor longer than that.
Replayed, they start as one; models on streams of their own fill what a single one leaves idle.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import nn

from unlearning_metric.batches.loaders import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.errors import UserError
from unlearning_metric.seeds import Streams
from unlearning_metric.training.precision import arithmetic
from unlearning_metric.training.recipe import learning_rate, total_steps
from unlearning_metric.training.recording import Recorder
from unlearning_metric.training.step import Epochs, Trainer
from unlearning_metric.user_code.failures import first_line

#: Models side by side at most, and what twice as many of them must gain to be taken.
MOST, GAIN = 32, 1.03
#: Share of the free memory that models side by side may take.
MEMORY = 0.8
#: Steps of each model by which a number of models is judged.
_TIMED = 30


class GraphError(UserError, ValueError):
    """A net, a recipe or a host of which no training can be recorded."""


def graph_refusal(model_settings: Model, recipe: Training, device: str) -> str | None:
    """Why no step of such a training can be recorded, as far as can be said without trying; None where it may be."""
    if device != "cuda":
        return "it is for GPUs, and this job runs on a CPU"
    if recipe.file is not None:
        return f"{recipe.file} trains the models"
    if model_settings.name is None:
        return "what a net of your own does in Python would not be repeated"
    return None


class GraphTrainer:
    """A place for one model after another: memory, and recordings of the steps that work on it."""

    def __init__(
        self,
        dataset: ImageDataset,
        model: nn.Module,
        num_classes: int,
        recipe: Training,
        recorder: Callable[[], Any] = Recorder,
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

    def take(self, model: nn.Module, epochs: Epochs, drawing: ThreadPoolExecutor) -> None:
        """Begin with another model: weights, buffers and the optimizer's memory are overwritten in place."""
        self.epochs, self.drawing = epochs, drawing
        self.draws = drawing.submit(epochs.draw)
        with self.recorder.here():
            self.trainer.model.load_state_dict(model.state_dict())
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


def train_graph(
    dataset: ImageDataset,
    num_classes: int,
    recipe: Training,
    streams: Sequence[Streams],
    initial: Callable[[Streams], nn.Module],
    recorder: Callable[[], Any] = Recorder,
) -> Iterator[list[dict[str, torch.Tensor]]]:
    """Train models from fresh weights on all of ``dataset``; their last state dicts, so many at a time as fit.

    Each has the weights, the order of examples and the augmentation that it has when trained alone.

    Parameters
    ----------
    streams : each model's own random streams
    initial : ``function(streams)``, the model that training starts from

    Raises
    ------
    GraphError
        If the net cannot be recorded: it draws at random, or waits for the GPU.
    """

    def place() -> GraphTrainer:
        try:
            return GraphTrainer(dataset, initial(Streams(0, "warm_up")), num_classes, recipe, recorder)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise GraphError(first_line(error)) from error

    with arithmetic(recipe, dataset.images.device.type), ThreadPoolExecutor(4) as drawing:
        trainers = side_by_side(place, len(streams))
        for first in range(0, len(streams), len(trainers)):
            group = streams[first : first + len(trainers)]
            active = trainers[: len(group)]
            for trainer, own in zip(active, group, strict=True):
                trainer.take(initial(own), Epochs(len(dataset), recipe, own), drawing)
            _run(active)
            yield [trainer.state() for trainer in active]


def _run(trainers: Sequence[GraphTrainer]) -> None:
    """All steps of the models that the trainers hold, in turns."""
    some = trainers[0]
    for start in range(0, some.steps, some.batches):
        for trainer in trainers:
            trainer.begin_epoch(last=start + some.batches >= some.steps)
        for batch in range(min(some.batches, some.steps - start)):
            for trainer in trainers:
                trainer.replay(some.size_of(batch))
    some.recorder.wait()


def side_by_side(place: Callable[[], GraphTrainer], most: int) -> list[GraphTrainer]:
    """As many places as fit the memory and still gain: doubled until twice as many train hardly more in a second."""
    trainers = [place()]
    recorder = trainers[0].recorder
    before = recorder.free_bytes()
    best, most = _steps_a_second(trainers), min(most, MOST)
    while len(trainers) < most:
        more = min(len(trainers), most - len(trainers))
        added: list[GraphTrainer] = []
        try:
            for _ in range(more):
                added.append(place())
                used = (before - recorder.free_bytes()) / (len(trainers) - 1 + len(added))
                if recorder.free_bytes() < (1 - MEMORY) * before + used:
                    break
            found = _steps_a_second([*trainers, *added])
        except torch.OutOfMemoryError:
            break
        if found < GAIN * best:
            break
        trainers, best = [*trainers, *added], found
        if len(added) < more:
            break
    return trainers


def _steps_a_second(trainers: Sequence[GraphTrainer]) -> float:
    """Steps of all trainers together, on whatever they hold."""
    some = trainers[0]
    size, whole = some.size_of(0), max(1, min(some.examples // some.size_of(0), some.steps, _TIMED))
    rounds = -(-_TIMED // whole)
    some.recorder.wait()
    start = time.perf_counter()
    for _ in range(rounds):
        for trainer in trainers:
            trainer.rewind()
        for _ in range(whole):
            for trainer in trainers:
                trainer.replay(size)
    some.recorder.wait()
    return rounds * whole * len(trainers) / (time.perf_counter() - start)
