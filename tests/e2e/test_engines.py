"""The real chain with the other engine and the rest of the recipe: what is made, and what the files say of it."""

import pytest

from unlearning_metric.store.files import read_document, read_header
from unlearning_metric.training.precision import _cpu_has_bf16

pytestmark = pytest.mark.slow

BOARD = "results/leaderboard.md"


@pytest.fixture(scope="module")
def ran(new_workflow, tmp_path_factory):
    """A run with stacked models, augmentation, class weights, steps and, where the processor has it, bf16."""
    workflow = new_workflow(tmp_path_factory.mktemp("engines") / "w").only("finetune", "retrain")
    precision = "bf16" if _cpu_has_bf16() else "fp32"
    workflow.configure(
        training={
            "lr": 0.1, "steps": 60, "batch_size": 32, "engine": "stacked", "crop": 1, "flip": True,
            "class_weights": True, "precision": precision, "schedule": "cosine_by_epoch",
        }
    )  # fmt: skip
    answer = workflow.run("--cores", "2", BOARD)
    assert answer.returncode == 0, answer.stdout
    return workflow, precision


def test_stacked_models_forget_like_any(ran):
    workflow, _ = ran
    challenge = read_document(workflow.path("results/score_retrain.json"))["challenge"]
    # Retrained a second time, one model after another by the method: as far from the others as they from themselves.
    assert challenge["forgetting_score"] > 0.5 * challenge["ceiling"] > 0
    utility = read_document(workflow.path("results/score_finetune.json"))["utility"]
    assert utility["test"]["retrained"] > 0.5


@pytest.mark.parametrize(
    ("file", "engine"),
    [
        ("models/full/0000-0000.safetensors", "stacked"),
        ("models/retain/0004-0007.safetensors", "stacked"),
        ("losses/retain/0000-0003.parquet", "stacked"),
        # A method's copies are made one after another, whatever the engine.
        ("models/unlearn/finetune/0000-0003.safetensors", "loop"),
    ],
)
def test_files_say_with_which_engine_precision_threads_and_versions_they_were_made(ran, file, engine):
    workflow, precision = ran
    run = read_header(workflow.path(f"results/{file}"))["run"]
    assert (run["engine"], run["precision"], run["threads"]) == (engine, precision, 1)
    assert run["versions"]["torch"]
    assert run["versions"]["torchvision"]


def test_a_score_says_it_too_and_keeps_threads_and_versions_out_of_its_canonical_form(ran):
    workflow, precision = ran
    provenance = read_document(workflow.path("results/score_finetune.json"))["provenance"]
    assert (provenance["engine"], provenance["precision"]) == ("stacked", precision)
    shards = provenance["run"]["shards"]
    assert {run["threads"] for side in shards.values() for run in side} == {1}
    assert {name: {run["engine"] for run in side} for name, side in shards.items()} == {
        "retrained": {"stacked"}, "unlearned": {"loop"}, "originals": {"stacked"},
    }  # fmt: skip


def test_running_again_makes_nothing(ran):
    workflow, _ = ran
    assert workflow.counts(BOARD) == {}


def test_a_net_that_cannot_be_stacked_says_so_and_what_to_set(workflow):
    workflow.write(
        "net.py",
        "from torch import nn\ndef build(num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(64, num_classes))\n",
    )
    workflow.configure(
        model={"file": "net.py"}, training={"lr": 0.1, "epochs": 1, "batch_size": 32, "engine": "stacked"}
    )
    answer = workflow.run("--cores", "1", "results/models/full/0000-0000.safetensors")
    assert answer.returncode != 0
    assert "StackingError: training.engine: stacked cannot train this net: its layer 1 (Dropout) draws" in answer.stdout
