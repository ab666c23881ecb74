"""Dumps of both sides -> score_<method>.json, samples_<method>.parquet and replicates_<method>.npz."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from unlearning_metric.config import number_of_originals
from unlearning_metric.jobs.tune import tuning_record
from unlearning_metric.outputs.dumps import load_ensemble
from unlearning_metric.outputs.ensemble import Ensemble, refuse_diverged
from unlearning_metric.outputs.independence import refuse_mixed
from unlearning_metric.progress import LOGGER, commit, run_record
from unlearning_metric.scoring.intervals import write_replicates
from unlearning_metric.scoring.originals import over_originals
from unlearning_metric.scoring.score import Score, score_method
from unlearning_metric.scoring.sides import Ensembles
from unlearning_metric.scoring.warnings import repeated_originals
from unlearning_metric.store.files import write_document, write_parquet
from unlearning_metric.store.stored import Stored, StoredFiles


class ScoreFiles(NamedTuple):
    """What is written: the document, the per-example table and the replicates."""

    score: Path | str
    samples: Path | str
    replicates: Path | str


def score_dumps(
    dumps: Mapping[str, StoredFiles],
    out: ScoreFiles,
    method: str,
    settings: dict[str, Any],
    on_diverged: str,
    provenance: dict[str, Any],
    tuned: Stored | None = None,
) -> None:
    """Score a method and write all three files.

    Parameters
    ----------
    dumps : files of ``retrained``, ``unlearned`` (and ``unlearned_0001``, ... from each further original),
        ``originals`` and, where the ceiling is a second set of retrained models, ``ceiling``
    settings : ``copies``, ``originals`` and the parts of the configuration that can change the document
    on_diverged : "keep" or "fail"
    provenance : ``key`` and ``origin`` of the files
    tuned : what hyper-parameters were chosen, for a method with a grid
    """
    settings = {**settings, "tuned": None if tuned is None else tuning_record(*tuned)}
    groups = {"retrained": "retain", "originals": "full", "ceiling": "unlearn/retrain"}
    of_method = [name for name in dumps if name not in groups]
    copies = settings["copies"]
    originals = number_of_originals(settings["originals"], copies)

    def loaded(name: str) -> Ensemble:
        side = load_ensemble(*dumps[name], originals if name == "originals" else copies)
        refuse_diverged(on_diverged, groups.get(name, f"unlearn/{method}"), side.diverged)
        return side

    shared = {name: loaded(name) for name in dumps if name in groups}
    run: dict[str, Any] = {
        "scored": {**run_record("cpu"), "commit": commit()},
        "shards": {name: side.runs for name, side in shared.items()},
        "files": {name: files.paths for name, files in dumps.items()},
    }
    made = {name: settings["training"][name] for name in ("engine", "precision")}
    scores = []
    for number, name in enumerate(of_method):
        unlearned = loaded(name)
        refuse_mixed({**shared, "unlearned": unlearned})
        run["shards"][name] = unlearned.runs
        original = shared["originals"] if len(of_method) == 1 else shared["originals"].of_model(number)
        scores.append(
            score_method(
                method,
                Ensembles(shared["retrained"], unlearned, original, shared.get("ceiling")),
                settings,
                made,
                {**{name: files.key for name, files in dumps.items()}, "score": provenance["key"]},
                run,
            )
        )
    score = scores[0] if len(scores) == 1 else over_originals(scores)
    document = score.document
    if len(scores) > 1:
        document["warnings"] += repeated_originals(shared["originals"])
    for warning in document["warnings"]:
        LOGGER.warning("warning: %s", warning)
    _write(out, score, {**provenance, "method": method}, provenance)
    section = document["challenge"]
    LOGGER.info(
        "%s: forgetting score %.4f (floor %.4f, ceiling %s), final score %s",
        method, section["forgetting_score"], section["floor"],
        "none" if section["ceiling"] is None else f"{section['ceiling']:.4f}", section["final_score"],
    )  # fmt: skip


def _write(out: ScoreFiles, score: Score, header: dict[str, Any], provenance: dict[str, Any]) -> None:
    write_parquet(out.samples, score.samples, header)
    write_replicates(out.replicates, score.replicates, header)
    score.document["provenance"] |= provenance
    write_document(out.score, score.document)
