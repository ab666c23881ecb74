"""Dry runs: what reruns when a net, a training or an original of the user's changes."""

import pytest
import yaml
from safetensors.torch import save_file

from unlearning_metric.config import Model
from unlearning_metric.nets.by_name import build_model

NET = """
from torch import nn


def build(num_classes, input_shape):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))
"""
TRAINING = """
from helper import rate
from parts.more import nothing


def train(model, train_loader):
    for parameter in model.parameters():
        parameter.data += 1
    rate()
    nothing()
"""
BOARD = "results/leaderboard.md"
MODELS = {"train_full": 1, "train_retain": 2, "unlearn": 2, "dump_losses": 5, "score": 1, "leaderboard": 1}


def settings(workflow):
    return yaml.safe_load(workflow.path("config/config.yaml").read_text())


@pytest.fixture(scope="module")
def made(new_workflow, tmp_path_factory):
    """A finished run of one method with a net and a training of the user's."""
    workflow = new_workflow(tmp_path_factory.mktemp("own") / "w").only("finetune")
    workflow.write("net.py", NET)
    workflow.write("training.py", TRAINING)
    workflow.write("helper.py", "def rate():\n    return 0.1\n")
    workflow.write("parts/more.py", "def nothing():\n    return 0\n")
    workflow.configure(model={"file": "net.py"}, training={"file": "training.py", "batch_size": 32})
    answer = workflow.run("--cores", "2", BOARD)
    assert answer.returncode == 0, answer.stdout
    assert workflow.counts(BOARD) == {}
    return workflow


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "reruns"),
    [
        ("net.py", "def build", "# A comment.\ndef build", False),
        ("net.py", "nn.Flatten()", "nn.Flatten(), nn.Linear(64, 64)", True),
        ("training.py", "    rate()", "    rate()  # of learning", False),
        ("training.py", "    rate()", "    rate(), rate()", True),
        ("helper.py", "0.1", "0.2", True),
        ("parts/more.py", "return 0", "return 1", True),
    ],
)
def test_code_of_the_users_retrains_and_comments_do_not(made, file, old, new, reruns):
    before = made.path(file).read_text()
    made.write(file, before.replace(old, new))
    try:
        counts = made.counts(BOARD)
    finally:
        made.write(file, before)
    assert {rule: counts.get(rule) for rule in MODELS} == (MODELS if reruns else dict.fromkeys(MODELS))
    assert "prepare_data" not in counts
    assert "split_data" not in counts


@pytest.mark.slow
def test_files_that_move_rerun_nothing(made):
    for name in ("net.py", "training.py", "helper.py", "parts/more.py"):
        made.write(f"mine/{name}", made.path(name).read_text())
    before = made.path("config/config.yaml").read_text()
    made.configure(model={"file": "mine/net.py"}, training={"file": "mine/training.py", "batch_size": 32})
    try:
        assert made.counts(BOARD) == {}
    finally:
        made.write("config/config.yaml", before)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"engine": "loop", "crop": 0, "flip": False, "steps": None, "tf32": False, "compile": False}},
        {"training": {"class_weights": False}, "model": {"options": {}, "function": "build"}, "original": None},
    ],
)
def test_new_keys_at_their_old_meaning_rerun_nothing(finished, changes):
    before = finished.path("config/config.yaml").read_text()
    old = settings(finished)
    finished.configure(**{key: {**old[key], **v} if isinstance(v, dict) else v for key, v in changes.items()})
    try:
        assert finished.counts() == {}
    finally:
        finished.write("config/config.yaml", before)


@pytest.mark.parametrize("name", ["resnet18", "cnn_small"])
def test_a_net_by_name_is_planned(workflow, name):
    workflow.configure(model={"name": name})
    assert workflow.counts()["train_retain"] == 2


def checkpoint(path, width=8, seed=0):
    state = build_model(Model(name="digits_cnn", width=width), (8, 8, 1), 10, seed).state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)


def test_with_an_original_of_the_users_no_full_model_is_trained(workflow):
    checkpoint(workflow.path("mine.safetensors"))
    workflow.configure(original="mine.safetensors")
    counts = workflow.counts()
    assert counts["import_original"] == 1
    assert counts["train_retain"] == 2
    assert "train_full" not in counts


@pytest.mark.slow
def test_an_original_of_the_users_may_be_there_before_the_split(workflow):
    """Both have no more than the data behind them, and a split may fail."""
    checkpoint(workflow.path("mine.safetensors"))
    workflow.configure("mine.yaml", original="mine.safetensors")
    imported = workflow.run("results/models/full/0000-0000.safetensors", "--cores", "1", "--configfile", "mine.yaml")
    assert imported.returncode == 0, imported.stdout

    assert workflow.counts("--configfile", "mine.yaml")["split_data"] == 1
    workflow.path("results/data/dataset.npz").unlink()
    lost = workflow.run("-n", "--configfile", "mine.yaml")
    assert lost.returncode != 0
    assert "snakemake --force results/data/dataset.npz --configfile mine.yaml" in lost.stdout


@pytest.mark.slow
def test_another_original_reruns_what_starts_from_it_and_no_retraining(new_workflow, tmp_path):
    workflow = new_workflow(tmp_path / "w").only("finetune")
    checkpoint(workflow.path("mine.safetensors"))
    workflow.configure(original="mine.safetensors")
    answer = workflow.run("--cores", "2", BOARD)
    assert answer.returncode == 0, answer.stdout
    assert workflow.counts(BOARD) == {}

    checkpoint(workflow.path("mine.safetensors"), seed=1)
    counts = workflow.counts()
    assert counts["import_original"] == 1
    assert counts["unlearn"] == 2
    assert "train_retain" not in counts

    # A checkpoint of another net stops its job, and says which tensor.
    checkpoint(workflow.path("mine.safetensors"), width=16)
    answer = workflow.run("--cores", "2", BOARD)
    assert answer.returncode != 0
    assert (
        "tensor 0.weight of mine.safetensors is [16, 1, 4, 4], that of model digits_cnn [8, 1, 4, 4]" in answer.stdout
    )
