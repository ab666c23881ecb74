"""Dumps: what is gathered again is what was written, or nothing is."""

import numpy as np
import pyarrow as pa
import pytest

from unlearning_metric.outputs.dumps import load_ensemble, rows
from unlearning_metric.outputs.ensemble import ACCURACIES, ROLES
from unlearning_metric.store.files import StoreError, read_parquet, write_parquet

INDICES = {
    "forget": np.array([4, 9, 30]), "probe": np.array([1, 2]), "validation": np.array([50]), "test": np.array([4, 9]),
}  # fmt: skip
LABELS = {role: indices % 10 for role, indices in INDICES.items()}


def value(model: int, role: str) -> np.ndarray:
    return 1000.0 * model + 100.0 * ROLES.index(role) + np.arange(len(INDICES[role])) + 0.125


def write(path, models, order="o", key="k", diverged=(), indices=INDICES, roles=ROLES, groups=None, known=ACCURACIES,
          seconds=True, passes=None):  # fmt: skip
    outputs = {
        model: {
            role: {
                "loss": -value(model, role),
                "confidence": value(model, role),
                "logit": value(model, role),
                "prediction": np.full(len(indices[role]), 1, np.int32),
                "correct": (np.arange(len(indices[role])) + model) % 2 == 0,
            }
            for role in roles
        }
        for model in models
    }
    header = {
        "key": key,
        "models": list(models),
        "order": order,
        "accuracy": {name: [m + i / 10 for m in models] for i, name in enumerate(ACCURACIES) if name in known},
        "diverged": list(diverged),
        "run": {"host": str(path.name), **({"seconds": [m / 2 for m in models]} if seconds else {}), **(passes or {})},
    }
    write_parquet(path, rows(outputs, indices, LABELS, groups), header)
    return path


def test_passes_are_gathered_by_model_where_they_were_counted(tmp_path):
    parts = [(tmp_path / "a", [2, 3]), (tmp_path / "b", [0, 1])]
    counted = [
        write(
            path,
            models,
            passes={
                "passes": {"retain": [m + 0.5 for m in models], "forget": [0.0, 0.0]},
                "examples": [10 * m for m in models],
                "retraining": {"seconds": [m + 2.0 for m in models]},
            },
        )
        for path, models in parts
    ]
    found = load_ensemble(counted, "k", 4)
    assert {name: values.tolist() for name, values in found.passes.items()} == {
        "retain": [0.5, 1.5, 2.5, 3.5],
        "forget": [0.0] * 4,
    }
    assert found.examples.tolist() == [0, 10, 20, 30]
    assert {name: values.tolist() for name, values in found.retraining.items()} == {"seconds": [2.0, 3.0, 4.0, 5.0]}
    assert found.runs == [{"host": "a"}, {"host": "b"}]
    assert load_ensemble([write(path, models) for path, models in parts], "k", 4).passes == {}


@pytest.mark.parametrize("flip", [False, True])
def test_shards_in_any_order_give_the_forget_outputs_model_by_model(tmp_path, flip):
    paths = [write(tmp_path / "a", [0, 1], diverged=[1]), write(tmp_path / "b", [2, 3], diverged=[2])]
    found = load_ensemble(paths[::-1] if flip else paths, "k", 4)
    assert len(found) == 4
    assert found.models.tolist() == [0, 1, 2, 3]
    assert found.forget.examples.tolist() == [4, 9, 30]
    assert found.forget.labels.tolist() == [4, 9, 0]
    assert found.forget.correct.tolist() == [[True, False, True], [False, True, False]] * 2
    assert set(found.roles) == {"forget", "probe", "test"}
    for role in found.roles:
        wanted = np.array([value(m, role) for m in range(4)])
        assert np.array_equal(found.roles[role].confidence, wanted)
        assert found.roles[role].loss is None if role == "probe" else np.array_equal(found.roles[role].loss, -wanted)
        assert found.roles[role].examples.tolist() == INDICES[role].tolist()
    for position, name in enumerate(ACCURACIES):
        np.testing.assert_allclose(found.accuracy[name], np.arange(4) + position / 10)
    assert found.diverged == [1, 2]
    assert found.seconds.tolist() == [0, 0.5, 1, 1.5]
    assert sorted(run["host"] for run in found.runs) == ["a", "b"]
    assert all("seconds" not in run for run in found.runs)


def test_only_what_a_score_needs_stays_in_memory(tmp_path):
    found = load_ensemble([write(tmp_path / "a", [0, 1]), write(tmp_path / "b", [2, 3])], "k", 4)
    kept = {
        (role, name): values.dtype
        for role, outputs in found.roles.items()
        for name in ("confidence", "loss", "correct")
        if (values := getattr(outputs, name)) is not None
    }
    assert kept == {
        ("forget", "confidence"): np.float64,
        ("forget", "loss"): np.float64,
        ("forget", "correct"): bool,
        ("probe", "confidence"): np.float32,
        ("test", "confidence"): np.float32,
        ("test", "loss"): np.float32,
    }
    # None of them is a view into rows that would stay with it.
    assert all(outputs.confidence.base is None or outputs.confidence.base.size == outputs.confidence.size
               for outputs in found.roles.values())  # fmt: skip
    assert set(load_ensemble([write(tmp_path / "c", [0, 1])], "k", 2, ("forget",)).roles) == {"forget"}


def test_rows_list_every_model_and_role_in_order(tmp_path):
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
    with pytest.raises(StoreError, match=r"different splits.*a \(o\), .*b \(p\)"):
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


def as_written(role):
    return pa.DictionaryArray.from_arrays(role.cat.codes.to_numpy(), list(role.cat.categories))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused_with_its_model_and_example(tmp_path, value):
    path = write(tmp_path / "a", [0, 1])
    frame, header = read_parquet(path)
    columns = {name: frame[name].to_numpy() for name in frame if name != "role"}
    row = np.flatnonzero((frame["model"] == 1) & (frame["role"] == "forget"))[1]
    columns["confidence"] = columns["confidence"].copy()
    columns["confidence"][row] = value
    write_parquet(path, {**columns, "role": as_written(frame["role"])}, header)
    with pytest.raises(StoreError, match="confidence of model 1, example 9 is"):
        load_ensemble([path], "k", 2)


def test_a_dump_in_the_place_of_another_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"0002-0003.* holds models \[0, 1\].* 2\.\.3"):
        load_ensemble([write(tmp_path / "0002-0003.parquet", [0, 1])], "k", 2)


def test_rows_of_other_models_than_the_header_says_are_refused(tmp_path):
    frame, header = read_parquet(write(tmp_path / "a", [0, 1]))
    columns = {name: frame[name].to_numpy() for name in frame if name != "role"}
    columns["model"] = columns["model"] * 2
    write_parquet(tmp_path / "a", {**columns, "role": as_written(frame["role"])}, header)
    with pytest.raises(StoreError, match=r"rows of models \[0, 2\], its header says \[0, 1\]"):
        load_ensemble([tmp_path / "a"], "k", 2)


def test_groups_of_the_forget_examples_come_back_and_are_none_without_a_column(tmp_path):
    groups = {role: indices * 2 for role, indices in INDICES.items()}
    assert load_ensemble([write(tmp_path / "a", [0, 1], groups=groups)], "k", 2).groups.tolist() == [8, 18, 60]
    assert load_ensemble([write(tmp_path / "b", [0, 1])], "k", 2).groups is None


def test_what_was_not_recorded_is_absent(tmp_path):
    path = write(tmp_path / "a", [0, 1], roles=("forget", "test"), known=("test",), seconds=False)
    found = load_ensemble([path], "k", 2)
    assert set(found.roles) == {"forget", "test"}
    assert set(found.accuracy) == {"test"}
    assert found.seconds.size == 0


def test_a_dump_without_forget_examples_is_refused(tmp_path):
    with pytest.raises(StoreError, match="lacks rows"):
        load_ensemble([write(tmp_path / "a", [0, 1], roles=("probe", "test"))], "k", 2)


def test_a_dump_whose_header_or_columns_lack_what_is_read_is_refused(tmp_path):
    frame, header = read_parquet(write(tmp_path / "a", [0, 1]))
    columns = {name: frame[name].to_numpy() for name in frame}
    columns["role"] = pa.array(list(columns["role"]))
    for name in ("order", "models"):
        lacking = {key: value for key, value in header.items() if key != name}
        write_parquet(tmp_path / "b.parquet", columns, lacking)
        with pytest.raises(StoreError, match=f"lacks a valid {name}"):
            load_ensemble([tmp_path / "b.parquet"], "k", 2)
    for name in ("example", "confidence"):
        write_parquet(tmp_path / "b.parquet", {key: columns[key] for key in columns if key != name}, header)
        with pytest.raises(StoreError, match=f"lacks a valid {name}"):
            load_ensemble([tmp_path / "b.parquet"], "k", 2)
