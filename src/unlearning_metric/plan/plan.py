"""From a configuration to what each rule needs: shards, settings and keys.

Nothing heavy is imported: the Snakefile uses this while it is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_metric.config import NEUTRAL, Config
from unlearning_metric.keys.origin import Origin
from unlearning_metric.plan.grid import point_name
from unlearning_metric.plan.methods import MethodEntry, method_entries
from unlearning_metric.plan.origins import Origins, without_neutral
from unlearning_metric.plan.shards import planned_shards
from unlearning_metric.plan.steps import STEPS, TUNED, TUNING, Step
from unlearning_metric.plan.user_functions import with_own_functions
from unlearning_metric.store.shards import shard_models
from unlearning_metric.user_code.interface import Interface

if TYPE_CHECKING:
    from unlearning_metric.plan.tuning import TuningPlan

_SHARD, _METHOD = r"(?P<shard>[0-9]+-[0-9]+)", r"(?P<method>[A-Za-z0-9_]+)"
_ORIGINAL = r"(?P<original>(/original_[0-9]{4})?)"
#: Path within the results folder -> rule that makes it.
_PLACES: tuple[tuple[str, str], ...] = (
    (r"data/dataset\.npz", "prepare_data"),
    (r"data/difficulty\.npz", "difficulty"),
    (r"data/split\.npz", "split_data"),
    (rf"models/full/{_SHARD}\.safetensors", "train_full"),
    (rf"models/retain/{_SHARD}\.safetensors", "train_retain"),
    (rf"models/unlearn/{_METHOD}{_ORIGINAL}/{_SHARD}\.safetensors", "unlearn"),
    (rf"losses/unlearn/{_METHOD}{_ORIGINAL}/{_SHARD}\.parquet", "import_dump"),
    (rf"losses/(?P<group>full|retain)/{_SHARD}\.parquet", "dump_losses"),
    (rf"{TUNED}/{_METHOD}\.json", "tune"),
    (rf"check_{_METHOD}\.json", "check"),
    (rf"(score_{_METHOD}\.json|samples_(?P<table>[A-Za-z0-9_]+)\.parquet|replicates_(?P<paired>[A-Za-z0-9_]+)\.npz)",
     "score"),
    (r"leaderboard\.(json|csv|md|tex|html)", "leaderboard"),
    (r"report\.html|figures/[^/]+\.(png|pdf)", "report"),
)  # fmt: skip


@dataclass(frozen=True)
class Artifact:
    """A file that the workflow makes: its path within the results folder, and what it is made from."""

    path: str
    origin: Origin


class Plan(Origins):
    """The steps of a configuration, with all that each is told and made from.

    Parameters
    ----------
    config : the checked configuration
    methods : name -> path of every file in methods/

    Raises
    ------
    ConfigError
        If an entry under ``methods`` does not fit its file (see `methods.method_entries`), or net or training theirs
        (see `user_functions.with_own_functions`), or the models do not fit files of the results folder (see
        `shards.planned_shards`).
    """

    def __init__(self, config: Config, methods: Mapping[str, Path]) -> None:
        config, shards = planned_shards(config)
        config = with_own_functions(config)
        self._set(config, method_entries(config, methods), {}, shards)

    def _set(
        self, config: Config, methods: dict[str, MethodEntry], fingerprints: dict[str, str], shards: list[str]
    ) -> None:
        self.config = config
        self.shards = shards
        #: Method name -> entry, sorted by name: files of the folder, and entries that name a file.
        self.methods = methods
        self._fingerprints = fingerprints
        self._whole = config.model_dump(mode="json")
        self._tracked = self._by_content(without_neutral(self._whole, NEUTRAL))
        # Asked for by every job of the rules.
        self.training_origin = cache(self.training_origin)  # type: ignore[method-assign]
        self.unlearning_origin = cache(self.unlearning_origin)  # type: ignore[method-assign]
        self.check_origin = cache(self.check_origin)  # type: ignore[method-assign]
        self.dump_origin = cache(self.dump_origin)  # type: ignore[method-assign]
        self.score_origin = cache(self.score_origin)  # type: ignore[method-assign]
        self.step = cache(self.step)  # type: ignore[method-assign]

    def record(self) -> dict[str, Any]:
        """The plan as JSON, with the fingerprints of all the user's files: `recorded` makes the same plan of it."""
        for artifact in self.artifacts():
            _ = artifact.origin
        for name in self.methods:
            _ = [self.dump_origin(group) for group in self.copy_groups(name)]
        _ = self.report_origin()
        entries = [
            {**asdict(entry), "file": str(entry.file), "arguments": sorted(entry.arguments),
             "interface": entry.interface.settings()}
            for entry in self.methods.values()
        ]  # fmt: skip
        return {"config": self._whole, "methods": entries, "fingerprints": self._fingerprints, "shards": self.shards}

    @classmethod
    def recorded(cls, record: Mapping[str, Any]) -> Plan:
        """The plan that `record` describes, whatever the files say by now: no file of the user's is read."""
        plan = cls.__new__(cls)
        entries = (
            MethodEntry(
                **{
                    **entry,
                    "file": Path(entry["file"]),
                    "arguments": frozenset(entry["arguments"]),
                    "interface": Interface.of(entry["interface"]),
                    "unfilled": tuple(entry["unfilled"]),
                }
            )
            for entry in record["methods"]
        )
        config = Config.model_validate(record["config"])
        plan._set(config, {entry.name: entry for entry in entries}, dict(record["fingerprints"]), record["shards"])
        return plan

    @cached_property
    def tuning(self) -> TuningPlan | None:
        """The experiment in which hyper-parameters are chosen; None where no method has a grid."""
        if not any(entry.tune for entry in self.methods.values()):
            return None
        from unlearning_metric.plan.tuning import TuningPlan

        return TuningPlan(self)

    def point_keys(self, method: str) -> dict[str, str]:
        """What each point of a method's grid is called -> key of its score; nothing without a grid."""
        if self.tuning is None:
            return {}
        names = (point_name(method, point) for point in self.method(method).points)
        return {name: self.tuning.score_origin(name).key for name in names}

    def step(self, rule: str, **wildcards: str) -> Step:
        """The record of one job. Raises as `method` does."""
        if rule.startswith(f"{TUNING}_") and self.tuning is not None:
            return self.tuning.step(rule.removeprefix(f"{TUNING}_"), **wildcards)
        return replace(STEPS[rule](self, **wildcards), wildcards=wildcards)

    def maker(self, path: str) -> Step | None:
        """The step that makes a file of the results folder; None where none does."""
        return _maker(self, path)

    def steps(self) -> Iterator[Step]:
        """Every step of the configuration's own methods, in the order the data flows."""
        yield self.step("prepare_data")
        if self.needs_difficulty:
            yield self.step("difficulty")
        yield self.step("split_data")
        if self.tuning is not None:
            yield from self.tuning.steps()
            yield from (self.step("tune", method=name) for name, entry in self.methods.items() if entry.tune)
        for group in ("full", "retain", *(group for name in self.scored_methods for group in self.copy_groups(name))):
            models = () if self.is_imported(group) else self.model_files(group)
            for path in (*models, *self.dump_files(group)):
                step = self.maker(path)
                assert step is not None
                yield step
        for name in self.scored_methods:
            yield self.step("score", method=name)
        if self.scored_methods:
            yield self.step("leaderboard")
            yield self.step("report")

    def artifacts(self) -> Iterator[Artifact]:
        """Every file of the configuration's own methods, in the order the data flows."""
        for step in self.steps():
            for path in step.outputs:
                yield Artifact(path, step.origin)

    def on_demand(self, results: Path | str) -> Iterator[Artifact]:
        """Files in ``results`` that are made only when asked for by name."""
        for name in self.methods:
            if Path(results, f"check_{name}.json").exists():
                yield Artifact(f"check_{name}.json", self.check_origin(name))

    def other_shard_sizes(self, results: Path | str) -> list[str]:
        """Files of models or dumps in ``results`` that come from another ``shard_size``."""
        wrong, planned, size = [], set(self.shards), self.shard_size
        for folder in ("models", "losses"):
            for path in sorted(Path(results, folder).glob("**/*-*.*")):
                relative = path.relative_to(results).as_posix()
                if not path.name.startswith(".") and not relative.startswith(f"{folder}/full/"):
                    models = shard_models(path.stem)
                    beyond = bool(models) and models[0] >= self.config.copies
                    # Of more copies than are asked for by now.
                    cut = beyond and (self.config.shard_size is None or (len(models) == size and models[0] % size == 0))
                    if models and not cut and path.stem not in planned:
                        wrong.append(relative)
        return wrong


def _maker(plan: Plan, path: str) -> Step | None:
    """The step that makes a file; None where no step of this plan does.

    Parameters
    ----------
    path : within the results folder
    """
    if path.startswith(f"{TUNING}/"):
        return None if plan.tuning is None else plan.tuning.maker(path.removeprefix(f"{TUNING}/"))
    for pattern, rule in _PLACES:
        found = re.fullmatch(pattern, path)
        if found is None:
            continue
        given = {name: value for name, value in found.groupdict().items() if value is not None}
        if rule == "score":
            given = {"method": next(iter(given.values()))}
        if given.get("method", "") not in {"", *plan.methods}:
            return None
        if rule == "tune" and not plan.methods[given["method"]].tune:
            return None
        if rule == "train_full" and plan.config.original is not None:
            rule = "import_original"
        elif rule == "import_dump" and not plan.method(given["method"]).is_dump:
            group = f"unlearn/{given['method']}{given['original']}"
            rule, given = "dump_losses", {"group": group, "shard": given["shard"]}
        return plan.step(rule, **given)
    return None
