"""Ranks of values among those of both sides, from which statistics of all pairs follow.

Not ``scipy.stats.rankdata``: a job of scoring needs nothing else of scipy.stats, which takes a second of CPU time to
import (pandas, whose frames rank as well, 0.6 s). Tests hold the areas against scipy's Mann-Whitney statistic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def area_under_curves(negatives: NDArray[np.floating], positives: NDArray[np.floating]) -> NDArray[np.float64]:
    """Area under the ROC curve of two samples, column by column: the share of pairs in order, ties counting half.

    Parameters
    ----------
    negatives, positives : array [values, columns]

    Returns
    -------
    float64 [columns]
    """
    n, m = len(negatives), len(positives)
    values = np.concatenate([negatives, positives])
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    of_positives = order >= n
    place = np.arange(1, n + m + 1)[:, None]
    # Of equal values each has the mean of their places: of the first's and the last's.
    differ = ordered[1:] != ordered[:-1]
    edge = np.ones((1, values.shape[1]), dtype=bool)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, differ]), place, 0))
    last = np.minimum.accumulate(np.where(np.concatenate([differ, edge]), place, n + m)[::-1])[::-1]
    # Twice the ranks are whole numbers, whose sum is exact.
    ranks = np.where(of_positives, first + last, 0).sum(axis=0) / 2
    return np.asarray((ranks - m * (m + 1) / 2) / (n * m), dtype=np.float64)
