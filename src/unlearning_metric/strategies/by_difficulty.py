"""The examples that models find hardest, or easiest, without having seen them.

What a model gets wrong unless it trains on it, it has to memorise: the loss of models that did not train on an example
stands for its memorisation, as in the grouping by memorisation of RUM (Zhao et al., arXiv 2406.01257), whose own
estimate also asks for the loss of models that did train on it (Feldman and Zhang, arXiv 2008.03703).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearning_metric.strategies.candidates import Candidates, wanted_count


def hardest(candidates: Candidates, settings: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """``count`` or ``fraction`` of the training examples: those with the largest held-out loss."""
    count = wanted_count(settings, len(candidates), "training examples")
    return np.argsort(-candidates.difficulty, kind="stable")[:count]


def easiest(candidates: Candidates, settings: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """``count`` or ``fraction`` of the training examples: those with the smallest held-out loss."""
    count = wanted_count(settings, len(candidates), "training examples")
    return np.argsort(candidates.difficulty, kind="stable")[:count]
