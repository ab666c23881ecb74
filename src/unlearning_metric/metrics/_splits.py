"""The splits of scikit-learn that two sources prescribe, number by number.

Not taken from there, since a job of scoring would take 1.5 s of CPU time longer to begin (3 in place of 1.5): even
its splits alone bring all of scipy.stats and pandas with them. Tests hold these against scikit-learn's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: Places that are fitted on, and places that are guessed.
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
#: Share that is held out.
_HELD_OUT = 0.1


def shuffled_splits(size: int, splits: int, seed: int) -> list[Fold]:
    """``StratifiedShuffleSplit(splits, random_state=seed)`` of `size` values of one label and then `size` of another.

    Parameters
    ----------
    size : at least 10
    """
    random = np.random.RandomState(seed)
    counts = np.array([size, size])
    guessed = math.ceil(_HELD_OUT * 2 * size)
    found = []
    for _ in range(splits):
        fit = _shares(counts, 2 * size - guessed, random)
        held = _shares(counts - fit, guessed, random)
        orders = [label * size + random.permutation(size) for label in (0, 1)]
        fitted = np.concatenate([order[:end] for order, end in zip(orders, fit, strict=True)])
        rest = np.concatenate([order[f : f + h] for order, f, h in zip(orders, fit, held, strict=True)])
        found.append((random.permutation(fitted), random.permutation(rest)))
    return found


def _shares(counts: NDArray[np.int64], drawn: int, random: np.random.RandomState) -> NDArray[np.int64]:
    """How many of each label are drawn: in proportion; where that is no whole number, of the nearest, then by lot."""
    wanted = counts / counts.sum() * drawn
    shares = np.floor(wanted)
    missing, left = int(drawn - shares.sum()), wanted - shares
    for value in np.unique(left)[::-1]:
        if missing == 0:
            break
        (equal,) = np.where(left == value)
        chosen = random.choice(equal, size=min(len(equal), missing), replace=False)
        shares[chosen] += 1
        missing -= len(chosen)
    return shares.astype(np.int64)


def two_folds(labels: NDArray[np.int64]) -> list[Fold]:
    """``StratifiedKFold(2)`` of ascending labels 0 and 1."""
    counts = [np.bincount(labels[start::2], minlength=2) for start in (0, 1)]
    fold = np.concatenate([np.repeat([0, 1], [count[label] for count in counts]) for label in (0, 1)])
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in (0, 1)]
