"""The engine graph without a GPU: what is recorded, when it is called again, gives the loop's models bit for bit."""

import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from unlearning_metric.batches.loaders import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.seeds import Streams
from unlearning_metric.training import graph as engine
from unlearning_metric.training import train as training
from unlearning_metric.training.graph import GraphError, graph_refusal, train_graph
from unlearning_metric.training.train import train_models, with_engine
from unlearning_metric.training.trainable import initial_model

DRAW = np.random.default_rng(0)
LABELS = np.arange(75) % 3
IMAGES = (DRAW.integers(60, size=(75, 8, 8, 1)) + 90 * LABELS[:, None, None, None]).astype(np.uint8)
CNN = Model(name="digits_cnn", width=4)
MLP = Model(name="mlp", hidden=[16])


class Again:
    """In a graph's place: to replay is to call again."""

    free = 10**9

    @contextmanager
    def here(self):
        yield

    def record(self, call, rewind):
        for _ in range(2):
            rewind()
            call()
        return call

    def random_state(self):
        return torch.get_rng_state()

    def stage(self, values):
        return values

    def wait(self):
        pass

    def free_bytes(self):
        return self.free


def recipe_of(**recipe):
    return Training(**{"lr": 0.1, "epochs": 2, "batch_size": 16, **recipe})


def data():
    return ImageDataset(IMAGES, LABELS, np.array([130.0]), np.array([75.0]))


def by_graph(indices, model, recipe, monkeypatch=None, net=None):
    streams = [Streams(0, "retain", index) for index in indices]
    build = net or (lambda own: initial_model(model, (8, 8, 1), 3, own))
    return [state for part in train_graph(data(), 3, recipe, streams, build, Again) for state in part]


# 75 examples in batches of 16: the last batch of an epoch holds 11.
@pytest.mark.parametrize(
    ("model", "recipe"),
    [
        (CNN, {}),
        (MLP, {"momentum": 0.0, "weight_decay": 0.05}),
        (MLP, {"optimizer": "adam", "lr": 0.01}),
        (CNN, {"optimizer": "adamw", "lr": 0.01, "schedule": "constant"}),
        (CNN, {"label_smoothing": 0.1, "class_weights": True}),
        (MLP, {"epochs": None, "steps": 7, "schedule": "cosine"}),
        (MLP, {"epochs": None, "steps": 3, "schedule": "cosine_by_epoch"}),
        (CNN, {"crop": 1, "flip": True, "warmup": 0.6}),
        (MLP, {"tf32": True, "batch_size": 100}),
    ],
    ids=str,
)
def test_models_are_those_of_the_loop_bit_for_bit(model, recipe, monkeypatch):
    monkeypatch.setattr(engine, "MOST", 2)
    monkeypatch.setattr(engine, "_steps_a_second", lambda trainers: 10.0 ** len(trainers))
    recipe, indices = recipe_of(**recipe), [0, 1, 5]
    loop, _ = train_models(data(), model, 3, recipe.model_copy(update={"engine": "loop"}), 0, "retain", indices)
    # Two places for three models: the third one takes a place that has held another.
    for index, state in zip(indices, by_graph(indices, model, recipe), strict=True):
        assert list(state) == list(loop[index])
        assert all(torch.equal(state[name], loop[index][name]) for name in state)


def test_a_net_that_draws_at_random_is_refused():
    def net(own):
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3))

    with pytest.raises(GraphError, match="draws at random"):
        by_graph([0], MLP, recipe_of(), net=net)


def test_what_cannot_be_recorded_is_said_and_the_loop_taken_under_auto():
    assert with_engine(data(), CNN, 3, recipe_of(engine="auto")) == (recipe_of(engine="loop"), None)
    with pytest.raises(GraphError, match=r"engine: graph cannot train.*runs on a CPU.*engine: auto"):
        train_models(data(), CNN, 3, recipe_of(engine="graph"), 0, "retain", [0])
    own = Model(file="net.py")
    assert "net of your own" in graph_refusal(own, recipe_of(), "cuda")
    assert "mine.py" in graph_refusal(CNN, recipe_of().model_copy(update={"file": "mine.py"}), "cuda")
    assert graph_refusal(CNN, recipe_of(), "cuda") is None


class Place:
    recorder, steps = Again(), 10**9


@pytest.mark.parametrize(
    ("rates", "places"),
    [
        ({1: 1, 2: 2, 4: 4, 8: 8}, 8),
        ({1: 1, 2: 1, 4: 1, 8: 9}, 1),
        # One doubling that gains nothing is not the end.
        ({1: 1, 2: 1, 4: 3, 8: 3}, 4),
    ],
)
def test_places_are_added_while_they_gain(monkeypatch, rates, places):
    monkeypatch.setattr(engine, "_steps_a_second", lambda trainers: float(rates[len(trainers)]))
    assert len(engine.side_by_side(Place, 8)) == places


def test_no_longer_is_looked_for_places_than_training_is_worth(monkeypatch):
    made = []

    class Slow(Place):
        def __init__(self):
            made.append(self)
            clock[0] += 10.0

    clock = [0.0]
    monkeypatch.setattr(engine.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(engine, "_steps_a_second", lambda trainers: 10.0**6 * len(trainers))
    # 8 models of 1,000 s: for places that take 10 s each to record there is time.
    assert len(engine.side_by_side(Slow, 8)) == 8
    # Of 10 s: for none.
    monkeypatch.setattr(Slow, "steps", 10**7)
    made.clear()
    assert (len(engine.side_by_side(Slow, 8)), len(made)) == (1, 1)


def test_a_place_that_was_recorded_to_try_the_net_is_the_first_one(monkeypatch):
    """Whatever is recorded costs seconds: as many places are, as train."""
    recorded = []

    class Counted(engine.GraphTrainer):
        def __init__(self, *arguments):
            recorded.append(self)
            super().__init__(*arguments[:4], Again)

    for module in (engine, training):
        monkeypatch.setattr(module, "GraphTrainer", Counted)
    monkeypatch.setattr(training, "graph_refusal", lambda *_: None)
    monkeypatch.setattr(engine, "MOST", 2)
    monkeypatch.setattr(engine, "_steps_a_second", lambda trainers: 10.0 ** len(trainers))
    recipe, place = with_engine(data(), CNN, 3, recipe_of(engine="auto"))
    found = train_models(data(), CNN, 3, recipe, 0, "retain", [0, 1, 2], place=place)[0]
    assert (recipe.engine, len(recorded)) == ("graph", 2)
    loop = train_models(data(), CNN, 3, recipe_of(engine="loop"), 0, "retain", [0, 1, 2])[0]
    assert all(torch.equal(found[index][name], loop[index][name]) for index in loop for name in loop[index])


def test_models_are_made_in_order_and_while_others_train(monkeypatch):
    """Their weights come from the process's random state: two at a time would mix them."""
    threads, events = [], []
    monkeypatch.setattr(engine, "MOST", 1)
    run = engine._run
    monkeypatch.setattr(engine, "_run", lambda active: (events.append("run"), run(active)))

    def net(own):
        threads.append(threading.current_thread().name)
        events.append(own.index)
        return initial_model(MLP, (8, 8, 1), 3, own)

    by_graph([4, 5, 6], MLP, recipe_of(), net=net)
    assert len(set(threads[1:])) == 1
    assert threads[1] != threading.current_thread().name
    assert [event for event in events if event != "run"] == [0, 4, 5, 6]
    assert events.index(6) < len(events) - 1 - events[::-1].index("run")
