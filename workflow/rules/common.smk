"""Reads and checks the configuration; everything the rules share. No rule stands here.

What a job reads, makes and is told is one record of the package (`steps`); what has to be made anew is found out there
as well (`rebuild`), and Snakemake is told.
"""

import os
import shlex
import signal
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import IOFile, ancient, temp
from snakemake.settings.types import RerunTrigger

try:
    import unlearning_metric
except ModuleNotFoundError as error:
    raise WorkflowError(
        "The package unlearning_metric is not installed for this Python "
        f"({sys.executable}). Run `make install`, then `source .venv/bin/activate`."
    ) from error

from unlearning_metric import config as configuration
from unlearning_metric.upkeep import handover
from unlearning_metric.runtime import devices
from unlearning_metric.upkeep.current import Folder
from unlearning_metric.plan.plan import Plan, find_methods
from unlearning_metric.upkeep.rebuild import (
    Rebuild,
    RefusalError,
    refuse_other_shard_sizes,
)
from unlearning_metric.report.names import figure_names
from unlearning_metric.plan.shard_size import asked_minutes
from unlearning_metric.progress import print_anyway
from unlearning_metric.store.shards import shard_models
from unlearning_metric.upkeep.summary import summary
from unlearning_metric.runtime.termination import handle_apart
from unlearning_metric.upkeep.unfinished import failed_checks, unfinished_leaderboard

# Snakemake puts the interpreter into shell commands as it is: a blank or a quote in its path would end the name there.
sys.executable = shlex.quote(sys.executable)
print_anyway()
ROOT = Path(workflow.basedir)


def handed():
    """Whether this is a job of a cluster, which got the plan of its run."""
    return not workflow.is_main_process and handover.HANDED in config


def make_plan():
    """The plan of the checked configuration; in a job, the plan of the run that it belongs to.

    config/config.yaml is read only when no --configfile is given: Snakemake would merge the two, and the default's
    hyper-parameters would leak into another experiment.
    """
    if handed():
        return Plan.recorded(config[handover.HANDED])
    try:
        handover.refuse_other_package(ROOT)
        methods = find_methods(ROOT / "methods")
        default = ROOT / "config" / "config.yaml"
        settings = configuration.load(workflow.configfiles, config, methods, default)
        plan = Plan(settings, methods)
        refuse_other_shard_sizes(plan, settings.results.rstrip("/"))
    except (configuration.ConfigError, RefusalError) as error:
        raise WorkflowError(str(error)) from None
    return plan


def hand_over():
    """Write the plan for the jobs, and have those of a cluster read it in place of the configuration."""
    handover.write_plan(PLAN_FILE, PLAN, ROOT / "workflow" / "scripts")
    workflow.config_settings.configfiles = [PLAN_FILE.absolute()]
    workflow.config_settings.config_args = ""


def is_forced(step):
    """Whether the user asked for a step to be made anew, whatever lies in its place; also where a job was cut off."""
    paths = [f"{RESULTS}/{path}" for path in step.outputs]
    return (
        step.rule in {rule.name for rule in workflow.dag.forcerules}
        or not workflow.dag.forcefiles.isdisjoint(paths)
        or bool(workflow.persistence._filter_incomplete_keys(paths))
    )


def recorded(path):
    """Text of the params that Snakemake's records say a file was made with; None where there is no record."""
    record = workflow.persistence.metadata(IOFile(f"{RESULTS}/{path}"))
    return None if record is None else str(record.params)


@cache
def rebuild():
    """What has to be made anew, of the files that this run is asked for; stops where something would be lost.

    Once, and before anything else: deeper in the graph Snakemake takes an error in an input function for a file
    that nobody makes, and goes on.
    """
    found = Rebuild(PLAN, Folder(RESULTS), cache(is_forced), recorded, NAMED_FILES)
    settings = workflow.dag_settings
    # What the headers say decides, whatever Snakemake recorded and whatever the profile says.
    settings.rerun_triggers = {RerunTrigger.MTIME, RerunTrigger.SOFTWARE_ENV}
    try:
        found.look_through(found.asked([*settings.targets, *settings.forcerun]))
    except RefusalError as error:
        raise WorkflowError(str(error)) from None
    return found


def step_of(rule, wildcards):
    """The record of a job; an unknown method, or nothing to check, stops before any job starts."""
    try:
        return PLAN.step(rule, **dict(wildcards.items()))
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def needs(rule):
    """Input function of a rule: the files of results that its jobs read, by name.

    Times never count: what is current is told by headers. But what is made anew in this very run must make all that is
    behind it anew, and of an ancient file Snakemake would not pass that on.
    """

    def in_results(path):
        maker = PLAN.maker(path)
        anew = MAIN and maker is not None and rebuild().anew(maker)
        return f"{RESULTS}/{path}" if anew else ancient(f"{RESULTS}/{path}")

    def of_job(wildcards):
        step = step_of(rule, wildcards)
        if MAIN and rebuild().itself(step):
            paths = [f"{RESULTS}/{path}" for path in step.outputs]
            workflow.dag.forcefiles.update(paths)
        return {
            name: (
                in_results(paths)
                if isinstance(paths, str)
                else [in_results(path) for path in paths]
            )
            for name, paths in step.inputs.items()
        }

    return of_job


def key_of(rule):
    """Params function: the key of what a job makes. Snakemake records it, and `recorded` reads it."""
    return lambda wildcards: step_of(rule, wildcards).origin.key


def told(rule):
    """Params function: what a job is told. Snakemake does not record it."""

    def of_job(wildcards, output):
        step = step_of(rule, wildcards)
        files = {name: shown(path) for name, path in step.files.items()}
        return {
            "arguments": {**step.arguments, **files},
            "provenance": step.origin.header(),
            "results": RESULTS,
            "plan": str(PLAN_FILE),
        }

    return of_job


def shown(file):
    """A file of the user's as messages name it: relative where it lies in this folder.

    No input of a job: Snakemake deletes what was made from a file whose time lies in the future.
    """
    inside = not file.is_absolute() or file.is_relative_to(ROOT)
    return os.path.relpath(file) if inside else str(file)


def shard_minutes(wildcards):
    """Time limit of a job in minutes."""
    return asked_minutes(len(shard_models(wildcards.shard)))


def spare(path):
    """A checkpoint that is deleted once its outputs are dumped, where the configuration says so."""
    return path if CONFIG.keep_checkpoints else temp(path)


def finished_message():
    """What the user sees at the end."""
    PLAN_FILE.unlink(missing_ok=True)
    return summary(PLAN, RESULTS)


def failed_message():
    """What the user sees when jobs failed: why checks did, or the leaderboard, failed methods marked as failed."""
    PLAN_FILE.unlink(missing_ok=True)
    asked = {os.path.normpath(path) for path in workflow.dag_settings.targets}
    checks = {
        os.path.normpath(f"{RESULTS}/check_{method}.json"): method
        for method in PLAN.methods
    }
    if asked and asked <= checks.keys():
        return failed_checks(PLAN, RESULTS, [checks[path] for path in sorted(asked)])
    return unfinished_leaderboard(PLAN, RESULTS)


MAIN = workflow.is_main_process
PLAN = make_plan()
CONFIG = PLAN.config
RESULTS = CONFIG.results.rstrip("/")
PLAN_FILE = Path(workflow.configfiles[0]) if handed() else handover.plan_file(RESULTS)
FIGURES = figure_names(PLAN.scored_methods)
NAMED_FILES = configuration.configfile_option(workflow.configfiles)
DEVICE = devices.resolve(CONFIG.device)
GPUS = 1 if DEVICE == "cuda" else 0
os.environ[devices.JOBS_PER_GPU] = str(CONFIG.jobs_per_gpu)


wildcard_constraints:
    method="[A-Za-z0-9_]+",
    shard="[0-9]+-[0-9]+",
    group=r"full|retain|unlearn/[A-Za-z0-9_]+",
