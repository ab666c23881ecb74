"""A results folder held against a configuration."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from unlearning_metric.__main__ import main
from unlearning_metric.keys.versions import VERSIONS, Version
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan
from unlearning_metric.store.files import write_npz
from unlearning_metric.upkeep.doctor import by_other_code, examine
from unlearning_metric.upkeep.sweep import GIVEN


@pytest.fixture
def plan(make_plan):
    return make_plan(shard_size=4)


def put(results, name, origin):
    write_npz(results / name, {"x": np.arange(40)}, origin.header())


def test_each_problem_has_its_kind_its_file_and_what_differs(plan, tmp_path):
    results = tmp_path / "results"
    put(results, "data/dataset.npz", plan.data_origin)
    other = dataclasses.replace(plan.split_origin, settings={**plan.split_origin.settings, "probe_size": 7})
    put(results, "data/split.npz", other)
    (results / "models/retain").mkdir(parents=True)
    (results / "models/retain/0000-0003.safetensors").write_bytes(b"")
    (results / "losses/retain").mkdir(parents=True)
    (results / "losses/retain/.0000-0003.parquet.abc.tmp").touch()
    (results / "score_gone.json").touch()
    for name in ("config.yaml", GIVEN):
        (results / name).touch()
    (results / "figures").mkdir()
    for name in ("utility.png", "epsilon_mine.pdf", "epsilon_gone.pdf"):
        (results / "figures" / name).touch()

    found = {str(problem.path.relative_to(results)): problem for problem in examine(plan, results)}

    assert "data/dataset.npz" not in found
    assert found["data/split.npz"].kind == "stale"
    assert "probe_size" in found["data/split.npz"].text
    assert "7 -> 100" in found["data/split.npz"].text
    assert found["models/retain/0000-0003.safetensors"].kind == "damaged"
    assert found["losses/retain/.0000-0003.parquet.abc.tmp"].kind == "foreign"
    assert found["score_gone.json"].kind == "foreign"
    assert not {"config.yaml", GIVEN} & found.keys()
    assert [name for name in found if name.startswith("figures/")] == ["figures/epsilon_gone.pdf"]
    assert found["figures/epsilon_gone.pdf"].kind == "foreign"
    assert found["score_mine.json"].kind == "missing"
    assert all("\n" not in str(problem) for problem in found.values())


def test_content_that_does_not_fit_its_checksum_is_damaged(plan, tmp_path):
    results = tmp_path / "results"
    put(results, "data/dataset.npz", plan.data_origin)
    path = results / "data/dataset.npz"
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(bytes(data))

    assert next(examine(plan, results)).kind == "damaged"


def test_files_by_other_code_of_the_same_version_are_counted_and_no_problem(plan, tmp_path, monkeypatch):
    results = tmp_path / "results"
    put(results, "data/dataset.npz", plan.data_origin)
    write_npz(results / "data/split.npz", {}, {**plan.split_origin.header(), "code": "0" * 16})
    assert by_other_code(plan, results) == {"split_data": 1}
    assert {problem.kind for problem in examine(plan, results)} == {"missing"}

    monkeypatch.setitem(VERSIONS, "split_data", Version(2, "another order"))
    assert by_other_code(Plan(plan.config, find_methods(tmp_path / "methods")), results) == {}


def test_the_command_counts_and_its_status_tells_missing_from_wrong(tmp_path, capsys, monkeypatch):
    root = Path(__file__).resolve().parents[3]
    monkeypatch.chdir(root)
    results = tmp_path / "results"
    assert main(["doctor", "--results", str(results)]) == 0
    assert ", 0 stale, 0 damaged, 0 unreadable, 0 foreign" in capsys.readouterr().out
    results.mkdir()
    shutil.copyfile(root / "README.md", results / "notes.npz")
    assert main(["doctor", "--results", str(results)]) == 1
    assert "foreign" in capsys.readouterr().out.splitlines()[-2]


def test_what_may_not_be_read_or_is_none_of_ours_is_told_apart_and_the_next_file_is_looked_at(
    plan, tmp_path, monkeypatch
):
    results = tmp_path / "results"
    put(results, "data/dataset.npz", plan.data_origin)
    write_npz(results / "data/split.npz", {"x": np.arange(4)}, {"origin": ["of", "a", "stranger"]})
    (results / "models/full").mkdir(parents=True)
    (results / "models/full/0000-0000.safetensors").write_bytes(b"")
    os.mkfifo(results / "score_mine.json")
    (results / "models/0000-9999999999.safetensors").touch()
    (results / "\x1b[31mred").touch()

    def refuse(path, *arguments, **keywords):
        if str(path).endswith("dataset.npz"):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **keywords)

    real = open
    monkeypatch.setattr("builtins.open", refuse)
    found = {str(problem.path.relative_to(results)): problem for problem in examine(plan, results)}

    kinds = {
        "data/dataset.npz": "unreadable", "data/split.npz": "foreign", "models/full/0000-0000.safetensors": "damaged",
        "score_mine.json": "foreign", "models/0000-9999999999.safetensors": "foreign", "\x1b[31mred": "foreign",
    }  # fmt: skip
    assert {name: found[name].kind for name in kinds} == kinds
    assert "--force" not in found["data/dataset.npz"].text
    assert all("\x1b" not in str(problem) for problem in found.values())
    assert plan.other_shard_sizes(results) == []
