"""The experiment in which hyper-parameters are chosen: other examples to forget, fewer models, a method for each point.

It lies in a folder of its own within the results, and its steps are those of any experiment. What it forgets is drawn
from the retain set of the scored experiment: no choice is made on an example that a score is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from unlearning_metric.config.originals import Originals
from unlearning_metric.keys.origin import Origin
from unlearning_metric.plan.grid import point_name, with_point
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan.steps import APART_FROM, DATASET, DIFFICULTY, INPUT_KEYS, SPLIT, TUNING, Step
from unlearning_metric.seeds import Streams
from unlearning_metric.store.shards import shard_names
from unlearning_metric.user_code.contract import ORACLE_METHOD
from unlearning_metric.user_code.interface import Interface

#: What the two experiments share, within the results folder.
SHARED = (DATASET, DIFFICULTY)
#: Rules whose files the second experiment has of its own.
RULES = ("split_data", "train_full", "train_retain", "unlearn", "dump_losses", "score")


class TuningPlan(Plan):
    """Settings and origins of the experiment in which hyper-parameters are chosen.

    Parameters
    ----------
    scored : the experiment that it chooses for
    """

    def __init__(self, scored: Plan) -> None:
        self.scored = scored
        entries = {}
        for entry in scored.methods.values():
            for point in entry.points:
                options, interface = with_point(entry.options, entry.interface.settings(), point)
                name = point_name(entry.name, point)
                entries[name] = replace(entry, name=name, options=options, interface=Interface.of(interface), tune={})
        if ORACLE_METHOD in scored.methods:
            # For a method that asks for oracle_model.
            entries[ORACLE_METHOD] = replace(scored.methods[ORACLE_METHOD], tune={})
        given = scored.config
        config = given.model_copy(
            update={
                "experiment_seed": Streams(given.experiment_seed, "tuning").integer("experiment") % 2**32,
                "copies": given.tuning.copies,
                "shard_size": _largest_divisor(given.tuning.copies, scored.shard_size),
                # A deterministic method has a spread only with an original a copy.
                "originals": given.originals if given.originals.per_copy else Originals(),
                # One that was trained elsewhere saw other examples than these models.
                "original": None,
                "ceiling": "split",
                "forget": given.tuning.forget or given.forget,
                # Some points of a grid may well diverge.
                "on_diverged": "keep",
                "skip": [ORACLE_METHOD],
            }
        )
        shards = shard_names(config.copies, config.shard_size or config.copies)
        self._set(config, entries, scored._fingerprints, shards)

    @property
    def data_origin(self) -> Origin:
        """Origin of the data set, which is that of the scored experiment."""
        return self.scored.data_origin

    @property
    def difficulty_origin(self) -> Origin:
        """Origin of the measure of difficulty, which is that of the scored experiment."""
        return self.scored.difficulty_origin

    @cached_property
    def split_origin(self) -> Origin:
        """Origin of the split."""
        of_itself = super().split_origin
        return replace(of_itself, inputs={**of_itself.inputs, APART_FROM: self.scored.split_origin.key})

    def step(self, rule: str, **wildcards: str) -> Step:
        """The record of one job, with paths in the results folder of the scored experiment."""
        step = super().step(rule, **wildcards)
        inputs = {
            name: _in_folder(paths) if isinstance(paths, str) else [_in_folder(path) for path in paths]
            for name, paths in step.inputs.items()
        }
        arguments = dict(step.arguments)
        if rule == "split_data":
            inputs[APART_FROM] = SPLIT
            keys = {**arguments[INPUT_KEYS], APART_FROM: self.scored.split_origin.key}
            arguments[INPUT_KEYS] = keys
        outputs = tuple(map(_in_folder, step.outputs))
        return replace(step, rule=f"{TUNING}_{rule}", outputs=outputs, inputs=inputs, arguments=arguments)

    def maker(self, path: str) -> Step | None:
        """The step that makes a file of this experiment's folder; None where none does."""
        step = super().maker(path)
        return step if step is not None and step.rule.removeprefix(f"{TUNING}_") in RULES else None

    def steps(self) -> Iterator[Step]:
        """Every step of this experiment's own, in the order the data flows."""
        for step in super().steps():
            if step.rule.removeprefix(f"{TUNING}_") in RULES:
                yield step


def _in_folder(path: str) -> str:
    return path if path in SHARED else f"{TUNING}/{path}"


def _largest_divisor(number: int, most: int) -> int:
    return next(size for size in range(min(number, most), 0, -1) if number % size == 0)
