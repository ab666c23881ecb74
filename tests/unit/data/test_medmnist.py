"""Files of MedMNIST."""

import numpy as np
import pytest
from sources import load

from unlearning_metric import config
from unlearning_metric.data.images import DataError

RNG = np.random.default_rng(0)


def write(path, **changes) -> dict[str, np.ndarray]:
    arrays = {}
    for part, count in (("train", 8), ("val", 4), ("test", 6)):
        arrays[f"{part}_images"] = RNG.integers(256, size=(count, 28, 28, 3), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.arange(count, dtype=np.uint8)[:, None] % 4
    np.savez(path, **{**arrays, **changes})
    return arrays


def test_parts_are_those_published(tmp_path):
    arrays = write(tmp_path / "blood.npz")
    data = load("medmnist", path=str(tmp_path / "blood.npz"))
    assert np.array_equal(data.x_train[:8], arrays["train_images"])
    assert np.array_equal(data.x_train[data.validation], arrays["val_images"])
    assert np.array_equal(data.x_test, arrays["test_images"])
    assert data.y_train.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]
    assert data.y_test.tolist() == [0, 1, 2, 3, 0, 1]


def test_grey_images_have_one_channel(tmp_path):
    grey = {
        f"{part}_images": np.zeros((count, 28, 28), np.uint8) for part, count in (("train", 8), ("val", 4), ("test", 6))
    }
    write(tmp_path / "a.npz", **grey)
    assert load("medmnist", path=str(tmp_path / "a.npz")).x_train.shape == (12, 28, 28, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train_images": np.zeros((8, 28, 28, 28), np.uint8)}, "Volumes"),
        ({"val_labels": np.zeros((4, 14), np.uint8)}, "one label an image"),
        ({"test_labels": np.zeros((5, 1), np.uint8)}, "5"),
    ],
)
def test_what_is_no_image_with_a_label_is_refused(tmp_path, changes, said):
    write(tmp_path / "a.npz", **changes)
    with pytest.raises(DataError, match=said):
        load("medmnist", path=str(tmp_path / "a.npz"))


def test_a_file_of_another_kind_says_what_it_lacks(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=np.zeros(3))
    with pytest.raises(DataError, match="lacks train_images"):
        load("medmnist", path=str(tmp_path / "a.npz"))


def test_validation_is_not_set_aside_twice():
    with pytest.raises(config.ConfigError, match="validation"):
        config.parse({**RAW, "data": {"source": "medmnist", "path": "a.npz", "validation_size": 4}}, [])


RAW = {
    "copies": 4,
    "forget": {"strategy": "random", "count": 2},
    "model": {"name": "cnn_small"},
    "training": {"epochs": 1, "batch_size": 4, "lr": 0.1},
}
