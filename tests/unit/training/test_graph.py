"""The engine graph without a GPU: what is recorded, when it is called again, gives the loop's models bit for bit."""

import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from unlearning_metric.batches.loaders import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.seeds import Streams
from unlearning_metric.training.graph import graph_refusal, side_by_side, train_graph
from unlearning_metric.training.graph_trainer import GraphError
from unlearning_metric.training.train import train_models, with_engine
from unlearning_metric.training.trainable import initial_model

DRAW = np.random.default_rng(0)
LABELS = np.arange(75) % 3
IMAGES = (DRAW.integers(60, size=(75, 8, 8, 1)) + 90 * LABELS[:, None, None, None]).astype(np.uint8)
CNN = Model(name="digits_cnn", width=4)
MLP = Model(name="mlp", hidden=[16])


class Again:
    """In a graph's place: to replay is to call again."""

    device, free, seconds = "cpu", 10**9, time.perf_counter

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


def machine(places=32, rates=None):
    """A recorder of a machine with memory for so many places.

    ``rates`` says how many steps all places make together in one of its seconds, by how many there are: as many as
    there are places unless given. Its clock moves while steps are waited for.
    """

    class OfMachine(Again):
        made, replayed, clock, begun = [], [], [0.0], staticmethod(lambda: None)

        def __init__(self):
            if len(self.made) == places:
                raise torch.OutOfMemoryError("no place")
            self.made.append(self)

        @classmethod
        def seconds(cls):
            return cls.clock[0]

        def record(self, call, rewind):
            super().record(call, rewind)

            def replay():
                self.begun()
                self.replayed.append(self)
                call()

            return replay

        def wait(self):
            active = len(set(self.replayed))
            if active:
                self.clock[0] += len(self.replayed) / (rates or {}).get(active, active)
            self.replayed.clear()

    return OfMachine


def recipe_of(**recipe):
    return Training(**{"lr": 0.1, "epochs": 2, "batch_size": 16, **recipe})


def data():
    return ImageDataset(IMAGES, LABELS, np.array([130.0]), np.array([75.0]))


def by_graph(indices, model, recipe, recorder=Again, net=None):
    streams = Streams.of_models(0, "retain", indices)
    build = net or (lambda own: initial_model(model, (8, 8, 1), 3, own))
    return [state for part in train_graph(data(), 3, recipe, streams, build, recorder) for state in part]


def by_loop(indices, model, recipe):
    """State dicts by index."""
    recipe = recipe.model_copy(update={"engine": "loop"})
    return train_models(data(), model, 3, recipe, Streams.of_models(0, "retain", indices))[0]


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
def test_models_are_those_of_the_loop_bit_for_bit(model, recipe):
    recipe, indices, recorder = recipe_of(**recipe), [0, 1, 5], machine(places=2)
    loop = by_loop(indices, model, recipe)
    for index, state in zip(indices, by_graph(indices, model, recipe, recorder), strict=True):
        assert list(state) == list(loop[index])
        assert all(torch.equal(state[name], loop[index][name]) for name in state)
    # Two places for three models: the third one took a place that had held another.
    assert len(recorder.made) == 2


def test_a_net_that_draws_at_random_is_refused():
    def net(own):
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3))

    with pytest.raises(GraphError, match="draws at random"):
        by_graph([0], MLP, recipe_of(), net=net)


def test_what_cannot_be_recorded_is_said_and_the_loop_taken_under_auto():
    assert with_engine(data(), CNN, 3, recipe_of(engine="auto")) == (recipe_of(engine="loop"), None)
    with pytest.raises(GraphError, match=r"engine: graph cannot train.*runs on a CPU.*engine: auto"):
        train_models(data(), CNN, 3, recipe_of(engine="graph"), Streams.of_models(0, "retain", [0]))
    own = Model(file="net.py")
    assert "net of your own" in graph_refusal(own, recipe_of(), "cuda")
    assert "mine.py" in graph_refusal(CNN, recipe_of().model_copy(update={"file": "mine.py"}), "cuda")
    assert graph_refusal(CNN, recipe_of(), "cuda") is None


def place_on(recorder, steps, takes=0.0):
    """What makes places of models of so many steps; each takes so long to record."""

    class Place:
        examples = 16

        def __init__(self):
            self.recorder, self.steps = recorder(), steps
            recorder.clock[0] += takes

        def size_of(self, batch):
            return 16

        def rewind(self):
            pass

        def replay(self, size):
            recorder.replayed.append(self)

    return Place


@pytest.mark.parametrize(
    ("rates", "places"),
    [
        ({1: 1, 2: 2, 4: 4, 8: 8}, 8),
        ({1: 1, 2: 1, 4: 1, 8: 9}, 1),
        # One doubling that gains nothing is not the end.
        ({1: 1, 2: 1, 4: 3, 8: 3}, 4),
    ],
)
def test_places_are_added_while_they_gain(rates, places):
    recorder = machine(rates=rates)
    assert len(side_by_side(place_on(recorder, 10**9), 8, recorder.seconds)) == places


# For 8 models of 1,000 s there is time to record places that take 10 s each, for 8 models of 1 s there is not.
@pytest.mark.parametrize(("steps", "places"), [(1_000, 8), (1, 1)])
def test_no_longer_is_looked_for_places_than_training_is_worth(steps, places):
    recorder = machine()
    place = place_on(recorder, steps, takes=10.0)
    assert len(side_by_side(place, 8, recorder.seconds, first=None)) == places
    assert len(recorder.made) == places


def test_a_place_that_was_recorded_to_try_the_net_is_the_first_one():
    """Whatever is recorded costs seconds: as many places are, as train."""
    recorder = machine()
    recipe, place = with_engine(data(), CNN, 3, recipe_of(engine="auto"), recorder)
    assert (recipe.engine, len(recorder.made)) == ("graph", 1)
    found = train_models(data(), CNN, 3, recipe, Streams.of_models(0, "retain", [0, 1, 2]), place=place)[0]
    assert len(recorder.made) == 3
    loop = by_loop([0, 1, 2], CNN, recipe)
    assert all(torch.equal(found[index][name], loop[index][name]) for index in loop for name in loop[index])


def test_models_are_made_in_order_and_while_others_train():
    """Their weights come from the process's random state: two at a time would mix them."""
    threads, made, waited = [], [], []
    following, recorder = threading.Event(), machine(places=1)

    def net(own):
        threads.append(threading.current_thread().name)
        made.append(own.index)
        if own.index == 5:
            following.set()
        return initial_model(MLP, (8, 8, 1), 3, own)

    def begun():
        # The steps of model 4 wait for model 5 to be made.
        if 4 in made and not waited:
            waited.append(following.wait(5))

    recorder.begun = staticmethod(begun)
    by_graph([4, 5, 6], MLP, recipe_of(), recorder, net)
    assert waited == [True]
    # The first is the template, made where the job runs.
    assert made == [0, 4, 5, 6]
    assert len(set(threads[1:])) == 1
    assert threads[1] != threading.current_thread().name
