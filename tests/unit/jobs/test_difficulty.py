"""How hard examples are for models that did not train on them."""

import numpy as np
import pytest

from unlearning_metric.config import Forget, Model, SplitSettings, Training
from unlearning_metric.forget.split import training_set
from unlearning_metric.jobs.difficulty import halves, measure_difficulty
from unlearning_metric.nets.user_nets import ModelError
from unlearning_metric.store.files import read_npz, write_npz
from unlearning_metric.store.stored import Stored

RECIPE = Training(lr=0.1, epochs=6, batch_size=16)
RNG = np.random.default_rng(0)
LABELS = np.arange(120) % 3
IMAGES = (RNG.integers(60, size=(120, 8, 8, 1)) + 90 * LABELS[:, None, None, None]).astype(np.uint8)
WRONG = np.array([4, 17, 50, 83])


def measured(tmp_path, labels=LABELS, models=4, train_size=100, net="digits_cnn", **recipe):
    arrays = {"x_train": IMAGES, "y_train": labels, "mean": np.array([130.0], np.float32)}
    arrays["std"] = np.array([75.0], np.float32)
    write_npz(tmp_path / "d.npz", arrays, {"key": "d", "num_classes": 3})
    settings = {
        "experiment_seed": 0, "model": Model(name=net, width=4), "training": RECIPE.model_copy(update=recipe),
        "train_size": train_size, "validation_size": 0, "models": models,
    }  # fmt: skip
    measure_difficulty(Stored(tmp_path / "d.npz", "d"), tmp_path / "out.npz", settings, "cpu", {"key": "k"})
    return read_npz(tmp_path / "out.npz", "k")[0]


@pytest.mark.parametrize("examples", [10, 11])
def test_each_example_is_held_out_from_one_model_of_a_pair(examples):
    pairs = [halves(examples, pair, 0) for pair in range(3)]
    for one, other in pairs:
        assert np.array_equal(np.sort(np.concatenate([one, other])), np.arange(examples))
        assert abs(len(one) - len(other)) <= 1
    assert not np.array_equal(pairs[0][0], pairs[1][0])


def test_the_training_set_is_that_of_the_split(tmp_path):
    found = measured(tmp_path, models=2)
    settings = SplitSettings(
        train_size=100, validation_size=0, test_size=None, probe_size=5, forget=Forget(strategy="hardest", count=4)
    )
    assert np.array_equal(found["examples"], training_set(LABELS, settings, 0)[0])


def test_a_half_that_leaves_a_batch_of_one_is_refused_where_batch_norm_cannot_train_on_it(tmp_path):
    with pytest.raises(ModelError, match="50 examples in batches of 7"):
        measured(tmp_path, net="resnet18", batch_size=7)


def test_examples_with_a_wrong_label_are_the_hardest(tmp_path):
    labels = LABELS.copy()
    labels[WRONG] = (labels[WRONG] + 1) % 3
    # Long enough to memorise: a model that saw a wrong label then has a loss below 1 on it.
    found = measured(tmp_path, labels, train_size=None, epochs=60)
    hardest = found["examples"][np.argsort(-found["loss"])[: len(WRONG)]]
    assert sorted(hardest) == WRONG.tolist()
    # No model that saw the wrong label was asked.
    assert found["loss"][WRONG].min() > 3.0
