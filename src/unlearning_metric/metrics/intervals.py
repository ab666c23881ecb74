"""95 % intervals for scores that are means of bucket points, from groups of models deleted together.

The target is the expectation of the score, at this number of models, over the draw of the models; the forget examples
are fixed unless asked otherwise. Neither usual way works: a bootstrap repeats models, whose ties separate the sides
(its interval covers 0 % for equal laws, ``benchmarks/interval_coverage.py``), and leaving out one model in turn sees
the steps of the points and little else.

The replicates (`replicates`) are scores with a quarter of the models deleted. Deleted quarters see what one odd model
does to all examples at once, but inflate the part of the variance in which each example moves by itself, since its
points are a step function: that part is capped by the variance between the examples. The common part is known no better
than from the 16 blocks, and worse where single models stand far out, which its quantile allows for. All of it was
chosen by measured coverage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from unlearning_metric.metrics.replicates import PARTITIONS, Replicates

_LEVEL = 0.975
#: Standard deviation of ln(ceiling) over the ten random half-splits it is the mean of.
_SPLIT_SD = 0.03


def _variances(
    points: NDArray[np.float64], deleted: NDArray[np.float64], factor: float, random_examples: bool
) -> tuple[float, float]:
    """Variance of the mean of `points` [examples], from replicates [2, 20, examples], in two parts.

    One is common to all examples; in the other each example moves by itself.
    """
    examples = len(points)
    between = float(points.var(ddof=1)) / examples if examples > 1 else 0.0
    scores = deleted.mean(axis=2)
    raw = factor * scores.var(axis=1)
    own = factor * deleted.var(axis=1).sum(axis=1) / examples**2
    common = np.maximum(raw - own, 0.0)
    own = np.full(PARTITIONS, between) if random_examples else np.minimum(own, between)
    return float(common.mean()), float(own.mean())


def _half_width(
    points: NDArray[np.float64],
    deleted: NDArray[np.float64],
    factor: float,
    freedom: float,
    random_examples: bool,
    extra: float = 0.0,
    originals: tuple[float, float] | None = None,
) -> float:
    """Half the width of an additive interval of the mean of `points` [examples], from replicates [2, 20, examples].

    ``extra`` is variance that comes on top; ``originals`` that of the choice of the originals, and its degrees of
    freedom.
    """
    common, own = _variances(points, deleted, factor, random_examples)
    examples = max(len(points) - 1, 1)
    # Student's quantiles; scipy.stats, which says the same, takes a second to import.
    of_models, of_examples = stdtrit(freedom, _LEVEL), stdtrit(examples, _LEVEL)
    of_these = math.sqrt(of_models**2 * common + of_examples**2 * (own + extra))
    if originals is None:
        return of_these
    # The quantile of the originals' few degrees of freedom for all of it would be far too wide.
    together, variance = _satterthwaite([(common, freedom), (own + extra, examples), originals])
    return max(of_these, float(stdtrit(together, _LEVEL)) * math.sqrt(variance))


def _satterthwaite(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Degrees of freedom of a sum of variances, each with its own, and the sum."""
    total = sum(variance for variance, _ in parts)
    if total <= 0.0:
        return parts[0][1], 0.0
    return total**2 / sum(variance**2 / known for variance, known in parts), total


def _of_originals(each: NDArray[np.float64], again: bool = False) -> tuple[float, float] | None:
    """Variance of the mean of scores from each original through the choice of these, and its degrees of freedom.

    ``again``: of the mean against the score from one original more. None for a single original.
    """
    if len(each) < 2:
        return None
    return float(each.var(ddof=1)) * (1.0 / len(each) + again), len(each) - 1.0


def score_interval(replicates: Replicates, random_examples: bool = False) -> tuple[float, float]:
    """95 % interval of a score, ``F exp(+-q sd / F)``; additive and cut at 0 where the score is 0.

    Parameters
    ----------
    replicates : Replicates
    random_examples : bool
        Whether the forget examples, too, are a draw that another run would make anew.
    """
    spread = _half_width(
        replicates.points, replicates.deleted, replicates.factor, replicates.freedom, random_examples,
        originals=_of_originals(replicates.each),
    )  # fmt: skip
    return _around(replicates.score, spread)


def another_original_interval(replicates: Replicates) -> tuple[float, float]:
    """95 % interval of the score from one more original, against another draw of the retrained models.

    The scores from each original vary with the original and with its copies, both of which one more would draw anew.
    From two of them it held 85 to 97 % in simulation, from three 90 % and more (``benchmarks/originals_coverage.py``).

    Raises
    ------
    ValueError
        If there are not several originals.
    """
    originals = _of_originals(replicates.each, again=True)
    if originals is None:
        raise ValueError("one original does not say how far the scores from others are: give several")
    spread = _half_width(
        replicates.points, replicates.deleted, replicates.factor, replicates.freedom, random_examples=False,
        originals=originals,
    )  # fmt: skip
    return _around(replicates.score, spread)


def _around(score: float, spread: float) -> tuple[float, float]:
    if score <= 0.0:
        return 0.0, spread
    return score * math.exp(-spread / score), score * math.exp(min(spread / score, 700.0))


def difference_interval(
    first: Replicates, second: Replicates, random_examples: bool = False
) -> tuple[float, float, float]:
    """Score of the first less that of the second, and its 95 % interval, paired through the shared models.

    Raises
    ------
    ValueError
        If the two do not come from as many models and examples.
    """
    _check_methods(first, second)
    points = first.points - second.points
    freedom = min(first.freedom, second.freedom)
    spread = _half_width(
        points, first.deleted - second.deleted, first.factor, freedom, random_examples,
        originals=_of_originals(first.each - second.each),
    )  # fmt: skip
    difference = float(points.mean())
    return difference, difference - spread, difference + spread


def difference_p_value(first: Replicates, second: Replicates) -> float:
    """P-value of two scores being equal, these forget examples, paired through the shared models; two-sided.

    Student's t of the difference over its standard deviation, with the degrees of freedom that its two parts have
    together (Satterthwaite).

    Raises
    ------
    ValueError
        If the two do not come from as many models and examples.
    """
    _check_methods(first, second)
    points = first.points - second.points
    common, own = _variances(points, first.deleted - second.deleted, first.factor, random_examples=False)
    parts = [(common, min(first.freedom, second.freedom)), (own, max(len(points) - 1, 1.0))]
    of_originals = _of_originals(first.each - second.each)
    freedom, variance = _satterthwaite(parts if of_originals is None else [*parts, of_originals])
    difference = float(points.mean())
    if variance <= 0.0:
        return 1.0 if difference == 0.0 else 0.0
    return float(2.0 * stdtr(freedom, -abs(difference) / math.sqrt(variance)))


def relative_interval(
    replicates: Replicates, ceiling: Replicates, from_splits: bool, random_examples: bool = False
) -> tuple[float, float]:
    """95 % interval of score / ceiling.

    Parameters
    ----------
    replicates, ceiling : Replicates
        Of the method and of its ceiling, with the same deletions.
    from_splits : bool
        Whether the ceiling is a mean over random half-splits, whose own randomness then counts.

    Raises
    ------
    ValueError
        If the ceiling is 0, or the two do not come from as many models and examples.
    """
    _check_pair(replicates, ceiling)
    score, top = replicates.score, ceiling.score
    if top <= 0.0:
        raise ValueError("the ceiling is 0: nothing can be given relative to it")
    extra = _SPLIT_SD**2 if from_splits else 0.0
    if score <= 0.0:
        low, high = score_interval(replicates, random_examples)
        return low / top, high / top
    points = replicates.points / score - ceiling.points / top
    deleted = replicates.deleted / score - ceiling.deleted / top
    freedom = min(replicates.freedom, ceiling.freedom)
    spread = _half_width(
        points, deleted, replicates.factor, freedom, random_examples, extra,
        originals=_of_originals(replicates.each / score),
    )  # fmt: skip
    return _around(score / top, spread * score / top)


def _check_methods(first: Replicates, second: Replicates) -> None:
    _check_pair(first, second)
    if len(first.each) != len(second.each):
        raise ValueError(f"scores from {len(first.each) or 1} and {len(second.each) or 1} originals cannot be compared")


def _check_pair(first: Replicates, second: Replicates) -> None:
    if first.deleted.shape != second.deleted.shape or first.factor != second.factor:
        raise ValueError(
            f"replicates of {len(first.points)} and {len(second.points)} examples, factors {first.factor:g} and "
            f"{second.factor:g}: compare methods of the same retrained models and forget examples"
        )
