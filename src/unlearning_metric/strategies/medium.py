"""The examples that models find neither hard nor easy, without having seen them.

RUM (Zhao et al., arXiv 2406.01257) tells examples of low, medium and high memorisation apart: `easiest`, `medium` and
`hardest` are these three, by the loss of models that did not train on an example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearning_metric.strategies.record import by_difficulty
from unlearning_metric.strategies.settings import ForgetSettings

if TYPE_CHECKING:
    import numpy as np

    from unlearning_metric.strategies.candidates import Candidates


def medium(candidates: Candidates, settings: ForgetSettings, rng: np.random.Generator) -> np.ndarray:
    """``count`` or ``fraction`` of the training examples: those in the middle of the order by held-out loss."""
    assert candidates.difficulty is not None
    count = candidates.wanted_count(settings)
    first = (len(candidates) - count) // 2
    return candidates.difficulty.argsort(kind="stable")[first : first + count]


STRATEGY = by_difficulty("medium", medium, "`count` or `fraction` in the middle of the order by that loss")
