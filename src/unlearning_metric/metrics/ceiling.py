"""What a ceiling from halves of the retrained models has to be multiplied with, to be one at their full number.

Halves have half as many models, and the challenge's fixed threshold grid makes its score depend on that number where
confidences spread little: up or down, and not steadily, so that nothing can be extrapolated. The same dependence is
found in simulated pairs, of which there are as many as one likes, whose law is that of the retrained models.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics._inputs import model_values
from unlearning_metric.metrics.bucket_points import DELTA
from unlearning_metric.metrics.challenge import challenge

#: Simulated examples, all rounds together, that leave the factor an error of about 1 %.
_DRAWN = 24_000
# Of which so many are searched in one call.
_AT_ONCE = 500


def split_correction(retrained: ArrayLike, seed: int, delta: float = DELTA) -> float:
    """Ratio of the ceilings of simulated pairs of N against N and of N/2 against N/2 models.

    Each example's pairs have the spread of its retrained models, and the shape of those of all examples: the grid
    depends on ranges, of which an example's standard deviation says little where tails are heavy. Where confidences lie
    does not matter. Measured (``benchmarks/ceiling.py``), the mean of half-splits times this factor is within 3 % of
    the ceiling of N against N models in each of eight laws at 20 to 128 models, where it was off by up to 34 %.

    Parameters
    ----------
    retrained : array [models, examples]
        Logit-scaled confidence; at least 4 models.
    seed : int
        Equal seeds give equal draws.
    delta : float in (0, 1)

    Returns
    -------
    float
        1 where the halves of the simulation score 0.

    Raises
    ------
    ValueError
        If the input is not 2-D, not finite, or has fewer than 4 models.
    """
    values = model_values(retrained, "retrained", 4)
    models, examples = values.shape
    spreads, shape = _spreads(values)
    smoothing = _bandwidth(shape)
    generator = np.random.default_rng(seed)
    whole, halved, half = 0.0, 0.0, models // 2
    drawn_examples = max(-(-_DRAWN // examples), 2) * examples
    for start in range(0, drawn_examples, _AT_ONCE):
        # A call for each draw of a few examples would cost seconds, one for all draws of many gigabytes.
        of = np.arange(start, min(start + _AT_ONCE, drawn_examples)) % examples
        drawn = shape[generator.integers(shape.size, size=(2, models, len(of)))]
        # A bootstrap has ties, which the search takes for two sides that differ: hence the smoothing.
        drawn += smoothing * generator.standard_normal(drawn.shape)
        drawn *= spreads[of]
        # Both halves count, of the same draws: what the draws have in common leaves the ratio.
        whole += float(challenge(drawn[0], drawn[1], delta).points.sum())
        halved += float(challenge(drawn[0, :half], drawn[1, :half], delta).points.sum()) / 2
        halved += float(challenge(drawn[0, -half:], drawn[1, -half:], delta).points.sum()) / 2
    return whole / halved if halved > 0 else 1.0


def _spreads(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spread of each example between models, and the values of all examples in units of these, about 0.

    The spreads are mean absolute deviations, which outliers move less than a standard deviation; what they differ by
    chance alone is taken off (empirical Bayes, on a log scale), else an outlier would count twice: in its example's
    spread and in the shape of all.

    Returns
    -------
    spreads : float64 [examples]
    shape : float64 [models * examples that vary]
        A single 0 if no example varies.
    """
    # From the mean: the median of a law of two modes is now near the one, now near the other.
    away = values - values.mean(axis=0)
    spreads = np.abs(away).mean(axis=0)
    # A mean may be off by rounding where all models say the same.
    varying = np.ptp(values, axis=0) > 0
    spreads[~varying] = 0.0
    if not varying.any():
        return spreads, np.zeros(1)
    away, found = away[:, varying], spreads[varying]
    logs = np.log(found)
    relative = np.abs(away) / found
    by_chance = float(relative.var()) / len(values)
    between = float(logs.var(ddof=1)) if len(logs) > 1 else 0.0
    kept = max(1.0 - by_chance / between, 0.0) if between > 0 else 0.0
    spreads[varying] = np.exp(logs.mean() + kept * (logs - logs.mean()))
    return spreads, (away / spreads[varying]).ravel()


def _bandwidth(shape: NDArray[np.float64]) -> float:
    """Silverman's rule of thumb for a normal kernel on these values [values]."""
    low, high = np.quantile(shape, [0.25, 0.75])
    return float(0.9 * min(shape.std(), (high - low) / 1.34) * shape.size**-0.2)
