"""The forgetting score of the NeurIPS 2023 Machine Unlearning Challenge, on the challenge's threshold grid.

Sources: [R] "Evaluation for the NeurIPS Machine Unlearning Competition" (2023); [C] the published scoring
code, google-deepmind/unlearning_evaluation, ``metric.py``. Values equal those of [C]. Two things differ by
intent: an example without a usable threshold is NaN and counted, where an assertion of [C] fails, and
confidences beyond +-50,000 are refused (those of [C] cannot pass +-104).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics import _challenge_kernel as kernel
from unlearning_metric.metrics._inputs import both_sides, model_values, refuse
from unlearning_metric.metrics.bucket_points import DELTA, challenge_points, log_tables
from unlearning_metric.metrics.subsets import Sorted, halves_points

EPSILON_CAP = 50.0
# The threshold grid has a step of 0.01: beyond this its size leaves the integers that float32 can count.
LARGEST_CONFIDENCE = 50_000.0


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
