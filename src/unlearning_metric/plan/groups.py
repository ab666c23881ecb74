"""Which models and files there are: shards, groups of copies, and where each lies.

Nothing heavy is imported: the Snakefile uses this while it is parsed.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path

from unlearning_metric.config import Config, unknown_method_message
from unlearning_metric.plan.methods import MethodEntry
from unlearning_metric.store.shards import original_folder, original_number, shard_models, shard_names
from unlearning_metric.user_code.contract import ORACLE_METHOD


class Groups:
    """Groups of models, as ``full``, ``retain`` and ``unlearn/<method>``, and their files within the results folder.

    Attributes
    ----------
    config : the checked configuration
    methods : method name -> entry, sorted by name: files of the folder, and entries that name a file
    shards : of the retrained models, and of each method's copies
    """

    config: Config
    methods: dict[str, MethodEntry]
    shards: list[str]

    @property
    def shard_size(self) -> int:
        """Models that a job handles, at most."""
        return max(len(shard_models(shard)) for shard in self.shards)

    @cached_property
    def original_shards(self) -> list[str]:
        """Shards of the original models: one each, so that more of them retrain none. One a copy are cut as those."""
        if self.config.originals.per_copy:
            return self.shards
        return shard_names(self.config.originals.count, 1)

    @property
    def originals(self) -> int:
        """Number of original models."""
        return self.config.originals.number(self.config.copies)

    def copy_groups(self, method: str) -> list[str]:
        """Groups of a method's copies: one for each original that all of a group start from."""
        return [f"unlearn/{method}{original_folder(number)}" for number in range(self.config.originals.count)]

    @property
    def scored_methods(self) -> list[str]:
        """Methods of the leaderboard: every one but those under ``skip``."""
        return [name for name in self.methods if name not in self.config.skip]

    def method(self, name: str) -> MethodEntry:
        """A method by its name.

        Raises
        ------
        ValueError
            If there is no such method; says which there are.
        """
        if name not in self.methods:
            raise ValueError(unknown_method_message(name, self.methods))
        return self.methods[name]

    def method_file(self, name: str) -> Path:
        """File of a method. Raises as `method` does."""
        return self.method(name).file

    def is_imported(self, group: str) -> bool:
        """Whether the outputs of a group of models were made elsewhere, so that it has no models here."""
        return group.startswith("unlearn/") and self.method(method_of(group)).is_dump

    def score_groups(self, method: str) -> dict[str, str]:
        """Name of each side of a score -> the group of models it comes from."""
        first, *others = self.copy_groups(method)
        # In the order of the originals.
        more = {f"unlearned_{number:04d}": group for number, group in enumerate(others, 1)}
        groups = {"retrained": "retain", "unlearned": first, **more, "originals": "full"}
        if self.config.ceiling == "retrain":
            groups["ceiling"] = "unlearn/retrain"
        return groups

    def group_shards(self, group: str) -> list[str]:
        """Shards of a group of models."""
        return self.original_shards if group == "full" else self.shards

    def model_files(self, group: str) -> list[str]:
        """Files of all shards of a group of models, within the results folder."""
        return [f"models/{group}/{shard}.safetensors" for shard in self.group_shards(group)]

    def longest(self) -> list[str]:
        """Files, within the results folder, whose jobs take longest: those of models that are trained from scratch."""
        again = self.copy_groups(ORACLE_METHOD) if ORACLE_METHOD in self.methods else []
        groups = ["retain", *(group for group in again if not self.is_imported(group))]
        return [path for group in groups for path in self.model_files(group)]

    def dump_files(self, group: str) -> list[str]:
        """Dumps of all shards of a group of models, within the results folder."""
        return [f"losses/{group}/{shard}.parquet" for shard in self.group_shards(group)]

    def score_files(self, method: str) -> list[str]:
        """What scoring a method makes: document, per-example table, and replicates for comparing it with others."""
        return [f"score_{method}.json", f"samples_{method}.parquet", f"replicates_{method}.npz"]

    def report_groups(self, methods: Collection[str]) -> list[str]:
        """Groups of models whose outputs a report on these methods shows; none where there is nothing to report on."""
        return ["retain", *(group for name in methods for group in self.copy_groups(name))] if methods else []


def method_of(group: str) -> str:
    """The method of a group of copies."""
    return group.split("/")[1]


def original_of(group: str) -> int:
    """Number of the original that a group of copies starts from."""
    return original_number("/".join(group.split("/")[2:]))
