"""Reads and checks the configuration; everything the rules share. No rule stands here."""

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
        return configuration.parse(raw, METHODS, source)
    except configuration.ConfigError as error:
        raise WorkflowError(str(error)) from None


def shard_minutes(shard):
    """Time limit of a job in minutes: generous, since a cluster kills a job that passes it."""
    return 30 + 10 * len(shard_models(shard))


def method_input(wildcards):
    """The file of a method; an unknown name stops before any job starts."""
    try:
        return ancient(str(PLAN.method_file(wildcards.method)))
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def model_file(group, shard):
    """File of a shard of models."""
    return f"{RESULTS}/models/{group}/{shard}.safetensors"


def dump_files(group):
    """Dumps of all shards of a group of models."""
    return [
        f"{RESULTS}/losses/{group}/{shard}.parquet"
        for shard in PLAN.group_shards(group)
    ]


def score_inputs(wildcards):
    """Dumps of every side of a method's score."""
    method_input(wildcards)
    groups = PLAN.score_groups(wildcards.method)
    return {name: ancient(dump_files(group)) for name, group in groups.items()}


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
