"""Arrays of models trained elsewhere: what they may be, and what is said of those that do not fit."""

import os
import zipfile

import numpy as np
import pytest

from unlearning_metric.host import memory
from unlearning_metric.outputs.external import DumpError, ensemble_of, read_arrays
from unlearning_metric.outputs.signals import signals

GENERATOR = np.random.default_rng(0)
LABELS = np.array([0, 2, 1, 1])
LOGITS = GENERATOR.normal(size=(3, 4, 3))
CONFIDENCE = np.stack([signals(one, LABELS)["confidence"] for one in LOGITS])
LOSS = np.stack([signals(one, LABELS)["loss"] for one in LOGITS])


def with_one(array, place, value):
    changed = array.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    "arrays",
    [{"confidence": CONFIDENCE}, {"loss": LOSS}, {"logits": LOGITS, "labels": LABELS}],
    ids=lambda a: next(iter(a)),
)
def test_confidence_loss_and_logits_say_the_same(arrays):
    found = ensemble_of(arrays, "mine.npz")
    np.testing.assert_allclose(found.forget.confidence, CONFIDENCE, rtol=1e-9)
    np.testing.assert_allclose(found.forget.loss, LOSS, rtol=1e-9)
    assert found.models.tolist() == [0, 1, 2]
    assert found.forget.examples.tolist() == [0, 1, 2, 3]


def test_accuracies_are_given_or_counted_where_they_can_be():
    arrays = {
        "logits": LOGITS, "labels": LABELS, "test_logits": LOGITS[:, :2], "test_labels": LABELS[:2],
        "retain_accuracy": 0.75, "test_accuracy": np.array([0.5, 0.6, 0.7]),
    }  # fmt: skip
    found = ensemble_of(arrays, "mine.npz")
    assert found.accuracy["retain"].tolist() == [0.75] * 3
    assert found.accuracy["test"].tolist() == [0.5, 0.6, 0.7]
    np.testing.assert_allclose(found.accuracy["forget"], (LOGITS.argmax(axis=2) == LABELS).mean(axis=1))
    assert "validation" not in found.accuracy
    del arrays["test_accuracy"]
    counted = ensemble_of(arrays, "mine.npz").accuracy["test"]
    np.testing.assert_allclose(counted, (LOGITS[:, :2].argmax(axis=2) == LABELS[:2]).mean(axis=1))


def test_correct_groups_examples_and_seconds_are_kept():
    correct = CONFIDENCE > 0
    found = ensemble_of(
        {
            "confidence": CONFIDENCE,
            "correct": correct,
            "groups": LABELS,
            "examples": LABELS + 10 * np.arange(4),
            "seconds": 2,
        },
        "mine.npz",
    )
    assert np.array_equal(found.forget.correct, correct)
    assert found.groups.tolist() == LABELS.tolist()
    assert found.forget.examples.tolist() == [0, 12, 21, 31]
    assert found.seconds.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "none of confidence, loss, logits"),
        ({"confidence": CONFIDENCE, "loss": LOSS}, "both confidence and loss: keep one"),
        ({"confidence": CONFIDENCE[0]}, r"confidence has shape \(4,\)"),
        ({"confidence": with_one(CONFIDENCE, (1, 2), np.nan)}, "value nan of model 1, example 2"),
        ({"loss": LOSS - 3}, "is negative, which no cross-entropy is"),
        ({"confidence": 1 / (1 + np.exp(-CONFIDENCE))}, r"as probabilities do. Pass ln\(p / \(1 - p\)\)"),
        ({"logits": LOGITS}, "logits needs labels"),
        ({"logits": LOGITS, "labels": LABELS + 1}, "labels go from 1 to 3, logits has 3 classes"),
        ({"logits": LOGITS[:, :, :1], "labels": LABELS}, "at least 2 classes"),
        ({"logits": with_one(LOGITS, (2, 1, 0), np.inf), "labels": LABELS}, "model 2, example 1 is not"),
        ({"confidence": CONFIDENCE, "labels": LABELS[:3]}, r"labels is int64 \[3\]: needed are 4 whole numbers"),
        ({"confidence": CONFIDENCE, "groups": np.full(4, 2**63 + 5, np.uint64)}, "groups holds 922337203685477581"),
        ({"confidence": CONFIDENCE, "examples": [1, 2, 2, 3]}, "names an example twice"),
        ({"confidence": CONFIDENCE, "test_loss": LOSS[:2]}, "test has 2 models, forget has 3"),
        ({"confidence": CONFIDENCE, "retain_accuracy": 97.0}, "an accuracy is a share, at most 1"),
        ({"confidence": CONFIDENCE, "test_accuracy": [0.5, 0.5]}, "needed are 3 numbers"),
        ({"confidence": CONFIDENCE, "correct": [[True]]}, r"correct is bool \[1, 1\]: needed are truth"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_file(arrays, message):
    with pytest.raises(DumpError, match=f"mine.npz: .*{message}"):
        ensemble_of({name: np.asarray(values) for name, values in arrays.items()}, "mine.npz")


def test_files_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(DumpError, match="no such file"):
        read_arrays(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DumpError, match=r"npz.*text"):
        read_arrays(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", confidences=CONFIDENCE)
    with pytest.raises(DumpError, match="confidences"):
        read_arrays(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", confidence=np.array([{}]))
    with pytest.raises(DumpError, match="cannot be read"):
        read_arrays(tmp_path / "pickled.npz")


def test_arrays_of_unknown_names_or_beyond_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("an array was read")

    path = tmp_path / "a.npz"
    np.savez(path, confidence=np.zeros((4, 3)), more=np.zeros(9))
    with monkeypatch.context() as context:
        context.setattr(np.lib.npyio.NpzFile, "__getitem__", refuse)
        with pytest.raises(DumpError, match="more"):
            read_arrays(path)
        np.savez_compressed(path, confidence=np.zeros((500, 2000)))
        context.setattr(memory, "HARMLESS", 1_000_000)
        with pytest.raises(DumpError, match=r"unpack to 0\.01 GB"):
            read_arrays(path)
    np.savez(path, confidence=np.zeros((500, 2000)))
    monkeypatch.setattr(memory, "HARMLESS", 1_000_000)
    assert read_arrays(path)["confidence"].shape == (500, 2000)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(DumpError, match="no file"):
        read_arrays(tmp_path / "a.npz")


def probabilities(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


DRAWN = np.random.default_rng(5).normal(0, 2, (8, 20, 5))
CLASSES = np.arange(20) % 5
SURE = np.stack([signals(of_model, CLASSES)["confidence"] for of_model in DRAWN])
RIGHT = DRAWN.argmax(axis=2) == CLASSES


def read(**arrays):
    return ensemble_of({name: np.asarray(values) for name, values in arrays.items()}, "mine.npz")


@pytest.mark.parametrize("prefix", ["", "test_", "probe_"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (probabilities, "of all models are probabilities that sum to 1, no logits. Pass numpy.log"),
        (lambda z: probabilities(z).astype(np.float16), "probabilities that sum to 1"),
        (lambda z: probabilities(z).round(2), "probabilities that sum to 1"),
        (lambda z: 100 * probabilities(z), "per cent"),
        (lambda z: -np.log(probabilities(z)), "with the sign of a loss"),
        (lambda z: np.log2(probabilities(z)), "to base 2"),
        (lambda z: np.r_[z[:3], probabilities(z[3:4]), z[4:]], "of model 3 are probabilities"),
    ],
)
def test_logits_in_another_scale_are_refused_in_every_role(prefix, change, message):
    arrays = {"confidence": SURE, f"{prefix}logits": change(DRAWN), f"{prefix}labels": CLASSES}
    if not prefix:
        del arrays["confidence"]
    with pytest.raises(DumpError, match=f"mine.npz: {prefix}logits .*{message}"):
        read(**arrays)


@pytest.mark.parametrize(
    "logits",
    [np.log(probabilities(DRAWN)), DRAWN.astype(np.float32), np.abs(DRAWN), DRAWN - DRAWN.min() + 7],
    ids=["log-probabilities", "float32", "above 0", "shifted"],
)
def test_logits_of_any_offset_and_sign_pass_without_a_doubt(logits):
    found = read(logits=logits, labels=CLASSES)
    assert found.doubts == []


@pytest.mark.parametrize(
    ("arrays", "doubt"),
    [
        (
            {"logits": 1 / (1 + np.exp(-DRAWN)), "labels": CLASSES},
            "all lie within 0..1, as probabilities of a sigmoid do",
        ),
        ({"confidence": -np.logaddexp(0, -SURE - 3)}, "just below 0 and none above, as those of ln p do"),
        ({"confidence": np.logaddexp(0, -SURE - 3)}, "just above 0 and none below, as losses do"),
        ({"loss": 1 / (1 + np.exp(-SURE - 3))}, "just below 1 and none above, as probabilities do"),
        ({"confidence": np.rint(SURE)}, "all values are whole numbers, as predicted classes are"),
        ({"confidence": SURE, "correct": RIGHT, "forget_accuracy": 0.9}, "forget_accuracy is 0.9, and of the outputs"),
        ({"confidence": SURE + 9, "test_confidence": SURE + 9, "test_accuracy": 0.1}, "are surely right"),
    ],
)
def test_what_may_be_right_but_rarely_is_comes_back_as_a_doubt(arrays, doubt):
    (found,) = read(**arrays).doubts
    assert doubt in found


@pytest.mark.parametrize(
    "arrays",
    [
        {"confidence": SURE},
        {"loss": np.logaddexp(0, -SURE)},
        {"confidence": SURE, "correct": RIGHT.astype(np.uint8), "forget_accuracy": RIGHT.mean()},
        {"logits": DRAWN, "labels": CLASSES, "correct": RIGHT, "retain_accuracy": 1.0},
        # Confidences of 0..1, said by way of their losses.
        {"loss": np.logaddexp(0, -np.random.default_rng(0).random((8, 20)))},
    ],
)
def test_ordinary_arrays_leave_no_doubt(arrays):
    assert read(**arrays).doubts == []


def test_predicted_classes_are_no_truth_values():
    with pytest.raises(DumpError, match=r"correct holds [234]: needed are truth values.*pass predictions == labels"):
        read(confidence=SURE, correct=DRAWN.argmax(axis=2))


@pytest.mark.parametrize("given", [{"logits": DRAWN, "labels": CLASSES}, {"loss": np.logaddexp(0, -SURE)}])
def test_truth_values_that_contradict_are_refused_and_a_single_one_is_a_doubt(given):
    with pytest.raises(DumpError, match=r"correct contradicts .*first that of model"):
        read(**given, correct=~RIGHT)
    slip = RIGHT.copy()
    slip[np.unravel_index(SURE.argmax(), SURE.shape)] = False
    (doubt,) = read(**given, correct=slip).doubts
    assert "in 1 of 160 values" in doubt
    assert np.array_equal(read(**given, correct=RIGHT).forget.correct, RIGHT)


def test_what_numpy_fills_in_for_masked_values_is_refused(tmp_path):
    np.savez(tmp_path / "masked.npz", confidence=np.ma.masked_greater(SURE, 3).filled())
    with pytest.raises(DumpError, match="masked"):
        ensemble_of(read_arrays(tmp_path / "masked.npz"), "masked.npz")


def test_files_of_another_kind_are_named_without_reading_them(tmp_path):
    np.save(tmp_path / "a.npy", SURE)
    np.savetxt(tmp_path / "a.csv", SURE, delimiter=",")
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/data.pkl", b"")
    for end, message in (("npy", "one array without a name"), ("csv", "no npz file but text"), ("pt", "PyTorch")):
        with pytest.raises(DumpError, match=message):
            read_arrays(tmp_path / f"a.{end}")
