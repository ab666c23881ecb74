"""The challenge's points between subsets of the models: halves for a ceiling, fewer models, all but some of them.

The values of all models are sorted once, and each subset takes its own from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unlearning_metric.metrics import _challenge_kernel as kernel
from unlearning_metric.metrics.bucket_points import BUCKET_WIDTH, DELTA, buckets, challenge_points, log_tables

LEAST_SUBSETS = 8


@dataclass(frozen=True)
class Sorted:
    """Confidences in the order of their size, from which those of some of the models are taken without sorting again.

    Attributes
    ----------
    values : float64 [examples, models of all sides], each row ascending
    places : int [examples, models of all sides], the model of each value; those of a second side follow the first's
    """

    values: NDArray[np.float64]
    places: NDArray[np.integer]

    @classmethod
    def of(cls, *sides: NDArray[np.float64]) -> Sorted:
        """Confidences [models, examples] of one or two sides."""
        rows = np.concatenate(sides).T
        places = np.argsort(rows, axis=1)
        kind = np.int16 if rows.shape[1] <= np.iinfo(np.int16).max else np.int64
        return cls(np.take_along_axis(rows, places, axis=1), places.astype(kind))


def subset_points(
    sides: Sorted, first: NDArray[np.int64], second: NDArray[np.int64], delta: float = DELTA
) -> NDArray[np.float64]:
    """Sum of the points [examples] over pairs of subsets of the models.

    Parameters
    ----------
    sides : confidences
    first, second : int [subsets, size], places of the models that are compared
    delta : float in (0, 1)
    """
    size, width = first.shape[1], sides.values.shape[1]
    labels = np.zeros((len(first), width), dtype=np.uint8)
    np.put_along_axis(labels, first, 1, axis=1)
    np.put_along_axis(labels, second, 2, axis=1)
    starts = np.arange(buckets(size), dtype=np.float32) * np.float32(BUCKET_WIDTH)
    tops = np.nextafter(starts + np.float32(BUCKET_WIDTH), np.float32(0.0))
    points = np.zeros(len(sides.values))
    if len(tops) == 0:
        return points
    kernel.add_points(
        sides.values, sides.places, labels, *log_tables(size, delta), tops, challenge_points(starts, size), points
    )
    return points


def halves_points(
    retrained: Sorted,
    kept: NDArray[np.int64],
    seed: int | np.random.SeedSequence,
    splits: int = 10,
    delta: float = DELTA,
) -> NDArray[np.float64]:
    """Mean points [examples] over random half-splits of the models `kept` of the first side.

    The order of all models is what is drawn, so deleting some moves few of the others to the other half: replicates
    for an interval differ by the models, not by the splits.
    """
    half = len(kept) // 2
    orders = np.array([order[: 2 * half] for order in _orders(kept, retrained.values.shape[1], seed, splits)])
    return subset_points(retrained, orders[:, :half], orders[:, half:], delta) / splits


def subsets_points(
    sides: Sorted,
    kept: NDArray[np.int64],
    size: int,
    seed: int | np.random.SeedSequence,
    delta: float = DELTA,
) -> NDArray[np.float64]:
    """Mean points [examples] over random subsets of `size` of the models `kept`.

    Both sides keep the models of the same indices. Random orders of all models are cut into as many disjoint subsets
    as `kept` gives, until there are `LEAST_SUBSETS`: as in `halves_points`, deleting models moves few of the others.
    """
    models, disjoint = sides.values.shape[1] // 2, len(kept) // size
    orders = _orders(kept, models, seed, subsets_number(len(kept), size) // disjoint)
    subsets = np.concatenate([order[: disjoint * size].reshape(disjoint, size) for order in orders])
    return subset_points(sides, subsets, models + subsets, delta) / len(subsets)


def subsets_number(models: int, size: int) -> int:
    """How many subsets `subsets_points` takes of this many models."""
    disjoint = models // size
    return disjoint * -(-LEAST_SUBSETS // disjoint)


def _orders(
    kept: NDArray[np.int64], models: int, seed: int | np.random.SeedSequence, number: int
) -> list[NDArray[np.int64]]:
    """Random orders of all models, of which those not kept are left out."""
    generator = np.random.default_rng(seed)
    return [order[np.isin(order, kept)] for order in (generator.permutation(models) for _ in range(number))]
