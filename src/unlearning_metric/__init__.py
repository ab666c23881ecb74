"""Scores how well a machine-unlearning method forgets, with the NeurIPS 2023 Unlearning Challenge metric."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearning_metric.metrics.challenge import challenge_epsilons, challenge_score
    from unlearning_metric.metrics.heldout import heldout
    from unlearning_metric.metrics.klom import klom
    from unlearning_metric.metrics.seed_notebook import seed_notebook, seed_scores
    from unlearning_metric.metrics.simple_mia import simple_mia
    from unlearning_metric.metrics.two_sample import gaussian_mu, ks_p_values, told_apart
    from unlearning_metric.metrics.ulira import ulira

__version__ = "0.1.0"

_HOMES = {
    "challenge": ("challenge_epsilons", "challenge_score"),
    "heldout": ("heldout",),
    "klom": ("klom",),
    "seed_notebook": ("seed_notebook", "seed_scores"),
    "simple_mia": ("simple_mia",),
    "two_sample": ("gaussian_mu", "ks_p_values", "told_apart"),
    "ulira": ("ulira",),
}
_MODULES = {name: f"unlearning_metric.metrics.{module}" for module, names in _HOMES.items() for name in names}

__all__ = [
    "challenge_epsilons",
    "challenge_score",
    "gaussian_mu",
    "heldout",
    "klom",
    "ks_p_values",
    "seed_notebook",
    "seed_scores",
    "simple_mia",
    "told_apart",
    "ulira",
]


def __getattr__(name: str) -> Any:
    # Lazily: the Snakefile imports this package while it is parsed and must not pay for numba.
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
