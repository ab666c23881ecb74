"""What reruns when: one row of the table a test.

Most rows compare the keys of a plan with those of the plan before the change, which is all that Snakemake goes by; the
rest are dry runs over a finished run, and show that it does. Every expectation is the whole plan, so a rule that runs
although it should not fails the row.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from unlearning_metric import config
from unlearning_metric.keys.versions import VERSIONS, Version
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan

REPOSITORY = Path(__file__).resolve().parents[2]
IDENTITY = "def unlearn(model):\n    return model\n"
ONE_METHOD = {"unlearn": 2, "dump_losses": 2, "score": 1, "leaderboard": 1, "report": 1}
BOARD = {"leaderboard": 1, "report": 1}
SCORES = {"score": 2, **BOARD}
OUTPUTS = {"dump_losses": 7, **SCORES}
MODELS = {"train_full": 1, "train_retain": 2, "unlearn": 4, **OUTPUTS}
FROM_THE_SPLIT = {"split_data": 1, **MODELS}
EVERYTHING = {"prepare_data": 1, **FROM_THE_SPLIT}
NOTHING = {}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# Keys ---------------------------------------------------------------------------------------------------------

#: Beginning of a file's path -> the rule that makes it. Of the three files of a score one stands for all.
RULES = {
    "data/dataset": "prepare_data", "data/difficulty": "difficulty", "data/split": "split_data",
    "models/full/": "train_full", "models/retain/": "train_retain", "models/unlearn/": "unlearn",
    "losses/": "dump_losses", "score_": "score", "leaderboard": "leaderboard", "report": "report",
}  # fmt: skip
SMALL_FILES = """
import json, sys
from pathlib import Path
import yaml
from unlearning_metric import config
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan

methods = find_methods("methods")
plan = Plan(config.parse(yaml.safe_load(Path("config/config.yaml").read_text()), methods), methods)
print(json.dumps({file.path: file.origin.key for file in plan.artifacts()}))
"""


class Keys:
    """The workflow of a folder, without results: which jobs a change asks for, by its keys."""

    def __init__(self, workflow):
        self.workflow = workflow
        self.before = self.now()

    def now(self, **changes):
        """Path -> key of every file, with top-level keys of the configuration replaced."""
        methods = find_methods(self.workflow.path("methods"))
        raw = {**yaml.safe_load(self.workflow.path("config/config.yaml").read_text()), **changes}
        return {file.path: file.origin.key for file in Plan(config.parse(raw, methods), methods).artifacts()}

    def with_package(self, package):
        """The same with another copy of the package."""
        answer = subprocess.run(
            [sys.executable, "-c", SMALL_FILES],
            cwd=self.workflow.folder, env={**os.environ, "PYTHONPATH": str(package.parent)},
            stdout=subprocess.PIPE, text=True, check=True, timeout=60,
        )  # fmt: skip
        return yaml.safe_load(answer.stdout)

    def jobs(self, after):
        """Rule -> number of its files whose key is not what it was."""
        other = [path for path, key in after.items() if self.before.get(path) != key]
        found = [next(rule for start, rule in RULES.items() if path.startswith(start)) for path in other
                 if not path.startswith(("samples_", "replicates_"))]  # fmt: skip
        return dict(Counter(found))

    def changed(self, **changes):
        return self.jobs(self.now(**changes))


@pytest.fixture
def keys(workflow):
    return Keys(workflow.only("finetune", "identity"))


@pytest.fixture
def package(tmp_path):
    """A copy of the package, to be edited."""
    shutil.copytree(REPOSITORY / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return tmp_path / "src" / "unlearning_metric"


def holding(package, text):
    """The module of the package that holds a text, in whatever room it is."""
    [path] = [path for path in package.rglob("*.py") if text in path.read_text()]
    return path


def test_new_method_file(keys):
    keys.workflow.write("methods/fresh.py", IDENTITY)

    assert keys.changed() == ONE_METHOD


def test_edited_method_file(keys):
    edit(keys.workflow.path("methods/identity.py"), "return model", "return model.eval()")

    assert keys.changed() == ONE_METHOD


def test_edited_helper_of_a_method_file(keys):
    helper = keys.workflow.path("methods/_sgd.py")
    helper.write_text(f"{helper.read_text()}\nEXTRA = 1\n")

    assert keys.changed() == ONE_METHOD


def test_comment_in_a_method_file(keys):
    for name in ("finetune", "_sgd"):
        file = keys.workflow.path(f"methods/{name}.py")
        file.write_text(f"# A comment.\n{file.read_text()}\n# Another.\n")

    assert keys.changed() == NOTHING


def test_hyperparameter_of_one_method(keys):
    assert keys.changed(methods={"finetune": {"lr": 0.05, "epochs": 1}}) == ONE_METHOD


def test_default_value_added_to_a_methods_function(keys):
    edit(keys.workflow.path("methods/identity.py"), "(model", "(model, strength=1.0")

    assert keys.changed() == ONE_METHOD


@pytest.mark.parametrize(
    ("step", "jobs"),
    {
        "prepare_data": EVERYTHING,
        "split_data": FROM_THE_SPLIT,
        "train": MODELS,
        "unlearn": {"unlearn": 4, "dump_losses": 4, **SCORES},
        "dump_losses": OUTPUTS,
        "score": SCORES,
        "leaderboard": BOARD,
        "report": {"report": 1},
        # Steps that this configuration has not.
        "difficulty": NOTHING,
        "tune": NOTHING,
        "import_original": NOTHING,
        "import_dump": NOTHING,
        "check": NOTHING,
    }.items(),
)
def test_raised_version(keys, monkeypatch, step, jobs):
    monkeypatch.setitem(VERSIONS, step, Version(VERSIONS[step].number + 1, "a number"))

    assert keys.changed() == jobs


def reworded_message(package):
    text = "Set training.batch_size to a "
    edit(holding(package, text), text, f"Please {text}")


def renamed_module(package):
    old = holding(package, "def make_optimizer")
    old.rename(old.with_name("recipe_words.py"))
    for file in package.rglob("*.py"):
        file.write_text(re.sub(r"\btraining\.recipe\b(?= import)", "training.recipe_words", file.read_text()))


def new_names(package):
    """One more source and engine in the configuration, as anybody would add them, and one more strategy."""
    strategies = holding(package, "STRATEGIES: dict")
    of_class = strategies.with_name("by_class.py").read_text()
    strategies.with_name("oldest.py").write_text(of_class.replace('Strategy("class"', 'Strategy("oldest"'))
    edit(strategies, "by_index, medium", "by_index, medium, oldest")
    edit(strategies, "        by_difficulty.EASIEST,\n", "        by_difficulty.EASIEST,\n        oldest.STRATEGY,\n")
    sources = holding(package, "SOURCES: dict[str, Source]")
    digits = sources.with_name("digits.py").read_text()
    sources.with_name("sinus.py").write_text(re.sub(r'Source\(\s*"digits"', 'Source("sinus"', digits))
    edit(sources, "import casia_surf, ", "import casia_surf, sinus, ")
    edit(sources, "casia_surf.SOURCE,", "casia_surf.SOURCE, sinus.SOURCE,")
    listed = re.compile(r"(engine: Literal\[[^]]*)(\])")
    [file] = [path for path in package.rglob("*.py") if listed.search(path.read_text())]
    file.write_text(listed.sub(r'\1, "pipelined"\2', file.read_text()))


def new_metric(package):
    """One more metric in every score document, as anybody would add it."""
    metrics = holding(package, "METRICS: dict[str, Metric]")
    klom = metrics.with_name("klom.py").read_text()
    metrics.with_name("klom_again.py").write_text(klom.replace('name="klom"', 'name="klom_again"'))
    edit(metrics, "    klom,\n", "    klom,\n    klom_again,\n")
    edit(metrics, "klom.METRIC,", "klom.METRIC, klom_again.METRIC,")


def refactored_loop(package):
    text = "batch = step % self.batches\n"
    edit(holding(package, text), text, "batch = step - step // self.batches * self.batches\n")


@pytest.mark.parametrize("change", [reworded_message, renamed_module, new_names, new_metric, refactored_loop])
def test_changed_package(keys, package, change):
    change(package)

    assert keys.jobs(keys.with_package(package)) == NOTHING


def test_new_configuration_key_with_its_default(keys, package):
    file = holding(package, "    precision: Literal")
    edit(file, "    precision: Literal", '    patience: int = Field(3, description="New.")\n    precision: Literal')

    # The trap works: without its neutral value the key would retrain everything.
    assert keys.jobs(keys.with_package(package)) == MODELS
    file = holding(package, "NEUTRAL: dict[str, Any] = {")
    edit(file, "NEUTRAL: dict[str, Any] = {", 'NEUTRAL: dict[str, Any] = {"training.patience": 3, ')
    assert keys.jobs(keys.with_package(package)) == NOTHING
    for patience, jobs in ((3, NOTHING), (4, MODELS)):
        keys.workflow.configure(training={**keys.workflow.small["training"], "patience": patience})
        assert keys.jobs(keys.with_package(package)) == jobs


def test_defaults_written_out(keys):
    assert keys.changed(experiment_seed=0, originals=1, ceiling="split", delta=1e-5, keep_checkpoints=True) == NOTHING


@pytest.mark.parametrize(
    ("changes", "jobs"),
    [
        ({"device": "auto"}, NOTHING),
        ({"jobs_per_gpu": 3}, NOTHING),
        ({"max_seconds_per_copy": 60.0}, NOTHING),
        ({"delta": 0.001}, SCORES),
        ({"efficiency": {"limit": 0.3}}, SCORES),
        ({"efficiency": {"exclude": True}}, BOARD),
        ({"copies": 4}, SCORES),
        ({"copies": 16}, {"train_retain": 2, "unlearn": 4, "dump_losses": 6, **SCORES}),
        ({"experiment_seed": 1}, EVERYTHING),
        ({"forget": {"strategy": "random", "count": 30}}, FROM_THE_SPLIT),
        ({"probe_size": 10}, FROM_THE_SPLIT),
    ],
    ids=str,
)
def test_configuration(keys, changes, jobs):
    assert keys.changed(**changes) == jobs


@pytest.mark.parametrize(
    "changes",
    [{"lr": 0.2}, {"tf32": True}, {"precision": "bf16"}, {"engine": "stacked"}, {"flip": True}, {"schedule": "cosine"}],
    ids=str,
)
def test_recipe(keys, changes):
    assert keys.changed(training={**keys.workflow.small["training"], **changes}) == MODELS


# Dry runs over a finished run ---------------------------------------------------------------------------------


def plan(workflow, *args, **options):
    """Jobs of each rule, and the methods that those with a method are for."""
    jobs = workflow.jobs(*args, **options)
    counts = dict(Counter(job.rule for job in jobs))
    methods = {job.pairs("wildcards")["method"] for job in jobs if "method" in job.pairs("wildcards")}
    return counts, methods


def using(package):
    return {"PYTHONPATH": str(package.parent)}


@pytest.mark.slow
def test_finished_run(finished):
    assert finished.counts() == NOTHING


@pytest.mark.slow
def test_edited_method_file_and_touched_ones(editable):
    edit(editable.path("methods/identity.py"), "return model", "return model.eval()")
    for name in ("finetune", "_sgd"):
        editable.path(f"methods/{name}.py").touch()

    assert plan(editable) == ({**ONE_METHOD, "all": 1}, {"identity"})


@pytest.mark.slow
def test_edited_package_and_scripts(editable, package):
    for file in (*package.rglob("*.py"), *editable.path("workflow/scripts").glob("*.py")):
        file.write_text(f"{file.read_text()}\nEXTRA = 1\n")

    assert editable.counts(**using(package)) == NOTHING


@pytest.mark.slow
def test_raised_version_of_the_training(finished, package):
    edit(holding(package, "VERSIONS: dict"), '"train": Version(', '"train": Version(1 + ')

    assert finished.counts(**using(package)) == {**MODELS, "all": 1}


@pytest.mark.slow
def test_metric_setting(finished):
    assert finished.counts("--config", "delta=0.001") == {**SCORES, "all": 1}


@pytest.mark.slow
def test_copies_doubled(finished):
    jobs = finished.jobs("--config", "copies=16")

    assert {job.pairs("wildcards")["shard"] for job in jobs if "shard" in job.pairs("wildcards")} == {
        "0008-0011",
        "0012-0015",
    }
    wanted = {"train_retain": 2, "unlearn": 4, "dump_losses": 6, **SCORES, "all": 1}
    assert dict(Counter(job.rule for job in jobs)) == wanted


@pytest.mark.slow
def test_shard_size(finished):
    answer = finished.run("-n", "--config", "shard_size=2")

    assert answer.returncode != 0
    assert "shard_size is 2, but results holds" in answer.stdout
    assert "0000-0003" in answer.stdout
    assert "Set shard_size back" in answer.stdout


@pytest.mark.slow
def test_shard_size_in_another_results_folder(finished):
    jobs = finished.jobs("--config", "shard_size=2", "results=other")

    assert {path.split("/")[0] for job in jobs for path in [*job.files("output"), *job.files("input")]} <= {
        "other",
        "methods",
    }


# Folders, clones, profiles, times -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("records", [True, False], ids=["with records", "without records"])
def test_copied_elsewhere_with_new_times(finished, tmp_path, records):
    # Not copy2: new file times, as after a clone.
    ignored = None if records else shutil.ignore_patterns(".snakemake")
    moved = shutil.copytree(finished.folder, tmp_path / "moved", copy_function=shutil.copyfile, ignore=ignored)

    assert moved.joinpath(".snakemake").exists() == records
    assert finished.jobs(cwd=moved) == []


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("profile", sorted(path.parent.name for path in REPOSITORY.glob("profiles/*/config.yaml")))
def test_profiles(editable, profile):
    chosen = ("--workflow-profile", f"profiles/{profile}")
    assert editable.counts(*chosen) == NOTHING

    edit(editable.path("methods/identity.py"), "return model", "return model.eval()")
    assert plan(editable, *chosen) == ({**ONE_METHOD, "all": 1}, {"identity"})


@pytest.mark.slow
def test_every_file_touched_in_any_order(finished, tmp_path):
    moved = shutil.copytree(finished.folder, tmp_path / "moved")
    for age, path in enumerate(sorted(moved.joinpath("results").rglob("*"), reverse=True)):
        os.utime(path, (1e9 + age, 1e9 + age))

    assert finished.jobs(cwd=moved) == []


@pytest.mark.slow
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
    answer = workflow.run("--cores", "2", board := "results/leaderboard.md")
    assert answer.returncode == 0, answer.stdout
    assert workflow.path("results/data/dataset.npz").stat().st_size > 1_000_000

    for name in ("results/data/dataset.npz", "results/models/retain/0000-0003.safetensors", "mine.npz"):
        workflow.path(name).touch()
    assert workflow.counts(board) == NOTHING


@pytest.mark.slow
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
    assert finished.counts(cwd=moved) == {**ONE_METHOD, "all": 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["models/retain/0004-0007.safetensors", "losses/unlearn/finetune/0000-0003.parquet"])
def test_a_deleted_file_that_nothing_needs_any_more(finished, tmp_path, name):
    moved = shutil.copytree(finished.folder, tmp_path / "moved")
    moved.joinpath("results", name).unlink()

    assert finished.counts(cwd=moved) == NOTHING
    missing_dump = {"dump_losses": 1} if "losses" in name else {}
    assert finished.counts("--config", "delta=0.001", cwd=moved) == {**missing_dump, **SCORES, "all": 1}


@pytest.mark.slow
def test_files_touched_under_another_configuration_and_set_back(finished, tmp_path):
    moved = shutil.copytree(finished.folder, tmp_path / "moved")
    settings = yaml.safe_load(moved.joinpath("config/config.yaml").read_text())
    other = moved / "config/other.yaml"
    other.write_text(yaml.safe_dump({**settings, "training": {**settings["training"], "lr": 0.2}}))
    finished.run("--cores", "1", "--touch", "--configfile", "config/other.yaml", cwd=moved)

    assert finished.counts(cwd=moved) == NOTHING
