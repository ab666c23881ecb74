"""Several models of a shard trained side by side on a GPU, each step replayed from a recording.

A step of a small net is hundreds of kernels of a few microseconds, and starting one takes a processor longer than that.
Replayed, they start as one; models on streams of their own fill what a single one leaves idle.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

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
#: Share of the training that is left which looking for a better number of models may take.
SEARCHED = 0.1
#: Doublings in a row that may gain nothing before no more are tried.
PATIENCE = 2
#: Steps of each model in a round by which a number of models is judged, and seconds that the rounds take at least.
_TIMED, _LONG_ENOUGH = 30, 0.1


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


class Beginning(NamedTuple):
    """What a model's training begins with: the model on the CPU, its epochs, and what the first of them drew."""

    model: nn.Module
    epochs: Epochs
    drawn: tuple[torch.Tensor, torch.Tensor | None]


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


def train_graph(
    dataset: ImageDataset,
    num_classes: int,
    recipe: Training,
    streams: Sequence[Streams],
    initial: Callable[[Streams], nn.Module],
    recorder: Callable[[], Any] = Recorder,
    first: GraphTrainer | None = None,
) -> Iterator[list[dict[str, torch.Tensor]]]:
    """Train models from fresh weights on all of ``dataset``; their last state dicts, so many at a time as fit.

    Each has the weights, the order of examples and the augmentation that it has when trained alone.

    Parameters
    ----------
    streams : each model's own random streams
    initial : ``function(streams)``, the model that training starts from
    first : a place that is there already

    Raises
    ------
    GraphError
        If the net cannot be recorded: it draws at random, or waits for the GPU.
    """

    template = initial(Streams(0, "warm_up"))

    def place() -> GraphTrainer:
        try:
            return GraphTrainer(dataset, copy.deepcopy(template), num_classes, recipe, recorder)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise GraphError(first_line(error)) from error

    def beginning(own: Streams) -> Beginning:
        epochs = Epochs(len(dataset), recipe, own)
        return Beginning(initial(own), epochs, epochs.draw())

    # One thread builds: initial weights are drawn from the process's own random state. Recordings are over by then,
    # which other threads could disturb.
    with (
        arithmetic(recipe, dataset.images.device.type),
        ThreadPoolExecutor(4) as drawing,
        ThreadPoolExecutor(1) as building,
    ):
        trainers = side_by_side(place, len(streams), first)
        groups = [streams[begin : begin + len(trainers)] for begin in range(0, len(streams), len(trainers))]
        prepared = [building.submit(beginning, own) for own in groups[0]]
        for number, group in enumerate(groups):
            active = trainers[: len(group)]
            for trainer, made in zip(active, prepared, strict=True):
                trainer.take(made.result(), drawing)
            # The GPU has work from here on: the next models are made meanwhile.
            following = groups[number + 1] if number + 1 < len(groups) else []
            prepared = [building.submit(beginning, own) for own in following]
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


def side_by_side(place: Callable[[], GraphTrainer], most: int, first: GraphTrainer | None = None) -> list[GraphTrainer]:
    """As many places as fit the memory and still gain, found by doubling.

    A doubling that gains nothing does not end the search, two in a row do; so does one whose recordings would take more
    than a share of the training that is left.

    Parameters
    ----------
    most : models that are to be trained
    first : a place that is there already
    """
    begin = time.perf_counter()
    trainers = [first or place()]
    recording = None if first else time.perf_counter() - begin
    recorder, models = trainers[0].recorder, most
    before = recorder.free_bytes()
    best, kept, missed, most = _steps_a_second(trainers), 1, 0, min(most, MOST)
    while len(trainers) < most and missed < PATIENCE:
        more = min(len(trainers), most - len(trainers))
        left = models * trainers[0].steps / best
        if recording is not None and more * recording > SEARCHED * left:
            break
        added: list[GraphTrainer] = []
        begin = time.perf_counter()
        try:
            for _ in range(more):
                added.append(place())
                used = (before - recorder.free_bytes()) / (len(trainers) - 1 + len(added))
                if recorder.free_bytes() < (1 - MEMORY) * before + used:
                    break
            recording = (time.perf_counter() - begin) / len(added)
            found = _steps_a_second([*trainers, *added])
        except torch.OutOfMemoryError:
            break
        trainers += added
        if found >= GAIN * best:
            best, kept, missed = found, len(trainers), 0
        else:
            missed += 1
        if len(added) < more:
            break
    return trainers[:kept]


def _steps_a_second(trainers: Sequence[GraphTrainer]) -> float:
    """Steps of all trainers together, on whatever they hold."""
    some = trainers[0]
    size, whole = some.size_of(0), max(1, min(some.examples // some.size_of(0), some.steps, _TIMED))

    def round_of_steps() -> None:
        for trainer in trainers:
            trainer.rewind()
        for _ in range(whole):
            for trainer in trainers:
                trainer.replay(size)

    # Not timed: a recording is brought to the GPU when it is replayed for the first time.
    round_of_steps()
    some.recorder.wait()
    start, rounds = time.perf_counter(), 0
    while True:
        round_of_steps()
        some.recorder.wait()
        rounds += 1
        seconds = time.perf_counter() - start
        if seconds >= _LONG_ENOUGH:
            return rounds * whole * len(trainers) / seconds
