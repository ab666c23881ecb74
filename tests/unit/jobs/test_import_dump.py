"""A file of outputs made elsewhere becomes the dump it would have been here, or is refused."""

import numpy as np
import pytest

from unlearning_metric.forget.split import Split
from unlearning_metric.jobs.import_dump import import_dump
from unlearning_metric.outputs.dumps import load_ensemble
from unlearning_metric.outputs.external import DumpError
from unlearning_metric.store.files import write_npz
from unlearning_metric.store.stored import Stored

SPLIT = Split(*(np.array(part) for part in ([2, 5, 9], [0, 1, 3, 4], [6], [0, 2, 3], [1, 4])))
DATA = {
    "x_train": np.zeros((10, 1, 1, 1), np.uint8), "y_train": np.arange(10) % 4,
    "x_test": np.zeros((4, 1, 1, 1), np.uint8), "y_test": np.array([3, 2, 1, 0]),
}  # fmt: skip
CONFIDENCE = np.random.default_rng(0).normal(size=(4, 3)) * 3
TEST = np.random.default_rng(1).normal(size=(4, 3)) * 3


def run(folder, models=(0, 1, 2, 3), data=DATA, **arrays):
    write_npz(folder / "dataset.npz", data, {"key": "d", "num_classes": 4, "classes": ["1", "10", "2", "7"]})
    write_npz(folder / "split.npz", SPLIT.arrays(), {"key": "s", "order": SPLIT.order_hash(), "warnings": ["doubtful"]})
    np.savez(folder / "theirs.npz", **arrays)
    out = folder / f"{models[0]:04d}-{models[-1]:04d}.parquet"
    import_dump(
        Stored(folder / "dataset.npz", "d"), Stored(folder / "split.npz", "s"), folder / "theirs.npz",
        {"method": "theirs", "models": list(models)}, 4, out, {"key": "k", "origin": {}},
    )  # fmt: skip
    return out


def test_outputs_in_any_order_come_back_in_the_splits(tmp_path):
    order = [2, 0, 1]
    shards = [
        run(
            tmp_path, models, confidence=CONFIDENCE[:, order], examples=SPLIT.forget[order],
            test_confidence=TEST, test_examples=SPLIT.test, retain_accuracy=[0.1, 0.2, 0.3, 0.4], seconds=[1, 2, 3, 4],
        )
        for models in ((0, 1), (2, 3))
    ]  # fmt: skip
    found = load_ensemble(shards, "k", 4)
    assert found.order == SPLIT.order_hash()
    assert found.forget.examples.tolist() == [2, 5, 9]
    assert found.forget.labels.tolist() == [2, 1, 1]
    np.testing.assert_array_equal(found.forget.confidence, CONFIDENCE)
    np.testing.assert_array_equal(found.roles["test"].confidence, TEST.astype(np.float32))
    assert found.roles["test"].labels.tolist() == [3, 1, 0]
    assert found.accuracy["retain"].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert found.seconds.tolist() == [1, 2, 3, 4]
    assert set(found.accuracy) == {"retain"}
    assert found.forget.correct is None


@pytest.mark.parametrize("step", [7, 10_000_000_001, -(2**59)])
def test_groups_come_from_the_data_with_all_their_digits(tmp_path, step):
    data = {**DATA, "groups_train": np.arange(10) * step}
    path = run(tmp_path, data=data, confidence=CONFIDENCE, examples=SPLIT.forget)
    assert load_ensemble([path], "k", 4).groups.tolist() == [2 * step, 5 * step, 9 * step]


def test_names_of_classes_and_warnings_come_from_the_data(tmp_path):
    found = load_ensemble([run(tmp_path, confidence=CONFIDENCE, examples=SPLIT.forget)], "k", 4)
    assert found.classes == ("1", "10", "2", "7")
    assert found.data_warnings == ("doubtful",)


def test_groups_that_contradict_the_data_are_refused(tmp_path):
    data = {**DATA, "groups_train": np.arange(10) * 7}
    order = [2, 0, 1]
    arrays = {"confidence": CONFIDENCE, "examples": SPLIT.forget[order]}
    run(tmp_path, data=data, groups=[63, 14, 35], **arrays)
    with pytest.raises(DumpError, match=r"example 2 .*group 35.* 14$"):
        run(tmp_path, data=data, groups=[63, 35, 14], **arrays)


def test_what_is_odd_about_a_dump_comes_with_its_ensemble(tmp_path):
    path = run(tmp_path, confidence=np.rint(CONFIDENCE), examples=SPLIT.forget)
    assert load_ensemble([path], "k", 4).doubts == [
        "confidence: all values are whole numbers, as predicted classes are"
    ]
    assert load_ensemble([run(tmp_path, confidence=CONFIDENCE, examples=SPLIT.forget)], "k", 4).doubts == []


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"confidence": CONFIDENCE}, "does not say which examples its forget outputs are of: add the array examples"),
        ({"confidence": CONFIDENCE, "examples": [2, 5, 8]}, r"not those of the split \(2 differ, the first is 8\)"),
        ({"confidence": CONFIDENCE[:, :2], "examples": [2, 5]}, r"not those of the split \(1 differ, the first is 9\)"),
        ({"confidence": CONFIDENCE[:3], "examples": [2, 5, 9]}, "holds 3 models and copies is 4"),
        (
            {"confidence": CONFIDENCE, "examples": [2, 5, 9], "labels": [2, 3, 1]},
            r"forget example 5 has the label 3, in the data it has 1 \(the class 10\).* 0: 1, 1: 10, 2: 2, 3: 7",
        ),
        (
            {"confidence": CONFIDENCE, "examples": [2, 5, 9], "test_loss": abs(TEST)},
            "add the array test_examples, the indices in the set test",
        ),
    ],
)
def test_what_does_not_fit_the_split_is_refused(tmp_path, arrays, message):
    with pytest.raises(DumpError, match=message):
        run(tmp_path, **arrays)
    assert not list(tmp_path.glob("*.parquet"))
