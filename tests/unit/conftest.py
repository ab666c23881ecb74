"""One thread for torch: small models gain nothing from more, and results must not depend on the host."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.unlearning.copies import Method, run_copies
from unlearning_metric.unlearning.offer import Start

torch.set_num_threads(1)

RECIPE = Training(lr=0.1, epochs=1, batch_size=16)
MODEL = Model(name="digits_cnn", width=4)
SHAPE, CLASSES = (8, 8, 1), 3


@pytest.fixture
def small():
    """Two small originals and examples of three classes: ``run(method, copies, ...)`` runs copies of a method."""
    draw = np.random.default_rng(0)

    def examples(count: int) -> ImageDataset:
        pixels = draw.integers(256, size=(count, *SHAPE), dtype=np.uint8)
        return ImageDataset(pixels, draw.integers(CLASSES, size=count), np.array([127.0]), np.array([74.0]))

    sets = {"retain": examples(40), "forget": examples(10), "validation": examples(7)}
    originals = [build_model(MODEL, SHAPE, CLASSES, seed).eval() for seed in (0, 1)]
    weights = np.array([0.1, 0.2, 0.3], np.float32)

    def run(method, copies=(0,), options=None, name="mine", batches="tuple", max_seconds=None, recipe=RECIPE, **more):
        start = Start(originals, sets, CLASSES, MODEL, recipe, weights, 0, **more)
        given = method if isinstance(method, Method) else Method(name, lambda: method, options or {}, batches)
        return run_copies(given, start, copies, max_seconds=max_seconds)

    def fresh_with(state):
        model = build_model(MODEL, SHAPE, CLASSES, 9)
        model.load_state_dict(state)
        return model

    return SimpleNamespace(sets=sets, originals=originals, run=run, fresh_with=fresh_with, recipe=RECIPE)
