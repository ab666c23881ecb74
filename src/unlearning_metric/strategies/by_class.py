"""All examples of a class, or random ones of some classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearning_metric.strategies.candidates import Candidates, wanted_count


def whole_class(candidates: Candidates, settings: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """Every training example of the class ``label``."""
    return np.flatnonzero(candidates.labels == candidates.class_number(settings["label"], "forget.label"))


def part_of_classes(candidates: Candidates, settings: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """``count`` or ``fraction`` of the training examples of the classes ``labels``, taken together."""
    numbers = [candidates.class_number(label, "forget.labels") for label in settings["labels"]]
    members = np.flatnonzero(np.isin(candidates.labels, numbers))
    of = f"training examples of the classes {', '.join(map(str, settings['labels']))}"
    return rng.choice(members, size=wanted_count(settings, len(members), of), replace=False)
