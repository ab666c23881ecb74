"""What an epsilon is worth in the challenge's score, and the logarithms that its kernel looks epsilons up in.

Sources: [R] "Evaluation for the NeurIPS Machine Unlearning Competition" (2023); [C] the published scoring code,
google-deepmind/unlearning_evaluation, ``metric.py``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics._inputs import real

DELTA = 1e-5
BUCKET_WIDTH = 0.5


def challenge_points(epsilons: ArrayLike, copies: int) -> NDArray[np.float64]:
    """Bucket points: 1 for epsilon below 0.5, half of it for each further 0.5, 0 past the last bucket.

    Parameters
    ----------
    epsilons : array [examples]
        In nats; NaN is worth 0 points.
    copies : int
        Models a side, N. The last bucket ends at ``ceil(ln(N - 1))``, so N = 2 has none.

    Returns
    -------
    float64 [examples]

    Raises
    ------
    ValueError
        If `copies` is below 2.

    References
    ----------
    [R] (13 buckets at N = 512); [C] ``compute_forget_score_from_confs``
    (makes 14, the last of which no epsilon reaches).
    """
    if copies < 2:
        raise ValueError(f"copies is {copies}: the bucket points need at least 2 models a side")
    bucket = np.maximum(np.floor(real(epsilons, "epsilons") / BUCKET_WIDTH), 0.0)
    # A comparison with NaN is false, so an undefined epsilon lands in no bucket.
    within = bucket < buckets(copies)
    return np.where(within, np.exp2(-np.where(within, bucket, 0.0)), 0.0)


def buckets(copies: int) -> int:
    """How many buckets have points at so many models a side."""
    return int(math.ceil(math.log(copies - 1)) / BUCKET_WIDTH)


def log_tables(models: int, delta: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``ln(1 - delta - k / models)`` and ``ln(k / models)`` for k = 0 .. models, in float32 as in [C]."""
    rate = np.arange(models + 1, dtype=np.float32) / np.float32(models)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.float32(1 - delta) - rate), np.log(rate)
