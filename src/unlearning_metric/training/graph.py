"""Several models of a shard trained side by side on a GPU, each step replayed from a recording.

A step of a small net is hundreds of kernels of a few microseconds, and starting one takes a processor longer than that.
Replayed, they start as one; models on streams of their own fill what a single one leaves idle.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from unlearning_metric.batches.loaders import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.seeds import Streams
from unlearning_metric.training.graph_trainer import Beginning, GraphError, GraphTrainer
from unlearning_metric.training.precision import arithmetic
from unlearning_metric.training.recording import Recorder
from unlearning_metric.training.step import Epochs
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


def graph_refusal(
    model_settings: Model, recipe: Training, device: str, recorder: type[Recorder] = Recorder
) -> str | None:
    """Why no step of such a training can be recorded, as far as can be said without trying; None where it may be."""
    if device != recorder.device:
        return "it is for GPUs, and this job runs on a CPU"
    if recipe.file is not None:
        return f"{recipe.file} trains the models"
    if model_settings.name is None:
        return "what a net of your own does in Python would not be repeated"
    return None


def train_graph(
    dataset: ImageDataset,
    num_classes: int,
    recipe: Training,
    streams: Sequence[Streams],
    initial: Callable[[Streams], nn.Module],
    recorder: type[Recorder] = Recorder,
    first: GraphTrainer | None = None,
) -> Iterator[list[dict[str, torch.Tensor]]]:
    """Train models from fresh weights on all of ``dataset``; their last state dicts, so many at a time as fit.

    Each has the weights, the order of examples and the augmentation that it has when trained alone.

    Parameters
    ----------
    streams : each model's own random streams
    initial : ``function(streams)``, the model that training starts from
    recorder : what records the steps, where no place is there already
    first : a place that is there already

    Raises
    ------
    GraphError
        If the net cannot be recorded: it draws at random, or waits for the GPU.
    """

    template = initial(Streams(0, "warm_up"))
    recorder = recorder if first is None else type(first.recorder)

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
        trainers = side_by_side(place, len(streams), recorder.seconds, first)
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


def side_by_side(
    place: Callable[[], GraphTrainer], most: int, seconds: Callable[[], float], first: GraphTrainer | None = None
) -> list[GraphTrainer]:
    """As many places as fit the memory and still gain, found by doubling.

    A doubling that gains nothing does not end the search, two in a row do; so does one whose recordings would take more
    than a share of the training that is left.

    Parameters
    ----------
    most : models that are to be trained
    seconds : a clock
    first : a place that is there already
    """
    begin = seconds()
    trainers = [first or place()]
    recording = None if first else seconds() - begin
    recorder, models = trainers[0].recorder, most
    before = recorder.free_bytes()
    best, kept, missed, most = _steps_a_second(trainers, seconds), 1, 0, min(most, MOST)
    while len(trainers) < most and missed < PATIENCE:
        more = min(len(trainers), most - len(trainers))
        left = models * trainers[0].steps / best
        if recording is not None and more * recording > SEARCHED * left:
            break
        added: list[GraphTrainer] = []
        begin = seconds()
        try:
            for _ in range(more):
                added.append(place())
                used = (before - recorder.free_bytes()) / (len(trainers) - 1 + len(added))
                if recorder.free_bytes() < (1 - MEMORY) * before + used:
                    break
            recording = (seconds() - begin) / len(added)
            found = _steps_a_second([*trainers, *added], seconds)
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


def _steps_a_second(trainers: Sequence[GraphTrainer], clock: Callable[[], float]) -> float:
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
    start, rounds = clock(), 0
    while True:
        round_of_steps()
        some.recorder.wait()
        rounds += 1
        seconds = clock() - start
        if seconds >= _LONG_ENOUGH:
            return rounds * whole * len(trainers) / seconds
