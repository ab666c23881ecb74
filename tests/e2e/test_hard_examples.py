"""Hard and easy examples through the real chain, and what is measured anew."""

import shutil

import numpy as np
import pytest

from unlearning_metric.store.files import read_document, read_npz

pytestmark = pytest.mark.slow

MODELS = {"train_full": 1, "train_retain": 2, "unlearn": 2, "dump_losses": 5}
SCORES = {"score": 1, "leaderboard": 1, "report": 1, "all": 1}
BOARD = "results/leaderboard.md"
HARDEST = {"strategy": "hardest", "count": 40, "difficulty_models": 4}


@pytest.fixture(scope="module")
def hard(tmp_path_factory, new_workflow):
    """A whole run that forgets the hardest examples."""
    copy = new_workflow(tmp_path_factory.mktemp("hard") / "workflow").only("finetune")
    copy.configure(forget=HARDEST, training={"lr": 0.1, "epochs": 6, "batch_size": 32})
    answer = copy.run("--cores", "2", BOARD)
    assert answer.returncode == 0, answer.stdout
    return copy


@pytest.fixture
def editable(hard):
    """The same, with its configuration put back after the test."""
    text = hard.path("config/config.yaml").read_text()
    yield hard
    hard.write("config/config.yaml", text)


def changed(workflow, **changes):
    workflow.configure(**{"forget": HARDEST, "training": {"lr": 0.1, "epochs": 6, "batch_size": 32}, **changes})
    return workflow.counts()


def test_the_forget_set_is_the_hard_end_of_the_measured_order(hard):
    found, _ = read_npz(hard.path("results/data/difficulty.npz"))
    split, _ = read_npz(hard.path("results/data/split.npz"))
    assert np.array_equal(found["examples"], np.sort(np.concatenate([split["forget"], split["retain"]])))
    forgotten = np.isin(found["examples"], split["forget"])
    assert forgotten.sum() == 40
    assert found["loss"][forgotten].min() >= found["loss"][~forgotten].max()


def test_models_that_never_saw_them_find_them_hard(hard):
    utility = read_document(hard.path("results/score_finetune.json"))["utility"]
    assert utility["forget"]["retrained"] < utility["test"]["retrained"]
    log = hard.path("results/logs/difficulty.log").read_text()
    assert "held-out loss: median" in log


def test_nothing_is_measured_twice(hard):
    assert hard.counts(BOARD) == {}


def test_another_size_and_the_other_end_measure_nothing_anew(editable):
    assert changed(editable, forget={**HARDEST, "count": 30}) == {"split_data": 1, **MODELS, **SCORES}
    assert changed(editable, forget={**HARDEST, "strategy": "easiest"}) == {"split_data": 1, **MODELS, **SCORES}


def test_another_recipe_or_number_of_models_measures_anew(editable):
    whole = {"difficulty": 1, "split_data": 1, **MODELS, **SCORES}
    assert changed(editable, training={"lr": 0.2, "epochs": 6, "batch_size": 32}) == whole
    assert changed(editable, forget={**HARDEST, "difficulty_models": 6}) == whole


def test_another_strategy_needs_no_difficulty(editable):
    counts = changed(editable, forget={"strategy": "random", "count": 40})
    assert counts == {"split_data": 1, **MODELS, **SCORES}


def test_a_lost_measure_is_made_alone(hard, tmp_path):
    moved = shutil.copytree(hard.folder, tmp_path / "moved")
    moved.joinpath("results/data/difficulty.npz").unlink()
    moved.joinpath("methods/fresh.py").write_text("def unlearn(model):\n    return model\n")
    answer = hard.run("-n", cwd=moved)
    assert answer.returncode != 0
    assert "results/data/difficulty.npz is missing" in answer.stdout
    made = hard.run("--cores", "1", "--force", "results/data/difficulty.npz", cwd=moved)
    assert made.returncode == 0, made.stdout
    assert hard.counts(cwd=moved) == {"unlearn": 2, "dump_losses": 2, **SCORES}
