"""Splits are scikit-learn's, number by number."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

from unlearning_metric.metrics._splits import shuffled_splits, two_folds


def same(found, expected):
    assert len(found) == len(expected)
    for pair in zip(found, expected, strict=True):
        for split, expected_split in zip(*pair, strict=True):
            np.testing.assert_array_equal(split, expected_split)


# Odd numbers, and those of which a tenth is rounded up past itself.
@pytest.mark.parametrize("size", [10, 11, 13, 35, 36, 72, 99, 100, 257, 1000])
@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1])
def test_shuffled_splits_are_scikit_learns(size, seed):
    labels = np.repeat([0, 1], size)
    expected = list(StratifiedShuffleSplit(10, random_state=seed).split(labels, labels))
    same(shuffled_splits(size, 10, seed), expected)


@pytest.mark.parametrize("sides", [(4, 4), (4, 5), (5, 4), (7, 11), (64, 64), (101, 50)])
def test_folds_are_scikit_learns(sides):
    labels = np.repeat([0, 1], sides)
    same(two_folds(labels), list(StratifiedKFold(2).split(labels, labels)))
