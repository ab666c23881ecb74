"""Reads and checks the configuration; everything the rules share. No rule stands here."""

import os
import signal
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import IOFile, ancient, temp

try:
    import unlearning_metric
except ModuleNotFoundError as error:
    raise WorkflowError(
        "The package unlearning_metric is not installed for this Python "
        f"({sys.executable}). Run `make install`, then `source .venv/bin/activate`."
    ) from error

from unlearning_metric import config as configuration
from unlearning_metric.runtime import devices
from unlearning_metric.user_code.contract import ORACLE_METHOD
from unlearning_metric.plan.plan import Plan, find_methods
from unlearning_metric.progress import summary
from unlearning_metric.report.names import figure_names
from unlearning_metric.plan.shard_size import asked_minutes
from unlearning_metric.store.shards import shard_models
from unlearning_metric.store.files import StoreError, read_header
from unlearning_metric.runtime.termination import handle_apart
from unlearning_metric.upkeep.unfinished import (
    PARTIAL,
    failed_checks,
    unfinished_leaderboard,
)

ROOT = Path(workflow.basedir)


def load_configuration():
    """The checked configuration; config/config.yaml is read only when no --configfile is given.

    Snakemake would merge the two, and the default's hyper-parameters would leak into another experiment.
    """
    try:
        return configuration.load(
            workflow.configfiles, config, METHODS, ROOT / "config" / "config.yaml"
        )
    except configuration.ConfigError as error:
        raise WorkflowError(str(error)) from None


def make_plan():
    """The plan of the configuration; what does not fit a method's file stops before any job."""
    try:
        return Plan(CONFIG, METHODS)
    except configuration.ConfigError as error:
        raise WorkflowError(str(error)) from None


def refuse_other_shard_sizes():
    """A changed shard_size would train everything again under other names: say so before that costs days."""
    wrong = PLAN.other_shard_sizes(RESULTS)
    if wrong:
        raise WorkflowError(
            f"shard_size is {CONFIG.shard_size}, but {RESULTS} holds {len(wrong)} files of another one, such as "
            f"{wrong[0]}. Nothing was changed. Set shard_size back to keep them, name another results folder "
            "(results: ...) to start afresh, or delete them."
        )


def shard_minutes(shard):
    """Time limit of a job in minutes."""
    return asked_minutes(len(shard_models(shard)))


def recorded_params(path):
    """What Snakemake's own records say of a file: the params it was made with; None where there is no record."""
    record = workflow.persistence.metadata(IOFile(path))
    return None if record is None else record.params


def forced():
    """Whether the user asked for files to be made anew, whatever lies in their place."""
    return workflow.dag_settings.forcetargets or workflow.dag_settings.forceall


def header_of(path):
    """Header of a file; a damaged one stops before any job."""
    try:
        return read_header(path)
    except StoreError as error:
        raise WorkflowError(str(error)) from None


def refuse_foreign(path, header, origin):
    """Stop if a file was made from something else than this run needs, and by nobody that Snakemake knows.

    Where Snakemake's records say that this very file was made with other params, it is made anew. Otherwise
    nobody here made it, or it lies in the place of another.
    """
    params = recorded_params(path)
    if header["key"] not in (origin.key, PARTIAL) and (
        params is None or repr(origin.key) in params
    ):
        raise WorkflowError(
            f"{path} was made from something else than this run needs, and not by a run that Snakemake "
            f"has recorded here. Found -> needed: {origin.difference(header['origin'])}. Nothing was changed. "
            f"Set back what differs, name another results folder (results: ...), or delete the file to have it made "
            "anew. `make doctor` lists every file that does not fit."
        )


@cache
def look_through_results():
    """Refuse what is foreign or has no sound header, in the flow of data: the first one says why the rest is.

    Once, and before anything else: deeper in the graph Snakemake takes an error in an input function for a file
    that nobody makes, and goes on.
    """
    if not workflow.is_main_process or forced():
        return
    current = []
    for artifact in PLAN.artifacts():
        path = f"{RESULTS}/{artifact.path}"
        if os.path.exists(path):
            header = header_of(path)
            refuse_foreign(path, header, artifact.origin)
            if header["key"] == artifact.origin.key:
                current.append(artifact.path)
    for lost, behind in KEPT.items():
        made = [path for path in current if path.startswith(behind)]
        if made and not os.path.exists(f"{RESULTS}/{lost}"):
            raise WorkflowError(
                f"{RESULTS}/{lost} is missing, and {RESULTS}/{made[0]}, which was made from it, is there. Made within "
                "a run, it would have everything behind it made again. Make it alone first, then run again: "
                f"snakemake --force {RESULTS}/{lost}{NAMED_FILES}"
            )


@cache
def refuse_lost_oracles(method):
    """Stop if a method needs retrained models that were deleted once their outputs were dumped.

    Snakemake would train all of them again for the sake of one method.
    """
    if (
        CONFIG.keep_checkpoints
        or not PLAN.method(method).needs_oracle
        or not workflow.is_main_process
        or forced()
    ):
        return
    group, oracles = f"unlearn/{method}", f"unlearn/{ORACLE_METHOD}"
    lost = [
        f"{RESULTS}/{models}"
        for own, theirs, models in zip(
            PLAN.dump_files(group), PLAN.dump_files(oracles), PLAN.model_files(oracles)
        )
        if is_current(theirs, PLAN.dump_origin(oracles))
        and not os.path.exists(f"{RESULTS}/{models}")
        and not is_current(own, PLAN.dump_origin(group))
    ]
    if lost:
        raise WorkflowError(
            f"method {method} asks for oracle_model, and {lost[0]} is gone: keep_checkpoints is false, and the models of "
            f"{ORACLE_METHOD} were deleted once their outputs were dumped. To score {method}, set keep_checkpoints: "
            f"true, have them trained anew and nothing else, then run again: snakemake {' '.join(lost)}{NAMED_FILES}   "
            f"Or put {method} under skip."
        )


@cache
def is_current(path, origin):
    """Whether a file is there and made from what this run needs."""
    path = f"{RESULTS}/{path}"
    if not os.path.exists(path) or forced():
        return False
    header = header_of(path)
    refuse_foreign(path, header, origin)
    return header["key"] == origin.key


def inputs(outputs, origin, **files):
    """Inputs of a job: a path or a list of paths, by name.

    Their times count only where an output is not what this run needs.
    `ancient` alone would hide from Snakemake, with old files, also their rebuilding in this very run.
    """
    look_through_results()
    done = all([is_current(path, origin) for path in outputs])

    def one(path):
        path = f"{RESULTS}/{path}"
        return ancient(path) if done else path

    return {
        name: one(paths) if isinstance(paths, str) else [one(path) for path in paths]
        for name, paths in files.items()
    }


def method_input(method):
    """The file of a method; an unknown name stops before any job starts."""
    file = known_method(method).file
    # Relative: an absolute path would rerun every method once the folder is moved.
    inside = not file.is_absolute() or file.is_relative_to(ROOT)
    return ancient(os.path.relpath(file) if inside else str(file))


def known_method(method):
    """A method's entry; an unknown name stops before any job starts."""
    try:
        return PLAN.method(method)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def oracle_inputs(method, shard):
    """The same shard of the method retrain, for a method that asks for oracle_model."""
    if not PLAN.method(method).needs_oracle:
        return {}
    return {"oracles": [f"models/unlearn/{ORACLE_METHOD}/{shard}.safetensors"]}


def oracles_key(method):
    """Key of the models that oracle_inputs names, if it does."""
    needed = PLAN.method(method).needs_oracle
    return PLAN.unlearning_origin(ORACLE_METHOD).key if needed else None


def retrained_keys():
    """Key of every file that says how long retraining takes, by path; they need not be there."""
    keys = {
        path: PLAN.dump_origin("retain").key for path in PLAN.dump_files("retain")
    } | {
        path: PLAN.training_origin("retain").key for path in PLAN.model_files("retain")
    }
    return {f"{RESULTS}/{path}": key for path, key in keys.items()}


def data_inputs(wildcards):
    """No file of the workflow."""
    return inputs(["data/dataset.npz"], PLAN.data_origin)


def difficulty_inputs(wildcards):
    """The data set."""
    return inputs(
        ["data/difficulty.npz"],
        PLAN.difficulty_origin,
        dataset="data/dataset.npz",
    )


def difficulty_key():
    """Key of the measure of difficulty, where the split asks for one."""
    return PLAN.difficulty_origin.key if PLAN.needs_difficulty else None


def split_inputs(wildcards):
    """The data set, and how hard its examples are where the split asks for that."""
    more = {"difficulty": "data/difficulty.npz"} if PLAN.needs_difficulty else {}
    return inputs(
        ["data/split.npz"], PLAN.split_origin, dataset="data/dataset.npz", **more
    )


def train_inputs(role):
    """Input function of a rule that trains models from scratch."""

    def of_shard(wildcards):
        return inputs(
            [f"models/{role}/{wildcards.shard}.safetensors"],
            PLAN.training_origin(role),
            dataset="data/dataset.npz",
            split="data/split.npz",
        )

    return of_shard


def original_inputs(wildcards):
    """The data set and the user's checkpoint."""
    named = inputs(
        [f"models/full/{wildcards.shard}.safetensors"],
        PLAN.training_origin("full"),
        dataset="data/dataset.npz",
    )
    return {**named, "checkpoint": ancient(CONFIG.original)}


def unlearn_inputs(wildcards):
    """Data, originals and the file of a method."""
    # First: an unknown name has no origin.
    method = method_input(wildcards.method)
    named = inputs(
        [f"models/unlearn/{wildcards.method}/{wildcards.shard}.safetensors"],
        PLAN.unlearning_origin(wildcards.method),
        dataset="data/dataset.npz",
        split="data/split.npz",
        originals=PLAN.model_files("full"),
        **oracle_inputs(wildcards.method, wildcards.shard),
    )
    return {**named, "method": method}


def check_inputs(wildcards):
    """Data, the first original and the file of a method."""
    if known_method(wildcards.method).is_dump:
        raise WorkflowError(
            f"methods.{wildcards.method} is a dump of outputs: there is no function to check. Score it: "
            f"snakemake {RESULTS}/score_{wildcards.method}.json"
        )
    method = method_input(wildcards.method)
    refuse_lost_oracles(wildcards.method)
    named = inputs(
        [f"check_{wildcards.method}.json"],
        PLAN.check_origin(wildcards.method),
        dataset="data/dataset.npz",
        split="data/split.npz",
        original=PLAN.model_files("full")[0],
        **oracle_inputs(wildcards.method, PLAN.shards[0]),
    )
    return {**named, "method": method}


def dump_inputs(wildcards):
    """Data and a shard of models."""
    if wildcards.group.startswith("unlearn/"):
        known_method(wildcards.group.partition("/")[2])
    return inputs(
        [f"losses/{wildcards.group}/{wildcards.shard}.parquet"],
        PLAN.dump_origin(wildcards.group),
        dataset="data/dataset.npz",
        split="data/split.npz",
        models=f"models/{wildcards.group}/{wildcards.shard}.safetensors",
    )


def import_inputs(wildcards):
    """Data, split and the outputs of a method whose models were made elsewhere."""
    dump = method_input(wildcards.method)
    named = inputs(
        [f"losses/unlearn/{wildcards.method}/{wildcards.shard}.parquet"],
        PLAN.dump_origin(f"unlearn/{wildcards.method}"),
        dataset="data/dataset.npz",
        split="data/split.npz",
    )
    return {**named, "dump": dump}


def score_inputs(wildcards):
    """Dumps of every side of a method's score."""
    known_method(wildcards.method)
    refuse_lost_oracles(wildcards.method)
    groups = PLAN.score_groups(wildcards.method)
    return inputs(
        PLAN.score_files(wildcards.method),
        PLAN.score_origin(wildcards.method),
        **{name: PLAN.dump_files(group) for name, group in groups.items()},
    )


def leaderboard_inputs(wildcards):
    """Score documents of the leaderboard."""
    for method in PLAN.scored_methods:
        refuse_lost_oracles(method)
    return inputs(
        ["leaderboard.json"],
        PLAN.leaderboard_origin(),
        scores=[f"score_{method}.json" for method in PLAN.scored_methods],
        replicates=[f"replicates_{method}.npz" for method in PLAN.scored_methods],
    )


def report_inputs(wildcards):
    """Leaderboard, scores with their tables, outputs and data."""
    return inputs(
        ["report.html"],
        PLAN.report_origin(),
        leaderboard="leaderboard.json",
        scores=[f"score_{method}.json" for method in PLAN.scored_methods],
        samples=[f"samples_{method}.parquet" for method in PLAN.scored_methods],
        dumps=[path for group in REPORTED for path in PLAN.dump_files(group)],
        dataset="data/dataset.npz",
    )


def spare(path):
    """A checkpoint that is deleted once its outputs are dumped, where the configuration says so."""
    return path if CONFIG.keep_checkpoints else temp(path)


def failed_message():
    """What the user sees when jobs failed: why checks did, or the leaderboard, failed methods marked as failed."""
    asked = {os.path.normpath(path) for path in workflow.dag_settings.targets}
    checks = {
        os.path.normpath(f"{RESULTS}/check_{method}.json"): method
        for method in PLAN.methods
    }
    if asked and asked <= checks.keys():
        return failed_checks(PLAN, RESULTS, [checks[path] for path in sorted(asked)])
    return unfinished_leaderboard(PLAN, RESULTS)


def finished_message():
    """What the user sees at the end."""
    return summary(RESULTS)


METHODS = find_methods(ROOT / "methods")
CONFIG = load_configuration()
PLAN = make_plan()
RESULTS = CONFIG.results.rstrip("/")
REPORTED = PLAN.report_groups(PLAN.scored_methods)
FIGURES = figure_names(PLAN.scored_methods)
NAMED_FILES = configuration.configfile_option(workflow.configfiles)
# An original that was trained elsewhere saw another split, if any.
FULL = () if CONFIG.original is not None else ("models/full/",)
SPLIT_BEHIND = (*FULL, "models/retain/", "models/unlearn/", "losses/")
# Never temporary, since everything else is made from them: file -> what lies behind it.
KEPT = {
    "data/dataset.npz": ("data/split.npz", "models/", "losses/"),
    "data/split.npz": SPLIT_BEHIND,
    **(
        {"data/difficulty.npz": ("data/split.npz", *SPLIT_BEHIND)}
        if PLAN.needs_difficulty
        else {}
    ),
    **{
        f"models/full/{shard}.safetensors": (f"losses/full/{shard}.", "models/unlearn/")
        for shard in PLAN.original_shards
    },
}
DEVICE = devices.resolve(CONFIG.device)
GPUS = 1 if DEVICE == "cuda" else 0
os.environ[devices.JOBS_PER_GPU] = str(CONFIG.jobs_per_gpu)
refuse_other_shard_sizes()


wildcard_constraints:
    method="[A-Za-z0-9_]+",
    shard="[0-9]+-[0-9]+",
    group=r"full|retain|unlearn/[A-Za-z0-9_]+",
