"""KL divergence of margins: how far the law of a model's margin is from that of a retrained model.

Source: [G] Georgiev et al., "Attribute-to-Delete" (arXiv 2410.23232), whose KLOM it is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics._inputs import both_sides
from unlearning_metric.metrics.record import Column, Columns, Given, Metric, Number, Shown

BINS = 20
CLIP = 100.0
FLOOR = 1e-5
#: Of two laws without a common bin: the largest value there is.
WORST = -math.log(FLOOR)


def klom(retrained: ArrayLike, unlearned: ArrayLike, authors_bins: bool = False) -> NDArray[np.float64]:
    """KL(unlearned || retrained) of each example, from histograms of 20 equal bins over the joint range.

    Ideal: 0. Of two sets of retrained models it is above 0 and falls about as 1 / models: compare a method with that,
    not with 0. Worst: ``-ln(1e-5)``, 11.5, of laws without a common bin. Values are clipped to +-100 first. The
    maximum counts into the last bin, unless `authors_bins` says otherwise.

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Logit-scaled confidence (the margin); at least 2 models a side, which may differ in number.
    authors_bins : bool
        As the authors' public code counts: the last bin ends before the maximum, and values equal to it count nowhere,
        so that shares are of the rest. To compare with numbers made by it.

    Returns
    -------
    float64 [examples]
        In nats. 0 where every value of both sides is the same. Retrained shares are raised to 1e-5 without
        normalising them again, so a value below 0 is possible, by 2e-4 at most.

    Raises
    ------
    ValueError
        If an input is not 2-D, not finite, has fewer than 2 models, or the examples differ in number.

    References
    ----------
    [G]; `authors_bins` as ``binned_kl_divergence`` of EasyDUB (easydub/EasyDUB-code).
    """
    reference, other = (np.clip(side, -CLIP, CLIP) for side in both_sides(retrained, unlearned))
    low = np.minimum(reference.min(axis=0), other.min(axis=0))
    width = np.maximum(reference.max(axis=0), other.max(axis=0)) - low
    expected = np.maximum(_shares(reference, low, width, authors_bins), FLOOR)
    found = _shares(other, low, width, authors_bins)
    return np.sum(found * np.log(np.where(found > 0, found, 1.0) / expected), axis=0, where=found > 0)


def _shares(
    values: NDArray[np.float64], low: NDArray[np.float64], width: NDArray[np.float64], without_top: bool
) -> NDArray[np.float64]:
    """Share of models in each bin: [bins, examples]."""
    examples = values.shape[1]
    # Where all values are equal the bins begin at them, so that none is the top.
    places = (values - low) / np.where(width > 0, width, 1.0) * BINS
    bins = np.minimum(places.astype(np.int64), BINS if without_top else BINS - 1)
    flat = (bins * examples + np.arange(examples)).ravel()
    counts = np.bincount(flat, minlength=(BINS + 1) * examples).reshape(BINS + 1, examples)[:BINS]
    return counts / np.maximum(counts.sum(axis=0), 1)


def _measure(reference: NDArray[np.float64], other: NDArray[np.float64], given: Given) -> Columns:
    return {"klom": klom(reference, other)}


def _summary(columns: Columns) -> dict[str, float]:
    values = columns["klom"]
    return {"mean": float(values.mean()), "p95": float(np.quantile(values, 0.95))}


METRIC = Metric(
    name="klom",
    title="KLOM",
    says="KL divergence of the margins, on forget, retain (`probe`) and test examples",
    source="Georgiev et al., arXiv 2410.23232",
    ideal="0",
    ceiling="above 0; falls about as 1 / models",
    floor="up to 11.5, of laws without a common bin",
    better="lower",
    measure=_measure,
    summary=_summary,
    numbers={
        "mean": Number("Nats, mean over examples; 0 is ideal, falls as 1 / models for equal laws."),
        "p95": Number("Nats, 95th percentile over examples."),
    },
    headline="mean",
    columns={"klom": Column("float", "KL(unlearned || retrained) of the margins, nats")},
    shown=(
        Shown("KLOM forget", "mean", "mean over forget examples", "forget"),
        Shown("KLOM retain", "mean", "over retain examples", "probe"),
        Shown("KLOM test", "mean", "over test examples", "test"),
    ),
    roles=("forget", "probe", "test"),
)
