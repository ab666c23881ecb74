"""What each file depends on: the settings, files of the user's and keys of inputs that its key is made of."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from unlearning_metric.config import BY_DIFFICULTY
from unlearning_metric.data import SOURCES
from unlearning_metric.keys.folder_content import folder_fingerprint
from unlearning_metric.keys.origin import Origin, content_fingerprint, method_fingerprint, weights_fingerprint
from unlearning_metric.plan.grid import with_point
from unlearning_metric.plan.groups import Groups, method_of, original_of
from unlearning_metric.user_code.contract import ORACLE_METHOD
from unlearning_metric.user_code.interface import own_modules_called


def _accepted(whole: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``efficiency`` the verdict on a method's cost depends on."""
    return {name: whole["efficiency"][name] for name in ("limit", "measure") if name in whole["efficiency"]}


def without_neutral(settings: Mapping[str, Any], neutral: Mapping[str, Any]) -> dict[str, Any]:
    """Settings less those that stand at their neutral value: what they were before they could be set.

    Parameters
    ----------
    settings : nested mappings
    neutral : dotted name -> neutral value, or a tuple of them
    """
    kept = copy.deepcopy(dict(settings))
    for name, value in neutral.items():
        *parents, last = name.split(".")
        section = kept
        for parent in parents:
            section = section.get(parent, {})
        if last in section and section[last] in (value if isinstance(value, tuple) else (value,)):
            del section[last]
    return kept


#: Key of the configuration that names a file of the user's -> what of the file enters the keys in its place.
CONTENT: dict[str, Callable[[Path | str], str]] = {
    "forget.path": content_fingerprint,
    "model.file": method_fingerprint,
    "model.weights": weights_fingerprint,
    "training.file": method_fingerprint,
    "original": content_fingerprint,
}


class Origins(Groups):
    """Settings and origins of every rule's files.

    What a job is given is complete (``..._settings``); what enters its key leaves out the settings that stand at
    their neutral value, so that a new key of the configuration rebuilds nothing.
    """

    _whole: dict[str, Any]
    _tracked: dict[str, Any]
    _fingerprints: dict[str, str]

    def _fingerprint(self, take: Callable[..., str], path: Path | str, *more: Any) -> str:
        name = f"{take.__name__}:{path}{more or ''}"
        if name not in self._fingerprints:
            self._fingerprints[name] = take(path, *more)
        return self._fingerprints[name]

    def _by_content(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings in which fingerprints stand for the user's files: what they hold counts, not where they lie."""
        changed = copy.deepcopy(settings)
        for name, fingerprint in CONTENT.items():
            *parents, last = name.split(".")
            section = changed
            for parent in parents:
                section = section.get(parent, {})
            if section.get(last) is not None:
                section[last] = self._fingerprint(fingerprint, section[last])
        return changed

    def _slice(self, *names: str) -> dict[str, Any]:
        return {name: self._whole[name] for name in names}

    def _track(self, *names: str) -> dict[str, Any]:
        return {name: self._tracked[name] for name in names if name in self._tracked}

    @cached_property
    def data_origin(self) -> Origin:
        """Origin of the data set."""
        data = self._tracked["data"]
        named = ("source", "image_size", "normalize", "mean", "std")
        settings = {**{name: data[name] for name in named if name in data}, **self._track("experiment_seed")}
        source = SOURCES[data["source"]]
        if source.divides:
            settings["test_size"] = data["test_size"]
        if source.reads:
            read = {"file": content_fingerprint, "folder": folder_fingerprint}[source.reads]
            settings["content"] = self._fingerprint(read, str(self.config.data.path))
        return Origin("prepare_data", settings)

    @property
    def needs_difficulty(self) -> bool:
        """Whether the split asks how hard each example is."""
        return self.config.forget.strategy in BY_DIFFICULTY

    @cached_property
    def difficulty_settings(self) -> dict[str, Any]:
        """What the measure of difficulty depends on, besides the data."""
        return self._difficulty_settings(self._whole)

    def _difficulty_settings(self, whole: dict[str, Any]) -> dict[str, Any]:
        sizes = {name: whole["data"][name] for name in ("train_size", "validation_size")}
        named = {name: whole[name] for name in ("experiment_seed", "model", "training")}
        return {**sizes, **named, "models": self.config.forget.difficulty_models}

    @cached_property
    def difficulty_origin(self) -> Origin:
        """Origin of the measure of difficulty."""
        settings = self._difficulty_settings(self._tracked)
        return Origin("difficulty", settings, {"data": self.data_origin.key})

    @cached_property
    def split_settings(self) -> dict[str, Any]:
        """What the split depends on."""
        return self._split_settings(self._whole)

    def _split_settings(self, whole: dict[str, Any]) -> dict[str, Any]:
        names = ("train_size", "test_size", "validation_size")
        sizes = {name: whole["data"][name] for name in names if name in whole["data"]}
        return {**sizes, **{name: whole[name] for name in ("forget", "probe_size") if name in whole}}

    @cached_property
    def split_origin(self) -> Origin:
        """Origin of the split."""
        settings = {**self._split_settings(self._tracked), **self._track("experiment_seed")}
        inputs = {"data": self.data_origin.key}
        if self.needs_difficulty:
            inputs["difficulty"] = self.difficulty_origin.key
        return Origin("split_data", settings, inputs)

    @cached_property
    def training_settings(self) -> dict[str, Any]:
        """What a model trained from scratch depends on."""
        return self._slice("experiment_seed", "model", "training")

    @cached_property
    def original_settings(self) -> dict[str, Any]:
        """The model that an original trained elsewhere must be."""
        return self._whole["model"]

    def training_origin(self, role: str) -> Origin:
        """Origin of the models of role ``full`` or ``retain``."""
        if role == "full" and self.config.original is not None:
            settings = self._track("model", "original")
            return Origin("import_original", settings, {"data": self.data_origin.key})
        settings = {**self._track("experiment_seed", "model", "training"), "role": role}
        return Origin("train", settings, {"split": self.split_origin.key})

    def unlearning_settings(self, method: str) -> dict[str, Any]:
        """What a copy of a method depends on, besides its file and the originals."""
        return {**self.training_settings, "trained_here": self.config.original is None, **self._contract(method)}

    def check_settings(self, method: str) -> dict[str, Any]:
        """The same of a check, which does not wait for a choice: the first point of a grid."""
        return {**self.unlearning_settings(method), **self._contract(method, at_first=True)}

    def _contract(self, method: str, at_first: bool = False) -> dict[str, Any]:
        entry = self.method(method)
        options, interface = dict(entry.options), entry.interface.settings()
        if at_first and entry.points:
            options, interface = with_point(options, interface, entry.points[0])
        told = {"function": entry.function, "batches": entry.batches, "options": options}
        # Absent where it says nothing: entries that need none have the keys that they had.
        return {**told, "interface": interface} if interface else told

    def point_keys(self, method: str) -> dict[str, str]:
        """What each point of a method's grid is called -> key of its score; a `Plan` knows those."""
        raise NotImplementedError

    def tuned_origin(self, method: str) -> Origin:
        """Origin of the choice of a method's hyper-parameters."""
        return Origin("tune", {"method": method, "points": self.method(method).points}, self.point_keys(method))

    def unlearning_origin(self, method: str, original: int = 0) -> Origin:
        """Origin of the copies of a method that start from an original."""
        return self._method_origin(method, "unlearn", original)

    def check_origin(self, method: str) -> Origin:
        """Origin of the document that says whether a method fits the contract."""
        return self._method_origin(method, "check", copies=self.config.copies, **_accepted(self._tracked))

    def _method_origin(self, method: str, step: str, original: int = 0, **more: Any) -> Origin:
        entry = self.method(method)
        contract = self._contract(method, at_first=step == "check")
        modules = own_modules_called(entry.interface.values)
        start = (entry.interface.root, modules) if entry.interface.root or modules else ()
        if "interface" in contract:
            # Where a folder lies changes nothing; what is in it does, and enters by the files that are imported.
            contract["interface"] = {name: value for name, value in contract["interface"].items() if name != "root"}
        settings = {
            **self._track("experiment_seed", "model", "training"),
            "originals": self._tracked["originals"] if self.config.originals.per_copy else 1,
            **contract,
            **more,
            "method": method,
            "file": self._fingerprint(method_fingerprint, entry.file, *start),
        }
        if original:
            # The first needs no mention: its copies are the same however many originals there are.
            settings["original"] = original
        inputs = {"split": self.split_origin.key, "original": self.training_origin("full").key}
        if self.method(method).needs_oracle:
            inputs["oracle"] = self.unlearning_origin(ORACLE_METHOD, original).key
        if entry.tune and step == "unlearn":
            inputs["tuned"] = self.tuned_origin(method).key
        return Origin(step, settings, inputs)

    def models_origin(self, group: str) -> Origin:
        """Origin of the models of a group: ``full``, ``retain``, ``unlearn/<method>`` or, from another original than
        the first, ``unlearn/<method>/original_<number>``.
        """
        if not group.startswith("unlearn/"):
            return self.training_origin(group)
        return self.unlearning_origin(method_of(group), original_of(group))

    def dump_origin(self, group: str) -> Origin:
        """Origin of the dumps of a group of models."""
        if self.is_imported(group):
            content = self._fingerprint(content_fingerprint, self.method_file(method_of(group)))
            settings = {"group": group, "copies": self.config.copies, "content": content}
            return Origin("import_dump", settings, {"split": self.split_origin.key})
        settings = {"group": group, **self._track("model")}
        inputs = {"split": self.split_origin.key, "models": self.models_origin(group).key}
        return Origin("dump_losses", settings, inputs)

    def score_settings(self, method: str) -> dict[str, Any]:
        """The parts of the configuration that can change a method's score document."""
        settings = self._score_settings(self._whole, method)
        return {**settings, "data": {**settings["data"], **self._data_name()}}

    def bank_settings(self) -> dict[str, Any]:
        """What every score of this experiment has in common of `score_settings`."""
        return self._score_settings(self._whole, None)

    def _score_settings(self, whole: dict[str, Any], method: str | None) -> dict[str, Any]:
        names = (
            "experiment_seed", "copies", "originals", "ceiling", "data", "forget", "probe_size", "model",
            "training", "delta",
        )  # fmt: skip
        settings = {name: whole[name] for name in names if name in whole}
        settings["efficiency"] = _accepted(whole)
        if method is not None:
            entry = self.method(method)
            settings["options"] = dict(entry.options)
            if entry.interface.cuda is not None:
                settings["cuda"] = entry.interface.cuda
        # Where a user's file lies changes no number; what it holds enters through the keys.
        for section in ("model", "training"):
            settings[section] = {
                name: Path(value).name if name == "file" and value is not None else value
                for name, value in settings[section].items()
            }
        settings["forget"] = {name: value for name, value in settings["forget"].items() if name != "path"}
        settings["data"] = {name: value for name, value in settings["data"].items() if name != "path"}
        return settings

    def _data_name(self) -> dict[str, str]:
        """What the user's file or folder of data is called, for people; its content is in the keys."""
        data = self.config.data
        return {"path": Path(data.path).name} if SOURCES[data.source].reads and data.path else {}

    def score_keys(self, method: str) -> dict[str, str]:
        """Key of the dumps of each side of a score."""
        return {name: self.dump_origin(group).key for name, group in self.score_groups(method).items()}

    def score_origin(self, method: str) -> Origin:
        """Origin of a score document."""
        settings = {**self._score_settings(self._tracked, method), "method": method}
        if self.config.on_diverged == "fail":
            # Documents made under "keep" must be looked at again.
            settings["on_diverged"] = "fail"
        chosen = {"tuned": self.tuned_origin(method).key} if self.method(method).tune else {}
        return Origin("score", settings, {**self.score_keys(method), **chosen})

    def leaderboard_origin(self) -> Origin:
        """Origin of the leaderboard."""
        scores = {name: self.score_origin(name).key for name in self.scored_methods}
        exclude = {name: value for name, value in self._tracked["efficiency"].items() if name == "exclude"}
        return Origin("leaderboard", exclude, scores)

    def report_origin(self) -> Origin:
        """Origin of the report."""
        inputs = {"data": self.data_origin.key, "leaderboard": self.leaderboard_origin().key}
        return Origin("report", {}, inputs)
