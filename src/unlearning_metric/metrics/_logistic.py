"""How often a logistic regression on one value is wrong about what it was not fitted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unlearning_metric.metrics import _logistic_kernel as kernel
from unlearning_metric.metrics._splits import Fold


def held_out_errors(rows: NDArray[np.float64], labels: NDArray[np.int64], folds: list[Fold]) -> NDArray[np.int64]:
    """Wrong guesses of scikit-learn's ``LogisticRegression()`` on held-out values.

    Parameters
    ----------
    rows : float64 [rows, values], each row a regression by itself
    labels : int [values], 0 or 1
    folds : places that are fitted on, and places that are guessed

    Returns
    -------
    int64 [folds, rows, 2]
        Values labelled 0 and guessed 1, and the reverse.
    """
    # One layout, so that one kernel is compiled.
    rows = np.ascontiguousarray(rows)
    errors = np.empty((len(folds), len(rows), 2), dtype=np.int64)
    for fold, (fitted, guessed) in enumerate(folds):
        places = [part[labels[part] == label] for part in (fitted, guessed) for label in (0, 1)]
        doubtful = np.empty(len(rows), dtype=np.bool_)
        kernel.held_out_errors(rows, *places, errors[fold], doubtful)
        for row in np.flatnonzero(doubtful):
            errors[fold, row] = _by_scikit_learn(rows[row], labels, fitted, guessed)
    return errors


def _by_scikit_learn(
    values: NDArray[np.float64], labels: NDArray[np.int64], fitted: NDArray[np.int64], guessed: NDArray[np.int64]
) -> tuple[int, int]:
    from sklearn.linear_model import LogisticRegression

    guess = LogisticRegression().fit(values[fitted, None], labels[fitted]).predict(values[guessed, None])
    truth = labels[guessed]
    return int((guess[truth == 0] == 1).sum()), int((guess[truth == 1] == 0).sum())
