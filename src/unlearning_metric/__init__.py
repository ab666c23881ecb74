"""Scores how well a machine-unlearning method forgets, with the NeurIPS 2023 Unlearning Challenge metric."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearning_metric.metrics.challenge import challenge_epsilons, challenge_score

__all__ = ["challenge_epsilons", "challenge_score"]


def __getattr__(name: str) -> Any:
    # Lazily: the Snakefile imports this package while it is parsed and must not pay for numba.
    if name in __all__:
        return getattr(import_module("unlearning_metric.metrics.challenge"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
