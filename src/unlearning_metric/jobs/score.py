"""Dumps of both sides -> score_<method>.json, samples_<method>.parquet and replicates_<method>.npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unlearning_metric.outputs.dumps import load_ensemble
from unlearning_metric.outputs.ensemble import refuse_diverged
from unlearning_metric.outputs.independence import refuse_mixed
from unlearning_metric.progress import LOGGER, commit, run_record
from unlearning_metric.scoring.intervals import write_replicates
from unlearning_metric.scoring.score import score_method
from unlearning_metric.store.files import write_document, write_parquet


def score_dumps(
    dumps: dict[str, list[str]],
    keys: dict[str, str],
    out: Path | str,
    samples_out: Path | str,
    replicates_out: Path | str,
    method: str,
    settings: dict[str, Any],
    on_diverged: str,
    provenance: dict[str, Any],
) -> None:
    """Score a method and write all three files.

    Parameters
    ----------
    dumps : files of ``retrained``, ``unlearned``, ``originals`` and, where the ceiling is a second set of
        retrained models, ``ceiling``
    keys : the key the dumps of each name must carry
    settings : ``copies``, ``originals`` and the parts of the configuration that can change the document
    on_diverged : "keep" or "fail"
    provenance : ``key`` and ``origin`` of the files
    """
    counts = {name: settings["originals" if name == "originals" else "copies"] for name in dumps}
    sides = {name: load_ensemble(paths, keys[name], counts[name]) for name, paths in dumps.items()}
    groups = {
        "retrained": "retain",
        "unlearned": f"unlearn/{method}",
        "originals": "full",
        "ceiling": "unlearn/retrain",
    }
    for name, side in sides.items():
        refuse_diverged(on_diverged, groups[name], side.diverged)
    refuse_mixed(sides)
    run = {
        "scored": {**run_record("cpu"), "commit": commit()},
        "shards": {name: side.runs for name, side in sides.items()},
        "files": dumps,
    }
    score = score_method(
        method,
        sides["retrained"],
        sides["unlearned"],
        sides["originals"],
        sides.get("ceiling"),
        settings,
        {name: settings["training"][name] for name in ("engine", "precision")},
        {**keys, "score": provenance["key"]},
        run,
    )
    document = score.document
    for warning in document["warnings"]:
        LOGGER.warning("warning: %s", warning)
    header = {**provenance, "method": method}
    write_parquet(samples_out, score.samples, header)
    write_replicates(replicates_out, score.replicates, header)
    document["provenance"] |= provenance
    write_document(out, document)
    section = document["challenge"]
    LOGGER.info(
        "%s: forgetting score %.4f (floor %.4f, ceiling %s), final score %s",
        method, section["forgetting_score"], section["floor"],
        "none" if section["ceiling"] is None else f"{section['ceiling']:.4f}", section["final_score"],
    )  # fmt: skip
