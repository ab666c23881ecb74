"""Method files as modules, and a tiny task whose examples say which set they are of."""

import importlib
import importlib.util
import inspect
import random
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import TensorDataset

FOLDER = Path(__file__).resolve().parents[3] / "methods"
#: Brightness of the first pixel of every example of a set: tells the sets apart under a method's noise.
BRIGHTNESS = {"R": 20.0, "F": 40.0, "V": 60.0}


def load(name):
    """A method file, or a helper beside it, as a module."""
    sys.path.insert(0, str(FOLDER))
    try:
        if name.startswith("_"):
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(f"tested_method_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(FOLDER))


class TwoConvolutions(nn.Module):
    """Two convolutions, with or without batch norm, with layers of unusual names."""

    def __init__(self, channels=1, classes=3, batch_norm=True, width=4):
        super().__init__()
        self.opening = nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=not batch_norm)
        self.opening_norm = nn.BatchNorm2d(width) if batch_norm else nn.Identity()
        self.body = nn.Conv2d(width, width, 3, stride=2, padding=1, bias=not batch_norm)
        self.body_norm = nn.BatchNorm2d(width) if batch_norm else nn.Identity()
        self.verdict = nn.Linear(width, classes)

    def forward(self, images):
        hidden = torch.relu(self.opening_norm(self.opening(images)))
        # One pixel is left: batch norm then refuses to train on a single example.
        return self.verdict(torch.relu(self.body_norm(self.body(hidden))).flatten(1))


def network(channels=1, classes=3, batch_norm=True, seed=0):
    """An untrained net for images of 4x4 pixels, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(1000 + seed)
        return TwoConvolutions(channels, classes, batch_norm).eval()


def examples(part, count, channels=1, classes=3):
    """``count`` random images with labels."""
    drawn = torch.Generator().manual_seed(count + len(part) + ord(part))
    images = torch.randn(count, channels, 4, 4, generator=drawn)
    images[:, 0, 0, 0] = BRIGHTNESS[part]
    return TensorDataset(images, torch.randint(classes, (count,), generator=drawn))


class Loader:
    """A shuffled loader with random numbers of its own, as the harness hands out."""

    def __init__(self, dataset, batch_size, seed):
        self.dataset, self.batch_size = dataset, batch_size
        self._order = torch.Generator().manual_seed(seed)

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        for chosen in torch.randperm(len(self.dataset), generator=self._order).split(self.batch_size):
            yield self.dataset[chosen]


def arguments(method, seed=0, sizes=(640, 128, 64), batch_size=64, channels=1, classes=3, batch_norm=True):
    """All that the harness could hand to a method, less what it does not ask for."""
    sets = {part: examples(part, count, channels, classes) for part, count in zip("RFV", sizes, strict=True)}

    def build(weights):
        return network(channels, classes, batch_norm, weights)

    def train_from_scratch(seed):
        model, _ = build(seed), train_from_scratch.calls.append(seed)
        return model

    train_from_scratch.calls = []
    offered = {
        "model": build(0),
        "original_model": build(0),
        "initial_model": build(1),
        "oracle_model": build(2),
        "retain_loader": Loader(sets["R"], batch_size, 10 * seed + 1),
        "forget_loader": Loader(sets["F"], batch_size, 10 * seed + 2),
        "val_loader": Loader(sets["V"], batch_size, 10 * seed + 3),
        "seed": seed,
        "generator": torch.Generator().manual_seed(seed),
        "device": torch.device("cpu"),
        "num_classes": classes,
        "train_config": {"lr": 0.1, "epochs": 1, "batch_size": batch_size},
        "class_weights": torch.linspace(0.5, 1.5, classes),
        "train_from_scratch": train_from_scratch,
    }
    return {name: value for name, value in offered.items() if name in inspect.signature(method).parameters}


def run(name, seed=0, given=None, options=None, **task):
    """Run a method as the harness does, and return its model."""
    method = load(name).unlearn
    given = given or arguments(method, seed, **task)
    random.seed(seed)
    torch.manual_seed(seed)
    result = method(**given, **(options or {}))
    return given["model"] if result is None else result


class Step(NamedTuple):
    """A step of an optimizer: which, its learning rate, the parameters that may train in it, those that it moved.

    ``noise`` holds what something else than an optimizer added since the step before: parameter -> difference.
    """

    optimizer: int
    rate: float
    trained: set
    noise: dict
    moved: set


@contextmanager
def watched_steps(model):
    """Yields a list, which gets a `Step` for each step that any optimizer takes."""
    steps = []

    def values():
        return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    latest = values()

    def before(optimizer, *_):
        noise = {name: value - latest[name] for name, value in values().items() if not value.equal(latest[name])}
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        steps.append(Step(id(optimizer), optimizer.param_groups[0]["lr"], trained, noise, set()))
        latest.update(values())

    def after(*_):
        steps[-1].moved.update(name for name, value in values().items() if not value.equal(latest[name]))
        latest.update(values())

    hooks = register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)
    try:
        yield steps
    finally:
        for hook in hooks:
            hook.remove()


def taught(model):
    """A list, which gets the images of each batch that a model trains on, its logits and their gradient."""
    seen = []

    def see(_, inputs, logits):
        if model.training and logits.requires_grad:
            logits.register_hook(lambda gradient: seen.append((inputs[0], logits.detach(), gradient)))

    model.register_forward_hook(see)
    return seen


class Meter:
    """Counts the examples of each set that pass through nets: ``fb`` with gradients, ``fw`` without."""

    def __init__(self):
        self.count = Counter()

    def __deepcopy__(self, memo):
        # A copy of a watched model counts here too.
        return self

    def watch(self, *models):
        """Count in these models, and in copies made of them from now on."""
        for model in models:
            model.register_forward_pre_hook(self._see)

    def _see(self, model, inputs):
        kind = "fb" if torch.is_grad_enabled() else "fw"
        brightness = inputs[0][:, 0, 0, 0]
        for part, value in BRIGHTNESS.items():
            self.count[part, kind] += int((brightness.sub(value).abs() < 5).sum())
