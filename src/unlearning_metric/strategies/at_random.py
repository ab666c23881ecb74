"""Random examples, of all classes alike or in the shares of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearning_metric.strategies.record import Strategy
from unlearning_metric.strategies.settings import ForgetSettings

if TYPE_CHECKING:
    import numpy as np

    from unlearning_metric.strategies.candidates import Candidates


def random_examples(candidates: Candidates, settings: ForgetSettings, rng: np.random.Generator) -> np.ndarray:
    """``count`` or ``fraction`` of the training examples; with ``stratified`` the same share of each class."""
    count = candidates.wanted_count(settings)
    if settings.stratified:
        return candidates.stratified(count, rng)
    return rng.choice(len(candidates), size=count, replace=False)


STRATEGY = Strategy(
    "random",
    random_examples,
    "`count` or `fraction` of them; `stratified: true` takes the same share of every class",
    one_of=("count", "fraction"),
    may=("stratified",),
    of_examples=True,
)
