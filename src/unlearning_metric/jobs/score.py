"""Dumps of both sides -> score_<method>.json, samples_<method>.parquet and replicates_<method>.npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unlearning_metric.config import number_of_originals
from unlearning_metric.jobs.tune import tuning_record
from unlearning_metric.outputs.dumps import load_ensemble
from unlearning_metric.outputs.ensemble import Ensemble, refuse_diverged
from unlearning_metric.outputs.independence import refuse_mixed
from unlearning_metric.progress import LOGGER, commit, run_record
from unlearning_metric.scoring.intervals import write_replicates
from unlearning_metric.scoring.originals import over_originals
from unlearning_metric.scoring.score import score_method
from unlearning_metric.scoring.warnings import repeated_originals
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
    tuned_key: str | None = None,
) -> None:
    """Score a method and write all three files.

    Parameters
    ----------
    dumps : files of ``retrained``, ``unlearned`` (and ``unlearned_0001``, ... from each further original),
        ``originals`` and, where the ceiling is a second set of retrained models, ``ceiling``
    keys : the key the dumps of each name must carry
    settings : ``copies``, ``originals`` and the parts of the configuration that can change the document
    on_diverged : "keep" or "fail"
    provenance : ``key`` and ``origin`` of the files
    tuned_key : key of ``tuned`` among the dumps: no dump, but what hyper-parameters were chosen
    """
    dumps = dict(dumps)
    tuned = None if tuned_key is None else tuning_record(str(dumps.pop("tuned")), tuned_key)
    settings = {**settings, "tuned": tuned}
    groups = {"retrained": "retain", "originals": "full", "ceiling": "unlearn/retrain"}
    of_method = [name for name in dumps if name not in groups]
    copies = settings["copies"]
    originals = number_of_originals(settings["originals"], copies)

    def loaded(name: str) -> Ensemble:
        side = load_ensemble(dumps[name], keys[name], originals if name == "originals" else copies)
        refuse_diverged(on_diverged, groups.get(name, f"unlearn/{method}"), side.diverged)
        return side

    shared = {name: loaded(name) for name in dumps if name in groups}
    run: dict[str, Any] = {
        "scored": {**run_record("cpu"), "commit": commit()},
        "shards": {name: side.runs for name, side in shared.items()},
        "files": dumps,
    }
    made = {name: settings["training"][name] for name in ("engine", "precision")}
    scores = []
    for number, name in enumerate(of_method):
        unlearned = loaded(name)
        refuse_mixed({**shared, "unlearned": unlearned})
        run["shards"][name] = unlearned.runs
        scores.append(
            score_method(
                method,
                shared["retrained"],
                unlearned,
                shared["originals"] if len(of_method) == 1 else shared["originals"].of_model(number),
                shared.get("ceiling"),
                settings,
                made,
                {**keys, "score": provenance["key"]},
                run,
            )
        )
    score = scores[0] if len(scores) == 1 else over_originals(scores)
    document = score.document
    if len(scores) > 1:
        document["warnings"] += repeated_originals(shared["originals"])
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
