"""Arrays of models trained elsewhere -> the same score documents, tables and leaderboard as the workflow makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unlearning_metric.config import METHOD_NAME
from unlearning_metric.keys.origin import Origin, code_fingerprints, content_fingerprint
from unlearning_metric.leaderboard.board import write_leaderboard
from unlearning_metric.outputs.ensemble import Ensemble, refuse_mixed
from unlearning_metric.outputs.external import DumpError, ensemble_of, read_arrays
from unlearning_metric.progress import commit, run_record
from unlearning_metric.scoring.intervals import write_replicates
from unlearning_metric.scoring.score import score_method
from unlearning_metric.store.files import write_document, write_parquet

#: Fewest models a side: two halves of two for the ceiling.
LEAST_MODELS = 4


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
    shared = {
        name: _read(path)
        for name, path in (("retrained", retrained), ("originals", original), ("ceiling", ceiling))
        if path is not None
    }
    sides = {name: _read(path) for name, path in methods.items()}
    reference = shared["retrained"]
    if len(reference) < LEAST_MODELS:
        raise DumpError(f"{retrained} has {len(reference)} models: at least {LEAST_MODELS} are needed, 64 are usual")
    for name, side in {**sides, "ceiling": shared.get("ceiling", reference)}.items():
        if len(side) != len(reference):
            raise DumpError(
                f"{methods.get(name, ceiling)} has {len(side)} models and {retrained} has {len(reference)}: the "
                "challenge's score needs equally many, and scores of different numbers are not comparable. Leave out "
                "the surplus"
            )
    origins, paths = {}, {}
    for name, path in methods.items():
        together = {**shared, "unlearned": sides[name]}
        _refuse_other_examples(together, {"unlearned": path, "originals": original, "ceiling": ceiling}, retrained)
        refuse_mixed(together)
        settings = {
            "experiment_seed": experiment_seed,
            "copies": len(reference),
            "ceiling": "split" if ceiling is None else "retrain",
            "data": {"source": "elsewhere"},
            "model": {"name": "elsewhere"},
            "forget": {"strategy": "given"},
            "delta": delta,
            "efficiency": {"limit": efficiency_limit},
        }
        files = {"retrained": retrained, "unlearned": path, "originals": original, "ceiling": ceiling}
        keys = {part: content_fingerprint(file) for part, file in files.items() if file is not None}
        origin = Origin({**settings, "method": name}, code_fingerprints(__file__), keys)
        origins[name] = origin.key
        paths[name] = [Path(out, f"score_{name}.json"), Path(out, f"replicates_{name}.npz")]
        score = score_method(
            name,
            reference,
            sides[name],
            shared.get("originals"),
            shared.get("ceiling"),
            settings,
            {"engine": "elsewhere", "precision": "elsewhere"},
            {**keys, "score": origin.key},
            {"scored": {**run_record("cpu"), "commit": commit()}, "files": files},
        )
        score.document["provenance"] |= origin.header()
        write_parquet(Path(out, f"samples_{name}.parquet"), score.samples, {**origin.header(), "method": name})
        write_replicates(paths[name][1], score.replicates, {**origin.header(), "method": name})
        write_document(paths[name][0], score.document)
    board = Origin({}, code_fingerprints(__file__), origins)
    write_leaderboard(
        out,
        {name: document for name, (document, _) in paths.items()},
        {name: replicates for name, (_, replicates) in paths.items()},
        origins,
        board.header(),
    )
    return Path(out, "leaderboard.md").read_text(encoding="utf-8")


def _read(path: str) -> Ensemble:
    return ensemble_of(read_arrays(path), path)


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


def _refuse_other_examples(sides: dict[str, Ensemble], files: dict[str, Any], retrained: str) -> None:
    reference = sides["retrained"]
    for name, side in sides.items():
        for role in set(side.roles) & set(reference.roles):
            ours, theirs = side.roles[role], reference.roles[role]
            if ours.examples.tolist() != theirs.examples.tolist() or ours.labels.tolist() != theirs.labels.tolist():
                raise DumpError(
                    f"{files[name]} and {retrained} list different {role} examples or labels ({len(ours.examples)} and "
                    f"{len(theirs.examples)} examples): record both on the same examples, in the same order"
                )
