"""What a ceiling from halves of the retrained models has to be multiplied with, to be one at their full number.

Halves have half as many models, and the challenge's fixed threshold grid makes its score depend on that number where
confidences spread little: up or down, and not steadily, so that nothing can be extrapolated. The same dependence is
found in Gaussian pairs with the retrained models' spreads, of which there are as many as one likes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics._inputs import model_values
from unlearning_metric.metrics.challenge import DELTA, challenge

#: Simulated examples, all rounds together, that leave the factor an error of about 1 %.
_DRAWN = 24_000
# Of which so many are searched in one call.
_AT_ONCE = 500


def split_correction(retrained: ArrayLike, seed: int, delta: float = DELTA) -> float:
    """Ratio of the ceilings of Gaussian pairs of N against N and of N/2 against N/2 models.

    Each example's pairs have the standard deviation of its retrained models; where they lie does not matter. Measured
    (``benchmarks/ceiling.py``), the mean of half-splits times this factor is within 6 % of the ceiling of N against N
    models for normal and skewed laws and wide tails, where it was off by up to 34 %. For Student's t of three degrees
    of freedom with sd 0.5 it is 13 % low at 64 models, and not at 20, 32 or 128: the grid depends on ranges, of which
    the standard deviation of such heavy tails says little.

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
    spreads = values.std(axis=0, ddof=1)
    generator = np.random.default_rng(seed)
    whole, halved, half = 0.0, 0.0, models // 2
    left = max(-(-_DRAWN // examples), 2)
    while left > 0:
        # A call for each draw of a few examples would cost seconds.
        taken = min(left, max(_AT_ONCE // examples, 1))
        left -= taken
        parts: list[NDArray[np.float64]] = [generator.normal(size=(2, models, examples)) for _ in range(taken)]
        drawn = np.concatenate([part * spreads for part in parts], axis=2)
        # Both halves count, of the same draws: what the draws have in common leaves the ratio.
        sides = [challenge(drawn[0, of], drawn[1, of], delta).points.reshape(taken, examples) for of in
                 (slice(models), slice(half), slice(models - half, models))]  # fmt: skip
        for points, first, second in zip(*sides, strict=True):
            whole += float(points.mean())
            halved += float(first.mean()) / 2
            halved += float(second.mean()) / 2
    return whole / halved if halved > 0 else 1.0
