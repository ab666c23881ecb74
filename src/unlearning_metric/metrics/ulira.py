"""U-LiRA: a likelihood-ratio attacker with two Gaussians, told apart example by example.

Source: [H] Hayes et al., "Inexact unlearning needs more careful evaluations to avoid a false sense of privacy"
(arXiv 2403.01218).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics._inputs import both_sides, normal_law
from unlearning_metric.metrics._ranks import area_under_curves
from unlearning_metric.metrics.record import Column, Columns, Given, Metric, Number, Shown

FALSE_POSITIVE_RATE = 0.01
LEAST_MODELS = 4


@dataclass(frozen=True)
class UliraResult:
    """Success of the attack on held-out models, per example; mean over examples is the headline, maximum the worst.

    Attributes
    ----------
    accuracies : float64 [examples]
        Mean of the shares guessed right on the two sides, an even guess counting half.
    aucs : float64 [examples]
        Area under the ROC curve.
    tprs : float64 [examples]
        True-positive rate at a false-positive rate of at most 1 %. With fewer than 100 held-out retrained models that
        is a rate of 0.
    """

    accuracies: NDArray[np.float64]
    aucs: NDArray[np.float64]
    tprs: NDArray[np.float64]


def ulira(retrained: ArrayLike, unlearned: ArrayLike) -> UliraResult:
    """Fit a Gaussian to each side on one half of the models, attack the other half; then the other way round.

    Ideal and ceiling: 0.5 (accuracy, AUC), 0.01 (true-positive rate), which retrained models reach on average; the
    worst example of many lies above it by chance. Floor: 1, as an untouched original mostly has.

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Logit-scaled confidence; at least 4 models a side, which may differ in number. The halves are the models of
        even and of odd position.

    Raises
    ------
    ValueError
        If an input is not 2-D, not finite, has fewer than 4 models, or the examples differ in number.

    References
    ----------
    [H], section 4.
    """
    reference, other = both_sides(retrained, unlearned, least=LEAST_MODELS)
    # From a common origin a constant side has no rounding error, which the attack would read as a difference.
    reference, other = reference - reference[0], other - reference[0]
    found = np.zeros((3, reference.shape[1]))
    for fit, held_out in ((0, 1), (1, 0)):
        normals = normal_law(other[fit::2]), normal_law(reference[fit::2])
        found += _success(_log_ratio(reference[held_out::2], *normals), _log_ratio(other[held_out::2], *normals))
    return UliraResult(*(found / 2))


def _log_ratio(
    values: NDArray[np.float64],
    unlearned: tuple[NDArray[np.float64], NDArray[np.float64]],
    retrained: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    first, second = ((-0.5 * ((values - mean) / sd) ** 2 - np.log(sd)) for mean, sd in (unlearned, retrained))
    return first - second


def _success(negatives: NDArray[np.float64], positives: NDArray[np.float64]) -> NDArray[np.float64]:
    """Accuracy, AUC and true-positive rate [3, examples] of log ratios [models, examples]."""
    n = len(negatives)
    right = (_share_above(positives, 0.0) + 1 - _share_above(negatives, 0.0)) / 2
    allowed = int(FALSE_POSITIVE_RATE * n)
    bound = np.sort(negatives, axis=0)[n - 1 - allowed]
    return np.stack([right, area_under_curves(negatives, positives), (positives > bound).mean(axis=0)])


def _share_above(values: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    return ((values > bound) + 0.5 * (values == bound)).mean(axis=0)


def _measure(reference: NDArray[np.float64], other: NDArray[np.float64], given: Given) -> Columns:
    result = ulira(reference, other)
    return {"ulira_accuracy": result.accuracies, "ulira_auc": result.aucs, "ulira_tpr": result.tprs}


def _summary(columns: Columns) -> dict[str, float]:
    return {
        f"{name}{suffix}": float(reduce(columns[f"ulira_{name}"]))
        for name in ("accuracy", "auc", "tpr")
        for suffix, reduce in (("", np.mean), ("_worst", np.max))
    }


METRIC = Metric(
    name="ulira",
    title="U-LiRA",
    says="likelihood-ratio attack with two Gaussians an example, fitted on half of the models: accuracy, AUC, true "
    "positives at 1 % false ones",
    source="Hayes et al., arXiv 2403.01218",
    ideal="0.5, 0.5, 0.01",
    ceiling="the same on average; the worst example of many lies above it by chance",
    floor="mostly 1",
    better="lower",
    measure=_measure,
    summary=_summary,
    numbers={
        "accuracy": Number("Mean over examples; 0.5 is ideal."),
        "accuracy_worst": Number("Of the example with the largest."),
        "auc": Number("Area under the ROC curve, mean over examples; 0.5 is ideal."),
        "auc_worst": Number("Of the example with the largest."),
        "tpr": Number("True-positive rate at 1 % false positives; 0.01 is ideal."),
        "tpr_worst": Number("Of the example with the largest."),
    },
    headline="accuracy",
    columns={
        "ulira_accuracy": Column("float", "held-out accuracy of the likelihood-ratio attack"),
        "ulira_auc": Column("float", "its area under the ROC curve"),
    },
    shown=(Shown("U-LiRA", "accuracy", "accuracy, mean over examples"),),
    least_models=LEAST_MODELS,
)
