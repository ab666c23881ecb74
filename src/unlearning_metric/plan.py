"""From a configuration to what each rule needs: shards, settings and keys.

Nothing heavy is imported: the Snakefile uses this while it is parsed.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from unlearning_metric.config import Config, unknown_method_message
from unlearning_metric.keys import code_fingerprint, content_fingerprint, key, method_fingerprint


def shard_name(first: int, last: int) -> str:
    """Name of a shard: its first and last model, so that shards of another size never mix."""
    return f"{first:04d}-{last:04d}"


def shard_names(models: int, shard_size: int) -> list[str]:
    """Names of the shards of models 0..models-1; ``shard_size`` divides ``models``."""
    return [shard_name(first, first + shard_size - 1) for first in range(0, models, shard_size)]


def shard_models(name: str) -> list[int]:
    """Model indices of a shard."""
    first, last = map(int, name.split("-"))
    return list(range(first, last + 1))


def find_methods(folder: Path | str) -> dict[str, Path]:
    """Method name -> file, for every file of the folder but ``_*.py``, sorted by name."""
    return {path.stem: path for path in sorted(Path(folder).glob("*.py")) if not path.stem.startswith("_")}


class Plan:
    """Settings and keys of every rule.

    Parameters
    ----------
    config : the checked configuration
    methods : method name -> file
    scripts : folder of the rules' scripts, whose code enters the keys
    """

    def __init__(self, config: Config, methods: dict[str, Path], scripts: Path | str) -> None:
        self.config, self.methods, self.scripts = config, methods, Path(scripts)
        self._whole = config.model_dump(mode="json")

    def _slice(self, *names: str) -> dict[str, Any]:
        return {name: self._whole[name] for name in names}

    def _code(self, script: str) -> str:
        return code_fingerprint(self.scripts / f"{script}.py")

    # Which models there are -------------------------------------------------------------------------------

    @cached_property
    def shards(self) -> list[str]:
        """Shards of the retrained models, and of each method's copies."""
        return shard_names(self.config.copies, self.config.shard_size)

    @cached_property
    def original_shards(self) -> list[str]:
        """Shards of the original models: one each, so that more of them retrain none."""
        return shard_names(self.config.originals, 1)

    @property
    def scored_methods(self) -> list[str]:
        """Methods of the leaderboard: every file in the folder but those under ``skip``."""
        return [name for name in self.methods if name not in self.config.skip]

    def method_file(self, method: str) -> Path:
        """File of a method.

        Raises
        ------
        ValueError
            If there is no such method; says which there are.
        """
        if method not in self.methods:
            raise ValueError(unknown_method_message(method, self.methods))
        return self.methods[method]

    # What each rule's result depends on -------------------------------------------------------------------

    @cached_property
    def data_key(self) -> str:
        """Key of the data set."""
        data = self.config.data
        settings = {"source": data.source, "seed": self.config.experiment_seed}
        if data.source == "digits":
            settings["test_size"] = data.test_size
        if data.path is not None:
            settings["content"] = content_fingerprint(data.path)
        return key(settings, self._code("prepare_data"))

    @cached_property
    def split_settings(self) -> dict[str, Any]:
        """What the split depends on."""
        sizes = {name: self._whole["data"][name] for name in ("train_size", "test_size", "validation_size")}
        return {**sizes, **self._slice("forget", "probe_size")}

    @cached_property
    def split_key(self) -> str:
        """Key of the split."""
        settings = {**self.split_settings, "seed": self.config.experiment_seed}
        return key(settings, self._code("split_data"), [self.data_key])

    @cached_property
    def training_settings(self) -> dict[str, Any]:
        """What a model trained from scratch depends on."""
        return self._slice("experiment_seed", "model", "training")

    def training_key(self, role: str) -> str:
        """Key of the models of role ``full`` or ``retain``."""
        settings = {**self.training_settings, "role": role}
        return key(settings, self._code("train"), [self.split_key])

    def unlearning_settings(self, method: str) -> dict[str, Any]:
        """What a copy of a method depends on, besides its file and the originals."""
        return {**self.training_settings, "options": self._whole["methods"].get(method, {})}

    def unlearning_key(self, method: str) -> str:
        """Key of the copies of a method."""
        settings = {
            **self.unlearning_settings(method),
            "method": method,
            "file": method_fingerprint(self.method_file(method)),
            "originals": self.config.originals,
        }
        return key(settings, self._code("unlearn"), [self.split_key, self.training_key("full")])

    def models_key(self, group: str) -> str:
        """Key of the models of a group: ``full``, ``retain`` or ``unlearn/<method>``."""
        role, _, method = group.partition("/")
        return self.unlearning_key(method) if role == "unlearn" else self.training_key(role)

    def dump_key(self, group: str) -> str:
        """Key of the dumps of a group of models."""
        settings = {"group": group, **self._slice("model")}
        return key(settings, self._code("dump_losses"), [self.split_key, self.models_key(group)])

    def score_groups(self, method: str) -> dict[str, str]:
        """Name of each side of a score -> the group of models it comes from."""
        groups = {"retrained": "retain", "unlearned": f"unlearn/{method}", "originals": "full"}
        if self.config.ceiling == "retrain":
            groups["ceiling"] = "unlearn/retrain"
        return groups

    def group_shards(self, group: str) -> list[str]:
        """Shards of a group of models."""
        return self.original_shards if group == "full" else self.shards

    def score_settings(self, method: str) -> dict[str, Any]:
        """The parts of the configuration that can change a method's score document."""
        names = (
            "experiment_seed", "copies", "originals", "ceiling", "data", "forget", "probe_size", "model",
            "training", "delta", "efficiency_limit",
        )  # fmt: skip
        settings = {**self._slice(*names), "options": self._whole["methods"].get(method, {})}
        # Where a user's file lies changes no number; what it holds enters through the keys.
        settings["data"] = {name: value for name, value in settings["data"].items() if name != "path"}
        return settings

    def score_keys(self, method: str) -> dict[str, str]:
        """Key of the dumps of each side of a score."""
        return {name: self.dump_key(group) for name, group in self.score_groups(method).items()}

    def score_key(self, method: str) -> str:
        """Key of a score document."""
        inputs = list(self.score_keys(method).values())
        return key({**self.score_settings(method), "method": method}, self._code("score"), inputs)

    def leaderboard_key(self) -> str:
        """Key of the leaderboard."""
        return key({}, self._code("leaderboard"), [self.score_key(name) for name in self.scored_methods])
