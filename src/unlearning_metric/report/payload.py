"""What the page holds for its script: numbers as JSON, and arrays of them in base64.

Epsilons are float32 as the metric makes them, confidences float64: what the page computes from them equals the score
document to the last bit.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from unlearning_metric.leaderboard.formats import rank_text
from unlearning_metric.metrics.challenge import challenge_points, log_tables
from unlearning_metric.report.gather import Findings, Method, rank_agreement

#: Thirds of the examples, as the score document names them.
THIRDS = ("easy", "medium", "hard")


def payload(found: Findings, descriptions: Mapping[str, str], pictures: Mapping[int, str]) -> dict[str, Any]:
    """What the page knows, without the arrays.

    Parameters
    ----------
    found : what a run found
    descriptions : method -> what it is, in a sentence
    pictures : example -> address of its picture
    """
    first, table = found.first, found.methods[0].samples
    copies = first["copies"]
    loss = table["retrained_loss"].to_numpy()
    thirds = np.argsort(np.argsort(loss, kind="stable"), kind="stable") * 3 // len(loss)
    points = challenge_points(np.arange(0, 50, 0.5), copies)
    labels = table["label"].astype(int).tolist()
    return {
        "copies": copies,
        "examples": table["example"].astype(int).tolist(),
        "labels": labels,
        "classes": {str(label): found.class_text(label) for label in sorted(set(labels))},
        "groups": table["group"].astype(int).tolist() if "group" in table else None,
        "thirds": THIRDS,
        "difficulty": thirds.tolist(),
        "loss": [finite(float(f"{value:.4g}")) for value in loss],
        "shown": found.laws.places.tolist(),
        "pictures": {str(index): address for index, address in pictures.items()},
        "points": points[points > 0].tolist(),
        "ceiling": first["challenge"]["ceiling"],
        "floor": first["challenge"]["floor"],
        "methods": [_method(method, descriptions.get(method.name, "")) for method in found.methods],
        "pairs": [
            {"first": pair["first"], "second": pair["second"], "apart": pair["told_apart"],
             "difference": pair["difference"], "p": pair["p_holm"]}
            for pair in found.pairs
        ],
        "agreement": _agreement(found),
    }  # fmt: skip


def _method(method: Method, description: str) -> dict[str, Any]:
    document = method.document
    interval = document["challenge"]["interval"]["forgetting_score"]
    return {
        "name": method.name,
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


def arrays(found: Findings) -> dict[str, np.ndarray]:
    """Name -> array, little-endian.

    ``epsilons`` float32 [methods, examples]; ``logarithms`` float32 [2, models + 1], those of `log_tables`;
    ``retrained`` and, for each method, ``unlearned-<place>`` float64 [shown, models], ascending.
    """
    first, laws = found.first, found.laws
    made = {
        "epsilons": np.stack([method.samples["epsilon"].to_numpy() for method in found.methods]).astype("<f4"),
        "logarithms": np.stack(log_tables(first["copies"], first["provenance"]["configuration"]["delta"])).astype(
            "<f4"
        ),
        "retrained": _ascending(laws.retrained),
    }
    for place, method in enumerate(found.methods):
        made[f"unlearned-{place}"] = _ascending(laws.unlearned[method.name])
    return made


def _ascending(confidences: np.ndarray) -> np.ndarray:
    return np.sort(confidences.T, axis=1).astype("<f8")


def text_of(data: Any) -> str:
    """JSON that may stand in a page: no name closes the element that holds it, and none turns the text around."""
    # Letters beyond ASCII stand as their numbers, right-to-left marks among them.
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026")


def as_scripts(data: Mapping[str, Any], numbers: Mapping[str, np.ndarray]) -> Markup:
    """Elements that hold them and run nothing."""
    blocks = [f'<script type="application/json" id="findings">{text_of(data)}</script>']
    for name, array in numbers.items():
        text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
        blocks.append(f'<script type="text/plain" id="array-{escape(name)}">{text}</script>')
    return Markup("\n".join(blocks))
