"""Numbers that figures and page show and no document holds: of utility, which examples, agreement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from unlearning_metric.metrics.table import METRICS
from unlearning_metric.outputs.ensemble import Ensemble

if TYPE_CHECKING:
    from unlearning_metric.report.gather import Method

#: How many of the forget examples that all methods forget badly are shown by themselves.
HARDEST = 6
#: Bytes of confidences on a page: what a page of 5 MB has room for.
ROOM = 2_200_000


def utility_interval(retrained: Ensemble, unlearned: Ensemble) -> tuple[float, float, float] | None:
    """Product of retain and test accuracy ratio with its 95 % interval over models; None where not recorded.

    The interval is that of a product of ratios of means to first order: each side's models contribute the sum of their
    relative deviations.
    """
    value, variance = 1.0, 0.0
    for side, sign in ((unlearned, 1), (retrained, -1)):
        if not {"retain", "test"} <= side.accuracy.keys():
            return None
        means = {name: float(side.accuracy[name].mean()) for name in ("retain", "test")}
        if min(means.values()) <= 0.0 and sign < 0:
            return None
        value *= (means["retain"] * means["test"]) ** sign
        if min(means.values()) > 0.0 and len(side) > 1:
            relative = sum(side.accuracy[name] / means[name] for name in means)
            variance += float(relative.var(ddof=1)) / len(side)
    half = 1.96 * value * variance**0.5
    return value, value - half, value + half


def shown_places(tables: Sequence[pd.DataFrame], models: int, room: int = ROOM) -> np.ndarray:
    """Rows, int [shown], ascending, of the examples whose confidences a page has room for; all where it has.

    Of too many, the hardest are taken, and the rest evenly from the least to the most telling.

    Parameters
    ----------
    tables : the per-example table of each method
    models : of a side; 0 where their outputs are not known
    room : bytes
    """
    if not tables or not models:
        return np.empty(0, dtype=np.int64)
    examples, fit = len(tables[0]), room // ((len(tables) + 1) * models * 8)
    if fit >= examples:
        return np.arange(examples)
    fit = max(fit, 3)
    by_epsilon = np.argsort(median_epsilons(tables), kind="stable")
    hard = min(HARDEST, fit // 2)
    evenly = np.linspace(0, examples - 1 - hard, fit - hard).round().astype(int)
    return np.sort(np.concatenate([by_epsilon[examples - hard :], by_epsilon[evenly]]))


def median_epsilons(tables: Sequence[pd.DataFrame]) -> np.ndarray:
    """Median epsilon over the methods, float64 [examples]; an undefined one counts as the largest."""
    return np.median([table["epsilon"].fillna(50.0).to_numpy() for table in tables], axis=0)


def epsilon_matrix(methods: list[Method]) -> pd.DataFrame:
    """Epsilon of each method (rows) on each forget example (columns, easiest first by the retrained models' loss)."""
    first = methods[0].samples
    order = np.argsort(first["retrained_loss"].to_numpy(), kind="stable")
    return pd.DataFrame(
        [method.samples["epsilon"].to_numpy()[order] for method in methods],
        index=[method.name for method in methods],
        columns=first["example"].to_numpy()[order],
    )


def hardest(methods: list[Method], count: int = HARDEST) -> pd.DataFrame:
    """The forget examples with the largest median epsilon over the methods: example, label, epsilon."""
    first = methods[0].samples
    medians = median_epsilons([method.samples for method in methods])
    table = pd.DataFrame({"example": first["example"], "label": first["label"], "epsilon": medians})
    return table.sort_values(["epsilon", "example"], ascending=[False, True]).head(count)


def rank_agreement(methods: list[Method]) -> pd.DataFrame:
    """Spearman correlation of the methods' ranks under each pair of metrics; NaN below 3 methods with both."""
    values = {"challenge": [method.document["challenge"]["forgetting_score"] for method in methods]}
    for metric in METRICS.values():
        found = [metric.goodness(method.document) for method in methods]
        values[metric.title] = [math.nan if value is None else value for value in found]
    return pd.DataFrame(values).corr(method="spearman", min_periods=3)
