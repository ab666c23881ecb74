"""The challenge's metric written out with masks, step by step as published: slow, to be obviously right.

Follows [R] "Evaluation for the NeurIPS Machine Unlearning Competition" and [C] ``metric.py`` of
google-deepmind/unlearning_evaluation. One row of intervals (one right end, 400 left ends) is masked at a
time to bound the memory.
"""

from __future__ import annotations

import math

import numpy as np
import torch


def epsilons(retrained, unlearned, delta=1e-5):
    """Per-example epsilon, float64 [examples]; inputs float64 [models, examples]. NaN where undefined."""
    return np.array([_epsilon(r, u, delta) for r, u in zip(retrained.T, unlearned.T, strict=True)])


def forgetting_score(eps, models):
    """Mean of the bucket points, with the bucket loop of the published code."""
    points = {}
    start, worth = 0.0, 1.0
    while start + 0.5 <= math.ceil(math.log(models - 1)):
        points[start] = worth
        start, worth = start + 0.5, worth / 2
    total = 0.0
    for e in eps:
        for start, worth in points.items():
            if e < start + 0.5:
                total += worth
                break
    return total / len(eps)


def _epsilon(retrained, unlearned, delta):
    if np.median(retrained) > np.median(unlearned):
        positive, negative = retrained, unlearned
    else:
        positive, negative = unlearned, retrained
    smaller, larger = sorted([np.ptp(positive), np.ptp(negative)])
    with np.errstate(divide="ignore", invalid="ignore"):
        if smaller / larger < 0.01:
            return 50.0
        rates = [*_single_rates(positive, negative), *_interval_rates(positive, negative)]
        tpr, fnr, fpr, tnr = (np.concatenate(columns) for columns in zip(*rates, strict=True))
        attack = [np.log(1 - delta - fpr) - np.log(fnr), np.log(1 - delta - fnr) - np.log(fpr)]
        eps = np.clip(np.fmax(*attack), 0, None)
    eps[(fpr == 0) | (fnr == 0)] = np.nan
    eps[(fpr + fnr == 0) & (tpr + tnr == 2)] = np.inf
    if np.isnan(eps).all():
        return np.nan
    return float(np.clip(np.nanmax(eps), 0, 50))


def _single_rates(positive, negative):
    pooled = np.concatenate([positive, negative])
    count = int(np.ceil((pooled.max() - pooled.min()) * 100))
    thresholds = torch.linspace(pooled.min(), pooled.max(), count, dtype=torch.float32).numpy()
    for some in np.array_split(thresholds.astype(np.float64)[:, None], 1 + count // 400):
        yield _rates(positive[None, :] >= some, negative[None, :] >= some)


def _interval_rates(positive, negative):
    width = min(np.ptp(positive), np.ptp(negative))
    if np.ptp(positive) >= np.ptp(negative):
        narrow, wide = negative, positive
    else:
        narrow, wide = positive, negative
    low, high = narrow.min() + width - 2.0, narrow.max() + 2.0
    for right in np.linspace(low, high, num=int(np.ceil((high - low) * 100))):
        left = np.linspace(right - width - 2.0, right - width + 2.0, num=400)[:, None]
        yield _rates((left <= narrow) & (narrow <= right), (left <= wide) & (wide <= right))


def _rates(positive_called_positive, negative_called_positive):
    """TPR, FNR, FPR, TNR per threshold, as float32 means over the models (last axis)."""
    return tuple(
        called.astype(np.float32).mean(axis=1)
        for called in (
            positive_called_positive,
            ~positive_called_positive,
            negative_called_positive,
            ~negative_called_positive,
        )
    )
