"""Cliff's delta: in which direction an example's confidences differ, and how far, by their order alone.

Source: [C] Cliff, "Dominance statistics: ordinal analyses to answer ordinal questions" (1993).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics._inputs import both_sides
from unlearning_metric.metrics._ranks import area_under_curves
from unlearning_metric.metrics.record import Column, Columns, Given, Metric, Number, Shown
from unlearning_metric.metrics.two_sample import ks_p_values, told_apart

#: What became of an example, by the sign of its delta where it is told apart.
KINDS = ("over", "", "under")


def cliffs_delta(retrained: ArrayLike, unlearned: ArrayLike) -> NDArray[np.float64]:
    """P(unlearned > retrained) - P(unlearned < retrained) of each example, over all pairs of models; ties count half.

    Above 0 the unlearned models are surer of the example than retrained ones (too little was forgotten), below 0 less
    sure (too much was). Ideal and ceiling: 0, with a standard deviation of ``sqrt((n + m + 1) / (3 n m))`` by chance.
    Floor: 1 where the original is surer of an example than all retrained models, lower where it is amid them.

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Any signal that grows with how sure a model is; at least 2 models a side, which may differ in number.

    Returns
    -------
    float64 [examples]
        Within [-1, 1].

    Raises
    ------
    ValueError
        If an input is not 2-D, not finite, has fewer than 2 models, or the examples differ in number.

    References
    ----------
    [C]; the Mann-Whitney statistic U of the unlearned side, rescaled: ``2 U / (n m) - 1``.
    """
    return 2 * area_under_curves(*both_sides(retrained, unlearned)) - 1


def _measure(reference: NDArray[np.float64], other: NDArray[np.float64], given: Given) -> Columns:
    return {"cliffs_delta": cliffs_delta(reference, other), "direction_p": ks_p_values(reference, other)}


def _complete(columns: Columns) -> Columns:
    signs = np.sign(columns["cliffs_delta"]) * told_apart(columns["direction_p"])
    return {**columns, "direction": np.array(KINDS)[signs.astype(np.int64) + 1]}


def _summary(columns: Columns) -> dict[str, float]:
    deltas = columns["cliffs_delta"]
    return {
        "delta_mean": float(deltas.mean()),
        "delta_median": float(np.median(deltas)),
        "under_forgotten": float((columns["direction"] == KINDS[2]).mean()),
        "over_forgotten": float((columns["direction"] == KINDS[0]).mean()),
    }


METRIC = Metric(
    name="direction",
    title="direction",
    says="Cliff's delta: whether unlearned models are surer of an example than retrained ones (above 0, too little "
    "forgotten) or less sure (below 0, too much); shares of examples told apart either way",
    source="Cliff (1993)",
    ideal="0",
    ceiling="0 but for chance",
    floor="1 where the original is surer than all retrained models, lower where it is amid them",
    better="zero",
    measure=_measure,
    summary=_summary,
    numbers={
        "delta_mean": Number("Within [-1, 1], mean over examples; 0 is ideal."),
        "delta_median": Number("Median over examples."),
        "under_forgotten": Number("Share of examples told apart at a false-discovery rate of 5 %, delta above 0."),
        "over_forgotten": Number("The same with delta below 0."),
    },
    headline="delta_mean",
    columns={
        "cliffs_delta": Column(
            "float", "share of pairs of models in which the unlearned is surer, less that in which it is less sure"
        ),
        "direction": Column("text", "under, over: forgotten too little, too much, where told apart; empty elsewhere"),
    },
    complete=_complete,
    shown=(
        Shown("direction", "delta_mean", "Cliff's delta, mean; above 0 too little is forgotten", form="+.4f"),
        Shown("under", "under_forgotten", "share of examples told apart and forgotten too little"),
        Shown("over", "over_forgotten", "too much"),
    ),
)
