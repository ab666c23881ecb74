"""What a check says of a method, and of its original and its time."""

import os

import pytest

from unlearning_metric.config import Data, Model, Training
from unlearning_metric.jobs import check
from unlearning_metric.jobs.check import check_method, summary_lines
from unlearning_metric.jobs.prepare_data import prepare_data
from unlearning_metric.jobs.split_data import split_data
from unlearning_metric.jobs.train import train_shard
from unlearning_metric.jobs.unlearn import BenchFiles
from unlearning_metric.store.files import read_document, read_npz
from unlearning_metric.store.stored import Stored, StoredFiles
from unlearning_metric.user_code.contract import MethodError

TRAINING = {
    "experiment_seed": 0,
    "model": Model(name="digits_cnn", width=8),
    "training": Training(lr=0.1, epochs=8, batch_size=32),
}
SETTINGS = {**TRAINING, "trained_here": True, "function": "unlearn", "batches": "tuple", "options": {}}
SPLIT = {
    "train_size": 200, "test_size": 100, "validation_size": 50, "probe_size": 20,
    "forget": {"strategy": "random", "count": 40, "fraction": None, "label": None},
}  # fmt: skip
TRAIN = """import torch

def unlearn(model, retain_loader, forget_loader, val_loader, passes=2):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model.train()
    for _ in range(passes):
        for images, labels in retain_loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    next(iter(forget_loader))
    val_loader.dataset[0]
"""
HEADER = {"key": "k", "origin": {}}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    wanted = Data(source="digits", test_size=100).model_dump(mode="json")
    prepare_data(folder / "dataset.npz", wanted, 0, HEADER)
    dataset, split = Stored(folder / "dataset.npz", "k"), Stored(folder / "split.npz", "k")
    split_data(dataset, split.path, SPLIT, 0, HEADER)
    for role, models in (("full", [0]), ("retain", [0, 1, 2])):
        train_shard(dataset, split, folder / f"{role}.safetensors", role, models, TRAINING, "cpu", HEADER)
    return folder


@pytest.fixture
def checked(files, tmp_path):
    def run(text, retrained=None, limit=0.2, measure="seconds", **settings):
        (tmp_path / "mine.py").write_text(text)
        originals = StoredFiles([str(files / "full.safetensors")], "k")
        bench = BenchFiles(Stored(files / "dataset.npz", "k"), Stored(files / "split.npz", "k"), originals)
        costs = {"copies": 64, "limit": limit, "measure": measure, "retrained": retrained or {}}
        copies = {"method": "mine", "models": [0, 1]}
        out = tmp_path / "check.json"
        check_method(bench, tmp_path / "mine.py", copies, costs, SETTINGS | settings, out, "cpu", HEADER)
        return read_document(tmp_path / "check.json", "k")

    return run


def test_a_method_that_trains_is_described(checked):
    found = checked(TRAIN, limit=100.0)
    assert found["fits_contract"]
    assert found["changes_parameters"]
    assert found["differs_between_seeds"]
    assert found["same_with_same_seed"]
    assert not found["diverged"]
    assert found["passes"] == pytest.approx({"retain": 2.0, "forget": 32 / 40, "validation": 1 / 50})
    assert found["warnings"] == []


def test_accuracies_and_attack_are_those_of_the_original_and_of_the_copy(checked, files):
    found = checked("def unlearn(model):\n    model[-1].weight.data.zero_()\n    model[-1].bias.data[3] = 9.0\n")
    labels = read_npz(files / "dataset.npz")[0]["y_test"]
    assert found["accuracy"]["before"]["retain"] > 0.9
    assert found["accuracy"]["after"]["test"] == pytest.approx(float((labels == 3).mean()))
    assert {part: 0 < value < 0.3 for part, value in found["accuracy"]["after"].items()} == dict.fromkeys(
        ("retain", "forget", "validation", "test"), True
    )
    assert found["simple_mia"]["before"] != found["simple_mia"]["after"]


def test_a_method_reads_what_classes_are_called(checked):
    found = checked(
        "def unlearn(model, retain_loader, forget_loader, val_loader):\n"
        "    for loader in (retain_loader, forget_loader, val_loader):\n"
        "        assert loader.dataset.classes == [str(label) for label in range(10)]\n"
        "    model[-1].bias.data[retain_loader.dataset.class_to_idx['7']] += 9\n"
    )
    assert found["changes_parameters"]


@pytest.mark.parametrize(
    ("text", "seen", "warning"),
    [
        ("def unlearn(model): ...", (False, False, True), "the copy equals the original bit by bit"),
        (
            "def unlearn(model):\n    model[-1].bias.data += 1\n",
            (True, False, True),
            "two seeds give the same copy; with one original such a method scores exactly 0.",
        ),
        (
            "import time\ndef unlearn(model):\n    model[-1].bias.data[0] = time.time_ns() % 10**6\n",
            (True, True, False),
            "the same seed gave two different copies",
        ),
        (
            "def unlearn(model):\n    model[-1].bias.data += float('nan')\n",
            (True, False, True),
            "non-finite parameters or outputs",
        ),
    ],
)
def test_what_a_method_should_not_do_is_seen_and_said(checked, text, seen, warning):
    found = checked(text, limit=100.0)
    assert (found["changes_parameters"], found["differs_between_seeds"], found["same_with_same_seed"]) == seen
    assert any(warning in one for one in found["warnings"])
    assert any(warning in line for line in summary_lines(found))


def test_a_slow_method_is_held_against_a_retraining(checked, files):
    """By its steps, taken beside the copies; nothing is retrained for it, and models made before do not count."""
    slow = "import time\ndef unlearn(model):\n    end = time.process_time() + 0.3\n"
    found = checked(f"{slow}    while time.process_time() < end: pass\n", {str(files / "retain.safetensors"): "k"})
    costs = found["efficiency"]
    assert (costs["retraining_measured_on"], costs["clock"]) == ("beside the copies", "CPU")
    assert 0.3 <= costs["seconds_per_copy"] < 0.4
    assert costs["seconds_all_copies"] == 64 * costs["seconds_per_copy"]
    low, high = costs["ratio_interval"]
    assert 0.2 < low < costs["ratio"] < high
    assert (costs["verdict"], costs["within_limit"], costs["passes_ratio"]) == ("over", False, 0.0)
    assert any("of the seconds of a retraining; efficiency.limit is 20%" in one for one in found["warnings"])


def test_waiting_costs_nothing(checked):
    assert checked("import time\ndef unlearn(model): time.sleep(0.2)\n")["efficiency"]["verdict"] == "within"


def test_the_limit_may_be_on_what_is_read(checked):
    found = checked(TRAIN, limit=0.2, measure="passes")
    # Two passes of eight, and a few examples more.
    assert found["efficiency"]["passes_ratio"] == pytest.approx((2 * 160 + 32 + 1) / (8 * 160))
    assert found["efficiency"]["verdict"] == "over"
    assert any("a copy reads 28% of the examples of a retraining" in one for one in found["warnings"])


OWN_TRAINING = """import torch

def train(model, train_loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for images, labels in train_loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
"""


def test_what_a_training_of_the_users_costs_is_told_by_the_models_that_it_made(checked, files, tmp_path):
    (tmp_path / "own.py").write_text(OWN_TRAINING)
    changes = {"file": str(tmp_path / "own.py"), "function": "train", "options": {}}
    own = TRAINING["training"].model_copy(update=changes)
    retrained = {str(files / "retain.safetensors"): "k", str(files / "absent.safetensors"): "k"}
    found = checked(TRAIN, retrained, training=own)["efficiency"]
    assert found["retraining_measured_on"] == "retrained models"
    assert found["passes_ratio"] is None
    other = checked(TRAIN, {str(files / "retain.safetensors"): "another key"}, training=own)["efficiency"]
    assert other["retraining_measured_on"] == "the original model"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def unlearn(model, mentor): ...", "method mine: nobody can fill its parameter 'mentor'."),
        ("def unlearn(model):\n    return 3\n", "method mine returned int"),
        (
            "def unlearn(model):\n    return model[:-1]\n",
            "returned a model of another form (first difference: 7.weight",
        ),
        ("def unlearn(model):\n    oops\n", "line 2: oops)"),
        ("def forget(model): ...", "has no function 'unlearn'. It defines: forget"),
    ],
)
def test_what_is_no_method_leaves_no_document(checked, tmp_path, text, said):
    with pytest.raises(MethodError) as caught:
        checked(text)
    assert said in str(caught.value)
    assert not (tmp_path / "check.json").exists()


def test_few_examples_have_no_attack(checked, monkeypatch):
    monkeypatch.setattr(check, "SPLITS", 41)
    found = checked("def unlearn(model): ...")
    assert found["simple_mia"] == {"before": None, "after": None}
    assert not any("MIA" in line for line in summary_lines(found))


def test_a_method_that_returns_another_module_is_judged_by_its_tensors(checked):
    text = "import copy\ndef unlearn(model):\n    other = copy.deepcopy(model)\n    model[-1].bias.data += 1\n"
    text += "    return other\n"
    assert not checked(text)["changes_parameters"]


def test_what_a_copy_leaves_to_the_next_one_where_the_harness_cannot_see_it_is_warned_of(checked, tmp_path):
    """Copy 0 runs once more after another copy; a file by its absolute path is no copy's own."""
    text = (
        f"from pathlib import Path\n\nSHARED = Path({str(tmp_path / 'last.txt')!r})\n\n\ndef unlearn(model, seed):\n"
        "    last = int(SHARED.read_text()) if SHARED.exists() else 0\n    SHARED.write_text(str(seed))\n"
        "    model[-1].bias.data[0] += 1e-3 * (1 + last % 1000)\n"
    )
    found = checked(text)
    assert not found["same_with_same_seed"]
    assert any("read nothing back that another copy may have written" in line for line in found["warnings"])
    # Read and of no consequence, and of each copy's own.
    read = checked(text.replace("1 + last", "1 + seed"))
    assert read["same_with_same_seed"]
    assert read["reads_of_other_copies"] == [str(tmp_path / "last.txt")]
    assert [line.partition(" (")[0] for line in read["warnings"]] == ["a copy read what an earlier copy wrote"]
    own = checked(text.replace("1 + last", "1 + seed").replace(repr(str(tmp_path / "last.txt")), "'last.txt'"))
    assert (own["reads_of_other_copies"], own["warnings"]) == ([], [])


def test_a_file_that_was_there_before_any_copy_may_be_read(checked, tmp_path):
    (tmp_path / "table.txt").write_text("3")
    os.utime(tmp_path / "table.txt", (1, 1))
    text = f"def unlearn(model):\n    model[-1].bias.data += float(open({str(tmp_path / 'table.txt')!r}).read())\n"
    assert checked(text)["reads_of_other_copies"] == []
