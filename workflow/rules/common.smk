"""Reads and checks the configuration; what the rules share, and what the user sees at the end. No rule stands here."""

import os
import shlex
import signal
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import temp

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
from unlearning_metric.plan.plan import Plan, find_methods
from unlearning_metric.upkeep.rebuild import RefusalError, refuse_other_shard_sizes
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
    group=r"full|retain|unlearn/[A-Za-z0-9_]+(/original_[0-9]+)?",
    # The copies of a method from another original than the first; nothing for those from the first.
    original="(/original_[0-9]+)?",
