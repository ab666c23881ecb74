"""Arrays of models trained elsewhere -> the same score documents, tables and leaderboard as the workflow makes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_metric.bank.record import write_opened
from unlearning_metric.bank.sides import BankSides, read_unlearned
from unlearning_metric.jobs.output_files import OutputFile, named_files, on_same_examples, read_file, refuse_unequal
from unlearning_metric.keys.origin import Origin, content_fingerprint
from unlearning_metric.leaderboard.board import write_leaderboard
from unlearning_metric.outputs.external import DumpError
from unlearning_metric.outputs.independence import refuse_mixed
from unlearning_metric.progress import commit, run_record
from unlearning_metric.scoring.intervals import write_replicates
from unlearning_metric.scoring.score import score_method
from unlearning_metric.scoring.sides import Ensembles
from unlearning_metric.store.files import write_document, write_parquet

#: Where the data are from, in the document of a score.
SOURCE = "elsewhere"
#: What the record of a run says of a score by this command.
COMMAND = "score"


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
    methods = named_files(unlearned)
    _refuse_place(Path(out), methods)
    files = {name: path for name, path in (("retrained", retrained), ("originals", original), ("ceiling", ceiling))
             if path is not None}  # fmt: skip
    shared = {name: read_file(path) for name, path in files.items()}
    sides = {name: read_file(path) for name, path in methods.items()}
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
    methods = named_files(unlearned)
    _refuse_place(Path(out), methods)
    name = bank.opened.name
    given = frozenset({"examples"}) if bank.numbered else frozenset()
    shared = {side: OutputFile(f"{name} ({side})", given, ensemble) for side, ensemble in bank.sides.items()}
    sides = {method: OutputFile(path, *read_unlearned(path, bank)) for method, path in methods.items()}
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


@dataclass(frozen=True)
class _Reference:
    """What all methods are scored against.

    Attributes
    ----------
    sides : ``retrained`` and perhaps ``originals`` and ``ceiling``
    keys, files : the same names -> fingerprint, file
    settings : what the scores are made with
    """

    sides: Mapping[str, OutputFile]
    keys: Mapping[str, str]
    files: Mapping[str, str]
    settings: Mapping[str, Any]


def _score_all(reference: _Reference, sides: Mapping[str, OutputFile], out: Path) -> str:
    """Write the documents of all methods and the leaderboard; the latter as text."""
    origins, paths = {}, {}
    settings = reference.settings
    training = settings.get("training", {})
    for name, side in sides.items():
        together = on_same_examples({**reference.sides, "unlearned": side})
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
