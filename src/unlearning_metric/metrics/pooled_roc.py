"""One attacker on all examples at once: the ROC curve of likelihood ratios, down to few false positives.

An attacker who accuses few but surely is not seen by an average over examples. Here the ratios of all (example, model)
are pooled, and the curve is read where false positives are rare.

Sources: [L] Carlini et al., "Membership inference attacks from first principles" (arXiv 2112.03570), which reads curves
there; [R] Naderloui et al., RULI (arXiv 2506.13009), which does so for unlearning.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics._inputs import LEAST_SD, both_sides, normal_law
from unlearning_metric.metrics.record import Columns, Given, Metric, Number, Shown

LEAST_MODELS = 4
#: False-positive rates at which the curve is kept.
RATES = np.logspace(-4, 0, 41)


def log_ratios(retrained: ArrayLike, unlearned: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-likelihood ratio unlearned : retrained of every model and example, by models other than the one looked at.

    Each example has a Gaussian a side; that of a model's own side is fitted without the model.

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Logit-scaled confidence; at least 4 models a side, which may differ in number.

    Returns
    -------
    float64 [models, examples] of the retrained and of the unlearned models

    Raises
    ------
    ValueError
        If an input is not 2-D, not finite, has fewer than 4 models, or the examples differ in number.
    """
    reference, other = both_sides(retrained, unlearned, least=LEAST_MODELS)
    # From a common origin a constant side has no rounding error, which the attack would read as a difference.
    reference, other = reference - reference[0], other - reference[0]
    return (
        _log_density(reference, *normal_law(other)) - _log_density(reference, *_normal_without(reference)),
        _log_density(other, *_normal_without(other)) - _log_density(other, *normal_law(reference)),
    )


def _normal_without(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of all models but each one: [models, examples]."""
    n = len(values)
    deviation = values - values.mean(axis=0)
    square = (deviation**2).sum(axis=0) - deviation**2 * n / (n - 1)
    sd = np.sqrt(np.maximum(square, 0.0) / (n - 2))
    return values - deviation * n / (n - 1), np.maximum(sd, LEAST_SD)


def _log_density(
    values: NDArray[np.float64], mean: NDArray[np.float64], sd: NDArray[np.float64]
) -> NDArray[np.float64]:
    return -0.5 * ((values - mean) / sd) ** 2 - np.log(sd)


def area_under_curve(negatives: NDArray[np.floating], positives: NDArray[np.floating]) -> float:
    """Area under the ROC curve of two samples, ties counting half."""
    return _area(np.sort(negatives, axis=None), np.sort(positives, axis=None))


def _area(negatives: NDArray[np.floating], positives: NDArray[np.floating]) -> float:
    """The same of ascending values."""
    below, upto = (int(np.searchsorted(negatives, positives, side=side).sum()) for side in ("left", "right"))
    return (below + upto) / 2 / (negatives.size * positives.size)


def true_positive_rates(
    negatives: NDArray[np.floating], positives: NDArray[np.floating], rates: ArrayLike
) -> NDArray[np.float64]:
    """Largest true-positive rate of a threshold whose false-positive rate is at most each of `rates`."""
    return _share_above(np.sort(positives, axis=None), _bounds(np.sort(negatives, axis=None), rates))


def _bounds(negatives: NDArray[np.floating], rates: ArrayLike) -> NDArray[np.floating]:
    """Of ascending negatives, the values above which lies at most each share of them."""
    allowed = np.floor(np.asarray(rates, dtype=np.float64) * negatives.size * (1 + 1e-12)).astype(np.int64)
    # One more negative than is allowed must not pass: a positive counts above it only.
    places = np.where(allowed >= negatives.size, -1, negatives.size - 1 - allowed)
    return np.append(negatives, -np.inf)[places]


def _share_above(positives: NDArray[np.floating], bounds: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of ascending positives above each bound."""
    above = positives.size - np.searchsorted(positives, bounds, side="right")
    return np.asarray(above / positives.size, dtype=np.float64)


def _measure(reference: NDArray[np.float64], other: NDArray[np.float64], given: Given) -> Columns:
    negatives, positives = log_ratios(reference, other)
    return {"negatives": negatives.T.astype(np.float32), "positives": positives.T.astype(np.float32)}


def _summary(columns: Columns) -> dict[str, float | list[float]]:
    negatives, positives = columns["negatives"], columns["positives"]
    ordered, everyone = np.sort(negatives, axis=None), np.sort(positives, axis=None)
    bounds = _bounds(ordered, RATES)
    of_models = [_share_above(np.sort(of_model), bounds) for of_model in positives.T]
    at_1, at_01 = _share_above(everyone, _bounds(ordered, [0.01, 0.001]))
    return {
        "auc": _area(ordered, everyone),
        "tpr_at_1": float(at_1),
        "tpr_at_01": float(at_01),
        "curve": _share_above(everyone, bounds).tolist(),
        "curve_error": (np.std(of_models, axis=0, ddof=1) / np.sqrt(len(of_models))).tolist(),
    }


def _constants(given: Given) -> dict[str, list[float]]:
    return {"false_positive_rates": RATES.tolist()}


METRIC = Metric(
    name="pooled_roc",
    title="pooled ROC",
    says="one attacker on all examples: leave-one-out likelihood ratios of two Gaussians an example, pooled over "
    "examples and models; area under the ROC curve, true positives at 1 % and at 0.1 % false ones",
    source="Carlini et al., arXiv 2112.03570; RULI, arXiv 2506.13009",
    ideal="0.5, 0.01, 0.001",
    ceiling="the same but for chance",
    floor="near 1",
    better="lower",
    measure=_measure,
    summary=_summary,
    numbers={
        "auc": Number("Area under the ROC curve; 0.5 is ideal."),
        "tpr_at_1": Number("True-positive rate at a false-positive rate of at most 1 %; 0.01 is ideal."),
        "tpr_at_01": Number(
            "The same at 0.1 %; 0.001 is ideal. With fewer than 1,000 pairs of example and model it allows none."
        ),
        "curve": Number("True-positive rate at each of `false_positive_rates`.", many=True),
        "curve_error": Number("Standard error of the curve over the unlearned models.", many=True),
    },
    headline="tpr_at_1",
    shown=(
        Shown("pooled AUC", "auc", "one attacker on all examples"),
        Shown("TPR at 1 %", "tpr_at_1", "its true positives at 1 % false ones"),
        Shown("TPR at 0.1 %", "tpr_at_01", "at 0.1 %"),
    ),
    least_models=LEAST_MODELS,
    constants=_constants,
    constant_numbers={"false_positive_rates": Number("Where the curves are kept.", many=True)},
)
