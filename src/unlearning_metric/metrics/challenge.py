"""The forgetting score of the NeurIPS 2023 Machine Unlearning Challenge, on the challenge's threshold grid.

Sources: [R] "Evaluation for the NeurIPS Machine Unlearning Competition" (2023); [C] the published scoring
code, google-deepmind/unlearning_evaluation, ``metric.py``. Values equal those of [C]. Two things differ by
intent: an example without a usable threshold is NaN and counted, where an assertion of [C] fails, and
confidences beyond +-50,000 are refused (those of [C] cannot pass +-104).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics import _challenge_kernel as kernel
from unlearning_metric.metrics._inputs import both_sides, model_values, real, refuse

DELTA = 1e-5
EPSILON_CAP = 50.0
BUCKET_WIDTH = 0.5
# The threshold grid has a step of 0.01: beyond this its size leaves the integers that float32 can count.
LARGEST_CONFIDENCE = 50_000.0
LEAST_SUBSETS = 8


@dataclass(frozen=True)
class ChallengeResult:
    """What the challenge's forgetting score is made of.

    Attributes
    ----------
    epsilons : float64 [examples]
        Per-example epsilon in nats, within [0, 50]; NaN where undefined.
    points : float64 [examples]
        Bucket points within [0, 1].
    forgetting_score : float
        F, the mean of `points`.
    peaky : bool [examples]
        One side's range is below 1 % of the other's: epsilon is 50 and no attack was run.
    infinite : bool [examples]
        Some threshold separates the two sides without error: epsilon is 50.
    undefined : bool [examples]
        No threshold survived: epsilon is NaN and the example has 0 points.
    """

    epsilons: NDArray[np.float64]
    points: NDArray[np.float64]
    forgetting_score: float
    peaky: NDArray[np.bool_]
    infinite: NDArray[np.bool_]
    undefined: NDArray[np.bool_]


def challenge(retrained: ArrayLike, unlearned: ArrayLike, delta: float = DELTA) -> ChallengeResult:
    """Epsilons, points and forgetting score of one method, and which examples are special.

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Logit-scaled confidence of each forget example under each model; same shape; cast to float64.
    delta : float in (0, 1)

    Returns
    -------
    ChallengeResult

    Raises
    ------
    ValueError
        If an input is not 2-D or has no examples, the shapes differ, there are fewer than 2 models, a value
        is not finite or beyond +-50,000, or `delta` is outside (0, 1).

    References
    ----------
    [R]; [C] ``_get_epsilons`` and ``compute_forget_score_from_confs``.
    """
    _check_delta(delta)
    retrained, unlearned = _sides(retrained, unlearned)
    models, sides = len(retrained), Sorted.of(retrained, unlearned)
    label = np.repeat(np.array([1, 2], dtype=np.uint8), models)
    epsilons, kinds = np.empty(len(sides.values)), np.empty(len(sides.values), dtype=np.int8)
    kernel.all_epsilons(sides.values, sides.places, label, *log_tables(models, delta), EPSILON_CAP, epsilons, kinds)
    points = challenge_points(epsilons, models)
    return ChallengeResult(
        epsilons=epsilons,
        points=points,
        forgetting_score=float(points.mean()),
        peaky=kinds == kernel.PEAKY,
        infinite=kinds == kernel.INFINITE,
        undefined=kinds == kernel.UNDEFINED,
    )


def challenge_epsilons(retrained: ArrayLike, unlearned: ArrayLike, delta: float = DELTA) -> NDArray[np.float64]:
    """Per-example epsilon: the most telling single threshold or interval of the challenge's grid.

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Logit-scaled confidence; same shape; cast to float64.
    delta : float in (0, 1)

    Returns
    -------
    float64 [examples]
        In nats, within [0, 50]; 50 where a side is peaky or the sides are separable, NaN where undefined.

    Raises
    ------
    ValueError
        As `challenge`.

    References
    ----------
    [R]; [C] ``_get_epsilons``.
    """
    return challenge(retrained, unlearned, delta).epsilons


def challenge_score(retrained: ArrayLike, unlearned: ArrayLike, delta: float = DELTA) -> float:
    """Forgetting score F: the mean of the bucket points over examples, within [0, 1].

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Logit-scaled confidence; same shape; cast to float64.
    delta : float in (0, 1)

    Raises
    ------
    ValueError
        As `challenge`.

    References
    ----------
    [C] ``compute_forget_score_from_confs``.
    """
    return challenge(retrained, unlearned, delta).forgetting_score


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
    buckets = _buckets(copies)
    bucket = np.maximum(np.floor(real(epsilons, "epsilons") / BUCKET_WIDTH), 0.0)
    # A comparison with NaN is false, so an undefined epsilon lands in no bucket.
    return np.where(bucket < buckets, np.exp2(-np.where(bucket < buckets, bucket, 0.0)), 0.0)


def _buckets(copies: int) -> int:
    return int(math.ceil(math.log(copies - 1)) / BUCKET_WIDTH)


def split_ceiling(
    retrained: ArrayLike, seed: int | np.random.SeedSequence, splits: int = 10, delta: float = DELTA
) -> float:
    """Forgetting score of retrained models against retrained models: what perfect unlearning would get.

    The models are split at random into two halves, which are scored as if one were a method; the mean over
    `splits` splits. Each half has ``models // 2`` models (with an odd number, one sits out each time).

    Parameters
    ----------
    retrained : array [models, examples]
        Logit-scaled confidence; at least 4 models; cast to float64.
    seed : int or numpy.random.SeedSequence
        Equal seeds give equal splits.
    splits : int
        At least 1.
    delta : float in (0, 1)

    Returns
    -------
    float
        Within [0, 1].

    Raises
    ------
    ValueError
        If there are fewer than 4 models or `splits` is below 1, and as `challenge`.
    """
    _check_delta(delta)
    retrained = _within_grid(model_values(retrained, "retrained", 4), "retrained")
    models = retrained.shape[0]
    if splits < 1:
        raise ValueError(f"splits is {splits}: ask for at least 1 split")
    return float(halves_points(Sorted.of(retrained), np.arange(models), seed, splits, delta).mean())


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
    starts = np.arange(_buckets(size), dtype=np.float32) * np.float32(BUCKET_WIDTH)
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


def log_tables(models: int, delta: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``ln(1 - delta - k / models)`` and ``ln(k / models)`` for k = 0 .. models, in float32 as in [C]."""
    rate = np.arange(models + 1, dtype=np.float32) / np.float32(models)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.float32(1 - delta) - rate), np.log(rate)


def _check_delta(delta: float) -> None:
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta is {delta}: it must lie strictly between 0 and 1, such as {DELTA}")


def _within_grid(array: NDArray[np.float64], side: str) -> NDArray[np.float64]:
    refuse(
        np.abs(array) > LARGEST_CONFIDENCE,
        array,
        side,
        f"is beyond +-{LARGEST_CONFIDENCE:,.0f}, too far for a threshold grid with step 0.01: look for a "
        "diverged model",
    )
    return array


def _sides(retrained: ArrayLike, unlearned: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    retrained, unlearned = both_sides(retrained, unlearned)
    if retrained.shape[0] != unlearned.shape[0]:
        raise ValueError(
            f"retrained has {retrained.shape[0]} models and unlearned has {unlearned.shape[0]}: "
            "the challenge's score needs equally many, leave out the surplus"
        )
    return _within_grid(retrained, "retrained"), _within_grid(unlearned, "unlearned")
