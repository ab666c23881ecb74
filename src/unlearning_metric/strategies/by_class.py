"""All examples of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearning_metric.strategies.record import Strategy
from unlearning_metric.strategies.settings import ForgetSettings

if TYPE_CHECKING:
    import numpy as np

    from unlearning_metric.strategies.candidates import Candidates


def whole_class(candidates: Candidates, settings: ForgetSettings, rng: np.random.Generator) -> np.ndarray:
    """Every training example of the class ``label``."""
    return candidates.of_classes([settings.label], "forget.label")


STRATEGY = Strategy("class", whole_class, "all of the class `label`. No retain example is of it then", needs=("label",))
