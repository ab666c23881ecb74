"""Data sources and the form every one of them must have."""

import numpy as np
import pytest

from unlearning_metric.config import Data
from unlearning_metric.data import load_data
from unlearning_metric.data.images import DataError, ImageData
from unlearning_metric.jobs.prepare_data import prepare_data
from unlearning_metric.store.files import read_npz


def arrays(**changes) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    good = {
        "x_train": rng.integers(256, size=(6, 4, 5, 3), dtype=np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": rng.integers(256, size=(3, 4, 5, 3), dtype=np.uint8),
        "y_test": np.array([0, 1, 3]),
    }
    return {**good, **changes}


def digits(seed: int = 0, **settings) -> ImageData:
    return load_data(Data(source="digits", **settings), np.random.default_rng(seed))


def test_digits_are_all_there_once_and_split_by_class():
    data = digits(test_size=360)
    assert data.x_train.shape == (1437, 8, 8, 1)
    assert data.x_test.shape == (360, 8, 8, 1)
    assert data.num_classes == 10
    assert (data.x_train.max(), data.x_train.min()) == (240, 0)
    shares = np.bincount(data.y_test) / 360 - np.bincount(np.r_[data.y_train, data.y_test]) / 1797
    assert np.abs(shares).max() < 0.01


def test_the_division_of_the_digits_follows_the_generator():
    one, same, other = digits(1), digits(1), digits(2)
    assert np.array_equal(one.x_test, same.x_test)
    assert not np.array_equal(one.x_test, other.x_test)


@pytest.mark.parametrize("size", [9, 1788])
def test_a_digits_test_set_that_leaves_a_class_empty_is_refused(size):
    with pytest.raises(DataError, match=str(size)):
        digits(test_size=size)


def test_npz_returns_the_users_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays())
    data = load_data(Data(source="npz", path=str(tmp_path / "a.npz")), np.random.default_rng(0))
    for name, array in arrays().items():
        assert np.array_equal(getattr(data, name), array)
    assert data.num_classes == 4


def test_npz_takes_grey_images_without_channels_and_labels_as_a_column(tmp_path):
    grey = arrays()
    grey["x_train"], grey["x_test"] = grey["x_train"][..., 0], grey["x_test"][..., 0]
    grey["y_train"] = grey["y_train"][:, None].astype(np.uint8)
    np.savez(tmp_path / "a.npz", **grey)
    data = load_data(Data(source="npz", path=str(tmp_path / "a.npz")), np.random.default_rng(0))
    assert data.x_train.shape == (6, 4, 5, 1)
    assert data.y_train.dtype == np.int64
    assert data.y_train.tolist() == [0, 1, 2, 0, 1, 2]


def test_npz_names_the_arrays_that_are_missing(tmp_path):
    some = arrays()
    del some["y_test"]
    np.savez(tmp_path / "a.npz", **some)
    with pytest.raises(DataError, match="lacks y_test"):
        load_data(Data(source="npz", path=str(tmp_path / "a.npz")), np.random.default_rng(0))


def test_a_file_that_is_no_npz_is_refused_with_its_name(tmp_path):
    (tmp_path / "a.npz").write_text("text")
    with pytest.raises(DataError, match=r"a\.npz"):
        load_data(Data(source="npz", path=str(tmp_path / "a.npz")), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x_train": np.zeros((6, 4, 5, 3), dtype=np.int32)}, "x_train is int32"),
        ({"x_test": np.zeros((3, 4, 5), dtype=np.uint8)}, "x_test is uint8"),
        ({"x_test": np.zeros((3, 5, 4, 3), dtype=np.uint8)}, "must have one height"),
        ({"x_train": np.zeros((0, 4, 5, 3), dtype=np.uint8), "y_train": np.zeros(0, int)}, "no image"),
        ({"y_train": np.zeros(5, dtype=int)}, "y_train is int64"),
        ({"y_test": np.array([0.0, 1.0, 2.0])}, "y_test is float64"),
        ({"y_test": np.array([0, -1, 2])}, "label -1"),
    ],
)
def test_what_is_not_labelled_images_is_refused(changes, said):
    with pytest.raises(DataError, match=said):
        ImageData(**arrays(**changes))


def test_a_stored_data_set_carries_the_statistics_of_its_training_pool(tmp_path):
    flat = arrays()
    flat["x_train"][..., 2] = 9
    np.savez(tmp_path / "a.npz", **flat)
    settings = {"source": "npz", "path": str(tmp_path / "a.npz"), "normalize": "pool"}
    prepare_data(tmp_path / "out.npz", settings, 0, {"key": "k", "origin": None})
    data, header = read_npz(tmp_path / "out.npz", "k")
    pixels = flat["x_train"].reshape(-1, 3)
    np.testing.assert_allclose(data["mean"], pixels.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(data["std"], [*pixels.std(axis=0)[:2], 1.0], rtol=1e-6)
    assert header["num_classes"] == 4
