"""The per-example table of a score: its columns, what they mean, and how they are filled.

`python -m unlearning_metric.scoring.examples docs/results.md` writes the columns into the page, below its last line of
comment.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from unlearning_metric.metrics.challenge import ChallengeResult
from unlearning_metric.metrics.heldout import HeldoutResult
from unlearning_metric.metrics.seed_notebook import SeedResult
from unlearning_metric.metrics.two_sample import told_apart
from unlearning_metric.metrics.ulira import UliraResult
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
    "heldout_epsilon": ("float", "epsilon of rules chosen on some models and counted on others, nats, within [0, 50]"),
    "heldout_bound": ("float", "its lower 95 % confidence bound, for this example by itself; 0: nothing is shown"),
    "rule": ("text", "the rule that tells most: unlearned above, below or inside, retrained inside, or none"),
    "rule_low": ("float", "lower end of the rule, confidence; inside iff low < value <= high"),
    "rule_high": ("float", "upper end of the rule, confidence"),
    "ks_p": ("float", "two-sample Kolmogorov-Smirnov p-value"),
    "told_apart": ("bool", "told apart by it at a false-discovery rate of 5 % over the examples"),
    "mu": ("float", "|mean difference| / pooled standard deviation; infinite where both sides are constant and differ"),
    "klom": ("float", "KL(unlearned || retrained) of the margins, nats"),
    "ulira_accuracy": ("float", "held-out accuracy of the likelihood-ratio attack"),
    "ulira_auc": ("float", "its area under the ROC curve"),
    "seed_score": ("float", "the seed notebook's score; NaN where told apart without error, which is its flaw"),
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
    held: HeldoutResult,
    two_sample: tuple[np.ndarray, np.ndarray],
    kloms: np.ndarray,
    ulira: UliraResult,
    seed: SeedResult,
) -> dict[str, np.ndarray]:
    """Columns [examples] of the table."""
    p_values, mus = two_sample
    columns = {
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
        "heldout_epsilon": held.epsilons,
        "heldout_bound": held.bounds,
        "rule": held.kinds,
        "rule_low": held.lows,
        "rule_high": held.highs,
        "ks_p": p_values,
        "told_apart": told_apart(p_values),
        "mu": mus,
        "klom": kloms,
        "ulira_accuracy": ulira.accuracies,
        "ulira_auc": ulira.aucs,
        "seed_score": seed.scores,
        **_side("retrained", retrained.forget),
        **_side("unlearned", unlearned.forget),
        "retrained_loss": np.median(retrained.forget.loss, axis=0),
        "unlearned_loss": np.median(unlearned.forget.loss, axis=0),
        "retrained_accuracy": _accuracy(retrained.forget),
        "unlearned_accuracy": _accuracy(unlearned.forget),
    }
    return {name: columns[name] for name in COLUMNS if columns[name] is not None}


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


MARK = "<!-- columns of samples_<method>.parquet: written by `python -m unlearning_metric.scoring.examples` -->\n"


def page(text: str) -> str:
    """A page with the table of the columns below its mark."""
    rows = [
        f"| `{name}` | {kind} | {meaning.replace('|', chr(92) + '|')} |" for name, (kind, meaning) in COLUMNS.items()
    ]
    return "\n".join([text.partition(MARK)[0] + MARK, "| column | type | what |", "| --- | --- | --- |", *rows]) + "\n"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
