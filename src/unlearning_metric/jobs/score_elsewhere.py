"""Arrays of models trained elsewhere -> the same score documents, tables and leaderboard as the workflow makes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_metric.bank.record import write_opened
from unlearning_metric.bank.sides import BankSides, read_unlearned
from unlearning_metric.config import METHOD_NAME
from unlearning_metric.keys.origin import Origin, content_fingerprint
from unlearning_metric.leaderboard.board import write_leaderboard
from unlearning_metric.outputs.ensemble import Ensemble
from unlearning_metric.outputs.external import UNKNOWN_LABEL, DumpError, ensemble_of, read_arrays
from unlearning_metric.outputs.independence import refuse_mixed
from unlearning_metric.progress import commit, run_record
from unlearning_metric.scoring.intervals import write_replicates
from unlearning_metric.scoring.score import score_method
from unlearning_metric.scoring.sides import Ensembles
from unlearning_metric.store.files import write_document, write_parquet
from unlearning_metric.strategies.index_file import read_indices

#: Where the data are from, in the document of a score.
SOURCE = "elsewhere"
#: What the record of a run says of a score by this command.
COMMAND = "score"
#: Fewest models a side: two halves of two for the ceiling.
LEAST_MODELS = 4


@dataclass(frozen=True)
class _Side:
    """Outputs of one file, and the names of the arrays that it holds."""

    path: str
    arrays: frozenset[str]
    ensemble: Ensemble


def score_elsewhere(
    retrained: str,
    unlearned: Sequence[str],
    out: Path | str,
    original: str | None,
    ceiling: str | None,
    delta: float,
    experiment_seed: int,
    efficiency_limit: float,
) -> str:
    """Score one or several methods from npz files; the leaderboard as text.

    Parameters
    ----------
    retrained, unlearned, original, ceiling : files as `external.ensemble_of` describes them; a method is named after
        its file
    out : folder for ``score_<name>.json``, ``samples_<name>.parquet``, ``replicates_<name>.npz``, ``leaderboard.*``

    Raises
    ------
    DumpError
        If a file does not fit, or the sides do not fit together.
    StoreError
        If the sides list other examples, or share models.
    """
    methods = _named(unlearned)
    _refuse_place(Path(out), methods)
    files = {name: path for name, path in (("retrained", retrained), ("originals", original), ("ceiling", ceiling))
             if path is not None}  # fmt: skip
    shared = {name: _read(path) for name, path in files.items()}
    sides = {name: _read(path) for name, path in methods.items()}
    refuse_unequal(shared["retrained"], [*sides.values(), *(shared[name] for name in ("ceiling",) if name in shared)])
    settings = given_settings(len(shared["retrained"].ensemble), ceiling is not None, delta, experiment_seed,
                              efficiency_limit)  # fmt: skip
    keys = {part: content_fingerprint(file) for part, file in files.items()}
    return _score_all(_Reference(shared, keys, files, settings), sides, Path(out))


def score_with_bank(bank: BankSides, unlearned: Sequence[str], out: Path | str) -> str:
    """Score one or several methods from npz files against a bank's models; the leaderboard as text.

    Parameters
    ----------
    bank : gives the other sides, and what the scores are made with
    unlearned, out : as for `score_elsewhere`

    Raises
    ------
    DumpError, StoreError
        As `score_elsewhere`.
    """
    methods = _named(unlearned)
    _refuse_place(Path(out), methods)
    name = bank.opened.name
    given = frozenset({"examples"}) if bank.numbered else frozenset()
    shared = {side: _Side(f"{name} ({side})", given, ensemble) for side, ensemble in bank.sides.items()}
    sides = {method: _Side(path, *read_unlearned(path, bank)) for method, path in methods.items()}
    refuse_unequal(shared["retrained"], sides.values())
    files = dict.fromkeys(shared, name)
    keys = bank.opened.record.keys or dict.fromkeys(shared, bank.opened.sha256[:16])
    write_opened(Path(out), bank.opened)
    return _score_all(_Reference(shared, keys, files, bank.opened.record.settings), sides, Path(out))


def given_settings(
    copies: int, second_set: bool, delta: float, experiment_seed: int, efficiency_limit: float
) -> dict[str, Any]:
    """What scores of models trained elsewhere are made with, as a configuration would say it."""
    return {
        "experiment_seed": experiment_seed,
        "copies": copies,
        "ceiling": "retrain" if second_set else "split",
        "data": {"source": SOURCE},
        "model": {"name": "elsewhere"},
        "forget": {"strategy": "given"},
        "delta": delta,
        "efficiency": {"limit": efficiency_limit},
    }


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
    sides = {name: _Side(files[name], frozenset(given), ensemble_of(given, files[name]))
             for name, given in arrays.items()}  # fmt: skip
    refuse_unequal(sides["retrained"], [sides[name] for name in ("ceiling",) if name in sides])
    together = _on_same_examples(sides)
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


def refuse_unequal(retrained: _Side, sides: Iterable[_Side]) -> None:
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


@dataclass(frozen=True)
class _Reference:
    """What all methods are scored against.

    Attributes
    ----------
    sides : ``retrained`` and perhaps ``originals`` and ``ceiling``
    keys, files : the same names -> fingerprint, file
    settings : what the scores are made with
    """

    sides: Mapping[str, _Side]
    keys: Mapping[str, str]
    files: Mapping[str, str]
    settings: Mapping[str, Any]


def _score_all(reference: _Reference, sides: Mapping[str, _Side], out: Path) -> str:
    """Write the documents of all methods and the leaderboard; the latter as text."""
    origins, paths = {}, {}
    settings = reference.settings
    training = settings.get("training", {})
    for name, side in sides.items():
        together = _on_same_examples({**reference.sides, "unlearned": side})
        refuse_mixed(together)
        keys = {**reference.keys, "unlearned": content_fingerprint(side.path)}
        origin = Origin("score", {**settings, "method": name}, keys)
        origins[name] = origin.key
        paths[name] = [out / f"score_{name}.json", out / f"replicates_{name}.npz"]
        score = score_method(
            name,
            Ensembles(together["retrained"], together["unlearned"], together.get("originals"), together.get("ceiling")),
            settings,
            {part: training.get(part, "elsewhere") for part in ("engine", "precision")},
            {**keys, "score": origin.key},
            {
                "command": COMMAND,
                "scored": {**run_record("cpu"), "commit": commit()},
                "files": {**reference.files, "unlearned": side.path},
            },
        )
        score.document["provenance"] |= origin.header()
        write_parquet(out / f"samples_{name}.parquet", score.samples, {**origin.header(), "method": name})
        write_replicates(paths[name][1], score.replicates, {**origin.header(), "method": name})
        write_document(paths[name][0], score.document)
    board = Origin("leaderboard", {}, origins)
    write_leaderboard(
        out,
        {name: document for name, (document, _) in paths.items()},
        {name: replicates for name, (_, replicates) in paths.items()},
        origins,
        board.header(),
    )
    return (out / "leaderboard.md").read_text(encoding="utf-8")


def _read(path: str) -> _Side:
    arrays = read_arrays(path)
    return _Side(path, frozenset(arrays), ensemble_of(arrays, path))


def _refuse_place(out: Path, methods: Iterable[str]) -> None:
    """Raise `DumpError` where results cannot be written, or would replace what this command did not make."""
    place = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not place.is_dir():
        raise DumpError(f"--out {out}: {place} is a file. Name a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise DumpError(f"--out {out}: nothing can be written to {place}. Name another folder")
    advice = "would be replaced. Name another folder with --out, such as --out scores"
    for part in ("models", "losses", "data/split.npz"):
        if (out / part).exists():
            raise DumpError(f"--out {out} holds results of the workflow ({part}), and some of them {advice}")
    board = _document(out / "leaderboard.json")
    ranked = [] if board is None else list(board.get("scores") or [""])
    for name in (*methods, *ranked):
        document = _document(out / f"score_{name}.json")
        made_here = document is not None and _made_here(document)
        if not made_here and (document is not None or name in ranked):
            file = "leaderboard.json" if name in ranked else f"score_{name}.json"
            raise DumpError(f"{out / file} was not made by this command, and {advice}")


def _made_here(document: Mapping[str, Any]) -> bool:
    run = (document.get("provenance") or {}).get("run") or {}
    return document.get("dataset") == SOURCE or run.get("command") == COMMAND


def _document(path: Path) -> dict[str, Any] | None:
    """A JSON document; None where there is none, empty where it is something else."""
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _named(files: Sequence[str]) -> dict[str, str]:
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


def _on_same_examples(sides: Mapping[str, _Side]) -> dict[str, Ensemble]:
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


def _refuse_other_examples(retrained: _Side, side: _Side, role: str) -> None:
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


def _contradiction(retrained: _Side, side: _Side, what: str, reference: np.ndarray, given: np.ndarray) -> str:
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
