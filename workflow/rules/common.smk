"""Reads and checks the configuration; everything the rules share. No rule stands here."""

import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import ancient

try:
    import unlearning_metric
except ModuleNotFoundError as error:
    raise WorkflowError(
        "The package unlearning_metric is not installed for this Python "
        f"({sys.executable}). Run `make install`, then `source .venv/bin/activate`."
    ) from error

from unlearning_metric import config as configuration
from unlearning_metric import devices
from unlearning_metric.plan import Plan, find_methods, shard_models
from unlearning_metric.progress import summary
from unlearning_metric.store import stored_key

ROOT = Path(workflow.basedir)
SCRIPTS = ROOT / "workflow" / "scripts"


def load_configuration():
    """The checked configuration; config/config.yaml is read only when no --configfile is given.

    Snakemake would merge the two, and the default's hyper-parameters would leak into another experiment.
    """
    try:
        if workflow.configfiles:
            source = ", ".join(map(str, workflow.configfiles))
            raw = {}
            for path in workflow.configfiles:
                raw = configuration.merge(raw, configuration.read_yaml(path))
        else:
            source = "config/config.yaml"
            raw = configuration.read_yaml(ROOT / source)
        raw = configuration.merge(raw, config)
        for name, path in METHODS.items():
            if not re.fullmatch(configuration.METHOD_NAME, name):
                raise configuration.ConfigError(
                    f"methods/{path.name}: the name of a method may hold only letters, digits and underscores. "
                    "Rename the file."
                )
        checked = configuration.parse(raw, METHODS, source)
        if checked.data.path is not None and not os.path.isfile(checked.data.path):
            raise configuration.ConfigError(
                f"data.path: there is no file {checked.data.path} (looked in {os.getcwd()}). Give the path of a npz "
                "file with x_train, y_train, x_test and y_test."
            )
        return checked
    except configuration.ConfigError as error:
        raise WorkflowError(str(error)) from None


def shard_minutes(shard):
    """Time limit of a job in minutes: generous, since a cluster kills a job that passes it."""
    return 30 + 10 * len(shard_models(shard))


def current(path, key):
    """An input file; its time counts only where its key is not the one this run needs.

    `ancient` hides old files behind it from Snakemake, and with them a rebuild of the file in this very run:
    so a file that is about to be rebuilt must not be ancient, or nothing after it would follow.
    """
    return ancient(path) if stored_key(path) == key else path


def dataset_file():
    """The data set."""
    return current(f"{RESULTS}/data/dataset.npz", PLAN.data_key)


def split_file():
    """The index sets."""
    return current(f"{RESULTS}/data/split.npz", PLAN.split_key)


def method_input(wildcards):
    """The file of a method; an unknown name stops before any job starts."""
    try:
        # Relative: an absolute path would rerun every method once the folder is moved.
        return ancient(os.path.relpath(PLAN.method_file(wildcards.method)))
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def model_file(group, shard):
    """File of a shard of models."""
    path = f"{RESULTS}/models/{group}/{shard}.safetensors"
    return current(path, PLAN.models_key(group))


def dump_files(group):
    """Dumps of all shards of a group of models."""
    key = PLAN.dump_key(group)
    return [
        current(f"{RESULTS}/losses/{group}/{shard}.parquet", key)
        for shard in PLAN.group_shards(group)
    ]


def score_inputs(wildcards):
    """Dumps of every side of a method's score."""
    method_input(wildcards)
    groups = PLAN.score_groups(wildcards.method)
    return {name: dump_files(group) for name, group in groups.items()}


def score_files():
    """Score documents of the leaderboard."""
    return [
        current(f"{RESULTS}/score_{method}.json", PLAN.score_key(method))
        for method in PLAN.scored_methods
    ]


def finished_message():
    """What the user sees at the end."""
    return summary(RESULTS)


METHODS = find_methods(ROOT / "methods")
CONFIG = load_configuration()
PLAN = Plan(CONFIG, METHODS, SCRIPTS)
RESULTS = CONFIG.results.rstrip("/")
DEVICE = devices.resolve(CONFIG.device)
GPUS = 1 if DEVICE == "cuda" else 0


wildcard_constraints:
    method="[A-Za-z0-9_]+",
    shard="[0-9]+-[0-9]+",
    role="full|retain",
    group=r"full|retain|unlearn/[A-Za-z0-9_]+",
