"""Reads and checks the configuration; what the rules share, and what the user sees at the end. No rule stands here."""

import atexit
import os
import shlex
import signal
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import temp
from snakemake.logging import logger
from snakemake.path_modifier import PathModifier

from unlearning_metric import config as configuration
from unlearning_metric.upkeep import handover
from unlearning_metric.runtime import devices, job_server
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan import workflow_files
from unlearning_metric.upkeep.rebuild import RefusalError, refuse_other_shard_sizes
from unlearning_metric.report.names import figure_names
from unlearning_metric.plan.shard_size import asked_minutes
from unlearning_metric.progress import print_anyway
from unlearning_metric.store.shards import shard_models
from unlearning_metric.upkeep.summary import checked_alone, summary
from unlearning_metric.upkeep.terminal import summarise
from unlearning_metric.runtime.termination import handle_apart
from unlearning_metric.upkeep.unfinished import failed_checks, unfinished_leaderboard

# Snakemake puts the interpreter into shell commands as it is: a blank or a quote in its path would end the name there.
PYTHON = sys.executable
sys.executable = shlex.quote(PYTHON)
print_anyway()
# Of the module that this is in another workflow; None otherwise.
MODULE = workflow.modifier.namespace
# Somebody else's Snakefile was started, which imports or includes this one.
IMPORTED = not os.path.samefile(workflow.basedir, ROOT)
MODIFIER = workflow.modifier
# With --sdm the jobs have an environment of their own.
THIS_PYTHON = not workflow.deployment_settings.deployment_method
if THIS_PYTHON and workflow_files.absent_message():
    raise WorkflowError(workflow_files.absent_message())


def handed():
    """In a job of a cluster, which got the plan of its run: that plan and its file; nothing otherwise."""
    given = workflow.config_settings.overwrite_config
    return {} if MAIN else given.get(handover.HANDED, {}).get(MODULE or "", {})


def read_settings(methods):
    """The checked configuration: that of the module statement, or of the files and the command line.

    config/config.yaml, of the folder that it runs in or else of the workflow, is read only when no --configfile is
    given: Snakemake would merge the two, and the default's hyper-parameters would leak into another experiment.
    """
    if MODULE and config:
        return configuration.load_given(
            config, methods, f"the config of module {MODULE}"
        )
    files = [] if MODULE else workflow.configfiles
    default = workflow_files.default_config(ROOT)
    return configuration.load(files, config, methods, default)


def in_place(settings):
    """The configuration, with results where the module statement's prefix puts them.

    The rules then name whole paths, as messages and headers do, so the prefix is not laid before them again.
    """
    results = str(MODIFIER.modify_path(f"{settings.results.rstrip('/')}/"))
    MODIFIER.path_modifier = PathModifier(None, None, workflow)
    return settings.model_copy(update={"results": results.rstrip("/")})


def make_plan():
    """The plan of the checked configuration; in a job, the plan of the run that it belongs to."""
    try:
        if handed():
            plan = Plan.recorded(handed()["plan"])
            in_place(plan.config)
            return plan
        handover.refuse_other_package(ROOT)
        if MAIN and (other := workflow_files.other_workflow_message(ROOT)):
            logger.warning(other)
        folders = workflow_files.method_folders(ROOT, Path(workflow.basedir))
        methods = workflow_files.methods_of(folders)
        plan = Plan(in_place(read_settings(methods)), methods)
        refuse_other_shard_sizes(plan, plan.config.results)
    except (configuration.ConfigError, RefusalError) as error:
        raise WorkflowError(str(error)) from None
    if THIS_PYTHON and (absent := workflow_files.timm_message(plan.config)):
        raise WorkflowError(absent)
    return plan


def hand_over():
    """Write the plan for the jobs, and have those of a cluster read it in place of the configuration.

    An importer's own rules need theirs beside it.
    """
    handover.write_plan(PLAN_FILE, PLAN, ROOT / "workflow" / "scripts", MODULE or "")
    settings = workflow.config_settings
    if IMPORTED:
        given = [Path(path).absolute() for path in settings.configfiles]
        settings.configfiles = [*given, PLAN_FILE.absolute()]
    else:
        settings.configfiles = [PLAN_FILE.absolute()]
        settings.config_args = ""


def share_libraries():
    """Where many jobs run on this computer, have PyTorch loaded once and not by each of them."""
    if THIS_PYTHON and not IMPORTED and workflow.local_exec:
        jobs = sum(1 for _ in workflow.dag.needrun_jobs())
        sys.executable = job_server.start(PYTHON, jobs)


def hand_over_in_module():
    """The same in a module, of which Snakemake calls no onstart; what is written goes with the run."""
    handle_apart(signal.SIGTERM)
    hand_over()
    atexit.register(PLAN_FILE.unlink, missing_ok=True)


def is_watched():
    """Whether somebody watches a run, and did not ask for what Snakemake says of each job."""
    shown = workflow.output_settings
    asked = shown.dryrun or shown.verbose or shown.printshellcmds or shown.quiet
    # What a check says stands among the lines of its job. The targets are not known yet.
    checks = any(os.path.basename(word).startswith("check_") for word in sys.argv)
    return workflow.is_main_process and not asked and not checks


def shard_minutes(wildcards):
    """Time limit of a job in minutes."""
    return asked_minutes(len(shard_models(wildcards.shard)))


def spare(path):
    """A checkpoint that is deleted once its outputs are dumped, where the configuration says so."""
    return path if CONFIG.keep_checkpoints else temp(path)


def finished_message():
    """What the user sees at the end."""
    PLAN_FILE.unlink(missing_ok=True)
    return summary(PLAN, RESULTS, workflow.dag_settings.targets)


def failed_message():
    """What the user sees when jobs failed: why checks did, or the leaderboard, failed methods marked as failed."""
    PLAN_FILE.unlink(missing_ok=True)
    if methods := checked_alone(PLAN, RESULTS, workflow.dag_settings.targets):
        return failed_checks(PLAN, RESULTS, methods)
    return unfinished_leaderboard(PLAN, RESULTS)


MAIN = workflow.is_main_process
PLAN = make_plan()
CONFIG = PLAN.config
RESULTS = CONFIG.results.rstrip("/")
PLAN_FILE = (
    Path(handed()["file"]) if handed() else handover.plan_file(RESULTS, MODULE or "")
)
FIGURES = figure_names(PLAN.scored_methods)
NAMED_FILES = configuration.configfile_option(workflow.configfiles)
DEVICE = devices.resolve(CONFIG.device)
GPUS = 1 if DEVICE == "cuda" else 0
if is_watched() and not IMPORTED:
    summarise(logger)
os.environ[devices.JOBS_PER_GPU] = str(CONFIG.jobs_per_gpu)


wildcard_constraints:
    method="[A-Za-z0-9_]+",
    shard="[0-9]+-[0-9]+",
    group=r"full|retain|unlearn/[A-Za-z0-9_]+(/original_[0-9]+)?",
    # The copies of a method from another original than the first; nothing for those from the first.
    original="(/original_[0-9]+)?",
