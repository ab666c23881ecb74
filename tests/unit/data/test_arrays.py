"""The user's own arrays: any shape, any labels; and what examples are normalised by."""

import unicodedata

import numpy as np
import pytest
from sources import load, settings

from unlearning_metric.data import memory
from unlearning_metric.data.images import DataError, ImageData
from unlearning_metric.data.statistics import normalisation
from unlearning_metric.jobs.prepare_data import prepare_data
from unlearning_metric.store.files import read_npz

RNG = np.random.default_rng(0)


def arrays(shape=(4, 5, 3), dtype=np.uint8, **changes):
    make = (lambda n: RNG.integers(256, size=(n, *shape)).astype(dtype)) if dtype == np.uint8 else (
        lambda n: RNG.normal(size=(n, *shape)).astype(dtype)
    )  # fmt: skip
    good = {"x_train": make(6), "y_train": np.array([0, 1, 2] * 2), "x_test": make(3), "y_test": np.arange(3)}
    return {**good, **changes}


def saved(tmp_path, given) -> ImageData:
    np.savez(tmp_path / "a.npz", **given)
    return load("npz", path=str(tmp_path / "a.npz"))


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(7,), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_examples_may_have_any_shape_and_be_bytes_or_floats(tmp_path, shape, dtype):
    given = arrays(shape, dtype)
    data = saved(tmp_path, given)
    assert data.x_train.shape == (6, *shape)
    assert data.x_train.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    np.testing.assert_array_equal(data.x_train, given["x_train"].astype(data.x_train.dtype))


def test_a_sequence_of_embeddings_gets_no_channels(tmp_path):
    assert saved(tmp_path, arrays((5, 6), np.float32)).x_train.shape == (6, 5, 6)
    assert saved(tmp_path, arrays((5, 6), np.uint8)).x_train.shape == (6, 5, 6, 1)


@pytest.mark.parametrize(
    ("labels", "tested", "classes"),
    [
        ([3, 5, 9, 3, 5, 9], [3, 9, 9], ("3", "5", "9")),
        ([-1, 1, -1, 1, -1, 1], [1, 1, -1], ("-1", "1")),
        ([1, 2, 3, 1, 2, 3], [1, 2, 4], ("1", "2", "3", "4")),
        ([True, False] * 3, [True, True, False], ("False", "True")),
        (["cat", "dog"] * 3, ["dog", "dog", "eel"], ("cat", "dog", "eel")),
    ],
    ids=str,
)
def test_labels_of_any_kind_are_numbered_and_remembered(tmp_path, labels, tested, classes):
    data = saved(tmp_path, arrays(y_train=np.array(labels), y_test=np.array(tested)))
    assert data.classes == classes
    for numbers, given in ((data.y_train, labels), (data.y_test, tested)):
        assert [classes[number] for number in numbers] == [str(label) for label in given]


def test_one_word_in_two_unicode_forms_is_one_class(tmp_path):
    words = {form: unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD")}
    data = saved(tmp_path, arrays(y_train=np.array([words["NFD"], "cat"] * 3), y_test=np.array([words["NFC"]] * 3)))
    assert data.classes == (words["NFC"], "cat")
    assert data.y_test.tolist() == [0, 0, 0]


def test_labels_that_look_alike_are_warned_of(tmp_path):
    data = saved(tmp_path, arrays(y_train=np.array(["cat", "cat ", "Cat"] * 2), y_test=np.array(["cat"] * 3)))
    assert data.classes == ("Cat", "cat", "cat ")
    assert data.warnings == (
        "the labels 'cat' and 'cat ' look alike and are two classes; if one is meant, write both alike",
    )


def test_arrays_that_are_not_read_are_named(tmp_path):
    data = saved(tmp_path, arrays(x_val=np.zeros(3), groups=np.zeros(6, int)))
    assert "x_val" in data.notes[0]
    assert "the array groups is not read. Call it groups_train" in data.warnings[0]
    assert data.groups_train is None


def test_groups_keep_all_their_digits(tmp_path):
    groups = np.array([10_000_000_001, 14_294_967_297, -5, 1, 2, 2**62])
    assert saved(tmp_path, arrays(groups_train=groups)).groups_train.tolist() == groups.tolist()


def test_the_mapping_of_the_labels_is_stored(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays(y_train=np.array([10, 20, 30] * 2), y_test=np.array([10, 10, 20])))
    prepare_data(tmp_path / "out.npz", settings("npz", path=str(tmp_path / "a.npz")), 0, {"key": "k", "origin": {}})
    data, header = read_npz(tmp_path / "out.npz", "k")
    assert (header["classes"], header["num_classes"]) == (["10", "20", "30"], 3)
    assert data["y_test"].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"y_train": np.zeros(6)}, "y_train is float64"),
        ({"y_test": np.array(["a", "b", "c"])}, "labels must be of one kind"),
        ({"y_train": np.zeros(6, int), "y_test": np.zeros(3, int)}, "at least two classes"),
        ({"y_train": np.zeros((6, 10), int)}, r"y_train is int64 \[6, 10\]"),
        ({"y_train": np.zeros(5, int)}, r"one integer label for each of the 6"),
        (
            {"x_train": np.full((6, 4), np.nan, np.float32), "x_test": np.zeros((3, 4), np.float32)},
            "not finite in 6 of 6",
        ),
        ({"x_test": np.zeros((3, 4, 5, 3), np.float32)}, "training images are uint8"),
        ({"x_train": np.zeros((6, 4), complex)}, "x_train is complex128"),
        ({"x_train": np.zeros(6, np.uint8)}, r"x_train is uint8 \[6\]"),
        ({"x_train": np.zeros((6, 0), np.uint8), "x_test": np.zeros((3, 0), np.uint8)}, "hold no value"),
        ({"x_test": np.zeros((0, 4, 5, 3))}, "x_test holds no image"),
        ({"x_train": np.zeros(())}, r"x_train is float32 \[\]"),
        ({"x_test": np.zeros((0, 4, 5, 3)), "y_test": np.array([])}, "x_test holds no image"),
        ({"groups_train": np.array(list("abcdef"))}, r"groups_train is <U1 .* numpy\.unique\(names"),
        ({"groups_train": np.full(6, 2**63, np.uint64)}, "groups_train holds 9223372036854775808, beyond 64 bits"),
        ({"y_train": np.array([0.0, 1, 2] * 2)}, r"whole numbers stored as floats: store y_train\.astype\('int64'\)"),
        ({"y_train": np.array([b"a", b"b"] * 3)}, r"numpy\.char\.decode\(y_train"),
        ({"y_train": np.eye(3)[[0, 1, 2] * 2]}, r"one-hot rows: store y_train\.argmax\(axis=1\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, changes, said):
    with pytest.raises(DataError, match=said):
        saved(tmp_path, arrays(**changes))


def test_arrays_that_are_no_arrays_of_numbers_are_never_unpickled(tmp_path):
    said = r"a\.npz: x_train is stored as Python objects .* can run code\. Store .* x_train\.astype\('float32'\)"
    with pytest.raises(DataError, match=said):
        saved(tmp_path, arrays(x_train=np.array([{}] * 6, dtype=object)))


def test_labels_as_pandas_gives_them_are_refused_with_what_to_write(tmp_path):
    with pytest.raises(DataError, match=r"y_test .*y_test\.astype\(str\)"):
        saved(tmp_path, arrays(y_test=np.array(["cat", "dog", "cat"], dtype=object)))


def test_a_file_that_is_no_npz_is_told_how_to_write_one(tmp_path):
    (tmp_path / "a.npz").write_text("x")
    with pytest.raises(DataError, match=r"npz .*numpy\.savez\(path, x_train="):
        load("npz", path=str(tmp_path / "a.npz"))


@pytest.mark.parametrize("kind", [np.uint8, np.uint64, bool])
def test_labels_of_two_integer_types_are_integers(tmp_path, kind):
    given = arrays(y_train=np.array([0, 1, 0, 1, 0, 1], dtype=kind), y_test=np.array([0, 1, -5]))
    assert saved(tmp_path, given).classes == ("-5", "0", "1")


def test_values_beyond_float32_are_named_as_such(tmp_path, recwarn):
    given = arrays((4,), np.float64)
    given["x_train"][3, 1] = -1e300
    with pytest.raises(DataError, match=r"x_train holds values beyond 3.4e\+38, .* in 1 of 6 examples, the first is 3"):
        saved(tmp_path, given)
    assert not recwarn.list


def test_a_class_that_only_test_examples_are_of_is_told(tmp_path, caplog):
    np.savez(tmp_path / "a.npz", **arrays(y_train=np.array([10, 20, 30] * 2), y_test=np.array([10, 40, 20])))
    with caplog.at_level("WARNING", logger="unlearning_metric"):
        given = settings("npz", path=str(tmp_path / "a.npz"))
        prepare_data(tmp_path / "out.npz", given, 0, {"key": "k", "origin": {}})
    assert "no training example is of 40, which test examples are of" in caplog.text


def test_the_first_example_that_is_not_finite_is_named(tmp_path):
    given = arrays((4,), np.float32)
    given["x_train"][4, 2] = np.inf
    with pytest.raises(DataError, match=r"in 1 of 6 examples, the first is 4"):
        saved(tmp_path, given)


def test_arrays_beyond_memory_are_refused_with_the_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    with pytest.raises(DataError, match=r"a\.npz: .* GB .*2 copies"):
        saved(tmp_path, arrays())


def test_there_is_memory_on_this_machine():
    assert memory.available_bytes() > 1e6


def channels(x, **given):
    return normalisation(x, settings("digits", **given))


@pytest.mark.parametrize(
    "x", [arrays((4, 5, 3))["x_train"], arrays((7,), np.float32)["x_train"]], ids=["images", "table"]
)
def test_the_pools_own_statistics_are_those_of_the_last_axis(x, monkeypatch):
    monkeypatch.setattr("unlearning_metric.data.statistics.CHUNK", 4)
    mean, std = channels(x)
    flat = x.reshape(-1, x.shape[-1]).astype(np.float64)
    np.testing.assert_allclose(mean, flat.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, flat.std(axis=0), rtol=1e-6)


def test_a_feature_without_variation_is_left_unscaled():
    assert channels(np.full((5, 2), 3.0, np.float32))[1].tolist() == [1.0, 1.0]


def test_given_statistics_are_on_the_scale_of_pixels():
    mean, std = channels(arrays()["x_train"], normalize="given", mean=[0.2, 0.4, 0.6], std=[0.1, 0.2, 1.0])
    np.testing.assert_allclose(mean, [51, 102, 153], rtol=1e-6)
    np.testing.assert_allclose(std, [25.5, 51, 255], rtol=1e-6)


def test_given_statistics_need_a_value_for_each_channel():
    with pytest.raises(DataError, match=r"data\.mean has 1 values; the data have 3 channels"):
        channels(arrays()["x_train"], normalize="given", mean=[0.2], std=[0.1])


def test_without_normalisation_a_net_sees_the_pixels_as_they_are():
    mean, std = channels(arrays()["x_train"], normalize="none")
    assert (mean.tolist(), std.tolist()) == ([0, 0, 0], [1, 1, 1])
