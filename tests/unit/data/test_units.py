"""Layout and units of a user's arrays: told apart where one reading is plausible, warned of where two are."""

import numpy as np
import pytest
from sources import settings

from unlearning_metric.data.images import DataError
from unlearning_metric.data.layout import channels_last
from unlearning_metric.data.statistics import normalisation
from unlearning_metric.data.units import unit_warnings
from unlearning_metric.jobs.prepare_data import prepare_data
from unlearning_metric.store.files import read_npz

RNG = np.random.default_rng(0)
BYTES = RNG.integers(256, size=(60, 6, 6, 3), dtype=np.uint8)
FLOATS = BYTES.astype(np.float32)
OF_UNIT = {"normalize": "given", "mean": [0.5, 0.5, 0.45], "std": [0.25, 0.25, 0.26]}
OF_BYTES = {"normalize": "given", "mean": [125.0, 123.0, 114.0], "std": [63.0, 62.0, 67.0]}


def warned(train, test, **given):
    data = settings("digits", **given)
    return unit_warnings(train, test, *normalisation(train, data), data)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 16, 16), (3, 24, 32)], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_channels_first_become_last_and_it_is_said(shape, dtype):
    x = RNG.integers(256, size=(5, *shape)).astype(dtype)
    turned, warning = channels_last(x, "x_train")
    assert np.array_equal(turned, np.moveaxis(x, 1, 3))
    assert f"images of {shape[1]} x {shape[2]} pixels with {shape[0]} channel" in warning
    assert f"{shape[0]} x {shape[1]} pixels with {shape[2]} channels" in warning


@pytest.mark.parametrize(
    "shape",
    [(32, 32, 3), (3, 32, 3), (8, 8, 1), (2, 3, 4), (4, 4, 64), (4, 8, 64), (1, 1, 512), (1, 22, 1000), (7,)],
    ids=str,
)
def test_any_other_shape_stays_and_nothing_is_said(shape):
    x = RNG.random((5, *shape), dtype=np.float32)
    turned, warning = channels_last(x, "x_train")
    assert turned is x
    assert warning is None


@pytest.mark.parametrize(
    ("train", "test", "given", "said"),
    [
        (FLOATS, FLOATS, OF_UNIT, "Are the pixels 0..255 and the statistics those of pixels 0..1"),
        (FLOATS / 255, FLOATS / 255, OF_BYTES, "Are the pixels 0..1 and the statistics those of pixels 0..255"),
        (FLOATS / 255, FLOATS, {}, "training and test examples differ in scale"),
        (FLOATS, FLOATS / 255, {}, "training and test examples differ in scale"),
        (FLOATS, FLOATS / 255, {"normalize": "none"}, "training and test examples differ in scale"),
        (FLOATS / 127.5 - 1, FLOATS / 255, {}, "100% of the training examples hold values below 0"),
        (FLOATS / 255, FLOATS / 127.5 - 1, {}, "100% of the test examples hold values below 0"),
    ],
)
def test_two_units_are_warned_of_with_both_readings(train, test, given, said):
    (warning,) = warned(train, test, **given)
    assert said in warning


@pytest.mark.parametrize(
    ("train", "test", "given"),
    [
        (BYTES, BYTES[:9], {}),
        (BYTES, BYTES[:9], OF_UNIT),
        (BYTES, BYTES[:9], {"normalize": "given", "mean": [0, 0, 0], "std": [1, 1, 1]}),
        (FLOATS, FLOATS[:9], OF_BYTES),
        (FLOATS, FLOATS[:9], {"normalize": "given", "mean": [0, 0, 0], "std": [1, 1, 1]}),
        (FLOATS / 255, FLOATS[:9] / 255, OF_UNIT),
        (FLOATS, FLOATS[:9] / 4, {}),
        (RNG.normal(size=(60, 4)).astype("f4"), RNG.normal(size=(9, 4)).astype("f4"), {}),
        (np.where(np.arange(60)[:, None] < 3, -1, FLOATS[:, 0, 0]), FLOATS[:9, 0, 0], {}),
    ],
    ids=["bytes", "given", "identity", "floats", "float identity", "unit", "dark", "table", "few negative"],
)
def test_one_unit_is_no_reason_for_a_warning(train, test, given):
    assert warned(train, test, **given) == []


def test_a_mean_that_bytes_cannot_have_is_refused():
    with pytest.raises(DataError, match=r"data\.mean is 125, 123, 114: .* scale 0\.\.1.* Divide both by 255"):
        warned(BYTES, BYTES, **OF_BYTES)


def table(column):
    x = RNG.normal(size=(60, 3)).astype(np.float32)
    x[:, 1] = column
    return x


@pytest.mark.parametrize("value", [0.1, 1e-12, 1.6e9])
def test_a_feature_constant_but_for_rounding_is_left_unscaled(value):
    x = table(value)
    assert normalisation(x, settings("digits"))[1][1] == 1
    x[::7, 1] = np.nextafter(np.float32(value), np.float32(2 * value))
    assert normalisation(x, settings("digits"))[1][1] == 1


@pytest.mark.parametrize(
    "column", [1e-12 * RNG.normal(size=60), 1.6e9 + 1000 * RNG.normal(size=60)], ids=["tiny", "seconds"]
)
def test_a_real_feature_is_scaled_whatever_its_unit(column):
    x = table(column)
    np.testing.assert_allclose(normalisation(x, settings("digits"))[1][1], x[:, 1].astype(float).std(), rtol=1e-5)


def test_test_examples_far_outside_of_a_feature_that_hardly_varies_are_warned_of():
    train, test = table(0.1 + 1e-6 * RNG.normal(size=60)), table(0.2)
    (warning,) = warned(train, test)
    assert "in 1 of 3 channels or features, the first is 1" in warning


def test_warnings_stand_in_the_log_and_in_the_header(tmp_path, caplog):
    first = np.moveaxis(RNG.integers(256, size=(6, 8, 8, 3), dtype=np.uint8), 3, 1)
    np.savez(tmp_path / "a.npz", x_train=first, y_train=np.arange(6) % 2, x_test=first, y_test=np.arange(6) % 2)
    with caplog.at_level("INFO", logger="unlearning_metric"):
        prepare_data(tmp_path / "d.npz", settings("npz", path=str(tmp_path / "a.npz")), 0, {"key": "k", "origin": {}})
    header = read_npz(tmp_path / "d.npz", "k")[1]
    assert [text[:7] for text in header["warnings"]] == ["x_train", "x_test "]
    assert all(f"warning: {text}" in caplog.text for text in header["warnings"])
