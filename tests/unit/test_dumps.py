"""Dumps: what is gathered again is what was written, or nothing is."""

import numpy as np
import pytest

from unlearning_metric.dumps import ACCURACIES, ROLES, load_ensemble, rows
from unlearning_metric.store import StoreError, write_parquet

INDICES = {
    "forget": np.array([4, 9, 30]), "probe": np.array([1, 2]), "validation": np.array([50]), "test": np.array([4, 9]),
}  # fmt: skip
LABELS = {role: indices % 10 for role, indices in INDICES.items()}


def value(model: int, role: str) -> np.ndarray:
    return 1000.0 * model + 100.0 * ROLES.index(role) + np.arange(len(INDICES[role])) + 0.125


def write(path, models, order="o", key="k", diverged=(), indices=INDICES):
    outputs = {
        model: {
            role: {
                "loss": -value(model, role),
                "confidence": value(model, role),
                "logit": value(model, role),
                "prediction": np.full(len(indices[role]), 1, np.int32),
                "correct": (np.arange(len(indices[role])) + model) % 2 == 0,
            }
            for role in ROLES
        }
        for model in models
    }
    header = {
        "key": key,
        "models": list(models),
        "order": order,
        "accuracy": {name: [m + i / 10 for m in models] for i, name in enumerate(ACCURACIES)},
        "diverged": list(diverged),
        "run": {"host": str(path.name), "seconds": [m / 2 for m in models]},
    }
    write_parquet(path, rows(outputs, indices, LABELS), header)
    return path


@pytest.mark.parametrize("flip", [False, True])
def test_shards_in_any_order_give_the_forget_outputs_model_by_model(tmp_path, flip):
    paths = [write(tmp_path / "a", [0, 1], diverged=[1]), write(tmp_path / "b", [2, 3], diverged=[2])]
    found = load_ensemble(paths[::-1] if flip else paths, "k", 4)
    assert len(found) == 4
    assert found.models.tolist() == [0, 1, 2, 3]
    assert found.examples.tolist() == [4, 9, 30]
    assert found.labels.tolist() == [4, 9, 0]
    wanted = np.array([value(m, "forget") for m in range(4)])
    assert np.array_equal(found.confidence, wanted)
    assert np.array_equal(found.loss, -wanted)
    assert found.correct.tolist() == [[True, False, True], [False, True, False]] * 2
    for position, name in enumerate(ACCURACIES):
        np.testing.assert_allclose(found.accuracy[name], np.arange(4) + position / 10)
    assert found.diverged == [1, 2]
    assert found.seconds.tolist() == [0, 0.5, 1, 1.5]
    assert sorted(run["host"] for run in found.runs) == ["a", "b"]
    assert all("seconds" not in run for run in found.runs)


def test_rows_list_every_model_and_role_in_order(tmp_path):
    from unlearning_metric.store import read_parquet

    frame, _ = read_parquet(write(tmp_path / "a", [0, 1]))
    sizes = [len(INDICES[role]) for role in ROLES]
    assert frame["role"].tolist() == list(np.repeat(ROLES, sizes)) * 2
    assert frame["model"].tolist() == [0] * sum(sizes) + [1] * sum(sizes)
    assert frame["example"].tolist() == [i for role in ROLES for i in INDICES[role]] * 2
    assert frame["label"].tolist() == [i for role in ROLES for i in LABELS[role]] * 2


def test_missing_models_are_named(tmp_path):
    with pytest.raises(StoreError, match=r"0\.\.3 .* missing: \[2, 3\]"):
        load_ensemble([write(tmp_path / "a", [0, 1])], "k", 4)


@pytest.mark.parametrize("second", [[0, 1], [1, 2], [2, 3, 4]])
def test_double_or_surplus_models_are_refused(tmp_path, second):
    with pytest.raises(StoreError, match="once each"):
        load_ensemble([write(tmp_path / "a", [0, 1]), write(tmp_path / "b", second)], "k", 4)


def test_dumps_of_different_orders_are_refused(tmp_path):
    with pytest.raises(StoreError, match="different orders"):
        load_ensemble([write(tmp_path / "a", [0]), write(tmp_path / "b", [1], order="p")], "k", 2)


def test_dumps_of_different_examples_are_refused(tmp_path):
    other = {**INDICES, "forget": np.array([4, 9, 31])}
    with pytest.raises(StoreError, match="same examples"):
        load_ensemble([write(tmp_path / "a", [0]), write(tmp_path / "b", [1], indices=other)], "k", 2)


def test_a_dump_of_another_key_is_refused(tmp_path):
    with pytest.raises(StoreError, match="its key is old"):
        load_ensemble([write(tmp_path / "a", [0]), write(tmp_path / "b", [1], key="old")], "k", 2)


def test_a_dump_that_repeats_a_row_is_refused(tmp_path):
    twice = {**INDICES, "forget": np.array([4, 9, 9])}
    with pytest.raises(StoreError, match="repeats"):
        load_ensemble([write(tmp_path / "a", [0, 1], indices=twice)], "k", 2)
