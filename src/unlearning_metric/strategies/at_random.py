"""Random examples, of all classes alike or in the shares of the classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearning_metric.strategies.candidates import Candidates, stratified, wanted_count


def random_examples(candidates: Candidates, settings: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """``count`` or ``fraction`` of the training examples; with ``stratified`` the same share of each class."""
    count = wanted_count(settings, len(candidates), "training examples")
    if settings.get("stratified"):
        return stratified(candidates.labels, count, rng)
    return rng.choice(len(candidates), size=count, replace=False)
