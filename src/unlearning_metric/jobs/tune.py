"""Score documents of every point of a grid -> tuned/<method>.json, which says what point to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unlearning_metric.progress import LOGGER
from unlearning_metric.store.files import read_document, write_document

SCHEMA_VERSION = 1
#: The figure by which a point is chosen: the first of these that every document has.
FIGURES = ("final_score", "forgetting_score")


def choose(
    scores: Sequence[Path | str],
    keys: Sequence[str],
    points: Sequence[Mapping[str, Any]],
    out: Path | str,
    method: str,
    provenance: dict[str, Any],
) -> None:
    """Take the point of a grid that scores best, the first of several, and write it down with all that was tried.

    Parameters
    ----------
    scores : score documents of the points, in their order
    keys : the key that each must carry
    points : hyper-parameter -> value, of each
    provenance : ``key`` and ``origin`` of the file
    """
    documents = [read_document(path, key) for path, key in zip(scores, keys, strict=True)]
    by = next(name for name in FIGURES if all(one["challenge"][name] is not None for one in documents))
    tried = [
        {
            "options": dict(point),
            **{name: document["challenge"][name] for name in FIGURES},
            "diverged": len(document["diverged"]),
        }
        for point, document in zip(points, documents, strict=True)
    ]
    best = max(tried, key=lambda one: one[by])
    configuration = documents[0]["provenance"]["configuration"]
    document = {
        "schema_version": SCHEMA_VERSION,
        "method": method,
        "options": best["options"],
        "by": by,
        "points": tried,
        "copies": documents[0]["copies"],
        "forget": documents[0]["forget"],
        "experiment_seed": configuration["experiment_seed"],
        "warnings": _warnings(tried, best, by),
        "provenance": {**provenance, "run": {}},
    }
    write_document(out, document)
    for one in tried:
        LOGGER.info("%s: %s %.4f", _written(one["options"]), by, one[by])
    LOGGER.info("%s: %s of %d points tried", method, _written(best["options"]), len(tried))
    for warning in document["warnings"]:
        LOGGER.warning("warning: %s", warning)


def _written(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in point.items())


def _warnings(tried: Sequence[Mapping[str, Any]], best: Mapping[str, Any], by: str) -> list[str]:
    """What a reader has to know of a choice."""
    if best[by] <= 0:
        return ["no point of the grid scored above 0, so the first was taken: nothing was chosen"]
    found = []
    for name, value in best["options"].items():
        values = [one["options"][name] for one in tried]
        numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
        if numbers and len(set(values)) > 1 and value in (min(values), max(values)):
            end = "smallest" if value == min(values) else "largest"
            found.append(f"the {name} that was chosen, {value}, is the {end} of the grid: a better one may lie beyond")
    return found


def chosen_options(path: Path | str, key: str | None) -> dict[str, Any]:
    """The hyper-parameters that `choose` took. Raises as `read_document` does."""
    return read_document(path, key)["options"]


def tuning_record(path: Path | str, key: str | None) -> dict[str, Any]:
    """What a score document says of the choice: all but the file's own version, method and provenance."""
    kept = ("options", "by", "points", "copies", "forget", "experiment_seed", "warnings")
    document = read_document(path, key)
    return {name: document[name] for name in kept}
