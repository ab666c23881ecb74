"""Which methods of a leaderboard are told apart: every pair is tested, and each method has a range of ranks.

A board of ten methods holds 45 pairs, of which two or three would be "told apart" by chance were each tested at 5 %.
Holm's correction keeps the chance of even one wrong statement on the whole board at 5 %, so that the ranges of ranks
hold together as well (Mogstad, Romano, Shaikh and Wilhelm 2024, "Inference for Ranks").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from unlearning_metric.metrics.intervals import difference_interval, difference_p_value
from unlearning_metric.metrics.replicates import Replicates

#: Chance of at least one wrong statement about all pairs of a board.
LEVEL = 0.05


@dataclass(frozen=True)
class Pair:
    """Two ranked methods.

    Attributes
    ----------
    first, second : names; the first has the better rank
    difference, low, high : final score of the first less the second's, and the 95 % interval of this pair by itself
    p : p-value of this pair by itself
    p_holm : the same, corrected for all pairs of the board
    told_apart : whether the corrected one is at most 5 %
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    told_apart: bool

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """P-values corrected for their number by Holm's step-down procedure, float64 [p-values], each at most 1."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1.0)
    return corrected


def compare_pairs(methods: Sequence[str], replicates: Mapping[str, Replicates | None]) -> list[Pair]:
    """Every pair of the methods that have replicates, paired over the retrained models that both share.

    Parameters
    ----------
    methods : ranked ones, best first
    replicates : method -> the final score's replicates; None or absent where there are none
    """
    known = [(name, found) for name in methods if (found := replicates.get(name)) is not None]
    tested = []
    for (first, one), (second, two) in combinations(known, 2):
        tested.append((first, second, *difference_interval(one, two), difference_p_value(one, two)))
    corrected = holm([entry[-1] for entry in tested])
    return [Pair(*entry, float(p), bool(p <= LEVEL)) for entry, p in zip(tested, corrected, strict=True)]


def rank_ranges(methods: Sequence[str], pairs: Sequence[Pair]) -> dict[str, tuple[int, int]]:
    """Method -> the best and the worst rank that what was told apart leaves it.

    A method that was compared with none of the others may have any rank.
    """
    ahead = dict.fromkeys(methods, 0)
    behind = dict.fromkeys(methods, 0)
    for pair in pairs:
        if pair.told_apart:
            better, worse = (pair.first, pair.second) if pair.difference > 0 else (pair.second, pair.first)
            ahead[worse] += 1
            behind[better] += 1
    return {name: (1 + ahead[name], len(methods) - behind[name]) for name in methods}
