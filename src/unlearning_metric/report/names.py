"""Names of the figures' files. Light: the Snakefile asks for them while it is parsed."""

from __future__ import annotations

from collections.abc import Sequence

FORMATS = ("png", "pdf")
#: Figure of the whole run -> how many methods it needs at least.
OF_ALL = {"utility": 1, "pairs": 2, "models": 1, "examples": 1, "roc": 1, "agreement": 3}
OF_METHOD = ("epsilon", "confidence", "models")


def figure_names(methods: Sequence[str]) -> list[str]:
    """Figures of a report on these methods, without folder and suffix."""
    whole = [name for name, least in OF_ALL.items() if len(methods) >= least]
    return [*whole, *(f"{name}_{method}" for method in methods for name in OF_METHOD)]
