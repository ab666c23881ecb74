"""Which training examples are to be forgotten: one small file a family of strategies, one entry in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from unlearning_metric.strategies import at_random, by_class, by_difficulty, by_group, by_index
from unlearning_metric.strategies.candidates import Candidates

#: strategy name -> function(candidates, ``forget`` part of the configuration, rng) -> positions in the training set,
#: each once, in any order.
STRATEGIES: dict[str, Callable[[Candidates, dict[str, Any], np.random.Generator], np.ndarray]] = {
    "random": at_random.random_examples,
    "class": by_class.whole_class,
    "subclass": by_class.part_of_classes,
    "groups": by_group.whole_groups,
    "indices": by_index.listed,
    "hardest": by_difficulty.hardest,
    "easiest": by_difficulty.easiest,
}
