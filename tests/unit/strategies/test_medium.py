"""The middle of the order by difficulty."""

import numpy as np
import pytest

from unlearning_metric.config import Forget
from unlearning_metric.strategies import STRATEGIES
from unlearning_metric.strategies.candidates import Candidates


@pytest.mark.parametrize(
    ("chosen", "places"), [({"count": 3}, [3, 4, 5]), ({"count": None, "fraction": 0.4}, [3, 4, 5, 6])]
)
def test_as_many_examples_are_easier_as_are_harder(chosen, places):
    difficulty = np.random.default_rng(0).permutation(10).astype(float)
    candidates = Candidates(np.zeros(10, int), np.arange(10), ("a",), difficulty=difficulty)
    found = STRATEGIES["medium"].choose(candidates, Forget(strategy="medium", **chosen), np.random.default_rng(0))
    assert sorted(difficulty[found]) == places
