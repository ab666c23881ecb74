"""Examples from a list of the user's: indices into the training pool, in a file (see `index_file`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearning_metric.strategies.index_file import read_indices
from unlearning_metric.strategies.record import Strategy
from unlearning_metric.strategies.settings import ForgetSettings

if TYPE_CHECKING:
    import numpy as np

    from unlearning_metric.strategies.candidates import Candidates

__all__ = ["STRATEGY", "listed", "read_indices"]


def listed(candidates: Candidates, settings: ForgetSettings, rng: np.random.Generator) -> np.ndarray:
    """The examples whose indices stand in the file ``path``."""
    assert candidates.listed is not None
    return candidates.positions(candidates.listed)


STRATEGY = Strategy(
    "indices",
    listed,
    "the examples that the file `path` lists by their index into the training pool, which counts from 0 in the order "
    "of the source (see below)",
    needs=("path",),
)
