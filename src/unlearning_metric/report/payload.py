"""What the page holds for its script: numbers as JSON, and arrays of them in base64.

Epsilons are float32 as the metric makes them, confidences float64: what the page computes from them equals the score
document to the last bit.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from unlearning_metric.errors import plain
from unlearning_metric.keys.origin import digest
from unlearning_metric.leaderboard.formats import rank_text
from unlearning_metric.metrics.bucket_points import challenge_points, log_tables
from unlearning_metric.report.answer import CHECK
from unlearning_metric.report.gather import Findings, Method
from unlearning_metric.report.summaries import rank_agreement

#: Thirds of the examples, as the score document names them.
THIRDS = ("easy", "medium", "hard")


def payload(
    boards: Mapping[str, Findings],
    descriptions: Mapping[str, str],
    pictures: Callable[[Findings], Mapping[int, str]],
) -> dict[str, Any]:
    """What the page knows, without the arrays.

    Parameters
    ----------
    boards : name of a board -> what a run found; the name of one alone is not shown
    descriptions : method -> what it is, in a sentence
    pictures : gives example -> address of its picture, of the examples of a board that may be attacked
    """
    seen: dict[str, dict[str, str]] = {}
    for found in boards.values():
        seen.setdefault(pool(found), {}).update({str(index): address for index, address in pictures(found).items()})
    methods = [
        _method(method, place, name if len(boards) > 1 else "", descriptions.get(method.name, ""))
        for place, (name, found) in enumerate(boards.items())
        for method in found.methods
    ]
    return {
        "thirds": THIRDS,
        "chosen": next((place for place, method in enumerate(methods) if method["name"] != CHECK), 0),
        "names": list(dict.fromkeys(method["name"] for method in methods)),
        "boards": [_board(*pair) for pair in boards.items()],
        "pictures": seen,
        "methods": methods,
    }


def pool(found: Findings) -> str:
    """Of which data a board's examples are: those of two boards with the same one are the same examples.

    Without the data set's key, the same list of examples and labels is taken for that.
    """
    table = found.methods[0].samples
    return found.pool or digest([table[column].astype(int).tolist() for column in ("example", "label")])


def _board(name: str, found: Findings) -> dict[str, Any]:
    first, table = found.first, found.methods[0].samples
    loss = table["retrained_loss"].to_numpy()
    thirds = np.argsort(np.argsort(loss, kind="stable"), kind="stable") * 3 // len(loss)
    points = challenge_points(np.arange(0, 50, 0.5), first["copies"])
    examples, labels = (table[column].astype(int).tolist() for column in ("example", "label"))
    return {
        "name": name,
        "pool": pool(found),
        "copies": first["copies"],
        "examples": examples,
        "labels": labels,
        "classes": {str(label): found.class_text(label) for label in sorted(set(labels))},
        "groups": table["group"].astype(int).tolist() if "group" in table else None,
        "difficulty": thirds.tolist(),
        "loss": [finite(float(f"{value:.4g}")) for value in loss],
        "shown": found.laws.places.tolist(),
        "points": points[points > 0].tolist(),
        "ceiling": first["challenge"]["ceiling"],
        "floor": first["challenge"]["floor"],
        "pairs": [
            {"first": pair["first"], "second": pair["second"], "apart": pair["told_apart"],
             "difference": pair["difference"], "p": pair["p_holm"]}
            for pair in found.pairs
        ],
        "agreement": _agreement(found),
    }  # fmt: skip


def _method(method: Method, place: int, board: str, description: str) -> dict[str, Any]:
    document = method.document
    interval = document["challenge"]["interval"]["forgetting_score"]
    return {
        "name": method.name,
        "board": place,
        "label": f"{method.name} \u00b7 {board}" if board else method.name,
        "rank": rank_text(method.row) if method.row else "",
        "description": description,
        "warnings": document["warnings"],
        "score": document["challenge"]["forgetting_score"],
        "interval": None if interval is None else list(interval["models"]),
        "utility": None if method.utility is None else list(method.utility),
        "time": document["efficiency"]["ratio"],
        "models": [
            [entry["models"], entry["forgetting_score"], *(entry["interval"] or (None, None))]
            for entry in document["by_models"]
        ],
        "originals": _originals(document),
    }


def _originals(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The final score from each original, where there are several."""
    found = (document.get("by_original") or {}).get("final_score")
    if found is None:
        return None
    return {
        "each": found["each"],
        "mean": found["mean"],
        "another": found["interval_of_another"] or [None, None],
    }


def _agreement(found: Findings) -> dict[str, Any] | None:
    if len(found.methods) < 3:
        return None
    matrix = rank_agreement(found.methods)
    return {
        "metrics": list(matrix.columns),
        "values": [[finite(round(value, 4)) for value in line] for line in matrix.to_numpy().tolist()],
    }


def finite(value: float) -> float | None:
    """A number as JSON has it; None for what is no number."""
    return value if math.isfinite(value) else None


def arrays(boards: Sequence[Findings]) -> dict[str, np.ndarray]:
    """Name -> array, little-endian.

    For each board, by its place, ``logarithms-<board>`` float32 [2, models + 1], those of `log_tables`, and
    ``retrained-<board>`` float64 [shown, models], ascending; for each method, by its place among those of all boards,
    ``epsilons-<method>`` float32 [examples] and ``unlearned-<method>`` as the retrained ones.
    """
    made, number = {}, 0
    for place, found in enumerate(boards):
        first = found.first
        tables = log_tables(first["copies"], first["provenance"]["configuration"]["delta"])
        made[f"logarithms-{place}"] = np.stack(tables).astype("<f4")
        made[f"retrained-{place}"] = _ascending(found.laws.retrained)
        for method in found.methods:
            made[f"epsilons-{number}"] = method.samples["epsilon"].to_numpy().astype("<f4")
            if method.name in found.laws.unlearned:
                made[f"unlearned-{number}"] = _ascending(found.laws.unlearned[method.name])
            number += 1
    return made


def _ascending(confidences: np.ndarray) -> np.ndarray:
    return np.sort(confidences.T, axis=1).astype("<f8")


def _plain(data: Any) -> Any:
    """The same with every text as `errors.plain` shows it: the page's scripts set texts, which no template escapes."""
    if isinstance(data, str):
        return plain(data)
    if isinstance(data, dict):
        return {name: _plain(value) for name, value in data.items()}
    return [_plain(value) for value in data] if isinstance(data, list | tuple) else data


def text_of(data: Any) -> str:
    """JSON that may stand in a page: no name closes the element that holds it, and none turns the text around."""
    # Letters beyond ASCII stand as their numbers, right-to-left marks among them.
    return (
        json.dumps(_plain(data), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026")
    )


def as_scripts(data: Mapping[str, Any], numbers: Mapping[str, np.ndarray]) -> Markup:
    """Elements that hold them and run nothing."""
    blocks = [f'<script type="application/json" id="findings">{text_of(data)}</script>']
    for name, array in numbers.items():
        text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
        blocks.append(f'<script type="text/plain" id="array-{escape(name)}">{text}</script>')
    return Markup("\n".join(blocks))
