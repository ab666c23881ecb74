"""Files of outputs that a command is given: read, named, and held against each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unlearning_metric.config import METHOD_NAME
from unlearning_metric.outputs.ensemble import Ensemble
from unlearning_metric.outputs.external import UNKNOWN_LABEL, DumpError, ensemble_of, read_arrays
from unlearning_metric.outputs.independence import refuse_mixed
from unlearning_metric.strategies.index_file import read_indices

#: Fewest models a side: two halves of two for the ceiling.
LEAST_MODELS = 4


@dataclass(frozen=True)
class OutputFile:
    """Outputs of one file, and the names of the arrays that it holds."""

    path: str
    arrays: frozenset[str]
    ensemble: Ensemble


def checked_sides(
    files: Mapping[str, str], forget: str | None
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Ensemble]]:
    """Arrays and ensembles of ``retrained`` and perhaps ``originals`` and ``ceiling``, as a bank holds them.

    Parameters
    ----------
    files : side -> npz file
    forget : file of indices, which columns of the arrays are the forget examples; None: all

    Raises
    ------
    DumpError
        If a file does not fit, or the sides do not fit together.
    StoreError
        If the sides share models.
    """
    arrays = {name: read_arrays(path) for name, path in files.items()}
    if forget is not None:
        arrays = {name: forget_columns(given, forget, files[name]) for name, given in arrays.items()}
    sides = {name: OutputFile(files[name], frozenset(given), ensemble_of(given, files[name]))
             for name, given in arrays.items()}  # fmt: skip
    refuse_unequal(sides["retrained"], [sides[name] for name in ("ceiling",) if name in sides])
    together = on_same_examples(sides)
    refuse_mixed(together)
    return arrays, together


def forget_columns(arrays: Mapping[str, np.ndarray], forget: str, source: str) -> dict[str, np.ndarray]:
    """Arrays of many examples less the columns that are no forget examples, and which those are.

    Parameters
    ----------
    arrays : as `external.ensemble_of` describes them
    forget : file of the indices of the columns
    source : the file of the arrays, for messages
    """
    per_example = {"labels": 0, "groups": 0, "examples": 0, "confidence": 1, "loss": 1, "logits": 1, "correct": 1}
    shapes = [arrays[name].shape[1] for name in ("confidence", "loss", "logits")
              if name in arrays and arrays[name].ndim > 1]  # fmt: skip
    if not shapes:
        raise DumpError(f"{source}: there are no outputs [models, examples] of which --forget could choose some")
    columns = read_indices(forget, shapes[0])
    chosen = {
        name: values.take(columns, per_example[name]) if name in per_example else values
        for name, values in arrays.items()
    }
    return {"examples": columns, **chosen}


def refuse_unequal(retrained: OutputFile, sides: Iterable[OutputFile]) -> None:
    """Raise `DumpError` where there are too few models, or another number on another side."""
    copies = len(retrained.ensemble)
    if copies < LEAST_MODELS:
        raise DumpError(f"{retrained.path} has {copies} models: at least {LEAST_MODELS} are needed, 64 are usual")
    for side in sides:
        if len(side.ensemble) != copies:
            raise DumpError(
                f"{side.path} has {len(side.ensemble)} models and {retrained.path} has {copies}: the challenge's score "
                "needs equally many, and scores of different numbers are not comparable. Leave out the surplus"
            )


def read_file(path: str) -> OutputFile:
    arrays = read_arrays(path)
    return OutputFile(path, frozenset(arrays), ensemble_of(arrays, path))


def named_files(files: Sequence[str]) -> dict[str, str]:
    """Method name -> file."""
    names: dict[str, str] = {}
    for file in files:
        name = Path(file).stem
        if not re.fullmatch(METHOD_NAME, name):
            raise DumpError(f"{file}: a method is named after its file, by letters, digits and _ alone. Rename it")
        if name in names:
            raise DumpError(f"{names[name]} and {file} would both be the method {name}. Rename one")
        names[name] = file
    return names


def on_same_examples(sides: Mapping[str, OutputFile]) -> dict[str, Ensemble]:
    """The ensembles, the retrained one with the labels and groups that it lacks and another side has.

    Labels on one side alone are a doubt of the side without them. Raises `DumpError` where the sides contradict.
    """
    found = {name: side.ensemble for name, side in sides.items()}
    for name, side in sides.items():
        if name == "retrained":
            continue
        for role in [role for role in side.ensemble.roles if role in found["retrained"].roles]:
            _refuse_other_examples(sides["retrained"], side, role)
            reference, outputs = found["retrained"].roles[role], side.ensemble.roles[role]
            known = [part.labels[0] != UNKNOWN_LABEL for part in (reference, outputs)]
            if all(known) and not np.array_equal(reference.labels, outputs.labels):
                what = f"{role} label"
                raise DumpError(_contradiction(sides["retrained"], side, what, reference.labels, outputs.labels))
            if known[0] != known[1]:
                lacking, having = ("retrained", name) if known[1] else (name, "retrained")
                doubt = (
                    f"no labels of the {role} examples, which {_TITLES[having]} have: that both are of the same "
                    "examples cannot be checked"
                )
                found[lacking] = replace(found[lacking], doubts=[*found[lacking].doubts, doubt])
            if known[1] and not known[0]:
                roles = {**found["retrained"].roles, role: replace(reference, labels=outputs.labels)}
                found["retrained"] = replace(found["retrained"], roles=roles)
        groups = [found["retrained"].groups, side.ensemble.groups]
        if groups[0] is None:
            found["retrained"] = replace(found["retrained"], groups=groups[1])
        elif groups[1] is not None and not np.array_equal(*groups):
            raise DumpError(_contradiction(sides["retrained"], side, "group", *groups))
    return found


def _refuse_other_examples(retrained: OutputFile, side: OutputFile, role: str) -> None:
    """Raise `DumpError` where two files hold outputs of other examples."""
    name = "examples" if role == "forget" else f"{role}_examples"
    listed = [part.ensemble.roles[role].examples for part in (retrained, side)]
    if np.array_equal(*listed):
        return
    if len(listed[0]) == len(listed[1]) and (name in retrained.arrays) != (name in side.arrays):
        having, lacking = (retrained, side) if name in retrained.arrays else (side, retrained)
        raise DumpError(
            f"{lacking.path} does not say which {role} examples its outputs are of, and {having.path} does: add the "
            f"array {name} to it, or leave it out of both where their order is the same"
        )
    raise DumpError(
        f"{side.path} and {retrained.path} list different {role} examples ({len(listed[1])} and {len(listed[0])} "
        "examples): record both on the same examples, in the same order"
    )


def _contradiction(retrained: OutputFile, side: OutputFile, what: str, reference: np.ndarray, given: np.ndarray) -> str:
    place = int(np.argmax(reference != given))
    return (
        f"{side.path} and {retrained.path} contradict each other: the {what} of example {place} (counted from 0) is "
        f"{given[place]} and {reference[place]}. Record both on the same examples, in the same order"
    )


#: Side -> how a doubt names it.
_TITLES = {
    "retrained": "the retrained models'",
    "unlearned": "the unlearned models'",
    "originals": "the original models'",
    "ceiling": "those of the ceiling",
}
