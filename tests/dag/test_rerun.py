"""What reruns when: one row of the table a test, as dry runs over a finished run.

Every expectation is the whole plan, so a rule that runs although it should not fails the row.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
IDENTITY = "def unlearn(model):\n    return model\n"
ONE_METHOD = {"unlearn": 2, "dump_losses": 2, "score": 1, "leaderboard": 1, "report": 1, "all": 1}
SCORES = {"score": 2, "leaderboard": 1, "report": 1, "all": 1}
MODELS = {"train_full": 1, "train_retain": 2, "unlearn": 4, "dump_losses": 7, **SCORES}
NOTHING = {}


def plan(workflow, *args, **options):
    """Jobs of each rule, and the methods that those with a method are for."""
    jobs = workflow.jobs(*args, **options)
    counts = dict(Counter(job.rule for job in jobs))
    methods = {job.pairs("wildcards")["method"] for job in jobs if "method" in job.pairs("wildcards")}
    return counts, methods


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture
def package(tmp_path):
    """A copy of the package that a run uses instead of the installed one."""
    shutil.copytree(REPOSITORY / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return tmp_path / "src" / "unlearning_metric"


def using(package):
    return {"PYTHONPATH": str(package.parent)}


def test_finished_run(finished):
    assert finished.counts() == NOTHING


# Methods --------------------------------------------------------------------------------------------------


def test_new_method_file(editable):
    editable.write("methods/fresh.py", IDENTITY)

    assert plan(editable) == (ONE_METHOD, {"fresh"})


def test_edited_method_file(editable):
    edit(editable.path("methods/identity.py"), "return model", "return model.eval()")

    assert plan(editable) == (ONE_METHOD, {"identity"})


def test_edited_helper_of_a_method_file(editable):
    helper = editable.path("methods/_sgd.py")
    helper.write_text(f"{helper.read_text()}\nEXTRA = 1\n")

    assert plan(editable) == (ONE_METHOD, {"finetune"})


def test_touched_method_file(editable):
    editable.path("methods/identity.py").touch()

    assert editable.counts() == NOTHING


def test_comment_in_a_method_file(editable):
    for name in ("finetune", "_sgd"):
        file = editable.path(f"methods/{name}.py")
        file.write_text(f"# A comment.\n{file.read_text()}\n# Another.\n")

    assert editable.counts() == NOTHING


def test_hyperparameter_of_one_method(editable):
    editable.configure(methods={"finetune": {"lr": 0.05, "epochs": 1}})

    assert plan(editable) == (ONE_METHOD, {"finetune"})


def test_default_value_added_to_a_methods_function(editable):
    edit(editable.path("methods/identity.py"), "(model", "(model, strength=1.0")

    assert plan(editable) == (ONE_METHOD, {"identity"})


# Package and scripts --------------------------------------------------------------------------------------


def test_unchanged_copy_of_the_package(finished, package):
    assert finished.counts(**using(package)) == NOTHING


def test_module_of_a_metric(finished, package):
    file = package / "metrics" / "challenge.py"
    file.write_text(f"{file.read_text()}\nEXTRA = 1\n")

    assert finished.counts(**using(package)) == SCORES


def test_training_module(finished, package):
    file = package / "training" / "train.py"
    file.write_text(f"{file.read_text()}\nEXTRA = 1\n")

    assert finished.counts(**using(package)) == MODELS


def test_script_of_one_rule(editable):
    script = editable.path("workflow/scripts/dump_losses.py")
    script.write_text(f"{script.read_text()}\nEXTRA = 1\n")

    assert editable.counts() == {"dump_losses": 7, **SCORES}


def test_comments_and_docstrings_in_every_module_and_script(editable, package):
    files = [*package.rglob("*.py"), *editable.path("workflow/scripts").glob("*.py")]
    for file in files:
        file.write_text(
            '"""Another docstring."""\n' + file.read_text().replace('"""', '"""Once more. ', 1) + "# End.\n"
        )
        # What stands before a __future__ import must still be a docstring.
        if "from __future__" in file.read_text():
            file.write_text(file.read_text().removeprefix('"""Another docstring."""\n'))

    assert len(files) > 30
    assert editable.counts(**using(package)) == NOTHING


def test_formatting_of_every_module_and_script(editable, package):
    scripts = editable.path("workflow/scripts")
    before = {file: file.read_text() for file in [*package.rglob("*.py"), *scripts.glob("*.py")]}
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "60", package, scripts], check=True
    )

    assert sum(file.read_text() != text for file, text in before.items()) > 20
    assert editable.counts(**using(package)) == NOTHING


def test_new_configuration_key_with_its_default(editable, package):
    module = package / "config.py"
    edit(module, "    precision: Literal", '    patience: int = Field(3, description="New.")\n    precision: Literal')

    # The trap works: without its neutral value the key would retrain everything.
    assert editable.counts(**using(package)) == MODELS
    edit(module, "NEUTRAL: dict[str, Any] = {", 'NEUTRAL: dict[str, Any] = {"training.patience": 3, ')
    assert editable.counts(**using(package)) == NOTHING
    editable.configure(training={**editable.small["training"], "patience": 3})
    assert editable.counts(**using(package)) == NOTHING
    editable.configure(training={**editable.small["training"], "patience": 4})
    assert editable.counts(**using(package)) == MODELS


# Configuration --------------------------------------------------------------------------------------------


def test_defaults_written_out(editable):
    editable.configure(experiment_seed=0, originals=1, ceiling="split", delta=1e-5, keep_checkpoints=True)

    assert editable.counts("--config", "device=auto") == NOTHING


def test_metric_setting(editable):
    assert editable.counts("--config", "delta=0.001") == SCORES


def test_recipe(editable):
    editable.configure(training={"lr": 0.1, "epochs": 3, "batch_size": 32})

    assert editable.counts() == MODELS


def test_copies_doubled(finished):
    jobs = finished.jobs("--config", "copies=16")

    assert {job.pairs("wildcards")["shard"] for job in jobs if "shard" in job.pairs("wildcards")} == {
        "0008-0011",
        "0012-0015",
    }
    assert dict(Counter(job.rule for job in jobs)) == {"train_retain": 2, "unlearn": 4, "dump_losses": 6, **SCORES}


def test_copies_halved(finished):
    assert finished.counts("--config", "copies=4") == SCORES


def test_shard_size(finished):
    answer = finished.run("-n", "--config", "shard_size=2")

    assert answer.returncode != 0
    assert "shard_size is 2, but results holds" in answer.stdout
    assert "0000-0003" in answer.stdout
    assert "Set shard_size back" in answer.stdout


def test_shard_size_in_another_results_folder(finished):
    jobs = finished.jobs("--config", "shard_size=2", "results=other")

    assert {path.split("/")[0] for job in jobs for path in [*job.files("output"), *job.files("input")]} <= {
        "other",
        "methods",
    }


def test_jobs_that_share_a_gpu(finished):
    assert finished.counts("--config", "jobs_per_gpu=3") == NOTHING


def test_experiment_seed(finished):
    assert finished.counts("--config", "experiment_seed=1") == {"prepare_data": 1, "split_data": 1, **MODELS}


def test_size_of_the_forget_set(editable):
    editable.configure(forget={"strategy": "random", "count": 30})

    assert editable.counts() == {"split_data": 1, **MODELS}


# Folders, clones, profiles, times -------------------------------------------------------------------------


@pytest.mark.parametrize("records", [True, False], ids=["with records", "without records"])
def test_copied_elsewhere_with_new_times(finished, tmp_path, records):
    # Not copy2: new file times, as after a clone.
    ignored = None if records else shutil.ignore_patterns(".snakemake")
    moved = shutil.copytree(finished.folder, tmp_path / "moved", copy_function=shutil.copyfile, ignore=ignored)

    assert moved.joinpath(".snakemake").exists() == records
    assert finished.jobs(cwd=moved) == []


def test_fresh_clone_beside_old_results(finished, workflow):
    workflow.only("finetune", "identity")
    shutil.copytree(finished.path("results"), workflow.path("results"), copy_function=shutil.copyfile)

    assert workflow.counts() == NOTHING
    workflow.configure(training={"lr": 0.2, "epochs": 2, "batch_size": 32})
    answer = workflow.run("-n")
    assert answer.returncode != 0
    assert "results/models/full/0000-0000.safetensors was made from something else" in answer.stdout
    assert "training.lr" in answer.stdout
    assert "0.1 -> 0.2" in answer.stdout


@pytest.mark.parametrize("profile", sorted(path.parent.name for path in REPOSITORY.glob("profiles/*/config.yaml")))
def test_profiles(editable, profile):
    chosen = ("--workflow-profile", f"profiles/{profile}")
    assert editable.counts(*chosen) == NOTHING

    edit(editable.path("methods/identity.py"), "return model", "return model.eval()")
    assert plan(editable, *chosen) == (ONE_METHOD, {"identity"})


def test_every_file_touched_in_any_order(finished, tmp_path):
    moved = shutil.copytree(finished.folder, tmp_path / "moved")
    for age, path in enumerate(sorted(moved.joinpath("results").rglob("*"), reverse=True)):
        os.utime(path, (1e9 + age, 1e9 + age))

    assert finished.jobs(cwd=moved) == []


def test_inputs_over_one_megabyte(workflow):
    # Snakemake compares checksums of small files only; of a large one it knows nothing but the time.
    import numpy as np

    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(1800, 28, 28, 1), dtype=np.uint8)
    np.savez(workflow.path("mine.npz"), x_train=pixels[:1600], y_train=np.arange(1600) % 4, x_test=pixels[1600:],
             y_test=np.arange(200) % 4)  # fmt: skip
    workflow.only("identity").configure(
        copies=4, shard_size=4, data={"source": "npz", "path": "mine.npz"}, methods={},
        model={"name": "mlp"}, training={"lr": 0.1, "epochs": 1, "batch_size": 64},
    )  # fmt: skip
    answer = workflow.run("--cores", "2")
    assert answer.returncode == 0, answer.stdout
    assert workflow.path("results/data/dataset.npz").stat().st_size > 1_000_000

    for name in ("results/data/dataset.npz", "results/models/retain/0000-0003.safetensors", "mine.npz"):
        workflow.path(name).touch()
    assert workflow.counts() == NOTHING


@pytest.mark.parametrize("name", ["data/dataset.npz", "data/split.npz", "models/full/0000-0000.safetensors"])
def test_a_lost_file_that_all_is_made_from_is_made_alone(finished, tmp_path, name):
    moved = shutil.copytree(finished.folder, tmp_path / "moved")
    moved.joinpath("results", name).unlink()
    moved.joinpath("methods/fresh.py").write_text(IDENTITY)

    answer = finished.run("-n", cwd=moved)
    assert answer.returncode != 0
    assert f"results/{name} is missing" in answer.stdout
    advice = f"snakemake --force results/{name}"
    assert advice in answer.stdout
    made = finished.run("--cores", "2", *advice.split()[1:], cwd=moved)
    assert made.returncode == 0, made.stdout
    assert finished.counts(cwd=moved) == ONE_METHOD


@pytest.mark.parametrize("name", ["models/retain/0004-0007.safetensors", "losses/unlearn/finetune/0000-0003.parquet"])
def test_a_deleted_file_that_nothing_needs_any_more(finished, tmp_path, name):
    moved = shutil.copytree(finished.folder, tmp_path / "moved")
    moved.joinpath("results", name).unlink()

    assert finished.counts(cwd=moved) == NOTHING
    missing_dump = {"dump_losses": 1} if "losses" in name else {}
    assert finished.counts("--config", "delta=0.001", cwd=moved) == {**missing_dump, **SCORES}
