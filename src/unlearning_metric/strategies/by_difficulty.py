"""The examples that models find hardest, or easiest, without having seen them.

What a model gets wrong unless it trains on it, it has to memorise: the loss of models that did not train on an example
stands for its memorisation, as in the grouping by memorisation of RUM (Zhao et al., arXiv 2406.01257), whose own
estimate also asks for the loss of models that did train on it (Feldman and Zhang, arXiv 2008.03703).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearning_metric.strategies.record import by_difficulty
from unlearning_metric.strategies.settings import ForgetSettings

if TYPE_CHECKING:
    import numpy as np

    from unlearning_metric.strategies.candidates import Candidates


def hardest(candidates: Candidates, settings: ForgetSettings, rng: np.random.Generator) -> np.ndarray:
    """``count`` or ``fraction`` of the training examples: those with the largest held-out loss."""
    assert candidates.difficulty is not None
    count = candidates.wanted_count(settings)
    return (-candidates.difficulty).argsort(kind="stable")[:count]


def easiest(candidates: Candidates, settings: ForgetSettings, rng: np.random.Generator) -> np.ndarray:
    """``count`` or ``fraction`` of the training examples: those with the smallest held-out loss."""
    assert candidates.difficulty is not None
    count = candidates.wanted_count(settings)
    return candidates.difficulty.argsort(kind="stable")[:count]


HARDEST = by_difficulty(
    "hardest", hardest, "`count` or `fraction` with the largest loss for models that did not train on them"
)
EASIEST = by_difficulty("easiest", easiest, "`count` or `fraction` with the smallest such loss")
