"""Compiled logistic regressions guess what scikit-learn's do."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit

from unlearning_metric.metrics import _logistic_kernel as kernel
from unlearning_metric.metrics._logistic import held_out_errors

LABELS = np.repeat([0, 1], 30)
FOLDS = list(StratifiedShuffleSplit(3, test_size=0.4, random_state=0).split(LABELS, LABELS))


def drawn(kind, rows=12):
    """Values [rows, 60] of two classes."""
    generator = np.random.default_rng(3)
    values = generator.normal(size=(rows, 60)) + 0.7 * LABELS
    return {
        "confidence": 4 * values,
        "loss": np.log1p(np.exp(-4 * values - 6)),
        "small": 1e-3 * values,
        "heavy tails": np.exp(4 * values),
        "separable": values + 50 * LABELS,
        "ties": np.round(values),
        "constant": np.full((rows, 60), 2.0),
        "one constant side": np.where(LABELS, 1.0, values),
    }[kind]


def by_scikit_learn(values, fold):
    fitted, guessed = fold
    found = LogisticRegression().fit(values[fitted, None], LABELS[fitted])
    guess, truth = found.predict(values[guessed, None]), LABELS[guessed]
    return [(guess[truth == 0] == 1).sum(), (guess[truth == 1] == 0).sum()]


@pytest.mark.parametrize(
    "kind",
    ["confidence", "loss", "small", "heavy tails", "separable", "ties", "constant", "one constant side"],
)
def test_wrong_guesses_are_those_of_scikit_learn(kind):
    rows = drawn(kind)
    expected = [[by_scikit_learn(values, fold) for values in rows] for fold in FOLDS]
    np.testing.assert_array_equal(held_out_errors(rows, LABELS, FOLDS), expected)


def test_slope_and_intercept_are_where_scikit_learn_stops():
    fitted = FOLDS[0][0]
    places = [fitted[LABELS[fitted] == label] for label in (0, 1)]
    for values in drawn("confidence"):
        found = LogisticRegression().fit(values[fitted, None], LABELS[fitted])
        slope, intercept, unsure = kernel.fit(values, *places)
        assert not unsure
        assert [slope, intercept] == pytest.approx([found.coef_[0, 0], found.intercept_[0]], rel=1e-9)


def test_what_takes_many_steps_is_left_to_scikit_learn():
    fitted = FOLDS[0][0]
    places = [fitted[LABELS[fitted] == label] for label in (0, 1)]
    assert any(kernel.fit(values, *places)[2] for values in drawn("heavy tails"))


def test_a_guess_that_rounding_decides_is_doubtful():
    # Symmetric about 0, where the last value lies to 1e-12.
    values = np.array([-2.0, -1.0, 1.0, 2.0, 1e-12])
    doubtful = np.empty(1, dtype=np.bool_)
    kernel.held_out_errors(
        values[None], *map(np.array, ([0, 1], [2, 3], [0], [4])), np.empty((1, 2), dtype=np.int64), doubtful
    )
    assert doubtful.all()
