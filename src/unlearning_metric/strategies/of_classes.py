"""Random examples of some classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearning_metric.strategies.record import Strategy
from unlearning_metric.strategies.settings import ForgetSettings

if TYPE_CHECKING:
    import numpy as np

    from unlearning_metric.strategies.candidates import Candidates


def part_of_classes(candidates: Candidates, settings: ForgetSettings, rng: np.random.Generator) -> np.ndarray:
    """``count`` or ``fraction`` of the training examples of the classes ``labels``, taken together."""
    labels = settings.labels
    assert labels is not None
    members = candidates.of_classes(labels, "forget.labels")
    of = f"training examples of the classes {', '.join(map(str, labels))}"
    return rng.choice(members, size=candidates.wanted_count(settings, len(members), of), replace=False)


STRATEGY = Strategy(
    "subclass",
    part_of_classes,
    "`count` or `fraction` of the examples of the classes `labels`, taken together",
    one_of=("count", "fraction"),
    needs=("labels",),
)
