"""From a configuration to what each rule needs: shards, settings and keys.

Nothing heavy is imported: the Snakefile uses this while it is parsed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_metric.config import BY_DIFFICULTY, NEUTRAL, Config, unknown_method_message
from unlearning_metric.data import SOURCES
from unlearning_metric.keys.folder_content import folder_fingerprint
from unlearning_metric.keys.origin import Origin, content_fingerprint, method_fingerprint, weights_fingerprint
from unlearning_metric.plan.grid import point_name, with_point
from unlearning_metric.plan.methods import MethodEntry, method_entries
from unlearning_metric.plan.shards import with_shard_size
from unlearning_metric.plan.steps import STEPS, TUNING, Step, maker
from unlearning_metric.plan.user_functions import with_own_functions
from unlearning_metric.store.shards import original_folder, original_number, shard_models, shard_names
from unlearning_metric.user_code.contract import ORACLE_METHOD
from unlearning_metric.user_code.interface import Interface, own_modules_called

if TYPE_CHECKING:
    from unlearning_metric.plan.tuning import TuningPlan


def find_methods(folder: Path | str) -> dict[str, Path]:
    """Method name -> file, for every file of the folder but ``_*.py``, sorted by name.

    Hidden files are none: editors keep locks and macOS keeps attributes under such names.
    """
    return {path.stem: path for path in sorted(Path(folder).glob("*.py")) if not path.stem.startswith(("_", "."))}


def _method_of(group: str) -> str:
    """The method of a group of copies."""
    return group.split("/")[1]


def _original_of(group: str) -> int:
    """Number of the original that a group of copies starts from."""
    return original_number("/".join(group.split("/")[2:]))


def _accepted(whole: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``efficiency`` the verdict on a method's cost depends on."""
    return {name: whole["efficiency"][name] for name in ("limit", "measure") if name in whole["efficiency"]}


@dataclass(frozen=True)
class Artifact:
    """A file that the workflow makes: its path within the results folder, and what it is made from."""

    path: str
    origin: Origin


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


class Plan:
    """Settings and origins of every rule.

    What a job is given is complete (``..._settings``); what enters its key leaves out the settings that stand at
    their neutral value, so that a new key of the configuration rebuilds nothing.

    Parameters
    ----------
    config : the checked configuration
    methods : name -> path of every file in methods/

    Raises
    ------
    ConfigError
        If an entry under ``methods`` does not fit its file (see `methods.method_entries`), or net or training theirs
        (see `user_functions.with_own_functions`), or the models do not fit files of the results folder (see
        `shards.with_shard_size`).
    """

    def __init__(self, config: Config, methods: Mapping[str, Path]) -> None:
        config = with_own_functions(with_shard_size(config))
        self._set(config, method_entries(config, methods), {})

    def _set(self, config: Config, methods: dict[str, MethodEntry], fingerprints: dict[str, str]) -> None:
        self.config = config
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
        return {"config": self._whole, "methods": entries, "fingerprints": self._fingerprints}

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
        plan._set(config, {entry.name: entry for entry in entries}, dict(record["fingerprints"]))
        return plan

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

    # Which models there are -------------------------------------------------------------------------------

    @cached_property
    def shards(self) -> list[str]:
        """Shards of the retrained models, and of each method's copies."""
        return shard_names(self.config.copies, self.config.shard_size)

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

    # What each rule's result depends on -------------------------------------------------------------------

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

    @cached_property
    def tuning(self) -> TuningPlan | None:
        """The experiment in which hyper-parameters are chosen; None where no method has a grid."""
        if not any(entry.tune for entry in self.methods.values()):
            return None
        from unlearning_metric.plan.tuning import TuningPlan

        return TuningPlan(self)

    def tuned_origin(self, method: str) -> Origin:
        """Origin of the choice of a method's hyper-parameters."""
        points = self.method(method).points
        assert self.tuning is not None
        keys = {name: self.tuning.score_origin(name).key for name in (point_name(method, one) for one in points)}
        return Origin("tune", {"method": method, "points": points}, keys)

    def unlearning_origin(self, method: str, original: int = 0) -> Origin:
        """Origin of the copies of a method that start from an original."""
        return self._method_origin(method, "unlearn", original)

    def check_origin(self, method: str) -> Origin:
        """Origin of the document that says whether a method fits the contract."""
        return self._method_origin(method, "check", copies=self.config.copies, **_accepted(self._tracked))

    def _method_origin(self, method: str, step: str, original: int = 0, **more: Any) -> Origin:
        entry = self.method(method)
        contract = self._contract(method, at_first=step == "check")
        modules = own_modules_called(entry.interface.arguments)
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
        return self.unlearning_origin(_method_of(group), _original_of(group))

    def is_imported(self, group: str) -> bool:
        """Whether the outputs of a group of models were made elsewhere, so that it has no models here."""
        return group.startswith("unlearn/") and self.method(_method_of(group)).is_dump

    def dump_origin(self, group: str) -> Origin:
        """Origin of the dumps of a group of models."""
        if self.is_imported(group):
            content = self._fingerprint(content_fingerprint, self.method_file(_method_of(group)))
            settings = {"group": group, "copies": self.config.copies, "content": content}
            return Origin("import_dump", settings, {"split": self.split_origin.key})
        settings = {"group": group, **self._track("model")}
        inputs = {"split": self.split_origin.key, "models": self.models_origin(group).key}
        return Origin("dump_losses", settings, inputs)

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

    def dump_files(self, group: str) -> list[str]:
        """Dumps of all shards of a group of models, within the results folder."""
        return [f"losses/{group}/{shard}.parquet" for shard in self.group_shards(group)]

    def score_settings(self, method: str) -> dict[str, Any]:
        """The parts of the configuration that can change a method's score document."""
        return self._score_settings(self._whole, method)

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

    def score_files(self, method: str) -> list[str]:
        """What scoring a method makes: document, per-example table, and replicates for comparing it with others."""
        return [f"score_{method}.json", f"samples_{method}.parquet", f"replicates_{method}.npz"]

    def leaderboard_origin(self) -> Origin:
        """Origin of the leaderboard."""
        scores = {name: self.score_origin(name).key for name in self.scored_methods}
        exclude = {name: value for name, value in self._tracked["efficiency"].items() if name == "exclude"}
        return Origin("leaderboard", exclude, scores)

    def report_groups(self, methods: Collection[str]) -> list[str]:
        """Groups of models whose outputs a report on these methods shows; none where there is nothing to report on."""
        return ["retain", *(group for name in methods for group in self.copy_groups(name))] if methods else []

    def report_origin(self) -> Origin:
        """Origin of the report."""
        inputs = {"data": self.data_origin.key, "leaderboard": self.leaderboard_origin().key}
        return Origin("report", {}, inputs)

    # Which files there are --------------------------------------------------------------------------------

    def step(self, rule: str, **wildcards: str) -> Step:
        """The record of one job. Raises as `method` does."""
        if rule.startswith(f"{TUNING}_") and self.tuning is not None:
            return self.tuning.step(rule.removeprefix(f"{TUNING}_"), **wildcards)
        return replace(STEPS[rule](self, **wildcards), wildcards=wildcards)

    def maker(self, path: str) -> Step | None:
        """The step that makes a file of the results folder; None where none does."""
        return maker(self, path)

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
        wrong = []
        for folder in ("models", "losses"):
            for path in sorted(Path(results, folder).glob("**/*-*.*")):
                relative = path.relative_to(results).as_posix()
                if not path.name.startswith(".") and not relative.startswith(f"{folder}/full/"):
                    models = shard_models(path.stem)
                    if models and (len(models) != self.config.shard_size or models[0] % self.config.shard_size):
                        wrong.append(relative)
        return wrong
