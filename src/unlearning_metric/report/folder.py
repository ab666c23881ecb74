"""What a results folder holds by itself, without the workflow's plan: boards that are compared come from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from unlearning_metric.progress import LOGGER
from unlearning_metric.report.gather import Findings, gather
from unlearning_metric.report.summaries import ROOM
from unlearning_metric.store.files import StoreError, read_document
from unlearning_metric.store.shards import original_folder
from unlearning_metric.store.stored import Stored, StoredFiles


def gather_folder(results: Path | str, room: int = ROOM, original: int | None = None) -> Findings:
    """Read what a page shows from a results folder; confidences where the outputs of its models are in it.

    Parameters
    ----------
    results : a folder of the workflow or of ``python -m unlearning_metric score``, with a leaderboard
    room : bytes of confidences
    original : the scores of the copies from this original alone; None for those over all of them

    Raises
    ------
    StoreError
        If there is no leaderboard, no scored method, or a file is damaged or of another key than its leaderboard.
    """
    results = Path(results)
    if not (results / "leaderboard.json").is_file():
        raise StoreError(f"{results}: there is no leaderboard.json in it. Name a folder with finished results.")
    scores = read_document(results / "leaderboard.json")["scores"]
    if not scores:
        raise StoreError(f"{results}: its leaderboard has no scored method.")
    documents = {name: read_document(results / f"score_{name}.json", key) for name, key in scores.items()}
    dumps = {
        group: StoredFiles(sorted(map(str, (results / "losses" / group).glob("*.parquet"))), key)
        for group, key in _keys(documents).items()
    }
    dataset = Stored(results / "data" / "dataset.npz", None)
    whole = all(files.paths for files in dumps.values())
    try:
        found = gather(results, dumps if whole else {}, scores, dataset, None, room, original or 0)
    except StoreError as error:
        # The scores are sound, what they were made from has changed since: the page goes without it.
        LOGGER.warning("%s: the outputs of its models are not shown: %s", results, error)
        found = gather(results, {}, scores, dataset, None, room, original or 0)
    return found if original is None else _of_original(found, original)


def originals_of(results: Path | str) -> int:
    """From how many originals the scores of a folder are, each of which has a score of its own; 1 where none has."""
    path = Path(results, "leaderboard.json")
    if not path.is_file():
        return 1
    scores = read_document(path)["scores"]
    documents = [read_document(Path(results, f"score_{name}.json"), key) for name, key in scores.items()]
    return min((one["originals"] if one.get("by_original") else 1 for one in documents), default=1)


def _keys(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, str | None]:
    """Group of models -> key that its outputs must carry; None for those from other originals than the first."""
    keys: dict[str, str | None] = {}
    for name, document in documents.items():
        made_from = document["provenance"]["keys"]
        keys["retain"] = made_from.get("retrained")
        keys[f"unlearn/{name}"] = made_from.get("unlearned")
        if document.get("by_original"):
            keys |= {f"unlearn/{name}{original_folder(number)}": None for number in range(1, document["originals"])}
    return keys


def _of_original(found: Findings, original: int) -> Findings:
    """The same of the copies from one original: its scores, in their own order. What is known over all is left out."""
    methods, rows = [], []
    for method in found.methods:
        by_original, challenge = method.document["by_original"], method.document["challenge"]
        scores = {name: (by_original[name] or {}).get("each") for name in ("forgetting_score", "final_score")}
        each = {name: None if values is None else values[original] for name, values in scores.items()}
        ceiling = challenge["ceiling"]
        each["relative"] = (
            each["forgetting_score"] / ceiling if ceiling and each["forgetting_score"] is not None else None
        )
        row = {name: value for name, value in method.row.items() if not name.endswith(("_low", "_high"))} | each
        interval = {**challenge["interval"], **dict.fromkeys(("forgetting_score", "final_score", "relative"))}
        document = {**method.document, "challenge": {**challenge, **each, "interval": interval}, "by_models": []}
        methods.append(replace(method, row=row, document={**document, "by_original": None}))
        rows.append(row)
    order = sorted(rows, key=lambda row: -(row["final_score"] or 0.0))
    ranked = [{**row, "rank": place, "tie": None} for place, row in enumerate(order, 1)]
    by_name = {row["method"]: row for row in ranked}
    methods = [replace(method, row=by_name[method.name]) for method in methods]
    methods.sort(key=lambda method: by_name[method.name]["rank"])
    return replace(found, rows=ranked, methods=methods, pairs=())
