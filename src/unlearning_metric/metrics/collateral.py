"""What a method changes that it should leave alone: retain and test examples, told apart as forget examples are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unlearning_metric.metrics.heldout import FOLDS, heldout
from unlearning_metric.metrics.record import Columns, Given, Metric, Number, Shown
from unlearning_metric.metrics.two_sample import ks_p_values, told_apart
from unlearning_metric.metrics.ulira import LEAST_MODELS, ulira


def _measure(reference: NDArray[np.float64], other: NDArray[np.float64], given: Given) -> Columns:
    held = heldout(reference, other, min(FOLDS, len(reference)), given.delta)
    return {
        "ks_p": ks_p_values(reference, other),
        "accuracy": ulira(reference, other).accuracies,
        "epsilon": held.epsilons,
        "bound": held.bounds,
    }


def _summary(columns: Columns) -> dict[str, float]:
    return {
        "told_apart": float(told_apart(columns["ks_p"]).mean()),
        "ulira_accuracy": float(columns["accuracy"].mean()),
        "epsilon_median": float(np.median(columns["epsilon"])),
        "share_shown": float((columns["bound"] > 0).mean()),
    }


METRIC = Metric(
    name="collateral",
    title="collateral",
    says="whether a method changes what it should leave alone: retain (`probe`) and test examples told apart as forget "
    "examples are. At most 1,000 of each, evenly spread",
    source="as told apart, U-LiRA and held-out epsilon",
    ideal="0, 0.5, 0, 0",
    ceiling="the same but for chance",
    floor="told apart too: one original is a point, retrained models are a law",
    better="lower",
    measure=_measure,
    summary=_summary,
    numbers={
        "told_apart": Number("Share of examples told apart by Kolmogorov-Smirnov at a false-discovery rate of 5 %."),
        "ulira_accuracy": Number("Accuracy of the likelihood-ratio attack, mean over examples; 0.5 is ideal."),
        "epsilon_median": Number("Held-out epsilon, nats, median over examples."),
        "share_shown": Number("Share of examples whose lower bound of epsilon is above 0."),
    },
    headline="told_apart",
    shown=(
        Shown("collateral retain", "told_apart", "share of retain examples told apart", "probe"),
        Shown("collateral test", "told_apart", "share of test examples told apart", "test"),
    ),
    roles=("probe", "test"),
    least_models=LEAST_MODELS,
    most_examples=1000,
)
