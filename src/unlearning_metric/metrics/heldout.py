"""Epsilon on models that did not choose the rule: the sound counterpart of the challenge's score.

The challenge takes the largest epsilon over many thresholds on the very models that it is counted on, which is biased
upwards at every number of models. Here the rule is chosen on some models and its errors are counted on others.

Sources: [R] "Evaluation for the NeurIPS Machine Unlearning Competition" (2023), equation 2; [CP] Clopper and Pearson
(1934).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from unlearning_metric.metrics import _heldout_kernel as kernel
from unlearning_metric.metrics._inputs import both_sides
from unlearning_metric.metrics.bucket_points import DELTA, challenge_points
from unlearning_metric.metrics.challenge import EPSILON_CAP
from unlearning_metric.metrics.gdp import gdp_bound, gdp_epsilon
from unlearning_metric.metrics.record import Column, Columns, Given, Metric, Number, Shown

FOLDS = 5
CONFIDENCE = 0.95
#: Kinds of rule, in the order of `HeldoutResult.kinds`.
KINDS = ("none", "unlearned above", "unlearned below", "unlearned inside", "retrained inside")


@dataclass(frozen=True)
class HeldoutResult:
    """What held-out models say of each example.

    Attributes
    ----------
    epsilons : float64 [examples]
        Point estimate in nats within [0, 50]; 50 where a count is 0 and the ratio infinite.
    bounds : float64 [examples]
        Lower 95 % confidence bound of epsilon, for one example by itself; 0 says nothing was shown.
    gdp_bounds : float64 [examples]
        Lower 95 % confidence bound of mu of Gaussian differential privacy, from the same two error rates.
    false_positives, false_negatives : float64 [examples]
        Retrained models taken for unlearned ones, and the reverse, pooled over the folds; means over tied rules.
    kinds : str [examples]
        The rule that all models together would choose, one of `KINDS`; of tied ones the first that the search meets.
    lows, highs : float64 [examples]
        Its ends: inside iff ``low < value <= high``.
    forgetting_score : float
        Mean bucket points of `epsilons`. For perfect unlearning it is far above `challenge`'s: never on one axis.
    """

    epsilons: NDArray[np.float64]
    bounds: NDArray[np.float64]
    gdp_bounds: NDArray[np.float64]
    false_positives: NDArray[np.float64]
    false_negatives: NDArray[np.float64]
    kinds: NDArray[np.str_]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    forgetting_score: float


def heldout(retrained: ArrayLike, unlearned: ArrayLike, folds: int = FOLDS, delta: float = DELTA) -> HeldoutResult:
    """Choose each example's best rule on all folds but one, count its errors on that one, pool the counts.

    The rules are all intervals of values (and so all single thresholds), with either side guessed inside, over all
    cut points; as in the challenge, a rule with exactly one kind of error cannot be chosen. A rule's epsilon is the
    larger of two log ratios, one of the values where unlearned is guessed and one of those where retrained is. Each is
    maximised by itself in all folds, since folds that took now one, now the other would pool the few errors of one
    kind with those of the other. The one with the larger mean ratio on the choosing models is reported: one bit that
    is not held out, which the simulations of the tests allow for.

    Rules that the choosing models cannot tell apart (as many of both sides where unlearned is guessed) are all taken,
    and their held-out errors averaged: any single one of them is a coin toss, which moves most examples' counts.

    Ideal: 0. Ceiling: what retrained models have among themselves, somewhat above 0 since the larger of two noisy
    estimates is taken; each of their `bounds` is above 0 in 5 % of runs at most. Floor: `bounds` of
    ``ln((1 - delta - c) / c)``, c the bound of no errors, which is 3.28 at 100 models a side and 4.93 at 512.

    Parameters
    ----------
    retrained, unlearned : array [models, examples]
        Any signal; the numbers of models may differ, each at least `folds`. Model i is in fold ``i % folds``.
    folds : int
        At least 2.
    delta : float in [0, 1)

    Raises
    ------
    ValueError
        If an input is not 2-D, not finite, has fewer models than folds, or the examples differ in number.

    References
    ----------
    [R] equation 2; [CP] for the two error rates, half of the 5 % each.
    """
    if folds < 2:
        raise ValueError(f"folds is {folds}: a rule is judged on models that did not choose it, ask for at least 2")
    if not 0.0 <= delta < 1.0:
        raise ValueError(f"delta is {delta}: it must lie within [0, 1), such as {DELTA}")
    retrained, unlearned = both_sides(retrained, unlearned, least=folds)
    n, m, examples = len(retrained), len(unlearned), retrained.shape[1]
    orders = [np.argsort(side.T, axis=1, kind="stable") for side in (retrained, unlearned)]
    ordered = [
        (np.take_along_axis(side.T, order, axis=1), order)
        for side, order in zip((retrained, unlearned), orders, strict=True)
    ]
    errors, merits = np.empty((2, 2, examples)), np.empty((2, examples))
    rules = np.empty((2, examples, 4))
    kernel.cross_fit(*ordered, folds, delta, errors, merits, rules)
    rich = np.argmax(merits, axis=0)
    (fp, fn), rules = errors[rich, :, np.arange(examples)].T, rules[rich, np.arange(examples)]
    epsilons = epsilon_of_rates(fp / n, fn / m, delta)
    tail = (1 - CONFIDENCE) / 2
    upper = _upper(fp, n, tail), _upper(fn, m, tail)
    return HeldoutResult(
        epsilons=epsilons,
        bounds=epsilon_of_rates(*upper, delta),
        gdp_bounds=gdp_bound(*upper),
        false_positives=fp,
        false_negatives=fn,
        kinds=_kinds(rules),
        lows=rules[:, 1],
        highs=rules[:, 2],
        forgetting_score=float(challenge_points(epsilons, min(n, m)).mean()),
    )


def epsilon_of_rates(fpr: ArrayLike, fnr: ArrayLike, delta: float = DELTA) -> NDArray[np.float64]:
    """``max(ln((1 - delta - fpr) / fnr), ln((1 - delta - fnr) / fpr))`` within [0, 50] ([R] equation 2)."""
    fpr, fnr = np.asarray(fpr, dtype=np.float64), np.asarray(fnr, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.fmax(np.log((1 - delta - fpr) / fnr), np.log((1 - delta - fnr) / fpr))
    # Both NaN: both numerators are negative, and the guess is worse than none.
    return np.clip(np.nan_to_num(both, nan=0.0, posinf=EPSILON_CAP, neginf=0.0), 0.0, EPSILON_CAP)


def largest_bound(models: int, delta: float = DELTA) -> float:
    """The largest lower bound that this number of models a side can give: no errors at all. Nats."""
    none = _upper(np.zeros(1), models, (1 - CONFIDENCE) / 2)
    return float(epsilon_of_rates(none, none, delta)[0])


def _upper(errors: NDArray[np.float64], models: int, tail: float) -> NDArray[np.float64]:
    """Clopper-Pearson upper bound of a rate; between two counts, where an average lies, it goes up steadily."""
    some = errors < models
    return np.where(some, betaincinv(errors + 1, np.where(some, models - errors, 1.0), 1 - tail), 1.0)


def _kinds(rules: NDArray[np.float64]) -> NDArray[np.str_]:
    ratio, low, high, inside = rules.T
    above, below = np.isinf(high), np.isinf(low)
    unlearned_inside = inside == 1
    conditions = [
        (ratio < 0) | (above & below),
        np.where(unlearned_inside, above, below) & (above | below),
        above | below,
        unlearned_inside,
    ]
    return np.select(conditions, KINDS[:4], KINDS[4])


def _measure(reference: NDArray[np.float64], other: NDArray[np.float64], given: Given) -> Columns:
    result = heldout(reference, other, min(FOLDS, len(reference)), given.delta)
    return {
        "heldout_epsilon": result.epsilons,
        "heldout_bound": result.bounds,
        "gdp_mu": result.gdp_bounds,
        "gdp_epsilon": gdp_epsilon(result.gdp_bounds, given.delta),
        "rule": result.kinds,
        "rule_low": result.lows,
        "rule_high": result.highs,
        "heldout_points": challenge_points(result.epsilons, min(len(reference), len(other))),
    }


def _summary(columns: Columns) -> dict[str, float]:
    epsilons, bounds = columns["heldout_epsilon"], columns["heldout_bound"]
    return {
        "epsilon_median": float(np.median(epsilons)),
        "bound_median": float(np.median(bounds)),
        "bound_max": float(bounds.max()),
        "share_shown": float((bounds > 0).mean()),
        "forgetting_score": float(columns["heldout_points"].mean()),
        "gdp_mu_median": float(np.median(columns["gdp_mu"])),
        "gdp_mu_max": float(columns["gdp_mu"].max()),
        "gdp_epsilon_median": float(np.median(columns["gdp_epsilon"])),
        "gdp_epsilon_max": float(columns["gdp_epsilon"].max()),
    }


def _constants(given: Given) -> dict[str, float]:
    return {"largest_bound": largest_bound(given.models[0], given.delta)}


METRIC = Metric(
    name="heldout",
    title="held-out epsilon",
    says="epsilon of rules chosen on some models and counted on others, with Clopper-Pearson bounds; errors are "
    "averaged over tied rules. From them a bound of mu of Gaussian differential privacy, and its epsilon at delta",
    source='"Evaluation for the NeurIPS Machine Unlearning Competition" (2023), equation 2; Dong, Roth and Su, '
    "arXiv 1905.02383",
    ideal="0",
    ceiling="somewhat above 0; bounds are above 0 on 5 % of examples at most, on average",
    floor="the largest bound that the number of models can show",
    better="lower",
    measure=_measure,
    summary=_summary,
    numbers={
        "epsilon_median": Number("Nats; rules chosen on some models, counted on others."),
        "bound_median": Number("Lower 95 % bound of epsilon, each example by itself."),
        "bound_max": Number("The largest of them, which of many examples is above 0 by chance."),
        "share_shown": Number("Share of examples whose bound is above 0."),
        "forgetting_score": Number("Points of these epsilons; not on one axis with the challenge's."),
        "gdp_mu_median": Number(
            "Lower 95 % bound of mu of Gaussian differential privacy, median over examples; 0 is ideal."
        ),
        "gdp_mu_max": Number("The largest of them, which of many examples is above 0 by chance."),
        "gdp_epsilon_median": Number("Nats; epsilon at the configured delta of these mus, median over examples."),
        "gdp_epsilon_max": Number("The largest of them."),
    },
    headline="epsilon_median",
    columns={
        "heldout_epsilon": Column(
            "float", "epsilon of rules chosen on some models and counted on others, nats, within [0, 50]"
        ),
        "heldout_bound": Column(
            "float", "its lower 95 % confidence bound, for this example by itself; 0: nothing is shown"
        ),
        "gdp_mu": Column("float", "lower 95 % confidence bound of mu of Gaussian differential privacy"),
        "gdp_epsilon": Column("float", "epsilon at the configured delta that this mu stands for, nats"),
        "rule": Column("text", "the rule that tells most: unlearned above, below or inside, retrained inside, or none"),
        "rule_low": Column("float", "lower end of the rule, confidence; inside iff low < value <= high"),
        "rule_high": Column("float", "upper end of the rule, confidence"),
    },
    shown=(
        Shown("held-out epsilon", "epsilon_median", "median over examples"),
        Shown("shown above 0", "share_shown", "share of examples with a lower bound above 0"),
        Shown("GDP mu", "gdp_mu_max", "largest lower bound of mu over examples"),
    ),
    interval="epsilon_median",
    constants=_constants,
    constant_numbers={"largest_bound": Number("What this number of models can show at most, in nats.")},
)
