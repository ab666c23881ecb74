"""Examples from a list of the user's: indices into the training pool, in a file (see `index_file`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearning_metric.strategies.candidates import Candidates
from unlearning_metric.strategies.index_file import read_indices

__all__ = ["listed", "read_indices"]


def listed(candidates: Candidates, settings: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """The examples whose indices stand in the file ``path``."""
    return np.flatnonzero(np.isin(candidates.indices, candidates.listed))
