"""A step of the graph as one record: what it makes, from which files, and what its job is told.

Everything that walks the graph follows these records: the workflow's rules, the search for what has to be made anew,
the doctor and the sweeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_metric.keys.origin import Origin
from unlearning_metric.store.shards import original_number, shard_models
from unlearning_metric.user_code.contract import ORACLE_METHOD

if TYPE_CHECKING:
    from unlearning_metric.plan.origins import Origins

DATASET, DIFFICULTY, SPLIT = "data/dataset.npz", "data/difficulty.npz", "data/split.npz"
#: Folders of the experiment in which hyper-parameters are chosen, and of what was chosen.
TUNING, TUNED = "tuning", "tuned"
#: Of what a job is told: name of an input -> the key that its header must carry.
INPUT_KEYS = "input_keys"
#: Of the inputs of that experiment's split: the scored one.
APART_FROM = "apart_from"

#: Rules whose files are computed in no time from others of the same folder: they may always be made anew.
DERIVED = frozenset({"check", "score", "leaderboard", "report", "tune", f"{TUNING}_score"})


@dataclass(frozen=True)
class Step:
    """One job of the graph.

    Attributes
    ----------
    rule : name of the rule that makes it
    outputs : files with a header that it makes, within the results folder
    origin : what they depend on; its key stands in their headers
    inputs : name -> file of the results folder that it reads, or a list of them
    arguments : name -> what its job is told besides files: JSON-serialisable
    files : name -> file of the user's that its job opens
    wildcards : of the rule
    """

    rule: str
    outputs: tuple[str, ...]
    origin: Origin
    inputs: Mapping[str, str | list[str]] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    wildcards: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.outputs)

    @property
    def derived(self) -> bool:
        """Whether its files may be made anew without a question."""
        return self.rule in DERIVED

    def reads(self) -> Iterator[str]:
        """Every file of the results folder that it reads."""
        for paths in self.inputs.values():
            yield from [paths] if isinstance(paths, str) else paths


def prepare_data(plan: Origins) -> Step:
    """Data source -> data set."""
    told = {"settings": plan.config.data.model_dump(mode="json"), "experiment_seed": plan.config.experiment_seed}
    return Step("prepare_data", (DATASET,), plan.data_origin, arguments=told)


def difficulty(plan: Origins) -> Step:
    """Data set -> how hard its examples are."""
    told = {"settings": plan.difficulty_settings, INPUT_KEYS: {"dataset": plan.data_origin.key}}
    return Step("difficulty", (DIFFICULTY,), plan.difficulty_origin, {"dataset": DATASET}, told)


def split_data(plan: Origins) -> Step:
    """Data set -> split."""
    inputs, keys = {"dataset": DATASET}, {"dataset": plan.data_origin.key}
    if plan.needs_difficulty:
        inputs["difficulty"] = DIFFICULTY
        keys["difficulty"] = plan.difficulty_origin.key
    told = {
        "settings": plan.split_settings,
        "experiment_seed": plan.config.experiment_seed,
        INPUT_KEYS: keys,
    }
    return Step("split_data", (SPLIT,), plan.split_origin, inputs, told)


def _of_split(plan: Origins) -> tuple[dict[str, Any], dict[str, str]]:
    """Inputs that every step behind the split has, and their keys."""
    keys = {"dataset": plan.data_origin.key, "split": plan.split_origin.key}
    return {"dataset": DATASET, "split": SPLIT}, keys


def train(plan: Origins, role: str, shard: str) -> Step:
    """Data set and split -> models trained from scratch."""
    inputs, keys = _of_split(plan)
    told = {INPUT_KEYS: keys, "settings": plan.training_settings, "role": role, "models": shard_models(shard)}
    return Step(f"train_{role}", (f"models/{role}/{shard}.safetensors",), plan.training_origin(role), inputs, told)


def import_original(plan: Origins, shard: str) -> Step:
    """A checkpoint of the user's -> the original model."""
    told = {INPUT_KEYS: {"dataset": plan.data_origin.key}, "model_settings": plan.original_settings}
    output = (f"models/full/{shard}.safetensors",)
    files = {"checkpoint": Path(plan.config.original or "")}
    return Step("import_original", output, plan.training_origin("full"), {"dataset": DATASET}, told, files)


def _oracles(plan: Origins, method: str, shard: str, original: str = "") -> tuple[dict[str, Any], dict[str, str]]:
    """The same shard of the method retrain, and its key, for a method that asks for oracle_model."""
    if not plan.method(method).needs_oracle:
        return {}, {}
    key = plan.unlearning_origin(ORACLE_METHOD, original_number(original)).key
    return {"oracles": [f"models/unlearn/{ORACLE_METHOD}{original}/{shard}.safetensors"]}, {"oracles": key}


def _tuned(plan: Origins, method: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The file that says which hyper-parameters were chosen, and its key, for a method with a grid."""
    if not plan.method(method).tune:
        return {}, {}
    return {"tuned": f"{TUNED}/{method}.json"}, {"tuned": plan.tuned_origin(method).key}


def tune(plan: Origins, method: str) -> Step:
    """Score documents of every point of a grid -> the point to take. Raises ValueError where there is no grid."""
    points, keys = plan.method(method).points, plan.point_keys(method)
    if not keys:
        raise ValueError(f"methods.{method} has no tune, so there is nothing to choose.")
    inputs: dict[str, str | list[str]] = {"scores": [f"{TUNING}/score_{name}.json" for name in keys]}
    told = {"points": points, "keys": list(keys.values())}
    return Step("tune", (f"{TUNED}/{method}.json",), plan.tuned_origin(method), inputs, told)


def unlearn(plan: Origins, method: str, shard: str, original: str = "") -> Step:
    """Originals and a method's file -> unlearned models.

    ``original`` is the folder of the copies from another original than the first (`shards.original_folder`).
    """
    inputs, keys = _of_split(plan)
    number, per_copy = original_number(original), plan.config.originals.per_copy
    oracles, oracles_key = _oracles(plan, method, shard, original)
    tuned, tuned_key = _tuned(plan, method)
    told = {
        INPUT_KEYS: {**keys, **oracles_key, **tuned_key, "originals": plan.training_origin("full").key},
        "copies": {
            "method": method,
            "models": shard_models(shard),
            "original": None if per_copy else number,
            "max_seconds": plan.config.max_seconds_per_copy,
        },
        "settings": plan.unlearning_settings(method),
    }
    # With an original a copy, their shards are cut as those of the copies.
    needed = plan.shards.index(shard) if per_copy else number
    inputs |= {"originals": [plan.model_files("full")[needed]], **oracles, **tuned}
    output = (f"models/unlearn/{method}{original}/{shard}.safetensors",)
    files = {"method_file": plan.method_file(method)}
    return Step("unlearn", output, plan.unlearning_origin(method, number), inputs, told, files)


def check(plan: Origins, method: str) -> Step:
    """The first original and a method's file -> what three copies of it show. Raises ValueError where none can run."""
    results = plan.config.results.rstrip("/")
    if plan.method(method).is_dump:
        raise ValueError(
            f"methods.{method} is a dump of outputs: there is no function to check. Score it: "
            f"snakemake {results}/score_{method}.json"
        )
    inputs, keys = _of_split(plan)
    oracles, oracles_key = _oracles(plan, method, plan.shards[0])
    told = {
        INPUT_KEYS: {**keys, **oracles_key, "originals": plan.training_origin("full").key},
        "copies": {"method": method, "models": [0, 1], "max_seconds": plan.config.max_seconds_per_copy},
        "costs": {
            "copies": plan.config.copies,
            "limit": plan.config.efficiency.limit,
            "measure": plan.config.efficiency.measure,
            # They say how long retraining takes, and need not be there.
            "retrained": {
                **{f"{results}/{path}": plan.dump_origin("retain").key for path in plan.dump_files("retain")},
                **{f"{results}/{path}": plan.training_origin("retain").key for path in plan.model_files("retain")},
            },
        },
        "settings": plan.check_settings(method),
    }
    inputs |= {"originals": [plan.model_files("full")[0]], **oracles}
    files = {"method_file": plan.method_file(method)}
    return Step("check", (f"check_{method}.json",), plan.check_origin(method), inputs, told, files)


def dump_losses(plan: Origins, group: str, shard: str) -> Step:
    """A shard of models -> their outputs."""
    inputs, keys = _of_split(plan)
    told = {
        INPUT_KEYS: {**keys, "shard": plan.models_origin(group).key},
        "model_settings": plan.config.model.model_dump(mode="json"),
    }
    inputs["shard"] = f"models/{group}/{shard}.safetensors"
    return Step("dump_losses", (f"losses/{group}/{shard}.parquet",), plan.dump_origin(group), inputs, told)


def import_dump(plan: Origins, method: str, shard: str, original: str = "") -> Step:
    """Outputs of models made elsewhere -> a shard of outputs. ``original`` as for `unlearn`."""
    inputs, keys = _of_split(plan)
    group = f"unlearn/{method}{original}"
    told = {
        INPUT_KEYS: keys,
        "copies": {"method": method, "models": shard_models(shard), "original": original_number(original)},
        "per_original": plan.config.copies,
        "originals": plan.config.originals.count,
    }
    files = {"dump": plan.method_file(method)}
    output = (f"losses/{group}/{shard}.parquet",)
    return Step("import_dump", output, plan.dump_origin(group), inputs, told, files)


def score(plan: Origins, method: str) -> Step:
    """Outputs of every side -> score document, per-example table, replicates."""
    inputs: dict[str, str | list[str]] = {
        name: plan.dump_files(group) for name, group in plan.score_groups(method).items()
    }
    tuned, tuned_key = _tuned(plan, method)
    inputs |= tuned
    told = {
        INPUT_KEYS: {**plan.score_keys(method), **tuned_key},
        "settings": plan.score_settings(method),
        "on_diverged": plan.config.on_diverged,
    }
    return Step("score", tuple(plan.score_files(method)), plan.score_origin(method), inputs, told)


def leaderboard(plan: Origins) -> Step:
    """Score documents -> leaderboard."""
    inputs = {
        "scores": [f"score_{method}.json" for method in plan.scored_methods],
        "replicates": [f"replicates_{method}.npz" for method in plan.scored_methods],
    }
    origin = plan.leaderboard_origin()
    told = {"keys": dict(origin.inputs), "exclude_slow": plan.config.efficiency.exclude}
    return Step("leaderboard", ("leaderboard.json",), origin, inputs, told)


def report(plan: Origins) -> Step:
    """Leaderboard, scores with their tables, outputs and data -> report."""
    groups = plan.report_groups(plan.scored_methods)
    inputs: dict[str, str | list[str]] = {
        "leaderboard": "leaderboard.json",
        "scores": [f"score_{method}.json" for method in plan.scored_methods],
        "samples": [f"samples_{method}.parquet" for method in plan.scored_methods],
        "dumps": [path for group in groups for path in plan.dump_files(group)],
        "dataset": DATASET,
    }
    told = {
        "keys": {group: plan.dump_origin(group).key for group in groups},
        "score_keys": dict(plan.leaderboard_origin().inputs),
        INPUT_KEYS: {"dataset": plan.data_origin.key},
        "board_key": plan.leaderboard_origin().key,
        "method_files": {name: str(plan.method_file(name)) for name in plan.scored_methods},
    }
    return Step("report", ("report.html",), plan.report_origin(), inputs, told)


#: Rule -> what makes its record, given the plan and the rule's wildcards.
STEPS: dict[str, Callable[..., Step]] = {
    "prepare_data": prepare_data,
    "difficulty": difficulty,
    "split_data": split_data,
    "train_full": lambda plan, shard: train(plan, "full", shard),
    "train_retain": lambda plan, shard: train(plan, "retain", shard),
    "import_original": import_original,
    "unlearn": unlearn,
    "tune": tune,
    "check": check,
    "dump_losses": dump_losses,
    "import_dump": import_dump,
    "score": score,
    "leaderboard": leaderboard,
    "report": report,
}
