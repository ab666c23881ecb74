"""The values of what a method may ask for: each is made for one copy, and is the copy's own to change.

Their names, and what each means, are a list: `ARGUMENTS` in ``user_code/contract.py``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearning_metric.batches.augmentation import make_augmentation
from unlearning_metric.batches.datasets import ImageDataset, form_of
from unlearning_metric.batches.loaders import ImageLoader
from unlearning_metric.config import Model, Training
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.seeds import Streams
from unlearning_metric.store.shards import original_folder
from unlearning_metric.training.recipe import make_optimizer
from unlearning_metric.training.train import train_model
from unlearning_metric.training.trainable import initial_model
from unlearning_metric.unlearning.device_text import DeviceText


@dataclass(frozen=True)
class Start:
    """What the copies of every method start from; none of it is handed out, and none of it changes.

    Attributes
    ----------
    originals : trained models on the device, in eval mode; copy i starts from number i % their count of these
    datasets : ``retain``, ``forget`` and ``validation``, on the device
    num_classes : number of classes
    model_settings, recipe : the ``model`` and ``training`` parts of the configuration
    weights : class weights [classes] of the training set
    experiment_seed : of all random streams
    oracles : state dict by copy, for a method that asks for ``oracle_model``; None for any other
    trained_here : whether the originals were trained by this workflow, so that their initial weights are known
    original : number, among all originals, of the first of these; None where copy i starts from original i
    """

    originals: list[nn.Module]
    datasets: Mapping[str, ImageDataset]
    num_classes: int
    model_settings: Model
    recipe: Training
    weights: np.ndarray
    experiment_seed: int
    oracles: Mapping[int, Mapping[str, torch.Tensor]] | None = None
    trained_here: bool = True
    original: int | None = 0

    @property
    def device(self) -> torch.device:
        """Where models and examples are."""
        return self.datasets["retain"].images.device

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width, channels); of examples that are no images, their shape."""
        return tuple(self.datasets["retain"].images.shape[1:])

    def unavailable(self) -> dict[str, str]:
        """Arguments that cannot be filled in this run -> why, and what to do."""
        missing = {}
        if not self.trained_here:
            missing["initial_model"] = (
                "the original model was trained elsewhere (original), so nobody here knows its initial weights. Remove "
                "the parameter, or give it a default."
            )
        if not len(self.datasets["validation"]):
            missing["val_loader"] = (
                "there are no validation examples, since data.validation_size is 0. Set data.validation_size in the "
                "configuration (the split and all models are made anew), or give the parameter a default."
            )
        if self.oracles is None:
            missing["oracle_model"] = (
                "the workflow did not see it in the source of the method's file, so the models of the method retrain "
                "were not made first. Write the function with `def` in the file itself, with oracle_model among its "
                "parameters."
            )
        return missing


class Offer:
    """The arguments of one copy.

    Parameters
    ----------
    start : what all copies start from
    name : name of the method
    index : of the copy, which starts from original ``index % len(originals)``
    batches : form of the loaders' batches, see `datasets.FORMS`
    batch_size : of its loaders; the recipe's if None
    """

    def __init__(
        self, start: Start, name: str, index: int, batches: Any = "tuple", batch_size: int | None = None
    ) -> None:
        self.start, self.index = start, index
        self._batch_size = batch_size or start.recipe.batch_size
        self._given: dict[str, Any] = {}
        self._both: ImageDataset | None = None
        # Copies from several originals draw apart: what they shared would count as what the originals share.
        role = f"unlearn/{name}{original_folder(start.original or 0)}"
        self._streams = Streams(start.experiment_seed, role, index)
        self.seed = self._streams.integer("seed") % 2**31
        turn = index % len(start.originals)
        self.original = start.originals[turn]
        self._original_number = index if start.original is None else start.original + turn
        self.model = copy.deepcopy(self.original)
        # A method may relabel or blend its examples: each copy gets examples of its own.
        self.datasets = {part: dataset.duplicate(form_of(batches)) for part, dataset in start.datasets.items()}

    def argument(self, name: str) -> Any:
        """The argument of a name that is a key of `contract.ARGUMENTS` or of `spellings.SOURCES`, made once."""
        name = "model" if name == "net" else name
        if name not in self._given:
            self._given[name] = self._makers()[name]()
        return self._given[name]

    def changed_references(self) -> list[str]:
        """Models handed out for reference that are not what they were."""
        state = self.original.state_dict()
        models = ((name, self._given.get(name)) for name in ("original_model",))
        return [name for name, model in models if model is not None and not _same(model.state_dict(), state)]

    def model_changed(self) -> bool:
        """Whether the model to change is not what it was."""
        return not _same(self.model.state_dict(), self.original.state_dict())

    def _makers(self) -> dict[str, Callable[[], Any]]:
        return {
            "model": lambda: self.model,
            "original_model": lambda: copy.deepcopy(self.original),
            "initial_model": self._initial_model,
            "untrained_model": self._untrained_model,
            "oracle_model": self._oracle_model,
            "retain_loader": lambda: self._shuffled("retain"),
            "forget_loader": lambda: self._shuffled("forget"),
            "train_loader": lambda: self._shuffled("train"),
            "val_loader": lambda: self._in_order("validation"),
            "retain_dataset": lambda: self.datasets["retain"],
            "forget_dataset": lambda: self.datasets["forget"],
            "val_dataset": lambda: self.datasets["validation"],
            "train_dataset": lambda: self._part("train"),
            "loaders": self._loaders,
            "criterion": nn.CrossEntropyLoss,
            "optimizer": lambda: make_optimizer(self.model.parameters(), self.start.recipe),
            "parameters": lambda: list(self.model.parameters()),
            "parameter_names": lambda: [name for name, _ in self.model.named_parameters()],
            "seed": lambda: self.seed,
            "generator": lambda: self._streams.torch("generator"),
            "device": lambda: DeviceText(self.start.device),
            "num_classes": lambda: self.start.num_classes,
            "train_config": lambda: self.start.recipe.model_dump(),
            "class_weights": lambda: torch.tensor(self.start.weights, device=self.start.device),
            "train_from_scratch": lambda: self._train_from_scratch,
        }

    def _loaders(self) -> dict[str, ImageLoader]:
        names = {"train": "train_loader", "retain": "retain_loader", "forget": "forget_loader"}
        held = {} if "val_loader" in self.start.unavailable() else {"val": "val_loader", "test": "val_loader"}
        return {key: self.argument(name) for key, name in {**names, **held}.items()}

    def _part(self, part: str) -> ImageDataset:
        if part == "train" and self._both is None:
            self._both = self.datasets["retain"].joined(self.datasets["forget"])
        return self._both if part == "train" else self.datasets[part]

    def passes(self) -> dict[str, float]:
        """Examples read / size of the set, by set."""
        # A pass over retain and forget set together is one over each.
        both = 0.0 if self._both is None else self._both.reads.total() / len(self._both)
        return {
            part: dataset.reads.total() / len(dataset) + both * (part in ("retain", "forget")) if len(dataset) else 0.0
            for part, dataset in self.datasets.items()
        }

    def examples_read(self) -> int:
        """Examples read of all sets together."""
        both = () if self._both is None else (self._both,)
        return sum(dataset.reads.total() for dataset in (*self.datasets.values(), *both))

    def _shuffled(self, part: str) -> ImageLoader:
        order, recipe = self._streams.torch(f"order/{part}"), self.start.recipe
        # As in training: what a method is compared with saw these versions of the examples.
        augmentation = make_augmentation(recipe.crop, recipe.flip, self._streams.torch(f"augment/{part}"))
        shuffled = {"shuffle": True, "generator": order, "augmentation": augmentation}
        return ImageLoader(self._part(part), self._batch_size, **shuffled, contiguous=True)

    def _in_order(self, part: str) -> ImageLoader:
        return ImageLoader(self.datasets[part], self._batch_size, contiguous=True)

    def _train_from_scratch(self, seed: int) -> nn.Module:
        # What the method did to its own examples, and the form they come in, is no part of the recipe; what is read
        # still counts.
        retain, validation = (copy.copy(self.start.datasets[part]) for part in ("retain", "validation"))
        retain.reads, validation.reads = self.datasets["retain"].reads, self.datasets["validation"].reads
        streams = Streams(int(seed), "from_scratch")
        start = self.start
        return train_model(retain, start.model_settings, start.num_classes, start.recipe, streams, validation)

    def _initial_model(self) -> nn.Module:
        start = self.start
        streams = Streams(start.experiment_seed, "full", self._original_number)
        model = initial_model(start.model_settings, start.image_shape, start.num_classes, streams)
        return model.to(start.device).eval()

    def _untrained_model(self) -> nn.Module:
        start, seed = self.start, self._streams.integer("untrained")
        return build_model(start.model_settings, start.image_shape, start.num_classes, seed).to(start.device)

    def _oracle_model(self) -> nn.Module:
        start = self.start
        retrained = build_model(start.model_settings, start.image_shape, start.num_classes, seed=0)
        retrained.load_state_dict(start.oracles[self.index])
        return retrained.to(start.device).eval()


def _same(one: Mapping[str, torch.Tensor], two: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
