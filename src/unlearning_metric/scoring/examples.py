"""The per-example table of a score: its columns, what they mean, and how they are filled.

`python -m unlearning_metric.scoring.examples docs/results.md` writes the metrics and the columns into the page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from unlearning_metric.metrics.challenge import ChallengeResult
from unlearning_metric.metrics.table import METRICS
from unlearning_metric.outputs.ensemble import Ensemble, Outputs

#: Column -> type and meaning, in the table's order. A row is a forget example.
COLUMNS = {
    "example": ("int", "index into the training pool (position in the arrays, for models trained elsewhere)"),
    "original": ("int", "original that the copies started from; only with several, each of which has all examples"),
    "label": ("int", "number of the class, 0, 1, ...; -1 where it was not given"),
    "class": ("text", "what the data call the class; only where that is known"),
    "group": ("int", "group, such as the person; only where the data have groups"),
    "epsilon": ("float", "the challenge's epsilon, nats, within [0, 50]; NaN where undefined"),
    "points": ("float", "the challenge's bucket points; their mean is the forgetting score"),
    "infinite": ("bool", "some threshold tells the sides apart without error; epsilon is 50"),
    "peaky": ("bool", "one side's range is below 1 % of the other's; epsilon is 50"),
    "undefined": ("bool", "no usable threshold; 0 points"),
    **{name: (column.kind, column.says) for metric in METRICS.values() for name, column in metric.columns.items()},
    **{
        f"{side}_{name}": ("float", f"{text} of the {side} models' confidence")
        for side in ("retrained", "unlearned")
        for name, text in (
            ("median", "median"),
            ("min", "smallest"),
            ("max", "largest"),
            ("mean", "mean"),
            ("sd", "standard deviation"),
        )
    },
    "retrained_loss": ("float", "median cross-entropy of the retrained models, nats: the difficulty"),
    "unlearned_loss": ("float", "median cross-entropy of the unlearned models, nats"),
    "retrained_accuracy": ("float", "share of the retrained models that are right; NaN where not recorded"),
    "unlearned_accuracy": ("float", "share of the unlearned models that are right; NaN where not recorded"),
}


def samples(
    retrained: Ensemble,
    unlearned: Ensemble,
    result: ChallengeResult,
    measured: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Columns [examples] of the table; ``measured`` are those of the metrics, [examples, ...]."""
    columns: dict[str, np.ndarray | None] = {
        "example": retrained.forget.examples,
        "original": None,
        "label": retrained.forget.labels,
        "class": _class_names(retrained),
        "group": retrained.groups,
        "epsilon": result.epsilons,
        "points": result.points,
        "infinite": result.infinite,
        "peaky": result.peaky,
        "undefined": result.undefined,
        **measured,
        **_side("retrained", retrained.forget),
        **_side("unlearned", unlearned.forget),
        "retrained_loss": retrained.forget.median_loss,
        "unlearned_loss": unlearned.forget.median_loss,
        "retrained_accuracy": _accuracy(retrained.forget),
        "unlearned_accuracy": _accuracy(unlearned.forget),
    }
    return {name: values for name in COLUMNS if (values := columns[name]) is not None}


def _class_names(retrained: Ensemble) -> np.ndarray | None:
    if not retrained.classes:
        return None
    return np.array([retrained.class_name(int(label)) for label in retrained.forget.labels])


def _side(name: str, outputs: Outputs) -> dict[str, np.ndarray]:
    values = outputs.confidence
    return {
        f"{name}_median": np.median(values, axis=0),
        f"{name}_min": values.min(axis=0),
        f"{name}_max": values.max(axis=0),
        f"{name}_mean": values.mean(axis=0),
        f"{name}_sd": values.std(axis=0, ddof=1),
    }


def _accuracy(outputs: Outputs) -> np.ndarray:
    if outputs.correct is None:
        return np.full(len(outputs.examples), np.nan)
    return outputs.correct.mean(axis=0)


METRICS_BEGIN = "<!-- metrics: written by `python -m unlearning_metric.scoring.examples docs/results.md` -->\n"
METRICS_END = "<!-- end of the metrics -->\n"
MARK = "<!-- columns of samples_<method>.parquet: written by `python -m unlearning_metric.scoring.examples` -->\n"


def page(text: str) -> str:
    """A page with the table of the metrics between its marks, and that of the columns below the last one."""
    before, _, rest = text.partition(METRICS_BEGIN)
    between = rest.partition(METRICS_END)[2].partition(MARK)[0]
    metrics = [
        (f"`{metric.name}`", f"{metric.says} ({metric.source})", metric.ideal, metric.ceiling, metric.floor)
        for metric in METRICS.values()
    ]
    columns = [(f"`{name}`", kind, meaning) for name, (kind, meaning) in COLUMNS.items()]
    return (
        f"{before}{METRICS_BEGIN}\n{_table(('section', 'what', 'ideal', 'ceiling', 'floor'), metrics)}\n{METRICS_END}"
        f"{between}{MARK}\n{_table(('column', 'type', 'what'), columns)}"
    )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (heads, ("---",) * len(heads), *rows)
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
