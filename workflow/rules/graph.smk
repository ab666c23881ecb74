"""The graph: what each job reads, makes and is told, and what has to be made anew. No rule stands here.

Both are found out in the package (`steps`, `rebuild`); here Snakemake is told.
"""

from functools import cache

from snakemake.exceptions import WorkflowError
from snakemake.io import IOFile, ancient
from snakemake.settings.types import RerunTrigger

from unlearning_metric.upkeep.current import Folder
from unlearning_metric.upkeep.rebuild import Rebuild, RefusalError


def is_forced(step):
    """Whether the user asked for a step to be made anew, whatever lies in its place; also where a job was cut off."""
    paths = [f"{RESULTS}/{path}" for path in step.outputs]
    return (
        MODIFIER.modify_rulename(step.rule)
        in {rule.name for rule in workflow.dag.forcerules}
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
    # Started last, one of them would keep a single core busy while the others wait.
    workflow.dag.priorityfiles.update(f"{RESULTS}/{path}" for path in PLAN.longest())
    try:
        found.look_through(found.asked([*settings.targets, *settings.forcerun]))
    except RefusalError as error:
        raise WorkflowError(str(error)) from None
    if MODULE and not workflow.output_settings.dryrun:
        hand_over_in_module()
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
