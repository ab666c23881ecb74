"""Whether the two sides differ at all, example by example: a test without a rule, and a distance in spreads.

Sources: Kolmogorov-Smirnov (scipy ``ks_2samp``); [BH] Benjamini and Hochberg (1995), "Controlling the false discovery
rate"; [D] Dong, Roth and Su (arXiv 1905.02383), whose Gaussian trade-off function has the parameter mu.
"""

from __future__ import annotations

import threading
import warnings
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics._inputs import both_sides, real
from unlearning_metric.metrics.record import Column, Columns, Given, Metric, Number, Shown

FALSE_DISCOVERY_RATE = 0.05
#: Models a side up to which p-values are exact.
LARGEST_EXACT = 10_000
_FILTERS = threading.Lock()


def ks_p_values(retrained: ArrayLike, unlearned: ArrayLike) -> NDArray[np.float64]:
    """Two-sided p-value of the two-sample Kolmogorov-Smirnov test, exact up to 10,000 models a side.

    Ideal and ceiling: uniform on [0, 1], which two sets of retrained models give. Floor: 0.

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Any signal; at least 2 models a side, which may differ in number.

    Returns
    -------
    float64 [examples]

    Raises
    ------
    ValueError
        If an input is not 2-D, not finite, has fewer than 2 models, or the examples differ in number.
    """
    retrained, unlearned = both_sides(retrained, unlearned)
    n, m = len(retrained), len(unlearned)
    # The p-value depends on the statistic alone, of which there are few.
    gaps, place = np.unique(_largest_gaps(retrained, unlearned), return_inverse=True)
    return np.array([_p_value(int(gap), n, m) for gap in gaps])[place]


@lru_cache(maxsize=100_000)
def _p_value(gap: int, n: int, m: int) -> float:
    """What scipy says of two samples whose distributions differ by ``gap / (n m)`` at most."""
    if n == m <= LARGEST_EXACT:
        value = _outside(n, gap // n)
        if 0.0 <= value <= 1.0:
            return value
    # Not with the other imports: it takes as long as they do together.
    from scipy.stats import ks_2samp

    # i of the first and j of the second lie below the rest, so that the largest gap is |i m - j n|.
    i = next(i for i in range(n + 1) if (i * m - gap) % n == 0 and 0 <= i * m - gap <= n * m)
    j = (i * m - gap) // n
    # The filters of warnings belong to all threads.
    with _FILTERS, warnings.catch_warnings():
        # Where rounding takes the exact p-value past 1, scipy says at length that it goes on with the asymptotic one.
        warnings.filterwarnings("ignore", message="ks_2samp: Exact calculation unsuccessful", category=RuntimeWarning)
        return float(ks_2samp(np.arange(n) >= i, np.arange(m) >= j).pvalue)


def _outside(n: int, steps: int) -> float:
    """Probability that two samples of `n` of one law are apart by ``steps / n`` somewhere; past 1 by rounding.

    The alternating sum of reflected paths, from its last term on, as scipy does it.
    """
    if steps == 0:
        return 1.0
    found = 0.0
    for reflected in range(n // steps, -1, -1):
        ratio = 1.0
        for j in range(steps):
            ratio = (n - reflected * steps - j) * ratio / (n + reflected * steps + j + 1)
        found = ratio * (1.0 - found)
    return 2 * found


def _largest_gaps(retrained: NDArray[np.float64], unlearned: NDArray[np.float64]) -> NDArray[np.int64]:
    """Largest difference of the two empirical distributions, times both numbers of models: int [examples]."""
    n, m = len(retrained), len(unlearned)
    values = np.concatenate([retrained, unlearned])
    order = np.argsort(values, axis=0)
    gaps = np.cumsum(np.where(order < n, m, -n), axis=0)
    # Between equal values there is no step to look at.
    ordered = np.take_along_axis(values, order, axis=0)
    gaps[:-1][ordered[1:] == ordered[:-1]] = 0
    return np.abs(gaps).max(axis=0)


def told_apart(p_values: ArrayLike, rate: float = FALSE_DISCOVERY_RATE) -> NDArray[np.bool_]:
    """Which examples are told apart at a false-discovery rate. Their share is 0 for an ideal method, but for chance.

    Parameters
    ----------
    p_values : array [examples]
        Within [0, 1].
    rate : float in (0, 1)

    Returns
    -------
    bool [examples]

    Raises
    ------
    ValueError
        If a value lies outside [0, 1].

    References
    ----------
    [BH]; the same as scipy's ``false_discovery_control``.
    """
    values = real(p_values, "p_values")
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise ValueError("p_values holds a number outside [0, 1]")
    order = np.argsort(values)
    scaled = values[order] * (len(values) / np.arange(1, len(values) + 1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return adjusted <= rate


def gaussian_mu(retrained: ArrayLike, unlearned: ArrayLike) -> NDArray[np.float64]:
    """Absolute difference of the means in units of the pooled standard deviation.

    Of two Gaussians of one spread it is the mu of their trade-off function, which no attacker beats. Ideal 0; ceiling
    about ``sqrt(4 / (pi models))`` by chance, ``0.95 / sqrt(models)`` in the median; floor: large, and infinite where
    both sides are constant and differ.

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Logit-scaled confidence; at least 2 models a side, which may differ in number.

    Returns
    -------
    float64 [examples]

    Raises
    ------
    ValueError
        As `ks_p_values`.

    References
    ----------
    [D], definition 2.6.
    """
    retrained, unlearned = both_sides(retrained, unlearned)
    n, m = len(retrained), len(unlearned)
    difference = np.abs(retrained.mean(axis=0) - unlearned.mean(axis=0))
    constant = (np.ptp(retrained, axis=0) == 0) & (np.ptp(unlearned, axis=0) == 0)
    squares = ((n - 1) * retrained.var(axis=0, ddof=1) + (m - 1) * unlearned.var(axis=0, ddof=1)) / (n + m - 2)
    spread = np.sqrt(np.where(constant, 1.0, squares))
    return np.where(constant, np.where(retrained[0] == unlearned[0], 0.0, np.inf), difference / spread)


def _measure(reference: NDArray[np.float64], other: NDArray[np.float64], given: Given) -> Columns:
    return {"ks_p": ks_p_values(reference, other), "mu": gaussian_mu(reference, other)}


def _complete(columns: Columns) -> Columns:
    return {**columns, "told_apart": told_apart(columns["ks_p"])}


def _summary(columns: Columns) -> dict[str, float]:
    return {
        "told_apart": float(columns["told_apart"].mean()),
        "p_median": float(np.median(columns["ks_p"])),
        "mu_median": float(np.median(columns["mu"])),
    }


METRIC = Metric(
    name="two_sample",
    title="told apart",
    says="share of examples told apart by Kolmogorov-Smirnov at 5 % false discoveries; mu, the difference of the means "
    "in standard deviations",
    source="Benjamini and Hochberg (1995); Dong, Roth and Su, arXiv 1905.02383",
    ideal="0",
    ceiling="0 but for chance; mu about 0.95 / sqrt(models)",
    floor="near 1; mu as far as the original stands off",
    better="lower",
    measure=_measure,
    summary=_summary,
    numbers={
        "told_apart": Number(
            "Share of examples told apart by Kolmogorov-Smirnov at a false-discovery rate of 5 %; 0 is ideal."
        ),
        "p_median": Number("Median of the p-values."),
        "mu_median": Number("|mean difference| / pooled sd, median over examples; null where infinite.", "infinite"),
    },
    headline="told_apart",
    columns={
        "ks_p": Column("float", "two-sample Kolmogorov-Smirnov p-value"),
        "told_apart": Column("bool", "told apart by it at a false-discovery rate of 5 % over the examples"),
        "mu": Column(
            "float",
            "|mean difference| / pooled standard deviation; infinite where both sides are constant and differ",
        ),
    },
    complete=_complete,
    shown=(
        Shown("told apart", "told_apart", "share of examples"),
        Shown("mu", "mu_median", "median over examples"),
    ),
)
