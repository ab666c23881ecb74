"""The score of the notebook that this project started from, kept under its own name to compare with old numbers.

Source: [S] AlbinSou/unlearning-challenge-metric, ``notebooks/Metric.ipynb``. Not on the axis of `challenge`: equal laws
score about 0.95 here and about 0.18 there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics._inputs import both_sides
from unlearning_metric.metrics._logistic import held_out_errors
from unlearning_metric.metrics._splits import two_folds
from unlearning_metric.metrics.record import Column, Columns, Given, Metric, Number, Shown

DELTA = 1e-6
FLAW = (
    "examples that an attacker separates without error (the worst forgotten) are undefined here and leave the mean, "
    "so a method that fails can score high"
)


@dataclass(frozen=True)
class SeedResult:
    """The notebook's score and what it left out.

    Attributes
    ----------
    scores : float64 [examples]
        Mean of the folds' points, above 1 where epsilon is negative; NaN where every fold is undefined.
    accuracies : float64 [examples]
        Held-out accuracy of the attack, mean of the folds.
    score : float
        Mean of the defined `scores`; NaN if none is.
    dropped_share : float
        Share of examples that are NaN and so not in `score`.
    """

    scores: NDArray[np.float64]
    accuracies: NDArray[np.float64]
    score: float
    dropped_share: float


def seed_scores(
    retrained: ArrayLike, unlearned: ArrayLike, threshold: float | None = None, delta: float = DELTA
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores and attack accuracies [examples] of `seed_notebook`, as the notebook's own function returns them.

    Undefined scores are NaN: read `FLAW` before averaging them.
    """
    result = seed_notebook(retrained, unlearned, threshold, delta)
    return result.scores, result.accuracies


def seed_notebook(
    retrained: ArrayLike, unlearned: ArrayLike, threshold: float | None = None, delta: float = DELTA
) -> SeedResult:
    """Score each example by one logistic regression, two folds.

    Ideal and ceiling: 2 for an attack that does worse than chance in both folds, about 0.95 for equal laws; floor: no
    number, since an example that is told apart without error is NaN (`FLAW`).

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Loss (the notebook's default) or logit of the true class; at least 4 models a side.
    threshold : float, optional
        Epsilon, in nats, beyond which the points stop falling; ``ln(models / 2 - 1)`` unless given (3.89, the
        notebook's constant, at 100 models).
    delta : float in (0, 1)

    Raises
    ------
    ValueError
        If an input is not 2-D, not finite, has fewer than 4 models, or the examples differ in number.

    References
    ----------
    [S]; scikit-learn ``LogisticRegression()`` and ``cross_val_score(cv=2)``, retrained models first.
    """
    retrained, unlearned = both_sides(retrained, unlearned, least=4)
    if threshold is None:
        threshold = default_threshold(len(retrained), len(unlearned))
    labels = np.repeat([0, 1], [len(retrained), len(unlearned)])
    folds = two_folds(labels)
    errors = held_out_errors(np.concatenate([retrained, unlearned]).T.copy(), labels, folds)
    tested = np.array([np.bincount(labels[test]) for _, test in folds])[:, None]
    accuracies = (tested.sum(axis=2) - errors.sum(axis=2)) / tested.sum(axis=2)
    fpr, fnr = np.moveaxis(errors / tested, 2, 0)
    points = _points(fpr, fnr, threshold, delta)
    examples = retrained.shape[1]
    defined = ~np.isnan(points)
    counts = defined.sum(axis=0)
    scores = np.divide(np.nansum(points, axis=0), counts, out=np.full(examples, np.nan), where=counts > 0)
    return SeedResult(
        scores=scores,
        accuracies=accuracies.mean(axis=0),
        score=float(np.nanmean(scores)) if counts.any() else math.nan,
        dropped_share=float((counts == 0).mean()),
    )


def default_threshold(retrained: int, unlearned: int) -> float:
    """Epsilon beyond which the points stop falling, in nats: ``ln(N/2 - 1)``, of the models a fold tests a side.

    With unequal sides the smaller one bounds what can be told.
    """
    rest = min(retrained, unlearned) / 2 - 1
    return math.log(rest) if rest > 1 else 0.0


def _points(fpr: NDArray[np.float64], fnr: NDArray[np.float64], threshold: float, delta: float) -> NDArray[np.float64]:
    """Points of error rates, [folds, examples]; NaN where one of them is 0 or epsilon is not defined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        epsilons = np.fmax(np.log((1 - delta - fpr) / fnr), np.log((1 - delta - fnr) / fpr))
        # Cut toward zero, as in [S]: a negative epsilon is worth more than 1.
        points = 2.0 / 2.0 ** (np.trunc(np.minimum(epsilons, threshold) / 0.5) + 1)
    return np.where((fpr > 0) & (fnr > 0), points, np.nan)


def _measure(reference: NDArray[np.float64], other: NDArray[np.float64], given: Given) -> Columns:
    result = seed_notebook(reference, other, default_threshold(*given.models))
    return {"seed_score": result.scores, "seed_accuracy": result.accuracies}


def _summary(columns: Columns) -> dict[str, float]:
    scores = columns["seed_score"]
    defined = ~np.isnan(scores)
    return {
        "score": float(scores[defined].mean()) if defined.any() else math.nan,
        "accuracy": float(columns["seed_accuracy"].mean()),
        "dropped_share": float(1 - defined.mean()),
    }


def _constants(given: Given) -> dict[str, float | str]:
    return {"threshold": default_threshold(*given.models), "flaw": FLAW}


METRIC = Metric(
    name="seed",
    title="seed notebook",
    says="the seed notebook's score. Legacy: perfectly separable examples are undefined and drop out, so a failed "
    "method can score high; `dropped_share` says how many",
    source="AlbinSou/unlearning-challenge-metric, `notebooks/Metric.ipynb`",
    ideal="-",
    ceiling="about 0.95",
    floor="undefined",
    better="higher",
    measure=_measure,
    summary=_summary,
    numbers={
        "score": Number("Mean of the defined examples; null if none is.", "none is defined"),
        "accuracy": Number("Mean held-out accuracy of the attack."),
        "dropped_share": Number("Share of examples that are undefined and left out of the score."),
    },
    headline="score",
    columns={
        "seed_score": Column(
            "float", "the seed notebook's score; NaN where told apart without error, which is its flaw"
        )
    },
    shown=(
        Shown(
            "seed notebook",
            "score",
            "legacy, with the share of examples that drop out",
            note=lambda summary: f"({summary['dropped_share']:.0%} dropped)",
        ),
    ),
    signal="loss",
    least_models=4,
    constants=_constants,
    constant_numbers={
        "threshold": Number("Epsilon beyond which the points stop falling."),
        "flaw": Number("What must be known of it.", text=True),
    },
    caution=FLAW,
)
