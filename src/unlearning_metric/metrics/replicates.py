"""Replicates of a score, from groups of models deleted together, and how well they tell its variance.

The model indices are partitioned at random into 16 equal blocks, the same for both sides and for every method that
shares the retrained models. The blocks are the points of the affine plane of order 4; each of its 20 lines names 4
blocks to delete, so every pair of blocks goes together exactly once. Two partitions give 40 scores.

Below 32 models a block is a single model, and both partitions delete nearly the same ones. The variance is then known
as well as from about N / 2 degrees of freedom (measured), not 20, and comes out too small by a tenth to a quarter for
methods that shift confidences. Many examples do not help: they leave what is common to them. The quantile of N / 2 - 4
degrees of freedom allows for both; from 48 models on it is that of 20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCKS = 16
PARTITIONS = 2
LEAST_MODELS = BLOCKS
#: Degrees of freedom of the common part's variance where no model stands out, and at least.
FREEDOM = 20.0
_LEAST_FREEDOM = 4.0


def lines() -> NDArray[np.int64]:
    """The 20 lines of the affine plane of order 4, each as its 4 of the 16 points: [20, 4]."""
    product = np.array([[0, 0, 0, 0], [0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2]])  # in the field of 4; its sum is xor
    x = np.arange(4)
    slanted = [4 * x + (product[slope] ^ shift) for slope in range(4) for shift in range(4)]
    return np.array([*slanted, *(4 * column + x for column in range(4))])


def deletions(models: int, seed: int) -> tuple[NDArray[np.int64], float]:
    """Which models each replicate keeps, and the factor that makes the replicates' variance one of the score.

    Parameters
    ----------
    models : int
        At least 16. Beyond a multiple of 16, a random rest is never deleted, other models in each partition.
    seed : int

    Returns
    -------
    kept : int [2, 20, kept models]
        Ascending indices for each partition and line.
    factor : float
        ``(N - d)^2 / (N d (1 - d / P))`` for d deleted out of P models in blocks, which is exact for means; 3 where 16
        divides N.

    Raises
    ------
    ValueError
        If there are fewer than 16 models.
    """
    if models < LEAST_MODELS:
        raise ValueError(f"{models} models a side: an interval needs at least {LEAST_MODELS}, train more of them")
    generator = np.random.default_rng(seed)
    size = models // BLOCKS
    pool, deleted = size * BLOCKS, size * 4
    kept = np.empty((PARTITIONS, 20, models - deleted), dtype=np.int64)
    for partition in range(PARTITIONS):
        blocks = generator.permutation(models)[:pool].reshape(BLOCKS, size)
        for line, members in enumerate(lines()):
            kept[partition, line] = np.setdiff1d(np.arange(models), blocks[members].ravel())
    return kept, (models - deleted) ** 2 / (models * deleted * (1 - deleted / pool))


def most_freedom(models: int) -> float:
    """Degrees of freedom of a score's variance between this many models where none of them stands out."""
    return min(FREEDOM, models / 2 - 4)


def freedom(*sides: NDArray[np.float64]) -> float:
    """Degrees of freedom of a score's variance between models: `most_freedom`, and less where models stand far out.

    A variance from n values of kurtosis k is known as well as one from 2 n / (k - 1) normal ones (Satterthwaite). The
    values are the models' levels: the mean standardised confidence of each.

    Parameters
    ----------
    sides : float64 [models, examples]
        Confidence of both sides; the heavier tail counts.
    """
    kurtosis = 3.0
    for side in sides:
        spread = side.std(axis=0)
        varying = spread > 0
        if not varying.any():
            continue
        level = ((side - side.mean(axis=0))[:, varying] / spread[varying]).mean(axis=1)
        square = float((level**2).mean())
        if square > 0:
            kurtosis = max(kurtosis, float((level**4).mean()) / square**2)
    of_levels = max(2.0 * FREEDOM / (kurtosis - 1.0), _LEAST_FREEDOM)
    return min(of_levels, *(most_freedom(len(side)) for side in sides))


@dataclass(frozen=True)
class Replicates:
    """A score's points on all models and with each line deleted. Plain arrays, so that they can be stored.

    Attributes
    ----------
    points : float64 [examples]
        On all models; the score is their mean.
    deleted : float64 [2, 20, examples]
        For each partition and line.
    factor : float
        As `deletions` gives it.
    freedom : float
        As `freedom` gives it.
    each : float64 [originals]
        The score from each original, where the points are the mean of those from several, which then count as drawn at
        random; empty for one original.
    """

    points: NDArray[np.float64]
    deleted: NDArray[np.float64]
    factor: float
    freedom: float = FREEDOM
    each: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @property
    def score(self) -> float:
        return float(self.points.mean())

    def scaled(self, ratio: float, ratios: NDArray[np.float64]) -> Replicates:
        """Points times a ratio of accuracies, on all models and [2, 20]: a final score's replicates."""
        return Replicates(self.points * ratio, self.deleted * ratios[:, :, None], self.factor, self.freedom)

    def of(self, examples: NDArray[np.bool_]) -> Replicates:
        """Those of some of the examples."""
        return Replicates(self.points[examples], self.deleted[:, :, examples], self.factor, self.freedom)


def mean_replicates(scores: Sequence[Replicates]) -> Replicates:
    """Replicates of the mean score over originals, from those of the same method from each of them."""
    return Replicates(
        points=np.mean([one.points for one in scores], axis=0),
        deleted=np.mean([one.deleted for one in scores], axis=0),
        factor=scores[0].factor,
        freedom=min(one.freedom for one in scores),
        each=np.array([one.score for one in scores]),
    )


def replicates(
    points: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    models: int,
    seed: int,
    whole: NDArray[np.float64] | None = None,
    freedom: float | None = None,
    each: Callable[..., Iterable[Any]] = map,
) -> Replicates:
    """Evaluate ``points(indices of the models kept) -> [examples]`` for each of 40 deletions.

    Parameters
    ----------
    points : function
    models : int
    seed : int
        Equal seeds and numbers of models give equal deletions, which is what pairs two methods.
    whole : float64 [examples], optional
        The points on all models, where they are known already.
    freedom : float, optional
        As the function `freedom` gives it; `most_freedom` unless given.
    each : function
        Evaluates `points` for every deletion: ``map``, or what does so in threads.

    Raises
    ------
    ValueError
        If there are fewer than 16 models.
    """
    kept, factor = deletions(models, seed)
    lines_kept = kept.reshape(-1, kept.shape[2])
    if whole is None:
        whole, *found = each(points, [np.arange(models), *lines_kept])
    else:
        found = list(each(points, lines_kept))
    known = most_freedom(models) if freedom is None else freedom
    return Replicates(whole, np.array(found).reshape(*kept.shape[:2], -1), factor, known)
