"""The rule search of `heldout`, one rule after the other. For the tests and the benchmark; clear, not fast."""

import numpy as np


def best_ratio(x, y, rich, delta):
    """Largest ratio of shares, where x (rich 1) or y (0) is guessed, over all intervals of all cut points.

    Infinite where a rule makes no error; -1 where every rule makes no error of exactly one kind.
    """
    values = np.unique(np.concatenate([x, y]))
    best = -1.0
    for left in range(len(values)):
        for right in range(left, len(values)):
            for inner, outer in ((x, y), (y, x)):
                fnr = 1 - ((values[left] <= inner) & (inner <= values[right])).mean()
                fpr = ((values[left] <= outer) & (outer <= values[right])).mean()
                fnr = round(fnr * len(inner)) / len(inner)
                if fpr == 0 and fnr == 0:
                    return np.inf
                if fpr > 0 and fnr > 0:
                    inside_is_rich = (inner is x) == (rich == 1)
                    ratio = (1 - delta - fnr) / fpr if inside_is_rich else (1 - delta - fpr) / fnr
                    best = max(best, ratio, 0.0)
    return best
