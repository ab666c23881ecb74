"""Training from scratch, one model after another: by the recipe, or by a function of the user's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from unlearning_metric.batches.augmentation import make_augmentation
from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.batches.loaders import ImageLoader
from unlearning_metric.config import Model, Training
from unlearning_metric.errors import UserError
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.nets.trial import refuse_changed_values
from unlearning_metric.nets.user_nets import model_title, own_line_of
from unlearning_metric.progress import LOGGER
from unlearning_metric.runtime.cost import spent
from unlearning_metric.runtime.guards import seeded
from unlearning_metric.seeds import Streams
from unlearning_metric.training.graph import graph_refusal, train_graph
from unlearning_metric.training.graph_trainer import GraphError, GraphTrainer
from unlearning_metric.training.precision import arithmetic
from unlearning_metric.training.recording import Recorder
from unlearning_metric.training.stacked import STACK, train_stacked
from unlearning_metric.training.step import Epochs, Steps, Trainer
from unlearning_metric.training.trainable import first_images, initial_model, last_batch, refuse_untrainable
from unlearning_metric.training.user_training import train_by_function
from unlearning_metric.user_code.failures import first_line


class CompilerError(UserError, RuntimeError):
    """`torch.compile` cannot make a net's forward pass on this host."""


def training_loader(dataset: ImageDataset, recipe: Training, streams: Streams) -> ImageLoader:
    """The batches that a model is trained on; ``order`` and ``augment`` of its own random streams are used."""
    augmentation = make_augmentation(recipe.crop, recipe.flip, streams.torch("augment"))
    order = streams.torch("order")
    return ImageLoader(dataset, recipe.batch_size, shuffle=True, generator=order, augmentation=augmentation)


def train_model(
    dataset: ImageDataset,
    model_settings: Model,
    num_classes: int,
    recipe: Training,
    streams: Streams,
    validation: ImageDataset | None = None,
) -> nn.Module:
    """Train one model from fresh weights on all of ``dataset``; its last state, in eval mode.

    Parameters
    ----------
    dataset : the training examples, on the device to train on
    model_settings : the ``model`` part of the configuration
    recipe : the ``training`` part of the configuration
    streams : the model's own random streams; ``init``, ``order``, ``augment`` and ``draws`` (of dropout, say) are
        used, and ``seed`` and ``generator`` by a function of the user's
    validation : examples that no model trains on, for a function of the user's

    Raises
    ------
    UserCodeError
        If the user's own function fails.
    """
    device = dataset.images.device
    model = initial_model(model_settings, tuple(dataset.images.shape[1:]), num_classes, streams).to(device)
    model.train()
    if recipe.file is not None:
        # Examples of its own: what a function alters in place must not reach the next model.
        loader = training_loader(dataset.duplicate(reads=dataset.reads), recipe, streams)
        held = None if validation is None else validation.duplicate(reads=validation.reads)
        return train_by_function(model, loader, held, num_classes, recipe, streams)
    steps = Steps(Trainer(dataset, model, num_classes, recipe), Epochs(len(dataset), recipe, streams))
    draws = seeded(streams.integer("draws"))
    with draws, own_line_of(model_settings), _compiler_named(recipe), arithmetic(recipe, device.type):
        while steps.left:
            steps.take()
    return model.eval()


@contextmanager
def _compiler_named(recipe: Training) -> Iterator[None]:
    """Say what to do where `torch.compile` fails, in place of its hundreds of lines."""
    try:
        yield
    except Exception as error:
        origin = type(error).__module__
        if not recipe.compile or not origin.startswith(("torch._inductor", "torch._dynamo")):
            raise
        said = f"training.compile: torch.compile failed ({type(error).__name__}: {first_line(error)}). "
        if origin.startswith("torch._inductor") or type(error).__name__ == "BackendCompilerFailed":
            said += "It needs a C++ compiler (g++) on a CPU, and Triton on a GPU. Install it, or set "
        else:
            said += "It cannot follow this net, or the net itself fails: to see which, set "
        raise CompilerError(f"{said}training.compile: false.") from error


def _warm_up(dataset: ImageDataset, model_settings: Model, num_classes: int, recipe: Training) -> None:
    """Train a model on a batch of each size and drop it, so that no model's time holds what a process loads once."""
    few = copy.copy(dataset)
    end = recipe.batch_size + last_batch(len(dataset), recipe)
    few.images, few.labels = dataset.images[:end], dataset.labels[:end]
    short = recipe.model_copy(update={"epochs": 1, "steps": None})
    if recipe.engine == "stacked":
        train_stacked(few, model_settings, num_classes, short, [Streams(0, "warm_up")], initial_model)
    else:
        train_model(few, model_settings, num_classes, short, Streams(0, "warm_up"))


def with_engine(
    dataset: ImageDataset,
    model_settings: Model,
    num_classes: int,
    recipe: Training,
    recorder: type[Recorder] = Recorder,
) -> tuple[Training, GraphTrainer | None]:
    """The recipe with the engine that trains: for ``auto`` it is ``graph`` where a step can be recorded, else ``loop``.

    Parameters
    ----------
    recorder : what records steps

    Returns
    -------
    recipe : its ``engine`` is another one than ``auto``
    place : where a step was recorded; `train_models` goes on with it

    Raises
    ------
    GraphError
        If the recipe says ``graph`` and no step can be recorded.
    """
    asked, device = recipe.engine, dataset.images.device
    if asked not in ("auto", "graph"):
        return recipe, None
    reason, place = graph_refusal(model_settings, recipe, device.type, recorder), None
    if reason is None:
        shape = tuple(dataset.images.shape[1:])
        try:
            with arithmetic(recipe, device.type):
                model = initial_model(model_settings, shape, num_classes, Streams(0, "trial"))
                place = GraphTrainer(dataset, model, num_classes, recipe, recorder)
        except (GraphError, RuntimeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            reason = first_line(error)
    if reason is None:
        LOGGER.info("engine: graph, each step replayed from a recording")
        return recipe.model_copy(update={"engine": "graph"}), place
    if asked == "graph":
        raise GraphError(f"training.engine: graph cannot train these models: {reason}. Set training.engine: auto.")
    if device.type == "cuda":
        LOGGER.info("engine: loop, since no step can be recorded: %s", reason)
    return recipe.model_copy(update={"engine": "loop"}), None


def train_models(
    dataset: ImageDataset,
    model_settings: Model,
    num_classes: int,
    recipe: Training,
    streams: Sequence[Streams],
    done: Callable[[], None] = lambda: None,
    validation: ImageDataset | None = None,
    *,
    place: GraphTrainer | None = None,
) -> tuple[dict[int, dict[str, torch.Tensor]], dict[int, float]]:
    """Train models of a role: one after another, or several at once, as the recipe's engine says.

    Model i is the same whatever other models share its call: bit by bit, but for rounding with ``engine: stacked``.

    Parameters
    ----------
    streams : each model's own random streams; its ``index`` names the model in what is returned
    done : called after each model
    validation : examples that no model trains on, for a function of the user's
    place : what `with_engine` recorded, where it was asked

    Returns
    -------
    states : state dict by model index
    seconds : seconds of the device (`cost.spent`) by model index; of models trained at once the same share each

    Raises
    ------
    GraphError, ModelError, PrecisionError, StackingError, UserCodeError
        If this host, this net or the user's own function cannot do what the recipe says.
    """
    device = dataset.images.device.type
    if model_settings.weights is not None:
        LOGGER.info(
            "every model starts from the weights %s: seeds move order, augmentation and a new last layer alone, so the "
            "spread is smaller; forget examples must not have been in the pretraining",
            model_settings.weights,
        )
    refuse_untrainable(dataset, model_settings, num_classes, recipe)
    states: dict[int, dict[str, torch.Tensor]] = {}
    seconds: dict[int, float] = {}
    if place is None:
        recipe, place = with_engine(dataset, model_settings, num_classes, recipe)
    if recipe.file is None and recipe.engine != "graph":
        # A function of the user's is run as often as there are models, and no more.
        _warm_up(dataset, model_settings, num_classes, recipe)
    start = spent(device)
    for trained, model in _trained(dataset, model_settings, num_classes, recipe, streams, validation, place):
        group = streams[len(states) : len(states) + len(trained)]
        each = (spent(device) - start) / len(group)
        if not states and model_settings.name is None and model is not None:
            images = first_images(dataset)
            shape = tuple(dataset.images.shape[1:])
            other = build_model(model_settings, shape, num_classes, seed=1).to(images.device)
            refuse_changed_values(model, other, images, model_title(model_settings))
        for model_streams, state in zip(group, trained, strict=True):
            states[model_streams.index], seconds[model_streams.index] = state, each
            done()
        start = spent(device)
    return states, seconds


def _trained(
    dataset: ImageDataset,
    model_settings: Model,
    num_classes: int,
    recipe: Training,
    streams: Sequence[Streams],
    validation: ImageDataset | None,
    place: GraphTrainer | None,
) -> Iterator[tuple[list[dict[str, torch.Tensor]], nn.Module | None]]:
    """State dicts of the models with these random streams, in their order, as many at a time as are trained at once.

    With them the model itself, where a single one was trained.
    """
    shape = tuple(dataset.images.shape[1:])
    if recipe.engine == "graph":
        with _compiler_named(recipe):
            trained = train_graph(
                dataset,
                num_classes,
                recipe,
                streams,
                lambda own: initial_model(model_settings, shape, num_classes, own),
                first=place,
            )
            yield from ((states, None) for states in trained)
    elif recipe.engine == "stacked":
        at_once = STACK[dataset.images.device.type]
        for first in range(0, len(streams), at_once):
            group = streams[first : first + at_once]
            yield train_stacked(dataset, model_settings, num_classes, recipe, group, initial_model), None
    else:
        for own in streams:
            model = train_model(dataset, model_settings, num_classes, recipe, own, validation)
            yield [model.state_dict()], model


def make_dataset(
    data: dict[str, np.ndarray], part: str, indices: np.ndarray, device: str, classes: Sequence[str] = ()
) -> ImageDataset:
    """The examples ``indices`` of pool ``part`` ("train" or "test") of a stored data set, on ``device``.

    ``classes`` are names for the user's code to read.
    """
    images, labels = data[f"x_{part}"][indices], data[f"y_{part}"][indices]
    return ImageDataset(images, labels, data["mean"], data["std"], device, classes)
