"""Random examples, of all classes alike or in the shares of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unlearning_metric.strategies.record import Strategy

if TYPE_CHECKING:
    import numpy as np

    from unlearning_metric.strategies.candidates import Candidates


def random_examples(candidates: Candidates, settings: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
    """``count`` or ``fraction`` of the training examples; with ``stratified`` the same share of each class."""
    count = candidates.wanted_count(settings)
    if settings.get("stratified"):
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
