"""What a method costs, as a share of a retraining, and whether that is within the limit."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import numpy as np

from unlearning_metric.outputs.ensemble import Ensemble

#: Share by which a ratio of seconds may be off for another load on the machine: two runs were apart by 1.18 at most, so
#: that no two are told apart by it (benchmarks/README.md, Costs).
MOVED = 0.1
#: Where a retraining was measured.
BESIDE, MODELS = "beside the copies", "retrained models"


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """Order statistics that enclose the median with at least 95 %; of fewer than 6 values the smallest and largest."""
    ordered, count = np.sort(values), len(values)
    below = _below(count) if count >= 6 else 1
    return float(ordered[below - 1]), float(ordered[count - below])


def _below(count: int) -> int:
    """The 2.5 % quantile of how many of ``count`` values lie below their median; exact."""
    ways = accumulate(math.comb(count, k) for k in range(count + 1))
    return next(k for k, fewer in enumerate(ways) if 40 * fewer >= 2**count)


def seconds_ratio(
    copies: np.ndarray, beside: np.ndarray, retrained: np.ndarray
) -> tuple[float, tuple[float, float]] | None:
    """Seconds of a copy over those of a retraining, and what they may be on this machine; None where nothing tells.

    Parameters
    ----------
    copies : [copies], seconds of each
    beside : [copies], seconds of a retraining measured beside each; empty where it was not
    retrained : [models], seconds of each retrained model, which count where nothing was measured beside the copies

    Returns
    -------
    ratio : median
    interval : of the median over copies, 95 %, wider by `MOVED` on either side
    """
    if not len(copies) or not (len(beside) or len(retrained)):
        return None
    if len(beside):
        ratios = copies / beside
        ratio, (low, high) = float(np.median(ratios)), median_interval(ratios)
    else:
        (low, high), (least, most) = median_interval(copies), median_interval(retrained)
        if least <= 0:
            return None
        ratio, low, high = float(np.median(copies) / np.median(retrained)), low / most, high / least
    return ratio, (low / (1 + MOVED), high * (1 + MOVED))


def examples_ratio(copies: np.ndarray, retraining: np.ndarray) -> tuple[float, tuple[float, float]] | None:
    """Examples that a copy reads over those that a retraining reads, and the interval of the median over copies."""
    if not len(copies) or not len(retraining) or not np.median(retraining) > 0:
        return None
    ratios = copies / np.median(retraining)
    return float(np.median(ratios)), median_interval(ratios)


def verdict(interval: tuple[float, float] | None, limit: float) -> str | None:
    """``within`` or ``over`` a limit, ``unclear`` where the interval holds it; None where nothing was measured."""
    if interval is None:
        return None
    low, high = interval
    return "within" if high <= limit else "over" if low > limit else "unclear"


def limited(
    seconds: tuple[float, tuple[float, float]] | None,
    examples: tuple[float, tuple[float, float]] | None,
    limit: float,
    measure: str,
) -> dict[str, Any]:
    """Both ratios of a method, and the verdict of the one that ``measure`` names."""
    decides = seconds if measure == "seconds" else examples
    found = verdict(None if decides is None else decides[1], limit)
    return {
        "ratio": None if seconds is None else seconds[0],
        "ratio_interval": None if seconds is None else list(seconds[1]),
        "passes_ratio": None if examples is None else examples[0],
        "limit": limit,
        "limit_on": measure,
        "verdict": found,
        "within_limit": {"within": True, "over": False}.get(found or ""),
    }


def efficiency_section(
    retrained: Ensemble, unlearned: Ensemble, limit: float, measure: str = "seconds"
) -> dict[str, Any]:
    """A score document's ``efficiency``.

    Parameters
    ----------
    limit : largest accepted cost of a copy, as a share of a retraining
    measure : ``seconds`` or ``passes``, what the limit is on
    """
    beside = unlearned.retraining.get("seconds", np.empty(0))
    full = beside if len(beside) else retrained.seconds
    clocks = {run.get("clock") for run in unlearned.runs}
    return {
        "seconds_per_copy": float(np.median(unlearned.seconds)) if len(unlearned.seconds) else None,
        "seconds_per_retrained": float(np.median(full)) if len(full) else None,
        "clock": clocks.pop() if len(clocks) == 1 else None,
        "retraining_measured_on": None if not len(full) else BESIDE if len(beside) else MODELS,
        **limited(
            seconds_ratio(unlearned.seconds, beside, retrained.seconds),
            examples_ratio(unlearned.examples, unlearned.retraining.get("examples", retrained.examples)),
            limit,
            measure,
        ),
        "passes": {name: float(of_copy.mean()) for name, of_copy in unlearned.passes.items()},
    }
