"""The whole configuration of one experiment, and the rules between its fields."""

import math
from collections.abc import Set
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from unlearning_metric.config.data import RULES as DATA_RULES
from unlearning_metric.config.data import Data
from unlearning_metric.config.efficiency import Efficiency
from unlearning_metric.config.forget import RULES as FORGET_RULES
from unlearning_metric.config.forget import Forget
from unlearning_metric.config.methods import Entry, MethodName
from unlearning_metric.config.model import RULES as MODEL_RULES
from unlearning_metric.config.model import Model
from unlearning_metric.config.originals import Originals, originals_from_short_form
from unlearning_metric.config.text import shown
from unlearning_metric.config.training import RULES as TRAINING_RULES
from unlearning_metric.config.training import Training
from unlearning_metric.config.tuning import RULES as TUNING_RULES
from unlearning_metric.config.tuning import Tuning
from unlearning_metric.config.values import (
    Number,
    PathText,
    PositiveNumber,
    Rule,
    SafetensorsFile,
    Section,
    Truth,
    empty_list_for_none,
    empty_mapping_for_none,
)

MOST_COPIES = 1_000_000
#: More jobs than that of one method are planned for minutes, in silence.
MOST_SHARDS = 10_000
#: Models of a job on a CPU at most, where `shard_size` is open. Of nets as small as those that a CPU trains, starting a
#: job takes as long as many models; methods, of which there are several, keep the cores busy.
MOST_ON_CPU = 64
#: Folders of a checkout, which a results folder is not, and those in which nobody looks for one.
_OF_THE_PROJECT = ("benchmarks", "config", "docs", "envs", "methods", "profiles", "src", "tests", "workflow")
_HIDDEN = (".git", ".snakemake", ".venv")


def _none_for_auto(value: Any) -> Any:
    return None if value == "auto" else value


class Config(Section):
    """Configuration of one experiment."""

    experiment_seed: int = Field(0, ge=0, description="Seed from which every random stream is derived.")
    copies: int = Field(64, ge=4, description="Retrained models, and unlearned copies per method.")
    shard_size: Annotated[
        int | None,
        Field(ge=1),
        BeforeValidator(_none_for_auto, json_schema_input_type=Annotated[int, Field(ge=1)] | Literal["auto"]),
    ] = Field(
        None,
        json_schema_extra={"default": "auto"},
        description="Models handled by one job; divides copies. auto: as the files in results have it; without any all "
        "models of a group on a GPU, at most 64 on a CPU.",
    )
    originals: Annotated[
        Originals,
        BeforeValidator(originals_from_short_form, json_schema_input_type=Originals | Literal[1] | Literal["per_copy"]),
    ] = Field(
        default_factory=Originals,
        description="Original models. 1, or {count: K}: every method makes all its copies from each of them. per_copy: "
        "copy i starts from original i.",
    )
    original: SafetensorsFile | None = Field(
        None, description="File with the weights of an original model trained elsewhere; null: it is trained here."
    )
    results: PathText = Field("results", description="Folder for everything the workflow writes.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where models run.")
    jobs_per_gpu: int = Field(1, ge=1, description="Jobs that share a GPU, where no scheduler hands GPUs out.")
    ceiling: Literal["split", "retrain"] = Field(
        "split",
        description="Source of the ceiling: half-splits of the retrained models, or the method retrain.",
    )
    data: Data = Field(description="Where the images come from and how many of them are used.")
    forget: Forget = Field(description="Which training examples are to be forgotten.")
    probe_size: int = Field(100, ge=1, description="Retain examples whose outputs are dumped.")
    model: Model = Field(description="The classifier.")
    training: Training = Field(description="The recipe which trains the original and the retrained models.")
    delta: Number = Field(1e-5, gt=0, lt=1, description="Delta of (epsilon, delta)-unlearning.")
    on_diverged: Literal["keep", "fail"] = Field(
        "keep",
        description="Copies with non-finite parameters or outputs: keep counts them as wrong everywhere and says so, "
        "fail stops.",
    )
    keep_checkpoints: Truth = Field(
        True,
        description="Keep retrained and unlearned models once their outputs are dumped; originals are always kept.",
    )
    efficiency: Efficiency = Field(
        default_factory=Efficiency, description="What is accepted of a method's time, and what follows."
    )
    max_seconds_per_copy: PositiveNumber | None = Field(
        None,
        description="Seconds after which a copy of a method is stopped as one that does not end; null: never.",
    )
    methods: Annotated[
        dict[MethodName, Entry],
        BeforeValidator(empty_mapping_for_none, json_schema_input_type=dict[MethodName, Entry] | None),
    ] = Field(
        default_factory=dict,
        description="Methods by name: hyper-parameters, what is left out keeps the default in the method's file; and "
        "file, function, batches, which say where the function is and what its loaders give; or dump alone, outputs of "
        "models made elsewhere.",
    )
    tuning: Tuning = Field(
        default_factory=Tuning, description="The experiment in which hyper-parameters under tune are chosen."
    )
    skip: Annotated[list[str], BeforeValidator(empty_list_for_none, json_schema_input_type=list[str] | None)] = Field(
        default_factory=list, description="Methods which are not run unless asked for by name."
    )

    @model_validator(mode="after")
    def _fields_fit_together(self) -> "Config":
        problems = rule_problems(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _shards_divide_copies(copies: int, shard_size: int | None) -> str | None:
    if shard_size is None or copies % shard_size == 0:
        return None
    below, above = copies // shard_size * shard_size, (copies // shard_size + 1) * shard_size
    choices = f"{below} or {above}" if below >= 4 else str(above)
    return (
        f"copies: {copies} is not a multiple of shard_size ({shard_size}). Set copies to {choices}, "
        f"or shard_size to a divisor of {copies}."
    )


def _jobs_can_be_planned(copies: int, shard_size: int | None) -> str | None:
    if copies > MOST_COPIES:
        return f"copies: {shown(copies)} is more than {MOST_COPIES:,} models a side, which nobody can train. Set fewer."
    if shard_size is not None and copies > MOST_SHARDS * shard_size:
        return (
            f"shard_size: {shard_size} makes {math.ceil(copies / shard_size):,} jobs of every method of {copies:,} "
            f"copies, too many to be planned. Set shard_size to {math.ceil(copies / MOST_SHARDS)} or more."
        )
    return None


def _results_have_a_folder(results: str) -> str | None:
    here, folder = Path.cwd().resolve(), Path(results).resolve()
    if "{" in results or "}" in results:
        return f"results: {shown(results)} holds a brace, {{ or }}, which marks wildcards. Choose another name."
    if folder in here.parents:
        return f"results: {shown(results)} holds the working folder. Name a folder for results alone, such as results."
    if Path("Snakefile").is_file() and folder.is_relative_to(here):
        parts = folder.relative_to(here).parts
        if not parts or parts[0] in _HIDDEN or (len(parts) == 1 and parts[0] in _OF_THE_PROJECT):
            return f"results: {shown(results)} is a folder of the project. Name one of their own, such as results."
    if folder.exists() and not folder.is_dir():
        return f"results: {shown(results)} is a file. Name a folder."
    return None


def _half_splits_are_equal(copies: int, shard_size: int | None, ceiling: str) -> str | None:
    if ceiling == "split" and copies % 2 and copies % (shard_size or 1) == 0:
        return (
            f"copies: {copies} is odd, and ceiling: split compares two equal halves of the retrained models. "
            f"Choose an even {'number' if shard_size is None else 'multiple of shard_size'}, or set ceiling: retrain."
        )
    return None


def _originals_can_be_planned(originals: Originals, copies: int, shard_size: int | None) -> str | None:
    jobs = originals.count * math.ceil(copies / (shard_size or min(copies, MOST_ON_CPU)))
    if originals.count == 1 or jobs <= MOST_SHARDS:
        return None
    return (
        f"originals: {{count: {shown(originals.count)}}} makes {jobs:,} jobs of every method, too many to be planned. "
        "Set fewer originals, or a larger shard_size."
    )


def _original_is_single(original: str | None, originals: Originals) -> str | None:
    if original is not None and originals.written != 1:
        written = str(originals.written).replace("'", "")
        return f"originals: {written} does not go with original: {original}, which holds one model. Set originals: 1."
    return None


RULES: tuple[Rule, ...] = (
    (("copies", "shard_size"), _shards_divide_copies),
    (("copies", "shard_size"), _jobs_can_be_planned),
    (("results",), _results_have_a_folder),
    (("copies", "shard_size", "ceiling"), _half_splits_are_equal),
    (("originals", "copies", "shard_size"), _originals_can_be_planned),
    *DATA_RULES,
    *FORGET_RULES,
    *MODEL_RULES,
    *TRAINING_RULES,
    *TUNING_RULES,
    (("original", "originals"), _original_is_single),
)


def rule_problems(config: Config, bad_keys: Set[str] = frozenset()) -> list[str]:
    """Apply each rule whose fields are all sound, so that one wrong field does not hide other problems.

    Parameters
    ----------
    config : values in their types; what is under ``bad_keys`` may be absent
    bad_keys : dotted keys
    """
    problems = []
    for keys, rule in RULES:
        if not any(overlap(key, bad) for key in keys for bad in bad_keys):
            problem = rule(*(attrgetter(key)(config) for key in keys))
            if problem is not None:
                problems.append(problem)
    return problems


def overlap(key: str, other: str) -> bool:
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")
