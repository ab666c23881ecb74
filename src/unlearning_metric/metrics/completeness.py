"""Where between retrained models and the original an example stands: what part of the way a method has gone.

Source: [I] "Towards Lifecycle Unlearning Commitment Management" (arXiv 2506.06112), whose interpolated approximate
measurement it is, with many retrained models in place of its one shadow model.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from unlearning_metric.metrics._inputs import both_sides, model_values
from unlearning_metric.metrics.record import Column, Columns, Given, Metric, Number, Shown

#: Steps from retrained to original; with the 100 of [I] an example of normal laws moves by about 0.03 at most.
STEPS = 25


def completeness(
    retrained: ArrayLike, unlearned: ArrayLike, originals: ArrayLike, steps: int = STEPS
) -> NDArray[np.float64]:
    """1 less how surely the unlearned models look fitted to each example, mean over the models.

    Between the retrained models and the original lie Gaussians whose mean goes to the original and whose spread falls
    to 0. A model looks fitted as far as it is above them: 0 of an untouched original, near 1 of retrained models (each
    Gaussian weighs as its place on the way), 1 of a model that is less sure than they are.

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Logit-scaled confidence; at least 2 models a side, which may differ in number.
    originals : array [originals, examples]
        The same of the original models; their mean counts.
    steps : int
        At least 2.

    Returns
    -------
    float64 [examples]
        Within [0, 1]; NaN where the original is not surer than the retrained models, which leaves nothing to forget, or
        those have no spread.

    Raises
    ------
    ValueError
        If an input is not 2-D, not finite, has too few models, or the examples differ in number.

    References
    ----------
    [I], as ``interpolate_appro`` of its published code with normal laws, each example's own spread.
    """
    reference, other = both_sides(retrained, unlearned)
    original = model_values(originals, "originals", 1).mean(axis=0)
    mean, sd = reference.mean(axis=0), reference.std(axis=0)
    defined = (original > mean) & (sd > 0)
    spread = np.where(defined, sd, 1.0)
    fitted = np.zeros(other.shape)
    places = np.linspace(0.0, 1.0, steps)
    for place, weight in pairwise(places):
        # The weights are those of the published code, a step ahead.
        fitted += weight * ndtr((other - mean - (original - mean) * place) / (spread * (1 - place)))
    return np.where(defined, 1 - fitted.mean(axis=0) / places[1:].sum(), np.nan)


def _measure(reference: NDArray[np.float64], other: NDArray[np.float64], given: Given) -> Columns:
    if given.originals is None:
        return {"completeness": np.full(reference.shape[1], np.nan)}
    return {"completeness": completeness(reference, other, given.originals)}


def _summary(columns: Columns) -> dict[str, float]:
    values = columns["completeness"]
    defined = values[~np.isnan(values)]
    return {
        "mean": float(defined.mean()) if defined.size else np.nan,
        "p05": float(np.quantile(defined, 0.05)) if defined.size else np.nan,
        "defined_share": float(defined.size / values.size),
    }


METRIC = Metric(
    name="completeness",
    title="completeness",
    says="where between the original (0) and retrained models (the ceiling) the copies stand, example by example",
    source="IAM, arXiv 2506.06112",
    ideal="the ceiling",
    ceiling="near 1, what retrained models have",
    floor="0",
    better="ceiling",
    measure=_measure,
    summary=_summary,
    numbers={
        "mean": Number("Mean over the defined examples; null if none is.", "none is defined"),
        "p05": Number("Their 5th percentile.", "none is defined"),
        "defined_share": Number("Share of examples of which the original is surer than retrained models."),
    },
    headline="mean",
    columns={
        "completeness": Column(
            "float", "0 as the original, near 1 as retrained models; NaN where the original is not surer than they are"
        )
    },
    shown=(Shown("completeness", "mean", "mean; 0 as the original, the ceiling as retrained models"),),
)
